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
            Access, AccessWay, ChartSignature, ClusterConfig, CorefilePath, Delegation, Enabled, Engine, FluxSource,
            HostConfig, HostDelivery, HostnamePolicy, HostsPath, IngressConfig, OuroborosMode, PackageSourceChoice,
            PinPolicy, Platform, Records, RemovalPolicy, SignerIdentity, TenantAccess, ValuesSource,
        },
        name::Name,
        pins::{PinName, Signer, Subject},
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
        host: host?,
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

fn host(faults: &mut Faults, kind: raw::PlatformKind, raw: Option<&raw::Host>) -> Option<HostConfig> {
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
    let records = raw.and_then(|raw| raw.r#static.as_ref());
    check_static(faults, "/spec/host/static", records);
    let engine = engine(
        raw.and_then(|raw| raw.engine),
        raw.and_then(|raw| raw.ouroboros.as_ref()).and_then(|ouroboros| ouroboros.mode),
        records,
        OuroborosMode::Coredns,
    );
    if engine.is_none() {
        file_missing(faults, "/spec/host/static", records);
    }
    Some(HostConfig {
        enabled: enabled(raw.and_then(|raw| raw.enabled)),
        delivery: match delivery {
            raw::HostDelivery::Auto => None,
            raw::HostDelivery::Overlay => Some(HostDelivery::Overlay),
            raw::HostDelivery::Package => Some(HostDelivery::Package { source: package_source(source) }),
            raw::HostDelivery::HelmRelease => Some(HostDelivery::HelmRelease),
        },
        engine: engine?,
    })
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
/// them with one word. Nothing for a form of records whose file is not given or not lawful, which is a fault elsewhere.
pub(super) fn engine(
    engine: Option<raw::Engine>,
    mode: Option<raw::Mode>,
    records: Option<&raw::Static>,
    default_mode: OuroborosMode,
) -> Option<Engine> {
    match engine {
        Some(raw::Engine::Ouroboros) | None => Some(Engine::Ouroboros(match mode {
            None => default_mode,
            Some(raw::Mode::Coredns) => OuroborosMode::Coredns,
            Some(raw::Mode::CorednsImport) => OuroborosMode::CorednsImport,
            Some(raw::Mode::ExternalDns) => OuroborosMode::ExternalDns,
        })),
        Some(raw::Engine::Static) => {
            let path = records.and_then(|records| records.path.as_deref());
            let path = path.map_or_else(|| Some(HostsPath::default()), |path| HostsPath::parse(path).ok());
            Some(Engine::Static(match records.and_then(|records| records.records) {
                Some(raw::Records::Auto) | None => Records::Auto(path?),
                Some(raw::Records::RewriteSnippet) => Records::RewriteSnippet,
                Some(raw::Records::HostsFile) => Records::HostsFile(path?),
                Some(raw::Records::CorefileBlock) => {
                    let file = records.and_then(|records| records.file.as_deref())?;
                    Records::CorefileBlock { file: CorefilePath::parse(file).ok()? }
                }
            }))
        }
    }
}

/// Checks the texts of `static`, whichever of them is used.
pub(super) fn check_static(faults: &mut Faults, at: &str, raw: Option<&raw::Static>) {
    let Some(raw) = raw else { return };
    faults.take_optional(&format!("{at}/path"), raw.path.as_deref(), HostsPath::parse);
    faults.take_optional(&format!("{at}/file"), raw.file.as_deref(), CorefilePath::parse);
}

/// Notes that a block in a Corefile is wanted, and nobody says where that is.
pub(super) fn file_missing(faults: &mut Faults, at: &str, raw: Option<&raw::Static>) {
    if raw.is_none_or(|raw| raw.file.is_none() && raw.records == Some(raw::Records::CorefileBlock)) {
        let message = "`file` is missing: nothing says which file of the repository holds the Corefile";
        faults.add_with_hint(format!("{at}/file"), message, "file: infrastructure/coredns.yaml");
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
    let search = raw.and_then(|raw| raw.search_domains.as_deref()).unwrap_or_default();
    let search_domains = faults.take_list("/spec/hostnames/searchDomains", search, values::domain);
    if raw.and_then(|raw| raw.wildcards) == Some(raw::Wildcards::Regex) {
        let message = "`regex` is not available in this version";
        faults.add_with_hint("/spec/hostnames/wildcards", message, "wildcards: deny");
    }
    let quota = raw.and_then(|raw| raw.quota.as_ref());
    Some(HostnamePolicy {
        delegations: delegations.into_iter().collect::<Option<_>>()?,
        reserved: reserved?,
        search_domains: search_domains?,
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
    let suffixes = faults.take_list(&format!("{at}/suffixes"), &raw.suffixes, values::delegated);
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

/// The platforms that clusters are made of.
const DEFAULT_PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn pins(faults: &mut Faults, raw: Option<&raw::Pins>) -> Option<PinPolicy> {
    let chart = raw.and_then(|raw| raw.chart.as_deref());
    let chart = faults.take_optional("/spec/pins/chart", chart, values::chart_repository);
    let version = raw.and_then(|raw| raw.version.as_deref());
    let version = faults.take_optional("/spec/pins/version", version, values::chart_version);
    let min_age = raw.and_then(|raw| raw.min_age.as_deref());
    let min_age = faults.take_optional("/spec/pins/minAge", min_age, values::duration);
    let mirrors = mirrors(faults, raw.and_then(|raw| raw.mirrors.as_ref()));
    let platforms = match raw.and_then(|raw| raw.platforms.as_deref()) {
        None => Some(DEFAULT_PLATFORMS.map(str::to_owned).to_vec()),
        Some([]) => {
            faults.add("/spec/pins/platforms", "`platforms` is empty: name at least one, or leave it out");
            None
        }
        Some(given) => faults.take_list("/spec/pins/platforms", given, values::image_platform),
    };
    let verify = match raw.and_then(|raw| raw.verify.as_ref()) {
        None => Some(None),
        Some(raw) => chart_signature(faults, raw).map(Some),
    };
    let signers = signers(faults, raw.and_then(|raw| raw.signers.as_deref()).unwrap_or_default());
    Some(PinPolicy {
        chart_repository: chart?.unwrap_or_else(|| "ghcr.io/lexfrei/charts/ouroboros".to_owned()),
        version: version?.unwrap_or_else(|| "0.8.1".to_owned()),
        min_age: min_age?.unwrap_or(SignedDuration::from_hours(72)),
        mirrors: mirrors?,
        platforms: platforms?,
        verify: verify?,
        signers: signers?,
    })
}

fn signers(faults: &mut Faults, given: &[raw::PinSigner]) -> Option<BTreeMap<PinName, Signer>> {
    let mut signers = BTreeMap::new();
    let mut is_whole = true;
    for (index, raw) in given.iter().enumerate() {
        let at = format!("/spec/pins/signers/{index}");
        let Some(name) = PinName::of(&raw.pin) else {
            let names = PinName::ALL.map(PinName::as_str).join(", ");
            faults.add(format!("{at}/pin"), format!("`{}` is none of {names}", raw.pin.escape_debug()));
            is_whole = false;
            continue;
        };
        let Some(signer) = signer(faults, &at, raw) else {
            is_whole = false;
            continue;
        };
        if signers.insert(name, signer).is_some() {
            faults.add(format!("{at}/pin"), format!("`{}` has a signer already", raw.pin));
        }
    }
    is_whole.then_some(signers)
}

fn signer(faults: &mut Faults, at: &str, raw: &raw::PinSigner) -> Option<Signer> {
    match (&raw.key, raw.transparency_log, &raw.issuer, &raw.subject) {
        (Some(key), log, None, None) => {
            let is_pem = key.trim().starts_with("-----BEGIN PUBLIC KEY-----")
                && key.trim().ends_with("-----END PUBLIC KEY-----");
            if !is_pem {
                faults.add(format!("{at}/key"), "this is not a public key (PEM, `-----BEGIN PUBLIC KEY-----`)");
                return None;
            }
            Some(Signer::Key { pem: format!("{}\n", key.trim()), transparency_log: log.unwrap_or(true) })
        }
        (None, None, Some(issuer), Some(subject)) => {
            let issuer = faults.take(&format!("{at}/issuer"), values::words(issuer));
            let subject = faults.take(&format!("{at}/subject"), values::words(subject));
            let subject = subject.map(|subject| match subject.strip_suffix('*') {
                Some(start) => Subject::StartsWith(start.to_owned()),
                None => Subject::Exactly(subject),
            });
            Some(Signer::Identity { issuer: issuer?, subject: subject? })
        }
        _ => {
            faults.add(at, "give either `key`, and `transparencyLog` if you like, or `issuer` and `subject`");
            None
        }
    }
}

fn chart_signature(faults: &mut Faults, raw: &raw::Verify) -> Option<ChartSignature> {
    const AT: &str = "/spec/pins/verify";
    let secret = faults.take_optional(&format!("{AT}/secretRef"), raw.secret_ref.as_deref(), values::name);
    let given = raw.match_oidc_identity.as_deref().unwrap_or_default();
    let identities = given.iter().enumerate().map(|(index, raw)| {
        let at = format!("{AT}/matchOIDCIdentity/{index}");
        let issuer = faults.take(&format!("{at}/issuer"), values::words(&raw.issuer));
        let subject = faults.take(&format!("{at}/subject"), values::words(&raw.subject));
        Some(SignerIdentity { issuer: issuer?, subject: subject? })
    });
    let identities = identities.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>();
    if raw.secret_ref.is_none() && given.is_empty() {
        // Flux takes such a signature of anybody.
        let message = "give `secretRef` or `matchOIDCIdentity`: else a signature of anybody would do";
        faults.add(AT, message);
    }
    Some(ChartSignature { secret: secret?, identities: identities? })
}

fn mirrors(faults: &mut Faults, raw: Option<&BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
    let mut sources: BTreeMap<&str, &str> = BTreeMap::new();
    let mirrors: Vec<_> = raw
        .into_iter()
        .flatten()
        .map(|(from, to)| {
            let at = format!("/spec/pins/mirrors/{}", from.replace('~', "~0").replace('/', "~1"));
            let other = sources.insert(to, from);
            if let Some(other) = other {
                // Nobody could tell what such a mirror is a mirror of.
                let message = format!("`{other}` has the mirror `{to}` already: give each a path of its own");
                faults.add(&at, message);
            }
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
