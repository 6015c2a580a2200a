//! What a Flux `Kustomization` at a path applies of a cluster's folder.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    config::kubernetes::read_values,
    model::tree::{RepoPath, Tree, resolve},
};

/// The files of a cluster's folder that are for us alone.
const SETTINGS: [&str; 3] = ["cluster.yaml", "pins.yaml", "state.yaml"];

/// What reaches the cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The manifests, and none of the settings.
    Manifests,
    /// A list above the folder, or the folder's own, does not lead to the manifests.
    NotListed,
    /// Files that no cluster knows.
    Settings {
        /// How that comes; the beginning of a sentence.
        how: String,
    },
}

/// The path of a `Kustomization` in its repository; empty for the root, `None` when it leads out.
pub(super) fn normal(path: &str) -> Option<String> {
    resolve("", path)
}

/// Whether `path` is `folder` or lies below it. Everything lies below the empty folder.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Follows the lists from `path` to the folder, which lies below it or is it; or whose `manifests` is it.
///
/// Where there is no list Flux makes one of every YAML file below, and takes a folder with a list of its own as one entry.
pub(super) fn reach(tree: &Tree, path: &str, folder: &RepoPath) -> Reach {
    let manifests = folder.join("manifests");
    if path == manifests.as_str() {
        return Reach::Manifests;
    }
    let Some(start) = between(path, folder.as_str()).into_iter().find(|at| list(tree, at).is_some()) else {
        return Reach::Settings { how: format!("no kustomization.yaml keeps it from {folder}/cluster.yaml") };
    };
    let named = listed(tree, &start);
    let settings = SETTINGS.iter().map(|file| folder.join(file)).find(|file| named.contains(file.as_str()));
    if let Some(file) = settings {
        return Reach::Settings { how: format!("a list leads it to {file}") };
    }
    if named.contains(manifests.as_str()) { Reach::Manifests } else { Reach::NotListed }
}

/// Everything that the list of a folder names, and the lists that it names: files and folders.
pub(in crate::ops) fn listed(tree: &Tree, folder: &str) -> BTreeSet<String> {
    let mut open = vec![folder.to_owned()];
    let mut named = BTreeSet::new();
    while let Some(at) = open.pop() {
        for entry in list(tree, &at).unwrap_or_default() {
            if let Some(entry) = resolve(&at, &entry)
                && named.insert(entry.clone())
            {
                open.push(entry);
            }
        }
    }
    named
}

/// The folders from `path` down to `folder`, both among them.
fn between(path: &str, folder: &str) -> Vec<String> {
    let mut found = vec![path.to_owned()];
    let below = if path.is_empty() { folder } else { folder.strip_prefix(path).unwrap_or_default() };
    for part in below.split('/').filter(|part| !part.is_empty()) {
        let last = found.last().expect("there is a first one");
        found.push(if last.is_empty() { part.to_owned() } else { format!("{last}/{part}") });
    }
    found
}

/// What the list of a folder names, as written; `None`: it has none. One that cannot be read names nothing.
fn list(tree: &Tree, folder: &str) -> Option<Vec<String>> {
    let path = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let bytes = names.iter().find_map(|name| tree.file(&path(name)))?;
    let documents = std::str::from_utf8(bytes).ok().and_then(|text| read_values(text).ok()).unwrap_or_default();
    let lists = documents.iter().flat_map(|document| ["resources", "bases", "components"].map(|key| &document[key]));
    let entries = lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    Some(entries.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::tree::Entry;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let entry = |(path, text): &(&str, &str)| {
            (RepoPath::parse(path).expect("a literal that parses"), Entry::File(Arc::from(text.as_bytes())))
        };
        Tree { base: None, entries: files.iter().map(entry).collect() }
    }

    #[test]
    fn lists_are_followed_to_the_manifests_and_what_has_no_list_applies_the_settings() {
        const OURS: (&str, &str) = ("clusters/edge/kustomization.yaml", "resources: [manifests, apps]\n");
        let listed = || Reach::Manifests;
        let applied = |how: &str| Reach::Settings { how: how.to_owned() };
        let all = || applied("no kustomization.yaml keeps it from clusters/edge/cluster.yaml");
        for (path, files, wanted) in [
            ("clusters/edge", vec![OURS], listed()),
            ("clusters/edge/manifests", vec![], listed()),
            ("clusters", vec![OURS], listed()),
            ("", vec![OURS], listed()),
            ("", vec![OURS, ("kustomization.yaml", "resources:\n- clusters/edge\n")], listed()),
            ("", vec![("Kustomization", "resources: [./clusters/edge/manifests/]")], listed()),
            ("clusters", vec![OURS, ("clusters/kustomization.yml", "resources: [other]")], Reach::NotListed),
            ("clusters/edge", vec![("clusters/edge/kustomization.yaml", "resources: [apps]")], Reach::NotListed),
            ("clusters/edge", vec![("clusters/edge/kustomization.yaml", "resources: [")], Reach::NotListed),
            ("clusters/edge", vec![], all()),
            ("", vec![("clusters/other/kustomization.yaml", "resources: [manifests]")], all()),
            (
                "clusters/edge",
                vec![("clusters/edge/kustomization.yaml", "resources: [manifests, cluster.yaml]")],
                applied("a list leads it to clusters/edge/cluster.yaml"),
            ),
        ] {
            let folder = RepoPath::parse("clusters/edge").expect("a literal that parses");
            assert_eq!(reach(&tree(&files), path, &folder), wanted, "{path:?} {files:?}");
        }
    }

    #[test]
    fn a_path_is_brought_to_the_form_of_the_repository() {
        for (text, wanted) in [
            ("", Some("")),
            ("./", Some("")),
            ("/", Some("")),
            ("./clusters/edge/", Some("clusters/edge")),
            ("clusters/../clusters/edge", Some("clusters/edge")),
            ("../x", None),
        ] {
            assert_eq!(normal(text).as_deref(), wanted, "{text}");
        }
        assert!(is_within("clusters/edge", "clusters/edge") && is_within("clusters/edge/manifests", "clusters"));
        assert!(!is_within("clusters/edge2", "clusters/edge"));
    }
}
