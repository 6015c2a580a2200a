//! `pins.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::{ApiVersion, Metadata};

/// Which bytes the references of a cluster mean.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pins {
    /// The version of the file's format.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) api_version: ApiVersion,
    /// What the file is.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) kind: Kind,
    /// The name of the cluster.
    pub(crate) metadata: Metadata,
    /// The pins.
    pub(crate) spec: Spec,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    Pins,
}

/// The pins.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    /// One entry for every chart or image.
    pub(crate) pins: Vec<Pin>,
}

/// One pinned chart or image.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pin {
    /// What it is for: `ouroboros-chart`, `ouroboros-image`, `cleanup-hook-image`.
    pub(crate) name: String,
    /// The repository, without scheme, tag and digest, as `ghcr.io/lexfrei/ouroboros`.
    pub(crate) reference: String,
    /// The tag that the digest was read from.
    pub(crate) tag: String,
    /// The digest, as `sha256:` and 64 hex digits.
    pub(crate) digest: String,
    /// The media type of what the digest is the digest of; for a chart that of its config,
    /// `application/vnd.cncf.helm.config.v1+json`.
    pub(crate) media_type: String,
    /// The platforms of an image index, as `linux/amd64`.
    #[serde(default)]
    pub(crate) platforms: Option<Vec<String>>,
    /// When the digest was first seen under this tag, as `2026-01-31T12:00:00Z`.
    #[serde(default)]
    pub(crate) first_seen: Option<String>,
    /// What was checked of the digest. Kept for people, and gone when the pin moves.
    #[serde(default)]
    pub(crate) verified: Option<Verified>,
    /// Keeps the pin as it is.
    #[serde(default)]
    pub(crate) hold: Option<Hold>,
    /// What was seen in place of the digest. It is not used before it is as old as `minAge` wants.
    #[serde(default)]
    pub(crate) candidate: Option<Candidate>,
}

/// A digest that is known and not used yet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Candidate {
    /// The tag that the digest was read from.
    pub(crate) tag: String,
    /// The digest, as `sha256:` and 64 hex digits.
    pub(crate) digest: String,
    /// The media type of what the digest is the digest of.
    pub(crate) media_type: String,
    /// The platforms of an image index, as `linux/amd64`.
    #[serde(default)]
    pub(crate) platforms: Option<Vec<String>>,
    /// When the digest was first seen under this tag, as `2026-01-31T12:00:00Z`.
    pub(crate) first_seen: String,
}

/// What was checked of a digest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verified {
    /// Whose signature it has.
    #[serde(default)]
    pub(crate) signature: Option<String>,
}

/// Keeps a pin as it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Hold {
    /// Why, in a person's words.
    pub(crate) reason: String,
    /// When the hold ends, as `2026-01-31T12:00:00Z`. It does not by itself when this is left out.
    #[serde(default)]
    pub(crate) until: Option<String>,
}
