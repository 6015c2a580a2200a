//! One binary for all tests that use the crate from outside.

mod architecture;
mod git_history;
mod git_property;
mod git_publish;
mod git_read;
mod git_refusals;
mod git_work_tree;
mod support;
