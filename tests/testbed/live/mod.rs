//! Clusters are read as they are, by the parts of the program that the commands use.

mod commands;
mod lists;
mod refusals;
mod secrets;

use std::{fs, time::Duration};

use bobbypin::{
    edge::kube::{
        self, HostRequest, Limits, Reading, TenantsBy, Way,
        kubeconfig::{Allowed, ServerPolicy},
    },
    model::{inventory::Inventory, name::Name, observed::Observed},
};
use tempfile::TempDir;

/// What is asked of a cluster, which each test changes to its needs.
pub(crate) struct Ask {
    pub(crate) request: HostRequest,
    pub(crate) limits: Limits,
    /// Where the kubeconfig is.
    _folder: TempDir,
}

impl Ask {
    /// Everything of a generic cluster, within a minute.
    pub(crate) fn new(kubeconfig: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kubeconfig");
        fs::write(&path, kubeconfig).expect("a folder of our own");
        let way = Way::Files { paths: vec![path], context: None, allowed: Allowed::default() };
        let request = HostRequest {
            name: Name::parse("edge").expect("a literal that parses"),
            way,
            uid: None,
            namespaces: Vec::new(),
            tenants_by: TenantsBy::Settings,
            services: Box::new(|_| Vec::new()),
            tenants: Box::new(|_| Vec::new()),
            policy: ServerPolicy { allow_loopback: true, allow_link_local: false },
        };
        Self { request, limits: Limits { cluster: Duration::from_secs(60), ..Limits::default() }, _folder: folder }
    }

    pub(crate) fn read(self) -> Inventory {
        let reading = Reading { limits: self.limits, jobs: 4, progress: Box::new(|_| ()) };
        kube::read(vec![self.request], reading).expect("threads can be started").pop().expect("one inventory")
    }
}

/// The names of the Ingresses of a namespace, in order; a panic with the reason when they are not known.
pub(crate) fn names(inventory: &Inventory, namespace: &str) -> Vec<String> {
    let ingresses = match &inventory.host.ingresses {
        Observed::Present(ingresses) => ingresses,
        other => panic!("{other:?}"),
    };
    let mine = ingresses.iter().filter(|ingress| *ingress.meta.namespace == *namespace);
    mine.map(|ingress| ingress.meta.name.to_string()).collect()
}

/// The reason and the message of what is not known.
pub(crate) fn unknown<T: std::fmt::Debug>(observed: &Observed<T>) -> (&str, &str) {
    match observed {
        Observed::Unknown(unknown) => (&unknown.reason, &unknown.message),
        other => panic!("{other:?}"),
    }
}
