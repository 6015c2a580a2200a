//! Values that no manifest of ours may hold, wherever they stand.

use serde_json::{Map, Value};

use crate::{
    manifest::{
        validate::{Document, ManifestProblem, meaning::KUSTOMIZE},
        yaml::pointer_step,
    },
    model::name::Name,
};

/// The label by which a sharded Flux divides its objects. One that carries it is left alone by the main controllers.
const SHARDING: &str = "sharding.fluxcd.io/key";

/// The label or annotation, and its value, that keeps Flux' substitution off an object.
const SUBSTITUTE: (&str, &str) = ("kustomize.toolkit.fluxcd.io/substitute", "disabled");

/// Keys whose value names something, so that an empty one names nothing.
const NAMES: [&str; 12] = [
    "apiVersion",
    "digest",
    "kind",
    "key",
    "name",
    "namespace",
    "path",
    "releaseName",
    "storageNamespace",
    "tag",
    "targetNamespace",
    "url",
];

/// Keys below which stand the values of a chart or the data of an object, where an empty name is lawful.
const FREE: [&str; 4] = ["values", "valuesOverride", "data", "stringData"];

/// The most bytes in the data of a ConfigMap. The API server refuses more than 1 MiB for the whole object.
const LARGEST_DATA: usize = 900 << 10;

pub(super) fn check(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    let substituted = !["labels", "annotations"].iter().any(|kind| {
        let marks = document.value.pointer(&format!("/metadata/{kind}")).and_then(Value::as_object);
        marks.and_then(|marks| marks.get(SUBSTITUTE.0)).and_then(Value::as_str) == Some(SUBSTITUTE.1)
    });
    let mut walk = Walk { document, substituted, pointer: String::new(), free: false, problems };
    walk.value(&document.value);
    check_names(document, problems);
    check_data_size(document, problems);
}

fn check_names(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    let kustomize = document.text("/apiVersion").is_some_and(|version| version.starts_with(KUSTOMIZE));
    for (pointer, needed) in
        [("/apiVersion", true), ("/kind", true), ("/metadata/name", !kustomize), ("/metadata/namespace", false)]
    {
        let hint = "the plan must give every object its kind and name";
        match document.value.pointer(pointer) {
            None if needed => problems.push(document.problem("Name", pointer, "it is missing", hint)),
            Some(Value::String(text)) if pointer.starts_with("/metadata") && !text.is_empty() => {
                if let Err(error) = Name::parse(text) {
                    problems.push(document.problem("Name", pointer, error.to_string(), hint));
                }
            }
            Some(Value::String(_)) | None => {}
            Some(_) => problems.push(document.problem("Name", pointer, "it is not a string", hint)),
        }
    }
}

fn check_data_size(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    if !document.is("", "ConfigMap") {
        return;
    }
    let size = |pointer| {
        let entries = document.value.pointer(pointer).and_then(Value::as_object);
        entries.into_iter().flatten().map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum::<usize>()
    };
    let bytes = size("/data") + size("/binaryData");
    if bytes > LARGEST_DATA {
        let message = format!("the data has {bytes} bytes; at most {LARGEST_DATA} are allowed");
        let hint = "lower `spec.hostnames.quota`: the API server would refuse the object";
        problems.push(document.problem("DataSize", "/data", message, hint));
    }
}

struct Walk<'a> {
    document: &'a Document<'a>,
    /// Whether Flux may substitute variables in the object.
    substituted: bool,
    pointer: String,
    /// Whether the walk is below one of the [`FREE`] keys.
    free: bool,
    problems: &'a mut Vec<ManifestProblem>,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.report("Null", "there is no value".to_owned(), "leave the key out, or give it a value"),
            Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text),
            Value::Array(list) => {
                let length = self.pointer.len();
                for (at, value) in list.iter().enumerate() {
                    self.pointer.push_str(&format!("/{at}"));
                    self.value(value);
                    self.pointer.truncate(length);
                }
            }
            Value::Object(map) => self.map(map),
        }
    }

    fn map(&mut self, map: &Map<String, Value>) {
        let (length, free) = (self.pointer.len(), self.free);
        for (key, value) in map {
            self.pointer.push_str(&pointer_step(key));
            self.text(key);
            if key == SHARDING {
                let message = "the object would be left to a shard of Flux".to_owned();
                self.report("Sharding", message, "remove the key: nothing says that such a shard runs");
            }
            if !free && NAMES.contains(&key.as_str()) && value.as_str() == Some("") {
                let hint = "give it a value, or leave the key out where it is optional";
                self.report("Name", "it is empty and must name something".to_owned(), hint);
            }
            self.free = free || FREE.contains(&key.as_str());
            self.value(value);
            self.free = free;
            self.pointer.truncate(length);
        }
    }

    /// A `${` that Flux does not understand makes it fail the whole build, so every one counts.
    /// `$${` is no way out either: without substitution both dollars stay.
    fn text(&mut self, text: &str) {
        if self.substituted && text.contains("${") {
            let hint = format!("annotate the object with `{}: {}`", SUBSTITUTE.0, SUBSTITUTE.1);
            self.report("Substitution", "Flux' post-build substitution would replace a `${`".to_owned(), &hint);
        }
    }

    fn report(&mut self, rule: &'static str, message: String, hint: &str) {
        self.problems.push(self.document.problem(rule, &self.pointer, message, hint));
    }
}
