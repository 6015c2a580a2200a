//! Kubernetes objects, cut to what decides, straight from the text.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{
    Deserialize,
    de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{
    config::{
        inventory::{
            package,
            spec::{Spec, Status, config_map, texts_by_key},
        },
        kubernetes::leaf::{At, Fault, Leaf, Read, Shape, Shaped},
    },
    model::{
        inventory::{
            GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject, ObjectMeta,
            RouteObject, ServiceObject, TenantObject,
        },
        layer::TenantId,
    },
};

/// The kinds that an inventory knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `networking.k8s.io` Ingress.
    Ingress,
    /// `gateway.networking.k8s.io` Gateway.
    Gateway,
    /// `gateway.networking.k8s.io` HTTPRoute.
    HttpRoute,
    /// `gateway.networking.k8s.io` TLSRoute.
    TlsRoute,
    /// Service of the core group.
    Service,
    /// ConfigMap of the core group.
    ConfigMap,
    /// `apps.cozystack.io` Kubernetes: a tenant cluster.
    Tenant,
    /// `bobbypin.dev` Tenant: a tenant cluster that was found by the Secret with its kubeconfig. In snapshots only.
    KubeconfigTenant,
    /// Secret of the core group, but for what is in it: `meta.k8s.io` PartialObjectMetadata. In answers only.
    SecretMetadata,
    /// `cozystack.io` Package.
    Package,
    /// `helm.toolkit.fluxcd.io` HelmRelease.
    HelmRelease,
    /// `kustomize.toolkit.fluxcd.io` Kustomization.
    Kustomization,
    /// `source.toolkit.fluxcd.io` GitRepository.
    GitRepository,
}

impl Kind {
    /// Those that stand in files.
    const IN_FILES: [Self; 12] = [
        Self::Ingress,
        Self::Gateway,
        Self::HttpRoute,
        Self::TlsRoute,
        Self::Service,
        Self::ConfigMap,
        Self::Tenant,
        Self::KubeconfigTenant,
        Self::Package,
        Self::HelmRelease,
        Self::Kustomization,
        Self::GitRepository,
    ];

    /// The API version that is written, and the kind. In what is read, only the group counts.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ingress => ("networking.k8s.io/v1", "Ingress"),
            Self::Gateway => ("gateway.networking.k8s.io/v1", "Gateway"),
            Self::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            Self::TlsRoute => ("gateway.networking.k8s.io/v1alpha2", "TLSRoute"),
            Self::Service => ("v1", "Service"),
            Self::ConfigMap => ("v1", "ConfigMap"),
            Self::Tenant => ("apps.cozystack.io/v1alpha1", "Kubernetes"),
            Self::KubeconfigTenant => ("bobbypin.dev/v1alpha1", "Tenant"),
            Self::SecretMetadata => ("meta.k8s.io/v1", "PartialObjectMetadata"),
            Self::Package => ("cozystack.io/v1alpha1", "Package"),
            Self::HelmRelease => ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            Self::Kustomization => ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
            Self::GitRepository => ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        }
    }

    pub(super) fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::IN_FILES.into_iter().find(|known| {
            let (known_version, known_kind) = known.names();
            known_kind == kind && group(known_version) == group(api_version)
        })
    }

    /// Whether a controller says in `status` how far it is.
    const fn has_progress(self) -> bool {
        matches!(self, Self::HelmRelease | Self::Kustomization | Self::GitRepository)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().1)
    }
}

/// The API group; empty for the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The ConfigMaps of `kube-system` that DNS reads.
pub const DNS_CONFIG_MAPS: [&str; 3] = ["coredns", "coredns-custom", "node-local-dns"];

/// A ConfigMap that every namespace of a live cluster has. A list that shows it was not made by naming ConfigMaps.
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";

/// A Secret without what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMetadata {
    /// Whose it is.
    pub meta: ObjectMeta,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

/// One object, with all that is wrong with it.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) at: At,
    /// The keys are relative to the object.
    pub(super) faults: Vec<Fault>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Ingress(IngressObject),
    Gateway(GatewayObject),
    HttpRoute(RouteObject),
    TlsRoute(RouteObject),
    Service(ServiceObject),
    /// A ConfigMap of `kube-system` that DNS reads, or [`ROOT_CA`] without its data.
    ConfigMap(String, BTreeMap<String, String>),
    Tenant(TenantId, TenantObject),
    SecretMetadata(SecretMetadata),
    Package(String, Value),
    HelmRelease(Box<HelmReleaseObject>),
    Kustomization(Box<KustomizationObject>),
    GitRepository(Box<GitRepositoryObject>),
    /// Nothing that an inventory is about.
    Foreign,
    /// `null` in a list.
    Nothing,
    /// What a list of the API server itself holds: the list says the kind, its items do not.
    Kindless(Box<Raw>),
    /// See the faults.
    Broken,
}

impl Content {
    /// The kind, of what is whole and known.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Ingress(_) => Some(Kind::Ingress),
            Self::Gateway(_) => Some(Kind::Gateway),
            Self::HttpRoute(_) => Some(Kind::HttpRoute),
            Self::TlsRoute(_) => Some(Kind::TlsRoute),
            Self::Service(_) => Some(Kind::Service),
            Self::ConfigMap(..) => Some(Kind::ConfigMap),
            Self::Tenant(_, TenantObject::Kubernetes { .. }) => Some(Kind::Tenant),
            Self::Tenant(_, TenantObject::Kubeconfig(_)) => Some(Kind::KubeconfigTenant),
            Self::SecretMetadata(_) => Some(Kind::SecretMetadata),
            Self::Package(..) => Some(Kind::Package),
            Self::HelmRelease(_) => Some(Kind::HelmRelease),
            Self::Kustomization(_) => Some(Kind::Kustomization),
            Self::GitRepository(_) => Some(Kind::GitRepository),
            Self::Foreign | Self::Nothing | Self::Kindless(_) | Self::Broken => None,
        }
    }

    /// Whose it is, of what the model keeps with its namespace and name.
    pub(super) fn meta_mut(&mut self) -> Option<&mut ObjectMeta> {
        match self {
            Self::Ingress(ingress) => Some(&mut ingress.meta),
            Self::Gateway(gateway) => Some(&mut gateway.meta),
            Self::HttpRoute(route) | Self::TlsRoute(route) => Some(&mut route.meta),
            Self::Service(service) => Some(&mut service.meta),
            Self::SecretMetadata(secret) => Some(&mut secret.meta),
            Self::HelmRelease(release) => Some(&mut release.meta),
            Self::Kustomization(kustomization) => Some(&mut kustomization.meta),
            Self::GitRepository(repository) => Some(&mut repository.meta),
            Self::ConfigMap(..)
            | Self::Tenant(..)
            | Self::Package(..)
            | Self::Foreign
            | Self::Nothing
            | Self::Kindless(_)
            | Self::Broken => None,
        }
    }
}

impl Object {
    fn of(leaf: Leaf<Raw>) -> Self {
        let at = leaf.at;
        match leaf.read {
            Read::Value(raw) => raw.finish(at),
            Read::Nothing => Self { at, faults: vec![], content: Content::Nothing },
            Read::Wrong(found) => {
                let fault = Fault { at, key: String::new(), message: format!("an object is a mapping, not {found}") };
                Self { at, faults: vec![fault], content: Content::Broken }
            }
        }
    }

    /// The object, when the list that it stands in says what it is.
    pub(super) fn with_kind(self, api_version: &str, kind: &str) -> Self {
        match self.content {
            Content::Kindless(mut raw) => {
                let text = |text: &str| Leaf { at: self.at, read: Read::Value(text.to_owned()) };
                raw.api_version = text(api_version);
                raw.kind = text(kind);
                raw.finish(self.at)
            }
            content => Self { content, ..self },
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Leaf::deserialize(deserializer).map(Self::of)
    }
}

/// An object as it stands in the text, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) api_version: Leaf<String>,
    pub(super) kind: Leaf<String>,
    pub(super) metadata: Leaf<Metadata>,
    spec: Leaf<Spec>,
    /// `spec` as it is, of a Package.
    whole_spec: Leaf<Map<String, Value>>,
    status: Leaf<Status>,
    data: Leaf<BTreeMap<String, Leaf<String>>>,
}

impl Raw {
    /// Reads the value of one key of an object, of which only this kind's fields are built when the kind is known already.
    pub(super) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        key: &str,
        known: Option<Option<Kind>>,
        entries: &mut A,
    ) -> Result<(), A::Error> {
        match key {
            "apiVersion" => self.api_version = entries.next_value()?,
            "kind" => self.kind = entries.next_value()?,
            "metadata" => self.metadata = entries.next_value()?,
            "spec" => match known {
                Some(Some(Kind::Package)) => self.whole_spec = entries.next_value()?,
                Some(None | Some(Kind::ConfigMap | Kind::SecretMetadata)) => {
                    entries.next_value::<IgnoredAny>()?;
                }
                Some(Some(_)) => self.spec = entries.next_value()?,
                // Nobody writes the kind last, but it is lawful.
                None => {
                    let value: Leaf<Value> = entries.next_value()?;
                    let at = value.at;
                    if let Read::Value(value) = value.read {
                        let spec: Leaf<Spec> = serde_json::from_value(value.clone()).map_err(Error::custom)?;
                        self.spec = Leaf { at, ..spec };
                        let whole: Leaf<Map<String, Value>> = serde_json::from_value(value).map_err(Error::custom)?;
                        self.whole_spec = Leaf { at, ..whole };
                    }
                }
            },
            "status" if known.is_none_or(|kind| kind.is_some_and(Kind::has_progress)) => {
                self.status = entries.next_value()?;
            }
            // JSON with sorted keys has it before the kind.
            "data" if matches!(known, None | Some(Some(Kind::ConfigMap))) => {
                self.data = entries.next_value()?;
            }
            _ => {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// The kind, when it was read already; `Some(None)` for a foreign one.
    pub(super) fn known_kind(&self) -> Option<Option<Kind>> {
        match (&self.api_version.read, &self.kind.read) {
            (Read::Value(api_version), Read::Value(kind)) => Some(Kind::of(api_version, kind)),
            _ => None,
        }
    }

    /// Checks the object.
    pub(super) fn finish(self, at: At) -> Object {
        let mut faults = Vec::new();
        if self.kind.is_nothing() && self.api_version.is_nothing() {
            return Object { at, faults, content: Content::Kindless(Box::new(self)) };
        }
        let Some(known) = self.known_kind() else {
            for (key, leaf) in [("apiVersion", self.api_version), ("kind", self.kind)] {
                let missing = leaf.is_nothing();
                leaf.take(key, &mut faults);
                if missing {
                    faults.push(Fault { at, key: key.to_owned(), message: format!("`{key}` is missing") });
                }
            }
            return Object { at, faults, content: Content::Broken };
        };
        let Some(kind) = known else {
            // Passing over a list would pass over what is in it.
            if matches!(&self.kind.read, Read::Value(kind) if kind == "List") {
                let message = "a List without `items`, or one inside another".to_owned();
                faults.push(Fault { at, key: "items".to_owned(), message });
            }
            return Object { at, faults, content: Content::Foreign };
        };
        self.finish_as(kind, at)
    }

    /// Checks the object, which is of this kind.
    pub(super) fn finish_as(self, kind: Kind, at: At) -> Object {
        let mut faults = Vec::new();
        if let Read::Wrong(found) = self.metadata.read {
            let (at, key) = (self.metadata.at.or(at), "metadata".to_owned());
            faults.push(Fault { at, key, message: format!("{kind}: `metadata` is {found}, not a mapping") });
            return Object { at, faults, content: Content::Broken };
        }
        let metadata = self.metadata.take("metadata", &mut faults).unwrap_or_default();
        let (meta, labels) = metadata.check(kind, at, &mut faults);
        // The checks below consume both, and a subject is only made for what is wrong.
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        let spec = self.spec.take("spec", &mut faults).unwrap_or_default();
        let status = self.status.take("status", &mut faults).unwrap_or_default();
        let content = match kind {
            Kind::Ingress => Content::Ingress(spec.ingress(meta, &mut faults)),
            Kind::Gateway => Content::Gateway(spec.gateway(meta, &mut faults)),
            Kind::HttpRoute => Content::HttpRoute(spec.route(meta, &mut faults)),
            Kind::TlsRoute => Content::TlsRoute(spec.route(meta, &mut faults)),
            Kind::Service => Content::Service(spec.service(meta, &mut faults)),
            Kind::ConfigMap => config_map(&meta, self.data, &mut faults),
            Kind::Tenant => spec.tenant(&meta, at, &mut faults),
            Kind::KubeconfigTenant => spec.kubeconfig_tenant(&meta, at, &mut faults),
            Kind::SecretMetadata => Content::SecretMetadata(SecretMetadata { meta, labels }),
            Kind::Package => {
                let spec = self.whole_spec.take("spec", &mut faults).unwrap_or_default();
                Content::Package(meta.name.as_ref().to_owned(), Value::Object(package::kept(&meta.name, spec)))
            }
            Kind::HelmRelease => {
                let release = spec.helm_release(meta, labels, status, &mut faults);
                Content::HelmRelease(Box::new(release))
            }
            Kind::Kustomization => {
                let kustomization = spec.kustomization(meta, status, at, &mut faults);
                Content::Kustomization(Box::new(kustomization))
            }
            Kind::GitRepository => {
                let repository = spec.git_repository(meta, status, &mut faults);
                Content::GitRepository(Box::new(repository))
            }
        };
        if !faults.is_empty() {
            let subject = subject(kind, &namespace, &name);
            for fault in &mut faults {
                fault.at = fault.at.or(at);
                fault.message = format!("{subject}: {}", fault.message);
            }
        }
        let content = if faults.is_empty() { content } else { Content::Broken };
        Object { at, faults, content }
    }
}

impl Shaped for Raw {
    const SHAPE: Shape = Shape::Mapping;
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawVisitor(None))
    }
}

/// Reads an object: of this kind, whatever it says of itself, or of the kind that it says.
pub(super) struct RawVisitor(pub(super) Option<Kind>);

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut raw = Raw::default();
        while let Some(key) = entries.next_key::<String>()? {
            let known = self.0.map(Some).or_else(|| raw.known_kind());
            raw.read(&key, known, &mut entries)?;
        }
        Ok(raw)
    }
}

/// `metadata` of an object or of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Leaf<String>,
    pub(super) namespace: Leaf<String>,
    pub(super) uid: Leaf<String>,
    creation_timestamp: Leaf<String>,
    labels: Leaf<BTreeMap<String, Leaf<String>>>,
    #[serde(rename = "continue")]
    pub(super) continues: Leaf<String>,
    pub(super) remaining_item_count: Leaf<Value>,
    pub(super) resource_version: Leaf<String>,
}

impl Shaped for Metadata {
    const SHAPE: Shape = Shape::Mapping;
}

impl Metadata {
    fn check(self, kind: Kind, at: At, faults: &mut Vec<Fault>) -> (ObjectMeta, BTreeMap<String, String>) {
        let name = required(self.name, "metadata.name", at, faults);
        let namespace = if kind == Kind::Package {
            let at = self.namespace.at.or(at);
            if let Some(namespace) = self.namespace.take("metadata.namespace", faults) {
                let namespace = Shown(&namespace);
                let message = format!("`metadata.namespace` is `{namespace}`, but the kind belongs to no namespace");
                faults.push(Fault { at, key: "metadata.namespace".to_owned(), message });
            }
            String::new()
        } else {
            required(self.namespace, "metadata.namespace", at, faults)
        };
        let uid = self.uid.take("metadata.uid", faults).unwrap_or_default();
        let created_at = self.creation_timestamp.at;
        let created = self.creation_timestamp.take("metadata.creationTimestamp", faults).and_then(|text| {
            let key = "metadata.creationTimestamp";
            text.parse::<Timestamp>()
                .map_err(|_| {
                    faults.push(Fault { at: created_at, key: key.to_owned(), message: not_a_time(key, &text) })
                })
                .ok()
        });
        // Nobody asks for those of other kinds.
        let labels = match kind {
            Kind::HelmRelease | Kind::SecretMetadata => texts_by_key(self.labels, "metadata.labels", faults),
            _ => BTreeMap::new(),
        };
        (ObjectMeta { namespace: namespace.into(), name: name.into(), uid, created }, labels)
    }
}

pub(super) fn not_a_time(key: &str, text: &str) -> String {
    format!("`{key}` is `{}`, not a time like `2026-11-20T10:00:00Z`", Shown(text))
}

fn subject(kind: Kind, namespace: &str, name: &str) -> String {
    match (Shown(namespace), Shown(name)) {
        (Shown(""), Shown("")) => kind.to_string(),
        (Shown(""), name) | (name, Shown("")) => format!("{kind} `{name}`"),
        (namespace, name) => format!("{kind} `{namespace}/{name}`"),
    }
}

/// A text from outside in a message: in one line, and cut where it is longer than any name.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 80;
        let end = self.0.char_indices().nth(MOST).map_or(self.0.len(), |(index, _)| index);
        let cut = if end < self.0.len() { "…" } else { "" };
        write!(f, "{}{cut}", self.0[..end].escape_debug())
    }
}

/// A text that must be there and not be empty.
pub(super) fn required(leaf: Leaf<String>, key: &str, at: At, faults: &mut Vec<Fault>) -> String {
    let known = leaf.at.or(at);
    let wrong = matches!(leaf.read, Read::Wrong(_));
    let text = leaf.take(key, faults).unwrap_or_default();
    if text.is_empty() && !wrong {
        faults.push(Fault { at: known, key: key.to_owned(), message: format!("`{key}` is missing") });
    }
    text
}
