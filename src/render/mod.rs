//! From a plan to text.

mod dialect;
pub mod engine;
