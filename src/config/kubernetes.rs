//! Reads what other programs wrote for Kubernetes: YAML as `kubectl` understands it, and JSON.
//!
//! The rules are those of `sigs.k8s.io/yaml`, which kubectl, Helm and Flux use: plain `yes` and `on` are booleans, `012`
//! is ten, `<<` merges. In two points this reader is stricter, because both mean that a value is lost: a key that occurs
//! twice and a number that is not finite are errors.
//!
//! Text that begins with `{` or `[` and is JSON is read by a JSON parser, which is many times as fast.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

use crate::config::{
    kubernetes::leaf::{At, Fault},
    problem::{Problem, Source},
};

pub(super) mod leaf;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// The line, from 1; 0 when the error is with the whole text.
    pub line: usize,
    /// The column in characters, from 1; 0 when the error is with the whole text.
    pub column: usize,
    /// What is wrong, without the position.
    pub message: String,
}

/// Reads every document of a text as a plain value. Empty documents are skipped.
pub fn read_values(text: &str) -> Result<Vec<Value>, ReadError> {
    read_documents(text)
}

/// Reads every document of a text into a type. Empty documents are skipped.
///
/// A key that occurs twice is an error even where the type ignores it.
pub fn read_documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, ReadError> {
    let text = without_mark(text);
    if text.trim_ascii_start().starts_with(['{', '[']) {
        match json_is_free_of_duplicates(text) {
            Ok(()) => {
                let documents = serde_json::Deserializer::from_str(text).into_iter();
                return documents.collect::<Result<_, _>>().map_err(|error| json_error(text, &error));
            }
            Err(error) if error.is_data() => return Err(json_error(text, &error)),
            // What is not JSON may still be YAML in braces; if it is not, the YAML parser says why.
            Err(_) => {}
        }
    }
    read_documents_with_places(text)
}

/// Reads like [`read_documents`], but always by the YAML parser, which knows the place of every value.
pub(super) fn read_documents_with_places<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, ReadError> {
    serde_saphyr::from_multiple_with_options(without_mark(text), options()).map_err(|error| yaml_error(&error))
}

/// The text of a file, or where it stops to be text.
pub(super) fn text_of(source: &Source) -> Result<&str, Vec<Problem>> {
    std::str::from_utf8(&source.bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&source.bytes[..error.valid_up_to()]);
        let at = At { line: narrow(good.split('\n').count()), column: narrow(last_line(&good).chars().count() + 1) };
        let message = "the file is not UTF-8 text".to_owned();
        Problems::of(&source.path, &good).all(vec![Fault { at, key: String::new(), message }])
    })
}

/// Makes problems of a file's faults.
pub(super) struct Problems<'a> {
    path: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Problems<'a> {
    pub(super) fn of(path: &'a str, text: &'a str) -> Self {
        Self { path, lines: text.split('\n').collect() }
    }

    /// One problem for every fault, in the order of the file.
    pub(super) fn all(&self, mut faults: Vec<Fault>) -> Vec<Problem> {
        faults.sort_by_key(|fault| fault.at);
        faults.into_iter().map(|fault| self.problem(fault)).collect()
    }

    fn problem(&self, fault: Fault) -> Problem {
        let line = usize::try_from(fault.at.line).unwrap_or_default();
        let shown = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        Problem {
            path: self.path.to_owned(),
            line,
            column: usize::try_from(fault.at.column).unwrap_or_default(),
            key: fault.key,
            message: fault.message,
            hint: None,
            excerpt: shown.trim_end_matches('\r').chars().take(EXCERPT).collect(),
        }
    }
}

/// More characters of a line are not shown.
const EXCERPT: usize = 200;

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        let at = At { line: narrow(error.line), column: narrow(error.column) };
        Self { at, key: String::new(), message: error.message }
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// The text without the byte order mark that some editors write.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The limits are for texts of 64 MiB with 100 000 objects, which memory bears; what grows out of proportion to the text,
/// by aliases or by depth, is stopped early.
fn options() -> Options {
    serde_saphyr::options! {
        strict_booleans: false,
        legacy_octal_numbers: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Merge,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::Reject,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 1_000_000,
            max_nodes: 30_000_000,
            max_events: 60_000_000,
            max_total_scalar_bytes: 256 * 1024 * 1024,
            max_depth: 96,
            flow_nesting_limit: 96,
            max_anchors: 10_000,
            max_aliases: 10_000,
            max_recorded_anchor_events: 1_000_000,
            // Ten places that share one anchor are as lawful as one; the expansion itself is limited below.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 16,
        },
    }
}

fn yaml_error(error: &serde_saphyr::Error) -> ReadError {
    let error = error.without_snippet();
    let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let message = UserMessageFormatter.format_message(error);
    // Messages of the parser may go over several lines; a problem is one line.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    ReadError { line: to_usize(line), column: to_usize(column), message }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn json_error(text: &str, error: &serde_json::Error) -> ReadError {
    let full = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = full.strip_suffix(&position).unwrap_or(&full).to_owned();
    // The JSON parser counts bytes, people count characters.
    let before = text.split('\n').nth(error.line().saturating_sub(1)).and_then(|line| line.get(..error.column()));
    let column = before.map_or(error.column(), |before| before.chars().count());
    ReadError { line: error.line(), column, message }
}

/// Goes through JSON documents once without building anything. An error of the category "data" is a key that occurs
/// twice; every other error means that the text is not JSON.
fn json_is_free_of_duplicates(text: &str) -> Result<(), serde_json::Error> {
    serde_json::Deserializer::from_str(text).into_iter::<Checked>().try_for_each(|document| document.map(|_| ()))
}

struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckedVisitor).map(|()| Self)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            if seen.contains(&key) {
                return Err(de::Error::custom(format!("duplicate mapping key: {key} not allowed here")));
            }
            seen.insert(key);
            entries.next_value::<Checked>()?;
        }
        Ok(())
    }
}

/// A key, borrowed from the text where it holds no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = std::borrow::Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = std::borrow::Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(key.into())
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(key.to_owned().into())
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_mean_what_kubectl_makes_of_them() {
        let text = "a: yes\nb: 012\nc: \"no\"\nd: 1e3\ne: 12:30:45\nf: 2026-11-20\ng: ~\nh: 18446744073709551616\n\
                    x: &x {k: 1}\ny: {<<: *x, l: 2}\n";
        let value = json!({
            "a": true, "b": 10, "c": "no", "d": 1000.0, "e": "12:30:45", "f": "2026-11-20", "g": null,
            "h": 18446744073709551616_f64, "x": {"k": 1}, "y": {"k": 1, "l": 2},
        });
        assert_eq!(read_values(text), Ok(vec![value]));
    }

    #[test]
    fn documents_are_read_in_order_and_empty_ones_skipped() {
        for text in [
            "---\na: 1\n---\n# nothing\n---\nb: 2\n...\n",
            "\u{feff}a: 1\r\n---\r\nb: 2\r\n",
            "{\"a\": 1}\n{\"b\": 2}\n",
            "{\"a\": 1}\n---\n{\"b\": 2}\n",
            "{a: 1}\n---\nb: 2",
        ] {
            assert_eq!(read_values(text), Ok(vec![json!({"a": 1}), json!({"b": 2})]), "{text:?}");
        }
        assert_eq!(read_values("# nothing\n"), Ok(vec![]));
        assert_eq!(read_values(""), Ok(vec![]));
    }

    #[test]
    fn an_error_says_where_it_is_and_not_twice() {
        for (text, line, column, part) in [
            ("a: 1\na: 2\n", 2, 1, "duplicate mapping key: a"),
            ("{\"a\": 1,\n \"ä\": {\"b\": 1, \"b\": 2}}", 2, 18, "duplicate mapping key: b"),
            ("- a\n- .inf\n", 2, 3, "not a finite number"),
            ("{\"a\": [1,", 1, 7, "unclosed bracket"),
            ("a: [1\nb: 2", 2, 2, ""),
            ("a: *x", 1, 4, ""),
        ] {
            let error = read_values(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text:?}: {error:?}");
            assert!(error.message.contains(part) && !error.message.contains("line "), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn aliases_and_depth_are_limited_and_size_is_not() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(read_values(&bomb).is_err());
        for deep in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(100_000)] {
            assert!(read_values(&deep).is_err());
        }
        let lawful = format!("{}{}", "[".repeat(90), "]".repeat(90));
        assert_eq!(read_values(&lawful).map(|documents| documents.len()), Ok(1));
        let many = "---\na: b\n".repeat(100_000);
        assert_eq!(read_values(&many).map(|documents| documents.len()), Ok(100_000));
        let long = format!("a: {}\n", "x".repeat(10 << 20));
        assert_eq!(read_values(&long).map(|documents| documents.len()), Ok(1));
    }
}
