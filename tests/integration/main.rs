//! One binary for all tests that use the crate from outside.

mod architecture;
mod manifest_yaml;
