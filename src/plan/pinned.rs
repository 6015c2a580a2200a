//! The references that a layer is rendered with, each proved to be pinned.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    model::{
        cluster::PinPolicy,
        digest::Digest,
        pins::{ArtifactKind, PinName, Pins},
    },
    plan::decision::Reason,
};

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
    pub(super) chart: Reference,
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
            return Err(Reason::new("Unpinned", format!("pins.yaml has no digest for {}", missing.join(", ")))
                .fix("add the entries to pins.yaml, with the digest that the registry gives for the tag"));
        }
        let pinned = Self {
            chart: reference(pins, PinName::Chart, policy, now)?,
            image: reference(pins, PinName::Image, policy, now)?,
            cleanup_hook: reference(pins, PinName::CleanupHook, policy, now)?,
        };
        let chart = pins.get(PinName::Chart).expect("every name was found above");
        if (chart.repository.as_str(), chart.tag.as_str()) != (&policy.chart_repository, &policy.version) {
            return Err(Reason::new(
                "PinOfAnotherChart",
                format!(
                    "pins.yaml pins {}:{} and cluster.yaml wants {}:{}",
                    chart.repository, chart.tag, policy.chart_repository, policy.version
                ),
            )
            .fix("pin the wanted chart, or correct spec.pins in cluster.yaml"));
        }
        Ok(pinned)
    }
}

fn reference(pins: &Pins, name: PinName, policy: &PinPolicy, now: Timestamp) -> Result<Reference, Reason> {
    let pin = pins.get(name).expect("the caller looked for every name");
    let wanted = match name {
        PinName::Chart => ArtifactKind::Chart,
        PinName::Image | PinName::CleanupHook => ArtifactKind::ImageIndex,
    };
    if pin.kind != wanted {
        return Err(Reason::new(
            "PinOfWrongKind",
            format!("the digest of {} in pins.yaml is of a {:?}, not of a {wanted:?}", name.as_str(), pin.kind),
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

/// Replaces the longest configured prefix of whole path parts by its mirror.
fn mirrored(repository: &str, mirrors: &BTreeMap<String, String>) -> String {
    let rest_below = |prefix: &str| {
        let rest = repository.strip_prefix(prefix.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    mirrors
        .iter()
        .filter_map(|(prefix, mirror)| Some((prefix.len(), mirror, rest_below(prefix)?)))
        .max_by_key(|(length, ..)| *length)
        .map_or_else(|| repository.to_owned(), |(_, mirror, rest)| format!("{}{rest}", mirror.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::model::pins::Pin;

    fn pins() -> Pins {
        let pin = |name: PinName, repository: &str, tag: &str, kind| {
            let digest = Digest::of(repository.as_bytes());
            let pin = Pin {
                repository: repository.to_owned(),
                tag: tag.to_owned(),
                digest,
                kind,
                platforms: Vec::new(),
                first_seen: None,
                hold: None,
            };
            (name.as_str().to_owned(), pin)
        };
        Pins(BTreeMap::from([
            pin(PinName::Chart, "ghcr.io/x/charts/ouroboros", "0.8.1", ArtifactKind::Chart),
            pin(PinName::Image, "ghcr.io/x/ouroboros", "0.8.1", ArtifactKind::ImageIndex),
            pin(PinName::CleanupHook, "mirror.gcr.io/alpine/kubectl", "1.36.1", ArtifactKind::ImageIndex),
        ]))
    }

    fn policy() -> PinPolicy {
        PinPolicy {
            chart_repository: "ghcr.io/x/charts/ouroboros".to_owned(),
            version: "0.8.1".to_owned(),
            min_age: SignedDuration::from_hours(72),
            mirrors: BTreeMap::new(),
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
        for kind in [ArtifactKind::Chart, ArtifactKind::ImageManifest] {
            assert_eq!(
                code(|pins, _| pins.0.get_mut("ouroboros-image").expect("it is there").kind = kind),
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

    #[test]
    fn the_longest_mirror_of_whole_parts_is_used() {
        let mirrors = BTreeMap::from(
            [
                ("ghcr.io", "r.example.org/ghcr"),
                ("ghcr.io/x", "r.example.org/x/"),
                ("ghcr", "wrong"),
                ("ghcr.io/xy", "wrong"),
            ]
            .map(|(from, to)| (from.to_owned(), to.to_owned())),
        );
        for (from, to) in [
            ("ghcr.io/x/ouroboros", "r.example.org/x/ouroboros"),
            ("ghcr.io/lexfrei/ouroboros", "r.example.org/ghcr/lexfrei/ouroboros"),
            ("docker.io/library/alpine", "docker.io/library/alpine"),
        ] {
            assert_eq!(mirrored(from, &mirrors), to);
        }
    }
}
