//! What is followed: the objects of Flux that a commit goes through, in its order.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    config::kubernetes::read_values,
    edge::kube::{
        ObjectName,
        flux::{FluxId, FluxKind, FollowedCluster},
    },
    model::{
        cluster::ClusterConfig,
        inventory::Inventory,
        name::Name,
        observed::Observed,
        tree::{CommitId, RepoPath, Tree},
    },
    ops::{
        collect::Live,
        doctor::{
            Publishing,
            flux::{appliers, listed},
        },
        load::{self, LoadError},
        selection::Selection,
    },
};

/// What is followed in one cluster.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The cluster.
    pub cluster: FollowedCluster,
    /// The objects; none stands before one of its [`Item::after`].
    pub items: Vec<Item>,
    /// The commits that are as good as the one that is followed: itself, and later ones that hold it.
    pub commits: BTreeSet<CommitId>,
}

/// One object that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub id: FluxId,
    /// When it has arrived.
    pub needs: Needs,
    /// What brings it the commit. What it says before that is about something older.
    pub after: Vec<FluxId>,
}

/// When an object has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A source: when its artifact is of the commit.
    Fetched,
    /// What applies the repository: when it has applied the commit.
    Applied,
    /// Anything else: when its controller is done with what is declared.
    Ready,
    /// The same for a release, with this chart.
    Installed {
        /// The digest of its chart, where the manifests pin it.
        chart: Option<String>,
    },
}

/// A cluster that is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfollowed {
    /// Which.
    pub cluster: Name,
    /// Why.
    pub why: String,
    /// Whether that is a failure: somebody said how the cluster is reached, and its Flux could not be followed.
    pub is_failure: bool,
}

/// What is to be followed of a commit, by the files of the tip that holds it and what was read of the clusters.
///
/// # Errors
///
/// Those of [`Live::inventories`].
pub fn wanted(
    tree: &Tree,
    live: &Live,
    selected: &Selection,
    publishing: &Publishing<'_>,
    commit: &CommitId,
) -> Result<(Vec<Wanted>, Vec<Unfollowed>), LoadError> {
    let inventories = live.inventories(tree, selected)?;
    let (mut followed, mut not) = (Vec::new(), Vec::new());
    for (folder, config) in load::settings(tree, selected) {
        let name = config.name.clone();
        let unfollowed = |why: &str, is_failure| Unfollowed { cluster: name.clone(), why: why.to_owned(), is_failure };
        let Some(way) = live.way(&config) else {
            not.push(unfollowed("spec.access does not say how it is reached", false));
            continue;
        };
        let inventory = inventories.iter().find(|inventory| inventory.cluster.as_ref() == Some(&name));
        let found = inventory.ok_or_else(|| "it was not read".to_owned());
        let found = found.and_then(|inventory| {
            let Observed::Present(uid) = &inventory.host.uid else { return Err("it could not be read".to_owned()) };
            let items = items(tree, &folder, &config, inventory, publishing)?;
            Ok((FollowedCluster { name: name.clone(), way, uid: uid.clone() }, items))
        });
        match found {
            Ok((cluster, items)) => followed.push(Wanted { cluster, items, commits: [commit.clone()].into() }),
            Err(why) => not.push(unfollowed(&why, true)),
        }
    }
    Ok((followed, not))
}

/// The sources, what applies the folder from them, and what the applied manifests declare.
fn items(
    tree: &Tree,
    folder: &RepoPath,
    config: &ClusterConfig,
    inventory: &Inventory,
    publishing: &Publishing<'_>,
) -> Result<Vec<Item>, String> {
    let (kustomizations, repositories) = match (&inventory.kustomizations, &inventory.git_repositories) {
        (Observed::Unknown(unknown), _) | (_, Observed::Unknown(unknown)) => return Err(unknown.message.clone()),
        (Observed::Absent, _) | (_, Observed::Absent) => return Err("it does not have the kinds of Flux".to_owned()),
        (Observed::Present(kustomizations), Observed::Present(repositories)) => (kustomizations, repositories),
    };
    let mut pairs = appliers(tree, folder, publishing.remote, kustomizations, repositories);
    pairs.retain(|(_, source)| source.branch == publishing.branch);
    if pairs.is_empty() {
        return Err(format!(
            "no Kustomization applies {folder} from the branch {}; to see what there is: bobbypin doctor --cluster {}",
            publishing.branch, config.name
        ));
    }
    let id = |kind, namespace: &str, name: &str| FluxId { kind, object: ObjectName::new(namespace, name) };
    let mut items: Vec<Item> = Vec::new();
    let mut sources = BTreeSet::new();
    let mut readers = Vec::new();
    for (kustomization, source) in pairs {
        let source = id(FluxKind::GitRepository, &source.meta.namespace, &source.meta.name);
        let reader = id(FluxKind::Kustomization, &kustomization.meta.namespace, &kustomization.meta.name);
        sources.insert(source.clone());
        readers.push(Item { id: reader, needs: Needs::Applied, after: vec![source] });
    }
    items.extend(sources.iter().map(|source| Item { id: source.clone(), needs: Needs::Fetched, after: Vec::new() }));
    let after: Vec<_> = readers.iter().map(|reader| reader.id.clone()).collect();
    items.extend(readers);
    for (id, needs, source) in declared(tree, folder) {
        let mut after = after.clone();
        let needs = match source.filter(|source| sources.contains(source)) {
            Some(source) => {
                after.push(source);
                Needs::Applied
            }
            None => needs,
        };
        if items.iter().all(|item| item.id != id) {
            items.push(Item { id, needs, after });
        }
    }
    Ok(items)
}

/// The objects of Flux that the manifests declare for the host cluster, in order, each with what it needs; of a
/// Kustomization also the source.
fn declared(tree: &Tree, folder: &RepoPath) -> Vec<(FluxId, Needs, Option<FluxId>)> {
    let paths = listed(tree, folder.join("manifests").as_str());
    let texts = paths.iter().filter_map(|path| std::str::from_utf8(tree.file(path)?).ok());
    let documents: Vec<Value> = texts.flat_map(|text| read_values(text).unwrap_or_default()).collect();
    let mut found: Vec<_> = documents.iter().filter_map(|document| one(document, &documents)).collect();
    found.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    found
}

fn one(document: &Value, all: &[Value]) -> Option<(FluxId, Needs, Option<FluxId>)> {
    let namespace = document["metadata"]["namespace"].as_str()?;
    let name = ObjectName::new(namespace, document["metadata"]["name"].as_str()?);
    let place = |reference: &Value| {
        let namespace = reference["namespace"].as_str().unwrap_or(namespace);
        Some(ObjectName::new(namespace, reference["name"].as_str()?))
    };
    match what(document)? {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let chart = &document["spec"]["chartRef"];
            let chart = (chart["kind"] == "OCIRepository").then(|| place(chart)).flatten();
            let chart = chart.and_then(|wanted| {
                let is_it = |other: &&Value| {
                    what(other) == Some(("source.toolkit.fluxcd.io", "OCIRepository"))
                        && other["metadata"]["namespace"] == *wanted.namespace
                        && other["metadata"]["name"] == *wanted.name
                };
                let digest = &all.iter().find(is_it)?["spec"]["ref"]["digest"];
                Some(digest.as_str()?.to_owned())
            });
            Some((FluxId { kind: FluxKind::HelmRelease, object: name }, Needs::Installed { chart }, None))
        }
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
            let source = &document["spec"]["sourceRef"];
            let source = (source["kind"] == "GitRepository").then(|| place(source)).flatten();
            let source = source.map(|object| FluxId { kind: FluxKind::GitRepository, object });
            Some((FluxId { kind: FluxKind::Kustomization, object: name }, Needs::Ready, source))
        }
        _ => None,
    }
}

/// The group and the kind of an object.
fn what(document: &Value) -> Option<(&str, &str)> {
    Some((document["apiVersion"].as_str()?.split_once('/')?.0, document["kind"].as_str()?))
}
