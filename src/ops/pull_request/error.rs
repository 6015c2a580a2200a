//! What can go wrong with a pull request.

use crate::{
    edge::{
        git::{GitError, PublishError},
        gitea::GiteaError,
        http::HttpError,
    },
    model::tree::CommitId,
};

/// Why there is no pull request as it is wanted. What was written before stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullRequestError {
    /// Changes are published to a folder.
    #[error("`{place}` is a folder, and pull requests need a Gitea or Forgejo server")]
    NotAServer {
        /// Where.
        place: String,
    },
    /// The server does not let Git in.
    #[error("the branches of pull requests are pushed by Git, and `spec.publish.gitea.transport` is `api`")]
    ApiOnly,
    /// A cluster's own template leaves no room for the stamp.
    #[error("cannot stamp the list of layers: {problem}")]
    NoPlace {
        /// What would be wrong with the list, and where.
        problem: String,
    },
    /// The remote's address does not say which repository of a server it is.
    #[error("cannot tell which repository of a Gitea or Forgejo server `{remote}` is")]
    NoAddress {
        /// The address.
        remote: String,
    },
    /// Nobody asks.
    #[error("the API of the server needs an access token, and there is none")]
    NoCredentials,
    /// The branch that is published to has no commit.
    #[error("the branch `{branch}` has no commit that a pull request could be for")]
    NoBase {
        /// The branch.
        branch: String,
    },
    /// No connection can be made from this machine.
    #[error("cannot use HTTP")]
    Http(#[source] HttpError),
    /// The branch of the pull request could not be read.
    #[error("cannot read the branch `{branch}`")]
    Read {
        /// The branch.
        branch: String,
        /// Why.
        source: GitError,
    },
    /// The branch of the pull request could not be written.
    #[error("cannot push to the branch `{branch}`")]
    Push {
        /// The branch.
        branch: String,
        /// Why.
        source: PublishError,
    },
    /// The server did not do what it was asked.
    #[error(transparent)]
    Gitea(#[from] GiteaError),
    /// Somebody else has changed the branch of the pull request.
    #[error("the branch `{branch}` is at {}, which is left alone: {why}", tip.short())]
    LeftAlone {
        /// The branch.
        branch: String,
        /// The commit.
        tip: CommitId,
        /// How it is seen that this is not ours; may hold the name of its committer.
        why: String,
        /// The page of the pull request, if one is open.
        url: Option<String>,
    },
}

impl PullRequestError {
    /// Whether the settings lack something.
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::NotAServer { .. }
            | Self::ApiOnly
            | Self::NoPlace { .. }
            | Self::NoAddress { .. }
            | Self::NoCredentials => true,
            Self::NoBase { .. }
            | Self::Http(_)
            | Self::Read { .. }
            | Self::Push { .. }
            | Self::Gitea(_)
            | Self::LeftAlone { .. } => false,
        }
    }

    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotAServer { .. } => {
                "set spec.publish.remote to the server's repository, or --publish commit".to_owned()
            }
            Self::ApiOnly => "set spec.publish.gitea.transport to `git`, or --publish commit".to_owned(),
            Self::NoPlace { .. } => {
                "take `patches` out of the cluster's templates/list/kustomization.yaml.tera, or set \
                                     spec.publish.pullRequest.stamp to false"
                    .to_owned()
            }
            Self::NoAddress { .. } => {
                "set spec.publish.gitea.url to the server's start page; the remote is below it, as owner/name.git"
                    .to_owned()
            }
            Self::NoCredentials => {
                "set BOBBYPIN_GITEA_TOKEN to one with the scopes write:repository and write:issue".to_owned()
            }
            Self::NoBase { .. } => "make the first commit by hand, or --publish commit".to_owned(),
            Self::Http(_) => return None,
            Self::Read { source, .. } => return source.hint(),
            Self::Push { source, .. } => return source.hint(),
            Self::Gitea(error) => return error.hint(),
            Self::LeftAlone { branch, url: None, .. } => {
                format!("merge what is on it, or remove it: git push origin --delete {branch}")
            }
            Self::LeftAlone { url: Some(url), .. } => {
                format!("merge {url}, or take what was added off the branch again")
            }
        })
    }
}
