//! A clone of a repository, driven by the `git` of the machine, with none of its settings.

use std::{env, fs, path::Path, process::Command};

use tempfile::TempDir;

/// A clone in a folder of its own, which is removed with it.
#[derive(Debug)]
pub(crate) struct Checkout {
    folder: TempDir,
    authority: Option<String>,
}

impl Checkout {
    /// Clones. The file of an authority (PEM) is the only one that is trusted, if it is given.
    ///
    /// # Errors
    ///
    /// What Git says, when it cannot.
    pub(crate) fn clone(url: &str, authority: Option<&Path>) -> Result<Self, String> {
        let folder = TempDir::with_prefix("checkout-").expect("a temporary folder");
        let checkout = Self { folder, authority: authority.map(|path| path.display().to_string()) };
        checkout.git(&["clone", "--quiet", url, "."])?;
        Ok(checkout)
    }

    /// Where its files are.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs Git in it. What it prints, without the last line end.
    ///
    /// # Errors
    ///
    /// What Git says, when it fails.
    pub(crate) fn git(&self, arguments: &[&str]) -> Result<String, String> {
        let done = Command::new("git")
            .current_dir(self.path())
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("a PATH, which Git is on"))
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
            .envs([("GIT_AUTHOR_NAME", "Test"), ("GIT_AUTHOR_EMAIL", "test@example.org")])
            .envs([("GIT_COMMITTER_NAME", "Test"), ("GIT_COMMITTER_EMAIL", "test@example.org"), ("LC_ALL", "C")])
            .envs(self.authority.iter().map(|path| ("GIT_SSL_CAINFO", path)))
            .output()
            .expect("git");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    /// Writes a file, and the folders that it is in.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a file in the folder")).expect("a folder of ours");
        fs::write(path, text).expect("a folder of ours");
    }

    /// Commits everything that is there, and says which commit it is.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]).expect("files of ours");
        self.git(&["commit", "--quiet", "--message", message]).expect("something to commit");
        self.git(&["rev-parse", "HEAD"]).expect("a commit")
    }

    /// Pushes the branch that is checked out.
    ///
    /// # Errors
    ///
    /// What Git and the server say, when it is refused.
    pub(crate) fn push(&self) -> Result<(), String> {
        self.git(&["push", "--quiet", "origin", "HEAD"]).map(drop)
    }
}
