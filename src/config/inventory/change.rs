//! What is different between two inventories of a cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use crate::{
    config::inventory::object::Shown,
    model::{
        hostname::Hostname,
        inventory::{
            ClusterInventory, ClusterSource, GatewayObject, IngressObject, Inventory, ObjectMeta, PlatformSource,
            RouteObject, SourceName,
        },
        observed::{Observed, Unknown},
    },
};

/// One difference. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryChange {
    /// Where.
    pub source: SourceName,
    /// What.
    pub change: Change,
}

/// What is different in a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Change {
    /// It is known in another way, or no longer.
    State {
        /// What was known.
        before: SourceState,
        /// What is known.
        after: SourceState,
    },
    /// The cluster is another one: its UID was known and is known, and differs.
    Identity {
        /// The UID that it had.
        before: String,
        /// The UID that it has.
        after: String,
    },
    /// There is one object, entry or setting more.
    Added {
        /// Its namespace and name, or its key.
        object: String,
        /// The host names that it brings.
        hosts: BTreeSet<String>,
    },
    /// There is one less.
    Removed {
        /// Its namespace and name, or its key.
        object: String,
        /// The host names that went with it.
        hosts: BTreeSet<String>,
    },
    /// It says something else than before.
    Changed {
        /// Its namespace and name, or its key.
        object: String,
        /// The host names that it did not have.
        added_hosts: BTreeSet<String>,
        /// The host names that it no longer has.
        removed_hosts: BTreeSet<String>,
    },
}

/// What is known of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all_fields = "camelCase")]
pub enum SourceState {
    /// All of it.
    Present {
        /// How much it holds.
        objects: usize,
    },
    /// That it does not exist.
    Absent,
    /// Nothing.
    Unknown {
        /// The kind of failure.
        reason: String,
        /// What the source said.
        message: String,
    },
}

/// Compares two inventories, by source in the order of a snapshot and by object.
///
/// Of a source that is not known in both there is one change and no objects: what was not seen is not gone. The clusters'
/// names and the times are not compared.
pub fn changes(before: &Inventory, after: &Inventory) -> Vec<InventoryChange> {
    let mut found = Vec::new();
    cluster(SourceName::Host, &before.host, &after.host, &mut found);
    let at = |source| Compared(SourceName::Platform(source));
    at(PlatformSource::Tenants).entries(&before.tenants, &after.tenants, by_key, no_hosts, &mut found);
    at(PlatformSource::Packages).entries(&before.packages, &after.packages, by_key, no_hosts, &mut found);
    at(PlatformSource::PlatformSettings).entries(
        &before.platform_settings,
        &after.platform_settings,
        by_key,
        no_hosts,
        &mut found,
    );
    at(PlatformSource::HelmReleases).entries(
        &before.helm_releases,
        &after.helm_releases,
        |list| by_name(list, |release| &release.meta),
        no_hosts,
        &mut found,
    );
    at(PlatformSource::Kustomizations).entries(
        &before.kustomizations,
        &after.kustomizations,
        |list| by_name(list, |kustomization| &kustomization.meta),
        no_hosts,
        &mut found,
    );
    at(PlatformSource::GitRepositories).entries(
        &before.git_repositories,
        &after.git_repositories,
        |list| by_name(list, |repository| &repository.meta),
        no_hosts,
        &mut found,
    );
    let unread = ClusterInventory::unknown(&Unknown::not_collected());
    let tenants: BTreeSet<_> = before.tenant_clusters.keys().chain(after.tenant_clusters.keys()).collect();
    for id in tenants {
        let [before, after] = [before, after].map(|seen| seen.tenant_clusters.get(id).unwrap_or(&unread));
        cluster(|source| SourceName::Tenant(id.clone(), source), before, after, &mut found);
    }
    found
}

fn cluster(
    name: impl Fn(ClusterSource) -> SourceName,
    before: &ClusterInventory,
    after: &ClusterInventory,
    found: &mut Vec<InventoryChange>,
) {
    let at = |source| Compared(name(source));
    at(ClusterSource::ApiServer).name(before.api_server.as_ref(), after.api_server.as_ref(), found);
    at(ClusterSource::Uid).identity(&before.uid, &after.uid, found);
    at(ClusterSource::Ingresses).entries(
        &before.ingresses,
        &after.ingresses,
        |list| by_name(list, |ingress| &ingress.meta),
        |ingress: &IngressObject| ingress.tls_hosts.iter().chain(&ingress.rule_hosts).cloned().collect(),
        found,
    );
    at(ClusterSource::Gateways).entries(
        &before.gateways,
        &after.gateways,
        |list| by_name(list, |gateway| &gateway.meta),
        |gateway: &GatewayObject| gateway.hosts.iter().cloned().collect(),
        found,
    );
    for (source, before, after) in [
        (ClusterSource::HttpRoutes, &before.http_routes, &after.http_routes),
        (ClusterSource::TlsRoutes, &before.tls_routes, &after.tls_routes),
    ] {
        let hosts = |route: &RouteObject| route.hosts.iter().cloned().collect();
        at(source).entries(before, after, |list| by_name(list, |route| &route.meta), hosts, found);
    }
    at(ClusterSource::Services).entries(
        &before.services,
        &after.services,
        |list| by_name(list, |service| &service.meta),
        no_hosts,
        found,
    );
    at(ClusterSource::DnsConfigMaps).entries(&before.dns_config_maps, &after.dns_config_maps, by_key, no_hosts, found);
}

/// A source that is compared.
struct Compared(SourceName);

impl Compared {
    fn note(&self, change: Change, found: &mut Vec<InventoryChange>) {
        found.push(InventoryChange { source: self.0.clone(), change });
    }

    fn identity(&self, before: &Observed<String>, after: &Observed<String>, found: &mut Vec<InventoryChange>) {
        if let (Observed::Present(before), Observed::Present(after)) = (before, after)
            && before != after
        {
            self.note(Change::Identity { before: before.clone(), after: after.clone() }, found);
        }
        self.state(before, after, |_| 1, found);
    }

    /// Notes when a server has another name.
    fn name(&self, before: Option<&Hostname>, after: Option<&Hostname>, found: &mut Vec<InventoryChange>) {
        let object = |name: &Hostname| (name.to_string(), BTreeSet::new());
        let went = before.filter(|_| before != after).map(object);
        let came = after.filter(|_| before != after).map(object);
        for change in [
            went.map(|(object, hosts)| Change::Removed { object, hosts }),
            came.map(|(object, hosts)| Change::Added { object, hosts }),
        ] {
            change.into_iter().for_each(|change| self.note(change, found));
        }
    }

    /// Notes when the source is known in another way.
    fn state<'a, C>(
        &self,
        before: &'a Observed<C>,
        after: &'a Observed<C>,
        count: impl Fn(&'a C) -> usize,
        found: &mut Vec<InventoryChange>,
    ) {
        let state = |observed: &'a Observed<C>| match observed {
            Observed::Present(content) => SourceState::Present { objects: count(content) },
            Observed::Absent => SourceState::Absent,
            Observed::Unknown(Unknown { reason, message }) => {
                SourceState::Unknown { reason: reason.clone(), message: message.clone() }
            }
        };
        let (before, after) = (state(before), state(after));
        let are_known = matches!((&before, &after), (SourceState::Present { .. }, SourceState::Present { .. }));
        if !are_known && before != after {
            self.note(Change::State { before, after }, found);
        }
    }

    /// Compares what a source holds, by key.
    fn entries<'a, C, V: PartialEq + 'a>(
        &self,
        before: &'a Observed<C>,
        after: &'a Observed<C>,
        entries: impl Fn(&'a C) -> BTreeMap<String, &'a V>,
        hosts: impl Fn(&V) -> BTreeSet<String>,
        found: &mut Vec<InventoryChange>,
    ) {
        let (Observed::Present(before), Observed::Present(after)) = (before, after) else {
            return self.state(before, after, |content| entries(content).len(), found);
        };
        let (before, after) = (entries(before), entries(after));
        let objects: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for object in objects {
            let change = match (before.get(object), after.get(object)) {
                (Some(before), Some(after)) if before == after => continue,
                (Some(before), Some(after)) => {
                    let (before, after) = (hosts(before), hosts(after));
                    Change::Changed {
                        object: object.clone(),
                        added_hosts: after.difference(&before).cloned().collect(),
                        removed_hosts: before.difference(&after).cloned().collect(),
                    }
                }
                (Some(before), None) => Change::Removed { object: object.clone(), hosts: hosts(before) },
                (None, Some(after)) => Change::Added { object: object.clone(), hosts: hosts(after) },
                (None, None) => unreachable!("an object is of one of both"),
            };
            self.note(change, found);
        }
    }
}

/// Objects by namespace and name.
fn by_name<T>(objects: &[T], meta: impl Fn(&T) -> &ObjectMeta) -> BTreeMap<String, &T> {
    let name = |object: &T| format!("{}/{}", meta(object).namespace, meta(object).name);
    objects.iter().map(|object| (name(object), object)).collect()
}

fn by_key<K: fmt::Display, V>(map: &BTreeMap<K, V>) -> BTreeMap<String, &V> {
    map.iter().map(|(key, value)| (key.to_string(), value)).collect()
}

fn no_hosts<T>(_: &T) -> BTreeSet<String> {
    BTreeSet::new()
}

impl fmt::Display for InventoryChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.change)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |hosts: &BTreeSet<String>, mark: &str| {
            hosts.iter().map(|host| format!("{mark}{}", Shown(host))).collect::<Vec<_>>()
        };
        let (verb, object, hosts) = match self {
            Self::State { before, after } => return write!(f, "was {before}, is {after}"),
            Self::Identity { before, after } => {
                return write!(f, "was `{}`, is `{}`: this is another cluster", Shown(before), Shown(after));
            }
            Self::Added { object, hosts } => ("added", object, listed(hosts, "")),
            Self::Removed { object, hosts } => ("removed", object, listed(hosts, "")),
            Self::Changed { object, added_hosts, removed_hosts } => {
                ("changed", object, [listed(added_hosts, "+"), listed(removed_hosts, "-")].concat())
            }
        };
        write!(f, "{verb} {}", Shown(object))?;
        if hosts.is_empty() { Ok(()) } else { write!(f, " ({})", hosts.join(", ")) }
    }
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { objects } => write!(f, "known ({objects})"),
            Self::Absent => f.write_str("absent"),
            Self::Unknown { reason, .. } if *reason == Unknown::not_collected().reason => f.write_str("not collected"),
            Self::Unknown { reason, message } => write!(f, "unknown ({}: {})", Shown(reason), Shown(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::inventory::tests::one;

    const HEAD: &str = "apiVersion: bobbypin.dev/v1alpha1\nkind: Inventory\nmetadata: {name: edge}\n\
                        observedAt: \"2026-11-20T10:00:00Z\"\n";

    fn between(before: &str, after: &str) -> Vec<InventoryChange> {
        changes(&one(&format!("{HEAD}{before}")), &one(&format!("{HEAD}{after}")))
    }

    const BEFORE: &str = "uid: 0f5c
host:
  apiServer: api.example.org
  ingresses:
    state: Present
    items:
    - {metadata: {namespace: shop, name: gone}, spec: {tls: [{hosts: [gone.example.org]}]}}
    - {metadata: {namespace: shop, name: same}, spec: {tls: [{hosts: [same.example.org]}]}}
    - {metadata: {namespace: shop, name: web}, spec: {tls: [{hosts: [a.example.org]}], rules: [{host: b.example.org}]}}
  gateways: {state: Present, items: []}
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: t}}]}
platformSettings: {state: Present, settings: {root-host: example.org, expose-mode: x}}
packages: {state: Present, items: [{metadata: {name: p}, spec: {variant: default}}]}
tenantClusters:
- {namespace: tenant-acme, name: shop, uid: 1a2b, services: {state: Present, items: []}}
";
    const AFTER: &str = "uid: 1a2b
host:
  apiServer: k8s.example.org
  ingresses:
    state: Present
    items:
    - {metadata: {namespace: shop, name: web, uid: u2}, spec: {tls: [{hosts: [c.example.org]}], rules: [{host: b.example.org}]}}
    - {metadata: {namespace: shop, name: same}, spec: {tls: [{hosts: [same.example.org]}]}}
    - {metadata: {namespace: blog, name: new}, spec: {rules: [{host: \"new\\n.example.org\"}]}}
  gateways: {state: Unknown, reason: Forbidden, message: no right}
  tlsRoutes: {state: Present, items: [{metadata: {namespace: gw, name: t}, spec: {hostnames: [t.example.org]}}]}
platformSettings: {state: Present, settings: {root-host: example.net}}
packages: {state: Present, items: [{metadata: {name: p}, spec: {variant: other}}]}
tenantClusters:
- {namespace: tenant-acme, name: blog, ingresses: {state: Absent}}
";

    #[test]
    fn every_difference_is_one_line() {
        let lines: Vec<_> = between(BEFORE, AFTER).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        host apiServer: removed api.example.org
        host apiServer: added k8s.example.org
        host uid: was `0f5c`, is `1a2b`: this is another cluster
        host ingresses: added blog/new (new\n.example.org)
        host ingresses: removed shop/gone (gone.example.org)
        host ingresses: changed shop/web (+c.example.org, -a.example.org)
        host gateways: was known (0), is unknown (Forbidden: no right)
        host tlsRoutes: changed gw/t (+t.example.org)
        packages: changed p
        platformSettings: removed expose-mode
        platformSettings: changed root-host
        tenant tenant-acme/blog ingresses: was not collected, is absent
        tenant tenant-acme/shop uid: was known (1), is not collected
        tenant tenant-acme/shop services: was known (0), is not collected
        ");
        assert_eq!(between(BEFORE, BEFORE), []);
    }

    #[test]
    fn a_difference_is_a_value_for_machines() {
        let hosts = |hosts: &[&str]| hosts.iter().map(|&host| host.to_owned()).collect::<BTreeSet<_>>();
        let ingresses = |change| InventoryChange { source: SourceName::Host(ClusterSource::Ingresses), change };
        let changed = ingresses(Change::Changed {
            object: "shop/web".to_owned(),
            added_hosts: hosts(&["c.example.org"]),
            removed_hosts: hosts(&["a.example.org"]),
        });
        assert_eq!(between(BEFORE, AFTER)[5], changed);
        let before = SourceState::Present { objects: 2 };
        let unknown = SourceState::Unknown { reason: "Timeout".to_owned(), message: "m".to_owned() };
        let values = [
            changed,
            ingresses(Change::State { before, after: unknown }),
            ingresses(Change::State { before: SourceState::Absent, after: SourceState::Absent }),
            ingresses(Change::Identity { before: "a".to_owned(), after: "b".to_owned() }),
            ingresses(Change::Added { object: "a/b".to_owned(), hosts: hosts(&[]) }),
        ];
        let of = |change: serde_json::Value| json!({"source": "host ingresses", "change": change});
        let expected = json!([
            of(json!({
                "kind": "changed", "object": "shop/web", "addedHosts": ["c.example.org"], "removedHosts": ["a.example.org"],
            })),
            of(json!({
                "kind": "state", "before": {"state": "Present", "objects": 2},
                "after": {"state": "Unknown", "reason": "Timeout", "message": "m"},
            })),
            of(json!({"kind": "state", "before": {"state": "Absent"}, "after": {"state": "Absent"}})),
            of(json!({"kind": "identity", "before": "a", "after": "b"})),
            of(json!({"kind": "added", "object": "a/b", "hosts": []})),
        ]);
        assert_eq!(serde_json::to_value(values).unwrap(), expected);
    }
}
