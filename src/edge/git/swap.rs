//! A branch on a server: read, replaced if it still holds what was read, and looked at afresh to say what became of it.

use std::{thread, time::Duration};

use tracing::info;

use crate::{
    edge::{
        git::{
            GitError, PastCommit, Prepared, PublishError, Published, RemoteError, Server, Wanted,
            remote::{Head, Pushed, Unanswered, distinct, patiently, waits},
            store::Store,
            target::DEFAULT_BRANCH,
            tip::reference_name,
        },
        http::Deadline,
    },
    model::tree::{CommitId, Tree},
};

/// How many commits somebody may have built on ours before it is looked for.
const BUILT_UPON: usize = 64;

impl Server {
    /// Reads the wanted entries of the last commit of a branch, or of the one that `HEAD` stands for; see
    /// [`Repository::read_tip`](super::Repository::read_tip).
    ///
    /// # Errors
    ///
    /// As [`Repository::read_tip`](super::Repository::read_tip), and [`GitError::Remote`].
    pub(super) fn read(&self, branch: Option<&str>, wanted: &Wanted) -> Result<(String, Tree, Store), GitError> {
        if let Some(branch) = branch {
            reference_name(branch)?;
        }
        let deadline = self.deadline();
        let store = Store::new()?;
        let found = patiently(deadline, || self.receive_tip(branch, wanted, &store, deadline));
        let (branch, head) = found.map_err(|error| self.failed(error))?;
        let tree = match head {
            Head::At(id) => {
                let commit = CommitId::parse(&id).expect("the protocol's reader takes only whole ids");
                store.repository.read_commit(&commit, wanted)?
            }
            Head::Missing(branches) if branches.is_empty() => Tree::default(),
            Head::Missing(branches) => {
                return Err(GitError::BranchMissing { branch, branches });
            }
            Head::Symbolic(target) => return Err(GitError::BranchSymbolic { branch, target }),
        };
        Ok((branch, tree, store))
    }

    /// Receives the commit of a branch with its folders and the wanted files.
    fn receive_tip(
        &self,
        branch: Option<&str>,
        wanted: &Wanted,
        store: &Store,
        deadline: Deadline,
    ) -> Result<(String, Head), RemoteError> {
        let mut reading = self.reading(deadline)?;
        let (branch, head) = match branch {
            Some(branch) => (branch.to_owned(), reading.head(branch)?),
            None => match reading.default_head()? {
                Some(found) => found,
                None => (DEFAULT_BRANCH.to_owned(), reading.head(DEFAULT_BRANCH)?),
            },
        };
        if let Head::At(id) = &head {
            store.receive(|sink| reading.commits(id, 1, sink))?;
            if reading.can_filter() {
                // What is wrong with the names is told when the commit is read.
                let listed = CommitId::parse(id).and_then(|commit| store.repository.list(&commit, wanted).ok());
                let files = listed.iter().flat_map(|listing| &listing.files).map(|(_, id)| *id);
                let missing = distinct(store.lacks(files).unwrap_or_default());
                if !missing.is_empty() {
                    store.receive(|sink| reading.files(&missing, sink))?;
                }
            }
        }
        Ok((branch, head))
    }

    /// Where a reference of the server is now.
    ///
    /// # Errors
    ///
    /// [`GitError::Remote`].
    pub fn reference(&self, name: &str) -> Result<Option<CommitId>, GitError> {
        let deadline = self.deadline();
        let found = patiently(deadline, || self.reading(deadline)?.reference(name));
        Ok(found.map_err(|error| self.failed(error))?.and_then(|id| CommitId::parse(&id)))
    }

    /// The last `count` commits of a branch, the newest first, each with its message and the like.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] and [`GitError::Remote`].
    pub fn commits(&self, tip: &CommitId, count: usize) -> Result<Vec<PastCommit>, GitError> {
        let deadline = self.deadline();
        let store = Store::new()?;
        let get = || {
            let mut reading = self.reading(deadline)?;
            store.receive(|sink| reading.commits(tip.as_str(), count + 1, sink))
        };
        patiently(deadline, get).map_err(|error| self.failed(error))?;
        store.repository.history(tip, &[], count)
    }

    /// Replaces what a branch holds by a prepared commit, if it is at `expected` (`None`: if it does not exist).
    ///
    /// For a branch that others build on, `expected` is the commit's base. A branch of this program's own may be replaced
    /// by a commit on another base.
    ///
    /// The same request may be sent several times: whichever arrives, the branch goes from the expected commit to the new
    /// one once. Only a fresh look at the branch says what became of it.
    ///
    /// # Errors
    ///
    /// Whatever the error, the branch was left alone, but for [`PublishError::UnknownOutcome`].
    pub fn replace(
        &self,
        branch: &str,
        expected: Option<&CommitId>,
        prepared: &Prepared<'_>,
    ) -> Result<Published, PublishError> {
        let reference = reference_name(branch)?;
        let pack = prepared.pack()?;
        self.swap(&Swap { branch, reference: &reference, expected, new: Some(&prepared.commit) }, &pack)?;
        info!(commit = %prepared.commit, branch, "published");
        Ok(Published { commit: prepared.commit.clone(), stale: Vec::new(), is_on_base: true })
    }

    /// Removes a branch if it is at `expected`.
    ///
    /// # Errors
    ///
    /// As [`Server::replace`].
    pub fn remove(&self, branch: &str, expected: &CommitId) -> Result<(), PublishError> {
        let reference = reference_name(branch)?;
        self.swap(&Swap { branch, reference: &reference, expected: Some(expected), new: None }, &[])
    }

    pub(super) fn swap(&self, swap: &Swap<'_>, pack: &[u8]) -> Result<(), PublishError> {
        let (old, new) = (swap.expected.map(CommitId::as_str), swap.new.map(CommitId::as_str));
        let deadline = self.deadline();
        let mut waits = waits();
        // Whether there was a request that may have been heeded, and no look at the branch has settled it.
        let mut is_doubtful = false;
        loop {
            let pushed = self.push(swap.reference, old, new, pack, deadline);
            let failure = match pushed {
                Err(Unanswered { error, may_have_acted }) => {
                    is_doubtful |= may_have_acted;
                    if !is_doubtful && !error.is_passing() {
                        return Err(PublishError::Remote { branch: swap.branch.to_owned(), source: error });
                    }
                    Failure::Broken(error)
                }
                Ok(Pushed::Refused { why, words }) => Failure::Refused { why, words },
                // The next request may fail in a way that says nothing of this one.
                Ok(Pushed::Accepted) => {
                    is_doubtful = true;
                    Failure::None
                }
            };
            let seen = match self.seen(swap) {
                Ok(Seen::There) => return Ok(()),
                Ok(Seen::Elsewhere(found)) => {
                    let (branch, expected) = (swap.branch.to_owned(), swap.expected.cloned());
                    return Err(PublishError::Moved { branch, expected, found });
                }
                Ok(Seen::Before) => None,
                Err(error) => Some(error),
            };
            let is_over = |wait: &Duration| *wait >= deadline.left();
            match waits.next() {
                Some(wait) if failure.is_passing() && !is_over(&wait) => thread::sleep(wait),
                _ => return Err(self.verdict(swap, failure, seen, is_doubtful)),
            }
        }
    }

    /// What to say when the branch is not where it was to go.
    fn verdict(&self, swap: &Swap<'_>, failure: Failure, unseen: Option<GitError>, is_doubtful: bool) -> PublishError {
        let branch = swap.branch.to_owned();
        match (failure, unseen) {
            // What was refused is refused, whatever can be seen; but it may not be all that was sent.
            (Failure::Refused { why, words }, _) if !is_doubtful => PublishError::Refused { branch, why, words },
            (Failure::Broken(source), _) if !is_doubtful => PublishError::Remote { branch, source },
            (failure, unseen) => {
                let source = match (unseen, failure) {
                    (Some(error), _) => error,
                    (None, Failure::Broken(error)) => self.failed(error),
                    (None, Failure::Refused { why, words }) => {
                        let words = if words.is_empty() { why } else { format!("{why}; {words}") };
                        self.failed(RemoteError::Said { words })
                    }
                    (None, Failure::None) => self.failed(RemoteError::NotShown),
                };
                PublishError::UnknownOutcome { branch, commit: swap.new.cloned(), source }
            }
        }
    }

    /// Looks at the branch afresh.
    fn seen(&self, swap: &Swap<'_>) -> Result<Seen, GitError> {
        let found = self.reference(swap.reference)?;
        if found.as_ref() == swap.new {
            return Ok(Seen::There);
        }
        if found.as_ref() == swap.expected {
            return Ok(Seen::Before);
        }
        // Somebody may have built on it already.
        if let (Some(tip), Some(new)) = (&found, swap.new)
            && self.commits(tip, BUILT_UPON)?.iter().any(|past| past.id == *new)
        {
            return Ok(Seen::There);
        }
        Ok(Seen::Elsewhere(found))
    }

    pub(super) fn failed(&self, source: RemoteError) -> GitError {
        GitError::Remote { address: self.address.to_string(), source }
    }
}

/// A branch that is to go from one commit to another.
pub(super) struct Swap<'a> {
    /// For people.
    pub(super) branch: &'a str,
    pub(super) reference: &'a str,
    pub(super) expected: Option<&'a CommitId>,
    pub(super) new: Option<&'a CommitId>,
}

/// How the request itself went.
enum Failure {
    /// The server says that all is well.
    None,
    Refused {
        why: String,
        words: String,
    },
    Broken(RemoteError),
}

impl Failure {
    /// Whether the same request may fare better.
    fn is_passing(&self) -> bool {
        match self {
            // What a server says to whoever meets another writer in the middle of its work.
            Self::Refused { why, .. } => {
                ["lock", "failed to update ref", "incorrect old value"].iter().any(|text| why.contains(text))
            }
            Self::Broken(error) => error.is_passing() || error.may_have_acted(),
            Self::None => true,
        }
    }
}

/// Where a fresh look finds a branch.
enum Seen {
    /// At the new commit, or at one that was built on it.
    There,
    /// Where it was.
    Before,
    Elsewhere(Option<CommitId>),
}
