//! What a commit would change: the committed files against the wanted ones, by file and by object.
//!
//! [`diff`] compares, [`mod@print`] says it. Files are compared byte for byte; only files that differ are parsed, to say
//! which objects change and where. Values that are secret never enter a [`ChangeSet`] except as the bytes of
//! [`FileChange::old`] and [`FileChange::new`], which are for Git and for [`print::patch`].
//!
//! That a committed file was edited by hand cannot be told from its bytes: it looks the same as a file that an older
//! input or template made. Only the history of the path shows it, and that is read elsewhere.

mod compare;
mod documents;
mod fields;
mod lines;
mod objects;
mod pins;
pub mod print;
mod secrets;
mod summary;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use serde_json::Value;

pub use crate::diff::{
    compare::{Occupant, Occupied, OccupiedPath, diff},
    pins::PinMove,
    summary::{Counts, FileCounts, Hosts, Summary, commit_body, commit_subject, fingerprint, summary},
};
use crate::model::{
    layer::Layer,
    name::Name,
    object::ObjectId,
    tree::{CommitId, RepoPath},
};

/// Everything that differs between a tree and the wanted manifests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeSet {
    /// The commit that was compared with.
    pub base: Option<CommitId>,
    /// By file, in order of path.
    pub files: Vec<FileChange>,
    /// By cluster, in the order of the manifests; then files of the whole cluster, the host, the tenants by name.
    pub layers: Vec<LayerChanges>,
    /// Entries in decided folders that this program did not write: they stay as they are. In order of path.
    pub foreign: Vec<RepoPath>,
}

impl ChangeSet {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// One file that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChange {
    /// Where.
    pub path: RepoPath,
    /// The cluster that it belongs to.
    pub cluster: Name,
    /// The layer that it belongs to; `None` for files of the whole cluster.
    pub layer: Option<Layer>,
    /// What is there; `None` when the file is new.
    pub old: Option<Arc<[u8]>>,
    /// What is wanted; `None` when the file goes.
    pub new: Option<Arc<[u8]>>,
    /// How to show what differs.
    pub view: FileView,
    /// Whether a `Secret` stands in the old bytes, so that nobody prints them.
    pub holds_secret: bool,
}

impl FileChange {
    /// The change of a file that holds no manifest, such as the settings of a cluster.
    pub fn plain(path: RepoPath, cluster: Name, old: Option<Arc<[u8]>>, new: Option<Arc<[u8]>>) -> Self {
        Self { path, cluster, layer: None, old, new, view: FileView::Layout, holds_secret: false }
    }
}

/// How a file that differs is shown to people.
#[derive(Clone, Debug, PartialEq)]
pub enum FileView {
    /// Its objects say all of it.
    Objects,
    /// It holds documents that no cluster gets as objects, such as kustomize's own file; these differ inside.
    Fields(Vec<FieldChange>),
    /// What is committed does not parse: the lines that differ.
    Text(Vec<Hunk>),
    /// What is committed does not parse, and a `Secret` may be in it.
    Withheld,
    /// Only comments, order or layout differ.
    Layout,
}

/// The objects of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerChanges {
    /// The cluster.
    pub cluster: Name,
    /// The layer; `None` for files of the whole cluster.
    pub layer: Option<Layer>,
    /// Every object of the layer, the unchanged ones too, in order of path.
    pub objects: Vec<ObjectChange>,
}

/// What happens to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChange {
    /// Which.
    pub object: ObjectId,
    /// The cluster that gets it.
    pub target: Target,
    /// The file that declares it, or did.
    pub path: RepoPath,
    /// The file that declared it before, when that is another one.
    pub moved_from: Option<RepoPath>,
    /// What happens.
    pub verb: Verb,
    /// What differs inside, for `Configured`. Empty when the committed file does not parse.
    pub fields: Vec<FieldChange>,
    /// For `Deleted`: why Flux leaves it in the cluster all the same, if it does.
    pub orphaned: Option<&'static str>,
    /// What happens to the DNS records that it holds.
    pub hosts: HostChanges,
}

/// The cluster that gets an object: the same name in both is two objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// The host cluster.
    Host,
    /// The tenant cluster of the layer.
    Tenant,
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

impl Verb {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        }
    }
}

/// The hosts whose records an object gains, loses or changes: lines `rewrite name <host> <target>` below a key that ends in
/// `.override`, and lines `<address> <host>` below one that ends in `.hosts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostChanges {
    /// Hosts without a record before.
    pub added: BTreeSet<String>,
    /// Hosts without a record after.
    pub removed: BTreeSet<String>,
    /// Hosts whose record now answers something else.
    pub changed: BTreeSet<String>,
}

/// One place that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where, as `spec.values.image.tag` or `spec.dependsOn[name=proxy].namespace`. Not escaped.
    pub path: String,
    /// What happens there. Secret values are masked.
    pub change: Change,
}

/// What happens at one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Something is new there.
    Added(Value),
    /// Something is no longer there.
    Removed(Value),
    /// Another value.
    Changed {
        /// What is there.
        old: Value,
        /// What is wanted.
        new: Value,
    },
    /// A text of several lines: those that differ, with some around them.
    Lines(Vec<Hunk>),
    /// Entries of a list of texts or numbers come and go.
    Entries {
        /// Those that are there.
        removed: Vec<Value>,
        /// Those that are wanted.
        added: Vec<Value>,
    },
    /// The same entries of a list in another order.
    Reordered {
        /// The order that is there.
        old: Value,
        /// The order that is wanted.
        new: Value,
    },
}

/// Lines that differ, with some around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// The number of the first line in the old text, from 1.
    pub old_start: usize,
    /// The number of the first line in the new text, from 1.
    pub new_start: usize,
    /// The lines.
    pub lines: Vec<HunkLine>,
}

/// One line of a [`Hunk`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HunkLine {
    /// Which text has it.
    pub side: Side,
    /// The line, without its line feed. Not escaped.
    pub text: String,
    /// Whether it ends the text without a line feed.
    #[serde(rename = "noNewline", skip_serializing_if = "std::ops::Not::not")]
    pub no_newline: bool,
}

/// Which of two texts has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Both.
    Both,
    /// Only the old one.
    Old,
    /// Only the new one.
    New,
}
