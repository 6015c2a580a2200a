//! The answers of an API server, read without keeping them.
//!
//! A page is read straight from its bytes, and what no decision needs (`managedFields`, annotations, most of `status`) is
//! passed over without being built. What an object means is decided where files are read too: see [`super::spec`].

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, error::Category};

use crate::{
    config::{
        inventory::{
            object::{
                Content, DNS_CONFIG_MAPS, Kind, Metadata, Object, ROOT_CA, Raw, RawVisitor, SecretMetadata, Shown,
                group,
            },
            shelf::Shelf,
        },
        kubernetes::leaf::{At, Fault, Leaf, Read, Shaped},
    },
    model::{
        inventory::{
            GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject, RouteObject,
            ServiceObject, TenantObject,
        },
        layer::TenantId,
    },
};

/// Objects of one kind, collected from the pages of one list of an API server, or from single answers.
///
/// After an error the collection is lost: everything that is asked of it later gives that same error, so that a part
/// cannot be taken for the whole.
#[derive(Debug)]
pub struct Collection {
    kind: Kind,
    shelf: Shelf,
    /// Most objects share their namespace with others.
    namespaces: BTreeSet<Arc<str>>,
    count: usize,
    failed: Option<PageError>,
}

/// What stands around the objects of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageEnd {
    /// `metadata.resourceVersion`; empty when the server does not say. All pages of one list have the same.
    pub resource_version: String,
    /// `metadata.continue`, when there are more pages.
    pub continues: Option<String>,
    /// `metadata.remainingItemCount`, when the server says it.
    pub remaining: Option<u64>,
    /// How many objects the page held.
    pub items: usize,
}

/// Why an answer is not what was asked for. Texts of the answer are cut and in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// It is no JSON at all, or no longer from some byte on.
    #[error("the answer is not JSON at byte {byte}: {message}")]
    NotJson {
        /// The byte, from 1.
        byte: usize,
        /// What the parser says.
        message: String,
    },
    /// It stops in the middle.
    #[error("the answer ends early, after {bytes} bytes")]
    EndsEarly {
        /// How much there is.
        bytes: usize,
    },
    /// It is an object of another kind, for example a `Status`.
    #[error("the answer is {found}, not {wanted}")]
    OtherKind {
        /// What was asked for.
        wanted: String,
        /// What came.
        found: String,
    },
    /// Something about it as a whole is wrong.
    #[error("the answer is wrong: {0}")]
    Shape(String),
    /// One object is wrong.
    #[error("item {index} of the answer is wrong: {message}")]
    Item {
        /// Its place in its page, from 0.
        index: usize,
        /// The object, the field and what is wrong with it.
        message: String,
    },
    /// One object came twice.
    #[error("the answers are wrong: {0}")]
    Twice(String),
    /// A Secret that is no tenant's, although it was selected.
    #[error("the Secret {secret} makes no tenant: {message}")]
    NoTenant {
        /// Its namespace and name.
        secret: String,
        /// Why.
        message: String,
    },
    /// A value of a Secret is not what it must be. The value is not repeated.
    #[error("the Secret is wrong: {0}")]
    Secret(&'static str),
}

impl Collection {
    /// A collection without objects.
    pub fn new(kind: Kind) -> Self {
        Self { kind, shelf: Shelf::default(), namespaces: BTreeSet::new(), count: 0, failed: None }
    }

    /// How many objects were read and kept.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether no object was read.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads one page: `{"kind": "IngressList", "apiVersion": …, "metadata": {…}, "items": […]}`.
    ///
    /// It must be a list of exactly this kind, in any version of its group, with `metadata` and `items` (`null` is no
    /// item). Whether all pages came, and from one resource version, is the caller's to see by [`PageEnd`].
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. The collection is lost then.
    pub fn add(&mut self, page: &[u8]) -> Result<PageEnd, PageError> {
        let read = self.unbroken().and_then(|()| self.read(page));
        self.kept(read)
    }

    /// Reads the answer to a GET: one object.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn add_one(&mut self, object: &[u8]) -> Result<(), PageError> {
        let read = self.unbroken().and_then(|()| self.read_one(object));
        self.kept(read)
    }

    /// The Ingresses, sorted.
    ///
    /// # Errors
    ///
    /// An object that came twice, an earlier error, or a collection of another kind. So it is with all that follow.
    pub fn into_ingresses(self) -> Result<Vec<IngressObject>, PageError> {
        self.taken(&[Kind::Ingress], Shelf::take_ingresses)
    }

    /// The Gateways, sorted.
    pub fn into_gateways(self) -> Result<Vec<GatewayObject>, PageError> {
        self.taken(&[Kind::Gateway], Shelf::take_gateways)
    }

    /// The HTTPRoutes or TLSRoutes, sorted.
    pub fn into_routes(self) -> Result<Vec<RouteObject>, PageError> {
        let take = if self.kind == Kind::TlsRoute { Shelf::take_tls_routes } else { Shelf::take_http_routes };
        self.taken(&[Kind::HttpRoute, Kind::TlsRoute], take)
    }

    /// The Services, sorted.
    pub fn into_services(self) -> Result<Vec<ServiceObject>, PageError> {
        self.taken(&[Kind::Service], Shelf::take_services)
    }

    /// The ConfigMaps of `kube-system` that DNS reads, by name. Others were passed over.
    pub fn into_dns_config_maps(self) -> Result<BTreeMap<String, BTreeMap<String, String>>, PageError> {
        let mut maps = self.taken(&[Kind::ConfigMap], Shelf::take_config_maps)?;
        maps.remove(ROOT_CA);
        Ok(maps)
    }

    /// The tenant clusters.
    pub fn into_tenants(self) -> Result<BTreeMap<TenantId, TenantObject>, PageError> {
        self.taken(&[Kind::Tenant], Shelf::take_tenants)
    }

    /// The Secrets without what is in them, sorted.
    pub fn into_secrets(self) -> Result<Vec<SecretMetadata>, PageError> {
        self.taken(&[Kind::SecretMetadata], Shelf::take_secrets)
    }

    /// The `spec` of every Package, by name.
    pub fn into_packages(self) -> Result<BTreeMap<String, Value>, PageError> {
        self.taken(&[Kind::Package], Shelf::take_packages)
    }

    /// The HelmReleases, sorted.
    pub fn into_helm_releases(self) -> Result<Vec<HelmReleaseObject>, PageError> {
        self.taken(&[Kind::HelmRelease], Shelf::take_helm_releases)
    }

    /// The Kustomizations, sorted.
    pub fn into_kustomizations(self) -> Result<Vec<KustomizationObject>, PageError> {
        self.taken(&[Kind::Kustomization], Shelf::take_kustomizations)
    }

    /// The GitRepositories, sorted.
    pub fn into_git_repositories(self) -> Result<Vec<GitRepositoryObject>, PageError> {
        self.taken(&[Kind::GitRepository], Shelf::take_git_repositories)
    }

    fn unbroken(&self) -> Result<(), PageError> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn kept<T>(&mut self, read: Result<T, PageError>) -> Result<T, PageError> {
        self.failed = read.as_ref().err().cloned();
        read
    }

    fn read(&mut self, bytes: &[u8]) -> Result<PageEnd, PageError> {
        let mut page = Page::default();
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = PageSeed { collection: self, page: &mut page }.deserialize(&mut json).and_then(|()| json.end());
        if let Err(error) = read {
            return Err(match page.item {
                Some(index) if error.is_data() => PageError::Item { index, message: said(&error) },
                _ => json_error(bytes, &error),
            });
        }
        page.finish(self.kind)
    }

    fn read_one(&mut self, bytes: &[u8]) -> Result<(), PageError> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let raw = RawSeed(self.kind).deserialize(&mut json).and_then(|raw| json.end().map(|()| raw));
        let raw = raw.map_err(|error| json_error(bytes, &error))?;
        let (api_version, kind) = self.kind.names();
        is_kind(api_version, kind, &raw.api_version, &raw.kind)?;
        let object = raw.finish_as(self.kind, At::default());
        if let Some(fault) = object.faults.first() {
            return Err(PageError::Shape(cut(&fault.message)));
        }
        if let Content::Foreign = object.content {
            return Err(PageError::Shape(format!(
                "this ConfigMap is none of {} of kube-system",
                DNS_CONFIG_MAPS.join(", ")
            )));
        }
        self.put(object);
        Ok(())
    }

    /// Puts a whole object on the shelf.
    fn put(&mut self, mut object: Object) {
        if let Some(meta) = object.content.meta_mut() {
            match self.namespaces.get(&meta.namespace) {
                Some(known) => meta.namespace = known.clone(),
                None => {
                    self.namespaces.insert(meta.namespace.clone());
                }
            }
        }
        self.count += 1;
        // Faults are only made of objects that are not whole.
        self.shelf.put(object, "", &mut Vec::new());
    }

    fn taken<T>(mut self, kinds: &[Kind], take: impl FnOnce(&mut Shelf, &mut Vec<Fault>) -> T) -> Result<T, PageError> {
        self.unbroken()?;
        if !kinds.contains(&self.kind) {
            return Err(PageError::Shape(format!("it was read as a list of {}", self.kind)));
        }
        let mut faults = Vec::new();
        let taken = take(&mut self.shelf, &mut faults);
        match faults.first() {
            None => Ok(taken),
            Some(fault) => Err(PageError::Twice(cut(&fault.message))),
        }
    }
}

/// Reads the UID of a Namespace, the answer to a GET.
///
/// # Errors
///
/// It is no Namespace, or has no UID.
pub fn namespace_uid(bytes: &[u8]) -> Result<String, PageError> {
    let whole: Whole = serde_json::from_slice(bytes).map_err(|error| json_error(bytes, &error))?;
    is_kind("v1", "Namespace", &whole.api_version, &whole.kind)?;
    let metadata = present(whole.metadata, "metadata")?;
    let uid = field(metadata.uid, "metadata.uid")?.unwrap_or_default();
    if uid.is_empty() { Err(PageError::Shape("`metadata.uid` is missing".to_owned())) } else { Ok(uid) }
}

/// What of an answer is read when only its head matters.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    #[serde(default)]
    api_version: Leaf<String>,
    #[serde(default)]
    kind: Leaf<String>,
    #[serde(default)]
    metadata: Leaf<Metadata>,
}

/// The keys of a page while it is read. Which kind it is may stand after its items.
#[derive(Default)]
struct Page {
    api_version: Leaf<String>,
    kind: Leaf<String>,
    metadata: Leaf<Metadata>,
    has_items: bool,
    items: usize,
    /// The item that is being read.
    item: Option<usize>,
    /// The first item that is wrong, and what is wrong with it.
    fault: Option<(usize, String)>,
}

impl Page {
    fn finish(self, kind: Kind) -> Result<PageEnd, PageError> {
        let (api_version, name) = kind.names();
        is_kind(api_version, &format!("{name}List"), &self.api_version, &self.kind)?;
        let metadata = present(self.metadata, "metadata")?;
        if !self.has_items {
            return Err(PageError::Shape("`items` is missing".to_owned()));
        }
        if let Some((index, message)) = self.fault {
            return Err(PageError::Item { index, message });
        }
        let remaining = field(metadata.remaining_item_count, "metadata.remainingItemCount")?;
        let remaining = match remaining.map(|count| count.as_u64().ok_or(count)) {
            None => None,
            Some(Ok(count)) => Some(count),
            Some(Err(_)) => return Err(PageError::Shape("`metadata.remainingItemCount` is no count".to_owned())),
        };
        Ok(PageEnd {
            resource_version: field(metadata.resource_version, "metadata.resourceVersion")?.unwrap_or_default(),
            continues: field(metadata.continues, "metadata.continue")?.filter(|token| !token.is_empty()),
            remaining,
            items: self.items,
        })
    }
}

/// The value of a field of the head. A wrong type is an error.
fn field<T: Shaped>(leaf: Leaf<T>, key: &str) -> Result<Option<T>, PageError> {
    let mut faults = Vec::new();
    let value = leaf.take(key, &mut faults);
    faults.first().map_or(Ok(value), |fault| Err(PageError::Shape(cut(&fault.message))))
}

/// A part that must be there.
fn present<T: Shaped>(leaf: Leaf<T>, key: &str) -> Result<T, PageError> {
    field(leaf, key)?.ok_or_else(|| PageError::Shape(format!("`{key}` is missing")))
}

pub(super) fn is_kind(
    api_version: &str,
    kind: &str,
    found_version: &Leaf<String>,
    found: &Leaf<String>,
) -> Result<(), PageError> {
    let text = |leaf: &Leaf<String>| match &leaf.read {
        Read::Value(text) => text.clone(),
        Read::Nothing | Read::Wrong(_) => String::new(),
    };
    let (found_version, found) = (text(found_version), text(found));
    if found == kind && group(&found_version) == group(api_version) {
        return Ok(());
    }
    let found = match (found.as_str(), found_version.as_str()) {
        ("", "") => "an object without `kind` and `apiVersion`".to_owned(),
        (kind, version) => format!("`{}` of `{}`", Shown(kind), Shown(version)),
    };
    Err(PageError::OtherKind { wanted: format!("`{kind}` of `{api_version}`"), found })
}

struct PageSeed<'a> {
    collection: &'a mut Collection,
    page: &'a mut Page,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { collection, page } = self;
        while let Some(key) = entries.next_key::<String>()? {
            // A second one would hide the first.
            let is_second = match key.as_str() {
                "apiVersion" => !page.api_version.is_nothing(),
                "kind" => !page.kind.is_nothing(),
                "metadata" => !page.metadata.is_nothing(),
                "items" => page.has_items,
                _ => false,
            };
            if is_second {
                return Err(A::Error::custom(format_args!("`{key}` stands there twice")));
            }
            match key.as_str() {
                "apiVersion" => page.api_version = entries.next_value()?,
                "kind" => page.kind = entries.next_value()?,
                "metadata" => page.metadata = entries.next_value()?,
                "items" => {
                    page.has_items = true;
                    entries.next_value_seed(ItemsSeed { collection: &mut *collection, page: &mut *page })?;
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct ItemsSeed<'a> {
    collection: &'a mut Collection,
    page: &'a mut Page,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list as `items`")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { collection, page } = self;
        page.item = Some(0);
        while let Some(raw) = items.next_element_seed(RawSeed(collection.kind))? {
            let index = page.items;
            page.items += 1;
            page.item = Some(page.items);
            match item(raw, collection.kind) {
                Ok(object) => collection.put(object),
                Err(message) if page.fault.is_none() => page.fault = Some((index, message)),
                Err(_) => {}
            }
        }
        page.item = None;
        Ok(())
    }
}

/// Checks one item. Those of kinds that are built into Kubernetes do not say what they are.
fn item(raw: Raw, kind: Kind) -> Result<Object, String> {
    let is_nameless = raw.api_version.is_nothing() && raw.kind.is_nothing();
    if !is_nameless {
        let (api_version, name) = kind.names();
        is_kind(api_version, name, &raw.api_version, &raw.kind).map_err(|error| error.to_string())?;
    }
    let object = raw.finish_as(kind, At::default());
    object.faults.first().map_or(Ok(()), |fault| Err(cut(&fault.message)))?;
    Ok(object)
}

/// Reads an object of this kind, whatever it says of itself.
struct RawSeed(Kind);

impl<'de> DeserializeSeed<'de> for RawSeed {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_map(RawVisitor(Some(self.0)))
    }
}

pub(super) fn json_error(bytes: &[u8], error: &serde_json::Error) -> PageError {
    match error.classify() {
        Category::Eof => PageError::EndsEarly { bytes: bytes.len() },
        Category::Data => PageError::Shape(said(error)),
        Category::Syntax | Category::Io => {
            let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
            PageError::NotJson { byte: lines.map(<[u8]>::len).sum::<usize>() + error.column(), message: said(error) }
        }
    }
}

/// What the parser says, without the place.
fn said(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    cut(full.strip_suffix(&place).unwrap_or(&full))
}

/// A message of one line that repeats little of what it speaks of.
fn cut(message: &str) -> String {
    const MOST: usize = 240;
    let plain = |c: char| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c };
    let mut kept: String = message.chars().take(MOST).map(plain).collect();
    if message.chars().nth(MOST).is_some() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests;
