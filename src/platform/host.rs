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
