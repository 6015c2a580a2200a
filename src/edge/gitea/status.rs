//! What is said of a commit.

use std::fmt;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::{
    edge::gitea::{Gitea, GiteaError, Written},
    model::tree::CommitId,
};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusState {
    /// It has not ended.
    Pending,
    /// All is well.
    Success,
    /// It could not be carried out.
    Error,
    /// Something is wrong with the commit.
    Failure,
    /// Something is to be looked at, but nothing is wrong.
    Warning,
}

impl fmt::Display for StatusState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Error => "error",
            Self::Failure => "failure",
            Self::Warning => "warning",
        })
    }
}

/// What is said of a commit by one check.
#[derive(Clone, Copy, Debug)]
pub struct Status<'a> {
    /// The name of the check: `bobbypin/plan`.
    pub context: &'a str,
    /// How it went.
    pub state: StatusState,
    /// A short line about it.
    pub description: &'a str,
    /// A page with more.
    pub target_url: Option<&'a str>,
}

#[derive(Deserialize)]
struct Said {
    id: u64,
    #[serde(alias = "state", default)]
    status: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    target_url: String,
}

impl Gitea<'_> {
    /// Says something of a commit, unless the same was the last that was said by this check.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may not stand there afterwards.
    pub fn set_status(&self, commit: &CommitId, status: &Status<'_>) -> Result<Written, GiteaError> {
        let call = self.call(format!("set the status `{}` of {}", status.context.escape_debug(), commit.short()));
        let path = call.path(&format!("/statuses/{commit}"));
        let mut last: Option<Said> = None;
        call.list::<Said>(
            &path,
            |said| said.id,
            |said| {
                if said.context == status.context && last.as_ref().is_none_or(|last| said.id > last.id) {
                    last = Some(said);
                }
            },
        )?;
        let state = status.state.to_string();
        let target_url = status.target_url.unwrap_or_default();
        let is_same = |last: &Said| {
            last.status == state && last.description == status.description && last.target_url == target_url
        };
        let written = match &last {
            None => Written::Created,
            Some(last) if is_same(last) => return Ok(Written::Unchanged),
            Some(_) => Written::Updated,
        };
        let body = json!({
            "context": status.context, "state": state, "description": status.description, "target_url": target_url,
        });
        call.send(Method::POST, &path, Some(&body)).map(|_| written)
    }
}
