//! Writes values as YAML that every reader understands alike.
//!
//! The readers of a manifest do not agree about YAML: for kubectl, Helm and Flux the plain words `yes` and `y` are
//! booleans, for others they are strings; the same holds for `012`, `1_000`, `1e3` and `12:30`. What is written here has
//! one meaning only: a string stands plain when it begins with a letter, is made of letters, digits and a few marks, and is
//! none of those words; every other string is quoted, with all that cannot be seen escaped. A string can therefore never
//! become another type, another key or another document.

use serde_json::{Map, Number, Value};

/// The longest key that is written. The specification allows a key on one line 1024 characters, quotes and escapes
/// included, and parsers derived from libyaml insist.
const LONGEST_KEY: usize = 1000;

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A null says nothing in a manifest, and readers merge it differently.
    #[error("there is a null at `{0}`")]
    Null(String),
    /// Only maps and lists have a block form.
    #[error("neither a map nor a list")]
    Scalar,
    /// Not every parser reads a key that long.
    #[error("there is a key of more than {LONGEST_KEY} bytes below `{0}`")]
    LongKey(String),
}

/// Writes a string as a scalar on one line: plain where every reader takes it for that string, else in double quotes.
pub fn scalar(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_scalar(&mut out, text);
    out
}

/// Writes a map or a list in block style, with every line indented by `indent` spaces and without a final line break.
///
/// Keys keep the order they are given in. Lists are not indented further than the key that holds them.
pub fn block(value: &Value, indent: usize) -> Result<String, WriteError> {
    let mut writer = Writer { out: String::new(), pointer: String::new() };
    match value {
        Value::Object(map) if !map.is_empty() => {
            writer.indent(indent);
            writer.map(map, indent)?;
        }
        Value::Array(list) if !list.is_empty() => {
            writer.indent(indent);
            writer.list(list, indent)?;
        }
        Value::Object(_) | Value::Array(_) => {
            writer.indent(indent);
            writer.value(value, indent)?;
        }
        Value::Null => return Err(WriteError::Null(String::new())),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => return Err(WriteError::Scalar),
    }
    writer.out.pop();
    Ok(writer.out)
}

/// A step of a JSON pointer, with its leading slash.
pub(crate) fn pointer_step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Whether a text means the same string to every reader when it stands plain, as a key or value, in a block or between
/// braces.
fn is_plain(text: &str) -> bool {
    let lawful = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@+".contains(&byte);
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.bytes().all(lawful)
        // `a: b` is a map, and between braces some readers split at every colon that no slash follows.
        && text.match_indices(':').all(|(at, _)| text[at + 1..].starts_with("//"))
        && !is_reserved(text)
}

/// Whether a text is one of the words that YAML 1.1 or any of its readers takes for something else than a string.
pub(crate) fn is_reserved(text: &str) -> bool {
    const WORDS: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn push_scalar(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if !is_hidden(c) => out.push(c),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
}

/// Whether a character is not to stand in a file as it is: a reviewer cannot see it or it turns the text around it, or
/// YAML 1.1 takes it for a line break or forbids it. The list is fixed, so that no update of Unicode changes a file.
fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{a0}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}'
            | '\u{3000}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}'
    )
}

/// Whether a text of several lines can stand as a literal block without losing anything, and so that a reviewer sees all
/// of it.
fn is_literal(text: &str) -> bool {
    let Some(body) = text.strip_suffix('\n').or(text.contains('\n').then_some(text)) else { return false };
    // The first line sets the indentation, so it may not begin with white space or be empty; a line break at the end of
    // the body would need `|+`, whose end is the next key.
    !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && !body.is_empty()
        && body.split('\n').all(|line| !line.starts_with('\t') && !line.ends_with([' ', '\t']))
        && !body.chars().any(|c| is_hidden(c) && c != '\n' && c != '\t')
}

/// A number, spelled so that YAML 1.1 and 1.2 agree about it: a float has a dot, and its exponent a sign.
fn push_number(out: &mut String, number: &Number) {
    let text = number.to_string();
    match text.split_once('e') {
        None => out.push_str(&text),
        Some((mantissa, exponent)) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
            out.push_str(&format!("{mantissa}{dot}e{sign}{exponent}"));
        }
    }
}

struct Writer {
    out: String,
    pointer: String,
}

impl Writer {
    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    /// Writes the entries of a map whose first line is indented already.
    fn map(&mut self, map: &Map<String, Value>, indent: usize) -> Result<(), WriteError> {
        for (at, (key, value)) in map.iter().enumerate() {
            if at > 0 {
                self.indent(indent);
            }
            let start = self.out.len();
            push_scalar(&mut self.out, key);
            if self.out.len() - start > LONGEST_KEY {
                return Err(WriteError::LongKey(self.pointer.clone()));
            }
            self.out.push(':');
            let parent = self.pointer.len();
            self.pointer.push_str(&pointer_step(key));
            match value {
                Value::Object(map) if !map.is_empty() => {
                    self.out.push('\n');
                    self.indent(indent + 2);
                    self.map(map, indent + 2)?;
                }
                Value::Array(list) if !list.is_empty() => {
                    self.out.push('\n');
                    self.indent(indent);
                    self.list(list, indent)?;
                }
                _ => {
                    self.out.push(' ');
                    self.value(value, indent + 2)?;
                }
            }
            self.pointer.truncate(parent);
        }
        Ok(())
    }

    /// Writes the items of a list whose first line is indented already.
    fn list(&mut self, list: &[Value], indent: usize) -> Result<(), WriteError> {
        for (at, value) in list.iter().enumerate() {
            if at > 0 {
                self.indent(indent);
            }
            self.out.push_str("- ");
            let parent = self.pointer.len();
            self.pointer.push_str(&format!("/{at}"));
            match value {
                Value::Object(map) if !map.is_empty() => self.map(map, indent + 2)?,
                Value::Array(list) if !list.is_empty() => self.list(list, indent + 2)?,
                _ => self.value(value, indent + 2)?,
            }
            self.pointer.truncate(parent);
        }
        Ok(())
    }

    /// Writes what needs no structure, to the end of its line; the lines of a literal block are indented by `inner`.
    fn value(&mut self, value: &Value, inner: usize) -> Result<(), WriteError> {
        match value {
            Value::Null => return Err(WriteError::Null(self.pointer.clone())),
            Value::Bool(true) => self.out.push_str("true"),
            Value::Bool(false) => self.out.push_str("false"),
            Value::Number(number) => push_number(&mut self.out, number),
            Value::String(text) if is_literal(text) => {
                self.out.push_str(if text.ends_with('\n') { "|" } else { "|-" });
                for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
                    self.out.push('\n');
                    if !line.is_empty() {
                        self.indent(inner);
                        self.out.push_str(line);
                    }
                }
            }
            Value::String(text) => push_scalar(&mut self.out, text),
            Value::Array(_) => self.out.push_str("[]"),
            Value::Object(_) => self.out.push_str("{}"),
        }
        self.out.push('\n');
        Ok(())
    }
}
