//! A run that is killed at any system call, or that gets an error from one, leaves the old commit or the new one on the
//! server, and the next run converges without help.
//!
//! What a killed run leaves behind is its temporary folder, and nothing else.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs and take the time")]

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    cli::finish,
    network::{Answers, Branch, Network, end},
    thorough::{is_thorough, sample, share, size, tell},
};

/// Errors that calls give when the machine or the network is in trouble. `write` is not among them: a program wakes its own
/// threads by it too, where no system gives such errors. A full disk behind standard output is looked at elsewhere.
const ERRORS: [(&str, &[&str]); 4] = [
    ("ENOSPC", &["openat", "pwrite64", "mkdir", "rename", "link", "ftruncate"]),
    ("EIO", &["openat", "read", "pwrite64", "fsync", "newfstatat", "getdents64", "close"]),
    ("EMFILE", &["socket", "openat"]),
    ("ECONNRESET", &["connect", "recvfrom", "sendto", "sendmsg", "writev", "read"]),
];

/// The call of a name that a thread makes as its so-and-so-manyth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    call: String,
    number: usize,
}

/// Fails unless calls can be interrupted: whoever has no `strace` leaves nothing out without noticing.
fn expect_strace() {
    let can_trace = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    assert!(can_trace.is_ok_and(|status| status.success()), "there is no working `strace`");
}

/// All calls of a run from the first one to the server on. `strace` counts the calls of each thread.
fn points(network: &Network) -> Vec<Point> {
    network.reset();
    finish(&mut network.traced(&["-o", "../calls"])).expect(0);
    let text = network.sandbox.read("../calls");
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut points = Vec::new();
    let mut is_connected = false;
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, words)) = rest.trim_start().split_once('(') else { continue };
        let number = counts.entry((thread, call)).or_default();
        *number += 1;
        is_connected |= call == "connect" && words.contains("AF_INET");
        if is_connected {
            points.push(Point { call: call.to_owned(), number: *number });
        }
    }
    points.sort();
    points.dedup();
    points
}

/// The temporary folders that are left.
fn left(network: &Network) -> usize {
    fs::read_dir(network.sandbox.root().join("tmp")).expect("a folder of ours").count()
}

#[test]
fn a_run_that_is_killed_at_any_call_leaves_the_old_commit_or_the_new_one_and_the_next_one_converges() {
    expect_strace();
    let start = Instant::now();
    let (mut tried, mut landed, mut untouched) = (0, 0, 0);
    let mut calls = 0;
    for (answers, wanted) in [(Answers::InParts, 3), (Answers::AtOnce, 2), (Answers::Older, 1)] {
        let points = points(&Network::new(answers));
        calls += points.len();
        let kill = |network: &Network, point: &Point| {
            let Point { call, number } = point;
            let moment = format!("{answers:?}: killed at {call} number {number}");
            network.reset();
            let inject = format!("inject={call}:signal=SIGKILL:when={number}");
            let ran = finish(&mut network.traced(&["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"]));
            let branch = network.expect_true(&ran, &moment);
            network.expect_convergence(branch, &moment);
            (branch, ran.code)
        };
        let place = || Network::new(answers);
        let ends = share(&sample(points, wanted), size(2, 3), place, |network, point| {
            let before = left(network);
            let end = kill(network, point);
            let (after, most) = (left(network), before + 1);
            assert!(after <= most, "{point:?}: {after} folders, and there were {before}");
            end
        });
        tried += ends.len();
        landed += ends.iter().filter(|(branch, _)| *branch == Branch::New).count();
        // The number of calls differs a little from run to run, so that some runs come to their end.
        untouched += ends.iter().filter(|(_, code)| code.is_some()).count();
    }
    assert!(landed > 0 && landed < tried, "{landed} of {tried} landed: kills are spread over the whole run");
    assert!(untouched * 5 < tried, "{untouched} of {tried} runs were not killed");
    tell(
        format!("killed at {tried} of {calls} calls, {landed} landed, {untouched} ended by themselves"),
        start.elapsed(),
    );
}

#[test]
fn a_run_that_gets_an_error_from_a_call_tells_the_truth_and_the_next_one_converges() {
    expect_strace();
    let start = Instant::now();
    let all = points(&Network::new(Answers::InParts));
    let mut rows: Vec<(&str, Point)> = Vec::new();
    for (error, calls) in ERRORS {
        for call in calls {
            let of_call: Vec<_> = all.iter().filter(|point| point.call == *call).collect();
            // The same call in a loop fails alike.
            let stride = of_call.len().div_ceil(if is_thorough() { 12 } else { 6 }).max(1);
            rows.extend(of_call.into_iter().step_by(stride).map(|point| (error, point.clone())));
        }
    }
    let rows = sample(rows, 5);
    let ends = share(
        &rows,
        size(2, 3),
        || Network::new(Answers::InParts),
        |network, (error, point)| {
            let Point { call, number } = point;
            let moment = format!("{error} at {call} number {number}");
            network.reset();
            let inject = format!("inject={call}:error={error}:when={number}");
            let begin = Instant::now();
            let ran = finish(&mut network.traced(&["-e", &format!("trace={call}"), "-e", &inject, "-o", "/dev/null"]));
            assert!(begin.elapsed() < Duration::from_secs(15), "{moment}: {:?}: {}", begin.elapsed(), ran.told());
            let is_panic = ran.code == Some(101) || ran.stderr.contains("panicked");
            assert!(ran.code.is_some() && !is_panic, "{moment}: {}", ran.told());
            let branch = network.expect_true(&ran, &moment);
            network.expect_convergence(branch, &moment);
            ran.code
        },
    );
    let mut codes: BTreeMap<_, usize> = BTreeMap::new();
    for code in ends.iter().flatten() {
        *codes.entry(code).or_default() += 1;
    }
    let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{code}: {count}")).collect();
    tell(format!("{} errors of calls; exit codes {}", ends.len(), codes.join(", ")), start.elapsed());
}

#[test]
fn a_run_that_is_asked_to_end_during_its_push_ends_after_it_and_says_what_became_of_it() {
    for signal in ["TERM", "INT"] {
        for (verdict, code, branch) in [("exit 0", 0, Branch::New), ("exit 1", 6, Branch::Old)] {
            let moment = format!("SIG{signal}, {verdict}");
            let network = Network::new(Answers::InParts);
            network.hold_first_push("exit 0");
            let mut run = network.start_held(&network.server.url());
            let sent = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status();
            assert!(sent.is_ok_and(|status| status.success()), "{moment}");
            // A signal that nobody holds back would have ended it by now.
            thread::sleep(Duration::from_millis(100));
            assert!(run.try_wait().expect("a child can be asked").is_none(), "{moment}: it goes on");
            network.server.hook("update", verdict);
            network.let_go();
            let ran = end(run).expect(code);
            assert_eq!(network.expect_true(&ran, &moment), branch, "{moment}");
            network.server.hook("update", "exit 0");
            network.expect_convergence(branch, &moment);
        }
    }
}
