use std::cell::RefCell;

use crate::{
    edge::kube::{
        ObjectName, Way,
        flux::{FluxId, FluxKind, FluxObjects, FluxStatus, FollowedCluster},
    },
    model::{inventory::Ready, name::Name, tree::CommitId},
    ops::rollout::{Following, Item, Needs, Rollout, Step, Wanted, follow, progress, progress::is_settled},
};

const COMMIT: &str = "1111111111111111111111111111111111111111";
const BEFORE: &str = "0000000000000000000000000000000000000000";
const LATER: &str = "2222222222222222222222222222222222222222";

fn id(kind: FluxKind) -> FluxId {
    FluxId { kind, object: ObjectName::new("flux-system", "edge") }
}

fn commit(text: &str) -> CommitId {
    CommitId::parse(text).expect("a literal that parses")
}

/// A source, what applies it, and a release that it declares.
fn wanted() -> Wanted {
    let [source, applier, release] = ids();
    Wanted {
        cluster: FollowedCluster {
            name: Name::parse("edge").expect("a literal that parses"),
            way: Way::InCluster,
            uid: "u".to_owned(),
        },
        items: vec![
            Item { id: source.clone(), needs: Needs::Fetched, after: vec![] },
            Item { id: applier.clone(), needs: Needs::Applied, after: vec![source] },
            Item {
                id: release,
                needs: Needs::Installed { chart: Some("sha256:new".to_owned()) },
                after: vec![applier],
            },
        ],
        commits: [commit(COMMIT)].into(),
    }
}

fn ids() -> [FluxId; 3] {
    [FluxKind::GitRepository, FluxKind::Kustomization, FluxKind::HelmRelease].map(id)
}

/// An object whose controller is done with its second generation.
fn object(ready: &str, revision: &str) -> FluxStatus {
    FluxStatus {
        generation: 2,
        observed_generation: 2,
        ready: Some(Ready { status: ready.to_owned(), reason: "Reason".to_owned(), message: "words".to_owned() }),
        revision: if revision.is_empty() { String::new() } else { format!("main@sha1:{revision}") },
        ..FluxStatus::default()
    }
}

fn seen(statuses: [FluxStatus; 3]) -> FluxObjects {
    ids().into_iter().zip(statuses.map(Some)).collect()
}

fn all_well() -> [FluxStatus; 3] {
    [object("True", COMMIT), object("True", COMMIT), object("True", "")]
}

fn told(wanted: &Wanted, seen: &FluxObjects) -> Vec<String> {
    progress(wanted, seen).iter().map(|state| format!("{}: {state}", state.as_str())).collect()
}

#[test]
fn each_object_is_as_far_as_its_controller_says_about_this_commit() {
    let attempted = |revision: &str| format!("main@sha1:{revision}");
    let stalled = Some(Ready { status: "True".to_owned(), reason: "GivenUp".to_owned(), message: "enough".to_owned() });
    let [source, applier, release] = all_well();
    let fetched = "Ready: fetched main@sha1:1111111";
    let applied = "Ready: applied main@sha1:1111111";
    let installed = "Ready: ready (Reason)";
    let unlooked = "Waiting: its controller has not looked at it yet";
    let after_source = "Waiting: waits for GitRepository/flux-system/edge";
    let after_applier = "Waiting: waits for Kustomization/flux-system/edge";
    let rows: Vec<(&str, [FluxStatus; 3], [&str; 3])> = vec![
        ("all is well", all_well(), [fetched, applied, installed]),
        (
            "a source that is behind",
            [object("True", BEFORE), object("True", BEFORE), release.clone()],
            ["Waiting: it is at main@sha1:0000000", after_source, after_applier],
        ),
        (
            "a source that cannot fetch",
            [object("False", BEFORE), object("True", BEFORE), release.clone()],
            ["Failed: words (Reason); its controller tries again", after_source, after_applier],
        ),
        (
            "a source that has the commit, and fails since",
            [object("False", COMMIT), applier.clone(), release.clone()],
            [fetched, applied, installed],
        ),
        (
            "what applies is behind",
            [source.clone(), object("True", BEFORE), release.clone()],
            [fetched, "Waiting: it is at main@sha1:0000000", after_applier],
        ),
        (
            "what applies failed with what was before",
            [source.clone(), FluxStatus { attempted: attempted(BEFORE), ..object("False", BEFORE) }, release.clone()],
            [fetched, "Waiting: words", after_applier],
        ),
        (
            "what applies fails with the commit, and the release has it already",
            [
                source.clone(),
                FluxStatus { attempted: attempted(COMMIT), ..object("False", BEFORE) },
                object("False", ""),
            ],
            [
                fetched,
                "Failed: words (Reason); its controller tries again",
                "Failed: words (Reason); its controller tries again",
            ],
        ),
        (
            "what applies is at work on the commit",
            [source.clone(), FluxStatus { attempted: attempted(COMMIT), ..object("Unknown", BEFORE) }, release.clone()],
            [fetched, "Waiting: words", installed],
        ),
        (
            "a release that nobody has looked at since it changed",
            [source.clone(), applier.clone(), FluxStatus { observed_generation: 1, ..release.clone() }],
            [fetched, applied, unlooked],
        ),
        (
            "a release that nobody has looked at ever",
            [source.clone(), applier.clone(), FluxStatus { ready: None, observed_generation: -1, ..release.clone() }],
            [fetched, applied, unlooked],
        ),
        (
            "a release with the chart of before",
            [
                source.clone(),
                applier.clone(),
                FluxStatus { chart_digest: "sha256:older".to_owned(), ..release.clone() },
            ],
            [fetched, applied, "Waiting: it still has the chart sha256:older"],
        ),
        (
            "a release with the chart that is pinned",
            [source.clone(), applier.clone(), FluxStatus { chart_digest: "sha256:new".to_owned(), ..release.clone() }],
            [fetched, applied, installed],
        ),
        (
            "a release that was given up",
            [source.clone(), applier.clone(), FluxStatus { stalled: stalled.clone(), ..object("False", "") }],
            [fetched, applied, "Failed: enough (GivenUp); its controller has given up"],
        ),
        (
            "a release that a person suspended",
            [source.clone(), applier.clone(), FluxStatus { suspended: true, ..release.clone() }],
            [fetched, applied, "Suspended: a person suspended it: nothing is waited for"],
        ),
        (
            "what applies is suspended",
            [source.clone(), FluxStatus { suspended: true, ..object("True", BEFORE) }, release],
            [fetched, "Suspended: a person suspended it: nothing is waited for", after_applier],
        ),
    ];
    for (name, statuses, wanted_states) in rows {
        assert_eq!(told(&wanted(), &seen(statuses)), wanted_states, "{name}");
    }
    let nothing: FluxObjects = ids().into_iter().map(|id| (id, None)).collect();
    assert_eq!(told(&wanted(), &nothing), ["Waiting: it is not there yet"; 3]);
}

#[test]
fn only_what_can_still_change_is_waited_for() {
    let given_up = FluxStatus {
        stalled: Some(Ready { status: "True".into(), reason: "GivenUp".into(), message: "enough".into() }),
        ..object("False", COMMIT)
    };
    let suspended = FluxStatus { suspended: true, ..object("True", BEFORE) };
    let [source, applier, release] = all_well();
    for (statuses, is_over) in [
        (all_well(), true),
        ([object("True", BEFORE), applier.clone(), release.clone()], false),
        ([source.clone(), applier.clone(), object("False", "")], false),
        ([source.clone(), applier, given_up.clone()], true),
        // What comes after it cannot get the commit any more.
        ([source.clone(), given_up, object("Unknown", "")], true),
        ([source, suspended.clone(), object("Unknown", "")], true),
        ([suspended, object("True", BEFORE), release], true),
    ] {
        let (wanted, seen) = (wanted(), seen(statuses));
        assert_eq!(is_settled(&wanted, &progress(&wanted, &seen)), is_over, "{:?}", told(&wanted, &seen));
    }
}

/// Follows through these readings, the last of which stays, for at most ten of them; what was told, and the end.
fn followed(readings: Vec<Result<[FluxStatus; 3], &str>>, holds: &[&str]) -> (Vec<String>, Rollout) {
    let lines = RefCell::new(Vec::new());
    let (mut count, mut pauses) = (0, 0);
    let rollout = follow(
        vec![wanted()],
        Following {
            read: &mut |asked| {
                assert_eq!(asked.len(), 1);
                let reading = readings[count.min(readings.len() - 1)].clone();
                count += 1;
                vec![reading.map(seen).map_err(str::to_owned)]
            },
            pause: &mut || {
                pauses += 1;
                pauses < 10
            },
            holds: &mut |found| {
                lines.borrow_mut().push(format!("asked about {}", found.short()));
                holds.contains(&found.as_str())
            },
            told: &mut |step| {
                lines.borrow_mut().push(match step {
                    Step::Object { cluster, id, state } => format!("{cluster} {id}: {state}"),
                    Step::Unread { cluster, why } => format!("{cluster}: {why}"),
                });
            },
        },
    );
    (lines.into_inner(), rollout)
}

#[test]
fn every_change_is_told_once_until_all_has_arrived() {
    let [source, applier, _] = all_well();
    let behind = || [object("True", BEFORE), object("True", BEFORE), object("True", "")];
    let (lines, rollout) = followed(
        vec![
            Ok(behind()),
            Err("no answer"),
            Err("no answer"),
            Ok([source.clone(), object("Unknown", BEFORE), object("True", "")]),
            Ok([source, applier, object("False", "")]),
            Ok(all_well()),
        ],
        &[],
    );
    insta::assert_snapshot!(lines.join("\n"), @r"
    asked about 0000000
    edge GitRepository/flux-system/edge: it is at main@sha1:0000000
    edge Kustomization/flux-system/edge: waits for GitRepository/flux-system/edge
    edge HelmRelease/flux-system/edge: waits for Kustomization/flux-system/edge
    edge: no answer
    edge GitRepository/flux-system/edge: fetched main@sha1:1111111
    edge Kustomization/flux-system/edge: words
    edge Kustomization/flux-system/edge: applied main@sha1:1111111
    edge HelmRelease/flux-system/edge: words (Reason); its controller tries again
    edge HelmRelease/flux-system/edge: ready (Reason)
    ");
    assert!(rollout.has_arrived(), "{rollout:?}");
}

#[test]
fn a_later_commit_that_holds_the_one_is_as_good_and_any_other_is_not() {
    let later = || [object("True", LATER), object("True", LATER), object("True", "")];
    let (lines, rollout) = followed(vec![Ok(later())], &[LATER]);
    assert_eq!(lines[..2], ["asked about 2222222", "edge GitRepository/flux-system/edge: fetched main@sha1:2222222"]);
    assert!(rollout.has_arrived());
    let (lines, rollout) = followed(vec![Ok(later())], &[]);
    assert_eq!(lines.iter().filter(|line| line.starts_with("asked")).count(), 1, "{lines:?}");
    assert!(!rollout.has_arrived());
}

#[test]
fn what_has_not_arrived_in_time_or_was_suspended_on_its_way_has_not_arrived() {
    let [source, applier, release] = all_well();
    let suspended = |revision| FluxStatus { suspended: true, ..object("True", revision) };
    for (readings, has_arrived) in [
        (vec![Err("no answer")], false),
        (vec![Ok([source.clone(), applier.clone(), object("False", "")])], false),
        (vec![Ok([source.clone(), suspended(BEFORE), release])], false),
        (vec![Ok([source, applier, suspended("")])], true),
    ] {
        let (lines, rollout) = followed(readings, &[]);
        assert_eq!(rollout.has_arrived(), has_arrived, "{lines:?}");
    }
}
