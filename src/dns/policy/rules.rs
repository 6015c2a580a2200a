//! Whether one claim is lawful by itself.

use std::collections::{BTreeMap, BTreeSet};

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
    denied: BTreeSet<String>,
    /// What each namespace that was asked for may claim.
    suffixes: BTreeMap<&'a str, Vec<Hostname>>,
    /// The suffixes that a person gave, and the namespaces that have each. Empty where there is one claimant only.
    holders: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// The hosts of lawful claims that are domains as a registry hands them out. Kept from when that is looked up anyway.
    pub(super) apexes: BTreeSet<Hostname>,
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
        let given = policy.denied_suffixes.iter().map(|suffix| suffix.trim_end_matches('.').to_ascii_lowercase());
        let denied = DENIED_SUFFIXES.into_iter().map(str::to_owned).chain(given).collect();
        let mut holders: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let grants = match claimant {
            Claimant::ItsNamespace => Some(&policy.grants),
            Claimant::One(_) => None,
        };
        for (namespace, suffixes) in grants.into_iter().flatten() {
            for suffix in suffixes {
                holders.entry(suffix.as_str()).or_default().insert(namespace.as_str());
            }
        }
        Self { claimant, policy, denied, suffixes: BTreeMap::new(), holders, apexes: BTreeSet::new() }
    }

    /// The host of a lawful claim. With a refusal comes the host, if nobody may have it.
    pub(super) fn admit(&mut self, claim: &Claim<'a>) -> Result<Hostname, (Refusal, Option<Hostname>)> {
        let host = Hostname::parse(claim.host).map_err(|error| (Refusal::Grammar(error), None))?;
        let standing = match self.standing(&host) {
            Ok(standing) => standing,
            Err(refusal) => return Err((refusal, Some(host))),
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
            Err((Refusal::NotDelegated, (!is_open).then_some(host)))
        }
    }

    /// How a name stands to the public suffixes, or why nobody at all may have it.
    fn standing(&self, host: &Hostname) -> Result<Standing, Refusal> {
        if let Some(suffix) = host.suffixes().find(|suffix| self.denied.contains(*suffix)) {
            return Err(Refusal::Denied(suffix.to_owned()));
        }
        if let Some(&what) = self.policy.reserved.get(host) {
            return Err(Refusal::Reserved(what));
        }
        let first = host.as_str().split('.').next().unwrap_or_default();
        if DISCOVERED.contains(&first) {
            return Err(Refusal::Discovered);
        }
        match host.standing() {
            Standing::PublicSuffix => Err(Refusal::PublicSuffix),
            standing @ (Standing::Apex | Standing::Below) => Ok(standing),
        }
    }

    /// Whether a namespace may claim a name, as far as it is a question of whose it is.
    pub(super) fn may_claim(&mut self, namespace: &'a str, host: &Hostname) -> bool {
        let suffixes = self.suffixes.entry(namespace).or_insert_with(|| suffixes(namespace, self.policy));
        suffixes.iter().any(|suffix| host.is_within(suffix.as_str()))
    }

    /// Whether a remembered owner may still have a name.
    pub(super) fn may_keep(&self, namespace: &str, host: &Hostname) -> bool {
        let is_within = |suffix: &Hostname| host.is_within(suffix.as_str());
        self.standing(host).is_ok() && suffixes(namespace, self.policy).iter().any(is_within)
    }

    /// Whether some namespace may claim a name.
    fn is_grantable(&self, host: &Hostname) -> bool {
        self.is_of_platform(host) || host.suffixes().any(|suffix| self.holders.contains_key(suffix))
    }

    /// Whether more than one namespace may claim a name.
    pub(super) fn is_contested(&self, host: &Hostname) -> bool {
        if !self.is_shared() {
            return false;
        }
        // All namespaces of the platform share its host.
        let mut holders = host.suffixes().filter_map(|suffix| self.holders.get(suffix)).flatten();
        let first = holders.next();
        self.is_of_platform(host) || holders.any(|other| Some(other) != first)
    }

    /// Whether there is more than one claimant at all.
    fn is_shared(&self) -> bool {
        self.claimant == Claimant::ItsNamespace
    }

    fn is_of_platform(&self, host: &Hostname) -> bool {
        self.policy.platform_host.as_ref().is_some_and(|root| host.is_within(root.as_str()))
    }
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
        }
    }
}
