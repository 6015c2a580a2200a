//! Text in, proof out.
//!
//! A file is parsed in one pass into its model type, or into every [`problem::Problem`] that it has.

pub mod inventory;
pub mod kubernetes;
pub mod platform_file;
pub mod problem;

/// Placeholder until the writers land.
pub fn state_text(_: &crate::model::state::State, _: &crate::model::name::Name) -> String {
    String::new()
}
