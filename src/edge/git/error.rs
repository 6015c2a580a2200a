//! What can go wrong with a repository, and what to do about it.

use std::{io, path::PathBuf};

use crate::model::tree::{CommitId, RepoPath};

/// Why a repository could not be opened or read. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no repository at or above the place.
    #[error("`{}` is not in a Git repository", path.display())]
    NotARepository {
        /// The place.
        path: PathBuf,
    },
    /// The folder belongs to another user, so its settings cannot be trusted.
    #[error("the repository `{}` belongs to another user", path.display())]
    Owner {
        /// The place.
        path: PathBuf,
    },
    /// The repository uses a format that libgit2 does not know.
    #[error("the repository `{}` uses `extensions.{extension} = {value}`, which is not supported", path.display())]
    Format {
        /// The place.
        path: PathBuf,
        /// The setting.
        extension: String,
        /// Its value.
        value: String,
    },
    /// The repository is there but libgit2 does not open it.
    #[error("cannot open the repository `{}`", path.display())]
    Open {
        /// The place.
        path: PathBuf,
        /// Why.
        source: git2::Error,
    },
    /// A kind of remote that this version cannot reach.
    #[error("`{url}`: remotes over {scheme} are not available in this version")]
    NotAvailable {
        /// The address, without user and password.
        url: String,
        /// `https`, `ssh` and so on.
        scheme: String,
    },
    /// A text that is neither a path nor an address.
    #[error("`{}` is not the place of a repository", text.escape_debug())]
    Location {
        /// The text, without user and password.
        text: String,
    },
    /// A word that names no remote of the repository and no folder.
    #[error("there is no remote and no folder `{}`", name.escape_debug())]
    UnknownRemote {
        /// The word.
        name: String,
        /// The remotes that exist.
        remotes: Vec<String>,
    },
    /// A name that Git does not allow for a branch.
    #[error("`{}` cannot be the name of a branch", branch.escape_debug())]
    BranchName {
        /// The name.
        branch: String,
    },
    /// The repository has other branches, but not this one.
    #[error("the repository has no branch `{branch}`")]
    BranchMissing {
        /// The name.
        branch: String,
        /// Those that exist, at most 20 of them.
        branches: Vec<String>,
    },
    /// The branch only points to another branch.
    #[error("the branch `{branch}` is a symbolic name for `{target}`")]
    BranchSymbolic {
        /// The name.
        branch: String,
        /// What it stands for.
        target: String,
    },
    /// A bare repository has no files on disk.
    #[error("the repository `{}` has no work tree", path.display())]
    NoWorkTree {
        /// The place.
        path: PathBuf,
    },
    /// A name that no honest program commits, or that cannot be written to a file.
    #[error("the path `{}` is not acceptable: {problem}", path.escape_debug())]
    Path {
        /// The path, made readable.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two paths that are one and the same on a file system without case.
    #[error("the paths `{first}` and `{second}` differ in nothing but upper and lower case")]
    CaseTwins {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// More than the program is willing to hold in memory.
    #[error("`{what}` is too large: more than {limit}")]
    TooLarge {
        /// A path, or the whole.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// An object or a reference cannot be read.
    #[error("cannot read {what}")]
    Object {
        /// Which, in words.
        what: String,
        /// Why.
        source: git2::Error,
    },
    /// A file or folder on disk cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl GitError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { .. } => "name a repository with `--repository`, or make one with `git init`".into(),
            Self::Owner { path } => {
                format!(
                    "if you trust its owner: git config --global --add safe.directory '{}'",
                    path.to_string_lossy().trim_end_matches('/')
                )
            }
            Self::Format { extension, .. } if extension == "objectformat" => {
                "use a repository of the default object format: `git init --object-format=sha1`".into()
            }
            Self::Format { .. } => "use a repository without this extension".into(),
            Self::NotAvailable { .. } => {
                "give a path or a `file://` URL; `--remote .` is this repository itself".into()
            }
            Self::Location { .. } => "give the name of a remote, a path or a `file://` URL".into(),
            Self::UnknownRemote { remotes, .. } if remotes.is_empty() => {
                "the repository has no remotes; `--remote .` is this repository itself".into()
            }
            Self::UnknownRemote { remotes, .. } => format!("the remotes are: {}", remotes.join(", ")),
            Self::BranchMissing { branches, .. } if branches.is_empty() => {
                "it has no branches at all; make the branch first".into()
            }
            Self::BranchMissing { branches, .. } => {
                format!("set `spec.publish.branch` to one of those that exist: {}", branches.join(", "))
            }
            Self::BranchSymbolic { target, .. } => {
                format!("publish to `{}` itself", target.strip_prefix("refs/heads/").unwrap_or(target))
            }
            Self::NoWorkTree { .. } => "run in a checkout, or use a command that reads the branch".into(),
            Self::Path { .. } | Self::CaseTwins { .. } => "remove or rename it with an ordinary commit".into(),
            Self::TooLarge { .. } => "keep such files out of the clusters' folders".into(),
            Self::Object { .. } => "check the repository with `git fsck`".into(),
            Self::BranchName { .. } | Self::Open { .. } | Self::Read { .. } => return None,
        })
    }
}

/// Why a commit was not published.
///
/// The branch is as it was, with the one exception that [`PublishError::UnknownOutcome`] names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Reading came first, and failed.
    #[error("cannot read the repository that is to be published to")]
    Read(#[from] GitError),
    /// The list of changes is empty, or leaves everything as it is.
    #[error("there is nothing to commit")]
    NothingToCommit,
    /// A change was computed against something else than the base commit holds.
    #[error("`{path}` is not what the change was computed from")]
    NotAsCompared {
        /// The file.
        path: RepoPath,
    },
    /// A file stands where a folder is needed, or a folder where a file is needed.
    #[error("`{path}` is in the way: {kind}")]
    InTheWay {
        /// What stands there.
        path: String,
        /// Its kind, in words.
        kind: &'static str,
    },
    /// An author or message that Git cannot store.
    #[error("the {part} of the commit is not acceptable: {problem}")]
    Commit {
        /// `author` or `message`.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The target has hooks, which libgit2 does not run.
    #[error("the repository `{}` has hooks that would not run: {}", path.display(), hooks.join(", "))]
    Hooks {
        /// The folder of the hooks.
        path: PathBuf,
        /// Their names.
        hooks: Vec<String>,
    },
    /// The branch is checked out in another work tree, which would be left behind.
    #[error("the branch `{branch}` is checked out in another work tree (`{}`)", git_dir.display())]
    CheckedOutElsewhere {
        /// The branch.
        branch: String,
        /// The Git folder of that work tree.
        git_dir: PathBuf,
    },
    /// A merge, rebase or the like is under way in the work tree.
    #[error("an operation is under way in the work tree: {operation}")]
    Busy {
        /// Which.
        operation: &'static str,
    },
    /// Files that would change have changes that are not committed.
    #[error("the work tree has uncommitted changes: {}", paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(", "))]
    Dirty {
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// The branch is not, or no longer, where the changes were computed from.
    #[error("the branch `{branch}` moved from {} to {}", name(expected.as_ref()), name(found.as_ref()))]
    Moved {
        /// The branch.
        branch: String,
        /// Where it was.
        expected: Option<CommitId>,
        /// Where it is.
        found: Option<CommitId>,
    },
    /// Another process holds a lock, or left one behind.
    #[error("`{}` is locked", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// Something could not be written. The branch was read again: it is as it was.
    #[error("cannot write {what}")]
    Write {
        /// What, in words.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The branch may or may not be at the new commit: it could not be read again.
    #[error("it is not known whether the branch `{branch}` is now at {commit}")]
    UnknownOutcome {
        /// The branch.
        branch: String,
        /// The commit that was to be published.
        commit: CommitId,
        /// Why the branch could not be read.
        source: GitError,
    },
}

fn name(commit: Option<&CommitId>) -> &str {
    commit.map_or("no commit", CommitId::short)
}

impl PublishError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read(error) | Self::UnknownOutcome { source: error, .. } => return error.hint(),
            Self::Hooks { .. } => {
                "publish through the server that owns this repository, or remove the executable bit of the hooks".into()
            }
            Self::CheckedOutElsewhere { .. } => {
                "publish from that work tree, or let it go with `git worktree remove` or `git worktree prune`".into()
            }
            Self::Busy { .. } => "finish or abort it first; `git status` says how".into(),
            Self::Dirty { .. } => "commit, stash or restore them first; `git status` shows them".into(),
            Self::Moved { .. } => "run again: everything is computed anew from the new tip".into(),
            Self::Locked { path } => {
                format!("if no other process is at work, a killed one left it behind: rm '{}'", path.display())
            }
            Self::Write { .. } => "check the permissions and the free space of the repository".into(),
            Self::InTheWay { .. } => "remove it with an ordinary commit".into(),
            Self::NothingToCommit | Self::NotAsCompared { .. } | Self::Commit { .. } => return None,
        })
    }
}
