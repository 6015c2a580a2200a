//! Whether Flux reads what is committed, and nothing else.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::ops::doctor::tests::sample::{Sample, changes, git_repository, kustomization, not_ready, present};

/// The settings of a second cluster.
const OTHER: &str = "apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata: {name: other}
spec:
  platform: {kind: generic}
  ingress:
    class: nginx
    service: {namespace: ingress-nginx, name: ingress-nginx-controller}
    clusterDomain: cluster.local
    proxyProtocol: true
";

#[test]
fn a_folder_that_flux_does_not_read_or_not_rightly_is_found() {
    let sample = Sample::cozystack();
    let path = |path: &str| sample.clone().seen("/kustomizations", present([kustomization(path)]));
    let url = |url: &str| sample.clone().seen("/gitRepositories", present([git_repository(url, "main")]));
    let mut second = kustomization("clusters/edge/manifests");
    second["metadata"]["name"] = json!("again");
    let absent = || json!({"state": "Absent"});
    assert_snapshot!(changes(&sample, [
        ("no Kustomization", sample.clone().seen("/kustomizations", present([]))),
        ("no Flux", sample.clone().seen("/kustomizations", absent()).seen("/gitRepositories", absent())),
        ("another folder", path("./clusters/edge2")),
        ("only one layer", path("./clusters/edge/manifests/host")),
        ("the manifests alone", path("./clusters/edge/manifests")),
        ("the folder above", path("clusters/")),
        ("everything", path("")),
        (
            "the folder above, with another cluster",
            path("clusters")
                .file("clusters/other/cluster.yaml", OTHER)
                .file("clusters/other/kustomization.yaml", "resources: [manifests]"),
        ),
        ("another repository", url("https://git.example.org/platform/apps")),
        ("the same repository, otherwise written", url("git@git.example.org:platform/fleet.git")),
        ("into another cluster", sample.clone().seen("/kustomizations/items/0/spec/kubeConfig", json!({"secretRef": {"name": "x"}}))),
        ("another kind of source", sample.clone().seen("/kustomizations/items/0/spec/sourceRef/kind", json!("OCIRepository"))),
        ("no source", sample.clone().seen("/gitRepositories", present([]))),
        ("two", sample.clone().more("/kustomizations", second)),
        ("no list in the folder", sample.clone().file("clusters/edge/kustomization.yaml", "")),
        ("a list with the settings", sample.clone().file("clusters/edge/kustomization.yaml", "resources: [manifests, cluster.yaml]\n")),
        ("a list without the manifests", sample.clone().file("clusters/edge/kustomization.yaml", "resources: [apps]\n")),
        ("published to a folder", sample.clone().published(Some("/srv/git/fleet.git"), "main")),
        ("published nowhere else", sample.clone().published(None, "main")),
        ("published to a folder, and everything is read", path("").published(Some("/srv/git/fleet.git"), "main")),
    ]), @"
    # no Kustomization
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2, kustomizations 0, gitRepositories 1
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # no Flux
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2, kustomizations 0, gitRepositories 0
    Fail FluxReader (cluster) clusters/edge: the cluster does not have the kinds of Flux: nothing applies what is committed => install Flux in it, or let a Flux elsewhere read the folder
    # another folder
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # only one layer
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # the manifests alone
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters/edge/manifests
    # the folder above
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters
    # everything
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads the whole repository
    # the folder above, with another cluster
    Fail FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters, and with it the manifests of other clusters: clusters/other => set spec.path: ./clusters/edge
    # another repository
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # the same repository, otherwise written
    # into another cluster
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # another kind of source
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # no source
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2, kustomizations 1, gitRepositories 0
    Fail FluxSourceReady (cluster) GitRepository/flux-system/flux-system: Kustomization/flux-system/flux-system reads from it, and it is not there => make the source, or correct spec.sourceRef
    # two
    Ok SourceRead (cluster) inventory: tenants 1, packages 1, platformSettings 6, helmReleases 2, kustomizations 2, gitRepositories 1
    Ok FluxAppliesSettings (cluster) Kustomization/flux-system/again: it comes to the manifests, and to none of the settings beside them
    Warn FluxReader (cluster) clusters/edge: more than one applies it, and they take objects from each other: Kustomization/flux-system/again reads clusters/edge/manifests, Kustomization/flux-system/flux-system reads clusters/edge => let one of them read it
    Ok FluxReaderReady (cluster) Kustomization/flux-system/again: Ready (Succeeded); applied main@sha1:0123456
    Ok FluxReaderPrunes (cluster) Kustomization/flux-system/again: what goes from Git goes from the cluster
    # no list in the folder
    Fail FluxAppliesSettings (cluster) Kustomization/flux-system/flux-system: no kustomization.yaml keeps it from clusters/edge/cluster.yaml, of a kind that no cluster knows: all that it applies fails => write clusters/edge/kustomization.yaml with `resources: [manifests]`, and let nothing else name the files beside it
    # a list with the settings
    Fail FluxAppliesSettings (cluster) Kustomization/flux-system/flux-system: a list leads it to clusters/edge/cluster.yaml, of a kind that no cluster knows: all that it applies fails => write clusters/edge/kustomization.yaml with `resources: [manifests]`, and let nothing else name the files beside it
    # a list without the manifests
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from https://git.example.org/platform/fleet => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    # published to a folder
    Ok FluxReader (cluster) clusters/edge: Kustomization/flux-system/flux-system reads clusters/edge; whether ssh://git.example.org/platform/fleet.git is /srv/git/fleet.git is not known
    # published nowhere else
    # published to a folder, and everything is read
    Warn FluxReader (cluster) clusters/edge: no Kustomization of the cluster reads it from /srv/git/fleet.git => flux create kustomization bobbypin-edge --source=GitRepository/flux-system.flux-system --path=./clusters/edge --prune=true --interval=10m
    ");
}

#[test]
fn a_reader_that_does_not_work_as_it_looks_is_found() {
    let sample = Sample::cozystack();
    assert_snapshot!(changes(&sample, [
        ("suspended", sample.clone().seen("/kustomizations/items/0/spec/suspend", json!(true))),
        ("not ready", sample.clone().seen("/kustomizations/items/0/status", not_ready("BuildFailed", "no matches for kind \"Cluster\""))),
        ("does not prune", sample.clone().seen("/kustomizations/items/0/spec/prune", json!(false))),
        ("another branch", sample.clone().published(Some("git@git.example.org:platform/fleet"), "live")),
        ("no branch", sample.clone().seen("/gitRepositories/items/0/spec/ref", Value::Null)),
        ("a source that is suspended", sample.clone().seen("/gitRepositories/items/0/spec/suspend", json!(true))),
        ("a source that is not ready", sample.clone().seen("/gitRepositories/items/0/status", not_ready("GitOperationFailed", "authentication required"))),
    ]), @r#"
    # suspended
    Warn FluxReaderReady (cluster) Kustomization/flux-system/flux-system: a person suspended it, and nothing resumes it but a person; applied main@sha1:0123456 => flux resume kustomization flux-system -n flux-system
    # not ready
    Fail FluxReaderReady (cluster) Kustomization/flux-system/flux-system: not Ready (BuildFailed): no matches for kind "Cluster" => mend what the message says; Flux tries again by itself
    # does not prune
    Warn FluxReaderPrunes (cluster) Kustomization/flux-system/flux-system: spec.prune is false: what goes from Git stays in the cluster => set spec.prune: true
    # another branch
    Fail FluxSourceBranch (cluster) GitRepository/flux-system/flux-system: it reads the branch main, and commits go to live => set spec.ref.branch: live, or spec.publish.branch: main in bobbypin.yaml
    # no branch
    Warn FluxSourceBranch (cluster) GitRepository/flux-system/flux-system: it names no branch, and commits go to main => set spec.ref.branch: main
    # a source that is suspended
    Warn FluxSourceReady (cluster) GitRepository/flux-system/flux-system: a person suspended it, and nothing resumes it but a person => flux resume source git flux-system -n flux-system
    # a source that is not ready
    Fail FluxSourceReady (cluster) GitRepository/flux-system/flux-system: not Ready (GitOperationFailed): authentication required => mend what the message says; Flux tries again by itself
    "#);
}
