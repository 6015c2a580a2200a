//! The commands about pins, on real registries.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    artifacts::{Artifact, Place},
    registry::{ACCOUNT, Access, Registry},
};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];
const PINS: &str = "clusters/plain/pins.yaml";

/// How a program ended, and what it said.
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// The worked example in a repository of its own, with a registry that has what it needs.
struct Site {
    registry: Registry,
    charts: Place,
    images: Place,
    hooks: Place,
    chart: Artifact,
    image: Artifact,
    hook: Artifact,
    /// `remote.git`, and `work`, a checkout of its branch `main`.
    folder: TempDir,
}

impl Site {
    fn new(access: Access) -> Self {
        let registry = Registry::start(access);
        let [charts, images, hooks] =
            ["charts/ouroboros", "tenant-acme/ouroboros", "mirror/kubectl"].map(|path| registry.place(path));
        let chart = chart(&images, &hooks, "");
        let [image, hook] = ["image", "hook"].map(|text| Artifact::index(&BOTH, text));
        charts.push(&chart, "0.8.1");
        images.push(&image, "0.8.1");
        hooks.push(&hook, "1.36.1");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let site = Self { registry, charts, images, hooks, chart, image, hook, folder };
        site.prepare();
        site
    }

    fn prepare(&self) {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let example = fs::read_to_string(project.join("clusters/plain/cluster.yaml")).expect("an example");
        let settings = format!("{example}  pins: {{chart: \"oci://{}\", version: 0.8.1, minAge: 0s}}\n", self.charts);
        self.git(&["init", "--quiet", "--bare", "--initial-branch=main", "../remote.git"]);
        self.git(&["init", "--quiet", "--initial-branch=main"]);
        self.git(&["remote", "add", "origin", "../remote.git"]);
        self.write("clusters/plain/cluster.yaml", &settings);
        self.commit("the settings");
        self.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a file in the folder")).expect("a folder of ours");
        fs::write(path, text).expect("a folder of ours");
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.work().join(path)).expect("a file of the checkout")
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    fn git(&self, arguments: &[&str]) -> String {
        fs::create_dir_all(self.work()).expect("a folder of ours");
        let mut git = Command::new("git");
        git.args(arguments).current_dir(self.work());
        git.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        git.envs([("GIT_AUTHOR_NAME", "Test"), ("GIT_AUTHOR_EMAIL", "test@example.org")]);
        git.envs([("GIT_COMMITTER_NAME", "Test"), ("GIT_COMMITTER_EMAIL", "test@example.org")]);
        let done = git.output().expect("git is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("a text").trim_end().to_owned()
    }

    fn run(&self, words: &[&str]) -> Ran {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        program.args(words).current_dir(self.work()).env_clear().stdin(Stdio::null());
        let done = program.env("HOME", self.folder.path()).output().expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: done.status.code(), stdout: text(&done.stdout), stderr: text(&done.stderr) }
    }
}

/// A chart that installs these images.
fn chart(images: &Place, hooks: &Place, more: &str) -> Artifact {
    let values = format!(
        "image: {{repository: {images}, tag: \"\"}}\ncontroller: {{cleanupHookImage: {{repository: {hooks}, tag: 1.36.1}}}}\n{more}"
    );
    Artifact::chart("0.8.1", &values)
}

impl Site {
    /// Asks for the pins, whatever was said about them a moment ago, and commits them.
    fn pin(&self) {
        let ran = self.run(&["pin", "update", "--cache-time", "0"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        self.commit("the pins");
        self.git(&["push", "--quiet"]);
    }

    /// What `pin verify` says: its exit code, and the state of the chart, the image and the image of the hook.
    fn verify(&self) -> (Option<i32>, [String; 3]) {
        let ran = self.run(&["pin", "verify", "-o", "json"]);
        let report: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
        let state = |name: &str| {
            let mut rows = report["pins"].as_array().expect("rows").iter();
            let row = rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {report:#}"));
            // Whoever reads it is told what to do, unless there is nothing to do.
            assert_eq!(row["fix"].is_null(), row["state"] == "ok", "{row:#}");
            row["state"].as_str().expect("a text").to_owned()
        };
        (ran.code, ["ouroboros-chart", "ouroboros-image", "cleanup-hook-image"].map(state))
    }

    #[track_caller]
    fn expect(&self, code: i32, states: [&str; 3]) {
        assert_eq!(self.verify(), (Some(code), states.map(str::to_owned)));
    }

    /// Publishes to the branch on the server what is wanted for the example's cluster, as it would be found now.
    fn reconcile(&self) -> Ran {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/inventory/plain.yaml");
        let text = fs::read_to_string(example).expect("an example");
        let (head, rest) = text.split_once("observedAt: ").expect("when it was found");
        let (_, rest) = rest.split_once('\n').expect("more lines");
        let inventory = self.folder.path().join("plain.yaml");
        fs::write(&inventory, format!("{head}observedAt: {}\n{rest}", Timestamp::now())).expect("a folder of ours");
        let inventory = inventory.display().to_string();
        let remote = self.folder.path().join("remote.git").display().to_string();
        self.run(&["reconcile", "--remote", &remote, "--inventory", &inventory])
    }

    fn tip(&self) -> String {
        self.git(&["ls-remote", "origin", "refs/heads/main"])
    }

    /// A chart of the same version, with other contents.
    fn other_chart(&self) -> Artifact {
        chart(&self.images, &self.hooks, "another: true\n")
    }
}

#[test]
fn every_state_of_a_pin_is_reached() {
    let mut site = Site::new(Access::Anybody);
    site.expect(1, ["unpinned"; 3]);
    site.pin();
    site.expect(0, ["ok"; 3]);

    site.charts.push(&site.other_chart(), "0.8.1");
    site.expect(1, ["tag-moved", "ok", "ok"]);
    site.images.delete("0.8.1");
    site.expect(1, ["tag-moved", "tag-reaped", "ok"]);
    site.hooks.delete(site.hook.children()[1].digest().as_str());
    site.expect(1, ["tag-moved", "tag-reaped", "platform-missing"]);

    site.registry.clean(true);
    site.expect(1, ["digest-lost", "reaped", "platform-missing"]);

    // The digest of one platform instead of that of the index, as `crane digest --platform` prints it.
    site.charts.push(&site.chart, "0.8.1");
    site.images.push(&site.image, "0.8.1");
    site.hooks.push(&site.hook, "1.36.1");
    site.expect(0, ["ok"; 3]);
    let of_platform = site.image.children()[0].digest();
    let pins = site.read(PINS);
    site.write(PINS, &pins.replace(site.image.digest().as_str(), of_platform.as_str()));
    site.expect(1, ["ok", "wrong-kind", "ok"]);
    site.write(PINS, &pins);

    site.registry.stop();
    site.expect(5, ["unknown"; 3]);
    site.registry.restart();
    site.expect(0, ["ok"; 3]);
}

#[test]
fn a_second_update_changes_no_byte_and_leads_to_no_commit() {
    let site = Site::new(Access::Anybody);
    site.pin();
    let pins = site.read(PINS);
    for artifact in [&site.chart, &site.image, &site.hook] {
        assert!(pins.contains(artifact.digest().as_str()), "{pins}");
    }
    let ran = site.reconcile();
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let tip = site.tip();
    site.git(&["pull", "--quiet"]);
    let manifests = site.git(&[
        "grep",
        "--extended-regexp",
        "--only-matching",
        "sha256:[0-9a-f]{64}",
        "--",
        "clusters/plain/manifests",
    ]);
    assert!(manifests.contains(site.chart.digest().as_str()), "{manifests}");

    for cache_time in ["10m", "0"] {
        let ran = site.run(&["pin", "update", "--cache-time", cache_time]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(site.read(PINS), pins);
        assert_eq!(site.git(&["status", "--porcelain"]), "");
        let ran = site.reconcile();
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(site.tip(), tip, "{}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_tag_that_moved_is_followed_only_by_who_says_so() {
    let site = Site::new(Access::Anybody);
    site.pin();
    let other = site.other_chart();
    site.charts.push(&other, "0.8.1");
    let digest = |pins: &str| pins.contains(&format!("\n    digest: {}", site.chart.digest()));
    let ran = site.run(&["pin", "update", "--cache-time", "0"]);
    assert!(ran.stdout.contains("ouroboros-chart: tag-moved: "), "{}{}", ran.stdout, ran.stderr);
    assert!(digest(&site.read(PINS)), "{}", site.read(PINS));
    let ran = site.run(&["pin", "update", "--cache-time", "0", "--accept-moved", "ouroboros-chart"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let pins = site.read(PINS);
    assert!(!digest(&pins) && pins.contains(other.digest().as_str()), "{pins}");
    site.expect(0, ["ok"; 3]);
}

#[test]
fn what_is_pinned_stays_when_the_registry_lost_it_or_is_away() {
    let mut site = Site::new(Access::Anybody);
    site.pin();
    let pins = site.read(PINS);
    for place in [&site.charts, &site.images, &site.hooks] {
        place.delete(if place.found("0.8.1").is_some() { "0.8.1" } else { "1.36.1" });
    }
    site.registry.clean(true);
    let ran = site.run(&["pin", "update", "--cache-time", "0"]);
    assert_eq!((ran.code, &site.read(PINS)), (Some(1), &pins), "{}{}", ran.stdout, ran.stderr);
    site.registry.stop();
    let ran = site.run(&["pin", "update", "--cache-time", "0"]);
    assert_eq!((ran.code, &site.read(PINS)), (Some(5), &pins), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_registry_with_accounts_is_asked_with_the_login_of_the_docker_configuration() {
    let site = Site::new(Access::Account);
    let log_in = |password: &str| {
        let folder = site.folder.path().join(".docker");
        fs::create_dir_all(&folder).expect("a folder of ours");
        let login = STANDARD.encode(format!("{}:{password}", ACCOUNT.0));
        let file = json!({"auths": {site.registry.host(): {"auth": login}}}).to_string();
        fs::write(folder.join("config.json"), file).expect("a folder of ours");
        login
    };
    let refused = |secrets: &[&str]| {
        let ran = site.run(&["-vv", "pin", "update", "--cache-time", "0"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(5), "{said}");
        assert!(said.contains("Unauthorized") && secrets.iter().all(|secret| !said.contains(secret)), "{said}");
        let pins = fs::read_to_string(site.work().join(PINS)).unwrap_or_default();
        assert!(!pins.contains("sha256:"), "{pins}");
    };
    refused(&[]);
    let login = log_in("another-password");
    refused(&["another-password", &login]);
    let login = log_in(ACCOUNT.1);
    let ran = site.run(&["-vv", "pin", "update", "--cache-time", "0"]);
    let said = format!("{}{}{}", ran.stdout, ran.stderr, site.read(PINS));
    assert_eq!(ran.code, Some(0), "{said}");
    assert!(!said.contains(ACCOUNT.1) && !said.contains(&login), "{said}");
    site.expect(0, ["ok"; 3]);
}
