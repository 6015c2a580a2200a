//! Which files differ, and which are not ours to change.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::{
    diff::{ChangeSet, objects},
    manifest::{ClusterManifests, MARK, Manifests, Validated},
    model::tree::{Entry, RepoPath, Tree},
};

/// Why the wanted files cannot be written: something that this program did not write is in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Occupied {
    /// Every path in the way, in order.
    pub paths: Vec<OccupiedPath>,
}

/// One wanted file and what is in its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OccupiedPath {
    /// The file that is wanted.
    pub wanted: RepoPath,
    /// Where something is in the way: there, above it or below it.
    pub at: RepoPath,
    /// What is in the way.
    pub by: Occupant,
}

/// What is in the way of a wanted file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occupant {
    /// A file without the mark of this program.
    File,
    /// A symbolic link.
    Symlink,
    /// Another repository.
    Submodule,
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write files where something stands that this program did not write")?;
        for OccupiedPath { wanted, at, by } in &self.paths {
            let what = match by {
                Occupant::File => "a file without the mark of this program",
                Occupant::Symlink => "a symbolic link",
                Occupant::Submodule => "a submodule",
            };
            let at = at.as_str().escape_debug();
            if wanted.as_str() == at.to_string() {
                write!(f, "\n  `{at}`: {what}")?;
            } else {
                write!(f, "\n  `{}`: {what} stands at `{at}`", wanted.as_str().escape_debug())?;
            }
        }
        Ok(())
    }
}

/// Compares the committed files with the wanted ones.
///
/// A file in a decided folder, or a decided file, that is not wanted is deleted when it carries the mark of this
/// program, and is foreign otherwise: it stays and is named in [`ChangeSet::foreign`]. Everything else, the folder of a
/// held layer above all, is not looked at.
///
/// # Errors
///
/// [`Occupied`] with every wanted path at which, above which or below which something foreign stands. Nothing may be
/// written then.
pub fn diff(tree: &Tree, manifests: &Manifests<Validated>) -> Result<ChangeSet, Occupied> {
    compare(tree, manifests.clusters())
}

/// One file of a cluster that differs.
pub(crate) struct Differing {
    pub(crate) path: RepoPath,
    pub(crate) old: Option<Arc<[u8]>>,
    pub(crate) new: Option<Arc<[u8]>>,
}

/// [`diff`] for manifests that nobody validated.
pub(crate) fn compare(tree: &Tree, clusters: &[ClusterManifests]) -> Result<ChangeSet, Occupied> {
    let mut change_set = ChangeSet { base: tree.base.clone(), ..ChangeSet::default() };
    let mut occupied = Vec::new();
    for cluster in clusters {
        let mut differing = Vec::new();
        let mut deleted = BTreeSet::new();
        for (path, entry) in unwanted(tree, cluster) {
            match entry {
                Entry::File(bytes) if is_marked(bytes) => {
                    deleted.insert(path);
                    differing.push(Differing { path: path.clone(), old: Some(Arc::clone(bytes)), new: None });
                }
                Entry::File(_) | Entry::Symlink | Entry::Submodule => change_set.foreign.push(path.clone()),
            }
        }
        for (path, file) in &cluster.files {
            let new = || Some(Arc::from(file.text.as_bytes()));
            match tree.entries.get(path) {
                Some(Entry::File(bytes)) if **bytes == *file.text.as_bytes() => {}
                Some(Entry::File(bytes)) if is_marked(bytes) || cluster.edited_files.contains(path) => {
                    differing.push(Differing { path: path.clone(), old: Some(Arc::clone(bytes)), new: new() });
                }
                Some(entry) => occupied.push(in_the_way(path, path, entry)),
                None => {
                    let others = around(tree, path).filter(|(at, _)| !deleted.contains(at));
                    occupied.extend(others.map(|(at, entry)| in_the_way(path, at, entry)));
                    differing.push(Differing { path: path.clone(), old: None, new: new() });
                }
            }
        }
        differing.sort_by(|a, b| a.path.cmp(&b.path));
        if occupied.is_empty() {
            let (files, layers) = objects::describe(tree, cluster, differing);
            change_set.files.extend(files);
            change_set.layers.extend(layers);
        }
    }
    if !occupied.is_empty() {
        occupied.sort();
        return Err(Occupied { paths: occupied });
    }
    change_set.files.sort_by(|a, b| a.path.cmp(&b.path));
    change_set.foreign.sort();
    change_set.foreign.dedup();
    Ok(change_set)
}

/// What stands in the decided places of a cluster and is not wanted, each once.
fn unwanted<'a>(tree: &'a Tree, cluster: &'a ClusterManifests) -> impl Iterator<Item = (&'a RepoPath, &'a Entry)> {
    let mut found = std::collections::BTreeMap::new();
    for folder in &cluster.decided_folders {
        found.extend(tree.below(folder.as_str()));
        found.extend(tree.entries.get_key_value(folder));
    }
    found.extend(cluster.decided_files.iter().filter_map(|path| tree.entries.get_key_value(path)));
    found.into_iter().filter(|(path, _)| !cluster.files.contains_key(*path))
}

/// What stands above or below a path at which nothing stands: a file cannot be written there while it does.
fn around<'a>(tree: &'a Tree, path: &'a RepoPath) -> impl Iterator<Item = (&'a RepoPath, &'a Entry)> {
    let text = path.as_str();
    let above = text.match_indices('/').filter_map(|(at, _)| tree.entries.get_key_value(&text[..at]));
    above.chain(tree.below(text))
}

fn in_the_way(wanted: &RepoPath, at: &RepoPath, entry: &Entry) -> OccupiedPath {
    let by = match entry {
        Entry::File(_) => Occupant::File,
        Entry::Symlink => Occupant::Symlink,
        Entry::Submodule => Occupant::Submodule,
    };
    OccupiedPath { wanted: wanted.clone(), at: at.clone(), by }
}

/// Whether this program wrote a file: its first line says so. Git may have given the line another ending.
fn is_marked(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(MARK.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
}
