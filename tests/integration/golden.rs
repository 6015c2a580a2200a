//! The worked examples below `clusters/`: what is committed there is what the program makes of them.
//!
//! `BOBBYPIN_BLESS=1 cargo test golden` writes the generated files anew; look at the difference before it is committed.
#![expect(clippy::disallowed_methods, reason = "this test reads the worked examples")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bobbypin::{
    config::{self, problem::Source},
    diff::print::{self, Style},
    model::tree::{Entry, RepoPath, Tree},
    ops::{
        decide::{Decided, Inventories, Request, decide},
        load::InventoryFile,
        selection::Selection,
    },
};
use jiff::Timestamp;

#[test]
fn the_committed_manifests_are_what_a_first_run_makes() {
    for name in examples() {
        let committed = example(&name);
        let wanted = generated(&decided(&name, &without_generated(&committed)));
        if is_blessing() {
            bless(&committed, &wanted);
            continue;
        }
        let found: BTreeMap<_, _> = committed
            .entries
            .iter()
            .filter(|(path, _)| is_generated(path))
            .map(|(path, entry)| (path, text(entry)))
            .collect();
        let wanted: BTreeMap<_, _> = wanted.iter().map(|(path, text)| (path, text.as_str())).collect();
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            wanted.keys().collect::<Vec<_>>(),
            "the files of {name}; BOBBYPIN_BLESS=1 writes them"
        );
        for (path, text) in &found {
            assert_eq!(*text, wanted[path], "{path}; BOBBYPIN_BLESS=1 writes it");
        }
    }
}

#[test]
fn a_second_run_over_the_examples_has_nothing_to_do() {
    if is_blessing() {
        return;
    }
    for name in examples() {
        let changes = decided(&name, &example(&name)).changes;
        assert!(changes.is_empty(), "{name}:\n{}", print::human(&changes, Style::Plain));
        assert_eq!(changes.foreign, Vec::new(), "{name} has generated files only");
    }
}

#[test]
fn every_example_has_an_inventory_and_the_schema_that_its_settings_name() {
    let schema = config::schema("cluster").expect("a kind that has a schema");
    let inventories: BTreeSet<_> = names(&root().join("examples/inventory"));
    let expected: BTreeSet<_> = examples().into_iter().map(|name| format!("{name}.yaml")).collect();
    assert_eq!(inventories, expected);
    for name in examples() {
        let folder = root().join("clusters").join(&name);
        let path = folder.join("cluster.schema.json");
        if is_blessing() {
            fs::write(&path, &schema).expect("a writable folder");
        }
        let settings = fs::read_to_string(folder.join("cluster.yaml")).expect("every example has settings");
        assert!(settings.contains("# yaml-language-server: $schema=./cluster.schema.json\n"), "{name}");
        assert_eq!(fs::read_to_string(&path).ok().as_ref(), Some(&schema), "{name}; BOBBYPIN_BLESS=1 writes it");
    }
}

fn is_blessing() -> bool {
    std::env::var_os("BOBBYPIN_BLESS").is_some()
}

/// Replaces the generated files by the wanted ones.
fn bless(committed: &Tree, wanted: &BTreeMap<RepoPath, String>) {
    for path in committed.entries.keys().filter(|path| is_generated(path) && !wanted.contains_key(*path)) {
        fs::remove_file(root().join(path.as_str())).expect("a removable file");
    }
    for (path, text) in wanted {
        let path = root().join(path.as_str());
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a writable folder");
        fs::write(path, text).expect("a writable file");
    }
}

fn decided(name: &str, tree: &Tree) -> Decided {
    let path = format!("examples/inventory/{name}.yaml");
    let bytes = fs::read(root().join(&path)).expect("every example has an inventory");
    // An inventory says itself when it was taken.
    let now = Timestamp::UNIX_EPOCH;
    let inventory = InventoryFile { source: Source { path, bytes: Arc::from(bytes) }, read_at: now };
    let request = Request {
        clusters: Selection::default(),
        inventories: Inventories::Files(vec![inventory]),
        accept_removals: None,
        git_server: None,
        now,
    };
    decide(tree, &request).unwrap_or_else(|error| panic!("{name}: {error:#?}"))
}

fn generated(decided: &Decided) -> BTreeMap<RepoPath, String> {
    let files = decided.manifests.clusters().iter().flat_map(|cluster| &cluster.files);
    files.map(|(path, file)| (path.clone(), file.text.clone())).collect()
}

fn without_generated(tree: &Tree) -> Tree {
    let inputs = tree.entries.iter().filter(|(path, _)| !is_generated(path));
    Tree { base: None, entries: inputs.map(|(path, entry)| (path.clone(), entry.clone())).collect() }
}

/// `clusters/<name>/manifests/…` and `clusters/<name>/state.yaml`.
fn is_generated(path: &RepoPath) -> bool {
    let parts: Vec<_> = path.as_str().split('/').collect();
    matches!(parts[..], ["clusters", _, "manifests", _, ..] | ["clusters", _, "state.yaml"])
}

fn examples() -> BTreeSet<String> {
    let found = names(&root().join("clusters"));
    assert!(!found.is_empty(), "there are examples");
    found
}

/// The files of one example, by path in the repository.
fn example(name: &str) -> Tree {
    let mut entries = BTreeMap::new();
    let mut open = vec![format!("clusters/{name}")];
    while let Some(folder) = open.pop() {
        for entry in names(&root().join(&folder)) {
            let path = format!("{folder}/{entry}");
            if root().join(&path).is_dir() {
                open.push(path);
            } else {
                let bytes = fs::read(root().join(&path)).expect("a readable file");
                let path = RepoPath::parse(&path).expect("a plain name");
                entries.insert(path, Entry::File(Arc::from(bytes)));
            }
        }
    }
    Tree { base: None, entries }
}

fn text(entry: &Entry) -> &str {
    match entry {
        Entry::File(bytes) => std::str::from_utf8(bytes).expect("generated files are text"),
        Entry::Symlink | Entry::Submodule => panic!("the examples are files"),
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.expect("a readable entry").file_name().into_string().expect("names here are UTF-8"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
