//! The scalar with the Corefile in a file of manifests, and where its lines stand.

use granit_parser::{Event, Parser, ScalarStyle};

use crate::dns::block::BlockError;

/// The Corefile as a literal block.
#[derive(Debug)]
pub(super) struct Scalar {
    /// What it says.
    pub(super) value: String,
    /// The line of its key, from 1.
    pub(super) line: usize,
    /// The index of the line after that, which is its first one.
    pub(super) first_line: usize,
    /// How far its lines are indented.
    pub(super) indent: usize,
    /// How the lines of the file end.
    pub(super) line_end: &'static str,
}

/// One value of a document, with the keys that lead to it.
struct Leaf {
    path: Vec<String>,
    /// The line of its key, from 1.
    key_line: usize,
    /// Nothing for an alias, a list or a map.
    value: Option<String>,
    is_literal: bool,
    has_properties: bool,
}

/// Finds the Corefile of the one ConfigMap `coredns`.
pub(super) fn find(manifest: &str) -> Result<Scalar, BlockError> {
    let documents = documents(manifest)?;
    let mut found: Option<(usize, &Vec<Leaf>)> = None;
    for document in &documents {
        if text(document, &["kind"]) != Some("ConfigMap")
            || text(document, &["metadata", "name"]) != Some("coredns")
            || !matches!(text(document, &["metadata", "namespace"]), None | Some("kube-system"))
        {
            continue;
        }
        let line = leaf(document, &["metadata", "name"]).map_or(1, |leaf| leaf.key_line);
        if let Some((first, _)) = found {
            return Err(BlockError::Twice { first, second: line });
        }
        found = Some((line, document));
    }
    let Some((line, document)) = found else {
        let release = documents.iter().find(|document| text(document, &["kind"]) == Some("HelmRelease"));
        let line = release.and_then(|document| leaf(document, &["kind"])).map(|leaf| leaf.key_line);
        return Err(line.map_or(BlockError::NoConfigMap, |line| BlockError::HelmValues { line }));
    };
    let mut keys = document.iter().filter(|leaf| leaf.path == ["data", "Corefile"]);
    let (Some(leaf), None) = (keys.next(), keys.next()) else { return Err(BlockError::NoKey { line }) };
    let around = document.iter().filter(|around| around.path.len() < 2 && leaf.path.starts_with(&around.path));
    if around.into_iter().any(|around| around.has_properties) {
        return Err(BlockError::NotLiteral {
            line: leaf.key_line,
            problem: "what it stands in has an anchor or a tag",
        });
    }
    literal(manifest, leaf)
}

/// Everything that the file says besides the Corefile; nothing for a text that is no YAML.
pub(super) fn others(manifest: &str, scalar: &Scalar) -> Option<Vec<String>> {
    let mut said = Vec::new();
    for event in Parser::new_from_str(manifest) {
        let (event, span) = event.ok()?;
        let is_corefile = matches!(&event, Event::Scalar(_, ScalarStyle::Literal, ..))
            && (scalar.line..=scalar.line + 1).contains(&span.start.line());
        if !is_corefile {
            said.push(format!("{event:?}"));
        }
    }
    Some(said)
}

fn leaf<'d>(document: &'d [Leaf], path: &[&str]) -> Option<&'d Leaf> {
    document.iter().find(|leaf| leaf.path == path)
}

fn text<'d>(document: &'d [Leaf], path: &[&str]) -> Option<&'d str> {
    leaf(document, path)?.value.as_deref()
}

/// A literal block whose lines are exactly those that the parser read.
fn literal(manifest: &str, leaf: &Leaf) -> Result<Scalar, BlockError> {
    let line = leaf.key_line;
    let refuse = |problem| BlockError::NotLiteral { line, problem };
    let Some(value) = &leaf.value else { return Err(refuse("it is an alias or no text")) };
    if leaf.has_properties {
        return Err(refuse("it has an anchor or a tag"));
    }
    if !leaf.is_literal {
        return Err(refuse("it is written in another style"));
    }
    let mut lines = manifest.split_inclusive('\n').skip(line - 1);
    let header = lines.next().unwrap_or_default();
    let code = header.split_once(" #").map_or(header, |(code, _)| code);
    let mark = code.rsplit_once(':').map_or("", |(_, mark)| mark.trim());
    if !matches!(mark, "|" | "|-" | "|+") {
        return Err(refuse("its first line says more than `|`"));
    }
    let lines: Vec<_> = lines.map(|line| line.trim_end_matches('\n').trim_end_matches('\r')).collect();
    let Some(first) = lines.iter().find(|line| !line.trim_matches(' ').is_empty()) else {
        return Err(refuse("it is empty"));
    };
    let indent = first.len() - first.trim_start_matches(' ').len();
    let own = |line: &str| line.get(indent..).unwrap_or_default().to_owned();
    let count = value.lines().count();
    let read: Vec<_> = lines.iter().take(count).map(|line| own(line)).collect();
    if indent == 0 || !read.iter().map(String::as_str).eq(value.lines()) {
        return Err(refuse("its lines are not what a reader of YAML takes for them"));
    }
    let line_end = if header.ends_with("\r\n") { "\r\n" } else { "\n" };
    Ok(Scalar { value: value.clone(), line, first_line: line, indent, line_end })
}

/// An open list or map.
struct Frame {
    /// The keys that lead to it; nothing inside a list or a key.
    path: Option<Vec<String>>,
    is_map: bool,
    /// In a map: the key whose value comes next, and its line.
    key: Option<(String, usize)>,
}

/// The values of every document that are not inside a list, down to the depth that is asked for here.
fn documents(manifest: &str) -> Result<Vec<Vec<Leaf>>, BlockError> {
    let mut documents: Vec<Vec<Leaf>> = Vec::new();
    let mut open: Vec<Frame> = Vec::new();
    for event in Parser::new_from_str(manifest) {
        let (event, span) = event
            .map_err(|error| BlockError::Syntax { line: error.marker().line(), message: error.info().to_string() })?;
        let line = span.start.line();
        let (value, style, has_properties, opens) = match event {
            Event::DocumentStart(..) => {
                documents.push(Vec::new());
                open.clear();
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                continue;
            }
            Event::Scalar(value, style, anchor, tag) => {
                (Some(value.into_owned()), Some(style), anchor != 0 || tag.is_some(), None)
            }
            Event::Alias(_) => (None, None, true, None),
            Event::MappingStart(_, anchor, tag) => (None, None, anchor != 0 || tag.is_some(), Some(true)),
            Event::SequenceStart(_, anchor, tag) => (None, None, anchor != 0 || tag.is_some(), Some(false)),
            _ => continue,
        };
        let place = match open.last_mut() {
            None => Some((Vec::new(), line)),
            Some(Frame { is_map: false, .. }) => None,
            Some(Frame { path, key, .. }) => match key.take() {
                None => {
                    *key = Some((value.clone().unwrap_or_default(), line));
                    None
                }
                Some((key, key_line)) => {
                    let path = path.as_ref().map(|path| path.iter().cloned().chain([key]).collect::<Vec<_>>());
                    path.map(|path| (path, key_line))
                }
            },
        };
        if let (Some((path, key_line)), Some(document)) = (&place, documents.last_mut())
            && path.len() <= 2
        {
            let is_literal = style == Some(ScalarStyle::Literal);
            document.push(Leaf { path: path.clone(), key_line: *key_line, value, is_literal, has_properties });
        }
        if let Some(is_map) = opens {
            open.push(Frame { path: place.map(|(path, _)| path), is_map, key: None });
        }
    }
    Ok(documents)
}
