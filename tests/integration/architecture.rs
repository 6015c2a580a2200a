//! The dependency direction between modules, as a test.
#![expect(clippy::disallowed_methods, reason = "this test reads the source tree")]

use std::{fs, path::Path};

use syn::visit::{self, Visit};

/// Innermost first. A module may use itself and what stands before it.
const ORDER: &[&str] =
    &["model", "config", "manifest", "dns", "platform", "plan", "render", "diff", "edge", "ops", "cli"];

#[test]
fn modules_depend_only_inwards() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (rank, module) in ORDER.iter().enumerate() {
        for (path, text) in sources(&src, module) {
            let mut uses = Uses::default();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
            uses.visit_file(&file);
            for used in uses.0 {
                if ORDER[rank + 1..].contains(&used.as_str()) {
                    wrong.push(format!("{path}: `{module}` uses `{used}`"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The first segment after every `crate::`, in `use` trees and in paths.
#[derive(Default)]
struct Uses(Vec<String>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        if path.ident == "crate" {
            self.heads(&path.tree);
        }
        visit::visit_use_path(self, path);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter().map(|segment| segment.ident.to_string());
        if segments.next().as_deref() == Some("crate") {
            self.0.extend(segments.next());
        }
        visit::visit_path(self, path);
    }
}

impl Uses {
    fn heads(&mut self, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => self.0.push(path.ident.to_string()),
            syn::UseTree::Name(name) => self.0.push(name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.0.push(rename.ident.to_string()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.heads(tree)),
            syn::UseTree::Glob(_) => (),
        }
    }
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
