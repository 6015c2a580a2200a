//! Host names that may become DNS records.

use std::{borrow::Borrow, fmt};

mod label;

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
    /// It is shorter than 4 bytes.
    #[error("it is shorter than any public name")]
    TooShort,
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
    /// An `xn--` label stands for nothing that IDNA2008 knows, or for something that is written in another way.
    #[error("an `xn--` label of it is no name of IDNA2008")]
    NotIdna,
}

/// How a name stands to the public suffixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Everybody may register names right below it, as below `co.uk` and `github.io`: whoever held it would hold the names
    /// of strangers.
    PublicSuffix,
    /// It is a domain as a registry hands it out: it lies right below a suffix of the official part of the list.
    Apex,
    /// Neither.
    Below,
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
            label::check(label)?;
            labels += 1;
            last = label;
        }
        if last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HostnameError::Address);
        }
        if labels < 2 {
            return Err(HostnameError::SingleLabel);
        }
        if name.len() < 4 {
            return Err(HostnameError::TooShort);
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

    /// This name and every name that it lies below, the shortest last: `a.example.org`, `example.org`, `org`.
    pub fn suffixes(&self) -> impl Iterator<Item = &str> {
        let below = |name: &&'_ str| name.find('.').map(|dot| dot + 1);
        std::iter::successors(Some(self.as_str()), move |name| below(name).map(|start| &name[start..]))
    }

    /// How this name stands to the public suffixes, by the list of <https://publicsuffix.org>, which is part of the program.
    ///
    /// A name of one label cannot be a [`Hostname`], so what no list knows is no public suffix.
    pub fn standing(&self) -> Standing {
        let mut labels = self.0.as_bytes().rsplit(|byte| *byte == b'.');
        // The list is thousands of functions, made anew for each kind of iterator. Behind a pointer they stay small.
        let labels: &mut dyn Iterator<Item = &[u8]> = &mut labels;
        let suffix = psl::Psl::find(&psl::List, labels);
        let parent = self.0.split_once('.').map(|(_, parent)| parent.len());
        match suffix.typ {
            _ if suffix.len == self.0.len() => Standing::PublicSuffix,
            Some(psl::Type::Icann) if parent == Some(suffix.len) => Standing::Apex,
            _ => Standing::Below,
        }
    }

    /// The host of an address: of a URL, of `git@host:path`, or of an OCI reference. `None` for anything else, and for a
    /// host that cannot be a public name.
    pub fn of_address(address: &str) -> Option<Self> {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        Self::parse(host.split(':').next()?).ok()
    }
}

impl Borrow<str> for Hostname {
    fn borrow(&self) -> &str {
        &self.0
    }
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
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("xn--fa-hia.example", "xn--fa-hia.example"),
            ("xn--p1ai.xn--p1ai", "xn--p1ai.xn--p1ai"),
            // Sanskrit with a mark that is no letter, paral·lel with its dot between two l, and the dot of Japanese.
            ("xn--i1b2b4b6db1e6c.example", "xn--i1b2b4b6db1e6c.example"),
            ("xn--parallel-koa.example", "xn--parallel-koa.example"),
            ("xn--uckyb2c6bm0c2cj.example", "xn--uckyb2c6bm0c2cj.example"),
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
            ("a.b", HostnameError::TooShort),
            ("a.b.", HostnameError::TooShort),
            // Punycode of nothing, of ASCII alone, of a capital, of no character; symbols; a name that begins with a mark.
            ("xn--a.example", HostnameError::NotIdna),
            ("xn--example-.org", HostnameError::Label),
            ("xn--google-9.org", HostnameError::NotIdna),
            ("xn--0ca24w.example", HostnameError::NotIdna),
            ("xn--99999999.example", HostnameError::NotIdna),
            ("xn--n3h.example", HostnameError::NotIdna),
            ("xn--ls8h.la", HostnameError::NotIdna),
            ("a.xn--1ch.example", HostnameError::NotIdna),
            ("xn--ab-3n4a.example", HostnameError::NotIdna),
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

    #[test]
    fn a_public_suffix_is_told_from_a_name_that_somebody_has() {
        let host = |text| Hostname::parse(text).expect("a literal that parses");
        for suffix in ["co.uk", "github.io", "foo.ck", "x.kobe.jp", "xn--55qx5d.cn", "s3.amazonaws.com"] {
            assert_eq!(host(suffix).standing(), Standing::PublicSuffix, "{suffix}");
        }
        for (name, is_apex) in [
            ("example.org", true),
            ("a.example.org", false),
            ("example.co.uk", true),
            ("www.ck", true),
            ("city.kobe.jp", true),
            ("corp.example", false),
            ("someone.github.io", false),
        ] {
            assert_eq!(host(name).standing(), if is_apex { Standing::Apex } else { Standing::Below }, "{name}");
        }
    }

    #[test]
    fn the_names_that_a_name_lies_below_are_those_of_its_labels() {
        let host = Hostname::parse("a.b.example.org").expect("a literal that parses");
        assert_eq!(host.suffixes().collect::<Vec<_>>(), ["a.b.example.org", "b.example.org", "example.org", "org"]);
    }

    #[test]
    fn the_host_of_an_address_is_found_whatever_stands_around_it() {
        for (address, host) in [
            ("https://git.example.org/acme/fleet.git", Some("git.example.org")),
            ("https://bot:secret@Git.example.org:3000/acme", Some("git.example.org")),
            ("ssh://git@git.example.org:22/acme", Some("git.example.org")),
            ("git@git.example.org:acme/fleet.git", Some("git.example.org")),
            ("oci://registry.example.org:5000/charts", Some("registry.example.org")),
            ("registry.example.org/ghcr", Some("registry.example.org")),
            ("https://git.example.org?x=y@evil.example", Some("git.example.org")),
            ("/srv/git/fleet.git", None),
            ("origin", None),
            ("http://127.0.0.1:3000", None),
            ("http://[::1]:3000", None),
            ("http://gitea:3000", None),
            ("", None),
        ] {
            assert_eq!(Hostname::of_address(address).as_ref().map(Hostname::as_str), host, "{address}");
        }
    }
}
