//! The cluster, the repository that it follows, and who else writes into it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{LazyLock, Mutex, MutexGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Form,
    live::{ConfigMap, HELM_KEY, Live, of_helm},
};
use crate::support::{
    admin::{Admin, refusal},
    api_server::{ApiServer, Options},
    artifacts::{Artifact, Place},
    checkout::Checkout,
    dns::CoreDns,
    flux::Flux,
    gitea::{Gitea, Repo},
    poll,
    process::free_port,
    wait_for,
};

const LIMIT: Duration = Duration::from_secs(30);
const WEBHOOK_TOKEN: &str = "canary-webhook-token";
const KUSTOMIZATION: (&str, &str) = ("kustomize.toolkit.fluxcd.io/v1", "Kustomization");

/// The world outside: whatever it is asked for has the addresses of the load balancer.
const OUTSIDE: &str = r#".:PORT {
    bind 127.0.0.1
    template IN A . {
        answer "{{ .Name }} 0 IN A 203.0.113.1"
    }
    template IN AAAA . {
        answer "{{ .Name }} 0 IN AAAA 2001:db8::1"
    }
}
"#;

/// What somebody wrote by hand into the ConfigMap of Helm.
const BY_HAND: &str = "template IN ANY printer.example.net {\n    rcode NXDOMAIN\n}\n";

/// A cluster with Flux, and what is outside of it.
pub(super) struct Cluster {
    server: ApiServer,
    flux: Flux,
    outside: SocketAddr,
    _outside: CoreDns,
}

/// The cluster that all forms have, one after the other: each leaves it as it was.
pub(super) fn cluster() -> MutexGuard<'static, Cluster> {
    static CLUSTER: LazyLock<Mutex<Cluster>> = LazyLock::new(|| {
        let server = ApiServer::start(&Options { definitions: true, ..Options::default() });
        let flux = Flux::start(&server);
        server.admin().namespace("web").expect("a cluster that runs");
        let port = free_port();
        let outside = CoreDns::start("coredns", &OUTSIDE.replace("PORT", &port.to_string()), &[]);
        let outside = outside.expect("a Corefile that loads");
        Mutex::new(Cluster { server, flux, outside: SocketAddr::from(([127, 0, 0, 1], port)), _outside: outside })
    });
    CLUSTER.lock().expect("the form before left the cluster as it was")
}

/// A repository that the cluster follows, whose settings ask for one form of records.
pub(super) struct Site<'c> {
    cluster: &'c Cluster,
    form: Form,
    gitea: &'static Gitea,
    repo: Repo,
    checkout: Checkout,
    token: String,
    home: TempDir,
}

impl<'c> Site<'c> {
    /// Flux has applied the settings, and the program was not run yet.
    pub(super) fn new(cluster: &'c Cluster, form: Form) -> Self {
        let gitea = Gitea::shared();
        let owner = gitea.user(&format!("records-{}", form.name()));
        let repo = gitea.repository(&owner, "fleet");
        let checkout = gitea.git(&repo, &owner);
        let token = gitea.token(&owner, &["write:repository", "read:user"]);
        let home = tempfile::tempdir().expect("a temporary folder");
        fs::write(home.path().join("kubeconfig"), cluster.server.kubeconfig("admin")).expect("a folder of ours");
        let site = Self { cluster, form, gitea, repo, checkout, token, home };
        site.others_write();
        for (name, data) in [
            ("git", json!({"username": owner.name, "password": site.token})),
            ("webhook", json!({"token": WEBHOOK_TOKEN})),
            ("status", json!({"token": site.token})),
        ] {
            let metadata = json!({"name": format!("{}-{name}", form.name()), "namespace": "flux-system"});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data});
            site.admin().apply(&secret.to_string()).expect("a Secret");
        }
        let chart = Artifact::proxy_chart("0.8.1");
        let login = (&*owner.name, &*owner.password);
        let registry = gitea.url().trim_start_matches("http://");
        let place = Place::new(registry, &format!("{}/ouroboros", owner.name), Some(login));
        place.push(&chart, "0.8.1");
        site.settles(&place.to_string(), chart.digest().as_str());
        site
    }

    pub(super) fn admin(&self) -> &Admin {
        self.cluster.server.admin()
    }

    /// A file with what lets CoreDNS read the cluster.
    pub(super) fn kubeconfig(&self) -> String {
        self.home.path().join("kubeconfig").display().to_string()
    }

    /// The ConfigMaps of DNS, as they are made before the program comes.
    fn others_write(&self) {
        for name in ["coredns", "coredns-custom"] {
            // That of the form before, if there was one.
            let _ = self.admin().delete(&config_map(name, &json!({})));
        }
        if self.form != Form::CorefileBlock {
            let corefile = config_map("coredns", &json!({"Corefile": self.corefile()}));
            self.admin().apply_as("kubeadm", &corefile).expect("a ConfigMap");
        }
        self.helm_releases(&["corp.example.net"]);
        let by_hand = config_map("coredns-custom", &json!({"printer.override": BY_HAND}));
        self.admin().merge_as("kubectl-edit", &by_hand).expect("a ConfigMap that is there");
    }

    fn corefile(&self) -> String {
        self.form.corefile(&self.cluster.outside.to_string())
    }

    /// Helm writes its own key: names that lead to the API server.
    pub(super) fn helm_releases(&self, names: &[&str]) {
        let mine = config_map("coredns-custom", &json!({HELM_KEY: of_helm(names)}));
        self.admin().apply_as("helm", &mine).expect("a ConfigMap");
    }

    /// Lets `init` write the files, fills them in, and has Flux follow them.
    fn settles(&self, chart: &str, digest: &str) {
        let receiver = self.cluster.flux.receiver();
        let words = ["init", "edge", "--platform", "generic", "--flux", "--flux-name", self.form.name()];
        self.run(&[&words[..], &["--receiver-url", receiver]].concat());
        let name = self.form.name();
        let file = match self.form {
            Form::HostsFile | Form::RewriteSnippet => "",
            Form::CorefileBlock => ", file: clusters/edge/coredns.yaml",
        };
        let settings = format!(
            "apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata: {{name: edge}}
spec:
  access: {{kubeconfig: {}, uid: {}}}
  platform: {{kind: generic}}
  ingress:
    class: nginx
    service: {{namespace: ingress-nginx, name: ingress-nginx-controller}}
    clusterDomain: cluster.local
    proxyProtocol: true
  host: {{enabled: auto, engine: static, static: {{records: {name}{file}}}}}
  hostnames: {{delegations: [{{namespaces: [web], suffixes: [example.org]}}]}}
  removal: {{confirmAfter: 1h}}
  pins: {{chart: \"oci://{chart}\", version: 0.8.1}}
  flux: {{source: {{namespace: flux-system, name: {name}}}}}
",
            self.kubeconfig(),
            self.cluster.server.uid(),
        );
        self.checkout.write("clusters/edge/cluster.yaml", &settings);
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/plain/pins.yaml");
        let pins = fs::read_to_string(example).expect("the example");
        let pins = pins
            .replace("name: plain", "name: edge")
            .replace("ghcr.io/lexfrei/charts/ouroboros", chart)
            .replace("sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b", digest);
        self.checkout.write("clusters/edge/pins.yaml", &pins);
        if self.form == Form::CorefileBlock {
            let list = self.read("clusters/edge/kustomization.yaml") + "- coredns.yaml\n";
            self.checkout.write("clusters/edge/kustomization.yaml", &list);
            self.checkout.write("clusters/edge/coredns.yaml", &self.corefile_file());
        }
        self.checkout.commit("the settings");
        self.checkout.push().expect("a branch that nobody protects");

        // Whoever waits for a release looks at it every five seconds.
        let flux = self.read("clusters/edge/flux.yaml").replace("wait: true", "wait: false");
        self.admin().apply(&flux).expect("objects that the API server takes");
        // Until it is, whoever tells it something hears that nobody is there.
        self.cluster.flux.becomes_ready("notification.toolkit.fluxcd.io/v1", "Receiver", "flux-system", name);
        self.arrives();
    }

    /// The Corefile as a person has it in Git.
    fn corefile_file(&self) -> String {
        let lines: String = self.corefile().lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "# Ours.\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: coredns, namespace: kube-system}}\ndata:\n  Corefile: |\n{lines}"
        )
    }

    /// A person changes a word of the settings.
    pub(super) fn changes_settings(&self, from: &str, to: &str) {
        self.checkout.git(&["pull", "--quiet", "--ff-only"]).expect("a branch that is only ahead");
        let settings = self.read("clusters/edge/cluster.yaml");
        self.checkout.write("clusters/edge/cluster.yaml", &settings.replace(from, to));
        self.checkout.commit(to);
        self.checkout.push().expect("a branch that nobody protects");
    }

    /// Runs the program until it finds something to commit, which is then in one commit, and Flux applies that.
    pub(super) fn publishes(&self) {
        let before = self.tip();
        let after = poll(LIMIT, || {
            let told = self.reconciles();
            let tip = self.tip();
            if tip == before { None } else { Some((tip, told)) }
        });
        let (after, told) = after.unwrap_or_else(|| panic!("nothing is committed: {}", self.reconciles()));
        self.checkout.git(&["fetch", "--quiet"]).expect("a server that runs");
        assert_eq!(self.checkout.git(&["rev-parse", &format!("{after}~1")]), Ok(before), "{told}");
        self.arrives();
    }

    /// Runs the program with what the cluster shows now, as if it were so many minutes later; it makes a commit, which Flux
    /// applies.
    pub(super) fn publishes_after(&self, minutes: i64) {
        let before = self.tip();
        let file = self.home.path().join("later.yaml");
        let path = file.to_str().expect("a path of plain words");
        self.run(&["inventory", "--cluster", "edge", "--out", path]);
        let text = fs::read_to_string(&file).expect("a file that was written");
        let (head, rest) = text.split_once("observedAt: ").expect("an inventory has a time");
        let (time, rest) = rest.split_once('\n').expect("it goes on");
        let time: Timestamp = time.trim_matches('"').parse().expect("a time");
        let later = time + SignedDuration::from_mins(minutes);
        fs::write(&file, format!("{head}observedAt: {later}\n{rest}")).expect("a folder of ours");
        let told = self.run(&["reconcile", "--remote", &self.repo.url, "--inventory", path]);
        assert_ne!(self.tip(), before, "{told}");
        self.arrives();
    }

    /// Runs the program, which finds nothing to commit.
    pub(super) fn publishes_nothing(&self) {
        let before = self.tip();
        let told = self.reconciles();
        assert_eq!(self.tip(), before, "{told}");
    }

    fn reconciles(&self) -> String {
        self.run(&["reconcile", "--remote", &self.repo.url])
    }

    /// Waits until Flux has applied the tip of the branch, and is content.
    fn arrives(&self) {
        let (name, revision) = (self.form.name(), format!("main@sha1:{}", self.tip()));
        self.cluster.flux.wait(&revision, || {
            let found = self.admin().get(KUSTOMIZATION.0, KUSTOMIZATION.1, Some("flux-system"), name).ok()?;
            let status = &found.data["status"];
            let is_ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
            (status["lastAppliedRevision"] == *revision && status["conditions"].as_array()?.iter().any(is_ready))
                .then_some(())
        });
    }

    fn tip(&self) -> String {
        self.gitea.branch_head(&self.repo, "main")
    }

    /// What the program says, which ends well.
    fn run(&self, words: &[&str]) -> String {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        program.args(words).current_dir(self.checkout.path()).env_clear().stdin(Stdio::null());
        program.env("HOME", self.home.path());
        program.envs([("BOBBYPIN_GITEA_TOKEN", &*self.token), ("BOBBYPIN_WEBHOOK_TOKEN", WEBHOOK_TOKEN)]);
        let done = program.output().expect("the program starts");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{words:?}: {said}");
        said
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.checkout.path().join(path)).expect("a file of the checkout")
    }

    /// What the cluster holds now.
    pub(super) fn live(&self) -> Live {
        let read = |name| {
            let found = self.admin().get("v1", "ConfigMap", Some("kube-system"), name).expect("a ConfigMap");
            ConfigMap::of(&found)
        };
        Live { coredns: read("coredns"), custom: read("coredns-custom") }
    }

    /// The address that the API server gave the proxy's Service.
    pub(super) fn proxy(&self) -> String {
        let get = || self.admin().get("v1", "Service", Some("ouroboros"), "ouroboros-proxy").ok();
        let found = self.cluster.flux.wait("the proxy is installed", get);
        found.data["spec"]["clusterIP"].as_str().expect("an address").to_owned()
    }

    pub(super) fn delete_ingress(&self, number: usize) {
        let metadata = json!({"name": format!("shop-{number:05}"), "namespace": "web"});
        let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata});
        self.admin().delete(&ingress.to_string()).expect("an Ingress");
    }

    /// Waits until the proxy is uninstalled, and then lets its namespace go, as a controller manager would.
    pub(super) fn proxy_goes(&self) {
        for (version, kind, name) in [
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease", "ouroboros"),
            ("source.toolkit.fluxcd.io/v1", "OCIRepository", "ouroboros"),
            ("v1", "Service", "ouroboros-proxy"),
        ] {
            let get = || self.admin().get(version, kind, Some("ouroboros"), name);
            let code = self.cluster.flux.wait(kind, || get().err().map(|error| refusal::<()>(Err(error))));
            assert_eq!(code, 404, "{kind}");
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ouroboros"}, "spec": {}});
        let request = http::Request::put("/api/v1/namespaces/ouroboros/finalize")
            .header("content-type", "application/json")
            .body(namespace.to_string().into_bytes());
        wait_for(self.admin().client().request_text(request.expect("a path"))).expect("a namespace that is to go");
        assert_eq!(refusal(self.admin().get("v1", "Namespace", None, "ouroboros")), 404);
    }

    /// In Git is what a person put there, in the cluster only the marks of who came, and Flux was never discontent.
    pub(super) fn is_left_alone(&self) {
        self.delete_ingress(1);
        self.checkout.git(&["pull", "--quiet", "--ff-only"]).expect("a branch that is only ahead");
        if self.form == Form::CorefileBlock {
            assert_eq!(self.read("clusters/edge/coredns.yaml"), self.corefile_file());
        }
        let files = self.checkout.git(&["ls-files", "clusters/edge/manifests", "clusters/edge/state.yaml"]);
        assert_eq!(files.as_deref(), Ok("clusters/edge/manifests/kustomization.yaml"));
        let found = self.admin().get("v1", "ConfigMap", Some("kube-system"), "coredns-custom").expect("a ConfigMap");
        let marks = [found.metadata.annotations, found.metadata.labels].into_iter().flatten().flatten();
        let marks: Vec<_> = marks.map(|(key, value)| format!("{key}: {value}")).collect();
        let name = format!("kustomize.toolkit.fluxcd.io/name: {}", self.form.name());
        let left = [
            "kustomize.toolkit.fluxcd.io/prune: disabled",
            "kustomize.toolkit.fluxcd.io/ssa: Merge",
            &name,
            "kustomize.toolkit.fluxcd.io/namespace: flux-system",
        ];
        assert_eq!(marks, if self.form == Form::CorefileBlock { &[][..] } else { &left });
        let path = "/api/v1/namespaces/flux-system/events?fieldSelector=type%3DWarning,involvedObject.name%3D";
        let warnings = self.admin().json(&format!("{path}{}", self.form.name())).expect("a list");
        assert_eq!(warnings["items"], json!([]));
    }
}

fn config_map(name: &str, data: &Value) -> String {
    let metadata = json!({"name": name, "namespace": "kube-system"});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}).to_string()
}
