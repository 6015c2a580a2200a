//! The files of a commit, as far as they were read.

use std::{borrow::Borrow, collections::BTreeMap, fmt, ops::Bound, sync::Arc};

use serde::Serialize;

/// The id of a commit: 40 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CommitId(String);

impl CommitId {
    /// Checks a text.
    pub fn parse(text: &str) -> Option<Self> {
        let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 40 && text.bytes().all(lower_hex)).then(|| Self(text.to_owned()))
    }

    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path inside the repository: relative, parts divided by `/`, nothing that leads out of it or into `.git`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RepoPath(Arc<str>);

/// Why a text is not a [`RepoPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a path inside a repository", .0.escape_debug())]
pub struct RepoPathError(String);

impl RepoPath {
    /// Checks a text.
    ///
    /// `..`, `.`, empty parts, control characters, `\`, and any spelling of `.git` that a file system without case or
    /// with short names would take for it are refused.
    pub fn parse(text: &str) -> Result<Self, RepoPathError> {
        let lawful = |part: &str| {
            !matches!(part, "" | "." | "..")
                && !part.eq_ignore_ascii_case(".git")
                && !part.eq_ignore_ascii_case("git~1")
                && !part.chars().any(|c| c.is_control() || c == '\\')
        };
        if text.len() <= 4096 && text.split('/').all(lawful) {
            Ok(Self(text.into()))
        } else {
            Err(RepoPathError(text.to_owned()))
        }
    }

    /// The path of something below this folder.
    ///
    /// `relative` must be made of checked parts: names, or literals of the program.
    #[must_use]
    pub fn join(&self, relative: &str) -> Self {
        debug_assert!(Self::parse(relative).is_ok(), "{relative:?}");
        Self(format!("{}/{relative}", self.0).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What remains of this path below `folder`, or `None` when it lies elsewhere.
    pub fn below(&self, folder: &str) -> Option<&str> {
        self.0.strip_prefix(folder)?.strip_prefix('/')
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What stands at a path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An ordinary file, executable or not.
    File(Arc<[u8]>),
    /// A symbolic link. It is never followed.
    Symlink,
    /// Another repository.
    Submodule,
}

/// The entries of one commit, or of a work tree, that the program may need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The commit that was read; `None` when the branch has no commit yet.
    pub base: Option<CommitId>,
    /// By path.
    pub entries: BTreeMap<RepoPath, Entry>,
}

impl Tree {
    /// The bytes of an ordinary file.
    pub fn file(&self, path: &str) -> Option<&Arc<[u8]>> {
        match self.entries.get(path) {
            Some(Entry::File(bytes)) => Some(bytes),
            Some(Entry::Symlink | Entry::Submodule) | None => None,
        }
    }

    /// Every entry below a folder, in order of path.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a RepoPath, &'a Entry)> {
        let prefix = format!("{folder}/");
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        self.entries.range::<str, _>(from).take_while(move |(path, _)| path.as_str().starts_with(&prefix))
    }
}

/// `folder/relative` without `.` and `..`; `None` when it leads out of the repository.
pub fn resolve(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => (),
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_the_repository_or_enter_git() {
        for good in ["a", "clusters/edge/manifests/host/kustomization.yaml", ".gitea/workflows/x.yml", "a b/ü"] {
            assert!(RepoPath::parse(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "./a",
            ".git/config",
            "a/.GIT/x",
            "GIT~1/x",
            "a\\b",
            "a\nb",
            "a\0b",
        ] {
            assert!(RepoPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_folder_holds_what_lies_below_it_and_not_its_namesakes() {
        let path = |text| RepoPath::parse(text).expect("a literal that parses");
        let file = || Entry::File(Arc::from(&b""[..]));
        let tree = Tree {
            base: None,
            entries: ["a/b", "a/c/d", "a-b", "a", "b"].into_iter().map(|text| (path(text), file())).collect(),
        };
        let below: Vec<_> = tree.below("a").map(|(path, _)| path.as_str()).collect();
        assert_eq!(below, ["a/b", "a/c/d"]);
    }
}
