//! The registry of the testbed is a real one: it keeps what is pushed, and its cleaner takes what no tag leads to.

use std::process::Command;

use crate::support::{
    artifacts::{Artifact, Place},
    component,
    registry::{ACCOUNT, Access, Registry},
};

/// What another client prints, one that many use.
fn crane(arguments: &[&str]) -> String {
    let mut crane = Command::new(component("crane"));
    let done = crane.args(arguments).env_clear().env("HOME", "/nowhere").output().expect("a program of ours");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("a text").trim_end().to_owned()
}

fn lives(place: &Place, artifact: &Artifact) -> bool {
    let digest = artifact.digest();
    match place.found(digest.as_str()) {
        Some(found) => found == digest,
        None => false,
    }
}

#[test]
fn what_is_pushed_is_what_another_client_reads() {
    let registry = Registry::start(Access::Anybody);
    let (shop, charts) = (registry.place("tenant-acme/shop"), registry.place("charts/ouroboros"));
    let image = Artifact::index(&["linux/amd64", "linux/arm64"], "first");
    let chart = Artifact::chart("0.8.1", "image: {repository: ghcr.io/lexfrei/ouroboros}\n");
    shop.push(&image, "1.0.0");
    charts.push(&chart, "0.8.1");
    assert_eq!(crane(&["digest", &shop.tagged("1.0.0")]), image.digest().as_str());
    assert_eq!(crane(&["digest", &charts.tagged("0.8.1")]), chart.digest().as_str());
    for child in image.children() {
        let exact = format!("{shop}@{}", child.digest());
        assert_eq!(crane(&["digest", &exact]), child.digest().as_str());
    }
    assert_eq!(crane(&["config", "--platform", "linux/arm64", &shop.tagged("1.0.0")]).matches("arm64").count(), 2);
    assert_eq!(crane(&["ls", &shop.to_string()]), "1.0.0");
}

#[test]
fn an_artifact_is_the_same_whenever_it_is_made() {
    let chart = || Artifact::chart("0.8.1", "image: {}\n").digest();
    assert_eq!(chart(), chart());
    assert_ne!(chart(), Artifact::chart("0.8.2", "image: {}\n").digest());
    let image = |text| Artifact::index(&["linux/amd64"], text).digest();
    assert_eq!(image("one"), image("one"));
    assert_ne!(image("one"), image("two"));
}

#[test]
fn a_digest_outlives_its_tag_until_the_cleaner_comes_and_an_index_keeps_its_children() {
    let mut registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let [kept, moved, deleted] = ["kept", "moved", "deleted"].map(|text| {
        let image = Artifact::index(&["linux/amd64", "linux/arm64"], text);
        shop.push(&image, text);
        image
    });
    shop.push(&Artifact::index(&["linux/amd64"], "another"), "moved");
    shop.delete("deleted");
    assert_eq!(shop.found("deleted"), None);

    registry.clean(false);
    assert!([&kept, &moved, &deleted].iter().all(|image| lives(&shop, image)), "without a tag is not without a reader");

    registry.clean(true);
    assert_eq!([&kept, &moved, &deleted].map(|image| lives(&shop, image)), [true, false, false]);
    for (image, expected) in [(&kept, true), (&moved, false), (&deleted, false)] {
        assert_eq!(image.children().iter().map(|child| lives(&shop, child)).collect::<Vec<_>>(), [expected; 2]);
    }
}

#[test]
fn a_manifest_is_deleted_with_every_tag_that_leads_to_it() {
    let registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let image = Artifact::image("linux/amd64", "first");
    shop.push(&image, "1.0.0");
    shop.put(&image, "latest");
    shop.delete(image.digest().as_str());
    assert_eq!(["1.0.0", "latest", image.digest().as_str()].map(|name| shop.found(name)), [None, None, None]);
}

#[test]
fn who_has_no_password_gets_nothing() {
    let registry = Registry::start(Access::Account);
    let image = Artifact::image("linux/amd64", "first");
    registry.place("tenant-acme/shop").push(&image, "1.0.0");
    let status = |login: Option<(&str, &str)>| Place::new(registry.host(), "tenant-acme/shop", login).status("1.0.0");
    assert_eq!(status(Some(ACCOUNT)), 200);
    assert_eq!(status(Some((ACCOUNT.0, "wrong"))), 401);
    assert_eq!(status(None), 401);
}

#[test]
fn a_registry_that_was_stopped_comes_back_with_what_it_held() {
    let mut registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let image = Artifact::image("linux/amd64", "first");
    shop.push(&image, "1.0.0");
    registry.stop();
    registry.restart();
    assert_eq!(shop.found("1.0.0"), Some(image.digest()));
}
