//! Whether the live Corefile says what the one in Git says.
//!
//! Only what CoreDNS reads counts: words, and which of them begin a line. What programs write between a person's lines is
//! left out on both sides: our block, that of ouroboros, and the lines of hairpin-proxy.

use std::{borrow::Cow, collections::BTreeSet, iter};

use crate::dns::{
    block::{BEGIN, BlockError, END, place, yaml},
    corefile::{
        editor,
        lexer::{Piece, lex},
        lint::HAIRPIN_COMMENT,
    },
    ouroboros,
};

/// The most letters of a line that are shown.
const SHOWN: usize = 120;

/// A line of a text that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which, from 1: in Git, of the whole file; live, of the Corefile.
    pub number: usize,
    /// What it says, on one line and not longer than a message can hold.
    pub text: String,
}

/// The first place at which two Corefiles say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The lines say different things.
    Between {
        /// In Git.
        git: Line,
        /// In the cluster.
        live: Line,
    },
    /// The live one ends before this.
    OnlyInGit(Line),
    /// The one in Git ends before this.
    OnlyLive(Line),
}

/// Our block of the file in Git, as the cluster has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveBlock {
    /// Line by line the same; or Git has none.
    Same,
    /// Another one, or one that is damaged.
    Other,
    /// None.
    Missing,
}

/// How the live Corefile stands to the file in Git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Outside of what programs write; nothing when both say the same.
    pub difference: Option<Difference>,
    /// What became of our block.
    pub block: LiveBlock,
}

/// Compares the Corefile that a file holds with the live one.
///
/// # Errors
///
/// Whatever [`BlockError`] lists, for the file.
pub fn drift(manifest: &str, live: &str) -> Result<Drift, BlockError> {
    let scalar = yaml::find(manifest)?;
    let committed = editor::read(&scalar.value, &place());
    let committed = committed.map_err(|source| BlockError::Corefile { line: scalar.line, source })?;
    let block = match (committed, editor::read(live, &place())) {
        (None, _) => LiveBlock::Same,
        (Some(wanted), Ok(Some(found))) if wanted == found => LiveBlock::Same,
        // A marker alone is a block that somebody damaged.
        (Some(_), _) if live.contains(BEGIN) || live.contains(END) => LiveBlock::Other,
        (Some(_), _) => LiveBlock::Missing,
    };
    Ok(Drift { difference: difference(&scalar.value, scalar.first_line, live), block })
}

/// A word of somebody.
#[derive(Debug)]
struct Word<'a> {
    text: Cow<'a, str>,
    line: usize,
    begins_line: bool,
}

/// `before`: how many lines of the file stand before the Corefile.
fn difference(git: &str, before: usize, live: &str) -> Option<Difference> {
    let (ours, theirs) = (words(git), words(live));
    let same = iter::zip(&ours, &theirs)
        .take_while(|(one, other)| one.text == other.text && one.begins_line == other.begins_line)
        .count();
    let shown = |text: &str, word: &Word<'_>, before| {
        let line = text.lines().nth(word.line - 1).unwrap_or_default().trim();
        Line { number: before + word.line, text: line.escape_debug().take(SHOWN).collect() }
    };
    match (ours.get(same), theirs.get(same)) {
        (None, None) => None,
        (Some(word), None) => Some(Difference::OnlyInGit(shown(git, word, before))),
        (None, Some(word)) => Some(Difference::OnlyLive(shown(live, word, 0))),
        (Some(one), Some(other)) => {
            Some(Difference::Between { git: shown(git, one, before), live: shown(live, other, 0) })
        }
    }
}

fn words(corefile: &str) -> Vec<Word<'_>> {
    let written = written_by_programs(corefile);
    let mut words: Vec<Word<'_>> = Vec::new();
    for piece in lex(corefile) {
        if let Piece::Token(token) = piece
            && !written.contains(&token.line)
        {
            let begins_line = words.last().is_none_or(|last| last.line != token.line);
            words.push(Word { text: token.text, line: token.line, begins_line });
        }
    }
    words
}

/// The lines that no person keeps, from 1. A block without its end is none.
fn written_by_programs(corefile: &str) -> BTreeSet<usize> {
    let lines: Vec<_> = corefile.lines().map(str::trim).collect();
    let mut written = BTreeSet::new();
    for (begin, end) in [(BEGIN, END), (ouroboros::corefile::BEGIN, ouroboros::corefile::END)] {
        let first = lines.iter().position(|line| *line == begin);
        let last = lines.iter().position(|line| *line == end);
        if let (Some(first), Some(last)) = (first, last) {
            written.extend(first + 1..=last + 1);
        }
    }
    written.extend((1..).zip(&lines).filter(|(_, line)| line.ends_with(HAIRPIN_COMMENT)).map(|(number, _)| number));
    written
}
