//! The templates and what each of them is given.
//!
//! One struct for every template: its fields are the template's variables, and `Template::meaning` says what the
//! document must turn out to say, whatever the template does with them.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    manifest::Meaning,
    model::{cluster::ChartSignature, object::ObjectId},
    plan::release::Chart,
};

macro_rules! embedded {
    ($path:literal) => {
        ($path, include_str!(concat!("../../templates/", $path)))
    };
}
/// The templates of the program, by path. A test holds the list against the folder `templates`.
pub const EMBEDDED: &[(&str, &str)] = &[
    embedded!("addon/kubernetes.yaml.tera"),
    embedded!("addon/kustomization-emptied.yaml.tera"),
    embedded!("addon/kustomization.yaml.tera"),
    embedded!("host/overlay/package-emptied.yaml.tera"),
    embedded!("host/overlay/package.yaml.tera"),
    embedded!("host/package/oci-repository.yaml.tera"),
    embedded!("host/package/package-source.yaml.tera"),
    embedded!("host/package/package.yaml.tera"),
    embedded!("list/kustomization.yaml.tera"),
    embedded!("records/config-map-emptied.yaml.tera"),
    embedded!("records/config-map.yaml.tera"),
    embedded!("records/kustomization.yaml.tera"),
    embedded!("release/helm-release.yaml.tera"),
    embedded!("release/namespace.yaml.tera"),
    embedded!("release/oci-repository.yaml.tera"),
    embedded!("remote/helm-release-oci.yaml.tera"),
    embedded!("remote/helm-release-platform.yaml.tera"),
];

const KUSTOMIZE: &str = "kustomize.config.k8s.io";
const HELM: &str = "helm.toolkit.fluxcd.io/v2";
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";
const COZYSTACK: &str = "cozystack.io/v1alpha1";
/// Keeps Flux from deleting an object that is dropped from Git.
const PRUNE_DISABLED: &str = "/metadata/annotations/kustomize.toolkit.fluxcd.io~1prune";
/// Keeps Flux from taking over what others wrote into an object.
const SSA: &str = "/metadata/annotations/kustomize.toolkit.fluxcd.io~1ssa";

/// What one template is given.
pub(super) trait Template: Serialize {
    /// The template's path.
    fn path(&self) -> &'static str;

    /// What the document must say.
    fn meaning(&self) -> Meaning;
}

pub(super) fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

fn meaning(object: ObjectId, values: impl IntoIterator<Item = (&'static str, Value)>) -> Meaning {
    let values = values.into_iter().map(|(pointer, value)| (pointer.to_owned(), value));
    Meaning { object, values: values.collect() }
}

/// A list of files or folders.
#[derive(Serialize)]
pub(super) struct List {
    pub(super) resources: Vec<String>,
}

impl Template for List {
    fn path(&self) -> &'static str {
        "list/kustomization.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object(&format!("{KUSTOMIZE}/v1beta1"), "Kustomization", None, ""),
            [("/resources", json!(self.resources))],
        )
    }
}

/// Leaves of ours in the platform's `Package`.
#[derive(Serialize)]
pub(super) struct Overlay<'a> {
    pub(super) name: &'a str,
    pub(super) values: &'a Value,
}

impl Template for Overlay<'_> {
    fn path(&self) -> &'static str {
        "host/overlay/package.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        // The whole spec: any other leaf could be the platform's.
        meaning(
            object(COZYSTACK, "Package", None, self.name),
            [
                ("/spec", json!({"components": {"ouroboros": {"values": self.values}}})),
                (
                    "/metadata",
                    json!({"name": self.name, "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}),
                ),
            ],
        )
    }
}

/// The same object without our leaves.
#[derive(Serialize)]
pub(super) struct OverlayEmptied<'a> {
    pub(super) name: &'a str,
}

impl Template for OverlayEmptied<'_> {
    fn path(&self) -> &'static str {
        "host/overlay/package-emptied.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(object(COZYSTACK, "Package", None, self.name), [(PRUNE_DISABLED, json!("disabled"))])
    }
}

/// A whole `Package`.
#[derive(Serialize)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) values: &'a Value,
}

impl Template for Package<'_> {
    fn path(&self) -> &'static str {
        "host/package/package.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object(COZYSTACK, "Package", None, self.name),
            [("/spec/components", json!({"ouroboros": {"values": self.values}}))],
        )
    }
}

/// A `PackageSource` over the pinned chart.
#[derive(Serialize)]
pub(super) struct PackageSource<'a> {
    pub(super) name: &'a str,
    pub(super) repository: &'a str,
    pub(super) namespace: &'a str,
    pub(super) target_namespace: &'a str,
}

impl Template for PackageSource<'_> {
    fn path(&self) -> &'static str {
        "host/package/package-source.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object(COZYSTACK, "PackageSource", None, self.name),
            [
                ("/spec/sourceRef/name", json!(self.repository)),
                ("/spec/sourceRef/namespace", json!(self.namespace)),
                ("/spec/variants/0/components/0/install/namespace", json!(self.target_namespace)),
            ],
        )
    }
}

/// What Flux makes of the layer of a chart that it pulls.
#[derive(Clone, Copy)]
pub(super) enum Layer {
    /// The archive as it is, for a `HelmRelease`.
    Copy,
    /// The folder that is in it, for a `PackageSource`.
    Extract,
}

/// The chart at its digest.
#[derive(Serialize)]
pub(super) struct OciRepository<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) url: String,
    pub(super) tag: &'a str,
    pub(super) digest: &'a str,
    /// Null: Flux asks for no signature.
    pub(super) verify: Value,
    #[serde(skip)]
    pub(super) layer: Layer,
}

impl<'a> OciRepository<'a> {
    pub(super) fn new(name: &'a str, namespace: &'a str, chart: &'a Chart, layer: Layer) -> Self {
        let url = format!("oci://{}", chart.repository);
        let verify = chart.verify.as_ref().map_or(Value::Null, verify);
        Self { name, namespace, url, tag: &chart.tag, digest: chart.digest.as_str(), verify, layer }
    }
}

/// `spec.verify`, as Flux has it.
fn verify(signature: &ChartSignature) -> Value {
    let mut verify = json!({"provider": "cosign"});
    if let Some(secret) = &signature.secret {
        verify["secretRef"] = json!({"name": secret.as_str()});
    }
    if !signature.identities.is_empty() {
        verify["matchOIDCIdentity"] = json!(signature.identities);
    }
    verify
}

impl Template for OciRepository<'_> {
    fn path(&self) -> &'static str {
        match self.layer {
            Layer::Copy => "release/oci-repository.yaml.tera",
            Layer::Extract => "host/package/oci-repository.yaml.tera",
        }
    }

    fn meaning(&self) -> Meaning {
        let mut values =
            vec![("/spec/url", json!(self.url)), ("/spec/ref", json!({"tag": self.tag, "digest": self.digest}))];
        if !self.verify.is_null() {
            values.push(("/spec/verify", self.verify.clone()));
        }
        meaning(object(SOURCE, "OCIRepository", Some(self.namespace), self.name), values)
    }
}

/// The namespace of the proxy.
#[derive(Serialize)]
pub(super) struct Namespace<'a> {
    pub(super) name: &'a str,
}

impl Template for Namespace<'_> {
    fn path(&self) -> &'static str {
        "release/namespace.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(object("v1", "Namespace", None, self.name), [])
    }
}

/// A release in the cluster that reads it.
#[derive(Serialize)]
pub(super) struct HelmRelease<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) repository: &'a str,
    pub(super) values: &'a Value,
}

impl Template for HelmRelease<'_> {
    fn path(&self) -> &'static str {
        "release/helm-release.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object(HELM, "HelmRelease", Some(self.namespace), self.name),
            [("/spec/chartRef/name", json!(self.repository)), ("/spec/values", self.values.clone())],
        )
    }
}

/// A release that goes into another cluster, with the chart that cozystack ships.
#[derive(Serialize)]
pub(super) struct RemotePlatform<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) target_cluster: &'a str,
    pub(super) kubeconfig_secret: &'a str,
    pub(super) kubeconfig_key: &'a str,
    pub(super) target_namespace: &'a str,
    pub(super) force_upgrade: bool,
    pub(super) depends_on: Value,
    pub(super) values: &'a Value,
}

impl Template for RemotePlatform<'_> {
    fn path(&self) -> &'static str {
        "remote/helm-release-platform.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        let mut upgrade = json!({"remediation": {"retries": -1}});
        if self.force_upgrade {
            upgrade["force"] = json!(true);
        }
        meaning(
            object(HELM, "HelmRelease", Some(self.namespace), self.name),
            [
                ("/spec/kubeConfig/secretRef", json!({"name": self.kubeconfig_secret, "key": self.kubeconfig_key})),
                ("/spec/targetNamespace", json!(self.target_namespace)),
                ("/spec/upgrade", upgrade),
                ("/spec/dependsOn", self.depends_on.clone()),
                ("/spec/values", self.values.clone()),
            ],
        )
    }
}

/// A release that goes into another cluster, with the pinned chart.
#[derive(Serialize)]
pub(super) struct RemoteOci<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) repository: &'a str,
    pub(super) kubeconfig_secret: &'a str,
    pub(super) kubeconfig_key: &'a str,
    pub(super) target_namespace: &'a str,
    pub(super) values: &'a Value,
}

impl Template for RemoteOci<'_> {
    fn path(&self) -> &'static str {
        "remote/helm-release-oci.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object(HELM, "HelmRelease", Some(self.namespace), self.name),
            [
                ("/spec/chartRef/name", json!(self.repository)),
                ("/spec/kubeConfig/secretRef", json!({"name": self.kubeconfig_secret, "key": self.kubeconfig_key})),
                ("/spec/targetNamespace", json!(self.target_namespace)),
                ("/spec/values", self.values.clone()),
            ],
        )
    }
}

/// The component that patches a tenant's object.
#[derive(Serialize)]
pub(super) struct Component<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl Template for Component<'_> {
    fn path(&self) -> &'static str {
        "addon/kustomization.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        let target = json!({
            "group": "apps.cozystack.io", "kind": "Kubernetes", "namespace": self.namespace, "name": self.name,
        });
        meaning(
            object(&format!("{KUSTOMIZE}/v1alpha1"), "Component", None, ""),
            [("/patches", json!([{"path": "kubernetes.yaml", "target": target}]))],
        )
    }
}

/// The same component without a patch.
#[derive(Serialize)]
pub(super) struct ComponentEmptied {}

impl Template for ComponentEmptied {
    fn path(&self) -> &'static str {
        "addon/kustomization-emptied.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(object(&format!("{KUSTOMIZE}/v1alpha1"), "Component", None, ""), [("/patches", json!([]))])
    }
}

/// Our leaves of a tenant's object.
#[derive(Serialize)]
pub(super) struct TenantPatch<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) addons: &'a Value,
}

impl Template for TenantPatch<'_> {
    fn path(&self) -> &'static str {
        "addon/kubernetes.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object("apps.cozystack.io/v1alpha1", "Kubernetes", Some(self.namespace), self.name),
            [("/spec", json!({"addons": self.addons}))],
        )
    }
}

/// Records in a key of ours.
#[derive(Serialize)]
pub(super) struct RecordsMap {
    pub(super) data: Value,
}

impl Template for RecordsMap {
    fn path(&self) -> &'static str {
        "records/config-map.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object("v1", "ConfigMap", Some("kube-system"), "coredns-custom"),
            [("/data", self.data.clone()), (PRUNE_DISABLED, json!("disabled")), (SSA, json!("Merge"))],
        )
    }
}

/// The same object without our key.
#[derive(Serialize)]
pub(super) struct RecordsMapEmptied {}

impl Template for RecordsMapEmptied {
    fn path(&self) -> &'static str {
        "records/config-map-emptied.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object("v1", "ConfigMap", Some("kube-system"), "coredns-custom"),
            [(PRUNE_DISABLED, json!("disabled")), (SSA, json!("Merge"))],
        )
    }
}

/// What brings records into a tenant cluster.
#[derive(Serialize)]
pub(super) struct RecordsKustomization<'a> {
    pub(super) name: String,
    pub(super) namespace: &'a str,
    pub(super) path: String,
    pub(super) source_name: &'a str,
    pub(super) source_namespace: &'a str,
    pub(super) kubeconfig_secret: &'a str,
    pub(super) kubeconfig_key: &'a str,
}

impl Template for RecordsKustomization<'_> {
    fn path(&self) -> &'static str {
        "records/kustomization.yaml.tera"
    }

    fn meaning(&self) -> Meaning {
        meaning(
            object("kustomize.toolkit.fluxcd.io/v1", "Kustomization", Some(self.namespace), &self.name),
            [
                ("/spec/path", json!(self.path)),
                ("/spec/kubeConfig/secretRef", json!({"name": self.kubeconfig_secret, "key": self.kubeconfig_key})),
            ],
        )
    }
}
