//! The checks between the templates and a commit.
//!
//! Every rule reports every problem that it sees in every file; nothing stops at the first. A rule that compares files
//! with each other runs only when all files of the cluster could be read, because it would otherwise report what it did
//! not see as missing.

use std::{collections::BTreeSet, fmt};

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::{
    manifest::{ClusterManifests, ManifestFile, Manifests, Rendered, Validated},
    model::{object::ObjectId, tree::RepoPath},
};

mod content;
mod duplicates;
mod listing;
mod meaning;
mod pins;
mod plain;
mod read;
mod references;
mod snippet;
mod text;

/// What the checks take for granted: things that the manifests may use and do not declare.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Objects that exist in a cluster without these manifests, or that another program declares there. An object of any
    /// cluster, host or tenant.
    pub external: BTreeSet<ObjectId>,
    /// Files and folders that stand in the repository, stay there, and are not among the manifests: above all the folders
    /// of layers that are held.
    pub existing_paths: BTreeSet<RepoPath>,
    /// Folders that are read by somebody other than these manifests, such as a tenant's own Flux. A cluster's folder
    /// `manifests` is always one.
    pub roots: BTreeSet<RepoPath>,
}

/// One thing that is wrong with one rendered file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestProblem {
    /// The file.
    pub path: RepoPath,
    /// The document in it, from 1; 0 when the problem is with the whole file.
    pub document: usize,
    /// The JSON pointer of the value in the document; empty when the problem is with the whole document.
    pub pointer: String,
    /// The kind of problem, PascalCase and stable: scripts may compare it.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// `path, document 2, /spec/path: message`.
impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path)?;
        if self.document > 0 {
            write!(f, ", document {}", self.document)?;
        }
        if !self.pointer.is_empty() {
            write!(f, ", {}", self.pointer.escape_debug())?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Manifests<Rendered> {
    /// Checks every file against what it was meant to say and against each other, or says everything that is wrong, in
    /// order of path.
    pub fn validate(self, rules: &Rules) -> Result<Manifests<Validated>, Vec<ManifestProblem>> {
        let mut problems: Vec<_> = self.clusters.iter().flat_map(|cluster| check_cluster(cluster, rules)).collect();
        problems.extend(edited_twice(&self.clusters));
        if problems.is_empty() {
            return Ok(Manifests { clusters: self.clusters, stage: std::marker::PhantomData });
        }
        problems.sort();
        problems.dedup();
        Err(problems)
    }
}

impl ManifestFile {
    /// Checks the text of this file alone against what it was meant to say.
    pub fn problems(&self, path: &RepoPath) -> Vec<ManifestProblem> {
        let (_, problems) = read_file(path, self, &Target::Host);
        problems
    }
}

/// The API server that gets an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// The host cluster.
    Host,
    /// The tenant cluster of the layer with this folder.
    Tenant(String),
}

/// One document of one file, as both parsers read it.
struct Document<'a> {
    path: &'a RepoPath,
    /// From 1.
    number: usize,
    value: Value,
    /// `None` for files that declare no object: kustomize's own.
    id: Option<ObjectId>,
    target: Target,
}

impl Document<'_> {
    fn problem(
        &self,
        rule: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ManifestProblem {
        ManifestProblem {
            path: self.path.clone(),
            document: self.number,
            pointer: pointer.into(),
            rule,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Whether this is an object of the group and kind, whatever the version.
    fn is(&self, group: &str, kind: &str) -> bool {
        self.id.as_ref().is_some_and(|id| id.group() == group && id.kind == kind)
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer)?.as_str()
    }
}

/// Files of other people in which two clusters want a block: the one would undo the other.
fn edited_twice(clusters: &[ClusterManifests]) -> Vec<ManifestProblem> {
    let mut seen = BTreeSet::new();
    let edited = clusters.iter().flat_map(|cluster| &cluster.edited_files);
    let twice = edited.filter(|path| !seen.insert(*path));
    let problem = |path: &RepoPath| ManifestProblem {
        path: path.clone(),
        document: 0,
        pointer: String::new(),
        rule: "Duplicate",
        message: "two clusters have their records in this file, and each has a DNS of its own".to_owned(),
        hint: "name the right file for each as `static.file` in its cluster.yaml".to_owned(),
    };
    twice.map(problem).collect()
}

fn check_cluster(cluster: &ClusterManifests, rules: &Rules) -> Vec<ManifestProblem> {
    // What somebody else wrote is judged by the one who edits it.
    let files: Vec<_> = cluster.files.iter().filter(|(path, _)| !cluster.edited_files.contains(*path)).collect();
    let read: Vec<_> = files.par_iter().map(|(path, file)| check_file(cluster, path, file)).collect();
    let mut problems = Vec::new();
    let mut documents = Vec::new();
    let mut complete = true;
    for (of_file, found) in read {
        complete &= of_file.is_some();
        documents.extend(of_file.into_iter().flatten().filter(|document| is_applied(cluster, document.path)));
        problems.extend(found);
    }
    if complete {
        listing::check(cluster, &documents, rules, &mut problems);
        duplicates::check(&documents, &mut problems);
        references::check(cluster, &documents, rules, &mut problems);
    }
    problems
}

/// Checks what can be seen in one file alone. The documents are `None` when they could not be read.
fn check_file<'a>(
    cluster: &ClusterManifests,
    path: &'a RepoPath,
    file: &ManifestFile,
) -> (Option<Vec<Document<'a>>>, Vec<ManifestProblem>) {
    let (documents, mut problems) = read_file(path, file, &target(cluster, path));
    let Some(documents) = documents else { return (None, problems) };
    for document in documents.iter().filter(|document| is_applied(cluster, document.path)) {
        content::check(document, &mut problems);
        pins::check(document, &mut problems);
        snippet::check(document, &mut problems);
    }
    (Some(documents), problems)
}

/// Reads a file, and compares it with what it was meant to say.
fn read_file<'a>(
    path: &'a RepoPath,
    file: &ManifestFile,
    target: &Target,
) -> (Option<Vec<Document<'a>>>, Vec<ManifestProblem>) {
    let mut problems = Vec::new();
    text::check(path, &file.text, &mut problems);
    let Some(values) = read::documents(path, &file.text, &mut problems) else { return (None, problems) };
    let number = 1..;
    let documents: Vec<_> = std::iter::zip(number, values)
        .map(|(number, value)| {
            let id = meaning::identity(&value);
            Document { path, number, value, id, target: target.clone() }
        })
        .collect();
    meaning::check(path, &file.meanings, &documents, &mut problems);
    (Some(documents), problems)
}

/// Whether Flux reads a file. It does not read what we keep for ourselves beside the manifests.
fn is_applied(cluster: &ClusterManifests, path: &RepoPath) -> bool {
    path.below(cluster.folder.as_str()).is_some_and(|below| below.starts_with("manifests/"))
}

/// Where Flux applies the objects of a file: what lies in the folder `cluster` of a tenant's layer goes to the tenant.
fn target(cluster: &ClusterManifests, path: &RepoPath) -> Target {
    let Some((layer, below)) = tenant_layer(cluster, path.as_str()) else { return Target::Host };
    if below == "cluster" || below.starts_with("cluster/") { Target::Tenant(layer.to_owned()) } else { Target::Host }
}

/// The folder of the tenant layer that a path lies in, and the rest of the path.
fn tenant_layer<'a>(cluster: &ClusterManifests, path: &'a str) -> Option<(&'a str, &'a str)> {
    let below = path.strip_prefix(cluster.folder.as_str())?.strip_prefix("/manifests/tenants/")?;
    let (at, _) = below.match_indices('/').nth(1)?;
    let layer = path.len() - below.len() + at;
    Some((&path[..layer], &path[layer + 1..]))
}

/// The folder of a path; empty for a path at the top.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
