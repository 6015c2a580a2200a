//! What a run must remember for the next one, and cannot read back from the manifests.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{hostname::Hostname, layer::Layer};

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
    /// Set while something of the layer is on its way out (a tenant that is no longer seen, or a thing that goes in two
    /// commits): the time of the inventory by which that began.
    pub leaving: Option<Timestamp>,
}

impl LayerState {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.uid.is_none() && self.tombstones.is_empty() && self.leaving.is_none()
    }
}
