//! An inventory as text.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::{
    config::inventory::object::Kind,
    model::{
        inventory::{
            ClusterInventory, GatewayObject, HelmReleaseObject, HttpRouteObject, IngressObject, Inventory, ObjectMeta,
        },
        observed::{Observed, Unknown},
    },
};

/// Writes an inventory as a document of our own kind, which [`super::parse_inventory`] reads back into the same value but
/// for the digest.
///
/// An inventory that does not know its cluster becomes a document without `metadata.name`, which is not read back: name
/// the cluster first.
pub fn inventory_text(inventory: &Inventory) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&Document::of(inventory), options)
        .expect("plain values and texts can be written, and memory does not refuse")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Value,
    observed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Value>,
    host: Sources<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenants: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    helm_releases: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenant_clusters: Vec<TenantCluster<'a>>,
}

impl<'a> Document<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        Self {
            api_version: "bobbypin.dev/v1alpha1",
            kind: "Inventory",
            metadata: inventory.cluster.as_ref().map_or_else(|| json!({}), |name| json!({"name": name.as_str()})),
            observed_at: inventory.observed_at.to_string(),
            uid: match &inventory.uid {
                Observed::Present(uid) => Some(json!(uid)),
                Observed::Absent => Some(json!({"state": "Absent"})),
                Observed::Unknown(unknown) if *unknown == Unknown::not_collected() => None,
                Observed::Unknown(Unknown { reason, message }) => {
                    Some(json!({"state": "Unknown", "reason": reason, "message": message}))
                }
            },
            host: Sources::of(&inventory.host),
            tenants: source(&inventory.tenants, |tenants| {
                Box::new(tenants.iter().map(|(id, tenant)| {
                    let metadata = json!({"namespace": id.namespace.as_str(), "name": id.name.as_str()});
                    object(Kind::Tenant, metadata, json!({"addons": tenant.addons}))
                }))
            }),
            packages: source(&inventory.packages, |packages| {
                Box::new(packages.iter().map(|(name, spec)| object(Kind::Package, json!({"name": name}), spec.clone())))
            }),
            helm_releases: source(&inventory.helm_releases, |releases| Box::new(releases.iter().map(helm_release))),
            tenant_clusters: inventory
                .tenant_clusters
                .iter()
                .map(|(id, cluster)| TenantCluster {
                    namespace: id.namespace.as_str(),
                    name: id.name.as_str(),
                    sources: Sources::of(cluster),
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct TenantCluster<'a> {
    namespace: &'a str,
    name: &'a str,
    #[serde(flatten)]
    sources: Sources<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sources<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ingresses: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateways: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_routes: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_config_maps: Option<Source<'a>>,
}

impl<'a> Sources<'a> {
    fn of(cluster: &'a ClusterInventory) -> Self {
        Self {
            ingresses: source(&cluster.ingresses, |ingresses| Box::new(ingresses.iter().map(ingress))),
            gateways: source(&cluster.gateways, |gateways| Box::new(gateways.iter().map(gateway))),
            http_routes: source(&cluster.http_routes, |routes| Box::new(routes.iter().map(http_route))),
            dns_config_maps: source(&cluster.dns_config_maps, |maps| {
                Box::new(maps.iter().map(|(name, data)| {
                    let (api_version, kind) = Kind::ConfigMap.names();
                    let metadata = json!({"namespace": "kube-system", "name": name});
                    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "data": data})
                }))
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "state")]
enum Source<'a> {
    Present { items: Items<'a> },
    Absent,
    Unknown { reason: &'a str, message: &'a str },
}

/// Objects that are made one at a time while they are written.
struct Items<'a>(Box<dyn Fn() -> BoxedObjects<'a> + 'a>);

type BoxedObjects<'a> = Box<dyn Iterator<Item = Value> + 'a>;

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

fn source<'a, T>(observed: &'a Observed<T>, items: fn(&'a T) -> BoxedObjects<'a>) -> Option<Source<'a>> {
    match observed {
        Observed::Present(objects) => Some(Source::Present { items: Items(Box::new(move || items(objects))) }),
        Observed::Absent => Some(Source::Absent),
        Observed::Unknown(unknown) if *unknown == Unknown::not_collected() => None,
        Observed::Unknown(Unknown { reason, message }) => Some(Source::Unknown { reason, message }),
    }
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

fn ingress(ingress: &IngressObject) -> Value {
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

fn gateway(gateway: &GatewayObject) -> Value {
    let listeners: Value = gateway.hosts.iter().map(|host| json!({"hostname": host})).collect();
    let spec = json!({"gatewayClassName": gateway.class, "listeners": listeners});
    object(Kind::Gateway, metadata(&gateway.meta).into(), spec)
}

fn http_route(route: &HttpRouteObject) -> Value {
    let parents = route.parents.iter().map(|(namespace, name)| json!({"namespace": namespace, "name": name}));
    let spec = json!({"hostnames": route.hosts, "parentRefs": parents.collect::<Value>()});
    object(Kind::HttpRoute, metadata(&route.meta).into(), spec)
}

fn helm_release(release: &HelmReleaseObject) -> Value {
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
    object(Kind::HelmRelease, metadata.into(), spec)
}
