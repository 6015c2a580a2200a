//! The keys of the platform's values, and in which versions each has an effect.
//!
//! The platform's chart has no schema: it ignores a key that it does not know without a word. Source: `values.yaml` of
//! `packages/core/platform` at the tags v1.4.0 to v1.6.2.

use serde_json::Value;

use crate::{
    model::finding::{Finding, Severity},
    platform::{
        capabilities::{Capabilities, Span},
        helm,
    },
};

/// Every key below the sections that are read here, except `certificates.dns01.*`, whose parts nothing here needs.
const KEYS: [(&str, Span); 33] = [
    ("publishing.host", Span::Always),
    ("publishing.ingressName", Span::Always),
    ("publishing.ingressNameAdmin", Span::SinceV1_6),
    ("publishing.exposedServices", Span::Always),
    ("publishing.apiServerEndpoint", Span::Always),
    ("publishing.externalIPs", Span::Always),
    ("publishing.exposure", Span::V1_4_1To6),
    ("publishing.loadBalancerClass", Span::SinceV1_6),
    ("publishing.proxyProtocol", Span::Always),
    ("publishing.proxyProtocolAcknowledgeUnclean", Span::Always),
    ("publishing.certificates", Span::Always),
    ("publishing.certificates.solver", Span::Always),
    ("publishing.certificates.issuerName", Span::Always),
    ("publishing.certificates.wildcardSecretName", Span::SinceV1_5),
    ("publishing.certificates.wildcard", Span::SinceV1_6),
    ("publishing.certificates.dns01", Span::SinceV1_5),
    ("networking.clusterDomain", Span::Always),
    ("networking.podCIDR", Span::Always),
    ("networking.podGateway", Span::Always),
    ("networking.serviceCIDR", Span::Always),
    ("networking.joinCIDR", Span::Always),
    ("networking.kubeovn", Span::Always),
    ("bundles.system", Span::Always),
    ("bundles.iaas", Span::Always),
    ("bundles.paas", Span::Always),
    ("bundles.naas", Span::Always),
    ("bundles.disabledPackages", Span::Always),
    ("bundles.enabledPackages", Span::Always),
    ("publishing", Span::Always),
    ("networking", Span::Always),
    ("bundles", Span::Always),
    ("authentication", Span::Always),
    ("gateway", Span::SinceV1_5),
];

/// The sections whose keys are all in the table.
const SECTIONS: [&str; 4] = ["publishing", "publishing.certificates", "networking", "bundles"];

/// Documented for v1.6 on the platform's website, but in no version's chart.
const NEVER_EXISTED: &str = "publishing.exposureClass";

/// Finds the keys that have no effect in this version.
///
/// At the top level only keys that look like one of the table count: what else stands there is none of our business.
pub fn unknown_keys(capabilities: &Capabilities, values: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in keys_of(values) {
        match known(key) {
            Some(span) if !capabilities.has(span) => findings.push(finding(capabilities, key, Why::Only(span))),
            None if similar_key(key, capabilities).is_some() => findings.push(finding(capabilities, key, Why::Never)),
            Some(_) | None => {}
        }
    }
    for section in SECTIONS {
        let path: Vec<&str> = section.split('.').collect();
        for key in helm::at(values, &path).into_iter().flat_map(keys_of) {
            let key = format!("{section}.{key}");
            match known(&key) {
                Some(span) if capabilities.has(span) => {}
                Some(span) => findings.push(finding(capabilities, &key, Why::Only(span))),
                None => findings.push(finding(capabilities, &key, Why::Never)),
            }
        }
    }
    findings
}

fn keys_of(value: &Value) -> impl Iterator<Item = &str> {
    value.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str))
}

fn known(key: &str) -> Option<Span> {
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, span)| *span)
}

/// The key of the same section that looks most like this one and has an effect in this version.
fn similar_key(key: &str, capabilities: &Capabilities) -> Option<&'static str> {
    let section = |key: &str| key.rsplit_once('.').map_or("", |(section, _)| section).to_owned();
    let siblings: Vec<&'static str> = KEYS
        .iter()
        .filter(|(known, span)| section(known) == section(key) && capabilities.has(*span))
        .map(|(known, _)| *known)
        .collect();
    // Only the last part is compared: the common section would make everything look alike.
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or(key);
    let names: Vec<&str> = siblings.iter().copied().map(last).collect();
    let wanted = key.rsplit('.').next().unwrap_or(key);
    let found = *similar::get_close_matches(wanted, &names, 1, 0.75).first()?;
    siblings.into_iter().find(|sibling| last(sibling) == found)
}

/// Why a key has no effect.
enum Why {
    Only(Span),
    Never,
}

fn finding(capabilities: &Capabilities, key: &str, why: Why) -> Finding {
    let version = capabilities.version;
    let reason = match why {
        Why::Only(span) => format!("it is a key of {span}"),
        Why::Never if key == NEVER_EXISTED => {
            format!("the platform's website documents it, but no version up to {} has it", Capabilities::newest_known())
        }
        Why::Never => "it is no key of the platform".to_owned(),
    };
    Finding {
        // A version that nobody here has seen may well know it.
        severity: if capabilities.is_known { Severity::Warning } else { Severity::Info },
        rule: "UnknownPlatformKey",
        subject: key.to_owned(),
        message: format!("`{key}` has no effect in {version}: {reason}, and the platform's chart ignores it silently."),
        fix: Some(match similar_key(key, capabilities) {
            Some(similar) => format!("Write `{similar}`, if that is meant; else remove the key."),
            None => "Remove the key.".to_owned(),
        }),
        host: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every key of the table of section `publishing`, set to nothing in particular.
    fn everything() -> Value {
        json!({"publishing": {
            "host": "", "ingressName": "", "ingressNameAdmin": "", "exposedServices": [], "apiServerEndpoint": "",
            "externalIPs": [], "exposure": "", "loadBalancerClass": "", "proxyProtocol": false,
            "proxyProtocolAcknowledgeUnclean": false,
            "certificates": {"solver": "", "issuerName": "", "wildcardSecretName": "", "wildcard": false, "dns01": {}},
            "exposureClass": {},
        }})
    }

    fn unknown(version: &str, values: &Value) -> Vec<String> {
        let version = version.parse().expect("a literal that parses");
        let capabilities = Capabilities::of(version).expect("a supported version");
        unknown_keys(&capabilities, values).into_iter().map(|finding| finding.subject).collect()
    }

    #[test]
    fn each_key_is_known_exactly_in_its_versions() {
        let only_v1_5 = ["publishing.certificates.wildcardSecretName", "publishing.certificates.dns01"];
        let only_v1_6 =
            ["publishing.ingressNameAdmin", "publishing.loadBalancerClass", "publishing.certificates.wildcard"];
        for (version, has_exposure, has_v1_5, has_v1_6) in [
            ("v1.4.0", false, false, false),
            ("v1.4.1", true, false, false),
            ("v1.4.6", true, false, false),
            ("v1.5.0", false, true, false),
            ("v1.5.4", false, true, false),
            ("v1.6.0", false, true, true),
            ("v1.6.2", false, true, true),
        ] {
            let mut wanted = vec!["publishing.exposureClass"];
            wanted.extend((!has_exposure).then_some("publishing.exposure"));
            wanted.extend(only_v1_5.iter().filter(|_| !has_v1_5));
            wanted.extend(only_v1_6.iter().filter(|_| !has_v1_6));
            wanted.sort_unstable();
            let mut found = unknown(version, &everything());
            found.sort_unstable();
            assert_eq!(found, wanted, "{version}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_told_with_the_key_that_was_meant() {
        let values = json!({
            "publshing": {}, "gpu": {}, "whatever": {}, "bundles": {"disabledPackage": []},
            "networking": {"clusterdomain": "x"}, "publishing": {"proxyprotocol": true, "zzz": 1},
        });
        let version = "v1.6.2".parse().expect("a literal that parses");
        let capabilities = Capabilities::of(version).expect("a supported version");
        let found: Vec<(String, Option<String>)> =
            unknown_keys(&capabilities, &values).into_iter().map(|finding| (finding.subject, finding.fix)).collect();
        let meant = |key: &str| Some(format!("Write `{key}`, if that is meant; else remove the key."));
        assert_eq!(
            found,
            [
                ("publshing".to_owned(), meant("publishing")),
                ("publishing.proxyprotocol".to_owned(), meant("publishing.proxyProtocol")),
                ("publishing.zzz".to_owned(), Some("Remove the key.".to_owned())),
                ("networking.clusterdomain".to_owned(), meant("networking.clusterDomain")),
                ("bundles.disabledPackage".to_owned(), meant("bundles.disabledPackages")),
            ]
        );
    }

    #[test]
    fn the_gateway_section_is_new_in_v1_5() {
        let values = json!({"gateway": {"enabled": true}});
        assert_eq!(unknown("v1.4.6", &values), ["gateway"]);
        assert_eq!(unknown("v1.5.0", &values), [""; 0]);
    }
}
