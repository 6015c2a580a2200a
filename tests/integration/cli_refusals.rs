//! What a server refuses, and the network: each with its message, what to do about it, and its exit code.

use crate::support::{
    cli::{EDGE, Ran, Sandbox, finish},
    git_server::{GitServer, Login, Options, Scheme, Script},
};

const LOGIN: Login = Login { user: "bot", password: "canary-5e0c" };

/// A server, and what a run against it gets as its token.
struct Case {
    sandbox: Sandbox,
    server: GitServer,
    token: &'static str,
}

impl Case {
    fn new(options: Options) -> Self {
        let sandbox = Sandbox::edge();
        let server = GitServer::start(&sandbox.remote(), options);
        Self { sandbox, server, token: LOGIN.password }
    }

    fn run(&self) -> Ran {
        let before = self.sandbox.tip();
        let url = self.server.url();
        let mut command = self.sandbox.command(&["reconcile", "--quiet", "--remote", &url, "--inventory", EDGE]);
        let mut ran = finish(command.env("BOBBYPIN_GITEA_TOKEN", self.token));
        for text in [&mut ran.stdout, &mut ran.stderr] {
            assert!(!text.contains(LOGIN.password), "{text}");
            *text = text.replace(&format!(":{}", self.server.port()), ":PORT");
        }
        self.server.settled();
        assert_eq!(self.sandbox.tip(), before, "the branch is as it was");
        // What was decided is the same in every case.
        ran.stdout.clear();
        ran
    }
}

fn answer(path: &'static str, status: &'static str, headers: &[(&'static str, &str)], body: &str) -> Case {
    let case = Case::new(Options::default());
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    case.server.script(Script { path, times: usize::MAX, status, headers, body: body.as_bytes().to_vec() });
    case
}

fn hook(words: &str) -> Case {
    let case = Case::new(Options::default());
    case.server.hook("pre-receive", &format!("echo '{words}' >&2; exit 1"));
    case
}

#[test]
fn every_kind_of_refusal_is_told_with_what_to_do() {
    const READ: &str = "info/refs?service=git-upload-pack";
    const PUSH: &str = "/git-receive-pack";
    let page = "<html><head><title>Bad gateway</title></head></html>";
    let html = ("Content-Type", "text/html");
    let rows = [
        ("a protected branch", hook("Gitea: Not allowed to push to protected branch main")),
        ("a hook", hook("no deploys on Friday")),
        ("a quota", hook("Gitea: quota exceeded")),
        ("signed commits only", hook("Gitea: branch main is protected from unverified commit: not signed")),
        ("an archived repository", answer(PUSH, "403 Forbidden", &[], "This repo is archived.")),
        (
            "an unknown token",
            Case { token: "unknown", ..Case::new(Options { login: Some(LOGIN), ..Options::default() }) },
        ),
        ("a wrong scope", answer(READ, "403 Forbidden", &[], "")),
        ("413", answer(PUSH, "413 Request Entity Too Large", &[html], "<title>413</title>")),
        ("423", answer(PUSH, "423 Locked", &[], r#"{"message":"the repository is being moved"}"#)),
        ("429", answer(READ, "429 Too Many Requests", &[("Retry-After", "600")], "slow down")),
        ("500", answer(PUSH, "500 Internal Server Error", &[], "database is locked")),
        ("502 with a page", answer(READ, "502 Bad Gateway", &[html], page)),
        (
            "a redirect",
            answer(READ, "301 Moved Permanently", &[("Location", "https://git.example.org/b.git/x?t=canary-5e0c")], ""),
        ),
        ("an unknown authority", Case::new(Options { scheme: Scheme::Https, ..Options::default() })),
    ];
    let mut told = String::new();
    for (name, case) in rows {
        // Whether a server that fails at the end of its work has done it cannot be known.
        let ran = case.run();
        assert_eq!(ran.code, Some(if name == "500" { 9 } else { 6 }), "{name}: {}", ran.told());
        let commit = ran.stderr.find("is now at ").map(|at| ran.stderr[at + 10..][..40].to_owned());
        let told_here = commit.map_or(ran.stderr.clone(), |commit| ran.stderr.replace(&commit, "COMMIT"));
        told += &format!("{name}\n{told_here}");
    }
    insta::assert_snapshot!(told, @"
    a protected branch
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: Gitea: Not allowed to push to protected branch main
      help: let the bot's user push to the branch (branch protection), or publish by pull requests: spec.publish.mode
    a hook
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: no deploys on Friday
      help: a hook of the server decides, and says why
    a quota
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: Gitea: quota exceeded
      help: make room on the server, or raise the quota
    signed commits only
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: Gitea: branch main is protected from unverified commit: not signed
      help: the branch takes signed commits only: set spec.publish.signing
    an archived repository
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: http://127.0.0.1:PORT answers 403: This repo is archived.
      help: take the repository out of the archive, or publish to another one
    an unknown token
    error: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: http://127.0.0.1:PORT answers 401: no
      help: the token is unknown to the server, or has expired: make a new one for BOBBYPIN_GITEA_TOKEN (or BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD)
    a wrong scope
    error: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: http://127.0.0.1:PORT answers 403
      help: the token needs the scope `write:repository`, and its user the right to write to the repository
    413
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: http://127.0.0.1:PORT answers 413: a web page (`413`)
      help: let the proxy before the server accept larger requests (nginx: client_max_body_size)
    423
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: http://127.0.0.1:PORT answers 423: the repository is being moved
      help: the repository takes no changes now: it is archived, or at work on itself
    429
    error: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: http://127.0.0.1:PORT answers 429: slow down
      help: run less often; the server wants to be left alone
    500
    error: cannot commit to the branch `main`
      because: it is not known whether the branch `main` is now at COMMIT
      because: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: http://127.0.0.1:PORT answers 500: database is locked
      help: run again; the server's own log says more
    502 with a page
    error: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: http://127.0.0.1:PORT answers 502: a web page (`Bad gateway`)
      help: run again; the server's own log says more
    a redirect
    error: cannot use the repository `http://127.0.0.1:PORT/remote.git`
      because: no answer from http://127.0.0.1:PORT
      because: it sends elsewhere (301, to `https://git.example.org/b.git/x`), and nothing is followed because credentials would go along
      help: set the remote to the address that it names
    an unknown authority
    error: cannot use the repository `https://127.0.0.1:PORT/remote.git`
      because: no answer from https://127.0.0.1:PORT
      because: its certificate is not trusted: invalid peer certificate: UnknownIssuer
      help: for a server with an authority of its own: set spec.publish.gitea.caFile, or BOBBYPIN_CA_FILE, to a file with that certificate
    ");
}
