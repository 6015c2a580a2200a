//! Verdicts. Thousands more are compared with CoreDNS itself: `tests/testbed/coredns/verdicts.rs`.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::dns::corefile::{
    parser::Files,
    validate::{Judgement, Verdict, judge},
};

fn judged(text: &str) -> Judgement {
    judge(text, &|_| Files::Known(Vec::new()))
}

/// A server block with these lines.
fn with(lines: &str) -> String {
    format!(".:53 {{\n{lines}\n}}\n")
}

#[test]
fn the_corefile_of_a_cluster_loads() {
    let text = with(
        "errors\nhealth {\nlameduck 5s\n}\nready\nlog . {\nclass error\n}\nprometheus :9153\nkubernetes cozy.local in-addr.arpa \
         ip6.arpa {\npods insecure\nfallthrough in-addr.arpa ip6.arpa\nttl 30\n}\nforward . /etc/resolv.conf {\nmax_concurrent \
         1000\n}\ncache 30 {\ndisable success cozy.local\n}\nloop\nreload\nloadbalance\nrewrite name a.example.org \
         ouroboros-proxy.ouroboros.svc.cozy.local.",
    );
    assert_eq!(judged(&text), Judgement::default());
}

#[test]
fn zones_and_addresses_without_end_are_not_multiplied() {
    let block = |keys: usize, binds: usize| {
        let keys = (0..keys).map(|index| format!("z{index}.example:53")).collect::<Vec<_>>().join(" ");
        let binds =
            (0..binds).map(|index| format!("10.0.{}.{}", index / 250, index % 250)).collect::<Vec<_>>().join(" ");
        judged(&format!("{keys} {{\nbind {binds}\nwhoami\n}}\n"))
    };
    assert_eq!(block(300, 300), Judgement::default());
    let many = block(3000, 3000);
    let told: Vec<_> = many.doubts.iter().map(|remark| remark.what.to_string()).collect();
    assert_eq!(told, ["there are more than 100000 pairs of a zone and an address to listen at"]);
    assert_eq!(many.verdict(), Verdict::Unknown);
    // A zone that is served twice is told once, at however many addresses.
    let twice = judged("a:53 {\nbind 10.0.0.1 10.0.0.2\nwhoami\n}\na:53 {\nbind 10.0.0.2 10.0.0.1\nwhoami\n}\n");
    assert_eq!((twice.refusals.len(), twice.verdict()), (1, Verdict::Refuses));
}

#[test]
fn a_refusal_has_its_place_and_its_reason() {
    let mut told = String::new();
    for lines in [
        "rewrite name {1}.example.org b.",
        "rewrite name a.example.org (b",
        "rewrite name a",
        "rewrite name odd a b",
        "rewrite name regex (a) {1}{2}b",
        "rewrite name regex a b answer",
        "cache 0",
        "cache {\nodd\n}",
        "reload 1s",
        "health 8080",
        "hosts {\nttl 0\n}",
        "hosts {\n}\nhosts {\n}",
        "errors stderr",
        "kubernetes 10.in-addr.arpa",
        "forward . 192.0.2.1 {\nexpire 5s\nmax_age 1s\n}",
        "template odd A",
        "log {\nclass odd\n}",
        "errors }",
    ] {
        let judgement = judged(&with(lines));
        assert_eq!(judgement.verdict(), Verdict::Refuses, "{lines}");
        let remark = &judgement.refusals[0];
        writeln!(told, "{}: {}", remark.place, remark.what).expect("a string takes everything");
    }
    insta::assert_snapshot!(told, @r"
    line 2, column 30: `{n}` stands for a group of the other word: 1 named, 0 there
    line 2, column 28: `(b.` is read as an expression, and is none
    line 2, column 9: a rule for names needs the name that it looks for and the one in its place
    line 2, column 14: names are matched as exact, prefix, suffix, substring or regex
    line 2, column 20: `{n}` stands for a group of the other word: 2 named, 1 there
    line 2, column 24: `answer` must be followed by auto, name or value
    line 2, column 7: this number must be 1 or more
    line 3, column 1: the plugin has no property `odd`
    line 2, column 8: the interval must be 2s or more
    line 2, column 8: `8080` is no host with a port
    line 3, column 5: this number must be from 1 to 65535
    line 4, column 1: `hosts` stands a second time in one server block; the first is at line 2, column 1
    line 2, column 8: errors can go to stdout only
    line 2, column 1: `kubernetes` needs a zone that is not for addresses
    line 2, column 9: `max_age` may not be less than `expire`
    line 2, column 10: there is no such class of queries
    line 3, column 7: a class is all, denial, error or success
    line 2, column 8: this `}` closes nothing
    ");
}

#[test]
fn what_depends_on_others_is_unknown() {
    let mut told = String::new();
    for (text, files) in [
        (with("import custom/*.override"), Files::Unknown),
        (with("cache {$TTL}"), Files::Unknown),
        (with("somebodys 30"), Files::Unknown),
        (with("dnssec"), Files::Unknown),
        (with("forward . resolv.conf"), Files::Unknown),
        ("unix://x {\n}\n".to_owned(), Files::Unknown),
    ] {
        let judgement = judge(&text, &|_| files.clone());
        assert_eq!(judgement.verdict(), Verdict::Unknown, "{text}");
        let remark = &judgement.doubts[0];
        writeln!(told, "{}: {}", remark.place, remark.what).expect("a string takes everything");
    }
    insta::assert_snapshot!(told, @r"
    line 2, column 8: what `custom/*.override` brings is not known
    line 2, column 7: `{$TTL}` depends on the environment of CoreDNS
    line 2, column 1: CoreDNS 1.15 has no plugin `somebodys`
    line 2, column 1: the arguments of `dnssec` were not looked at
    line 2, column 11: whether this is an upstream depends on the machine
    line 1, column 1: `unix://x` is served by nobody
    ");
    let refused = with("cache {$TTL}\nreload 1s");
    assert_eq!(judged(&refused).verdict(), Verdict::Refuses, "a doubt heals nothing");
}

#[test]
fn a_zone_is_served_once_at_an_address() {
    let two = |first: &str, second: &str| format!("{first} {{\n}}\n{second} {{\n}}\n");
    for (text, verdict) in [
        (two(".:53", "example.org"), Verdict::Loads),
        (two(".:53", ".:54"), Verdict::Loads),
        (two(".:53", "tls://.:53"), Verdict::Loads),
        (two(".:53", "."), Verdict::Refuses),
        (two("example.org", "EXAMPLE.org.:53"), Verdict::Refuses),
        (two("a b", "c b"), Verdict::Refuses),
        (two("a..b", "c"), Verdict::Refuses),
        (two("10.0.0.0/8", "10.0.0.0/8"), Verdict::Refuses),
        (". {\nbind 127.0.0.1\n}\n. {\nbind 127.0.0.2\n}\n".to_owned(), Verdict::Loads),
        (". {\nbind 127.0.0.1\n}\n. {\nbind 127.0.0.2 127.0.0.1\n}\n".to_owned(), Verdict::Refuses),
        (". {\nbind 127.0.0.1\n}\n. {\n}\n".to_owned(), Verdict::Refuses),
        (". {\nbind eth0\n}\n. {\nbind eth1\n}\n".to_owned(), Verdict::Unknown),
    ] {
        assert_eq!(judged(&text).verdict(), verdict, "{text}");
    }
}

proptest! {
    #[test]
    fn every_text_gets_a_verdict(text in "([ \n]|\\.:53|\\{|\\}|\n|rewrite|name|regex|answer|auto|cache|30|errors|consolidate|5m|hosts|ttl|fallthrough|forward|kubernetes|template|IN|A|match|\\(|\"|health|:8080|reload|2s|log|class){0,50}") {
        let judgement = judged(&text);
        for remark in judgement.refusals.iter().chain(&judgement.doubts) {
            prop_assert!(remark.place.line <= 1 + text.matches('\n').count());
            prop_assert!(!remark.what.to_string().contains('\n'));
        }
    }
}
