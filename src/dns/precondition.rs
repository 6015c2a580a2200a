//! What a Corefile must say before committed records have any effect.
//!
//! Only what is seen counts. The mount of `coredns-custom` stands in a Deployment that nobody reads here; an import from
//! the same folder is taken as evidence for it, because CoreDNS is then meant to find its keys there.

use std::collections::BTreeMap;

use crate::{
    dns::{
        corefile::{
            lexer::Token,
            lint,
            parser::{Corefile, Directive, Files, ImportOutcome, Server, parse},
            problem::{ParseError, Position},
            validate::{Remark, judge},
        },
        snippet,
    },
    model::{cluster::HostsPath, hostname::Hostname},
};

/// The data of `coredns-custom`; nothing when there is no such ConfigMap.
pub type Custom = BTreeMap<String, String>;

/// Why records would have no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// CoreDNS itself does not read the Corefile.
    #[error("CoreDNS cannot read the Corefile, {0}")]
    Unreadable(ParseError),
    /// Nothing answers for public names.
    #[error("no server block of the Corefile serves `.` on port 53")]
    NoServer,
    /// Override files are not imported where public names are answered.
    #[error(
        "the server block for `.` does not import override files, so records in coredns-custom would have no effect"
    )]
    ImportMissing,
    /// CoreDNS never looks at its files again.
    #[error("no server block has the plugin `reload`, so CoreDNS would see new records only when it is restarted")]
    ReloadMissing,
    /// Nothing reads the hosts file.
    #[error("the server block for `.` has no line `hosts {path}`, so nothing would read the records")]
    HostsLineMissing {
        /// Where the file would be.
        path: String,
    },
    /// The one `hosts` that a server block may have reads something else.
    #[error("the `hosts` at {at} reads another file, and a server block can have only one")]
    HostsLineTaken {
        /// Where it stands.
        at: Position,
    },
    /// Two of them make CoreDNS refuse the Corefile.
    #[error("`hosts` stands twice in one server block, again at {at}: CoreDNS refuses that")]
    HostsLineTwice {
        /// The second one.
        at: Position,
    },
    /// The line is there and would do harm, or nothing.
    #[error("the `hosts` at {at} {problem}")]
    HostsLineWrong {
        /// Where it stands.
        at: Position,
        /// What is wrong, as the end of a sentence.
        problem: &'static str,
    },
    /// The hosts file would be taken for a part of the Corefile, which would not load any more.
    #[error(
        "the import at {at} takes in every key of coredns-custom, also the hosts file, and CoreDNS would refuse that"
    )]
    ImportTakesAll {
        /// Where it stands.
        at: Position,
    },
    /// The name that records lead to would be asked of others.
    #[error("records would lead to `{target}`, and the plugin `kubernetes` answers for {zones} only")]
    TargetZoneNotServed {
        /// The name.
        target: String,
        /// What is answered for.
        zones: String,
    },
    /// CoreDNS parses it and refuses it.
    #[error("CoreDNS refuses the Corefile: at {}, {}", .0.place, .0.what)]
    Refused(Remark),
    /// Nothing shows that the keys of `coredns-custom` are files in this folder.
    #[error("nothing in the Corefile shows that ConfigMap coredns-custom is mounted at {folder}")]
    MountUnproven {
        /// The folder.
        folder: String,
    },
}

impl Obstacle {
    /// PascalCase and stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "CorefileUnreadable",
            Self::NoServer => "NoRootServer",
            Self::ImportMissing => "ImportDirectiveMissing",
            Self::ReloadMissing => "ReloadMissing",
            Self::HostsLineMissing { .. } => "HostsLineMissing",
            Self::HostsLineTaken { .. } => "HostsLineTaken",
            Self::HostsLineTwice { .. } => "HostsLineTwice",
            Self::HostsLineWrong { .. } => "HostsLineWrong",
            Self::ImportTakesAll { .. } => "ImportTakesAll",
            Self::TargetZoneNotServed { .. } => "TargetZoneNotServed",
            Self::Refused(_) => "CorefileRefused",
            Self::MountUnproven { .. } => "MountUnproven",
        }
    }

    /// What to do about it; `path` is where the hosts file is to be seen.
    pub fn fix(&self, path: &HostsPath) -> String {
        match self {
            Self::Unreadable(_) | Self::Refused(_) => "repair this place".to_owned(),
            Self::TargetZoneNotServed { .. } => {
                "correct the cluster's domain in the settings (clusterDomain), or in the Corefile".to_owned()
            }
            Self::NoServer => "add a server block that begins with `.:53 {`".to_owned(),
            Self::ImportMissing => {
                "add this line to the server block of the Corefile, and mount ConfigMap coredns-custom there: \
                 import /etc/coredns/custom/*.override"
                    .to_owned()
            }
            Self::ReloadMissing => "add the line `reload` to the server block".to_owned(),
            Self::HostsLineMissing { .. } => {
                format!("add these lines to the server block for `.`:\n{}", hosts_lines(path))
            }
            Self::HostsLineTaken { .. } => {
                "move its entries elsewhere and let it read our file, or set static.records: rewrite-snippet in \
                 cluster.yaml"
                    .to_owned()
            }
            Self::HostsLineTwice { .. } => "join the two".to_owned(),
            Self::HostsLineWrong { .. } => format!("let it say this:\n{}", hosts_lines(path)),
            Self::ImportTakesAll { .. } => format!("let it say: import {}/*.override", path.folder()),
            Self::MountUnproven { .. } => format!(
                "mount ConfigMap coredns-custom there, and add this line to the server block for `.`, which does no harm \
                 while it finds nothing: import {}/*.override",
                path.folder()
            ),
        }
    }
}

/// The lines by which CoreDNS reads the hosts file.
pub fn hosts_lines(path: &HostsPath) -> String {
    format!("    hosts {} {{\n        ttl 30\n        no_reverse\n        fallthrough\n    }}", path.as_str())
}

/// Why a snippet would have no effect.
///
/// That `reload` is missing counts only when every import is known to bring nothing of the kind.
pub fn of_snippet(corefile: &str, custom: &Custom) -> Option<Obstacle> {
    let parsed = match parse(corefile, &|pattern| lint::files(pattern, Some(custom))) {
        Ok(parsed) => parsed,
        Err(error) => return Some(Obstacle::Unreadable(error)),
    };
    let Some((root, _)) = lint::root(&parsed) else { return Some(Obstacle::NoServer) };
    let imports = parsed.imports.iter().filter(|import| import.server == Some(root));
    let fitting = imports.map(|import| &*import.pattern.text).filter(|pattern| takes_in(pattern, snippet::KEY));
    let folders: Vec<_> = fitting.map(folder).collect();
    match folders.as_slice() {
        [] => return Some(Obstacle::ImportMissing),
        [first, ..] if !folders.iter().any(|folder| lint::is_custom(folder)) => {
            return Some(Obstacle::MountUnproven { folder: (*first).to_owned() });
        }
        _ => {}
    }
    let has_reload =
        parsed.servers.iter().flat_map(|server| &server.directives).any(|plugin| plugin.name() == "reload");
    let is_whole = parsed.imports.iter().all(|import| import.outcome != ImportOutcome::Unknown);
    (!has_reload && is_whole).then_some(Obstacle::ReloadMissing)
}

/// Why the name that records lead to would be answered by nobody: `kubernetes` is told its zones, and neither they nor any
/// other word of the Corefile is one that the name lies in. `custom`: what imports bring, as far as it is known.
pub fn of_target(corefile: &str, custom: Option<&Custom>, target: &str) -> Option<Obstacle> {
    let parsed = parse(corefile, &|pattern| lint::files(pattern, custom)).ok()?;
    if parsed.imports.iter().any(|import| import.outcome == ImportOutcome::Unknown) {
        return None;
    }
    let target = Hostname::parse(target).ok()?;
    let is_within = |word: &Token<'_>| {
        let zone = word.text.trim_end_matches('.').to_ascii_lowercase();
        // The key of a server block may have a scheme before the zone, and a port behind it.
        let zone = zone.rsplit("://").next().unwrap_or_default().split(':').next().unwrap_or_default();
        !zone.is_empty() && target.is_within(zone.trim_end_matches('.')) || word.depends_on_environment()
    };
    let directives = || parsed.servers.iter().flat_map(|server| &server.directives);
    let keys = parsed.servers.iter().flat_map(|server| &server.keys);
    // The records themselves name the target behind the host.
    let words = directives().filter(|plugin| plugin.name() != "rewrite").flat_map(|plugin| &plugin.words);
    if keys.chain(words).any(is_within) {
        return None;
    }
    let zones = directives().filter(|plugin| plugin.name() == "kubernetes").flat_map(Directive::arguments);
    let zones: Vec<_> =
        zones.map(|zone| zone.text.trim_end_matches('.')).filter(|zone| !zone.ends_with("arpa")).collect();
    let named = || Obstacle::TargetZoneNotServed { target: target.to_string(), zones: zones.join(", ") };
    (!zones.is_empty()).then(named)
}

/// Why CoreDNS refuses a Corefile; nothing where that is not known for certain. `custom`: what imports bring, as far as it is
/// known.
pub fn refused(corefile: &str, custom: Option<&Custom>) -> Option<Obstacle> {
    judge(corefile, &|pattern| lint::files(pattern, custom)).refusals.into_iter().next().map(Obstacle::Refused)
}

/// Why a hosts file would have no effect. `is_mounted`: the platform itself mounts `coredns-custom` there.
pub fn of_hosts_file(corefile: &str, custom: &Custom, path: &HostsPath, is_mounted: bool) -> Option<Obstacle> {
    let parsed = match parse(corefile, &|pattern| lint::files(pattern, Some(custom))) {
        Ok(parsed) => parsed,
        Err(error) => return Some(Obstacle::Unreadable(error)),
    };
    let Some((_, server)) = lint::root(&parsed) else { return Some(Obstacle::NoServer) };
    let is_ours = |from: &str| from == path.folder() || lint::is_custom(from);
    let takes_all = parsed
        .imports
        .iter()
        .find(|import| takes_in(&import.pattern.text, HostsPath::KEY) && is_ours(folder(&import.pattern.text)));
    if let Some(import) = takes_all {
        return Some(Obstacle::ImportTakesAll { at: Position::of(&import.pattern) });
    }
    line_obstacle(server, path).or_else(|| {
        let is_proven = is_mounted || imports_from(&parsed, path.folder());
        (!is_proven).then(|| Obstacle::MountUnproven { folder: path.folder().to_owned() })
    })
}

/// Whether somebody prepared a Corefile for the hosts file: the server block for `.` has the line, right or not.
pub fn reads_hosts_file(corefile: &str, custom: &Custom, path: &HostsPath) -> bool {
    parse(corefile, &|pattern| lint::files(pattern, Some(custom))).is_ok_and(|parsed| {
        let server = lint::root(&parsed).map(|(_, server)| server);
        server.is_some_and(|server| hosts(server).any(|line| file(line) == Some(path.as_str())))
    })
}

/// What the line that reads the hosts file should say and does not, as ends of sentences.
pub fn advice(corefile: &str, custom: &Custom) -> Vec<&'static str> {
    let Ok(parsed) = parse(corefile, &|pattern| lint::files(pattern, Some(custom))) else { return Vec::new() };
    let Some(line) = lint::root(&parsed).and_then(|(_, server)| hosts(server).next()) else { return Vec::new() };
    let says = |word: &str| line.lines().iter().any(|line| line.words[0].text == word);
    let wanted = [
        ("ttl", "has no `ttl 30`: resolvers keep an answer for an hour, also one that is out of date"),
        ("no_reverse", "has no `no_reverse`: asked for the proxy's address, it lists the name of every tenant"),
    ];
    wanted.into_iter().filter(|(word, _)| !says(word)).map(|(_, advice)| advice).collect()
}

/// Whether CoreDNS looks at a Corefile again, as far as the Corefile says: what it imports may bring `reload`.
pub fn reloads(corefile: &str) -> bool {
    parse(corefile, &|_| Files::Unknown).is_ok_and(|parsed| {
        let mut plugins = parsed.servers.iter().flat_map(|server| &server.directives);
        plugins.any(|plugin| plugin.name() == "reload")
            || parsed.imports.iter().any(|import| import.outcome == ImportOutcome::Unknown)
    })
}

fn hosts<'s, 'a>(server: &'s Server<'a>) -> impl Iterator<Item = &'s Directive<'a>> {
    server.directives.iter().filter(|directive| directive.name() == "hosts")
}

/// The file that a `hosts` reads, when it names one.
fn file<'d>(line: &'d Directive<'_>) -> Option<&'d str> {
    line.arguments().first().map(|word| word.text.as_ref())
}

fn line_obstacle(server: &Server<'_>, path: &HostsPath) -> Option<Obstacle> {
    let mut lines = hosts(server);
    let Some(line) = lines.next() else {
        return Some(Obstacle::HostsLineMissing { path: path.as_str().to_owned() });
    };
    if let Some(second) = lines.next() {
        return Some(Obstacle::HostsLineTwice { at: Position::of(&second.words[0]) });
    }
    let at = Position::of(&line.words[0]);
    if file(line) != Some(path.as_str()) {
        return Some(Obstacle::HostsLineTaken { at });
    }
    problem(line).map(|problem| Obstacle::HostsLineWrong { at, problem })
}

fn problem(line: &Directive<'_>) -> Option<&'static str> {
    let is_root = |zone: &str| zone == ".";
    let zones = &line.arguments()[1..];
    if !zones.is_empty() && !zones.iter().any(|zone| is_root(&zone.text)) {
        return Some("answers for some zones only");
    }
    let (mut falls_through, mut problem) = (false, None);
    for option in line.lines() {
        let mut words = option.words.iter().map(|word| word.text.as_ref());
        match (words.next(), words.next()) {
            (Some("fallthrough"), None) => falls_through = true,
            (Some("fallthrough"), Some(first)) if is_root(first) || words.any(is_root) => falls_through = true,
            (Some("reload"), Some(period)) if period.trim_end_matches(|c: char| c.is_ascii_alphabetic()) == "0" => {
                problem = Some("has `reload 0`, so it never looks at the file again");
            }
            _ => {}
        }
    }
    if falls_through { problem } else { Some("has no `fallthrough`, so no other name would be answered any more") }
}

/// Whether the pattern of an import takes in a key of a mounted ConfigMap. One that holds what only a shell knows does not.
fn takes_in(pattern: &str, key: &str) -> bool {
    let name = pattern.rsplit_once('/').map_or("", |(_, name)| name);
    match name.split_once('*') {
        Some((start, end)) => key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end),
        None => name == key,
    }
}

/// The folder of what an import names.
fn folder(pattern: &str) -> &str {
    pattern.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn imports_from(parsed: &Corefile<'_>, folder: &str) -> bool {
    let patterns = parsed.imports.iter().map(|import| import.pattern.text.as_ref());
    patterns.filter_map(|pattern| pattern.rsplit_once('/')).any(|(from, _)| from == folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPORT: &str = "import /etc/coredns/custom/*.override";

    fn corefile(lines: &str) -> String {
        format!(".:53 {{\n    kubernetes cluster.local\n    {lines}\n}}\n")
    }

    fn code(obstacle: Option<Obstacle>) -> &'static str {
        obstacle.map_or("", |obstacle| obstacle.code())
    }

    #[test]
    fn a_snippet_needs_an_import_where_public_names_are_answered_and_a_reload() {
        for (text, expected) in [
            (corefile(&format!("reload\n{IMPORT}")), ""),
            // CoreDNS does not load while a file that is named as such is missing.
            (corefile("reload\nimport custom/bobbypin.override"), "CorefileUnreadable"),
            (corefile("reload\nimport /etc/coredns/custom/*"), ""),
            (corefile("reload\nimport /etc/coredns/custom/*.server"), "ImportDirectiveMissing"),
            (corefile("reload\nimport /etc/coredns/extra/*.override"), "MountUnproven"),
            (corefile(&format!("reload\n# {IMPORT}")), "ImportDirectiveMissing"),
            (corefile(&format!("errors {IMPORT}")), "ImportDirectiveMissing"),
            (corefile("imports x/*.override"), "ImportDirectiveMissing"),
            (corefile(IMPORT), "ReloadMissing"),
            // Nobody knows what the other file brings.
            (corefile(&format!("{IMPORT}\nimport /etc/other/*")), ""),
            (format!("cluster.local:53 {{\n reload\n {IMPORT}\n}}\n.:53 {{\n errors\n}}\n"), "ImportDirectiveMissing"),
            (format!(".:5353 {{\n reload\n {IMPORT}\n}}\n"), "NoRootServer"),
            (format!(".:53 {{\n reload\n {IMPORT}\n"), "CorefileUnreadable"),
            (String::new(), "NoRootServer"),
            (format!("{IMPORT}\n"), "NoRootServer"),
        ] {
            assert_eq!(code(of_snippet(&text, &Custom::new())), expected, "{text}");
        }
        let custom = Custom::from([("x.override".to_owned(), "reload\n".to_owned())]);
        assert_eq!(of_snippet(&corefile(IMPORT), &custom), None, "an imported file brings it");
    }

    #[test]
    fn a_hosts_file_needs_one_line_that_reads_it_and_lets_other_names_through() {
        let path = HostsPath::default();
        let full = hosts_lines(&path);
        let hosts = |options: &str| format!("hosts {} {{\n{options}\n}}\n{IMPORT}", path.as_str());
        for (lines, expected) in [
            (format!("{full}\n{IMPORT}"), ""),
            (hosts("fallthrough"), ""),
            (hosts("fallthrough ."), ""),
            (hosts("fallthrough\nreload 5s"), ""),
            (format!("hosts {} . {{\nfallthrough\n}}\n{IMPORT}", path.as_str()), ""),
            (full.clone(), "MountUnproven"),
            (format!("{full}\nimport /etc/other/*.override"), "MountUnproven"),
            (IMPORT.to_owned(), "HostsLineMissing"),
            (format!("{full}\nimport /etc/coredns/custom/*"), "ImportTakesAll"),
            (format!("{full}\nimport /etc/coredns/custom/*.hosts"), "ImportTakesAll"),
            (format!("hosts\n{IMPORT}"), "HostsLineTaken"),
            (format!("hosts /etc/hosts {{\nfallthrough\n}}\n{IMPORT}"), "HostsLineTaken"),
            (format!("hosts {{\n192.0.2.1 a.example.org\nfallthrough\n}}\n{IMPORT}"), "HostsLineTaken"),
            (format!("{full}\nhosts {{\nfallthrough\n}}\n{IMPORT}"), "HostsLineTwice"),
            (format!("hosts {}\n{IMPORT}", path.as_str()), "HostsLineWrong"),
            (hosts("ttl 30"), "HostsLineWrong"),
            (hosts("fallthrough example.org"), "HostsLineWrong"),
            (hosts("fallthrough\nreload 0"), "HostsLineWrong"),
            (hosts("fallthrough\nreload 0s"), "HostsLineWrong"),
            (format!("hosts {} example.org {{\nfallthrough\n}}\n{IMPORT}", path.as_str()), "HostsLineWrong"),
        ] {
            let text = corefile(&lines);
            assert_eq!(code(of_hosts_file(&text, &Custom::new(), &path, false)), expected, "{text}");
        }
        assert_eq!(of_hosts_file(&corefile(&full), &Custom::new(), &path, true), None, "the platform mounts it");
        let other = HostsPath::parse("/etc/dns/bobbypin.hosts").expect("a literal that parses");
        assert_eq!(
            code(of_hosts_file(&corefile(&hosts("fallthrough")), &Custom::new(), &other, true)),
            "HostsLineTaken"
        );
        // A file of `coredns-custom` counts as part of the server block that imports it.
        let custom = Custom::from([("x.override".to_owned(), full)]);
        assert_eq!(of_hosts_file(&corefile(IMPORT), &custom, &path, false), None);
        assert!(reads_hosts_file(&corefile(IMPORT), &custom, &path));
    }

    #[test]
    fn the_name_of_the_proxy_must_be_one_that_somebody_answers_for() {
        let target = "ouroboros-proxy.x.svc.cluster.local.";
        for (text, expected) in [
            (".:53 {\n kubernetes cluster.local in-addr.arpa\n}\n", ""),
            (".:53 {\n kubernetes Cluster.Local.\n}\n", ""),
            (".:53 {\n kubernetes k8s.corp in-addr.arpa\n}\n", "TargetZoneNotServed"),
            (".:53 {\n kubernetes k8s.corp\n rewrite name a.example.org x.cluster.local\n}\n", "TargetZoneNotServed"),
            // What names no zone has those of its server block, and others may answer too.
            (".:53 {\n kubernetes\n}\n", ""),
            (".:53 {\n kubernetes k8s.corp\n}\ncluster.local {\n forward . 192.0.2.1\n}\n", ""),
            (".:53 {\n kubernetes k8s.corp\n}\ndns://svc.cluster.local:53 {\n}\n", ""),
            (".:53 {\n kubernetes k8s.corp\n forward cluster.local 192.0.2.1\n}\n", ""),
            (".:53 {\n kubernetes {$ZONE}\n}\n", ""),
            (".:53 {\n kubernetes k8s.corp\n import /etc/other/*\n}\n", ""),
            (".:53 {\n forward . 192.0.2.1\n}\n", ""),
        ] {
            assert_eq!(code(of_target(text, Some(&Custom::new()), target)), expected, "{text}");
        }
    }

    #[test]
    fn what_is_recommended_is_told_when_it_is_missing() {
        let path = HostsPath::default();
        let count = |options: &str| {
            let text = corefile(&format!("hosts {} {{\n{options}\n}}", path.as_str()));
            advice(&text, &Custom::new()).len()
        };
        assert_eq!(["fallthrough", "fallthrough\nttl 30", "no_reverse\nttl 60"].map(count), [2, 1, 0]);
        assert_eq!(advice(&corefile(&hosts_lines(&path)), &Custom::new()), [""; 0]);
    }
}
