//! Reading the files on disk, as they would be committed.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "this file reads the work tree")]

use std::{
    fs,
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use git2::Index;

use crate::{
    edge::git::{
        GitError, Repository, Wanted, commit_id, git_failed, read_failed,
        wanted::{Guard, MAX_FILE, Siblings},
    },
    model::tree::{Entry, RepoPath, Tree},
};

impl Repository {
    /// Reads the wanted files of the work tree, with the commit of `HEAD` as base.
    ///
    /// No symbolic link is followed. What Git ignores is left out unless it is tracked, because no commit would hold it.
    ///
    /// # Errors
    ///
    /// [`GitError::NoWorkTree`] for a bare repository; [`GitError::Path`], [`GitError::CaseTwins`] and
    /// [`GitError::TooLarge`] for what it holds; [`GitError::Read`] and [`GitError::Object`] when something cannot be
    /// read.
    pub fn read_work_tree(&self, wanted: &Wanted) -> Result<Tree, GitError> {
        let root =
            self.inner.workdir().ok_or_else(|| GitError::NoWorkTree { path: self.inner.path().to_owned() })?.to_owned();
        let index = self.inner.index().map_err(git_failed(|| "the index".to_owned()))?;
        let base = match self.inner.head() {
            Ok(head) => Some(head.peel_to_commit().map_err(git_failed(|| "the commit of `HEAD`".to_owned()))?.id()),
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
            Err(error) => return Err(git_failed(|| "`HEAD`".to_owned())(error)),
        };
        let mut reading = Reading {
            repository: self,
            root,
            index,
            wanted,
            guard: Guard::new(wanted),
            open: vec![String::new()],
            tree: Tree { base: base.map(commit_id), ..Tree::default() },
        };
        while let Some(folder) = reading.open.pop() {
            reading.read_folder(&folder)?;
        }
        Ok(reading.tree)
    }
}

/// One reading of a work tree.
struct Reading<'a> {
    repository: &'a Repository,
    root: PathBuf,
    index: Index,
    wanted: &'a Wanted,
    guard: Guard<'a>,
    /// The folders still to be read, empty or ending in `/`.
    open: Vec<String>,
    tree: Tree,
}

impl Reading<'_> {
    fn read_folder(&mut self, folder: &str) -> Result<(), GitError> {
        let on_disk = self.root.join(folder);
        let failed = read_failed(&on_disk);
        let mut siblings = Siblings::new();
        for entry in fs::read_dir(&on_disk).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let Some(path) = self.guard.path(folder, name.as_bytes(), &mut siblings)? else { continue };
            let kind = entry.file_type().map_err(read_failed(&entry.path()))?;
            if kind.is_dir() {
                self.meet_folder(path, &entry.path())?;
            } else if self.wanted.takes(&path) && !self.is_left_out(&path)? {
                let read = if kind.is_symlink() {
                    Entry::Symlink
                } else if kind.is_file() {
                    self.read_file(&path, &entry.path())?
                } else {
                    return Err(GitError::Path { path, problem: "it is neither a file nor a folder" });
                };
                self.insert(path, read);
            }
        }
        Ok(())
    }

    fn meet_folder(&mut self, path: String, on_disk: &Path) -> Result<(), GitError> {
        if fs::symlink_metadata(on_disk.join(".git")).is_ok() {
            if self.wanted.takes(&path) {
                self.insert(path, Entry::Submodule);
            }
        } else if self.wanted.enters(&path) {
            let folder = path + "/";
            if !self.is_left_out(&folder)? {
                self.open.push(folder);
            }
        }
        Ok(())
    }

    fn read_file(&mut self, path: &str, on_disk: &Path) -> Result<Entry, GitError> {
        let failed = read_failed(on_disk);
        let mut bytes = Vec::new();
        let file = fs::File::open(on_disk).map_err(&failed)?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(&failed)?;
        self.guard.size(path, bytes.len() as u64)?;
        Ok(Entry::File(bytes.into()))
    }

    /// Whether no commit would hold this: Git ignores it, and nothing of it is tracked.
    fn is_left_out(&self, path: &str) -> Result<bool, GitError> {
        let is_tracked = match path.strip_suffix('/') {
            Some(_) => self.index.find_prefix(path).is_ok(),
            None => self.index.get_path(Path::new(path), 0).is_some(),
        };
        let failed = git_failed(|| format!("whether Git ignores `{path}`"));
        Ok(!is_tracked && self.repository.inner.is_path_ignored(path).map_err(failed)?)
    }

    fn insert(&mut self, path: String, entry: Entry) {
        let path = RepoPath::parse(&path).expect("the guard lets lawful paths pass");
        self.tree.entries.insert(path, entry);
    }
}
