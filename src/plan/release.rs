//! What is delivered to a layer: everything that the templates need, and nothing to decide any more.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::Value;

use crate::{
    dns::{hosts_file, snippet},
    model::{
        cluster::{ChartSignature, CorefilePath, Engine, FluxSource, SecretKey},
        digest::Digest,
        hostname::Hostname,
        layer::{Layer, TenantId},
        tree::RepoPath,
    },
};

/// The namespace of the proxy on cozystack, on the host and inside tenants.
pub const COZY_NAMESPACE: &str = "cozy-ouroboros";

/// The namespace of the proxy on every other cluster.
pub const GENERIC_NAMESPACE: &str = "ouroboros";

/// The platform's Package of the proxy.
pub const PLATFORM_PACKAGE: &str = "cozystack.ouroboros";

/// The Package of the proxy that has a source of our own.
pub const OWN_PACKAGE: &str = "bobbypin.ouroboros";

/// What a layer gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// What brings the chart.
    pub form: Form,
    /// Who writes the records.
    pub engine: Engine,
    /// The records that are committed, for the static engine.
    pub records: Option<Records>,
}

/// What brings the chart, with everything that this way needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// Host: leaves of ours in the platform's own `Package`.
    Overlay {
        /// Below `spec.components.ouroboros.values`.
        values: Value,
    },
    /// Host: the whole `Package`, with the platform's `PackageSource` of the same name.
    Package {
        /// Below `spec.components.ouroboros.values`.
        values: Value,
    },
    /// Host: the whole `Package`, with a `PackageSource` of ours over the pinned chart.
    OwnPackage {
        /// Below `spec.components.ouroboros.values`.
        values: Value,
        /// The chart.
        chart: Chart,
    },
    /// Host, or the tenant's own Flux: a namespace, the chart and a `HelmRelease`.
    HelmRelease {
        /// Where the proxy runs.
        namespace: &'static str,
        /// The chart.
        chart: Chart,
        /// `spec.values`.
        values: Value,
    },
    /// Tenant: a `HelmRelease` on the host that installs through a kubeconfig.
    RemoteHelmRelease(RemoteHelmRelease),
    /// Tenant: a patch of the tenant's object.
    Addon {
        /// `spec.addons`, only our leaves.
        addons: Value,
    },
}

/// The files, below a layer's folder, that declare a `HelmRelease` of ours: on the host, and in the tenant's own cluster.
pub const HELM_RELEASE_FILES: [&str; 2] = ["helm-release.yaml", "cluster/helm-release.yaml"];

impl Form {
    /// The file that declares the `HelmRelease`, when the form has one.
    pub fn helm_release_file(&self, layer: &Layer) -> Option<&'static str> {
        match (self, layer) {
            (Self::HelmRelease { .. }, Layer::Tenant(_)) => Some(HELM_RELEASE_FILES[1]),
            (Self::HelmRelease { .. }, Layer::Host) | (Self::RemoteHelmRelease(_), _) => Some(HELM_RELEASE_FILES[0]),
            (Self::Overlay { .. } | Self::Package { .. } | Self::OwnPackage { .. } | Self::Addon { .. }, _) => None,
        }
    }

    /// Whether the chart is the one that the platform ships.
    pub fn uses_platform_chart(&self) -> bool {
        match self {
            Self::Overlay { .. } | Self::Package { .. } | Self::Addon { .. } => true,
            Self::RemoteHelmRelease(remote) => matches!(remote.chart, RemoteChart::Platform { .. }),
            Self::OwnPackage { .. } | Self::HelmRelease { .. } => false,
        }
    }
}

/// A chart at one digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// The repository, without `oci://`.
    pub repository: String,
    /// For people.
    pub tag: String,
    /// What Flux pulls.
    pub digest: Digest,
    /// The signature that Flux asks for; `None`: none.
    pub verify: Option<ChartSignature>,
}

/// A `HelmRelease` that installs into another cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteHelmRelease {
    /// The object's name, in the tenant's namespace.
    pub name: String,
    /// Which chart.
    pub chart: RemoteChart,
    /// The Secret with the tenant's kubeconfig.
    pub kubeconfig: SecretKey,
    /// Where the proxy runs, in the tenant.
    pub namespace: &'static str,
    /// Whether upgrades are forced: cozystack 1.4 does, and later Flux refuses it.
    pub force_upgrade: bool,
    /// Releases of the tenant's namespace that must be ready first.
    pub depends_on: Vec<String>,
    /// `spec.values`.
    pub values: Value,
}

/// Which chart a release into a tenant uses.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteChart {
    /// The one that cozystack ships for tenants. It wraps the values.
    Platform {
        /// The name of the tenant's own release, `kubernetes-<name>`, which the platform's labels carry.
        target_cluster: String,
    },
    /// The pinned one, through an `OCIRepository` beside the release.
    Oci(Chart),
}

/// Committed records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The hosts, sorted.
    pub hosts: Vec<Hostname>,
    /// How they are written: as wanted, and after that in the forms that are being replaced. Never empty, and no form
    /// twice.
    pub answers: Vec<Answer>,
    /// How the records reach a tenant cluster; `None` for the host and for a tenant's own Flux, which read them as they
    /// are.
    pub carrier: Option<Carrier>,
}

/// One form of records, with what every host is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One `rewrite name` line for every host, in the key [`snippet::KEY`].
    Snippet {
        /// What the hosts are rewritten to: absolute.
        target: String,
    },
    /// One line for every host and address, in the key [`hosts_file::KEY`].
    HostsFile {
        /// The addresses of the proxy.
        addresses: BTreeSet<IpAddr>,
    },
    /// The same lines as those of the snippet, in the Corefile that a file of the repository holds.
    Block {
        /// That file.
        file: CorefilePath,
        /// What the hosts are rewritten to: absolute.
        target: String,
    },
}

impl Answer {
    /// The key of `kube-system/coredns-custom` that holds it, if one does.
    pub fn key(&self) -> Option<&'static str> {
        match self {
            Self::Snippet { .. } => Some(snippet::KEY),
            Self::HostsFile { .. } => Some(hosts_file::KEY),
            Self::Block { .. } => None,
        }
    }

    /// The same form, leading to another name. Addresses stay.
    #[must_use]
    pub fn aimed_at(self, target: &str) -> Self {
        match self {
            Self::Snippet { .. } => Self::Snippet { target: target.to_owned() },
            Self::Block { file, .. } => Self::Block { file, target: target.to_owned() },
            Self::HostsFile { addresses } => Self::HostsFile { addresses },
        }
    }

    /// The lines for some hosts.
    pub fn text(&self, hosts: &[Hostname]) -> String {
        match self {
            Self::Snippet { target } | Self::Block { target, .. } => snippet::write(hosts, target),
            Self::HostsFile { addresses } => hosts_file::write(hosts, addresses),
        }
    }
}

/// The Flux `Kustomization` that brings plain objects into a tenant cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    /// The tenant.
    pub tenant: TenantId,
    /// The Secret with its kubeconfig.
    pub kubeconfig: SecretKey,
    /// The source that reads this repository.
    pub source: FluxSource,
    /// The folder that it applies.
    pub folder: RepoPath,
}

/// A thing that Flux leaves behind when its declaration is simply dropped, and that therefore goes in two commits: first
/// emptied, then, when the cluster was seen without it, dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TwoStep {
    /// Our leaves in the platform's `Package`.
    Overlay,
    /// Our key in the host's `coredns-custom`.
    HostRecords,
    /// Our key in the tenant's `coredns-custom`.
    TenantRecords,
    /// The hosts file among these keys, which stays as an empty one: a CoreDNS that runs keeps what it has read of a file
    /// that is not there any more.
    HostsFile,
    /// The component that patches the tenant's object: a kustomization of the user refers to its folder.
    Addon,
    /// Our block in a Corefile of the repository. The file is somebody else's: only the block goes, and the proxy stays until
    /// nobody is sent to it.
    CorefileBlock,
}

/// The file, below the layer's folder, with our leaves in the platform's `Package`.
pub const OVERLAY_FILE: &str = "overlay.yaml";
/// The file, below the host's folder, with the keys of the host's `coredns-custom`.
pub const HOST_RECORDS_FILE: &str = "coredns-custom.yaml";
/// The file, below a tenant's folder, with the keys of the tenant's `coredns-custom`.
pub const TENANT_RECORDS_FILE: &str = "cluster/coredns-custom.yaml";
/// The file, below a tenant's folder, with the component.
pub const ADDON_FILE: &str = "addon/kustomization.yaml";

impl TwoStep {
    /// All that are declared by themselves.
    pub const ALL: [Self; 5] =
        [Self::Overlay, Self::HostRecords, Self::TenantRecords, Self::Addon, Self::CorefileBlock];

    /// The file, below the layer's folder, that holds the thing; in its emptied form it is still there. A block stands in a
    /// file elsewhere, and the hosts file in that of the records.
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::Overlay => Some(OVERLAY_FILE),
            Self::HostRecords => Some(HOST_RECORDS_FILE),
            Self::TenantRecords => Some(TENANT_RECORDS_FILE),
            Self::Addon => Some(ADDON_FILE),
            Self::HostsFile | Self::CorefileBlock => None,
        }
    }
}

impl Release {
    /// The word for how it is delivered to a layer, as `cluster.yaml` has it.
    pub fn delivery(&self, layer: &Layer) -> &'static str {
        match (&self.form, layer) {
            (Form::Overlay { .. }, _) => "overlay",
            (Form::Package { .. } | Form::OwnPackage { .. }, _) => "package",
            (Form::HelmRelease { .. }, Layer::Host) => "helmRelease",
            (Form::HelmRelease { .. }, Layer::Tenant(_)) => "ownFlux",
            (Form::RemoteHelmRelease(_), _) => "remoteHelmRelease",
            (Form::Addon { .. }, _) => "addon",
        }
    }

    /// The two-step things that this release declares in a layer.
    pub fn two_step(&self, layer: &Layer) -> BTreeSet<TwoStep> {
        let form = match self.form {
            Form::Overlay { .. } => Some(TwoStep::Overlay),
            Form::Addon { .. } => Some(TwoStep::Addon),
            Form::Package { .. } | Form::OwnPackage { .. } | Form::HelmRelease { .. } | Form::RemoteHelmRelease(_) => {
                None
            }
        };
        let answers = self.records.iter().flat_map(|records| &records.answers);
        let records = answers.map(|answer| match (answer, layer) {
            (Answer::Block { .. }, _) => TwoStep::CorefileBlock,
            (Answer::Snippet { .. } | Answer::HostsFile { .. }, Layer::Host) => TwoStep::HostRecords,
            (Answer::Snippet { .. } | Answer::HostsFile { .. }, Layer::Tenant(_)) => TwoStep::TenantRecords,
        });
        form.into_iter().chain(records).collect()
    }
}
