//! Real repositories, made with the real `git`.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the tests make repositories on disk")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use bobbypin::{
    diff::FileChange,
    edge::git::{NewCommit, PublishError, Published, Repository},
    model::{
        name::Name,
        repository::Author,
        tree::{CommitId, RepoPath, Tree},
    },
};
use jiff::Timestamp;
use tempfile::TempDir;

/// A repository in a temporary folder, with the branch `main`.
pub(crate) struct TestRepository {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
}

impl TestRepository {
    /// Without a work tree.
    pub(crate) fn bare() -> Self {
        Self::init(&["--bare"])
    }

    /// With a work tree.
    pub(crate) fn with_work_tree() -> Self {
        Self::init(&[])
    }

    /// With these further arguments of `git init`.
    pub(crate) fn init(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("repository");
        let made = Self { folder, path };
        let path = made.path.to_str().expect("a path that is text").to_owned();
        let all: Vec<_> = ["init", "-q", "--template=", "-b", "main"]
            .iter()
            .chain(arguments)
            .copied()
            .chain([path.as_str()])
            .collect();
        made.git_in(made.folder.path(), &all, b"");
        made
    }

    /// Runs `git` in the repository and gives what it prints, without the last line break.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    /// The same with something to read.
    pub(crate) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        self.git_in(&self.path, arguments, input)
    }

    /// It waits for no disk.
    fn git_in(&self, folder: &Path, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(["-c", "core.fsync=none"])
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_AUTHOR_NAME", "Ann"),
                ("GIT_AUTHOR_EMAIL", "ann@example.org"),
                ("GIT_AUTHOR_DATE", "1700000000 +0000"),
                ("GIT_COMMITTER_NAME", "Ann"),
                ("GIT_COMMITTER_EMAIL", "ann@example.org"),
                ("GIT_COMMITTER_DATE", "1700000000 +0000"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("git is installed");
        child.stdin.take().expect("a pipe").write_all(input).expect("git reads its input");
        let output = child.wait_with_output().expect("git ends");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    /// Commits files to `main`, in addition to what is there; `None` removes one. The work tree follows.
    pub(crate) fn commit(&self, files: &[(&str, Option<&str>)]) -> CommitId {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.map(|text| ("100644", text)))).collect();
        self.commit_modes(&files)
    }

    /// The same with the mode of each entry; for a submodule the text is the commit.
    pub(crate) fn commit_modes(&self, files: &[(&str, Option<(&str, &str)>)]) -> CommitId {
        let has_parent = !self.git(&["for-each-ref", "refs/heads/main"]).is_empty();
        let mut script = String::from("commit refs/heads/main\nmark :1\n");
        script += "committer Ann <ann@example.org> 1700000000 +0000\ndata 5\ntest\n";
        script += if has_parent { "from refs/heads/main^0\n" } else { "" };
        for (path, entry) in files {
            script += &match entry {
                Some(("160000", id)) => format!("M 160000 {id} {path}\n"),
                Some((mode, text)) => format!("M {mode} inline {path}\ndata {}\n{text}\n", text.len()),
                None => format!("D {path}\n"),
            };
        }
        script += "get-mark :1\n";
        let made = self.git_with(&["fast-import", "--quiet"], script.as_bytes());
        if self.path.join(".git").exists() {
            self.git(&["reset", "-q", "--hard"]);
        }
        CommitId::parse(&made).expect("git prints an id")
    }

    /// The commit of `main`.
    pub(crate) fn tip(&self) -> CommitId {
        CommitId::parse(&self.git(&["rev-parse", "refs/heads/main"])).expect("git prints an id")
    }

    /// Every entry of `main`, as `mode path content-id`.
    pub(crate) fn entries(&self) -> Vec<String> {
        let listed =
            self.git(&["-c", "core.quotePath=false", "ls-tree", "-r", "--format=%(objectmode) %(path)", "main"]);
        listed.lines().map(str::to_owned).collect()
    }

    /// The text of a file of `main`.
    pub(crate) fn text(&self, path: &str) -> String {
        self.git(&["show", &format!("main:{path}")])
    }

    /// Opens it the way the program does.
    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.path.clone()).expect("a repository that opens")
    }

    /// Fails unless Git finds nothing to complain about.
    pub(crate) fn expect_sound(&self) {
        assert_eq!(self.git(&["fsck", "--strict", "--no-dangling", "--full"]), "");
    }

    /// Every file below the repository with its size and time of change: what a dry run must leave as it is.
    pub(crate) fn listing(&self) -> Vec<String> {
        let mut open = vec![self.path.clone()];
        let mut found = Vec::new();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).expect("a readable folder") {
                let entry = entry.expect("a readable entry");
                let metadata = entry.metadata().expect("an entry that stays");
                let modified = metadata.modified().expect("a time");
                found.push(format!("{} {} {modified:?}", entry.path().display(), metadata.len()));
                if metadata.is_dir() {
                    open.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    /// Writes a file of the work tree, or any other below the repository.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a path with a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// Reads a file of the work tree.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path.join(path)).ok()
    }
}

/// A lawful path.
pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).expect("a lawful path")
}

/// A change of one file.
pub(crate) fn change(at: &str, old: Option<&str>, new: Option<&str>) -> FileChange {
    let bytes = |text: &str| Arc::from(text.as_bytes());
    FileChange::plain(path(at), Name::parse("edge").expect("a literal that parses"), old.map(bytes), new.map(bytes))
}

/// The author of the program's commits.
pub(crate) fn author() -> Author {
    Author { name: "bobbypin".to_owned(), email: "bot@example.org".to_owned() }
}

/// A time after that of every commit made with `git` here.
pub(crate) const LATER: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// Prepares and publishes in one go.
pub(crate) fn publish(
    repository: &Repository,
    base: Option<&CommitId>,
    files: &[FileChange],
) -> Result<Published, PublishError> {
    let author = author();
    let request = NewCommit {
        branch: "main",
        base,
        files,
        message: "edge: 1 host added",
        author: &author,
        at: LATER,
        signer: None,
    };
    repository.publish(&repository.prepare(request)?)
}

/// The entries of a tree as text: the content of files, and the kind of the others in brackets.
pub(crate) fn texts(tree: &Tree) -> Vec<(String, String)> {
    use bobbypin::model::tree::Entry;
    let text = |entry: &Entry| match entry {
        Entry::File(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Entry::Symlink => "[link]".to_owned(),
        Entry::Submodule => "[submodule]".to_owned(),
    };
    tree.entries.iter().map(|(path, entry)| (path.to_string(), text(entry))).collect()
}
