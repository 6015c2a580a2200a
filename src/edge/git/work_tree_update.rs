//! Bringing single files of a work tree and its index up to date with a commit, without losing anybody's work.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "this file writes to the work tree")]

use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use git2::{Index, IndexEntry, IndexTime, Oid, Status};
use tracing::warn;

use crate::{
    diff::FileChange,
    edge::git::{
        GitError, PublishError, git_failed,
        prepare::{blob_id, removed},
        publish::write_failed,
        read_failed,
    },
    model::tree::RepoPath,
};

/// The changed files of a work tree whose index is locked: no other Git works on it until this is dropped.
pub(super) struct WorkTreeUpdate<'a> {
    root: PathBuf,
    index: PathBuf,
    _lock: Lock,
    files: Vec<Standing<'a>>,
}

/// A change, and what stood on disk when it was found to be safe.
struct Standing<'a> {
    change: &'a FileChange,
    seen: Option<Vec<u8>>,
}

/// What stands at the path of a change.
enum OnDisk {
    /// Nothing, or what the same commit removes.
    Nothing,
    /// A file with these bytes.
    File(Vec<u8>),
    /// Something that nobody expects there.
    Other,
}

/// A lock file in the way of Git. It goes with the value.
struct Lock(PathBuf);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            warn!(%error, path = %self.0.display(), "a lock file was left behind");
        }
    }
}

impl<'a> WorkTreeUpdate<'a> {
    /// Fails when a file that is to be changed has changes of its own, on disk or in the index.
    ///
    /// A file that already has the wanted content is no obstacle.
    pub(super) fn expect_clean(repository: &git2::Repository, files: &[FileChange]) -> Result<(), PublishError> {
        look(repository, files).map(drop)
    }

    /// Locks the index, then does as [`WorkTreeUpdate::expect_clean`].
    pub(super) fn lock(repository: &git2::Repository, files: &'a [FileChange]) -> Result<Self, PublishError> {
        let index = repository.path().join("index");
        let path = repository.path().join("index.lock");
        let lock = match File::options().write(true).create_new(true).open(&path) {
            Ok(_) => Lock(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(PublishError::Locked { path }),
            Err(error) => return Err(write_failed("the index of the work tree", error)),
        };
        let files = look(repository, files)?;
        let root = repository.workdir().unwrap_or(repository.path()).to_owned();
        Ok(Self { root, index, _lock: lock, files })
    }

    /// Writes the files and the index, and gives the paths where that was not possible. They are what they were.
    pub(super) fn run(self) -> Vec<RepoPath> {
        let mut stale = BTreeSet::new();
        // Removals come first, so that a folder is gone before a file takes its place, and the other way round.
        let (removals, writes): (Vec<_>, Vec<_>) = self.files.iter().partition(|file| file.change.new.is_none());
        for file in removals.into_iter().chain(writes) {
            if let Err(error) = self.bring_up_to_date(file) {
                warn!(%error, path = %file.change.path, "a file of the work tree was left as it was");
                stale.insert(file.change.path.clone());
            }
        }
        if let Err(error) = self.write_index(&stale) {
            warn!(%error, "the index of the work tree was left as it was");
            stale.extend(self.files.iter().map(|file| file.change.path.clone()));
        }
        stale.into_iter().collect()
    }

    fn bring_up_to_date(&self, file: &Standing<'_>) -> io::Result<()> {
        let path = self.root.join(file.change.path.as_str());
        let new = file.change.new.as_deref();
        if file.seen.as_deref() == new {
            return Ok(());
        }
        let found = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => Some((fs::read(&path)?, found)),
            Ok(_) => return Err(io::Error::other("something else stands there now")),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if found.as_ref().map(|(bytes, _)| bytes) != file.seen.as_ref() {
            return Err(io::Error::other("somebody wrote to it meanwhile"));
        }
        match new {
            Some(bytes) => write(&path, bytes, found.map(|(_, found)| found)),
            None => self.remove(&path),
        }
    }

    /// Removes a file, and the folders that are empty without it.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Writes the new entries to a copy of the index, which then takes its place: the lock is ours, so libgit2, which
    /// would take it again, cannot write to the index itself.
    fn write_index(&self, stale: &BTreeSet<RepoPath>) -> Result<(), Box<dyn std::error::Error>> {
        let folder = self.index.parent().unwrap_or(&self.root);
        let copy = tempfile::Builder::new().prefix("index.bobbypin-").tempfile_in(folder)?.into_temp_path();
        match fs::copy(&self.index, &copy) {
            Err(error) if error.kind() == ErrorKind::NotFound => fs::remove_file(&copy)?,
            other => drop(other?),
        }
        let mut index = Index::open(&copy)?;
        for Standing { change, .. } in &self.files {
            if change.new.is_none() && index.get_path(change.path.as_str().as_ref(), 0).is_some() {
                index.remove(change.path.as_str().as_ref(), 0)?;
            }
        }
        for Standing { change, .. } in &self.files {
            if let Some(bytes) = &change.new {
                let on_disk = fs::symlink_metadata(self.root.join(change.path.as_str()));
                let on_disk = on_disk.ok().filter(|_| !stale.contains(&change.path));
                let old_mode = index.get_path(change.path.as_str().as_ref(), 0).map(|entry| entry.mode);
                index.add(&entry(&change.path, blob_id(bytes), old_mode, on_disk.as_ref()))?;
            }
        }
        index.write()?;
        fs::rename(&copy, &self.index)?;
        // The path is gone; there is nothing left to remove.
        Ok(copy.keep().map(drop)?)
    }
}

/// Finds every file as it stands, or says which ones are not safe to change.
fn look<'a>(repository: &git2::Repository, files: &'a [FileChange]) -> Result<Vec<Standing<'a>>, PublishError> {
    let root = repository.workdir().unwrap_or(repository.path());
    let failed = git_failed(|| "the index of the work tree".to_owned());
    let index = Index::open(&repository.path().join("index")).map_err(failed)?;
    let removed: BTreeSet<&str> = removed(files).map(RepoPath::as_str).collect();
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut standing = Vec::new();
    let mut dirty = Vec::new();
    for change in sorted {
        let seen = match on_disk(root, change, &removed)? {
            OnDisk::Nothing => Some(None),
            OnDisk::File(bytes) => Some(Some(bytes)),
            OnDisk::Other => None,
        };
        let is_clean = |seen: &Option<Vec<u8>>| {
            is_clean_in_index(&index, change, &removed) && is_clean_on_disk(repository, change, seen.as_deref())
        };
        match seen.filter(is_clean) {
            Some(seen) => standing.push(Standing { change, seen }),
            None => dirty.push(change.path.clone()),
        }
    }
    if dirty.is_empty() { Ok(standing) } else { Err(PublishError::Dirty { paths: dirty }) }
}

fn on_disk(root: &Path, change: &FileChange, removed: &BTreeSet<&str>) -> Result<OnDisk, GitError> {
    let path = change.path.as_str();
    for folder in folders_above(path) {
        match metadata(&root.join(folder))? {
            None => return Ok(OnDisk::Nothing),
            Some(found) if found.is_dir() => (),
            Some(found) if found.is_file() && removed.contains(folder) => return Ok(OnDisk::Nothing),
            Some(_) => return Ok(OnDisk::Other),
        }
    }
    let on_disk = root.join(path);
    Ok(match metadata(&on_disk)? {
        None => OnDisk::Nothing,
        Some(found) if found.is_file() => OnDisk::File(fs::read(&on_disk).map_err(read_failed(&on_disk))?),
        Some(found) if found.is_dir() && holds_only(&on_disk, path, removed)? => OnDisk::Nothing,
        Some(_) => OnDisk::Other,
    })
}

fn metadata(path: &Path) -> Result<Option<Metadata>, GitError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(read_failed(path)(error)),
    }
}

/// Whether everything in a folder is going to be removed.
fn holds_only(folder: &Path, path: &str, removed: &BTreeSet<&str>) -> Result<bool, GitError> {
    let failed = read_failed(folder);
    for entry in fs::read_dir(folder).map_err(&failed)? {
        let entry = entry.map_err(&failed)?;
        let inner = format!("{path}/{}", entry.file_name().to_string_lossy());
        let is_expected = if entry.file_type().map_err(&failed)?.is_dir() {
            holds_only(&entry.path(), &inner, removed)?
        } else {
            removed.contains(inner.as_str())
        };
        if !is_expected {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_clean_on_disk(repository: &git2::Repository, change: &FileChange, seen: Option<&[u8]>) -> bool {
    // With line endings or a filter set, a file is clean although its bytes differ: then libgit2 knows.
    let filtered = || {
        let status = repository.status_file(change.path.as_str().as_ref());
        change.old.is_some() && seen.is_some() && status.is_ok_and(|status| status == Status::CURRENT)
    };
    seen == change.old.as_deref() || seen == change.new.as_deref() || filtered()
}

fn is_clean_in_index(index: &Index, change: &FileChange, removed: &BTreeSet<&str>) -> bool {
    let path = change.path.as_str();
    let at = |path: &str, stage| index.get_path(path.as_ref(), stage);
    let staged = at(path, 0).map(|entry| entry.id);
    let old = change.old.as_deref().map(blob_id);
    let new = change.new.as_deref().map(blob_id);
    let has_conflict = (1..=3).any(|stage| at(path, stage).is_some());
    // libgit2 silently drops from the index what is in the way of a new entry.
    let file_above = folders_above(path).any(|folder| at(folder, 0).is_some() && !removed.contains(folder));
    let folder = format!("{path}/");
    let file_below = index.find_prefix(folder.as_str()).is_ok_and(|first| {
        (first..index.len())
            .map_while(|position| index.get(position))
            .map(|entry| String::from_utf8_lossy(&entry.path).into_owned())
            .take_while(|path| path.starts_with(&folder))
            .any(|path| !removed.contains(path.as_str()))
    });
    (staged == old || staged == new) && !has_conflict && !file_above && !file_below
}

/// The folders that a path lies in, the outermost first.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Replaces a file in one step, keeping its permissions.
fn write(path: &Path, bytes: &[u8], old: Option<Metadata>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let mode = old.as_ref().map_or(0o666, |old| old.permissions().mode() & 0o777);
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(".bobbypin-").permissions(fs::Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.persist(path)?;
    Ok(())
}

/// An entry of the index. Without `on_disk` Git will find that the file differs.
fn entry(path: &RepoPath, id: Oid, old_mode: Option<u32>, on_disk: Option<&Metadata>) -> IndexEntry {
    // The index keeps the low 32 bits of each of these numbers.
    let low = |number: u64| (number & u64::from(u32::MAX)) as u32;
    let time = |seconds: i64, nanoseconds: i64| {
        IndexTime::new(low(seconds.cast_unsigned()).cast_signed(), low(nanoseconds.cast_unsigned()))
    };
    IndexEntry {
        ctime: on_disk.map_or(IndexTime::new(0, 0), |found| time(found.ctime(), found.ctime_nsec())),
        mtime: on_disk.map_or(IndexTime::new(0, 0), |found| time(found.mtime(), found.mtime_nsec())),
        dev: on_disk.map_or(0, |found| low(found.dev())),
        ino: on_disk.map_or(0, |found| low(found.ino())),
        mode: old_mode.unwrap_or(0o100_644),
        uid: on_disk.map_or(0, MetadataExt::uid),
        gid: on_disk.map_or(0, MetadataExt::gid),
        file_size: on_disk.map_or(0, |found| low(found.size())),
        id,
        flags: 0,
        flags_extended: 0,
        path: path.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::name::Name;

    #[test]
    fn what_is_written_after_the_check_is_kept_and_reported() {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init(folder.path()).unwrap();
        let change = |path: &str| {
            let path = RepoPath::parse(path).unwrap();
            FileChange::plain(path, Name::parse("edge").unwrap(), None, Some(Arc::from(&b"ours"[..])))
        };
        let files = [change("calm"), change("raced")];
        let update = WorkTreeUpdate::lock(&repository, &files).unwrap();
        assert!(matches!(WorkTreeUpdate::lock(&repository, &files), Err(PublishError::Locked { .. })));
        fs::write(folder.path().join("raced"), "theirs").unwrap();
        assert_eq!(update.run(), [files[1].path.clone()]);
        let text = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
        assert_eq!((text("calm").as_str(), text("raced").as_str()), ("ours", "theirs"));
        let status = |path: &str| repository.status_file(path.as_ref()).unwrap();
        assert_eq!((status("calm"), status("raced")), (Status::INDEX_NEW, Status::INDEX_NEW | Status::WT_MODIFIED));
    }
}
