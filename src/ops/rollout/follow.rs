//! Reads again and again until a commit has arrived.

use std::collections::BTreeMap;

use crate::{
    edge::kube::flux::{FluxId, FluxObjects, FollowedCluster},
    model::{name::Name, tree::CommitId},
    ops::rollout::{
        progress::{ObjectState, commit_of, has_arrived, is_settled, progress},
        wanted::{Needs, Wanted},
    },
};

/// By what a commit is followed.
pub struct Following<'a> {
    /// Reads objects of each of these clusters; in the place of one that could not be read: why.
    pub read: &'a mut dyn FnMut(&[(FollowedCluster, Vec<FluxId>)]) -> Vec<Result<FluxObjects, String>>,
    /// Waits a while. `false`: the time is over.
    pub pause: &'a mut dyn FnMut() -> bool,
    /// Whether another commit, which a source is at, holds the one that is followed.
    pub holds: &'a mut dyn FnMut(&CommitId) -> bool,
    /// Told of everything that is new.
    pub told: &'a mut dyn FnMut(&Step<'_>),
}

/// Something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// An object got on, or failed.
    Object {
        /// Its cluster.
        cluster: &'a Name,
        /// Which.
        id: &'a FluxId,
        /// How far it is now.
        state: &'a ObjectState,
    },
    /// A cluster could not be read. It is tried again.
    Unread {
        /// Which.
        cluster: &'a Name,
        /// Why.
        why: &'a str,
    },
}

/// How far a commit came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// In the order in which they were asked for.
    pub clusters: Vec<ClusterRollout>,
}

/// How far a commit came in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRollout {
    /// Its name.
    pub cluster: Name,
    /// The objects in their order; how far each was when it was read last.
    pub objects: Vec<(FluxId, ObjectState)>,
    /// Why the last reading failed, if it did.
    pub unread: Option<String>,
    /// Whether the commit has arrived.
    pub has_arrived: bool,
}

impl Rollout {
    /// Whether the commit has arrived everywhere.
    pub fn has_arrived(&self) -> bool {
        self.clusters.iter().all(|cluster| cluster.has_arrived)
    }
}

/// Follows a commit until it has arrived in all clusters, nothing more can come of it, or the time is over.
pub fn follow(mut wanted: Vec<Wanted>, by: Following<'_>) -> Rollout {
    let Following { read, pause, holds, told } = by;
    let mut ends: Vec<_> = wanted.iter().map(nothing_yet).collect();
    // Commits that some source is at, and whether they hold the one that is followed.
    let mut known: BTreeMap<CommitId, bool> = BTreeMap::new();
    let mut open: Vec<usize> = (0..wanted.len()).collect();
    while !open.is_empty() {
        let asked: Vec<_> = open.iter().map(|index| asked(&wanted[*index])).collect();
        let answers = read(&asked);
        let mut left = Vec::new();
        for (index, answer) in open.into_iter().zip(answers) {
            let (one, end) = (&mut wanted[index], &mut ends[index]);
            let seen = match answer {
                Ok(seen) => seen,
                Err(why) => {
                    if end.unread.as_ref() != Some(&why) {
                        told(&Step::Unread { cluster: &end.cluster, why: &why });
                    }
                    end.unread = Some(why);
                    left.push(index);
                    continue;
                }
            };
            end.unread = None;
            for commit in strangers(one, &seen) {
                if *known.entry(commit.clone()).or_insert_with_key(&mut *holds) {
                    one.commits.insert(commit);
                }
            }
            let states = progress(one, &seen);
            for (state, (id, before)) in states.iter().zip(&mut end.objects) {
                if state != before {
                    told(&Step::Object { cluster: &end.cluster, id, state });
                    before.clone_from(state);
                }
            }
            end.has_arrived = has_arrived(one, &states);
            if !is_settled(one, &states) {
                left.push(index);
            }
        }
        open = left;
        if !open.is_empty() && !pause() {
            break;
        }
    }
    Rollout { clusters: ends }
}

fn asked(wanted: &Wanted) -> (FollowedCluster, Vec<FluxId>) {
    (wanted.cluster.clone(), wanted.items.iter().map(|item| item.id.clone()).collect())
}

fn nothing_yet(wanted: &Wanted) -> ClusterRollout {
    let state = || ObjectState::Waiting { why: "it was not read yet".to_owned() };
    ClusterRollout {
        cluster: wanted.cluster.name.clone(),
        objects: wanted.items.iter().map(|item| (item.id.clone(), state())).collect(),
        unread: None,
        has_arrived: false,
    }
}

/// The commits that sources are at, and that are not known to hold the one that is followed.
fn strangers(wanted: &Wanted, seen: &FluxObjects) -> Vec<CommitId> {
    let sources = wanted.items.iter().filter(|item| item.needs == Needs::Fetched);
    let statuses = sources.filter_map(|item| seen.get(&item.id)?.as_ref());
    let commits = statuses.filter_map(|status| commit_of(&status.revision));
    commits.filter(|commit| !wanted.commits.contains(commit)).collect()
}
