//! `cluster.yaml`.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::config::raw::{ApiVersion, Metadata};

/// What is wanted for one cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Cluster {
    /// The version of the file's format.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) api_version: ApiVersion,
    /// What the file is.
    #[expect(dead_code, reason = "the reader checks it")]
    pub(crate) kind: Kind,
    /// The name of the cluster.
    pub(crate) metadata: Metadata,
    /// What is wanted.
    pub(crate) spec: Spec,
}

/// What the file is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Kind {
    Cluster,
}

/// What is wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    /// How the cluster is reached, and how it is told from others.
    #[serde(default)]
    pub(crate) access: Option<Access>,
    /// The platform that the cluster runs.
    pub(crate) platform: Platform,
    /// The ingress controller behind the load balancer. For the generic platform only; on cozystack it follows from the
    /// platform's values.
    #[serde(default)]
    pub(crate) ingress: Option<Ingress>,
    /// What is wanted on the host cluster.
    #[serde(default)]
    pub(crate) host: Option<Host>,
    /// What is wanted in the tenant clusters.
    #[serde(default)]
    pub(crate) tenants: Option<Tenants>,
    /// Which host names may become DNS records.
    #[serde(default)]
    pub(crate) hostnames: Option<Hostnames>,
    /// How much one run may remove.
    #[serde(default)]
    pub(crate) removal: Option<Removal>,
    /// Which chart and images are used, and from when on.
    #[serde(default)]
    pub(crate) pins: Option<Pins>,
    /// How Flux reads this repository.
    #[serde(default)]
    pub(crate) flux: Option<Flux>,
}

/// How the cluster is reached, and how it is told from others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Access {
    /// The context of the kubeconfig. At most one of `context`, `kubeconfig` and `inCluster`.
    #[serde(default)]
    pub(crate) context: Option<String>,
    /// The path of a kubeconfig.
    #[serde(default)]
    pub(crate) kubeconfig: Option<String>,
    /// Whether the program runs in the cluster itself, with a service account.
    #[serde(default)]
    pub(crate) in_cluster: Option<bool>,
    /// The namespaces whose Ingresses and routes are read. All of them when it is left out.
    #[serde(default)]
    pub(crate) namespaces: Option<Vec<String>>,
    /// How tenant clusters are read, with the kubeconfigs that this cluster has of them.
    #[serde(default)]
    pub(crate) tenants: Option<TenantAccess>,
    /// The UID of the cluster's namespace `kube-system`. Another cluster under the same address is refused.
    #[serde(default)]
    pub(crate) uid: Option<String>,
}

/// How tenant clusters are read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TenantAccess {
    /// Whether what is inside them is read at all. `true` when it is left out.
    #[serde(default)]
    pub(crate) read: Option<bool>,
    /// Addresses that are refused for their API servers unless they are named here.
    #[serde(default)]
    pub(crate) allow: Option<Vec<TenantNetwork>>,
}

/// Addresses that are refused unless they are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TenantNetwork {
    Loopback,
    LinkLocal,
}

/// The platform that the cluster runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Platform {
    /// `cozystack`, or `generic`: any cluster with Flux and an ingress controller.
    pub(crate) kind: PlatformKind,
    /// The installed version of cozystack, as `v1.6.2`.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// The file in the cluster's folder with the platform's `Package` or its plain values, as `platform.yaml`.
    #[serde(default)]
    pub(crate) values: Option<String>,
    /// Whether the platform's values are read from the cluster, not from a file.
    #[serde(default)]
    pub(crate) live: Option<bool>,
}

/// `cozystack`, or `generic`: any cluster with Flux and an ingress controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PlatformKind {
    Cozystack,
    Generic,
}

/// An ingress controller.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ingress {
    /// The ingress class that it serves.
    pub(crate) class: String,
    /// Its Service.
    pub(crate) service: Service,
    /// The DNS domain of the cluster. `cluster.local` when it is left out.
    #[serde(default)]
    pub(crate) cluster_domain: Option<String>,
    /// Whether the load balancer sends PROXY headers to it.
    pub(crate) proxy_protocol: bool,
}

/// The Service of an ingress controller.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Service {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

/// Whether something is wanted: `auto` (what the platform says), `true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Enabled {
    Auto,
    Yes,
    No,
}

impl<'de> Deserialize<'de> for Enabled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EnabledVisitor;
        impl Visitor<'_> for EnabledVisitor {
            type Value = Enabled;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, `true` or `false`")
            }

            fn visit_bool<E>(self, wanted: bool) -> Result<Enabled, E> {
                Ok(if wanted { Enabled::Yes } else { Enabled::No })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Enabled, E> {
                if text == "auto" { Ok(Enabled::Auto) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
            }
        }
        deserializer.deserialize_any(EnabledVisitor)
    }
}

impl JsonSchema for Enabled {
    fn schema_name() -> Cow<'static, str> {
        "Enabled".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Whether something is wanted: `auto` (what the platform says), `true` or `false`.",
            "enum": ["auto", true, false],
        })
    }
}

/// What is wanted on the host cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Host {
    /// Whether the fix is wanted: `auto` (what the platform's values say), `true` or `false`.
    #[serde(default)]
    pub(crate) enabled: Option<Enabled>,
    /// How the fix is delivered. `auto`: `overlay` on cozystack from v1.5 on, else `helmRelease`.
    #[serde(default)]
    pub(crate) delivery: Option<HostDelivery>,
    /// For delivery `package` only.
    #[serde(default)]
    pub(crate) package: Option<Package>,
    /// Who writes the DNS records: `ouroboros` (its controller, at run time) or `static` (bobbypin, in Git).
    #[serde(default)]
    pub(crate) engine: Option<Engine>,
    /// For the engine `ouroboros`.
    #[serde(default)]
    pub(crate) ouroboros: Option<Ouroboros>,
    /// For the engine `static`.
    #[serde(default)]
    pub(crate) r#static: Option<Static>,
}

/// How the fix reaches the host cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HostDelivery {
    Auto,
    Overlay,
    Package,
    HelmRelease,
}

/// For delivery `package`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Package {
    /// `platform`: the `PackageSource` that the platform ships. `own`: one over the pinned chart.
    #[serde(default)]
    pub(crate) source: Option<PackageSource>,
}

/// Which `PackageSource` a whole `Package` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PackageSource {
    Platform,
    Own,
}

/// Who writes the DNS records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Engine {
    Ouroboros,
    Static,
}

/// For the engine `ouroboros`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Ouroboros {
    /// Where its controller writes: the Corefile, a key of `coredns-custom`, or records for external-dns.
    #[serde(default)]
    pub(crate) mode: Option<Mode>,
}

/// Where the controller of ouroboros writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    Coredns,
    CorednsImport,
    ExternalDns,
}

/// For the engine `static`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Static {
    /// The form of the committed records.
    #[serde(default)]
    pub(crate) records: Option<Records>,
    /// For `hosts-file`: the path at which CoreDNS sees the key `bobbypin.hosts` of `kube-system/coredns-custom`.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// For `corefile-block`: the YAML file with the ConfigMap that holds the Corefile, relative to the repository.
    #[serde(default)]
    pub(crate) file: Option<String>,
}

/// The form of committed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Records {
    Auto,
    HostsFile,
    RewriteSnippet,
    CorefileBlock,
}

/// What is wanted in the tenant clusters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tenants {
    /// Whether the tenants of the platform are found by themselves. `false`: only those listed in `overrides`.
    #[serde(default)]
    pub(crate) discover: Option<bool>,
    /// The Secrets by which tenants are found. For the generic platform only; on cozystack tenants have objects.
    #[serde(default)]
    pub(crate) kubeconfigs: Option<Kubeconfigs>,
    /// For every tenant, where its own entry says nothing else.
    #[serde(default)]
    pub(crate) defaults: Option<TenantDefaults>,
    /// Tenants with wishes of their own.
    #[serde(default)]
    pub(crate) overrides: Option<Vec<TenantOverride>>,
}

/// The Secrets with the kubeconfigs of tenants: `maker`, or `selector` and `key`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Kubeconfigs {
    /// Who makes the Secrets, and labels them.
    #[serde(default)]
    pub(crate) maker: Option<Maker>,
    /// The label selector of the Secrets, as `example.org/tenant=yes`. Each is a tenant of the Secret's name, without
    /// `-admin-kubeconfig` or `-kubeconfig` at its end.
    #[serde(default)]
    pub(crate) selector: Option<String>,
    /// The key of these Secrets that holds the kubeconfig.
    #[serde(default)]
    pub(crate) key: Option<String>,
}

/// Who makes kubeconfigs of tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Maker {
    ClusterApi,
    Kamaji,
}

/// What is wanted in every tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TenantDefaults {
    /// Whether the fix is wanted: `auto` (what the platform and the tenant say), `true` or `false`.
    #[serde(default)]
    pub(crate) enabled: Option<Enabled>,
    /// How the fix is delivered. `auto`: `addon` on cozystack from v1.6 on, else `remoteHelmRelease`.
    #[serde(default)]
    pub(crate) delivery: Option<TenantDelivery>,
    /// Who writes the DNS records: `ouroboros` (its controller, at run time) or `static` (bobbypin, in Git).
    #[serde(default)]
    pub(crate) engine: Option<Engine>,
    /// For the engine `ouroboros`.
    #[serde(default)]
    pub(crate) ouroboros: Option<Ouroboros>,
    /// For the engine `static`.
    #[serde(default)]
    pub(crate) r#static: Option<Static>,
    /// Whether the tenant's load balancer sends PROXY headers.
    #[serde(default)]
    pub(crate) proxy_protocol: Option<bool>,
    /// The load balancer's address ranges, which the tenant's ingress controller shall trust, as `10.0.0.0/8`.
    #[serde(default)]
    pub(crate) real_ip_cidrs: Option<Vec<String>>,
    /// The tenant's ingress controller. For the generic platform only.
    #[serde(default)]
    pub(crate) ingress: Option<Ingress>,
}

/// What is wanted in one tenant. A key that is left out has the value from `defaults`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TenantOverride {
    /// The namespace of the tenant's object on the host cluster.
    pub(crate) namespace: String,
    /// The name of the tenant's object.
    pub(crate) name: String,
    /// Whether the fix is wanted: `auto` (what the platform and the tenant say), `true` or `false`.
    #[serde(default)]
    pub(crate) enabled: Option<Enabled>,
    /// How the fix is delivered. `auto`: `addon` on cozystack from v1.6 on, else `remoteHelmRelease`.
    #[serde(default)]
    pub(crate) delivery: Option<TenantDelivery>,
    /// Who writes the DNS records: `ouroboros` (its controller, at run time) or `static` (bobbypin, in Git).
    #[serde(default)]
    pub(crate) engine: Option<Engine>,
    /// For the engine `ouroboros`.
    #[serde(default)]
    pub(crate) ouroboros: Option<Ouroboros>,
    /// For the engine `static`.
    #[serde(default)]
    pub(crate) r#static: Option<Static>,
    /// Whether the tenant's load balancer sends PROXY headers.
    #[serde(default)]
    pub(crate) proxy_protocol: Option<bool>,
    /// The load balancer's address ranges, which the tenant's ingress controller shall trust, as `10.0.0.0/8`.
    #[serde(default)]
    pub(crate) real_ip_cidrs: Option<Vec<String>>,
    /// The Secret with the tenant's kubeconfig, in the tenant's namespace on the host. On cozystack the platform's own
    /// when it is left out.
    #[serde(default)]
    pub(crate) kubeconfig: Option<SecretKey>,
    /// The tenant's ingress controller. For the generic platform only.
    #[serde(default)]
    pub(crate) ingress: Option<Ingress>,
}

/// How the fix reaches a tenant cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TenantDelivery {
    Auto,
    RemoteHelmRelease,
    Addon,
    OwnFlux,
}

/// A key of a Secret.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecretKey {
    /// The name of the Secret.
    pub(crate) name: String,
    /// The key of the Secret that holds the kubeconfig.
    pub(crate) key: String,
}

/// Which host names may become DNS records.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Hostnames {
    /// Which namespaces may claim names under which suffixes.
    #[serde(default)]
    pub(crate) delegations: Option<Vec<Delegation>>,
    /// Names that are never redirected, as `git.example.org`.
    #[serde(default)]
    pub(crate) reserved: Option<Vec<String>>,
    /// What resolvers append to names, as `corp.example.org`: the search lists of the nodes and of their pods. A record
    /// below one of them would take over a name that looks quite different, so there is none.
    #[serde(default)]
    pub(crate) search_domains: Option<Vec<String>>,
    /// What becomes of wildcard hosts. This version knows `deny` only.
    #[serde(default)]
    pub(crate) wildcards: Option<Wildcards>,
    /// How many records there may be.
    #[serde(default)]
    pub(crate) quota: Option<Quota>,
}

/// The right of some namespaces to claim names under some suffixes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Delegation {
    /// The namespaces, by name.
    pub(crate) namespaces: Vec<String>,
    /// The suffixes, as `acme.example.org`: that name and all below it.
    pub(crate) suffixes: Vec<String>,
}

/// What becomes of wildcard hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Wildcards {
    Deny,
    Regex,
}

/// How many records there may be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Quota {
    /// For the Ingresses of one namespace. 100 when it is left out.
    #[serde(default)]
    pub(crate) per_namespace: Option<u32>,
    /// For one layer: the host, or one tenant. 2000 when it is left out.
    #[serde(default)]
    pub(crate) total: Option<u32>,
}

/// How much one run may remove without being asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Removal {
    /// The most hosts. 5 when it is left out.
    #[serde(default)]
    pub(crate) max: Option<u32>,
    /// The largest share of the cluster's hosts, as `20%`, which holds when it is left out.
    #[serde(default)]
    pub(crate) max_share: Option<String>,
    /// How long a host must have been gone before its record goes, as `10m`, which holds when it is left out.
    #[serde(default)]
    pub(crate) confirm_after: Option<String>,
}

/// Which chart and images are used, and from when on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pins {
    /// The chart, as `oci://ghcr.io/lexfrei/charts/ouroboros`, which holds when it is left out.
    #[serde(default)]
    pub(crate) chart: Option<String>,
    /// The version of the chart, as `0.8.1`, which holds when it is left out.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// How long a digest must have been known before it is used, as `72h`, which holds when it is left out.
    #[serde(default)]
    pub(crate) min_age: Option<String>,
    /// Registries, or parts of them, and the mirrors to write in their place, as `ghcr.io: registry.example.org/ghcr`.
    #[serde(default)]
    pub(crate) mirrors: Option<BTreeMap<String, String>>,
    /// The platforms that an image must have. `linux/amd64` and `linux/arm64` when it is left out.
    #[serde(default)]
    pub(crate) platforms: Option<Vec<String>>,
    /// The signature that Flux is to ask of the chart. It asks for none when this is left out. The chart of ouroboros is
    /// not signed where it is published: for a chart that you signed yourself.
    #[serde(default)]
    pub(crate) verify: Option<Verify>,
    /// Who must have signed what a pin leads to. `pin update` writes no digest that has not their signature. It must be built
    /// with the feature `signatures`.
    #[serde(default)]
    pub(crate) signers: Option<Vec<PinSigner>>,
}

/// Who must have signed what a pin leads to: by `key`, or by `issuer` and `subject`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PinSigner {
    /// The name of the pin: `ouroboros-chart`, `ouroboros-image` or `cleanup-hook-image`.
    pub(crate) pin: String,
    /// A public key, PEM.
    #[serde(default)]
    pub(crate) key: Option<String>,
    /// Whether a signature by the key must stand in the public transparency log. `true` when it is left out.
    #[serde(default)]
    pub(crate) transparency_log: Option<bool>,
    /// Who vouches for the signer, as `https://token.actions.githubusercontent.com`.
    #[serde(default)]
    pub(crate) issuer: Option<String>,
    /// The signer. With `*` at its end: every signer whose name begins like this.
    #[serde(default)]
    pub(crate) subject: Option<String>,
}

/// The signature that Flux is to ask of the chart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Verify {
    /// Who makes such signatures: `cosign`, which holds when it is left out.
    #[serde(default)]
    #[expect(dead_code, reason = "there is one")]
    pub(crate) provider: Option<VerifyProvider>,
    /// The Secret with the public keys, in the namespace of the `OCIRepository`.
    #[serde(default)]
    pub(crate) secret_ref: Option<String>,
    /// Who may have signed, where no key is used.
    #[serde(default, rename = "matchOIDCIdentity")]
    pub(crate) match_oidc_identity: Option<Vec<SignerIdentity>>,
}

/// Who makes signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum VerifyProvider {
    Cosign,
}

/// Who signs without a key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignerIdentity {
    /// A regular expression of who vouches for the signer, as `^https://token.actions.githubusercontent.com$`.
    pub(crate) issuer: String,
    /// A regular expression of the signer, as `^https://github.com/acme/.*$`.
    pub(crate) subject: String,
}

/// How Flux reads this repository.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Flux {
    /// The `GitRepository` of this repository. `flux-system/flux-system` when it is left out.
    #[serde(default)]
    pub(crate) source: Option<Source>,
}

/// A `GitRepository` of Flux.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Source {
    /// Its namespace.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// Its name.
    #[serde(default)]
    pub(crate) name: Option<String>,
}
