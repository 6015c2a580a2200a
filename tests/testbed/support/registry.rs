//! An OCI registry of the distribution project, with the cleaner that comes with it.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use crate::support::{
    artifacts::Place,
    certificates::Authority,
    component, http,
    process::{Process, folder, free_port},
};

/// The only account of a registry that has accounts.
pub(crate) const ACCOUNT: (&str, &str) = ("puller", "canary-registry-password");

/// Its password, with the least cost that there is.
const PASSWORDS: &str = "puller:$2y$04$cDhQpWs/TPLRiXwdVRg4z.uSGjH8ZMUj6y5OjRsT3/dk6FFpt7.Jy\n";

/// So many tags are in one answer at most.
pub(crate) const TAGS_AT_ONCE: usize = 10;

/// Who a registry lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Anybody,
    /// Whoever knows the password of [`ACCOUNT`].
    Account,
}

/// A running registry. Whatever is in it may be deleted.
pub(crate) struct Registry {
    host: String,
    access: Access,
    folder: PathBuf,
    /// Who vouches for its certificate, if it speaks TLS.
    authority: Option<String>,
    /// `None` while it is stopped.
    process: Option<Process>,
}

impl Registry {
    /// Starts one, which is empty.
    ///
    /// # Panics
    ///
    /// When it does not serve: with the end of what it printed.
    pub(crate) fn start(access: Access) -> Self {
        for _ in 0..5 {
            let folder = folder();
            let host = format!("127.0.0.1:{}", free_port());
            fs::write(folder.join("passwords"), PASSWORDS).expect("a folder of ours");
            let mut registry = Self { host, access, folder, authority: None, process: None };
            if registry.serves() {
                return registry;
            }
            fs::remove_dir_all(&registry.folder).expect("a folder of ours");
        }
        panic!("the registry found every port taken, five times")
    }

    /// `host:port`, as references have it.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A repository in it, for whoever may push.
    pub(crate) fn place(&self, path: &str) -> Place {
        let login = (self.access == Access::Account).then_some(ACCOUNT);
        Place::new(&self.host, path, login)
    }

    /// Ends it; nobody listens on its port any more, and what it holds stays.
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Starts it again, on the same port and with what it held.
    pub(crate) fn restart(&mut self) {
        assert!(self.serves(), "somebody took the port of the registry");
    }

    /// Stops it, and starts it again with TLS. Nobody can push any more. Gives the certificate (PEM) of the authority that
    /// alone vouches for its own.
    pub(crate) fn restart_with_tls(&mut self) -> String {
        let authority = Authority::new();
        let signed = authority.server();
        for (name, text) in [("server.crt", signed.certificate), ("server.key", signed.key)] {
            fs::write(self.folder.join(name), text).expect("a folder of ours");
        }
        self.stop();
        self.authority = Some(authority.pem());
        self.restart();
        authority.pem()
    }

    /// Runs its garbage collector, which cannot be done while it serves. With `untagged`, manifests that no tag leads to
    /// go too.
    pub(crate) fn clean(&mut self, untagged: bool) {
        self.stop();
        let mut cleaner = Command::new(component("registry"));
        cleaner.arg("garbage-collect").args(untagged.then_some("--delete-untagged"));
        let done = cleaner.arg(self.folder.join("config.yml")).env_clear().envs(environment()).output();
        let done = done.expect("a program of ours");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        self.restart();
    }

    /// Starts the program; `false` when the port is taken.
    fn serves(&mut self) -> bool {
        fs::write(self.folder.join("config.yml"), self.settings()).expect("a folder of ours");
        let arguments = ["serve".to_owned(), self.folder.join("config.yml").display().to_string()];
        let mut process = Process::start_with(&component("registry"), &arguments, &environment(), &self.folder);
        let client = http::client(self.authority.as_deref());
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        let served = match self.access {
            Access::Anybody => 200,
            Access::Account => 401,
        };
        let is_ready = process.becomes_ready(Duration::from_secs(60), || {
            let answer = http::send(&client, "GET", &format!("{scheme}://{}/v2/", self.host), &[], String::new());
            answer.is_ok_and(|(status, _)| status == served)
        });
        let printed = process.printed();
        assert!(is_ready || printed.contains("address already in use"), "the registry ended:\n{printed}");
        self.process = is_ready.then_some(process);
        is_ready
    }

    fn settings(&self) -> String {
        let (host, folder) = (&self.host, self.folder.display());
        let accounts = match self.access {
            Access::Anybody => String::new(),
            Access::Account => format!("auth: {{htpasswd: {{realm: registry, path: {folder}/passwords}}}}\n"),
        };
        let tls = match &self.authority {
            Some(_) => format!(", tls: {{certificate: {folder}/server.crt, key: {folder}/server.key}}"),
            None => String::new(),
        };
        format!(
            "version: 0.1
log: {{level: warn}}
storage:
  delete: {{enabled: true}}
  filesystem: {{rootdirectory: {folder}/data}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: \"{host}\", secret: secret{tls}}}
tags: {{maxtags: {TAGS_AT_ONCE}}}
{accounts}"
        )
    }
}

/// It would send traces to whatever listens on a port of this machine.
fn environment() -> [(&'static str, String); 2] {
    [("PATH", env::var("PATH").expect("a PATH")), ("OTEL_TRACES_EXPORTER", "none".to_owned())]
}
