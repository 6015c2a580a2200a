//! Whether CoreDNS loads a Corefile.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use bobbypin::dns::corefile::{
    parser::{Files, parse},
    validate::{Verdict, judge},
};

use crate::support::{
    dns::CoreDns,
    oracle::{Random, number},
    process::free_port,
};

/// Lines of a server block, good and bad ones. `ONE`, `TWO` and `THREE` stand for free ports.
const LINES: &[&str] = &[
    // Rewrite rules about names.
    "rewrite name a.example.org b.example.org.",
    "rewrite stop name exact a.example.org b.example.org.",
    "rewrite CONTINUE NAME EXACT a.example.org b.example.org.",
    "rewrite name A.Example.ORG. B",
    "rewrite name a.example.org",
    "rewrite name",
    "rewrite",
    "rewrite stop",
    "rewrite stop name",
    "rewrite odd a b",
    "rewrite answer name a b",
    "rewrite name odd a.example.org b.",
    "rewrite name exact regex b.",
    "rewrite name regex b.",
    "rewrite name {1}.example.org b.",
    "rewrite name a.example.org {1}.b.",
    "rewrite name {1}.example.org (b).",
    "rewrite name {0}.example.org (b).",
    "rewrite name {0}{1}.example.org (b).",
    "rewrite name {101}.example.org b.",
    "rewrite name a.example.org (b",
    "rewrite name a.example.org b*",
    "rewrite name a.example.org *.b",
    "rewrite name *.example.org b.",
    "rewrite name a.example.org [b",
    "rewrite name a.example.org b\\",
    "rewrite name a.example.org b\\.",
    "rewrite name a.example.org b\\y",
    "rewrite name a.example.org \\D",
    "rewrite name a.example.org b.. extra",
    "rewrite name a..example.org b..c.",
    "rewrite name \"a b\" \"c d\"",
    "rewrite name \"\" b.",
    "rewrite name prefix {1} {2}",
    "rewrite name suffix .example.org .b.",
    "rewrite name substring ( )",
    "rewrite name regex ^(.*)\\.example\\.org\\.$ {1}.b. answer auto",
    "rewrite name regex ^(.*)\\.example\\.org\\.$ {1}{2}.b.",
    "rewrite name regex ( b",
    "rewrite name regex a** b",
    "rewrite name regex a{1001} b",
    "rewrite name regex a{2,1} b",
    "rewrite name regex a{2}{3} b",
    "rewrite name regex {2} b",
    "rewrite name regex a{01} b",
    "rewrite name regex [z-a] b",
    "rewrite name regex [[:alpha:]-] b",
    "rewrite name regex [[:none:]] b",
    "rewrite name regex []a] b",
    "rewrite name regex [] b",
    "rewrite name regex [a-\\d] b",
    "rewrite name regex [\\d-z] b",
    "rewrite name regex (?P<n>a) {1}b",
    "rewrite name regex (?<n>a)(?<n>b) {1}b",
    "rewrite name regex (?:a) {1}b",
    "rewrite name regex (?i)a b",
    "rewrite name regex (?i-)a b",
    "rewrite name regex (?) b",
    "rewrite name regex (?=a) b",
    "rewrite name regex ^*a b",
    "rewrite name regex a*?? b",
    "rewrite name regex a|*b b",
    "rewrite name regex \\8 b",
    "rewrite name regex \\_ b",
    "rewrite name regex a b answer",
    "rewrite name regex a b answer auto",
    "rewrite name regex a b answer name (.*) {1}x",
    "rewrite name regex a b answer name (.*) {2}x",
    "rewrite name regex a b answer name (.*)",
    "rewrite name regex a b answer value (.*) {1}x",
    "rewrite name regex a b answer name a b answer value c d",
    "rewrite name regex a b answer auto answer name a b",
    "rewrite name regex a b answer odd a",
    "rewrite name regex a b odd c d",
    "rewrite name exact a b metadata x",
    "rewrite {\nname exact a.example.org b.\nanswer auto\n}",
    "rewrite stop {\nname regex a b\nanswer name a b\n}",
    "rewrite name a b {\nname c d\n}",
    "rewrite name a b {\nanswer auto\n}",
    "rewrite name {\na b\n}",
    "rewrite class HS IN",
    "rewrite class HS",
    "rewrite class odd IN",
    "rewrite type ANY HTTPS",
    "rewrite type ANY",
    "rewrite ttl a.example.org 30",
    "rewrite ttl a.example.org x",
    "rewrite ttl odd a.example.org 30",
    "rewrite ttl regex ( 30",
    "rewrite name a#b c.\nwhoami",
    // The plugins of clusters.
    "errors stdout",
    "errors stderr",
    "errors stdout x",
    "errors {\nstacktrace\nconsolidate 5m \".*timeout$\" warning show_first\n}",
    "errors {\nconsolidate 5m\n}",
    "errors {\nconsolidate x y\n}",
    "errors {\nconsolidate 5m ( warning\n}",
    "errors {\nodd\n}",
    "errors\nerrors",
    "health 127.0.0.1:ONE",
    "health 127.0.0.1:ONE {\nlameduck 5s\n}",
    "health 127.0.0.1:ONE {\nlameduck 5\n}",
    "health 127.0.0.1:ONE {\nlameduck\n}",
    "health 127.0.0.1:ONE {\nodd 5s\n}",
    "health 127.0.0.1:ONE {\n}",
    "health 127.0.0.1",
    "health 127.0.0.1:ONE x",
    "ready 127.0.0.1:TWO",
    "ready 127.0.0.1:TWO {\nmonitor continuously\n}",
    "ready 127.0.0.1:TWO {\nmonitor never\n}",
    "ready localhost",
    "ready [127.0.0.1:TWO",
    "ready 127.0.0.1:TWO\nready 127.0.0.1:TWO",
    "prometheus 127.0.0.1:THREE",
    "prometheus 127.0.0.1",
    "prometheus 127.0.0.1:THREE {\nodd\n}",
    "reload",
    "reload 2s",
    "reload 1s",
    "reload 30",
    "reload 5s 0",
    "reload 5s 500ms",
    "reload 5s 1s",
    "reload 1h30m",
    "reload 5s 1s 1s",
    "reload -5s",
    "reload 5s\nreload 1s",
    "loop",
    "loop x",
    "loop\nloop",
    "loop {\n}",
    "loop {\nx\n}",
    "log",
    "log .",
    "log . \"{remote} {common}\"",
    "log example.org {\nclass denial error\n}",
    "log {\nclass odd\n}",
    "log {\nclass\n}",
    "log {\nodd\n}",
    "log\nlog example.org",
    "cache",
    "cache 30",
    "cache 30 example.org",
    "cache 0",
    "cache -1",
    "cache x..y",
    "cache 30 {\nsuccess 1000 60 5\ndenial 100\n}",
    "cache {\nsuccess\n}",
    "cache {\nsuccess x\n}",
    "cache {\nsuccess 10 0\n}",
    "cache {\ndenial 10 5 -1\n}",
    "cache {\nprefetch 10 1m 10%\n}",
    "cache {\nprefetch 10 1m 9%\n}",
    "cache {\nprefetch 10 1m 10\n}",
    "cache {\nprefetch 10 x\n}",
    "cache {\nprefetch -1\n}",
    "cache {\nprefetch 1 1m 10% x\n}",
    "cache {\nservfail 5m\n}",
    "cache {\nservfail 6m\n}",
    "cache {\nservfail -1s\n}",
    "cache {\nserve_stale\n}",
    "cache {\nserve_stale 1h verify\n}",
    "cache {\nserve_stale 1h odd\n}",
    "cache {\ndisable success example.org\ndisable denial\n}",
    "cache {\ndisable odd\n}",
    "cache {\nkeepttl\n}",
    "cache {\nkeepttl x\n}",
    "cache {\nodd\n}",
    "cache 30\ncache 60",
    "loadbalance",
    "loadbalance round_robin",
    "loadbalance round_robin x",
    "loadbalance odd",
    "loadbalance {\nodd\n}",
    "hosts {\n192.0.2.1 a.example.org\nfallthrough\n}",
    "hosts {\nfallthrough\n192.0.2.1 a.example.org\n}",
    "hosts /nowhere/hosts example.org {\nttl 30\nno_reverse\nreload 5s\nfallthrough example.org\n}",
    "hosts {\nttl 0\n}",
    "hosts {\nttl 65536\n}",
    "hosts {\nttl\n}",
    "hosts {\nttl x\n}",
    "hosts {\nreload -1s\n}",
    "hosts {\nreload\n}",
    "hosts {\nfallthrough_unsupported\n}",
    "hosts {\nfallthrough\nfallthrough_unsupported\n}",
    "hosts {\nnonsense\n}",
    "hosts {\n}\nhosts /nowhere/hosts",
    "kubernetes cluster.local in-addr.arpa ip6.arpa {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\npods insecure\nfallthrough in-addr.arpa\nttl 30\n}",
    "kubernetes in-addr.arpa 10.in-addr.arpa {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\n}",
    "kubernetes 10.in-addr.arpa x.ip6.arpa {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\npods odd\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\nttl 3601\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\nodd\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout x\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\nignore odd\n}",
    "kubernetes cluster.local {\nendpoint http://127.0.0.1:1\nstartup_timeout 1ms\n}\nkubernetes example.org",
    "forward . 192.0.2.1",
    "forward . 192.0.2.1:53 192.0.2.2 [2001:db8::1]:53 2001:db8::2",
    "forward example.org 192.0.2.1 {\nexcept a.example.org\nmax_concurrent 1000\npolicy sequential\nhealth_check 5s no_rec\nprefer_udp\n}",
    "forward . 192.0.2.1 {\nmax_fails -1\n}",
    "forward . 192.0.2.1 {\nmax_fails\n}",
    "forward . 192.0.2.1 {\nmax_concurrent -1\n}",
    "forward . 192.0.2.1 {\npolicy odd\n}",
    "forward . 192.0.2.1 {\nexpire 5s\nmax_age 1s\n}",
    "forward . 192.0.2.1 {\nexpire -5s\n}",
    "forward . 192.0.2.1 {\nforce_tcp x\n}",
    "forward . 192.0.2.1 {\nhealth_check x\n}",
    "forward . 192.0.2.1 {\nhealth_check 1s odd\n}",
    "forward . 192.0.2.1 {\nexcept\n}",
    "forward . 192.0.2.1 {\nodd\n}",
    "forward .",
    "forward",
    "template IN A example.org {\nmatch ^a\nanswer \"{{ .Name }} 60 IN A 192.0.2.1\"\nfallthrough\n}",
    "template IN ANY",
    "template IN",
    "template",
    "template odd A",
    "template IN A {\nmatch (\n}",
    "template IN A {\nanswer\n}",
    "template IN A {\nrcode NXDOMAIN\n}",
    "template IN A {\nodd\n}",
    "whoami",
    "whoami x",
    "debug",
    "debug x",
    "any",
    "any x",
    "minimal",
    "bufsize 1232",
    "bufsize 100",
    "bufsize x",
    "bind 127.0.0.1",
    "bind",
    // What the parser and the list of plugins say.
    "whoami {",
    "}",
    "{",
    "nonsense",
    "import",
    "import a b",
    "import *a*",
    "import /nowhere/*.override",
    "import /nowhere/file",
    "erratic",
    "nsid x",
    "# === BEGIN ouroboros (do not edit by hand) ===\nrewrite name a.example.org b.\n# === END ouroboros ===",
    "\"whoami\"",
    "who\rami",
    "log \"",
];

/// Keys of a second server block.
const KEYS: &[&str] = &[
    "example.org:PORT",
    "example.org.:PORT",
    ".:PORT",
    "dns://.:PORT",
    "EXAMPLE.org:PORT b.example.org:PORT",
    "example.org:PORT EXAMPLE.ORG.:PORT",
    "a..b:PORT",
    "a:PORT:",
    "10.0.0.0/8:PORT",
    "192.0.2.0/24:PORT 192.0.2.0/24:PORT",
    ".b:PORT",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org:PORT",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org:PORT",
    "example.org:99999",
    "example.org:-1",
    "tls://example.org:PORT",
    "_x.example.org:PORT",
];

const SAMPLE: &str = ".:PORT {
    bind 127.0.0.1
    errors
    health 127.0.0.1:ONE {
        lameduck 0s
    }
    ready 127.0.0.1:TWO
    log . {
        class error
    }
    kubernetes cozy.local in-addr.arpa ip6.arpa {
        endpoint http://127.0.0.1:1
        startup_timeout 1ms
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
    prometheus 127.0.0.1:THREE
    forward . 127.0.0.1:1 {
        max_concurrent 1000
    }
    cache 30 {
        disable success cozy.local
        disable denial cozy.local
    }
    reload
    import FOLDER/*.override
    loadbalance
}
";

fn block(key: &str, lines: &str) -> String {
    format!("{key} {{\nbind 127.0.0.1\n{lines}\n}}\n")
}

/// Corefiles: those of clusters where they are at hand, every line alone, every key, and mixtures with slips.
fn corefiles(random: &mut Random, mixtures: u64) -> Vec<String> {
    let mut texts = vec![SAMPLE.to_owned(), SAMPLE.replace('\n', "\r\n"), SAMPLE.replace("    ", "\t")];
    texts.extend(recorded());
    texts.extend(LINES.iter().map(|line| block(".:PORT", line)));
    let whoami = block(".:PORT", "whoami");
    texts.extend(KEYS.iter().map(|key| whoami.clone() + &block(key, "whoami")));
    for _ in 0..mixtures {
        let mut text = String::new();
        for _ in 0..=random.below(2) {
            let key = if text.is_empty() { ".:PORT" } else { random.one(KEYS) };
            let lines: Vec<_> = (0..=random.below(3)).map(|_| random.one(LINES)).collect();
            text.push_str(&block(key, &lines.join("\n")));
        }
        if random.below(3) == 0 {
            text = SAMPLE.to_owned();
        }
        for _ in 0..random.below(3) {
            let places: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            let at = random.one(&places);
            match random.below(3) {
                0 => text.insert_str(at, random.one(&["{", "}", "\n", "\"", "#", "\r", " ", "\\", "\u{a0}", "{1}"])),
                1 => drop(text.remove(at)),
                _ => {
                    let line = random.one(LINES);
                    text.insert_str(at, &format!("\n{line}\n"));
                }
            }
        }
        texts.push(text);
    }
    texts
}

/// The Corefiles of real clusters, with what only a cluster has replaced: they lie in the folder that
/// `BOBBYPIN_COREFILES` names, else beside this project.
fn recorded() -> Vec<String> {
    let folder = std::env::var("BOBBYPIN_COREFILES")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures").to_owned());
    let Ok(entries) = fs::read_dir(Path::new(&folder)) else { return Vec::new() };
    let mut texts: BTreeMap<_, _> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| {
            path.extension().is_some_and(|end| end == "txt") && path.display().to_string().contains("orefile")
        })
        .map(|path| (path.clone(), fs::read_to_string(path).expect("a readable file")))
        .collect();
    for text in texts.values_mut() {
        *text = text
            .replace(".:53 {", ".:PORT {\n    bind 127.0.0.1")
            .replace("health {", "health 127.0.0.1:ONE {")
            .replace("ready\n", "ready 127.0.0.1:TWO\n")
            .replace("prometheus :9153", "prometheus 127.0.0.1:THREE")
            .replace("prometheus 0.0.0.0:9153", "prometheus 127.0.0.1:THREE")
            .replace("ip6.arpa {", "ip6.arpa {\n        endpoint http://127.0.0.1:1\n        startup_timeout 1ms")
            .replace("/etc/resolv.conf", "127.0.0.1:1")
            .replace("lameduck 5s", "lameduck 0s")
            .replace("    loop\n", "")
            .replace("/etc/coredns/custom", "FOLDER");
    }
    texts.into_values().collect()
}

/// Whether every server block of a Corefile would listen on loopback only.
fn stays_here(text: &str) -> bool {
    parse(text, &|_| Files::Known(Vec::new())).is_ok_and(|corefile| {
        !corefile.servers.is_empty()
            && corefile.servers.iter().all(|server| {
                server.directives.iter().any(|directive| {
                    directive.name() == "bind" && directive.arguments().iter().any(|word| word.text == "127.0.0.1")
                })
            })
    })
}

/// The words that stand for free ports.
const PORTS: [&str; 4] = ["PORT", "ONE", "TWO", "THREE"];

/// How often a program did as predicted, and the texts with which it did not.
#[derive(Debug, Default)]
struct Tally {
    loaded: usize,
    refused: usize,
    unsure: usize,
    wrong: String,
}

/// Starts a program with all texts, a few at a time.
fn compare(program: &str, texts: &[String]) -> Tally {
    let next = AtomicUsize::new(0);
    let worker = || {
        let ports = PORTS.map(|name| (name, free_port().to_string()));
        let mut tally = Tally::default();
        while let Some(text) = texts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let text = ports.iter().fold(text.clone(), |text, (name, port)| text.replace(name, port));
            let judgement = judge(&text, &|_| Files::Known(Vec::new()));
            // What is refused never listens.
            if judgement.verdict() != Verdict::Refuses && !stays_here(&text) {
                continue;
            }
            let refusal = CoreDns::start(program, &text, &[]).err();
            match (judgement.verdict(), &refusal) {
                (Verdict::Loads, None) => tally.loaded += 1,
                (Verdict::Refuses, Some(_)) => tally.refused += 1,
                (Verdict::Unknown, _) => tally.unsure += 1,
                _ => {
                    let answer = refusal.as_deref().unwrap_or("it loads");
                    writeln!(tally.wrong, "── {text}\n{judgement:?}\n{answer}").expect("a string takes everything");
                }
            }
        }
        tally
    };
    let tallies = thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no worker panics")).collect::<Vec<_>>()
    });
    tallies.into_iter().fold(Tally::default(), |sum, one| Tally {
        loaded: sum.loaded + one.loaded,
        refused: sum.refused + one.refused,
        unsure: sum.unsure + one.unsure,
        wrong: sum.wrong + &one.wrong,
    })
}

/// `BOBBYPIN_COREDNS_CASES` says how many mixtures are made besides the fixed texts (400 unless told).
#[test]
fn coredns_loads_and_refuses_what_is_predicted() {
    let mut random = Random::new(number("BOBBYPIN_COREFILE_SEED", 0x5eed));
    let tally = compare("coredns", &corefiles(&mut random, number("BOBBYPIN_COREDNS_CASES", 400)));
    assert_eq!(tally.wrong, "", "{tally:?}");
    let Tally { loaded, refused, unsure, .. } = tally;
    assert!(
        loaded + refused >= 300 && loaded >= 100 && refused >= 100 && unsure < loaded,
        "{loaded} loaded, {refused} refused and {unsure} unsure prove little"
    );
}

/// What only the newer one knows is left out.
#[test]
fn an_older_coredns_loads_and_refuses_the_same() {
    let newer = ["metadata", "fallthrough_unsupported", "example.org:PORT EXAMPLE.ORG.:PORT"];
    let mut texts = corefiles(&mut Random::new(7), 0);
    texts.retain(|text| !newer.iter().any(|word| text.contains(word)));
    let tally = compare("coredns-old", &texts);
    assert_eq!(tally.wrong, "", "{tally:?}");
    assert!(tally.loaded >= 80 && tally.refused >= 80, "{tally:?} proves little");
}
