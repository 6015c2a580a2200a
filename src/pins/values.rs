//! Writes pins into files of values and releases that people wrote. Everything else in them stays, to the byte.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    config::problem::Problem,
    manifest::yaml::is_reserved,
    model::{
        oci::{Reference, Repository},
        pins::{Pin, Pins},
    },
    pins::{
        marked::{self, Kind, Node, Style},
        references::is_image_key,
    },
};

/// A file with its pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// What is different in it, in order. Empty: nothing.
    pub changes: Vec<ValueChange>,
}

/// One value that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueChange {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What stood there, without quotes.
    pub old: String,
    /// What stands there now, without quotes.
    pub new: String,
}

/// Why a file was not changed at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It cannot be read, or a pin has its place in something that cannot be changed safely.
    #[error("the file has problems")]
    Problems(Vec<Problem>),
    /// The changed text would not mean what it should. A fault of this program, and not of the file.
    #[error("the pins cannot be written into `{path}` without changing something else")]
    NotTheSame {
        /// The file.
        path: String,
    },
}

/// Puts tag and digest of every pin where its repository stands.
///
/// What is found: `image: repository:tag`, with or without a digest; mappings with `repository` and `tag`, whose tag becomes
/// `tag@digest`; and such with a `digest` beside it, which gets the digest. `registry` may stand by itself. A place without
/// any tag is left alone, and so is everything that has another repository.
///
/// # Errors
///
/// [`EditError::Problems`] when the file is not YAML, or a value to be replaced stands in an anchor, an alias or a text of
/// several lines, is empty, or has two pins.
pub fn with_pins(path: &str, text: &str, pins: &Pins) -> Result<Edited, EditError> {
    let read = |text: &str| marked::documents(path, text).map_err(|problem| EditError::Problems(vec![problem]));
    let mark = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let content = &text[mark.len()..];
    let before = read(content)?;
    let mut search = Search { path, content, pins: by_repository(pins), wanted: BTreeMap::new(), problems: Vec::new() };
    before.iter().for_each(|document| search.value("", document, false));
    if !search.problems.is_empty() {
        return Err(EditError::Problems(search.problems));
    }
    let wanted = search.wanted;
    let mut edited = content.to_owned();
    for (_, (span, replacement)) in wanted.iter().rev() {
        edited.replace_range(span.clone(), &replacement.written);
    }
    let is_same = marked::documents(path, &edited).is_ok_and(|after| {
        before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| is_same_but(old, new, &wanted))
    });
    if !is_same {
        return Err(EditError::NotTheSame { path: path.to_owned() });
    }
    let changes = wanted.into_values().map(|(_, replacement)| replacement.change).collect();
    Ok(Edited { text: format!("{mark}{edited}"), changes })
}

/// The pins by their repository, in the one form that all spellings of it have.
fn by_repository(pins: &Pins) -> BTreeMap<Repository, Vec<&Pin>> {
    let mut found: BTreeMap<Repository, Vec<&Pin>> = BTreeMap::new();
    for pin in pins.0.values() {
        if let Ok(reference) = Reference::parse(&pin.repository) {
            let pins = found.entry(reference.repository).or_default();
            if !pins.iter().any(|other| (&other.tag, &other.digest) == (&pin.tag, &pin.digest)) {
                pins.push(pin);
            }
        }
    }
    found
}

/// A text in the place of another one.
struct Replacement {
    written: String,
    change: ValueChange,
}

/// By where they begin.
type Replacements = BTreeMap<usize, (Range<usize>, Replacement)>;

struct Search<'a> {
    path: &'a str,
    content: &'a str,
    pins: BTreeMap<Repository, Vec<&'a Pin>>,
    wanted: Replacements,
    problems: Vec<Problem>,
}

impl<'a> Search<'a> {
    /// Looks at a value. `key` is the nearest one above it; `in_flow`: whether it stands between braces or brackets.
    fn value(&mut self, key: &str, node: &Node, in_flow: bool) {
        let in_flow = in_flow || self.content[node.span.start..].starts_with(['{', '[']);
        match &node.kind {
            Kind::Scalar { .. } if is_image_key(key) => self.image(node, in_flow),
            Kind::Scalar { .. } => (),
            Kind::List(items) => items.iter().for_each(|item| self.value(key, item, in_flow)),
            Kind::Map(entries) => {
                self.parts(node, in_flow);
                entries.iter().for_each(|entry| self.value(&entry.key, &entry.value, in_flow));
            }
        }
    }

    /// `repository:tag@digest`
    fn image(&mut self, node: &Node, in_flow: bool) {
        let Some(text) = node.text() else { return };
        let Ok(reference) = Reference::parse(text) else { return };
        if reference.tag.is_none() && reference.digest.is_none() {
            return;
        }
        if let Some(pin) = self.pin(&reference.repository, node) {
            // The repository stays as it is spelled.
            let name = text.split('@').next().unwrap_or(text);
            let tag = reference.tag.map_or(0, |tag| tag.len() + 1);
            let name = &name[..name.len() - tag];
            self.replace(node, &format!("{name}:{}@{}", pin.tag, pin.digest), in_flow);
        }
    }

    /// `{registry, repository, tag, digest}`, and `{image, tag, digest}` with an image that has neither.
    fn parts(&mut self, node: &Node, in_flow: bool) {
        let Some(tag) = node.get("tag") else { return };
        let bare =
            |text: &&str| Reference::parse(text).is_ok_and(|found| found.tag.is_none() && found.digest.is_none());
        let Some(name) = node.text_at(&["repository"]).or_else(|| node.text_at(&["image"]).filter(bare)) else {
            return;
        };
        let name = match node.text_at(&["registry"]).filter(|registry| !registry.is_empty()) {
            Some(registry) => format!("{registry}/{name}"),
            None => name.to_owned(),
        };
        let Ok(Reference { repository, tag: None, digest: None }) = Reference::parse(&name) else { return };
        let Some(pin) = self.pin(&repository, tag) else { return };
        match node.get("digest") {
            Some(digest) => {
                self.replace(tag, &pin.tag, in_flow);
                self.replace(digest, pin.digest.as_str(), in_flow);
            }
            None => self.replace(tag, &format!("{}@{}", pin.tag, pin.digest), in_flow),
        }
    }

    /// The one pin of a repository.
    fn pin(&mut self, repository: &Repository, node: &Node) -> Option<&'a Pin> {
        let pins = self.pins.get(repository)?;
        match pins.as_slice() {
            [pin] => Some(pin),
            _ => {
                let message = format!("pins.yaml has {} different pins of {repository}", pins.len());
                self.refuse(node, &message, "write the one that is meant by hand");
                None
            }
        }
    }

    fn replace(&mut self, node: &Node, new: &str, in_flow: bool) {
        let Kind::Scalar { text, style } = &node.kind else {
            return self.refuse(node, "a list or a mapping stands where a tag or digest belongs", "write a text there");
        };
        let is_plain = *style == Style::Plain;
        if text == new && (!is_plain || is_text_to_all(new)) {
            return;
        }
        if node.is_shared {
            let hint = "write the value out in every place, without anchors, aliases and merge keys";
            return self.refuse(node, "a pin belongs here, and other places have this value by an anchor", hint);
        }
        let written = match style {
            _ if is_plain && node.span.is_empty() => {
                return self.refuse(node, "a pin belongs here, where nothing stands", "write `\"\"` in its place");
            }
            Style::Block => {
                let hint = "write it in quotes on one line";
                return self.refuse(node, "a pin belongs here, in the place of a text of several lines", hint);
            }
            // Between braces some readers end a scalar at every colon.
            Style::Plain if is_text_to_all(new) && !(in_flow && new.contains(':')) => new.to_owned(),
            Style::Plain => format!("\"{new}\""),
            Style::Single => format!("'{new}'"),
            Style::Double => format!("\"{new}\""),
        };
        let change = ValueChange { line: node.at.line, column: node.at.column, old: text.clone(), new: new.to_owned() };
        self.wanted.insert(node.span.start, (node.span.clone(), Replacement { written, change }));
    }

    fn refuse(&mut self, node: &Node, message: &str, hint: &str) {
        let problem = Problem {
            path: self.path.to_owned(),
            line: node.at.line,
            column: node.at.column,
            key: String::new(),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            excerpt: String::new(),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Whether every reader takes a tag, a digest or a reference for a text when it stands plain. Anything that begins with a
/// digit and has neither an `@` nor two full stops may be a number or a date to some.
fn is_text_to_all(text: &str) -> bool {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && !text.contains('@')
        && text.matches('.').count() < 2;
    !is_number && !is_reserved(text)
}

/// Whether two values differ in nothing but what was to be replaced, and there have what was wanted.
fn is_same_but(old: &Node, new: &Node, wanted: &Replacements) -> bool {
    match (&old.kind, &new.kind) {
        (Kind::Scalar { text: before, .. }, Kind::Scalar { text: after, style }) => match wanted.get(&old.span.start) {
            Some((span, replacement)) if *span == old.span => {
                *after == replacement.change.new && (*style != Style::Plain || is_text_to_all(after))
            }
            _ => before == after,
        },
        (Kind::List(before), Kind::List(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(old, new)| is_same_but(old, new, wanted))
        }
        (Kind::Map(before), Kind::Map(after)) => {
            let is_same = |(old, new): (&marked::Entry, &marked::Entry)| {
                old.key == new.key && is_same_but(&old.value, &new.value, wanted)
            };
            before.len() == after.len() && before.iter().zip(after).all(is_same)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
