//! The arguments of `rewrite`.
//!
//! Read from CoreDNS 1.15 (`plugin/rewrite`). What is easily overlooked: an exact rule compiles the name that it puts in
//! place as an expression, and counts the `{n}` of the name that it looks for, so that a brace in either can cost the whole
//! file.

use crate::dns::corefile::{
    dispenser::Dispenser,
    expression::{Expression, MAX_BYTES, expression},
    lexer::Token,
    rewrite::absolute,
    validate::{Objection, Outcome, arguments::unsigned, doubtful, refused},
};

/// The classes of queries.
pub(super) const CLASSES: [&str; 6] = ["IN", "CS", "CH", "HS", "NONE", "ANY"];
/// The types of queries that are usual; there are many more.
pub(super) const TYPES: [&str; 20] = [
    "A", "AAAA", "ANY", "AXFR", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "PTR", "SOA",
    "SPF", "SRV", "SVCB", "TLSA", "TXT",
];

pub(super) fn check(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        let at = words.word();
        let mut arguments = words.arguments();
        if arguments.len() < 2 {
            while words.next_in_block() {
                arguments.push(words.word());
            }
        }
        rule(at, &arguments)?;
    }
    Ok(())
}

fn rule(at: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    let Some(first) = arguments.first() else { return Err(refused(at, "`rewrite` says not what to rewrite")) };
    let is_mode = ["continue", "stop"].contains(&first.text.to_lowercase().as_str());
    let rest = &arguments[usize::from(is_mode)..];
    let Some((kind, rest)) = rest.split_first() else {
        return Err(refused(first, "`rewrite` says not what to rewrite"));
    };
    match kind.text.to_lowercase().as_str() {
        "name" => name(kind, rest),
        "class" | "type" if rest.len() != 2 => Err(refused(kind, "this rule takes exactly two arguments")),
        "class" => known(rest, &CLASSES, |word| refused(word, "there is no such class of queries")),
        "type" => {
            known(rest, &TYPES, |word| doubtful(word, "whether there is such a type of queries was not looked at"))
        }
        "ttl" => ttl(kind, rest),
        "edns0" | "cname" | "rcode" => Err(doubtful(kind, "the arguments of this rule were not looked at")),
        "answer" => Err(refused(kind, "a rule for answers must begin with one for names")),
        _ => Err(refused(kind, "there is no such rule")),
    }
}

fn known(words: &[&Token<'_>], lawful: &[&str], objection: impl Fn(&Token<'_>) -> Objection) -> Outcome {
    match words.iter().find(|word| !lawful.contains(&word.text.to_uppercase().as_str())) {
        Some(word) => Err(objection(word)),
        None => Ok(()),
    }
}

fn name(at: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    let (kind, from, to) = match arguments {
        [] | [_] => {
            return Err(refused(at, "a rule for names needs the name that it looks for and the one in its place"));
        }
        [from, to] => ("exact".to_owned(), from, to),
        [kind, from, to, ..] => (kind.text.to_lowercase(), from, to),
    };
    let mut answers = arguments.get(3..).unwrap_or_default();
    if let Some((first, rest)) = answers.split_first()
        && first.text == "metadata"
    {
        if kind != "regex" {
            return Err(refused(first, "only expressions can use metadata"));
        }
        if rest.is_empty() {
            return Err(doubtful(first, "metadata in a rule was not looked at"));
        }
        answers = rest;
    }
    if let Some(first) = answers.first() {
        answer_rules(first, answers)?;
    }
    match kind.as_str() {
        "exact" => replaces(to, &fully(&to.text), &fully(&from.text)),
        "regex" => replaces(from, &from.text, &to.text),
        "prefix" | "suffix" | "substring" => Ok(()),
        _ => Err(refused(arguments[0], "names are matched as exact, prefix, suffix, substring or regex")),
    }
}

/// A name in lower case with its trailing dot.
fn fully(name: &str) -> String {
    // A dot behind a backslash is none.
    let stem = name.strip_suffix('.').unwrap_or("");
    let slashes = stem.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if slashes % 2 == 1 { name.to_lowercase() + "." } else { absolute(name) }
}

/// Whether an expression is one, and has the groups that a text uses.
fn replaces(at: &Token<'_>, pattern: &str, text: &str) -> Outcome {
    if pattern.len() > MAX_BYTES {
        return Err(refused(at, format!("an expression may have {MAX_BYTES} bytes")));
    }
    let is_used = |number: &i32| text.contains(&format!("{{{number}}}"));
    // Nearly no name has a brace, and there are thousands of names.
    let used = if text.contains('{') { (0..=100).filter(is_used).count() } else { 0 };
    match expression(pattern) {
        Expression::Valid { groups } if used <= groups => Ok(()),
        Expression::Valid { groups } => {
            Err(refused(at, format!("`{{n}}` stands for a group of the other word: {used} named, {groups} there")))
        }
        Expression::Invalid => {
            Err(refused(at, format!("`{}` is read as an expression, and is none", pattern.escape_debug())))
        }
        Expression::Unknown => Err(doubtful(at, "this expression was not looked into")),
    }
}

fn answer_rules(at: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    if arguments.len() < 2 {
        return Err(refused(at, "`answer` must be followed by auto, name or value"));
    }
    let (mut index, mut has_names, mut is_auto, mut is_first) = (0, false, false, true);
    while let Some(word) = arguments.get(index) {
        if is_first && word.text != "answer" {
            return Err(refused(word, "only `answer` can follow the names"));
        }
        is_first = false;
        index += usize::from(word.text == "answer");
        let Some(kind) = arguments.get(index) else {
            return Err(refused(word, "`answer` must be followed by auto, name or value"));
        };
        index += 1;
        match kind.text.as_ref() {
            "auto" => is_auto = true,
            "name" | "value" => {
                let [Some(from), Some(to)] = [arguments.get(index), arguments.get(index + 1)] else {
                    return Err(refused(kind, "a rule for answers takes two arguments"));
                };
                replaces(from, &from.text, &to.text)?;
                has_names |= kind.text == "name";
                index += 2;
            }
            _ => return Err(refused(kind, "answers are rewritten by auto, name or value")),
        }
    }
    if is_auto && has_names {
        Err(refused(at, "`answer auto` does not go together with `answer name`"))
    } else {
        Ok(())
    }
}

fn ttl(at: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    let (kind, seconds) = match arguments {
        [_, seconds] => (None, seconds),
        [kind, _, seconds] => (Some(kind), seconds),
        _ => return Err(refused(at, "a rule for the time to live takes two or three arguments")),
    };
    if unsigned(&seconds.text).is_none() {
        let is_range = seconds.text.contains('-');
        return Err(if is_range {
            doubtful(seconds, "a range of times was not looked at")
        } else {
            refused(seconds, "this is no number of seconds")
        });
    }
    match kind.map(|kind| kind.text.to_lowercase()).as_deref() {
        None | Some("exact" | "prefix" | "suffix" | "substring") => Ok(()),
        Some("regex") => replaces(arguments[1], &arguments[1].text, ""),
        Some(_) => Err(refused(arguments[0], "names are matched as exact, prefix, suffix, substring or regex")),
    }
}
