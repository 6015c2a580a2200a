//! Tenants are found by the Secrets with their kubeconfigs, and nothing of what is in one is asked for or kept.
#![expect(clippy::disallowed_methods, reason = "this test writes a kubeconfig")]

use std::{collections::BTreeMap, fs, io, net::TcpStream, time::Duration};

use bobbypin::{
    config::inventory::inventory_json,
    edge::kube::{
        HostRequest, Limits, Progress, Reading, TenantRequest, TenantsBy, Way,
        kubeconfig::{Allowed, ServerPolicy},
        read,
    },
    model::{
        cluster::{KubeconfigSecrets, SecretKey},
        inventory::{Inventory, TenantObject},
        name::Name,
        observed::Observed,
    },
};
use serde_json::json;

use crate::support::{
    api_server::{ApiServer, Cluster, Fault, Items, List, Page, SECRETS, Script, ingresses, kubeconfig, status},
    cli::{Sandbox, project},
    scripted::{After, respond},
};

/// What stands in every Secret.
const SECRET: &str = "canary-secret-71d0c9aa";

fn name(text: &str) -> Name {
    Name::parse(text).expect("a literal that parses")
}

/// The metadata of a Secret of Cluster API, as a server gives it.
fn metadata(name: &str, cluster: &str) -> String {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {
            "namespace": "clusters", "name": name, "uid": format!("u-{name}"), "resourceVersion": "5",
            "labels": {"cluster.x-k8s.io/cluster-name": cluster, "other": "label"},
            "annotations": {"note": SECRET},
        },
    })
    .to_string()
}

/// A host with Secrets. A filtered list does not say how much remains.
fn host(secrets: &[(&str, &str)]) -> Cluster {
    let items = Items::Held(secrets.iter().map(|(name, cluster)| metadata(name, cluster)).collect());
    let mut host = Cluster::of_ingresses(ingresses(3));
    let list = List { kind: "PartialObjectMetadata", api_version: "meta.k8s.io/v1", items };
    host.lists.insert(SECRETS.to_owned(), list);
    (1..=3).fold(host, |host, page| host.with(lie(page, |page| page.remaining = None)))
}

fn lie(page: usize, lie: fn(&mut Page)) -> Script {
    Script { path: SECRETS.to_owned(), page, times: usize::MAX, fault: Fault::Lie(lie) }
}

/// Reads the host, with two objects on a page. Gives what it was asked for too, and which tenants somebody is told of.
fn inventory(cluster: Cluster, tenants_by: TenantsBy) -> (Inventory, Vec<(String, String)>) {
    let server = ApiServer::start();
    let (url, cluster) = server.add("edge", cluster);
    let inventory = read_at(&url, server.authority(), tenants_by);
    let asked = cluster.secrets_asked.lock().expect("no thread panics with it").clone();
    (inventory, asked)
}

fn read_at(url: &str, authority: &str, tenants_by: TenantsBy) -> Inventory {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, kubeconfig(url, None, authority)).expect("a folder of our own");
    let request = HostRequest {
        name: name("edge"),
        way: Way::Files { paths: vec![path], context: None, allowed: Allowed::default() },
        uid: None,
        namespaces: Vec::new(),
        tenants_by,
        services: Box::new(|_| Vec::new()),
        tenants: Box::new(|_| Vec::<TenantRequest>::new()),
        policy: ServerPolicy { allow_loopback: true, allow_link_local: false },
    };
    let limits = Limits { page_size: 2, tries: 2, backoff: Duration::from_millis(1), ..Limits::default() };
    let reading = Reading { limits, jobs: 1, progress: Box::new(|_: Progress| ()) };
    read(vec![request], reading).expect("the system has threads").pop().expect("one inventory")
}

/// The reason and the message of tenants that are not known.
fn unknown(inventory: &Inventory) -> (String, String) {
    match &inventory.tenants {
        Observed::Unknown(unknown) => (unknown.reason.clone(), unknown.message.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_pages_of_metadata_make_the_tenants_and_no_content_is_asked_for() {
    let host = host(&[
        ("mail-kubeconfig", "mail"),
        ("shop-ca", "shop"),
        ("shop-kubeconfig", "shop"),
        ("shop-user-kubeconfig", "shop"),
        ("web-ca", "web"),
    ]);
    let (inventory, asked) = inventory(host, TenantsBy::Secrets(KubeconfigSecrets::ClusterApi));
    let found = |tenant: &str| {
        let id = bobbypin::model::layer::TenantId { namespace: name("clusters"), name: name(tenant) };
        let secret = SecretKey { name: name(&format!("{tenant}-kubeconfig")), key: "value".to_owned() };
        (id, TenantObject::Kubeconfig(secret))
    };
    assert_eq!(inventory.tenants, Observed::Present(BTreeMap::from([found("mail"), found("shop")])));
    assert!(!inventory_json(&inventory).contains(SECRET));

    let first = "limit=2&labelSelector=cluster.x-k8s.io%2Fcluster-name";
    assert_eq!(asked.len(), 3, "{asked:?}");
    for (index, (query, accept)) in asked.iter().enumerate() {
        assert_eq!(accept, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
        let is_continued = query.strip_prefix(first).is_some_and(|rest| rest.starts_with("&continue="));
        assert!(if index == 0 { query == first } else { is_continued }, "{asked:?}");
    }
}

#[test]
fn where_tenants_are_told_otherwise_no_secret_is_listed() {
    let (inventory, asked) = inventory(host(&[("shop-kubeconfig", "shop")]), TenantsBy::Settings);
    assert_eq!((unknown(&inventory).0.as_str(), asked), ("NotCollected", vec![]));
}

/// What a server gives that does not heed what is asked for.
fn whole_secrets(page: &mut Page) {
    page.kind = "SecretList".to_owned();
    page.api_version = "v1".to_owned();
    let secret = json!({
        "metadata": {"namespace": "clusters", "name": "shop-kubeconfig", "labels": {"cluster.x-k8s.io/cluster-name": "shop"}},
        "data": {"value": SECRET}, "type": SECRET,
    });
    page.items = vec![secret.to_string()];
    page.token = None;
}

fn forbidden(stream: &mut TcpStream, _: &[u8]) -> io::Result<After> {
    respond(stream, "403 Forbidden", "", status(403, "Forbidden", "no right").as_bytes())
}

#[test]
fn an_answer_that_is_not_what_was_asked_for_makes_the_tenants_unknown_and_nothing_of_it_is_kept() {
    let wire = |play| Script { path: SECRETS.to_owned(), page: 1, times: usize::MAX, fault: Fault::Wire(play) };
    let shop: &[(&str, &str)] = &[("shop-kubeconfig", "shop")];
    let twice: &[(&str, &str)] = &[("shop-admin-kubeconfig", "shop"), ("shop-kubeconfig", "shop")];
    let selected = KubeconfigSecrets::Selected { selector: "a=b".to_owned(), key: "value".to_owned() };
    for (secrets, script, tenants_by, expected) in [
        (
            shop,
            Some(lie(1, whole_secrets)),
            KubeconfigSecrets::ClusterApi,
            "Malformed: secrets with cluster.x-k8s.io/cluster-name: page 1: the answer is `SecretList` of `v1`, not \
             `PartialObjectMetadataList` of `meta.k8s.io/v1`; the list was begun 3 times",
        ),
        (
            shop,
            Some(wire(forbidden)),
            KubeconfigSecrets::ClusterApi,
            "Forbidden: secrets with cluster.x-k8s.io/cluster-name: page 1: the server answers 403 Forbidden: no right; add \
             to its role: {apiGroups: [\"\"], resources: [secrets], verbs: [list]}",
        ),
        (
            twice,
            None,
            selected,
            "Malformed: secrets with a=b: the Secret clusters/shop-kubeconfig makes no tenant: the Secret \
             shop-admin-kubeconfig has the tenant clusters/shop already",
        ),
        (
            shop,
            None,
            KubeconfigSecrets::Kamaji,
            "Malformed: secrets with kamaji.clastix.io/component=admin-kubeconfig: the Secret clusters/shop-kubeconfig makes \
             no tenant: it has no label kamaji.clastix.io/component",
        ),
    ] {
        let mut host = host(secrets);
        host.scripts.splice(0..0, script);
        let (inventory, _) = inventory(host, TenantsBy::Secrets(tenants_by));
        let (reason, message) = unknown(&inventory);
        assert_eq!(format!("{reason}: {message}"), expected);
        assert!(!inventory_json(&inventory).contains(SECRET));
        // Everything else is read.
        assert_eq!(inventory.unread().len(), 1, "{:?}", inventory.unread());
    }
}

#[test]
fn of_a_host_that_is_not_reached_the_tenants_are_unread_and_what_it_cannot_have_is_not() {
    let server = ApiServer::start();
    let nobody = format!("http://127.0.0.1:{}/c/nobody", server.port());
    let of = |tenants_by| read_at(&nobody, server.authority(), tenants_by);
    let found = of(TenantsBy::Secrets(KubeconfigSecrets::Kamaji));
    assert_eq!(unknown(&found).0, "Unreachable");
    assert_eq!(found.packages.unread(), None);
    assert_eq!(unknown(&of(TenantsBy::Settings)).0, "NotCollected");
}

const SETTINGS: &str = "\
apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata: {name: edge}
spec:
  access: {kubeconfig: ../admin.conf, tenants: {allow: [loopback]}}
  platform: {kind: generic}
  ingress:
    class: nginx
    service: {namespace: ingress-nginx, name: ingress-nginx-controller}
    proxyProtocol: true
  tenants:
    kubeconfigs: {maker: clusterApi}
    defaults:
      engine: static
      delivery: ownFlux
      ingress: {class: nginx, service: {namespace: ingress-nginx, name: ingress-nginx-controller}, proxyProtocol: true}
    overrides:
    - {namespace: clusters, name: web, enabled: false}
  hostnames:
    delegations: [{namespaces: [clusters], suffixes: [example.org]}]
";

#[test]
fn the_commands_find_read_and_serve_tenants_by_their_secrets_live_and_from_a_snapshot() {
    let server = ApiServer::start();
    let tenant = Cluster { objects: shop_dns(), ..Cluster::of_ingresses(ingresses(2)) };
    let (of_shop, _) = server.add("shop", tenant);
    let entries = [("value", kubeconfig(&of_shop, None, server.authority())), ("other", SECRET.to_owned())];
    let entries = entries.each_ref().map(|(key, text)| (*key, text.as_str()));
    let host = host(&[("shop-ca", "shop"), ("shop-kubeconfig", "shop"), ("web-kubeconfig", "web")]);
    let (url, _) = server.add("edge", host.with_secret("clusters", "shop-kubeconfig", &entries));

    let sandbox = Sandbox::empty();
    fs::write(sandbox.root().join("admin.conf"), kubeconfig(&url, None, server.authority()))
        .expect("a writable folder");
    sandbox.write("clusters/edge/cluster.yaml", SETTINGS);
    let pins = fs::read_to_string(project().join("clusters/plain/pins.yaml")).expect("an example");
    sandbox.write("clusters/edge/pins.yaml", pins.replace("name: plain", "name: edge"));
    sandbox.push("the settings");

    let live = sandbox.run(&["plan", "-o", "json"]).expect(0);
    let plan = live.json();
    let layers = plan["clusters"][0]["layers"].as_array().expect("layers");
    let decisions: Vec<_> = layers.iter().map(|layer| (&layer["decision"], &layer["reason"])).collect();
    assert_eq!(
        decisions,
        [
            (&json!("Deliver"), &json!("ProxyProtocolOn")),
            (&json!("Deliver"), &json!("ProxyProtocolOn")),
            (&json!("Remove"), &json!("Disabled")),
        ],
        "{}",
        live.told()
    );

    let snapshot = sandbox.run(&["inventory", "-o", "json"]).expect(0).stdout;
    assert!(
        !snapshot.contains(SECRET) && snapshot.contains(r#""kubeconfig":{"name":"shop-kubeconfig","key":"value"}"#)
    );
    fs::write(sandbox.root().join("edge.json"), &snapshot).expect("a writable folder");
    let replayed = sandbox.run(&["plan", "-o", "json", "--inventory", "../edge.json"]).expect(0);
    assert_eq!(live.stdout, replayed.stdout);

    sandbox.run(&["reconcile"]).expect(0);
    let records = sandbox.committed("clusters/edge/manifests/tenants/clusters/shop/cluster/coredns-custom.yaml");
    assert!(records.contains("shop-000001.example.org"), "{records}");
}

/// The DNS of a tenant, which imports what is committed.
fn shop_dns() -> BTreeMap<String, String> {
    let mut objects = Cluster::of_ingresses(ingresses(0)).objects;
    let map = json!({
        "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"namespace": "kube-system", "name": "coredns"},
        "data": {"Corefile": ".:53 {\n    reload\n    import /etc/coredns/custom/*.override\n}\n"},
    });
    objects.insert("/api/v1/namespaces/kube-system/configmaps/coredns".to_owned(), map.to_string());
    objects
}
