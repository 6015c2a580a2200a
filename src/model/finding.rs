//! What a person should know about, whatever was decided.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something will not work as it looks.
    Warning,
    /// Something is broken, or would be by the next step.
    Error,
}

/// One thing that a person should know about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The kind of finding, PascalCase and stable: scripts may compare it.
    pub rule: &'static str,
    /// What it is about: an object, a file or a key.
    pub subject: String,
    /// What is so, and why it matters; one or two sentences.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}
