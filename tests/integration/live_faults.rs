//! What an API server may do wrong, at every page of a list: the list is whole or it is unknown, and says why.
#![expect(clippy::disallowed_methods, reason = "this test writes kubeconfigs and looks at the clock")]

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use bobbypin::{
    edge::kube::{
        HostRequest, Limits, Reading, TenantsBy, Way,
        kubeconfig::{Allowed, ServerPolicy},
        read,
    },
    model::{
        inventory::{IngressObject, Inventory},
        name::Name,
        observed::Observed,
    },
};

mod lies;
mod rows;

use self::{
    lies::LIES,
    rows::{
        ANSWERS, CANARY, Place, Row, SLOW,
        Seen::{self, Unknown, Whole},
        refuse,
    },
};
use crate::support::api_server::{
    ApiServer, Cluster, Fault, INGRESSES, Items, Script, TOKEN, UID, host_of, ingresses, kubeconfig,
};

/// How many objects a cluster has, and how many are on a page.
#[derive(Clone, Copy)]
struct Size {
    objects: usize,
    page: usize,
}

impl Size {
    fn pages(self) -> usize {
        self.objects.div_ceil(self.page)
    }
}

/// Small lists, which go wrong at every page; and large ones, which go wrong at some.
const SMALL: [Size; 2] = [Size { objects: 8, page: 1 }, Size { objects: 53, page: 7 }];
const LARGE: [Size; 2] = [Size { objects: 5000, page: 500 }, Size { objects: 5000, page: 7 }];

struct Case {
    name: Name,
    told: String,
    page: usize,
    size: Size,
    expected: Seen,
    cluster: Arc<Cluster>,
    path: std::path::PathBuf,
}

impl Row {
    fn is_at(&self, page: usize, pages: usize) -> bool {
        match self.place {
            Place::Any => true,
            Place::BeforeOthers => page < pages,
            Place::AfterOthers => page > 1,
        }
    }

    /// The case of this fault at a page, once or always.
    fn case(&self, server: &ApiServer, folder: &Path, items: &Items, size: Size, page: usize, is_once: bool) -> Case {
        let authority = server.authority();
        let number = server.count();
        let name = format!("case-{number}");
        let times = if is_once { 1 } else { usize::MAX };
        let script = Script { path: INGRESSES.to_owned(), page, times, fault: self.fault };
        let cluster = Cluster { wants_token: true, ..Cluster::of_ingresses(items.clone()).with(script) };
        let (url, cluster) = server.add(&name, cluster);
        let path = folder.join(&name);
        fs::write(&path, kubeconfig(&url, Some(TOKEN), authority)).expect("a writable folder");
        Case {
            name: Name::parse(&name).expect("a name"),
            told: format!(
                "{} at page {page} of {}, {}",
                self.name,
                size.pages(),
                if is_once { "once" } else { "always" }
            ),
            page,
            size,
            expected: if is_once { self.once } else { self.always },
            cluster,
            path,
        }
    }
}

impl Case {
    /// What is wrong with what was read.
    fn judge(&self, inventory: &Inventory) -> Result<(), String> {
        let sins = self.cluster.sins.lock().expect("no thread panics with it");
        if let Some(sin) = sins.first() {
            return Err(sin.clone());
        }
        match (&inventory.host.ingresses, self.expected) {
            (Observed::Present(found), Whole) => is_whole(found, self.size.objects),
            (Observed::Unknown(unknown), Unknown(reason, words)) => {
                let message = &unknown.message;
                let is_named = message.starts_with("ingresses: ") && message.contains(words);
                // Pages that do not agree are told of at the later one.
                let is_placed = message.contains(&format!("page {}", self.page))
                    || reason == "Inconsistent"
                    || reason == "TooLarge";
                if unknown.reason == reason && is_named && is_placed && is_plain(message) {
                    return Ok(());
                }
                Err(format!("{reason}, {words:?} is expected, not {unknown:?}"))
            }
            (Observed::Present(found), Unknown(..)) => Err(format!("{} objects are taken for the whole", found.len())),
            (Observed::Unknown(unknown), Whole) => Err(format!("the whole is expected, not {unknown:?}")),
            (Observed::Absent, _) => Err("it is taken for absent".to_owned()),
        }
    }
}

fn is_whole(found: &[IngressObject], count: usize) -> Result<(), String> {
    let found: Vec<_> = found.iter().flat_map(|object| object.rule_hosts.iter().cloned()).collect();
    let wanted: Vec<_> = (0..count).map(host_of).collect();
    if found == wanted { Ok(()) } else { Err(format!("{} hosts of {count} are found", found.len())) }
}

/// Whether a message is one line of plain text, without secrets.
fn is_plain(message: &str) -> bool {
    let is_safe =
        |c: char| !c.is_control() && !('\u{200b}'..='\u{200f}').contains(&c) && !('\u{2028}'..='\u{2069}').contains(&c);
    message.chars().all(is_safe) && !message.contains(TOKEN) && message.len() < 900
}

/// Reads all clusters. Gives for each what is wrong, and how long the longest took.
fn judge(cases: &[Case], limits: Limits, jobs: usize) -> (Vec<String>, Duration) {
    let mut wrong = Vec::new();
    let mut longest = Duration::ZERO;
    let mut by_page: BTreeMap<usize, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        by_page.entry(case.size.page).or_default().push(case);
    }
    for (page, cases) in by_page {
        let ended: Arc<Mutex<BTreeMap<String, Instant>>> = Arc::default();
        let note = ended.clone();
        let reading = Reading {
            limits: Limits { page_size: u32::try_from(page).expect("a page is small"), ..limits },
            jobs,
            progress: Box::new(move |progress| {
                note.lock().expect("no thread panics with it").insert(progress.cluster, Instant::now());
            }),
        };
        let requests = cases.iter().map(|case| request(case.name.clone(), &case.path)).collect();
        let inventories = read(requests, reading).expect("the system has threads");
        assert_eq!(inventories.len(), cases.len());
        let ended = ended.lock().expect("no thread panics with it");
        for (case, inventory) in cases.into_iter().zip(inventories) {
            let begun = case.cluster.begun.lock().expect("no thread panics with it").expect("it was asked");
            let took = ended[case.name.as_str()] - begun;
            longest = longest.max(took);
            if inventory.cluster.as_ref() != Some(&case.name) {
                wrong.push(format!("{}: another cluster's inventory", case.told));
            }
            if let Err(why) = case.judge(&inventory) {
                wrong.push(format!("{}: {why}", case.told));
            }
        }
    }
    (wrong, longest)
}

fn request(name: Name, kubeconfig: &Path) -> HostRequest {
    HostRequest {
        name,
        way: Way::Files { paths: vec![kubeconfig.to_owned()], context: None, allowed: Allowed::default() },
        uid: None,
        namespaces: Vec::new(),
        tenants_by: TenantsBy::Settings,
        services: Box::new(|_| Vec::new()),
        tenants: Box::new(|_| Vec::new()),
        policy: ServerPolicy { allow_loopback: true, allow_link_local: false },
    }
}

/// Time enough for a machine that does much else; what waits for nothing never needs it.
const LIMITS: Limits = Limits {
    cluster: Duration::from_secs(30),
    request: Duration::from_secs(10),
    tries: 3,
    backoff: Duration::from_millis(1),
    starts: 3,
    page_size: 500,
    answer_bytes: 1 << 20,
    list_bytes: 64 << 20,
    pages: 60,
};

/// The most that all these cases together may be beyond the limits, for a machine that does much else.
const SLACK: Duration = Duration::from_secs(3);

#[test]
fn in_3000_cases_a_list_is_whole_or_unknown_and_no_host_is_dropped() {
    let canary = ApiServer::start();
    CANARY.store(canary.port(), Ordering::SeqCst);
    let server = ApiServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut quick = Vec::new();
    let mut slow = Vec::new();
    let mut large = Vec::new();
    let all = ingresses(LARGE[0].objects);
    let rows: Vec<_> = ANSWERS.iter().chain(LIES).collect();
    for (rows, cases) in [(rows.clone(), &mut quick), (SLOW.iter().collect(), &mut slow)] {
        for row in rows {
            for size in SMALL {
                let items = Items::Held(all.range(0, size.objects).into());
                for page in (1..=size.pages()).filter(|page| row.is_at(*page, size.pages())) {
                    for is_once in [true, false] {
                        cases.push(row.case(&server, folder.path(), &items, size, page, is_once));
                    }
                }
            }
        }
    }
    for (number, row) in rows.into_iter().enumerate() {
        // The place walks through the list.
        let size = LARGE[0];
        let page = 2 + number % (size.pages() - 2);
        if number % 2 == 0 {
            large.push(row.case(&server, folder.path(), &all, size, page, number % 4 == 0));
        }
        if number % 16 == 1 {
            let size = LARGE[1];
            let page = 2 + number * 97 % (size.pages() - 2);
            large.push(row.case(&server, folder.path(), &all, size, page, number % 32 == 1));
        }
    }
    let count = quick.len() + slow.len() + large.len();
    assert!(count >= 3000, "{count} cases");

    let mut wrong = Vec::new();
    let begin = Instant::now();
    let (more, longest) = judge(&quick, LIMITS, 16);
    wrong.extend(more);
    assert!(longest < LIMITS.cluster + SLACK, "{longest:?}");
    let quick_took = begin.elapsed();

    let limits = Limits { cluster: Duration::from_millis(1500), request: Duration::from_millis(200), ..LIMITS };
    let begin = Instant::now();
    let (more, longest) = judge(&slow, limits, 64);
    wrong.extend(more);
    assert!(longest < limits.cluster + SLACK, "{longest:?}");
    let slow_took = begin.elapsed();

    let begin = Instant::now();
    let (more, longest) = judge(&large, Limits { pages: 800, list_bytes: 24 << 20, ..LIMITS }, 4);
    wrong.extend(more);
    assert!(longest < LIMITS.cluster + SLACK, "{longest:?}");
    let large_took = begin.elapsed();

    wrong.dedup_by_key(|text| text.split_once(" at page").map(|(name, _)| name.to_owned()));
    let shown: Vec<_> = wrong.iter().take(60).map(String::as_str).collect();
    assert!(
        wrong.is_empty(),
        "{} of {count} cases ({quick_took:?}, {slow_took:?}, {large_took:?}):\n{}",
        wrong.len(),
        shown.join("\n")
    );
    assert_eq!(canary.connections(), 0, "a redirection was followed");
}

#[test]
fn whatever_goes_wrong_with_the_other_questions_nothing_is_taken_for_absent() {
    const NAMESPACE: &str = "/api/v1/namespaces/kube-system";
    const DNS: &str = "/api/v1/namespaces/kube-system/configmaps/coredns";
    const RESOURCES: &str = "/apis/networking.k8s.io/v1";
    let map = r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"coredns","namespace":"kube-system"},"data":{"Corefile":". {}"}}"#;
    let canary = ApiServer::start();
    CANARY.store(canary.port(), Ordering::SeqCst);
    let server = ApiServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let items = ingresses(3);
    let mut asked = Vec::new();
    for (number, row) in ANSWERS.iter().enumerate() {
        for (place, source) in [
            (NAMESPACE, "the namespace kube-system: "),
            ("/apis", "ingresses: the list of APIs: "),
            (RESOURCES, "ingresses: the list of resources of networking.k8s.io/v1: "),
            (DNS, "configmaps kube-system/coredns: "),
        ] {
            for times in [1, usize::MAX] {
                let name = format!("other-{number}-{}-{}", asked.len(), times.min(2));
                let mut cluster = Cluster { wants_token: true, ..Cluster::of_ingresses(items.clone()) };
                cluster.objects.insert(DNS.to_owned(), map.to_owned());
                cluster = cluster.with(Script { path: place.to_owned(), page: 1, times, fault: row.fault });
                if place == RESOURCES {
                    // It is asked for only when the list is said to be nowhere.
                    let nowhere = Fault::Wire(|s, _| refuse(s, "404 Not Found", "", "404 page not found"));
                    cluster =
                        cluster.with(Script { path: INGRESSES.to_owned(), page: 1, times: usize::MAX, fault: nowhere });
                }
                let (url, _) = server.add(&name, cluster);
                let path = folder.path().join(&name);
                fs::write(&path, kubeconfig(&url, Some(TOKEN), server.authority())).expect("a writable folder");
                asked.push((Name::parse(&name).expect("a name"), path, row.name, place, source, times));
            }
        }
    }
    assert!(asked.len() > 400, "{} cases", asked.len());
    let requests = asked.iter().map(|(name, path, ..)| request(name.clone(), path)).collect();
    let reading = Reading { limits: LIMITS, jobs: 16, progress: Box::new(|_| ()) };
    let inventories = read(requests, reading).expect("the system has threads");
    let mut wrong = Vec::new();
    for ((_, _, row, place, source, times), inventory) in asked.iter().zip(inventories) {
        let Inventory { host, .. } = inventory;
        let is_said_absent = *place == DNS && *row == "404, a Status";
        let (is_whole, is_absent, unknown) = match *place {
            NAMESPACE => (
                host.uid == Observed::Present(UID.to_owned()),
                host.uid == Observed::Absent,
                host.uid.unread().cloned(),
            ),
            DNS => {
                let maps = &host.dns_config_maps;
                let is_whole = maps.present().is_some_and(|maps| maps.contains_key("coredns") || is_said_absent);
                (is_whole, !is_whole && maps.present().is_some(), maps.unread().cloned())
            }
            _ => {
                let found = &host.ingresses;
                let is_whole = found.present().is_some_and(|found| is_whole(found, 3).is_ok());
                (is_whole, *found == Observed::Absent, found.unread().cloned())
            }
        };
        let is_told = unknown.as_ref().is_some_and(|unknown| {
            let is_named = unknown.message.starts_with(source)
                || *place == RESOURCES && unknown.message.starts_with("ingresses: page 1: the server answers 404");
            is_named && is_plain(&unknown.message)
        });
        if is_absent || is_whole == is_told {
            wrong.push(format!("{row} of {place}, {times} times: {unknown:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), asked.len(), wrong.join("\n"));
    assert_eq!(canary.connections(), 0, "a redirection was followed");
}

/// A server that has just started lists the APIs that it has set up so far, and answers 503 for all others.
#[test]
fn an_api_that_is_not_listed_yet_is_unknown_and_one_that_there_is_not_is_absent() {
    const GROUP: &str = "/apis/gateway.networking.k8s.io";
    let server = ApiServer::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gateways = |name: &str, fault: Option<Fault>| {
        let mut cluster = Cluster { wants_token: true, ..Cluster::of_ingresses(ingresses(3)) };
        if let Some(fault) = fault {
            cluster = cluster.with(Script { path: GROUP.to_owned(), page: 1, times: usize::MAX, fault });
        }
        let (url, _) = server.add(name, cluster);
        let path = folder.path().join(name);
        fs::write(&path, kubeconfig(&url, Some(TOKEN), server.authority())).expect("a writable folder");
        let reading = Reading { limits: LIMITS, jobs: 1, progress: Box::new(|_| ()) };
        let requests = vec![request(Name::parse(name).expect("a name"), &path)];
        let inventory = read(requests, reading).expect("the system has threads").pop().expect("one inventory");
        inventory.host.gateways.unread().map_or_else(
            || format!("{:?}", inventory.host.gateways),
            |unknown| format!("{}: {}", unknown.reason, unknown.message),
        )
    };
    assert_eq!(gateways("none", None), "Absent");
    let busy = Fault::Wire(|s, _| refuse(s, "503 Service Unavailable", "", "starting"));
    assert_eq!(
        gateways("busy", Some(busy)),
        "ServerError: gateways: the API group gateway.networking.k8s.io: the server answers 503 Service Unavailable: \
         starting; tried 3 times"
    );
    let there = Fault::Wire(|s, _| refuse(s, "200 OK", "", "{}"));
    assert_eq!(
        gateways("there", Some(there)),
        "Inconsistent: gateways: the API group gateway.networking.k8s.io: the server has it, and its list of APIs lacks it"
    );
}

#[test]
fn a_server_that_nobody_is_behind_is_unknown_as_a_whole() {
    // The system takes the connection; nobody ever reads from it.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let ports = [&silent, &closed].map(|listener| listener.local_addr().expect("it is bound").port());
    drop(closed);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = ApiServer::start();
    let requests = [("silent", ports[0]), ("closed", ports[1])].map(|(name, port)| {
        let path = folder.path().join(name);
        let text = kubeconfig(&format!("http://127.0.0.1:{port}"), Some(TOKEN), authority.authority());
        fs::write(&path, text).expect("a writable folder");
        request(Name::parse(name).expect("a name"), &path)
    });
    let limits = Limits { cluster: Duration::from_millis(600), request: Duration::from_millis(150), ..LIMITS };
    let begin = Instant::now();
    let reading = Reading { limits, jobs: 2, progress: Box::new(|_| ()) };
    let inventories = read(requests.into(), reading).expect("the system has threads");
    assert!(begin.elapsed() < limits.cluster + SLACK, "{:?}", begin.elapsed());
    for (inventory, reason, words) in [
        (&inventories[0], "Timeout", "the namespace kube-system: no whole answer within 150ms; tried 3 times"),
        (&inventories[1], "Unreachable", "the namespace kube-system: no connection, or a broken one: "),
    ] {
        let host = &inventory.host;
        for unknown in [host.uid.unread(), host.ingresses.unread(), host.dns_config_maps.unread()] {
            let unknown = unknown.expect("it could not be read");
            assert!(unknown.reason == reason && unknown.message.starts_with(words), "{unknown:?}");
        }
    }
}
