//! Where commits are published to: a repository of this machine, or one on a server, through Git or through an API.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
    thread,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    edge::git::{
        Access, ApiRepository, GitError, Held, Location, NewCommit, PastCommit, Prepared, PublishError, Published,
        Ready, RemoteError, Repository, Server, Signed, Wanted, api::Tip, remote::patiently, store::Store,
    },
    model::{
        repository::{Author, LockReference, TrustedSigners},
        tree::{CommitId, RepoPath, Tree},
    },
};

/// The branch of a repository whose `HEAD` stands for none.
pub(super) const DEFAULT_BRANCH: &str = "main";

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
            Self::Server(server) => server.snapshot(Some(branch), wanted),
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
            Self::Server(server) => server.snapshot(None, wanted),
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
    fn snapshot(&self, branch: Option<&str>, wanted: &Wanted) -> Result<Snapshot<'_>, GitError> {
        let (branch, tree, store) = self.read(branch, wanted)?;
        Ok(Snapshot { branch, tree, from: From::Server { server: self, store, depth: Cell::new(1) } })
    }
}
