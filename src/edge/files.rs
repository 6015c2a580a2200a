//! Files that are named on the command line, and files that are written beside the repository.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use tempfile::NamedTempFile;

use crate::config::problem::Source;

/// The largest file that is read whole: an inventory of a large cluster.
const MAX_BYTES: u64 = 256 << 20;

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than anything that makes sense.
    #[error("`{}` is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written. What was there before is still there.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It exists, and was not to be overwritten.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
}

impl FileError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("name another place, or move it away".to_owned()),
            Self::Read { .. } | Self::TooLarge { .. } | Self::Write { .. } => None,
        }
    }
}

/// Reads a file, or standard input for `-`, with the time at which it was last written (for standard input: `now`).
pub fn read(path: &Path, now: Timestamp) -> Result<(Source, Timestamp), FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let mut read_at = now;
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = fs::File::open(path).map_err(failed)?;
        let modified = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        read_at = Timestamp::try_from(modified).unwrap_or(now);
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned() });
    }
    Ok((Source { path: path.display().to_string(), bytes: Arc::from(bytes) }, read_at))
}

/// Writes a file so that a reader sees the old content or the new one, never a part. Makes its folders. A file that is
/// there already keeps its permissions; a link is replaced, since it may lead anywhere.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let mut file = beside(path).map_err(failed)?;
    if let Some(old) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) {
        file.as_file().set_permissions(old.permissions()).map_err(failed)?;
    }
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The same for a file that somebody named: where it is a link, what that leads to is written.
pub fn write_through(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            let target = fs::canonicalize(path);
            write(&target.map_err(|source| FileError::Write { path: path.to_owned(), source })?, bytes)
        }
        _ => write(path, bytes),
    }
}

/// Writes a file that must not be there yet.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    let mut file = beside(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(FileError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// Makes a folder of its own that stays when the program ends.
pub fn temporary_folder(prefix: &str) -> Result<PathBuf, FileError> {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir();
    folder.map(tempfile::TempDir::keep).map_err(|source| FileError::Write { path: std::env::temp_dir(), source })
}

/// Makes a folder that must not be there yet, and those around it.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_owned(), source };
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(FileError::Exists { path: path.to_owned() }),
        other => other.map_err(failed),
    }
}

/// Removes a file, and every folder that this leaves empty up to `root`.
pub fn remove(path: &Path, root: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(|source| FileError::Write { path: path.to_owned(), source })?;
    let mut folder = path.parent();
    while let Some(empty) = folder.filter(|folder| *folder != root && folder.starts_with(root)) {
        if fs::remove_dir(empty).is_err() {
            break;
        }
        folder = empty.parent();
    }
    Ok(())
}

/// A new file in the folder of another one, with the permissions that an ordinary new file has.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    builder.prefix(".bobbypin-").tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_only_a_link_that_somebody_named_is_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).expect("a file").permissions().mode() & 0o777;
        let text = |name: &str| fs::read_to_string(at(name)).expect("a file");
        let is_link = |name: &str| fs::symlink_metadata(at(name)).expect("it is there").is_symlink();
        fs::write(at("values.yaml"), "old").expect("a writable folder");
        fs::set_permissions(at("values.yaml"), fs::Permissions::from_mode(0o600)).expect("our own file");
        write(&at("values.yaml"), b"one").expect("a writable file");
        write(&at("new.yaml"), b"").expect("a writable folder");
        assert_eq!((mode("values.yaml"), mode("new.yaml")), (0o600, 0o644));
        symlink("values.yaml", at("link.yaml")).expect("a writable folder");
        write_through(&at("link.yaml"), b"two").expect("a link to a writable file");
        assert_eq!((is_link("link.yaml"), text("values.yaml"), mode("values.yaml")), (true, "two".to_owned(), 0o600));
        write(&at("link.yaml"), b"three").expect("a writable folder");
        assert_eq!((is_link("link.yaml"), text("values.yaml")), (false, "two".to_owned()));
        symlink("nowhere.yaml", at("broken.yaml")).expect("a writable folder");
        assert!(matches!(write_through(&at("broken.yaml"), b"four"), Err(FileError::Write { .. })));
        assert!(is_link("broken.yaml"));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_never_overwritten_by_create() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a/b/c.yaml");
        write(&path, b"one").expect("a writable folder");
        write(&path, b"two").expect("a writable folder");
        assert!(matches!(create(&path, b"three"), Err(FileError::Exists { .. })));
        let (source, _) = read(&path, Timestamp::UNIX_EPOCH).expect("a readable file");
        assert_eq!(&*source.bytes, b"two");
        let left: Vec<_> = fs::read_dir(path.parent().expect("it has one")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "no temporary file stays behind");
        remove(&path, folder.path()).expect("a removable file");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "empty folders go too");
    }
}
