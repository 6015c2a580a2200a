//! New repositories, and what is checked out in old ones.

use std::path::Path;

use crate::edge::git::{GitError, Repository, git_failed, open};

impl Repository {
    /// Makes an empty bare repository; its folder must be new or empty.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when it cannot be written, or something is there already.
    pub fn create_bare(folder: &Path, branch: &str) -> Result<Self, GitError> {
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).mkpath(true).initial_head(branch);
        let failed = git_failed(|| format!("a new repository in `{}`", folder.display()));
        git2::Repository::init_opts(folder, &options).map_err(failed)?;
        open(folder).map(|inner| Self { inner })
    }

    /// The branch that is checked out, also when it has no commit yet; `None` when a commit is checked out without one.
    ///
    /// # Errors
    ///
    /// [`GitError::Object`] when `HEAD` cannot be read.
    pub fn checked_out_branch(&self) -> Result<Option<String>, GitError> {
        let failed = git_failed(|| "HEAD".to_owned());
        let head = self.inner.find_reference("HEAD").map_err(&failed)?;
        let target = head.symbolic_target().map_err(&failed)?;
        Ok(target.and_then(|name| name.strip_prefix("refs/heads/")).map(str::to_owned))
    }
}
