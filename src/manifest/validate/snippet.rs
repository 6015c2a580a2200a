//! The lines that CoreDNS imports.
//!
//! One line that CoreDNS does not understand stops the whole server on its next start, so nothing passes but the one
//! form that the plan writes.

use serde_json::Value;

use crate::{
    manifest::{
        validate::{Document, ManifestProblem},
        yaml::pointer_step,
    },
    model::hostname::Hostname,
};

/// Checks every key of a ConfigMap that ends with `.override`, which is what CoreDNS imports.
pub(super) fn check(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    if !document.is("", "ConfigMap") {
        return;
    }
    let entries = document.value.get("data").and_then(Value::as_object);
    for (key, value) in entries.into_iter().flatten().filter(|(key, _)| key.ends_with(".override")) {
        let pointer = format!("/data{}", pointer_step(key));
        let hint = "each line must be `rewrite name <host> <target.>`, with a host name and one absolute target";
        let Some(text) = value.as_str() else {
            problems.push(document.problem("Snippet", pointer, "it is not text", hint));
            continue;
        };
        for message in wrong_lines(text) {
            problems.push(document.problem("Snippet", &pointer, message, hint));
        }
    }
}

fn wrong_lines(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut hosts = std::collections::BTreeSet::new();
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
