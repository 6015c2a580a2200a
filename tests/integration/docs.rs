//! The pages are complete and agree with the code.
#![expect(clippy::disallowed_methods, reason = "this test reads the project")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The folder of the project.
pub(crate) fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A fenced block.
pub(crate) struct Fence<'a> {
    pub(crate) language: &'a str,
    pub(crate) lines: Vec<&'a str>,
}

/// The fenced blocks of a page, in order.
pub(crate) fn fences(page: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Fence { language, lines: Vec::new() }),
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(fence)) => fence.lines.push(line),
            (None, None) => {}
        }
    }
    found
}

/// The README and every page, with their paths in the project.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut paths = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned(), "examples/first-use/README.md".to_owned()];
    let docs = fs::read_dir(project().join("docs")).expect("a folder of pages");
    paths.extend(docs.map(|entry| format!("docs/{}", entry.expect("a readable entry").file_name().display())));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), page(&path))).collect()
}

fn page(path: &str) -> String {
    fs::read_to_string(project().join(path)).expect("a page that exists")
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        let folder = project().join(&path).parent().map(Path::to_owned).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { project().join(&path) } else { folder.join(file) };
            let has_anchor =
                || fs::read_to_string(&file).is_ok_and(|text| anchors(&text).iter().any(|found| found == anchor));
            if fs::metadata(&file).is_err() || !(anchor.is_empty() || has_anchor()) {
                wrong.push(format!("{path}: {target}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The anchors that a forge gives to headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let plain = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
    };
    headings.map(plain).collect()
}

#[test]
fn every_file_of_the_project_that_is_named_exists() {
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        for code in text.split('`').skip(1).step_by(2) {
            let ours = ["docs/", "examples/", "src/", "tests/"].iter().any(|folder| code.starts_with(folder));
            if ours && !code.contains(['<', '*', ' ', '\n']) && fs::metadata(project().join(code)).is_err() {
                wrong.push(format!("{path}: {code}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The words in the first column of the tables of a section, each without its back quotes.
fn first_column(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    rows.flat_map(|(cell, _)| cell.split(", ")).map(|word| word.trim_matches('`').to_owned()).collect()
}
