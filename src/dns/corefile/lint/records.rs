//! What stands in the way of records, and rules that can never act.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
    net::IpAddr,
    ops::Range,
};

use crate::{
    dns::{
        block,
        corefile::{
            lexer::{Piece, lex},
            lint::{Delivery, Findings, LintContext, RECORD_KEYS, line, plain_zones, root},
            parser::{Corefile, Directive, Server},
            problem::Position,
            rewrite::{From, NameRule, absolute, name_rule},
        },
        ouroboros,
    },
    model::finding::Severity,
};

/// How hairpin-proxy marks its lines.
pub const HAIRPIN_COMMENT: &str = "# Added by hairpin-proxy";
/// How the names of its service begin.
const HAIRPIN_TARGET: &str = "hairpin-proxy.";
/// More rules than this that are not about one exact name are not compared with every later rule.
const MOST_PATTERNS: usize = 100;

pub(super) fn check(corefile: &str, parsed: &Corefile<'_>, context: &LintContext<'_>, findings: &mut Findings<'_>) {
    hairpin_lines(corefile, parsed, findings);
    let records = Records::of(corefile);
    for server in &parsed.servers {
        never_firing(&rules(server), &records, findings);
    }
    let Some((index, server)) = root(parsed) else { return };
    let mut hosts: Vec<String> = context.hosts.iter().map(|host| absolute(host.as_str())).collect();
    hosts.sort_unstable();
    let rules = rules(server);
    rules_before(&rules, &records, &hosts, findings);
    for directive in server.directives.iter().filter(|directive| directive.name() == "hosts") {
        entries(directive, &hosts, context.delivery, findings);
    }
    templates(server, &hosts, context.delivery, findings);
    let exact = rules.iter().filter_map(|rule| match &rule.from {
        From::Exact(name) => Some(name.as_str()),
        _ => None,
    });
    let names: Vec<&str> = exact.chain(hosts.iter().map(String::as_str)).collect();
    shadows(parsed, index, &names, findings);
}

fn rules<'s, 'a>(server: &'s Server<'a>) -> Vec<NameRule<'s, 'a>> {
    server.directives.iter().filter_map(name_rule).collect()
}

/// Where the blocks of records stand in a Corefile, in bytes: that of ouroboros, and ours.
struct Records([Range<usize>; 2]);

impl Records {
    fn of(corefile: &str) -> Self {
        let find = |marker| {
            lex(corefile).find_map(|piece| match piece {
                Piece::Comment(comment) if corefile[comment.span.clone()].trim_end() == marker => {
                    Some(comment.span.start)
                }
                _ => None,
            })
        };
        let markers = [(ouroboros::corefile::BEGIN, ouroboros::corefile::END), (block::BEGIN, block::END)];
        Self(markers.map(|(begin, end)| match (find(begin), find(end)) {
            (Some(begin), Some(end)) => begin..end,
            _ => 0..0,
        }))
    }

    /// Whether a rule is a record, in whichever place those stand.
    fn has(&self, rule: &NameRule<'_, '_>) -> bool {
        let is_in_block = || self.0.iter().any(|block| block.contains(&rule.at.span.start));
        RECORD_KEYS.contains(&rule.at.file) || rule.at.file.is_empty() && is_in_block()
    }
}

fn is_hairpin(rule: &NameRule<'_, '_>) -> bool {
    rule.to.starts_with(HAIRPIN_TARGET)
}

/// `count` things, in words.
pub(super) fn number(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn hairpin_lines(corefile: &str, parsed: &Corefile<'_>, findings: &mut Findings<'_>) {
    let marked = corefile.lines().enumerate().filter(|(_, line)| line.trim_end().ends_with(HAIRPIN_COMMENT));
    let mut lines: Vec<usize> = marked.map(|(index, _)| index + 1).collect();
    for rule in parsed.servers.iter().flat_map(rules).filter(|rule| is_hairpin(rule) && rule.at.file.is_empty()) {
        lines.push(rule.at.line);
    }
    lines.sort_unstable();
    lines.dedup();
    if let Some(first) = lines.first() {
        findings.add_at(
            line(*first),
            Severity::Warning,
            "HairpinProxyLeftOver",
            format!(
                "Left over from hairpin-proxy: {}, the first at line {first}. Where they stand before other records they \
                 win, because the first rule for a name does.",
                number(lines.len(), "line")
            ),
            "Uninstall hairpin-proxy, then take these lines out.",
        );
    }
}

/// Rules that an earlier one of the same server block always comes before.
fn never_firing(rules: &[NameRule<'_, '_>], records: &Records, findings: &mut Findings<'_>) {
    let mut firm: BTreeMap<&From, &NameRule<'_, '_>> = BTreeMap::new();
    let mut patterns: Vec<&NameRule<'_, '_>> = Vec::new();
    let mut dead = Vec::new();
    for rule in rules {
        let by_pattern = || match &rule.from {
            From::Exact(name) => patterns.iter().find(|pattern| pattern.from.catches(name) == Some(true)).copied(),
            _ => None,
        };
        if let Some(earlier) = firm.get(&rule.from).copied().or_else(by_pattern) {
            // While one form takes the place of another, a name has the same record twice.
            let is_same = earlier.to == rule.to && records.has(earlier) && records.has(rule);
            dead.extend((!is_same).then_some((rule, earlier)));
        } else if !rule.goes_on {
            firm.insert(&rule.from, rule);
            if !matches!(rule.from, From::Exact(_) | From::Regex(_)) && patterns.len() < MOST_PATTERNS {
                patterns.push(rule);
            }
        }
    }
    if let Some((rule, earlier)) = dead.first() {
        findings.add_at(
            Position::of(rule.at),
            Severity::Warning,
            "RewriteNeverFires",
            format!(
                "{} can never act, the first at {}: the one at {} catches the same names before it.",
                number(dead.len(), "rewrite rule"),
                Position::of(rule.at),
                Position::of(earlier.at)
            ),
            "Take out the rule that is not meant.",
        );
    }
}

/// Rules of somebody else that catch a name with a record before the record does.
fn rules_before(rules: &[NameRule<'_, '_>], records: &Records, hosts: &[String], findings: &mut Findings<'_>) {
    let mut exact: BTreeMap<&str, usize> = BTreeMap::new();
    let mut patterns = Vec::new();
    let mut expression = None;
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.goes_on) {
        match &rule.from {
            From::Exact(name) => drop(exact.entry(name).or_insert(index)),
            From::Regex(_) if !records.has(rule) => expression = expression.or(Some((index, rule))),
            From::Regex(_) => {}
            _ if patterns.len() < MOST_PATTERNS => patterns.push((index, rule)),
            _ => {}
        }
    }
    let (mut caught, mut unsure) = (Vec::new(), 0);
    for host in hosts {
        let pattern = patterns.iter().find(|(_, rule)| rule.from.catches(host) == Some(true)).map(|(index, _)| *index);
        let first = [exact.get(host.as_str()).copied(), pattern].into_iter().flatten().min();
        unsure += usize::from(expression.is_some_and(|(index, _)| first.is_none_or(|first| index < first)));
        if let Some(rule) = first.map(|first| &rules[first])
            && !records.has(rule)
            && !is_hairpin(rule)
        {
            caught.push((host, rule));
        }
    }
    if let Some((host, rule)) = caught.first() {
        findings.add_at(
            Position::of(rule.at),
            Severity::Warning,
            "RuleBeforeRecords",
            format!(
                "A rewrite rule of somebody else comes first for {}, as for `{}` at {}.",
                number(caught.len(), "name"),
                host.trim_end_matches('.'),
                Position::of(rule.at)
            ),
            "Take the rule out, or leave the name out of the records.",
        );
    }
    if let Some((_, rule)) = expression.filter(|_| unsure > 0) {
        findings.add_at(
            Position::of(rule.at),
            Severity::Info,
            "ExpressionBeforeRecords",
            format!(
                "The expression of the rewrite rule at {} is tried before the records of {}; whether it matches was not \
                 looked at.",
                Position::of(rule.at),
                number(unsure, "name")
            ),
            "Compare the expression with the names.",
        );
    }
}

/// Entries of the plugin `hosts` for names that have records.
fn entries(directive: &Directive<'_>, hosts: &[String], delivery: Option<Delivery>, findings: &mut Findings<'_>) {
    let lines = directive.lines();
    let entries = lines.iter().filter(|line| line.words[0].text.parse::<IpAddr>().is_ok());
    let names = entries.flat_map(|line| &line.words[1..]);
    let found: Vec<_> = names.filter(|word| hosts.binary_search(&absolute(&word.text)).is_ok()).collect();
    if let Some(first) = found.first() {
        findings.add_at(
            Position::of(first),
            Severity::Warning,
            "HostsEntryForRecord",
            format!(
                "The plugin `hosts` has an address for {} with a record, the first at {}. {}",
                number(found.len(), "name"),
                Position::of(first),
                match delivery {
                    Some(Delivery::HostsFile) =>
                        "It answers with both, so a part of all connections goes past the proxy.",
                    _ => "A rewrite acts before it, so an address is answered only while its name has no record.",
                }
            ),
            "Take the entries out.",
        );
    }
}

/// Templates for zones that hold names with records.
fn templates(server: &Server<'_>, hosts: &[String], delivery: Option<Delivery>, findings: &mut Findings<'_>) {
    let mut zones = BTreeMap::new();
    for directive in server.directives.iter().filter(|directive| directive.name() == "template") {
        for zone in directive.arguments().iter().skip(2) {
            zones.entry(absolute(&zone.text)).or_insert(&directive.words[0]);
        }
    }
    let found: Vec<_> = hosts.iter().filter_map(|host| parents(host).find_map(|zone| zones.get(zone))).collect();
    if let Some(first) = found.first() {
        findings.add_at(
            Position::of(first),
            Severity::Warning,
            "TemplateForRecord",
            format!(
                "The plugin `template` is for zones that hold {} with a record, the first at {}. {}",
                number(found.len(), "name"),
                Position::of(first),
                match delivery {
                    Some(Delivery::HostsFile) => "It acts before `hosts`: where it answers, the record is not used.",
                    _ => "A rewrite acts before it, so it answers only while a name has no record.",
                }
            ),
            "Take the names out of the template, or out of the records.",
        );
    }
}

/// Server blocks that take queries away from the one for `.`.
fn shadows(parsed: &Corefile<'_>, root: usize, names: &[&str], findings: &mut Findings<'_>) {
    let mut zones = BTreeMap::new();
    for (_, server) in parsed.servers.iter().enumerate().filter(|(index, _)| *index != root) {
        for address in plain_zones(server) {
            zones.entry(address.zone).or_insert(&server.keys[0]);
        }
    }
    let mut shadowed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in names {
        if let Some((zone, _)) = parents(name).find_map(|zone| zones.get_key_value(zone)) {
            shadowed.entry(zone).or_default().insert(name);
        }
    }
    for (zone, names) in shadowed {
        findings.add_at(
            Position::of(zones[zone]),
            Severity::Warning,
            "ZoneShadowsRecords",
            format!(
                "The server block for `{}` at {} answers for {} with a rule or a record, as for `{}`: rules in the server \
                 block for `.` never see them.",
                zone.escape_debug(),
                Position::of(zones[zone]),
                number(names.len(), "name"),
                names.first().expect("a zone is there for a name").trim_end_matches('.').escape_debug()
            ),
            "Put the records into that server block, or take it out.",
        );
    }
}

/// A name and the zones that it lies in, the nearest first, without the root.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    let starts = name.match_indices('.').map(|(dot, _)| dot + 1);
    iter::once(0).chain(starts).map(|start| &name[start..]).filter(|zone| !zone.is_empty() && *zone != ".")
}
