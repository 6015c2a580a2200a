//! From many Ingresses to the decision about their hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
};

use bobbypin::{
    dns::{
        claims, ouroboros,
        policy::{self, Claimant, Memory, Policy},
    },
    model::{
        hostname::Hostname,
        inventory::{IngressObject, ObjectMeta},
    },
};
use criterion::Criterion;
use jiff::{SignedDuration, Timestamp};

const INGRESSES: usize = 100_000;

pub(crate) fn benches(criterion: &mut Criterion) {
    let ingresses: Vec<_> = (0..INGRESSES).map(ingress).collect();
    let policy = policy();
    let (nothing, owners) = (BTreeSet::new(), BTreeMap::new());
    let memory = |committed| Memory {
        committed,
        owners: &owners,
        now: Timestamp::UNIX_EPOCH,
        retention: SignedDuration::from_hours(24),
        proves_absence: true,
    };
    let first = policy::decide(
        claims::of_ingresses(&ingresses, Some("nginx")),
        Claimant::ItsNamespace,
        &policy,
        &memory(&nothing),
    );
    assert_eq!((first.records.len(), first.findings.len()), (98_000, 2_000), "one of fifty is refused");
    let committed: BTreeSet<Hostname> = first.records.into_keys().collect();

    let mut group = criterion.benchmark_group("100000 Ingresses");
    for (name, committed) in [("first run", &nothing), ("all of them committed", &committed)] {
        group.bench_function(format!("extract, policy: {name}"), |bencher| {
            bencher.iter(|| {
                let claims = claims::of_ingresses(black_box(&ingresses), Some("nginx"));
                policy::decide(claims, Claimant::ItsNamespace, &policy, &memory(committed))
            });
        });
    }
    group.bench_function("what ouroboros redirects", |bencher| {
        bencher.iter(|| ouroboros::redirected(claims::of_ingresses(black_box(&ingresses), Some("nginx"))));
    });
    group.finish();
}

/// A thousand namespaces of a hundred Ingresses, in no order of name or age; one of fifty claims what is not its own.
fn ingress(index: usize) -> IngressObject {
    let mixed = index * 7_919 % INGRESSES;
    let space = mixed % 1000;
    let host = if mixed % 50 == 49 {
        format!("app-{mixed}.elsewhere.example.org")
    } else {
        format!("app-{mixed}.web-{space}.example.net")
    };
    IngressObject {
        meta: ObjectMeta {
            namespace: format!("web-{space}").into(),
            name: format!("app-{mixed}").into(),
            uid: format!("{mixed:08x}-6a0f-4c1e-9b1d-3d6b2f1f7a10"),
            created: Timestamp::from_second(i64::try_from(mixed % 86_400).expect("a small number")).ok(),
        },
        class: Some("nginx".to_owned()),
        rule_hosts: vec![host.clone()],
        tls_hosts: vec![host],
    }
}

fn policy() -> Policy {
    let host = |text: String| Hostname::parse(&text).expect("a lawful name");
    Policy {
        grants: (0..1000)
            .map(|space| (format!("web-{space}"), vec![host(format!("web-{space}.example.net"))]))
            .collect(),
        reserved: BTreeMap::from([(host("git.example.org".to_owned()), "for the Git server")]),
        denied_suffixes: vec!["k8s.example.org".to_owned()],
        quota_per_namespace: 100,
        quota_total: INGRESSES,
        ..Policy::default()
    }
}
