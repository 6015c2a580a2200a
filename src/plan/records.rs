//! The records of the static engine: which hosts stand in Git after this run, and in which form.

mod drift;
pub(super) mod form;
pub(super) mod former;
pub(super) mod written;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    dns::{
        claims::Claim,
        policy::{self, Claimant, Memory, Owner, Policy, Seen},
    },
    model::{
        cluster::{Platform, ValuesSource},
        finding::{Finding, Severity},
        hostname::Hostname,
        layer::Layer,
        observed::Unknown,
        state::HostOwner,
    },
    plan::{Context, Inputs, PlatformFacts, removal::Loss, tenant::TENANT_DOMAIN},
};

/// How long a host at least stays with a namespace that does not claim it any more, before another one may have it.
const KEPT_FOR_OWNER: SignedDuration = SignedDuration::from_hours(24);

/// What the name of a server that this repository is published to is reserved for.
pub const GIT_SERVER: &str = "for the Git server";

/// What the name of an API server is reserved for.
const API_SERVER: &str = "for the API server";

/// The records of one layer.
pub(super) struct Recorded {
    /// Every host that gets or keeps a record, with the object that claims it now.
    pub(super) hosts: BTreeMap<Hostname, Option<Owner>>,
    /// Hosts that keep their record for now, with the time since when they were not seen.
    pub(super) tombstones: BTreeMap<Hostname, Timestamp>,
    /// Who has which host, where several may claim it.
    pub(super) owners: BTreeMap<Hostname, HostOwner>,
    /// Whether hosts that may have a record get none yet.
    pub(super) is_waiting: bool,
    /// What went missing.
    pub(super) loss: Loss,
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
}

/// Decides about the records of one layer.
///
/// `committed` are the hosts with a record in Git, `nothing_seen` tells that the inventory lists not one object.
pub(super) fn decide<'a>(
    context: &Context<'_>,
    layer: &Layer,
    claims: impl Iterator<Item = Claim<'a>>,
    claimant: Claimant<'_>,
    committed: &BTreeSet<Hostname>,
    nothing_seen: bool,
) -> Recorded {
    let none = BTreeMap::new();
    let verdict = policy::decide(
        claims,
        claimant,
        &context.policy,
        &Memory {
            committed,
            owners: context.memory(layer).map_or(&none, |memory| &memory.owners),
            now: context.now(),
            retention: context.inputs.config.removal.confirm_after.max(KEPT_FOR_OWNER),
            proves_absence: context.is_identified(layer),
        },
    );
    let mut hosts: BTreeMap<_, _> = verdict.records.into_iter().map(|(host, owner)| (host, Some(owner))).collect();
    let mut findings = verdict.findings;
    let mut is_waiting = false;
    if let Some(unnamed) = unnamed(context) {
        hosts.retain(|host, owner| {
            let may_be_it = !committed.contains(host);
            findings.extend(owner.iter().filter(|_| may_be_it).map(|owner| unnamed.finding(host, owner)));
            is_waiting |= may_be_it;
            !may_be_it
        });
    }
    let is_missing = |host: &&Hostname| !hosts.contains_key(*host) && !verdict.refused.contains(*host);
    let missing: Vec<&Hostname> = committed.iter().filter(is_missing).collect();
    let tombstones = tombstones(context, layer, &missing);
    let loss = Loss {
        committed: committed.len(),
        missing: missing.iter().map(ToString::to_string).collect(),
        is_total: nothing_seen && !committed.is_empty() && !context.removals_accepted,
    };
    hosts.extend(tombstones.keys().map(|host| (host.clone(), None)));
    findings.extend(not_proven(context, layer, &tombstones));
    Recorded { hosts, tombstones, owners: verdict.owners, is_waiting, loss, findings }
}

/// Those of some hosts without a claim that keep their record for now, each with the time since when it was not seen.
pub(super) fn tombstones(context: &Context<'_>, layer: &Layer, missing: &[&Hostname]) -> BTreeMap<Hostname, Timestamp> {
    let before = context.memory(layer).map(|memory| &memory.tombstones);
    let since = |host: &Hostname| before.and_then(|before| before.get(host)).copied().unwrap_or(context.now());
    let all = missing.iter().map(|host| ((*host).clone(), since(host)));
    all.filter(|(_, since)| !is_confirmed(context, layer, *since)).collect()
}

/// Whether what was missing of a layer's cluster at `since`, and is missing now, may go.
pub(super) fn is_confirmed(context: &Context<'_>, layer: &Layer, since: Timestamp) -> bool {
    let is_later = context.now().duration_since(since) >= context.inputs.config.removal.confirm_after;
    context.removals_accepted || is_later && context.is_identified(layer)
}

/// Tells that records stay for as long as the inventories do not say whose they are.
pub(super) fn not_proven(
    context: &Context<'_>,
    layer: &Layer,
    tombstones: &BTreeMap<Hostname, Timestamp>,
) -> Option<Finding> {
    (!tombstones.is_empty() && !context.is_identified(layer)).then(|| Finding {
        severity: Severity::Warning,
        rule: "AbsenceNotProven",
        subject: layer.to_string(),
        message: format!(
            "{} missing hosts keep their records: the inventory does not say by its UID that it is of this cluster",
            tombstones.len()
        ),
        fix: Some("give an inventory with the UID, as `bobbypin inventory` takes it".to_owned()),
        host: None,
    })
}

/// A server that the fix itself depends on, and of which nothing says the name: any new host might be it.
struct Unnamed<'a> {
    what: &'static str,
    source: &'static str,
    why: &'a Unknown,
    key: &'static str,
}

/// What could not be read and would have said the name of a server, where the settings do not say it either.
fn unnamed<'a>(context: &Context<'a>) -> Option<Unnamed<'a>> {
    let (inputs, policy) = (context.inputs, &context.policy);
    // Whoever reserves names was asked for this one, too.
    if !inputs.config.hostnames.reserved.is_empty() {
        return None;
    }
    let inventory = inputs.inventory;
    let is_named = |names: &BTreeMap<Hostname, &'static str>, server| names.values().any(|what| *what == server);
    let git_server = || {
        let why = inventory.git_repositories.unread().filter(|_| !is_named(inputs.reserved, GIT_SERVER))?;
        let key = "spec.publish.remote in bobbypin.yaml";
        Some(Unnamed { what: "the Git server that Flux reads", source: "the GitRepositories", why, key })
    };
    let api_server = || {
        let is_named = is_named(&policy.reserved, API_SERVER) || is_named(&policy.seen.reserved, API_SERVER);
        let why = inventory.platform_settings.unread().filter(|_| !is_named)?;
        let key = "publishing.apiServerEndpoint in the platform's values";
        Some(Unnamed { what: "the API server", source: "the platform's settings", why, key })
    };
    git_server().or_else(api_server)
}

impl Unnamed<'_> {
    fn finding(&self, host: &Hostname, owner: &Owner) -> Finding {
        let Self { what, source, why, key } = self;
        Finding {
            severity: Severity::Warning,
            rule: "HostWaits",
            subject: format!("{}/{}/{}", owner.kind, owner.namespace, owner.name),
            message: format!(
                "host {host} gets no record yet, because it might be the name of {what}: {source} could not be read: {} \
                 ({})",
                why.message, why.reason
            ),
            fix: Some(format!(
                "let the account that reads the cluster list them, or name {what} by {key} or by \
                 spec.hostnames.reserved in cluster.yaml"
            )),
            host: Some(host.to_string()),
        }
    }
}

/// Who may claim which hosts, in every layer of a cluster.
pub fn policy(inputs: &Inputs<'_>) -> Policy {
    let hostnames = &inputs.config.hostnames;
    let mut grants: BTreeMap<String, Vec<Hostname>> = BTreeMap::new();
    for delegation in &hostnames.delegations {
        for namespace in &delegation.namespaces {
            grants.entry(namespace.to_string()).or_default().extend(delegation.suffixes.iter().cloned());
        }
    }
    let is_live = matches!(inputs.config.platform, Platform::Cozystack { values: ValuesSource::Live, .. });
    let mut policy = Policy {
        grants,
        platform_host: match inputs.platform {
            PlatformFacts::Cozystack(values) => values.root_host().and_then(|host| Hostname::parse(host).ok()),
            PlatformFacts::Generic | PlatformFacts::Unknown(_) => None,
        },
        reserved: reserved(inputs),
        denied_suffixes: cluster_domains(inputs).into_iter().chain(hostnames.search_domains.iter().cloned()).collect(),
        seen: Seen { is_platform_host: is_live, ..Seen::default() },
        quota_per_namespace: hostnames.quota_per_namespace,
        quota_total: hostnames.quota_total,
    };
    policy.seen.reserved = seen_servers(inputs, &policy);
    if let PlatformFacts::Cozystack(values) = inputs.platform {
        let domain = values.cluster_domain().map(str::to_owned);
        let domains = if is_live { &mut policy.seen.denied_suffixes } else { &mut policy.denied_suffixes };
        domains.extend(domain);
        let server = values.api_server_endpoint().and_then(Hostname::of_address);
        let servers = if is_live { &mut policy.seen.reserved } else { &mut policy.reserved };
        servers.extend(server.map(|server| (server, API_SERVER)));
    }
    policy
}

/// The domains that the settings name, of the host and of tenants: to the pods of one, the names of another are foreign
/// too.
fn cluster_domains(inputs: &Inputs<'_>) -> BTreeSet<String> {
    let config = inputs.config;
    let mut domains = BTreeSet::new();
    match &config.platform {
        Platform::Cozystack { .. } => domains.insert(TENANT_DOMAIN.to_owned()),
        Platform::Generic { ingress } => domains.insert(ingress.cluster_domain.clone()),
    };
    let tenants = config.tenants.listed.values().chain([&config.tenants.defaults]);
    domains.extend(tenants.filter_map(|tenant| tenant.ingress.as_ref()).map(|ingress| ingress.cluster_domain.clone()));
    domains
}

/// The names without which the fix itself could not be delivered or changed, as far as files say them, and those that the
/// settings reserve.
fn reserved(inputs: &Inputs<'_>) -> BTreeMap<Hostname, &'static str> {
    let mut reserved: BTreeMap<Hostname, &'static str> = inputs.reserved.clone();
    let mut add = |address: &str, what| reserved.extend(Hostname::of_address(address).map(|host| (host, what)));
    add(&inputs.config.pins.chart_repository, "for the registry of the chart");
    for (registry, mirror) in &inputs.config.pins.mirrors {
        add(registry, "for a registry of images");
        add(mirror, "for a mirror of a registry");
    }
    for pin in inputs.pins.0.values() {
        add(&pin.repository, "for a registry of images");
    }
    reserved.extend(inputs.config.hostnames.reserved.iter().map(|host| (host.clone(), "by hostnames.reserved")));
    reserved
}

/// The names of such servers that only the clusters say.
///
/// Whoever may write objects into some namespace must not be able to reserve the names of others. So of the sources of Flux
/// those count that live where this repository's own does, and the API server of a tenant's kubeconfig counts when
/// `cluster.yaml` lists the tenant, or when the tenant could have the name.
fn seen_servers(inputs: &Inputs<'_>, policy: &Policy) -> BTreeMap<Hostname, &'static str> {
    let (config, inventory) = (inputs.config, inputs.inventory);
    let mut seen = BTreeMap::new();
    let mut add = |host: Option<Hostname>, what| seen.extend(host.map(|host| (host, what)));
    for source in inventory.git_repositories.present().into_iter().flatten() {
        if *source.meta.namespace == *config.flux_source.namespace.as_str() {
            add(Hostname::of_address(&source.url), "for the Git server that Flux reads");
        }
    }
    let endpoint = inventory.platform_settings.present().and_then(|settings| settings.get("api-server-endpoint"));
    add(endpoint.and_then(|url| Hostname::of_address(url)), API_SERVER);
    add(inventory.host.api_server.clone(), API_SERVER);
    for (tenant, cluster) in &inventory.tenant_clusters {
        let may_name = |host: &Hostname| {
            config.tenants.listed.contains_key(tenant) || policy.delegated_by(tenant.namespace.as_str(), host).is_some()
        };
        add(cluster.api_server.clone().filter(may_name), API_SERVER);
    }
    seen
}
