//! The file around the Corefile stays as it is, whatever it looks like.

use proptest::prelude::*;

use super::{
    drift::{Difference, Drift, Line, LiveBlock, drift},
    *,
};

const TARGET: &str = "ouroboros-proxy.ouroboros.svc.cluster.local.";

const FILE: &str = "# DNS of the cluster\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns   # as kubeadm calls it\n  namespace: \
                    kube-system\ndata:\n  other: 'x'\n  Corefile: |\n    .:53 {\n        errors\n        forward . /etc/resolv.conf\n        reload\n    }\n\n    example.com:53 {\n        errors\n    }\n  more: |-\n      text\n---\nkind: Service\n";

fn hosts_of(names: &[&str]) -> BTreeSet<Hostname> {
    names.iter().map(|name| Hostname::parse(name).expect("a literal that parses")).collect()
}

#[test]
fn only_the_lines_of_the_block_come_and_go() {
    let two = hosts_of(&["b.example.org", "a.example.org"]);
    let written = write(FILE, &two, TARGET).expect("a file as it should be");
    let block = format!(
        "        reload\n        {BEGIN}\n        rewrite name a.example.org {TARGET}\n        rewrite name b.example.org \
         {TARGET}\n        {END}\n    }}\n\n"
    );
    assert_eq!(written, FILE.replace("        reload\n    }\n\n", &block));
    assert_eq!(hosts(&written), Ok(two.clone()));
    assert_eq!(hosts(FILE), Ok(BTreeSet::new()));
    assert_eq!(write(&written, &two, TARGET), Ok(written.clone()), "the same again");
    assert_eq!(write(&written, &BTreeSet::new(), TARGET), Ok(FILE.to_owned()));
    let one = write(&written, &hosts_of(&["a.example.org"]), TARGET).expect("a file as it should be");
    assert_eq!(one, written.replace(&format!("        rewrite name b.example.org {TARGET}\n"), ""));
    let live = corefile(&written).expect("a file as it should be");
    assert_eq!(hosts_of_corefile(&live), Some(two));
}

#[test]
fn line_ends_indentation_and_the_end_of_the_file_stay() {
    let hosts = hosts_of(&["a.example.org"]);
    for file in [
        FILE.replace('\n', "\r\n"),
        FILE.replace("Corefile: |", "Corefile: |-"),
        FILE.replace("Corefile: |", "Corefile: |   # by hand"),
        FILE.replace("Corefile: |", "\"Corefile\": |+"),
        FILE.replace("\n  namespace: kube-system", ""),
        "kind: ConfigMap\nmetadata: {name: coredns}\ndata:\n Corefile: |\n  .:53 {\n  \terrors\n  }".to_owned(),
    ] {
        let written = write(&file, &hosts, TARGET).unwrap_or_else(|error| panic!("{error}\n{file}"));
        assert_eq!(written.contains("\r\n"), file.contains("\r\n"), "{file}");
        assert!(!written.replace("\r\n", "").contains('\r'), "{file}");
        assert_eq!(written.ends_with('\n'), file.ends_with('\n'), "{file}");
        assert_eq!(write(&written, &BTreeSet::new(), TARGET), Ok(file));
    }
}

#[test]
fn what_is_not_plain_is_refused_with_its_place() {
    let with = |from: &str, to: &str| FILE.replace(from, to);
    let twice = format!("{FILE}---\nkind: ConfigMap\nmetadata:\n  name: coredns\n");
    let release = "kind: HelmRelease\nspec:\n  values:\n    servers: []\n".to_owned();
    for (file, expected) in [
        (String::new(), "it holds no ConfigMap `coredns` of `kube-system`"),
        ("[a".to_owned(), "line 1: "),
        (with("kind: ConfigMap", "kind: Secret"), "it holds no ConfigMap"),
        (with("name: coredns ", "name: coredns-custom "), "it holds no ConfigMap"),
        (with("kube-system", "dns"), "it holds no ConfigMap"),
        (with("kind: ConfigMap\n", "kind: List\n"), "it holds no ConfigMap"),
        (release, "it holds the HelmRelease at line 1"),
        (twice, "it holds two ConfigMaps `coredns`, at line 6 and at line 27"),
        (with("Corefile:", "corefile:"), "the ConfigMap at line 6 has no key `Corefile`"),
        (with("Corefile: |", "Corefile: >"), "line 10: the Corefile must stand as a plain literal block"),
        (with("Corefile: |", "Corefile: |2"), "line 10: "),
        (with("Corefile: |", "Corefile: &a |"), "line 10: "),
        (with("Corefile: |", "Corefile: !!str |"), "line 10: "),
        (with("data:\n", "data: &a\n"), "line 10: "),
        (with("Corefile: |", "Corefile:\n    |"), "line 10: "),
        (with("        reload\n    }\n", ""), "the Corefile at line 10: the server block at line 1"),
        (with(".:53", ".:5353"), "the Corefile at line 10: no server block serves `.` on port 53"),
        (with("reload\n", &format!("reload\n        {BEGIN}\n")), "the Corefile at line 10: there is `"),
        (
            with(
                "  Corefile: |\n    .:53 {\n        errors\n        forward . /etc/resolv.conf\n        reload\n    }\n\n    example.com:53 {\n        errors\n    }\n",
                "  Corefile: \"x\"\n",
            ),
            "line 10: ",
        ),
    ] {
        let error = write(&file, &hosts_of(&["a.example.org"]), TARGET).expect_err(&file).to_string();
        assert!(error.starts_with(expected), "{error}\n{file}");
    }
}

#[test]
fn a_corefile_never_grows_beyond_what_the_api_server_takes() {
    let hosts: BTreeSet<_> =
        (0..12_000).map(|n| Hostname::parse(&format!("h{n}.example.org")).expect("a literal that parses")).collect();
    assert!(matches!(write(FILE, &hosts, TARGET), Err(BlockError::TooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn taking_the_block_out_again_gives_the_same_bytes(
        before in "(# [ -~]{0,9}\n|\n){0,3}",
        key_indent in 1_usize..5,
        indent in 1_usize..6,
        plugins in prop::collection::vec("[a-z]{1,8}( [a-z./]{1,9}){0,2}", 0..5),
        is_crlf in any::<bool>(),
        names in prop::collection::btree_set("[a-z]{1,9}\\.example\\.org", 1..9),
    ) {
        let (outer, inner) = (" ".repeat(key_indent), " ".repeat(key_indent + indent));
        let lines: String = plugins.iter().map(|line| format!("{inner}  {line}\n")).collect();
        let file = format!(
            "{before}kind: ConfigMap\nmetadata:\n{outer}name: coredns\ndata:\n{outer}Corefile: |\n{inner}.:53 {{\n{lines}{inner}}}\n"
        );
        prop_assume!(!plugins.iter().any(|line| line.starts_with("import")));
        let file = if is_crlf { file.replace('\n', "\r\n") } else { file };
        let wanted: BTreeSet<_> = names.iter().map(|name| Hostname::parse(name).expect("a literal that parses")).collect();
        let written = write(&file, &wanted, TARGET).expect("a file as it should be");
        prop_assert_eq!(hosts(&written), Ok(wanted.clone()));
        prop_assert_eq!(write(&written, &wanted, TARGET), Ok(written.clone()));
        prop_assert_eq!(write(&written, &BTreeSet::new(), TARGET), Ok(file));
    }
}

#[test]
fn the_first_line_that_a_live_corefile_says_otherwise_is_found_in_both() {
    let hosts = hosts_of(&["a.example.org"]);
    let file = write(FILE, &hosts, TARGET).expect("a file as it should be");
    let live = corefile(&file).expect("a file as it should be");
    let plain = corefile(FILE).expect("a file as it should be");
    let line = |number, text: &str| Line { number, text: text.to_owned() };
    let between = |git, live| Some(Difference::Between { git, live });
    let same = |block| Drift { difference: None, block };
    let different = |difference, block| Drift { difference, block };
    let controller =
        "    # === BEGIN ouroboros (do not edit by hand) ===\n    rewrite name a b.\n    # === END ouroboros ===\n";
    for (file, live, expected) in [
        (&*file, live.clone(), same(LiveBlock::Same)),
        (&*file, live.replace('\n', "\r\n"), same(LiveBlock::Same)),
        (&*file, live.replace("    errors\n", "\n  # by hand\n  errors   \n"), same(LiveBlock::Same)),
        (
            &*file,
            live.replace("    errors\n    forward", &format!("{controller}    errors\n    forward")),
            same(LiveBlock::Same),
        ),
        (&*file, plain.clone(), same(LiveBlock::Missing)),
        (&*file, live.replace("a.example", "b.example"), same(LiveBlock::Other)),
        (FILE, live.clone(), same(LiveBlock::Same)),
        (FILE, plain.clone(), same(LiveBlock::Same)),
        (
            &*file,
            live.replace(END, "# gone"),
            different(
                between(line(18, "}"), line(6, &format!("rewrite name a.example.org {TARGET}"))),
                LiveBlock::Other,
            ),
        ),
        (
            // Behind the block the numbers are still those of the file.
            &*file,
            plain.replace("example.com:53", "example.net:53"),
            different(between(line(20, "example.com:53 {"), line(7, "example.net:53 {")), LiveBlock::Missing),
        ),
        (
            FILE,
            plain.replace("forward . /etc/resolv.conf", "forward .\n    /etc/resolv.conf"),
            different(between(line(13, "forward . /etc/resolv.conf"), line(4, "/etc/resolv.conf")), LiveBlock::Same),
        ),
        (FILE, plain.clone() + "a {\n}\n", different(Some(Difference::OnlyLive(line(10, "a {"))), LiveBlock::Same)),
        (FILE, String::new(), different(Some(Difference::OnlyInGit(line(11, ".:53 {"))), LiveBlock::Same)),
        (
            FILE,
            "\u{7}".repeat(99),
            different(between(line(11, ".:53 {"), line(1, &"\\u{7}".repeat(24))), LiveBlock::Same),
        ),
    ] {
        assert_eq!(drift(file, &live), Ok(expected), "{live}");
    }
    assert_eq!(drift("", &plain), Err(BlockError::NoConfigMap));
}

proptest! {
    #[test]
    fn a_corefile_differs_from_itself_in_nothing_but_the_block(
        names in prop::collection::btree_set("[a-z0-9]{1,9}\\.[a-z]{2,6}", 0..20),
        others in prop::collection::btree_set("[a-z0-9]{1,9}\\.[a-z]{2,6}", 1..20),
    ) {
        let parse = |names: &BTreeSet<String>| names.iter().filter_map(|name| Hostname::parse(name).ok()).collect::<BTreeSet<_>>();
        let (names, others) = (parse(&names), parse(&others));
        let file = write(FILE, &names, TARGET).expect("a file as it should be");
        let live = corefile(&write(FILE, &others, TARGET).expect("a file as it should be")).expect("a file as it should be");
        let found = drift(&file, &live).expect("a file as it should be");
        prop_assert_eq!(found.difference, None);
        prop_assert_eq!(found.block == LiveBlock::Same, names == others || names.is_empty());
    }
}
