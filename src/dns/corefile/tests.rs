//! The lexer and the parser against a recorded table, and their limits.

use std::{collections::BTreeMap, fmt::Write as _};

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dns::corefile::{
    lexer::{Piece, Token, lex},
    parser::{Files, ImportOutcome, MAX_BYTES, parse},
    problem::Problem,
};

/// One text, and what the lexer and the parser of CoreDNS 1.15 make of it.
#[derive(Deserialize)]
struct Recorded {
    text: String,
    tokens: Value,
    /// Nothing for a text that is refused.
    blocks: Option<Value>,
    /// The text depends on the environment, which was empty.
    #[serde(default)]
    environment: bool,
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let pieces = lex(text).filter_map(|piece| match piece {
        Piece::Token(token) => Some(token),
        Piece::Comment(_) => None,
    });
    pieces.collect()
}

fn pairs(tokens: &[Token<'_>]) -> Value {
    tokens.iter().map(|token| json!([token.line, token.text])).collect()
}

/// Server blocks in the form of the table: what plugins of one name say stands together.
fn blocks(text: &str) -> Option<Value> {
    let corefile = parse(text, &|_| Files::Known(Vec::new())).ok()?;
    let servers = corefile.servers.iter().map(|server| {
        let mut directives: BTreeMap<&str, Vec<Token<'_>>> = BTreeMap::new();
        for directive in &server.directives {
            directives.entry(directive.name()).or_default().extend(directive.words.iter().cloned());
        }
        let directives: BTreeMap<_, _> = directives.into_iter().map(|(name, words)| (name, pairs(&words))).collect();
        let keys: Vec<_> = server.keys.iter().map(|key| key.text.as_ref()).collect();
        json!({ "keys": keys, "directives": directives })
    });
    Some(servers.collect())
}

#[test]
fn every_recorded_text_is_read_as_coredns_reads_it() {
    let table: Vec<Recorded> =
        serde_json::from_str(include_str!("../../../tests/data/corefile-tokens.json")).expect("the table is JSON");
    assert!(table.len() >= 200, "{} texts", table.len());
    for Recorded { text, tokens: expected, blocks: grouped, environment } in table {
        assert_eq!(pairs(&tokens(&text)), expected, "tokens of {text:?}");
        if !environment {
            assert_eq!(blocks(&text), grouped, "server blocks of {text:?}");
        }
    }
}

#[test]
fn a_word_knows_its_place() {
    let text = "\u{feff}a \"b\\\"\nc\" d\r\n  é# x y\n";
    let places: Vec<_> = lex(text)
        .map(|piece| match piece {
            Piece::Token(token) => (text[token.span].to_owned(), token.line, token.column),
            Piece::Comment(comment) => (text[comment.span].to_owned(), comment.line, comment.column),
        })
        .collect();
    let place = |text: &str, line, column| (text.to_owned(), line, column);
    assert_eq!(
        places,
        [
            place("a", 1, 1),
            place("\"b\\\"\nc\"", 1, 3),
            place("d", 2, 4),
            place("é", 3, 3),
            place("#", 3, 4),
            place("x", 3, 6),
            place("y", 3, 8),
        ]
    );
}

#[test]
fn a_word_that_the_environment_changes_is_known() {
    for (word, depends) in [
        ("{$A}", true),
        ("a{$A}b", true),
        ("{%A%}", true),
        ("{$}", false),
        ("{$A", false),
        ("{%A}", false),
        ("$A", false),
    ] {
        assert_eq!(tokens(word)[0].depends_on_environment(), depends, "{word}");
        let text = format!(".:53 {word} {{\n}}\n");
        let corefile = parse(&text, &|_| Files::Unknown).expect("it parses");
        assert_eq!(corefile.environment.map(|token| token.text.into_owned()), depends.then(|| word.to_owned()));
    }
}

#[test]
fn an_import_is_followed_as_far_as_it_is_known() {
    let text = "(s) {\n errors\n}\n.:53 {\n import s\n import a/*.x\n import b\n}\nimport c/*.y\n";
    let corefile = parse(text, &|pattern| match pattern {
        "a/*.x" => Files::Known(vec![("1.x", "log\nwhoami"), ("2.x", "cache 30 {\n success 1\n}\n")]),
        "c/*.y" => Files::Known(vec![("1.y", "example.org {\n import s\n}\n")]),
        _ => Files::Unknown,
    })
    .expect("it parses");
    let servers: Vec<_> = corefile
        .servers
        .iter()
        .map(|server| {
            let plugins = server.directives.iter().map(|directive| (directive.name(), directive.words[0].file));
            (server.keys[0].text.as_ref(), plugins.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        servers,
        [
            (".:53", vec![("errors", ""), ("log", "1.x"), ("whoami", "1.x"), ("cache", "2.x")]),
            ("example.org", vec![("errors", "")]),
        ]
    );
    let imports: Vec<_> =
        corefile.imports.iter().map(|import| (import.pattern.text.as_ref(), import.server, import.outcome)).collect();
    assert_eq!(
        imports,
        [
            ("s", Some(0), ImportOutcome::Snippet),
            ("a/*.x", Some(0), ImportOutcome::Files(2)),
            ("b", Some(0), ImportOutcome::Unknown),
            ("c/*.y", None, ImportOutcome::Files(1)),
            ("s", Some(1), ImportOutcome::Snippet),
        ]
    );
}

#[test]
fn a_plugin_has_arguments_and_lines() {
    let text = ".:53 {\n a b c {\n  d \"e\nf\" g\n  h {\n   i\n  }\n }\n}\n";
    let corefile = parse(text, &|_| Files::Unknown).expect("it parses");
    let plugin = &corefile.servers[0].directives[0];
    let words = |words: Vec<&Token<'_>>| words.into_iter().map(|word| word.text.to_string()).collect::<Vec<_>>();
    assert_eq!(words(plugin.arguments().iter().collect()), ["b", "c"]);
    let lines: Vec<_> = plugin.lines().into_iter().map(|line| (line.depth, words(line.words))).collect();
    let line = |depth, words: &[&str]| (depth, words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
    assert_eq!(lines, [line(1, &["d", "e\nf", "g"]), line(1, &["h"]), line(2, &["i"])]);
}

#[test]
fn an_error_names_its_place_and_its_reason() {
    let refused = |text: &str| parse(text, &|_| Files::Known(Vec::new())).expect_err(text).to_string();
    let mut told = String::new();
    for text in [
        ".:53 {\n  errors\n",
        ".:53 {\n  health {\n    lameduck 5s\n",
        ".:53 {\n  errors }\n",
        ".:53, {\n}",
        "a,",
        "(s)\nerrors",
        "(s) {\n errors",
        "(s) {\n}\n(s) {\n}",
        "(s) {\n import s\n}",
        ".:53 {\n  import\n}",
        ".:53 {\n  import a b\n}",
        ".:53 {\n  import *a*\n}",
        ".:53 {\n  import /a\n}",
    ] {
        writeln!(told, "{}", refused(text)).expect("a string takes everything");
    }
    insta::assert_snapshot!(told, @r"
    line 1, column 6: the server block that begins here is not closed by a `}`
    line 2, column 10: the block of `health` that begins here is not closed by a `}`
    line 2, column 10: this `}` closes nothing
    line 1, column 1: another zone must follow the comma
    line 1, column 1: another zone must follow the comma
    line 2, column 1: the snippet `s` needs a block in braces
    line 1, column 5: the snippet `s` is not closed by a `}`
    line 3, column 5: the snippet `s` exists already
    line 2, column 2: the snippet `s` imports itself
    line 2, column 3: `import` takes exactly one file, glob or snippet
    line 2, column 3: `import` takes exactly one file, glob or snippet
    line 2, column 10: the pattern `*a*` of this import has more than one wildcard, or is none
    line 2, column 10: the imported file `/a` does not exist
    ");
}

#[test]
fn a_file_that_imports_itself_comes_to_an_end() {
    for (text, file) in [
        (".:53 {\n import x/a\n}\n", "import x/a\n"),
        (".:53 {\n import x/a\n}\n", "errors\nimport x/a\nimport x/a\n"),
        ("import x/a\n", "a {\n errors {\n b\n }\n}\nimport x/a\n"),
        ("(s) {\n import t\n import t\n}\n(t) {\n import x/a\n}\n.:53 {\n import s\n}\n", "import s\n"),
    ] {
        let error = parse(text, &|_| Files::Known(vec![("x/a", file)])).expect_err("it has no end");
        assert_eq!(error.problem, Problem::ImportsTooMuch, "{text}");
    }
}

#[test]
fn a_hostile_text_of_any_size_is_answered() {
    let repeated = |part: &str, bytes: usize| part.repeat(bytes / part.len());
    let refused = |text: &str| parse(text, &|_| Files::Unknown).expect_err("it is hostile").problem;
    assert_eq!(refused(&"a\0".repeat(5 << 20)), Problem::TooLong { bytes: 10 << 20 });
    for part in
        ["\"", "{ ", ".:53 {\n", "}\n", "a#", "a\r", "{$A}", "\\", "x\n{\n", "(a) {\n", "import a\n", "é", "\u{3000}"]
    {
        let text = repeated(part, MAX_BYTES);
        drop(parse(&text, &|_| Files::Unknown));
        drop(parse(&format!(".:53 {{\n{}", &text[..text.len() - part.len() * 8]), &|_| Files::Unknown));
    }
}

proptest! {
    #[test]
    fn words_and_comments_stand_in_order_and_cover_all_but_white_space(text in "\\PC{0,40}|[ \t\r\n\"#\\\\a{}\u{85}]{0,60}") {
        let mut end = 0;
        let mut rest = String::new();
        for piece in lex(&text) {
            let (span, line) = match piece {
                Piece::Token(token) => (token.span, token.line),
                Piece::Comment(comment) => (comment.span, comment.line),
            };
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert_eq!(line, 1 + text[..span.start].matches('\n').count());
            rest.push_str(&text[end..span.start]);
            end = span.end;
        }
        rest.push_str(&text[end..]);
        let rest = rest.trim_start_matches('\u{feff}').trim_start().trim_end_matches('\\');
        prop_assert!(rest.is_empty() || rest == "\"", "{rest:?}");
    }

    #[test]
    fn whatever_is_parsed_has_a_place_in_the_text(text in "([ \n]|\\.:53|\\{\n|\\}\n|errors|import s|\\(s\\)|\"a b\"|,){0,30}") {
        match parse(&text, &|_| Files::Unknown) {
            Ok(corefile) => for server in corefile.servers {
                prop_assert!(!server.keys.is_empty());
                for directive in server.directives {
                    let depth = directive.words[1..].iter().fold(0_i32, |depth, word| match word.text.as_ref() {
                        "{" => depth + 1,
                        "}" => depth - 1,
                        _ => depth,
                    });
                    prop_assert_eq!(depth, 0);
                }
            },
            Err(error) => prop_assert!(error.place.line <= 1 + text.matches('\n').count()),
        }
    }
}
