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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diff::fields::field_changes;

    #[test]
    fn a_digest_that_moves_is_found_wherever_charts_keep_it() {
        let digest = |digit: char| format!("sha256:{}", digit.to_string().repeat(64));
        let (a, b) = (digest('a'), digest('b'));
        let found = |old: Value, new: Value| {
            let moves = moves_of("X", &field_changes(&old, &new));
            moves.into_iter().map(|pin| [pin.at, pin.from, pin.to]).collect::<Vec<_>>()
        };
        let moved = |at: &str, from: String, to: String| vec![[at.to_owned(), from, to]];

        assert_eq!(found(json!({"digest": a}), json!({"digest": b})), moved("X digest", a.clone(), b.clone()));
        assert_eq!(
            found(json!({"ref": {"tag": "1", "digest": a}}), json!({"ref": {"tag": "2", "digest": b}})),
            moved("X ref.digest", format!("1@{a}"), format!("2@{b}"))
        );
        assert_eq!(
            found(json!({"image": format!("r/x:1@{a}")}), json!({"image": format!("r/x:1@{b}")})),
            moved("X image", format!("r/x:1@{a}"), format!("r/x:1@{b}"))
        );
        assert_eq!(
            found(json!({"patch": format!("a: 1\ntag: 1@{a}\n")}), json!({"patch": format!("a: 2\ntag: 1@{b}\n")})),
            moved("X patch", format!("tag: 1@{a}"), format!("tag: 1@{b}"))
        );
        // A pin that comes or goes does not move, nor does a tag whose digest stays.
        assert_eq!(found(json!({"digest": a}), json!({})), Vec::<[String; 3]>::new());
        assert_eq!(found(json!({"i": format!("1@{a}")}), json!({"i": format!("2@{a}")})), Vec::<[String; 3]>::new());
        assert_eq!(found(json!({"digest": "sha256:1"}), json!({"digest": "sha256:2"})), Vec::<[String; 3]>::new());
    }
}
