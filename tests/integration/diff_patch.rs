//! What `git apply` makes of our patches.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test runs the real git in a folder")]

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use bobbypin::{
    diff::{ChangeSet, FileChange, FileView, print::patch},
    model::{name::Name, tree::RepoPath},
};
use proptest::prelude::*;

/// The old and the new bytes of a file; `None` where there is no file.
type Both = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Files by path.
type Sides = BTreeMap<String, Both>;

fn change_set(sides: &Sides, holds_secret: bool) -> ChangeSet {
    let file = |(path, (old, new)): (&String, &Both)| FileChange {
        path: RepoPath::parse(path).expect("only lawful paths are made"),
        cluster: Name::parse("edge").expect("a literal that parses"),
        layer: None,
        old: old.as_deref().map(Arc::from),
        new: new.as_deref().map(Arc::from),
        view: FileView::Layout,
        holds_secret,
    };
    let files = sides.iter().filter(|(_, (old, new))| old != new).map(file).collect();
    ChangeSet { files, ..ChangeSet::default() }
}

fn git(folder: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is installed");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("git reads its input");
    let output = child.wait_with_output().expect("git ends");
    assert!(output.status.success(), "{}\n{input}", String::from_utf8_lossy(&output.stderr));
}

/// Applies the patch to the old files and compares what is there then with the new ones.
fn check(sides: &Sides, holds_secret: bool) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    git(folder.path(), &["init", "-q"], "");
    for (path, (old, _)) in sides {
        let at = folder.path().join(path);
        fs::create_dir_all(at.parent().expect("every path lies in a folder")).expect("a new folder");
        if let Some(old) = old {
            fs::write(at, old).expect("a new file");
        }
    }
    let patch = patch(&change_set(sides, holds_secret));
    if patch.is_empty() {
        assert!(sides.values().all(|(old, new)| old == new));
        return;
    }
    git(folder.path(), &["apply", "-"], &patch);
    for (path, (_, new)) in sides {
        assert_eq!(fs::read(folder.path().join(path)).ok(), *new, "{path:?}\n{patch}");
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "",
        " ",
        "a",
        "b",
        "c",
        "a: b\r",
        "\t",
        "ü\u{202e}",
        "-- a/x",
        "++ b/x",
        "@@ -1 +1 @@",
        "lone\rreturn",
        "\\ No newline at end of file",
        "diff --git a/x b/x",
        "GIT binary patch",
        "-- ",
    ]);
    let text = (prop::collection::vec(line, 0..30), any::<bool>()).prop_map(|(lines, ends)| {
        let end = if ends && !lines.is_empty() { "\n" } else { "" };
        (lines.join("\n") + end).into_bytes()
    });
    prop_oneof![9 => text, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

fn sides() -> impl Strategy<Value = Sides> {
    let path = "(clusters|a b|ü)/[a-c ü\"'\t~%$éb]{1,5}".prop_filter("lawful", |path| RepoPath::parse(path).is_ok());
    let side = || prop::option::weighted(0.8, content());
    // Half of the new files are edits of the old ones, so that there is something in common.
    let edited = (content(), any::<prop::sample::Index>(), content()).prop_map(|(old, at, more)| {
        let cut = at.index(old.len() + 1);
        let new = [&old[..cut], &more, &old[cut..]].concat();
        (Some(old), Some(new))
    });
    prop::collection::btree_map(path, prop_oneof![(side(), side()), edited], 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn git_makes_the_wanted_bytes_of_a_patch(sides in sides(), holds_secret: bool) {
        check(&sides, holds_secret);
    }
}

#[test]
fn a_large_binary_file_takes_several_blocks() {
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    check(&Sides::from([("a/b".to_owned(), (Some(b"\0".to_vec()), Some(bytes)))]), false);
}

#[test]
fn a_file_gives_way_to_a_folder_and_a_folder_to_a_file() {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let sides =
        Sides::from([("a/b".to_owned(), (text("one\n"), None)), ("a/c".to_owned(), (text("two"), text("two\n")))]);
    check(&sides, false);
    let folder = tempfile::tempdir().expect("a temporary folder");
    git(folder.path(), &["init", "-q"], "");
    fs::write(folder.path().join("x"), "x\n").expect("a new file");
    fs::create_dir_all(folder.path().join("y")).expect("a new folder");
    fs::write(folder.path().join("y/z"), "z\n").expect("a new file");
    let sides = Sides::from([
        ("x".to_owned(), (text("x\n"), None)),
        ("x/y".to_owned(), (None, text("new\n"))),
        ("y".to_owned(), (None, text("new\n"))),
        ("y/z".to_owned(), (text("z\n"), None)),
    ]);
    git(folder.path(), &["apply", "-"], &patch(&change_set(&sides, false)));
    assert_eq!(fs::read(folder.path().join("x/y")).expect("it is there"), b"new\n");
    assert_eq!(fs::read(folder.path().join("y")).expect("it is there"), b"new\n");
}
