//! Commits by the API, and reading without Git.

use std::{sync::Arc, time::Duration};

use bobbypin::{
    diff::FileChange,
    edge::gitea::{CommitError, Committed, EntryKind},
    model::{
        name::Name,
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};
use git2::{ObjectType, Oid};
use serde_json::{Value, json};

use crate::{
    gitea_client::{BASE, ENOUGH, OURS, THEIRS, branch, commit, id, said, with},
    support::{
        forge::{Forge, Line, chain, line},
        scripted::Reply,
    },
};

const MESSAGE: &str = "Pin the chart\n\nBobbypin-Plan: 1234\n";

fn file(path: &str, old: Option<&str>, new: Option<&str>) -> FileChange {
    let bytes = |text: &str| Arc::from(text.as_bytes());
    let path = RepoPath::parse(path).expect("a literal that parses");
    FileChange::plain(path, Name::parse("edge").expect("a literal that parses"), old.map(bytes), new.map(bytes))
}

fn commit_files(forge: &Forge, time: Duration, files: &[FileChange]) -> Result<Committed, CommitError> {
    let author = Author { name: "bobbypin".to_owned(), email: "bot@example.org".to_owned() };
    let at = "2026-11-21T10:00:00Z".parse().expect("a literal that parses");
    forge.client(time, |gitea| gitea.commit_files("main", &id(BASE), files, MESSAGE, &author, at))
}

#[test]
fn a_commit_names_what_every_file_was_before() {
    let made = json!({"commit": {"sha": OURS, "parents": [{"sha": BASE}]}, "files": [null], "verification": null});
    let forge = Forge::start(vec![
        line("GET /branches/main", 200, branch(BASE)),
        line("POST /contents", 201, made.to_string()),
    ]);
    let files = [
        file("clusters/edge/new.yaml", None, Some("new\n")),
        file("clusters/edge/changed.yaml", Some("old\n"), Some("new\n")),
        file("clusters/edge/gone.yaml", Some("old\n"), None),
        file("clusters/edge/same.yaml", Some("old\n"), Some("old\n")),
    ];
    let committed = commit_files(&forge, ENOUGH, &files).unwrap();
    assert_eq!(committed, Committed { commit: id(OURS), parent: id(BASE) });
    let [_, write] = &forge.asked()[..] else { panic!("{:?}", forge.asked()) };
    let body: Value = serde_json::from_str(write.strip_prefix("POST /contents ").unwrap()).unwrap();
    let who = json!({"name": "bobbypin", "email": "bot@example.org"});
    let old = Oid::hash_object(ObjectType::Blob, b"old\n").unwrap().to_string();
    assert_eq!(
        body,
        json!({
            "branch": "main", "message": MESSAGE, "author": who, "committer": who,
            "dates": {"author": "2026-11-21T10:00:00Z", "committer": "2026-11-21T10:00:00Z"},
            "files": [
                {"operation": "create", "path": "clusters/edge/new.yaml", "content": "bmV3Cg=="},
                {"operation": "update", "path": "clusters/edge/changed.yaml", "content": "bmV3Cg==", "sha": old},
                {"operation": "delete", "path": "clusters/edge/gone.yaml", "sha": old},
            ],
        })
    );
    let nothing = commit_files(&forge, ENOUGH, &files[3..]);
    assert!(matches!(nothing, Err(CommitError::NothingToCommit)), "{nothing:?}");
    assert_eq!(forge.asked().len(), 2);
}

#[test]
fn what_became_of_a_commit_is_told_apart() {
    let at = |commit: &str| line("GET /branches/main", 200, branch(commit));
    let post = |status, message: &str| line("POST /contents", status, json!({"message": message}).to_string());
    let lost = || Line { request: "POST /contents".to_owned(), reply: Reply::Nothing };
    let history = |list: Value| line("GET /commits", 200, list.to_string());
    let base = || commit(BASE, "before", &[]);
    let gone = || line("GET /branches/main", 404, "{}");
    let seen = || line("GET ", 200, "{}");
    let on_theirs = json!({"commit": {"sha": OURS, "parents": [{"sha": THEIRS}]}});
    let two = json!([
        commit(THEIRS, "by somebody", &[OURS]),
        commit(OURS, "Pin the chart\n\nBobbypin-Plan: 1234", &[BASE]),
        base(),
    ]);
    let short = Duration::from_millis(900);
    for (name, script, time, outcome) in [
        ("moved before", vec![at(THEIRS)], ENOUGH, format!("moved to {THEIRS}")),
        ("no branch", vec![gone(), seen()], ENOUGH, "moved to nothing".to_owned()),
        (
            "on another's commit",
            vec![at(BASE), line("POST /contents", 201, on_theirs.to_string())],
            ENOUGH,
            format!("{OURS} on {THEIRS}"),
        ),
        (
            "lost the race",
            vec![at(BASE), at(THEIRS), post(403, "cannot lock ref 'refs/heads/main': is at 33 but expected 11")],
            ENOUGH,
            format!("moved to {THEIRS}"),
        ),
        (
            "lost the race, and the branch is back",
            vec![at(BASE), post(403, "cannot lock ref 'refs/heads/main': is at 33 but expected 11")],
            ENOUGH,
            format!("moved to {BASE}"),
        ),
        (
            "another file",
            vec![at(BASE), at(THEIRS), post(422, "sha does not match [given: 1, expected: 2]")],
            ENOUGH,
            format!("moved to {THEIRS}"),
        ),
        (
            "a new file is there",
            vec![at(BASE), at(THEIRS), post(422, "repository file already exists [path: a]")],
            ENOUGH,
            format!("moved to {THEIRS}"),
        ),
        ("409", vec![at(BASE), at(THEIRS), post(409, "")], ENOUGH, format!("moved to {THEIRS}")),
        ("the branch goes", vec![at(BASE), gone(), seen(), post(404, "")], ENOUGH, "moved to nothing".to_owned()),
        (
            "protected",
            vec![at(BASE), post(403, "branch main is protected from changing file")],
            ENOUGH,
            "denied 403".to_owned(),
        ),
        ("not for us", vec![at(BASE), post(404, "")], ENOUGH, "denied 404".to_owned()),
        ("archived", vec![at(BASE), post(423, "Repo is archived")], ENOUGH, "denied 423".to_owned()),
        (
            "not acceptable",
            vec![at(BASE), post(422, "path contains a malformed path component")],
            ENOUGH,
            "failed 422".to_owned(),
        ),
        ("too large", vec![at(BASE), post(413, "")], ENOUGH, "failed 413".to_owned()),
        ("failed for good", vec![at(BASE), post(500, "")], ENOUGH, "failed 500".to_owned()),
        (
            "failed because another was first",
            vec![at(BASE), at(THEIRS), post(500, ""), history(json!([commit(THEIRS, "by somebody", &[BASE]), base()]))],
            ENOUGH,
            format!("moved to {THEIRS}"),
        ),
        (
            "failed but did it",
            vec![at(BASE), at(OURS), post(500, ""), history(json!([commit(OURS, MESSAGE, &[BASE]), base()]))],
            ENOUGH,
            format!("{OURS} on {BASE}"),
        ),
        (
            "lost, and found below",
            vec![at(BASE), at(THEIRS), lost(), history(two)],
            ENOUGH,
            format!("{OURS} on {BASE}"),
        ),
        (
            "lost, and arrived late",
            vec![at(BASE), at(BASE), at(OURS), lost(), history(json!([commit(OURS, MESSAGE, &[BASE]), base()]))],
            ENOUGH,
            format!("{OURS} on {BASE}"),
        ),
        (
            "lost, and another came",
            vec![at(BASE), at(THEIRS), lost(), history(json!([commit(THEIRS, "by somebody", &[BASE]), base()]))],
            ENOUGH,
            format!("moved to {THEIRS}"),
        ),
        ("lost for ever", vec![at(BASE), lost()], short, "unknown".to_owned()),
        ("a proxy gave up", vec![at(BASE), post(504, "")], short, "unknown".to_owned()),
        ("an answer without sense", vec![at(BASE), line("POST /contents", 201, "{}")], short, "unknown".to_owned()),
    ] {
        let forge = Forge::start(script);
        let files = [file("clusters/edge/a.yaml", Some("a"), Some("b"))];
        let result = commit_files(&forge, time, &files);
        let found = match &result {
            Ok(committed) => format!("{} on {}", committed.commit, committed.parent),
            Err(CommitError::Moved { found, .. }) => {
                format!("moved to {}", found.as_ref().map_or("nothing", CommitId::as_str))
            }
            Err(CommitError::Denied { source, .. }) => format!("denied {}", source.status().unwrap()),
            Err(CommitError::Failed(source)) => format!("failed {}", source.status().unwrap()),
            Err(CommitError::Unknown { .. }) => "unknown".to_owned(),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, outcome, "{name}");
        assert!(forge.writes().len() <= 1, "{name}: it was sent once");
        if let Err(error) = &result {
            chain(error);
        }
    }
}

#[test]
fn a_tree_is_whole_or_an_error() {
    let entry = |path: &str, mode: &str| json!({"path": path, "mode": mode, "sha": BASE, "size": 3, "type": "x"});
    let page = |page: u32, body: Value| {
        line(&format!("GET /git/trees/{OURS}?recursive=true&per_page=1000&page={page}"), 200, body.to_string())
    };
    let all = [
        entry("a", "040000"),
        entry("a/b", "100644"),
        entry("a/c", "100755"),
        entry("l", "120000"),
        entry("m", "160000"),
    ];
    let first = json!({"tree": all[..3], "truncated": true, "total_count": 5});
    let script = vec![page(1, first.clone()), page(2, json!({"tree": all[3..], "truncated": false, "total_count": 5}))];
    let forge = Forge::start(script);
    let tree = forge.client(ENOUGH, |gitea| gitea.tree(&id(OURS))).unwrap();
    let kinds: Vec<_> = tree.iter().map(|entry| (entry.path.as_str(), entry.kind)).collect();
    let expected = [
        ("a", EntryKind::Folder),
        ("a/b", EntryKind::File),
        ("a/c", EntryKind::Executable),
        ("l", EntryKind::Symlink),
        ("m", EntryKind::Submodule),
    ];
    assert_eq!(kinds, expected);
    assert_eq!((tree[1].id.to_string().as_str(), tree[1].size), (BASE, 3));
    for (second, why) in [
        (
            json!({"tree": null, "truncated": true}),
            "is not whole: there is no next page of a list that is not at its end",
        ),
        (
            json!({"tree": null, "truncated": false, "total_count": 5}),
            "is not whole: there are more or fewer entries than the server counts",
        ),
        (json!({"tree": all[..3], "truncated": true}), "is not whole: an entry is listed twice"),
        (
            json!({"tree": [entry("x", "100000")], "truncated": false}),
            "is not understood: `100000` is no mode of an entry",
        ),
        (
            json!({"tree": [with(entry("x", "100644"), "sha", json!("1"))]}),
            "is not understood: `1` is no id of 40 digits",
        ),
    ] {
        let (message, ..) = said(vec![page(1, first.clone()), page(2, second)], ENOUGH, |gitea| gitea.tree(&id(OURS)));
        assert!(message.ends_with(why), "{message}");
    }
}

#[test]
fn the_bytes_of_a_file_are_those_of_its_id() {
    let wanted = Oid::hash_object(ObjectType::Blob, b"old\n").unwrap();
    let blob = |content: Value| {
        vec![line(
            &format!("GET /git/blobs/{wanted}"),
            200,
            json!({"content": content, "encoding": "base64"}).to_string(),
        )]
    };
    let forge = Forge::start(blob(json!("b2xkCg==")));
    assert_eq!(forge.client(ENOUGH, |gitea| gitea.blob(wanted)).unwrap(), b"old\n");
    for (content, why) in [
        (json!("bmV3Cg=="), format!("the server gives other bytes than those of `{wanted}`")),
        (json!("*"), "the content is not in base64".to_owned()),
        (Value::Null, "the file is larger than what the API of the server gives".to_owned()),
    ] {
        let (message, ..) = said(blob(content), ENOUGH, |gitea| gitea.blob(wanted));
        assert!(message.ends_with(&why), "{message}");
    }
}

#[test]
fn the_history_follows_the_first_parents() {
    let merge = "4444444444444444444444444444444444444444";
    let list = json!([commit(merge, "merge", &[OURS, THEIRS]), commit(THEIRS, "aside", &[BASE])]);
    let script = || {
        vec![
            line("GET /commits", 200, list.to_string()),
            line(&format!("GET /git/commits/{OURS}"), 200, commit(OURS, "ours", &[BASE]).to_string()),
            line(&format!("GET /git/commits/{BASE}"), 200, commit(BASE, "first", &[]).to_string()),
        ]
    };
    for (count, ids) in [(5, vec![merge, OURS, BASE]), (2, vec![merge, OURS])] {
        let forge = Forge::start(script());
        let past = forge.client(ENOUGH, |gitea| gitea.commits(&id(merge), count)).unwrap();
        assert_eq!(past.iter().map(|commit| commit.id.as_str()).collect::<Vec<_>>(), ids);
        assert_eq!(
            (past[0].parents.len(), past[1].message.as_str(), past[1].author.name.as_str()),
            (2, "ours", "bobbypin")
        );
    }
    let lie = line(&format!("GET /git/commits/{OURS}"), 200, commit(BASE, "first", &[]).to_string());
    let script = vec![line("GET /commits", 200, "[]"), lie];
    let (message, ..) = said(script, ENOUGH, |gitea| gitea.commits(&id(OURS), 1));
    assert!(message.ends_with(&format!("another commit than {OURS} was given")), "{message}");
}
