//! How a run ends, and that every ending is told in words and in JSON.

use std::{fs, process::Stdio};

use crate::support::cli::{EDGE, Ran, Sandbox, assert_told};

const RECORDS: &str = "clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml";
const RELEASE: &str = "clusters/edge/manifests/tenants/tenant-acme/shop/helm-release.yaml";

/// The worked example with everything committed.
fn settled() -> Sandbox {
    let sandbox = Sandbox::edge();
    sandbox.reconcile().expect(0);
    sandbox.pull();
    sandbox
}

/// The reason that JSON gives.
#[track_caller]
fn reason(ran: Ran) -> String {
    ran.json()["exitReason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_usage_error_is_2_and_json_when_json_was_asked_for() {
    let sandbox = Sandbox::empty();
    assert_told!(sandbox.run(&["plan", "--inventori", "x"]), @"
    exit 2
    ── stderr
    error: unexpected argument '--inventori' found

      tip: a similar argument exists: '--inventory'

    Usage: bobbypin plan --inventory <FILE>

    For more information, try '--help'.
    ");
    assert_told!(sandbox.run(&["plan", "--inventori", "x", "-o", "json"]), @r#"
    exit 2
    ── stdout
    {
      "apiVersion": "bobbypin.dev/v1alpha1",
      "kind": "Error",
      "exitReason": "Configuration",
      "message": "unexpected argument '--inventori' found\n\n  tip: a similar argument exists: '--inventory'\n\nUsage: bobbypin plan --inventory <FILE>\n\nFor more information, try '--help'.",
      "hint": null,
      "problems": []
    }
    "#);
    for json in [&["-ojson"][..], &["--output=json"], &["--output", "json"]] {
        let ran = sandbox.run(&[&["reconcile", "--nonsense"], json].concat()).expect(2);
        assert_eq!((ran.stderr.as_str(), reason(ran.clone())), ("", "Configuration".to_owned()));
    }
    assert_told!(sandbox.run(&["plan", "--cluster", "Not a name"]), @"
    exit 2
    ── stderr
    error: invalid value 'Not a name' for '--cluster <NAME>': `Not a name` is not a Kubernetes name: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit

    For more information, try '--help'.
    ");
    sandbox.run(&[]).expect(2);
}

#[test]
fn outside_of_a_repository_is_6_and_a_repository_without_clusters_is_2() {
    let sandbox = Sandbox::empty();
    assert_told!(sandbox.run(&["-R", "..", "plan"]), @"
    exit 6
    ── stderr
    error: `ROOT/work/..` is not in a Git repository
      help: name a repository with `--repository`, or make one with `git init`
    ");
    assert_told!(sandbox.run(&["plan"]), @"
    exit 2
    ── stderr
    error: cannot read the configuration
      because: there is no `clusters/<name>/cluster.yaml`
      help: bobbypin init NAME
    ");
    assert_told!(sandbox.run(&["-R", "../remote.git", "plan"]), @"
    exit 6
    ── stderr
    error: the repository `ROOT/remote.git/` has no work tree
      help: run in a checkout, or use a command that reads the branch
    ");
    sandbox.run(&["init", "prod"]).expect(0);
    assert_told!(sandbox.run(&["reconcile"]), @"
    exit 2
    ── stderr
    note: the files here differ from the tip of main and are not used: bobbypin.yaml, clusters/prod/cluster.schema.json, clusters/prod/cluster.yaml, clusters/prod/kustomization.yaml, clusters/prod/pins.yaml, clusters/prod/platform.yaml
      help: commit and push them first
    error: cannot decide what to commit
      because: cannot read the configuration
      because: there is no `clusters/<name>/cluster.yaml`
      help: commit and push the files of a cluster; to write them: bobbypin init NAME
    ");
    assert_told!(Sandbox::edge().run(&["plan", "--cluster", "egde"]), @"
    exit 2
    ── stderr
    error: cannot read the configuration
      because: there is no cluster egde
      help: the clusters are: edge
    ");
}

#[test]
fn an_unreadable_tenant_is_4_and_the_rest_is_served() {
    let sandbox = Sandbox::edge();
    let text = sandbox.read("../edge.yaml");
    let (before, tenant) = text.rsplit_once("  ingresses:\n    state: Present\n").expect("the tenant has Ingresses");
    let (_, after) = tenant.split_once("  dnsConfigMaps:").expect("and DNS");
    let unread = "  ingresses:\n    state: Unknown\n    reason: Timeout\n    message: no answer in 30s\n";
    sandbox.write("../edge.yaml", format!("{before}{unread}  dnsConfigMaps:{after}"));
    let ran = sandbox.reconcile();
    assert_eq!(sandbox.commits(), 2);
    assert_told!(Ran { stdout: String::new(), ..ran }, @"
    exit 4
    ── stderr
    unread: edge: tenant tenant-acme/shop ingresses (Timeout): no answer in 30s
    held: edge tenant tenant-acme/shop: ingresses could not be read: no answer in 30s (Timeout) (NotObserved)
    ");
    assert_eq!(reason(sandbox.run(&["reconcile", "-o", "json", "--inventory", EDGE]).expect(4)), "NotObserved");
    sandbox.run(&["diff", "--against", "remote", "--inventory", EDGE]).expect(4);
}

#[test]
fn a_mass_removal_is_7_until_its_hash_is_given() {
    let sandbox = settled();
    let text = sandbox.read("../edge.yaml");
    let at = text
        .find("    - apiVersion: networking.k8s.io/v1\n      kind: Ingress\n      metadata:\n        name: assets")
        .expect("it is there");
    let end = text.rfind("  dnsConfigMaps:").expect("it is there");
    let later = text.replace("2026-11-20T10:00:00Z", "2026-11-20T10:15:00Z");
    sandbox.write("../edge.yaml", format!("{}{}", &later[..at], &later[end..]));
    let tip = sandbox.tip();
    let ran = sandbox.reconcile().expect(7);
    assert_eq!(sandbox.tip(), tip);
    let plan = sandbox.run(&["plan", "-o", "json", "--inventory", EDGE]).expect(7).json();
    let hash = plan["clusters"][0]["refusal"]["accept"].as_str().expect("a hash").to_owned();
    assert!(ran.stderr.contains(&format!("--accept-removals {hash}")), "{}", ran.told());
    assert_told!(ran, @"
    exit 7
    ── stdout
    No changes.
    ► nothing to commit to main of ROOT/remote.git: what is held stays as it is
    ── stderr
    held: edge tenant tenant-acme/shop: 7 of 8 committed hosts are missing from the inventory, and at most 5 may go without being asked (RemovalsNotAccepted)
      help: if they are really gone: bobbypin reconcile --accept-removals DIGEST
    ");
    let wrong = format!("sha256:{}", "0".repeat(64));
    sandbox.run(&["reconcile", "--inventory", EDGE, "--accept-removals", &wrong]).expect(7);
    assert_eq!(sandbox.tip(), tip);
    sandbox.run(&["reconcile", "--inventory", EDGE, "--accept-removals", &hash]).expect(0);
    assert_eq!(sandbox.committed(RECORDS).matches("rewrite name").count(), 1);
}

#[test]
fn a_hand_edit_is_named_before_it_is_overwritten_and_in_the_commit() {
    let sandbox = settled();
    sandbox.replace(RECORDS, "rewrite name cart.", "rewrite name tart.");
    sandbox.push("a hand edit");
    let edit = sandbox.tip();
    let dry = sandbox.run(&["reconcile", "--dry-run", "--inventory", EDGE]).expect(0);
    let ran = sandbox.reconcile().expect(0);
    assert_eq!(dry.stderr, ran.stderr);
    assert_told!(ran, @r#"
    exit 0
    ── stdout
    edge
      whole cluster
        ► file clusters/edge/state.yaml created

      tenant tenant-acme/shop
        ► ConfigMap/kube-system/coredns-custom configured (in the tenant cluster)

          data["bobbypin.override"]
          ± lines change (+2 −1)
            rewrite name assets.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name blog.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
          - rewrite name tart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
          + rewrite name cart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name checkout.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name search.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name status.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
          + rewrite name tart.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.
            rewrite name www.acme.example.org ouroboros-proxy.cozy-ouroboros.svc.cluster.local.

    0 created, 1 configured, 0 deleted, 3 unchanged; 2 files to commit
    ✔ committed SHORT to main of ROOT/remote.git
    ── stderr
    warning: clusters/edge/manifests/tenants/tenant-acme/shop/cluster/coredns-custom.yaml was edited by hand in SHORT by A person; the edit is overwritten
    "#);
    let message = sandbox.remote_git(&["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains(&format!("\nOverwrites edits by hand:\n- {RECORDS} (edited in {})\n", &edit[..7])),
        "{message}"
    );
    assert!(sandbox.committed(RECORDS).contains("rewrite name cart."));
}

#[test]
fn what_init_wrote_and_a_person_committed_is_no_hand_edit() {
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "prod", "--platform", "generic"]).expect(0);
    sandbox.push("what init wrote");
    let ran = sandbox.run(&["reconcile"]);
    assert!(!ran.stderr.contains("edited by hand"), "{}", ran.told());
    assert!(!sandbox.remote_git(&["log", "--format=%B", "main"]).contains("edits by hand"));
}

#[test]
fn a_file_that_goes_back_and_forth_is_7() {
    let sandbox = settled();
    for _ in 0..2 {
        sandbox.pull();
        sandbox.replace(RELEASE, "interval: ", "interval: 1");
        sandbox.push("somebody insists");
        let tip = sandbox.tip();
        let ran = sandbox.reconcile();
        if ran.code == Some(0) {
            continue;
        }
        assert_eq!(sandbox.tip(), tip, "nothing was written");
        assert_told!(Ran { stdout: String::new(), ..ran }, @"
        exit 7
        ── stderr
        warning: clusters/edge/manifests/tenants/tenant-acme/shop/helm-release.yaml was edited by hand in SHORT by A person; the edit is overwritten
        error: a file goes in a circle: clusters/edge/manifests/tenants/tenant-acme/shop/helm-release.yaml: SHORT by bobbypin brought what is wanted, SHORT by A person took it back
          help: find out who writes the other content; to settle it by hand: bobbypin render --write, then commit
        ");
        assert_eq!(reason(sandbox.run(&["reconcile", "-o", "json", "--inventory", EDGE]).expect(7)), "Guard");
        // What the help says settles it.
        sandbox.run(&["render", "--write", "--inventory", EDGE]).expect(0);
        sandbox.push("as bobbypin wants it");
        assert!(sandbox.reconcile().expect(0).stdout.contains("nothing to do"));
        return;
    }
    panic!("the loop was not seen");
}

#[test]
fn an_approved_plan_is_committed_and_any_other_is_8() {
    let sandbox = Sandbox::edge();
    let approve = || sandbox.run(&["diff", "--against", "remote", "--plan-out", "../plan.json", "--inventory", EDGE]);
    let commit = || sandbox.run(&["reconcile", "--plan", "../plan.json", "--inventory", EDGE]);

    approve().expect(1);
    sandbox.replace("clusters/edge/kustomization.yaml", "# What", "# That which");
    sandbox.push("the base moves");
    let tip = sandbox.tip();
    assert_told!(Ran { stdout: String::new(), ..commit() }, @r#"
    exit 8
    ── stderr
    error: this is not the plan that was approved: /base was "COMMIT" and is "COMMIT"
      help: look at the new plan: bobbypin diff --plan-out plan.json
    "#);

    approve().expect(1);
    let example = sandbox.read("../edge.yaml");
    sandbox.write("../edge.yaml", example.replace("cart.acme", "tart.acme"));
    assert_told!(Ran { stdout: String::new(), ..commit() }, @r#"
    exit 8
    ── stderr
    error: this is not the plan that was approved: /clusters/0/layers/1/hosts/3/host was "cart.acme.example.org" and is "checkout.acme.example.org"; /clusters/0/layers/1/hosts/3/owner/name was "cart" and is "checkout"; /clusters/0/layers/1/hosts/4/host was "checkout.acme.example.org" and is "search.acme.example.org"; /clusters/0/layers/1/hosts/4/owner/name was "checkout" and is "search"; /clusters/0/layers/1/hosts/5/host was "search.acme.example.org" and is "status.acme.example.org"; /clusters/0/layers/1/hosts/5/owner/name was "search" and is "status"; /clusters/0/layers/1/hosts/6/host was "status.acme.example.org" and is "tart.acme.example.org"; /clusters/0/layers/1/hosts/6/owner/name was "status" and is "cart"; /digest was "DIGEST" and is "DIGEST"
      help: look at the new plan: bobbypin diff --plan-out plan.json
    "#);
    let json = sandbox.run(&["reconcile", "-o", "json", "--plan", "../plan.json", "--inventory", EDGE]).expect(8);
    assert_eq!((json.stderr.as_str(), reason(json.clone())), ("", "PlanMoved".to_owned()));
    assert_eq!(sandbox.tip(), tip, "nothing was written");

    sandbox.write("../edge.yaml", example);
    commit().expect(0);
    assert_eq!(sandbox.commits(), 3);
    commit().expect(8);

    sandbox.write("../plan.json", "{}");
    assert_told!(commit(), @"
    exit 2
    ── stderr
    error: `ROOT/work/../plan.json` is not a plan: its kind is null
    ");
    sandbox.write("../plan.json", "no");
    assert_told!(commit(), @"
    exit 2
    ── stderr
    error: `ROOT/work/../plan.json` is not a plan: expected ident at line 1 column 2
    ");
}

#[test]
fn a_branch_that_does_not_exist_is_6() {
    let sandbox = Sandbox::edge();
    sandbox.write(
        "bobbypin.yaml",
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n    branch: prod\n",
    );
    sandbox.push("another branch");
    assert_told!(sandbox.reconcile(), @"
    exit 6
    ── stderr
    error: the repository has no branch `prod`
      help: set `spec.publish.branch` to one of those that exist: main
    ");
    assert_eq!(reason(sandbox.run(&["reconcile", "-o", "json", "--inventory", EDGE]).expect(6)), "Git");
}

#[test]
fn a_remote_over_the_network_or_nowhere_is_6() {
    let sandbox = Sandbox::edge();
    assert_told!(sandbox.run(&["reconcile", "--remote", "http://u:secret@127.0.0.1:1/x.git"]), @"
    exit 6
    ── stderr
    error: cannot use the repository `http://127.0.0.1:1/x.git`
      because: no answer from http://127.0.0.1:1
      because: it cannot be reached: Connection refused (os error 111)
      help: check the address, the name's record in DNS, and HTTPS_PROXY and NO_PROXY
    ");
    assert_told!(sandbox.run(&["reconcile", "--remote", "../nowhere.git"]), @"
    exit 6
    ── stderr
    error: `ROOT/work/../nowhere.git` is not in a Git repository
      help: name a repository with `--repository`, or make one with `git init`
    ");
}

#[test]
fn a_remote_publishes_to_the_branch_that_it_has_checked_out() {
    let sandbox = Sandbox::edge();
    sandbox.remote_git(&["branch", "-m", "main", "trunk"]);
    let ran = sandbox.run(&["reconcile", "--remote", "../remote.git", "--inventory", EDGE]).expect(0);
    assert!(ran.stdout.contains(" to trunk of "), "{}", ran.told());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::edge();
    let mut child = sandbox
        .command(&["render", "--inventory", EDGE])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let sandbox = Sandbox::edge();
    let output = sandbox.command(&["render", "--inventory", EDGE]).stdout(full).output().expect("it ends");
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_told!(Ran { code: output.status.code(), stdout: String::new(), stderr }, @"
    exit 2
    ── stderr
    error: cannot write the result to standard output
      because: No space left on device (os error 28)
    ");
}
