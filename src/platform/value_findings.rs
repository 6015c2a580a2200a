//! What a person should know about the platform's values.

use crate::{
    model::finding::{Finding, Severity},
    platform::{
        capabilities::{Capabilities, Span},
        keys::unknown_keys,
        values::PlatformValues,
    },
};

/// Tells what will not work as it looks. The guard is not here: see [`crate::platform::host::emits`].
pub(crate) fn value_findings(values: &PlatformValues, variant_assumed: bool) -> Vec<Finding> {
    let version = values.capabilities().version;
    let mut findings = Vec::new();
    let mut add = |severity, rule, subject: &str, message: String, fix: &str| {
        let (subject, fix) = (subject.to_owned(), Some(fix.to_owned()));
        findings.push(Finding { severity, rule, subject, message, fix, host: None });
    };
    if !values.capabilities().is_known {
        add(
            Severity::Warning,
            "UnknownPlatformVersion",
            "spec.platform.version",
            format!(
                "Nobody has looked at cozystack {version} yet: the behaviour of the newest known version, {} or the \
                 newest patch release before it in the same line, is assumed.",
                Capabilities::newest_known()
            ),
            "Compare the plan with what the cluster does, or use a newer release of this program.",
        );
    }
    if variant_assumed {
        add(
            Severity::Info,
            "PlatformVariantAssumed",
            "bundles.system.variant",
            "Plain values do not say which variant of the platform they belong to: `isp-full` is assumed.".to_owned(),
            "Write the platform's whole Package, or `bundles.system.variant`.",
        );
    }
    if values.proxy_protocol() {
        proxy_findings(values, &mut add);
    }
    if values.capabilities().has(Span::V1_4_1To6) {
        let exposure = values.text("publishing.exposure", "externalIPs").unwrap_or_default();
        if !matches!(exposure, "" | "externalIPs" | "loadBalancer") {
            add(
                Severity::Error,
                "ExposureRefused",
                "publishing.exposure",
                format!("`{}` is no way to expose the host's ingress: its chart stops.", exposure.escape_debug()),
                "Write `externalIPs` or `loadBalancer`.",
            );
        } else if exposure == "loadBalancer" && values.external_ips().is_empty() {
            add(
                Severity::Error,
                "ExposureRefused",
                "publishing.exposure",
                "`loadBalancer` without `publishing.externalIPs`: the chart of the host's ingress stops.".to_owned(),
                "List the addresses in `publishing.externalIPs`.",
            );
        }
    }
    findings.extend(unknown_keys(values.capabilities(), values.written()));
    findings
}

/// What is wrong with PROXY protocol being on.
fn proxy_findings(values: &PlatformValues, add: &mut impl FnMut(Severity, &'static str, &str, String, &str)) {
    const KEY: &str = "publishing.proxyProtocol";
    let version = values.capabilities().version;
    if !values.system_enabled() {
        add(
            Severity::Warning,
            "ProxyProtocolWithoutSystemBundle",
            KEY,
            format!(
                "The system bundle is off in variant `{}`: the platform installs neither ouroboros nor an ingress \
                 controller on the host, and none of its guards runs.",
                values.variant().as_str()
            ),
            "Remove the key, or bring the host's ingress controller and describe the platform as generic.",
        );
    } else if !values.capabilities().host_nginx_accepts_proxy {
        let harm = if values.capabilities().host_package_has_target {
            "ouroboros sends PROXY headers to an ingress controller that rejects them"
        } else {
            "ouroboros dials a Service that does not exist on the host and never becomes ready"
        };
        add(
            Severity::Error,
            "ProxyProtocolUnsupportedByPlatform",
            KEY,
            format!("On {version} the host's ingress controller is never told to expect PROXY headers, and {harm}."),
            "Upgrade the platform to v1.5.0 or newer; until then keep PROXY protocol off.",
        );
    } else if !values.nginx_expects_proxy() {
        add(
            Severity::Error,
            "ProxyProtocolNotTrue",
            KEY,
            format!(
                "`{}` counts as true where ouroboros is installed, but the host's ingress controller expects PROXY \
                 headers only when it is written `true`.",
                values.switch_text(KEY).escape_debug()
            ),
            "Write `true` or `false`, without quotes.",
        );
    }
    if values.gateway_enabled() {
        add(
            Severity::Warning,
            "GatewayModeWithProxyProtocol",
            "gateway.enabled",
            "In gateway mode the platform's own Ingresses are replaced by routes, which the ouroboros of the host does \
             not read: their names lose the fix."
                .to_owned(),
            "Switch one of the two off, or name the hosts of the routes in Git with the static engine.",
        );
    }
}
#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn findings(version: &str, variant: &str, values: Value) -> Vec<Finding> {
        let version = version.parse().expect("a literal that parses");
        PlatformValues::new(version, Some(variant), values).expect("lawful values").1
    }

    #[test]
    fn findings_name_what_will_not_work_as_it_looks() {
        let on = || json!({"publishing": {"proxyProtocol": true}});
        let with = |key: &str, value: Value| {
            let mut values = on();
            values["publishing"][key] = value;
            values
        };
        let proxy = "publishing.proxyProtocol";
        let exposure = "publishing.exposure";
        let gateway = json!({"publishing": {"proxyProtocol": true}, "gateway": {"enabled": true}});
        for (text, variant, values, wanted) in [
            ("v1.6.2", "isp-full", on(), vec![]),
            ("v1.5.0", "isp-full", on(), vec![]),
            ("v1.6.2", "isp-hosted", json!({}), vec![]),
            ("v1.6.2", "isp-hosted", on(), vec![("ProxyProtocolWithoutSystemBundle", proxy)]),
            ("v1.4.6", "isp-hosted", on(), vec![("ProxyProtocolWithoutSystemBundle", proxy)]),
            ("v1.6.2", "default", on(), vec![("ProxyProtocolWithoutSystemBundle", proxy)]),
            ("v1.4.0", "isp-full", on(), vec![("ProxyProtocolUnsupportedByPlatform", proxy)]),
            ("v1.4.6", "isp-full", on(), vec![("ProxyProtocolUnsupportedByPlatform", proxy)]),
            ("v1.4.6", "isp-full", json!({"publishing": {"proxyProtocol": ""}}), vec![]),
            ("v1.6.2", "isp-full", with("proxyProtocol", json!("true")), vec![]),
            ("v1.6.2", "isp-full", with("proxyProtocol", json!("false")), vec![("ProxyProtocolNotTrue", proxy)]),
            ("v1.6.2", "isp-full", with("proxyProtocol", json!(1)), vec![("ProxyProtocolNotTrue", proxy)]),
            (
                "v1.4.6",
                "isp-full",
                gateway.clone(),
                vec![("ProxyProtocolUnsupportedByPlatform", proxy), ("UnknownPlatformKey", "gateway")],
            ),
            ("v1.6.2", "isp-full", gateway, vec![("GatewayModeWithProxyProtocol", "gateway.enabled")]),
            ("v1.6.2", "isp-full", json!({"gateway": {"enabled": true}}), vec![]),
            ("v1.7.0", "isp-full", on(), vec![("UnknownPlatformVersion", "spec.platform.version")]),
            ("v1.4.7", "isp-full", json!({}), vec![("UnknownPlatformVersion", "spec.platform.version")]),
            ("v1.5.0", "isp-full", with("exposure", json!("loadBalancer")), vec![("UnknownPlatformKey", exposure)]),
            ("v1.4.0", "isp-full", json!({"publishing": {"exposure": "x"}}), vec![("UnknownPlatformKey", exposure)]),
            ("v1.4.1", "isp-full", json!({"publishing": {"exposure": "x"}}), vec![("ExposureRefused", exposure)]),
            (
                "v1.4.6",
                "isp-full",
                json!({"publishing": {"exposure": "loadBalancer"}}),
                vec![("ExposureRefused", exposure)],
            ),
            (
                "v1.4.6",
                "isp-full",
                json!({"publishing": {"exposure": "loadBalancer", "externalIPs": ["203.0.113.4"]}}),
                vec![],
            ),
            ("v1.4.6", "isp-full", json!({"publishing": {"exposure": "externalIPs"}}), vec![]),
        ] {
            let wanted: Vec<_> =
                wanted.into_iter().map(|(rule, subject): (_, &str)| (rule, subject.to_owned())).collect();
            let found: Vec<_> = findings(text, variant, values.clone())
                .into_iter()
                .map(|finding| (finding.rule, finding.subject))
                .collect();
            assert_eq!(found, wanted, "{text} {variant} {values}");
        }
    }

    #[test]
    fn the_harm_of_an_old_version_is_told_apart() {
        let message = |text| {
            let values = json!({"publishing": {"proxyProtocol": true}});
            findings(text, "isp-full", values).remove(0).message
        };
        assert!(message("v1.4.2").contains("dials a Service that does not exist"));
        assert!(message("v1.4.3").contains("sends PROXY headers to an ingress controller that rejects them"));
    }
}
