//! Bad input: a clear error, and nothing written.
#![expect(clippy::disallowed_methods, reason = "these tests write bad files")]

use std::fs;

use crate::support::cli::{EDGE, Ran, Sandbox, assert_told, project};

const CLUSTER: &str = "clusters/edge/cluster.yaml";
const PINS: &str = "clusters/edge/pins.yaml";
const PLATFORM: &str = "clusters/edge/platform.yaml";
const OVERLAY: &str = "clusters/edge/templates/host/overlay/package.yaml.tera";

/// Commits what the sandbox holds, reconciles it, and makes sure that nothing was written.
#[track_caller]
fn refused(sandbox: &Sandbox, code: i32) -> Ran {
    sandbox.push("something bad");
    let tip = sandbox.tip();
    let ran = sandbox.reconcile();
    assert_eq!((ran.code, sandbox.tip()), (Some(code), tip), "{}", ran.told());
    assert_eq!(ran.stdout, "");
    let json = sandbox.run(&["reconcile", "-o", "json", "--inventory", EDGE]).expect(code);
    assert_eq!(json.stderr, "");
    assert_eq!(json.json()["kind"], "Error");
    let before = sandbox.git(&["status", "--porcelain", "-uall"]);
    for args in [["plan", "-q"], ["render", "--write"], ["diff", "-q"]] {
        sandbox.run(&[args[0], args[1], "--inventory", EDGE]).expect(code);
    }
    assert_eq!(sandbox.git(&["status", "--porcelain", "-uall"]), before);
    sandbox.expect_sound();
    ran
}

/// The worked example with one file replaced.
fn with(path: &str, bytes: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::edge();
    sandbox.write(path, bytes);
    sandbox
}

/// The worked example with a part of one file replaced.
fn edited(path: &str, old: &str, new: &str) -> Sandbox {
    let sandbox = Sandbox::edge();
    sandbox.replace(path, old, new);
    sandbox
}

/// A few hundred bytes that mean a billion words.
fn bomb() -> String {
    let lines = ('b'..='j').map(|letter| {
        let before = char::from(u8::try_from(letter).expect("an ASCII letter") - 1);
        format!("{letter}: &{letter} [{}]\n", vec![format!("*{before}"); 10].join(","))
    });
    format!("a: &a [x,x,x,x,x,x,x,x,x,x]\n{}", lines.collect::<String>())
}

#[test]
fn a_file_that_is_not_yaml_is_refused_with_its_place() {
    assert_told!(refused(&with(CLUSTER, "spec: [\n"), 2), @"
    exit 2
    ── stderr
    error: not YAML: unclosed bracket '['
     --> clusters/edge/cluster.yaml:1:7 (spec)
      |
    1 | spec: [
      |       ^

    1 problem in 1 file
    ");
}

#[test]
fn an_alias_bomb_is_refused_in_a_moment() {
    assert_told!(refused(&with(PLATFORM, bomb()), 2), @"
    exit 2
    ── stderr
    error: YAML document too large or too complex: total_replayed_events=50001 > 50000
     --> clusters/edge/platform.yaml:5:14
      |
    5 | e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]
      |              ^

    1 problem in 1 file
    ");
    assert_told!(refused(&with(CLUSTER, bomb()), 2), @"
    exit 2
    ── stderr
    error: anchors (`&name`) are not read here
     --> clusters/edge/cluster.yaml:1:4 (a)
      |
    1 | a: &a [x,x,x,x,x,x,x,x,x,x]
      |    ^
      = help: write the value in every place that needs it

    error: anchors (`&name`) are not read here
     --> clusters/edge/cluster.yaml:2:4 (b)
      |
    2 | b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
      |    ^
      = help: write the value in every place that needs it

    error: aliases (`*name`) are not read here
     --> clusters/edge/cluster.yaml:2:8 (b[0])
      |
    2 | b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]
      |        ^
      = help: write the value out, or put a text that begins with `*` in quotes

    3 problems in 1 file
    ");
    let sandbox = with("../edge.yaml", bomb());
    assert_told!(sandbox.reconcile(), @"
    exit 2
    ── stderr
    error: YAML document too large or too complex: total_replayed_events=50001 > 50000
     --> ../edge.yaml:5:14
      |
    5 | e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]
      |              ^

    1 problem in 1 file
    ");
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    assert_told!(refused(&edited(CLUSTER, "  tenants:", "  platform: {}\n  tenants:"), 2), @"
    exit 2
    ── stderr
    error: the key `platform` occurs twice; the first is in line 14
      --> clusters/edge/cluster.yaml:18:3 (spec.platform)
       |
    18 |   platform: {}
       |   ^
       = help: keep one of the two

    1 problem in 1 file
    ");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    assert_told!(refused(&with(CLUSTER, b"# caf\xe9\n"), 2), @"
    exit 2
    ── stderr
    error: a byte that is not UTF-8
     --> clusters/edge/cluster.yaml:1:6
      |
    1 | # caf
      |      ^
      = help: save the file as UTF-8

    1 problem in 1 file
    ");
    assert_told!(refused(&with(PLATFORM, b"\xff\xfea\0"), 2), @"
    exit 2
    ── stderr
    error: the file is not UTF-8 text
     --> clusters/edge/platform.yaml:1:1

    1 problem in 1 file
    ");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let plain = Sandbox::edge().run(&["render", "--inventory", EDGE]).expect(0);
    let sandbox = Sandbox::edge();
    for path in [CLUSTER, PINS, PLATFORM, "../edge.yaml"] {
        let text = sandbox.read(path).replace('\n', "\r\n");
        sandbox.write(path, format!("\u{feff}{text}"));
    }
    assert_eq!(sandbox.run(&["render", "--inventory", EDGE]), plain);
    sandbox.push("Windows");
    sandbox.reconcile().expect(0);
}

#[test]
fn all_problems_of_all_files_come_in_one_report() {
    let sandbox = edited(CLUSTER, "engine: static", "engine: statik");
    sandbox.replace(CLUSTER, "  hostnames:", "  hostname:");
    sandbox.replace(PINS, "sha256:40fd", "sha256:zz");
    sandbox.write("clusters/edge/state.yaml", "kind: Nothing\n");
    let ran = refused(&sandbox, 2);
    let json = sandbox.run(&["plan", "-o", "json"]).expect(2).json();
    assert_eq!(json["exitReason"], "Configuration");
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(ran.stderr.matches("error: ").count()));
    assert_told!(ran, @"
    exit 2
    ── stderr
    error: `statik` is not one of ouroboros, static
      --> clusters/edge/cluster.yaml:24:15 (spec.tenants.overrides[0].engine)
       |
    24 |       engine: statik
       |               ^
       = help: did you mean `static`?

    error: unknown key `hostname`
      --> clusters/edge/cluster.yaml:34:3 (spec.hostname)
       |
    34 |   hostname:
       |   ^
       = help: did you mean `hostnames`?

    error: `sha256:zz5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b` is not a digest: `sha256:` and 64 lower-case hex digits
      --> clusters/edge/pins.yaml:17:13 (spec.pins[1].digest)
       |
    17 |     digest: sha256:zz5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b
       |             ^

    error: the key `apiVersion` is missing
      --> clusters/edge/state.yaml:1:1 (apiVersion)
       |
     1 | kind: Nothing
       | ^
       = help: begin the file with `apiVersion: bobbypin.dev/v1alpha1` and `kind: State`

    4 problems in 3 files
    ");
}

#[test]
fn a_version_that_nobody_knows_is_planned_with_a_warning_and_an_old_or_senseless_one_is_refused() {
    let newer = edited(CLUSTER, "v1.6.2", "v9.9.9").run(&["plan", "--inventory", EDGE]).expect(0);
    let warning: Vec<_> = newer.stdout.lines().skip_while(|line| !line.contains("UnknownPlatformVersion")).collect();
    insta::assert_snapshot!(warning.join("\n"), @"
    warning UnknownPlatformVersion: spec.platform.version: Nobody has looked at cozystack v9.9.9 yet: the behaviour of the newest known version, v1.6.2 or the newest patch release before it in the same line, is assumed.
        help: Compare the plan with what the cluster does, or use a newer release of this program.
    ");
    assert_told!(refused(&edited(CLUSTER, "v1.6.2", "v1.3.0"), 2), @"
    exit 2
    ── stderr
    error: cozystack v1.3.0 is not supported: v1.4.0 is the first version with `publishing.proxyProtocol`
     --> clusters/edge/cluster.yaml (spec.platform.version)

    1 problem in 1 file
    ");
    assert_told!(refused(&edited(CLUSTER, "v1.6.2", "latest"), 2), @"
    exit 2
    ── stderr
    error: `latest` is not a released version such as `v1.6.2`
      --> clusters/edge/cluster.yaml:16:14 (spec.platform.version)
       |
    16 |     version: latest
       |              ^

    1 problem in 1 file
    ");
}

#[test]
fn a_host_that_is_not_a_name_gets_no_record_and_the_others_stay() {
    let long = format!("{}.acme.example.org", "a".repeat(290));
    let committed = |sandbox: &Sandbox| {
        sandbox.committed("clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml")
    };
    let sandbox = Sandbox::edge();
    sandbox.reconcile().expect(0);
    let usual = committed(&sandbox);
    let example = fs::read_to_string(project().join("examples/inventory/edge.yaml")).expect("the example is there");
    let mut table = String::new();
    for host in [
        "a\\nb.acme.example.org",
        "a{b.acme.example.org",
        "#a.acme.example.org",
        "a\\\"b.acme.example.org",
        "a'b.acme.example.org",
        "a b.acme.example.org",
        &long,
        "*.acme.example.org",
        "b\u{fc}cher.acme.example.org",
        "192.0.2.1",
        "2001:db8::1",
        "localhost",
        "",
    ] {
        let bad = format!("hosts: [www.acme.example.org, \"{host}\"]");
        let text = example.replacen("hosts: [www.acme.example.org]", &bad, 1);
        assert_ne!(text, example);
        fs::write(sandbox.root().join("edge.yaml"), text).expect("a writable file");
        let plan = sandbox.run(&["plan", "--inventory", EDGE]).expect(0);
        let told: Vec<_> = plan.stdout.lines().filter(|line| line.contains("gets no record")).collect();
        table.push_str(&format!("{}\n", told.join("\n")));
        sandbox.reconcile().expect(0);
        assert_eq!(committed(&sandbox), usual, "{host}");
    }
    insta::assert_snapshot!(table, @r##"
    warning HostRefused: Ingress/shop/www: host "a\nb.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "a{b.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "#a.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "a\"b.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "a\'b.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "a b.acme.example.org" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" gets no record: it is longer than 253 bytes
    warning HostWildcard: Ingress/shop/www: host "*.acme.example.org" gets no record: it is a wildcard
    warning HostRefused: Ingress/shop/www: host "bücher.acme.example.org" gets no record: it is not ASCII; write the `xn--` form
    warning HostRefused: Ingress/shop/www: host "192.0.2.1" gets no record: it is an address, not a name
    warning HostRefused: Ingress/shop/www: host "2001:db8::1" gets no record: its labels must be 1 to 63 letters, digits or hyphens, with no hyphen at either end
    warning HostRefused: Ingress/shop/www: host "localhost" gets no record: it has one label only, so it is no public name
    warning HostRefused: Ingress/shop/www: host "" gets no record: it is empty
    "##);
}

#[test]
fn a_host_in_capitals_or_with_a_dot_at_the_end_is_the_same_host() {
    let usual = Sandbox::edge().run(&["render", "--inventory", EDGE]).expect(0);
    for host in ["WWW.Acme.Example.ORG", "www.acme.example.org."] {
        let sandbox = edited("../edge.yaml", "hosts: [www.acme.example.org]", &format!("hosts: [{host}]"));
        sandbox.replace("../edge.yaml", "host: www.acme.example.org", &format!("host: {host}"));
        assert_eq!(sandbox.run(&["render", "--inventory", EDGE]), usual, "{host}");
    }
}

#[test]
fn of_two_ingresses_that_claim_a_host_the_older_one_has_it() {
    let sandbox = edited("../edge.yaml", "hosts: [www.acme.example.org]", "hosts: [api.acme.example.org]");
    let plan = sandbox.run(&["plan", "-o", "json", "--inventory", EDGE]).expect(0).json();
    let hosts = plan["clusters"][0]["layers"][1]["hosts"].as_array().expect("a list").clone();
    let owner = hosts.iter().find(|host| host["host"] == "api.acme.example.org").expect("it is claimed");
    assert_eq!(owner["owner"]["name"], "api");
    assert!(!hosts.iter().any(|host| host["host"] == "www.acme.example.org"), "nobody claims it any more");
}

#[test]
fn without_pins_every_layer_is_held() {
    let sandbox = Sandbox::edge();
    sandbox.reconcile().expect(0);
    sandbox.pull();
    sandbox.git(&["rm", "-q", PINS]);
    sandbox.push("no pins");
    let tip = sandbox.tip();
    let ran = sandbox.reconcile();
    assert_eq!(sandbox.tip(), tip);
    assert_told!(ran, @"
    exit 0
    ── stdout
    No changes.
    ► nothing to commit to main of ROOT/remote.git: what is held stays as it is
    ── stderr
    held: edge host: pins.yaml has no digest for ouroboros-chart, ouroboros-image, cleanup-hook-image (Unpinned)
      help: bobbypin pin update
    held: edge tenant tenant-acme/shop: pins.yaml has no digest for ouroboros-chart, ouroboros-image, cleanup-hook-image (Unpinned)
      help: bobbypin pin update
    held: edge tenant tenant-globex/erp: pins.yaml has no digest for ouroboros-chart, ouroboros-image, cleanup-hook-image (Unpinned)
      help: bobbypin pin update
    ");
}

#[test]
fn a_digest_of_the_wrong_kind_is_refused() {
    let chart = "application/vnd.cncf.helm.config.v1+json";
    assert_told!(refused(&edited(PINS, chart, "application/vnd.oci.image.index.v1+json"), 2), @"
    exit 2
    ── stderr
    error: `ouroboros-chart` needs the digest of a chart; this is the digest of an image index
      --> clusters/edge/pins.yaml:18:16 (spec.pins[1].mediaType)
       |
    18 |     mediaType: application/vnd.oci.image.index.v1+json
       |                ^

    1 problem in 1 file
    ");
    assert_told!(refused(&edited(PINS, "sha256:40fd", "sha512:40fd"), 2), @"
    exit 2
    ── stderr
    error: `sha512:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b` is not a digest: `sha256:` and 64 lower-case hex digits
      --> clusters/edge/pins.yaml:17:13 (spec.pins[1].digest)
       |
    17 |     digest: sha512:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b
       |             ^

    1 problem in 1 file
    ");
}

#[test]
fn a_template_that_does_not_end_is_refused() {
    let endless = "{% for a in range(end=1000000000) %}{{ a }}{% endfor %}";
    assert_told!(refused(&with(OVERLAY, endless), 3), @"
    exit 3
    ── stderr
    error: cannot decide what to commit
      because: cannot use the templates in `clusters/edge/templates`
      because: the templates cannot be used:

    error: templates call no functions, so there is no `range`
     --> host/overlay/package.yaml.tera:1:13
      |
    1 | {% for a in range(end=1000000000) %}{{ a }}{% endfor %}
      |             ^
    ");
    let own = "{% include \"host/overlay/package.yaml.tera\" %}";
    assert_told!(refused(&with(OVERLAY, own), 3), @r#"
    exit 3
    ── stderr
    error: cannot decide what to commit
      because: cannot use the templates in `clusters/edge/templates`
      because: the templates cannot be used:

    Circular include detected for template 'host/overlay/package.yaml.tera'. Include chain: `["host/overlay/package.yaml.tera", "host/overlay/package.yaml.tera"]`
    "#);
}

#[test]
fn a_template_that_misses_a_variable_is_refused() {
    assert_told!(refused(&with(OVERLAY, "kind: {{ nothing.here }}\n"), 3), @"
    exit 3
    ── stderr
    error: cannot decide what to commit
      because: cannot render
      because: cannot render `host/overlay/package.yaml.tera`
      because: error: Variable `nothing` is not defined. Available variables: name, values
     --> host/overlay/package.yaml.tera:1:10
      |
    1 | kind: {{ nothing.here }}
      |          ^^^^^^^
    ");
}

#[test]
fn a_template_cannot_print_a_value_without_quotes() {
    assert_told!(refused(&with(OVERLAY, "kind: {{ name | safe }}\n"), 3), @"
    exit 3
    ── stderr
    error: cannot decide what to commit
      because: cannot use the templates in `clusters/edge/templates`
      because: the templates cannot be used:

    error: templates have no filter `safe`: print a value as it is, and a map or list by `yaml(indent=N)`
     --> host/overlay/package.yaml.tera:1:17
      |
    1 | kind: {{ name | safe }}
      |                 ^
    ");
}

#[test]
fn a_template_that_says_something_else_than_was_meant_is_refused() {
    let text = fs::read_to_string(project().join("templates/host/overlay/package.yaml.tera")).expect("it is there");
    assert_told!(refused(&with(OVERLAY, text.replace("prune: disabled", "prune: enabled")), 3), @r#"
    exit 3
    ── stderr
    error: cannot decide what to commit
      because: the rendered manifests have problems
      clusters/edge/manifests/host/overlay.yaml, document 1, /metadata: there is `{"name":"cozystack.ouroboros","annotations":{"kustomize.toolkit.fluxcd.io/prune":"enabled"}}`; `{"name":"cozystack.ouroboros","annotations":{"kustomize.toolkit.fluxcd.io/prune":"disabled"}}` was meant
        help: the template must shape what it is given and change nothing; compare it with the embedded one
    "#);
}

#[test]
fn a_template_that_replaces_nothing_is_refused() {
    let ran = refused(&with("clusters/edge/templates/nothing.tera", ""), 3);
    let head: Vec<_> = ran.stderr.lines().take(4).collect();
    insta::assert_snapshot!(head.join("\n"), @"
    error: cannot decide what to commit
      because: cannot use the templates in `clusters/edge/templates`
      because: the templates cannot be used:
    ");
}

#[test]
fn a_cluster_in_two_folders_is_refused() {
    let sandbox = Sandbox::edge();
    let text = sandbox.read(CLUSTER);
    sandbox.write("clusters/edge/bobbypin/cluster.yaml", text);
    assert_told!(refused(&sandbox, 2), @"
    exit 2
    ── stderr
    error: the cluster `edge` is described a second time in `clusters/edge/cluster.yaml`
     --> clusters/edge/bobbypin/cluster.yaml
      = help: remove one of the two folders

    1 problem in 1 file
    ");
}

#[test]
fn an_inventory_that_cannot_be_read_or_means_no_cluster_here_is_refused() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["plan", "--inventory", "nothing.yaml"]), @"
    exit 2
    ── stderr
    error: cannot read `nothing.yaml`
      because: No such file or directory (os error 2)
    ");
    assert_told!(sandbox.run(&["plan", "--inventory", ".."]), @"
    exit 2
    ── stderr
    error: cannot read `..`
      because: Is a directory (os error 21)
    ");
    sandbox.replace("../edge.yaml", "  name: edge\n", "  name: other\n");
    assert_told!(sandbox.run(&["plan", "--inventory", EDGE]), @"
    exit 2
    ── stderr
    error: this is the inventory of a cluster `other`, which the repository does not have
     --> ../edge.yaml
      = help: the clusters are: edge

    1 problem in 1 file
    ");
}
