//! The bytes of a file: the mark, line ends, indentation and size.

use crate::{
    manifest::{MARK, validate::ManifestProblem},
    model::tree::RepoPath,
};

/// The largest file; what Git, Flux and reviewers bear without trouble is far more, what we write is far less.
const LARGEST_FILE: usize = 1 << 20;

pub(super) fn check(path: &RepoPath, text: &str, problems: &mut Vec<ManifestProblem>) {
    let mut report = |rule, message: String, hint: &str| {
        problems.push(ManifestProblem {
            path: path.clone(),
            document: 0,
            pointer: String::new(),
            rule,
            message,
            hint: hint.to_owned(),
        });
    };
    if text.lines().next() != Some(MARK) {
        let hint = "begin the template with that line: a file without it belongs to somebody else";
        report("Mark", format!("the first line is not `{MARK}`"), hint);
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        let hint = "end the template with one line break, and leave out what writes more";
        report("FileEnd", "the file does not end with exactly one line break".to_owned(), hint);
    }
    if text.len() > LARGEST_FILE {
        let hint = "spread the objects over several files";
        report("FileSize", format!("the file has {} bytes; at most {LARGEST_FILE} are allowed", text.len()), hint);
    }
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.contains('\r') {
            let hint = "save the template with line breaks of one character (LF)";
            report("CarriageReturn", format!("line {number} has a carriage return"), hint);
        }
        let indentation = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        if indentation.contains('\t') {
            let hint = "indent with spaces: YAML does not allow tabs";
            report("TabIndentation", format!("line {number} is indented with a tab"), hint);
        }
    }
}
