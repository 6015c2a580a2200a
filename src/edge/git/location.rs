//! Where a repository is, as people write it.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use crate::{
    edge::git::{GitError, Repository, git_failed},
    model::repository::RepositoryConfig,
};

/// Where a repository is. A kind of remote that is reached over the network is another variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine: a bare repository, or a work tree with its repository.
    Folder(PathBuf),
}

impl Location {
    /// Reads a path, a `file://` URL or the address of a server. Relative paths start at `from`.
    ///
    /// As for `git`, `host:path` is an address over SSH, and `./host:path` a path.
    ///
    /// # Errors
    ///
    /// [`GitError::NotAvailable`] for every kind of server; [`GitError::Location`] for what is neither.
    pub fn parse(text: &str, from: &Path) -> Result<Self, GitError> {
        let wrong = || GitError::Location { text: without_user(text) };
        let not_available =
            |scheme: &str| Err(GitError::NotAvailable { url: without_user(text), scheme: scheme.to_owned() });
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            if !scheme.eq_ignore_ascii_case("file") {
                return not_available(&scheme.to_ascii_lowercase());
            }
            let path = rest.strip_prefix("localhost").unwrap_or(rest);
            if !path.starts_with('/') {
                return Err(wrong());
            }
            return Ok(Self::Folder(OsString::from_vec(percent_decoded(path).ok_or_else(wrong)?).into()));
        }
        match text.split_once(':') {
            Some((helper, rest)) if rest.starts_with(':') && !helper.contains('/') => not_available(helper),
            Some((host, _)) if !host.contains('/') => not_available("ssh"),
            _ => Ok(Self::Folder(from.join(text))),
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
    let Location::Folder(folder) = &location;
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
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
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

    fn parse(text: &str) -> Result<Location, String> {
        Location::parse(text, Path::new("/home/u/repo")).map_err(|error| error.to_string())
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
            assert_eq!(parse(text), Ok(Location::Folder(path.into())), "{text:?}");
        }
    }

    #[test]
    fn a_server_is_refused_by_its_kind_and_the_password_is_not_repeated() {
        for (text, message) in [
            (
                "https://bot:hunter2@git.example.org/a/b.git",
                "`https://git.example.org/a/b.git`: remotes over https are not available in this version",
            ),
            (
                "ssh://git@git.example.org/a",
                "`ssh://git.example.org/a`: remotes over ssh are not available in this version",
            ),
            ("git@git.example.org:a/b", "`git.example.org:a/b`: remotes over ssh are not available in this version"),
            ("ext::sh -c true", "`ext::sh -c true`: remotes over ext are not available in this version"),
            ("bot:hunter2@host:a", "`host:a`: remotes over ssh are not available in this version"),
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
