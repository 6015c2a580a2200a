//! What `doctor` says, in every form, and how it ends.
#![expect(clippy::disallowed_methods, reason = "these tests prepare files")]

use std::fs;

use serde_json::Value;

use crate::support::cli::{Ran, Sandbox, assert_told, project};

const INVENTORY: &str = "../seen.yaml";
const RECORDED: &str = "2026-11-20T10:00:00Z";

/// What the example's inventory leaves out: everything else that `doctor` looks at.
const REST: &str = r#"- namespace: tenant-globex
  name: erp
  uid: uid-of-erp
  ingresses: {state: Present, items: [{metadata: {namespace: web, name: erp}, spec: {tls: [{hosts: [erp.example.org]}]}}]}
  services:
    state: Present
    items:
    - {metadata: {namespace: cozy-ingress-nginx, name: ingress-nginx-controller}, spec: {clusterIPs: [10.95.0.11]}}
  dnsConfigMaps:
    state: Present
    items:
    - metadata: {namespace: kube-system, name: coredns}
      data: {Corefile: ".:53 {\n kubernetes cluster.local\n reload\n import /etc/coredns/custom/*.override\n}\n"}
platformSettings:
  state: Present
  settings: {cluster-domain: cozy.local, expose-ingress: tenant-root, gateway-enabled: "false", load-balancer-class: "",
    proxy-protocol: "true", root-host: example.org}
kustomizations:
  state: Present
  items:
  - metadata: {namespace: flux-system, name: flux-system}
    spec: {path: ./clusters/edge, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
    status: {conditions: [{type: Ready, status: "True", reason: Succeeded, message: done}]}
gitRepositories:
  state: Present
  items:
  - metadata: {namespace: flux-system, name: flux-system}
    spec: {url: "https://git.example.org/platform/fleet", ref: {branch: main}}
    status: {conditions: [{type: Ready, status: "True", reason: Succeeded, message: done}]}
"#;

/// The worked example with an inventory that says everything and was taken just now.
fn sandbox(change: impl Fn(&str) -> String) -> (Sandbox, String) {
    let sandbox = Sandbox::edge();
    let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).expect("a time of this century");
    let text = fs::read_to_string(project().join("examples/inventory/edge.yaml")).expect("the example's inventory");
    let host = "host:\n  services:\n    state: Present\n    items:\n    - {metadata: {namespace: tenant-root, name: \
                root-ingress-controller}, spec: {clusterIPs: [10.96.0.10]}}\n";
    let shop = "- namespace: tenant-acme\n  name: shop\n  uid: uid-of-shop\n  services:\n    state: Present\n    items:\n    \
                - {metadata: {namespace: cozy-ingress-nginx, name: ingress-nginx-controller}, spec: {clusterIPs: \
                [10.95.0.11]}}\n";
    let text = text.replacen("host:\n", host, 1).replacen("- namespace: tenant-acme\n  name: shop\n", shop, 1);
    let text = change(&format!("{}\n{REST}", text.trim_end())).replace(RECORDED, &now.to_string());
    fs::write(sandbox.path(INVENTORY), text).expect("a writable folder");
    (sandbox, now.to_string())
}

/// Runs `doctor`, and tells the time of the inventory as the example has it.
fn doctor((sandbox, now): &(Sandbox, String), arguments: &[&str]) -> Ran {
    let ran = sandbox.run(&[&["doctor", "--inventory", INVENTORY], arguments].concat());
    Ran { stdout: ran.stdout.replace(now, RECORDED), ..ran }
}

#[test]
fn everything_that_was_looked_at_is_told_and_a_warning_is_no_failure() {
    let world = sandbox(str::to_owned);
    assert_told!(doctor(&world, &[]), @"
    exit 0
    ── stdout
    edge
      cluster
        ✔ SourceRead: inventory: tenants 2, packages 0, platformSettings 6, helmReleases 0, kustomizations 1, gitRepositories 1
        ✔ InventoryAge: inventory: recorded at 2026-11-20T10:00:00Z
        ✔ ClusterIdentity: cluster edge: its UID is 0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11, as spec.access.uid says
        ✔ FluxAppliesSettings: Kustomization/flux-system/flux-system: it comes to the manifests, and to none of the settings beside them
        ✔ FluxReader: clusters/edge: Kustomization/flux-system/flux-system reads clusters/edge; whether https://git.example.org/platform/fleet is ROOT/remote.git is not known
        ✔ FluxSourceReady: GitRepository/flux-system/flux-system: Ready (Succeeded)
        ✔ FluxSourceBranch: GitRepository/flux-system/flux-system: it reads the branch main, to which commits go
        ✔ FluxReaderReady: Kustomization/flux-system/flux-system: Ready (Succeeded)
        ✔ FluxReaderPrunes: Kustomization/flux-system/flux-system: what goes from Git goes from the cluster
      host
        ✔ SourceRead: inventory: uid 1, ingresses 4, services 1, dnsConfigMaps 1
        ✔ LayerDecision: host: Deliver by overlay (ProxyProtocolOn): the platform's load balancer sends PROXY headers (publishing.proxyProtocol)
        ✔ PlatformVersion: spec.platform.version: v1.6.2 is declared, and the live settings are those of v1.6.0 and newer
        ✔ PlatformValues: platform: v1.6.2, variant isp-full: proxyProtocol on, gateway mode off, no unknown key
        ✔ LiveSetting: Secret/cozy-system/cozystack-values: as the values say: cluster-domain, expose-ingress, gateway-enabled, proxy-protocol, root-host
        ✔ DisabledPackage (H4): Package/cozystack.ouroboros: bundles.disabledPackages does not name it
        ✔ LoadBalancerClass (H25): Service/tenant-root/root-ingress-controller: its type is ClusterIP
        ✔ IngressService: Service/tenant-root/root-ingress-controller: ClusterIP, 10.96.0.10
        ✔ ProxyService: Service/cozy-ouroboros/ouroboros-proxy: not there, and Git does not have the fix yet
        ✔ Corefile: ConfigMap/kube-system/coredns: it can take the block of ouroboros
        ✔ ClusterDomain (H22): ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cozy.local
        ✔ Hosts (H15): Ingresses: 2 names with TLS in 3 Ingresses of class tenant-root
        ✔ IngressClass (H6): Ingresses: 1 object of other classes: Ingress/tenant-acme/harbor-reg-ingress (tenant-acme); no controller redirects yet
        ! HostWithoutTls (H7): Ingresses: 1 host in no tls section (only TLS hosts are redirected): api.example.org of Ingress/default/kubernetes
            help: name them in spec.tls of the Ingress (a secretName is not needed); where TLS passes through, pods keep failing to reach them
        ✔ HostWildcard: Ingresses: no wildcard
        ✔ HostSpelling (H41): Ingresses: every name can be a record
        ✔ HostInClusterDomain (H42): Ingresses: no name lies in cozy.local
        ✔ ForeignHost (H45): Ingresses: every name lies under the platform's host or a suffix of hostnames.delegations
        ✔ ReleaseReady: HelmRelease: none, and Git does not have the fix yet
      tenant tenant-acme/shop
        ✔ SourceRead: inventory: uid 1, ingresses 8, services 1, dnsConfigMaps 1
        ✔ TenantIdentity: tenant tenant-acme/shop: its UID is uid-of-shop; state.yaml will remember it when the layer is delivered
        ✔ LayerDecision: tenant tenant-acme/shop: Deliver by remoteHelmRelease (ProxyProtocolOn): the tenant's ingress controller accepts PROXY headers
        ✔ IngressService: Service/cozy-ingress-nginx/ingress-nginx-controller: ClusterIP, 10.95.0.11
        ✔ ProxyService: Service/cozy-ouroboros/ouroboros-proxy: not there, and Git does not have the fix yet
        ✔ Corefile: ConfigMap/kube-system/coredns: it imports override files
        ✔ ClusterDomain (H22): ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cluster.local
        ✔ Hosts (H15): Ingresses: 8 names with TLS in 8 Ingresses
        ✔ HostWithoutTls (H7): Ingresses: every host of a rule (8) is in a tls section
        ✔ HostWildcard: Ingresses: no wildcard
        ✔ HostSpelling (H41): Ingresses: every name can be a record
        ✔ HostInClusterDomain (H42): Ingresses: no name lies in cluster.local
        ✔ TenantAddons: Kubernetes/tenant-acme/shop: ouroboros off, ingressNginx on, PROXY headers expected
        ✔ ReleaseReady: HelmRelease: none, and Git does not have the fix yet
      tenant tenant-globex/erp
        ✔ SourceRead: inventory: uid 1, ingresses 1, services 1, dnsConfigMaps 1
        ✔ TenantIdentity: tenant tenant-globex/erp: its UID is uid-of-erp; state.yaml will remember it when the layer is delivered
        ✔ LayerDecision: tenant tenant-globex/erp: Deliver by addon (ProxyProtocolOn): the tenant's ingress controller accepts PROXY headers
        ✔ IngressService: Service/cozy-ingress-nginx/ingress-nginx-controller: ClusterIP, 10.95.0.11
        ✔ ProxyService: Service/cozy-ouroboros/ouroboros-proxy: not there, and Git does not have the fix yet
        ✔ Corefile: ConfigMap/kube-system/coredns: it imports override files
        ✔ ClusterDomain (H22): ConfigMap/kube-system/coredns: the plugin `kubernetes` answers for cluster.local
        ✔ Hosts (H15): Ingresses: 1 name with TLS in 1 Ingress
        ✔ HostWithoutTls (H7): Ingresses: every host of a rule (0) is in a tls section
        ✔ HostWildcard: Ingresses: no wildcard
        ✔ HostSpelling (H41): Ingresses: every name can be a record
        ✔ HostInClusterDomain (H42): Ingresses: no name lies in cluster.local
        ✔ ForeignHost (H45): Ingresses: every name lies under the platform's host or a suffix of hostnames.delegations
        ✔ TenantAddons: Kubernetes/tenant-globex/erp: ouroboros off, ingressNginx on, PROXY headers not expected
        ✔ ReleaseReady: HelmRelease: none, and Git does not have the fix yet
    56 ok, 1 to look at, 0 wrong, 0 unknown
    ");
}

#[test]
fn what_is_wrong_ends_with_code_1_and_comes_with_its_fix() {
    let world = sandbox(|text| text.replace("root-host: example.org", "root-host: example.com"));
    let ran = doctor(&world, &[]).expect(1);
    let lines: Vec<_> = ran.stdout.lines().skip_while(|line| !line.contains('✗')).take(2).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    ✗ RootHost (H39): Secret/cozy-system/cozystack-values: root-host: the values say `example.org`, and the cluster runs with `example.com`
        help: correct publishing.host, or remove the key root-host of ConfigMap/cozy-system/cozystack, which overrides it
    ");
    let of_json = doctor(&world, &["-o", "json"]).expect(1).json();
    assert_eq!(of_json["exitReason"], "Findings");
    let checks = of_json["clusters"][0]["checks"].as_array().expect("a list");
    let failed: Vec<_> = checks.iter().filter(|check| check["verdict"] == "Fail").collect();
    insta::assert_json_snapshot!(failed, @r#"
    [
      {
        "id": "RootHost",
        "hazard": "H39",
        "layer": "host",
        "namespace": null,
        "name": null,
        "subject": "Secret/cozy-system/cozystack-values: root-host",
        "verdict": "Fail",
        "evidence": "the values say `example.org`, and the cluster runs with `example.com`",
        "fix": "correct publishing.host, or remove the key root-host of ConfigMap/cozy-system/cozystack, which overrides it"
      }
    ]
    "#);
}

#[test]
fn what_could_not_be_read_ends_with_code_4_unless_something_else_is_wrong() {
    let unread = |text: &str| {
        let (before, after) = text.split_once("kustomizations:").expect("a source");
        let (_, after) = after.split_once("gitRepositories:").expect("the next source");
        let unread = "kustomizations: {state: Unknown, reason: Forbidden, message: no right to list it}";
        format!("{before}{unread}\ngitRepositories:{after}")
    };
    let ran = doctor(&sandbox(unread), &["-o", "json"]).expect(4).json();
    assert_eq!((&ran["kind"], &ran["exitReason"]), (&"Doctor".into(), &"NotObserved".into()));
    let verdicts = |wanted: &str| {
        let checks = ran["clusters"][0]["checks"].as_array().expect("a list").iter();
        checks.filter(|check| check["verdict"] == wanted).map(|check| check["id"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!((verdicts("Fail"), verdicts("Unknown")), (vec!["SourceRead".into()], vec!["FluxReader".into()]));
    let also_wrong = |text: &str| unread(text).replace("root-host: example.org", "root-host: example.com");
    doctor(&sandbox(also_wrong), &[]).expect(1);
}

#[test]
fn a_cluster_that_nobody_says_how_to_reach_is_unknown() {
    let sandbox = Sandbox::edge();
    sandbox.replace("clusters/edge/cluster.yaml", "    context: edge-admin\n", "");
    assert_told!(sandbox.run(&["doctor"]), @"
    exit 4
    ── stdout
    edge
      cluster
        ? SourceRead: cluster: nobody looked at the cluster
            help: set spec.access in cluster.yaml, or give --context, --kubeconfig or --inventory
    0 ok, 0 to look at, 0 wrong, 1 unknown
    ");
}

#[test]
fn files_that_are_wrong_are_told_as_everywhere() {
    let sandbox = Sandbox::edge();
    sandbox.replace("clusters/edge/cluster.yaml", "kind: cozystack", "kind: cosystack");
    let ran = sandbox.run(&["doctor", "-o", "json"]).expect(2).json();
    assert_eq!((&ran["kind"], &ran["exitReason"]), (&"Error".into(), &"Configuration".into()));
}
