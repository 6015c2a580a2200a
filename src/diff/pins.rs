//! Which digests move.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{Change, ChangeSet, FieldChange, FileView, Side};

/// A digest that another takes the place of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PinMove {
    /// The object, or the file where it is no object, and the place in it.
    pub at: String,
    /// What is there: `sha256:…`, with what stands before it where both are one text, or with the tag beside it.
    pub from: String,
    /// What is wanted.
    pub to: String,
}

impl PinMove {
    /// The digests alone: a digest that moves in fifty places is one pin.
    pub(crate) fn digests(&self) -> (&str, &str) {
        (digest_of(&self.from).unwrap_or_default(), digest_of(&self.to).unwrap_or_default())
    }
}

/// Every digest that moves, by cluster. Objects first, in their order, then files that are no objects.
pub(crate) fn pin_moves(change_set: &ChangeSet, cluster: &str) -> Vec<PinMove> {
    let mut moves = Vec::new();
    for layer in change_set.layers.iter().filter(|layer| layer.cluster.as_str() == cluster) {
        for object in &layer.objects {
            moves.extend(moves_of(&object.object.to_string(), &object.fields));
        }
    }
    for file in change_set.files.iter().filter(|file| file.cluster.as_str() == cluster) {
        if let FileView::Fields(fields) = &file.view {
            moves.extend(moves_of(file.path.as_str(), fields));
        }
    }
    moves
}

fn moves_of(subject: &str, fields: &[FieldChange]) -> Vec<PinMove> {
    let values: BTreeMap<&str, (&str, &str)> =
        fields.iter().filter_map(|field| Some((&*field.path, texts(field)?))).collect();
    let mut moves = Vec::new();
    let mut push = |path: &str, old: &str, new: &str| {
        if let (Some(from), Some(to)) = (digest_of(old), digest_of(new))
            && from != to
        {
            moves.push(PinMove { at: format!("{subject} {path}"), from: old.to_owned(), to: new.to_owned() });
        }
    };
    for field in fields {
        if let Some((old, new)) = texts(field) {
            let tag = field.path.strip_suffix("digest").and_then(|before| values.get(&*format!("{before}tag")));
            match tag {
                Some((old_tag, new_tag)) => {
                    push(&field.path, &format!("{old_tag}@{old}"), &format!("{new_tag}@{new}"));
                }
                None => push(&field.path, old, new),
            }
        } else if let Change::Lines(hunks) = &field.change {
            for hunk in hunks {
                let with_digest =
                    |side| hunk.lines.iter().filter(move |line| line.side == side && digest_of(&line.text).is_some());
                for (old, new) in with_digest(Side::Old).zip(with_digest(Side::New)) {
                    push(&field.path, old.text.trim(), new.text.trim());
                }
            }
        }
    }
    moves
}

/// Both sides of a value that changes, if both are texts.
fn texts(field: &FieldChange) -> Option<(&str, &str)> {
    match &field.change {
        Change::Changed { old: Value::String(old), new: Value::String(new) } => Some((old, new)),
        Change::Changed { .. }
        | Change::Added(_)
        | Change::Removed(_)
        | Change::Lines(_)
        | Change::Entries { .. }
        | Change::Reordered { .. } => None,
    }
}

/// The first digest in a text: `sha256:` and 64 hex digits.
fn digest_of(text: &str) -> Option<&str> {
    text.match_indices("sha256:").find_map(|(at, word)| {
        let digest = text.get(at..at + word.len() + 64)?;
        digest[word.len()..].bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digest)
    })
}
