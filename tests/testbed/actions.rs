//! The step for workflows, in real ones: on a Gitea with its runner, and with a second engine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    api_server::{ApiServer, Options},
    checkout::Checkout,
    component,
    gitea::{Gitea, Repo, User},
    poll,
    runner::Runner,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_bobbypin");

const CLUSTER: &str = "\
apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata:
  name: edge
spec:
  access: {context: edge}
  platform: {kind: generic}
  ingress:
    class: nginx
    service: {namespace: ingress-nginx, name: ingress-nginx-controller}
    clusterDomain: cluster.local
    proxyProtocol: true
  host: {engine: static}
  hostnames:
    delegations:
    - {namespaces: [default], suffixes: [example.org]}
";

const COREFILE: &str =
    ".:53 {\n    errors\n    import /etc/coredns/custom/*.override\n    reload\n    forward . 192.0.2.1\n}\n";

const HOOK: &str = "  - name: cleanup-hook-image\n    reference: mirror.gcr.io/alpine/kubectl\n    tag: 1.36.1\n    digest: sha256:ec3d25824693d8bf3be304115ef0c17c571a15d41fcd7383dfbc0e4bf3435a2d\n    mediaType: application/vnd.oci.image.index.v1+json\n";

/// Where the records are.
const RECORDS: &str = "clusters/edge/manifests/host/coredns-custom.yaml";

/// A platform team: a cluster, a repository with the settings for it, and one with the action.
struct Site {
    gitea: &'static Gitea,
    owner: User,
    /// What the workflow pushes by.
    token: String,
    repo: Repo,
    action: Repo,
    cluster: ApiServer,
    checkout: Checkout,
    /// Where steps leave something for the test.
    marks: TempDir,
}

impl Site {
    fn new(owner: &str) -> Self {
        let gitea = Gitea::shared();
        let owner = gitea.user(owner);
        let token = gitea.token(&owner, &["write:repository", "write:issue", "read:user"]);
        let action = gitea.repository(&owner, "bobbypin");
        let published = gitea.git(&action, &owner);
        published.write("action.yml", &project("action.yml"));
        published.commit("the action");
        published.push().expect("a branch of ours");

        let cluster = ApiServer::start(&Options::default());
        let corefile = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": COREFILE}});
        cluster.admin().apply(&corefile.to_string()).expect("a lawful ConfigMap");
        cluster.admin().create_ingresses("default", 0..2).expect("lawful Ingresses");

        let repo = gitea.repository(&owner, "clusters");
        let site = Self {
            checkout: gitea.git(&repo, &owner),
            marks: tempfile::tempdir().expect("a temporary folder"),
            gitea,
            owner,
            token,
            repo,
            action,
            cluster,
        };
        let made = Command::new(PROGRAM)
            .args(["init", "edge", "--platform", "generic"])
            .current_dir(site.checkout.path())
            .output()
            .expect("the program");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        site.checkout.write("clusters/edge/cluster.yaml", CLUSTER);
        let pins = fs::read_to_string(site.checkout.path().join("clusters/edge/pins.yaml")).expect("init wrote it");
        site.checkout.write("clusters/edge/pins.yaml", &format!("{pins}{HOOK}"));
        for (name, value) in [("BOBBYPIN_KUBECONFIG", site.kubeconfig()), ("BOBBYPIN_TOKEN", site.token.clone())] {
            let path = format!("{}/actions/secrets/{name}", site.repo.path());
            let (status, answer) = gitea.api("PUT", &path, Some(gitea.admin_token()), Some(json!({"data": value})));
            assert!(matches!(status, 201 | 204), "{status} {answer}");
        }
        site
    }

    /// The kubeconfig of the cluster, its context being called `edge`.
    fn kubeconfig(&self) -> String {
        let mut config: Value = serde_yaml::from_str(&self.cluster.kubeconfig("admin")).expect("YAML");
        config["contexts"][0]["name"] = json!("edge");
        config["current-context"] = json!("edge");
        config.to_string()
    }

    /// A workflow of the examples as it is, but for where the action and the program are, and with one more step that
    /// leaves the outputs for the test.
    fn workflow(&self, name: &str, uses: &str, mark: &str) -> String {
        let example = project(&format!("examples/gitea-actions/{name}.yaml"));
        let place = "https://git.example.org/platform/bobbypin@v1\n        with:\n";
        assert_eq!(example.matches(place).count(), 1, "{example}");
        let text = example.replace(place, &format!("{uses}\n        with:\n          binary: {PROGRAM}\n"));
        let outputs = ["has-changes", "commit", "pull-request", "diff-file", "report-file"];
        let lines: String = outputs
            .iter()
            .map(|output| format!("            echo '{output}=${{{{ steps.bobbypin.outputs.{output} }}}}'\n"))
            .collect();
        let mark = self.mark(mark).display().to_string();
        // Files of a job go with it.
        let copies: String = ["diff-file", "report-file"]
            .iter()
            .map(|output| {
                let file = format!("${{{{ steps.bobbypin.outputs.{output} }}}}");
                format!("          if [ -n '{file}' ]; then cp '{file}' '{mark}.{output}'; fi\n")
            })
            .collect();
        format!("{text}      - run: |\n          {{\n{lines}          }} >'{mark}'\n{copies}")
    }

    fn mark(&self, name: &str) -> PathBuf {
        self.marks.path().join(name)
    }

    /// The outputs that the last run of a workflow left.
    fn outputs(&self, mark: &str) -> BTreeMap<String, String> {
        self.left(mark)
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// What a step left.
    fn left(&self, mark: &str) -> String {
        fs::read_to_string(self.mark(mark)).expect("a step wrote it")
    }

    fn absolute(&self) -> String {
        format!("{}/{}/bobbypin@main", self.gitea.url(), self.action.owner)
    }

    /// Waits for the last run of the repository, which is not one of these, to end; it must succeed.
    fn finished(&self, runner: &Runner, before: usize) {
        let path = format!("{}/actions/runs", self.repo.path());
        let read = || self.gitea.api("GET", &path, Some(self.gitea.admin_token()), None).1;
        let mut last = Value::Null;
        let ended = poll(Duration::from_secs(90), || {
            last = read();
            let runs = last["workflow_runs"].as_array()?;
            (runs.len() > before && runs.iter().all(|run| run["status"] == "completed")).then(|| runs[0].clone())
        });
        let run = ended.unwrap_or_else(|| panic!("no end: {last}\n{}", runner.printed()));
        assert_eq!(run["conclusion"], "success", "{}\n{}", self.log(&run), runner.printed());
    }

    /// What the jobs of a run printed.
    fn log(&self, run: &Value) -> String {
        let api = |path: &str| self.gitea.api("GET", path, Some(self.gitea.admin_token()), None).1;
        let jobs = api(&format!("{}/actions/runs/{}/jobs", self.repo.path(), run["id"]));
        let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
        let log = |job: &Value| api(&format!("{}/actions/jobs/{}/logs", self.repo.path(), job["id"]));
        jobs.iter().map(|job| log(job).as_str().unwrap_or_default().to_owned()).collect()
    }

    fn runs(&self) -> usize {
        let path = format!("{}/actions/runs", self.repo.path());
        let answer = self.gitea.api("GET", &path, Some(self.gitea.admin_token()), None).1;
        answer["workflow_runs"].as_array().map_or(0, Vec::len)
    }

    /// The comments on a pull request: who, and what.
    fn comments(&self, number: u64) -> Vec<(String, String)> {
        let path = format!("{}/issues/{number}/comments", self.repo.path());
        let answer = self.gitea.api("GET", &path, Some(self.gitea.admin_token()), None).1;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let comments = answer.as_array().expect("a list").iter();
        comments.map(|comment| (text(&comment["user"]["login"]), text(&comment["body"]))).collect()
    }

    fn records(&self) -> String {
        self.gitea.file(&self.repo, RECORDS, "main").expect("they are committed")
    }

    /// Opens a pull request that keeps these names out of the records.
    fn propose(&self, branch: &str, reserved: &str) -> u64 {
        self.checkout.git(&["switch", "--quiet", "--create", branch]).expect("a new branch");
        self.reserve(reserved);
        self.checkout.push().expect("a branch of ours");
        let (status, answer) = self.gitea.api(
            "POST",
            &format!("{}/pulls", self.repo.path()),
            Some(self.gitea.admin_token()),
            Some(json!({"head": branch, "base": "main", "title": "Keep a name out"})),
        );
        assert_eq!(status, 201, "{answer}");
        answer["number"].as_u64().expect("a number")
    }

    fn reserve(&self, names: &str) -> String {
        let text = format!("{CLUSTER}    reserved: [{names}]\n");
        self.checkout.write("clusters/edge/cluster.yaml", &text);
        self.checkout.commit("keep a name out")
    }
}

fn project(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file of the project")
}

#[test]
fn the_workflows_commit_on_push_and_on_demand_and_keep_one_comment_on_a_pull_request() {
    let site = Site::new("platform-actions");
    let runner = Runner::start(site.gitea, &site.repo, &Runner::path_of_tests());
    let (checkout, owner) = (&site.checkout, site.owner.name.as_str());
    let workflows = ".gitea/workflows";
    checkout
        .write(&format!("{workflows}/bobbypin-reconcile.yaml"), &site.workflow("reconcile", &site.absolute(), "mark"));
    checkout.write(&format!("{workflows}/bobbypin-diff.yaml"), &site.workflow("diff", &site.absolute(), "difference"));
    let pushed = checkout.commit("the settings of edge");
    checkout.push().unwrap();

    // On push.
    site.finished(&runner, 0);
    let tip = site.gitea.branch_head(&site.repo, "main");
    let outputs = site.outputs("mark");
    assert_ne!(tip, pushed);
    assert_eq!(
        (outputs["has-changes"].as_str(), &outputs["commit"], outputs["pull-request"].as_str()),
        ("true", &tip, "")
    );
    assert!(site.records().contains("shop-00000.example.org") && !site.records().contains("shop-00002"));
    let report: Value = serde_json::from_str(&site.left("mark.report-file")).unwrap();
    assert_eq!((&report["kind"], &report["commit"]), (&json!("Report"), &json!(tip)));

    // On demand; its own commit was no reason for a run.
    assert_eq!(site.runs(), 1);
    let dispatch = || {
        let before = site.runs();
        let path = format!("{}/actions/workflows/bobbypin-reconcile.yaml/dispatches", site.repo.path());
        let (status, answer) =
            site.gitea.api("POST", &path, Some(site.gitea.admin_token()), Some(json!({"ref": "main"})));
        assert!(matches!(status, 200 | 204), "{status} {answer}");
        fs::remove_file(site.mark("mark")).unwrap();
        site.finished(&runner, before);
        site.outputs("mark")
    };
    let again = dispatch();
    assert_eq!((again["has-changes"].as_str(), again["commit"].as_str()), ("false", ""));
    site.cluster.admin().create_ingresses("default", 2..3).unwrap();
    let more = dispatch();
    assert_eq!(more["commit"], site.gitea.branch_head(&site.repo, "main"));
    assert!(site.records().contains("shop-00002.example.org"));

    // On a pull request.
    checkout.git(&["pull", "--quiet"]).unwrap();
    let before = site.runs();
    let number = site.propose("keep-out", "shop-00000.example.org");
    site.finished(&runner, before);
    let first = site.comments(number);
    let [(_, text)] = &first[..] else { panic!("{first:#?}") };
    assert!(text.starts_with("<!-- bobbypin:diff -->\n") && text.contains("### edge: 1 host removed\n"), "{text}");
    let outputs = site.outputs("difference");
    assert_eq!(outputs["has-changes"], "true");
    assert!(text.trim_end().ends_with(site.left("difference.diff-file").trim_end()), "{text}");
    let plan: Value = serde_json::from_str(&site.left("difference.report-file")).unwrap();
    assert_eq!(plan["kind"], "Plan");

    let before = site.runs();
    site.reserve("shop-00000.example.org, shop-00001.example.org");
    checkout.push().unwrap();
    site.finished(&runner, before);
    let second = site.comments(number);
    let [(who, text)] = &second[..] else { panic!("{second:#?}") };
    assert!(text.contains("### edge: 2 hosts removed\n"), "{text}");
    assert_eq!(*who, first[0].0);
    assert_ne!(who, owner, "the job's own token is enough for a comment");
}

#[test]
fn an_api_server_takes_the_manifests_of_the_examples_word_for_word() {
    let server = ApiServer::start(&Options::default());
    server.admin().apply(&project("examples/rbac/reader.yaml")).unwrap();
    for (path, kinds) in [("cron", &["CronJob", "NetworkPolicy"][..]), ("fleet", &["CronJob"])] {
        let taken = server.admin().dry_run(&project(&format!("examples/{path}/cronjob.yaml"))).unwrap();
        let found: Vec<_> = taken.iter().filter_map(|object| Some(object.types.as_ref()?.kind.as_str())).collect();
        assert_eq!(found, kinds, "{path}");
    }
    let misspelt = project("examples/cron/cronjob.yaml").replace("concurrencyPolicy", "concurencyPolicy");
    assert!(server.admin().dry_run(&misspelt).is_err(), "the server is to be strict");
}

#[test]
fn a_second_engine_runs_the_same_workflows() {
    let site = Site::new("platform-act");
    // This engine has no addresses in `uses`, as GitHub has none.
    let uses = format!("{}/bobbypin@main", site.action.owner);
    let event = site.mark("event.json");
    let act = |name: &str, further: &str, on: &str, content: Value| {
        let workflow = site.mark(&format!("{name}.yaml"));
        let text = site.workflow(name, &uses, name);
        let input = format!("          command: {name}\n");
        fs::write(&workflow, text.replace(&input, &format!("{input}{further}"))).unwrap();
        fs::write(&event, content.to_string()).unwrap();
        let secrets = site.mark("secrets");
        let lines = [("BOBBYPIN_KUBECONFIG", site.kubeconfig()), ("BOBBYPIN_TOKEN", site.token.clone())];
        let quoted = lines.iter().map(|(key, value)| format!("{key}='{value}'\n")).collect::<String>();
        fs::write(&secrets, format!("{quoted}GITHUB_TOKEN='{}'\n", site.gitea.admin_token())).unwrap();
        let home = site.mark("home");
        fs::create_dir_all(&home).unwrap();
        let ran = Command::new(component("act"))
            .args([on, "--platform", "ubuntu-latest=-self-hosted", "--no-cache-server", "--workflows"])
            .arg(&workflow)
            .arg("--eventpath")
            .arg(&event)
            .arg("--secret-file")
            .arg(&secrets)
            .args(["--env", &format!("GITHUB_SERVER_URL={}", site.gitea.url())])
            .args(["--env", &format!("GITHUB_API_URL={}/api/v1", site.gitea.url())])
            .args(["--env", &format!("GITHUB_REPOSITORY={}/{}", site.repo.owner, site.repo.name)])
            .current_dir(site.checkout.path())
            .env_clear()
            .env("PATH", Runner::path_of_tests())
            .env("HOME", home)
            .output()
            .unwrap();
        let printed = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{printed}");
        assert!(!printed.contains(&site.token) && !printed.contains(site.gitea.admin_token()), "{printed}");
        site.outputs(name)
    };
    site.checkout.commit("the settings of edge");
    site.checkout.push().unwrap();
    let outputs = act("reconcile", "", "push", json!({"ref": "refs/heads/main"}));
    assert_eq!(outputs["commit"], site.gitea.branch_head(&site.repo, "main"));

    site.cluster.admin().create_ingresses("default", 2..3).unwrap();
    let by_pull_request = "          publish: pull-request\n";
    let outputs = act("reconcile", by_pull_request, "push", json!({"ref": "refs/heads/main"}));
    assert_eq!(outputs["commit"], site.gitea.branch_head(&site.repo, "bobbypin/changes"));
    assert_eq!((outputs["has-changes"].as_str(), outputs["pull-request"].as_str()), ("true", "1"));
    assert!(!site.records().contains("shop-00002.example.org"));

    site.checkout.git(&["pull", "--quiet"]).unwrap();
    let number = site.propose("keep-out", "shop-00000.example.org");
    let outputs = act("diff", "", "pull_request", json!({"pull_request": {"number": number}}));
    assert_eq!(outputs["has-changes"], "true");
    let comments = site.comments(number);
    let [(_, text)] = &comments[..] else { panic!("{comments:#?}") };
    // What the open pull request is to bring is not on the branch yet.
    assert!(text.contains("### edge: 1 host added, 1 host removed\n"), "{text}");
}
