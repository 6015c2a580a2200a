//! Objects as they stand in a snapshot: what the model has of them, in the form of the API.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    config::inventory::object::Kind,
    model::{
        cluster::SecretKey,
        inventory::{
            GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject, ObjectMeta,
            Progress, Ready, RouteObject, ServiceObject, TenantObject,
        },
        layer::TenantId,
    },
};

pub(super) fn ingress(ingress: &IngressObject) -> Value {
    let mut spec = Map::new();
    if let Some(class) = &ingress.class {
        spec.insert("ingressClassName".to_owned(), json!(class));
    }
    if !ingress.tls_hosts.is_empty() {
        spec.insert("tls".to_owned(), json!([{"hosts": ingress.tls_hosts}]));
    }
    if !ingress.rule_hosts.is_empty() {
        let rules = ingress.rule_hosts.iter().map(|host| json!({"host": host}));
        spec.insert("rules".to_owned(), rules.collect());
    }
    object(Kind::Ingress, metadata(&ingress.meta).into(), spec.into())
}

pub(super) fn gateway(gateway: &GatewayObject) -> Value {
    let listeners: Value = gateway.hosts.iter().map(|host| json!({"hostname": host})).collect();
    let spec = json!({"gatewayClassName": gateway.class, "listeners": listeners});
    object(Kind::Gateway, metadata(&gateway.meta).into(), spec)
}

pub(super) fn http_route(object: &RouteObject) -> Value {
    route(Kind::HttpRoute, object)
}

pub(super) fn tls_route(object: &RouteObject) -> Value {
    route(Kind::TlsRoute, object)
}

fn route(kind: Kind, route: &RouteObject) -> Value {
    let parents = route.parents.iter().map(|(namespace, name)| json!({"namespace": namespace, "name": name}));
    let spec = json!({"hostnames": route.hosts, "parentRefs": parents.collect::<Value>()});
    object(kind, metadata(&route.meta).into(), spec)
}

pub(super) fn service(service: &ServiceObject) -> Value {
    let mut spec = json!({"type": service.service_type});
    if !service.cluster_ips.is_empty() {
        spec["clusterIPs"] = json!(service.cluster_ips);
    }
    if !service.external_ips.is_empty() {
        spec["externalIPs"] = json!(service.external_ips);
    }
    if let Some(class) = &service.load_balancer_class {
        spec["loadBalancerClass"] = json!(class);
    }
    object(Kind::Service, metadata(&service.meta).into(), spec)
}

pub(super) fn config_map((name, data): (&String, &BTreeMap<String, String>)) -> Value {
    let (api_version, kind) = Kind::ConfigMap.names();
    let metadata = json!({"namespace": "kube-system", "name": name});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "data": data})
}

pub(super) fn tenant((id, tenant): (&TenantId, &TenantObject)) -> Value {
    let metadata = json!({"namespace": id.namespace.as_str(), "name": id.name.as_str()});
    match tenant {
        TenantObject::Kubernetes { addons } => object(Kind::Tenant, metadata, json!({"addons": sorted(addons)})),
        TenantObject::Kubeconfig(SecretKey { name, key }) => {
            let spec = json!({"kubeconfig": {"name": name.as_str(), "key": key}});
            object(Kind::KubeconfigTenant, metadata, spec)
        }
    }
}

pub(super) fn package((name, spec): (&String, &Value)) -> Value {
    object(Kind::Package, json!({"name": name}), sorted(spec))
}

pub(super) fn helm_release(release: &HelmReleaseObject) -> Value {
    let mut metadata = metadata(&release.meta);
    if !release.labels.is_empty() {
        metadata.insert("labels".to_owned(), json!(release.labels));
    }
    let mut spec = json!({
        "releaseName": release.release_name,
        "storageNamespace": release.storage_namespace,
        "targetNamespace": release.target_namespace,
    });
    if let Some(secret) = &release.kubeconfig_secret {
        spec["kubeConfig"] = json!({"secretRef": {"name": secret}});
    }
    progressing(Kind::HelmRelease, metadata, spec, Map::new(), &release.progress)
}

pub(super) fn kustomization(kustomization: &KustomizationObject) -> Value {
    let mut spec = json!({
        "path": kustomization.path,
        "prune": kustomization.prune,
        "sourceRef": {
            "kind": kustomization.source_kind,
            "namespace": kustomization.source_namespace,
            "name": kustomization.source_name,
        },
    });
    if kustomization.is_remote {
        spec["kubeConfig"] = json!({});
    }
    let mut status = Map::new();
    if !kustomization.applied_revision.is_empty() {
        status.insert("lastAppliedRevision".to_owned(), json!(kustomization.applied_revision));
    }
    progressing(Kind::Kustomization, metadata(&kustomization.meta), spec, status, &kustomization.progress)
}

pub(super) fn git_repository(repository: &GitRepositoryObject) -> Value {
    let mut spec = json!({"url": repository.url});
    if !repository.branch.is_empty() {
        spec["ref"] = json!({"branch": repository.branch});
    }
    progressing(Kind::GitRepository, metadata(&repository.meta), spec, Map::new(), &repository.progress)
}

/// An object of Flux with what its controller said.
fn progressing(
    kind: Kind,
    metadata: Map<String, Value>,
    mut spec: Value,
    mut status: Map<String, Value>,
    Progress { suspended, ready }: &Progress,
) -> Value {
    if *suspended {
        spec["suspend"] = json!(true);
    }
    if let Some(Ready { status: state, reason, message }) = ready {
        let condition = json!({"type": "Ready", "status": state, "reason": reason, "message": message});
        status.insert("conditions".to_owned(), json!([condition]));
    }
    let mut object = object(kind, metadata.into(), spec);
    if !status.is_empty() {
        object["status"] = status.into();
    }
    object
}

fn object(kind: Kind, metadata: Value, spec: Value) -> Value {
    let (api_version, kind) = kind.names();
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

fn metadata(meta: &ObjectMeta) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("namespace".to_owned(), json!(*meta.namespace));
    metadata.insert("name".to_owned(), json!(*meta.name));
    if !meta.uid.is_empty() {
        metadata.insert("uid".to_owned(), json!(meta.uid));
    }
    if let Some(created) = meta.created {
        metadata.insert("creationTimestamp".to_owned(), json!(created.to_string()));
    }
    metadata
}

/// What people wrote in any order, in one order: the same content is the same text.
fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    value.sort_all_objects();
    value
}
