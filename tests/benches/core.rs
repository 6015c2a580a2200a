//! The pure steps, and the whole decision.

use std::hint::black_box;

use bobbypin::{
    config::{self, inventory::parse_inventory, problem::Source},
    diff,
    dns::block,
    manifest::{Manifests, Validated},
    model::{
        hostname::Hostname,
        name::Name,
        tree::{Entry, Tree},
    },
    ops::{
        decide::{Decided, clusters, decide},
        load::Cluster,
    },
    plan::{
        self, Decision,
        release::{Answer, Records},
    },
    render::{self, Templates},
};
use criterion::Criterion;
use jiff::Timestamp;

use crate::fleet::Fleet;

pub(crate) fn benches(criterion: &mut Criterion) {
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("nobody has made the threads yet");
    parse(criterion);
    for (name, fleet, layers) in [
        ("1 host cluster, 2000 hosts", Fleet::of_hosts(2000), 1),
        ("50 tenants, 2000 hosts", Fleet::of_tenants(50), 51),
    ] {
        pipeline(criterion, name, &fleet, layers);
    }
    one_host_more(criterion);
    record_forms(criterion);
}

/// The forms of records at their largest.
fn record_forms(criterion: &mut Criterion) {
    let fleet = Fleet::of_hosts(1);
    let (tree, request) = (fleet.tree(), fleet.request());
    let cluster = &clusters(&tree, &request).expect("a lawful cluster")[0];
    let mut plan = plan::plan(&cluster.inputs(&tree, None));
    let host = |number| Hostname::parse(&format!("host-{number:05}.apps.example.org")).expect("a lawful name");
    let hosts: Vec<_> = (0..20_000).map(host).collect();
    let addresses = ["10.96.0.7".parse().expect("an address")].into();
    let Decision::Deliver { release, .. } = &mut plan.layers[0].decision else { panic!("the host is served") };
    release.records =
        Some(Records { hosts: hosts.clone(), answers: vec![Answer::HostsFile { addresses }], carrier: None });
    let templates = Templates::new(&cluster.templates).expect("the embedded templates");
    criterion.bench_function("hosts file of 20000 hosts/render, validate", |bencher| {
        bencher.iter(|| {
            let (manifests, rules) = render::render(&[(black_box(&plan), &templates)]).expect("the embedded templates");
            manifests.validate(&rules).expect("lawful manifests")
        });
    });
    let file = "kind: ConfigMap\nmetadata:\n  name: coredns\n  namespace: kube-system\ndata:\n  Corefile: |\n    .:53 {\n      \
                reload\n    }\n";
    let target = "ouroboros-proxy.ouroboros.svc.cluster.local.";
    let written = block::write(file, &hosts[..2000], target).expect("a plain file");
    criterion.bench_function("block of 2000 records/write one more into a file of the repository", |bencher| {
        bencher.iter(|| block::write(black_box(&written), &hosts[..2001], target).expect("a plain file"));
    });
}

fn parse(criterion: &mut Criterion) {
    let fleet = Fleet::of_hosts(2000);
    let name = Name::parse("fleet").expect("a literal that parses");
    let (path, text) = &fleet.settings[0];
    let cluster = Source { path: (*path).to_owned(), bytes: text.as_bytes().into() };
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("cluster.yaml, 20 delegations", |bencher| {
        bencher.iter(|| config::parse_cluster(black_box(&cluster), &name).expect("lawful settings"));
    });
    for (what, source) in
        [("inventory of 2000 hosts, JSON", fleet.json()), ("inventory of 2000 hosts, YAML", fleet.yaml())]
    {
        group.bench_function(what, |bencher| {
            bencher.iter(|| parse_inventory(black_box(&source), Timestamp::UNIX_EPOCH).expect("a lawful inventory"));
        });
    }
    group.finish();
}

fn pipeline(criterion: &mut Criterion, name: &str, fleet: &Fleet, layers: usize) {
    let (tree, request) = (fleet.tree(), fleet.request());
    let decided = decide(&tree, &request).expect("a lawful cluster");
    let delivered = decided.plans[0].layers.iter().filter(|layer| matches!(layer.decision, Decision::Deliver { .. }));
    assert_eq!(delivered.count(), layers, "every layer is served: {:#?}", decided.plans[0].layers[0].decision);
    let committed = with_manifests(&tree, &decided);

    let mut group = criterion.benchmark_group(name);
    group.bench_function("plan, render, validate", |bencher| {
        let read = clusters(&tree, &request).expect("a lawful cluster");
        bencher.iter(|| plan_render_validate(black_box(&read[0]), &tree));
    });
    group.bench_function("diff without a difference", |bencher| {
        bencher.iter(|| diff::diff(black_box(&committed), &decided.manifests).expect("nothing is in the way"));
    });
    group.bench_function("load, decide, diff: first run", |bencher| {
        bencher.iter(|| decide(black_box(&tree), &request).expect("a lawful cluster"));
    });
    group.bench_function("load, decide, diff: nothing to do", |bencher| {
        bencher.iter(|| {
            let decided = decide(black_box(&committed), &request).expect("a lawful cluster");
            assert!(decided.changes.is_empty());
        });
    });
    group.finish();
}

fn one_host_more(criterion: &mut Criterion) {
    let mut fleet = Fleet::of_hosts(1999);
    let tree = fleet.tree();
    let committed = with_manifests(&tree, &decide(&tree, &fleet.request()).expect("a lawful cluster"));
    fleet.add_host();
    let request = fleet.request();
    criterion.bench_function("1999 hosts/load, decide, diff: one host more", |bencher| {
        bencher.iter(|| {
            let decided = decide(black_box(&committed), &request).expect("a lawful cluster");
            assert_eq!(decided.changes.files.len(), 1);
        });
    });
}

fn plan_render_validate(cluster: &Cluster, tree: &Tree) -> Manifests<Validated> {
    let plan = plan::plan(&cluster.inputs(tree, None));
    let templates = Templates::new(&cluster.templates).expect("the embedded templates");
    let (manifests, rules) = render::render(&[(&plan, &templates)]).expect("the embedded templates");
    manifests.validate(&rules).expect("lawful manifests")
}

/// The tree after the commit.
fn with_manifests(tree: &Tree, decided: &Decided) -> Tree {
    let mut tree = tree.clone();
    for (path, file) in decided.manifests.clusters().iter().flat_map(|cluster| &cluster.files) {
        tree.entries.insert(path.clone(), Entry::File(file.text.as_bytes().into()));
    }
    tree
}
