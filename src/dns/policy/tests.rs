//! Who gets a host, and who keeps it.

use proptest::prelude::*;

use super::*;
use crate::model::{inventory::ObjectMeta, name::Name};

fn host(text: &str) -> Hostname {
    Hostname::parse(text).expect("a literal that parses")
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn meta(namespace: &str, name: &str, age: Option<i64>) -> ObjectMeta {
    ObjectMeta { namespace: namespace.into(), name: name.into(), uid: format!("uid-{name}"), created: age.map(time) }
}

fn policy() -> Policy {
    Policy {
        grants: BTreeMap::from([
            ("tenant-acme".to_owned(), vec![host("acme.example.net")]),
            ("shop".to_owned(), vec![host("example.org"), host("gov.example.net")]),
            ("web".to_owned(), vec![host("example.org")]),
        ]),
        platform_host: Some(host("cozy.example.org")),
        reserved: BTreeMap::from([(host("git.example.org"), "for the Git server")]),
        denied_suffixes: vec!["k8s.example.org".to_owned(), "Corp.Example.".to_owned()],
        seen: Seen::default(),
        quota_per_namespace: 2,
        quota_total: 3,
    }
}

const RETENTION: SignedDuration = SignedDuration::from_hours(24);

fn decided_at(
    claims: &[(&ObjectMeta, &str)],
    policy: &Policy,
    (committed, owners, now): (&BTreeSet<Hostname>, &BTreeMap<Hostname, HostOwner>, Timestamp),
) -> Verdict {
    let claims = claims.iter().map(|(owner, host)| Claim { host, kind: "Ingress", owner });
    let memory = Memory { committed, owners, now, retention: RETENTION, proves_absence: true };
    decide(claims, Claimant::ItsNamespace, policy, &memory)
}

fn decided(claims: &[(&ObjectMeta, &str)], committed: &[&str]) -> Verdict {
    let committed = committed.iter().copied().map(host).collect();
    decided_at(claims, &policy(), (&committed, &BTreeMap::new(), time(0)))
}

#[test]
fn a_claim_is_granted_or_refused_with_its_rule() {
    for (namespace, name, expected) in [
        ("tenant-acme", "a.acme.example.net", None),
        ("tenant-acme", "acme.example.net", None),
        ("tenant-acme", "a.example.net", Some("HostNotDelegated")),
        ("tenant-acme", "github.com", Some("HostNotDelegated")),
        ("tenant-acme", "x.notacme.example.net", Some("HostNotDelegated")),
        // What a person gives stands in the place of what the platform gives.
        ("tenant-acme", "a.acme.cozy.example.org", Some("HostNotDelegated")),
        ("shop", "cozy.example.org", None),
        ("tenant-blog", "blog.cozy.example.org", None),
        ("tenant-blog", "a.b.blog.cozy.example.org", None),
        ("tenant-blog", "cozy.example.org", Some("HostNotDelegated")),
        ("tenant-blog", "dashboard.cozy.example.org", Some("HostNotDelegated")),
        ("tenant-blog-dev", "x.dev.blog.cozy.example.org", None),
        ("tenant-blog-dev", "x.blog.cozy.example.org", Some("HostNotDelegated")),
        ("tenant-", "x.cozy.example.org", Some("HostNotDelegated")),
        ("tenant-root", "bootbox.cozy.example.org", None),
        ("cozy-dashboard", "dashboard.cozy.example.org", None),
        ("cozy-dashboard", "a.example.org", Some("HostNotDelegated")),
        ("cozy-dashboard", "github.com", Some("HostNotDelegated")),
        ("shop", "git.example.org", Some("HostReserved")),
        ("shop", "x.git.example.org", None),
        ("shop", "api.k8s.example.org", Some("HostDenied")),
        ("shop", "k8s.example.org", Some("HostDenied")),
        ("shop", "notk8s.example.org", None),
        ("shop", "corp.example", Some("HostDenied")),
        ("shop", "wpad.example.org", Some("HostDenied")),
        ("shop", "isatap.a.example.org", Some("HostDenied")),
        ("shop", "a.wpad.example.org", None),
        ("shop", "co.uk", Some("HostDenied")),
        ("shop", "*.example.org", Some("HostWildcard")),
        ("shop", "a.example.org\nrewrite name b c", Some("HostRefused")),
    ] {
        let owner = meta(namespace, "i", None);
        let verdict = decided(&[(&owner, name)], &[]);
        let rules: Vec<_> = verdict.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, Vec::from_iter(expected), "{namespace} {name:?}");
        assert_eq!(verdict.records.len(), usize::from(expected.is_none()), "{namespace} {name:?}");
    }
}

#[test]
fn a_namespace_has_a_name_by_the_longest_of_its_suffixes() {
    let mut policy = policy();
    policy
        .grants
        .insert("nested".to_owned(), vec![host("example.org"), host("b.a.example.org"), host("a.example.org")]);
    for (namespace, name, suffix) in [
        ("nested", "x.b.a.example.org", Some("b.a.example.org")),
        ("nested", "a.example.org", Some("a.example.org")),
        ("nested", "x.example.org", Some("example.org")),
        ("nested", "x.cozy.example.org", Some("example.org")),
        ("nested", "example.net", None),
        ("tenant-acme", "a.acme.example.net", Some("acme.example.net")),
        ("tenant-acme", "a.acme.cozy.example.org", None),
        ("tenant-blog", "x.blog.cozy.example.org", Some("blog.cozy.example.org")),
        ("tenant-blog-dev", "dev.blog.cozy.example.org", Some("dev.blog.cozy.example.org")),
        ("tenant-blog-dev", "x.blog.cozy.example.org", None),
        ("tenant-", "x.cozy.example.org", None),
        ("tenant-root", "x.cozy.example.org", Some("cozy.example.org")),
        ("cozy-dashboard", "cozy.example.org", Some("cozy.example.org")),
        ("cozy-dashboard", "example.org", None),
    ] {
        assert_eq!(policy.delegated_by(namespace, &host(name)), suffix.map(host), "{namespace} {name}");
    }
}

#[test]
fn every_finding_names_its_host_as_records_have_it() {
    let long = format!("{}.example.net", "a.".repeat(100).trim_end_matches('.'));
    for (written, named) in [
        ("A.Example.NET.", "a.example.net"),
        (long.as_str(), &long),
        ("*.Example.org", "*.Example.org"),
        ("a.example.org\nrewrite", "a.example.org\\nrewrite"),
        (&"x".repeat(300), &"x".repeat(80)),
        ("git.example.org", "git.example.org"),
    ] {
        let owner = meta("web", "i", None);
        let named_by: Vec<_> =
            decided(&[(&owner, written)], &[]).findings.into_iter().map(|found| found.host).collect();
        assert_eq!(named_by, [Some(named.to_owned())], "{written}");
    }
    // And those about hosts that were lawfully claimed: twice, over the quota, at the top of a domain.
    let (old, new) = (meta("shop", "old", Some(1)), meta("web", "new", Some(2)));
    let claims = [
        (&new, "Example.org"),
        (&old, "A.example.org"),
        (&new, "A.example.org"),
        (&old, "b.example.org."),
        (&old, "c.gov.example.net"),
    ];
    let told: Vec<_> = decided(&claims, &[]).findings.into_iter().map(|found| (found.rule, found.host)).collect();
    let about = |rule, name: &str| (rule, Some(name.to_owned()));
    assert_eq!(
        told,
        [
            about("HostAtApex", "example.org"),
            about("HostClaimedTwice", "a.example.org"),
            about("HostQuotaExceeded", "c.gov.example.net"),
        ]
    );
}

#[test]
fn names_that_belong_to_clusters_are_refused_whoever_was_given_what_lies_above() {
    let policy = Policy {
        grants: BTreeMap::from([(
            "shop".to_owned(),
            DENIED_SUFFIXES.map(|suffix| host(&format!("a.{suffix}"))).into(),
        )]),
        quota_per_namespace: 100,
        quota_total: 100,
        ..Policy::default()
    };
    let owner = meta("shop", "i", None);
    for suffix in DENIED_SUFFIXES {
        let (below, beside) = (format!("x.a.{suffix}"), format!("x.a.not{suffix}"));
        let nothing = (&BTreeSet::new(), &BTreeMap::new(), time(0));
        let verdict = decided_at(&[(&owner, &below), (&owner, &beside)], &policy, nothing);
        let rules: Vec<_> = verdict.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, ["HostNotDelegated", "HostDenied"], "{suffix}");
    }
}

#[test]
fn a_host_of_two_objects_belongs_to_the_older_one_whatever_the_order() {
    let (old, new, unknown) = (meta("shop", "old", Some(1)), meta("web", "new", Some(2)), meta("web", "x", None));
    for claims in [[&old, &new, &unknown], [&unknown, &new, &old], [&new, &unknown, &old]] {
        let claims: Vec<_> = claims.into_iter().map(|owner| (owner, "a.example.org")).collect();
        let verdict = decided(&claims, &[]);
        assert_eq!(verdict.records[&host("a.example.org")].name.as_ref(), "old");
        assert_eq!(verdict.findings.len(), 2, "{:?}", verdict.findings);
    }
    let (a, b) = (meta("web", "a", Some(1)), meta("shop", "b", Some(1)));
    let verdict = decided(&[(&b, "a.example.org"), (&a, "a.example.org")], &[]);
    assert_eq!(verdict.records[&host("a.example.org")].name.as_ref(), "a", "of one age the smaller UID");
}

#[test]
fn a_record_for_a_registered_domain_itself_is_made_and_told_of() {
    let owner = meta("shop", "i", None);
    let verdict = decided(&[(&owner, "example.org"), (&owner, "a.example.org")], &[]);
    let told: Vec<_> = verdict.findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!((verdict.records.len(), told), (2, vec![("HostAtApex", Severity::Info)]));
}

#[test]
fn over_quota_the_committed_hosts_stay_and_the_newest_claims_wait() {
    let owners = [meta("shop", "i1", Some(1)), meta("shop", "i2", Some(2)), meta("shop", "i3", Some(3))];
    let claims = [(&owners[0], "x.example.org"), (&owners[1], "y.example.org"), (&owners[2], "z.example.org")];
    let names = |verdict: &Verdict| verdict.records.keys().map(|host| host.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&decided(&claims, &[])), ["x.example.org", "y.example.org"]);
    assert_eq!(names(&decided(&claims, &["z.example.org"])), ["x.example.org", "z.example.org"]);
    let all = ["x.example.org", "y.example.org", "z.example.org"];
    assert_eq!(names(&decided(&claims, &all)), all);
    assert_eq!(decided(&claims, &[]).refused, BTreeSet::from([host("z.example.org")]));
    // Who is within the quota is not touched by who is over it, and the total counts everybody.
    let other = meta("web", "i0", Some(9));
    let claims = [&claims[..], &[(&other, "w.example.org")]].concat();
    assert_eq!(names(&decided(&claims, &[])), ["w.example.org", "x.example.org", "y.example.org"]);
    let few = Policy { quota_total: 2, ..policy() };
    let (committed, owners) = (BTreeSet::new(), BTreeMap::new());
    assert_eq!(names(&decided_at(&claims, &few, (&committed, &owners, time(0)))), ["x.example.org", "y.example.org"]);
}

#[test]
fn only_what_the_settings_refuse_counts_as_taken_away() {
    let base = Policy {
        grants: BTreeMap::from([("shop".to_owned(), vec![host("example.net")])]),
        platform_host: Some(host("cozy.example.org")),
        quota_per_namespace: 9,
        quota_total: 9,
        ..Policy::default()
    };
    let live = Seen { is_platform_host: true, ..Seen::default() };
    let names = |name| BTreeMap::from([(host(name), "for somebody")]);
    let domains = |name: &str| vec![name.to_owned()];
    let seen_name = Seen { reserved: names("a.example.net"), ..Seen::default() };
    let seen_domain = Seen { denied_suffixes: domains("example.net"), ..Seen::default() };
    for (policy, namespace, name, rule, is_taken) in [
        (Policy { reserved: names("a.example.net"), ..base.clone() }, "shop", "a.example.net", "HostReserved", true),
        (Policy { seen: seen_name.clone(), ..base.clone() }, "shop", "a.example.net", "HostReserved", false),
        // What is in both is in the settings.
        (
            Policy { reserved: names("a.example.net"), seen: seen_name.clone(), ..base.clone() },
            "shop",
            "a.example.net",
            "HostReserved",
            true,
        ),
        (
            Policy { denied_suffixes: domains("example.net"), ..base.clone() },
            "shop",
            "a.example.net",
            "HostDenied",
            true,
        ),
        (Policy { seen: seen_domain.clone(), ..base.clone() }, "shop", "a.example.net", "HostDenied", false),
        // The longer suffix was only seen, and the shorter one is enough.
        (
            Policy {
                denied_suffixes: domains("net"),
                seen: Seen { denied_suffixes: domains("a.example.net"), ..Seen::default() },
                ..base.clone()
            },
            "shop",
            "a.example.net",
            "HostDenied",
            true,
        ),
        (
            Policy { reserved: names("a.example.net"), seen: seen_domain, ..base.clone() },
            "shop",
            "a.example.net",
            "HostReserved",
            true,
        ),
        (Policy { seen: seen_name, ..base.clone() }, "shop", "wpad.example.net", "HostDenied", true),
        (base.clone(), "cozy-x", "a.example.com", "HostNotDelegated", true),
        (base.clone(), "cozy-x", "a.example.net", "HostNotDelegated", false),
        (Policy { seen: live.clone(), ..base.clone() }, "cozy-x", "a.example.com", "HostNotDelegated", false),
        (Policy { seen: live.clone(), ..base.clone() }, "shop", "a.example.com", "HostNotDelegated", false),
    ] {
        let owner = meta(namespace, "i", None);
        let nothing = (&BTreeSet::new(), &BTreeMap::new(), time(0));
        let verdict = decided_at(&[(&owner, name)], &policy, nothing);
        let told: Vec<_> = verdict.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!((told, verdict.records.len()), (vec![rule], 0), "{namespace} {name}");
        assert_eq!(verdict.refused.contains(&host(name)), is_taken, "{namespace} {name} {:?}", policy.seen);
    }
    // A tenant that was given suffixes in Git has nothing by the host of the platform.
    for (tenant, is_taken) in [("shop", true), ("tenant-acme", false)] {
        let owner = meta("web", "i", None);
        let claims = [Claim { host: "a.example.com", kind: "Ingress", owner: &owner }].into_iter();
        let (committed, owners) = (BTreeSet::new(), BTreeMap::new());
        let memory =
            Memory { committed: &committed, owners: &owners, now: time(0), retention: RETENTION, proves_absence: true };
        let policy = Policy { seen: live.clone(), ..base.clone() };
        let verdict = decide(claims, Claimant::One(tenant), &policy, &memory);
        assert_eq!(verdict.refused.len(), usize::from(is_taken), "{tenant}");
    }
}

#[test]
fn only_hosts_that_several_namespaces_may_claim_are_remembered() {
    let (acme, web, shop) = (meta("tenant-acme", "i", None), meta("web", "i", None), meta("shop", "i", None));
    let claims = [(&acme, "acme.example.net"), (&web, "w.example.org"), (&shop, "x.gov.example.net")];
    let known: Vec<_> = decided(&claims, &[]).owners.into_iter().collect();
    let name = |text| Name::parse(text).expect("a literal that parses");
    let uid = Some("uid-i".to_owned());
    assert_eq!(
        known,
        [(host("w.example.org"), HostOwner { namespace: name("web"), name: name("i"), uid, gone: None })]
    );
    let claims = claims[1..2].iter().map(|(owner, host)| Claim { host, kind: "Ingress", owner });
    let (committed, owners) = (BTreeSet::new(), BTreeMap::new());
    let memory =
        Memory { committed: &committed, owners: &owners, now: time(0), retention: RETENTION, proves_absence: true };
    let verdict = decide(claims, Claimant::One("shop"), &policy(), &memory);
    assert_eq!((verdict.records.len(), verdict.owners.len()), (1, 0), "inside a tenant there is one claimant");
}

/// One namespace has a host; then others come, and it goes and comes back.
struct Story {
    committed: BTreeSet<Hostname>,
    owners: BTreeMap<Hostname, HostOwner>,
    policy: Policy,
}

impl Story {
    fn new() -> Self {
        Self { committed: BTreeSet::new(), owners: BTreeMap::new(), policy: policy() }
    }

    /// Who has `a.example.org` after a run, and the rules that were told.
    fn at(&mut self, hour: i64, claims: &[&ObjectMeta]) -> (Option<String>, Vec<&'static str>) {
        let claims: Vec<_> = claims.iter().map(|owner| (*owner, "a.example.org")).collect();
        let verdict = decided_at(&claims, &self.policy, (&self.committed, &self.owners, time(hour * 3600)));
        self.committed = verdict.records.keys().cloned().collect();
        self.owners = verdict.owners;
        let owner = verdict.records.get("a.example.org").map(|owner| format!("{}/{}", owner.namespace, owner.name));
        (owner, verdict.findings.iter().map(|finding| finding.rule).collect())
    }
}

#[test]
fn a_host_stays_with_its_namespace_while_it_claims_it_and_a_day_longer() {
    let (first, thief) = (meta("web", "first", Some(100)), meta("shop", "thief", Some(1)));
    let has = |name: &str, rules: &[&'static str]| (Some(name.to_owned()), rules.to_vec());
    let mut story = Story::new();
    assert_eq!(story.at(0, &[&first]), has("web/first", &[]));
    // An older Ingress that begins to claim the host later.
    assert_eq!(story.at(1, &[&first, &thief]), has("web/first", &["HostClaimedTwice"]));
    // The first one is deleted, and is made anew a moment later.
    assert_eq!(story.at(2, &[&thief]), (None, vec!["HostKeptForOwner"]));
    assert_eq!(story.at(3, &[&thief, &meta("web", "first", Some(9999))]), has("web/first", &["HostClaimedTwice"]));
    assert_eq!(story.owners["a.example.org"].gone, None);
    // Another Ingress of the same namespace is no thief.
    assert_eq!(story.at(4, &[&thief, &meta("web", "second", Some(9999))]), has("web/second", &["HostClaimedTwice"]));
    // It goes for good.
    assert_eq!(story.at(5, &[&thief]), (None, vec!["HostKeptForOwner"]));
    assert_eq!(story.at(28, &[&thief]), (None, vec!["HostKeptForOwner"]));
    assert_eq!(story.at(4, &[&thief]), (None, vec!["HostKeptForOwner"]), "a clock that runs backwards");
    assert_eq!(story.at(29, &[&thief]), has("shop/thief", &[]));
}

#[test]
fn a_host_that_nobody_claims_is_forgotten_after_a_day() {
    let mut story = Story::new();
    story.at(0, &[&meta("web", "first", None)]);
    for (hour, remembered) in [(1, 1), (24, 1), (25, 0)] {
        assert_eq!(story.at(hour, &[]), (None, vec![]));
        assert_eq!(story.owners.len(), remembered, "{hour}");
    }
}

#[test]
fn what_a_person_takes_away_is_not_kept() {
    let (first, other) = (meta("web", "first", Some(1)), meta("shop", "other", Some(2)));
    let mut story = Story::new();
    story.at(0, &[&first]);
    story.policy.grants.remove("web");
    assert_eq!(story.at(1, &[&first, &other]).0.as_deref(), Some("shop/other"));
    let mut story = Story::new();
    story.at(0, &[&first]);
    story.policy.reserved.insert(host("a.example.org"), "for something");
    assert_eq!(story.at(1, &[&first, &other]), (None, vec!["HostReserved", "HostReserved"]));
    assert_eq!(story.owners, BTreeMap::new());
    // What an inventory reserves for an hour gives the host to nobody else.
    let mut story = Story::new();
    story.at(0, &[&first]);
    story.policy.seen.reserved.insert(host("a.example.org"), "for something");
    assert_eq!(story.at(1, &[&first, &other]), (None, vec!["HostReserved", "HostReserved"]));
    story.policy.seen.reserved.clear();
    assert_eq!(story.at(2, &[&other]), (None, vec!["HostKeptForOwner"]));
}

#[test]
fn an_inventory_that_proves_nothing_gives_no_host_away() {
    let (committed, thief) = (BTreeSet::new(), meta("shop", "thief", Some(1)));
    let mut story = Story::new();
    story.at(0, &[&meta("web", "first", None)]);
    story.at(1, &[]);
    let claims = || [Claim { host: "a.example.org", kind: "Ingress", owner: &thief }].into_iter();
    let memory = Memory {
        committed: &committed,
        owners: &story.owners,
        now: time(100 * 3600),
        retention: RETENTION,
        proves_absence: false,
    };
    assert_eq!(decide(claims(), Claimant::ItsNamespace, &story.policy, &memory).records.len(), 0);
    assert_eq!(
        decide(claims(), Claimant::ItsNamespace, &story.policy, &Memory { proves_absence: true, ..memory })
            .records
            .len(),
        1
    );
}

/// What happens to the Ingresses of three namespaces that may all claim two hosts, and how many minutes pass before the
/// next look.
#[derive(Clone, Debug)]
enum Event {
    Claim { namespace: usize, name: usize, host: usize, created: i64 },
    Drop { namespace: usize, host: usize },
}

fn events() -> impl Strategy<Value = Vec<(Vec<Event>, i64)>> {
    let event = prop_oneof![
        (0..3_usize, 0..2_usize, 0..2_usize, 0..9_i64).prop_map(|(namespace, name, host, created)| Event::Claim {
            namespace,
            name,
            host,
            created
        }),
        (0..3_usize, 0..2_usize).prop_map(|(namespace, host)| Event::Drop { namespace, host }),
    ];
    let minutes = prop_oneof![Just(1), Just(60), Just(23 * 60), Just(24 * 60), Just(25 * 60), Just(-30)];
    prop::collection::vec((prop::collection::vec(event, 0..4), minutes), 1..25)
}

/// A name at or below one that somebody may claim, or beside it.
fn names() -> impl Strategy<Value = String> {
    let label = prop::sample::select(vec!["acme", "blog", "dev", "gov", "x"]);
    let root = prop::sample::select(vec!["example.org", "example.net", "cozy.example.org", "notexample.org", "svc"]);
    (prop::collection::vec(label, 0..4), root).prop_map(|(labels, root)| [labels, vec![root]].concat().join("."))
}

proptest! {
    #[test]
    fn what_is_granted_was_given_by_a_suffix_and_what_is_not_delegated_by_none(
        namespace in "tenant-(root|acme|blog|x|blog-dev|acme-blog-)|shop|web|cozy-dashboard",
        name in names(),
        is_of_tenant: bool,
        has_platform: bool,
    ) {
        let mut policy = policy();
        policy.platform_host = policy.platform_host.filter(|_| has_platform);
        let owner = meta(if is_of_tenant { "web" } else { &namespace }, "i", None);
        let claimant = if is_of_tenant { Claimant::One(&namespace) } else { Claimant::ItsNamespace };
        let claims = [Claim { host: &name, kind: "Ingress", owner: &owner }].into_iter();
        let (committed, owners) = (BTreeSet::new(), BTreeMap::new());
        let memory =
            Memory { committed: &committed, owners: &owners, now: time(0), retention: RETENTION, proves_absence: true };
        let verdict = decide(claims, claimant, &policy, &memory);
        let given = Hostname::parse(&name).ok().and_then(|name| policy.delegated_by(&namespace, &name));
        if !verdict.records.is_empty() {
            let lies_under = |suffix: &Hostname| host(&name).is_within(suffix.as_str());
            prop_assert!(given.as_ref().is_some_and(lies_under), "{name} is granted to {namespace} by {given:?}");
        }
        if verdict.findings.iter().any(|finding| finding.rule == "HostNotDelegated") {
            prop_assert_eq!(given, None);
        }
    }
}

proptest! {
    #[test]
    fn a_host_changes_its_namespace_only_a_day_after_the_last_one_was_seen_to_be_gone(steps in events(), reversed: bool) {
        const NAMESPACES: [&str; 3] = ["one", "three", "two"];
        const HOSTS: [&str; 2] = ["a.example.org", "b.example.org"];
        let policy = Policy {
            grants: NAMESPACES.iter().map(|name| ((*name).to_owned(), vec![host("example.org")])).collect(),
            quota_per_namespace: 100,
            quota_total: 100,
            ..Policy::default()
        };
        let mut world: BTreeMap<(usize, usize, usize), ObjectMeta> = BTreeMap::new();
        let (mut committed, mut owners, mut now) = (BTreeSet::new(), BTreeMap::new(), 1_000_000_i64);
        // By host: the namespace that had it last, and since when it was seen to be gone.
        let mut last: BTreeMap<&str, (usize, Option<i64>)> = BTreeMap::new();
        for (events, minutes) in steps {
            for event in events {
                match event {
                    Event::Claim { namespace, name, host, created } => {
                        world.insert((host, namespace, name), meta(NAMESPACES[namespace], &format!("i{name}"), Some(created)));
                    }
                    Event::Drop { namespace, host } => world.retain(|key, _| (key.0, key.1) != (host, namespace)),
                }
            }
            now += minutes * 60;
            let mut claims: Vec<_> = world.iter().map(|(key, owner)| (owner, HOSTS[key.0])).collect();
            if reversed {
                claims.reverse();
            }
            let verdict = decided_at(&claims, &policy, (&committed, &owners, time(now)));
            for (index, name) in HOSTS.into_iter().enumerate() {
                let claiming: BTreeSet<_> = world.keys().filter(|key| key.0 == index).map(|key| key.1).collect();
                let has = verdict.records.get(name).map(|owner| {
                    NAMESPACES.iter().position(|namespace| **namespace == *owner.namespace).expect("one of the three")
                });
                prop_assert!(has.is_none_or(|has| claiming.contains(&has)));
                if let Some((before, gone)) = last.get_mut(name) {
                    if claiming.contains(before) {
                        prop_assert_eq!(has, Some(*before), "it still claims {}", name);
                        *gone = None;
                    } else {
                        let since = *gone.get_or_insert(now);
                        prop_assert_eq!(has.is_some(), now - since >= 24 * 3600 && !claiming.is_empty(), "{}", name);
                    }
                } else {
                    prop_assert_eq!(has.is_some(), !claiming.is_empty());
                }
                match (has, last.get(name)) {
                    (Some(has), _) => drop(last.insert(name, (has, None))),
                    (None, Some((_, Some(since)))) if now - since >= 24 * 3600 => drop(last.remove(name)),
                    (None, _) => (),
                }
            }
            committed = verdict.records.into_keys().collect();
            owners = verdict.owners;
        }
    }

    #[test]
    fn a_host_is_contested_when_and_only_when_two_namespaces_may_claim_it(
        given in prop::collection::vec((0..3_usize, 0..6_usize), 0..8),
    ) {
        const NAMESPACES: [&str; 3] = ["one", "three", "two"];
        const NAMES: [&str; 6] =
            ["example.org", "a.example.org", "b.a.example.org", "ba.example.org", "example.net", "a.example.net"];
        let mut grants: BTreeMap<String, Vec<Hostname>> = BTreeMap::new();
        for (namespace, name) in given {
            grants.entry(NAMESPACES[namespace].to_owned()).or_default().push(host(NAMES[name]));
        }
        let policy = Policy { grants, ..Policy::default() };
        let mut rules = Rules::new(Claimant::ItsNamespace, &policy);
        for name in NAMES.into_iter().flat_map(|name| [host(name), host(&format!("x.{name}"))]) {
            let holders = NAMESPACES.into_iter().filter(|namespace| rules.may_claim(namespace, &name)).count();
            prop_assert_eq!(rules.is_contested(&name), holders > 1, "{}", name);
        }
    }
}
