//! The host layer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    dns::{
        claims, hazards,
        ouroboros::{self, external_dns, sources},
        policy::{Claimant, Owner},
    },
    model::{
        cluster::{Enabled, Engine, HostDelivery, IngressConfig, OuroborosMode, PackageSourceChoice, Platform},
        finding::Finding,
        hostname::Hostname,
        inventory::{ClusterInventory, IngressObject},
        layer::Layer,
        observed::Observed,
    },
    plan::{
        Context, Draft, PlatformFacts,
        decision::{Decision, Reason},
        leaving, owner,
        pinned::Pinned,
        records::{
            self, Recorded,
            form::RecordSite,
            written::{self, Written},
        },
        release::{COZY_NAMESPACE, Form, GENERIC_NAMESPACE, OWN_PACKAGE, PLATFORM_PACKAGE, Release},
        values::{ChartValues, watch},
    },
    platform::{
        host::{Target, emits, proxy_target},
        leaves::shared_leaves,
        values::PlatformValues,
    },
};

/// What both platforms have in common: the ingress controller that the proxy stands before.
struct Site<'a> {
    class: &'a str,
    target: Target,
    /// Written into records; on the host of cozystack the controller finds it out by itself.
    cluster_domain: &'a str,
    namespace: &'static str,
}

/// The platform's default for `networking.clusterDomain`.
const DEFAULT_DOMAIN: &str = "cozy.local";

/// Decides about the host.
pub(super) fn decide(context: &Context<'_>) -> Draft {
    if let Some(hold) = context.unread(&Layer::Host) {
        return Draft::new(Layer::Host, hold);
    }
    match (context.inputs.platform, &context.inputs.config.platform) {
        (PlatformFacts::Unknown(unknown), _) => {
            Draft::new(Layer::Host, Decision::not_observed("the platform's values", unknown))
        }
        (PlatformFacts::Cozystack(values), _) => cozystack(context, values),
        (PlatformFacts::Generic, Platform::Generic { ingress }) => generic(context, ingress),
        (PlatformFacts::Generic, Platform::Cozystack { .. }) => {
            unreachable!("the facts were made for this configuration")
        }
    }
}

fn generic(context: &Context<'_>, ingress: &IngressConfig) -> Draft {
    let reason = match (context.inputs.config.host.enabled, ingress.proxy_protocol) {
        (Enabled::No, _) => return leaving::leave(context, Layer::Host, disabled()),
        (Enabled::Auto, false) => {
            let reason =
                Reason::new("ProxyProtocolOff", "the load balancer sends no PROXY headers (ingress.proxyProtocol)");
            return leaving::leave(context, Layer::Host, reason);
        }
        (Enabled::Auto, true) => {
            Reason::new("ProxyProtocolOn", "the load balancer sends PROXY headers (ingress.proxyProtocol)")
        }
        (Enabled::Yes, false) => {
            return Draft::new(Layer::Host, Decision::hold(proxy_protocol_off("ingress.proxyProtocol")));
        }
        (Enabled::Yes, true) => enabled(),
    };
    let site = Site {
        class: ingress.class.as_str(),
        target: Target {
            namespace: ingress.service_namespace.to_string(),
            service_name: ingress.service_name.to_string(),
        },
        cluster_domain: &ingress.cluster_domain,
        namespace: GENERIC_NAMESPACE,
    };
    let mut findings = Vec::new();
    if let Some(hold) = owner::of_host(context, GENERIC_NAMESPACE, None, &mut findings) {
        return Draft { findings, ..Draft::new(Layer::Host, hold) };
    }
    deliver(context, reason, HostDelivery::HelmRelease, &site, findings)
}

fn cozystack(context: &Context<'_>, values: &PlatformValues) -> Draft {
    let mut findings = Vec::new();
    let live = match &context.inputs.inventory.packages {
        Observed::Present(packages) => packages.contains_key(PLATFORM_PACKAGE),
        Observed::Absent | Observed::Unknown(_) => false,
    };
    let emission = emits(values, live);
    if let Err(guard) = &emission {
        findings.push(guard.finding("Package/cozystack.cozystack-platform"));
    }
    let decided = match wanted(context, values) {
        Err(Unwanted::Leave(reason)) => leaving::leave(context, Layer::Host, reason),
        Err(Unwanted::Hold(reason)) => Draft::new(Layer::Host, Decision::hold(reason)),
        Ok(reason) => {
            let emitted = emission.as_ref().ok().and_then(|emission| emission.packages.get(PLATFORM_PACKAGE));
            match delivery(context, values, emitted.is_some())
                .map_err(Decision::hold)
                .and_then(|delivery| owned(context, delivery, &mut findings))
            {
                Err(hold) => Draft::new(Layer::Host, hold),
                Ok(delivery) => {
                    let site = Site {
                        class: values.ingress_class(),
                        target: proxy_target(values),
                        cluster_domain: values.cluster_domain().unwrap_or(DEFAULT_DOMAIN),
                        namespace: COZY_NAMESPACE,
                    };
                    let draft = deliver(context, reason, delivery, &site, Vec::new());
                    match emitted.and_then(|package| shared_leaf(&draft, &package.spec)) {
                        Some(reason) => Draft::new(Layer::Host, Decision::hold(reason)),
                        None => draft,
                    }
                }
            }
        }
    };
    findings.extend(decided.findings);
    Draft { findings, ..decided }
}

enum Unwanted {
    Leave(Reason),
    Hold(Reason),
}

/// Whether the host layer is wanted and can work at all on this platform.
fn wanted(context: &Context<'_>, values: &PlatformValues) -> Result<Reason, Unwanted> {
    let reason = match (context.inputs.config.host.enabled, values.proxy_protocol()) {
        (Enabled::No, _) => return Err(Unwanted::Leave(disabled())),
        (Enabled::Auto, false) => {
            let message = "the platform's load balancer sends no PROXY headers (publishing.proxyProtocol)";
            return Err(Unwanted::Leave(Reason::new("ProxyProtocolOff", message)));
        }
        (Enabled::Yes, false) => return Err(Unwanted::Hold(proxy_protocol_off("publishing.proxyProtocol"))),
        (Enabled::Auto, true) => Reason::new(
            "ProxyProtocolOn",
            "the platform's load balancer sends PROXY headers (publishing.proxyProtocol)",
        ),
        (Enabled::Yes, true) => enabled(),
    };
    let capabilities = values.capabilities();
    if !capabilities.host_nginx_accepts_proxy {
        let message = format!(
            "cozystack {} drops publishing.proxyProtocol on its way to the host's ingress controller (the component \
             ingress-system is never installed), so the controller refuses the PROXY header that the proxy would send",
            capabilities.version
        );
        return Err(Unwanted::Hold(
            Reason::new("ProxyProtocolUnsupportedByPlatform", message).fix("upgrade the platform to v1.5.0 or later"),
        ));
    }
    if !values.nginx_expects_proxy() {
        let message = "publishing.proxyProtocol is neither true nor false: the platform installs the proxy, and does not \
                       tell the ingress controller to accept PROXY headers";
        return Err(Unwanted::Hold(
            Reason::new("ProxyProtocolAmbiguous", message).fix("write publishing.proxyProtocol: true"),
        ));
    }
    if values.gateway_enabled() {
        let message = "gateway.enabled is on: the platform's host names move from Ingresses to the Gateway API, and the \
                       ingress controller behind the proxy no longer serves them";
        return Err(Unwanted::Hold(
            Reason::new("GatewayMode", message)
                .fix("set host.enabled: false in cluster.yaml, or gateway.enabled: false"),
        ));
    }
    Ok(reason)
}

/// How the fix reaches a cozystack host without a second writer.
fn delivery(context: &Context<'_>, values: &PlatformValues, is_emitted: bool) -> Result<HostDelivery, Reason> {
    let has_system = values.system_enabled();
    let automatic = if !has_system || !values.capabilities().host_overlay {
        HostDelivery::HelmRelease
    } else {
        HostDelivery::Overlay
    };
    let delivery = context.inputs.config.host.delivery.unwrap_or(automatic);
    match delivery {
        HostDelivery::Overlay if is_emitted => Ok(delivery),
        HostDelivery::Overlay if !has_system => Err(Reason::new(
            "PlatformEmitsNothing",
            "without its system bundle (variant isp-hosted) the platform emits no Package/cozystack.ouroboros to lay over",
        )
        .fix("set host.delivery: helmRelease in cluster.yaml")),
        HostDelivery::Overlay => Err(Reason::new(
            "PackageDisabledOnPlatform",
            "the platform's bundles.disabledPackages names cozystack.ouroboros, so there is no Package to lay over",
        )
        .fix("set host.delivery: package in cluster.yaml to take the whole Package over, or host.enabled: false")),
        HostDelivery::Package { .. } if is_emitted => Err(Reason::new(
            "OwnedByPlatform",
            "the platform emits Package/cozystack.ouroboros itself, and two writers of one Package undo each other",
        )
        .fix("add to the platform's values: bundles.disabledPackages: [cozystack.ouroboros]")),
        HostDelivery::Package { source: PackageSourceChoice::Platform } if !has_system => Err(Reason::new(
            "PlatformPackageUnusable",
            "without the system bundle (variant isp-hosted) the packages that cozystack.ouroboros depends on are not installed",
        )
        .fix("set host.delivery: helmRelease in cluster.yaml")),
        HostDelivery::Package { .. } => Ok(delivery),
        HostDelivery::HelmRelease if is_emitted => Err(Reason::new(
            "OwnedByPlatform",
            "the platform's own Package/cozystack.ouroboros already installs the release ouroboros in cozy-ouroboros",
        )
        .fix("set host.delivery: overlay in cluster.yaml")),
        HostDelivery::HelmRelease => Ok(delivery),
    }
}

/// The delivery again, unless somebody else installs the same release.
fn owned(context: &Context<'_>, delivery: HostDelivery, findings: &mut Vec<Finding>) -> Result<HostDelivery, Decision> {
    let package = match delivery {
        HostDelivery::Overlay | HostDelivery::Package { source: PackageSourceChoice::Platform } => {
            Some(PLATFORM_PACKAGE)
        }
        HostDelivery::Package { source: PackageSourceChoice::Own } => Some(OWN_PACKAGE),
        HostDelivery::HelmRelease => None,
    };
    owner::of_host(context, COZY_NAMESPACE, package, findings).map_or(Ok(delivery), Err)
}

/// Makes the release, whatever the platform.
fn deliver(
    context: &Context<'_>,
    reason: Reason,
    delivery: HostDelivery,
    site: &Site<'_>,
    mut findings: Vec<Finding>,
) -> Draft {
    let config = context.inputs.config;
    let hold = |decision| Draft::new(Layer::Host, decision);
    let pinned = match Pinned::resolve(context.inputs.pins, &config.pins, context.now()) {
        Ok(pinned) => pinned,
        Err(reason) => return hold(Decision::hold(reason)),
    };
    let ingresses = match (&context.inputs.inventory.host.ingresses, &config.host.engine) {
        (Observed::Present(ingresses), _) => ingresses.as_slice(),
        (Observed::Unknown(unknown), Engine::Static(_)) => {
            return hold(Decision::not_observed("the host's Ingresses", unknown));
        }
        (Observed::Unknown(_) | Observed::Absent, _) => &[],
    };
    let hazards = hazards::Site {
        layer: &Layer::Host,
        class: Some(site.class),
        served: Some(site.class),
        cluster_domain: site.cluster_domain,
        engine: &config.host.engine,
    };
    findings.extend(hazards::of_ingresses(ingresses, &hazards));
    let record_site = RecordSite {
        cluster: &context.inputs.inventory.host,
        namespace: site.namespace,
        target: ouroboros::proxy_name(site.namespace, site.cluster_domain),
        is_mounted: false,
    };
    let (written, recorded) = match &config.host.engine {
        Engine::Ouroboros(mode) => {
            let controller = chart_values(&config.host.engine, delivery, site).upstream(&pinned);
            let predicted = predicted(&context.inputs.inventory.host, &controller, *mode);
            match written::by_controller(context, &Layer::Host, &record_site, *mode, &predicted) {
                Ok(written) => (written, Err(predicted)),
                Err(obstacle) => return hold(obstacle),
            }
        }
        Engine::Static(wanted) => {
            let committed = records::form::committed(context, &Layer::Host, wanted.file());
            let recorded = recorded(context, ingresses, site, &committed.hosts);
            match written::by_static(context, &Layer::Host, &record_site, wanted, &committed, &recorded) {
                Ok(written) => (written, Ok(recorded)),
                Err(obstacle) => return hold(obstacle),
            }
        }
    };
    let values = chart_values(&written.chart_engine, delivery, site);
    let form = match delivery {
        HostDelivery::Overlay => Form::Overlay { values: values.wrapped(&pinned) },
        HostDelivery::Package { source: PackageSourceChoice::Platform } => {
            Form::Package { values: values.wrapped(&pinned) }
        }
        HostDelivery::Package { source: PackageSourceChoice::Own } => {
            Form::OwnPackage { values: values.upstream(&pinned), chart: pinned.chart.clone() }
        }
        HostDelivery::HelmRelease => Form::HelmRelease {
            namespace: site.namespace,
            chart: pinned.chart.clone(),
            values: values.upstream(&pinned),
        },
    };
    let release = Release { form, engine: written.engine.clone(), records: written.release(None) };
    let draft = leaving::deliver(context, Layer::Host, reason, release);
    finish(draft, written, recorded, findings)
}

/// Adds to a layer what its records say; `Err`: the names that the controller of ouroboros redirects.
pub(super) fn finish(
    mut draft: Draft,
    written: Written,
    recorded: Result<Recorded, BTreeMap<String, Option<Owner>>>,
    findings: Vec<Finding>,
) -> Draft {
    draft.findings = findings;
    match recorded {
        Err(predicted) => {
            draft.hosts = predicted;
            draft.keep(written.tombstones, BTreeMap::new());
            draft.loss = written.loss;
        }
        Ok(recorded) => {
            draft.findings.extend(recorded.findings);
            if written.records.is_some() {
                draft.hosts = recorded.hosts.into_iter().map(|(host, owner)| (host.to_string(), owner)).collect();
            }
            draft.keep(recorded.tombstones, recorded.owners);
            draft.loss = recorded.loss;
        }
    }
    draft.findings.extend(written.findings);
    draft.replacing(written.replaced);
    if let (Some((file, text)), Decision::Deliver { .. }) = (written.edit, &draft.decision) {
        draft.edits.insert(file.path().clone(), text);
        if let Some(memory) = &mut draft.memory {
            memory.corefile = Some(file);
        }
    }
    draft
}

fn chart_values<'a>(engine: &Engine, delivery: HostDelivery, site: &'a Site<'_>) -> ChartValues<'a> {
    let is_overlay = delivery == HostDelivery::Overlay;
    let mode = match engine {
        // What the platform's chart has by default is left to it.
        Engine::Ouroboros(OuroborosMode::Coredns) if is_overlay => None,
        Engine::Ouroboros(mode) => Some(*mode),
        Engine::Static(_) => None,
    };
    ChartValues {
        engine: engine.clone(),
        mode,
        ingress_class: Some(site.class),
        // On cozystack the domain of the host is found at run time, as the platform's own release does.
        cluster_domain: (site.namespace == GENERIC_NAMESPACE).then_some(site.cluster_domain),
        target: (!is_overlay).then_some((&site.target.namespace, &site.target.service_name)),
        gateway_api: None,
    }
}

fn recorded(
    context: &Context<'_>,
    ingresses: &[IngressObject],
    site: &Site<'_>,
    committed: &BTreeSet<Hostname>,
) -> Recorded {
    let claims = claims::of_ingresses(ingresses, Some(site.class));
    records::decide(context, &Layer::Host, claims, Claimant::ItsNamespace, committed, ingresses.is_empty())
}

/// The names that the controller of ouroboros will redirect by itself. `values`: those that its chart gets.
pub(super) fn predicted(
    cluster: &ClusterInventory,
    values: &Value,
    mode: OuroborosMode,
) -> BTreeMap<String, Option<Owner>> {
    let objects = sources::Objects {
        ingresses: cluster.ingresses.present().map_or(&[], Vec::as_slice),
        gateways: cluster.gateways.present().map_or(&[], Vec::as_slice),
        http_routes: cluster.http_routes.present().map_or(&[], Vec::as_slice),
    };
    let owner = |claim: claims::Claim<'_>| Owner {
        kind: claim.kind,
        namespace: claim.owner.namespace.clone(),
        name: claim.owner.name.clone(),
    };
    let takes = |name: &str| match mode {
        OuroborosMode::ExternalDns => external_dns::takes(name),
        OuroborosMode::Coredns | OuroborosMode::CorednsImport => true,
    };
    let names = ouroboros::redirected(sources::claims(&objects, &watch(values)));
    names.into_iter().filter(|(name, _)| takes(name)).map(|(name, claim)| (name, Some(owner(claim)))).collect()
}

/// The proof that an overlay and the platform's own `Package` have no leaf in common.
fn shared_leaf(draft: &Draft, emitted: &Value) -> Option<Reason> {
    let Decision::Deliver { release, .. } = &draft.decision else { return None };
    let Form::Overlay { values } = &release.form else { return None };
    let ours = serde_json::json!({"components": {"ouroboros": {"values": values}}});
    let shared = shared_leaves(&ours, emitted).into_iter().next()?;
    let message = format!("the platform's own Package sets {shared} too; the two would undo each other");
    Some(Reason::new("LeafOwnedByPlatform", message))
}

fn disabled() -> Reason {
    Reason::new("Disabled", "host.enabled is false in cluster.yaml")
}

fn enabled() -> Reason {
    Reason::new("Enabled", "host.enabled is true in cluster.yaml")
}

fn proxy_protocol_off(key: &str) -> Reason {
    Reason::new(
        "ProxyProtocolOff",
        format!("{key} is off: the ingress controller refuses the PROXY header that the proxy would send"),
    )
    .fix(format!("set {key}: true, or host.enabled: auto in cluster.yaml"))
}
