//! One binary for all tests that use the crate from outside.

mod architecture;
mod diff_patch;
mod fixtures_read;
mod git_history;
mod git_property;
mod git_publish;
mod git_read;
mod git_refusals;
mod git_work_tree;
mod manifest_references;
mod manifest_set;
mod manifest_validate;
mod manifest_yaml;
mod plan_host;
mod plan_properties;
mod plan_records;
mod plan_steps;
mod plan_tenants;
mod plan_world;
mod platform_agreement;
mod support;
