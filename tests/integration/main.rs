//! One binary for all tests that use the crate from outside.

mod architecture;
mod diff_patch;
mod docs;
mod fixtures_read;
mod manifest_references;
mod manifest_set;
mod manifest_validate;
mod manifest_yaml;
mod platform_agreement;
mod readme;
