//! Git's services through the program `ssh`.

#![expect(clippy::disallowed_types, reason = "this is where `ssh` is run")]

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use crate::edge::{
    git::remote::{
        Access,
        error::{RemoteError, readable},
        packet::Frames,
        talk::{Service, Take},
    },
    http::Deadline,
};

/// How long what `ssh` prints may be in a message.
const WORDS: usize = 400;

/// A running `ssh`, which ends with its value or when its time is over.
pub(super) struct Ssh {
    host: String,
    child: Arc<Mutex<Child>>,
    to: ChildStdin,
    from: ChildStdout,
    errors: File,
    frames: Frames,
    deadline: Deadline,
    is_late: Arc<AtomicBool>,
    /// Whoever watches the time ends when this is dropped.
    _watched: Sender<()>,
}

impl Ssh {
    /// Starts a service on the server.
    ///
    /// The server's key must be known: a server that nobody checked is refused, never asked about.
    pub(super) fn start(
        host: &str,
        port: Option<u16>,
        path: &str,
        service: Service,
        access: &Access,
        deadline: Deadline,
    ) -> Result<Self, RemoteError> {
        let failed = |source| RemoteError::SshStart { source };
        let errors = tempfile::tempfile().map_err(failed)?;
        let mut command = Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15"]);
        command.args(["-o", "SendEnv=GIT_PROTOCOL", "-o", "ControlMaster=no"]);
        if let Some(file) = &access.ssh_known_hosts {
            command.arg("-o").arg(option("UserKnownHostsFile", file)).args(["-o", "GlobalKnownHostsFile=/dev/null"]);
        }
        if let Some(file) = &access.ssh_key {
            command.args(["-o", "IdentitiesOnly=yes", "-i"]).arg(file);
        }
        if let Some(port) = port {
            command.args(["-p", &port.to_string()]);
        }
        if service == Service::UploadPack {
            command.env("GIT_PROTOCOL", "version=2");
        }
        let quoted = format!("{} '{}'", service.name(), path.replace('\'', r"'\''"));
        let mut child = command
            .args(["--", host, &quoted])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let to = child.stdin.take().expect("a pipe was asked for");
        let from = child.stdout.take().expect("a pipe was asked for");
        let child = Arc::new(Mutex::new(child));
        let is_late = Arc::new(AtomicBool::new(false));
        let (watched, ends) = channel();
        let (watching, late) = (child.clone(), is_late.clone());
        thread::spawn(move || watch(&ends, deadline.left(), &watching, &late));
        let host = host.to_owned();
        Ok(Self { host, child, to, from, errors, frames: Frames::default(), deadline, is_late, _watched: watched })
    }

    /// Asks, and hands over the frames of the answer up to the last.
    pub(super) fn ask(&mut self, request: &[u8], take: &mut Take<'_>, acts: bool) -> Result<(), RemoteError> {
        // When the server has gone away, what it said before tells why.
        let is_sent = self.to.write_all(request).and_then(|()| self.to.flush()).is_ok();
        self.read(take, acts && is_sent)
    }

    /// Hands over frames until one is the last.
    pub(super) fn read(&mut self, take: &mut Take<'_>, may_have_acted: bool) -> Result<(), RemoteError> {
        let mut piece = vec![0; 64 << 10];
        let mut is_done = false;
        while !is_done {
            let count = self.from.read(&mut piece).unwrap_or(0);
            if count == 0 {
                return Err(self.ended(may_have_acted));
            }
            let mut frames = std::mem::take(&mut self.frames);
            frames.feed(&piece[..count], |packet| {
                is_done |= take(packet)?;
                Ok::<_, RemoteError>(())
            })?;
            self.frames = frames;
        }
        Ok(())
    }

    /// Why there is no more.
    fn ended(&mut self, may_have_acted: bool) -> RemoteError {
        let host = self.host.clone();
        if self.is_late.load(Ordering::SeqCst) {
            return RemoteError::SshTimeout { host, seconds: self.deadline.given().as_secs(), may_have_acted };
        }
        // What it prints is complete once it has ended, which it does soon after it has closed its output.
        for _ in 0..100 {
            match self.child.lock().map(|mut child| child.try_wait()) {
                Ok(Ok(None)) => thread::sleep(Duration::from_millis(10)),
                _ => break,
            }
        }
        let mut text = Vec::new();
        let begin = self.errors.seek(SeekFrom::Start(0));
        drop(begin.and_then(|_| Read::by_ref(&mut self.errors).take(64 << 10).read_to_end(&mut text)));
        RemoteError::Ssh { host, words: readable(&String::from_utf8_lossy(&text), WORDS), may_have_acted }
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Kills a process when its time is over.
fn watch(ends: &Receiver<()>, time: Duration, child: &Mutex<Child>, is_late: &AtomicBool) {
    if ends.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
        is_late.store(true, Ordering::SeqCst);
        if let Ok(mut child) = child.lock() {
            drop(child.kill());
        }
    }
}

/// An option of `ssh`, whose value may have blanks.
fn option(name: &str, file: &std::path::Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(format!("{name}=\""));
    text.push(file);
    text.push("\"");
    text
}
