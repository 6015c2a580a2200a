//! A change set in numbers and in one line.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{
    diff::{ChangeSet, FileChange, LayerChanges, Verb, pins, print},
    model::digest::Digest,
};

/// The most characters that a commit's subject has.
const SUBJECT_CHARACTERS: usize = 72;

/// The most lines that a commit's body has.
const BODY_LINES: usize = 400;

/// The most characters that a line of a commit's body has.
const BODY_CHARACTERS: usize = 400;

/// A change set in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Clusters in which anything changes, in order.
    pub clusters: Vec<String>,
    /// Objects by what happens to them.
    pub objects: Counts,
    /// Files by what happens to them.
    pub files: FileCounts,
    /// Hosts by what happens to their records. A host counts once for each cluster.
    pub hosts: Hosts,
    /// Digests that another takes the place of. One that moves in many places counts once for each cluster.
    pub pins_moved: usize,
}

/// Objects by what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// New ones.
    pub created: usize,
    /// Ones that change.
    pub configured: usize,
    /// Ones that stay as they are.
    pub unchanged: usize,
    /// Ones that are no longer declared.
    pub deleted: usize,
    /// Those of `deleted` that stay in the cluster all the same.
    pub orphaned: usize,
}

/// Files by what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileCounts {
    /// New ones.
    pub created: usize,
    /// Ones that change.
    pub changed: usize,
    /// Ones that go.
    pub deleted: usize,
}

impl FileCounts {
    /// All of them.
    pub fn total(&self) -> usize {
        self.created + self.changed + self.deleted
    }
}

/// Hosts by what happens to their records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hosts {
    /// Hosts that get one.
    pub added: usize,
    /// Hosts that lose theirs.
    pub removed: usize,
    /// Hosts whose record answers something else.
    pub changed: usize,
}

/// Counts.
pub fn summary(change_set: &ChangeSet) -> Summary {
    let mut summary = Summary::default();
    for file in &change_set.files {
        match (&file.old, &file.new) {
            (None, _) => summary.files.created += 1,
            (Some(_), Some(_)) => summary.files.changed += 1,
            (Some(_), None) => summary.files.deleted += 1,
        }
    }
    let mut changing: Vec<&str> = change_set.files.iter().map(|file| file.cluster.as_str()).collect();
    changing.sort_unstable();
    changing.dedup();
    for layer in &change_set.layers {
        let counts = counts([layer]);
        summary.objects.created += counts.created;
        summary.objects.configured += counts.configured;
        summary.objects.unchanged += counts.unchanged;
        summary.objects.deleted += counts.deleted;
        summary.objects.orphaned += counts.orphaned;
    }
    for cluster in &changing {
        let [mut added, mut removed, mut changed] = [const { BTreeSet::new() }; 3];
        let objects = change_set.layers.iter().filter(|layer| layer.cluster.as_str() == *cluster);
        for object in objects.flat_map(|layer| &layer.objects) {
            added.extend(&object.hosts.added);
            removed.extend(&object.hosts.removed);
            changed.extend(&object.hosts.changed);
        }
        summary.hosts.added += added.len();
        summary.hosts.removed += removed.len();
        summary.hosts.changed += changed.len();
        let moves = pins::pin_moves(change_set, cluster);
        summary.pins_moved += moves.iter().map(pins::PinMove::digests).collect::<BTreeSet<_>>().len();
    }
    summary.clusters = changing.into_iter().map(str::to_owned).collect();
    summary
}

/// Counts the objects of some layers.
pub(crate) fn counts<'a>(layers: impl IntoIterator<Item = &'a LayerChanges>) -> Counts {
    let mut counts = Counts::default();
    for object in layers.into_iter().flat_map(|layer| &layer.objects) {
        match object.verb {
            Verb::Created => counts.created += 1,
            Verb::Configured => counts.configured += 1,
            Verb::Unchanged => counts.unchanged += 1,
            Verb::Deleted => counts.deleted += 1,
        }
        counts.orphaned += usize::from(object.orphaned.is_some());
    }
    counts
}

/// The subject of the commit, as `edge: 2 hosts added, 1 pin moved`; at most 72 characters.
///
/// Records and pins are named first, then objects. What no longer fits is left out from the end, and `…` says so.
pub fn commit_subject(change_set: &ChangeSet) -> String {
    subject(&summary(change_set))
}

fn subject(summary: &Summary) -> String {
    let scope = match &*summary.clusters {
        [] => return "no changes".to_owned(),
        [only] => shortened(only, SUBJECT_CHARACTERS / 2),
        many => format!("{} clusters", many.len()),
    };
    let mut subject = format!("{scope}: ");
    let parts = parts(summary);
    for (index, part) in parts.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Room for ", …" unless this is the last part.
        let reserve = if index + 1 == parts.len() { 0 } else { 3 };
        if subject.chars().count() + comma.len() + part.len() + reserve > SUBJECT_CHARACTERS {
            subject.push_str(", …");
            break;
        }
        subject.push_str(comma);
        subject.push_str(part);
    }
    subject
}

/// What changes, in words, the most telling first. Never empty unless the change set is.
fn parts(summary: &Summary) -> Vec<String> {
    let Summary { objects, files, hosts, .. } = summary;
    let mut parts = Vec::new();
    let mut part = |count: usize, noun: &str, verb: &str| {
        if count > 0 {
            parts.push(format!("{} {verb}", counted(count, noun)));
        }
    };
    part(hosts.added, "host", "added");
    part(hosts.removed, "host", "removed");
    part(hosts.changed, "host", "changed");
    part(summary.pins_moved, "pin", "moved");
    part(objects.deleted, "object", "deleted");
    part(objects.created, "object", "created");
    let is_explained = hosts.added + hosts.removed + hosts.changed + summary.pins_moved > 0;
    if !is_explained {
        part(objects.configured, "object", "configured");
    }
    if parts.is_empty() {
        parts.push(format!("{} changed", counted(files.total(), "file")));
    }
    parts
}

/// The body of the commit: what [`print::human`] prints, without colour, without anything that Git, Gitea or a CI system
/// would take for an instruction: trailers, `[skip ci]`, references to issues.
///
/// It has no trailing line feed. A very long one is cut after a line, with the number of lines left out; a very long
/// line ends in `…`.
pub fn commit_body(change_set: &ChangeSet) -> String {
    let text = print::human(change_set, print::Style::Plain);
    let lines: Vec<&str> = text.lines().collect();
    let line = |line: &&str| shortened(&print::escape::commit_line(line), BODY_CHARACTERS);
    let mut body: Vec<String> = lines.iter().take(BODY_LINES).map(line).collect();
    if lines.len() > BODY_LINES {
        body.push(format!("… and {} more", counted(lines.len() - BODY_LINES, "line")));
    }
    body.join("\n").trim_end().to_owned()
}

/// What identifies a change set whatever commit it stands on: the digest of the paths and wanted bytes.
pub fn fingerprint(change_set: &ChangeSet) -> Digest {
    let mut bytes = Vec::new();
    for FileChange { path, new, .. } in &change_set.files {
        bytes.extend(path.as_str().as_bytes());
        let length = new.as_ref().map_or("gone".to_owned(), |new| new.len().to_string());
        bytes.extend(format!("\0{length}\0").as_bytes());
        bytes.extend(new.iter().flat_map(|new| new.iter()));
    }
    Digest::of(&bytes)
}

/// `1 host`, `2 hosts`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_has_at_most_72_characters_whatever_it_has_to_say() {
        let hosts = Hosts { added: 10, removed: 100, changed: 1 };
        let objects = Counts { created: 1, deleted: 2, ..Counts::default() };
        for length in 1..80 {
            for pins_moved in [0, 1, 1000] {
                let clusters = vec!["a".repeat(length)];
                let summary = Summary { clusters, objects, hosts, pins_moved, ..Summary::default() };
                let subject = subject(&summary);
                assert!(subject.chars().count() <= SUBJECT_CHARACTERS, "{subject}");
                assert!(subject.contains(": 10 hosts added, "), "{subject}");
            }
        }
    }
}
