//! Hosts that the fix does not reach, or not as somebody may expect, each with its Ingress.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    dns::{claims, ouroboros::sources::normalised},
    model::{
        cluster::{Engine, OuroborosMode},
        finding::{Finding, Severity},
        hostname::{Hostname, HostnameError, Standing},
        inventory::IngressObject,
        layer::Layer,
    },
};

/// The longest host that external-dns can make a Service of: a Service has a name of at most 63 bytes, and 10 of them are
/// `ouroboros-`.
const LONGEST_FOR_SERVICE: usize = 53;

/// Where the Ingresses are, and who makes records of their hosts.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The layer, which the findings name when it is a tenant.
    pub layer: &'a Layer,
    /// The class whose hosts are redirected; `None`: every class.
    pub class: Option<&'a str>,
    /// The class of the ingress controller behind the proxy, when it is known: it serves no other.
    pub served: Option<&'a str>,
    /// The cluster's DNS domain.
    pub cluster_domain: &'a str,
    /// Who writes the records.
    pub engine: &'a Engine,
}

/// What a person should know about the hosts of Ingresses.
pub fn of_ingresses(ingresses: &[IngressObject], site: &Site<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ingress in ingresses {
        let subject = subject(ingress, site.layer);
        let finding = |severity, rule, message, fix: Option<&str>, host| Finding {
            severity,
            rule,
            subject: subject.clone(),
            message,
            fix: fix.map(str::to_owned),
            host,
        };
        if let Some(message) = other_class(ingress, site) {
            let is_redirected = claims::is_of_class(ingress, site.class);
            let severity = if is_redirected { Severity::Warning } else { Severity::Info };
            findings.push(finding(severity, "OtherIngressClass", message, None, None));
        }
        if !claims::is_of_class(ingress, site.class) {
            continue;
        }
        if let Some(message) = without_tls(ingress) {
            findings.push(finding(Severity::Warning, "HostWithoutTls", message, None, None));
        }
        for host in &ingress.tls_hosts {
            of_host(host, site, &mut |severity, rule, message, fix| {
                findings.push(finding(severity, rule, message, fix, Some(Finding::host_of(host))));
            });
        }
    }
    if let Engine::Ouroboros(OuroborosMode::ExternalDns) = *site.engine {
        findings.extend(clashes(ingresses, site));
    }
    findings
}

/// What is odd about one TLS host. `add`: severity, rule, message and fix.
fn of_host(host: &str, site: &Site<'_>, add: &mut impl FnMut(Severity, &'static str, String, Option<&str>)) {
    // What the policy says of hosts that it writes records of is said there.
    let Engine::Ouroboros(mode) = *site.engine else { return };
    let shown = shown(host);
    let parsed = Hostname::parse(host.trim());
    if let Ok(parsed) = &parsed
        && parsed.standing() == Standing::Apex
    {
        let Finding { severity, rule, message, fix, .. } = at_apex(parsed, String::new());
        add(severity, rule, message, fix.as_deref());
    }
    if parsed == Err(HostnameError::Wildcard) {
        let message = format!("host \"{shown}\" gets no record: it is a wildcard");
        add(Severity::Warning, "HostWildcard", message, Some("name the single hosts in spec.tls"));
    }
    let Some(name) = normalised(host) else { return };
    if name.ends_with('.') {
        let message = format!("host \"{shown}\" gets a record that no query matches: it ends in a dot");
        add(Severity::Warning, "HostTrailingDot", message, Some("write the host without the dot"));
    }
    let domain = site.cluster_domain.trim_end_matches('.').to_ascii_lowercase();
    let is_below = |rest: &str| rest.is_empty() || rest.ends_with('.');
    if name.trim_end_matches('.').strip_suffix(domain.as_str()).is_some_and(is_below) {
        let message =
            format!("host \"{shown}\" lies in the cluster's own domain {domain}, where Services have their names");
        add(Severity::Error, "HostInClusterDomain", message, Some("remove the host from the object"));
    }
    if mode == OuroborosMode::ExternalDns && name.len() > LONGEST_FOR_SERVICE {
        let message = format!(
            "host \"{shown}\" is longer than {LONGEST_FOR_SERVICE} bytes: where external-dns reads Services, it gets no record"
        );
        add(
            Severity::Warning,
            "HostTooLongForService",
            message,
            Some("let external-dns read DNSEndpoints (output crd)"),
        );
    }
}

/// What a record for a registered domain itself takes away.
pub(super) fn at_apex(host: &Hostname, subject: String) -> Finding {
    Finding {
        severity: Severity::Info,
        rule: "HostAtApex",
        subject,
        message: format!(
            "host \"{host}\" is a registered domain itself: while pods are redirected, they do not see its other records as \
             the world does (MX, TXT, and the SOA by which cert-manager finds a zone)"
        ),
        fix: Some("for DNS-01 challenges of cert-manager set --dns01-recursive-nameservers".to_owned()),
        host: Some(host.to_string()),
    }
}

fn other_class(ingress: &IngressObject, site: &Site<'_>) -> Option<String> {
    let served =
        site.served.filter(|class| !ingress.tls_hosts.is_empty() && ingress.class.as_deref() != Some(class))?;
    let class = ingress.class.as_deref().map_or_else(|| "not set".to_owned(), shown);
    Some(if claims::is_of_class(ingress, site.class) {
        format!("its class is {class}, not {served}: its hosts are redirected to a controller that does not serve them")
    } else {
        format!("its class is {class}, not {served}: its hosts are served by another controller and are not redirected")
    })
}

fn without_tls(ingress: &IngressObject) -> Option<String> {
    let tls: BTreeSet<_> = ingress.tls_hosts.iter().collect();
    let uncovered: Vec<_> =
        ingress.rule_hosts.iter().filter(|host| !tls.contains(host)).map(|host| shown(host)).collect();
    (!uncovered.is_empty())
        .then(|| format!("no tls section names {}: only TLS hosts are redirected", uncovered.join(", ")))
}

/// Hosts that are one object to external-dns: every `.` and `_` becomes a `-`.
fn clashes(ingresses: &[IngressObject], site: &Site<'_>) -> Vec<Finding> {
    let mut objects: BTreeMap<String, BTreeMap<String, &IngressObject>> = BTreeMap::new();
    for ingress in ingresses.iter().filter(|ingress| claims::is_of_class(ingress, site.class)) {
        for host in ingress.tls_hosts.iter().filter_map(|host| normalised(host)) {
            objects.entry(host.replace(['.', '_'], "-")).or_default().entry(host.into_owned()).or_insert(ingress);
        }
    }
    let mut findings = Vec::new();
    for (object, hosts) in objects.iter().filter(|(_, hosts)| hosts.len() > 1) {
        let names: Vec<_> = hosts.keys().map(|host| shown(host)).collect();
        findings.extend(hosts.values().map(|ingress| Finding {
            severity: Severity::Warning,
            rule: "HostNameClash",
            subject: subject(ingress, site.layer),
            message: format!(
                "hosts {} are one object for external-dns (ouroboros-{object}): one of them has it",
                names.join(" and ")
            ),
            fix: Some("rename one of the hosts".to_owned()),
            host: None,
        }));
    }
    findings
}

fn subject(ingress: &IngressObject, layer: &Layer) -> String {
    let object = format!("Ingress/{}/{}", ingress.meta.namespace, ingress.meta.name);
    match layer {
        Layer::Host => object,
        Layer::Tenant(tenant) => format!("{tenant}: {object}"),
    }
}

/// At most the length of the longest host, on one line.
fn shown(text: &str) -> String {
    text.escape_debug().take(253).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{cluster::Records, inventory::ObjectMeta, layer::TenantId, name::Name};

    fn ingress(name: &str, class: Option<&str>, tls: &[&str], rules: &[&str]) -> IngressObject {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        IngressObject {
            meta: ObjectMeta { namespace: "web".into(), name: name.into(), uid: String::new(), created: None },
            class: class.map(str::to_owned),
            tls_hosts: texts(tls),
            rule_hosts: texts(rules),
        }
    }

    const IMPORT: Engine = Engine::Ouroboros(OuroborosMode::CorednsImport);
    const EXTERNAL: Engine = Engine::Ouroboros(OuroborosMode::ExternalDns);
    const STATIC: Engine = Engine::Static(Records::RewriteSnippet);

    fn found(ingresses: &[IngressObject], class: Option<&str>, engine: &Engine) -> Vec<String> {
        let site = Site { layer: &Layer::Host, class, served: Some("nginx"), cluster_domain: "cozy.local.", engine };
        let told = |finding: Finding| {
            let name = finding.subject.strip_prefix("Ingress/web/").expect("an Ingress of web").to_owned();
            let host = finding.host.map_or_else(String::new, |host| format!(" {host}"));
            format!("{:?} {} {name}{host}", finding.severity, finding.rule)
        };
        of_ingresses(ingresses, &site).into_iter().map(told).collect()
    }

    #[test]
    fn each_hazard_is_told_with_its_ingress_to_the_engines_that_it_matters_to() {
        let long = format!("{}.example.org", "a".repeat(42));
        for (tls, ouroboros, external, records) in [
            ("a.example.org", None, None, None),
            ("*.example.org", Some("Warning HostWildcard"), Some("Warning HostWildcard"), None),
            ("a.example.org.", Some("Warning HostTrailingDot"), Some("Warning HostTrailingDot"), None),
            ("a.cozy.local", Some("Error HostInClusterDomain"), Some("Error HostInClusterDomain"), None),
            ("COZY.local", Some("Error HostInClusterDomain"), Some("Error HostInClusterDomain"), None),
            ("a.notcozy.local", None, None, None),
            (&long, None, Some("Warning HostTooLongForService"), None),
            ("example.org", Some("Info HostAtApex"), Some("Info HostAtApex"), None),
        ] {
            for (engine, expected) in [(IMPORT, ouroboros), (EXTERNAL, external), (STATIC, records)] {
                let named = Finding::host_of(tls);
                let expected: Vec<_> = expected.into_iter().map(|rule| format!("{rule} i {named}")).collect();
                let here = found(&[ingress("i", Some("nginx"), &[tls], &[])], Some("nginx"), &engine);
                assert_eq!(here, expected, "{tls} {engine:?}");
            }
        }
    }

    #[test]
    fn an_ingress_of_another_class_is_harmless_only_while_a_filter_keeps_it_out() {
        let ingresses = [
            ingress("ours", Some("nginx"), &["a.example.org"], &[]),
            ingress("other", Some("edge"), &["b.example.org"], &["c.example.org"]),
            ingress("none", None, &["d.example.org"], &[]),
            ingress("plain", Some("edge"), &[], &[]),
        ];
        let out = ["Info OtherIngressClass other", "Info OtherIngressClass none"];
        assert_eq!(found(&ingresses, Some("nginx"), &IMPORT), out);
        assert_eq!(
            found(&ingresses, None, &IMPORT),
            ["Warning OtherIngressClass other", "Warning HostWithoutTls other", "Warning OtherIngressClass none"]
        );
    }

    #[test]
    fn hosts_that_no_tls_section_names_are_told_by_name() {
        let ingresses = [ingress("api", Some("nginx"), &["b.example.org"], &["a.example.org", "b.example.org", "x\n"])];
        let name = |text| Name::parse(text).expect("a literal that parses");
        let layer = Layer::Tenant(TenantId { namespace: name("tenant-acme"), name: name("shop") });
        let site = Site { layer: &layer, class: None, served: None, cluster_domain: "cluster.local", engine: &STATIC };
        let findings = of_ingresses(&ingresses, &site);
        assert_eq!(
            findings,
            [Finding {
                severity: Severity::Warning,
                rule: "HostWithoutTls",
                subject: "tenant-acme/shop: Ingress/web/api".to_owned(),
                message: "no tls section names a.example.org, x\\n: only TLS hosts are redirected".to_owned(),
                fix: None,
                host: None,
            }]
        );
    }

    #[test]
    fn two_hosts_that_external_dns_takes_for_one_are_both_told() {
        let ingresses = [
            ingress("one", Some("nginx"), &["a.b.example.net", "c.example.net"], &[]),
            ingress("two", Some("nginx"), &["a-b.example.net"], &[]),
        ];
        assert_eq!(
            found(&ingresses, Some("nginx"), &EXTERNAL),
            ["Warning HostNameClash two", "Warning HostNameClash one"]
        );
        assert_eq!(found(&ingresses, Some("nginx"), &IMPORT), [""; 0]);
    }
}
