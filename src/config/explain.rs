//! Turns what a JSON schema validator says into what a person can act on.

use std::collections::BTreeSet;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

use crate::config::{
    document::Document,
    place::{Children, Finding, MAX_PROBLEMS, Node, Segment, key_path},
    secret,
    suggest::nearest,
};

/// How many errors of the validator are looked at; a file that has more has them because of few causes.
const MAX_ERRORS: usize = 200;
/// How many keys a hint lists.
const MAX_LISTED: usize = 12;
/// How much of a value is repeated in a message, in characters.
const MAX_QUOTED: usize = 60;

/// What is wrong with a document by its schema, without order.
pub(crate) fn explain(validator: &Validator, schema: &Value, document: &Document) -> Vec<Finding> {
    let mut explainer =
        Explainer { schema, document, findings: Vec::new(), missing: Vec::new(), meant: BTreeSet::new() };
    explainer.refuse_nulls(&document.value, &document.root, &mut Vec::new());
    for error in validator.iter_errors(&document.value).take(MAX_ERRORS) {
        explainer.error(&error);
    }
    let Explainer { mut findings, missing, meant, .. } = explainer;
    // A key that is there under a wrong name is one problem.
    findings.extend(missing.into_iter().filter(|(key, _)| !meant.contains(key)).map(|(_, finding)| finding));
    findings
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
    nearest(wrong, candidates).map(did_you_mean)
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

struct Explainer<'file> {
    schema: &'file Value,
    document: &'file Document,
    findings: Vec<Finding>,
    /// Keys that are missing, by the JSON pointer that they would have.
    missing: Vec<(String, Finding)>,
    /// Keys that a hint about an unknown key names, by the same pointers.
    meant: BTreeSet<String>,
}

impl<'file> Explainer<'file> {
    fn refuse_nulls(&mut self, value: &Value, node: &Node, path: &mut Vec<Segment>) {
        match (value, &node.children) {
            (Value::Null, _) if self.findings.len() <= MAX_PROBLEMS => {
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

    /// Reports something about a value, unless the value is refused anyway.
    fn report(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        let target = self.document.root.follow(pointer);
        let is_null = self.document.value.pointer(pointer).is_some_and(Value::is_null);
        if !is_null && !self.document.refused.contains(&target.node.value) {
            self.findings.push(Finding::at(target.node.position(), key_path(&target.path), message, hint));
        }
    }

    /// A finding about the key itself, or about the keys of a mapping.
    fn at_key(&self, pointer: &str, message: impl Into<String>, hint: Option<String>) -> Finding {
        let target = self.document.root.follow(pointer);
        Finding::at(target.node.key_position(), key_path(&target.path), message, hint)
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
                let property = property.as_str().unwrap_or_default();
                let finding = self.at_key(at, format!("the key `{property}` is missing"), None);
                self.missing.push((format!("{at}/{}", escape(property)), finding));
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
                self.findings.push(self.at_key(&format!("{at}/{}", escape(name)), message, None));
            }
            kind => {
                let shown = shown(value);
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

    fn unknown_keys<'key>(
        &mut self,
        at: &str,
        unknown: impl IntoIterator<Item = &'key str>,
        known: &BTreeSet<&'file str>,
    ) {
        for key in unknown.into_iter().take(MAX_PROBLEMS + 1) {
            let hint = match nearest(key, known.iter().copied()) {
                Some(meant) => {
                    self.meant.insert(format!("{at}/{}", escape(meant)));
                    Some(did_you_mean(meant))
                }
                None if known.is_empty() || known.len() > MAX_LISTED => None,
                None if known.len() == 1 => {
                    Some(format!("the only key here is {}", join(known.iter().copied(), "and")))
                }
                None => Some(format!("the keys here are {}", join(known.iter().copied(), "and"))),
            };
            self.findings.push(self.at_key(&format!("{at}/{}", escape(key)), format!("unknown key `{key}`"), hint));
        }
    }

    /// The value is of a wrong type, or none of the allowed words.
    fn mismatch(&mut self, at: &str, value: &Value, allowed: &Allowed<'file>) {
        let words: Vec<String> = allowed.values.iter().map(|value| plain(value)).collect();
        let types = &allowed.types;
        let is_scalar = !value.is_array() && !value.is_object();
        let message = if is_scalar && types.is_empty() && !words.is_empty() {
            let verb = if words.len() == 1 { "is not" } else { "is not one of" };
            format!("{} {verb} {}", shown(value), words.join(", "))
        } else {
            let expected = words.iter().map(String::as_str).chain(types.iter().map(|name| expected(name)));
            format!("found {}, expected {}", found(value), join(expected, "or"))
        };
        let hint = self.mismatch_hint(at, value, &words, allowed);
        self.report(at, message, hint);
    }

    fn mismatch_hint(&self, at: &str, value: &Value, words: &[String], allowed: &Allowed<'_>) -> Option<String> {
        let node = self.document.root.follow(at).node;
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
                let written = self.document.text.slice(node.value, node.end)?;
                Some(format!("put it in quotes: \"{written}\""))
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
        let is_here = |error: &&&ValidationError<'_>| error.instance_path().as_str() == at;
        let is_shape = |error: &&&ValidationError<'_>| {
            matches!(error.kind(), Kind::Type { .. } | Kind::Enum { .. } | Kind::Constant { .. })
        };
        let mut branches = Vec::new();
        flatten(at, context, &mut branches);
        let of_right_shape: Vec<_> =
            branches.iter().filter(|errors| !errors.iter().any(|error| is_here(&error) && is_shape(&error))).collect();
        // A tag that says another alternative: `kind: static` where the alternative is for `kind: ouroboros`.
        let is_tag = |error: &&&ValidationError<'_>| matches!(error.kind(), Kind::Constant { .. }) && !is_here(error);
        let tagged: Vec<_> =
            of_right_shape.iter().filter(|errors| !errors.iter().any(|error| is_tag(&error))).copied().collect();
        if tagged.is_empty()
            && let Some(at) =
                of_right_shape.iter().find_map(|errors| errors.iter().find(is_tag)?.instance_path().into())
        {
            let mut allowed = Allowed::default();
            for error in of_right_shape.iter().flat_map(|errors| errors.iter().filter(is_tag)) {
                if error.instance_path() == at {
                    self.allowed(self.schema_around(error), &mut allowed, 0);
                }
            }
            let value = self.document.value.pointer(at.as_str()).unwrap_or(&Value::Null);
            return self.mismatch(at.as_str(), value, &allowed);
        }
        let misfits = |errors: &[&ValidationError<'_>]| errors.iter().filter(is_here).count();
        let fewest = tagged.iter().map(|errors| misfits(errors)).min();
        let best: Vec<_> = tagged.iter().filter(|errors| Some(misfits(errors)) == fewest).collect();
        match best.as_slice() {
            [] => {
                let mut allowed = Allowed::default();
                self.allowed(place, &mut allowed, 0);
                self.mismatch(at, value, &allowed);
            }
            [errors] => errors.iter().for_each(|error| self.error(error)),
            [first, ..] if fewest == Some(0) => first.iter().for_each(|error| self.error(error)),
            several => {
                let unexpected = |errors: &[&ValidationError<'_>]| -> BTreeSet<String> {
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
                    self.findings.push(self.at_key(at, message, None));
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

/// The errors of each alternative, where alternatives inside of an alternative are alternatives as well: an optional
/// value is `anyOf: [{$ref: …}, {type: "null"}]`, and what it refers to may be a `oneOf`.
fn flatten<'error>(
    at: &str,
    context: &'error [Vec<ValidationError<'static>>],
    branches: &mut Vec<Vec<&'error ValidationError<'static>>>,
) {
    for errors in context {
        match errors.as_slice() {
            [error] if error.instance_path().as_str() == at => match error.kind() {
                Kind::AnyOf { context } | Kind::OneOfNotValid { context } => flatten(at, context, branches),
                _ => branches.push(vec![error]),
            },
            errors => branches.push(errors.iter().collect()),
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

/// What a message calls a value.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Number(_) | Value::Bool(_) => format!("`{value}`"),
        Value::Null | Value::Array(_) | Value::Object(_) => "the value".to_owned(),
    }
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

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
