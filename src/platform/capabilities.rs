//! What a version of the platform can do. No other file compares versions.

use std::fmt;

use crate::{model::cluster::Version, platform::problem::PlatformProblem};

/// The versions whose charts were read and whose answers were recorded: for each line the newest patch release.
const KNOWN: [Version; 3] = [version(4, 6), version(5, 4), version(6, 2)];

/// What a version of the platform can do.
///
/// Sources are the charts of `cozystack/cozystack` at the tags v1.4.0 to v1.6.2; each field names its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version that was asked for.
    pub version: Version,
    /// Whether the behaviour of this very version is known. If not, the newest known behaviour is assumed.
    pub is_known: bool,
    /// The Flux that the platform brings.
    pub flux: FluxLine,
    /// Whether `publishing.proxyProtocol` reaches the host's ingress controller. On v1.4 the keys go into a component
    /// that is never installed, and are dropped.
    pub host_nginx_accepts_proxy: bool,
    /// Whether the platform's own `Package/cozystack.ouroboros` has `spec.components`, with the right proxy target. Before
    /// that the proxy dials a Service that does not exist on the host.
    pub host_package_has_target: bool,
    /// The chart and image of ouroboros that the platform brings.
    pub ouroboros: &'static str,
    /// The image of the uninstall hook in that chart: a tag, no digest.
    pub cleanup_hook_image: &'static str,
    /// Whether an Ingress module of a tenant has its own `proxyProtocol` key.
    pub tenant_proxy_protocol_module: bool,
    /// Whether the tenant's `HelmRelease` has `upgrade.force` and waits for its parent. Flux 2.8 rejects the first and
    /// deadlocks on the second, so both are gone since.
    pub tenant_release_forces_upgrade: bool,
    /// Whether the platform has the Gateway API mode, `gateway.enabled`.
    pub gateway_mode: bool,
    /// Whether the `PackageSource` kind has `healthCheckExprs` and `waitStrategy`.
    pub health_check_exprs: bool,
    /// Whether a partial `Package` beside the platform's own is a way to deliver to the host: Flux must merge by field.
    pub host_overlay: bool,
    /// Whether the add-on is how tenants are served unless said otherwise. Before v1.6 Flux cannot apply the tenant's
    /// object by server-side apply reliably.
    pub tenant_addon_by_default: bool,
}

/// A line of Flux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FluxLine {
    /// Helm 3, client-side apply.
    V2_7,
    /// Helm 4, server-side apply.
    V2_8,
}

impl Capabilities {
    /// Reads what a version can do.
    ///
    /// # Errors
    ///
    /// A version before v1.4.0 has no `publishing.proxyProtocol`, so there is nothing to follow.
    pub fn of(version: Version) -> Result<Self, PlatformProblem> {
        if version < self::version(4, 0) {
            return Err(PlatformProblem::UnsupportedVersion(version));
        }
        let since = |minor, patch| version >= self::version(minor, patch);
        let (ouroboros, cleanup_hook_image) = if since(6, 0) {
            ("0.8.1", "mirror.gcr.io/alpine/kubectl:1.36.1")
        } else if since(4, 3) {
            ("0.8.0", "mirror.gcr.io/alpine/kubectl:1.36.0")
        } else {
            ("0.7.2", "docker.io/alpine/kubectl:1.36.0")
        };
        Ok(Self {
            version,
            is_known: KNOWN.iter().any(|newest| {
                (newest.major, newest.minor) == (version.major, version.minor) && version.patch <= newest.patch
            }),
            flux: if since(5, 0) { FluxLine::V2_8 } else { FluxLine::V2_7 },
            host_nginx_accepts_proxy: since(5, 0),
            host_package_has_target: since(4, 3),
            ouroboros,
            cleanup_hook_image,
            tenant_proxy_protocol_module: since(5, 0),
            tenant_release_forces_upgrade: !since(5, 0),
            gateway_mode: since(5, 0),
            health_check_exprs: since(6, 0),
            host_overlay: since(5, 0),
            tenant_addon_by_default: since(6, 0),
        })
    }

    /// Whether this version belongs to a span.
    pub fn has(&self, span: Span) -> bool {
        match span {
            Span::Always => true,
            Span::V1_4_1To6 => self.version >= version(4, 1) && self.version < version(5, 0),
            Span::SinceV1_5 => self.version >= version(5, 0),
            Span::SinceV1_6 => self.version >= version(6, 0),
        }
    }

    /// The newest version whose behaviour is known.
    pub fn newest_known() -> Version {
        KNOWN[KNOWN.len() - 1]
    }
}

/// The versions in which a key of the platform's values has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// In every version that is supported.
    Always,
    /// From v1.4.1 to v1.4.6.
    V1_4_1To6,
    /// Since v1.5.0.
    SinceV1_5,
    /// Since v1.6.0.
    SinceV1_6,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "every version",
            Self::V1_4_1To6 => "v1.4.1 to v1.4.6",
            Self::SinceV1_5 => "v1.5.0 and newer",
            Self::SinceV1_6 => "v1.6.0 and newer",
        })
    }
}

const fn version(minor: u32, patch: u32) -> Version {
    Version { major: 1, minor, patch }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &str) -> Capabilities {
        Capabilities::of(text.parse().expect("a literal that parses")).expect("a supported version")
    }

    /// One row of the version table: its name, how it is read, and its value on v1.4.0, v1.4.1–2, v1.4.3–6, v1.5 and v1.6.
    type Row = (&'static str, fn(&Capabilities) -> String, [&'static str; 5]);

    const ROWS: [Row; 16] = [
        (
            "nginx accepts PROXY",
            |c| c.host_nginx_accepts_proxy.to_string(),
            ["false", "false", "false", "true", "true"],
        ),
        ("proxy target", |c| c.host_package_has_target.to_string(), ["false", "false", "true", "true", "true"]),
        ("chart", |c| c.ouroboros.to_owned(), ["0.7.2", "0.7.2", "0.8.0", "0.8.0", "0.8.1"]),
        (
            "hook image",
            |c| c.cleanup_hook_image.to_owned(),
            [
                "docker.io/alpine/kubectl:1.36.0",
                "docker.io/alpine/kubectl:1.36.0",
                "mirror.gcr.io/alpine/kubectl:1.36.0",
                "mirror.gcr.io/alpine/kubectl:1.36.0",
                "mirror.gcr.io/alpine/kubectl:1.36.1",
            ],
        ),
        ("exposure key", |c| c.has(Span::V1_4_1To6).to_string(), ["false", "true", "true", "false", "false"]),
        ("v1.5 keys", |c| c.has(Span::SinceV1_5).to_string(), ["false", "false", "false", "true", "true"]),
        ("v1.6 keys", |c| c.has(Span::SinceV1_6).to_string(), ["false", "false", "false", "false", "true"]),
        ("old keys", |c| c.has(Span::Always).to_string(), ["true"; 5]),
        ("tenant module", |c| c.tenant_proxy_protocol_module.to_string(), ["false", "false", "false", "true", "true"]),
        ("force", |c| c.tenant_release_forces_upgrade.to_string(), ["true", "true", "true", "false", "false"]),
        ("gateway", |c| c.gateway_mode.to_string(), ["false", "false", "false", "true", "true"]),
        ("flux", |c| format!("{:?}", c.flux), ["V2_7", "V2_7", "V2_7", "V2_8", "V2_8"]),
        ("health checks", |c| c.health_check_exprs.to_string(), ["false", "false", "false", "false", "true"]),
        ("overlay", |c| c.host_overlay.to_string(), ["false", "false", "false", "true", "true"]),
        ("add-on", |c| c.tenant_addon_by_default.to_string(), ["false", "false", "false", "false", "true"]),
        ("known", |c| c.is_known.to_string(), ["true"; 5]),
    ];

    #[test]
    fn every_row_of_the_version_table_holds_for_every_version() {
        let columns: [&[&str]; 5] = [
            &["v1.4.0"],
            &["v1.4.1", "v1.4.2"],
            &["v1.4.3", "v1.4.4", "v1.4.5", "v1.4.6"],
            &["v1.5.0", "v1.5.1", "v1.5.2", "v1.5.3", "v1.5.4"],
            &["v1.6.0", "v1.6.1", "v1.6.2"],
        ];
        for (name, read, wanted) in ROWS {
            for (versions, wanted) in columns.iter().zip(wanted) {
                for text in *versions {
                    assert_eq!(read(&capabilities(text)), wanted, "{name} of {text}");
                }
            }
        }
    }

    #[test]
    fn what_is_newer_than_all_that_is_known_behaves_as_the_newest_of_its_line() {
        for (unknown, newest) in [
            ("v1.4.7", "v1.4.6"),
            ("v1.5.5", "v1.5.4"),
            ("v1.6.3", "v1.6.2"),
            ("v1.7.0", "v1.6.2"),
            ("v2.0.0", "v1.6.2"),
        ] {
            let unknown = capabilities(unknown);
            let newest = Capabilities { version: unknown.version, is_known: false, ..capabilities(newest) };
            assert_eq!(unknown, newest);
        }
    }

    #[test]
    fn what_is_older_than_the_oldest_known_is_refused() {
        for text in ["v1.3.9", "v0.41.0", "v1.0.0"] {
            let version = text.parse().expect("a literal that parses");
            assert_eq!(Capabilities::of(version), Err(PlatformProblem::UnsupportedVersion(version)));
        }
    }
}
