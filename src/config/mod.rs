//! Text in, proof out.
//!
//! A file is parsed in one pass into its model type, or into every [`problem::Problem`] that it has.

pub mod kubernetes;
pub mod problem;
