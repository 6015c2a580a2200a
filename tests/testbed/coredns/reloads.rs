//! What CoreDNS does when a file changes while it runs, and when it is started with a bad one.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use bobbypin::{
    dns::{
        corefile::{
            parser::Files,
            validate::{Verdict, judge},
        },
        snippet,
    },
    model::hostname::Hostname,
};

use crate::{
    coredns::answers::SERVER,
    support::{
        dns::{CoreDns, Kind, Way, ask},
        poll,
        process::free_port,
    },
};

const TARGET: &str = "ouroboros-proxy.ouroboros.svc.cluster.local.";
const LIMIT: Duration = Duration::from_secs(60);

fn records(hosts: &[&str]) -> String {
    let hosts: BTreeSet<_> = hosts.iter().map(|host| Hostname::parse(host).expect("a host")).collect();
    snippet::write(&hosts, TARGET)
}

fn start(records: &str) -> (CoreDns, SocketAddr, String) {
    let port = free_port();
    let corefile = SERVER.replace("RECORDS", "import FOLDER/*.override").replace("PORT", &port.to_string());
    let server = CoreDns::start("coredns", &corefile, &[(snippet::KEY, records)]).expect("a Corefile that loads");
    (server, SocketAddr::from(([127, 0, 0, 1], port)), corefile)
}

/// Puts a file in the place of another one at once, as the kubelet does.
fn replace(folder: &Path, text: &str) {
    fs::write(folder.join("next"), text).expect("a folder of ours");
    fs::rename(folder.join("next"), folder.join(snippet::KEY)).expect("a folder of ours");
}

fn is_redirected(server: SocketAddr, name: &str) -> bool {
    ask(server, name, Kind::A, Way::Udp).is_ok_and(|answer| !answer.addresses.is_empty())
}

#[test]
fn records_change_without_a_failed_answer() {
    let (server, address, _) = start(&records(&["old.example.org", "stays.example.org"]));
    let (is_done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for way in [Way::Udp, Way::Tcp] {
            scope.spawn({
                let (is_done, asked) = (&is_done, &asked);
                move || {
                    while !is_done.load(Ordering::Relaxed) {
                        let ask = || ask(address, "stays.example.org", Kind::A, way);
                        // A connection that waits for the old listener when that is closed is reset, and made again, as
                        // every resolver does. An answer is never wrong, and a question over UDP never without one.
                        let answer = match ask() {
                            Err(error) if way == Way::Tcp && error.kind() == ErrorKind::ConnectionReset => ask(),
                            answer => answer,
                        };
                        let answer = answer.map(|answer| answer.addresses.len());
                        if !matches!(answer, Ok(1)) {
                            is_done.store(true, Ordering::Relaxed);
                            panic!("{answer:?} over {way:?}");
                        }
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let changed = (0..3).all(|round| {
            let name = format!("new{round}.example.org");
            replace(server.folder(), &records(&["stays.example.org", &name]));
            let is_new = || (is_done.load(Ordering::Relaxed) || is_redirected(address, &name)).then_some(());
            poll(LIMIT, is_new).is_some() && !is_redirected(address, "old.example.org")
        });
        let failed = is_done.swap(true, Ordering::Relaxed);
        assert!(changed && !failed, "{}", server.log());
    });
    assert!(asked.into_inner() > 1000, "{}", server.log());
}

#[test]
fn a_bad_file_changes_nothing_while_the_server_runs_and_keeps_it_from_starting() {
    for (bad, told) in [
        // What a plugin refuses, and what the parser does.
        ("rewrite name {1}.example.org x.\n", "Corefile changed but reload failed"),
        ("import /nowhere/file\n", "Corefile parse failed"),
    ] {
        let (server, address, corefile) = start(&records(&["a.example.org"]));
        let bad = records(&["a.example.org", "b.example.org"]) + bad;
        let judgement = judge(&corefile, &|_| Files::Known(vec![("bobbypin.override", &bad)]));
        assert_eq!(judgement.verdict(), Verdict::Refuses, "{judgement:?}");
        replace(server.folder(), &bad);
        let has_told = || server.log().contains(told).then_some(());
        assert!(poll(LIMIT, has_told).is_some(), "{}", server.log());
        assert!(is_redirected(address, "a.example.org"), "the old records stay");
        assert!(!is_redirected(address, "b.example.org"), "nothing of the bad file counts");
        let folder = server.folder().to_owned();
        let refusal = server.restart("coredns").expect_err("a server does not start with it");
        assert!(!refusal.is_empty());
        fs::remove_dir_all(&folder).expect("a folder of ours");
    }
}

#[test]
fn a_repaired_file_counts_again() {
    let (server, address, _) = start(&records(&["a.example.org"]));
    replace(server.folder(), "rewrite name a.example.org (\n");
    let has_failed = || server.log().contains("reload failed").then_some(());
    assert!(poll(LIMIT, has_failed).is_some(), "{}", server.log());
    replace(server.folder(), &records(&["b.example.org"]));
    let is_new = || is_redirected(address, "b.example.org").then_some(());
    assert!(poll(LIMIT, is_new).is_some(), "{}", server.log());
}

#[test]
fn a_hosts_file_that_is_gone_stays_in_use_and_an_empty_one_does_not() {
    let hosts = "hosts FOLDER/bobbypin.hosts {\n        reload 100ms\n        fallthrough\n    }";
    let port = free_port();
    let corefile = SERVER.replace("RECORDS", hosts).replace("    cache 30\n", "").replace("PORT", &port.to_string());
    let records = [("bobbypin.hosts", "192.0.2.53 a.example.org\n")];
    let server = CoreDns::start("coredns", &corefile, &records).expect("a Corefile that loads");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert!(is_redirected(address, "a.example.org"), "{}", server.log());
    let file = server.folder().join("bobbypin.hosts");
    fs::remove_file(&file).expect("a folder of ours");
    let is_over = || (!is_redirected(address, "a.example.org")).then_some(());
    assert_eq!(poll(Duration::from_secs(1), is_over), None, "ten looks later");
    fs::write(&file, "").expect("a folder of ours");
    assert!(poll(LIMIT, is_over).is_some(), "{}", server.log());
}
