//! The whole program over the network: who may be built upon, who is at work, and several runs that share a fleet.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs")]

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use crate::support::{
    cli::{EDGE, Ran, Sandbox, copy, finish, project},
    git_server::{GitServer, Options},
};

/// The worked example behind a server.
fn served() -> (Sandbox, GitServer) {
    let sandbox = Sandbox::edge();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    (sandbox, server)
}

fn command(sandbox: &Sandbox, server: &GitServer, more: &[&str]) -> Command {
    let url = server.url();
    let arguments: Vec<_> = ["reconcile", "--remote", &url, "--inventory", EDGE].iter().chain(more).copied().collect();
    sandbox.command(&arguments)
}

fn settings(sandbox: &Sandbox, publish: &str) {
    let envelope = "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n";
    sandbox.write("bobbypin.yaml", format!("{envelope}{publish}"));
    sandbox.push("how to publish");
}

#[test]
fn a_checkout_of_a_server_is_compared_with_and_published_to_as_one_of_this_machine() {
    let (sandbox, server) = served();
    sandbox.git(&["remote", "set-url", "origin", &server.url()]);
    sandbox.run(&["diff", "--against", "remote", "--inventory", EDGE]).expect(1);
    sandbox.reconcile().expect(0);
    let again = sandbox.reconcile().expect(0);
    assert!(again.stdout.ends_with(&format!("main of {} holds what is wanted\n", server.url())), "{}", again.stdout);
    sandbox.run(&["diff", "--against", "remote", "--inventory", EDGE]).expect(0);
    sandbox.expect_sound();
}

#[test]
fn a_run_with_nothing_to_do_asks_for_no_more_than_the_last_commit() {
    let (sandbox, server) = served();
    server.configure("uploadpack.allowFilter", "true");
    finish(&mut command(&sandbox, &server, &[])).expect(0);
    server.forget();
    finish(&mut command(&sandbox, &server, &[])).expect(0);
    server.settled();
    let asked: Vec<_> =
        server.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let (refs, post) = ("GET /remote.git/info/refs?service=git-upload-pack", "POST /remote.git/git-upload-pack");
    // What the server can do, which branch it is, its commit and folders, and the files that are wanted.
    assert_eq!(asked, [refs, post, post, post]);
}

/// A key, and its public half.
fn key(sandbox: &Sandbox, name: &str) -> String {
    let file = sandbox.root().join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.expect("ssh-keygen is installed (Debian: openssh-client)").success());
    fs::read_to_string(file.with_extension("pub")).expect("it was made")
}

#[test]
fn only_a_commit_of_somebody_who_is_trusted_is_built_upon() {
    let (sandbox, server) = served();
    let (trusted, stranger) = (key(&sandbox, "trusted"), key(&sandbox, "stranger"));
    let signers = sandbox.root().join("signers");
    fs::write(&signers, format!("# the bot and Ann\n{trusted}\n")).expect("a writable folder");
    let run = || finish(command(&sandbox, &server, &["--quiet"]).env("BOBBYPIN_TRUSTED_SIGNERS_FILE", &signers));
    let unsigned = run().expect(7);
    let tip = sandbox.tip();
    assert_eq!(
        unsigned.stderr,
        format!(
            "error: the branch `main` is not built upon\n  because: the commit {} cannot be built upon\n  because: it is \
             not signed\n  help: sign it, or let somebody who is trusted put a signed commit on top of it\n",
            &tip[..7]
        )
    );
    let sign = |name: &str| {
        let key = sandbox.root().join(name).display().to_string();
        let user = format!("user.signingkey={key}");
        sandbox.git(&["-c", "gpg.format=ssh", "-c", &user, "commit", "--amend", "--quiet", "--no-edit", "-S"]);
        sandbox.git(&["push", "--quiet", "--force", "origin", "main"]);
    };
    sign("stranger");
    assert!(run().expect(7).stderr.contains("SHA256:"), "the key is named: {stranger}");
    sign("trusted");
    // Our own commit would not be trusted by the next run; so it is signed too.
    settings(&sandbox, "    signing: {ssh: {keyFile: ../trusted}}\n");
    sign("trusted");
    run().expect(0);
    assert_eq!(
        run().expect(0).stdout.lines().last(),
        Some(format!("✔ nothing to do: main of {} holds what is wanted", server.url()).as_str())
    );
}

#[test]
fn whoever_finds_somebody_at_work_waits_and_then_goes_on() {
    let (sandbox, server) = served();
    settings(&sandbox, "    lock: {expires: 1h}\n");
    let tip = sandbox.tip();
    finish(&mut command(&sandbox, &server, &[])).expect(0);
    assert_eq!(
        sandbox.remote_git(&["for-each-ref", "--format=%(refname)"]).trim(),
        "refs/heads/main",
        "it is given back"
    );

    // Somebody is at work, and never ends.
    let lock = |until: &str| {
        let tree = sandbox.remote_git(&["hash-object", "-t", "tree", "-w", "--stdin"]);
        let message = format!("bobbypin is at work until {until}");
        let commit = sandbox.remote_git(&[
            "-c",
            "user.name=a",
            "-c",
            "user.email=b",
            "commit-tree",
            tree.trim(),
            "-m",
            &message,
        ]);
        sandbox.remote_git(&["update-ref", "refs/bobbypin/lock", commit.trim()]);
        sandbox.remote_git(&["update-ref", "refs/heads/main", &tip]);
    };
    lock("2999-01-01T00:00:00Z");
    let ran = finish(&mut command(&sandbox, &server, &["--timeout", "2s"])).expect(0);
    assert!(ran.stderr.contains("another run is at work for too long; going on without the lock"), "{}", ran.stderr);
    // Somebody was at work, and was killed.
    lock("2001-01-01T00:00:00Z");
    let ran = finish(&mut command(&sandbox, &server, &[])).expect(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(sandbox.remote_git(&["for-each-ref", "--format=%(refname)"]).trim(), "refs/heads/main");
}

#[test]
fn runs_that_share_a_fleet_serve_every_cluster_once_and_lose_nothing() {
    const CLUSTERS: usize = 6;
    let sandbox = Sandbox::edge();
    let inventory = fs::read_to_string(project().join("examples/inventory/edge.yaml")).expect("an example");
    let mut inventories = Vec::new();
    for number in 0..CLUSTERS {
        let name = format!("edge-{number}");
        copy(&project().join("clusters/edge"), &sandbox.path(&format!("clusters/{name}")));
        for file in ["cluster.yaml", "pins.yaml"] {
            sandbox.replace(&format!("clusters/{name}/{file}"), "name: edge\n", &format!("name: {name}\n"));
        }
        let path = sandbox.root().join(format!("{name}.yaml"));
        fs::write(&path, inventory.replace("name: edge\n", &format!("name: {name}\n"))).expect("a writable folder");
        inventories.push(format!("--inventory=../{name}.yaml"));
    }
    sandbox.push("a fleet");
    let before = sandbox.commits();
    let server = GitServer::start(&sandbox.remote(), Options::default());
    let start = |index: usize| -> Child {
        let shard = format!("{index}/3");
        let mut arguments: Vec<&str> = vec!["--shard", &shard];
        arguments.extend(inventories.iter().map(String::as_str));
        let mut command = command(&sandbox, &server, &arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
    };
    let running: Vec<_> = (0..3).map(start).collect();
    let mut commits = 0;
    for child in running {
        let output = child.wait_with_output().expect("the program ends");
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        commits += usize::from(ran.expect(0).stdout.contains("✔ committed"));
    }
    assert_eq!(sandbox.commits(), before + commits, "one commit for each run that had something to do");
    assert_eq!(sandbox.remote_git(&["rev-list", "--min-parents=2", "main"]), "", "and no merges");
    let all =
        finish(&mut command(&sandbox, &server, &inventories.iter().map(String::as_str).collect::<Vec<_>>())).expect(0);
    assert!(all.stdout.contains("✔ nothing to do"), "{}", all.stdout);
    sandbox.expect_sound();
}
