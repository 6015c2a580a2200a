//! A plan as a document: what `plan -o json` prints, and what an approval stands for.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    model::{
        digest::Digest,
        finding::Finding,
        layer::Layer,
        tree::{CommitId, RepoPath},
    },
    plan::{ClusterPlan, Decision, LayerPlan, Refusal, decision::HoldCause},
};

/// The plan of a run, ready to be printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanDocument<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// The commit that was read.
    pub base: Option<&'a CommitId>,
    /// Identifies the decisions and every byte that they lead to; equal for equal plans, whatever the base.
    pub digest: Digest,
    clusters: Vec<ClusterDocument<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ClusterDocument<'a> {
    name: &'a str,
    layers: Vec<LayerDocument<'a>>,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a Refusal>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerDocument<'a> {
    layer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    decision: &'static str,
    reason: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'static str>,
    hosts: Vec<Value>,
    files: Vec<&'a str>,
}

/// Makes the document.
///
/// `files` are the paths that the plan's layers have in Git after the run; `content` identifies what they hold.
pub fn document<'a>(
    plans: &'a [ClusterPlan],
    files: &'a [RepoPath],
    content: &Digest,
    base: Option<&'a CommitId>,
) -> PlanDocument<'a> {
    let clusters: Vec<_> = plans.iter().map(|plan| cluster(plan, files)).collect();
    let text = serde_json::to_string(&clusters).expect("texts, lists and maps with text keys");
    let digest = Digest::of(format!("{content}\n{text}").as_bytes());
    PlanDocument { api_version: "bobbypin.dev/v1alpha1", kind: "Plan", base, digest, clusters }
}

fn cluster<'a>(plan: &'a ClusterPlan, files: &'a [RepoPath]) -> ClusterDocument<'a> {
    ClusterDocument {
        name: plan.name.as_str(),
        layers: plan.layers.iter().map(|layer| self::layer(plan, layer, files)).collect(),
        findings: &plan.findings,
        refusal: plan.refusal.as_ref(),
    }
}

fn layer<'a>(plan: &ClusterPlan, layer: &'a LayerPlan, files: &'a [RepoPath]) -> LayerDocument<'a> {
    let folder = plan.folder.join("manifests").join(&layer.layer.folder());
    let (word, namespace, name) = match &layer.layer {
        Layer::Host => ("host", None, None),
        Layer::Tenant(tenant) => ("tenant", Some(tenant.namespace.as_str()), Some(tenant.name.as_str())),
    };
    let release = match &layer.decision {
        Decision::Deliver { release, .. } => Some(release.as_ref()),
        Decision::Remove { .. } | Decision::Hold { .. } => None,
    };
    let reason = layer.decision.reason();
    LayerDocument {
        layer: word,
        namespace,
        name,
        decision: layer.decision.word(),
        reason: reason.code,
        message: &reason.message,
        fix: reason.fix.as_deref(),
        cause: match &layer.decision {
            Decision::Hold { cause, .. } => Some(cause.word()),
            Decision::Deliver { .. } | Decision::Remove { .. } => None,
        },
        engine: release.map(|release| json!(release.engine)),
        delivery: release.map(|release| release.delivery(&layer.layer)),
        hosts: layer.hosts.iter().map(|(host, owner)| json!({"host": host, "owner": owner})).collect(),
        files: files
            .iter()
            .filter(|path| path.below(folder.as_str()).is_some() || layer.edits.contains_key(*path))
            .map(RepoPath::as_str)
            .collect(),
    }
}

impl HoldCause {
    fn word(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::NotObserved => "NotObserved",
            Self::Guard => "Guard",
        }
    }
}
