//! The platform's values, with the defaults of their version and variant.

use serde_json::Value;

use crate::{
    model::{cluster::Version, finding::Finding},
    platform::{
        capabilities::{Capabilities, Span},
        helm,
        problem::PlatformProblem::{self, UnknownVariant, WrongType},
        value_findings::value_findings,
    },
};

/// The `Package` that runs the fix on the host.
pub const OUROBOROS_PACKAGE: &str = "cozystack.ouroboros";

/// The `Package` that brings the ingress controller.
pub const INGRESS_PACKAGE: &str = "cozystack.ingress-application";

/// What a person wrote for the platform, known to be something that the platform's chart can work with.
///
/// The values are kept as they were written; each accessor fills in the default of the version and variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformValues {
    capabilities: Capabilities,
    variant: Variant,
    values: Value,
}

/// A variant of the platform: a preset of `bundles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// Nothing is switched on.
    Default,
    /// Everything, on Talos.
    IspFull,
    /// Everything, on another Linux.
    IspFullGeneric,
    /// Without what belongs to the host, its ingress controller among it.
    IspHosted,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Default, Self::IspFull, Self::IspFullGeneric, Self::IspHosted];

    /// The platform's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::IspFull => "isp-full",
            Self::IspFullGeneric => "isp-full-generic",
            Self::IspHosted => "isp-hosted",
        }
    }

    /// Whether its preset switches the system bundle on. Source: `values-<variant>.yaml` up to v1.6.2.
    fn enables_system(self) -> bool {
        match self {
            Self::IspFull | Self::IspFullGeneric => true,
            Self::Default | Self::IspHosted => false,
        }
    }

    fn parse(key: &'static str, text: &str) -> Result<Self, PlatformProblem> {
        Self::ALL.into_iter().find(|variant| variant.as_str() == text).ok_or_else(|| UnknownVariant {
            key,
            found: text.to_owned(),
            similar: similar::get_close_matches(text, &Self::ALL.map(Self::as_str), 1, 0.6).first().copied(),
        })
    }
}

impl PlatformValues {
    /// Checks values, and tells what a person should know about them.
    ///
    /// `variant` is `spec.variant` of the platform's `Package`, for which the API fills in `default` when it is missing.
    /// Plain values have no such field and come with `None`: then `bundles.system.variant`
    /// in the values says which preset it is, and when that is missing too, `isp-full`, the chart's default for that key,
    /// is assumed and a finding says so. `values` are `spec.components.platform.values`, or the plain values; null counts
    /// as no values.
    ///
    /// # Errors
    ///
    /// Every problem: a version that is too old, an unknown variant, a value of a type with which the chart would stop.
    pub fn new(
        version: Version,
        variant: Option<&str>,
        values: Value,
    ) -> Result<(Self, Vec<Finding>), Vec<PlatformProblem>> {
        let mut problems = Vec::new();
        let capabilities = Capabilities::of(version).map_err(|problem| problems.push(problem)).ok();
        let assumed = variant.is_none() && text_at(&values, "bundles.system.variant").is_none();
        let variant = match (variant, text_at(&values, "bundles.system.variant")) {
            (Some(variant), _) => Variant::parse("", variant),
            (None, Some(variant)) => Variant::parse("bundles.system.variant", variant),
            (None, None) => Ok(Variant::IspFull),
        };
        let variant = variant.map_err(|problem| problems.push(problem)).ok();
        problems.extend(wrong_types(&values, capabilities.as_ref()));
        let (Some(capabilities), Some(variant), true) = (capabilities, variant, problems.is_empty()) else {
            return Err(problems);
        };
        let values = Self { capabilities, variant, values };
        let findings = value_findings(&values, assumed);
        Ok((values, findings))
    }

    /// What the version can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The variant, as given or assumed.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// `publishing.host`; `None` when a null deleted it.
    pub fn root_host(&self) -> Option<&str> {
        self.text("publishing.host", "example.org")
    }

    /// `publishing.apiServerEndpoint`; `None` when a null deleted it.
    pub fn api_server_endpoint(&self) -> Option<&str> {
        self.text("publishing.apiServerEndpoint", "")
    }

    /// `publishing.ingressName` as it was written, empty too; `None` when a null deleted it.
    pub fn expose_ingress(&self) -> Option<&str> {
        self.text("publishing.ingressName", "tenant-root")
    }

    /// The class of the host's Ingresses, which is also the namespace of its ingress controller.
    pub fn ingress_class(&self) -> &str {
        self.expose_ingress().filter(|name| !name.is_empty()).unwrap_or("tenant-root")
    }

    /// `networking.clusterDomain`; `None` when a null deleted it.
    pub fn cluster_domain(&self) -> Option<&str> {
        self.text("networking.clusterDomain", "cozy.local")
    }

    /// Whether the chart's `if` takes `publishing.proxyProtocol` for true. So it is for the text `"false"`.
    pub fn proxy_protocol(&self) -> bool {
        self.is_true("publishing.proxyProtocol", false)
    }

    /// Whether the host's ingress controller is really told to expect PROXY headers.
    ///
    /// Not so on v1.4, where the keys are dropped, and not so for a value that is true but is not written `true`.
    pub fn nginx_expects_proxy(&self) -> bool {
        self.capabilities.host_nginx_accepts_proxy && self.switch_text("publishing.proxyProtocol") == "true"
    }

    /// Whether `publishing.proxyProtocolAcknowledgeUnclean` is true.
    pub fn acknowledges_unclean(&self) -> bool {
        self.is_true("publishing.proxyProtocolAcknowledgeUnclean", false)
    }

    /// Whether the platform serves its own hosts through the Gateway API; never before v1.5.
    pub fn gateway_enabled(&self) -> bool {
        self.capabilities.gateway_mode && self.is_true("gateway.enabled", false)
    }

    /// Whether the system bundle is on: without it there is no ingress controller on the host and nothing that is
    /// foretold here is emitted.
    pub fn system_enabled(&self) -> bool {
        self.is_true("bundles.system.enabled", self.variant.enables_system())
    }

    /// Whether `bundles.disabledPackages` names a package.
    pub fn disables(&self, package: &str) -> bool {
        let disabled = self.at("bundles.disabledPackages").and_then(Value::as_array);
        disabled.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(package)))
    }

    /// `publishing.externalIPs`, as the chart joins them.
    pub fn external_ips(&self) -> Vec<String> {
        self.at("publishing.externalIPs").map(texts).unwrap_or_default()
    }

    /// `publishing.exposedServices`, as the chart joins them.
    pub fn exposed_services(&self) -> Vec<String> {
        let default = || ["api", "dashboard", "vm-exportproxy", "cdi-uploadproxy"].map(str::to_owned).to_vec();
        self.at("publishing.exposedServices").map_or_else(default, texts)
    }

    /// `authentication.oidc.enabled`.
    pub fn oidc_enabled(&self) -> bool {
        self.is_true("authentication.oidc.enabled", false)
    }

    /// What was written, without any default.
    pub(crate) fn written(&self) -> &Value {
        &self.values
    }

    /// The text that the chart makes of a switch with `default false | quote`.
    pub(crate) fn switch_text(&self, path: &str) -> String {
        let written = self.at(path).filter(|value| helm::is_true(value)).and_then(helm::text);
        written.unwrap_or_else(|| "false".to_owned())
    }

    fn at(&self, path: &str) -> Option<&Value> {
        at(&self.values, path)
    }

    /// A text, or `default` when the key is missing. A null deletes the default.
    pub(crate) fn text(&self, path: &str, default: &'static str) -> Option<&str> {
        self.at(path).map_or(Some(default), Value::as_str)
    }

    fn is_true(&self, path: &str, default: bool) -> bool {
        self.at(path).map_or(default, helm::is_true)
    }
}

fn at<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    helm::at(values, &path.split('.').collect::<Vec<_>>())
}

fn text_at<'a>(values: &'a Value, path: &str) -> Option<&'a str> {
    at(values, path).and_then(Value::as_str)
}

/// The texts that `join` makes of a list; of anything else it makes one text.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(helm::text).collect(),
        other => helm::text(other).into_iter().collect(),
    }
}

/// Every value with which the chart would stop, or would do something that cannot be foretold.
fn wrong_types(values: &Value, capabilities: Option<&Capabilities>) -> Vec<PlatformProblem> {
    let mut problems = Vec::new();
    let mut check = |path: &str, wanted: &'static str, fits: fn(&Value) -> bool| {
        if let Some(value) = at(values, path).filter(|value| !fits(value)) {
            problems.push(WrongType { key: path.to_owned(), wanted, found: helm::kind(value) });
        }
    };
    for section in [
        "publishing",
        "publishing.certificates",
        "networking",
        "bundles",
        "bundles.system",
        "authentication",
        "authentication.oidc",
    ] {
        check(section, "a map", Value::is_object);
    }
    let text: fn(&Value) -> bool = |value| value.is_string() || value.is_null();
    for path in ["publishing.host", "publishing.ingressName", "networking.clusterDomain"] {
        check(path, "a text", text);
    }
    let switch: fn(&Value) -> bool = |value| value.is_null() || helm::text(value).is_some();
    for path in ["publishing.proxyProtocol", "publishing.proxyProtocolAcknowledgeUnclean", "bundles.system.enabled"] {
        check(path, "a boolean", switch);
    }
    // Where the version does not read a key, any value will do.
    if capabilities.is_none_or(|capabilities| capabilities.gateway_mode) {
        check("gateway", "a map", Value::is_object);
        check("gateway.enabled", "a boolean", switch);
    }
    if capabilities.is_none_or(|capabilities| capabilities.has(Span::V1_4_1To6)) {
        check("publishing.exposure", "a text", text);
    }
    check("authentication.oidc.enabled", "a boolean", Value::is_boolean);
    for list in ["publishing.externalIPs", "publishing.exposedServices"] {
        check(list, "a list of texts", |value| match value {
            Value::Array(items) => items.iter().all(Value::is_string),
            other => other.is_null() || other.is_string(),
        });
    }
    check("bundles.disabledPackages", "a list of texts", |value| match value {
        Value::Array(items) => items.iter().all(Value::is_string),
        other => !helm::is_true(other),
    });
    if !(values.is_null() || values.is_object()) {
        problems.push(WrongType { key: String::new(), wanted: "a map", found: helm::kind(values) });
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a literal that parses")
    }

    fn read(text: &str, variant: Option<&str>, values: Value) -> (PlatformValues, Vec<Finding>) {
        PlatformValues::new(version(text), variant, values).expect("lawful values")
    }

    /// The rules and subjects of what is found.
    fn rules(text: &str, variant: Option<&str>, values: Value) -> Vec<(&'static str, String)> {
        read(text, variant, values).1.into_iter().map(|finding| (finding.rule, finding.subject)).collect()
    }

    #[test]
    fn what_was_not_written_has_the_platforms_defaults() {
        for nothing in [Value::Null, json!({}), json!({"publishing": {}, "networking": {}, "bundles": {"system": {}}})]
        {
            let (values, findings) = read("v1.6.2", Some("isp-full"), nothing);
            assert_eq!(findings, []);
            assert_eq!(values.root_host(), Some("example.org"));
            assert_eq!(values.expose_ingress(), Some("tenant-root"));
            assert_eq!(values.ingress_class(), "tenant-root");
            assert_eq!(values.cluster_domain(), Some("cozy.local"));
            assert_eq!(values.exposed_services(), ["api", "dashboard", "vm-exportproxy", "cdi-uploadproxy"]);
            assert_eq!(values.external_ips(), [""; 0]);
            let switches = [
                values.proxy_protocol(),
                values.nginx_expects_proxy(),
                values.acknowledges_unclean(),
                values.gateway_enabled(),
                values.oidc_enabled(),
                values.disables(OUROBOROS_PACKAGE),
            ];
            assert_eq!(switches, [false; 6]);
            assert!(values.system_enabled());
        }
    }

    #[test]
    fn what_was_written_is_kept() {
        let written = json!({
            "publishing": {
                "host": "cozy.example.com", "ingressName": "edge", "proxyProtocol": true,
                "proxyProtocolAcknowledgeUnclean": true, "externalIPs": ["203.0.113.4", "203.0.113.5"],
                "exposedServices": ["api"],
            },
            "networking": {"clusterDomain": "cluster.local"},
            "gateway": {"enabled": true},
            "authentication": {"oidc": {"enabled": true}},
            "bundles": {"system": {"enabled": true}, "disabledPackages": [OUROBOROS_PACKAGE]},
        });
        let (values, _) = read("v1.6.2", Some("isp-hosted"), written);
        assert_eq!(values.root_host(), Some("cozy.example.com"));
        assert_eq!(values.ingress_class(), "edge");
        assert_eq!(values.cluster_domain(), Some("cluster.local"));
        assert_eq!(values.exposed_services(), ["api"]);
        assert_eq!(values.external_ips(), ["203.0.113.4", "203.0.113.5"]);
        assert_eq!(values.variant(), Variant::IspHosted);
        let switches = [
            values.proxy_protocol(),
            values.nginx_expects_proxy(),
            values.acknowledges_unclean(),
            values.gateway_enabled(),
            values.oidc_enabled(),
            values.system_enabled(),
            values.disables(OUROBOROS_PACKAGE),
        ];
        assert_eq!(switches, [true; 7]);
        assert!(!values.disables(INGRESS_PACKAGE));
    }

    #[test]
    fn plain_values_name_their_variant_or_it_is_assumed() {
        let assumed = ("PlatformVariantAssumed", "bundles.system.variant".to_owned());
        for (values, variant, findings) in [
            (Value::Null, Variant::IspFull, vec![assumed]),
            (json!({"bundles": {"system": {"variant": "isp-hosted"}}}), Variant::IspHosted, vec![]),
            (json!({"bundles": {"system": {"variant": "isp-full-generic"}}}), Variant::IspFullGeneric, vec![]),
        ] {
            assert_eq!(read("v1.6.2", None, values.clone()).0.variant(), variant);
            assert_eq!(rules("v1.6.2", None, values), findings);
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let values = json!({
            "publishing": {"host": 5, "ingressName": ["x"], "proxyProtocol": {}, "externalIPs": [1], "certificates": null},
            "networking": [],
            "bundles": {"system": null, "disabledPackages": "cozystack.ouroboros"},
            "authentication": {"oidc": {"enabled": "true"}},
            "gateway": 1,
        });
        let problems = PlatformValues::new(version("v1.3.0"), Some("isp-ful"), values).expect_err("nothing is right");
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "cozystack v1.3.0 is not supported: v1.4.0 is the first version with `publishing.proxyProtocol`",
                "`isp-ful` is not a variant of the platform",
                "`publishing.certificates` is null; the platform needs a map there",
                "`networking` is a list; the platform needs a map there",
                "`bundles.system` is null; the platform needs a map there",
                "`publishing.host` is a number; the platform needs a text there",
                "`publishing.ingressName` is a list; the platform needs a text there",
                "`publishing.proxyProtocol` is a map; the platform needs a boolean there",
                "`gateway` is a number; the platform needs a map there",
                "`authentication.oidc.enabled` is a text; the platform needs a boolean there",
                "`publishing.externalIPs` is a list; the platform needs a list of texts there",
                "`bundles.disabledPackages` is a text; the platform needs a list of texts there",
            ]
        );
        let hints: Vec<(&str, Option<String>)> =
            problems.iter().map(|problem| (problem.key(), problem.hint())).collect();
        assert_eq!(hints[1], ("", Some("did you mean `isp-full`?".to_owned())));
        assert_eq!(hints[2].0, "publishing.certificates");
        assert!(hints[2].1.as_deref().is_some_and(|hint| hint.starts_with("leave `publishing.certificates` out")));
    }

    #[test]
    fn values_that_are_no_map_are_a_problem() {
        for values in [json!([]), json!("x"), json!(true)] {
            let problems = PlatformValues::new(version("v1.6.2"), Some("isp-full"), values).expect_err("no map");
            assert_eq!(problems.len(), 1);
        }
        let publishing = json!({"publishing": ["proxyProtocol"]});
        let problems = PlatformValues::new(version("v1.6.2"), Some("isp-full"), publishing).expect_err("no map");
        assert_eq!(problems, [WrongType { key: "publishing".to_owned(), wanted: "a map", found: "a list" }]);
    }

    #[test]
    fn an_unknown_variant_in_plain_values_is_blamed_on_its_key() {
        let values = json!({"bundles": {"system": {"variant": "distro"}}});
        let problems = PlatformValues::new(version("v1.6.2"), None, values).expect_err("no such variant");
        let unknown = UnknownVariant { key: "bundles.system.variant", found: "distro".to_owned(), similar: None };
        assert_eq!(problems, [unknown]);
    }
}
