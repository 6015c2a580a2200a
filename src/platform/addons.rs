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

/// Whether the tenant's CoreDNS takes in the snippets that are keys of `kube-system/coredns-custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnippetImport {
    /// It does: the platform's server blocks do, and so does an override that repeats what is needed.
    Works,
    /// An override replaces the server blocks, and none of them imports the snippets.
    Missing,
    /// An override replaces the server blocks, and one imports the snippets but never looks at them again.
    WithoutReload,
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

    /// Whether snippets take effect. An override of the list of server blocks replaces all of them: lists are not merged.
    pub fn snippet_import(&self) -> SnippetImport {
        let Some(servers) = self.at(&["coredns", "valuesOverride", "coredns", "servers"]) else {
            return SnippetImport::Works;
        };
        let servers = servers.as_array().into_iter().flatten();
        let plugins = servers.filter_map(|server| server.get("plugins").and_then(Value::as_array));
        let mut importing = plugins.filter(|plugins| plugins.iter().any(imports_snippets)).peekable();
        if importing.peek().is_none() {
            SnippetImport::Missing
        } else if importing.all(|plugins| plugins.iter().any(|plugin| plugin["name"] == "reload")) {
            SnippetImport::Works
        } else {
            SnippetImport::WithoutReload
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

/// Whether a plugin is an `import` that takes in a file like `bobbypin.override` of the snippets' folder.
fn imports_snippets(plugin: &Value) -> bool {
    let patterns = plugin["parameters"].as_str().unwrap_or_default().split_whitespace();
    let takes_in = |pattern: &str| matches!(pattern.strip_prefix(SNIPPETS), Some("*" | "*.override"));
    plugin["name"] == "import" && patterns.into_iter().any(takes_in)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addons(value: Value) -> TenantAddons {
        TenantAddons::new(value).expect("lawful add-ons")
    }

    fn nginx(config: Value) -> TenantAddons {
        addons(json!({"ingressNginx": {"valuesOverride": {"ingress-nginx": {"controller": {"config": config}}}}}))
    }

    #[test]
    fn a_missing_add_on_is_off_and_proxied() {
        for nothing in [Value::Null, json!({}), json!({"ingressNginx": {}, "ouroboros": null})] {
            let addons = addons(nothing);
            assert!(!addons.ingress_nginx_enabled() && !addons.ouroboros_enabled() && !addons.gateway_api_enabled());
            assert_eq!(addons.expose_method(), ExposeMethod::Proxied);
            assert_eq!(addons.snippet_import(), SnippetImport::Works);
        }
        let lb = addons(json!({"ingressNginx": {"enabled": true, "exposeMethod": "LoadBalancer"}}));
        assert!(lb.ingress_nginx_enabled());
        assert_eq!(lb.expose_method(), ExposeMethod::LoadBalancer);
    }

    #[test]
    fn switches_of_the_ingress_controller_are_read_as_it_reads_them() {
        for (value, on) in [
            (json!("true"), true),
            (json!(true), true),
            (json!("True"), true),
            (json!(1), true),
            (json!("1"), true),
            (json!("false"), false),
            (json!(false), false),
            (json!("yes"), false),
            (json!(""), false),
            (json!(null), false),
            (json!({}), false),
        ] {
            let addons = nginx(json!({"use-proxy-protocol": value}));
            assert_eq!(addons.uses_proxy_protocol(), on, "{value}");
            assert!(!addons.uses_forwarded_headers());
            assert_eq!(nginx(json!({"use-forwarded-headers": value})).uses_forwarded_headers(), on, "{value}");
        }
        assert_eq!(
            nginx(json!({"proxy-real-ip-cidr": "10.0.0.0/8"})).proxy_real_ip_cidr().as_deref(),
            Some("10.0.0.0/8")
        );
        assert_eq!(nginx(json!({"proxy-real-ip-cidr": ""})).proxy_real_ip_cidr(), None);
        assert_eq!(nginx(json!({})).proxy_real_ip_cidr(), None);
    }

    #[test]
    fn server_blocks_are_searched_for_the_import_and_for_reload() {
        let import = || json!({"name": "import", "parameters": "/etc/coredns/custom/*.override"});
        let reload = || json!({"name": "reload"});
        let server = |plugins: Vec<Value>| json!({"zones": [{"zone": "."}], "plugins": plugins});
        let other = json!({"name": "import", "parameters": "/etc/coredns/custom/*.server"});
        for (servers, wanted) in [
            (json!([server(vec![import(), reload()])]), SnippetImport::Works),
            (json!([server(vec![reload()]), server(vec![import(), reload()])]), SnippetImport::Works),
            (json!([server(vec![import()])]), SnippetImport::WithoutReload),
            (json!([server(vec![import()]), server(vec![reload()])]), SnippetImport::WithoutReload),
            (json!([server(vec![import(), reload()]), server(vec![import()])]), SnippetImport::WithoutReload),
            (json!([server(vec![reload()])]), SnippetImport::Missing),
            (json!([server(vec![other, reload()])]), SnippetImport::Missing),
            (json!([{"zones": []}]), SnippetImport::Missing),
            (json!([]), SnippetImport::Missing),
            (json!(null), SnippetImport::Missing),
        ] {
            let values = json!({"coredns": {"valuesOverride": {"coredns": {"servers": servers}}}});
            assert_eq!(addons(values).snippet_import(), wanted, "{servers}");
        }
    }

    #[test]
    fn every_wrong_type_is_told_at_once() {
        let problems = TenantAddons::new(json!({
            "ingressNginx": {"enabled": "true", "exposeMethod": "proxied", "valuesOverride": []},
            "ouroboros": {"enabled": 1, "valuesOverride": {"ouroboros": {"controller": "x"}}},
            "gatewayAPI": true,
            "coredns": {"valuesOverride": "x"},
            "velero": 5,
        }));
        let told: Vec<String> = problems.expect_err("nothing is right").iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`addons.gatewayAPI` is a boolean; the platform needs a map there",
                "`addons.ingressNginx.enabled` is a text; the platform needs a boolean there",
                "`addons.ouroboros.enabled` is a number; the platform needs a boolean there",
                "`addons.ingressNginx.valuesOverride` is a list; the platform needs a map there",
                "`addons.coredns.valuesOverride` is a text; the platform needs a map there",
                "`addons.ouroboros.valuesOverride.ouroboros.controller` is a text; the platform needs a map there",
                "`addons.ingressNginx.exposeMethod` is `proxied`",
            ]
        );
        assert_eq!(TenantAddons::new(json!([])).expect_err("no map").len(), 1);
    }

    #[test]
    fn what_is_empty_passes_for_no_map_on_the_way_to_the_gateway_api() {
        for empty in [json!(null), json!(""), json!(0), json!(false), json!([])] {
            for path in [json!({"ouroboros": empty}), json!({"ouroboros": {"controller": {"gatewayApi": empty}}})] {
                assert!(TenantAddons::new(json!({"ouroboros": {"valuesOverride": path}})).is_ok(), "{path}");
            }
        }
    }
}
