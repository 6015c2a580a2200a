//! Everything that touches the world: files, Git, clusters and other servers.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the program does I/O")]

pub mod files;
pub mod git;
pub mod gitea;
pub mod http;
pub mod kube;
pub mod program;
pub mod receiver;
pub mod registry;
pub mod signals;
