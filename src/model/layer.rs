//! Where a fix goes: the host cluster or one tenant cluster.

use std::fmt;

use serde::Serialize;

use crate::model::name::Name;

/// A tenant cluster, named by its object on the host cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TenantId {
    /// The namespace on the host cluster.
    pub namespace: Name,
    /// The name of the tenant's object there.
    pub name: Name,
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One of the layers of a cluster. Each is decided, rendered, held and removed on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The host cluster itself.
    Host,
    /// One tenant cluster on it.
    Tenant(TenantId),
}

impl Layer {
    /// The layer's folder below `manifests/`.
    pub fn folder(&self) -> String {
        match self {
            Self::Host => "host".to_owned(),
            Self::Tenant(tenant) => format!("tenants/{}/{}", tenant.namespace, tenant.name),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
        }
    }
}
