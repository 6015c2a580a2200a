//! The records of a layer, in any form.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    dns::{
        hosts_file,
        ouroboros::{
            self,
            corefile::{BEGIN, END},
        },
        snippet,
    },
    model::{cluster::Platform, hostname::Hostname, inventory::ClusterInventory, layer::Layer, observed::Observed},
    ops::load::Cluster,
    plan::{
        Decision, LayerPlan, PlatformFacts,
        release::{COZY_NAMESPACE, GENERIC_NAMESPACE},
    },
};

/// A form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The forms that are committed; for a layer whose records ouroboros writes: its block.
    Planned,
    /// `rewrite name` lines.
    RewriteSnippet,
    /// Lines of a hosts file.
    HostsFile,
    /// The block that ouroboros writes into a Corefile, with its markers.
    Ouroboros,
}

/// Why the records of a layer cannot be written in a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// A hosts file needs addresses.
    #[error("Service/{namespace}/ouroboros-proxy has no fixed ClusterIP that was seen, and a hosts file needs one")]
    NoAddress {
        /// Where the proxy runs.
        namespace: &'static str,
    },
    /// What the records lead to is not known.
    #[error("the platform's values are not known, so neither is the domain of the cluster")]
    NoDomain,
}

/// The text of the records of one layer; empty for a layer without any.
pub fn of_layer(cluster: &Cluster, layer: &LayerPlan, form: Form) -> Result<String, RecordsError> {
    let records = match &layer.decision {
        Decision::Deliver { release, .. } => release.records.as_ref(),
        Decision::Remove { .. } | Decision::Hold { .. } => None,
    };
    if let (Some(records), Form::Planned) = (records, form) {
        return Ok(records.answers.iter().map(|answer| answer.text(&records.hosts)).collect());
    }
    if layer.hosts.is_empty() {
        return Ok(String::new());
    }
    let hosts: Vec<Hostname> = layer.hosts.keys().filter_map(|host| Hostname::parse(host).ok()).collect();
    match form {
        Form::RewriteSnippet => Ok(snippet::write(&hosts, &target(cluster, layer)?)),
        Form::HostsFile => Ok(hosts_file::write(&hosts, &addresses(cluster, layer)?)),
        Form::Planned | Form::Ouroboros => {
            let hosts = layer.hosts.keys().map(String::as_str);
            let lines = ouroboros::import::snippet(hosts, &target(cluster, layer)?)
                .expect("the name of a Service is not empty and ends in a dot");
            Ok(format!("{BEGIN}\n{lines}{END}\n"))
        }
    }
}

/// What was seen of the cluster that a layer is about.
pub fn inventory_of<'a>(cluster: &'a Cluster, layer: &Layer) -> Option<&'a ClusterInventory> {
    match layer {
        Layer::Host => Some(&cluster.inventory.host),
        Layer::Tenant(tenant) => cluster.inventory.tenant_clusters.get(tenant),
    }
}

/// Where the proxy runs. Tenants are only on cozystack, or as this program delivers them.
fn namespace(cluster: &Cluster, layer: &Layer) -> &'static str {
    match (&cluster.platform, layer) {
        (PlatformFacts::Generic, Layer::Host) => GENERIC_NAMESPACE,
        (PlatformFacts::Generic, Layer::Tenant(_)) | (PlatformFacts::Cozystack(_) | PlatformFacts::Unknown(_), _) => {
            COZY_NAMESPACE
        }
    }
}

/// The name that hosts are rewritten to.
fn target(cluster: &Cluster, layer: &LayerPlan) -> Result<String, RecordsError> {
    let domain = match (&layer.layer, &cluster.platform, &cluster.config.platform) {
        (Layer::Tenant(tenant), ..) => {
            let tenants = &cluster.config.tenants;
            let ingress = tenants.listed.get(tenant).unwrap_or(&tenants.defaults).ingress.as_ref();
            ingress.map_or("cluster.local", |ingress| &ingress.cluster_domain)
        }
        (Layer::Host, PlatformFacts::Cozystack(values), _) => values.cluster_domain().unwrap_or("cozy.local"),
        (Layer::Host, _, Platform::Generic { ingress }) => &ingress.cluster_domain,
        (Layer::Host, _, Platform::Cozystack { .. }) => return Err(RecordsError::NoDomain),
    };
    Ok(ouroboros::proxy_name(namespace(cluster, &layer.layer), domain))
}

/// The addresses of the proxy that a hosts file can hold.
fn addresses(cluster: &Cluster, layer: &LayerPlan) -> Result<BTreeSet<IpAddr>, RecordsError> {
    let namespace = namespace(cluster, &layer.layer);
    let services = match inventory_of(cluster, &layer.layer).map(|inventory| &inventory.services) {
        Some(Observed::Present(services)) => services.as_slice(),
        _ => &[],
    };
    let proxy = services
        .iter()
        .find(|service| *service.meta.namespace == *namespace && *service.meta.name == *"ouroboros-proxy");
    let addresses: BTreeSet<IpAddr> = proxy
        .into_iter()
        .flat_map(|service| &service.cluster_ips)
        .filter_map(|address| address.parse().ok())
        .filter(|address| hosts_file::is_usable(*address))
        .collect();
    if addresses.is_empty() { Err(RecordsError::NoAddress { namespace }) } else { Ok(addresses) }
}
