//! Where a repository is, as people write it.

use std::{
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use crate::{
    edge::git::{Address, GitError, Repository, git_failed},
    model::{hostname::Hostname, repository::RepositoryConfig},
};

/// Where a repository is.
#[derive(Clone, Debug)]
pub enum Location {
    /// A folder of this machine: a bare repository, or a work tree with its repository.
    Folder(PathBuf),
    /// On a server.
    Server(Address),
}

impl fmt::Display for Location {
    /// Without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Server(address) => address.fmt(f),
        }
    }
}

impl Location {
    /// Reads a path, a `file://` URL or the address of a server. Relative paths start at `from`.
    ///
    /// As for `git`, `host:path` is an address over SSH, and `./host:path` a path.
    ///
    /// # Errors
    ///
    /// [`GitError::NotAvailable`] for servers of another kind; [`GitError::Location`] for what is neither.
    pub fn parse(text: &str, from: &Path) -> Result<Self, GitError> {
        let wrong = || GitError::Location { text: without_user(text) };
        let not_available =
            |scheme: &str| Err(GitError::NotAvailable { url: without_user(text), scheme: scheme.to_owned() });
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            match scheme.to_ascii_lowercase().as_str() {
                "file" => (),
                scheme @ ("http" | "https" | "ssh") => {
                    return Address::of_url(scheme, rest).map(Self::Server).ok_or_else(wrong);
                }
                other => return not_available(other),
            }
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(wrong());
            }
            return Ok(Self::Folder(OsString::from_vec(percent_decoded(path).ok_or_else(wrong)?).into()));
        }
        match text.split_once(':') {
            Some((helper, rest)) if rest.starts_with(':') && !helper.contains('/') => not_available(helper),
            // Git takes what is before the first colon for a host, also of somebody's name and password.
            Some((host, path))
                if !host.contains('/') && path.split('/').next().is_some_and(|part| part.contains('@')) =>
            {
                Err(wrong())
            }
            Some((host, path)) if !host.contains('/') => {
                Address::of_scp(host, path).map(Self::Server).ok_or_else(wrong)
            }
            _ => Ok(Self::Folder(from.join(text))),
        }
    }

    /// The name of the server; `None` for a folder, and for a server that has an address only.
    pub fn server_name(&self) -> Option<Hostname> {
        match self {
            Self::Folder(_) => None,
            Self::Server(address) => Hostname::of_address(&address.to_string()),
        }
    }
}

/// Finds out where to publish, from the settings of the repository and the remotes of the checkout.
///
/// `remote` of the settings is the name of a remote, a URL, or a path that starts at the root of the checkout. Without
/// it the place is the remote `origin`, and the checkout's own repository when there is none. A remote that cannot be
/// reached is never replaced by the checkout: a commit that no one else sees would pass for a published one.
///
/// Of a remote that is written to elsewhere than it is read from (`pushurl`) the place for writing is taken, for reading
/// too: the tip that was read must be the tip that is replaced.
///
/// # Errors
///
/// [`GitError::UnknownRemote`] for a word that is neither a remote nor a folder, and those of [`Location::parse`].
pub fn resolve_target(checkout: &Repository, config: &RepositoryConfig) -> Result<Location, GitError> {
    let root = checkout.root();
    let wanted = config.remote.as_deref();
    if let Some(url) = remote_url(checkout, wanted.unwrap_or("origin"))? {
        return Location::parse(&url, root);
    }
    let Some(text) = wanted else { return Ok(Location::Folder(root.to_owned())) };
    let location = Location::parse(text, root)?;
    let Location::Folder(folder) = &location else { return Ok(location) };
    if text.contains('/') || text.starts_with('.') || folder.is_dir() {
        Ok(location)
    } else {
        Err(GitError::UnknownRemote { name: text.to_owned(), remotes: checkout.remotes()? })
    }
}

/// The place to publish to, as the settings or the remotes of the checkout have it: a path or the address of a server,
/// perhaps with a password. `None`: the checkout's own repository. Whether it can be reached is not looked at.
///
/// # Errors
///
/// [`GitError::Object`] when the remotes cannot be read.
pub fn target_address(checkout: &Repository, config: &RepositoryConfig) -> Result<Option<String>, GitError> {
    let wanted = config.remote.as_deref();
    let url = remote_url(checkout, wanted.unwrap_or("origin"))?;
    Ok(url.or_else(|| wanted.map(str::to_owned)))
}

/// Where a remote is written to; `None` when there is no remote of the name.
fn remote_url(checkout: &Repository, name: &str) -> Result<Option<String>, GitError> {
    if !checkout.remotes()?.iter().any(|remote| remote == name) {
        return Ok(None);
    }
    let failed = git_failed(|| format!("the remote `{name}`"));
    let remote = checkout.inner.find_remote(name).map_err(&failed)?;
    let url = match remote.pushurl().map_err(&failed)? {
        Some(url) => url,
        None => remote.url().map_err(&failed)?,
    };
    Ok(Some(url.to_owned()))
}

/// The text without the user and password of an address, for messages.
fn without_user(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

/// The bytes that a percent-encoded path stands for, or `None` when it is not one or has a NUL byte.
pub(super) fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        };
        if byte == 0 {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        let place = Location::parse(text, Path::new("/home/u/repo"));
        place.map(|place| place.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_or_file_url_is_a_folder() {
        for (text, path) in [
            ("/srv/git/fleet.git", "/srv/git/fleet.git"),
            ("../fleet.git", "/home/u/repo/../fleet.git"),
            ("./host:path", "/home/u/repo/./host:path"),
            ("file:///srv/a%20b.git", "/srv/a b.git"),
            ("FILE://localhost/srv/x", "/srv/x"),
            ("/srv/odd:name", "/srv/odd:name"),
        ] {
            assert_eq!(parse(text), Ok(path.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_server_is_known_by_its_address_and_the_password_is_not_repeated() {
        for (text, shown) in [
            ("https://bot:hunter2@git.example.org/a/b.git", "https://git.example.org/a/b.git"),
            ("HTTP://127.0.0.1:3000/forge/a/b/", "http://127.0.0.1:3000/forge/a/b"),
            ("ssh://git@git.example.org:2222/a/b.git", "ssh://git@git.example.org:2222/a/b.git"),
            ("ssh://git:hunter2@git.example.org/~git/b", "git@git.example.org:~git/b"),
            ("git@git.example.org:a/b.git", "git@git.example.org:a/b.git"),
        ] {
            assert_eq!(parse(text), Ok(shown.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn the_name_of_a_server_is_told_however_it_is_reached() {
        for (text, name) in [
            ("https://bot:hunter2@Git.example.org:3000/a/b.git", Some("git.example.org")),
            ("ssh://git@git.example.org:2222/a/b.git", Some("git.example.org")),
            ("git@git.example.org:a/b.git", Some("git.example.org")),
            ("git.example.org:a/b.git", Some("git.example.org")),
            ("http://127.0.0.1:3000/a/b", None),
            ("ssh://git@[::1]:22/a/b", None),
            ("git@forge:a/b.git", None),
            ("git.example.org", None),
            ("/srv/git.example.org/a.git", None),
            ("file:///srv/git.example.org", None),
        ] {
            let place =
                Location::parse(text, Path::new("/home/u/repo")).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(place.server_name().map(|name| name.to_string()).as_deref(), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_or_could_be_taken_for_an_option_is_refused() {
        for (text, message) in [
            ("https://git.example.org", "`https://git.example.org` is not the place of a repository"),
            (
                "https://git.example.org/a?token=x",
                "`https://git.example.org/a?token=x` is not the place of a repository",
            ),
            ("ssh://-oProxyCommand=x/a", "`ssh://-oProxyCommand=x/a` is not the place of a repository"),
            ("-oProxyCommand=x:a", "`-oProxyCommand=x:a` is not the place of a repository"),
            ("ssh://-l@host/a", "`ssh://host/a` is not the place of a repository"),
            ("ssh://host:99999/a", "`ssh://host:99999/a` is not the place of a repository"),
            ("git://git.example.org/a", "`git://git.example.org/a`: remotes over git are not supported"),
            ("bot:hunter2@host:/srv/a", "`host:/srv/a` is not the place of a repository"),
            ("ext::sh -c true", "`ext::sh -c true`: remotes over ext are not supported"),
            ("", "`` is not the place of a repository"),
            ("file://bot:hunter2@other/srv", "`file://other/srv` is not the place of a repository"),
            ("file:///srv/%zz", "`file:///srv/%zz` is not the place of a repository"),
            ("file:///srv/%00", "`file:///srv/%00` is not the place of a repository"),
            ("a\nb", "`a\\nb` is not the place of a repository"),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text:?}");
        }
    }
}
