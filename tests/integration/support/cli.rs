//! The real program in a scrubbed environment, on real repositories that the `git` program made.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs in folders")]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::SystemTime,
};

use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_bobbypin");

/// The inventory of the worked example, as a file of every sandbox.
pub(crate) const EDGE: &str = "../edge.yaml";

/// How a program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The exit code; a signal counts as `None`.
    pub(crate) code: Option<i32>,
    /// All of its standard output.
    pub(crate) stdout: String,
    /// All of its standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// Everything at once, for snapshots.
    pub(crate) fn told(&self) -> String {
        let code = self.code.map_or("a signal".to_owned(), |code| code.to_string());
        let part = |name: &str, text: &str| if text.is_empty() { String::new() } else { format!("{name}\n{text}") };
        format!("exit {code}\n{}{}", part("── stdout", &self.stdout), part("── stderr", &self.stderr))
    }

    /// The standard output, read as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Fails the test unless the program ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.told());
        self
    }
}

/// A folder of its own with `remote.git`, a bare repository, and `work`, a checkout of its branch `main`.
#[derive(Debug)]
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// Repositories without any commit.
    pub(crate) fn empty() -> Self {
        static MADE: LazyLock<Mould> = LazyLock::new(|| {
            let sandbox = Sandbox::bare();
            for made in ["home", "tmp"] {
                fs::create_dir(sandbox.root().join(made)).expect("a new folder");
            }
            let remote = sandbox.remote();
            // Without the hooks that nobody calls: each is a file more in every sandbox.
            sandbox.git_at(&sandbox.root(), &["init", "-q", "--template=", "--bare", "-b", "main", "remote.git"]);
            sandbox.git_at(&sandbox.root(), &["init", "-q", "--template=", "-b", "main", "work"]);
            sandbox.git(&["remote", "add", "origin", &remote.display().to_string()]);
            Mould::of(&sandbox)
        });
        MADE.cast()
    }

    /// The settings of the worked example `clusters/edge`, committed and pushed; its inventory lies beside as `edge.yaml`.
    pub(crate) fn edge() -> Self {
        static MADE: LazyLock<Mould> = LazyLock::new(|| {
            let sandbox = Sandbox::empty();
            copy(&project().join("clusters/edge"), &sandbox.path("clusters/edge"));
            fs::copy(project().join("examples/inventory/edge.yaml"), sandbox.root().join("edge.yaml")).expect("a copy");
            sandbox.push("the settings");
            Mould::of(&sandbox)
        });
        MADE.cast()
    }

    /// Nothing but the folder.
    fn bare() -> Self {
        Self { folder: tempfile::Builder::new().prefix("bobbypin-test-").tempdir().expect("a temporary folder") }
    }

    /// The folder around both repositories, without symbolic links in its name.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("the folder is there")
    }

    /// The checkout.
    pub(crate) fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// The bare repository.
    pub(crate) fn remote(&self) -> PathBuf {
        self.root().join("remote.git")
    }

    /// Something in the checkout.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.work().join(path)
    }

    /// The text of a file in the checkout.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes a file of the checkout, and its folders.
    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a writable folder");
        fs::write(path, bytes).expect("a writable file");
    }

    /// Changes a file of the checkout; what is to be replaced must be there.
    #[track_caller]
    pub(crate) fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} has no {old:?}");
        self.write(path, text.replacen(old, new, 1));
    }

    /// Commits everything in the checkout and pushes it.
    pub(crate) fn push(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", message]);
        self.git(&["push", "-q", "origin", "HEAD:main"]);
    }

    /// Brings the checkout to the tip of the bare repository.
    pub(crate) fn pull(&self) {
        self.git(&["fetch", "-q", "origin"]);
        self.git(&["reset", "-q", "--hard", "origin/main"]);
    }

    /// The commit that the bare repository's branch is at.
    pub(crate) fn tip(&self) -> String {
        self.remote_git(&["rev-parse", "main"]).trim().to_owned()
    }

    /// How many commits the bare repository's branch has.
    pub(crate) fn commits(&self) -> usize {
        self.remote_git(&["rev-list", "--count", "main"]).trim().parse().expect("a number")
    }

    /// A file as the tip of the bare repository's branch has it.
    pub(crate) fn committed(&self, path: &str) -> String {
        self.remote_git(&["show", &format!("main:{path}")])
    }

    /// Runs `git` in the checkout.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_at(&self.work(), args)
    }

    /// Runs `git` in the bare repository.
    #[track_caller]
    pub(crate) fn remote_git(&self, args: &[&str]) -> String {
        self.git_at(&self.remote(), args)
    }

    /// Runs `git`, which must succeed, and gives what it printed. It waits for no disk.
    #[track_caller]
    pub(crate) fn git_at(&self, folder: &Path, args: &[&str]) -> String {
        let ran = finish(self.scrubbed("git", folder).args(["-c", "core.fsync=none"]).args(args));
        assert_eq!(ran.code, Some(0), "git {args:?}: {}", ran.told());
        ran.stdout
    }

    /// Runs the program in the checkout.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    /// `reconcile` with the inventory of the worked example.
    pub(crate) fn reconcile(&self) -> Ran {
        self.run(&["reconcile", "--inventory", EDGE])
    }

    /// The program in the checkout, ready to be run.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.scrubbed(PROGRAM, &self.work());
        command.args(args);
        command
    }

    /// Any program with nothing of this machine in its environment but where programs are.
    pub(crate) fn scrubbed(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("there is a PATH"))
            .env("HOME", self.root().join("home"))
            .env("TMPDIR", self.root().join("tmp"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "A person")
                .env(format!("GIT_{role}_EMAIL"), "person@localhost.invalid")
                .env(format!("GIT_{role}_DATE"), "2026-11-20T09:00:00Z");
        }
        command
    }

    /// Fails the test unless `git` finds nothing wrong with the bare repository.
    #[track_caller]
    pub(crate) fn expect_sound(&self) {
        self.remote_git(&["fsck", "--strict", "--no-dangling", "--no-progress"]);
    }

    /// Every file below the folder with its bytes and the time it was last written.
    pub(crate) fn listing(&self) -> Listing {
        let mut found = BTreeMap::new();
        let mut open = vec![self.root()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).expect("a readable folder") {
                let path = entry.expect("a readable entry").path();
                let metadata = fs::symlink_metadata(&path).expect("it is there");
                let modified = metadata.modified().expect("this system knows the time");
                if metadata.is_dir() {
                    open.push(path.clone());
                    found.insert(path, (modified, Vec::new()));
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    found.insert(path, (modified, bytes));
                }
            }
        }
        found
    }
}

/// What a sandbox consists of. `git` makes it once; all others of its kind are written from here, in a tenth of the time.
struct Mould {
    /// Where it was made.
    root: PathBuf,
    /// Folders before what is in them.
    entries: Vec<(PathBuf, fs::Permissions, Option<Vec<u8>>)>,
}

impl Mould {
    fn of(sandbox: &Sandbox) -> Self {
        let root = sandbox.root();
        let entries = sandbox.listing().into_iter().map(|(path, (_, bytes))| {
            let metadata = fs::symlink_metadata(&path).expect("it is there");
            assert!(!metadata.is_symlink(), "{}", path.display());
            let place = path.strip_prefix(&root).expect("it lies below").to_owned();
            (place, metadata.permissions(), metadata.is_file().then_some(bytes))
        });
        Self { entries: entries.collect(), root }
    }

    /// Another one, at a place of its own.
    fn cast(&self) -> Sandbox {
        let sandbox = Sandbox::bare();
        let root = sandbox.root();
        for (place, permissions, bytes) in &self.entries {
            let path = root.join(place);
            let Some(bytes) = bytes else {
                fs::create_dir(&path).expect("a new folder");
                continue;
            };
            // The only file that says where it lies.
            if place == Path::new("work/.git/config") {
                let text = String::from_utf8_lossy(bytes);
                let (old, new) = (self.root.display().to_string(), root.display().to_string());
                fs::write(&path, text.replace(&old, &new)).expect("a new file");
            } else {
                fs::write(&path, bytes).expect("a new file");
            }
            fs::set_permissions(&path, permissions.clone()).expect("a file of ours");
        }
        sandbox
    }
}

/// Files and folders with their times and bytes.
pub(crate) type Listing = BTreeMap<PathBuf, (SystemTime, Vec<u8>)>;

/// Runs a program to its end.
pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("results are UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("messages are UTF-8"),
    }
}

/// The folder of the package.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies a folder with everything in it that a person wrote.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("it has a name");
        if name == "manifests" || name == "state.yaml" {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a copy");
        }
    }
}

/// Compares everything that a run says with an inline snapshot; what differs from run to run is named instead.
macro_rules! assert_told {
    ($ran:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            (r"(/[^\s/']+)*/bobbypin-test-[A-Za-z0-9]+", "ROOT"),
            (r"\b[0-9a-f]{40}\b", "COMMIT"),
            (r"\b[0-9a-f]{7}\b", "SHORT"),
            (r"bobbypin([_-])[A-Za-z0-9]{6}\b", "bobbypin${1}RANDOM"),
            (r"sha256:[0-9a-f]{64}", "DIGEST"),
        ]}, {
            insta::assert_snapshot!($ran.told(), @$expected)
        })
    };
}
pub(crate) use assert_told;
