//! What `kubectl get` prints, made an inventory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    config::{
        inventory::{
            document::{Document, List},
            object::{Kind, ROOT_CA},
            shelf::Shelf,
        },
        kubernetes::leaf::Fault,
    },
    model::{
        inventory::{ClusterInventory, Inventory},
        observed::{Observed, Unknown},
    },
};

/// Makes the inventory of one host cluster of lists and single objects.
pub(super) fn inventory(documents: Vec<Document>, read_at: Timestamp, faults: &mut Vec<Fault>) -> Inventory {
    let mut shelf = Shelf::default();
    let mut truncated: BTreeMap<Kind, String> = BTreeMap::new();
    for document in documents {
        match document {
            Document::Object(object) => {
                shelf.put(object, "", faults);
            }
            Document::List(list) => put_list(list, &mut shelf, &mut truncated, faults),
            Document::Wrong(fault) => faults.push(fault),
            Document::Snapshot(..) => unreachable!("the caller tells snapshots and lists apart"),
        }
    }
    let seen = std::mem::take(&mut shelf.seen);
    let state = |kind: Kind| match truncated.get(&kind) {
        Some(message) => Err(Unknown { reason: "Truncated".to_owned(), message: message.clone() }),
        None if seen.contains(&kind) => Ok(()),
        None => Err(Unknown::not_collected()),
    };
    Inventory {
        cluster: None,
        observed_at: read_at,
        host: ClusterInventory {
            api_server: None,
            uid: Observed::Unknown(Unknown::not_collected()),
            ingresses: observed(state(Kind::Ingress), shelf.take_ingresses(faults)),
            gateways: observed(state(Kind::Gateway), shelf.take_gateways(faults)),
            http_routes: observed(state(Kind::HttpRoute), shelf.take_http_routes(faults)),
            tls_routes: observed(state(Kind::TlsRoute), shelf.take_tls_routes(faults)),
            // A list does not show which Services were asked for, so what it lacks may exist.
            services: Observed::Unknown(Unknown::not_collected()),
            dns_config_maps: dns_config_maps(state(Kind::ConfigMap), shelf.take_config_maps(faults)),
        },
        tenants: observed(state(Kind::Tenant), shelf.take_tenants(faults)),
        packages: observed(state(Kind::Package), shelf.take_packages(faults)),
        platform_settings: Observed::Unknown(Unknown::not_collected()),
        helm_releases: observed(state(Kind::HelmRelease), shelf.take_helm_releases(faults)),
        kustomizations: observed(state(Kind::Kustomization), shelf.take_kustomizations(faults)),
        git_repositories: observed(state(Kind::GitRepository), shelf.take_git_repositories(faults)),
        tenant_clusters: BTreeMap::new(),
    }
}

fn put_list(list: List, shelf: &mut Shelf, truncated: &mut BTreeMap<Kind, String>, faults: &mut Vec<Fault>) {
    faults.extend(list.faults);
    let mut kinds: BTreeSet<Kind> = list.kind.into_iter().collect();
    for (index, object) in list.objects.into_iter().enumerate() {
        kinds.extend(shelf.put(object, &format!("items[{index}]"), faults));
    }
    // A list of a kind shows that there are none; a mixed list that lacks a kind shows nothing.
    shelf.seen.extend(list.kind);
    if let Some(why) = list.truncated {
        truncated.extend(kinds.into_iter().map(|kind| (kind, why.clone())));
    }
}

fn observed<T>(state: Result<(), Unknown>, value: T) -> Observed<T> {
    match state {
        Ok(()) => Observed::Present(value),
        Err(unknown) => Observed::Unknown(unknown),
    }
}

/// Keeps the ConfigMaps of a list only if it shows what it lacks: a name that is not among them would mean that the
/// ConfigMap does not exist, but a person who asked for `coredns` alone gets a list too.
fn dns_config_maps(
    state: Result<(), Unknown>,
    mut maps: BTreeMap<String, BTreeMap<String, String>>,
) -> Observed<BTreeMap<String, BTreeMap<String, String>>> {
    let is_whole = maps.remove(ROOT_CA).is_some();
    if state.is_ok() && !(maps.contains_key("coredns") && (is_whole || maps.contains_key("coredns-custom"))) {
        let message = "the list does not show all ConfigMaps of kube-system, so what it lacks may exist";
        return Observed::Unknown(Unknown { reason: "NotCollected".to_owned(), message: message.to_owned() });
    }
    observed(state, maps)
}
