//! What the answers of a registry say about a pin.
//!
//! Only what the registry says itself is proof: what could not be read is unknown, and never missing.

use crate::{
    model::{
        digest::Digest,
        observed::{Observed, Unknown},
        pins::ArtifactKind,
    },
    pins::{
        artifact::{Artifact, Child},
        seen::{PinSeen, is_other_kind},
    },
};

/// How a pin stands in its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinState {
    /// Tag and digest are one.
    Ok,
    /// The tag leads to another digest; the pinned one is still there.
    TagMoved,
    /// The tag is gone; the digest is still there.
    TagReaped,
    /// The digest is gone; the tag leads to another one.
    DigestLost,
    /// Tag and digest are gone.
    Reaped,
    /// The digest is that of something else than it must be.
    WrongKind,
    /// A platform that is needed is missing.
    PlatformMissing,
    /// There is no digest.
    Unpinned,
    /// It cannot be told.
    Unknown,
}

impl PinState {
    /// The name that scripts may compare: `tag-moved`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::TagMoved => "tag-moved",
            Self::TagReaped => "tag-reaped",
            Self::DigestLost => "digest-lost",
            Self::Reaped => "reaped",
            Self::WrongKind => "wrong-kind",
            Self::PlatformMissing => "platform-missing",
            Self::Unpinned => "unpinned",
            Self::Unknown => "unknown",
        }
    }
}

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The name of the pin.
    pub name: &'a str,
    /// The repository that was asked.
    pub repository: &'a str,
    /// The tag.
    pub tag: &'a str,
    /// The digest.
    pub digest: &'a Digest,
    /// What the digest must be the digest of.
    pub kind: ArtifactKind,
    /// The platforms that an index must have.
    pub platforms: &'a [String],
}

/// A state, and what it means here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The state.
    pub state: PinState,
    /// One sentence for a person.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Judgement {
    fn new(state: PinState, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state, message: message.into(), fix: Some(fix.into()) }
    }
}

/// Judges a pin by what was seen of it.
pub fn judge(asked: &Asked<'_>, seen: &PinSeen) -> Judgement {
    const REPIN: &str = "bobbypin pin update";
    const REMOVE: &str = "take the entry out of pins.yaml and run: bobbypin pin update";
    let Asked { name, repository, tag, digest, .. } = asked;
    let artifact = match (&seen.by_digest, &seen.by_tag) {
        (Observed::Present(artifact), _) => artifact,
        (Observed::Unknown(why), _) if is_other_kind(why) => {
            return Judgement::new(PinState::WrongKind, why.message.clone(), REMOVE);
        }
        (Observed::Unknown(why), _) | (Observed::Absent, Observed::Unknown(why)) => return unknown(why),
        (Observed::Absent, Observed::Present(other)) if other == *digest => {
            let message = format!("{repository} says that {tag} is {digest}, and that it has no such digest");
            return Judgement::new(PinState::Unknown, message, "ask again later; if it stays so, ask who runs it");
        }
        (Observed::Absent, Observed::Present(other)) => {
            let message =
                format!("{repository} has no {digest} any more, and {tag} is {other} now: nobody can pull the pin");
            let fix = format!("bring the digest back, or follow the tag: {REPIN} --accept-moved {name}");
            return Judgement::new(PinState::DigestLost, message, fix);
        }
        (Observed::Absent, Observed::Absent) => {
            let message = format!("{repository} has neither {tag} nor {digest} any more: nobody can pull the pin");
            let fix = "bring it back from a copy, or set another version in cluster.yaml and run: bobbypin pin update";
            return Judgement::new(PinState::Reaped, message, fix);
        }
    };
    if artifact.kind != asked.kind {
        let (needed, found) = (asked.kind.with_article(), artifact.kind.with_article());
        let message = format!("{digest} is the digest of {found}, and must be that of {needed}");
        return Judgement::new(PinState::WrongKind, message, REMOVE);
    }
    let platforms = platforms(artifact, &seen.children, asked.platforms);
    if let Platforms::Missing(missing) = &platforms {
        let message = format!("{repository} has {tag} without {}: pods on such nodes cannot start", missing.join(", "));
        let fix = "bring the whole index back, pin a version that has them, or correct spec.pins.platforms";
        return Judgement::new(PinState::PlatformMissing, message, fix);
    }
    match &seen.by_tag {
        Observed::Absent => {
            let message = format!("{repository} has no {tag} any more; {digest} is there until somebody cleans up");
            let fix = "set the tag on the digest again, and keep it: bobbypin pin export";
            Judgement::new(PinState::TagReaped, message, fix)
        }
        Observed::Present(other) if other != *digest => {
            let message = format!(
                "{tag} of {repository} is {other} now; the pin keeps {digest}, which is there until somebody cleans up"
            );
            let fix = format!("find out why; to follow it: {REPIN} --accept-moved {name}");
            Judgement::new(PinState::TagMoved, message, fix)
        }
        Observed::Unknown(why) => unknown(why),
        Observed::Present(_) => match platforms {
            Platforms::Unknown(why) => unknown(&why),
            Platforms::Missing(_) | Platforms::There => {
                Judgement { state: PinState::Ok, message: format!("{repository}:{tag} is {digest}"), fix: None }
            }
        },
    }
}

/// What is said about a name that has no digest.
pub fn unpinned(name: &str) -> Judgement {
    let message = format!("pins.yaml has no digest for {name}: the layers that need it are held");
    Judgement::new(PinState::Unpinned, message, "bobbypin pin update")
}

fn unknown(why: &Unknown) -> Judgement {
    let message = format!("{} ({})", why.message, why.reason);
    Judgement::new(PinState::Unknown, message, "nothing is proved: ask again when the registry answers")
}

/// Whether an image has the platforms that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platforms {
    /// It has them, or is not an index.
    There,
    /// These are not in the index, or their manifests are gone.
    Missing(Vec<String>),
    /// The registry does not say whether it has a manifest.
    Unknown(Unknown),
}

/// Looks for platforms in an index, and whether the registry has the manifests of them.
pub fn platforms(artifact: &Artifact, children: &[(Child, Observed<()>)], needed: &[String]) -> Platforms {
    if artifact.kind != ArtifactKind::ImageIndex {
        return Platforms::There;
    }
    let is_missing = |needed: &&String| {
        let listed = artifact.children.iter().any(|child| child.is_for(needed));
        let gone = |(child, seen): &(Child, Observed<()>)| child.is_for(needed) && *seen == Observed::Absent;
        !listed || children.iter().any(gone)
    };
    let missing: Vec<_> = needed.iter().filter(is_missing).cloned().collect();
    if !missing.is_empty() {
        return Platforms::Missing(missing);
    }
    // The others were asked for by somebody who needs other platforms.
    let mut own = children.iter().filter(|(child, _)| needed.iter().any(|needed| child.is_for(needed)));
    let unknown = own.find_map(|(_, seen)| match seen {
        Observed::Unknown(why) => Some(why.clone()),
        Observed::Present(()) | Observed::Absent => None,
    });
    unknown.map_or(Platforms::There, Platforms::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::seen::OTHER_KIND;

    fn digest(seed: &str) -> Digest {
        Digest::of(seed.as_bytes())
    }

    fn why() -> Unknown {
        Unknown { reason: "Forbidden".to_owned(), message: "the registry refuses".to_owned() }
    }

    fn index(platforms: &[&str]) -> Artifact {
        let child = |platform: &&str| Child { digest: digest(platform), platform: Some((*platform).to_owned()) };
        Artifact {
            digest: digest("a"),
            kind: ArtifactKind::ImageIndex,
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            children: platforms.iter().map(child).collect(),
            layers: Vec::new(),
        }
    }

    /// The state for an index with these platforms, whose manifests are there, gone or unknown.
    fn state(by_digest: Observed<Artifact>, by_tag: Observed<Digest>, child: &Observed<()>) -> PinState {
        let needed = ["linux/amd64".to_owned(), "linux/arm64".to_owned()];
        let asked = Asked {
            name: "ouroboros-image",
            repository: "ghcr.io/x/y",
            tag: "1",
            digest: &digest("a"),
            kind: ArtifactKind::ImageIndex,
            platforms: &needed,
        };
        let listed = by_digest.present().map(|artifact| artifact.children.clone()).unwrap_or_default();
        let children = listed.into_iter().map(|one| (one, child.clone())).collect();
        judge(&asked, &PinSeen { by_digest, by_tag, children }).state
    }

    #[test]
    fn every_combination_of_answers_has_its_state() {
        use PinState::{DigestLost, Ok, PlatformMissing, Reaped, TagMoved, TagReaped, Unknown, WrongKind};
        let present = |artifact| Observed::Present(artifact);
        let digests = [
            ("whole", present(index(&["linux/amd64", "linux/arm64/v8", "unknown"]))),
            ("lacks one", present(index(&["linux/amd64", "linux/arm"]))),
            ("a chart", present(Artifact { kind: ArtifactKind::Chart, ..index(&[]) })),
            ("gone", Observed::Absent),
            ("unknown", Observed::Unknown(why())),
        ];
        let tags = [
            Observed::Present(digest("a")),
            Observed::Present(digest("b")),
            Observed::Absent,
            Observed::Unknown(why()),
        ];
        let children = [Observed::Present(()), Observed::Absent, Observed::Unknown(why())];
        // By digest; then by tag: the same, another, gone, unknown; then by child: there, gone, unknown.
        let table: [(&str, [[PinState; 3]; 4]); 5] = [
            (
                "whole",
                [
                    [Ok, PlatformMissing, Unknown],
                    [TagMoved, PlatformMissing, TagMoved],
                    [TagReaped, PlatformMissing, TagReaped],
                    [Unknown, PlatformMissing, Unknown],
                ],
            ),
            ("lacks one", [[PlatformMissing; 3]; 4]),
            ("a chart", [[WrongKind; 3]; 4]),
            ("gone", [[Unknown; 3], [DigestLost; 3], [Reaped; 3], [Unknown; 3]]),
            ("unknown", [[Unknown; 3]; 4]),
        ];
        for ((name, by_digest), (row, expected)) in digests.iter().zip(table) {
            assert_eq!(*name, row);
            for (by_tag, expected) in tags.iter().zip(expected) {
                for (child, expected) in children.iter().zip(expected) {
                    let found = state(by_digest.clone(), by_tag.clone(), child);
                    assert_eq!(found, expected, "{name}, {by_tag:?}, {child:?}");
                }
            }
        }
    }

    #[test]
    fn a_platform_is_there_when_a_machine_of_that_kind_can_run_what_is_listed() {
        let needed = |text: &str| vec![text.to_owned()];
        let missing = |text: &str| Platforms::Missing(needed(text));
        for (listed, wanted, expected) in [
            ("linux/amd64", "linux/amd64", Platforms::There),
            ("linux/amd64/v3", "linux/amd64", missing("linux/amd64")),
            ("linux/arm/v6", "linux/arm", missing("linux/arm")),
            ("linux/arm64", "linux/arm64/v8", Platforms::There),
            ("linux/arm64/v8", "linux/arm64", Platforms::There),
            ("linux/arm", "linux/arm/v7", Platforms::There),
            ("linux/amd64x", "linux/amd64", missing("linux/amd64")),
        ] {
            let found = platforms(&index(&[listed]), &[], &needed(wanted));
            assert_eq!(found, expected, "{listed} for {wanted}");
        }
        // What somebody else needs, and nobody knows of.
        let artifact = index(&["linux/amd64", "linux/s390x"]);
        let answers = [Observed::Present(()), Observed::Unknown(why())];
        let children: Vec<_> = artifact.children.iter().cloned().zip(answers).collect();
        assert_eq!(platforms(&artifact, &children, &needed("linux/amd64")), Platforms::There);
        assert_eq!(platforms(&artifact, &children, &needed("linux/s390x")), Platforms::Unknown(why()));
        // Gone under another name of the same platform.
        let artifact = index(&["linux/arm64"]);
        let gone = vec![(artifact.children[0].clone(), Observed::Absent)];
        assert_eq!(platforms(&artifact, &gone, &needed("linux/arm64/v8")), missing("linux/arm64/v8"));
    }

    #[test]
    fn every_state_but_ok_says_what_to_do() {
        let needed = Vec::new();
        let digest_of_pin = digest("a");
        let asked = Asked {
            name: "ouroboros-chart",
            repository: "ghcr.io/x/y",
            tag: "1",
            digest: &digest_of_pin,
            kind: ArtifactKind::Chart,
            platforms: &needed,
        };
        let chart = Artifact { kind: ArtifactKind::Chart, ..index(&[]) };
        let told = |by_digest, by_tag| judge(&asked, &PinSeen { by_digest, by_tag, children: Vec::new() });
        let moved = told(Observed::Present(chart.clone()), Observed::Present(digest("b")));
        assert_eq!(
            moved.fix.as_deref(),
            Some("find out why; to follow it: bobbypin pin update --accept-moved ouroboros-chart")
        );
        let unknown = told(Observed::Unknown(why()), Observed::Absent);
        assert_eq!(unknown.message, "the registry refuses (Forbidden)");
        assert!(unpinned("x").fix.is_some() && unknown.fix.is_some());
        let other = Unknown { reason: OTHER_KIND.to_owned(), message: "it is a manifest of files".to_owned() };
        let other = told(Observed::Unknown(other), Observed::Unknown(why()));
        assert_eq!((other.state, other.message.as_str()), (PinState::WrongKind, "it is a manifest of files"));
        assert_eq!(told(Observed::Present(chart), Observed::Present(digest("a"))).fix, None);
    }
}
