//! `state.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::{ApiVersion, Metadata};

/// What bobbypin remembers of a cluster from one run to the next. It writes this file itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct State {
    /// The version of the file's format.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) api_version: ApiVersion,
    /// What the file is.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) kind: Kind,
    /// The name of the cluster.
    pub(crate) metadata: Metadata,
    /// The memory.
    pub(crate) spec: Spec,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    State,
}

/// The memory.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    /// One entry for every layer with something to remember.
    pub(crate) layers: Vec<LayerMemory>,
}

/// The memory of one layer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LayerMemory {
    /// The host cluster or a tenant.
    pub(crate) layer: LayerKind,
    /// The namespace of the tenant.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// The name of the tenant.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The identity of the tenant's cluster: the UID of its namespace `kube-system`.
    #[serde(default)]
    pub(crate) uid: Option<String>,
    /// The time of the inventory by which something of the layer began to leave.
    #[serde(default)]
    pub(crate) leaving: Option<String>,
    /// The time of the first inventory that showed the cluster without records which are on their way out.
    #[serde(default)]
    pub(crate) gone: Option<String>,
    /// The time of the first inventory that showed new records in place, while the former ones are still there.
    #[serde(default)]
    pub(crate) replaced: Option<String>,
    /// The file of the repository with the Corefile in which a block of records may stand.
    #[serde(default)]
    pub(crate) corefile: Option<String>,
    /// Hosts whose record is still there although they are gone.
    #[serde(default)]
    pub(crate) tombstones: Option<Vec<Tombstone>>,
    /// Who has a host that several namespaces may claim.
    #[serde(default)]
    pub(crate) owners: Option<Vec<HostOwner>>,
}

/// The host cluster or a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LayerKind {
    Host,
    Tenant,
}

/// A host whose record is still there although it is gone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tombstone {
    /// The host.
    pub(crate) host: String,
    /// The time of the first inventory without it.
    pub(crate) since: String,
}

/// The Ingress that has a host which several namespaces may claim.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HostOwner {
    /// The host.
    pub(crate) host: String,
    /// The namespace of the Ingress.
    pub(crate) namespace: String,
    /// The name of the Ingress.
    pub(crate) name: String,
    /// The UID of the Ingress.
    #[serde(default)]
    pub(crate) uid: Option<String>,
    /// The time of the first inventory in which its namespace did not claim the host any more.
    #[serde(default)]
    pub(crate) gone: Option<String>,
}
