//! What a run must remember for the next one, and cannot read back from the manifests.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{cluster::CorefilePath, hostname::Hostname, layer::Layer, name::Name};

/// The memory of one cluster. It changes only when a decision changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// By layer. A layer with nothing to remember is not here.
    pub layers: BTreeMap<Layer, LayerState>,
}

/// The memory of one layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerState {
    /// The identity of the tenant cluster that the layer was delivered to: the UID of its namespace `kube-system`.
    pub uid: Option<String>,
    /// Hosts whose record is still committed although the last complete inventory lacks them, with the time of the
    /// first inventory that lacked them.
    pub tombstones: BTreeMap<Hostname, Timestamp>,
    /// Who has a host that several namespaces may claim. A host that only one may claim needs no memory: nobody else can
    /// get it.
    pub owners: BTreeMap<Hostname, HostOwner>,
    /// Set while something of the layer is on its way out (a tenant that is no longer seen, or a thing that goes in two
    /// commits): the time of the inventory by which that began.
    pub leaving: Option<Timestamp>,
    /// Set while records are on their way out as a whole: the time of the first inventory that showed the cluster without
    /// them. Each CoreDNS has them in use for some time after that.
    pub gone: Option<Timestamp>,
    /// Set while records of a former form, or the former writer of the records, stay beside the new ones: the time of the
    /// first inventory that showed the new ones in place.
    pub replaced: Option<Timestamp>,
    /// The file of the repository with the Corefile in which a block of ours may stand.
    pub corefile: Option<CorefilePath>,
}

impl LayerState {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        let Self { uid, tombstones, owners, leaving, gone, replaced, corefile } = self;
        let has_time = leaving.is_some() || gone.is_some() || replaced.is_some();
        uid.is_none() && tombstones.is_empty() && owners.is_empty() && !has_time && corefile.is_none()
    }
}

/// The object that a host was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOwner {
    /// The namespace of the Ingress. The host stays with it, whichever of its Ingresses claims it.
    pub namespace: Name,
    /// The name of the Ingress.
    pub name: Name,
    /// Its UID; `None` when the inventory did not say.
    pub uid: Option<String>,
    /// The time of the first inventory in which nothing of the namespace claimed the host any more; `None`: it does.
    pub gone: Option<Timestamp>,
}
