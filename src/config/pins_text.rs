//! Writes `pins.yaml`. It has two authors: what a person wrote in it stays.

use std::{fmt::Write as _, ops::RangeInclusive};

use crate::{
    config::{
        document, parse_pins,
        place::{Children, Node, Position},
        problem::Source,
    },
    model::{
        name::Name,
        pins::{Candidate, Pin, PinHold, Pins},
    },
};

/// What stands at the head of a file that nobody wrote before.
const HEAD: &str =
    "# Which bytes every OCI reference means. Written by `bobbypin pin update`; you may read, hold and revert it.\n";

/// The text of `pins.yaml` of a cluster.
///
/// Over a former file that has lines of its own for each entry only the entries change that mean something else now, and
/// everything around them stays to the byte: comments above entries, their order, line ends. A comment within a changed
/// entry stays beside its key, or goes above the entry. Over any other file all comments stay, at the head. New entries
/// stand in order of their names, where the others do.
///
/// The former file must be one that [`parse_pins`] reads.
pub fn write_pins(former: Option<&Source>, pins: &Pins, cluster: &Name) -> String {
    let edited = former.and_then(|former| {
        let before = parse_pins(former, cluster).ok()?;
        if before == *pins {
            return String::from_utf8(former.bytes.to_vec()).ok();
        }
        let text = edited(former, &before, pins)?;
        let source = Source { path: former.path.clone(), bytes: text.as_bytes().into() };
        // Whatever a person did with the file, the result means exactly what it should, or it is written anew.
        (parse_pins(&source, cluster).as_ref() == Ok(pins)).then_some(text)
    });
    edited.unwrap_or_else(|| anew(former, pins, cluster))
}

/// The whole file, with the comment at the head of the former one, and below that all its other comments.
fn anew(former: Option<&Source>, pins: &Pins, cluster: &Name) -> String {
    let document = former.and_then(|former| document::read(former).ok());
    let former = former.and_then(|former| std::str::from_utf8(&former.bytes).ok()).unwrap_or(HEAD);
    let former = former.strip_prefix('\u{feff}').unwrap_or(former);
    let head: Vec<_> = former.lines().take_while(|line| line.is_empty() || line.starts_with('#')).collect();
    let mut text = head.iter().fold(String::new(), |text, line| text + line + "\n");
    let lines = Lines::of(former);
    let rest = head.len() + 1..=lines.starts.len();
    let rest = document.as_ref().map(|document| lines.comments(&document.root, rest));
    for Comment { text: comment, .. } in rest.unwrap_or_default() {
        text.push_str(&format!("{comment}\n"));
    }
    text.push_str(&format!(
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata:\n  name: {}\nspec:\n  pins:",
        scalar(cluster.as_str())
    ));
    text.push_str(if pins.0.is_empty() { " []\n" } else { "\n" });
    for (name, pin) in &pins.0 {
        text.push_str(&entry(name, pin, "  ", "\n"));
    }
    text
}

/// Where an entry stands: whole lines.
struct Place<'n> {
    name: String,
    node: &'n Node,
    /// Its lines, counted from 1.
    numbers: RangeInclusive<usize>,
    /// The bytes from the beginning of its first line to the end of its last.
    lines: std::ops::Range<usize>,
    /// What stands before its dash.
    indent: String,
}

fn edited(former: &Source, before: &Pins, pins: &Pins) -> Option<String> {
    let text = std::str::from_utf8(&former.bytes).ok()?;
    let (mark, content) = match text.strip_prefix('\u{feff}') {
        Some(content) => ("\u{feff}", content),
        None => ("", text),
    };
    let document = document::read(former).ok()?;
    let Children::List(nodes) = &document.root.follow("/spec/pins").node.children else { return None };
    let names = document.value.pointer("/spec/pins")?.as_array()?;
    let names = names.iter().map(|entry| entry.get("name")?.as_str().map(str::to_owned));
    let names = names.collect::<Option<Vec<_>>>()?;
    let lines = Lines::of(content);
    let mut places = Vec::with_capacity(nodes.len());
    for (name, node) in names.into_iter().zip(nodes) {
        places.push(lines.place(name, node)?);
    }
    let indent = places.first()?.indent.clone();
    let line_end = if content.contains("\r\n") { "\r\n" } else { "\n" };
    let is_sorted = places.is_sorted_by(|a, b| a.name <= b.name);

    let mut new: Vec<_> = pins.0.iter().filter(|(name, _)| !before.0.contains_key(*name)).collect();
    let mut result = mark.to_owned();
    let mut copied = 0;
    for place in &places {
        let earlier = if is_sorted { new.partition_point(|(name, _)| **name < place.name) } else { 0 };
        // A comment above an entry is about that entry.
        let above = lines.comment_above(place.lines.start, copied);
        result.push_str(&content[copied..above]);
        for (name, pin) in new.drain(..earlier) {
            result.push_str(&entry(name, pin, &indent, line_end));
        }
        result.push_str(&content[above..place.lines.start]);
        copied = place.lines.end;
        match pins.0.get(&place.name) {
            Some(pin) if before.0.get(&place.name) == Some(pin) => result.push_str(&content[place.lines.clone()]),
            Some(pin) => {
                let entry = entry(&place.name, pin, &indent, line_end);
                result.push_str(&lines.with_comments(place, &entry, &indent, line_end));
            }
            None => (),
        }
    }
    if !new.is_empty() && !result.ends_with('\n') {
        result.push_str(line_end);
    }
    for (name, pin) in new {
        result.push_str(&entry(name, pin, &indent, line_end));
    }
    result.push_str(&content[copied..]);
    Some(result)
}

/// The lines of a text.
struct Lines<'a> {
    content: &'a str,
    /// Where each begins, and where the text ends.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(content: &'a str) -> Self {
        let mut starts: Vec<_> = std::iter::once(0).chain(content.match_indices('\n').map(|(at, _)| at + 1)).collect();
        if starts.last() != Some(&content.len()) {
            starts.push(content.len());
        }
        Self { content, starts }
    }

    /// The text of a line, counted from 1, with its end.
    fn line(&self, number: usize) -> Option<&'a str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        self.content.get(start..*self.starts.get(number)?)
    }

    /// The lines of an entry: from its dash to its last value. `None` where it has no lines of its own.
    fn place<'n>(&self, name: String, node: &'n Node) -> Option<Place<'n>> {
        let dash = self.dash(node)?;
        let first = self.line(dash)?;
        let indent = &first[..first.len() - first.trim_start_matches(' ').len()];
        let end = self.last_end(node);
        // What ends a block of text is the beginning of what comes behind it.
        let ends_before = self.line(end.0).is_none_or(|line| line.chars().take(end.1 - 1).all(|c| c == ' '));
        let mut last = if ends_before { end.0 - 1 } else { end.0 };
        while last > node.value.line && self.line(last).is_some_and(|line| is_between(line, indent.len())) {
            last -= 1;
        }
        let lines = *self.starts.get(dash - 1)?..*self.starts.get(last)?;
        Some(Place { name, node, numbers: dash..=last, lines, indent: indent.to_owned() })
    }

    /// The line of the dash before an entry.
    fn dash(&self, node: &Node) -> Option<usize> {
        let first = self.line(node.value.line)?;
        let before: String = first.chars().take(node.value.column.checked_sub(1)?).collect();
        match before.trim() {
            "-" => Some(node.value.line),
            "" => {
                let is_blank = |line: &str| line.is_empty() || line.starts_with('#');
                let number = (1..node.value.line)
                    .rev()
                    .find(|number| self.line(*number).is_some_and(|line| !is_blank(line.trim())))?;
                let line = self.line(number)?.trim();
                (line == "-" || line.starts_with("- #")).then_some(number)
            }
            _ => None,
        }
    }

    /// A changed entry with the comments that stood in it.
    fn with_comments(&self, place: &Place<'_>, entry: &str, indent: &str, line_end: &str) -> String {
        let mut comments = self.comments(place.node, place.numbers.clone());
        let mut lines = String::new();
        for line in entry.lines() {
            let own = line.strip_prefix(indent).and_then(|line| line.get(2..)).unwrap_or_default();
            let key = own.split(':').next();
            lines.push_str(line);
            if let Some(at) = comments.iter().position(|comment| comment.key.is_some() && comment.key == key) {
                lines.push_str(&format!(" {}", comments.remove(at).text));
            }
            lines.push_str(line_end);
        }
        let above = comments.iter().map(|comment| format!("{indent}{}{line_end}", comment.text));
        above.collect::<String>() + &lines
    }

    /// The comments on some lines, which a node stands on.
    fn comments<'n>(&self, node: &'n Node, numbers: RangeInclusive<usize>) -> Vec<Comment<'n>> {
        let mut values = Vec::new();
        push_values(node, &mut values);
        let comment = |number: usize| {
            let is_inside = |(start, end): &(Position, Position)| start.line <= number && number < end.line;
            if values.iter().any(is_inside) {
                return None;
            }
            // A comment stands behind every value that ends on its line.
            let ends = values.iter().filter(|(_, end)| end.line == number).map(|(_, end)| end.column);
            let behind = ends.max().unwrap_or(1).saturating_sub(1);
            let line: Vec<char> = self.line(number)?.chars().collect();
            let is_mark = |at: &usize| line[*at] == '#' && (*at == 0 || line[*at - 1].is_whitespace());
            let at = (behind..line.len()).find(is_mark)?;
            let text = line[at..].iter().collect::<String>().trim_end().to_owned();
            let is_alone = line[..at].iter().all(|c| c.is_whitespace());
            let keys = match &node.children {
                Children::Map(entries) if !is_alone => entries
                    .iter()
                    .filter(|(_, child)| child.key.is_some_and(|key| key.line == number))
                    .map(|(key, _)| key.as_str())
                    .collect(),
                _ => Vec::new(),
            };
            // Where a line has several keys it is about all of them.
            let key = if let [key] = keys.as_slice() { Some(*key) } else { None };
            Some(Comment { key, text })
        };
        numbers.filter_map(comment).collect()
    }

    /// Line and column behind the last value of a node.
    fn last_end(&self, node: &Node) -> (usize, usize) {
        let first = self.line(node.value.line).and_then(|line| line.chars().nth(node.value.column - 1));
        let children: Vec<&Node> = match &node.children {
            // What is in brackets ends with its bracket.
            Children::List(_) | Children::Map(_) if matches!(first, Some('[' | '{')) => Vec::new(),
            Children::None => Vec::new(),
            Children::List(items) => items.iter().collect(),
            Children::Map(entries) => entries.values().collect(),
        };
        let last = children.into_iter().map(|child| self.last_end(child)).max();
        last.unwrap_or((node.end.line, node.end.column))
    }

    /// Where the comment that stands right above a line begins, if it does not begin before `earliest`.
    fn comment_above(&self, start: usize, earliest: usize) -> usize {
        let mut at = start;
        let above = self.starts.iter().rev().skip_while(|line| **line >= start);
        for line in above.take_while(|line| **line >= earliest) {
            if !self.content[*line..at].trim_start().starts_with('#') {
                break;
            }
            at = *line;
        }
        at
    }
}

/// A comment, from its `#` to the end of its line.
struct Comment<'n> {
    /// The key of the value that it stands behind.
    key: Option<&'n str>,
    text: String,
}

/// Where the values without parts below a node begin and end.
fn push_values(node: &Node, values: &mut Vec<(Position, Position)>) {
    match &node.children {
        Children::None => values.push((node.value, node.end)),
        Children::List(items) => items.iter().for_each(|item| push_values(item, values)),
        Children::Map(entries) => entries.values().for_each(|value| push_values(value, values)),
    }
}

/// Whether a line belongs to no entry: it is empty, or a comment that is not further in than the dashes.
fn is_between(line: &str, indent: usize) -> bool {
    let text = line.trim();
    text.is_empty() || (text.starts_with('#') && line.len() - line.trim_start().len() <= indent)
}

/// One entry of the list, in the form that every version writes.
fn entry(name: &str, pin: &Pin, indent: &str, line_end: &str) -> String {
    let mut text = String::new();
    push_entry(&mut text, name, pin).expect("a string takes what is written to it");
    text.lines().map(|line| format!("{indent}{line}{line_end}")).collect()
}

fn push_entry(text: &mut String, name: &str, pin: &Pin) -> std::fmt::Result {
    let Pin { repository, tag, digest, media_type, platforms, first_seen, signature, hold, candidate } = pin;
    writeln!(text, "- name: {}\n  reference: {}\n  tag: {}", scalar(name), scalar(repository), scalar(tag))?;
    writeln!(text, "  digest: {digest}\n  mediaType: {}", media_type.as_str())?;
    push_platforms(text, "  ", platforms)?;
    if let Some(first_seen) = first_seen {
        writeln!(text, "  firstSeen: \"{first_seen}\"")?;
    }
    if let Some(signature) = signature {
        writeln!(text, "  verified:\n    signature: {}", scalar(signature))?;
    }
    if let Some(PinHold { reason, until }) = hold {
        writeln!(text, "  hold:\n    reason: {}", scalar(reason))?;
        if let Some(until) = until {
            writeln!(text, "    until: \"{until}\"")?;
        }
    }
    if let Some(Candidate { tag, digest, media_type, platforms, first_seen }) = candidate {
        writeln!(text, "  candidate:\n    tag: {}\n    digest: {digest}", scalar(tag))?;
        writeln!(text, "    mediaType: {}", media_type.as_str())?;
        push_platforms(text, "    ", platforms)?;
        writeln!(text, "    firstSeen: \"{first_seen}\"")?;
    }
    Ok(())
}

fn push_platforms(text: &mut String, indent: &str, platforms: &[String]) -> std::fmt::Result {
    if platforms.is_empty() {
        return Ok(());
    }
    let platforms: Vec<_> = platforms.iter().map(|platform| scalar(platform)).collect();
    writeln!(text, "{indent}platforms: [{}]", platforms.join(", "))
}

/// A text that every reader of YAML takes for that text: plain where it has the form of a name or reference, else in
/// double quotes. A tag such as `1.36` would be a number, and one such as `on` a boolean.
fn scalar(text: &str) -> String {
    let marks = |c: char| matches!(c, '-' | '/' | '.' | ':' | '_');
    let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.contains(['-', '/'])
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || marks(c));
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            // Letters of other scripts stay readable; what cannot be seen is written as its number.
            _ if character.is_alphanumeric() => quoted.push(character),
            '\0'..='\u{ffff}' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(character))),
        }
    }
    quoted + "\""
}
