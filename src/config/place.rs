//! Where the parts of a file are, and how a place in it is shown.

use std::collections::BTreeMap;

use crate::config::{problem::Problem, secret};

/// How many problems of one file are reported. Nobody reads more, and a hostile file could cause any number.
pub(crate) const MAX_PROBLEMS: usize = 100;
/// How much of a line is kept for people, in characters.
const MAX_EXCERPT: usize = 160;

/// A place in a text: line and column in characters, both from 1; both 0 for the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    Key(String),
    Index(usize),
}

/// Where a value is, and where its parts are. A tree, because a table by whole paths would grow with their length.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where the key is; nothing for the document and for items of lists.
    pub(crate) key: Option<Position>,
    /// Where the value begins.
    pub(crate) value: Position,
    /// Where the value ends: the first character that is no part of it.
    pub(crate) end: Position,
    pub(crate) children: Children,
}

/// The parts of a value.
#[derive(Debug)]
pub(crate) enum Children {
    None,
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

/// What a JSON pointer leads to.
pub(crate) struct Target<'node> {
    /// The value, or the nearest one around it that exists.
    pub(crate) node: &'node Node,
    /// The way, also through what does not exist.
    pub(crate) path: Vec<Segment>,
    /// Whether the whole way exists.
    pub(crate) exists: bool,
}

impl Node {
    /// Follows a JSON pointer as far as it goes.
    pub(crate) fn follow(&self, pointer: &str) -> Target<'_> {
        let mut target = Target { node: self, path: Vec::new(), exists: true };
        for token in pointer.split('/').skip(1) {
            let key = token.replace("~1", "/").replace("~0", "~");
            let index = key.parse::<usize>().ok();
            let (segment, child) = match (&target.node.children, index) {
                (Children::List(items), Some(index)) => (Segment::Index(index), items.get(index)),
                (Children::Map(entries), _) => (Segment::Key(key.clone()), entries.get(&key)),
                (Children::List(_) | Children::None, _) => (Segment::Key(key), None),
            };
            target.path.push(segment);
            match child {
                Some(child) if target.exists => target.node = child,
                _ => target.exists = false,
            }
        }
        target
    }

    /// The place to show for the value as a whole: a scalar itself, but the key of a list or mapping.
    pub(crate) fn position(&self) -> Position {
        match self.children {
            Children::None => self.value,
            Children::List(_) | Children::Map(_) => self.key_position(),
        }
    }

    /// The place of the key, or of the value where there is none.
    pub(crate) fn key_position(&self) -> Position {
        self.key.unwrap_or(self.value)
    }
}

/// The way as people write it: `spec.tenants.overrides[2].name`, `spec.mirrors["ghcr.io"]`.
pub(crate) fn key_path(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Key(key) if key.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_') => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Segment::Key(key) => text.push_str(&format!("[\"{key}\"]")),
        }
    }
    text
}

/// A problem before its file and line are put to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) position: Position,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Finding {
    /// A finding about the file as a whole.
    pub(crate) fn whole(message: impl Into<String>, hint: Option<String>) -> Self {
        Self::at(Position::default(), "", message, hint)
    }

    /// A finding at a place.
    pub(crate) fn at(
        position: Position,
        key: impl Into<String>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self { position, key: key.into(), message: message.into(), hint }
    }
}

/// A file's text, for what is shown of it.
#[derive(Debug)]
pub(crate) struct Text {
    path: String,
    content: String,
    /// Where each line begins, in bytes.
    lines: Vec<usize>,
    /// From where to where the text holds secrets.
    hidden: Vec<(Position, Position)>,
    is_hidden: bool,
}

impl Text {
    pub(crate) fn new(path: &str, content: &str) -> Self {
        let lines = std::iter::once(0).chain(content.match_indices('\n').map(|(index, _)| index + 1)).collect();
        Self { path: path.to_owned(), content: content.to_owned(), lines, hidden: Vec::new(), is_hidden: false }
    }

    /// Keeps parts of the text out of every excerpt.
    pub(crate) fn hide(&mut self, hidden: Vec<(Position, Position)>) {
        self.hidden.extend(hidden);
    }

    /// A text that could not be read, so that nobody knows which key a line belongs to. If any line of it seems to hold a
    /// secret, no excerpt shows anything.
    pub(crate) fn broken(path: &str, content: &str) -> Self {
        let is_hidden = content.lines().any(secret::is_in_line) || secret::find_in(content);
        Self { is_hidden, ..Self::new(path, content) }
    }

    /// Where the text ends.
    pub(crate) fn end(&self) -> Position {
        let line = self.lines.len();
        Position { line, column: self.line(line).chars().count() + 1 }
    }

    /// The text between two places in one line; nothing when they are in two.
    pub(crate) fn slice(&self, from: Position, to: Position) -> Option<String> {
        let length = to.column.checked_sub(from.column).filter(|_| from.line == to.line)?;
        Some(self.line(from.line).chars().skip(from.column.checked_sub(1)?).take(length).collect())
    }

    /// The problems in the order of the text, each once.
    pub(crate) fn problems(&self, mut findings: Vec<Finding>) -> Vec<Problem> {
        findings.sort_by(|a, b| (a.position, &a.key, &a.message).cmp(&(b.position, &b.key, &b.message)));
        findings.dedup();
        if findings.len() > MAX_PROBLEMS {
            findings.truncate(MAX_PROBLEMS);
            findings
                .push(Finding::whole("there are more problems than are shown", Some("correct these first".to_owned())));
        }
        findings.into_iter().map(|finding| self.problem(finding)).collect()
    }

    /// The problem that a finding is in this file.
    pub(crate) fn problem(&self, finding: Finding) -> Problem {
        let Finding { position, key, message, hint } = finding;
        let excerpt = self.excerpt(position);
        Problem { path: self.path.clone(), line: position.line, column: position.column, key, message, hint, excerpt }
    }

    fn line(&self, line: usize) -> &str {
        let Some(&start) = line.checked_sub(1).and_then(|index| self.lines.get(index)) else { return "" };
        let end = self.lines.get(line).map_or(self.content.len(), |next| next - 1);
        let text = &self.content[start..end];
        text.strip_suffix('\r').unwrap_or(text)
    }

    /// The line around a place, without secrets. A long line begins at the place, after `… `.
    fn excerpt(&self, at: Position) -> String {
        if self.is_hidden {
            return String::new();
        }
        let mut line: Vec<char> = self.line(at.line).chars().collect();
        if self.hidden.iter().any(|(from, to)| from.line < at.line && at.line <= to.line) {
            return String::new();
        }
        if let Some((first, _)) = self.hidden.iter().filter(|(from, _)| from.line == at.line).min() {
            // What follows a secret in its line is not worth the care that cutting it out would take.
            line.truncate(first.column.saturating_sub(1));
            line.extend("(not shown)".chars());
        }
        if line.len() <= MAX_EXCERPT {
            return line.into_iter().collect();
        }
        let shown = line.iter().skip(at.column.saturating_sub(1)).take(MAX_EXCERPT);
        format!("… {}", shown.collect::<String>())
    }
}
