//! What the kinds say in `spec` and `data`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    config::{
        inventory::{
            address,
            object::{Content, DNS_CONFIG_MAPS, ROOT_CA, required},
        },
        kubernetes::leaf::{At, Fault, Leaf, Read, Shape, Shaped, found},
        values::{self, ValueError},
    },
    model::{
        cluster::SecretKey,
        digest::Digest,
        inventory::{
            GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject, ObjectMeta,
            Progress, Ready, RouteObject, ServiceObject, TenantObject,
        },
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
    // HTTPRoute, TLSRoute
    hostnames: Leaf<Vec<Leaf<String>>>,
    parent_refs: Leaf<Vec<Leaf<ParentRef>>>,
    // Service
    #[serde(rename = "type")]
    service_type: Leaf<String>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Leaf<String>,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Leaf<Vec<Leaf<String>>>,
    #[serde(rename = "externalIPs")]
    external_ips: Leaf<Vec<Leaf<String>>>,
    load_balancer_class: Leaf<String>,
    // Kubernetes
    addons: Leaf<Map<String, Value>>,
    // Tenant
    kubeconfig: Leaf<KubeconfigRef>,
    // HelmRelease
    release_name: Leaf<String>,
    target_namespace: Leaf<String>,
    storage_namespace: Leaf<String>,
    // HelmRelease, Kustomization
    kube_config: Leaf<KubeConfig>,
    // Kustomization
    path: Leaf<String>,
    prune: Leaf<Value>,
    source_ref: Leaf<SourceRef>,
    // GitRepository
    url: Leaf<String>,
    #[serde(rename = "ref")]
    reference: Leaf<GitReference>,
    // HelmRelease, Kustomization, GitRepository
    suspend: Leaf<Value>,
}

/// What a Flux controller says in `status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Status {
    conditions: Leaf<Vec<Leaf<Condition>>>,
    last_applied_revision: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    condition_type: Leaf<String>,
    status: Leaf<String>,
    reason: Leaf<String>,
    message: Leaf<String>,
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
struct KubeconfigRef {
    name: Leaf<String>,
    key: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecretRef {
    name: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SourceRef {
    kind: Leaf<String>,
    namespace: Leaf<String>,
    name: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GitReference {
    branch: Leaf<String>,
}

/// The add-ons of a tenant that anything here asks for.
const ADDONS: [&str; 4] = ["coredns", "gatewayAPI", "ingressNginx", "ouroboros"];

macro_rules! mappings {
    ($($name:ty),*) => { $(impl Shaped for $name { const SHAPE: Shape = Shape::Mapping; })* };
}
mappings!(
    Spec,
    Status,
    Condition,
    IngressTls,
    IngressRule,
    Listener,
    ParentRef,
    KubeConfig,
    KubeconfigRef,
    SecretRef,
    SourceRef,
    GitReference
);

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
        // There may be a hundred thousand of them.
        tls_hosts.shrink_to_fit();
        rule_hosts.shrink_to_fit();
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

    pub(super) fn route(self, meta: ObjectMeta, faults: &mut Vec<Fault>) -> RouteObject {
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
        RouteObject { meta, hosts, parents }
    }

    pub(super) fn service(self, meta: ObjectMeta, faults: &mut Vec<Fault>) -> ServiceObject {
        let mut text = |leaf: Leaf<String>, key: &str| leaf.take(key, faults).filter(|text| !text.is_empty());
        let service_type = text(self.service_type, "spec.type").unwrap_or_else(|| "ClusterIP".to_owned());
        let cluster_ip = text(self.cluster_ip, "spec.clusterIP");
        let load_balancer_class = text(self.load_balancer_class, "spec.loadBalancerClass");
        let mut cluster_ips = texts(self.cluster_ips, "spec.clusterIPs", faults);
        if cluster_ips.is_empty() {
            cluster_ips.extend(cluster_ip);
        }
        let external_ips = texts(self.external_ips, "spec.externalIPs", faults);
        ServiceObject { meta, service_type, cluster_ips, external_ips, load_balancer_class }
    }

    pub(super) fn tenant(self, meta: &ObjectMeta, at: At, faults: &mut Vec<Fault>) -> Content {
        let mut addons = self.addons.take("spec.addons", faults).unwrap_or_default();
        // What others are told may be secret, and is nobody's business here.
        addons.retain(|addon, _| ADDONS.contains(&addon.as_str()));
        match tenant_id(&meta.namespace, &meta.name, at, faults) {
            Some(id) => Content::Tenant(id, TenantObject::Kubernetes { addons: Value::Object(addons) }),
            None => Content::Broken,
        }
    }

    pub(super) fn kubeconfig_tenant(self, meta: &ObjectMeta, at: At, faults: &mut Vec<Fault>) -> Content {
        let at = self.kubeconfig.at.or(at);
        if self.kubeconfig.is_nothing() {
            let message = "`spec.kubeconfig` is missing".to_owned();
            faults.push(Fault { at, key: "spec.kubeconfig".to_owned(), message });
        }
        let Some(KubeconfigRef { name, key }) = self.kubeconfig.take("spec.kubeconfig", faults) else {
            return Content::Broken;
        };
        let name = lawful(name, "spec.kubeconfig.name", at, faults, values::name);
        let key = lawful(key, "spec.kubeconfig.key", at, faults, values::secret_key);
        let id = tenant_id(&meta.namespace, &meta.name, at, faults);
        match (id, name, key) {
            (Some(id), Some(name), Some(key)) => Content::Tenant(id, TenantObject::Kubeconfig(SecretKey { name, key })),
            _ => Content::Broken,
        }
    }

    pub(super) fn helm_release(
        self,
        meta: ObjectMeta,
        labels: BTreeMap<String, String>,
        status: Status,
        faults: &mut Vec<Fault>,
    ) -> HelmReleaseObject {
        let progress = progress(self.suspend, status.conditions, faults);
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
            progress,
            meta,
        }
    }

    pub(super) fn kustomization(
        self,
        meta: ObjectMeta,
        status: Status,
        at: At,
        faults: &mut Vec<Fault>,
    ) -> KustomizationObject {
        let progress = progress(self.suspend, status.conditions, faults);
        let source_at = self.source_ref.at.or(at);
        let source = self.source_ref.take("spec.sourceRef", faults).unwrap_or_default();
        let source_namespace =
            source.namespace.take("spec.sourceRef.namespace", faults).filter(|namespace| !namespace.is_empty());
        KustomizationObject {
            path: self.path.take("spec.path", faults).unwrap_or_default(),
            source_kind: required(source.kind, "spec.sourceRef.kind", source_at, faults),
            source_namespace: source_namespace.unwrap_or_else(|| meta.namespace.as_ref().to_owned()),
            source_name: required(source.name, "spec.sourceRef.name", source_at, faults),
            prune: flag(self.prune, "spec.prune", faults),
            is_remote: self.kube_config.take("spec.kubeConfig", faults).is_some(),
            applied_revision: status
                .last_applied_revision
                .take("status.lastAppliedRevision", faults)
                .unwrap_or_default(),
            progress,
            meta,
        }
    }

    pub(super) fn git_repository(
        self,
        meta: ObjectMeta,
        status: Status,
        faults: &mut Vec<Fault>,
    ) -> GitRepositoryObject {
        let progress = progress(self.suspend, status.conditions, faults);
        let url = self.url.take("spec.url", faults).unwrap_or_default();
        let reference = self.reference.take("spec.ref", faults).unwrap_or_default();
        let branch = reference.branch.take("spec.ref.branch", faults).unwrap_or_default();
        GitRepositoryObject { meta, url: address::without_user(&url), branch, progress }
    }
}

/// What a Flux controller said last: `spec.suspend` and the condition `Ready`.
fn progress(suspend: Leaf<Value>, conditions: Leaf<Vec<Leaf<Condition>>>, faults: &mut Vec<Fault>) -> Progress {
    let suspended = flag(suspend, "spec.suspend", faults);
    let mut ready = None;
    for (_, index, condition) in conditions.entries("status.conditions", faults) {
        let mut text = |leaf: Leaf<String>, field: &str| {
            leaf.take(format_args!("status.conditions[{index}].{field}"), faults).unwrap_or_default()
        };
        if text(condition.condition_type, "type") == "Ready" {
            ready = Some(Ready {
                status: text(condition.status, "status"),
                reason: text(condition.reason, "reason"),
                message: address::without_users(&text(condition.message, "message")),
            });
        }
    }
    Progress { suspended, ready }
}

/// A boolean; false when there is none.
fn flag(leaf: Leaf<Value>, key: &str, faults: &mut Vec<Fault>) -> bool {
    let wrong = match leaf.read {
        Read::Nothing => return false,
        Read::Value(Value::Bool(flag)) => return flag,
        Read::Value(value) => found(&value),
        Read::Wrong(found) => found,
    };
    faults.push(Fault { at: leaf.at, key: key.to_owned(), message: format!("`{key}` is {wrong}, not a boolean") });
    false
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

/// A text that must be there and be what its key needs.
fn lawful<T>(
    leaf: Leaf<String>,
    key: &str,
    at: At,
    faults: &mut Vec<Fault>,
    parse: fn(&str) -> Result<T, ValueError>,
) -> Option<T> {
    let at = leaf.at.or(at);
    let text = Some(required(leaf, key, at, faults)).filter(|text| !text.is_empty())?;
    let message = |error| format!("`{key}`: {error}");
    parse(&text).map_err(|error| faults.push(Fault { at, key: key.to_owned(), message: message(error) })).ok()
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
