//! The client for Gitea and Forgejo, against a server that answers by a script.
#![expect(clippy::disallowed_methods, reason = "it takes the time")]

mod commits;
mod pulls;

use std::time::{Duration, Instant};

use bobbypin::{
    edge::{
        gitea::{Address, Gitea, GiteaError, Software, Written},
        http::Credentials,
    },
    model::tree::CommitId,
};
use serde_json::{Value, json};

use crate::support::{
    forge::{Forge, Line, TOKEN, chain, line},
    scripted::Reply,
};

/// Time that is enough for everything that ends by itself.
const ENOUGH: Duration = Duration::from_secs(20);

const BASE: &str = "1111111111111111111111111111111111111111";
const OURS: &str = "2222222222222222222222222222222222222222";
const THEIRS: &str = "3333333333333333333333333333333333333333";

fn id(text: &str) -> CommitId {
    CommitId::parse(text).expect("a literal that parses")
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A pull request of the branch `bobbypin/changes` for `main`.
fn pull(number: u64, state: &str, head: &str) -> Value {
    json!({
        "number": number, "html_url": format!("https://git.example.org/tenant-acme/shop/pulls/{number}"),
        "state": state, "merged": false, "title": "Pin the chart", "body": "Two hosts.", "user": {"login": "bot"},
        "base": {"label": "main", "ref": "main", "sha": BASE, "repo_id": 4},
        "head": {"label": "bobbypin/changes", "ref": "bobbypin/changes", "sha": head, "repo_id": 4},
        "labels": [{"id": 1, "name": "bot"}], "assignees": [{"login": "ada"}], "requested_reviewers": null,
        "updated_at": "2026-11-20T10:00:00Z", "unknown": {"field": 1},
    })
}

fn with(mut value: Value, key: &str, new: Value) -> Value {
    value[key] = new;
    value
}

fn branch(commit: &str) -> String {
    json!({"name": "main", "commit": {"id": commit}}).to_string()
}

fn commit(commit: &str, message: &str, parents: &[&str]) -> Value {
    let parents: Vec<_> = parents.iter().map(|sha| json!({"sha": sha})).collect();
    let author = json!({"name": "bobbypin", "email": "bot@example.org", "date": "2026-11-21T10:00:00Z"});
    json!({"sha": commit, "commit": {"author": author, "message": message}, "parents": parents})
}

/// What the client says of one script, with the server's address made the same for all runs.
fn said<T: std::fmt::Debug>(
    script: Vec<Line>,
    time: Duration,
    run: impl FnOnce(&Gitea<'_>) -> Result<T, GiteaError>,
) -> (String, Option<String>, usize) {
    let forge = Forge::start(script);
    let error = forge.client(time, run).expect_err("the script is one of a failure");
    let plain = |text: String| text.replace(&forge.url(), "https://git.example.org/git");
    let hint = error.hint().map(plain);
    assert!(!hint.as_deref().unwrap_or_default().contains(TOKEN));
    (plain(chain(&error)), hint, forge.asked().len())
}

#[test]
fn an_address_is_found_in_every_form_of_a_remote() {
    let plain = "https://git.example.org/tenant-acme/shop";
    for (remote, server, found) in [
        ("https://git.example.org/tenant-acme/shop.git", None, Some(plain)),
        ("https://git.example.org/tenant-acme/shop/", None, Some(plain)),
        ("HTTPS://bot:hunter2@Git.Example.org/tenant-acme/shop", None, Some(plain)),
        ("http://127.0.0.1:3000/a.b/c_d-e.git", None, Some("http://127.0.0.1:3000/a.b/c_d-e")),
        ("http://[::1]:3000/a/b", None, Some("http://[::1]:3000/a/b")),
        ("https://h/deep/er/a/b.git", None, Some("https://h/deep/er/a/b")),
        ("https://h/git/a/b.git", Some("https://h/git/"), Some("https://h/git/a/b")),
        ("https://h/git/a/b.git", Some("http://gitea.svc:3000/git"), Some("http://gitea.svc:3000/git/a/b")),
        ("https://h/git/a/b.git", Some("https://h"), None),
        ("https://h/git/a/b.git", Some("https://h/gi"), None),
        ("https://h/a/b.git", Some("https://h/git"), None),
        ("https://h/a/b.git", Some("h/git"), None),
        ("ssh://git@git.example.org:2222/tenant-acme/shop.git", None, Some(plain)),
        ("ssh://git@[::1]:22/a/b", None, Some("https://[::1]/a/b")),
        ("git@git.example.org:tenant-acme/shop.git", None, Some(plain)),
        ("git.example.org:/tenant-acme/shop", None, Some(plain)),
        ("git@[::1]:a/b.git", None, Some("https://[::1]/a/b")),
        ("git@ssh.example.org:a/b.git", Some("https://git.example.org/git"), Some("https://git.example.org/git/a/b")),
        ("git@h:below/a/b.git", None, None),
        ("https://h/only", None, None),
        ("https://h/a/..", None, None),
        ("https://h/a/b?x=y", None, None),
        ("https://h//a/b", None, None),
        ("https:///a/b", None, None),
        ("https://h/a%2Fb/c", None, None),
        ("https://h/a\n/b", None, None),
        ("file:///srv/a/b.git", None, None),
        ("/srv/a/b.git", None, None),
        ("./a:b/c", None, None),
        ("ext::sh -c a/b", None, None),
        ("", None, None),
    ] {
        let address = Address::of_remote(remote, server).map(|address| address.to_string());
        assert_eq!(address.as_deref(), found, "{remote:?} with {server:?}");
    }
    let address = Address::of_remote("https://h/git/a/b.git", None).unwrap();
    assert_eq!((address.server(), address.owner(), address.name()), ("https://h/git", "a", "b"));
}

#[test]
fn every_refusal_has_its_message_and_its_hint() {
    let scope = r#"{"message":"token does not have at least one of required scope(s), required=[write:repository], token scope=read:repository","url":"x"}"#;
    let echo = format!(r#"{{"message":"no token \u001b[31m{TOKEN}\r\nhere","url":"x"}}"#);
    let page = "content-type: text/html; charset=utf-8\r\n";
    let html = "<!DOCTYPE html><html><head><TITLE>\n Sign in \u{202e} here</TITLE></head></html>";
    let long = format!(r#"{{"message":"{}"}}"#, "word ".repeat(200));
    let answer = |status, headers: &str, body: &str| {
        let reply = Reply::Answer(status, headers.to_owned(), body.as_bytes().to_vec());
        vec![Line { request: "GET /pulls/7".to_owned(), reply }]
    };
    let mut shown = String::new();
    for (name, script) in [
        ("401", answer(401, "", r#"{"message":"invalid username, password or token"}"#)),
        ("the token comes back", answer(401, "", &echo)),
        ("a scope is missing", answer(403, "", scope)),
        ("a scope to read what is written next", answer(403, "", &scope.replace("write:repository", "read:issue"))),
        ("403", answer(403, "", r#"{"message":"user should have a permission to write to a repo"}"#)),
        ("404", answer(404, "", r#"{"errors":null,"message":"not found","url":"x"}"#)),
        ("405", answer(405, "", r#"{"message":"Work in progress PRs cannot be merged"}"#)),
        ("409", answer(409, "", r#"{"message":"head out of date"}"#)),
        ("413", answer(413, page, "<html><title>413 Request Entity Too Large</title></html>")),
        ("422", answer(422, "", r#"{"message":"[Branch]: Required"}"#)),
        ("423", answer(423, "", r#"{"message":"Repo is archived"}"#)),
        ("429", answer(429, "retry-after: 3600\r\n", "")),
        (
            "429 with a date",
            answer(429, "date: Sat, 21 Nov 2026 10:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 11:00:00 GMT\r\n", ""),
        ),
        ("500", answer(500, "", r#"{"message":"","url":"x"}"#)),
        ("503", answer(503, "retry-after: 99\r\n", "upstream is away")),
        ("418", answer(418, "", &long)),
        ("a login page", answer(200, page, html)),
        ("a page that does not say so", answer(200, "", "  <html></html>")),
        ("renamed", answer(301, "location: /git/api/v1/repos/tenant-acme/store/pulls/7\r\n", "")),
        ("moved", answer(307, "location: https://new.example.org/api/v1/repos/a/b/pulls/7?x=y\r\n", "")),
        ("a login", answer(302, &format!("location: /user/login/{TOKEN}?next=x\r\n"), "")),
        ("308", answer(308, "location: https://sso.example.org/\r\n", "")),
        ("no JSON", answer(200, "", "it works")),
        ("a number as a text", answer(200, "", &with(pull(7, "open", OURS), "number", json!("7")).to_string())),
        ("a list", answer(200, "", "[1]")),
        ("an unknown state", answer(200, "", &pull(7, "asleep", OURS).to_string())),
        ("an id that is none", answer(200, "", &pull(7, "open", "HEAD").to_string())),
    ] {
        let (message, hint, asked) = said(script, Duration::from_secs(5), |gitea| gitea.pull_request(7));
        let hint = hint.map_or_else(String::new, |hint| format!("  hint: {hint}\n"));
        shown.push_str(&format!("{name} ({asked})\n  {message}\n{hint}"));
    }
    insta::assert_snapshot!(shown, @r#"
    401 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 401, the token is unknown or has expired: invalid username, password or token
      hint: make a new token in the settings of its user (Applications), and give it in BOBBYPIN_GITEA_TOKEN
    the token comes back (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 401, the token is unknown or has expired: no token [31m*** here
      hint: make a new token in the settings of its user (Applications), and give it in BOBBYPIN_GITEA_TOKEN
    a scope is missing (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the token lacks a scope that this needs (403): token does not have at least one of required scope(s), required=[write:repository], token scope=read:repository
      hint: make a token that has `write:repository` besides its other scopes, and give it in BOBBYPIN_GITEA_TOKEN
    a scope to read what is written next (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the token lacks a scope that this needs (403): token does not have at least one of required scope(s), required=[read:issue], token scope=read:repository
      hint: make a token that has `write:issue` besides its other scopes, and give it in BOBBYPIN_GITEA_TOKEN
    403 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 403, that is forbidden: user should have a permission to write to a repo
      hint: let the user of the token write to the repository, or change the rules of the branch
    404 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 404, it is missing, or the token may not see it: not found
      hint: check the address of the repository and the names in bobbypin.yaml, and that the user of the token may see it
    405 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 405, that cannot be done now: Work in progress PRs cannot be merged
      hint: look at the pull request: it says there what it waits for and how it may be merged
    409 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 409, something stands against it: head out of date
      hint: run again; when it stays, look at the pull request
    413 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 413, that is more than it takes: 413 Request Entity Too Large
      hint: raise the limit of the proxy before the server (nginx: client_max_body_size)
    422 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 422, that is not acceptable to it: [Branch]: Required
      hint: check the branch, labels, assignees and reviewers in bobbypin.yaml
    423 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 423, the repository is archived: Repo is archived
      hint: unarchive the repository in its settings, or remove it from where bobbypin runs
    429 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 429, there were too many requests (not before 3600s)
      hint: run again later, or less often
    429 with a date (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 429, there were too many requests (not before 3600s)
      hint: run again later, or less often
    500 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 500, it failed
      hint: run again when the server is well; its log says more
    503 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 503, it failed: upstream is away (not before 99s)
      hint: run again when the server is well; its log says more
    418 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 418, which is unexpected: word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word …
    a login page (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: a web page came instead of an answer of the API (200): “Sign in  here”
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    a page that does not say so (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: a web page came instead of an answer of the API (200): it has no title
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    renamed (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 301: the repository is now `https://git.example.org/git/tenant-acme/store`
      hint: set the remote to `https://git.example.org/git/tenant-acme/store`
    moved (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server answers 307: the repository is now `https://new.example.org/a/b`
      hint: set the remote to `https://new.example.org/a/b`
    a login (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server sends elsewhere (302, to `/user/login/***`), and nothing is followed because credentials would go along
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    308 (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the server sends elsewhere (308, to `https://sso.example.org/`), and nothing is followed because credentials would go along
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    no JSON (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the answer is not understood: expected value at line 1 column 1
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    a number as a text (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the answer is not understood: invalid type: string "7", expected u64 at line 1 column 13
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    a list (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the answer is not understood: invalid length 2, expected a pull request at line 1 column 3
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    an unknown state (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the answer is not understood: `asleep` is no state of a pull request
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    an id that is none (1)
      cannot read the pull request 7 in https://git.example.org/git/tenant-acme/shop: the answer is not understood: `HEAD` is no commit id of 40 digits
      hint: set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there
    "#);
}

#[test]
fn without_an_answer_the_reason_of_the_connection_is_given() {
    let nothing = || vec![Line { request: "GET /pulls/7".to_owned(), reply: Reply::Nothing }];
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    let drip = vec![Line { request: "GET /pulls/7".to_owned(), reply: Reply::Drip(head) }];
    let begun = Instant::now();
    let (broken, _, asked) = said(nothing(), Duration::from_secs(1), |gitea| gitea.pull_request(7));
    assert!(broken.contains(": no answer from http://127.0.0.1"), "{broken}");
    assert!(broken.contains("the connection broke"), "{broken}");
    assert_eq!(asked, 3, "after 0, 250 and 750 ms");
    let (slow, hint, _) = said(drip, Duration::from_millis(300), |gitea| gitea.pull_request(7));
    assert!(slow.ends_with("there was no whole answer within 300ms"), "{slow}");
    assert_eq!(hint.as_deref(), Some("run again; for more time: --timeout"));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_changes_nothing_new_is_repeated_and_what_makes_something_is_not() {
    let nothing = |request: &str| Line { request: request.to_owned(), reply: Reply::Nothing };
    let busy = |request: &str, status| line(request, status, "");
    let open = || pull(7, "open", OURS).to_string();
    // Reading, and setting something to how it is to be.
    for first in [nothing("GET /pulls/7"), busy("GET /pulls/7", 503), busy("GET /pulls/7", 429)] {
        let forge = Forge::start(vec![
            first,
            line("GET /pulls/7", 200, open()),
            busy("PATCH /pulls/7", 502),
            nothing("PATCH /pulls/7"),
            line("PATCH /pulls/7", 201, open()),
        ]);
        assert_eq!(forge.client(ENOUGH, |gitea| gitea.close(7)).unwrap(), Written::Updated);
        assert_eq!(forge.asked().len(), 5);
    }
    // Making something: only when the server did not even look at it.
    for (first, tries) in [
        (nothing("POST /pulls/7/requested_reviewers"), 1),
        (busy("POST /pulls/7/requested_reviewers", 503), 1),
        (busy("POST /pulls/7/requested_reviewers", 500), 1),
        (busy("POST /pulls/7/requested_reviewers", 429).with("retry-after: 0"), 2),
    ] {
        let forge = Forge::start(vec![
            line("GET /pulls/7", 200, open()),
            line("GET /pulls/7/reviews", 200, "[]"),
            first,
            line("POST /pulls/7/requested_reviewers", 201, "[]"),
        ]);
        let result = forge.client(ENOUGH, |gitea| gitea.request_reviewers(7, &names(&["eve"])));
        assert_eq!((forge.writes().len(), result.is_ok()), (tries, tries == 2));
    }
}

#[test]
fn a_list_is_read_to_its_end_whatever_sign_the_server_gives() {
    let reviews = |from: u64, to: u64| {
        let items: Vec<_> =
            (from..to).map(|id| json!({"id": id, "user": {"login": format!("u{id}")}, "state": "APPROVED"})).collect();
        Value::from(items).to_string()
    };
    let page = |page: u32, body: String| line(&format!("GET /pulls/7/reviews?page={page}&limit=50"), 200, body);
    let next = r#"link: <https://git.example.org/x?page=2>; rel="next",<https://git.example.org/x?page=3>; rel="last""#;
    let first = r#"link: <https://git.example.org/x?page=1>; rel="first""#;
    for (name, script, found, pages) in [
        ("links", vec![page(1, reviews(0, 2)).with(next), page(2, reviews(2, 4)).with(first)], 4, 2),
        (
            "a total",
            vec![page(1, reviews(0, 2)).with("x-total-count: 3"), page(2, reviews(2, 3)).with("x-total-count: 3")],
            3,
            2,
        ),
        ("a total at once", vec![page(1, reviews(0, 3)).with("x-total-count: 3")], 3, 1),
        ("a shorter page", vec![page(1, reviews(0, 3)), page(2, reviews(3, 4))], 4, 2),
        ("an empty page", vec![page(1, reviews(0, 3)), page(2, reviews(3, 6)), page(3, "null".to_owned())], 6, 3),
        ("all on every page", vec![page(1, reviews(0, 3)), page(2, reviews(0, 3))], 3, 2),
        (
            "a total that is never reached",
            vec![page(1, reviews(0, 3)).with("x-total-count: 9"), page(2, "[]".to_owned())],
            3,
            2,
        ),
        ("a list that moved on", vec![page(1, reviews(0, 3)), page(2, reviews(2, 4))], 4, 2),
    ] {
        let forge = Forge::start(script);
        let reviewers = forge.client(ENOUGH, |gitea| gitea.reviewed_by(7)).unwrap();
        // After a page that was as long as the others one more is asked for.
        assert_eq!((reviewers.len(), forge.asked().len()), (found, pages), "{name}");
    }
}

#[test]
fn the_program_and_its_version_are_told_apart() {
    for (text, software, number) in [
        ("1.26.0", Software::Gitea, Some((1, 26))),
        ("1.27.0+dev-12-gabcdef", Software::Gitea, Some((1, 27))),
        ("11.0.1+gitea-1.22.0", Software::Forgejo, Some((11, 0))),
        ("development", Software::Gitea, None),
    ] {
        let forge = Forge::start(vec![line("GET //version", 200, json!({"version": text}).to_string())]);
        let version = forge.client(ENOUGH, |gitea| gitea.version()).unwrap();
        assert_eq!((version.software, version.number, version.text.as_str()), (software, number, text));
    }
}

#[test]
fn whose_token_it_is_may_stay_unknown() {
    for (status, body, login) in [
        (200, r#"{"login":"bot","id":3}"#, Ok(Some("bot".to_owned()))),
        (403, r#"{"message":"required=[read:user], token scope=write:repository"}"#, Ok(None)),
        (401, r#"{"message":"no"}"#, Err(Some(401))),
    ] {
        let forge = Forge::start(vec![line("GET //user", status, body)]);
        assert_eq!(forge.client(ENOUGH, |gitea| gitea.login()).map_err(|error| error.status()), login);
    }
}

#[test]
fn a_branch_is_absent_only_in_a_repository_that_can_be_seen() {
    let missing = || line("GET /branches/main", 404, r#"{"message":"not found"}"#);
    let deleted = || line("DELETE /branches/bobbypin/ch%23nges", 404, "{}");
    let seen = || line("GET ", 200, "{}");
    for (script, found) in [
        (vec![line("GET /branches/main", 200, branch(BASE))], Ok(Some(id(BASE)))),
        (vec![missing(), seen()], Ok(None)),
        (vec![missing(), line("GET ", 404, "{}")], Err(Some(404))),
    ] {
        let forge = Forge::start(script);
        assert_eq!(forge.client(ENOUGH, |gitea| gitea.branch("main")).map_err(|error| error.status()), found);
    }
    for (script, outcome) in [
        (vec![line("DELETE /branches/bobbypin/ch%23nges", 204, "")], Ok(())),
        (vec![deleted(), seen()], Ok(())),
        (vec![deleted(), line("GET ", 404, "{}")], Err(Some(404))),
        (vec![line("DELETE /branches/bobbypin/ch%23nges", 403, r#"{"message":"branch protected"}"#)], Err(Some(403))),
    ] {
        let forge = Forge::start(script);
        let result = forge.client(ENOUGH, |gitea| gitea.delete_branch("bobbypin/ch#nges"));
        assert_eq!(result.map_err(|error| error.status()), outcome);
    }
}

#[test]
fn a_hostile_server_costs_little_time_and_memory() {
    let begun = Instant::now();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let (first, more) = (format!("{head}[{{\"id\":1}}"), r#",{"id":1}"#.repeat(1000));
    let reply = Reply::Flood(first.into_bytes(), more.into_bytes());
    let flood = vec![Line { request: "GET /pulls/7/reviews".to_owned(), reply }];
    // More items on a page than anybody asked for, in few bytes; and many bytes.
    let (message, ..) = said(flood, ENOUGH, |gitea| gitea.reviewed_by(7));
    assert!(message.ends_with("its answer is longer than 32 MiB"), "{message}");
    let many = format!("[{}]", r#"{"id":1},"#.repeat(10_001).trim_end_matches(','));
    let (message, ..) = said(vec![line("GET /pulls/7/reviews", 200, many)], ENOUGH, |gitea| gitea.reviewed_by(7));
    assert!(message.contains("invalid length 10001, expected a list of at most 10000"), "{message}");
    // Pages without an end.
    let pages = (1..=12).map(|page| {
        let items: Vec<_> = (0..10_000).map(|item| json!({"id": page * 10_000 + item})).collect();
        line("GET /pulls/7/reviews", 200, Value::from(items).to_string()).with(r#"link: <x>; rel="next""#)
    });
    let (message, _, asked) = said(pages.collect(), ENOUGH, |gitea| gitea.reviewed_by(7));
    assert!(message.ends_with("the list does not end: 11 pages were read"), "{message}");
    assert_eq!(asked, 11);
    // Something so deep that a parser may fall over.
    let deep = vec![line("GET /pulls/7", 200, "[".repeat(1 << 20))];
    let (message, ..) = said(deep, ENOUGH, |gitea| gitea.pull_request(7));
    assert!(message.contains("the answer is not understood"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn no_form_of_the_credentials_gets_into_a_text() {
    let basic = Credentials::Basic { username: "bot".to_owned(), password: TOKEN.into() };
    // `bot:` and the token, as the header has it.
    let header = "Ym90OmNhbmFyeS10b2tlbi01MWM3ZTBhYTkz";
    for body in [
        format!(r#"{{"message":"you sent Basic {header} which is {TOKEN}"}}"#),
        format!("you sent Basic {header} which is {TOKEN}"),
        format!("<html><title>Basic {header} is {TOKEN}</title>"),
    ] {
        let forge = Forge::start(vec![line("GET /pulls/7", 401, body)]);
        let error = forge.client_of(&basic, ENOUGH, |gitea| {
            assert!(!format!("{gitea:?}").contains(TOKEN));
            gitea.pull_request(7).expect_err("it is refused")
        });
        let text = chain(&error);
        assert!(!text.contains(header) && text.contains("***"), "{text}");
    }
    let script = vec![line("GET /pulls/7", 200, format!(r#"{{"number":"{TOKEN}"}}"#))];
    let (message, ..) = said(script, ENOUGH, |gitea| gitea.pull_request(7));
    assert!(message.contains(r#"string "***", expected u64"#), "{message}");
}
