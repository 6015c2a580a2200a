//! Which hosts leave Git, when, and how many at a time.

use std::collections::BTreeSet;

use bobbypin::plan::ClusterPlan;
use serde_json::{Value, json};

use crate::plan_world::{
    TENANT, TENANT_COREFILE, World, cluster, config_map, ingress, plain, present, proxied, rules, unknown,
};

/// A cluster of no platform whose records stand in Git: `count` hosts of the namespace `web`.
fn web(count: usize) -> World {
    World::generic()
        .with("/host/engine", json!("static"))
        .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
        .showing(count)
}

impl World {
    fn showing(self, count: usize) -> Self {
        self.naming(&names(0..count))
    }

    fn naming(self, hosts: &[String]) -> Self {
        let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
        let ingresses: Vec<_> = hosts.iter().map(|host| ("web", *host, std::slice::from_ref(host))).collect();
        self.seen("/host", cluster(&ingresses, Some(TENANT_COREFILE)))
    }

    fn count(&self) -> usize {
        self.records("host").len()
    }
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("h{index:02}.example.net")).collect()
}

fn refusal(world: &World) -> Option<(usize, usize, usize)> {
    let decided = world.decided();
    let ClusterPlan { refusal, .. } = &decided.plans[0];
    refusal.as_ref().map(|refusal| (refusal.missing.len(), refusal.committed, refusal.allowed))
}

#[test]
fn a_host_goes_when_two_inventories_far_enough_apart_lack_it() {
    let ten = web(10).commit();
    assert_eq!(ten.count(), 10);
    let nine = ten.later(60).showing(9).commit();
    assert_eq!(nine.count(), 10, "the first inventory that lacks it is not enough");
    for minutes in [0, 1, 9] {
        assert_eq!(nine.clone().later(minutes).commit().count(), 10, "{minutes}");
        assert!(nine.clone().later(minutes).decided().changes.is_empty(), "{minutes}");
    }
    assert_eq!(nine.clone().later(10).commit().count(), 9);
    assert!(nine.clone().later(10).commit().decided().changes.is_empty());
    assert!(nine.clone().later(10).commit().tree.file("clusters/edge/state.yaml").is_none(), "nothing to remember");
    // It comes back, and goes again: the clock begins anew.
    let back = nine.later(5).showing(10).commit();
    assert!(back.tree.file("clusters/edge/state.yaml").is_none());
    let again = back.later(60).showing(9).commit();
    assert_eq!(again.clone().later(9).commit().count(), 10);
    assert_eq!(again.later(10).commit().count(), 9);
}

#[test]
fn a_clock_that_runs_backwards_confirms_nothing() {
    let missing = web(10).commit().later(60).showing(9).commit();
    for minutes in [-1, -60, -600] {
        assert_eq!(missing.clone().later(minutes).commit().count(), 10, "{minutes}");
    }
}

#[test]
fn an_inventory_that_does_not_say_whose_it_is_confirms_nothing() {
    let web = web(10).with("/access", json!({"uid": "uid-of-edge"})).commit().later(60).showing(9).commit();
    for uid in [Value::Null, json!({"state": "Absent"}), unknown()] {
        assert_eq!(web.clone().later(60).seen("/uid", uid.clone()).commit().count(), 10, "{uid}");
    }
    assert_eq!(web.later(60).commit().count(), 9);
}

#[test]
fn at_most_the_larger_of_number_and_share_goes_unasked() {
    for (max, share, committed, left, expected) in [
        (5, "20%", 10, 5, None),
        (5, "20%", 10, 4, Some((6, 10, 5))),
        (5, "20%", 40, 32, None),
        (5, "20%", 40, 31, Some((9, 40, 8))),
        (0, "0%", 10, 9, Some((1, 10, 0))),
        (0, "100%", 10, 1, None),
        (100, "0%", 10, 1, None),
        // Nothing at all where there was something is refused whatever the numbers say.
        (100, "100%", 10, 0, Some((10, 10, 100))),
        (100, "100%", 1, 0, Some((1, 1, 100))),
    ] {
        let world = web(committed).with("/removal", json!({"max": max, "maxShare": share})).commit().later(60);
        assert_eq!(refusal(&world.showing(left)), expected, "{max} {share} {committed} {left}");
    }
}

#[test]
fn a_refusal_holds_the_layer_and_is_accepted_by_its_own_hash_only() {
    let four = web(10).commit().later(60).showing(4);
    assert_eq!(four.host(), "Hold RemovalsNotAccepted Guard");
    assert!(four.decided().changes.is_empty(), "not even the memory changes");
    let hash = |world: &World| world.decided().plans[0].refusal.as_ref().map(|refusal| refusal.accept.clone());
    let accepted = World { accept: hash(&four), ..four.clone() };
    assert_eq!(accepted.host(), "Deliver ProxyProtocolOn helmRelease");
    assert_eq!(accepted.commit().count(), 4, "what was accepted goes at once");
    // The same hash is no leave to remove anything else, and none is needed for less.
    for other in [four.clone().showing(3), four.clone().naming(&names(1..5))] {
        let stale = World { accept: hash(&four), ..other };
        assert_eq!(stale.host(), "Hold RemovalsNotAccepted Guard");
    }
    let fewer = World { accept: hash(&four), ..four.clone().showing(8) };
    assert_eq!(fewer.commit().count(), 10);
}

#[test]
fn layers_that_lose_nothing_are_served_while_another_one_is_refused() {
    let world = World::cozystack("v1.6.2")
        .with("/hostnames", json!({"delegations": [{"namespaces": ["tenant-acme"], "suffixes": ["example.net"]}]}))
        .with("/removal", json!({"max": 0, "maxShare": "0%"}));
    let entry = json!({"engine": "static", "delivery": "remoteHelmRelease"});
    let two = world.tenant(entry, proxied(), &["a.example.net", "b.example.net"]).commit();
    assert_eq!(two.records(TENANT).len(), 2);
    let one = two.later(60).shown(proxied(), &["a.example.net"]).with("/host/enabled", json!(false));
    assert_eq!(one.tenant_line(), "Hold RemovalsNotAccepted Guard");
    assert_eq!(one.host(), "Remove Disabled -Overlay");
    let committed = one.commit();
    assert_eq!(committed.records(TENANT).len(), 2);
    assert!(!committed.committed("host/overlay.yaml").expect("it is emptied first").contains("components"));
}

#[test]
fn what_cannot_be_read_removes_nothing() {
    let ten = web(10).commit().later(600);
    for (pointer, value) in [
        ("/host/ingresses", unknown()),
        ("/host/dnsConfigMaps", unknown()),
        ("/host", Value::Null),
        ("/host/ingresses", json!({"state": "Absent"})),
    ] {
        let blind = ten.clone().seen(pointer, value.clone());
        assert_eq!(blind.commit().tree, ten.tree, "{pointer} {value}");
    }
}

#[test]
fn a_revoked_name_goes_at_once_and_a_name_that_another_claims_does_not() {
    let ten = web(10).commit().later(60);
    for (pointer, value, left) in [
        ("/hostnames/reserved", json!(["h03.example.net"]), 9),
        ("/hostnames/delegations/0/suffixes", json!(["h03.example.net"]), 1),
        ("/ingress/clusterDomain", json!("h03.example.net"), 9),
    ] {
        // The Corefile serves the cluster's domain, whatever it is.
        let corefile = TENANT_COREFILE.replace("cluster.local", "cluster.local h03.example.net");
        let world =
            ten.clone().seen("/host/dnsConfigMaps", present(json!([config_map("coredns", "Corefile", &corefile)])));
        assert_eq!(world.with(pointer, value).commit().count(), left, "{pointer}");
    }
    // A namespace without the right to it claims the name just when its owner's Ingress is not seen.
    let mut thief = ten.clone().showing(9);
    let items = thief.inventory.pointer_mut("/host/ingresses/items").and_then(Value::as_array_mut).expect("a list");
    items.push(ingress("tenant-evil", "x", "tenant-root", &["h09.example.net"]));
    assert_eq!(thief.host(), "Deliver ProxyProtocolOn helmRelease");
    let kept = thief.commit();
    assert!(rules(&kept.decided()).contains(&"HostNotDelegated"));
    assert_eq!(kept.count(), 10);
    assert_eq!(kept.later(10).commit().count(), 9);
}

#[test]
fn over_quota_the_committed_hosts_stay_and_new_ones_wait() {
    let quota =
        |world: World, number: usize| world.with("/hostnames/quota", json!({"perNamespace": number, "total": 100}));
    let five = quota(web(5), 5).commit();
    let more = five.later(1).naming(&names(0..8)).commit();
    assert_eq!(more.records("host"), names(0..5).into_iter().collect::<BTreeSet<_>>());
    assert!(rules(&more.decided()).contains(&"HostQuotaExceeded"));
    assert_eq!(quota(more.clone(), 2).commit().count(), 5, "a smaller quota takes nothing away");
    assert_eq!(quota(more, 8).commit().count(), 8);
}

#[test]
fn a_tenant_that_is_gone_keeps_its_files_until_that_is_confirmed() {
    let entry = json!({"delivery": "remoteHelmRelease"});
    let other = json!({"apiVersion": "apps.cozystack.io/v1alpha1", "kind": "Kubernetes", "metadata": {"namespace": "tenant-b", "name": "x"}, "spec": {"addons": plain()}});
    let delivered = World::cozystack("v1.6.2").tenant(entry, proxied(), &[]).commit();
    let gone = delivered.clone().later(60).seen("/tenants", present(json!([other])));
    assert_eq!(gone.tenant_line(), "Hold TenantGoneUnconfirmed");
    let gone = gone.commit();
    assert_eq!(gone.files(TENANT), delivered.files(TENANT));
    for minutes in [0, 9] {
        let waiting = gone.clone().later(minutes);
        assert_eq!(waiting.tenant_line(), "Hold TenantGoneUnconfirmed");
        assert!(waiting.decided().changes.is_empty(), "{minutes}");
    }
    let confirmed = gone.clone().later(10);
    assert_eq!(confirmed.tenant_line(), "Remove TenantGone");
    let confirmed = confirmed.commit();
    assert_eq!(confirmed.files(TENANT), [""; 0]);
    assert!(confirmed.decided().changes.is_empty());
    assert!(confirmed.tree.file("clusters/edge/state.yaml").is_none(), "nothing to remember");
    // It comes back in time: nothing happened.
    let back = gone.clone().later(5).shown(proxied(), &[]).commit();
    assert_eq!(back.tree, delivered.tree);
    // Nobody knows whether it is there: the clock stops, and does not begin anew.
    let blind = gone.later(5).seen("/tenants", unknown());
    assert_eq!(blind.tenant_line(), "Hold NotObserved NotObserved");
    assert_eq!(blind.commit().later(5).seen("/tenants", present(json!([other]))).tenant_line(), "Remove TenantGone");
    // Not one tenant left is too much to believe.
    let none = delivered.later(60).seen("/tenants", present(json!([])));
    assert_eq!(none.tenant_line(), "Hold RemovalsNotAccepted Guard");
    let hash = none.decided().plans[0].refusal.as_ref().map(|refusal| refusal.accept.clone());
    assert_eq!(World { accept: hash, ..none }.commit().files(TENANT), [""; 0]);
}

#[test]
fn a_tenant_that_is_gone_keeps_a_component_that_a_kustomization_names() {
    let list = |text: &str| format!("components: [{text}]\n");
    let named = "../clusters/edge/manifests/tenants/tenant-acme/shop/addon";
    let other = json!({"apiVersion": "apps.cozystack.io/v1alpha1", "kind": "Kubernetes", "metadata": {"namespace": "tenant-b", "name": "x"}, "spec": {"addons": plain()}});
    let gone = World::cozystack("v1.6.2")
        .tenant(json!({}), proxied(), &[])
        .file("apps/kustomization.yaml", &list(named))
        .commit()
        .later(60)
        .seen("/tenants", present(json!([other])))
        .commit()
        .later(10);
    assert_eq!(gone.tenant_line(), "Remove TenantGone -Addon");
    let emptied = gone.commit();
    assert_eq!(emptied.files(TENANT), ["addon/kustomization.yaml", "kustomization.yaml"]);
    assert!(emptied.decided().changes.is_empty());
    let freed = emptied.file("apps/kustomization.yaml", &list(""));
    assert_eq!(freed.tenant_line(), "Remove TenantGone");
    assert_eq!(freed.commit().files(TENANT), [""; 0]);
}
