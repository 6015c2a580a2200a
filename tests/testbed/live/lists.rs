//! A list is whole, whatever happens to the server meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use bobbypin::model::observed::Observed;

use super::{Ask, names, unknown};
use crate::support::{
    api_server::{ApiServer, Options},
    poll,
};

fn shops(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("shop-{number:05}")).collect()
}

#[test]
fn ten_thousand_ingresses_come_whole_in_pages_of_any_size() {
    let server = ApiServer::start(&Options::default());
    server.admin().create_ingresses("default", 0..10_000).unwrap();
    let read = |page_size| {
        let mut ask = Ask::new(&server.kubeconfig("admin"));
        ask.limits.page_size = page_size;
        ask.read()
    };
    let large = read(500);
    assert_eq!(names(&large, "default"), shops(0..10_000));
    assert_eq!(large.host.uid, Observed::Present(server.uid()));
    let Observed::Present(ingresses) = &large.host.ingresses else { unreachable!("it has names") };
    assert_eq!(ingresses[4711].tls_hosts, ["shop-04711.example.org"]);
    assert_eq!(ingresses[4711].rule_hosts, ["shop-04711.example.org"]);
    assert_eq!(ingresses[4711].class.as_deref(), Some("nginx"));
    for page_size in [1, 7] {
        assert_eq!(read(page_size).host, large.host, "pages of {page_size}");
    }
}

#[test]
fn what_comes_and_goes_between_pages_is_seen_as_of_one_moment() {
    let server = ApiServer::start(&Options::default());
    let admin = server.admin();
    admin.create_ingresses("default", 0..1_000).unwrap();
    admin.namespace("zz-moving").unwrap();
    let end = AtomicBool::new(false);
    let moving = |number: usize| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: moving-{number:05}, namespace: zz-moving}}, spec: {{rules: [{{host: moving-{number:05}.example.org}}]}}}}"
        )
    };
    thread::scope(|scope| {
        // At any moment there is the last one, or the last two: they stand at the end of the list, so that a list whose
        // pages were of different moments would show others.
        scope.spawn(|| {
            admin.create(&moving(0)).unwrap();
            for number in 1.. {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                admin.create(&moving(number)).unwrap();
                admin.delete(&moving(number - 1)).unwrap();
            }
        });
        poll(Duration::from_secs(10), || {
            admin.get("networking.k8s.io/v1", "Ingress", Some("zz-moving"), "moving-00003").ok()
        });
        let mut seen = Vec::new();
        for page_size in [1, 7, 500, 1, 7, 500] {
            let mut ask = Ask::new(&server.kubeconfig("admin"));
            ask.limits.page_size = page_size;
            let inventory = ask.read();
            assert_eq!(names(&inventory, "default"), shops(0..1_000));
            let moving = names(&inventory, "zz-moving");
            assert!(matches!(moving.len(), 1 | 2), "{moving:?}");
            seen.extend(moving);
        }
        end.store(true, Ordering::Relaxed);
        assert!(seen.first() != seen.last(), "nothing moved: {seen:?}");
    });
}

#[test]
fn a_snapshot_that_the_server_forgets_is_read_anew_and_never_in_part() {
    let server = ApiServer::start(&Options { compaction: Some(Duration::from_secs(1)), ..Options::default() });
    let admin = server.admin();
    admin.create_ingresses("default", 0..3_000).unwrap();
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        // History goes on only when something is written.
        scope.spawn(|| {
            for number in 0.. {
                if end.load(Ordering::Relaxed) {
                    break;
                }
                let text = format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: tick, namespace: default}}, data: {{a: \"{number}\"}}}}");
                admin.apply(&text).unwrap();
                thread::yield_now();
            }
        });
        // Three thousand pages take longer than the server remembers.
        let mut ask = Ask::new(&server.kubeconfig("admin"));
        ask.limits.page_size = 1;
        let slow = ask.read();
        let quick = Ask::new(&server.kubeconfig("admin")).read();
        end.store(true, Ordering::Relaxed);
        let (reason, message) = unknown(&slow.host.ingresses);
        assert_eq!(reason, "Expired", "{message}");
        assert!(
            message.starts_with("ingresses: page ") && message.ends_with("; the list was begun 3 times"),
            "{message}"
        );
        assert_eq!(names(&quick, "default"), shops(0..3_000));
    });
}

#[test]
fn a_server_that_dies_in_the_middle_of_a_list_leaves_no_part_of_it() {
    let mut server = ApiServer::start(&Options::default());
    server.admin().create_ingresses("default", 0..2_000).unwrap();
    let kubeconfig = server.kubeconfig("admin");
    let ask = || {
        let mut ask = Ask::new(&kubeconfig);
        ask.limits.page_size = 1;
        ask
    };
    let reader = thread::scope(|scope| {
        let reader = scope.spawn(|| ask().read());
        // The server counts what it answered.
        let listed = || {
            let metrics = server.admin().text("/metrics").ok()?;
            let line = metrics.lines().find(|line| {
                line.starts_with("apiserver_request_total{")
                    && line.contains("resource=\"ingresses\"")
                    && line.contains("verb=\"LIST\"")
            })?;
            (line.rsplit(' ').next()?.parse::<f64>().ok()? > 50.0).then_some(())
        };
        poll(Duration::from_secs(30), listed).expect("a list on its way");
        server.kill();
        reader.join().expect("no panic")
    });
    let (reason, message) = unknown(&reader.host.ingresses);
    assert_eq!(reason, "Unreachable", "{message}");
    assert!(message.starts_with("ingresses: page "), "{message}");
    let dead = ask().read();
    assert_eq!(unknown(&dead.host.uid).0, "Unreachable");
    assert_eq!(unknown(&dead.host.ingresses), unknown(&dead.host.uid));
    server.restart();
    assert_eq!(names(&ask().read(), "default"), shops(0..2_000));
}
