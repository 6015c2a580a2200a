//! What people are shown of a change set, line by line, before it gets its form.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    diff::{
        Change, ChangeSet, FieldChange, FileChange, FileView, Hunk, ObjectChange, Side, Target, Verb,
        print::escape,
        summary::{Counts, counted, counts},
    },
    model::layer::Layer,
};

/// The changes of one layer. Layers in which nothing changes have none.
pub(crate) struct Group<'a> {
    pub(crate) cluster: &'a str,
    /// `host`, `tenant acme/shop` or `whole cluster`.
    pub(crate) layer: String,
    pub(crate) counts: Counts,
    pub(crate) blocks: Vec<Vec<Line>>,
}

/// One line, escaped.
pub(crate) struct Line {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The head of an object or a file.
    Head(Verb),
    /// A remark on it.
    Note,
    /// A path inside it.
    Path,
    /// What happens there.
    Label,
    /// A line that is there.
    Old,
    /// A line that is wanted.
    New,
    /// A line of both.
    Both,
}

/// Everything that changes, by cluster and layer: objects first, then the files that no object tells of.
pub(crate) fn groups(change_set: &ChangeSet) -> Vec<Group<'_>> {
    let mut order: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: BTreeMap<(usize, Option<&Layer>), Group<'_>> = BTreeMap::new();
    let clusters = change_set.layers.iter().map(|layer| &layer.cluster);
    for cluster in clusters.chain(change_set.files.iter().map(|file| &file.cluster)) {
        let next = order.len();
        order.entry(cluster.as_str()).or_insert(next);
    }
    for layer in &change_set.layers {
        let key = (order[layer.cluster.as_str()], layer.layer.as_ref());
        let group = groups.entry(key).or_insert_with(|| Group::new(layer.cluster.as_str(), key.1));
        group.counts = counts([layer]);
        group.blocks.extend(layer.objects.iter().filter_map(object_block));
    }
    for file in &change_set.files {
        let key = (order[file.cluster.as_str()], file.layer.as_ref());
        let group = groups.entry(key).or_insert_with(|| Group::new(file.cluster.as_str(), key.1));
        group.blocks.extend(file_block(file));
    }
    groups.into_values().filter(|group| !group.blocks.is_empty()).collect()
}

impl<'a> Group<'a> {
    fn new(cluster: &'a str, layer: Option<&Layer>) -> Self {
        let layer = layer.map_or_else(|| "whole cluster".to_owned(), ToString::to_string);
        Self { cluster, layer, counts: Counts::default(), blocks: Vec::new() }
    }
}

impl Line {
    fn new(kind: Kind, text: &str) -> Self {
        Self { kind, text: escape::line(text) }
    }
}

fn object_block(object: &ObjectChange) -> Option<Vec<Line>> {
    if object.verb == Verb::Unchanged && object.moved_from.is_none() {
        return None;
    }
    let place = match object.target {
        Target::Host => "",
        Target::Tenant => " (in the tenant cluster)",
    };
    let head = format!("► {} {}{place}", object.object, object.verb.as_str());
    let mut lines = vec![Line::new(Kind::Head(object.verb), &head)];
    if let Some(from) = &object.moved_from {
        lines.push(Line::new(Kind::Note, &format!("file moved from {from} to {}", object.path)));
    }
    if let Some(why) = object.orphaned {
        lines.push(Line::new(Kind::Note, &format!("orphaned: {why}")));
    }
    let hosts = match object.verb {
        Verb::Created => Some((&object.hosts.added, "added")),
        Verb::Deleted => Some((&object.hosts.removed, "removed")),
        // Their lines are shown.
        Verb::Configured | Verb::Unchanged => None,
    };
    if let Some((hosts, what)) = hosts.filter(|(hosts, _)| !hosts.is_empty()) {
        lines.push(Line::new(Kind::Note, &format!("{} {what}", counted(hosts.len(), "host"))));
    }
    object.fields.iter().for_each(|field| field_lines(field, &mut lines));
    Some(lines)
}

fn file_block(file: &FileChange) -> Option<Vec<Line>> {
    let (verb, word) = match (&file.old, &file.new) {
        (None, _) => (Verb::Created, "created"),
        (Some(_), Some(_)) => (Verb::Configured, "changed"),
        (Some(_), None) => (Verb::Deleted, "deleted"),
    };
    let mut lines = vec![Line::new(Kind::Head(verb), &format!("► file {} {word}", file.path))];
    match &file.view {
        FileView::Objects => return None,
        FileView::Fields(fields) => fields.iter().for_each(|field| field_lines(field, &mut lines)),
        FileView::Text(hunks) => {
            lines.push(Line::new(Kind::Note, "the committed file does not parse: its lines are compared"));
            hunk_lines(hunks, &mut lines);
        }
        FileView::Withheld => {
            lines.push(Line::new(Kind::Note, "the committed file does not parse and may hold a Secret: not shown"));
        }
        FileView::Layout if verb == Verb::Configured => {
            lines.push(Line::new(Kind::Note, "only comments, order or layout differ"));
        }
        FileView::Layout => lines.push(Line::new(Kind::Note, "no object comes or goes with it")),
    }
    Some(lines)
}

fn field_lines(field: &FieldChange, lines: &mut Vec<Line>) {
    let path = if field.path.is_empty() { "(whole document)" } else { &field.path };
    lines.push(Line::new(Kind::Path, path));
    match &field.change {
        Change::Added(value) => {
            lines.push(Line::new(Kind::Label, "+ added"));
            value_lines(value, Kind::New, lines);
        }
        Change::Removed(value) => {
            lines.push(Line::new(Kind::Label, "- removed"));
            value_lines(value, Kind::Old, lines);
        }
        Change::Changed { old, new } => {
            let label = match (type_of(old), type_of(new)) {
                (from, to) if from == to => "± value change".to_owned(),
                (from, to) => format!("± type change from {from} to {to}"),
            };
            lines.push(Line::new(Kind::Label, &label));
            value_lines(old, Kind::Old, lines);
            value_lines(new, Kind::New, lines);
        }
        Change::Lines(hunks) => {
            let count = |side| hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.side == side).count();
            let label = format!("± lines change (+{} −{})", count(Side::New), count(Side::Old));
            lines.push(Line::new(Kind::Label, &label));
            hunk_lines(hunks, lines);
        }
        Change::Entries { removed, added } => {
            let label = format!("± list entries change (+{} −{})", added.len(), removed.len());
            lines.push(Line::new(Kind::Label, &label));
            removed.iter().for_each(|value| value_lines(value, Kind::Old, lines));
            added.iter().for_each(|value| value_lines(value, Kind::New, lines));
        }
        Change::Reordered { old, new } => {
            lines.push(Line::new(Kind::Label, "⇆ order change"));
            value_lines(old, Kind::Old, lines);
            value_lines(new, Kind::New, lines);
        }
    }
}

fn hunk_lines(hunks: &[Hunk], lines: &mut Vec<Line>) {
    for (index, hunk) in hunks.iter().enumerate() {
        if index > 0 {
            lines.push(Line::new(Kind::Both, "…"));
        }
        for line in &hunk.lines {
            let kind = match line.side {
                Side::Both => Kind::Both,
                Side::Old => Kind::Old,
                Side::New => Kind::New,
            };
            let end = if line.no_newline && line.side != Side::Both { " (no line feed at the end)" } else { "" };
            lines.push(Line::new(kind, &format!("{}{end}", line.text)));
        }
    }
}

fn value_lines(value: &Value, kind: Kind, lines: &mut Vec<Line>) {
    match value {
        Value::String(text) if text.contains('\n') => {
            lines.extend(text.split_terminator('\n').map(|text| Line::new(kind, text)));
        }
        Value::String(text) => lines.push(Line::new(kind, &scalar(text))),
        Value::Null | Value::Bool(_) | Value::Number(_) => lines.push(Line::new(kind, &value.to_string())),
        Value::Array(_) | Value::Object(_) => nested(value, 0, "", kind, lines),
    }
}

/// Writes a map or list one entry a line, as YAML would stand.
fn nested(value: &Value, depth: usize, first: &str, kind: Kind, lines: &mut Vec<Line>) {
    let indent = "  ".repeat(depth);
    let mut first = Some(first);
    let mut push = |text: &str, lines: &mut Vec<Line>| {
        let start = first.take().filter(|first| !first.is_empty()).map_or_else(|| indent.clone(), str::to_owned);
        lines.push(Line::new(kind, &format!("{start}{text}")));
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let key = scalar(key);
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        push(&format!("{key}:"), lines);
                        nested(value, depth + 1, "", kind, lines);
                    }
                    Value::Array(inner) if !inner.is_empty() => {
                        push(&format!("{key}:"), lines);
                        nested(value, depth, "", kind, lines);
                    }
                    Value::String(text) if text.contains('\n') => {
                        push(&format!("{key}: |"), lines);
                        let text = text.split_terminator('\n');
                        lines.extend(text.map(|text| Line::new(kind, &format!("{indent}  {text}"))));
                    }
                    value => push(&format!("{key}: {}", inline(value)), lines),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        nested(value, depth + 1, &format!("{indent}- "), kind, lines);
                    }
                    value => push(&format!("- {}", inline(value)), lines),
                }
            }
        }
        value => push(&inline(value), lines),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        value => value.to_string(),
    }
}

/// A text as it is, or in quotes where it would look like something else.
fn scalar(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.trim() == text
        && !text.contains('\n')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "yes" | "no" | "on" | "off" | "y" | "n" | "true" | "false" | "~" | "null"
        )
        && serde_json::from_str::<Value>(text).is_err();
    if is_plain { text.to_owned() } else { Value::from(text).to_string() }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_every_shape_are_readable_and_not_ambiguous() {
        let value = json!({
            "text": "plain: or so", "looksLike": ["true", "12", "", " a", "yes", "null"], "real": [true, 12, null],
            "lines": "a\nb\n", "empty": {}, "none": [], "odd key ": 1,
            "list": [{"name": "a", "more": {"x": [[1], {"y": "z"}]}}, "b"],
        });
        let mut lines = Vec::new();
        value_lines(&value, Kind::New, &mut lines);
        let text: Vec<_> = lines.into_iter().map(|line| line.text).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        text: plain: or so
        looksLike:
        - "true"
        - "12"
        - ""
        - " a"
        - "yes"
        - "null"
        real:
        - true
        - 12
        - null
        lines: |
          a
          b
        empty: {}
        none: []
        "odd key ": 1
        list:
        - name: a
          more:
            x:
            - [1]
            - "y": z
        - b
        "#);
    }
}
