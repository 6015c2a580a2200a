//! `dns`: a Corefile is judged, the hosts are decided and the records are printed, by the real program.

use std::{env, fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::{
    docs,
    support::cli::{EDGE, Ran, Sandbox, assert_told, finish},
};

/// A Corefile with a fault of each kind.
const FAULTY: &str = ".:53 { # all names
    errors
    rewrite name {1}.example.org b.
    rewrite name dashboard.example.org c.
    cach 30
    kubernetes cozy.local in-addr.arpa ip6.arpa
    forward . /etc/resolv.conf
    reload
}
";

fn lint(sandbox: &Sandbox, text: &str, arguments: &[&str]) -> Ran {
    sandbox.write("Corefile", text);
    sandbox.run(&[&["dns", "lint", "Corefile"], arguments].concat())
}

#[test]
fn a_finding_has_its_place_its_rule_and_its_fix() {
    let sandbox = Sandbox::edge();
    assert_told!(lint(&sandbox, FAULTY, &[]), @r"
    exit 1
    ── stdout
    Corefile:1:1: warning OpenerNotFound: The server block for `.` at line 1, column 1 does not begin with a line `.:53 {`. CoreDNS does not mind, but ouroboros finds no other line and writes no records.
        help: Write `.:53 {` alone on that line, and other zones as a server block of their own.
    Corefile:3:34: error ArgumentsRefused: At line 3, column 34: `{n}` stands for a group of the other word: 1 named, 0 there. CoreDNS refuses the whole Corefile.
        help: Correct this line.
    Corefile:5:5: warning UnknownPlugin: CoreDNS 1.15 has no plugin `cach`, which stands at line 5, column 5. Without an image that has it, CoreDNS refuses the whole Corefile.
        help: Take the line out, if the image does not bring this plugin.
    1 error, 2 warnings, 0 remarks
    ");
}

#[test]
fn a_corefile_without_a_fault_ends_with_0() {
    let healthy = ".:53 {\n    errors\n    forward . /etc/resolv.conf\n    reload\n}\n";
    assert_told!(lint(&Sandbox::edge(), healthy, &["--fail-on", "info"]), @r"
    exit 0
    ── stdout
    0 errors, 0 warnings, 0 remarks
    ");
}

#[test]
fn the_exit_code_follows_the_severity_that_is_asked_for() {
    let sandbox = Sandbox::edge();
    let warning = ".:53 {\n    errors\n}\n";
    for (fail_on, code) in [("error", 0), ("warning", 1), ("info", 1)] {
        lint(&sandbox, warning, &["--fail-on", fail_on]).expect(code);
    }
    lint(&sandbox, FAULTY, &[]).expect(1);
}

#[test]
fn a_config_map_is_read_with_what_stands_beside_it_and_places_are_those_of_the_file() {
    let manifests = "apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: node-local-dns, namespace: kube-system}
  data: {Corefile: \"cluster.local {}\"}
- apiVersion: v1
  kind: ConfigMap
  metadata:
    name: coredns
    namespace: kube-system
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: '# === BEGIN ouroboros (do not edit by hand) ==='
  data:
    Corefile: |
      .:53 {
          cache 0
          import /etc/coredns/custom/*.override
          reload
      }
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: coredns-custom, namespace: kube-system}
  data:
    own.override: |

      rewrite name a.example.org (b
";
    assert_told!(lint(&Sandbox::edge(), manifests, &[]), @r"
    exit 1
    ── stdout
    Corefile:16:1: warning MarkerRemembered: The annotation `kubectl.kubernetes.io/last-applied-configuration` holds a block of ouroboros, too: its cleanup counts two and fails when it is uninstalled.
        help: Take the annotation away: kubectl annotate -n kube-system configmap/coredns kubectl.kubernetes.io/last-applied-configuration-
    Corefile:17:7: warning NodeLocalDns: There is a ConfigMap `node-local-dns`: a cache on each node sends only names of the cluster's own zone to CoreDNS, so records for public names do not reach pods there.
        help: Let the cache forward `.` to the cluster's DNS service, or use mode `etc-hosts`.
    Corefile:18:17: error ArgumentsRefused: At line 2, column 11: this number must be 1 or more. CoreDNS refuses the whole Corefile.
        help: Correct this line.
    Corefile:28:34: error ArgumentsRefused: At own.override, line 2, column 28: `(b.` is read as an expression, and is none. CoreDNS refuses the whole Corefile.
        help: Correct this line.
    2 errors, 2 warnings, 0 remarks
    ");
}

#[test]
fn names_of_the_inventory_are_looked_for() {
    let sandbox = Sandbox::edge();
    let ran = lint(&sandbox, FAULTY, &["--inventory", EDGE, "--records", "block", "-o", "json"]).expect(1);
    let rules: Vec<Value> =
        ran.json()["findings"].as_array().expect("a list").iter().map(|finding| finding["rule"].clone()).collect();
    assert!(rules.contains(&"RuleBeforeRecords".into()), "{rules:?}");
    let ran = lint(&sandbox, FAULTY, &["-o", "json"]).expect(1);
    assert!(!ran.stdout.contains("RuleBeforeRecords"), "{}", ran.told());
}

#[test]
fn findings_come_as_json() {
    let ran = lint(&Sandbox::edge(), ".:53 {\n  reload 1s\n}\n", &["-o", "json"]).expect(1);
    insta::assert_snapshot!(ran.stdout, @r#"
    {
      "apiVersion": "bobbypin.dev/v1alpha1",
      "kind": "Audit",
      "findings": [
        {
          "severity": "Error",
          "rule": "ArgumentsRefused",
          "subject": "Corefile",
          "message": "At line 2, column 10: the interval must be 2s or more. CoreDNS refuses the whole Corefile.",
          "fix": "Correct this line.",
          "file": "Corefile",
          "line": 2,
          "column": 10
        }
      ],
      "exitReason": "Findings"
    }
    "#);
}

#[test]
fn findings_come_as_sarif() {
    let sandbox = Sandbox::edge();
    sandbox.write("a b%/Corefile", ".:53 {\n  reload 1s\n}\n");
    let ran = sandbox.run(&["dns", "lint", "a b%/Corefile", "-o", "sarif"]).expect(1);
    let mut log = ran.json();
    log["runs"][0]["tool"]["driver"]["version"].take();
    insta::assert_json_snapshot!(log, @r#"
    {
      "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
      "version": "2.1.0",
      "runs": [
        {
          "tool": {
            "driver": {
              "name": "bobbypin",
              "version": null,
              "rules": [
                {
                  "id": "ArgumentsRefused"
                }
              ]
            }
          },
          "columnKind": "unicodeCodePoints",
          "results": [
            {
              "ruleId": "ArgumentsRefused",
              "level": "error",
              "message": {
                "text": "At line 2, column 10: the interval must be 2s or more. CoreDNS refuses the whole Corefile. Correct this line."
              },
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "a%20b%25/Corefile"
                    },
                    "region": {
                      "startLine": 2,
                      "startColumn": 10
                    }
                  }
                }
              ]
            }
          ]
        }
      ]
    }
    "#);
}

#[test]
fn findings_come_as_commands_of_a_workflow() {
    let sandbox = Sandbox::edge();
    sandbox.write("a,b:100%", ".:53 {\n  rewrite name a.example.org (100%\n}\n");
    let ran = sandbox.run(&["dns", "lint", "a,b:100%", "-o", "github"]).expect(1);
    insta::assert_snapshot!(ran.stdout, @r"
    ::warning file=a%2Cb%3A100%25,line=1,col=1,title=ReloadMissing::No server block has the plugin `reload`, so CoreDNS sees changed records only when it is restarted. Add the line `reload` to the server block.
    ::error file=a%2Cb%3A100%25,line=2,col=30,title=ArgumentsRefused::At line 2, column 30: `(100%25.` is read as an expression, and is none. CoreDNS refuses the whole Corefile. Correct this line.
    ");
}

#[test]
fn what_is_no_corefile_ends_with_2() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["dns", "lint", "nowhere"]), @r"
    exit 2
    ── stderr
    error: cannot read `ROOT/work/nowhere`
      because: No such file or directory (os error 2)
    ");
    assert_told!(lint(&sandbox, "kind: ConfigMap\ndata: {other: x}\n", &[]), @r"
    exit 2
    ── stderr
    error: no ConfigMap has the key `Corefile`
     --> Corefile
      = help: give a Corefile, or a ConfigMap with the key `Corefile`

    1 problem in 1 file
    ");
    assert_told!(lint(&sandbox, "kind: ConfigMap\ndata: [\n", &[]), @r"
    exit 2
    ── stderr
    error: not YAML: unclosed bracket '['
     --> Corefile:2:7
      = help: give a Corefile, or a ConfigMap with the key `Corefile`

    1 problem in 1 file
    ");
    let both = "kind: ConfigMap\nmetadata: {name: a}\ndata: {Corefile: x}\n---\nkind: ConfigMap\nmetadata: {name: b}\ndata: {Corefile: x}\n";
    lint(&sandbox, both, &["-o", "json"]).expect(2);
}

#[test]
fn every_text_is_answered() {
    let sandbox = Sandbox::edge();
    for text in [
        "\0\0\0".to_owned(),
        "{".repeat(100_000),
        "[".repeat(100_000),
        "kind: ".to_owned() + &"[".repeat(100_000),
        "kind: ".to_owned() + &"a: ".repeat(1000),
        "x".repeat(11 << 20),
        ".:53 {\n".repeat(50_000),
        ".:53 {\n".to_owned() + &"rewrite name regex ( x\n".repeat(40_000) + "}\n",
        "\u{feff}.:53 {\n".to_owned() + &"\"".repeat(1001),
    ] {
        let ran = lint(&sandbox, &text, &[]);
        assert!(matches!(ran.code, Some(1 | 2)), "{:?} {}", ran.code, &ran.stderr[..ran.stderr.len().min(300)]);
    }
}

#[test]
fn every_host_is_told_with_its_record_or_the_reason_why_it_has_none() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["dns", "hosts", "--inventory", EDGE]), @r"
    exit 0
    ── stdout
    edge
    ► host: Deliver (ProxyProtocolOn)
        ✗ api.example.org: no record for Ingress/default/kubernetes, delegated by example.org (HostWithoutTls): no TLS section of the Ingress names the host, and only TLS hosts are redirected
        ✔ dashboard.example.org: record for Ingress/cozy-dashboard/dashboard-web-ingress, delegated by example.org
        ✗ harbor-reg.acme.example.org: no record for Ingress/tenant-acme/harbor-reg-ingress, delegated by acme.example.org (NotSelected): the layer takes no hosts from Ingresses of class tenant-acme
        ✔ keycloak.example.org: record for Ingress/cozy-keycloak/keycloak-ingress, delegated by example.org
    ► tenant tenant-acme/shop: Deliver (ProxyProtocolOn)
        ✔ api.acme.example.org: record for Ingress/shop/api, delegated by acme.example.org
        ✔ assets.acme.example.org: record for Ingress/shop/assets, delegated by acme.example.org
        ✔ blog.acme.example.org: record for Ingress/shop/blog, delegated by acme.example.org
        ✔ cart.acme.example.org: record for Ingress/shop/cart, delegated by acme.example.org
        ✔ checkout.acme.example.org: record for Ingress/shop/checkout, delegated by acme.example.org
        ✔ search.acme.example.org: record for Ingress/shop/search, delegated by acme.example.org
        ✔ status.acme.example.org: record for Ingress/shop/status, delegated by acme.example.org
        ✔ www.acme.example.org: record for Ingress/shop/www, delegated by acme.example.org
    ► tenant tenant-globex/erp: Deliver (ProxyProtocolOn)
        ? its Ingresses were not read
    ");
    let ran = sandbox.run(&["dns", "hosts", "--inventory", EDGE, "--layer", "host", "-o", "json"]).expect(0);
    let layers = ran.json()["clusters"][0]["layers"].clone();
    insta::assert_json_snapshot!(layers, @r#"
    [
      {
        "layer": "host",
        "namespace": null,
        "name": null,
        "decision": "Deliver",
        "reason": "ProxyProtocolOn",
        "seen": true,
        "hosts": [
          {
            "host": "api.example.org",
            "owner": {
              "kind": "Ingress",
              "namespace": "default",
              "name": "kubernetes"
            },
            "delegatedBy": "example.org",
            "answer": "None",
            "rule": "HostWithoutTls",
            "reason": "no TLS section of the Ingress names the host, and only TLS hosts are redirected"
          },
          {
            "host": "dashboard.example.org",
            "owner": {
              "kind": "Ingress",
              "namespace": "cozy-dashboard",
              "name": "dashboard-web-ingress"
            },
            "delegatedBy": "example.org",
            "answer": "Record",
            "rule": null,
            "reason": null
          },
          {
            "host": "harbor-reg.acme.example.org",
            "owner": {
              "kind": "Ingress",
              "namespace": "tenant-acme",
              "name": "harbor-reg-ingress"
            },
            "delegatedBy": "acme.example.org",
            "answer": "None",
            "rule": "NotSelected",
            "reason": "the layer takes no hosts from Ingresses of class tenant-acme"
          },
          {
            "host": "keycloak.example.org",
            "owner": {
              "kind": "Ingress",
              "namespace": "cozy-keycloak",
              "name": "keycloak-ingress"
            },
            "delegatedBy": "example.org",
            "answer": "Record",
            "rule": null,
            "reason": null
          }
        ]
      }
    ]
    "#);
}

#[test]
fn a_host_without_a_record_has_the_reason_of_the_plan_whoever_writes_the_records() {
    let sandbox = Sandbox::edge();
    let settings = "clusters/edge/cluster.yaml";
    sandbox.replace(settings, "reserved: [git.example.org]", "reserved: [api.acme.example.org]\n    quota: {total: 5}");
    for _ in ["the rule", "the TLS section"] {
        sandbox.replace(EDGE, "blog.acme.example.org", "\"*.acme.example.org\"");
    }
    let shop = |sandbox: &Sandbox| {
        let ran = sandbox.run(&["dns", "hosts", "--inventory", EDGE, "--layer", "tenant-acme/shop"]).expect(0);
        ran.stdout.lines().filter(|line| line.contains('✗')).map(str::trim).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shop(&sandbox), @r#"
    ✗ *.acme.example.org: no record for Ingress/shop/blog (HostWildcard): host "*.acme.example.org" gets no record: it is a wildcard
    ✗ api.acme.example.org: no record for Ingress/shop/api, delegated by acme.example.org (HostReserved): host "api.acme.example.org" gets no record: it is reserved by hostnames.reserved
    ✗ www.acme.example.org: no record for Ingress/shop/www, delegated by acme.example.org (HostQuotaExceeded): host www.acme.example.org gets no record: the layer already has 5 hosts (hostnames.quota.total)
    "#);
    sandbox.replace(settings, "engine: static", "engine: ouroboros");
    insta::assert_snapshot!(shop(&sandbox), @r#"✗ *.acme.example.org: no record for Ingress/shop/blog (HostWildcard): host "*.acme.example.org" gets no record: it is a wildcard"#);
}

#[test]
fn the_reason_is_found_however_the_host_is_written() {
    let sandbox = Sandbox::edge();
    let apex = format!("{}.org", "a".repeat(50));
    let long = format!("{}.example.net", ["a"; 60].join("."));
    // Each stands in a rule and in the TLS section.
    for (host, written) in [("api", "API.Example.NET."), ("blog", &apex), ("cart", &long)] {
        for _ in ["the rule", "the TLS section"] {
            sandbox.replace(EDGE, &format!("{host}.acme.example.org"), written);
        }
    }
    let shop = |sandbox: &Sandbox| {
        let ran = sandbox.run(&["dns", "hosts", "--inventory", EDGE, "--layer", "tenant-acme/shop"]).expect(0);
        ran.stdout.lines().filter(|line| line.contains('✗')).map(str::trim).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shop(&sandbox), @r#"
    ✗ API.Example.NET.: no record for Ingress/shop/api (HostNotDelegated): host "API.Example.NET." gets no record: namespace tenant-acme was given no suffix that the name lies under
    ✗ a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.example.net: no record for Ingress/shop/cart (HostNotDelegated): host "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a." gets no record: namespace tenant-acme was given no suffix that the name lies under
    ✗ aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org: no record for Ingress/shop/blog (HostNotDelegated): host "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org" gets no record: namespace tenant-acme was given no suffix that the name lies under
    "#);
}

#[test]
fn a_remark_about_a_host_is_no_reason_to_have_no_record() {
    let sandbox = Sandbox::edge();
    let settings = "clusters/edge/cluster.yaml";
    sandbox.replace(settings, "[acme.example.org]", "[acme.example.org, example.org]");
    sandbox.replace(settings, "engine: static", "engine: static\n      static: {records: hosts-file}");
    sandbox.replace(EDGE, "hosts: [api.acme.example.org]", "hosts: [example.org]");
    // The records wait for the proxy, which has no Service yet.
    let (import, reader) = ("import /etc/coredns/custom/*.override", "hosts /etc/coredns/custom/bobbypin.hosts {");
    sandbox.replace(EDGE, import, &format!("{reader}\n                  fallthrough\n              }}"));
    sandbox.replace(
        EDGE,
        "- namespace: tenant-acme\n",
        "- namespace: tenant-acme\n  services: {state: Present, items: []}\n",
    );
    let ran = sandbox.run(&["plan", "--inventory", EDGE, "-o", "json"]).expect(0);
    let told = ran.json()["clusters"][0]["findings"].clone();
    assert!(told.as_array().expect("a list").iter().any(|told| told["host"] == "example.org"), "{}", ran.told());
    let ran = sandbox.run(&["dns", "hosts", "--inventory", EDGE, "--layer", "tenant-acme/shop"]).expect(0);
    let line = ran.stdout.lines().find(|line| line.contains(" example.org: ")).map(str::trim);
    insta::assert_snapshot!(line.unwrap_or_default(), @"✗ example.org: no record for Ingress/shop/api, delegated by example.org (ProxyProtocolOn): the layer has no records: the tenant's ingress controller accepts PROXY headers");
}

#[test]
fn the_servers_that_the_fix_itself_goes_through_are_redirected_in_no_layer() {
    let sandbox = Sandbox::edge();
    sandbox.replace(EDGE, "\nhost:\n", "\nhost:\n  apiServer: api.acme.example.org\n");
    sandbox.replace(
        EDGE,
        "- namespace: tenant-acme\n",
        "- namespace: tenant-acme\n  apiServer: blog.acme.example.org\n",
    );
    sandbox.git(&["remote", "set-url", "origin", "ssh://git@www.acme.example.org:2222/acme/fleet.git"]);
    let hosts = |sandbox: &Sandbox| {
        let ran = sandbox.run(&["dns", "hosts", "--inventory", EDGE, "--layer", "tenant-acme/shop"]).expect(0);
        ran.stdout.lines().filter(|line| line.contains('✗')).map(str::trim).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(hosts(&sandbox), @r#"
    ✗ api.acme.example.org: no record for Ingress/shop/api, delegated by acme.example.org (HostReserved): host "api.acme.example.org" gets no record: it is reserved for the API server
    ✗ blog.acme.example.org: no record for Ingress/shop/blog, delegated by acme.example.org (HostReserved): host "blog.acme.example.org" gets no record: it is reserved for the API server
    ✗ www.acme.example.org: no record for Ingress/shop/www, delegated by acme.example.org (HostReserved): host "www.acme.example.org" gets no record: it is reserved for the Git server
    "#);
    let reserved = |words: &[&str]| {
        let ran = sandbox.run(&[words, &["--inventory", EDGE]].concat());
        assert!(ran.stdout.contains("www.acme.example.org") && ran.stdout.contains("HostReserved"), "{}", ran.told());
    };
    reserved(&["plan"]);
    reserved(&["doctor"]);
    for words in [&["render"][..], &["diff"], &["dns", "render"]] {
        let ran = sandbox.run(&[words, &["--inventory", EDGE]].concat());
        let records = ran.stdout.lines().filter(|line| line.contains("rewrite name") && !line.starts_with('-'));
        assert!(!records.clone().any(|line| line.contains("www.acme.example.org")), "{}", ran.told());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test puts a program before those of this machine")]
fn the_server_of_a_remote_that_only_the_command_line_names_is_not_redirected() {
    let sandbox = Sandbox::edge();
    // An `ssh` that asks no server: it runs what the server would.
    let program = sandbox.path("bin/ssh");
    sandbox.write("bin/ssh", "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let programs = format!("{}:{}", sandbox.path("bin").display(), env::var("PATH").expect("there is a PATH"));
    let told = |remote: &str| {
        let mut command = sandbox.command(&["reconcile", "--dry-run", "--inventory", EDGE, "--remote", remote]);
        let ran = finish(command.env("PATH", &programs)).expect(0);
        let line = ran.stdout.lines().find(|line| line.ends_with("hosts added")).unwrap_or_default();
        line.trim().to_owned()
    };
    let folder = sandbox.remote();
    assert_eq!(told("../remote.git"), "8 hosts added");
    assert_eq!(told(&format!("ssh://git@www.acme.example.org{}", folder.display())), "7 hosts added");
}

#[test]
fn a_layer_must_be_one() {
    assert_told!(Sandbox::edge().run(&["dns", "hosts", "--inventory", EDGE, "--layer", "shop"]), @r"
    exit 2
    ── stderr
    error: invalid value 'shop' for '--layer <LAYER>': `shop` is neither `host` nor `NAMESPACE/NAME` of a tenant

    For more information, try '--help'.
    ");
}

#[test]
fn the_records_of_a_layer_are_printed_in_every_form() {
    let sandbox = Sandbox::edge();
    let render = |arguments: &[&str]| sandbox.run(&[&["dns", "render", "--inventory", EDGE], arguments].concat());
    assert_told!(render(&[]), @r"
    exit 0
    ── stdout
    # edge, host: Deliver (ProxyProtocolOn)
    # === BEGIN ouroboros (do not edit by hand) ===
    rewrite name dashboard.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    rewrite name keycloak.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    # === END ouroboros ===
    # edge, tenant tenant-acme/shop: Deliver (ProxyProtocolOn)
    rewrite name api.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name assets.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name blog.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    rewrite name www.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
    # edge, tenant tenant-globex/erp: Deliver (ProxyProtocolOn)
    ");
    assert_told!(render(&["--layer", "host", "--form", "rewrite-snippet"]), @r"
    exit 0
    ── stdout
    # edge, host: Deliver (ProxyProtocolOn)
    rewrite name dashboard.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    rewrite name keycloak.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    ");
    assert_told!(render(&["--layer", "host", "--form", "ouroboros"]), @r"
    exit 0
    ── stdout
    # edge, host: Deliver (ProxyProtocolOn)
    # === BEGIN ouroboros (do not edit by hand) ===
    rewrite name dashboard.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    rewrite name keycloak.example.org ouroboros-proxy.cozy-ouroboros.svc.cozy.local.
    # === END ouroboros ===
    ");
    assert_told!(render(&["--layer", "host", "--form", "hosts-file"]), @r"
    exit 2
    ── stderr
    error: cannot write the records of edge, host: Service/cozy-ouroboros/ouroboros-proxy has no fixed ClusterIP that was seen, and a hosts file needs one
    ");
}

#[test]
fn what_the_page_on_dns_shows_is_what_is_printed() {
    let (_, page) = docs::pages().into_iter().find(|(path, _)| path == "docs/dns.md").expect("a page");
    let sandbox = Sandbox::edge();
    sandbox.write("Corefile", FAULTY);
    let mut shown = 0;
    for fence in docs::fences(&page) {
        let Some(command) = fence.lines.first().and_then(|line| line.strip_prefix("$ bobbypin ")) else { continue };
        let words: Vec<_> = command.split(' ').map(|word| if word == "edge.yaml" { EDGE } else { word }).collect();
        let ran = sandbox.run(&words);
        assert_eq!(ran.stdout.trim_end(), fence.lines[1..].join("\n"), "{command}");
        shown += 1;
    }
    assert!(shown >= 2, "{shown} commands");
}
