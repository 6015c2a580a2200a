//! Where an API server is, and whether a tenant may send this program there.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use http::{Uri, uri::Scheme};

/// Which servers the kubeconfig of a tenant may name. None on this machine or next to it, unless said so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerPolicy {
    /// Servers on this machine: 127.0.0.0/8, `::1`, and the unspecified address, which leads there too.
    pub allow_loopback: bool,
    /// Addresses that are valid on one wire only: 169.254.0.0/16, `fe80::/10`, and where clouds keep their metadata.
    pub allow_link_local: bool,
}

/// Why an address is not one that an API server of somebody else should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressKind {
    /// This machine itself.
    Loopback,
    /// On the wire, or the metadata service of a cloud.
    LinkLocal,
    /// A group of machines; no connection can be made.
    Multicast,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Multicast => "a multicast address",
        })
    }
}

/// A connection that was not made, because all addresses of the server's name are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is {address}, {kind}, which the kubeconfig of a tenant must not name", host.escape_debug())]
pub struct AddressRefused {
    /// The name.
    pub host: String,
    /// The first of its addresses.
    pub address: IpAddr,
    /// What the address is.
    pub kind: AddressKind,
}

impl ServerPolicy {
    /// What is wrong with an address; `None`: nothing.
    pub(super) fn refuses(self, address: IpAddr) -> Option<AddressKind> {
        kind_of(address).filter(|kind| match kind {
            AddressKind::Loopback => !self.allow_loopback,
            AddressKind::LinkLocal => !self.allow_link_local,
            AddressKind::Multicast => true,
        })
    }

    /// What is wrong with a host as it is written. A name that is no address can still turn out to have a wrong one.
    pub(super) fn refuses_host(self, host: &str) -> Option<AddressKind> {
        match address_of(host) {
            Some(address) => self.refuses(address),
            None => (is_localhost(host) && !self.allow_loopback).then_some(AddressKind::Loopback),
        }
    }

    /// The addresses of a name that may be connected to.
    ///
    /// # Errors
    ///
    /// When there were some and none is left.
    pub(super) fn filter<A>(
        self,
        host: &str,
        found: impl Iterator<Item = A>,
        ip: impl Fn(&A) -> IpAddr,
    ) -> Result<Vec<A>, AddressRefused> {
        let mut refused = None;
        let mut good = Vec::new();
        for address in found {
            match self.refuses(ip(&address)) {
                None => good.push(address),
                Some(kind) => {
                    refused.get_or_insert(AddressRefused { host: host.to_owned(), address: ip(&address), kind });
                }
            }
        }
        match refused {
            Some(refused) if good.is_empty() => Err(refused),
            _ => Ok(good),
        }
    }
}

/// The address of an API server, without anything that could be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    scheme: Scheme,
    /// IPv6 addresses with their brackets.
    host: String,
    port: u16,
    /// Whether there was a user or a password in it.
    pub(super) has_userinfo: bool,
}

impl Server {
    /// Reads the URL of an API server, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
        Self::of(&uri)
    }

    pub(super) fn of(uri: &Uri) -> Result<Self, &'static str> {
        let scheme = uri.scheme().ok_or("does not begin with `https://`")?;
        let default = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err("begins with neither `https://` nor `http://`"),
        };
        let authority = uri.authority().ok_or("has no host")?;
        let host = authority.host();
        let has_userinfo = authority.as_str().contains('@');
        let written = authority.as_str().rsplit('@').next().unwrap_or_default();
        let port = match written.get(host.len()..) {
            Some("") => default,
            // `Uri` takes any number, and forgets the port when it is too large.
            Some(_) => {
                authority.port_u16().filter(|port| *port != 0).ok_or("has a port that is not between 1 and 65535")?
            }
            None => return Err("is not a URL"),
        };
        if host.is_empty() || host == "[]" {
            return Err("has no host");
        }
        Ok(Self { scheme: scheme.clone(), host: host.to_ascii_lowercase(), port, has_userinfo })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn is_plain_http(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// Whether the host is written as this machine's own.
    pub(super) fn is_loopback(&self) -> bool {
        ServerPolicy { allow_loopback: false, allow_link_local: true }.refuses_host(&self.host)
            == Some(AddressKind::Loopback)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host.escape_debug(), self.port)
    }
}

/// The address that a host is, in every spelling that a resolver understands without asking anybody.
fn address_of(host: &str) -> Option<IpAddr> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        // A zone may follow.
        let plain = inner.split_once('%').map_or(inner, |(address, _)| address);
        return plain.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    host.parse().ok().or_else(|| old_spelling(host).map(IpAddr::V4))
}

/// The spellings of `inet_aton`: one to four numbers, decimal, octal or hexadecimal, of which the last fills what is
/// left. `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1.
fn old_spelling(host: &str) -> Option<Ipv4Addr> {
    let number = |text: &str| {
        let (digits, radix) = match text.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&text[2..], 16),
            [b'0', _, ..] => (&text[1..], 8),
            _ => (text, 10),
        };
        // The parser itself would take a sign.
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let parts: Vec<u32> = host.split('.').map(number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) {
        return None;
    }
    let left = 8 * (4 - first.len());
    let rest = u64::from(*last);
    if rest >> left != 0 {
        return None;
    }
    let high = first.iter().enumerate().fold(0, |sum, (index, part)| sum | part << (24 - 8 * index));
    Some(Ipv4Addr::from_bits(high | last))
}

/// Whether it is a name of this machine.
pub(in crate::edge) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// The metadata services that are not on link-local addresses: Alibaba's, Oracle's older one, and Amazon's over IPv6.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What is special about an address; `None`: nothing.
pub(in crate::edge) fn kind_of(address: IpAddr) -> Option<AddressKind> {
    if METADATA.contains(&address) {
        return Some(AddressKind::LinkLocal);
    }
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            [0 | 127, ..] => Some(AddressKind::Loopback),
            [169, 254, ..] => Some(AddressKind::LinkLocal),
            [224..=239, ..] | [255, 255, 255, 255] => Some(AddressKind::Multicast),
            _ => None,
        },
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => Some(AddressKind::Loopback),
        IpAddr::V6(v6) if v6.is_multicast() => Some(AddressKind::Multicast),
        // With the site-local addresses of old, which were meant for the same.
        IpAddr::V6(v6) if matches!(v6.segments()[0], 0xfe80..=0xfeff) => Some(AddressKind::LinkLocal),
        IpAddr::V6(v6) => embedded(v6).and_then(|v4| kind_of(IpAddr::V4(v4))),
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, behind NAT64, or by 6to4.
pub(in crate::edge) fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(bits(high, low)),
        [0x2002, high, low, ..] => Some(bits(high, low)),
        _ => None,
    }
}
