//! Making a commit in memory: nothing of this touches the disk.

#![expect(clippy::disallowed_types, reason = "this file talks to Git")]

use std::fmt;

use git2::{Commit, ObjectType, Odb, Oid, Signature, Time, Tree};
use jiff::Timestamp;

use crate::{
    diff::FileChange,
    edge::git::{
        Asked, GitError, PublishError, Repository, Signer, TreeId, commit_id, git_failed, object_id, signed_commit,
    },
    model::{
        repository::Author,
        tree::{CommitId, RepoPath},
    },
};

const MODE_FILE: i32 = 0o100_644;
const MODE_EXECUTABLE: i32 = 0o100_755;
const MODE_FOLDER: i32 = 0o040_000;

/// What is to become a commit.
#[derive(Clone, Copy, Debug)]
pub struct NewCommit<'a> {
    /// The branch, without `refs/heads/`.
    pub branch: &'a str,
    /// The commit that the changes were computed from; `None` in a repository without any commit.
    pub base: Option<&'a CommitId>,
    /// The changes, in any order.
    pub files: &'a [FileChange],
    /// Subject, body and trailers. A line break is added at the end when there is none.
    pub message: &'a str,
    /// Author and committer.
    pub author: &'a Author,
    /// The time of the commit. A base that claims to be younger wins, so that time never runs backwards on the branch.
    pub at: Timestamp,
    /// Who signs the commit; `None`: nobody.
    pub signer: Option<&'a Signer>,
}

/// A commit that exists in memory only. [`Repository::publish`] and [`Server::replace`](super::Server::replace) make it
/// real.
pub struct Prepared<'a> {
    pub(super) request: NewCommit<'a>,
    /// The id that the commit has, or will have.
    pub commit: CommitId,
    /// What the commit holds. It does not depend on the time or the message.
    pub tree: TreeId,
    pub(super) memory: git2::Repository,
    /// What the base does not have: folders and files with the path they are for, the commit last.
    pub(super) objects: Vec<(Oid, String)>,
}

/// What is ready to be published.
#[derive(Debug)]
pub enum Ready<'a> {
    /// A commit.
    Made(Prepared<'a>),
    /// Changes that a server makes a commit of.
    Asked(Asked<'a>),
}

impl Ready<'_> {
    /// The id that the commit has, or will have. `None`: nobody knows before a server has made it.
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Made(prepared) => Some(&prepared.commit),
            Self::Asked(_) => None,
        }
    }
}

impl fmt::Debug for Prepared<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("request", &self.request).field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl Repository {
    /// Makes the commit in memory, after every check that publishing would make. Nothing is written, so this is also the
    /// dry run.
    ///
    /// # Errors
    ///
    /// Every [`PublishError`] but [`PublishError::Write`], [`PublishError::Locked`] and
    /// [`PublishError::UnknownOutcome`].
    pub fn prepare<'a>(&self, request: NewCommit<'a>) -> Result<Prepared<'a>, PublishError> {
        if request.files.is_empty() {
            return Err(PublishError::NothingToCommit);
        }
        self.expect_tip(request.branch, request.base)?;
        self.expect_publishable(&request)?;
        self.make(request, None)
    }

    /// Makes the commit in memory from the objects of its base. It stands on the base, or on `parent`, which needs not be
    /// there.
    pub(super) fn make<'a>(
        &self,
        request: NewCommit<'a>,
        parent: Option<&CommitId>,
    ) -> Result<Prepared<'a>, PublishError> {
        if request.files.is_empty() {
            return Err(PublishError::NothingToCommit);
        }
        let failed = git_failed(|| "the base commit".to_owned());
        let base = match request.base {
            Some(base) => Some(self.inner.find_commit(object_id(base)).map_err(failed)?),
            None => None,
        };
        let mut making = Making { target: &self.inner, memory: memory_repository()?, objects: Vec::new() };
        let old_root = base.as_ref().map(Commit::tree_id);
        let mut files: Vec<_> = request.files.iter().collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let root = match making.folder(old_root, "", &files)? {
            Some(root) => root,
            None => making.write(ObjectType::Tree, b"", "")?,
        };
        if Some(root) == old_root {
            return Err(PublishError::NothingToCommit);
        }
        let commit = making.commit(&request, root, base.as_ref(), parent.map(object_id))?;
        Ok(Prepared {
            request,
            commit: commit_id(commit),
            tree: TreeId(root),
            memory: making.memory,
            objects: making.objects,
        })
    }

    /// Fails unless the branch is where the changes were computed from.
    pub(super) fn expect_tip(&self, branch: &str, expected: Option<&CommitId>) -> Result<(), PublishError> {
        let found = match self.tip(branch) {
            Err(GitError::BranchMissing { .. }) if expected.is_some() => None,
            other => other?,
        };
        if found.as_ref() == expected {
            return Ok(());
        }
        Err(PublishError::Moved { branch: branch.to_owned(), expected: expected.cloned(), found })
    }
}

/// A repository whose objects live in memory only.
pub(super) fn memory_repository() -> Result<git2::Repository, GitError> {
    let failed = git_failed(|| "the memory for new objects".to_owned());
    let database = Odb::new().map_err(&failed)?;
    database.add_new_mempack_backend(1).map_err(&failed)?;
    git2::Repository::from_odb(database).map_err(&failed)
}

/// A commit in the making.
struct Making<'a> {
    target: &'a git2::Repository,
    memory: git2::Repository,
    objects: Vec<(Oid, String)>,
}

impl Making<'_> {
    /// Applies changes to a folder, and gives its new id, or `None` when nothing is left in it.
    ///
    /// `path` is empty or ends in `/`, and every change lies below it. The changes are sorted by path.
    fn folder(&mut self, base: Option<Oid>, path: &str, changes: &[&FileChange]) -> Result<Option<Oid>, PublishError> {
        let failed = git_failed(|| format!("the folder `{path}`"));
        let old = match base {
            Some(id) => Some(self.target.find_tree(id).map_err(&failed)?),
            None => None,
        };
        let mut entries = Vec::new();
        // `a`, `a.b` and `a/b` sort in this order, so that the changes of one entry need not stand together.
        let mut rest = changes.to_vec();
        while let Some(first) = rest.first() {
            let name = first_part(first, path);
            let (own, others): (Vec<_>, Vec<_>) = rest.iter().partition(|change| first_part(change, path) == name);
            entries.push((name, self.entry(old.as_ref(), path, name, &own)?));
            rest = others;
        }

        if let Some(id) = base {
            self.copy(id)?;
        }
        let copy = match base {
            Some(id) => Some(self.memory.find_tree(id).map_err(&failed)?),
            None => None,
        };
        let mut builder = self.memory.treebuilder(copy.as_ref()).map_err(&failed)?;
        for (name, entry) in entries {
            match entry {
                Some((id, mode)) => drop(builder.insert(name, id, mode).map_err(&failed)?),
                None if builder.get(name).map_err(&failed)?.is_some() => builder.remove(name).map_err(&failed)?,
                None => (),
            }
        }
        if builder.is_empty() {
            return Ok(None);
        }
        let id = builder.write().map_err(&failed)?;
        if base != Some(id) {
            self.objects.push((id, path.trim_end_matches('/').to_owned()));
        }
        Ok(Some(id))
    }

    /// Applies to one entry of a folder the change of the entry itself, if any, and those below it.
    fn entry(
        &mut self,
        folder: Option<&Tree<'_>>,
        folder_path: &str,
        name: &str,
        changes: &[&FileChange],
    ) -> Result<Option<(Oid, i32)>, PublishError> {
        let path = format!("{folder_path}{name}");
        let old = folder.and_then(|folder| folder.get_name(name)).map(|entry| entry.to_owned());
        let old_folder = old.as_ref().filter(|entry| entry.kind() == Some(ObjectType::Tree)).map(|entry| entry.id());
        let old_file = old.as_ref().filter(|entry| entry.filemode_raw() & 0o170_000 == 0o100_000);
        let in_the_way = |kind| Err(PublishError::InTheWay { path: path.clone(), kind });
        if let (Some(entry), None, None) = (&old, old_folder, old_file) {
            let is_link = entry.kind() == Some(ObjectType::Blob);
            return in_the_way(if is_link { "it is a symbolic link" } else { "it is a submodule" });
        }

        let (of_itself, below): (Vec<&FileChange>, Vec<&FileChange>) =
            changes.iter().partition(|change| change.path.as_str() == path);
        let itself = match of_itself[..] {
            [] => None,
            [change] => Some(change),
            _ => return in_the_way("it is changed twice"),
        };
        if let Some(change) = itself {
            let expected = change.old.as_deref().map(blob_id);
            if old_file.map(|entry| entry.id()) != expected {
                return Err(PublishError::NotAsCompared { path: change.path.clone() });
            }
        }
        let new_folder = if below.is_empty() {
            old_folder
        } else {
            if old_file.is_some() && itself.is_none_or(|change| change.new.is_some()) {
                return in_the_way("it is a file");
            }
            self.folder(old_folder, &format!("{path}/"), &below)?
        };
        match (itself.and_then(|change| change.new.as_deref()), new_folder) {
            (Some(_), Some(_)) => in_the_way("it is a folder"),
            (Some(bytes), None) => {
                let is_executable = old_file.is_some_and(|entry| entry.filemode_raw() & 0o111 != 0);
                let mode = if is_executable { MODE_EXECUTABLE } else { MODE_FILE };
                Ok(Some((self.write(ObjectType::Blob, bytes, &path)?, mode)))
            }
            (None, Some(id)) => Ok(Some((id, MODE_FOLDER))),
            (None, None) => Ok(None),
        }
    }

    fn commit(
        &mut self,
        request: &NewCommit<'_>,
        root: Oid,
        base: Option<&Commit<'_>>,
        parent: Option<Oid>,
    ) -> Result<Oid, PublishError> {
        let message = checked_message(request.message)?;
        let now = request.at.as_second();
        let seconds = base.map_or(now, |base| now.max(base.time().seconds()));
        let who = signature(request.author, seconds)?;
        if let Some(base) = base {
            self.copy(base.id())?;
        }
        let failed = git_failed(|| "the new commit".to_owned());
        let on_base = commit_bytes(&self.memory, &who, &message, root, base.map(Commit::id)).map_err(failed)?;
        let unsigned = match (base, parent) {
            (Some(base), Some(parent)) => with_parent(&on_base, base.id(), parent),
            (None, _) | (_, None) => on_base,
        };
        let bytes = match request.signer {
            Some(signer) => signed_commit(&unsigned, &signer.sign(&unsigned)?),
            None => unsigned,
        };
        Ok(self.write(ObjectType::Commit, &bytes, "")?)
    }

    /// Makes a new object.
    fn write(&mut self, kind: ObjectType, bytes: &[u8], path: &str) -> Result<Oid, GitError> {
        let failed = git_failed(|| format!("the new object for `{path}`"));
        let id = self.memory.odb().and_then(|database| database.write(kind, bytes)).map_err(failed)?;
        self.objects.push((id, path.to_owned()));
        Ok(id)
    }

    /// Copies an object of the target, so that new ones can be made from it. The copy is not written back.
    fn copy(&self, id: Oid) -> Result<(), GitError> {
        let failed = git_failed(|| format!("the object {id}"));
        let database = self.target.odb().map_err(&failed)?;
        let object = database.read(id).map_err(&failed)?;
        self.memory.odb().and_then(|memory| memory.write(object.kind(), object.data())).map_err(&failed)?;
        Ok(())
    }
}

/// The bytes of a commit with another parent. libgit2 makes none on a commit that it does not have.
fn with_parent(commit: &[u8], old: Oid, new: Oid) -> Vec<u8> {
    let text = std::str::from_utf8(commit).expect("author and message are text");
    text.replacen(&format!("\nparent {old}\n"), &format!("\nparent {new}\n"), 1).into_bytes()
}

/// The bytes of a commit of a tree and a parent that the repository holds.
pub(super) fn commit_bytes(
    repository: &git2::Repository,
    who: &Signature<'_>,
    message: &str,
    root: Oid,
    parent: Option<Oid>,
) -> Result<Vec<u8>, git2::Error> {
    let root = repository.find_tree(root)?;
    let parent = parent.map(|parent| repository.find_commit(parent)).transpose()?;
    let parents: Vec<_> = parent.iter().collect();
    Ok(repository.commit_create_buffer(who, who, message, &root, &parents)?.to_vec())
}

/// The id that Git gives to a file of these bytes.
pub(super) fn blob_id(bytes: &[u8]) -> Oid {
    Oid::hash_object(ObjectType::Blob, bytes).expect("hashing bytes in memory has no way to fail")
}

/// The name of the entry of the folder `path` that a change is for or lies below.
fn first_part<'a>(change: &'a FileChange, path: &str) -> &'a str {
    let rest = &change.path.as_str()[path.len()..];
    rest.split('/').next().unwrap_or(rest)
}

pub(super) fn checked_message(message: &str) -> Result<String, PublishError> {
    let wrong = |problem| Err(PublishError::Commit { part: "message", problem });
    if message.trim().is_empty() {
        return wrong("it is empty");
    }
    if message.contains('\0') {
        return wrong("it has a NUL character");
    }
    let end = if message.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{message}{end}"))
}

pub(super) fn signature(author: &Author, seconds: i64) -> Result<Signature<'static>, PublishError> {
    let wrong = |problem| PublishError::Commit { part: "author", problem };
    // libgit2 only looks for angle brackets; a line break would end the header and begin another one.
    if author.name.chars().chain(author.email.chars()).any(char::is_control) {
        return Err(wrong("it has control characters"));
    }
    Signature::new(&author.name, &author.email, &Time::new(seconds, 0))
        .map_err(|_| wrong("name and e-mail must not be empty or have angle brackets"))
}

/// The paths that a list of changes removes.
pub(super) fn removed(files: &[FileChange]) -> impl Iterator<Item = &RepoPath> {
    files.iter().filter(|change| change.new.is_none()).map(|change| &change.path)
}
