//! The address of a repository on a server, as people write it.

use std::fmt;

use secrecy::SecretString;

use crate::edge::http::Credentials;

/// Where a repository is on a server.
#[derive(Clone, Debug)]
pub struct Address {
    pub(super) way: Way,
    /// The user and password that stood in the address.
    pub(super) login: Option<(String, SecretString)>,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `https` or `http`.
    Http {
        /// The whole address, without user and password, and without a slash at the end.
        url: String,
    },
    /// The program `ssh`.
    Ssh {
        /// `host` or `user@host`.
        host: String,
        port: Option<u16>,
        /// As the server's shell gets it, before it is quoted.
        path: String,
    },
}

impl fmt::Display for Address {
    /// Without a password, and so that it can be given as a remote again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Http { url } => f.write_str(url),
            Way::Ssh { host, port: None, path } if !path.starts_with('/') => write!(f, "{host}:{path}"),
            Way::Ssh { host, port, path } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "ssh://{host}{port}/{}", path.trim_start_matches('/'))
            }
        }
    }
}

impl Address {
    /// Reads `http://…`, `https://…` and `ssh://…`, after the scheme. `None`: it is no address.
    pub(in crate::edge::git) fn of_url(scheme: &str, rest: &str) -> Option<Self> {
        let (authority, path) = rest.split_once('/')?;
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if path.is_empty() || !is_host(host) || rest.chars().any(char::is_whitespace) {
            return None;
        }
        if scheme == "ssh" {
            let (name, port) = match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            {
                Some((name, port)) => (name, Some(port.parse().ok()?)),
                None => (host, None),
            };
            let user =
                user.map(|user| user.split_once(':').map_or(user, |(user, _)| user)).filter(|user| !user.is_empty());
            let host = login_at(user, name)?;
            // `/~user/…` is the home folder of somebody on the server.
            let path = if path.starts_with('~') { path.to_owned() } else { format!("/{path}") };
            return Some(Self { way: Way::Ssh { host, port, path }, login: None });
        }
        if path.contains(['?', '#']) {
            return None;
        }
        let login = match user {
            Some(user) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                Some((decoded(user)?, SecretString::from(decoded(password)?)))
            }
            None => None,
        };
        let url = format!("{scheme}://{host}/{}", path.trim_end_matches('/'));
        Some(Self { way: Way::Http { url }, login })
    }

    /// The user and password that stood in the address.
    pub(in crate::edge::git) fn login(&self) -> Option<Credentials> {
        let (username, password) = self.login.clone()?;
        Some(Credentials::Basic { username, password })
    }

    /// Reads `host:path` and `user@host:path`.
    pub(in crate::edge::git) fn of_scp(host: &str, path: &str) -> Option<Self> {
        let (user, name) = host.rsplit_once('@').map_or((None, host), |(user, name)| (Some(user), name));
        let user = user.map(|user| user.split_once(':').map_or(user, |(user, _)| user));
        if path.is_empty() || !is_host(name) {
            return None;
        }
        let host = login_at(user, name)?;
        Some(Self { way: Way::Ssh { host, port: None, path: path.to_owned() }, login: None })
    }
}

/// `user@host`, of which nothing can be taken for an option.
fn login_at(user: Option<&str>, host: &str) -> Option<String> {
    let user_is_plain =
        user.is_none_or(|user| !user.is_empty() && !user.starts_with('-') && !user.contains(char::is_whitespace));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if !user_is_plain || host.starts_with('-') {
        return None;
    }
    Some(user.map_or(host.to_owned(), |user| format!("{user}@{host}")))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]%".contains(c))
}

/// The text that a percent-encoded one stands for.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(crate::edge::git::location::percent_decoded(text)?).ok()
}
