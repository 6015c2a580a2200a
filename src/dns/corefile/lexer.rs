//! The words of a Corefile, as the lexer of CoreDNS splits it.
//!
//! Read from `caddyfile/lexer.go` of `github.com/coredns/caddy` 1.1.4, which CoreDNS 1.15 uses. What is easily taken
//! for granted, and is not so there:
//!
//! - A carriage return outside quotes is dropped, so that it joins what stands beside it.
//! - `#` begins a comment anywhere. At the beginning of a word it lasts until the end of the line; inside a word only
//!   until the next white space, and what follows are words again.
//! - A quote counts only at the beginning of a word, and a quoted word may span lines. Only `\"` is an escape. Where
//!   the closing quote is missing, everything up to the end of the text is one word.
//! - A quoted brace is as good as a bare one.
//! - Any white space of Unicode ends a word; only `\n` ends a line.
//! - There are no here-documents.

use std::{borrow::Cow, ops::Range};

/// One word of a Corefile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What CoreDNS takes it for: without quotes, escapes and dropped carriage returns. References to the environment
    /// stand as they are written.
    pub text: Cow<'a, str>,
    /// Where it stands, in bytes of its file, its quotes included.
    pub span: Range<usize>,
    /// The line that it begins on, from 1.
    pub line: usize,
    /// The place in that line, in characters, from 1.
    pub column: usize,
    /// The file that it stands in; empty for the Corefile itself.
    pub file: &'a str,
}

impl Token<'_> {
    /// Whether its text is changed by the environment of CoreDNS: it holds `{$NAME}` or `{%NAME%}`.
    pub fn depends_on_environment(&self) -> bool {
        has_reference(&self.text, "{%", "%}") || has_reference(&self.text, "{$", "}")
    }

    /// How many line ends stand inside it.
    pub(super) fn line_breaks(&self) -> usize {
        // A short word is looked through faster than a search is prepared.
        self.text.bytes().filter(|&byte| byte == b'\n').count()
    }
}

/// Only the first opener counts: CoreDNS stops at a reference without a name.
fn has_reference(text: &str, open: &str, close: &str) -> bool {
    text.find(open).and_then(|start| text[start..].find(close)).is_some_and(|length| length > open.len())
}

/// One comment of a Corefile, from its `#` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands, in bytes. It ends before the line end or, behind a word, before the next white space.
    pub span: Range<usize>,
    /// Its line, from 1.
    pub line: usize,
    /// The place in that line, in characters, from 1.
    pub column: usize,
}

/// A word or a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A word.
    Token(Token<'a>),
    /// A comment. CoreDNS does not see it.
    Comment(Comment),
}

/// Takes a Corefile apart, in one pass and in order of place. Every text can be taken apart.
///
/// CoreDNS reads each byte that is not UTF-8 as U+FFFD; a caller who has bytes must do the same before.
pub fn lex(text: &str) -> impl Iterator<Item = Piece<'_>> {
    Lexer::new(text, "")
}

/// The words alone, each marked with the file it stands in.
pub(super) fn tokens<'a>(text: &'a str, file: &'a str) -> impl Iterator<Item = Token<'a>> {
    Lexer::new(text, file).filter_map(|piece| match piece {
        Piece::Token(token) => Some(token),
        Piece::Comment(_) => None,
    })
}

struct Lexer<'a> {
    text: &'a str,
    file: &'a str,
    at: usize,
    line: usize,
    column: usize,
    /// A comment that began inside a word comes after it.
    comment: Option<Comment>,
}

/// A word that is being read.
struct Word {
    span: Range<usize>,
    line: usize,
    column: usize,
    /// Its text, once that is no longer what stands in the span.
    rewritten: Option<String>,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, file: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, file, at, line: 1, column: 1, comment: None }
    }

    fn peek(&self) -> Option<char> {
        match self.text.as_bytes().get(self.at) {
            Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
            Some(_) => self.text[self.at..].chars().next(),
            None => None,
        }
    }

    /// Goes past `character`, which [`Self::peek`] has shown.
    fn pass(&mut self, character: char) {
        self.at += character.len_utf8();
        if character == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }

    /// Goes past letters that mean nothing inside a word.
    fn pass_plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_graphic() || *byte == b'#').unwrap_or(rest.len());
        self.at += length;
        self.column += length;
    }

    fn token(&self, word: Word) -> Token<'a> {
        let Word { span, line, column, rewritten } = word;
        let text = rewritten.map_or_else(|| Cow::Borrowed(&self.text[span.clone()]), Cow::Owned);
        Token { text, span, line, column, file: self.file }
    }

    /// Reads on behind an opening quote.
    fn quoted(&mut self, quote: usize, line: usize, column: usize) -> Option<Token<'a>> {
        let start = self.at;
        let mut word = Word { span: quote..start, line, column, rewritten: None };
        let mut is_escaped = false;
        while let Some(character) = self.peek() {
            let at = self.at;
            self.pass(character);
            word.span.end = self.at;
            match character {
                '\\' if !is_escaped => {
                    is_escaped = true;
                    continue;
                }
                '"' if !is_escaped => {
                    let text = word.rewritten.take().map_or_else(|| Cow::Borrowed(&self.text[start..at]), Cow::Owned);
                    return Some(Token { text, span: word.span, line, column, file: self.file });
                }
                '"' => {
                    // Without the backslash before it.
                    word.rewritten.get_or_insert_with(|| self.text[start..at - 1].to_owned()).push('"');
                }
                _ => {
                    if let Some(text) = &mut word.rewritten {
                        if is_escaped {
                            text.push('\\');
                        }
                        text.push(character);
                    }
                }
            }
            is_escaped = false;
        }
        // A backslash at the very end is lost, and so is a quote with nothing behind it.
        let end = self.at - usize::from(is_escaped);
        let text = word.rewritten.map_or_else(|| Cow::Borrowed(&self.text[start..end]), Cow::Owned);
        (!text.is_empty()).then_some(Token { text, span: quote..self.at, line, column, file: self.file })
    }

    /// Reads a comment from its `#` on. `in_word`: the first white space ends it.
    fn comment(&mut self, in_word: bool) -> Comment {
        let (start, line, column) = (self.at, self.line, self.column);
        while let Some(character) = self.peek() {
            if character == '\n' || in_word && character != '\r' && character.is_whitespace() {
                break;
            }
            self.pass(character);
        }
        Comment { span: start..self.at, line, column }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if let Some(comment) = self.comment.take() {
            return Some(Piece::Comment(comment));
        }
        let mut word: Option<Word> = None;
        while let Some(character) = self.peek() {
            let (at, line, column) = (self.at, self.line, self.column);
            match &mut word {
                None => match character {
                    '#' => return Some(Piece::Comment(self.comment(false))),
                    '"' => {
                        self.pass(character);
                        return self.quoted(at, line, column).map(Piece::Token);
                    }
                    _ => {
                        self.pass(character);
                        if !character.is_whitespace() {
                            word = Some(Word { span: at..self.at, line, column, rewritten: None });
                        }
                    }
                },
                Some(word) => match character {
                    '\r' => {
                        self.pass(character);
                        let text = &self.text[word.span.clone()];
                        word.rewritten.get_or_insert_with(|| text.to_owned());
                    }
                    '#' => {
                        self.comment = Some(self.comment(true));
                        break;
                    }
                    _ if character.is_whitespace() => break,
                    _ => {
                        self.pass(character);
                        self.pass_plain();
                        word.span.end = self.at;
                        if let Some(text) = &mut word.rewritten {
                            text.push_str(&self.text[at..self.at]);
                        }
                    }
                },
            }
        }
        word.map(|word| Piece::Token(self.token(word)))
    }
}
