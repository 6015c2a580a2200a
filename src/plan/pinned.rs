//! The references that a layer is rendered with, each proved to be pinned.

use jiff::Timestamp;

use crate::{
    model::{
        cluster::{ChartSignature, PinPolicy},
        digest::Digest,
        finding::{Finding, Severity},
        pins::{Pin, PinName, Pins},
    },
    pins::mirror::mirrored,
    plan::{decision::Reason, release::Chart},
};

/// What makes pins.
const UPDATE: &str = "bobbypin pin update";

/// Where ouroboros publishes its chart, without a signature.
const UPSTREAM_CHART: &str = "ghcr.io/lexfrei/charts/ouroboros";

/// One reference as it is written: mirror, tag and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// The repository, without scheme, tag or digest; a mirror's when one is configured.
    pub(super) repository: String,
    /// The tag.
    pub(super) tag: String,
    /// The digest.
    pub(super) digest: Digest,
}

impl Reference {
    /// `tag@digest`, for charts that write an image as `repository:tag`.
    pub(super) fn tag_at_digest(&self) -> String {
        format!("{}@{}", self.tag, self.digest)
    }
}

/// Every reference that a rendered layer pulls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pinned {
    /// The chart of the proxy.
    pub(super) chart: Chart,
    /// The image of the proxy and of its controller.
    pub(super) image: Reference,
    /// The image of the chart's uninstall hook.
    pub(super) cleanup_hook: Reference,
}

impl Pinned {
    /// Takes the pins that the layers need, or says why they cannot be used.
    ///
    /// `now` is the time of the inventory, by which the age of a digest is measured.
    pub(super) fn resolve(pins: &Pins, policy: &PinPolicy, now: Timestamp) -> Result<Self, Reason> {
        let missing: Vec<_> =
            PinName::ALL.into_iter().filter(|name| pins.get(*name).is_none()).map(PinName::as_str).collect();
        if !missing.is_empty() {
            return Err(
                Reason::new("Unpinned", format!("pins.yaml has no digest for {}", missing.join(", "))).fix(UPDATE)
            );
        }
        let chart = pins.get(PinName::Chart).expect("every name was found above");
        if (chart.repository.as_str(), chart.tag.as_str()) != (&policy.chart_repository, &policy.version) {
            return Err(another_chart(pins, chart, policy, now));
        }
        let Reference { repository, tag, digest } = reference(pins, PinName::Chart, policy, now)?;
        Ok(Self {
            chart: Chart { repository, tag, digest, verify: policy.verify.clone() },
            image: reference(pins, PinName::Image, policy, now)?,
            cleanup_hook: reference(pins, PinName::CleanupHook, policy, now)?,
        })
    }
}

/// Why a chart of another version than the wanted one is not used; and neither is the wanted one yet.
fn another_chart(pins: &Pins, chart: &Pin, policy: &PinPolicy, now: Timestamp) -> Reason {
    let waits = chart.candidate.as_ref().is_some_and(|candidate| candidate.tag == policy.version);
    let candidates = PinName::ALL.into_iter().filter_map(|name| pins.get(name)?.candidate.as_ref());
    let usable = candidates.filter_map(|candidate| candidate.first_seen.checked_add(policy.min_age).ok()).max();
    if let Some(usable) = usable.filter(|usable| waits && *usable > now) {
        let message = format!("the digests of version {} may be used from {usable} on (pins.minAge)", policy.version);
        let fix = format!("wait, then run: {UPDATE}");
        return Reason::new("PinTooYoung", message).fix(fix);
    }
    let message = format!(
        "pins.yaml pins {}:{} and cluster.yaml wants {}:{}",
        chart.repository, chart.tag, policy.chart_repository, policy.version
    );
    let fix = match &chart.hold {
        Some(hold) if hold.holds(now) => "take the hold out of pins.yaml, or correct spec.pins in cluster.yaml",
        Some(_) | None => "bobbypin pin update; or correct spec.pins in cluster.yaml",
    };
    Reason::new("PinOfAnotherChart", message).fix(fix)
}

/// What a person should know about the pins, whatever is decided by them.
pub fn findings(pins: &Pins, policy: &PinPolicy, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, pin) in &pins.0 {
        if let Some((hold, until)) = pin.hold.as_ref().and_then(|hold| Some((hold, hold.until?)))
            && !hold.holds(now)
        {
            findings.push(Finding {
                severity: Severity::Warning,
                rule: "HoldExpired",
                subject: format!("pins.yaml {name}"),
                message: format!("its hold ended at {until} ({}): the next `{UPDATE}` may move it", hold.reason),
                fix: Some("take the hold out, or give it another end".to_owned()),
                host: None,
            });
        }
        if let Some(candidate) = pin.candidate.as_ref().filter(|candidate| candidate.tag == pin.tag) {
            findings.push(Finding {
                severity: Severity::Warning,
                rule: "TagMoved",
                subject: format!("pins.yaml {name}"),
                message: format!(
                    "the tag {} of {} leads to {} since {}, and not to the pinned digest: the pin stays as it is",
                    pin.tag, pin.repository, candidate.digest, candidate.first_seen
                ),
                fix: Some(format!("find out why; to follow the tag: {UPDATE} --accept-moved {name}")),
                host: None,
            });
        }
    }
    if let Some(ChartSignature { .. }) = &policy.verify
        && policy.chart_repository == UPSTREAM_CHART
    {
        findings.push(Finding {
            severity: Severity::Warning,
            rule: "ChartUnsigned",
            subject: UPSTREAM_CHART.to_owned(),
            message:
                "the chart is published without a signature (the image has one), and Flux is told to ask for one: \
                      it will not use the chart"
                    .to_owned(),
            fix: Some("take out spec.pins.verify, or set spec.pins.chart to a copy that you signed".to_owned()),
            host: None,
        });
    }
    findings
}

fn reference(pins: &Pins, name: PinName, policy: &PinPolicy, now: Timestamp) -> Result<Reference, Reason> {
    let pin = pins.get(name).expect("the caller looked for every name");
    let (wanted, found) = (name.kind(), pin.kind());
    if found != wanted {
        return Err(Reason::new(
            "PinOfWrongKind",
            format!("the digest of {} in pins.yaml is of a {found:?}, not of a {wanted:?}", name.as_str()),
        ));
    }
    if let Some(usable) = pin.first_seen.and_then(|seen| seen.checked_add(policy.min_age).ok())
        && usable > now
    {
        return Err(Reason::new(
            "PinTooYoung",
            format!("the digest of {} may be used from {usable} on (pins.minAge)", name.as_str()),
        )
        .fix("wait, or lower spec.pins.minAge in cluster.yaml"));
    }
    Ok(Reference {
        repository: mirrored(&pin.repository, &policy.mirrors),
        tag: pin.tag.clone(),
        digest: pin.digest.clone(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::model::pins::{Candidate, MediaType, PinHold};

    fn pins() -> Pins {
        let pin = |name: PinName, repository: &str, tag: &str, media_type| {
            let digest = Digest::of(repository.as_bytes());
            let pin = Pin {
                repository: repository.to_owned(),
                tag: tag.to_owned(),
                digest,
                media_type,
                platforms: Vec::new(),
                first_seen: None,
                signature: None,
                hold: None,
                candidate: None,
            };
            (name.as_str().to_owned(), pin)
        };
        Pins(BTreeMap::from([
            pin(PinName::Chart, "ghcr.io/x/charts/ouroboros", "0.8.1", MediaType::Chart),
            pin(PinName::Image, "ghcr.io/x/ouroboros", "0.8.1", MediaType::OciIndex),
            pin(PinName::CleanupHook, "mirror.gcr.io/alpine/kubectl", "1.36.1", MediaType::OciIndex),
        ]))
    }

    fn policy() -> PinPolicy {
        PinPolicy {
            chart_repository: "ghcr.io/x/charts/ouroboros".to_owned(),
            version: "0.8.1".to_owned(),
            min_age: SignedDuration::from_hours(72),
            mirrors: BTreeMap::new(),
            platforms: vec!["linux/amd64".to_owned()],
            verify: None,
            signers: BTreeMap::new(),
        }
    }

    fn code(change: impl FnOnce(&mut Pins, &mut PinPolicy)) -> Option<&'static str> {
        let (mut pins, mut policy) = (pins(), policy());
        change(&mut pins, &mut policy);
        Pinned::resolve(&pins, &policy, Timestamp::UNIX_EPOCH).err().map(|reason| reason.code)
    }

    #[test]
    fn a_pin_that_cannot_be_used_holds_with_its_reason() {
        let seen = |hours: i64| Some(Timestamp::from_second(-hours * 3600).expect("a small number of seconds"));
        assert_eq!(code(|_, _| ()), None);
        assert_eq!(code(|pins, _| drop(pins.0.remove("cleanup-hook-image"))), Some("Unpinned"));
        assert_eq!(code(|_, policy| policy.version = "0.8.0".to_owned()), Some("PinOfAnotherChart"));
        for media_type in [MediaType::Chart, MediaType::DockerManifest] {
            assert_eq!(
                code(|pins, _| pins.0.get_mut("ouroboros-image").expect("it is there").media_type = media_type),
                Some("PinOfWrongKind")
            );
        }
        for (hours, expected) in [(71, Some("PinTooYoung")), (72, None)] {
            let change = |pins: &mut Pins, _: &mut PinPolicy| {
                pins.0.get_mut("ouroboros-image").expect("it is there").first_seen = seen(hours);
            };
            assert_eq!(code(change), expected, "{hours}");
        }
    }

    fn candidate(tag: &str) -> Option<Candidate> {
        let digest = Digest::of(b"another");
        let (media_type, first_seen) = (MediaType::Chart, Timestamp::UNIX_EPOCH);
        Some(Candidate { tag: tag.to_owned(), digest, media_type, platforms: Vec::new(), first_seen })
    }

    #[test]
    fn a_version_that_waits_says_until_when_and_one_that_need_not_wait_says_what_to_run() {
        let reason = |hours: i64, held: bool| {
            let (mut pins, mut policy) = (pins(), policy());
            policy.version = "0.9.0".to_owned();
            let chart = pins.0.get_mut("ouroboros-chart").expect("it is there");
            chart.candidate = candidate("0.9.0");
            chart.hold = held.then(|| PinHold { reason: "no".to_owned(), until: None });
            let now = Timestamp::from_second(hours * 3600).expect("a small number of seconds");
            let reason = Pinned::resolve(&pins, &policy, now).expect_err("it waits");
            (reason.code, reason.message, reason.fix.expect("there is something to do"))
        };
        let (code, message, fix) = reason(71, false);
        let until = "the digests of version 0.9.0 may be used from 1970-01-04T00:00:00Z on (pins.minAge)";
        assert_eq!(
            (code, message.as_str(), fix.as_str()),
            ("PinTooYoung", until, "wait, then run: bobbypin pin update")
        );
        let (code, _, fix) = reason(72, false);
        assert_eq!(
            (code, fix.as_str()),
            ("PinOfAnotherChart", "bobbypin pin update; or correct spec.pins in cluster.yaml")
        );
        let (code, _, fix) = reason(72, true);
        assert_eq!(
            (code, fix.as_str()),
            ("PinOfAnotherChart", "take the hold out of pins.yaml, or correct spec.pins in cluster.yaml")
        );
    }

    #[test]
    fn an_ended_hold_a_moved_tag_and_a_signature_that_nobody_made_are_told() {
        let rules = |change: &dyn Fn(&mut Pin, &mut PinPolicy)| {
            let (mut pins, mut policy) = (pins(), policy());
            change(pins.0.get_mut("ouroboros-chart").expect("it is there"), &mut policy);
            let found = findings(&pins, &policy, Timestamp::UNIX_EPOCH);
            found.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        let hold = |seconds: i64| {
            let until = Timestamp::from_second(seconds).ok();
            Some(PinHold { reason: "no".to_owned(), until })
        };
        let signature = ChartSignature { secret: None, identities: Vec::new() };
        assert_eq!(rules(&|pin, _| pin.hold = hold(1)), [""; 0]);
        assert_eq!(rules(&|pin, _| pin.hold = hold(0)), ["HoldExpired"]);
        assert_eq!(rules(&|pin, _| pin.candidate = candidate("0.9.0")), [""; 0]);
        assert_eq!(rules(&|pin, _| pin.candidate = candidate("0.8.1")), ["TagMoved"]);
        assert_eq!(rules(&|_, policy| policy.verify = Some(signature.clone())), [""; 0]);
        let upstream = |policy: &mut PinPolicy| policy.chart_repository = UPSTREAM_CHART.to_owned();
        assert_eq!(rules(&|_, policy| upstream(policy)), [""; 0]);
        let both = |_: &mut Pin, policy: &mut PinPolicy| {
            upstream(policy);
            policy.verify = Some(signature.clone());
        };
        assert_eq!(rules(&both), ["ChartUnsigned"]);
    }
}
