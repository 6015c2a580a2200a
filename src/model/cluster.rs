//! What is wanted for one cluster: `cluster.yaml` after every check.

use std::{collections::BTreeMap, str::FromStr};

use jiff::SignedDuration;
use serde::Serialize;

use crate::model::{
    hostname::Hostname,
    layer::TenantId,
    name::Name,
    pins::{PinName, Signer},
    tree::{RepoPath, RepoPathError},
};

/// One cluster folder's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Equal to the folder's name.
    pub name: Name,
    /// How the cluster is read.
    pub access: Access,
    /// The UID that the cluster's namespace `kube-system` must have; anything else is another cluster.
    pub uid: Option<String>,
    /// The platform and where its values are.
    pub platform: Platform,
    /// What is wanted on the host.
    pub host: HostConfig,
    /// What is wanted in the tenants.
    pub tenants: TenantsConfig,
    /// Which hosts may become records.
    pub hostnames: HostnamePolicy,
    /// How much may be removed at once.
    pub removal: RemovalPolicy,
    /// Which chart and images.
    pub pins: PinPolicy,
    /// The Flux source that reads this repository; a `Kustomization` for a tenant refers to it.
    pub flux_source: FluxSource,
}

/// How a cluster is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// How it is reached; `None`: nobody said, and it is not read.
    pub way: Option<AccessWay>,
    /// The namespaces whose Ingresses and routes are read; empty: all of them.
    pub namespaces: Vec<Name>,
    /// What is inside its tenant clusters.
    pub tenants: TenantAccess,
}

/// How tenant clusters are read, with the kubeconfigs that the host has of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantAccess {
    /// Whether they are read at all.
    pub read: bool,
    /// Whether their API servers may have loopback addresses.
    pub loopback: bool,
    /// Whether their API servers may have link-local addresses.
    pub link_local: bool,
}

impl Default for TenantAccess {
    fn default() -> Self {
        Self { read: true, loopback: false, link_local: false }
    }
}

/// How a cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessWay {
    /// A context of the user's kubeconfig.
    Context(String),
    /// The current context of a kubeconfig of its own.
    Kubeconfig(String),
    /// The service account of the pod that the program runs in.
    InCluster,
}

/// The platform that the cluster runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Platform {
    /// cozystack: almost everything follows from its values.
    Cozystack {
        /// As installed.
        version: Version,
        /// Where its values are.
        values: ValuesSource,
    },
    /// Any cluster with Flux and an ingress controller.
    Generic {
        /// The ingress controller behind the load balancer.
        ingress: IngressConfig,
    },
}

/// Where the platform's values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuesSource {
    /// A file in the cluster's folder, with the platform's `Package` or its plain values.
    File(String),
    /// The live `Package`, as the inventory shows it.
    Live,
}

/// The ingress controller of a cluster whose platform does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngressConfig {
    /// The class whose Ingresses it serves.
    pub class: Name,
    /// The namespace of its Service.
    pub service_namespace: Name,
    /// The name of its Service.
    pub service_name: Name,
    /// The cluster's DNS domain, without a trailing dot.
    pub cluster_domain: String,
    /// Whether the load balancer sends PROXY headers.
    pub proxy_protocol: bool,
}

/// A released version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads `v1.6.2` or `1.6.2`. Pre-releases are refused: what they do is not known.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = || VersionError(text.to_owned());
        let mut numbers = text.strip_prefix('v').unwrap_or(text).split('.').map(|part| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse::<u32>().ok()).flatten().ok_or_else(wrong)
        });
        let mut next = || numbers.next().unwrap_or_else(|| Err(wrong()));
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if numbers.next().is_some() { Err(wrong()) } else { Ok(version) }
    }
}

/// Why a text is not a [`Version`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a released version such as `v1.6.2`", .0.escape_debug())]
pub struct VersionError(String);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Whether a layer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// What the platform says.
    Auto,
    /// A person said so.
    Yes,
    /// A person said no.
    No,
}

/// How the fix reaches the host cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum HostDelivery {
    /// A partial `Package` with only our leaves, beside the platform's own.
    Overlay,
    /// The whole `Package`; the platform is told not to emit its own.
    Package {
        /// Which `PackageSource` it uses.
        source: PackageSourceChoice,
    },
    /// `OCIRepository` and `HelmRelease`.
    HelmRelease,
}

/// Which `PackageSource` a whole `Package` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PackageSourceChoice {
    /// The platform's `cozystack.ouroboros`, with the chart that the platform ships.
    Platform,
    /// One of our own, over the pinned chart.
    Own,
}

/// How the fix reaches a tenant cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TenantDelivery {
    /// A `HelmRelease` on the host that installs into the tenant through its kubeconfig.
    RemoteHelmRelease,
    /// A patch of the tenant's own object: the platform's add-on delivers.
    Addon,
    /// Files that the tenant's own Flux reads.
    OwnFlux,
}

/// Who writes the DNS records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Engine {
    /// The controller of ouroboros, at run time.
    Ouroboros(OuroborosMode),
    /// This program, in Git; the chart is installed without its controller.
    Static(Records),
}

/// Where the controller of ouroboros writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OuroborosMode {
    /// Into the Corefile.
    Coredns,
    /// Into a key of `coredns-custom`.
    CorednsImport,
    /// Records for external-dns.
    ExternalDns,
}

impl OuroborosMode {
    /// The chart's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coredns => "coredns",
            Self::CorednsImport => "coredns-import",
            Self::ExternalDns => "external-dns",
        }
    }
}

/// The form of committed records. Written out it is its word alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// Nobody said. What is committed stays as it is; where nothing is, the hosts file when the Corefile already reads it,
    /// else the snippet.
    Auto(HostsPath),
    /// One `rewrite name` line for every host, in a key of ours of `kube-system/coredns-custom`.
    RewriteSnippet,
    /// A hosts file for the `hosts` plugin, in a key of ours of `kube-system/coredns-custom`, which CoreDNS sees at this
    /// path.
    HostsFile(HostsPath),
    /// A block in the Corefile, where the ConfigMap with the Corefile is a file of the repository.
    CorefileBlock {
        /// That file.
        file: CorefilePath,
    },
}

impl Records {
    /// The file with the Corefile, when a block in it is wanted.
    pub fn file(&self) -> Option<&CorefilePath> {
        match self {
            Self::CorefileBlock { file } => Some(file),
            Self::Auto(_) | Self::RewriteSnippet | Self::HostsFile(_) => None,
        }
    }

    /// The word of `cluster.yaml` for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Auto(_) => "auto",
            Self::RewriteSnippet => "rewrite-snippet",
            Self::HostsFile(_) => "hosts-file",
            Self::CorefileBlock { .. } => "corefile-block",
        }
    }
}

impl Serialize for Records {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A file of the repository with the ConfigMap that holds a Corefile.
///
/// It may lie anywhere; a name of [`Self::NAMES`], or a place below `clusters/`, saves a second reading of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CorefilePath(RepoPath);

/// Why a text is not a [`CorefilePath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorefilePathError {
    /// It is no path of a repository.
    #[error(transparent)]
    Path(#[from] RepoPathError),
    /// The name is not that of a file of manifests.
    #[error("`{}` is no file of manifests: its name must end with `.yaml` or `.yml`", .0.escape_debug())]
    NotYaml(String),
    /// The program writes that file itself.
    #[error("`{}` is a generated file", .0.escape_debug())]
    Generated(String),
}

impl CorefilePath {
    /// The names under which a file with a Corefile is read with the settings, wherever it lies.
    pub const NAMES: [&str; 2] = ["coredns.yaml", "coredns.yml"];

    /// Checks a text.
    ///
    /// # Errors
    ///
    /// What [`CorefilePathError`] lists.
    pub fn parse(text: &str) -> Result<Self, CorefilePathError> {
        let path = RepoPath::parse(text)?;
        if ![".yaml", ".yml"].iter().any(|end| text.ends_with(end)) {
            return Err(CorefilePathError::NotYaml(text.to_owned()));
        }
        if text.starts_with("clusters/") && text.contains("/manifests/") {
            return Err(CorefilePathError::Generated(text.to_owned()));
        }
        Ok(Self(path))
    }

    /// The path.
    pub fn path(&self) -> &RepoPath {
        &self.0
    }
}

impl std::fmt::Display for CorefilePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where CoreDNS sees the key with the hosts file: an absolute path of plain characters that ends with the name of the
/// key, as every key of a mounted ConfigMap is a file of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsPath(String);

/// Why a text is not a [`HostsPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an absolute path that ends with `/{}`", .0.escape_debug(), HostsPath::KEY)]
pub struct HostsPathError(String);

impl HostsPath {
    /// The key of `kube-system/coredns-custom` that holds the hosts file.
    pub const KEY: &str = "bobbypin.hosts";

    /// Checks a text.
    ///
    /// # Errors
    ///
    /// It is relative, ends with another name than the key's, or holds what a Corefile would take for something else.
    pub fn parse(text: &str) -> Result<Self, HostsPathError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        let folder = text.strip_suffix(Self::KEY).and_then(|folder| folder.strip_suffix('/'));
        let is_lawful = folder.is_some_and(|folder| {
            folder.starts_with('/')
                && folder.bytes().all(is_plain)
                && folder[1..].split('/').all(|part| !matches!(part, "" | "." | ".."))
        });
        if is_lawful { Ok(Self(text.to_owned())) } else { Err(HostsPathError(text.to_owned())) }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder where the ConfigMap is mounted, without a slash at its end.
    pub fn folder(&self) -> &str {
        &self.0[..self.0.len() - Self::KEY.len() - 1]
    }
}

impl Default for HostsPath {
    /// Where cozystack's tenants and k3s mount `coredns-custom`.
    fn default() -> Self {
        Self(format!("/etc/coredns/custom/{}", Self::KEY))
    }
}

/// `spec.host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Whether it is wanted.
    pub enabled: Enabled,
    /// `None`: what fits the platform.
    pub delivery: Option<HostDelivery>,
    /// Who writes the records. `Ouroboros(Coredns)` unless said otherwise.
    pub engine: Engine,
}

/// `spec.tenants`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantsConfig {
    /// Whether tenants that the inventory shows and nobody listed count too.
    pub discover: bool,
    /// Which Secrets of the host make tenants, on the generic platform; `None`: there only the listed ones are tenants.
    /// When it is given, the defaults have an ingress controller.
    pub kubeconfigs: Option<KubeconfigSecrets>,
    /// For a tenant that nobody listed.
    pub defaults: TenantConfig,
    /// The listed ones, with the defaults already filled in.
    pub listed: BTreeMap<TenantId, TenantConfig>,
}

/// The Secrets of a host that hold the kubeconfigs of tenants, one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeconfigSecrets {
    /// Those that Cluster API makes: `<cluster>-kubeconfig`, key `value`.
    ClusterApi,
    /// Those that Kamaji makes: `<control plane>-admin-kubeconfig`, key `admin.conf`.
    Kamaji,
    /// All that a label selector of the API selects.
    Selected {
        /// The selector, as the API takes it.
        selector: String,
        /// The key with the kubeconfig.
        key: String,
    },
}

/// What is wanted in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Whether it is wanted.
    pub enabled: Enabled,
    /// `None`: what fits the platform.
    pub delivery: Option<TenantDelivery>,
    /// Who writes the records. `Ouroboros(CorednsImport)` unless said otherwise.
    pub engine: Engine,
    /// Whether a person says that the tenant's load balancer sends PROXY headers.
    pub proxy_protocol: bool,
    /// The load balancer's address ranges, for the tenant's ingress controller to trust. CIDR texts.
    pub real_ip_cidrs: Vec<String>,
    /// The Secret with the tenant's kubeconfig, and its key; `None` on cozystack means the platform's own, elsewhere the
    /// Secret that the tenant was found by.
    pub kubeconfig: Option<SecretKey>,
    /// The tenant's ingress controller; always given for a tenant of the generic platform, never on cozystack.
    pub ingress: Option<IngressConfig>,
}

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret's name.
    pub name: Name,
    /// The key.
    pub key: String,
}

/// `spec.hostnames`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostnamePolicy {
    /// Which namespaces may claim names under which suffixes.
    pub delegations: Vec<Delegation>,
    /// Never redirected.
    pub reserved: Vec<Hostname>,
    /// What resolvers append to names, without trailing dots. Nothing at or below them is redirected.
    pub search_domains: Vec<String>,
    /// The most records that the Ingresses of one namespace may have.
    pub quota_per_namespace: usize,
    /// The most records that one layer may have.
    pub quota_total: usize,
}

/// The right of some namespaces to claim names under some suffixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Exact names.
    pub namespaces: Vec<Name>,
    /// Compared label by label.
    pub suffixes: Vec<Hostname>,
}

/// `spec.removal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovalPolicy {
    /// The most hosts that one run may remove from a cluster without being asked.
    pub max: usize,
    /// The largest share of a cluster's hosts that one run may remove without being asked, 0 to 100.
    pub max_share_percent: u8,
    /// How far apart the first and the deciding inventory without a host must be.
    pub confirm_after: SignedDuration,
}

/// `spec.pins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinPolicy {
    /// The chart's repository, without `oci://`.
    pub chart_repository: String,
    /// The chart's version, which is its tag.
    pub version: String,
    /// How long a digest must have been known before it is used.
    pub min_age: SignedDuration,
    /// Registry host and path prefix → the mirror to write instead.
    pub mirrors: BTreeMap<String, String>,
    /// The platforms that an image must have, as `os/architecture`. At least one.
    pub platforms: Vec<String>,
    /// The signature that Flux is to ask of the chart; `None`: none.
    pub verify: Option<ChartSignature>,
    /// Who must have signed what a pin leads to, before it is written down.
    pub signers: BTreeMap<PinName, Signer>,
}

/// What Flux checks of a chart before it uses it: a signature that cosign made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartSignature {
    /// The Secret with the public keys, beside the `OCIRepository`; `None`: it is signed without a key of its own.
    pub secret: Option<Name>,
    /// Who may have signed it: regular expressions of the issuer and the subject.
    pub identities: Vec<SignerIdentity>,
}

/// Who signs without a key of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignerIdentity {
    /// A regular expression of who vouches for the signer.
    pub issuer: String,
    /// A regular expression of the signer.
    pub subject: String,
}

/// A Flux source of this repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxSource {
    /// Its namespace.
    pub namespace: Name,
    /// Its name; the kind is `GitRepository`.
    pub name: Name,
}
