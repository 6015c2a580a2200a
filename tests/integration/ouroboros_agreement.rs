//! What is foretold of ouroboros agrees with what the real program answered.
//!
//! The recorded answers are not part of this repository: they are read from the file that `BOBBYPIN_AGREEMENT_CASES`
//! names, or from beside the repository. `tests/data/ouroboros-cases.json` has the same form, is our own, and is always
//! read. A case that is not understood is a failure.
#![expect(clippy::disallowed_methods, reason = "this test reads files and the environment")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

use bobbypin::{
    config::{inventory::parse_inventory, problem::Source},
    dns::ouroboros::{
        cluster_domain,
        corefile::{self, ApplyError, TargetError},
        external_dns, filters, import, names,
        sources::{self, GatewayApi, Objects, Watch},
    },
    model::inventory::ClusterInventory,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

const ENVIRONMENT: &str = "BOBBYPIN_AGREEMENT_CASES";
const RECORDED: [&str; 2] =
    ["../shared/fixtures/ouroboros-agreement-cases.json", "../shared/fixtures/ouroboros-generated-cases.json"];
const OWN: &str = "tests/data/ouroboros-cases.json";

/// A file of cases. `upstream_test` names a test of the real program, and means nothing here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    _origin: String,
    markers: Option<Markers>,
    #[serde(default)]
    corefile_apply: Vec<ApplyCase>,
    #[serde(default)]
    import_snippet: Vec<SnippetCase>,
    #[serde(default)]
    import_data: Vec<DataCase>,
    #[serde(default)]
    extract: Vec<ExtractCase>,
    #[serde(default)]
    filters: Vec<FilterCase>,
    #[serde(default)]
    cluster_domain: Vec<DomainCase>,
    #[serde(default)]
    cluster_domain_mismatch: Vec<MismatchCase>,
    #[serde(default)]
    has_reload: Vec<ReloadCase>,
    #[serde(default)]
    object_names: Vec<NameCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Markers {
    begin: String,
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplyCase {
    name: String,
    corefile: String,
    #[serde(default)]
    hosts: Vec<String>,
    target: String,
    changed: Option<bool>,
    output: Option<String>,
    error: Option<String>,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnippetCase {
    name: String,
    #[serde(default)]
    hosts: Vec<String>,
    target: String,
    expected: Option<String>,
    error: Option<String>,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataCase {
    name: String,
    data: BTreeMap<String, String>,
    key: String,
    desired: String,
    changed: bool,
    result: BTreeMap<String, String>,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

/// A null in a list stands for a nil pointer, which no list of the API has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtractCase {
    name: String,
    #[serde(default)]
    ingresses: Vec<Option<TlsHosts>>,
    #[serde(default)]
    gateways: Vec<Option<Listeners>>,
    #[serde(default)]
    routes: Vec<Option<Hostnames>>,
    expected: Vec<String>,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsHosts {
    #[serde(default)]
    tls: Vec<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listeners {
    listeners: Vec<Option<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hostnames {
    hostnames: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
enum FilterCase {
    Ingress {
        class_: String,
        objects: Vec<(String, Option<String>)>,
        kept: Vec<String>,
        #[serde(default, rename = "upstream_test")]
        _upstream_test: Value,
    },
    Gateway {
        class_: String,
        objects: Vec<(String, Option<String>)>,
        kept: Vec<String>,
        #[serde(default, rename = "upstream_test")]
        _upstream_test: Value,
    },
    /// Survivors and parents are `namespace/name`; a parent that is no Gateway has its kind and a blank before it. Null
    /// survivors: Gateways were not filtered. Every route is in the namespace `default`; a parent without a slash names
    /// none.
    HttpRoute {
        surviving_gateways: Option<BTreeSet<String>>,
        parents: BTreeMap<String, Vec<String>>,
        kept: Vec<String>,
        #[serde(default, rename = "upstream_test")]
        _upstream_test: Value,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DomainCase {
    name: String,
    resolv_conf: String,
    expected: String,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MismatchCase {
    cluster_domain: String,
    fqdn: String,
    mismatch: bool,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadCase {
    name: String,
    corefile: String,
    expected: bool,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NameCase {
    host: String,
    suffix: String,
    expected: String,
    #[serde(default, rename = "upstream_test")]
    _upstream_test: Value,
}

#[test]
fn the_agreement_with_ouroboros_holds_for_every_recorded_case() {
    let files: Vec<PathBuf> = match env::var_os(ENVIRONMENT) {
        Some(path) => vec![path.into()],
        None => {
            let beside = RECORDED.iter().map(|path| Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
            beside.filter(|path| path.is_file()).collect()
        }
    };
    if files.is_empty() {
        say(&format!(
            "NOT CHECKED against the real program: {} are not there and {ENVIRONMENT} is not set; only {OWN} was checked",
            RECORDED.join(" and ")
        ));
    }
    let checked: usize = files.iter().map(|path| check(path)).sum();
    assert!(files.is_empty() || checked > 0, "{files:?} have no cases");
}

#[test]
fn the_agreement_with_ouroboros_holds_for_every_case_of_our_own() {
    let checked = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(OWN));
    assert!(checked >= 120, "the table has lost rows: there are {checked}");
}

/// Checks every case of a file, and tells how many there are.
fn check(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Cases = serde_json::from_slice(&bytes)
        .unwrap_or_else(|error| panic!("{}: a case is not understood: {error}", path.display()));
    let mut verdicts = Verdicts::default();
    cases.check(&mut verdicts);
    let Verdicts { kinds, wrong } = verdicts;
    let checked = kinds.values().sum();
    let counts: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let told = format!("{}: {checked} cases ({}), {} wrong", path.display(), counts.join(", "), wrong.len());
    say(&told);
    assert!(wrong.is_empty(), "{told}\n{}", wrong.join("\n"));
    checked
}

#[derive(Default)]
struct Verdicts {
    /// How many cases of each kind there are.
    kinds: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Verdicts {
    fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        kind: &'static str,
        name: &str,
        foretold: &T,
        recorded: &Result<T, String>,
    ) {
        *self.kinds.entry(kind).or_default() += 1;
        if recorded.as_ref() != Ok(foretold) {
            self.wrong.push(format!("{kind} {name}\n  foretold: {foretold:?}\n  recorded: {recorded:?}"));
        }
    }
}

impl Cases {
    fn check(&self, verdicts: &mut Verdicts) {
        if let Some(Markers { begin, end }) = &self.markers {
            let ours = (corefile::BEGIN.to_owned(), corefile::END.to_owned());
            verdicts.compare("markers", "", &ours, &Ok((begin.clone(), end.clone())));
        }
        for case in &self.corefile_apply {
            let foretold = corefile::apply(&case.corefile, case.hosts.iter().map(String::as_str), &case.target)
                .map(|output| (output != case.corefile, output));
            let recorded = match (&case.output, case.changed, &case.error) {
                (Some(output), Some(changed), None) => Ok(Ok((changed, output.clone()))),
                (None, None, Some(error)) => apply_error(error).map(Err),
                _ => Err("a case has either an output and what changed, or an error".to_owned()),
            };
            verdicts.compare("corefile_apply", &case.name, &foretold, &recorded);
        }
        for case in &self.import_snippet {
            let foretold = import::snippet(case.hosts.iter().map(String::as_str), &case.target);
            let recorded = match (&case.expected, &case.error) {
                (Some(expected), None) => Ok(Ok(expected.clone())),
                (None, Some(error)) => target_error(error).map(Err),
                _ => Err("a case has either an output or an error".to_owned()),
            };
            verdicts.compare("import_snippet", &case.name, &foretold, &recorded);
        }
        for case in &self.import_data {
            let updated = import::updated(&case.data, &case.key, &case.desired);
            let foretold = (updated.is_some(), updated.unwrap_or_else(|| case.data.clone()));
            verdicts.compare("import_data", &case.name, &foretold, &Ok((case.changed, case.result.clone())));
        }
        for case in &self.extract {
            verdicts.compare("extract", &case.name, &extracted(case), &Ok(case.expected.clone()));
        }
        for case in &self.filters {
            let (name, foretold, kept) = filtered(case);
            verdicts.compare("filters", &name, &foretold, &Ok(kept.clone()));
        }
        for case in &self.cluster_domain {
            let foretold = cluster_domain::detect(&case.resolv_conf).to_owned();
            verdicts.compare("cluster_domain", &case.name, &foretold, &Ok(case.expected.clone()));
        }
        for MismatchCase { cluster_domain, fqdn, mismatch, _upstream_test } in &self.cluster_domain_mismatch {
            let foretold = names::is_of_other_domain(cluster_domain, fqdn);
            let name = format!("{cluster_domain:?} {fqdn:?}");
            verdicts.compare("cluster_domain_mismatch", &name, &foretold, &Ok(*mismatch));
        }
        for case in &self.has_reload {
            verdicts.compare("has_reload", &case.name, &corefile::has_reload(&case.corefile), &Ok(case.expected));
        }
        for NameCase { host, suffix, expected, _upstream_test } in &self.object_names {
            let foretold = external_dns::object_name(host, suffix);
            verdicts.compare("object_names", &format!("{host}{suffix}"), &foretold, &Ok(expected.clone()));
        }
    }
}

/// The errors by their texts. Those of the real program, and those of whoever restated its cases.
fn apply_error(text: &str) -> Result<ApplyError, String> {
    match text.to_lowercase().as_str() {
        "empty corefile" => Ok(ApplyError::Empty),
        "no .:53 server block found" | "no .:53 server block" | "no .:53 block" => Ok(ApplyError::NoServerBlock),
        "unclosed corefile block" | "unclosed coredns server block at .:53" | "unclosed .:53 block" | "unclosed" => {
            Ok(ApplyError::Unclosed)
        }
        _ => target_error(text).map(ApplyError::Target),
    }
}

fn target_error(text: &str) -> Result<TargetError, String> {
    match text {
        "empty target" => Ok(TargetError::Empty),
        "target must be FQDN with trailing dot" => Ok(TargetError::NotAbsolute),
        _ => Err(format!("the error {text:?} is not understood")),
    }
}

fn extracted(case: &ExtractCase) -> Vec<String> {
    let mut items = Vec::new();
    for ingress in case.ingresses.iter().flatten() {
        let tls: Vec<_> = ingress.tls.iter().map(|hosts| json!({"hosts": hosts, "secretName": "x"})).collect();
        items.push(object("networking.k8s.io/v1", "Ingress", items.len(), json!({"tls": tls})));
    }
    for gateway in case.gateways.iter().flatten() {
        let listener = |host: &Option<String>| json!({"name": "l", "port": 443, "protocol": "HTTPS", "hostname": host});
        let listeners: Vec<_> = gateway.listeners.iter().map(listener).collect();
        let spec = json!({"gatewayClassName": "c", "listeners": listeners});
        items.push(object(GATEWAY_API, "Gateway", items.len(), spec));
    }
    for route in case.routes.iter().flatten() {
        items.push(object(GATEWAY_API, "HTTPRoute", items.len(), json!({"hostnames": route.hostnames})));
    }
    let cluster = read(items);
    let watch = Watch { ingress_class: None, gateway_api: GatewayApi::Watched { class: None } };
    sources::redirected(sources::claims(&objects(&cluster), &watch)).into_keys().collect()
}

fn filtered(case: &FilterCase) -> (String, Vec<String>, &Vec<String>) {
    match case {
        FilterCase::Ingress { class_, objects, kept, .. } => {
            let item = |(name, class): &(String, Option<String>)| {
                named("networking.k8s.io/v1", "Ingress", name, json!({"ingressClassName": class}))
            };
            let cluster = read(objects.iter().map(item).collect());
            let ingresses = self::objects(&cluster).ingresses.iter();
            let kept_here = ingresses.filter(|ingress| filters::takes_ingress(ingress, Some(class_)));
            (class_.clone(), kept_here.map(|one| one.meta.name.to_string()).collect(), kept)
        }
        FilterCase::Gateway { class_, objects, kept, .. } => {
            let item = |(name, class): &(String, Option<String>)| {
                named(GATEWAY_API, "Gateway", name, json!({"gatewayClassName": class, "listeners": []}))
            };
            let cluster = read(objects.iter().map(item).collect());
            let kept_here = filters::gateways(self::objects(&cluster).gateways, Some(class_));
            (class_.clone(), kept_here.map(|one| one.meta.name.to_string()).collect(), kept)
        }
        FilterCase::HttpRoute { surviving_gateways, parents, kept, .. } => {
            let parent = |text: &String| {
                let (kind, path) =
                    text.split_once(' ').map_or((None, text.as_str()), |(kind, path)| (Some(kind), path));
                let (namespace, name) = path.split_once('/').map_or((None, path), |(space, name)| (Some(space), name));
                let group = kind.map(|_| "");
                json!({"group": group, "kind": kind, "namespace": namespace, "name": name})
            };
            // The names of these cases are sentences, which no object can have.
            let spec = |parents: &Vec<String>| json!({"parentRefs": parents.iter().map(parent).collect::<Vec<_>>()});
            let items = parents
                .values()
                .enumerate()
                .map(|(index, parents)| named(GATEWAY_API, "HTTPRoute", &format!("r{index}"), spec(parents)));
            let cluster = read(items.collect());
            let survivors: Option<BTreeSet<_>> = surviving_gateways.as_ref().map(|survivors| {
                survivors.iter().map(|path| path.split_once('/').expect("a namespace and a name")).collect()
            });
            let routes = filters::http_routes(self::objects(&cluster).http_routes, survivors.as_ref());
            let kept_here: BTreeSet<_> = routes.map(|route| route.meta.name.to_string()).collect();
            let names = parents.keys().enumerate().filter(|(index, _)| kept_here.contains(&format!("r{index}")));
            (format!("{surviving_gateways:?}"), names.map(|(_, name)| name.clone()).collect(), kept)
        }
    }
}

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

fn object(api_version: &str, kind: &str, index: usize, spec: Value) -> Value {
    named(api_version, kind, &format!("o{index}"), spec)
}

fn named(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"namespace": "default", "name": name});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
}

/// Reads objects as a cluster gives them.
fn read(items: Vec<Value>) -> ClusterInventory {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let bytes = serde_json::to_vec(&list).expect("a value with keys that are texts");
    let source = Source { path: "list.json".to_owned(), bytes: bytes.into() };
    parse_inventory(&source, Timestamp::UNIX_EPOCH)
        .unwrap_or_else(|problems| panic!("{problems:#?}\n{list}"))
        .remove(0)
        .host
}

fn objects(cluster: &ClusterInventory) -> Objects<'_> {
    Objects {
        ingresses: cluster.ingresses.present().map_or(&[], Vec::as_slice),
        gateways: cluster.gateways.present().map_or(&[], Vec::as_slice),
        http_routes: cluster.http_routes.present().map_or(&[], Vec::as_slice),
    }
}

/// Says a line on stderr, past the test harness, which would swallow it.
fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(format!("agreement: {line}\n").as_bytes()).expect("stderr is open");
}
