//! The dependency direction between modules, and who may touch the world, as tests.
#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]

use std::{collections::BTreeSet, fs, path::Path, sync::LazyLock};

use syn::visit::{self, Visit};

/// Innermost first. A module may use itself and what stands before it.
const ORDER: &[&str] =
    &["model", "config", "manifest", "pins", "dns", "platform", "plan", "render", "diff", "edge", "ops", "cli"];

/// What reaches out of the program, and the only modules that may name it. clippy fences single functions; this fences
/// whole crates and modules, in the bodies of macros too. What stands below `#[cfg(test)]` is free.
const WORLD: &[(&str, &[&str])] = &[
    ("anstream", &["cli"]),
    ("clap", &["cli"]),
    ("futures", &["edge"]),
    ("git2", &["edge"]),
    ("http", &["edge"]),
    ("hyper_util", &["edge"]),
    ("jiff::Timestamp::now", &[]),
    ("jiff::Zoned::now", &[]),
    ("kube", &["edge"]),
    ("reqwest", &["edge"]),
    ("rustls", &["edge"]),
    ("secrecy", &["config", "edge", "ops", "cli"]),
    ("std::env", &["edge"]),
    ("std::fs", &["edge"]),
    ("std::io::stderr", &["cli"]),
    ("std::io::stdin", &["edge"]),
    ("std::io::stdout", &["cli"]),
    ("std::net", &[]),
    ("std::os", &["edge"]),
    ("std::process", &["edge", "cli"]),
    ("std::thread", &["edge"]),
    ("std::time", &["edge"]),
    ("tempfile", &["edge"]),
    ("tokio", &["edge"]),
    ("tower", &["edge"]),
    ("tracing", &["edge", "ops"]),
    ("tracing_subscriber", &["cli"]),
];

/// Parts of these that only compute.
const PURE: &[&str] = &[
    "git2::ObjectType",
    "git2::Oid",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::process::ExitStatus",
];

#[test]
fn modules_depend_only_inwards() {
    let mut wrong = Vec::new();
    for Source { rank, path, all, .. } in &*SOURCES {
        for used in all.used_modules() {
            if ORDER[rank + 1..].contains(&used.as_str()) {
                wrong.push(format!("{path}: `{}` uses `{used}`", ORDER[*rank]));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_world_is_touched_only_at_the_edge() {
    let mut wrong = Vec::new();
    for Source { rank, path, outside_tests, .. } in &*SOURCES {
        // A module of tests in a file of its own is declared elsewhere as one.
        if path.ends_with("/tests.rs") || path.contains("/tests/") {
            continue;
        }
        let is_pure = |used: &str| PURE.iter().any(|pure| is_within(used, pure));
        for (name, allowed) in WORLD.iter().filter(|(_, allowed)| !allowed.contains(&ORDER[*rank])) {
            if outside_tests.0.iter().any(|used| is_within(used, name) && !is_pure(used)) {
                wrong.push(format!("{path}: `{name}` is for {allowed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_code_map_lists_every_module_in_order() {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("a readable file");
    assert_eq!(declared(&text), ORDER);
    let found: BTreeSet<_> = entries(&root().join("src")).collect();
    let expected = ORDER.iter().copied().chain(["lib.rs", "main.rs"]).map(str::to_owned);
    assert_eq!(found, expected.collect());
}

#[test]
fn every_file_of_tests_is_a_module_of_them() {
    for (folder, root_file) in
        [("tests/integration", "main.rs"), ("tests/testbed", "main.rs"), ("tests/testbed/support", "mod.rs")]
    {
        let folder = root().join(folder);
        let text = fs::read_to_string(folder.join(root_file)).expect("a readable file");
        let is_of_tests = |name: &String| name.ends_with(".rs") || folder.join(name).join("mod.rs").is_file();
        let found: BTreeSet<_> =
            entries(&folder).filter(is_of_tests).map(|name| name.trim_end_matches(".rs").to_owned()).collect();
        let declared = declared(&text).into_iter().chain([root_file.trim_end_matches(".rs").to_owned()]);
        assert_eq!(found, declared.collect(), "{}", folder.display());
    }
}

#[test]
fn a_path_is_found_wherever_it_can_be_written() {
    let text = "
        use crate::{edge::git, ops};
        use std::{fs::{self, File}, io};
        use super::cli as outermost;
        fn f() -> crate::render::Templates { log!(\"{}\", std::env::var(\"x\"), crate::plan::plan) }
        #[cfg(test)] mod tests { use tempfile::tempdir; }
    ";
    let paths = Paths::of(text, false);
    assert_eq!(
        paths.0.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "crate::edge::git",
            "crate::ops",
            "std::fs",
            "std::fs::File",
            "std::io",
            "super::cli",
            "log",
            "std::env::var",
            "crate::plan::plan",
            "crate::render::Templates",
        ]
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
    assert_eq!(paths.used_modules().collect::<Vec<_>>(), ["edge", "ops", "plan", "render", "cli"]);
    assert!(Paths::of(text, true).0.contains("tempfile::tempdir"));
}

/// A file of the crate, parsed once for all tests.
struct Source {
    /// The place of its module in [`ORDER`].
    rank: usize,
    path: String,
    all: Paths,
    outside_tests: Paths,
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let files = ORDER.iter().enumerate().flat_map(|(rank, module)| {
        sources(&root().join("src"), module).into_iter().map(move |(path, text)| (rank, path, text))
    });
    let parsed = files.map(|(rank, path, text)| {
        let file = syn::parse_file(&text).expect("the crate compiles");
        Source { rank, path, all: Paths::in_file(&file, true), outside_tests: Paths::in_file(&file, false) }
    });
    parsed.collect()
});

/// Every path with more than one part, as written, and every name that is imported or called as a macro.
struct Paths(BTreeSet<String>);

impl Paths {
    fn of(text: &str, tests_too: bool) -> Self {
        Self::in_file(&syn::parse_file(text).expect("the crate compiles"), tests_too)
    }

    fn in_file(file: &syn::File, tests_too: bool) -> Self {
        let mut collect = Collect { paths: BTreeSet::new(), tests_too };
        collect.visit_file(file);
        Self(collect.paths)
    }

    /// The modules of the crate that are named: what follows `crate`, or `super` as often as it is written.
    fn used_modules(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|path| {
            let mut parts = path.split("::").peekable();
            let is_of_crate = matches!(parts.peek(), Some(&("crate" | "super")));
            parts.find(|part| !matches!(*part, "crate" | "super")).filter(|_| is_of_crate).map(str::to_owned)
        })
    }
}

struct Collect {
    paths: BTreeSet<String>,
    tests_too: bool,
}

impl<'ast> Visit<'ast> for Collect {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|argument| argument == "test")
        });
        if self.tests_too || !is_test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.paths.insert(parts.join("::"));
        }
        visit::visit_path(self, path);
    }

    /// The body of a macro is not parsed; its paths are found by how they look.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let body = call.tokens.to_string().replace(" :: ", "::").replace(":: ", "::").replace(" ::", "::");
        let is_of_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        let written = body.split(|c| !is_of_path(c)).map(|path| path.trim_matches(':'));
        self.paths.extend(written.filter(|path| path.contains("::")).map(str::to_owned));
        if let Some(name) = call.path.get_ident() {
            self.paths.insert(name.to_string());
        }
        visit::visit_macro(self, call);
    }
}

impl Collect {
    fn tree(&mut self, above: &str, tree: &syn::UseTree) {
        let below = |name: &syn::Ident| match (above, name.to_string().as_str()) {
            ("", name) => name.to_owned(),
            (above, "self") => above.to_owned(),
            (above, name) => format!("{above}::{name}"),
        };
        match tree {
            syn::UseTree::Path(path) => self.tree(&below(&path.ident), &path.tree),
            syn::UseTree::Name(name) => {
                self.paths.insert(below(&name.ident));
            }
            syn::UseTree::Rename(rename) => {
                self.paths.insert(below(&rename.ident));
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(above, tree)),
            syn::UseTree::Glob(_) => {
                self.paths.insert(above.to_owned());
            }
        }
    }
}

fn is_within(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The modules that a file declares, in its order.
fn declared(text: &str) -> Vec<String> {
    let file = syn::parse_file(text).expect("the crate compiles");
    let modules = file.items.into_iter().filter_map(|item| match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn entries(folder: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    entries.map(|entry| entry.expect("a readable entry").file_name().into_string().expect("names here are UTF-8"))
}

fn sources(src: &Path, module: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![src.join(format!("{module}.rs")), src.join(module)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a readable folder");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.is_file() {
            let text = fs::read_to_string(&path).expect("a readable file");
            found.push((path.display().to_string(), text));
        }
    }
    found
}
