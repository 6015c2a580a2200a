//! The tenant layers.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    dns::{claims, hazards, ouroboros, policy::Claimant},
    model::{
        cluster::{Enabled, Engine, SecretKey, TenantConfig, TenantDelivery},
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::{ClusterInventory, TenantObject},
        layer::{Layer, TenantId},
        name::Name,
        observed::{Observed, Unknown},
        state::LayerState,
    },
    plan::{
        Context, Draft, PlatformFacts,
        addon::{self, Own},
        decision::{Decision, Reason},
        host::{finish, predicted},
        leaving, owner,
        pinned::Pinned,
        records::{self, Recorded, form::RecordSite, written},
        release::{
            ADDON_FILE, COZY_NAMESPACE, Carrier, Form, GENERIC_NAMESPACE, Release, RemoteChart, RemoteHelmRelease,
            TwoStep,
        },
        removal::Loss,
        values::{ChartValues, watch},
    },
    platform::{
        addons::{SnippetImport, TenantAddons},
        tenant::release_name,
        tenant_findings::tenant_findings,
        values::PlatformValues,
    },
};

/// The domain that the DNS of a cozystack tenant serves, in every version.
pub(super) const TENANT_DOMAIN: &str = "cluster.local";

/// Decides about every tenant that is listed, seen or committed.
pub(super) fn decide_all(context: &Context<'_>, findings: &mut Vec<Finding>) -> Vec<Draft> {
    let config = &context.inputs.config.tenants;
    let mut tenants: BTreeSet<TenantId> = config.listed.keys().cloned().collect();
    tenants.extend(context.committed_tenants());
    let shown_as = match context.inputs.platform {
        PlatformFacts::Cozystack(_) | PlatformFacts::Unknown(_) => Some("Kubernetes.apps.cozystack.io"),
        PlatformFacts::Generic => config.kubeconfigs.as_ref().map(|_| "Secret"),
    };
    if let Some(subject) = shown_as.filter(|_| config.discover) {
        match &context.inputs.inventory.tenants {
            Observed::Present(seen) => tenants.extend(seen.keys().cloned()),
            Observed::Absent => (),
            Observed::Unknown(unknown) => findings.push(Finding {
                severity: Severity::Info,
                rule: "TenantsNotObserved",
                subject: subject.to_owned(),
                message: format!("tenants were not looked for: {}", unknown.message),
                fix: Some("give an inventory with the cluster's tenants".to_owned()),
                host: None,
            }),
        }
    }
    tenants.into_iter().map(|tenant| decide(context, tenant)).collect()
}

fn decide(context: &Context<'_>, tenant: TenantId) -> Draft {
    let config = &context.inputs.config.tenants;
    let layer = Layer::Tenant(tenant.clone());
    if let Some(obstacle) = context.wrong_tenant(&layer).or_else(|| context.unread(&layer)) {
        return Draft::new(layer, obstacle);
    }
    let wanted = config.listed.get(&tenant).or_else(|| config.discover.then_some(&config.defaults));
    let not_listed =
        || Reason::new("NotListed", "the tenant is not listed in cluster.yaml and tenants.discover is off");
    match context.inputs.platform {
        PlatformFacts::Unknown(unknown) => Draft::new(layer, Decision::not_observed("the platform's values", unknown)),
        PlatformFacts::Generic => match (config.listed.get(&tenant), &config.kubeconfigs) {
            // Its entry says all that is needed, whether it is seen or not.
            (Some(wanted @ TenantConfig { kubeconfig: Some(secret), .. }), _) => {
                generic(context, &tenant, wanted, secret)
            }
            (_, None) => leaving::leave(context, layer, not_listed()),
            (_, Some(_)) => match (&context.inputs.inventory.tenants, wanted) {
                (Observed::Unknown(unknown), _) => {
                    Draft::new(layer, Decision::not_observed("the list of tenants", unknown))
                }
                (_, None) => leaving::leave(context, layer, not_listed()),
                (Observed::Absent, Some(_)) => gone(context, layer, true),
                (Observed::Present(seen), Some(wanted)) => match seen.get(&tenant) {
                    Some(TenantObject::Kubeconfig(secret)) => generic(context, &tenant, wanted, secret),
                    Some(TenantObject::Kubernetes { .. }) => Draft::new(layer, of_another_platform()),
                    None => gone(context, layer, seen.is_empty()),
                },
            },
        },
        PlatformFacts::Cozystack(values) => match (&context.inputs.inventory.tenants, wanted) {
            (Observed::Unknown(unknown), _) => {
                Draft::new(layer, Decision::not_observed("the list of tenants", unknown))
            }
            (_, None) => leaving::leave(context, layer, not_listed()),
            (Observed::Absent, Some(_)) => gone(context, layer, true),
            (Observed::Present(seen), Some(wanted)) => match seen.get(&tenant) {
                Some(TenantObject::Kubernetes { addons }) => cozystack(context, values, &tenant, wanted, addons),
                Some(TenantObject::Kubeconfig(_)) => Draft::new(layer, of_another_platform()),
                None => gone(context, layer, seen.is_empty()),
            },
        },
    }
}

/// A tenant that a complete list does not show any more.
fn gone(context: &Context<'_>, layer: Layer, nothing_seen: bool) -> Draft {
    let reason = Reason::new("TenantGone", "the inventory shows no such tenant");
    let committed = context.inputs.tree.below(context.layer_folder(&layer).as_str()).next().is_some();
    if !committed {
        return Draft::new(layer, Decision::Remove { reason, withdraw: BTreeSet::new() });
    }
    let before = context.memory(&layer).cloned().unwrap_or_default();
    let since = before.leaving.unwrap_or(context.now());
    let hosts = records::form::committed(context, &layer, None).hosts;
    let mut loss = Loss::of_tenant(hosts.iter().map(ToString::to_string));
    loss.is_total = nothing_seen && !context.removals_accepted;
    // It is the host that does not show it.
    let mut draft = if records::is_confirmed(context, &Layer::Host, since) {
        // With the tenant went its ConfigMap; only a component that a kustomization still names must stay.
        let is_named = context.committed(&layer, ADDON_FILE).is_some()
            && context.is_referenced(&context.layer_folder(&layer).join("addon"));
        let withdraw: BTreeSet<_> = is_named.then_some(TwoStep::Addon).into_iter().collect();
        let leaving = is_named.then_some(since);
        let mut draft = Draft::new(layer, Decision::Remove { reason, withdraw });
        draft.memory = Some(LayerState { leaving, ..LayerState::default() });
        if let Some(file) = &before.corefile {
            leaving::take_block_out(context, &mut draft, file);
        }
        draft
    } else {
        let message = format!("the inventory shows no such tenant since {since}; its files go when that is confirmed");
        let mut draft = Draft::new(layer, Decision::hold(Reason::new("TenantGoneUnconfirmed", message)));
        // The one thing that a held layer may learn, or the absence would never be confirmed.
        draft.memory = Some(LayerState { leaving: Some(since), ..before });
        draft
    };
    draft.loss = loss;
    draft
}

/// A tenant that the inventory shows by what tells tenants on another platform. It proves nothing here.
fn of_another_platform() -> Decision {
    let message = "the inventory shows the tenant as another platform has it";
    let reason = Reason::new("TenantOfOtherPlatform", message);
    Decision::hold(reason.fix("correct spec.platform.kind in cluster.yaml, or take a new inventory"))
}

fn generic(context: &Context<'_>, tenant: &TenantId, config: &TenantConfig, secret: &SecretKey) -> Draft {
    let layer = Layer::Tenant(tenant.clone());
    let config = &TenantConfig { kubeconfig: Some(secret.clone()), ..config.clone() };
    let ingress = config.ingress.as_ref().expect("cluster.yaml is refused when a tenant of no platform has none");
    let says = config.proxy_protocol || ingress.proxy_protocol;
    let reason = match (config.enabled, says) {
        (Enabled::No, _) => return leaving::leave(context, layer, disabled()),
        (Enabled::Auto, false) => return leaving::leave(context, layer, not_needed()),
        (Enabled::Yes, false) => return Draft::new(layer, Decision::hold(proxy_protocol_not_accepted(tenant))),
        (Enabled::Auto | Enabled::Yes, true) => {
            Reason::new("ProxyProtocolOn", "cluster.yaml says that PROXY headers are sent to the tenant")
        }
    };
    let delivery = match config.delivery.unwrap_or(TenantDelivery::RemoteHelmRelease) {
        TenantDelivery::Addon => {
            let message = "there is no platform whose add-on could deliver";
            return Draft::new(layer, Decision::hold(Reason::new("NoAddon", message)));
        }
        delivery => delivery,
    };
    let site = Site {
        namespace: GENERIC_NAMESPACE,
        class: Some(ingress.class.as_str()),
        target: Some((ingress.service_namespace.as_str(), ingress.service_name.as_str())),
        cluster_domain: &ingress.cluster_domain,
        gateway_api: None,
        addon: None,
        imports_overrides: false,
    };
    let mut findings = Vec::new();
    let secrets = [secret.name.as_str()];
    if let Some(hold) = owner::of_tenant(context, &layer, GENERIC_NAMESPACE, &secrets, None, &mut findings) {
        return Draft { findings, ..Draft::new(layer, hold) };
    }
    deliver(context, tenant, config, reason, &site, findings, |pinned, values| {
        let values = values.upstream(pinned);
        let chart = pinned.chart.clone();
        match delivery {
            TenantDelivery::OwnFlux => Form::HelmRelease { namespace: GENERIC_NAMESPACE, chart, values },
            TenantDelivery::RemoteHelmRelease | TenantDelivery::Addon => Form::RemoteHelmRelease(RemoteHelmRelease {
                name: format!("{}-ouroboros", tenant.name),
                chart: RemoteChart::Oci(chart),
                kubeconfig: secret.clone(),
                namespace: GENERIC_NAMESPACE,
                force_upgrade: false,
                depends_on: Vec::new(),
                values,
            }),
        }
    })
}

fn cozystack(
    context: &Context<'_>,
    values: &PlatformValues,
    tenant: &TenantId,
    config: &TenantConfig,
    object: &Value,
) -> Draft {
    let layer = Layer::Tenant(tenant.clone());
    let addons = match TenantAddons::new(object.clone()) {
        Ok(addons) => addons,
        Err(problems) => return Draft::new(layer, Decision::hold(addon::unlawful(&problems))),
    };
    let capabilities = values.capabilities();
    let automatic =
        if capabilities.tenant_addon_by_default { TenantDelivery::Addon } else { TenantDelivery::RemoteHelmRelease };
    let delivery = config.delivery.unwrap_or(automatic);
    let mut findings = tenant_findings(tenant, &addons);
    let told = findings.clone();
    let with_findings = |draft: Draft| {
        let findings = told.iter().cloned().chain(draft.findings).collect();
        Draft { findings, ..draft }
    };

    if delivery != TenantDelivery::Addon
        && config.enabled != Enabled::No
        && let Some(draft) = leaving::addon_first(context, &layer)
    {
        return with_findings(draft);
    }
    let own = Own::of(context, &layer, &addons);
    let accepts = config.proxy_protocol || own.proxy_protocol;
    let reason = match (config.enabled, accepts, own.addon) {
        (Enabled::No, ..) => return with_findings(leaving::leave(context, layer, disabled())),
        (Enabled::Auto, false, false) => return with_findings(leaving::leave(context, layer, not_needed())),
        (Enabled::Yes, false, false) => {
            return with_findings(Draft::new(layer, Decision::hold(proxy_protocol_not_accepted(tenant))));
        }
        (_, true, _) => Reason::new("ProxyProtocolOn", "the tenant's ingress controller accepts PROXY headers"),
        (_, false, true) => Reason::new("AddonEnabled", "the tenant's own object has the add-on ouroboros on"),
    };
    if let Some(obstacle) = owner_obstacle(context, &layer, tenant, delivery, config, &addons, &mut findings) {
        return Draft { findings, ..Draft::new(layer, obstacle) };
    }
    if delivery != TenantDelivery::Addon && !addons.uses_proxy_protocol() {
        let reason = proxy_protocol_not_accepted(tenant).fix(
            "set use-proxy-protocol: \"true\" in spec.addons.ingressNginx.valuesOverride.ingress-nginx.controller.config of \
             the tenant's object, or delivery: addon for the tenant in cluster.yaml",
        );
        return with_findings(Draft::new(layer, Decision::hold(reason)));
    }
    if !addons.ingress_nginx_enabled() && delivery != TenantDelivery::Addon {
        let message = "the tenant's add-on ingressNginx is off: there is no ingress controller to send to";
        let reason = Reason::new("IngressControllerMissing", message).fix("set spec.addons.ingressNginx.enabled: true");
        return with_findings(Draft::new(layer, Decision::hold(reason)));
    }
    let release_name = release_name(tenant);
    let site = Site {
        namespace: COZY_NAMESPACE,
        class: None,
        target: None,
        cluster_domain: TENANT_DOMAIN,
        gateway_api: Some(addons.gateway_api_enabled()),
        addon: (delivery == TenantDelivery::Addon).then(|| addons.ouroboros_values()["ouroboros"].take()),
        imports_overrides: addons.snippet_import() == SnippetImport::Works,
    };
    let draft = deliver(context, tenant, config, reason, &site, Vec::new(), |pinned, chart_values| match delivery {
        TenantDelivery::Addon => Form::Addon { addons: addon::patch(config, &chart_values.engine, pinned, own) },
        TenantDelivery::OwnFlux => Form::HelmRelease {
            namespace: COZY_NAMESPACE,
            chart: pinned.chart.clone(),
            values: ChartValues {
                target: Some(("cozy-ingress-nginx", "ingress-nginx-controller")),
                ..chart_values.clone()
            }
            .upstream(pinned),
        },
        TenantDelivery::RemoteHelmRelease => {
            let mut depends_on = vec!["cilium", "coredns", "ingress-nginx"];
            depends_on.extend(addons.gateway_api_enabled().then_some("gateway-api-crds"));
            Form::RemoteHelmRelease(RemoteHelmRelease {
                name: format!("{release_name}-ouroboros"),
                chart: RemoteChart::Platform { target_cluster: release_name.clone() },
                kubeconfig: kubeconfig(tenant, config),
                namespace: COZY_NAMESPACE,
                force_upgrade: capabilities.tenant_release_forces_upgrade,
                depends_on: depends_on.into_iter().map(|part| format!("{release_name}-{part}")).collect(),
                values: chart_values.wrapped(pinned),
            })
        }
    });
    let draft = match addon::guard(values, tenant, object, &draft) {
        Some(hold) => Draft { findings: draft.findings, ..Draft::new(layer, hold) },
        None => draft,
    };
    let mut all = findings.clone();
    all.extend(draft.findings);
    all.extend(addon::unreferenced(context, &draft.layer, &draft.decision));
    Draft { findings: all, ..draft }
}

/// Somebody else who already installs the proxy in the tenant.
fn owner_obstacle(
    context: &Context<'_>,
    layer: &Layer,
    tenant: &TenantId,
    delivery: TenantDelivery,
    config: &TenantConfig,
    addons: &TenantAddons,
    findings: &mut Vec<Finding>,
) -> Option<Decision> {
    let is_addon = delivery == TenantDelivery::Addon;
    if !is_addon && addons.ouroboros_enabled() {
        return Some(Decision::hold(
            Reason::new("OwnedByPlatformAddon", "the platform's add-on ouroboros is on in the tenant's own object")
                .fix(
                    "set spec.addons.ouroboros.enabled: false there, or delivery: addon for the tenant in cluster.yaml",
                ),
        ));
    }
    let release = release_name(tenant);
    let secret = kubeconfig(tenant, config).name;
    let secrets = [secret.as_str(), &format!("{release}-admin-kubeconfig")];
    let own = format!("{release}-ouroboros");
    owner::of_tenant(context, layer, COZY_NAMESPACE, &secrets, is_addon.then_some(&own), findings)
}

/// Where the proxy runs in a tenant.
struct Site<'a> {
    namespace: &'static str,
    class: Option<&'a str>,
    target: Option<(&'a str, &'a str)>,
    cluster_domain: &'a str,
    gateway_api: Option<bool>,
    /// The values with which the platform's add-on installs the controller, where it does.
    addon: Option<Value>,
    /// Whether the platform itself keeps the import line of the tenant's Corefile.
    imports_overrides: bool,
}

/// Makes the release, whatever the platform and the delivery.
fn deliver(
    context: &Context<'_>,
    tenant: &TenantId,
    config: &TenantConfig,
    reason: Reason,
    site: &Site<'_>,
    mut findings: Vec<Finding>,
    form: impl FnOnce(&Pinned, &ChartValues<'_>) -> Form,
) -> Draft {
    let layer = Layer::Tenant(tenant.clone());
    let pinned = match Pinned::resolve(context.inputs.pins, &context.inputs.config.pins, context.now()) {
        Ok(pinned) => pinned,
        Err(reason) => return Draft::new(layer, Decision::hold(reason)),
    };
    let unread = ClusterInventory::unknown(&Unknown::not_collected());
    let cluster = context.inputs.inventory.tenant_clusters.get(tenant).unwrap_or(&unread);
    let record_site = RecordSite {
        cluster,
        namespace: site.namespace,
        target: ouroboros::proxy_name(site.namespace, site.cluster_domain),
        is_mounted: site.imports_overrides,
    };
    let values = |engine: &Engine| ChartValues {
        engine: engine.clone(),
        mode: match engine {
            Engine::Ouroboros(mode) => Some(*mode),
            Engine::Static(_) => None,
        },
        ingress_class: site.class,
        cluster_domain: Some(site.cluster_domain),
        target: site.target,
        gateway_api: site.gateway_api,
    };
    let controller = site.addon.clone().unwrap_or_else(|| values(&config.engine).upstream(&pinned));
    findings.extend(hazards(&layer, cluster, config, site, &controller));
    let (written, recorded) = match &config.engine {
        Engine::Ouroboros(mode) => {
            let predicted = predicted(cluster, &controller, *mode);
            match written::by_controller(context, &layer, &record_site, *mode, &predicted) {
                Ok(written) => (written, Err(predicted)),
                Err(obstacle) => return Draft::new(layer, obstacle),
            }
        }
        Engine::Static(wanted) => {
            let committed = records::form::committed(context, &layer, wanted.file());
            let decided = recorded(context, tenant, cluster, site, &committed.hosts).and_then(|recorded| {
                let written = written::by_static(context, &layer, &record_site, wanted, &committed, &recorded)?;
                Ok((written, Ok(recorded)))
            });
            match decided {
                Ok(decided) => decided,
                Err(obstacle) => return Draft::new(layer, obstacle),
            }
        }
    };
    let values = values(&written.chart_engine);
    let form = form(&pinned, &values);
    let carrier = carrier(context, &layer, tenant, config, &form);
    let release = Release { form, engine: written.engine.clone(), records: written.release(carrier) };
    let draft = leaving::deliver(context, layer, reason, release);
    finish(draft, written, recorded, findings)
}

/// The records of a tenant, or why they cannot be decided.
fn recorded(
    context: &Context<'_>,
    tenant: &TenantId,
    cluster: &ClusterInventory,
    site: &Site<'_>,
    committed: &BTreeSet<Hostname>,
) -> Result<Recorded, Decision> {
    let ingresses = match &cluster.ingresses {
        Observed::Present(ingresses) => ingresses.as_slice(),
        Observed::Unknown(unknown) => return Err(Decision::not_observed("the tenant's Ingresses", unknown)),
        Observed::Absent => &[],
    };
    let layer = Layer::Tenant(tenant.clone());
    let claimant = Claimant::One(tenant.namespace.as_str());
    let claims = claims::of_ingresses(ingresses, site.class);
    Ok(records::decide(context, &layer, claims, claimant, committed, ingresses.is_empty()))
}

/// How committed records get into the tenant cluster; `None` when its own Flux reads them.
fn carrier(
    context: &Context<'_>,
    layer: &Layer,
    tenant: &TenantId,
    config: &TenantConfig,
    form: &Form,
) -> Option<Carrier> {
    if let Form::HelmRelease { .. } = form {
        return None;
    }
    Some(Carrier {
        tenant: tenant.clone(),
        kubeconfig: kubeconfig(tenant, config),
        source: context.inputs.config.flux_source.clone(),
        folder: context.layer_folder(layer).join("cluster"),
    })
}

/// The Secret with the tenant's kubeconfig: as configured, else the one that cozystack makes.
pub(super) fn kubeconfig(tenant: &TenantId, config: &TenantConfig) -> SecretKey {
    config.kubeconfig.clone().unwrap_or_else(|| SecretKey {
        name: Name::parse(&format!("{}-admin-kubeconfig", release_name(tenant))).expect("a name with a lawful suffix"),
        key: "super-admin.svc".to_owned(),
    })
}

/// What the fix does not reach among the tenant's Ingresses.
fn hazards(
    layer: &Layer,
    cluster: &ClusterInventory,
    config: &TenantConfig,
    site: &Site<'_>,
    controller: &Value,
) -> Vec<Finding> {
    let class = match config.engine {
        Engine::Ouroboros(_) => watch(controller).ingress_class,
        Engine::Static(_) => site.class,
    };
    let ingresses = cluster.ingresses.present().map_or(&[][..], Vec::as_slice);
    let (cluster_domain, engine) = (site.cluster_domain, &config.engine);
    hazards::of_ingresses(ingresses, &hazards::Site { layer, class, served: site.class, cluster_domain, engine })
}

fn disabled() -> Reason {
    Reason::new("Disabled", "the tenant has enabled: false in cluster.yaml")
}

fn not_needed() -> Reason {
    Reason::new("NotNeeded", "nothing says that the tenant's load balancer sends PROXY headers")
}

fn proxy_protocol_not_accepted(tenant: &TenantId) -> Reason {
    Reason::new(
        "ProxyProtocolNotAccepted",
        "the tenant's ingress controller does not accept PROXY headers, so it would refuse what the proxy sends",
    )
    .fix(format!(
        "when the load balancer of {tenant} sends PROXY headers, set proxyProtocol: true in its entry in cluster.yaml"
    ))
}
