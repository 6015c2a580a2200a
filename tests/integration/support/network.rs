//! The worked example behind a real server, for tests that disturb its publishing.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs, and wait")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    cli::{EDGE, PROGRAM, Ran, Sandbox, finish},
    git_server::{GitServer, Options, Protocol},
};

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// Clients may leave files out, as Gitea has it: then what is wanted is asked for one after the other.
    InParts,
    /// As Git has it where nothing is set: everything comes at once.
    AtOnce,
    /// In the first version of the protocol.
    Older,
}

/// The settings behind a server, and what a run makes of them.
pub(crate) struct Network {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: GitServer,
    /// The commit that every run begins at.
    pub(crate) settings: String,
    /// The tree that the branch is to have in the end.
    wanted: String,
}

/// What became of the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    Old,
    New,
}

/// The deadline of every exchange.
const TIME: &str = "5s";

impl Network {
    pub(crate) fn new(answers: Answers) -> Self {
        let sandbox = Sandbox::edge();
        let protocol = match answers {
            Answers::InParts | Answers::AtOnce => Protocol::AsAsked,
            Answers::Older => Protocol::Zero,
        };
        let server = GitServer::start(&sandbox.remote(), Options { protocol, ..Options::default() });
        if answers == Answers::InParts {
            server.configure("uploadpack.allowFilter", "true");
            server.configure("uploadpack.allowAnySHA1InWant", "true");
        }
        let settings = sandbox.tip();
        let mut network = Self { sandbox, server, settings, wanted: String::new() };
        network.undisturbed().expect(0);
        network.wanted = network.sandbox.remote_git(&["rev-parse", "main^{tree}"]).trim().to_owned();
        network.reset();
        network
    }

    /// Puts the branch back, and forgets what was asked for.
    pub(crate) fn reset(&self) {
        self.server.forget();
        self.sandbox.remote_git(&["update-ref", "refs/heads/main", &self.settings]);
    }

    /// The words of a run against this address of the server.
    pub(crate) fn words(url: &str) -> [&str; 9] {
        ["reconcile", "--remote", url, "--inventory", EDGE, "--timeout", TIME, "--output", "json"]
    }

    /// The run under `strace` with these options.
    pub(crate) fn traced(&self, options: &[&str]) -> Command {
        let mut command = self.sandbox.scrubbed("strace", &self.sandbox.work());
        command.args(["-f", "-qq"]).args(options);
        command.arg(PROGRAM).args(Self::words(&self.server.url()));
        command
    }

    /// A run without any disturbance.
    pub(crate) fn undisturbed(&self) -> Ran {
        finish(&mut self.sandbox.command(&Self::words(&self.server.url())))
    }

    /// Makes the first push wait in its hook for [`Self::let_go`]; then the server takes it. `later` is what the hook does
    /// with every further push.
    pub(crate) fn hold_first_push(&self, later: &str) {
        let wait = "touch arrived; while ! test -e go; do sleep 0.02; done; rm -f go";
        self.server
            .hook("pre-receive", &format!("cat >/dev/null; if mkdir first 2>/dev/null; then {wait}; else {later}; fi"));
    }

    /// Starts a run and waits until the server holds its push back.
    pub(crate) fn start_held(&self, url: &str) -> Child {
        let mut command = self.sandbox.command(&Self::words(url));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the program starts");
        wait_for(&self.sandbox.remote().join("arrived"));
        child
    }

    /// Lets the push go on that is held back.
    pub(crate) fn let_go(&self) {
        fs::write(self.sandbox.remote().join("go"), "").expect("a folder of ours");
    }

    /// Where the branch is. Fails the test unless it is at the old commit, or at the one that was wanted on top of it.
    #[track_caller]
    pub(crate) fn branch(&self, moment: &str) -> Branch {
        self.server.settled();
        let made = self.sandbox.remote_git(&["log", "-1", "--format=%H %P %T", "main"]);
        let (id, rest) = made.trim().split_once(' ').expect("a format with blanks");
        if id == self.settings {
            return Branch::Old;
        }
        assert_eq!(rest, format!("{} {}", self.settings, self.wanted), "{moment}");
        Branch::New
    }

    /// Fails the test unless what a run says is what became of the branch.
    #[track_caller]
    pub(crate) fn expect_true(&self, ran: &Ran, moment: &str) -> Branch {
        let branch = self.branch(moment);
        let tip = self.sandbox.tip();
        match ran.code {
            Some(0) => {
                assert_eq!(branch, Branch::New, "{moment}: {}", ran.told());
                assert_eq!(ran.json()["commit"].as_str(), Some(tip.as_str()), "{moment}: {}", ran.told());
            }
            Some(9) => {
                // Of a request that was sent nobody but the server knows how much of it arrived.
                let has_begun = |path: &str| path.contains("service=git-receive-pack");
                let may_be = self.server.requests().iter().any(|request| has_begun(&request.path));
                assert!(may_be, "{moment}: nothing was sent that could be in doubt: {}", ran.told());
            }
            // It was killed, and said nothing.
            None => (),
            // What became of the branch could not be told.
            Some(2) if ran.stderr.contains("cannot write the result to standard output") => (),
            Some(_) => assert_eq!(branch, Branch::Old, "{moment}: {}", ran.told()),
        }
        branch
    }

    /// Fails the test unless the next run brings the branch to what is wanted, without help and without a second commit.
    #[track_caller]
    pub(crate) fn expect_convergence(&self, branch: Branch, moment: &str) {
        let before = self.sandbox.tip();
        let next = self.undisturbed().expect(0);
        let outcome = match branch {
            Branch::Old => "Committed",
            Branch::New => "UpToDate",
        };
        assert_eq!(next.json()["outcome"], Value::from(outcome), "{moment}: {}", next.told());
        assert_eq!(self.branch(moment), Branch::New, "{moment}: {}", next.told());
        assert_eq!(before == self.sandbox.tip(), branch == Branch::New, "{moment}");
    }
}

/// Waits for a file to be there, for ten seconds at most.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "{} does not appear", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for the end of a run.
pub(crate) fn end(child: Child) -> Ran {
    let output = child.wait_with_output().expect("a child can be waited for");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("results are UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}
