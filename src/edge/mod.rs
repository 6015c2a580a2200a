//! What touches the world outside.

pub mod git;
