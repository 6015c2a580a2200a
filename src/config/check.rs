//! Reads a file against the JSON schema of its type, and tells every problem at once.

use std::{
    any::TypeId,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{
    document::{self, Document},
    explain::{self, nearest_hint},
    place::{Finding, Node, Segment, Text, key_path},
    problem::{Problem, Source},
};

/// The version that this program reads and writes.
const API_VERSION: &str = "bobbypin.dev/v1alpha1";

/// A value that was read from a file, with the place of every part of it.
#[derive(Debug)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    root: Node,
    text: Text,
}

impl<T> Located<T> {
    /// A problem with the value at a JSON pointer (`/spec/tenants/overrides/2/name`).
    ///
    /// What does not exist is shown at the nearest part around it that does; the key path names it all the same.
    pub(crate) fn problem(&self, pointer: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        let target = self.root.follow(pointer);
        let position = if target.exists { target.node.position() } else { target.node.key_position() };
        self.text.problem(Finding::at(position, key_path(&target.path), message, hint))
    }
}

/// Reads one document of a kind against the JSON schema of `T`. It fails with every problem of the file.
///
/// A file of another kind or version is one problem, because nothing else that could be said about it would help.
pub(crate) fn read<T: DeserializeOwned + JsonSchema + 'static>(
    source: &Source,
    kind: &str,
) -> Result<Located<T>, Vec<Problem>> {
    let document = document::read(source)?;
    if let Some(finding) = wrong_envelope(&document.value, &document.root, kind) {
        return Err(vec![document.text.problem(finding)]);
    }
    let checker = checker::<T>();
    let explained = explain::explain(&checker.validator, &checker.schema, &document);
    let Document { value, root, text, mut findings, .. } = document;
    findings.extend(explained);
    if !findings.is_empty() {
        return Err(text.problems(findings));
    }
    match serde_json::from_value(value) {
        Ok(value) => Ok(Located { value, root, text }),
        Err(error) => Err(vec![text.problem(Finding::whole(error.to_string(), None))]),
    }
}

/// The pretty JSON Schema (draft 2020-12) of `T`, with one newline at the end.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let schema = serde_json::to_string_pretty(&schema_value::<T>()).expect("a JSON value can always be written");
    schema + "\n"
}

fn schema_value<T: JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// What is wrong with `apiVersion` and `kind`, in one finding.
fn wrong_envelope(value: &Value, root: &Node, kind: &str) -> Option<Finding> {
    let expected = format!("begin the file with `apiVersion: {API_VERSION}` and `kind: {kind}`");
    let Value::Object(entries) = value else {
        return Some(Finding::at(root.value, "", format!("this is not a {kind}: it has no keys"), Some(expected)));
    };
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", kind)] {
        let at = root.follow(&format!("/{key}")).node.position();
        let path = key_path(&[Segment::Key(key.to_owned())]);
        match entries.get(key) {
            Some(Value::String(found)) if found == wanted => {}
            Some(Value::String(found)) => {
                let message = format!("`{key}` is {}, expected {wanted}", explain::quote(found));
                let hint = nearest_hint(found, [wanted]).unwrap_or(expected);
                return Some(Finding::at(at, path, message, Some(hint)));
            }
            Some(_) => {
                return Some(Finding::at(at, path, format!("`{key}` is not text, expected {wanted}"), Some(expected)));
            }
            None => {
                let hint = entries.keys().find(|found| nearest_hint(found, [key]).is_some());
                let hint = hint.map(|found| format!("write `{key}` instead of `{found}`")).unwrap_or(expected);
                return Some(Finding::at(root.value, path, format!("the key `{key}` is missing"), Some(hint)));
            }
        }
    }
    None
}

struct Checker {
    schema: Value,
    validator: Validator,
}

/// The compiled schema of a type. It is kept, because compiling takes longer than checking a file.
fn checker<T: JsonSchema + 'static>() -> Arc<Checker> {
    static CHECKERS: Mutex<BTreeMap<TypeId, Arc<Checker>>> = Mutex::new(BTreeMap::new());
    let mut checkers = CHECKERS.lock().unwrap_or_else(PoisonError::into_inner);
    let checker = checkers.entry(TypeId::of::<T>()).or_insert_with(|| {
        let mut schema = schema_value::<T>();
        limit_integers(&mut schema);
        let validator = jsonschema::draft202012::new(&schema).expect("schemas made from Rust types are valid");
        Arc::new(Checker { schema, validator })
    });
    Arc::clone(checker)
}

/// Says in the schema how large an integer may be, which is otherwise only in its format, and formats are not checked.
fn limit_integers(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            let limits = match entries.get("format").and_then(Value::as_str) {
                Some("uint32") => Some((Value::from(0), Value::from(u32::MAX))),
                Some("int32") => Some((Value::from(i32::MIN), Value::from(i32::MAX))),
                Some("uint64" | "uint") => Some((Value::from(0), Value::from(u64::MAX))),
                Some("int64" | "int") => Some((Value::from(i64::MIN), Value::from(i64::MAX))),
                _ => None,
            };
            if let Some((minimum, maximum)) = limits {
                entries.entry("minimum").or_insert(minimum);
                entries.entry("maximum").or_insert(maximum);
            }
            entries.values_mut().for_each(limit_integers);
        }
        Value::Array(items) => items.iter_mut().for_each(limit_integers),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
