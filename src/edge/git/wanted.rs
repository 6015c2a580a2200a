//! Which paths are read, and which names are refused, in a commit and on disk alike.

use std::collections::BTreeMap;

use crate::{
    edge::git::GitError,
    model::{cluster::CorefilePath, tree::RepoPath},
};

/// The largest file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// The most that all files together may have, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// The most entries that are looked at. A tree of a few kilobytes can pretend to hold billions.
const MAX_ENTRIES: u32 = 1_000_000;

/// The selection of paths to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Everything below these folders.
    pub folders: Vec<RepoPath>,
    /// These files.
    pub files: Vec<RepoPath>,
    /// Every file of one of these names, wherever it is. A `*` at the beginning stands for anything: `*.yaml`.
    pub names: Vec<String>,
}

impl Default for Wanted {
    /// What the program reads of a repository: the clusters, its own settings, how the folders hang together for Flux, and
    /// the files that may hold a Corefile.
    fn default() -> Self {
        let path = |text| RepoPath::parse(text).expect("a literal that parses");
        Self {
            folders: vec![path("clusters")],
            files: vec![path("bobbypin.yaml")],
            names: ["kustomization.yaml", "kustomization.yml", "Kustomization"]
                .into_iter()
                .chain(CorefilePath::NAMES)
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl Wanted {
    /// Every file that may hold an object of Kubernetes, or values of a chart.
    pub fn manifests() -> Self {
        Self { names: ["*.yaml", "*.yml"].map(str::to_owned).to_vec(), ..Self::default() }
    }

    /// Whether something at this path, other than a folder, is read. What stands in the place of a wanted folder is.
    pub fn takes(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_named = |wanted: &String| match wanted.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => wanted == name,
        };
        self.names.iter().any(is_named) || self.is_ours(path)
    }

    /// Whether a folder can hold something that is read.
    pub fn enters(&self, folder: &str) -> bool {
        !self.names.is_empty() || self.is_ours(folder)
    }

    /// Whether a path is one of those asked for by place, or leads there.
    fn is_ours(&self, path: &str) -> bool {
        self.folders.iter().any(|folder| is_within(path, folder.as_str()) || is_within(folder.as_str(), path))
            || self.files.iter().any(|file| is_within(file.as_str(), path))
    }
}

/// Watches over one reading: refuses hostile names and counts what is read.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    wanted: &'a Wanted,
    entries: u32,
    bytes: u64,
}

/// The names met so far in one folder, in lower case, with their paths.
pub(super) type Siblings = BTreeMap<String, String>;

impl<'a> Guard<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        Self { wanted, entries: 0, bytes: 0 }
    }

    /// Puts a name behind the path of its folder (empty, or ending in `/`) and says whether the program can look at it.
    ///
    /// Names that no honest program commits are errors everywhere. Names that merely cannot be worked with (not UTF-8,
    /// control characters) are errors where the program works, and elsewhere none of its business.
    pub(super) fn path(
        &mut self,
        folder: &str,
        name: &[u8],
        siblings: &mut Siblings,
    ) -> Result<Option<String>, GitError> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES {
            return Err(too_large("the tree", format!("{MAX_ENTRIES} entries")));
        }
        let shown = || format!("{folder}{}", String::from_utf8_lossy(name));
        let hostile = |problem| Err(GitError::Path { path: shown(), problem });
        if matches!(name, b"" | b"." | b"..") || name.contains(&b'/') || name.contains(&0) {
            return hostile("the name leads elsewhere");
        }
        if name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1") {
            return hostile("some file systems take it for Git's own folder");
        }
        let Ok(text) = str::from_utf8(name) else {
            return if self.is_strict(folder) { hostile("the name is not UTF-8") } else { Ok(None) };
        };
        let path = format!("{folder}{text}");
        if RepoPath::parse(&path).is_err() {
            let problem = "it has control characters or `\\`, or is too long";
            return if self.is_strict(folder) { hostile(problem) } else { Ok(None) };
        }
        if (self.wanted.is_ours(&path) || self.leads_by_case(&path))
            && let Some(first) = siblings.insert(text.to_lowercase(), path.clone())
        {
            return Err(GitError::CaseTwins { first, second: path });
        }
        Ok(Some(path))
    }

    /// Counts the size of a file that is about to be read.
    pub(super) fn size(&mut self, path: &str, bytes: u64) -> Result<(), GitError> {
        if bytes > MAX_FILE {
            return Err(too_large(path, format!("{} MiB", MAX_FILE >> 20)));
        }
        self.bytes += bytes;
        if self.bytes > MAX_BYTES {
            return Err(too_large("the tree", format!("{} MiB", MAX_BYTES >> 20)));
        }
        Ok(())
    }

    /// Whether the folder lies in a wanted one.
    fn is_strict(&self, folder: &str) -> bool {
        let folder = folder.trim_end_matches('/');
        self.wanted.folders.iter().any(|wanted| is_within(folder, wanted.as_str()))
    }

    /// Whether a file system without case would take the path for one of the wanted places or the way there.
    fn leads_by_case(&self, path: &str) -> bool {
        let path = path.to_lowercase();
        let mut places = self.wanted.folders.iter().chain(&self.wanted.files);
        places.any(|wanted| is_within(&wanted.as_str().to_lowercase(), &path))
    }
}

/// Whether a path is the folder itself or lies in it.
fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn too_large(what: &str, limit: String) -> GitError {
    GitError::TooLarge { what: what.to_owned(), limit }
}
