//! References to what lies in a registry, read as the distribution project reads them.
//!
//! The grammar is that of `ParseNormalizedNamed` in <https://github.com/distribution/reference> v0.6, with one
//! difference: where that gives a name without any registry (`foo_bar.example/app`, whose first part looks like a host
//! and cannot be one), there is an error here, because nobody could be asked.

use std::fmt;

/// The registry of names that have none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// What [`DEFAULT_REGISTRY`] was called once.
const LEGACY_REGISTRY: &str = "index.docker.io";

/// Where the default registry keeps names of one part.
const OFFICIAL: &str = "library/";

/// The longest path of a repository, in bytes.
const MAX_PATH: usize = 255;

/// The longest tag, in bytes.
const MAX_TAG: usize = 128;

/// A repository of a registry, written in full: `docker.io/library/alpine`, `ghcr.io/lexfrei/ouroboros`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Reads a repository as container tools do: `alpine` is `docker.io/library/alpine`.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] for everything that is no reference, and for a reference with a tag or a digest.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match Reference::parse(text)? {
            Reference { repository, tag: None, digest: None } => Ok(repository),
            _ => Err(ReferenceError::new(text, "a repository has neither a tag nor a digest")),
        }
    }

    /// The registry's host, with its port when one is named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// What comes after the registry.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// A repository with what is meant in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Where.
    pub repository: Repository,
    /// The tag, when there is one.
    pub tag: Option<String>,
    /// The digest as written (`sha256:…`, `sha384:…` or `sha512:…`), when there is one.
    pub digest: Option<String>,
}

/// Why a text is no [`Reference`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no image reference: {problem}", text.escape_debug())]
pub struct ReferenceError {
    text: String,
    problem: &'static str,
}

impl ReferenceError {
    fn new(text: &str, problem: &'static str) -> Self {
        Self { text: text.to_owned(), problem }
    }
}

impl Reference {
    /// Reads a reference as container tools do: `alpine` is `docker.io/library/alpine`.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`] wherever the reference parser of the distribution project gives one.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        read(text).map_err(|problem| ReferenceError::new(text, problem))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether it is a tag: up to 128 letters, digits, `_`, `.` and `-`, beginning with neither `.` nor `-`.
pub fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    bytes.next().is_some_and(is_word)
        && bytes.all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
        && text.len() <= MAX_TAG
}

fn read(text: &str) -> Result<Reference, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() == 64 && text.bytes().all(is_lower_hex) {
        return Err("64 hexadecimal digits are the identifier of an image, not its name");
    }
    let (registry, rest) = split_registry(text);
    let (name, digest) = match rest.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (rest, None),
    };
    let (path, tag) = match name.split_once(':') {
        Some((path, tag)) => (path, Some(tag)),
        None => (name, None),
    };
    let path =
        if registry == DEFAULT_REGISTRY && !path.contains('/') { format!("{OFFICIAL}{path}") } else { path.to_owned() };
    if !is_registry(registry) {
        return Err("what stands before the first `/` is no host");
    }
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("the name of a repository has no capital letters");
    }
    if !path.split('/').all(is_path_component) {
        return Err("the name of a repository is of lower-case letters and digits, with `.`, `_`, `__` or `-` between");
    }
    if path.len() > MAX_PATH {
        return Err("the name of the repository is longer than 255 characters");
    }
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err("a tag is of up to 128 letters, digits, `_`, `.` and `-`, and begins with neither `.` nor `-`");
    }
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Err("a digest is `sha256:` and 64 lower-case hex digits, or as much for sha384 or sha512");
    }
    let repository = Repository { registry: registry.to_owned(), path };
    Ok(Reference { repository, tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
}

/// Tells a registry from the first part of a path. Without any `/` there is no registry, whatever it looks like.
fn split_registry(text: &str) -> (&str, &str) {
    let Some((first, rest)) = text.split_once('/') else { return (DEFAULT_REGISTRY, text) };
    let is_registry = first == "localhost"
        || first.contains(['.', ':'])
        // Paths have no capitals.
        || first.chars().any(char::is_uppercase);
    match first {
        LEGACY_REGISTRY => (DEFAULT_REGISTRY, rest),
        _ if is_registry => (first, rest),
        _ => (DEFAULT_REGISTRY, text),
    }
}

/// Whether it is the name of a host or an IPv6 address in brackets, with or without a port.
fn is_registry(text: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let is_address = !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
        return is_address && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_label(text: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !text.is_empty() && text.bytes().all(is_inside) && !text.starts_with('-') && !text.ends_with('-')
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    is_alphanumeric(*first)
        && is_alphanumeric(*last)
        && bytes.split(|byte| is_alphanumeric(*byte)).all(|between| match between {
            b"" | b"." | b"_" | b"__" => true,
            _ => between.iter().all(|byte| *byte == b'-'),
        })
}

/// Only the three algorithms that container tools know.
fn is_digest(text: &str) -> bool {
    let length = match text.split_once(':') {
        Some(("sha256", hex)) if hex.bytes().all(is_lower_hex) => (hex.len(), 64),
        Some(("sha384", hex)) if hex.bytes().all(is_lower_hex) => (hex.len(), 96),
        Some(("sha512", hex)) if hex.bytes().all(is_lower_hex) => (hex.len(), 128),
        _ => return false,
    };
    length.0 == length.1
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests;
