//! Any list of changes gives the tree that `git` gives.

use std::collections::BTreeMap;

use bobbypin::diff::FileChange;
use proptest::{collection::btree_map, prelude::*};

use crate::support::git::{TestRepository, change, publish};

/// Few names, so that files and folders meet at the same places.
fn paths() -> impl Strategy<Value = String> {
    proptest::collection::vec(prop::sample::select(vec!["a", "b", "a.b", "a-b", "A"]), 1..4)
        .prop_map(|parts| parts.join("/"))
}

/// Files by path, none of which lies below another.
fn files() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(paths(), "[a-c]{0,2}", 0..12).prop_map(|mut files| {
        let all: Vec<String> = files.keys().cloned().collect();
        files.retain(|path, _| {
            !all.iter().any(|other| path.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')))
        });
        files
    })
}

fn differences(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Vec<FileChange> {
    let mut paths: Vec<_> = old.keys().chain(new.keys()).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| change(path, old.get(path).map(String::as_str), new.get(path).map(String::as_str)))
        .collect()
}

fn commit(repository: &TestRepository, files: &BTreeMap<String, String>) {
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
    repository.commit(&files);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_result_is_the_tree_that_git_makes(old in files(), new in files(), has_work_tree: bool) {
        let changes = differences(&old, &new);
        prop_assume!(!changes.is_empty());
        let expected = TestRepository::bare();
        commit(&expected, &new);
        let repository = if has_work_tree { TestRepository::with_work_tree() } else { TestRepository::bare() };
        commit(&repository, &old);
        let published = publish(&repository.open(), Some(&repository.tip()), &changes).expect("a free branch");
        let tree = |repository: &TestRepository| repository.git(&["rev-parse", "main^{tree}"]);
        prop_assert_eq!(tree(&repository), tree(&expected));
        prop_assert_eq!(published.stale, vec![]);
        if has_work_tree {
            prop_assert_eq!(repository.git(&["status", "--porcelain", "-uall"]), "");
        }
        repository.expect_sound();
    }
}
