//! The last commits of a branch, as the loop breaker sees them.

use std::collections::BTreeMap;

use bobbypin::{
    edge::git::{BlobChange, BlobId, NewCommit, PastCommit, Repository, flips},
    model::repository::Author,
};

use crate::support::git::{LATER, TestRepository, author, change, path};

fn ann() -> Author {
    Author { name: "Ann".to_owned(), email: "ann@example.org".to_owned() }
}

fn blob_change(before: Option<&str>, after: Option<&str>) -> BlobChange {
    let id = |text: &str| BlobId::of(text.as_bytes());
    BlobChange { before: before.map(id), after: after.map(id) }
}

#[test]
fn the_history_says_who_changed_what_the_newest_first() {
    let repository = TestRepository::bare();
    let first = repository.commit(&[("a/x", Some("1")), ("b", Some("1"))]);
    let second = repository.commit(&[("a/x", Some("2")), ("c", Some("1"))]);
    let open = repository.open();
    let author = author();
    let files = [change("a/x", Some("2"), None), change("b", Some("1"), Some("2"))];
    let message = "edge: 1 host removed\n\nbody\n\nBobbypin-Plan: sha256:0\nBobbypin-Base: x\n";
    let request = NewCommit {
        branch: "main",
        base: Some(&second),
        files: &files,
        message,
        author: &author,
        at: LATER,
        signer: None,
    };
    let third = open.publish(&open.prepare(request).expect("a free branch")).expect("a free branch").commit;
    let paths = [path("a/x"), path("b"), path("never")];
    let past = open.history(&third, &paths, 5).expect("a readable history");
    let commit = |id: &_, author: Author, by_bobbypin, changes: &[(&str, BlobChange)]| PastCommit {
        id: Clone::clone(id),
        author,
        by_bobbypin,
        changes: changes.iter().map(|(at, change)| (path(at), *change)).collect::<BTreeMap<_, _>>(),
    };
    let expected = [
        commit(
            &third,
            author.clone(),
            true,
            &[("a/x", blob_change(Some("2"), None)), ("b", blob_change(Some("1"), Some("2")))],
        ),
        commit(&second, ann(), false, &[("a/x", blob_change(Some("1"), Some("2")))]),
        commit(&first, ann(), false, &[("a/x", blob_change(None, Some("1"))), ("b", blob_change(None, Some("1")))]),
    ];
    assert_eq!(past, expected);
    assert_eq!(open.history(&third, &paths, 2).expect("a readable history"), expected[..2]);
}

#[test]
fn a_shallow_clone_tells_what_it_knows() {
    let origin = TestRepository::bare();
    for text in ["1", "2", "3"] {
        origin.commit(&[("a", Some(text))]);
    }
    let url = format!("file://{}", origin.path.display());
    origin.git(&["clone", "-q", "--bare", "--depth=2", &url, "../shallow"]);
    let open = Repository::open(&origin.folder.path().join("shallow")).expect("a repository");
    let past = open.history(&origin.tip(), &[path("a")], 5).expect("a readable history");
    let changes: Vec<_> = past.iter().map(|commit| commit.changes.get("a").copied()).collect();
    assert_eq!(changes, [Some(blob_change(Some("2"), Some("3")))]);
}

#[test]
fn the_changes_of_a_path_are_found_behind_any_number_of_other_commits() {
    let origin = TestRepository::bare();
    for text in ["1", "2", "3"] {
        origin.commit(&[("a", Some(text))]);
        (0..7).for_each(|other| drop(origin.commit(&[("b", Some(&format!("{text} {other}")))])));
    }
    let changes = |repository: &Repository, most, commits| {
        let found = repository.changes(&origin.tip(), &[path("a")], most, commits).expect("a readable history");
        let ids = found.commits.iter().map(|commit| commit.changes["a"].after);
        (ids.collect::<Vec<_>>(), found.is_cut)
    };
    let after = |texts: &[&str]| texts.iter().map(|text| Some(BlobId::of(text.as_bytes()))).collect::<Vec<_>>();
    let open = origin.open();
    assert_eq!(changes(&open, 50, 1000), (after(&["3", "2", "1"]), false));
    assert_eq!(changes(&open, 2, 1000), (after(&["3", "2"]), false));
    assert_eq!(changes(&open, 50, 10), (after(&["3"]), true), "no more than ten commits");
    assert_eq!(changes(&open, 1, 8), (after(&["3"]), false), "as many as were asked for");
    let url = format!("file://{}", origin.path.display());
    origin.git(&["clone", "-q", "--bare", "--depth=18", &url, "../shallow"]);
    let shallow = Repository::open(&origin.folder.path().join("shallow")).expect("a repository");
    assert_eq!(changes(&shallow, 50, 1000), (after(&["3", "2"]), true));
}

/// What the file held after each commit, the oldest first; what is wanted now; the commits that are named.
type Row<'a> = (&'a [Option<&'a str>], Option<&'a str>, Option<(usize, usize)>);

#[test]
fn a_file_that_was_undone_once_may_not_be_done_again_within_five_commits() {
    let table: [Row<'_>; 9] = [
        (&[Some("A"), Some("B"), Some("A")], Some("B"), Some((1, 2))),
        (&[Some("A"), Some("B"), Some("A"), Some("A"), Some("A")], Some("B"), Some((1, 2))),
        (&[Some("A"), Some("B"), Some("A"), Some("A"), Some("A"), Some("A")], Some("B"), Some((1, 2))),
        (&[Some("A"), Some("B"), Some("A"), Some("A"), Some("A"), Some("A"), Some("A")], Some("B"), None),
        (&[None, Some("B"), None], Some("B"), Some((1, 2))),
        (&[Some("A"), None, Some("A")], None, Some((1, 2))),
        (&[Some("A"), Some("B"), Some("A")], Some("C"), None),
        (&[Some("A"), Some("B")], Some("A"), None),
        (&[Some("A"), Some("B"), Some("C"), Some("A")], Some("B"), None),
    ];
    for (row, (contents, wanted, named)) in table.into_iter().enumerate() {
        let repository = TestRepository::bare();
        let commits: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(number, text)| repository.commit(&[("f", *text), ("other", Some(&number.to_string()))]))
            .collect();
        let now = contents[contents.len() - 1];
        let files = [change("f", now, wanted), change("new", None, Some("1"))];
        let paths = [path("f"), path("new")];
        let tip = &commits[commits.len() - 1];
        let history =
            repository.open().history(tip, &paths, bobbypin::edge::git::LOOP_WINDOW).expect("a readable history");
        let found: Vec<_> = flips(&history, &files)
            .iter()
            .map(|flip| (flip.path.clone(), flip.there.id.clone(), flip.back.id.clone()))
            .collect();
        let expected: Vec<_> =
            named.iter().map(|(there, back)| (path("f"), commits[*there].clone(), commits[*back].clone())).collect();
        assert_eq!(found, expected, "row {row}");
    }
}
