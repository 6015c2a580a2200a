//! The kinds that bobbypin reads and writes beside those of Kubernetes.

use std::{env, fs, path::PathBuf};

use serde_json::Value;

use crate::support::{
    admin::{Admin, documents},
    component,
};

/// The definition of cozystack's packages, among the recorded objects. Where there are none, ours does.
const RECORDED_PACKAGE: &str = "crd-cozystack.io_packages.v1.6.2.yaml";

/// The text of every definition: those of Flux and of the Gateway API as they are published, those of cozystack from here.
pub(crate) fn definitions() -> Vec<String> {
    let project = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let fixtures = env::var_os("BOBBYPIN_FIXTURES").map_or_else(|| project.join("../shared/fixtures"), PathBuf::from);
    let recorded = fixtures.join(RECORDED_PACKAGE);
    let ours = project.join("tests/testbed/crds");
    let package = if fs::metadata(&recorded).is_ok() { recorded } else { ours.join("cozystack.io_packages.yaml") };
    let entries = fs::read_dir(component("crds")).expect("a folder of definitions");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.extend([package, ours.join("apps.cozystack.io_kuberneteses.yaml")]);
    paths.into_iter().map(|path| fs::read_to_string(path).expect("a readable file")).collect()
}

/// The name of a definition.
pub(crate) fn name(definition: &str) -> String {
    let documents = documents(definition);
    let name = documents.first().and_then(|document| document.pointer("/metadata/name")).and_then(Value::as_str);
    name.expect("a definition with a name").to_owned()
}

/// Installs them all, and waits until the server serves them.
pub(crate) fn install(admin: &Admin) {
    let definitions = definitions();
    for definition in &definitions {
        admin.apply(definition).expect("the server takes the definition");
    }
    for definition in &definitions {
        admin.wait_until_established(&name(definition));
    }
}
