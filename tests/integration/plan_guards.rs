//! What an inventory cannot do: take committed records away, whatever it says.

use std::collections::{BTreeMap, BTreeSet};

use bobbypin::plan::Decision;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plan_world::{
    FOLDER, TENANT, TENANT_COREFILE, World, cluster, config_map, ingress, package, present, proxied, rules, time,
    unknown,
};

/// The hosts of the host cluster: those of a namespace that a person gave a suffix, and of one that has the platform's.
const HOSTS: [(&str, &str); 8] = [
    ("web", "a.example.net"),
    ("web", "b.example.net"),
    ("web", "c.example.net"),
    ("web", "d.example.net"),
    ("cozy-x", "a.prod.example.org"),
    ("cozy-x", "b.prod.example.org"),
    ("cozy-x", "c.prod.example.org"),
    ("cozy-x", "d.prod.example.org"),
];

/// The hosts of the tenant, which it has by the platform's host.
const TENANT_HOSTS: [&str; 4] =
    ["a.acme.prod.example.org", "b.acme.prod.example.org", "c.acme.prod.example.org", "d.acme.prod.example.org"];

/// What an inventory says.
#[derive(Clone, Debug)]
struct Said {
    minutes: i64,
    /// One bit for every host.
    hosts: u8,
    /// One bit for every host of the tenant.
    tenant_hosts: u8,
    class: &'static str,
    /// The namespace of a GitRepository and the names that it and its like fetch from.
    sources: Option<(&'static str, u16)>,
    /// The API servers of the host, of the tenant and of the platform's settings.
    servers: [Option<usize>; 3],
    platform_host: &'static str,
    domain: &'static str,
    has_uids: bool,
    /// One bit for every source that cannot be read.
    lost: u8,
    /// Whether the controller has written its block.
    has_block: bool,
}

/// An inventory of a cluster in which all is well.
fn well() -> Said {
    Said {
        minutes: 1,
        hosts: 0xff,
        tenant_hosts: 0xf,
        class: "tenant-root",
        sources: Some(("flux-system", 0)),
        servers: [None; 3],
        platform_host: "prod.example.org",
        domain: "cozy.local",
        has_uids: true,
        lost: 0,
        has_block: false,
    }
}

/// One where anything may be wrong, but most is not.
fn said() -> impl Strategy<Value = Said> {
    let hosts = prop_oneof![4 => Just(0xff_u8), 2 => any::<u8>(), 1 => Just(0_u8)];
    let tenant_hosts = prop_oneof![4 => Just(0xf_u8), 1 => 0_u8..16];
    let server = || prop::option::weighted(0.2, 0..HOSTS.len() + TENANT_HOSTS.len());
    let namespace = prop::sample::select(vec!["team-evil", "flux-system"]);
    let sources = prop::option::weighted(0.5, (namespace, prop_oneof![Just(0_u16), Just(0xfff), any::<u16>()]));
    let class = prop_oneof![5 => Just("tenant-root"), 1 => Just("other")];
    let platform = prop_oneof![3 => Just("prod.example.org"), 1 => Just("prod.exmple.org"), 1 => Just("acme.prod.example.org"), 1 => Just("-")];
    let domain = prop_oneof![4 => Just("cozy.local"), 1 => Just("example.net"), 1 => Just("org")];
    let minutes = prop_oneof![0_i64..6, 5_i64..30];
    let rest = (prop::bool::weighted(0.8), prop_oneof![3 => Just(0_u8), 1 => any::<u8>()], any::<bool>());
    (minutes, (hosts, tenant_hosts, class), sources, (server(), server(), server()), platform, domain, rest).prop_map(
        |(minutes, (hosts, tenant_hosts, class), sources, servers, platform_host, domain, rest)| Said {
            minutes,
            hosts,
            tenant_hosts,
            class,
            sources,
            servers: servers.into(),
            platform_host,
            domain,
            has_uids: rest.0,
            lost: rest.1,
            has_block: rest.2,
        },
    )
}

fn all() -> Vec<&'static str> {
    HOSTS.iter().map(|(_, host)| *host).chain(TENANT_HOSTS).collect()
}

/// A live cozystack with a tenant, all of whose hosts have records.
fn start() -> World {
    let entry = json!({"engine": "static", "static": {"records": "rewrite-snippet"}, "delivery": "remoteHelmRelease"});
    let world = World::cozystack("v1.6.2")
        .with("/platform", json!({"kind": "cozystack", "version": "v1.6.2", "live": true}))
        .with("/access", json!({"uid": "uid-of-edge"}))
        .with("/host", json!({"engine": "static", "static": {"records": "rewrite-snippet"}}))
        .with("/hostnames", json!({"delegations": [{"namespaces": ["web"], "suffixes": ["example.net"]}]}))
        .tenant(entry, proxied(), &[]);
    let world = show(world, &well()).commit();
    assert_eq!((world.records("host").len(), world.records(TENANT).len()), (8, 4), "{:?}", world.decided().plans);
    world
}

/// The world with what an inventory says of it.
fn show(world: World, said: &Said) -> World {
    let shown: Vec<_> = HOSTS.iter().enumerate().filter(|(bit, _)| said.hosts & (1 << bit) != 0).collect();
    let ingresses = shown.iter().map(|(_, (namespace, host))| ingress(namespace, host, said.class, &[host])).collect();
    let lines: String = HOSTS.iter().map(|(_, host)| format!("    rewrite name {host} x.\n")).collect();
    let block = format!("    # === BEGIN ouroboros (do not edit by hand) ===\n{lines}    # === END ouroboros ===\n");
    let block = if said.has_block { block } else { String::new() };
    let corefile =
        TENANT_COREFILE.replace("cluster.local", "cozy.local").replace("    reload", &(block + "    reload"));
    let mut custom = config_map("coredns-custom", "x", "");
    custom["data"] = json!(world.data("host"));
    let maps = json!([config_map("coredns", "Corefile", &corefile), custom]);
    let mut host = json!({"ingresses": present(ingresses), "dnsConfigMaps": present(maps)});
    let names = TENANT_HOSTS.iter().enumerate().filter(|(bit, _)| said.tenant_hosts & (1 << bit) != 0);
    let names: Vec<_> = names.map(|(_, host)| *host).collect();
    let mut tenant = cluster(&[("shop", "web", &names)], Some(TENANT_COREFILE));
    (tenant["namespace"], tenant["name"]) = (json!("tenant-acme"), json!("shop"));
    let server = |index: usize| said.servers[index].map_or(Value::Null, |index| json!(all()[index]));
    (host["apiServer"], tenant["apiServer"]) = (server(0), server(1));
    if said.has_uids {
        tenant["uid"] = json!("uid-of-shop");
    }
    let values = json!({
        "publishing": {"host": said.platform_host, "proxyProtocol": true},
        "networking": {"clusterDomain": said.domain},
    });
    let live = json!({"variant": "isp-full", "components": {"platform": {"values": values}}});
    let settings =
        server(2).as_str().map_or(json!({}), |name| json!({"api-server-endpoint": format!("https://{name}:6443")}));
    let sources = said.sources.map_or_else(Vec::new, |(namespace, bits)| {
        let fetched = all().into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0);
        fetched.map(|(index, name)| source(namespace, &format!("s{index}"), name)).collect()
    });
    let world = world
        .later(said.minutes)
        .seen("/uid", if said.has_uids { json!("uid-of-edge") } else { Value::Null })
        .seen("/host", host)
        .seen("/tenantClusters", json!([tenant]))
        .seen("/packages", present(json!([package("cozystack.cozystack-platform", live)])))
        .seen("/platformSettings", json!({"state": "Present", "settings": settings}))
        .seen("/gitRepositories", present(json!(sources)));
    let lost = ["/gitRepositories", "/platformSettings", "/host/ingresses", "/packages", "/tenantClusters/0/ingresses"];
    let lost = lost.into_iter().enumerate().filter(|(bit, _)| said.lost & (1 << bit) != 0);
    lost.fold(world, |world, (_, source)| world.seen(source, unknown()))
}

fn source(namespace: &str, name: &str, server: &str) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"namespace": namespace, "name": name}, "spec": {"url": format!("https://{server}/x")},
    })
}

/// The committed tombstones of a layer that are old enough to let their hosts go.
fn confirmed(world: &World, layer: &str) -> BTreeSet<String> {
    let bytes = world.tree.file(&format!("{FOLDER}/state.yaml")).map(|bytes| bytes.to_vec()).unwrap_or_default();
    let state: Value = serde_yaml::from_slice(&bytes).unwrap_or_default();
    let layers = state.pointer("/spec/layers").and_then(Value::as_array).cloned().unwrap_or_default();
    let tombstones = layers
        .iter()
        .filter(|memory| memory["layer"] == layer)
        .flat_map(|memory| memory["tombstones"].as_array().cloned().unwrap_or_default());
    let oldest = time(world.minute - 10).to_string();
    let is_old = |tombstone: &Value| tombstone["since"].as_str().is_some_and(|since| since <= oldest.as_str());
    tombstones.filter(is_old).map(|tombstone| tombstone["host"].as_str().expect("a name").to_owned()).collect()
}

/// The records that a run takes away, by layer.
fn lost(before: &World, after: &World) -> BTreeMap<&'static str, BTreeSet<String>> {
    let folders = [("host", "host"), ("tenant", TENANT)];
    folders.map(|(layer, folder)| (layer, &before.records(folder) - &after.records(folder))).into()
}

fn missing(world: &World) -> Option<usize> {
    world.decided().plans[0].refusal.as_ref().map(|refusal| refusal.missing.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_inventories_say_records_go_by_tombstone_and_within_the_budget(
        history in prop::collection::vec((said(), prop::bool::weighted(0.2)), 1..8),
    ) {
        let mut world = start();
        for (said, changes_engine) in history {
            if changes_engine {
                let other = if world.spec["host"]["engine"] == "static" { "ouroboros" } else { "static" };
                world = world.with("/host/engine", json!(other));
            }
            world = show(world, &said);
            let decided = world.decided();
            let after = world.clone().commit();
            let lost = lost(&world, &after);
            let committed = world.records("host").len() + world.records(TENANT).len();
            // What the controller of ouroboros is asked to answer for is not lost by the end of the record.
            let layer = &decided.plans[0].layers[0];
            let is_by_controller = world.spec["host"]["engine"] == "ouroboros";
            let answered: BTreeSet<_> = layer.hosts.keys().filter(|_| is_by_controller).cloned().collect();
            if let Decision::Hold { .. } = layer.decision {
                prop_assert!(lost["host"].is_empty(), "{said:?}");
            }
            let unanswered: BTreeMap<_, _> = lost.iter().map(|(layer, hosts)| {
                let hosts = if *layer == "host" { hosts - &answered } else { hosts.clone() };
                (*layer, hosts)
            }).collect();
            for (layer, hosts) in &unanswered {
                let confirmed = confirmed(&world, layer);
                prop_assert!(hosts.is_subset(&confirmed), "{layer}: {hosts:?}, and only {confirmed:?} may go: {said:?}");
                prop_assert!(said.has_uids || hosts.is_empty(), "{hosts:?} by an inventory of nobody: {said:?}");
            }
            let count: usize = unanswered.values().map(BTreeSet::len).sum();
            prop_assert!(count <= 5.max(committed / 5), "{count} of {committed}: {said:?}");
            world = after;
        }
    }
}

#[test]
fn nobody_reserves_the_names_of_others_with_a_source_of_flux() {
    let evil = show(start(), &Said { sources: Some(("team-evil", 0xfff)), ..well() });
    assert_eq!((missing(&evil), rules(&evil.decided()).contains(&"HostReserved")), (None, false));
    let evil = evil.commit();
    assert_eq!((evil.records("host").len(), evil.records(TENANT).len()), (8, 4));
    // A source beside our own reserves its name. What has a record keeps it until that is confirmed, and not all goes.
    let one = show(start(), &Said { sources: Some(("flux-system", 1)), ..well() });
    assert!(rules(&one.decided()).contains(&"HostReserved"));
    let one = one.commit();
    assert_eq!(one.records("host").len(), 8);
    assert_eq!(one.clone().later(9).commit().records("host").len(), 8);
    assert_eq!(one.later(10).commit().records("host").len(), 7);
    let many = show(start(), &Said { sources: Some(("flux-system", 0x3f)), ..well() });
    assert_eq!((missing(&many), many.host().as_str()), (Some(6), "Hold RemovalsNotAccepted Guard"));
}

#[test]
fn a_kubeconfig_reserves_names_of_its_own_tenant_and_of_no_other() {
    let found = |namespace: &str| {
        let mut world = show(start(), &Said { servers: [None, Some(8), None], ..well() });
        world.spec["tenants"] = json!({"defaults": world.spec["tenants"]["overrides"][0].clone()});
        for key in ["namespace", "name"] {
            world.spec["tenants"]["defaults"].as_object_mut().expect("a map").remove(key);
        }
        world.seen("/tenantClusters/0/namespace", json!(namespace))
    };
    assert!(rules(&found("tenant-acme").decided()).contains(&"HostReserved"), "it could have the name itself");
    let mut other = found("tenant-acme").seen("/tenantClusters/0/apiServer", json!("a.example.net"));
    assert!(!rules(&other.decided()).contains(&"HostReserved"), "the name is of another namespace");
    other = show(start(), &Said { servers: [None, Some(0), None], ..well() });
    assert!(rules(&other.decided()).contains(&"HostReserved"), "cluster.yaml lists the tenant");
}

#[test]
fn another_host_of_the_live_platform_takes_nothing_away_at_once() {
    let typo = show(start(), &Said { platform_host: "prod.exmple.org", ..well() });
    assert_eq!(missing(&typo), Some(8), "four of the host and four of the tenant");
    assert_eq!(
        (typo.host().as_str(), typo.tenant_line().as_str()),
        ("Hold RemovalsNotAccepted Guard", "Hold RemovalsNotAccepted Guard")
    );
    let domain = show(start(), &Said { domain: "example.net", ..well() });
    assert_eq!(domain.commit().records("host").len(), 8);
    // The same in a file of Git is what a person says, and needs no proof.
    let file = World::cozystack("v1.6.2")
        .with("/host", json!({"engine": "static", "static": {"records": "rewrite-snippet"}}))
        .seen("/host/ingresses", present(json!([ingress("cozy-x", "a", "tenant-root", &["a.example.org"])])))
        .seen(
            "/host/dnsConfigMaps",
            present(json!([config_map(
                "coredns",
                "Corefile",
                &TENANT_COREFILE.replace("cluster.local", "cozy.local")
            )])),
        )
        .commit();
    assert_eq!(file.records("host").len(), 1);
    assert_eq!(file.platform("/publishing/host", json!("example.com")).commit().records("host").len(), 0);
}

#[test]
fn the_controller_takes_over_no_names_that_are_missing_from_the_list() {
    let on = |said: Said| show(start().with("/host/engine", json!("ouroboros")), &Said { has_block: true, ..said });
    let empty = on(Said { hosts: 0, ..well() });
    assert_eq!((missing(&empty), empty.host().as_str()), (Some(8), "Hold RemovalsNotAccepted Guard"));
    let other = on(Said { class: "other", ..well() });
    assert_eq!(other.host(), "Hold RemovalsNotAccepted Guard");
    // One of eight is missing: all stay until that is confirmed, then it goes, then the others go over.
    let seven = Said { hosts: 0x7f, has_block: true, ..well() };
    let mut world = on(seven.clone()).commit();
    assert_eq!(world.records("host").len(), 8);
    world = show(world, &Said { minutes: 9, ..seven.clone() }).commit();
    assert_eq!(world.records("host").len(), 8);
    world = show(world, &Said { minutes: 1, ..seven.clone() }).commit();
    assert_eq!(world.records("host").len(), 7);
    world = show(world, &Said { minutes: 4, ..seven.clone() }).commit();
    assert_eq!(world.records("host").len(), 7);
    world = show(world, &Said { minutes: 1, ..seven }).commit();
    assert_eq!(world.records("host").len(), 0, "the controller answers since five minutes");
}

#[test]
fn while_nobody_knows_the_name_of_the_git_server_new_hosts_wait() {
    let fewer = Said { hosts: 0x7f, ..well() };
    let begun = || show(show(start(), &fewer).commit(), &Said { minutes: 10, ..fewer.clone() }).commit();
    assert_eq!(begun().records("host").len(), 7);
    let blind = show(begun(), &Said { lost: 1, ..well() });
    let told: Vec<_> =
        blind.decided().plans[0].findings.iter().filter(|one| one.rule == "HostWaits").cloned().collect();
    insta::assert_snapshot!(format!("{} {}\n{}", told[0].subject, told[0].message, told[0].fix.as_deref().unwrap()), @"
    Ingress/cozy-x/d.prod.example.org host d.prod.example.org gets no record yet, because it might be the name of the Git server that Flux reads: the GitRepositories could not be read: no right to list it (Forbidden)
    let the account that reads the cluster list them, or name the Git server that Flux reads by spec.publish.remote in bobbypin.yaml or by spec.hostnames.reserved in cluster.yaml
    ");
    assert_eq!((blind.host().as_str(), blind.commit().records("host").len()), ("Deliver ProxyProtocolOn overlay", 7));
    let named = |world: World| world.commit().records("host").len();
    let blind = show(begun(), &Said { lost: 1, ..well() });
    assert_eq!(named(blind.clone().with("/hostnames/reserved", json!(["git.example.net"]))), 8);
    let publish = json!({"remote": "https://git.example.org/acme/fleet.git"});
    let repository = json!({"apiVersion": "bobbypin.dev/v1alpha1", "kind": "Repository", "metadata": {"name": "fleet"}, "spec": {"publish": publish}});
    assert_eq!(named(blind.file("bobbypin.yaml", &repository.to_string())), 8);
    assert_eq!(named(show(begun(), &well()).seen("/gitRepositories", Value::Null)), 8, "nobody asked for them");
}

#[test]
fn an_inventory_that_does_not_say_which_tenant_it_is_of_proves_nothing_gone() {
    let gone = Said { tenant_hosts: 0x7, ..well() };
    let before = show(start(), &gone).commit();
    let mut nameless = show(before.clone(), &Said { minutes: 60, ..gone.clone() });
    nameless.inventory["tenantClusters"][0].as_object_mut().expect("a map").remove("uid");
    assert!(rules(&nameless.decided()).contains(&"AbsenceNotProven"));
    assert_eq!(nameless.commit().records(TENANT).len(), 4);
    assert_eq!(show(before, &Said { minutes: 60, ..gone }).commit().records(TENANT).len(), 3);
}
