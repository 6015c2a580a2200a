//! The platform's values, with the defaults of their version and variant.

use serde_json::Value;

use crate::{
    model::{
        cluster::Version,
        finding::{Finding, Severity},
    },
    platform::{
        capabilities::{Capabilities, Span},
        helm,
        keys::unknown_keys,
        problem::PlatformProblem::{self, UnknownVariant, WrongType},
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
    /// `variant` is `spec.variant` of the platform's `Package`. Plain values have none: then `bundles.system.variant`
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
        let findings = values.findings(assumed);
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

    /// The text that the chart makes of a switch with `default false | quote`.
    pub(crate) fn switch_text(&self, path: &str) -> String {
        let written = self.at(path).filter(|value| helm::is_true(value)).and_then(helm::text);
        written.unwrap_or_else(|| "false".to_owned())
    }

    fn at(&self, path: &str) -> Option<&Value> {
        at(&self.values, path)
    }

    /// A text, or `default` when the key is missing. A null deletes the default.
    fn text(&self, path: &str, default: &'static str) -> Option<&str> {
        self.at(path).map_or(Some(default), Value::as_str)
    }

    fn is_true(&self, path: &str, default: bool) -> bool {
        self.at(path).map_or(default, helm::is_true)
    }

    fn findings(&self, variant_assumed: bool) -> Vec<Finding> {
        let version = self.capabilities.version;
        let mut findings = Vec::new();
        let mut add = |severity, rule, subject: &str, message: String, fix: &str| {
            let (subject, fix) = (subject.to_owned(), Some(fix.to_owned()));
            findings.push(Finding { severity, rule, subject, message, fix });
        };
        if !self.capabilities.is_known {
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
                "Plain values do not say which variant of the platform they belong to: `isp-full` is assumed."
                    .to_owned(),
                "Write the platform's whole Package, or `bundles.system.variant`.",
            );
        }
        if self.proxy_protocol() {
            self.proxy_findings(&mut add);
        }
        if self.capabilities.has(Span::V1_4_1To6) {
            let exposure = self.text("publishing.exposure", "externalIPs").unwrap_or_default();
            if !matches!(exposure, "externalIPs" | "loadBalancer") {
                add(
                    Severity::Error,
                    "ExposureRefused",
                    "publishing.exposure",
                    format!("`{}` is no way to expose the host's ingress: its chart stops.", exposure.escape_debug()),
                    "Write `externalIPs` or `loadBalancer`.",
                );
            } else if exposure == "loadBalancer" && self.external_ips().is_empty() {
                add(
                    Severity::Error,
                    "ExposureRefused",
                    "publishing.exposure",
                    "`loadBalancer` without `publishing.externalIPs`: the chart of the host's ingress stops."
                        .to_owned(),
                    "List the addresses in `publishing.externalIPs`.",
                );
            }
        }
        findings.extend(unknown_keys(&self.capabilities, &self.values));
        findings
    }

    /// What is wrong with PROXY protocol being on.
    fn proxy_findings(&self, add: &mut impl FnMut(Severity, &'static str, &str, String, &str)) {
        const KEY: &str = "publishing.proxyProtocol";
        let version = self.capabilities.version;
        if !self.system_enabled() {
            add(
                Severity::Warning,
                "ProxyProtocolWithoutSystemBundle",
                KEY,
                format!(
                    "The system bundle is off in variant `{}`: the platform installs neither ouroboros nor an ingress \
                     controller on the host, and none of its guards runs.",
                    self.variant.as_str()
                ),
                "Remove the key, or bring the host's ingress controller and describe the platform as generic.",
            );
        } else if !self.capabilities.host_nginx_accepts_proxy {
            let harm = if self.capabilities.host_package_has_target {
                "ouroboros sends PROXY headers to an ingress controller that rejects them"
            } else {
                "ouroboros dials a Service that does not exist on the host and never becomes ready"
            };
            add(
                Severity::Error,
                "ProxyProtocolUnsupportedByPlatform",
                KEY,
                format!(
                    "On {version} the host's ingress controller is never told to expect PROXY headers, and {harm}."
                ),
                "Upgrade the platform to v1.5.0 or newer; until then keep PROXY protocol off.",
            );
        } else if !self.nginx_expects_proxy() {
            add(
                Severity::Error,
                "ProxyProtocolNotTrue",
                KEY,
                format!(
                    "`{}` counts as true where ouroboros is installed, but the host's ingress controller expects PROXY \
                     headers only when it is written `true`.",
                    self.switch_text(KEY).escape_debug()
                ),
                "Write `true` or `false`, without quotes.",
            );
        }
        if self.gateway_enabled() {
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
