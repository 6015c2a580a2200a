//! Which host gets a record in which layer, and why another one does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::policy::{Owner, Policy},
    model::{
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::IngressObject,
        layer::Layer,
        observed::Observed,
        tree::Tree,
    },
    ops::{dns::records::inventory_of, load::Cluster},
    plan::{self, ClusterPlan, LayerPlan},
};

/// What became of one host that an object of a layer asks for, or that has a record there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostDecision {
    /// As the object wrote it; for a record without an object: the record.
    pub host: String,
    /// The object that asks for it; nothing for a record that nobody asks for any more.
    pub owner: Option<(String, String, String)>,
    /// The suffix by which the object's namespace may have it.
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

/// The kind of the objects that are asked about.
const INGRESS: &str = "Ingress";

/// The hosts of the layers of one cluster.
pub struct Hosts<'a> {
    cluster: &'a Cluster,
    policy: Policy,
    /// What keeps single hosts from a record or from its use, by subject and host; of several the first by severity and
    /// rule.
    obstacles: BTreeMap<(&'a str, &'a str), &'a Finding>,
}

impl<'a> Hosts<'a> {
    /// Makes a plan ready for questions about its hosts. `tree`: what the plan was made of.
    pub fn new(tree: &Tree, cluster: &'a Cluster, plan: &'a ClusterPlan) -> Self {
        let mut obstacles = BTreeMap::new();
        // Only a remark is no obstacle.
        for finding in plan.findings.iter().filter(|finding| finding.severity != Severity::Info) {
            if let Some(host) = &finding.host {
                obstacles.entry((finding.subject.as_str(), host.as_str())).or_insert(finding);
            }
        }
        Self { cluster, policy: plan::hostname_policy(&cluster.inputs(tree, None)), obstacles }
    }

    /// The hosts of one layer, in order of name.
    ///
    /// A layer whose objects were not seen has those of its records only.
    pub fn of_layer(&self, layer: &LayerPlan) -> Vec<HostDecision> {
        let mut found: BTreeSet<HostDecision> = BTreeSet::new();
        let mut asked = BTreeSet::new();
        let inventory = inventory_of(self.cluster, &layer.layer);
        for ingress in inventory.and_then(|seen| seen.ingresses.present()).into_iter().flatten() {
            let with_tls: BTreeSet<_> = ingress.tls_hosts.iter().map(|host| canonical(host)).collect();
            for host in &ingress.tls_hosts {
                found.insert(self.one(layer, ingress, host, || self.why_not(layer, ingress, host)));
            }
            for host in ingress.rule_hosts.iter().filter(|host| !host.is_empty()) {
                let name = canonical(host);
                if !with_tls.contains(&name) {
                    asked.insert(name);
                    found.insert(self.one(layer, ingress, host, without_tls));
                }
            }
            asked.extend(with_tls);
        }
        for (host, owner) in layer.hosts.iter().filter(|(host, _)| !asked.contains(*host)) {
            let (answer, delegated_by) = match owner {
                None => (Answer::Leaving, None),
                Some(owner) => (Answer::Record, self.delegated_by(layer, &owner.namespace, host)),
            };
            found.insert(HostDecision { host: host.clone(), owner: owner.as_ref().map(named), delegated_by, answer });
        }
        found.into_iter().collect()
    }

    fn one(
        &self,
        layer: &LayerPlan,
        ingress: &IngressObject,
        host: &str,
        why_not: impl FnOnce() -> Answer,
    ) -> HostDecision {
        let meta = &ingress.meta;
        let is_its =
            |owner: &Owner| owner.kind == INGRESS && owner.namespace == meta.namespace && owner.name == meta.name;
        let answer = match layer.hosts.get(&canonical(host)) {
            Some(Some(owner)) if is_its(owner) => Answer::Record,
            Some(Some(_)) => Answer::RecordOfAnother,
            Some(None) => Answer::Leaving,
            None => why_not(),
        };
        HostDecision {
            host: host.to_owned(),
            owner: Some((INGRESS.to_owned(), meta.namespace.to_string(), meta.name.to_string())),
            delegated_by: self.delegated_by(layer, &meta.namespace, host),
            answer,
        }
    }

    /// The reason that the plan gives, the more precise one first.
    fn why_not(&self, layer: &LayerPlan, ingress: &IngressObject, host: &str) -> Answer {
        let object = format!("{INGRESS}/{}/{}", ingress.meta.namespace, ingress.meta.name);
        let of_tenant = match &layer.layer {
            Layer::Host => None,
            Layer::Tenant(tenant) => Some(format!("{tenant}: {object}")),
        };
        let host = Finding::host_of(host);
        let mut subjects = of_tenant.iter().chain([&object]);
        if let Some(finding) = subjects.find_map(|subject| self.obstacles.get(&(subject.as_str(), host.as_str()))) {
            return Answer::None { rule: finding.rule, reason: finding.message.clone() };
        }
        if layer.hosts.is_empty() {
            let reason = layer.decision.reason();
            return Answer::None { rule: reason.code, reason: format!("the layer has no records: {}", reason.message) };
        }
        let class = ingress.class.as_deref().unwrap_or("(none)");
        Answer::None {
            rule: "NotSelected",
            reason: format!("the layer takes no hosts from Ingresses of class {class}"),
        }
    }

    /// The suffix by which a namespace of the layer's cluster may have a host.
    fn delegated_by(&self, layer: &LayerPlan, namespace: &str, host: &str) -> Option<String> {
        // Names of a tenant cluster count as claimed by its namespace on the host.
        let claimant = match &layer.layer {
            Layer::Host => namespace,
            Layer::Tenant(tenant) => tenant.namespace.as_str(),
        };
        Some(self.policy.delegated_by(claimant, &Hostname::parse(host).ok()?)?.to_string())
    }
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

/// Why a host of a rule that no TLS section names has no record.
fn without_tls() -> Answer {
    Answer::None {
        rule: "HostWithoutTls",
        reason: "no TLS section of the Ingress names the host, and only TLS hosts are redirected".to_owned(),
    }
}
