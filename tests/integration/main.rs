//! One binary for all tests that use the crate from outside.

mod architecture;
mod diff_patch;
mod fixtures_read;
mod golden;
mod manifest_references;
mod manifest_set;
mod manifest_validate;
mod manifest_yaml;
mod memory;
mod platform_agreement;
mod templates;
