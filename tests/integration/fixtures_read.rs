//! What real clusters and real documentation hold can be read.
//!
//! The files are looked for in the folder that `BOBBYPIN_FIXTURES` names, or in `../shared/fixtures`. Where they are not,
//! these tests say so and check nothing.
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "these tests read files that may be absent")]

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use bobbypin::{
    config::{
        inventory::{inventory_text, parse_inventory},
        platform_file::{PlatformFile, parse_platform},
        problem::Source,
    },
    model::{inventory::Inventory, name::Name},
};
use serde_json::json;

fn folder() -> Option<PathBuf> {
    let named = env::var_os("BOBBYPIN_FIXTURES").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: there is no folder {}", folder.display());
    None
}

/// The files whose name begins and ends so, in order. There must be one.
fn sources(folder: &Path, prefix: &str, suffix: &str) -> Vec<Source> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("a readable entry").file_name().into_string().expect("names are UTF-8"))
        .filter(|name| name.starts_with(prefix) && name.ends_with(suffix))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no file {prefix}…{suffix} in {}", folder.display());
    let source = |name: String| {
        let bytes = fs::read(folder.join(&name)).expect("a readable file").into();
        Source { path: name, bytes }
    };
    names.into_iter().map(source).collect()
}

/// Reads a file as an inventory, and what is written of it again.
fn inventory(source: &Source) -> Inventory {
    let now = "2026-11-20T12:00:00Z".parse().expect("a literal that parses");
    let read = |source: &Source| {
        let mut inventories = parse_inventory(source, now).unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert_eq!(inventories.len(), 1, "{}", source.path);
        inventories.remove(0)
    };
    let mut inventory = read(source);
    inventory.cluster = Some(Name::parse("edge").expect("a literal that parses"));
    let text = inventory_text(&inventory);
    let again = read(&Source { path: "again.yaml".to_owned(), bytes: text.into_bytes().into() });
    assert_eq!(again, inventory, "{}", source.path);
    inventory
}

#[test]
fn the_ingresses_of_a_host_give_their_host_names() {
    let Some(folder) = folder() else { return };
    for source in sources(&folder, "ingresses.host.rendered.", ".yaml") {
        let host = inventory(&source).host;
        let ingresses = host.ingresses.present().expect("the file holds Ingresses");
        let mut hosts: Vec<_> = ingresses.iter().flat_map(|ingress| &ingress.tls_hosts).map(String::as_str).collect();
        hosts.sort_unstable();
        // From the head of the file.
        assert_eq!(
            hosts,
            [
                "alerta.example.org",
                "bootbox.example.org",
                "dashboard.example.org",
                "harbor-reg.acme.example.org",
                "keycloak.example.org",
                "pics.example.org",
            ]
        );
        assert_eq!(ingresses.iter().filter(|ingress| ingress.class.as_deref() == Some("tenant-root")).count(), 9);
    }
    for source in sources(&folder, "tenant-ingress.", ".yaml") {
        let host = inventory(&source).host;
        assert_eq!(host.ingresses.present().map(Vec::len), Some(1), "{}", source.path);
    }
}

#[test]
fn tenants_give_their_add_ons() {
    let Some(folder) = folder() else { return };
    for source in sources(&folder, "tenant-kubernetes.", ".yaml") {
        let tenants = inventory(&source).tenants;
        let tenants = tenants.present().expect("the file holds a tenant");
        let enabled: Vec<_> =
            tenants.values().filter_map(|tenant| tenant.addons()?.pointer("/ouroboros/enabled")).collect();
        assert_eq!(enabled, [&json!(true)], "{}", source.path);
    }
}

#[test]
fn live_objects_of_other_kinds_are_read() {
    let Some(folder) = folder() else { return };
    for source in sources(&folder, "tenant-helmrelease.rendered.", ".yaml") {
        let releases = inventory(&source).helm_releases;
        let names: Vec<_> = releases.present().expect("the file holds a HelmRelease").iter().collect();
        assert_eq!(names.len(), 1, "{}", source.path);
        assert_eq!(names[0].release_name, "ouroboros");
        assert_eq!(names[0].kubeconfig_secret.as_deref(), Some("kubernetes-production-admin-kubeconfig"));
    }
    for source in sources(&folder, "host-packages.rendered.", ".yaml") {
        let packages = inventory(&source).packages;
        let names: Vec<_> = packages.present().expect("the file holds Packages").keys().collect();
        assert!(names.iter().any(|name| *name == "cozystack.ouroboros"), "{}: {names:?}", source.path);
    }
    for source in sources(&folder, "coredns-custom.", ".yaml") {
        // It is there alone, so nothing is known about the other ConfigMaps.
        assert_eq!(inventory(&source).host.dns_config_maps.present(), None, "{}", source.path);
    }
}

#[test]
fn platform_files_of_both_forms_are_read() {
    let Some(folder) = folder() else { return };
    let platform = |source: &Source| parse_platform(source).unwrap_or_else(|problems| panic!("{problems:#?}"));
    for source in sources(&folder, "platform-package.", ".yaml") {
        let PlatformFile { variant, values } = platform(&source);
        assert_eq!(variant.as_deref(), Some("isp-full"), "{}", source.path);
        assert!(values["publishing"]["host"].is_string(), "{}", source.path);
    }
    for source in sources(&folder, "platform-values.", ".yaml") {
        let PlatformFile { variant, values } = platform(&source);
        assert_eq!(variant, None, "{}", source.path);
        assert!(values["bundles"]["system"]["variant"].is_string(), "{}", source.path);
    }
}
