//! A commit of several files in one request, for servers that do not let Git in.
//!
//! The server has no expected head: it compares the files that are named and nothing else. So a commit of somebody else that
//! arrives in between and touches other files is kept, and ours stands on it. [`Committed::parent`] says so.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use git2::{ObjectType, Oid};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    diff::FileChange,
    edge::gitea::{
        Gitea, GiteaError, GiteaProblem,
        content::Named,
        request::{Call, FIRST_PAUSE},
    },
    model::{repository::Author, tree::CommitId},
};

/// How many commits above the base are looked at for ours, when it is not known whether it arrived.
const WINDOW: usize = 50;

/// For how long a commit is looked for that is not there at first.
const PATIENCE: Duration = Duration::from_secs(10);

/// A commit that is on the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub commit: CommitId,
    /// The commit that it stands on: the base, or a commit of somebody else on the base that touches no file of ours.
    pub parent: CommitId,
}

/// Why there is no commit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The list of changes is empty.
    #[error("there is nothing to commit")]
    NothingToCommit,
    /// The branch, or one of the files, is no longer what the changes were computed from. Nothing was written.
    #[error("the branch `{branch}` has moved")]
    Moved {
        /// The branch.
        branch: String,
        /// What it is at now; `None` when it is gone.
        found: Option<CommitId>,
        /// What the server said, when it was asked to commit.
        source: Option<GiteaError>,
    },
    /// The server does not let the commit in. Nothing was written.
    #[error("the server does not take commits on the branch `{branch}`")]
    Denied {
        /// The branch.
        branch: String,
        /// What it said.
        source: GiteaError,
    },
    /// The commit may still arrive, or has arrived and could not be found.
    #[error("it is not known whether the commit is on the branch `{branch}`")]
    Unknown {
        /// The branch.
        branch: String,
        /// What happened.
        source: GiteaError,
    },
    /// Something else went wrong. Nothing was written.
    #[error(transparent)]
    Failed(#[from] GiteaError),
}

impl CommitError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingToCommit => None,
            Self::Moved { .. } => Some("run again".to_owned()),
            Self::Unknown { .. } => Some("run again: what is there already is not committed twice".to_owned()),
            Self::Denied { source, .. } | Self::Failed(source) => source.hint(),
        }
    }
}

impl Gitea<'_> {
    /// Commits changes of files on a branch that is at `base`, with one request.
    ///
    /// Every file that is changed or deleted is named with the id that it has in `base`, and a new one must not exist. What
    /// happened is found out by reading the branch again when the server does not say.
    ///
    /// # Errors
    ///
    /// [`CommitError`]; nothing was written but for [`CommitError::Unknown`].
    pub fn commit_files(
        &self,
        branch: &str,
        base: &CommitId,
        files: &[FileChange],
        message: &str,
        author: &Author,
        at: Timestamp,
    ) -> Result<Committed, CommitError> {
        let call = self.call(format!("commit on the branch `{}`", branch.escape_debug()));
        let operations: Vec<_> = files.iter().filter_map(operation).collect();
        if operations.is_empty() {
            return Err(CommitError::NothingToCommit);
        }
        let moved = |found, source| CommitError::Moved { branch: branch.to_owned(), found, source };
        let found = call.branch(branch)?;
        if found.as_ref() != Some(base) {
            return Err(moved(found, None));
        }
        let who = json!({"name": author.name, "email": author.email});
        let when = at.to_string();
        let body = json!({
            "branch": branch, "message": message, "author": who, "committer": who,
            "dates": {"author": when, "committer": when}, "files": operations,
        });
        // The rest of the time is for finding out what happened.
        let sending = call.with_time(call.left().mul_f32(0.75));
        let error = match sending.commit(&body) {
            Ok(committed) => return Ok(committed),
            Err(error) => error,
        };
        if error.may_have_acted() {
            return call.find_commit(branch, base, message, author, error);
        }
        match error.status() {
            Some(403 | 404 | 409 | 422) => match call.branch(branch) {
                Ok(found) if found.as_ref() != Some(base) || is_about_another_state(&error) => {
                    Err(moved(found, Some(error)))
                }
                Ok(_) if matches!(error.status(), Some(403 | 404)) => {
                    Err(CommitError::Denied { branch: branch.to_owned(), source: error })
                }
                _ => Err(error.into()),
            },
            Some(423) => Err(CommitError::Denied { branch: branch.to_owned(), source: error }),
            _ => Err(error.into()),
        }
    }
}

impl Call<'_> {
    fn commit(&self, body: &Value) -> Result<Committed, GiteaError> {
        #[derive(Deserialize)]
        struct Answer {
            commit: Commit,
        }
        #[derive(Deserialize)]
        struct Commit {
            sha: String,
            parents: Vec<Named>,
        }
        let Answer { commit } = self.put(Method::POST, &self.path("/contents"), body)?;
        let [parent] = commit.parents.as_slice() else {
            return Err(self.unreadable("the new commit does not have one parent"));
        };
        Ok(Committed { commit: self.commit_id(&commit.sha)?, parent: self.commit_id(&parent.sha)? })
    }

    /// Looks for a commit that may have arrived. A server that lost its client, or whose proxy gave up, may still be at it.
    fn find_commit(
        &self,
        branch: &str,
        base: &CommitId,
        message: &str,
        author: &Author,
        error: GiteaError,
    ) -> Result<Committed, CommitError> {
        let is_over = matches!(&error.problem, GiteaProblem::Refused { status: 500, .. });
        let looking = self.with_time(self.left().min(PATIENCE));
        let mut pause = FIRST_PAUSE;
        loop {
            let unknown = |source| CommitError::Unknown { branch: branch.to_owned(), source };
            let Ok(Some(tip)) = looking.branch(branch) else { return Err(unknown(error)) };
            if tip != *base {
                let Ok(past) = looking.commits(&tip, WINDOW) else { return Err(unknown(error)) };
                let new = past.iter().take_while(|commit| commit.id != *base);
                let mut ours = new.filter(|commit| {
                    // Servers take white space off the ends.
                    commit.message.trim() == message.trim() && commit.author == *author
                });
                return match ours.next() {
                    Some(commit) if commit.parents.len() == 1 => {
                        Ok(Committed { commit: commit.id.clone(), parent: commit.parents[0].clone() })
                    }
                    Some(_) => Err(unknown(error)),
                    None if past.iter().any(|commit| commit.id == *base) => {
                        Err(CommitError::Moved { branch: branch.to_owned(), found: Some(tip), source: Some(error) })
                    }
                    // So much has happened that ours may be further down.
                    None => Err(unknown(error)),
                };
            }
            if is_over {
                return Err(error.into());
            }
            if !looking.pause(pause) {
                return Err(unknown(error));
            }
            pause *= 2;
        }
    }
}

/// Whether a refusal is because the branch or a file is not what it was.
fn is_about_another_state(error: &GiteaError) -> bool {
    let GiteaProblem::Refused { status, message, .. } = &error.problem else { return false };
    let message = message.to_ascii_lowercase();
    let has = |text: &str| message.contains(text);
    match status {
        403 => has("cannot lock ref") || has("non-fast-forward") || has("stale info"),
        // A file that is to be changed or deleted is gone.
        404 => has("does not exist"),
        409 => true,
        422 => has("sha does not match") || has("already exists"),
        _ => false,
    }
}

/// One entry of the request. It names what must be there before. `None` for a change that changes nothing.
fn operation(file: &FileChange) -> Option<Value> {
    let id = |bytes: &[u8]| {
        Oid::hash_object(ObjectType::Blob, bytes).expect("hashing bytes in memory has no way to fail").to_string()
    };
    let path = file.path.as_str();
    match (&file.old, &file.new) {
        (old, new) if old == new => None,
        (None, None) => None,
        (None, Some(new)) => Some(json!({"operation": "create", "path": path, "content": STANDARD.encode(new)})),
        (Some(old), Some(new)) => {
            Some(json!({"operation": "update", "path": path, "content": STANDARD.encode(new), "sha": id(old)}))
        }
        (Some(old), None) => Some(json!({"operation": "delete", "path": path, "sha": id(old)})),
    }
}
