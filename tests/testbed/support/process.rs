//! Programs that end when the tests do, however those end.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use tempfile::TempDir;

use crate::support::poll;

/// Runs the program beside a reader of its own standard input. That input is a pipe from the tests: it ends when they
/// do, whatever ended them, and then the program is killed and its folder removed. The line `keep` kills it too, and
/// leaves the folder.
const WRAPPER: &str = r#"
folder=$1
shift
exec 3<&0 </dev/null
"$@" >>"$folder/log" 2>&1 3<&- &
program=$!
(
    read -r word <&3
    kill -9 "$program" 2>/dev/null
    [ "$word" = keep ]
) &
reader=$!
wait "$program"
if [ $? != 137 ]; then
    kill "$reader"
    exit 1
fi
wait "$reader" || rm -rf "$folder"
"#;

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    wrapper: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts a program. What it prints is added to the file `log` of the folder, which is removed with it.
    pub(crate) fn start(program: &Path, arguments: &[String], folder: &Path) -> Self {
        let wrapper = Command::new("sh")
            .args(["-c", WRAPPER, "sh"])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Self { wrapper, folder: folder.to_owned() }
    }

    /// Starts a program that has this environment, and nothing of that of the tests.
    pub(crate) fn start_with(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        folder: &Path,
    ) -> Self {
        let mut all = vec!["-i".to_owned()];
        all.extend(environment.iter().map(|(name, value)| format!("{name}={value}")));
        all.push(program.display().to_string());
        all.extend_from_slice(arguments);
        Self::start(Path::new("/usr/bin/env"), &all, folder)
    }

    /// Waits until `ready` says so. `false` when the program ended by itself before that.
    ///
    /// # Panics
    ///
    /// When the time is up, with the end of what the program printed.
    pub(crate) fn becomes_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
        let is_ready = poll(limit, || {
            let ended = self.wrapper.try_wait().expect("a child of ours").is_some();
            if ended { Some(false) } else { ready().then_some(true) }
        });
        is_ready.unwrap_or_else(|| panic!("not ready after {limit:?}; it printed:\n{}", self.printed()))
    }

    /// The last lines that the program printed.
    pub(crate) fn printed(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Kills the program at once, as a machine that fails would; its folder stays.
    pub(crate) fn kill(mut self) {
        let pipe = self.wrapper.stdin.as_mut().expect("a pipe, which is closed only below");
        // A program that ended by itself does not read.
        let _ = pipe.write_all(b"keep\n");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.wrapper.stdin.take());
        self.wrapper.wait().expect("a child of ours");
    }
}

/// A folder that outlives its handle: its [`Process`] removes it. For files of a test without one, take a `TempDir`.
pub(crate) fn folder() -> PathBuf {
    TempDir::with_prefix("testbed-").expect("a temporary folder").keep()
}

/// A port on loopback that nobody listens on. Somebody else may be faster in taking it: then try again.
pub(crate) fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        if GIVEN.lock().expect("nobody panics while holding it").insert(port) {
            return port;
        }
    }
}
