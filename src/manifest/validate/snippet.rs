//! The lines that CoreDNS imports, and those that its plugin `hosts` reads.
//!
//! One line that CoreDNS does not understand stops the whole server on its next start, so nothing passes but the one
//! form that the plan writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde_json::Value;

use crate::{
    manifest::{
        validate::{Document, ManifestProblem},
        yaml::pointer_step,
    },
    model::hostname::Hostname,
};

/// Checks every key of a ConfigMap that ends with `.override`, which is what CoreDNS imports, and with `.hosts`, which its
/// plugin `hosts` reads.
pub(super) fn check(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    if !document.is("", "ConfigMap") {
        return;
    }
    let entries = document.value.get("data").and_then(Value::as_object);
    for (key, value) in entries.into_iter().flatten() {
        let (rule, hint, wrong_lines): (_, _, fn(&str) -> Vec<String>) = if key.ends_with(".override") {
            let hint = "each line must be `rewrite name <host> <target.>`, with a host name and one absolute target";
            ("Snippet", hint, wrong_lines)
        } else if key.ends_with(".hosts") {
            let hint = "each line must be `<address> <host>`, sorted by host, and each host must have every address";
            ("HostsFile", hint, wrong_entries)
        } else {
            continue;
        };
        let pointer = format!("/data{}", pointer_step(key));
        let Some(text) = value.as_str() else {
            problems.push(document.problem(rule, pointer, "it is not text", hint));
            continue;
        };
        for message in wrong_lines(text) {
            problems.push(document.problem(rule, &pointer, message, hint));
        }
    }
}

/// The plugin `hosts` passes over what it does not understand, so that a wrong line would be a record that is missing.
fn wrong_entries(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hosts: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
    let mut last: Option<(&str, IpAddr)> = None;
    if !text.is_empty() && !text.ends_with('\n') {
        wrong.push("the last line does not end with a line break".to_owned());
    }
    for (number, line) in (1..).zip(text.split_terminator('\n')) {
        let entry = line.split_once(' ').and_then(|(address, host)| {
            let parsed: IpAddr = address.parse().ok()?;
            (parsed.to_string() == address && is_canonical(host)).then_some((host, parsed))
        });
        let Some(entry) = entry else {
            wrong.push(format!("line {number} is not a lawful entry: `{}`", line.escape_debug()));
            continue;
        };
        if last.is_some_and(|last| last >= entry) {
            wrong.push(format!("line {number} does not come after the line before it"));
        }
        last = Some(entry);
        hosts.entry(entry.0).or_default().push(entry.1);
    }
    let all: BTreeSet<_> = hosts.values().flatten().collect();
    if let Some((host, _)) = hosts.iter().find(|(_, addresses)| addresses.len() != all.len()) {
        wrong.push(format!("`{}` does not have every address that other hosts have", host.escape_debug()));
    }
    wrong
}

fn wrong_lines(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hosts = BTreeSet::new();
    let mut target = None;
    if !text.is_empty() && !text.ends_with('\n') {
        wrong.push("the last line does not end with a line break".to_owned());
    }
    for (number, line) in (1..).zip(text.split_terminator('\n')) {
        let line_target = match line.split(' ').collect::<Vec<_>>()[..] {
            ["rewrite", "name", host, target]
                if is_canonical(host) && target.strip_suffix('.').is_some_and(is_canonical) =>
            {
                if !hosts.insert(host) {
                    wrong.push(format!("line {number} names `{host}` a second time"));
                }
                target
            }
            _ => {
                wrong.push(format!("line {number} is not a lawful record: `{}`", line.escape_debug()));
                continue;
            }
        };
        if *target.get_or_insert(line_target) != line_target {
            wrong.push(format!("line {number} has another target than the lines before it"));
        }
    }
    wrong
}

fn is_canonical(text: &str) -> bool {
    Hostname::parse(text).is_ok_and(|host| host.as_str() == text)
}
