//! The Services between which the fix stands: the ingress controller's and the proxy's.

use crate::{
    model::{
        inventory::{ClusterInventory, ServiceObject},
        layer::Layer,
    },
    ops::doctor::{Answer, Checks, Patient, kind, seen},
    plan::{
        Decision,
        reading::{self, ServiceId},
    },
};

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let inventory = &patient.cluster.inventory;
    let config = &patient.cluster.config;
    let wanted = reading::host_services(config, &patient.cluster.platform);
    layer(patient, checks, &Layer::Host, &inventory.host, &wanted);
    for reading in reading::tenants(config, &inventory.tenants) {
        let layer = Layer::Tenant(reading.tenant.clone());
        if let Some(cluster) = inventory.tenant_clusters.get(&reading.tenant) {
            self::layer(patient, checks, &layer, cluster, &reading.services);
        }
    }
}

/// The Services of one layer: the proxy's is the last one, and the ingress controller's before it, when it is known.
fn layer(patient: &Patient<'_>, checks: &mut Checks, layer: &Layer, cluster: &ClusterInventory, wanted: &[ServiceId]) {
    if !patient.is_wanted(layer) {
        return;
    }
    let services = seen(&cluster.services);
    let find = |id: &ServiceId| {
        let services = services.clone()?;
        Ok(services.iter().find(|service| *service.meta.namespace == *id.0 && *service.meta.name == *id.1))
    };
    let subject = |(namespace, name): &ServiceId| format!("Service/{namespace}/{name}");
    if let [ingress, _proxy] = wanted {
        let answer = find(ingress).map_or_else(|unknown| unknown, |found| of_ingress(patient, found));
        checks.add(kind::INGRESS_SERVICE, Some(layer), subject(ingress), answer);
    }
    if let Some(proxy) = wanted.last() {
        let answer = find(proxy).map_or_else(|unknown| unknown, |found| of_proxy(patient, layer, found));
        checks.add(kind::PROXY_SERVICE, Some(layer), subject(proxy), answer);
    }
}

/// The addresses at which a Service is reached inside the cluster; none for a headless one.
fn addresses(service: &ServiceObject) -> Vec<&str> {
    service.cluster_ips.iter().map(String::as_str).filter(|address| !matches!(*address, "" | "None")).collect()
}

fn of_ingress(patient: &Patient<'_>, found: Option<&ServiceObject>) -> Answer {
    let fix = if patient.is_cozystack() {
        "look whether the ingress controller is installed: publishing.ingressName of the platform's values names its namespace"
    } else {
        "correct the ingress controller's service in cluster.yaml"
    };
    match found.map(|service| (service, addresses(service))) {
        None => Answer::fail("there is no such Service: the proxy would have nowhere to send to", fix),
        Some((_, addresses)) if addresses.is_empty() => Answer::fail(
            "it has no cluster IP: the proxy needs one to send to",
            "give it a cluster IP, or name another Service",
        ),
        Some((service, addresses)) => Answer::ok(format!("{}, {}", service.service_type, addresses.join(" and "))),
    }
}

fn of_proxy(patient: &Patient<'_>, layer: &Layer, found: Option<&ServiceObject>) -> Answer {
    let planned = patient.layer(layer);
    let is_delivered =
        planned.is_some_and(|planned| planned.is_committed && matches!(planned.decision, Decision::Deliver { .. }));
    match found.map(addresses) {
        Some(addresses) if addresses.is_empty() => Answer::fail(
            "it has no cluster IP, so redirected names lead nowhere",
            "look at the values of the release ouroboros: proxy.service.type",
        ),
        Some(addresses) => Answer::ok(addresses.join(" and ")),
        None if is_delivered => Answer::warn(
            "Git has the fix, and the cluster has no such Service yet",
            "look at the Kustomization and the HelmRelease below: flux get all -A",
        ),
        None => Answer::ok("not there, and Git does not have the fix yet"),
    }
}
