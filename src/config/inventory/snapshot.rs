//! The document of our own kind, made an inventory.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    config::{
        inventory::{
            document::Section,
            object::{Content, DNS_CONFIG_MAPS, Kind, Shown, not_a_time, required},
            shelf::Shelf,
            spec::tenant_id,
        },
        kubernetes::leaf::{At, Fault, Leaf, Read},
    },
    model::{
        hostname::Hostname,
        inventory::{ClusterInventory, Inventory, PLATFORM_SETTINGS},
        layer::TenantId,
        name::Name,
        observed::{Observed, Unknown},
    },
};

const DOCUMENT: [&str; 13] = [
    "apiVersion",
    "kind",
    "metadata",
    "observedAt",
    "uid",
    "host",
    "tenants",
    "packages",
    "platformSettings",
    "helmReleases",
    "kustomizations",
    "gitRepositories",
    "tenantClusters",
];
const HOST: [&str; 7] = ["apiServer", "ingresses", "gateways", "httpRoutes", "tlsRoutes", "services", "dnsConfigMaps"];
const TENANT_CLUSTER: [&str; 10] = [
    "namespace",
    "name",
    "apiServer",
    "uid",
    "ingresses",
    "gateways",
    "httpRoutes",
    "tlsRoutes",
    "services",
    "dnsConfigMaps",
];

/// Makes the inventory. When there are faults, it is worth nothing.
pub(super) fn snapshot(at: At, mut section: Section, faults: &mut Vec<Fault>) -> Option<Inventory> {
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
    let uid = uid(section.value("uid"), "uid", faults);
    let mut host = section.section("host").take("host", faults).unwrap_or_default();
    host.only(&HOST, "host.", faults);
    let host = cluster_inventory(&mut host, uid, "host.", faults);
    let tenants = source(&mut section, "tenants", "", Kind::Tenant, Shelf::take_tenants, faults);
    let packages = source(&mut section, "packages", "", Kind::Package, Shelf::take_packages, faults);
    let platform_settings = source_of(&mut section, "platformSettings", "", "settings", settings, faults);
    let helm_releases = source(&mut section, "helmReleases", "", Kind::HelmRelease, Shelf::take_helm_releases, faults);
    let kustomizations =
        source(&mut section, "kustomizations", "", Kind::Kustomization, Shelf::take_kustomizations, faults);
    let git_repositories =
        source(&mut section, "gitRepositories", "", Kind::GitRepository, Shelf::take_git_repositories, faults);
    let tenant_clusters = tenant_clusters(&mut section, faults);
    Some(Inventory {
        cluster: Some(cluster?),
        observed_at: observed_at.ok()?,
        host,
        tenants,
        packages,
        platform_settings,
        helm_releases,
        kustomizations,
        git_repositories,
        tenant_clusters,
    })
}

fn tenant_clusters(section: &mut Section, faults: &mut Vec<Fault>) -> BTreeMap<TenantId, ClusterInventory> {
    let mut clusters = BTreeMap::new();
    for (at, index, mut entry) in std::mem::take(&mut section.tenant_clusters).entries("tenantClusters", faults) {
        let prefix = format!("tenantClusters[{index}].");
        entry.only(&TENANT_CLUSTER, &prefix, faults);
        let namespace = required(entry.text("namespace"), &format!("{prefix}namespace"), at, faults);
        let name = required(entry.text("name"), &format!("{prefix}name"), at, faults);
        let uid = uid(entry.value("uid"), &format!("{prefix}uid"), faults);
        let cluster = cluster_inventory(&mut entry, uid, &prefix, faults);
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

fn cluster_inventory(
    section: &mut Section,
    uid: Observed<String>,
    prefix: &str,
    faults: &mut Vec<Fault>,
) -> ClusterInventory {
    ClusterInventory {
        api_server: api_server(section.text("apiServer"), &format!("{prefix}apiServer"), faults),
        uid,
        ingresses: source(section, "ingresses", prefix, Kind::Ingress, Shelf::take_ingresses, faults),
        gateways: source(section, "gateways", prefix, Kind::Gateway, Shelf::take_gateways, faults),
        http_routes: source(section, "httpRoutes", prefix, Kind::HttpRoute, Shelf::take_http_routes, faults),
        tls_routes: source(section, "tlsRoutes", prefix, Kind::TlsRoute, Shelf::take_tls_routes, faults),
        services: source(section, "services", prefix, Kind::Service, Shelf::take_services, faults),
        dns_config_maps: source(section, "dnsConfigMaps", prefix, Kind::ConfigMap, Shelf::take_config_maps, faults),
    }
}

/// Reads a source of objects: see [`source_of`].
fn source<T>(
    section: &mut Section,
    key: &str,
    prefix: &str,
    kind: Kind,
    take: fn(&mut Shelf, &mut Vec<Fault>) -> T,
    faults: &mut Vec<Fault>,
) -> Observed<T> {
    let present = |source: Section, at: At, path: &str, faults: &mut Vec<Fault>| {
        let mut shelf = items(source, at, path, kind, faults);
        take(&mut shelf, faults)
    };
    source_of(section, key, prefix, "items", present, faults)
}

/// Reads `{state: Present}` with what is present, `{state: Absent}` or `{state: Unknown, reason, message}`. A source that
/// is not there was not collected.
fn source_of<T>(
    section: &mut Section,
    key: &str,
    prefix: &str,
    content: &str,
    present: impl FnOnce(Section, At, &str, &mut Vec<Fault>) -> T,
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
            source.only(&["state", content], &prefix, faults);
            Observed::Present(present(source, at, &path, faults))
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
            // Tenants are what the platform has for them.
            Content::Tenant(..) => kind != Kind::Tenant,
            content => content.kind() != Some(kind),
        };
        if is_foreign {
            let message = match kind {
                Kind::ConfigMap => format!("`{path}` takes {} of kube-system", DNS_CONFIG_MAPS.join(", ")),
                Kind::Tenant => format!("`{path}` takes objects of the kinds {kind} and {}", Kind::KubeconfigTenant),
                kind => format!("`{path}` takes objects of the kind {kind}"),
            };
            faults.push(Fault { at, key, message });
        } else {
            shelf.put(object, &key, faults);
        }
    }
    shelf
}

/// Reads what the platform says about itself. Nobody asks for other keys, and they might be no one's business.
fn settings(source: Section, at: At, path: &str, faults: &mut Vec<Fault>) -> BTreeMap<String, String> {
    if source.settings.is_nothing() {
        let message = format!("`{path}.settings` is missing, but the state is Present");
        faults.push(Fault { at, key: path.to_owned(), message });
    }
    let path = format!("{path}.settings");
    let mut settings = BTreeMap::new();
    for (key, leaf) in source.settings.take(&path, faults).unwrap_or_default() {
        let full = format!("{path}.{}", Shown(&key.text));
        if !PLATFORM_SETTINGS.contains(&key.text.as_str()) {
            let message = format!("unknown key `{}`: known are {}", Shown(&key.text), PLATFORM_SETTINGS.join(", "));
            faults.push(Fault { at: key.at, key: full, message });
        } else if let Some(text) = leaf.take(&full, faults) {
            settings.insert(key.text, text);
        }
    }
    settings
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

/// Reads the name of an API server; there may be none.
fn api_server(leaf: Leaf<String>, key: &str, faults: &mut Vec<Fault>) -> Option<Hostname> {
    let at = leaf.at;
    let text = leaf.take(key, faults)?;
    let parsed = Hostname::parse(&text).map_err(|error| {
        let message = format!("`{key}` is `{}`, which is not the name of a server: {error}", Shown(&text));
        faults.push(Fault { at, key: key.to_owned(), message });
    });
    parsed.ok()
}

/// Reads a plain text, or `{state: Absent}` or `{state: Unknown, reason, message}`.
fn uid(leaf: Leaf<Value>, key: &str, faults: &mut Vec<Fault>) -> Observed<String> {
    let at = leaf.at;
    let mut fault = |message: &str| {
        faults.push(Fault { at, key: key.to_owned(), message: format!("`{key}` {message}") });
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
