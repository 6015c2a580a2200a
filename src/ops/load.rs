//! Text to proof: every file of every selected cluster, with all problems at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    config::{
        self,
        inventory::parse_inventory,
        platform_file::{PlatformFile, parse_platform, platform_of_package},
        problem::{Problem, Source},
    },
    edge::git::Wanted,
    model::{
        cluster::{ClusterConfig, Engine, Platform, ValuesSource, Version},
        digest::Digest,
        finding::Finding,
        hostname::Hostname,
        inventory::{ClusterInventory, Inventory, ObjectMeta},
        name::Name,
        observed::{Observed, Unknown},
        pins::Pins,
        repository::RepositoryConfig,
        state::State,
        tree::{Entry, RepoPath, Tree},
    },
    ops::selection::Selection,
    plan::{GIT_SERVER, Inputs, PlatformFacts},
    platform::{problem::PlatformProblem, values::PlatformValues},
};

/// The live object that holds the platform's values.
const PLATFORM: &str = "cozystack.cozystack-platform";

/// How often other files may be named while a branch is read.
const NAMED_ANEW: usize = 3;

/// A file with an inventory, and when it was read.
#[derive(Clone, Debug)]
pub struct InventoryFile {
    /// The file.
    pub source: Source,
    /// For a plain list, which does not say when it was taken.
    pub read_at: Timestamp,
}

/// What was seen of the clusters.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// In files, which may be wrong.
    Files(&'a [InventoryFile]),
    /// Each of one cluster of the repository, and not more than one of each.
    Inventories(&'a [Arc<Inventory>]),
}

/// Everything about one cluster that a decision needs, but for the tree.
#[derive(Debug)]
pub struct Cluster {
    /// Its folder.
    pub folder: RepoPath,
    /// What is wanted.
    pub config: ClusterConfig,
    /// What the platform does.
    pub platform: PlatformFacts,
    /// What is odd about the platform's values.
    pub findings: Vec<Finding>,
    /// What was seen.
    pub inventory: Arc<Inventory>,
    /// Whether anybody looked: there is a file, or the cluster was asked.
    pub is_seen: bool,
    /// Which bytes.
    pub pins: Pins,
    /// What earlier runs remembered.
    pub state: State,
    /// The names of the servers that the repository is published by, and what each is.
    pub reserved: BTreeMap<Hostname, &'static str>,
    /// The cluster's own templates, by path below its `templates/`.
    pub templates: BTreeMap<String, String>,
}

impl Cluster {
    /// What a plan is made of. `accept_removals`: the removals that a person accepted.
    pub fn inputs<'a>(&'a self, tree: &'a Tree, accept_removals: Option<&'a Digest>) -> Inputs<'a> {
        Inputs {
            folder: &self.folder,
            config: &self.config,
            platform: &self.platform,
            inventory: &self.inventory,
            pins: &self.pins,
            state: &self.state,
            reserved: &self.reserved,
            tree,
            accept_removals,
        }
    }
}

/// Why nothing can be decided.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Files are wrong.
    #[error("the configuration has problems")]
    Problems(Vec<Problem>),
    /// A way to a cluster was given on the command line, and it is not said which cluster it is.
    #[error("`--context` and `--kubeconfig` are for one cluster")]
    NotOneCluster,
    /// The system gives no threads to read clusters with.
    #[error("cannot start to read clusters")]
    Threads(#[source] std::io::Error),
    /// The repository has no cluster.
    #[error("there is no `clusters/<name>/cluster.yaml`")]
    NoCluster,
    /// Clusters were named that the repository does not have.
    #[error("there is no cluster {}", .unknown.join(", "))]
    UnknownCluster {
        /// The names.
        unknown: Vec<String>,
        /// The clusters that there are.
        known: Vec<String>,
    },
}

/// Reads a tree with the files that its own settings name.
///
/// Which those are only a reading shows: where it did not bring them all, `read` is asked again. So a branch that moves
/// meanwhile is read as it was at one time.
///
/// # Errors
///
/// Those of `read`. Settings that cannot be read name nothing; what is wrong with them is told by [`clusters`].
pub fn read<T, E>(read: impl Fn(&Wanted) -> Result<T, E>, tree: impl Fn(&T) -> &Tree) -> Result<T, E> {
    let mut wanted = Wanted::default();
    let mut found = read(&wanted)?;
    for _ in 0..NAMED_ANEW {
        let named = corefiles(tree(&found)).into_iter().filter(|path| !wanted.takes(path.as_str()));
        let named: Vec<_> = named.collect();
        if named.is_empty() {
            break;
        }
        wanted.files.extend(named);
        found = read(&wanted)?;
    }
    Ok(found)
}

/// The files in which the clusters of a tree have blocks of records, by their settings and by what is remembered.
fn corefiles(tree: &Tree) -> BTreeSet<RepoPath> {
    let mut named = BTreeSet::new();
    for (name, folder) in folders(tree).into_iter().filter_map(|(name, mut found)| Some((name, found.pop()?))) {
        let source = |file: &str| self::file(tree, folder.join(file).as_str()).ok().flatten();
        if let Some(Ok(config)) = source("cluster.yaml").map(|source| config::parse_cluster(&source, &name)) {
            let tenants = config.tenants.listed.values().map(|tenant| &tenant.engine);
            named.extend([&config.host.engine].into_iter().chain(tenants).filter_map(|engine| match engine {
                Engine::Static(records) => records.file().map(|file| file.path().clone()),
                Engine::Ouroboros(_) => None,
            }));
        }
        if let Some(Ok(state)) = source("state.yaml").map(|source| config::parse_state(&source, &name)) {
            named.extend(state.layers.into_values().filter_map(|layer| Some(layer.corefile?.path().clone())));
        }
    }
    named
}

/// Reads `bobbypin.yaml`; without it the defaults hold.
pub fn repository(tree: &Tree) -> Result<RepositoryConfig, LoadError> {
    let read = || match file(tree, "bobbypin.yaml")? {
        Some(source) => config::parse_repository(&source),
        None => Ok(RepositoryConfig::default()),
    };
    read().map_err(LoadError::Problems)
}

/// Reads every selected cluster of a tree.
///
/// `now` is the time of an inventory that nobody gave: it says nothing about anything.
pub fn clusters(
    tree: &Tree,
    selected: &Selection,
    inventories: Seen<'_>,
    now: Timestamp,
) -> Result<Vec<Cluster>, LoadError> {
    let mut folders = folders(tree);
    if folders.is_empty() {
        let links = links(tree);
        return Err(if links.is_empty() { LoadError::NoCluster } else { LoadError::Problems(links) });
    }
    let known: Vec<_> = folders.keys().map(ToString::to_string).collect();
    let unknown: Vec<_> =
        selected.names.iter().filter(|name| !folders.contains_key(*name)).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        return Err(LoadError::UnknownCluster { unknown, known });
    }
    let mut problems = twins(&folders);
    let (mut seen, paths) = match inventories {
        Seen::Files(files) => read_inventories(files, &mut problems),
        Seen::Inventories(live) => {
            (live.iter().map(|one| (one.cluster.clone(), one.clone())).collect(), BTreeMap::new())
        }
    };
    for name in seen.keys().flatten().filter(|name| !folders.contains_key(*name)) {
        let path = paths.get(name).map_or("", String::as_str);
        let message = format!("this is the inventory of a cluster `{name}`, which the repository does not have");
        problems.push(whole_file(path, &message, &format!("the clusters are: {}", known.join(", "))));
    }
    folders.retain(|name, _| selected.takes(name));
    // A list that does not name its cluster can only be meant for the one that is asked about.
    let mut unnamed = seen.remove(&None);
    if let Seen::Files(files) = inventories
        && unnamed.is_some()
        && folders.len() > 1
    {
        let path = files.first().map_or("", |file| &file.source.path);
        problems.push(whole_file(
            path,
            "a plain list of objects does not name its cluster",
            "say which with --cluster",
        ));
    }
    let reserved = match repository(tree) {
        Ok(settings) => published_by(&settings),
        Err(LoadError::Problems(found)) => {
            problems.extend(found);
            BTreeMap::new()
        }
        Err(other) => return Err(other),
    };
    let mut clusters = Vec::new();
    for (name, folder) in folders.into_iter().filter_map(|(name, mut found)| Some((name, found.pop()?))) {
        let named = seen.remove(&Some(name.clone()));
        let inventory = match (named, unnamed.take()) {
            (Some(named), Some(unnamed)) => {
                Some(Arc::new(merge(Arc::unwrap_or_clone(named), Arc::unwrap_or_clone(unnamed))))
            }
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        let is_seen = inventory.is_some();
        let nothing = || Arc::new(Inventory::unknown(None, now, &Unknown::not_collected()));
        let inventory = inventory.unwrap_or_else(nothing);
        match cluster(tree, &name, folder, inventory) {
            Ok(cluster) => clusters.push(Cluster { is_seen, reserved: reserved.clone(), ..cluster }),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        Ok(clusters)
    } else {
        problems.sort();
        Err(LoadError::Problems(problems))
    }
}

/// The settings of every selected cluster that has any, with its folder. What is wrong is passed over: see [`clusters`].
pub(super) fn settings(tree: &Tree, selected: &Selection) -> Vec<(RepoPath, ClusterConfig)> {
    let folders = folders(tree).into_iter().filter(|(name, _)| selected.takes(name));
    let read = |(name, mut folders): (Name, Vec<RepoPath>)| {
        let folder = folders.pop()?;
        let source = required(tree, folder.join("cluster.yaml").as_str()).ok()?;
        Some((folder, config::parse_cluster(&source, &name).ok()?))
    };
    folders.filter_map(read).collect()
}

/// The mirrors of every selected cluster, by its folder.
///
/// # Errors
///
/// [`LoadError::Problems`] when settings cannot be read.
pub fn mirrors(tree: &Tree, selected: &Selection) -> Result<BTreeMap<RepoPath, BTreeMap<String, String>>, LoadError> {
    let (mut mirrors, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, folders) in folders(tree).into_iter().filter(|(name, _)| selected.takes(name)) {
        for folder in folders {
            let source = required(tree, folder.join("cluster.yaml").as_str());
            match source.and_then(|source| config::parse_cluster(&source, &name)) {
                Ok(config) => drop(mirrors.insert(folder, config.pins.mirrors)),
                Err(found) => problems.extend(found),
            }
        }
    }
    if problems.is_empty() { Ok(mirrors) } else { Err(LoadError::Problems(problems)) }
}

/// The cluster folders: `clusters/<name>`, or `clusters/<name>/bobbypin` beside files of other programs. A cluster that
/// has both is a problem: see [`twins`].
fn folders(tree: &Tree) -> BTreeMap<Name, Vec<RepoPath>> {
    let mut found: BTreeMap<Name, Vec<RepoPath>> = BTreeMap::new();
    for (path, _) in tree.below("clusters") {
        let Some(folder) = path.as_str().strip_suffix("/cluster.yaml") else { continue };
        let below = folder.strip_prefix("clusters/").unwrap_or_default();
        let name = below.strip_suffix("/bobbypin").unwrap_or(below);
        if let (Ok(name), Ok(folder), false) = (Name::parse(name), RepoPath::parse(folder), name.contains('/')) {
            found.entry(name).or_default().push(folder);
        }
    }
    found
}

/// The names of all clusters of a tree, in order.
pub(super) fn names(tree: &Tree) -> Vec<Name> {
    folders(tree).into_keys().collect()
}

/// What stands in the place of cluster folders. Nothing is followed that leads out of the tree.
fn links(tree: &Tree) -> Vec<Problem> {
    let links = tree.entries.iter().filter(|(path, entry)| {
        let is_cluster = path.as_str() == "clusters" || path.below("clusters").is_some_and(|name| !name.contains('/'));
        is_cluster && !matches!(entry, Entry::File(_))
    });
    links.map(|(path, _)| not_a_file(path.as_str(), "an ordinary folder")).collect()
}

/// The clusters that are described twice. Neither description is better than the other one.
fn twins(folders: &BTreeMap<Name, Vec<RepoPath>>) -> Vec<Problem> {
    let twins = folders.iter().filter_map(|(name, found)| match found.as_slice() {
        [first, second, ..] => Some(whole_file(
            first.join("cluster.yaml").as_str(),
            &format!("the cluster `{name}` is described a second time in `{second}/cluster.yaml`"),
            "remove one of the two folders",
        )),
        _ => None,
    });
    twins.collect()
}

fn cluster(tree: &Tree, name: &Name, folder: RepoPath, inventory: Arc<Inventory>) -> Result<Cluster, Vec<Problem>> {
    let mut problems = Vec::new();
    let config = required(tree, folder.join("cluster.yaml").as_str())
        .and_then(|source| config::parse_cluster(&source, name))
        .map_err(|found| problems.extend(found))
        .ok();
    let pins = file(tree, folder.join("pins.yaml").as_str())
        .and_then(|found| found.map_or_else(|| Ok(Pins::default()), |source| config::parse_pins(&source, name)))
        .map_err(|found| problems.extend(found))
        .ok();
    let state = file(tree, folder.join("state.yaml").as_str())
        .and_then(|found| found.map_or_else(|| Ok(State::default()), |source| config::parse_state(&source, name)))
        .map_err(|found| problems.extend(found))
        .ok();
    let templates = templates(tree, &folder, &mut problems);
    let platform = config.as_ref().and_then(|config| {
        platform(tree, &folder, config, &inventory.packages).map_err(|found| problems.extend(found)).ok()
    });
    match (config, platform, pins, state) {
        (Some(config), Some((platform, findings)), Some(pins), Some(state)) if problems.is_empty() => {
            let reserved = BTreeMap::new();
            Ok(Cluster {
                folder,
                config,
                platform,
                findings,
                inventory,
                is_seen: true,
                pins,
                state,
                reserved,
                templates,
            })
        }
        _ => Err(problems),
    }
}

/// The servers that `bobbypin.yaml` names, and what each is.
fn published_by(settings: &RepositoryConfig) -> BTreeMap<Hostname, &'static str> {
    let servers = [
        (settings.remote.as_deref(), GIT_SERVER),
        (settings.gitea.url.as_deref(), GIT_SERVER),
        (settings.notify.as_ref().map(|receiver| receiver.url.as_str()), "for the receiver of Flux"),
    ];
    let named = |(address, what): (Option<&str>, _)| Some((Hostname::of_address(address?)?, what));
    servers.into_iter().filter_map(named).collect()
}

/// What the platform does, by its version and values.
pub(super) fn platform(
    tree: &Tree,
    folder: &RepoPath,
    config: &ClusterConfig,
    packages: &Observed<BTreeMap<String, Value>>,
) -> Result<(PlatformFacts, Vec<Finding>), Vec<Problem>> {
    let (version, values) = match &config.platform {
        Platform::Generic { .. } => return Ok((PlatformFacts::Generic, Vec::new())),
        Platform::Cozystack { version, values } => (*version, values),
    };
    match values {
        ValuesSource::File(file_name) => {
            let source = required(tree, folder.join(file_name).as_str())?;
            facts(version, parse_platform(&source)?, &source.path, folder)
        }
        ValuesSource::Live => match packages {
            Observed::Unknown(unknown) => Ok((PlatformFacts::Unknown(unknown.clone()), Vec::new())),
            Observed::Absent => Ok((PlatformFacts::Unknown(no_platform()), Vec::new())),
            Observed::Present(packages) => match packages.get(PLATFORM) {
                None => Ok((PlatformFacts::Unknown(no_platform()), Vec::new())),
                Some(spec) => {
                    let path = format!("Package/{PLATFORM}");
                    let file = platform_of_package(spec).map_err(|message| vec![whole_file(&path, &message, "")])?;
                    facts(version, file, &path, folder)
                }
            },
        },
    }
}

fn no_platform() -> Unknown {
    Unknown { reason: "NotFound".to_owned(), message: format!("the cluster has no Package/{PLATFORM}") }
}

fn facts(
    version: Version,
    file: PlatformFile,
    path: &str,
    folder: &RepoPath,
) -> Result<(PlatformFacts, Vec<Finding>), Vec<Problem>> {
    let problem = |problem: &PlatformProblem| match problem {
        PlatformProblem::UnsupportedVersion(_) => Problem {
            key: "spec.platform.version".to_owned(),
            ..whole_file(folder.join("cluster.yaml").as_str(), &problem.to_string(), "")
        },
        _ => Problem {
            key: problem.key().to_owned(),
            hint: problem.hint(),
            ..whole_file(path, &problem.to_string(), "")
        },
    };
    let (values, findings) = PlatformValues::new(version, file.variant.as_deref(), file.values)
        .map_err(|problems| problems.iter().map(problem).collect::<Vec<_>>())?;
    Ok((PlatformFacts::Cozystack(Box::new(values)), findings))
}

fn templates(tree: &Tree, folder: &RepoPath, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let root = folder.join("templates");
    let mut templates = BTreeMap::new();
    for (path, entry) in tree.below(root.as_str()) {
        let text = match entry {
            Entry::File(bytes) => {
                std::str::from_utf8(bytes).map_err(|_| whole_file(path.as_str(), "a template must be UTF-8", ""))
            }
            Entry::Symlink | Entry::Submodule => Err(not_a_file(path.as_str(), "an ordinary file")),
        };
        match text {
            Ok(text) => {
                templates.insert(path.below(root.as_str()).unwrap_or_default().to_owned(), text.to_owned());
            }
            Err(problem) => problems.push(problem),
        }
    }
    templates
}

/// Reads every inventory file; what several of them say about one cluster is put together. Gives the last file of every
/// cluster too.
fn read_inventories(
    files: &[InventoryFile],
    problems: &mut Vec<Problem>,
) -> (BTreeMap<Option<Name>, Arc<Inventory>>, BTreeMap<Name, String>) {
    let mut seen: BTreeMap<Option<Name>, Inventory> = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for file in files {
        match parse_inventory(&file.source, file.read_at) {
            Ok(inventories) => {
                for inventory in inventories {
                    paths.extend(inventory.cluster.clone().map(|name| (name, file.source.path.clone())));
                    let merged = match seen.remove(&inventory.cluster) {
                        Some(earlier) => merge(earlier, inventory),
                        None => inventory,
                    };
                    seen.insert(merged.cluster.clone(), merged);
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    (seen.into_iter().map(|(name, inventory)| (name, Arc::new(inventory))).collect(), paths)
}

/// Puts two inventories of one cluster together: what either of them saw was seen. Of an object that both saw, the later
/// one counts. The older time counts, because it is the time up to which everything was seen.
fn merge(earlier: Inventory, later: Inventory) -> Inventory {
    let mut tenant_clusters = earlier.tenant_clusters;
    for (tenant, later) in later.tenant_clusters {
        let merged = match tenant_clusters.remove(&tenant) {
            Some(earlier) => merge_cluster(earlier, later),
            None => later,
        };
        tenant_clusters.insert(tenant, merged);
    }
    Inventory {
        cluster: later.cluster.or(earlier.cluster),
        observed_at: earlier.observed_at.min(later.observed_at),
        host: merge_cluster(earlier.host, later.host),
        tenants: known(earlier.tenants, later.tenants, extended),
        packages: known(earlier.packages, later.packages, extended),
        platform_settings: known(earlier.platform_settings, later.platform_settings, extended),
        helm_releases: known(earlier.helm_releases, later.helm_releases, |a, b| united(a, b, |release| &release.meta)),
        kustomizations: known(earlier.kustomizations, later.kustomizations, |a, b| united(a, b, |object| &object.meta)),
        git_repositories: known(earlier.git_repositories, later.git_repositories, |a, b| {
            united(a, b, |object| &object.meta)
        }),
        tenant_clusters,
    }
}

fn merge_cluster(earlier: ClusterInventory, later: ClusterInventory) -> ClusterInventory {
    ClusterInventory {
        api_server: later.api_server.or(earlier.api_server),
        uid: known(earlier.uid, later.uid, |_, later| later),
        ingresses: known(earlier.ingresses, later.ingresses, |a, b| united(a, b, |ingress| &ingress.meta)),
        gateways: known(earlier.gateways, later.gateways, |a, b| united(a, b, |gateway| &gateway.meta)),
        http_routes: known(earlier.http_routes, later.http_routes, |a, b| united(a, b, |route| &route.meta)),
        tls_routes: known(earlier.tls_routes, later.tls_routes, |a, b| united(a, b, |route| &route.meta)),
        services: known(earlier.services, later.services, |a, b| united(a, b, |service| &service.meta)),
        dns_config_maps: known(earlier.dns_config_maps, later.dns_config_maps, extended),
    }
}

/// A source that nobody looked at says nothing; every other answer of the later inventory counts.
fn known<T>(earlier: Observed<T>, later: Observed<T>, both: impl FnOnce(T, T) -> T) -> Observed<T> {
    match (earlier, later) {
        (Observed::Present(earlier), Observed::Present(later)) => Observed::Present(both(earlier, later)),
        (earlier, Observed::Unknown(unknown)) if unknown == Unknown::not_collected() => earlier,
        (_, later) => later,
    }
}

fn extended<K: Ord, V>(mut earlier: BTreeMap<K, V>, later: BTreeMap<K, V>) -> BTreeMap<K, V> {
    earlier.extend(later);
    earlier
}

fn united<T>(earlier: Vec<T>, later: Vec<T>, meta: impl Fn(&T) -> &ObjectMeta) -> Vec<T> {
    let key = |object: &T| (meta(object).namespace.clone(), meta(object).name.clone());
    let objects: BTreeMap<_, _> = earlier.into_iter().chain(later).map(|object| (key(&object), object)).collect();
    objects.into_values().collect()
}

/// A file that may be absent. A link in its place is not taken for absence.
fn file(tree: &Tree, path: &str) -> Result<Option<Source>, Vec<Problem>> {
    match tree.entries.get(path) {
        Some(Entry::File(bytes)) => Ok(Some(Source { path: path.to_owned(), bytes: bytes.clone() })),
        Some(Entry::Symlink | Entry::Submodule) => Err(vec![not_a_file(path, "an ordinary file")]),
        None => Ok(None),
    }
}

/// A file that must be there.
fn required(tree: &Tree, path: &str) -> Result<Source, Vec<Problem>> {
    file(tree, path)?.ok_or_else(|| vec![whole_file(path, "there is no such file", "")])
}

fn not_a_file(path: &str, wanted: &str) -> Problem {
    whole_file(path, &format!("this must be {wanted}; links and submodules are not followed"), "")
}

fn whole_file(path: &str, message: &str, hint: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        line: 0,
        column: 0,
        key: String::new(),
        message: message.to_owned(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
        excerpt: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(text: &str) -> Inventory {
        let head = "apiVersion: bobbypin.dev/v1alpha1\nkind: Inventory\nmetadata: {name: edge}\n";
        let source = Source { path: "inventory.yaml".to_owned(), bytes: format!("{head}{text}").into_bytes().into() };
        let inventories = parse_inventory(&source, Timestamp::UNIX_EPOCH);
        inventories.unwrap_or_else(|problems| panic!("{text}\n{problems:#?}")).remove(0)
    }

    #[test]
    fn what_either_of_two_inventories_saw_was_seen_and_the_later_one_counts() {
        let earlier = "observedAt: \"2026-11-20T10:00:00Z\"
uid: u1
host:
  apiServer: api.example.org
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: a}}, {metadata: {namespace: gw, name: b}}]}
  services: {state: Present, items: [{metadata: {namespace: ns, name: s}, spec: {type: NodePort}}]}
  gateways: {state: Present, items: []}
platformSettings: {state: Present, settings: {root-host: example.org, expose-mode: x}}
kustomizations: {state: Present, items: [{metadata: {namespace: f, name: k}, spec: {sourceRef: {kind: GitRepository, name: g}}}]}
gitRepositories: {state: Absent}
tenantClusters:
- {namespace: tenant-acme, name: shop, apiServer: shop.example.org, uid: t1, services: {state: Present, items: []}}
";
        let later = "observedAt: \"2026-11-20T11:00:00Z\"
uid: u2
host:
  apiServer: k8s.example.org
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: b}, spec: {hostnames: [b.example.org]}}]}
  services: {state: Present, items: [{metadata: {namespace: ns, name: r}}]}
  gateways: {state: Unknown, reason: Forbidden, message: no right}
platformSettings: {state: Present, settings: {root-host: example.net}}
gitRepositories: {state: Present, items: [{metadata: {namespace: f, name: g}, spec: {url: \"https://h/a\"}}]}
tenantClusters:
- {namespace: tenant-acme, name: shop, tlsRoutes: {state: Absent}}
- {namespace: tenant-acme, name: blog, uid: t2}
";
        let both = "observedAt: \"2026-11-20T10:00:00Z\"
uid: u2
host:
  apiServer: k8s.example.org
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: a}}, {metadata: {namespace: gw, name: b}, spec: {hostnames: [b.example.org]}}]}
  services: {state: Present, items: [{metadata: {namespace: ns, name: r}}, {metadata: {namespace: ns, name: s}, spec: {type: NodePort}}]}
  gateways: {state: Unknown, reason: Forbidden, message: no right}
platformSettings: {state: Present, settings: {root-host: example.net, expose-mode: x}}
kustomizations: {state: Present, items: [{metadata: {namespace: f, name: k}, spec: {sourceRef: {kind: GitRepository, name: g}}}]}
gitRepositories: {state: Present, items: [{metadata: {namespace: f, name: g}, spec: {url: \"https://h/a\"}}]}
tenantClusters:
- {namespace: tenant-acme, name: shop, apiServer: shop.example.org, uid: t1, services: {state: Present, items: []}, tlsRoutes: {state: Absent}}
- {namespace: tenant-acme, name: blog, uid: t2}
";
        assert_eq!(merge(inventory(earlier), inventory(later)), inventory(both));
    }

    #[test]
    fn who_did_not_look_changes_nothing_but_the_time() {
        let seen = inventory("observedAt: \"2026-11-20T10:00:00Z\"\nuid: u1\nplatformSettings: {state: Absent}\n");
        let nothing = Inventory::unknown(None, Timestamp::UNIX_EPOCH, &Unknown::not_collected());
        let expected = Inventory { observed_at: Timestamp::UNIX_EPOCH, ..seen.clone() };
        assert_eq!(merge(seen.clone(), nothing.clone()), expected);
        assert_eq!(merge(nothing, seen), expected);
    }
}
