//! `pin reap-check`: what a cleaner would delete, told to people and to programs.
#![expect(clippy::disallowed_methods, reason = "these tests prepare files")]

use std::{fs, io::Write as _, process::Stdio};

use serde_json::json;

use crate::support::cli::{Sandbox, assert_told};

const APP: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cms, namespace: tenant-acme}
spec:
  suspend: true
  values:
    image: {repository: git.example.org/acme/cms, tag: staging}
    job: {image: {repository: git.example.org/acme/job}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: tenant-acme}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: 'git.example.org/acme/nightly:1'}]}}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: tenant-acme}
spec: {template: {spec: {containers: [{name: web, image: 'git.example.org/acme/web:2'}]}}}
";

const LIVE: &str = "apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: web-1, namespace: tenant-acme}
  spec: {containers: [{name: web, image: 'git.example.org/acme/web:1'}]}
  status: {phase: Running}
- apiVersion: v1
  kind: Pod
  metadata: {name: nightly-1, namespace: tenant-acme}
  spec: {containers: [{name: a, image: 'git.example.org/acme/nightly:1'}]}
  status: {phase: Succeeded}
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("apps/cms.yaml", APP);
    sandbox
}

#[test]
fn what_does_not_run_is_deleted_and_everything_that_it_breaks_is_told() {
    let sandbox = sandbox();
    assert_told!(sandbox.run(&["pin", "reap-check"]), @"
    exit 1
    ── stdout
    ✗ image: git.example.org/acme/cms:staging
        breaks HelmRelease/tenant-acme/cms, which is suspended (apps/cms.yaml:7:56)
    ✗ image: git.example.org/acme/nightly:1
        breaks CronJob/tenant-acme/nightly, which runs on a schedule (apps/cms.yaml:13:77)
    2 of 3 references would be deleted; 2 of them would break something
    help: bobbypin pin export --format gitea-pins --registry git.example.org --owner acme --out FILE
    ── stderr
    not looked at: apps/cms.yaml:8:18: `spec.values.job.image` of HelmRelease/tenant-acme/cms has no tag, so something else chooses one
    ");
    sandbox.write("pins.txt", "container/cms==staging\ncontainer/nightly==1\n");
    assert_told!(sandbox.run(&["pin", "reap-check", "--pins-file", "pins.txt", "--owner", "acme", "--quiet"]), @"
    exit 0
    ── stdout
    0 of 3 references would be deleted; 0 of them would break something
    ");
    sandbox.run(&["pin", "reap-check", "--pins-file", "pins.txt", "--owner", "others"]).expect(1);
    sandbox.run(&["pin", "reap-check", "--registry", "quay.io"]).expect(0);
}

#[test]
fn what_runs_is_read_from_a_file_or_from_standard_input() {
    let sandbox = sandbox();
    sandbox.write("live.yaml", LIVE);
    let report = sandbox.run(&["pin", "reap-check", "--live", "live.yaml", "-o", "json"]).expect(1).json();
    let reaped: Vec<_> = report["reaped"].as_array().expect("a list").iter().map(|one| &one["reference"]).collect();
    let all = ["git.example.org/acme/cms:staging", "git.example.org/acme/nightly:1", "git.example.org/acme/web:2"];
    assert_eq!(reaped, all);
    assert_eq!(
        report["reaped"][1]["breaks"][0],
        json!({
            "user": "CronJob/tenant-acme/nightly", "usage": "Scheduled", "message": "CronJob/tenant-acme/nightly runs on a schedule",
            "place": {"path": "apps/cms.yaml", "line": 13, "column": 77, "key": "spec.jobTemplate.spec.template.spec.containers[0].image"},
        })
    );
    assert_eq!((&report["known"], &report["open"][0]["reason"]), (&json!(3), &json!("NoTag")));
    fs::remove_file(sandbox.path("live.yaml")).expect("it is there");
    let mut child = sandbox.command(&["pin", "reap-check", "--live", "-", "-o", "json"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    child.stdin.take().expect("it is piped").write_all(LIVE.as_bytes()).expect("the program reads it");
    let output = child.wait_with_output().expect("the program ends");
    let again: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(again, report);
}
