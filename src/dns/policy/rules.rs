//! Whether one claim is lawful by itself.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    dns::{
        claims::Claim,
        policy::{Claimant, Policy, describe},
    },
    model::{
        finding::{Finding, Severity},
        hostname::{Hostname, HostnameError, Standing},
    },
};

/// Suffixes that are never redirected, in any cluster: they belong to cluster DNS, to the local link or to nobody.
///
/// The resolver's search list makes `github.com.svc.cluster.local` the first question for `github.com`, so a record for
/// such a name takes over a name that looks quite different.
pub const DENIED_SUFFIXES: [&str; 8] = ["svc", "pod", "local", "localhost", "localdomain", "internal", "arpa", "onion"];

/// Names by which programs look for their settings, in whatever domain they find themselves.
const DISCOVERED: [&str; 2] = ["wpad", "isatap"];

/// What the namespaces of a platform's tenants begin with.
const TENANT: &str = "tenant-";

/// A policy, made ready for many questions.
pub(super) struct Rules<'a> {
    claimant: Claimant<'a>,
    policy: &'a Policy,
    /// Those of the settings first, then the longest first.
    denied: Vec<(By, String)>,
    /// What each namespace that was asked for may claim.
    suffixes: BTreeMap<&'a str, Vec<Hostname>>,
    /// The suffixes that a person gave. Empty where there is one claimant only.
    given: BTreeSet<&'a str>,
    /// Those of them that lie in the hands of several namespaces, counting who has what lies above them.
    contested: BTreeSet<&'a str>,
    /// The hosts of lawful claims that are domains as a registry hands them out. Kept from when that is looked up anyway.
    pub(super) apexes: BTreeSet<Hostname>,
}

/// Who refuses a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    /// The program, or a file in Git.
    Settings,
    /// What was seen of the clusters.
    Inventory,
}

pub(super) enum Refusal {
    Grammar(HostnameError),
    Denied(String),
    PublicSuffix,
    Discovered,
    Reserved(&'static str),
    NotDelegated,
}

impl<'a> Rules<'a> {
    pub(super) fn new(claimant: Claimant<'a>, policy: &'a Policy) -> Self {
        let canonical = |suffix: &String| suffix.trim_end_matches('.').to_ascii_lowercase();
        let given = DENIED_SUFFIXES.into_iter().map(str::to_owned).chain(policy.denied_suffixes.iter().map(canonical));
        let seen = policy.seen.denied_suffixes.iter().map(canonical).map(|suffix| (By::Inventory, suffix));
        let mut denied: Vec<_> = given.map(|suffix| (By::Settings, suffix)).chain(seen).collect();
        denied.sort_by_key(|(by, suffix)| (*by, Reverse(suffix.len())));
        let grants = match claimant {
            Claimant::ItsNamespace => Some(&policy.grants),
            Claimant::One(_) => None,
        };
        let mut holders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (namespace, suffixes) in grants.into_iter().flatten() {
            for suffix in suffixes {
                holders.entry(suffix.as_str()).or_default().insert(namespace.as_str());
            }
        }
        let is_contested = |suffix: &&Hostname| {
            let mut all = suffix.suffixes().filter_map(|suffix| holders.get(suffix)).flatten();
            let first = all.next();
            all.any(|other| Some(other) != first)
        };
        let contested =
            grants.into_iter().flatten().flat_map(|(_, suffixes)| suffixes).filter(is_contested).map(Hostname::as_str);
        let contested = contested.collect();
        let given = holders.into_keys().collect();
        Self { claimant, policy, denied, suffixes: BTreeMap::new(), given, contested, apexes: BTreeSet::new() }
    }

    /// The host of a lawful claim. With a refusal comes the host, if by the settings nobody may have it.
    pub(super) fn admit(&mut self, claim: &Claim<'a>) -> Result<Hostname, (Refusal, Option<Hostname>)> {
        let host = Hostname::parse(claim.host).map_err(|error| (Refusal::Grammar(error), None))?;
        let standing = match self.standing(&host) {
            Ok(standing) => standing,
            Err((refusal, by)) => return Err((refusal, (by == By::Settings).then_some(host))),
        };
        let namespace = self.claimant.of(claim);
        if self.may_claim(namespace, &host) {
            if standing == Standing::Apex {
                self.apexes.insert(host.clone());
            }
            Ok(host)
        } else {
            // Another namespace could claim it, and perhaps did until now: then it is this claim that is refused, not the
            // name.
            let is_open = self.is_shared() && self.is_grantable(&host);
            // Or somebody had it by the host that the live platform had before.
            let is_of_live_platform =
                self.policy.seen.is_platform_host && (self.is_shared() || !self.policy.grants.contains_key(namespace));
            Err((Refusal::NotDelegated, (!is_open && !is_of_live_platform).then_some(host)))
        }
    }

    /// How a name stands to the public suffixes, or why nobody at all may have it, and by whom. What the settings refuse,
    /// they refuse whatever was seen.
    fn standing(&self, host: &Hostname) -> Result<Standing, (Refusal, By)> {
        let denied = |&(by, ref suffix): &(By, String)| (Refusal::Denied(suffix.clone()), by);
        let denied = self.denied.iter().find(|(_, suffix)| host.is_within(suffix)).map(denied);
        if let Some(denied @ (_, By::Settings)) = denied {
            return Err(denied);
        }
        if let Some(&what) = self.policy.reserved.get(host) {
            return Err((Refusal::Reserved(what), By::Settings));
        }
        let first = host.as_str().split('.').next().unwrap_or_default();
        if DISCOVERED.contains(&first) {
            return Err((Refusal::Discovered, By::Settings));
        }
        let standing = host.standing();
        if standing == Standing::PublicSuffix {
            return Err((Refusal::PublicSuffix, By::Settings));
        }
        let reserved = || self.policy.seen.reserved.get(host).map(|&what| (Refusal::Reserved(what), By::Inventory));
        denied.or_else(reserved).map_or(Ok(standing), Err)
    }

    /// Whether a namespace may claim a name, as far as it is a question of whose it is.
    pub(super) fn may_claim(&mut self, namespace: &'a str, host: &Hostname) -> bool {
        let suffixes = self.suffixes.entry(namespace).or_insert_with(|| suffixes(namespace, self.policy));
        over(suffixes, host).next().is_some()
    }

    /// Whether a remembered owner may still have a name.
    pub(super) fn may_keep(&self, namespace: &str, host: &Hostname) -> bool {
        !matches!(self.standing(host), Err((_, By::Settings))) && self.policy.delegated_by(namespace, host).is_some()
    }

    /// Whether some namespace may claim a name.
    fn is_grantable(&self, host: &Hostname) -> bool {
        self.is_of_platform(host) || host.suffixes().any(|suffix| self.given.contains(suffix))
    }

    /// Whether more than one namespace may claim a name.
    pub(super) fn is_contested(&self, host: &Hostname) -> bool {
        if !self.is_shared() {
            return false;
        }
        // All namespaces of the platform share its host.
        self.is_of_platform(host)
            || !self.contested.is_empty() && host.suffixes().any(|suffix| self.contested.contains(suffix))
    }

    /// Whether there is more than one claimant at all.
    fn is_shared(&self) -> bool {
        self.claimant == Claimant::ItsNamespace
    }

    fn is_of_platform(&self, host: &Hostname) -> bool {
        self.policy.platform_host.as_ref().is_some_and(|root| host.is_within(root.as_str()))
    }
}

impl Policy {
    /// The suffix by which a namespace may have a name, the longest of them; `None`: it was given none that the name lies
    /// under. Whether anybody at all may have the name is another question.
    pub fn delegated_by(&self, namespace: &str, host: &Hostname) -> Option<Hostname> {
        over(&suffixes(namespace, self), host).max_by_key(|suffix| suffix.as_str().len()).cloned()
    }
}

/// Those of a namespace's suffixes that a name lies under.
fn over<'s>(suffixes: &'s [Hostname], host: &Hostname) -> impl Iterator<Item = &'s Hostname> {
    suffixes.iter().filter(|suffix| host.is_within(suffix.as_str()))
}

/// What a namespace may claim.
fn suffixes(namespace: &str, policy: &Policy) -> Vec<Hostname> {
    match (policy.grants.get(namespace), &policy.platform_host) {
        (Some(suffixes), _) => suffixes.clone(),
        (None, Some(root)) => of_platform(namespace, root).into_iter().collect(),
        (None, None) => Vec::new(),
    }
}

/// What a namespace has by the platform's own rules: `tenant-acme-blog` is the tenant `blog` of the tenant `acme`, because
/// no name of a tenant has a hyphen. A tenant that was given another host needs a delegation.
fn of_platform(namespace: &str, root: &Hostname) -> Option<Hostname> {
    match namespace.strip_prefix(TENANT) {
        None | Some("root") => Some(root.clone()),
        Some(path) => {
            let mut labels: Vec<_> = path.split('-').rev().collect();
            labels.push(root.as_str());
            Hostname::parse(&labels.join(".")).ok()
        }
    }
}

impl Refusal {
    pub(super) fn finding(&self, claim: &Claim<'_>, claimant: Claimant<'_>) -> Finding {
        let shown: String = claim.host.escape_debug().take(80).collect();
        let namespace = claimant.of(claim);
        let remove = || "remove the host from the object".to_owned();
        let (severity, rule, reason, fix) = match self {
            Self::Grammar(HostnameError::Wildcard) => (
                Severity::Warning,
                "HostWildcard",
                "it is a wildcard".to_owned(),
                "name the single hosts in spec.tls".to_owned(),
            ),
            Self::Grammar(error) => {
                (Severity::Warning, "HostRefused", error.to_string(), "correct the host in the object".to_owned())
            }
            Self::Denied(suffix) => (
                Severity::Error,
                "HostDenied",
                format!("names below `{suffix}` belong to the DNS of clusters and resolvers"),
                remove(),
            ),
            Self::PublicSuffix => {
                (Severity::Error, "HostDenied", "it is a public suffix, which belongs to nobody".to_owned(), remove())
            }
            Self::Discovered => (
                Severity::Error,
                "HostDenied",
                "programs look for their settings under this name by themselves".to_owned(),
                remove(),
            ),
            Self::Reserved(what) => (
                Severity::Error,
                "HostReserved",
                format!("it is reserved {what}"),
                "remove the host from the object; what hostnames.reserved in cluster.yaml names, it may give up"
                    .to_owned(),
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
            host: Some(Finding::host_of(claim.host)),
        }
    }
}
