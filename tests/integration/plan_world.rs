//! A repository in memory, an inventory, and what is decided about them: what the tests of the plan have in common.
//!
//! Everything goes in as text, through the same function that the commands call; "commit" puts the changes into the tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bobbypin::{
    config::problem::Source,
    model::{
        digest::Digest,
        tree::{Entry, RepoPath, Tree},
    },
    ops::{
        decide::{DecideError, Decided, Inventories, Request, decide},
        load::InventoryFile,
        selection::Selection,
    },
    plan::{Decision, LayerPlan, decision::HoldCause},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Where every cluster of these tests lives.
pub(crate) const FOLDER: &str = "clusters/edge";

const DIGEST: &str = "sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b";

/// One cluster, as its files and its inventory describe it.
#[derive(Clone)]
pub(crate) struct World {
    /// `spec` of `cluster.yaml`.
    pub(crate) spec: Value,
    /// `platform.yaml`; null: there is none.
    pub(crate) platform: Value,
    /// `spec.pins` of `pins.yaml`.
    pub(crate) pins: Value,
    /// The inventory without its time.
    pub(crate) inventory: Value,
    /// Minutes since the story began.
    pub(crate) minute: i64,
    /// What a person accepts.
    pub(crate) accept: Option<Digest>,
    /// What else is committed.
    pub(crate) tree: Tree,
}

impl World {
    /// A cozystack with PROXY protocol on, an empty but complete inventory, and no tenant.
    pub(crate) fn cozystack(version: &str) -> Self {
        Self {
            spec: json!({"platform": {"kind": "cozystack", "version": version, "values": "platform.yaml"}}),
            platform: package(
                "cozystack.cozystack-platform",
                json!({"variant": "isp-full", "components": {"platform": {"values": {
                    "publishing": {"host": "example.org", "proxyProtocol": true},
                }}}}),
            ),
            pins: pins(),
            inventory: json!({
                "apiVersion": "bobbypin.dev/v1alpha1",
                "kind": "Inventory",
                "metadata": {"name": "edge"},
                "uid": "uid-of-edge",
                "host": cluster(&[], Some(HOST_COREFILE)),
                "tenants": present(json!([])),
                "packages": present(json!([])),
                "helmReleases": present(json!([])),
                "tenantClusters": [],
            }),
            minute: 0,
            accept: None,
            tree: Tree::default(),
        }
    }

    /// A cluster of no platform with PROXY protocol on.
    pub(crate) fn generic() -> Self {
        let spec = json!({"platform": {"kind": "generic"}, "ingress": ingress_config()});
        Self { spec, platform: Value::Null, ..Self::cozystack("v1.6.2") }
    }

    /// Puts a value at a JSON pointer of the settings.
    #[must_use]
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.spec, pointer, value);
        self
    }

    /// Puts a value at a JSON pointer of the platform's values.
    #[must_use]
    pub(crate) fn platform(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.platform["spec"]["components"]["platform"]["values"], pointer, value);
        self
    }

    /// Puts a value at a JSON pointer of the inventory.
    #[must_use]
    pub(crate) fn seen(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.inventory, pointer, value);
        self
    }

    /// Lists a tenant in the settings and shows it in the inventory, with its cluster.
    #[must_use]
    pub(crate) fn tenant(self, entry: Value, addons: Value, hosts: &[&str]) -> Self {
        let listed = self.spec.pointer("/tenants/overrides").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut entry = entry;
        entry["namespace"] = json!("tenant-acme");
        entry["name"] = json!("shop");
        let overrides: Vec<_> = listed.into_iter().chain([entry]).collect();
        self.with("/tenants/overrides", json!(overrides)).shown(addons, hosts)
    }

    /// Shows the tenant in the inventory, with its cluster.
    #[must_use]
    pub(crate) fn shown(self, addons: Value, hosts: &[&str]) -> Self {
        let mut cluster = cluster(&[("shop", "web", hosts)], Some(TENANT_COREFILE));
        cluster["namespace"] = json!("tenant-acme");
        cluster["name"] = json!("shop");
        self.seen("/tenants", present(json!([tenant_object(addons)]))).seen("/tenantClusters", json!([cluster]))
    }

    /// Lets time go by.
    #[must_use]
    pub(crate) fn later(mut self, minutes: i64) -> Self {
        self.minute += minutes;
        self
    }

    /// Writes a file of a person.
    #[must_use]
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.tree.entries.insert(repo_path(path), Entry::File(Arc::from(text.as_bytes())));
        self
    }

    /// The tree with the inputs in it.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = self.tree.clone();
        let mut add = |name: &str, value: &Value| {
            let text = serde_json::to_string_pretty(value).expect("plain data");
            tree.entries.insert(repo_path(&format!("{FOLDER}/{name}")), Entry::File(Arc::from(text.as_bytes())));
        };
        let document = |kind: &str, spec: &Value| json!({"apiVersion": "bobbypin.dev/v1alpha1", "kind": kind, "metadata": {"name": "edge"}, "spec": spec});
        add("cluster.yaml", &document("Cluster", &self.spec));
        add("pins.yaml", &document("Pins", &json!({"pins": self.pins})));
        if !self.platform.is_null() {
            add("platform.yaml", &self.platform);
        }
        tree
    }

    /// Decides.
    pub(crate) fn decide(&self) -> Result<Decided, DecideError> {
        let mut inventory = self.inventory.clone();
        inventory["observedAt"] = json!(time(self.minute).to_string());
        self.decide_with(&serde_json::to_string(&inventory).expect("plain data"))
    }

    /// Decides, with the inventory as a text.
    pub(crate) fn decide_with(&self, inventory: &str) -> Result<Decided, DecideError> {
        let source = Source { path: "inventory.yaml".to_owned(), bytes: Arc::from(inventory.as_bytes()) };
        let request = Request {
            clusters: Selection::default(),
            inventories: Inventories::Files(vec![InventoryFile { source, read_at: time(self.minute) }]),
            accept_removals: self.accept.clone(),
            git_server: None,
            now: time(self.minute),
        };
        decide(&self.tree(), &request)
    }

    /// Decides, and fails the test when nothing can be decided.
    pub(crate) fn decided(&self) -> Decided {
        self.decide().unwrap_or_else(|error| panic!("{error}: {error:#?}\n{:#}", self.spec))
    }

    /// Decides and puts the changes into the tree.
    #[must_use]
    pub(crate) fn commit(mut self) -> Self {
        for file in self.decided().changes.files {
            match file.new {
                Some(bytes) => self.tree.entries.insert(file.path, Entry::File(bytes)),
                None => self.tree.entries.remove(&file.path),
            };
        }
        self
    }

    /// Commits, and lets so much time go by that every CoreDNS has in use what the cluster shows.
    #[must_use]
    pub(crate) fn settled(self) -> Self {
        self.commit().later(5)
    }

    /// The decision about the host, in one line.
    pub(crate) fn host(&self) -> String {
        line(&self.decided(), 0)
    }

    /// The decision about the one tenant, in one line.
    pub(crate) fn tenant_line(&self) -> String {
        line(&self.decided(), 1)
    }

    /// The text of a committed file below `manifests/`.
    pub(crate) fn committed(&self, path: &str) -> Option<String> {
        let bytes = self.tree.file(&format!("{FOLDER}/manifests/{path}"))?;
        Some(String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8"))
    }

    /// The committed files below a folder of `manifests/`.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = format!("{FOLDER}/manifests/{folder}");
        self.tree.below(&root).map(|(path, _)| path.below(&root).expect("it is below").to_owned()).collect()
    }

    /// The committed data of the ConfigMap with records of a layer's folder.
    pub(crate) fn data(&self, folder: &str) -> BTreeMap<String, String> {
        let file = if folder == "host" { "coredns-custom.yaml" } else { "cluster/coredns-custom.yaml" };
        let Some(text) = self.committed(&format!("{folder}/{file}")) else { return BTreeMap::new() };
        let value: Value = serde_yaml::from_str(&text).expect("the program writes YAML");
        serde_json::from_value(value["data"].clone()).unwrap_or_default()
    }

    /// The hosts of the committed records of a layer's folder.
    pub(crate) fn records(&self, folder: &str) -> BTreeSet<String> {
        let file = if folder == "host" { "coredns-custom.yaml" } else { "cluster/coredns-custom.yaml" };
        let text = self.committed(&format!("{folder}/{file}")).unwrap_or_default();
        let words = text.lines().filter_map(|line| match line.trim().split(' ').collect::<Vec<_>>()[..] {
            ["rewrite", "name", host, _] => Some(host),
            [address, host] => address.parse::<std::net::IpAddr>().is_ok().then_some(host),
            _ => None,
        });
        words.map(str::to_owned).collect()
    }
}

/// The folder of the tenant of these tests.
pub(crate) const TENANT: &str = "tenants/tenant-acme/shop";

/// A Corefile as Talos has it: without an import line.
pub(crate) const HOST_COREFILE: &str = ".:53 {\n    kubernetes cozy.local\n    reload\n}\n";

/// A Corefile as the platform gives to tenants.
pub(crate) const TENANT_COREFILE: &str =
    ".:53 {\n    kubernetes cluster.local cozy.local\n    reload\n    import /etc/coredns/custom/*.override\n}\n";

/// The same, with a `hosts` that reads our key.
pub(crate) const HOSTS_COREFILE: &str = ".:53 {\n    kubernetes cluster.local cozy.local\n    reload\n    import \
                                         /etc/coredns/custom/*.override\n    hosts /etc/coredns/custom/bobbypin.hosts \
                                         {\n        ttl 30\n        no_reverse\n        fallthrough\n    }\n}\n";

/// One line: the word, the code, and for a delivery the way; for a withdrawal what goes in two steps.
pub(crate) fn line(decided: &Decided, index: usize) -> String {
    let layers = &decided.plans[0].layers;
    layers.get(index).map_or_else(|| "none".to_owned(), describe)
}

fn describe(layer: &LayerPlan) -> String {
    let decision = &layer.decision;
    let mut words = vec![decision.word().to_owned(), decision.reason().code.to_owned()];
    let withdrawn = match decision {
        Decision::Deliver { release, withdraw, .. } => {
            words.push(release.delivery(&layer.layer).to_owned());
            withdraw.clone()
        }
        Decision::Remove { withdraw, .. } => withdraw.clone(),
        Decision::Hold { cause, .. } => {
            if *cause != HoldCause::Settings {
                words.push(format!("{cause:?}"));
            }
            BTreeSet::new()
        }
    };
    words.extend(withdrawn.iter().map(|step| format!("-{step:?}")));
    words.join(" ")
}

/// The rules of all findings, sorted, each once.
pub(crate) fn rules(decided: &Decided) -> Vec<&'static str> {
    let rules: BTreeSet<_> = decided.plans[0].findings.iter().map(|finding| finding.rule).collect();
    rules.into_iter().collect()
}

/// A source that was read completely.
pub(crate) fn present(items: Value) -> Value {
    json!({"state": "Present", "items": items})
}

/// A source that could not be read.
pub(crate) fn unknown() -> Value {
    json!({"state": "Unknown", "reason": "Forbidden", "message": "no right to list it"})
}

/// What a cluster holds: Ingresses of the class `tenant-root`, and its DNS.
pub(crate) fn cluster(ingresses: &[(&str, &str, &[&str])], corefile: Option<&str>) -> Value {
    let items: Vec<_> =
        ingresses.iter().map(|(namespace, name, hosts)| ingress(namespace, name, "tenant-root", hosts)).collect();
    let maps: Vec<_> = corefile.map(|corefile| config_map("coredns", "Corefile", corefile)).into_iter().collect();
    json!({"ingresses": present(json!(items)), "dnsConfigMaps": present(json!(maps))})
}

/// A ConfigMap of `kube-system` with one key.
pub(crate) fn config_map(name: &str, key: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "kube-system"}, "data": {key: value}})
}

/// An Ingress with TLS for every host.
pub(crate) fn ingress(namespace: &str, name: &str, class: &str, hosts: &[&str]) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}-{name}"), "creationTimestamp": "2026-03-01T08:00:00Z"},
        "spec": {
            "ingressClassName": class,
            "rules": hosts.iter().map(|host| json!({"host": host})).collect::<Vec<_>>(),
            "tls": [{"hosts": hosts}],
        },
    })
}

/// A Service with addresses.
pub(crate) fn service(namespace: &str, name: &str, addresses: &[&str]) -> Value {
    let mut spec = json!({"type": "ClusterIP", "clusterIPs": addresses});
    if let Some(first) = addresses.first() {
        spec["clusterIP"] = json!(first);
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name}, "spec": spec})
}

/// A live HelmRelease of `release` in `namespace`, with labels and a kubeconfig.
pub(crate) fn helm_release(namespace: &str, name: &str, storage: &str, labels: Value, kube_config: Value) -> Value {
    let mut spec = json!({"releaseName": "ouroboros", "targetNamespace": storage, "storageNamespace": storage});
    if !kube_config.is_null() {
        spec["kubeConfig"] = kube_config;
    }
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": spec,
    })
}

/// A live Package.
pub(crate) fn package(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "cozystack.io/v1alpha1", "kind": "Package", "metadata": {"name": name}, "spec": spec})
}

/// The tenant's object.
pub(crate) fn tenant_object(addons: Value) -> Value {
    json!({
        "apiVersion": "apps.cozystack.io/v1alpha1",
        "kind": "Kubernetes",
        "metadata": {"namespace": "tenant-acme", "name": "shop"},
        "spec": {"addons": addons},
    })
}

/// Add-ons with an ingress controller that accepts PROXY headers.
pub(crate) fn proxied() -> Value {
    json!({"ingressNginx": {
        "enabled": true,
        "exposeMethod": "LoadBalancer",
        "valuesOverride": {"ingress-nginx": {"controller": {"config": {"use-proxy-protocol": "true"}}}},
    }})
}

/// Add-ons with an ingress controller that knows nothing of PROXY headers.
pub(crate) fn plain() -> Value {
    json!({"ingressNginx": {"enabled": true, "exposeMethod": "LoadBalancer"}})
}

/// An ingress controller of a cluster of no platform.
pub(crate) fn ingress_config() -> Value {
    json!({
        "class": "tenant-root",
        "service": {"namespace": "ingress-nginx", "name": "ingress-nginx-controller"},
        "clusterDomain": "cluster.local",
        "proxyProtocol": true,
    })
}

/// The pins that a cluster needs.
pub(crate) fn pins() -> Value {
    let image = "application/vnd.oci.image.index.v1+json";
    let chart = "application/vnd.cncf.helm.config.v1+json";
    json!([
        {"name": "cleanup-hook-image", "reference": "mirror.gcr.io/alpine/kubectl", "tag": "1.36.1", "digest": DIGEST, "mediaType": image},
        {"name": "ouroboros-chart", "reference": "ghcr.io/lexfrei/charts/ouroboros", "tag": "0.8.1", "digest": DIGEST, "mediaType": chart},
        {"name": "ouroboros-image", "reference": "ghcr.io/lexfrei/ouroboros", "tag": "0.8.1", "digest": DIGEST, "mediaType": image},
    ])
}

/// The moment so many minutes after the story began.
pub(crate) fn time(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 60 * minute).expect("a time of this century")
}

/// A path that is known to be lawful.
pub(crate) fn repo_path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("a literal that parses")
}

/// Puts a value at a JSON pointer, making the maps on the way; null takes away what is there.
pub(crate) fn set(target: &mut Value, pointer: &str, value: Value) {
    let (path, key) = pointer.rsplit_once('/').expect("a pointer begins with /");
    let mut at = target;
    for part in path.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    if value.is_null() {
        at.as_object_mut().map(|map| map.remove(key));
    } else {
        at[key] = value;
    }
}
