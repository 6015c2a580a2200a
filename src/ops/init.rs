//! The files of a new cluster, with comments that say what to fill in.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    config,
    edge::files::{self, FileError},
    model::{
        name::Name,
        tree::{RepoPath, Tree},
    },
    render::{Templates, engine::TemplateError},
};

/// The kind of platform to write settings for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformKind {
    /// cozystack.
    Cozystack,
    /// Any cluster with Flux and an ingress controller.
    Generic,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Some of the files are there already.
    #[error("these files exist already: {}", .0.join(", "))]
    Exists(Vec<String>),
    /// The first list of manifests could not be rendered.
    #[error("cannot render the first manifests")]
    Template(#[from] TemplateError),
    /// A file could not be written. Those before it were.
    #[error("cannot write the files")]
    File(#[from] FileError),
}

impl InitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(_) => Some("choose another name, or move them away".to_owned()),
            Self::Template(_) | Self::File(_) => None,
        }
    }
}

/// The files of a new cluster, by path.
///
/// The folder is `clusters/<name>`, or `clusters/<name>/bobbypin` when something else lives in the first one already.
/// `branch` is the branch that is checked out; `bobbypin.yaml` is written only where there is none.
pub fn files(
    tree: &Tree,
    name: &Name,
    kind: PlatformKind,
    branch: &str,
) -> Result<BTreeMap<RepoPath, String>, InitError> {
    let folder = RepoPath::parse(&format!("clusters/{name}")).expect("a name is a lawful part of a path");
    let is_there = tree.entries.contains_key(folder.join("cluster.yaml").as_str());
    let is_shared = !is_there && tree.below(folder.as_str()).next().is_some();
    let folder = if is_shared { folder.join("bobbypin") } else { folder };
    let fill = |template: &str| template.replace("NAME", name.as_str()).replace("BRANCH", branch);
    let mut files = BTreeMap::new();
    let settings = match kind {
        PlatformKind::Cozystack => include_str!("init/cozystack.yaml"),
        PlatformKind::Generic => include_str!("init/generic.yaml"),
    };
    files.insert(folder.join("cluster.yaml"), fill(settings));
    files.insert(folder.join("cluster.schema.json"), config::schema("cluster").expect("a kind that has a schema"));
    if kind == PlatformKind::Cozystack {
        files.insert(folder.join("platform.yaml"), fill(include_str!("init/platform.yaml")));
    }
    files.insert(folder.join("pins.yaml"), fill(include_str!("init/pins.yaml")));
    files.insert(folder.join("kustomization.yaml"), include_str!("init/kustomization.yaml").to_owned());
    files.insert(folder.join("manifests/kustomization.yaml"), Templates::new(&BTreeMap::new())?.empty_list()?);
    let repository = RepoPath::parse("bobbypin.yaml").expect("a literal that parses");
    if tree.file(repository.as_str()).is_none() {
        files.insert(repository, fill(include_str!("init/bobbypin.yaml")));
    }
    let taken: Vec<_> = files.keys().filter(|path| tree.entries.contains_key(*path)).map(ToString::to_string).collect();
    if taken.is_empty() { Ok(files) } else { Err(InitError::Exists(taken)) }
}

/// Writes the files; none of them may be there.
pub fn write(root: &std::path::Path, files: &BTreeMap<RepoPath, String>) -> Result<(), InitError> {
    let path = |path: &RepoPath| -> PathBuf { root.join(path.as_str()) };
    for (file, text) in files {
        files::create(&path(file), text.as_bytes())?;
    }
    Ok(())
}
