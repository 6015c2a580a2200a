//! What has to be read of the clusters for a plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        cluster::{ClusterConfig, Enabled, Platform, SecretKey, TenantConfig},
        inventory::TenantObject,
        layer::TenantId,
        observed::Observed,
    },
    plan::{
        PlatformFacts,
        release::{COZY_NAMESPACE, GENERIC_NAMESPACE},
        tenant::kubeconfig,
    },
    platform::host::proxy_target,
};

/// The namespace and the name of a Service.
pub type ServiceId = (String, String);

/// The name of the proxy's Service, in every chart.
const PROXY: &str = "ouroboros-proxy";

/// A tenant cluster that is read, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantReading {
    /// Which.
    pub tenant: TenantId,
    /// The Secret with its kubeconfig, in the tenant's namespace.
    pub kubeconfig: SecretKey,
    /// The Services of its ingress controller and of the proxy.
    pub services: Vec<ServiceId>,
}

/// The Services of the host's ingress controller and of the proxy, as far as the platform's values say.
pub fn host_services(config: &ClusterConfig, platform: &PlatformFacts) -> Vec<ServiceId> {
    let target = match (platform, &config.platform) {
        (PlatformFacts::Cozystack(values), _) => {
            let target = proxy_target(values);
            Some((target.namespace, target.service_name))
        }
        (PlatformFacts::Generic, Platform::Generic { ingress }) => {
            Some((ingress.service_namespace.to_string(), ingress.service_name.to_string()))
        }
        (PlatformFacts::Generic | PlatformFacts::Unknown(_), _) => None,
    };
    let namespace = match config.platform {
        Platform::Cozystack { .. } => COZY_NAMESPACE,
        Platform::Generic { .. } => GENERIC_NAMESPACE,
    };
    target.into_iter().chain([(namespace.to_owned(), PROXY.to_owned())]).collect()
}

/// The tenants whose clusters are read: those that are listed or found, but not those that are switched off.
pub fn tenants(config: &ClusterConfig, seen: &Observed<BTreeMap<TenantId, TenantObject>>) -> Vec<TenantReading> {
    if !config.access.tenants.read {
        return Vec::new();
    }
    let wishes = &config.tenants;
    let seen = seen.present();
    let shown = |tenant: &TenantId| seen.and_then(|seen| seen.get(tenant));
    let found = seen.into_iter().flat_map(BTreeMap::keys).filter(|_| wishes.discover);
    let tenants: BTreeSet<&TenantId> = wishes.listed.keys().chain(found).collect();
    let read = |tenant: &TenantId| {
        let wish = wishes.listed.get(tenant).unwrap_or(&wishes.defaults);
        let kubeconfig = match (&config.platform, shown(tenant)) {
            (Platform::Cozystack { .. }, Some(TenantObject::Kubernetes { .. })) => kubeconfig(tenant, wish),
            (Platform::Cozystack { .. }, _) => return None,
            (Platform::Generic { .. }, Some(TenantObject::Kubeconfig(secret))) if wishes.kubeconfigs.is_some() => {
                wish.kubeconfig.as_ref().unwrap_or(secret).clone()
            }
            (Platform::Generic { .. }, _) => wish.kubeconfig.clone()?,
        };
        let is_on = wish.enabled != Enabled::No;
        is_on.then(|| TenantReading { tenant: tenant.clone(), kubeconfig, services: services(wish) })
    };
    tenants.into_iter().filter_map(read).collect()
}

fn services(config: &TenantConfig) -> Vec<ServiceId> {
    let id = |namespace: &str, name: &str| (namespace.to_owned(), name.to_owned());
    match &config.ingress {
        Some(ingress) => {
            vec![id(ingress.service_namespace.as_str(), ingress.service_name.as_str()), id(GENERIC_NAMESPACE, PROXY)]
        }
        None => vec![id("cozy-ingress-nginx", "ingress-nginx-controller"), id(COZY_NAMESPACE, PROXY)],
    }
}
