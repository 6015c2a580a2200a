//! What keeps a wrong inventory from emptying a cluster.
//!
//! A host leaves Git only when two complete inventories, far enough apart, lack it (`removal.confirmAfter`), and only
//! few at a time (`removal.max`, `removal.maxShare`). What a person switches off in the settings is no loss: that was
//! asked for.

use serde::Serialize;

use crate::{
    model::{cluster::RemovalPolicy, digest::Digest},
    plan::{
        Draft,
        decision::{Decision, Reason},
    },
};

/// What a layer would lose by the inventory alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// How many hosts the layer has in Git.
    pub(super) committed: usize,
    /// What is committed and was not seen any more.
    pub(super) missing: Vec<String>,
    /// Whether the inventory shows nothing at all where there was something.
    pub(super) is_total: bool,
}

/// Why nothing is removed until a person says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What to give back to accept exactly these removals.
    pub accept: Digest,
    /// What is missing, as `layer: host`, sorted.
    pub missing: Vec<String>,
    /// How many hosts the cluster has in Git.
    pub committed: usize,
    /// How many could go without being asked.
    pub allowed: usize,
}

impl Refusal {
    /// One sentence.
    pub fn message(&self) -> String {
        format!(
            "{} of {} committed hosts are missing from the inventory, and at most {} may go without being asked",
            self.missing.len(),
            self.committed,
            self.allowed
        )
    }
}

/// Adds up what all layers would lose, and refuses when it is too much.
///
/// At most `max` hosts, or `max_share_percent` of all, whichever is more, may be missing at once. A layer that an empty
/// inventory would leave with nothing is always refused.
pub(super) fn weigh(drafts: &[Draft], policy: &RemovalPolicy) -> Option<Refusal> {
    let committed = drafts.iter().map(|draft| draft.loss.committed).sum();
    let mut missing: Vec<_> = drafts
        .iter()
        .flat_map(|draft| draft.loss.missing.iter().map(|host| format!("{}: {host}", draft.layer)))
        .collect();
    missing.sort();
    let allowed = policy.max.max(committed * usize::from(policy.max_share_percent) / 100);
    let too_much = missing.len() > allowed || drafts.iter().any(|draft| draft.loss.is_total);
    too_much.then(|| {
        let accept = Digest::of(missing.join("\n").as_bytes());
        Refusal { accept, missing, committed, allowed }
    })
}

/// Holds every layer that would lose something.
pub(super) fn refuse(drafts: Vec<Draft>, refusal: &Refusal) -> Vec<Draft> {
    let hold = |draft: Draft| {
        if draft.loss.missing.is_empty() {
            return draft;
        }
        let reason = Reason::new("RemovalsNotAccepted", refusal.message())
            .fix(format!("if they are really gone: bobbypin reconcile --accept-removals {}", refusal.accept));
        Draft { decision: Decision::refuse(reason), memory: None, ..draft }
    };
    drafts.into_iter().map(hold).collect()
}

impl Loss {
    /// The loss of a whole tenant that the inventory no longer shows, with its committed hosts.
    pub(super) fn of_tenant(hosts: impl Iterator<Item = String>) -> Self {
        let mut missing: Vec<_> = hosts.collect();
        if missing.is_empty() {
            missing.push("(the whole layer)".to_owned());
        }
        Self { committed: missing.len(), missing, is_total: false }
    }
}
