//! What clusters were seen to hold, as a file.
//!
//! Two kinds of files are read.
//!
//! # Snapshots
//!
//! Documents of our own kind, one for each host cluster; `metadata.name` is the cluster's name in the repository.
//!
//! ```yaml
//! apiVersion: bobbypin.dev/v1alpha1
//! kind: Inventory
//! metadata:
//!   name: edge
//! observedAt: "2026-11-20T10:00:00Z"        # when the reading ended; removals are confirmed by this clock
//! uid: 0f5c0c5e-4e4e-4a4a-9b9b-1f1f1f1f1f1f # of the host's namespace kube-system; may be left out
//! host:
//!   apiServer: api.edge.example.org           # the name that it was read through; may be left out
//!   ingresses:
//!     state: Present                         # it was read completely
//!     items:                                 # objects as the API has them; what does not decide may be left out
//!     - apiVersion: networking.k8s.io/v1
//!       kind: Ingress
//!       metadata: {namespace: shop, name: web}
//!       spec: {ingressClassName: nginx, tls: [{hosts: [shop.example.org]}]}
//!   gateways: {state: Absent}                # the kind does not exist there
//!   httpRoutes: {state: Unknown, reason: Forbidden, message: "no right to list it"}
//!   tlsRoutes: {state: Absent}
//!   services: {state: Present, items: []}    # those that were asked for: the ingress controller's and the proxy's
//!   dnsConfigMaps: {state: Present, items: []}   # of kube-system: coredns, coredns-custom, node-local-dns
//! tenants: {state: Present, items: []}       # apps.cozystack.io Kubernetes; elsewhere bobbypin.dev Tenant
//! packages: {state: Present, items: []}      # cozystack.io Package
//! platformSettings: {state: Present, settings: {root-host: example.org}}  # of cozy-system/cozystack-values
//! helmReleases: {state: Present, items: []}  # helm.toolkit.fluxcd.io HelmRelease
//! kustomizations: {state: Present, items: []}    # kustomize.toolkit.fluxcd.io Kustomization
//! gitRepositories: {state: Present, items: []}   # source.toolkit.fluxcd.io GitRepository
//! tenantClusters:                            # what each tenant cluster holds
//! - namespace: tenant-acme
//!   name: shop
//!   uid: 5b0e…                               # of the tenant cluster's own namespace kube-system
//!   ingresses: {state: Present, items: []}   # the same sources as the host has
//! ```
//!
//! A source that is left out was not collected, which is not the same as empty: its layers are held. `uid` may also be
//! `{state: Absent}` or `{state: Unknown, reason: …, message: …}`. Keys that are not known are problems here, and are
//! passed over inside Kubernetes objects. The apiVersion and kind of an item may be left out.
//!
//! # Lists
//!
//! What `kubectl get ingress -A -o yaml` (or `-o json`, or several kinds at once) prints, or single objects one after the
//! other. They say nothing about the cluster's name and the time of reading; the caller's are taken. Kinds that do not
//! occur were not collected. Of an empty list, only one of a kind (`kind: IngressList`) says that there is nothing. A list
//! that ends before its end (`metadata.continue`, `metadata.remainingItemCount`) makes its kinds unknown. Foreign kinds
//! are passed over, and so are Services: a list does not show which of them were asked for.
//!
//! Whether such a list covers all namespaces cannot be seen: give `-A`. The ConfigMaps of DNS are only taken when what is
//! lacking can be told from what was not asked for: `coredns` must be there together with `coredns-custom`, or together
//! with `kube-root-ca.crt` of the same namespace, which every full list holds.
//!
//! # Both
//!
//! The order of objects and documents has no meaning; everything comes out sorted. The digest of an inventory is the
//! sha256 of what [`inventory_json`] writes of it, so the same content has the same digest in every form.
//!
//! # Answers of an API server
//!
//! [`Collection`] reads the pages of one kind for a client. What an object means is decided in one place for files and
//! pages.

mod address;
mod change;
mod document;
mod item;
mod lines;
mod list;
mod object;
mod package;
mod page;
mod settings;
mod shelf;
mod snapshot;
mod spec;
mod tenants;
mod write;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use self::{
    change::{Change, InventoryChange, SourceState, changes},
    object::{DNS_CONFIG_MAPS, Kind, SecretMetadata},
    page::{Collection, PageEnd, PageError, namespace_uid},
    settings::platform_settings,
    tenants::{kubeconfig_selector, kubeconfig_tenants},
    write::{digest, inventory_json, inventory_text},
};
use crate::{
    config::{
        inventory::document::Document,
        kubernetes::{
            Problems,
            leaf::{At, Fault},
            read_documents, read_documents_with_places, text_of,
        },
        problem::{Problem, Source},
    },
    model::inventory::Inventory,
};

/// Reads the inventories of a file: one for each cluster, sorted by name, or the one of a plain list.
///
/// `read_at` is the time of a plain list; a snapshot has its own.
///
/// # Errors
///
/// All problems of the file that can be found, in its order.
pub fn parse_inventory(source: &Source, read_at: Timestamp) -> Result<Vec<Inventory>, Vec<Problem>> {
    let text = text_of(source)?;
    let read = read_documents(text)
        .map_err(|error| vec![Fault::from(error)])
        .and_then(|documents| inventories(documents, read_at));
    let faults = match read {
        Ok(inventories) => return Ok(inventories),
        Err(faults) => faults,
    };
    // The fast way to read JSON does not know the places of values. A file with problems is read again.
    let is_placed = |fault: &Fault| fault.at != At::default();
    let placed = match read_documents_with_places(text) {
        Ok(documents) if !faults.iter().all(is_placed) => inventories(documents, read_at).err(),
        _ => None,
    };
    Err(Problems::of(&source.path, text).all(placed.unwrap_or(faults)))
}

fn inventories(documents: Vec<Document>, read_at: Timestamp) -> Result<Vec<Inventory>, Vec<Fault>> {
    let mut faults = Vec::new();
    if documents.is_empty() {
        return Err(vec![whole("the file holds no object")]);
    }
    if !documents.iter().any(|document| matches!(document, Document::Snapshot(..))) {
        let inventory = list::inventory(documents, read_at, &mut faults);
        return if faults.is_empty() { Ok(vec![inventory]) } else { Err(faults) };
    }
    let mut inventories = Vec::new();
    let mut clusters = BTreeSet::new();
    for document in documents {
        match document {
            Document::Snapshot(at, section) => {
                let Some(inventory) = snapshot::snapshot(at, *section, &mut faults) else { continue };
                if let Some(cluster) = &inventory.cluster
                    && !clusters.insert(cluster.clone())
                {
                    let message = format!("a second Inventory of the cluster `{cluster}`");
                    faults.push(Fault { at, key: "metadata.name".to_owned(), message });
                }
                inventories.push(inventory);
            }
            Document::Wrong(fault) => faults.push(fault),
            Document::Object(_) | Document::List(_) => {
                let message = "an object beside an Inventory: a file holds Inventories or plain objects".to_owned();
                faults.push(Fault { at: document.at(), key: String::new(), message });
            }
        }
    }
    inventories.sort_by(|one, other| one.cluster.cmp(&other.cluster));
    if faults.is_empty() { Ok(inventories) } else { Err(faults) }
}

fn whole(message: &str) -> Fault {
    Fault { at: At::default(), key: String::new(), message: message.to_owned() }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
