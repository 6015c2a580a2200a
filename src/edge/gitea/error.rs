//! What can go wrong with a server, and what to do about it.

use std::time::Duration;

use crate::edge::http::HttpError;

/// Why something was not done. The source says what happened.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt} in {repository}")]
pub struct GiteaError {
    /// What was to be done: ``read the branch `main` ``.
    pub attempt: String,
    /// The repository's page: `https://git.example.org/tenant-acme/shop`.
    pub repository: String,
    /// What happened.
    #[source]
    pub problem: GiteaProblem,
}

/// What happened instead. Texts of the server are shortened, made safe to print, and without anything secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiteaProblem {
    /// There is no whole answer.
    #[error(transparent)]
    Unanswered(HttpError),
    /// The repository is at another place.
    #[error("the server answers {status}: the repository is now `{to}`")]
    Moved {
        /// The status.
        status: u16,
        /// Its page.
        to: String,
    },
    /// Somebody sends elsewhere.
    #[error(
        "the server sends elsewhere ({status}, to `{to}`), and nothing is followed because credentials would go along"
    )]
    Redirected {
        /// The status.
        status: u16,
        /// Where to.
        to: String,
    },
    /// The token is good, but not for this.
    #[error("the token lacks a scope that this needs (403): {message}")]
    MissingScope {
        /// The scopes to add: `write:issue`.
        scopes: Vec<String>,
        /// The server's words.
        message: String,
    },
    /// The server says no, or failed.
    #[error("the server answers {status}, {}{}", meaning(*.status), reason(.message, *.wait))]
    Refused {
        /// The status.
        status: u16,
        /// The server's words, or the title of a page; may be empty.
        message: String,
        /// For how long the server wants to be left alone.
        wait: Option<Duration>,
    },
    /// A page for people, where an API was expected.
    #[error("a web page came instead of an answer of the API ({status}): {}", quoted(.title))]
    Page {
        /// The status.
        status: u16,
        /// Its title; may be empty.
        title: String,
    },
    /// The answer is not what such servers say.
    #[error("the answer is not understood: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// A list that is not whole, so that nothing can be concluded from it.
    #[error("the answer is not whole: {why}")]
    Incomplete {
        /// What is missing.
        why: String,
    },
    /// A list longer than anybody can mean.
    #[error("the list does not end: {pages} pages were read")]
    Endless {
        /// How many.
        pages: usize,
    },
    /// Bytes that are not those that were asked for.
    #[error("the server gives other bytes than those of `{id}`")]
    OtherBytes {
        /// The id that was asked for.
        id: String,
    },
    /// The branch of the pull request is not at the commit that was meant.
    #[error("the branch of the pull request is at {found}, not at {expected}")]
    HeadMoved {
        /// What was meant.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The pull request cannot be merged because it is closed.
    #[error("the pull request is closed")]
    Closed,
}

impl GiteaError {
    /// The status of a refusal; `None` for everything else.
    pub fn status(&self) -> Option<u16> {
        match &self.problem {
            GiteaProblem::Refused { status, .. } => Some(*status),
            GiteaProblem::MissingScope { .. } => Some(403),
            _ => None,
        }
    }

    /// Whether the server may have done all the same what it was asked for.
    pub fn may_have_acted(&self) -> bool {
        match &self.problem {
            GiteaProblem::Unanswered(error) => error.problem.may_have_acted(),
            GiteaProblem::Refused { status, .. } => *status >= 500,
            GiteaProblem::Page { .. } | GiteaProblem::Unreadable { .. } => true,
            _ => false,
        }
    }

    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        let text = match &self.problem {
            GiteaProblem::Unanswered(error) => return error.problem.hint().map(str::to_owned),
            GiteaProblem::Moved { to, .. } => return Some(format!("set the remote to `{to}`")),
            GiteaProblem::MissingScope { scopes, .. } => {
                // Comments and labels are read to be written, and who may write may read.
                let enough = |scope: &str| format!("`{}`", if scope == "read:issue" { "write:issue" } else { scope });
                let scopes: Vec<_> = scopes.iter().map(|scope| enough(scope)).collect();
                let scopes = scopes.join(" and ");
                return Some(format!(
                    "make a token that has {scopes} besides its other scopes, and give it in BOBBYPIN_GITEA_TOKEN"
                ));
            }
            GiteaProblem::Redirected { .. } | GiteaProblem::Page { .. } | GiteaProblem::Unreadable { .. } => {
                "set spec.publish.gitea.url to the start page of the server, and let no proxy ask for a login there"
            }
            GiteaProblem::Refused { status, .. } => match status {
                401 => {
                    "make a new token in the settings of its user (Applications), and give it in BOBBYPIN_GITEA_TOKEN"
                }
                403 => "let the user of the token write to the repository, or change the rules of the branch",
                404 => {
                    "check the address of the repository and the names in bobbypin.yaml, and that the user of the token may see it"
                }
                405 => "look at the pull request: it says there what it waits for and how it may be merged",
                409 => "run again; when it stays, look at the pull request",
                413 => "raise the limit of the proxy before the server (nginx: client_max_body_size)",
                422 => "check the branch, labels, assignees and reviewers in bobbypin.yaml",
                423 => "unarchive the repository in its settings, or remove it from where bobbypin runs",
                429 => "run again later, or less often",
                500.. => "run again when the server is well; its log says more",
                _ => return None,
            },
            GiteaProblem::HeadMoved { .. } => "run again",
            GiteaProblem::Closed => "reopen it, or let a new one be made",
            GiteaProblem::Incomplete { .. } | GiteaProblem::OtherBytes { .. } => {
                "run again; when it stays, publish with `transport: git`"
            }
            GiteaProblem::Endless { .. } => return None,
        };
        Some(text.to_owned())
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 => "the token is unknown or has expired",
        403 => "that is forbidden",
        404 => "it is missing, or the token may not see it",
        405 => "that cannot be done now",
        409 => "something stands against it",
        413 => "that is more than it takes",
        422 => "that is not acceptable to it",
        423 => "the repository is archived",
        429 => "there were too many requests",
        500.. => "it failed",
        _ => "which is unexpected",
    }
}

fn reason(message: &str, wait: Option<Duration>) -> String {
    let message = if message.is_empty() { String::new() } else { format!(": {message}") };
    match wait {
        Some(wait) => format!("{message} (not before {wait:?})"),
        None => message,
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "it has no title".to_owned() } else { format!("\u{201c}{text}\u{201d}") }
}
