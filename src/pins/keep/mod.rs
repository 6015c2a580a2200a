//! What must stay in the registries, and why: the union of everything that somebody may still pull.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    model::{digest::Digest, oci::Reference, tree::CommitId},
    pins::references::{Found, Place, Scan, Usage, User},
};

pub mod formats;
pub mod gitea;

/// The references to keep, each with every reason for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// By reference, in order. Each has a tag, a digest or both.
    pub entries: BTreeMap<Reference, BTreeSet<Because>>,
}

/// Why a reference is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Because {
    /// The files name it.
    Named {
        /// Who needs it.
        user: User,
        /// When.
        usage: Usage,
        /// Where that stands.
        place: Place,
    },
    /// An earlier commit named it, and people go back to earlier commits.
    Earlier {
        /// The latest such commit.
        commit: CommitId,
        /// Who needed it.
        user: User,
    },
    /// An index that is kept names it.
    Child {
        /// The index.
        of: Digest,
        /// `os/architecture`; `None` for what runs nowhere.
        platform: Option<String>,
    },
    /// It is a signature or an attestation of something that is kept, or says something else about it.
    Refers {
        /// What it is about.
        to: Digest,
    },
}

/// How much a reason counts where only one of several references can have a tag of a mirror: the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It is the pin.
    Pinned,
    /// Something names it now.
    Named,
    /// It may become the pin.
    Candidate,
    /// Something named it, or brings it along.
    Other,
}

impl Because {
    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::Named { usage: Usage::Pinned, .. } => Rank::Pinned,
            Self::Named { usage: Usage::Candidate, .. } => Rank::Candidate,
            Self::Named { .. } => Rank::Named,
            Self::Earlier { .. } | Self::Child { .. } | Self::Refers { .. } => Rank::Other,
        }
    }

    /// The name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Named { usage, .. } => usage.as_str(),
            Self::Earlier { .. } => "Earlier",
            Self::Child { .. } => "Child",
            Self::Refers { .. } => "Refers",
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { user, usage, place } => write!(f, "{user} {usage} ({place})"),
            Self::Earlier { commit, user } => write!(f, "{user} of the commit {} needs it", commit.short()),
            Self::Child { of, platform: Some(platform) } => write!(f, "the index {of} names it for {platform}"),
            Self::Child { of, platform: None } => write!(f, "the index {of} names it"),
            Self::Refers { to } => write!(f, "it says something about {to}"),
        }
    }
}

impl Keep {
    /// Keeps everything that some files name.
    pub fn of(scan: &Scan) -> Self {
        let mut keep = Self::default();
        for Found { reference, user, usage, place, .. } in &scan.found {
            let because = Because::Named { user: user.clone(), usage: usage.clone(), place: place.clone() };
            keep.add(reference.clone(), because);
        }
        keep
    }

    /// Keeps what the files of an earlier commit named. What is kept already gets no further reason: the files of most
    /// commits name the same.
    pub fn add_earlier(&mut self, commit: &CommitId, scan: &Scan) {
        for found in &scan.found {
            if !self.entries.contains_key(&found.reference) {
                let because = Because::Earlier { commit: commit.clone(), user: found.user.clone() };
                self.add(found.reference.clone(), because);
            }
        }
    }

    /// Keeps one reference, or another reason for it.
    pub fn add(&mut self, reference: Reference, because: Because) {
        self.entries.entry(reference).or_default().insert(because);
    }

    /// Only what lies in one registry, `host` or `host:port`.
    #[must_use]
    pub fn of_registry(self, registry: &str) -> Self {
        let is_there = |reference: &Reference| reference.repository.registry().eq_ignore_ascii_case(registry);
        Self { entries: self.entries.into_iter().filter(|(reference, _)| is_there(reference)).collect() }
    }
}
