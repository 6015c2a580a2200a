//! The keys of a server block: which zones it serves, on which port.
//!
//! Read from CoreDNS 1.15 (`core/dnsserver/register.go`, `plugin/normalize.go`).

/// What one key of a server block says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// How queries come in: `dns`, `tls`, `quic`, `grpc`, `https`, `https3` or `unix`.
    pub transport: &'static str,
    /// The zone in lower case with its trailing dot; the root is `.`. A network in CIDR form stands as written.
    pub zone: String,
    /// The port; none for a socket without one.
    pub port: Option<u16>,
}

/// The schemes, each with the port that it has unless told.
const TRANSPORTS: [(&str, Option<u16>); 7] = [
    ("tls", Some(853)),
    ("dns", Some(53)),
    ("quic", Some(853)),
    ("grpc", Some(443)),
    ("https3", Some(443)),
    ("https", Some(443)),
    ("unix", None),
];

impl Address {
    /// Reads one key. Nothing for a key that CoreDNS refuses, or whose port is none.
    pub fn parse(key: &str) -> Option<Self> {
        let with_scheme = TRANSPORTS.iter().find_map(|&(transport, port)| {
            let rest = key.strip_prefix(transport)?.strip_prefix("://")?;
            Some((transport, port, rest))
        });
        let (transport, default, rest) = with_scheme.unwrap_or(("dns", Some(53), key));
        if rest.is_empty() || rest.ends_with(':') {
            return None;
        }
        let (zone, port) = match rest.rsplit_once(':') {
            // What is no number is part of the zone, as in an IPv6 network.
            Some((zone, number)) => match number.parse::<i64>() {
                Ok(number) => (zone, Some(u16::try_from(number).ok()?)),
                Err(_) => (rest, default),
            },
            None => (rest, default),
        };
        if zone.len() > 255
            || zone.is_empty()
            || zone != "."
                && zone.strip_suffix('.').unwrap_or(zone).split('.').any(|label| label.is_empty() || label.len() > 63)
        {
            return None;
        }
        let mut zone = zone.to_lowercase();
        if !zone.ends_with('.') && !zone.contains('/') {
            zone.push('.');
        }
        Some(Self { transport, zone, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_scheme_a_zone_and_a_port() {
        for (key, transport, zone, port) in [
            (".:53", "dns", ".", Some(53)),
            (".", "dns", ".", Some(53)),
            ("dns://.:1053", "dns", ".", Some(1053)),
            ("tls://Example.ORG", "tls", "example.org.", Some(853)),
            ("https3://x.", "https3", "x.", Some(443)),
            ("grpc://x:7", "grpc", "x.", Some(7)),
            ("10.0.0.0/24:53", "dns", "10.0.0.0/24", Some(53)),
            ("2001:db8::/32", "dns", "2001:db8::/32", Some(53)),
            ("unix://x", "unix", "x.", None),
        ] {
            assert_eq!(Address::parse(key), Some(Address { transport, zone: zone.to_owned(), port }), "{key}");
        }
        for key in ["dns://", "x:", ".:70000", ".:-1", "a..b", &"a.".repeat(200), &"a".repeat(64)] {
            assert_eq!(Address::parse(key), None, "{key}");
        }
    }
}
