//! Clusters of any size, as files.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use bobbypin::{
    config::problem::Source,
    model::tree::{Entry, RepoPath, Tree},
    ops::{
        decide::{Inventories, Request},
        load::InventoryFile,
        selection::Selection,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

const PINS: &str = include_str!("../../clusters/edge/pins.yaml");
const PLATFORM: &str = include_str!("../../clusters/edge/platform.yaml");
const COREFILE: &str = ".:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    forward . /etc/resolv.conf\n    \
                        reload\n    import /etc/coredns/custom/*.override\n}\n";

/// One cluster: its files, and what was seen of it.
pub(crate) struct Fleet {
    /// The settings, by path in the repository.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// The inventory as JSON.
    pub(crate) inventory: Value,
}

impl Fleet {
    /// A generic cluster with this many hosts in namespaces of 100, whose records stand in Git.
    pub(crate) fn of_hosts(count: usize) -> Self {
        let mut cluster = String::from(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\nmetadata: {name: fleet}\nspec:\n  platform: {kind: \
             generic}\n  ingress:\n    class: nginx\n    service: {namespace: ingress-nginx, name: \
             ingress-nginx-controller}\n    clusterDomain: cluster.local\n    proxyProtocol: true\n  host: {engine: \
             static}\n  hostnames:\n    delegations:\n",
        );
        for space in 0..count.div_ceil(100) {
            writeln!(cluster, "    - {{namespaces: [web-{space}], suffixes: [web-{space}.example.net]}}")
                .expect("writing to a String does not fail");
        }
        let ingresses = (0..count).map(web).collect();
        let settings = vec![("clusters/fleet/cluster.yaml", cluster), ("clusters/fleet/pins.yaml", pins())];
        Self { settings, inventory: json!({"host": seen(ingresses), "tenantClusters": []}) }.named()
    }

    /// A cozystack host with this many tenants of forty hosts each, whose records stand in Git.
    pub(crate) fn of_tenants(count: usize) -> Self {
        let mut cluster = String::from(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\nmetadata: {name: fleet}\nspec:\n  platform: {kind: \
             cozystack, version: v1.6.2, values: platform.yaml}\n  tenants:\n    defaults: {delivery: \
             remoteHelmRelease, engine: static}\n  hostnames:\n    delegations:\n",
        );
        let (mut tenants, mut clusters) = (Vec::new(), Vec::new());
        for tenant in 0..count {
            writeln!(cluster, "    - {{namespaces: [tenant-{tenant}], suffixes: [tenant-{tenant}.example.net]}}")
                .expect("writing to a String does not fail");
            let config =
                json!({"use-proxy-protocol": "true", "real-ip-header": "proxy_protocol", "enable-real-ip": "true"});
            let nginx = json!({
                "enabled": true,
                "exposeMethod": "LoadBalancer",
                "valuesOverride": {"ingress-nginx": {"controller": {"config": config}}},
            });
            tenants.push(json!({
                "apiVersion": "apps.cozystack.io/v1alpha1",
                "kind": "Kubernetes",
                "metadata": {"name": "shop", "namespace": format!("tenant-{tenant}")},
                "spec": {"addons": {"ingressNginx": nginx}},
            }));
            let suffix = format!("tenant-{tenant}.example.net");
            let mut cluster = seen((0..40).map(|n| ingress("shop", "nginx", n, &suffix)).collect());
            cluster["namespace"] = json!(format!("tenant-{tenant}"));
            cluster["name"] = json!("shop");
            clusters.push(cluster);
        }
        let inventory = json!({
            "host": seen(vec![ingress("cozy-dashboard", "tenant-root", 0, "example.org")]),
            "tenants": present(tenants),
            "packages": present(Vec::new()),
            "tenantClusters": clusters,
        });
        let settings = vec![
            ("clusters/fleet/cluster.yaml", cluster),
            ("clusters/fleet/pins.yaml", pins()),
            ("clusters/fleet/platform.yaml", PLATFORM.to_owned()),
        ];
        Self { settings, inventory }.named()
    }

    fn named(mut self) -> Self {
        self.inventory["apiVersion"] = json!("bobbypin.dev/v1alpha1");
        self.inventory["kind"] = json!("Inventory");
        self.inventory["metadata"] = json!({"name": "fleet"});
        self.inventory["observedAt"] = json!("2026-11-20T10:00:00Z");
        self.inventory["helmReleases"] = present(Vec::new());
        self
    }

    /// The settings as a commit holds them.
    pub(crate) fn tree(&self) -> Tree {
        let entry = |(path, text): &(&str, String)| {
            (RepoPath::parse(path).expect("a literal that parses"), Entry::File(Arc::from(text.as_bytes())))
        };
        Tree { base: None, entries: self.settings.iter().map(entry).collect::<BTreeMap<_, _>>() }
    }

    /// The inventory as a file of JSON.
    pub(crate) fn json(&self) -> Source {
        source("inventory.json", self.inventory.to_string())
    }

    /// The inventory as a file of YAML.
    pub(crate) fn yaml(&self) -> Source {
        source("inventory.yaml", serde_yaml::to_string(&self.inventory).expect("JSON can be written as YAML"))
    }

    /// What a run is asked.
    pub(crate) fn request(&self) -> Request {
        let now = Timestamp::UNIX_EPOCH;
        let inventory = InventoryFile { source: self.json(), read_at: now };
        Request {
            clusters: Selection::default(),
            inventories: Inventories::Files(vec![inventory]),
            accept_removals: None,
            git_server: None,
            now,
        }
    }

    /// One host more.
    pub(crate) fn add_host(&mut self) {
        let items = self.inventory["host"]["ingresses"]["items"].as_array_mut().expect("a list of Ingresses");
        items.push(web(items.len()));
    }
}

fn pins() -> String {
    PINS.replace("name: edge\n", "name: fleet\n")
}

fn source(path: &str, text: String) -> Source {
    Source { path: path.to_owned(), bytes: Arc::from(text.into_bytes()) }
}

fn seen(ingresses: Vec<Value>) -> Value {
    let corefile = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system"},
        "data": {"Corefile": COREFILE},
    });
    json!({"ingresses": present(ingresses), "dnsConfigMaps": present(vec![corefile])})
}

fn present(items: Vec<Value>) -> Value {
    json!({"state": "Present", "items": items})
}

/// The Ingress of one host of a generic cluster.
fn web(number: usize) -> Value {
    let namespace = format!("web-{}", number / 100);
    ingress(&namespace, "nginx", number, &format!("{namespace}.example.net"))
}

/// An Ingress as the API has it, with the parts that do not decide.
fn ingress(namespace: &str, class: &str, number: usize, suffix: &str) -> Value {
    let name = format!("app-{number:04}");
    let host = format!("{name}.{suffix}");
    let service = json!({"name": name, "port": {"number": 80}});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": format!("{namespace}-{name}"),
            "creationTimestamp": "2026-03-01T08:00:00Z",
            "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt-prod"},
        },
        "spec": {
            "ingressClassName": class,
            "rules": [{
                "host": host,
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": service}}]},
            }],
            "tls": [{"hosts": [host], "secretName": format!("{name}-tls")}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}},
    })
}
