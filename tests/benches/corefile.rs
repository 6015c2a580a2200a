//! A Corefile with many records: read, judged, searched and edited.

use std::{collections::BTreeSet, hint::black_box};

use bobbypin::{
    dns::corefile::{
        editor::{Markers, Place, insert},
        lint::{Delivery, LintContext, lint},
        parser::Files,
        validate::judge,
    },
    model::hostname::Hostname,
};
use criterion::{BenchmarkId, Criterion};

pub(crate) fn benches(criterion: &mut Criterion) {
    let markers = Markers::new("# --- BEGIN records ---", "# --- END records ---").expect("two comments");
    let place = Place { zone: ".", port: 53, markers, owns: bobbypin::dns::snippet::is_record };
    let plain = ".:53 {\n    errors\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n    reload\n}\n";
    let mut group = criterion.benchmark_group("Corefile");
    // Twice as many must cost twice as much.
    for count in [1000, 2000, 4000] {
        let names: Vec<_> = (0..count).map(|index| format!("host-{index}.shop.example.org")).collect();
        let rules = |target: &str| names.iter().map(|name| format!("rewrite name {name} {target}")).collect::<Vec<_>>();
        let text = insert(plain, &place, &rules("proxy.x.svc.cluster.local.")).expect("a Corefile that can be edited");
        let changed = rules("other.x.svc.cluster.local.");
        let hosts: BTreeSet<_> = names.iter().map(|name| Hostname::parse(name).expect("a host")).collect();
        group.bench_function(BenchmarkId::new("edit", count), |bencher| {
            bencher.iter(|| insert(black_box(&text), &place, &changed).expect("one block"));
        });
        group.bench_function(BenchmarkId::new("judge", count), |bencher| {
            bencher.iter(|| judge(black_box(&text), &|_| Files::Unknown));
        });
        let context = LintContext {
            subject: "Corefile",
            delivery: Some(Delivery::Block),
            custom: None,
            has_node_local_dns: false,
            hosts: &hosts,
        };
        group.bench_function(BenchmarkId::new("lint", count), |bencher| {
            bencher.iter(|| lint(black_box(&text), &context));
        });
    }
    group.finish();
}
