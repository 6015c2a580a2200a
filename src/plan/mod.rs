//! Decides, layer by layer, what must stand in Git; pure, and it never fails.
//!
//! Read [`decision`] for what can come out, `host` and `tenant` for the rules, `removal` for what keeps a wrong
//! inventory from emptying a cluster, `leaving` for what goes in two commits, `owner` for who else delivers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    dns::policy::{Owner, Policy},
    manifest::MARK,
    model::{
        cluster::ClusterConfig,
        digest::Digest,
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::{ClusterInventory, ClusterSource, Inventory, PlatformSource},
        layer::{Layer, TenantId},
        name::Name,
        observed::{Observed, Unknown},
        pins::{PinName, Pins},
        stamp::Stamp,
        state::{HostOwner, LayerState, State},
        tree::{Entry, RepoPath, Tree, resolve},
    },
    platform::values::PlatformValues,
};

pub mod decision;
pub mod document;
pub mod reading;
pub mod release;

mod addon;
mod host;
mod leaving;
mod owner;
mod pinned;
mod records;
mod removal;
mod tenant;
mod values;

pub use decision::{Decision, HoldCause, Reason};
pub use pinned::findings as pin_findings;
pub use records::{GIT_SERVER, policy as hostname_policy};
pub use removal::Refusal;

/// Everything that the decision about one cluster depends on.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The cluster's folder in the repository.
    pub folder: &'a RepoPath,
    /// What is wanted.
    pub config: &'a ClusterConfig,
    /// What the platform does.
    pub platform: &'a PlatformFacts,
    /// What was seen.
    pub inventory: &'a Inventory,
    /// Which bytes.
    pub pins: &'a Pins,
    /// What earlier runs remembered.
    pub state: &'a State,
    /// Names that are never redirected because of how this repository is published, and what each is
    /// reserved for, as in `for the Git server`.
    pub reserved: &'a BTreeMap<Hostname, &'static str>,
    /// What is committed.
    pub tree: &'a Tree,
    /// The removals that a person accepted, by the hash that a refusal printed.
    pub accept_removals: Option<&'a Digest>,
}

/// The platform, as far as it is known.
#[derive(Clone, Debug)]
pub enum PlatformFacts {
    /// cozystack, with the values it was given.
    Cozystack(Box<PlatformValues>),
    /// Any other cluster: everything is in its settings.
    Generic,
    /// cozystack, with values that could not be read.
    Unknown(Unknown),
}

/// The decisions about one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterPlan {
    /// The cluster.
    pub name: Name,
    /// Its folder.
    pub folder: RepoPath,
    /// The host first, then the tenants by namespace and name.
    pub layers: Vec<LayerPlan>,
    /// What the next run must remember.
    pub state: State,
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// Set when hosts would go that nobody may remove without being asked.
    pub refusal: Option<Refusal>,
    /// The stamp that the committed list of layers has. It stays until a pull request brings another one, so that it is
    /// never a difference by itself.
    pub stamp: Option<Stamp>,
}

/// The decision about one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerPlan {
    /// Which.
    pub layer: Layer,
    /// What.
    pub decision: Decision,
    /// Whether the layer has a kustomization of ours in Git.
    pub is_committed: bool,
    /// The hosts that are redirected there: by the committed records, or, where ouroboros writes them, by its rules.
    pub hosts: BTreeMap<String, Option<Owner>>,
    /// The files of other people in which a block of ours changes, with their whole new text. A held layer has none.
    pub edits: BTreeMap<RepoPath, String>,
}

/// The decision about one layer, before the removals of the whole cluster are weighed.
struct Draft {
    layer: Layer,
    decision: Decision,
    hosts: BTreeMap<String, Option<Owner>>,
    findings: Vec<Finding>,
    /// What the next run must remember; `None`: what was remembered before.
    memory: Option<LayerState>,
    loss: removal::Loss,
    /// Files of other people in which a block of ours changes.
    edits: BTreeMap<RepoPath, String>,
}

impl Draft {
    /// A layer without hosts. A held layer changes nothing, its memory included; any other has nothing to remember.
    fn new(layer: Layer, decision: Decision) -> Self {
        // A held layer changes nothing, its memory included.
        let memory = match decision {
            Decision::Hold { .. } => None,
            Decision::Deliver { .. } | Decision::Remove { .. } => Some(LayerState::default()),
        };
        Self {
            layer,
            decision,
            hosts: BTreeMap::new(),
            findings: Vec::new(),
            memory,
            loss: removal::Loss::default(),
            edits: BTreeMap::new(),
        }
    }

    /// Remembers since when the new way of answering is in the cluster, while the former one is still there.
    fn replacing(&mut self, replaced: Option<Timestamp>) {
        if let (Decision::Deliver { .. }, Some(memory)) = (&self.decision, &mut self.memory) {
            memory.replaced = replaced;
        }
    }

    /// Remembers since when hosts that keep their record were not seen, and whose hosts are. Where records are on their way
    /// out as a whole, nothing waits for single ones; whose they are does not change by that.
    fn keep(&mut self, tombstones: BTreeMap<Hostname, Timestamp>, owners: BTreeMap<Hostname, HostOwner>) {
        let Some(memory) = &mut self.memory else { return };
        if let Decision::Deliver { .. } = self.decision {
            memory.tombstones = tombstones;
        }
        memory.owners = owners;
    }
}

/// Decides about one cluster.
pub fn plan(inputs: &Inputs<'_>) -> ClusterPlan {
    let (drafts, mut findings) = drafts(inputs, false);
    let weighed = removal::weigh(&drafts, &inputs.config.removal);
    let (drafts, refusal) = match weighed {
        None => (drafts, None),
        Some(refusal) if inputs.accept_removals == Some(&refusal.accept) => (self::drafts(inputs, true).0, None),
        Some(refusal) => (removal::refuse(drafts, &refusal), Some(refusal)),
    };
    let drafts = one_writer(drafts);
    findings.extend(version_finding(inputs, &drafts));
    findings.extend(pinned::findings(inputs.pins, &inputs.config.pins, inputs.inventory.observed_at));
    let mut state = State::default();
    let mut layers = Vec::with_capacity(drafts.len());
    for draft in drafts {
        findings.extend(draft.findings);
        let remembered = || inputs.state.layers.get(&draft.layer).cloned().unwrap_or_default();
        let mut memory = draft.memory.unwrap_or_else(remembered);
        if let (Layer::Tenant(tenant), Decision::Deliver { .. }) = (&draft.layer, &draft.decision) {
            let seen = inputs.inventory.tenant_clusters.get(tenant).and_then(|cluster| cluster.uid.present());
            memory.uid = seen.cloned().or_else(|| remembered().uid);
        }
        if !memory.is_empty() {
            state.layers.insert(draft.layer.clone(), memory);
        }
        let kustomization = inputs.folder.join("manifests").join(&draft.layer.folder()).join("kustomization.yaml");
        let is_committed = inputs.tree.file(kustomization.as_str()).is_some();
        let edits = match draft.decision {
            Decision::Hold { .. } => BTreeMap::new(),
            Decision::Deliver { .. } | Decision::Remove { .. } => draft.edits,
        };
        let (layer, decision, hosts) = (draft.layer, draft.decision, draft.hosts);
        layers.push(LayerPlan { layer, decision, is_committed, hosts, edits });
    }
    findings.sort();
    findings.dedup();
    let (name, folder) = (inputs.config.name.clone(), inputs.folder.clone());
    let stamp = committed_stamp(inputs);
    ClusterPlan { name, folder, layers, state, findings, refusal, stamp }
}

/// Holds every layer whose block would go into a file that another layer of the cluster has its block in.
fn one_writer(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut writers: BTreeMap<RepoPath, usize> = BTreeMap::new();
    for path in drafts.iter().flat_map(|draft| draft.edits.keys()) {
        *writers.entry(path.clone()).or_default() += 1;
    }
    let hold = |draft: Draft| match draft.edits.keys().find(|path| writers[*path] > 1) {
        None => draft,
        Some(path) => {
            let message =
                format!("two layers have their records in the Corefile of {path}, and each has a DNS of its own");
            let reason = Reason::new("CorefileShared", message).fix("name the right file for each in cluster.yaml");
            Draft { decision: Decision::hold(reason), memory: None, edits: BTreeMap::new(), ..draft }
        }
    };
    drafts.into_iter().map(hold).collect()
}

fn committed_stamp(inputs: &Inputs<'_>) -> Option<Stamp> {
    let list = inputs.folder.join("manifests").join("kustomization.yaml");
    let text = std::str::from_utf8(inputs.tree.file(list.as_str())?).ok()?;
    text.starts_with(MARK).then(|| Stamp::read(text)).flatten()
}

/// Images of one version under the platform's chart of another one.
fn version_finding(inputs: &Inputs<'_>, drafts: &[Draft]) -> Option<Finding> {
    let PlatformFacts::Cozystack(values) = inputs.platform else { return None };
    let image = inputs.pins.get(PinName::Image)?;
    let shipped = values.capabilities().ouroboros;
    let uses_platform_chart = |draft: &Draft| match &draft.decision {
        Decision::Deliver { release, .. } => release.form.uses_platform_chart(),
        Decision::Remove { .. } | Decision::Hold { .. } => false,
    };
    (image.tag != shipped && drafts.iter().any(uses_platform_chart)).then(|| Finding {
        severity: Severity::Warning,
        rule: "PinOfAnotherVersion",
        subject: format!("{}:{}", image.repository, image.tag),
        message: format!(
            "the platform's chart of ouroboros is {shipped}, and the pinned image is {}: the two were not made for each other",
            image.tag
        ),
        fix: Some(format!("pin the image {}:{shipped}", image.repository)),
        host: None,
    })
}

/// Decides about every layer by itself.
fn drafts(inputs: &Inputs<'_>, removals_accepted: bool) -> (Vec<Draft>, Vec<Finding>) {
    let (references, policy) = (references(inputs.tree), records::policy(inputs));
    let context = Context { inputs, removals_accepted, references, policy };
    if let Some(refused) = context.wrong_cluster() {
        let mut layers = BTreeSet::from([Layer::Host]);
        layers.extend(context.committed_tenants().into_iter().map(Layer::Tenant));
        // What is remembered of a layer without files stays too.
        layers.extend(inputs.state.layers.keys().cloned());
        return (layers.into_iter().map(|layer| Draft::new(layer, refused.clone())).collect(), Vec::new());
    }
    let mut findings = Vec::new();
    let mut drafts = vec![host::decide(&context)];
    drafts.extend(tenant::decide_all(&context, &mut findings));
    (drafts, findings)
}

/// The inputs, and the questions that several rules ask of them.
struct Context<'a> {
    inputs: &'a Inputs<'a>,
    removals_accepted: bool,
    /// Every path that some kustomization of the repository names, resolved.
    references: BTreeSet<String>,
    /// Who may claim which hosts.
    policy: Policy,
}

impl<'a> Context<'a> {
    fn now(&self) -> Timestamp {
        self.inputs.inventory.observed_at
    }

    fn memory(&self, layer: &Layer) -> Option<&'a LayerState> {
        self.inputs.state.layers.get(layer)
    }

    /// Whether a kustomization of the repository names a folder.
    fn is_referenced(&self, folder: &RepoPath) -> bool {
        self.references.contains(folder.as_str())
    }

    fn layer_folder(&self, layer: &Layer) -> RepoPath {
        self.inputs.folder.join("manifests").join(&layer.folder())
    }

    /// Whether what the inventory has of a layer's cluster is known to be of that cluster. Where the UID is known, of the
    /// host by `access.uid` and of a tenant by what was delivered to, an inventory that does not say it is not refused,
    /// but it proves nothing to be gone.
    fn is_identified(&self, layer: &Layer) -> bool {
        let inventory = self.inputs.inventory;
        let of_host = self.inputs.config.uid.is_none() || matches!(inventory.host.uid, Observed::Present(_));
        let of_tenant = match layer {
            Layer::Host => true,
            Layer::Tenant(tenant) => {
                let is_known = self.memory(layer).is_some_and(|memory| memory.uid.is_some());
                let seen = inventory.tenant_clusters.get(tenant);
                !is_known || seen.is_some_and(|cluster| matches!(cluster.uid, Observed::Present(_)))
            }
        };
        of_host && of_tenant
    }

    /// The text of any file of the repository.
    fn text(&self, path: &RepoPath) -> Option<&'a str> {
        std::str::from_utf8(self.inputs.tree.file(path.as_str())?).ok()
    }

    /// The text of a file of ours below a layer's folder.
    fn committed(&self, layer: &Layer, file: &str) -> Option<&'a str> {
        let bytes = self.inputs.tree.file(self.layer_folder(layer).join(file).as_str())?;
        std::str::from_utf8(bytes).ok().filter(|text| text.starts_with(MARK))
    }

    /// The tenants that have a folder with files of ours.
    fn committed_tenants(&self) -> Vec<TenantId> {
        let root = self.inputs.folder.join("manifests").join("tenants");
        let mut tenants = Vec::new();
        for (path, entry) in self.inputs.tree.below(root.as_str()) {
            let mut parts = path.below(root.as_str()).unwrap_or_default().split('/');
            let (Some(namespace), Some(name), Some(_)) = (parts.next(), parts.next(), parts.next()) else { continue };
            let (Ok(namespace), Ok(name)) = (Name::parse(namespace), Name::parse(name)) else { continue };
            let ours = matches!(entry, Entry::File(bytes) if bytes.starts_with(MARK.as_bytes()));
            let tenant = TenantId { namespace, name };
            if ours && tenants.last() != Some(&tenant) {
                tenants.push(tenant);
            }
        }
        tenants
    }

    /// Why a layer waits: something of its cluster was asked for and not given.
    fn unread(&self, layer: &Layer) -> Option<Decision> {
        let Inventory { host, packages, platform_settings, helm_releases, tenant_clusters, .. } = self.inputs.inventory;
        let cluster = match layer {
            Layer::Host => Some(host),
            Layer::Tenant(tenant) => tenant_clusters.get(tenant),
        };
        let own = cluster.into_iter().flat_map(ClusterInventory::unread).find(|(source, _)| {
            // Who a host is has no meaning where nobody said who it must be.
            *source != ClusterSource::Uid || *layer != Layer::Host || self.inputs.config.uid.is_some()
        });
        let own = own.map(|(source, unknown)| (source.to_string(), unknown));
        let platform = || {
            let packages = packages.unread().map(|unknown| (PlatformSource::Packages, unknown));
            let settings = || platform_settings.unread().map(|unknown| (PlatformSource::PlatformSettings, unknown));
            packages.or_else(settings).filter(|_| *layer == Layer::Host)
        };
        // Somebody else may install the same release.
        let owners = || helm_releases.unread().map(|unknown| (PlatformSource::HelmReleases, unknown));
        let shared = || platform().or_else(owners).map(|(source, unknown)| (source.to_string(), unknown));
        let (source, unknown) = own.or_else(shared)?;
        Some(Decision::not_observed(&source, unknown))
    }

    /// The refusal for a tenant whose cluster is not the one that was delivered to.
    fn wrong_tenant(&self, layer: &Layer) -> Option<Decision> {
        let Layer::Tenant(tenant) = layer else { return None };
        let known = self.memory(layer)?.uid.as_ref()?;
        let found = self.inputs.inventory.tenant_clusters.get(tenant)?.uid.present()?;
        if known == found {
            return None;
        }
        let message =
            format!("state.yaml knows the tenant's cluster by the UID {known}, and the inventory is of {found}");
        let fix = format!("find out why; if the tenant was made anew: bobbypin trust --tenant {tenant}");
        Some(Decision::refuse(Reason::new("WrongTenantCluster", message).fix(fix)))
    }

    /// The refusal for every layer, when the inventory is of another cluster than the settings are for.
    fn wrong_cluster(&self) -> Option<Decision> {
        let config = self.inputs.config;
        let reason = match (&config.uid, &self.inputs.inventory.host.uid) {
            (Some(wanted), Observed::Present(found)) if wanted != found => {
                format!("cluster.yaml is for the cluster with UID {wanted}, and the inventory is of {found}")
            }
            _ => match &self.inputs.inventory.cluster {
                Some(found) if *found != config.name => {
                    format!("the inventory is of cluster {found}, and this is the folder of {}", config.name)
                }
                _ => return None,
            },
        };
        Some(Decision::refuse(
            Reason::new("WrongCluster", reason).fix("give the inventory of this cluster, or correct spec.access.uid"),
        ))
    }
}

/// The paths that the kustomizations of a repository name, resolved against their folders.
///
/// Every word of every such file is taken for a path; a word that is none resolves to something that nobody asks for.
fn references(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, entry) in &tree.entries {
        let Entry::File(bytes) = entry else { continue };
        let (folder, file) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        // Our own lists name folders of ours, but never a component.
        if matches!(file, "kustomization.yaml" | "kustomization.yml" | "Kustomization") && !text.starts_with(MARK) {
            let code =
                text.lines().map(|line| if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or("") });
            let code: String = code.flat_map(|line| [line, "\n"]).collect();
            let words =
                code.split(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ',' | '"' | '\'' | '{' | '}'));
            found.extend(words.filter(|word| word.contains('/')).filter_map(|word| resolve(folder, word)));
        }
    }
    found
}
