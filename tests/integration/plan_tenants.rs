//! What is decided about tenants, case by case.

use serde_json::{Value, json};

use crate::plan_world::{
    FOLDER, TENANT, TENANT_COREFILE, World, config_map, helm_release, ingress_config, plain, present, proxied, rules,
    unknown,
};

/// A tenant with these settings and add-ons, and one host.
fn world(version: &str, entry: Value, addons: Value) -> World {
    World::cozystack(version).tenant(entry, addons, &["a.acme.example.org"])
}

/// Add-ons with the platform's own add-on switched on.
fn with_ouroboros(mut addons: Value) -> Value {
    addons["ouroboros"] = json!({"enabled": true});
    addons
}

/// The list of a person that names the component of the tenant.
fn reference(world: World) -> World {
    world.file("apps/kustomization.yaml", &format!("components:\n- ../{FOLDER}/manifests/{TENANT}/addon\n"))
}

#[test]
fn every_wish_meets_every_signal() {
    let (auto, yes, no) = (json!("auto"), json!(true), json!(false));
    for (enabled, says, addons, since_1_6, before) in [
        (&auto, false, plain(), "Remove NotNeeded", "Remove NotNeeded"),
        (&auto, false, proxied(), "Deliver ProxyProtocolOn addon", "Deliver ProxyProtocolOn remoteHelmRelease"),
        (&auto, true, plain(), "Deliver ProxyProtocolOn addon", "Hold ProxyProtocolNotAccepted"),
        (&auto, false, with_ouroboros(plain()), "Deliver AddonEnabled addon", "Hold OwnedByPlatformAddon"),
        (&auto, false, with_ouroboros(proxied()), "Deliver ProxyProtocolOn addon", "Hold OwnedByPlatformAddon"),
        (&yes, false, plain(), "Hold ProxyProtocolNotAccepted", "Hold ProxyProtocolNotAccepted"),
        (&yes, false, proxied(), "Deliver ProxyProtocolOn addon", "Deliver ProxyProtocolOn remoteHelmRelease"),
        (&yes, true, plain(), "Deliver ProxyProtocolOn addon", "Hold ProxyProtocolNotAccepted"),
        (&no, true, proxied(), "Remove Disabled", "Remove Disabled"),
    ] {
        let entry = json!({"enabled": enabled, "proxyProtocol": says});
        assert_eq!(world("v1.6.2", entry.clone(), addons.clone()).tenant_line(), since_1_6, "{entry} {addons}");
        for version in ["v1.4.0", "v1.4.6", "v1.5.0", "v1.5.4"] {
            let world = world(version, entry.clone(), addons.clone());
            assert_eq!(world.tenant_line(), before, "{version} {entry} {addons}");
        }
    }
}

#[test]
fn every_delivery_with_every_engine_is_made_or_held() {
    for (delivery, engine) in ["addon", "remoteHelmRelease", "ownFlux"]
        .into_iter()
        .flat_map(|delivery| [(delivery, "ouroboros"), (delivery, "static")])
    {
        let entry = json!({"delivery": delivery, "engine": engine});
        let world = world("v1.6.2", entry, proxied())
            .with("/hostnames/delegations", json!([{"namespaces": ["tenant-acme"], "suffixes": ["acme.example.org"]}]));
        assert_eq!(world.tenant_line(), format!("Deliver ProxyProtocolOn {delivery}"), "{delivery} {engine}");
        let committed = world.commit();
        let expected: &[&str] = match (delivery, engine) {
            ("addon", "ouroboros") => &["addon/kubernetes.yaml", "addon/kustomization.yaml", "kustomization.yaml"],
            ("addon", _) => &[
                "addon/kubernetes.yaml",
                "addon/kustomization.yaml",
                "cluster/coredns-custom.yaml",
                "cluster/kustomization.yaml",
                "kustomization.yaml",
                "records.yaml",
            ],
            ("remoteHelmRelease", "ouroboros") => &["helm-release.yaml", "kustomization.yaml"],
            ("remoteHelmRelease", _) => &[
                "cluster/coredns-custom.yaml",
                "cluster/kustomization.yaml",
                "helm-release.yaml",
                "kustomization.yaml",
                "records.yaml",
            ],
            (_, "ouroboros") => &[
                "cluster/helm-release.yaml",
                "cluster/kustomization.yaml",
                "cluster/namespace.yaml",
                "cluster/oci-repository.yaml",
                "kustomization.yaml",
            ],
            _ => &[
                "cluster/coredns-custom.yaml",
                "cluster/helm-release.yaml",
                "cluster/kustomization.yaml",
                "cluster/namespace.yaml",
                "cluster/oci-repository.yaml",
                "kustomization.yaml",
            ],
        };
        assert_eq!(committed.files(TENANT), expected, "{delivery} {engine}");
        assert!(committed.decided().changes.is_empty(), "{delivery} {engine}");
    }
}

#[test]
fn the_guards_of_the_platform_speak_before_the_commit() {
    let mut no_nginx = proxied();
    no_nginx["ingressNginx"]["enabled"] = json!(false);
    let addon = world("v1.6.2", json!({}), no_nginx.clone());
    assert_eq!(addon.tenant_line(), "Hold OuroborosWithoutIngressNginx");
    let remote = world("v1.6.2", json!({"delivery": "remoteHelmRelease"}), no_nginx);
    assert_eq!(remote.tenant_line(), "Hold IngressControllerMissing");

    let mut gateway = proxied();
    gateway["ouroboros"] = json!({"valuesOverride": {"ouroboros": {"controller": {"gatewayApi": {"enabled": true}}}}});
    assert_eq!(world("v1.6.2", json!({}), gateway.clone()).tenant_line(), "Hold GatewayApiWithoutAddon");
    gateway["gatewayAPI"] = json!({"enabled": true});
    assert_eq!(world("v1.6.2", json!({}), gateway).tenant_line(), "Deliver ProxyProtocolOn addon");

    let wrong = world("v1.6.2", json!({}), json!({"ouroboros": {"enabled": "yes"}}));
    assert_eq!(wrong.tenant_line(), "Hold TenantObjectInvalid");
}

#[test]
fn another_release_into_the_tenant_is_named_and_never_joined() {
    let secret = |name: &str| json!({"secretRef": {"name": name}});
    let ours = json!({"app.kubernetes.io/managed-by": "bobbypin"});
    let none = json!({});
    for (delivery, name, kube_config, labels, expected) in [
        ("remoteHelmRelease", "x", secret("kubernetes-shop-admin-kubeconfig"), &none, "Hold OwnedByHelmRelease"),
        ("ownFlux", "x", secret("kubernetes-shop-admin-kubeconfig"), &none, "Hold OwnedByHelmRelease"),
        ("addon", "x", secret("kubernetes-shop-admin-kubeconfig"), &none, "Hold OwnedByHelmRelease"),
        (
            "addon",
            "kubernetes-shop-ouroboros",
            secret("kubernetes-shop-admin-kubeconfig"),
            &none,
            "Deliver ProxyProtocolOn addon",
        ),
        (
            "remoteHelmRelease",
            "kubernetes-shop-ouroboros",
            secret("kubernetes-shop-admin-kubeconfig"),
            &ours,
            "Deliver ProxyProtocolOn remoteHelmRelease",
        ),
        (
            "remoteHelmRelease",
            "x",
            secret("kubernetes-other-admin-kubeconfig"),
            &none,
            "Deliver ProxyProtocolOn remoteHelmRelease",
        ),
        ("remoteHelmRelease", "x", Value::Null, &none, "Deliver ProxyProtocolOn remoteHelmRelease"),
    ] {
        let release = helm_release("tenant-acme", name, "cozy-ouroboros", labels.clone(), kube_config.clone());
        let world =
            world("v1.6.2", json!({"delivery": delivery}), proxied()).seen("/helmReleases", present(json!([release])));
        assert_eq!(world.tenant_line(), expected, "{delivery} {name} {kube_config}");
    }
    let not_looked = world("v1.6.2", json!({}), proxied()).seen("/helmReleases", unknown());
    assert!(rules(&not_looked.decided()).contains(&"OwnersNotChecked"));
}

#[test]
fn the_side_of_the_ingress_controller_is_written_only_when_the_entry_says_so() {
    let cidrs = json!({"proxyProtocol": true, "realIpCidrs": ["192.0.2.0/24", "198.51.100.0/24"]});
    for (entry, addons, keys) in [
        (json!({}), proxied(), &[][..]),
        (json!({"proxyProtocol": true}), plain(), &["enable-real-ip", "real-ip-header", "use-proxy-protocol"][..]),
        (cidrs.clone(), plain(), &["enable-real-ip", "proxy-real-ip-cidr", "real-ip-header", "use-proxy-protocol"][..]),
        // The entry's word counts whatever the object says by itself.
        (cidrs, proxied(), &["enable-real-ip", "proxy-real-ip-cidr", "real-ip-header", "use-proxy-protocol"][..]),
    ] {
        let committed = world("v1.6.2", entry.clone(), addons).commit();
        let patch = committed.committed(&format!("{TENANT}/addon/kubernetes.yaml")).expect("it is delivered");
        let known = ["enable-real-ip", "proxy-real-ip-cidr", "real-ip-header", "use-proxy-protocol"];
        let found: Vec<_> = known.into_iter().filter(|key| patch.contains(key)).collect();
        assert_eq!(found, keys, "{entry}");
        assert!(!patch.contains("forwarded"), "{patch}");
    }
}

#[test]
fn our_own_patch_does_not_justify_itself() {
    let delivered = reference(world("v1.6.2", json!({"proxyProtocol": true}), plain())).commit();
    // Flux applied the patch; then a person takes the wish back.
    let applied = delivered.later(60).shown(with_ouroboros(proxied()), &["a.acme.example.org"]);
    assert_eq!(applied.tenant_line(), "Deliver ProxyProtocolOn addon");
    let emptied = applied.with("/tenants/overrides/0/proxyProtocol", json!(false));
    assert_eq!(emptied.tenant_line(), "Remove NotNeeded -Addon");
    let emptied = emptied.commit();
    // Flux has not yet taken the patch back: what is seen is still ours.
    for world in [emptied.clone(), emptied.clone().later(5)] {
        assert_eq!(world.tenant_line(), "Remove NotNeeded -Addon");
        assert!(world.decided().changes.is_empty());
        assert!(rules(&world.decided()).contains(&"ComponentStillReferenced"));
    }
    // Later than absences need for their confirmation, somebody else must want it.
    assert_eq!(emptied.clone().later(10).tenant_line(), "Deliver ProxyProtocolOn addon");
    let gone = emptied.later(5).shown(plain(), &[]);
    assert_eq!(gone.tenant_line(), "Remove NotNeeded -Addon");
    let free =
        gone.file("apps/kustomization.yaml", &format!("components:\n# - ../{FOLDER}/manifests/{TENANT}/addon\n"));
    assert_eq!(free.tenant_line(), "Remove NotNeeded");
    assert_eq!(free.commit().files(TENANT), [""; 0]);
}

#[test]
fn a_change_of_delivery_away_from_the_addon_never_waits_for_itself() {
    let secret = json!({"secretRef": {"name": "kubernetes-shop-admin-kubeconfig"}});
    let theirs = helm_release("tenant-acme", "kubernetes-shop-ouroboros", "cozy-ouroboros", json!({}), secret);
    let delivered = reference(world("v1.6.2", json!({"proxyProtocol": true}), plain())).commit();
    let applied = delivered
        .later(60)
        .shown(with_ouroboros(proxied()), &["a.acme.example.org"])
        .seen("/helmReleases", present(json!([theirs])));
    let changed = applied.with("/tenants/overrides/0/delivery", json!("remoteHelmRelease"));
    assert_eq!(changed.tenant_line(), "Remove DeliveryChanged -Addon");
    let emptied = changed.commit();
    assert_eq!(emptied.files(TENANT), ["addon/kustomization.yaml", "kustomization.yaml"]);
    assert!(emptied.decided().changes.is_empty());
    // The person frees the folder and sets the ingress controller up; the add-on is seen gone.
    let freed = emptied.later(5).file("apps/kustomization.yaml", "resources: []\n");
    assert_eq!(freed.tenant_line(), "Remove DeliveryChanged -Addon");
    let off = freed.shown(proxied(), &["a.acme.example.org"]);
    assert_eq!(off.tenant_line(), "Hold OwnedByHelmRelease");
    let off = off.seen("/helmReleases", present(json!([])));
    assert_eq!(off.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
    assert_eq!(off.commit().files(TENANT), ["helm-release.yaml", "kustomization.yaml"]);
}

#[test]
fn a_component_that_nobody_names_is_told() {
    let world = world("v1.6.2", json!({}), proxied());
    assert!(rules(&world.decided()).contains(&"ComponentNotReferenced"));
    assert!(!rules(&reference(world).decided()).contains(&"ComponentNotReferenced"));
}

#[test]
fn tenants_come_from_the_settings_the_inventory_and_what_is_committed() {
    let shown = World::cozystack("v1.6.2").shown(proxied(), &[]);
    assert_eq!(shown.tenant_line(), "Deliver ProxyProtocolOn addon");
    let undiscovered = shown.clone().with("/tenants", json!({"discover": false}));
    assert_eq!(undiscovered.tenant_line(), "none");
    let committed = shown.clone().commit().with("/tenants", json!({"discover": false}));
    assert_eq!(committed.tenant_line(), "Remove NotListed -Addon");
    let blind = shown.seen("/tenants", unknown());
    assert_eq!((blind.tenant_line().as_str(), rules(&blind.decided())), ("none", vec!["TenantsNotObserved"]));
    let listed = world("v1.6.2", json!({}), proxied());
    assert_eq!(listed.clone().seen("/tenants", unknown()).tenant_line(), "Hold NotObserved NotObserved");
    assert_eq!(listed.clone().seen("/tenants", present(json!([]))).tenant_line(), "Remove TenantGone");
    assert_eq!(listed.seen("/tenants", json!({"state": "Absent"})).tenant_line(), "Remove TenantGone");
}

#[test]
fn records_need_a_tenant_that_was_read_and_a_corefile_that_imports() {
    let ready = world("v1.6.2", json!({"engine": "static", "delivery": "remoteHelmRelease"}), proxied());
    let mut servers = proxied();
    servers["coredns"] = json!({"valuesOverride": {"coredns": {"servers": [{"plugins": [{"name": "forward"}]}]}}});
    let deliver = "Deliver ProxyProtocolOn remoteHelmRelease";
    for (pointer, value, expected) in [
        ("/tenantClusters", json!([]), "Hold NotObserved NotObserved"),
        ("/tenantClusters/0/ingresses", unknown(), "Hold NotObserved NotObserved"),
        ("/tenantClusters/0/ingresses", json!({"state": "Absent"}), deliver),
        // The platform keeps the import line, so not having looked is no obstacle.
        ("/tenantClusters/0/dnsConfigMaps", unknown(), deliver),
        ("/tenantClusters/0/dnsConfigMaps", present(json!([])), deliver),
        (
            "/tenantClusters/0/dnsConfigMaps",
            present(json!([config_map("coredns", "Corefile", ".:53 {\n}\n")])),
            "Hold ImportDirectiveMissing",
        ),
    ] {
        assert_eq!(ready.clone().seen(pointer, value).tenant_line(), expected, "{pointer}");
    }
    let overridden = world("v1.6.2", json!({"engine": "static", "delivery": "remoteHelmRelease"}), servers);
    let blind = overridden.seen("/tenantClusters/0/dnsConfigMaps", unknown());
    assert_eq!(blind.tenant_line(), "Hold NotObserved NotObserved");
    let form = ready.with("/tenants/overrides/0/static", json!({"records": "hosts-file"}));
    assert_eq!(form.tenant_line(), "Hold RecordsFormUnavailable");
}

#[test]
fn a_tenant_of_no_platform_is_what_its_entry_says() {
    let entry = |enabled: Value, on: bool, more: Value| {
        let mut entry = json!({
            "enabled": enabled, "ingress": ingress_config(), "kubeconfig": {"name": "shop-kubeconfig", "key": "value"},
        });
        entry["ingress"]["proxyProtocol"] = json!(on);
        for (key, value) in more.as_object().expect("a map") {
            entry[key] = value.clone();
        }
        entry
    };
    let world = |entry: Value| World::generic().tenant(entry, json!({}), &["a.acme.example.org"]);
    for (enabled, on, more, expected) in [
        (json!("auto"), false, json!({}), "Remove NotNeeded"),
        (json!("auto"), true, json!({}), "Deliver ProxyProtocolOn remoteHelmRelease"),
        (json!("auto"), false, json!({"proxyProtocol": true}), "Deliver ProxyProtocolOn remoteHelmRelease"),
        (json!(true), false, json!({}), "Hold ProxyProtocolNotAccepted"),
        (json!(true), true, json!({"delivery": "ownFlux"}), "Deliver ProxyProtocolOn ownFlux"),
        (json!(false), true, json!({}), "Remove Disabled"),
    ] {
        assert_eq!(world(entry(enabled.clone(), on, more.clone())).tenant_line(), expected, "{enabled} {on} {more}");
    }
    assert!(world(entry(json!(true), true, json!({"delivery": "addon"}))).decide().is_err());

    let secret = json!({"secretRef": {"name": "shop-kubeconfig"}});
    let other = present(json!([helm_release("tenant-acme", "x", "ouroboros", json!({}), secret)]));
    let owned = world(entry(json!(true), true, json!({}))).seen("/helmReleases", other);
    assert_eq!(owned.tenant_line(), "Hold OwnedByHelmRelease");

    let unlisted = world(entry(json!(true), true, json!({}))).commit().with("/tenants", json!({}));
    assert_eq!(unlisted.tenant_line(), "Remove NotListed");
    assert_eq!(unlisted.commit().files(TENANT), [""; 0]);
    assert!(TENANT_COREFILE.contains("import"));
}

#[test]
fn a_young_version_forces_nothing_and_an_old_one_does_as_the_platform() {
    for (version, forces) in [("v1.4.0", true), ("v1.4.6", true), ("v1.5.0", false), ("v1.6.2", false)] {
        let committed = world(version, json!({"delivery": "remoteHelmRelease"}), proxied()).commit();
        let release = committed.committed(&format!("{TENANT}/helm-release.yaml")).expect("it is delivered");
        assert_eq!(release.contains("force: true"), forces, "{version}\n{release}");
    }
}
