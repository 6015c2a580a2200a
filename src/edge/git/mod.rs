//! Git: reads the tip of a branch and publishes one commit by compare-and-swap.
//!
//! A [`Target`] is a repository of this machine, or one on a server ([`Server`]). Objects are read and made by libgit2, new
//! ones in memory ([`Prepared`]). Where a server does not let Git in, its API is used ([`ApiRepository`]).
//!
//! libgit2's own push into a repository of this machine does not compare under the lock: it overwrites the reference with
//! force once it existed (`transports/local.c`, `local_push_update_remote_ref`), and refuses a repository with a work tree.
//! So there nothing is pushed: the objects land as one pack, and the reference is replaced only if it still holds the commit
//! that was read. Why libgit2 does not speak to servers either is said in `remote`.

mod api;
mod create;
mod error;
mod header;
mod history;
mod location;
mod lock;
mod prepare;
mod publish;
mod remote;
mod sign;
mod store;
mod swap;
mod target;
mod tip;
mod trust;
mod wanted;
mod work_tree;
mod work_tree_update;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use git2::{Config, ErrorCode};

pub use self::{
    api::{ApiRepository, Asked},
    error::{GitError, PublishError},
    header::{CommitHeader, TreeId},
    history::{BlobChange, BlobId, Changes, Flip, LOOP_WINDOW, PastCommit, flips},
    location::{Location, resolve_target, target_address},
    lock::Held,
    prepare::{NewCommit, Prepared, Ready},
    publish::Published,
    remote::{Access, Address, RemoteError, Server},
    sign::{SignError, Signer, signed_commit},
    target::{Snapshot, Target},
    trust::{Signed, TrustError, check},
    wanted::Wanted,
};
use crate::model::tree::CommitId;

/// An open repository of this machine.
pub struct Repository {
    #[expect(clippy::disallowed_types, reason = "this is the one place that talks to Git")]
    inner: git2::Repository,
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Repository").field(&self.inner.path()).finish()
    }
}

impl Repository {
    /// Opens the repository at exactly this place.
    ///
    /// # Errors
    ///
    /// [`GitError::NotARepository`], [`GitError::Owner`] and [`GitError::Format`] when it is of no use;
    /// [`GitError::Open`] otherwise.
    pub fn open(folder: &Path) -> Result<Self, GitError> {
        open(folder).map(|inner| Self { inner })
    }

    /// Opens the repository that encloses a folder or file.
    ///
    /// # Errors
    ///
    /// As [`Repository::open`].
    #[expect(clippy::disallowed_types, reason = "this is the one place that talks to Git")]
    pub fn discover(path: &Path) -> Result<Self, GitError> {
        let found = git2::Repository::discover_path(path, None::<&Path>).map_err(|error| not_open(path, error))?;
        open(&found).map(|inner| Self { inner })
    }

    /// The folder of the work tree, or of the repository itself when it is bare.
    pub fn root(&self) -> &Path {
        self.inner.workdir().unwrap_or_else(|| self.inner.path())
    }

    /// Whether there are files on disk beside the repository.
    pub fn has_work_tree(&self) -> bool {
        self.inner.workdir().is_some()
    }

    /// The names of the remotes, in order.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when the settings cannot be read.
    pub fn remotes(&self) -> Result<Vec<String>, GitError> {
        let failed = git_failed(|| "the remotes".to_owned());
        let names = self.inner.remotes().map_err(&failed)?;
        let mut names: Vec<_> = names.iter().filter_map(|name| name.ok().flatten().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }
}

#[expect(clippy::disallowed_types, reason = "this is the one place that talks to Git")]
fn open(folder: &Path) -> Result<git2::Repository, GitError> {
    let repository = git2::Repository::open(folder).map_err(|error| not_open(folder, error))?;
    // libgit2 ignores extensions of repositories that declare an old format version, as Git does; what is left here is
    // what it would misread.
    match repository.config().and_then(|config| config.get_string("extensions.objectformat")) {
        Ok(value) if !value.eq_ignore_ascii_case("sha1") => {
            Err(GitError::Format { path: folder.to_owned(), extension: "objectformat".to_owned(), value })
        }
        _ => Ok(repository),
    }
}

/// Finds the reason behind a failed opening in the settings, because libgit2 gives it as English prose only.
fn not_open(folder: &Path, source: git2::Error) -> GitError {
    let path = folder.to_owned();
    match source.code() {
        ErrorCode::NotFound => return GitError::NotARepository { path },
        ErrorCode::Owner => return GitError::Owner { path },
        _ => (),
    }
    let configs = [folder.join("config"), folder.join(".git").join("config")];
    match configs.iter().find_map(|config| unknown_extension(config)) {
        Some((extension, value)) => GitError::Format { path, extension, value },
        None => GitError::Open { path, source },
    }
}

/// The first extension in a repository's settings that libgit2 1.9 does not know (`builtin_extensions`, `repository.c`).
fn unknown_extension(config: &Path) -> Option<(String, String)> {
    const KNOWN: [&str; 4] = ["noop", "worktreeconfig", "preciousobjects", "relativeworktrees"];
    let config = Config::open(config).ok()?;
    let mut found = None;
    let entries = config.entries(Some("^extensions\\.")).ok()?;
    entries
        .for_each(|entry| {
            let name = entry.name().unwrap_or_default().trim_start_matches("extensions.").to_owned();
            let value = entry.value().unwrap_or_default().to_owned();
            let is_known = KNOWN.contains(&name.as_str()) || (name == "objectformat" && value == "sha1");
            if !is_known && found.is_none() {
                found = Some((name, value));
            }
        })
        .ok()?;
    found
}

/// Turns libgit2's error into one that says what was being read.
fn git_failed(what: impl Fn() -> String) -> impl Fn(git2::Error) -> GitError {
    move |source| GitError::Object { what: what(), source }
}

/// The same for a file or folder on disk.
fn read_failed(path: &Path) -> impl Fn(std::io::Error) -> GitError {
    let path: PathBuf = path.to_owned();
    move |source| GitError::Read { path: path.clone(), source }
}

fn commit_id(id: git2::Oid) -> CommitId {
    CommitId::parse(&id.to_string()).expect("libgit2 writes an id as 40 hex digits")
}

fn object_id(id: &CommitId) -> git2::Oid {
    git2::Oid::from_str(id.as_str()).expect("a commit id has 40 hex digits")
}

#[cfg(test)]
mod tests {
    use git2::ErrorClass;

    use super::*;

    #[test]
    fn a_repository_of_another_user_is_explained_with_the_command_that_trusts_it() {
        let source = git2::Error::new(ErrorCode::Owner, ErrorClass::Config, "prose");
        let error = not_open(Path::new("/srv/fleet.git/"), source);
        assert_eq!(error.to_string(), "the repository `/srv/fleet.git/` belongs to another user");
        let command = "if you trust its owner: git config --global --add safe.directory '/srv/fleet.git'";
        assert_eq!(error.hint().as_deref(), Some(command));
    }

    #[test]
    fn an_opening_that_fails_for_no_known_reason_keeps_its_cause() {
        let source = git2::Error::new(ErrorCode::GenericError, ErrorClass::Os, "prose");
        let error = not_open(Path::new("/nowhere"), source);
        assert!(matches!(error, GitError::Open { .. }), "{error:?}");
    }
}
