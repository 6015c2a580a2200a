//! The pages of an API server, beside what a JSON parser does with the same bytes.

use std::hint::black_box;

use bobbypin::config::inventory::{Collection, Kind};
use criterion::{Criterion, Throughput};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

pub(crate) fn benches(criterion: &mut Criterion) {
    let page = page(500);
    let mut group = criterion.benchmark_group("page of 500 Ingresses");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            let mut collection = Collection::new(Kind::Ingress);
            collection.add(black_box(&page)).expect("a lawful page");
            collection.into_ingresses().expect("each of them once")
        });
    });
    group.bench_function("serde_json, passed over", |bencher| {
        bencher.iter(|| serde_json::from_slice::<IgnoredAny>(black_box(&page)).expect("JSON"));
    });
    group.bench_function("serde_json, as a value", |bencher| {
        bencher.iter(|| serde_json::from_slice::<Value>(black_box(&page)).expect("JSON"));
    });
    group.finish();
}

/// A page as an API server writes it: most of an Ingress says who wrote which field.
fn page(count: usize) -> Vec<u8> {
    let items: Vec<Value> = (0..count).map(ingress).collect();
    json!({
        "kind": "IngressList",
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"resourceVersion": "123456", "continue": "eyJ2IjoibWV0YS5rOHMuaW8vdjEi", "remainingItemCount": 7},
        "items": items,
    })
    .to_string()
    .into_bytes()
}

fn ingress(n: usize) -> Value {
    let host = format!("shop-{n}.example.org");
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let rules = json!([{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]);
    let spec = json!({
        "ingressClassName": "nginx",
        "tls": [{"hosts": [host], "secretName": format!("shop-{n}-tls")}],
        "rules": rules,
    });
    let annotations = json!({
        "cert-manager.io/cluster-issuer": "letsencrypt",
        "kubectl.kubernetes.io/last-applied-configuration": json!({"kind": "Ingress", "spec": spec}).to_string(),
    });
    let fields = json!({
        "f:metadata": {
            "f:annotations": {
                ".": {},
                "f:cert-manager.io/cluster-issuer": {},
                "f:kubectl.kubernetes.io/last-applied-configuration": {},
            },
            "f:labels": {".": {}, "f:app.kubernetes.io/instance": {}, "f:app.kubernetes.io/name": {}},
        },
        "f:spec": {"f:ingressClassName": {}, "f:rules": {}, "f:tls": {}},
    });
    let managed = |manager: &str, fields: &Value| {
        json!({
            "manager": manager, "operation": "Update", "apiVersion": "networking.k8s.io/v1",
            "time": "2026-01-02T03:04:05Z", "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    };
    json!({
        "metadata": {
            "name": format!("web-{n}"),
            "namespace": format!("tenant-{}", n / 20),
            "uid": format!("0f5c6f0a-53a7-4c43-8f0c-{n:012}"),
            "resourceVersion": (100_000 + n).to_string(),
            "generation": 1,
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"app.kubernetes.io/instance": format!("web-{n}"), "app.kubernetes.io/name": "web"},
            "annotations": annotations,
            "managedFields": [
                managed("kubectl-client-side-apply", &fields),
                managed("nginx-ingress-controller", &json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}})),
            ],
        },
        "spec": spec,
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    })
}
