//! What clusters were seen to hold.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{layer::TenantId, name::Name, observed::Observed};

/// One snapshot of a host cluster and its tenant clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The cluster it was taken from; `None` for a plain list of objects, which does not say.
    pub cluster: Option<Name>,
    /// When the reading ended. Removals are confirmed by this clock and by no other.
    pub observed_at: Timestamp,
    /// The UID of the host's namespace `kube-system`, the cluster's identity.
    pub uid: Observed<String>,
    /// What the host cluster holds.
    pub host: ClusterInventory,
    /// The tenant clusters' objects on the host, with what they ask for.
    pub tenants: Observed<BTreeMap<TenantId, TenantObject>>,
    /// Live `Package` objects of the platform, by name, with their `spec`.
    pub packages: Observed<BTreeMap<String, Value>>,
    /// Live `HelmRelease` objects on the host.
    pub helm_releases: Observed<Vec<HelmReleaseObject>>,
    /// What each tenant cluster holds. A tenant that is not named was not read.
    pub tenant_clusters: BTreeMap<TenantId, ClusterInventory>,
    /// The sha256 over the bytes that the snapshot was read from.
    pub digest: crate::model::digest::Digest,
}

/// What one cluster holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInventory {
    /// `networking.k8s.io/v1` Ingresses of all namespaces.
    pub ingresses: Observed<Vec<IngressObject>>,
    /// `gateway.networking.k8s.io` Gateways of all namespaces.
    pub gateways: Observed<Vec<GatewayObject>>,
    /// `gateway.networking.k8s.io` HTTPRoutes of all namespaces.
    pub http_routes: Observed<Vec<HttpRouteObject>>,
    /// The ConfigMaps of `kube-system` that DNS reads, by name: `coredns`, `coredns-custom`, `node-local-dns`. When the
    /// list is present, a name that it lacks does not exist.
    pub dns_config_maps: Observed<BTreeMap<String, BTreeMap<String, String>>>,
}

/// What every object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The object's namespace, as the API gave it.
    pub namespace: Arc<str>,
    /// The object's name, as the API gave it.
    pub name: Arc<str>,
    /// Empty when the snapshot does not say.
    pub uid: String,
    /// When the object was created.
    pub created: Option<Timestamp>,
}

/// An Ingress, as far as it decides about host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.ingressClassName`.
    pub class: Option<String>,
    /// Every host of every entry of `spec.tls`, as written.
    pub tls_hosts: Vec<String>,
    /// The host of every rule, as written.
    pub rule_hosts: Vec<String>,
}

/// A Gateway, as far as it decides about host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.gatewayClassName`.
    pub class: String,
    /// The host name of every listener that has one, as written.
    pub hosts: Vec<String>,
}

/// An HTTPRoute, as far as it decides about host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRouteObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.hostnames`, as written.
    pub hosts: Vec<String>,
    /// The Gateways it names as parents: namespace (its own when it names none) and name.
    pub parents: Vec<(String, String)>,
}

/// The object that stands for a tenant cluster: `apps.cozystack.io/v1alpha1` `Kubernetes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantObject {
    /// `spec.addons` as written; an empty object when there is none.
    pub addons: Value,
}

/// A live HelmRelease, as far as it shows who owns a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmReleaseObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.releaseName`, or what Flux makes of it when it is absent: `[targetNamespace-]name`.
    pub release_name: String,
    /// `spec.storageNamespace`, or the object's namespace.
    pub storage_namespace: String,
    /// `spec.targetNamespace`, or the object's namespace.
    pub target_namespace: String,
    /// The name of the Secret in `spec.kubeConfig.secretRef`, when the release goes into another cluster.
    pub kubeconfig_secret: Option<String>,
}
