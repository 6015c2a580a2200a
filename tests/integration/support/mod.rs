//! What several tests need.

pub(crate) mod api_server;
pub(crate) mod cli;
pub(crate) mod git;
