//! Why a Git server did not do what it was asked.

use std::{error::Error, io, time::Duration};

use crate::{
    diff::print::escape::line as line_safe,
    edge::{git::remote::packet::Malformed, http::HttpError},
};

/// Why a Git server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// There is no whole answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer is a refusal of HTTP.
    #[error("{server} answers {status}{}", said(words))]
    Status {
        /// The server.
        server: String,
        /// The status.
        status: u16,
        /// What the server says, made readable.
        words: String,
        /// Whether credentials were sent along.
        has_credentials: bool,
        /// For how long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The answer is a page for people: of a proxy, a login, or another program.
    #[error("{server} answers with {what}, not as a Git server does")]
    NotGit {
        /// The server.
        server: String,
        /// What it is instead.
        what: String,
    },
    /// The server gives up, with its own words.
    #[error("the server says: {words}")]
    Said {
        /// Its words, made readable.
        words: String,
    },
    /// What the server says is not Git's protocol.
    #[error("what the server says is not Git's protocol: {problem}")]
    Malformed {
        /// What is wrong.
        problem: String,
        /// Whether the server may have acted on the request all the same.
        may_have_acted: bool,
    },
    /// The repository's ids are of another kind.
    #[error("the repository has the object format `{format}`, which is not supported")]
    ObjectFormat {
        /// The kind.
        format: String,
    },
    /// The server said that it took a commit, and does not show it.
    #[error("the server said that it took the commit, and does not show it")]
    NotShown,
    /// The objects that came are of no use.
    #[error("the objects that the server sent cannot be used")]
    Pack {
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The program `ssh` could not be run.
    #[error("cannot run `ssh`")]
    SshStart {
        /// Why.
        source: io::Error,
    },
    /// `ssh` ended before the server had said all.
    #[error("the connection over ssh to {host} ended{}", said(words))]
    Ssh {
        /// The host.
        host: String,
        /// What `ssh` printed, made readable.
        words: String,
        /// Whether the server may have acted on the request all the same.
        may_have_acted: bool,
    },
    /// No whole answer in time.
    #[error("there was no whole answer over ssh from {host} within {seconds} s")]
    SshTimeout {
        /// The host.
        host: String,
        /// The time that it had.
        seconds: u64,
        /// Whether the server may have acted on the request all the same.
        may_have_acted: bool,
    },
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

impl RemoteError {
    /// Whether the server may have acted on the request all the same.
    pub(in crate::edge::git) fn may_have_acted(&self) -> bool {
        match self {
            Self::Http(error) => error.problem.may_have_acted(),
            // A proxy gives up on a server that is still at work.
            Self::Status { status, .. } => *status >= 500,
            Self::Malformed { may_have_acted, .. }
            | Self::Ssh { may_have_acted, .. }
            | Self::SshTimeout { may_have_acted, .. } => *may_have_acted,
            Self::NotGit { .. } | Self::Said { .. } | Self::Pack { .. } => true,
            Self::NotShown => true,
            Self::ObjectFormat { .. } | Self::SshStart { .. } => false,
        }
    }

    /// Whether another try may help.
    pub(in crate::edge::git) fn is_passing(&self) -> bool {
        match self {
            Self::Http(error) => error.problem.is_passing(),
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            // The branch was replaced between two questions.
            Self::Said { words } => words.contains("not our ref"),
            Self::Ssh { words, .. } => {
                // What will not get better by itself.
                let lasting =
                    ["Permission denied", "verification failed", "not resolve", "does not exist", "not appear"];
                !lasting.iter().any(|text| words.contains(text))
            }
            _ => false,
        }
    }

    /// For how long the server wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn malformed(problem: &Malformed, may_have_acted: bool) -> Self {
        Self::Malformed { problem: problem.to_string(), may_have_acted }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Http(error) => return error.problem.hint().map(str::to_owned),
            Self::Status { status: 401, has_credentials: true, .. } => {
                "the token is unknown to the server, or has expired: make a new one for BOBBYPIN_GITEA_TOKEN \
                 (or BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD)"
                    .to_owned()
            }
            Self::Status { status: 401, .. } => {
                "set BOBBYPIN_GITEA_TOKEN, or BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD".to_owned()
            }
            Self::Status { status: 423, .. } => {
                "the repository takes no changes now: it is archived, or at work on itself".to_owned()
            }
            Self::Status { status: 403, words, .. } if words.contains("archived") => {
                "take the repository out of the archive, or publish to another one".to_owned()
            }
            Self::Status { status: 403, .. } => {
                "the token needs the scope `write:repository`, and its user the right to write to the repository"
                    .to_owned()
            }
            Self::Status { status: 404, .. } => {
                "check owner and name of the repository; a server says this too when the user may not see it".to_owned()
            }
            Self::Status { status: 413, .. } => {
                "let the proxy before the server accept larger requests (nginx: client_max_body_size)".to_owned()
            }
            Self::Status { status: 429, .. } => "run less often; the server wants to be left alone".to_owned(),
            Self::Status { status: 500..=599, .. } => "run again; the server's own log says more".to_owned(),
            Self::NotGit { .. } => "check the address; a login page of a proxy must let Git pass".to_owned(),
            Self::ObjectFormat { .. } => "use a repository of the default object format, sha1".to_owned(),
            Self::SshStart { .. } => "install the OpenSSH client, or use a remote over https".to_owned(),
            Self::Ssh { words, .. } if words.contains("verification failed") => {
                "add the server's key to known_hosts after checking it, or set BOBBYPIN_SSH_KNOWN_HOSTS_FILE".to_owned()
            }
            Self::Ssh { words, .. } if words.contains("Permission denied") => {
                "give the key by BOBBYPIN_SSH_KEY_FILE, an SSH agent or ~/.ssh/config".to_owned()
            }
            Self::SshTimeout { .. } => "run again; for more time: --timeout".to_owned(),
            Self::NotShown => "look at the branch before running again; a mirror may lag behind".to_owned(),
            Self::Said { .. } | Self::Malformed { .. } | Self::Pack { .. } | Self::Status { .. } | Self::Ssh { .. } => {
                return None;
            }
        })
    }
}

/// What a server says, on one line, made readable, and not too long.
pub(in crate::edge::git) fn readable(text: &str, most: usize) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = line_safe(&words.join(" "));
    if line.chars().count() <= most { line } else { line.chars().take(most - 1).chain(['…']).collect() }
}
