//! How much memory a run over a large cluster needs.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this test writes a repository and starts the program"
)]

#[expect(dead_code, reason = "the benchmarks use the rest")]
#[path = "../benches/fleet.rs"]
mod fleet;

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

/// What the program may have at its peak, in KiB: 64 MiB, of which a release build needs 16 for the pages of its own file.
/// Those pages are not counted here, because a development build has many more of them.
const MOST: u64 = (64 - 16) << 10;

/// The result is printed at the end, all at once, and is larger than what a pipe holds. So when its first byte is here
/// the work is done, and the program waits for its reader: then its largest size so far can be read without a race.
#[test]
#[cfg(target_os = "linux")]
fn a_run_over_2000_hosts_stays_below_64_mib() {
    for fleet in [fleet::Fleet::of_hosts(2000), fleet::Fleet::of_tenants(50)] {
        expect_little(&fleet);
    }
}

fn expect_little(fleet: &fleet::Fleet) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, bytes: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a writable folder");
        fs::write(path, bytes).expect("a writable folder");
    };
    for (path, text) in &fleet.settings {
        write(path, text.as_bytes());
    }
    write("inventory.json", &fleet.json().bytes);
    write("inventory.yaml", &fleet.yaml().bytes);
    let made = Command::new("git").args(["init", "--quiet"]).arg(folder.path()).status();
    assert!(made.expect("git is installed").success(), "git init");
    for words in [
        ["plan", "--jobs=2", "--output=json", "--inventory=inventory.json"],
        ["plan", "--jobs=2", "--output=json", "--inventory=inventory.yaml"],
        ["diff", "--jobs=2", "--output=patch", "--inventory=inventory.yaml"],
    ] {
        let peak = peak(folder.path(), &words);
        assert!(peak < MOST, "{words:?} needs {peak} KiB");
    }
}

fn peak(folder: &Path, words: &[&str]) -> u64 {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut output = program.stdout.take().expect("it was asked for");
    let mut first = [0];
    output.read_exact(&mut first).expect("the program prints a result");
    let status =
        fs::read_to_string(format!("/proc/{}/status", program.id())).expect("the program waits for its reader");
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("the rest of the result");
    program.wait().expect("the program ends");
    assert!(rest.len() > 1 << 16, "the result fills the pipe: {}", rest.len());
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux says it");
        line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number of KiB")
    };
    kib("VmHWM:") - kib("RssFile:")
}
