//! How far each object is, by what was read last; pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    edge::kube::flux::{FluxId, FluxObjects, FluxStatus},
    model::{inventory::Ready, tree::CommitId},
    ops::rollout::wanted::{Item, Needs, Wanted},
};

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectState {
    /// Not there yet.
    Waiting {
        /// For what; the beginning of a sentence.
        why: String,
    },
    /// There.
    Ready {
        /// What its controller did: `applied main@sha1:1234567`.
        what: String,
    },
    /// Its controller says that it does not work.
    Failed {
        /// PascalCase.
        reason: String,
        /// In its words.
        message: String,
        /// Whether the controller has given up. Otherwise it tries again, and may succeed.
        is_final: bool,
    },
    /// A person stopped it, and nobody else starts it again.
    Suspended,
}

impl ObjectState {
    /// The name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "Waiting",
            Self::Ready { .. } => "Ready",
            Self::Failed { .. } => "Failed",
            Self::Suspended => "Suspended",
        }
    }

    /// Whether waiting is of no use.
    fn is_final(&self) -> bool {
        match self {
            Self::Ready { .. } | Self::Suspended => true,
            Self::Failed { is_final, .. } => *is_final,
            Self::Waiting { .. } => false,
        }
    }
}

impl fmt::Display for ObjectState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { why } => f.write_str(why),
            Self::Ready { what } => f.write_str(what),
            Self::Failed { reason, message, is_final } => {
                let end = if *is_final { "; its controller has given up" } else { "; its controller tries again" };
                write!(f, "{message} ({reason}){end}")
            }
            Self::Suspended => f.write_str("a person suspended it: nothing is waited for"),
        }
    }
}

/// How far the objects are, in the order of [`Wanted::items`].
pub fn progress(wanted: &Wanted, seen: &FluxObjects) -> Vec<ObjectState> {
    let mut states: BTreeMap<&FluxId, ObjectState> = BTreeMap::new();
    for item in &wanted.items {
        let state = match seen.get(&item.id) {
            Some(Some(status)) => of_item(item, status, wanted, &states, seen),
            Some(None) | None => ObjectState::Waiting { why: "it is not there yet".to_owned() },
        };
        states.insert(&item.id, state);
    }
    wanted.items.iter().map(|item| states[&item.id].clone()).collect()
}

/// Whether nothing more will come of it: each object has arrived or stopped for good, or what brings it the commit has
/// stopped.
pub(super) fn is_settled(wanted: &Wanted, states: &[ObjectState]) -> bool {
    let mut stopped: BTreeSet<&FluxId> = BTreeSet::new();
    for (item, state) in wanted.items.iter().zip(states) {
        let is_cut_off = item.after.iter().any(|before| stopped.contains(before));
        if !state.is_final() && !is_cut_off {
            return false;
        }
        if !matches!(state, ObjectState::Ready { .. }) {
            stopped.insert(&item.id);
        }
    }
    true
}

/// Whether the commit has arrived. A release that a person suspended does not keep it; a source or what applies it does.
pub(super) fn has_arrived(wanted: &Wanted, states: &[ObjectState]) -> bool {
    wanted.items.iter().zip(states).all(|(item, state)| match state {
        ObjectState::Ready { .. } => true,
        ObjectState::Suspended => !matches!(item.needs, Needs::Fetched | Needs::Applied),
        ObjectState::Waiting { .. } | ObjectState::Failed { .. } => false,
    })
}

fn of_item(
    item: &Item,
    status: &FluxStatus,
    wanted: &Wanted,
    before: &BTreeMap<&FluxId, ObjectState>,
    seen: &FluxObjects,
) -> ObjectState {
    let holds = |revision: &str| commit_of(revision).is_some_and(|commit| wanted.commits.contains(&commit));
    let has_arrived = match &item.needs {
        Needs::Fetched | Needs::Applied => holds(&status.revision),
        Needs::Ready | Needs::Installed { .. } => true,
    };
    // What was fetched already is there, whatever is wrong since then.
    if item.needs == Needs::Fetched && has_arrived {
        return ObjectState::Ready { what: format!("fetched {}", short(&status.revision)) };
    }
    if status.suspended {
        return ObjectState::Suspended;
    }
    // What applies a commit may fail because of what it applied: then that has the commit already.
    let has_it = |id: &&FluxId| match (&before[*id], seen.get(*id)) {
        (ObjectState::Ready { .. }, _) => true,
        (_, Some(Some(status))) => holds(&status.attempted),
        (_, Some(None) | None) => false,
    };
    if let Some(missing) = item.after.iter().find(|id| !has_it(id)) {
        return ObjectState::Waiting { why: format!("waits for {missing}") };
    }
    // A failure of what applies says something about this commit only when it has tried it.
    let is_about_it = match item.needs {
        Needs::Applied => has_arrived || holds(&status.attempted),
        Needs::Fetched | Needs::Ready | Needs::Installed { .. } => true,
    };
    if let Some(Ready { reason, message, .. }) = status.stalled.as_ref().filter(|_| is_about_it) {
        return failed(reason, message, true);
    }
    match &status.ready {
        Some(Ready { status: ready, reason, message }) if ready == "False" && is_about_it => {
            failed(reason, message, false)
        }
        Some(Ready { status: ready, reason, .. }) if ready == "True" && has_arrived => {
            if status.observed_generation != status.generation {
                return not_looked_at();
            }
            match &item.needs {
                Needs::Installed { chart: Some(chart) }
                    if !status.chart_digest.is_empty() && *chart != status.chart_digest =>
                {
                    ObjectState::Waiting { why: format!("it still has the chart {}", short(&status.chart_digest)) }
                }
                Needs::Applied => ObjectState::Ready { what: format!("applied {}", short(&status.revision)) },
                Needs::Fetched | Needs::Ready | Needs::Installed { .. } => {
                    ObjectState::Ready { what: format!("ready ({reason})") }
                }
            }
        }
        Some(Ready { status: ready, message, .. }) if ready != "True" && !message.is_empty() => {
            ObjectState::Waiting { why: message.clone() }
        }
        Some(_) if !status.revision.is_empty() => {
            ObjectState::Waiting { why: format!("it is at {}", short(&status.revision)) }
        }
        Some(_) | None => not_looked_at(),
    }
}

fn failed(reason: &str, message: &str, is_final: bool) -> ObjectState {
    ObjectState::Failed { reason: reason.to_owned(), message: message.to_owned(), is_final }
}

fn not_looked_at() -> ObjectState {
    ObjectState::Waiting { why: "its controller has not looked at it yet".to_owned() }
}

/// The commit of a revision: `main@sha1:<commit>`.
pub(super) fn commit_of(revision: &str) -> Option<CommitId> {
    CommitId::parse(revision.rsplit_once("sha1:")?.1)
}

/// A revision or digest with seven digits of its hash.
fn short(revision: &str) -> &str {
    let digits = revision.rfind(':').map_or(revision.len(), |colon| colon + 8);
    revision.get(..digits).unwrap_or(revision)
}
