//! Inventories of clusters as they are.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::{
    edge::kube::{
        HostRequest, Limits, ObjectName, Progress, Reading, TenantRequest, TenantsBy, Way,
        kubeconfig::{Allowed, ServerPolicy},
        read,
    },
    model::{
        cluster::{AccessWay, ClusterConfig, Platform, ValuesSource},
        inventory::Inventory,
        observed::{Observed, Unknown},
        tree::{RepoPath, Tree},
    },
    ops::{
        load::{self, LoadError},
        selection::Selection,
    },
    plan::{PlatformFacts, reading},
};

/// How clusters are read.
pub struct How {
    /// What the user says about the one cluster of the run; it wins over the cluster's settings.
    pub way: Option<AccessWay>,
    /// The user's kubeconfigs, the first ones win.
    pub kubeconfigs: Vec<PathBuf>,
    /// What may stand in the user's kubeconfigs.
    pub allowed: Allowed,
    /// How much time a cluster may take, and the like.
    pub limits: Limits,
    /// How many clusters are read at the same time.
    pub jobs: usize,
    /// Told of every cluster that is done.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// The clusters themselves, each of which is read once in a run.
pub struct Live {
    how: How,
    /// What was read, and by which settings. A run that decides again on a branch that moved does not read again.
    read: Mutex<Option<(Vec<ClusterConfig>, Vec<Arc<Inventory>>)>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("way", &self.how.way).field("limits", &self.how.limits).finish_non_exhaustive()
    }
}

impl Live {
    /// Nothing is read yet.
    pub fn new(how: How) -> Self {
        Self { how, read: Mutex::new(None) }
    }

    /// How much time a cluster may take, and the like.
    pub fn limits(&self) -> Limits {
        self.how.limits
    }

    /// Reads the selected clusters of a tree that say how they are reached. What could not be read is unknown.
    ///
    /// # Errors
    ///
    /// [`LoadError::NotOneCluster`], when the user's own way is for more than one.
    pub fn inventories(&self, tree: &Tree, selected: &Selection) -> Result<Vec<Arc<Inventory>>, LoadError> {
        let settings = load::settings(tree, selected);
        if self.how.way.is_some() && settings.len() > 1 {
            return Err(LoadError::NotOneCluster);
        }
        let configs: Vec<_> = settings.iter().map(|(_, config)| config.clone()).collect();
        let mut known = self.read.lock().expect("nobody panics while reading");
        if let Some((by, inventories)) = &*known
            && *by == configs
        {
            return Ok(inventories.clone());
        }
        let hosts: Vec<_> =
            settings.into_iter().filter_map(|(folder, config)| self.host(tree, folder, config)).collect();
        let progress = self.how.progress.clone();
        let progress = Box::new(move |step| progress(step));
        let reading = Reading { limits: self.how.limits, jobs: self.how.jobs, progress };
        let inventories =
            if hosts.is_empty() { Vec::new() } else { read(hosts, reading).map_err(LoadError::Threads)? };
        let inventories: Vec<_> = inventories.into_iter().map(Arc::new).collect();
        *known = Some((configs, inventories.clone()));
        Ok(inventories)
    }

    /// The way to a cluster, if anybody says one.
    pub fn way(&self, config: &ClusterConfig) -> Option<Way> {
        let files = |paths, context| Way::Files { paths, context, allowed: self.how.allowed };
        Some(match self.how.way.as_ref().or(config.access.way.as_ref())? {
            AccessWay::Context(context) => files(self.how.kubeconfigs.clone(), Some(context.clone())),
            AccessWay::Kubeconfig(path) => files(vec![PathBuf::from(path)], None),
            AccessWay::InCluster => Way::InCluster,
        })
    }

    fn host(&self, tree: &Tree, folder: RepoPath, config: ClusterConfig) -> Option<HostRequest> {
        let way = self.way(&config)?;
        let access = &config.access.tenants;
        let policy = ServerPolicy { allow_loopback: access.loopback, allow_link_local: access.link_local };
        let config = Arc::new(config);
        let (name, uid, namespaces) = (config.name.clone(), config.uid.clone(), config.access.namespaces.clone());
        let tenants_by = match (&config.platform, &config.tenants.kubeconfigs) {
            (Platform::Cozystack { .. }, _) => TenantsBy::Cozystack,
            (Platform::Generic { .. }, Some(secrets)) => TenantsBy::Secrets(secrets.clone()),
            (Platform::Generic { .. }, None) => TenantsBy::Settings,
        };
        let services = services(tree, folder, &config);
        let tenants = move |seen: &Observed<_>| {
            let request = |one: reading::TenantReading| TenantRequest {
                tenant: one.tenant,
                kubeconfig: one.kubeconfig,
                services: names(one.services),
            };
            reading::tenants(&config, seen).into_iter().map(request).collect()
        };
        Some(HostRequest { name, way, uid, namespaces, tenants_by, services, tenants: Box::new(tenants), policy })
    }
}

/// What gives the host's Services by its live `Package`s, which decide only when the platform's values are read from them.
fn services(
    tree: &Tree,
    folder: RepoPath,
    config: &Arc<ClusterConfig>,
) -> Box<dyn Fn(&Observed<BTreeMap<String, Value>>) -> Vec<ObjectName> + Send + Sync> {
    let is_live = matches!(config.platform, Platform::Cozystack { values: ValuesSource::Live, .. });
    // Files that are wrong are told of when they are loaded; here they only say nothing.
    let facts = move |tree: &Tree, config: &ClusterConfig, packages: &Observed<_>| {
        let facts = load::platform(tree, &folder, config, packages).map(|(facts, _)| facts);
        facts.unwrap_or(PlatformFacts::Unknown(Unknown::not_collected()))
    };
    let config = config.clone();
    if is_live {
        Box::new(move |packages| names(reading::host_services(&config, &facts(&Tree::default(), &config, packages))))
    } else {
        let services = names(reading::host_services(&config, &facts(tree, &config, &Observed::Absent)));
        Box::new(move |_| services.clone())
    }
}

fn names(services: Vec<reading::ServiceId>) -> Vec<ObjectName> {
    services.into_iter().map(|(namespace, name)| ObjectName { namespace, name }).collect()
}
