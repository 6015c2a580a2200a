//! Whole comparisons, and what is printed of them.

use std::collections::{BTreeMap, BTreeSet};

use insta::assert_snapshot;

use crate::{
    diff::{
        ChangeSet, Occupied, commit_body, commit_subject,
        compare::compare,
        print::{Style, gitea, human, json, markdown, patch},
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
        meanings: super::documents::documents(text.as_bytes())
            .expect("a text that parses")
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
    }
}

fn changes(old: &[(&str, &str)], new: &[(&str, &str)]) -> ChangeSet {
    compare(&tree(old), &[wanted(new)]).expect("nothing is in the way")
}

fn config_map(name: &str, data: &str) -> String {
    marked(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: kube-system}}\ndata: {data}\n"))
}

fn release(tag: &str, digit: char, ports: &str) -> String {
    let digest = digit.to_string().repeat(64);
    marked(&format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: proxy, namespace: acme}}\nspec:\n  \
         dependsOn:\n    - {{name: ingress}}\n  values:\n    image:\n      tag: {tag}\n      digest: sha256:{digest}\n    \
         ports: {ports}\n"
    ))
}

/// A change of every sort in one set.
fn a_bit_of_everything() -> ChangeSet {
    let snippet = |hosts: &[&str]| {
        let lines: String = hosts.iter().map(|host| format!("    rewrite name {host} proxy.svc.\n")).collect();
        marked(&format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns-custom\n  namespace: kube-system\n  annotations:\n    \
             kustomize.toolkit.fluxcd.io/prune: disabled\ndata:\n  bobbypin.override: |\n{lines}"
        ))
    };
    let kustomization = |files: &str| {
        marked(&format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: {files}\n"))
    };
    let old = [
        (format!("{HOST}/coredns.yaml"), snippet(&["a.example.org", "b.example.org"])),
        (format!("{HOST}/broken.yaml"), marked("a: b: c\ntoken: old\n")),
        (format!("{HOST}/kustomization.yaml"), kustomization("[coredns.yaml, old.yaml]")),
        (format!("{HOST}/note.txt"), "mine\n".to_owned()),
        (format!("{HOST}/old.yaml"), config_map("old", "{a: b}")),
        (format!("{HOST}/same.yaml"), config_map("same", "{a: b}")),
        (format!("{SHOP}/cluster/dns.yaml"), snippet(&["a.example.org"])),
        (format!("{SHOP}/layout.yaml"), config_map("layout", "{a: b}")),
        (format!("{SHOP}/moved.yaml"), config_map("moved", "{a: b}")),
        (format!("{SHOP}/release.yaml"), release("0.8.0", 'a', "[80, 443]")),
        ("clusters/edge/manifests/tenants/acme/held/x.yaml".to_owned(), config_map("held", "{a: b}")),
    ];
    let new = [
        (format!("{HOST}/coredns.yaml"), snippet(&["a.example.org", "aa.example.org", "b.example.org"])),
        (format!("{HOST}/kustomization.yaml"), kustomization("[coredns.yaml, same.yaml]")),
        (format!("{HOST}/same.yaml"), config_map("same", "{a: b}")),
        (format!("{SHOP}/layout.yaml"), config_map("layout", "{\"a\": b}")),
        (format!("{SHOP}/moved-here.yaml"), config_map("moved", "{a: b}")),
        (format!("{SHOP}/new.yaml"), config_map("new", "{a: b}")),
        (format!("{SHOP}/release.yaml"), release("0.8.1", 'b', "[80, 8443]")),
    ];
    let old: Vec<_> = old.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    let new: Vec<_> = new.iter().map(|(at, text)| (at.as_str(), text.as_str())).collect();
    changes(&old, &new)
}

#[test]
fn people_see_what_happens_to_each_object() {
    assert_snapshot!(human(&a_bit_of_everything(), Style::Plain), @r#"
    edge
      host
        ► ConfigMap/kube-system/coredns-custom configured

          data["bobbypin.override"]
          ± lines change (+1 −0)
            rewrite name a.example.org proxy.svc.
          + rewrite name aa.example.org proxy.svc.
            rewrite name b.example.org proxy.svc.

        ► ConfigMap/kube-system/old deleted
        ► file clusters/edge/manifests/host/broken.yaml deleted
          the committed file does not parse: its lines are compared
          - # Generated by bobbypin. Do not edit.
          - a: b: c
          - token: *** (before)
        ► file clusters/edge/manifests/host/kustomization.yaml changed

          resources
          ± list entries change (+1 −1)
          - old.yaml
          + same.yaml

      tenant acme/shop
        ► ConfigMap/kube-system/coredns-custom deleted (in the tenant cluster)
          orphaned: stays in the cluster (prune: disabled)
          1 host removed
        ► ConfigMap/kube-system/moved unchanged
          file moved from clusters/edge/manifests/tenants/acme/shop/moved.yaml to clusters/edge/manifests/tenants/acme/shop/moved-here.yaml
        ► ConfigMap/kube-system/new created
        ► HelmRelease/acme/proxy configured

          spec.values.image.tag
          ± value change
          - 0.8.0
          + 0.8.1

          spec.values.image.digest
          ± value change
          - sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
          + sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb

          spec.values.ports
          ± list entries change (+1 −1)
          - 443
          + 8443

        ► file clusters/edge/manifests/tenants/acme/shop/layout.yaml changed
          only comments, order or layout differ

    1 created, 2 configured, 2 deleted, 3 unchanged; 10 files to commit

    Left alone, because this program did not write it:
      clusters/edge/manifests/host/note.txt
    "#);
}

#[test]
fn gitea_gets_a_fence_that_it_colours() {
    assert_snapshot!(gitea(&a_bit_of_everything()), @r#"
    ```diff
    = edge · host
    ! ► ConfigMap/kube-system/coredns-custom configured
    @@ data["bobbypin.override"] @@
    ! ± lines change (+1 −0)
      rewrite name a.example.org proxy.svc.
    + rewrite name aa.example.org proxy.svc.
      rewrite name b.example.org proxy.svc.
    - ► ConfigMap/kube-system/old deleted
    - ► file clusters/edge/manifests/host/broken.yaml deleted
    ! the committed file does not parse: its lines are compared
    - # Generated by bobbypin. Do not edit.
    - a: b: c
    - token: *** (before)
    ! ► file clusters/edge/manifests/host/kustomization.yaml changed
    @@ resources @@
    ! ± list entries change (+1 −1)
    - old.yaml
    + same.yaml
    = edge · tenant acme/shop
    - ► ConfigMap/kube-system/coredns-custom deleted (in the tenant cluster)
    ! orphaned: stays in the cluster (prune: disabled)
    ! 1 host removed
    ! ► ConfigMap/kube-system/moved unchanged
    ! file moved from clusters/edge/manifests/tenants/acme/shop/moved.yaml to clusters/edge/manifests/tenants/acme/shop/moved-here.yaml
    + ► ConfigMap/kube-system/new created
    ! ► HelmRelease/acme/proxy configured
    @@ spec.values.image.tag @@
    ! ± value change
    - 0.8.0
    + 0.8.1
    @@ spec.values.image.digest @@
    ! ± value change
    - sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    + sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    @@ spec.values.ports @@
    ! ± list entries change (+1 −1)
    - 443
    + 8443
    ! ► file clusters/edge/manifests/tenants/acme/shop/layout.yaml changed
    ! only comments, order or layout differ
    ```
    "#);
}

#[test]
fn a_pull_request_says_what_is_dangerous_first() {
    assert_snapshot!(markdown(&a_bit_of_everything(), 65_536), @r#"
    <!-- bobbypin:change-set sha256:ed1069ecc23056b3640cb09d0808c436684a09768bd0cf9ca3634c4e377bb31a -->
    ### edge: 1 host added, 1 host removed, 1 pin moved, 2 objects deleted, …

    1 created, 2 configured, 2 deleted, 3 unchanged; 10 files to commit

    **Deleted**

    - `ConfigMap/kube-system/old` (edge · host)
    - `ConfigMap/kube-system/coredns-custom` (edge · tenant acme/shop, in the tenant cluster): stays in the cluster (prune: disabled)
    - `clusters/edge/manifests/host/broken.yaml` (a file that does not parse)

    **Pins**

    | cluster | pin | from | to |
    |---|---|---|---|
    | edge | `HelmRelease/acme/proxy spec.values.image.digest` | `0.8.0@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` | `0.8.1@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` |

    **Left alone, because this program did not write it**

    - `clusters/edge/manifests/host/note.txt`

    <details><summary>edge · host (0 created, 1 configured, 1 deleted)</summary>

    ```diff
    ! ► ConfigMap/kube-system/coredns-custom configured
    @@ data["bobbypin.override"] @@
    ! ± lines change (+1 −0)
      rewrite name a.example.org proxy.svc.
    + rewrite name aa.example.org proxy.svc.
      rewrite name b.example.org proxy.svc.
    - ► ConfigMap/kube-system/old deleted
    - ► file clusters/edge/manifests/host/broken.yaml deleted
    ! the committed file does not parse: its lines are compared
    - # Generated by bobbypin. Do not edit.
    - a: b: c
    - token: *** (before)
    ! ► file clusters/edge/manifests/host/kustomization.yaml changed
    @@ resources @@
    ! ± list entries change (+1 −1)
    - old.yaml
    + same.yaml
    ```

    </details>

    <details><summary>edge · tenant acme/shop (1 created, 1 configured, 1 deleted)</summary>

    ```diff
    - ► ConfigMap/kube-system/coredns-custom deleted (in the tenant cluster)
    ! orphaned: stays in the cluster (prune: disabled)
    ! 1 host removed
    ! ► ConfigMap/kube-system/moved unchanged
    ! file moved from clusters/edge/manifests/tenants/acme/shop/moved.yaml to clusters/edge/manifests/tenants/acme/shop/moved-here.yaml
    + ► ConfigMap/kube-system/new created
    ! ► HelmRelease/acme/proxy configured
    @@ spec.values.image.tag @@
    ! ± value change
    - 0.8.0
    + 0.8.1
    @@ spec.values.image.digest @@
    ! ± value change
    - sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    + sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    @@ spec.values.ports @@
    ! ± list entries change (+1 −1)
    - 443
    + 8443
    ! ► file clusters/edge/manifests/tenants/acme/shop/layout.yaml changed
    ! only comments, order or layout differ
    ```

    </details>

    <sub>Base <code>0123456</code></sub>
    "#);
}

#[test]
fn a_small_budget_leaves_out_whole_lines_from_the_end() {
    assert_snapshot!(markdown(&a_bit_of_everything(), 900), @r#"
    <!-- bobbypin:change-set sha256:ed1069ecc23056b3640cb09d0808c436684a09768bd0cf9ca3634c4e377bb31a -->
    ### edge: 1 host added, 1 host removed, 1 pin moved, 2 objects deleted, …

    1 created, 2 configured, 2 deleted, 3 unchanged; 10 files to commit

    **Deleted**

    - `ConfigMap/kube-system/old` (edge · host)
    - `ConfigMap/kube-system/coredns-custom` (edge · tenant acme/shop, in the tenant cluster): stays in the cluster (prune: disabled)
    - `clusters/edge/manifests/host/broken.yaml` (a file that does not parse)

    **Pins**

    | cluster | pin | from | to |
    |---|---|---|---|
    | edge | `HelmRelease/acme/proxy spec.values.image.digest` | `0.8.0@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` | `0.8.1@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb` |

    Not shown for lack of room: 3 sections.

    <sub>Base <code>0123456</code></sub>
    "#);
}

#[test]
fn scripts_get_one_json_object() {
    let change_set = changes(
        &[(&format!("{SHOP}/release.yaml"), &release("0.8.0", 'a', "[80]"))],
        &[(&format!("{SHOP}/release.yaml"), &release("0.8.1", 'b', "[80]")), ("clusters/edge/state.yaml", MARK)],
    );
    assert_snapshot!(json(&change_set), @r#"
    {
      "apiVersion": "bobbypin.dev/v1alpha1",
      "kind": "Diff",
      "base": "0123456789abcdef0123456789abcdef01234567",
      "summary": {
        "clusters": [
          "edge"
        ],
        "objects": {
          "created": 0,
          "configured": 1,
          "unchanged": 0,
          "deleted": 0,
          "orphaned": 0
        },
        "files": {
          "created": 1,
          "changed": 1,
          "deleted": 0
        },
        "hosts": {
          "added": 0,
          "removed": 0,
          "changed": 0
        },
        "pinsMoved": 1
      },
      "clusters": [
        {
          "name": "edge",
          "layers": [
            {
              "layer": "tenant",
              "namespace": "acme",
              "name": "shop",
              "objects": [
                {
                  "apiVersion": "helm.toolkit.fluxcd.io/v2",
                  "kind": "HelmRelease",
                  "namespace": "acme",
                  "name": "proxy",
                  "target": "host",
                  "path": "clusters/edge/manifests/tenants/acme/shop/release.yaml",
                  "verb": "configured",
                  "fields": [
                    {
                      "path": "spec.values.image.tag",
                      "change": "changed",
                      "old": "0.8.0",
                      "new": "0.8.1"
                    },
                    {
                      "path": "spec.values.image.digest",
                      "change": "changed",
                      "old": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                      "new": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
                    }
                  ]
                }
              ]
            }
          ]
        }
      ],
      "files": [
        {
          "path": "clusters/edge/manifests/tenants/acme/shop/release.yaml",
          "verb": "changed",
          "cluster": "edge",
          "layer": "tenant",
          "namespace": "acme",
          "name": "shop",
          "shown": "objects"
        },
        {
          "path": "clusters/edge/state.yaml",
          "verb": "created",
          "cluster": "edge",
          "layer": "cluster",
          "shown": "layout"
        }
      ],
      "foreign": []
    }
    "#);
}

#[test]
fn a_commit_has_a_subject_and_a_body() {
    let change_set = a_bit_of_everything();
    assert_eq!(commit_subject(&change_set), "edge: 1 host added, 1 host removed, 1 pin moved, 2 objects deleted, …");
    assert_eq!(commit_body(&change_set), human(&change_set, Style::Plain).trim_end());
}

#[test]
fn nothing_to_change_is_said_in_every_form() {
    let files = [(&*format!("{HOST}/a.yaml"), &*config_map("a", "{a: b}"))];
    let change_set = changes(&files, &files);
    assert!(change_set.is_empty());
    assert_eq!(human(&change_set, Style::Plain), "No changes.\n");
    assert_eq!(gitea(&change_set), "No changes.\n");
    assert_eq!(patch(&change_set), "");
    assert_eq!(commit_subject(&change_set), "no changes");
    assert_eq!(summary(&change_set).objects.unchanged, 1);
    assert_snapshot!(markdown(&change_set, 1000), @r#"
    <!-- bobbypin:change-set sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -->
    No changes.
    "#);
    let json: serde_json::Value = serde_json::from_str(&json(&change_set)).unwrap();
    assert_eq!((&json["kind"], &json["files"]), (&"Diff".into(), &serde_json::json!([])));
}

#[test]
fn subjects_are_short_and_say_the_most_telling_first() {
    let at = |file: &str| format!("{HOST}/{file}");
    let (a, b) = (at("a.yaml"), at("b.yaml"));
    let (one, two) = (config_map("a", "{a: b}"), config_map("a", "{a: c}"));
    let hosts = config_map("a", "{x.override: \"rewrite name a.b x.\\nrewrite name b.b x.\\nrewrite name exact c.b x.\\n\"}");
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
fn no_secret_leaves_in_any_form() {
    let secret = marked("apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: x}\nstringData: {key: geheim}\n");
    let broken = marked("a: b: c\nkind: Secret\ndata: {key: geheim}\n");
    let values = |token: &str| config_map("v", &format!("{{token: {token}, x: \"a\\npassword: {token}\\n\"}}"));
    let (a, b, c) = (format!("{HOST}/a.yaml"), format!("{HOST}/b.yaml"), format!("{HOST}/c.yaml"));
    let wanted = config_map("a", "{a: b}");
    let change_set = changes(
        &[(&a, &secret), (&b, &broken), (&c, &values("geheim"))],
        &[(&a, &wanted), (&b, &wanted.replace("name: a", "name: b")), (&c, &values("neu"))],
    );
    for style in [Style::Plain, Style::Colour] {
        assert!(!human(&change_set, style).contains("geheim"));
    }
    for text in [json(&change_set), markdown(&change_set, 100_000), gitea(&change_set), commit_body(&change_set)] {
        assert!(!text.contains("geheim") && !text.contains("neu"), "{text}");
    }
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    edge
      host
        ► ConfigMap/kube-system/a created
        ► Secret/x/s deleted
        ► ConfigMap/kube-system/b configured
        ► ConfigMap/kube-system/v configured

          data.token
          ± value change
          - *** (before)
          + *** (after)

          data.x
          ± lines change (+1 −1)
            a
          - password: *** (before)
          + password: *** (after)

        ► file clusters/edge/manifests/host/b.yaml changed
          the committed file does not parse and may hold a Secret: not shown

    1 created, 2 configured, 1 deleted, 0 unchanged; 3 files to commit
    "#);
    let secrets_only = changes(&[(&a, &secret), (&b, &broken)], &[(&b, &wanted)]);
    assert_snapshot!(patch(&secrets_only), @r#"
    diff --git a/clusters/edge/manifests/host/a.yaml b/clusters/edge/manifests/host/a.yaml
    deleted file mode 100644
    index 59a449142851f140c4c2937c3dd70cf0f1a7e8b7..0000000000000000000000000000000000000000
    Binary files a/clusters/edge/manifests/host/a.yaml and /dev/null differ
    diff --git a/clusters/edge/manifests/host/b.yaml b/clusters/edge/manifests/host/b.yaml
    index bdb44acfa7cc8e46a84e528ce36c393057dcd485..1834b653898cc8595e6a9215236f6f0fb205dfce
    GIT binary patch
    literal 126
    zcmV-^0D=D_AV+0xWpZJ3Wn>^?c_3nMVq$r4X>KkcL~kH&Z*(AKWNCCR3Sn?*R%LQ?
    zX>V>iAa*edYiVv|Iv_)DZf0p`O<`~fZDn*}WMOn+Iv{&)VQpnPAYm*ZZeeX@b8ul}
    gWjY{hbz)^Lb9r-gWo>;5WMOn+Iv{&tIv`?w3b}<VGynhq
    "#);
}

#[test]
fn foreign_text_cannot_play_with_the_terminal_or_the_commit() {
    let old = config_map("a", "{}");
    let new = config_map("a", r#"{"k\u001b[31m\u202e": "[skip ci] fixes #1 \u001b]0;x\u0007\u200b", "t": "a\nSigned-off-by: x <x@y>\n\u009b1m```\n"}"#);
    let at = format!("{HOST}/a.yaml");
    let change_set = changes(&[(&at, &old)], &[(&at, &new)]);
    assert_snapshot!(human(&change_set, Style::Plain), @r#"
    edge
      host
        ► ConfigMap/kube-system/a configured

          data["k\u001b[31m\u{202e}"]
          + added
          + [skip ci] fixes #1 \u{1b}]0;x\u{7}\u{200b}

          data.t
          + added
          + a
          + Signed-off-by: x <x@y>
          + \u{9b}1m```

    0 created, 1 configured, 0 deleted, 0 unchanged; 1 file to commit
    "#);
    assert_snapshot!(commit_body(&change_set), @r#"
    edge
      host
        ► ConfigMap/kube-system/a configured

          data["k\u001b[31m\u{202e}"]
          + added
          + (skip ci) fixes # 1 \u{1b})0;x\u{7}\u{200b}

          data.t
          + added
          + a
          + Signed-off-by: x <x@y>
          + \u{9b}1m```

    0 created, 1 configured, 0 deleted, 0 unchanged; 1 file to commit
    "#);
    assert_snapshot!(gitea(&change_set), @r#"
    ````diff
    = edge · host
    ! ► ConfigMap/kube-system/a configured
    @@ data["k\u001b[31m\u{202e}"] @@
    ! + added
    + [skip ci] fixes #1 \u{1b}]0;x\u{7}\u{200b}
    @@ data.t @@
    ! + added
    + a
    + Signed-off-by: x <x@y>
    + \u{9b}1m```
    ````
    "#);
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let change_set = a_bit_of_everything();
    let coloured = human(&change_set, Style::Colour);
    assert!(coloured.contains("\u{1b}[32m► ConfigMap/kube-system/new created\u{1b}[0m"));
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(stripped, human(&change_set, Style::Plain));
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
