//! What publishing refuses, and that the branch stays as it is.
#![expect(clippy::disallowed_methods, reason = "the tests break repositories on disk")]

use std::{fs, os::unix::fs::PermissionsExt};

use bobbypin::{
    diff::FileChange,
    edge::git::{NewCommit, PublishError},
    model::repository::Author,
};

use crate::support::git::{LATER, TestRepository, author, change, publish};

/// What a refused commit says and advises; the branch must not have moved, and no file may have appeared.
fn refusal(repository: &TestRepository, files: &[FileChange]) -> (String, Option<String>) {
    let base = repository.tip();
    let error = publish(&repository.open(), Some(&base), files).expect_err("a refusal");
    assert_eq!(repository.tip(), base);
    (error.to_string(), error.hint())
}

#[test]
fn an_empty_or_idle_list_of_changes_is_refused() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("1"))]);
    for files in [&[][..], &[change("a", Some("1"), Some("1"))]] {
        assert_eq!(refusal(&repository, files).0, "there is nothing to commit");
    }
}

#[test]
fn a_change_that_was_computed_from_something_else_is_refused() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("1")), ("b/c", Some("1"))]);
    for files in [
        change("a", Some("2"), Some("3")),
        change("a", None, Some("3")),
        change("x", Some("2"), Some("3")),
        change("x", Some("2"), None),
        change("b", Some("1"), None),
        change("b/x/y", Some("1"), None),
    ] {
        let expected = format!("`{}` is not what the change was computed from", files.path);
        assert_eq!(refusal(&repository, &[files]).0, expected);
    }
}

#[test]
fn what_is_in_the_way_is_named_and_never_replaced() {
    let repository = TestRepository::bare();
    repository.commit_modes(&[
        ("file", Some(("100644", "1"))),
        ("folder/x", Some(("100644", "1"))),
        ("link", Some(("120000", "/etc"))),
        ("sub", Some(("160000", "0123456789012345678901234567890123456789"))),
    ]);
    for (files, message) in [
        (vec![change("file/x", None, Some("1"))], "`file` is in the way: it is a file"),
        (vec![change("folder", None, Some("1"))], "`folder` is in the way: it is a folder"),
        (vec![change("link/x", None, Some("1"))], "`link` is in the way: it is a symbolic link"),
        (vec![change("link", None, Some("1"))], "`link` is in the way: it is a symbolic link"),
        (vec![change("sub/x", None, Some("1"))], "`sub` is in the way: it is a submodule"),
        (vec![change("new", None, Some("1")), change("new/x", None, Some("1"))], "`new` is in the way: it is a folder"),
        (
            vec![change("new", None, Some("1")), change("new", None, Some("2"))],
            "`new` is in the way: it is changed twice",
        ),
        (
            vec![change("file", Some("1"), Some("2")), change("file/x", None, Some("1"))],
            "`file` is in the way: it is a file",
        ),
    ] {
        assert_eq!(refusal(&repository, &files).0, message);
    }
}

#[test]
fn hooks_that_would_not_run_are_refused_by_name() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("1"))]);
    let files = [change("a", Some("1"), Some("2"))];
    let hook = |folder: &str, name: &str, mode| {
        let path = repository.path.join(folder).join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(&path, "#!/bin/sh\n").expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions can be set");
    };
    hook("hooks", "pre-receive", 0o755);
    hook("hooks", "post-receive", 0o755);
    hook("hooks", "update", 0o644);
    hook("hooks", "pre-commit", 0o755);
    let at = |folder: &str| repository.open().root().join(folder).display().to_string();
    let message =
        |folder: &str, hooks| format!("the repository `{}` has hooks that would not run: {hooks}", at(folder));
    let hint = "publish through the server that owns this repository, or remove the executable bit of the hooks";
    assert_eq!(refusal(&repository, &files), (message("hooks", "pre-receive, post-receive"), Some(hint.to_owned())));
    repository.git(&["config", "core.hooksPath", "elsewhere"]);
    hook("elsewhere", "reference-transaction", 0o755);
    let said = refusal(&repository, &files).0;
    assert!(said.ends_with("elsewhere` has hooks that would not run: reference-transaction"), "{said}");
    repository.git(&["config", "core.hooksPath", "/dev/null"]);
    publish(&repository.open(), Some(&repository.tip()), &files).expect("hooks are switched off");
}

#[test]
fn a_lock_that_was_left_behind_is_named_with_the_way_out() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("1"))]);
    let lock = repository.open().root().join("refs/heads/main.lock");
    fs::write(&lock, "").expect("a file can be written");
    let said = refusal(&repository, &[change("a", Some("1"), Some("2"))]);
    let (lock, advice) = (lock.display(), "if no other process is at work, a killed one left it behind");
    assert_eq!(said, (format!("`{lock}` is locked"), Some(format!("{advice}: rm '{lock}'"))));
}

#[test]
fn a_repository_that_cannot_be_written_to_keeps_its_branch() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("1"))]);
    // A file in the place of the folder stops everybody, the superuser too, whom permissions would not stop.
    fs::remove_dir(repository.path.join("objects/pack")).expect("an empty folder");
    fs::write(repository.path.join("objects/pack"), "").expect("a file can be written");
    let before = repository.listing();
    let said = refusal(&repository, &[change("a", Some("1"), Some("2"))]);
    let hint = "check the permissions and the free space of the repository";
    assert_eq!(said, ("cannot write the new objects".to_owned(), Some(hint.to_owned())));
    assert_eq!(repository.listing(), before);
}

#[test]
fn a_branch_that_cannot_be_written_is_an_error_and_not_a_guess() {
    let repository = TestRepository::bare();
    repository.git(&["config", "core.logAllRefUpdates", "true"]);
    repository.commit(&[("a", Some("1"))]);
    // The reflog is written before the branch; a folder in its place stops both.
    let log = repository.path.join("logs/refs/heads/main");
    fs::remove_file(&log).expect("a reflog");
    fs::create_dir_all(log.join("full")).expect("a folder can be made");
    fs::write(log.join("full/x"), "").expect("a file can be written");
    assert_eq!(refusal(&repository, &[change("a", Some("1"), Some("2"))]).0, "cannot write the branch `main`");
}

#[test]
fn a_branch_in_the_folder_of_another_cannot_be_made() {
    let repository = TestRepository::bare();
    let author = author();
    let files = [change("a", None, Some("1"))];
    let open = repository.open();
    let request =
        NewCommit { branch: "x", base: None, files: &files, message: "m", author: &author, at: LATER, signer: None };
    let prepared = open.prepare(request).expect("an empty repository");
    repository.commit(&[("a", Some("1"))]);
    repository.git(&["branch", "x/y"]);
    let error = open.publish(&prepared).expect_err("no such branch").to_string();
    assert_eq!(error, "cannot read the repository that is to be published to");
    assert_eq!(repository.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main\nrefs/heads/x/y");
}

#[test]
fn an_author_or_message_that_git_cannot_hold_is_refused() {
    let repository = TestRepository::bare();
    let base = repository.commit(&[("a", Some("1"))]);
    let files = [change("a", Some("1"), Some("2"))];
    let said = |name: &str, email: &str, message: &str| {
        let author = Author { name: name.to_owned(), email: email.to_owned() };
        let request = NewCommit {
            branch: "main",
            base: Some(&base),
            files: &files,
            message,
            author: &author,
            at: LATER,
            signer: None,
        };
        repository.open().prepare(request).map(|prepared| prepared.commit).map_err(|error| error.to_string())
    };
    let author = |problem| Err(format!("the author of the commit is not acceptable: {problem}"));
    let message = |problem| Err(format!("the message of the commit is not acceptable: {problem}"));
    assert_eq!(said("a\nparent x", "b", "m"), author("it has control characters"));
    let brackets = "name and e-mail must not be empty or have angle brackets";
    assert_eq!(said("a <b>", "b", "m"), author(brackets));
    assert_eq!(said("", "b", "m"), author(brackets));
    assert_eq!(said("a", "b", " \n"), message("it is empty"));
    assert_eq!(said("a", "b", "m\0"), message("it has a NUL character"));
}

#[test]
fn a_branch_that_another_work_tree_has_checked_out_is_refused() {
    let bare = TestRepository::bare();
    bare.commit(&[("a", Some("1"))]);
    bare.git(&["worktree", "add", "-q", "../linked", "main"]);
    let said = refusal(&bare, &[change("a", Some("1"), Some("2"))]).0;
    assert!(said.starts_with("the branch `main` is checked out in another work tree (`"), "{said}");
    bare.git(&["worktree", "remove", "../linked"]);
    publish(&bare.open(), Some(&bare.tip()), &[change("a", Some("1"), Some("2"))]).expect("nobody is left behind");
}

#[test]
fn an_outcome_says_what_it_means_for_the_branch() {
    let error = PublishError::Moved { branch: "main".to_owned(), expected: None, found: None };
    assert_eq!(error.to_string(), "the branch `main` moved from no commit to no commit");
}
