//! What is decided about tenants, case by case.

use bobbypin::{
    config::{inventory::parse_inventory, parse_cluster, problem::Source},
    model::name::Name,
    plan::reading,
};
use serde_json::{Value, json};

use crate::plan_world::{
    FOLDER, TENANT, TENANT_COREFILE, World, config_map, helm_release, ingress_config, plain, present, proxied, rules,
    time, unknown,
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
    let not_looked = world("v1.6.2", json!({}), proxied()).seen("/helmReleases", Value::Null);
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
        // The platform keeps the import line, so not having looked is no obstacle. Having looked in vain is one.
        ("/tenantClusters/0/dnsConfigMaps", Value::Null, deliver),
        ("/tenantClusters/0/dnsConfigMaps", unknown(), "Hold NotObserved NotObserved"),
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
    assert_eq!(form.tenant_line(), "Hold HostsLineMissing");
}

#[test]
fn what_was_asked_for_and_not_given_holds_the_tenant_and_no_other_layer() {
    for wish in [json!({}), json!({"engine": "static"}), json!({"enabled": false})] {
        let world = world("v1.6.2", wish, proxied());
        for source in ["uid", "ingresses", "gateways", "httpRoutes", "tlsRoutes", "services", "dnsConfigMaps"] {
            let unread = world.clone().seen(&format!("/tenantClusters/0/{source}"), unknown());
            assert_eq!(unread.tenant_line(), "Hold NotObserved NotObserved", "{source}");
            assert_eq!(unread.host(), world.host(), "{source}");
        }
        // Somebody else may install the same release.
        assert_eq!(world.clone().seen("/helmReleases", unknown()).tenant_line(), "Hold NotObserved NotObserved");
        assert_eq!(world.clone().seen("/packages", unknown()).tenant_line(), world.tenant_line());
    }
}

#[test]
fn the_tenants_cluster_is_remembered_and_another_one_in_its_place_is_refused() {
    let uid = |world: World, uid: &str| world.seen("/tenantClusters/0/uid", json!(uid));
    let (first, second) = ("0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10", "5e8d2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10");
    let world = world("v1.6.2", json!({"engine": "static", "delivery": "remoteHelmRelease"}), proxied());
    let known = uid(world, first).commit();
    let state = |world: &World| {
        world.decided().plans[0].state.layers.values().filter_map(|layer| layer.uid.clone()).collect::<Vec<_>>()
    };
    assert_eq!(state(&known), [first]);
    assert!(known.decided().changes.is_empty(), "the same again changes nothing");

    let other = uid(known.clone().later(60), second);
    assert_eq!(other.tenant_line(), "Hold WrongTenantCluster Guard");
    assert!(other.decided().changes.is_empty());
    assert_eq!(other.host(), known.host());

    // Who was not read, or could not be, is still who he was.
    for seen in [Value::Null, unknown()] {
        let world = known.clone().later(60).seen("/tenantClusters/0/uid", seen).commit();
        assert_eq!(state(&world), [first]);
    }
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

/// A cluster of no platform whose tenants are found by Secrets, with these Secrets seen and one tenant's cluster.
fn found(names: &[&str]) -> World {
    let secret = |name: &&str| {
        json!({
            "apiVersion": "bobbypin.dev/v1alpha1",
            "kind": "Tenant",
            "metadata": {"namespace": "tenant-acme", "name": name},
            "spec": {"kubeconfig": {"name": format!("{name}-kubeconfig"), "key": "value"}},
        })
    };
    World::generic()
        .shown(json!({}), &["a.acme.example.org"])
        .seen("/tenants", present(names.iter().map(secret).collect()))
        .with("/tenants", json!({"kubeconfigs": {"maker": "clusterApi"}, "defaults": {"ingress": ingress_config()}}))
}

#[test]
fn a_tenant_that_is_found_by_its_secret_gets_the_defaults_and_that_secret() {
    const REFERENCE: &str = "secretRef:\n      name: shop-kubeconfig\n      key: value\n";
    let deliver = "Deliver ProxyProtocolOn remoteHelmRelease";
    let world = found(&["shop"]);
    assert_eq!(world.tenant_line(), deliver);
    let committed = world.clone().commit();
    let release = committed.committed(&format!("{TENANT}/helm-release.yaml")).expect("it is delivered");
    assert!(release.contains(REFERENCE), "{release}");
    assert!(committed.decided().changes.is_empty());

    let records = world
        .clone()
        .with("/tenants/defaults/engine", json!("static"))
        .with("/hostnames/delegations", json!([{"namespaces": ["tenant-acme"], "suffixes": ["acme.example.org"]}]))
        .commit();
    let carrier = records.committed(&format!("{TENANT}/records.yaml")).expect("it is delivered");
    assert!(carrier.contains(REFERENCE), "{carrier}");

    let off = |pointer: &str| {
        let mut off = ingress_config();
        off["proxyProtocol"] = json!(false);
        world.clone().with(pointer, off)
    };
    assert_eq!(off("/tenants/defaults/ingress").tenant_line(), "Remove NotNeeded");
    for (entry, expected) in [
        (json!({}), deliver),
        (json!({"enabled": false}), "Remove Disabled"),
        (json!({"delivery": "ownFlux"}), "Deliver ProxyProtocolOn ownFlux"),
    ] {
        let mut entry = entry;
        entry["namespace"] = json!("tenant-acme");
        entry["name"] = json!("shop");
        let listed = world.clone().with("/tenants/overrides", json!([entry]));
        assert_eq!(listed.tenant_line(), expected, "{entry}");
        // What is found counts for a listed tenant also when nobody else is wanted.
        assert_eq!(listed.with("/tenants/discover", json!(false)).tenant_line(), expected, "{entry}");
    }
    let owner = json!({"secretRef": {"name": "shop-kubeconfig"}});
    let other = present(json!([helm_release("tenant-acme", "x", "ouroboros", json!({}), owner)]));
    assert_eq!(world.clone().seen("/helmReleases", other).tenant_line(), "Hold OwnedByHelmRelease");

    assert_eq!(world.clone().with("/tenants/discover", json!(false)).tenant_line(), "none");
    assert_eq!(world.with("/tenants", json!({"defaults": {"ingress": ingress_config()}})).tenant_line(), "none");
}

#[test]
fn without_the_list_of_secrets_no_tenant_goes_and_none_is_found() {
    let new = found(&["shop"]).seen("/tenants", unknown());
    assert_eq!((new.tenant_line().as_str(), rules(&new.decided())), ("none", vec!["TenantsNotObserved"]));
    let committed = found(&["shop"]).commit().later(60);
    let entry = json!([{"namespace": "tenant-acme", "name": "shop"}]);
    for blind in [unknown(), Value::Null] {
        for world in [
            committed.clone(),
            committed.clone().with("/tenants/discover", json!(false)),
            committed.clone().with("/tenants/overrides", entry.clone()),
        ] {
            let world = world.seen("/tenants", blind.clone());
            assert_eq!(world.tenant_line(), "Hold NotObserved NotObserved");
            assert!(world.decided().changes.is_empty());
        }
    }
    let mut whole = entry;
    whole[0]["kubeconfig"] = json!({"name": "own", "key": "config"});
    let told = committed.with("/tenants/overrides", whole).seen("/tenants", unknown()).commit();
    assert_eq!(told.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
    let release = told.committed(&format!("{TENANT}/helm-release.yaml")).expect("it is delivered");
    assert!(release.contains("secretRef:\n      name: own\n      key: config\n"), "{release}");
}

#[test]
fn a_tenant_whose_secret_is_gone_goes_when_that_is_confirmed() {
    let committed = found(&["shop", "web"]).commit().later(60);
    let one = committed.clone().seen("/tenants/items", json!([found(&["web"]).inventory["tenants"]["items"][0]]));
    assert_eq!(one.tenant_line(), "Hold TenantGoneUnconfirmed");
    let confirmed = one.commit().later(10);
    assert_eq!(confirmed.tenant_line(), "Remove TenantGone");
    let left = confirmed.commit();
    assert_eq!((left.files(TENANT).len(), left.files("tenants/tenant-acme/web").len()), (0, 3));

    let back = committed.clone().with("/tenants/discover", json!(false));
    assert_eq!(back.tenant_line(), "Remove NotListed");
    let listed = json!([{"namespace": "tenant-acme", "name": "shop", "kubeconfig": {"name": "k", "key": "k"}}]);
    let listed = committed.with("/tenants/overrides", listed).seen("/tenants", present(json!([])));
    assert_eq!(listed.tenant_line(), "Deliver ProxyProtocolOn remoteHelmRelease");
}

/// The tenant clusters that are read for a world, each with its Secret and key.
fn read(world: &World) -> Vec<String> {
    let head = |kind: &str| json!({"apiVersion": "bobbypin.dev/v1alpha1", "kind": kind, "metadata": {"name": "edge"}});
    let source = |document: &Value| Source { path: "file".to_owned(), bytes: document.to_string().into_bytes().into() };
    let mut settings = head("Cluster");
    settings["spec"] = world.spec.clone();
    let edge = Name::parse("edge").expect("a literal that parses");
    let config = parse_cluster(&source(&settings), &edge).expect("lawful settings");
    let mut inventory = world.inventory.clone();
    inventory["observedAt"] = json!(time(0).to_string());
    let inventory = parse_inventory(&source(&inventory), time(0)).expect("a lawful inventory").remove(0);
    let readings = reading::tenants(&config, &inventory.tenants).into_iter();
    readings.map(|one| format!("{} {} {}", one.tenant.name, one.kubeconfig.name, one.kubeconfig.key)).collect()
}

#[test]
fn a_tenant_cluster_is_read_with_its_own_secret_or_the_one_that_it_was_found_by() {
    let world = found(&["shop", "web"]);
    let (shop, web) = ("shop shop-kubeconfig value", "web web-kubeconfig value");
    assert_eq!(read(&world), [shop, web]);
    let entry = |more: Value| {
        let mut entry = json!({"namespace": "tenant-acme", "name": "shop"});
        for (key, value) in more.as_object().expect("a map") {
            entry[key] = value.clone();
        }
        world.clone().with("/tenants/overrides", json!([entry]))
    };
    let own = entry(json!({"kubeconfig": {"name": "own", "key": "config"}}));
    assert_eq!(read(&own), ["shop own config", web]);
    assert_eq!(read(&own.seen("/tenants", unknown())), ["shop own config"]);
    assert_eq!(read(&entry(json!({})).with("/tenants/discover", json!(false))), [shop]);
    assert_eq!(read(&entry(json!({})).seen("/tenants", unknown())), [""; 0]);
    assert_eq!(read(&entry(json!({"enabled": false}))), [web]);
    assert_eq!(read(&world.clone().with("/access", json!({"tenants": {"read": false}}))), [""; 0]);
    // Nobody asked for them.
    assert_eq!(read(&world.clone().with("/tenants", json!({}))), [""; 0]);
    let cozystack = World::cozystack("v1.6.2").shown(proxied(), &[]);
    assert_eq!(read(&cozystack), ["shop kubernetes-shop-admin-kubeconfig super-admin.svc"]);
    assert_eq!(read(&cozystack.seen("/tenants", world.inventory["tenants"].clone())), [""; 0]);
}

#[test]
fn what_tells_tenants_on_another_platform_proves_nothing() {
    let object = World::cozystack("v1.6.2").shown(proxied(), &[]).inventory["tenants"].clone();
    assert_eq!(found(&[]).seen("/tenants", object).tenant_line(), "Hold TenantOfOtherPlatform");
    let secret = found(&["shop"]).inventory["tenants"].clone();
    let world = World::cozystack("v1.6.2").shown(proxied(), &[]);
    assert_eq!(world.seen("/tenants", secret).tenant_line(), "Hold TenantOfOtherPlatform");
}

#[test]
fn a_young_version_forces_nothing_and_an_old_one_does_as_the_platform() {
    for (version, forces) in [("v1.4.0", true), ("v1.4.6", true), ("v1.5.0", false), ("v1.6.2", false)] {
        let committed = world(version, json!({"delivery": "remoteHelmRelease"}), proxied()).commit();
        let release = committed.committed(&format!("{TENANT}/helm-release.yaml")).expect("it is delivered");
        assert_eq!(release.contains("force: true"), forces, "{version}\n{release}");
    }
}
