//! The rewrite rules of a Corefile: which name each one catches.
//!
//! Read from CoreDNS 1.15 (`plugin/rewrite`). Rules are tried in the order of the file; the first that matches and is
//! not marked `continue` ends the search.

use crate::dns::corefile::{lexer::Token, parser::Directive};

/// One rule about names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRule<'d, 'a> {
    /// Its first word.
    pub at: &'d Token<'a>,
    /// Whether later rules are tried when it has matched.
    pub goes_on: bool,
    /// What it catches.
    pub from: From,
    /// The name that it puts in place, as written.
    pub to: &'d str,
}

/// Which names a rule catches. All but [`From::Regex`] are in lower case and absolute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// This one.
    Exact(String),
    /// Those that begin so. The text ends in a dot, too.
    Prefix(String),
    /// Those that end so.
    Suffix(String),
    /// Those that hold this.
    Substring(String),
    /// Those that this expression matches; it is not looked into.
    Regex(String),
}

impl From {
    /// Whether a name in lower case with its trailing dot is caught; nothing for an expression.
    pub fn catches(&self, name: &str) -> Option<bool> {
        match self {
            Self::Exact(from) => Some(name == from),
            Self::Prefix(from) => Some(name.starts_with(from)),
            Self::Suffix(from) => Some(name.ends_with(from)),
            Self::Substring(from) => Some(name.contains(from.as_str())),
            Self::Regex(_) => None,
        }
    }
}

/// Reads one `rewrite` of a server block. Nothing for a rule about something else than names, and for one that CoreDNS
/// refuses.
pub fn name_rule<'d, 'a>(directive: &'d Directive<'a>) -> Option<NameRule<'d, 'a>> {
    if directive.name() != "rewrite" {
        return None;
    }
    let mut words: Vec<&'d str> = directive.arguments().iter().map(|word| word.text.as_ref()).collect();
    if words.len() < 2 {
        // Only with fewer than two words on its line does CoreDNS read the block.
        words.extend(
            directive
                .words
                .iter()
                .skip(words.len() + 1)
                .map(|word| word.text.as_ref())
                .filter(|word| !matches!(*word, "{" | "}")),
        );
    }
    let (goes_on, words) = match words.split_first()? {
        (mode, rest) if mode.eq_ignore_ascii_case("continue") => (true, rest),
        (mode, rest) if mode.eq_ignore_ascii_case("stop") => (false, rest),
        _ => (false, words.as_slice()),
    };
    let (kind, words) = words.split_first()?;
    if !kind.eq_ignore_ascii_case("name") {
        return None;
    }
    let (from, to) = match words {
        [from, to] => (From::Exact(absolute(from)), *to),
        [kind, from, to, ..] => {
            let from = match kind.to_ascii_lowercase().as_str() {
                "exact" => From::Exact(absolute(from)),
                "prefix" => From::Prefix(absolute(from)),
                "suffix" => From::Suffix(absolute(from)),
                "substring" => From::Substring(absolute(from)),
                "regex" => From::Regex((*from).to_owned()),
                _ => return None,
            };
            (from, *to)
        }
        _ => return None,
    };
    Some(NameRule { at: &directive.words[0], goes_on, from, to })
}

/// A name in lower case with its trailing dot.
pub(super) fn absolute(name: &str) -> String {
    let mut name = name.to_lowercase();
    if !name.ends_with('.') {
        name.push('.');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::corefile::parser::{Files, parse};

    fn rule(line: &str) -> Option<(bool, From, String)> {
        let text = format!(".:53 {{\n{line}\n}}\n");
        let corefile = parse(&text, &|_| Files::Unknown).expect("a Corefile that parses");
        let rule = name_rule(&corefile.servers[0].directives[0])?;
        Some((rule.goes_on, rule.from, rule.to.to_owned()))
    }

    #[test]
    fn rules_are_read_as_coredns_reads_them() {
        let exact = |name: &str| From::Exact(name.to_owned());
        for (line, goes_on, from, to) in [
            ("rewrite name A.example.org b.", false, exact("a.example.org."), "b."),
            ("rewrite stop name exact a. b.", false, exact("a."), "b."),
            ("rewrite CONTINUE NAME a b", true, exact("a."), "b"),
            ("rewrite name regex a(.*) b{1} answer auto", false, From::Regex("a(.*)".to_owned()), "b{1}"),
            (
                "rewrite name suffix .example.org .example.com",
                false,
                From::Suffix(".example.org.".to_owned()),
                ".example.com",
            ),
            ("rewrite name prefix dev x", false, From::Prefix("dev.".to_owned()), "x"),
            ("rewrite name substring dev x", false, From::Substring("dev.".to_owned()), "x"),
            ("rewrite stop {\n name exact a b\n answer name b a\n }", false, exact("a."), "b"),
            ("rewrite name exact x", false, exact("exact."), "x"),
        ] {
            assert_eq!(rule(line), Some((goes_on, from, to.to_owned())), "{line}");
        }
        for line in [
            "rewrite class HS IN",
            "rewrite name",
            "rewrite",
            "rewrite name a",
            "rewrote name a b",
            "rewrite name odd a b",
        ] {
            assert_eq!(rule(line), None, "{line}");
        }
    }
}
