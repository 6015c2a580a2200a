//! Charts that were read a while ago, so that a run soon after another one asks for nothing while a version waits. What is
//! taken from here is hashed again, and belongs to the repository that it was read from.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
    time::Duration,
};

use tempfile::NamedTempFile;

use crate::{
    edge::registry::TagCache,
    model::{digest::Digest, oci::Repository},
};

/// The most bytes that are kept of one thing.
const MAX_BYTES: u64 = 16 << 20;

/// The folder, beside the answers about tags. It lives as long as they do.
#[derive(Debug)]
pub(super) struct ContentKept {
    folder: PathBuf,
    lives: Duration,
}

impl ContentKept {
    pub(super) fn new(cache: &TagCache) -> Self {
        Self { folder: cache.folder.join("content"), lives: Duration::from_secs(cache.lives_seconds.into()) }
    }

    /// What a digest led to a short time ago.
    pub(super) fn get(&self, repository: &Repository, digest: &Digest) -> Option<Vec<u8>> {
        let file = fs::File::open(self.place(repository, digest)).ok()?;
        let age = file.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        (age < self.lives && Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Keeps it, and lets go what is too old. What cannot be written is asked for again next time.
    pub(super) fn put(&self, repository: &Repository, digest: &Digest, bytes: &[u8]) {
        let written = fs::create_dir_all(&self.folder).and_then(|()| {
            self.remove_old()?;
            let mut temporary = NamedTempFile::new_in(&self.folder)?;
            temporary.write_all(bytes)?;
            temporary.persist(self.place(repository, digest))?;
            Ok(())
        });
        if let Err(error) = written {
            tracing::debug!(%repository, %digest, %error, "a chart cannot be kept");
        }
    }

    fn remove_old(&self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age >= self.lives {
                // Another run may have been faster.
                fs::remove_file(entry.path()).ok();
            }
        }
        Ok(())
    }

    fn place(&self, repository: &Repository, digest: &Digest) -> PathBuf {
        self.folder.join(Digest::of(format!("{repository}@{digest}").as_bytes()).as_str().replace(':', "-"))
    }
}
