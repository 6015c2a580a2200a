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
        inventory::spec::{Spec, config_map, texts_by_key},
        kubernetes::leaf::{At, Fault, Leaf, Read, Shape, Shaped},
    },
    model::{
        inventory::{GatewayObject, HelmReleaseObject, HttpRouteObject, IngressObject, ObjectMeta, TenantObject},
        layer::TenantId,
    },
};

/// The kinds that an inventory knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ingress,
    Gateway,
    HttpRoute,
    ConfigMap,
    Tenant,
    Package,
    HelmRelease,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Ingress,
        Self::Gateway,
        Self::HttpRoute,
        Self::ConfigMap,
        Self::Tenant,
        Self::Package,
        Self::HelmRelease,
    ];

    /// The API version that is written, and the kind. In what is read, only the group counts.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ingress => ("networking.k8s.io/v1", "Ingress"),
            Self::Gateway => ("gateway.networking.k8s.io/v1", "Gateway"),
            Self::HttpRoute => ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            Self::ConfigMap => ("v1", "ConfigMap"),
            Self::Tenant => ("apps.cozystack.io/v1alpha1", "Kubernetes"),
            Self::Package => ("cozystack.io/v1alpha1", "Package"),
            Self::HelmRelease => ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
        }
    }

    pub(super) fn of(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| {
            let (known_version, known_kind) = known.names();
            known_kind == kind && group(known_version) == group(api_version)
        })
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
pub(super) const DNS_CONFIG_MAPS: [&str; 3] = ["coredns", "coredns-custom", "node-local-dns"];

/// A ConfigMap that every namespace of a live cluster has. A list that shows it was not made by naming ConfigMaps.
pub(super) const ROOT_CA: &str = "kube-root-ca.crt";

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
    HttpRoute(HttpRouteObject),
    /// A ConfigMap of `kube-system` that DNS reads, or [`ROOT_CA`] without its data.
    ConfigMap(String, BTreeMap<String, String>),
    Tenant(TenantId, TenantObject),
    Package(String, Value),
    HelmRelease(Box<HelmReleaseObject>),
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
            Self::ConfigMap(..) => Some(Kind::ConfigMap),
            Self::Tenant(..) => Some(Kind::Tenant),
            Self::Package(..) => Some(Kind::Package),
            Self::HelmRelease(_) => Some(Kind::HelmRelease),
            Self::Foreign | Self::Nothing | Self::Kindless(_) | Self::Broken => None,
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
    data: Leaf<BTreeMap<String, Leaf<String>>>,
}

impl Raw {
    /// Reads the value of one key of an object.
    pub(super) fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, entries: &mut A) -> Result<(), A::Error> {
        match key {
            "apiVersion" => self.api_version = entries.next_value()?,
            "kind" => self.kind = entries.next_value()?,
            "metadata" => self.metadata = entries.next_value()?,
            "spec" => match self.known_kind() {
                Some(Some(Kind::Package)) => self.whole_spec = entries.next_value()?,
                Some(None | Some(Kind::ConfigMap)) => {
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
            // JSON with sorted keys has it before the kind.
            "data" if matches!(self.known_kind(), None | Some(Some(Kind::ConfigMap))) => {
                self.data = entries.next_value()?;
            }
            _ => {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// The kind, when it was read already; `Some(None)` for a foreign one.
    fn known_kind(&self) -> Option<Option<Kind>> {
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
        if let Read::Wrong(found) = self.metadata.read {
            let (at, key) = (self.metadata.at.or(at), "metadata".to_owned());
            faults.push(Fault { at, key, message: format!("{kind}: `metadata` is {found}, not a mapping") });
            return Object { at, faults, content: Content::Broken };
        }
        let metadata = self.metadata.take("metadata", &mut faults).unwrap_or_default();
        let (meta, labels) = metadata.check(kind, at, &mut faults);
        let subject = match (&*meta.namespace, &*meta.name) {
            ("", "") => kind.to_string(),
            ("", name) | (name, "") => format!("{kind} `{name}`"),
            (namespace, name) => format!("{kind} `{namespace}/{name}`"),
        };
        let spec = self.spec.take("spec", &mut faults).unwrap_or_default();
        let content = match kind {
            Kind::Ingress => Content::Ingress(spec.ingress(meta, &mut faults)),
            Kind::Gateway => Content::Gateway(spec.gateway(meta, &mut faults)),
            Kind::HttpRoute => Content::HttpRoute(spec.http_route(meta, &mut faults)),
            Kind::ConfigMap => config_map(&meta, self.data, &mut faults),
            Kind::Tenant => spec.tenant(&meta, at, &mut faults),
            Kind::Package => {
                let spec = self.whole_spec.take("spec", &mut faults).unwrap_or_default();
                Content::Package(meta.name.as_ref().to_owned(), Value::Object(spec))
            }
            Kind::HelmRelease => Content::HelmRelease(Box::new(spec.helm_release(meta, labels, &mut faults))),
        };
        for fault in &mut faults {
            fault.at = fault.at.or(at);
            fault.message = format!("{subject}: {}", fault.message);
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
        struct RawVisitor;
        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
                let mut raw = Raw::default();
                while let Some(key) = entries.next_key::<String>()? {
                    raw.read(&key, &mut entries)?;
                }
                Ok(raw)
            }
        }
        deserializer.deserialize_map(RawVisitor)
    }
}

/// `metadata` of an object or of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: Leaf<String>,
    pub(super) namespace: Leaf<String>,
    uid: Leaf<String>,
    creation_timestamp: Leaf<String>,
    labels: Leaf<BTreeMap<String, Leaf<String>>>,
    #[serde(rename = "continue")]
    pub(super) continues: Leaf<String>,
    pub(super) remaining_item_count: Leaf<Value>,
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
        let labels = texts_by_key(self.labels, "metadata.labels", faults);
        (ObjectMeta { namespace: namespace.into(), name: name.into(), uid, created }, labels)
    }
}

pub(super) fn not_a_time(key: &str, text: &str) -> String {
    format!("`{key}` is `{}`, not a time like `2026-11-20T10:00:00Z`", text.escape_debug())
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
