//! Bad files over a small kind of file, and what is said about each.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::config::problem::report;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Zoo {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    spec: Spec,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    name: String,
    open: Option<bool>,
    #[schemars(range(min = 1, max = 40))]
    cages: Option<u32>,
    visitors: Option<u32>,
    share: Option<f64>,
    feeding: Option<Feeding>,
    delivery: Option<Delivery>,
    lock: Option<Lock>,
    #[serde(default)]
    #[schemars(schema_with = "automatic")]
    heating: Option<serde_json::Value>,
    #[serde(default)]
    animals: Vec<Animal>,
    #[serde(default)]
    signs: BTreeMap<String, String>,
    #[schemars(regex(pattern = r"^[0-9]+[hm]$"), extend("examples" = ["72h"]))]
    rest: Option<String>,
}

fn automatic(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "enum": ["auto", true, false] })
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Feeding {
    /// By machine.
    Ouroboros,
    /// By hand.
    Static,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Delivery {
    Truck(Truck),
    Train(Train),
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Truck {
    wheels: u32,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Train {
    #[schemars(length(min = 1))]
    wagons: Vec<String>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Lock {
    Key { holder: String },
    Code { digits: u32 },
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Animal {
    name: String,
    token: Option<String>,
    secret_ref: Option<BTreeMap<String, String>>,
}

const HEAD: &str = "apiVersion: bobbypin.dev/v1alpha1\nkind: Zoo\n";

fn read_zoo(bytes: &[u8]) -> Result<Located<Zoo>, Vec<Problem>> {
    read(&Source { path: "zoo.yaml".to_owned(), bytes: bytes.into() }, "Zoo")
}

/// One line for each problem: `line:col key message (hint)`.
fn problems(bytes: &[u8]) -> String {
    let problems = read_zoo(bytes).err().unwrap_or_default();
    let line = |problem: &Problem| {
        let Problem { line, column, key, message, hint, .. } = problem;
        let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{line}:{column} {key} {message}{hint}\n")
    };
    problems.iter().map(line).collect()
}

fn whole(text: &str) -> String {
    if text.starts_with("  ") { format!("{HEAD}spec:\n  name: a\n{text}") } else { text.to_owned() }
}

#[test]
fn every_mistake_is_told_in_plain_words_with_its_place() {
    for (text, expected) in BAD {
        let expected: String = expected.iter().map(|line| format!("{line}\n")).collect();
        assert_eq!(problems(whole(text).as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_refused_as_a_whole() {
    let nested = format!("{HEAD}spec:\n  name: {}1{}\n", "[".repeat(63), "]".repeat(63));
    for (bytes, expected) in [
        (b"kind: \xff\n".to_vec(), "1:7  a byte that is not UTF-8 (save the file as UTF-8)\n"),
        (b"\xff\xfea\0".to_vec(), "1:1  a byte that is not UTF-8 (save the file as UTF-8)\n"),
        (
            vec![b'#'; 1024 * 1024 + 1],
            "0:0  the file is larger than 1 MiB (split what it holds, or check that it is the right file)\n",
        ),
        (nested.into_bytes(), "4:72  lists and mappings are nested more than 64 deep\n"),
        ("[".repeat(100_000).into_bytes(), "1:67  lists and mappings are nested more than 64 deep\n"),
        ("- ".repeat(100_000).into_bytes(), "1:131  lists and mappings are nested more than 64 deep\n"),
    ] {
        assert_eq!(problems(&bytes), expected);
    }
}

#[test]
fn a_file_with_very_many_mistakes_names_the_first_hundred() {
    let list = format!("{HEAD}spec: {{name: a, animals: [{}]}}\n", "~,".repeat(100_000));
    let keys: String = (0..10_000).map(|number| format!("  key{number}: &a 1\n")).collect();
    for text in [list, format!("{HEAD}spec:\n{keys}")] {
        let problems = read_zoo(text.as_bytes()).unwrap_err();
        assert_eq!(problems.len(), 101);
        assert_eq!(problems.last().map(|last| last.message.as_str()), Some("there are more problems than are shown"));
        assert!(problems.iter().all(|problem| problem.excerpt.chars().count() <= 162));
    }
}

#[test]
fn a_good_file_is_read_and_each_of_its_places_can_be_named() {
    let text = "\u{feff}apiVersion: bobbypin.dev/v1alpha1\r\nkind: Zoo\r\nspec:\r\n  name: 'yes'\r\n  signs: {a.b/c: ä}\r\n  \
                animals:\r\n  - name: x\r\n    secretRef: {name: y, key: token}\r\n";
    let zoo = read_zoo(text.as_bytes()).unwrap();
    assert_eq!(zoo.value.spec.name, "yes");
    assert_eq!(zoo.value.spec.animals[0].secret_ref.as_ref().map(BTreeMap::len), Some(2));
    for (pointer, expected) in [
        ("/spec/name", "4:9 spec.name"),
        ("/spec", "3:1 spec"),
        ("/spec/signs/a.b~1c", "5:18 spec.signs[\"a.b/c\"]"),
        ("/spec/animals", "6:3 spec.animals"),
        ("/spec/animals/0", "7:5 spec.animals[0]"),
        ("/spec/animals/0/secretRef/key", "8:31 spec.animals[0].secretRef.key"),
        ("/spec/animals/0/token", "7:5 spec.animals[0].token"),
        ("/spec/animals/7/name", "6:3 spec.animals[7].name"),
        ("/spec/name/x/y", "4:3 spec.name.x.y"),
        ("", "1:1 "),
    ] {
        let Problem { line, column, key, .. } = zoo.problem(pointer, "wrong", None);
        assert_eq!(format!("{line}:{column} {key}"), expected, "{pointer}");
    }
}

#[test]
fn no_secret_is_ever_shown() {
    for (text, _) in BAD {
        let Err(problems) = read_zoo(whole(text).as_bytes()) else { continue };
        assert!(!report(&problems).contains("hunter2"), "{text:?}");
    }
    let source = Source { path: "zoo.yaml".to_owned(), bytes: Arc::from(*b"a: {token: x, password: y}\nb: *c\n") };
    assert_eq!(read::<Zoo>(&source, "Zoo").unwrap_err().first().map(|first| first.excerpt.as_str()), Some(""));
    let two = read_zoo(whole("  animals: [{name: x, token: x}, {name: y, token: y}]\n").as_bytes()).unwrap_err();
    let excerpts: Vec<_> = two.iter().map(|problem| problem.excerpt.as_str()).collect();
    assert_eq!(excerpts, ["  animals: [{name: x, token: (not shown)"; 2]);
}

#[test]
fn what_only_the_type_refuses_is_a_problem_of_the_file() {
    #[derive(Debug, Deserialize, JsonSchema)]
    struct Loose {
        #[schemars(with = "i64")]
        #[serde(rename = "legs")]
        _legs: u8,
    }
    let source = Source { path: "zoo.yaml".to_owned(), bytes: Arc::from(format!("{HEAD}legs: 300\n").as_bytes()) };
    let problems = read::<Loose>(&source, "Zoo").unwrap_err();
    let expected = "zoo.yaml:0:0: invalid value: integer `300`, expected u8";
    assert_eq!(problems.iter().map(Problem::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_schema_is_a_document_of_its_draft() {
    let schema: Value = serde_json::from_str(&schema::<Zoo>()).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema["required"], serde_json::json!(["apiVersion", "kind", "spec"]));
}

#[test]
fn a_report_shows_the_line_the_place_and_the_way_out() {
    let text = format!(
        "{HEAD}spec:\n  name: \"a\u{202e}\"\n  delivry: {{}}\n  feeding: ouroborus\n  rest: 72\n  animals:\n    - name: ä\n      token: hunter2\n"
    );
    let problems = read_zoo(text.as_bytes()).unwrap_err();
    assert_snapshot!(report(&problems), @r#"
    error: unknown key `delivry`
      --> zoo.yaml:5:3 (spec.delivry)
       |
     5 |   delivry: {}
       |   ^
       = help: did you mean `delivery`?

    error: `ouroborus` is not one of ouroboros, static
      --> zoo.yaml:6:12 (spec.feeding)
       |
     6 |   feeding: ouroborus
       |            ^
       = help: did you mean `ouroboros`?

    error: found a number, expected a string
      --> zoo.yaml:7:9 (spec.rest)
       |
     7 |   rest: 72
       |         ^
       = help: put it in quotes: "72"

    error: `token` holds a secret, and this file goes to Git
      --> zoo.yaml:10:7 (spec.animals[0].token)
       |
    10 |       token: (not shown)
       |       ^
       = help: take it out, change it where it was valid, and name the Secret or file that holds it

    4 problems in 1 file
    "#);
}

#[test]
fn a_report_joins_the_problems_of_files_and_escapes_what_a_terminal_would_obey() {
    let long = format!("{HEAD}spec: {{name: a, signs: {{{}}}, open: yes}}\n", "k: v, ".repeat(40));
    let mut problems = read_zoo(long.as_bytes()).unwrap_err();
    problems.truncate(1);
    problems.extend(
        read::<Zoo>(&Source { path: "a\u{1b}[31m.yaml".to_owned(), bytes: Arc::from(*b"") }, "Zoo").unwrap_err(),
    );
    problems.extend(
        read::<Zoo>(&Source { path: "b.yaml".to_owned(), bytes: Arc::from("a: \u{202e}\u{7}\n".as_bytes()) }, "Zoo")
            .unwrap_err(),
    );
    assert_snapshot!(report(&problems), @r#"
    error: the file is empty
     --> a\u{1b}[31m.yaml
      = help: `bobbypin init` writes a file to begin with

    error: a control character (U+0007)
     --> b.yaml:1:5
      |
    1 | a: \u{202e}\u{7}
      |            ^
      = help: delete it; in double quotes it may be written as an escape

    error: the key `k` occurs twice; the first is in line 3
     --> zoo.yaml:3:31 (spec.signs.k)
      |
    3 | … k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v, k: v
      |   ^
      = help: keep one of the two

    3 problems in 3 files
    "#);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        report(&read_zoo(&bytes).err().unwrap_or_default());
    }

    #[test]
    fn no_text_of_yaml_makes_it_panic_and_every_place_is_in_the_text(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "a", "open", "feeding", "delivery", "truck", "token", ": ", ":", "\n", "\n  ", "\n    ", "- ", "{", "}", "[", "]",
                ", ", "\"", "'", "&a ", "*a", "!!str ", "<<: ", "|\n", "~", "1", "yes", "# ", "? ", "---\n", "...\n", "\t", "ä",
                "\r\n", "\u{85}", "\u{2028}", "\u{feff}", "://a:b@c",
            ]),
            0..40,
        ),
        in_spec in any::<bool>(),
    ) {
        let text = format!("{}{}", if in_spec { format!("{HEAD}spec:\n  ") } else { String::new() }, parts.concat());
        let problems = read_zoo(text.as_bytes()).err().unwrap_or_default();
        report(&problems);
        let lines: Vec<&str> = text.split('\n').collect();
        for problem in problems.iter().filter(|problem| problem.line > 0) {
            let line = lines.get(problem.line - 1);
            prop_assert!(line.is_some_and(|line| problem.column <= line.chars().count() + 1), "{text:?}: {problem}");
        }
    }
}

/// Files and what is said about them. One that begins with a space continues a `spec` that is good so far.
const BAD: &[(&str, &[&str])] = &[
    ("", &["0:0  the file is empty (`bobbypin init` writes a file to begin with)"]),
    ("# nothing\n", &["0:0  the file is empty (`bobbypin init` writes a file to begin with)"]),
    ("---\n", &["0:0  the file is empty (`bobbypin init` writes a file to begin with)"]),
    ("null\n", &["0:0  the file is empty (`bobbypin init` writes a file to begin with)"]),
    (
        "- a\n",
        &[
            "1:1  this is not a Zoo: it has no keys (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    (
        "a: 1\n---\nb: 2\n",
        &[
            "2:1  a second document begins here; a file holds one (delete the line `---`, or move what follows into a file of its own)",
        ],
    ),
    (
        "apiVersion: v1\nkind: Zoo\n",
        &[
            "1:13 apiVersion `apiVersion` is `v1`, expected bobbypin.dev/v1alpha1 (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    (
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Zooo\nsecrets: 1\n",
        &["2:7 kind `kind` is `Zooo`, expected Zoo (did you mean `Zoo`?)"],
    ),
    (
        "kind: Zoo\n",
        &[
            "1:1 apiVersion the key `apiVersion` is missing (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    (
        "apiversion: bobbypin.dev/v1alpha1\nkind: Zoo\n",
        &["1:1 apiVersion the key `apiVersion` is missing (write `apiVersion` instead of `apiversion`)"],
    ),
    (
        "apiVersion: 1\n",
        &[
            "1:13 apiVersion `apiVersion` is not text, expected bobbypin.dev/v1alpha1 (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    ("apiVersion: bobbypin.dev/v1alpha1\nkind: Zoo\n", &["1:1  the key `spec` is missing"]),
    ("a: \0\n", &["1:4  a control character (U+0000) (delete it; in double quotes it may be written as an escape)"]),
    (
        "a: 1\rb: 2\n",
        &["1:5  a control character (U+000D) (delete it; in double quotes it may be written as an escape)"],
    ),
    (
        "a: \u{1b}[2J\nä: \u{7f}\n",
        &[
            "1:4  a control character (U+001B) (delete it; in double quotes it may be written as an escape)",
            "2:4  a control character (U+007F) (delete it; in double quotes it may be written as an escape)",
        ],
    ),
    ("a: [1, 2\nb: 3\n", &["2:2 a not YAML: illegal placement of ':' indicator"]),
    ("a: b: c\n", &["1:5  not YAML: mapping values are not allowed in this context"]),
    ("a:\n\tb: 1\n", &["2:2 a not YAML: tabs disallowed within this context (block indentation) (indent with spaces)"]),
    ("%YAML 1.2\n---\na: 1\n", &["1:1  not YAML: YAML directives are disallowed"]),
    ("a: \"b\n", &["2:1 a not YAML: invalid indentation in multiline quoted scalar"]),
    ("{{a: 1}: 2}\n", &["1:2  a key is a list, a mapping or an alias; it must be text"]),
    ("? [a]\n: 1\n", &["1:3  a key is a list, a mapping or an alias; it must be text"]),
    ("  name: b\n", &["5:3 spec.name the key `name` occurs twice; the first is in line 4 (keep one of the two)"]),
    (
        "  open: &x true\n",
        &["5:9 spec.open anchors (`&name`) are not read here (write the value in every place that needs it)"],
    ),
    (
        "  open: *x\n",
        &[
            "5:9 spec.open aliases (`*name`) are not read here (write the value out, or put a text that begins with `*` in quotes)",
        ],
    ),
    ("  <<: {open: true}\n", &["5:3 spec merge keys (`<<`) are not read here (write the keys out)"]),
    ("  open: !!bool true\n", &["5:9 spec.open tags (`!name`) are not read here (delete the tag)"]),
    (
        "  open: true\n  open: false\n  open: 3\n",
        &[
            "6:3 spec.open the key `open` occurs twice; the first is in line 5 (keep one of the two)",
            "7:3 spec.open the key `open` occurs twice; the first is in line 5 (keep one of the two)",
        ],
    ),
    ("  \"\": 1\n", &["5:3 spec a key is empty"]),
    ("  open: yes\n", &["5:9 spec.open found a string, expected true or false (write true)"]),
    ("  open: Off\n", &["5:9 spec.open found a string, expected true or false (write false)"]),
    ("  open: \"true\"\n", &["5:9 spec.open found a string, expected true or false (write true, without quotes)"]),
    ("  open: maybe\n", &["5:9 spec.open found a string, expected true or false"]),
    ("  open: 1\n", &["5:9 spec.open found a number, expected true or false"]),
    ("  open: [true]\n", &["5:3 spec.open found a list, expected true or false"]),
    ("  open:\n", &["5:3 spec.open the key has no value (write a value, or delete the line)"]),
    ("  open: null\n", &["5:3 spec.open the key has no value (write a value, or delete the line)"]),
    ("  cages: 0\n", &["5:10 spec.cages `0` is too small: at least 1"]),
    ("  cages: 41\n", &["5:10 spec.cages `41` is too large: at most 40"]),
    ("  cages: \"7\"\n", &["5:10 spec.cages found a string, expected a whole number (write 7, without quotes)"]),
    ("  cages: 1.5\n", &["5:10 spec.cages found a number, expected a whole number"]),
    (
        "  cages: 012\n",
        &[
            "5:10 spec.cages a number that begins with 0 is octal to some readers and decimal to others (leave out the 0, or put text in quotes)",
        ],
    ),
    ("  cages: 99999999999999999999\n", &["5:10 spec.cages the number is too large (put text in quotes)"]),
    ("  visitors: 5000000000\n", &["5:13 spec.visitors `5000000000` is too large: at most 4294967295"]),
    ("  visitors: -1\n", &["5:13 spec.visitors `-1` is too small: at least 0"]),
    ("  share: .nan\n", &["5:10 spec.share the number is not finite (write a number, or put text in quotes)"]),
    ("  share: -.inf\n", &["5:10 spec.share the number is not finite (write a number, or put text in quotes)"]),
    ("  share: 1e999\n", &["5:10 spec.share the number is too large (put text in quotes)"]),
    ("  share: half\n", &["5:10 spec.share found a string, expected a number"]),
    (
        "  feeding: ouroborus\n",
        &["5:12 spec.feeding `ouroborus` is not one of ouroboros, static (did you mean `ouroboros`?)"],
    ),
    ("  feeding: robot\n", &["5:12 spec.feeding `robot` is not one of ouroboros, static"]),
    ("  feeding: 3\n", &["5:12 spec.feeding `3` is not one of ouroboros, static"]),
    ("  feeding: {a: b}\n", &["5:3 spec.feeding found a mapping, expected ouroboros or static"]),
    ("  heating: yes\n", &["5:12 spec.heating `yes` is not one of auto, true, false (write true)"]),
    ("  heating: atuo\n", &["5:12 spec.heating `atuo` is not one of auto, true, false (did you mean `auto`?)"]),
    ("  heating: [auto]\n", &["5:3 spec.heating found a list, expected auto, true or false"]),
    (
        "  delivery: {truck: {wheels: x}}\n",
        &["5:30 spec.delivery.truck.wheels found a string, expected a whole number"],
    ),
    ("  delivery: {truk: {wheels: 4}}\n", &["5:14 spec.delivery.truk unknown key `truk` (did you mean `truck`?)"]),
    ("  delivery: {train: {wagons: []}}\n", &["5:22 spec.delivery.train.wagons the list is empty"]),
    (
        "  delivery: {truck: {wheels: 4}, train: {wagons: [a]}}\n",
        &["5:3 spec.delivery expected exactly one of the keys train or truck"],
    ),
    ("  delivery: truck\n", &["5:13 spec.delivery found a string, expected a mapping"]),
    ("  delivery: {}\n", &["5:3 spec.delivery expected exactly one of the keys train or truck"]),
    (
        "  delivery: {truck: {whels: 4}}\n",
        &["5:22 spec.delivery.truck.whels unknown key `whels` (did you mean `wheels`?)"],
    ),
    ("  lock: {type: key, holdr: a}\n", &["5:21 spec.lock.holdr unknown key `holdr` (did you mean `holder`?)"]),
    ("  lock: {type: cod, digits: 3}\n", &["5:16 spec.lock.type `cod` is not one of key, code (did you mean `code`?)"]),
    ("  lock: {digits: 3}\n", &["5:3 spec.lock the key `type` is missing"]),
    ("  lock: {type: code, digits: a}\n", &["5:30 spec.lock.digits found a string, expected a whole number"]),
    ("  delivry: {}\n", &["5:3 spec.delivry unknown key `delivry` (did you mean `delivery`?)"]),
    (
        "  colour: red\n",
        &[
            "5:3 spec.colour unknown key `colour` (the keys here are animals, cages, delivery, feeding, heating, lock, name, open, rest, share, signs and visitors)",
        ],
    ),
    (
        "  animals:\n    - name: x\n    - nam: y\n",
        &["7:7 spec.animals[1].nam unknown key `nam` (did you mean `name`?)"],
    ),
    (
        "  animals:\n    - name: 1.60\n    -\n    - true\n",
        &[
            "6:13 spec.animals[0].name found a number, expected a string (put it in quotes: \"1.60\")",
            "7:6 spec.animals[1] the item is empty (write a value, or delete the line)",
            "8:7 spec.animals[2] found true, expected a mapping",
        ],
    ),
    ("  animals: {name: x}\n", &["5:3 spec.animals found a mapping, expected a list"]),
    ("  animals:\n    - {}\n", &["6:7 spec.animals[0] the key `name` is missing"]),
    (
        "  signs: {a: 1, b.c: true, d: x}\n",
        &[
            "5:14 spec.signs.a found a number, expected a string (put it in quotes: \"1\")",
            "5:22 spec.signs[\"b.c\"] found true, expected a string (put it in quotes: \"true\")",
        ],
    ),
    ("  signs: {a: ~}\n", &["5:11 spec.signs.a the key has no value (write a value, or delete the line)"]),
    ("  rest: 3d\n", &["5:9 spec.rest `3d` does not have the right form (`^[0-9]+[hm]$`) (for example `72h`)"]),
    ("  rest: 72\n", &["5:9 spec.rest found a number, expected a string (put it in quotes: \"72\")"]),
    (
        "  animals:\n    - name: x\n      token: hunter2\n",
        &[
            "7:7 spec.animals[0].token `token` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  animals: [{name: x, token: 5}]\n",
        &[
            "5:23 spec.animals[0].token `token` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  password: [hunter2]\n",
        &[
            "5:3 spec.password unknown key `password` (the keys here are animals, cages, delivery, feeding, heating, lock, name, open, rest, share, signs and visitors)",
            "5:14 spec.password[0] `password` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  signs: {a: \"https://me:hunter2@example.org\"}\n",
        &[
            "5:11 spec.signs.a `a` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  signs: {\"https://me:hunter2@example.org\": a}\n",
        &[
            "5:11 spec.signs a key holds a password (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  feeding: https://me:hunter2@example.org\n",
        &[
            "5:3 spec.feeding `feeding` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "  signs:\n    x: |\n      -----BEGIN PRIVATE KEY-----\n      hunter2\n",
        &[
            "6:5 spec.signs.x `x` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
        ],
    ),
    (
        "\u{feff}apiVersion: bobbypin.dev/v1alpha1\r\nkind: Zoo\r\nspec:\r\n  näme: {ü: 1, open: &a 1}\r\n",
        &[
            "4:3 spec.näme unknown key `näme` (did you mean `name`?)",
            "4:22 spec.näme.open anchors (`&name`) are not read here (write the value in every place that needs it)",
        ],
    ),
    ("  lock: {type: key}\n", &["5:3 spec.lock the key `holder` is missing"]),
    (
        "  signs: {a: \u{202e}, b: ~, b: ~}\n",
        &[
            "5:17 spec.signs.b the key has no value (write a value, or delete the line)",
            "5:23 spec.signs.b the key `b` occurs twice; the first is in line 5 (keep one of the two)",
        ],
    ),
    ("  open: TRUE\n  share: +0x1F\n", &["6:10 spec.share found a string, expected a number"]),
    ("apiVersion: bobbypin.dev/v1alpha1\nkind: Zoo\nspec: []\n", &["3:1 spec found a list, expected a mapping"]),
    (
        "token: hunter2\na: [\n",
        &[
            "1:1 token `token` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
            "2:4 a not YAML: unclosed bracket '['",
        ],
    ),
    (
        "password: &x hunter2\nb: *x\n",
        &[
            "1:1 password `password` holds a secret, and this file goes to Git (take it out, change it where it was valid, and name the Secret or file that holds it)",
            "1:11 password anchors (`&name`) are not read here (write the value in every place that needs it)",
            "2:4 b aliases (`*name`) are not read here (write the value out, or put a text that begins with `*` in quotes)",
        ],
    ),
    (
        "kind: Secret\napiVersion: v1\nstringData: {password: hunter2}\n",
        &[
            "2:13 apiVersion `apiVersion` is `v1`, expected bobbypin.dev/v1alpha1 (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    (
        "  feeding: static\n  feeding: static\n  colour: red\n  animals: no\n",
        &[
            "6:3 spec.feeding the key `feeding` occurs twice; the first is in line 5 (keep one of the two)",
            "7:3 spec.colour unknown key `colour` (the keys here are animals, cages, delivery, feeding, heating, lock, name, open, rest, share, signs and visitors)",
            "8:12 spec.animals found a string, expected a list",
        ],
    ),
    ("  cages: 0o777\n", &["5:10 spec.cages `511` is too large: at most 40"]),
    ("  share: 1e\n", &["5:10 spec.share found a string, expected a number"]),
    (
        "text\n",
        &[
            "1:1  this is not a Zoo: it has no keys (begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: Zoo`)",
        ],
    ),
    ("  name2: 'it''s'\n", &["5:3 spec.name2 unknown key `name2` (did you mean `name`?)"]),
    ("  Name: b\n", &["5:3 spec.Name unknown key `Name` (did you mean `name`?)"]),
    (
        "  secret: {name: x}\n",
        &[
            "5:3 spec.secret unknown key `secret` (the keys here are animals, cages, delivery, feeding, heating, lock, name, open, rest, share, signs and visitors)",
        ],
    ),
    ("  visitors: -9223372036854775809\n", &["5:13 spec.visitors the number is too large (put text in quotes)"]),
    (
        "  delivery: {truck: {wheels: 4, color: red}}\n",
        &["5:33 spec.delivery.truck.color unknown key `color` (the only key here is wheels)"],
    ),
    ("  delivery: {truck: }\n", &["5:14 spec.delivery.truck the key has no value (write a value, or delete the line)"]),
];
