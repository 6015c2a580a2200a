//! Where the text of a Corefile stands in a file, in every style that it can be written in.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::problem::Source,
    model::hostname::Hostname,
    ops::dns::lint::{Known, lint},
};

/// The first finding of a rule, by line and column.
fn place_of(rule: &str, text: &str) -> Option<(usize, usize)> {
    let source = Source { path: "x".to_owned(), bytes: text.as_bytes().into() };
    let placed =
        lint(&source, Known { delivery: None, hosts: &BTreeSet::new(), config_maps: None }).expect("a Corefile");
    placed.iter().find(|placed| placed.finding.rule == rule).map(|placed| (placed.line, placed.column))
}

#[test]
fn a_place_is_that_of_the_file_where_the_corefile_shows_its_lines() {
    let corefile = ".:53 {\n    cache 0\n    reload\n}\n";
    assert_eq!(place_of("ArgumentsRefused", corefile), Some((2, 11)));
    let indented: String = corefile.lines().map(|line| format!("    {line}\n")).collect();
    for (manifest, place) in [
        (format!("kind: ConfigMap\ndata:\n  Corefile: |\n{indented}"), (5, 15)),
        (format!("# first\n---\nkind: ConfigMap\ndata:\n  other: x\n  Corefile: |-\n\n{indented}"), (9, 15)),
        (format!("kind: ConfigMap\r\ndata:\r\n  Corefile: |\r\n{}", indented.replace('\n', "\r\n")), (5, 15)),
        ("kind: ConfigMap\ndata:\n  Corefile: \".:53 {\\n  cache 0\\n  reload\\n}\\n\"\n".to_owned(), (3, 13)),
        (
            "{\n\"kind\": \"ConfigMap\", \"data\": {\n\"Corefile\": \".:53 {\\n  cache 0\\n}\\n\"}}\n".to_owned(),
            (3, 13),
        ),
    ] {
        assert_eq!(place_of("ArgumentsRefused", &manifest), Some(place), "{manifest}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_read_as_coredns_reads_them() {
    let source = Source { path: "x".to_owned(), bytes: b".:53 {\n \xff\xfe 30\n reload\n}\n".as_slice().into() };
    let placed =
        lint(&source, Known { delivery: None, hosts: &BTreeSet::new(), config_maps: None }).expect("a Corefile");
    assert_eq!(placed[0].finding.rule, "UnknownPlugin");
    assert!(placed[0].finding.message.contains("\u{fffd}\u{fffd}"), "{}", placed[0].finding.message);
}

#[test]
fn what_was_seen_of_a_cluster_stands_in_for_what_the_file_does_not_hold() {
    let text = ".:53 {\n    import /etc/coredns/custom/*.override\n    reload\n}\n";
    let source = |text: &str| Source { path: "x".to_owned(), bytes: text.as_bytes().into() };
    let map = |key: &str, text: &str| BTreeMap::from([(key.to_owned(), text.to_owned())]);
    let seen = BTreeMap::from([
        ("coredns-custom".to_owned(), map("a.override", "cache 0\n")),
        ("node-local-dns".to_owned(), map("Corefile", "")),
    ]);
    let rules = |text: &str, config_maps| {
        let known = Known { delivery: None, hosts: &BTreeSet::new(), config_maps };
        let placed = lint(&source(text), known).expect("a Corefile");
        placed.into_iter().map(|placed| placed.finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(rules(text, None), Vec::<&str>::new());
    assert_eq!(rules(text, Some(&seen)), ["NodeLocalDns", "ArgumentsRefused"]);
    let placed = lint(&source(text), Known { delivery: None, hosts: &BTreeSet::new(), config_maps: Some(&seen) });
    let places: Vec<_> = placed.expect("a Corefile").iter().map(|placed| (placed.line, placed.column)).collect();
    assert_eq!(places, [(1, 1), (1, 1)], "what is not in the file has no line of it");
    let own =
        "kind: ConfigMap\nmetadata: {name: coredns-custom}\ndata: {}\n---\nkind: ConfigMap\ndata:\n  Corefile: |\n    "
            .to_owned()
            + &text.trim_end().replace('\n', "\n    ")
            + "\n";
    assert_eq!(rules(&own, Some(&seen)), ["NodeLocalDns"], "the file comes first");
}

#[test]
fn records_of_our_own_in_a_file_are_no_finding_until_somebody_edits_them() {
    let corefile = "    .:53 {\n        import /etc/coredns/custom/*.override\n        hosts /etc/coredns/custom/bobbypin.hosts {\n            fallthrough\n        }\n        reload\n        # --- BEGIN bobbypin (generated, do not edit) ---\n        rewrite name a.example.org b.c.svc.cluster.local.\n        # --- END bobbypin ---\n    }\n";
    let healthy = format!(
        "kind: ConfigMap\nmetadata: {{name: coredns}}\ndata:\n  Corefile: |\n{corefile}---\nkind: ConfigMap\nmetadata: {{name: \
         coredns-custom}}\ndata:\n  bobbypin.override: |\n    rewrite name a.example.org b.c.svc.cluster.local.\n  \
         bobbypin.hosts: |\n    10.96.0.7 a.example.org\n"
    );
    let hosts = BTreeSet::from([Hostname::parse("a.example.org").expect("a literal that parses")]);
    let told = |text: &str| {
        let source = Source { path: "x".to_owned(), bytes: text.as_bytes().into() };
        let placed = lint(&source, Known { delivery: None, hosts: &hosts, config_maps: None }).expect("a Corefile");
        placed.iter().map(|placed| (placed.line, placed.finding.rule)).collect::<Vec<_>>()
    };
    assert_eq!(told(&healthy), []);
    for (from, to, expected) in [
        ("        # --- END bobbypin ---\n", "", (11, "BlockDamaged")),
        ("        rewrite name a", "        log\n        rewrite name a", (12, "RecordsEdited")),
        ("  bobbypin.override: |\n", "  bobbypin.override: |\n    cache 30\n", (20, "RecordsEdited")),
        ("10.96.0.7", "10.096.0.7", (22, "RecordsEdited")),
        ("10.96.0.7 a.", "10.96.0.7 b.", (22, "RecordsOutOfDate")),
    ] {
        let found = told(&healthy.replacen(from, to, 1));
        assert!(found.contains(&expected), "{to}: {found:?}");
    }
}
