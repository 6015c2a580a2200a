//! kustomize's lists: what is listed exists, and what exists is listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    manifest::{
        ClusterManifests,
        validate::{self, Document, ManifestProblem, Rules, Target, meaning::KUSTOMIZE, parent, references},
    },
    model::tree::resolve,
};

/// The name of kustomize's own file in a folder.
const FILE: &str = "kustomization.yaml";

/// An entry of one of kustomize's lists.
struct Entry<'a> {
    document: &'a Document<'a>,
    pointer: String,
    /// As it is written.
    text: &'a str,
    /// From the top of the repository; `None` when it leads out of it.
    path: Option<String>,
    /// Whether it stands below `components`.
    component: bool,
}

/// The files that are patches, not declarations of objects.
pub(super) fn patches(documents: &[Document<'_>]) -> BTreeSet<String> {
    let patch = |entry: Entry<'_>| entry.path.filter(|_| entry.pointer.starts_with("/patches/"));
    kustomizations(documents).values().copied().flat_map(entries).filter_map(patch).collect()
}

pub(super) fn check(
    cluster: &ClusterManifests,
    documents: &[Document<'_>],
    rules: &Rules,
    problems: &mut Vec<ManifestProblem>,
) {
    let kustomizations = kustomizations(documents);
    let mut listed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (folder, document) in &kustomizations {
        let seen = listed.entry(folder).or_default();
        for entry in entries(document) {
            if let Some(message) = wrong(&entry, cluster, &kustomizations, rules) {
                let hint = "list files and folders that are rendered, or that stand in the repository and are held";
                problems.push(document.problem("Listing", &entry.pointer, message, hint));
            }
            if let Some(path) = entry.path
                && !seen.insert(path)
            {
                let message = format!("`{}` is listed twice", entry.text.escape_debug());
                problems.push(document.problem(
                    "Listing",
                    &entry.pointer,
                    message,
                    "list it once: kustomize refuses it",
                ));
            }
        }
    }
    check_reached(cluster, documents, &listed, rules, problems);
}

/// Reports every file and folder that nobody would apply.
fn check_reached(
    cluster: &ClusterManifests,
    documents: &[Document<'_>],
    listed: &BTreeMap<&str, BTreeSet<String>>,
    rules: &Rules,
    problems: &mut Vec<ManifestProblem>,
) {
    let top = format!("{}/manifests", cluster.folder);
    let applied: BTreeSet<_> = documents.iter().filter_map(references::applied_folder).collect();
    for path in cluster.files.keys().filter(|path| validate::is_applied(cluster, path)) {
        let folder = parent(path.as_str());
        // A folder with a list of its own is reached as a whole, by the nearest list above it.
        let (wanted, above) = match path.as_str().strip_suffix(FILE).and_then(|rest| rest.strip_suffix('/')) {
            Some(folder) if folder == top || rules.roots.contains(folder) || applied.contains(folder) => continue,
            Some(folder) => (folder, parent(folder)),
            None => (path.as_str(), folder),
        };
        // A folder that is otherwise left as it is has its list in Git.
        if ancestors(folder).any(|folder| rules.existing_paths.contains(folder)) {
            continue;
        }
        let list = ancestors(above).find_map(|folder| Some((folder, listed.get(folder)?)));
        let message = match list {
            Some((_, list)) if list.contains(wanted) => continue,
            Some((folder, _)) => format!("`{folder}/{FILE}` does not list it, so nobody would apply it"),
            None => format!("no `{FILE}` in a folder above lists it, so nobody would apply it"),
        };
        problems.push(ManifestProblem {
            path: path.clone(),
            document: 0,
            pointer: String::new(),
            rule: "Unlisted",
            message,
            hint: "list it under `resources` or `components`, or as a patch".to_owned(),
        });
    }
}

/// Why an entry cannot be read by kustomize.
fn wrong(
    entry: &Entry<'_>,
    cluster: &ClusterManifests,
    kustomizations: &BTreeMap<&str, &Document<'_>>,
    rules: &Rules,
) -> Option<String> {
    let text = entry.text.escape_debug();
    let Some(path) = &entry.path else { return Some(format!("`{text}` is not a path inside the repository")) };
    if let Some(listed) = kustomizations.get(path.as_str()) {
        let is_component = listed.text("/kind") == Some("Component");
        if is_component != entry.component {
            let list = if is_component { "components" } else { "resources" };
            return Some(format!("`{text}` is of the other kind: it belongs below `{list}`"));
        }
        let crosses = listed.target != entry.document.target;
        return crosses.then(|| format!("`{text}` is for the tenant cluster and would be applied to the host"));
    }
    if let Some((file, _)) = cluster.files.get_key_value(path.as_str()) {
        let target = validate::target(cluster, file);
        let crosses = target != entry.document.target && matches!(target, Target::Tenant(_));
        return crosses.then(|| format!("`{text}` is for the tenant cluster and would be applied to the host"));
    }
    (!rules.existing_paths.contains(path.as_str())).then(|| format!("`{text}` does not exist"))
}

/// kustomize's files by folder.
fn kustomizations<'a>(documents: &'a [Document<'a>]) -> BTreeMap<&'a str, &'a Document<'a>> {
    let is_list = |document: &&Document<'_>| {
        document.path.as_str().rsplit('/').next() == Some(FILE)
            && document.text("/apiVersion").is_some_and(|version| version.starts_with(KUSTOMIZE))
    };
    documents.iter().filter(is_list).map(|document| (parent(document.path.as_str()), document)).collect()
}

fn entries<'a>(document: &'a Document<'a>) -> Vec<Entry<'a>> {
    let folder = parent(document.path.as_str());
    let entry = |pointer: String, value: &'a Value| {
        let text = value.as_str()?;
        let component = pointer.starts_with("/components/");
        Some(Entry { document, pointer, text, path: local(folder, text), component })
    };
    let mut found = Vec::new();
    for list in ["resources", "components"] {
        let items = document.value.get(list).and_then(Value::as_array);
        let items = items.into_iter().flatten().enumerate();
        found.extend(items.filter_map(|(at, value)| entry(format!("/{list}/{at}"), value)));
    }
    let patches = document.value.get("patches").and_then(Value::as_array);
    let patches = patches.into_iter().flatten().enumerate();
    found.extend(patches.filter_map(|(at, patch)| entry(format!("/patches/{at}/path"), patch.get("path")?)));
    found
}

/// A path as kustomize resolves it, or `None` when it leads out of the repository.
fn local(folder: &str, entry: &str) -> Option<String> {
    if entry.starts_with('/') || entry.is_empty() || entry.contains("://") { None } else { resolve(folder, entry) }
}

/// A folder, and every folder above it.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| (!folder.is_empty()).then(|| parent(folder)))
}
