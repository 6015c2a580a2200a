//! What records cost in CoreDNS: a question about a name without a record, beside more and more records.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::support::{
    dns::{CoreDns, Kind, Way, ask},
    process::free_port,
};

const COUNTS: [usize; 4] = [0, 100, 1_000, 10_000];
const ROUNDS: usize = 9;
const QUESTIONS: u32 = 400;

/// One server, and how long a question took in each round.
struct Measured {
    form: &'static str,
    count: usize,
    address: SocketAddr,
    rounds: Vec<Duration>,
    _server: CoreDns,
}

/// Prints a table.
pub(crate) fn measure() {
    let mut all: Vec<_> =
        COUNTS.into_iter().flat_map(|count| ["rewrite-snippet", "hosts-file"].map(|form| start(form, count))).collect();
    for _ in 0..ROUNDS {
        // In turn, so that what else the machine does hits all alike.
        for one in &mut all {
            let began = Instant::now();
            for _ in 0..QUESTIONS {
                let answer = ask(one.address, "without-a-record.example.com", Kind::A, Way::Udp).expect("an answer");
                assert!(answer.addresses.is_empty(), "it has no record");
            }
            one.rounds.push(began.elapsed() / QUESTIONS);
        }
    }
    let mut least = Duration::MAX;
    for one in &mut all {
        one.rounds.sort_unstable();
        least = if one.count == 0 { least.min(one.rounds[ROUNDS / 2]) } else { least };
    }
    println!("| records | form | median question | ratio to none |");
    for Measured { form, count, rounds, .. } in &all {
        let median = rounds[ROUNDS / 2];
        let ratio = median.as_secs_f64() / least.as_secs_f64();
        println!("| {count} | {form} | {} µs | {ratio:.2} |", median.as_micros());
    }
}

fn start(form: &'static str, count: usize) -> Measured {
    let port = free_port();
    let (mut records, mut line) = (String::new(), "import FOLDER/records.override");
    for index in 0..count {
        match form {
            "hosts-file" => writeln!(records, "192.0.2.53 host-{index}.shop.example.org"),
            _ => writeln!(records, "rewrite name host-{index}.shop.example.org ouroboros-proxy.x.svc.cluster.local."),
        }
        .expect("a string takes everything");
    }
    if form == "hosts-file" {
        line = "hosts FOLDER/records.override {\n fallthrough\n no_reverse\n ttl 30\n }";
    }
    let corefile = format!(".:{port} {{\n bind 127.0.0.1\n {line}\n whoami\n}}\n");
    let server =
        CoreDns::start("coredns", &corefile, &[("records.override", &records)]).expect("a Corefile that loads");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Measured { form, count, address, rounds: Vec::new(), _server: server }
}
