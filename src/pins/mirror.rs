//! Mirrors: where a reference is pulled from instead, and whether the mirror has the same bytes.

use std::{collections::BTreeMap, fmt};

use crate::{
    model::{
        digest::Digest,
        observed::{Observed, Unknown},
        oci::Reference,
    },
    pins::seen::PinSeen,
};

/// Replaces the longest configured prefix of whole path parts by its mirror.
///
/// `repository` is without scheme, tag and digest. Without a mirror it stays as it is.
pub fn mirrored(repository: &str, mirrors: &BTreeMap<String, String>) -> String {
    longest(repository, mirrors.iter().map(|(prefix, mirror)| (prefix.as_str(), mirror.as_str())))
        .unwrap_or_else(|| repository.to_owned())
}

/// The repository that a mirror's one is the mirror of; `None` when it is none of a mirror.
pub fn upstream(repository: &str, mirrors: &BTreeMap<String, String>) -> Option<String> {
    longest(repository, mirrors.iter().map(|(prefix, mirror)| (mirror.as_str(), prefix.as_str())))
}

fn longest<'a>(repository: &str, replacements: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let rest_below = |prefix: &str| {
        let rest = repository.strip_prefix(prefix.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
    };
    replacements
        .filter_map(|(from, to)| Some((from.trim_end_matches('/').len(), to, rest_below(from)?)))
        .max_by_key(|(length, ..)| *length)
        .map(|(_, to, rest)| format!("{}{rest}", to.trim_end_matches('/')))
}

/// The same tag and digest at the mirror; `None` when there is no mirror for it, or none that can be a repository.
pub fn at_mirror(reference: &Reference, mirrors: &BTreeMap<String, String>) -> Option<Reference> {
    let repository = reference.repository.to_string();
    let mirror = mirrored(&repository, mirrors);
    (mirror != repository).then(|| moved(reference, &mirror)).flatten()
}

/// The same tag and digest at what the mirror is a mirror of; `None` when it is none of a mirror.
pub fn at_upstream(reference: &Reference, mirrors: &BTreeMap<String, String>) -> Option<Reference> {
    moved(reference, &upstream(&reference.repository.to_string(), mirrors)?)
}

fn moved(reference: &Reference, repository: &str) -> Option<Reference> {
    let repository = Reference::parse(repository).ok()?.repository;
    Some(Reference { repository, ..reference.clone() })
}

/// How a mirror has a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorState {
    /// Tag, digest and every needed platform, as pinned.
    Same,
    /// The digest is there, and the tag leads elsewhere.
    TagMoved(Digest),
    /// The digest is there, and no tag keeps it.
    TagMissing,
    /// The digest is not there, and the tag leads to another one.
    Other(Digest),
    /// Neither is there.
    Missing,
    /// The index is there, and not what it names for a platform.
    PlatformMissing(String),
    /// The mirror did not say.
    Unknown(Unknown),
}

impl MirrorState {
    /// Judges the mirror's answers about a pin.
    pub fn of(digest: &Digest, seen: &PinSeen) -> Self {
        let unknown = |unknown: &Unknown| Self::Unknown(unknown.clone());
        match (&seen.by_digest, &seen.by_tag) {
            (Observed::Unknown(why), _) => unknown(why),
            (Observed::Absent, Observed::Present(other)) if other != digest => Self::Other(other.clone()),
            (Observed::Absent, Observed::Present(_) | Observed::Absent | Observed::Unknown(_)) => Self::Missing,
            (Observed::Present(_), Observed::Unknown(why)) => unknown(why),
            (Observed::Present(_), Observed::Absent) => Self::TagMissing,
            (Observed::Present(_), Observed::Present(other)) if other != digest => Self::TagMoved(other.clone()),
            (Observed::Present(_), Observed::Present(_)) => Self::of_children(seen),
        }
    }

    fn of_children(seen: &PinSeen) -> Self {
        let missing = seen.children.iter().find(|(_, observed)| matches!(observed, Observed::Absent));
        if let Some((child, _)) = missing {
            let platform = child.platform.clone().unwrap_or_else(|| child.digest.to_string());
            return Self::PlatformMissing(platform);
        }
        let unknown = seen.children.iter().find_map(|(_, observed)| match observed {
            Observed::Unknown(why) => Some(why.clone()),
            Observed::Present(()) | Observed::Absent => None,
        });
        unknown.map_or(Self::Same, Self::Unknown)
    }

    /// Whether it is proven that the pin may not be used through this mirror.
    pub fn is_wrong(&self) -> bool {
        !matches!(self, Self::Same | Self::Unknown(_))
    }

    /// The name for people and programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::TagMoved(_) => "tag-moved",
            Self::TagMissing => "tag-missing",
            Self::Other(_) => "other",
            Self::Missing => "missing",
            Self::PlatformMissing(_) => "platform-missing",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What is known of a reference with a digest of another algorithm than the one that everything here is compared by.
pub fn not_comparable(digest: &str) -> MirrorState {
    let algorithm = digest.split(':').next().unwrap_or_default();
    MirrorState::Unknown(Unknown {
        reason: "UnsupportedDigest".to_owned(),
        message: format!("it has a digest of {algorithm}, and only those of sha256 can be compared"),
    })
}

impl fmt::Display for MirrorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the mirror has the same bytes"),
            Self::TagMoved(other) => write!(f, "the tag of the mirror leads to {other}"),
            Self::TagMissing => f.write_str("the mirror has the digest, and no tag that keeps it"),
            Self::Other(other) => write!(f, "the mirror has {other} in its place"),
            Self::Missing => f.write_str("the mirror does not have it"),
            Self::PlatformMissing(platform) => write!(f, "the mirror does not have what it names for {platform}"),
            Self::Unknown(unknown) => write!(f, "{} ({})", unknown.message, unknown.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::pins::ArtifactKind,
        pins::artifact::{Artifact, Child},
    };

    fn table(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn the_longest_mirror_of_whole_parts_is_used_both_ways() {
        let mirrors = table(&[
            ("ghcr.io", "r.example.org/ghcr"),
            ("ghcr.io/x", "r.example.org/x/"),
            ("ghcr", "wrong"),
            ("ghcr.io/xy", "wrong"),
        ]);
        for (from, to) in [
            ("ghcr.io/x/ouroboros", "r.example.org/x/ouroboros"),
            ("ghcr.io/lexfrei/ouroboros", "r.example.org/ghcr/lexfrei/ouroboros"),
            ("docker.io/library/alpine", "docker.io/library/alpine"),
        ] {
            assert_eq!(mirrored(from, &mirrors), to);
            assert_eq!(upstream(to, &mirrors).as_deref(), (from != to).then_some(from));
        }
    }

    proptest! {
        #[test]
        fn a_mirror_changes_neither_tag_nor_digest(
            path in "[a-z]{1,5}(/[a-z]{1,5}){0,3}", prefix in 0_usize..4, tag in proptest::option::of("[a-z0-9]{1,8}"),
            digest in proptest::option::of("[0-9a-f]{64}"),
        ) {
            let parts: Vec<_> = path.split('/').take(prefix).collect();
            let from = [&["r.example.org"], parts.as_slice()].concat().join("/");
            let mirrors = table(&[(&from, "m.example.org/all"), ("other.example.org", "m.example.org/other")]);
            let repository = Reference::parse(&format!("r.example.org/{path}")).unwrap().repository;
            let reference = Reference { repository, tag, digest: digest.map(|hex| format!("sha256:{hex}")) };
            let mirror = at_mirror(&reference, &mirrors).expect("every path of this registry has a mirror");
            prop_assert_eq!((&mirror.tag, &mirror.digest), (&reference.tag, &reference.digest));
            prop_assert_eq!(at_upstream(&mirror, &mirrors), Some(reference));
        }
    }

    #[test]
    fn every_combination_of_answers_has_its_state() {
        let (pinned, other) = (Digest::of(b"pinned"), Digest::of(b"other"));
        let unknown = || Unknown { reason: "Timeout".to_owned(), message: "no answer".to_owned() };
        let artifact = Artifact {
            digest: pinned.clone(),
            kind: ArtifactKind::ImageIndex,
            media_type: String::new(),
            children: Vec::new(),
            layers: Vec::new(),
        };
        let child = Child { digest: Digest::of(b"child"), platform: Some("linux/arm64".to_owned()) };
        let digests = [Observed::Present(artifact), Observed::Absent, Observed::Unknown(unknown())];
        let tags = [
            Observed::Present(pinned.clone()),
            Observed::Present(other),
            Observed::Absent,
            Observed::Unknown(unknown()),
        ];
        let children = [Observed::Present(()), Observed::Absent, Observed::Unknown(unknown())];
        let mut states = Vec::new();
        for by_digest in &digests {
            for by_tag in &tags {
                for child_seen in &children {
                    let children = vec![(child.clone(), child_seen.clone())];
                    let seen = PinSeen { by_digest: by_digest.clone(), by_tag: by_tag.clone(), children };
                    states.push(MirrorState::of(&pinned, &seen).as_str());
                }
            }
        }
        let same = ["same", "platform-missing", "unknown"];
        let rest = [
            "tag-moved",
            "tag-missing",
            "unknown",
            "missing",
            "other",
            "missing",
            "missing",
            "unknown",
            "unknown",
            "unknown",
            "unknown",
        ];
        let wanted: Vec<_> = same.into_iter().chain(rest.into_iter().flat_map(|state| [state; 3])).collect();
        assert_eq!(states, wanted);
    }
}
