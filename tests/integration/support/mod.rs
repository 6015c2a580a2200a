//! What several tests need.

pub(crate) mod cli;
pub(crate) mod git;
