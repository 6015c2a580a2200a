//! One process for one cluster.

use std::{
    fmt::Write,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::support::{
    admin::Admin,
    certificates::{Authority, Validity, key},
    component, crds,
    etcd::Etcd,
    poll,
    process::{Process, folder, free_port},
};

/// What is special about a cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Users beside `admin` and `user-1` to `user-9`, each with its groups.
    pub(crate) users: Vec<(String, Vec<String>)>,
    /// Whether the definitions of [`crds`] are installed.
    pub(crate) definitions: bool,
    /// How often the history is thrown away: a `continue` token that is up to twice as old is refused with 410. Such a
    /// cluster has an etcd of its own, because all clusters of one etcd have one history.
    pub(crate) compaction: Option<Duration>,
    /// Further arguments of the program.
    pub(crate) arguments: Vec<String>,
}

/// A cluster: its API server, and what it takes to be let in.
pub(crate) struct ApiServer {
    port: u16,
    users: Vec<(String, Vec<String>)>,
    authority: Authority,
    /// Where its objects are, if not in the shared one.
    _etcd: Option<Etcd>,
    arguments: Vec<String>,
    folder: PathBuf,
    admin: Admin,
    /// None while it is killed.
    process: Option<Process>,
}

impl ApiServer {
    /// Starts a new, empty cluster and waits until it serves.
    ///
    /// # Panics
    ///
    /// When it does not: with the end of what it printed.
    pub(crate) fn start(options: &Options) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(options) {
                if options.definitions {
                    crds::install(started.admin());
                }
                return started;
            }
        }
        panic!("the API server found every port taken, five times")
    }

    fn try_start(options: &Options) -> Option<Self> {
        static CLUSTERS: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("/cluster-{}", CLUSTERS.fetch_add(1, Ordering::Relaxed));
        let etcd = options.compaction.map(|_| Etcd::start());
        let (authority, port, folder) = (Authority::new(), free_port(), folder());
        let mut users = vec![("admin".to_owned(), vec!["system:masters".to_owned()])];
        users.extend((1..10).map(|number| (format!("user-{number}"), vec![])));
        users.extend(options.users.clone());

        let server = authority.server();
        let tokens = users.iter().fold(String::new(), |mut lines, (user, groups)| {
            let _ = writeln!(lines, "{},{user},uid-of-{user},\"{}\"", token(user), groups.join(","));
            lines
        });
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).expect("a folder of ours");
            path.display().to_string()
        };
        let accounts = key();
        let mut arguments = vec![
            format!("--etcd-servers={}", etcd.as_ref().map_or_else(|| Etcd::shared().url(), Etcd::url)),
            format!("--etcd-prefix={prefix}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", folder.display()),
            format!("--tls-cert-file={}", file("server.crt", &server.certificate)),
            format!("--tls-private-key-file={}", file("server.key", &server.key)),
            format!("--client-ca-file={}", file("ca.crt", &authority.pem())),
            format!("--token-auth-file={}", file("tokens.csv", &tokens)),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", file("accounts.pub", &accounts.public_key_pem())),
            format!("--service-account-signing-key-file={}", file("accounts.key", &accounts.serialize_pem())),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--allow-privileged".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
        ];
        arguments.extend(options.compaction.map(|every| format!("--etcd-compaction-interval={}ms", every.as_millis())));
        arguments.extend(options.arguments.clone());

        let admin = Admin::new(&kubeconfig(port, &authority, "admin", &json!({"token": token("admin")})));
        let mut started = Self { port, users, authority, _etcd: etcd, arguments, folder, admin, process: None };
        started.serve().then_some(started)
    }

    /// `false` when the port is taken.
    fn serve(&mut self) -> bool {
        let mut process = Process::start(&component("kube-apiserver"), &self.arguments, &self.folder);
        let is_ready = process.becomes_ready(Duration::from_secs(120), || self.admin.is_ready());
        let is_taken = process.printed().contains("address already in use");
        assert!(is_ready || is_taken, "the API server ended:\n{}", process.printed());
        self.process = is_ready.then_some(process);
        is_ready
    }

    /// Kills it at once. Connections to it break, and its port is free.
    pub(crate) fn kill(&mut self) {
        self.process.take().expect("a cluster that runs").kill();
    }

    /// Starts it again after [`ApiServer::kill`], with the same port, certificates, users and objects.
    pub(crate) fn restart(&mut self) {
        assert!(self.process.is_none(), "kill it first");
        // Whoever took the port in between may be gone in a moment.
        poll(Duration::from_secs(10), || self.serve().then_some(())).expect("the port of before is still free");
    }

    /// All that an administrator can do.
    pub(crate) fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// By what bobbypin tells clusters apart: the UID of the namespace `kube-system`.
    pub(crate) fn uid(&self) -> String {
        // It is made after the server says that it is ready.
        let found = poll(Duration::from_secs(20), || self.admin.get("v1", "Namespace", None, "kube-system").ok());
        found.and_then(|namespace| namespace.metadata.uid).expect("a namespace kube-system")
    }

    /// The token of a user: `admin`, `user-1` to `user-9`, and those of [`Options::users`].
    pub(crate) fn token(&self, user: &str) -> String {
        assert!(self.users.iter().any(|(known, _)| known == user), "no user {user}");
        token(user)
    }

    /// The kubeconfig of a user with a token, with no reference to any file.
    pub(crate) fn kubeconfig(&self, user: &str) -> String {
        kubeconfig(self.port, &self.authority, user, &json!({"token": self.token(user)}))
    }

    /// The kubeconfig of any user, who is in a group if one is given (`system:masters` may do everything), by a client
    /// certificate.
    pub(crate) fn kubeconfig_by_certificate(&self, user: &str, group: Option<&str>, validity: Validity) -> String {
        let signed = self.authority.client(user, group, validity);
        let access = json!({
            "client-certificate-data": base64(&signed.certificate),
            "client-key-data": base64(&signed.key),
        });
        kubeconfig(self.port, &self.authority, user, &access)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // One that runs takes its folder with it.
        if self.process.is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn token(user: &str) -> String {
    format!("secret-token-of-{user}")
}

fn base64(text: &str) -> Value {
    json!(ByteString(text.as_bytes().to_vec()))
}

fn kubeconfig(port: u16, authority: &Authority, user: &str, access: &Value) -> String {
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": base64(&authority.pem()),
        }}],
        "users": [{"name": user, "user": access}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "current-context": "testbed",
    });
    serde_yaml::to_string(&text).expect("a tree of strings")
}
