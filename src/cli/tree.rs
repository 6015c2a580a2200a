//! Which files a command reads.

use std::path::PathBuf;

use crate::{
    cli::{Run, error::Failure},
    edge::git::{Location, Repository, Target, Wanted, resolve_target, target_address},
    model::{
        repository::{RepositoryConfig, Transport},
        tree::{Entry, RepoPath, Tree},
    },
    ops::{decide::Request, load},
};

/// The repository of a work tree, with what its files say.
pub(super) struct Checkout {
    pub(super) repository: Repository,
    pub(super) tree: Tree,
    pub(super) settings: RepositoryConfig,
}

impl Run<'_> {
    /// The folder that the command is about.
    pub(super) fn folder(&self) -> PathBuf {
        self.global.repository.as_ref().map_or_else(|| self.here.clone(), |path| self.here.join(path))
    }

    /// The files of the work tree, as they are on disk.
    pub(super) fn checkout(&self) -> Result<Checkout, Failure> {
        let repository = Repository::discover(&self.folder())?;
        let tree = load::read(|wanted| repository.read_work_tree(wanted), |tree| tree)?;
        let settings = load::repository(&tree)?;
        Ok(Checkout { repository, tree, settings })
    }

    /// Some files of the work tree, the program's own settings among them.
    pub(super) fn checkout_of(&self, wanted: &Wanted) -> Result<Checkout, Failure> {
        let repository = Repository::discover(&self.folder())?;
        let tree = repository.read_work_tree(wanted)?;
        let settings = load::repository(&tree)?;
        Ok(Checkout { repository, tree, settings })
    }
}

impl Checkout {
    /// Where this repository is published to.
    pub(super) fn target(&self, run: &Run<'_>) -> Result<Target, Failure> {
        let location = resolve_target(&self.repository, &self.settings)?;
        let access = run.access(Some((&self.settings, self.repository.root())))?;
        let gitea = &self.settings.gitea;
        Ok(match gitea.transport {
            Transport::Git => Target::open(location, &access)?,
            Transport::Api => Target::open_api(&location, &access, gitea.url.as_deref())?,
        })
    }

    /// A question about this repository; the server that it is published to is told of.
    pub(super) fn asked(&self, request: Request) -> Result<Request, Failure> {
        let place = target_address(&self.repository, &self.settings)?;
        // What is no place is told by those who go there.
        let place = place.and_then(|place| Location::parse(&place, self.repository.root()).ok());
        Ok(Request { git_server: place.and_then(|place| place.server_name()), ..request })
    }

    /// The inputs of the work tree with the generated files of another tree.
    pub(super) fn inputs_over(mut self, committed: Tree) -> Tree {
        self.tree.entries.retain(|path, _| !is_generated(path));
        let generated = committed.entries.into_iter().filter(|(path, _)| is_generated(path));
        self.tree.entries.extend(generated);
        Tree { base: committed.base, entries: self.tree.entries }
    }
}

/// Whether a path is one of those that this program writes.
fn is_generated(path: &RepoPath) -> bool {
    let mut parts = path.as_str().split('/');
    if parts.next() != Some("clusters") || parts.next().is_none() {
        return false;
    }
    let rest: Vec<_> = parts.collect();
    let rest = rest.strip_prefix(&["bobbypin"]).unwrap_or(&rest);
    matches!(rest, ["state.yaml"] | ["manifests", _, ..])
}

/// The inputs in which two trees differ.
pub(super) fn differing_inputs<'a>(a: &'a Tree, b: &'a Tree) -> Vec<&'a RepoPath> {
    let inputs = |tree: &'a Tree| tree.entries.iter().filter(|(path, _)| is_input(path));
    let differs =
        |other: &'a Tree| move |(path, entry): &(&'a RepoPath, &'a Entry)| other.entries.get(*path) != Some(*entry);
    let mut found: Vec<_> =
        inputs(a).filter(differs(b)).chain(inputs(b).filter(differs(a))).map(|(path, _)| path).collect();
    found.sort();
    found.dedup();
    found
}

fn is_input(path: &RepoPath) -> bool {
    path.as_str() == "bobbypin.yaml" || (path.below("clusters").is_some() && !is_generated(path))
}
