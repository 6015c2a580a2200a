//! What becomes of the pins of a cluster when their registries were asked.
//!
//! - A digest is used when it was known for `minAge`. Until then it is written down: as a pin that the plan does not use
//!   yet when there was none before, else as the candidate of the pin that stays in use.
//! - A tag that leads to another digest than the pinned one is never followed by itself.
//! - What is not known, and what is not there, changes nothing.
//! - Chart and images of a new version move together, or none of them does.
//! - An image is written down only beside the chart that names it: what comes out is always one chart and its images.
//! - What must be signed and is not, by whom it must be, is not written down.
//! - A pin that a person took back in Git is not moved again: a hold is proposed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    model::{
        digest::Digest,
        observed::{Observed, Unknown},
        pins::{ArtifactKind, Candidate, MediaType, Pin, PinHold, PinName, Pins},
        tree::CommitId,
    },
    pins::{
        judge::{Platforms, platforms},
        seen::{TagSeen, is_other_kind},
        signature::Signed,
    },
};

/// What is wanted of one pin.
#[derive(Clone, Debug)]
pub enum Wish<'a> {
    /// The digest of a tag.
    Tag {
        /// Where.
        repository: &'a str,
        /// Which.
        tag: &'a str,
        /// The digest that the registry was told of, which [`TagSeen::Unchanged`] is about.
        known: Option<&'a Digest>,
        /// What it leads to.
        seen: &'a Observed<TagSeen>,
        /// The chart that names repository and tag; `None`: the entry of `pins.yaml` itself, or `cluster.yaml`.
        named: Option<Named<'a>>,
    },
    /// Nobody knows: the chart that says it could not be read.
    Unknown(&'a Unknown),
    /// The chart does not say it.
    Unsaid(&'a str),
}

/// What a chart says of one of its images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The digest of the chart.
    pub chart: &'a Digest,
    /// The digest that the image must have, where the chart names one.
    pub digest: Option<&'a Digest>,
}

/// A pin as it stood in Git.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastPin {
    /// The commit that made it so; `None`: an older one than was looked at.
    pub commit: Option<CommitId>,
    /// The pin, when there was one.
    pub pin: Option<Pin>,
}

/// By what rules pins move.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The time, in whole seconds.
    pub now: Timestamp,
    /// How long a digest must have been known before it is used.
    pub min_age: SignedDuration,
    /// The platforms that an image must have.
    pub platforms: &'a [String],
    /// The pins whose tag a person wants to be followed.
    pub accept_moved: &'a BTreeSet<PinName>,
    /// What is known about the signatures of digests, where somebody must have signed them.
    pub signatures: &'a BTreeMap<(PinName, Digest), Signed>,
}

/// What became of a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it was.
    Unchanged,
    /// There was none before. The layers that need it are held until then.
    New {
        /// From when on it is used.
        until: Timestamp,
    },
    /// It has another digest, tag or repository now.
    Moved {
        /// The tag that it had.
        tag: String,
        /// The digest that it had.
        digest: Digest,
    },
    /// Its candidate is too young.
    Waits {
        /// From when on it may be used.
        until: Timestamp,
    },
    /// It may be used, but only together with another pin, which cannot be yet.
    WaitsFor(PinName),
    /// Its tag leads to another digest.
    TagMoved {
        /// Which.
        to: Digest,
        /// From when on a person may accept it.
        until: Timestamp,
    },
    /// A person holds it, and there is something newer.
    Held {
        /// Why.
        reason: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// A person took back what would be written again: it has a hold now, which is to be committed or taken out.
    Reverted {
        /// The beginning of the commit's id; `None`: it is not committed.
        commit: Option<String>,
    },
    /// The tag leads to something else than the pin must be.
    WrongKind(ArtifactKind),
    /// The tag leads to something that is neither a chart nor an image, and what that is.
    OtherKind(String),
    /// The image does not have these platforms.
    PlatformMissing(Vec<String>),
    /// The registry has no such tag.
    NotFound,
    /// The chart does not say which image it is.
    Unsaid(String),
    /// What the tag leads to does not have the signature that is wanted, and why.
    Unsigned(String),
    /// The registry did not say.
    Unknown(Unknown),
}

impl Outcome {
    /// Whether it is proved that what is wanted cannot be pinned.
    pub fn is_problem(&self) -> bool {
        match self {
            Self::WrongKind(_)
            | Self::OtherKind(_)
            | Self::PlatformMissing(_)
            | Self::NotFound
            | Self::Unsaid(_)
            | Self::Unsigned(_) => true,
            Self::Unchanged
            | Self::New { .. }
            | Self::Moved { .. }
            | Self::Waits { .. }
            | Self::WaitsFor(_)
            | Self::TagMoved { .. }
            | Self::Held { .. }
            | Self::Reverted { .. }
            | Self::Unknown(_) => false,
        }
    }
}

/// What becomes of the pins of a cluster. Pins of other names stay as they are.
///
/// `past` has the pins as they stood in Git, the newest first.
pub fn update(
    pins: &Pins,
    wishes: &BTreeMap<PinName, Wish<'_>>,
    past: &BTreeMap<PinName, Vec<PastPin>>,
    rules: &Rules<'_>,
) -> (Pins, BTreeMap<PinName, Outcome>) {
    let past = |name: &PinName| past.get(name).map(Vec::as_slice).unwrap_or_default();
    let mut steps: BTreeMap<PinName, Step> =
        wishes.iter().map(|(name, wish)| (*name, step(*name, pins.get(*name), wish, past(name), rules))).collect();
    let stuck = steps.iter().find(|(_, step)| step.goes_on && step.moved.is_none()).map(|(name, _)| *name);
    stuck.inspect(|stuck| wait_for(&mut steps, *stuck));
    with_its_chart(pins.get(PinName::Chart).map(|pin| &pin.digest), wishes, &mut steps);
    let mut updated = pins.clone();
    let mut outcomes = BTreeMap::new();
    for (name, step) in steps {
        if let Some(pin) = step.moved.or(step.pin) {
            updated.0.insert(name.as_str().to_owned(), pin);
        }
        outcomes.insert(name, step.outcome);
    }
    (updated, outcomes)
}

/// Nothing that goes on moves as long as one of it cannot.
fn wait_for(steps: &mut BTreeMap<PinName, Step>, other: PinName) {
    for step in steps.values_mut().filter(|step| step.goes_on) {
        if step.moved.take().is_some() {
            step.outcome = Outcome::WaitsFor(other);
        }
    }
}

/// Leaves no image moved that a chart names which is not going to be the pinned one. `pinned` is the chart as it is now.
fn with_its_chart(pinned: Option<&Digest>, wishes: &BTreeMap<PinName, Wish<'_>>, steps: &mut BTreeMap<PinName, Step>) {
    for (name, wish) in wishes {
        let Wish::Tag { named: Some(Named { chart, .. }), .. } = wish else { continue };
        let then = steps.get(&PinName::Chart).and_then(|step| step.moved.as_ref()).map(|pin| &pin.digest).or(pinned);
        if then == Some(*chart) || steps.get(name).is_none_or(|step| step.moved.is_none()) {
            continue;
        }
        if pinned == Some(*chart) {
            // It was missing. The next version comes when it is there, and was looked at like the others.
            wait_for(steps, *name);
        } else if let Some(step) = steps.get_mut(name) {
            step.moved = None;
            step.outcome = Outcome::WaitsFor(PinName::Chart);
        }
    }
}

/// What becomes of one pin by itself.
struct Step {
    /// The pin when it does not move.
    pin: Option<Pin>,
    /// The pin when it moves; `None`: it may not.
    moved: Option<Pin>,
    /// Whether there was a pin, and what is wanted in its place is another version, or nobody knows; and of a chart also
    /// whether there was none. All that go on move together.
    goes_on: bool,
    outcome: Outcome,
}

fn step(name: PinName, pin: Option<&Pin>, wish: &Wish<'_>, past: &[PastPin], rules: &Rules<'_>) -> Step {
    let stay = |goes_on: bool, outcome: Outcome| Step { pin: pin.cloned(), moved: None, goes_on, outcome };
    let (repository, tag, known, seen, must_be) = match wish {
        Wish::Tag { repository, tag, known, seen, named } => {
            (*repository, *tag, *known, *seen, named.and_then(|named| named.digest))
        }
        Wish::Unknown(why) => return stay(pin.is_some(), Outcome::Unknown((*why).clone())),
        Wish::Unsaid(why) => return stay(pin.is_some(), Outcome::Unsaid((*why).to_owned())),
    };
    let is_version = pin.is_some_and(|pin| pin.tag != tag || pin.repository != repository);
    let found = match seen {
        Observed::Unknown(why) if is_other_kind(why) => {
            return stay(is_version, Outcome::OtherKind(why.message.clone()));
        }
        Observed::Unknown(why) => return stay(is_version, Outcome::Unknown(why.clone())),
        Observed::Absent => return stay(is_version, Outcome::NotFound),
        Observed::Present(seen) => match found(name, pin, tag, known, seen, rules) {
            Ok(found) => found,
            Err(outcome) => return stay(is_version, outcome),
        },
    };
    if let Some(must_be) = must_be.filter(|must_be| **must_be != found.digest) {
        let why = format!("the chart names {must_be} for it, and {tag} of {repository} leads to {}", found.digest);
        return stay(pin.is_some(), Outcome::Unsaid(why));
    }
    let signature = match rules.signatures.get(&(name, found.digest.clone())) {
        None => None,
        Some(Signed::By(signer)) => Some(signer.clone()),
        Some(Signed::No(why)) => return stay(is_version, Outcome::Unsigned(why.clone())),
        Some(Signed::Unknown(why)) => return stay(is_version, Outcome::Unknown(why.clone())),
    };
    let Some(pin) = pin else {
        let until = usable(found.first_seen, rules);
        let new = pinned(repository, found, signature);
        return Step { pin: None, moved: Some(new), goes_on: name == PinName::Chart, outcome: Outcome::New { until } };
    };
    let hold = pin.hold.as_ref().filter(|hold| hold.holds(rules.now));
    let is_same = pin.digest == found.digest;
    if is_same && !is_version {
        // What stood beside it is what the tag led to meanwhile.
        let candidate = pin.candidate.clone().filter(|_| hold.is_some());
        let signature = signature.or_else(|| pin.signature.clone());
        let pin = Pin { candidate, signature, ..pin.clone() };
        return Step { pin: Some(pin), moved: None, goes_on: false, outcome: Outcome::Unchanged };
    }
    let is_accepted = rules.accept_moved.contains(&name);
    // A chart that names another digest than the pinned one is not to be used without it.
    let goes_on = is_version || is_accepted || must_be.is_some_and(|must_be| *must_be != pin.digest);
    if let Some(PinHold { reason, until }) = hold {
        return stay(goes_on, Outcome::Held { reason: reason.clone(), until: *until });
    }
    let from = Outcome::Moved { tag: pin.tag.clone(), digest: pin.digest.clone() };
    if is_same {
        // The same bytes by another name are known for as long as they were.
        let moved = Pin { repository: repository.to_owned(), tag: found.tag, candidate: None, ..pin.clone() };
        return Step { pin: Some(pin.clone()), moved: Some(moved), goes_on, outcome: from };
    }
    if !is_accepted && let Some(commit) = taken_back(pin, &found.digest, past) {
        let place = commit.as_ref().map_or(String::new(), |commit| format!(" in {commit}"));
        let hold = PinHold { reason: format!("taken back by hand{place}"), until: None };
        let pin = Pin { hold: Some(hold), ..pin.clone() };
        return Step { pin: Some(pin), moved: None, goes_on, outcome: Outcome::Reverted { commit } };
    }
    let until = usable(found.first_seen, rules);
    let waiting = Some(Pin { candidate: Some(found.clone()), ..pin.clone() });
    if !is_version && (until > rules.now || !is_accepted) {
        let outcome = Outcome::TagMoved { to: found.digest, until };
        return Step { pin: waiting, moved: None, goes_on, outcome };
    }
    if until > rules.now {
        return Step { pin: waiting, moved: None, goes_on, outcome: Outcome::Waits { until } };
    }
    let moved = pinned(repository, found, signature);
    Step { pin: waiting, moved: Some(moved), goes_on, outcome: from }
}

/// The pin that is made of what a tag leads to. An ended hold was about the former digest.
fn pinned(repository: &str, found: Candidate, signature: Option<String>) -> Pin {
    let Candidate { tag, digest, media_type, platforms, first_seen } = found;
    let (repository, first_seen) = (repository.to_owned(), Some(first_seen));
    Pin { repository, tag, digest, media_type, platforms, first_seen, signature, hold: None, candidate: None }
}

/// What the tag leads to, with the time since when that is known.
fn found(
    name: PinName,
    pin: Option<&Pin>,
    tag: &str,
    known: Option<&Digest>,
    seen: &TagSeen,
    rules: &Rules<'_>,
) -> Result<Candidate, Outcome> {
    let candidate = pin.and_then(|pin| pin.candidate.as_ref()).filter(|candidate| candidate.tag == tag);
    let artifact = match seen {
        TagSeen::Unchanged => {
            let known = known.expect("a registry is told of what it calls unchanged");
            if let Some(candidate) = candidate.filter(|candidate| candidate.digest == *known) {
                return Ok(candidate.clone());
            }
            let pin = pin.filter(|pin| pin.digest == *known).expect("only digests of pins.yaml are told");
            return Ok(Candidate {
                tag: tag.to_owned(),
                digest: pin.digest.clone(),
                media_type: pin.media_type,
                platforms: pin.platforms.clone(),
                first_seen: pin.first_seen.unwrap_or(rules.now),
            });
        }
        TagSeen::Changed { artifact, children } => {
            if artifact.kind != name.kind() {
                return Err(Outcome::WrongKind(artifact.kind));
            }
            match platforms(artifact, children, rules.platforms) {
                Platforms::There => artifact,
                Platforms::Missing(missing) => return Err(Outcome::PlatformMissing(missing)),
                Platforms::Unknown(why) => return Err(Outcome::Unknown(why)),
            }
        }
    };
    let media_type = MediaType::of(&artifact.media_type).filter(|media_type| media_type.kind() == artifact.kind);
    let mut platforms: Vec<_> = artifact.children.iter().filter_map(|child| child.platform.clone()).collect();
    platforms.sort();
    platforms.dedup();
    let known = candidate.filter(|candidate| candidate.digest == artifact.digest);
    Ok(Candidate {
        tag: tag.to_owned(),
        digest: artifact.digest.clone(),
        media_type: media_type.ok_or(Outcome::WrongKind(artifact.kind))?,
        platforms,
        first_seen: known.map_or(rules.now, |known| known.first_seen),
    })
}

/// From when on a digest may be used.
pub fn usable(first_seen: Timestamp, rules: &Rules<'_>) -> Timestamp {
    first_seen.checked_add(rules.min_age).unwrap_or(Timestamp::MAX)
}

/// The commit in which a person went back from a digest to the present one, when that is the last word about it. The inner
/// `None`: the present one is not committed.
///
/// The present digest stood before the other one and stands after it. Where the program itself went down again, because
/// `cluster.yaml` wanted that, the present digest was seen after the other one. If there was a hold since, somebody took
/// it out, and wants the pin to move.
fn taken_back(pin: &Pin, wanted: &Digest, past: &[PastPin]) -> Option<Option<String>> {
    let has = |past: &PastPin, digest: &Digest| past.pin.as_ref().is_some_and(|pin| pin.digest == *digest);
    let left = past.iter().position(|past| has(past, wanted))?;
    let other = past[left].pin.as_ref().and_then(|pin| pin.first_seen);
    let is_own = other.zip(pin.first_seen).is_some_and(|(other, present)| other < present);
    let was_there_before = past[left..].iter().any(|past| has(past, &pin.digest));
    let was_held = past[..left].iter().any(|past| past.pin.as_ref().is_some_and(|pin| pin.hold.is_some()));
    let short = |past: &PastPin| Some(past.commit.as_ref()?.as_str()[..7].to_owned());
    (was_there_before && !was_held && !is_own).then(|| past[..left].last().and_then(short))
}

#[cfg(test)]
mod tests;
