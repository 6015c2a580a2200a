//! What could be read, and of which cluster it is.

use jiff::SignedDuration;

use crate::{
    model::{
        inventory::{ClusterInventory, Inventory, SourceName},
        layer::Layer,
        observed::{Observed, Unknown},
    },
    ops::doctor::{Answer, Checks, Patient, Verdict, count, kind},
    plan::reading,
};

/// A recorded inventory above this age is told of.
const OLD: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let inventory = &patient.cluster.inventory;
    if !patient.cluster.is_seen {
        let fix = "set spec.access in cluster.yaml, or give --context, --kubeconfig or --inventory";
        let answer = Answer {
            verdict: Verdict::Unknown,
            evidence: "nobody looked at the cluster".to_owned(),
            fix: Some(fix.to_owned()),
        };
        checks.add(kind::SOURCE_READ, None, "cluster", answer);
        return;
    }
    read(checks, None, &shared(inventory));
    read(checks, Some(&Layer::Host), &of_cluster(&inventory.host));
    unread(checks, inventory);
    age(patient, checks);
    identity(patient, checks);
    for reading in reading::tenants(&patient.cluster.config, &inventory.tenants) {
        let layer = Layer::Tenant(reading.tenant.clone());
        match inventory.tenant_clusters.get(&reading.tenant) {
            Some(cluster) => {
                read(checks, Some(&layer), &of_cluster(cluster));
                tenant_identity(patient, checks, &layer, cluster);
            }
            None => {
                let answer = Answer::unknown(&Unknown::not_collected());
                checks.add(kind::SOURCE_READ, Some(&layer), format!("cluster of tenant {}", reading.tenant), answer);
            }
        }
    }
}

/// The name of a source, and how many objects it has; `None`: it was not read.
type Source = (&'static str, Option<usize>);

fn shared(inventory: &Inventory) -> [Source; 6] {
    [
        ("tenants", size(&inventory.tenants, |tenants| tenants.len())),
        ("packages", size(&inventory.packages, |packages| packages.len())),
        ("platformSettings", size(&inventory.platform_settings, |settings| settings.len())),
        ("helmReleases", size(&inventory.helm_releases, Vec::len)),
        ("kustomizations", size(&inventory.kustomizations, Vec::len)),
        ("gitRepositories", size(&inventory.git_repositories, Vec::len)),
    ]
}

fn of_cluster(cluster: &ClusterInventory) -> [Source; 7] {
    [
        ("uid", size(&cluster.uid, |_| 1)),
        ("ingresses", size(&cluster.ingresses, Vec::len)),
        ("gateways", size(&cluster.gateways, Vec::len)),
        ("httpRoutes", size(&cluster.http_routes, Vec::len)),
        ("tlsRoutes", size(&cluster.tls_routes, Vec::len)),
        ("services", size(&cluster.services, Vec::len)),
        ("dnsConfigMaps", size(&cluster.dns_config_maps, |maps| maps.len())),
    ]
}

fn size<T>(observed: &Observed<T>, len: impl FnOnce(&T) -> usize) -> Option<usize> {
    match observed {
        Observed::Present(value) => Some(len(value)),
        Observed::Absent => Some(0),
        Observed::Unknown(_) => None,
    }
}

/// What was read. What nobody wanted to read is missed by the one check that needs it.
fn read(checks: &mut Checks, layer: Option<&Layer>, sources: &[Source]) {
    let read: Vec<_> = sources.iter().filter_map(|(name, size)| Some(format!("{name} {}", (*size)?))).collect();
    if !read.is_empty() {
        checks.add(kind::SOURCE_READ, layer, "inventory", Answer::ok(read.join(", ")));
    }
}

/// What could not be read: one line for every cause in every layer.
fn unread(checks: &mut Checks, inventory: &Inventory) {
    let mut failed: Vec<(Option<Layer>, &Unknown, Vec<String>)> = Vec::new();
    for (source, unknown) in inventory.unread() {
        let (layer, name) = match source {
            SourceName::Host(source) => (Some(Layer::Host), source.to_string()),
            SourceName::Platform(source) => (None, source.to_string()),
            SourceName::Tenant(tenant, source) => (Some(Layer::Tenant(tenant)), source.to_string()),
        };
        match failed.iter_mut().find(|(known, cause, _)| (known, *cause) == (&layer, unknown)) {
            Some((.., names)) => names.push(name),
            None => failed.push((layer, unknown, vec![name])),
        }
    }
    for (layer, unknown, names) in failed {
        let fix = "mend that, and run again; the layers that need it are held until then";
        let answer = Answer::fail(format!("{} ({})", unknown.message, unknown.reason), fix);
        checks.add(kind::SOURCE_READ, layer.as_ref(), names.join(", "), answer);
    }
}

fn age(patient: &Patient<'_>, checks: &mut Checks) {
    let Some(now) = patient.recorded else { return };
    let observed_at = patient.cluster.inventory.observed_at;
    let age = now.duration_since(observed_at);
    let evidence = format!("recorded at {observed_at}");
    let answer = if age > OLD {
        let hours = usize::try_from(age.as_hours()).unwrap_or(usize::MAX);
        Answer::warn(
            format!("{evidence}, {} ago", count(hours, "hour")),
            "take a new one: what is said here may not be so any more",
        )
    } else {
        Answer::ok(evidence)
    };
    checks.add(kind::INVENTORY_AGE, None, "inventory", answer);
}

fn identity(patient: &Patient<'_>, checks: &mut Checks) {
    let name = &patient.cluster.config.name;
    let answer = match (&patient.cluster.config.uid, &patient.cluster.inventory.host.uid) {
        (_, Observed::Unknown(unknown)) => Answer::unknown(unknown),
        (_, Observed::Absent) => {
            Answer::fail("it has no namespace kube-system", "find out which cluster this is: every cluster has one")
        }
        (None, Observed::Present(found)) => Answer::warn(
            format!("its UID is {found}, and spec.access.uid is not set: any other cluster would be taken for it"),
            format!("bobbypin trust --cluster {name}"),
        ),
        (Some(wanted), Observed::Present(found)) if wanted == found => {
            Answer::ok(format!("its UID is {found}, as spec.access.uid says"))
        }
        (Some(wanted), Observed::Present(found)) => Answer::fail(
            format!("spec.access.uid is {wanted}, and this cluster is {found}"),
            format!(
                "find out whether this is the cluster that is meant; when it was made anew: bobbypin trust --cluster {name} --replace"
            ),
        ),
    };
    checks.add(kind::CLUSTER_IDENTITY, None, format!("cluster {name}"), answer);
}

fn tenant_identity(patient: &Patient<'_>, checks: &mut Checks, layer: &Layer, cluster: &ClusterInventory) {
    let known = patient.cluster.state.layers.get(layer).and_then(|memory| memory.uid.as_ref());
    let answer = match (known, &cluster.uid) {
        (_, Observed::Unknown(unknown)) => Answer::unknown(unknown),
        (_, Observed::Absent) => {
            Answer::fail("it has no namespace kube-system", "find out which cluster this is: every cluster has one")
        }
        (None, Observed::Present(found)) => {
            Answer::ok(format!("its UID is {found}; state.yaml will remember it when the layer is delivered"))
        }
        (Some(known), Observed::Present(found)) if known == found => {
            Answer::ok(format!("its UID is {found}, as state.yaml remembers it"))
        }
        (Some(known), Observed::Present(found)) => {
            let Layer::Tenant(tenant) = layer else { return };
            Answer::fail(
                format!("state.yaml remembers {known}, and this cluster is {found}"),
                format!("find out why; if the tenant was made anew: bobbypin trust --tenant {tenant}"),
            )
        }
    };
    checks.add(kind::TENANT_IDENTITY, Some(layer), layer.to_string(), answer);
}
