//! What is decided about the host, case by case.

use serde_json::{Value, json};

use crate::plan_world::{
    HOST_COREFILE, TENANT_COREFILE, World, cluster, helm_release, package, present, rules, unknown,
};

/// The versions that behave alike.
const BEFORE_1_5: [&str; 7] = ["v1.4.0", "v1.4.1", "v1.4.2", "v1.4.3", "v1.4.4", "v1.4.5", "v1.4.6"];
const SINCE_1_5: [&str; 8] = ["v1.5.0", "v1.5.1", "v1.5.2", "v1.5.3", "v1.5.4", "v1.6.0", "v1.6.1", "v1.6.2"];

const VARIANTS: [(&str, bool); 4] =
    [("default", false), ("isp-full", true), ("isp-full-generic", true), ("isp-hosted", false)];

/// The world with its platform values as the whole `Package`, in a variant.
fn variant(version: &str, variant: &str, values: Value) -> World {
    let spec = json!({"variant": variant, "components": {"platform": {"values": values}}});
    World { platform: package("cozystack.cozystack-platform", spec), ..World::cozystack(version) }
}

#[test]
fn every_version_in_every_variant_follows_the_switch_for_proxy_protocol() {
    for ((name, has_bundle), on) in VARIANTS.into_iter().flat_map(|variant| [(variant, false), (variant, true)]) {
        for version in BEFORE_1_5.into_iter().chain(SINCE_1_5) {
            let world = variant(version, name, json!({"publishing": {"proxyProtocol": on}}));
            let expected = match (on, BEFORE_1_5.contains(&version), has_bundle) {
                (false, ..) => "Remove ProxyProtocolOff",
                (true, true, _) => "Hold ProxyProtocolUnsupportedByPlatform",
                (true, false, true) => "Deliver ProxyProtocolOn overlay",
                (true, false, false) => "Deliver ProxyProtocolOn helmRelease",
            };
            assert_eq!(world.host(), expected, "{version} {name} {on}");
        }
    }
}

#[test]
fn every_delivery_is_lawful_or_held_with_its_reason() {
    let disabled = json!({"bundles": {"disabledPackages": ["cozystack.ouroboros"]}});
    let nothing = json!({});
    for (delivery, source, name, values, expected) in [
        ("auto", None, "isp-full", &nothing, "Deliver ProxyProtocolOn overlay"),
        ("auto", None, "isp-full", &disabled, "Hold PackageDisabledOnPlatform"),
        ("auto", None, "isp-hosted", &nothing, "Deliver ProxyProtocolOn helmRelease"),
        ("overlay", None, "isp-full", &nothing, "Deliver ProxyProtocolOn overlay"),
        ("overlay", None, "isp-full", &disabled, "Hold PackageDisabledOnPlatform"),
        ("overlay", None, "isp-hosted", &nothing, "Hold PlatformEmitsNothing"),
        ("package", None, "isp-full", &nothing, "Hold OwnedByPlatform"),
        ("package", None, "isp-full", &disabled, "Deliver ProxyProtocolOn package"),
        ("package", None, "isp-hosted", &nothing, "Hold PlatformPackageUnusable"),
        ("package", Some("own"), "isp-full", &nothing, "Hold OwnedByPlatform"),
        ("package", Some("own"), "isp-full", &disabled, "Deliver ProxyProtocolOn package"),
        ("package", Some("own"), "isp-hosted", &nothing, "Deliver ProxyProtocolOn package"),
        ("helmRelease", None, "isp-full", &nothing, "Hold OwnedByPlatform"),
        ("helmRelease", None, "isp-full", &disabled, "Deliver ProxyProtocolOn helmRelease"),
        ("helmRelease", None, "isp-hosted", &nothing, "Deliver ProxyProtocolOn helmRelease"),
    ] {
        let mut values = values.clone();
        values["publishing"] = json!({"proxyProtocol": true});
        let mut world = variant("v1.6.2", name, values).with("/host/delivery", json!(delivery));
        if let Some(source) = source {
            world = world.with("/host/package/source", json!(source));
        }
        assert_eq!(world.host(), expected, "{delivery} {source:?} {name}");
    }
}

#[test]
fn a_person_can_insist_or_decline() {
    for (enabled, proxy_protocol, expected) in [
        (json!("auto"), json!(false), "Remove ProxyProtocolOff"),
        (json!("auto"), json!(true), "Deliver ProxyProtocolOn overlay"),
        (json!(true), json!(false), "Hold ProxyProtocolOff"),
        (json!(true), json!(true), "Deliver Enabled overlay"),
        (json!(false), json!(false), "Remove Disabled"),
        (json!(false), json!(true), "Remove Disabled"),
    ] {
        let world = World::cozystack("v1.6.2")
            .with("/host/enabled", enabled.clone())
            .platform("/publishing/proxyProtocol", proxy_protocol.clone());
        assert_eq!(world.host(), expected, "{enabled} {proxy_protocol}");
        let world = World::generic()
            .with("/host/enabled", enabled.clone())
            .with("/ingress/proxyProtocol", proxy_protocol.clone());
        assert_eq!(world.host(), expected.replace("overlay", "helmRelease"), "{enabled} {proxy_protocol}");
    }
}

#[test]
fn what_the_platform_cannot_serve_is_held_or_told() {
    let gateway = World::cozystack("v1.6.2").platform("/gateway/enabled", json!(true));
    assert_eq!(gateway.host(), "Hold GatewayMode");
    // The mode is newer than v1.4, where the key has no effect.
    let old = World::cozystack("v1.4.6").platform("/gateway/enabled", json!(true));
    assert_eq!(old.host(), "Hold ProxyProtocolUnsupportedByPlatform");
    let ambiguous = World::cozystack("v1.6.2").platform("/publishing/proxyProtocol", json!("yes"));
    assert_eq!(ambiguous.host(), "Hold ProxyProtocolAmbiguous");

    let live = present(json!([package("cozystack.ouroboros", json!({"variant": "default"}))]));
    let unclean =
        World::cozystack("v1.6.2").platform("/publishing/proxyProtocol", json!(false)).seen("/packages", live);
    assert_eq!(unclean.host(), "Remove ProxyProtocolOff");
    assert_eq!(rules(&unclean.decided()), ["UncleanProxyProtocolDisable"]);
    let acknowledged = unclean.platform("/publishing/proxyProtocolAcknowledgeUnclean", json!(true));
    assert_eq!(rules(&acknowledged.decided()), [""; 0]);
}

#[test]
fn values_that_are_read_from_the_cluster_must_be_there() {
    let live = |packages: Value| {
        let platform = json!({"kind": "cozystack", "version": "v1.6.2", "live": true});
        World { platform: Value::Null, ..World::cozystack("v1.6.2") }
            .with("/platform", platform)
            .seen("/packages", packages)
    };
    let values = json!({"publishing": {"proxyProtocol": true}});
    let spec = json!({"variant": "isp-full", "components": {"platform": {"values": values}}});
    let there = present(json!([package("cozystack.cozystack-platform", spec)]));
    assert_eq!(live(there).host(), "Deliver ProxyProtocolOn overlay");
    for packages in [unknown(), present(json!([])), json!({"state": "Absent"})] {
        assert_eq!(live(packages.clone()).host(), "Hold NotObserved NotObserved", "{packages}");
    }
}

#[test]
fn another_owner_of_the_release_is_named_and_never_joined() {
    let platform = json!({"cozystack.io/package": "cozystack.ouroboros"});
    let ours = json!({"app.kubernetes.io/managed-by": "bobbypin"});
    let none = json!({});
    let disabled = json!(["cozystack.ouroboros"]);
    let own = json!({"source": "own"});
    let secret = json!({"secretRef": {"name": "elsewhere"}});
    let config_map = json!({"configMapRef": {"name": "elsewhere"}});
    for (delivery, source, labels, kube_config, expected) in [
        ("overlay", &Value::Null, &platform, &Value::Null, "Deliver ProxyProtocolOn overlay"),
        ("overlay", &Value::Null, &none, &Value::Null, "Hold OwnedByHelmRelease"),
        ("package", &Value::Null, &platform, &Value::Null, "Deliver ProxyProtocolOn package"),
        ("package", &Value::Null, &none, &Value::Null, "Hold OwnedByHelmRelease"),
        ("package", &own, &none, &Value::Null, "Hold OwnedByHelmRelease"),
        ("package", &own, &platform, &Value::Null, "Hold OwnedByHelmRelease"),
        ("helmRelease", &Value::Null, &none, &Value::Null, "Hold OwnedByHelmRelease"),
        ("helmRelease", &Value::Null, &platform, &Value::Null, "Hold OwnedByHelmRelease"),
        ("helmRelease", &Value::Null, &ours, &Value::Null, "Deliver ProxyProtocolOn helmRelease"),
        ("helmRelease", &Value::Null, &none, &secret, "Deliver ProxyProtocolOn helmRelease"),
        ("helmRelease", &Value::Null, &none, &config_map, "Deliver ProxyProtocolOn helmRelease"),
    ] {
        let release =
            helm_release("cozy-ouroboros", "ouroboros", "cozy-ouroboros", labels.clone(), kube_config.clone());
        let mut world = World::cozystack("v1.6.2").with("/host/delivery", json!(delivery));
        if delivery != "overlay" {
            world = world.platform("/bundles/disabledPackages", disabled.clone());
        }
        if !source.is_null() {
            world = world.with("/host/package", source.clone());
        }
        let world = world.seen("/helmReleases", present(json!([release])));
        assert_eq!(world.host(), expected, "{delivery} {source} {labels} {kube_config}");
    }
    let release = |storage: &str| helm_release("a", "b", storage, json!({}), Value::Null);
    for (storage, expected) in
        [("ouroboros", "Hold OwnedByHelmRelease"), ("elsewhere", "Deliver ProxyProtocolOn helmRelease")]
    {
        assert_eq!(World::generic().seen("/helmReleases", present(json!([release(storage)]))).host(), expected);
    }
}

#[test]
fn a_package_that_the_platform_left_behind_is_an_owner_too() {
    // `disabledPackages` does not uninstall: the Package stays, and with it its release of the same name.
    let left = present(json!([package("cozystack.ouroboros", json!({"variant": "default"}))]));
    let world = World::cozystack("v1.6.2")
        .platform("/bundles/disabledPackages", json!(["cozystack.ouroboros"]))
        .seen("/packages", left);
    for (delivery, source, expected) in [
        ("helmRelease", None, "Hold OwnedByPackage"),
        ("package", Some("own"), "Hold OwnedByPackage"),
        ("package", None, "Deliver ProxyProtocolOn package"),
    ] {
        let mut world = world.clone().with("/host/delivery", json!(delivery));
        if let Some(source) = source {
            world = world.with("/host/package/source", json!(source));
        }
        assert_eq!(world.host(), expected, "{delivery} {source:?}");
    }
}

#[test]
fn owners_that_were_not_looked_for_are_told() {
    let not_looked = |world: World| rules(&world.seen("/helmReleases", Value::Null).decided());
    assert_eq!(not_looked(World::generic()), ["OwnersNotChecked"]);
    let values = json!({"publishing": {"proxyProtocol": true}});
    let hosted = not_looked(variant("v1.6.2", "isp-hosted", values));
    assert_eq!(hosted, ["OwnersNotChecked", "ProxyProtocolWithoutSystemBundle"]);
}

#[test]
fn what_was_asked_for_and_not_given_holds_the_host() {
    let sources = [
        "/host/ingresses",
        "/host/gateways",
        "/host/httpRoutes",
        "/host/tlsRoutes",
        "/host/services",
        "/host/dnsConfigMaps",
        "/helmReleases",
        "/packages",
        "/platformSettings",
    ];
    for world in [World::generic(), World::cozystack("v1.6.2"), World::generic().with("/host/enabled", json!(false))] {
        for source in sources {
            assert_eq!(world.clone().seen(source, unknown()).host(), "Hold NotObserved NotObserved", "{source}");
            let not_looked = world.clone().seen(source, Value::Null).host();
            assert_eq!(not_looked, world.host(), "{source}");
        }
        // What only people ask about holds nothing.
        for source in ["/kustomizations", "/gitRepositories"] {
            assert_eq!(world.clone().seen(source, unknown()).host(), world.host(), "{source}");
        }
    }
}

#[test]
fn a_cluster_that_does_not_say_who_it_is_is_held_when_somebody_said_who_it_must_be() {
    let unread = World::generic().seen("/uid", unknown());
    assert_eq!(unread.host(), World::generic().host());
    let trusted = unread.with("/access", json!({"uid": "0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10"}));
    assert_eq!(trusted.host(), "Hold NotObserved NotObserved");
}

#[test]
fn records_in_git_need_an_import_line_and_a_form_that_is_written() {
    let world = |world: World, corefile: Option<&str>| {
        world.with("/host/engine", json!("static")).seen("/host", cluster(&[], corefile))
    };
    for (corefile, expected) in [
        (Some(HOST_COREFILE), "Hold ImportDirectiveMissing"),
        (None, "Hold ImportDirectiveMissing"),
        (Some(TENANT_COREFILE), "Deliver ProxyProtocolOn overlay"),
    ] {
        assert_eq!(world(World::cozystack("v1.6.2"), corefile).host(), expected);
        assert_eq!(world(World::generic(), corefile).host(), expected.replace("overlay", "helmRelease"));
    }
    let ready = world(World::generic(), Some(TENANT_COREFILE));
    for (pointer, value, expected) in [
        ("/host/ingresses", unknown(), "Hold NotObserved NotObserved"),
        ("/host/dnsConfigMaps", unknown(), "Hold NotObserved NotObserved"),
        ("/host/dnsConfigMaps", json!({"state": "Absent"}), "Hold ImportDirectiveMissing"),
        ("/host/ingresses", json!({"state": "Absent"}), "Deliver ProxyProtocolOn helmRelease"),
    ] {
        assert_eq!(ready.clone().seen(pointer, value).host(), expected, "{pointer}");
    }
    let world = ready.with("/host/static", json!({"records": "hosts-file"}));
    assert_eq!(world.host(), "Hold HostsLineMissing");
}

#[test]
fn a_pin_that_cannot_be_used_holds_every_layer() {
    let seen = |minute: i64| json!(crate::plan_world::time(minute).to_string());
    for (pointer, value, expected) in [
        ("/2/name", json!("some-other-image"), "Hold Unpinned"),
        ("/1/tag", json!("0.8.0"), "Hold PinOfAnotherChart"),
        ("/0/firstSeen", seen(-60), "Hold PinTooYoung"),
        ("/0/firstSeen", seen(-72 * 60), "Deliver ProxyProtocolOn overlay"),
    ] {
        let mut world = World::cozystack("v1.6.2");
        crate::plan_world::set(&mut world.pins, pointer, value);
        assert_eq!(world.host(), expected, "{pointer}");
    }
    let mirrored =
        World::cozystack("v1.6.2").with("/pins", json!({"mirrors": {"ghcr.io": "registry.example.org/ghcr"}}));
    let overlay = mirrored.commit().committed("host/overlay.yaml").expect("it is delivered");
    assert!(overlay.contains("registry.example.org/ghcr/lexfrei/ouroboros"), "{overlay}");
}

#[test]
fn an_inventory_of_another_cluster_is_refused_and_changes_nothing() {
    let world = World::cozystack("v1.6.2").with("/access", json!({"uid": "uid-of-edge"})).commit();
    for other in [
        world.clone().seen("/uid", json!("uid-of-another")),
        world.clone().with("/access", json!({"uid": "uid-of-another"})),
    ] {
        assert_eq!(other.host(), "Hold WrongCluster Guard");
        assert!(other.decided().changes.is_empty());
    }
}

#[test]
fn an_overlay_has_only_leaves_that_the_platform_does_not_emit() {
    let overlay = World::cozystack("v1.6.2").commit().committed("host/overlay.yaml").expect("it is delivered");
    assert!(
        overlay.contains("ingressClass: tenant-root") || overlay.contains("ingressClass: \"tenant-root\""),
        "{overlay}"
    );
    for theirs in ["variant", "serviceName", "target", "clusterDomain", "gatewayApi"] {
        assert!(!overlay.contains(theirs), "{theirs}\n{overlay}");
    }
}
