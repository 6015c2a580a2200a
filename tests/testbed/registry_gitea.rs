//! Gitea's own registry: how long a digest lives there, and who is let in.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use bobbypin::edge::registry::{Registries, RegistrySettings};
use serde_json::json;

use crate::{
    registry_client::{pin, registries, settings},
    support::{
        artifacts::{Artifact, Place},
        gitea::{Gitea, Options, User},
    },
};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// A repository of a user, who pushes with a token.
fn place(gitea: &Gitea, owner: &User, name: &str) -> Place {
    let host = gitea.url().trim_start_matches("http://");
    let token = gitea.token(owner, &["write:package"]);
    Place::new(host, &format!("{}/{name}", owner.name), Some((&owner.name, &token)))
}

#[test]
fn a_digest_lives_as_long_as_a_tag_or_an_index_leads_to_it() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-digests");
    let shop = place(gitea, &owner, "shop");
    let [overwritten, kept, deleted] = ["overwritten", "kept", "deleted"].map(|name| {
        let image = Artifact::index(&BOTH, name);
        shop.push(&image, name);
        image
    });
    shop.put(&kept, "also-kept");
    let seen = |tag: &str, image: &Artifact| pin(&registries(), &shop, tag, &image.digest());
    let whole = "digest present, tag same, linux/amd64 present, linux/arm64 present";
    assert_eq!(seen("overwritten", &overwritten), whole);

    for tag in ["overwritten", "kept"] {
        shop.push(&Artifact::index(&BOTH, "another"), tag);
    }
    shop.delete("deleted");
    assert_eq!(seen("overwritten", &overwritten), "digest absent, tag other");
    assert_eq!(seen("kept", &kept), whole.replace("same", "other"));
    assert_eq!(seen("also-kept", &kept), whole);
    assert_eq!(seen("deleted", &deleted), "digest absent, tag absent");
}

/// Behind a proxy it says the address that people use, and a client in the cluster knows it by another.
#[test]
fn a_token_is_fetched_from_the_server_that_was_asked_whatever_address_it_says() {
    let settings = "[server]\nROOT_URL = https://git.example.org/\nPUBLIC_URL_DETECTION = never\n".to_owned();
    let gitea = Gitea::start(&Options { settings, ..Options::default() });
    let owner = gitea.user("tenant-acme");
    let shop = place(&gitea, &owner, "shop");
    let image = Artifact::index(&BOTH, "first");
    shop.push(&image, "1.0.0");
    let challenge = shop.challenge();
    assert!(challenge.contains("Bearer realm=\"https://git.example.org/v2/token\""), "{challenge}");
    let seen = pin(&registries(), &shop, "1.0.0", &image.digest());
    assert_eq!(seen, "digest present, tag same, linux/amd64 present, linux/arm64 present");
}

#[test]
fn what_is_private_is_read_with_a_token_and_unknown_without() {
    let gitea = Gitea::shared();
    let owner = gitea.user("tenant-private");
    let shop = place(gitea, &owner, "shop");
    let image = Artifact::index(&BOTH, "first");
    shop.push(&image, "1.0.0");
    let private = json!({"source_id": 0, "login_name": owner.name, "visibility": "private"});
    let path = format!("/admin/users/{}", owner.name);
    let (status, answer) = gitea.api("PATCH", &path, Some(gitea.admin_token()), Some(private));
    assert_eq!(status, 200, "{answer}");
    let seen = |token: &str| {
        let host = gitea.url().trim_start_matches("http://");
        let login = STANDARD.encode(format!("{}:{token}", owner.name));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("config.json");
        fs::write(&file, json!({"auths": {host: {"auth": login}}}).to_string()).expect("a folder of ours");
        let registries = Registries::new(RegistrySettings { docker_config: Some(file), ..settings() });
        pin(&registries.expect("a file that can be read"), &shop, "1.0.0", &image.digest())
    };
    let whole = "digest present, tag same, linux/amd64 present, linux/arm64 present";
    assert_eq!(seen(&gitea.token(&owner, &["read:package"])), whole);
    // A token for something else, none that exists, and none at all.
    let unknown = "digest Unauthorized, tag Unauthorized";
    assert_eq!(seen(&gitea.token(&owner, &["read:repository"])), unknown);
    assert_eq!(seen("no-such-token"), unknown);
    assert_eq!(pin(&registries(), &shop, "1.0.0", &image.digest()), unknown);
}
