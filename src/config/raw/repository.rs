//! `bobbypin.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::config::raw::{ApiVersion, Metadata};

/// The settings of the whole repository.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Repository {
    /// The version of the file's format.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) api_version: ApiVersion,
    /// What the file is.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) kind: Kind,
    /// A name for the repository. Nothing depends on it.
    #[serde(default)]
    pub(crate) metadata: Option<Metadata>,
    /// The settings.
    #[serde(default)]
    pub(crate) spec: Option<Spec>,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    Repository,
}

/// The settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    /// How changes are published.
    #[serde(default)]
    pub(crate) publish: Option<Publish>,
}

/// How changes are published.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Publish {
    /// Where to: the name of a Git remote, a path, or a `file://` URL. The remote `origin` when it is left out and there
    /// is one, else the repository itself.
    #[serde(default)]
    pub(crate) remote: Option<String>,
    /// The branch that Flux reads. `main` when it is left out.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// `commit`: commits go straight to the branch. `pull-request` is not available in this version.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// The author of the commits.
    #[serde(default)]
    pub(crate) author: Option<Author>,
    /// Not available in this version.
    #[serde(default)]
    pub(crate) signing: Option<Value>,
    /// Not available in this version.
    #[serde(default)]
    pub(crate) pull_request: Option<Value>,
    /// Not available in this version.
    #[serde(default)]
    pub(crate) notify: Option<Value>,
    /// Not available in this version.
    #[serde(default)]
    pub(crate) gitea: Option<Value>,
}

/// The way in which changes reach the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Commit,
    PullRequest,
}

/// The author of the commits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Author {
    /// The name, as `bobbypin`.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The address, as `bobbypin@example.org`.
    #[serde(default)]
    pub(crate) email: Option<String>,
}
