//! One binary for all tests that use the crate from outside.

mod architecture;
mod diff_patch;
