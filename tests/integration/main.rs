//! One binary for all tests that use the crate from outside.

mod architecture;
mod cli_bad_input;
mod cli_commands;
mod cli_exit_codes;
mod cli_killed;
mod cli_races;
mod cli_recorded;
mod cli_repository;
mod cli_same_bytes;
mod diff_patch;
mod fixtures_read;
mod manifest_references;
mod manifest_set;
mod manifest_validate;
mod manifest_yaml;
mod platform_agreement;

mod support {
    pub(crate) mod cli;
}
