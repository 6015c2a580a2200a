//! What could be read, and of which cluster.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::ops::doctor::{
    Verdict,
    tests::sample::{Sample, changes, forbidden},
};

#[test]
fn what_could_not_be_read_is_told_once_for_each_cause_and_layer() {
    let sample = Sample::cozystack();
    let whole = ["ingresses", "services", "dnsConfigMaps"]
        .iter()
        .fold(sample.clone(), |sample, source| sample.seen(&format!("/tenantClusters/0/{source}"), forbidden()));
    assert_snapshot!(changes(&sample, [
        ("the host's Ingresses", sample.clone().seen("/host/ingresses", forbidden())),
        ("the Packages and the HelmReleases", sample.clone().seen("/packages", forbidden()).seen("/helmReleases", forbidden())),
        ("a whole tenant", whole),
    ]), @"
    # the host's Ingresses
    Ok SourceRead (host) inventory: uid 1, services 2, dnsConfigMaps 1
    Fail SourceRead (host) ingresses: no right to list it (Forbidden) => mend that, and run again; the layers that need it are held until then
    Unknown LayerDecision (host) host: Hold (NotObserved): ingresses could not be read: no right to list it (Forbidden)
    Unknown Hosts H15 (host) Ingresses: no right to list it (Forbidden)
    # the Packages and the HelmReleases
    Ok SourceRead (cluster) inventory: tenants 1, platformSettings 6, kustomizations 1, gitRepositories 1
    Fail SourceRead (cluster) packages, helmReleases: no right to list it (Forbidden) => mend that, and run again; the layers that need it are held until then
    Unknown ReleaseReady (cluster) HelmRelease: no right to list it (Forbidden)
    Unknown LayerDecision (host) host: Hold (NotObserved): packages could not be read: no right to list it (Forbidden)
    Unknown LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (NotObserved): helmReleases could not be read: no right to list it (Forbidden)
    # a whole tenant
    Fail SourceRead (tenant tenant-acme/shop) ingresses, services, dnsConfigMaps: no right to list it (Forbidden) => mend that, and run again; the layers that need it are held until then
    Ok SourceRead (tenant tenant-acme/shop) inventory: uid 1
    Unknown LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (NotObserved): ingresses could not be read: no right to list it (Forbidden)
    Unknown IngressService (tenant tenant-acme/shop) Service/cozy-ingress-nginx/ingress-nginx-controller: no right to list it (Forbidden)
    Unknown ProxyService (tenant tenant-acme/shop) Service/cozy-ouroboros/ouroboros-proxy: no right to list it (Forbidden)
    Unknown Corefile (tenant tenant-acme/shop) ConfigMap/kube-system/coredns: no right to list it (Forbidden)
    Unknown Hosts H15 (tenant tenant-acme/shop) Ingresses: no right to list it (Forbidden)
    ");
}

#[test]
fn what_nobody_read_is_missed_by_the_checks_that_need_it() {
    let sample = Sample::cozystack();
    let gone =
        |pointers: &[&str]| pointers.iter().fold(sample.clone(), |sample, pointer| sample.seen(pointer, Value::Null));
    assert_snapshot!(changes(&sample, [
        ("no Services", gone(&["/host/services"])),
        ("no settings", gone(&["/platformSettings"])),
        ("no Flux", gone(&["/kustomizations", "/gitRepositories"])),
        ("no HelmReleases", gone(&["/helmReleases"])),
        ("no tenants", gone(&["/tenants"])),
        ("no cluster of the tenant", gone(&["/tenantClusters"])),
        ("no DNS", gone(&["/host/dnsConfigMaps"])),
        ("no UID", gone(&["/uid"])),
    ]), @"
    # no Services
    Ok SourceRead (host) inventory: uid 1, ingresses 2, dnsConfigMaps 1
    Unknown LoadBalancerClass H25 (host) Service/tenant-root/root-ingress-controller: the inventory says nothing about it (NotCollected)
    Unknown IngressService (host) Service/tenant-root/root-ingress-controller: the inventory says nothing about it (NotCollected)
    Unknown ProxyService (host) Service/cozy-ouroboros/ouroboros-proxy: the inventory says nothing about it (NotCollected)
    # no settings
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, helmReleases 2, kustomizations 1, gitRepositories 1
    Unknown PlatformVersion (host) spec.platform.version: the inventory says nothing about it (NotCollected)
    # no Flux
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2
    Unknown FluxReader (cluster) clusters/edge: the inventory says nothing about it (NotCollected)
    # no HelmReleases
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, kustomizations 1, gitRepositories 1
    Unknown ReleaseReady (cluster) HelmRelease: the inventory says nothing about it (NotCollected)
    # no tenants
    Ok SourceRead (cluster) inventory: packages 1, platformSettings 6, helmReleases 2, kustomizations 1, gitRepositories 1
    Unknown TenantAddons (cluster) Kubernetes.apps.cozystack.io: the inventory says nothing about it (NotCollected)
    Unknown LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (NotObserved): the list of tenants could not be read: the inventory says nothing about it (NotCollected)
    # no cluster of the tenant
    Unknown SourceRead (tenant tenant-acme/shop) cluster of tenant tenant-acme/shop: the inventory says nothing about it (NotCollected)
    Unknown LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (NotObserved): the tenant's Ingresses could not be read: the inventory says nothing about it (NotCollected)
    # no DNS
    Ok SourceRead (host) inventory: uid 1, ingresses 2, services 2
    Unknown Corefile (host) ConfigMap/kube-system/coredns: the inventory says nothing about it (NotCollected)
    # no UID
    Unknown ClusterIdentity (cluster) cluster edge: the inventory says nothing about it (NotCollected)
    Ok SourceRead (host) inventory: ingresses 2, services 2, dnsConfigMaps 1
    ");
}

#[test]
fn another_cluster_is_told_from_the_one_that_is_meant() {
    let sample = Sample::cozystack();
    assert_snapshot!(changes(&sample, [
        ("nobody said which", sample.clone().with("/access", Value::Null)),
        ("another host", sample.clone().seen("/uid", json!("another"))),
        ("another tenant", sample.clone().seen("/tenantClusters/0/uid", json!("another"))),
        ("a tenant that is not remembered", sample.clone().file("clusters/edge/state.yaml", "")),
        ("no namespace kube-system", sample.clone().seen("/uid", json!({"state": "Absent"}))),
    ]), @"
    # nobody said which
    Warn ClusterIdentity (cluster) cluster edge: its UID is 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, and spec.access.uid is not set: any other cluster would be taken for it => bobbypin trust --cluster edge
    # another host
    Fail ClusterIdentity (cluster) cluster edge: spec.access.uid is 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, and this cluster is another => find out whether this is the cluster that is meant; when it was made anew: bobbypin trust --cluster edge --replace
    Fail LayerDecision (host) host: Hold (WrongCluster): cluster.yaml is for the cluster with UID 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, and the inventory is of another => give the inventory of this cluster, or correct spec.access.uid
    Fail LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (WrongCluster): cluster.yaml is for the cluster with UID 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, and the inventory is of another => give the inventory of this cluster, or correct spec.access.uid
    # another tenant
    Fail TenantIdentity (tenant tenant-acme/shop) tenant tenant-acme/shop: state.yaml remembers uid-of-shop, and this cluster is another => find out why; if the tenant was made anew: bobbypin trust --tenant tenant-acme/shop
    Fail LayerDecision (tenant tenant-acme/shop) tenant tenant-acme/shop: Hold (WrongTenantCluster): state.yaml knows the tenant's cluster by the UID uid-of-shop, and the inventory is of another => find out why; if the tenant was made anew: bobbypin trust --tenant tenant-acme/shop
    # a tenant that is not remembered
    Ok TenantIdentity (tenant tenant-acme/shop) tenant tenant-acme/shop: its UID is uid-of-shop; state.yaml will remember it when the layer is delivered
    # no namespace kube-system
    Fail ClusterIdentity (cluster) cluster edge: it has no namespace kube-system => find out which cluster this is: every cluster has one
    Ok SourceRead (host) inventory: uid 0, ingresses 2, services 2, dnsConfigMaps 1
    ");
}

#[test]
fn an_old_inventory_is_told_of_and_a_cluster_that_was_asked_has_no_age() {
    let sample = Sample::cozystack();
    assert_snapshot!(changes(&sample, [
        ("a day", sample.clone().aged(Some(24))),
        ("two days", sample.clone().aged(Some(48))),
        ("live", sample.clone().aged(None)),
    ]), @"
    # a day
    # two days
    Warn InventoryAge (cluster) inventory: recorded at 2026-11-20T10:00:00Z, 48 hours ago => take a new one: what is said here may not be so any more
    # live
    ");
    assert!(sample.clone().aged(None).checks().iter().all(|check| check.id != "InventoryAge"));
}

#[test]
fn of_a_cluster_that_nobody_looked_at_only_that_is_told() {
    let mut sample = Sample::cozystack();
    sample.inventory = Value::Null;
    let told = sample.told();
    assert_snapshot!(told.join("\n"), @"
    Unknown SourceRead (cluster) cluster: nobody looked at the cluster => set spec.access in cluster.yaml, or give --context, --kubeconfig or --inventory
    ");
    assert!(sample.checks().iter().all(|check| check.verdict == Verdict::Unknown));
}
