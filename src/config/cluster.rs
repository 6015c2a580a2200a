//! `cluster.yaml`: what is wanted for one cluster.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use crate::{
    config::{
        fault::{Fault, Faults},
        raw::cluster as raw,
        tenants, values,
    },
    model::{
        cluster::{
            Access, AccessWay, ClusterConfig, Delegation, Enabled, Engine, FluxSource, HostConfig, HostDelivery,
            HostnamePolicy, IngressConfig, OuroborosMode, PackageSourceChoice, PinPolicy, Platform, Records,
            RemovalPolicy, TenantAccess, ValuesSource,
        },
        name::Name,
    },
};

/// Checks what the file means, and fills in what it leaves out.
pub(super) fn cluster(raw: &raw::Cluster, folder: &Name) -> Result<ClusterConfig, Vec<Fault>> {
    let mut faults = Faults::default();
    faults.check_name(&raw.metadata, folder);
    let config = convert(&mut faults, &raw.spec, folder);
    faults.finish(config)
}

fn convert(faults: &mut Faults, spec: &raw::Spec, folder: &Name) -> Option<ClusterConfig> {
    let kind = spec.platform.kind;
    let (access, uid) = access(faults, spec.access.as_ref());
    let platform = platform(faults, spec);
    let host = host(faults, kind, spec.host.as_ref());
    let tenants = tenants::tenants(faults, kind, spec.tenants.as_ref());
    let hostnames = hostnames(faults, spec.hostnames.as_ref());
    let removal = removal(faults, spec.removal.as_ref());
    let pins = pins(faults, spec.pins.as_ref());
    let flux_source = flux_source(faults, spec.flux.as_ref());
    Some(ClusterConfig {
        name: folder.clone(),
        access: access?,
        uid: uid?,
        platform: platform?,
        host,
        tenants: tenants?,
        hostnames: hostnames?,
        removal: removal?,
        pins: pins?,
        flux_source: flux_source?,
    })
}

/// How the cluster is reached, and its UID.
fn access(faults: &mut Faults, raw: Option<&raw::Access>) -> (Option<Access>, Option<Option<String>>) {
    let Some(raw) = raw else { return (Some(Access::default()), Some(None)) };
    let context = faults.take_optional("/spec/access/context", raw.context.as_deref(), values::words).flatten();
    let kubeconfig =
        faults.take_optional("/spec/access/kubeconfig", raw.kubeconfig.as_deref(), values::words).flatten();
    let ways = [
        ("`context`", raw.context.is_some()),
        ("`kubeconfig`", raw.kubeconfig.is_some()),
        ("`inCluster`", raw.in_cluster == Some(true)),
    ];
    let given: Vec<_> = ways.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
    if given.len() > 1 {
        let message = format!("{} are given; a cluster is reached in one way", given.join(" and "));
        faults.add("/spec/access", message);
    }
    let in_cluster = (raw.in_cluster == Some(true)).then_some(AccessWay::InCluster);
    let way = context.map(AccessWay::Context).or(kubeconfig.map(AccessWay::Kubeconfig)).or(in_cluster);
    let names = raw.namespaces.as_deref().unwrap_or_default();
    let namespaces = faults.take_list("/spec/access/namespaces", names, values::namespace);
    let allows = |network| {
        raw.tenants.as_ref().and_then(|tenants| tenants.allow.as_ref()).is_some_and(|allow| allow.contains(&network))
    };
    let tenants = TenantAccess {
        read: raw.tenants.as_ref().and_then(|tenants| tenants.read).unwrap_or(true),
        loopback: allows(raw::TenantNetwork::Loopback),
        link_local: allows(raw::TenantNetwork::LinkLocal),
    };
    let access = namespaces.map(|namespaces| Access { way, namespaces, tenants });
    (access, faults.take_optional("/spec/access/uid", raw.uid.as_deref(), values::uid))
}

fn platform(faults: &mut Faults, spec: &raw::Spec) -> Option<Platform> {
    match spec.platform.kind {
        raw::PlatformKind::Cozystack => cozystack(faults, spec),
        raw::PlatformKind::Generic => generic(faults, spec),
    }
}

fn cozystack(faults: &mut Faults, spec: &raw::Spec) -> Option<Platform> {
    if spec.ingress.is_some() {
        faults.add(
            "/spec/ingress",
            "`ingress` is for the generic platform; on cozystack it follows from the platform's values",
        );
    }
    let raw = &spec.platform;
    let version = match &raw.version {
        Some(version) => faults.take("/spec/platform/version", version.parse()),
        None => {
            let message = "`version` is missing: cozystack behaves differently from version to version";
            faults.add_with_hint("/spec/platform/version", message, "version: v1.6.2");
            None
        }
    };
    let values = match (&raw.values, raw.live == Some(true)) {
        (Some(file), false) => faults.take("/spec/platform/values", values::file(file)).map(ValuesSource::File),
        (None, true) => Some(ValuesSource::Live),
        (Some(_), true) => {
            faults
                .add("/spec/platform/live", "`values` and `live` are given; the platform's values come from one place");
            None
        }
        (None, false) => {
            let message = "`values` is missing: give the file with the platform's values, or `live: true`";
            faults.add_with_hint("/spec/platform/values", message, "values: platform.yaml");
            None
        }
    };
    Some(Platform::Cozystack { version: version?, values: values? })
}

fn generic(faults: &mut Faults, spec: &raw::Spec) -> Option<Platform> {
    let raw = &spec.platform;
    for (key, given) in
        [("version", raw.version.is_some()), ("values", raw.values.is_some()), ("live", raw.live == Some(true))]
    {
        if given {
            faults.add(
                format!("/spec/platform/{key}"),
                format!("`{key}` is for cozystack; the generic platform has none"),
            );
        }
    }
    let Some(raw) = &spec.ingress else {
        faults.add(
            "/spec/ingress",
            "`ingress` is missing: the generic platform does not say which ingress controller it has",
        );
        return None;
    };
    Some(Platform::Generic { ingress: ingress(faults, "/spec/ingress", raw)? })
}

/// Checks an ingress controller, of the cluster or of a tenant.
pub(super) fn ingress(faults: &mut Faults, at: &str, raw: &raw::Ingress) -> Option<IngressConfig> {
    let class = faults.take(&format!("{at}/class"), values::name(&raw.class));
    let namespace = faults.take(&format!("{at}/service/namespace"), values::namespace(&raw.service.namespace));
    let name = faults.take(&format!("{at}/service/name"), values::name(&raw.service.name));
    let domain = faults.take_optional(&format!("{at}/clusterDomain"), raw.cluster_domain.as_deref(), values::domain);
    Some(IngressConfig {
        class: class?,
        service_namespace: namespace?,
        service_name: name?,
        cluster_domain: domain?.unwrap_or_else(|| "cluster.local".to_owned()),
        proxy_protocol: raw.proxy_protocol,
    })
}

fn host(faults: &mut Faults, kind: raw::PlatformKind, raw: Option<&raw::Host>) -> HostConfig {
    let delivery = raw.and_then(|raw| raw.delivery).unwrap_or(raw::HostDelivery::Auto);
    let source = raw.and_then(|raw| raw.package.as_ref()).and_then(|package| package.source);
    let word = match delivery {
        raw::HostDelivery::Overlay => Some("overlay"),
        raw::HostDelivery::Package => Some("package"),
        raw::HostDelivery::Auto | raw::HostDelivery::HelmRelease => None,
    };
    if let (raw::PlatformKind::Generic, Some(word)) = (kind, word) {
        let message = format!("`{word}` is for cozystack; the generic platform has no `Package`");
        faults.add_with_hint("/spec/host/delivery", message, "delivery: helmRelease");
    }
    if delivery != raw::HostDelivery::Package && raw.is_some_and(|raw| raw.package.is_some()) {
        faults.add("/spec/host/package", "`package` is for `delivery: package`");
    }
    HostConfig {
        enabled: enabled(raw.and_then(|raw| raw.enabled)),
        delivery: match delivery {
            raw::HostDelivery::Auto => None,
            raw::HostDelivery::Overlay => Some(HostDelivery::Overlay),
            raw::HostDelivery::Package => Some(HostDelivery::Package { source: package_source(source) }),
            raw::HostDelivery::HelmRelease => Some(HostDelivery::HelmRelease),
        },
        engine: engine(
            raw.and_then(|raw| raw.engine),
            raw.and_then(|raw| raw.ouroboros.as_ref()).and_then(|ouroboros| ouroboros.mode),
            raw.and_then(|raw| raw.r#static.as_ref()).and_then(|records| records.records),
            OuroborosMode::Coredns,
        ),
    }
}

fn package_source(raw: Option<raw::PackageSource>) -> PackageSourceChoice {
    match raw {
        Some(raw::PackageSource::Platform) | None => PackageSourceChoice::Platform,
        Some(raw::PackageSource::Own) => PackageSourceChoice::Own,
    }
}

/// Whether a layer is wanted; `auto` when nothing is said.
pub(super) fn enabled(raw: Option<raw::Enabled>) -> Enabled {
    match raw {
        Some(raw::Enabled::Auto) | None => Enabled::Auto,
        Some(raw::Enabled::Yes) => Enabled::Yes,
        Some(raw::Enabled::No) => Enabled::No,
    }
}

/// The engine with its own setting. The setting of the other engine is without effect, so that one can change between
/// them with one word.
pub(super) fn engine(
    engine: Option<raw::Engine>,
    mode: Option<raw::Mode>,
    records: Option<raw::Records>,
    default_mode: OuroborosMode,
) -> Engine {
    match engine {
        Some(raw::Engine::Ouroboros) | None => Engine::Ouroboros(match mode {
            None => default_mode,
            Some(raw::Mode::Coredns) => OuroborosMode::Coredns,
            Some(raw::Mode::CorednsImport) => OuroborosMode::CorednsImport,
            Some(raw::Mode::ExternalDns) => OuroborosMode::ExternalDns,
        }),
        Some(raw::Engine::Static) => Engine::Static(match records {
            Some(raw::Records::RewriteSnippet) | None => Records::RewriteSnippet,
            Some(raw::Records::HostsFile) => Records::HostsFile,
            Some(raw::Records::CorefileBlock) => Records::CorefileBlock,
        }),
    }
}

fn hostnames(faults: &mut Faults, raw: Option<&raw::Hostnames>) -> Option<HostnamePolicy> {
    let delegations = raw.and_then(|raw| raw.delegations.as_deref()).unwrap_or_default();
    let delegations: Vec<_> = delegations
        .iter()
        .enumerate()
        .map(|(index, raw)| delegation(faults, &format!("/spec/hostnames/delegations/{index}"), raw))
        .collect();
    let reserved = raw.and_then(|raw| raw.reserved.as_deref()).unwrap_or_default();
    let reserved = faults.take_list("/spec/hostnames/reserved", reserved, values::hostname);
    if raw.and_then(|raw| raw.wildcards) == Some(raw::Wildcards::Regex) {
        let message = "`regex` is not available in this version";
        faults.add_with_hint("/spec/hostnames/wildcards", message, "wildcards: deny");
    }
    let quota = raw.and_then(|raw| raw.quota.as_ref());
    Some(HostnamePolicy {
        delegations: delegations.into_iter().collect::<Option<_>>()?,
        reserved: reserved?,
        quota_per_namespace: count(quota.and_then(|quota| quota.per_namespace).unwrap_or(100)),
        quota_total: count(quota.and_then(|quota| quota.total).unwrap_or(2000)),
    })
}

fn delegation(faults: &mut Faults, at: &str, raw: &raw::Delegation) -> Option<Delegation> {
    for (key, list) in [("namespaces", &raw.namespaces), ("suffixes", &raw.suffixes)] {
        if list.is_empty() {
            faults.add(format!("{at}/{key}"), format!("`{key}` is empty, so this delegates nothing"));
        }
    }
    let namespaces = faults.take_list(&format!("{at}/namespaces"), &raw.namespaces, values::namespace);
    let suffixes = faults.take_list(&format!("{at}/suffixes"), &raw.suffixes, values::hostname);
    Some(Delegation { namespaces: namespaces?, suffixes: suffixes? })
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn removal(faults: &mut Faults, raw: Option<&raw::Removal>) -> Option<RemovalPolicy> {
    let share = raw.and_then(|raw| raw.max_share.as_deref());
    let share = faults.take_optional("/spec/removal/maxShare", share, values::percent);
    let after = raw.and_then(|raw| raw.confirm_after.as_deref());
    let after = faults.take_optional("/spec/removal/confirmAfter", after, values::duration);
    Some(RemovalPolicy {
        max: count(raw.and_then(|raw| raw.max).unwrap_or(5)),
        max_share_percent: share?.unwrap_or(20),
        confirm_after: after?.unwrap_or(SignedDuration::from_mins(10)),
    })
}

fn pins(faults: &mut Faults, raw: Option<&raw::Pins>) -> Option<PinPolicy> {
    let chart = raw.and_then(|raw| raw.chart.as_deref());
    let chart = faults.take_optional("/spec/pins/chart", chart, values::chart_repository);
    let version = raw.and_then(|raw| raw.version.as_deref());
    let version = faults.take_optional("/spec/pins/version", version, values::chart_version);
    let min_age = raw.and_then(|raw| raw.min_age.as_deref());
    let min_age = faults.take_optional("/spec/pins/minAge", min_age, values::duration);
    let mirrors = mirrors(faults, raw.and_then(|raw| raw.mirrors.as_ref()));
    Some(PinPolicy {
        chart_repository: chart?.unwrap_or_else(|| "ghcr.io/lexfrei/charts/ouroboros".to_owned()),
        version: version?.unwrap_or_else(|| "0.8.1".to_owned()),
        min_age: min_age?.unwrap_or(SignedDuration::from_hours(72)),
        mirrors: mirrors?,
    })
}

fn mirrors(faults: &mut Faults, raw: Option<&BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
    let mirrors: Vec<_> = raw
        .into_iter()
        .flatten()
        .map(|(from, to)| {
            let at = format!("/spec/pins/mirrors/{}", from.replace('~', "~0").replace('/', "~1"));
            let from = faults.take(&at, values::registry(from));
            let to = faults.take(&at, values::registry(to));
            Some((from?, to?))
        })
        .collect();
    mirrors.into_iter().collect()
}

fn flux_source(faults: &mut Faults, raw: Option<&raw::Flux>) -> Option<FluxSource> {
    let source = raw.and_then(|raw| raw.source.as_ref());
    let or_default = |text: Option<&String>| text.map_or("flux-system", String::as_str).to_owned();
    let namespace = or_default(source.and_then(|source| source.namespace.as_ref()));
    let name = or_default(source.and_then(|source| source.name.as_ref()));
    let namespace = faults.take("/spec/flux/source/namespace", values::namespace(&namespace));
    let name = faults.take("/spec/flux/source/name", values::name(&name));
    Some(FluxSource { namespace: namespace?, name: name? })
}
