//! A repository of a Gitea or Forgejo server that does not let Git in: read and committed to through the server's API.
//!
//! The rules for what is read are those of every other repository. What is committed is one request, and the server makes
//! the commit: its id is known afterwards. The request names what every file was before, but no commit, so somebody else's
//! commit of other files may come in between. It is kept, ours stands on it, and [`Published::is_on_base`] says so.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use git2::Oid;
use tracing::{debug, info};

use crate::{
    edge::{
        git::{
            Access, BlobChange, BlobId, GitError, Location, NewCommit, PastCommit, PublishError, Published, Signed,
            Wanted, check,
            history::has_trailer,
            prepare::{checked_message, signature},
            tip::{Kind, Listing, NAMED_BRANCHES, insert, reference_name},
            wanted::Siblings,
        },
        gitea::{Address, ApiCommit, CommitError, EntryKind, Gitea, GiteaError, TreeEntry},
        http::{Credentials, Deadline, HttpClient},
    },
    model::{
        repository::TrustedSigners,
        tree::{CommitId, Entry, RepoPath, Tree},
    },
};

/// How many files are asked for at a time.
const AT_ONCE: usize = 8;

/// A repository on a server, reached through the server's API.
pub struct ApiRepository {
    address: Address,
    client: HttpClient,
    credentials: Credentials,
    access: Access,
    /// What was read last. A run reads a branch several times, and most of it stays.
    last: Mutex<Option<Arc<Reading>>>,
}

impl fmt::Debug for ApiRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApiRepository").field(&self.address.to_string()).finish()
    }
}

/// The wanted entries of a commit.
struct Reading {
    wanted: Wanted,
    tree: Tree,
    /// The ids of the files.
    files: Files,
}

/// Ordinary files by path.
type Files = BTreeMap<RepoPath, Oid>;

/// What a snapshot keeps, to look at the history and to make the next commit.
pub(super) struct Tip<'t> {
    repository: &'t ApiRepository,
    wanted: Wanted,
    /// The files of commits that were listed.
    listed: RefCell<BTreeMap<CommitId, Files>>,
}

/// Changes that the server is to make a commit of. They were checked as far as they can be.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    request: NewCommit<'a>,
    base: &'a CommitId,
}

impl ApiRepository {
    /// Speaks for whoever the credentials belong to. Nothing is sent yet.
    pub(super) fn new(location: &Location, access: &Access, server: Option<&str>) -> Result<Self, GitError> {
        let shown = location.to_string();
        let (Location::Server(remote), Some(address)) = (location, Address::of_remote(&shown, server)) else {
            return Err(GitError::NotOfGitea { place: shown });
        };
        let credentials = access.credentials.clone().or_else(|| remote.login());
        let credentials = credentials.ok_or_else(|| GitError::NoToken { address: address.to_string() })?;
        let failed = |error| GitError::Remote { address: shown, source: super::RemoteError::Http(error) };
        let client = HttpClient::new(access.authorities.as_deref()).map_err(failed)?;
        Ok(Self { address, client, credentials, access: access.clone(), last: Mutex::new(None) })
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn default_branch(&self) -> Result<Option<String>, GitError> {
        Ok(self.gitea(self.deadline()).default_branch()?)
    }

    /// Reads the wanted entries of a branch's last commit. What an earlier reading has is not asked for again.
    pub(super) fn read(&self, branch: &str, wanted: &Wanted) -> Result<(Tree, Tip<'_>), GitError> {
        reference_name(branch)?;
        let deadline = self.deadline();
        let gitea = self.gitea(deadline);
        let tip = |files| Tip { repository: self, wanted: wanted.clone(), listed: RefCell::new(files) };
        let Some(commit) = gitea.branch(branch)? else {
            let mut branches = gitea.branches()?;
            if branches.is_empty() {
                return Ok((Tree::default(), tip(BTreeMap::new())));
            }
            branches.sort();
            branches.truncate(NAMED_BRANCHES);
            return Err(GitError::BranchMissing { branch: branch.to_owned(), branches });
        };
        let last = self.last();
        let reading = match last {
            Some(last) if last.tree.base.as_ref() == Some(&commit) && last.wanted == *wanted => last,
            last => {
                let reading = Arc::new(self.read_commit(&commit, wanted, last.as_deref(), deadline)?);
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading.clone());
                reading
            }
        };
        Ok((reading.tree.clone(), tip([(commit, reading.files.clone())].into())))
    }

    fn last(&self) -> Option<Arc<Reading>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read_commit(
        &self,
        commit: &CommitId,
        wanted: &Wanted,
        last: Option<&Reading>,
        deadline: Deadline,
    ) -> Result<Reading, GitError> {
        let entries = self.gitea(deadline).tree(commit)?;
        let Listing { mut tree, files, mut guard, .. } = listing(commit, wanted, &entries)?;
        let sizes: BTreeMap<_, _> = entries.iter().map(|entry| (entry.path.as_str(), entry.size)).collect();
        for (path, _) in &files {
            guard.size(path, sizes[path.as_str()])?;
        }
        let known = last.iter().flat_map(|last| &last.files).zip(last.iter().flat_map(|last| last.contents()));
        let mut contents: BTreeMap<_, _> = known.map(|((_, id), bytes)| (*id, bytes.clone())).collect();
        let missing: BTreeSet<_> = files.iter().map(|(_, id)| *id).filter(|id| !contents.contains_key(id)).collect();
        debug!(%commit, files = files.len(), fetched = missing.len(), "reading through the API");
        contents.extend(self.fetch(&Vec::from_iter(missing), deadline)?);
        let mut ids = Files::new();
        for (path, id) in files {
            insert(&mut tree, &path, Entry::File(contents[&id].clone()));
            ids.insert(RepoPath::parse(&path).expect("the guard lets lawful paths pass"), id);
        }
        Ok(Reading { wanted: wanted.clone(), tree, files: ids })
    }

    /// Reads files by their ids, some at a time.
    fn fetch(&self, ids: &[Oid], deadline: Deadline) -> Result<Vec<(Oid, Arc<[u8]>)>, GiteaError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut found = Vec::new();
            while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.gitea(deadline).blob(*id) {
                    Ok(bytes) => found.push((*id, Arc::from(bytes))),
                    Err(error) => {
                        // The others need not go on.
                        next.store(ids.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
            Ok(found)
        };
        let found: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE.min(ids.len())).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().expect("reading a file does not panic")).collect()
        });
        Ok(found.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Asks the server for the commit. One request; what became of it is found out when there is no answer.
    pub(super) fn publish(&self, asked: &Asked<'_>) -> Result<Published, PublishError> {
        let NewCommit { branch, files, message, author, at, .. } = asked.request;
        let base = asked.base;
        let committed = self.gitea(self.deadline()).commit_files(branch, base, files, message, author, at);
        let committed = committed.map_err(|error| match error {
            CommitError::NothingToCommit => PublishError::NothingToCommit,
            CommitError::Moved { found, .. } => {
                PublishError::Moved { branch: branch.to_owned(), expected: Some(base.clone()), found }
            }
            CommitError::Unknown { source, .. } => PublishError::Unconfirmed { branch: branch.to_owned(), source },
            CommitError::Denied { source, .. } | CommitError::Failed(source) => PublishError::Api(source),
        })?;
        let is_on_base = committed.parent == *base;
        if is_on_base {
            info!(commit = %committed.commit, branch, "published");
        } else {
            let (commit, parent) = (&committed.commit, &committed.parent);
            info!(%commit, %parent, %base, branch, "published on a commit of somebody else that came in between");
        }
        Ok(Published { commit: committed.commit, stale: Vec::new(), is_on_base })
    }

    /// Who signed a commit, if it is somebody who is trusted. The server gives the parts of the commit; that they are
    /// those of the commit is known by its id.
    fn signature(&self, commit: &CommitId, trusted: &TrustedSigners) -> Result<Signed, GitError> {
        let bytes = self.gitea(self.deadline()).signed_commit(commit)?;
        let signed = check(bytes.as_deref().unwrap_or(b"\n\n"), trusted);
        signed.map_err(|source| GitError::Untrusted { commit: commit.clone(), source })
    }

    fn deadline(&self) -> Deadline {
        self.access.deadline()
    }

    fn gitea(&self, deadline: Deadline) -> Gitea<'_> {
        Gitea::new(&self.client, &self.address, &self.credentials, deadline.left())
    }
}

impl Reading {
    /// What the files hold, in the order of `files`.
    fn contents(&self) -> impl Iterator<Item = &Arc<[u8]>> {
        self.tree.entries.values().filter_map(|entry| match entry {
            Entry::File(bytes) => Some(bytes),
            Entry::Symlink | Entry::Submodule => None,
        })
    }
}

impl Tip<'_> {
    /// The last `count` commits up to the tip, the newest first.
    ///
    /// The server says which paths a commit changed, so that only commits are listed, and their parents, that changed one
    /// of those that are asked for.
    pub(super) fn history(
        &self,
        tip: &CommitId,
        paths: &[RepoPath],
        count: usize,
    ) -> Result<Vec<PastCommit>, GitError> {
        let deadline = self.repository.deadline();
        let past = self.repository.gitea(deadline).commits_with_paths(tip, count)?;
        past.into_iter().map(|commit| self.past_commit(commit, paths, deadline)).collect()
    }

    fn past_commit(&self, commit: ApiCommit, paths: &[RepoPath], deadline: Deadline) -> Result<PastCommit, GitError> {
        let is_changed = |path: &&RepoPath| commit.changed.as_ref().is_none_or(|all| all.contains(path.as_str()));
        let changed: Vec<_> = paths.iter().filter(is_changed).collect();
        let mut changes = BTreeMap::new();
        if !changed.is_empty() {
            let after = self.files(&commit.id, deadline)?;
            let before = match commit.parents.first() {
                Some(parent) => self.files(parent, deadline)?,
                None => Files::new(),
            };
            let id = |files: &Files, path| files.get(path).copied().map(BlobId::from);
            for path in changed {
                let change = BlobChange { before: id(&before, path), after: id(&after, path) };
                if change.before != change.after {
                    changes.insert(path.clone(), change);
                }
            }
        }
        let by_bobbypin = has_trailer(commit.message.as_bytes());
        Ok(PastCommit { id: commit.id, author: commit.author, by_bobbypin, changes })
    }

    /// The wanted files of a commit, whatever else is wrong with what it holds.
    fn files(&self, commit: &CommitId, deadline: Deadline) -> Result<Files, GitError> {
        if let Some(files) = self.listed.borrow().get(commit) {
            return Ok(files.clone());
        }
        let entries = self.repository.gitea(deadline).tree(commit)?;
        let is_file = |entry: &&TreeEntry| matches!(entry.kind, EntryKind::File | EntryKind::Executable);
        let wanted = entries.iter().filter(is_file).filter(|entry| self.wanted.takes(&entry.path));
        let files: Files = wanted.filter_map(|entry| Some((RepoPath::parse(&entry.path).ok()?, entry.id))).collect();
        self.listed.borrow_mut().insert(commit.clone(), files.clone());
        Ok(files)
    }

    /// Makes every check that can be made before the server is asked.
    pub(super) fn prepare<'a>(&self, tree: &Tree, request: NewCommit<'a>) -> Result<Asked<'a>, PublishError> {
        let wrong = |part, problem| Err(PublishError::Commit { part, problem });
        if request.files.iter().all(|change| change.old == change.new) {
            return Err(PublishError::NothingToCommit);
        }
        let Some(base) = request.base else {
            return wrong("base", "the API only adds to a commit: make a first one");
        };
        if request.signer.is_some() {
            return wrong("signature", "through the API the server makes the commit: set `transport: git`");
        }
        checked_message(request.message)?;
        signature(request.author, request.at.as_second())?;
        expect_free(tree, &request)?;
        Ok(Asked { request, base })
    }

    pub(super) fn base_signature(&self, commit: &CommitId, trusted: &TrustedSigners) -> Result<Signed, GitError> {
        self.repository.signature(commit, trusted)
    }
}

/// Fails when a file is not what its change was computed from, or something stands in the way of a new one.
fn expect_free(tree: &Tree, request: &NewCommit<'_>) -> Result<(), PublishError> {
    let removed: BTreeSet<_> = super::prepare::removed(request.files).map(RepoPath::as_str).collect();
    for change in request.files {
        let path = change.path.as_str();
        let in_the_way = |path: &str, kind| Err(PublishError::InTheWay { path: path.to_owned(), kind });
        match (tree.entries.get(&change.path), &change.old) {
            (Some(Entry::Symlink), _) => return in_the_way(path, "it is a symbolic link"),
            (Some(Entry::Submodule), _) => return in_the_way(path, "it is a submodule"),
            (Some(Entry::File(found)), Some(old)) if found[..] == old[..] => (),
            (None, None) => (),
            _ => return Err(PublishError::NotAsCompared { path: change.path.clone() }),
        }
        if change.new.is_none() {
            continue;
        }
        for (at, _) in path.match_indices('/') {
            match tree.entries.get(&path[..at]) {
                Some(Entry::Symlink) => return in_the_way(&path[..at], "it is a symbolic link"),
                Some(Entry::Submodule) => return in_the_way(&path[..at], "it is a submodule"),
                Some(Entry::File(_)) if !removed.contains(&path[..at]) => {
                    return in_the_way(&path[..at], "it is a file");
                }
                Some(Entry::File(_)) | None => (),
            }
        }
        if tree.below(path).any(|(below, _)| !removed.contains(below.as_str())) {
            return in_the_way(path, "it is a folder");
        }
    }
    Ok(())
}

/// Sorts what the server lists of a commit by the rules that hold for every repository.
fn listing<'a>(commit: &CommitId, wanted: &'a Wanted, entries: &[TreeEntry]) -> Result<Listing<'a>, GitError> {
    let mut folders: BTreeMap<&str, Vec<(&str, &TreeEntry)>> = BTreeMap::from([("", Vec::new())]);
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Folder) {
        folders.insert(&entry.path, Vec::new());
    }
    for entry in entries {
        let parts = entry.path.rsplit_once('/');
        let (folder, name) = parts.unwrap_or(("", &entry.path));
        // A name with a slash in it looks like a path whose folder is not there.
        let inside = folders.get_mut(folder).filter(|_| parts.is_none_or(|(folder, _)| !folder.is_empty()));
        let Some(inside) = inside else {
            return Err(GitError::Path { path: entry.path.clone(), problem: "the name leads elsewhere" });
        };
        inside.push((name, entry));
    }
    let mut listing = Listing::new(commit, wanted);
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let mut siblings = Siblings::new();
        for (name, entry) in folders.remove(folder.trim_end_matches('/')).unwrap_or_default() {
            let kind = match entry.kind {
                EntryKind::Folder => Kind::Folder,
                EntryKind::File | EntryKind::Executable => Kind::File,
                EntryKind::Symlink => Kind::Symlink,
                EntryKind::Submodule => Kind::Submodule,
            };
            open.extend(listing.take(&folder, &raw_name(name), (kind, entry.id), &mut siblings)?);
        }
    }
    Ok(listing)
}

/// The bytes of a name, as far as JSON has them: what is not UTF-8 arrives as U+FFFD, and is not UTF-8 here again.
fn raw_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len());
    for (index, part) in name.split('\u{fffd}').enumerate() {
        if index > 0 {
            bytes.push(0xff);
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diff::FileChange,
        model::{name::Name, repository::Author},
    };

    const COMMIT: &str = "1111111111111111111111111111111111111111";

    fn listed(entries: &[(&str, EntryKind)]) -> Result<(Vec<String>, Tree), String> {
        let id = Oid::from_str(COMMIT).expect("a literal that parses");
        let entry = |(path, kind): &(&str, _)| TreeEntry { path: (*path).to_owned(), kind: *kind, id, size: 1 };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        let commit = CommitId::parse(COMMIT).expect("a literal that parses");
        let wanted = Wanted::default();
        let Listing { tree, mut files, .. } = listing(&commit, &wanted, &entries).map_err(|error| error.to_string())?;
        files.sort();
        Ok((files.into_iter().map(|(path, _)| path).collect(), tree))
    }

    #[test]
    fn what_the_server_lists_is_sorted_as_what_git_has() {
        use EntryKind::{Executable, File, Folder, Submodule, Symlink};
        let (files, tree) = listed(&[
            ("README.md", File),
            ("apps", Folder),
            ("apps/kustomization.yaml", File),
            ("apps/x.yaml", File),
            ("apps/\u{fffd}", Folder),
            ("apps/\u{fffd}/kustomization.yaml", File),
            ("bobbypin.yaml", File),
            ("clusters", Folder),
            ("clusters/edge", Folder),
            ("clusters/edge/cluster.yaml", Executable),
            ("clusters/edge/link", Symlink),
            ("clusters/edge/module", Submodule),
        ])
        .unwrap();
        assert_eq!(files, ["apps/kustomization.yaml", "bobbypin.yaml", "clusters/edge/cluster.yaml"]);
        let others: Vec<_> = tree.entries.iter().map(|(path, entry)| (path.as_str(), entry)).collect();
        assert_eq!(others, [("clusters/edge/link", &Entry::Symlink), ("clusters/edge/module", &Entry::Submodule)]);
        assert_eq!(tree.base.as_ref().map(CommitId::as_str), Some(COMMIT));
    }

    #[test]
    fn names_that_no_honest_program_commits_are_refused() {
        use EntryKind::{File, Folder};
        let clusters = ("clusters", Folder);
        for (entries, message) in [
            (vec![("a/b", File)], "the path `a/b` is not acceptable: the name leads elsewhere"),
            (vec![("a", File), ("a/b", File)], "the path `a/b` is not acceptable: the name leads elsewhere"),
            (vec![("..", Folder), ("../x", File)], "the path `..` is not acceptable: the name leads elsewhere"),
            (vec![("/x", File)], "the path `/x` is not acceptable: the name leads elsewhere"),
            (
                vec![clusters, ("clusters/.GIT", File)],
                "the path `clusters/.GIT` is not acceptable: some file systems take it for Git's own folder",
            ),
            (
                vec![clusters, ("clusters/\u{fffd}", File)],
                "the path `clusters/\u{fffd}` is not acceptable: the name is not UTF-8",
            ),
            (
                vec![clusters, ("clusters/a", File), ("clusters/A", File)],
                "the paths `clusters/a` and `clusters/A` differ in nothing but upper and lower case",
            ),
        ] {
            assert_eq!(listed(&entries).map(|_| ()), Err(message.to_owned()), "{entries:?}");
        }
    }

    #[test]
    fn nothing_is_asked_for_that_stands_on_something_else() {
        let path = |text: &str| RepoPath::parse(text).expect("a literal that parses");
        let file = || Entry::File(Arc::from(&b"old"[..]));
        let entries =
            [("c/file", file()), ("c/link", Entry::Symlink), ("c/module", Entry::Submodule), ("c/d/e", file())];
        let tree = Tree { base: None, entries: entries.into_iter().map(|(text, entry)| (path(text), entry)).collect() };
        let said = |changes: &[(&str, Option<&str>, Option<&str>)]| {
            let bytes = |text: &Option<&str>| text.map(|text| Arc::from(text.as_bytes()));
            let edge = Name::parse("edge").expect("a literal that parses");
            let change =
                |(at, old, new): &(&str, _, _)| FileChange::plain(path(at), edge.clone(), bytes(old), bytes(new));
            let files: Vec<_> = changes.iter().map(change).collect();
            let author = Author { name: "bobbypin".to_owned(), email: "bot@example.org".to_owned() };
            let at = jiff::Timestamp::UNIX_EPOCH;
            let request = NewCommit {
                branch: "main",
                base: None,
                files: &files,
                message: "m",
                author: &author,
                at,
                signer: None,
            };
            expect_free(&tree, &request).map_err(|error| error.to_string())
        };
        let (old, new) = (Some("old"), Some("new"));
        for fine in [
            vec![("c/file", old, new), ("c/new", None, new), ("c/d/e", old, None)],
            vec![("c/file", old, None), ("c/file/below", None, new)],
            vec![("c/d/e", old, None), ("c/d", None, new)],
        ] {
            assert_eq!(said(&fine), Ok(()), "{fine:?}");
        }
        for (change, message) in [
            (("c/file", None, new), "`c/file` is not what the change was computed from"),
            (("c/file", new, None), "`c/file` is not what the change was computed from"),
            (("c/gone", old, None), "`c/gone` is not what the change was computed from"),
            (("c/link", None, new), "`c/link` is in the way: it is a symbolic link"),
            (("c/module", None, new), "`c/module` is in the way: it is a submodule"),
            (("c/link/x", None, new), "`c/link` is in the way: it is a symbolic link"),
            (("c/module/x", None, new), "`c/module` is in the way: it is a submodule"),
            (("c/file/x", None, new), "`c/file` is in the way: it is a file"),
            (("c/d", None, new), "`c/d` is in the way: it is a folder"),
        ] {
            assert_eq!(said(&[change]), Err(message.to_owned()), "{change:?}");
        }
    }
}
