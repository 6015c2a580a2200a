//! `diff --comment`: one comment on the pull request of a workflow, on no other server, and never instead of the result.
#![expect(clippy::disallowed_methods, reason = "these tests prepare files")]

use std::fs;

use serde_json::json;

use crate::support::{
    cli::{EDGE, Ran, Sandbox, finish},
    forge::{Forge, TOKEN, line},
};

const COMMENTS: &str = "/issues/7/comments";

/// Runs as a step of a workflow for the pull request 7; of its variables these are others, or, if empty, missing.
fn run(sandbox: &Sandbox, forge: &Forge, flags: &[&str], others: &[(&str, &str)]) -> Ran {
    let event = sandbox.root().join("event.json");
    fs::write(&event, json!({"action": "opened", "pull_request": {"number": 7}}).to_string()).expect("a file of ours");
    let mut command = sandbox.command(&[&["diff", "--inventory", EDGE, "--comment"], flags].concat());
    command
        .env("GITHUB_SERVER_URL", format!("{}/", forge.url()))
        .env("GITHUB_API_URL", format!("{}/api/v1", forge.url()))
        .env("GITHUB_REPOSITORY", "tenant-acme/shop")
        .env("GITHUB_EVENT_PATH", event)
        .env("GITHUB_REF", "refs/heads/main")
        .env("BOBBYPIN_GITEA_TOKEN", TOKEN)
        .envs(others.iter().copied());
    let ran = finish(&mut command);
    assert!(!ran.told().contains(TOKEN), "{}", ran.told());
    ran
}

/// A server that has these comments.
fn server(comments: &serde_json::Value) -> Forge {
    Forge::start(vec![
        line("GET //user", 200, json!({"login": "bot"}).to_string()),
        line(&format!("GET {COMMENTS}"), 200, comments.to_string()),
        line(&format!("POST {COMMENTS}"), 201, json!({"id": 3}).to_string()),
        line("PATCH /issues/comments/3", 200, json!({"id": 3}).to_string()),
    ])
}

/// The text that was written, and by which request.
fn written(forge: &Forge) -> (String, String) {
    let [write] = &forge.writes()[..] else { panic!("{:?}", forge.writes()) };
    let (request, body) = write.split_once(" {").expect("a body");
    let body: serde_json::Value = serde_json::from_str(&format!("{{{body}")).expect("JSON");
    (request.to_owned(), body["body"].as_str().expect("a text").to_owned())
}

#[test]
fn a_comment_is_made_once_and_changed_in_its_place() {
    let sandbox = Sandbox::edge();
    sandbox.reconcile().expect(0);
    sandbox.pull();
    let forge = server(&json!([]));
    let ran = run(&sandbox, &forge, &[], &[]).expect(0);
    assert_eq!(ran.stdout, "No changes.\n");
    let (request, first) = written(&forge);
    assert!(request.ends_with(&format!("POST {COMMENTS}")), "{request}");
    assert!(first.starts_with("<!-- bobbypin:diff -->\n") && first.ends_with("\nNo changes.\n"), "{first}");

    let forge = server(&json!([{"id": 3, "body": first, "user": {"login": "bot"}}]));
    run(&sandbox, &forge, &[], &[]).expect(0);
    assert_eq!(forge.writes(), Vec::<String>::new(), "it is there already");

    fs::remove_dir_all(sandbox.path("clusters/edge/manifests/host")).unwrap();
    let ran = run(&sandbox, &forge, &["-o", "markdown"], &[]).expect(1);
    let (request, second) = written(&forge);
    assert!(request.ends_with("PATCH /issues/comments/3"), "{request}");
    assert_eq!(second, format!("<!-- bobbypin:diff -->\n{}", ran.stdout));
}

#[test]
fn what_is_held_stands_above_the_difference_and_a_choice_of_clusters_has_its_own_comment() {
    let sandbox = Sandbox::edge();
    sandbox.replace("clusters/edge/pins.yaml", "digest: sha256:", "digest: sha256:");
    let pins = sandbox.read("clusters/edge/pins.yaml");
    let first = pins.find("  - name:").expect("a pin");
    let kept = pins[first..].find("\n  - name:").expect("a second pin") + first + 1;
    sandbox.write("clusters/edge/pins.yaml", format!("{}{}", &pins[..first], &pins[kept..]));
    let forge = server(&json!([]));
    run(&sandbox, &forge, &["--cluster", "edge"], &[]);
    let (_, text) = written(&forge);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("<!-- bobbypin:diff edge -->"));
    assert_eq!(lines.next(), Some("**Cautions**"));
    let cautions: Vec<_> = lines.by_ref().skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(!cautions.is_empty() && cautions.iter().all(|line| line.starts_with("- **held** `edge ")), "{text}");
    assert!(lines.next().is_some_and(|line| line.starts_with("<!-- bobbypin:change-set ")), "{text}");
}

#[test]
fn a_refused_comment_is_6_and_the_result_is_printed_all_the_same() {
    let sandbox = Sandbox::edge();
    let forge = Forge::start(vec![
        line("GET //user", 200, json!({"login": "bot"}).to_string()),
        line(&format!("GET {COMMENTS}"), 200, "[]"),
        line(&format!("POST {COMMENTS}"), 403, json!({"message": format!("token does not have at least one of required scope(s), required=[write:issue], token scope=read:issue {TOKEN}")}).to_string()),
    ]);
    let ran = run(&sandbox, &forge, &["-o", "json"], &[]).expect(6);
    assert_eq!(ran.json()["kind"], "Diff");
    assert!(ran.stderr.contains("`write:issue`") && ran.stderr.contains("pull request 7"), "{}", ran.stderr);
}

#[test]
fn without_a_pull_request_or_a_token_nothing_is_asked() {
    let sandbox = Sandbox::edge();
    let forge = server(&json!([]));
    let rows: [(&[(&str, &str)], &str); 6] = [
        (&[("BOBBYPIN_GITEA_TOKEN", "")], "there is no token to comment with"),
        (&[("GITHUB_EVENT_PATH", "")], "this workflow does not run for a pull request"),
        (
            &[("GITHUB_EVENT_PATH", ""), ("GITHUB_REF", "refs/pull/x/head")],
            "this workflow does not run for a pull request",
        ),
        (&[("GITHUB_SERVER_URL", "")], "GITHUB_SERVER_URL is not set"),
        (&[("GITHUB_REPOSITORY", "shop")], "are not the address of a repository"),
        (&[("GITHUB_API_URL", "https://api.github.com")], "--comment is for Gitea and Forgejo"),
    ];
    for (others, wanted) in rows {
        let ran = run(&sandbox, &forge, &[], others).expect(2);
        assert!(ran.stderr.contains(wanted) && ran.stdout.is_empty(), "{wanted}: {}", ran.told());
    }
    assert_eq!(forge.asked(), Vec::<String>::new());
    // The reference says it too.
    run(&sandbox, &forge, &[], &[("GITHUB_EVENT_PATH", ""), ("GITHUB_REF", "refs/pull/7/head")]).expect(1);
    assert!(written(&forge).0.ends_with(COMMENTS));
}
