//! Every rule once, and Corefiles in which nothing is wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use proptest::prelude::*;

use crate::{
    dns::{
        block,
        corefile::lint::{Delivery, LintContext, inspect, lint},
        hosts_file, ouroboros, snippet,
    },
    model::{finding::Finding, hostname::Hostname},
};

/// What stands beside a Corefile, in the shape of a test.
#[derive(Default)]
struct Beside<'a> {
    delivery: Option<Delivery>,
    custom: Option<&'a [(&'a str, &'a str)]>,
    has_node_local_dns: bool,
    hosts: &'a [&'a str],
}

fn findings(corefile: &str, beside: &Beside<'_>) -> Vec<Finding> {
    let hosts: BTreeSet<_> =
        beside.hosts.iter().map(|host| Hostname::parse(host).expect("a literal that parses")).collect();
    let custom: Option<BTreeMap<_, _>> =
        beside.custom.map(|custom| custom.iter().map(|&(key, text)| (key.to_owned(), text.to_owned())).collect());
    let context = LintContext {
        subject: "Corefile",
        delivery: beside.delivery,
        custom: custom.as_ref(),
        has_node_local_dns: beside.has_node_local_dns,
        hosts: &hosts,
    };
    lint(corefile, &context)
}

/// One line for every finding.
fn told(corefile: &str, beside: &Beside<'_>) -> String {
    let mut told = String::new();
    for Finding { severity, rule, subject, message, fix, .. } in findings(corefile, beside) {
        assert_eq!(subject, "Corefile");
        let fix = fix.expect("every rule knows what to do");
        writeln!(told, "{severity:?} {rule}: {message} -> {fix}").expect("a string takes everything");
    }
    told
}

/// A Corefile whose server block for `.` has these lines beside the usual ones.
fn with(lines: &str) -> String {
    format!(".:53 {{\n    errors\n    kubernetes cluster.local\n{lines}    reload\n}}\n")
}

fn block(hosts: &[&str]) -> String {
    let rules = hosts.iter().map(|host| format!("    rewrite name {host} ouroboros-proxy.x.svc.cluster.local.\n"));
    format!("    {}\n{}    {}\n", ouroboros::corefile::BEGIN, rules.collect::<String>(), ouroboros::corefile::END)
}

#[test]
fn a_healthy_corefile_gives_no_finding() {
    let block = with(&block(&["a.example.org", "b.example.org"]));
    let import = with("    import /etc/coredns/custom/*.override\n");
    let custom: &[_] = &[
        ("ouroboros.override", "rewrite name a.example.org ouroboros-proxy.x.svc.cluster.local.\n"),
        ("other.server", "example.com {\n  forward . 192.0.2.1\n}\n"),
    ];
    let hosts: &[_] = &["a.example.org", "b.example.org"];
    for (corefile, beside) in [
        (with(""), Beside::default()),
        (with("").replace('\n', "\r\n"), Beside { hosts, ..Beside::default() }),
        (with("") + "example.com:53 {\n  forward . 192.0.2.1\n}\n", Beside { hosts, ..Beside::default() }),
        (block, Beside { delivery: Some(Delivery::Block), custom: Some(&[]), hosts, ..Beside::default() }),
        (import.clone(), Beside { delivery: Some(Delivery::Import), custom: Some(custom), hosts, ..Beside::default() }),
        (import, Beside { delivery: Some(Delivery::Import), hosts, ..Beside::default() }),
    ] {
        assert_eq!(told(&corefile, &beside), "", "{corefile}");
    }
}

#[test]
fn what_coredns_refuses_is_an_error_with_its_place() {
    insta::assert_snapshot!(told(".:53 {\n  reload\n", &Beside::default()), @r"Error CorefileDoesNotParse: CoreDNS cannot read it, line 1, column 6: the server block that begins here is not closed by a `}`. A running CoreDNS keeps what it has; a restarted one does not start. -> Repair this place.");
    insta::assert_snapshot!(told(".:53 {\n  reload\n  health {\n  }\n", &Beside::default()), @r"Error BorrowedBrace: The server block that is opened at line 1, column 6 has no `}` of its own; CoreDNS takes the last one of a plugin for it. -> Give every `{` its own `}` in the same file.");
    let custom: &[_] = &[("a.override", "loop\n}\nx.org {\n")];
    let beside = Beside { custom: Some(custom), ..Beside::default() };
    insta::assert_snapshot!(told(&with("    import /etc/coredns/custom/*.override\n"), &beside), @r"
    Error BorrowedBrace: The server block that is opened at line 1, column 6 is closed by an imported file, at a.override, line 2, column 1; what follows belongs to another one. -> Give every `{` its own `}` in the same file.
    Error BorrowedBrace: The server block that is opened at a.override, line 3, column 7 is closed by an imported file, at line 6, column 1; what follows belongs to another one. -> Give every `{` its own `}` in the same file.
    ");
    insta::assert_snapshot!(told(&with("    import /etc/coredns/custom/b.override\n"), &beside), @r"Error CorefileDoesNotParse: CoreDNS cannot read it, line 4, column 12: the imported file `/etc/coredns/custom/b.override` does not exist. A running CoreDNS keeps what it has; a restarted one does not start. -> Repair this place.");
    insta::assert_snapshot!(told(&with("    hosts {\n    }\n    hosts /etc/x\n"), &Beside::default()), @r"Error PluginTwice: At line 6, column 5: `hosts` stands a second time in one server block; the first is at line 4, column 5. CoreDNS refuses the whole Corefile. -> Join the two.");
    insta::assert_snapshot!(told(&with("    cach 30\n"), &Beside::default()), @r"Warning UnknownPlugin: CoreDNS 1.15 has no plugin `cach`, which stands at line 4, column 5. Without an image that has it, CoreDNS refuses the whole Corefile. -> Take the line out, if the image does not bring this plugin.");
}

#[test]
fn what_coredns_says_to_zones_and_arguments_is_told() {
    insta::assert_snapshot!(told(&with("    rewrite name {1}.example.org x.\n"), &Beside::default()), @r"Error ArgumentsRefused: At line 4, column 34: `{n}` stands for a group of the other word: 1 named, 0 there. CoreDNS refuses the whole Corefile. -> Correct this line.");
    insta::assert_snapshot!(told(&with("    cache 0\n    forward . 192.0.2.1 {\n        policy best\n    }\n"), &Beside::default()), @r"
    Error ArgumentsRefused: At line 4, column 11: this number must be 1 or more. CoreDNS refuses the whole Corefile. -> Correct this line.
    Error ArgumentsRefused: At line 6, column 16: the policy is random, round_robin or sequential. CoreDNS refuses the whole Corefile. -> Correct this line.
    ");
    insta::assert_snapshot!(told(&(with("") + ". example.org.. {\n}\n"), &Beside::default()), @r"
    Error ZoneRefused: At line 6, column 1: `.` is served already, by the server block at line 1, column 1. CoreDNS refuses the whole Corefile. -> Correct the zone, or take it out of one of the server blocks.
    Error ZoneRefused: At line 6, column 3: `example.org..` is no zone with a port. CoreDNS refuses the whole Corefile. -> Correct the zone, or take it out of one of the server blocks.
    ");
}

#[test]
fn a_finding_has_its_place() {
    let text = ".:53 { # all\n  cache 0\n  rewrite name a b\n  rewrite name a c\n  cach 30\n  reload\n}\n";
    let context =
        LintContext { subject: "", delivery: None, custom: None, has_node_local_dns: false, hosts: &BTreeSet::new() };
    let places: Vec<_> = inspect(text, &context)
        .into_iter()
        .map(|located| (located.finding.rule, located.place.line, located.place.column))
        .collect();
    assert_eq!(
        places,
        [("OpenerNotFound", 1, 1), ("ArgumentsRefused", 2, 9), ("UnknownPlugin", 5, 3), ("RewriteNeverFires", 4, 3)]
    );
}

#[test]
fn blanks_that_block_the_cleanup_are_told() {
    let block = block(&["a.example.org"]);
    insta::assert_snapshot!(told(&with(&(block.clone() + "    cache 30 \n")), &Beside::default()), @r"Warning BlanksBlockCleanup: Line 7 ends in a blank or holds a tab, so kubectl prints the Corefile as one quoted line, and the cleanup of ouroboros fails when it is uninstalled. -> Take blanks away from the ends of lines, and write blanks for tabs.");
    assert_eq!(told(&with(&(block + "    cache 30\n")), &Beside::default()), "");
    assert_eq!(told(&with("\tcache 30 \n"), &Beside::default()), "");
}

#[test]
fn a_server_block_that_nobody_finds_is_told() {
    insta::assert_snapshot!(told("example.org {\n  reload\n}\n", &Beside::default()), @r"Error NoRootServer: No server block serves `.` on port 53, so pods get no answer for public names, and records have no place. -> Add a server block that begins with `.:53 {`.");
    insta::assert_snapshot!(told(". {\n  reload\n}\n", &Beside::default()), @r"Warning OpenerNotFound: The server block for `.` at line 1, column 1 does not begin with a line `.:53 {`. CoreDNS does not mind, but ouroboros finds no other line and writes no records. -> Write `.:53 {` alone on that line, and other zones as a server block of their own.");
    let odd = ".:53 { # all\n  reload\n}\n";
    insta::assert_snapshot!(told(odd, &Beside { delivery: Some(Delivery::Block), ..Beside::default() }), @r"Error OpenerNotFound: The server block for `.` at line 1, column 1 does not begin with a line `.:53 {`. CoreDNS does not mind, but ouroboros finds no other line and writes no records. -> Write `.:53 {` alone on that line, and other zones as a server block of their own.");
    assert_eq!(told(&format!("{odd}x {{\n import custom/*.override\n}}\n"), &Beside::default()).lines().count(), 1);
}

#[test]
fn a_corefile_that_records_cannot_reach_is_told() {
    insta::assert_snapshot!(told(".:53 {\n  errors\n}\n", &Beside::default()), @r"Warning ReloadMissing: No server block has the plugin `reload`, so CoreDNS sees changed records only when it is restarted. -> Add the line `reload` to the server block.");
    insta::assert_snapshot!(told(&with(""), &Beside { delivery: Some(Delivery::Import), ..Beside::default() }), @r"Error ImportDirectiveMissing: The server block for `.` does not import override files, so records in `coredns-custom` have no effect. -> Add this line to the server block, and mount ConfigMap coredns-custom there: import /etc/coredns/custom/*.override");
    let custom: &[_] = &[("ouroboros.override", "")];
    insta::assert_snapshot!(told(&with(""), &Beside { custom: Some(custom), ..Beside::default() }), @r"Warning ImportDirectiveMissing: The server block for `.` does not import override files, so records in `coredns-custom` have no effect. -> Add this line to the server block, and mount ConfigMap coredns-custom there: import /etc/coredns/custom/*.override");
    insta::assert_snapshot!(told(&with(""), &Beside { has_node_local_dns: true, ..Beside::default() }), @r"Warning NodeLocalDns: There is a ConfigMap `node-local-dns`: a cache on each node sends only names of the cluster's own zone to CoreDNS, so records for public names do not reach pods there. -> Let the cache forward `.` to the cluster's DNS service, or use mode `etc-hosts`.");
    let both = with(&(block(&["a.example.org"]) + "    import custom/*.override\n"));
    insta::assert_snapshot!(told(&both, &Beside { custom: Some(custom), ..Beside::default() }), @r"Warning TwoModes: The Corefile has a block of ouroboros, and `coredns-custom` has the key `ouroboros.override`: one of them is left over from another mode, and nobody keeps it up to date. -> Take out the one whose mode is not in use any more.");
    let large = with(&"    # note\n".repeat(90_000));
    insta::assert_snapshot!(told(&large, &Beside::default()), @r"Warning SizeBudget: The Corefile has 966 KiB. A ConfigMap holds 1024 KiB in all, and above 900 KiB the next records may be refused. -> Move records into `coredns-custom` or a file of the plugin `hosts`.");
}

#[test]
fn damaged_markers_are_told_with_what_ouroboros_makes_of_them() {
    let (begin, end) = (format!("    {}\n", ouroboros::corefile::BEGIN), format!("    {}\n", ouroboros::corefile::END));
    let good = block(&["a.example.org"]);
    let mut all = String::new();
    for corefile in [
        with(&begin),
        with(&end),
        with(&(end.clone() + &begin)),
        with(&(begin.clone() + &begin)),
        with(&(end.clone() + &end)),
        with(&(good.clone() + &end)),
        with(&(good.clone() + &begin)),
        with(&(good.clone() + &block(&["b.example.org"]))),
        with(&(begin.clone() + "    loadbalance\n" + &end)),
        with("") + &begin + &end,
        with("    # === BEGIN ouroboros ===\n"),
    ] {
        let told = told(&corefile, &Beside::default());
        assert_eq!(told.lines().count(), 1, "{corefile}");
        all.push_str(told.split(" -> ").next().expect("a part"));
        all.push('\n');
    }
    insta::assert_snapshot!(all, @r"
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 4: one of the two stands alone, so ouroboros writes a second block, and its cleanup fails.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 4: one of the two stands alone, so ouroboros writes a second block, and its cleanup fails.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 4: the end stands before the beginning, so ouroboros repeats what is between them every 30 seconds, without end.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 5: a beginning stands twice, so the cleanup of ouroboros fails.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 5: an end stands twice, and there is no beginning.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 7: an end stands behind the block, so ouroboros deletes everything between them.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 7: a beginning stands behind the last end, so ouroboros repeats lines every 30 seconds, without end.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 7: there is more than one block; ouroboros keeps only the last, and its cleanup fails.
    Warning MarkerAnomaly: The markers of ouroboros are damaged at line 5: a line in the block is no record, and the next change of ouroboros deletes it.
    Warning MarkerAnomaly: The markers of ouroboros are damaged at line 6: one stands outside the server block `.:53`, where ouroboros does not look.
    Error MarkerAnomaly: The markers of ouroboros are damaged at line 4: a line is nearly a beginning: the controller does not know it, its cleanup takes it for one and fails.
    ");
}

#[test]
fn a_rule_that_takes_a_name_from_its_record_is_told() {
    let hosts: &[_] = &["a.example.org", "b.example.org"];
    let beside = Beside { hosts, ..Beside::default() };
    let records = block(hosts);
    let with = |lines: &str| with(&(lines.to_owned() + &records));
    let hairpin =
        "    rewrite name c.example.org hairpin-proxy.hairpin-proxy.svc.cluster.local # Added by hairpin-proxy\n";
    insta::assert_snapshot!(told(&with(hairpin), &beside), @r"Warning HairpinProxyLeftOver: Left over from hairpin-proxy: 1 line, the first at line 4. Where they stand before other records they win, because the first rule for a name does. -> Uninstall hairpin-proxy, then take these lines out.");
    insta::assert_snapshot!(told(&with("    rewrite name A.example.org. x.\n"), &beside), @r"
    Warning RewriteNeverFires: 1 rewrite rule can never act, the first at line 6, column 5: the one at line 4, column 5 catches the same names before it. -> Take out the rule that is not meant.
    Warning RuleBeforeRecords: A rewrite rule of somebody else comes first for 1 name, as for `a.example.org` at line 4, column 5. -> Take the rule out, or leave the name out of the records.
    ");
    insta::assert_snapshot!(told(&with("    rewrite stop name suffix .example.org .example.com\n"), &beside), @r"
    Warning RewriteNeverFires: 2 rewrite rules can never act, the first at line 6, column 5: the one at line 4, column 5 catches the same names before it. -> Take out the rule that is not meant.
    Warning RuleBeforeRecords: A rewrite rule of somebody else comes first for 2 names, as for `a.example.org` at line 4, column 5. -> Take the rule out, or leave the name out of the records.
    ");
    insta::assert_snapshot!(told(&with("    rewrite name regex .*org x. answer auto\n"), &beside), @r"Info ExpressionBeforeRecords: The expression of the rewrite rule at line 4, column 5 is tried before the records of 2 names; whether it matches was not looked at. -> Compare the expression with the names.");
    insta::assert_snapshot!(told(&with("    hosts {\n        192.0.2.1 A.example.org c.example.org\n        ttl 30\n    }\n"), &beside), @r"Warning HostsEntryForRecord: The plugin `hosts` has an address for 1 name with a record, the first at line 5, column 19. A rewrite acts before it, so an address is answered only while its name has no record. -> Take the entries out.");
    insta::assert_snapshot!(told(&with("    template IN A example.org {\n        rcode NXDOMAIN\n    }\n"), &beside), @r"Warning TemplateForRecord: The plugin `template` is for zones that hold 2 names with a record, the first at line 4, column 5. A rewrite acts before it, so it answers only while a name has no record. -> Take the names out of the template, or out of the records.");
    insta::assert_snapshot!(told(&(with("") + "b.example.org. {\n  whoami\n}\n"), &beside), @r"Warning ZoneShadowsRecords: The server block for `b.example.org.` at line 10, column 1 answers for 1 name with a rule or a record, as for `b.example.org`: rules in the server block for `.` never see them. -> Put the records into that server block, or take it out.");
    assert_eq!(told(&with("    rewrite continue name a.example.org x.\n"), &beside), "");
    assert_eq!(told(&(with("") + "b.example.org:54 {\n  whoami\n}\ntls://. {\n  whoami\n}\n"), &beside), "");
    assert_eq!(told(&with("    template IN A c.example.org\n"), &beside), "");
}

#[test]
fn a_rule_that_can_never_act_is_told() {
    for (rules, never) in [
        ("rewrite name a b\nrewrite name exact A. c\n", true),
        ("rewrite name suffix .a b\nrewrite name x.a c\n", true),
        ("rewrite name regex a b\nrewrite name regex a c\n", true),
        ("rewrite continue name a b\nrewrite name a c\n", false),
        ("rewrite name a b\nrewrite name b c\n", false),
        ("rewrite name x.a c\nrewrite name suffix .a b\n", false),
    ] {
        assert_eq!(!told(&with(rules), &Beside::default()).is_empty(), never, "{rules}");
    }
    let rules = "rewrite name a b\nrewrite name a c\nrewrite name a d\n";
    insta::assert_snapshot!(told(&with(rules), &Beside::default()), @r"Warning RewriteNeverFires: 2 rewrite rules can never act, the first at line 5, column 1: the one at line 4, column 1 catches the same names before it. -> Take out the rule that is not meant.");
}

/// Our own block.
fn own_block(hosts: &[&str]) -> String {
    let rules = hosts.iter().map(|host| format!("    rewrite name {host} ouroboros-proxy.x.svc.cluster.local.\n"));
    format!("    {}\n{}    {}\n", block::BEGIN, rules.collect::<String>(), block::END)
}

const OWN_SNIPPET: &str = "rewrite name a.example.org ouroboros-proxy.x.svc.cluster.local.\nrewrite name b.example.org \
                           ouroboros-proxy.x.svc.cluster.local.\n";
const OWN_HOSTS: &str = "10.96.0.7 a.example.org\n10.96.0.7 b.example.org\n";
const IMPORT: &str = "    import /etc/coredns/custom/*.override\n";
const HOSTS_LINE: &str =
    "    hosts /etc/coredns/custom/bobbypin.hosts {\n        ttl 30\n        no_reverse\n        fallthrough\n    }\n";

#[test]
fn records_of_our_own_are_no_finding_in_any_form() {
    let hosts: &[_] = &["a.example.org", "b.example.org"];
    let snippet: &[_] = &[(snippet::KEY, OWN_SNIPPET)];
    let file: &[_] = &[(hosts_file::KEY, OWN_HOSTS)];
    let both: &[_] = &[(snippet::KEY, OWN_SNIPPET), (hosts_file::KEY, OWN_HOSTS)];
    let own = own_block(hosts);
    let nothing: &[_] = &[];
    for (lines, delivery, custom) in [
        (own.clone(), Delivery::OwnBlock, nothing),
        (IMPORT.to_owned(), Delivery::Import, snippet),
        (IMPORT.to_owned() + HOSTS_LINE, Delivery::HostsFile, file),
        // While one form takes the place of another.
        (IMPORT.to_owned() + HOSTS_LINE, Delivery::HostsFile, both),
        (IMPORT.to_owned() + &own, Delivery::OwnBlock, snippet),
        (own.clone() + &block(hosts), Delivery::OwnBlock, nothing),
    ] {
        for delivery in [None, Some(delivery)] {
            for hosts in [nothing_wanted(), hosts] {
                let beside = Beside { delivery, custom: Some(custom), hosts, ..Beside::default() };
                assert_eq!(told(&with(&lines), &beside), "", "{lines}");
            }
        }
    }
    // What only ouroboros needs, or only what is read with the Corefile.
    let elsewhere = with(&own).replace(".:53 {", ". {");
    assert_eq!(told(&elsewhere, &Beside { delivery: Some(Delivery::OwnBlock), ..Beside::default() }), "");
    let once = with(&(IMPORT.to_owned() + HOSTS_LINE)).replace("    reload\n", "");
    assert_eq!(
        told(&once, &Beside { delivery: Some(Delivery::HostsFile), custom: Some(file), ..Beside::default() }),
        ""
    );
}

fn nothing_wanted() -> &'static [&'static str] {
    &[]
}

#[test]
fn a_rule_of_somebody_else_before_our_own_records_is_told() {
    let hosts: &[_] = &["a.example.org"];
    let lines = "    rewrite name a.example.org x.\n".to_owned() + &own_block(hosts);
    let beside = Beside { delivery: Some(Delivery::OwnBlock), custom: Some(&[]), hosts, ..Beside::default() };
    let rules: Vec<_> = findings(&with(&lines), &beside).into_iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["RewriteNeverFires", "RuleBeforeRecords"]);
}

#[test]
fn records_of_our_own_that_somebody_edited_are_told_with_their_place() {
    let own = own_block(&["a.example.org"]);
    let edited = own.replace("    rewrite", "    cache 30\n    rewrite");
    let both = IMPORT.to_owned() + HOSTS_LINE;
    let cases: [(String, &[(&str, &str)]); 6] = [
        (own.replace(block::END, "# gone"), &[]),
        (own.clone() + &own, &[]),
        (edited, &[]),
        (both.clone(), &[(snippet::KEY, "rewrite name a.example.org b.\nrewrite name c d\n")]),
        (both.clone(), &[(hosts_file::KEY, "10.96.0.7 a.example.org\n# by hand\n")]),
        (both, &[(hosts_file::KEY, "10.96.0.7 b.example.org\n10.96.0.7 a.example.org\n")]),
    ];
    let all: String = cases
        .iter()
        .map(|(lines, custom)| told(&with(lines), &Beside { custom: Some(custom), ..Beside::default() }))
        .collect();
    insta::assert_snapshot!(all, @r"
    Error BlockDamaged: The comments around the records of bobbypin are damaged: there is `# --- BEGIN bobbypin (generated, do not edit) ---` at line 4, column 5, but no `# --- END bobbypin ---`. It does not edit such a Corefile. -> Take out what is left of the block, with both comments; the next run writes it again.
    Error BlockDamaged: The comments around the records of bobbypin are damaged: `# --- BEGIN bobbypin (generated, do not edit) ---` stands at line 4, column 5 and again at line 7, column 5. It does not edit such a Corefile. -> Take out what is left of the block, with both comments; the next run writes it again.
    Warning RewriteNeverFires: 1 rewrite rule can never act, the first at line 8, column 5: the one at line 5, column 5 catches the same names before it. -> Take out the rule that is not meant.
    Warning RecordsEdited: The records of bobbypin were edited by hand, first at line 5, column 1: it does not edit such a Corefile. -> Keep your own lines outside of them.
    Warning RecordsEdited: The records of bobbypin were edited by hand, first at bobbypin.override, line 2, column 1: Flux writes again what is in Git. -> Keep your own lines outside of them.
    Warning RecordsEdited: The records of bobbypin were edited by hand, first at bobbypin.hosts, line 2, column 1: CoreDNS passes over a line that it cannot read without a word. -> Keep your own lines outside of them.
    Warning RecordsEdited: The records of bobbypin were edited by hand, first at bobbypin.hosts, line 1, column 1: CoreDNS passes over a line that it cannot read without a word. -> Keep your own lines outside of them.
    ");
}

#[test]
fn records_for_other_names_than_the_wanted_ones_are_told_where_somebody_says_which() {
    let hosts: &[_] = &["b.example.org", "c.example.org", "d.example.org"];
    let both = IMPORT.to_owned() + HOSTS_LINE;
    let cases: [(String, &[(&str, &str)]); 3] = [
        (own_block(&["a.example.org", "b.example.org"]), &[]),
        (both.clone(), &[(snippet::KEY, OWN_SNIPPET)]),
        (both, &[(hosts_file::KEY, OWN_HOSTS)]),
    ];
    let told_for = |hosts| -> String {
        let told = |(lines, custom): &(String, &[(&str, &str)])| {
            told(&with(lines), &Beside { custom: Some(custom), hosts, ..Beside::default() })
        };
        cases.iter().map(told).collect()
    };
    insta::assert_snapshot!(told_for(hosts), @r"
    Info RecordsOutOfDate: The records of bobbypin at line 5, column 1 are not those that are wanted: 2 names missing, as `c.example.org`, 1 name not wanted any more, as `a.example.org`. -> Run bobbypin reconcile, and let Flux apply what it commits.
    Info RecordsOutOfDate: The records of bobbypin at bobbypin.override, line 1, column 1 are not those that are wanted: 2 names missing, as `c.example.org`, 1 name not wanted any more, as `a.example.org`. -> Run bobbypin reconcile, and let Flux apply what it commits.
    Info RecordsOutOfDate: The records of bobbypin at bobbypin.hosts, line 1, column 1 are not those that are wanted: 2 names missing, as `c.example.org`, 1 name not wanted any more, as `a.example.org`. -> Run bobbypin reconcile, and let Flux apply what it commits.
    ");
    assert_eq!(told_for(nothing_wanted()), "");
}

proptest! {
    #[test]
    fn every_text_is_judged(text in "([ \n]|\\.:53|\\{\n|\\}\n|rewrite|name|hosts|template|a\\.example\\.org|import custom/\\*\\.override\n|\"|#|# === BEGIN ouroboros \\(do not edit by hand\\) ===\n|# === END ouroboros ===\n|192\\.0\\.2\\.1){0,40}") {
        let beside = Beside {
            custom: Some(&[("a.override", "rewrite name a.example.org x.\n")]),
            hosts: &["a.example.org"],
            ..Beside::default()
        };
        for finding in findings(&text, &beside) {
            prop_assert!(finding.rule.bytes().all(|byte| byte.is_ascii_alphabetic()));
            prop_assert!(!finding.message.contains('\n'), "{}", finding.message);
        }
    }
}
