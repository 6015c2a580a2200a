//! One registry: where it is, by which connections, and whom it may send us to.

use std::sync::Arc;

use reqwest::Url;

use crate::edge::registry::{
    RegistryServer,
    address::{Reach, is_written_loopback},
    failure::{Failure, said},
};

/// Registries that are not where their name says, or whose tokens come from elsewhere: name, host, host of tokens.
const KNOWN: [(&str, &str, &str); 2] = [
    ("docker.io", "registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "registry.gitlab.com", "gitlab.com"),
];

/// The registry that has no manifests itself, and sends to one near by.
const SENDS_ELSEWHERE: &str = "registry.k8s.io";

/// Where Gitea hands out tokens.
const GITEA_TOKENS: &str = "/v2/token";

/// A registry that is asked.
#[derive(Clone, Debug)]
pub(super) struct Server {
    /// Its name, as in references but in lower case.
    pub(super) name: String,
    /// Where it is; ends with `/`.
    base: Url,
    settings: RegistryServer,
    /// Authorities of all registries, for one that has none of its own.
    shared: Option<Arc<[u8]>>,
    /// Whether it is written as this machine.
    is_loopback: bool,
}

impl Server {
    pub(super) fn new(name: &str, settings: RegistryServer, shared: Option<Arc<[u8]>>) -> Result<Self, Failure> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let host = known.map_or(name, |(_, host, _)| host);
        let address = |scheme: &str| {
            let url = Url::parse(&format!("{scheme}://{host}/"));
            url.map_err(|error| Failure::Malformed(format!("`{}` is no host: {error}", name.escape_debug())))
        };
        let secure = address("https")?;
        let is_loopback = is_written_loopback(&secure);
        let is_plain = settings.plain_http || is_loopback && settings.authorities.is_none();
        let base = if is_plain { address("http")? } else { secure };
        Ok(Self { name: name.to_owned(), base, settings, shared, is_loopback })
    }

    /// An address of its API, below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{path}"));
        url
    }

    /// Its authorities, besides the system's.
    pub(super) fn authorities(&self) -> Option<&[u8]> {
        self.settings.authorities.as_deref().or(self.shared.as_deref())
    }

    /// Whether it is written as this machine, which no proxy can reach under the names that it has for itself.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether others may answer for its manifests.
    pub(super) fn follows_for_manifests(&self) -> bool {
        self.settings.follow_redirects || self.name == SENDS_ELSEWHERE
    }

    /// Whether a program may be run for a login.
    pub(super) fn may_run_helpers(&self) -> bool {
        self.settings.credential_helpers
    }

    /// Which addresses may be behind a host that is asked on its behalf.
    pub(super) fn reach(&self, url: &Url) -> Reach {
        let is_own = url.host_str() == self.base.host_str();
        Reach { private: self.settings.private, loopback: self.is_loopback || self.settings.private && is_own }
    }

    /// Whether something that it sends us to may be asked at all, as far as the address is written.
    pub(super) fn may_send_to(&self, url: &Url) -> bool {
        let is_plain_here = url.scheme() == "http" && self.is_loopback && is_written_loopback(url);
        url.scheme() == "https" || is_plain_here
    }

    /// The next page of an answer, which is on the same host or nowhere.
    pub(super) fn next(&self, from: &Url, link: &str) -> Option<Url> {
        let url = from.join(link).ok()?;
        (url.origin() == self.base.origin() && url.path().starts_with("/v2/")).then_some(url)
    }

    /// Where tokens come from.
    ///
    /// Gitea names the host of its setting `ROOT_URL`, whatever host it was asked at: then the host that was asked is
    /// taken. For anybody else it is the registry's own host, or one that was named, or nobody.
    pub(super) fn token_url(&self, realm: &str) -> Result<Url, Failure> {
        let Ok(url) = Url::parse(realm) else { return Err(Failure::RefusedRealm(said(realm))) };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let is_same_host = url.host_str() == self.base.host_str();
        let is_same_port = url.port_or_known_default() == self.base.port_or_known_default();
        let with_port = format!("{host}:{port}");
        let is_named = self
            .settings
            .token_hosts
            .iter()
            .any(|named| named.eq_ignore_ascii_case(host) || named.eq_ignore_ascii_case(&with_port));
        let is_known = KNOWN.iter().any(|(name, _, tokens)| *name == self.name && *tokens == host && port == 443);
        let is_bare = url.username().is_empty() && url.password().is_none();
        let is_lawful = match url.scheme() {
            "https" => is_same_host || is_named || is_known,
            "http" => self.base.scheme() == "http" && is_same_host && (is_same_port || is_named),
            _ => false,
        };
        if is_bare && is_lawful {
            return Ok(url);
        }
        if matches!(url.scheme(), "http" | "https") && url.path().ends_with(GITEA_TOKENS) {
            return Ok(self.url("token"));
        }
        Err(Failure::RefusedRealm(said(&format!("{}://{host}:{port}", url.scheme()))))
    }
}

#[cfg(test)]
mod tests;
