//! What CoreDNS answers when it has records of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use bobbypin::{
    dns::{
        corefile::{
            parser::Files,
            validate::{Verdict, judge},
        },
        hosts_file, snippet,
    },
    model::hostname::Hostname,
};

use crate::support::{
    dns::{Answer, CoreDns, Kind, Way, ask},
    oracle::Random,
    process::free_port,
};

const TARGET: &str = "ouroboros-proxy.ouroboros.svc.cluster.local.";
const ADDRESSES: [&str; 2] = ["192.0.2.53", "2001:db8::53"];

/// A server whose target has [`ADDRESSES`], and that has no address for any other name. `RECORDS` stands for the records.
pub(crate) const SERVER: &str = r#".:PORT {
    bind 127.0.0.1
    errors
    reload 2s 0
    cache 30
    template IN A svc.cluster.local {
        match ^ouroboros-proxy\.ouroboros\.
        answer "{{ .Name }} 60 IN A 192.0.2.53"
        fallthrough
    }
    template IN AAAA svc.cluster.local {
        match ^ouroboros-proxy\.ouroboros\.
        answer "{{ .Name }} 60 IN AAAA 2001:db8::53"
        fallthrough
    }
    RECORDS
    whoami
}
"#;

/// Hosts that somebody might put into an Ingress to reach what is not theirs, or to break a Corefile.
const HOSTILE: &[&str] = &[
    // T-01, T-02: names of the cluster, and public names behind a search domain.
    "kubernetes.default.svc.cluster.local",
    "ouroboros-proxy.ouroboros.svc.cluster.local",
    "github.com.svc.cluster.local",
    "github.com.default.svc.cluster.local",
    "1.0.96.10.in-addr.arpa",
    "printer.local",
    "localhost",
    // T-03, T-05: names of others, public suffixes, single labels.
    "github.com",
    "registry.example.com",
    "com",
    "co.uk",
    "kubernetes",
    "wpad",
    // T-06: what ends a line or a word.
    "a\nrewrite name github.com evil.",
    "a\r.example.org",
    "a\u{85}.example.org",
    "a\u{a0}b.example.org",
    "a\u{2028}b.example.org",
    "a\u{3000}b.example.org",
    "a\u{b}b.example.org",
    "a\u{c}b.example.org",
    "a\tb.example.org",
    "a b.example.org",
    " a.example.org",
    // T-07, T-08: what has a meaning in a Corefile.
    "a#b.example.org",
    "#a.example.org",
    "\"a.example.org",
    "a\\.example.org",
    "{",
    "}",
    "{$HOME}.example.org",
    "{%HOME%}.example.org",
    "import",
    "import.example.org",
    "(shared).example.org",
    "{0}.example.org",
    "{1}.example.org",
    "{100}.example.org",
    "regex",
    "regex.example.org",
    "exact",
    "a(.example.org",
    "a[.example.org",
    // T-09: wildcards.
    "*.example.org",
    "a.*.example.org",
    "*",
    // T-10: spellings.
    "UPPER.Example.ORG",
    "dot.example.org.",
    "dots.example.org..",
    "_dmarc.example.org",
    "xn--.example.org",
    "xn--example-.example.org",
    "ab--cd.example.org",
    "-a.example.org",
    "a-.example.org",
    "a..example.org",
    ".a.example.org",
    "é.example.org",
    "pаypal.example.org",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org",
    "10.0.0.1",
    "a.example.1",
    "",
    // T-12, T-13: markers.
    "# === END ouroboros ===",
    "evilexample.org",
];

/// The form of records in a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Snippet,
    OuroborosBlock,
    HostsFile,
}

fn start(form: Form, hosts: &BTreeSet<Hostname>) -> (CoreDns, SocketAddr) {
    let addresses: BTreeSet<IpAddr> = ADDRESSES.iter().map(|text| text.parse().expect("an address")).collect();
    let lines = snippet::write(hosts, TARGET);
    let (records, file) = match form {
        Form::Snippet => ("import FOLDER/*.override".to_owned(), (snippet::KEY, lines)),
        Form::OuroborosBlock => {
            let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
            let begin = "# === BEGIN ouroboros (do not edit by hand) ===";
            (format!("{begin}\n{lines}    # === END ouroboros ==="), ("nothing", String::new()))
        }
        Form::HostsFile => (
            format!(
                "hosts FOLDER/{} {{\n        ttl 30\n        no_reverse\n        fallthrough\n    }}",
                hosts_file::KEY
            ),
            (hosts_file::KEY, hosts_file::write(hosts, &addresses)),
        ),
    };
    let port = free_port();
    let corefile = SERVER.replace("RECORDS", &records).replace("PORT", &port.to_string());
    let judgement = judge(&corefile, &|_| Files::Known(vec![(file.0, &file.1)]));
    assert_eq!(judgement.verdict(), Verdict::Loads, "{judgement:?}");
    let server = CoreDns::start("coredns", &corefile, &[(file.0, &file.1)]).expect("a Corefile that loads");
    (server, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Names that a server is asked: the hosts, what is near them, and what nobody may have.
fn names(random: &mut Random, hosts: &BTreeSet<Hostname>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = HOSTILE.iter().map(|&name| name.to_owned()).collect();
    for host in hosts {
        let host = host.as_str();
        names.insert(host.to_owned());
        names.insert(match random.below(6) {
            0 => host.to_uppercase(),
            1 => format!("www.{host}"),
            2 => format!("x{host}"),
            3 => host.split_once('.').expect("two labels").1.to_owned(),
            4 => format!("{host}.svc.cluster.local"),
            _ => format!("{host}.example.com"),
        });
    }
    names
}

/// What a server says to every name, by every way.
fn answers(server: SocketAddr, names: &BTreeSet<String>) -> BTreeMap<(String, &'static str), Option<Answer>> {
    let mut answers = BTreeMap::new();
    for name in names {
        for (way, kind, label) in [
            (Way::Udp, Kind::A, "A over UDP"),
            (Way::Udp, Kind::Aaaa, "AAAA over UDP"),
            (Way::Tcp, Kind::A, "A over TCP"),
            (Way::Tcp, Kind::Aaaa, "AAAA over TCP"),
        ] {
            let answer = match ask(server, name, kind, way) {
                Ok(answer) => Some(answer),
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => None,
                Err(error) => panic!("{name:?}, {label}: {error}"),
            };
            answers.insert((name.clone(), label), answer);
        }
    }
    answers
}

/// What must be answered: the addresses of the target under the name that was asked for, or none.
fn predicted(hosts: &BTreeSet<Hostname>, name: &str, label: &str) -> BTreeSet<(String, IpAddr)> {
    let asked = name.trim_end_matches('.').to_lowercase();
    let is_host = hosts.iter().any(|host| host.as_str() == asked);
    // The target answers for itself.
    if !is_host && format!("{asked}.") != TARGET {
        return BTreeSet::new();
    }
    let address = ADDRESSES[usize::from(label.starts_with("AAAA"))].parse().expect("an address");
    BTreeSet::from([(format!("{asked}."), address)])
}

fn check(hosts: &BTreeSet<Hostname>, answers: &BTreeMap<(String, &'static str), Option<Answer>>) -> usize {
    let mut asked = 0;
    for ((name, label), answer) in answers {
        let predicted = predicted(hosts, name, label);
        let Some(answer) = answer else {
            assert_eq!(predicted, BTreeSet::new(), "{name:?} cannot be asked for, but has a record");
            continue;
        };
        let lower = answer.addresses.iter().map(|(owner, address)| (owner.to_lowercase(), *address)).collect();
        assert_eq!((answer.code, predicted), (0, lower), "{name:?}, {label}");
        asked += 1;
    }
    asked
}

/// Some hosts as objects may write them, and what the grammar lets through of everything.
fn hosts(random: &mut Random, count: usize) -> BTreeSet<Hostname> {
    let words = ["shop", "api", "a", "x1", "dashboard", "xn--bcher-kva", "import", "regex", "rewrite", "name", "end"];
    let made = (0..count).map(|index| {
        let (first, second) = (random.one(&words), random.one(&words));
        format!("{first}-{index}.{second}.example.org")
    });
    let all: Vec<String> = made.chain(HOSTILE.iter().map(|&host| host.to_owned())).collect();
    all.iter().filter_map(|host| Hostname::parse(host).ok()).filter(|host| host.is_within("example.org")).collect()
}

#[test]
fn every_name_is_answered_as_predicted_in_every_form_of_records() {
    let mut random = Random::new(0x5eed);
    let mut asked = BTreeSet::new();
    for count in [0, 1, 60, 1100] {
        let hosts = hosts(&mut random, count);
        let names = names(&mut random, &hosts);
        let told = [Form::Snippet, Form::OuroborosBlock, Form::HostsFile].map(|form| {
            let (_server, address) = start(form, &hosts);
            let answers = answers(address, &names);
            assert!(check(&hosts, &answers) >= names.len(), "{form:?}");
            answers
        });
        // The same inventory gives the same answers, whoever writes the records. A hosts file answers in the letters that
        // were asked, which was compared without regard to case.
        assert_eq!(told[0], told[1]);
        asked.extend(names);
    }
    assert!(asked.len() >= 2000, "{} names prove little", asked.len());
}
