//! What clusters were seen to hold.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;

use crate::model::{
    cluster::SecretKey,
    hostname::Hostname,
    layer::TenantId,
    name::Name,
    observed::{Observed, Unknown},
};

/// One snapshot of a host cluster and its tenant clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The cluster it was taken from; `None` for a plain list of objects, which does not say.
    pub cluster: Option<Name>,
    /// When the reading ended. Removals are confirmed by this clock and by no other.
    pub observed_at: Timestamp,
    /// What the host cluster holds.
    pub host: ClusterInventory,
    /// What stands for the tenant clusters on the host.
    pub tenants: Observed<BTreeMap<TenantId, TenantObject>>,
    /// Live `Package` objects of the platform, by name, with their `spec`.
    pub packages: Observed<BTreeMap<String, Value>>,
    /// What the platform says about itself in `cozy-system/cozystack-values`: those of [`PLATFORM_SETTINGS`] that it has.
    pub platform_settings: Observed<BTreeMap<String, String>>,
    /// Live `HelmRelease` objects on the host.
    pub helm_releases: Observed<Vec<HelmReleaseObject>>,
    /// Flux `Kustomization` objects on the host.
    pub kustomizations: Observed<Vec<KustomizationObject>>,
    /// Flux `GitRepository` objects on the host.
    pub git_repositories: Observed<Vec<GitRepositoryObject>>,
    /// What each tenant cluster holds. A tenant that is not named was not read.
    pub tenant_clusters: BTreeMap<TenantId, ClusterInventory>,
}

impl Inventory {
    /// An inventory in which nothing is known, for one reason.
    pub fn unknown(cluster: Option<Name>, observed_at: Timestamp, why: &Unknown) -> Self {
        Self {
            cluster,
            observed_at,
            host: ClusterInventory::unknown(why),
            tenants: Observed::Unknown(why.clone()),
            packages: Observed::Unknown(why.clone()),
            platform_settings: Observed::Unknown(why.clone()),
            helm_releases: Observed::Unknown(why.clone()),
            kustomizations: Observed::Unknown(why.clone()),
            git_repositories: Observed::Unknown(why.clone()),
            tenant_clusters: BTreeMap::new(),
        }
    }

    /// Every source that somebody tried to read and could not, with the reason: the host's first, then what the host says
    /// about the platform, then each tenant cluster's. What nobody looked at is not among them.
    pub fn unread(&self) -> Vec<(SourceName, &Unknown)> {
        let Self {
            host, tenants, packages, platform_settings, helm_releases, kustomizations, git_repositories, ..
        } = self;
        let platform = [
            (PlatformSource::Tenants, tenants.unread()),
            (PlatformSource::Packages, packages.unread()),
            (PlatformSource::PlatformSettings, platform_settings.unread()),
            (PlatformSource::HelmReleases, helm_releases.unread()),
            (PlatformSource::Kustomizations, kustomizations.unread()),
            (PlatformSource::GitRepositories, git_repositories.unread()),
        ];
        let host = host.unread().map(|(source, unknown)| (SourceName::Host(source), unknown));
        let platform = platform.into_iter().filter_map(|(source, unknown)| Some((source, unknown?)));
        let platform = platform.map(|(source, unknown)| (SourceName::Platform(source), unknown));
        let tenants = self.tenant_clusters.iter().flat_map(|(id, cluster)| {
            cluster.unread().map(|(source, unknown)| (SourceName::Tenant(id.clone(), source), unknown))
        });
        host.chain(platform).chain(tenants).collect()
    }
}

impl ClusterInventory {
    /// A cluster of which nothing is known, for one reason.
    pub fn unknown(why: &Unknown) -> Self {
        Self {
            api_server: None,
            uid: Observed::Unknown(why.clone()),
            ingresses: Observed::Unknown(why.clone()),
            gateways: Observed::Unknown(why.clone()),
            http_routes: Observed::Unknown(why.clone()),
            tls_routes: Observed::Unknown(why.clone()),
            services: Observed::Unknown(why.clone()),
            dns_config_maps: Observed::Unknown(why.clone()),
        }
    }

    /// Every source that somebody tried to read and could not, with the reason.
    pub fn unread(&self) -> impl Iterator<Item = (ClusterSource, &Unknown)> {
        let Self { api_server: _, uid, ingresses, gateways, http_routes, tls_routes, services, dns_config_maps } = self;
        let sources = [
            (ClusterSource::Uid, uid.unread()),
            (ClusterSource::Ingresses, ingresses.unread()),
            (ClusterSource::Gateways, gateways.unread()),
            (ClusterSource::HttpRoutes, http_routes.unread()),
            (ClusterSource::TlsRoutes, tls_routes.unread()),
            (ClusterSource::Services, services.unread()),
            (ClusterSource::DnsConfigMaps, dns_config_maps.unread()),
        ];
        sources.into_iter().filter_map(|(source, unknown)| Some((source, unknown?)))
    }
}

/// One source of an inventory, in the words of a snapshot: `host ingresses`, `helmReleases`,
/// `tenant tenant-acme/shop ingresses`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceName {
    /// What the host cluster holds.
    Host(ClusterSource),
    /// What the host cluster says about the platform and Flux.
    Platform(PlatformSource),
    /// What a tenant cluster holds.
    Tenant(TenantId, ClusterSource),
}

/// What is read of every cluster: the fields of [`ClusterInventory`].
#[expect(missing_docs, reason = "they are named as the fields are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterSource {
    ApiServer,
    Uid,
    Ingresses,
    Gateways,
    HttpRoutes,
    TlsRoutes,
    Services,
    DnsConfigMaps,
}

/// What is read of the host alone: the fields of [`Inventory`].
#[expect(missing_docs, reason = "they are named as the fields are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlatformSource {
    Tenants,
    Packages,
    PlatformSettings,
    HelmReleases,
    Kustomizations,
    GitRepositories,
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(source) => write!(f, "host {source}"),
            Self::Platform(source) => source.fmt(f),
            Self::Tenant(id, source) => write!(f, "tenant {id} {source}"),
        }
    }
}

impl fmt::Display for ClusterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiServer => "apiServer",
            Self::Uid => "uid",
            Self::Ingresses => "ingresses",
            Self::Gateways => "gateways",
            Self::HttpRoutes => "httpRoutes",
            Self::TlsRoutes => "tlsRoutes",
            Self::Services => "services",
            Self::DnsConfigMaps => "dnsConfigMaps",
        })
    }
}

impl fmt::Display for PlatformSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenants => "tenants",
            Self::Packages => "packages",
            Self::PlatformSettings => "platformSettings",
            Self::HelmReleases => "helmReleases",
            Self::Kustomizations => "kustomizations",
            Self::GitRepositories => "gitRepositories",
        })
    }
}

impl serde::Serialize for SourceName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The keys of the platform's settings that anything here asks for. All others stay in the cluster.
pub const PLATFORM_SETTINGS: [&str; 9] = [
    "api-server-endpoint",
    "cluster-domain",
    "expose-external-ips",
    "expose-ingress",
    "expose-mode",
    "gateway-enabled",
    "load-balancer-class",
    "proxy-protocol",
    "root-host",
];

/// What one cluster holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInventory {
    /// The name of the API server that the cluster was read through. `None`: it was an address, or nobody says.
    pub api_server: Option<Hostname>,
    /// The UID of the namespace `kube-system`, the cluster's identity.
    pub uid: Observed<String>,
    /// `networking.k8s.io/v1` Ingresses of all namespaces.
    pub ingresses: Observed<Vec<IngressObject>>,
    /// `gateway.networking.k8s.io` Gateways of all namespaces.
    pub gateways: Observed<Vec<GatewayObject>>,
    /// `gateway.networking.k8s.io` HTTPRoutes of all namespaces.
    pub http_routes: Observed<Vec<RouteObject>>,
    /// `gateway.networking.k8s.io` TLSRoutes of all namespaces.
    pub tls_routes: Observed<Vec<RouteObject>>,
    /// The Services that were asked for: the ingress controller's and the proxy's. When the list is present, one that it
    /// lacks does not exist.
    pub services: Observed<Vec<ServiceObject>>,
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

/// An HTTPRoute or a TLSRoute, as far as it decides about host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.hostnames`, as written.
    pub hosts: Vec<String>,
    /// The Gateways it names as parents: namespace (its own when it names none) and name.
    pub parents: Vec<(String, String)>,
}

/// A Service, as far as it says where connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.type`; `ClusterIP` when it says nothing.
    pub service_type: String,
    /// `spec.clusterIPs`; empty for a Service without one, `None` among them for a headless one.
    pub cluster_ips: Vec<String>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<String>,
    /// `spec.loadBalancerClass`.
    pub load_balancer_class: Option<String>,
}

/// What stands for a tenant cluster on its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantObject {
    /// cozystack's `apps.cozystack.io/v1alpha1` `Kubernetes`.
    Kubernetes {
        /// `spec.addons` as written; an empty object when there is none.
        addons: Value,
    },
    /// The Secret with its kubeconfig, in the tenant's namespace.
    Kubeconfig(SecretKey),
}

impl TenantObject {
    /// `spec.addons` of cozystack's object.
    pub fn addons(&self) -> Option<&Value> {
        match self {
            Self::Kubernetes { addons } => Some(addons),
            Self::Kubeconfig(_) => None,
        }
    }
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
    /// What its controller said last.
    pub progress: Progress,
}

/// What a Flux controller said about an object last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// `spec.suspend`: a person stopped it, and nobody else starts it again.
    pub suspended: bool,
    /// The condition `Ready`; `None` before the controller has seen the object.
    pub ready: Option<Ready>,
}

/// The condition `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// PascalCase.
    pub reason: String,
    /// One or more lines.
    pub message: String,
}

/// A Flux `Kustomization`: what applies a folder of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KustomizationObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.path`, as written; empty for the whole source.
    pub path: String,
    /// `spec.sourceRef.kind`.
    pub source_kind: String,
    /// The source's namespace; the object's own when it names none.
    pub source_namespace: String,
    /// The source's name.
    pub source_name: String,
    /// `spec.prune`.
    pub prune: bool,
    /// Whether it applies to another cluster (`spec.kubeConfig`).
    pub is_remote: bool,
    /// `status.lastAppliedRevision`, for example `main@sha1:…`; empty before the first.
    pub applied_revision: String,
    /// What its controller said last.
    pub progress: Progress,
}

/// A Flux `GitRepository`: where a controller fetches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitRepositoryObject {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `spec.url`, without a user or a password.
    pub url: String,
    /// `spec.ref.branch`; empty when it names none.
    pub branch: String,
    /// What its controller said last.
    pub progress: Progress,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown<T>(reason: &str) -> Observed<T> {
        Observed::Unknown(Unknown { reason: reason.to_owned(), message: "m".to_owned() })
    }

    #[test]
    fn sources_that_could_not_be_read_are_told_from_those_that_nobody_read() {
        let name = |text| Name::parse(text).expect("a literal that parses");
        let id = |shop| TenantId { namespace: name("tenant-acme"), name: name(shop) };
        let cluster = |reason: &str| ClusterInventory {
            api_server: None,
            uid: unknown(reason),
            ingresses: unknown(reason),
            gateways: unknown(reason),
            http_routes: unknown(reason),
            tls_routes: unknown(reason),
            services: unknown(reason),
            dns_config_maps: unknown(reason),
        };
        let inventory = Inventory {
            cluster: None,
            observed_at: Timestamp::UNIX_EPOCH,
            host: cluster("Timeout"),
            tenants: unknown("Forbidden"),
            packages: unknown("Forbidden"),
            platform_settings: unknown("Forbidden"),
            helm_releases: unknown("Forbidden"),
            kustomizations: unknown("NotCollected"),
            git_repositories: unknown("Forbidden"),
            tenant_clusters: [
                (
                    id("shop"),
                    ClusterInventory {
                        services: unknown("Timeout"),
                        ..ClusterInventory::unknown(&Unknown::not_collected())
                    },
                ),
                (
                    id("blog"),
                    ClusterInventory {
                        uid: Observed::Absent,
                        gateways: unknown("NoRoute"),
                        ..ClusterInventory::unknown(&Unknown::not_collected())
                    },
                ),
            ]
            .into(),
        };
        let unread: Vec<_> =
            inventory.unread().into_iter().map(|(name, unknown)| format!("{name}: {}", unknown.reason)).collect();
        assert_eq!(
            unread,
            [
                "host uid: Timeout",
                "host ingresses: Timeout",
                "host gateways: Timeout",
                "host httpRoutes: Timeout",
                "host tlsRoutes: Timeout",
                "host services: Timeout",
                "host dnsConfigMaps: Timeout",
                "tenants: Forbidden",
                "packages: Forbidden",
                "platformSettings: Forbidden",
                "helmReleases: Forbidden",
                "gitRepositories: Forbidden",
                "tenant tenant-acme/blog gateways: NoRoute",
                "tenant tenant-acme/shop services: Timeout",
            ]
        );
    }
}
