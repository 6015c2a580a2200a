//! What can go wrong with a repository, and what to do about it.

use std::{io, path::PathBuf};

use crate::{
    edge::{
        git::{RemoteError, SignError, TrustError},
        gitea::GiteaError,
    },
    model::tree::{CommitId, RepoPath},
};

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
    /// A kind of remote that cannot be reached.
    #[error("`{url}`: remotes over {scheme} are not supported")]
    NotAvailable {
        /// The address, without user and password.
        url: String,
        /// `git`, `ext` and so on.
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
    /// A commit was not signed by anybody who is trusted.
    #[error("the commit {} cannot be built upon", commit.short())]
    Untrusted {
        /// The commit.
        commit: CommitId,
        /// Why.
        source: TrustError,
    },
    /// An object or a reference cannot be read.
    #[error("cannot read {what}")]
    Object {
        /// Which, in words.
        what: String,
        /// Why.
        source: git2::Error,
    },
    /// A server did not do what it was asked.
    #[error("cannot use the repository `{address}`")]
    Remote {
        /// Where it is, without a password.
        address: String,
        /// Why.
        source: RemoteError,
    },
    /// The API of a server did not do what it was asked.
    #[error(transparent)]
    Api(#[from] GiteaError),
    /// What is to be reached through the API of a server is not on one.
    #[error("`{place}` is not a repository of a Gitea or Forgejo server, so there is no API to publish through")]
    NotOfGitea {
        /// Where it is, without a password.
        place: String,
    },
    /// Nobody says who asks.
    #[error("the API for `{address}` takes a token, and none is given")]
    NoToken {
        /// The repository's page.
        address: String,
    },
    /// There is no place for what a server sends.
    #[error("cannot make a temporary folder")]
    Temporary {
        /// Why.
        source: io::Error,
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
                "give an address over https or ssh, or a path; `--remote .` is this repository itself".into()
            }
            Self::Location { .. } => "give the name of a remote, a path, or an address over https or ssh".into(),
            Self::Remote { source, .. } => return source.hint(),
            Self::Api(source) => return source.hint(),
            Self::NotOfGitea { .. } => {
                "give the address `https://HOST/OWNER/NAME`, and spec.publish.gitea.url when the server is below a path"
                    .into()
            }
            Self::NoToken { .. } => {
                "make a token with the scope `write:repository`, and give it in BOBBYPIN_GITEA_TOKEN".into()
            }
            Self::Temporary { .. } => "set TMPDIR to a folder that can be written to".into(),
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
            Self::Untrusted { source, .. } => return source.hint(),
            Self::Object { .. } => "check the repository with `git fsck`".into(),
            Self::BranchName { .. } | Self::Open { .. } | Self::Read { .. } => return None,
        })
    }
}

/// Why a commit was not published.
///
/// The branch is as it was, with the exceptions that [`PublishError::UnknownOutcome`] and [`PublishError::Unconfirmed`] name.
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
    /// The API of a server did not take the commit. Nothing was written.
    #[error(transparent)]
    Api(GiteaError),
    /// The API of a server was asked, and the commit may still arrive, or has arrived and could not be found.
    #[error("it is not known whether the commit is on the branch `{branch}`")]
    Unconfirmed {
        /// The branch.
        branch: String,
        /// What happened.
        source: GiteaError,
    },
    /// An author or message that Git cannot store, or what a server's API cannot do.
    #[error("the {part} of the commit is not acceptable: {problem}")]
    Commit {
        /// `author`, `message`, `base` or `signature`.
        part: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The commit cannot be signed.
    #[error("cannot sign the commit")]
    Sign(#[from] SignError),
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
    /// The server refuses the commit. The branch is as it was.
    #[error("the server refuses the commit: {why}{}", also(words))]
    Refused {
        /// The branch.
        branch: String,
        /// Git's own reason.
        why: String,
        /// What the server and its hooks print for people, made readable.
        words: String,
    },
    /// The server could not be asked. The branch is as it was.
    #[error("cannot push to the branch `{branch}`")]
    Remote {
        /// The branch.
        branch: String,
        /// Why.
        source: RemoteError,
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
    #[error("it is not known whether the branch `{branch}` is now {}", there(commit.as_ref()))]
    UnknownOutcome {
        /// The branch.
        branch: String,
        /// The commit that was to be published; `None`: the branch was to be removed.
        commit: Option<CommitId>,
        /// Why the branch could not be read.
        source: GitError,
    },
}

fn there(commit: Option<&CommitId>) -> String {
    commit.map_or("gone".to_owned(), |commit| format!("at {commit}"))
}

fn also(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("; it says: {words}") }
}

fn name(commit: Option<&CommitId>) -> &str {
    commit.map_or("no commit", CommitId::short)
}

impl PublishError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read(error) | Self::UnknownOutcome { source: error, .. } => return error.hint(),
            Self::Sign(error) => return error.hint(),
            Self::Api(source) => return source.hint(),
            Self::Unconfirmed { .. } => "run again: what is there already is not committed twice".into(),
            Self::Hooks { .. } => {
                "publish through the server that owns this repository, or remove the executable bit of the hooks".into()
            }
            Self::CheckedOutElsewhere { .. } => {
                "publish from that work tree, or let it go with `git worktree remove` or `git worktree prune`".into()
            }
            Self::Busy { .. } => "finish or abort it first; `git status` says how".into(),
            Self::Dirty { .. } => "commit, stash or restore them first; `git status` shows them".into(),
            Self::Refused { why, words, .. } => return refused(why, words),
            Self::Remote { source, .. } => return source.hint(),
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

/// What to do about a refusal that is known by its words.
fn refused(why: &str, words: &str) -> Option<String> {
    let says = |text: &str| why.contains(text) || words.contains(text);
    Some(if says("protected branch") || says("Not allowed to push") {
        "let the bot's user push to the branch (branch protection), or publish by pull requests: spec.publish.mode"
            .to_owned()
    } else if says("not verified") || says("signed") {
        "the branch takes signed commits only: set spec.publish.signing".to_owned()
    } else if says("Internal Server Error") {
        "the server's own log says why; Gitea says this too when the branch takes signed commits only: spec.publish.signing"
            .to_owned()
    } else if says("quota") {
        "make room on the server, or raise the quota".to_owned()
    } else if says("hook declined") {
        "a hook of the server decides, and says why".to_owned()
    } else {
        return None;
    })
}
