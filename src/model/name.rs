//! Kubernetes names.

use std::fmt;

/// A name that the Kubernetes API accepts for almost every object: an RFC 1123 subdomain, at most 253 bytes.
///
/// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name is empty")]
    Empty,
    /// The text is longer than 253 bytes.
    #[error("a name is {0} bytes long; Kubernetes takes at most 253")]
    TooLong(usize),
    /// The text holds something that a name may not hold.
    #[error(
        "`{}` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
        .0.escape_debug()
    )]
    Malformed(String),
}

impl Name {
    /// Checks a text against the grammar of an RFC 1123 subdomain.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > 253 {
            return Err(NameError::TooLong(text.len()));
        }
        if text.split('.').all(is_label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Malformed(text.to_owned()))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is an RFC 1123 label but for its length.
fn is_label(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    match text.as_bytes() {
        [] => false,
        bytes @ [first, .., last] => {
            alphanumeric(*first) && alphanumeric(*last) && bytes.iter().all(|&byte| alphanumeric(byte) || byte == b'-')
        }
        [only] => alphanumeric(*only),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rfc_1123_subdomains_are_names() {
        for good in ["a", "a-b", "tenant-root", "cozystack.ouroboros", "0", &"a".repeat(253)] {
            assert_eq!(Name::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a\n", "a b", "ü", "a/b", "..", &"a".repeat(254)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }
}
