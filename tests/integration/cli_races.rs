//! Several runs at once: none loses another one's commit, and each tells the truth.

use std::thread;

use crate::support::cli::{EDGE, Ran, Sandbox};

/// Runs all at once and waits for all.
fn together(sandbox: &Sandbox, all: &[Vec<&str>]) -> Vec<Ran> {
    thread::scope(|scope| {
        let runs: Vec<_> = all.iter().map(|args| scope.spawn(|| sandbox.run(args))).collect();
        runs.into_iter().map(|run| run.join().expect("the run ends")).collect()
    })
}

/// Fails the test unless the branch is one line of commits from the settings on.
fn expect_linear(sandbox: &Sandbox, settings: &str, commits: usize) {
    let parents = sandbox.remote_git(&["rev-list", "--parents", &format!("{settings}..main")]);
    assert_eq!(parents.lines().count(), commits, "{parents}");
    assert!(parents.lines().all(|line| line.split(' ').count() == 2), "{parents}");
}

#[test]
fn runs_for_different_clusters_all_land_one_after_the_other() {
    // A run gives up when the branch moved five times, so with five runs each has its turn.
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
    let sandbox = Sandbox::edge();
    for name in NAMES {
        for file in ["cluster.yaml", "pins.yaml", "platform.yaml"] {
            let text = sandbox.read(&format!("clusters/edge/{file}")).replace("name: edge", &format!("name: {name}"));
            sandbox.write(&format!("clusters/{name}/{file}"), text);
        }
        let text = sandbox.read(EDGE).replace("name: edge", &format!("name: {name}"));
        sandbox.write(&format!("../{name}.yaml"), text);
    }
    sandbox.push("five clusters");
    let settings = sandbox.tip();
    let inventories = NAMES.map(|name| format!("../{name}.yaml"));
    let all: Vec<Vec<&str>> = NAMES
        .iter()
        .zip(&inventories)
        .map(|(name, inventory)| vec!["reconcile", "-q", "--cluster", name, "--inventory", inventory])
        .collect();
    for _ in 0..4 {
        sandbox.remote_git(&["update-ref", "refs/heads/main", &settings]);
        for ran in together(&sandbox, &all) {
            assert_eq!(ran.code, Some(0), "{}", ran.told());
            assert!(ran.stdout.contains("✔ committed"), "{}", ran.told());
        }
        expect_linear(&sandbox, &settings, NAMES.len());
        for name in NAMES {
            sandbox.committed(&format!("clusters/{name}/manifests/host/overlay.yaml"));
        }
    }
    sandbox.expect_sound();
}

#[test]
fn of_runs_for_the_same_cluster_one_commit_is_made() {
    let sandbox = Sandbox::edge();
    let settings = sandbox.tip();
    for _ in 0..5 {
        sandbox.remote_git(&["update-ref", "refs/heads/main", &settings]);
        let all = vec![vec!["reconcile", "--inventory", EDGE]; 3];
        let ran = together(&sandbox, &all);
        assert!(ran.iter().all(|ran| ran.code == Some(0)), "{ran:#?}");
        expect_linear(&sandbox, &settings, 1);
        // Runs of the same second make the same commit, so that more than one may have made it.
        let made = format!("✔ committed {} to", &sandbox.tip()[..7]);
        let made = ran.iter().filter(|ran| ran.stdout.contains(&made)).count();
        let idle = ran.iter().filter(|ran| ran.stdout.contains("✔ nothing to do")).count();
        assert!(made >= 1 && made + idle == ran.len(), "{ran:#?}");
    }
    sandbox.expect_sound();
}

#[test]
fn an_approved_plan_lands_once_however_many_try() {
    let sandbox = Sandbox::edge();
    let settings = sandbox.tip();
    sandbox.run(&["diff", "--plan-out", "../plan.json", "--inventory", EDGE]).expect(1);
    for _ in 0..3 {
        sandbox.remote_git(&["update-ref", "refs/heads/main", &settings]);
        let all = vec![vec!["reconcile", "--plan", "../plan.json", "--inventory", EDGE]; 3];
        let codes: Vec<_> = together(&sandbox, &all).into_iter().map(|ran| ran.code).collect();
        // Runs of the same second make the same commit, so that more than one may have made it.
        assert!(codes.contains(&Some(0)), "{codes:?}");
        assert!(codes.iter().all(|code| [Some(0), Some(8)].contains(code)), "{codes:?}");
        expect_linear(&sandbox, &settings, 1);
    }
}
