//! Whatever an Ingress names, what stands in a Corefile afterwards is a host that somebody was given, as one word.
//!
//! The claims go through the policy and the writer of records, and what is written is read by the lexer that agrees with
//! that of CoreDNS.
#![expect(clippy::disallowed_methods, reason = "how long it takes is told")]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use bobbypin::{
    dns::{
        claims::Claim,
        corefile::lexer::{Piece, lex},
        policy::{self, Claimant, DENIED_SUFFIXES, Memory, Policy, Verdict},
        snippet,
    },
    model::{hostname::Hostname, inventory::ObjectMeta},
};
use jiff::{SignedDuration, Timestamp};
use proptest::{
    prelude::*,
    string::string_regex,
    test_runner::{Config, TestRunner},
};

use crate::support::thorough::{size, tell};

const TARGET: &str = "ouroboros-proxy.ouroboros.svc.k8s.example.net.";

/// Hosts to a run of the policy.
const BATCH: usize = 50;

/// A namespace that was given as much as can be given.
fn policy() -> Policy {
    let wide =
        ["example.org", "example.co.uk", "svc.cluster.local", "x.svc", "pod.local", "k8s.example.net", "co.example"];
    let wide = wide.into_iter().chain(["corp.example", "github.com", "a.github.io", "metadata.google.internal"]);
    Policy {
        grants: BTreeMap::from([("web".to_owned(), wide.map(host).collect())]),
        reserved: BTreeMap::from([
            (host("git.example.org"), "for the Git server"),
            (host("api.example.org"), "for the API server"),
        ]),
        denied_suffixes: ["k8s.example.net", "corp.example", "tenant.example"].map(str::to_owned).into(),
        quota_per_namespace: usize::MAX,
        quota_total: usize::MAX,
        ..Policy::default()
    }
}

fn host(text: &str) -> Hostname {
    Hostname::parse(text).expect("a literal that parses")
}

fn decided(hosts: &[String], policy: &Policy) -> Verdict {
    let owner = ObjectMeta { namespace: "web".into(), name: "i".into(), uid: String::new(), created: None };
    let claims = hosts.iter().map(|host| Claim { host, kind: "Ingress", owner: &owner });
    let (committed, owners) = (BTreeSet::new(), BTreeMap::new());
    let memory = Memory {
        committed: &committed,
        owners: &owners,
        now: Timestamp::UNIX_EPOCH,
        retention: SignedDuration::ZERO,
        proves_absence: true,
    };
    policy::decide(claims, Claimant::ItsNamespace, policy, &memory)
}

/// The words of every line of a text, as CoreDNS reads them.
fn lines(text: &str) -> Vec<Vec<String>> {
    let mut lines: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for piece in lex(text) {
        match piece {
            Piece::Token(token) => lines.entry(token.line).or_default().push(token.text.into_owned()),
            Piece::Comment(comment) => panic!("{text:?} has a comment at {:?}", comment.span),
        }
    }
    lines.into_values().collect()
}

/// The grammar of a host, said once more in another way, but for what `xn--` labels may stand for.
fn is_name(host: &str) -> bool {
    let labels: Vec<_> = host.split('.').collect();
    let is_inner = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.chars().all(is_inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && (label.get(2..4) != Some("--") || label.starts_with("xn--"))
    };
    (4..=253).contains(&host.len())
        && labels.len() > 1
        && labels.iter().all(is_label)
        && labels.last().is_some_and(|last| last.chars().any(|c| !c.is_ascii_digit()))
}

/// Checks everything that must hold of the records for some hosts, and tells how many there are.
fn check(hosts: &[String], policy: &Policy) -> usize {
    let verdict = decided(hosts, policy);
    let canonical = |text: &str| text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let claimed: BTreeSet<_> = hosts.iter().map(|host| canonical(host)).collect();
    let text = snippet::write(verdict.records.keys(), TARGET);
    let words = lines(&text);
    assert_eq!(words.len(), verdict.records.len(), "{hosts:?}\n{text}");
    for (words, host) in words.iter().zip(verdict.records.keys()) {
        assert_eq!(*words, ["rewrite", "name", host.as_str(), TARGET], "{hosts:?}");
        assert!(claimed.contains(host.as_str()), "{host} was never claimed: {hosts:?}");
        assert!(is_name(host.as_str()), "{host:?}");
        let below = |suffix: &str| *host.as_str() == *suffix || host.as_str().ends_with(&format!(".{suffix}"));
        let denied = DENIED_SUFFIXES.into_iter().chain(policy.denied_suffixes.iter().map(String::as_str));
        assert_eq!(denied.into_iter().find(|suffix| below(suffix)), None, "{host}");
        assert!(policy.grants["web"].iter().any(|suffix| below(suffix.as_str())), "{host}");
        assert!(!policy.reserved.contains_key(host), "{host}");
    }
    // Nothing lawful is lost either. What an `xn--` label stands for is judged by its own test.
    for name in claimed.iter().filter(|name| is_name(name) && !name.contains("xn--")) {
        let name = host(name);
        let is_told = verdict.records.contains_key(&name) || verdict.refused.contains(&name);
        assert!(is_told, "{name} is neither recorded nor refused");
    }
    verdict.records.len()
}

/// Pieces of which hosts are made: what somebody would try, and anything else.
fn hosts() -> impl Strategy<Value = String> {
    const SUFFIXES: &str = "(\\.example\\.org|\\.EXAMPLE\\.org\\.|\\.example\\.co\\.uk|\\.co\\.uk|\\.svc\\.cluster\\.local|\
                            \\.github\\.com|\\.corp\\.example|\\.k8s\\.example\\.net|\\.co\\.example|\\.a\\.github\\.io|)";
    let label = "([a-z0-9]{1,8}|[a-zA-Z0-9_-]{0,6}|x[nN]--[a-z0-9-]{0,8}|[a-z]{62,65}|wpad|git|api|[0-9]{1,3})";
    let piece = "([ \t\r\n\u{b}\u{c}\u{0}\"#{}()*?$%\\\\/:@;,'`\u{85}\u{a0}\u{200b}\u{200d}\u{202e}\u{2028}\u{3000}\u{3002}\u{feff}ä😀]|import|\
                 \\{\\$HOME\\}|\\{%HOME%\\}|\\{0\\}|\\(x\\)|\\*\\.|\\.\\.|rewrite name a b\n|-|\\.)";
    let names = format!("{label}(\\.{label}){{0,2}}{SUFFIXES}");
    let broken = format!("{label}{piece}{label}{SUFFIXES}");
    let around = format!("{piece}?{label}{SUFFIXES}{piece}?");
    let bytes =
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let shaped = |pattern: &str| string_regex(pattern).expect("a regular expression");
    let any = "\\PC{0,30}(\\.example\\.org)?";
    prop_oneof![6 => shaped(&names), 3 => shaped(&broken), 3 => shaped(&around), 1 => any, 1 => bytes]
}

#[test]
fn whatever_is_claimed_a_record_is_one_word_that_somebody_was_given() {
    let begun = Instant::now();
    let wanted = size(20_000, 1_000_000);
    let policy = policy();
    let config = Config { cases: u32::try_from(wanted / BATCH).expect("a small number"), ..Config::default() };
    let records = Cell::new(0);
    let ran = TestRunner::new(config).run(&prop::collection::vec(hosts(), BATCH), |hosts| {
        records.set(records.get() + check(&hosts, &policy));
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
    let records = records.get();
    assert!(records > wanted / 20, "too few of the hosts were lawful to prove anything: {records} of {wanted}");
    tell(format_args!("{wanted} hostile hosts, {records} of them records"), begun.elapsed());
}

#[test]
fn no_host_that_somebody_would_try_becomes_a_record() {
    let label = |length| "a".repeat(length);
    let (long_label, long_name) =
        (label(64), format!("{}.example.org", [label(61), label(61), label(61), label(61)].join(".")));
    let table: [(&str, &[&str]); 11] = [
        (
            "T-01: names of the cluster",
            &[
                "kubernetes.default.svc.cluster.local",
                "x.svc.cluster.local",
                "svc.cluster.local",
                "a.b.c.k8s.example.net",
                "k8s.example.net",
                "K8S.Example.Net.",
                "x.tenant.example",
                "x.svc",
                "10-0-0-1.web.pod.local",
                "1.0.0.10.in-addr.arpa",
                "metadata.google.internal",
                "a.localhost",
            ],
        ),
        (
            "T-02: what a search list makes of public names",
            &[
                "github.com.svc.cluster.local",
                "github.com.web.svc.cluster.local",
                "registry.corp.example",
                "github.com.corp.example",
            ],
        ),
        (
            "T-03: names that others are trusted by",
            &["git.example.org", "API.example.org.", "ghcr.io", "login.example.com"],
        ),
        (
            "T-05: names that are too wide",
            &[
                "com",
                "co.uk",
                "github.io",
                "foo.ck",
                "kubernetes",
                "wpad",
                "isatap",
                "wpad.example.org",
                "isatap.example.org",
                "_acme-challenge.example.org",
                "org",
                "xn--p1ai",
            ],
        ),
        (
            "T-06: white space",
            &[
                "a.example.org\nrewrite name b.example.org c.",
                "a.example.org\r\n",
                "a\r.example.org",
                "a.example.org\u{85}",
                "a\u{a0}.example.org",
                "a\u{2028}.example.org",
                "a\u{2029}.example.org",
                "a\u{3000}.example.org",
                "a\u{b}.example.org",
                "a\u{c}.example.org",
                "a\t.example.org",
                "a b.example.org",
                " a.example.org",
                "a.example.org ",
                "\u{200b}a.example.org",
                "\u{feff}a.example.org",
            ],
        ),
        (
            "T-07: what the lexer takes for more than letters",
            &[
                "#a.example.org",
                "a#b.example.org",
                "a.example.org#",
                "\"a.example.org",
                "\"a.example.org\"",
                "a\"b.example.org",
                "{",
                "}",
                "a.example.org{",
                "}.example.org",
                "{$HOME}.example.org",
                "{%HOME%}.example.org",
                "import",
                "import.\u{2a}",
                "(snippet)",
                "(a).example.org",
                "a\\.example.org",
                "a.example.org,",
                "a/b.example.org",
                "a:53.example.org",
                "`a`.example.org",
                "a\0.example.org",
            ],
        ),
        (
            "T-08: what a rule would count or match",
            &[
                "{0}.example.org",
                "{100}.example.org",
                "a.example.org{1}",
                "[a-z].example.org",
                "a|b.example.org",
                "(.*).example.org",
                "^a.example.org$",
                "a+.example.org",
            ],
        ),
        (
            "T-09: wildcards",
            &[
                "*",
                "*.",
                "*.example.org",
                "*.*.example.org",
                "a*.example.org",
                "**.example.org",
                "a.*.example.org",
                "?.example.org",
                "%2a.example.org",
            ],
        ),
        (
            "T-10: spellings",
            &[
                "xn--example-.org",
                "xn--a.example.org",
                "xn--n3h.example.org",
                "xn--99999999.example.org",
                "XN--N3H.example.org",
                "ab--c.example.org",
                "b\u{fc}cher.example.org",
                "\u{430}.example.org",
                "a\u{3002}example.org",
                "a\u{ff0e}example.org",
                "10.0.0.1",
                "0x7f.0.0.1",
                "127.1",
                "a.example.0",
                "::1",
                "[::1]",
                "a..example.org",
                ".example.org",
                "a.example.org..",
                "",
                ".",
                "-a.example.org",
                "a-.example.org",
                "a_b.example.org",
            ],
        ),
        (
            "T-12: markers",
            &[
                "# === BEGIN ouroboros (do not edit by hand) ===",
                "# === END ouroboros ===",
                "a.example.org\n}\n.:53 {\n",
            ],
        ),
        ("T-10: lengths", &[&long_label, &long_name]),
    ];
    for (threat, hosts) in table {
        for claimed in hosts {
            let verdict = decided(&[(*claimed).to_owned()], &policy());
            assert_eq!(verdict.records, BTreeMap::new(), "{threat}: {claimed:?}");
            assert_eq!(verdict.findings.len(), 1, "{threat}: {claimed:?} is passed over in silence");
            let finding = &verdict.findings[0];
            let told = format!("{} {} {:?}", finding.subject, finding.message, finding.fix);
            assert!(!told.contains(['\n', '\r', '\0', '\u{85}', '\u{2028}']), "{told:?}");
        }
    }
    for lawful in [
        "a.example.org",
        "A.Example.ORG.",
        "xn--bcher-kva.example.org",
        "1.2.3.example.org",
        "notk8s.github.com",
        "evilcluster.example.org",
        "svc.example.org",
        "a.example.co.uk",
        "example.org",
    ] {
        assert_eq!(decided(&[lawful.to_owned()], &policy()).records.len(), 1, "{lawful}");
    }
}

#[test]
fn one_namespace_gets_as_many_records_as_its_quota_and_not_one_more() {
    let policy = Policy { quota_per_namespace: 100, quota_total: 150, ..policy() };
    for (claimed, records, refused) in [(99, 99, 0), (100, 100, 0), (101, 100, 1), (5_000, 100, 4_900)] {
        let hosts: Vec<_> = (0..claimed).map(|index| format!("h{index}.example.org")).collect();
        let verdict = decided(&hosts, &policy);
        let told = verdict.findings.iter().filter(|finding| finding.rule == "HostQuotaExceeded").count();
        assert_eq!((verdict.records.len(), verdict.refused.len(), told), (records, refused, refused), "{claimed}");
    }
}
