//! What an API server lists, and the pages of it.

use std::sync::Arc;

/// The objects of a list.
pub(crate) struct List {
    /// For example `Ingress`.
    pub(crate) kind: &'static str,
    pub(crate) api_version: &'static str,
    pub(crate) items: Items,
}

#[derive(Clone)]
pub(crate) enum Items {
    Held(Arc<[String]>),
    /// Made when they are asked for.
    Made(usize, fn(usize) -> String),
}

impl Items {
    fn len(&self) -> usize {
        match self {
            Self::Held(items) => items.len(),
            Self::Made(count, _) => *count,
        }
    }

    /// Those of a page; further ones are left out.
    pub(crate) fn range(&self, from: usize, most: usize) -> Vec<String> {
        let range = from.min(self.len())..(from + most).min(self.len());
        match self {
            Self::Held(items) => items[range].to_vec(),
            Self::Made(_, make) => range.map(make).collect(),
        }
    }
}

/// A page of a list before it is written.
pub(crate) struct Page {
    pub(crate) kind: String,
    pub(crate) api_version: String,
    pub(crate) version: Option<String>,
    pub(crate) items: Vec<String>,
    /// What stands at the place of `items`, when it is no list.
    pub(crate) instead_of_items: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) remaining: Option<usize>,
    /// The place of the first item in the list, and how many are on a page.
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    pub(crate) all: Items,
    /// A number that no other page got.
    pub(crate) serial: usize,
    /// What stands behind the page's end.
    pub(crate) tail: &'static str,
}

impl Page {
    pub(super) fn of(list: &List, offset: usize, limit: usize, serial: usize) -> Self {
        let items = list.items.range(offset, limit);
        let end = offset + items.len();
        let remaining = list.items.len().saturating_sub(end);
        Self {
            kind: format!("{}List", list.kind),
            api_version: list.api_version.to_owned(),
            version: Some("4711".to_owned()),
            items,
            instead_of_items: None,
            token: (remaining > 0).then(|| format!("{end}.{serial}")),
            remaining: (remaining > 0).then_some(remaining),
            offset,
            limit,
            all: list.items.clone(),
            serial,
            tail: "",
        }
    }

    /// The text of the page.
    pub(crate) fn json(&self) -> String {
        let mut metadata: Vec<String> = Vec::new();
        metadata.extend(self.version.iter().map(|version| format!(r#""resourceVersion":"{version}""#)));
        metadata.extend(self.token.iter().map(|token| format!(r#""continue":"{token}""#)));
        metadata.extend(self.remaining.iter().map(|count| format!(r#""remainingItemCount":{count}"#)));
        let items = self.instead_of_items.clone().unwrap_or_else(|| format!("[{}]", self.items.join(",")));
        let (kind, api_version, metadata) = (&self.kind, &self.api_version, metadata.join(","));
        let tail = self.tail;
        format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{{metadata}}},"items":{items}}}{tail}"#)
    }
}

/// The Ingress at a place, in order of namespace and name.
pub(crate) fn ingress(place: usize) -> String {
    let (namespace, name) = (format!("tenant-{:03}", place / 100), format!("shop-{place:06}"));
    format!(
        concat!(
            r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"u-{place}","resourceVersion":"{place}","#,
            r#""annotations":{{"note":"an Ingress"}},"managedFields":[{{"manager":"helm","operation":"Update","#,
            r#""fieldsV1":{{"f:spec":{{"f:rules":{{}}}}}}}}]}},"spec":{{"ingressClassName":"nginx","#,
            r#""tls":[{{"hosts":["{name}.example.org"],"secretName":"{name}-tls"}}],"rules":[{{"host":"{name}.example.org","#,
            r#""http":{{"paths":[{{"path":"/","pathType":"Prefix","backend":{{"service":{{"name":"web","port":{{"number":80}}}}}}}}]}}}}]}},"#,
            r#""status":{{"loadBalancer":{{"ingress":[{{"ip":"203.0.113.7"}}]}}}}}}"#
        ),
        name = name,
        namespace = namespace,
        place = place,
    )
}

/// The host of the Ingress at a place.
pub(crate) fn host_of(place: usize) -> String {
    format!("shop-{place:06}.example.org")
}

/// That many Ingresses.
pub(crate) fn ingresses(count: usize) -> Items {
    Items::Held((0..count).map(ingress).collect())
}
