//! What a snapshot or a list becomes, and what is wrong with bad ones.

use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::model::{
    inventory::{
        ClusterInventory, GatewayObject, HelmReleaseObject, HttpRouteObject, IngressObject, ObjectMeta, TenantObject,
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
        ingresses: not_collected(),
        gateways: not_collected(),
        http_routes: not_collected(),
        dns_config_maps: not_collected(),
    }
}

fn list_inventory(text: &str) -> Inventory {
    Inventory {
        cluster: None,
        observed_at: read_at(),
        uid: not_collected(),
        host: nothing(),
        tenants: not_collected(),
        packages: not_collected(),
        helm_releases: not_collected(),
        tenant_clusters: [].into(),
        digest: Digest::of(text.as_bytes()),
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
tenants: {state: Present, items: [{metadata: {namespace: tenant-acme, name: shop}, spec: {version: v1.35, addons: {ouroboros: {enabled: true}}}}, {metadata: {namespace: tenant-acme, name: bare}}]}
packages: {state: Present, items: [{metadata: {name: cozystack.ouroboros}, spec: {variant: default, components: {}}}]}
helmReleases:
  state: Present
  items:
  - metadata: {namespace: a, name: plain}
  - metadata: {namespace: b, name: full, labels: {k: v}}
    spec: {releaseName: r, targetNamespace: t, storageNamespace: s, kubeConfig: {secretRef: {name: secret, key: k}}}
  - {metadata: {namespace: c, name: composed}, spec: {targetNamespace: t}}
tenantClusters:
- namespace: tenant-acme
  name: shop
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
    let corefile = [("Corefile".to_owned(), ".:53 {\n}\n".to_owned())];
    let parents = [("gw", "g"), ("other", "h")].map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    Inventory {
        cluster: Some(Name::parse("edge").expect("a literal that parses")),
        observed_at: "2026-11-20T10:00:00Z".parse().expect("a literal that parses"),
        uid: Observed::Present("0f5c".to_owned()),
        host: ClusterInventory {
            ingresses: Observed::Present(vec![ingress("blog", "web", &[]), web]),
            gateways: Observed::Present(vec![GatewayObject {
                meta: meta("gw", "g"),
                class: "c".to_owned(),
                hosts: strings(&["*.example.org"]),
            }]),
            http_routes: Observed::Present(vec![HttpRouteObject {
                meta: meta("gw", "r"),
                hosts: strings(&["r.example.org"]),
                parents: parents.into(),
            }]),
            dns_config_maps: Observed::Present(
                [("coredns".to_owned(), corefile.into()), ("coredns-custom".to_owned(), [].into())].into(),
            ),
        },
        tenants: Observed::Present(
            [
                (tenant("tenant-acme", "bare"), TenantObject { addons: json!({}) }),
                (tenant("tenant-acme", "shop"), TenantObject { addons: json!({"ouroboros": {"enabled": true}}) }),
            ]
            .into(),
        ),
        packages: Observed::Present(
            [("cozystack.ouroboros".to_owned(), json!({"variant": "default", "components": {}}))].into(),
        ),
        helm_releases: Observed::Present(vec![
            release("a", "plain", ["plain", "a", "a"], None),
            full,
            release("c", "composed", ["t-composed", "c", "t"], None),
        ]),
        tenant_clusters: [(
            tenant("tenant-acme", "shop"),
            ClusterInventory {
                ingresses: unknown("Forbidden", "no right"),
                gateways: Observed::Absent,
                http_routes: not_collected(),
                dns_config_maps: not_collected(),
            },
        )]
        .into(),
        digest: Digest::of(SNAPSHOT.as_bytes()),
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
        assert_eq!(one(&text), Inventory { digest: Digest::of(text.as_bytes()), ..snapshot() }, "{text}");
    }
    let with_problem = r#"{"apiVersion": "bobbypin.dev/v1alpha1", "observedAt": "2026-11-20T10:00:00Z", "hosts": {},
 "kind": "Inventory", "metadata": {"name": "edge"}}"#;
    assert_eq!(
        problems(with_problem),
        [
            "1:79 hosts: unknown key `hosts`: known are apiVersion, kind, metadata, observedAt, uid, host, tenants, packages, helmReleases, tenantClusters"
        ]
    );
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let mut inventory = snapshot();
    inventory.uid = unknown("Forbidden", "no");
    let text = inventory_text(&inventory);
    inventory.digest = Digest::of(text.as_bytes());
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
        let mut expected = list_inventory(&text);
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
        let mut expected = list_inventory(&text);
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
        (format!("{WEB}\n{WEB}\n"), &["0:0 metadata.name: Ingress `shop/web` stands in the file a second time"]),
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
fn every_problem_of_a_snapshot_is_named() {
    let text = "apiVersion: bobbypin.dev/v1alpha1
kind: Inventory
metadata: {name: Edge}
observedAt: yesterday
uid: {state: Present}
extra: 1
host:
  pods: {state: Present}
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
- {namespace: a, name: b}
";
    assert_eq!(
        problems(text),
        [
            "3:18 metadata.name: `metadata.name`: `Edge` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            "4:13 observedAt: `observedAt` is `yesterday`, not a time like `2026-11-20T10:00:00Z`",
            "5:6 uid: `uid` is neither a text nor {state: Absent} nor {state: Unknown, reason, message}",
            "6:1 extra: unknown key `extra`: known are apiVersion, kind, metadata, observedAt, uid, host, tenants, packages, helmReleases, tenantClusters",
            "8:3 host.pods: unknown key `pods`: known are ingresses, gateways, httpRoutes, dnsConfigMaps",
            "9:14 host.ingresses: `host.ingresses.items` is missing, but the state is Present",
            "10:21 host.gateways.state: `host.gateways.state` is `Gone`, not Present, Absent or Unknown",
            "11:15 host.httpRoutes.reason: `host.httpRoutes.reason` is missing",
            "15:7 host.dnsConfigMaps.items[0]: `host.dnsConfigMaps` takes coredns, coredns-custom, node-local-dns of kube-system",
            "16:7 host.dnsConfigMaps.items[1]: `host.dnsConfigMaps` takes coredns, coredns-custom, node-local-dns of kube-system",
            "17:10 tenants.state: `tenants.state` is missing",
            "18:11 packages: `packages` is a list, not a mapping",
            "19:31 helmReleases.items: unknown key `items`: known are state",
            "21:3 tenantClusters[0].namespace: `tenantClusters[0].namespace` is missing",
            "22:27 tenantClusters[1].tenants: unknown key `tenants`: known are namespace, name, ingresses, gateways, httpRoutes, dnsConfigMaps",
            "23:3 tenantClusters[2].name: the tenant cluster a/b stands here a second time",
        ]
    );
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
    assert_eq!(one(&text), list_inventory(&text));
    let mut bomb = "apiVersion: v1\nkind: List\na: &a0 [x, x, x, x, x, x, x, x, x, x]\nitems:\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "- &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(problems(&bomb).len(), 1);
}
