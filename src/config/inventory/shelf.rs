//! Objects sorted into their kinds, each once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use crate::{
    config::{
        inventory::object::{Content, Kind, Object, SecretMetadata, Shown},
        kubernetes::leaf::{At, Fault},
    },
    model::{
        inventory::{
            GatewayObject, GitRepositoryObject, HelmReleaseObject, IngressObject, KustomizationObject, ObjectMeta,
            RouteObject, ServiceObject, TenantObject,
        },
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
    http_routes: Vec<(At, RouteObject)>,
    tls_routes: Vec<(At, RouteObject)>,
    services: Vec<(At, ServiceObject)>,
    config_maps: Vec<(At, (String, Data))>,
    tenants: Vec<(At, (TenantId, TenantObject))>,
    secrets: Vec<(At, SecretMetadata)>,
    packages: Vec<(At, (String, Value))>,
    helm_releases: Vec<(At, HelmReleaseObject)>,
    kustomizations: Vec<(At, KustomizationObject)>,
    git_repositories: Vec<(At, GitRepositoryObject)>,
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
            Content::TlsRoute(route) => self.tls_routes.push((at, route)),
            Content::Service(service) => self.services.push((at, service)),
            Content::ConfigMap(name, data) => self.config_maps.push((at, (name, data))),
            Content::Tenant(id, tenant) => self.tenants.push((at, (id, tenant))),
            Content::SecretMetadata(secret) => self.secrets.push((at, secret)),
            Content::Package(name, spec) => self.packages.push((at, (name, spec))),
            Content::HelmRelease(release) => self.helm_releases.push((at, *release)),
            Content::Kustomization(kustomization) => self.kustomizations.push((at, *kustomization)),
            Content::GitRepository(repository) => self.git_repositories.push((at, *repository)),
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

    pub(super) fn take_http_routes(&mut self, faults: &mut Vec<Fault>) -> Vec<RouteObject> {
        listed(Kind::HttpRoute, std::mem::take(&mut self.http_routes), |route| &route.meta, faults)
    }

    pub(super) fn take_tls_routes(&mut self, faults: &mut Vec<Fault>) -> Vec<RouteObject> {
        listed(Kind::TlsRoute, std::mem::take(&mut self.tls_routes), |route| &route.meta, faults)
    }

    pub(super) fn take_services(&mut self, faults: &mut Vec<Fault>) -> Vec<ServiceObject> {
        listed(Kind::Service, std::mem::take(&mut self.services), |service| &service.meta, faults)
    }

    pub(super) fn take_kustomizations(&mut self, faults: &mut Vec<Fault>) -> Vec<KustomizationObject> {
        listed(Kind::Kustomization, std::mem::take(&mut self.kustomizations), |object| &object.meta, faults)
    }

    pub(super) fn take_git_repositories(&mut self, faults: &mut Vec<Fault>) -> Vec<GitRepositoryObject> {
        listed(Kind::GitRepository, std::mem::take(&mut self.git_repositories), |object| &object.meta, faults)
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

    pub(super) fn take_secrets(&mut self, faults: &mut Vec<Fault>) -> Vec<SecretMetadata> {
        listed(Kind::SecretMetadata, std::mem::take(&mut self.secrets), |secret| &secret.meta, faults)
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
    let compare = |one: &T, other: &T| {
        let (one, other) = (meta(one), meta(other));
        one.namespace.cmp(&other.namespace).then_with(|| one.name.cmp(&other.name))
    };
    objects.sort_by(|(_, one), (_, other)| compare(one, other));
    for pair in objects.windows(2) {
        if let [(first, one), (second, other)] = pair
            && compare(one, other).is_eq()
        {
            let ObjectMeta { namespace, name, .. } = meta(one);
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
    let name = name.to_string();
    let name = Shown(&name);
    let message = match first.line {
        0 => format!("{kind} `{name}` stands there twice"),
        line => format!("{kind} `{name}` stands here a second time; the first is in line {line}"),
    };
    Fault { at: second, key: "metadata.name".to_owned(), message }
}
