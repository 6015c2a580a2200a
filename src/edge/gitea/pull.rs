//! Pull requests.

use std::cmp::Reverse;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    edge::gitea::{
        Gitea, GiteaError, Written,
        request::{Call, FIRST_PAUSE, encode},
        server::{User, has_login, logins},
    },
    model::tree::CommitId,
};

/// How often a pull request is looked for that is about to be made, a quarter of a second apart.
const AWAITED: usize = 12;

/// A pull request from a branch of the repository to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// By which it is known.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// What became of it.
    pub state: PullRequestState,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Who made it; `None` when that user is gone.
    pub author: Option<String>,
    /// The branch that it is for.
    pub base: String,
    /// The branch that it brings, which may be gone.
    pub head_branch: String,
    /// The commit that it brings.
    pub head: CommitId,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// Who is to look after it.
    pub assignees: Vec<String>,
    /// Who is asked to review it and has not done so.
    pub requested_reviewers: Vec<String>,
    /// When it was changed last.
    pub updated: Option<Timestamp>,
}

/// What became of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullRequestState {
    /// It waits.
    Open,
    /// It was closed and not merged.
    Closed,
    /// It was merged.
    Merged,
}

/// What a pull request is made of.
#[derive(Clone, Debug)]
pub struct NewPullRequest<'a> {
    /// The branch that it is for.
    pub base: &'a str,
    /// The branch that it brings.
    pub head: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub body: &'a str,
    /// Who is to look after it.
    pub assignees: &'a [String],
}

/// How a pull request is to be. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Edit<'a> {
    /// Its title.
    pub title: Option<&'a str>,
    /// Its text.
    pub body: Option<&'a str>,
    /// Who is to look after it, besides those who do already.
    pub assignees: Option<&'a [String]>,
}

#[derive(Deserialize)]
#[serde(expecting = "a pull request")]
struct Wire {
    number: u64,
    #[serde(default)]
    html_url: String,
    state: String,
    #[serde(default)]
    merged: bool,
    title: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    user: Option<User>,
    base: Side,
    head: Side,
    #[serde(default)]
    labels: Option<Vec<Named>>,
    #[serde(default)]
    assignees: Option<Vec<User>>,
    #[serde(default)]
    requested_reviewers: Option<Vec<User>>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Side {
    /// The branch; empty for one that was made without a branch.
    #[serde(default)]
    label: String,
    #[serde(rename = "ref", default)]
    reference: String,
    #[serde(default)]
    sha: String,
    /// -1 when the repository is gone.
    repo_id: i64,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Wire {
    fn is_from(&self, base: &str, head: &str) -> bool {
        // The reference of a branch that is gone is that of the pull request; the label keeps the name.
        let is_head = self.head.reference == head || self.head.label == head;
        is_head && self.base.reference == base && self.head.repo_id == self.base.repo_id
    }
}

impl Gitea<'_> {
    /// All pull requests from one branch of the repository to another, whatever became of them, the newest first. Those of
    /// forks are not among them.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when the list cannot be read as a whole.
    pub fn pull_requests(&self, base: &str, head: &str) -> Result<Vec<PullRequest>, GiteaError> {
        self.call("list the pull requests").pull_requests("all", base, head)
    }

    /// Waits for a moment for an open pull request that somebody is about to make. `None`: there is none yet.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when the list cannot be read as a whole.
    pub fn await_pull_request(&self, base: &str, head: &str) -> Result<Option<PullRequest>, GiteaError> {
        let call = self.call("list the pull requests");
        for _ in 0..AWAITED {
            if let Some(found) = call.pull_requests("open", base, head)?.pop() {
                return Ok(Some(found));
            }
            if !call.pause(FIRST_PAUSE) {
                break;
            }
        }
        Ok(None)
    }

    /// Makes a pull request. When there is an open one for the two branches, that one is given, as it is.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when there is none afterwards, or that is not known.
    pub fn create_pull_request(&self, new: &NewPullRequest<'_>) -> Result<PullRequest, GiteaError> {
        let call = self.call(format!("open a pull request for the branch `{}`", new.head.escape_debug()));
        let body = json!({
            "base": new.base, "head": new.head, "title": new.title, "body": new.body, "assignees": new.assignees,
        });
        let made = call.put::<Wire>(Method::POST, &call.path("/pulls"), &body).and_then(|wire| call.pull_request(wire));
        match made {
            Err(error) if error.status() == Some(409) || error.may_have_acted() => {
                // Whatever else is wrong, the first error says more.
                let found = call.pull_requests("open", new.base, new.head).unwrap_or_default();
                found.into_iter().next().ok_or(error)
            }
            made => made,
        }
    }

    /// A single pull request, of whatever branches.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it cannot be read.
    pub fn pull_request(&self, number: u64) -> Result<PullRequest, GiteaError> {
        self.call(format!("read the pull request {number}")).pull_request_of(number)
    }

    /// Changes what is different. Nobody is taken off who looks after it.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it cannot be read or written.
    pub fn edit_pull_request(&self, number: u64, edit: &Edit<'_>) -> Result<Written, GiteaError> {
        let call = self.call(format!("change the pull request {number}"));
        call.until_it_holds(|| call.edit(call.pull_request_of(number)?, edit))
    }

    /// Closes a pull request without merging it. It is no error when it is closed or merged already.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may still be open.
    pub fn close(&self, number: u64) -> Result<Written, GiteaError> {
        let call = self.call(format!("close the pull request {number}"));
        call.until_it_holds(|| {
            let is_open = call.pull_request_of(number)?.state == PullRequestState::Open;
            let change = is_open.then(|| ("state".to_owned(), Value::from("closed")));
            call.patch_pull_request(number, change.into_iter().collect())
        })
    }
}

impl Call<'_> {
    /// Changes what is different from how it is now.
    fn edit(&self, now: PullRequest, edit: &Edit<'_>) -> Result<Written, GiteaError> {
        let number = now.number;
        let mut changes = Map::new();
        if let Some(title) = edit.title.filter(|title| *title != now.title) {
            changes.insert("title".to_owned(), title.into());
        }
        if let Some(body) = edit.body.filter(|body| !is_same_text(body, &now.body)) {
            changes.insert("body".to_owned(), body.into());
        }
        let missing = edit.assignees.unwrap_or_default().iter().filter(|name| !has_login(&now.assignees, name));
        let missing: Vec<_> = missing.cloned().collect();
        if !missing.is_empty() {
            // The server replaces the whole list.
            changes.insert("assignees".to_owned(), [now.assignees, missing].concat().into());
        }
        self.patch_pull_request(number, changes)
    }

    fn pull_requests(&self, state: &str, base: &str, head: &str) -> Result<Vec<PullRequest>, GiteaError> {
        // Servers that do not know `base_branch` give all.
        let path = self.path(&format!("/pulls?state={state}&base_branch={}", encode(base)));
        let mut found = Vec::new();
        self.list::<Wire>(
            &path,
            |wire| wire.number,
            |wire| {
                if wire.is_from(base, head) {
                    found.push(wire);
                }
            },
        )?;
        found.sort_by_key(|wire| Reverse(wire.number));
        found.into_iter().map(|wire| self.pull_request(wire)).collect()
    }

    /// As [`Gitea::pull_request`].
    pub(super) fn pull_request_of(&self, number: u64) -> Result<PullRequest, GiteaError> {
        self.pull_request(self.get(&self.path(&format!("/pulls/{number}")))?)
    }

    fn patch_pull_request(&self, number: u64, changes: Map<String, Value>) -> Result<Written, GiteaError> {
        if changes.is_empty() {
            return Ok(Written::Unchanged);
        }
        let path = self.path(&format!("/pulls/{number}"));
        self.send(Method::PATCH, &path, Some(&Value::Object(changes)))?;
        Ok(Written::Updated)
    }

    fn pull_request(&self, wire: Wire) -> Result<PullRequest, GiteaError> {
        let state = match (wire.merged, wire.state.as_str()) {
            (true, _) => PullRequestState::Merged,
            (false, "open") => PullRequestState::Open,
            (false, "closed") => PullRequestState::Closed,
            (false, state) => return Err(self.unreadable(&format!("`{state}` is no state of a pull request"))),
        };
        Ok(PullRequest {
            number: wire.number,
            url: wire.html_url,
            state,
            title: wire.title,
            body: wire.body.unwrap_or_default(),
            author: wire.user.map(|user| user.login),
            base: wire.base.reference,
            head_branch: if wire.head.label.is_empty() { wire.head.reference } else { wire.head.label },
            head: self.commit_id(&wire.head.sha)?,
            labels: wire.labels.unwrap_or_default().into_iter().map(|label| label.name).collect(),
            assignees: logins(wire.assignees),
            requested_reviewers: logins(wire.requested_reviewers),
            updated: wire.updated_at,
        })
    }
}

/// Whether two texts differ in nothing but what servers and browsers do to line ends.
pub(super) fn is_same_text(one: &str, other: &str) -> bool {
    one == other || one.replace("\r\n", "\n").trim_end() == other.replace("\r\n", "\n").trim_end()
}
