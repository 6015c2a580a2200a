//! Why CoreDNS does not read a Corefile, and where.

use std::fmt;

use crate::dns::corefile::{lexer::Token, parser::MAX_BYTES};

/// Why CoreDNS does not read a Corefile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ParseError {
    /// Where.
    pub place: Position,
    /// What is wrong there.
    pub problem: Problem,
}

/// A place in a Corefile or in a file that it imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The imported file; empty for the Corefile itself.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The place in that line, in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Where a word begins.
    pub fn of(token: &Token<'_>) -> Self {
        Self { file: token.file.to_owned(), line: token.line, column: token.column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(out, "{}, ", self.file)?;
        }
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a Corefile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is longer than [`MAX_BYTES`].
    #[error("the text has {bytes} bytes; no ConfigMap holds more than {MAX_BYTES}, so it is not read")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A comma promises another zone, and none follows.
    #[error("another zone must follow the comma")]
    ZoneMissing,
    /// A `}` that no `{` belongs to.
    #[error("this `}}` closes nothing")]
    UnmatchedClose,
    /// A server block that nothing closes.
    #[error("the server block that begins here is not closed by a `}}`")]
    ServerNotClosed,
    /// A plugin's block that nothing closes.
    #[error("the block of `{}` that begins here is not closed by a `}}`", .name.escape_debug())]
    DirectiveNotClosed {
        /// The plugin.
        name: String,
    },
    /// A snippet without braces around it.
    #[error("the snippet `{}` needs a block in braces", .name.escape_debug())]
    SnippetWithoutBlock {
        /// Its name.
        name: String,
    },
    /// A snippet that nothing closes.
    #[error("the snippet `{}` is not closed by a `}}`", .name.escape_debug())]
    SnippetNotClosed {
        /// Its name.
        name: String,
    },
    /// A second snippet of one name.
    #[error("the snippet `{}` exists already", .name.escape_debug())]
    SnippetTwice {
        /// Its name.
        name: String,
    },
    /// A snippet that imports itself.
    #[error("the snippet `{}` imports itself", .name.escape_debug())]
    SnippetInItself {
        /// Its name.
        name: String,
    },
    /// `import` alone, with an empty word or with more than one word behind it.
    #[error("`import` takes exactly one file, glob or snippet")]
    ImportArguments,
    /// A glob that CoreDNS does not take.
    #[error("the pattern `{}` of this import has more than one wildcard, or is none", .pattern.escape_debug())]
    ImportPattern {
        /// The glob.
        pattern: String,
    },
    /// A file that is not there.
    #[error("the imported file `{}` does not exist", .pattern.escape_debug())]
    ImportMissing {
        /// The file.
        pattern: String,
    },
    /// Imports that have no end, or nearly so.
    #[error("imports bring in too much here; does something import itself?")]
    ImportsTooMuch,
}
