//! What tags led to a while ago, so that a run soon after another one asks for nothing. Only ever a shortcut: what is
//! broken, unknown or of the future is as good as nothing, and nothing in it is used without being hashed again.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::model::{digest::Digest, oci::Repository};

/// The largest file that is read.
const MAX_BYTES: u64 = 64 << 20;

/// The form of the files.
const VERSION: u32 = 1;

/// Where answers about tags are kept from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCache {
    /// A folder, which is made when it is not there.
    pub folder: PathBuf,
    /// For how many seconds an answer is taken for true.
    pub lives_seconds: u32,
}

/// The answers of all registries that were needed so far.
#[derive(Debug)]
pub(super) struct TagsKept {
    cache: TagCache,
    files: Mutex<BTreeMap<String, Kept>>,
}

/// What is kept of one registry.
#[derive(Debug, Default)]
struct Kept {
    /// By `path:tag`.
    tags: BTreeMap<String, Seen>,
    is_changed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    digest: String,
    /// In seconds since 1970.
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    tags: BTreeMap<String, Seen>,
}

impl TagsKept {
    pub(super) fn new(cache: TagCache) -> Self {
        Self { cache, files: Mutex::default() }
    }

    /// What a tag led to, if that was seen a short time ago.
    pub(super) fn get(&self, repository: &Repository, tag: &str) -> Option<Digest> {
        self.with(repository, |kept| {
            let seen = kept.tags.get(&key(repository, tag))?;
            let age = u64::try_from(Timestamp::now().as_second() - seen.at).ok()?;
            if age < self.cache.lives_seconds.into() { Digest::parse(&seen.digest).ok() } else { None }
        })
    }

    /// Keeps what a tag leads to now.
    pub(super) fn put(&self, repository: &Repository, tag: &str, digest: &Digest) {
        let seen = Seen { digest: digest.to_string(), at: Timestamp::now().as_second() };
        self.with(repository, |kept| {
            kept.tags.insert(key(repository, tag), seen);
            kept.is_changed = true;
        });
    }

    /// Writes what is new. What cannot be written is asked for again next time.
    pub(super) fn write(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = Timestamp::now().as_second() - i64::from(self.cache.lives_seconds);
        for (registry, kept) in files.iter_mut().filter(|(_, kept)| kept.is_changed) {
            kept.tags.retain(|_, seen| seen.at > oldest);
            let file = File { version: VERSION, tags: kept.tags.clone() };
            let written = write(&self.cache.folder, &file_name(registry), &file);
            if let Err(error) = written {
                tracing::debug!(%registry, %error, "the answers about tags cannot be kept");
            }
            kept.is_changed = false;
        }
    }

    fn with<T>(&self, repository: &Repository, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let registry = repository.registry().to_ascii_lowercase();
        let kept = files.entry(registry).or_insert_with_key(|registry| Kept {
            tags: read(&self.cache.folder.join(file_name(registry))).unwrap_or_default(),
            is_changed: false,
        });
        use_it(kept)
    }
}

fn key(repository: &Repository, tag: &str) -> String {
    format!("{}:{tag}", repository.path())
}

/// Registries have no other characters than these and colons and brackets.
fn file_name(registry: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    format!("{}.json", registry.replace(|c| !is_plain(c), "_"))
}

/// The file of a registry; `None` for one that is not there or is broken.
fn read(path: &Path) -> Option<BTreeMap<String, Seen>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    let file: File = serde_json::from_slice(&bytes).ok()?;
    (file.version == VERSION).then_some(file.tags)
}

fn write(folder: &Path, name: &str, file: &File) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut temporary = NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut temporary, file)?;
    temporary.flush()?;
    temporary.persist(folder.join(name))?;
    Ok(())
}
