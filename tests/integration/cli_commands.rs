//! What every command says and does when all is well.
#![expect(clippy::disallowed_methods, reason = "these tests look at what the program wrote")]

use std::fs;

use crate::support::cli::{EDGE, Sandbox, assert_told, finish};

#[test]
fn plan_says_what_is_decided_and_why() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["plan", "--inventory", EDGE]), @"
    exit 0
    ── stdout
    edge
    ► host: Deliver by overlay (ProxyProtocolOn)
        the platform's load balancer sends PROXY headers (publishing.proxyProtocol)
        dashboard.example.org
        keycloak.example.org
    ► tenant tenant-acme/shop: Deliver by remoteHelmRelease (ProxyProtocolOn)
        the tenant's ingress controller accepts PROXY headers
        api.acme.example.org
        assets.acme.example.org
        blog.acme.example.org
        cart.acme.example.org
        checkout.acme.example.org
        search.acme.example.org
        status.acme.example.org
        www.acme.example.org
    ► tenant tenant-globex/erp: Deliver by addon (ProxyProtocolOn)
        the tenant's ingress controller accepts PROXY headers
    info OtherIngressClass: Ingress/tenant-acme/harbor-reg-ingress: its class is tenant-acme, not tenant-root: its hosts are served by another controller and are not redirected
    warning HostWithoutTls: Ingress/default/kubernetes: no tls section names api.example.org: only TLS hosts are redirected
    ");
}

#[test]
fn plan_as_json_carries_the_same() {
    let sandbox = Sandbox::edge();
    let ran = sandbox.run(&["plan", "-o", "json", "--inventory", EDGE]).expect(0);
    assert_eq!(ran.stderr, "");
    let plan = ran.json();
    assert_eq!((&plan["apiVersion"], &plan["kind"]), (&"bobbypin.dev/v1alpha1".into(), &"Plan".into()));
    assert_eq!(plan["base"], sandbox.tip().as_str());
    let layers = plan["clusters"][0]["layers"].as_array().expect("a list");
    let decisions: Vec<_> =
        layers.iter().map(|layer| format!("{} {} {}", layer["layer"], layer["decision"], layer["reason"])).collect();
    assert_eq!(
        decisions,
        [
            r#""host" "Deliver" "ProxyProtocolOn""#,
            r#""tenant" "Deliver" "ProxyProtocolOn""#,
            r#""tenant" "Deliver" "ProxyProtocolOn""#
        ]
    );
    insta::assert_json_snapshot!(layers[1]["hosts"][0], @r#"
    {
      "host": "api.acme.example.org",
      "owner": {
        "kind": "Ingress",
        "namespace": "shop",
        "name": "api"
      }
    }
    "#);
}

#[test]
fn diff_shows_a_new_host_in_every_form() {
    let sandbox = with_new_host();
    assert_told!(sandbox.run(&["diff", "--inventory", EDGE]), @r#"
    exit 1
    ── stdout
    edge
      tenant tenant-acme/shop
        ► ConfigMap/kube-system/coredns-custom configured (in the tenant cluster)

          data["bobbypin.override"]
          ± lines change (+1 −0)
            rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
          + rewrite name orders.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.

    0 created, 1 configured, 0 deleted, 3 unchanged; 1 file to commit
    "#);
    assert_told!(sandbox.run(&["diff", "-o", "patch", "--inventory", EDGE]), @"
    exit 1
    ── stdout
    diff --git a/clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml b/clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml
    index COMMIT..COMMIT
    --- a/clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml
    +++ b/clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml
    @@ -14,6 +14,7 @@
         rewrite name blog.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
         rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
         rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    +    rewrite name orders.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
         rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
         rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
         rewrite name www.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    ");
    assert_told!(sandbox.run(&["diff", "-o", "gitea", "--inventory", EDGE]), @r#"
    exit 1
    ── stdout
    ```diff
    = edge · tenant tenant-acme/shop
    ! ► ConfigMap/kube-system/coredns-custom configured (in the tenant cluster)
    @@ data["bobbypin.override"] @@
    ! ± lines change (+1 −0)
      rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    + rewrite name orders.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    ```
    "#);
    assert_told!(sandbox.run(&["diff", "-o", "markdown", "--inventory", EDGE]), @r#"
    exit 1
    ── stdout
    <!-- bobbypin:change-set DIGEST -->
    ### edge: 1 host added

    0 created, 1 configured, 0 deleted, 3 unchanged; 1 file to commit

    <details><summary>edge · tenant tenant-acme/shop (0 created, 1 configured, 0 deleted)</summary>

    ```diff
    ! ► ConfigMap/kube-system/coredns-custom configured (in the tenant cluster)
    @@ data["bobbypin.override"] @@
    ! ± lines change (+1 −0)
      rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    + rewrite name orders.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
      rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    ```

    </details>

    <sub>Base <code>SHORT</code></sub>
    "#);
    assert_told!(sandbox.run(&["diff", "-o", "json", "--inventory", EDGE]), @r#"
    exit 1
    ── stdout
    {
      "apiVersion": "bobbypin.dev/v1alpha1",
      "kind": "Diff",
      "base": "COMMIT",
      "summary": {
        "clusters": [
          "edge"
        ],
        "objects": {
          "created": 0,
          "configured": 1,
          "unchanged": 3,
          "deleted": 0,
          "orphaned": 0
        },
        "files": {
          "created": 0,
          "changed": 1,
          "deleted": 0
        },
        "hosts": {
          "added": 1,
          "removed": 0,
          "changed": 0
        },
        "pinsMoved": 0
      },
      "clusters": [
        {
          "name": "edge",
          "layers": [
            {
              "layer": "host",
              "objects": [
                {
                  "apiVersion": "cozystack.io/v1alpha1",
                  "kind": "Package",
                  "namespace": null,
                  "name": "cozystack.ouroboros",
                  "target": "host",
                  "path": "clusters/edge/manifests/host/overlay.yaml",
                  "verb": "unchanged"
                }
              ]
            },
            {
              "layer": "tenant",
              "namespace": "tenant-acme",
              "name": "shop",
              "objects": [
                {
                  "apiVersion": "v1",
                  "kind": "ConfigMap",
                  "namespace": "kube-system",
                  "name": "coredns-custom",
                  "target": "tenant",
                  "path": "clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml",
                  "verb": "configured",
                  "hostsAdded": [
                    "orders.acme.example.org"
                  ],
                  "fields": [
                    {
                      "path": "data[\"bobbypin.override\"]",
                      "change": "lines",
                      "hunks": [
                        {
                          "oldStart": 4,
                          "newStart": 4,
                          "lines": [
                            {
                              "side": "both",
                              "text": "rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local."
                            },
                            {
                              "side": "both",
                              "text": "rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local."
                            },
                            {
                              "side": "new",
                              "text": "rewrite name orders.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local."
                            },
                            {
                              "side": "both",
                              "text": "rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local."
                            },
                            {
                              "side": "both",
                              "text": "rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local."
                            }
                          ]
                        }
                      ]
                    }
                  ]
                },
                {
                  "apiVersion": "helm.toolkit.fluxcd.io/v2",
                  "kind": "HelmRelease",
                  "namespace": "tenant-acme",
                  "name": "kubernetes-shop-ouroboros",
                  "target": "host",
                  "path": "clusters/edge/manifests/tenants/tenant-acme/shop/helm-release.yaml",
                  "verb": "unchanged"
                },
                {
                  "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                  "kind": "Kustomization",
                  "namespace": "tenant-acme",
                  "name": "shop-dns-records",
                  "target": "host",
                  "path": "clusters/edge/manifests/tenants/tenant-acme/shop/records.yaml",
                  "verb": "unchanged"
                }
              ]
            }
          ]
        }
      ],
      "files": [
        {
          "path": "clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml",
          "verb": "changed",
          "cluster": "edge",
          "layer": "tenant",
          "namespace": "tenant-acme",
          "name": "shop",
          "shown": "objects"
        }
      ],
      "foreign": []
    }
    "#);
}

/// Everything is committed, then one more host appears.
fn with_new_host() -> Sandbox {
    let sandbox = Sandbox::edge();
    sandbox.reconcile().expect(0);
    sandbox.pull();
    add_host(&sandbox, "orders");
    sandbox
}

/// Adds an Ingress to the tenant of the inventory.
fn add_host(sandbox: &Sandbox, name: &str) {
    let path = sandbox.root().join("edge.yaml");
    let text = fs::read_to_string(&path).expect("the inventory is there");
    let (before, after) = text.rsplit_once("  dnsConfigMaps:").expect("the tenant has DNS");
    let ingress = format!(
        "    - apiVersion: networking.k8s.io/v1
      kind: Ingress
      metadata: {{name: {name}, namespace: shop, uid: {name}-uid, creationTimestamp: \"2026-04-08T08:00:00Z\"}}
      spec:
        ingressClassName: nginx
        rules: [{{host: {name}.acme.example.org}}]
        tls: [{{hosts: [{name}.acme.example.org], secretName: {name}-tls}}]
"
    );
    fs::write(&path, format!("{before}{ingress}  dnsConfigMaps:{after}")).expect("a writable file");
}

#[test]
fn diff_compares_with_the_disk_the_commit_or_the_branch() {
    let sandbox = Sandbox::edge();
    let against = |tree| sandbox.run(&["diff", "--against", tree, "--inventory", EDGE]).code;
    let all = || ["worktree", "head", "remote"].map(against);
    assert_eq!(all(), [Some(1), Some(1), Some(1)], "nothing is there yet");
    sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(0);
    assert_eq!(all(), [Some(0), Some(1), Some(1)], "the files are on disk");
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-qm", "the manifests"]);
    assert_eq!(all(), [Some(0), Some(0), Some(1)], "they are committed");
    sandbox.git(&["push", "-q", "origin", "HEAD:main"]);
    assert_eq!(all(), [Some(0), Some(0), Some(0)], "they are pushed");
}

#[test]
fn render_prints_writes_elsewhere_or_into_the_work_tree() {
    let sandbox = Sandbox::edge();
    let printed = sandbox.run(&["render", "--inventory", EDGE]).expect(0);
    let elsewhere = sandbox.run(&["render", "--out", "../out", "--inventory", EDGE]);
    assert_told!(elsewhere, @"exit 0");
    let here = sandbox.run(&["render", "--write", "--inventory", EDGE]);
    assert_told!(here, @"
    exit 0
    ── stderr
    11 files written to ROOT/work
    ");
    assert_told!(sandbox.run(&["render", "--write", "--inventory", EDGE]), @"
    exit 0
    ── stderr
    0 files written to ROOT/work
    ");
    let changed = sandbox.git(&["status", "--porcelain", "-uall"]);
    insta::assert_snapshot!(changed, @"
    ?? clusters/edge/manifests/host/kustomization.yaml
    ?? clusters/edge/manifests/host/overlay.yaml
    ?? clusters/edge/manifests/kustomization.yaml
    ?? clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml
    ?? clusters/edge/manifests/tenants/tenant-acme/shop/cluster/kustomization.yaml
    ?? clusters/edge/manifests/tenants/tenant-acme/shop/helm-release.yaml
    ?? clusters/edge/manifests/tenants/tenant-acme/shop/kustomization.yaml
    ?? clusters/edge/manifests/tenants/tenant-acme/shop/records.yaml
    ?? clusters/edge/manifests/tenants/tenant-globex/erp/addon/kubernetes.yaml
    ?? clusters/edge/manifests/tenants/tenant-globex/erp/addon/kustomization.yaml
    ?? clusters/edge/manifests/tenants/tenant-globex/erp/kustomization.yaml
    ");
    let mut seen = 0;
    for line in changed.lines() {
        let path = &line[3..];
        let text = sandbox.read(path);
        assert_eq!(fs::read_to_string(sandbox.root().join("out").join(path)).expect("it is there"), text, "{path}");
        assert!(printed.stdout.contains(&format!("---\n# {path}\n{text}")), "{path}");
        seen += 1;
    }
    assert_eq!(printed.stdout.matches("---\n# ").count(), seen);
}

#[test]
fn reconcile_commits_once_and_then_has_nothing_to_do() {
    let sandbox = Sandbox::edge();
    let settings = sandbox.tip();
    assert_told!(sandbox.reconcile(), @"
    exit 0
    ── stdout
    edge
      whole cluster
        ► file clusters/edge/manifests/kustomization.yaml created

      host
        ► Package/cozystack.ouroboros created
        ► file clusters/edge/manifests/host/kustomization.yaml created

      tenant tenant-acme/shop
        ► ConfigMap/kube-system/coredns-custom created (in the tenant cluster)
          8 hosts added
        ► HelmRelease/tenant-acme/kubernetes-shop-ouroboros created
        ► Kustomization/tenant-acme/shop-dns-records created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/cluster/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/kustomization.yaml created

      tenant tenant-globex/erp
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kubernetes.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/kustomization.yaml created

    4 created, 0 configured, 0 deleted, 0 unchanged; 11 files to commit
    ✔ committed SHORT to main of ROOT/remote.git
    ");
    let tip = sandbox.tip();
    assert_told!(sandbox.reconcile(), @"
    exit 0
    ── stdout
    No changes.
    ✔ nothing to do: main of ROOT/remote.git holds what is wanted
    ");
    assert_eq!((sandbox.tip(), sandbox.commits()), (tip, 2));
    assert_eq!(sandbox.remote_git(&["rev-parse", "main^"]).trim(), settings);
    assert_told!(said(sandbox.remote_git(&["log", "-1", "--format=%an <%ae>%n%cn <%ce>%n%B", "main"])), @"
    exit 0
    ── stdout
    bobbypin <bobbypin@localhost.invalid>
    bobbypin <bobbypin@localhost.invalid>
    edge: 8 hosts added, 4 objects created

    edge
      whole cluster
        ► file clusters/edge/manifests/kustomization.yaml created

      host
        ► Package/cozystack.ouroboros created
        ► file clusters/edge/manifests/host/kustomization.yaml created

      tenant tenant-acme/shop
        ► ConfigMap/kube-system/coredns-custom created (in the tenant cluster)
          8 hosts added
        ► HelmRelease/tenant-acme/kubernetes-shop-ouroboros created
        ► Kustomization/tenant-acme/shop-dns-records created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/cluster/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/kustomization.yaml created

      tenant tenant-globex/erp
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kubernetes.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/kustomization.yaml created

    4 created, 0 configured, 0 deleted, 0 unchanged; 11 files to commit

    Bobbypin-Plan: DIGEST
    Bobbypin-Base: COMMIT
    Bobbypin-Inventory: DIGEST
    ");
    sandbox.expect_sound();
}

/// A text as if a program had printed it.
fn said(stdout: String) -> crate::support::cli::Ran {
    crate::support::cli::Ran { code: Some(0), stdout, stderr: String::new() }
}

#[test]
fn a_dry_run_writes_nothing_anywhere() {
    let sandbox = Sandbox::edge();
    let before = sandbox.listing();
    let ran = sandbox.run(&["reconcile", "--dry-run", "--inventory", EDGE]).expect(0);
    assert!(ran.stdout.ends_with("remote.git\n"), "{}", ran.told());
    sandbox.run(&["reconcile", "--dry-run", "-o", "json", "--inventory", EDGE]).expect(0);
    sandbox.run(&["plan", "--inventory", EDGE]).expect(0);
    sandbox.run(&["diff", "--against", "remote", "--inventory", EDGE]).expect(1);
    sandbox.run(&["render", "--inventory", EDGE]).expect(0);
    let after = sandbox.listing();
    let touched: Vec<_> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    assert_eq!(touched, Vec::<&std::path::PathBuf>::new());
}

#[test]
fn reconcile_needs_no_checkout() {
    let sandbox = Sandbox::edge();
    let url = format!("file://{}", sandbox.remote().display());
    let args = ["reconcile", "--remote", &url, "--inventory", "edge.yaml"];
    let mut command = sandbox.scrubbed(crate::support::cli::PROGRAM, &sandbox.root());
    assert_told!(finish(command.args(args)), @"
    exit 0
    ── stdout
    edge
      whole cluster
        ► file clusters/edge/manifests/kustomization.yaml created

      host
        ► Package/cozystack.ouroboros created
        ► file clusters/edge/manifests/host/kustomization.yaml created

      tenant tenant-acme/shop
        ► ConfigMap/kube-system/coredns-custom created (in the tenant cluster)
          8 hosts added
        ► HelmRelease/tenant-acme/kubernetes-shop-ouroboros created
        ► Kustomization/tenant-acme/shop-dns-records created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/cluster/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-acme/shop/kustomization.yaml created

      tenant tenant-globex/erp
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kubernetes.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/addon/kustomization.yaml created
        ► file clusters/edge/manifests/tenants/tenant-globex/erp/kustomization.yaml created

    4 created, 0 configured, 0 deleted, 0 unchanged; 11 files to commit
    ✔ committed SHORT to main of ROOT/remote.git
    ");
    assert_eq!(sandbox.commits(), 2);
}

#[test]
fn reconcile_as_json_is_one_object() {
    let sandbox = Sandbox::edge();
    let run = |args: &[&str]| {
        let ran = sandbox.run(&[&["reconcile", "-o", "json", "--inventory", EDGE], args].concat()).expect(0);
        assert_eq!(ran.stderr, "");
        ran.json()
    };
    for (args, outcome) in [(vec!["--dry-run"], "DryRun"), (vec![], "Committed"), (vec![], "UpToDate")] {
        let report = run(&args);
        assert_eq!((&report["kind"], &report["exitReason"]), (&"Report".into(), &"Done".into()));
        assert_eq!(report["outcome"], outcome);
        let commit = (outcome == "Committed").then(|| sandbox.tip());
        assert_eq!(report["commit"].as_str().map(str::to_owned), commit);
        assert_eq!(report["plan"]["kind"], "Plan");
    }
}

#[test]
fn local_edits_are_not_used_and_that_is_said() {
    let sandbox = Sandbox::edge();
    sandbox.replace("clusters/edge/platform.yaml", "proxyProtocol: true", "proxyProtocol: false");
    let ran = sandbox.reconcile().expect(0);
    assert_told!(crate::support::cli::Ran { stdout: String::new(), ..ran }, @"
    exit 0
    ── stderr
    note: the files here differ from the tip of main and are not used: clusters/edge/platform.yaml
      help: commit and push them first
    ");
    assert!(sandbox.committed("clusters/edge/manifests/host/overlay.yaml").contains("kind: Package"));
}

#[test]
fn init_writes_the_files_of_a_cluster_and_the_commands_take_them() {
    for platform in ["cozystack", "generic"] {
        let sandbox = Sandbox::empty();
        let ran = sandbox.run(&["init", "prod", "--platform", platform]).expect(0);
        let written: Vec<_> = ran.stdout.lines().map(|line| line.trim_start_matches("✔ ").to_owned()).collect();
        let mut found: Vec<_> =
            sandbox.git(&["status", "--porcelain", "-uall"]).lines().map(|l| l[3..].to_owned()).collect();
        found.sort();
        assert_eq!(written, found);
        sandbox.push("init");
        assert_eq!(sandbox.run(&["init", "prod", "--platform", platform]).expect(2).stdout, "");
        sandbox.run(&["plan"]);
        let schema = sandbox.run(&["schema", "cluster"]).expect(0).stdout;
        assert_eq!(sandbox.read("clusters/prod/cluster.schema.json").trim_end(), schema.trim_end());
    }
}

#[test]
fn init_says_what_it_wrote_and_what_comes_next() {
    let sandbox = Sandbox::empty();
    assert_told!(sandbox.run(&["init", "prod"]), @"
    exit 0
    ── stdout
    ✔ bobbypin.yaml
    ✔ clusters/prod/cluster.schema.json
    ✔ clusters/prod/cluster.yaml
    ✔ clusters/prod/kustomization.yaml
    ✔ clusters/prod/manifests/kustomization.yaml
    ✔ clusters/prod/pins.yaml
    ✔ clusters/prod/platform.yaml
    ── stderr
    next: fill in the files, then: bobbypin pin update --cluster prod
    then: bobbypin plan --cluster prod
    ");
    assert_told!(sandbox.run(&["init", "prod"]), @"
    exit 2
    ── stderr
    error: these files exist already: clusters/prod/cluster.schema.json, clusters/prod/cluster.yaml, clusters/prod/kustomization.yaml, clusters/prod/manifests/kustomization.yaml, clusters/prod/pins.yaml, clusters/prod/platform.yaml
      help: choose another name, or move them away
    ");
    assert_told!(sandbox.run(&["plan"]), @"
    exit 0
    ── stdout
    prod
    ► host: Remove (ProxyProtocolOff)
        the platform's load balancer sends no PROXY headers (publishing.proxyProtocol)
    info TenantsNotObserved: Kubernetes.apps.cozystack.io: tenants were not looked for: the inventory says nothing about it
        help: give an inventory with the cluster's tenants
    ");
}

#[test]
fn demo_tells_the_whole_story() {
    let sandbox = Sandbox::empty();
    let ran = sandbox.run(&["demo", "../demo"]).expect(0);
    assert_eq!(ran.stderr, "");
    let steps: Vec<_> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(". "))
        .collect();
    insta::assert_snapshot!(steps.join("\n"), @"
    1. A person commits the settings of a cluster to an empty repository
    2. What is decided, layer by layer
    3. What a commit would change
    4. The first commit
    5. The same again: nothing to do, no commit
    6. A host appears in the tenant: one line changes
    7. The tenant cannot be read: it is held as it is, the rest is served
    8. The list comes back almost empty: refused
    ");
    let bare = sandbox.root().join("demo/platform.git");
    sandbox.git_at(&bare, &["fsck", "--strict"]);
    assert_eq!(sandbox.git_at(&bare, &["rev-list", "--count", "main"]).trim(), "3");
    assert_told!(sandbox.run(&["demo", "../demo"]), @"
    exit 2
    ── stderr
    error: `ROOT/work/../demo/platform.git` exists already
      help: name another place, or move it away
    ");
}

#[test]
fn the_schemas_completions_and_the_manual_are_printed() {
    let sandbox = Sandbox::empty();
    for kind in ["cluster", "repository", "pins", "state"] {
        let schema = sandbox.run(&["schema", kind]).expect(0).json();
        assert_eq!(schema["type"], "object", "{kind}");
    }
    for (shell, begins) in [
        ("bash", "_bobbypin() {"),
        ("zsh", "#compdef bobbypin"),
        ("fish", "# Print an optspec"),
        ("elvish", "\nuse builtin;"),
    ] {
        let ran = sandbox.run(&["completions", shell]).expect(0);
        assert!(ran.stdout.starts_with(begins), "{shell}: {}", &ran.stdout[..80]);
        assert_eq!(ran.stderr, "");
    }
    let page = sandbox.run(&["man"]).expect(0).stdout;
    assert!(page.contains(".TH bobbypin 1"), "{page}");
    assert!(page.contains("Exit codes:"), "{page}");
}

#[test]
fn the_help_shows_the_exit_codes() {
    let sandbox = Sandbox::empty();
    assert_told!(sandbox.run(&["--help"]), @"
    exit 0
    ── stdout
    Plans, pins and commits the hairpin fix for PROXY-protocol clusters to Git, so that Flux applies it.
    bobbypin never applies anything itself.

    Usage: bobbypin [OPTIONS] <COMMAND>

    Commands:
      init         Write the files of a new cluster into the repository
      demo         Walk through the whole way on a built-in example, without a network
      inventory    Print or write what the clusters hold
      plan         Print what is decided for every layer, and why
      render       Print the manifests, or write them
      diff         Compare the manifests with what stands in Git
      reconcile    Commit what is decided on the tip of the branch
      pin          Make, check and show the digests of charts and images, and keep them from cleaners
      doctor       Look whether everything around the clusters is as the fix needs it
      dns          Look at the DNS part alone: hosts, records, and what is wrong with a Corefile
      trust        Write down which cluster is meant, so that no other one is read in its place
      schema       Print the JSON Schema of a kind of file
      completions  Print a completion script
      man          Print the manual page

    Options:
      -R, --repository <PATH>
              The repository, or a folder in it [default: the one around the current folder]

          --cluster <NAME>
              Only this cluster; may be repeated [default: all]

          --no-color
              No colour, even on a terminal

      -v, --verbose...
              Say more; twice: everything

      -q, --quiet
              Say only what was asked for

          --log-format <FORMAT>
              The form of the log on standard error
              
              [default: human]
              [possible values: human, json]

          --jobs <N>
              How many threads to compute with, and how many clusters to read at a time [default: one
              for each processor; 64]

          --timeout <DURATION>
              How long the reading of one cluster, or one exchange with a Git server, may take [default:
              60s]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit codes:
      0  done; for diff: no differences
      1  diff: differences; doctor, dns lint: something is wrong; pin: not as pinned or wanted
      2  usage or configuration
      3  a template or manifest is wrong
      4  something could not be read: its layers were held, all others were served
      5  a registry did not say what was asked; what is proved to be wrong goes before (1)
      6  Git refused, could not be reached, or moved too often
      7  a guard refused (mass removal, wrong cluster, loop, foreign files, unsigned base)
      8  the base or the plan moved since it was approved
      9  it is not known whether the commit was made
    ");
}
