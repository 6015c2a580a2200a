//! What the kinds say in `spec` and `data`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    config::{
        inventory::object::{Content, DNS_CONFIG_MAPS, ROOT_CA, required},
        kubernetes::leaf::{At, Fault, Leaf, Shape, Shaped},
    },
    model::{
        digest::Digest,
        inventory::{GatewayObject, HelmReleaseObject, HttpRouteObject, IngressObject, ObjectMeta, TenantObject},
        layer::TenantId,
        name::Name,
    },
};

/// The fields of all kinds' `spec` that matter; they do not get into each other's way.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    // Ingress
    ingress_class_name: Leaf<String>,
    tls: Leaf<Vec<Leaf<IngressTls>>>,
    rules: Leaf<Vec<Leaf<IngressRule>>>,
    // Gateway
    gateway_class_name: Leaf<String>,
    listeners: Leaf<Vec<Leaf<Listener>>>,
    // HTTPRoute
    hostnames: Leaf<Vec<Leaf<String>>>,
    parent_refs: Leaf<Vec<Leaf<ParentRef>>>,
    // Kubernetes
    addons: Leaf<Map<String, Value>>,
    // HelmRelease
    release_name: Leaf<String>,
    target_namespace: Leaf<String>,
    storage_namespace: Leaf<String>,
    kube_config: Leaf<KubeConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IngressTls {
    hosts: Leaf<Vec<Leaf<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IngressRule {
    host: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listener {
    hostname: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ParentRef {
    group: Leaf<String>,
    kind: Leaf<String>,
    namespace: Leaf<String>,
    name: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct KubeConfig {
    secret_ref: Leaf<SecretRef>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecretRef {
    name: Leaf<String>,
}

macro_rules! mappings {
    ($($name:ty),*) => { $(impl Shaped for $name { const SHAPE: Shape = Shape::Mapping; })* };
}
mappings!(Spec, IngressTls, IngressRule, Listener, ParentRef, KubeConfig, SecretRef);

impl Spec {
    pub(super) fn ingress(self, meta: ObjectMeta, faults: &mut Vec<Fault>) -> IngressObject {
        let class = self.ingress_class_name.take("spec.ingressClassName", faults);
        let mut tls_hosts = Vec::new();
        for (_, index, tls) in self.tls.entries("spec.tls", faults) {
            tls_hosts.extend(texts(tls.hosts, &format!("spec.tls[{index}].hosts"), faults));
        }
        let mut rule_hosts = Vec::new();
        for (_, index, rule) in self.rules.entries("spec.rules", faults) {
            let host = rule.host.take(format_args!("spec.rules[{index}].host"), faults);
            rule_hosts.extend(host.filter(|host| !host.is_empty()));
        }
        IngressObject { meta, class, tls_hosts, rule_hosts }
    }

    pub(super) fn gateway(self, meta: ObjectMeta, faults: &mut Vec<Fault>) -> GatewayObject {
        let class = self.gateway_class_name.take("spec.gatewayClassName", faults).unwrap_or_default();
        let mut hosts = Vec::new();
        for (_, index, listener) in self.listeners.entries("spec.listeners", faults) {
            let host = listener.hostname.take(format_args!("spec.listeners[{index}].hostname"), faults);
            hosts.extend(host.filter(|host| !host.is_empty()));
        }
        GatewayObject { meta, class, hosts }
    }

    pub(super) fn http_route(self, meta: ObjectMeta, faults: &mut Vec<Fault>) -> HttpRouteObject {
        let hosts = texts(self.hostnames, "spec.hostnames", faults);
        let mut parents = Vec::new();
        for (at, index, parent) in self.parent_refs.entries("spec.parentRefs", faults) {
            let key = |field: &str| format!("spec.parentRefs[{index}].{field}");
            let group = parent.group.take(key("group"), faults).unwrap_or_default();
            let kind = parent.kind.take(key("kind"), faults).unwrap_or_default();
            // Absent means a Gateway; the API allows Services and others too, which have no host names.
            if matches!(group.as_str(), "" | "gateway.networking.k8s.io") && matches!(kind.as_str(), "" | "Gateway") {
                let namespace = parent.namespace.take(key("namespace"), faults).filter(|name| !name.is_empty());
                let name = required(parent.name, &key("name"), at, faults);
                parents.push((namespace.unwrap_or_else(|| meta.namespace.as_ref().to_owned()), name));
            }
        }
        HttpRouteObject { meta, hosts, parents }
    }

    pub(super) fn tenant(self, meta: &ObjectMeta, at: At, faults: &mut Vec<Fault>) -> Content {
        let addons = self.addons.take("spec.addons", faults).unwrap_or_default();
        match tenant_id(&meta.namespace, &meta.name, at, faults) {
            Some(id) => Content::Tenant(id, TenantObject { addons: Value::Object(addons) }),
            None => Content::Broken,
        }
    }

    pub(super) fn helm_release(
        self,
        meta: ObjectMeta,
        labels: BTreeMap<String, String>,
        faults: &mut Vec<Fault>,
    ) -> HelmReleaseObject {
        let mut text = |leaf: Leaf<String>, key: &str| leaf.take(key, faults).filter(|text| !text.is_empty());
        let release_name = text(self.release_name, "spec.releaseName");
        let target_namespace = text(self.target_namespace, "spec.targetNamespace");
        let storage_namespace = text(self.storage_namespace, "spec.storageNamespace");
        let kube_config = self.kube_config.take("spec.kubeConfig", faults);
        // Without a Secret (`configMapRef`) the release goes into another cluster all the same.
        let is_remote = kube_config.is_some();
        let secret_ref = kube_config.and_then(|config| config.secret_ref.take("spec.kubeConfig.secretRef", faults));
        let secret = secret_ref.and_then(|secret| secret.name.take("spec.kubeConfig.secretRef.name", faults));
        let own_namespace = || meta.namespace.as_ref().to_owned();
        HelmReleaseObject {
            release_name: release_name.unwrap_or_else(|| default_release_name(target_namespace.as_deref(), &meta.name)),
            storage_namespace: storage_namespace.unwrap_or_else(own_namespace),
            target_namespace: target_namespace.unwrap_or_else(own_namespace),
            kubeconfig_secret: secret.or_else(|| is_remote.then(String::new)),
            labels,
            meta,
        }
    }
}

/// What Flux calls a release that names itself nothing; longer than Helm's 53 bytes, it is cut and ends in a hash
/// (fluxcd/helm-controller, `internal/release.ShortenName`).
fn default_release_name(target_namespace: Option<&str>, name: &str) -> String {
    let full = target_namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}-{name}"));
    if full.len() <= 53 {
        return full;
    }
    let hash = Digest::of(full.as_bytes());
    format!("{}-{}", &full[..full.floor_char_boundary(40)], &hash.as_str()["sha256:".len()..][..12])
}

pub(super) fn config_map(
    meta: &ObjectMeta,
    data: Leaf<BTreeMap<String, Leaf<String>>>,
    faults: &mut Vec<Fault>,
) -> Content {
    let name = meta.name.as_ref();
    if meta.namespace.as_ref() != "kube-system" {
        Content::Foreign
    } else if name == ROOT_CA {
        Content::ConfigMap(name.to_owned(), BTreeMap::new())
    } else if DNS_CONFIG_MAPS.contains(&name) {
        Content::ConfigMap(name.to_owned(), texts_by_key(data, "data", faults))
    } else {
        Content::Foreign
    }
}

/// Checks that a namespace and a name are such.
pub(super) fn tenant_id(namespace: &str, name: &str, at: At, faults: &mut Vec<Fault>) -> Option<TenantId> {
    let mut checked = |text: &str, key: &str| {
        let checked = Name::parse(text);
        checked.map_err(|error| faults.push(Fault { at, key: key.to_owned(), message: error.to_string() })).ok()
    };
    let namespace = checked(namespace, "namespace");
    let name = checked(name, "name");
    Some(TenantId { namespace: namespace?, name: name? })
}

fn texts(list: Leaf<Vec<Leaf<String>>>, key: &str, faults: &mut Vec<Fault>) -> Vec<String> {
    list.entries(key, faults).into_iter().map(|(_, _, text)| text).collect()
}

pub(super) fn texts_by_key(
    map: Leaf<BTreeMap<String, Leaf<String>>>,
    key: &str,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for (name, leaf) in map.take(key, faults).unwrap_or_default() {
        if let Some(text) = leaf.take(format_args!("{key}[{name:?}]"), faults) {
            texts.insert(name, text);
        }
    }
    texts
}
