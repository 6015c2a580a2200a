//! For scripts.

use serde_json::{Map, Value, json};

use crate::{
    diff::{Change, ChangeSet, FieldChange, FileChange, FileView, LayerChanges, ObjectChange, Verb, summary},
    model::layer::Layer,
};

/// The changes as one JSON object of kind `Diff`, with a trailing line feed. Contents of files are not in it.
pub fn json(change_set: &ChangeSet) -> String {
    let mut clusters: Vec<(&str, Vec<Value>)> = Vec::new();
    for layer in &change_set.layers {
        let value = layer_json(layer);
        match clusters.last_mut() {
            Some((cluster, layers)) if *cluster == layer.cluster.as_str() => layers.push(value),
            _ => clusters.push((layer.cluster.as_str(), vec![value])),
        }
    }
    let clusters: Vec<Value> =
        clusters.into_iter().map(|(name, layers)| json!({"name": name, "layers": layers})).collect();
    let value = json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Diff",
        "base": change_set.base.as_ref().map(|base| base.as_str()),
        "summary": summary::summary(change_set),
        "clusters": clusters,
        "files": change_set.files.iter().map(file_json).collect::<Vec<_>>(),
        "foreign": change_set.foreign,
    });
    format!("{value:#}\n")
}

fn layer_json(layer: &LayerChanges) -> Value {
    let mut map = layer_keys(layer.layer.as_ref());
    map.insert("objects".to_owned(), layer.objects.iter().map(object_json).collect());
    Value::Object(map)
}

fn layer_keys(layer: Option<&Layer>) -> Map<String, Value> {
    let keys = match layer {
        None => json!({"layer": "cluster"}),
        Some(Layer::Host) => json!({"layer": "host"}),
        Some(Layer::Tenant(tenant)) => {
            json!({"layer": "tenant", "namespace": tenant.namespace, "name": tenant.name})
        }
    };
    let Value::Object(map) = keys else { return Map::new() };
    map
}

fn object_json(change: &ObjectChange) -> Value {
    let mut value = json!({
        "apiVersion": change.object.api_version,
        "kind": change.object.kind,
        "namespace": change.object.namespace,
        "name": change.object.name,
        "target": change.target,
        "path": change.path,
        "verb": change.verb,
    });
    if let Some(from) = &change.moved_from {
        value["movedFrom"] = json!(from);
    }
    if let Some(why) = change.orphaned {
        value["orphaned"] = json!(why);
    }
    for (key, hosts) in [
        ("hostsAdded", &change.hosts.added),
        ("hostsRemoved", &change.hosts.removed),
        ("hostsChanged", &change.hosts.changed),
    ] {
        if !hosts.is_empty() {
            value[key] = json!(hosts);
        }
    }
    if change.verb == Verb::Configured {
        value["fields"] = change.fields.iter().map(field_json).collect();
    }
    value
}

fn field_json(field: &FieldChange) -> Value {
    let path = &field.path;
    match &field.change {
        Change::Added(new) => json!({"path": path, "change": "added", "new": new}),
        Change::Removed(old) => json!({"path": path, "change": "removed", "old": old}),
        Change::Changed { old, new } => json!({"path": path, "change": "changed", "old": old, "new": new}),
        Change::Lines(hunks) => json!({"path": path, "change": "lines", "hunks": hunks}),
        Change::Entries { removed, added } => {
            json!({"path": path, "change": "entries", "removed": removed, "added": added})
        }
        Change::Reordered { old, new } => json!({"path": path, "change": "reordered", "old": old, "new": new}),
    }
}

fn file_json(file: &FileChange) -> Value {
    let verb = match (&file.old, &file.new) {
        (None, _) => "created",
        (Some(_), Some(_)) => "changed",
        (Some(_), None) => "deleted",
    };
    let mut map = Map::new();
    map.insert("path".to_owned(), json!(file.path));
    map.insert("verb".to_owned(), json!(verb));
    map.insert("cluster".to_owned(), json!(file.cluster));
    map.extend(layer_keys(file.layer.as_ref()));
    match &file.view {
        FileView::Objects => map.insert("shown".to_owned(), json!("objects")),
        FileView::Fields(fields) => {
            map.insert("shown".to_owned(), json!("fields"));
            map.insert("fields".to_owned(), fields.iter().map(field_json).collect())
        }
        FileView::Text(hunks) => {
            map.insert("shown".to_owned(), json!("text"));
            map.insert("hunks".to_owned(), json!(hunks))
        }
        FileView::Withheld => map.insert("shown".to_owned(), json!("withheld")),
        FileView::Layout => map.insert("shown".to_owned(), json!("layout")),
    };
    Value::Object(map)
}
