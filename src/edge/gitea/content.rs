//! Reading what is in a repository, for servers that do not let Git in.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use git2::{ObjectType, Oid};
use serde::Deserialize;

use crate::{
    edge::{
        git::signed_commit,
        gitea::{
            Gitea, GiteaError, GiteaProblem,
            request::{AtMost, Call},
        },
    },
    model::{repository::Author, tree::CommitId},
};

/// How many entries of a tree are asked for at once, and how many a tree may have.
const PAGE: usize = 1_000;
const MOST_ENTRIES: usize = 200_000;

/// Something in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where, from the root. It is not checked: others commit as well.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The id of its content.
    pub id: Oid,
    /// Bytes, for files.
    pub size: u64,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// An ordinary file.
    File,
    /// One that is executable.
    Executable,
    /// A symbolic link.
    Symlink,
    /// Another repository.
    Submodule,
    /// A folder. Its content is listed too.
    Folder,
}

/// A commit, without what it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCommit {
    /// Its id.
    pub id: CommitId,
    /// Who wrote it.
    pub author: Author,
    /// All of its message.
    pub message: String,
    /// The commits that it was made on.
    pub parents: Vec<CommitId>,
    /// The paths that it changed against its first parent. `None`: nobody asked, or the server does not say.
    pub changed: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct TreePage {
    #[serde(default)]
    tree: Option<AtMost<WireEntry>>,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    total_count: Option<usize>,
}

#[derive(Deserialize)]
struct WireEntry {
    path: String,
    mode: String,
    sha: String,
    #[serde(default)]
    size: u64,
}

#[derive(Deserialize)]
struct WireBlob {
    content: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Deserialize)]
struct WireCommit {
    sha: String,
    commit: Inside,
    #[serde(default)]
    parents: Option<Vec<Named>>,
    #[serde(default)]
    files: Option<Vec<Changed>>,
}

#[derive(Deserialize)]
struct Changed {
    filename: String,
}

#[derive(Deserialize)]
struct Inside {
    #[serde(default)]
    author: Option<Signature>,
    message: String,
}

#[derive(Default, Deserialize)]
pub(super) struct Signature {
    name: String,
    email: String,
}

#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) sha: String,
}

impl Gitea<'_> {
    /// Lists everything in a commit, in the order of the server.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when the list cannot be read, and [`GiteaProblem::Incomplete`] when the server leaves something out.
    pub fn tree(&self, commit: &CommitId) -> Result<Vec<TreeEntry>, GiteaError> {
        let call = self.call(format!("list the files of {}", commit.short()));
        let mut entries = Vec::new();
        let mut paths = BTreeSet::new();
        for page in 1.. {
            let path = call.path(&format!("/git/trees/{commit}?recursive=true&per_page={PAGE}&page={page}"));
            let answer: TreePage = call.get(&path)?;
            let items = answer.tree.map_or_else(Vec::new, |tree| tree.0);
            let is_empty = items.is_empty();
            for item in items {
                let entry = call.entry(item)?;
                if !paths.insert(entry.path.clone()) {
                    return Err(call.incomplete("an entry is listed twice"));
                }
                entries.push(entry);
            }
            if !answer.truncated {
                if answer.total_count.is_some_and(|total| total != entries.len()) {
                    return Err(call.incomplete("there are more or fewer entries than the server counts"));
                }
                break;
            }
            if is_empty {
                return Err(call.incomplete("there is no next page of a list that is not at its end"));
            }
            if entries.len() > MOST_ENTRIES {
                return Err(call.failed(GiteaProblem::Endless { pages: page }));
            }
        }
        Ok(entries)
    }

    /// Reads the bytes of a file by their id, and checks that they are those.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when they cannot be read, [`GiteaProblem::Incomplete`] when the server does not give files of this
    /// size, and [`GiteaProblem::OtherBytes`] when they have another id.
    pub fn blob(&self, id: Oid) -> Result<Vec<u8>, GiteaError> {
        let call = self.call(format!("read the file {id}"));
        let blob: WireBlob = call.get(&call.path(&format!("/git/blobs/{id}")))?;
        let Some(content) = blob.content else {
            return Err(call.incomplete("the file is larger than what the API of the server gives"));
        };
        if blob.encoding.as_deref().is_some_and(|encoding| encoding != "base64") {
            return Err(call.unreadable("the content is not in base64"));
        }
        let bytes = STANDARD.decode(content).map_err(|_| call.unreadable("the content is not in base64"))?;
        let found = Oid::hash_object(ObjectType::Blob, &bytes).expect("hashing bytes in memory has no way to fail");
        match found == id {
            true => Ok(bytes),
            false => Err(call.failed(GiteaProblem::OtherBytes { id: id.to_string() })),
        }
    }

    /// Reads the bytes of a commit that is signed, and checks that they are those. `None` when it is not signed.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when they cannot be read, and [`GiteaProblem::OtherBytes`] when they have another id.
    pub fn signed_commit(&self, commit: &CommitId) -> Result<Option<Vec<u8>>, GiteaError> {
        #[derive(Deserialize)]
        struct Answer {
            commit: Verified,
        }
        #[derive(Deserialize)]
        struct Verified {
            #[serde(default)]
            verification: Option<Verification>,
        }
        #[derive(Default, Deserialize)]
        struct Verification {
            #[serde(default)]
            signature: String,
            #[serde(default)]
            payload: String,
        }
        let call = self.call(format!("read the signature of {}", commit.short()));
        let path = call.path(&format!("/git/commits/{commit}?stat=false&verification=true&files=false"));
        let answer: Answer = call.get(&path)?;
        let Verification { signature, payload } = answer.commit.verification.unwrap_or_default();
        if signature.is_empty() {
            return Ok(None);
        }
        let bytes = signed_commit(payload.as_bytes(), &signature);
        let found = Oid::hash_object(ObjectType::Commit, &bytes).expect("hashing bytes in memory has no way to fail");
        match found.to_string() == commit.as_str() {
            true => Ok(Some(bytes)),
            false => Err(call.failed(GiteaProblem::OtherBytes { id: commit.to_string() })),
        }
    }

    /// The last `count` commits up to `tip`, the newest first, along the first parents. Fewer at the beginning of the history.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when one of them cannot be read.
    pub fn commits(&self, tip: &CommitId, count: usize) -> Result<Vec<ApiCommit>, GiteaError> {
        self.call(format!("read the history of {}", tip.short())).commits(tip, count)
    }

    /// The same commits with the paths that each of them changed. The server looks each of them up.
    ///
    /// # Errors
    ///
    /// As [`Gitea::commits`].
    pub fn commits_with_paths(&self, tip: &CommitId, count: usize) -> Result<Vec<ApiCommit>, GiteaError> {
        let mut past = self.call(format!("read the history of {}", tip.short())).past(tip, count, true)?;
        // What a server says of a merge need not be against its first parent.
        for commit in past.iter_mut().filter(|commit| commit.parents.len() > 1) {
            commit.changed = None;
        }
        Ok(past)
    }
}

impl Call<'_> {
    /// As [`Gitea::commits`].
    pub(super) fn commits(&self, tip: &CommitId, count: usize) -> Result<Vec<ApiCommit>, GiteaError> {
        self.past(tip, count, false)
    }

    fn past(&self, tip: &CommitId, count: usize, has_paths: bool) -> Result<Vec<ApiCommit>, GiteaError> {
        let parts = format!("stat=false&verification=false&files={has_paths}");
        // The list goes by time over all parents, so it need not have all that is asked for.
        let path = self.path(&format!("/commits?sha={tip}&limit={}&page=1&{parts}", count.clamp(1, 50)));
        let listed: AtMost<WireCommit> = self.get(&path)?;
        let mut listed: BTreeMap<_, _> = listed.0.into_iter().map(|wire| (wire.sha.clone(), wire)).collect();
        let mut past: Vec<ApiCommit> = Vec::new();
        let mut next = Some(tip.clone());
        while let Some(id) = next.take().filter(|_| past.len() < count) {
            let wire = match listed.remove(id.as_str()) {
                Some(wire) => wire,
                None => self.get(&self.path(&format!("/git/commits/{id}?{parts}")))?,
            };
            let commit = self.past_commit(wire, has_paths)?;
            if commit.id != id {
                return Err(self.unreadable(&format!("another commit than {id} was given")));
            }
            next = commit.parents.first().cloned();
            past.push(commit);
        }
        Ok(past)
    }

    fn past_commit(&self, wire: WireCommit, has_paths: bool) -> Result<ApiCommit, GiteaError> {
        let author = wire.commit.author.unwrap_or_default();
        let parents = wire.parents.unwrap_or_default();
        let changed = wire.files.filter(|_| has_paths);
        Ok(ApiCommit {
            id: self.commit_id(&wire.sha)?,
            author: Author { name: author.name, email: author.email },
            message: wire.commit.message,
            parents: parents.iter().map(|parent| self.commit_id(&parent.sha)).collect::<Result<_, _>>()?,
            changed: changed.map(|files| files.into_iter().map(|file| file.filename).collect()),
        })
    }

    fn entry(&self, wire: WireEntry) -> Result<TreeEntry, GiteaError> {
        let kind = match wire.mode.as_str() {
            "100644" | "100664" => EntryKind::File,
            "100755" => EntryKind::Executable,
            "120000" => EntryKind::Symlink,
            "160000" => EntryKind::Submodule,
            "040000" => EntryKind::Folder,
            mode => return Err(self.unreadable(&format!("`{mode}` is no mode of an entry"))),
        };
        let id = Oid::from_str(&wire.sha).ok().filter(|_| wire.sha.len() == 40);
        let id = id.ok_or_else(|| self.unreadable(&format!("`{}` is no id of 40 digits", wire.sha)))?;
        Ok(TreeEntry { path: wire.path, kind, id, size: wire.size })
    }

    fn incomplete(&self, why: &str) -> GiteaError {
        self.failed(GiteaProblem::Incomplete { why: why.to_owned() })
    }
}
