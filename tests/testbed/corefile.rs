//! The Corefile parser against the real one: the lexer and the parser of CoreDNS, in the program `corefile-tokens`, judge
//! the same texts.
//!
//! `BOBBYPIN_COREFILE_CASES` says how many texts are made (30 000 unless told), `BOBBYPIN_COREFILE_SEED` with which seed.

use std::{collections::BTreeMap, fmt::Write as _};

use bobbypin::dns::corefile::{
    lexer::{Piece, Token, lex},
    parser::{Files, parse},
};
use serde_json::{Value, json};

use crate::support::oracle::{self, Random, number};

/// What the real parser said of a text: the tokens, and the server blocks or an error.
struct Verdict {
    tokens: Value,
    blocks: Option<Value>,
}

#[test]
fn every_generated_corefile_is_read_as_coredns_reads_it() {
    let count = number("BOBBYPIN_COREFILE_CASES", 30_000);
    let mut random = Random::new(number("BOBBYPIN_COREFILE_SEED", 0x5eed));
    let texts: Vec<Vec<u8>> = (0..count).map(|_| generate(&mut random)).collect();
    let verdicts = ask(&texts);
    let (mut read, mut refused, mut unsure) = (0, 0, 0);
    for (bytes, verdict) in texts.iter().zip(verdicts) {
        let text = as_go_reads(bytes);
        assert_eq!(tokens(&text), verdict.tokens, "tokens of {text:?}");
        match blocks(&text) {
            None => unsure += 1,
            Some(ours) => {
                assert_eq!(ours, verdict.blocks, "server blocks of {text:?}");
                *(if ours.is_some() { &mut read } else { &mut refused }) += 1;
            }
        }
    }
    // Of the others only the tokens were compared: they hold words that only CoreDNS can resolve.
    assert!(
        read * 4 > count && refused * 10 > count,
        "{read} read, {refused} refused and {unsure} unsure of {count} prove little"
    );
}

/// Asks the real parser about many texts at once.
fn ask(texts: &[Vec<u8>]) -> Vec<Verdict> {
    let answers = oracle::ask("corefile-tokens", texts).into_iter().map(|mut answer| {
        let blocks = (answer["error"] == "").then(|| answer["blocks"].take());
        Verdict { tokens: answer["tokens"].take(), blocks }
    });
    answers.collect()
}

/// The text as Go reads it: every byte that is not UTF-8 is U+FFFD.
fn as_go_reads(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
    }
    text
}

fn pair(token: &Token<'_>) -> Value {
    json!([token.line, token.text])
}

fn tokens(text: &str) -> Value {
    let tokens = lex(text).filter_map(|piece| match piece {
        Piece::Token(token) => Some(pair(&token)),
        Piece::Comment(_) => None,
    });
    Value::Array(tokens.collect())
}

/// The server blocks, in the oracle's form: the tokens of all plugins of one name together. The outer `None`: this text
/// holds what depends on the machine that CoreDNS runs on.
fn blocks(text: &str) -> Option<Option<Value>> {
    let depends = lex(text).any(|piece| match piece {
        Piece::Token(token) => {
            token.depends_on_environment() || token.text.contains(['/', '\\']) && !is_nowhere(&token)
        }
        Piece::Comment(_) => false,
    });
    if depends {
        return None;
    }
    let Ok(corefile) = parse(text, &|_| Files::Known(Vec::new())) else { return Some(None) };
    let servers = corefile.servers.iter().map(|server| {
        let mut directives: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for directive in &server.directives {
            directives.entry(directive.name()).or_default().extend(directive.words.iter().map(pair));
        }
        let keys: Vec<_> = server.keys.iter().map(|key| key.text.as_ref()).collect();
        json!({ "keys": keys, "directives": directives })
    });
    Some(Some(Value::Array(servers.collect())))
}

/// Whether a word names no file of this machine.
fn is_nowhere(token: &Token<'_>) -> bool {
    token.text.starts_with("/nowhere/") && !token.text.contains("..")
}

const SAMPLES: &[&str] = &[
    ".:53 {\n    errors\n    health {\n        lameduck 5s\n    }\n    ready\n    kubernetes cluster.local in-addr.arpa {\n        pods insecure\n        ttl 30\n    }\n    forward . 192.0.2.1\n    cache 30\n    loop\n    reload\n    import /nowhere/*.override\n    loadbalance\n}\n",
    "(shared) {\n  errors\n  cache 30 {\n    success 10\n  }\n}\n\nexample.org:53, example.com {\n  import shared\n  whoami\n}\n\ntls://.:853 {\n\timport shared\n}\n",
    ".:53 {\r\n  errors\r\n  # === BEGIN records ===\r\n  rewrite name a.example.org proxy.example.svc.\r\n  # === END records ===\r\n}\r\n",
    ".:1053\nwhoami\nlog . \"{remote} said \\\"{type}\\\"\nand more\" {\n class error\n}\n",
];

const PIECES: &[&str] = &[
    ".:53",
    "{",
    "}",
    "{",
    "}",
    "\n",
    "\n",
    "\n",
    "\n",
    " ",
    " ",
    "  ",
    "\t",
    "\r\n",
    "\r",
    "errors",
    "cache 30",
    "rewrite",
    "name",
    "import",
    "import",
    "shared",
    "(shared)",
    "(other)",
    "import shared\n",
    "import other\n",
    "import *\n",
    "import /nowhere/*.x\n",
    "import /nowhere/x\n",
    "import a*b*\n",
    "import [x\n",
    "\"",
    "\"\"",
    "\"a b\"",
    "\\",
    "\\\"",
    "#",
    "# note\n",
    "a#b",
    ",",
    "a,",
    "example.org",
    "{$X}",
    "{%X%}",
    "{$}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{3000}",
    "\u{b}",
    "\u{c}",
    "\u{feff}",
    "\u{200b}",
    "\0",
    "\"{\"",
    "\"}\"",
    "\"x\ny\"",
    "\" {\n}\n\"",
    "(shared) {\n",
    ".:53 {\n",
    "}\n",
    "}\n",
    "health {\n",
    "\u{1f980}",
    "*",
    "?",
    "[",
];

fn generate(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0..4 => mutated(random),
        4..8 => assembled(random),
        8 => (0..random.below(60)).map(|_| PIECES[random.below(PIECES.len())]).collect::<String>().into_bytes(),
        _ => (0..random.below(80)).map(|_| u8::try_from(random.below(256)).expect("a byte")).collect(),
    }
}

/// A sample with a few changes.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.one(SAMPLES).as_bytes().to_vec();
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() + 1);
        match random.below(4) {
            0 => drop(bytes.splice(at..at, random.one(PIECES).bytes())),
            1 => drop(bytes.drain(at..bytes.len().min(at + random.below(12)))),
            2 => bytes.insert(at, u8::try_from(random.below(256)).expect("a byte")),
            _ => {
                let other = random.one(SAMPLES).as_bytes();
                let start = random.below(other.len());
                let end = other.len().min(start + random.below(80));
                drop(bytes.splice(at..at, other[start..end].iter().copied()));
            }
        }
    }
    bytes
}

/// A text that is put together by the grammar, with slips.
fn assembled(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    let mut snippets = Vec::new();
    for _ in 0..random.below(4) {
        if random.below(3) == 0 {
            let name = random.one(&["shared", "other", "third"]);
            snippets.push(name);
            write!(text, "({name})").expect("a string takes everything");
        } else {
            text.push_str(random.one(&[".:53", "example.org", "a b:1053", "a,\nb", "dns://x", "\"a b\"", "", ". ,"]));
        }
        text.push_str(random.one(&[" {\n", " {\n", " {\n", "\n{\n", "\n", "{\n", " {"]));
        for _ in 0..random.below(6) {
            plugin(random, &snippets, &mut text);
        }
        text.push_str(random.one(&["}\n", "}\n", "}\n", "}\n", "}", "", "} x\n", "\n}\n\n"]));
    }
    text.into_bytes()
}

fn plugin(random: &mut Random, snippets: &[&str], text: &mut String) {
    text.push_str(random.one(&["  ", "\t", "", "\u{a0}"]));
    match random.below(6) {
        0 if !snippets.is_empty() => {
            let name = random.one(snippets);
            write!(text, "import {name}").expect("a string takes everything");
        }
        1 => text.push_str(random.one(&["import *.x", "import missing", "import", "import a b", "import \"\""])),
        2 | 3 => {
            text.push_str(random.one(&["health", "cache 30", "kubernetes a b", "log . \"x\ny\""]));
            text.push_str(random.one(&[" {\n", " {\n", "\n{\n", " { ", " {\n {\n }\n"]));
            for _ in 0..random.below(3) {
                text.push_str(random.one(&[
                    "ttl 30\n",
                    "import other\n",
                    "a {\n b\n }\n",
                    "c \"d\ne\" f\n",
                    "# x }\n",
                ]));
            }
            text.push_str(random.one(&["}", "}", "}", "}", "} }", ""]));
        }
        _ => text.push_str(random.one(&[
            "errors",
            "rewrite name a b",
            "x \"y\nz\"",
            "reload # often",
            "a#b c",
            "\"q\"r",
        ])),
    }
    text.push_str(random.one(&["\n", "\n", "\n", "\n", "\r\n", " # note\n", " "]));
}
