//! The values that the chart of ouroboros gets.
//!
//! Keys and defaults are those of chart 0.7.2 to 0.8.1. A key that is not needed is left out, so that the chart's
//! default, or the platform's value, stands.

use serde_json::{Map, Value, json};

use crate::{
    dns::ouroboros::sources::{GatewayApi, Watch},
    model::cluster::{Engine, OuroborosMode},
    plan::pinned::{Pinned, Reference},
    platform::helm,
};

/// What a controller with these values of the chart reads. A class that is no text is none, as to the chart.
pub(super) fn watch(values: &Value) -> Watch<'_> {
    let text = |key| helm::at(values, &["controller", key]).and_then(Value::as_str).filter(|text| !text.is_empty());
    let watches = helm::at(values, &["controller", "gatewayApi", "enabled"]).is_some_and(helm::is_true);
    let gateway_api = if watches { GatewayApi::Watched { class: text("gatewayClass") } } else { GatewayApi::Ignored };
    Watch { ingress_class: text("ingressClass"), gateway_api }
}

/// What the values depend on.
#[derive(Clone, Debug)]
pub(super) struct ChartValues<'a> {
    /// Who writes the records.
    pub(super) engine: Engine,
    /// The controller's mode, when it is to be written although the chart or the platform has a default.
    pub(super) mode: Option<OuroborosMode>,
    /// The class of Ingress that the controller reads; `None`: every class.
    pub(super) ingress_class: Option<&'a str>,
    /// The cluster's DNS domain; `None`: the controller finds it out.
    pub(super) cluster_domain: Option<&'a str>,
    /// Namespace and name of the Service that the proxy dials; `None`: the platform says.
    pub(super) target: Option<(&'a str, &'a str)>,
    /// Whether the controller reads the Gateway API; `None`: the chart's default.
    pub(super) gateway_api: Option<bool>,
}

impl ChartValues<'_> {
    /// The values as the chart itself takes them.
    pub(super) fn upstream(&self, pinned: &Pinned) -> Value {
        let mut controller = Map::new();
        if let Engine::Static(_) = self.engine {
            // The records are in Git: no controller, and no hook that edits what Git owns.
            controller.insert("enabled".to_owned(), json!(false));
            for owner in ["coredns", "corednsImport"] {
                controller.insert(owner.to_owned(), json!({"cleanupOnUninstall": false}));
            }
        }
        if let Some(mode) = self.mode {
            controller.insert("mode".to_owned(), json!(mode.as_str()));
        }
        if let Some(class) = self.ingress_class {
            controller.insert("ingressClass".to_owned(), json!(class));
        }
        if let Some(domain) = self.cluster_domain {
            controller.insert("clusterDomain".to_owned(), json!(domain));
        }
        if let Some(enabled) = self.gateway_api {
            controller.insert("gatewayApi".to_owned(), json!({ "enabled": enabled }));
        }
        controller.insert("cleanupHookImage".to_owned(), image(&pinned.cleanup_hook));
        controller.sort_keys();
        let mut values = Map::new();
        values.insert("controller".to_owned(), Value::Object(controller));
        values.insert("image".to_owned(), image(&pinned.image));
        if let Some((namespace, service)) = self.target {
            values.insert("proxy".to_owned(), json!({"target": {"namespace": namespace, "serviceName": service}}));
        }
        Value::Object(values)
    }

    /// The values as cozystack's wrapper chart takes them.
    pub(super) fn wrapped(&self, pinned: &Pinned) -> Value {
        json!({ "ouroboros": self.upstream(pinned) })
    }
}

/// The chart joins repository and tag with a colon, so the digest goes into the tag.
fn image(reference: &Reference) -> Value {
    json!({"repository": reference.repository, "tag": reference.tag_at_digest()})
}
