//! The testbed is what it says: real clusters, apart from each other, that refuse what real ones refuse.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{
    self,
    admin::{Admin, documents, refusal},
    api_server::{ApiServer, Options},
    certificates::Validity,
    crds, poll,
    process::{Process, folder},
};

const CONFIG_MAP: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: default}, data: {a: b}}";

#[test]
fn two_clusters_have_different_uids_and_different_objects() {
    let other = ApiServer::start(&Options::default());
    assert_ne!(support::host().uid(), other.uid());
    support::host().admin().namespace("of-the-host").unwrap();
    assert_eq!(refusal(other.admin().get("v1", "Namespace", None, "of-the-host")), 404);
    let misled = support::host().kubeconfig("admin").replace(&support::host().url(), &other.url());
    assert!(matches!(Admin::new(&misled).text("/readyz"), Err(kube::Error::Service(_) | kube::Error::HyperError(_))));
}

#[test]
fn a_server_that_was_killed_comes_back_with_its_objects_and_its_uid() {
    let mut server = ApiServer::start(&Options::default());
    let (uid, made) = (server.uid(), server.admin().create(CONFIG_MAP).unwrap());
    server.kill();
    assert!(!server.admin().is_ready());
    server.restart();
    assert_eq!(server.uid(), uid);
    let found = server.admin().get("v1", "ConfigMap", Some("default"), "one").unwrap();
    assert_eq!(found.metadata.uid, made[0].metadata.uid);
    server.admin().delete(CONFIG_MAP).unwrap();
    assert_eq!(refusal(server.admin().get("v1", "ConfigMap", Some("default"), "one")), 404);
}

#[test]
fn a_continue_token_from_before_a_compaction_is_gone() {
    let server = ApiServer::start(&Options { compaction: Some(Duration::from_secs(1)), ..Options::default() });
    let admin = server.admin();
    admin.create_ingresses("default", 0..3).unwrap();
    let path = "/apis/networking.k8s.io/v1/ingresses?limit=1";
    let token = admin.json(path).unwrap()["metadata"]["continue"].as_str().expect("more pages").to_owned();
    let next = format!("{path}&continue={token}");
    assert_eq!(admin.json(&next).unwrap()["items"][0]["metadata"]["name"], "shop-00001");
    // History goes on only when something is written.
    let mut number = 3..;
    let gone = poll(Duration::from_secs(30), || {
        admin.create_ingresses("default", number.next().map(|one| one..one + 1)?).expect("a name that is free");
        admin.text(&next).err()
    });
    assert_eq!(refusal::<()>(Err(gone.expect("an end within 30 seconds"))), 410);
}

#[test]
fn who_has_no_rights_is_forbidden_until_a_role_says_otherwise() {
    let options =
        Options { users: vec![("operator".to_owned(), vec!["system:masters".to_owned()])], ..Options::default() };
    let server = ApiServer::start(&options);
    let ingresses = "/apis/networking.k8s.io/v1/ingresses";
    let user = Admin::new(&server.kubeconfig("user-1"));
    assert_eq!(refusal(user.text(ingresses)), 403);
    server.admin().allow_reading("user-1", &["ingresses.networking.k8s.io"]).unwrap();
    // The server looks at roles through a cache.
    poll(Duration::from_secs(10), || user.text(ingresses).ok()).expect("the role is seen");
    assert_eq!(refusal(user.text("/api/v1/configmaps")), 403);
    assert!(Admin::new(&server.kubeconfig("operator")).text("/api/v1/configmaps").is_ok());
}

#[test]
fn a_certificate_lets_in_while_it_holds() {
    let tried = |validity| {
        let text = support::host().kubeconfig_by_certificate("somebody", Some("system:masters"), validity);
        Admin::new(&text).text("/api/v1/configmaps")
    };
    assert!(tried(Validity::Now).is_ok());
    assert_eq!(refusal(tried(Validity::Expired)), 401);
    assert_eq!(refusal(tried(Validity::Future)), 401);
}

#[test]
fn every_definition_is_established_and_serves_the_version_that_clusters_have() {
    let host = support::host().admin();
    let definitions = crds::definitions();
    assert_eq!(definitions.len(), 16);
    for definition in &definitions {
        host.wait_until_established(&crds::name(definition));
    }
    for (group, plural) in [
        ("apps.cozystack.io/v1alpha1", "kuberneteses"),
        ("cozystack.io/v1alpha1", "packages"),
        ("gateway.networking.k8s.io/v1", "gateways"),
        ("gateway.networking.k8s.io/v1", "httproutes"),
        ("gateway.networking.k8s.io/v1alpha2", "tlsroutes"),
        ("helm.toolkit.fluxcd.io/v2", "helmreleases"),
        ("kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
        ("notification.toolkit.fluxcd.io/v1", "receivers"),
        ("notification.toolkit.fluxcd.io/v1beta3", "alerts"),
        ("notification.toolkit.fluxcd.io/v1beta3", "providers"),
        ("source.toolkit.fluxcd.io/v1", "buckets"),
        ("source.toolkit.fluxcd.io/v1", "externalartifacts"),
        ("source.toolkit.fluxcd.io/v1", "gitrepositories"),
        ("source.toolkit.fluxcd.io/v1", "helmcharts"),
        ("source.toolkit.fluxcd.io/v1", "helmrepositories"),
        ("source.toolkit.fluxcd.io/v1", "ocirepositories"),
    ] {
        let list = host.json(&format!("/apis/{group}/{plural}")).unwrap();
        assert_eq!(list["apiVersion"], group, "{plural}");
    }
}

#[test]
fn the_definitions_of_flux_are_those_of_the_controllers_that_run() {
    let versions = |component: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed").join(component).join("go.mod");
        let text = fs::read_to_string(path).expect("a readable file");
        let of_flux = text.lines().filter_map(|line| line.trim().strip_prefix("github.com/fluxcd/")?.split_once(" v"));
        let of_controllers = of_flux.filter(|(name, _)| name.ends_with("-controller"));
        let words = of_controllers.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().map(str::to_owned)));
        words.collect::<BTreeMap<_, _>>()
    };
    let installed = versions("crds");
    assert_eq!(installed.len(), 4);
    assert_eq!(installed, versions("flux"));
}

#[test]
fn the_manifests_of_the_worked_examples_are_taken_by_a_server() {
    let host = support::host().admin();
    let mut tried = 0;
    for path in manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters")) {
        let text = fs::read_to_string(&path).expect("a readable file");
        for object in documents(&text) {
            if let Some(namespace) = object.pointer("/metadata/namespace").and_then(serde_json::Value::as_str) {
                host.namespace(namespace).unwrap();
            }
        }
        let verdict = host.dry_run(&text);
        tried += verdict.unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
    }
    assert!(tried >= 15, "only {tried} objects");
}

/// The files below `manifests` folders that hold objects: `kustomization.yaml` is for Flux alone.
fn manifests(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("a readable entry").path()) {
        if path.is_dir() {
            found.extend(manifests(&path));
        } else if path.to_string_lossy().contains("/manifests/") && !path.ends_with("kustomization.yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_dry_run_refuses_what_nobody_defined_and_stores_nothing() {
    let host = support::host().admin();
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: tried, namespace: default}
spec: {interval: 10m, chartRef: {kind: OCIRepository, name: chart}}
";
    assert!(host.dry_run(release).is_ok());
    assert_eq!(refusal(host.dry_run(&release.replace("interval: 10m", "interval: often"))), 422);
    // An unknown field is no error of its own to a server-side apply.
    assert_eq!(refusal(host.dry_run(&release.replace("interval:", "interwal: 1m, interval:"))), 500);
    assert_eq!(refusal(host.get("helm.toolkit.fluxcd.io/v2", "HelmRelease", Some("default"), "tried")), 404);
}

#[test]
fn thousands_of_ingresses_are_listed_in_pages() {
    let server = ApiServer::start(&Options::default());
    server.admin().create_ingresses("default", 0..1200).unwrap();
    let path = "/apis/networking.k8s.io/v1/ingresses?limit=500";
    let mut remaining = Vec::new();
    let mut page = server.admin().json(path).unwrap();
    while let Some(token) = page["metadata"]["continue"].as_str() {
        remaining.push(page["metadata"]["remainingItemCount"].as_u64());
        page = server.admin().json(&format!("{path}&continue={token}")).unwrap();
    }
    assert_eq!(remaining, [Some(700), Some(200)]);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(200));
    let last = &page["items"][199];
    assert_eq!(last["spec"]["tls"][0]["hosts"][0], "shop-01199.example.org");
    assert_eq!(last["metadata"]["managedFields"][0]["manager"], "helm");
    assert!((2000..6000).contains(&last.to_string().len()), "{} bytes", last.to_string().len());
}

#[test]
fn act_runs_the_steps_of_a_workflow_on_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let workflow = folder.path().join("workflow.yaml");
    let run = |step: &str| {
        let text = format!("on: push\njobs: {{check: {{runs-on: ubuntu-latest, steps: [{{run: {step}}}]}}}}\n");
        fs::write(&workflow, text).expect("a folder of ours");
        let mut act = Command::new(support::component("act"));
        act.args(["push", "--platform", "ubuntu-latest=-self-hosted", "--workflows"]).arg(&workflow);
        act.current_dir(&folder)
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("a PATH"))
            .env("HOME", folder.path());
        let done = act.output().expect("a program of ours");
        (done.status.success(), String::from_utf8(done.stdout).expect("UTF-8"))
    };
    let (is_success, printed) = run("echo a$((40 + 2))b");
    assert!(is_success && printed.contains("| a42b"), "{printed}");
    assert!(!run("exit 3").0);
}

/// Set in the second copy of this program, the one that is killed: where its program writes who it is.
const SECOND: &str = "BOBBYPIN_TESTBED_SECOND";

#[test]
fn a_program_ends_when_the_tests_are_killed() {
    let program = |folder: &Path| {
        let script = format!("echo $$ >'{0}/new' && mv '{0}/new' '{0}/pid' && exec sleep 600", folder.display());
        Process::start(Path::new("/bin/sh"), &["-c".to_owned(), script], folder)
    };
    if let Some(folder) = env::var_os(SECOND) {
        let _running = program(Path::new(&folder));
        poll(Duration::from_secs(60), || None::<()>);
        return;
    }
    let folder = folder();
    let name = "itself::a_program_ends_when_the_tests_are_killed";
    let mut second = Command::new(env::current_exe().expect("a program that runs"))
        .args(["--exact", name])
        .env(SECOND, &folder)
        .stdout(Stdio::null())
        .spawn()
        .expect("this program");
    let pid = poll(Duration::from_secs(20), || fs::read_to_string(folder.join("pid")).ok()).expect("it started");
    let process = PathBuf::from("/proc").join(pid.trim());
    assert!(process.is_dir());
    second.kill().expect("a child of ours");
    second.wait().expect("a child of ours");
    let is_gone = || (!process.is_dir() && !folder.is_dir()).then_some(());
    poll(Duration::from_secs(20), is_gone).expect("the program and its folder are gone");
}
