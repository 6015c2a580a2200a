//! Which bytes an OCI reference means.

use std::collections::BTreeMap;

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
    pub kind: ArtifactKind,
    /// The platforms that an index holds, as `os/architecture`.
    pub platforms: Vec<String>,
    /// When this digest was first seen under this tag.
    pub first_seen: Option<Timestamp>,
    /// Set when a person holds the pin as it is.
    pub hold: Option<PinHold>,
}

/// Why a pin is not moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinHold {
    /// In a person's words.
    pub reason: String,
    /// When the hold ends.
    pub until: Option<Timestamp>,
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
