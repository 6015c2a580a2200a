//! From a tree and inventories to what would change: the pure middle of every command.

use std::sync::Arc;

use jiff::Timestamp;
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    config::inventory::digest,
    diff::{self, ChangeSet, Occupied},
    manifest::{Manifests, Validated, validate::ManifestProblem},
    model::{
        digest::Digest,
        hostname::Hostname,
        inventory::Inventory,
        name::Name,
        observed::Unknown,
        tree::{RepoPath, Tree},
    },
    ops::{
        collect::Live,
        load::{self, Cluster, InventoryFile, LoadError, Seen},
        selection::Selection,
    },
    plan::{
        ClusterPlan, Decision, GIT_SERVER, HoldCause,
        document::{PlanDocument, document},
        plan,
    },
    render::{self, Templates, engine::TemplateError},
};

/// What is asked.
#[derive(Debug)]
pub struct Request {
    /// Which clusters.
    pub clusters: Selection,
    /// What was seen, or how to see it.
    pub inventories: Inventories,
    /// The removals that a person accepted.
    pub accept_removals: Option<Digest>,
    /// The server that the repository is published to, whoever says so. The settings may say another one, too.
    pub git_server: Option<Hostname>,
    /// The time of the run.
    pub now: Timestamp,
}

/// Where inventories come from.
#[derive(Debug)]
pub enum Inventories {
    /// Files. No cluster is contacted.
    Files(Vec<InventoryFile>),
    /// The clusters themselves, as far as their settings say how to reach them.
    Live(Box<Live>),
}

/// Everything that was decided.
#[derive(Debug)]
pub struct Decided {
    /// By cluster, in order of name.
    pub plans: Vec<ClusterPlan>,
    /// What is to stand in Git.
    pub manifests: Manifests<Validated>,
    /// How that differs from what stands there.
    pub changes: ChangeSet,
    /// What somebody tried to read of the clusters, and could not.
    pub unread: Vec<Unread>,
    /// What was seen of each cluster, in order of name.
    inventories: Vec<Arc<Inventory>>,
    /// Every path that the decided layers have.
    files: Vec<RepoPath>,
    /// Identifies what the decided files hold.
    content: Digest,
}

/// Something of a cluster that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// The cluster, when the inventory names it.
    pub cluster: Option<Name>,
    /// What: `host ingresses`, or several sources that failed for the same reason.
    pub sources: Vec<String>,
    /// Why.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The inputs are wrong.
    #[error("cannot read the configuration")]
    Load(#[from] LoadError),
    /// A cluster's own templates are of no use.
    #[error("cannot use the templates in `{folder}`")]
    Templates {
        /// Where they are.
        folder: RepoPath,
        /// Why.
        source: TemplateError,
    },
    /// A template failed.
    #[error("cannot render")]
    Template(#[from] TemplateError),
    /// Manifests are wrong.
    #[error("the rendered manifests have problems")]
    Manifests(Vec<ManifestProblem>),
    /// Something stands where a file of ours should.
    #[error("cannot compare with what is committed")]
    Occupied(#[from] Occupied),
}

/// Decides, renders, checks and compares.
pub fn decide(tree: &Tree, request: &Request) -> Result<Decided, DecideError> {
    let clusters = clusters(tree, request)?;
    let plans: Vec<_> = clusters.par_iter().map(|cluster| plan_one(tree, cluster, request)).collect();
    let templates = |cluster: &Cluster| {
        let folder = cluster.folder.join("templates");
        Templates::new(&cluster.templates).map_err(|source| DecideError::Templates { folder, source })
    };
    let templates: Vec<_> = clusters.iter().map(templates).collect::<Result<_, _>>()?;
    let pairs: Vec<_> = plans.iter().zip(&templates).collect();
    let (manifests, rules) = render::render(&pairs)?;
    let manifests = manifests.validate(&rules).map_err(DecideError::Manifests)?;
    let changes = diff::diff(tree, &manifests)?;
    let (files, content) = content(&manifests);
    let inventories: Vec<_> = clusters.into_iter().map(|cluster| cluster.inventory).collect();
    let unread = inventories.iter().flat_map(|inventory| unread(inventory)).collect();
    Ok(Decided { plans, manifests, changes, unread, inventories, files, content })
}

/// Reads and decides, and renders nothing: what is asked of the DNS part alone.
pub fn planned(tree: &Tree, request: &Request) -> Result<Vec<(Cluster, ClusterPlan)>, LoadError> {
    let planned = clusters(tree, request)?.into_iter().map(|cluster| {
        let plan = plan_one(tree, &cluster, request);
        (cluster, plan)
    });
    Ok(planned.collect())
}

/// Reads every selected cluster: its files, and what was seen of it.
pub fn clusters(tree: &Tree, request: &Request) -> Result<Vec<Cluster>, LoadError> {
    let live;
    let seen = match &request.inventories {
        Inventories::Files(files) => Seen::Files(files),
        Inventories::Live(how) => {
            live = how.inventories(tree, &request.clusters)?;
            Seen::Inventories(&live)
        }
    };
    let mut clusters = load::clusters(tree, &request.clusters, seen, request.now)?;
    for cluster in &mut clusters {
        cluster.reserved.extend(request.git_server.clone().map(|server| (server, GIT_SERVER)));
    }
    Ok(clusters)
}

fn plan_one(tree: &Tree, cluster: &Cluster, request: &Request) -> ClusterPlan {
    let mut plan = plan(&cluster.inputs(tree, request.accept_removals.as_ref()));
    plan.findings.extend(cluster.findings.iter().cloned());
    plan.findings.sort();
    plan
}

/// What of an inventory could not be read; sources of one cluster that failed for one reason stand together.
pub fn unread(inventory: &Inventory) -> Vec<Unread> {
    let mut found: Vec<Unread> = Vec::new();
    for (source, unknown) in inventory.unread() {
        match found.last_mut() {
            Some(last) if last.unknown == *unknown => last.sources.push(source.to_string()),
            _ => {
                let sources = vec![source.to_string()];
                found.push(Unread { cluster: inventory.cluster.clone(), sources, unknown: unknown.clone() });
            }
        }
    }
    found
}

fn content(manifests: &Manifests<Validated>) -> (Vec<RepoPath>, Digest) {
    let mut files = Vec::new();
    let mut hashes = String::new();
    for (path, file) in manifests.clusters().iter().flat_map(|cluster| &cluster.files) {
        files.push(path.clone());
        hashes.push_str(&format!("{path} {}\n", Digest::of(file.text.as_bytes())));
    }
    (files, Digest::of(hashes.as_bytes()))
}

impl Decided {
    /// Identifies the inventories that were used: the digest of the one, or that of the digests in order of cluster.
    pub fn inventory(&self) -> Digest {
        let seen: Vec<Digest> = self.inventories.iter().map(|inventory| digest(inventory)).collect();
        match seen.as_slice() {
            [one] => one.clone(),
            several => Digest::of(several.iter().map(|one| format!("{one}\n")).collect::<String>().as_bytes()),
        }
    }

    /// The plan as a document.
    pub fn document(&self) -> PlanDocument<'_> {
        document(&self.plans, &self.files, &self.content, self.changes.base.as_ref())
    }

    /// Whether some layer is held.
    pub fn holds(&self) -> bool {
        let mut layers = self.plans.iter().flat_map(|plan| &plan.layers);
        layers.any(|layer| matches!(layer.decision, Decision::Hold { .. }))
    }

    /// The worst obstacle of any layer. What could not be read is one, even when every layer could be decided without it.
    pub fn obstacle(&self) -> Option<HoldCause> {
        let layers = self.plans.iter().flat_map(|plan| &plan.layers);
        let causes = layers.filter_map(|layer| match layer.decision {
            Decision::Hold { cause, .. } => Some(cause),
            Decision::Deliver { .. } | Decision::Remove { .. } => None,
        });
        causes.chain((!self.unread.is_empty()).then_some(HoldCause::NotObserved)).max()
    }
}
