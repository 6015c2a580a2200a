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

#[test]
fn dump() {
    let head = HEAD;
    let spec = |text: &str| format!("{head}spec:\n  name: a\n{text}");
    for (text, _) in table() {
        let whole = if let Some(text) = text.strip_prefix("!") { text.to_owned() } else { spec(&text) };
        println!("{text:?}\n{}", problems(whole.as_bytes()));
    }
}

fn table() -> Vec<(String, &'static str)> {
    [
        "!",
        "!# nothing\n",
        "!---\n",
        "!null\n",
        "!- a\n",
        "!a: 1\n---\nb: 2\n",
        "!apiVersion: v1\nkind: Zoo\n",
        "!apiVersion: bobbypin.dev/v1alpha1\nkind: Zooo\nsecrets: 1\n",
        "!kind: Zoo\n",
        "!apiversion: bobbypin.dev/v1alpha1\nkind: Zoo\n",
        "!apiVersion: 1\n",
        "!apiVersion: bobbypin.dev/v1alpha1\nkind: Zoo\n",
        "!a: \u{0}\n",
        "!a: 1\rb: 2\n",
        "!a: \u{1b}[2J\nä: \u{7f}\n",
        "!a: [1, 2\nb: 3\n",
        "!a: b: c\n",
        "!a:\n\tb: 1\n",
        "!%YAML 1.2\n---\na: 1\n",
        "!a: \"b\n",
        "!{{a: 1}: 2}\n",
        "!? [a]\n: 1\n",
        "  name: b\n",
        "  open: &x true\n",
        "  open: *x\n",
        "  <<: {open: true}\n",
        "  open: !!bool true\n",
        "  open: true\n  open: false\n  open: 3\n",
        "  \"\": 1\n",
        "  open: yes\n",
        "  open: Off\n",
        "  open: \"true\"\n",
        "  open: maybe\n",
        "  open: 1\n",
        "  open: [true]\n",
        "  open:\n",
        "  open: null\n",
        "  cages: 0\n",
        "  cages: 41\n",
        "  cages: \"7\"\n",
        "  cages: 1.5\n",
        "  cages: 012\n",
        "  cages: 99999999999999999999\n",
        "  visitors: 5000000000\n",
        "  visitors: -1\n",
        "  share: .nan\n",
        "  share: -.inf\n",
        "  share: 1e999\n",
        "  share: half\n",
        "  feeding: ouroborus\n",
        "  feeding: robot\n",
        "  feeding: 3\n",
        "  feeding: {a: b}\n",
        "  heating: yes\n",
        "  heating: atuo\n",
        "  heating: [auto]\n",
        "  delivery: {truck: {wheels: x}}\n",
        "  delivery: {truk: {wheels: 4}}\n",
        "  delivery: {train: {wagons: []}}\n",
        "  delivery: {truck: {wheels: 4}, train: {wagons: [a]}}\n",
        "  delivery: truck\n",
        "  delivery: {}\n",
        "  delivery: {truck: {whels: 4}}\n",
        "  lock: {type: key, holdr: a}\n",
        "  lock: {type: cod, digits: 3}\n",
        "  lock: {digits: 3}\n",
        "  lock: {type: code, digits: a}\n",
        "  delivry: {}\n",
        "  colour: red\n",
        "  animals:\n    - name: x\n    - nam: y\n",
        "  animals:\n    - name: 1.60\n    -\n    - true\n",
        "  animals: {name: x}\n",
        "  animals:\n    - {}\n",
        "  signs: {a: 1, b.c: true, d: x}\n",
        "  signs: {a: ~}\n",
        "  rest: 3d\n",
        "  rest: 72\n",
        "  animals:\n    - name: x\n      token: hunter2\n",
        "  animals: [{name: x, token: 5}]\n",
        "  password: [hunter2]\n",
        "  signs: {a: \"https://me:hunter2@example.org\"}\n",
        "  signs: {\"https://me:hunter2@example.org\": a}\n",
        "  feeding: https://me:hunter2@example.org\n",
        "  signs:\n    x: |\n      -----BEGIN PRIVATE KEY-----\n      hunter2\n",
    ]
    .into_iter()
    .map(|s| (s.to_owned(), ""))
    .collect()
}
