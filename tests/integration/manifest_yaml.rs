//! The writer of YAML against two parsers that share no code.

use bobbypin::{
    config::kubernetes,
    manifest::yaml::{self, WriteError},
};
use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Strings that some reader of YAML takes for something else when they stand plain, or that break out of their place.
const HOSTILE: &[&str] = &[
    // Words of YAML 1.1.
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "y",
    "Y",
    "n",
    "N",
    "true",
    "True",
    "TRUE",
    "tRUE",
    "false",
    "False",
    "FALSE",
    "null",
    "Null",
    "NULL",
    "~",
    "",
    "=",
    "<<",
    "nan",
    "inf",
    ".nan",
    ".NaN",
    ".inf",
    "-.inf",
    "+.INF",
    // Numbers, in every spelling of every version.
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    "007",
    "012",
    "0o17",
    "0O17",
    "0x1F",
    "0b101",
    "1_000",
    "0x_1",
    "1.5",
    "-1.5e3",
    "1e3",
    "1E3",
    "1e400",
    ".5",
    "5.",
    "1.",
    "-.5",
    "12:30",
    "12:30:45",
    "190:20:30.15",
    "1,000",
    "18446744073709551616",
    "9223372036854775808",
    "0.1.2",
    "1.10",
    "0e0",
    "1__0",
    "0_",
    "._1",
    "1e",
    "0x",
    // Dates.
    "2001-01-01",
    "2001-1-1",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5",
    "2001-12-15T02:59:43.1Z",
    // Marks.
    "-",
    "- a",
    "-a",
    "--",
    "---",
    "--- a",
    "...",
    "?",
    "? a",
    "?a",
    ":",
    ": a",
    ":a",
    "a:",
    "a: b",
    "a:b",
    "a :b",
    "a #b",
    "a#b",
    "#a",
    "#",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "|",
    "|-",
    ">",
    ">-",
    "%YAML 1.1",
    "@a",
    "`a",
    "[",
    "[a]",
    "{",
    "{a: b}",
    "]",
    "}",
    ",",
    "a,b",
    "a, b",
    "\"",
    "\"a\"",
    "'",
    "'a'",
    "it's",
    "\\",
    "\\n",
    "a\\",
    "{{ x }}",
    "${x}",
    "$x",
    "<a>",
    "a|b",
    // White space.
    " ",
    "  ",
    " a",
    "a ",
    "\ta",
    "a\t",
    "a\tb",
    "\t",
    "\u{a0}a",
    "\u{3000}",
    "\u{2003}a",
    // Several lines.
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "a\n\n\n",
    "\na",
    "\n\na",
    "a\nb",
    "a\n\nb",
    "a\nb\n",
    "a\n b\n",
    " a\nb",
    "\ta\nb",
    "a\n\tb",
    "a \nb",
    "a\t\nb",
    "a\n \nb",
    "a\r\nb",
    "a\rb",
    "\r",
    "a\nb: c\n",
    "a\n---\nb: c\n",
    "a\n...\n",
    "a\n# b\n",
    "# a\nb\n",
    "- a\n- b\n",
    "|\n  a",
    "a\n\u{85}b",
    "a\u{2028}b\n",
    "key: value\nother: [",
    "a\"\nb: \"c",
    "a'\nb: 'c",
    "\n  injected: true",
    // Characters that are not seen.
    "\0",
    "a\0b",
    "\u{7}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{ad}",
    "\u{200b}a",
    "\u{200e}",
    "\u{202e}abc",
    "\u{2066}a\u{2069}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}",
    "\u{feff}a",
    "\u{fffd}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{e000}",
    "\u{e0041}",
    "\u{10ffff}",
    // And such as are.
    "ü",
    "日本語",
    "😀",
    "a😀",
    "é",
    "→ …",
    // What manifests are full of.
    "app.kubernetes.io/name",
    "oci://ghcr.io/org/chart",
    "https://a.example.org:8443/x?y=z#f",
    "0.8.1",
    "v1.6.2",
    "5m",
    "10.0.0.0/8",
    "ghcr.io/org/image:0.8.1@sha256:cf285fe6f1eff6ac34e45871d4eef9c2f3ef590d76a6fc272019a9387519891d",
    "*.example.org",
    "a.example.org.",
    "rewrite name a.example.org b.svc.cluster.local.\n",
    "::1",
    "fe80::1%eth0",
    "a/b:c",
    "cluster.local",
];

fn long() -> Vec<String> {
    vec![
        "x".repeat(5000),
        "x ".repeat(3000),
        "\"".repeat(600),
        "ü".repeat(2000),
        "word: ".repeat(500),
        "a\n".repeat(2000),
    ]
}

fn read_first(text: &str) -> Vec<Value> {
    kubernetes::read_values(text).unwrap_or_else(|error| panic!("{error:?} in\n{text}"))
}

fn read_second(text: &str) -> Vec<Value> {
    let mut values = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        values.push(Value::deserialize(document).unwrap_or_else(|error| panic!("{error} in\n{text}")));
    }
    values
}

#[track_caller]
fn assert_reads(text: &str, value: &Value) {
    assert_eq!(read_first(text), std::slice::from_ref(value), "kubectl's reading of\n{text}");
    assert_eq!(read_second(text), std::slice::from_ref(value), "the other reading of\n{text}");
}

/// A value in every position that the writer knows.
fn positions(text: &str) -> Vec<Value> {
    let mut positions = vec![
        json!({"key": text}),
        json!({"key": text, "next": "value"}),
        json!([text]),
        json!([text, "next"]),
        json!({"list": [text, text], "next": {"deep": [[text, {"deeper": text}], []]}}),
        json!([{"first": text, "second": {"third": text}}, {}]),
    ];
    if text.len() < 300 {
        positions.push(json!({text: "value", "next": {text: text, "then": [{text: 1}]}}));
    }
    positions
}

#[test]
fn a_hostile_string_is_the_same_string_in_every_position_for_both_parsers() {
    let long = long();
    assert!(HOSTILE.len() >= 90);
    for text in HOSTILE.iter().copied().chain(long.iter().map(String::as_str)) {
        for value in positions(text) {
            for indent in [0, 3] {
                let written = yaml::block(&value, indent).expect("a map or a list without nulls");
                assert_reads(&format!("{written}\n"), &value);
                assert!(
                    written.lines().all(|line| line.is_empty() || line.starts_with(&" ".repeat(indent))),
                    "{written}"
                );
            }
        }
    }
}

#[test]
fn a_scalar_stands_on_one_line_wherever_a_template_puts_it() {
    let long = long();
    for text in HOSTILE.iter().copied().chain(long.iter().map(String::as_str)) {
        let scalar = yaml::scalar(text);
        assert!(!scalar.contains('\n'), "{scalar}");
        for (document, value) in [
            (format!("key: {scalar}\nnext: value\n"), json!({"key": text, "next": "value"})),
            (format!("- {scalar}\n- {scalar}\n"), json!([text, text])),
            (format!("{{key: {scalar}, list: [{scalar}, {scalar}]}}\n"), json!({"key": text, "list": [text, text]})),
            (format!("key: {scalar} # comment\n"), json!({"key": text})),
        ] {
            assert_reads(&document, &value);
        }
        if text.len() < 300 {
            assert_reads(&format!("{scalar}: 1\n"), &json!({text: 1}));
            assert_reads(&format!("{{{scalar}: 1}}\n"), &json!({text: 1}));
        }
    }
}

#[test]
fn what_is_written_is_what_a_person_would_write() {
    let value = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns-custom", "labels": {}, "finalizers": []},
        "data": {
            "bobbypin.override": "rewrite name a.example.org b.svc.\nrewrite name c.example.org b.svc.\n",
            "unfinished": "one\n\n  two",
            "trailing": "one \n",
            "ended": "one\n\n",
        },
        "list": [1, -2.5, true, "true", ["nested", []], {"a": {"b": "c"}, "d": "a\nb\n"}],
    });
    let expected = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: coredns-custom
  labels: {}
  finalizers: []
data:
  bobbypin.override: |
    rewrite name a.example.org b.svc.
    rewrite name c.example.org b.svc.
  unfinished: |-
    one

      two
  trailing: \"one \\n\"
  ended: \"one\\n\\n\"
list:
- 1
- -2.5
- true
- \"true\"
- - nested
  - []
- a:
    b: c
  d: |
    a
    b";
    assert_eq!(yaml::block(&value, 0).as_deref(), Ok(expected));
    let indented: Vec<_> =
        expected.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    assert_eq!(yaml::block(&value, 2), Ok(indented.join("\n")));
    assert_eq!(yaml::block(&json!({}), 4).as_deref(), Ok("    {}"));
    assert_eq!(yaml::block(&json!([]), 0).as_deref(), Ok("[]"));
}

#[test]
fn a_scalar_is_plain_only_where_nobody_can_misread_it_and_shows_all_that_it_holds() {
    for (text, scalar) in [
        ("oci://ghcr.io/org/chart", "oci://ghcr.io/org/chart"),
        ("app.kubernetes.io/name", "app.kubernetes.io/name"),
        ("a@b+c_d-e", "a@b+c_d-e"),
        ("", "\"\""),
        ("Yes", "\"Yes\""),
        ("5m", "\"5m\""),
        ("a:b", "\"a:b\""),
        ("a b", "\"a b\""),
        ("a\\b\"c", "\"a\\\\b\\\"c\""),
        ("ü → 😀", "\"ü → 😀\""),
        ("a\r\n\tb\u{0}", "\"a\\r\\n\\tb\\u0000\""),
        ("\u{202e}a\u{200b}\u{ad}\u{2066}\u{a0}\u{feff}", "\"\\u202ea\\u200b\\u00ad\\u2066\\u00a0\\ufeff\""),
        ("\u{85}\u{2028}\u{e0041}\u{e000}\u{1b}", "\"\\u0085\\u2028\\U000e0041\\ue000\\u001b\""),
    ] {
        assert_eq!(yaml::scalar(text), scalar);
    }
    for text in ["a\n\tb\n", "a\u{202e}\nb\n", "a\r\nb\n", "\na\n", " a\nb\n"] {
        let quoted = yaml::block(&json!([text]), 0).expect("a list");
        assert!(quoted.starts_with("- \""), "{quoted}");
    }
}

#[test]
fn numbers_are_the_same_numbers_for_both_parsers() {
    for number in [
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.1),
        json!(-0.5),
        json!(1e3),
        json!(1e21),
        json!(1.5e300),
        json!(1e-7),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
        json!(1.0),
    ] {
        let value = json!({"key": number, "list": [number]});
        assert_reads(&format!("{}\n", yaml::block(&value, 0).expect("a map")), &value);
    }
    // YAML 1.1 wants a dot and a sign, or it is a string.
    assert_eq!(yaml::block(&json!([1e21, 1e-7, 1.5e300]), 0).as_deref(), Ok("- 1.0e+21\n- 1.0e-7\n- 1.5e+300"));
}

#[test]
fn what_cannot_be_written_is_refused_with_its_place() {
    let key = "k".repeat(1001);
    for (value, error) in [
        (json!(null), WriteError::Null(String::new())),
        (json!({"a": [{"b/c": null}]}), WriteError::Null("/a/0/b~1c".to_owned())),
        (json!("text"), WriteError::Scalar),
        (json!(1), WriteError::Scalar),
        (json!({"a": {key: 1}}), WriteError::LongKey("/a".to_owned())),
    ] {
        assert_eq!(yaml::block(&value, 0), Err(error));
    }
}

/// Texts made of what matters to YAML.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => prop::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["\n", " ", "\t", ":", "#", "-", "\"", "'", "\\", ": ", " #", "\r", "{", "[", "*", "&", "!", "|", "%"])
            .prop_map(str::to_owned),
        2 => "[a-zA-Z0-9._/:-]{0,12}",
        1 => any::<char>().prop_map(String::from),
        1 => "[ \t\n:#a-c-]{0,10}",
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_value_is_read_back_by_both_parsers(value in value(), indent in 0_usize..5) {
        let value = json!({"value": value, "list": [value], "next": "value"});
        let written = yaml::block(&value, indent).expect("a map without nulls and with short keys");
        assert_reads(&format!("{written}\n"), &value);
    }

    #[test]
    fn no_string_adds_a_key_or_a_document(text in text()) {
        let document = format!("key: {}\nlist:\n- {}\n- last\n", yaml::scalar(&text), yaml::scalar(&text));
        assert_reads(&document, &json!({"key": text, "list": [text, "last"]}));
    }
}
