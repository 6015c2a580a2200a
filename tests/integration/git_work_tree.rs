//! Publishing into the repository of a work tree that has the branch checked out.
#![expect(clippy::disallowed_methods, reason = "the tests change files on disk")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use bobbypin::edge::git::{NewCommit, PublishError, Repository};

use crate::support::git::{LATER, TestRepository, author, change, path, publish};

fn status(repository: &TestRepository) -> String {
    repository.git(&["status", "--porcelain", "-uall"])
}

#[test]
fn the_changed_files_follow_and_nothing_else_is_touched() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit_modes(&[
        ("clusters/edge/one", Some(("100644", "1"))),
        ("clusters/edge/run.sh", Some(("100755", "1"))),
        ("gone/with/folder", Some(("100644", "1"))),
        ("mine", Some(("100644", "committed"))),
    ]);
    repository.write("mine", "edited");
    repository.write("staged", "staged");
    repository.git(&["add", "staged"]);
    repository.write("untracked", "untracked");
    let before = status(&repository);
    let files = [
        change("clusters/edge/one", Some("1"), Some("2")),
        change("clusters/edge/run.sh", Some("1"), Some("2")),
        change("clusters/edge/new/er", None, Some("n")),
        change("gone/with/folder", Some("1"), None),
    ];
    let published = publish(&repository.open(), Some(&base), &files).expect("a clean place");
    assert_eq!(published.stale, []);
    assert_eq!(status(&repository), before, "only what was the user's own differs from the new commit");
    assert_eq!(before, " M mine\nA  staged\n?? untracked");
    assert_eq!(repository.git(&["diff-files", "--name-only"]), "mine", "the index knows the files without a refresh");
    assert_eq!(repository.read("clusters/edge/one").as_deref(), Some("2"));
    assert_eq!(repository.read("clusters/edge/new/er").as_deref(), Some("n"));
    assert!(!repository.path.join("gone").exists());
    let mode = |at: &str| fs::metadata(repository.path.join(at)).expect("a file").permissions().mode() & 0o111;
    assert_eq!((mode("clusters/edge/run.sh"), mode("clusters/edge/one")), (0o111, 0));
    assert!(!repository.path.join(".git/index.lock").exists());
    repository.expect_sound();
}

#[test]
fn a_file_and_a_folder_change_places_on_disk_too() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("a", Some("file")), ("b/c", Some("1")), ("b/d/e", Some("2"))]);
    let files = [
        change("a", Some("file"), None),
        change("a/x", None, Some("in a")),
        change("b", None, Some("file")),
        change("b/c", Some("1"), None),
        change("b/d/e", Some("2"), None),
    ];
    let published = publish(&repository.open(), Some(&base), &files).expect("a clean place");
    assert_eq!((published.stale, status(&repository)), (vec![], String::new()));
    assert_eq!((repository.read("a/x"), repository.read("b")), (Some("in a".to_owned()), Some("file".to_owned())));
}

type Spoil<'a> = &'a dyn Fn(&TestRepository);

#[test]
fn uncommitted_work_at_the_same_place_is_never_overwritten() {
    let spoil: [(&str, Spoil<'_>); 10] = [
        ("edited", &|repository| repository.write("clusters/x", "mine")),
        ("removed", &|repository| fs::remove_file(repository.path.join("clusters/x")).expect("a file")),
        ("staged", &|repository| {
            repository.write("clusters/x", "mine");
            repository.git(&["add", "."]);
            repository.write("clusters/x", "1");
        }),
        ("staged removal", &|repository| drop(repository.git(&["rm", "-q", "--cached", "clusters/x"]))),
        ("untracked", &|repository| repository.write("clusters/new", "mine")),
        ("ignored", &|repository| {
            repository.write(".git/info/exclude", "new\n");
            repository.write("clusters/new", "mine");
        }),
        ("a folder with a file", &|repository| repository.write("clusters/new/deep/file", "mine")),
        ("a link in the way", &|repository| {
            fs::rename(repository.path.join("clusters"), repository.path.join("moved")).expect("a folder");
            symlink("moved", repository.path.join("clusters")).expect("a link");
        }),
        ("staged in the way", &|repository| {
            repository.write("deep", "mine");
            repository.git(&["add", "deep"]);
            fs::remove_file(repository.path.join("deep")).expect("a file");
        }),
        ("staged below", &|repository| {
            repository.write("clusters/new/deep", "mine");
            repository.git(&["add", "clusters/new/deep"]);
            fs::remove_dir_all(repository.path.join("clusters/new")).expect("a folder");
        }),
    ];
    for (name, spoil) in spoil {
        let repository = TestRepository::with_work_tree();
        repository.commit(&[("clusters/x", Some("1"))]);
        spoil(&repository);
        let before = status(&repository);
        let files = [
            change("clusters/x", Some("1"), Some("2")),
            change("clusters/new", None, Some("2")),
            change("deep/er", None, Some("2")),
        ];
        // A dry run says so, too.
        let author = author();
        let base = repository.tip();
        let request = NewCommit {
            branch: "main",
            base: Some(&base),
            files: &files,
            message: "m",
            author: &author,
            at: LATER,
            signer: None,
        };
        let error = repository.open().prepare(request).expect_err(name);
        assert!(matches!(&error, PublishError::Dirty { paths } if !paths.is_empty()), "{name}: {error:?}");
        assert_eq!((repository.tip(), status(&repository)), (base, before), "{name}");
        assert!(!repository.path.join(".git/index.lock").exists(), "{name}");
    }
}

#[test]
fn work_that_begins_after_the_dry_run_is_safe_as_well() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1"))]);
    let (open, author, files) = (repository.open(), author(), [change("x", Some("1"), Some("2"))]);
    let request = NewCommit {
        branch: "main",
        base: Some(&base),
        files: &files,
        message: "m",
        author: &author,
        at: LATER,
        signer: None,
    };
    let prepared = open.prepare(request).expect("a clean place");
    repository.write("x", "mine");
    let error = open.publish(&prepared).expect_err("dirty by now");
    assert!(matches!(&error, PublishError::Dirty { .. }), "{error:?}");
    assert_eq!((repository.tip(), repository.read("x")), (base, Some("mine".to_owned())));
}

#[test]
fn a_file_that_was_already_written_as_wanted_is_no_obstacle() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1")), ("gone", Some("1"))]);
    repository.write("x", "2");
    repository.write("new", "2");
    repository.git(&["add", "new"]);
    fs::remove_file(repository.path.join("gone")).expect("a file");
    let files = [change("x", Some("1"), Some("2")), change("new", None, Some("2")), change("gone", Some("1"), None)];
    publish(&repository.open(), Some(&base), &files).expect("nothing is lost");
    assert_eq!(status(&repository), "");
}

#[test]
fn a_file_that_only_differs_by_its_line_endings_is_clean() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[(".gitattributes", Some("*.yaml text eol=crlf\n")), ("a.yaml", Some("one\ntwo\n"))]);
    assert_eq!(repository.read("a.yaml").as_deref(), Some("one\r\ntwo\r\n"));
    let files = [change("a.yaml", Some("one\ntwo\n"), Some("one\n"))];
    publish(&repository.open(), Some(&base), &files).expect("a clean place");
    assert_eq!(status(&repository), "");
}

#[test]
fn a_branch_that_is_not_checked_out_leaves_the_files_alone() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1"))]);
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.write("x", "mine");
    let before = status(&repository);
    publish(&repository.open(), Some(&base), &[change("x", Some("1"), Some("2"))]).expect("a free branch");
    assert_eq!((status(&repository), repository.read("x")), (before, Some("mine".to_owned())));
    assert_eq!(repository.text("x"), "2");
}

#[test]
fn the_first_commit_of_a_work_tree_brings_its_files() {
    let repository = TestRepository::with_work_tree();
    publish(&repository.open(), None, &[change("clusters/x", None, Some("1"))]).expect("an empty repository");
    assert_eq!((status(&repository), repository.read("clusters/x")), (String::new(), Some("1".to_owned())));
}

#[test]
fn a_linked_work_tree_follows_its_own_branch() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1"))]);
    repository.git(&["checkout", "-q", "--detach"]);
    repository.git(&["worktree", "add", "-q", "../linked", "main"]);
    let linked = repository.folder.path().join("linked");
    let files = [change("x", Some("1"), Some("2"))];
    let elsewhere = publish(&repository.open(), Some(&base), &files).expect_err("another work tree has it");
    assert!(matches!(elsewhere, PublishError::CheckedOutElsewhere { .. }), "{elsewhere:?}");
    let open = Repository::open(&linked.clone()).expect("a linked work tree");
    publish(&open, Some(&base), &files).expect("its own branch");
    assert_eq!(fs::read_to_string(linked.join("x")).expect("a file"), "2");
    assert_eq!(repository.git(&["-C", linked.to_str().expect("text"), "status", "--porcelain"]), "");
}

#[test]
fn an_operation_under_way_is_left_to_its_user() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1"))]);
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.write("y", "1");
    repository.git(&["add", "y"]);
    repository.git(&["commit", "-qm", "side"]);
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["merge", "-q", "--no-commit", "--no-ff", "side"]);
    let error = publish(&repository.open(), Some(&base), &[change("x", Some("1"), Some("2"))]).expect_err("a merge");
    assert_eq!(error.to_string(), "an operation is under way in the work tree: merge");
}

#[test]
fn a_locked_index_is_respected_and_left_in_place() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1"))]);
    repository.write(".git/index.lock", "");
    let error = publish(&repository.open(), Some(&base), &[change("x", Some("1"), Some("2"))]).expect_err("a lock");
    let lock = repository.path.join(".git/index.lock");
    assert!(matches!(&error, PublishError::Locked { path } if path.ends_with(".git/index.lock")), "{error:?}");
    assert!(lock.exists());
    assert_eq!(repository.tip(), base);
}

#[test]
fn a_file_that_cannot_be_written_is_reported_and_the_commit_stands() {
    let repository = TestRepository::with_work_tree();
    let base = repository.commit(&[("x", Some("1")), ("y", Some("1"))]);
    // A name that a repository can hold and a disk cannot.
    let long = format!("folder/{}", "n".repeat(300));
    let files = [change("x", Some("1"), Some("2")), change(&long, None, Some("2"))];
    match publish(&repository.open(), Some(&base), &files) {
        Ok(published) => {
            assert_eq!(published.stale, [path(&long)]);
            assert_eq!(published.commit, repository.tip());
            assert_eq!(repository.read("x").as_deref(), Some("2"));
        }
        Err(error) => panic!("{error:?}"),
    }
}
