//! Every template with every variable, and every form of a release.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    manifest::{MARK, ManifestFile, Meaning},
    model::{
        cluster::{
            ChartSignature, Engine as RecordEngine, FluxSource, Records as RecordForm, SecretKey, SignerIdentity,
        },
        digest::Digest,
        hostname::Hostname,
        layer::{Layer, TenantId},
        name::Name,
        stamp::Stamp,
        state::State,
        tree::{CommitId, RepoPath},
    },
    plan::{
        ClusterPlan, Decision, HoldCause, LayerPlan, Reason,
        release::{Answer, Carrier, Chart, Form, Records, Release, RemoteChart, RemoteHelmRelease, TwoStep},
    },
    render::{
        Templates, render, stamped,
        templates::{
            self, Component, ComponentEmptied, EMBEDDED, HelmRelease, List, Namespace, OciRepository, Overlay,
            OverlayEmptied, Package, PackageSource, RecordsKustomization, RecordsMap, RecordsMapEmptied, RemoteOci,
            RemotePlatform, Template, TenantPatch,
        },
    },
};

/// One template with what it is given and what it must say.
struct Example {
    path: &'static str,
    context: Value,
    text: String,
    meant: Vec<(String, Value)>,
}

fn example(templates: &Templates, template: &impl Template) -> Example {
    let context = serde_json::to_value(template).expect("a context is plain data");
    let text = templates.0.render(template.path(), template).unwrap_or_else(|error| panic!("{error:?}"));
    Example { path: template.path(), context, text, meant: template.meaning().values }
}

/// One of each struct, with texts that YAML could take for something else.
fn examples(templates: &Templates) -> Vec<Example> {
    let (name, namespace, key) = ("yes", "0x10", "a: b");
    let values = json!({"a": {"b": ["1", 1, true, "x\ny"]}});
    let values = &values;
    let (chart, signed_chart) = (chart(), signed_chart());
    let oci = |layer| OciRepository::new(name, namespace, &chart, layer);
    let signed_oci = |layer| OciRepository::new(name, namespace, &signed_chart, layer);
    let remote = |force_upgrade| RemotePlatform {
        name,
        namespace,
        target_cluster: "kubernetes-shop",
        kubeconfig_secret: "no",
        kubeconfig_key: key,
        target_namespace: "null",
        force_upgrade,
        depends_on: json!([{"name": "a", "namespace": "b"}]),
        values,
    };
    let remote_oci = RemoteOci {
        name,
        namespace,
        repository: "1.0",
        kubeconfig_secret: "no",
        kubeconfig_key: key,
        target_namespace: "null",
        values,
    };
    let records = RecordsKustomization {
        name: name.to_owned(),
        namespace,
        path: "./clusters/edge".to_owned(),
        source_name: "~",
        source_namespace: ".5",
        kubeconfig_secret: "no",
        kubeconfig_key: key,
    };
    vec![
        example(templates, &List { resources: vec!["a.yaml".to_owned(), "true".to_owned()] }),
        example(templates, &List { resources: Vec::new() }),
        example(templates, &Overlay { name, values }),
        example(templates, &OverlayEmptied { name }),
        example(templates, &Package { name, values }),
        example(templates, &PackageSource { name, repository: "1.0", namespace, target_namespace: "on" }),
        example(templates, &oci(templates::Layer::Copy)),
        example(templates, &oci(templates::Layer::Extract)),
        example(templates, &signed_oci(templates::Layer::Copy)),
        example(templates, &signed_oci(templates::Layer::Extract)),
        example(templates, &Namespace { name }),
        example(templates, &HelmRelease { name, namespace, repository: "1.0", values }),
        example(templates, &remote(true)),
        example(templates, &remote(false)),
        example(templates, &remote_oci),
        example(templates, &Component { namespace, name }),
        example(templates, &ComponentEmptied {}),
        example(templates, &TenantPatch { namespace, name, addons: values }),
        example(templates, &RecordsMap { data: json!({"a.override": "rewrite name a b.\n"}) }),
        example(templates, &RecordsMapEmptied {}),
        example(templates, &records),
    ]
}

fn embedded() -> Templates {
    Templates::new(&BTreeMap::new()).expect("the embedded templates")
}

#[test]
fn every_template_has_a_struct_and_every_struct_a_template() {
    let used: BTreeSet<_> = examples(&embedded()).iter().map(|example| example.path).collect();
    assert_eq!(used, EMBEDDED.iter().map(|(path, _)| *path).collect());
}

#[test]
fn every_document_says_what_was_meant_whatever_the_values_look_like() {
    for Example { path, text, meant, .. } in examples(&embedded()) {
        assert!(text.starts_with(MARK), "{path}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}:\n{text}");
        let read: Value = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}\n{text}"));
        for (pointer, value) in meant {
            assert_eq!(read.pointer(&pointer), Some(&value), "{path} {pointer}:\n{text}");
        }
    }
}

#[test]
fn every_field_of_a_context_is_a_variable_of_its_template() {
    let templates = embedded();
    for Example { path, context, .. } in examples(&templates) {
        for field in context.as_object().expect("a context is a map").keys() {
            let mut less = context.clone();
            less.as_object_mut().expect("a context is a map").remove(field);
            assert!(templates.0.render(path, &less).is_err(), "{path} does not use `{field}`");
        }
    }
}

#[test]
fn every_form_of_a_release_has_its_files_and_passes_the_checks() {
    let host = Layer::Host;
    let tenant = Layer::Tenant(tenant());
    let remote = |chart| RemoteHelmRelease {
        name: "shop-ouroboros".to_owned(),
        chart,
        kubeconfig: kubeconfig(),
        namespace: "ouroboros",
        force_upgrade: true,
        depends_on: vec!["cilium".to_owned()],
        values: values(),
    };
    let platform = || RemoteChart::Platform { target_cluster: "kubernetes-shop".to_owned() };
    let table = [
        (&host, Form::Overlay { values: values() }, false, "kustomization.yaml overlay.yaml"),
        (&host, Form::Package { values: values() }, false, "kustomization.yaml package.yaml"),
        (
            &host,
            Form::OwnPackage { values: values(), chart: chart() },
            false,
            "kustomization.yaml oci-repository.yaml package-source.yaml package.yaml",
        ),
        (
            &host,
            Form::HelmRelease { namespace: "ouroboros", chart: chart(), values: values() },
            true,
            "coredns-custom.yaml helm-release.yaml kustomization.yaml namespace.yaml oci-repository.yaml",
        ),
        (
            &tenant,
            Form::HelmRelease { namespace: "ouroboros", chart: chart(), values: values() },
            false,
            "cluster/helm-release.yaml cluster/kustomization.yaml cluster/namespace.yaml cluster/oci-repository.yaml \
             kustomization.yaml",
        ),
        (
            &tenant,
            Form::RemoteHelmRelease(remote(RemoteChart::Oci(chart()))),
            false,
            "helm-release.yaml kustomization.yaml oci-repository.yaml",
        ),
        (
            &tenant,
            Form::RemoteHelmRelease(remote(platform())),
            true,
            "cluster/coredns-custom.yaml cluster/kustomization.yaml helm-release.yaml kustomization.yaml records.yaml",
        ),
        (
            &tenant,
            Form::Addon { addons: json!({"ouroboros": {"enabled": true}}) },
            false,
            "addon/kubernetes.yaml addon/kustomization.yaml kustomization.yaml",
        ),
    ];
    for (layer, form, has_records, files) in table {
        let what = format!("{form:?}");
        let release = Release {
            form,
            engine: RecordEngine::Static(RecordForm::RewriteSnippet),
            records: has_records.then(|| records(layer)),
        };
        let reason = Reason::new("Test", "a test");
        let decision = Decision::Deliver { reason, release: Box::new(release), withdraw: BTreeSet::new() };
        assert_eq!(files_of(layer, decision), files, "{what}");
    }
}

#[test]
fn what_is_on_its_way_out_stays_as_an_emptied_file() {
    let tenant = Layer::Tenant(tenant());
    for (layer, withdraw, files) in [
        (&Layer::Host, vec![TwoStep::Overlay, TwoStep::HostRecords], "coredns-custom.yaml overlay.yaml"),
        (&Layer::Host, vec![TwoStep::HostRecords, TwoStep::HostsFile], "coredns-custom.yaml"),
        (&tenant, vec![TwoStep::Addon, TwoStep::TenantRecords], "addon/kustomization.yaml cluster/coredns-custom.yaml"),
        (&tenant, vec![], ""),
    ] {
        let reason = Reason::new("Test", "a test");
        let decision = Decision::Remove { reason, withdraw: withdraw.iter().copied().collect() };
        let plan = plan(layer, decision);
        let (manifests, _) = render(&[(&plan, &embedded())]).expect("the embedded templates");
        let cluster = &manifests.clusters()[0];
        assert_eq!(below(layer, cluster.files.keys()), files, "{withdraw:?}");
        let folder = RepoPath::parse(&format!("clusters/edge/manifests/{}", layer.folder())).expect("a path");
        assert_eq!(cluster.decided_folders.contains(&folder), withdraw.is_empty(), "{withdraw:?}");
    }
}

/// The files of a layer, after they passed every check.
fn files_of(layer: &Layer, decision: Decision) -> String {
    let plan = plan(layer, decision);
    let (manifests, rules) = render(&[(&plan, &embedded())]).expect("the embedded templates");
    let manifests = manifests.validate(&rules).unwrap_or_else(|problems| panic!("{problems:#?}"));
    below(layer, manifests.clusters()[0].files.keys())
}

#[test]
fn a_committed_stamp_is_rendered_again_and_passes_every_check() {
    let commit = CommitId::parse(&"1".repeat(40)).expect("40 hex digits");
    let stamp = Stamp { change_request: 12, commit };
    let layer = Layer::Host;
    let reason = Reason::new("Test", "a test");
    let held = Decision::Hold { cause: HoldCause::Settings, reason };
    let list = |stamp: Option<Stamp>| {
        let plan = ClusterPlan { stamp, ..plan(&layer, held.clone()) };
        let (manifests, rules) = render(&[(&plan, &embedded())]).expect("the embedded templates");
        let manifests = manifests.validate(&rules).unwrap_or_else(|problems| panic!("{problems:#?}"));
        manifests.clusters()[0].files["clusters/edge/manifests/kustomization.yaml"].clone()
    };
    let (plain, carried) = (list(None), list(Some(stamp.clone())));
    assert_eq!(Stamp::read(&carried.text), Some(stamp.clone()));
    assert_eq!(carried.text, stamp.put_into(&plain.text));
    // Another stamp takes its place.
    let next = Stamp { change_request: 13, ..stamp };
    assert_eq!(stamped(&carried, &next).text, next.put_into(&plain.text));
    let path = RepoPath::parse("clusters/edge/manifests/kustomization.yaml").expect("a path");
    assert_eq!(stamped(&carried, &next).problems(&path), []);
}

#[test]
fn a_list_with_patches_of_its_own_has_no_room_for_a_stamp() {
    let commit = CommitId::parse(&"1".repeat(40)).expect("40 hex digits");
    let text = "apiVersion: v1\nkind: List\npatches: []\n".to_owned();
    let list = ManifestFile { layer: None, text, meanings: Vec::new() };
    let path = RepoPath::parse("clusters/edge/manifests/kustomization.yaml").expect("a path");
    assert_ne!(stamped(&list, &Stamp { change_request: 12, commit }).problems(&path), []);
    // One more document would take the stamp for itself.
    let meaning = Meaning { object: templates::object("v1", "List", None, ""), values: Vec::new() };
    let text = "apiVersion: v1\nkind: List\n---\n".to_owned();
    let list = ManifestFile { layer: None, text, meanings: vec![meaning] };
    let commit = CommitId::parse(&"1".repeat(40)).expect("40 hex digits");
    assert_ne!(stamped(&list, &Stamp { change_request: 12, commit }).problems(&path), []);
}

fn below<'a>(layer: &Layer, paths: impl Iterator<Item = &'a RepoPath>) -> String {
    let folder = format!("clusters/edge/manifests/{}", layer.folder());
    paths.filter_map(|path| path.below(&folder)).collect::<Vec<_>>().join(" ")
}

fn plan(layer: &Layer, decision: Decision) -> ClusterPlan {
    let layer = LayerPlan {
        layer: layer.clone(),
        decision,
        is_committed: true,
        hosts: BTreeMap::new(),
        edits: BTreeMap::new(),
    };
    ClusterPlan {
        name: name("edge"),
        folder: RepoPath::parse("clusters/edge").expect("a literal that parses"),
        layers: vec![layer],
        state: State::default(),
        findings: Vec::new(),
        refusal: None,
        stamp: None,
    }
}

fn records(layer: &Layer) -> Records {
    let folder = format!("clusters/edge/manifests/{}/cluster", layer.folder());
    let carrier = match layer {
        Layer::Host => None,
        Layer::Tenant(tenant) => Some(Carrier {
            tenant: tenant.clone(),
            kubeconfig: kubeconfig(),
            source: FluxSource { namespace: name("flux-system"), name: name("flux-system") },
            folder: RepoPath::parse(&folder).expect("a path"),
        }),
    };
    let hosts = vec![Hostname::parse("www.example.org").expect("a literal that parses")];
    let target = "ouroboros-proxy.ouroboros.svc.cluster.local.".to_owned();
    let addresses = ["10.96.0.7", "fd00::7"].map(|text| text.parse().expect("a literal that parses")).into();
    Records { hosts, answers: vec![Answer::Snippet { target }, Answer::HostsFile { addresses }], carrier }
}

fn tenant() -> TenantId {
    TenantId { namespace: name("tenant-acme"), name: name("shop") }
}

fn kubeconfig() -> SecretKey {
    SecretKey { name: name("shop-kubeconfig"), key: "super-admin.svc".to_owned() }
}

fn chart() -> Chart {
    let digest = Digest::of(b"a chart");
    Chart { repository: "ghcr.io/lexfrei/charts/ouroboros".to_owned(), tag: "0.8.1".to_owned(), digest, verify: None }
}

/// The same, when Flux is to ask for a signature.
fn signed_chart() -> Chart {
    let identity = SignerIdentity { issuer: "^https://x$".to_owned(), subject: "a: b".to_owned() };
    Chart { verify: Some(ChartSignature { secret: Some(name("yes")), identities: vec![identity] }), ..chart() }
}

fn values() -> Value {
    let tag = format!("0.8.1@{}", Digest::of(b"an image"));
    json!({"image": {"repository": "ghcr.io/lexfrei/ouroboros", "tag": tag}})
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a literal that parses")
}
