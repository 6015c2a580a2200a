//! Turns what a JSON schema validator says into what a person can act on.

use std::collections::BTreeSet;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

use crate::config::{
    place::{Children, Finding, Node, Segment, Text, key_path},
    secret,
    suggest::nearest,
};

/// How many errors of the validator are looked at; a file that has more has them because of few causes.
const MAX_ERRORS: usize = 200;
/// How much of a value is repeated in a message, in characters.
const MAX_QUOTED: usize = 60;

/// What is wrong with a document by its schema, without order.
pub(crate) fn explain(
    validator: &Validator,
    schema: &Value,
    document: &Value,
    root: &Node,
    text: &Text,
) -> Vec<Finding> {
    let mut explainer = Explainer { schema, root, text, nulls: Vec::new(), findings: Vec::new() };
    explainer.refuse_nulls(document, root, &mut Vec::new());
    for error in validator.iter_errors(document).take(MAX_ERRORS) {
        explainer.error(&error);
    }
    explainer.findings
}

/// A value as a message may repeat it.
pub(crate) fn quote(text: &str) -> String {
    if secret::find_in(text) {
        return "`(not shown)`".to_owned();
    }
    let mut characters = text.chars();
    let short: String = characters.by_ref().take(MAX_QUOTED).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    format!("`{short}{rest}`")
}

/// The hint that names the nearest of some words.
pub(crate) fn nearest_hint<'word>(wrong: &str, candidates: impl IntoIterator<Item = &'word str>) -> Option<String> {
    nearest(wrong, candidates).map(|word| format!("did you mean `{word}`?"))
}

struct Explainer<'file> {
    schema: &'file Value,
    root: &'file Node,
    text: &'file Text,
    /// JSON pointers of keys without a value. What else is wrong with them is noise.
    nulls: Vec<String>,
    findings: Vec<Finding>,
}

impl<'file> Explainer<'file> {
    fn refuse_nulls(&mut self, value: &Value, node: &Node, path: &mut Vec<Segment>) {
        match (value, &node.children) {
            (Value::Null, _) => {
                self.nulls.push(pointer(path));
                let what = if node.key.is_some() { "the key has no value" } else { "the item is empty" };
                let hint = Some("write a value, or delete the line".to_owned());
                self.findings.push(Finding::at(node.key_position(), key_path(path), what, hint));
            }
            (Value::Array(values), Children::List(nodes)) => {
                for (index, (value, node)) in values.iter().zip(nodes).enumerate() {
                    path.push(Segment::Index(index));
                    self.refuse_nulls(value, node, path);
                    path.pop();
                }
            }
            (Value::Object(values), Children::Map(nodes)) => {
                for (key, node) in nodes {
                    path.push(Segment::Key(key.clone()));
                    self.refuse_nulls(&values[key], node, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn report(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        if self.nulls.iter().any(|null| null == pointer) {
            return;
        }
        let target = self.root.follow(pointer);
        self.findings.push(Finding::at(target.node.position(), key_path(&target.path), message, hint));
    }

    fn error(&mut self, error: &ValidationError<'_>) {
        let at = error.instance_path().as_str();
        let value: &Value = error.instance();
        let place = self.schema_around(error);
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                self.unknown_keys(at, unexpected.iter().map(String::as_str), &self.properties(place));
            }
            Kind::Required { property } => {
                let message = format!("the key `{}` is missing", property.as_str().unwrap_or_default());
                let position = self.root.follow(at).node.key_position();
                let key = key_path(&self.root.follow(at).path);
                self.findings.push(Finding::at(position, key, message, example(place)));
            }
            Kind::Type { .. } | Kind::Enum { .. } | Kind::Constant { .. } => {
                let mut allowed = Allowed::default();
                self.allowed(place, &mut allowed, 0);
                self.mismatch(at, value, &allowed);
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.alternatives(at, value, place, context),
            Kind::PropertyNames { error } => {
                let name = error.instance().as_str().unwrap_or_default();
                let message = format!("the key {} is not allowed here{}", quote(name), pattern(error.kind()));
                let target = format!("{at}/{}", escape(name));
                let position = self.root.follow(&target).node.key_position();
                self.findings.push(Finding::at(position, key_path(&self.root.follow(&target).path), message, None));
            }
            kind => {
                let shown = self.shown(at, value);
                let message = match kind {
                    Kind::Pattern { .. } => format!("{shown} does not have the right form{}", pattern(kind)),
                    Kind::Minimum { limit } => format!("{shown} is too small: at least {limit}"),
                    Kind::Maximum { limit } => format!("{shown} is too large: at most {limit}"),
                    Kind::ExclusiveMinimum { limit } => format!("{shown} is too small: more than {limit}"),
                    Kind::ExclusiveMaximum { limit } => format!("{shown} is too large: less than {limit}"),
                    Kind::MinLength { .. } if value.as_str() == Some("") => "the text is empty".to_owned(),
                    Kind::MinLength { limit } => format!("{shown} is too short: at least {limit} characters"),
                    Kind::MaxLength { limit } => format!("{shown} is too long: at most {limit} characters"),
                    Kind::MinItems { limit: 1 } => "the list is empty".to_owned(),
                    Kind::MinItems { limit } => format!("the list is too short: at least {limit} items"),
                    Kind::MaxItems { limit } => format!("the list is too long: at most {limit} items"),
                    Kind::MinProperties { limit: 1 } => "the mapping is empty".to_owned(),
                    Kind::MinProperties { limit } => format!("the mapping is too small: at least {limit} keys"),
                    Kind::MaxProperties { limit } => format!("the mapping is too large: at most {limit} keys"),
                    Kind::UniqueItems => "the list holds something twice".to_owned(),
                    Kind::FalseSchema => "nothing may stand here".to_owned(),
                    _ => error.masked().to_string(),
                };
                self.report(at, message, example(place));
            }
        }
    }

    /// What the message calls the value.
    fn shown(&self, at: &str, value: &Value) -> String {
        match value {
            Value::String(_) if self.text.is_hidden(self.root.follow(at).node.value) => "the value".to_owned(),
            Value::String(text) => quote(text),
            Value::Number(number) => format!("`{number}`"),
            Value::Bool(value) => format!("`{value}`"),
            Value::Null | Value::Array(_) | Value::Object(_) => "the value".to_owned(),
        }
    }

    fn unknown_keys<'key>(
        &mut self,
        at: &str,
        unknown: impl IntoIterator<Item = &'key str>,
        known: &BTreeSet<&'file str>,
    ) {
        for key in unknown {
            let target = self.root.follow(&format!("{at}/{}", escape(key)));
            let hint = nearest_hint(key, known.iter().copied()).or_else(|| match known.len() {
                0 | 13.. => None,
                _ => Some(format!("the keys here are {}", join(known.iter().copied(), "and"))),
            });
            let finding =
                Finding::at(target.node.key_position(), key_path(&target.path), format!("unknown key `{key}`"), hint);
            self.findings.push(finding);
        }
    }

    /// The value is of a wrong type, or none of the allowed words.
    fn mismatch(&mut self, at: &str, value: &Value, allowed: &Allowed<'file>) {
        let words: Vec<String> = allowed.values.iter().map(|value| plain(value)).collect();
        let types = &allowed.types;
        let is_scalar = !value.is_array() && !value.is_object();
        let message = if is_scalar && types.is_empty() && !words.is_empty() {
            let verb = if words.len() == 1 { "is not" } else { "is not one of" };
            format!("{} {verb} {}", self.shown(at, value), words.join(", "))
        } else {
            let expected = words.iter().map(String::as_str).chain(types.iter().map(|name| expected(name)));
            format!("found {}, expected {}", found(value), join(expected, "or"))
        };
        let hint = self.mismatch_hint(at, value, &words, allowed);
        self.report(at, message, hint);
    }

    fn mismatch_hint(&self, at: &str, value: &Value, words: &[String], allowed: &Allowed<'_>) -> Option<String> {
        let node = self.root.follow(at).node;
        let is_boolean = allowed.types.contains("boolean") || words.iter().any(|word| word == "true");
        match value {
            Value::String(text) => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" => Some("write true"),
                    "no" | "off" | "n" => Some("write false"),
                    "true" => Some("write true, without quotes"),
                    "false" => Some("write false, without quotes"),
                    _ => None,
                };
                if let Some(meant) = meant.filter(|_| is_boolean) {
                    return Some(meant.to_owned());
                }
                if allowed.types.contains("integer") && text.parse::<i64>().is_ok() {
                    return Some(format!("write {text}, without quotes"));
                }
                nearest_hint(text, words.iter().map(String::as_str))
            }
            Value::Bool(_) | Value::Number(_) if allowed.types.contains("string") => {
                let written = self.text.slice(node.value, node.end)?;
                (!self.text.is_hidden(node.value)).then(|| format!("put it in quotes: \"{written}\""))
            }
            _ => None,
        }
    }

    /// None of several alternatives fits. The one that was most likely meant is explained, or else all together.
    fn alternatives(
        &mut self,
        at: &str,
        value: &Value,
        place: &'file Value,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let is_here = |error: &&ValidationError<'_>| error.instance_path().as_str() == at;
        let is_shape = |error: &&ValidationError<'_>| {
            matches!(error.kind(), Kind::Type { .. } | Kind::Enum { .. } | Kind::Constant { .. })
                || matches!(error.kind(), Kind::AnyOf { .. } | Kind::OneOfNotValid { .. })
        };
        let of_right_shape: Vec<_> =
            context.iter().filter(|errors| !errors.iter().any(|error| is_here(&error) && is_shape(&error))).collect();
        // A tag that says another alternative: `kind: static` where the alternative is for `kind: ouroboros`.
        let is_tag = |error: &&ValidationError<'_>| matches!(error.kind(), Kind::Constant { .. }) && !is_here(error);
        let tagged: Vec<_> =
            of_right_shape.iter().filter(|errors| !errors.iter().any(|error| is_tag(&error))).copied().collect();
        let candidates = if tagged.is_empty() { &of_right_shape } else { &tagged };
        let misfits = |errors: &[ValidationError<'_>]| errors.iter().filter(is_here).count();
        let fewest = candidates.iter().map(|errors| misfits(errors)).min();
        let best: Vec<_> = candidates.iter().filter(|errors| Some(misfits(errors)) == fewest).collect();
        match best.as_slice() {
            [] => {
                let mut allowed = Allowed::default();
                self.allowed(place, &mut allowed, 0);
                self.mismatch(at, value, &allowed);
            }
            [errors] => errors.iter().for_each(|error| self.error(error)),
            [first, ..] if fewest == Some(0) => first.iter().for_each(|error| self.error(error)),
            several => {
                let unexpected = |errors: &[ValidationError<'_>]| -> BTreeSet<String> {
                    let lists = errors.iter().filter(is_here).filter_map(|error| match error.kind() {
                        Kind::AdditionalProperties { unexpected } => Some(unexpected.clone()),
                        _ => None,
                    });
                    lists.flatten().collect()
                };
                let in_all = several.iter().map(|errors| unexpected(errors)).reduce(|a, b| &a & &b).unwrap_or_default();
                let known = self.properties(place);
                if in_all.is_empty() {
                    let message = format!("expected exactly one of the keys {}", join(known.iter().copied(), "or"));
                    let position = self.root.follow(at).node.key_position();
                    self.findings.push(Finding::at(position, key_path(&self.root.follow(at).path), message, None));
                } else {
                    self.unknown_keys(at, in_all.iter().map(String::as_str), &known);
                }
            }
        }
    }

    /// The schema that holds the keyword which the error is about.
    fn schema_around(&self, error: &ValidationError<'_>) -> &'file Value {
        let path = error.schema_path().as_str();
        let around = path.rsplit_once('/').map_or("", |(around, _)| around);
        self.schema.pointer(around).unwrap_or(&Value::Null)
    }

    fn resolve(&self, place: &'file Value) -> &'file Value {
        let reference = place.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        reference.and_then(|pointer| self.schema.pointer(pointer)).unwrap_or(place)
    }

    /// The keys that a schema knows, in all of its alternatives.
    fn properties(&self, place: &'file Value) -> BTreeSet<&'file str> {
        let place = self.resolve(place);
        let own = place.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key.as_str());
        let mut known: BTreeSet<&str> = own.collect();
        for branch in branches(place) {
            known.extend(self.properties(branch));
        }
        known
    }

    /// What a schema allows, as far as one look tells.
    fn allowed(&self, place: &'file Value, allowed: &mut Allowed<'file>, depth: usize) {
        // No schema made from a Rust type nests alternatives that deep; one that refers to itself would not end.
        if depth > 8 {
            return;
        }
        let place = self.resolve(place);
        let values = place.get("enum").and_then(Value::as_array).into_iter().flatten().chain(place.get("const"));
        let known = allowed.values.len();
        for value in values.filter(|value| !value.is_null()) {
            if !allowed.values.contains(&value) {
                allowed.values.push(value);
            }
        }
        if allowed.values.len() == known {
            let types = match place.get("type") {
                Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
                Some(Value::String(name)) => vec![name.as_str()],
                _ => Vec::new(),
            };
            allowed.types.extend(types.into_iter().filter(|&name| name != "null"));
        }
        for branch in branches(place) {
            self.allowed(branch, allowed, depth + 1);
        }
    }
}

/// What may stand at a place.
#[derive(Default)]
struct Allowed<'schema> {
    values: Vec<&'schema Value>,
    types: BTreeSet<&'schema str>,
}

fn branches(place: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| place.get(key)?.as_array()).flatten()
}

fn example(place: &Value) -> Option<String> {
    let example = place.get("examples")?.as_array()?.first()?;
    Some(format!("for example `{}`", plain(example)))
}

fn pattern(kind: &Kind) -> String {
    match kind {
        Kind::Pattern { pattern } => format!(" (`{pattern}`)"),
        _ => String::new(),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn expected(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a string",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    }
}

/// `a`, `a or b`, `a, b or c`.
fn join<'word>(words: impl IntoIterator<Item = &'word str>, last: &str) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [rest @ .., before, end] => {
            let mut text: String = rest.iter().map(|word| format!("{word}, ")).collect();
            text.push_str(&format!("{before} {last} {end}"));
            text
        }
        _ => words.concat(),
    }
}

fn pointer(path: &[Segment]) -> String {
    path.iter().fold(String::new(), |text, segment| match segment {
        Segment::Key(key) => format!("{text}/{}", escape(key)),
        Segment::Index(index) => format!("{text}/{index}"),
    })
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
