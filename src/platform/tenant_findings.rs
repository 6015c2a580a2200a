//! What a person should know about a tenant's add-ons.

use serde_json::Value;

use crate::{
    model::{
        finding::{Finding, Severity},
        layer::TenantId,
    },
    platform::{
        addons::{ExposeMethod, SnippetImport, TenantAddons},
        helm,
        tenant::is_caught,
    },
};

/// Parts that belong below the subchart's name in an override, and do nothing beside it: add-on, subchart, parts.
const MISPLACED: [(&str, &str, &[&str]); 3] = [
    ("ouroboros", "ouroboros", &["controller", "proxy", "image", "etcHosts", "externalDns"]),
    ("ingressNginx", "ingress-nginx", &["controller"]),
    ("coredns", "coredns", &["servers"]),
];

/// Tells what will not work as it looks. The guards are not here: see [`crate::platform::tenant::addon_emits`].
pub fn tenant_findings(tenant: &TenantId, addons: &TenantAddons) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |severity, rule, key: &str, message: String, fix: &str| {
        let (subject, fix) = (format!("{tenant}: addons.{key}"), Some(fix.to_owned()));
        findings.push(Finding { severity, rule, subject, message, fix, host: None });
    };
    if addons.ouroboros_enabled() {
        ouroboros_findings(addons, &mut add);
    }
    nginx_findings(addons, &mut add);
    let lacks = match addons.snippet_import() {
        SnippetImport::Works => None,
        SnippetImport::Missing => Some("the line `import /etc/coredns/custom/*.override`"),
        SnippetImport::WithoutReload => Some("the plugin `reload`"),
    };
    if let Some(lacks) = lacks {
        add(
            Severity::Error,
            "CorednsServersWithoutImport",
            "coredns.valuesOverride.coredns.servers",
            format!(
                "The override replaces the whole list of server blocks and lacks {lacks}: records never take effect."
            ),
            "Repeat the platform's plugins in the override, `import` with `/etc/coredns/custom/*.override` and `reload` among them.",
        );
    }
    for (addon, subchart, parts) in MISPLACED {
        for part in parts {
            if addons.values_override(addon).and_then(|values| values.get(part)).is_some() {
                add(
                    Severity::Warning,
                    "OverrideWithoutEffect",
                    &format!("{addon}.valuesOverride.{part}"),
                    format!("The platform's chart passes only what stands below `{subchart}` on: this has no effect."),
                    &format!("Move it to `{addon}.valuesOverride.{subchart}.{part}`."),
                );
            }
        }
    }
    findings
}

fn ouroboros_findings(addons: &TenantAddons, add: &mut impl FnMut(Severity, &'static str, &str, String, &str)) {
    const OVERRIDE: &str = "ouroboros.valuesOverride.ouroboros";
    let values = addons.ouroboros_values();
    let gateway_api = helm::at(&values, &["ouroboros", "controller", "gatewayApi", "enabled"]);
    // What the guard catches never gets this far.
    if let Some(value) = gateway_api.filter(|value| helm::is_true(value) && !value.is_boolean() && !is_caught(value)) {
        let harm = if addons.gateway_api_enabled() {
            "so the Gateway API is watched, whatever was meant"
        } else {
            "so the controller watches the Gateway API without its CRDs and crashes; the platform's guard does not see it"
        };
        add(
            if addons.gateway_api_enabled() { Severity::Warning } else { Severity::Error },
            "GatewayApiTakenForTrue",
            &format!("{OVERRIDE}.controller.gatewayApi.enabled"),
            format!("`{value}` counts as true in the chart, {harm}."),
            "Write `true` or `false`, without quotes.",
        );
    }
    if helm::at(&values, &["ouroboros", "controller", "mode"]).and_then(Value::as_str) == Some("coredns") {
        add(
            Severity::Error,
            "TenantModeCoredns",
            &format!("{OVERRIDE}.controller.mode"),
            "Mode `coredns` edits the Corefile, which the platform's CoreDNS release owns in a tenant: the two overwrite \
             each other for ever."
                .to_owned(),
            "Leave the mode out; in a tenant it is `coredns-import`.",
        );
    }
    let tag = helm::at(&values, &["ouroboros", "image", "tag"]).and_then(helm::text);
    if let Some(tag) = tag.filter(|tag| !tag.contains("@sha256:")) {
        add(
            Severity::Warning,
            "ImageTagWithoutDigest",
            &format!("{OVERRIDE}.image.tag"),
            format!(
                "The tag `{}` replaces the platform's tag with its digest: the image is no longer pinned.",
                tag.escape_debug()
            ),
            "Write the digest into the tag, as in `0.8.1@sha256:…`.",
        );
    }
    if addons.values_override("ouroboros").is_some_and(has_null) {
        add(
            Severity::Warning,
            "NullInOverride",
            "ouroboros.valuesOverride",
            "What a null does to a default depends on the version of Helm: it deletes it, or it is ignored.".to_owned(),
            "Write the value that is wanted.",
        );
    }
    if addons.ingress_nginx_enabled() && !addons.uses_proxy_protocol() {
        add(
            Severity::Error,
            "TenantNginxWithoutProxyProtocol",
            "ingressNginx.valuesOverride",
            "The add-on sends PROXY headers to the tenant's ingress controller, which does not expect them and answers 400."
                .to_owned(),
            "Set `ingress-nginx.controller.config.use-proxy-protocol: \"true\"` in the override, or disable the add-on.",
        );
    }
}

fn nginx_findings(addons: &TenantAddons, add: &mut impl FnMut(Severity, &'static str, &str, String, &str)) {
    const CONFIG: &str = "ingressNginx.valuesOverride.ingress-nginx.controller.config";
    if !addons.ingress_nginx_enabled() {
        return;
    }
    if addons.uses_proxy_protocol() && addons.expose_method() == ExposeMethod::Proxied {
        add(
            Severity::Warning,
            "ProxiedWithProxyProtocol",
            &format!("{CONFIG}.use-proxy-protocol"),
            "The tenant is reached through the host's ingress controller, which passes TLS through without a PROXY header: \
             connections from outside may be refused."
                .to_owned(),
            "Set `ingressNginx.exposeMethod: LoadBalancer`, or make sure that something in between writes the headers.",
        );
    }
    if addons.uses_forwarded_headers() && addons.proxy_real_ip_cidr().is_none() {
        add(
            Severity::Warning,
            "ForwardedHeadersWithoutCidr",
            &format!("{CONFIG}.use-forwarded-headers"),
            "Every client may claim any address in `X-Forwarded-For`, because no `proxy-real-ip-cidr` says whom to believe."
                .to_owned(),
            "Set `proxy-real-ip-cidr` to the load balancer's addresses, or drop `use-forwarded-headers`.",
        );
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.values().any(has_null),
        Value::Array(items) => items.iter().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::name::Name;

    fn rules(addons: &Value) -> Vec<(Severity, &'static str, String)> {
        let name = |text| Name::parse(text).expect("a literal that parses");
        let tenant = TenantId { namespace: name("tenant-acme"), name: name("shop") };
        let addons = TenantAddons::new(addons.clone()).expect("lawful add-ons");
        tenant_findings(&tenant, &addons)
            .into_iter()
            .map(|finding| {
                let key = finding.subject.strip_prefix("tenant-acme/shop: addons.").expect("the tenant's name");
                (finding.severity, finding.rule, key.to_owned())
            })
            .collect()
    }

    /// Add-ons with which nothing is wrong, with one override laid over those of ouroboros.
    fn sound(ouroboros: Value) -> Value {
        json!({
            "ingressNginx": {
                "enabled": true,
                "exposeMethod": "LoadBalancer",
                "valuesOverride": {"ingress-nginx": {"controller": {"config": {"use-proxy-protocol": "true"}}}},
            },
            "ouroboros": {"enabled": true, "valuesOverride": ouroboros},
        })
    }

    #[test]
    fn nothing_is_wrong_with_sound_add_ons() {
        for addons in [
            json!({}),
            sound(json!({})),
            sound(json!({"ouroboros": {"image": {"tag": "0.8.1@sha256:00"}, "controller": {"mode": "external-dns"}}})),
            sound(json!({"ouroboros": {"controller": {"gatewayApi": {"enabled": false}}}})),
            json!({"coredns": {"valuesOverride": {"coredns": {"replicaCount": 3}}}}),
            // The guard stops this one, so nothing else matters.
            json!({"ouroboros": {"enabled": true}}),
            json!({"ingressNginx": {"enabled": false, "valuesOverride": {"ingress-nginx": {"controller": {"config":
                {"use-proxy-protocol": "true", "use-forwarded-headers": "true"}}}}}}),
            json!({"ouroboros": {"enabled": false, "valuesOverride": {"ouroboros": {"controller": {"mode": "coredns"}}}}}),
        ] {
            assert_eq!(rules(&addons), [], "{addons}");
        }
    }

    #[test]
    fn values_that_the_guard_misses_are_found() {
        const KEY: &str = "ouroboros.valuesOverride.ouroboros.controller.gatewayApi.enabled";
        for value in [json!("false"), json!("t"), json!("enabled"), json!(2), json!(["x"])] {
            let mut addons = sound(json!({"ouroboros": {"controller": {"gatewayApi": {"enabled": value}}}}));
            assert_eq!(rules(&addons), [(Severity::Error, "GatewayApiTakenForTrue", KEY.to_owned())]);
            addons["gatewayAPI"] = json!({"enabled": true});
            assert_eq!(rules(&addons), [(Severity::Warning, "GatewayApiTakenForTrue", KEY.to_owned())]);
        }
        for harmless in [json!(true), json!("yes"), json!(""), json!(0)] {
            let addons = sound(json!({"ouroboros": {"controller": {"gatewayApi": {"enabled": harmless}}}}));
            assert_eq!(rules(&addons), [], "{addons}");
        }
    }

    #[test]
    fn each_hazard_is_found_where_it_stands() {
        const CONFIG: &str = "ingressNginx.valuesOverride.ingress-nginx.controller.config";
        let nginx = |method: &str, config: Value| {
            json!({"ingressNginx": {
                "enabled": true,
                "exposeMethod": method,
                "valuesOverride": {"ingress-nginx": {"controller": {"config": config}}},
            }})
        };
        let coredns =
            |plugins: Value| json!({"coredns": {"valuesOverride": {"coredns": {"servers": [{"plugins": plugins}]}}}});
        let import = json!({"name": "import", "parameters": "/etc/coredns/custom/*.override"});
        let (error, warning) = (Severity::Error, Severity::Warning);
        for (addons, severity, rule, key) in [
            (
                sound(json!({"ouroboros": {"controller": {"mode": "coredns"}}})),
                error,
                "TenantModeCoredns",
                "ouroboros.valuesOverride.ouroboros.controller.mode".to_owned(),
            ),
            (
                sound(json!({"ouroboros": {"image": {"tag": "0.8.1"}}})),
                warning,
                "ImageTagWithoutDigest",
                "ouroboros.valuesOverride.ouroboros.image.tag".to_owned(),
            ),
            (
                sound(json!({"ouroboros": {"controller": {"logLevel": null}}})),
                warning,
                "NullInOverride",
                "ouroboros.valuesOverride".to_owned(),
            ),
            (
                sound(json!({"controller": {"mode": "coredns"}})),
                warning,
                "OverrideWithoutEffect",
                "ouroboros.valuesOverride.controller".to_owned(),
            ),
            (
                json!({"ingressNginx": {"enabled": true}, "ouroboros": {"enabled": true}}),
                error,
                "TenantNginxWithoutProxyProtocol",
                "ingressNginx.valuesOverride".to_owned(),
            ),
            (
                nginx("Proxied", json!({"use-proxy-protocol": true})),
                warning,
                "ProxiedWithProxyProtocol",
                format!("{CONFIG}.use-proxy-protocol"),
            ),
            (
                nginx("LoadBalancer", json!({"use-forwarded-headers": "true"})),
                warning,
                "ForwardedHeadersWithoutCidr",
                format!("{CONFIG}.use-forwarded-headers"),
            ),
            (
                coredns(json!([{"name": "reload"}])),
                error,
                "CorednsServersWithoutImport",
                "coredns.valuesOverride.coredns.servers".to_owned(),
            ),
            (
                coredns(json!([import])),
                error,
                "CorednsServersWithoutImport",
                "coredns.valuesOverride.coredns.servers".to_owned(),
            ),
        ] {
            assert_eq!(rules(&addons), [(severity, rule, key)], "{addons}");
        }
        let sound = nginx("LoadBalancer", json!({"use-forwarded-headers": "true", "proxy-real-ip-cidr": "10.0.0.0/8"}));
        assert_eq!(rules(&sound), []);
        assert_eq!(rules(&coredns(json!([import, {"name": "reload"}]))), []);
    }

    #[test]
    fn the_example_of_the_platforms_website_has_two_hazards() {
        let addons = json!({
            "ingressNginx": {"enabled": true, "hosts": ["acme.example.org"], "valuesOverride": {"ingress-nginx": {"controller":
                {"config": {"use-proxy-protocol": "true", "use-forwarded-headers": "true", "real-ip-header": "proxy_protocol"}}
            }}},
            "ouroboros": {"enabled": true},
        });
        let found: Vec<_> = rules(&addons).into_iter().map(|(_, rule, _)| rule).collect();
        assert_eq!(found, ["ProxiedWithProxyProtocol", "ForwardedHeadersWithoutCidr"]);
    }
}
