//! Reading the files of a commit out of the object database.

use git2::{ErrorCode, ObjectType, Oid, ReferenceType};

use crate::{
    edge::git::{
        GitError, Repository, Wanted, commit_id, git_failed,
        wanted::{Guard, Siblings},
    },
    model::tree::{CommitId, Entry, RepoPath, Tree},
};

/// How many branches an error names at most.
pub(super) const NAMED_BRANCHES: usize = 20;

/// The mode of a tree's entry, as Git stores it.
const MODE_SYMLINK: i32 = 0o120_000;

/// The wanted entries of a commit.
pub(super) struct Listing<'a> {
    /// Those that are no ordinary files.
    pub(super) tree: Tree,
    /// The files, and what they hold.
    pub(super) files: Vec<(String, Oid)>,
    pub(super) guard: Guard<'a>,
    wanted: &'a Wanted,
}

/// What stands in a folder under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Symlink,
    Submodule,
}

impl<'a> Listing<'a> {
    pub(super) fn new(commit: &CommitId, wanted: &'a Wanted) -> Self {
        let tree = Tree { base: Some(commit.clone()), ..Tree::default() };
        Self { tree, files: Vec::new(), guard: Guard::new(wanted), wanted }
    }

    /// Takes one entry of a folder, whose path is empty or ends in `/`. Gives such a path of a folder that is to be
    /// looked into.
    pub(super) fn take(
        &mut self,
        folder: &str,
        name: &[u8],
        (kind, id): (Kind, Oid),
        siblings: &mut Siblings,
    ) -> Result<Option<String>, GitError> {
        let Some(path) = self.guard.path(folder, name, siblings)? else { return Ok(None) };
        match kind {
            Kind::Folder => return Ok(self.wanted.enters(&path).then(|| path + "/")),
            _ if !self.wanted.takes(&path) => (),
            Kind::Submodule => insert(&mut self.tree, &path, Entry::Submodule),
            Kind::Symlink => insert(&mut self.tree, &path, Entry::Symlink),
            Kind::File => self.files.push((path, id)),
        }
        Ok(None)
    }
}

impl Repository {
    /// Reads the wanted entries of a branch's last commit.
    ///
    /// Nothing is checked out, no link followed, no filter run: the bytes are those that were committed. In a repository
    /// without any commit the tree is empty and its base `None`.
    ///
    /// # Errors
    ///
    /// [`GitError::BranchMissing`], [`GitError::BranchName`] and [`GitError::BranchSymbolic`] for the branch;
    /// [`GitError::Path`], [`GitError::CaseTwins`] and [`GitError::TooLarge`] for what it holds;
    /// [`GitError::Object`] when the repository is damaged or unreadable.
    pub fn read_tip(&self, branch: &str, wanted: &Wanted) -> Result<Tree, GitError> {
        match self.tip(branch)? {
            Some(tip) => self.read_commit(&tip, wanted),
            None => Ok(Tree::default()),
        }
    }

    /// Reads the wanted entries of a commit; see [`Repository::read_tip`].
    ///
    /// # Errors
    ///
    /// As [`Repository::read_tip`].
    pub fn read_commit(&self, commit: &CommitId, wanted: &Wanted) -> Result<Tree, GitError> {
        let Listing { mut tree, files, mut guard, .. } = self.list(commit, wanted)?;
        for (path, id) in files {
            let bytes = self.read_file(&path, id, &mut guard)?;
            insert(&mut tree, &path, Entry::File(bytes.into()));
        }
        Ok(tree)
    }

    /// Looks at the wanted entries of a commit without reading the files.
    pub(super) fn list<'a>(&self, commit: &CommitId, wanted: &'a Wanted) -> Result<Listing<'a>, GitError> {
        let failed = git_failed(|| format!("the commit {commit}"));
        let root = self.inner.find_commit(super::object_id(commit)).map_err(&failed)?.tree_id();
        let mut listing = Listing::new(commit, wanted);
        let mut open = vec![(String::new(), root)];
        while let Some((folder, id)) = open.pop() {
            self.list_folder(&folder, id, &mut open, &mut listing)?;
        }
        Ok(listing)
    }

    fn list_folder(
        &self,
        folder: &str,
        id: Oid,
        open: &mut Vec<(String, Oid)>,
        listing: &mut Listing<'_>,
    ) -> Result<(), GitError> {
        let found = self.inner.find_tree(id).map_err(git_failed(|| format!("the folder `{folder}`")))?;
        let mut siblings = Siblings::new();
        for entry in &found {
            let kind = match entry.kind() {
                Some(ObjectType::Tree) => Kind::Folder,
                Some(ObjectType::Commit) => Kind::Submodule,
                _ if entry.filemode_raw() == MODE_SYMLINK => Kind::Symlink,
                _ => Kind::File,
            };
            let inside = listing.take(folder, entry.name_bytes(), (kind, entry.id()), &mut siblings)?;
            open.extend(inside.map(|path| (path, entry.id())));
        }
        Ok(())
    }

    fn read_file(&self, path: &str, id: Oid, guard: &mut Guard<'_>) -> Result<Vec<u8>, GitError> {
        let failed = git_failed(|| format!("the file `{path}`"));
        let database = self.inner.odb().map_err(&failed)?;
        // The size is known without unpacking the file, which may be larger than the memory.
        let (size, _) = database.read_header(id).map_err(&failed)?;
        guard.size(path, size as u64)?;
        Ok(self.inner.find_blob(id).map_err(&failed)?.content().to_vec())
    }

    /// The commit that a branch points to, or `None` in a repository without any commit.
    pub(super) fn tip(&self, branch: &str) -> Result<Option<CommitId>, GitError> {
        let name = reference_name(branch)?;
        let failed = git_failed(|| format!("the branch `{branch}`"));
        match self.inner.find_reference(&name) {
            Ok(reference) if reference.kind() == Some(ReferenceType::Symbolic) => {
                let target = String::from_utf8_lossy(reference.symbolic_target_bytes().unwrap_or_default());
                Err(GitError::BranchSymbolic { branch: branch.to_owned(), target: target.into_owned() })
            }
            Ok(reference) => Ok(reference.target().map(commit_id)),
            Err(error) if error.code() == ErrorCode::NotFound => {
                if self.has_no_references().map_err(&failed)? {
                    Ok(None)
                } else {
                    let branches = self.branches().map_err(&failed)?;
                    Err(GitError::BranchMissing { branch: branch.to_owned(), branches })
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether there is no commit that anything points to: no reference, and no `HEAD` beside them.
    fn has_no_references(&self) -> Result<bool, git2::Error> {
        let any = self.inner.references()?.next().transpose()?.is_some();
        Ok(!any && !self.inner.head_detached()?)
    }

    fn branches(&self) -> Result<Vec<String>, git2::Error> {
        let mut names = Vec::new();
        for branch in self.inner.branches(Some(git2::BranchType::Local))? {
            let (branch, _) = branch?;
            names.push(String::from_utf8_lossy(branch.name_bytes()?).into_owned());
        }
        names.sort();
        names.truncate(NAMED_BRANCHES);
        Ok(names)
    }
}

/// The full name of a branch's reference.
pub(super) fn reference_name(branch: &str) -> Result<String, GitError> {
    match git2::Branch::name_is_valid(branch) {
        Ok(true) => Ok(format!("refs/heads/{branch}")),
        _ => Err(GitError::BranchName { branch: branch.to_owned() }),
    }
}

pub(super) fn insert(tree: &mut Tree, path: &str, entry: Entry) {
    let path = RepoPath::parse(path).expect("the guard lets lawful paths pass");
    tree.entries.insert(path, entry);
}
