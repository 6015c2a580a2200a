//! What an edit changes, what it leaves alone, and what it refuses.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::dns::corefile::{
    editor::{EditError, Markers, MarkersError, Place, insert, read, remove},
    lexer::{Piece, lex},
};

const BEGIN: &str = "# === BEGIN records ===";
const END: &str = "# === END records ===";

const PLAIN: &str = "\
example.com:53 {
    forward . 192.0.2.1
}
.:53 {
    errors
    health {
        lameduck 5s
    }
    reload # often
\tlog . \"a } # b\"
}
";

fn place() -> Place<'static> {
    let markers = Markers::new(BEGIN, END).expect("two comments");
    Place { zone: ".", port: 53, markers, owns: |line| line == "loop" || crate::dns::snippet::is_record(line) }
}

fn lines(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| format!("rewrite name {host} proxy.example.svc.")).collect()
}

#[test]
fn a_block_stands_before_the_closing_brace_and_is_replaced_where_it_is() {
    let text = ".:53 {\n  errors\n\n}\nexample.org {\n}\n";
    let first = insert(text, &place(), &lines(&["b.example.org", "a.example.org"])).expect("a plain Corefile");
    insta::assert_snapshot!(first, @r"
    .:53 {
      errors

      # === BEGIN records ===
      rewrite name b.example.org proxy.example.svc.
      rewrite name a.example.org proxy.example.svc.
      # === END records ===
    }
    example.org {
    }
    ");
    let moved = first.replace("\n}\nexample.org", "\n      cache 30\n}\nexample.org");
    let second = insert(&moved, &place(), &lines(&["c.example.org"])).expect("one block");
    insta::assert_snapshot!(second, @r"
    .:53 {
      errors

      # === BEGIN records ===
      rewrite name c.example.org proxy.example.svc.
      # === END records ===
          cache 30
    }
    example.org {
    }
    ");
    assert_eq!(read(&second, &place()), Ok(Some(vec!["rewrite name c.example.org proxy.example.svc."])));
    assert_eq!(read(text, &place()), Ok(None));
    assert_eq!(remove(text, &place()).as_deref(), Ok(text));
}

#[test]
fn indentation_and_line_ends_are_those_of_the_neighbours() {
    for (text, expected) in [
        (
            ".:53 {\r\n\terrors\r\n}",
            ".:53 {\r\n\terrors\r\n\t# === BEGIN records ===\r\n\tloop\r\n\t# === END records ===\r\n}",
        ),
        (".:53 {\n}\n", ".:53 {\n    # === BEGIN records ===\n    loop\n    # === END records ===\n}\n"),
        (".:53\n{\nerrors\n  }", ".:53\n{\nerrors\n# === BEGIN records ===\nloop\n# === END records ===\n  }"),
    ] {
        let edited = insert(text, &place(), &["loop".to_owned()]).expect("a plain Corefile");
        assert_eq!(edited, expected);
        assert_eq!(insert(&edited, &place(), &["loop".to_owned()]).as_deref(), Ok(expected));
        assert_eq!(remove(&edited, &place()).as_deref(), Ok(text));
    }
}

#[test]
fn a_line_of_somebody_else_between_the_markers_is_refused_and_not_lost() {
    let text = insert(".:53 {\n  errors\n}\n", &place(), &lines(&["a.example.org"])).expect("a plain Corefile");
    let mut told = String::new();
    for line in ["kubernetes cluster.local", "\timport x", "# why", "rewrite name b.example.org here", "hosts {\n  }"] {
        let edited = text.replace("  # === END", &format!("  {line}\n  # === END"));
        let error = insert(&edited, &place(), &lines(&["c.example.org"])).expect_err(&edited);
        assert_eq!(remove(&edited, &place()), Err(error.clone()), "{edited}");
        writeln!(told, "{error}").expect("a string takes everything");
    }
    insta::assert_snapshot!(told, @r"
    `kubernetes cluster.local` at line 5, column 3 stands between the markers and is not ours: it would be lost
    `import x` at line 5, column 4 stands between the markers and is not ours: it would be lost
    `# why` at line 5, column 3 stands between the markers and is not ours: it would be lost
    `rewrite name b.example.org here` at line 5, column 3 stands between the markers and is not ours: it would be lost
    `hosts {` at line 5, column 3 stands between the markers and is not ours: it would be lost
    ");
    let spaced = text.replace("  # === END", "\n  # === END");
    assert_eq!(insert(&spaced, &place(), &lines(&["a.example.org"])), Ok(text), "blank lines are nobody's");
}

#[test]
fn whatever_is_not_plain_is_refused_with_its_reason() {
    let (begin, end) = (BEGIN, END);
    let within = |body: &str| format!(".:53 {{\n  errors\n{body}}}\n");
    let mut told = String::new();
    for text in [
        ".:53 {\n errors".to_owned(),
        "example.org {\n errors\n}\n".to_owned(),
        "tls://.:53 {\n errors\n}\n".to_owned(),
        ".:53 {\n errors\n}\n. {\n log\n}\n".to_owned(),
        ".:53\nerrors\n".to_owned(),
        ".:53 {}\n".to_owned(),
        ".:53 {\n health {\n }\n".to_owned(),
        within(&format!("  {begin}\n")),
        within(&format!("  {end}\n")),
        within(&format!("  {end}\n  {begin}\n")),
        within(&format!("  {begin}\n  {begin}\n  {end}\n")),
        within(&format!("  {begin}\n  {end}\n  {begin}\n  {end}\n")),
        within(&format!("  {begin}\n  {end}\n  {end}\n")),
        within(&format!("  log {begin}\n  {end}\n")),
        within(&format!("  health {{\n  {begin}\n  }}\n  {end}\n")),
        within(&format!("  {begin}\n  health {{\n  {end}\n  }}\n")),
        within(&format!("  {begin}\n  health\n  {end}\n  {{\n  }}\n")),
        format!("{begin}\n{end}\n{}", within("")),
        format!("{}{begin}\n{end}\n", within("")),
        within(&format!("  {begin}\n}}\nexample.org {{\n  {end}\n")),
    ] {
        let error = insert(&text, &place(), &[]).expect_err(&text);
        assert_eq!(remove(&text, &place()), Err(error.clone()), "{text}");
        writeln!(told, "{error}").expect("a string takes everything");
    }
    insta::assert_snapshot!(told, @r"
    CoreDNS cannot read the Corefile
    no server block serves `.` on port 53
    no server block serves `.` on port 53
    more than one server block serves `.` on port 53; the second begins at line 4, column 1
    the server block at line 1, column 1 must end with a `}` on a line of its own
    the server block at line 1, column 1 must end with a `}` on a line of its own
    the server block at line 1, column 1 must end with a `}` on a line of its own
    there is `# === BEGIN records ===` at line 3, column 3, but no `# === END records ===`
    there is `# === END records ===` at line 3, column 3, but no `# === BEGIN records ===`
    `# === END records ===` at line 3, column 3 stands before `# === BEGIN records ===`
    `# === BEGIN records ===` stands at line 3, column 3 and again at line 4, column 3
    `# === BEGIN records ===` stands at line 3, column 3 and again at line 5, column 3
    `# === END records ===` stands at line 4, column 3 and again at line 5, column 3
    `# === BEGIN records ===` at line 3, column 7 must stand on a line of its own directly in the server block, not behind something else
    `# === BEGIN records ===` at line 4, column 3 must stand on a line of its own directly in the server block, not inside the block of a plugin
    `# === END records ===` at line 5, column 3 must stand on a line of its own directly in the server block, not inside the block of a plugin
    `# === END records ===` at line 5, column 3 must stand on a line of its own directly in the server block, not inside the block of a plugin
    `# === BEGIN records ===` at line 1, column 1 must stand on a line of its own directly in the server block, not outside it
    `# === BEGIN records ===` at line 4, column 1 must stand on a line of its own directly in the server block, not outside it
    `# === END records ===` at line 6, column 3 must stand on a line of its own directly in the server block, not outside it
    ");
}

#[test]
fn a_marker_in_a_quoted_word_or_with_more_letters_is_none() {
    let text = format!(".:53 {{\n  log . \"\n{BEGIN}\n\"\n  {END}=\n}}\n");
    let edited = insert(&text, &place(), &lines(&["a.example.org"])).expect("no marker");
    assert_eq!(remove(&edited, &place()).as_deref(), Ok(text.as_str()));
}

#[test]
fn a_line_that_is_not_plain_words_is_refused() {
    for line in [
        "", " loop", "loop ", "a  b", "a\tb", "a\nb", "a\rb", "a#b", "\"a\"", "a {", "}", "{$A}", "import x",
        "a\u{a0}b", "é", "a\0",
    ] {
        let refused = EditError::Content { number: 2, line: line.to_owned() };
        assert_eq!(insert(PLAIN, &place(), &["loop".to_owned(), line.to_owned()]), Err(refused), "{line:?}");
    }
}

#[test]
fn markers_are_two_comments_that_differ() {
    for bad in ["", "a", " # a", "# a ", "# a\nb", "# a\r"] {
        assert_eq!(Markers::new(bad, "# b"), Err(MarkersError::NoComment), "{bad:?}");
        assert_eq!(Markers::new("# b", bad), Err(MarkersError::NoComment), "{bad:?}");
    }
    assert_eq!(Markers::new("# a", "# a"), Err(MarkersError::Same));
}

/// Corefiles by the grammar, some with Windows line ends and comments everywhere.
fn corefile() -> impl Strategy<Value = String> {
    let plugin = prop_oneof![
        Just("errors".to_owned()),
        Just("cache 30 # note".to_owned()),
        Just("log . \"a\nb } {\" c".to_owned()),
        Just("health {\n  lameduck 5s\n}".to_owned()),
        Just("kubernetes a b\n{\n  ttl 30 {\n c\n }\n}".to_owned()),
        Just("import custom/*.override".to_owned()),
        Just("import shared".to_owned()),
        Just("# comment } {".to_owned()),
        Just("a#b c".to_owned()),
        Just(String::new()),
        "[a-z]{1,8}( [a-z0-9.]{1,9}){0,3}",
    ];
    let body = (prop::collection::vec((prop_oneof![Just(""), Just("    "), Just("\t")], plugin), 0..8), any::<bool>());
    let block = body.prop_map(|(plugins, windows)| {
        let end = if windows { "\r\n" } else { "\n" };
        let lines = plugins.into_iter().map(|(indent, plugin)| format!("{indent}{}{end}", plugin.replace('\n', end)));
        lines.collect::<String>()
    });
    (block.clone(), block.clone(), block, any::<bool>()).prop_map(|(snippet, root, other, first)| {
        let snippet = snippet.replace("import shared", "import other");
        let (root, other) = (format!(".:53 {{\n{root}}}\n"), format!("example.org, example.com:53 {{\n{other}}}\n"));
        let (before, after) = if first { (root, other) } else { (other, root) };
        format!("(shared) {{\n{snippet}}}\n\n# note\n{before}{after}")
    })
}

/// The text without the lines from marker to marker.
fn without_block(text: &str) -> String {
    let comment = |marker: &str| {
        lex(text).find_map(|piece| match piece {
            Piece::Comment(comment) if text[comment.span.clone()].trim_end() == marker => Some(comment.span),
            _ => None,
        })
    };
    let start = comment(BEGIN).map(|span| text[..span.start].rfind('\n').map_or(0, |end| end + 1));
    let end = comment(END).map(|span| span.end + text[span.end..].find('\n').map_or(0, |length| length + 1));
    match (start, end) {
        (Some(start), Some(end)) => [&text[..start], &text[end..]].concat(),
        _ => text.to_owned(),
    }
}

proptest! {
    #[test]
    fn an_edit_changes_nothing_but_its_block(
        text in corefile(),
        first in prop::collection::vec("[a-z]{1,6}\\.example\\.org", 0..4),
        second in prop::collection::vec("[a-z]{1,6}\\.example\\.org", 0..4),
    ) {
        let place = place();
        let rules = |hosts: &[String]| hosts.iter().map(|host| format!("rewrite name {host} x.")).collect::<Vec<_>>();
        let (first, second) = (rules(&first), rules(&second));
        let inserted = insert(&text, &place, &first).expect("a good Corefile");
        prop_assert_eq!(read(&inserted, &place), Ok(Some(first.iter().map(String::as_str).collect())));
        prop_assert_eq!(&without_block(&inserted), &text);
        prop_assert_eq!(&remove(&inserted, &place).expect("one block"), &text);
        prop_assert_eq!(&insert(&inserted, &place, &first).expect("one block"), &inserted);
        let replaced = insert(&inserted, &place, &second).expect("one block");
        prop_assert_eq!(&replaced, &insert(&text, &place, &second).expect("a good Corefile"));
    }

    #[test]
    fn a_damaged_corefile_is_refused_or_edited_without_harm(
        at in 0..PLAIN.len(),
        junk in "[ \n\t\r#\"{}a\\\\]{0,6}|# === BEGIN records ===\n|# === END records ===\n",
        cut in 0..8_usize,
    ) {
        let place = place();
        let base = insert(PLAIN, &place, &lines(&["a.example.org"])).expect("a good Corefile");
        let end = base.len().min(at + cut);
        let text = [&base[..at], &junk, &base[end..]].concat();
        if let Ok(edited) = insert(&text, &place, &lines(&["b.example.org"])) {
            prop_assert_eq!(without_block(&edited), without_block(&text));
            prop_assert_eq!(insert(&edited, &place, &lines(&["b.example.org"])), Ok(edited));
        }
    }
}
