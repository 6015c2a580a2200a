//! Every outcome, and what no sequence of answers may lead to.

use proptest::prelude::*;

use super::*;
use crate::pins::{
    artifact::{Artifact, Child},
    said_by::{SaidBy, WantedChart, said_by},
    seen::OTHER_KIND,
};

const REPOSITORY: &str = "ghcr.io/x/y";

fn digest(seed: u8) -> Digest {
    Digest::of(&[seed])
}

fn time(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3600).expect("a small number of seconds")
}

/// A pin of `ghcr.io/x/y` with the tag `1`, known for ever.
fn pin(name: PinName, seed: u8) -> Pin {
    let media_type = if name == PinName::Chart { MediaType::Chart } else { MediaType::OciIndex };
    Pin {
        repository: REPOSITORY.to_owned(),
        tag: "1".to_owned(),
        digest: digest(seed),
        media_type,
        platforms: Vec::new(),
        first_seen: None,
        signature: Some("somebody".to_owned()),
        hold: None,
        candidate: None,
    }
}

fn pins() -> Pins {
    Pins(PinName::ALL.map(|name| (name.as_str().to_owned(), pin(name, 1))).into())
}

/// A registry that answers with an artifact of the kind that the pin needs.
fn changed(name: PinName, seed: u8) -> Observed<TagSeen> {
    let child = |platform: &str| Child { digest: Digest::of(platform.as_bytes()), platform: Some(platform.to_owned()) };
    let media_type = if name == PinName::Chart { MediaType::Chart } else { MediaType::DockerList };
    let children =
        if name == PinName::Chart { Vec::new() } else { vec![child("linux/amd64"), child("linux/arm64/v8")] };
    let artifact = Artifact {
        digest: digest(seed),
        kind: name.kind(),
        media_type: media_type.as_str().to_owned(),
        children: children.clone(),
        layers: Vec::new(),
    };
    let children = children.into_iter().map(|child| (child, Observed::Present(()))).collect();
    Observed::Present(TagSeen::Changed { artifact, children })
}

fn unknown() -> Unknown {
    Unknown { reason: "Timeout".to_owned(), message: "no answer".to_owned() }
}

/// What each pin is asked for, and what is seen: tag and answer.
struct Asked(BTreeMap<PinName, (String, Observed<TagSeen>)>);

impl Asked {
    /// Everything is as it is pinned.
    fn same() -> Self {
        Self::all("1", 1)
    }

    fn all(tag: &str, seed: u8) -> Self {
        Self(PinName::ALL.map(|name| (name, (tag.to_owned(), changed(name, seed)))).into())
    }

    fn with(mut self, name: PinName, tag: &str, seen: Observed<TagSeen>) -> Self {
        self.0.insert(name, (tag.to_owned(), seen));
        self
    }

    fn update(&self, pins: &Pins, hours: i64, accept: &[PinName]) -> (Pins, BTreeMap<PinName, Outcome>) {
        self.update_after(pins, hours, accept, &BTreeMap::new())
    }

    fn update_after(
        &self,
        pins: &Pins,
        hours: i64,
        accept: &[PinName],
        past: &BTreeMap<PinName, Vec<PastPin>>,
    ) -> (Pins, BTreeMap<PinName, Outcome>) {
        let wishes = self.0.iter().map(|(name, (tag, seen))| {
            (*name, Wish::Tag { repository: REPOSITORY, tag, known: None, seen, named: None })
        });
        let platforms = ["linux/amd64".to_owned(), "linux/arm64".to_owned()];
        let accept = accept.iter().copied().collect();
        let min_age = SignedDuration::from_hours(72);
        let rules = Rules {
            now: time(hours),
            min_age,
            platforms: &platforms,
            accept_moved: &accept,
            signatures: &BTreeMap::new(),
        };
        update(pins, &wishes.collect(), past, &rules)
    }
}

/// What became of the image, and its pin.
fn image((pins, outcomes): (Pins, BTreeMap<PinName, Outcome>)) -> (Pin, Outcome) {
    (pins.get(PinName::Image).expect("it is there").clone(), outcomes[&PinName::Image].clone())
}

#[test]
fn what_is_not_known_or_not_right_changes_nothing() {
    let Observed::Present(TagSeen::Changed { artifact, children }) = changed(PinName::Image, 2) else { unreachable!() };
    let seen = |artifact: Artifact, children| Observed::Present(TagSeen::Changed { artifact, children });
    let mut gone = children.clone();
    gone[1].1 = Observed::Absent;
    let mut unsure = children.clone();
    unsure[1].1 = Observed::Unknown(unknown());
    let lacking = Artifact { children: artifact.children[1..].to_vec(), ..artifact.clone() };
    let strange = Artifact { media_type: "application/json".to_owned(), ..artifact.clone() };
    let both = ["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    let files = Unknown { reason: OTHER_KIND.to_owned(), message: "it is a manifest of files".to_owned() };
    for (tag, seen, expected) in [
        ("1", changed(PinName::Image, 1), Outcome::Unchanged),
        ("2", Observed::Absent, Outcome::NotFound),
        ("2", Observed::Unknown(unknown()), Outcome::Unknown(unknown())),
        ("2", Observed::Unknown(files.clone()), Outcome::OtherKind(files.message.clone())),
        ("2", changed(PinName::Chart, 2), Outcome::WrongKind(ArtifactKind::Chart)),
        ("2", seen(strange, children.clone()), Outcome::WrongKind(ArtifactKind::ImageIndex)),
        ("2", seen(artifact.clone(), gone), Outcome::PlatformMissing(both[1..].to_vec())),
        ("2", seen(artifact.clone(), unsure), Outcome::Unknown(unknown())),
        ("2", seen(lacking, children[1..].to_vec()), Outcome::PlatformMissing(both[..1].to_vec())),
    ] {
        let (after, outcomes) = Asked::same().with(PinName::Image, tag, seen).update(&pins(), 100, &[PinName::Image]);
        assert_eq!(outcomes[&PinName::Image], expected);
        assert_eq!(after, pins(), "{expected:?}");
    }
}

#[test]
fn what_was_not_pinned_is_written_down_with_its_time() {
    let (after, outcomes) = Asked::all("1", 1).update(&Pins::default(), 100, &[]);
    assert_eq!(outcomes[&PinName::Image], Outcome::New { until: time(172) });
    let expected = Pin {
        media_type: MediaType::DockerList,
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()],
        first_seen: Some(time(100)),
        signature: None,
        ..pin(PinName::Image, 1)
    };
    assert_eq!(after.get(PinName::Image), Some(&expected));
    assert_eq!(Asked::all("1", 1).update(&after, 101, &[]).0, after, "its time stays");
}

#[test]
fn another_version_waits_as_a_candidate_and_then_moves_as_a_whole() {
    let next = Asked::all("2", 2);
    let (waiting, outcomes) = next.update(&pins(), 100, &[]);
    assert!(outcomes.values().all(|outcome| *outcome == Outcome::Waits { until: time(172) }), "{outcomes:?}");
    let candidate = waiting.get(PinName::Chart).unwrap().candidate.clone().unwrap();
    assert_eq!((candidate.tag.as_str(), &candidate.digest, candidate.first_seen), ("2", &digest(2), time(100)));
    assert_eq!(next.update(&waiting, 171, &[]).0, waiting);

    let (after, outcomes) = next.update(&waiting, 172, &[]);
    let moved = Outcome::Moved { tag: "1".to_owned(), digest: digest(1) };
    assert!(outcomes.values().all(|outcome| *outcome == moved), "{outcomes:?}");
    let chart = Pin { tag: "2".to_owned(), first_seen: Some(time(100)), signature: None, ..pin(PinName::Chart, 2) };
    assert_eq!(after.get(PinName::Chart), Some(&chart));

    // One of them is of later: all wait for it.
    let (waiting, _) =
        Asked::all("2", 2).with(PinName::Image, "2", Observed::Unknown(unknown())).update(&pins(), 100, &[]);
    let (after, outcomes) = next.update(&waiting, 172, &[]);
    assert_eq!(outcomes[&PinName::Chart], Outcome::WaitsFor(PinName::Image));
    assert_eq!(outcomes[&PinName::Image], Outcome::Waits { until: time(244) });
    assert!(PinName::ALL.iter().all(|name| after.get(*name).unwrap().digest == digest(1)), "{after:?}");
    let (after, _) = next.update(&after, 244, &[]);
    assert!(PinName::ALL.iter().all(|name| after.get(*name).unwrap().digest == digest(2)), "{after:?}");

    // An image whose tag stays does not stand in the way, whatever became of its tag.
    let next = Asked::all("2", 2).with(PinName::CleanupHook, "1", Observed::Unknown(unknown()));
    let (waiting, _) = next.update(&pins(), 100, &[]);
    let (after, _) = next.update(&waiting, 172, &[]);
    assert_eq!(after.get(PinName::Chart).unwrap().digest, digest(2));
}

#[test]
fn a_chart_that_does_not_say_its_images_does_not_move() {
    let why = unknown();
    let seen = changed(PinName::Chart, 2);
    for (wish, expected) in [
        (Wish::Unknown(&why), Outcome::Unknown(unknown())),
        (Wish::Unsaid("no archive"), Outcome::Unsaid("no archive".to_owned())),
    ] {
        let chart = Wish::Tag { repository: REPOSITORY, tag: "2", known: None, seen: &seen, named: None };
        let wishes = BTreeMap::from([(PinName::Chart, chart), (PinName::Image, wish)]);
        let (platforms, accept_moved) = (Vec::new(), BTreeSet::new());
        let rules = Rules {
            now: time(0),
            min_age: SignedDuration::ZERO,
            platforms: &platforms,
            accept_moved: &accept_moved,
            signatures: &BTreeMap::new(),
        };
        let (after, outcomes) = update(&pins(), &wishes, &BTreeMap::new(), &rules);
        assert_eq!(outcomes[&PinName::Image], expected);
        assert_eq!(outcomes[&PinName::Chart], Outcome::WaitsFor(PinName::Image));
        assert_eq!(after.get(PinName::Chart).unwrap().digest, digest(1));
    }
}

#[test]
fn a_tag_that_moved_is_followed_only_when_a_person_says_so_and_it_is_old_enough() {
    let moved = Asked::same().with(PinName::Image, "1", changed(PinName::Image, 2));
    let (seen, outcome) = image(moved.update(&pins(), 100, &[PinName::Image]));
    assert_eq!(outcome, Outcome::TagMoved { to: digest(2), until: time(172) });
    assert_eq!((&seen.digest, seen.candidate.as_ref().map(|one| one.first_seen)), (&digest(1), Some(time(100))));
    let pins_then = Pins(pins().0.into_iter().chain([(PinName::Image.as_str().to_owned(), seen)]).collect());

    let (after, outcome) = image(moved.update(&pins_then, 1000, &[PinName::Chart]));
    assert_eq!(outcome, Outcome::TagMoved { to: digest(2), until: time(172) });
    assert_eq!(after.digest, digest(1));
    let (after, outcome) = image(moved.update(&pins_then, 172, &[PinName::Image]));
    assert_eq!(outcome, Outcome::Moved { tag: "1".to_owned(), digest: digest(1) });
    assert_eq!((after.digest, after.candidate), (digest(2), None));

    // It went on to a third digest, which is as old as its own first sight; or it came back.
    let further = Asked::same().with(PinName::Image, "1", changed(PinName::Image, 3));
    let (after, outcome) = image(further.update(&pins_then, 172, &[PinName::Image]));
    assert_eq!(outcome, Outcome::TagMoved { to: digest(3), until: time(244) });
    assert_eq!(after.digest, digest(1));
    let (after, outcome) = image(Asked::same().update(&pins_then, 172, &[]));
    assert_eq!((after, outcome), (pin(PinName::Image, 1), Outcome::Unchanged));
}

#[test]
fn the_same_bytes_by_another_name_need_no_time() {
    let wish = changed(PinName::Image, 1);
    let (after, outcomes) = Asked::same().with(PinName::Image, "1.0", wish).update(&pins(), 0, &[]);
    assert_eq!(outcomes[&PinName::Image], Outcome::Moved { tag: "1".to_owned(), digest: digest(1) });
    assert_eq!(after.get(PinName::Image), Some(&Pin { tag: "1.0".to_owned(), ..pin(PinName::Image, 1) }));
}

#[test]
fn a_held_pin_never_moves_and_an_ended_hold_goes_with_the_digest_it_was_about() {
    let held = |until| {
        let mut pins = pins();
        let image = pins.0.get_mut(PinName::Image.as_str()).unwrap();
        image.hold = Some(PinHold { reason: "does not start".to_owned(), until });
        pins
    };
    let next = Asked::same().with(PinName::Image, "2", changed(PinName::Image, 2));
    for until in [None, Some(time(101))] {
        let (after, outcomes) = next.update(&held(until), 100, &[PinName::Image]);
        assert_eq!(outcomes[&PinName::Image], Outcome::Held { reason: "does not start".to_owned(), until });
        assert_eq!(after, held(until));
    }
    let (waiting, outcome) = image(next.update(&held(Some(time(100))), 100, &[]));
    assert_eq!(outcome, Outcome::Waits { until: time(172) });
    assert!(waiting.hold.is_some(), "it stays while the pin stays");
    let mut pins = held(Some(time(100)));
    pins.0.insert(PinName::Image.as_str().to_owned(), waiting);
    let (after, _) = image(next.update(&pins, 172, &[]));
    assert_eq!((after.digest, after.hold), (digest(2), None));
    // Nothing newer: nothing to say.
    assert_eq!(image(Asked::same().update(&held(None), 100, &[])).1, Outcome::Unchanged);
}

#[test]
fn what_a_person_took_back_is_held_until_the_hold_is_taken_out() {
    let commit = |digit: u8| CommitId::parse(&format!("{digit}").repeat(40)).unwrap();
    let version = |digit: u8, seed: u8, is_held: bool| {
        let hold = is_held.then(|| PinHold { reason: "no".to_owned(), until: None });
        PastPin { commit: Some(commit(digit)), pin: Some(Pin { hold, ..pin(PinName::Image, seed) }) }
    };
    let next = Asked::same().with(PinName::Image, "2", changed(PinName::Image, 2));
    let outcome = |past: &[PastPin]| {
        let past = BTreeMap::from([(PinName::Image, past.to_vec())]);
        let (after, outcomes) = next.update_after(&pins(), 100, &[], &past);
        (outcomes[&PinName::Image].clone(), after.get(PinName::Image).unwrap().hold.clone())
    };
    let reverted = |commit: Option<&str>, reason: &str| {
        let hold = Some(PinHold { reason: reason.to_owned(), until: None });
        (Outcome::Reverted { commit: commit.map(str::to_owned) }, hold)
    };
    let waits = (Outcome::Waits { until: time(172) }, None);
    let oldest = PastPin { commit: None, ..version(0, 1, false) };
    for (past, expected) in [
        // Newest first: back to 1 after 2.
        (
            vec![version(3, 1, false), version(2, 2, false), version(1, 1, false)],
            reverted(Some("3333333"), "taken back by hand in 3333333"),
        ),
        (
            vec![version(3, 1, false), version(2, 2, false), oldest.clone()],
            reverted(Some("3333333"), "taken back by hand in 3333333"),
        ),
        // Not committed yet.
        (vec![version(2, 2, false), version(1, 1, false)], reverted(None, "taken back by hand")),
        // Other changes of the entry since then.
        (
            vec![version(4, 1, false), version(3, 1, false), version(2, 2, false), oldest.clone()],
            reverted(Some("3333333"), "taken back by hand in 3333333"),
        ),
        // The hold was there, and somebody took it out.
        (
            vec![version(5, 1, false), version(4, 1, true), version(3, 1, false), version(2, 2, false), oldest.clone()],
            waits.clone(),
        ),
        // Never there; or a version that went up, so that 1 never stood before 2.
        (vec![version(1, 1, false)], waits.clone()),
        (vec![version(3, 1, false), version(2, 2, false)], waits.clone()),
        (vec![], waits),
    ] {
        assert_eq!(outcome(&past), expected, "{past:?}");
    }
    let past = BTreeMap::from([(PinName::Image, vec![version(2, 2, false), oldest])]);
    let said = next.update_after(&pins(), 100, &[PinName::Image], &past);
    assert_eq!(image(said).1, Outcome::Waits { until: time(172) }, "a person who names it means it");
}

#[test]
fn a_version_that_went_up_and_down_in_the_settings_was_not_taken_back_by_a_person() {
    let at = |seed: u8, hours: Option<i64>| Pin { first_seen: hours.map(time), ..pin(PinName::Image, seed) };
    let past =
        |pins: &[Pin]| -> Vec<_> { pins.iter().map(|pin| PastPin { commit: None, pin: Some(pin.clone()) }).collect() };
    // The present pin, and those before it: the one that is wanted again, and the first one.
    for (present, other, first, is_taken_back) in [
        (Some(5), Some(3), Some(1), false),
        (Some(1), Some(3), Some(1), true),
        (Some(3), Some(3), Some(1), true),
        (None, Some(3), None, true),
        (Some(1), None, Some(1), true),
    ] {
        let (present, other, first) = (at(1, present), at(2, other), at(1, first));
        let found = taken_back(&present, &digest(2), &past(&[present.clone(), other, first]));
        assert_eq!(found.is_some(), is_taken_back, "{present:?}");
    }
}

#[test]
fn an_image_must_have_the_digest_that_its_chart_names() {
    let (platforms, accept_moved) = (["linux/amd64".to_owned(), "linux/arm64".to_owned()], BTreeSet::new());
    let rules = Rules {
        now: time(0),
        min_age: SignedDuration::ZERO,
        platforms: &platforms,
        accept_moved: &accept_moved,
        signatures: &BTreeMap::new(),
    };
    let (chart, image) = (changed(PinName::Chart, 2), changed(PinName::Image, 3));
    let said = |before: &Pins, tag: &str, must_be: u8| {
        let (of_chart, must_be) = (digest(2), digest(must_be));
        let named = Some(Named { chart: &of_chart, digest: Some(&must_be) });
        let wishes = BTreeMap::from([
            (PinName::Chart, Wish::Tag { repository: REPOSITORY, tag: "2", known: None, seen: &chart, named: None }),
            (PinName::Image, Wish::Tag { repository: REPOSITORY, tag, known: None, seen: &image, named }),
        ]);
        let (after, outcomes) = update(before, &wishes, &BTreeMap::new(), &rules);
        let pinned = [PinName::Chart, PinName::Image].map(|name| after.get(name).map(|pin| pin.digest.clone()));
        (pinned, outcomes[&PinName::Chart].clone(), outcomes[&PinName::Image].clone())
    };
    let why = format!("the chart names {} for it, and 2 of ghcr.io/x/y leads to {}", digest(4), digest(3));
    let moved = Outcome::Moved { tag: "1".to_owned(), digest: digest(1) };
    let (new, unsaid) = (Outcome::New { until: time(0) }, Outcome::Unsaid(why));
    let waits = Outcome::WaitsFor(PinName::Image);
    assert_eq!(said(&pins(), "2", 3), ([Some(digest(2)), Some(digest(3))], moved.clone(), moved));
    assert_eq!(said(&pins(), "2", 4), ([Some(digest(1)), Some(digest(1))], waits.clone(), unsaid.clone()));
    assert_eq!(said(&Pins::default(), "2", 3), ([Some(digest(2)), Some(digest(3))], new.clone(), new.clone()));
    assert_eq!(said(&Pins::default(), "2", 4), ([Some(digest(2)), None], new, unsaid));
    // Its tag stays, and was moved to what the chart names: nobody has accepted that.
    let to = Outcome::TagMoved { to: digest(3), until: time(0) };
    assert_eq!(said(&pins(), "1", 3), ([Some(digest(1)), Some(digest(1))], waits, to));
}

#[test]
fn what_must_be_signed_is_written_down_with_its_signer_or_not_at_all() {
    let (platforms, accept_moved) = (["linux/amd64".to_owned(), "linux/arm64".to_owned()], BTreeSet::new());
    let by = |signer: &str| Signed::By(signer.to_owned());
    let no = Signed::No("it has no signature".to_owned());
    let unsigned = Outcome::Unsigned("it has no signature".to_owned());
    let said = |before: &Pins, tag: &str, seed: u8, signed: &Signed| {
        let seen = changed(PinName::Image, seed);
        let wish = Wish::Tag { repository: REPOSITORY, tag, known: None, seen: &seen, named: None };
        let rules = Rules {
            now: time(100),
            min_age: SignedDuration::ZERO,
            platforms: &platforms,
            accept_moved: &accept_moved,
            signatures: &BTreeMap::from([((PinName::Image, digest(seed)), signed.clone())]),
        };
        let (after, outcomes) = update(before, &BTreeMap::from([(PinName::Image, wish)]), &BTreeMap::new(), &rules);
        let signature = after.get(PinName::Image).map(|pin| (pin.digest.clone(), pin.signature.clone()));
        (signature, outcomes[&PinName::Image].clone())
    };
    let signed = |seed: u8, signer: &str| Some((digest(seed), Some(signer.to_owned())));
    let none = Pins::default();

    assert_eq!(said(&none, "1", 1, &by("a")), (signed(1, "a"), Outcome::New { until: time(100) }));
    assert_eq!(said(&none, "1", 1, &no), (None, unsigned.clone()));
    assert_eq!(said(&none, "1", 1, &Signed::Unknown(unknown())), (None, Outcome::Unknown(unknown())));
    let moved = Outcome::Moved { tag: "1".to_owned(), digest: digest(1) };
    assert_eq!(said(&pins(), "2", 2, &by("b")), (signed(2, "b"), moved));
    assert_eq!(said(&pins(), "2", 2, &no), (signed(1, "somebody"), unsigned.clone()));
    // What is in use already is told of, and stays.
    assert_eq!(said(&pins(), "1", 1, &by("c")), (signed(1, "c"), Outcome::Unchanged));
    assert_eq!(said(&pins(), "1", 1, &no), (signed(1, "somebody"), unsigned));
}

#[test]
fn what_a_registry_calls_unchanged_is_what_it_was_told_of() {
    let candidate = Candidate {
        tag: "2".to_owned(),
        digest: digest(2),
        media_type: MediaType::OciIndex,
        platforms: Vec::new(),
        first_seen: time(0),
    };
    let mut before = pins();
    before.0.get_mut(PinName::Image.as_str()).unwrap().candidate = Some(candidate);
    let seen = Observed::Present(TagSeen::Unchanged);
    let (platforms, accept_moved) = (Vec::new(), BTreeSet::new());
    let rules = Rules {
        now: time(72),
        min_age: SignedDuration::from_hours(72),
        platforms: &platforms,
        accept_moved: &accept_moved,
        signatures: &BTreeMap::new(),
    };
    for (tag, known, expected) in [
        ("1", digest(1), Outcome::Unchanged),
        ("2", digest(2), Outcome::Moved { tag: "1".to_owned(), digest: digest(1) }),
    ] {
        let wish = Wish::Tag { repository: REPOSITORY, tag, known: Some(&known), seen: &seen, named: None };
        let (_, outcomes) = update(&before, &BTreeMap::from([(PinName::Image, wish)]), &BTreeMap::new(), &rules);
        assert_eq!(outcomes[&PinName::Image], expected);
    }
}

/// One run: the hours since the last one, what is seen of each pin (tag, digest or nothing), and whether moves are accepted.
fn runs() -> impl Strategy<Value = Vec<(i64, [(u8, Option<u8>); 3], bool)>> {
    let seen = (1..3_u8, prop::option::weighted(0.8, 1..4_u8));
    prop::collection::vec((0..100_i64, [seen.clone(), seen.clone(), seen], any::<bool>()), 1..12)
}

proptest! {
    #[test]
    fn no_pin_is_lost_no_young_digest_is_used_and_a_second_run_changes_nothing(runs in runs(), begin_empty in any::<bool>()) {
        let mut before = if begin_empty { Pins::default() } else { pins() };
        before.0.insert("other".to_owned(), pin(PinName::Image, 9));
        let mut hours = 0;
        for (later, seen, accepts) in runs {
            hours += later;
            let asked = PinName::ALL.into_iter().zip(seen).map(|(name, (tag, seed))| {
                let seen = seed.map_or(Observed::Unknown(unknown()), |seed| changed(name, seed));
                (name, (tag.to_string(), seen))
            });
            let asked = Asked(asked.collect());
            let accept = if accepts { PinName::ALL.to_vec() } else { Vec::new() };
            let (after, outcomes) = asked.update(&before, hours, &accept);
            prop_assert_eq!(after.0.get("other"), before.0.get("other"));
            for (name, old) in &before.0 {
                let new = after.0.get(name);
                prop_assert!(new.is_some(), "{name} is lost");
                let new = new.unwrap();
                if new.digest != old.digest {
                    let first_seen = new.first_seen.expect("what moved was seen");
                    prop_assert!(first_seen + SignedDuration::from_hours(72) <= time(hours), "{name} is young");
                    let candidate = old.candidate.as_ref().expect("what moved was a candidate");
                    prop_assert_eq!((&candidate.digest, &candidate.tag), (&new.digest, &new.tag));
                    prop_assert!(new.tag != old.tag || accepts, "{name} followed its tag by itself");
                }
            }
            let chart_moved = matches!(outcomes[&PinName::Chart], Outcome::Moved { .. });
            for name in [PinName::Image, PinName::CleanupHook] {
                let (wanted, pin) = (&asked.0[&name].0, after.get(name));
                prop_assert!(!chart_moved || pin.is_none_or(|pin| pin.tag == *wanted), "the chart went without {name:?}");
            }
            let again = asked.update(&after, hours, &accept).0;
            prop_assert_eq!(&again, &after);
            before = after;
        }
    }
}

/// One run of the model: the hours since the last one; an entry that somebody took out, one that somebody holds; the version
/// that is wanted, the chart that this leads to, if any; what the tags of the images lead to, if anything; and whether moved
/// tags of the chart and of the images are accepted.
#[derive(Clone, Debug)]
struct Turn {
    later: i64,
    removed: Option<usize>,
    held: Option<usize>,
    version: u8,
    chart: Option<u8>,
    images: [Option<u8>; 2],
    accepts: [bool; 2],
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let entry = || prop::option::weighted(0.2, 0..3_usize);
    let image = || prop::option::weighted(0.8, 0..2_u8);
    let chart = prop::option::weighted(0.9, 1..4_u8);
    let turn = (0..150_i64, entry(), entry(), 1..3_u8, chart, [image(), image()], [any::<bool>(), any::<bool>()]);
    let turn = turn.prop_map(|(later, removed, held, version, chart, images, accepts)| Turn {
        later,
        removed,
        held,
        version,
        chart,
        images,
        accepts,
    });
    prop::collection::vec(turn, 1..16)
}

/// The tag that the chart of a seed names for an image; several charts run the same hook.
fn tag_of(name: PinName, chart: &Digest) -> u8 {
    let seed = (1..4).find(|seed| digest(*seed) == *chart).expect("a chart of the model");
    if name == PinName::Image { seed } else { seed % 2 }
}

proptest! {
    #[test]
    fn whatever_happens_every_image_beside_a_chart_is_the_one_that_this_chart_names(turns in turns()) {
        const IMAGES: [PinName; 2] = [PinName::Image, PinName::CleanupHook];
        let mut pins = Pins::default();
        let mut hours = 0;
        for turn in turns {
            hours += turn.later;
            if let Some(removed) = turn.removed {
                pins.0.remove(PinName::ALL[removed].as_str());
            }
            for (at, name) in PinName::ALL.iter().enumerate() {
                let hold = (turn.held == Some(at)).then(|| PinHold { reason: "no".to_owned(), until: None });
                pins.0.entry(name.as_str().to_owned()).and_modify(|pin| pin.hold = hold);
            }
            let tag = turn.version.to_string();
            let seen = turn.chart.map(digest);
            let wanted = WantedChart {
                repository: REPOSITORY, tag: &tag, seen: seen.as_ref(), is_accepted: turn.accepts[0],
            };
            let chart = turn.chart.map_or(Observed::Unknown(unknown()), |seed| changed(PinName::Chart, seed));
            let said: Vec<_> = IMAGES.iter().zip(turn.images).map(|(name, moved)| {
                let (tag, chart) = match said_by(&pins, *name, wanted) {
                    SaidBy::Entry(pin) => (pin.tag.parse().expect("a tag of the model"), None),
                    SaidBy::Chart { digest, .. } => (tag_of(*name, digest), Some(digest.clone())),
                    SaidBy::Nobody => return None,
                };
                let seen = moved.map_or(Observed::Unknown(unknown()), |moved| changed(*name, 10 + 2 * tag + moved));
                Some((tag.to_string(), chart, seen))
            }).collect();
            let why = unknown();
            let mut wishes = BTreeMap::from([
                (PinName::Chart, Wish::Tag { repository: REPOSITORY, tag: &tag, known: None, seen: &chart, named: None }),
            ]);
            for (name, said) in IMAGES.iter().zip(&said) {
                wishes.insert(*name, said.as_ref().map_or(Wish::Unknown(&why), |(tag, chart, seen)| {
                    let named = chart.as_ref().map(|chart| Named { chart, digest: None });
                    Wish::Tag { repository: REPOSITORY, tag, known: None, seen, named }
                }));
            }
            let platforms = ["linux/amd64".to_owned()];
            let accepted = PinName::ALL.into_iter().filter(|name| turn.accepts[usize::from(*name != PinName::Chart)]);
            let rules = Rules {
                now: time(hours), min_age: SignedDuration::from_hours(72), platforms: &platforms,
                accept_moved: &accepted.collect(), signatures: &BTreeMap::new(),
            };
            pins = update(&pins, &wishes, &BTreeMap::new(), &rules).0;
            if let Some(chart) = pins.get(PinName::Chart) {
                for name in IMAGES {
                    let tag = pins.get(name).map(|pin| pin.tag.clone());
                    let expected = tag_of(name, &chart.digest).to_string();
                    prop_assert!(tag.is_none_or(|tag| tag == expected), "{name:?} is not of the chart: {pins:#?}");
                }
            }
        }
    }
}
