//! What a snapshot or a list becomes, and what is wrong with bad ones.

use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::model::{
    cluster::SecretKey,
    digest::Digest,
    hostname::Hostname,
    inventory::{
        ClusterInventory, GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject,
        ObjectMeta, Progress, Ready, RouteObject, ServiceObject, TenantObject,
    },
    layer::TenantId,
    name::Name,
    observed::{Observed, Unknown},
};

fn read_at() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().expect("a literal that parses")
}

pub(super) fn parse_bytes(bytes: &[u8]) -> Result<Vec<Inventory>, Vec<Problem>> {
    parse_inventory(&Source { path: "inventory.yaml".to_owned(), bytes: bytes.into() }, read_at())
}

fn parse(text: &str) -> Result<Vec<Inventory>, Vec<Problem>> {
    parse_bytes(text.as_bytes())
}

pub(super) fn one(text: &str) -> Inventory {
    let mut inventories = parse(text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    assert_eq!(inventories.len(), 1, "{text}");
    inventories.remove(0)
}

/// `line:column key: message` of every problem.
fn problems(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err(text);
    let line = |problem: &Problem| format!("{}:{} {}: {}", problem.line, problem.column, problem.key, problem.message);
    problems.iter().map(line).collect()
}

fn unknown<T>(reason: &str, message: &str) -> Observed<T> {
    Observed::Unknown(Unknown { reason: reason.to_owned(), message: message.to_owned() })
}

fn not_collected<T>() -> Observed<T> {
    Observed::Unknown(Unknown::not_collected())
}

fn nothing() -> ClusterInventory {
    ClusterInventory {
        api_server: None,
        uid: not_collected(),
        ingresses: not_collected(),
        gateways: not_collected(),
        http_routes: not_collected(),
        tls_routes: not_collected(),
        services: not_collected(),
        dns_config_maps: not_collected(),
    }
}

fn list_inventory() -> Inventory {
    Inventory {
        cluster: None,
        observed_at: read_at(),
        host: nothing(),
        tenants: not_collected(),
        packages: not_collected(),
        platform_settings: not_collected(),
        helm_releases: not_collected(),
        kustomizations: not_collected(),
        git_repositories: not_collected(),
        tenant_clusters: [].into(),
    }
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: namespace.into(), name: name.into(), uid: String::new(), created: None }
}

fn tenant(namespace: &str, name: &str) -> TenantId {
    let name_of = |text| Name::parse(text).expect("a literal that parses");
    TenantId { namespace: name_of(namespace), name: name_of(name) }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn ingress(namespace: &str, name: &str, tls_hosts: &[&str]) -> IngressObject {
    let tls_hosts = strings(tls_hosts);
    IngressObject { meta: meta(namespace, name), class: None, tls_hosts, rule_hosts: vec![] }
}

pub(super) const SNAPSHOT: &str = r#"
apiVersion: bobbypin.dev/v1alpha1
kind: Inventory
metadata: {name: edge}
observedAt: "2026-11-20T10:00:00Z"
uid: 0f5c
host:
  apiServer: API.example.org
  ingresses:
    state: Present
    items:
    - apiVersion: networking.k8s.io/v1
      kind: Ingress
      metadata:
        namespace: shop
        name: web
        uid: "11"
        creationTimestamp: "2026-01-02T03:04:05Z"
        annotations: {a: b}
      spec:
        ingressClassName: nginx
        tls: [{hosts: [b.example.org, A.example.org.], secretName: x}, null, {hosts: null}, {}]
        rules: [{host: b.example.org, http: {paths: []}}, {host: ""}, {http: {}}, null]
      status: {loadBalancer: {}}
    - metadata: {namespace: blog, name: web}
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: t}, spec: {hostnames: [t.example.org], parentRefs: [{name: g}]}}]}
  services:
    state: Present
    items:
    - metadata: {namespace: ingress-nginx, name: controller}
      spec: {type: LoadBalancer, clusterIPs: [10.0.0.1], externalIPs: [192.0.2.1], loadBalancerClass: robotlb, ports: []}
  gateways: {state: Present, items: [{metadata: {namespace: gw, name: g}, spec: {gatewayClassName: c, listeners: [{hostname: "*.example.org"}, {name: x}, null]}}]}
  httpRoutes:
    state: Present
    items:
    - metadata: {namespace: gw, name: r}
      spec:
        hostnames: [r.example.org]
        parentRefs: [{name: g}, {name: s, kind: Service, group: ""}, {name: h, namespace: other, kind: Gateway, group: gateway.networking.k8s.io}, {name: i, group: example.org}]
  dnsConfigMaps:
    state: Present
    items:
    - {metadata: {namespace: kube-system, name: coredns}, data: {Corefile: ".:53 {\n}\n"}}
    - {metadata: {namespace: kube-system, name: coredns-custom}}
tenants: {state: Present, items: [{metadata: {namespace: tenant-acme, name: shop}, spec: {version: v1.35, addons: {ouroboros: {enabled: true}}}}, {metadata: {namespace: tenant-acme, name: bare}}, {apiVersion: bobbypin.dev/v1alpha1, kind: Tenant, metadata: {namespace: tenant-acme, name: found}, spec: {kubeconfig: {name: found-kubeconfig, key: value}}}]}
packages: {state: Present, items: [{metadata: {name: cozystack.ouroboros}, spec: {variant: default, components: {}}}]}
platformSettings: {state: Present, settings: {root-host: example.org, proxy-protocol: "true", expose-mode: null}}
helmReleases:
  state: Present
  items:
  - metadata: {namespace: a, name: plain}
    spec: {suspend: true}
    status: {conditions: [{type: Released, status: "True"}, {type: Ready, status: "False", reason: Failed, message: "no\nend"}]}
  - metadata: {namespace: b, name: full, labels: {k: v}}
    spec: {releaseName: r, targetNamespace: t, storageNamespace: s, kubeConfig: {secretRef: {name: secret, key: k}}}
  - {metadata: {namespace: c, name: composed}, spec: {targetNamespace: t}}
kustomizations:
  state: Present
  items:
  - metadata: {namespace: flux-system, name: apps}
    spec: {path: ./apps, prune: true, sourceRef: {kind: GitRepository, name: fleet}}
    status: {lastAppliedRevision: "main@sha1:0f5c"}
gitRepositories:
  state: Present
  items:
  - metadata: {namespace: flux-system, name: fleet}
    spec: {url: "https://me:pw@git.example.org/fleet.git", ref: {branch: main}}
tenantClusters:
- namespace: tenant-acme
  name: shop
  uid: 1a2b
  apiServer: shop.example.net
  services: {state: Present, items: []}
  tlsRoutes: {state: Absent}
  ingresses: {state: Unknown, reason: Forbidden, message: no right}
  gateways: {state: Absent}
"#;

fn release(namespace: &str, name: &str, texts: [&str; 3], secret: Option<&str>) -> HelmReleaseObject {
    let [release_name, storage_namespace, target_namespace] = texts.map(str::to_owned);
    HelmReleaseObject {
        meta: meta(namespace, name),
        labels: [].into(),
        release_name,
        storage_namespace,
        target_namespace,
        kubeconfig_secret: secret.map(str::to_owned),
        progress: Progress::default(),
    }
}

fn snapshot() -> Inventory {
    let mut web = ingress("shop", "web", &["b.example.org", "A.example.org."]);
    web.meta.uid = "11".to_owned();
    web.meta.created = Some("2026-01-02T03:04:05Z".parse().expect("a literal that parses"));
    web.class = Some("nginx".to_owned());
    web.rule_hosts = strings(&["b.example.org"]);
    let mut full = release("b", "full", ["r", "s", "t"], Some("secret"));
    full.labels = [("k".to_owned(), "v".to_owned())].into();
    let mut plain = release("a", "plain", ["plain", "a", "a"], None);
    let text = |text: &str| text.to_owned();
    let failed = Ready { status: text("False"), reason: text("Failed"), message: text("no\nend") };
    plain.progress = Progress { suspended: true, ready: Some(failed) };
    let corefile = [("Corefile".to_owned(), ".:53 {\n}\n".to_owned())];
    let parents = [("gw", "g"), ("other", "h")].map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    Inventory {
        cluster: Some(Name::parse("edge").expect("a literal that parses")),
        observed_at: "2026-11-20T10:00:00Z".parse().expect("a literal that parses"),
        host: ClusterInventory {
            api_server: Hostname::parse("api.example.org").ok(),
            uid: Observed::Present("0f5c".to_owned()),
            ingresses: Observed::Present(vec![ingress("blog", "web", &[]), web]),
            gateways: Observed::Present(vec![GatewayObject {
                meta: meta("gw", "g"),
                class: "c".to_owned(),
                hosts: strings(&["*.example.org"]),
            }]),
            http_routes: Observed::Present(vec![RouteObject {
                meta: meta("gw", "r"),
                hosts: strings(&["r.example.org"]),
                parents: parents.into(),
            }]),
            tls_routes: Observed::Present(vec![RouteObject {
                meta: meta("gw", "t"),
                hosts: strings(&["t.example.org"]),
                parents: vec![("gw".to_owned(), "g".to_owned())],
            }]),
            services: Observed::Present(vec![ServiceObject {
                meta: meta("ingress-nginx", "controller"),
                service_type: "LoadBalancer".to_owned(),
                cluster_ips: strings(&["10.0.0.1"]),
                external_ips: strings(&["192.0.2.1"]),
                load_balancer_class: Some("robotlb".to_owned()),
            }]),
            dns_config_maps: Observed::Present(
                [("coredns".to_owned(), corefile.into()), ("coredns-custom".to_owned(), [].into())].into(),
            ),
        },
        tenants: Observed::Present(
            [
                (tenant("tenant-acme", "bare"), TenantObject::Kubernetes { addons: json!({}) }),
                (
                    tenant("tenant-acme", "found"),
                    TenantObject::Kubeconfig(SecretKey {
                        name: Name::parse("found-kubeconfig").expect("a literal that parses"),
                        key: "value".to_owned(),
                    }),
                ),
                (
                    tenant("tenant-acme", "shop"),
                    TenantObject::Kubernetes { addons: json!({"ouroboros": {"enabled": true}}) },
                ),
            ]
            .into(),
        ),
        packages: Observed::Present(
            [("cozystack.ouroboros".to_owned(), json!({"variant": "default", "components": {}}))].into(),
        ),
        platform_settings: Observed::Present(
            [("root-host", "example.org"), ("proxy-protocol", "true")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        ),
        helm_releases: Observed::Present(vec![plain, full, release("c", "composed", ["t-composed", "c", "t"], None)]),
        kustomizations: Observed::Present(vec![KustomizationObject {
            meta: meta("flux-system", "apps"),
            path: "./apps".to_owned(),
            source_kind: "GitRepository".to_owned(),
            source_namespace: "flux-system".to_owned(),
            source_name: "fleet".to_owned(),
            prune: true,
            is_remote: false,
            applied_revision: "main@sha1:0f5c".to_owned(),
            progress: Progress::default(),
        }]),
        git_repositories: Observed::Present(vec![GitRepositoryObject {
            meta: meta("flux-system", "fleet"),
            url: "https://git.example.org/fleet.git".to_owned(),
            branch: "main".to_owned(),
            progress: Progress::default(),
        }]),
        tenant_clusters: [(
            tenant("tenant-acme", "shop"),
            ClusterInventory {
                api_server: Hostname::parse("shop.example.net").ok(),
                uid: Observed::Present("1a2b".to_owned()),
                tls_routes: Observed::Absent,
                services: Observed::Present(vec![]),
                ingresses: unknown("Forbidden", "no right"),
                gateways: Observed::Absent,
                ..nothing()
            },
        )]
        .into(),
    }
}

#[test]
fn a_snapshot_is_read_with_everything_that_decides() {
    assert_eq!(one(SNAPSHOT), snapshot());
}

#[test]
fn a_snapshot_in_json_is_the_same_whatever_the_order_of_its_keys() {
    let mut values = crate::config::kubernetes::read_values(SNAPSHOT).unwrap();
    let mut text = values.remove(0);
    let written = text.to_string();
    text.sort_all_objects();
    for text in [written, text.to_string()] {
        assert_eq!(one(&text), snapshot(), "{text}");
    }
    let with_problem = r#"{"apiVersion": "bobbypin.dev/v1alpha1", "observedAt": "2026-11-20T10:00:00Z", "hosts": {},
 "kind": "Inventory", "metadata": {"name": "edge"}}"#;
    assert_eq!(
        problems(with_problem),
        [
            "1:79 hosts: unknown key `hosts`: known are apiVersion, kind, metadata, observedAt, uid, host, tenants, packages, platformSettings, helmReleases, kustomizations, gitRepositories, tenantClusters"
        ]
    );
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let mut inventory = snapshot();
    inventory.host.uid = unknown("Forbidden", "no");
    let text = inventory_text(&inventory);
    assert_eq!(one(&text), inventory);
    assert_eq!(inventory_text(&inventory), text);
}

#[test]
fn a_release_name_that_is_too_long_is_cut_as_flux_cuts_it() {
    let text = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{namespace: a, name: {}}}\n",
        "x".repeat(54)
    );
    let releases = one(&text).helm_releases;
    // sha256 of 54 times "x" begins with these digits.
    let hash = &Digest::of("x".repeat(54).as_bytes()).to_string()[7..19];
    let name = format!("{}-{hash}", "x".repeat(40));
    assert_eq!(releases.present().map(|releases| releases[0].release_name.clone()), Some(name));
}

#[test]
fn several_clusters_stand_in_one_file() {
    let inventory = |name: &str| {
        format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Inventory\nmetadata: {{name: {name}}}\n\
             observedAt: \"2026-11-20T10:00:00Z\"\n"
        )
    };
    let text = format!("{}---\n{}", inventory("b"), inventory("a"));
    let names: Vec<_> =
        parse(&text).unwrap().into_iter().map(|inventory| inventory.cluster.unwrap().to_string()).collect();
    assert_eq!(names, ["a", "b"]);
    let twice = format!("{}---\n{}", inventory("a"), inventory("a"));
    assert_eq!(problems(&twice), ["6:1 metadata.name: a second Inventory of the cluster `a`"]);
    let mixed = format!("{}---\napiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\n", inventory("a"));
    assert_eq!(problems(&mixed), ["6:1 : an object beside an Inventory: a file holds Inventories or plain objects"]);
}

const WEB: &str = r#"{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"tls": [{"hosts": ["a.example.org"]}]}}"#;

#[test]
fn a_list_makes_known_what_occurs_in_it_and_nothing_else() {
    let web = || Observed::Present(vec![ingress("shop", "web", &["a.example.org"])]);
    let yaml = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, namespace: shop}\n\
                spec: {tls: [{hosts: [a.example.org]}]}\n";
    let raw = WEB.replace(r#""apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "#, "");
    let spec_first = r#"{"spec": {"tls": [{"hosts": ["a.example.org"]}]}, "metadata": {"namespace": "shop", "name": "web"}, "kind": "Ingress", "apiVersion": "networking.k8s.io/v1"}"#;
    let cases: Vec<(String, Observed<Vec<IngressObject>>)> = vec![
        (format!("{{\"apiVersion\": \"v1\", \"items\": [{WEB}, null], \"kind\": \"List\"}}"), web()),
        (format!("apiVersion: v1\nkind: List\nitems:\n- {WEB}\n"), web()),
        (format!("apiVersion: v1\nkind: List\nitems:\n- {spec_first}\n"), web()),
        (format!("apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems:\n- {WEB}\n"), web()),
        (
            format!(
                "kind: IngressList\napiVersion: networking.k8s.io/v1\nmetadata: {{resourceVersion: \"1\"}}\nitems: [{raw}]\n"
            ),
            web(),
        ),
        (format!("items: [{raw}]\nkind: IngressList\napiVersion: networking.k8s.io/v1\n"), web()),
        (format!("{yaml}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\ndata: [5]\nspec: 3\n"), web()),
        (format!("\u{feff}{}", yaml.replace('\n', "\r\n")), web()),
        ("apiVersion: v1\nkind: List\nitems: []\n".to_owned(), not_collected()),
        (
            "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: 1}\nspec: {listeners: 3}\n".to_owned(),
            not_collected(),
        ),
        ("apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems: []\n".to_owned(), Observed::Present(vec![])),
        ("apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems: null\n".to_owned(), Observed::Present(vec![])),
        ("apiVersion: example.org/v1\nkind: IngressList\nitems: []\n".to_owned(), not_collected()),
    ];
    for (text, ingresses) in cases {
        let mut expected = list_inventory();
        expected.host.ingresses = ingresses;
        assert_eq!(one(&text), expected, "{text}");
    }
}

#[test]
fn a_list_that_ends_before_its_end_is_not_known() {
    for (metadata, message) in [
        ("{continue: abc}", "the list ends before its end: `metadata.continue` is set"),
        ("{continue: \"\", remainingItemCount: 7}", "the list ends before its end: 7 more objects were not read"),
    ] {
        let text = format!("apiVersion: v1\nkind: List\nmetadata: {metadata}\nitems:\n- {WEB}\n");
        let mut expected = list_inventory();
        expected.host.ingresses = unknown("Truncated", message);
        assert_eq!(one(&text), expected);
        let typed = format!("apiVersion: networking.k8s.io/v1\nkind: IngressList\nmetadata: {metadata}\nitems: []\n");
        assert_eq!(one(&typed).host.ingresses, unknown("Truncated", message));
        // One whole list does not mend another that was cut.
        let both = format!("{typed}---\n{WEB}\n");
        assert_eq!(one(&both).host.ingresses, unknown("Truncated", message));
    }
    let whole =
        format!("apiVersion: v1\nkind: List\nmetadata: {{continue: \"\", remainingItemCount: 0}}\nitems: [{WEB}]\n");
    assert!(one(&whole).host.ingresses.present().is_some());
}

#[test]
fn dns_config_maps_of_a_list_are_taken_only_when_it_shows_what_it_lacks() {
    let incomplete =
        || unknown("NotCollected", "the list does not show all ConfigMaps of kube-system, so what it lacks may exist");
    let present = |names: &[&str]| {
        Observed::Present(
            names.iter().map(|&name| (name.to_owned(), [("k".to_owned(), name.to_owned())].into())).collect(),
        )
    };
    for (names, expected) in [
        (&["kube-system/coredns"][..], incomplete()),
        (&["kube-system/kube-root-ca.crt", "kube-system/coredns-custom"], incomplete()),
        (&["kube-system/coredns", "default/kube-root-ca.crt"], incomplete()),
        (&["default/coredns"], not_collected()),
        (&["kube-system/coredns", "kube-system/kube-root-ca.crt", "a/coredns-custom"], present(&["coredns"])),
        (
            &["kube-system/coredns-custom", "kube-system/coredns", "kube-system/x"],
            present(&["coredns", "coredns-custom"]),
        ),
        (
            &["kube-system/kube-root-ca.crt", "kube-system/node-local-dns", "kube-system/coredns"],
            present(&["coredns", "node-local-dns"]),
        ),
    ] {
        let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
        for full in names {
            let (namespace, name) = full.split_once('/').unwrap();
            let line = format!(
                "- {{apiVersion: v1, data: {{k: {name}}}, kind: ConfigMap, metadata: {{name: {name}, namespace: {namespace}}}}}"
            );
            writeln!(text, "{line}").unwrap();
        }
        assert_eq!(one(&text).host.dns_config_maps, expected, "{text}");
    }
}

#[test]
fn every_problem_is_named_with_its_place_and_object() {
    let item = |rest: &str| {
        format!("apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.k8s.io/v1\n  kind: Ingress\n{rest}")
    };
    let cases: Vec<(String, &[&str])> = vec![
        (
            item(
                "  metadata: {name: web, creationTimestamp: soon}\n  spec:\n    tls:\n    - hosts: [a, 5]\n    - x\n    rules: {}\n",
            ),
            &[
                "4:3 items[0].metadata.namespace: Ingress `web`: `metadata.namespace` is missing",
                "6:44 items[0].metadata.creationTimestamp: Ingress `web`: `metadata.creationTimestamp` is `soon`, not a time like `2026-11-20T10:00:00Z`",
                "9:18 items[0].spec.tls[0].hosts[1]: Ingress `web`: `spec.tls[0].hosts[1]` is a number, not a text",
                "10:7 items[0].spec.tls[1]: Ingress `web`: `spec.tls[1]` is a text, not a mapping",
                "11:12 items[0].spec.rules: Ingress `web`: `spec.rules` is a mapping, not a list",
            ],
        ),
        (item("  metadata: 5\n"), &["6:13 items[0].metadata: Ingress: `metadata` is a number, not a mapping"]),
        (format!("{WEB}\n{WEB}\n"), &["0:0 metadata.name: Ingress `shop/web` stands there twice"]),
        (
            format!("{WEB}\n---\n{WEB}\n"),
            &["3:1 metadata.name: Ingress `shop/web` stands here a second time; the first is in line 1"],
        ),
        ("- a\n".to_owned(), &["1:1 : a document is a mapping with `apiVersion` and `kind`"]),
        ("text\n".to_owned(), &["1:1 : a document is a mapping with `apiVersion` and `kind`"]),
        ("a: 1\n".to_owned(), &["1:1 : a document without `apiVersion` and `kind`"]),
        ("apiVersion: v1\nkind: List\n".to_owned(), &["1:1 items: a List without `items`, or one inside another"]),
        (
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n".to_owned(),
            &["4:3 items[0].items: a List without `items`, or one inside another"],
        ),
        ("kind: Ingress\n".to_owned(), &["1:1 apiVersion: `apiVersion` is missing"]),
        (String::new(), &["0:0 : the file holds no object"]),
        ("# nothing\n---\n".to_owned(), &["0:0 : the file holds no object"]),
        (
            "apiVersion: v1\nkind: List\nitems: [{a: 1}, 5]\n".to_owned(),
            &[
                "3:9 items[0]: an object without `apiVersion` and `kind`",
                "3:17 items[1]: an object is a mapping, not a number",
            ],
        ),
        ("apiVersion: v1\nkind: List\nitems: 5\n".to_owned(), &["3:8 items: `items` is a number, not a list"]),
        (
            "apiVersion: bobbypin.dev/v1beta7\nkind: Inventory\n".to_owned(),
            &["1:13 apiVersion: `apiVersion` of an Inventory is `bobbypin.dev/v1alpha1`, not `bobbypin.dev/v1beta7`"],
        ),
        (
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\n".to_owned(),
            &["2:7 kind: this is a `Cluster`, not an `Inventory`"],
        ),
        (
            "apiVersion: cozystack.io/v1alpha1\nkind: Package\nmetadata: {name: p, namespace: ns}\n".to_owned(),
            &[
                "3:32 metadata.namespace: Package `p`: `metadata.namespace` is `ns`, but the kind belongs to no namespace",
            ],
        ),
        (
            "apiVersion: apps.cozystack.io/v1alpha1\nkind: Kubernetes\nmetadata: {name: A, namespace: ns}\n".to_owned(),
            &[
                "1:1 name: Kubernetes `ns/A`: `A` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            ],
        ),
        ("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [".to_owned(), &["1:47 : unclosed bracket '['"]),
        ("a: 1\na: 2\n".to_owned(), &["2:1 : duplicate mapping key: a not allowed here"]),
    ];
    for (text, expected) in cases {
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn a_tenant_that_was_found_names_its_secret_and_key() {
    let snapshot = |tenant: &str| {
        format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Inventory\nmetadata: {{name: edge}}\n\
             observedAt: \"2026-11-20T10:00:00Z\"\ntenants: {{state: Present, items: [{tenant}]}}\n"
        )
    };
    let found = |spec: &str| {
        let head = "apiVersion: bobbypin.dev/v1alpha1, kind: Tenant, metadata: {namespace: ns, name: a}";
        snapshot(&format!("{{{head}, spec: {spec}}}"))
    };
    let place = "tenants.items[0]";
    let wrong = "Tenant `ns/a`: `spec.kubeconfig";
    for (text, expected) in [
        (
            found("{kubeconfig: {name: A, key: a/b}}"),
            vec![
                format!(
                    "5:147 {place}.spec.kubeconfig.name: {wrong}.name`: `A` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit"
                ),
                format!(
                    "5:155 {place}.spec.kubeconfig.key: {wrong}.key`: `a/b` is not the key of a Secret: letters, digits, `-`, `_` and `.`"
                ),
            ],
        ),
        (found("{}"), vec![format!("5:35 {place}.spec.kubeconfig: {wrong}` is missing")]),
        (
            found("{kubeconfig: {}}"),
            vec![
                format!("5:140 {place}.spec.kubeconfig.name: {wrong}.name` is missing"),
                format!("5:140 {place}.spec.kubeconfig.key: {wrong}.key` is missing"),
            ],
        ),
        (found("{kubeconfig: k}"), vec![format!("5:140 {place}.spec.kubeconfig: {wrong}` is a text, not a mapping")]),
        (
            snapshot("{apiVersion: v1, kind: Secret, metadata: {namespace: ns, name: a}}"),
            vec![format!("5:35 {place}: `tenants` takes objects of the kinds Kubernetes and Tenant")],
        ),
    ] {
        assert_eq!(problems(&text), expected, "{text}");
    }
}

#[test]
fn every_problem_of_a_snapshot_is_named() {
    let text = "apiVersion: bobbypin.dev/v1alpha1
kind: Inventory
metadata: {name: Edge}
observedAt: yesterday
uid: {state: Present}
extra: 1
host:
  pods: {state: Present}
  apiServer: 192.0.2.1
  ingresses: {state: Present}
  gateways: {state: Gone}
  httpRoutes: {state: Unknown}
  dnsConfigMaps:
    state: Present
    items:
    - metadata: {name: coredns, namespace: default}
    - {apiVersion: v1, kind: Pod}
tenants: {items: []}
packages: []
helmReleases: {state: Absent, items: []}
tenantClusters:
- {name: shop}
- {namespace: a, name: b, tenants: {state: Absent}}
- {namespace: a, name: b, apiServer: [x]}
";
    assert_eq!(
        problems(text),
        [
            "3:18 metadata.name: `metadata.name`: `Edge` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            "4:13 observedAt: `observedAt` is `yesterday`, not a time like `2026-11-20T10:00:00Z`",
            "5:6 uid: `uid` is neither a text nor {state: Absent} nor {state: Unknown, reason, message}",
            "6:1 extra: unknown key `extra`: known are apiVersion, kind, metadata, observedAt, uid, host, tenants, packages, platformSettings, helmReleases, kustomizations, gitRepositories, tenantClusters",
            "8:3 host.pods: unknown key `pods`: known are apiServer, ingresses, gateways, httpRoutes, tlsRoutes, services, dnsConfigMaps",
            "9:14 host.apiServer: `host.apiServer` is `192.0.2.1`, which is not the name of a server: it is an address, not a name",
            "10:14 host.ingresses: `host.ingresses.items` is missing, but the state is Present",
            "11:21 host.gateways.state: `host.gateways.state` is `Gone`, not Present, Absent or Unknown",
            "12:15 host.httpRoutes.reason: `host.httpRoutes.reason` is missing",
            "16:7 host.dnsConfigMaps.items[0]: `host.dnsConfigMaps` takes coredns, coredns-custom, node-local-dns of kube-system",
            "17:7 host.dnsConfigMaps.items[1]: `host.dnsConfigMaps` takes coredns, coredns-custom, node-local-dns of kube-system",
            "18:10 tenants.state: `tenants.state` is missing",
            "19:11 packages: `packages` is a list, not a mapping",
            "20:31 helmReleases.items: unknown key `items`: known are state",
            "22:3 tenantClusters[0].namespace: `tenantClusters[0].namespace` is missing",
            "23:27 tenantClusters[1].tenants: unknown key `tenants`: known are namespace, name, apiServer, uid, ingresses, gateways, httpRoutes, tlsRoutes, services, dnsConfigMaps",
            "24:3 tenantClusters[2].name: the tenant cluster a/b stands here a second time",
            "24:38 tenantClusters[2].apiServer: `tenantClusters[2].apiServer` is a list, not a text",
        ]
    );
}

#[test]
fn every_problem_of_flux_and_the_platform_is_named() {
    let text = "apiVersion: bobbypin.dev/v1alpha1
kind: Inventory
metadata: {name: edge}
observedAt: \"2026-11-20T10:00:00Z\"
platformSettings:
  state: Present
  settings:
    root-host: [x]
    kube-root-ca: secret
kustomizations:
  state: Present
  items:
  - metadata: {namespace: a, name: b}
    spec: {prune: \"no\", suspend: 1}
    status: {conditions: [{type: Ready, message: 5}]}
gitRepositories: {state: Present, settings: {}}
tenantClusters:
- {namespace: a, name: b, uid: 5, platformSettings: {state: Absent}}
- {namespace: a, name: c, uid: {state: Gone}}
";
    assert_eq!(
        problems(text),
        [
            "8:16 platformSettings.settings.root-host: `platformSettings.settings.root-host` is a list, not a text",
            "9:5 platformSettings.settings.kube-root-ca: unknown key `kube-root-ca`: known are api-server-endpoint, cluster-domain, expose-external-ips, expose-ingress, expose-mode, gateway-enabled, load-balancer-class, proxy-protocol, root-host",
            "13:5 kustomizations.items[0].spec.suspend: Kustomization `a/b`: `spec.suspend` is a number, not a boolean",
            "13:5 kustomizations.items[0].spec.sourceRef.kind: Kustomization `a/b`: `spec.sourceRef.kind` is missing",
            "13:5 kustomizations.items[0].spec.sourceRef.name: Kustomization `a/b`: `spec.sourceRef.name` is missing",
            "13:5 kustomizations.items[0].spec.prune: Kustomization `a/b`: `spec.prune` is a text, not a boolean",
            "15:50 kustomizations.items[0].status.conditions[0].message: Kustomization `a/b`: `status.conditions[0].message` is a number, not a text",
            "16:18 gitRepositories: `gitRepositories.items` is missing, but the state is Present",
            "16:35 gitRepositories.settings: unknown key `settings`: known are state, items",
            "18:32 tenantClusters[0].uid: `tenantClusters[0].uid` is not a text",
            "18:35 tenantClusters[0].platformSettings: unknown key `platformSettings`: known are namespace, name, apiServer, uid, ingresses, gateways, httpRoutes, tlsRoutes, services, dnsConfigMaps",
            "19:32 tenantClusters[1].uid: `tenantClusters[1].uid` is neither a text nor {state: Absent} nor {state: Unknown, reason, message}",
        ]
    );
    let empty = text.replace("  settings:\n    root-host: [x]\n    kube-root-ca: secret\n", "");
    let missing = "6:3 platformSettings: `platformSettings.settings` is missing, but the state is Present";
    assert_eq!(problems(&empty)[0], missing);
}

#[test]
fn plain_lists_know_flux_and_pass_over_services_and_secrets() {
    let text = "apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {namespace: a, name: b}, spec: {type: NodePort}}
- {apiVersion: v1, kind: Secret, metadata: {namespace: cozy-system, name: cozystack-values}, data: {values.yaml: eA==}}
- {apiVersion: gateway.networking.k8s.io/v1alpha3, kind: TLSRoute, metadata: {namespace: gw, name: t}, spec: {hostnames: [t.example.org]}}
- apiVersion: source.toolkit.fluxcd.io/v1
  kind: GitRepository
  metadata: {namespace: flux-system, name: fleet}
  spec: {url: \"ssh://git@git.example.org/fleet\"}
- status: {conditions: [{type: Ready, status: \"True\"}]}
  spec: {sourceRef: {kind: OCIRepository, name: x, namespace: z}, suspend: true}
  metadata: {namespace: flux-system, name: apps}
  kind: Kustomization
  apiVersion: kustomize.toolkit.fluxcd.io/v1
";
    let mut expected = list_inventory();
    expected.host.tls_routes = Observed::Present(vec![RouteObject {
        meta: meta("gw", "t"),
        hosts: strings(&["t.example.org"]),
        parents: vec![],
    }]);
    expected.git_repositories = Observed::Present(vec![GitRepositoryObject {
        meta: meta("flux-system", "fleet"),
        url: "ssh://git.example.org/fleet".to_owned(),
        branch: String::new(),
        progress: Progress::default(),
    }]);
    let ready = Ready { status: "True".to_owned(), reason: String::new(), message: String::new() };
    expected.kustomizations = Observed::Present(vec![KustomizationObject {
        meta: meta("flux-system", "apps"),
        path: String::new(),
        source_kind: "OCIRepository".to_owned(),
        source_namespace: "z".to_owned(),
        source_name: "x".to_owned(),
        prune: false,
        is_remote: false,
        applied_revision: String::new(),
        progress: Progress { suspended: true, ready: Some(ready) },
    }]);
    assert_eq!(one(text), expected);
}

#[test]
fn json_has_every_object_in_a_line_of_its_own_and_its_hash_is_the_digest() {
    let text = "apiVersion: bobbypin.dev/v1alpha1
kind: Inventory
metadata: {name: edge}
observedAt: \"2026-11-20T10:00:00Z\"
host:
  ingresses:
    state: Present
    items:
    - {metadata: {namespace: b, name: web}, spec: {tls: [{hosts: [y.example.org]}]}}
    - {metadata: {namespace: a, name: api}, spec: {rules: [{host: x.example.org}]}}
  gateways: {state: Present, items: []}
tenants: {state: Present, items: [{metadata: {namespace: t, name: s}, spec: {addons: {ouroboros: {d: [], c: 1}, coredns: {}}}}]}
platformSettings: {state: Present, settings: {}}
tenantClusters:
- {namespace: t, name: s, ingresses: {state: Absent}}
- {namespace: t, name: t, uid: 1a2b}
";
    let inventory = one(text);
    let json = inventory_json(&inventory);
    insta::assert_snapshot!(json, @r#"
    {
      "apiVersion": "bobbypin.dev/v1alpha1",
      "kind": "Inventory",
      "metadata": {
        "name": "edge"
      },
      "observedAt": "2026-11-20T10:00:00Z",
      "host": {
        "ingresses": {
          "state": "Present",
          "items": [
            {"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"namespace":"a","name":"api"},"spec":{"rules":[{"host":"x.example.org"}]}},
            {"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"namespace":"b","name":"web"},"spec":{"tls":[{"hosts":["y.example.org"]}]}}
          ]
        },
        "gateways": {
          "state": "Present",
          "items": []
        }
      },
      "tenants": {
        "state": "Present",
        "items": [
          {"apiVersion":"apps.cozystack.io/v1alpha1","kind":"Kubernetes","metadata":{"namespace":"t","name":"s"},"spec":{"addons":{"coredns":{},"ouroboros":{"c":1,"d":[]}}}}
        ]
      },
      "platformSettings": {
        "state": "Present",
        "settings": {}
      },
      "tenantClusters": [
        {
          "namespace": "t",
          "name": "s",
          "ingresses": {
            "state": "Absent"
          }
        },
        {
          "namespace": "t",
          "name": "t",
          "uid": "1a2b"
        }
      ]
    }
    "#);
    assert_eq!(digest(&inventory), Digest::of(json.as_bytes()));
    assert_eq!(one(&json), inventory);
}

#[test]
fn bytes_that_are_no_text_are_told_by_their_place() {
    let problems = parse_bytes(b"a: 1\n\xc3\xa4b: \xff\n").expect_err("a byte that is no text");
    let problem = Problem {
        path: "inventory.yaml".to_owned(),
        line: 2,
        column: 5,
        key: String::new(),
        message: "the file is not UTF-8 text".to_owned(),
        hint: None,
        excerpt: "äb: ".to_owned(),
    };
    assert_eq!(problems, [problem]);
}

#[test]
fn large_values_are_read_and_bombs_are_not() {
    let long = "x".repeat(10 << 20);
    let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {long}}}\n");
    assert_eq!(one(&text), list_inventory());
    let mut bomb = "apiVersion: v1\nkind: List\na: &a0 [x, x, x, x, x, x, x, x, x, x]\nitems:\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "- &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(problems(&bomb).len(), 1);
}
