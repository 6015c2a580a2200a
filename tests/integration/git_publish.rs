//! Publishing one commit by compare-and-swap.
#![expect(clippy::disallowed_methods, reason = "the tests look at files on disk")]

use std::{fs, thread};

use bobbypin::{
    edge::git::{NewCommit, PublishError, Repository, Wanted},
    model::tree::CommitId,
};
use jiff::Timestamp;

use crate::support::git::{LATER, TestRepository, author, change, publish};

#[test]
fn a_commit_changes_its_files_and_nothing_else() {
    let repository = TestRepository::bare();
    let base = repository.commit_modes(&[
        ("a.yaml", Some(("100644", "a"))),
        ("clusters/edge/manifests/one", Some(("100644", "1"))),
        ("clusters/edge/manifests/only/file", Some(("100644", "x"))),
        ("clusters/edge/run.sh", Some(("100755", "old"))),
        ("link", Some(("120000", "a.yaml"))),
        ("sub", Some(("160000", "0123456789012345678901234567890123456789"))),
    ]);
    let files = [
        change("clusters/edge/run.sh", Some("old"), Some("new")),
        change("clusters/edge/manifests/two", None, Some("2")),
        change("clusters/edge/manifests/only/file", Some("x"), None),
        change("clusters/other/deep/er", None, Some("")),
    ];
    let published = publish(&repository.open(), Some(&base), &files).expect("a free branch");
    assert_eq!((published.commit, published.stale), (repository.tip(), vec![]));
    let expected = [
        "100644 a.yaml",
        "100644 clusters/edge/manifests/one",
        "100644 clusters/edge/manifests/two",
        "100755 clusters/edge/run.sh",
        "100644 clusters/other/deep/er",
        "120000 link",
        "160000 sub",
    ];
    assert_eq!(repository.entries(), expected);
    assert_eq!(repository.text("clusters/edge/run.sh"), "new");
    let raw = repository.git(&["cat-file", "commit", "main"]);
    let tree = repository.git(&["rev-parse", "main^{tree}"]);
    let who = "bobbypin <bot@example.org> 1800000000 +0000";
    assert_eq!(raw, format!("tree {tree}\nparent {base}\nauthor {who}\ncommitter {who}\n\nedge: 1 host added"));
    repository.expect_sound();
    assert_eq!(
        fs::read_dir(repository.path.join("objects/pack")).expect("a folder").count(),
        2,
        "one pack, no leftovers"
    );
}

#[test]
fn a_file_and_a_folder_can_change_places_in_one_commit() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a", Some("file")), ("b/c", Some("1")), ("b/d/e", Some("2")), ("a.b", Some("3"))]);
    let files = [
        change("b", None, Some("file")),
        change("b/c", Some("1"), None),
        change("b/d/e", Some("2"), None),
        change("a/x", None, Some("in a")),
        change("a", Some("file"), None),
        change("a.b", Some("3"), Some("4")),
    ];
    publish(&repository.open(), Some(&base), &files).expect("a lawful change");
    assert_eq!(repository.entries(), ["100644 a.b", "100644 a/x", "100644 b"]);
    repository.expect_sound();
}

#[test]
fn the_last_file_takes_its_folders_with_it_and_may_leave_nothing() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a/b/c", Some("x"))]);
    publish(&repository.open(), Some(&base), &[change("a/b/c", Some("x"), None)]).expect("a lawful change");
    assert_eq!(repository.git(&["rev-parse", "main^{tree}"]), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    repository.expect_sound();
}

#[test]
fn the_first_commit_makes_the_branch_and_only_once() {
    let repository = TestRepository::bare();
    let (one, two) = (repository.open(), repository.open());
    let author = author();
    let files = [change("a", None, Some("1"))];
    let request = |message| NewCommit {
        branch: "main",
        base: None,
        files: &files,
        message,
        author: &author,
        at: LATER,
        signer: None,
    };
    let first = one.prepare(request("one")).expect("an empty repository");
    let second = two.prepare(request("two")).expect("an empty repository");
    one.publish(&first).expect("a free branch");
    let late = two.publish(&second).expect_err("the branch exists by now");
    assert_eq!(moved(late), (None, Some(first.commit.clone())));
    assert_eq!(repository.tip(), first.commit);
    repository.expect_sound();
}

/// Where a lost race says that the branch was and is.
fn moved(error: PublishError) -> (Option<CommitId>, Option<CommitId>) {
    match error {
        PublishError::Moved { expected, found, .. } => (expected, found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_branch_that_moved_is_left_alone() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a", Some("1"))]);
    let open = repository.open();
    let author = author();
    let files = [change("a", Some("1"), Some("2"))];
    let request = NewCommit {
        branch: "main",
        base: Some(&base),
        files: &files,
        message: "m",
        author: &author,
        at: LATER,
        signer: None,
    };
    let prepared = open.prepare(request).expect("a free branch");
    let other = repository.commit(&[("b", Some("1"))]);
    assert_eq!(moved(open.publish(&prepared).expect_err("moved")), (Some(base.clone()), Some(other.clone())));
    assert_eq!(moved(open.prepare(request).expect_err("moved")), (Some(base.clone()), Some(other.clone())));
    assert_eq!(repository.tip(), other);
    repository.git(&["branch", "side"]);
    repository.git(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(moved(open.publish(&prepared).expect_err("gone")), (Some(base), None));
    assert_eq!(repository.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/side");
}

#[test]
fn a_packed_branch_is_compared_and_replaced_like_a_loose_one() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a", Some("1"))]);
    repository.git(&["pack-refs", "--all"]);
    let open = repository.open();
    let published = publish(&open, Some(&base), &[change("a", Some("1"), Some("2"))]).expect("a free branch");
    repository.git(&["pack-refs", "--all"]);
    let late = publish(&open, Some(&base), &[change("a", Some("1"), Some("3"))]).expect_err("moved");
    assert_eq!(moved(late), (Some(base), Some(published.commit)));
}

#[test]
fn writers_that_race_lose_no_commit() {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 25;
    let repository = TestRepository::bare();
    repository.commit(&[("counter", Some("0"))]);
    let place = repository.path.clone();
    let wanted = Wanted { folders: vec![crate::support::git::path("counter")], files: vec![], names: vec![] };
    let write = |writer: usize| {
        let open = Repository::open(&place).expect("a repository");
        for round in 0..ROUNDS {
            loop {
                let tree = open.read_tip("main", &wanted).expect("a readable tip");
                let old = String::from_utf8_lossy(tree.file("counter").expect("a file")).into_owned();
                let next = (old.parse::<usize>().expect("a number") + 1).to_string();
                let own = format!("writers/{writer}-{round}");
                let files = [change("counter", Some(&old), Some(&next)), change(&own, None, Some("done"))];
                match publish(&open, tree.base.as_ref(), &files) {
                    Ok(_) => break,
                    Err(PublishError::Moved { .. } | PublishError::Locked { .. }) => (),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    };
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || write(writer));
        }
    });
    let total = WRITERS * ROUNDS;
    assert_eq!(repository.text("counter"), total.to_string());
    assert_eq!(repository.git(&["rev-list", "--count", "--first-parent", "main"]), (total + 1).to_string());
    assert_eq!(repository.git(&["rev-list", "--count", "--merges", "main"]), "0");
    assert_eq!(repository.entries().len(), total + 1);
    repository.expect_sound();
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    for repository in [TestRepository::bare(), TestRepository::with_work_tree()] {
        let first = repository.commit(&[("clusters/a/x", Some("1")), ("clusters/b/y", Some("1"))]);
        repository.commit(&[("clusters/a/x", Some("2"))]);
        let open = repository.open();
        let before = repository.listing();
        let tree = open.read_tip("main", &Wanted::default()).expect("a readable tip");
        open.history(&first, &[], 5).expect("a readable history");
        // The content of the first commit is there already, as an object whose time Git would freshen.
        let files = [change("clusters/a/x", Some("2"), Some("1")), change("clusters/b/y", Some("1"), None)];
        let author = author();
        let base = tree.base.as_ref();
        let request =
            NewCommit { branch: "main", base, files: &files, message: "m", author: &author, at: LATER, signer: None };
        let prepared = open.prepare(request).expect("a free branch");
        assert_eq!(repository.listing(), before);
        assert_eq!(open.publish(&prepared).expect("a free branch").commit, prepared.commit, "the dry run told the id");
    }
}

#[test]
fn the_same_input_gives_the_same_commit() {
    let commit = || {
        let repository = TestRepository::bare();
        let base = repository.commit(&[("a", Some("1"))]);
        let files = [change("b", None, Some("2")), change("c/d", None, Some("3"))];
        publish(&repository.open(), Some(&base), &files).expect("a free branch").commit
    };
    assert_eq!(commit(), commit());
}

#[test]
fn time_never_runs_backwards_on_the_branch() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a", Some("1"))]);
    let author = author();
    let files = [change("a", Some("1"), Some("2"))];
    let at = Timestamp::from_second(-5).expect("a time");
    let request =
        NewCommit { branch: "main", base: Some(&base), files: &files, message: "m", author: &author, at, signer: None };
    let open = repository.open();
    open.publish(&open.prepare(request).expect("a free branch")).expect("a free branch");
    assert_eq!(repository.git(&["log", "-1", "--format=%at %ct", "main"]), "1700000000 1700000000");
}

#[test]
fn a_shallow_a_borrowing_and_a_linked_repository_are_lawful_targets() {
    let origin = TestRepository::bare();
    origin.commit(&[("a", Some("0"))]);
    let base = origin.commit(&[("a", Some("1")), ("deep/er/b", Some("1"))]);
    let url = format!("file://{}", origin.path.display());
    origin.git(&["clone", "-q", "--bare", "--depth=1", &url, "../shallow"]);
    origin.git(&["clone", "-q", "--bare", "--shared", &url, "../borrowing"]);
    for name in ["shallow", "borrowing"] {
        let place = origin.folder.path().join(name);
        let open = Repository::open(&place.clone()).expect(name);
        let files = [change("a", Some("1"), Some(name)), change("deep/er/c", None, Some("1"))];
        let published = publish(&open, Some(&base), &files).expect(name);
        let at = place.to_str().expect("a path that is text");
        assert_eq!(origin.git(&["-C", at, "rev-parse", "main"]), published.commit.to_string());
        assert_eq!(origin.git(&["-C", at, "fsck", "--strict", "--no-dangling"]), "");
    }
    assert_eq!(origin.tip(), base, "the lender is untouched");
}

#[test]
fn the_reflog_names_the_author_and_the_subject() {
    let repository = TestRepository::bare();
    repository.git(&["config", "core.logAllRefUpdates", "true"]);
    let base = repository.commit(&[("a", Some("1"))]);
    publish(&repository.open(), Some(&base), &[change("a", Some("1"), Some("2"))]).expect("a free branch");
    let log = fs::read_to_string(repository.path.join("logs/refs/heads/main")).expect("a reflog");
    let last = log.lines().last().expect("an entry");
    assert!(
        last.contains(" bobbypin <bot@example.org> ") && last.ends_with("\tbobbypin: edge: 1 host added"),
        "{last}"
    );
}
