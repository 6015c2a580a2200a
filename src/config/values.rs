//! The small grammars of configuration values.
//!
//! What may hold a password by mistake (a URL, a registry) is never repeated in a message.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    hostname::{Hostname, HostnameError, Standing},
    name::{Name, NameError},
    tree::RepoPath,
};

/// Why a value is not what its key needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ValueError {
    #[error(transparent)]
    Name(NameError),
    #[error("`{}` is not a namespace: at most 63 lower-case letters, digits and `-`", .0.escape_debug())]
    Namespace(String),
    #[error("`{}` is not a host name: {reason}", .text.escape_debug())]
    Hostname { text: String, reason: HostnameError },
    #[error("`{}` is not a DNS domain such as `cluster.local`, in lower case and without a final dot", .0.escape_debug())]
    Domain(String),
    #[error("`{}` is not an address range such as `10.0.0.0/8` or `2001:db8::/32`", .0.escape_debug())]
    Cidr(String),
    #[error("`{0}` is not the first address of its range, which is `{1}`")]
    CidrHost(String, String),
    #[error("`{}` is not a duration such as `72h`, `10m`, `30s` or `1h30m`", .0.escape_debug())]
    Duration(String),
    #[error("`{}` is not a share from `0%` to `100%`", .0.escape_debug())]
    Percent(String),
    #[error("`{}` is not a point in time such as `2026-01-31T12:00:00Z`", .0.escape_debug())]
    Timestamp(String),
    #[error(
        "this is not a registry, or a registry and a path, such as `ghcr.io/lexfrei`: no scheme, tag, digest or user"
    )]
    Registry,
    #[error("this is not a repository such as `ghcr.io/lexfrei/ouroboros`: no scheme, tag, digest or user")]
    Repository,
    #[error("this is not the repository of a chart such as `oci://ghcr.io/lexfrei/charts/ouroboros`")]
    ChartRepository,
    #[error("`{}` is not a tag", .0.escape_debug())]
    Tag(String),
    #[error("`{}` is not the version of a chart such as `0.8.1`", .0.escape_debug())]
    ChartVersion(String),
    #[error("`{}` is not a platform such as `linux/amd64`", .0.escape_debug())]
    ImagePlatform(String),
    #[error("`{}` is not a file of the cluster's folder such as `platform.yaml`", .0.escape_debug())]
    File(String),
    #[error("`{0}` is a file that bobbypin reads or writes for another purpose")]
    OwnFile(String),
    #[error("`{}` is not a UID such as `0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10`", .0.escape_debug())]
    Uid(String),
    #[error("`{}` is not the key of a Secret: letters, digits, `-`, `_` and `.`", .0.escape_debug())]
    SecretKey(String),
    #[error("`{}` is not a label selector such as `example.org/tenant=yes`", .0.escape_debug())]
    LabelSelector(String),
    #[error("`{0}` is a public suffix: names below it are registered by strangers, so nobody is given all of them")]
    PublicSuffix(Hostname),
    #[error("this is empty")]
    Empty,
}

pub(super) fn name(text: &str) -> Result<Name, ValueError> {
    Name::parse(text).map_err(ValueError::Name)
}

/// A namespace is a label, not a subdomain.
pub(super) fn namespace(text: &str) -> Result<Name, ValueError> {
    if text.contains('.') || text.len() > 63 {
        return Err(ValueError::Namespace(text.to_owned()));
    }
    name(text)
}

pub(super) fn hostname(text: &str) -> Result<Hostname, ValueError> {
    Hostname::parse(text).map_err(|reason| ValueError::Hostname { text: text.to_owned(), reason })
}

/// A name that somebody is given with all names below it.
pub(super) fn delegated(text: &str) -> Result<Hostname, ValueError> {
    let suffix = hostname(text)?;
    if suffix.standing() == Standing::PublicSuffix { Err(ValueError::PublicSuffix(suffix)) } else { Ok(suffix) }
}

/// A domain of DNS inside a cluster; unlike a public name it may have one label.
pub(super) fn domain(text: &str) -> Result<String, ValueError> {
    let short = text.split('.').all(|label| label.len() <= 63);
    if short && Name::parse(text).is_ok() { Ok(text.to_owned()) } else { Err(ValueError::Domain(text.to_owned())) }
}

/// An address and the length of its prefix. A range that does not begin at the address is refused: nginx only warns of
/// it, and one of the two numbers is a mistake.
pub(super) fn cidr(text: &str) -> Result<String, ValueError> {
    let wrong = || ValueError::Cidr(text.to_owned());
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = number(prefix).filter(|&prefix| prefix <= width).ok_or_else(wrong)?;
    let first = first_address(address, prefix);
    if first == address {
        Ok(text.to_owned())
    } else {
        Err(ValueError::CidrHost(text.to_owned(), format!("{first}/{prefix}")))
    }
}

fn first_address(address: IpAddr, prefix: u32) -> IpAddr {
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            IpAddr::V4((four.to_bits() & mask).into())
        }
        IpAddr::V6(six) => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            IpAddr::V6((six.to_bits() & mask).into())
        }
    }
}

/// Digits only, without needless zeros.
fn number(text: &str) -> Option<u32> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    plain.then(|| text.parse().ok()).flatten()
}

/// Hours, minutes and seconds in this order, each at most once and at least one of them.
pub(super) fn duration(text: &str) -> Result<SignedDuration, ValueError> {
    let wrong = || ValueError::Duration(text.to_owned());
    let mut rest = text;
    let mut seconds = 0_i64;
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((count, after)) = rest.split_once(unit) {
            let count = number(count).ok_or_else(wrong)?;
            seconds += i64::from(count) * length;
            rest = after;
        }
    }
    if rest.is_empty() && !text.is_empty() { Ok(SignedDuration::from_secs(seconds)) } else { Err(wrong()) }
}

pub(super) fn percent(text: &str) -> Result<u8, ValueError> {
    let share = text.strip_suffix('%').and_then(number).filter(|&share| share <= 100);
    share.and_then(|share| u8::try_from(share).ok()).ok_or_else(|| ValueError::Percent(text.to_owned()))
}

pub(super) fn timestamp(text: &str) -> Result<Timestamp, ValueError> {
    text.parse().map_err(|_| ValueError::Timestamp(text.to_owned()))
}

/// A registry's host and port, and maybe a path.
pub(super) fn registry(text: &str) -> Result<String, ValueError> {
    if is_registry(text) { Ok(text.to_owned()) } else { Err(ValueError::Registry) }
}

/// A registry and a path: nothing is added to a short name, since tools disagree about what it means.
pub(super) fn repository(text: &str) -> Result<String, ValueError> {
    if text.contains('/') && is_registry(text) { Ok(text.to_owned()) } else { Err(ValueError::Repository) }
}

/// A repository with `oci://` before it, which is left out of the result.
pub(super) fn chart_repository(text: &str) -> Result<String, ValueError> {
    let rest = text.strip_prefix("oci://").ok_or(ValueError::ChartRepository)?;
    repository(rest).map_err(|_| ValueError::ChartRepository)
}

/// The grammar of `name` in the OCI distribution specification, after a host that cannot be taken for a path.
fn is_registry(text: &str) -> bool {
    let mut parts = text.split('/');
    let authority = parts.next().unwrap_or_default();
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let known = host == "localhost" || host.contains('.') || port.is_some();
    let port = port.is_none_or(|port| number(port).is_some_and(|port| (1..=65535).contains(&port)));
    known && port && Name::parse(host).is_ok() && parts.all(is_path_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separators = text.split(alphanumeric).filter(|run| !run.is_empty());
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && separators.all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

/// The grammar of a tag in the OCI distribution specification.
pub(super) fn tag(text: &str) -> Result<String, ValueError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = text.bytes().next().is_some_and(word);
    if first && text.len() <= 128 && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-') {
        Ok(text.to_owned())
    } else {
        Err(ValueError::Tag(text.to_owned()))
    }
}

/// A semantic version that is a tag too, so without build metadata.
pub(super) fn chart_version(text: &str) -> Result<String, ValueError> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let (numbers, pre_release) = bare.split_once('-').map_or((bare, None), |(numbers, pre)| (numbers, Some(pre)));
    let identifier =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let lawful = numbers.split('.').count() == 3
        && numbers.split('.').all(|part| number(part).is_some())
        && pre_release.is_none_or(|pre| pre.split('.').all(identifier));
    if lawful && tag(text).is_ok() { Ok(text.to_owned()) } else { Err(ValueError::ChartVersion(text.to_owned())) }
}

/// Operating system, architecture and maybe a variant.
pub(super) fn image_platform(text: &str) -> Result<String, ValueError> {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if (2..=3).contains(&text.split('/').count()) && text.split('/').all(word) {
        Ok(text.to_owned())
    } else {
        Err(ValueError::ImagePlatform(text.to_owned()))
    }
}

/// A relative path that does not leave the cluster's folder and is none of the files with a purpose of their own.
pub(super) fn file(text: &str) -> Result<String, ValueError> {
    RepoPath::parse(text).map_err(|_| ValueError::File(text.to_owned()))?;
    let first = text.split('/').next().unwrap_or_default();
    let own = ["cluster.yaml", "pins.yaml", "state.yaml", "kustomization.yaml"].contains(&text)
        || ["manifests", "templates"].contains(&first);
    if own { Err(ValueError::OwnFile(text.to_owned())) } else { Ok(text.to_owned()) }
}

/// To Kubernetes a UID is any text; all that its API servers make are made of these characters.
pub(super) fn uid(text: &str) -> Result<String, ValueError> {
    let lawful = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=128).contains(&text.len()) && text.bytes().all(lawful) {
        Ok(text.to_owned())
    } else {
        Err(ValueError::Uid(text.to_owned()))
    }
}

/// Source: `IsConfigMapKey` in k8s.io/apimachinery, which holds for Secrets too.
pub(super) fn secret_key(text: &str) -> Result<String, ValueError> {
    let lawful = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=253).contains(&text.len()) && text.bytes().all(lawful) && text != "." && !text.starts_with("..") {
        Ok(text.to_owned())
    } else {
        Err(ValueError::SecretKey(text.to_owned()))
    }
}

/// A label selector of the API that selects something. What it means is the API server's to say; here it must only hold a
/// label, and nothing that no selector holds.
pub(super) fn label_selector(text: &str) -> Result<String, ValueError> {
    let lawful = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=!,() ".contains(&byte);
    if text.bytes().any(|byte| byte.is_ascii_alphanumeric()) && text.len() <= 1024 && text.bytes().all(lawful) {
        Ok(text.to_owned())
    } else {
        Err(ValueError::LabelSelector(text.to_owned()))
    }
}

/// Words of a person: anything but nothing.
pub(super) fn words(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() { Err(ValueError::Empty) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of texts that one grammar takes, and of texts that it refuses.
    fn check<T: std::fmt::Debug>(parse: fn(&str) -> Result<T, ValueError>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(parse(text).is_ok(), "{text:?}: {:?}", parse(text));
        }
        for text in bad {
            assert!(parse(text).is_err(), "{text:?}: {:?}", parse(text));
        }
    }

    #[test]
    fn a_duration_is_hours_minutes_and_seconds_in_order() {
        for (text, seconds) in
            [("72h", 259_200), ("10m", 600), ("30s", 30), ("1h30m", 5400), ("1h0m1s", 3601), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
        check(
            duration,
            &["4294967295h4294967295m4294967295s"],
            &[
                "",
                "h",
                "1",
                "1d",
                "-1h",
                "+1h",
                "1.5h",
                "1 h",
                " 1h",
                "1h ",
                "30m1h",
                "1h1h",
                "01h",
                "1H",
                "99999999999h",
                "1ms",
            ],
        );
    }

    #[test]
    fn a_share_is_a_whole_percentage() {
        for (text, share) in [("0%", 0), ("20%", 20), ("100%", 100)] {
            assert_eq!(percent(text), Ok(share));
        }
        check(percent, &[], &["", "%", "20", "101%", "-1%", "2.5%", "020%", "20 %", "20%%", "256%"]);
    }

    #[test]
    fn an_address_range_begins_at_its_address() {
        check(
            cidr,
            &["10.0.0.0/8", "0.0.0.0/0", "192.0.2.7/32", "2001:db8::/32", "::/0", "::1/128"],
            &[
                "",
                "10.0.0.0",
                "10.0.0.0/33",
                "10.0.0.0/08",
                "10.0.0.0/+8",
                "10.0.0/8",
                "010.0.0.0/8",
                "::/129",
                "a/8",
                "10.0.0.0/",
            ],
        );
        for (text, range) in
            [("10.1.0.0/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32"), ("10.0.0.1/0", "0.0.0.0/0")]
        {
            assert_eq!(cidr(text), Err(ValueError::CidrHost(text.to_owned(), range.to_owned())));
        }
    }

    #[test]
    fn a_repository_has_a_registry_and_a_path_and_nothing_more() {
        let both = [
            "ghcr.io/lexfrei/ouroboros",
            "localhost/a",
            "registry:5000/a",
            "registry.example.org:5000/a-b/c__d/e.f--g",
        ];
        check(
            repository,
            &both,
            &[
                "",
                "ghcr.io",
                "lexfrei/ouroboros",
                "ghcr.io/",
                "ghcr.io/a:1",
                "ghcr.io/a@sha256:00",
                "oci://ghcr.io/a",
                "https://ghcr.io/a",
                "user@ghcr.io/a",
                "user:password@ghcr.io/a",
                "ghcr.io/A",
                "GHCR.io/a",
                "ghcr.io/a//b",
                "ghcr.io/a___b",
                "ghcr.io/a_-b",
                "ghcr.io/-a",
                "ghcr.io/a.",
                "ghcr.io:0/a",
                "ghcr.io:65536/a",
                "ghcr.io:/a",
                "ghcr.io/a b",
                "ghcr.io/../a",
            ],
        );
        check(
            registry,
            &[&both[..], &["ghcr.io", "registry:5000"]].concat(),
            &["", "ghcr", "ghcr.io/", "ghcr.io:443:1/a"],
        );
        assert_eq!(chart_repository("oci://ghcr.io/x/charts/y"), Ok("ghcr.io/x/charts/y".to_owned()));
        check(
            chart_repository,
            &[],
            &["ghcr.io/x/y", "https://ghcr.io/x/y", "oci://", "oci://ghcr.io", "OCI://ghcr.io/x/y"],
        );
    }

    #[test]
    fn other_grammars_take_and_refuse() {
        check(tag, &["0.8.1", "v1", "_a", "A-b.c"], &["", "-a", ".a", "a+b", "a b", "a\n", "ü", &"a".repeat(129)]);
        check(
            chart_version,
            &["0.8.1", "v0.8.1", "0.8.1-rc.1"],
            &["", "0.8", "0.8.1.2", "00.8.1", "0.8.1+b", "0.8.1-", "0.8.x"],
        );
        check(
            image_platform,
            &["linux/amd64", "linux/arm/v7"],
            &["", "linux", "linux/", "/amd64", "Linux/amd64", "a/b/c/d"],
        );
        check(
            file,
            &["platform.yaml", "values/platform.yaml"],
            &[
                "",
                "../platform.yaml",
                "/etc/x",
                "a/../b",
                "a//b",
                "pins.yaml",
                "manifests/x.yaml",
                "templates/x",
                "a\\b",
            ],
        );
        check(uid, &["0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10"], &["", "0f5c…", "a b", "a\n", &"a".repeat(129)]);
        check(secret_key, &["super-admin.svc", "a_b"], &["", ".", "..", "..a", "a/b", "a b", &"a".repeat(254)]);
        check(domain, &["cluster.local", "local"], &["", "cluster.local.", "Cluster.local", &"a".repeat(64)]);
        check(namespace, &["tenant-acme"], &["", "a.b", "A", "a_b", &"a".repeat(64)]);
        check(timestamp, &["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+01:00"], &["", "2026-01-31", "12:00", "now"]);
        check(hostname, &["shop.example.org"], &["*.example.org", "localhost", "10.0.0.1"]);
        check(words, &["a"], &["", " \n"]);
    }

    #[test]
    fn what_may_hold_a_password_is_not_repeated() {
        let secret = "user:hunter2@ghcr.io/a";
        for error in [registry(secret), repository(secret), chart_repository(secret)] {
            assert!(!error.unwrap_err().to_string().contains("hunter2"));
        }
    }
}
