//! From a tree and inventories to what would change: the pure middle of every command.

use jiff::Timestamp;
use rayon::prelude::*;

use crate::{
    diff::{self, ChangeSet, Occupied},
    manifest::{Manifests, Validated, validate::ManifestProblem},
    model::{
        digest::Digest,
        name::Name,
        tree::{RepoPath, Tree},
    },
    ops::load::{self, Cluster, InventoryFile, LoadError},
    plan::{
        ClusterPlan, Decision, HoldCause, Inputs,
        document::{PlanDocument, document},
        plan,
    },
    render::{self, Templates, engine::TemplateError},
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which clusters; empty: all.
    pub clusters: Vec<Name>,
    /// What was seen.
    pub inventories: Vec<InventoryFile>,
    /// The removals that a person accepted.
    pub accept_removals: Option<Digest>,
    /// The time of the run.
    pub now: Timestamp,
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
    /// Identifies the inventories that were used.
    pub inventory: Digest,
    /// Every path that the decided layers have.
    files: Vec<RepoPath>,
    /// Identifies what the decided files hold.
    content: Digest,
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
    let clusters = load::clusters(tree, &request.clusters, &request.inventories, request.now)?;
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
    let seen: String = clusters.iter().map(|cluster| format!("{}\n", cluster.inventory.digest)).collect();
    let (files, content) = content(&manifests);
    Ok(Decided { plans, manifests, changes, inventory: Digest::of(seen.as_bytes()), files, content })
}

fn plan_one(tree: &Tree, cluster: &Cluster, request: &Request) -> ClusterPlan {
    let mut plan = plan(&Inputs {
        folder: &cluster.folder,
        config: &cluster.config,
        platform: &cluster.platform,
        inventory: &cluster.inventory,
        pins: &cluster.pins,
        state: &cluster.state,
        tree,
        accept_removals: request.accept_removals.as_ref(),
    });
    plan.findings.extend(cluster.findings.iter().cloned());
    plan.findings.sort();
    plan
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
    /// The plan as a document.
    pub fn document(&self) -> PlanDocument<'_> {
        document(&self.plans, &self.files, &self.content, self.changes.base.as_ref())
    }

    /// The worst obstacle of any layer.
    pub fn obstacle(&self) -> Option<HoldCause> {
        let layers = self.plans.iter().flat_map(|plan| &plan.layers);
        let causes = layers.filter_map(|layer| match layer.decision {
            Decision::Hold { cause, .. } => Some(cause),
            Decision::Deliver { .. } | Decision::Remove { .. } => None,
        });
        causes.max()
    }
}
