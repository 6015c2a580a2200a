//! What holds for every cluster and every history of it.

use std::collections::{BTreeMap, BTreeSet};

use bobbypin::{
    model::tree::{Entry, RepoPath, Tree},
    plan::Decision,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan_world::{
    FOLDER, HOSTS_COREFILE, TENANT, TENANT_COREFILE, World, cluster, config_map, ingress_config, package, plain,
    present, proxied, service, unknown,
};

/// The sources of an inventory that a step may lose.
const SOURCES: [&str; 8] = [
    "/host/ingresses",
    "/host/dnsConfigMaps",
    "/tenants",
    "/packages",
    "/helmReleases",
    "/tenantClusters",
    "/tenantClusters/0/ingresses",
    "/tenantClusters/0/dnsConfigMaps",
];

const HOST_DELIVERIES: [&str; 4] = ["auto", "overlay", "package", "helmRelease"];
const TENANT_DELIVERIES: [&str; 4] = ["auto", "addon", "remoteHelmRelease", "ownFlux"];

/// What a person wrote.
#[derive(Clone, Debug)]
struct Wishes {
    host: Value,
    tenant: Value,
    max: usize,
    proxy_protocol: bool,
    disabled: bool,
    is_referenced: bool,
}

/// What the cluster shows.
#[derive(Clone, Debug)]
struct Seen {
    minutes: i64,
    /// One bit for every host.
    host: u8,
    /// One bit for every host of the tenant; `None`: the tenant is gone.
    tenant: Option<u8>,
    addons: usize,
    /// What the live `coredns-custom` has of ours: nothing, something, or what is committed.
    keys: u8,
    /// Whether the live Corefile has a `hosts` that reads our key.
    reads_hosts: bool,
    /// Whether there is a proxy with an address.
    has_proxy: bool,
    is_overlaid: bool,
    /// One bit for every source that cannot be read.
    lost: u8,
}

fn wishes() -> impl Strategy<Value = Wishes> {
    let enabled = || prop_oneof![3 => Just(json!("auto")), 1 => Just(json!(true)), 1 => Just(json!(false))];
    let engine = || {
        let form = prop_oneof![Just("auto"), Just("rewrite-snippet"), Just("hosts-file")];
        (prop_oneof![Just("static"), Just("ouroboros")], form)
    };
    let host = (enabled(), engine(), 0_usize..4);
    let tenant = (enabled(), engine(), 0_usize..4, any::<bool>());
    (
        host,
        tenant,
        prop_oneof![Just(0_usize), Just(2), Just(9)],
        prop::bool::weighted(0.8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(host, tenant, max, proxy_protocol, disabled, is_referenced)| Wishes {
            host: json!({
                "enabled": host.0,
                "engine": host.1.0,
                "static": {"records": host.1.1},
                "delivery": HOST_DELIVERIES[host.2],
            }),
            tenant: json!({
                "enabled": tenant.0,
                "engine": tenant.1.0,
                "static": {"records": tenant.1.1},
                "delivery": TENANT_DELIVERIES[tenant.2],
                "proxyProtocol": tenant.3,
            }),
            max,
            proxy_protocol,
            disabled,
            is_referenced,
        })
}

fn seen() -> impl Strategy<Value = Seen> {
    let tenant = prop::option::weighted(0.8, 0_u8..16);
    let lost = prop_oneof![2 => Just(0_u8), 1 => any::<u8>()];
    let dns = (0_u8..3, any::<bool>(), any::<bool>());
    (0_i64..25, 0_u8..16, tenant, 0_usize..3, dns, any::<bool>(), lost).prop_map(
        |(minutes, host, tenant, addons, (keys, reads_hosts, has_proxy), is_overlaid, lost)| Seen {
            minutes,
            host,
            tenant,
            addons,
            keys,
            reads_hosts,
            has_proxy,
            is_overlaid,
            lost,
        },
    )
}

fn start(version: usize) -> World {
    let world = match version {
        0 => World::cozystack("v1.4.6"),
        1 => World::cozystack("v1.5.4"),
        2 => World::cozystack("v1.6.2"),
        _ => World::generic(),
    };
    world.with(
        "/hostnames",
        json!({"delegations": [{"namespaces": ["web", "tenant-acme"], "suffixes": ["example.net"]}], "reserved": ["h0.example.net"]}),
    )
}

fn is_generic(world: &World) -> bool {
    world.platform.is_null()
}

/// The world with what a person wrote; on a cluster of no platform only what is lawful there.
fn wish(world: World, wishes: &Wishes) -> World {
    let (mut host, mut tenant) = (wishes.host.clone(), wishes.tenant.clone());
    (tenant["namespace"], tenant["name"]) = (json!("tenant-acme"), json!("shop"));
    let world = if is_generic(&world) {
        host["delivery"] = json!("helmRelease");
        if tenant["delivery"] == "addon" {
            tenant["delivery"] = json!("auto");
        }
        tenant["ingress"] = ingress_config();
        tenant["kubeconfig"] = json!({"name": "shop-kubeconfig", "key": "value"});
        world.with("/ingress/proxyProtocol", json!(wishes.proxy_protocol))
    } else {
        let names = if wishes.disabled { json!(["cozystack.ouroboros"]) } else { json!([]) };
        world
            .platform("/publishing/proxyProtocol", json!(wishes.proxy_protocol))
            .platform("/bundles/disabledPackages", names)
    };
    let list = if wishes.is_referenced {
        format!("components: [../{FOLDER}/manifests/{TENANT}/addon]\n")
    } else {
        "resources: []\n".to_owned()
    };
    world
        .with("/host", host)
        .with("/tenants/overrides", json!([tenant]))
        .with("/removal", json!({"max": wishes.max, "maxShare": "0%", "confirmAfter": "10m"}))
        .file("apps/kustomization.yaml", &list)
}

fn hosts(bits: u8, domain: &str) -> Vec<String> {
    (0..4).filter(|bit| bits & (1 << bit) != 0).map(|bit| format!("h{bit}.{domain}")).collect()
}

/// The world with what the cluster shows now.
fn show(world: World, seen: &Seen) -> World {
    let names = hosts(seen.host, "example.net");
    let each: Vec<_> = names.iter().map(|name| [name.as_str()]).collect();
    let ingresses: Vec<_> = each.iter().map(|name| ("web", name[0], &name[..])).collect();
    let corefile = if seen.reads_hosts { HOSTS_COREFILE } else { TENANT_COREFILE };
    let mut host = cluster(&ingresses, Some(corefile));
    let mut world = world.later(seen.minutes);
    let custom = |folder: &str| {
        let mut custom = config_map("coredns-custom", "bobbypin.override", "x");
        if seen.keys == 2 {
            custom["data"] = json!(world.data(folder));
        }
        (seen.keys > 0).then_some(custom)
    };
    let (host_keys, tenant_keys) = (custom("host"), custom(TENANT));
    host["dnsConfigMaps"]["items"].as_array_mut().expect("a list").extend(host_keys);
    let namespace = if is_generic(&world) { "ouroboros" } else { "cozy-ouroboros" };
    let proxies = seen.has_proxy.then(|| service(namespace, "ouroboros-proxy", &["10.96.0.7"]));
    let services = present(json!(proxies.into_iter().collect::<Vec<_>>()));
    host["services"] = services.clone();
    world = match seen.tenant {
        Some(bits) => {
            let mut addons = if seen.addons == 0 { plain() } else { proxied() };
            addons["ouroboros"] = json!({"enabled": seen.addons == 2});
            let names = hosts(bits, "t.example.net");
            let mut world = world.shown(addons, &names.iter().map(String::as_str).collect::<Vec<_>>());
            world = world.seen("/tenantClusters/0/services", services);
            let maps = world.inventory.pointer_mut("/tenantClusters/0/dnsConfigMaps/items").expect("it was shown");
            maps[0]["data"]["Corefile"] = json!(corefile);
            maps.as_array_mut().expect("a list").extend(tenant_keys);
            world
        }
        None => world.seen("/tenants", present(json!([]))).seen("/tenantClusters", json!([])),
    };
    let leaf = if seen.is_overlaid { json!({"controller": {"ingressClass": "x"}}) } else { json!({}) };
    let spec = json!({"variant": "default", "components": {"ouroboros": {"values": {"ouroboros": leaf}}}});
    let world = world.seen("/host", host).seen("/packages", present(json!([package("cozystack.ouroboros", spec)])));
    lose(world, seen.lost)
}

/// The world with sources that cannot be read.
fn lose(world: World, lost: u8) -> World {
    SOURCES.iter().enumerate().filter(|(bit, _)| lost & (1 << bit) != 0).fold(world, |world, (_, source)| {
        let is_there = world.inventory.pointer(source).is_some();
        match *source {
            "/tenantClusters" => world.seen(source, json!([])),
            _ if is_there => world.seen(source, unknown()),
            _ => world,
        }
    })
}

fn below(tree: &Tree, folder: &str) -> BTreeMap<RepoPath, Entry> {
    tree.below(&format!("{FOLDER}/manifests/{folder}")).map(|(path, entry)| (path.clone(), entry.clone())).collect()
}

/// The files that a run would delete and the hosts that it would take out of committed records.
fn losses(world: &World) -> BTreeSet<String> {
    let deleted = world
        .decided()
        .changes
        .files
        .into_iter()
        .filter(|file| file.new.is_none() && !file.path.as_str().ends_with("state.yaml"));
    let mut lost: BTreeSet<_> = deleted.map(|file| file.path.to_string()).collect();
    let after = world.clone().commit();
    for folder in ["host", TENANT] {
        lost.extend(world.records(folder).difference(&after.records(folder)).map(|host| format!("{folder} {host}")));
    }
    lost
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn through_every_history_a_commit_leaves_nothing_to_do_and_a_held_layer_as_it_was(
        version in 0_usize..4,
        history in prop::collection::vec((prop::option::weighted(0.4, wishes()), seen()), 1..6),
        first in wishes(),
    ) {
        let mut world = wish(start(version), &first);
        for (wishes, seen) in &history {
            if let Some(wishes) = wishes {
                world = wish(world, wishes);
            }
            world = show(world, seen);
            // That it decides at all says that every document that it renders is valid.
            let decided = world.decided();
            let after = world.clone().commit();
            for layer in &decided.plans[0].layers {
                if let Decision::Hold { .. } = layer.decision {
                    let folder = layer.layer.folder();
                    prop_assert_eq!(below(&world.tree, &folder), below(&after.tree, &folder), "{} is held", folder);
                }
            }
            let again = after.decided();
            let left: Vec<_> = again.changes.files.iter().map(|file| file.path.as_str()).collect();
            prop_assert!(left.is_empty(), "{left:?} after {seen:?}\n{:?}\n{:?}", decided.plans, again.plans);
            world = after;
        }
    }

    #[test]
    fn what_could_not_be_read_takes_nothing_away_that_would_have_stayed(
        version in 0_usize..4,
        wished in wishes(),
        earlier in prop::collection::vec(seen(), 1..3),
        now in seen(),
        lost in 1_u8..=255,
    ) {
        let mut world = wish(start(version), &wished);
        for seen in &earlier {
            world = show(world, &Seen { lost: 0, ..seen.clone() }).commit();
        }
        let known = show(world, &Seen { lost: 0, ..now });
        let blind = lose(known.clone(), lost);
        let (known, blind) = (losses(&known), losses(&blind));
        prop_assert!(blind.is_subset(&known), "{:?} with {lost:b}", blind.difference(&known));
    }

    #[test]
    fn the_order_of_the_input_does_not_reach_the_output(version in 0_usize..4, wished in wishes(), seen in seen(), seed in any::<u64>()) {
        let world = show(wish(start(version), &wished), &Seen { lost: 0, ..seen });
        let mut mixed = world.clone();
        let mut state = seed;
        for value in [&mut mixed.inventory, &mut mixed.platform, &mut mixed.spec, &mut mixed.pins] {
            shuffle(value, &mut state);
        }
        let written = |world: &World| {
            let files = world.decided().changes.files;
            files.into_iter().map(|file| (file.path, file.new)).collect::<Vec<_>>()
        };
        prop_assert_eq!(written(&world), written(&mixed));
        prop_assert_eq!(&world.decided().plans, &mixed.decided().plans);
    }

    #[test]
    fn records_follow_a_model_that_is_small_enough_to_be_believed(
        max in 0_usize..4,
        form in prop_oneof![Just("rewrite-snippet"), Just("hosts-file")],
        history in prop::collection::vec((0_i64..14, prop::option::weighted(0.85, 0_u8..16)), 1..9),
    ) {
        let mut world = World::generic()
            .with("/host/engine", json!("static"))
            .with("/host/static", json!({"records": form}))
            .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
            .with("/removal", json!({"max": max, "maxShare": "50%", "confirmAfter": "10m"}));
        let mut model = Model::default();
        for (minutes, bits) in history {
            let names = bits.map(|bits| hosts(bits, "example.net"));
            let each: Vec<_> = names.iter().flatten().map(|name| [name.as_str()]).collect();
            let ingresses: Vec<_> = each.iter().map(|name| ("web", name[0], &name[..])).collect();
            world = world.later(minutes).seen("/host", cluster(&ingresses, Some(HOSTS_COREFILE)));
            let proxy = service("ouroboros", "ouroboros-proxy", &["10.96.0.7", "fd00::7"]);
            world = world.seen("/host/services", present(json!([proxy])));
            if names.is_none() {
                world = world.seen("/host/ingresses", unknown());
            }
            model.step(world.minute, names.map(BTreeSet::from_iter), max);
            world = world.commit();
            prop_assert_eq!(world.records("host"), model.committed.clone());
        }
    }
}

/// What the records of one layer are, told in as few words as possible.
#[derive(Default)]
struct Model {
    committed: BTreeSet<String>,
    missing_since: BTreeMap<String, i64>,
}

impl Model {
    fn step(&mut self, now: i64, seen: Option<BTreeSet<String>>, max: usize) {
        let Some(seen) = seen else { return };
        let missing: BTreeSet<_> = self.committed.difference(&seen).cloned().collect();
        let is_total = seen.is_empty() && !self.committed.is_empty();
        if is_total || missing.len() > max.max(self.committed.len() / 2) {
            return;
        }
        let since = |host: &String| *self.missing_since.get(host).unwrap_or(&now);
        let kept: BTreeMap<_, _> =
            missing.iter().map(|host| (host.clone(), since(host))).filter(|(_, since)| now - since < 10).collect();
        self.committed = seen.into_iter().chain(kept.keys().cloned()).collect();
        self.missing_since = kept;
    }
}

/// Puts the keys of every map, and the entries of every list whose order means nothing, into another order.
fn shuffle(value: &mut Value, state: &mut u64) {
    let mut next = |bound: usize| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).expect("31 bits") % bound
    };
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
            for index in (1..entries.len()).rev() {
                entries.swap(index, next(index + 1));
            }
            entries.iter_mut().for_each(|(_, value)| shuffle(value, state));
            map.extend(entries);
        }
        Value::Array(list) => {
            for index in (1..list.len()).rev() {
                list.swap(index, next(index + 1));
            }
            list.iter_mut().for_each(|value| shuffle(value, state));
        }
        _ => {}
    }
}
