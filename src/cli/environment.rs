//! The variables of the environment that are this program's own, and what a workflow says of itself. Secrets come from here,
//! and from nowhere else.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    cli::{Run, error::Failure, tree::Checkout},
    config::parse_signers,
    edge::{
        files,
        git::Access,
        gitea::Address,
        http::Credentials,
        registry::{RegistryServer, RegistrySettings, TagCache},
    },
    model::repository::RepositoryConfig,
    ops::{comment::CommentError, reconcile::Local},
};

/// What a runner tells the steps of a workflow: the address of the API, the file with the event, the reference, the repository
/// and the server. Gitea, Forgejo and GitHub have the same names for them.
const OF_WORKFLOW: [&str; 5] =
    ["GITHUB_API_URL", "GITHUB_EVENT_PATH", "GITHUB_REF", "GITHUB_REPOSITORY", "GITHUB_SERVER_URL"];

/// The variables whose names begin with `BOBBYPIN_`, any of which may hold a secret, and what a runner tells the steps of a
/// workflow.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, SecretString>);

/// A pull request, and how it is reached.
pub(super) struct PullRequest {
    /// The repository that it is in.
    pub(super) address: Address,
    pub(super) number: u64,
    /// Has credentials.
    pub(super) access: Access,
}

impl Variables {
    /// Keeps those that mean something to this program. An empty one counts as none.
    pub fn of(all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let own = all.into_iter().filter_map(|(name, value)| {
            let is_own = |name: &String| name.starts_with("BOBBYPIN_") || OF_WORKFLOW.contains(&name.as_str());
            let name = name.into_string().ok().filter(is_own)?;
            let value = value.to_string_lossy().into_owned();
            (!value.is_empty()).then(|| (name, SecretString::from(value)))
        });
        Self(own.collect())
    }

    fn plain(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret)
    }
}

impl Run<'_> {
    /// A secret: the value of the variable, or what stands in the file that the variable with `_FILE` behind its name says.
    pub(super) fn secret(&self, name: &str) -> Result<Option<SecretString>, Failure> {
        let file = format!("{name}_FILE");
        match (self.variables.0.get(name), self.variables.plain(&file)) {
            (Some(_), Some(_)) => Err(Failure::Usage(format!("{name} and {file} are both set: keep one of them"))),
            (Some(value), None) => Ok(Some(value.clone())),
            (None, Some(path)) => {
                let (source, _) = files::read(&self.here.join(path), self.now)?;
                let text = String::from_utf8_lossy(&source.bytes);
                // Whoever writes such a file leaves a line feed at its end.
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    return Err(Failure::Usage(format!("the file `{}` of {file} is empty", source.path)));
                }
                Ok(Some(SecretString::from(text.to_owned())))
            }
            (None, None) => Ok(None),
        }
    }

    /// What this machine brings to publishing.
    pub(super) fn local(&self) -> Result<Local, Failure> {
        const NAME: &str = "BOBBYPIN_TRUSTED_SIGNERS_FILE";
        let trusted_base = match self.variables.plain(NAME) {
            Some(path) => {
                let (source, _) = files::read(&self.here.join(path), self.now)?;
                let signers = parse_signers(&String::from_utf8_lossy(&source.bytes));
                let wrong =
                    |error| Failure::Usage(format!("the file `{}` of {NAME} cannot be used: {error}", source.path));
                Some(signers.map_err(wrong)?)
            }
            None => None,
        };
        Ok(Local { here: self.here.clone(), trusted_base, publish: None })
    }

    /// The pull request that this runs for as a step of a workflow.
    ///
    /// It is on the server that runs the workflow: nothing that stands in the repository can say otherwise, so that a token
    /// for it goes nowhere else.
    pub(super) fn pull_request(&self) -> Result<PullRequest, Failure> {
        let wanted = |name: &str| {
            let missing = || Failure::Usage(format!("{name} is not set: --comment is for the steps of a workflow"));
            self.variables.plain(name).ok_or_else(missing)
        };
        let (server, repository) = (wanted("GITHUB_SERVER_URL")?, wanted("GITHUB_REPOSITORY")?);
        if let Some(api) = self.variables.plain("GITHUB_API_URL")
            && !api.trim_end_matches('/').ends_with("/api/v1")
        {
            let message =
                "--comment is for Gitea and Forgejo: GITHUB_API_URL of this workflow is that of another server";
            return Err(Failure::Usage(message.to_owned()));
        }
        let server = server.trim_end_matches('/');
        let address = Address::of_remote(&format!("{server}/{repository}.git"), Some(server)).ok_or_else(|| {
            let message = "GITHUB_SERVER_URL and GITHUB_REPOSITORY are not the address of a repository";
            Failure::Usage(message.to_owned())
        })?;
        let in_event = match self.variables.plain("GITHUB_EVENT_PATH") {
            Some(path) => {
                let (source, _) = files::read(&self.here.join(path), self.now)?;
                // An event of another form says nothing about a pull request.
                let event = serde_json::from_slice::<Value>(&source.bytes).unwrap_or_default();
                event["pull_request"]["number"].as_u64()
            }
            None => None,
        };
        let in_reference = || {
            let rest = self.variables.plain("GITHUB_REF")?.strip_prefix("refs/pull/")?;
            rest.split('/').next()?.parse().ok()
        };
        let number = in_event.or_else(in_reference).filter(|number| *number > 0).ok_or_else(|| {
            let message = "this workflow does not run for a pull request: leave out --comment";
            Failure::Usage(message.to_owned())
        })?;
        let access = self.access(None)?;
        match access.credentials {
            Some(_) => Ok(PullRequest { address, number, access }),
            None => Err(CommentError::NoCredentials.into()),
        }
    }

    /// How registries are asked. `cache_seconds`: for how long what they said of tags is not asked for again; 0: not at all.
    pub(super) fn registries(&self, checkout: &Checkout, cache_seconds: u32) -> Result<RegistrySettings, Failure> {
        let authorities = |path: &Path| Ok::<_, Failure>(files::read(path, self.now)?.0.bytes.to_vec());
        let mut servers = BTreeMap::new();
        for (host, registry) in &checkout.settings.registries {
            let ca_file = registry.ca_file.as_ref().map(|path| checkout.repository.root().join(path));
            let server = RegistryServer {
                plain_http: registry.plain_http,
                private: registry.private,
                authorities: ca_file.as_deref().map(authorities).transpose()?,
                token_hosts: registry.token_hosts.clone(),
                follow_redirects: registry.follow_redirects,
                credential_helpers: registry.credential_helpers,
            };
            servers.insert(host.clone(), server);
        }
        let here = |name: &str| self.variables.plain(name).map(|path| self.here.join(path));
        let cache = self.cache.as_ref().filter(|_| cache_seconds > 0);
        Ok(RegistrySettings {
            // A registry answers many questions at once, and begins to refuse at some number.
            jobs: self.global.jobs.map_or(16, usize::from),
            seconds: self.global.timeout,
            servers,
            authorities: here("BOBBYPIN_CA_FILE").as_deref().map(authorities).transpose()?,
            credentials: BTreeMap::new(),
            docker_config: here("BOBBYPIN_DOCKER_CONFIG_FILE").or_else(|| self.docker_config.clone()),
            cache: cache.map(|folder| TagCache { folder: folder.join("tags"), lives_seconds: cache_seconds }),
        })
    }

    /// By what Git servers are reached. Settings are those of a checkout, with the folder that their paths start at.
    pub(super) fn access(&self, settings: Option<(&RepositoryConfig, &Path)>) -> Result<Access, Failure> {
        let password = self.secret("BOBBYPIN_GIT_PASSWORD")?;
        let token = self.secret("BOBBYPIN_GITEA_TOKEN")?;
        let username = self.variables.plain("BOBBYPIN_GIT_USERNAME").map(str::to_owned);
        let credentials = match (username, password, token) {
            (Some(username), Some(password), _) => Some(Credentials::Basic { username, password }),
            (Some(username), None, Some(token)) => Some(Credentials::Basic { username, password: token }),
            (None, Some(_), _) | (Some(_), None, None) => {
                let message = "BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD belong together: set both or none";
                return Err(Failure::Usage(message.to_owned()));
            }
            (None, None, token) => token.map(Credentials::Token),
        };
        let here = |name: &str| self.variables.plain(name).map(|path| self.here.join(path));
        let in_settings = settings.and_then(|(settings, root)| Some(root.join(settings.gitea.ca_file.as_ref()?)));
        let authorities = match here("BOBBYPIN_CA_FILE").or(in_settings) {
            Some(path) => Some(files::read(&path, self.now)?.0.bytes.to_vec()),
            None => None,
        };
        Ok(Access {
            credentials,
            authorities,
            ssh_key: here("BOBBYPIN_SSH_KEY_FILE"),
            ssh_known_hosts: here("BOBBYPIN_SSH_KNOWN_HOSTS_FILE"),
            seconds: self.global.timeout,
        })
    }
}
