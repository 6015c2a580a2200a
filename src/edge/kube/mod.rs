//! Clusters, read as they are.
//!
//! Every source is complete or unknown, and says why. Nothing here writes to a cluster.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this is where clusters are talked to, and where the time of reading comes from"
)]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use self::{
    cluster::{Cluster, open},
    kubeconfig::{Allowed, Connection, Origin, ServerPolicy},
    session::Session,
};
pub use self::{
    failure::{Cause, Failure},
    session::Limits,
};
use crate::{
    config::inventory::{Collection, Kind},
    model::{
        cluster::{KubeconfigSecrets, SecretKey},
        inventory::{ClusterInventory, Inventory, TenantObject},
        layer::TenantId,
        name::Name,
        observed::{Observed, Unknown},
    },
};

mod api;
mod cluster;
pub(in crate::edge) mod failure;
pub mod flux;
pub mod kubeconfig;
mod list;
mod secret;
mod session;

/// A host cluster that is to be read.
pub struct HostRequest {
    /// Its name in the repository.
    pub name: Name,
    /// The way to it.
    pub way: Way,
    /// The identity that it must have. Of another cluster nothing but its identity is read.
    pub uid: Option<String>,
    /// The namespaces whose Ingresses and routes are read; empty: all.
    pub namespaces: Vec<Name>,
    /// What tells which tenants it has.
    pub tenants_by: TenantsBy,
    /// Which Services are read, by the live `Package`s.
    pub services: Box<dyn Fn(&Observed<BTreeMap<String, Value>>) -> Vec<ObjectName> + Send + Sync>,
    /// Which tenant clusters are read, by the tenants that the host shows.
    pub tenants: Box<dyn Fn(&Observed<BTreeMap<TenantId, TenantObject>>) -> Vec<TenantRequest> + Send + Sync>,
    /// Which addresses their servers may have.
    pub policy: ServerPolicy,
}

/// What tells which tenants a host has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantsBy {
    /// Nothing in the cluster: the settings alone.
    Settings,
    /// The objects of cozystack, whose `Package`s and settings are read too.
    Cozystack,
    /// The Secrets with their kubeconfigs. Only which there are is read, and nothing of what is in them.
    Secrets(KubeconfigSecrets),
}

/// A way to a host cluster.
#[derive(Clone, Debug)]
pub enum Way {
    /// Through the user's kubeconfigs; of what several define, the first one counts.
    Files {
        /// The files. Those that do not exist are passed over when there are several, as kubectl does.
        paths: Vec<PathBuf>,
        /// The context; the current one when it is not named.
        context: Option<String>,
        /// What else than plain data they may hold.
        allowed: Allowed,
    },
    /// As the pod that the program runs in.
    InCluster,
}

/// A tenant cluster that is to be read.
pub struct TenantRequest {
    /// Which.
    pub tenant: TenantId,
    /// Where on the host its kubeconfig is, in the tenant's namespace.
    pub kubeconfig: SecretKey,
    /// Which Services are read.
    pub services: Vec<ObjectName>,
}

/// The namespace and the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectName {
    /// Both must be lawful names; they become parts of a path.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

/// A cluster that was read, or could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The host's name, or `<host> <namespace>/<tenant>`.
    pub cluster: String,
    /// How many clusters are done with this one.
    pub done: usize,
    /// How many there are, as far as is known.
    pub total: usize,
    /// Why it could not be read at all.
    pub failure: Option<String>,
}

/// How clusters are read.
pub struct Reading {
    /// How much time and memory they may take.
    pub limits: Limits,
    /// How many are read at the same time.
    pub jobs: usize,
    /// Told of every cluster that is done.
    pub progress: Box<dyn Fn(Progress) + Send + Sync>,
}

/// Reads host clusters and their tenants. Every request gives an inventory, in the order of the requests; what could not
/// be read is unknown in it.
///
/// Must not be called from an asynchronous task.
///
/// # Errors
///
/// Only if the system has no threads left.
pub fn read(hosts: Vec<HostRequest>, reading: Reading) -> std::io::Result<Vec<Inventory>> {
    // Answers are parsed where they arrive. More threads than two only wait.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().enable_time().build()?;
    let shared = Arc::new(Shared {
        limits: reading.limits,
        free: Semaphore::new(reading.jobs.max(1)),
        counts: std::sync::Mutex::new((0, hosts.len())),
        progress: reading.progress,
    });
    let inventories = runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for (index, request) in hosts.into_iter().enumerate() {
            let shared = shared.clone();
            tasks.spawn(async move { (index, host(&shared, request).await) });
        }
        tasks.join_all().await
    });
    // A connection that does not end must not keep the program.
    runtime.shutdown_background();
    let inventories: BTreeMap<usize, Inventory> = inventories.into_iter().collect();
    Ok(inventories.into_values().collect())
}

/// Reads nothing of a cluster but its identity: the UID of its namespace `kube-system`.
///
/// Must not be called from an asynchronous task.
///
/// # Errors
///
/// Why it is not known.
pub fn identity(way: &Way, limits: Limits) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let runtime = runtime.map_err(|error| Failure::new(Cause::NoAccess, error.to_string()))?;
    runtime.block_on(async {
        let session = session(way, limits).await?;
        match open(session).await {
            (Observed::Present(uid), _) => Ok(uid),
            (Observed::Unknown(unknown), Ok(_)) => Err(Failure::new(Cause::Forbidden, unknown.message)),
            (_, Err(failure)) => Err(failure),
            (Observed::Absent, Ok(_)) => Err(Failure::new(Cause::NotFound, "there is no namespace kube-system")),
        }
    })
}

struct Shared {
    limits: Limits,
    free: Semaphore,
    /// Done and all.
    counts: std::sync::Mutex<(usize, usize)>,
    progress: Box<dyn Fn(Progress) + Send + Sync>,
}

impl Shared {
    fn more(&self, clusters: usize) {
        self.counts.lock().expect("nobody panics while counting").1 += clusters;
    }

    fn done(&self, cluster: String, failure: Option<String>) {
        let (done, total) = {
            let mut counts = self.counts.lock().expect("nobody panics while counting");
            counts.0 += 1;
            *counts
        };
        (self.progress)(Progress { cluster, done, total, failure });
    }
}

async fn host(shared: &Arc<Shared>, request: HostRequest) -> Inventory {
    let permit = shared.free.acquire().await.expect("nobody closes it");
    let label = request.name.to_string();
    let mut inventory = Inventory::unknown(Some(request.name), Timestamp::now(), &Unknown::not_collected());
    let mut api_server = None;
    let opened = match session(&request.way, shared.limits).await {
        Ok(session) => {
            api_server.clone_from(&session.server);
            let (uid, opened) = open(session).await;
            inventory.host.uid = uid;
            opened
        }
        Err(failure) => Err(failure),
    };
    let cluster = match opened {
        Ok(cluster) => cluster,
        Err(failure) => {
            shared.done(label, Some(failure.message.clone()));
            let unknown = failure.unknown();
            let mut nothing = Inventory::unknown(inventory.cluster, Timestamp::now(), &unknown);
            let not_asked = Inventory::unknown(None, Timestamp::now(), &Unknown::not_collected());
            let Inventory { tenants, packages, platform_settings, .. } = not_asked;
            match request.tenants_by {
                TenantsBy::Cozystack => (),
                TenantsBy::Secrets(_) => nothing = Inventory { packages, platform_settings, ..nothing },
                TenantsBy::Settings => nothing = Inventory { tenants, packages, platform_settings, ..nothing },
            }
            nothing.host.api_server = api_server;
            let tenants = (request.tenants)(&nothing.tenants).into_iter();
            nothing.tenant_clusters =
                tenants.map(|request| (request.tenant, ClusterInventory::unknown(&unknown))).collect();
            return nothing;
        }
    };
    if let (Some(wanted), Observed::Present(found)) = (&request.uid, &inventory.host.uid)
        && wanted != found
    {
        shared.done(label, Some(format!("it is the cluster with UID {found}, and not {wanted}")));
        inventory.observed_at = Timestamp::now();
        return inventory;
    }
    let uid = inventory.host.uid.clone();
    let (sources, helm_releases, kustomizations, git_repositories) = tokio::join!(
        cluster.sources(uid, &request.namespaces),
        cluster.objects(Kind::HelmRelease, &[], Collection::into_helm_releases),
        cluster.objects(Kind::Kustomization, &[], Collection::into_kustomizations),
        cluster.objects(Kind::GitRepository, &[], Collection::into_git_repositories),
    );
    inventory.host = sources;
    inventory.helm_releases = helm_releases;
    inventory.kustomizations = kustomizations;
    inventory.git_repositories = git_repositories;
    match &request.tenants_by {
        TenantsBy::Settings => (),
        TenantsBy::Cozystack => {
            let (tenants, packages, settings) = tokio::join!(
                cluster.map(Kind::Tenant, Collection::into_tenants),
                cluster.map(Kind::Package, Collection::into_packages),
                cluster.platform_settings(),
            );
            inventory.tenants = tenants;
            inventory.packages = packages;
            inventory.platform_settings = settings;
        }
        TenantsBy::Secrets(secrets) => inventory.tenants = cluster.kubeconfig_tenants(secrets).await,
    }
    inventory.host.services = cluster.services(&(request.services)(&inventory.packages)).await;
    let tenants = (request.tenants)(&inventory.tenants);
    shared.more(tenants.len());
    shared.done(label.clone(), None);
    drop(permit);

    let cluster = Arc::new(cluster);
    let mut tasks = JoinSet::new();
    for wanted in tenants {
        let (shared, cluster, label, policy) = (shared.clone(), cluster.clone(), label.clone(), request.policy);
        tasks.spawn(async move {
            let id = wanted.tenant.clone();
            (id, tenant(&shared, &cluster, &label, wanted, policy).await)
        });
    }
    inventory.tenant_clusters = tasks.join_all().await.into_iter().collect();
    inventory.observed_at = Timestamp::now();
    inventory
}

/// Reads one tenant cluster, with the kubeconfig that the host has of it. Nothing of that reaches a disk.
async fn tenant(
    shared: &Shared,
    host: &Cluster,
    host_name: &str,
    request: TenantRequest,
    policy: ServerPolicy,
) -> ClusterInventory {
    let _permit = shared.free.acquire().await.expect("nobody closes it");
    let label = format!("{host_name} {}", request.tenant);
    // The Secret counts too: a tenant costs its deadline once, wherever the time goes.
    let deadline = shared.limits.deadline();
    let mut api_server = None;
    let opened = async {
        let SecretKey { name, key } = &request.kubeconfig;
        let secret = ObjectName::new(request.tenant.namespace.as_str(), name.as_str());
        let text = host.until(deadline).secret(&secret, key).await?;
        let connection = kubeconfig::from_text(&text, None, Origin::Tenant(policy)).await;
        let about = format!("the kubeconfig in secrets {}/{}", secret.namespace, secret.name);
        let connection = connection.map_err(|error| no_access(&error).about(&about))?;
        let session = connect(connection, shared.limits, deadline).await?;
        api_server.clone_from(&session.server);
        let (uid, opened) = open(session).await;
        opened.map(|cluster| (uid, cluster))
    };
    match opened.await {
        Ok((uid, cluster)) => {
            let (sources, services) = tokio::join!(cluster.sources(uid, &[]), cluster.services(&request.services));
            shared.done(label, None);
            ClusterInventory { services, ..sources }
        }
        Err(failure) => {
            shared.done(label, Some(failure.message.clone()));
            ClusterInventory { api_server, ..ClusterInventory::unknown(&failure.unknown()) }
        }
    }
}

async fn session(way: &Way, limits: Limits) -> Result<Session, Failure> {
    let connection = match way {
        Way::Files { paths, context, allowed } => kubeconfig::from_files(paths, context.as_deref(), *allowed).await,
        Way::InCluster => kubeconfig::in_cluster(),
    };
    connect(connection.map_err(|error| no_access(&error))?, limits, limits.deadline()).await
}

async fn connect(connection: Connection, limits: Limits, deadline: Instant) -> Result<Session, Failure> {
    let (server, token) = (connection.server_name(), connection.token());
    // A program that gives credentials may take its time, and must not take that of the others.
    let client = tokio::task::spawn_blocking(move || connection.client(limits.request));
    match tokio::time::timeout_at(deadline, client).await {
        Ok(client) => {
            let client = client.expect("no panic in it").map_err(|error| no_access(&error))?;
            Ok(Session::new(client, server, token, limits, deadline))
        }
        Err(_) => Err(Failure::new(Cause::Timeout, format!("no credentials within {:?}", limits.cluster))),
    }
}

fn no_access(error: &kubeconfig::KubeconfigError) -> Failure {
    let failure = Failure::new(Cause::NoAccess, error.to_string());
    match error.hint() {
        Some(hint) => failure.fix(&hint),
        None => failure,
    }
}
