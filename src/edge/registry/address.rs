//! Which addresses a registry may send this program to.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use crate::edge::kube::kubeconfig::server::{AddressKind, embedded, is_localhost, kind_of};

/// What is let through besides public addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reach {
    /// Private and cluster networks.
    pub(super) private: bool,
    /// This machine.
    pub(super) loopback: bool,
}

/// A connection that was not made, because all addresses of the name are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` leads to {address}, {kind}, {}", host.escape_debug(), kind.remedy())]
pub(super) struct AddressRefused {
    host: String,
    address: IpAddr,
    kind: Kind,
}

/// What an address is, when it is not a public one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Private,
    Loopback,
    LinkLocal,
    Unspecified,
    Multicast,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "an address of a private network",
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Unspecified => "the unspecified address",
            Self::Multicast => "a multicast or reserved address",
        })
    }
}

impl Kind {
    fn remedy(self) -> &'static str {
        match self {
            Self::Private | Self::Loopback => "where only a registry is looked for that is set as private",
            Self::LinkLocal | Self::Unspecified | Self::Multicast => "where no registry is ever looked for",
        }
    }
}

impl Reach {
    /// Looks at a host that is written as an address. Names are looked at when they are resolved.
    pub(super) fn check(self, url: &Url) -> Result<(), AddressRefused> {
        match literal(url).and_then(|address| Some((address, self.refuses(address)?))) {
            Some((address, kind)) => {
                Err(AddressRefused { host: url.host_str().unwrap_or_default().to_owned(), address, kind })
            }
            None => Ok(()),
        }
    }

    /// The addresses of a name that may be connected to.
    fn filter(self, host: &str, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, AddressRefused> {
        let refused = found.iter().find_map(|address| Some((*address, self.refuses(*address)?)));
        let good: Vec<_> = found.into_iter().filter(|address| self.refuses(*address).is_none()).collect();
        match refused {
            Some((address, kind)) if good.is_empty() => Err(AddressRefused { host: host.to_owned(), address, kind }),
            _ => Ok(good),
        }
    }

    fn refuses(self, address: IpAddr) -> Option<Kind> {
        Kind::of(address).filter(|kind| match kind {
            Kind::Private => !self.private,
            Kind::Loopback => !self.loopback,
            Kind::LinkLocal | Kind::Unspecified | Kind::Multicast => true,
        })
    }
}

impl Kind {
    fn of(address: IpAddr) -> Option<Self> {
        if address.is_unspecified() {
            return Some(Self::Unspecified);
        }
        match (kind_of(address), address) {
            (Some(AddressKind::LinkLocal), _) => Some(Self::LinkLocal),
            (Some(AddressKind::Multicast), _) => Some(Self::Multicast),
            (_, IpAddr::V4(v4)) => match v4.octets() {
                [0, ..] => Some(Self::Unspecified),
                [127, ..] => Some(Self::Loopback),
                [240..=255, ..] => Some(Self::Multicast),
                [10, ..]
                | [172, 16..=31, ..]
                | [192, 168, ..]
                | [100, 64..=127, ..]
                | [192, 0, 0, _]
                | [198, 18 | 19, ..] => Some(Self::Private),
                _ => None,
            },
            (_, IpAddr::V6(v6)) if v6.is_loopback() => Some(Self::Loopback),
            (_, IpAddr::V6(v6)) if v6.segments()[0] & 0xfe00 == 0xfc00 => Some(Self::Private),
            (_, IpAddr::V6(v6)) => embedded(v6).and_then(|v4| Self::of(IpAddr::V4(v4))),
        }
    }
}

/// Whether a host is written as this machine.
pub(super) fn is_written_loopback(url: &Url) -> bool {
    match literal(url) {
        Some(address) => Kind::of(address) == Some(Kind::Loopback),
        None => url.host_str().is_some_and(is_localhost),
    }
}

/// The address that a host is. Every spelling that a resolver would take for one is the plain one here already.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Resolves names, and lets no address through that is out of reach.
pub(super) struct Guard {
    reach: Reach,
    /// Proxies of the environment, which may be anywhere.
    proxies: BTreeSet<String>,
}

impl Guard {
    pub(super) fn new(reach: Reach) -> Self {
        let matcher = Matcher::from_env();
        let proxies = ["http://registry.invalid/", "https://registry.invalid/"]
            .into_iter()
            .filter_map(|url| Some(matcher.intercept(&url.parse().ok()?)?.uri().host()?.to_owned()));
        Self { reach, proxies: proxies.collect() }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let reach = if self.proxies.contains(&host) { None } else { Some(self.reach) };
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?.map(|found| found.ip()).collect();
            let good = match reach {
                Some(reach) => reach.filter(&host, found)?,
                None => found,
            };
            // The port is that of the address that is asked for.
            Ok(Box::new(good.into_iter().map(|address| (address, 0_u16).into())) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
