//! Publishing by pull requests, on a real Gitea.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    checkout::Checkout,
    gitea::{Gitea, Repo, User},
    poll,
};

const BRANCH: &str = "bobbypin/changes";

/// A repository with the settings of the worked example, and somebody who may write to it.
struct Site {
    gitea: &'static Gitea,
    repo: Repo,
    token: String,
    /// Of a person, at the tip of `main` in the beginning.
    checkout: Checkout,
    folder: TempDir,
}

impl Site {
    /// `settings` are those of the pull request, as a line of YAML.
    fn new(owner: &str, settings: &str) -> Self {
        let gitea = Gitea::shared();
        let owner: User = gitea.user(owner);
        let repo = gitea.repository(&owner, "clusters");
        let token = gitea.token(&owner, &["write:repository", "write:issue", "read:user"]);
        let checkout = gitea.git(&repo, &owner);
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        for file in ["cluster.yaml", "kustomization.yaml", "pins.yaml", "platform.yaml"] {
            let path = format!("clusters/edge/{file}");
            checkout.write(&path, &fs::read_to_string(project.join(&path)).expect("a file of the example"));
        }
        for file in ["erp.yaml", "kustomization.yaml"] {
            let path = format!("clusters/edge/apps/{file}");
            checkout.write(&path, &fs::read_to_string(project.join(&path)).expect("a file of the example"));
        }
        checkout.write(
            "bobbypin.yaml",
            &format!(
                "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n    mode: pull-request\n    \
                 pullRequest: {settings}\n"
            ),
        );
        checkout.commit("the settings");
        checkout.push().expect("the owner may push");
        let folder = TempDir::with_prefix("pull-request-").expect("a temporary folder");
        let inventory = fs::read_to_string(project.join("examples/inventory/edge.yaml")).expect("the example");
        fs::write(folder.path().join("edge.yaml"), inventory).expect("a folder of ours");
        Self { gitea, repo, token, checkout, folder }
    }

    fn inventory(&self) -> PathBuf {
        self.folder.path().join("edge.yaml")
    }

    /// `reconcile` as a job would run it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        command
            .current_dir(self.folder.path())
            .args(["reconcile", "-o", "json", "--remote", &self.repo.url, "--inventory"])
            .arg(self.inventory())
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("a PATH"))
            .env("HOME", self.folder.path())
            .env("BOBBYPIN_GITEA_TOKEN", &self.token)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it. Gives the report, and fails unless it ends with the code.
    #[track_caller]
    fn reconcile(&self, code: i32, arguments: &[&str]) -> Value {
        let ran = self.command(arguments).output().expect("the program");
        let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(code), "{stdout}\n{stderr}");
        assert!(!stdout.contains(&self.token) && !stderr.contains(&self.token), "the token is shown");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"))
    }

    /// The same when all is well: what was done, and to which pull request.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> (String, Option<u64>) {
        let report = self.reconcile(0, arguments);
        let done = &report["pullRequest"];
        (done["action"].as_str().unwrap_or_default().to_owned(), done["number"].as_u64())
    }

    fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = format!("{}{path}", self.repo.path());
        let (status, answer) = self.gitea.api(method, &path, Some(self.gitea.admin_token()), body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    fn pull_request(&self, number: u64) -> Value {
        self.api("GET", &format!("/pulls/{number}"), None)
    }

    /// Everything of a pull request that somebody could have written, with the time of the last change.
    fn everything(&self, number: u64) -> [Value; 4] {
        let pull_request = self.pull_request(number);
        let head = pull_request["head"]["sha"].as_str().expect("a commit").to_owned();
        [
            self.api("GET", &format!("/issues/{number}/timeline"), None),
            self.api("GET", &format!("/commits/{head}/statuses"), None),
            self.api("GET", "/labels", None),
            pull_request,
        ]
    }

    #[track_caller]
    fn becomes_merged(&self, number: u64) {
        let is_merged = || (self.pull_request(number)["merged"] == true).then_some(());
        assert!(poll(Duration::from_secs(30), is_merged).is_some(), "{}", self.pull_request(number));
    }

    fn has_branch(&self) -> bool {
        let branches = self.api("GET", "/branches", None);
        branches.as_array().expect("a list").iter().any(|branch| branch["name"] == BRANCH)
    }

    fn count_of_pull_requests(&self) -> usize {
        self.api("GET", "/pulls?state=all", None).as_array().expect("a list").len()
    }

    /// Something of a person on `main`, which has nothing to do with the clusters.
    fn somebody_commits(&self, text: &str) -> String {
        self.checkout.git(&["fetch", "--quiet"]).expect("the checkout is in order");
        self.checkout.git(&["checkout", "--quiet", "-B", "main", "origin/main"]).expect("the checkout is in order");
        self.checkout.write("notes.md", text);
        let commit = self.checkout.commit("notes");
        self.checkout.push().expect("the checkout is in order");
        commit
    }

    fn parent(&self, commit: &str) -> String {
        let answer = self.api("GET", &format!("/git/commits/{commit}"), None);
        assert_eq!(answer["parents"].as_array().map(Vec::len), Some(1), "{answer}");
        answer["parents"][0]["sha"].as_str().expect("a commit").to_owned()
    }
}

fn head(pull_request: &Value) -> String {
    pull_request["head"]["sha"].as_str().expect("a commit").to_owned()
}

#[test]
fn a_pull_request_is_opened_left_as_it_is_rebuilt_put_right_and_closed() {
    let site = Site::new("pulls-life", "{labels: [bot, clusters], assignees: [pulls-life]}");
    assert_eq!(site.done(&["--dry-run"]), ("Opened".to_owned(), None));
    assert!(!site.has_branch() && site.count_of_pull_requests() == 0, "a dry run writes nothing");

    let (done, number) = site.done(&[]);
    let number = number.expect("a pull request");
    assert_eq!(done, "Opened");
    let opened = site.pull_request(number);
    assert_eq!((&opened["base"]["ref"], &opened["head"]["ref"]), (&json!("main"), &json!(BRANCH)));
    let labels: Vec<_> =
        opened["labels"].as_array().expect("the checkout is in order").iter().map(|label| &label["name"]).collect();
    assert_eq!(labels, ["bot", "clusters"]);
    assert_eq!(opened["assignees"][0]["login"], "pulls-life");
    let statuses = site.gitea.statuses(&site.repo, &head(&opened));
    assert_eq!(statuses.keys().collect::<Vec<_>>(), ["bobbypin/audit", "bobbypin/plan"]);
    assert!(
        opened["body"].as_str().expect("the checkout is in order").starts_with("<!-- bobbypin:pull-request {"),
        "{}",
        opened["body"]
    );

    let before = site.everything(number);
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));
    assert_eq!(site.everything(number), before, "the same inputs write nothing");

    let tip = site.somebody_commits("one\n");
    assert_eq!(site.done(&[]), ("Rebuilt".to_owned(), Some(number)));
    let rebuilt = site.pull_request(number);
    assert_eq!(site.parent(&head(&rebuilt)), tip, "it stands on the new tip, and nothing was merged");
    assert_ne!(head(&rebuilt), head(&opened));

    site.api("PATCH", &format!("/pulls/{number}"), Some(json!({"title": "mine", "body": "gone"})));
    site.api("DELETE", &format!("/issues/{number}/labels"), None);
    assert_eq!(site.done(&[]), ("Repaired".to_owned(), Some(number)));
    let repaired = site.pull_request(number);
    assert_eq!((&repaired["title"], head(&repaired)), (&rebuilt["title"], head(&rebuilt)));
    assert_eq!(repaired["body"], rebuilt["body"]);
    assert_eq!(repaired["labels"].as_array().map(Vec::len), Some(2));
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));

    // What is wanted comes to the branch in another way.
    site.reconcile(0, &["--publish", "commit"]);
    assert_eq!(site.done(&[]), ("Closed".to_owned(), Some(number)));
    assert_eq!(site.pull_request(number)["state"], "closed");
    assert!(!site.has_branch());
    let comments = site.api("GET", &format!("/issues/{number}/comments"), None);
    assert_eq!(comments.as_array().map(Vec::len), Some(1), "{comments}");
    assert_eq!(site.done(&[]), ("Nothing".to_owned(), None));
    assert_eq!(site.count_of_pull_requests(), 1);
}

#[test]
fn a_run_that_was_killed_after_its_push_is_completed_by_the_next_one() {
    let site = Site::new("pulls-killed", "{}");
    let (_, number) = site.done(&[]);
    let first = head(&site.pull_request(number.expect("the checkout is in order")));
    // What is left of such a run: the branch, and no pull request.
    site.api("DELETE", &format!("/issues/{}", number.expect("the checkout is in order")), None);
    let (done, number) = site.done(&[]);
    assert_eq!(done, "Opened");
    assert_eq!(
        head(&site.pull_request(number.expect("the checkout is in order"))),
        first,
        "the commit is the same, and was not pushed again"
    );
    // One that was killed before it had written the text.
    let number = number.expect("the checkout is in order");
    let body = site.pull_request(number)["body"].clone();
    site.api("PATCH", &format!("/pulls/{number}"), Some(json!({"body": "old"})));
    assert_eq!(site.done(&[]), ("Repaired".to_owned(), Some(number)));
    assert_eq!(site.pull_request(number)["body"], body);
}

#[test]
fn runs_at_the_same_time_make_one_pull_request() {
    let site = Site::new("pulls-race", "{labels: [bot]}");
    for round in 0..3 {
        let runs: Vec<_> = (0..4).map(|_| site.command(&[]).spawn().expect("the program")).collect();
        for run in runs {
            let ran = run.wait_with_output().expect("its end");
            assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stdout));
        }
        let open = site.api("GET", "/pulls?state=open", None);
        assert_eq!(open.as_array().map(Vec::len), Some(1));
        let tip = site.gitea.branch_head(&site.repo, "main");
        assert_eq!(site.parent(&head(&open[0])), tip, "round {round}");
        site.somebody_commits(&format!("{round}\n"));
    }
    assert_eq!(site.done(&[]).0, "Rebuilt");
    assert_eq!(site.done(&[]).0, "Unchanged");
}

#[test]
fn every_set_of_clusters_has_a_pull_request_of_its_own() {
    let site = Site::new("pulls-sets", "{}");
    let settings =
        fs::read_to_string(site.checkout.path().join("clusters/edge/cluster.yaml")).expect("the checkout is in order");
    site.checkout.write("clusters/north/cluster.yaml", &settings.replace("name: edge", "name: north"));
    let platform =
        fs::read_to_string(site.checkout.path().join("clusters/edge/platform.yaml")).expect("the checkout is in order");
    site.checkout.write("clusters/north/platform.yaml", &platform);
    site.checkout.commit("another cluster");
    site.checkout.push().expect("the checkout is in order");
    let (done, number) = site.done(&["--cluster", "edge"]);
    assert_eq!(done, "Opened");
    assert_eq!(site.pull_request(number.expect("the checkout is in order"))["head"]["ref"], "bobbypin/changes-edge");
    // Nothing is known of the other cluster, which is held.
    let all = site.reconcile(4, &[])["pullRequest"].clone();
    assert_eq!((&all["action"], &all["branch"]), (&json!("Opened"), &json!(BRANCH)));
    assert_ne!(all["number"].as_u64(), number);
    assert_eq!(site.done(&["--cluster", "edge"]), ("Unchanged".to_owned(), number));
}

#[test]
fn what_somebody_adds_to_the_branch_is_left_alone() {
    let site = Site::new("pulls-foreign", "{}");
    let (_, number) = site.done(&[]);
    let number = number.expect("a pull request");
    site.checkout.git(&["fetch", "--quiet"]).expect("the checkout is in order");
    site.checkout.git(&["checkout", "--quiet", BRANCH]).expect("the checkout is in order");
    site.checkout.write("clusters/edge/by-hand.yaml", "a: 1\n");
    let theirs = site.checkout.commit("by hand");
    site.checkout.push().expect("the checkout is in order");
    for _ in 0..2 {
        let error = site.reconcile(7, &[]);
        assert_eq!(error["exitReason"], "Guard", "{error}");
        assert_eq!(head(&site.pull_request(number)), theirs);
        let comments = site.api("GET", &format!("/issues/{number}/comments"), None);
        assert_eq!(comments.as_array().map(Vec::len), Some(1), "{comments}");
    }
    // An amended commit has the trailers of ours.
    site.checkout.git(&["reset", "--quiet", "--hard", "HEAD~1"]).expect("the checkout is in order");
    site.checkout.write("clusters/edge/by-hand.yaml", "a: 1\n");
    site.checkout.git(&["add", "--all"]).expect("the checkout is in order");
    site.checkout.git(&["commit", "--quiet", "--amend", "--no-edit"]).expect("the checkout is in order");
    site.checkout.git(&["push", "--quiet", "--force", "origin", "HEAD"]).expect("the checkout is in order");
    site.reconcile(7, &[]);
    // Whoever takes the addition off again gets the pull request back.
    site.checkout
        .git(&["push", "--quiet", "--force", "origin", &format!("{theirs}~1:refs/heads/{BRANCH}")])
        .expect("the checkout is in order");
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));
}

#[test]
fn what_somebody_has_closed_is_held_until_it_is_something_else() {
    let site = Site::new("pulls-held", "{}");
    let (_, number) = site.done(&[]);
    let number = number.expect("a pull request");
    site.api("PATCH", &format!("/pulls/{number}"), Some(json!({"state": "closed"})));
    let before = site.everything(number);
    assert_eq!(site.done(&[]), ("Held".to_owned(), Some(number)));
    assert_eq!(site.everything(number), before);
    site.somebody_commits("one\n");
    assert_eq!(site.done(&[]), ("Held".to_owned(), Some(number)), "the changes are the same on another commit");
    assert_eq!(site.everything(number)[0], before[0]);
    let inventory = fs::read_to_string(site.inventory()).expect("the checkout is in order");
    assert!(inventory.contains("www.acme.example.org"), "{inventory}");
    fs::write(site.inventory(), inventory.replace("www.acme.example.org", "store.acme.example.org"))
        .expect("the checkout is in order");
    let (done, next) = site.done(&[]);
    assert_eq!(done, "Opened");
    assert!(next.is_some_and(|next| next > number), "{next:?}");
    assert_eq!(site.count_of_pull_requests(), 2);
}

#[test]
fn a_pull_request_is_merged_by_the_server_and_its_branch_goes() {
    let site = Site::new("pulls-merged", "{autoMerge: squash}");
    // The server merges at once, or as soon as it gets round to it.
    let (_, number) = site.done(&[]);
    site.becomes_merged(number.expect("a pull request"));
    assert_eq!(site.done(&[]).0, "BranchRemoved");
    assert!(!site.has_branch());
    assert_eq!(site.done(&[]), ("Nothing".to_owned(), None));
}

#[test]
fn what_somebody_adds_to_a_branch_that_was_merged_is_not_lost() {
    let site = Site::new("pulls-late", "{}");
    let (_, number) = site.done(&[]);
    site.checkout.git(&["fetch", "--quiet"]).expect("the checkout is in order");
    site.checkout.git(&["checkout", "--quiet", BRANCH]).expect("the checkout is in order");
    site.checkout.write("late.md", "a: 1\n");
    site.api(
        "POST",
        &format!("/pulls/{}/merge", number.expect("the checkout is in order")),
        Some(json!({"Do": "merge"})),
    );
    let theirs = site.checkout.commit("too late");
    site.checkout.push().expect("the checkout is in order");
    assert_eq!(site.done(&[]), ("Nothing".to_owned(), None));
    assert_eq!(site.gitea.branch_head(&site.repo, BRANCH), theirs);
}

#[test]
fn a_merge_waits_for_what_the_branch_asks_for_and_is_ordered_once() {
    let site = Site::new("pulls-waiting", "{autoMerge: squash}");
    let rule = json!({
        "rule_name": "main", "enable_push": true, "enable_status_check": true, "status_check_contexts": ["tests"],
    });
    site.gitea.protect(&site.repo, rule);
    let (done, number) = site.done(&[]);
    let number = number.expect("a pull request");
    assert_eq!(done, "Opened");
    let before = site.everything(number);
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));
    assert_eq!(site.everything(number), before);
    let head = head(&site.pull_request(number));
    site.api("POST", &format!("/statuses/{head}"), Some(json!({"context": "tests", "state": "success"})));
    site.becomes_merged(number);
}

/// The list of layers at a commit or branch.
fn list(site: &Site, at: &str) -> String {
    site.checkout.git(&["fetch", "--quiet", "origin"]).expect("the checkout is in order");
    site.checkout
        .git(&["show", &format!("{at}:clusters/edge/manifests/kustomization.yaml")])
        .expect("the checkout is in order")
}

#[test]
fn releases_are_stamped_with_the_pull_request_that_brought_them() {
    let site = Site::new("pulls-stamped", "{stamp: true}");
    let stamp = |number: u64, commit: &str| {
        format!(
            "event.toolkit.fluxcd.io/change_request: \"{number}\"\n        event.toolkit.fluxcd.io/commit: \"{commit}\""
        )
    };
    assert_eq!(site.done(&["--dry-run"]), ("Opened".to_owned(), None));
    assert!(!site.has_branch(), "a dry run writes nothing");
    let (done, number) = site.done(&[]);
    let number = number.expect("a pull request");
    assert_eq!(done, "Opened");
    let stamped = head(&site.pull_request(number));
    let first = site.parent(&stamped);
    assert_eq!(site.parent(&first), site.gitea.branch_head(&site.repo, "main"));
    assert!(list(&site, &stamped).contains(&stamp(number, &first)), "{}", list(&site, &stamped));
    let names = ["diff", "--name-only", &first, &stamped];
    assert_eq!(
        site.checkout.git(&names).expect("the checkout is in order").trim(),
        "clusters/edge/manifests/kustomization.yaml"
    );
    let subject = site.checkout.git(&["log", "-1", "--format=%s", &stamped]).expect("the checkout is in order");
    assert_eq!(subject.trim(), format!("edge: stamp for pull request #{number}"));

    let before = site.everything(number);
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));
    assert_eq!(site.everything(number), before, "the same inputs write nothing");

    // What a run leaves that was killed between the two commits.
    let push = |from: &str| {
        let to = format!("{from}:refs/heads/{BRANCH}");
        site.checkout.git(&["push", "--quiet", "--force", "origin", &to]).expect("the checkout is in order");
    };
    push(&first);
    assert_eq!(site.done(&[]), ("Repaired".to_owned(), Some(number)));
    let stamped = head(&site.pull_request(number));
    assert_eq!(site.parent(&stamped), first, "the commit with the changes was not made anew");
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(number)));

    // Another base makes both anew.
    let tip = site.somebody_commits("one\n");
    assert_eq!(site.done(&[]), ("Rebuilt".to_owned(), Some(number)));
    let rebuilt = head(&site.pull_request(number));
    let first = site.parent(&rebuilt);
    assert_eq!(site.parent(&first), tip);
    assert!(list(&site, &rebuilt).contains(&stamp(number, &first)));

    site.api("POST", &format!("/pulls/{number}/merge"), Some(json!({"Do": "squash"})));
    site.becomes_merged(number);
    assert_eq!(site.done(&[]).0, "BranchRemoved");
    assert_eq!(site.done(&[]), ("Nothing".to_owned(), None), "a stamp is no difference");
    site.reconcile(0, &["--publish", "commit"]);
    assert!(list(&site, "origin/main").contains(&stamp(number, &first)));

    let inventory = fs::read_to_string(site.inventory()).expect("the checkout is in order");
    fs::write(site.inventory(), inventory.replace("www.acme.example.org", "store.acme.example.org"))
        .expect("the checkout is in order");
    let (done, next) = site.done(&[]);
    let next = next.expect("a pull request");
    assert_eq!((done.as_str(), next > number), ("Opened", true));
    let stamped = head(&site.pull_request(next));
    let list = list(&site, &stamped);
    assert!(list.contains(&stamp(next, &site.parent(&stamped))) && list.matches("target:").count() == 1, "{list}");
    assert_eq!(site.done(&[]), ("Unchanged".to_owned(), Some(next)));

    // What somebody puts on top of a stamp is left alone as well.
    site.checkout.git(&["checkout", "--quiet", "-B", "theirs", &stamped]).expect("the checkout is in order");
    site.checkout
        .git(&["commit", "--quiet", "--amend", "--no-edit", "--allow-empty", "--date=2020-01-01"])
        .expect("the checkout is in order");
    push("HEAD");
    site.reconcile(7, &[]);
}
