//! Whole comparisons.

mod print;

use std::collections::{BTreeMap, BTreeSet};

use insta::assert_snapshot;

use crate::{
    diff::{
        ChangeSet, Occupied, commit_subject,
        compare::compare,
        documents::documents,
        print::{Style, human},
        summary,
    },
    manifest::{ClusterManifests, MARK, ManifestFile, Meaning},
    model::{
        layer::{Layer, TenantId},
        name::Name,
        tree::{CommitId, Entry, RepoPath, Tree},
    },
};

const HOST: &str = "clusters/edge/manifests/host";
const SHOP: &str = "clusters/edge/manifests/tenants/acme/shop";

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("a literal that parses")
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a literal that parses")
}

fn marked(text: &str) -> String {
    format!("{MARK}\n{text}")
}

/// A tree of files; a text that begins with `!` is an entry of that kind.
fn tree(files: &[(&str, &str)]) -> Tree {
    let entry = |text: &str| match text {
        "!symlink" => Entry::Symlink,
        "!submodule" => Entry::Submodule,
        text => Entry::File(text.as_bytes().into()),
    };
    Tree {
        base: CommitId::parse("0123456789abcdef0123456789abcdef01234567"),
        entries: files.iter().map(|(at, text)| (path(at), entry(text))).collect(),
    }
}

/// The cluster `edge`, whose host and tenant `acme/shop` are decided.
fn wanted(files: &[(&str, &str)]) -> ClusterManifests {
    cluster("edge", files)
}

fn cluster(cluster: &str, files: &[(&str, &str)]) -> ClusterManifests {
    let folder = path(&format!("clusters/{cluster}"));
    let layer = |at: &str| {
        if at.contains("/host/") {
            Some(Layer::Host)
        } else if at.contains("/tenants/acme/shop/") {
            Some(Layer::Tenant(TenantId { namespace: name("acme"), name: name("shop") }))
        } else {
            None
        }
    };
    let file = |at: &str, text: &str| ManifestFile {
        layer: layer(at),
        text: text.to_owned(),
        meanings: documents(text.as_bytes())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|document| Some(Meaning { object: document.object?, values: Vec::new() }))
            .collect(),
    };
    ClusterManifests {
        name: name(cluster),
        decided_folders: ["manifests/host", "manifests/tenants/acme/shop"].map(|at| folder.join(at)).into(),
        decided_files: ["manifests/kustomization.yaml", "state.yaml"].map(|at| folder.join(at)).into(),
        files: files.iter().map(|(at, text)| (path(at), file(at, text))).collect::<BTreeMap<_, _>>(),
        folder,
        edited_files: BTreeSet::new(),
    }
}

fn changes(old: &[(&str, &str)], new: &[(&str, &str)]) -> ChangeSet {
    compare(&tree(old), &[wanted(new)]).expect("nothing is in the way")
}

fn config_map(name: &str, data: &str) -> String {
    marked(&format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: kube-system}}\ndata: {data}\n"
    ))
}

fn release(tag: &str, digit: char, ports: &str) -> String {
    let digest = digit.to_string().repeat(64);
    marked(&format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: proxy, namespace: acme}}\nspec:\n  \
         dependsOn:\n    - {{name: ingress}}\n  values:\n    image:\n      tag: {tag}\n      digest: sha256:{digest}\n    \
         ports: {ports}\n"
    ))
}

#[test]
fn subjects_are_short_and_say_the_most_telling_first() {
    let at = |file: &str| format!("{HOST}/{file}");
    let (a, b) = (at("a.yaml"), at("b.yaml"));
    let (one, two) = (config_map("a", "{a: b}"), config_map("a", "{a: c}"));
    let hosts =
        config_map("a", "{x.override: \"rewrite name a.b x.\\nrewrite name b.b x.\\nrewrite name exact c.b x.\\n\"}");
    let other = config_map("a", "{x.override: \"rewrite name a.b x.\\nrewrite name b.b y.\\n\"}");
    let unreadable = marked("a: b: c\n");
    let subject = |old: &[(&str, &str)], new: &[(&str, &str)]| commit_subject(&changes(old, new));
    assert_eq!(subject(&[], &[(&a, &one)]), "edge: 1 object created");
    assert_eq!(subject(&[(&a, &one)], &[(&a, &two)]), "edge: 1 object configured");
    assert_eq!(subject(&[(&a, &one)], &[]), "edge: 1 object deleted");
    assert_eq!(subject(&[(&a, &one)], &[(&b, &one)]), "edge: 2 files changed");
    assert_eq!(subject(&[(&a, &one)], &[(&a, &hosts)]), "edge: 3 hosts added");
    assert_eq!(subject(&[(&a, &hosts)], &[(&a, &other)]), "edge: 1 host removed, 1 host changed");
    assert_eq!(subject(&[(&a, &unreadable)], &[]), "edge: 1 file changed");
    let clusters = ["edge", "far", "a-very-long-name-of-a-cluster-that-somebody-thought-was-funny"];
    let set = |clusters: &[&str]| {
        let clusters: Vec<_> = clusters
            .iter()
            .map(|name| cluster(name, &[(&format!("clusters/{name}/manifests/host/a.yaml"), &hosts)]))
            .collect();
        commit_subject(&compare(&tree(&[]), &clusters).unwrap())
    };
    assert_eq!(set(&clusters), "3 clusters: 9 hosts added, 3 objects created");
    assert_eq!(set(&clusters[2..]), "a-very-long-name-of-a-cluster-that-…: 3 hosts added, 1 object created");
}

#[test]
fn what_somebody_else_wrote_stays_and_is_named() {
    let files = [
        (format!("{HOST}/link"), "!symlink"),
        (format!("{HOST}/sub/module"), "!submodule"),
        (format!("{HOST}/mine.yaml"), "a: b\n"),
        (format!("{HOST}/nearly.yaml"), "# Generated by bobbypin. Do not edit. Or do.\n"),
        (format!("{HOST}/windows.yaml"), "# Generated by bobbypin. Do not edit.\r\n"),
        ("clusters/edge/state.yaml".to_owned(), "kind: State\n"),
        ("clusters/edge/cluster.yaml".to_owned(), "kind: Cluster\n"),
        ("clusters/edge/manifests/tenants/acme/other/x.yaml".to_owned(), "# Generated by bobbypin. Do not edit.\n"),
    ];
    let files: Vec<_> = files.iter().map(|(at, text)| (at.as_str(), *text)).collect();
    let change_set = changes(&files, &[]);
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    edge
      host
        ► file clusters/edge/manifests/host/windows.yaml deleted
          no object comes or goes with it

    0 created, 0 configured, 0 deleted, 0 unchanged; 1 file to commit

    Left alone, because this program did not write it:
      clusters/edge/manifests/host/link
      clusters/edge/manifests/host/mine.yaml
      clusters/edge/manifests/host/nearly.yaml
      clusters/edge/manifests/host/sub/module
      clusters/edge/state.yaml
    "#);
}

#[test]
fn a_wanted_path_that_is_taken_is_refused_with_all_others() {
    let wanted_paths = ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e/f.yaml", "g.yaml", "h/i.yaml"];
    let new: Vec<_> = wanted_paths.map(|file| (format!("{HOST}/{file}"), config_map("x", "{a: b}"))).into();
    let new: Vec<_> = new.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    let old = [
        ("a.yaml", "mine"),
        ("b.yaml", "!symlink"),
        ("c.yaml", "!submodule"),
        ("d.yaml/x", "mine"),
        ("e", "!symlink"),
        // These two are of this program and go, so nothing is in the way.
        ("g.yaml/x.yaml", MARK),
        ("h", MARK),
    ];
    let old: Vec<_> = old.map(|(file, text)| (format!("{HOST}/{file}"), text)).into();
    let old: Vec<_> = old.iter().map(|(at, text)| (at.as_str(), *text)).collect();
    let refused: Occupied = compare(&tree(&old), &[wanted(&new)]).unwrap_err();
    assert_snapshot!(refused, @r#"
    cannot write files where something stands that this program did not write
      `clusters/edge/manifests/host/a.yaml`: a file without the mark of this program
      `clusters/edge/manifests/host/b.yaml`: a symbolic link
      `clusters/edge/manifests/host/c.yaml`: a submodule
      `clusters/edge/manifests/host/d.yaml`: a file without the mark of this program stands at `clusters/edge/manifests/host/d.yaml/x`
      `clusters/edge/manifests/host/e/f.yaml`: a symbolic link stands at `clusters/edge/manifests/host/e`
    "#);
}

#[test]
fn the_same_name_on_the_host_and_in_the_tenant_is_two_objects() {
    let text = config_map("same", "{a: b}");
    let (host, tenant) = (format!("{SHOP}/a.yaml"), format!("{SHOP}/cluster/a.yaml"));
    assert_snapshot!(human(&changes(&[(&host, &text)], &[(&tenant, &text)]), Style::Plain), @r#"
    edge
      tenant acme/shop
        ► ConfigMap/kube-system/same deleted
        ► ConfigMap/kube-system/same created (in the tenant cluster)

    1 created, 0 configured, 1 deleted, 0 unchanged; 2 files to commit
    "#);
}

#[test]
fn a_patch_for_kustomize_is_no_object() {
    let kustomization = marked(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n  - path: patch.yaml\n    target: {kind: Kubernetes}\n",
    );
    let patch_file = |tag: &str| {
        marked(&format!(
            "apiVersion: apps.cozystack.io/v1alpha1\nkind: Kubernetes\nmetadata: {{name: shop, namespace: acme}}\nspec: {{tag: {tag}}}\n"
        ))
    };
    let (at, file) = (format!("{SHOP}/addon/kustomization.yaml"), format!("{SHOP}/addon/patch.yaml"));
    let (one, two) = (patch_file("one"), patch_file("two"));
    let old = [(&*at, &*kustomization), (&*file, &*one)];
    assert_snapshot!(human(&changes(&old, &[(&at, &kustomization), (&file, &two)]), Style::Plain), @r#"
    edge
      tenant acme/shop
        ► file clusters/edge/manifests/tenants/acme/shop/addon/patch.yaml changed

          spec.tag
          ± value change
          - one
          + two

    0 created, 0 configured, 0 deleted, 0 unchanged; 1 file to commit
    "#);
    assert_snapshot!(human(&changes(&old, &[]), Style::Plain), @r#"
    edge
      tenant acme/shop
        ► file clusters/edge/manifests/tenants/acme/shop/addon/kustomization.yaml deleted
        ► file clusters/edge/manifests/tenants/acme/shop/addon/patch.yaml deleted

    0 created, 0 configured, 0 deleted, 0 unchanged; 2 files to commit
    "#);
    assert_eq!(summary(&changes(&old, &old)).objects.unchanged, 0);
}

#[test]
fn an_object_that_another_file_still_declares_is_not_deleted() {
    let (a, b) = (format!("{HOST}/a.yaml"), format!("{HOST}/b.yaml"));
    let text = config_map("x", "{a: b}");
    let change_set = changes(&[(&a, &text), (&b, &text)], &[(&a, &text)]);
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    edge
      host
        ► file clusters/edge/manifests/host/b.yaml deleted
          no object comes or goes with it

    0 created, 0 configured, 0 deleted, 1 unchanged; 1 file to commit
    "#);
}

#[test]
fn layers_stand_in_order_and_clusters_apart() {
    let files = |name: &str| [format!("clusters/{name}/manifests/host/a.yaml"), format!("clusters/{name}/state.yaml")];
    let text = config_map("a", "{a: b}");
    let [first, second] = ["far", "edge"].map(|name| {
        let [a, b] = files(name);
        cluster(name, &[(&a, &text), (&b, &marked("apiVersion: bobbypin.dev/v1alpha1\nkind: State\n"))])
    });
    let change_set = compare(&tree(&[]), &[first, second]).unwrap();
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    far
      whole cluster
        ► file clusters/far/state.yaml created

      host
        ► ConfigMap/kube-system/a created

    edge
      whole cluster
        ► file clusters/edge/state.yaml created

      host
        ► ConfigMap/kube-system/a created

    2 created, 0 configured, 0 deleted, 0 unchanged; 4 files to commit
    "#);
    let paths: BTreeSet<_> = change_set.files.iter().map(|file| file.path.clone()).collect();
    assert!(change_set.files.iter().map(|file| &file.path).eq(&paths));
}

#[test]
fn files_of_a_cluster_in_a_folder_of_its_own_find_their_layer() {
    let manifests = "clusters/edge/bobbypin/manifests";
    let old =
        ["host/a.yaml", "tenants/acme/shop/a.yaml", "tenants/acme/shop/cluster/b.yaml", "tenants/lost.yaml", "c.yaml"];
    let old: Vec<_> =
        old.map(|file| (format!("{manifests}/{file}"), config_map(&file[file.len() - 6..][..1], "{a: b}"))).into();
    let old: Vec<_> = old.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    let cluster = ClusterManifests {
        folder: path("clusters/edge/bobbypin"),
        decided_folders: [path(manifests)].into(),
        ..wanted(&[])
    };
    let change_set = compare(&tree(&old), &[cluster]).expect("nothing is in the way");
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    edge
      whole cluster
        ► ConfigMap/kube-system/c deleted
        ► ConfigMap/kube-system/t deleted

      host
        ► ConfigMap/kube-system/a deleted

      tenant acme/shop
        ► ConfigMap/kube-system/b deleted (in the tenant cluster)
        ► file clusters/edge/bobbypin/manifests/tenants/acme/shop/a.yaml deleted
          no object comes or goes with it

    0 created, 0 configured, 4 deleted, 0 unchanged; 5 files to commit
    "#);
}
