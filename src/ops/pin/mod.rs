//! The pins of clusters: made, checked, shown, and kept from those who clean registries. One verb per file.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    config::problem::Problem,
    edge::{files::FileError, git::GitError, registry::RegistryError},
    model::{
        name::Name,
        oci::{Reference, Repository},
        tree::{Entry, RepoPath, Tree},
    },
    ops::{
        load::{self, Cluster, LoadError, Seen},
        selection::Selection,
    },
    pins::{
        mirror::at_mirror,
        references::{File, Found, Scan, Usage, scan},
    },
};

pub mod export;
pub mod list;
pub mod mirror;
pub mod reap_check;
pub mod signature;
pub mod update;
pub mod verify;
pub mod write_values;

/// Why nothing could be said about pins, or written.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The configuration cannot be read.
    #[error("cannot read the configuration")]
    Load(#[from] LoadError),
    /// Registries cannot be asked at all.
    #[error("cannot ask registries")]
    Registry(#[from] RegistryError),
    /// The former pins cannot be read.
    #[error("cannot read how {path} was changed before")]
    History {
        /// The file.
        path: RepoPath,
        /// Why.
        source: GitError,
    },
    /// A file could not be written. Those before it were.
    #[error("cannot write the pins")]
    File(#[from] FileError),
    /// Somebody else wrote to it while registries were asked.
    #[error("{0} was changed while the registries were asked; nothing was written")]
    Overtaken(RepoPath),
    /// There are no files.
    #[error("a bare repository has no files to change")]
    Bare,
}

/// The selected clusters of a tree. Nothing of their inventories is asked.
fn clusters(tree: &Tree, selected: &Selection, now: Timestamp) -> Result<Vec<Cluster>, LoadError> {
    load::clusters(tree, selected, Seen::Inventories(&[]), now)
}

/// The repositories of some references, by what people wrote; what no registry can have has no repository.
fn repositories<'a>(written: impl Iterator<Item = &'a str>) -> BTreeMap<String, Repository> {
    let parse = |text: &str| Some((text.to_owned(), Reference::parse(text).ok()?.repository));
    written.filter_map(parse).collect()
}

/// What the YAML files of a tree name. Those of clusters that are not asked for are left out. What a cluster pins it is to pull
/// from its mirrors, so it is named there too, before any manifest does.
fn references(tree: &Tree, selection: &Selection) -> Result<Scan, LoadError> {
    let known = load::names(tree);
    let unknown: Vec<_> =
        selection.names.iter().filter(|name| !known.contains(name)).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        return Err(LoadError::UnknownCluster { unknown, known: known.iter().map(ToString::to_string).collect() });
    }
    let mut scan = files(tree, selection).and_then(|files| scan(&files)).map_err(LoadError::Problems)?;
    let mirrors = load::mirrors(tree, selection)?;
    let tables: BTreeMap<_, _> = mirrors.iter().map(|(folder, table)| (folder.join("pins.yaml"), table)).collect();
    let at_mirrors = scan.found.iter().filter(|found| matches!(found.usage, Usage::Pinned | Usage::Candidate));
    let at_mirrors = at_mirrors.filter_map(|found| {
        let reference = at_mirror(&found.reference, tables.get(found.place.path.as_str())?)?;
        Some(Found { reference, ..found.clone() })
    });
    let at_mirrors: Vec<_> = at_mirrors.collect();
    scan.found.extend(at_mirrors);
    scan.found.sort();
    Ok(scan)
}

/// The YAML files of a tree, as text.
fn files<'t>(tree: &'t Tree, selection: &Selection) -> Result<Vec<File<'t>>, Vec<Problem>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for (path, entry) in &tree.entries {
        let path = path.as_str();
        let Entry::File(bytes) = entry else { continue };
        if !path.ends_with(".yaml") && !path.ends_with(".yml") || !is_asked_for(path, selection) {
            continue;
        }
        match str::from_utf8(bytes) {
            Ok(text) => files.push(File { path, text }),
            Err(_) => problems.push(not_text(path)),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// Whether a file belongs to one of the clusters, or to no cluster.
fn is_asked_for(path: &str, selection: &Selection) -> bool {
    let below = path.strip_prefix("clusters/").and_then(|rest| rest.split_once('/'));
    below.and_then(|(name, _)| Name::parse(name).ok()).is_none_or(|name| selection.takes(&name))
}

fn not_text(path: &str) -> Problem {
    whole_file(path, "", "the file is not UTF-8 text")
}

fn whole_file(path: &str, key: &str, message: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        line: 0,
        column: 0,
        key: key.to_owned(),
        message: message.to_owned(),
        hint: None,
        excerpt: String::new(),
    }
}
