//! An inventory as text.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    config::inventory::{item, lines::Lines},
    model::{
        digest::Digest,
        hostname::Hostname,
        inventory::{ClusterInventory, Inventory},
        observed::{Observed, Unknown},
    },
};

/// Writes an inventory as a YAML document of our own kind, which [`super::parse_inventory`] reads back into the same
/// value.
///
/// An inventory that does not know its cluster becomes a document without `metadata.name`, which is not read back: name
/// the cluster first.
pub fn inventory_text(inventory: &Inventory) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&Document::of(inventory), options)
        .expect("plain values and texts can be written, and memory does not refuse")
}

/// Writes an inventory as [`inventory_text`] does, but as JSON: every object is one line, and the last line ends.
///
/// The same inventory gives the same bytes, whatever file it was read from.
pub fn inventory_json(inventory: &Inventory) -> String {
    let mut bytes = Vec::new();
    write_json(inventory, &mut bytes);
    String::from_utf8(bytes).expect("JSON is made of texts")
}

/// Identifies what an inventory says, whatever the form of the file that it came from: the sha256 of [`inventory_json`].
pub fn digest(inventory: &Inventory) -> Digest {
    let mut hashing = BufWriter::new(Hashing(Sha256::new()));
    write_json(inventory, &mut hashing);
    let Hashing(hash) = hashing.into_inner().map_err(io::IntoInnerError::into_error).expect("a hash takes every byte");
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&format!("sha256:{hex}")).expect("64 hex digits")
}

fn write_json(inventory: &Inventory, mut output: impl Write) {
    let mut serializer = serde_json::Serializer::with_formatter(&mut output, Lines::default());
    Document::of(inventory).serialize(&mut serializer).expect("plain values can be written, and memory takes them");
    output.write_all(b"\n").expect("memory takes it");
}

struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Value,
    observed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Value>,
    host: Sources<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenants: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packages: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform_settings: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    helm_releases: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kustomizations: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    git_repositories: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenant_clusters: Vec<TenantCluster<'a>>,
}

impl<'a> Document<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        Self {
            api_version: "bobbypin.dev/v1alpha1",
            kind: "Inventory",
            metadata: inventory.cluster.as_ref().map_or_else(|| json!({}), |name| json!({"name": name.as_str()})),
            observed_at: inventory.observed_at.to_string(),
            uid: uid(&inventory.host.uid),
            host: Sources::of(&inventory.host),
            tenants: source(&inventory.tenants, |tenants| Box::new(tenants.iter().map(item::tenant))),
            packages: source(&inventory.packages, |packages| Box::new(packages.iter().map(item::package))),
            platform_settings: source_of(&inventory.platform_settings, |settings| Source::Settings { settings }),
            helm_releases: source(&inventory.helm_releases, |releases| {
                Box::new(releases.iter().map(item::helm_release))
            }),
            kustomizations: source(&inventory.kustomizations, |objects| {
                Box::new(objects.iter().map(item::kustomization))
            }),
            git_repositories: source(&inventory.git_repositories, |objects| {
                Box::new(objects.iter().map(item::git_repository))
            }),
            tenant_clusters: inventory
                .tenant_clusters
                .iter()
                .map(|(id, cluster)| TenantCluster {
                    namespace: id.namespace.as_str(),
                    name: id.name.as_str(),
                    uid: uid(&cluster.uid),
                    sources: Sources::of(cluster),
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct TenantCluster<'a> {
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<Value>,
    #[serde(flatten)]
    sources: Sources<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sources<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_server: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingresses: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateways: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_routes: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_routes: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_config_maps: Option<Source<'a>>,
}

impl<'a> Sources<'a> {
    fn of(cluster: &'a ClusterInventory) -> Self {
        Self {
            api_server: cluster.api_server.as_ref().map(Hostname::as_str),
            ingresses: source(&cluster.ingresses, |ingresses| Box::new(ingresses.iter().map(item::ingress))),
            gateways: source(&cluster.gateways, |gateways| Box::new(gateways.iter().map(item::gateway))),
            http_routes: source(&cluster.http_routes, |routes| Box::new(routes.iter().map(item::http_route))),
            tls_routes: source(&cluster.tls_routes, |routes| Box::new(routes.iter().map(item::tls_route))),
            services: source(&cluster.services, |services| Box::new(services.iter().map(item::service))),
            dns_config_maps: source(&cluster.dns_config_maps, |maps| Box::new(maps.iter().map(item::config_map))),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "state")]
enum Source<'a> {
    Present {
        items: Items<'a>,
    },
    #[serde(rename = "Present")]
    Settings {
        settings: &'a BTreeMap<String, String>,
    },
    Absent,
    Unknown {
        reason: &'a str,
        message: &'a str,
    },
}

/// Objects that are made one at a time while they are written.
struct Items<'a>(Box<dyn Fn() -> BoxedObjects<'a> + 'a>);

type BoxedObjects<'a> = Box<dyn Iterator<Item = Value> + 'a>;

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

fn source<'a, T>(observed: &'a Observed<T>, items: fn(&'a T) -> BoxedObjects<'a>) -> Option<Source<'a>> {
    source_of(observed, |objects| Source::Present { items: Items(Box::new(move || items(objects))) })
}

fn source_of<'a, T>(observed: &'a Observed<T>, present: impl FnOnce(&'a T) -> Source<'a>) -> Option<Source<'a>> {
    match observed {
        Observed::Present(content) => Some(present(content)),
        Observed::Absent => Some(Source::Absent),
        Observed::Unknown(unknown) if *unknown == Unknown::not_collected() => None,
        Observed::Unknown(Unknown { reason, message }) => Some(Source::Unknown { reason, message }),
    }
}

fn uid(uid: &Observed<String>) -> Option<Value> {
    match uid {
        Observed::Present(uid) => Some(json!(uid)),
        Observed::Absent => Some(json!({"state": "Absent"})),
        Observed::Unknown(unknown) if *unknown == Unknown::not_collected() => None,
        Observed::Unknown(Unknown { reason, message }) => {
            Some(json!({"state": "Unknown", "reason": reason, "message": message}))
        }
    }
}
