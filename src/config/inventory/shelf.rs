//! Objects sorted into their kinds, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use crate::{
    config::{
        inventory::object::{Content, Kind, Object},
        kubernetes::leaf::{At, Fault},
    },
    model::{
        inventory::{GatewayObject, HelmReleaseObject, HttpRouteObject, IngressObject, ObjectMeta, TenantObject},
        layer::TenantId,
    },
};

/// What a ConfigMap holds.
type Data = BTreeMap<String, String>;

/// Objects by kind, each with its place.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// The kinds of which there is something.
    pub(super) seen: BTreeSet<Kind>,
    ingresses: Vec<(At, IngressObject)>,
    gateways: Vec<(At, GatewayObject)>,
    http_routes: Vec<(At, HttpRouteObject)>,
    config_maps: Vec<(At, (String, Data))>,
    tenants: Vec<(At, (TenantId, TenantObject))>,
    packages: Vec<(At, (String, Value))>,
    helm_releases: Vec<(At, HelmReleaseObject)>,
}

impl Shelf {
    /// Puts an object where it belongs. What is foreign is dropped; its kind is returned when it is not.
    pub(super) fn put(&mut self, object: Object, key: &str, faults: &mut Vec<Fault>) -> Option<Kind> {
        let at = object.at;
        for fault in object.faults {
            let key = format!("{key}{}{}", if key.is_empty() || fault.key.is_empty() { "" } else { "." }, fault.key);
            faults.push(Fault { key, ..fault });
        }
        let kind = object.content.kind();
        match object.content {
            Content::Ingress(ingress) => self.ingresses.push((at, ingress)),
            Content::Gateway(gateway) => self.gateways.push((at, gateway)),
            Content::HttpRoute(route) => self.http_routes.push((at, route)),
            Content::ConfigMap(name, data) => self.config_maps.push((at, (name, data))),
            Content::Tenant(id, tenant) => self.tenants.push((at, (id, tenant))),
            Content::Package(name, spec) => self.packages.push((at, (name, spec))),
            Content::HelmRelease(release) => self.helm_releases.push((at, *release)),
            Content::Kindless(_) => {
                let message = "an object without `apiVersion` and `kind`".to_owned();
                faults.push(Fault { at, key: key.to_owned(), message });
            }
            Content::Foreign | Content::Nothing | Content::Broken => {}
        }
        self.seen.extend(kind);
        kind
    }

    pub(super) fn take_ingresses(&mut self, faults: &mut Vec<Fault>) -> Vec<IngressObject> {
        listed(Kind::Ingress, std::mem::take(&mut self.ingresses), |ingress| &ingress.meta, faults)
    }

    pub(super) fn take_gateways(&mut self, faults: &mut Vec<Fault>) -> Vec<GatewayObject> {
        listed(Kind::Gateway, std::mem::take(&mut self.gateways), |gateway| &gateway.meta, faults)
    }

    pub(super) fn take_http_routes(&mut self, faults: &mut Vec<Fault>) -> Vec<HttpRouteObject> {
        listed(Kind::HttpRoute, std::mem::take(&mut self.http_routes), |route| &route.meta, faults)
    }

    pub(super) fn take_helm_releases(&mut self, faults: &mut Vec<Fault>) -> Vec<HelmReleaseObject> {
        listed(Kind::HelmRelease, std::mem::take(&mut self.helm_releases), |release| &release.meta, faults)
    }

    pub(super) fn take_config_maps(&mut self, faults: &mut Vec<Fault>) -> BTreeMap<String, Data> {
        keyed(Kind::ConfigMap, std::mem::take(&mut self.config_maps), faults)
    }

    pub(super) fn take_tenants(&mut self, faults: &mut Vec<Fault>) -> BTreeMap<TenantId, TenantObject> {
        keyed(Kind::Tenant, std::mem::take(&mut self.tenants), faults)
    }

    pub(super) fn take_packages(&mut self, faults: &mut Vec<Fault>) -> BTreeMap<String, Value> {
        keyed(Kind::Package, std::mem::take(&mut self.packages), faults)
    }
}

/// Sorts objects by namespace and name. One that stands twice is a fault.
fn listed<T>(
    kind: Kind,
    mut objects: Vec<(At, T)>,
    meta: impl Fn(&T) -> &ObjectMeta,
    faults: &mut Vec<Fault>,
) -> Vec<T> {
    let name = |object: &T| {
        let ObjectMeta { namespace, name, .. } = meta(object);
        (namespace.clone(), name.clone())
    };
    objects.sort_by_key(|(_, object)| name(object));
    for pair in objects.windows(2) {
        if let [(first, one), (second, other)] = pair
            && name(one) == name(other)
        {
            let (namespace, name) = name(one);
            faults.push(twice(kind, &format_args!("{namespace}/{name}"), *first, *second));
        }
    }
    objects.into_iter().map(|(_, object)| object).collect()
}

/// Makes a map. A key that stands twice is a fault.
fn keyed<K: Ord + fmt::Display, V>(kind: Kind, objects: Vec<(At, (K, V))>, faults: &mut Vec<Fault>) -> BTreeMap<K, V> {
    let mut map: BTreeMap<K, (At, V)> = BTreeMap::new();
    for (at, (key, value)) in objects {
        if let Some((first, _)) = map.get(&key) {
            faults.push(twice(kind, &key, *first, at));
        }
        map.insert(key, (at, value));
    }
    map.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

fn twice(kind: Kind, name: &dyn fmt::Display, first: At, second: At) -> Fault {
    let (first, second) = (first.min(second), first.max(second));
    let message = match first.line {
        0 => format!("{kind} `{name}` stands in the file a second time"),
        line => format!("{kind} `{name}` stands here a second time; the first is in line {line}"),
    };
    Fault { at: second, key: "metadata.name".to_owned(), message }
}
