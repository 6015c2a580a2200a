//! Reads a file twice, with parsers that share no code, and accepts only what both understand alike.

use granit_parser::{Event, Parser, ScalarStyle};
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    config::kubernetes,
    manifest::{
        validate::{ManifestProblem, plain},
        yaml::pointer_step,
    },
    model::tree::RepoPath,
};

/// The most documents in one file.
const MOST_DOCUMENTS: usize = 1000;

/// The most differences between the two readings that are reported for one document.
const MOST_DIFFERENCES: usize = 20;

/// Both parsers' one reading of every document, or `None` after problems with it.
pub(super) fn documents(path: &RepoPath, text: &str, problems: &mut Vec<ManifestProblem>) -> Option<Vec<Value>> {
    let before = problems.len();
    let mut report = |document, pointer: String, rule, message: String, hint: &str| {
        problems.push(ManifestProblem { path: path.clone(), document, pointer, rule, message, hint: hint.to_owned() });
    };
    if check_notation(text, &mut |document, rule, message, hint| report(document, String::new(), rule, message, hint)) {
        // An alias could make the parsers below expand it; one that is refused is not worth that.
        return None;
    }
    let hint = "compare the template with the values it was given; every value must be printed quoted or by `yaml`";
    let first = kubernetes::read_values(text)
        .map_err(|error| {
            let place = if error.line > 0 { format!("line {}: ", error.line) } else { String::new() };
            report(0, String::new(), "Syntax", format!("{place}{}", error.message), hint);
        })
        .ok();
    let second = read_independently(text).map_err(|error| report(0, String::new(), "Syntax", error, hint)).ok();
    let (first, second) = (first?, second?);
    if first.len() > MOST_DOCUMENTS {
        let message = format!("the file has {} documents; at most {MOST_DOCUMENTS} are allowed", first.len());
        report(0, String::new(), "DocumentCount", message, "spread the objects over several files");
    }
    if first.len() != second.len() {
        let message = format!(
            "one parser reads {} documents, the other {}: there is an empty one, or a `---` in the wrong place",
            first.len(),
            second.len()
        );
        report(
            0,
            String::new(),
            "Ambiguous",
            message,
            "separate documents by one line `---`, with none before the first",
        );
        return None;
    }
    for (number, (one, other)) in (1..).zip(std::iter::zip(&first, &second)) {
        let mut found = Vec::new();
        differences(one, other, &mut String::new(), &mut found);
        for pointer in found {
            let read =
                |value: &Value| value.pointer(&pointer).map_or("nothing".to_owned(), |value| format!("`{value}`"));
            let message = format!("kubectl reads {}, other parsers read {}", read(one), read(other));
            report(number, pointer, "Ambiguous", message, "quote the value");
        }
    }
    (problems.len() == before).then_some(first)
}

/// Looks at how the text is written, not at what it says. Returns whether it holds aliases, which cannot be read safely.
fn check_notation(text: &str, report: &mut impl FnMut(usize, &'static str, String, &str)) -> bool {
    const NO_ANCHORS: &str = "write the value out: a generated file has no anchors, aliases or tags";
    let mut document = 0;
    let mut aliases = false;
    let mut places = Vec::new();
    for event in Parser::new_from_str(text) {
        // What cannot be parsed is reported by the parsers that read values.
        let Ok((event, span)) = event else { break };
        let line = span.start.line();
        let is_key = match &event {
            Event::MappingEnd | Event::SequenceEnd => {
                places.pop();
                false
            }
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                step(&mut places)
            }
            _ => false,
        };
        let (anchor, tag) = match &event {
            Event::DocumentStart(_, version) => {
                document += 1;
                if version.is_some() {
                    report(document, "Directive", format!("line {line} has a directive"), "remove it");
                }
                (0, false)
            }
            Event::Alias(_) => {
                aliases = true;
                report(document, "Anchor", format!("line {line} has an alias"), NO_ANCHORS);
                (0, false)
            }
            Event::Scalar(value, style, anchor, tag) => {
                let ambiguous = if is_key { plain::is_ambiguous_key } else { plain::is_ambiguous };
                if *style == ScalarStyle::Plain && ambiguous(value) {
                    let value = value.escape_debug();
                    let message = format!("line {line} has `{value}`, which readers of YAML do not agree about");
                    report(document, "Ambiguous", message, "quote it");
                }
                (*anchor, tag.is_some())
            }
            Event::SequenceStart(_, anchor, tag) => {
                places.push(Place::List);
                (*anchor, tag.is_some())
            }
            Event::MappingStart(_, anchor, tag) => {
                places.push(Place::Key);
                (*anchor, tag.is_some())
            }
            _ => (0, false),
        };
        if anchor != 0 {
            report(document, "Anchor", format!("line {line} has an anchor"), NO_ANCHORS);
        }
        if tag {
            report(document, "Tag", format!("line {line} has a tag"), NO_ANCHORS);
        }
    }
    aliases
}

/// What the next node of an open list or map is.
enum Place {
    List,
    Key,
    Value,
}

/// Takes note of a node. Returns whether it is a key.
fn step(places: &mut [Place]) -> bool {
    match places.last_mut() {
        Some(place @ Place::Key) => {
            *place = Place::Value;
            true
        }
        Some(place @ Place::Value) => {
            *place = Place::Key;
            false
        }
        Some(Place::List) | None => false,
    }
}

/// Reads with the second parser. One document at a time: after an error its iterator would go on for ever.
fn read_independently(text: &str) -> Result<Vec<Value>, String> {
    let mut values = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        values.push(Value::deserialize(document).map_err(|error| error.to_string())?);
    }
    Ok(values)
}

fn differences(one: &Value, other: &Value, pointer: &mut String, found: &mut Vec<String>) {
    if one == other || found.len() >= MOST_DIFFERENCES {
        return;
    }
    let length = pointer.len();
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => {
            for ((key, one), other) in one.iter().zip(other.values()) {
                pointer.push_str(&pointer_step(key));
                differences(one, other, pointer, found);
                pointer.truncate(length);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                pointer.push_str(&format!("/{at}"));
                differences(one, other, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => found.push(pointer.clone()),
    }
}
