//! Findings with their places, in every form.

use std::{collections::BTreeSet, fmt::Write as _};

use anstyle::AnsiColor;
use serde_json::{Value, json};

use crate::{
    cli::{exit::Exit, printer::Printer},
    diff::print::escape::line as line_safe,
    model::finding::{Finding, Severity},
    ops::dns::lint::Placed,
};

/// One line for every finding, and one for what to do.
pub(super) fn human(path: &str, placed: &[Placed], printer: &Printer) -> String {
    let mut text = String::new();
    for Placed { line, column, finding } in placed {
        let (color, word) = match finding.severity {
            Severity::Error => (AnsiColor::Red, "error"),
            Severity::Warning => (AnsiColor::Yellow, "warning"),
            Severity::Info => (AnsiColor::Cyan, "info"),
        };
        let word = printer.paint(color, word);
        let (path, message) = (line_safe(path), line_safe(&finding.message));
        writeln!(text, "{path}:{line}:{column}: {word} {}: {message}", finding.rule)
            .expect("a String takes everything");
        if let Some(fix) = &finding.fix {
            writeln!(text, "    help: {}", line_safe(fix)).expect("a String takes everything");
        }
    }
    let number = |severity| placed.iter().filter(|placed| placed.finding.severity == severity).count();
    let told = |severity, word: &str| {
        let number = number(severity);
        format!("{number} {word}{}", if number == 1 { "" } else { "s" })
    };
    let all = [told(Severity::Error, "error"), told(Severity::Warning, "warning"), told(Severity::Info, "remark")];
    text + &all.join(", ") + "\n"
}

/// One object.
pub(super) fn json(path: &str, placed: &[Placed], exit: Exit) -> String {
    let findings = placed.iter().map(|Placed { line, column, finding }| {
        json!({
            "severity": finding.severity,
            "rule": finding.rule,
            "subject": finding.subject,
            "message": finding.message,
            "fix": finding.fix,
            "file": path,
            "line": line,
            "column": column,
        })
    });
    let document = json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Audit",
        "findings": findings.collect::<Vec<_>>(),
        "exitReason": exit.reason(),
    });
    format!("{document:#}\n")
}

/// One run in a log of SARIF 2.1.0.
pub(super) fn sarif(path: &str, placed: &[Placed]) -> String {
    let rules: BTreeSet<_> = placed.iter().map(|placed| placed.finding.rule).collect();
    let rules: Vec<Value> = rules.iter().map(|rule| json!({"id": rule})).collect();
    let results = placed.iter().map(|Placed { line, column, finding }| {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        json!({
            "ruleId": finding.rule,
            "level": level,
            "message": {"text": with_fix(finding)},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": uri(path)},
                "region": {"startLine": line, "startColumn": column},
            }}],
        })
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "bobbypin", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    format!("{log:#}\n")
}

/// One command of a workflow for every finding.
pub(super) fn github(path: &str, placed: &[Placed]) -> String {
    let mut text = String::new();
    for Placed { line, column, finding } in placed {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        // A percent sign first, or the escapes would be escaped.
        let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
        let (file, title, message) = (property(path), property(finding.rule), data(&with_fix(finding)));
        writeln!(text, "::{word} file={file},line={line},col={column},title={title}::{message}")
            .expect("a String takes everything");
    }
    text
}

fn with_fix(finding: &Finding) -> String {
    match &finding.fix {
        Some(fix) => format!("{} {fix}", finding.message),
        None => finding.message.clone(),
    }
}

/// A path as a reference; what has a meaning there is escaped.
fn uri(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
