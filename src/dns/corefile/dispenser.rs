//! The words of one plugin, handed out as CoreDNS hands them to the code that sets the plugin up.
//!
//! Read from `caddyfile/dispenser.go` of `github.com/coredns/caddy` 1.1.4. A plugin that stands in a server block several
//! times gets the words of all places at once.

use crate::dns::corefile::lexer::Token;

/// A cursor in the words of one plugin.
#[derive(Debug)]
pub(super) struct Dispenser<'d, 'a> {
    words: Vec<&'d Token<'a>>,
    /// How many words were passed; the last of them is the current one.
    passed: usize,
    nesting: usize,
}

impl<'d, 'a> Dispenser<'d, 'a> {
    /// Before the first word.
    pub(super) fn new(words: Vec<&'d Token<'a>>) -> Self {
        Self { words, passed: 0, nesting: 0 }
    }

    /// The current word; before the first one that is the first.
    pub(super) fn word(&self) -> &'d Token<'a> {
        self.words[self.passed.saturating_sub(1)]
    }

    /// The text of the current word.
    pub(super) fn text(&self) -> &'d str {
        &self.word().text
    }

    /// Goes on to the next word.
    pub(super) fn next(&mut self) -> bool {
        let has_next = self.passed < self.words.len();
        self.passed += usize::from(has_next);
        has_next
    }

    /// Goes on to the next word of this line.
    pub(super) fn next_argument(&mut self) -> bool {
        if self.passed == 0 {
            return self.next();
        }
        let (current, Some(following)) = (self.word(), self.words.get(self.passed)) else { return false };
        current.file == following.file && current.line + current.line_breaks() == following.line && self.next()
    }

    /// Goes on to the next word of the block that is open, or that opens on this line; the end of a block is passed.
    pub(super) fn next_in_block(&mut self) -> bool {
        if self.nesting > 0 {
            if !self.next() {
                return false;
            }
            match self.text() {
                "{" => self.passed -= 1,
                "}" => {
                    self.nesting -= 1;
                    return false;
                }
                _ => return true,
            }
        }
        if !self.next_argument() {
            return false;
        }
        if self.text() != "{" {
            self.passed -= 1;
            return false;
        }
        if !self.next() || self.text() == "}" {
            return false;
        }
        self.nesting += 1;
        true
    }

    /// The words up to the end of the line or to a brace.
    pub(super) fn arguments(&mut self) -> Vec<&'d Token<'a>> {
        let mut found = Vec::new();
        while self.next_argument() {
            if self.text() == "{" {
                self.passed -= 1;
                break;
            }
            found.push(self.word());
        }
        found
    }
}
