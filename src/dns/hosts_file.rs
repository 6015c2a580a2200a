//! The record form `hosts-file`: one line `<address> <host>` for every host and address.
//!
//! The text stands in a key of `kube-system/coredns-custom` that the plugin `hosts` of CoreDNS reads. That plugin passes
//! over a line that it does not understand without a word, so what is written must be read back exactly: both words come
//! from types, and [`read`] takes nothing but what [`write()`] makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::IpAddr,
};

use crate::model::{cluster::HostsPath, hostname::Hostname};

/// The key of ours.
pub const KEY: &str = HostsPath::KEY;

/// What a hosts file says: every host has every address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostsFile {
    /// The hosts.
    pub hosts: BTreeSet<Hostname>,
    /// The addresses of the proxy.
    pub addresses: BTreeSet<IpAddr>,
}

/// Why a text is no hosts file of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostsFileError {
    /// A line is not an address, one blank and a host.
    #[error("line {number} is not `<address> <host>`: `{}`", .line.escape_debug())]
    Line {
        /// Which, from 1.
        number: usize,
        /// The line.
        line: String,
    },
    /// The lines are lawful, and not those that would be written for these hosts and addresses.
    #[error(
        "line {number} is not the one that belongs there: a host lacks an address, or the order or an ending is another"
    )]
    Order {
        /// Which, from 1.
        number: usize,
    },
}

impl HostsFileError {
    /// The line that it is about, from 1.
    pub fn line(&self) -> usize {
        let (Self::Line { number, .. } | Self::Order { number }) = self;
        *number
    }
}

/// Writes one line for every host and address, by host, an IPv4 address before an IPv6 address.
pub fn write<'a>(hosts: impl IntoIterator<Item = &'a Hostname>, addresses: &BTreeSet<IpAddr>) -> String {
    let words: Vec<_> = addresses.iter().map(|address| format!("{address} ")).collect();
    let mut text = String::new();
    for host in hosts {
        for address in &words {
            text.push_str(address);
            text.push_str(host.as_str());
            text.push('\n');
        }
    }
    text
}

/// Reads back exactly what [`write()`] makes.
///
/// # Errors
///
/// The first line that it cannot have made, or cannot have put there.
pub fn read(text: &str) -> Result<HostsFile, HostsFileError> {
    let mut file = HostsFile::default();
    for (number, line) in (1..).zip(text.lines()) {
        let (address, host) = entry(line).ok_or_else(|| HostsFileError::Line { number, line: line.to_owned() })?;
        file.addresses.insert(address);
        file.hosts.insert(host);
    }
    let expected = write(&file.hosts, &file.addresses);
    if expected == text {
        return Ok(file);
    }
    let same = std::iter::zip(text.split_inclusive('\n'), expected.split_inclusive('\n'));
    Err(HostsFileError::Order { number: 1 + same.take_while(|(line, wanted)| line == wanted).count() })
}

/// The entries of a text that may have been edited by hand. A line that is no entry of ours is left out.
pub fn entries(text: &str) -> BTreeMap<Hostname, BTreeSet<IpAddr>> {
    let mut entries: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (address, host) in text.lines().filter_map(entry) {
        entries.entry(host).or_default().insert(address);
    }
    entries
}

fn entry(line: &str) -> Option<(IpAddr, Hostname)> {
    let (address, host) = line.split_once(' ')?;
    let parsed: IpAddr = address.parse().ok()?;
    let host = Hostname::parse(host).ok().filter(|parsed| parsed.as_str() == host)?;
    let mut canonical = String::with_capacity(address.len());
    write!(canonical, "{parsed}").expect("a string takes what is written to it");
    (canonical == address).then_some((parsed, host))
}

/// Whether an address can be that of a Service: none that means this machine, nobody or many.
pub fn is_usable(address: IpAddr) -> bool {
    let is_mapped = matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some());
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_mapped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(names: &[&str]) -> BTreeSet<Hostname> {
        names.iter().map(|name| Hostname::parse(name).expect("a literal that parses")).collect()
    }

    fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| text.parse().expect("a literal that parses")).collect()
    }

    #[test]
    fn every_host_has_every_address_on_a_line_of_its_own() {
        let hosts = hosts(&["b.example.org", "a.example.org"]);
        let addresses = addresses(&["fd00:0:0::7", "10.96.0.7"]);
        let text = write(&hosts, &addresses);
        assert_eq!(
            text,
            "10.96.0.7 a.example.org\nfd00::7 a.example.org\n10.96.0.7 b.example.org\nfd00::7 b.example.org\n"
        );
        assert_eq!(read(&text), Ok(HostsFile { hosts, addresses }));
        assert_eq!(read(""), Ok(HostsFile::default()));
    }

    #[test]
    fn a_text_that_was_not_written_here_is_told_by_its_first_wrong_line() {
        let line = |number, line: &str| HostsFileError::Line { number, line: line.to_owned() };
        for (text, error) in [
            ("10.0.0.1 a.example\n# note\n", line(2, "# note")),
            ("10.0.0.1  a.example\n", line(1, "10.0.0.1  a.example")),
            ("10.0.0.1\ta.example\n", line(1, "10.0.0.1\ta.example")),
            ("10.0.0.1 a.example c.example\n", line(1, "10.0.0.1 a.example c.example")),
            ("10.0.0.1 A.example\n", line(1, "10.0.0.1 A.example")),
            ("10.0.0.01 a.example\n", line(1, "10.0.0.01 a.example")),
            ("FD00::7 a.example\n", line(1, "FD00::7 a.example")),
            ("fd00:0::7 a.example\n", line(1, "fd00:0::7 a.example")),
            ("10.0.0.1 *.example\n", line(1, "10.0.0.1 *.example")),
            ("10.0.0.1 a.example\n\n", line(2, "")),
            ("10.0.0.1 a.example", HostsFileError::Order { number: 1 }),
            ("10.0.0.1 a.example\r\n", HostsFileError::Order { number: 1 }),
            ("10.0.0.1 b.example\n10.0.0.1 a.example\n", HostsFileError::Order { number: 1 }),
            ("10.0.0.1 a.example\n10.0.0.1 a.example\n", HostsFileError::Order { number: 2 }),
            ("10.0.0.1 a.example\n10.0.0.2 b.example\n", HostsFileError::Order { number: 2 }),
        ] {
            assert_eq!(read(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn what_somebody_added_by_hand_is_no_entry_of_ours() {
        let found = entries("# note\n10.0.0.1 a.example.org\n10.0.0.1 x y\nfd00::1 a.example.org\n");
        let expected = hosts(&["a.example.org"]).into_iter().map(|host| (host, addresses(&["10.0.0.1", "fd00::1"])));
        assert_eq!(found, expected.collect());
    }

    #[test]
    fn only_an_address_that_a_service_can_have_is_usable() {
        for (text, expected) in [
            ("10.96.0.7", true),
            ("fd00::7", true),
            ("0.0.0.0", false),
            ("::", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("224.0.0.1", false),
            ("ff02::1", false),
            ("::ffff:10.96.0.7", false),
        ] {
            assert_eq!(is_usable(text.parse().expect("a literal that parses")), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            names in prop::collection::btree_set("[a-z0-9]([-a-z0-9]{0,9}[a-z0-9])?\\.[a-z]{2,6}", 0..20),
            numbers in prop::collection::btree_set(any::<IpAddr>(), 1..4),
        ) {
            let hosts: BTreeSet<_> = names.iter().filter_map(|name| Hostname::parse(name).ok()).collect();
            let text = write(&hosts, &numbers);
            prop_assert_eq!(text.lines().count(), hosts.len() * numbers.len());
            let file = read(&text).expect("it was written here");
            prop_assert_eq!(&file.hosts, &hosts);
            if !hosts.is_empty() {
                prop_assert_eq!(file.addresses, numbers);
            }
        }

        #[test]
        fn nothing_else_is_taken_for_a_hosts_file(text in "([0-9a-f:.]{1,12} [a-z.]{1,9}\n|\\PC{0,9}\n?){0,4}") {
            if let Ok(file) = read(&text) {
                prop_assert_eq!(write(&file.hosts, &file.addresses), text);
            }
        }
    }
}
