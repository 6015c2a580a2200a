//! The server that has the branches and the pull requests: one repository, by Git and by its API.

use crate::{
    edge::{
        git::{Server, Target},
        gitea::{Address, Gitea},
        http::{Credentials, HttpClient},
    },
    model::repository::{RepositoryConfig, Transport},
    ops::pull_request::PullRequestError,
};

/// A repository on a Gitea or Forgejo server.
#[derive(Debug)]
pub struct Forge<'t> {
    /// By Git.
    pub(super) server: &'t Server,
    http: HttpClient,
    address: Address,
    credentials: Credentials,
}

impl<'t> Forge<'t> {
    /// Finds out where the API is. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The settings lack something: [`PullRequestError::is_configuration`].
    pub fn of(target: &'t Target, settings: &RepositoryConfig) -> Result<Self, PullRequestError> {
        let Target::Server(server) = target else {
            return Err(PullRequestError::NotAServer { place: target.place() });
        };
        if settings.gitea.transport == Transport::Api {
            return Err(PullRequestError::ApiOnly);
        }
        let remote = server.address.to_string();
        let address = Address::of_remote(&remote, settings.gitea.url.as_deref());
        let address = address.ok_or_else(|| PullRequestError::NoAddress { remote })?;
        let credentials = server.credentials().ok_or(PullRequestError::NoCredentials)?;
        let access = server.access();
        let http = HttpClient::new(access.authorities.as_deref()).map_err(PullRequestError::Http)?;
        Ok(Self { server, http, address, credentials })
    }

    /// By its API.
    pub(super) fn gitea(&self) -> Gitea<'_> {
        Gitea::new(&self.http, &self.address, &self.credentials, self.server.access().time())
    }
}
