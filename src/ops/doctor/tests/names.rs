//! Names that are not, or should not be, redirected.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::ops::doctor::tests::sample::{Sample, changes, ingress, package, present};

#[test]
fn names_are_told_of_by_kind_and_not_one_by_one() {
    let sample = Sample::cozystack();
    let host = |object: Value| sample.clone().more("/host/ingresses", object);
    let named = |name: &str| host(ingress("tenant-acme", "web", "tenant-root", name));
    let plain = |number: usize| {
        let mut object =
            ingress("default", &format!("api{number}"), "tenant-root", &format!("api{number}.example.org"));
        object["spec"].as_object_mut().expect("a map").remove("tls");
        object
    };
    let many = (0..5).fold(sample.clone(), |sample, number| sample.more("/host/ingresses", plain(number)));
    let other = host(ingress("tenant-acme", "harbor", "tenant-acme", "harbor.acme.example.org"));
    assert_snapshot!(changes(&sample, [
        ("H6: another class", other.clone()),
        ("H6: another class, and the controller takes all", other.clone().seen("/packages", present([package("")]))),
        ("H6: another class, and the controller takes it", other.clone().seen("/packages", present([package("tenant-acme")]))),
        ("H6: another class, and no controller", other.clone().seen("/packages", present([]))),
        ("H7: no TLS", host(plain(0))),
        ("H7: five without TLS", many),
        ("H15: none at all", sample.clone().seen("/host/ingresses", present([]))),
        ("H41: a dot at the end", named("a.acme.example.org.")),
        ("H41: no name", named("203.0.113.4")),
        ("H42: in the cluster's domain", named("api.default.svc.cozy.local")),
        ("H45: somebody else's", named("github.com")),
        ("a wildcard", named("*.acme.example.org")),
    ]), @r#"
    # H6: another class
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok IngressClass H6 (host) Ingresses: 1 object of other classes: Ingress/tenant-acme/harbor (tenant-acme); the controller takes only class tenant-root
    # H6: another class, and the controller takes all
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Warn IngressClass H6 (host) Ingresses: 1 object of other classes: Ingress/tenant-acme/harbor (tenant-acme); the controller takes every class, and sends their names to the ingress controller of class tenant-root, which does not serve them => commit the overlay, which sets controller.ingressClass: bobbypin reconcile
    # H6: another class, and the controller takes it
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Warn IngressClass H6 (host) Ingresses: 1 object of other classes: Ingress/tenant-acme/harbor (tenant-acme); the controller takes class tenant-acme, and sends their names to the ingress controller of class tenant-root, which does not serve them => commit the overlay, which sets controller.ingressClass: bobbypin reconcile
    # H6: another class, and no controller
    Ok SourceRead (cluster) inventory: tenants 1, packages 0, platformSettings 6, helmReleases 2, kustomizations 1, gitRepositories 1
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok IngressClass H6 (host) Ingresses: 1 object of other classes: Ingress/tenant-acme/harbor (tenant-acme); no controller redirects yet
    # H7: no TLS
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 3 Ingresses of class tenant-root
    Warn HostWithoutTls H7 (host) Ingresses: 1 host in no tls section (only TLS hosts are redirected): api0.example.org of Ingress/default/api0 => name them in spec.tls of the Ingress (a secretName is not needed); where TLS passes through, pods keep failing to reach them
    # H7: five without TLS
    Ok SourceRead (host) inventory: uid 1, ingresses 7, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 7 Ingresses of class tenant-root
    Warn HostWithoutTls H7 (host) Ingresses: 5 hosts in no tls section (only TLS hosts are redirected): api0.example.org of Ingress/default/api0, api1.example.org of Ingress/default/api1, api2.example.org of Ingress/default/api2 and 2 more => name them in spec.tls of the Ingress (a secretName is not needed); where TLS passes through, pods keep failing to reach them
    # H15: none at all
    Ok SourceRead (host) inventory: uid 1, ingresses 0, services 2, dnsConfigMaps 1
    Warn Hosts H15 (host) Ingresses: 0 names with TLS in 0 Ingresses of class tenant-root: nothing is redirected, and the controller takes away every record that it wrote => look whether the class is the right one: kubectl get ingressclass
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (0) is in a tls section
    # H41: a dot at the end
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 3 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Warn HostSpelling H41 (host) Ingresses: 1 host that records cannot hold as written: a.acme.example.org. of Ingress/tenant-acme/web => correct them in the objects: ASCII letters, digits and hyphens, without a dot at the end
    # H41: no name
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 3 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Warn HostSpelling H41 (host) Ingresses: 1 host that records cannot hold as written: 203.0.113.4 of Ingress/tenant-acme/web => correct them in the objects: ASCII letters, digits and hyphens, without a dot at the end
    # H42: in the cluster's domain
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 3 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Fail HostInClusterDomain H42 (host) Ingresses: 1 host in the cluster's own domain cozy.local, where Services have their names: api.default.svc.cozy.local of Ingress/tenant-acme/web => remove them from the objects
    Warn ForeignHost H45 (host) Ingresses: 1 host under no suffix that is known (the ingress controller answers every pod of the cluster for them): api.default.svc.cozy.local of Ingress/tenant-acme/web => remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml
    # H45: somebody else's
    Ok HostAtApex (cluster) Ingress/tenant-acme/web: host "github.com" is a registered domain itself: while pods are redirected, they do not see its other records as the world does (MX, TXT, and the SOA by which cert-manager finds a zone) => for DNS-01 challenges of cert-manager set --dns01-recursive-nameservers
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 3 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Warn ForeignHost H45 (host) Ingresses: 1 host under no suffix that is known (the ingress controller answers every pod of the cluster for them): github.com of Ingress/tenant-acme/web => remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml
    # a wildcard
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Warn HostWildcard (host) Ingresses: 1 wildcard that no record is made of: *.acme.example.org of Ingress/tenant-acme/web => name the single hosts in spec.tls
    "#);
}

#[test]
fn what_external_dns_cannot_hold_is_found() {
    let sample = Sample::cozystack().with("/host", json!({"ouroboros": {"mode": "external-dns"}}));
    let named = |name: &str| sample.clone().more("/host/ingresses", ingress("web", "web", "tenant-root", name));
    assert_snapshot!(changes(&sample, [
        ("H41: too long", named(&format!("{}.example.org", "x".repeat(50)))),
        ("H41: one object for two", named("a-b.example.org").more("/host/ingresses", ingress("web", "w2", "tenant-root", "a.b.example.org"))),
    ]), @"
    # H41: too long
    Ok SourceRead (host) inventory: uid 1, ingresses 3, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 3 names with TLS in 3 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (3) is in a tls section
    Warn HostSpelling H41 (host) Ingresses: 1 host that records cannot hold as written: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.example.org of Ingress/web/web => correct them in the objects: ASCII letters, digits and hyphens, without a dot at the end
    # H41: one object for two
    Ok SourceRead (host) inventory: uid 1, ingresses 4, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 4 names with TLS in 4 Ingresses of class tenant-root
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (4) is in a tls section
    Warn HostSpelling H41 (host) Ingresses: 1 host that records cannot hold as written: a-b.example.org and a.b.example.org are one object for external-dns => correct them in the objects: ASCII letters, digits and hyphens, without a dot at the end
    ");
}

#[test]
fn what_a_tenant_redirects_is_looked_at_too() {
    let sample = Sample::cozystack();
    let tenant = |name: &str| sample.clone().more("/tenantClusters/0/ingresses", ingress("web", "new", "nginx", name));
    let by_ouroboros = Sample::cozystack().with("/tenants/overrides/0/engine", json!("ouroboros"));
    assert_snapshot!(changes(&sample, [
        ("H42: in the cluster's domain", tenant("api.default.svc.cluster.local")),
        ("H45: somebody else's, committed records", tenant("github.com")),
    ]), @r#"
    # H42: in the cluster's domain
    Fail HostDenied H42 (cluster) Ingress/web/new: host "api.default.svc.cluster.local" gets no record: names below `cluster.local` belong to the DNS of clusters and resolvers => remove the host from the object
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok Hosts H15 (tenant tenant-acme/shop) Ingresses: 2 names with TLS in 2 Ingresses
    Ok HostWithoutTls H7 (tenant tenant-acme/shop) Ingresses: every host of a rule (2) is in a tls section
    Fail HostInClusterDomain H42 (tenant tenant-acme/shop) Ingresses: 1 host in the cluster's own domain cluster.local, where Services have their names: api.default.svc.cluster.local of Ingress/web/new => remove them from the objects
    # H45: somebody else's, committed records
    Warn HostNotDelegated H45 (cluster) Ingress/web/new: host "github.com" gets no record: namespace tenant-acme was given no suffix that the name lies under => if it may have the name, add under spec.hostnames.delegations in cluster.yaml: {namespaces: [tenant-acme], suffixes: [github.com]}
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok Hosts H15 (tenant tenant-acme/shop) Ingresses: 2 names with TLS in 2 Ingresses
    Ok HostWithoutTls H7 (tenant tenant-acme/shop) Ingresses: every host of a rule (2) is in a tls section
    "#);
    assert_snapshot!(changes(&by_ouroboros, [(
        "H45: somebody else's, by the controller",
        by_ouroboros.clone().more("/tenantClusters/0/ingresses", ingress("web", "new", "nginx", "github.com")),
    )]), @r#"
    # H45: somebody else's, by the controller
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok Hosts H15 (tenant tenant-acme/shop) Ingresses: 2 names with TLS in 2 Ingresses
    Ok HostWithoutTls H7 (tenant tenant-acme/shop) Ingresses: every host of a rule (2) is in a tls section
    Warn ForeignHost H45 (tenant tenant-acme/shop) Ingresses: 1 host under no suffix that is known (the ingress controller answers every pod of the cluster for them): github.com of Ingress/web/new => remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml
    Ok HostAtApex (tenant tenant-acme/shop) tenant-acme/shop: Ingress/web/new: host "github.com" is a registered domain itself: while pods are redirected, they do not see its other records as the world does (MX, TXT, and the SOA by which cert-manager finds a zone) => for DNS-01 challenges of cert-manager set --dns01-recursive-nameservers
    "#);
}

#[test]
fn without_a_platform_names_are_compared_with_what_is_delegated() {
    let sample = Sample::generic()
        .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}));
    let named =
        |namespace: &str, name: &str| sample.clone().more("/host/ingresses", ingress(namespace, "new", "nginx", name));
    assert_snapshot!(changes(&sample, [
        ("its own", named("web", "shop.example.net")),
        ("another namespace", named("lab", "lab.example.net")),
        ("another class", sample.clone().more("/host/ingresses", ingress("web", "old", "traefik", "old.example.net"))),
    ]), @"
    # its own
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 2 Ingresses of class nginx
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (2) is in a tls section
    # another namespace
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok Hosts H15 (host) Ingresses: 2 names with TLS in 2 Ingresses of class nginx
    Ok HostWithoutTls H7 (host) Ingresses: every host of a rule (2) is in a tls section
    Warn ForeignHost H45 (host) Ingresses: 1 host under no suffix that is known (the ingress controller answers every pod of the cluster for them): lab.example.net of Ingress/lab/new => remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml
    # another class
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2, dnsConfigMaps 1
    Ok IngressClass H6 (host) Ingresses: 1 object of other classes: Ingress/web/old (traefik); they are left out
    ");
}

#[test]
fn a_tenant_to_which_nothing_is_delegated_is_compared_with_nothing() {
    let entry = |namespace: &str| {
        let ingress = json!({
            "class": "nginx",
            "service": {"namespace": "ingress-nginx", "name": "ingress-nginx-controller"},
            "clusterDomain": "cluster.local",
            "proxyProtocol": true,
        });
        let kubeconfig = json!({"name": "lab-kubeconfig", "key": "value"});
        json!({"overrides": [{"namespace": namespace, "name": "lab", "kubeconfig": kubeconfig, "ingress": ingress}]})
    };
    let told = |namespace: &str| {
        let sample = Sample::generic()
            .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
            .with("/tenants", entry(namespace))
            .seen(
                "/tenantClusters",
                json!([{
                    "namespace": namespace, "name": "lab",
                    "ingresses": present([ingress("demo", "hello", "nginx", "hello.example.com")]),
                }]),
            );
        let lines = sample.told().into_iter().filter(|line| line.contains("ForeignHost") && line.contains("(tenant"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(told("fleet"), @"
    Ok ForeignHost H45 (tenant fleet/lab) Ingresses: nothing says which names are whose (hostnames.delegations): none was compared
    ");
    assert_snapshot!(told("web"), @"
    Warn ForeignHost H45 (tenant web/lab) Ingresses: 1 host under no suffix that is known (the ingress controller answers every pod of the cluster for them): hello.example.com of Ingress/demo/hello => remove what is not yours from the objects; what is, belongs into spec.hostnames.delegations of cluster.yaml
    ");
}
