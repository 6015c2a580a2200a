//! The records of the static engine: which hosts stand in Git after this run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    dns::{
        claims::Claim,
        corefile,
        policy::{self, Owner, Policy},
        snippet,
    },
    model::{
        cluster::{HostnamePolicy, Records},
        finding::Finding,
        hostname::Hostname,
        inventory::ClusterInventory,
        observed::Observed,
        state::LayerState,
    },
    plan::{
        Context,
        decision::{Decision, Reason},
        removal::Loss,
    },
};

/// The records of one layer.
pub(super) struct Recorded {
    /// Every host that gets or keeps a record, with the object that claims it now.
    pub(super) hosts: BTreeMap<Hostname, Option<Owner>>,
    /// Hosts that keep their record for now, with the time since when they were not seen.
    pub(super) tombstones: BTreeMap<Hostname, Timestamp>,
    /// What went missing.
    pub(super) loss: Loss,
    /// What a person should know.
    pub(super) findings: Vec<Finding>,
}

/// Decides about the records of one layer.
///
/// `committed` is the snippet that stands in Git, `nothing_seen` tells that the inventory lists not one object.
pub(super) fn decide<'a>(
    context: &Context<'_>,
    claims: impl Iterator<Item = Claim<'a>>,
    policy: &Policy,
    committed: &BTreeSet<Hostname>,
    nothing_seen: bool,
    memory: Option<&LayerState>,
) -> Recorded {
    let verdict = policy::decide(claims, policy, committed);
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
        loss: Loss { committed: committed.len(), missing, is_total },
        findings: verdict.findings,
    }
}

/// Whether what was missing at `since` and is missing now may go.
pub(super) fn is_confirmed(context: &Context<'_>, since: Timestamp) -> bool {
    let is_later = context.now().duration_since(since) >= context.inputs.config.removal.confirm_after;
    context.removals_accepted || is_later && context.is_identified()
}

/// The hosts of a committed file that holds a snippet.
pub(super) fn committed_hosts(file: Option<&str>) -> BTreeSet<Hostname> {
    // The snippet is a literal block in a file of ours; its lines are the only ones that begin like this.
    file.map_or_else(BTreeSet::new, |text| {
        let lines: String = text.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
        snippet::hosts(&lines)
    })
}

/// What must be so in a cluster before a snippet in `coredns-custom` has any effect.
///
/// `guaranteed` tells that the platform itself keeps the import line, so that not having looked is no obstacle.
pub(super) fn import_obstacle(cluster: &ClusterInventory, guaranteed: bool) -> Option<Decision> {
    let config_maps = match &cluster.dns_config_maps {
        Observed::Present(config_maps) => config_maps,
        Observed::Unknown(_) | Observed::Absent if guaranteed => return None,
        Observed::Unknown(unknown) => return Some(Decision::not_observed("ConfigMap/kube-system/coredns", unknown)),
        Observed::Absent => return Some(no_import("there is no ConfigMap/kube-system/coredns")),
    };
    let Some(coredns) = config_maps.get("coredns") else {
        return (!guaranteed).then(|| no_import("there is no ConfigMap/kube-system/coredns"));
    };
    let imports = coredns.get("Corefile").is_some_and(|corefile| corefile::imports_overrides(corefile));
    (!imports).then(|| no_import("the Corefile in ConfigMap/kube-system/coredns does not import override files"))
}

fn no_import(what: &str) -> Decision {
    Decision::hold(
        Reason::new("ImportDirectiveMissing", format!("{what}, so records in coredns-custom would have no effect"))
            .fix(
                "add this line to the server block of the Corefile, and mount ConfigMap coredns-custom there: \
             import /etc/coredns/custom/*.override",
            ),
    )
}

/// The policy of a layer. `claimant`: every claim counts as this namespace's.
pub(super) fn policy(
    hostnames: &HostnamePolicy,
    claimant: Option<&str>,
    cluster_domains: impl IntoIterator<Item = String>,
) -> Policy {
    let mut grants: BTreeMap<String, Vec<Hostname>> = BTreeMap::new();
    for delegation in &hostnames.delegations {
        for namespace in &delegation.namespaces {
            grants.entry(namespace.to_string()).or_default().extend(delegation.suffixes.iter().cloned());
        }
    }
    Policy {
        claimant: claimant.map(str::to_owned),
        grants,
        system_suffixes: Vec::new(),
        reserved: hostnames.reserved.iter().cloned().collect(),
        cluster_domains: cluster_domains.into_iter().collect(),
        quota_per_namespace: hostnames.quota_per_namespace,
        quota_total: hostnames.quota_total,
    }
}

/// Why a form of records that this version does not write holds its layer.
pub(super) fn form_unavailable(form: Records) -> Reason {
    let name = match form {
        Records::RewriteSnippet => "rewrite-snippet",
        Records::HostsFile => "hosts-file",
        Records::CorefileBlock => "corefile-block",
    };
    Reason::new("RecordsFormUnavailable", format!("this version does not write records in the form {name}"))
        .fix("set static.records: rewrite-snippet in cluster.yaml")
}
