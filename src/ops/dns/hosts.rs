//! Which host gets a record in which layer, and why another one does not.

use std::collections::BTreeSet;

use crate::{
    dns::{
        claims::{self, Claim},
        policy::Owner,
    },
    model::{
        cluster::HostnamePolicy,
        finding::Finding,
        hostname::Hostname,
        inventory::{ClusterInventory, ObjectMeta},
        layer::Layer,
        observed::Observed,
    },
    ops::{dns::records::inventory_of, load::Cluster},
    plan::{ClusterPlan, LayerPlan},
};

/// What became of one host that an object of a layer asks for, or that has a record there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostDecision {
    /// As the object wrote it; for a record without an object: the record.
    pub host: String,
    /// The object that asks for it; nothing for a record that nobody asks for any more.
    pub owner: Option<(String, String, String)>,
    /// The suffix by which the object's namespace may have it, as far as the settings name one.
    pub delegated_by: Option<String>,
    /// Whether it has a record.
    pub answer: Answer,
}

/// Whether a host has a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It has one, for this object.
    Record,
    /// It has one, for another object.
    RecordOfAnother,
    /// It has one although nobody asks for it: it goes when that is confirmed.
    Leaving,
    /// It has none.
    None {
        /// The rule, PascalCase.
        rule: &'static str,
        /// Why, in one sentence.
        reason: String,
    },
}

/// The hosts of one layer, in order of name.
///
/// A layer whose objects were not seen has those of its records only.
pub fn of_layer(cluster: &Cluster, plan: &ClusterPlan, layer: &LayerPlan) -> Vec<HostDecision> {
    let mut found: BTreeSet<HostDecision> = BTreeSet::new();
    let mut asked = BTreeSet::new();
    if let Some(inventory) = inventory_of(cluster, &layer.layer) {
        let nothing = Vec::new();
        let ingresses = match &inventory.ingresses {
            Observed::Present(ingresses) => ingresses,
            Observed::Absent | Observed::Unknown(_) => &nothing,
        };
        for claim in claims::of_ingresses(ingresses, None) {
            asked.insert(canonical(claim.host));
            found.insert(one(cluster, plan, layer, inventory, &claim));
        }
        for ingress in ingresses {
            let has_tls = |host: &String| ingress.tls_hosts.iter().any(|tls| canonical(tls) == canonical(host));
            for host in ingress.rule_hosts.iter().filter(|host| !host.is_empty() && !has_tls(host)) {
                asked.insert(canonical(host));
                found.insert(without_tls(cluster, layer, &Claim { host, kind: "Ingress", owner: &ingress.meta }));
            }
        }
    }
    for (host, owner) in &layer.hosts {
        if !asked.contains(host) {
            let answer = if owner.is_none() { Answer::Leaving } else { Answer::Record };
            let owner = owner.as_ref().map(named);
            found.insert(HostDecision { host: host.clone(), owner, delegated_by: None, answer });
        }
    }
    found.into_iter().collect()
}

/// Whether the Ingresses of a layer were read.
pub fn is_seen(cluster: &Cluster, layer: &LayerPlan) -> bool {
    inventory_of(cluster, &layer.layer).is_some_and(|seen| matches!(seen.ingresses, Observed::Present(_)))
}

fn named(owner: &Owner) -> (String, String, String) {
    (owner.kind.to_owned(), owner.namespace.to_string(), owner.name.to_string())
}

/// The name as records have it.
fn canonical(host: &str) -> String {
    Hostname::parse(host).map_or_else(|_| host.trim().to_lowercase(), |host| host.to_string())
}

fn one(
    cluster: &Cluster,
    plan: &ClusterPlan,
    layer: &LayerPlan,
    inventory: &ClusterInventory,
    claim: &Claim<'_>,
) -> HostDecision {
    let meta = claim.owner;
    let answer = match layer.hosts.get(&canonical(claim.host)) {
        Some(Some(owner)) if is_same(owner, claim.kind, meta) => Answer::Record,
        Some(Some(_)) => Answer::RecordOfAnother,
        Some(None) => Answer::Leaving,
        None => why_not(plan, layer, inventory, claim),
    };
    HostDecision {
        host: claim.host.to_owned(),
        owner: Some((claim.kind.to_owned(), meta.namespace.to_string(), meta.name.to_string())),
        delegated_by: delegated_by(&cluster.config.hostnames, layer, claim),
        answer,
    }
}

/// A host of a rule that no TLS section names.
fn without_tls(cluster: &Cluster, layer: &LayerPlan, claim: &Claim<'_>) -> HostDecision {
    let answer = match layer.hosts.get(&canonical(claim.host)) {
        Some(Some(_)) => Answer::RecordOfAnother,
        Some(None) => Answer::Leaving,
        None => Answer::None {
            rule: "HostWithoutTls",
            reason: "no TLS section of the Ingress names the host, and only TLS hosts are redirected".to_owned(),
        },
    };
    HostDecision {
        host: claim.host.to_owned(),
        owner: Some((claim.kind.to_owned(), claim.owner.namespace.to_string(), claim.owner.name.to_string())),
        delegated_by: delegated_by(&cluster.config.hostnames, layer, claim),
        answer,
    }
}

fn is_same(owner: &Owner, kind: &str, meta: &ObjectMeta) -> bool {
    owner.kind == kind && *owner.namespace == *meta.namespace && *owner.name == *meta.name
}

/// The reason that the plan gives, the more precise one first.
fn why_not(plan: &ClusterPlan, layer: &LayerPlan, inventory: &ClusterInventory, claim: &Claim<'_>) -> Answer {
    let object = format!("{}/{}/{}", claim.kind, claim.owner.namespace, claim.owner.name);
    let subjects = match &layer.layer {
        Layer::Host => vec![object],
        Layer::Tenant(tenant) => vec![format!("{tenant}: {object}"), object],
    };
    // What was refused is quoted and cut, what is a name stands as records have it.
    let shown = |length| claim.host.escape_debug().take(length).collect::<String>();
    let beginnings = [
        format!("host \"{}\" ", shown(80)),
        format!("host \"{}\" ", shown(253)),
        format!("host {} ", canonical(claim.host)),
    ];
    let is_about = |finding: &&Finding| {
        subjects.contains(&finding.subject) && beginnings.iter().any(|beginning| finding.message.starts_with(beginning))
    };
    if let Some(Finding { rule, message, .. }) = plan.findings.iter().find(is_about) {
        return Answer::None { rule, reason: message.clone() };
    }
    let reason = layer.decision.reason();
    if layer.hosts.is_empty() {
        return Answer::None { rule: reason.code, reason: format!("the layer has no records: {}", reason.message) };
    }
    let Observed::Present(ingresses) = &inventory.ingresses else {
        return Answer::None { rule: "NotObserved", reason: "the Ingresses were not read".to_owned() };
    };
    let class =
        ingresses.iter().find(|ingress| ingress.meta == *claim.owner).and_then(|ingress| ingress.class.as_deref());
    Answer::None {
        rule: "NotSelected",
        reason: format!("the layer takes no hosts from Ingresses of class {}", class.unwrap_or("(none)")),
    }
}

/// The longest suffix of the settings that the object's namespace may have the name under.
fn delegated_by(policy: &HostnamePolicy, layer: &LayerPlan, claim: &Claim<'_>) -> Option<String> {
    let host = Hostname::parse(claim.host).ok()?;
    // Names of a tenant cluster count as claimed by its namespace on the host.
    let namespace = match &layer.layer {
        Layer::Host => &*claim.owner.namespace,
        Layer::Tenant(tenant) => tenant.namespace.as_str(),
    };
    let granted = policy.delegations.iter().filter(|one| one.namespaces.iter().any(|name| name.as_str() == namespace));
    let fitting = granted.flat_map(|one| &one.suffixes).filter(|suffix| host.is_within(suffix.as_str()));
    fitting.max_by_key(|suffix| suffix.as_str().len()).map(ToString::to_string)
}
