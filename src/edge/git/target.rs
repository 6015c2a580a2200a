//! Where commits are published to: a repository of this machine, or one on a server, through Git or through an API.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tracing::info;

use crate::{
    edge::{
        git::{
            Access, ApiRepository, GitError, Held, Location, NewCommit, PastCommit, Prepared, PublishError, Published,
            Ready, RemoteError, Repository, Server, Signed, Wanted,
            api::Tip,
            remote::{Head, Pushed, Unanswered, distinct, patiently, waits},
            store::Store,
            tip::reference_name,
        },
        http::Deadline,
    },
    model::{
        repository::{Author, LockReference, TrustedSigners},
        tree::{CommitId, RepoPath, Tree},
    },
};

/// How many commits somebody may have built on ours before it is looked for.
const BUILT_UPON: usize = 64;

/// The branch of a repository whose `HEAD` stands for none.
const DEFAULT_BRANCH: &str = "main";

/// Where commits are published to.
#[derive(Debug)]
pub enum Target {
    /// A repository of this machine.
    Folder(Repository),
    /// One on a server.
    Server(Box<Server>),
    /// One on a server that does not let Git in.
    Api(Box<ApiRepository>),
}

/// The last commit of a branch, as it was read, with what it takes to build on it.
pub struct Snapshot<'t> {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The wanted entries.
    pub tree: Tree,
    from: From<'t>,
}

enum From<'t> {
    Folder(&'t Repository),
    Server {
        server: &'t Server,
        store: Store,
        /// How many commits are there, this one included.
        depth: Cell<usize>,
    },
    Api(Tip<'t>),
}

impl Target {
    /// Opens the repository at exactly this place. A server is not contacted yet.
    ///
    /// # Errors
    ///
    /// Those of [`Repository::open`], and [`GitError::Remote`] when no connection can be made from this machine.
    pub fn open(location: Location, access: &Access) -> Result<Self, GitError> {
        match location {
            Location::Folder(folder) => Repository::open(&folder).map(Self::Folder),
            Location::Server(address) => {
                let shown = address.to_string();
                let server = Server::new(address, access.clone());
                let failed = |error| GitError::Remote { address: shown, source: RemoteError::Http(error) };
                Ok(Self::Server(Box::new(server.map_err(failed)?)))
            }
        }
    }

    /// The same through the API of a Gitea or Forgejo server. `server` is the address of its start page, when it is not the
    /// repository's without owner and name.
    ///
    /// # Errors
    ///
    /// [`GitError::NotOfGitea`], [`GitError::NoToken`], and [`GitError::Remote`] as for [`Target::open`].
    pub fn open_api(location: &Location, access: &Access, server: Option<&str>) -> Result<Self, GitError> {
        ApiRepository::new(location, access, server).map(|repository| Self::Api(Box::new(repository)))
    }

    /// Reads the wanted entries of a branch's last commit; see [`Repository::read_tip`].
    ///
    /// # Errors
    ///
    /// As [`Repository::read_tip`], [`GitError::Remote`] and [`GitError::Api`].
    pub fn read(&self, branch: &str, wanted: &Wanted) -> Result<Snapshot<'_>, GitError> {
        match self {
            Self::Folder(repository) => {
                let tree = repository.read_tip(branch, wanted)?;
                Ok(Snapshot { branch: branch.to_owned(), tree, from: From::Folder(repository) })
            }
            Self::Server(server) => server.read(Some(branch), wanted),
            Self::Api(repository) => {
                let (tree, tip) = repository.read(branch, wanted)?;
                Ok(Snapshot { branch: branch.to_owned(), tree, from: From::Api(tip) })
            }
        }
    }

    /// The same of the branch that the repository's `HEAD` stands for; `main`, when it stands for none.
    ///
    /// # Errors
    ///
    /// As [`Target::read`].
    pub fn read_default(&self, wanted: &Wanted) -> Result<Snapshot<'_>, GitError> {
        match self {
            Self::Folder(repository) => {
                let branch = repository.checked_out_branch()?;
                self.read(branch.as_deref().unwrap_or(DEFAULT_BRANCH), wanted)
            }
            Self::Server(server) => server.read(None, wanted),
            Self::Api(repository) => {
                let branch = repository.default_branch()?;
                self.read(branch.as_deref().unwrap_or(DEFAULT_BRANCH), wanted)
            }
        }
    }

    /// Publishes what a snapshot of this target has prepared, if the branch is still where the base is. Never forces, never
    /// merges.
    ///
    /// Through an API a commit of somebody else may come in between that touches none of the files; see
    /// [`Published::is_on_base`].
    ///
    /// # Errors
    ///
    /// Whatever the error, the branch was left alone, but for [`PublishError::UnknownOutcome`] and
    /// [`PublishError::Unconfirmed`]. [`PublishError::Moved`] asks for a new computation from the new tip.
    ///
    /// # Panics
    ///
    /// When it was prepared by a snapshot of another kind of target.
    pub fn publish(&self, ready: &Ready<'_>) -> Result<Published, PublishError> {
        match (self, ready) {
            (Self::Folder(repository), Ready::Made(prepared)) => repository.publish(prepared),
            (Self::Server(server), Ready::Made(prepared)) => {
                server.replace(prepared.request.branch, prepared.request.base, prepared)
            }
            (Self::Api(repository), Ready::Asked(asked)) => repository.publish(asked),
            (Self::Folder(_) | Self::Server(_), Ready::Asked(_)) | (Self::Api(_), Ready::Made(_)) => {
                unreachable!("a snapshot prepares for the target that it was read from")
            }
        }
    }

    /// Waits for a moment, a longer one after every further attempt, before the branch is read again that somebody else
    /// moved. Writers that met once do not meet again at once.
    pub fn pause(&self, attempt: usize) {
        if let Self::Server(_) | Self::Api(_) = self {
            let most = 50_u64 << attempt.min(6);
            // What differs from one process to the next, and costs no source of random numbers.
            let random = RandomState::new().hash_one(attempt);
            thread::sleep(Duration::from_millis(random % most));
        }
    }

    /// Takes the lock, when the target is one on a server that Git reaches; see [`Server::lock`].
    ///
    /// # Errors
    ///
    /// As [`Server::lock`].
    pub fn lock(&self, lock: &LockReference, who: &Author, now: Timestamp) -> Result<Option<Held<'_>>, PublishError> {
        match self {
            Self::Folder(_) | Self::Api(_) => Ok(None),
            Self::Server(server) => server.lock(lock, who, now),
        }
    }

    /// Where it is, for people.
    pub fn place(&self) -> String {
        match self {
            // The components leave out the slash that libgit2 puts at the end.
            Self::Folder(repository) => repository.root().components().as_path().display().to_string(),
            Self::Server(server) => server.address.to_string(),
            Self::Api(repository) => repository.place(),
        }
    }
}

impl Snapshot<'_> {
    /// The last `count` commits, the newest first; see [`Repository::history`]. Empty in a repository without any commit.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`], [`GitError::Remote`] and [`GitError::Api`].
    pub fn history(&self, paths: &[RepoPath], count: usize) -> Result<Vec<PastCommit>, GitError> {
        let Some(base) = &self.tree.base else { return Ok(Vec::new()) };
        match &self.from {
            From::Folder(repository) => repository.history(base, paths, count),
            From::Server { server, store, depth } => {
                // The parent of the last one says what that changed.
                let needed = count + 1;
                if depth.get() < needed {
                    let deadline = server.deadline();
                    let get = || {
                        let mut reading = server.reading(deadline)?;
                        store.receive(|sink| reading.history(base.as_str(), needed, sink))
                    };
                    patiently(deadline, get).map_err(|error| server.failed(error))?;
                    depth.set(needed);
                }
                store.repository.history(base, paths, count)
            }
            From::Api(tip) => tip.history(base, paths, count),
        }
    }

    /// Makes a commit in memory, or what a server makes one of, after every check that publishing would make. Nothing is
    /// written anywhere.
    ///
    /// # Errors
    ///
    /// As [`Repository::prepare`].
    pub fn prepare<'a>(&self, request: NewCommit<'a>) -> Result<Ready<'a>, PublishError> {
        match &self.from {
            From::Folder(repository) => repository.prepare(request).map(Ready::Made),
            From::Server { store, .. } => store.repository.make(request, None).map(Ready::Made),
            From::Api(tip) => tip.prepare(&self.tree, request).map(Ready::Asked),
        }
    }

    /// The same of a commit that holds the base with the changes of the request, but stands on `parent`, another commit of
    /// this program that nobody needs to have read.
    ///
    /// # Errors
    ///
    /// As [`Repository::prepare`], but the branch is not looked at.
    ///
    /// # Panics
    ///
    /// When Git did not read it: the API of a server makes its commits itself.
    pub fn prepare_onto<'a>(&self, request: NewCommit<'a>, parent: &CommitId) -> Result<Prepared<'a>, PublishError> {
        match &self.from {
            From::Folder(repository) => repository.make(request, Some(parent)),
            From::Server { store, .. } => store.repository.make(request, Some(parent)),
            From::Api(_) => unreachable!("pull requests and the API for commits exclude each other"),
        }
    }

    /// Who signed the commit that was read, if it is somebody who is trusted; see [`Repository::base_signature`].
    ///
    /// # Errors
    ///
    /// As [`Repository::base_signature`], and [`GitError::Api`].
    pub fn base_signature(&self, base: &CommitId, trusted: &TrustedSigners) -> Result<Signed, GitError> {
        match &self.from {
            From::Folder(repository) => repository.base_signature(base, trusted),
            From::Server { store, .. } => store.repository.base_signature(base, trusted),
            From::Api(tip) => tip.base_signature(base, trusted),
        }
    }
}

impl Server {
    /// Reads the wanted entries of the last commit of a branch, or of the one that `HEAD` stands for; see
    /// [`Repository::read_tip`].
    ///
    /// # Errors
    ///
    /// As [`Repository::read_tip`], and [`GitError::Remote`].
    fn read(&self, branch: Option<&str>, wanted: &Wanted) -> Result<Snapshot<'_>, GitError> {
        if let Some(branch) = branch {
            reference_name(branch)?;
        }
        let deadline = self.deadline();
        let store = Store::new()?;
        let found = patiently(deadline, || self.receive_tip(branch, wanted, &store, deadline));
        let (branch, head) = found.map_err(|error| self.failed(error))?;
        let depth = Cell::new(1);
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
        Ok(Snapshot { branch, tree, from: From::Server { server: self, store, depth } })
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
