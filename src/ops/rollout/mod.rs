//! A commit is followed on its way through Flux: fetched, applied, installed. Nothing is written to a cluster.
//!
//! [`fn@wanted`] says what is followed, [`fn@progress`] how far it is by what was read last, and [`fn@follow`] reads until
//! all has arrived, nothing more can, or the time is over.

mod follow;
mod progress;
#[cfg(test)]
mod tests;
mod wanted;

pub use self::{
    follow::{ClusterRollout, Following, Rollout, Step, follow},
    progress::{ObjectState, progress},
    wanted::{Item, Needs, Unfollowed, Wanted, wanted},
};
