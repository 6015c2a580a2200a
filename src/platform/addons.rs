//! The add-ons of a tenant cluster, as its object on the host lists them.

use serde_json::{Value, json};

use crate::platform::{
    helm,
    problem::PlatformProblem::{self, UnknownValue, WrongType},
};

/// `spec.addons` of a `Kubernetes` object, known to be something that the tenant's chart can work with.
///
/// Kept as it was written; each accessor fills in the default of the API, by which a missing add-on is disabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantAddons(Value);

/// How the tenant's ingress controller is reached from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExposeMethod {
    /// Through the host's ingress controller.
    Proxied,
    /// Through a load balancer of its own.
    LoadBalancer,
}

/// The server blocks of the tenant's CoreDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorednsServers {
    /// Those of the platform, which import the snippets of `coredns-custom` and reload.
    Platform,
    /// An override replaces them all.
    Replaced {
        /// Whether one of them imports the snippets.
        imports: bool,
        /// Whether that one, or with none of them importing any, has the `reload` plugin.
        reloads: bool,
    },
}

/// The folder where the tenant's CoreDNS sees the keys of `kube-system/coredns-custom` as files.
const SNIPPETS: &str = "/etc/coredns/custom/";

impl TenantAddons {
    /// Checks `spec.addons`; null counts as no add-ons.
    ///
    /// Only the add-ons that concern the fix are looked at: `ingressNginx`, `ouroboros`, `gatewayAPI`, `coredns`.
    ///
    /// # Errors
    ///
    /// Every value that the API refuses or with which the tenant's chart stops.
    pub fn new(addons: Value) -> Result<Self, Vec<PlatformProblem>> {
        let problems = wrong_types(&addons);
        if problems.is_empty() { Ok(Self(addons)) } else { Err(problems) }
    }

    /// Whether the ingress controller is on.
    pub fn ingress_nginx_enabled(&self) -> bool {
        self.is_on(&["ingressNginx", "enabled"])
    }

    /// How the ingress controller is reached.
    pub fn expose_method(&self) -> ExposeMethod {
        match self.at(&["ingressNginx", "exposeMethod"]).and_then(Value::as_str) {
            Some("LoadBalancer") => ExposeMethod::LoadBalancer,
            _ => ExposeMethod::Proxied,
        }
    }

    /// Whether the platform's add-on brings the fix.
    pub fn ouroboros_enabled(&self) -> bool {
        self.is_on(&["ouroboros", "enabled"])
    }

    /// Whether the Gateway API is installed in the tenant.
    pub fn gateway_api_enabled(&self) -> bool {
        self.is_on(&["gatewayAPI", "enabled"])
    }

    /// Whether the tenant's ingress controller expects PROXY headers.
    pub fn uses_proxy_protocol(&self) -> bool {
        self.nginx_switch("use-proxy-protocol")
    }

    /// Whether the tenant's ingress controller believes the `X-Forwarded-*` headers that it gets.
    pub fn uses_forwarded_headers(&self) -> bool {
        self.nginx_switch("use-forwarded-headers")
    }

    /// From which addresses the tenant's ingress controller takes the word of a proxy; `None` means from all.
    pub fn proxy_real_ip_cidr(&self) -> Option<String> {
        self.nginx_config("proxy-real-ip-cidr").filter(|text| !text.is_empty())
    }

    /// What the overrides make of the server blocks of the tenant's CoreDNS.
    pub fn coredns_servers(&self) -> CorednsServers {
        let Some(servers) = self.at(&["coredns", "valuesOverride", "coredns", "servers"]) else {
            return CorednsServers::Platform;
        };
        let servers: Vec<&Vec<Value>> = servers
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|server| server.get("plugins").and_then(Value::as_array))
            .collect();
        let is_plugin = |plugin: &Value, name: &str| plugin["name"].as_str() == Some(name);
        let imports = |plugins: &&&Vec<Value>| {
            plugins.iter().any(|plugin| {
                let parameters = plugin["parameters"].as_str().unwrap_or_default();
                is_plugin(plugin, "import") && parameters.split_whitespace().any(imports_overrides)
            })
        };
        let reloads = |plugins: &&&Vec<Value>| plugins.iter().any(|plugin| is_plugin(plugin, "reload"));
        let importing: Vec<_> = servers.iter().filter(imports).collect();
        CorednsServers::Replaced {
            imports: !importing.is_empty(),
            reloads: if importing.is_empty() {
                servers.iter().any(|plugins| reloads(&plugins))
            } else {
                importing.iter().all(|plugins| reloads(plugins))
            },
        }
    }

    /// The values with which the add-on installs ouroboros: the platform's defaults under the tenant's override.
    ///
    /// The domain is pinned: a tenant's CoreDNS serves `cluster.local`, whatever the search list of its pods says.
    pub fn ouroboros_values(&self) -> Value {
        let mut values = json!({"ouroboros": {"controller": {
            "mode": "coredns-import",
            "gatewayApi": {"enabled": self.gateway_api_enabled()},
            "clusterDomain": "cluster.local",
        }}});
        if let Some(values_override) = self.values_override("ouroboros") {
            helm::merge_overwrite(&mut values, values_override);
        }
        values
    }

    /// The override of `ouroboros.controller.gatewayApi.enabled`, if there is one.
    pub fn gateway_api_override(&self) -> Option<&Value> {
        self.at(&["ouroboros", "valuesOverride", "ouroboros", "controller", "gatewayApi", "enabled"])
    }

    /// The override of the values of one add-on, if one was written.
    pub fn values_override(&self, addon: &str) -> Option<&Value> {
        self.at(&[addon, "valuesOverride"]).filter(|value| !value.is_null())
    }

    fn at(&self, path: &[&str]) -> Option<&Value> {
        helm::at(&self.0, path)
    }

    fn is_on(&self, path: &[&str]) -> bool {
        self.at(path).and_then(Value::as_bool).unwrap_or(false)
    }

    fn nginx_config(&self, key: &str) -> Option<String> {
        let path = ["ingressNginx", "valuesOverride", "ingress-nginx", "controller", "config", key];
        self.at(&path).and_then(helm::text)
    }

    /// A switch of the ingress controller, read as it reads its ConfigMap: with Go's `strconv.ParseBool`.
    fn nginx_switch(&self, key: &str) -> bool {
        let text = self.nginx_config(key);
        matches!(text.as_deref(), Some("1" | "t" | "T" | "true" | "TRUE" | "True"))
    }
}

/// Whether an argument of the `import` plugin takes in a file like `bobbypin.override` of the snippets' folder.
fn imports_overrides(pattern: &str) -> bool {
    matches!(pattern.strip_prefix(SNIPPETS), Some("*" | "*.override"))
}

fn wrong_types(addons: &Value) -> Vec<PlatformProblem> {
    let mut problems = Vec::new();
    let mut check = |path: &[&str], wanted: &'static str, fits: fn(&Value) -> bool| {
        if let Some(value) = helm::at(addons, path).filter(|value| !fits(value)) {
            let key = ["addons"].iter().chain(path).copied().collect::<Vec<_>>().join(".");
            problems.push(WrongType { key, wanted, found: helm::kind(value) });
        }
    };
    let map: fn(&Value) -> bool = |value| value.is_object() || value.is_null();
    let switch: fn(&Value) -> bool = |value| value.is_boolean() || value.is_null();
    check(&[], "a map", map);
    for addon in ["ingressNginx", "ouroboros", "gatewayAPI", "coredns"] {
        check(&[addon], "a map", map);
    }
    for addon in ["ingressNginx", "ouroboros", "gatewayAPI"] {
        check(&[addon, "enabled"], "a boolean", switch);
    }
    for addon in ["ingressNginx", "ouroboros", "coredns"] {
        check(&[addon, "valuesOverride"], "a map", map);
    }
    check(&["ingressNginx", "exposeMethod"], "a text", |value| value.is_string() || value.is_null());
    // The chart looks for a key in each of these, and stops where that cannot be done. It takes what is empty for no map.
    let path = ["ouroboros", "valuesOverride", "ouroboros", "controller", "gatewayApi"];
    for length in 3..=path.len() {
        check(&path[..length], "a map", |value| value.is_object() || !helm::is_true(value));
    }
    let method = helm::at(addons, &["ingressNginx", "exposeMethod"]).and_then(Value::as_str);
    if let Some(found) = method.filter(|method| !matches!(*method, "Proxied" | "LoadBalancer")) {
        problems.push(UnknownValue {
            key: "addons.ingressNginx.exposeMethod".to_owned(),
            found: found.to_owned(),
            allowed: "Proxied, LoadBalancer",
        });
    }
    problems
}
