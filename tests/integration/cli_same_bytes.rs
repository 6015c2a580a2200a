//! The same inputs give the same bytes, in whatever order they come and by however many threads.
#![expect(clippy::disallowed_methods, reason = "these tests prepare files")]

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::cli::{Sandbox, copy, project};

/// Two clusters, with an inventory for each.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::edge();
    copy(&project().join("clusters/plain"), &sandbox.path("clusters/plain"));
    let inventory = project().join("examples/inventory/plain.yaml");
    fs::copy(inventory, sandbox.root().join("plain.yaml")).expect("a copy");
    sandbox.push("a second cluster");
    sandbox
}

/// Brings every list of objects into another order.
fn shuffle(value: &mut Value, by: usize) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                shuffle(value, by);
                if let ("items" | "tenantClusters", Value::Array(items)) = (key.as_str(), value) {
                    items.reverse();
                    let middle = by % items.len().max(1);
                    items.rotate_left(middle);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shuffle(item, by)),
        _ => (),
    }
}

#[test]
fn twenty_runs_render_the_same_bytes_whatever_the_order_and_the_threads() {
    let sandbox = sandbox();
    let mut seen = BTreeSet::new();
    for turn in 0..20 {
        for name in ["edge", "plain"] {
            let text =
                fs::read_to_string(project().join(format!("examples/inventory/{name}.yaml"))).expect("it is there");
            let mut inventory: Value = serde_yaml::from_str(&text).expect("it is YAML");
            if turn > 0 {
                shuffle(&mut inventory, turn);
            }
            sandbox.write(&format!("../{name}.yaml"), inventory.to_string());
        }
        let mut inventories = ["--inventory", "../edge.yaml", "--inventory", "../plain.yaml"];
        if turn % 3 == 1 {
            inventories.swap(1, 3);
        }
        let jobs = if turn % 2 == 0 { "1" } else { "8" };
        let ran = sandbox.run(&[&["render", "--jobs", jobs], &inventories[..]].concat()).expect(0);
        seen.insert((ran.stdout, ran.stderr));
    }
    assert_eq!(seen.len(), 1);
    let (stdout, _) = seen.first().expect("there is one");
    assert_eq!(stdout.matches("kind: ConfigMap").count(), 2, "the tenant's records and the plain cluster's");
}

#[test]
fn twenty_commits_have_the_same_tree_and_plan() {
    let sandbox = sandbox();
    let settings = sandbox.tip();
    let mut seen = BTreeSet::new();
    for turn in 0..20 {
        sandbox.remote_git(&["update-ref", "refs/heads/main", &settings]);
        let jobs = if turn % 2 == 0 { "1" } else { "8" };
        let args = ["reconcile", "-q", "--jobs", jobs, "--inventory", "../edge.yaml", "--inventory", "../plain.yaml"];
        sandbox.run(&args).expect(0);
        seen.insert(sandbox.remote_git(&["log", "-1", "--format=%T%n%B", "main"]));
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
}
