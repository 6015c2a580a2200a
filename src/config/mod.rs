//! Text in, proof out.
//!
//! A file is parsed in one pass into its model type, or into every [`problem::Problem`] that it has.

mod check;
mod cluster;
mod document;
pub mod edit;
mod explain;
mod fault;
pub mod inventory;
pub mod kubernetes;
mod pins;
mod pins_text;
mod place;
pub mod platform_file;
pub mod problem;
mod raw;
mod repository;
mod secret;
mod state;
mod suggest;
mod tenants;
#[cfg(test)]
mod tests;
mod values;

pub use pins_text::write_pins;
pub use state::state_text;

use crate::{
    config::problem::{Problem, Source},
    model::{
        cluster::ClusterConfig,
        name::Name,
        pins::Pins,
        repository::{RepositoryConfig, TrustedSigners},
        state::State,
    },
};

/// Parses `cluster.yaml`. `folder` is the name of the folder that it lies in, and must be the cluster's name.
///
/// # Errors
///
/// Every problem of the file, in order of place.
pub fn parse_cluster(source: &Source, folder: &Name) -> Result<ClusterConfig, Vec<Problem>> {
    fault::convert(&check::read(source, "Cluster")?, |raw| cluster::cluster(raw, folder))
}

/// Parses `bobbypin.yaml`.
///
/// # Errors
///
/// Every problem of the file, in order of place; a setting that this version cannot honour is one.
pub fn parse_repository(source: &Source) -> Result<RepositoryConfig, Vec<Problem>> {
    fault::convert(&check::read(source, "Repository")?, repository::repository)
}

/// Parses a list of those whose signatures are trusted: an SSH public key or an OpenPGP fingerprint on each line.
///
/// # Errors
///
/// The first line that is neither.
pub fn parse_signers(text: &str) -> Result<TrustedSigners, String> {
    repository::signers(text)
}

/// Parses `pins.yaml` of a cluster.
///
/// # Errors
///
/// Every problem of the file, in order of place; a digest of the wrong kind of thing is one.
pub fn parse_pins(source: &Source, cluster: &Name) -> Result<Pins, Vec<Problem>> {
    fault::convert(&check::read(source, "Pins")?, |raw| pins::pins(raw, cluster))
}

/// Parses `state.yaml` of a cluster, as [`state_text`] writes it.
///
/// # Errors
///
/// Every problem of the file, in order of place.
pub fn parse_state(source: &Source, cluster: &Name) -> Result<State, Vec<Problem>> {
    fault::convert(&check::read(source, "State")?, |raw| state::state(raw, cluster))
}

/// The JSON Schema of a kind of file: `repository`, `cluster`, `pins` or `state`.
pub fn schema(kind: &str) -> Option<String> {
    match kind {
        "repository" => Some(check::schema::<raw::repository::Repository>()),
        "cluster" => Some(check::schema::<raw::cluster::Cluster>()),
        "pins" => Some(check::schema::<raw::pins::Pins>()),
        "state" => Some(check::schema::<raw::state::State>()),
        _ => None,
    }
}
