//! `bobbypin.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// OCI registries that differ from the rule.
    #[serde(default)]
    pub(crate) registries: Option<Vec<Registry>>,
}

/// How one OCI registry differs from others. Credentials are in the docker configuration, never here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Registry {
    /// Its host, with its port when one is named in references, as `registry.example.org:5000`.
    pub(crate) host: String,
    /// Whether it speaks HTTP without TLS.
    #[serde(default)]
    pub(crate) plain_http: Option<bool>,
    /// Whether it may have addresses of private and cluster networks.
    #[serde(default)]
    pub(crate) private: Option<bool>,
    /// A file with certificates (PEM) of authorities that are trusted besides those of the system.
    #[serde(default)]
    pub(crate) ca_file: Option<String>,
    /// Other hosts that may hand out its tokens.
    #[serde(default)]
    pub(crate) token_hosts: Option<Vec<String>>,
    /// Whether other hosts may answer for its manifests, to which it sends. They get no credentials.
    #[serde(default)]
    pub(crate) follow_redirects: Option<bool>,
    /// Whether the programs that the docker configuration names may be asked for its credentials.
    #[serde(default)]
    pub(crate) credential_helpers: Option<bool>,
}

/// How changes are published.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Publish {
    /// Where to: the name of a Git remote, a path, or an address (`https://…`, `ssh://…`, `git@host:path`) without a
    /// password. The remote `origin` when it is left out and there is one, else the repository itself.
    #[serde(default)]
    pub(crate) remote: Option<String>,
    /// The branch that Flux reads. `main` when it is left out.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// `commit`: commits go straight to the branch. `pull-request`: they go to a branch of their own, with a pull request.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
    /// The author of the commits.
    #[serde(default)]
    pub(crate) author: Option<Author>,
    /// How commits are signed. They are not when it is left out.
    #[serde(default)]
    pub(crate) signing: Option<Signing>,
    /// Who must have signed the commit that is built upon. Nobody when it is left out.
    #[serde(default)]
    pub(crate) trusted_base: Option<TrustedBase>,
    /// What the pull request looks like. Only with `mode: pull-request`.
    #[serde(default)]
    pub(crate) pull_request: Option<PullRequest>,
    /// Whom to tell about a new commit.
    #[serde(default)]
    pub(crate) notify: Option<Notify>,
    /// The Gitea or Forgejo server that has the repository.
    #[serde(default)]
    pub(crate) gitea: Option<Gitea>,
    /// A reference that keeps runs out of each other's way. Without it they race, and lose nothing by it.
    #[serde(default)]
    pub(crate) lock: Option<Lock>,
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

/// How commits are signed: exactly one of `ssh` and `gpg`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Signing {
    /// By an SSH key.
    #[serde(default)]
    pub(crate) ssh: Option<SshSigning>,
    /// By a key of the user's GnuPG.
    #[serde(default)]
    pub(crate) gpg: Option<GpgSigning>,
}

/// By an SSH key: exactly one of `keyFile` and `agent`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SshSigning {
    /// A file with an OpenSSH private key of kind ed25519, without a passphrase.
    #[serde(default)]
    pub(crate) key_file: Option<String>,
    /// The public key (`ssh-ed25519 AAAA…`) of one that the running SSH agent has.
    #[serde(default)]
    pub(crate) agent: Option<String>,
}

/// By a key of the user's GnuPG.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GpgSigning {
    /// Its id or fingerprint.
    pub(crate) key: String,
}

/// Who must have signed the commit that is built upon: one of these.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TrustedBase {
    /// SSH public keys (`ssh-ed25519 AAAA…`).
    #[serde(default)]
    pub(crate) ssh: Option<Vec<String>>,
    /// Fingerprints of OpenPGP primary keys that the user's GnuPG has.
    #[serde(default)]
    pub(crate) gpg: Option<Vec<String>>,
}

/// What the pull request looks like.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PullRequest {
    /// The branch of the changes. `bobbypin/changes` when it is left out.
    #[serde(default)]
    pub(crate) branch: Option<String>,
    /// Labels. Those that do not exist are made.
    #[serde(default)]
    pub(crate) labels: Option<Vec<String>>,
    /// Who is to look after it.
    #[serde(default)]
    pub(crate) assignees: Option<Vec<String>>,
    /// Who is to review it.
    #[serde(default)]
    pub(crate) reviewers: Option<Vec<String>>,
    /// How the server merges it by itself once every check has succeeded. It does not when it is left out.
    #[serde(default)]
    pub(crate) auto_merge: Option<MergeStyle>,
    /// Whether HelmReleases are to carry the number of the pull request, so that Flux comments on it.
    #[serde(default)]
    pub(crate) stamp: Option<bool>,
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MergeStyle {
    Merge,
    Rebase,
    Squash,
    FastForwardOnly,
}

/// Whom to tell about a new commit.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Notify {
    /// A Flux `Receiver`. Its token is in the environment (`BOBBYPIN_WEBHOOK_TOKEN`).
    pub(crate) receiver: Receiver,
}

/// A Flux `Receiver`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Receiver {
    /// Its `type`. `generic-hmac` when it is left out.
    #[serde(default, rename = "type")]
    pub(crate) form: Option<ReceiverForm>,
    /// Where it listens: `https://flux.example.org/hook/…` with its whole path, or without one when `name` is given.
    pub(crate) url: String,
    /// Its name. Then the path is computed from the token, as Flux does.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Its namespace. `flux-system` when it is left out.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
}

/// The `type` of a Receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReceiverForm {
    GenericHmac,
    Github,
}

/// The Gitea or Forgejo server that has the repository.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Gitea {
    /// The address of its start page. Found out from the remote when it is left out.
    #[serde(default)]
    pub(crate) url: Option<String>,
    /// A file with certificates (PEM) of authorities that are trusted besides those of the system.
    #[serde(default)]
    pub(crate) ca_file: Option<String>,
    /// `git`, or `api`: commits through the API, for servers that do not let Git in. `git` when it is left out.
    #[serde(default)]
    pub(crate) transport: Option<Transport>,
}

/// What commits are published through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    Git,
    Api,
}

/// A reference that keeps runs out of each other's way.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Lock {
    /// Its full name. `refs/bobbypin/lock` when it is left out.
    #[serde(default)]
    pub(crate) reference: Option<String>,
    /// After what time it counts for nothing, as `10m`, which it is when it is left out.
    #[serde(default)]
    pub(crate) expires: Option<String>,
}
