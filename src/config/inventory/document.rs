//! The documents of an inventory file: our own kind, lists and single objects.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::Value;

use crate::config::{
    inventory::object::{Kind, Metadata, Object, Raw, group},
    kubernetes::leaf::{At, Fault, Key, Leaf, Read, Shape, Shaped},
};

/// The group of our own kinds.
const OURS: &str = "bobbypin.dev";
const API_VERSION: &str = "bobbypin.dev/v1alpha1";

/// One document.
#[derive(Debug)]
pub(super) enum Document {
    /// Our own kind.
    Snapshot(At, Box<Section>),
    /// What `kubectl get` prints for more than one object.
    List(List),
    /// One object, also a foreign one.
    Object(Object),
    /// What no inventory file may hold.
    Wrong(Fault),
}

/// What `kubectl get` prints for more than one object.
#[derive(Debug)]
pub(super) struct List {
    /// The kind that it is a list of, when it says so.
    pub(super) kind: Option<Kind>,
    pub(super) objects: Vec<Object>,
    /// Why it does not hold all that there is.
    pub(super) truncated: Option<String>,
    pub(super) faults: Vec<Fault>,
}

impl Document {
    /// Where it begins.
    pub(super) fn at(&self) -> At {
        match self {
            Self::Snapshot(at, _) => *at,
            Self::List(list) => list.objects.first().map_or_else(At::default, |object| object.at),
            Self::Object(object) => object.at,
            Self::Wrong(fault) => fault.at,
        }
    }

    fn of(leaf: Leaf<Section>) -> Self {
        let at = leaf.at;
        let section = match leaf.read {
            Read::Value(section) => section,
            Read::Nothing | Read::Wrong(_) => {
                let message = "a document is a mapping with `apiVersion` and `kind`".to_owned();
                return Self::Wrong(Fault { at, key: String::new(), message });
            }
        };
        let (api_version, kind) = match (&section.raw.api_version.read, &section.raw.kind.read) {
            (Read::Value(api_version), Read::Value(kind)) => (api_version.clone(), kind.clone()),
            (Read::Nothing, Read::Nothing) => {
                let message = "a document without `apiVersion` and `kind`".to_owned();
                return Self::Wrong(Fault { at, key: String::new(), message });
            }
            _ => return Self::Object(section.raw.finish(at)),
        };
        if group(&api_version) == OURS {
            let fault = |leaf: &Leaf<String>, key: &str, message| {
                Self::Wrong(Fault { at: leaf.at.or(at), key: key.to_owned(), message })
            };
            if kind != "Inventory" {
                let message = format!("this is a `{}`, not an `Inventory`", kind.escape_debug());
                return fault(&section.raw.kind, "kind", message);
            }
            if api_version != API_VERSION {
                let message =
                    format!("`apiVersion` of an Inventory is `{API_VERSION}`, not `{}`", api_version.escape_debug());
                return fault(&section.raw.api_version, "apiVersion", message);
            }
            return Self::Snapshot(at, Box::new(section));
        }
        match (kind.strip_suffix("List"), section.items) {
            (Some(of), Some(items)) => Self::List(List::of(&api_version, of, items, section.raw.metadata)),
            _ => Self::Object(section.raw.finish(at)),
        }
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Leaf::deserialize(deserializer).map(Self::of)
    }
}

impl List {
    fn of(api_version: &str, kind: &str, items: Leaf<Vec<Object>>, metadata: Leaf<Metadata>) -> Self {
        let mut faults = Vec::new();
        let objects = items.take("items", &mut faults).unwrap_or_default();
        // A plain `List` says nothing about its items, a list of the API server itself says it for them.
        let typed = |object: Object| if kind.is_empty() { object } else { object.with_kind(api_version, kind) };
        let objects = objects.into_iter().map(typed).collect();
        let metadata = metadata.take("metadata", &mut faults).unwrap_or_default();
        let continues = metadata.continues.take("metadata.continue", &mut faults).is_some_and(|text| !text.is_empty());
        let remaining = metadata.remaining_item_count.take("metadata.remainingItemCount", &mut faults);
        let remaining = remaining.filter(|count| count.as_i64() != Some(0));
        let truncated = match (continues, remaining) {
            (false, None) => None,
            (_, Some(count)) => Some(format!("the list ends before its end: {count} more objects were not read")),
            (true, None) => Some("the list ends before its end: `metadata.continue` is set".to_owned()),
        };
        Self { kind: Kind::of(api_version, kind), objects, truncated, faults }
    }
}

/// A mapping of our own kind: the document, `host`, a tenant cluster or one source. Every key that any of them knows is
/// read, and all keys are remembered, because what a mapping is may only turn out after it.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub(super) keys: Vec<(At, String)>,
    pub(super) raw: Raw,
    pub(super) items: Option<Leaf<Vec<Object>>>,
    values: BTreeMap<String, Leaf<Value>>,
    sections: BTreeMap<String, Leaf<Self>>,
    pub(super) settings: Leaf<BTreeMap<Key, Leaf<String>>>,
    pub(super) tenant_clusters: Leaf<Vec<Leaf<Self>>>,
}

impl Section {
    /// A value that has a plain type.
    pub(super) fn value(&mut self, key: &str) -> Leaf<Value> {
        self.values.remove(key).unwrap_or_default()
    }

    /// A value that is a text.
    pub(super) fn text(&mut self, key: &str) -> Leaf<String> {
        self.value(key).into_text()
    }

    /// A mapping within this one.
    pub(super) fn section(&mut self, key: &str) -> Leaf<Self> {
        self.sections.remove(key).unwrap_or_default()
    }

    /// Makes a fault of every key that has no meaning here.
    pub(super) fn only(&self, known: &[&str], prefix: &str, faults: &mut Vec<Fault>) {
        for (at, key) in &self.keys {
            if !known.contains(&key.as_str()) {
                let message = format!("unknown key `{}`: known are {}", key.escape_debug(), known.join(", "));
                faults.push(Fault { at: *at, key: format!("{prefix}{key}"), message });
            }
        }
    }
}

impl Shaped for Section {
    const SHAPE: Shape = Shape::Mapping;
}

impl<'de> Deserialize<'de> for Section {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SectionVisitor)
    }
}

struct SectionVisitor;

impl<'de> Visitor<'de> for SectionVisitor {
    type Value = Section;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Section, A::Error> {
        let mut section = Section::default();
        while let Some(Key { at, text: key }) = entries.next_key()? {
            match key.as_str() {
                "items" => section.items = Some(entries.next_value()?),
                "settings" => section.settings = entries.next_value()?,
                "tenantClusters" => section.tenant_clusters = entries.next_value()?,
                "observedAt" | "apiServer" | "uid" | "state" | "reason" | "message" | "namespace" | "name" => {
                    section.values.insert(key.clone(), entries.next_value()?);
                }
                "host" | "ingresses" | "gateways" | "httpRoutes" | "tlsRoutes" | "services" | "dnsConfigMaps"
                | "tenants" | "packages" | "platformSettings" | "helmReleases" | "kustomizations"
                | "gitRepositories" => {
                    section.sections.insert(key.clone(), entries.next_value()?);
                }
                other => {
                    let known = section.raw.known_kind();
                    section.raw.read(other, known, &mut entries)?;
                }
            }
            section.keys.push((at, key));
        }
        Ok(section)
    }
}
