//! What a commit would change.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::model::{
    layer::Layer,
    name::Name,
    object::ObjectId,
    tree::{CommitId, RepoPath},
};

/// Everything that differs between a tree and the wanted manifests.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeSet {
    /// The commit that was compared with.
    pub base: Option<CommitId>,
    /// By file, in order of path.
    pub files: Vec<FileChange>,
    /// By cluster, then layer, in the order of the manifests.
    pub layers: Vec<LayerChanges>,
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Where.
    pub path: RepoPath,
    /// What is there; `None` when the file is new.
    pub old: Option<Arc<[u8]>>,
    /// What is wanted; `None` when the file goes.
    pub new: Option<Arc<[u8]>>,
}

/// The objects of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerChanges {
    /// The cluster.
    pub cluster: Name,
    /// The layer; `None` for files of the whole cluster.
    pub layer: Option<Layer>,
    /// Every object of the layer, the unchanged ones too.
    pub objects: Vec<ObjectChange>,
}

/// What happens to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChange {
    /// Which.
    pub object: ObjectId,
    /// The file that declares it.
    pub path: RepoPath,
    /// What happens.
    pub verb: Verb,
    /// What differs inside, for `Configured`.
    pub fields: Vec<FieldChange>,
}

/// Flux' words for what happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It is new.
    Created,
    /// It changes.
    Configured,
    /// It stays as it is.
    Unchanged,
    /// It is no longer declared.
    Deleted,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where, as `spec.values.image.tag` or `spec.dependsOn[1].name`.
    pub path: String,
    /// What is there.
    pub old: Option<Value>,
    /// What is wanted.
    pub new: Option<Value>,
}
