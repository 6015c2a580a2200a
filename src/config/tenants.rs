//! `spec.tenants` of `cluster.yaml`.

use std::collections::BTreeMap;

use crate::{
    config::{
        cluster::{enabled, engine, ingress},
        fault::Faults,
        raw::cluster as raw,
        values,
    },
    model::{
        cluster::{OuroborosMode, SecretKey, TenantConfig, TenantDelivery, TenantsConfig},
        layer::TenantId,
    },
};

/// Checks the tenants. Every listed one comes out with the defaults filled in.
pub(super) fn tenants(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    raw: Option<&raw::Tenants>,
) -> Option<TenantsConfig> {
    let defaults = raw.and_then(|raw| raw.defaults.clone()).unwrap_or_default();
    check_wishes(faults, platform, "/spec/tenants/defaults", &defaults);
    let overrides = raw.and_then(|raw| raw.overrides.as_deref()).unwrap_or_default();
    let mut listed = BTreeMap::new();
    let mut complete = true;
    for (index, entry) in overrides.iter().enumerate() {
        let at = format!("/spec/tenants/overrides/{index}");
        let Some((tenant, config)) = listed_tenant(faults, platform, &at, entry, &defaults) else {
            complete = false;
            continue;
        };
        if listed.contains_key(&tenant) {
            faults.add(at, format!("the tenant `{tenant}` is listed a second time"));
        }
        listed.insert(tenant, config);
    }
    complete.then(|| TenantsConfig {
        discover: raw.and_then(|raw| raw.discover).unwrap_or(true),
        defaults: config(&defaults),
        listed,
    })
}

fn listed_tenant(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    at: &str,
    raw: &raw::TenantOverride,
    defaults: &raw::TenantDefaults,
) -> Option<(TenantId, TenantConfig)> {
    let namespace = faults.take(&format!("{at}/namespace"), values::namespace(&raw.namespace));
    let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
    let wishes = wishes(raw);
    check_wishes(faults, platform, at, &wishes);
    check_platform(faults, platform, at, raw);
    let kubeconfig = match &raw.kubeconfig {
        Some(raw) => secret_key(faults, &format!("{at}/kubeconfig"), raw).map(Some),
        None => Some(None),
    };
    let ingress = match &raw.ingress {
        Some(raw) => ingress(faults, &format!("{at}/ingress"), raw).map(Some),
        None => Some(None),
    };
    let config =
        TenantConfig { kubeconfig: kubeconfig?, ingress: ingress?, ..config(&with_defaults(wishes, defaults)) };
    Some((TenantId { namespace: namespace?, name: name? }, config))
}

/// The part of an entry that may also stand in the defaults.
fn wishes(raw: &raw::TenantOverride) -> raw::TenantDefaults {
    raw::TenantDefaults {
        enabled: raw.enabled,
        delivery: raw.delivery,
        engine: raw.engine,
        ouroboros: raw.ouroboros.clone(),
        r#static: raw.r#static.clone(),
        proxy_protocol: raw.proxy_protocol,
        real_ip_cidrs: raw.real_ip_cidrs.clone(),
    }
}

/// What an entry says, and the defaults where it says nothing.
fn with_defaults(wishes: raw::TenantDefaults, defaults: &raw::TenantDefaults) -> raw::TenantDefaults {
    raw::TenantDefaults {
        enabled: wishes.enabled.or(defaults.enabled),
        delivery: wishes.delivery.or(defaults.delivery),
        engine: wishes.engine.or(defaults.engine),
        ouroboros: wishes.ouroboros.filter(|raw| raw.mode.is_some()).or_else(|| defaults.ouroboros.clone()),
        r#static: wishes.r#static.filter(|raw| raw.records.is_some()).or_else(|| defaults.r#static.clone()),
        proxy_protocol: wishes.proxy_protocol.or(defaults.proxy_protocol),
        real_ip_cidrs: wishes.real_ip_cidrs.or_else(|| defaults.real_ip_cidrs.clone()),
    }
}

fn check_wishes(faults: &mut Faults, platform: raw::PlatformKind, at: &str, raw: &raw::TenantDefaults) {
    if platform == raw::PlatformKind::Generic && raw.delivery == Some(raw::TenantDelivery::Addon) {
        let message = "`addon` is for cozystack; the generic platform has no add-ons";
        faults.add_with_hint(format!("{at}/delivery"), message, "delivery: remoteHelmRelease");
    }
    faults.take_list(&format!("{at}/realIpCidrs"), raw.real_ip_cidrs.as_deref().unwrap_or_default(), values::cidr);
}

fn check_platform(faults: &mut Faults, platform: raw::PlatformKind, at: &str, raw: &raw::TenantOverride) {
    match platform {
        raw::PlatformKind::Cozystack => {
            if raw.ingress.is_some() {
                let message = "`ingress` is for the generic platform; on cozystack it follows from the tenant's object";
                faults.add(format!("{at}/ingress"), message);
            }
        }
        raw::PlatformKind::Generic => {
            for (key, given) in [("kubeconfig", raw.kubeconfig.is_some()), ("ingress", raw.ingress.is_some())] {
                if !given {
                    let message = format!("`{key}` is missing: the generic platform does not say it");
                    faults.add(format!("{at}/{key}"), message);
                }
            }
        }
    }
}

fn secret_key(faults: &mut Faults, at: &str, raw: &raw::SecretKey) -> Option<SecretKey> {
    let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
    let key = faults.take(&format!("{at}/key"), values::secret_key(&raw.key));
    Some(SecretKey { name: name?, key: key? })
}

fn config(raw: &raw::TenantDefaults) -> TenantConfig {
    TenantConfig {
        enabled: enabled(raw.enabled),
        delivery: match raw.delivery {
            Some(raw::TenantDelivery::Auto) | None => None,
            Some(raw::TenantDelivery::RemoteHelmRelease) => Some(TenantDelivery::RemoteHelmRelease),
            Some(raw::TenantDelivery::Addon) => Some(TenantDelivery::Addon),
            Some(raw::TenantDelivery::OwnFlux) => Some(TenantDelivery::OwnFlux),
        },
        engine: engine(
            raw.engine,
            raw.ouroboros.as_ref().and_then(|ouroboros| ouroboros.mode),
            raw.r#static.as_ref().and_then(|records| records.records),
            OuroborosMode::CorednsImport,
        ),
        proxy_protocol: raw.proxy_protocol.unwrap_or(false),
        real_ip_cidrs: raw.real_ip_cidrs.clone().unwrap_or_default(),
        kubeconfig: None,
        ingress: None,
    }
}
