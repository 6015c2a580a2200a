//! What the platform emits on the host.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::platform::{
    Guard,
    values::{INGRESS_PACKAGE, OUROBOROS_PACKAGE, PlatformValues},
};

/// What the platform's chart emits, as far as it concerns the fix.
///
/// Source: `packages/core/platform/templates/{bundles/system.yaml,_helpers.tpl,apps.yaml}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Emission {
    /// The objects of kind `Package`, by name; only [`OUROBOROS_PACKAGE`] and [`INGRESS_PACKAGE`] are looked at.
    pub packages: BTreeMap<&'static str, EmittedPackage>,
    /// Keys of `_cluster` in the Secret `cozystack-values`, from which every chart of the platform reads. `None` is the
    /// null that a deleted default leaves behind.
    pub cluster: BTreeMap<&'static str, Option<String>>,
}

/// A `Package` that the platform's chart emits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmittedPackage {
    /// Its `spec`.
    pub spec: Value,
    /// Its `metadata.annotations`. With `keep` among them Helm never deletes it.
    pub annotations: BTreeMap<&'static str, &'static str>,
}

/// The Service behind which the host's ingress controller listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub service_name: String,
}

/// Foretells what the platform emits.
///
/// `live_ouroboros_package`: whether the cluster has a `Package` of the name [`OUROBOROS_PACKAGE`], whoever made it.
///
/// # Errors
///
/// [`Guard::G1`], which looks at nothing but the two switches and that `Package`, and only where the system bundle is on.
pub fn emits(values: &PlatformValues, live_ouroboros_package: bool) -> Result<Emission, Guard> {
    let packages = if values.system_enabled() { packages(values, live_ouroboros_package)? } else { BTreeMap::new() };
    Ok(Emission { packages, cluster: cluster(values) })
}

/// Derives the Service of the host's ingress controller from `publishing.ingressName`.
///
/// This is where the proxy must point to, on every version. The platform itself gets it wrong before v1.4.3.
pub fn proxy_target(values: &PlatformValues) -> Target {
    let namespace = values.ingress_class();
    let short = namespace.strip_prefix("tenant-").unwrap_or(namespace);
    Target { namespace: namespace.to_owned(), service_name: format!("{short}-ingress-controller") }
}

fn packages(values: &PlatformValues, live: bool) -> Result<BTreeMap<&'static str, EmittedPackage>, Guard> {
    let proxy_protocol = values.proxy_protocol();
    if !proxy_protocol && !values.acknowledges_unclean() && live {
        return Err(Guard::G1);
    }
    let capabilities = values.capabilities();
    let mut packages = BTreeMap::new();
    let mut emit = |name, components: Option<Value>| {
        if !values.disables(name) {
            let mut spec = json!({"variant": "default"});
            if let Some(components) = components {
                spec["components"] = components;
            }
            packages.insert(name, EmittedPackage { spec, annotations: [("helm.sh/resource-policy", "keep")].into() });
        }
    };
    if proxy_protocol {
        let target = capabilities.host_package_has_target.then(|| proxy_target(values));
        emit(
            OUROBOROS_PACKAGE,
            target.map(|target| json!({"ouroboros": {"values": {"ouroboros": {"proxy": {"target": target}}}}})),
        );
    }
    // Where the ingress controller cannot be reached this way, the keys are written nevertheless, and dropped later.
    let keys = proxy_protocol && !capabilities.host_nginx_accepts_proxy;
    emit(INGRESS_PACKAGE, keys.then(|| json!({"ingress-system": {"values": nginx_keys()}})));
    Ok(packages)
}

/// The values with which an ingress controller takes the client's address from a PROXY header.
fn nginx_keys() -> Value {
    json!({"ingress-nginx": {"controller": {"config": {
        "use-proxy-protocol": "true",
        "real-ip-header": "proxy_protocol",
        "enable-real-ip": "true",
    }}}})
}

fn cluster(values: &PlatformValues) -> BTreeMap<&'static str, Option<String>> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let mut cluster = BTreeMap::from([
        ("root-host", text(values.root_host())),
        ("expose-ingress", text(values.expose_ingress())),
        ("cluster-domain", text(values.cluster_domain())),
    ]);
    if values.capabilities().host_nginx_accepts_proxy {
        cluster.insert("proxy-protocol", Some(values.switch_text("publishing.proxyProtocol")));
    }
    if values.capabilities().gateway_mode {
        cluster.insert("gateway-enabled", Some(values.switch_text("gateway.enabled")));
    }
    cluster
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::values::Variant;

    /// The versions that behave alike on the host, and what they do with PROXY protocol on: whether the Package has its
    /// target, and whether nginx gets the switch through the Secret.
    const COLUMNS: [(&[&str], bool, bool); 4] = [
        (&["v1.4.0", "v1.4.1", "v1.4.2"], false, false),
        (&["v1.4.3", "v1.4.4", "v1.4.5", "v1.4.6"], true, false),
        (&["v1.5.0", "v1.5.1", "v1.5.2", "v1.5.3", "v1.5.4"], true, true),
        (&["v1.6.0", "v1.6.1", "v1.6.2"], true, true),
    ];

    fn values(version: &str, variant: Variant, values: Value) -> PlatformValues {
        let version = version.parse().expect("a literal that parses");
        PlatformValues::new(version, Some(variant.as_str()), values).expect("lawful values").0
    }

    fn package(components: Option<Value>) -> Value {
        let mut spec = json!({"variant": "default"});
        if let Some(components) = components {
            spec["components"] = components;
        }
        json!({"spec": spec, "annotations": {"helm.sh/resource-policy": "keep"}})
    }

    #[test]
    fn every_version_in_every_variant_emits_what_its_column_says() {
        let target = json!({"namespace": "tenant-root", "serviceName": "root-ingress-controller"});
        let target = json!({"ouroboros": {"values": {"ouroboros": {"proxy": {"target": target}}}}});
        let config =
            json!({"use-proxy-protocol": "true", "real-ip-header": "proxy_protocol", "enable-real-ip": "true"});
        let config = json!({"ingress-system": {"values": {"ingress-nginx": {"controller": {"config": config}}}}});
        for (versions, has_target, has_switch) in COLUMNS {
            for (version, variant) in
                versions.iter().flat_map(|version| Variant::ALL.map(|variant| (*version, variant)))
            {
                for on in [false, true] {
                    let mut packages = json!({});
                    if matches!(variant, Variant::IspFull | Variant::IspFullGeneric) {
                        let dropped = (on && !has_switch).then(|| config.clone());
                        packages["cozystack.ingress-application"] = package(dropped);
                        if on {
                            packages["cozystack.ouroboros"] = package(has_target.then(|| target.clone()));
                        }
                    }
                    let mut cluster = json!({"root-host": "example.org", "expose-ingress": "tenant-root", "cluster-domain": "cozy.local"});
                    if has_switch {
                        cluster["proxy-protocol"] = json!(on.to_string());
                        cluster["gateway-enabled"] = json!("false");
                    }
                    let values = values(version, variant, json!({"publishing": {"proxyProtocol": on}}));
                    let emission = serde_json::to_value(emits(&values, on).expect("no guard")).expect("plain data");
                    assert_eq!(
                        emission,
                        json!({"packages": packages, "cluster": cluster}),
                        "{version} {variant:?} {on}"
                    );
                    assert_eq!(values.nginx_expects_proxy(), on && has_switch, "{version} {variant:?} {on}");
                }
            }
        }
    }

    #[test]
    fn the_first_guard_stops_every_version_that_has_the_system_bundle() {
        for (version, variant) in COLUMNS
            .iter()
            .flat_map(|(versions, ..)| *versions)
            .flat_map(|version| Variant::ALL.map(|variant| (version, variant)))
        {
            let stopped = emits(&values(version, variant, Value::Null), true).err();
            let has_bundle = matches!(variant, Variant::IspFull | Variant::IspFullGeneric);
            assert_eq!(stopped, has_bundle.then_some(Guard::G1), "{version} {variant:?}");
        }
    }

    #[test]
    fn our_overlay_meets_the_platform_in_no_leaf() {
        let values = values("v1.6.2", Variant::IspFull, json!({"publishing": {"proxyProtocol": true}}));
        let emission = emits(&values, true).expect("no guard");
        let theirs = &emission.packages[OUROBOROS_PACKAGE].spec;
        let ours = |ouroboros: Value| json!({"components": {"ouroboros": {"values": {"ouroboros": ouroboros}}}});
        let shared =
            |ours: &Value| crate::platform::leaves::shared_leaves(ours, theirs).into_iter().collect::<Vec<_>>();
        assert_eq!(shared(&ours(json!({"controller": {"ingressClass": "tenant-root"}}))), [""; 0]);
        assert_eq!(
            shared(&ours(json!({"proxy": {"target": {"namespace": "tenant-root", "httpPort": 80}}}))),
            ["/components/ouroboros/values/ouroboros/proxy/target/namespace"]
        );
    }
}
