//! What the documents of a file declare.

use serde_json::Value;

use crate::{config::kubernetes::read_values, model::object::ObjectId};

/// API groups whose documents no cluster gets: kustomize's own files and those of this program.
const NO_OBJECTS: [&str; 2] = ["kustomize.config.k8s.io", "bobbypin.dev"];

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// The object that it declares; `None` when no cluster gets it as one.
    pub(crate) object: Option<ObjectId>,
    /// What it says.
    pub(crate) value: Value,
}

/// Reads every document of a file, those of a `List` one by one; `None` when it does not parse.
pub(crate) fn documents(bytes: &[u8]) -> Option<Vec<Document>> {
    let values = read_values(std::str::from_utf8(bytes).ok()?).ok()?;
    let mut documents = Vec::new();
    for value in values {
        match value {
            Value::Object(mut map) if map.get("kind").and_then(Value::as_str) == Some("List") => {
                match map.remove("items") {
                    Some(Value::Array(items)) => documents.extend(items.into_iter().map(document)),
                    _ => documents.push(document(Value::Object(map))),
                }
            }
            value => documents.push(document(value)),
        }
    }
    Some(documents)
}

/// Whether a cluster gets documents of this identity as objects.
pub(crate) fn is_object(object: &ObjectId) -> bool {
    !object.kind.is_empty() && !object.name.is_empty() && !NO_OBJECTS.contains(&object.group())
}

/// The files of its folder that a `kustomization.yaml` uses as patches: they declare a part of an object, not an object.
///
/// This looks for lines `path: <file>` and parses nothing, so that it costs nothing for files that do not change. In
/// `resources` and `components` files stand without a key, and paths inside a patch begin with `/`.
pub(crate) fn patch_files(kustomization: &str) -> impl Iterator<Item = &str> {
    kustomization.lines().filter_map(|line| {
        let value = line.trim_start().trim_start_matches("- ").trim_start().strip_prefix("path:")?;
        let file = value.trim().trim_matches(['"', '\'']);
        (!file.is_empty() && !file.starts_with('/')).then(|| file.strip_prefix("./").unwrap_or(file))
    })
}

/// Why Flux leaves an object in the cluster although it is no longer declared, if it does. Flux reads labels and
/// annotations of the live object, and values without regard to case.
pub(crate) fn orphaned(value: &Value) -> Option<&'static str> {
    let has = |key: &str| {
        ["annotations", "labels"].iter().any(|place| {
            let value = value.get("metadata").and_then(|metadata| metadata.get(place)?.get(key)?.as_str());
            value.is_some_and(|value| value.eq_ignore_ascii_case("disabled"))
        })
    };
    if has("kustomize.toolkit.fluxcd.io/prune") {
        Some("stays in the cluster (prune: disabled)")
    } else if has("kustomize.toolkit.fluxcd.io/reconcile") {
        Some("stays in the cluster (reconcile: disabled)")
    } else {
        None
    }
}

fn document(value: Value) -> Document {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let metadata = |key: &str| value.get("metadata").and_then(|metadata| metadata.get(key));
    let object = ObjectId {
        api_version: text(value.get("apiVersion")),
        kind: text(value.get("kind")),
        namespace: metadata("namespace").and_then(Value::as_str).filter(|name| !name.is_empty()).map(str::to_owned),
        name: text(metadata("name")),
    };
    Document { object: is_object(&object).then_some(object), value }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_told_from_documents_that_no_cluster_gets() {
        let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: b}
---
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [a.yaml]
---
apiVersion: bobbypin.dev/v1alpha1
kind: State
metadata: {name: edge}
---
# empty
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: c}}
";
        let found = documents(text.as_bytes()).expect("it parses");
        let found: Vec<_> = found.iter().map(|document| document.object.as_ref().map(ToString::to_string)).collect();
        assert_eq!(found, [Some("ConfigMap/b/a".to_owned()), None, None, Some("Namespace/c".to_owned())]);
        assert!(documents(b"a: b: c").is_none());
        assert!(documents(b"\xff").is_none());
    }

    #[test]
    fn a_kustomization_names_its_patches() {
        let text = "\
resources:
  - a.yaml
patches:
  - path: ./b.yaml
    target: {kind: X}
  - target: {kind: Y}
    path: 'c.yaml'
  - patch: |-
      - op: add
        path: /spec/addons
";
        assert_eq!(patch_files(text).collect::<Vec<_>>(), ["b.yaml", "c.yaml"]);
    }

    #[test]
    fn flux_leaves_what_says_so_in_a_label_or_an_annotation() {
        let key = "kustomize.toolkit.fluxcd.io/prune";
        for (metadata, stays) in [
            (json!({"annotations": {key: "disabled"}}), true),
            (json!({"labels": {key: "Disabled"}}), true),
            (json!({"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}), true),
            (json!({"annotations": {key: "enabled"}}), false),
            (json!({"annotations": {"helm.sh/resource-policy": "keep"}}), false),
            (json!({}), false),
        ] {
            assert_eq!(orphaned(&json!({"metadata": metadata})).is_some(), stays, "{metadata}");
        }
    }
}
