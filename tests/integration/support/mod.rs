//! What several tests need.

pub(crate) mod api_server;
pub(crate) mod cli;
pub(crate) mod fault_proxy;
pub(crate) mod forge;
pub(crate) mod git;
pub(crate) mod git_server;
pub(crate) mod git_ssh;
pub(crate) mod loopback;
pub(crate) mod network;
pub(crate) mod registry;
pub(crate) mod scripted;
pub(crate) mod thorough;
