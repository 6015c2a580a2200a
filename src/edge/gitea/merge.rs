//! Merging a pull request once its checks have succeeded.

use http::Method;
use serde_json::json;

use crate::{
    edge::gitea::{
        Gitea, GiteaError, GiteaProblem, PullRequestState,
        request::{Call, FIRST_PAUSE},
    },
    model::{repository::MergeStyle, tree::CommitId},
};

/// What came of asking for a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoMerge {
    /// The server merges it once all checks have succeeded.
    Scheduled,
    /// The server was told so before, perhaps with another style.
    AlreadyScheduled,
    /// It is merged.
    Merged,
}

impl Gitea<'_> {
    /// Asks the server to merge a pull request once all checks have succeeded, if its branch is at `head`.
    ///
    /// The server remembers the pull request, not the commit. So it is looked again afterwards, and the order is taken back
    /// when somebody moved the branch in between; what is pushed later is merged as well.
    ///
    /// # Errors
    ///
    /// [`GiteaProblem::HeadMoved`] when the branch is elsewhere, [`GiteaProblem::Closed`] when it is closed, and a refusal
    /// with 405 when it may not be merged so.
    pub fn auto_merge(&self, number: u64, style: MergeStyle, head: &CommitId) -> Result<AutoMerge, GiteaError> {
        let call = self.call(format!("have the pull request {number} merged"));
        if call.is_merged(number, head)? {
            return Ok(AutoMerge::Merged);
        }
        let path = call.path(&format!("/pulls/{number}/merge"));
        let body = json!({
            "Do": style.to_string(), "head_commit_id": head.as_str(), "merge_when_checks_succeed": true,
        });
        let mut pause = FIRST_PAUSE;
        let outcome = loop {
            let error = match call.send(Method::POST, &path, Some(&body)) {
                Ok(answer) if answer.status == 200 => return Ok(AutoMerge::Merged),
                Ok(_) => break AutoMerge::Scheduled,
                Err(error) => error,
            };
            let says = |text: &str| match &error.problem {
                GiteaProblem::Refused { message, .. } => message.to_ascii_lowercase().contains(text),
                _ => false,
            };
            match error.status() {
                Some(409) if says("already scheduled") => break AutoMerge::AlreadyScheduled,
                Some(405) if says("already merged") => return Ok(AutoMerge::Merged),
                // It has not finished looking whether it can be merged at all.
                Some(405) if says("try again later") && call.pause(pause) => pause *= 2,
                Some(409) => {
                    call.is_merged(number, head)?;
                    return Err(error);
                }
                _ => return Err(error),
            }
        };
        match call.is_merged(number, head) {
            Ok(true) => Ok(AutoMerge::Merged),
            Ok(false) => Ok(outcome),
            Err(error) => {
                if matches!(error.problem, GiteaProblem::HeadMoved { .. }) {
                    call.send(Method::DELETE, &path, None)?;
                }
                Err(error)
            }
        }
    }
}

impl Call<'_> {
    /// Whether a pull request is merged. Fails when it is closed, or open with another commit.
    fn is_merged(&self, number: u64, head: &CommitId) -> Result<bool, GiteaError> {
        let now = self.pull_request_of(number)?;
        match now.state {
            PullRequestState::Merged => Ok(true),
            PullRequestState::Closed => Err(self.failed(GiteaProblem::Closed)),
            PullRequestState::Open if now.head == *head => Ok(false),
            PullRequestState::Open => {
                let (expected, found) = (head.to_string(), now.head.to_string());
                Err(self.failed(GiteaProblem::HeadMoved { expected, found }))
            }
        }
    }
}
