//! Which of several lawful claims has a host, and what of that is remembered.
//!
//! Memory is kept of a host that more than one namespace may claim, and of no other: where only one may, nobody else can
//! get the host however often its objects come and go, and the state stays as small as it was.

use std::{cmp::Ordering, collections::BTreeMap};

use crate::{
    dns::{
        claims::Claim,
        policy::{Admitted, Memory, Verdict, describe, rules::Rules},
    },
    model::{
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::ObjectMeta,
        name::Name,
        state::HostOwner,
    },
};

/// Oldest first; an object without a time of creation comes last, so that it cannot take a host over.
pub(super) fn precedence(a: &Claim<'_>, b: &Claim<'_>) -> Ordering {
    let age = |owner: &ObjectMeta| (owner.created.is_none(), owner.created);
    let key = |claim: &Claim<'_>| (age(claim.owner), claim.owner.uid.is_empty());
    key(a)
        .cmp(&key(b))
        .then_with(|| a.owner.uid.cmp(&b.owner.uid))
        .then_with(|| (&a.owner.namespace, &a.owner.name, a.kind).cmp(&(&b.owner.namespace, &b.owner.name, b.kind)))
}

/// Gives every host to one of its claims, or to none while it is kept for a namespace that is gone. The claims come in
/// order of host and precedence.
pub(super) fn settle<'a>(
    admitted: Vec<Admitted<'a>>,
    rules: &mut Rules<'_>,
    memory: &Memory<'_>,
    verdict: &mut Verdict,
) -> Vec<Admitted<'a>> {
    // What is remembered, without what the settings took away since.
    let is_kept = |(host, owner): &(&Hostname, &HostOwner)| {
        rules.may_keep(owner.namespace.as_str(), host) && rules.is_contested(host)
    };
    let mut remembered: BTreeMap<&Hostname, &HostOwner> = memory.owners.iter().filter(is_kept).collect();
    let mut granted: Vec<Admitted<'a>> = Vec::with_capacity(admitted.len());
    let mut rest = admitted.into_iter().peekable();
    let mut claims = Vec::new();
    while let Some((host, first)) = rest.next() {
        claims.clear();
        claims.push(first);
        while let Some((_, claim)) = rest.next_if(|(next, _)| *next == host) {
            claims.push(claim);
        }
        let owner = if remembered.is_empty() { None } else { remembered.remove(&host) };
        let Some(winner) = winner(&claims, owner, memory) else {
            let owner = owner.expect("without an owner the first claim wins");
            verdict.findings.push(kept_for(&host, owner, &claims[0], memory));
            verdict.owners.insert(host, vanished(owner, memory));
            continue;
        };
        for claim in claims.iter().filter(|claim| claim.owner.namespace != winner.owner.namespace) {
            verdict.findings.push(claimed_twice(&host, &winner, claim));
        }
        granted.push((host, winner));
    }
    for (host, owner) in remembered.into_iter().filter(|(_, owner)| !is_over(owner, memory)) {
        verdict.owners.insert(host.clone(), vanished(owner, memory));
    }
    granted
}

/// The claim that has the host; `None` while it is kept for somebody else.
fn winner<'a>(claims: &[Claim<'a>], owner: Option<&HostOwner>, memory: &Memory<'_>) -> Option<Claim<'a>> {
    let Some(owner) = owner else { return claims.first().copied() };
    let is_of_namespace = |claim: &&Claim<'_>| *claim.owner.namespace == *owner.namespace.as_str();
    let mut own = claims.iter().filter(is_of_namespace);
    let same = own.clone().find(|claim| *claim.owner.name == *owner.name.as_str());
    let free = || if is_over(owner, memory) { claims.first() } else { None };
    same.or_else(|| own.next()).or_else(free).copied()
}

/// Whether a host has been kept long enough for an owner that does not claim it.
fn is_over(owner: &HostOwner, memory: &Memory<'_>) -> bool {
    memory.proves_absence && owner.gone.is_some_and(|gone| memory.now.duration_since(gone) >= memory.retention)
}

fn vanished(owner: &HostOwner, memory: &Memory<'_>) -> HostOwner {
    HostOwner { gone: Some(owner.gone.unwrap_or(memory.now)), ..owner.clone() }
}

/// Writes down who has the hosts that become records, where it matters.
pub(super) fn remember(
    granted: &[Admitted<'_>],
    rules: &mut Rules<'_>,
    before: &BTreeMap<Hostname, HostOwner>,
    verdict: &mut Verdict,
) {
    for (host, claim) in granted.iter().filter(|(host, _)| rules.is_contested(host)) {
        // The API gives nothing else; a name that is none cannot be written down, and need not be.
        let (Ok(namespace), Ok(name)) = (Name::parse(&claim.owner.namespace), Name::parse(&claim.owner.name)) else {
            continue;
        };
        let is_lawful = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let uid = Some(&claim.owner.uid).filter(|uid| (1..=128).contains(&uid.len()) && uid.bytes().all(is_lawful));
        let known = before.get(host).filter(|before| before.namespace == namespace && before.name == name);
        let uid = uid.cloned().or_else(|| known.and_then(|known| known.uid.clone()));
        verdict.owners.insert(host.clone(), HostOwner { namespace, name, uid, gone: None });
    }
}

fn claimed_twice(host: &Hostname, winner: &Claim<'_>, loser: &Claim<'_>) -> Finding {
    Finding {
        severity: Severity::Warning,
        rule: "HostClaimedTwice",
        subject: describe(loser),
        message: format!(
            "host {host} is claimed by {} and {}; the first one has it, because it had it before or is older",
            describe(winner),
            describe(loser)
        ),
        fix: Some(format!("remove the host from {}", describe(loser))),
        host: Some(host.to_string()),
    }
}

fn kept_for(host: &Hostname, owner: &HostOwner, claim: &Claim<'_>, memory: &Memory<'_>) -> Finding {
    let HostOwner { namespace, name, .. } = owner;
    let since = owner.gone.unwrap_or(memory.now);
    let hours = memory.retention.as_hours();
    Finding {
        severity: Severity::Warning,
        rule: "HostKeptForOwner",
        subject: describe(claim),
        message: format!(
            "host {host} gets no record for {}: it belongs to Ingress/{namespace}/{name}, which has not claimed it since \
             {since}, and is kept for namespace {namespace} for {hours} hours after that",
            describe(claim)
        ),
        fix: Some(format!(
            "wait; or, if {namespace} gave it up, remove the host from the `owners` of the cluster's state.yaml"
        )),
        host: Some(host.to_string()),
    }
}
