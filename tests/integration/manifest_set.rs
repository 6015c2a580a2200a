//! A cluster's manifests with which nothing is wrong, to be made wrong by the tests of the checks.

use std::collections::{BTreeMap, BTreeSet};

use bobbypin::{
    config::kubernetes,
    manifest::{
        ClusterManifests, MARK, ManifestFile, Manifests, Meaning, Rendered,
        validate::{ManifestProblem, Rules},
    },
    model::{name::Name, object::ObjectId, tree::RepoPath},
};
use serde_json::Value;

pub(crate) const HOST: &str = "clusters/edge/manifests/host";
pub(crate) const TENANT: &str = "clusters/edge/manifests/tenants/acme/shop";
pub(crate) const DIGEST: &str = "sha256:cf285fe6f1eff6ac34e45871d4eef9c2f3ef590d76a6fc272019a9387519891d";

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("a literal that parses")
}

pub(crate) fn id(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    }
}

/// A cluster with a host layer by `HelmRelease` and a tenant layer with objects of its own: every rule has something to
/// look at, and nothing is wrong.
pub(crate) fn lawful() -> BTreeMap<String, String> {
    let kustomization = |kind: &str, lists: &str| {
        let version = if kind == "Component" { "v1alpha1" } else { "v1beta1" };
        format!("apiVersion: kustomize.config.k8s.io/{version}\nkind: {kind}\n{lists}")
    };
    let repository = |namespace: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: ouroboros\n  namespace: {namespace}\n\
             spec:\n  interval: 10m\n  url: oci://ghcr.io/lexfrei/charts/ouroboros\n  ref:\n    tag: 0.8.1\n    digest: {DIGEST}\n"
        )
    };
    let release = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: ouroboros
  namespace: flux-system
spec:
  interval: 5m
  chartRef:
    kind: OCIRepository
    name: ouroboros
  targetNamespace: ouroboros
  install:
    createNamespace: true
  values:
    image:
      repository: ghcr.io/lexfrei/ouroboros
      tag: 0.8.1@DIGEST
    controller:
      ingressClass: \"\"
";
    let remote = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: ouroboros
  namespace: acme
spec:
  chartRef:
    kind: OCIRepository
    name: ouroboros
  kubeConfig:
    secretRef:
      name: shop-admin-kubeconfig
      key: super-admin.svc
  targetNamespace: cozy-ouroboros
  storageNamespace: cozy-ouroboros
  install:
    createNamespace: true
  values:
    image:
      tag: 0.8.1@DIGEST
";
    let records = "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: shop-records
  namespace: acme
spec:
  interval: 10m
  prune: true
  path: ./clusters/edge/manifests/tenants/acme/shop/cluster
  sourceRef:
    kind: GitRepository
    name: flux-system
    namespace: flux-system
  kubeConfig:
    secretRef:
      name: shop-admin-kubeconfig
";
    let config_map = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: coredns-custom
  namespace: kube-system
data:
  bobbypin.override: |
    rewrite name a.example.org b.svc.cluster.local.
    rewrite name c.example.org b.svc.cluster.local.
";
    let patch = "\
apiVersion: apps.cozystack.io/v1alpha1
kind: Kubernetes
metadata:
  name: shop
  namespace: acme
spec:
  addons:
    ouroboros:
      enabled: true
";
    [
        (
            "clusters/edge/manifests",
            "kustomization",
            kustomization("Kustomization", "resources:\n- host\n- tenants/acme/shop\n"),
        ),
        (HOST, "kustomization", kustomization("Kustomization", "resources:\n- helmrelease.yaml\n- source.yaml\n")),
        (HOST, "helmrelease", release.replace("DIGEST", DIGEST)),
        (HOST, "source", repository("flux-system")),
        (TENANT, "kustomization", kustomization("Kustomization", "resources:\n- objects.yaml\n- records.yaml\n")),
        (TENANT, "objects", format!("{}---\n{}", repository("acme"), remote.replace("DIGEST", DIGEST))),
        (TENANT, "records", records.to_owned()),
        (TENANT, "cluster/kustomization", kustomization("Kustomization", "resources:\n- coredns.yaml\n")),
        (TENANT, "cluster/coredns", config_map.to_owned()),
        (TENANT, "addon/kustomization", kustomization("Component", "patches:\n- path: patch.yaml\n")),
        (TENANT, "addon/patch", patch.to_owned()),
    ]
    .into_iter()
    .map(|(folder, name, text)| (format!("{folder}/{name}.yaml"), format!("{MARK}\n{text}")))
    .collect()
}

pub(crate) fn rules() -> Rules {
    Rules {
        external: BTreeSet::from([
            id("v1", "Secret", Some("acme"), "shop-admin-kubeconfig"),
            id("source.toolkit.fluxcd.io/v1", "GitRepository", Some("flux-system"), "flux-system"),
        ]),
        existing_paths: BTreeSet::new(),
        roots: BTreeSet::from([path(&format!("{TENANT}/addon"))]),
    }
}

/// What the lawful files say, as meanings: a test that changes a text leaves them as they are.
pub(crate) fn meanings(text: &str) -> Vec<Meaning> {
    let values = kubernetes::read_values(text).expect("lawful YAML");
    let meaning = |value: &Value| {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let object = id(
            text("/apiVersion").unwrap_or_default(),
            text("/kind").unwrap_or_default(),
            text("/metadata/namespace"),
            text("/metadata/name").unwrap_or_default(),
        );
        Meaning { object, values: Vec::new() }
    };
    values.iter().map(meaning).collect()
}

pub(crate) fn manifests(
    files: &BTreeMap<String, String>,
    meanings: &BTreeMap<String, Vec<Meaning>>,
) -> Manifests<Rendered> {
    let file = |(name, text): (&String, &String)| {
        let meanings = meanings.get(name).cloned().unwrap_or_default();
        (path(name), ManifestFile { layer: None, text: text.clone(), meanings })
    };
    Manifests::new(vec![ClusterManifests {
        name: Name::parse("edge").expect("a name"),
        folder: path("clusters/edge"),
        decided_folders: BTreeSet::new(),
        decided_files: BTreeSet::new(),
        files: files.iter().map(file).collect(),
        edited_files: BTreeSet::new(),
    }])
}

pub(crate) fn validate(files: &BTreeMap<String, String>, rules: &Rules) -> Vec<ManifestProblem> {
    let meant = files.iter().map(|(name, text)| (name.clone(), meanings(text))).collect();
    manifests(files, &meant).validate(rules).err().unwrap_or_default()
}

/// `path[document]pointer Rule: message`, with the cluster's folder left out.
pub(crate) fn lines(problems: &[ManifestProblem]) -> Vec<String> {
    let line = |problem: &ManifestProblem| {
        let path =
            problem.path.as_str().trim_start_matches("clusters/edge/manifests/").replace("tenants/acme/shop/", "shop/");
        format!("{path}[{}]{} {}: {}", problem.document, problem.pointer, problem.rule, problem.message)
    };
    problems.iter().map(line).collect()
}

/// Replaces a text in one of the lawful files and compares all problems of the whole set.
#[track_caller]
pub(crate) fn assert_problems(file: &str, from: &str, to: &str, expected: &[&str]) {
    let mut files = lawful();
    let meant = files.iter().map(|(name, text)| (name.clone(), meanings(text))).collect::<BTreeMap<_, _>>();
    let name = file.replace("shop/", "tenants/acme/shop/");
    let text = files.get_mut(&format!("clusters/edge/manifests/{name}")).expect("a lawful file");
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    *text = text.replacen(from, to, 1);
    let problems = manifests(&files, &meant).validate(&rules()).err().unwrap_or_default();
    assert_eq!(lines(&problems), expected, "{from:?} -> {:?}", to.get(..200).unwrap_or(to));
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()), "{problems:#?}");
}
