//! The real `sshd` before repositories on disk.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "it runs a server that is a program")]

use std::{
    env, fs,
    net::TcpStream,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use tempfile::TempDir;

use crate::support::loopback::Port;

/// Which version of Git's protocol a client can ask for: over SSH it is asked for by a variable of the environment, which
/// servers often do not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptEnv {
    GitProtocol,
    Nothing,
}

/// The server. Whoever runs the tests logs in with the key [`SshServer::identity`] and runs any command. It takes no
/// further connections when it is dropped.
pub(crate) struct SshServer {
    folder: TempDir,
    port: Port,
    user: String,
}

impl SshServer {
    /// None where `sshd` is not installed.
    pub(crate) fn start(accept: AcceptEnv) -> Option<Self> {
        let program = sshd()?;
        let folder = tempfile::Builder::new().prefix("bobbypin-test-").tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        for key in ["host_key", "identity"] {
            said(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", key, "-f"]).arg(path(key)));
        }
        let public = |key: &str| fs::read_to_string(path(&format!("{key}.pub"))).expect("ssh-keygen wrote it");
        fs::write(path("authorized_keys"), public("identity")).expect("a writable file");
        // Any port, so that it holds through a proxy too.
        fs::write(path("known_hosts"), format!("[127.0.0.1]:* {}", public("host_key"))).expect("a writable file");
        fs::write(path("sshd_config"), configuration(folder.path(), accept)).expect("a writable file");
        if said(Command::new("id").arg("-u")) == "0" {
            // Where root's server puts its unprivileged half. The system makes it at boot, or with the first start.
            fs::create_dir_all("/run/sshd").expect("root can make folders");
        }
        let user = said(Command::new("id").arg("-un"));
        let home = folder.path().to_owned();
        let port = Port::open(move |stream| {
            let (program, home) = (program.clone(), home.clone());
            thread::spawn(move || serve(stream, &program, &home));
        });
        Some(Self { folder, port, user })
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address of a repository on disk.
    pub(crate) fn url(&self, repository: &Path) -> String {
        self.url_at(self.port(), repository)
    }

    /// The same through another port, such as that of a proxy.
    pub(crate) fn url_at(&self, port: u16, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{port}{}", self.user, repository.display())
    }

    /// The file with the private key that it lets in.
    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.path().join("identity")
    }

    /// The file that vouches for the server's key, at every port.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// What `GIT_SSH_COMMAND` must be: `ssh` with this key, these hosts to trust, and nothing of this machine's settings.
    pub(crate) fn command(&self, known_hosts: &Path) -> String {
        format!(
            "ssh -F /dev/null -i '{}' -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes \
             -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile='{}'",
            self.identity().display(),
            known_hosts.display()
        )
    }

    /// What the server wrote about its connections.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Serves one connection, as a super-server does: so the port is the system's choice.
fn serve(stream: TcpStream, program: &Path, home: &Path) {
    drop(stream.set_nodelay(true));
    let Ok(output) = stream.try_clone() else { return };
    let mut command = Command::new(program);
    command
        .arg("-i")
        .arg("-f")
        .arg(home.join("sshd_config"))
        .arg("-E")
        .arg(home.join("log"))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .stdin(OwnedFd::from(stream))
        .stdout(OwnedFd::from(output))
        .stderr(Stdio::null());
    let child = command.spawn();
    // It must not keep the connection open.
    drop(command);
    drop(child.map(|mut child| child.wait()));
}

fn configuration(folder: &Path, accept: AcceptEnv) -> String {
    let folder = folder.display();
    let accept = match accept {
        AcceptEnv::GitProtocol => "AcceptEnv GIT_PROTOCOL\n",
        AcceptEnv::Nothing => "",
    };
    format!(
        "HostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         PidFile none\nUseDNS no\nLogLevel VERBOSE\n{accept}SetEnv GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1\n"
    )
}

/// Where the server is; it starts itself anew, and needs its whole path for that.
fn sshd() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Where it is for root, and often not on the path of others.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join("sshd")).find(|program| program.is_file())
}

/// Runs a small program, which must succeed, and gives the line it prints.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
