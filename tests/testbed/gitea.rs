//! The Git server of the testbed is a real one: it keeps what is pushed, refuses what it must, and runs workflows.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    checkout::Checkout,
    gitea::{Gitea, Options},
    poll,
    runner::Runner,
};

#[test]
fn what_is_pushed_is_read_back_through_the_api() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-pushes");
    let repo = gitea.repository(&owner, "clusters");
    let before = gitea.branch_head(&repo, "main");
    let checkout = gitea.git(&repo, &owner);
    checkout.write("edge/values.yaml", "on: false\n");
    let commit = checkout.commit("add values");
    checkout.push().unwrap();
    assert_eq!(gitea.branch_head(&repo, "main"), commit);
    assert_eq!(gitea.file(&repo, "edge/values.yaml", "main").as_deref(), Some("on: false\n"));
    assert_eq!(gitea.file(&repo, "edge/values.yaml", &commit).as_deref(), Some("on: false\n"));
    assert_eq!(gitea.file(&repo, "edge/values.yaml", &before), None);
    assert_eq!(gitea.file(&repo, "edge/values.yaml", "nowhere"), None);
}

#[test]
fn a_token_may_do_what_its_scopes_say() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-scopes");
    let repo = gitea.repository(&owner, "clusters");
    let status = |token, method: &str, path: &str| {
        gitea.api(method, path, token, Some(json!({"name": "bug", "color": "#aa0000"}))).0
    };
    let labels = format!("{}/labels", repo.path());
    let (reads, writes) = (
        gitea.token(&owner, &["read:repository", "read:issue"]),
        gitea.token(&owner, &["write:repository", "write:issue"]),
    );
    assert_eq!(status(Some(&*reads), "GET", &labels), 200);
    assert_eq!(status(Some(&*reads), "POST", &labels), 403);
    assert_eq!(status(Some(&*writes), "POST", &labels), 201);
    assert_eq!(status(None, "POST", &labels), 401);
    assert_eq!(status(Some(gitea.admin_token()), "GET", "/admin/users"), 200);
}

#[test]
fn a_protected_branch_refuses_a_push() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-protected");
    let repo = gitea.repository(&owner, "clusters");
    gitea.protect(&repo, json!({"rule_name": "main", "enable_push": false}));
    let before = gitea.branch_head(&repo, "main");
    let checkout = gitea.git(&repo, &owner);
    checkout.write("README.md", "changed\n");
    checkout.commit("change the README");
    let refusal = checkout.push().unwrap_err();
    assert!(refusal.contains("Not allowed to push to protected branch main"), "{refusal}");
    assert_eq!(gitea.branch_head(&repo, "main"), before);
    checkout.git(&["switch", "--quiet", "--create", "proposal"]).unwrap();
    checkout.push().unwrap();
    assert_ne!(gitea.branch_head(&repo, "proposal"), before);
}

#[test]
fn a_server_below_a_path_that_speaks_tls_is_reached_by_who_trusts_its_authority() {
    let gitea = Gitea::start(&Options { path: "/git".to_owned(), tls: true, ..Options::default() });
    assert!(gitea.url().starts_with("https://127.0.0.1:") && gitea.url().ends_with("/git"), "{}", gitea.url());
    let owner = gitea.user("tenant-acme");
    let repo = gitea.repository(&owner, "clusters");
    let checkout = gitea.git(&repo, &owner);
    checkout.write("one", "1\n");
    checkout.commit("add one");
    checkout.push().unwrap();
    assert_eq!(gitea.file(&repo, "one", "main").as_deref(), Some("1\n"));
    // It waits until the server has taken it.
    let _runner = Runner::start(&gitea, &repo, &Runner::path_of_tests());
    let refusal = Checkout::clone(&repo.url, None).unwrap_err();
    assert!(refusal.contains("certificate"), "{refusal}");
}

#[test]
fn a_server_takes_further_settings() {
    let settings = "[repository]\nDISABLE_HTTP_GIT = true\n".to_owned();
    let gitea = Gitea::start(&Options { settings, ..Options::default() });
    let owner = gitea.user("tenant-acme");
    let repo = gitea.repository(&owner, "clusters");
    let refusal = Checkout::clone(&repo.url, None).unwrap_err();
    assert!(refusal.contains("403"), "{refusal}");
}

#[test]
fn a_pushed_workflow_runs_on_this_machine_and_says_so_at_the_commit() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-workflows");
    let repo = gitea.repository(&owner, "clusters");
    let tools = tempfile::tempdir().unwrap();
    let runner = Runner::start(gitea, &repo, &format!("{}:{}", tools.path().display(), Runner::path_of_tests()));
    let mark = tools.path().join("mark");
    let checkout = gitea.git(&repo, &owner);
    checkout.write(
        ".gitea/workflows/check.yaml",
        &format!(
            "name: tests
on: [push]
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - run: |
          git clone --quiet '{}' . && test -e README.md
          echo \"$PATH\" >'{}'
        env: {{GIT_CONFIG_GLOBAL: /dev/null}}
  refuse:
    runs-on: ubuntu-latest
    steps: [{{run: exit 3}}]
",
            repo.url,
            mark.display()
        ),
    );
    let commit = checkout.commit("add a workflow");
    checkout.push().unwrap();
    let mut last = gitea.statuses(&repo, &commit);
    poll(Duration::from_secs(60), || {
        last = gitea.statuses(&repo, &commit);
        (last.len() == 2 && last.values().all(|status| status != "pending")).then_some(())
    });
    let said: Vec<_> = last.iter().map(|(context, status)| (context.as_str(), status.as_str())).collect();
    let wanted = [("tests / check (push)", "success"), ("tests / refuse (push)", "failure")];
    assert_eq!(said, wanted, "\n{}", runner.printed());
    let path = std::fs::read_to_string(mark).unwrap();
    assert!(path.starts_with(&tools.path().display().to_string()), "{path}");
}
