//! A host with fifty tenants, some of which never answer or cannot be asked: the others are read all the same.
#![expect(clippy::disallowed_methods, reason = "this test writes a kubeconfig and looks at the clock")]

use std::{
    fs,
    io::{self, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bobbypin::{
    config::{inventory::parse_inventory, problem::Source},
    model::{
        inventory::{ClusterInventory, Inventory},
        observed::Observed,
    },
};
use jiff::Timestamp;

use crate::support::{
    api_server::{ApiServer, Cluster, Fault, INGRESSES, Items, Script, TOKEN, UID, ingresses, kubeconfig, status},
    cli::{Ran, Sandbox},
    scripted::{After, respond},
};

/// What stands in every Secret beside the kubeconfig, and in none of the outputs.
const SECRET: &str = "canary-secret-2b8e6d40";

/// How long the reading of a cluster may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// How much longer than that a run may take, for a machine that does much else.
const SLACK: Duration = Duration::from_secs(2);

const TENANTS: &str = "/apis/apps.cozystack.io/v1alpha1/kuberneteses";

fn namespace(number: usize) -> String {
    format!("tenant-t{number:02}")
}

fn secret_path(number: usize) -> String {
    format!("/api/v1/namespaces/{}/secrets/kubernetes-shop-admin-kubeconfig", namespace(number))
}

/// The worked example with this many tenants, behind a host that is asked with a token.
struct Fleet {
    sandbox: Sandbox,
    server: ApiServer,
    host: Cluster,
}

impl Fleet {
    /// All tenants are well, but those that have a script.
    fn new(count: usize, scripts: impl Fn(usize) -> Vec<Script>) -> Self {
        let sandbox = Sandbox::edge();
        sandbox.replace("clusters/edge/cluster.yaml", "0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11", UID);
        sandbox.replace(
            "clusters/edge/cluster.yaml",
            "    context: edge-admin\n",
            &format!(
                "    kubeconfig: {}\n    tenants: {{allow: [loopback]}}\n",
                sandbox.root().join("admin.conf").display()
            ),
        );
        sandbox.push("the way to the host");
        let server = ApiServer::start();
        let tenant = |number: usize| {
            let namespace = namespace(number);
            format!(
                r#"{{"apiVersion":"apps.cozystack.io/v1alpha1","kind":"Kubernetes","metadata":{{"name":"shop","namespace":"{namespace}"}},"spec":{{"addons":{{}}}}}}"#
            )
        };
        let items = Items::Held((0..count).map(tenant).collect());
        let mut host = Cluster { wants_token: true, ..Cluster::of_ingresses(ingresses(1200)) };
        host = host.with_list(TENANTS, "Kubernetes", "apps.cozystack.io/v1alpha1", items);
        for number in 0..count {
            let cluster = Cluster { scripts: scripts(number), ..Cluster::of_ingresses(ingresses(7)) };
            let (url, _) = server.add(&namespace(number), cluster);
            // Nobody sends credentials over plain HTTP for a tenant.
            let text = kubeconfig(&url, None, server.authority());
            let entries = [("super-admin.svc", text.as_str()), ("other", SECRET)];
            host = host.with_secret(&namespace(number), "kubernetes-shop-admin-kubeconfig", &entries);
        }
        Self { sandbox, server, host }
    }

    /// Runs the program, and looks for secrets in everything that it says.
    fn run(self, words: &[&str]) -> (Ran, Arc<Cluster>, Sandbox) {
        let (url, host) = self.server.add("host", self.host);
        let path = self.sandbox.root().join("admin.conf");
        fs::write(path, kubeconfig(&url, Some(TOKEN), self.server.authority())).expect("a writable folder");
        let ran = self.sandbox.run(&[words, &["-vv", "--cluster=edge", "--timeout=3s"]].concat());
        for secret in [TOKEN, SECRET, self.server.authority()] {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret}: {}", ran.told());
            let coded = BASE64_STANDARD.encode(secret);
            let coded = coded.trim_end_matches('=');
            assert!(!ran.stdout.contains(coded) && !ran.stderr.contains(coded), "{secret}: {}", ran.told());
        }
        let is_plain =
            |text: &str| text.chars().all(|c| c == '\n' || !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c));
        assert!(is_plain(&ran.stdout) && is_plain(&ran.stderr), "{}", ran.told());
        let sins = host.sins.lock().expect("no thread panics with it").clone();
        assert_eq!(sins, Vec::<String>::new());
        (ran, host, self.sandbox)
    }
}

/// The lines of progress, which come in any order.
fn progress(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.starts_with('[') && line.contains("] edge")).collect()
}

fn unread(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("unread: ")).collect()
}

fn always(path: &str, fault: Fault) -> Vec<Script> {
    vec![Script { path: path.to_owned(), page: 1, times: usize::MAX, fault }]
}

fn silence(_: &mut TcpStream, _: &[u8]) -> io::Result<After> {
    Ok(After::Hangs)
}

/// An answer that goes on, slower than anybody waits.
fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<After> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
    for byte in bytes.iter().cycle() {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(After::Closes)
}

/// An answer that goes on for ever.
fn endless(stream: &mut TcpStream, _: &[u8]) -> io::Result<After> {
    write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    loop {
        stream.write_all(b"4\r\n    \r\n")?;
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn three_of_fifty_tenants_that_hang_cost_their_deadline_once_and_nothing_of_the_others() {
    let namespace_path = "/api/v1/namespaces/kube-system";
    let fleet = Fleet::new(50, |number| match number {
        7 => always(namespace_path, Fault::Wire(silence)),
        23 => always(INGRESSES, Fault::Wire(drip)),
        41 => always(INGRESSES, Fault::Wire(endless)),
        _ => Vec::new(),
    });
    let begin = Instant::now();
    let (ran, ..) = fleet.run(&["inventory", "-o", "json"]);
    let took = begin.elapsed();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(took < DEADLINE + SLACK, "{took:?}");
    assert_eq!(progress(&ran).len(), 51, "{}", ran.stderr);
    let inventory = inventory(&ran);
    assert_eq!(hosts(&inventory.host), 1200);
    assert_eq!(inventory.tenant_clusters.len(), 50);
    let mut hanging = Vec::new();
    for (tenant, cluster) in &inventory.tenant_clusters {
        match &cluster.ingresses {
            Observed::Present(_) => assert_eq!(hosts(cluster), 7, "{tenant}"),
            other => {
                let unknown = other.unread().expect("somebody looked");
                assert_eq!(unknown.reason, "Timeout", "{unknown:?}");
                assert!(unknown.message.contains("within the 3s for this cluster (--timeout)"), "{unknown:?}");
                hanging.push(format!("{tenant}: {}", unknown.message.split(':').next().unwrap_or_default()));
            }
        }
    }
    assert_eq!(
        hanging,
        ["tenant-t07/shop: the namespace kube-system", "tenant-t23/shop: ingresses", "tenant-t41/shop: ingresses",]
    );
    assert!(unread(&ran).iter().all(|line| line.contains("(Timeout): ")), "{:#?}", unread(&ran));
}

/// The inventory that the program printed.
fn inventory(ran: &Ran) -> Inventory {
    let source = Source { path: "stdout".to_owned(), bytes: ran.stdout.as_bytes().into() };
    let read = parse_inventory(&source, Timestamp::UNIX_EPOCH);
    let mut inventories = read.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(inventories.len(), 1);
    inventories.remove(0)
}

fn hosts(cluster: &ClusterInventory) -> usize {
    cluster.ingresses.present().map_or(0, |all| all.iter().map(|one| one.rule_hosts.len()).sum())
}

#[test]
fn the_names_that_clusters_are_reached_by_are_told_also_of_one_that_nobody_finds() {
    let fleet = Fleet::new(2, |_| Vec::new());
    let text = kubeconfig("http://Shop.tenants.invalid:6443", None, fleet.server.authority());
    let name = "kubernetes-shop-admin-kubeconfig";
    let host = fleet.host.with_secret(&namespace(1), name, &[("super-admin.svc", &text)]);
    let (url, _) = fleet.server.add("host", host);
    let address = url.strip_suffix("/c/host").expect("it ends so");
    let named = url.replace(address, "http://api.edge.example.org");
    let text = kubeconfig(&named, Some(TOKEN), fleet.server.authority());
    let proxied = text.replace("{server:", &format!("{{proxy-url: \"{address}\", server:"));
    fs::write(fleet.sandbox.root().join("admin.conf"), proxied).expect("a writable folder");
    let words = ["inventory", "-o", "json", "--cluster=edge", "--timeout=3s", "--allow-kubeconfig=proxy"];
    let ran = fleet.sandbox.run(&words);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let inventory = inventory(&ran);
    let clusters = [&inventory.host].into_iter().chain(inventory.tenant_clusters.values());
    let told: Vec<_> =
        clusters.map(|cluster| (hosts(cluster), cluster.api_server.as_ref().map(ToString::to_string))).collect();
    let reached_by = |name: &str| Some(name.to_owned());
    assert_eq!(told, [(1200, reached_by("api.edge.example.org")), (7, None), (0, reached_by("shop.tenants.invalid"))]);

    // The host, too, is told of when nobody answers.
    let lost = text.replace("http://api.edge.example.org", "http://api.edge.invalid");
    fs::write(fleet.sandbox.root().join("admin.conf"), lost).expect("a writable folder");
    let ran = fleet.sandbox.run(&words);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let told = self::inventory(&ran).host.api_server;
    assert_eq!(told.map(|name| name.to_string()), reached_by("api.edge.invalid"));
}

#[test]
fn a_secret_that_is_not_as_it_must_be_keeps_from_its_own_tenant_only() {
    let mut fleet = Fleet::new(8, |_| Vec::new());
    let hostile = "apiVersion: v1\nkind: Config\nusers: [{name: me, user: {exec: {command: /bin/false, args: [canary-secret-2b8e6d40]}}}]\nclusters: [{name: it, cluster: {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: it, context: {cluster: it, user: me}}]\ncurrent-context: it\n";
    fleet.host.objects.remove(&secret_path(0));
    let name = "kubernetes-shop-admin-kubeconfig";
    let mut host = fleet.host;
    host = host.with_secret(&namespace(1), name, &[("other\\u001b[31m\\u202e", SECRET)]);
    host = host.with_secret(&namespace(2), name, &[("super-admin.svc", hostile)]);
    host = host.with_secret(&namespace(3), name, &[("super-admin.svc", &format!("{{{{: {SECRET}"))]);
    let not_base64 = format!(
        r#"{{"kind":"Secret","apiVersion":"v1","metadata":{{"name":"x"}},"data":{{"super-admin.svc":"{SECRET}!"}}}}"#
    );
    host.objects.insert(secret_path(4), not_base64);
    host.objects.insert(
        secret_path(5),
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{}}"#.to_owned(),
    );
    host = host.with_secret(
        &namespace(6),
        name,
        &[("super-admin.svc", &kubeconfig("http://127.0.0.1:1", Some(SECRET), ""))],
    );
    let fleet = Fleet { host, ..fleet };
    let (ran, ..) = fleet.run(&["inventory", "-o", "json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(progress(&ran).len(), 9, "{}", ran.stderr);
    let inventory = inventory(&ran);
    assert_eq!(hosts(&inventory.host), 1200);
    let told = inventory.tenant_clusters.iter().map(|(tenant, cluster)| match cluster.ingresses.unread() {
        Some(unknown) => format!("{tenant}: {}: {}\n", unknown.reason, unknown.message),
        None => format!("{tenant}: {} hosts\n", hosts(cluster)),
    });
    insta::assert_snapshot!(told.collect::<String>(), @r#"
    tenant-t00/shop: NotFound: secrets tenant-t00/kubernetes-shop-admin-kubeconfig: the server answers 404 Not Found: "kubernetes-shop-admin-kubeconfig" not found
    tenant-t01/shop: NoAccess: secrets tenant-t01/kubernetes-shop-admin-kubeconfig: there is no key `super-admin.svc`; there are: other[31m
    tenant-t02/shop: NoAccess: the kubeconfig in secrets tenant-t02/kubernetes-shop-admin-kubeconfig: the kubeconfig is refused: the user `me` of context `it` runs a program (`exec: false`); the cluster `it` of context `it` sends credentials without encryption (`server: http://127.0.0.1:1`); give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    tenant-t03/shop: NoAccess: the kubeconfig in secrets tenant-t03/kubernetes-shop-admin-kubeconfig: what stands at line 1, column 2 is not what a kubeconfig has there; compare it with what `kubectl config view` makes of it
    tenant-t04/shop: NoAccess: secrets tenant-t04/kubernetes-shop-admin-kubeconfig: the answer is no Secret with base64 texts as data
    tenant-t05/shop: NoAccess: secrets tenant-t05/kubernetes-shop-admin-kubeconfig: the answer is no Secret
    tenant-t06/shop: NoAccess: the kubeconfig in secrets tenant-t06/kubernetes-shop-admin-kubeconfig: the kubeconfig is refused: the cluster `it` of context `it` sends credentials without encryption (`server: http://127.0.0.1:1`); give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    tenant-t07/shop: 7 hosts
    "#);
}

#[test]
fn a_source_that_is_forbidden_is_unknown_alone_and_the_message_has_the_rule_to_add() {
    let fleet = Fleet::new(2, |_| Vec::new());
    let scripts = always(
        INGRESSES,
        Fault::Wire(|stream, _| {
            let body = status(
                403,
                "Forbidden",
                "ingresses.networking.k8s.io is forbidden: User \\\"bot\\\" cannot list resource \\\"ingresses\\\"",
            );
            respond(stream, "403 Forbidden", "", body.as_bytes())
        }),
    );
    let fleet = Fleet { host: Cluster { scripts, ..fleet.host }, ..fleet };
    let (ran, ..) = fleet.run(&["inventory", "-o", "json"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    insta::assert_snapshot!(unread(&ran).join("\n"), @r#"unread: edge: host ingresses (Forbidden): ingresses: page 1: the server answers 403 Forbidden: ingresses.networking.k8s.io is forbidden: User "bot" cannot list resource "ingresses"; add to its role: {apiGroups: ["networking.k8s.io"], resources: [ingresses], verbs: [list]}"#);
    assert!(inventory(&ran).tenant_clusters.values().all(|cluster| hosts(cluster) == 7));
}
