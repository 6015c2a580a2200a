//! Which of the claimed hosts become records.
//!
//! The default is to refuse. Every host that an Ingress may name is a lawful name, `github.com` too: what protects the
//! cluster is that a namespace may claim only names under suffixes that a person, or the platform, gave it.
//!
//! `rules` judges one claim by itself, `ownership` settles which of several claims has a host.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    dns::{claims::Claim, hazards},
    model::{
        finding::{Finding, Severity},
        hostname::Hostname,
        state::HostOwner,
    },
};

mod ownership;
mod rules;
#[cfg(test)]
mod tests;

use rules::Rules;

pub use rules::DENIED_SUFFIXES;

/// Who may claim what.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Namespace → suffixes, as a person gave them. They stand in the place of what the namespace has by `platform_host`.
    pub grants: BTreeMap<String, Vec<Hostname>>,
    /// What the platform calls itself by. Its own namespaces may claim all below it, and those of its tenants
    /// (`tenant-acme`, `tenant-acme-blog`) what the platform calls a tenant by (`acme.<host>`, `blog.acme.<host>`).
    pub platform_host: Option<Hostname>,
    /// Never redirected, and what each is reserved for or by, as in `for the Git server`.
    pub reserved: BTreeMap<Hostname, &'static str>,
    /// Domains of clusters and of search lists, besides [`DENIED_SUFFIXES`]: no name at or below them is redirected.
    pub denied_suffixes: Vec<String>,
    /// What only the clusters say.
    pub seen: Seen,
    /// The most records of one claimant.
    pub quota_per_namespace: usize,
    /// The most records.
    pub quota_total: usize,
}

/// What of a policy no file in Git says, but an inventory. It keeps new records from being made like the rest, and takes
/// none away at once that is there: what was seen may be wrong, or written by somebody who wants to harm.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Whether [`Policy::platform_host`] is the one of the live platform.
    pub is_platform_host: bool,
    /// As [`Policy::reserved`].
    pub reserved: BTreeMap<Hostname, &'static str>,
    /// As [`Policy::denied_suffixes`].
    pub denied_suffixes: Vec<String>,
}

/// Whose a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant<'a> {
    /// The namespace of the object that makes it.
    ItsNamespace,
    /// This namespace, whatever object makes it: all of a tenant's cluster counts as the tenant's namespace on the host.
    One(&'a str),
}

/// What earlier runs left.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// The hosts that have a record already: when a quota is exceeded they keep it and new ones wait.
    pub committed: &'a BTreeSet<Hostname>,
    /// Who had which host.
    pub owners: &'a BTreeMap<Hostname, HostOwner>,
    /// The time of the inventory that the claims are of.
    pub now: Timestamp,
    /// How long a host stays with a namespace that does not claim it any more.
    pub retention: SignedDuration,
    /// Whether the inventory is known to be of this cluster, so that what it lacks is gone.
    pub proves_absence: bool,
}

/// The object that a record is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// For example `Ingress`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// What became of the claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The hosts that become records.
    pub records: BTreeMap<Hostname, Owner>,
    /// Claimed names that nobody may have, by files in Git alone. They are not absent: a record of one of them needs no
    /// confirmation before it goes. A name that another namespace may have is not among them, because its own claim is
    /// missing, and neither is one that only an inventory refuses.
    pub refused: BTreeSet<Hostname>,
    /// What the next run must remember of owners.
    pub owners: BTreeMap<Hostname, HostOwner>,
    /// Why each refused host is refused, and which are claimed twice.
    pub findings: Vec<Finding>,
}

/// A lawful claim of a host.
type Admitted<'a> = (Hostname, Claim<'a>);

/// Decides about every claim.
///
/// A host that several objects claim belongs to the oldest, then to the smallest UID, then to the first by namespace and
/// name; but a namespace that has it keeps it while it claims it, and for `memory.retention` after that, so that nobody
/// can take a host by being there when it is made anew.
pub fn decide<'a>(
    claims: impl Iterator<Item = Claim<'a>>,
    claimant: Claimant<'_>,
    policy: &Policy,
    memory: &Memory<'_>,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut rules = Rules::new(claimant, policy);
    let mut admitted: Vec<Admitted<'a>> = Vec::new();
    for claim in claims {
        match rules.admit(&claim) {
            Ok(host) => admitted.push((host, claim)),
            Err((refusal, host)) => {
                verdict.findings.push(refusal.finding(&claim, claimant));
                verdict.refused.extend(host);
            }
        }
    }
    admitted.sort_unstable_by(|(host_a, a), (host_b, b)| host_a.cmp(host_b).then_with(|| ownership::precedence(a, b)));
    // One object may claim a refused name that another one holds lawfully.
    if !verdict.refused.is_empty() {
        for (host, _) in &admitted {
            verdict.refused.remove(host);
        }
    }
    let granted = ownership::settle(admitted, &mut rules, memory, &mut verdict);
    let granted = within_quotas(granted, claimant, policy, memory.committed, &mut verdict);
    ownership::remember(&granted, &mut rules, memory.owners, &mut verdict);
    let apexes = granted.iter().filter(|(host, _)| rules.apexes.contains(host));
    verdict.findings.extend(apexes.map(|(host, claim)| hazards::at_apex(host, describe(claim))));
    verdict.records = granted.into_iter().map(|(host, claim)| (host, owner(&claim))).collect();
    verdict.findings.sort();
    verdict.findings.dedup();
    verdict
}

/// Leaves out the newest claims that are over a quota; hosts that have a record keep it.
fn within_quotas<'a>(
    granted: Vec<Admitted<'a>>,
    claimant: Claimant<'_>,
    policy: &Policy,
    committed: &BTreeSet<Hostname>,
    verdict: &mut Verdict,
) -> Vec<Admitted<'a>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, claim) in &granted {
        *counts.entry(claimant.of(claim)).or_default() += 1;
    }
    counts.retain(|_, count| *count > policy.quota_per_namespace);
    let is_over = granted.len() > policy.quota_total;
    if counts.is_empty() && !is_over {
        return granted;
    }
    let mut order: Vec<_> = granted
        .iter()
        .filter(|(_, claim)| is_over || counts.contains_key(claimant.of(claim)))
        .map(|(host, claim)| (!committed.contains(host), claim, host))
        .collect();
    order.sort_unstable_by(|(new_a, a, host_a), (new_b, b, host_b)| {
        new_a.cmp(new_b).then_with(|| ownership::precedence(a, b)).then_with(|| host_a.cmp(host_b))
    });
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut total = 0;
    let mut over: BTreeSet<Hostname> = BTreeSet::new();
    for (is_new, claim, host) in order {
        let namespace = claimant.of(claim);
        let count = used.entry(namespace).or_default();
        let reason = if *count >= policy.quota_per_namespace {
            Some(format!("namespace {namespace} already has {count} hosts (hostnames.quota.perNamespace)"))
        } else if total >= policy.quota_total {
            Some(format!("the layer already has {total} hosts (hostnames.quota.total)"))
        } else {
            None
        };
        match reason {
            Some(reason) if is_new => {
                over.insert(host.clone());
                verdict.findings.push(Finding {
                    severity: Severity::Warning,
                    rule: "HostQuotaExceeded",
                    subject: describe(claim),
                    message: format!("host {host} gets no record: {reason}"),
                    fix: Some("raise the quota in cluster.yaml, or remove hosts".to_owned()),
                    host: Some(host.to_string()),
                });
            }
            Some(_) | None => {
                *count += 1;
                total += 1;
            }
        }
    }
    let within = granted.into_iter().filter(|(host, _)| !over.contains(host)).collect();
    verdict.refused.append(&mut over);
    within
}

impl<'a> Claimant<'a> {
    /// The namespace that a claim counts for.
    fn of(self, claim: &Claim<'a>) -> &'a str {
        match self {
            Self::ItsNamespace => &claim.owner.namespace,
            Self::One(namespace) => namespace,
        }
    }
}

fn owner(claim: &Claim<'_>) -> Owner {
    Owner { kind: claim.kind, namespace: claim.owner.namespace.clone(), name: claim.owner.name.clone() }
}

fn describe(claim: &Claim<'_>) -> String {
    format!("{}/{}/{}", claim.kind, claim.owner.namespace, claim.owner.name)
}
