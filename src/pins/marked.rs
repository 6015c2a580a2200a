//! Reads YAML that people and other programs wrote for Kubernetes, with the place of every part of it.
//!
//! Unlike the files of this program, these may have several documents, anchors, aliases, merge keys and tags. Values are
//! kept as they are written: nothing here decides whether `1.10` is a number.

use std::{collections::BTreeMap, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::config::problem::Problem;

/// How many lists and mappings may stand inside each other.
const MOST_DEEP: usize = 96;
/// How many nodes a file may have once its aliases are written out. A few lines of aliases can stand for billions.
const MOST_NODES: usize = 1_000_000;

/// A value and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    /// The bytes of the value, without anchor and tag; of the text without its byte order mark.
    pub(crate) span: Range<usize>,
    /// Whether other places of the file have this value too, by an anchor.
    pub(crate) is_shared: bool,
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping with its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Node,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Single,
    Double,
    /// Over several lines, after `|` or `>`.
    Block,
}

/// A line and a column in characters, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Node {
    /// The value of a key; nothing in what is no mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().rev().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value at the end of a way of keys.
    pub(crate) fn follow(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The keys of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            Kind::Scalar { .. } | Kind::List(_) => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Scalar { .. } | Kind::Map(_) => &[],
        }
    }

    /// The text of a scalar that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, style: Style::Plain } if matches!(text.as_str(), "" | "~" | "null") => None,
            Kind::Scalar { text, .. } => Some(text.as_str()),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The text of a scalar at the end of a way of keys.
    pub(crate) fn text_at(&self, keys: &[&str]) -> Option<&str> {
        self.follow(keys)?.text()
    }
}

impl Node {
    /// Moves the places of a text that stands, indented, in another one: `first` is where it begins there.
    pub(crate) fn shift(&mut self, first: Position) {
        self.at = Position { line: self.at.line + first.line - 1, column: self.at.column + first.column - 1 };
        match &mut self.kind {
            Kind::Scalar { .. } => (),
            Kind::List(items) => items.iter_mut().for_each(|item| item.shift(first)),
            Kind::Map(entries) => entries.iter_mut().for_each(|entry| entry.value.shift(first)),
        }
    }
}

/// Reads every document of a text. Empty ones are skipped.
///
/// # Errors
///
/// What keeps the text from being read, with its place. It never holds anything of the text itself.
pub(crate) fn documents(path: &str, text: &str) -> Result<Vec<Node>, Problem> {
    let content = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut options = granit_parser::options! { flow_nesting_limit: MOST_DEEP, block_nesting_limit: MOST_DEEP };
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(content, options);
    let mut reader = Reader { parser, anchors: BTreeMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.next() {
            Ok((Event::StreamEnd, _)) => return Ok(documents),
            Ok((Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _)) => (),
            Ok((event, span)) => {
                let node = reader.node(event, &span, 0).map_err(|stop| stop.problem(path))?;
                if node.text().is_some() || matches!(node.kind, Kind::List(_) | Kind::Map(_)) {
                    documents.push(node);
                }
            }
            Err(stop) => return Err(stop.problem(path)),
        }
    }
}

/// Why reading cannot go on.
struct Stop {
    at: Position,
    message: String,
}

impl Stop {
    fn problem(self, path: &str) -> Problem {
        Problem {
            path: path.to_owned(),
            line: self.at.line,
            column: self.at.column,
            key: String::new(),
            message: self.message,
            hint: None,
            // A file of Kubernetes may hold secrets anywhere.
            excerpt: String::new(),
        }
    }
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let info = error.info().split_whitespace().collect::<Vec<_>>().join(" ");
                let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
                Err(Stop { at, message: format!("not YAML: {info}") })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'text>, span: &Span, depth: usize) -> Result<Node, Stop> {
        let at = position(span);
        self.count(1, at)?;
        if depth > MOST_DEEP {
            return Err(Stop { at, message: format!("lists and mappings are nested more than {MOST_DEEP} deep") });
        }
        let start = bytes(span).start;
        let (anchor, kind, end) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::Single,
                    ScalarStyle::DoubleQuoted => Style::Double,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                (anchor, Kind::Scalar { text: text.into_owned(), style }, bytes(span).end)
            }
            Event::SequenceStart(_, anchor, _) => {
                let (items, end) = self.list(depth)?;
                (anchor, Kind::List(items), end)
            }
            Event::MappingStart(_, anchor, _) => {
                let (entries, end) = self.map(depth)?;
                (anchor, Kind::Map(entries), end)
            }
            Event::Alias(anchor) => {
                let Some(known) = self.anchors.get(&anchor).cloned() else {
                    return Err(Stop { at, message: "an alias stands inside of what it stands for".to_owned() });
                };
                self.count(size(&known), at)?;
                return Ok(Node { at, span: bytes(span), ..known });
            }
            _ => return Err(Stop { at, message: "an alias without an anchor before it".to_owned() }),
        };
        let mut node = Node { at, span: start..end, is_shared: false, kind };
        if anchor != 0 {
            share(&mut node);
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Node>, usize), Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, span) => return Ok((items, bytes(&span).end)),
                (event, span) => items.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<Entry>, usize), Stop> {
        let (mut entries, mut merged) = (Vec::<Entry>::new(), Vec::new());
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                for entry in merged {
                    let Entry { key, .. } = &entry;
                    if !entries.iter().any(|own| own.key == *key) {
                        entries.push(entry);
                    }
                }
                return Ok((entries, bytes(&span).end));
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, &span, depth + 1)?;
            match key.kind {
                Kind::Scalar { text, style: Style::Plain } if text == "<<" => merged.extend(merge(value)),
                Kind::Scalar { text, .. } => entries.push(Entry { key: text, value }),
                // Kubernetes knows no such keys; what stands below one is looked at all the same.
                Kind::List(_) | Kind::Map(_) => entries.push(Entry { key: String::new(), value }),
            }
        }
    }

    fn count(&mut self, more: usize, at: Position) -> Result<(), Stop> {
        self.nodes += more;
        if self.nodes > MOST_NODES {
            let message = format!("the file has more than {MOST_NODES} values, those of its aliases included");
            return Err(Stop { at, message });
        }
        Ok(())
    }
}

/// What a merge key brings: the keys of one mapping, or of several of which the first goes before the others.
fn merge(value: Node) -> Vec<Entry> {
    match value.kind {
        Kind::Map(entries) => entries,
        Kind::List(items) => items.into_iter().flat_map(merge).collect(),
        Kind::Scalar { .. } => Vec::new(),
    }
}

fn share(node: &mut Node) {
    node.is_shared = true;
    match &mut node.kind {
        Kind::Scalar { .. } => (),
        Kind::List(items) => items.iter_mut().for_each(share),
        Kind::Map(entries) => entries.iter_mut().for_each(|entry| share(&mut entry.value)),
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(items) => items.iter().map(size).sum(),
        Kind::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

fn bytes(span: &Span) -> Range<usize> {
    span.byte_range().expect("the parser counts bytes where it reads a string")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        documents("x.yaml", text).expect("YAML").remove(0)
    }

    #[test]
    fn a_value_is_found_with_its_place_its_bytes_and_its_style() {
        let text = "ü: [a, 'b']\r\nx:\r\n  tag: \"1\"   # why\r\n  digest: sha256:1\r\n";
        let node = one(text);
        let place = |keys: &[&str]| {
            let node = node.follow(keys).expect("it is there");
            (node.at.line, node.at.column, &text[node.span.clone()])
        };
        assert_eq!(place(&["x", "tag"]), (3, 8, "\"1\""));
        assert_eq!(place(&["x", "digest"]), (4, 11, "sha256:1"));
        let items = node.get("ü").expect("it is there").items();
        assert_eq!((&text[items[1].span.clone()], items[1].at.column), ("'b'", 8));
    }

    #[test]
    fn what_an_anchor_names_is_found_wherever_it_is_meant() {
        let node =
            one("base: &b {tag: \"1\", name: x}\none: *b\ntwo: {<<: *b, name: y}\nthree: {<<: [*b]}\nfour: {tag: z}\n");
        let tag = |key: &str| node.follow(&[key, "tag"]).map(|node| (node.text().expect("text"), node.is_shared));
        assert_eq!([tag("base"), tag("one"), tag("two"), tag("three")], [Some(("1", true)); 4]);
        assert_eq!(tag("four"), Some(("z", false)));
        assert_eq!(node.text_at(&["two", "name"]), Some("y"));
    }

    #[test]
    fn what_cannot_be_read_says_where_and_a_bomb_of_aliases_is_one() {
        let wrong = |text: &str| {
            let problem = documents("x.yaml", text).expect_err("not YAML");
            assert!(!problem.message.contains("hunter2"), "{problem:?}");
            (problem.line, problem.column)
        };
        assert_eq!(wrong("a: 1\nb: [hunter2\n").0, 2);
        assert_eq!(wrong("a: *b\n"), (1, 4));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let last = level - 1;
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{last}"); 10].join(", "));
        }
        assert_eq!(wrong(&bomb).0, 6);
        assert!(documents("x.yaml", "---\n---\n# nothing\n").expect("YAML").is_empty());
    }
}
