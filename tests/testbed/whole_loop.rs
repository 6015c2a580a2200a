//! The whole loop on real programs: an Ingress appears, bobbypin commits, Flux is told and applies it, bobbypin sees it
//! arrive, and Gitea shows it beside the commit.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    admin::Admin,
    api_server::ApiServer,
    artifacts::{Artifact, Place},
    checkout::Checkout,
    flux::{self, Flux},
    gitea::{Gitea, Repo, User},
    poll,
};

const WEBHOOK_TOKEN: &str = "canary-webhook-token";

const COREFILE: &str =
    ".:53 {\n    errors\n    import /etc/coredns/custom/*.override\n    reload\n    forward . 192.0.2.1\n}\n";

/// How a program ended, and what it said.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A repository with one cluster that follows it.
struct Site {
    server: &'static ApiServer,
    flux: &'static Flux,
    gitea: &'static Gitea,
    repo: Repo,
    checkout: Checkout,
    token: String,
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let ((server, flux), gitea) = (flux::shared(), Gitea::shared());
        let owner = gitea.user("whole-loop");
        let repo = gitea.repository(&owner, "fleet");
        let checkout = gitea.git(&repo, &owner);
        let token = gitea.token(&owner, &["write:repository", "read:user"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("kubeconfig"), server.kubeconfig("admin")).expect("a folder of ours");
        let site = Self { server, flux, gitea, repo, checkout, token, folder };
        site.prepare_cluster(&owner);
        let chart = push_chart(gitea, &owner);
        site.init(&chart);
        site
    }

    fn prepare_cluster(&self, owner: &User) {
        let admin = self.server.admin();
        admin.namespace("web").expect("a cluster that runs");
        let corefile = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": COREFILE}});
        admin.apply(&corefile.to_string()).expect("a ConfigMap");
        for (name, data) in [
            ("loop-git", json!({"username": owner.name, "password": self.token})),
            ("loop-webhook", json!({"token": WEBHOOK_TOKEN})),
            ("loop-status", json!({"token": self.token})),
        ] {
            let metadata = json!({"name": name, "namespace": "flux-system"});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
            admin.apply(&secret.to_string()).expect("a Secret");
        }
    }

    /// Lets `init` write the files, fills them in, and has Flux follow them.
    fn init(&self, (reference, digest): &(String, String)) {
        let words = ["init", "edge", "--platform", "generic", "--flux", "--flux-name", "loop", "--receiver-url"];
        let written = self.run(&[&words[..], &[self.flux.receiver()]].concat());
        assert_eq!(written.code, Some(0), "{}", written.stderr);
        assert!(written.stderr.contains("Gitea has a webhook that tells Flux of pushes"), "{}", written.stderr);

        let flux = self.read("clusters/edge/flux.yaml");
        self.server
            .admin()
            .dry_run(&flux)
            .expect("objects that the API server takes, without a field that it does not know");
        self.server.admin().apply(&flux).expect("objects that the API server takes");
        // Until it is, whoever tells it something hears that nobody is there.
        self.flux.becomes_ready("notification.toolkit.fluxcd.io/v1", "Receiver", "flux-system", "loop");

        let settings = self.read("clusters/edge/cluster.yaml");
        let (head, flux_source) = settings.split_once("  flux:").expect("where Flux's source is");
        let (head, _) = head.split_once("spec:").expect("a spec");
        let kubeconfig = self.folder.path().join("kubeconfig");
        self.checkout.write(
            "clusters/edge/cluster.yaml",
            &format!(
                "{head}spec:
  access: {{kubeconfig: {}}}
  platform: {{kind: generic}}
  ingress:
    class: nginx
    service: {{namespace: ingress-nginx, name: ingress-nginx-controller}}
    clusterDomain: cluster.local
    proxyProtocol: true
  host: {{engine: static, static: {{records: rewrite-snippet}}}}
  hostnames: {{delegations: [{{namespaces: [web], suffixes: [example.org]}}]}}
  pins: {{chart: \"oci://{reference}\", version: 0.8.1}}
  flux:{flux_source}",
                kubeconfig.display()
            ),
        );
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/plain/pins.yaml");
        let pins = fs::read_to_string(example).expect("the example");
        let pins = pins
            .replace("name: plain", "name: edge")
            .replace("ghcr.io/lexfrei/charts/ouroboros", reference)
            .replace("sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b", digest);
        self.checkout.write("clusters/edge/pins.yaml", &pins);
        self.checkout.write(
            "bobbypin.yaml",
            &format!(
                "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish:\n    branch: main\n    notify:\n      \
                 receiver: {{type: github, url: \"{}\", name: loop}}\n",
                self.flux.receiver()
            ),
        );
        self.checkout.commit("the settings");
        self.checkout.push().expect("a branch that nobody protects");
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        program.args(words).current_dir(self.checkout.path()).env_clear().stdin(Stdio::null());
        program.env("HOME", self.folder.path());
        program.envs([("BOBBYPIN_GITEA_TOKEN", &*self.token), ("BOBBYPIN_WEBHOOK_TOKEN", WEBHOOK_TOKEN)]);
        let done = program.output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: done.status.code(), stdout: text(&done.stdout), stderr: text(&done.stderr) }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.checkout.path().join(path)).expect("a file of the checkout")
    }

    fn config_map(&self, namespace: &str, name: &str) -> Value {
        let found = self.server.admin().get("v1", "ConfigMap", Some(namespace), name);
        found.map_or(Value::Null, |found| found.data["data"].clone())
    }

    fn admin(&self) -> &Admin {
        self.server.admin()
    }
}

/// Pushes a chart that installs one ConfigMap to Gitea's registry; its reference and its digest.
fn push_chart(gitea: &Gitea, owner: &User) -> (String, String) {
    let registry = gitea.url().trim_start_matches("http://");
    let login = (&*owner.name, &*owner.password);
    let place = Place::new(registry, &format!("{}/ouroboros", owner.name), Some(login));
    let chart = Artifact::chart("0.8.1", "");
    place.push(&chart, "0.8.1");
    (place.to_string(), chart.digest().to_string())
}

/// What got on, in order of the alphabet: two objects may get ready at the same time. Without what differs from run to run.
fn steps(text: &str, commit: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with('►'));
    let mut found: Vec<_> = lines.map(|line| line.replace(&commit[..7], "COMMIT")).collect();
    found.sort();
    found
}

#[test]
fn an_ingress_becomes_a_commit_that_flux_applies_and_gitea_shows() {
    let site = Site::new();
    site.admin().create_ingresses("web", 0..1).expect("a lawful Ingress");
    let ran = site.run(&["reconcile", "--wait=120s"]);
    let printed = || format!("{}\n{}\n{}", ran.stdout, ran.stderr, site.flux.printed());
    assert_eq!(ran.code, Some(0), "{}", printed());
    let commit = site.gitea.branch_head(&site.repo, "main");
    assert_eq!(
        steps(&ran.stderr, &commit),
        [
            "► Flux was told of the commit",
            "► GitRepository/flux-system/loop: fetched main@sha1:COMMIT",
            "► HelmRelease/ouroboros/ouroboros: ready (InstallSucceeded)",
            "► Kustomization/flux-system/loop: applied main@sha1:COMMIT",
        ],
        "{}",
        printed()
    );
    assert!(ran.stdout.ends_with(&format!("✔ {} has arrived in edge\n", &commit[..7])), "{}", printed());
    let records = site.config_map("kube-system", "coredns-custom");
    let records = records["bobbypin.override"].as_str().expect("the records are in the cluster");
    assert!(records.contains("rewrite name shop-00000.example.org "), "{records}");
    assert_eq!(site.config_map("ouroboros", "installed")["by"], "chart");
    let release = site.admin().get("helm.toolkit.fluxcd.io/v2", "HelmRelease", Some("ouroboros"), "ouroboros");
    let digest = release.expect("it is there").data["status"]["lastAttemptedRevisionDigest"].clone();
    assert!(site.read("clusters/edge/pins.yaml").contains(digest.as_str().expect("it is said")), "{digest}");

    let status = poll(Duration::from_secs(60), || {
        let statuses = site.gitea.statuses(&site.repo, &commit);
        statuses.into_iter().find(|(context, status)| context.starts_with("kustomization/loop/") && status == "success")
    });
    assert!(status.is_some(), "{:?}\n{}", site.gitea.statuses(&site.repo, &commit), site.flux.printed());

    // What has arrived is seen at once, and nothing is committed.
    let again = site.run(&["reconcile", "--wait", "-o", "json"]);
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    let report: Value = serde_json::from_str(&again.stdout).expect("JSON");
    assert_eq!((&report["outcome"], &report["told"]), (&json!("UpToDate"), &Value::Null));
    assert_eq!(report["rollout"][0]["arrived"], true, "{report:#}");
    assert_eq!(site.gitea.branch_head(&site.repo, "main"), commit);

    // Nothing that is secret is told, however much is told.
    site.admin().create_ingresses("web", 1..2).expect("a lawful Ingress");
    let loud = site.run(&["-vv", "reconcile", "--wait=120s"]);
    let all = format!("{}{}", loud.stdout, loud.stderr);
    assert_eq!(loud.code, Some(0), "{all}");
    for secret in [WEBHOOK_TOKEN, &site.token, "/hook/"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    let records = site.config_map("kube-system", "coredns-custom")["bobbypin.override"].to_string();
    assert!(records.contains("shop-00001.example.org"), "{records}");

    // `init` made what `doctor` wants.
    let looked = site.run(&["doctor", "-o", "json"]);
    let looked: Value = serde_json::from_str(&looked.stdout).expect("JSON");
    let checks = looked["clusters"][0]["checks"].as_array().expect("checks");
    let of_flux: Vec<_> =
        checks.iter().filter(|check| check["id"].as_str().is_some_and(|id| id.starts_with("Flux"))).collect();
    assert!(of_flux.len() >= 5 && of_flux.iter().all(|check| check["verdict"] == "Ok"), "{of_flux:#?}");

    what_a_person_suspended_is_not_waited_for(&site);
}

/// The commit is made and stays, and the exit code says that nobody saw it arrive.
fn what_a_person_suspended_is_not_waited_for(site: &Site) {
    let suspend = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: loop, namespace: flux-system}, spec: {suspend: true}}";
    site.admin().merge(suspend).expect("an object that is there");
    site.admin().create_ingresses("web", 2..3).expect("a lawful Ingress");
    let before = site.gitea.branch_head(&site.repo, "main");
    let ran = site.run(&["reconcile", "--wait=60s"]);
    assert_eq!(ran.code, Some(4), "{}{}", ran.stdout, ran.stderr);
    assert_ne!(site.gitea.branch_head(&site.repo, "main"), before);
    for line in [
        "! Kustomization/flux-system/loop: a person suspended it: nothing is waited for",
        "✗ HelmRelease/ouroboros/ouroboros: not yet: waits for Kustomization/flux-system/loop",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    let found = site.admin().get("kustomize.toolkit.fluxcd.io/v1", "Kustomization", Some("flux-system"), "loop");
    assert_eq!(found.expect("it is there").data["spec"]["suspend"], true);
}
