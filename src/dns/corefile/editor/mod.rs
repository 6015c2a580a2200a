//! One block of lines between two marker comments, and nothing else of a Corefile.
//!
//! Markers are found by their place among the words, so that a marker in a quoted word is none. Whatever is not plain
//! is refused: it was edited by hand, and guessing would cost somebody the DNS of a cluster. Every result is read again,
//! and handed out only when no word outside the block has changed.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::Range};

use crate::dns::corefile::{
    address::Address,
    lexer::{Comment, Piece, Token, lex},
    parser::{Files, Server, parse},
    problem::{ParseError, Position},
};

/// The comments around a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Markers<'a> {
    begin: &'a str,
    end: &'a str,
}

/// Why two texts are no [`Markers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkersError {
    /// One is no comment of one line, or has white space around it.
    #[error("a marker must be a comment on one line, from its `#` to its last letter")]
    NoComment,
    /// Both are the same.
    #[error("the two markers must differ")]
    Same,
}

impl<'a> Markers<'a> {
    /// Takes two comments, without indentation and line end.
    pub fn new(begin: &'a str, end: &'a str) -> Result<Self, MarkersError> {
        let is_comment = |text: &str| text.starts_with('#') && text.trim() == text && !text.contains(['\n', '\r']);
        if !is_comment(begin) || !is_comment(end) {
            return Err(MarkersError::NoComment);
        }
        if begin == end { Err(MarkersError::Same) } else { Ok(Self { begin, end }) }
    }

    /// The comment before the block.
    pub fn begin(&self) -> &'a str {
        self.begin
    }

    /// The comment behind the block.
    pub fn end(&self) -> &'a str {
        self.end
    }
}

/// Where a block belongs: the server block for plain DNS that serves a zone on a port.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The zone in lower case with its trailing dot; the root is `.`.
    pub zone: &'a str,
    /// The port.
    pub port: u16,
    /// The comments around the block.
    pub markers: Markers<'a>,
    /// Whether a line between them, without indentation, is one that the owner of the block writes. Any other one was put
    /// there by somebody, who would lose it.
    pub owns: fn(&str) -> bool,
}

/// Why a Corefile is not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// CoreDNS itself does not read it.
    #[error("CoreDNS cannot read the Corefile")]
    Unreadable(#[source] ParseError),
    /// Nothing serves the zone.
    #[error("no server block serves `{zone}` on port {port}")]
    NoServer {
        /// The zone.
        zone: String,
        /// The port.
        port: u16,
    },
    /// More than one server block serves the zone.
    #[error("more than one server block serves `{zone}` on port {port}; the second begins at {second}")]
    ManyServers {
        /// The zone.
        zone: String,
        /// The port.
        port: u16,
        /// The second one.
        second: Position,
    },
    /// The server block has no braces of its own, or shares a line with one.
    #[error("the server block at {server} must end with a `}}` on a line of its own")]
    NoOwnBrace {
        /// Its first word.
        server: Position,
    },
    /// Only one of the two markers is there.
    #[error("there is `{found}` at {at}, but no `{missing}`")]
    OneSided {
        /// The marker that is there.
        found: String,
        /// Where.
        at: Position,
        /// The marker that is not.
        missing: String,
    },
    /// A marker is there more than once.
    #[error("`{marker}` stands at {first} and again at {second}")]
    Twice {
        /// The marker.
        marker: String,
        /// The first place.
        first: Position,
        /// The second place.
        second: Position,
    },
    /// The end comes before the beginning.
    #[error("`{end}` at {at} stands before `{begin}`")]
    Reversed {
        /// The marker of the end.
        end: String,
        /// Where it stands.
        at: Position,
        /// The marker of the beginning.
        begin: String,
    },
    /// A marker stands outside the server block, inside the block of a plugin, or not alone on its line.
    #[error("`{marker}` at {at} must stand on a line of its own directly in the server block, not {problem}")]
    Misplaced {
        /// The marker.
        marker: String,
        /// Where it stands.
        at: Position,
        /// What is so instead.
        problem: &'static str,
    },
    /// Somebody has put a line of theirs between the markers.
    #[error("`{}` at {at} stands between the markers and is not ours: it would be lost", .line.escape_debug())]
    Foreign {
        /// Where it begins.
        at: Position,
        /// The line.
        line: String,
    },
    /// A line cannot stand in the block.
    #[error("line {number} of the new block is not made of plain words: `{}`", .line.escape_debug())]
    Content {
        /// Which, from 1.
        number: usize,
        /// The line.
        line: String,
    },
    /// The result would mean something else outside the block, too.
    #[error("the change would alter what stands outside the block")]
    ChangesMore,
}

/// Puts a block into a Corefile, or in the place of the one that is there.
///
/// A new block stands before the closing brace of its server block. It is indented like the last line before that brace,
/// an old block keeps its indentation; line ends are those of the neighbours. Every line must be plain words with single
/// blanks between them: no quotes, braces, comments and imports.
///
/// # Errors
/// Whatever [`EditError`] lists; nothing is changed then.
pub fn insert(corefile: &str, place: &Place<'_>, lines: &[String]) -> Result<String, EditError> {
    if let Some(index) = lines.iter().position(|line| !is_plain(line)) {
        return Err(EditError::Content { number: index + 1, line: lines[index].clone() });
    }
    let found = find(corefile, place)?;
    check_owned(corefile, &found, place)?;
    let (span, sample) = match &found.block {
        Some(block) => (block.clone(), &corefile[block.clone()]),
        None => (found.brace..found.brace, last_line(&corefile[..found.brace])),
    };
    let mut indent = &sample[..sample.len() - sample.trim_start_matches([' ', '\t']).len()];
    if found.block.is_none() && found.is_empty {
        indent = "    ";
    }
    let first_line = sample.split_inclusive('\n').next().unwrap_or(sample);
    let line_end = if first_line.ends_with("\r\n") { "\r\n" } else { "\n" };
    let mut block = String::new();
    let all = [place.markers.begin].into_iter().chain(lines.iter().map(String::as_str)).chain([place.markers.end]);
    for part in all.flat_map(|line| [indent, line, line_end]) {
        block.push_str(part);
    }
    splice(corefile, span, &block)
}

/// Takes the block out of a Corefile. One without a block stays as it is.
///
/// # Errors
/// Whatever [`EditError`] lists; nothing is changed then.
pub fn remove(corefile: &str, place: &Place<'_>) -> Result<String, EditError> {
    let found = find(corefile, place)?;
    check_owned(corefile, &found, place)?;
    match found.block {
        Some(block) => splice(corefile, block, ""),
        None => Ok(corefile.to_owned()),
    }
}

/// The lines between the markers, without indentation and line ends; nothing when there is no block.
///
/// # Errors
/// Whatever [`EditError`] lists.
pub fn read<'c>(corefile: &'c str, place: &Place<'_>) -> Result<Option<Vec<&'c str>>, EditError> {
    Ok(find(corefile, place)?.block.map(|block| {
        let lines: Vec<_> = corefile[block].lines().map(str::trim).collect();
        lines[1..lines.len() - 1].to_vec()
    }))
}

/// Whether a line is words that no lexer and no environment can change.
fn is_plain(line: &str) -> bool {
    !line.is_empty()
        && line.split(' ').all(|word| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'{' | b'}'))
        })
        && line.split(' ').next() != Some("import")
}

/// Refuses a block that holds what its owner does not write. Blank lines are nobody's.
fn check_owned(corefile: &str, found: &Found, place: &Place<'_>) -> Result<(), EditError> {
    let Some(block) = &found.block else { return Ok(()) };
    let first = corefile[..block.start].matches('\n').count() + 1;
    let lines: Vec<_> = corefile[block.clone()].lines().collect();
    let between = (first..).zip(&lines).skip(1).take(lines.len().saturating_sub(2));
    for (number, line) in between {
        let text = line.trim();
        if !text.is_empty() && !(place.owns)(text) {
            let column = line[..line.len() - line.trim_start().len()].chars().count() + 1;
            let at = Position { file: String::new(), line: number, column };
            return Err(EditError::Foreign { at, line: text.to_owned() });
        }
    }
    Ok(())
}

/// What was found in a Corefile.
struct Found {
    /// The lines from marker to marker, with both and with the last line end.
    block: Option<Range<usize>>,
    /// Where the line of the closing brace begins.
    brace: usize,
    /// Whether nothing stands in the server block.
    is_empty: bool,
}

fn find(corefile: &str, place: &Place<'_>) -> Result<Found, EditError> {
    let parsed = parse(corefile, &|_| Files::Unknown).map_err(EditError::Unreadable)?;
    let server = choose(&parsed.servers, place)?;
    let no_own_brace = || EditError::NoOwnBrace { server: Position::of(&server.keys[0]) };
    let (Some(open), Some(close)) = (&server.open, &server.close) else { return Err(no_own_brace()) };
    let brace = line_start(corefile, close.span.start);
    if brace <= open.span.start || !corefile[brace..close.span.start].trim().is_empty() {
        return Err(no_own_brace());
    }
    let mut tokens = Vec::new();
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    for piece in lex(corefile) {
        match piece {
            Piece::Token(token) => tokens.push(token),
            Piece::Comment(comment) => {
                let text = corefile[comment.span.clone()].trim_end();
                if text == place.markers.begin {
                    begins.push(comment);
                } else if text == place.markers.end {
                    ends.push(comment);
                }
            }
        }
    }
    let is_empty = open.span.end <= close.span.start && corefile[open.span.end..brace].trim().is_empty();
    let (begin, end) = match (only(&begins, place.markers.begin)?, only(&ends, place.markers.end)?) {
        (None, None) => return Ok(Found { block: None, brace, is_empty }),
        (Some(begin), Some(end)) => (begin, end),
        (Some(begin), None) => return Err(one_sided(place.markers.begin, begin, place.markers.end)),
        (None, Some(end)) => return Err(one_sided(place.markers.end, end, place.markers.begin)),
    };
    if end.span.start < begin.span.start {
        let markers = place.markers;
        let (begin, at) = (markers.begin.to_owned(), position(end));
        return Err(EditError::Reversed { end: markers.end.to_owned(), at, begin });
    }
    for (marker, comment) in [(place.markers.begin, begin), (place.markers.end, end)] {
        let problem = if !corefile[line_start(corefile, comment.span.start)..comment.span.start].trim().is_empty() {
            Some("behind something else")
        } else if comment.span.start < open.span.end || comment.span.start > close.span.start {
            Some("outside it")
        } else if !is_between_plugins(&tokens, open, comment) {
            Some("inside the block of a plugin")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(EditError::Misplaced { marker: marker.to_owned(), at: position(comment), problem });
        }
    }
    // A comment before the closing brace is never the end of the text.
    let last = corefile[end.span.end..].find('\n').map_or(corefile.len(), |length| end.span.end + length + 1);
    Ok(Found { block: Some(line_start(corefile, begin.span.start)..last), brace, is_empty })
}

fn choose<'s, 'a>(servers: &'s [Server<'a>], place: &Place<'_>) -> Result<&'s Server<'a>, EditError> {
    let (zone, port) = (place.zone.to_owned(), place.port);
    let wanted = Address { transport: "dns", zone: zone.clone(), port: Some(port) };
    let mut fitting = servers
        .iter()
        .filter(|server| server.keys.iter().any(|key| Address::parse(&key.text).as_ref() == Some(&wanted)));
    match (fitting.next(), fitting.next()) {
        (Some(server), None) => Ok(server),
        (Some(_), Some(second)) => Err(EditError::ManyServers { zone, port, second: Position::of(&second.keys[0]) }),
        (None, _) => Err(EditError::NoServer { zone, port }),
    }
}

fn only<'c>(comments: &'c [Comment], marker: &str) -> Result<Option<&'c Comment>, EditError> {
    match comments {
        [first, second, ..] => {
            Err(EditError::Twice { marker: marker.to_owned(), first: position(first), second: position(second) })
        }
        _ => Ok(comments.first()),
    }
}

fn one_sided(found: &str, at: &Comment, missing: &str) -> EditError {
    EditError::OneSided { found: found.to_owned(), at: position(at), missing: missing.to_owned() }
}

fn position(comment: &Comment) -> Position {
    Position { file: String::new(), line: comment.line, column: comment.column }
}

/// Whether a comment of a server block stands in none of its plugins' blocks, and no such block opens behind it.
fn is_between_plugins(tokens: &[Token<'_>], open: &Token<'_>, comment: &Comment) -> bool {
    let mut depth = 0_usize;
    for token in tokens.iter().skip_while(|token| token.span.start <= open.span.start) {
        if token.span.start > comment.span.start {
            return depth == 0 && token.text != "{";
        }
        match token.text.as_ref() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// The last line that is not blank, with its line end.
fn last_line(text: &str) -> &str {
    text.split_inclusive('\n').rev().find(|line| !line.trim().is_empty()).unwrap_or("")
}

/// Replaces a part of a Corefile, and checks that this part is all that changes.
fn splice(corefile: &str, span: Range<usize>, block: &str) -> Result<String, EditError> {
    let changed = [&corefile[..span.start], block, &corefile[span.end..]].concat();
    let after = span.start..span.start + block.len();
    if outside(corefile, span).eq(outside(&changed, after)) && parse(&changed, &|_| Files::Unknown).is_ok() {
        Ok(changed)
    } else {
        Err(EditError::ChangesMore)
    }
}

/// The words outside a part.
fn outside(text: &str, part: Range<usize>) -> impl Iterator<Item = Cow<'_, str>> {
    lex(text).filter_map(move |piece| match piece {
        Piece::Token(token) if token.span.end <= part.start || token.span.start >= part.end => Some(token.text),
        _ => None,
    })
}
