//! Pull requests and what belongs to them.

use std::time::Duration;

use bobbypin::{
    edge::gitea::{AutoMerge, Edit, GiteaProblem, NewPullRequest, Status, StatusState, Webhook, Written},
    model::repository::MergeStyle,
};
use serde_json::{Value, json};

use crate::{
    gitea_client::{BASE, ENOUGH, OURS, THEIRS, id, names, pull, said, with},
    support::{
        forge::{Forge, Line, line},
        scripted::Reply,
    },
};

#[test]
fn pull_requests_are_those_of_the_two_branches_newest_first_and_never_those_of_forks() {
    let of_fork = with(
        pull(9, "open", OURS),
        "head",
        json!({"label": "bobbypin/changes", "ref": "bobbypin/changes", "sha": OURS, "repo_id": 5}),
    );
    let of_gone_fork = with(
        pull(10, "open", OURS),
        "head",
        json!({"label": "bobbypin/changes", "ref": "refs/pull/10/head", "sha": OURS, "repo_id": -1}),
    );
    let other =
        with(pull(11, "open", OURS), "base", json!({"label": "next", "ref": "next", "sha": BASE, "repo_id": 4}));
    let prefix = with(
        pull(12, "open", ""),
        "head",
        json!({"label": "bobbypin/changes-2", "ref": "bobbypin/changes-2", "sha": "", "repo_id": 4}),
    );
    let merged = with(with(pull(2, "closed", THEIRS), "merged", json!(true)), "body", Value::Null);
    let gone = with(
        pull(3, "closed", THEIRS),
        "head",
        json!({"label": "bobbypin/changes", "ref": "refs/pull/3/head", "sha": THEIRS, "repo_id": 4}),
    );
    let list = json!([merged, gone, of_fork, of_gone_fork, other, prefix, pull(7, "open", OURS)]);
    let forge = Forge::start(vec![line("GET /pulls", 200, list.to_string()).with("x-total-count: 7")]);
    let found = forge.client(ENOUGH, |gitea| gitea.pull_requests("main", "bobbypin/changes")).unwrap();
    let brief: Vec<_> =
        found.iter().map(|pull| format!("{} {:?} {}", pull.number, pull.state, pull.head_branch)).collect();
    assert_eq!(brief, ["7 Open bobbypin/changes", "3 Closed bobbypin/changes", "2 Merged bobbypin/changes"]);
    assert_eq!(forge.asked(), ["GET /pulls?state=all&base_branch=main&page=1&limit=50"]);
    insta::assert_debug_snapshot!(found[0], @r#"
    PullRequest {
        number: 7,
        url: "https://git.example.org/tenant-acme/shop/pulls/7",
        state: Open,
        title: "Pin the chart",
        body: "Two hosts.",
        author: Some(
            "bot",
        ),
        base: "main",
        head_branch: "bobbypin/changes",
        head: CommitId(
            "2222222222222222222222222222222222222222",
        ),
        labels: [
            "bot",
        ],
        assignees: [
            "ada",
        ],
        requested_reviewers: [],
        updated: Some(
            2026-11-20T10:00:00Z,
        ),
    }
    "#);
}

#[test]
fn a_pull_request_is_made_once() {
    let new =
        NewPullRequest { base: "main", head: "bobbypin/changes", title: "t", body: "b", assignees: &names(&["ada"]) };
    let make = |script| {
        let forge = Forge::start(script);
        let made = forge.client(ENOUGH, |gitea| gitea.create_pull_request(&new));
        (made.map(|pull| pull.number).map_err(|error| error.status()), forge.asked())
    };
    let post = r#"POST /pulls {"base":"main","head":"bobbypin/changes","title":"t","body":"b","assignees":["ada"]}"#;
    let open = "GET /pulls?state=open&base_branch=main&page=1&limit=50";
    let list = |pulls: Value| line("GET /pulls", 200, pulls.to_string()).with("x-total-count: 1");
    let mine = || list(json!([pull(7, "open", OURS)]));
    let lost = || Line { request: "POST /pulls".to_owned(), reply: Reply::Nothing };
    let there = || line("POST /pulls", 409, r#"{"message":"pull request already exists for these targets"}"#);

    assert_eq!(make(vec![line("POST /pulls", 201, pull(7, "open", OURS).to_string())]), (Ok(7), names(&[post])));
    assert_eq!(make(vec![there(), mine()]), (Ok(7), names(&[post, open])));
    assert_eq!(make(vec![lost(), mine()]), (Ok(7), names(&[post, open])));
    assert_eq!(make(vec![there(), list(json!([]))]), (Err(Some(409)), names(&[post, open])));
    assert_eq!(make(vec![lost(), list(json!([]))]), (Err(None), names(&[post, open])));
    let refused = line("POST /pulls", 422, r#"{"message":"Assignee does not exist: [name: ada]"}"#);
    assert_eq!(make(vec![refused]), (Err(Some(422)), names(&[post])));
}

#[test]
fn a_pull_request_is_changed_only_where_it_differs() {
    let text = with(pull(7, "open", OURS), "body", json!("One.\r\nTwo.\r\n"));
    for (edit, write) in [
        (Edit { title: Some("Pin the chart"), body: Some("One.\nTwo."), assignees: Some(&names(&["Ada"])) }, None),
        (Edit::default(), None),
        (Edit { title: Some("New"), body: Some("One.\nTwo."), assignees: None }, Some(r#"{"title":"New"}"#)),
        (Edit { title: None, body: Some(""), assignees: None }, Some(r#"{"body":""}"#)),
        (Edit { title: None, body: None, assignees: Some(&names(&["eve"])) }, Some(r#"{"assignees":["ada","eve"]}"#)),
    ] {
        let forge = Forge::start(vec![line("GET /pulls/7", 200, text.to_string()), line("PATCH /pulls/7", 201, "{}")]);
        let written = forge.client(ENOUGH, |gitea| gitea.edit_pull_request(7, &edit)).unwrap();
        assert_eq!(written, if write.is_some() { Written::Updated } else { Written::Unchanged });
        let write = write.map(|body| format!("PATCH /pulls/7 {body}"));
        assert_eq!(forge.writes(), write.into_iter().collect::<Vec<_>>());
    }
    for (state, writes) in [("open", vec![r#"PATCH /pulls/7 {"state":"closed"}"#]), ("closed", vec![])] {
        let now = pull(7, state, OURS).to_string();
        let forge = Forge::start(vec![line("GET /pulls/7", 200, now), line("PATCH /pulls/7", 201, "{}")]);
        forge.client(ENOUGH, |gitea| gitea.close(7)).unwrap();
        assert_eq!(forge.writes(), writes);
    }
}

#[test]
fn a_change_that_somebody_interferes_with_is_computed_anew() {
    let titled = |title: &str| with(pull(7, "open", OURS), "title", json!(title)).to_string();
    let edit = Edit { title: Some("New"), body: None, assignees: None };
    // Some races Gitea answers with its own failure.
    for status in [409, 500] {
        let late = || line("PATCH /pulls/7", status, r#"{"message":"the issue is already changed"}"#);
        for (meanwhile, written, writes) in [("New", Written::Unchanged, 1), ("Other", Written::Updated, 2)] {
            let script = vec![
                line("GET /pulls/7", 200, titled("Old")),
                late(),
                line("GET /pulls/7", 200, titled(meanwhile)),
                line("PATCH /pulls/7", 201, "{}"),
            ];
            let forge = Forge::start(script);
            assert_eq!(forge.client(ENOUGH, |gitea| gitea.edit_pull_request(7, &edit)).unwrap(), written);
            assert_eq!(forge.writes().len(), writes, "{status}: {meanwhile}");
        }
        let is = |state: &str| line("GET /pulls/7", 200, pull(7, state, OURS).to_string());
        let forge = Forge::start(vec![is("open"), late(), is("closed")]);
        assert_eq!(forge.client(ENOUGH, |gitea| gitea.close(7)).unwrap(), Written::Unchanged, "{status}");
        assert_eq!(forge.writes().len(), 1, "{status}");
        // One that goes on failing is believed in the end.
        let forge = Forge::start(vec![is("open"), late()]);
        let error = forge.client(ENOUGH, |gitea| gitea.close(7)).unwrap_err();
        assert_eq!((error.status(), forge.writes().len()), (Some(status), 4));
    }
}

#[test]
fn labels_that_are_missing_are_made_and_none_is_taken_away() {
    let label = |id: u64, name: &str| json!({"id": id, "name": name});
    let has = |labels: Value| line("GET /issues/7/labels", 200, labels.to_string());
    let known =
        || line("GET /labels", 200, json!([label(1, "bot"), label(2, "dns")]).to_string()).with("x-total-count: 2");
    let wanted = names(&["bot", "dns", "hairpin"]);

    let all = json!([label(1, "bot"), label(2, "dns"), label(3, "hairpin"), label(4, "own")]);
    let forge = Forge::start(vec![has(all.clone())]);
    assert_eq!(forge.client(ENOUGH, |gitea| gitea.ensure_labels(7, &wanted)).unwrap(), Written::Unchanged);
    assert_eq!(forge.asked(), ["GET /issues/7/labels"]);

    let forge = Forge::start(vec![
        has(json!([label(1, "bot"), label(4, "own")])),
        known(),
        line("POST /labels", 201, label(3, "hairpin").to_string()),
        line("POST /issues/7/labels", 200, all.to_string()),
    ]);
    assert_eq!(forge.client(ENOUGH, |gitea| gitea.ensure_labels(7, &wanted)).unwrap(), Written::Updated);
    let writes =
        [r##"POST /labels {"name":"hairpin","color":"#1d76db"}"##, r#"POST /issues/7/labels {"labels":[2,3]}"#];
    assert_eq!(forge.writes(), writes);

    // A server that takes the names and does nothing.
    let script = vec![has(Value::Null), known(), line("POST /issues/7/labels", 200, "[]")];
    let (message, ..) = said(script, ENOUGH, |gitea| gitea.ensure_labels(7, &names(&["dns"])));
    assert!(message.ends_with("the answer is not whole: the pull request still lacks the label `dns`"), "{message}");
}

#[test]
fn only_those_are_asked_for_a_review_who_were_not_and_have_not_reviewed() {
    let now = with(pull(7, "open", OURS), "requested_reviewers", json!([{"login": "ada"}]));
    let review = |id: u64, login: Value, state: &str| json!({"id": id, "user": login, "state": state});
    let reviews = json!([
        review(1, json!({"login": "eve"}), "APPROVED"),
        review(2, json!({"login": "joe"}), "REQUEST_REVIEW"),
        review(3, Value::Null, "REQUEST_REVIEW"),
        review(4, json!({"login": "kim"}), "REQUEST_CHANGES"),
        review(5, json!({"login": "eve"}), "COMMENT"),
        review(6, json!({"login": "lee"}), "PENDING"),
    ]);
    let script = || {
        vec![
            line("GET /pulls/7", 200, now.to_string()),
            line("GET /pulls/7/reviews", 200, reviews.to_string()).with("x-total-count: 6"),
            line("POST /pulls/7/requested_reviewers", 201, "[]"),
        ]
    };
    for (wanted, writes) in [
        (names(&["ada", "Eve", "joe"]), vec![r#"POST /pulls/7/requested_reviewers {"reviewers":["joe"]}"#]),
        (names(&["Ada", "eve", "kim"]), vec![]),
        (names(&[]), vec![]),
    ] {
        let forge = Forge::start(script());
        forge.client(ENOUGH, |gitea| gitea.request_reviewers(7, &wanted)).unwrap();
        assert_eq!(forge.writes(), writes);
    }
    let forge = Forge::start(script());
    assert_eq!(forge.client(ENOUGH, |gitea| gitea.reviewed_by(7)).unwrap(), ["eve", "kim"]);
}

#[test]
fn a_merge_is_ordered_for_one_commit_only() {
    let get = |value: Value| line("GET /pulls/7", 200, value.to_string());
    let open = || get(pull(7, "open", OURS));
    let merged = || get(with(pull(7, "closed", OURS), "merged", json!(true)));
    let post = |status, message: &str| line("POST /pulls/7/merge", status, json!({"message": message}).to_string());
    let order =
        format!(r#"POST /pulls/7/merge {{"Do":"squash","head_commit_id":"{OURS}","merge_when_checks_succeed":true}}"#);
    let cancel = "DELETE /pulls/7/merge".to_owned();
    let once = || vec![order.clone()];
    let later = "Please try again later";
    for (name, script, outcome, writes) in [
        ("scheduled", vec![open(), post(201, "")], Ok(AutoMerge::Scheduled), once()),
        ("merged at once", vec![open(), post(200, "")], Ok(AutoMerge::Merged), once()),
        ("merged before", vec![merged()], Ok(AutoMerge::Merged), vec![]),
        ("merged meanwhile", vec![open(), merged(), post(201, "")], Ok(AutoMerge::Merged), once()),
        (
            "scheduled before",
            vec![open(), post(409, "pull request is already scheduled to auto merge when checks succeed [pull_id: 1]")],
            Ok(AutoMerge::AlreadyScheduled),
            once(),
        ),
        ("merged by another", vec![open(), post(405, "The PR is already merged")], Ok(AutoMerge::Merged), once()),
        (
            "not yet looked at",
            vec![open(), post(405, later), post(405, later), post(201, "")],
            Ok(AutoMerge::Scheduled),
            vec![order.clone(), order.clone(), order.clone()],
        ),
        ("not allowed", vec![open(), post(405, "User not allowed to merge PR")], Err("405"), once()),
        ("moved before", vec![get(pull(7, "open", THEIRS))], Err("moved"), vec![]),
        (
            "moved meanwhile",
            vec![open(), get(pull(7, "open", THEIRS)), post(201, ""), line("DELETE /pulls/7/merge", 204, "")],
            Err("moved"),
            vec![order.clone(), cancel],
        ),
        (
            "moved, and the server knows",
            vec![open(), get(pull(7, "open", THEIRS)), post(409, "head out of date")],
            Err("moved"),
            once(),
        ),
        ("a conflict", vec![open(), post(409, "merge conflict")], Err("409"), once()),
        ("closed", vec![get(pull(7, "closed", OURS))], Err("closed"), vec![]),
    ] {
        let forge = Forge::start(script);
        let result = forge.client(ENOUGH, |gitea| gitea.auto_merge(7, MergeStyle::Squash, &id(OURS)));
        let result = result.map_err(|error| match error.problem {
            GiteaProblem::HeadMoved { .. } => "moved",
            GiteaProblem::Closed => "closed",
            GiteaProblem::Refused { status: 405, .. } => "405",
            GiteaProblem::Refused { status: 409, .. } => "409",
            _ => "something else",
        });
        assert_eq!((result, forge.writes()), (outcome, writes), "{name}");
    }
    let forge = Forge::start(vec![open(), post(405, later)]);
    let result = forge.client(Duration::from_millis(600), |gitea| gitea.auto_merge(7, MergeStyle::Merge, &id(OURS)));
    assert_eq!(result.map_err(|error| error.status()), Err(Some(405)), "time is up");
}

#[test]
fn a_comment_is_kept_up_to_date_in_its_place() {
    const MARKER: &str = "<!-- bobbypin:plan -->";
    let said = |id: u64, login: &str, body: &str| json!({"id": id, "user": {"login": login}, "body": body});
    let bot = || line("GET //user", 200, r#"{"login":"bot"}"#);
    let nobody = || line("GET //user", 403, r#"{"message":"required=[read:user]"}"#);
    let comments = |list: Value| {
        let total = list.as_array().map_or(0, Vec::len);
        line("GET /issues/7/comments", 200, list.to_string()).with(&format!("x-total-count: {total}"))
    };
    let ours = format!("{MARKER}\r\nOne host.\r\n");
    let quoted = format!("> {MARKER}\nOne host.");
    let post = format!(r#"POST /issues/7/comments {{"body":"{MARKER}\nOne host."}}"#);
    let patch = |number: u64| format!(r#"PATCH /issues/comments/{number} {{"body":"{MARKER}\nOne host."}}"#);
    for (name, user, list, written, writes) in [
        ("none", bot(), json!([]), Written::Created, vec![post.clone()]),
        ("a quote", bot(), json!([said(1, "bot", &quoted)]), Written::Created, vec![post.clone()]),
        ("another's", bot(), json!([said(1, "eve", &ours)]), Written::Created, vec![post.clone()]),
        ("the same", bot(), json!([said(1, "eve", MARKER), said(2, "Bot", &ours)]), Written::Unchanged, vec![]),
        (
            "older text",
            bot(),
            json!([said(3, "bot", MARKER), said(2, "bot", MARKER)]),
            Written::Updated,
            vec![patch(2)],
        ),
        ("unknown login", nobody(), json!([said(5, "bot", MARKER)]), Written::Updated, vec![patch(5)]),
    ] {
        let forge = Forge::start(vec![
            user,
            comments(list),
            line("POST /issues/7/comments", 201, "{}"),
            line("PATCH /issues/comments/2", 200, "{}"),
            line("PATCH /issues/comments/5", 200, "{}"),
        ]);
        let result = forge.client(ENOUGH, |gitea| gitea.comment(7, MARKER, "One host.")).unwrap();
        assert_eq!((result, forge.writes()), (written, writes), "{name}");
    }
}

#[test]
fn a_status_is_set_when_the_last_one_was_another() {
    let said = |id: u64, context: &str, status: &str| json!({"id": id, "context": context, "status": status, "description": "2 files", "target_url": ""});
    let plan = |id, status| said(id, "bobbypin/plan", status);
    let place = format!("/statuses/{OURS}");
    let write = format!(
        r#"POST {place} {{"context":"bobbypin/plan","state":"success","description":"2 files","target_url":""}}"#
    );
    for (list, written) in [
        (json!([]), Written::Created),
        (json!([said(1, "other", "success")]), Written::Created),
        (json!([plan(2, "success"), plan(1, "pending")]), Written::Unchanged),
        (json!([plan(1, "success"), plan(2, "pending")]), Written::Updated),
        (json!([with(plan(1, "success"), "description", json!("3 files"))]), Written::Updated),
        (json!([with(plan(1, "success"), "target_url", json!("https://example.org"))]), Written::Updated),
    ] {
        let total = format!("x-total-count: {}", list.as_array().unwrap().len());
        let forge = Forge::start(vec![
            line(&format!("GET {place}"), 200, list.to_string()).with(&total),
            line(&format!("POST {place}"), 201, "{}"),
        ]);
        let status =
            Status { context: "bobbypin/plan", state: StatusState::Success, description: "2 files", target_url: None };
        assert_eq!(forge.client(ENOUGH, |gitea| gitea.set_status(&id(OURS), &status)).unwrap(), written, "{list}");
        let writes = if written == Written::Unchanged { vec![] } else { vec![write.clone()] };
        assert_eq!(forge.writes(), writes);
    }
}

#[test]
fn a_webhook_is_made_once_and_put_right() {
    let url = "https://flux.example.org/hook/abc";
    let hook = json!({
        "id": 4, "type": "gitea", "active": true, "events": ["push"], "branch_filter": "main",
        "config": {"url": url, "content_type": "json"},
    });
    let other = with(hook.clone(), "config", json!({"url": "https://chat.example.org", "content_type": "json"}));
    let of_other_kind = with(hook.clone(), "type", json!("slack"));
    let body = |kind: &str, secret: &str| {
        format!(
            r#"{{{kind}"active":true,"events":["push"],"branch_filter":"main","config":{{"url":"{url}","content_type":"json"{secret}}}}}"#
        )
    };
    let create = format!("POST /hooks {}", body(r#""type":"gitea","#, r#","secret":"s3cret-of-hook""#));
    let update = format!("PATCH /hooks/4 {}", body("", ""));
    let webhook = Webhook { url: url.to_owned(), secret: "s3cret-of-hook".into(), branch_filter: "main".to_owned() };
    let script = |list: Value| {
        let total = format!("x-total-count: {}", list.as_array().unwrap().len());
        vec![
            line("GET /hooks", 200, list.to_string()).with(&total),
            line("POST /hooks", 201, "{}"),
            line("PATCH /hooks/4", 200, "{}"),
        ]
    };
    for (list, written, writes) in [
        (json!([]), Written::Created, vec![create.clone()]),
        (json!([with(other, "id", json!(1)), with(of_other_kind, "id", json!(2))]), Written::Created, vec![create]),
        (json!([hook]), Written::Unchanged, vec![]),
        (json!([with(hook.clone(), "active", json!(false))]), Written::Updated, vec![update.clone()]),
        (json!([with(hook.clone(), "branch_filter", json!("*"))]), Written::Updated, vec![update.clone()]),
        (json!([with(hook.clone(), "events", json!(["push", "create"]))]), Written::Updated, vec![update]),
    ] {
        let forge = Forge::start(script(list));
        let result = forge.client(ENOUGH, |gitea| gitea.ensure_webhook(&webhook)).unwrap();
        assert_eq!((result, forge.writes()), (written, writes));
    }
    let echo = vec![
        line("GET /hooks", 200, "[]"),
        line("POST /hooks", 422, r#"{"message":"bad config secret:s3cret-of-hook"}"#),
    ];
    let (message, ..) = said(echo, ENOUGH, |gitea| gitea.ensure_webhook(&webhook));
    assert!(message.ends_with("422, that is not acceptable to it: bad config secret:***"), "{message}");
    assert!(!format!("{webhook:?}").contains("s3cret-of-hook"));
}
