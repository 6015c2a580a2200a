//! The servers and the network that other tests publish over are what they claim to be: `git` itself is the client.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "these tests run Git and take the time"
)]

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use crate::support::{
    cli::{Ran, Sandbox, finish},
    fault_proxy::{Direction, Fault, FaultProxy, Then},
    git_server::{GitServer, Login, Options, Protocol, Scheme, Script},
    git_ssh::{AcceptEnv, SshServer},
};

const LOGIN: Login = Login { user: "bot", password: "canary-password-5e0c" };

/// Two commits in the bare repository and in the checkout.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    for text in ["one", "two"] {
        sandbox.write("file", text);
        sandbox.push(text);
    }
    sandbox
}

/// `git`, which never asks anybody.
fn git(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.scrubbed("git", &sandbox.work());
    command.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    finish(&mut git(sandbox, arguments))
}

/// Commits something to the checkout that is not pushed.
fn commit(sandbox: &Sandbox, text: &str) -> String {
    sandbox.write("file", text);
    sandbox.git(&["commit", "-qam", "changed"]);
    sandbox.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

/// Methods, paths and statuses.
fn lines(server: &GitServer) -> Vec<String> {
    server.settled();
    server.requests().iter().map(|request| format!("{} {} {}", request.status, request.method, request.path)).collect()
}

#[test]
fn a_clone_and_a_push_over_http_are_what_git_does_in_each_version_of_the_protocol() {
    // In the first version the answer to the first request has all there is to list.
    let listing = "200 GET /forge/remote.git/info/refs?service=git-upload-pack";
    let table: [(Protocol, &[&str]); 2] =
        [(Protocol::AsAsked, &[listing, "200 POST /forge/remote.git/git-upload-pack"]), (Protocol::Zero, &[listing])];
    for (protocol, expected) in table {
        let sandbox = sandbox();
        let options = Options { sub_path: "/forge", protocol, ..Options::default() };
        let server = GitServer::start(&sandbox.remote(), options);
        run(&sandbox, &["ls-remote", &server.url()]).expect(0);
        assert_eq!(lines(&server), expected, "{protocol:?}");
        let asked = server.requests()[0].headers.contains(&("git-protocol".to_owned(), "version=2".to_owned()));
        assert!(asked, "the client asks for version 2, whatever it gets");
        run(&sandbox, &["clone", "-q", "--depth=1", &server.url(), "../clone"]).expect(0);
        assert_eq!(sandbox.git_at(&sandbox.root().join("clone"), &["rev-list", "--count", "HEAD"]), "1\n");

        server.forget();
        let made = commit(&sandbox, "three");
        run(&sandbox, &["push", "-q", &server.url(), "main"]).expect(0);
        assert_eq!(sandbox.tip(), made);
        assert_eq!(
            lines(&server),
            [
                "200 GET /forge/remote.git/info/refs?service=git-receive-pack",
                "200 POST /forge/remote.git/git-receive-pack"
            ]
        );
        let requests = server.requests();
        assert!(requests[1].received > 200 && requests[1].sent > 20, "{requests:#?}");
        let other = server.url().replace("remote.git", "work");
        assert!(run(&sandbox, &["ls-remote", &other]).expect(128).stderr.contains("not found"));
    }
}

#[test]
fn who_has_no_password_is_refused_and_the_log_has_none_either() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options { login: Some(LOGIN), ..Options::default() });
    let made = commit(&sandbox, "three");
    let refused = run(&sandbox, &["push", "-q", &server.url(), "main"]).expect(128);
    assert!(refused.stderr.contains("could not read Username"), "{}", refused.told());
    let with = |password: &str| server.url().replace("://", &format!("://{}:{password}@", LOGIN.user));
    let refused = run(&sandbox, &["push", "-q", &with("wrong"), "main"]).expect(128);
    assert!(refused.stderr.contains("Authentication failed"), "{}", refused.told());
    assert_ne!(sandbox.tip(), made);
    run(&sandbox, &["push", "-q", &with(LOGIN.password), "main"]).expect(0);
    assert_eq!(sandbox.tip(), made);
    let log = format!("{:?}", server.requests());
    assert!(log.contains(r#"("authorization", "")"#) && !log.contains("Basic"), "{log}");
}

#[test]
fn what_a_hook_says_arrives_and_its_verdict_holds() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let before = sandbox.tip();
    server.hook("pre-receive", "cat >/dev/null; echo 'the branch is protected' >&2; exit 1");
    commit(&sandbox, "three");
    let refused = run(&sandbox, &["push", "-q", &server.url(), "main"]).expect(1);
    assert!(refused.stderr.contains("remote: the branch is protected"), "{}", refused.told());
    assert!(refused.stderr.contains("pre-receive hook declined"), "{}", refused.told());
    assert_eq!(sandbox.tip(), before);
    server.hook("pre-receive", "cat >/dev/null");
    run(&sandbox, &["push", "-q", &server.url(), "main"]).expect(0);
    server.configure("receive.denyNonFastForwards", "true");
    let refused = run(&sandbox, &["push", "-q", "-f", &server.url(), &format!("{before}:main")]).expect(1);
    assert!(refused.stderr.contains("non-fast-forward"), "{}", refused.told());
}

#[test]
fn a_filter_works_where_the_repository_allows_it() {
    for (allowed, missing) in [("true", 1), ("false", 0)] {
        let sandbox = sandbox();
        let server = GitServer::start(&sandbox.remote(), Options::default());
        server.configure("uploadpack.allowFilter", allowed);
        run(&sandbox, &["clone", "-q", "--bare", "--depth=1", "--filter=blob:none", &server.url(), "../clone"])
            .expect(0);
        let listed = ["rev-list", "--objects", "--missing=print", "HEAD"];
        let listed = sandbox.git_at(&sandbox.root().join("clone"), &listed);
        assert_eq!(listed.lines().filter(|line| line.starts_with('?')).count(), missing, "{listed}");
    }
}

#[test]
fn bodies_in_chunks_and_packed_bodies_arrive_whole() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    // No two lines are alike, so that it packs badly.
    let text: String =
        (0_u64..20_000).map(|line| format!("{:x}\n", line.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let made = commit(&sandbox, &text);
    run(&sandbox, &["-c", "http.postBuffer=65536", "push", "-q", &server.url(), "main"]).expect(0);
    assert_eq!(sandbox.tip(), made);
    for ours in 0..40 {
        commit(&sandbox, &format!("ours {ours}"));
    }
    let theirs = sandbox.remote_git(&["commit-tree", "-p", &made, "-m", "theirs", &format!("{made}^{{tree}}")]);
    sandbox.remote_git(&["update-ref", "refs/heads/main", theirs.trim()]);
    // So that all of ours are offered before anything in common is.
    sandbox.git(&["update-ref", "-d", "refs/remotes/origin/main"]);
    run(&sandbox, &["fetch", "-q", &server.url(), "main"]).expect(0);
    assert_eq!(sandbox.git(&["rev-parse", "FETCH_HEAD"]), theirs);
    let requests = server.requests();
    let has = |name: &str, value: &str| {
        requests.iter().any(|request| request.headers.contains(&(name.to_owned(), value.to_owned())))
    };
    assert!(has("transfer-encoding", "chunked") && has("content-encoding", "gzip"), "{requests:#?}");
}

#[test]
fn a_script_answers_as_often_as_it_says() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let body = b"<html>down</html>".to_vec();
    let headers = vec![("retry-after", "1".to_owned())];
    server.script(Script { path: "git-receive-pack", times: 2, status: "503 Service Unavailable", headers, body });
    let made = commit(&sandbox, "three");
    for code in [128, 128, 0] {
        let ran = run(&sandbox, &["push", "-q", &server.url(), "main"]).expect(code);
        assert_eq!(ran.stderr.contains("503"), code != 0, "{}", ran.told());
    }
    assert_eq!(sandbox.tip(), made);
}

#[test]
fn over_tls_only_who_trusts_the_certificate_comes_in() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options { scheme: Scheme::Https, ..Options::default() });
    let refused = run(&sandbox, &["ls-remote", &server.url()]).expect(128);
    assert!(refused.stderr.contains("certificate"), "{}", refused.told());
    sandbox.write("../authority.pem", server.authority().expect("it has one"));
    let made = commit(&sandbox, "three");
    run(&sandbox, &["-c", "http.sslCAInfo=../authority.pem", "push", "-q", &server.url(), "main"]).expect(0);
    assert_eq!(sandbox.tip(), made);
}

#[test]
fn a_cut_after_any_byte_is_exact_and_leaves_the_old_commit_or_the_new_one() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let proxy = FaultProxy::start(server.port());
    let before = sandbox.tip();
    let made = commit(&sandbox, "three");
    let url = server.url_at(proxy.port());
    let push = |fault| {
        sandbox.remote_git(&["update-ref", "refs/heads/main", &before]);
        proxy.begin(fault);
        let ran = run(&sandbox, &["push", "-q", &url, "main"]);
        let recorded = proxy.settled();
        server.settled();
        (ran, recorded)
    };
    let (ran, whole) = push(Fault::None);
    ran.expect(0);
    assert_eq!(sandbox.tip(), made);
    const PARTS: u64 = 4;
    let mut landed = 0;
    for (direction, total) in [(Direction::ToServer, whole.to_server), (Direction::ToClient, whole.to_client)] {
        for then in [Then::Heals, Then::StaysDown] {
            for part in 0..PARTS {
                let after = total * part / PARTS;
                let (ran, recorded) = push(Fault::Cut { direction, after, then });
                assert!(recorded.has_struck, "{direction:?} {after}");
                // Where the network heals, a request may be made again on a new connection.
                let is_done = ran.code == Some(0);
                assert!(!is_done || (then == Then::Heals && sandbox.tip() == made), "{direction:?} {after}");
                if then == Then::StaysDown {
                    let count = match direction {
                        Direction::ToServer => recorded.to_server,
                        Direction::ToClient => recorded.to_client,
                    };
                    assert_eq!(count, after, "{direction:?}");
                }
                assert!([&before, &made].contains(&&sandbox.tip()), "{direction:?} {after}");
                landed += u32::from(sandbox.tip() == made);
            }
        }
    }
    assert!((1..16).contains(&landed), "the last cuts come after the push, and the first before: {landed}");
    sandbox.expect_sound();
}

#[test]
fn a_cut_is_a_reset_and_the_network_heals_or_does_not() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let proxy = FaultProxy::start(server.port());
    let listing = ["ls-remote", &server.url_at(proxy.port())];
    for (then, codes) in [(Then::Heals, [128, 0, 0]), (Then::StaysDown, [128, 128, 128])] {
        proxy.begin(Fault::Cut { direction: Direction::ToClient, after: 40, then });
        let [first, later @ ..] = codes;
        let ran = run(&sandbox, &listing).expect(first);
        assert!(ran.stderr.contains("reset by peer"), "{}", ran.told());
        for code in later {
            run(&sandbox, &listing).expect(code);
        }
        assert_eq!(proxy.settled().connections, 3, "{then:?}");
    }
}

#[test]
fn a_hole_says_nothing_and_a_drip_is_slow() {
    let sandbox = sandbox();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let proxy = FaultProxy::start(server.port());
    let url = server.url_at(proxy.port());
    proxy.begin(Fault::BlackHole { direction: Direction::ToServer, after: 10 });
    let patience = ["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=1", "ls-remote", &url];
    let ran = run(&sandbox, &patience).expect(128);
    assert!(ran.stderr.contains("Operation too slow"), "{}", ran.told());
    let recorded = proxy.settled();
    assert_eq!((recorded.to_server, recorded.to_client), (10, 0));

    proxy.begin(Fault::None);
    run(&sandbox, &["ls-remote", &url]).expect(0);
    let bytes = u32::try_from(proxy.settled().to_client).expect("a few");
    proxy.begin(Fault::Drip { direction: Direction::ToClient, bytes_per_second: bytes });
    let start = Instant::now();
    run(&sandbox, &["ls-remote", &url]).expect(0);
    assert!(start.elapsed() > Duration::from_millis(900), "a second, less the last pause: {:?}", start.elapsed());
}

#[test]
fn a_clone_and_a_push_over_ssh_are_what_git_does_in_each_version_of_the_protocol() {
    for (accept, version) in [(AcceptEnv::GitProtocol, "version 2"), (AcceptEnv::Nothing, "refs/heads/main")] {
        let Some(server) = SshServer::start(accept) else {
            eprintln!("SKIPPED: `sshd` is not installed, so nothing was sent over SSH in this test");
            return;
        };
        let sandbox = sandbox();
        let url = server.url(&sandbox.remote());
        let over_ssh = |known_hosts: &Path, arguments: &[&str]| {
            let mut command = git(&sandbox, arguments);
            finish(command.env("GIT_SSH_COMMAND", server.command(known_hosts)).env("GIT_TRACE_PACKET", "1"))
        };
        let cloned = over_ssh(&server.known_hosts(), &["clone", "-q", "--depth=1", &url, "../clone"]);
        assert_eq!(cloned.code, Some(0), "{}\n{}", cloned.told(), server.log());
        let first = cloned.stderr.lines().find(|line| line.contains("clone<"));
        assert!(first.is_some_and(|line| line.contains(version)), "{accept:?}: {}", cloned.told());
        let made = commit(&sandbox, "three");
        let proxy = FaultProxy::start(server.port());
        let through = server.url_at(proxy.port(), &sandbox.remote());
        over_ssh(&server.known_hosts(), &["push", "-q", &through, "main"]).expect(0);
        assert_eq!(sandbox.tip(), made);
        assert!(proxy.settled().to_server > 1000);
        let nobody = sandbox.path("../nobody");
        fs::write(&nobody, "").expect("a writable file");
        let refused = over_ssh(&nobody, &["ls-remote", &url]).expect(128);
        assert!(refused.stderr.contains("Host key verification failed"), "{}", refused.told());
    }
}
