//! Which cluster is meant, written down.

use crate::{
    config::{
        edit::{EditError, with_uid},
        problem::Source,
        state_text,
    },
    edge::kube::{Failure, identity},
    model::{
        layer::{Layer, TenantId},
        name::Name,
        observed::Observed,
        state::{LayerState, State},
        tree::{Entry, RepoPath, Tree},
    },
    ops::{
        collect::Live,
        decide::{Inventories, Request, clusters},
        load::{self, LoadError},
        selection::Selection,
    },
};

/// A file that is to be written.
#[derive(Debug)]
pub struct Change {
    /// Where.
    pub path: RepoPath,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What became of the question who a cluster is.
#[derive(Debug)]
pub struct Trusted {
    /// The cluster or tenant, for a person.
    pub subject: String,
    /// Its UID.
    pub uid: String,
    /// The file to write; `None` when it says so already.
    pub change: Option<Change>,
}

/// Why nothing is trusted. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The configuration cannot be read.
    #[error("cannot read the configuration")]
    Load(#[from] LoadError),
    /// It is not one cluster that is asked about.
    #[error("say which cluster is meant; there are: {}", .known.join(", "))]
    NotOneCluster {
        /// The clusters of the repository.
        known: Vec<String>,
    },
    /// Nobody says how to reach the cluster.
    #[error("nothing says how to reach {0}")]
    NoWay(Name),
    /// The cluster does not say who it is.
    #[error("{subject} does not say who it is: {} ({})", .failure.message, .failure.cause.as_str())]
    Unread {
        /// The cluster.
        subject: String,
        /// Why.
        failure: Failure,
    },
    /// The tenant's cluster does not say who it is.
    #[error("tenant {tenant} does not say who it is: {message}")]
    TenantUnread {
        /// The tenant.
        tenant: TenantId,
        /// Why.
        message: String,
    },
    /// Another cluster is trusted.
    #[error("{subject} has the UID {found}, and {path} trusts {known}")]
    Another {
        /// The cluster or tenant.
        subject: String,
        /// Its UID.
        found: String,
        /// The UID that is written down.
        known: String,
        /// Where.
        path: RepoPath,
    },
    /// The file cannot be changed.
    #[error("cannot change {path}")]
    Edit {
        /// Which.
        path: RepoPath,
        /// Why.
        source: EditError,
    },
}

/// Asks a host cluster for its UID, and gives its `cluster.yaml` with it. Another UID that is already there is replaced
/// only when that is asked for.
pub fn host(tree: &Tree, selected: &Selection, live: &Live, replace: bool) -> Result<Trusted, TrustError> {
    let mut settings = load::settings(tree, selected);
    if settings.len() != 1 {
        // Problems of the files come first.
        let seen = load::Seen::Inventories(&[]);
        load::clusters(tree, selected, seen, jiff::Timestamp::UNIX_EPOCH)?;
        return Err(TrustError::NotOneCluster {
            known: settings.iter().map(|(_, one)| one.name.to_string()).collect(),
        });
    }
    let (folder, config) = settings.pop().expect("one cluster");
    let way = live.way(&config).ok_or_else(|| TrustError::NoWay(config.name.clone()))?;
    let subject = format!("cluster {}", config.name);
    let found = identity(&way, live.limits());
    let found = found.map_err(|failure| TrustError::Unread { subject: subject.clone(), failure })?;
    let path = folder.join("cluster.yaml");
    match &config.uid {
        Some(known) if *known == found => return Ok(Trusted { subject, uid: found, change: None }),
        Some(known) if !replace => {
            return Err(TrustError::Another { subject, found, known: known.clone(), path });
        }
        Some(_) | None => (),
    }
    let Some(Entry::File(bytes)) = tree.entries.get(&path) else { unreachable!("the settings came from it") };
    let source = Source { path: path.to_string(), bytes: bytes.clone() };
    let bytes = with_uid(&source, &config.name, &found);
    let bytes = bytes.map_err(|source| TrustError::Edit { path: path.clone(), source })?;
    Ok(Trusted { subject, uid: found, change: Some(Change { path, bytes }) })
}

/// Asks a tenant's cluster for its UID, and gives `state.yaml` with it. Who asks for that means the cluster as it is now.
pub fn tenant(tree: &Tree, request: &Request, tenant: &TenantId) -> Result<Trusted, TrustError> {
    let mut clusters = clusters(tree, request)?;
    let cluster = match clusters.pop() {
        Some(cluster) if clusters.is_empty() => cluster,
        last => {
            let known = clusters.iter().chain(&last).map(|cluster| cluster.config.name.to_string());
            return Err(TrustError::NotOneCluster { known: known.collect() });
        }
    };
    let unread = |message: &str| TrustError::TenantUnread { tenant: tenant.clone(), message: message.to_owned() };
    let found = match cluster.inventory.tenant_clusters.get(tenant).map(|cluster| &cluster.uid) {
        Some(Observed::Present(uid)) => uid.clone(),
        Some(Observed::Unknown(unknown)) => return Err(unread(&unknown.message)),
        Some(Observed::Absent) => return Err(unread("it has no namespace kube-system")),
        None if matches!(request.inventories, Inventories::Live(_)) && !cluster.is_seen => {
            return Err(TrustError::NoWay(cluster.config.name));
        }
        None => return Err(unread("the host shows no such tenant, or its settings say not to read it")),
    };
    let subject = format!("tenant {tenant}");
    let layer = Layer::Tenant(tenant.clone());
    let mut state: State = cluster.state;
    let memory: &mut LayerState = state.layers.entry(layer).or_default();
    if memory.uid.as_ref() == Some(&found) {
        return Ok(Trusted { subject, uid: found, change: None });
    }
    memory.uid = Some(found.clone());
    let path = cluster.folder.join("state.yaml");
    let bytes = state_text(&state, &cluster.config.name).into_bytes();
    Ok(Trusted { subject, uid: found, change: Some(Change { path, bytes }) })
}
