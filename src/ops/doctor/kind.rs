//! What is looked at. The page `docs/doctor.md` has a row for each, and a test compares.

/// One thing that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// PascalCase and stable: scripts may compare it.
    pub id: &'static str,
    /// The known danger that it watches for, as the documentation numbers them.
    pub hazard: Option<&'static str>,
}

const fn plain(id: &'static str) -> Kind {
    Kind { id, hazard: None }
}

const fn danger(id: &'static str, hazard: &'static str) -> Kind {
    Kind { id, hazard: Some(hazard) }
}

pub(super) const SOURCE_READ: Kind = plain("SourceRead");
pub(super) const CLUSTER_IDENTITY: Kind = plain("ClusterIdentity");
pub(super) const TENANT_IDENTITY: Kind = plain("TenantIdentity");
pub(super) const INVENTORY_AGE: Kind = plain("InventoryAge");
pub(super) const LAYER_DECISION: Kind = plain("LayerDecision");
pub(super) const PLATFORM_VERSION: Kind = plain("PlatformVersion");
pub(super) const PLATFORM_VALUES: Kind = plain("PlatformValues");
pub(super) const ROOT_HOST: Kind = danger("RootHost", "H39");
pub(super) const LIVE_SETTING: Kind = plain("LiveSetting");
pub(super) const DISABLED_PACKAGE: Kind = danger("DisabledPackage", "H4");
pub(super) const LOAD_BALANCER_CLASS: Kind = danger("LoadBalancerClass", "H25");
pub(super) const INGRESS_SERVICE: Kind = plain("IngressService");
pub(super) const PROXY_SERVICE: Kind = plain("ProxyService");
pub(super) const COREFILE: Kind = plain("Corefile");
pub(super) const CLUSTER_DOMAIN: Kind = danger("ClusterDomain", "H22");
pub(super) const HOSTS: Kind = danger("Hosts", "H15");
pub(super) const INGRESS_CLASS: Kind = danger("IngressClass", "H6");
pub(super) const HOST_WITHOUT_TLS: Kind = danger("HostWithoutTls", "H7");
pub(super) const HOST_SPELLING: Kind = danger("HostSpelling", "H41");
pub(super) const HOST_WILDCARD: Kind = plain("HostWildcard");
pub(super) const HOST_IN_CLUSTER_DOMAIN: Kind = danger("HostInClusterDomain", "H42");
pub(super) const FOREIGN_HOST: Kind = danger("ForeignHost", "H45");
pub(super) const TENANT_ADDONS: Kind = plain("TenantAddons");
pub(super) const FLUX_READER: Kind = plain("FluxReader");
pub(super) const FLUX_APPLIES_SETTINGS: Kind = plain("FluxAppliesSettings");
pub(super) const FLUX_READER_READY: Kind = plain("FluxReaderReady");
pub(super) const FLUX_READER_PRUNES: Kind = plain("FluxReaderPrunes");
pub(super) const FLUX_SOURCE_BRANCH: Kind = plain("FluxSourceBranch");
pub(super) const FLUX_SOURCE_READY: Kind = plain("FluxSourceReady");
pub(super) const RELEASE_READY: Kind = plain("ReleaseReady");

/// All of them, in the order in which they are looked at.
pub const ALL: [Kind; 30] = [
    SOURCE_READ,
    INVENTORY_AGE,
    CLUSTER_IDENTITY,
    TENANT_IDENTITY,
    LAYER_DECISION,
    PLATFORM_VERSION,
    PLATFORM_VALUES,
    ROOT_HOST,
    LIVE_SETTING,
    DISABLED_PACKAGE,
    LOAD_BALANCER_CLASS,
    INGRESS_SERVICE,
    PROXY_SERVICE,
    COREFILE,
    CLUSTER_DOMAIN,
    HOSTS,
    INGRESS_CLASS,
    HOST_WITHOUT_TLS,
    HOST_WILDCARD,
    HOST_SPELLING,
    HOST_IN_CLUSTER_DOMAIN,
    FOREIGN_HOST,
    TENANT_ADDONS,
    FLUX_READER,
    FLUX_APPLIES_SETTINGS,
    FLUX_SOURCE_READY,
    FLUX_SOURCE_BRANCH,
    FLUX_READER_READY,
    FLUX_READER_PRUNES,
    RELEASE_READY,
];
