//! Which of the claimed hosts become records.
//!
//! The default is to refuse. Every host that an Ingress may name is a lawful name, `github.com` too: what protects the
//! cluster is that a namespace may claim only names under suffixes that a person gave it.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use crate::{
    dns::claims::Claim,
    model::{
        finding::{Finding, Severity},
        hostname::{Hostname, HostnameError},
        inventory::ObjectMeta,
    },
};

/// Suffixes that are never redirected, in any cluster: they belong to cluster DNS, to the local link or to nobody.
///
/// The resolver's search list makes `github.com.svc.cluster.local` the first question for `github.com`, so a record for
/// such a name takes over a name that looks quite different.
const DENIED_SUFFIXES: &[&str] = &["svc", "local", "localhost", "localdomain", "arpa", "onion"];

/// Who may claim what.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Every claim counts as this namespace's; `None`: as the namespace of the object that makes it.
    pub claimant: Option<String>,
    /// Namespace → suffixes.
    pub grants: BTreeMap<String, Vec<Hostname>>,
    /// Suffixes for every namespace that `grants` does not name and that does not begin with `tenant-`.
    pub system_suffixes: Vec<Hostname>,
    /// Never redirected.
    pub reserved: BTreeSet<Hostname>,
    /// Domains of clusters, besides the suffixes that are always denied.
    pub cluster_domains: Vec<String>,
    /// The most records of one claimant.
    pub quota_per_namespace: usize,
    /// The most records.
    pub quota_total: usize,
}

/// The object that a record is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// For example `Ingress`.
    pub kind: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What became of the claims.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The hosts that become records.
    pub records: BTreeMap<Hostname, Owner>,
    /// Claimed names that nobody may have, by the settings. They are not absent: a record of one of them needs no
    /// confirmation before it goes. A name that another namespace may have is not among them: its own claim is missing.
    pub refused: BTreeSet<Hostname>,
    /// Why each refused host is refused, and which are claimed twice.
    pub findings: Vec<Finding>,
}

/// Decides about every claim.
///
/// A host that several objects claim belongs to the oldest, then to the smallest UID, then to the first by namespace and
/// name. `committed` are the hosts that have a record already: when a quota is exceeded they keep it and new ones wait.
pub fn decide<'a>(claims: impl Iterator<Item = Claim<'a>>, policy: &Policy, committed: &BTreeSet<Hostname>) -> Verdict {
    let mut verdict = Verdict::default();
    let mut granted: BTreeMap<Hostname, Claim<'a>> = BTreeMap::new();
    for claim in claims {
        match admit(&claim, policy) {
            Ok(host) => match granted.get_mut(&host) {
                None => {
                    granted.insert(host, claim);
                }
                Some(holder) => {
                    if let Some(finding) = settle(&host, holder, claim) {
                        verdict.findings.push(finding);
                    }
                }
            },
            Err((refusal, host)) => {
                verdict.findings.push(refusal.finding(&claim, policy));
                verdict.refused.extend(host);
            }
        }
    }
    apply_quotas(&mut granted, policy, committed, &mut verdict);
    // One object may claim a refused name that another one holds lawfully.
    verdict.refused.retain(|host| !granted.contains_key(host));
    verdict.records = granted.into_iter().map(|(host, claim)| (host, owner(&claim))).collect();
    verdict.findings.sort();
    verdict.findings.dedup();
    verdict
}

enum Refusal {
    Grammar(HostnameError),
    Denied(String),
    Reserved,
    NotDelegated,
}

/// Whether one claim is lawful by itself.
fn admit(claim: &Claim<'_>, policy: &Policy) -> Result<Hostname, (Refusal, Option<Hostname>)> {
    let host = Hostname::parse(claim.host).map_err(|error| (Refusal::Grammar(error), None))?;
    let cluster_domains = policy.cluster_domains.iter().map(String::as_str);
    if let Some(suffix) = DENIED_SUFFIXES.iter().copied().chain(cluster_domains).find(|suffix| host.is_within(suffix)) {
        let suffix = suffix.to_owned();
        return Err((Refusal::Denied(suffix), Some(host)));
    }
    if policy.reserved.contains(&host) {
        return Err((Refusal::Reserved, Some(host)));
    }
    if suffixes(claimant(claim, policy), policy).iter().any(|suffix| host.is_within(suffix.as_str())) {
        Ok(host)
    } else {
        // Another namespace could claim it, and perhaps did until now: then it is this claim that is refused, not the name.
        let is_open = policy.claimant.is_none() && is_grantable(&host, policy);
        Err((Refusal::NotDelegated, (!is_open).then_some(host)))
    }
}

/// Whether some namespace may claim a name.
fn is_grantable(host: &Hostname, policy: &Policy) -> bool {
    policy.grants.values().flatten().chain(&policy.system_suffixes).any(|suffix| host.is_within(suffix.as_str()))
}

fn claimant<'a>(claim: &Claim<'a>, policy: &'a Policy) -> &'a str {
    policy.claimant.as_deref().unwrap_or(&claim.owner.namespace)
}

fn suffixes<'a>(namespace: &str, policy: &'a Policy) -> &'a [Hostname] {
    match policy.grants.get(namespace) {
        Some(suffixes) => suffixes,
        None if namespace.starts_with("tenant-") => &[],
        None => &policy.system_suffixes,
    }
}

/// Gives a host that two objects claim to one of them.
fn settle<'a>(host: &Hostname, holder: &mut Claim<'a>, claim: Claim<'a>) -> Option<Finding> {
    if (&holder.owner.namespace, &holder.owner.name, holder.kind)
        == (&claim.owner.namespace, &claim.owner.name, claim.kind)
    {
        return None;
    }
    let (winner, loser) =
        if precedence(&claim, holder) == Ordering::Less { (claim, *holder) } else { (*holder, claim) };
    *holder = winner;
    // Several Ingresses of one namespace for one host are ordinary (one for every path).
    (winner.owner.namespace != loser.owner.namespace).then(|| Finding {
        severity: Severity::Warning,
        rule: "HostClaimedTwice",
        subject: describe(&loser),
        message: format!(
            "host {host} is claimed by {} and {}; the older one has it",
            describe(&winner),
            describe(&loser)
        ),
        fix: Some(format!("remove the host from {}", describe(&loser))),
    })
}

/// Oldest first; an object without a time of creation comes last, so that it cannot take a host over.
fn precedence(a: &Claim<'_>, b: &Claim<'_>) -> Ordering {
    let age = |owner: &ObjectMeta| (owner.created.is_none(), owner.created);
    let key = |claim: &Claim<'_>| (age(claim.owner), claim.owner.uid.is_empty());
    key(a)
        .cmp(&key(b))
        .then_with(|| a.owner.uid.cmp(&b.owner.uid))
        .then_with(|| (&a.owner.namespace, &a.owner.name, a.kind).cmp(&(&b.owner.namespace, &b.owner.name, b.kind)))
}

/// Drops the newest claims that are over a quota; hosts that have a record keep it.
fn apply_quotas(
    granted: &mut BTreeMap<Hostname, Claim<'_>>,
    policy: &Policy,
    committed: &BTreeSet<Hostname>,
    verdict: &mut Verdict,
) {
    if granted.len() <= policy.quota_per_namespace.min(policy.quota_total) {
        return;
    }
    let mut order: Vec<_> =
        granted.iter().map(|(host, claim)| (!committed.contains(host), host.clone(), *claim)).collect();
    order.sort_by(|(new_a, host_a, a), (new_b, host_b, b)| {
        new_a.cmp(new_b).then_with(|| precedence(a, b)).then_with(|| host_a.cmp(host_b))
    });
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut total = 0;
    for (is_new, host, claim) in &order {
        let namespace = claimant(claim, policy);
        let count = used.entry(namespace).or_default();
        let over = if *count >= policy.quota_per_namespace {
            Some(format!("namespace {namespace} already has {count} hosts (hostnames.quota.perNamespace)"))
        } else if total >= policy.quota_total {
            Some(format!("the layer already has {total} hosts (hostnames.quota.total)"))
        } else {
            None
        };
        match over {
            Some(reason) if *is_new => {
                granted.remove(host);
                verdict.refused.insert(host.clone());
                verdict.findings.push(Finding {
                    severity: Severity::Warning,
                    rule: "HostQuotaExceeded",
                    subject: describe(claim),
                    message: format!("host {host} gets no record: {reason}"),
                    fix: Some("raise the quota in cluster.yaml, or remove hosts".to_owned()),
                });
            }
            Some(_) | None => {
                *count += 1;
                total += 1;
            }
        }
    }
}

impl Refusal {
    fn finding(&self, claim: &Claim<'_>, policy: &Policy) -> Finding {
        let shown = claim.host.escape_debug().to_string();
        let shown = shown.chars().take(80).collect::<String>();
        let namespace = claimant(claim, policy);
        let (severity, rule, reason, fix) = match self {
            Self::Grammar(error) => {
                (Severity::Warning, "HostRefused", error.to_string(), "correct the host in the object".to_owned())
            }
            Self::Denied(suffix) => (
                Severity::Error,
                "HostDenied",
                format!("names below `{suffix}` belong to the cluster's own DNS"),
                "remove the host from the object".to_owned(),
            ),
            Self::Reserved => (
                Severity::Error,
                "HostReserved",
                "the name is reserved".to_owned(),
                "remove the host from the object, or from hostnames.reserved in cluster.yaml".to_owned(),
            ),
            Self::NotDelegated => (
                Severity::Warning,
                "HostNotDelegated",
                format!("namespace {namespace} was given no suffix that the name lies under"),
                format!(
                    "if it may have the name, add under spec.hostnames.delegations in cluster.yaml: \
                     {{namespaces: [{namespace}], suffixes: [{shown}]}}"
                ),
            ),
        };
        Finding {
            severity,
            rule,
            subject: describe(claim),
            message: format!("host \"{shown}\" gets no record: {reason}"),
            fix: Some(fix),
        }
    }
}

fn owner(claim: &Claim<'_>) -> Owner {
    Owner { kind: claim.kind, namespace: claim.owner.namespace.to_string(), name: claim.owner.name.to_string() }
}

fn describe(claim: &Claim<'_>) -> String {
    format!("{}/{}/{}", claim.kind, claim.owner.namespace, claim.owner.name)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> Hostname {
        Hostname::parse(text).expect("a literal that parses")
    }

    fn meta(namespace: &str, name: &str, age: Option<i64>) -> ObjectMeta {
        let created = age.map(|age| Timestamp::from_second(age).expect("a small number of seconds"));
        ObjectMeta { namespace: namespace.into(), name: name.into(), uid: format!("uid-{name}"), created }
    }

    fn policy() -> Policy {
        Policy {
            grants: BTreeMap::from([
                ("tenant-acme".to_owned(), vec![host("acme.example.org")]),
                ("shop".to_owned(), vec![host("example.org")]),
            ]),
            system_suffixes: vec![host("example.org")],
            reserved: BTreeSet::from([host("git.example.org")]),
            cluster_domains: vec!["k8s.example.org".to_owned()],
            quota_per_namespace: 2,
            quota_total: 3,
            ..Policy::default()
        }
    }

    fn decided(claims: &[(&ObjectMeta, &str)], committed: &[&str]) -> Verdict {
        let claims = claims.iter().map(|(owner, host)| Claim { host, kind: "Ingress", owner });
        decide(claims, &policy(), &committed.iter().copied().map(host).collect())
    }

    #[test]
    fn a_claim_is_granted_or_refused_with_its_rule() {
        for (namespace, name, expected) in [
            ("tenant-acme", "a.acme.example.org", None),
            ("tenant-acme", "acme.example.org", None),
            ("tenant-acme", "a.example.org", Some("HostNotDelegated")),
            ("tenant-acme", "github.com", Some("HostNotDelegated")),
            ("tenant-acme", "x.notacme.example.org", Some("HostNotDelegated")),
            ("tenant-other", "a.example.org", Some("HostNotDelegated")),
            ("cozy-dashboard", "dashboard.example.org", None),
            ("cozy-dashboard", "github.com", Some("HostNotDelegated")),
            ("cozy-dashboard", "git.example.org", Some("HostReserved")),
            ("cozy-dashboard", "api.k8s.example.org", Some("HostDenied")),
            ("cozy-dashboard", "github.com.svc.cluster.local", Some("HostDenied")),
            ("cozy-dashboard", "*.example.org", Some("HostRefused")),
            ("cozy-dashboard", "a.example.org\nrewrite name b c", Some("HostRefused")),
        ] {
            let owner = meta(namespace, "i", None);
            let verdict = decided(&[(&owner, name)], &[]);
            let rules: Vec<_> = verdict.findings.iter().map(|finding| finding.rule).collect();
            assert_eq!(rules, Vec::from_iter(expected), "{namespace} {name:?}");
            assert_eq!(verdict.records.len(), usize::from(expected.is_none()), "{namespace} {name:?}");
        }
    }

    #[test]
    fn a_host_of_two_objects_belongs_to_the_older_one_whatever_the_order() {
        let (old, new, unknown) = (meta("a", "old", Some(1)), meta("b", "new", Some(2)), meta("c", "x", None));
        for claims in [[&old, &new, &unknown], [&unknown, &new, &old], [&new, &unknown, &old]] {
            let claims: Vec<_> = claims.into_iter().map(|owner| (owner, "a.example.org")).collect();
            let verdict = decided(&claims, &[]);
            assert_eq!(verdict.records[&host("a.example.org")].name, "old");
            assert_eq!(verdict.findings.len(), 2, "{:?}", verdict.findings);
        }
    }

    #[test]
    fn over_quota_the_committed_hosts_stay_and_the_newest_claims_wait() {
        let owners = [meta("a", "i1", Some(1)), meta("a", "i2", Some(2)), meta("a", "i3", Some(3))];
        let claims = [(&owners[0], "x.example.org"), (&owners[1], "y.example.org"), (&owners[2], "z.example.org")];
        let names = |verdict: &Verdict| verdict.records.keys().map(|host| host.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&decided(&claims, &[])), ["x.example.org", "y.example.org"]);
        assert_eq!(names(&decided(&claims, &["z.example.org"])), ["x.example.org", "z.example.org"]);
        let all = ["x.example.org", "y.example.org", "z.example.org"];
        assert_eq!(names(&decided(&claims, &all)), all);
    }

    proptest! {
        #[test]
        fn whatever_is_claimed_a_record_lies_under_a_granted_suffix_and_is_one_word(hosts in prop::collection::vec(".{0,40}(acme\\.example\\.org)?", 0..8)) {
            let owner = meta("tenant-acme", "i", None);
            let claims: Vec<_> = hosts.iter().map(|host| (&owner, host.as_str())).collect();
            for host in decided(&claims, &[]).records.keys() {
                prop_assert!(host.is_within("acme.example.org"));
                prop_assert!(host.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'));
            }
        }
    }
}
