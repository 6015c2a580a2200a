//! Things that Flux would leave behind go in two commits, and only when they were seen gone.

use serde_json::{Value, json};

use crate::plan_world::{
    FOLDER, TENANT, TENANT_COREFILE, World, cluster, config_map, helm_release, package, present, proxied, unknown,
};

const KEY: &str = "bobbypin.override";

/// The host's overlay, applied, and then switched off.
fn overlay() -> World {
    World::cozystack("v1.6.2").commit().with("/host/enabled", json!(false)).later(60).seen("/packages", live(true))
}

fn live(has_our_leaves: bool) -> Value {
    let mut values =
        json!({"proxy": {"target": {"namespace": "tenant-root", "serviceName": "root-ingress-controller"}}});
    if has_our_leaves {
        values["controller"] = json!({"ingressClass": "tenant-root"});
    }
    let spec = json!({"variant": "default", "components": {"ouroboros": {"values": {"ouroboros": values}}}});
    present(json!([package("cozystack.ouroboros", spec)]))
}

fn maps(key: Option<&str>) -> Value {
    let mut items = vec![config_map("coredns", "Corefile", TENANT_COREFILE)];
    items.extend(key.map(|key| config_map("coredns-custom", key, "x")));
    present(json!(items))
}

#[test]
fn an_overlay_is_emptied_and_dropped_when_the_package_was_seen_without_it() {
    let emptied = overlay();
    assert_eq!(emptied.host(), "Remove Disabled -Overlay");
    let emptied = emptied.commit();
    let text = emptied.committed("host/overlay.yaml").expect("it is still declared");
    assert!(!text.contains("spec") && text.contains("prune: disabled"), "{text}");
    for (minutes, packages, expected) in [
        // The inventory by which it was emptied proves nothing, whatever it shows.
        (0, live(false), "Remove Disabled -Overlay"),
        (5, live(true), "Remove Disabled -Overlay"),
        (5, Value::Null, "Remove Disabled -Overlay"),
        (5, live(false), "Remove Disabled"),
        (5, present(json!([])), "Remove Disabled"),
        (5, json!({"state": "Absent"}), "Remove Disabled"),
    ] {
        let world = emptied.clone().later(minutes).seen("/packages", packages.clone());
        assert_eq!(world.host(), expected, "{minutes} {packages}");
        let gone = !expected.contains('-');
        assert_eq!(world.decided().changes.is_empty(), !gone, "{minutes} {packages}");
        assert_eq!(world.commit().files("host").is_empty(), gone, "{minutes} {packages}");
    }
    let unread = emptied.clone().later(5).seen("/packages", unknown());
    assert_eq!((unread.host().as_str(), unread.decided().changes.is_empty()), ("Hold NotObserved NotObserved", true));
    let again = emptied.with("/host/enabled", json!("auto"));
    assert_eq!(again.host(), "Deliver ProxyProtocolOn overlay");
    assert!(again.clone().commit().tree.file("clusters/edge/state.yaml").is_none());
    // Switched off once more: the old proof does not count.
    let off = again.commit().with("/host/enabled", json!(false)).later(60).seen("/packages", live(false));
    assert_eq!(off.host(), "Remove Disabled -Overlay");
}

#[test]
fn the_records_of_the_host_go_in_two_steps() {
    let on = World::generic()
        .with("/host/engine", json!("static"))
        .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
        .seen("/host", cluster(&[("web", "a", &["a.example.net"])], Some(TENANT_COREFILE)))
        .commit()
        .later(60);
    // With the controller as the new writer the records stay until it answers; here it does, since long enough.
    let answered = {
        let corefile = TENANT_COREFILE.replace(
            "    reload",
            "    # === BEGIN ouroboros (do not edit by hand) ===\n    rewrite name a.example.net x.\n    # === END ouroboros ===\n    reload",
        );
        let seen = |world: World| {
            let maps = json!([config_map("coredns", "Corefile", &corefile), config_map("coredns-custom", KEY, "x")]);
            world.seen("/host/dnsConfigMaps", present(maps))
        };
        let on = on.clone().with("/host/engine", json!("ouroboros"));
        assert_eq!(on.host(), "Deliver ProxyProtocolOn helmRelease");
        seen(seen(on.commit()).commit().later(60))
    };
    for (change, off) in [
        ("disabled", on.with("/host/enabled", json!(false)).seen("/host/dnsConfigMaps", maps(Some(KEY)))),
        ("by the controller", answered),
    ] {
        assert!(off.host().ends_with(" -HostRecords"), "{}", off.host());
        let emptied = off.commit();
        assert!(emptied.records("host").is_empty());
        assert!(emptied.committed("host/helm-release.yaml").is_some(), "the proxy stays until nobody is sent to it");
        for (minutes, seen, gone) in [
            (0, maps(None), false),
            (5, maps(Some(KEY)), false),
            (5, Value::Null, false),
            (5, json!({"state": "Absent"}), false),
            (5, maps(Some("ouroboros.override")), true),
            (5, maps(None), true),
        ] {
            let world = emptied.clone().later(minutes).seen("/host/dnsConfigMaps", seen.clone()).settled();
            assert_eq!(!world.host().contains('-'), gone, "{change:?} {minutes} {seen}");
            assert_eq!(
                world.commit().committed("host/coredns-custom.yaml").is_none(),
                gone,
                "{change:?} {minutes} {seen}"
            );
        }
    }
}

#[test]
fn the_proxy_stays_until_no_coredns_has_the_records_in_use_any_more() {
    let live = |world: World, key| world.seen("/host/dnsConfigMaps", maps(key));
    let on = World::generic()
        .with("/host/engine", json!("static"))
        .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
        .seen("/host", cluster(&[("web", "a", &["a.example.net"])], Some(TENANT_COREFILE)))
        .commit();
    let emptied = live(on.later(60).with("/host/enabled", json!(false)), Some(KEY)).commit();
    // Flux takes its time. The first inventory without the key is the one that counts.
    let gone = live(emptied.later(20), None).commit();
    let state =
        |world: &World| String::from_utf8(world.tree.file("clusters/edge/state.yaml").unwrap().to_vec()).unwrap();
    assert!(state(&gone).contains("gone: "), "{}", state(&gone));
    for minutes in [0, 1, 4] {
        let waiting = gone.clone().later(minutes);
        assert_eq!(waiting.host(), "Remove Disabled -HostRecords", "{minutes}");
        assert!(waiting.decided().changes.is_empty(), "{minutes}");
    }
    // It comes back, from whomever: the clock begins anew.
    let back = live(gone.clone().later(3), Some(KEY)).commit();
    assert!(!state(&back).contains("gone: "), "{}", state(&back));
    assert_eq!(live(back.later(2), None).commit().later(4).host(), "Remove Disabled -HostRecords");
    let done = gone.later(5);
    assert_eq!(done.host(), "Remove Disabled");
    let done = done.commit();
    assert_eq!(done.files("host"), [""; 0]);
    assert!(done.tree.file("clusters/edge/state.yaml").is_none());
}

#[test]
fn a_tenants_records_go_before_the_proxy_that_they_name() {
    let entry = |delivery: &str| json!({"engine": "static", "delivery": delivery});
    for delivery in ["remoteHelmRelease", "addon", "ownFlux"] {
        let on = World::cozystack("v1.6.2")
            .with("/hostnames", json!({"delegations": [{"namespaces": ["tenant-acme"], "suffixes": ["example.net"]}]}))
            .tenant(entry(delivery), proxied(), &["a.example.net"])
            .file("apps/kustomization.yaml", &format!("components: [../{FOLDER}/manifests/{TENANT}/addon]\n"))
            .commit();
        let off = on
            .later(60)
            .with("/tenants/overrides/0/enabled", json!(false))
            .seen("/tenantClusters/0/dnsConfigMaps", maps(Some(KEY)));
        assert_eq!(off.tenant_line(), "Remove Disabled -TenantRecords", "{delivery}");
        let emptied = off.commit();
        assert_eq!(emptied.records(TENANT).len(), 0);
        let proxy = match delivery {
            "remoteHelmRelease" => "helm-release.yaml",
            "addon" => "addon/kubernetes.yaml",
            _ => "cluster/helm-release.yaml",
        };
        assert!(emptied.files(TENANT).contains(&proxy.to_owned()), "{delivery}: {:?}", emptied.files(TENANT));
        for seen in [Value::Null, maps(Some(KEY))] {
            let world = emptied.clone().later(5).seen("/tenantClusters/0/dnsConfigMaps", seen);
            assert_eq!(world.tenant_line(), "Remove Disabled -TenantRecords", "{delivery}");
        }
        let unread = emptied.clone().later(5).seen("/tenantClusters/0/dnsConfigMaps", unknown());
        assert_eq!(unread.tenant_line(), "Hold NotObserved NotObserved", "{delivery}");
        assert!(unread.decided().changes.is_empty());
        let gone = emptied.later(5).seen("/tenantClusters/0/dnsConfigMaps", maps(None)).settled();
        if delivery != "addon" {
            assert_eq!(gone.tenant_line(), "Remove Disabled", "{delivery}");
            assert_eq!(gone.commit().files(TENANT), [""; 0], "{delivery}");
            continue;
        }
        assert_eq!(gone.tenant_line(), "Remove Disabled -Addon");
        let gone = gone.commit();
        assert!(!gone.files(TENANT).contains(&proxy.to_owned()));
        assert!(gone.decided().changes.is_empty(), "the same inventory again");
        let freed = gone.file("apps/kustomization.yaml", "resources: []\n");
        assert_eq!(freed.clone().later(5).tenant_line(), "Remove Disabled");
        assert_eq!(freed.later(5).commit().files(TENANT), [""; 0]);
    }
}

#[test]
fn a_change_of_engine_or_delivery_empties_first_what_the_new_way_does_not_have() {
    let on = World::cozystack("v1.6.2")
        .with("/hostnames", json!({"delegations": [{"namespaces": ["tenant-acme"], "suffixes": ["example.net"]}]}))
        .tenant(json!({"engine": "static", "delivery": "remoteHelmRelease"}), proxied(), &["a.example.net"])
        .commit()
        .later(60);
    let changed = on.with("/tenants/overrides/0/engine", json!("ouroboros")).commit();
    assert_eq!(changed.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
    assert_eq!(changed.records(TENANT).len(), 1, "they stay until the controller answers");
    let mut custom = config_map("coredns-custom", "ouroboros.override", "rewrite name a.example.net x.\n");
    custom["data"][KEY] = json!("x");
    let both = present(json!([config_map("coredns", "Corefile", TENANT_COREFILE), custom]));
    let changed = changed.later(5).seen("/tenantClusters/0/dnsConfigMaps", both).commit().later(5).commit();
    assert_eq!(changed.tenant_line(), "Remove DeliveryChanged -TenantRecords");
    assert!(changed.decided().changes.is_empty());
    let done = changed.later(5).seen("/tenantClusters/0/dnsConfigMaps", maps(Some("ouroboros.override"))).settled();
    assert_eq!(done.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
    assert_eq!(done.commit().files(TENANT), ["helm-release.yaml", "kustomization.yaml"]);
}

#[test]
fn the_whole_package_takes_the_place_of_the_overlay_and_back() {
    let overlay = World::cozystack("v1.6.2").commit();
    let whole = overlay
        .later(60)
        .with("/host/delivery", json!("package"))
        .platform("/bundles/disabledPackages", json!(["cozystack.ouroboros"]))
        .seen("/packages", live(true));
    assert_eq!(whole.host(), "Deliver ProxyProtocolOn package");
    let whole = whole.commit();
    assert_eq!(whole.files("host"), ["kustomization.yaml", "package.yaml"]);
    let back = whole.with("/host/delivery", json!("auto")).platform("/bundles", Value::Null).commit();
    assert_eq!(back.files("host"), ["kustomization.yaml", "overlay.yaml"]);
    assert!(back.decided().changes.is_empty());
}

#[test]
fn a_release_that_changes_hands_is_gone_before_the_other_one_comes() {
    let ours = || {
        let labels = json!({"app.kubernetes.io/managed-by": "bobbypin"});
        let kube_config = json!({"secretRef": {"name": "kubernetes-shop-admin-kubeconfig"}});
        helm_release("tenant-acme", "kubernetes-shop-ouroboros", "cozy-ouroboros", labels, kube_config)
    };
    let remote = World::cozystack("v1.6.2")
        .tenant(json!({"delivery": "remoteHelmRelease"}), proxied(), &["a.example.net"])
        .commit()
        .later(60)
        .seen("/helmReleases", present(json!([ours()])));
    assert_eq!(remote.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
    for delivery in ["addon", "ownFlux"] {
        let dropped = remote.clone().with("/tenants/overrides/0/delivery", json!(delivery));
        assert_eq!(dropped.tenant_line(), "Remove DeliveryChanged");
        let dropped = dropped.commit();
        assert_eq!(dropped.files(TENANT), [""; 0]);
        // Flux has not yet uninstalled it.
        assert_eq!(dropped.tenant_line(), "Hold FormerReleaseLives");
        assert!(dropped.decided().changes.is_empty(), "the same inventory again");
        assert_eq!(dropped.clone().later(5).tenant_line(), "Hold FormerReleaseLives");
        let gone = dropped.later(5).seen("/helmReleases", present(json!([])));
        assert_eq!(gone.tenant_line(), format!("Deliver ProxyProtocolOn {delivery}"));
    }
}

#[test]
fn records_that_go_as_a_whole_leave_no_single_host_to_be_remembered() {
    let delivered = World::cozystack("v1.6.2")
        .with("/hostnames", json!({"delegations": [{"namespaces": ["tenant-acme"], "suffixes": ["example.net"]}]}))
        .tenant(
            json!({"engine": "static", "delivery": "ownFlux", "proxyProtocol": true}),
            proxied(),
            &["a.example.net", "b.example.net"],
        )
        .commit();
    // The delivery changes in the moment in which a host is gone.
    let changed = delivered
        .later(60)
        .shown(proxied(), &["a.example.net"])
        .with("/tenants/overrides/0/delivery", json!("addon"))
        .commit();
    assert_eq!(changed.tenant_line(), "Remove DeliveryChanged -TenantRecords");
    assert!(changed.decided().changes.is_empty(), "the same inventory again");
}

#[test]
fn the_inventory_by_which_a_patch_is_emptied_says_nothing_about_who_wants_it() {
    let delivered = World::cozystack("v1.6.2").tenant(json!({"proxyProtocol": true}), proxied(), &[]).commit();
    let emptied = delivered.later(60).with("/tenants/overrides/0/proxyProtocol", json!(false));
    assert_eq!(emptied.tenant_line(), "Remove NotNeeded -Addon");
    let emptied = emptied.commit();
    assert_eq!(emptied.tenant_line(), "Remove NotNeeded -Addon");
    assert!(emptied.decided().changes.is_empty(), "the same inventory again");
    // A later one, in which the add-on is off, shows what the tenant says by itself.
    assert_eq!(emptied.later(5).tenant_line(), "Deliver ProxyProtocolOn addon");
}
