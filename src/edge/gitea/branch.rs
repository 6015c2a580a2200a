//! Branches.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    edge::gitea::{
        Gitea, GiteaError,
        request::{AtMost, Call, encode_branch},
    },
    model::tree::CommitId,
};

impl Gitea<'_> {
    /// The commit that a branch is at; `None` when there is no such branch in a repository that can be seen.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when that cannot be found out.
    pub fn branch(&self, name: &str) -> Result<Option<CommitId>, GiteaError> {
        self.call(format!("read the branch `{}`", name.escape_debug())).branch(name)
    }

    /// The branch that the repository shows first, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when that cannot be found out.
    pub fn default_branch(&self) -> Result<Option<String>, GiteaError> {
        #[derive(Deserialize)]
        struct Repository {
            #[serde(default)]
            default_branch: String,
        }
        let call = self.call("read the settings");
        let found: Repository = call.get(&call.path(""))?;
        Ok(Some(found.default_branch).filter(|name| !name.is_empty()))
    }

    /// The names of some branches, at most a page of them, made safe to print. None in a repository without any commit.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when they cannot be read.
    pub fn branches(&self) -> Result<Vec<String>, GiteaError> {
        #[derive(Deserialize)]
        struct Branch {
            name: String,
        }
        let call = self.call("list the branches");
        let found: Option<AtMost<Branch>> = call.get(&call.path("/branches?page=1&limit=50"))?;
        let found = found.map_or_else(Vec::new, |found| found.0);
        Ok(found.iter().map(|branch| call.clean(&branch.name)).collect())
    }

    /// Deletes a branch, whatever it is at. It is no error when it is gone already.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may still be there.
    pub fn delete_branch(&self, name: &str) -> Result<(), GiteaError> {
        let call = self.call(format!("delete the branch `{}`", name.escape_debug()));
        let path = call.path(&format!("/branches/{}", encode_branch(name)));
        match call.send(Method::DELETE, &path, None) {
            Ok(_) => Ok(()),
            Err(error) if error.status() == Some(404) => call.expect_repository(),
            Err(error) => Err(error),
        }
    }
}

impl Call<'_> {
    /// As [`Gitea::branch`].
    pub(super) fn branch(&self, name: &str) -> Result<Option<CommitId>, GiteaError> {
        #[derive(Deserialize)]
        struct Branch {
            commit: Commit,
        }
        #[derive(Deserialize)]
        struct Commit {
            id: String,
        }
        match self.get::<Branch>(&self.path(&format!("/branches/{}", encode_branch(name)))) {
            Ok(branch) => self.commit_id(&branch.commit.id).map(Some),
            Err(error) if error.status() == Some(404) => self.expect_repository().map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Fails when the repository itself is not to be seen: then nothing is known of what is in it.
    fn expect_repository(&self) -> Result<(), GiteaError> {
        self.get::<Value>(&self.path("")).map(drop)
    }

    /// Reads the id of a commit.
    pub(super) fn commit_id(&self, text: &str) -> Result<CommitId, GiteaError> {
        CommitId::parse(text).ok_or_else(|| self.unreadable(&format!("`{text}` is no commit id of 40 digits")))
    }
}
