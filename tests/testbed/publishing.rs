//! The program publishes to a real Gitea: what it takes, what it refuses, and with which words.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    checkout::Checkout,
    gitea::{Gitea, Options, Repo, User},
};

/// The worked example in a repository of its own.
pub(crate) struct Published<'g> {
    pub(crate) gitea: &'g Gitea,
    pub(crate) owner: User,
    pub(crate) repo: Repo,
    pub(crate) checkout: Checkout,
    home: TempDir,
}

/// How a run ended, without what differs from one to the next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'g> Published<'g> {
    pub(crate) fn new(gitea: &'g Gitea, owner: &str) -> Self {
        let owner = gitea.user(owner);
        let repo = gitea.repository(&owner, "platform");
        let checkout = gitea.git(&repo, &owner);
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&project.join("clusters/edge"), &checkout.path().join("clusters/edge"));
        checkout.commit("the settings");
        checkout.push().expect("a free branch");
        Self { gitea, owner, repo, checkout, home: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A token of the owner with these scopes.
    pub(crate) fn token(&self, scopes: &[&str]) -> String {
        self.gitea.token(&self.owner, scopes)
    }

    /// Runs the program in an empty folder with these variables.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let done = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("a PATH"))
            .env("HOME", self.home.path())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(self.gitea.url().trim_end_matches('/'), "GITEA");
        Ran { code: done.status.code(), stdout: text(&done.stdout), stderr: text(&done.stderr) }
    }

    /// Publishes the worked example with a token.
    pub(crate) fn reconcile(&self, token: &str, more: &[(&str, &str)]) -> Ran {
        let inventory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/inventory/edge.yaml");
        let inventory = inventory.display().to_string();
        let variables: Vec<_> = [("BOBBYPIN_GITEA_TOKEN", token)].into_iter().chain(more.iter().copied()).collect();
        self.run(&["reconcile", "--quiet", "--remote", &self.repo.url, "--inventory", &inventory], &variables)
    }

    pub(crate) fn tip(&self) -> String {
        self.gitea.branch_head(&self.repo, "main")
    }
}

/// Copies a folder without what the program writes.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("a readable entry");
        if ["manifests", "state.yaml"].iter().any(|made| entry.file_name() == *made) {
            continue;
        }
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(drop).expect("a copy") }
    }
}

#[test]
fn a_first_commit_lands_and_a_second_run_has_nothing_to_do() {
    let case = Published::new(Gitea::shared(), "publishes");
    let (before, token) = (case.tip(), case.token(&["write:repository"]));
    let ran = case.reconcile(&token, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let after = case.tip();
    assert!(
        ran.stdout.ends_with(&format!("✔ committed {} to main of GITEA/publishes/platform.git\n", &after[..7])),
        "{}",
        ran.stdout
    );
    assert_eq!(case.checkout.git(&["fetch", "--quiet"]).as_deref(), Ok(""));
    assert_eq!(case.checkout.git(&["rev-parse", "origin/main~1"]), Ok(before));
    let again = case.reconcile(&token, &[]);
    assert_eq!((again.code, case.tip()), (Some(0), after), "{}", again.stdout);
}

#[test]
fn a_server_below_a_path_with_an_authority_of_its_own_is_published_to() {
    let gitea = Gitea::start(&Options { path: "/git".to_owned(), tls: true, ..Options::default() });
    let case = Published::new(&gitea, "tenant-acme");
    let token = case.token(&["write:repository"]);
    let refused = case.reconcile(&token, &[]);
    assert_eq!(refused.code, Some(6));
    let host = gitea.url().trim_end_matches("/git");
    insta::assert_snapshot!(refused.stderr.replace(host, "HOST"), @"
    error: cannot use the repository `GITEA/tenant-acme/platform.git`
      because: no answer from HOST
      because: its certificate is not trusted: invalid peer certificate: UnknownIssuer
      help: for a server with an authority of its own: set spec.publish.gitea.caFile, or BOBBYPIN_CA_FILE, to a file with that certificate
    ");
    let authority = gitea.authority().expect("it speaks TLS").display().to_string();
    let ran = case.reconcile(&token, &[("BOBBYPIN_CA_FILE", &authority)]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn what_gitea_refuses_is_told_in_its_own_words_with_what_to_do() {
    let gitea = Gitea::shared();
    let mut told = String::new();
    let mut row =
        |name: &str, owner: &str, prepare: &dyn Fn(&Published<'_>), token: &dyn Fn(&Published<'_>) -> String| {
            let case = Published::new(gitea, owner);
            prepare(&case);
            let before = case.checkout.git(&["rev-parse", "HEAD"]);
            let ran = case.reconcile(&token(&case), &[]);
            assert_eq!(ran.code, Some(6), "{name}: {} {}", ran.stdout, ran.stderr);
            told += &format!("{name}\n{}", ran.stderr.replace(owner, "OWNER"));
            // Nothing came.
            let _ = case.checkout.git(&["fetch", "--quiet"]);
            assert_eq!(case.checkout.git(&["rev-parse", "origin/main"]), before, "{name}");
        };
    let writes = |case: &Published<'_>| case.token(&["write:repository"]);
    let nothing = |_: &Published<'_>| ();
    let protect = |rule: serde_json::Value| move |case: &Published<'_>| case.gitea.protect(&case.repo, rule.clone());
    let change = |value: serde_json::Value| {
        move |case: &Published<'_>| {
            let (status, answer) =
                case.gitea.api("PATCH", &case.repo.path(), Some(case.gitea.admin_token()), Some(value.clone()));
            assert_eq!(status, 200, "{answer}");
        }
    };
    row("a protected branch", "refuses-pushes", &protect(json!({"rule_name": "main", "enable_push": false})), &writes);
    row(
        "signed commits only",
        "refuses-unsigned",
        &protect(json!({"rule_name": "main", "enable_push": true, "require_signed_commits": true})),
        &writes,
    );
    row("an archived repository", "refuses-archived", &change(json!({"archived": true})), &writes);
    row("a renamed repository", "refuses-renamed", &change(json!({"name": "elsewhere"})), &writes);
    row("a token that may only read", "refuses-readers", &nothing, &|case| case.token(&["read:repository"]));
    row("a token for something else", "refuses-scopes", &nothing, &|case| case.token(&["read:user"]));
    row("an unknown token", "refuses-strangers", &nothing, &|_| "0123456789abcdef0123456789abcdef01234567".to_owned());
    row("somebody else's private repository", "refuses-others", &change(json!({"private": true})), &|case| {
        case.gitea.token(&case.gitea.user("refused-other"), &["write:repository"])
    });
    insta::assert_snapshot!(told, @"
    a protected branch
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: Not allowed to push to protected branch main
      help: let the bot's user push to the branch (branch protection), or publish by pull requests: spec.publish.mode
    signed commits only
    error: cannot commit to the branch `main`
      because: the server refuses the commit: pre-receive hook declined; it says: Internal Server Error (no message for end users)
      help: the server's own log says why; Gitea says this too when the branch takes signed commits only: spec.publish.signing
    an archived repository
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: GITEA answers 403: This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests.
      help: take the repository out of the archive, or publish to another one
    a renamed repository
    error: cannot use the repository `GITEA/OWNER/platform.git`
      because: no answer from GITEA
      because: it sends elsewhere (301, to `/OWNER/elsewhere/info/refs`), and nothing is followed because credentials would go along
      help: set the remote to the address that it names
    a token that may only read
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: GITEA answers 403: Forbidden
      help: the token needs the scope `write:repository`, and its user the right to write to the repository
    a token for something else
    error: cannot commit to the branch `main`
      because: cannot push to the branch `main`
      because: GITEA answers 403: Forbidden
      help: the token needs the scope `write:repository`, and its user the right to write to the repository
    an unknown token
    error: cannot use the repository `GITEA/OWNER/platform.git`
      because: GITEA answers 401: Failed to authenticate user
      help: the token is unknown to the server, or has expired: make a new one for BOBBYPIN_GITEA_TOKEN (or BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD)
    somebody else's private repository
    error: cannot use the repository `GITEA/OWNER/platform.git`
      because: GITEA answers 404: Repository not found
      help: check owner and name of the repository; a server says this too when the user may not see it
    ");
}

#[test]
fn a_branch_that_takes_signed_commits_only_takes_ours_when_they_are_signed() {
    let case = Published::new(Gitea::shared(), "signs");
    let home = case.home.path().to_owned();
    let gpg = |arguments: &[&str]| {
        let done = Command::new("gpg")
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .env("HOME", &home)
            .env_remove("GNUPGHOME")
            .output()
            .expect("gpg is installed (Debian: gnupg)");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let (status, user) = case.gitea.api("GET", "/user", Some(&case.token(&["read:user"])), None);
    let email = user["email"].as_str().filter(|_| status == 200).expect("everybody has an address").to_owned();
    gpg(&["--quick-generate-key", &format!("signs <{email}>"), "ed25519", "sign", "never"]);
    let key = json!({"armored_public_key": gpg(&["--armor", "--export", &email])});
    let (status, answer) = case.gitea.api("POST", "/user/gpg_keys", Some(&case.token(&["write:user"])), Some(key));
    assert_eq!(status, 201, "{answer}");
    case.checkout.write(
        "bobbypin.yaml",
        &format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n    author: {{name: signs, email: \
             \"{email}\"}}\n    signing: {{gpg: {{key: \"{email}\"}}}}\n"
        ),
    );
    case.checkout.commit("commits are signed");
    case.checkout.push().expect("a free branch");
    let rule = json!({"rule_name": "main", "enable_push": true, "require_signed_commits": true});
    case.gitea.protect(&case.repo, rule);
    let ran = case.reconcile(&case.token(&["write:repository"]), &[]);
    // The agent that gpg started does not end by itself.
    let ended = Command::new("gpgconf").args(["--kill", "all"]).env("HOME", &home).env_remove("GNUPGHOME").status();
    assert!(ended.expect("gpgconf comes with gpg").success());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stderr, case.gitea.printed());
    let (status, commit) = case.gitea.api(
        "GET",
        &format!("{}/git/commits/{}", case.repo.path(), case.tip()),
        Some(case.gitea.admin_token()),
        None,
    );
    assert_eq!((status, &commit["commit"]["verification"]["verified"]), (200, &json!(true)), "{commit}");
}
