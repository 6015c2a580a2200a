//! Making a prepared commit real: objects first, then the branch, by compare-and-swap.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "this file writes to the repository")]

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use git2::{Buf, Config, ConfigLevel, ErrorCode, Indexer, Oid, RepositoryState};
use tempfile::{NamedTempFile, TempPath};
use tracing::{info, warn};

use crate::{
    edge::git::{
        GitError, NewCommit, Prepared, PublishError, Repository, git_failed, object_id, tip::reference_name,
        work_tree_update::WorkTreeUpdate,
    },
    model::{
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};

/// The hooks that `git push` would run in the target, or that watch every reference. They check, or they tell a server
/// that something arrived; to pass them by is either a hole or a commit that nobody hears of.
const HOOKS: [&str; 7] = [
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
];

/// How long to wait for a lock that another process holds for a moment, in milliseconds, before each new try.
const WAITS: [u64; 8] = [5, 10, 20, 40, 80, 160, 320, 640];

/// A commit that the branch holds, as a fresh look at the repository has shown, or the server that made it has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The commit.
    pub commit: CommitId,
    /// Files of the work tree that were not brought up to date, because somebody wrote to them meanwhile or because
    /// writing failed. `git status` shows them. Empty without a work tree that has the branch checked out.
    pub stale: Vec<RepoPath>,
    /// Whether it stands on the commit that its changes were computed from. `false`: through the API of a server, on a commit
    /// of somebody else that came in between and touches none of its files.
    pub is_on_base: bool,
}

impl Repository {
    /// Publishes a prepared commit, if the branch is still where the commit's base is. Never forces, never merges.
    ///
    /// When the branch is checked out in this repository's work tree, the changed files are brought up to date there,
    /// and no other file is touched.
    ///
    /// # Errors
    ///
    /// Whatever the error, the branch was left alone, but for [`PublishError::UnknownOutcome`].
    /// [`PublishError::Moved`] asks for a new computation from the new tip.
    pub fn publish(&self, prepared: &Prepared<'_>) -> Result<Published, PublishError> {
        let request = &prepared.request;
        self.expect_publishable(request)?;
        self.expect_tip(request.branch, request.base)?;
        self.write_objects(prepared)?;
        // Locked as late as possible: a lock that a killed process leaves behind has to be removed by hand.
        let update = match self.checked_out(request.branch)? {
            true => Some(WorkTreeUpdate::lock(&self.inner, request.files)?),
            false => None,
        };
        self.replace_tip(prepared)?;
        let stale = update.map_or_else(Vec::new, WorkTreeUpdate::run);
        if !stale.is_empty() {
            warn!(files = stale.len(), "the work tree was not brought up to date everywhere; `git status` shows it");
        }
        info!(commit = %prepared.commit, branch = request.branch, "published");
        Ok(Published { commit: prepared.commit.clone(), stale, is_on_base: true })
    }

    /// Fails when the target is one that must not be written to in this way.
    pub(super) fn expect_publishable(&self, request: &NewCommit<'_>) -> Result<(), PublishError> {
        let path = self.hooks_folder();
        let is_executable = |hook: &&str| {
            fs::metadata(path.join(hook)).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        };
        let hooks: Vec<_> = HOOKS.iter().copied().filter(is_executable).map(str::to_owned).collect();
        if !hooks.is_empty() {
            return Err(PublishError::Hooks { path, hooks });
        }
        let checked_out = self.checked_out(request.branch)?;
        if let Some(git_dir) = self.other_work_tree_on(&reference_name(request.branch)?) {
            return Err(PublishError::CheckedOutElsewhere { branch: request.branch.to_owned(), git_dir });
        }
        if let Some(operation) = self.operation_under_way() {
            return Err(PublishError::Busy { operation });
        }
        if checked_out {
            WorkTreeUpdate::expect_clean(&self.inner, request.files)?;
        }
        Ok(())
    }

    fn hooks_folder(&self) -> PathBuf {
        let configured = self.inner.config().and_then(|config| config.get_path("core.hooksPath"));
        configured.map_or_else(|_| self.inner.commondir().join("hooks"), |path| self.root().join(path))
    }

    /// Whether the work tree of this repository, if any, has the branch checked out.
    fn checked_out(&self, branch: &str) -> Result<bool, GitError> {
        if !self.has_work_tree() {
            return Ok(false);
        }
        let failed = git_failed(|| "`HEAD`".to_owned());
        let head = self.inner.find_reference("HEAD").map_err(failed)?;
        Ok(head.symbolic_target_bytes() == Some(reference_name(branch)?.as_bytes()))
    }

    /// The Git folder of another work tree that has the branch checked out.
    ///
    /// libgit2 tells whether there is one, but not which, and not for a branch without a commit.
    fn other_work_tree_on(&self, reference: &str) -> Option<PathBuf> {
        let common = self.inner.commondir();
        let mut git_dirs = Vec::new();
        let is_bare = self.inner.config().and_then(|config| config.get_bool("core.bare")).unwrap_or(false);
        if !is_bare {
            git_dirs.push(common.to_owned());
        }
        let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
        git_dirs.extend(linked.map(|entry| entry.path()));
        git_dirs.sort();
        let own = fs::canonicalize(self.inner.path()).ok();
        git_dirs.into_iter().find(|git_dir| {
            let head = fs::read_to_string(git_dir.join("HEAD")).unwrap_or_default();
            head.strip_prefix("ref:").is_some_and(|target| target.trim() == reference)
                && fs::canonicalize(git_dir).ok() != own
        })
    }

    fn operation_under_way(&self) -> Option<&'static str> {
        if !self.has_work_tree() {
            return None;
        }
        Some(match self.inner.state() {
            RepositoryState::Clean => return None,
            RepositoryState::Merge => "merge",
            RepositoryState::Revert | RepositoryState::RevertSequence => "revert",
            RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "cherry-pick",
            RepositoryState::Bisect => "bisect",
            RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => "rebase",
            RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "am",
        })
    }

    /// Writes the new objects as one pack, and waits until the disk has it. Nothing refers to them yet.
    fn write_objects(&self, prepared: &Prepared<'_>) -> Result<(), PublishError> {
        let folder = self.inner.commondir().join("objects").join("pack");
        let pack = prepared.pack()?;
        let failed = |source| write_failed("the new objects", source);
        // The header and 28 bytes for each object, and twice 20 for the sums: the size of a pack's index.
        let index_size = 1032 + 28 * prepared.objects.len() + 40;
        expect_space(&folder, pack.len() + index_size).map_err(failed)?;
        let name = index(&folder, &pack).map_err(failed)?;
        for end in ["pack", "idx"] {
            let file = folder.join(format!("pack-{name}.{end}"));
            File::open(file).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Replaces the branch's commit if it is still the expected one, and looks at the branch afresh: only what is seen
    /// there decides.
    fn replace_tip(&self, prepared: &Prepared<'_>) -> Result<(), PublishError> {
        let NewCommit { branch, base, author, .. } = prepared.request;
        let reference = reference_name(branch)?;
        let here = self.root().to_owned();
        let target = Self::open(&here)?;
        let _settings = target.set_for_writing(author);
        let old = base.map_or(Oid::ZERO_SHA1, object_id);
        let subject = prepared.request.message.lines().next().unwrap_or_default();
        let new = object_id(&prepared.commit);
        let mut waits = WAITS.into_iter();
        let swapped = loop {
            // The old value is compared while the lock is held, and the zero id stands for "there must be none"
            // (`refdb_fs.c`, `cmp_old_ref`). `force` only skips a test before the lock.
            let swapped = target.inner.reference_matching(&reference, new, true, old, &format!("bobbypin: {subject}"));
            match (swapped.map(drop), waits.next()) {
                (Err(error), Some(wait)) if error.code() == ErrorCode::Locked => {
                    if target.expect_tip(branch, base).is_err() {
                        break Err(error);
                    }
                    thread::sleep(Duration::from_millis(wait));
                }
                (swapped, _) => break swapped,
            }
        };

        let seen = match Self::open(&here).and_then(|fresh| fresh.tip(branch).map(|found| (fresh, found))) {
            Ok((fresh, Some(tip))) if fresh.holds(&tip, &prepared.commit) => Seen::Landed,
            Ok((_, found)) => Seen::At(found),
            Err(GitError::BranchMissing { .. }) => Seen::At(None),
            Err(error) => Seen::Nothing(error),
        };
        let lock = self.inner.commondir().join(format!("{reference}.lock"));
        verdict(prepared, lock, swapped, seen)
    }

    /// Whether the tip is the commit, or was built on it since.
    fn holds(&self, tip: &CommitId, commit: &CommitId) -> bool {
        tip == commit || self.inner.graph_descendant_of(object_id(tip), object_id(commit)).unwrap_or(false)
    }

    /// Makes libgit2 wait for the disk when it writes a reference, and name the author in the reflog.
    ///
    /// There are no functions for that, only settings; so they stand in a file of their own, as long as the value lives.
    /// Where no temporary file can be made the commit is still published, as safely as libgit2 does by itself.
    fn set_for_writing(&self, author: &Author) -> Option<TempPath> {
        let file = NamedTempFile::with_prefix("bobbypin-").ok()?.into_temp_path();
        let mut own = Config::open(&file).ok()?;
        own.set_bool("core.fsyncObjectFiles", true).ok()?;
        own.set_str("user.name", &author.name).ok()?;
        own.set_str("user.email", &author.email).ok()?;
        self.inner.config().and_then(|mut config| config.add_file(&file, ConfigLevel::App, true)).ok()?;
        Some(file)
    }
}

impl Prepared<'_> {
    /// The new objects as one pack.
    pub(super) fn pack(&self) -> Result<Buf, PublishError> {
        let mut pack = Buf::new();
        let build = |pack: &mut Buf| {
            let mut builder = self.memory.packbuilder()?;
            builder.set_threads(1);
            for (id, path) in &self.objects {
                builder.insert_object(*id, Some(path))?;
            }
            builder.write_buf(pack)
        };
        build(&mut pack).map_err(|source| write_failed("the new objects", source))?;
        Ok(pack)
    }
}

/// What a fresh look at the branch shows after the attempt to replace its commit.
#[derive(Debug)]
enum Seen {
    /// The new commit, or commits on top of it.
    Landed,
    /// Something else.
    At(Option<CommitId>),
    /// The branch cannot be read.
    Nothing(GitError),
}

/// Tells the outcome from what libgit2 said and from what is there. Where both speak, what is there wins.
fn verdict(
    prepared: &Prepared<'_>,
    lock: PathBuf,
    swapped: Result<(), git2::Error>,
    seen: Seen,
) -> Result<(), PublishError> {
    const REFUSED: [ErrorCode; 3] = [ErrorCode::Locked, ErrorCode::Modified, ErrorCode::NotFound];
    let NewCommit { branch, base, .. } = prepared.request;
    let branch = branch.to_owned();
    match (swapped, seen) {
        (_, Seen::Landed) => Ok(()),
        (Err(error), Seen::Nothing(source)) if REFUSED.contains(&error.code()) => Err(source.into()),
        (_, Seen::Nothing(source)) => {
            Err(PublishError::UnknownOutcome { branch, commit: Some(prepared.commit.clone()), source })
        }
        (Err(error), Seen::At(found)) if found.as_ref() == base => Err(match error.code() {
            ErrorCode::Locked => PublishError::Locked { path: lock },
            _ => write_failed(&format!("the branch `{branch}`"), error),
        }),
        // After a swap that worked, somebody threw the commit away at once: the same as having lost the race.
        (_, Seen::At(found)) => Err(PublishError::Moved { branch, expected: base.cloned(), found }),
    }
}

/// What is handed to libgit2 at once of a pack. It writes through mapped memory, where a full disk is not an error but a
/// signal that ends the process; but it makes sure of the last page of a piece before it writes the piece.
pub(super) const PAGE: usize = 4096;

/// Fails when there is no room for so many bytes. libgit2 writes packs through mapped memory, where a full disk is not
/// an error but a signal that ends the process.
fn expect_space(folder: &Path, bytes: usize) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix("tmp_bobbypin_").tempfile_in(folder)?;
    file.write_all(&vec![0; bytes])?;
    file.flush()
}

/// Stores a pack with its index, and gives its name.
fn index(folder: &Path, pack: &[u8]) -> io::Result<String> {
    let mut indexer = Indexer::new(None, folder, 0o444, false).map_err(io::Error::other)?;
    for page in pack.chunks(PAGE) {
        indexer.write_all(page)?;
    }
    indexer.commit().map_err(io::Error::other)
}

pub(super) fn write_failed(what: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PublishError {
    PublishError::Write { what: what.to_owned(), source: source.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use git2::{ErrorClass, RepositoryInitOptions};
    use jiff::Timestamp;

    use super::*;
    use crate::{diff::FileChange, model::name::Name};

    #[test]
    fn what_is_seen_in_the_end_decides_and_doubt_is_called_doubt() {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_opts(folder.path(), RepositoryInitOptions::new().bare(true)).unwrap();
        let repository = Repository::open(folder.path()).unwrap();
        let author = Author { name: "a".to_owned(), email: "b".to_owned() };
        let files = [FileChange::plain(
            RepoPath::parse("f").unwrap(),
            Name::parse("edge").unwrap(),
            None,
            Some(Arc::from(&b"1"[..])),
        )];
        let at = Timestamp::UNIX_EPOCH;
        let request =
            NewCommit { branch: "main", base: None, files: &files, message: "m", author: &author, at, signer: None };
        let prepared = repository.prepare(request).unwrap();
        let failed = |code| Err(git2::Error::new(code, ErrorClass::Reference, "prose"));
        let other = || Seen::At(CommitId::parse(&"1".repeat(40)));
        let unreadable = || Seen::Nothing(GitError::NotARepository { path: PathBuf::from("r") });
        let said = |swapped, seen| match verdict(&prepared, PathBuf::from("l"), swapped, seen) {
            Ok(()) => "published".to_owned(),
            Err(error) => error.to_string(),
        };
        let moved = "the branch `main` moved from no commit to 1111111";
        let unknown = format!("it is not known whether the branch `main` is now at {}", prepared.commit);
        let cannot_read = "cannot read the repository that is to be published to";
        for (swapped, seen, expected) in [
            (Ok(()), Seen::Landed, "published"),
            (Ok(()), Seen::At(None), "the branch `main` moved from no commit to no commit"),
            (Ok(()), other(), moved),
            (Ok(()), unreadable(), &unknown),
            (failed(ErrorCode::Modified), Seen::Landed, "published"),
            (failed(ErrorCode::Modified), other(), moved),
            (failed(ErrorCode::Modified), unreadable(), cannot_read),
            (failed(ErrorCode::Locked), Seen::At(None), "`l` is locked"),
            (failed(ErrorCode::Locked), other(), moved),
            (failed(ErrorCode::Locked), unreadable(), cannot_read),
            (failed(ErrorCode::GenericError), Seen::Landed, "published"),
            (failed(ErrorCode::GenericError), Seen::At(None), "cannot write the branch `main`"),
            (failed(ErrorCode::GenericError), other(), moved),
            (failed(ErrorCode::GenericError), unreadable(), &unknown),
        ] {
            let case = format!("{swapped:?} {seen:?}");
            assert_eq!(said(swapped, seen), expected, "{case}");
        }
    }
}
