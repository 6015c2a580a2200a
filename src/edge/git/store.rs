//! The objects that a server sent, in a temporary folder.

#![expect(clippy::disallowed_types, reason = "this file writes what a server sent")]

use std::{error::Error, fs, io::Write};

use git2::{Indexer, Odb};
use tempfile::TempDir;

use crate::edge::git::{
    GitError, Repository, git_failed,
    publish::PAGE,
    remote::{RemoteError, Sink},
};

/// The bytes before the objects of a pack: its name, its version and how many there are.
const HEADER: usize = 12;

/// Objects of one repository, which vanish with their value.
pub(super) struct Store {
    pub(super) repository: Repository,
    folder: TempDir,
}

impl Store {
    pub(super) fn new() -> Result<Self, GitError> {
        let failed = |source| GitError::Temporary { source };
        let folder = TempDir::with_prefix("bobbypin-").map_err(failed)?;
        fs::create_dir(folder.path().join("pack")).map_err(failed)?;
        let failed = git_failed(|| "the folder for a server's objects".to_owned());
        let database = Odb::new().map_err(&failed)?;
        database.add_disk_alternate(&folder.path().to_string_lossy()).map_err(&failed)?;
        let inner = git2::Repository::from_odb(database).map_err(&failed)?;
        Ok(Self { repository: Repository { inner }, folder })
    }

    /// Receives one pack.
    pub(super) fn receive(
        &self,
        get: impl FnOnce(&mut Sink<'_>) -> Result<(), RemoteError>,
    ) -> Result<(), RemoteError> {
        let folder = self.folder.path().join("pack");
        let mut header = Vec::with_capacity(HEADER);
        let mut indexer: Option<Indexer<'_>> = None;
        get(&mut |mut bytes| {
            if header.len() < HEADER {
                let missing = (HEADER - header.len()).min(bytes.len());
                header.extend_from_slice(&bytes[..missing]);
                bytes = &bytes[missing..];
                if header.len() == HEADER && !is_empty(&header) {
                    let mut begun = Indexer::new(None, &folder, 0o444, false)?;
                    begun.write_all(&header)?;
                    indexer = Some(begun);
                }
            }
            let Some(indexer) = &mut indexer else { return Ok::<_, Box<dyn Error + Send + Sync>>(()) };
            for page in bytes.chunks(PAGE) {
                indexer.write_all(page)?;
            }
            Ok(())
        })?;
        let failed = |source: git2::Error| RemoteError::Pack { source: source.into() };
        match indexer {
            Some(indexer) => drop(indexer.commit().map_err(failed)?),
            None if header.len() == HEADER => (),
            None => return Err(RemoteError::Pack { source: "there is no pack in the answer".into() }),
        }
        self.repository.inner.odb().and_then(|database| database.refresh()).map_err(failed)
    }

    /// Which of these objects are not there.
    pub(super) fn lacks(&self, ids: impl Iterator<Item = git2::Oid>) -> Result<Vec<String>, GitError> {
        let database = self.repository.inner.odb().map_err(git_failed(|| "what a server sent".to_owned()))?;
        Ok(ids.filter(|id| !database.exists(*id)).map(|id| id.to_string()).collect())
    }
}

/// Whether a pack has no objects; libgit2 takes such a one for damaged.
fn is_empty(header: &[u8]) -> bool {
    header.ends_with(&[0; 4])
}
