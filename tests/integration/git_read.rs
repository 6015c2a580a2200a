//! Reading the tip of a branch, and the files on disk.
#![expect(clippy::disallowed_methods, reason = "the tests change files on disk")]

use std::{fs, os::unix::fs::symlink, path::Path};

use bobbypin::{
    edge::git::{GitError, Repository, Wanted, resolve_target},
    model::repository::RepositoryConfig,
};

use crate::support::git::{TestRepository, path, texts};

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn tip_error(repository: &TestRepository) -> String {
    repository.open().read_tip("main", &Wanted::default()).expect_err("a tree that is refused").to_string()
}

#[test]
fn the_tip_gives_the_clusters_the_settings_and_every_kustomization() {
    let repository = TestRepository::bare();
    let submodule = "0123456789012345678901234567890123456789";
    let tip = repository.commit_modes(&[
        ("README.md", Some(("100644", "no"))),
        ("bobbypin.yaml", Some(("100644", "settings"))),
        ("clusters/edge/cluster.yaml", Some(("100644", "cluster"))),
        ("clusters/edge/run.sh", Some(("100755", "script"))),
        ("clusters/edge/link", Some(("120000", "/etc/passwd"))),
        ("clusters/edge/sub", Some(("160000", submodule))),
        ("apps/a/Kustomization", Some(("100644", "k1"))),
        ("apps/kustomization.yaml", Some(("120000", "elsewhere"))),
        ("apps/kustomization.yml/deployment.yaml", Some(("100644", "no"))),
        ("clusters-old/cluster.yaml", Some(("100644", "no"))),
    ]);
    let tree = repository.open().read_tip("main", &Wanted::default()).expect("a readable tip");
    assert_eq!(tree.base, Some(tip));
    let expected = [
        ("apps/a/Kustomization", "k1"),
        ("apps/kustomization.yaml", "[link]"),
        ("bobbypin.yaml", "settings"),
        ("clusters/edge/cluster.yaml", "cluster"),
        ("clusters/edge/link", "[link]"),
        ("clusters/edge/run.sh", "script"),
        ("clusters/edge/sub", "[submodule]"),
    ];
    assert_eq!(texts(&tree), pairs(&expected));
}

#[test]
fn a_link_or_submodule_in_the_place_of_the_clusters_is_seen() {
    for (mode, shown) in [("120000", "[link]"), ("160000", "[submodule]")] {
        let repository = TestRepository::bare();
        repository.commit_modes(&[("clusters", Some((mode, "0123456789012345678901234567890123456789")))]);
        let tree = repository.open().read_tip("main", &Wanted::default()).expect("a readable tip");
        assert_eq!(texts(&tree), pairs(&[("clusters", shown)]));
    }
}

#[test]
fn a_selection_by_place_alone_reads_nothing_else() {
    let repository = TestRepository::bare();
    repository.commit(&[("clusters/a/x", Some("a")), ("clusters/b/x", Some("b")), ("kustomization.yaml", Some("k"))]);
    let wanted = Wanted { folders: vec![path("clusters/b")], files: Vec::new(), names: Vec::new() };
    let tree = repository.open().read_tip("main", &wanted).expect("a readable tip");
    assert_eq!(texts(&tree), pairs(&[("clusters/b/x", "b")]));
}

#[test]
fn a_packed_branch_in_a_linked_and_shallow_world_reads_the_same() {
    let origin = TestRepository::bare();
    origin.commit(&[("clusters/edge/cluster.yaml", Some("one"))]);
    let tip = origin.commit(&[("clusters/edge/cluster.yaml", Some("two"))]);
    origin.git(&["pack-refs", "--all"]);
    origin.git(&["gc", "-q"]);
    let url = format!("file://{}", origin.path.display());
    origin.git(&["clone", "-q", "--bare", "--depth=1", &url, "../shallow"]);
    origin.git(&["clone", "-q", "--bare", "--shared", &url, "../borrowing"]);
    origin.git(&["worktree", "add", "-q", "--detach", "../linked", "main"]);
    for name in ["repository", "shallow", "borrowing", "linked"] {
        let place = origin.folder.path().join(name);
        let tree = Repository::open(&place).and_then(|open| open.read_tip("main", &Wanted::default())).expect(name);
        assert_eq!((tree.base.as_ref(), texts(&tree)), (Some(&tip), pairs(&[("clusters/edge/cluster.yaml", "two")])));
    }
}

#[test]
fn a_repository_without_any_commit_has_an_empty_tree_and_no_base() {
    for repository in [TestRepository::bare(), TestRepository::with_work_tree()] {
        let tree = repository.open().read_tip("main", &Wanted::default()).expect("an empty repository is lawful");
        assert_eq!((tree.base.is_none(), tree.entries.len()), (true, 0));
    }
}

#[test]
fn a_missing_branch_is_an_error_that_names_the_others() {
    let repository = TestRepository::bare();
    repository.commit(&[("a", Some("a"))]);
    repository.git(&["branch", "trunk"]);
    repository.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/trunk"]);
    let open = repository.open();
    let said = |branch| {
        let error = open.read_tip(branch, &Wanted::default()).expect_err("a branch that is not there");
        (error.to_string(), error.hint())
    };
    assert_eq!(
        said("mian"),
        (
            "the repository has no branch `mian`".to_owned(),
            Some("set `spec.publish.branch` to one of those that exist: alias, main, trunk".to_owned())
        )
    );
    assert_eq!(
        said("alias"),
        (
            "the branch `alias` is a symbolic name for `refs/heads/trunk`".to_owned(),
            Some("publish to `trunk` itself".to_owned())
        )
    );
    assert_eq!(said("a..b"), ("`a..b` cannot be the name of a branch".to_owned(), None));
}

#[test]
fn a_repository_with_commits_but_no_branch_is_not_an_empty_one() {
    let repository = TestRepository::bare();
    let tip = repository.commit(&[("a", Some("a"))]);
    repository.git(&["tag", "v1", tip.as_str()]);
    repository.git(&["update-ref", "-d", "refs/heads/main"]);
    assert_eq!(tip_error(&repository), "the repository has no branch `main`");
}

/// Writes a tree that `git` itself refuses to make, and commits it to `main`.
fn commit_hostile(entries: &[(&str, &[u8])]) -> TestRepository {
    let repository = TestRepository::bare();
    let blob = repository.git_with(&["hash-object", "-w", "--stdin"], b"x");
    let tree = |mode: &str, name: &[u8], id: &str| {
        let id: Vec<u8> =
            (0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).expect("hex digits")).collect();
        [mode.as_bytes(), b" ", name, b"\0", &id].concat()
    };
    let literally = ["hash-object", "-t", "tree", "-w", "--stdin", "--literally"];
    let inner: Vec<u8> = entries.iter().flat_map(|(mode, name)| tree(mode, name, &blob)).collect();
    let inner = repository.git_with(&literally, &inner);
    let root = repository.git_with(&literally, &tree("40000", b"clusters", &inner));
    let commit = repository.git(&["commit-tree", "-m", "hostile", &root]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    repository
}

#[test]
fn a_tree_that_no_honest_program_makes_is_refused_by_the_path() {
    let leads = "the name leads elsewhere";
    let own = "some file systems take it for Git's own folder";
    for (name, shown, problem) in [
        (&b".."[..], "clusters/..", leads),
        (b".", "clusters/.", leads),
        (b"a/b", "clusters/a/b", leads),
        (b"../../x", "clusters/../../x", leads),
        (b".git", "clusters/.git", own),
        (b".GIT", "clusters/.GIT", own),
        (b"git~1", "clusters/git~1", own),
        (b"a\xffb", "clusters/a\u{fffd}b", "the name is not UTF-8"),
        (b"a\nb", "clusters/a\\nb", "it has control characters or `\\`, or is too long"),
        (b"a\\b", "clusters/a\\\\b", "it has control characters or `\\`, or is too long"),
    ] {
        let error = tip_error(&commit_hostile(&[("100644", name)]));
        assert_eq!(error, format!("the path `{shown}` is not acceptable: {problem}"));
    }
}

#[test]
fn names_that_differ_in_case_alone_are_refused_where_the_program_works() {
    let twins = commit_hostile(&[("100644", b"Cluster.yaml"), ("100644", b"cluster.yaml")]);
    let message =
        "the paths `clusters/Cluster.yaml` and `clusters/cluster.yaml` differ in nothing but upper and lower case";
    assert_eq!(tip_error(&twins), message);
    let twice = commit_hostile(&[("100644", b"a"), ("100644", b"a")]);
    assert!(tip_error(&twice).starts_with("the paths `clusters/a` and `clusters/a` differ"));
    let folders = TestRepository::bare();
    folders.commit(&[("Clusters/x", Some("")), ("clusters/x", Some(""))]);
    assert!(tip_error(&folders).starts_with("the paths `Clusters` and `clusters` differ"));
    let elsewhere = TestRepository::bare();
    elsewhere.commit(&[("docs/A", Some("")), ("docs/a", Some("")), ("docs/kustomization.yaml", Some("k"))]);
    let tree = elsewhere.open().read_tip("main", &Wanted::default()).expect("none of its business");
    assert_eq!(texts(&tree), pairs(&[("docs/kustomization.yaml", "k")]));
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_path() {
    let repository = TestRepository::bare();
    let text = "x".repeat((4 << 20) + 1);
    repository.commit(&[("clusters/edge/big.yaml", Some(&text)), ("docs/big", Some(&text))]);
    assert_eq!(tip_error(&repository), "`clusters/edge/big.yaml` is too large: more than 4 MiB");
    repository.commit(&[("clusters/edge/big.yaml", Some(&text[1..]))]);
    repository.open().read_tip("main", &Wanted::default()).expect("exactly at the limit");
}

#[test]
fn a_tree_that_pretends_to_be_endless_is_refused() {
    let repository = TestRepository::bare();
    let blob = repository.git_with(&["hash-object", "-w", "--stdin"], b"x");
    let mut tree = repository.git_with(&["mktree"], format!("100644 blob {blob}\tx\n").as_bytes());
    for _ in 0..10 {
        let entries: String = (0..10).map(|number| format!("040000 tree {tree}\tf{number}\n")).collect();
        tree = repository.git_with(&["mktree"], entries.as_bytes());
    }
    let commit = repository.git(&["commit-tree", "-m", "bomb", &tree]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    assert_eq!(tip_error(&repository), "`the tree` is too large: more than 1000000 entries");
}

#[test]
fn what_is_no_repository_or_an_unknown_kind_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let nothing = Repository::open(folder.path());
    assert!(matches!(nothing, Err(GitError::NotARepository { .. })), "{nothing:?}");
    let modern = TestRepository::init(&["--bare", "--object-format=sha256"]);
    let error = Repository::open(&modern.path.clone()).expect_err("sha256");
    let place = modern.path.display();
    assert_eq!(
        (error.to_string(), error.hint()),
        (
            format!("the repository `{place}` uses `extensions.objectformat = sha256`, which is not supported"),
            Some("use a repository of the default object format: `git init --object-format=sha1`".to_owned())
        )
    );
    let strange = TestRepository::with_work_tree();
    strange.git(&["config", "core.repositoryFormatVersion", "1"]);
    fs::write(
        strange.path.join(".git/config"),
        "[core]\nrepositoryformatversion = 1\nbare = false\n[extensions]\nrefstorage = reftable\n",
    )
    .expect("a writable config");
    let error = Repository::open(&strange.path.clone()).expect_err("reftable").to_string();
    let place = strange.path.display();
    assert_eq!(
        error,
        format!("the repository `{place}` uses `extensions.refstorage = reftable`, which is not supported")
    );
}

#[test]
fn the_work_tree_gives_what_would_be_committed() {
    let repository = TestRepository::with_work_tree();
    let tip = repository.commit(&[
        ("clusters/edge/cluster.yaml", Some("committed")),
        ("clusters/edge/gone.yaml", Some("committed")),
        ("clusters/edge/forced.log", Some("tracked")),
        (".gitignore", Some("*.log\ncache/\n")),
    ]);
    repository.write("clusters/edge/cluster.yaml", "edited");
    repository.write("clusters/edge/new.yaml", "untracked");
    repository.write("clusters/edge/noise.log", "ignored");
    repository.write("cache/kustomization.yaml", "ignored");
    repository.write("other/kustomization.yaml", "untracked");
    repository.write("nested/.git/HEAD", "a repository of its own");
    repository.write("nested/kustomization.yaml", "not ours");
    repository.write("clusters/vendored/.git", "gitdir: elsewhere");
    fs::remove_file(repository.path.join("clusters/edge/gone.yaml")).expect("a file to remove");
    symlink("/etc/passwd", repository.path.join("clusters/edge/link")).expect("a link");
    symlink("/etc", repository.path.join("clusters/edge/folder")).expect("a link");
    let open = Repository::discover(&repository.path.join("clusters/edge")).expect("an enclosing repository");
    let tree = open.read_work_tree(&Wanted::default()).expect("a readable work tree");
    assert_eq!(tree.base, Some(tip));
    let expected = [
        ("clusters/edge/cluster.yaml", "edited"),
        ("clusters/edge/folder", "[link]"),
        ("clusters/edge/forced.log", "tracked"),
        ("clusters/edge/link", "[link]"),
        ("clusters/edge/new.yaml", "untracked"),
        ("clusters/vendored", "[submodule]"),
        ("other/kustomization.yaml", "untracked"),
    ];
    assert_eq!(texts(&tree), pairs(&expected));
}

#[test]
fn a_clean_work_tree_reads_like_its_commit() {
    let repository = TestRepository::with_work_tree();
    repository.commit(&[("clusters/a/x", Some("x")), ("bobbypin.yaml", Some("y")), ("k/kustomization.yml", Some("z"))]);
    let open = repository.open();
    let wanted = Wanted::default();
    assert_eq!(
        open.read_work_tree(&wanted).expect("a readable work tree"),
        open.read_tip("main", &wanted).expect("a readable tip")
    );
}

#[test]
fn a_bare_repository_and_a_pipe_have_no_files_to_read() {
    let bare = TestRepository::bare().open().read_work_tree(&Wanted::default());
    assert!(matches!(bare, Err(GitError::NoWorkTree { .. })), "{bare:?}");
    let repository = TestRepository::with_work_tree();
    repository.write("clusters/x", "");
    let socket = std::os::unix::net::UnixListener::bind(repository.path.join("clusters/socket")).expect("a socket");
    let error = repository.open().read_work_tree(&Wanted::default()).expect_err("a socket is no file").to_string();
    assert_eq!(error, "the path `clusters/socket` is not acceptable: it is neither a file nor a folder");
    drop(socket);
}

#[test]
fn the_target_is_the_named_remote_then_origin_then_the_repository_itself() {
    let repository = TestRepository::with_work_tree();
    let open = repository.open();
    let target = |remote: Option<&str>| {
        let config = RepositoryConfig { remote: remote.map(str::to_owned), ..RepositoryConfig::default() };
        let found = resolve_target(&open, &config).map(|place| place.to_string());
        found.map_err(|error| (error.to_string(), error.hint()))
    };
    let folder = |text: &str| Ok(text.to_owned());
    let root = open.root().to_owned();
    assert_eq!(target(None), Ok(root.display().to_string()));
    assert_eq!(target(Some(".")), Ok(root.join(".").display().to_string()));
    repository.git(&["remote", "add", "origin", "/srv/fleet.git"]);
    repository.git(&["remote", "add", "forge", "https://bot:hunter2@git.example.org/fleet"]);
    repository.git(&["remote", "add", "split", "/srv/read.git"]);
    repository.git(&["remote", "set-url", "--push", "split", "file:///srv/write.git"]);
    assert_eq!(target(None), folder("/srv/fleet.git"));
    assert_eq!(target(Some("split")), folder("/srv/write.git"));
    assert_eq!(target(Some("file:///srv/x")), folder("/srv/x"));
    assert_eq!(target(Some("../x.git")), Ok(root.join("../x.git").display().to_string()));
    assert_eq!(target(Some("forge")), folder("https://git.example.org/fleet"));
    assert_eq!(
        target(Some("orgin")),
        Err((
            "there is no remote and no folder `orgin`".to_owned(),
            Some("the remotes are: forge, origin, split".to_owned())
        ))
    );
    repository.git(&["remote", "set-url", "origin", "git@git.example.org:fleet"]);
    assert_eq!(target(None), folder("git@git.example.org:fleet"), "a server is never replaced by the checkout");
    assert_eq!(open.remotes().expect("readable settings"), ["forge", "origin", "split"]);
    assert!(Path::new(open.root()).is_absolute());
}
