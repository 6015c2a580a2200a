//! What is wrong with a file that a person or another program wrote.

use std::{fmt, sync::Arc};

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
        write!(f, "{}:{}:{}: {}", self.path, self.line, self.column, self.message)
    }
}
