//! Where a repository is on a Gitea or Forgejo server.

use std::fmt;

/// A repository of a server. Its parts are checked: an address shows as it is, and has no user and no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    server: String,
    owner: String,
    name: String,
}

impl Address {
    /// Finds the repository that a Git remote is, when it is one of a server: `https://host/below/owner/name.git`,
    /// `ssh://git@host:port/owner/name.git` or `git@host:owner/name.git`.
    ///
    /// `server` is the address of the server's start page, with the path that it is installed below. An HTTP remote must lie
    /// below that path; its host may be another one, because servers are reached by several names. Without `server` the
    /// start page is the HTTP remote without owner and name, and `https://host/` of an SSH remote.
    pub fn of_remote(remote_url: &str, server: Option<&str>) -> Option<Self> {
        let server = match server {
            Some(text) => Some(Page::parse(text)?),
            None => None,
        };
        let (page, path) = match (Remote::parse(remote_url)?, server) {
            (Remote::Web(remote), Some(server)) => {
                let path = remote.path.strip_prefix(&server.path)?.to_owned();
                (server, path)
            }
            (Remote::Web(mut remote), None) => {
                let (at, _) = remote.path.rmatch_indices('/').nth(1)?;
                let path = remote.path.split_off(at);
                (remote, path)
            }
            (Remote::Ssh { path, .. }, Some(server)) => (server, path),
            (Remote::Ssh { host, path }, None) => {
                (Page { scheme: "https".to_owned(), host, path: String::new() }, path)
            }
        };
        let path = path.strip_suffix(".git").unwrap_or(&path);
        let (owner, name) = path.strip_prefix('/')?.split_once('/')?;
        (is_name(owner) && is_name(name)).then(|| Self {
            server: format!("{}://{}{}", page.scheme, page.host, page.path),
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    /// The server's start page, without a slash at its end.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The user or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The repository's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The repository's own page.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.server, self.owner, self.name)
    }
}

/// A remote over the network. Paths begin with a slash and do not end with one.
enum Remote {
    Web(Page),
    Ssh { host: String, path: String },
}

impl Remote {
    fn parse(url: &str) -> Option<Self> {
        let (authority, path) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ssh") => rest.split_once('/')?,
            Some(_) => return Page::parse(url).map(Self::Web),
            None => {
                // As for `git`, a text with a slash before its first colon is a path, and `helper::rest` something else.
                let end = if url.contains('[') { url.find("]:")? + 1 } else { url.find(':')? };
                let (authority, path) = (&url[..end], &url[end + 1..]);
                (!authority.contains('/') && !path.starts_with(':')).then_some((authority, path))?
            }
        };
        let host = without_user(authority);
        // The colons of an IPv6 address stand in brackets.
        let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
        let host = &host[..port.unwrap_or(host.len())];
        let path = format!("/{}", path.trim_matches('/'));
        is_host(host).then(|| Self::Ssh { host: host.to_ascii_lowercase(), path })
    }
}

/// The parts of an HTTP address.
struct Page {
    scheme: String,
    /// With the port.
    host: String,
    /// Empty, or begins with a slash and does not end with one.
    path: String,
}

impl Page {
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = without_user(authority).to_ascii_lowercase();
        let path = path.trim_end_matches('/').to_owned();
        let lawful = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\' | '`');
        let is_page = matches!(scheme.as_str(), "http" | "https") && is_host(&host);
        (is_page && !path.contains("//") && path.chars().all(lawful)).then_some(Self { scheme, host, path })
    }
}

fn without_user(authority: &str) -> &str {
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn is_host(text: &str) -> bool {
    let lawful = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    !text.is_empty() && !text.starts_with([':', '-']) && text.chars().all(lawful)
}

/// Whether it is a name as the servers allow them.
fn is_name(text: &str) -> bool {
    let lawful = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !matches!(text, "" | "." | "..") && text.chars().all(lawful)
}
