//! A healthy cluster of each platform, and what changes when one thing is not as it should be.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    config::problem::Source,
    model::{
        layer::Layer,
        tree::{Entry, RepoPath, Tree},
    },
    ops::{
        decide::{Inventories, Request, clusters, decide},
        doctor::{Check, Publishing, examine},
        load::InventoryFile,
        selection::Selection,
    },
};

const UID: &str = "0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11";
const DIGEST: &str = "sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b";

/// One cluster, as its files and its inventory describe it.
#[derive(Clone)]
pub(super) struct Sample {
    /// `spec` of `cluster.yaml`.
    pub(super) spec: Value,
    /// The platform's values; null: there is no platform.
    values: Value,
    /// The inventory.
    pub(super) inventory: Value,
    /// What else stands in the repository.
    files: BTreeMap<String, String>,
    remote: Option<String>,
    branch: &'static str,
    /// Hours between the inventory and now; `None`: the cluster itself was read.
    age: Option<i64>,
}

impl Sample {
    /// A cozystack with the fix on the host and in one tenant, both delivered.
    pub(super) fn cozystack() -> Self {
        let proxy = |namespace: &str| service(namespace, "ouroboros-proxy", "10.96.0.20");
        let corefile = |domain: &str, import: &str| {
            format!(
                ".:53 {{\n    errors\n    kubernetes {domain} in-addr.arpa ip6.arpa {{\n        pods insecure\n    }}\n    forward . /etc/resolv.conf\n    reload\n{import}}}\n"
            )
        };
        Self {
            spec: json!({
                "access": {"uid": UID},
                "platform": {"kind": "cozystack", "version": "v1.6.2", "values": "platform.yaml"},
                "tenants": {"overrides": [{
                    "namespace": "tenant-acme", "name": "shop", "delivery": "remoteHelmRelease", "engine": "static",
                    "proxyProtocol": true,
                }]},
                "hostnames": {"delegations": [{"namespaces": ["tenant-acme"], "suffixes": ["acme.example.org"]}]},
            }),
            values: json!({"publishing": {"host": "example.org", "proxyProtocol": true}}),
            inventory: json!({
                "apiVersion": "bobbypin.dev/v1alpha1",
                "kind": "Inventory",
                "metadata": {"name": "edge"},
                "observedAt": "2026-11-20T10:00:00Z",
                "uid": UID,
                "host": {
                    "ingresses": present([
                        ingress("cozy-dashboard", "dashboard", "tenant-root", "dashboard.example.org"),
                        ingress("cozy-keycloak", "keycloak", "tenant-root", "keycloak.example.org"),
                    ]),
                    "services": present([
                        service("tenant-root", "root-ingress-controller", "10.96.0.10"),
                        proxy("cozy-ouroboros"),
                    ]),
                    "dnsConfigMaps": present([config_map("coredns", "Corefile", &corefile("cozy.local", ""))]),
                },
                "tenants": present([tenant_object(json!({"ingressNginx": {
                    "enabled": true, "exposeMethod": "LoadBalancer",
                    "valuesOverride": {"ingress-nginx": {"controller": {"config": {"use-proxy-protocol": "true"}}}},
                }}))]),
                "packages": present([package("tenant-root")]),
                "platformSettings": {"state": "Present", "settings": {
                    "cluster-domain": "cozy.local", "expose-ingress": "tenant-root", "gateway-enabled": "false",
                    "load-balancer-class": "", "proxy-protocol": "true", "root-host": "example.org",
                }},
                "helmReleases": present([
                    release("cozy-ouroboros", "ouroboros", json!({"cozystack.io/package": "cozystack.ouroboros"}), None),
                    release(
                        "tenant-acme",
                        "kubernetes-shop-ouroboros",
                        json!({"app.kubernetes.io/managed-by": "bobbypin"}),
                        Some("kubernetes-shop-admin-kubeconfig"),
                    ),
                ]),
                "kustomizations": present([kustomization("./clusters/edge")]),
                "gitRepositories": present([git_repository("ssh://git@git.example.org/platform/fleet.git", "main")]),
                "tenantClusters": [{
                    "namespace": "tenant-acme",
                    "name": "shop",
                    "uid": "uid-of-shop",
                    "ingresses": present([ingress("web", "site", "nginx", "www.acme.example.org")]),
                    "services": present([
                        service("cozy-ingress-nginx", "ingress-nginx-controller", "10.95.0.11"),
                        proxy("cozy-ouroboros"),
                    ]),
                    "dnsConfigMaps": present([config_map(
                        "coredns",
                        "Corefile",
                        &corefile("cluster.local", "    import /etc/coredns/custom/*.override\n"),
                    )]),
                }],
            }),
            files: [("clusters/edge/kustomization.yaml".to_owned(), "resources: [manifests]\n".to_owned())].into(),
            remote: Some("https://git.example.org/platform/fleet".to_owned()),
            branch: "main",
            age: Some(1),
        }
        .delivered()
    }

    /// A cluster of no platform with the fix delivered; a controller writes the records.
    pub(super) fn generic() -> Self {
        let mut sample = Self::cozystack();
        sample.files.retain(|path, _| !path.contains("/manifests/"));
        sample.values = Value::Null;
        sample.spec = json!({
            "access": {"uid": UID},
            "platform": {"kind": "generic"},
            "ingress": {
                "class": "nginx",
                "service": {"namespace": "ingress-nginx", "name": "ingress-nginx-controller"},
                "clusterDomain": "cluster.local",
                "proxyProtocol": true,
            },
        });
        for gone in ["tenants", "packages", "platformSettings", "tenantClusters"] {
            sample.inventory.as_object_mut().expect("a map").remove(gone);
        }
        sample
            .seen("/host/ingresses", present([ingress("web", "site", "nginx", "www.example.net")]))
            .seen("/host/services", present([
                service("ingress-nginx", "ingress-nginx-controller", "10.96.0.10"),
                service("ouroboros", "ouroboros-proxy", "10.96.0.20"),
            ]))
            .seen("/host/dnsConfigMaps", present([config_map(
                "coredns",
                "Corefile",
                ".:53 {\n    kubernetes cluster.local in-addr.arpa\n    forward . /etc/resolv.conf\n    reload\n}\n",
            )]))
            .seen("/helmReleases", present([
                release("ouroboros", "ouroboros", json!({"app.kubernetes.io/managed-by": "bobbypin"}), None),
            ]))
            .delivered()
    }

    /// Puts a value at a JSON pointer of the settings; null takes it away.
    pub(super) fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.spec, pointer, value);
        self
    }

    /// Puts a value at a JSON pointer of the platform's values.
    pub(super) fn platform(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.values, pointer, value);
        self
    }

    /// Puts a value at a JSON pointer of the inventory; null takes it away.
    pub(super) fn seen(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.inventory, pointer, value);
        self
    }

    /// Adds an object to a list of the inventory.
    pub(super) fn more(mut self, source: &str, object: Value) -> Self {
        let items = self.inventory.pointer_mut(&format!("{source}/items")).and_then(Value::as_array_mut);
        items.expect("a source that was read").push(object);
        self
    }

    /// Gives the host this Corefile, after a change.
    pub(super) fn corefile(self, at: &str, old: &str, new: &str) -> Self {
        let pointer = format!("{at}/dnsConfigMaps/items/0/data/Corefile");
        let text = self.inventory.pointer(&pointer).and_then(Value::as_str).expect("a Corefile").to_owned();
        assert!(text.contains(old), "{text}");
        self.seen(&pointer, json!(text.replace(old, new)))
    }

    /// Writes a file; an empty text takes it away.
    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.remove(path);
        if !text.is_empty() {
            self.files.insert(path.to_owned(), text.to_owned());
        }
        self
    }

    /// Publishes elsewhere.
    pub(super) fn published(self, remote: Option<&str>, branch: &'static str) -> Self {
        Self { remote: remote.map(str::to_owned), branch, ..self }
    }

    /// Lets hours go by since the inventory; `None`: the cluster itself was read.
    pub(super) fn aged(self, age: Option<i64>) -> Self {
        Self { age, ..self }
    }

    /// Commits what is decided.
    pub(super) fn delivered(mut self) -> Self {
        let decided = decide(&self.tree(), &self.request()).unwrap_or_else(|error| panic!("{error:#?}"));
        for file in decided.changes.files {
            if let Some(bytes) = file.new {
                self.files.insert(file.path.to_string(), String::from_utf8(bytes.to_vec()).expect("UTF-8"));
            }
        }
        self
    }

    fn tree(&self) -> Tree {
        let document = |kind: &str, spec: &Value| {
            json!({"apiVersion": "bobbypin.dev/v1alpha1", "kind": kind, "metadata": {"name": "edge"}, "spec": spec})
                .to_string()
        };
        let mut files = self.files.clone();
        files.insert("clusters/edge/cluster.yaml".to_owned(), document("Cluster", &self.spec));
        files.insert("clusters/edge/pins.yaml".to_owned(), document("Pins", &json!({"pins": pins()})));
        if !self.values.is_null() {
            let spec = json!({"variant": "isp-full", "components": {"platform": {"values": self.values}}});
            let package = json!({
                "apiVersion": "cozystack.io/v1alpha1", "kind": "Package",
                "metadata": {"name": "cozystack.cozystack-platform"}, "spec": spec,
            });
            files.insert("clusters/edge/platform.yaml".to_owned(), package.to_string());
        }
        let entry = |(path, text): (&String, &String)| {
            (RepoPath::parse(path).expect("a lawful path"), Entry::File(Arc::from(text.as_bytes())))
        };
        Tree { base: None, entries: files.iter().map(entry).collect() }
    }

    fn request(&self) -> Request {
        let bytes = self.inventory.to_string().into_bytes().into();
        let now = Timestamp::UNIX_EPOCH;
        let file = InventoryFile { source: Source { path: "inventory.json".to_owned(), bytes }, read_at: now };
        let files = if self.inventory.is_null() { Vec::new() } else { vec![file] };
        Request {
            clusters: Selection::default(),
            inventories: Inventories::Files(files),
            accept_removals: None,
            git_server: None,
            now,
        }
    }

    /// Looks at it.
    pub(super) fn checks(&self) -> Vec<Check> {
        let tree = self.tree();
        let clusters = clusters(&tree, &self.request()).unwrap_or_else(|error| panic!("{error:#?}"));
        let publishing = Publishing { remote: self.remote.as_deref(), branch: self.branch };
        let recorded: Timestamp = "2026-11-20T10:00:00Z".parse().expect("a literal that parses");
        let now = self.age.map(|hours| recorded + jiff::SignedDuration::from_hours(hours));
        examine(&clusters[0], &tree, &publishing, now)
    }

    /// All that is said, a line each.
    pub(super) fn told(&self) -> Vec<String> {
        self.checks().iter().map(line).collect()
    }
}

/// For every change of a healthy sample what is said that was not said before, and how much is not said any more.
pub(super) fn changes<const N: usize>(healthy: &Sample, changes: [(&str, Sample); N]) -> String {
    let before = healthy.told();
    let mut text = String::new();
    for (name, sample) in changes {
        let after = sample.told();
        text.push_str(&format!("# {name}\n"));
        for line in after.iter().filter(|line| !before.contains(line)) {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

fn line(check: &Check) -> String {
    let layer = check.layer.as_ref().map_or_else(|| "cluster".to_owned(), Layer::to_string);
    let hazard = check.hazard.map_or_else(String::new, |hazard| format!(" {hazard}"));
    let fix = check.fix.as_ref().map_or_else(String::new, |fix| format!(" => {fix}"));
    format!("{} {}{hazard} ({layer}) {}: {}{fix}", check.verdict.as_str(), check.id, check.subject, check.evidence)
}

fn set(target: &mut Value, pointer: &str, value: Value) {
    let (path, key) = pointer.rsplit_once('/').expect("a pointer begins with /");
    let mut at = target;
    for part in path.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    match (value, key.parse::<usize>()) {
        (Value::Null, Ok(index)) => drop(at.as_array_mut().expect("a list").remove(index)),
        (Value::Null, Err(_)) => drop(at.as_object_mut().expect("a map").remove(key)),
        (value, Ok(index)) => at[index] = value,
        (value, Err(_)) => at[key] = value,
    }
}

/// A source that was read.
pub(super) fn present<const N: usize>(items: [Value; N]) -> Value {
    json!({"state": "Present", "items": items.to_vec()})
}

/// A source that could not be read.
pub(super) fn forbidden() -> Value {
    json!({"state": "Unknown", "reason": "Forbidden", "message": "no right to list it"})
}

pub(super) fn ingress(namespace: &str, name: &str, class: &str, host: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"ingressClassName": class, "rules": [{"host": host}], "tls": [{"hosts": [host]}]},
    })
}

pub(super) fn service(namespace: &str, name: &str, address: &str) -> Value {
    json!({
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address]},
    })
}

pub(super) fn config_map(name: &str, key: &str, value: &str) -> Value {
    json!({"metadata": {"namespace": "kube-system", "name": name}, "data": {key: value}})
}

/// The platform's live Package, with our class in it; an empty class is none.
pub(super) fn package(class: &str) -> Value {
    let values = json!({"ouroboros": {"controller": {"ingressClass": class}}});
    json!({
        "metadata": {"name": "cozystack.ouroboros"},
        "spec": {"variant": "default", "components": {"ouroboros": {"values": values}}},
    })
}

pub(super) fn tenant_object(addons: Value) -> Value {
    json!({"metadata": {"namespace": "tenant-acme", "name": "shop"}, "spec": {"addons": addons}})
}

/// The condition of an object that is as it should be.
pub(super) fn ready() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "done"}]})
}

/// The condition of one that is not.
pub(super) fn not_ready(reason: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": "False", "reason": reason, "message": message}]})
}

pub(super) fn release(namespace: &str, name: &str, labels: Value, kubeconfig: Option<&str>) -> Value {
    let storage = if namespace == "tenant-acme" { "cozy-ouroboros" } else { namespace };
    let mut spec = json!({"releaseName": "ouroboros", "targetNamespace": storage, "storageNamespace": storage});
    if let Some(secret) = kubeconfig {
        spec["kubeConfig"] = json!({"secretRef": {"name": secret}});
    }
    json!({"metadata": {"namespace": namespace, "name": name, "labels": labels}, "spec": spec, "status": ready()})
}

pub(super) fn kustomization(path: &str) -> Value {
    let mut status = ready();
    status["lastAppliedRevision"] = json!("main@sha1:0123456");
    json!({
        "metadata": {"namespace": "flux-system", "name": "flux-system"},
        "spec": {"path": path, "prune": true, "sourceRef": {"kind": "GitRepository", "name": "flux-system"}},
        "status": status,
    })
}

pub(super) fn git_repository(url: &str, branch: &str) -> Value {
    json!({
        "metadata": {"namespace": "flux-system", "name": "flux-system"},
        "spec": {"url": url, "ref": {"branch": branch}},
        "status": ready(),
    })
}

fn pins() -> Value {
    let image = "application/vnd.oci.image.index.v1+json";
    let chart = "application/vnd.cncf.helm.config.v1+json";
    json!([
        {"name": "cleanup-hook-image", "reference": "mirror.gcr.io/alpine/kubectl", "tag": "1.36.1", "digest": DIGEST, "mediaType": image},
        {"name": "ouroboros-chart", "reference": "ghcr.io/lexfrei/charts/ouroboros", "tag": "0.8.1", "digest": DIGEST, "mediaType": chart},
        {"name": "ouroboros-image", "reference": "ghcr.io/lexfrei/ouroboros", "tag": "0.8.1", "digest": DIGEST, "mediaType": image},
    ])
}
