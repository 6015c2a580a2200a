//! In which form records are written, and what must be so in the cluster first.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use serde::Deserialize;

use crate::{
    config::kubernetes,
    dns::{
        block,
        corefile::{
            lint::{self, Delivery, LintContext},
            parser::{Files, parse},
        },
        hosts_file,
        precondition::{self, Custom, Obstacle},
        snippet,
    },
    model::{
        cluster::{CorefilePath, HostsPath, Records as Wanted},
        finding::{Finding, Severity},
        hostname::Hostname,
        inventory::{ClusterInventory, ServiceObject},
        layer::Layer,
        observed::Observed,
    },
    plan::{
        Context,
        decision::{Decision, Reason},
        release::{Answer, HOST_RECORDS_FILE, TENANT_RECORDS_FILE},
    },
};

/// The name of the proxy's Service, in every chart.
const PROXY: &str = "ouroboros-proxy";

/// The most bytes in the data of `coredns-custom`, with the keys of others. The API server refuses more than 1 MiB.
const LARGEST_DATA: usize = 900 << 10;

/// A cluster that records are for.
pub(in crate::plan) struct RecordSite<'a> {
    pub(in crate::plan) cluster: &'a ClusterInventory,
    /// Where the proxy runs.
    pub(in crate::plan) namespace: &'static str,
    /// The absolute name of the proxy's Service.
    pub(in crate::plan) target: String,
    /// Whether the platform itself mounts `coredns-custom` and keeps the import line.
    pub(in crate::plan) is_mounted: bool,
}

/// What is committed of the records of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::plan) struct Committed {
    /// Every host that has a record, in whichever form.
    pub(in crate::plan) hosts: BTreeSet<Hostname>,
    /// In which forms.
    pub(in crate::plan) answers: Vec<Answer>,
    /// A file that had a block of ours, and the line of a record in it whose block has lost its markers.
    pub(in crate::plan) stray: Option<(CorefilePath, usize)>,
}

/// How records are to be written.
#[derive(Debug)]
pub(in crate::plan) enum Form {
    /// So.
    Answer(Answer),
    /// The proxy has no address yet, because it was never delivered. It comes first.
    AfterProxy,
}

/// Reads the records of a layer back out of the committed files. `file`: where a block is wanted, if one is.
pub(in crate::plan) fn committed(context: &Context<'_>, layer: &Layer, file: Option<&CorefilePath>) -> Committed {
    let mut committed = Committed::default();
    let path = match layer {
        Layer::Host => HOST_RECORDS_FILE,
        Layer::Tenant(_) => TENANT_RECORDS_FILE,
    };
    let data = data_of(context.committed(layer, path).unwrap_or_default());
    if let Some(text) = data.get(hosts_file::KEY) {
        let entries = hosts_file::entries(text);
        let addresses = entries.values().flatten().copied().collect();
        committed.answers.push(Answer::HostsFile { addresses });
        committed.hosts.extend(entries.into_keys());
    }
    if let Some(text) = data.get(snippet::KEY) {
        let target = snippet::target(text).unwrap_or_default().to_owned();
        committed.answers.push(Answer::Snippet { target });
        committed.hosts.extend(snippet::hosts(text));
    }
    if let Some((file, hosts)) = committed_block(context, layer, file) {
        committed.answers.push(Answer::Block { file, target: String::new() });
        committed.hosts.extend(hosts);
    } else if let Some(file) = context.memory(layer).and_then(|memory| memory.corefile.as_ref()) {
        let stray = context.text(file.path()).and_then(|text| block::stray(text).ok().flatten());
        committed.stray = stray.map(|line| (file.clone(), line));
    }
    committed
}

/// The data of the ConfigMaps in a file, whichever way a template wrote them.
fn data_of(text: &str) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Document {
        data: Option<BTreeMap<String, String>>,
    }
    match kubernetes::read_documents::<Document>(text) {
        Ok(documents) => documents.into_iter().filter_map(|document| document.data).flatten().collect(),
        // Somebody damaged it. What looks like a record counts, so that none is taken for one that was never there.
        Err(_) => {
            let lines: String = text.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
            let has = |key: &&str| lines.lines().any(|line| line.starts_with(&format!("{key}:")));
            let keys = [hosts_file::KEY, snippet::KEY].into_iter().filter(has);
            keys.map(|key| (key.to_owned(), lines.clone())).collect()
        }
    }
}

/// The file of the repository that holds a block of the layer, and the hosts in it.
pub(in crate::plan) fn committed_block(
    context: &Context<'_>,
    layer: &Layer,
    file: Option<&CorefilePath>,
) -> Option<(CorefilePath, BTreeSet<Hostname>)> {
    let remembered = context.memory(layer).and_then(|memory| memory.corefile.as_ref());
    // A file that was moved is found again where the settings say.
    let mut files = remembered.into_iter().chain(file);
    files.find_map(|file| {
        let hosts = block::hosts(context.text(file.path())?).ok()?;
        (!hosts.is_empty()).then(|| (file.clone(), hosts))
    })
}

/// Chooses the form.
///
/// Where nobody chose, what is committed stays; where nothing is, the hosts file when somebody has prepared the Corefile
/// for it and the proxy can have a fixed address, else the snippet. So a form never changes by itself.
pub(in crate::plan) fn choose(
    site: &RecordSite<'_>,
    wanted: &Wanted,
    committed: &Committed,
    findings: &mut Vec<Finding>,
) -> Result<Form, Decision> {
    match wanted {
        Wanted::RewriteSnippet => snippet_form(site),
        Wanted::HostsFile(path) => hosts_file_form(site, path, committed, findings),
        Wanted::CorefileBlock { file } => block_form(site, file, committed),
        Wanted::Auto(path) => match committed.answers.first() {
            Some(Answer::HostsFile { .. }) => hosts_file_form(site, path, committed, findings),
            Some(Answer::Snippet { .. }) => snippet_form(site),
            Some(Answer::Block { file, .. }) => block_form(site, file, committed),
            None if is_prepared(site, path) && !is_headless(site) => hosts_file_form(site, path, committed, findings),
            None => snippet_form(site),
        },
    }
}

/// Why records do not fit beside what others keep in the same ConfigMap.
pub(in crate::plan) fn size_obstacle(
    site: &RecordSite<'_>,
    hosts: &[Hostname],
    answers: &[Answer],
) -> Option<Decision> {
    let ours = [snippet::KEY, hosts_file::KEY];
    let foreign = custom(site.cluster);
    let foreign = foreign.iter().filter(|(key, _)| !ours.contains(&key.as_str()));
    let foreign: usize = foreign.map(|(key, text)| key.len() + text.len()).sum();
    let keys = answers.iter().filter_map(|answer| Some((answer.key()?, answer)));
    let bytes = foreign + keys.map(|(key, answer)| key.len() + answer.text(hosts).len()).sum::<usize>();
    (bytes > LARGEST_DATA).then(|| {
        let message = format!(
            "ConfigMap/kube-system/coredns-custom would have {bytes} bytes, with {foreign} of others, and at most \
             {LARGEST_DATA} are written"
        );
        Decision::hold(Reason::new("RecordsTooLarge", message).fix("lower hostnames.quota.total in cluster.yaml"))
    })
}

/// Whether the cluster is seen to hold every one of some records.
pub(in crate::plan) fn is_in_place(cluster: &ClusterInventory, answer: &Answer, hosts: &[Hostname]) -> bool {
    let Observed::Present(config_maps) = &cluster.dns_config_maps else { return false };
    let get = |map: &str, key: &str| config_maps.get(map)?.get(key);
    // What CoreDNS refuses is in the ConfigMap and nowhere else.
    if get("coredns", "Corefile").is_some_and(|text| precondition::refused(text, Some(&custom(cluster))).is_some()) {
        return false;
    }
    match answer {
        Answer::Block { target, .. } => get("coredns", "Corefile").is_some_and(|text| {
            let live = block::records_of_corefile(text);
            hosts.iter().all(|host| live.get(host) == Some(&target.as_str()))
        }),
        Answer::Snippet { target } => get("coredns-custom", snippet::KEY).is_some_and(|text| {
            let live = snippet::hosts(text);
            hosts.iter().all(|host| live.contains(host)) && (hosts.is_empty() || snippet::target(text) == Some(target))
        }),
        Answer::HostsFile { addresses } => get("coredns-custom", hosts_file::KEY).is_some_and(|text| {
            let live = hosts_file::entries(text);
            hosts.iter().all(|host| live.get(host) == Some(addresses))
        }),
    }
}

/// The live data of `coredns-custom`, as far as it is known.
fn custom(cluster: &ClusterInventory) -> Custom {
    cluster.dns_config_maps.present().and_then(|maps| maps.get("coredns-custom")).cloned().unwrap_or_default()
}

/// The live Corefile, or why it is not known. `None`: it is not, and the platform vouches for it.
pub(super) fn corefile<'a>(site: &RecordSite<'a>, is_guaranteed: bool) -> Result<Option<&'a str>, Decision> {
    let missing = || {
        let reason = Reason::new("ImportDirectiveMissing", "there is no Corefile in ConfigMap/kube-system/coredns");
        Decision::hold(reason.fix("find out which program answers the cluster's DNS; ouroboros is for CoreDNS"))
    };
    let config_maps = match &site.cluster.dns_config_maps {
        Observed::Present(config_maps) => config_maps,
        Observed::Unknown(_) | Observed::Absent if is_guaranteed => return Ok(None),
        Observed::Unknown(unknown) => return Err(Decision::not_observed("ConfigMap/kube-system/coredns", unknown)),
        Observed::Absent => return Err(missing()),
    };
    match config_maps.get("coredns").and_then(|data| data.get("Corefile")) {
        Some(corefile) => Ok(Some(corefile)),
        None if is_guaranteed => Ok(None),
        None => Err(missing()),
    }
}

/// What stands in the Corefile before the records, or answers in their place.
pub(in crate::plan) fn shadows(site: &RecordSite<'_>, hosts: &[Hostname], answer: &Answer) -> Vec<Finding> {
    let Ok(Some(corefile)) = corefile(site, true) else { return Vec::new() };
    let mut custom = custom(site.cluster);
    let has_rules = corefile.contains("rewrite")
        || custom.iter().any(|(key, text)| Some(key.as_str()) != answer.key() && text.contains("rewrite"));
    // These act before the plugin `hosts`, or beside it.
    let is_file = matches!(answer, Answer::HostsFile { .. });
    let has_zones = is_file || parse(corefile, &|_| Files::Unknown).is_ok_and(|parsed| parsed.servers.len() > 1);
    if !has_rules && !has_zones {
        return Vec::new();
    }
    // Where the records are not in a file of their own their lines stand last, as the block does.
    custom.insert(answer.key().unwrap_or(snippet::KEY).to_owned(), answer.text(hosts));
    let context = LintContext {
        subject: "ConfigMap/kube-system/coredns",
        delivery: is_file.then_some(Delivery::HostsFile),
        custom: Some(&custom),
        has_node_local_dns: false,
        hosts: &hosts.iter().cloned().collect(),
    };
    let mut findings = lint::lint(corefile, &context);
    let of_rules = ["RuleBeforeRecords", "ZoneShadowsRecords"];
    let of_file = ["HostsEntryForRecord", "TemplateForRecord"];
    findings.retain(|finding| of_rules.contains(&finding.rule) || is_file && of_file.contains(&finding.rule));
    findings
}

fn hold(obstacle: &Obstacle, path: &HostsPath) -> Decision {
    let message = format!("ConfigMap/kube-system/coredns: {obstacle}");
    Decision::hold(Reason::new(obstacle.code(), message).fix(obstacle.fix(path)))
}

fn snippet_form(site: &RecordSite<'_>) -> Result<Form, Decision> {
    if let Some(corefile) = corefile(site, site.is_mounted)?
        && let custom = custom(site.cluster)
        && let Some(obstacle) = precondition::of_snippet(corefile, &custom)
            .or_else(|| precondition::of_target(corefile, Some(&custom), &site.target))
    {
        return Err(hold(&obstacle, &HostsPath::default()));
    }
    Ok(Form::Answer(Answer::Snippet { target: site.target.clone() }))
}

fn block_form(site: &RecordSite<'_>, file: &CorefilePath, committed: &Committed) -> Result<Form, Decision> {
    // Whether this cluster's DNS reads a Corefile at all; what it says is in Git.
    corefile(site, false)?;
    if let Some((file, line)) = &committed.stray {
        let message = format!(
            "{file}: the comments around the block of records are gone, and its lines stand there still, the first at line \
             {line}"
        );
        let fix = format!("put `{}` before them and `{}` behind them, or take the lines out", block::BEGIN, block::END);
        return Err(Decision::hold(Reason::new("BlockMarkersLost", message).fix(fix)));
    }
    let elsewhere = committed.answers.iter().find_map(|answer| match answer {
        Answer::Block { file: other, .. } if other != file => Some(other),
        _ => None,
    });
    if let Some(other) = elsewhere {
        let message = format!("the records stand in the Corefile of {other}, and cluster.yaml now names {file}");
        let fix = "change to another form first, and to this file when the block is gone from the other one";
        return Err(Decision::hold(Reason::new("CorefileMoved", message).fix(fix)));
    }
    Ok(Form::Answer(Answer::Block { file: file.clone(), target: site.target.clone() }))
}

/// The text of a file with the records of a layer in its Corefile.
pub(in crate::plan) fn with_block(
    context: &Context<'_>,
    file: &CorefilePath,
    hosts: &[Hostname],
    target: &str,
) -> Result<String, Decision> {
    let Some(text) = context.text(file.path()) else {
        let message = format!("there is no file {file} in the repository, or it is no text");
        let fix = "correct static.file in cluster.yaml, or set static.records: rewrite-snippet";
        return Err(Decision::hold(Reason::new("CorefileFileMissing", message).fix(fix)));
    };
    let refuse = |error: block::BlockError| {
        let message = format!("{file}: {error}");
        Decision::hold(
            Reason::new("CorefileNotEditable", message)
                .fix("correct this place, and keep lines of your own outside the block; or choose another form"),
        )
    };
    let corefile = block::corefile(text).map_err(refuse)?;
    if !precondition::reloads(&corefile) {
        let message = format!("{file}: {}", Obstacle::ReloadMissing);
        let fix = Obstacle::ReloadMissing.fix(&HostsPath::default());
        return Err(Decision::hold(Reason::new(Obstacle::ReloadMissing.code(), message).fix(fix)));
    }
    if let Some(obstacle) = precondition::of_target(&corefile, None, target) {
        let message = format!("{file}: {obstacle}");
        return Err(Decision::hold(Reason::new(obstacle.code(), message).fix(obstacle.fix(&HostsPath::default()))));
    }
    let changed = block::write(text, hosts, target).map_err(refuse)?;
    if let Some(obstacle) = block::corefile(&changed).ok().and_then(|text| precondition::refused(&text, None)) {
        let message = format!("{file}: {obstacle}");
        return Err(Decision::hold(Reason::new(obstacle.code(), message).fix(obstacle.fix(&HostsPath::default()))));
    }
    Ok(changed)
}

fn is_prepared(site: &RecordSite<'_>, path: &HostsPath) -> bool {
    let corefile = corefile(site, site.is_mounted).ok().flatten();
    corefile.is_some_and(|corefile| precondition::reads_hosts_file(corefile, &custom(site.cluster), path))
}

fn hosts_file_form(
    site: &RecordSite<'_>,
    path: &HostsPath,
    committed: &Committed,
    findings: &mut Vec<Finding>,
) -> Result<Form, Decision> {
    let corefile = corefile(site, false)?.expect("nobody vouches for the line that reads the hosts file");
    let custom = custom(site.cluster);
    let is_mounted = site.is_mounted && *path == HostsPath::default();
    if let Some(obstacle) = precondition::of_hosts_file(corefile, &custom, path, is_mounted) {
        return Err(hold(&obstacle, path));
    }
    findings.extend(precondition::advice(corefile, &custom).into_iter().map(|advice| Finding {
        severity: Severity::Warning,
        rule: "HostsLineAdvice",
        subject: "ConfigMap/kube-system/coredns".to_owned(),
        message: format!("the `hosts` that reads the records {advice}"),
        fix: Some(format!("let it say this:\n{}", precondition::hosts_lines(path))),
        host: None,
    }));
    let name = format!("Service/{}/{PROXY}", site.namespace);
    let service = match &site.cluster.services {
        Observed::Unknown(unknown) => return Err(Decision::not_observed(&name, unknown)),
        Observed::Absent => None,
        Observed::Present(services) => services.iter().find(|service| is_proxy(service, site)),
    };
    match service {
        Some(service) => addresses(service, &name).map(|addresses| Form::Answer(Answer::HostsFile { addresses })),
        None if committed.answers.is_empty() => {
            findings.push(Finding {
                severity: Severity::Info,
                rule: "RecordsAfterProxy",
                subject: name,
                message: "the records need the address of the proxy, which is delivered first; a later run writes them"
                    .to_owned(),
                fix: None,
                host: None,
            });
            Ok(Form::AfterProxy)
        }
        None => {
            let message = format!("{name} does not exist, so its address is not known; the committed records stay");
            let fix = format!("find out why the proxy is gone: kubectl -n {} get service,deployment", site.namespace);
            Err(Decision::hold(Reason::new("ProxyServiceMissing", message).fix(fix)))
        }
    }
}

fn is_proxy(service: &ServiceObject, site: &RecordSite<'_>) -> bool {
    *service.meta.namespace == *site.namespace && *service.meta.name == *PROXY
}

/// Whether the proxy is seen to have no address of its own.
fn is_headless(site: &RecordSite<'_>) -> bool {
    let services = site.cluster.services.present().map_or(&[][..], Vec::as_slice);
    let mut proxies = services.iter().filter(|service| is_proxy(service, site));
    proxies.any(|service| addresses(service, PROXY).is_err())
}

/// The addresses of the proxy's Service, which stay while the Service lives.
fn addresses(service: &ServiceObject, name: &str) -> Result<BTreeSet<IpAddr>, Decision> {
    let parse = |text: &String| text.parse().ok().filter(|address| hosts_file::is_usable(*address));
    let addresses: Option<BTreeSet<IpAddr>> = service.cluster_ips.iter().map(parse).collect();
    addresses.filter(|addresses| !addresses.is_empty()).ok_or_else(|| {
        let found = if service.cluster_ips.is_empty() { "none".to_owned() } else { service.cluster_ips.join(", ") };
        let message = format!("{name} has no fixed address (spec.clusterIPs: {found}), and a hosts file needs one");
        Decision::hold(
            Reason::new("ProxyServiceHeadless", message).fix("set static.records: rewrite-snippet in cluster.yaml"),
        )
    })
}
