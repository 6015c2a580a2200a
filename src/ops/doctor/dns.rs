//! What the records need of each cluster's DNS.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::{
        block,
        corefile::{
            lint::{Delivery, LintContext, lint},
            parser::{Files, parse},
        },
    },
    model::{
        cluster::{Engine, OuroborosMode, Platform, Records},
        hostname::Hostname,
        inventory::ClusterInventory,
        layer::Layer,
        observed::Observed,
    },
    ops::doctor::{Answer, Checks, Patient, decisions, kind},
    plan::{Decision, PlatformFacts},
};

/// The ConfigMaps of `kube-system` that DNS reads, by name.
type ConfigMaps = BTreeMap<String, BTreeMap<String, String>>;

/// The ConfigMap with the Corefile.
const SUBJECT: &str = "ConfigMap/kube-system/coredns";

/// The domain that every tenant of cozystack serves, whatever its host serves.
const TENANT_DOMAIN: &str = "cluster.local";

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let inventory = &patient.cluster.inventory;
    layer(patient, checks, &Layer::Host, &inventory.host);
    for (tenant, cluster) in &inventory.tenant_clusters {
        layer(patient, checks, &Layer::Tenant(tenant.clone()), cluster);
    }
}

fn layer(patient: &Patient<'_>, checks: &mut Checks, layer: &Layer, cluster: &ClusterInventory) {
    if !patient.is_wanted(layer) {
        return;
    }
    let delivery = match patient.engine(layer) {
        Engine::Ouroboros(OuroborosMode::Coredns) => Some(Delivery::Block),
        Engine::Ouroboros(OuroborosMode::CorednsImport) | Engine::Static(Records::RewriteSnippet) => {
            Some(Delivery::Import)
        }
        Engine::Static(Records::HostsFile(_)) => Some(Delivery::HostsFile),
        Engine::Static(Records::CorefileBlock { .. }) => Some(Delivery::OwnBlock),
        Engine::Ouroboros(OuroborosMode::ExternalDns) => None,
        // The plan says which form it is.
        Engine::Static(Records::Auto(_)) => match patient.layer(layer).map(|planned| &planned.decision) {
            Some(Decision::Deliver { release, .. }) => match &release.engine {
                Engine::Static(Records::HostsFile(_)) => Some(Delivery::HostsFile),
                Engine::Static(Records::CorefileBlock { .. }) => Some(Delivery::OwnBlock),
                _ => Some(Delivery::Import),
            },
            _ => Some(Delivery::Import),
        },
    };
    match &cluster.dns_config_maps {
        Observed::Unknown(unknown) => checks.add(kind::COREFILE, Some(layer), SUBJECT, Answer::unknown(unknown)),
        Observed::Absent => of_maps(patient, checks, layer, delivery, &BTreeMap::new()),
        Observed::Present(maps) => of_maps(patient, checks, layer, delivery, maps),
    }
}

fn of_maps(patient: &Patient<'_>, checks: &mut Checks, layer: &Layer, delivery: Option<Delivery>, maps: &ConfigMaps) {
    let Some(text) = maps.get("coredns").and_then(|map| map.get("Corefile")) else {
        let answer = if delivery.is_none() {
            Answer::ok("there is no Corefile, and the records do not need one")
        } else {
            Answer::fail(
                "there is no Corefile: this cluster's DNS is not where the records go",
                "find out which program answers the cluster's DNS, and choose an engine for the layer that fits it",
            )
        };
        return checks.add(kind::COREFILE, Some(layer), SUBJECT, answer);
    };
    let nothing = BTreeMap::new();
    let hosts = hosts(patient, layer);
    let findings = lint(
        text,
        &LintContext {
            subject: SUBJECT,
            delivery,
            custom: Some(maps.get("coredns-custom").unwrap_or(&nothing)),
            has_node_local_dns: maps.contains_key("node-local-dns"),
            hosts: &hosts,
        },
    );
    if findings.is_empty() {
        let evidence = match delivery {
            Some(Delivery::Block) => "it can take the block of ouroboros",
            Some(Delivery::Import) => "it imports override files",
            Some(Delivery::OwnBlock) if text.contains(block::BEGIN) => "it has the block of bobbypin",
            Some(Delivery::OwnBlock) => "it can take the block of bobbypin",
            Some(Delivery::HostsFile) => "nothing in it stands in the way of the hosts file",
            None => "it is there, and the records do not need it",
        };
        checks.add(kind::COREFILE, Some(layer), SUBJECT, Answer::ok(evidence));
    }
    decisions::add(checks, &findings, |_| Some(layer.clone()));
    domain(patient, checks, layer, text);
}

/// The names that have records in a layer, or are to get them.
fn hosts(patient: &Patient<'_>, layer: &Layer) -> BTreeSet<Hostname> {
    let planned = patient.layer(layer).into_iter().flat_map(|planned| planned.hosts.keys());
    planned.filter_map(|host| Hostname::parse(host).ok()).collect()
}

/// The records lead to a name in the cluster's domain, so this server must answer for it.
fn domain(patient: &Patient<'_>, checks: &mut Checks, layer: &Layer, text: &str) {
    let config = &patient.cluster.config;
    let wanted = match (layer, &patient.cluster.platform) {
        (_, PlatformFacts::Unknown(_)) => return,
        (Layer::Host, PlatformFacts::Cozystack(values)) => values.cluster_domain(),
        (Layer::Host, PlatformFacts::Generic) => match &config.platform {
            Platform::Generic { ingress } => Some(ingress.cluster_domain.as_str()),
            Platform::Cozystack { .. } => None,
        },
        (Layer::Tenant(tenant), _) => {
            Some(patient.tenant(tenant).ingress.as_ref().map_or(TENANT_DOMAIN, |ingress| &ingress.cluster_domain))
        }
    };
    // A null in the values deleted it: then nobody says what it should be.
    let Some(wanted) = wanted else { return };
    let zones = served(text);
    let is_served =
        zones.iter().any(|zone| zone.trim_end_matches('.').eq_ignore_ascii_case(wanted.trim_end_matches('.')));
    let answer = if zones.is_empty() {
        Answer::fail(
            format!("no plugin `kubernetes` names a zone, so `{wanted}` may be answered by nobody"),
            format!("name the zone: kubernetes {wanted} in-addr.arpa ip6.arpa"),
        )
    } else if is_served {
        Answer::ok(format!("the plugin `kubernetes` answers for {wanted}"))
    } else {
        Answer::fail(
            format!(
                "records lead to names in `{wanted}`, and the plugin `kubernetes` answers for {}",
                zones.join(", ")
            ),
            "correct the cluster's domain in the settings, or in the cluster",
        )
    };
    checks.add(kind::CLUSTER_DOMAIN, Some(layer), SUBJECT, answer);
}

/// The zones that the plugin `kubernetes` is given, without those for addresses.
fn served(text: &str) -> Vec<String> {
    let Ok(corefile) = parse(text, &|_| Files::Unknown) else { return Vec::new() };
    let directives = corefile.servers.iter().flat_map(|server| &server.directives);
    let zones = directives.filter(|directive| directive.name() == "kubernetes").flat_map(|directive| {
        let words = directive.words[1..].iter().map(|word| word.text.as_ref());
        words.take_while(|word| *word != "{")
    });
    zones.map(|zone| zone.trim_end_matches('.').to_owned()).filter(|zone| !zone.ends_with(".arpa")).collect()
}
