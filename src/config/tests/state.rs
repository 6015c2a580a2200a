//! What is written is what is read again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{STATE, name, source};
use crate::{
    config::{parse_state, state_text},
    model::{
        cluster::CorefilePath,
        hostname::Hostname,
        layer::{Layer, TenantId},
        state::{HostOwner, LayerState, State},
    },
};

fn host(text: &str) -> Hostname {
    Hostname::parse(text).expect("a literal that parses")
}

fn path(text: &str) -> CorefilePath {
    CorefilePath::parse(text).expect("a literal that parses")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a literal that parses")
}

#[test]
fn the_text_of_a_state_is_fixed_and_sorted() {
    let noon = time("2026-01-31T12:00:00Z");
    let tenant = |text| Layer::Tenant(TenantId { namespace: name("tenant-acme"), name: name(text) });
    let state = State {
        layers: BTreeMap::from([
            (tenant("shop"), LayerState { leaving: Some(noon), ..LayerState::default() }),
            (tenant("idle"), LayerState::default()),
            (
                tenant("on"),
                LayerState {
                    uid: Some("0f5c2a58-6a0f-4c1e-9b1d-3d6b2f1f7a10".to_owned()),
                    tombstones: BTreeMap::from([(host("1.e5"), noon)]),
                    owners: BTreeMap::new(),
                    leaving: Some(noon),
                    gone: Some(noon),
                    replaced: Some(noon),
                    corefile: Some(path("clusters/core \"dns\".yaml")),
                },
            ),
            (
                Layer::Host,
                LayerState {
                    uid: None,
                    tombstones: BTreeMap::from([
                        (host("b.example.org"), time("2026-01-31T12:00:00.5Z")),
                        (host("a.example.org"), noon),
                    ]),
                    owners: BTreeMap::from([
                        (
                            host("a.example.org"),
                            HostOwner { namespace: name("on"), name: name("1e3"), uid: None, gone: Some(noon) },
                        ),
                        (
                            host("c.example.org"),
                            HostOwner {
                                namespace: name("web"),
                                name: name("shop.v2"),
                                uid: Some("5b1c5a4e-0000-4c1e-9b1d-3d6b2f1f7a10".to_owned()),
                                gone: None,
                            },
                        ),
                    ]),
                    ..LayerState::default()
                },
            ),
        ]),
    };
    assert_eq!(state_text(&state, &name("edge")), STATE);
    let empty = state_text(&State::default(), &name("edge"));
    assert!(empty.ends_with("spec:\n  layers: []\n"), "{empty}");
    assert_eq!(parse_state(&source("state.yaml", &empty), &name("edge")), Ok(State::default()));
}

#[test]
fn a_layer_of_which_a_person_removed_the_memory_is_forgotten() {
    let text = STATE.replace("\n    leaving: \"2026-01-31T12:00:00Z\"", "");
    let state = parse_state(&source("state.yaml", &text), &name("edge")).unwrap();
    let layers: Vec<_> = state.layers.keys().map(ToString::to_string).collect();
    assert_eq!(layers, ["host", "tenant tenant-acme/on"]);
}

prop_compose! {
    fn times()(seconds in -60_000_000_000_i64..250_000_000_000, nanosecond in prop_oneof![Just(0), 0..1_000_000_000]) -> Timestamp {
        Timestamp::new(seconds, nanosecond).expect("a year between 1 and 9999")
    }
}

fn hosts() -> impl Strategy<Value = Hostname> {
    "[a-z0-9]{1,9}([.][a-z0-9]([a-z0-9]{0,5}-)?[a-z0-9]){0,2}[.]([a-z][a-z0-9]{0,5}|[0-9]e[0-9])"
        .prop_filter_map("labels with `--` in third place are reserved", |text| Hostname::parse(&text).ok())
}

fn layers() -> impl Strategy<Value = Layer> {
    let word = || "(true|null|on|0|1e3|0x1f|[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?)".prop_map(|text| name(&text));
    prop_oneof![
        Just(Layer::Host),
        (word(), word()).prop_map(|(namespace, name)| Layer::Tenant(TenantId { namespace, name })),
    ]
}

fn states() -> impl Strategy<Value = State> {
    let uid = prop::option::of("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
    let word = || "(true|null|0|1e3|[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?)".prop_map(|text| name(&text));
    let owner = (word(), word(), uid.clone(), prop::option::of(times()))
        .prop_map(|(namespace, name, uid, gone)| HostOwner { namespace, name, uid, gone });
    let (tombstones, owners) =
        (prop::collection::btree_map(hosts(), times(), 0..5), prop::collection::btree_map(hosts(), owner, 0..5));
    let file = "clusters/[-a-z0-9 \"'#:é]{1,12}(/[a-z{}]{1,5})?\\.yaml".prop_map(|text| path(&text));
    let memory = (uid, tombstones, owners, prop::array::uniform3(prop::option::of(times())), prop::option::of(file))
        .prop_map(|(uid, tombstones, owners, [leaving, gone, replaced], corefile)| LayerState {
            uid,
            tombstones,
            owners,
            leaving,
            gone,
            replaced,
            corefile,
        });
    prop::collection::btree_map(layers(), memory, 0..6).prop_map(|mut layers| {
        // The identity of the host is in its settings.
        layers.entry(Layer::Host).and_modify(|memory| memory.uid = None);
        layers.retain(|_, memory| !memory.is_empty());
        State { layers }
    })
}

proptest! {
    #[test]
    fn a_state_that_was_written_is_read_as_it_was(state in states(), cluster in "[a-z0-9]{1,9}") {
        let cluster = name(&cluster);
        let text = state_text(&state, &cluster);
        prop_assert_eq!(parse_state(&source("state.yaml", &text), &cluster), Ok(state.clone()));
        prop_assert_eq!(state_text(&state, &cluster), text);
    }
}
