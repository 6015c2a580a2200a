//! The files of a repository exactly as they are written: every key, no meaning.
//!
//! The doc comments of the fields become the descriptions of the JSON Schemas, which editors show; they speak to the
//! author of a file. What a file means is checked where these types are converted.

pub(crate) mod cluster;
pub(crate) mod pins;
pub(crate) mod repository;
pub(crate) mod state;

use schemars::JsonSchema;
use serde::Deserialize;

/// The version of the file's format.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum ApiVersion {
    #[serde(rename = "bobbypin.dev/v1alpha1")]
    V1Alpha1,
}

/// What every file says about itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// The name of the cluster. It equals the name of the folder.
    pub(crate) name: String,
}
