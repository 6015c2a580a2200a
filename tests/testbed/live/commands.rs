//! The commands, from a repository, against a host and two tenants.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api_server::{ApiServer, Options};

const CLUSTER: &str = "\
apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata:
  name: edge
spec:
  # The way to it.
  access:
    context: edge
    tenants: {allow: [loopback]}
  platform: {kind: cozystack, version: v1.6.2, live: true}
  host: {engine: static, delivery: helmRelease}
  tenants:
    defaults: {engine: static, delivery: ownFlux}
  hostnames:
    delegations:
    - {namespaces: [default, tenant-acme], suffixes: [example.org]}
";

const PLATFORM: &str = "\
apiVersion: cozystack.io/v1alpha1
kind: Package
metadata:
  name: cozystack.cozystack-platform
spec:
  variant: isp-full
  components:
    platform:
      values:
        publishing: {host: example.org, ingressName: nginx, proxyProtocol: true}
        bundles: {disabledPackages: [cozystack.ouroboros]}
";

const ADDONS: &str = "\
{certManager: {enabled: false}, ingressNginx: {enabled: true, exposeMethod: LoadBalancer, valuesOverride: {ingress-nginx: {controller: {config: {use-proxy-protocol: \"true\"}}}}}}";

const COREFILE: &str =
    ".:53 {\n    errors\n    import /etc/coredns/custom/*.override\n    reload\n    forward . 192.0.2.1\n}\n";

/// A host, its tenants and a repository for them.
struct Site {
    host: ApiServer,
    folder: TempDir,
}

impl Site {
    fn new(tenants: &[(&str, &ApiServer)]) -> Self {
        let host = ApiServer::start(&Options { definitions: true, ..Options::default() });
        let admin = host.admin();
        for namespace in ["cozy-system", "tenant-acme", "tenant-root"] {
            admin.namespace(namespace).expect("a new namespace");
        }
        admin.apply(PLATFORM).expect("a lawful Package");
        let corefile = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": COREFILE}});
        admin.apply(&corefile.to_string()).expect("a lawful ConfigMap");
        admin.create_ingresses("default", 0..3).expect("lawful Ingresses");
        for (name, server) in tenants {
            let object = format!(
                "{{apiVersion: apps.cozystack.io/v1alpha1, kind: Kubernetes, metadata: {{name: {name}, namespace: tenant-acme}}, spec: {{addons: {ADDONS}}}}}"
            );
            admin.apply(&object).expect("a lawful tenant");
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": format!("kubernetes-{name}-admin-kubeconfig"), "namespace": "tenant-acme"},
                "stringData": {"super-admin.svc": server.kubeconfig("admin")},
            });
            admin.apply(&secret.to_string()).expect("a lawful Secret");
            server.admin().apply(&corefile.to_string()).expect("a lawful ConfigMap");
            server.admin().create_ingresses("default", 0..2).expect("lawful Ingresses");
        }
        let site = Self { host, folder: tempfile::tempdir().expect("a temporary folder") };
        site.write("kubeconfig", &site.kubeconfig(&site.host));
        site.git(&["init", "-q", "--bare", "--initial-branch", "main", "platform.git"], ".");
        site.git(&["clone", "-q", "platform.git", "platform"], ".");
        let written = site.run(&["init", "edge"]);
        assert!(written.status.success(), "{}", told(&written));
        site.write("platform/clusters/edge/cluster.yaml", CLUSTER);
        fs::remove_file(site.path("platform/clusters/edge/platform.yaml")).expect("init wrote it");
        let pins = site.read("platform/clusters/edge/pins.yaml");
        let hook = "  - name: cleanup-hook-image\n    reference: mirror.gcr.io/alpine/kubectl\n    tag: 1.36.1\n    digest: sha256:ec3d25824693d8bf3be304115ef0c17c571a15d41fcd7383dfbc0e4bf3435a2d\n    mediaType: application/vnd.oci.image.index.v1+json\n";
        site.write("platform/clusters/edge/pins.yaml", &format!("{pins}{hook}"));
        site
    }

    /// The server's kubeconfig, its context being called `edge`.
    fn kubeconfig(&self, server: &ApiServer) -> String {
        let mut config: Value = serde_yaml::from_str(&server.kubeconfig("admin")).expect("YAML");
        config["contexts"][0]["name"] = json!("edge");
        config["current-context"] = json!("edge");
        config.to_string()
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).expect("a folder of our own");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("a file that was written")
    }

    fn git(&self, words: &[&str], folder: &str) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Edge", "-c", "user.email=edge@example.org"]).args(words);
        let done = git.current_dir(self.path(folder)).output().expect("git is installed");
        assert!(done.status.success(), "git {words:?}: {}", told(&done));
    }

    fn push(&self) {
        self.git(&["add", "-A"], "platform");
        self.git(&["commit", "-q", "-m", "settings"], "platform");
        self.git(&["push", "-q", "origin", "HEAD:main"], "platform");
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        program.args(words).current_dir(self.path("platform")).env_clear().stdin(Stdio::null());
        program.env("KUBECONFIG", self.path("kubeconfig")).output().expect("the program starts")
    }
}

fn told(output: &Output) -> String {
    format!(
        "{:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn code(output: &Output, expected: i32) -> String {
    assert_eq!(output.status.code(), Some(expected), "{}", told(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok()
}

#[test]
fn the_whole_way_from_two_tenants_to_a_commit_live_and_from_a_snapshot() {
    let (shop, web) = (ApiServer::start(&Options::default()), ApiServer::start(&Options::default()));
    let site = Site::new(&[("shop", &shop), ("web", &web)]);

    // Who it is.
    let trusted = code(&site.run(&["trust"]), 0);
    assert!(trusted.contains(&site.host.uid()), "{trusted}");
    let settings = site.read("platform/clusters/edge/cluster.yaml");
    assert_eq!(
        settings,
        CLUSTER.replace("    context: edge\n", &format!("    uid: {}\n    context: edge\n", site.host.uid()))
    );
    assert!(code(&site.run(&["trust"]), 0).contains("as it is trusted already"));

    // What there is.
    let read = site.run(&["inventory", "--out", "../edge.json"]);
    assert_eq!(code(&read, 0), "");
    let progress = String::from_utf8_lossy(&read.stderr).into_owned();
    assert_eq!(progress.lines().count(), 3, "{progress}");
    assert!(progress.starts_with("[1/3] edge: read\n") && progress.contains("[3/3] edge tenant-acme/"), "{progress}");
    let snapshot = site.read("edge.json");
    for secret in [site.host.token("admin"), shop.token("admin"), "managedFields".to_owned(), "annotations".to_owned()]
    {
        assert!(!snapshot.contains(&secret), "{secret}");
    }

    // The same decision and the same bytes, live and from the snapshot.
    let live = code(&site.run(&["plan", "-o", "json"]), 0);
    let replayed = code(&site.run(&["plan", "-o", "json", "--inventory", "../edge.json"]), 0);
    assert_eq!(live, replayed);
    let plan: Value = serde_json::from_str(&live).expect("JSON");
    let layers = plan["clusters"][0]["layers"].as_array().expect("layers");
    let decisions: Vec<_> =
        layers.iter().map(|layer| (&layer["decision"], layer["hosts"].as_array().map_or(0, Vec::len))).collect();
    assert_eq!(decisions, [(&json!("Deliver"), 3), (&json!("Deliver"), 2), (&json!("Deliver"), 2)], "{live}");
    assert_eq!(code(&site.run(&["render"]), 0), code(&site.run(&["render", "--inventory", "../edge.json"]), 0));

    // One commit, and no second one.
    site.push();
    code(&site.run(&["reconcile"]), 0);
    site.git(&["pull", "-q", "origin", "main"], "platform");
    let state = site.read("platform/clusters/edge/state.yaml");
    for server in [&shop, &web] {
        assert!(state.contains(&server.uid()), "{state}");
    }
    assert!(is_there(
        &site.path("platform/clusters/edge/manifests/tenants/tenant-acme/web/cluster/coredns-custom.yaml")
    ));
    assert!(code(&site.run(&["reconcile"]), 0).contains("nothing to do"));

    // Whether all is well around it. Nobody reads the repository here, and nobody serves the hosts.
    let doctor: Value = serde_json::from_str(&code(&site.run(&["doctor", "-o", "json"]), 1)).expect("JSON");
    let checks = doctor["clusters"][0]["checks"].as_array().expect("checks");
    let verdict = |id: &str| checks.iter().find(|check| check["id"] == id).map(|check| &check["verdict"]);
    for (id, expected) in [
        ("ClusterIdentity", "Ok"),
        ("TenantIdentity", "Ok"),
        ("Corefile", "Ok"),
        ("FluxReader", "Warn"),
        ("IngressService", "Fail"),
    ] {
        assert_eq!(verdict(id), Some(&json!(expected)), "{id}");
    }

    // What changed since.
    shop.admin().create_ingresses("default", 2..3).expect("a lawful Ingress");
    let changed = code(&site.run(&["inventory", "--diff", "../edge.json"]), 0);
    assert!(changed.contains("shop-00002.example.org"), "{changed}");

    // A tenant that is gone holds its own layer, and nothing else.
    let mut web = web;
    web.kill();
    let held = site.run(&["diff", "--timeout", "5s"]);
    let changes = code(&held, 4);
    assert!(changes.contains("shop-00002.example.org") && !changes.contains("tenant-acme/web"), "{}", told(&held));
    let words = told(&held);
    assert!(words.contains("unread: edge: tenant tenant-acme/web uid") && words.contains("Unreachable"), "{words}");
    assert!(!words.contains(&web.token("admin")));
}

#[test]
fn another_cluster_under_the_same_context_is_refused_and_nothing_of_it_is_read() {
    let other = ApiServer::start(&Options { definitions: true, ..Options::default() });
    let site = Site::new(&[]);
    code(&site.run(&["trust"]), 0);
    code(&site.run(&["plan"]), 0);
    site.write("kubeconfig", &site.kubeconfig(&other));
    let refused = site.run(&["plan"]);
    assert!(code(&refused, 7).contains("WrongCluster"), "{}", told(&refused));
    let refused = site.run(&["trust"]);
    code(&refused, 7);
    assert!(
        told(&refused).contains(&other.uid()) && told(&refused).contains("bobbypin trust --replace"),
        "{}",
        told(&refused)
    );
    code(&site.run(&["trust", "--replace"]), 0);
    assert!(site.read("platform/clusters/edge/cluster.yaml").contains(&other.uid()));
}

#[test]
fn a_tenant_that_was_made_anew_is_refused_until_a_person_trusts_it() {
    let (first, second) = (ApiServer::start(&Options::default()), ApiServer::start(&Options::default()));
    let site = Site::new(&[("shop", &first)]);
    site.push();
    code(&site.run(&["reconcile"]), 0);
    site.git(&["pull", "-q", "origin", "main"], "platform");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "kubernetes-shop-admin-kubeconfig", "namespace": "tenant-acme"},
        "stringData": {"super-admin.svc": second.kubeconfig("admin")},
    });
    site.host.admin().apply(&secret.to_string()).expect("a lawful Secret");
    let refused = site.run(&["reconcile"]);
    code(&refused, 7);
    assert!(told(&refused).contains("bobbypin trust --tenant tenant-acme/shop"), "{}", told(&refused));
    let trusted = code(&site.run(&["trust", "--tenant", "tenant-acme/shop"]), 0);
    assert!(trusted.contains(&second.uid()), "{trusted}");
    site.push();
    let state = site.read("platform/clusters/edge/state.yaml");
    assert!(state.contains(&second.uid()) && !state.contains(&first.uid()), "{state}");
}
