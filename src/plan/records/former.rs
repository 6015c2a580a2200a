//! How one way of answering takes the place of another, with no name unanswered in between.
//!
//! The new way is committed beside the former one. The former one goes when the cluster was seen with the new one, and
//! that long ago that every CoreDNS has it in use. What is remembered is only the time of the first such inventory.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    config::kubernetes::read_values,
    dns::{block, corefile::lint, hosts_file, snippet},
    model::{
        cluster::{Engine, OuroborosMode, Records as RecordsForm},
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::ClusterInventory,
        layer::Layer,
        observed::Observed,
    },
    plan::{Context, release::Answer},
};

/// How long new records are left to reach every CoreDNS after they were first seen in the cluster: a kubelet brings a
/// changed ConfigMap into its pods within two minutes, and `reload` looks at it within another.
pub(in crate::plan) const SETTLED: SignedDuration = SignedDuration::from_mins(5);

/// How long records are left that nobody can be seen to have replaced.
pub(in crate::plan) const UNSEEN: SignedDuration = SignedDuration::from_hours(1);

/// The files of a layer's folder that hold the values of the chart.
const VALUES_FILES: [&str; 5] =
    ["overlay.yaml", "package.yaml", "helm-release.yaml", "cluster/helm-release.yaml", "addon/kubernetes.yaml"];

/// How far the new way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) struct Progress {
    /// The time of the first of the inventories without a gap that showed it in place.
    pub(in crate::plan) since: Option<Timestamp>,
    /// Whether the former way may go.
    pub(in crate::plan) is_settled: bool,
}

/// Weighs what this inventory shows with what is remembered.
pub(in crate::plan) fn progress(
    context: &Context<'_>,
    layer: &Layer,
    is_in_place: bool,
    settled: SignedDuration,
) -> Progress {
    let before = context.memory(layer).and_then(|memory| memory.replaced);
    let since = is_in_place.then(|| before.unwrap_or(context.now()));
    let is_settled =
        context.is_identified(layer) && since.is_some_and(|since| context.now().duration_since(since) >= settled);
    Progress { since, is_settled }
}

/// Who writes the records by what is committed; nothing when no chart is.
pub(in crate::plan) fn committed_engine(context: &Context<'_>, layer: &Layer) -> Option<CommittedEngine> {
    let values = VALUES_FILES.into_iter().filter_map(|file| context.committed(layer, file));
    let controller =
        values.filter_map(|text| read_values(text).ok()).flatten().find_map(|value| controller(&value).cloned())?;
    if controller.get("enabled") == Some(&Value::Bool(false)) {
        return Some(CommittedEngine::Static);
    }
    let mode = match (controller.get("mode").and_then(Value::as_str), layer) {
        (Some("coredns"), _) | (None, Layer::Host) => OuroborosMode::Coredns,
        (Some("coredns-import"), _) | (None, Layer::Tenant(_)) => OuroborosMode::CorednsImport,
        (Some("external-dns"), _) => OuroborosMode::ExternalDns,
        (Some(_), _) => return None,
    };
    Some(CommittedEngine::Ouroboros(mode))
}

/// Who writes the records by what is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plan) enum CommittedEngine {
    /// This program.
    Static,
    /// The controller of ouroboros.
    Ouroboros(OuroborosMode),
}

/// The engine that the chart's values are for: the wanted one, but while the static records are not settled the
/// controller that is there goes on.
pub(in crate::plan) fn chart_engine(wanted: &Engine, committed: Option<CommittedEngine>, is_settled: bool) -> Engine {
    match (wanted, committed) {
        (Engine::Static(_), Some(CommittedEngine::Ouroboros(mode))) if !is_settled => Engine::Ouroboros(mode),
        _ => wanted.clone(),
    }
}

/// The hosts that the ways which are to go are seen to answer for; `None` where that is not known of one of them.
pub(in crate::plan) fn answered(
    cluster: &ClusterInventory,
    formers: &[Answer],
    controller: Option<CommittedEngine>,
) -> Option<BTreeSet<Hostname>> {
    let Observed::Present(config_maps) = &cluster.dns_config_maps else { return None };
    let custom =
        |key: &str| config_maps.get("coredns-custom").and_then(|data| data.get(key)).map_or("", String::as_str);
    let corefile = config_maps.get("coredns").and_then(|data| data.get("Corefile")).map_or("", String::as_str);
    let by_form = formers.iter().map(|former| match former {
        Answer::Snippet { .. } => Some(snippet::hosts(custom(snippet::KEY))),
        Answer::HostsFile { .. } => Some(hosts_file::entries(custom(hosts_file::KEY)).into_keys().collect()),
        Answer::Block { .. } => Some(block::hosts_of_corefile(corefile).unwrap_or_default()),
    });
    let by_controller = controller.into_iter().filter_map(|engine| match engine {
        CommittedEngine::Static => None,
        CommittedEngine::Ouroboros(mode) => Some(controller_hosts(cluster, mode)),
    });
    by_form.chain(by_controller).try_fold(BTreeSet::new(), |mut all, hosts| {
        all.extend(hosts?);
        Some(all)
    })
}

/// The map with the settings of the controller: every values of ours name its cleanup image.
fn controller(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    match value {
        Value::Object(map) if map.contains_key("cleanupHookImage") => Some(map),
        Value::Object(map) => map.values().find_map(controller),
        Value::Array(list) => list.iter().find_map(controller),
        _ => None,
    }
}

/// Whether the controller is seen to answer for every one of some hosts.
pub(in crate::plan) fn controller_answers(
    cluster: &ClusterInventory,
    mode: OuroborosMode,
    hosts: &BTreeSet<Hostname>,
) -> bool {
    let live = controller_hosts(cluster, mode);
    live.is_some_and(|live| hosts.is_subset(&live))
}

/// The hosts that the controller is seen to answer for; nothing when it is not known or nothing of it is there.
fn controller_hosts(cluster: &ClusterInventory, mode: OuroborosMode) -> Option<BTreeSet<Hostname>> {
    let Observed::Present(config_maps) = &cluster.dns_config_maps else { return None };
    match mode {
        OuroborosMode::Coredns => {
            let corefile = config_maps.get("coredns")?.get("Corefile")?;
            let block = lint::ouroboros_lines(corefile)?;
            let lines: String = block.iter().flat_map(|line| [line.trim(), "\n"]).collect();
            Some(snippet::hosts(&lines))
        }
        OuroborosMode::CorednsImport => {
            config_maps.get("coredns-custom")?.get(lint::OUROBOROS_KEY).map(|text| snippet::hosts(text))
        }
        OuroborosMode::ExternalDns => None,
    }
}

/// What the controller and hairpin-proxy left in a cluster whose records are in Git now.
pub(in crate::plan) fn left_behind(cluster: &ClusterInventory, is_settled: bool) -> Vec<Finding> {
    let Observed::Present(config_maps) = &cluster.dns_config_maps else { return Vec::new() };
    let corefile = config_maps.get("coredns").and_then(|data| data.get("Corefile")).map_or("", String::as_str);
    let waits = "It stays until the committed records have been in use for a while";
    let mut findings = Vec::new();
    let mut add = |rule, subject: &str, message: &str, fix: &str| {
        let (message, fix) =
            if is_settled { (message.to_owned(), Some(fix.to_owned())) } else { (format!("{message}. {waits}"), None) };
        let severity = if is_settled { Severity::Warning } else { Severity::Info };
        findings.push(Finding { severity, rule, subject: subject.to_owned(), message, fix, host: None });
    };
    if lint::ouroboros_lines(corefile).is_some() {
        add(
            "OuroborosBlockLeftBehind",
            "ConfigMap/kube-system/coredns",
            "the Corefile still has the block of the controller of ouroboros, which nobody keeps up to date once the \
             records are in Git",
            "take the lines from `# === BEGIN ouroboros` to `# === END ouroboros` out of it",
        );
    }
    if config_maps.get("coredns-custom").is_some_and(|data| data.contains_key(lint::OUROBOROS_KEY)) {
        add(
            "OuroborosKeyLeftBehind",
            "ConfigMap/kube-system/coredns-custom",
            "it still has the key of the controller of ouroboros, which nobody keeps up to date once the records are in \
             Git",
            "kubectl -n kube-system patch configmap coredns-custom --type merge -p \
             '{\"data\":{\"ouroboros.override\":null}}'",
        );
    }
    if corefile.lines().any(|line| line.trim_end().ends_with(lint::HAIRPIN_COMMENT)) {
        add(
            "HairpinProxyLeftBehind",
            "ConfigMap/kube-system/coredns",
            "the Corefile still has the lines of hairpin-proxy, and those win over records that come after them",
            "uninstall hairpin-proxy, then take out every line that ends with `# Added by hairpin-proxy`",
        );
    }
    findings
}

/// Tells that former records are still there, and for what they wait.
pub(in crate::plan) fn waiting(layer: &Layer, progress: Progress, what: &str) -> Finding {
    let message = match progress.since {
        None => format!("{what} until an inventory shows that the new ones are in the cluster"),
        Some(since) => format!(
            "{what}; the new ones are in the cluster since {since}, and the former ones go when that is long enough ago"
        ),
    };
    let subject = layer.to_string();
    Finding { severity: Severity::Info, rule: "FormerRecordsStay", subject, message, fix: None, host: None }
}

/// The engine with the form that was chosen where nobody said which.
pub(in crate::plan) fn named(wanted: &Engine, answer: &Answer) -> Engine {
    match (wanted, answer) {
        (Engine::Static(RecordsForm::Auto(_)), Answer::Snippet { .. }) => Engine::Static(RecordsForm::RewriteSnippet),
        (Engine::Static(RecordsForm::Auto(path)), Answer::HostsFile { .. }) => {
            Engine::Static(RecordsForm::HostsFile(path.clone()))
        }
        (Engine::Static(RecordsForm::Auto(_)), Answer::Block { file, .. }) => {
            Engine::Static(RecordsForm::CorefileBlock { file: file.clone() })
        }
        _ => wanted.clone(),
    }
}
