//! ConfigMaps in a text of manifests, with the place of each of their values.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::{
    config::problem::{Problem, Source},
    ops::dns::lint::Anchor,
};

/// How many lists and mappings may stand inside each other.
const MAX_DEPTH: usize = 64;

/// A ConfigMap.
#[derive(Debug)]
pub(super) struct ConfigMap {
    pub(super) name: String,
    /// The values of `data`, each with its place.
    pub(super) data: BTreeMap<String, (String, Anchor)>,
    /// What `kubectl apply` wrote down about an earlier form of the object.
    pub(super) last_applied: Option<String>,
}

/// Whether a text is a manifest rather than a Corefile, in which a line like these has no meaning.
pub(super) fn is_manifest(text: &str) -> bool {
    text.trim_start().starts_with("{\n") && text.contains("\"kind\"")
        || text.lines().any(|line| line.starts_with("kind:") || line.starts_with("apiVersion:"))
}

/// All ConfigMaps of all documents, those in a `List` too.
pub(super) fn config_maps(source: &Source, text: &str) -> Result<Vec<ConfigMap>, Problem> {
    let mut reader = Reader { lines: text.lines().collect(), source, parser: Parser::new_from_str(text) };
    let mut found = Vec::new();
    while let Some((event, span)) = reader.next()? {
        if matches!(event, Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd) {
            continue;
        }
        let node = reader.node(event, &span, span.start.line(), 0)?;
        collect(node, &mut found);
    }
    Ok(found)
}

fn collect(node: Node, found: &mut Vec<ConfigMap>) {
    let Node::Map(mut fields) = node else { return };
    if let Some(Node::List(items)) = fields.remove("items") {
        items.into_iter().for_each(|item| collect(item, found));
        return;
    }
    if !matches!(fields.get("kind"), Some(Node::Text(kind, _)) if kind == "ConfigMap") {
        return;
    }
    let mut metadata = match fields.remove("metadata") {
        Some(Node::Map(metadata)) => metadata,
        _ => BTreeMap::new(),
    };
    let text = |node: Option<Node>| match node {
        Some(Node::Text(text, _)) => Some(text),
        _ => None,
    };
    let last_applied = match metadata.remove("annotations") {
        Some(Node::Map(mut annotations)) => {
            text(annotations.remove("kubectl.kubernetes.io/last-applied-configuration"))
        }
        _ => None,
    };
    let mut data = BTreeMap::new();
    if let Some(Node::Map(values)) = fields.remove("data") {
        for (key, value) in values {
            if let Node::Text(text, anchor) = value {
                data.insert(key, (text, anchor));
            }
        }
    }
    found.push(ConfigMap { name: text(metadata.remove("name")).unwrap_or_default(), data, last_applied });
}

enum Node {
    Text(String, Anchor),
    Map(BTreeMap<String, Self>),
    List(Vec<Self>),
    Other,
}

struct Reader<'t> {
    lines: Vec<&'t str>,
    source: &'t Source,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Problem> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(error)) => {
                let info = error.info().split_whitespace().collect::<Vec<_>>().join(" ");
                let marker = error.marker();
                Err(problem(self.source, marker.line(), marker.col() + 1, format!("not YAML: {info}")))
            }
        }
    }

    /// Reads the node that an event begins. `line` is that of its key.
    fn node(&mut self, event: Event<'t>, span: &Span, line: usize, depth: usize) -> Result<Node, Problem> {
        if depth > MAX_DEPTH {
            let message = format!("lists and mappings are nested more than {MAX_DEPTH} deep");
            return Err(problem(self.source, line, 1, message));
        }
        Ok(match event {
            Event::Scalar(text, style, ..) => {
                let anchor = match style {
                    ScalarStyle::Literal => self.literal(line),
                    _ => Anchor::Scalar { line: span.start.line(), column: span.start.col() + 1 },
                };
                Node::Text(text.into_owned(), anchor)
            }
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.next()? {
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, &span, span.start.line(), depth + 1)?);
                }
                Node::List(items)
            }
            Event::MappingStart(..) => {
                let mut fields = BTreeMap::new();
                while let Some((event, span)) = self.next()? {
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    let line = span.start.line();
                    let key = self.node(event, &span, line, depth + 1)?;
                    let Some((event, span)) = self.next()? else { break };
                    let value = self.node(event, &span, line, depth + 1)?;
                    if let Node::Text(key, _) = key {
                        fields.entry(key).or_insert(value);
                    }
                }
                Node::Map(fields)
            }
            _ => Node::Other,
        })
    }

    /// Where the lines of a literal block stand whose `|` is on the line of its key.
    fn literal(&self, line: usize) -> Anchor {
        let mut lines = self.lines.iter().skip(line);
        let first = lines.find(|line| !line.trim_matches(' ').is_empty()).copied().unwrap_or_default();
        Anchor::Literal { before: line, indent: first.len() - first.trim_start_matches(' ').len() }
    }
}

pub(super) fn problem(source: &Source, line: usize, column: usize, message: impl Into<String>) -> Problem {
    Problem {
        path: source.path.clone(),
        line,
        column,
        key: String::new(),
        message: message.into(),
        hint: Some("give a Corefile, or a ConfigMap with the key `Corefile`".to_owned()),
        excerpt: String::new(),
    }
}
