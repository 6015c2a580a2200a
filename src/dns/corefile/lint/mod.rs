//! What a person should know about a Corefile.
//!
//! A rule that finds the same thing many times tells it once, with the number and the first place.

mod markers;
mod ours;
mod records;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use crate::dns::corefile::lint::records::HAIRPIN_COMMENT;
use crate::{
    dns::{
        corefile::{
            address::Address,
            parser::{Corefile, Files, Server, parse},
            problem::Position,
            validate::{Judgement, Remark, What, validate},
        },
        ouroboros,
    },
    model::{
        finding::{Finding, Severity},
        hostname::Hostname,
    },
};

/// A Corefile above this many bytes comes near to what a ConfigMap can hold.
pub const SIZE_BUDGET: usize = 900 << 10;

/// The key that the controller of ouroboros writes in mode `coredns-import`.
pub const OUROBOROS_KEY: &str = "ouroboros.override";
/// The keys in which records of the hairpin fix stand.
const RECORD_KEYS: [&str; 2] = [OUROBOROS_KEY, crate::dns::snippet::KEY];

/// What there is besides the Corefile.
#[derive(Clone, Copy, Debug)]
pub struct LintContext<'a> {
    /// What the findings are about, as in `ConfigMap/kube-system/coredns: Corefile`.
    pub subject: &'a str,
    /// How records are meant to reach CoreDNS; nothing when they are not, or when nobody knows.
    pub delivery: Option<Delivery>,
    /// The data of `coredns-custom`; nothing when it is not known. An absent ConfigMap is an empty one.
    pub custom: Option<&'a BTreeMap<String, String>>,
    /// Whether there is a ConfigMap `node-local-dns`.
    pub has_node_local_dns: bool,
    /// The names that have records, or are to get them.
    pub hosts: &'a BTreeSet<Hostname>,
}

/// How records reach CoreDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As a block between markers in the Corefile: mode `coredns` of ouroboros.
    Block,
    /// In files that the Corefile imports: mode `coredns-import` of ouroboros, and the form `rewrite-snippet`.
    Import,
    /// As a block of this program in the Corefile: the form `corefile-block`.
    OwnBlock,
    /// In a file that a `hosts` of the Corefile reads: the form `hosts-file`.
    HostsFile,
}

/// A finding with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The first place that shows it; the beginning of the Corefile for what is about the whole.
    pub place: Position,
    /// What is so.
    pub finding: Finding,
}

/// Tells what will not work as it looks, in order of rule and place.
pub fn lint(corefile: &str, context: &LintContext<'_>) -> Vec<Finding> {
    inspect(corefile, context).into_iter().map(|located| located.finding).collect()
}

/// As [`lint`], with the place of each finding.
pub fn inspect(corefile: &str, context: &LintContext<'_>) -> Vec<Located> {
    let mut findings = Findings { subject: context.subject, list: Vec::new() };
    if corefile.len() > SIZE_BUDGET {
        findings.add(
            Severity::Warning,
            "SizeBudget",
            format!(
                "The Corefile has {} KiB. A ConfigMap holds 1024 KiB in all, and above 900 KiB the next records may be refused.",
                corefile.len() >> 10
            ),
            "Move records into `coredns-custom` or a file of the plugin `hosts`.",
        );
    }
    markers::check(corefile, context.delivery, &mut findings);
    ours::check(corefile, context, &mut findings);
    blanks(corefile, &mut findings);
    if context.has_node_local_dns {
        findings.add(
            Severity::Warning,
            "NodeLocalDns",
            "There is a ConfigMap `node-local-dns`: a cache on each node sends only names of the cluster's own zone to \
             CoreDNS, so records for public names do not reach pods there."
                .to_owned(),
            "Let the cache forward `.` to the cluster's DNS service, or use mode `etc-hosts`.",
        );
    }
    let has_key = context.custom.is_some_and(|custom| custom.contains_key(OUROBOROS_KEY));
    let begin = corefile.lines().position(|line| line.trim() == ouroboros::corefile::BEGIN);
    if let Some(index) = begin.filter(|_| has_key) {
        findings.add_at(
            line(index + 1),
            Severity::Warning,
            "TwoModes",
            format!(
                "The Corefile has a block of ouroboros, and `coredns-custom` has the key `{OUROBOROS_KEY}`: one of them is \
                 left over from another mode, and nobody keeps it up to date."
            ),
            "Take out the one whose mode is not in use any more.",
        );
    }
    match parse(corefile, &|pattern| files(pattern, context.custom)) {
        Ok(parsed) => {
            servers(corefile, &parsed, context, &mut findings);
            records::check(corefile, &parsed, context, &mut findings);
        }
        Err(error) => findings.add_at(
            error.place.clone(),
            Severity::Error,
            "CorefileDoesNotParse",
            format!(
                "CoreDNS cannot read it, {error}. A running CoreDNS keeps what it has; a restarted one does not start."
            ),
            "Repair this place.",
        ),
    }
    findings.list
}

/// Findings about one Corefile.
struct Findings<'a> {
    subject: &'a str,
    list: Vec<Located>,
}

impl Findings<'_> {
    /// Something about the whole Corefile.
    fn add(&mut self, severity: Severity, rule: &'static str, message: String, fix: &str) {
        self.add_at(line(1), severity, rule, message, fix);
    }

    fn add_at(&mut self, place: Position, severity: Severity, rule: &'static str, message: String, fix: &str) {
        let finding = Finding {
            severity,
            rule,
            subject: self.subject.to_owned(),
            message,
            fix: Some(fix.to_owned()),
            host: None,
        };
        self.list.push(Located { place, finding });
    }
}

/// The beginning of a line of the Corefile.
fn line(number: usize) -> Position {
    Position { file: String::new(), line: number, column: 1 }
}

/// White space for which kubectl prints the whole text as one quoted line.
fn blanks(corefile: &str, findings: &mut Findings<'_>) {
    let has_blank = |line: &str| line.ends_with(' ') || line.contains('\t');
    let Some(index) = corefile.lines().position(has_blank).filter(|_| corefile.contains(ouroboros::corefile::BEGIN))
    else {
        return;
    };
    findings.add_at(
        line(index + 1),
        Severity::Warning,
        "BlanksBlockCleanup",
        format!(
            "Line {} ends in a blank or holds a tab, so kubectl prints the Corefile as one quoted line, and the cleanup of \
             ouroboros fails when it is uninstalled.",
            index + 1
        ),
        "Take blanks away from the ends of lines, and write blanks for tabs.",
    );
}

/// Whether a folder is where `coredns-custom` is mounted: it is called `custom` wherever there is one.
pub(in crate::dns) fn is_custom(folder: &str) -> bool {
    folder == "custom" || folder.ends_with("/custom")
}

/// What an import brings.
pub(in crate::dns) fn files<'a>(pattern: &str, custom: Option<&'a BTreeMap<String, String>>) -> Files<'a> {
    let Some((folder, name)) = pattern.rsplit_once('/') else { return Files::Unknown };
    let Some(custom) = custom.filter(|_| is_custom(folder)) else {
        return Files::Unknown;
    };
    let fits = |key: &str| match name.split_once('*') {
        Some((start, end)) => key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end),
        None => key == name,
    };
    if name.contains(['?', '[', '\\']) {
        return Files::Unknown;
    }
    Files::Known(custom.iter().filter(|(key, _)| fits(key)).map(|(key, text)| (key.as_str(), text.as_str())).collect())
}

/// The addresses of a server block that plain queries on the usual port reach.
fn plain_zones(server: &Server<'_>) -> impl Iterator<Item = Address> {
    let addresses = server.keys.iter().filter_map(|key| Address::parse(&key.text));
    addresses.filter(|address| address.transport == "dns" && address.port == Some(53))
}

/// The server block that answers for every name that no other one answers for.
pub(in crate::dns) fn root<'s, 'a>(corefile: &'s Corefile<'a>) -> Option<(usize, &'s Server<'a>)> {
    corefile.servers.iter().enumerate().find(|(_, server)| plain_zones(server).any(|address| address.zone == "."))
}

/// The lines between the markers of ouroboros, in the order of the Corefile; nothing without both markers.
pub fn ouroboros_lines(corefile: &str) -> Option<Vec<&str>> {
    let mut lines = corefile.lines().skip_while(|line| line.trim() != ouroboros::corefile::BEGIN).skip(1);
    let block: Vec<_> = lines.by_ref().take_while(|line| line.trim() != ouroboros::corefile::END).collect();
    let is_closed = corefile.lines().any(|line| line.trim() == ouroboros::corefile::END);
    (corefile.lines().any(|line| line.trim() == ouroboros::corefile::BEGIN) && is_closed).then_some(block)
}

/// What is wrong with the server blocks and their plugins.
fn servers(corefile: &str, parsed: &Corefile<'_>, context: &LintContext<'_>, findings: &mut Findings<'_>) {
    let root = root(parsed);
    if root.is_none() {
        findings.add(
            Severity::Error,
            "NoRootServer",
            "No server block serves `.` on port 53, so pods get no answer for public names, and records have no place."
                .to_owned(),
            "Add a server block that begins with `.:53 {`.",
        );
    }
    if let Some((_, server)) = root
        && matches!(context.delivery, None | Some(Delivery::Block))
        && !corefile.lines().any(markers::is_opener)
    {
        let severity = if context.delivery.is_some() { Severity::Error } else { Severity::Warning };
        findings.add_at(
            Position::of(&server.keys[0]),
            severity,
            "OpenerNotFound",
            format!(
                "The server block for `.` at {} does not begin with a line `.:53 {{`. CoreDNS does not mind, but ouroboros \
                 finds no other line and writes no records.",
                Position::of(&server.keys[0])
            ),
            "Write `.:53 {` alone on that line, and other zones as a server block of their own.",
        );
    }
    // Keys of a lone server block without braces have nothing to load again, and `hosts` looks at its file by itself.
    if context.delivery != Some(Delivery::HostsFile)
        && !parsed.servers.iter().any(|server| server.directives.iter().any(|directive| directive.name() == "reload"))
    {
        let place = root.map_or_else(|| line(1), |(_, server)| Position::of(&server.keys[0]));
        findings.add_at(
            place,
            Severity::Warning,
            "ReloadMissing",
            "No server block has the plugin `reload`, so CoreDNS sees changed records only when it is restarted."
                .to_owned(),
            "Add the line `reload` to the server block.",
        );
    }
    borrowed_braces(parsed, findings);
    imports(parsed, root.map(|(index, _)| index), context, findings);
    judgement(&validate(parsed), findings);
}

/// What CoreDNS says to zones, plugins and their arguments.
fn judgement(judgement: &Judgement, findings: &mut Findings<'_>) {
    for Remark { place, what } in &judgement.refusals {
        let (rule, fix) = match what {
            What::Parse(_) => continue,
            What::Twice { .. } => ("PluginTwice", "Join the two."),
            What::Zone(_) => ("ZoneRefused", "Correct the zone, or take it out of one of the server blocks."),
            What::Arguments(_) | What::Plugin(_) | What::Import(_) | What::Environment(_) => {
                ("ArgumentsRefused", "Correct this line.")
            }
        };
        let message = format!("At {place}: {what}. CoreDNS refuses the whole Corefile.");
        findings.add_at(place.clone(), Severity::Error, rule, message, fix);
    }
    let mut unknown = BTreeMap::new();
    for Remark { place, what } in &judgement.doubts {
        if let What::Plugin(name) = what {
            unknown.entry(name).or_insert(place);
        }
    }
    for (name, place) in unknown {
        findings.add_at(
            place.clone(),
            Severity::Warning,
            "UnknownPlugin",
            format!(
                "CoreDNS 1.15 has no plugin `{}`, which stands at {place}. Without an image that has it, CoreDNS refuses \
                 the whole Corefile.",
                name.escape_debug(),
            ),
            "Take the line out, if the image does not bring this plugin.",
        );
    }
}

/// Server blocks that end with a brace that was not meant for them.
fn borrowed_braces(parsed: &Corefile<'_>, findings: &mut Findings<'_>) {
    for server in &parsed.servers {
        let Some(open) = &server.open else { continue };
        let (place, what) = match &server.close {
            None => {
                (Position::of(open), "has no `}` of its own; CoreDNS takes the last one of a plugin for it".to_owned())
            }
            Some(close) if close.file != open.file => {
                let close = Position::of(close);
                (
                    Position::of(open),
                    format!("is closed by an imported file, at {close}; what follows belongs to another one"),
                )
            }
            Some(_) => continue,
        };
        findings.add_at(
            Position::of(open),
            Severity::Error,
            "BorrowedBrace",
            format!("The server block that is opened at {place} {what}."),
            "Give every `{` its own `}` in the same file.",
        );
    }
}

/// Whether override files are imported where they are needed.
fn imports(parsed: &Corefile<'_>, root: Option<usize>, context: &LintContext<'_>, findings: &mut Findings<'_>) {
    let is_imported = parsed
        .imports
        .iter()
        .any(|import| import.pattern.text.ends_with("*.override") && import.server.is_some() && import.server == root);
    let has_overrides = context.custom.is_some_and(|custom| custom.keys().any(|key| key.ends_with(".override")));
    if is_imported || context.delivery != Some(Delivery::Import) && !has_overrides {
        return;
    }
    let severity = if context.delivery == Some(Delivery::Import) { Severity::Error } else { Severity::Warning };
    let place = root.map_or_else(|| line(1), |root| Position::of(&parsed.servers[root].keys[0]));
    findings.add_at(
        place,
        severity,
        "ImportDirectiveMissing",
        "The server block for `.` does not import override files, so records in `coredns-custom` have no effect."
            .to_owned(),
        "Add this line to the server block, and mount ConfigMap coredns-custom there: \
         import /etc/coredns/custom/*.override",
    );
}
