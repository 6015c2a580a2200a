//! Whether CoreDNS loads a Corefile: what its plugins say to their arguments, and its server blocks to each other.
//!
//! Read from CoreDNS 1.15 (`core/dnsserver/register.go` and `plugin/*/setup.go`). The plugins that stand in the Corefiles
//! of clusters are judged to the word; of the others only the names are known, which is said. What a machine must have
//! besides (free ports, files, an API server) is not looked at.

mod arguments;
mod plugins;
mod rewrite;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::dns::corefile::{
    address::Address,
    lexer::Token,
    parser::{Corefile, Files, ImportOutcome, Server, parse},
    plugins::{ONCE, PLUGINS},
    problem::Position,
};

/// What CoreDNS will say to a Corefile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It loads it.
    Loads,
    /// It refuses the whole of it.
    Refuses,
    /// That depends on what is not known here.
    Unknown,
}

/// What was found in a Corefile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Why CoreDNS refuses it, in order of place.
    pub refusals: Vec<Remark>,
    /// What the verdict depends on and nobody knows, in order of place.
    pub doubts: Vec<Remark>,
}

/// One thing that stands in a Corefile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// Where.
    pub place: Position,
    /// What is so; one sentence, without a full stop.
    pub what: What,
}

/// What a remark is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The parser gives up.
    Parse(String),
    /// A zone cannot be served as it is written, or twice.
    Zone(String),
    /// CoreDNS 1.15 does not have this plugin; a build of somebody's own may.
    Plugin(String),
    /// A plugin stands a second time in a server block.
    Twice {
        /// The plugin.
        plugin: String,
        /// Where it stands first.
        first: Position,
    },
    /// Something about what stands behind the name of a plugin.
    Arguments(String),
    /// The content of an import is not known.
    Import(String),
    /// A word depends on the environment of CoreDNS.
    Environment(String),
}

impl std::fmt::Display for What {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parse(text) | Self::Zone(text) | Self::Arguments(text) => out.write_str(text),
            Self::Plugin(name) => write!(out, "CoreDNS 1.15 has no plugin `{}`", name.escape_debug()),
            Self::Twice { plugin, first } => {
                write!(out, "`{plugin}` stands a second time in one server block; the first is at {first}")
            }
            Self::Import(pattern) => write!(out, "what `{}` brings is not known", pattern.escape_debug()),
            Self::Environment(word) => {
                write!(out, "`{}` depends on the environment of CoreDNS", word.escape_debug())
            }
        }
    }
}

impl Judgement {
    /// What CoreDNS will say. A doubt cannot heal a refusal.
    pub fn verdict(&self) -> Verdict {
        match (self.refusals.as_slice(), self.doubts.as_slice()) {
            ([], []) => Verdict::Loads,
            ([], _) => Verdict::Unknown,
            _ => Verdict::Refuses,
        }
    }
}

/// Reads and judges a Corefile. `files` is what [`parse`] takes.
pub fn judge<'a>(corefile: &'a str, files: &dyn Fn(&str) -> Files<'a>) -> Judgement {
    match parse(corefile, files) {
        Ok(corefile) => validate(&corefile),
        Err(error) => {
            let what = What::Parse(error.problem.to_string());
            Judgement { refusals: vec![Remark { place: error.place, what }], doubts: Vec::new() }
        }
    }
}

/// Judges a Corefile that CoreDNS can parse.
pub fn validate(corefile: &Corefile<'_>) -> Judgement {
    let mut judge = Judge::default();
    for import in corefile.imports.iter().filter(|import| import.outcome == ImportOutcome::Unknown) {
        judge.doubt(&import.pattern, What::Import(import.pattern.text.clone().into_owned()));
    }
    if let Some(word) = &corefile.environment {
        judge.doubt(word, What::Environment(word.text.clone().into_owned()));
    }
    zones(&corefile.servers, &mut judge);
    for server in &corefile.servers {
        directives(server, &mut judge);
    }
    let Judge { mut judgement } = judge;
    judgement.refusals.sort();
    judgement.doubts.sort();
    judgement
}

/// Collects what is found.
#[derive(Default)]
struct Judge {
    judgement: Judgement,
}

impl Judge {
    fn refuse(&mut self, at: &Token<'_>, what: What) {
        self.judgement.refusals.push(Remark { place: Position::of(at), what });
    }

    fn doubt(&mut self, at: &Token<'_>, what: What) {
        self.judgement.doubts.push(Remark { place: Position::of(at), what });
    }
}

/// How many pairs of a zone and an address to listen at are looked into. A person writes a few; somebody who writes
/// thousands of each in one server block wants to keep us busy.
const MOST_LISTENED: usize = 100_000;

/// Why the arguments of a plugin are not simply taken.
enum Objection {
    /// CoreDNS refuses them.
    Refused(Remark),
    /// Nobody knows.
    Doubt(Remark),
}

type Outcome = Result<(), Objection>;

fn refused(at: &Token<'_>, message: impl Into<String>) -> Objection {
    Objection::Refused(Remark { place: Position::of(at), what: What::Arguments(message.into()) })
}

fn doubtful(at: &Token<'_>, message: impl Into<String>) -> Objection {
    Objection::Doubt(Remark { place: Position::of(at), what: What::Arguments(message.into()) })
}

/// The plugins of one server block.
fn directives(server: &Server<'_>, judge: &mut Judge) {
    let mut plugins: BTreeMap<&str, Vec<&Token<'_>>> = BTreeMap::new();
    for directive in &server.directives {
        let (name, word) = (directive.name(), &directive.words[0]);
        if !PLUGINS.contains(&name) {
            if !word.depends_on_environment() {
                judge.doubt(word, What::Plugin(name.to_owned()));
            }
            continue;
        }
        if let Some(words) = plugins.get(name)
            && ONCE.contains(&name)
        {
            let what = What::Twice { plugin: name.to_owned(), first: Position::of(words[0]) };
            judge.refuse(word, what);
        }
        plugins.entry(name).or_default().extend(&directive.words);
    }
    let keys: Vec<&str> = server.keys.iter().map(|key| key.text.as_ref()).collect();
    for (name, words) in plugins {
        // The environment may turn such a word into anything, and it was told already.
        if words.iter().any(|word| word.depends_on_environment()) {
            continue;
        }
        match plugins::check(name, words, &keys) {
            Ok(()) => {}
            Err(Objection::Refused(remark)) => judge.judgement.refusals.push(remark),
            Err(Objection::Doubt(remark)) => judge.judgement.doubts.push(remark),
        }
    }
}

/// Zones that are none, and zones that two server blocks want to serve at one address.
fn zones(servers: &[Server<'_>], judge: &mut Judge) {
    let mut served: BTreeMap<Address, BTreeMap<Option<&str>, Position>> = BTreeMap::new();
    let mut looked_at = 0;
    for server in servers {
        let has_view = server.directives.iter().any(|directive| directive.name() == "view");
        let listeners = listeners(server);
        for key in &server.keys {
            let text = key.text.as_ref();
            if key.depends_on_environment() {
                continue;
            }
            let Some(address) = Address::parse(text) else {
                judge.refuse(key, What::Zone(format!("`{}` is no zone with a port", text.escape_debug())));
                continue;
            };
            if text.contains('\\') || address.zone.contains('/') && !address.zone.ends_with('.') {
                judge.doubt(key, What::Zone(format!("`{}` is not looked into", text.escape_debug())));
            } else if address.transport == "unix" {
                judge.doubt(key, What::Zone(format!("`{}` is served by nobody", text.escape_debug())));
            }
            let Some(listeners) = &listeners else { continue };
            looked_at += listeners.len();
            if looked_at > MOST_LISTENED {
                let message =
                    format!("there are more than {MOST_LISTENED} pairs of a zone and an address to listen at");
                judge.doubt(key, What::Zone(message));
                return;
            }
            let known = served.entry(address).or_default();
            let mut clash = None;
            for listener in listeners {
                // Two listeners are in each other's way when they are the same, or when one of them takes every address.
                let other = match listener {
                    Some(_) => known.get(&None).or_else(|| known.get(listener)),
                    None => known.values().next(),
                };
                if let Some(first) = other {
                    clash.get_or_insert_with(|| first.clone());
                } else if !has_view {
                    known.insert(*listener, Position::of(key));
                }
            }
            if let Some(first) = clash {
                let message = format!("`{}` is served already, by the server block at {first}", text.escape_debug());
                judge.refuse(key, What::Zone(message));
            }
        }
    }
}

/// The addresses that a server block binds to: `None` among them is every address. Nothing when that is not known.
fn listeners<'s>(server: &'s Server<'_>) -> Option<Vec<Option<&'s str>>> {
    let mut found = Vec::new();
    for directive in server.directives.iter().filter(|directive| directive.name() == "bind") {
        let is_plain = directive.words.iter().skip(1).all(|word| word.text.parse::<std::net::IpAddr>().is_ok());
        if !is_plain {
            return None;
        }
        found.extend(directive.words[1..].iter().map(|word| Some(word.text.as_ref())));
    }
    Some(if found.is_empty() { vec![None] } else { found })
}
