//! A run that is ended from outside, at any moment, leaves the old state or the new one, and the next run converges.
//!
//! With one exception: a run that gets SIGKILL while it holds Git's lock on the branch leaves the lock, as `git` would.
//! SIGINT and SIGTERM wait for that moment to pass.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "these tests start, time and end processes"
)]

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::cli::{EDGE, PROGRAM, Sandbox, finish};

/// How many moments are tried with each kind of signal.
const MOMENTS: u32 = 20;

/// How many system calls are tried, of all that write something.
const CALLS: usize = 30;

/// What to run, and what it makes of a fresh sandbox.
struct Trial {
    sandbox: Sandbox,
    settings: String,
    wanted: String,
}

impl Trial {
    fn new() -> Self {
        let sandbox = Sandbox::edge();
        let settings = sandbox.tip();
        sandbox.reconcile().expect(0);
        let wanted = sandbox.remote_git(&["rev-parse", "main^{tree}"]);
        Self { sandbox, settings, wanted }
    }

    /// Puts the branch back.
    fn reset(&self) {
        self.sandbox.remote_git(&["update-ref", "refs/heads/main", &self.settings]);
    }

    /// Fails the test unless the branch is at the old commit or at the new one, and the next run brings it to the new:
    /// without help, but after SIGKILL.
    fn expect_old_or_new(&self, signal: &str, moment: &str) {
        let tip = self.sandbox.tip();
        if tip != self.settings {
            let made = self.sandbox.remote_git(&["log", "-1", "--format=%P %T", "main"]);
            assert_eq!(made.trim(), format!("{} {}", self.settings, self.wanted.trim()), "{moment}");
        }
        let mut next = self.sandbox.reconcile();
        if signal == "KILL" && next.code == Some(6) {
            // Git keeps a lock for ever. Then the message says which file to remove, and that is all there is to do.
            let lock = self.sandbox.remote().join("refs/heads/main.lock");
            assert!(next.stderr.contains(&format!("rm '{}'", lock.display())), "{moment}: {}", next.told());
            assert_eq!(self.sandbox.tip(), self.settings, "{moment}");
            fs::remove_file(&lock).unwrap_or_else(|error| panic!("{moment}: {error}: {}", next.told()));
            next = self.sandbox.reconcile();
        }
        assert_eq!(next.code, Some(0), "{moment}: {}", next.told());
        assert_eq!(self.sandbox.remote_git(&["rev-parse", "main^{tree}"]), self.wanted, "{moment}");
    }
}

/// Starts a program, ends it after a while with a signal, and waits for it.
fn end_after(command: &mut Command, signal: &str, delay: Duration) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let start = Instant::now();
    while start.elapsed() < delay && child.try_wait().expect("a child can be asked").is_none() {
        thread::yield_now();
    }
    if signal == "KILL" {
        // Fails when it has ended by itself.
        drop(child.kill());
    } else {
        drop(Command::new("kill").args(["-s", signal, &child.id().to_string()]).stderr(Stdio::null()).status());
    }
    child.wait().expect("a child can be waited for");
}

/// How long a whole run takes here.
fn duration(command: &mut Command) -> Duration {
    let start = Instant::now();
    finish(command).expect(0);
    start.elapsed()
}

#[test]
fn a_run_that_is_ended_at_any_moment_leaves_the_old_commit_or_the_new_one() {
    let trial = Trial::new();
    trial.reset();
    let args = ["reconcile", "--inventory", EDGE];
    let whole = duration(&mut trial.sandbox.command(&args));
    let mut landed = 0;
    for signal in ["INT", "TERM", "KILL"] {
        for moment in 0..MOMENTS {
            trial.reset();
            let delay = whole * moment * 11 / (MOMENTS * 10);
            end_after(&mut trial.sandbox.command(&args), signal, delay);
            landed += u32::from(trial.sandbox.tip() != trial.settings);
            trial.expect_old_or_new(signal, &format!("SIG{signal} after {delay:?}"));
        }
    }
    trial.sandbox.expect_sound();
    assert_ne!(landed, 3 * MOMENTS, "some runs were ended early");
}

#[test]
fn a_writing_render_that_is_ended_at_any_moment_leaves_whole_files_only() {
    let sandbox = Sandbox::edge();
    sandbox.run(&["render", "--out", "../whole", "--inventory", EDGE]).expect(0);
    let args = ["render", "--write", "--inventory", EDGE];
    let whole = duration(&mut sandbox.command(&args));
    for moment in 0..MOMENTS {
        sandbox.git(&["clean", "-qfdx"]);
        let delay = whole * moment * 11 / (MOMENTS * 10);
        end_after(&mut sandbox.command(&args), "KILL", delay);
        for line in sandbox.git(&["status", "--porcelain", "-uall"]).lines() {
            let path = &line[3..];
            // What was being written has another name, which no one reads.
            if !path.contains("/.bobbypin-") {
                assert_eq!(sandbox.read(path), sandbox.read(&format!("../whole/{path}")), "{path} after {delay:?}");
            }
        }
        sandbox.run(&args).expect(0);
        sandbox.run(&["diff", "--inventory", EDGE]).expect(0);
    }
}

#[test]
fn a_run_that_is_killed_at_any_call_that_writes_leaves_the_old_commit_or_the_new_one() {
    const WRITING: &str =
        "openat,write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,link,linkat,unlink,unlinkat,mkdir,ftruncate";
    let trial = Trial::new();
    trial.reset();
    let trace = |words: &[&str]| {
        let mut command = trial.sandbox.scrubbed("strace", &trial.sandbox.work());
        command.args(["-f", "-qq"]).args(words).args([PROGRAM, "reconcile", "--inventory", EDGE]);
        command
    };
    let can_trace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !can_trace.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no working `strace`, so no call was interrupted in this test");
        return;
    }
    finish(&mut trace(&["-e", &format!("trace={WRITING}"), "-o", "../calls"])).expect(0);
    let calls = trial.sandbox.read("../calls");
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut moments = Vec::new();
    let mut is_writing = false;
    for line in calls.lines() {
        let Some((name, _)) = line.split_once('(') else { continue };
        let name = name.rsplit(' ').next().unwrap_or(name);
        let count = counts.entry(name).or_default();
        *count += 1;
        // All that comes before only reads.
        is_writing = is_writing || (name != "write" && (name != "openat" || line.contains("O_CREAT")));
        if is_writing {
            moments.push((
                name,
                *count,
                name.starts_with("rename") || name.starts_with("link") || name.starts_with("unlink"),
            ));
        }
    }
    let stride = moments.len().div_ceil(CALLS).max(1);
    for signal in ["KILL", "TERM"] {
        let (mut tried, mut landed) = (0, 0);
        for (index, (name, count, is_turning_point)) in moments.iter().enumerate() {
            if index % stride != 0 && !is_turning_point {
                continue;
            }
            trial.reset();
            let inject = format!("inject={name}:signal=SIG{signal}:when={count}");
            finish(&mut trace(&["-e", &format!("trace={name}"), "-e", &inject, "-o", "/dev/null"]));
            tried += 1;
            landed += usize::from(trial.sandbox.tip() != trial.settings);
            trial.expect_old_or_new(signal, &format!("SIG{signal} at {name} number {count}"));
        }
        trial.sandbox.expect_sound();
        assert!(landed > 0 && landed <= tried, "{landed} of {tried} landed, of {} calls", moments.len());
    }
}
