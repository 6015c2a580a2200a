//! The records of the static engine: which hosts stand in Git after this run, and in which form.

pub(super) mod form;
pub(super) mod former;
pub(super) mod written;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    dns::{
        claims::Claim,
        policy::{self, Claimant, Memory, Owner, Policy},
    },
    model::{
        cluster::Platform,
        finding::Finding,
        hostname::Hostname,
        observed::Observed,
        state::{HostOwner, LayerState},
    },
    plan::{Context, Inputs, PlatformFacts, removal::Loss, tenant::TENANT_DOMAIN},
};

/// How long a host at least stays with a namespace that does not claim it any more, before another one may have it.
const KEPT_FOR_OWNER: SignedDuration = SignedDuration::from_hours(24);

/// The records of one layer.
pub(super) struct Recorded {
    /// Every host that gets or keeps a record, with the object that claims it now.
    pub(super) hosts: BTreeMap<Hostname, Option<Owner>>,
    /// Hosts that keep their record for now, with the time since when they were not seen.
    pub(super) tombstones: BTreeMap<Hostname, Timestamp>,
    /// Who has which host, where several may claim it.
    pub(super) owners: BTreeMap<Hostname, HostOwner>,
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
    claims: impl Iterator<Item = Claim<'a>>,
    claimant: Claimant<'_>,
    committed: &BTreeSet<Hostname>,
    nothing_seen: bool,
    memory: Option<&LayerState>,
) -> Recorded {
    let none = BTreeMap::new();
    let verdict = policy::decide(
        claims,
        claimant,
        &context.policy,
        &Memory {
            committed,
            owners: memory.map_or(&none, |memory| &memory.owners),
            now: context.now(),
            retention: context.inputs.config.removal.confirm_after.max(KEPT_FOR_OWNER),
            proves_absence: context.is_identified(),
        },
    );
    let mut hosts: BTreeMap<_, _> = verdict.records.into_iter().map(|(host, owner)| (host, Some(owner))).collect();
    let mut tombstones = BTreeMap::new();
    let mut missing = Vec::new();
    for host in committed {
        if hosts.contains_key(host) || verdict.refused.contains(host) {
            continue;
        }
        missing.push(host.to_string());
        let since = memory.and_then(|memory| memory.tombstones.get(host)).copied().unwrap_or(context.now());
        if !is_confirmed(context, since) {
            hosts.insert(host.clone(), None);
            tombstones.insert(host.clone(), since);
        }
    }
    let is_total = nothing_seen && !committed.is_empty() && !context.removals_accepted;
    Recorded {
        hosts,
        tombstones,
        owners: verdict.owners,
        loss: Loss { committed: committed.len(), missing, is_total },
        findings: verdict.findings,
    }
}

/// Whether what was missing at `since` and is missing now may go.
pub(super) fn is_confirmed(context: &Context<'_>, since: Timestamp) -> bool {
    let is_later = context.now().duration_since(since) >= context.inputs.config.removal.confirm_after;
    context.removals_accepted || is_later && context.is_identified()
}

/// Who may claim what, in every layer.
pub(super) fn policy(inputs: &Inputs<'_>) -> Policy {
    let hostnames = &inputs.config.hostnames;
    let mut grants: BTreeMap<String, Vec<Hostname>> = BTreeMap::new();
    for delegation in &hostnames.delegations {
        for namespace in &delegation.namespaces {
            grants.entry(namespace.to_string()).or_default().extend(delegation.suffixes.iter().cloned());
        }
    }
    Policy {
        grants,
        platform_host: match inputs.platform {
            PlatformFacts::Cozystack(values) => values.root_host().and_then(|host| Hostname::parse(host).ok()),
            PlatformFacts::Generic | PlatformFacts::Unknown(_) => None,
        },
        reserved: reserved(inputs),
        denied_suffixes: cluster_domains(inputs).into_iter().chain(hostnames.search_domains.iter().cloned()).collect(),
        quota_per_namespace: hostnames.quota_per_namespace,
        quota_total: hostnames.quota_total,
    }
}

/// The domains of the host and of every tenant that is known: to the pods of one, the names of another are foreign too.
fn cluster_domains(inputs: &Inputs<'_>) -> BTreeSet<String> {
    let config = inputs.config;
    let mut domains = BTreeSet::new();
    match (inputs.platform, &config.platform) {
        (PlatformFacts::Cozystack(values), _) => {
            domains.extend(values.cluster_domain().map(str::to_owned));
            domains.insert(TENANT_DOMAIN.to_owned());
        }
        (PlatformFacts::Generic | PlatformFacts::Unknown(_), Platform::Generic { ingress }) => {
            domains.insert(ingress.cluster_domain.clone());
        }
        (PlatformFacts::Generic | PlatformFacts::Unknown(_), Platform::Cozystack { .. }) => (),
    }
    let tenants = config.tenants.listed.values().chain([&config.tenants.defaults]);
    domains.extend(tenants.filter_map(|tenant| tenant.ingress.as_ref()).map(|ingress| ingress.cluster_domain.clone()));
    domains
}

/// The names without which the fix itself could not be delivered or changed, and those that the settings name.
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
    if let Observed::Present(sources) = &inputs.inventory.git_repositories {
        for source in sources {
            add(&source.url, "for the Git server that Flux reads");
        }
    }
    if let Observed::Present(settings) = &inputs.inventory.platform_settings {
        settings.get("api-server-endpoint").into_iter().for_each(|url| add(url, "for the API server"));
    }
    if let PlatformFacts::Cozystack(values) = inputs.platform {
        values.api_server_endpoint().into_iter().for_each(|url| add(url, "for the API server"));
    }
    reserved.extend(inputs.config.hostnames.reserved.iter().map(|host| (host.clone(), "by hostnames.reserved")));
    reserved
}
