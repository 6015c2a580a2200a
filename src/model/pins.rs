//! Which bytes an OCI reference means.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use crate::model::digest::Digest;

/// What a digest is the digest of. The three are never exchanged for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArtifactKind {
    /// The manifest of a Helm chart.
    Chart,
    /// The index of an image: one manifest for every platform.
    ImageIndex,
    /// The manifest of an image for one platform.
    ImageManifest,
}

impl ArtifactKind {
    /// For a sentence: `a chart`.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Chart => "a chart",
            Self::ImageIndex => "an image index",
            Self::ImageManifest => "an image for one platform",
        }
    }
}

/// The type of what a digest is the digest of, as registries call it. A chart and an image for one platform are
/// manifests of the same type; a chart is told by the type of its config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MediaType {
    /// The config of a Helm chart.
    Chart,
    /// An index, as OCI has it.
    OciIndex,
    /// An index, as Docker had it before.
    DockerList,
    /// A manifest of an image, as OCI has it.
    OciManifest,
    /// A manifest of an image, as Docker had it before.
    DockerManifest,
}

impl MediaType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OciIndex, Self::DockerList, Self::Chart, Self::OciManifest, Self::DockerManifest];

    /// The type by its name.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|media_type| media_type.as_str() == text)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chart => "application/vnd.cncf.helm.config.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    /// What things of this type are.
    pub fn kind(self) -> ArtifactKind {
        match self {
            Self::Chart => ArtifactKind::Chart,
            Self::OciIndex | Self::DockerList => ArtifactKind::ImageIndex,
            Self::OciManifest | Self::DockerManifest => ArtifactKind::ImageManifest,
        }
    }
}

/// One pinned reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The repository, without scheme, tag or digest: `ghcr.io/lexfrei/ouroboros`.
    pub repository: String,
    /// The tag that the digest was read from.
    pub tag: String,
    /// The digest.
    pub digest: Digest,
    /// What the digest is the digest of.
    pub media_type: MediaType,
    /// The platforms that an index holds, as `os/architecture`.
    pub platforms: Vec<String>,
    /// When this digest was first seen under this tag.
    pub first_seen: Option<Timestamp>,
    /// Whose signature this digest has, as somebody who checked it wrote down.
    pub signature: Option<String>,
    /// Set when a person holds the pin as it is.
    pub hold: Option<PinHold>,
    /// What was seen in place of the digest, and is not used yet.
    pub candidate: Option<Candidate>,
}

impl Pin {
    /// What the digest is the digest of.
    pub fn kind(&self) -> ArtifactKind {
        self.media_type.kind()
    }
}

/// A digest that is known and not used yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The tag that it was read from.
    pub tag: String,
    /// The digest.
    pub digest: Digest,
    /// What it is the digest of.
    pub media_type: MediaType,
    /// The platforms that an index holds.
    pub platforms: Vec<String>,
    /// When it was first seen under the tag.
    pub first_seen: Timestamp,
}

/// Why a pin is not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinHold {
    /// In a person's words.
    pub reason: String,
    /// When the hold ends.
    pub until: Option<Timestamp>,
}

impl PinHold {
    /// Whether it holds at a time.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The name of a pin that this program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinName {
    /// The chart of the proxy.
    Chart,
    /// The image of the proxy and of its controller.
    Image,
    /// The image that the chart's uninstall hook runs.
    CleanupHook,
}

impl PinName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chart, Self::Image, Self::CleanupHook];

    /// The name as `pins.yaml` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chart => "ouroboros-chart",
            Self::Image => "ouroboros-image",
            Self::CleanupHook => "cleanup-hook-image",
        }
    }

    /// The name of an entry of `pins.yaml`, when the program uses it.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// What the digest must be the digest of.
    pub fn kind(self) -> ArtifactKind {
        match self {
            Self::Chart => ArtifactKind::Chart,
            Self::Image | Self::CleanupHook => ArtifactKind::ImageIndex,
        }
    }
}

/// Who must have signed what a pin leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Whoever has the private key.
    Key {
        /// The public key, PEM.
        pem: String,
        /// Whether the signature must stand in the public transparency log.
        transparency_log: bool,
    },
    /// Whoever an issuer vouches for, by a certificate of the public Sigstore.
    Identity {
        /// The issuer: `https://token.actions.githubusercontent.com`.
        issuer: String,
        /// Who: an address of a mailbox or of a workflow.
        subject: Subject,
    },
}

/// Whom an issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This one.
    Exactly(String),
    /// Every one whose name begins like this; a workflow's name ends with the tag that it ran for.
    StartsWith(String),
}

impl Subject {
    /// Whether somebody is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exactly(subject) => name == subject,
            Self::StartsWith(start) => name.starts_with(start.as_str()),
        }
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { pem, .. } => write!(f, "key {}", Digest::of(pem.trim().as_bytes())),
            Self::Identity { issuer, subject: Subject::Exactly(subject) } => write!(f, "{subject} ({issuer})"),
            Self::Identity { issuer, subject: Subject::StartsWith(start) } => write!(f, "{start}* ({issuer})"),
        }
    }
}

/// All pins of a cluster, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(pub BTreeMap<String, Pin>);

impl Pins {
    /// The pin under one of the names that the program uses.
    pub fn get(&self, name: PinName) -> Option<&Pin> {
        self.0.get(name.as_str())
    }
}
