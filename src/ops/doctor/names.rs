//! The names that are redirected, and those that somebody may expect to be: one line for every kind of problem.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::{
        claims::{self, Claim},
        ouroboros,
    },
    model::{
        cluster::{Engine, OuroborosMode, Platform},
        hostname::{Hostname, HostnameError},
        inventory::{ClusterInventory, IngressObject},
        layer::Layer,
        observed::Observed,
    },
    ops::doctor::{Answer, Checks, Patient, count, kind, seen, some},
    plan::{Decision, PlatformFacts, release::PLATFORM_PACKAGE},
};

/// The most characters of a name that external-dns can make a Service of.
const EXTERNAL_DNS_NAME: usize = 53;

/// The names of one layer.
struct Site<'a> {
    layer: &'a Layer,
    /// The class whose Ingresses are redirected; `None`: every class.
    class: Option<&'a str>,
    /// The domain of the cluster.
    domain: Option<&'a str>,
    /// What the platform calls itself by: everybody may have names below it.
    root: Option<&'a str>,
    engine: &'a Engine,
}

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let inventory = &patient.cluster.inventory;
    let (class, domain, root) = match (&patient.cluster.platform, &patient.cluster.config.platform) {
        (PlatformFacts::Unknown(_), _) => return,
        (PlatformFacts::Cozystack(values), _) => {
            (Some(values.ingress_class()), values.cluster_domain(), values.root_host())
        }
        (PlatformFacts::Generic, Platform::Generic { ingress }) => {
            (Some(ingress.class.as_str()), Some(ingress.cluster_domain.as_str()), None)
        }
        (PlatformFacts::Generic, Platform::Cozystack { .. }) => return,
    };
    let layer = Layer::Host;
    let engine = patient.engine(&layer);
    examine(patient, checks, &Site { layer: &layer, class, domain, root, engine }, &inventory.host);
    for (tenant, cluster) in &inventory.tenant_clusters {
        let layer = Layer::Tenant(tenant.clone());
        let ingress = patient.tenant(tenant).ingress.as_ref();
        let class = ingress.map(|ingress| ingress.class.as_str());
        let domain = Some(ingress.map_or("cluster.local", |ingress| &ingress.cluster_domain));
        let engine = patient.engine(&layer);
        examine(patient, checks, &Site { layer: &layer, class, domain, root, engine }, cluster);
    }
}

fn examine(patient: &Patient<'_>, checks: &mut Checks, site: &Site<'_>, cluster: &ClusterInventory) {
    if !patient.is_wanted(site.layer) {
        return;
    }
    let ingresses = match seen(&cluster.ingresses) {
        Ok(ingresses) => ingresses,
        Err(answer) => return checks.add(kind::HOSTS, Some(site.layer), "Ingresses", answer),
    };
    let claims: Vec<_> = claims::of_ingresses(ingresses, site.class).collect();
    let mut add = |kind, answer| checks.add(kind, Some(site.layer), "Ingresses", answer);
    add(kind::HOSTS, hosts(patient, site, ingresses, &claims));
    if let Some(answer) = classes(patient, site, ingresses) {
        add(kind::INGRESS_CLASS, answer);
    }
    add(kind::HOST_WITHOUT_TLS, without_tls(site, ingresses));
    add(kind::HOST_WILDCARD, wildcards(&claims));
    add(kind::HOST_SPELLING, spelling(site, &claims));
    if let Some(domain) = site.domain {
        add(kind::HOST_IN_CLUSTER_DOMAIN, in_domain(domain, &claims));
    }
    if let Engine::Ouroboros(_) = site.engine {
        add(kind::FOREIGN_HOST, foreign(patient, site, &claims));
    }
}

fn hosts(patient: &Patient<'_>, site: &Site<'_>, ingresses: &[IngressObject], claims: &[Claim<'_>]) -> Answer {
    let names = ouroboros::redirected(claims.iter().copied()).len();
    let class = site.class.map_or_else(String::new, |class| format!(" of class {class}"));
    let evidence = format!("{} with TLS in {}{class}", count(names, "name"), of_class(site, ingresses));
    let is_delivered = patient
        .layer(site.layer)
        .is_some_and(|planned| planned.is_committed && matches!(planned.decision, Decision::Deliver { .. }));
    if names == 0 && is_delivered {
        Answer::warn(
            format!("{evidence}: nothing is redirected, and the controller takes away every record that it wrote"),
            "look whether the class is the right one: kubectl get ingressclass",
        )
    } else {
        Answer::ok(evidence)
    }
}

fn of_class(site: &Site<'_>, ingresses: &[IngressObject]) -> String {
    let number = ingresses.iter().filter(|ingress| claims::is_of_class(ingress, site.class)).count();
    format!("{number} Ingress{}", if number == 1 { "" } else { "es" })
}

/// Names that other ingress controllers serve: a controller of ouroboros without a class takes them all.
fn classes(patient: &Patient<'_>, site: &Site<'_>, ingresses: &[IngressObject]) -> Option<Answer> {
    let class = site.class?;
    let others: Vec<_> = ingresses
        .iter()
        .filter(|ingress| !ingress.tls_hosts.is_empty() && !claims::is_of_class(ingress, Some(class)))
        .map(|ingress| format!("{} ({})", object(ingress), ingress.class.as_deref().unwrap_or("no class")))
        .collect();
    if others.is_empty() {
        return Some(Answer::ok(format!("every Ingress with TLS is of class {class}")));
    }
    let told = format!("{} of other classes: {}", count(others.len(), "object"), some(&others));
    let by_ouroboros =
        matches!(site.engine, Engine::Ouroboros(_)) && *site.layer == Layer::Host && patient.is_cozystack();
    if !by_ouroboros {
        return Some(Answer::ok(format!("{told}; they are left out")));
    }
    let packages = match &patient.cluster.inventory.packages {
        Observed::Unknown(unknown) => return Some(Answer::unknown(unknown)),
        Observed::Absent => None,
        Observed::Present(packages) => packages.get(PLATFORM_PACKAGE),
    };
    const FILTER: &str = "/components/ouroboros/values/ouroboros/controller/ingressClass";
    let filter = packages.and_then(|package| package.pointer(FILTER)).and_then(serde_json::Value::as_str);
    Some(match (packages, filter.filter(|filter| !filter.is_empty())) {
        (None, _) => Answer::ok(format!("{told}; no controller redirects yet")),
        (Some(_), Some(filter)) if filter == class => {
            Answer::ok(format!("{told}; the controller takes only class {class}"))
        }
        (Some(_), found) => Answer::warn(
            format!(
                "{told}; the controller takes {}, and sends their names to the ingress controller of class {class}, \
                 which does not serve them",
                found.map_or_else(|| "every class".to_owned(), |found| format!("class {found}"))
            ),
            "commit the overlay, which sets controller.ingressClass: bobbypin reconcile",
        ),
    })
}

fn without_tls(site: &Site<'_>, ingresses: &[IngressObject]) -> Answer {
    let mut missing = Vec::new();
    let mut number = 0;
    for ingress in ingresses.iter().filter(|ingress| claims::is_of_class(ingress, site.class)) {
        let tls: BTreeSet<_> = ingress.tls_hosts.iter().collect();
        number += ingress.rule_hosts.len();
        let hosts = ingress.rule_hosts.iter().filter(|host| !tls.contains(host));
        missing.extend(hosts.map(|host| format!("{host} of {}", object(ingress))));
    }
    match missing.len() {
        0 => Answer::ok(format!("every host of a rule ({number}) is in a tls section")),
        found => Answer::warn(
            format!("{} in no tls section (only TLS hosts are redirected): {}", count(found, "host"), some(&missing)),
            "name them in spec.tls of the Ingress (a secretName is not needed); where TLS passes through, pods keep \
             failing to reach them",
        ),
    }
}

fn wildcards(claims: &[Claim<'_>]) -> Answer {
    let found = told(claims, |host| host.contains(['*', '?']));
    match found.len() {
        0 => Answer::ok("no wildcard"),
        number => Answer::warn(
            format!("{} that no record is made of: {}", count(number, "wildcard"), some(&found)),
            "name the single hosts in spec.tls",
        ),
    }
}

/// Names that become records that nobody can use, or that fall together.
fn spelling(site: &Site<'_>, claims: &[Claim<'_>]) -> Answer {
    let is_odd = |host: &str| {
        let dotted = host.trim_end().ends_with('.');
        dotted || matches!(Hostname::parse(host), Err(error) if error != HostnameError::Wildcard)
    };
    let mut found = told(claims, is_odd);
    if let Engine::Ouroboros(OuroborosMode::ExternalDns) = site.engine {
        found.extend(told(claims, |host| host.len() > EXTERNAL_DNS_NAME));
        let mut names: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for claim in claims {
            names.entry(claim.host.to_lowercase().replace(['.', '_'], "-")).or_default().insert(claim.host);
        }
        let clashes = names.values().filter(|hosts| hosts.len() > 1);
        found.extend(clashes.map(|hosts| {
            let hosts: Vec<_> = hosts.iter().copied().collect();
            format!("{} are one object for external-dns", hosts.join(" and "))
        }));
    }
    match found.len() {
        0 => Answer::ok("every name can be a record"),
        number => Answer::warn(
            format!("{} that records cannot hold as written: {}", count(number, "host"), some(&found)),
            "correct them in the objects: ASCII letters, digits and hyphens, without a dot at the end",
        ),
    }
}

fn in_domain(domain: &str, claims: &[Claim<'_>]) -> Answer {
    let domain = domain.trim_end_matches('.').to_lowercase();
    let is_within = |host: &str| {
        let host = host.trim().trim_end_matches('.').to_lowercase();
        host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let found = told(claims, is_within);
    match found.len() {
        0 => Answer::ok(format!("no name lies in {domain}")),
        number => Answer::fail(
            format!(
                "{} in the cluster's own domain {domain}, where Services have their names: {}",
                count(number, "host"),
                some(&found)
            ),
            "remove them from the objects",
        ),
    }
}

/// Names that whoever made the Ingress need not own. The controller of ouroboros takes every name.
fn foreign(patient: &Patient<'_>, site: &Site<'_>, claims: &[Claim<'_>]) -> Answer {
    let delegations = &patient.cluster.config.hostnames.delegations;
    // On the host every namespace can take names from the others; in a tenant's cluster the tenant is alone.
    let is_told = match site.layer {
        Layer::Host => !delegations.is_empty(),
        Layer::Tenant(tenant) => delegations.iter().any(|one| one.namespaces.contains(&tenant.namespace)),
    };
    if site.root.is_none() && !is_told {
        return Answer::ok("nothing says which names are whose (hostnames.delegations): none was compared");
    }
    let claimant = |claim: &Claim<'_>| match site.layer {
        Layer::Host => claim.owner.namespace.to_string(),
        Layer::Tenant(tenant) => tenant.namespace.to_string(),
    };
    let root = site.root.map(|root| root.trim_end_matches('.').to_lowercase());
    let is_own = |claim: &&Claim<'_>| {
        let Ok(host) = Hostname::parse(claim.host.trim()) else { return true };
        let namespace = claimant(claim);
        let granted = delegations.iter().filter(|one| one.namespaces.iter().any(|name| name.as_str() == namespace));
        root.as_deref().is_some_and(|root| host.is_within(root))
            || granted.flat_map(|one| &one.suffixes).any(|suffix| host.is_within(suffix.as_str()))
    };
    let found: Vec<_> = claims.iter().filter(|claim| !is_own(claim)).map(describe).collect();
    match found.len() {
        0 => Answer::ok("every name lies under the platform's host or a suffix of hostnames.delegations"),
        number => Answer::warn(
            format!(
                "{} under no suffix that is known (the ingress controller answers every pod of the cluster for them): {}",
                count(number, "host"),
                some(&found)
            ),
            "remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml",
        ),
    }
}

/// The claims whose host is so, each with its object.
fn told(claims: &[Claim<'_>], is_so: impl Fn(&str) -> bool) -> Vec<String> {
    claims.iter().filter(|claim| is_so(claim.host)).map(describe).collect()
}

fn describe(claim: &Claim<'_>) -> String {
    format!("{} of {}/{}/{}", claim.host, claim.kind, claim.owner.namespace, claim.owner.name)
}

fn object(ingress: &IngressObject) -> String {
    format!("Ingress/{}/{}", ingress.meta.namespace, ingress.meta.name)
}
