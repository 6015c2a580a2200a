//! `spec.tenants` of `cluster.yaml`.

use std::collections::BTreeMap;

use crate::{
    config::{
        cluster::{check_static, enabled, engine, file_missing, ingress},
        fault::Faults,
        raw::cluster as raw,
        values,
    },
    model::{
        cluster::{
            IngressConfig, KubeconfigSecrets, OuroborosMode, SecretKey, TenantConfig, TenantDelivery, TenantsConfig,
        },
        layer::TenantId,
    },
};

/// Checks the tenants. Every listed one comes out with the defaults filled in.
pub(super) fn tenants(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    raw: Option<&raw::Tenants>,
) -> Option<TenantsConfig> {
    let wishes = raw.and_then(|raw| raw.defaults.clone()).unwrap_or_default();
    check_wishes(faults, platform, "/spec/tenants/defaults", &wishes);
    if let Some(records) = &wishes.r#static
        && (records.file.is_some() || records.records == Some(raw::Records::CorefileBlock))
    {
        let message =
            "a block in a Corefile is for the host and for listed tenants: every cluster has a file of its own";
        faults.add("/spec/tenants/defaults/static", message);
    }
    let ingress = optional_ingress(faults, "/spec/tenants/defaults/ingress", wishes.ingress.as_ref());
    let kubeconfigs = raw.and_then(|raw| raw.kubeconfigs.as_ref());
    let is_found = kubeconfigs.is_some();
    let kubeconfigs = match kubeconfigs {
        Some(raw) => kubeconfig_secrets(faults, platform, raw).map(Some),
        None => Some(None),
    };
    if platform == raw::PlatformKind::Generic && is_found && wishes.ingress.is_none() {
        let message = "`ingress` is missing: a kubeconfig does not say which ingress controller the tenant has";
        let hint = "ingress: {class: nginx, service: {namespace: ingress-nginx, name: ingress-nginx-controller}, \
                    proxyProtocol: true}";
        faults.add_with_hint("/spec/tenants/defaults/ingress", message, hint);
    }
    let defaults = Defaults { ingress: ingress.clone().flatten(), wishes, is_found };
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
    let ingress = ingress?;
    let kubeconfigs = kubeconfigs?;
    let of_all = config(&defaults.wishes)?;
    complete.then(|| TenantsConfig {
        discover: raw.and_then(|raw| raw.discover).unwrap_or(true),
        kubeconfigs,
        defaults: TenantConfig { ingress, ..of_all },
        listed,
    })
}

/// What an entry need not say.
struct Defaults {
    wishes: raw::TenantDefaults,
    /// The ingress controller of `wishes`, when it is right.
    ingress: Option<IngressConfig>,
    /// Whether tenants are found by their kubeconfigs.
    is_found: bool,
}

fn optional_ingress(faults: &mut Faults, at: &str, raw: Option<&raw::Ingress>) -> Option<Option<IngressConfig>> {
    match raw {
        Some(raw) => ingress(faults, at, raw).map(Some),
        None => Some(None),
    }
}

fn kubeconfig_secrets(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    raw: &raw::Kubeconfigs,
) -> Option<KubeconfigSecrets> {
    let at = "/spec/tenants/kubeconfigs";
    if platform == raw::PlatformKind::Cozystack {
        let message = "`kubeconfigs` is for the generic platform; on cozystack tenants are found by their objects";
        faults.add(at, message);
    }
    match (raw.maker, &raw.selector, &raw.key) {
        (Some(raw::Maker::ClusterApi), None, None) => Some(KubeconfigSecrets::ClusterApi),
        (Some(raw::Maker::Kamaji), None, None) => Some(KubeconfigSecrets::Kamaji),
        (Some(_), selector, key) => {
            let given = [("selector", selector), ("key", key)];
            for (name, _) in given.into_iter().filter(|(_, text)| text.is_some()) {
                let message = format!("`{name}` goes without `maker`, which says what its Secrets are called");
                faults.add(format!("{at}/{name}"), message);
            }
            None
        }
        (None, Some(selector), Some(key)) => {
            let selector = faults.take(&format!("{at}/selector"), values::label_selector(selector));
            let key = faults.take(&format!("{at}/key"), values::secret_key(key));
            Some(KubeconfigSecrets::Selected { selector: selector?, key: key? })
        }
        (None, Some(_), None) => {
            let message = "`key` is missing: a selector does not say where in the Secrets the kubeconfigs are";
            faults.add_with_hint(format!("{at}/key"), message, "key: kubeconfig");
            None
        }
        (None, None, _) => {
            let message = "`maker` is missing: give who makes the Secrets, or `selector` and `key`";
            faults.add_with_hint(format!("{at}/maker"), message, "maker: clusterApi");
            None
        }
    }
}

fn listed_tenant(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    at: &str,
    raw: &raw::TenantOverride,
    defaults: &Defaults,
) -> Option<(TenantId, TenantConfig)> {
    let namespace = faults.take(&format!("{at}/namespace"), values::namespace(&raw.namespace));
    let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
    let wishes = wishes(raw);
    check_wishes(faults, platform, at, &wishes);
    check_platform(faults, platform, at, raw, defaults);
    let kubeconfig = match &raw.kubeconfig {
        Some(raw) => secret_key(faults, &format!("{at}/kubeconfig"), raw).map(Some),
        None => Some(None),
    };
    let ingress = optional_ingress(faults, &format!("{at}/ingress"), raw.ingress.as_ref());
    let wishes = with_defaults(wishes, &defaults.wishes);
    let config = config(&wishes);
    if config.is_none() {
        file_missing(faults, &format!("{at}/static"), wishes.r#static.as_ref());
    }
    let config =
        TenantConfig { kubeconfig: kubeconfig?, ingress: ingress?.or_else(|| defaults.ingress.clone()), ..config? };
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
        ingress: raw.ingress.clone(),
    }
}

/// What an entry says, and the defaults where it says nothing.
fn with_defaults(wishes: raw::TenantDefaults, defaults: &raw::TenantDefaults) -> raw::TenantDefaults {
    raw::TenantDefaults {
        enabled: wishes.enabled.or(defaults.enabled),
        delivery: wishes.delivery.or(defaults.delivery),
        engine: wishes.engine.or(defaults.engine),
        ouroboros: wishes.ouroboros.filter(|raw| raw.mode.is_some()).or_else(|| defaults.ouroboros.clone()),
        r#static: match (wishes.r#static, &defaults.r#static) {
            (Some(own), Some(other)) => Some(raw::Static {
                records: own.records.or(other.records),
                path: own.path.or_else(|| other.path.clone()),
                file: own.file,
            }),
            (own, other) => own.or_else(|| other.clone()),
        },
        proxy_protocol: wishes.proxy_protocol.or(defaults.proxy_protocol),
        real_ip_cidrs: wishes.real_ip_cidrs.or_else(|| defaults.real_ip_cidrs.clone()),
        ingress: wishes.ingress.or_else(|| defaults.ingress.clone()),
    }
}

fn check_wishes(faults: &mut Faults, platform: raw::PlatformKind, at: &str, raw: &raw::TenantDefaults) {
    if platform == raw::PlatformKind::Generic && raw.delivery == Some(raw::TenantDelivery::Addon) {
        let message = "`addon` is for cozystack; the generic platform has no add-ons";
        faults.add_with_hint(format!("{at}/delivery"), message, "delivery: remoteHelmRelease");
    }
    if platform == raw::PlatformKind::Cozystack && raw.ingress.is_some() {
        let message = "`ingress` is for the generic platform; on cozystack it follows from the tenant's object";
        faults.add(format!("{at}/ingress"), message);
    }
    check_static(faults, &format!("{at}/static"), raw.r#static.as_ref());
    faults.take_list(&format!("{at}/realIpCidrs"), raw.real_ip_cidrs.as_deref().unwrap_or_default(), values::cidr);
}

/// On the generic platform somebody must say what cozystack says by itself.
fn check_platform(
    faults: &mut Faults,
    platform: raw::PlatformKind,
    at: &str,
    raw: &raw::TenantOverride,
    defaults: &Defaults,
) {
    if platform == raw::PlatformKind::Cozystack {
        return;
    }
    for (key, is_given) in [
        ("kubeconfig", raw.kubeconfig.is_some() || defaults.is_found),
        ("ingress", raw.ingress.is_some() || defaults.wishes.ingress.is_some()),
    ] {
        if !is_given {
            let message = format!("`{key}` is missing: the generic platform does not say it");
            faults.add(format!("{at}/{key}"), message);
        }
    }
}

fn secret_key(faults: &mut Faults, at: &str, raw: &raw::SecretKey) -> Option<SecretKey> {
    let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
    let key = faults.take(&format!("{at}/key"), values::secret_key(&raw.key));
    Some(SecretKey { name: name?, key: key? })
}

/// Nothing when a form of records lacks its file.
fn config(raw: &raw::TenantDefaults) -> Option<TenantConfig> {
    Some(TenantConfig {
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
            raw.r#static.as_ref(),
            OuroborosMode::CorednsImport,
        )?,
        proxy_protocol: raw.proxy_protocol.unwrap_or(false),
        real_ip_cidrs: raw.real_ip_cidrs.clone().unwrap_or_default(),
        kubeconfig: None,
        ingress: None,
    })
}
