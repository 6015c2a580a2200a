//! Flux fetches by the digest that is written for it, whatever becomes of the tag.

use std::{env, fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{
    admin::documents,
    artifacts::Artifact,
    flux,
    registry::{Access, Registry},
};

const SOURCE: (&str, &str) = ("source.toolkit.fluxcd.io/v1", "OCIRepository");
const NAMESPACE: &str = "fleet";
const NAME: &str = "lab-ouroboros";

/// What the program writes for a tenant of the worked example, with a chart of this repository and of this digest.
fn rendered(repository: &str, digest: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = folder.path().join("clusters/plain");
    fs::create_dir_all(&written).expect("a folder of ours");
    let example = |name: &str| fs::read_to_string(project.join("clusters/plain").join(name)).expect("an example");
    let pins = example("pins.yaml")
        .replace("ghcr.io/lexfrei/charts/ouroboros", repository)
        .replace("sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b", digest);
    let settings = format!("{}  pins: {{chart: \"oci://{repository}\", version: 0.8.1}}\n", example("cluster.yaml"));
    fs::write(written.join("cluster.yaml"), settings).expect("a folder of ours");
    fs::write(written.join("pins.yaml"), pins).expect("a folder of ours");
    let made = Command::new("git").args(["init", "--quiet"]).arg(folder.path()).status();
    assert!(made.expect("git is installed").success());
    let done = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
        .args(["render", "--inventory"])
        .arg(project.join("examples/inventory/plain.yaml"))
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .output()
        .expect("the program starts");
    let text = String::from_utf8(done.stdout).expect("a text");
    let all = documents(&text);
    let wanted = all.into_iter().find(|one| one["kind"] == SOURCE.1 && one["metadata"]["namespace"] == NAMESPACE);
    wanted.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn flux_keeps_to_the_digest_when_the_tag_moves_until_a_cleaner_takes_it() {
    let mut registry = Registry::start(Access::Anybody);
    let charts = registry.place("charts/ouroboros");
    let chart = Artifact::chart("0.8.1", "image: {}\n");
    charts.push(&chart, "0.8.1");
    let mut source = rendered(&charts.to_string(), chart.digest().as_str());
    assert_eq!(source["spec"]["ref"], json!({"tag": "0.8.1", "digest": chart.digest()}));
    // It serves without TLS, as only a registry of a test does.
    source["spec"]["insecure"] = json!(true);

    let (server, flux) = flux::shared();
    server.admin().namespace(NAMESPACE).expect("a cluster that runs");
    server.admin().apply(&source.to_string()).expect("an object that the API server takes");
    let revision = chart.digest().to_string();
    let ready = flux.becomes_ready(SOURCE.0, SOURCE.1, NAMESPACE, NAME);
    assert_eq!(ready["status"]["artifact"]["revision"], *revision);

    // Looks once more, and says whether it is ready and which revision it has.
    let look_again = |word: &str| {
        let asked = json!({
            "apiVersion": SOURCE.0, "kind": SOURCE.1,
            "metadata": {"name": NAME, "namespace": NAMESPACE, "annotations": {"reconcile.fluxcd.io/requestedAt": word}},
        });
        server.admin().merge(&asked.to_string()).expect("an object that is there");
        flux.wait(word, || {
            let found = server.admin().get(SOURCE.0, SOURCE.1, Some(NAMESPACE), NAME).ok()?;
            let status = &found.data["status"];
            let ready = status["conditions"].as_array()?.iter().find(|one| one["type"] == "Ready")?.clone();
            let has_looked = status["lastHandledReconcileAt"] == word && ready["status"] != "Unknown";
            has_looked.then(|| (ready, status["artifact"]["revision"].clone()))
        })
    };

    charts.push(&Artifact::chart("0.8.1", "image: {another: chart}\n"), "0.8.1");
    let (ready, found) = look_again("the tag moved");
    assert_eq!((&ready["status"], &found), (&json!("True"), &json!(revision)), "{ready}");

    // What it holds already is as good as ever. Whoever has to fetch it finds nothing: as after a restart.
    registry.clean(true);
    let (ready, found) = look_again("a cleaner came");
    assert_eq!((&ready["status"], &found), (&json!("True"), &json!(revision)), "{ready}");
    server.admin().delete(&source.to_string()).expect("an object that is there");
    flux.wait("it is gone", || server.admin().get(SOURCE.0, SOURCE.1, Some(NAMESPACE), NAME).err());
    server.admin().apply(&source.to_string()).expect("an object that the API server takes");
    let (ready, found) = look_again("it is new");
    assert_eq!((&ready["reason"], &found), (&json!("OCIArtifactPullFailed"), &Value::Null), "{ready}");
    assert!(ready["message"].as_str().is_some_and(|message| message.contains("MANIFEST_UNKNOWN")), "{ready}");
}
