//! Real programs on loopback, for tests: Kubernetes API servers, a Git server, Flux.
//!
//! ```ignore
//! use crate::support::{self, admin::{Admin, refusal}, api_server::{ApiServer, Options}, certificates::Validity};
//!
//! // The cluster that all tests share, with every definition installed. Keep to namespaces of your own.
//! let host = support::host();
//! host.admin().namespace("shop").unwrap();
//! host.admin().apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n").unwrap();
//! host.admin().create_ingresses("shop", 0..10_000).unwrap();
//!
//! // Text for a file: by token, or by a client certificate. `user-1` to `user-9` may do nothing until a role is bound.
//! let text = host.kubeconfig("user-7");
//! assert_eq!(refusal(Admin::new(&text).text("/apis/networking.k8s.io/v1/ingresses")), 403);
//! host.admin().allow_reading("user-7", &["ingresses.networking.k8s.io"]).unwrap();
//! let expired = host.kubeconfig_by_certificate("admin", Some("system:masters"), Validity::Expired);
//!
//! // A cluster of its own: can be killed, and started again on the same port with the same objects.
//! let mut tenant = ApiServer::start(&Options { definitions: false, ..Options::default() });
//! tenant.kill();
//! tenant.restart();
//! ```
//!
//! A server takes 260 MB and three seconds.
//!
//! A Git server, what runs its workflows, and what makes a cluster follow it:
//!
//! ```ignore
//! let gitea = Gitea::shared();
//! let owner = gitea.user("tenant-acme");
//! let repo = gitea.repository(&owner, "clusters");
//! gitea.protect(&repo, json!({"rule_name": "release", "enable_push": false}));
//! let checkout = gitea.git(&repo, &owner);
//! checkout.write("edge/one.yaml", "apiVersion: v1\n…");
//! let commit = checkout.commit("add one");
//! checkout.push().unwrap();
//! assert_eq!(gitea.branch_head(&repo, "main"), commit);
//! let (status, answer) = gitea.api("GET", "/user", Some(&gitea.token(&owner, &["read:user"])), None);
//!
//! // The steps of its workflows see this PATH.
//! let runner = Runner::start(gitea, &repo, &Runner::path_of_tests());
//!
//! let (server, flux) = flux::shared();
//! server.admin().apply("kind: GitRepository …").unwrap();
//! let source = flux.becomes_ready("source.toolkit.fluxcd.io/v1", "GitRepository", "shop", "clusters");
//! ```
//!
//! Gitea takes 190 MB and a second, the controllers of Flux 460 MB and a second.
//!
//! A registry, and what is in it:
//!
//! ```ignore
//! let mut registry = Registry::start(Access::Anybody);
//! let shop = registry.place("tenant-acme/shop");
//! let image = Artifact::index(&["linux/amd64", "linux/arm64"], "first");
//! shop.push(&image, "1.0.0");
//! shop.push(&Artifact::index(&["linux/amd64"], "second"), "1.0.0");
//! registry.clean(true);
//! assert_eq!(shop.found(image.digest().as_str()), None);
//! ```
//!
//! It takes 45 MB and a tenth of a second.
//!
//! No program outlives the tests, however they end. There is no controller manager: a namespace that is deleted stays
//! `Terminating`, and no service account gets a token by itself.

pub(crate) mod admin;
pub(crate) mod api_server;
pub(crate) mod artifacts;
pub(crate) mod certificates;
pub(crate) mod checkout;
pub(crate) mod crds;
pub(crate) mod dns;
pub(crate) mod etcd;
pub(crate) mod flux;
pub(crate) mod gitea;
pub(crate) mod http;
pub(crate) mod ingresses;
pub(crate) mod oracle;
pub(crate) mod process;
pub(crate) mod registry;
pub(crate) mod runner;

use std::{
    env, fs,
    path::PathBuf,
    sync::{LazyLock, OnceLock},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

use api_server::{ApiServer, Options};

/// The cluster that tests share, with every definition of [`crds`] installed. It is started by the first that asks.
pub(crate) fn host() -> &'static ApiServer {
    static HOST: OnceLock<ApiServer> = OnceLock::new();
    HOST.get_or_init(|| ApiServer::start(&Options { definitions: true, ..Options::default() }))
}

/// Where the runner put a program, or the folder of definitions.
///
/// # Panics
///
/// When the runner did not: then nothing can be tested, and that must be seen.
pub(crate) fn component(name: &str) -> PathBuf {
    let path = env::var_os("BOBBYPIN_TESTBED").map(|folder| PathBuf::from(folder).join(name));
    path.filter(|path| fs::metadata(path).is_ok())
        .unwrap_or_else(|| panic!("there is no {name} for this test: run it by `bash tests/testbed/run`"))
}

/// Runs something asynchronous to its end. Not to be called from within something asynchronous.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        // Fails when somebody else was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads can be started")
    });
    RUNTIME.block_on(future)
}

/// Asks again and again until there is an answer, or the time is up.
pub(crate) fn poll<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() > end {
            return answer;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
