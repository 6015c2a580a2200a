//! What happened on the branch lately, and whether a commit would go in a circle.

use std::collections::BTreeMap;

use git2::{Commit, ErrorCode, Oid, Tree};

use crate::{
    diff::FileChange,
    edge::git::{GitError, Repository, commit_id, git_failed, object_id, prepare::blob_id},
    model::{
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};

/// How many commits are looked at for a circle.
pub const LOOP_WINDOW: usize = 5;

/// The trailer that this program's commits carry.
const TRAILER: &str = "Bobbypin-Plan";

/// The id that Git gives to the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobId(Oid);

impl From<Oid> for BlobId {
    fn from(id: Oid) -> Self {
        Self(id)
    }
}

impl BlobId {
    /// Computes the id of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(blob_id(bytes))
    }
}

/// A commit of the branch, as far as some paths are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCommit {
    /// Its id.
    pub id: CommitId,
    /// Who wrote it.
    pub author: Author,
    /// Whether its message carries the trailer of this program.
    pub by_bobbypin: bool,
    /// Which of the paths it changed, against its first parent.
    pub changes: BTreeMap<RepoPath, BlobChange>,
}

/// What became of some paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The commits that changed one of them, the newest first.
    pub commits: Vec<PastCommit>,
    /// Whether the history that is here ended before as many were found as were asked for.
    pub is_cut: bool,
}

/// What a commit did to one path. `None`: no ordinary file there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobChange {
    /// Before the commit.
    pub before: Option<BlobId>,
    /// After it.
    pub after: Option<BlobId>,
}

/// A path that would go in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip<'a> {
    /// The path.
    pub path: &'a RepoPath,
    /// The commit that brought what is now wanted again.
    pub there: &'a PastCommit,
    /// The later commit that took it back.
    pub back: &'a PastCommit,
}

impl Repository {
    /// The last `count` commits up to `tip`, the newest first, along the first parents. Fewer at the beginning of the
    /// history, or where a shallow clone ends.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when a commit or folder cannot be read.
    pub fn history(&self, tip: &CommitId, paths: &[RepoPath], count: usize) -> Result<Vec<PastCommit>, GitError> {
        let mut past = Vec::new();
        if count > 0 {
            self.walk(tip, paths, |commit| {
                past.push(commit);
                past.len() < count
            })?;
        }
        Ok(past)
    }

    /// The commits up to `tip` that changed one of the paths, the newest first, along the first parents, until each path
    /// was changed `most` times. At most `commits` of the branch are looked at.
    ///
    /// # Errors
    ///
    /// As [`Self::history`].
    pub fn changes(
        &self,
        tip: &CommitId,
        paths: &[RepoPath],
        most: usize,
        commits: usize,
    ) -> Result<Changes, GitError> {
        let mut found: BTreeMap<&RepoPath, usize> = paths.iter().map(|path| (path, 0)).collect();
        let (mut past, mut seen, mut is_enough) = (Vec::new(), 0, false);
        let is_whole = self.walk(tip, paths, |commit| {
            seen += 1;
            for (path, count) in &mut found {
                *count += usize::from(commit.changes.contains_key(*path));
            }
            is_enough = found.values().all(|count| *count >= most);
            if !commit.changes.is_empty() {
                past.push(commit);
            }
            !is_enough && seen < commits
        })?;
        Ok(Changes { commits: past, is_cut: !is_whole && !is_enough })
    }

    /// Shows each commit up to `tip`, the newest first, along the first parents, until `goes_on` says no. Whether the
    /// beginning of the history was reached.
    fn walk(
        &self,
        tip: &CommitId,
        paths: &[RepoPath],
        mut goes_on: impl FnMut(PastCommit) -> bool,
    ) -> Result<bool, GitError> {
        let failed = git_failed(|| format!("the history of {tip}"));
        let mut next = Some(self.inner.find_commit(object_id(tip)).map_err(&failed)?);
        let mut is_first = true;
        while let Some(commit) = next {
            if commit.parent_count() == 0 && names_a_parent(&commit) {
                // The end of a shallow clone: what this commit changed cannot be known.
                return Ok(false);
            }
            let parent = match commit.parent_count() {
                0 => None,
                _ => match commit.parent(0) {
                    Ok(parent) => Some(parent),
                    // The end of what a server was asked for.
                    Err(error) if error.code() == ErrorCode::NotFound && !is_first => return Ok(false),
                    Err(error) => return Err(failed(error)),
                },
            };
            let goes_on = goes_on(past_commit(&commit, parent.as_ref(), paths).map_err(&failed)?);
            if !goes_on && parent.is_some() {
                return Ok(false);
            }
            (next, is_first) = (parent, false);
        }
        Ok(true)
    }
}

impl Repository {
    /// The bytes of a file that some commit has.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when it cannot be read.
    pub fn blob(&self, id: BlobId) -> Result<Vec<u8>, GitError> {
        let failed = git_failed(|| format!("the file {}", id.0));
        Ok(self.inner.find_blob(id.0).map_err(failed)?.content().to_vec())
    }
}

/// Whether the commit was made with a parent, even if libgit2 hides it because a shallow clone does not have it.
fn names_a_parent(commit: &Commit<'_>) -> bool {
    commit.raw_header_bytes().split(|byte| *byte == b'\n').any(|line| line.starts_with(b"parent "))
}

fn past_commit(
    commit: &Commit<'_>,
    parent: Option<&Commit<'_>>,
    paths: &[RepoPath],
) -> Result<PastCommit, git2::Error> {
    let after = commit.tree()?;
    let before = parent.map(Commit::tree).transpose()?;
    let mut changes = BTreeMap::new();
    if before.as_ref().map(Tree::id) != Some(after.id()) {
        for path in paths {
            let change = BlobChange {
                before: before.as_ref().map_or(Ok(None), |tree| blob_at(tree, path))?,
                after: blob_at(&after, path)?,
            };
            if change.before != change.after {
                changes.insert(path.clone(), change);
            }
        }
    }
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(PastCommit {
        id: commit_id(commit.id()),
        author: Author { name: text(author.name_bytes()), email: text(author.email_bytes()) },
        by_bobbypin: has_trailer(commit.message_raw_bytes()),
        changes,
    })
}

fn blob_at(tree: &Tree<'_>, path: &RepoPath) -> Result<Option<BlobId>, git2::Error> {
    match tree.get_path(path.as_str().as_ref()) {
        Ok(entry) if entry.filemode_raw() & 0o170_000 == 0o100_000 => Ok(Some(BlobId(entry.id()))),
        Ok(_) => Ok(None),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn has_trailer(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    let trailers = git2::message_trailers_strs(&text);
    trailers.is_ok_and(|trailers| trailers.iter().any(|(key, _)| key == TRAILER))
}

/// The paths that went from one content to another and back, and would now go there again.
///
/// `history` is that of the paths of `files`, the newest first, as [`Repository::history`] gives it for
/// [`LOOP_WINDOW`] commits. Two writers that undo each other's work make this pattern, and a rule that cannot make up
/// its mind; the commits say who.
pub fn flips<'a>(history: &'a [PastCommit], files: &'a [FileChange]) -> Vec<Flip<'a>> {
    let flip = |file: &'a FileChange| {
        let mut changes = history.iter().filter_map(|commit| Some((commit, commit.changes.get(&file.path)?)));
        let (back, last) = changes.next()?;
        let (there, first) = changes.next()?;
        let now = file.old.as_deref().map(BlobId::of);
        let wanted = file.new.as_deref().map(BlobId::of);
        let circle = last.after == now && last.before == wanted && first.after == wanted && first.before == now;
        circle.then_some(Flip { path: &file.path, there, back })
    };
    files.iter().filter_map(flip).collect()
}
