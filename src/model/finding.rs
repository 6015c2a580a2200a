//! What a person should know about, whatever was decided.

use serde::Serialize;

use crate::model::hostname::Hostname;

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
    /// The host that it is about, as [`Finding::host_of`] names it; `None` where it is not about a single one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Finding {
    /// How a finding names a host that an object wrote: as records have it. What is no host name stands as it was written,
    /// on one line, and cut after 80 characters.
    pub fn host_of(written: &str) -> String {
        let as_written = || written.escape_debug().take(80).collect();
        Hostname::parse(written).map_or_else(|_| as_written(), |host| host.to_string())
    }
}
