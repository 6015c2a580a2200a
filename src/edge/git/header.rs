//! What a commit says of itself, without its files.

use std::collections::BTreeMap;

use git2::Oid;

use crate::{
    edge::git::{GitError, Repository, Server, git_failed, object_id, remote::patiently, store::Store},
    model::{repository::Author, tree::CommitId},
};

/// The id that Git gives to everything that a commit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeId(pub(super) Oid);

impl TreeId {
    /// Reads 40 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        // An id is longer than what libgit2 takes for one.
        CommitId::parse(text).map(|id| Self(object_id(&id)))
    }
}

impl std::fmt::Display for TreeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitHeader {
    /// Who wrote it.
    pub author: Author,
    /// Who made it, which is somebody else after a rebase.
    pub committer: Author,
    /// Whether it was written and made in the same second. Tools that make a commit anew keep the time of the writing.
    pub is_of_one_moment: bool,
    /// What it stands on.
    pub parents: Vec<CommitId>,
    /// What it holds.
    pub tree: TreeId,
    /// The trailers of its message; of several with one key the last.
    pub trailers: BTreeMap<String, String>,
}

impl Repository {
    /// Reads what a commit says of itself.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when it cannot be read.
    pub fn header(&self, commit: &CommitId) -> Result<CommitHeader, GitError> {
        let failed = git_failed(|| format!("the commit {commit}"));
        let found = self.inner.find_commit(object_id(commit)).map_err(failed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let who = |signature: &git2::Signature<'_>| Author {
            name: text(signature.name_bytes()),
            email: text(signature.email_bytes()),
        };
        let (author, committer) = (found.author(), found.committer());
        // Where a shallow history ends, libgit2 hides the parents.
        let header = text(found.raw_header_bytes());
        let parents = header.lines().filter_map(|line| CommitId::parse(line.strip_prefix("parent ")?)).collect();
        let message = text(found.message_raw_bytes());
        let trailers = git2::message_trailers_strs(&message);
        let trailers = trailers.map_err(git_failed(|| format!("the message of {commit}")))?;
        let trailers = trailers.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(CommitHeader {
            author: who(&author),
            committer: who(&committer),
            is_of_one_moment: author.when().seconds() == committer.when().seconds(),
            parents,
            tree: TreeId(found.tree_id()),
            trailers,
        })
    }
}

impl Server {
    /// Reads what a commit at the tip of a branch says of itself.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] and [`GitError::Remote`].
    pub fn header(&self, commit: &CommitId) -> Result<CommitHeader, GitError> {
        let deadline = self.deadline();
        let store = Store::new()?;
        let get = || {
            let mut reading = self.reading(deadline)?;
            store.receive(|sink| reading.commits(commit.as_str(), 1, sink))
        };
        patiently(deadline, get).map_err(|error| self.failed(error))?;
        store.repository.header(commit)
    }
}
