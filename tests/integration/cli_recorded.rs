//! The whole way on recorded objects, by the script that a person runs too.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "this test runs a script on files that may be absent"
)]

use std::{env, path::PathBuf, process::Command};

use crate::support::cli::{PROGRAM, finish, project};

#[test]
fn recorded_objects_go_the_whole_way_and_a_second_run_commits_nothing() {
    let named = env::var_os("BOBBYPIN_FIXTURES").map(PathBuf::from);
    let fixtures = named.unwrap_or_else(|| project().join("../shared/fixtures"));
    if !fixtures.is_dir() {
        eprintln!("SKIPPED: there is no folder {}", fixtures.display());
        return;
    }
    let mut command = Command::new("bash");
    command.arg(project().join("tests/recorded.sh")).env("BOBBYPIN", PROGRAM).env("BOBBYPIN_FIXTURES", &fixtures);
    let ran = finish(&mut command).expect(0);
    assert!(ran.stdout.ends_with("OK: the second run of every reconcile had nothing to commit\n"), "{}", ran.told());
    assert!(ran.stdout.contains("Deliver by overlay"), "{}", ran.told());
}
