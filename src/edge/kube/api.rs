//! Where the API has what.

use crate::config::inventory::Kind;

/// In which form objects are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Whole,
    /// A list of their metadata: nothing else of them leaves the server.
    Metadata,
}

impl Form {
    /// What is asked for in the header `accept`.
    pub(super) fn accept(self) -> &'static str {
        match self {
            Self::Whole => "application/json",
            Self::Metadata => "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        }
    }

    /// The form in which the objects of a kind are listed.
    pub(super) fn of(kind: Kind) -> Self {
        if kind == Kind::SecretMetadata { Self::Metadata } else { Self::Whole }
    }
}

/// A kind's place in the API.
pub(super) struct Api {
    /// The group; empty for the core.
    pub(super) group: &'static str,
    /// In order of preference. What is used of the objects is the same in all of them.
    pub(super) versions: &'static [&'static str],
    /// The plural.
    pub(super) resource: &'static str,
}

/// The place of a kind.
pub(super) fn api(kind: Kind) -> Api {
    let gateway = "gateway.networking.k8s.io";
    match kind {
        Kind::Ingress => Api { group: "networking.k8s.io", versions: &["v1"], resource: "ingresses" },
        Kind::Gateway => Api { group: gateway, versions: &["v1", "v1beta1"], resource: "gateways" },
        Kind::HttpRoute => Api { group: gateway, versions: &["v1", "v1beta1"], resource: "httproutes" },
        Kind::TlsRoute => Api { group: gateway, versions: &["v1", "v1alpha3", "v1alpha2"], resource: "tlsroutes" },
        Kind::Service => Api { group: "", versions: &["v1"], resource: "services" },
        Kind::ConfigMap => Api { group: "", versions: &["v1"], resource: "configmaps" },
        Kind::Tenant => Api { group: "apps.cozystack.io", versions: &["v1alpha1"], resource: "kuberneteses" },
        // No server has it.
        Kind::KubeconfigTenant => Api { group: "bobbypin.dev", versions: &[], resource: "tenants" },
        Kind::SecretMetadata => Api { group: "", versions: &["v1"], resource: "secrets" },
        Kind::Package => Api { group: "cozystack.io", versions: &["v1alpha1"], resource: "packages" },
        Kind::HelmRelease => {
            Api { group: "helm.toolkit.fluxcd.io", versions: &["v2", "v2beta2", "v2beta1"], resource: "helmreleases" }
        }
        Kind::Kustomization => {
            Api { group: "kustomize.toolkit.fluxcd.io", versions: &["v1", "v1beta2"], resource: "kustomizations" }
        }
        Kind::GitRepository => {
            Api { group: "source.toolkit.fluxcd.io", versions: &["v1", "v1beta2"], resource: "gitrepositories" }
        }
    }
}

/// The path of a resource, in one namespace or in all of them.
pub(super) fn path(group: &str, version: &str, namespace: Option<&str>, resource: &str) -> String {
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    match namespace {
        Some(namespace) => format!("{root}/namespaces/{namespace}/{resource}"),
        None => format!("{root}/{resource}"),
    }
}

/// What a role must hold for a request, as it is written in a manifest.
pub(super) fn rule(group: &str, resource: &str, name: Option<&str>) -> String {
    let (verb, names) = match name {
        Some(name) => ("get", format!(", resourceNames: [{name}]")),
        None => ("list", String::new()),
    };
    format!("add to its role: {{apiGroups: [\"{group}\"], resources: [{resource}]{names}, verbs: [{verb}]}}")
}
