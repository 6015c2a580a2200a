//! Reads one YAML document that a person wrote: strictly, in one pass, and with the place of every part of it.
//!
//! What YAML offers beyond keys, lists and scalars (anchors, aliases, merge keys, tags, directives, several documents) is
//! refused: nothing in these files needs it, and each of them lets a file mean something else than it seems to.
//! Plain scalars are read by the core schema of YAML 1.2, so `yes` is text; what YAML 1.1 reads as another number is
//! refused.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use serde_json::{Map, Number, Value};

use crate::config::{
    place::{Children, Finding, MAX_PROBLEMS, Node, Position, Segment, Text, key_path},
    problem::{Problem, Source},
    secret,
};

/// How long a file may be, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// How many lists and mappings may stand inside each other.
const MAX_DEPTH: usize = 64;
/// How long a key may be, in bytes. Key paths repeat keys, so this bounds what one problem can weigh.
const MAX_KEY_BYTES: usize = 256;

/// A document, and everything that is wrong with it so far.
pub(crate) struct Document {
    pub(crate) value: Value,
    pub(crate) root: Node,
    pub(crate) text: Text,
    pub(crate) findings: Vec<Finding>,
    /// Where values begin that a finding refuses. What else is wrong with them is noise.
    pub(crate) refused: BTreeSet<Position>,
}

/// Reads a file. An error means that there is no document to look at; less is in [`Document::findings`].
pub(crate) fn read(source: &Source) -> Result<Document, Vec<Problem>> {
    let whole = |message: &str, hint: &str| {
        vec![Text::new(&source.path, "").problem(Finding::whole(message, Some(hint.to_owned())))]
    };
    if source.bytes.len() > MAX_BYTES {
        return Err(whole("the file is larger than 1 MiB", "split what it holds, or check that it is the right file"));
    }
    let content = match std::str::from_utf8(&source.bytes) {
        Ok(content) => content.strip_prefix('\u{feff}').unwrap_or(content),
        Err(error) => {
            let valid = String::from_utf8_lossy(&source.bytes[..error.valid_up_to()]);
            let valid = valid.strip_prefix('\u{feff}').unwrap_or(&valid);
            let text = Text::broken(&source.path, valid);
            let hint = Some("save the file as UTF-8".to_owned());
            return Err(vec![text.problem(Finding::at(text.end(), "", "a byte that is not UTF-8", hint))]);
        }
    };
    let unprintable = control_characters(content);
    if !unprintable.is_empty() {
        return Err(Text::broken(&source.path, content).problems(unprintable));
    }
    let mut reader = Reader::new(content);
    match reader.document() {
        Ok(Some((value, root))) => {
            let mut text = Text::new(&source.path, content);
            text.hide(reader.hidden);
            Ok(Document { value, root, text, findings: reader.findings, refused: reader.refused })
        }
        Ok(None) if reader.findings.is_empty() => {
            Err(whole("the file is empty", "`bobbypin init` writes a file to begin with"))
        }
        Ok(None) | Err(Stop) => {
            let mut text = Text::broken(&source.path, content);
            text.hide(reader.hidden);
            Err(text.problems(reader.findings))
        }
    }
}

/// One finding for each line that holds a character which editors do not show.
fn control_characters(content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in content.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let is_control = |c: char| (c.is_control() && c != '\t') || c == '\u{feff}';
        if let Some((column, character)) = line.chars().enumerate().find(|&(_, c)| is_control(c)) {
            let position = Position { line: index + 1, column: column + 1 };
            let message = format!("a control character (U+{:04X})", u32::from(character));
            let hint = Some("delete it; in double quotes it may be written as an escape".to_owned());
            findings.push(Finding::at(position, "", message, hint));
        }
        if findings.len() > MAX_PROBLEMS {
            break;
        }
    }
    findings
}

/// Reading cannot go on; why is among the findings.
struct Stop;

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    path: Vec<Segment>,
    findings: Vec<Finding>,
    /// From where to where the text holds secrets.
    hidden: Vec<(Position, Position)>,
    refused: BTreeSet<Position>,
}

impl<'text> Reader<'text> {
    fn new(content: &'text str) -> Self {
        let mut options = granit_parser::options! {
            disallow_directives: true,
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            // Above the limit of this reader, which has the better message.
            flow_nesting_limit: MAX_DEPTH + 2,
            block_nesting_limit: MAX_DEPTH + 2,
        };
        options.set_emit_comments(false);
        Self {
            parser: Parser::new_from_str_with_options(content, options),
            path: Vec::new(),
            findings: Vec::new(),
            hidden: Vec::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Keeps one finding more than are shown at most, which is how it is known that there are more.
    fn report(&mut self, position: Position, message: impl Into<String>, hint: Option<&str>) {
        if self.findings.len() > MAX_PROBLEMS {
            return;
        }
        let key = key_path(&self.path);
        self.findings.push(Finding::at(position, key, message, hint.map(ToOwned::to_owned)));
    }

    /// The next event. Anchors and tags are reported on the way.
    fn next(&mut self) -> Result<(Event<'text>, Span), Stop> {
        let (event, span) = self.event()?;
        if let Event::Scalar(_, _, anchor, tag)
        | Event::SequenceStart(_, anchor, tag)
        | Event::MappingStart(_, anchor, tag) = &event
        {
            if tag.is_some() {
                let at = span.tag_start().map_or(start(&span), |marker| position(&marker));
                self.report(at, "tags (`!name`) are not read here", Some("delete the tag"));
            }
            if *anchor != 0 {
                // The parser says where the anchor is right after the node that has it.
                let (_, anchor_span) = self.event()?;
                let hint = Some("write the value in every place that needs it");
                self.report(start(&anchor_span), "anchors (`&name`) are not read here", hint);
            }
        }
        Ok((event, span))
    }

    fn event(&mut self) -> Result<(Event<'text>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.syntax(&error)),
            // The parser always ends with an event of its own, and nobody asks after that.
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            return self.too_deep(position(error.marker()));
        }
        // Messages of the parser may go over several lines; a problem is one line.
        let info = error.info().split_whitespace().collect::<Vec<_>>().join(" ");
        let hint = info.contains("tab").then_some("indent with spaces");
        self.report(position(error.marker()), format!("not YAML: {info}"), hint);
        Stop
    }

    /// The key path is left out, because it would be longer than the message.
    fn too_deep(&mut self, at: Position) -> Stop {
        self.path.clear();
        self.report(at, "lists and mappings are nested more than 64 deep", None);
        Stop
    }

    fn document(&mut self) -> Result<Option<(Value, Node)>, Stop> {
        let mut found = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(found.filter(|(value, _): &(Value, Node)| !value.is_null())),
                Event::DocumentStart(..) if found.is_some() => {
                    let hint = Some("delete the line `---`, or move what follows into a file of its own");
                    self.report(start(&span), "a second document begins here; a file holds one", hint);
                    return Err(Stop);
                }
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                node => found = Some(self.node(node, span, None, false)?),
            }
        }
    }

    /// Reads the node that an event begins. `secret` says that the key above promises a secret.
    fn node(
        &mut self,
        event: Event<'text>,
        span: Span,
        key: Option<Position>,
        secret: bool,
    ) -> Result<(Value, Node), Stop> {
        let value_at = start(&span);
        if self.path.len() > MAX_DEPTH {
            return Err(self.too_deep(value_at));
        }
        let node = |children, end: &Span| Node { key, value: value_at, end: position(&end.end), children };
        match event {
            Event::Scalar(text, style, ..) => {
                let value = self.scalar(text, style, value_at);
                self.refuse_secret(&value, secret, key.unwrap_or(value_at), &span);
                Ok((value, node(Children::None, &span)))
            }
            Event::SequenceStart(..) => {
                let (mut values, mut nodes) = (Vec::new(), Vec::new());
                loop {
                    let (event, item_span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        return Ok((Value::Array(values), node(Children::List(nodes), &item_span)));
                    }
                    self.path.push(Segment::Index(values.len()));
                    let (value, item) = self.node(event, item_span, None, secret)?;
                    self.path.pop();
                    values.push(value);
                    nodes.push(item);
                }
            }
            Event::MappingStart(..) => {
                let (mut values, mut nodes) = (Map::new(), BTreeMap::<String, Node>::new());
                loop {
                    let (event, key_span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        return Ok((Value::Object(values), node(Children::Map(nodes), &key_span)));
                    }
                    let name = self.key(event, &key_span)?;
                    let is_secret = secret::is_secret_name(&name);
                    self.path.push(Segment::Key(name.clone()));
                    let (event, value_span) = self.next()?;
                    if let Some(first) = nodes.get(&name).and_then(|node| node.key) {
                        let message = format!("the key `{name}` occurs twice; the first is in line {}", first.line);
                        self.report(start(&key_span), message, Some("keep one of the two"));
                    }
                    let (value, child) = self.node(event, value_span, Some(start(&key_span)), is_secret)?;
                    self.path.pop();
                    nodes.entry(name.clone()).or_insert(child);
                    values.entry(name).or_insert(value);
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let hint = Some("write the value out, or put a text that begins with `*` in quotes");
                self.report(value_at, "aliases (`*name`) are not read here", hint);
                Err(Stop)
            }
            _ => unreachable!("the parser sends no other event where a node begins"),
        }
    }

    fn key(&mut self, event: Event<'text>, span: &Span) -> Result<String, Stop> {
        let at = start(span);
        let Event::Scalar(name, style, ..) = event else {
            self.report(at, "a key is a list, a mapping or an alias; it must be text", None);
            return Err(Stop);
        };
        if name == "<<" && style == ScalarStyle::Plain {
            self.report(at, "merge keys (`<<`) are not read here", Some("write the keys out"));
            return Err(Stop);
        }
        if name.is_empty() || name.len() > MAX_KEY_BYTES {
            let message = if name.is_empty() { "a key is empty" } else { "a key is longer than 256 bytes" };
            self.report(at, message, None);
            return Err(Stop);
        }
        if secret::find_in(&name) {
            self.hidden.push((at, position(&span.end)));
            self.report(at, "a key holds a password", Some(secret::HINT));
            return Err(Stop);
        }
        Ok(name.into_owned())
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, at: Position) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.into_owned());
        }
        match core_schema(&text) {
            Ok(value) => value.unwrap_or_else(|| Value::String(text.into_owned())),
            Err(Ambiguous { message, hint }) => {
                self.report(at, message, Some(hint));
                self.refused.insert(at);
                // Zero is a number as well, and what the number is no longer matters.
                Value::from(0)
            }
        }
    }

    fn refuse_secret(&mut self, value: &Value, promised: bool, at: Position, span: &Span) {
        let held = match value {
            Value::String(text) => (promised && !text.is_empty()) || secret::find_in(text),
            Value::Number(_) => promised,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        if held {
            self.refused.insert(start(span));
            self.hidden.push((start(span), position(&span.end)));
            let key = self.path.iter().rev().find_map(|segment| match segment {
                Segment::Key(key) => Some(key.as_str()),
                Segment::Index(_) => None,
            });
            let message = format!("`{}` holds a secret, and this file goes to Git", key.unwrap_or_default());
            self.report(at, message, Some(secret::HINT));
        }
    }
}

/// Why a plain scalar is refused.
struct Ambiguous {
    message: &'static str,
    hint: &'static str,
}

/// The value of a plain scalar by the core schema of YAML 1.2; nothing when it is text.
///
/// Source: <https://yaml.org/spec/1.2.2/#103-core-schema>.
fn core_schema(text: &str) -> Result<Option<Value>, Ambiguous> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Some(Value::Null)),
        "true" | "True" | "TRUE" => return Ok(Some(Value::Bool(true))),
        "false" | "False" | "FALSE" => return Ok(Some(Value::Bool(false))),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let not_finite = Ambiguous { message: "the number is not finite", hint: "write a number, or put text in quotes" };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(not_finite);
    }
    let too_large = Ambiguous { message: "the number is too large", hint: "put text in quotes" };
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix).filter(|digits| is(digits, radix)) {
            return u64::from_str_radix(digits, radix).map(|number| Some(number.into())).map_err(|_| too_large);
        }
    }
    if is(unsigned, 10) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Err(Ambiguous {
                message: "a number that begins with 0 is octal to some readers and decimal to others",
                hint: "leave out the 0, or put text in quotes",
            });
        }
        let number = text.strip_prefix('+').unwrap_or(text);
        let whole = number.parse::<u64>().map(Value::from).or_else(|_| number.parse::<i64>().map(Value::from));
        return whole.map(Some).map_err(|_| too_large);
    }
    if is_float(unsigned) {
        let number = text.parse().ok().and_then(Number::from_f64);
        return number.map(|number| Some(Value::Number(number))).ok_or(too_large);
    }
    Ok(None)
}

/// Whether a text without its sign is `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

fn start(span: &Span) -> Position {
    position(&span.start)
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}
