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
}
