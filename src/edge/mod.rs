//! Everything that touches the world: files, Git and clusters.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is where the program does I/O")]

pub mod files;
pub mod git;
pub mod kube;
pub mod signals;
