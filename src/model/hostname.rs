//! Host names that may become DNS records.

use std::fmt;

/// A public host name in canonical form: lower case, ASCII, no trailing dot.
///
/// The grammar is closed: a value of this type can be written into a Corefile, a hosts file or a shell line as one word,
/// whatever text it came from. It is narrower than what the API server accepts in an Ingress, where labels may be longer
/// than 63 bytes and an address passes as a TLS host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

/// Why a text is not a [`Hostname`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostnameError {
    /// Nothing is left of it.
    #[error("it is empty")]
    Empty,
    /// It is longer than 253 bytes.
    #[error("it is longer than 253 bytes")]
    TooLong,
    /// It names many hosts.
    #[error("it is a wildcard")]
    Wildcard,
    /// It is an address, or ends like one.
    #[error("it is an address, not a name")]
    Address,
    /// It has one label only.
    #[error("it has one label only, so it is no public name")]
    SingleLabel,
    /// One of its labels is not letters, digits and hyphens, or is longer than 63 bytes.
    #[error("its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end")]
    Label,
    /// It is written in other letters than ASCII.
    #[error("it is not ASCII; write the `xn--` form")]
    NotAscii,
    /// A label has hyphens in the third and fourth place and is not an `xn--` label.
    #[error("a label with `--` in its third place must be an `xn--` label")]
    ReservedLabel,
}

impl Hostname {
    /// Brings a text to canonical form and checks it.
    ///
    /// ASCII capitals are lowered and one trailing dot is dropped; nothing else is changed, least of all white space.
    pub fn parse(text: &str) -> Result<Self, HostnameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(HostnameError::Empty);
        }
        if text.len() > 253 {
            return Err(HostnameError::TooLong);
        }
        if !text.is_ascii() {
            return Err(HostnameError::NotAscii);
        }
        if text.contains('*') {
            return Err(HostnameError::Wildcard);
        }
        let name = text.to_ascii_lowercase();
        let mut labels = 0;
        let mut last = "";
        for label in name.split('.') {
            check_label(label)?;
            labels += 1;
            last = label;
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HostnameError::Address);
        }
        if labels < 2 {
            return Err(HostnameError::SingleLabel);
        }
        Ok(Self(name))
    }

    /// The name, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this name is `suffix` or lies below it, label by label.
    pub fn is_within(&self, suffix: &str) -> bool {
        self.0.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

fn check_label(label: &str) -> Result<(), HostnameError> {
    let bytes = label.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    if bytes.is_empty() || bytes.len() > 63 || !bytes.iter().all(inner) || bytes[0] == b'-' || bytes.ends_with(b"-") {
        return Err(HostnameError::Label);
    }
    if bytes.len() > 3 && &bytes[2..4] == b"--" && !label.starts_with("xn--") {
        return Err(HostnameError::ReservedLabel);
    }
    Ok(())
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Hostname {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_lowered_and_loses_one_trailing_dot() {
        for (text, canonical) in [
            ("shop.example.org", "shop.example.org"),
            ("Shop.EXAMPLE.org.", "shop.example.org"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("a.bc", "a.bc"),
            ("1.2.3.example", "1.2.3.example"),
        ] {
            assert_eq!(Hostname::parse(text).map(|host| host.to_string()), Ok(canonical.to_owned()));
        }
    }

    #[test]
    fn what_is_not_one_word_of_the_grammar_is_refused_with_its_reason() {
        let long = format!("{}.example.org", "a".repeat(300));
        let wide = format!("{}.example.org", "a".repeat(64));
        for (text, reason) in [
            ("", HostnameError::Empty),
            (".", HostnameError::Empty),
            ("localhost", HostnameError::SingleLabel),
            ("*.example.org", HostnameError::Wildcard),
            ("10.0.0.1", HostnameError::Address),
            ("bücher.example", HostnameError::NotAscii),
            ("a b.example.org", HostnameError::Label),
            ("a.example.org\nrewrite", HostnameError::Label),
            ("a.example.org{", HostnameError::Label),
            ("a.example.org#", HostnameError::Label),
            ("\"a.example.org\"", HostnameError::Label),
            ("'a'.example.org", HostnameError::Label),
            ("a.example.org..", HostnameError::Label),
            ("a..example.org", HostnameError::Label),
            ("-a.example.org", HostnameError::Label),
            ("a_b.example.org", HostnameError::Label),
            ("ab--c.example.org", HostnameError::ReservedLabel),
            (&wide, HostnameError::Label),
            (&long, HostnameError::TooLong),
        ] {
            assert_eq!(Hostname::parse(text), Err(reason), "{text:?}");
        }
    }

    #[test]
    fn a_suffix_is_compared_label_by_label() {
        let host = Hostname::parse("a.example.org").expect("a literal that parses");
        assert!(host.is_within("example.org") && host.is_within("a.example.org") && host.is_within("org"));
        assert!(!host.is_within("ample.org") && !host.is_within("b.a.example.org"));
    }
}
