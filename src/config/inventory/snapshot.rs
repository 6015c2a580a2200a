//! The document of our own kind, made an inventory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    config::{
        inventory::{
            document::Section,
            object::{Content, DNS_CONFIG_MAPS, Kind, not_a_time, required},
            shelf::Shelf,
            spec::tenant_id,
        },
        kubernetes::leaf::{At, Fault, Leaf, Read},
    },
    model::{
        digest::Digest,
        inventory::{ClusterInventory, Inventory},
        layer::TenantId,
        name::Name,
        observed::{Observed, Unknown},
    },
};

const DOCUMENT: [&str; 10] = [
    "apiVersion",
    "kind",
    "metadata",
    "observedAt",
    "uid",
    "host",
    "tenants",
    "packages",
    "helmReleases",
    "tenantClusters",
];
const HOST: [&str; 4] = ["ingresses", "gateways", "httpRoutes", "dnsConfigMaps"];
const TENANT_CLUSTER: [&str; 6] = ["namespace", "name", "ingresses", "gateways", "httpRoutes", "dnsConfigMaps"];

/// Makes the inventory. When there are faults, it is worth nothing.
pub(super) fn snapshot(at: At, mut section: Section, digest: Digest, faults: &mut Vec<Fault>) -> Option<Inventory> {
    section.only(&DOCUMENT, "", faults);
    let metadata = std::mem::take(&mut section.raw.metadata).take("metadata", faults).unwrap_or_default();
    let name_at = metadata.name.at.or(at);
    let name = required(metadata.name, "metadata.name", at, faults);
    let cluster = Name::parse(&name)
        .map_err(|error| {
            if !name.is_empty() {
                let message = format!("`metadata.name`: {error}");
                faults.push(Fault { at: name_at, key: "metadata.name".to_owned(), message });
            }
        })
        .ok();
    let time = section.text("observedAt");
    let time_at = time.at;
    let time = required(time, "observedAt", at, faults);
    let observed_at = time.parse::<Timestamp>();
    if observed_at.is_err() && !time.is_empty() {
        faults.push(Fault { at: time_at, key: "observedAt".to_owned(), message: not_a_time("observedAt", &time) });
    }
    let uid = uid(section.value("uid"), faults);
    let mut host = section.section("host").take("host", faults).unwrap_or_default();
    host.only(&HOST, "host.", faults);
    let host = cluster_inventory(&mut host, "host.", faults);
    let tenants = source(&mut section, "tenants", "", Kind::Tenant, Shelf::take_tenants, faults);
    let packages = source(&mut section, "packages", "", Kind::Package, Shelf::take_packages, faults);
    let helm_releases = source(&mut section, "helmReleases", "", Kind::HelmRelease, Shelf::take_helm_releases, faults);
    let tenant_clusters = tenant_clusters(&mut section, faults);
    Some(Inventory {
        cluster: Some(cluster?),
        observed_at: observed_at.ok()?,
        uid,
        host,
        tenants,
        packages,
        helm_releases,
        tenant_clusters,
        digest,
    })
}

fn tenant_clusters(section: &mut Section, faults: &mut Vec<Fault>) -> BTreeMap<TenantId, ClusterInventory> {
    let mut clusters = BTreeMap::new();
    for (at, index, mut entry) in std::mem::take(&mut section.tenant_clusters).entries("tenantClusters", faults) {
        let prefix = format!("tenantClusters[{index}].");
        entry.only(&TENANT_CLUSTER, &prefix, faults);
        let namespace = required(entry.text("namespace"), &format!("{prefix}namespace"), at, faults);
        let name = required(entry.text("name"), &format!("{prefix}name"), at, faults);
        let cluster = cluster_inventory(&mut entry, &prefix, faults);
        if namespace.is_empty() || name.is_empty() {
            continue;
        }
        let before = faults.len();
        let id = tenant_id(&namespace, &name, at, faults);
        for fault in &mut faults[before..] {
            fault.key.insert_str(0, &prefix);
        }
        if let Some(id) = id
            && clusters.insert(id, cluster).is_some()
        {
            let message = format!("the tenant cluster {namespace}/{name} stands here a second time");
            faults.push(Fault { at, key: format!("{prefix}name"), message });
        }
    }
    clusters
}

fn cluster_inventory(section: &mut Section, prefix: &str, faults: &mut Vec<Fault>) -> ClusterInventory {
    ClusterInventory {
        ingresses: source(section, "ingresses", prefix, Kind::Ingress, Shelf::take_ingresses, faults),
        gateways: source(section, "gateways", prefix, Kind::Gateway, Shelf::take_gateways, faults),
        http_routes: source(section, "httpRoutes", prefix, Kind::HttpRoute, Shelf::take_http_routes, faults),
        dns_config_maps: source(section, "dnsConfigMaps", prefix, Kind::ConfigMap, Shelf::take_config_maps, faults),
    }
}

/// Reads `{state: Present, items}`, `{state: Absent}` or `{state: Unknown, reason, message}`. A source that is not there
/// was not collected.
fn source<T>(
    section: &mut Section,
    key: &str,
    prefix: &str,
    kind: Kind,
    take: fn(&mut Shelf, &mut Vec<Fault>) -> T,
    faults: &mut Vec<Fault>,
) -> Observed<T> {
    let leaf = section.section(key);
    let at = leaf.at;
    let path = format!("{prefix}{key}");
    let Some(mut source) = leaf.take(&path, faults) else {
        return Observed::Unknown(Unknown::not_collected());
    };
    let prefix = format!("{path}.");
    match state(&mut source, &prefix, at, faults) {
        Some(State::Present) => {
            source.only(&["state", "items"], &prefix, faults);
            let mut shelf = items(source, at, &path, kind, faults);
            Observed::Present(take(&mut shelf, faults))
        }
        Some(State::Absent) => {
            source.only(&["state"], &prefix, faults);
            Observed::Absent
        }
        Some(State::Unknown) => {
            source.only(&["state", "reason", "message"], &prefix, faults);
            let reason = required(source.text("reason"), &format!("{prefix}reason"), at, faults);
            let message = source.text("message").take(format_args!("{prefix}message"), faults).unwrap_or_default();
            Observed::Unknown(Unknown { reason, message })
        }
        None => Observed::Unknown(Unknown::not_collected()),
    }
}

/// Reads the objects of a source. Each must be of its kind; its apiVersion and kind may be left out.
fn items(source: Section, at: At, path: &str, kind: Kind, faults: &mut Vec<Fault>) -> Shelf {
    let mut shelf = Shelf::default();
    let items = source.items.unwrap_or_default();
    if items.is_nothing() {
        let message = format!("`{path}.items` is missing, but the state is Present");
        faults.push(Fault { at, key: path.to_owned(), message });
    }
    let (api_version, name) = kind.names();
    for (index, object) in items.take(format_args!("{path}.items"), faults).into_iter().flatten().enumerate() {
        let key = format!("{path}.items[{index}]");
        let object = object.with_kind(api_version, name);
        let at = object.at;
        let is_foreign = match &object.content {
            Content::Nothing | Content::Broken => false,
            Content::ConfigMap(name, _) => kind != Kind::ConfigMap || !DNS_CONFIG_MAPS.contains(&name.as_str()),
            content => content.kind() != Some(kind),
        };
        if is_foreign {
            let message = match kind {
                Kind::ConfigMap => format!("`{path}` takes {} of kube-system", DNS_CONFIG_MAPS.join(", ")),
                kind => format!("`{path}` takes objects of the kind {kind}"),
            };
            faults.push(Fault { at, key, message });
        } else {
            shelf.put(object, &key, faults);
        }
    }
    shelf
}

enum State {
    Present,
    Absent,
    Unknown,
}

fn state(source: &mut Section, prefix: &str, at: At, faults: &mut Vec<Fault>) -> Option<State> {
    let leaf = source.text("state");
    let state_at = leaf.at.or(at);
    let key = format!("{prefix}state");
    let text = required(leaf, &key, at, faults);
    match text.as_str() {
        "Present" => Some(State::Present),
        "Absent" => Some(State::Absent),
        "Unknown" => Some(State::Unknown),
        "" => None,
        other => {
            let message = format!("`{key}` is `{}`, not Present, Absent or Unknown", other.escape_debug());
            faults.push(Fault { at: state_at, key, message });
            None
        }
    }
}

/// Reads a plain text, or `{state: Absent}` or `{state: Unknown, reason, message}`.
fn uid(leaf: Leaf<Value>, faults: &mut Vec<Fault>) -> Observed<String> {
    let at = leaf.at;
    let mut fault = |message: &str| {
        faults.push(Fault { at, key: "uid".to_owned(), message: format!("`uid` {message}") });
        Observed::Unknown(Unknown::not_collected())
    };
    let map = match leaf.read {
        Read::Nothing => return Observed::Unknown(Unknown::not_collected()),
        Read::Value(Value::String(uid)) if !uid.is_empty() => return Observed::Present(uid),
        Read::Value(Value::Object(map)) => map,
        Read::Value(_) | Read::Wrong(_) => return fault("is not a text"),
    };
    let text = |key: &str| map.get(key).map_or(Some(""), Value::as_str);
    let keys: BTreeSet<&str> = map.keys().map(String::as_str).collect();
    match (text("state"), text("reason"), text("message")) {
        (Some("Absent"), ..) if keys == BTreeSet::from(["state"]) => Observed::Absent,
        (Some("Unknown"), Some(reason), Some(message))
            if !reason.is_empty() && keys.is_subset(&BTreeSet::from(["state", "reason", "message"])) =>
        {
            Observed::Unknown(Unknown { reason: reason.to_owned(), message: message.to_owned() })
        }
        _ => fault("is neither a text nor {state: Absent} nor {state: Unknown, reason, message}"),
    }
}
