//! The controllers of Flux: what makes a cluster follow a repository.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    admin::Admin,
    api_server::{ApiServer, Options},
    component, http, poll,
    process::{Process, folder, free_port},
};

/// How long anything may take that a controller does.
const LIMIT: Duration = Duration::from_secs(60);

/// The four controllers of one cluster, which watch all of its namespaces.
pub(crate) struct Flux {
    admin: Admin,
    receiver: String,
    storage: PathBuf,
    controllers: Vec<Controller>,
}

struct Controller {
    name: &'static str,
    process: Process,
    folder: PathBuf,
    health: String,
}

/// A cluster that tests of Flux share, and its controllers. Keep to namespaces of your own.
pub(crate) fn shared() -> (&'static ApiServer, &'static Flux) {
    static SHARED: LazyLock<(ApiServer, Flux)> = LazyLock::new(|| {
        let server = ApiServer::start(&Options { definitions: true, ..Options::default() });
        let flux = Flux::start(&server);
        (server, flux)
    });
    (&SHARED.0, &SHARED.1)
}

impl Flux {
    /// Starts the controllers of a cluster that has the definitions of [`crds`](crate::support::crds), and waits until
    /// they work.
    ///
    /// # Panics
    ///
    /// When one does not: with the end of what it printed.
    pub(crate) fn start(server: &ApiServer) -> Self {
        server.admin().namespace("flux-system").expect("a cluster that runs");
        for _ in 0..5 {
            if let Some(started) = Self::try_start(server) {
                return started;
            }
        }
        panic!("the controllers of Flux found every port taken, five times")
    }

    fn try_start(server: &ApiServer) -> Option<Self> {
        let address = || format!("127.0.0.1:{}", free_port());
        let (storage, events, receiver) = (address(), address(), address());
        let kubeconfig = server.kubeconfig("admin");
        let files = folder();
        let source = [
            format!("--storage-path={}", files.join("storage").display()),
            format!("--storage-addr={storage}"),
            format!("--storage-adv-addr={storage}"),
        ];
        let follows = [
            format!("--events-addr=http://{events}/"),
            // Ordinarily half a minute for what waits for something else, and a quarter of an hour for what failed.
            "--requeue-dependency=1s".to_owned(),
            "--min-retry-delay=100ms".to_owned(),
            "--max-retry-delay=2s".to_owned(),
        ];
        let controllers = [
            ("source-controller", [&source[..], &follows].concat(), files),
            ("kustomize-controller", follows.to_vec(), folder()),
            ("helm-controller", follows.to_vec(), folder()),
            (
                "notification-controller",
                vec![format!("--events-addr={events}"), format!("--receiverAddr={receiver}")],
                folder(),
            ),
        ];
        let storage = controllers[0].2.join("storage");
        fs::create_dir(&storage).expect("a folder of ours");
        let controllers =
            controllers.map(|(name, arguments, folder)| Controller::start(name, &kubeconfig, arguments, folder));
        let mut started = Self {
            admin: server.admin().clone(),
            receiver: format!("http://{receiver}"),
            storage,
            controllers: controllers.into(),
        };
        let is_complete = started.controllers.iter_mut().all(Controller::becomes_ready);
        if !is_complete {
            let folders: Vec<_> = started.controllers.iter().map(|one| one.folder.clone()).collect();
            drop(started);
            // Those that did not end by themselves took theirs with them.
            folders.iter().for_each(|folder| drop(fs::remove_dir_all(folder)));
            return None;
        }
        Some(started)
    }

    /// Where a Receiver's `status.webhookPath` is found, without a slash at the end.
    pub(crate) fn receiver(&self) -> &str {
        &self.receiver
    }

    /// Where source-controller keeps what it fetched.
    pub(crate) fn storage(&self) -> &Path {
        &self.storage
    }

    /// The end of what each controller printed.
    pub(crate) fn printed(&self) -> String {
        let parts = self.controllers.iter().map(|one| format!("{}:\n{}\n", one.name, one.process.printed()));
        parts.collect()
    }

    /// Waits for something that the controllers should bring about.
    ///
    /// # Panics
    ///
    /// When they do not within a minute: with the end of what each printed.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        poll(LIMIT, ask).unwrap_or_else(|| panic!("{what}: not within {LIMIT:?}\n{}", self.printed()))
    }

    /// Waits until an object of Flux, as it is declared now, is ready; and reads it.
    ///
    /// # Panics
    ///
    /// When it is not within a minute: with what it says of itself, and the end of what each controller printed.
    #[track_caller]
    pub(crate) fn becomes_ready(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
        let mut last = Value::Null;
        let ready = poll(LIMIT, || {
            let object = self.admin.get(api_version, kind, Some(namespace), name).ok()?;
            let generation = object.metadata.generation;
            last = object.data;
            let seen = last.pointer("/status/observedGeneration").and_then(Value::as_i64);
            let conditions = last.pointer("/status/conditions").and_then(Value::as_array)?;
            let is_ready = conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
            (is_ready && seen == generation).then(|| last.clone())
        });
        ready.unwrap_or_else(|| panic!("{kind} {namespace}/{name}: {}\n{}", last["status"], self.printed()))
    }
}

impl Controller {
    fn start(name: &'static str, kubeconfig: &str, further: Vec<String>, folder: PathBuf) -> Self {
        let file = folder.join("kubeconfig");
        fs::write(&file, kubeconfig).expect("a folder of ours");
        let health = format!("127.0.0.1:{}", free_port());
        let mut arguments = vec![
            "--enable-leader-election=false".to_owned(),
            "--watch-all-namespaces=true".to_owned(),
            format!("--health-addr={health}"),
            "--metrics-addr=127.0.0.1:0".to_owned(),
        ];
        arguments.extend(further);
        let environment = [
            ("PATH", env::var("PATH").expect("a PATH")),
            ("HOME", folder.display().to_string()),
            ("TMPDIR", folder.display().to_string()),
            ("KUBECONFIG", file.display().to_string()),
            ("RUNTIME_NAMESPACE", "flux-system".to_owned()),
        ];
        let process = Process::start_with(&component(name), &arguments, &environment, &folder);
        Self { name, process, folder, health: format!("http://{health}/readyz") }
    }

    /// `false` when a port is taken.
    fn becomes_ready(&mut self) -> bool {
        let client = http::client(None);
        let is_ready = self.process.becomes_ready(LIMIT, || {
            http::send(&client, "GET", &self.health, &[], String::new()).is_ok_and(|(status, _)| status == 200)
        });
        let is_taken = self.process.printed().contains("address already in use");
        assert!(is_ready || is_taken, "{} ended:\n{}", self.name, self.process.printed());
        is_ready
    }
}
