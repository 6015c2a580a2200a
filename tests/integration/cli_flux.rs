//! What the commands say and do about Flux: the files that make it follow a folder, and that it is told of a commit.
#![expect(clippy::disallowed_types, reason = "these tests run programs and listen on loopback")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    process::Command,
    thread::{self, JoinHandle},
};

use crate::support::cli::{EDGE, Sandbox, assert_told, finish};

const TOKEN: &str = "canary-webhook-token";

/// The settings of the repository with a Receiver at this address.
fn notifying(sandbox: &Sandbox, url: &str) {
    sandbox.write(
        "bobbypin.yaml",
        format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n    branch: main\n    notify:\n      \
             receiver: {{url: \"{url}\", name: bobbypin}}\n"
        ),
    );
    sandbox.push("notify");
}

fn with_token(mut command: Command) -> Command {
    command.env("BOBBYPIN_WEBHOOK_TOKEN", TOKEN);
    command
}

/// A server that answers one request like this; the address, and the request's head and body when it came.
fn answering(answer: &'static str) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("it listens"));
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).expect("a request"), 0);
        }
        let length = head.to_lowercase();
        let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length");
        let mut body = vec![0; length.trim().parse().expect("a number")];
        reader.read_exact(&mut body).expect("a body");
        stream.write_all(answer.as_bytes()).expect("somebody listens");
        (head, String::from_utf8(body).expect("text"))
    });
    (address, heard)
}

#[test]
fn flux_is_told_of_a_commit_and_of_nothing_else() {
    let sandbox = Sandbox::edge();
    let (address, heard) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    notifying(&sandbox, &address);
    let reconcile = || finish(&mut with_token(sandbox.command(&["reconcile", "--inventory", EDGE])));
    let ran = reconcile().expect(0);
    assert!(ran.stderr.ends_with("► Flux was told of the commit\n"), "{}", ran.told());
    let (head, body) = heard.join().expect("one request");
    assert_eq!(body, format!("{{\"revision\":\"main@sha1:{}\"}}", sandbox.tip()));
    // printf %s canary-webhook-tokenbobbypinflux-system | sha256sum
    let path = "/hook/29e36499828c5b3ac7765b45da1962f64a8fda37d851608fa711f21f165af833";
    assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("\r\nx-signature: sha256="), "{head}");
    // Nobody listens any more, and nobody is told that there is nothing new.
    let again = reconcile().expect(0);
    assert!(!again.stderr.contains("Flux"), "{}", again.told());
}

#[test]
fn a_receiver_that_refuses_is_a_warning_and_the_commit_stays() {
    let sandbox = Sandbox::edge();
    let (address, heard) = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    notifying(&sandbox, &address);
    let before = sandbox.tip();
    let mut command = with_token(sandbox.command(&["-vv", "reconcile", "--inventory", EDGE, "-o", "json"]));
    let ran = finish(&mut command).expect(0);
    assert_eq!((&ran.json()["outcome"], &ran.json()["told"]), (&"Committed".into(), &false.into()));
    let warning = format!(
        "warning: Flux was not told of the commit by its receiver at {address}: it knows no such receiver (404)\n  help: \
         compare the token, and the name and the namespace in spec.publish.notify.receiver, with the Receiver: its \
         status.webhookPath is made of these three\n"
    );
    assert!(ran.stderr.contains(&warning), "{}", ran.told());
    assert!(!ran.told().contains("/hook/") && !ran.told().contains(TOKEN), "{}", ran.told());
    assert_ne!(sandbox.tip(), before);
    heard.join().expect("one request");
}

#[test]
fn without_the_token_of_the_receiver_nothing_is_committed() {
    let sandbox = Sandbox::edge();
    notifying(&sandbox, "https://flux.example.org");
    let before = sandbox.tip();
    assert_told!(sandbox.reconcile(), @"
    exit 2
    ── stderr
    error: spec.publish.notify is set in bobbypin.yaml, and BOBBYPIN_WEBHOOK_TOKEN is not: set it to what the Secret of the Receiver has as `token`, or BOBBYPIN_WEBHOOK_TOKEN_FILE to a file with it
    ");
    assert_eq!(sandbox.tip(), before);
    // What writes nothing tells nobody.
    sandbox.run(&["reconcile", "--dry-run", "--inventory", EDGE]).expect(0);
}

#[test]
fn what_contacts_no_cluster_cannot_follow_a_commit() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["reconcile", "--wait", "--inventory", EDGE]), @"
    exit 2
    ── stderr
    error: --inventory contacts no cluster, and --wait follows them: leave out one of the two
    ");
    let wrong = sandbox.run(&["reconcile", "--wait=soon"]).expect(2);
    assert!(wrong.stderr.contains("`soon` is not a duration"), "{}", wrong.told());
}

#[test]
fn a_cluster_that_nobody_can_read_is_not_followed_and_that_is_said() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "prod", "--platform", "generic"]).expect(0);
    sandbox.push("init");
    let ran = sandbox.run(&["reconcile", "--wait=1s"]);
    assert!(
        ran.stderr.contains("! prod: not followed: spec.access does not say how it is reached\n"),
        "{}",
        ran.told()
    );
}

#[test]
fn init_writes_what_makes_flux_follow_the_folder() {
    let sandbox = Sandbox::empty();
    assert_told!(sandbox.run(&["init", "prod", "--flux"]), @"
    exit 2
    ── stderr
    error: the address of the repository does not say where Gitea is
      help: give it with --flux-url https://git.example.org/OWNER/NAME.git
    ");
    sandbox.git(&["remote", "set-url", "origin", "ssh://git@git.example.org:2222/platform/fleet.git"]);
    assert_told!(sandbox.run(&["init", "prod", "--flux"]), @"
    exit 0
    ── stdout
    ✔ bobbypin.yaml
    ✔ clusters/prod/cluster.schema.json
    ✔ clusters/prod/cluster.yaml
    ✔ clusters/prod/flux.yaml
    ✔ clusters/prod/kustomization.yaml
    ✔ clusters/prod/manifests/kustomization.yaml
    ✔ clusters/prod/pins.yaml
    ✔ clusters/prod/platform.yaml
    ── stderr
    next: fill in the files, then: bobbypin pin update --cluster prod
    then: bobbypin plan --cluster prod
    then: make the Secrets that clusters/prod/flux.yaml names, and: kubectl apply -f clusters/prod/flux.yaml
    then: add a webhook of type Gitea to the repository, for pushes: its secret is the token of the Secret bobbypin-webhook, its address that of the Service webhook-receiver and the path that this prints: kubectl -n flux-system get receiver bobbypin -o jsonpath={.status.webhookPath}
    ");
    let flux = sandbox.read("clusters/prod/flux.yaml");
    for line in [
        "#   kubectl apply -f clusters/prod/flux.yaml",
        "  url: \"https://git.example.org/platform/fleet.git\"",
        "    branch: \"main\"",
        "  path: \"./clusters/prod\"",
        "  address: \"https://git.example.org/platform/fleet\"",
        "    name: bobbypin-git",
    ] {
        assert!(flux.lines().any(|found| found.trim_end() == line || found.starts_with(line)), "{line}\n{flux}");
    }
    assert!(
        sandbox
            .read("clusters/prod/cluster.yaml")
            .ends_with("  flux:\n    source: {namespace: flux-system, name: bobbypin}   # of flux.yaml\n")
    );
    // The settings are lawful, and no list leads Flux to its own objects or to the settings.
    sandbox.run(&["plan"]).expect(0);
    assert!(!sandbox.read("clusters/prod/kustomization.yaml").contains("- flux.yaml"));
}
