//! What this program wrote: whether it is still as it was written, and for the names that are wanted.

use std::collections::BTreeSet;

use crate::{
    dns::{
        block,
        corefile::{
            lint::{Findings, LintContext, records::number},
            problem::Position,
        },
        hosts_file, snippet,
    },
    model::{finding::Severity, hostname::Hostname},
};

pub(super) fn check(corefile: &str, context: &LintContext<'_>, findings: &mut Findings<'_>) {
    if let Some((place, error)) = block::damage(corefile) {
        findings.add_at(
            place,
            Severity::Error,
            "BlockDamaged",
            format!(
                "The comments around the records of bobbypin are damaged: {error}. It does not edit such a Corefile."
            ),
            "Take out what is left of the block, with both comments; the next run writes it again.",
        );
    }
    let block = block::numbered_lines(corefile);
    if let Some((line, _)) = block.iter().find(|(_, line)| !snippet::is_record(line)) {
        edited(position("", *line), "it does not edit such a Corefile.", findings);
    }
    if !block.is_empty() {
        let (line, hosts) = (block[0].0, block::hosts_of_corefile(corefile).unwrap_or_default());
        of_other_names(position("", line), &hosts, context, findings);
    }
    let Some(custom) = context.custom else { return };
    if let Some(text) = custom.get(snippet::KEY) {
        let foreign = text.lines().position(|line| !snippet::is_record(line));
        if let Some(index) = foreign {
            edited(position(snippet::KEY, index + 1), "Flux writes again what is in Git.", findings);
        }
        of_other_names(position(snippet::KEY, 1), &snippet::hosts(text), context, findings);
    }
    if let Some(text) = custom.get(hosts_file::KEY) {
        if let Err(error) = hosts_file::read(text) {
            edited(
                position(hosts_file::KEY, error.line()),
                "CoreDNS passes over a line that it cannot read without a word.",
                findings,
            );
        }
        let hosts = hosts_file::entries(text).into_keys().collect();
        of_other_names(position(hosts_file::KEY, 1), &hosts, context, findings);
    }
}

fn position(file: &str, line: usize) -> Position {
    Position { file: file.to_owned(), line, column: 1 }
}

fn edited(place: Position, then: &str, findings: &mut Findings<'_>) {
    let message = format!("The records of bobbypin were edited by hand, first at {place}: {then}");
    findings.add_at(place, Severity::Warning, "RecordsEdited", message, "Keep your own lines outside of them.");
}

/// Where nobody says which names are wanted, any are right.
fn of_other_names(place: Position, hosts: &BTreeSet<Hostname>, context: &LintContext<'_>, findings: &mut Findings<'_>) {
    if context.hosts.is_empty() {
        return;
    }
    let missing: Vec<_> = context.hosts.difference(hosts).collect();
    let more: Vec<_> = hosts.difference(context.hosts).collect();
    let told = [(&missing, "missing"), (&more, "not wanted any more")];
    let told = told.iter().filter_map(|(names, what)| {
        let first = names.first()?;
        Some(format!("{} {what}, as `{first}`", number(names.len(), "name")))
    });
    let told: Vec<_> = told.collect();
    if !told.is_empty() {
        findings.add_at(
            place.clone(),
            Severity::Info,
            "RecordsOutOfDate",
            format!("The records of bobbypin at {place} are not those that are wanted: {}.", told.join(", ")),
            "Run bobbypin reconcile, and let Flux apply what it commits.",
        );
    }
}
