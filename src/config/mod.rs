//! Text in, proof out.
//!
//! A file is parsed in one pass into its model type, or into every [`problem::Problem`] that it has.

pub(crate) mod check;
mod document;
mod explain;
pub mod kubernetes;
mod place;
pub mod problem;
mod secret;
mod suggest;

/// Placeholder until the writers land.
pub fn state_text(_: &crate::model::state::State, _: &crate::model::name::Name) -> String {
    String::new()
}
