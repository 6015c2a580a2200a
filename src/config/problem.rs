//! What is wrong with a file that a person or another program wrote.

use std::{collections::BTreeSet, fmt, sync::Arc};

use serde::Serialize;

/// A file's path and bytes, as the caller read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as the user knows it; only for messages.
    pub path: String,
    /// The file's content.
    pub bytes: Arc<[u8]>,
}

/// One thing that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 when the problem is with the whole file.
    pub line: usize,
    /// The column in characters, from 1; 0 when the problem is with the whole file.
    pub column: usize,
    /// The key, as `spec.host.engine` or `spec.tenants.overrides[2].name`; empty when the problem is with the whole file.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line of the file that the problem is in, for people.
    #[serde(skip)]
    pub excerpt: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", escape(&self.path), self.line, self.column, escape(&self.message))
    }
}

/// A report for people about all problems of all files, sorted by place. It ends with how many there are.
///
/// What could play tricks on a terminal (control characters, marks that turn the direction of text) is escaped.
pub fn report(problems: &[Problem]) -> String {
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort();
    sorted.dedup();
    let gutter = sorted.iter().map(|problem| problem.line).max().unwrap_or(0).to_string().len();
    let mut text = String::new();
    for problem in &sorted {
        text.push_str(&one(problem, gutter));
        text.push('\n');
    }
    let files: BTreeSet<&str> = sorted.iter().map(|problem| problem.path.as_str()).collect();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    text + &format!("{} in {}\n", count(sorted.len(), "problem"), count(files.len(), "file"))
}

fn one(problem: &Problem, gutter: usize) -> String {
    let margin = " ".repeat(gutter);
    let mut text = format!("error: {}\n{margin}--> {}", escape(&problem.message), escape(&problem.path));
    if problem.line > 0 {
        text.push_str(&format!(":{}:{}", problem.line, problem.column));
    }
    if !problem.key.is_empty() {
        text.push_str(&format!(" ({})", escape(&problem.key)));
    }
    text.push('\n');
    if problem.line > 0 && !problem.excerpt.is_empty() {
        // A long line was cut at the column.
        let before = if problem.excerpt.starts_with("… ") { 2 } else { problem.column.saturating_sub(1) };
        let before: String = problem.excerpt.chars().take(before).collect();
        let indent = " ".repeat(escape(&before).chars().count());
        let line = problem.line;
        text.push_str(&format!("{margin} |\n{line:>gutter$} | {}\n{margin} | {indent}^\n", escape(&problem.excerpt)));
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("{margin} = help: {}\n", escape(hint)));
    }
    text
}

/// The text with everything escaped that a terminal would obey instead of show.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '\t' => escaped.push(' '),
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                escaped.extend(character.escape_unicode());
            }
            character if character.is_control() => escaped.extend(character.escape_unicode()),
            character => escaped.push(character),
        }
        escaped
    })
}
