//! The nouns: what exists only if it is valid, and nothing that decides.
//!
//! Everything here is a plain value. A type with a private field has a constructor that refuses what is not lawful, so
//! that no other ring checks the same thing again.

pub mod cluster;
pub mod digest;
pub mod finding;
pub mod hostname;
pub mod inventory;
pub mod layer;
pub mod name;
pub mod object;
pub mod observed;
pub mod oci;
pub mod pins;
pub mod repository;
pub mod stamp;
pub mod state;
pub mod tree;
