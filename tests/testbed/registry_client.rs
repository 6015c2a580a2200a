//! Our client asks real registries: what it says is what is there.

use std::{fmt::Debug, fs};

use base64::{Engine, engine::general_purpose::STANDARD};
use bobbypin::{
    edge::registry::{PinQuestion, Registries, RegistryServer, RegistrySettings, TagQuestion},
    model::{
        digest::Digest,
        observed::Observed,
        oci::{Reference, Repository},
        pins::ArtifactKind,
    },
    pins::seen::TagSeen,
};
use serde_json::json;

use crate::support::{
    artifacts::{Artifact, Place},
    certificates::Authority,
    registry::{ACCOUNT, Access, Registry, TAGS_AT_ONCE},
};

const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// What tests change to their needs.
pub(crate) fn settings() -> RegistrySettings {
    RegistrySettings { jobs: 4, seconds: 20, ..RegistrySettings::default() }
}

pub(crate) fn registries() -> Registries {
    Registries::new(settings()).expect("nothing is read")
}

fn repository(place: &Place) -> Repository {
    Reference::parse(&place.to_string()).expect("a name").repository
}

/// In one word: `present`, `absent`, or the reason why it is not known.
fn word<T: Debug>(observed: &Observed<T>) -> &str {
    match observed {
        Observed::Present(_) => "present",
        Observed::Absent => "absent",
        Observed::Unknown(unknown) => &unknown.reason,
    }
}

/// Whoever says that something is there or not there must be right; who does not know may say so.
fn expect_true<T>(said: &Observed<T>, digest: impl Fn(&T) -> &Digest, place: &Place, tag_or_digest: &str) {
    let said = match said {
        Observed::Present(found) => Some(digest(found)),
        Observed::Absent => None,
        Observed::Unknown(_) => return,
    };
    assert_eq!(said, place.found(tag_or_digest).as_ref(), "{place}, {tag_or_digest}");
}

/// What is there of a pin, in words: its digest, its tag (`same` or `other` where it is there), and its children.
pub(crate) fn pin(registries: &Registries, place: &Place, tag: &str, digest: &Digest) -> String {
    let (repository, platforms) = (repository(place), BOTH.map(str::to_owned));
    let question = PinQuestion { repository: &repository, tag, digest, platforms: &platforms };
    let seen = registries.pins_seen(&[question]).pop().expect("one answer");
    expect_true(&seen.by_digest, |artifact| &artifact.digest, place, digest.as_str());
    expect_true(&seen.by_tag, |found| found, place, tag);
    let by_tag = match &seen.by_tag {
        Observed::Present(found) if found == digest => "same",
        Observed::Present(_) => "other",
        other => word(other),
    };
    let children = seen.children.iter().map(|(child, seen)| {
        let platform = child.platform.as_deref().expect("nobody asks for what runs nowhere");
        format!(", {platform} {}", word(seen))
    });
    format!("digest {}, tag {by_tag}{}", word(&seen.by_digest), children.collect::<String>())
}

#[test]
fn what_became_of_a_pin_is_seen() {
    let mut registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let image = |text: &str| Artifact::index(&BOTH, text);
    let names = ["kept", "moved", "untagged", "gone", "without-arm64", "single", "chart"];
    let pushed = names.map(|name| match name {
        "single" => Artifact::image("linux/amd64", name),
        "chart" => Artifact::chart("0.8.1", "image: {}\n"),
        _ => image(name),
    });
    for (name, artifact) in names.iter().zip(&pushed) {
        shop.push(artifact, name);
    }
    shop.push(&image("another"), "moved");
    shop.delete("untagged");
    shop.delete(pushed[3].digest().as_str());
    shop.delete(pushed[4].children()[1].digest().as_str());

    let seen = |registries: &Registries| {
        let lines = names.iter().zip(&pushed);
        let lines =
            lines.map(|(name, artifact)| format!("{name}: {}", pin(registries, &shop, name, &artifact.digest())));
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(seen(&registries()), @r"
    kept: digest present, tag same, linux/amd64 present, linux/arm64 present
    moved: digest present, tag other, linux/amd64 present, linux/arm64 present
    untagged: digest present, tag absent, linux/amd64 present, linux/arm64 present
    gone: digest absent, tag absent
    without-arm64: digest present, tag same, linux/amd64 present, linux/arm64 absent
    single: digest present, tag same
    chart: digest present, tag same
    ");
    registry.clean(true);
    insta::assert_snapshot!(seen(&registries()), @r"
    kept: digest present, tag same, linux/amd64 present, linux/arm64 present
    moved: digest absent, tag other
    untagged: digest absent, tag absent
    gone: digest absent, tag absent
    without-arm64: digest present, tag same, linux/amd64 present, linux/arm64 absent
    single: digest present, tag same
    chart: digest present, tag same
    ");
    registry.stop();
    insta::assert_snapshot!(seen(&registries()), @r"
    kept: digest Unreachable, tag Unreachable
    moved: digest Unreachable, tag Unreachable
    untagged: digest Unreachable, tag Unreachable
    gone: digest Unreachable, tag Unreachable
    without-arm64: digest Unreachable, tag Unreachable
    single: digest Unreachable, tag Unreachable
    chart: digest Unreachable, tag Unreachable
    ");
}

#[test]
fn what_a_tag_leads_to_is_read_unless_it_is_known() {
    let registry = Registry::start(Access::Anybody);
    let (shop, charts) = (registry.place("tenant-acme/shop"), registry.place("charts/ouroboros"));
    let image = Artifact::index(&["linux/amd64", "linux/arm64", "linux/riscv64"], "first");
    let chart = Artifact::chart("0.8.1", "image: {}\n");
    shop.push(&image, "1.0.0");
    shop.push(&image.children()[0], "1.0.0-amd64");
    charts.push(&chart, "0.8.1");
    let (of_shop, of_charts) = (repository(&shop), repository(&charts));
    let (platforms, digest) = (BOTH.map(str::to_owned), image.digest());
    let other = Digest::of(b"something else");
    let ask = |repository, tag, known| TagQuestion { repository, tag, known, platforms: &platforms };
    let answers = registries().tags_seen(&[
        ask(&of_shop, "1.0.0", Some(&digest)),
        ask(&of_shop, "1.0.0", Some(&other)),
        ask(&of_shop, "1.0.0-amd64", None),
        ask(&of_charts, "0.8.1", None),
        ask(&of_charts, "0.8.2", None),
    ]);
    let of_image = &image.children()[0];
    let expected = [
        None,
        Some((image.digest(), ArtifactKind::ImageIndex, 3, 2)),
        Some((of_image.digest(), ArtifactKind::ImageManifest, 0, 0)),
        Some((chart.digest(), ArtifactKind::Chart, 0, 0)),
    ];
    assert_eq!(word(&answers[4]), "absent", "{:?}", answers[4]);
    for (answer, expected) in answers.iter().zip(expected) {
        let found = match answer {
            Observed::Present(TagSeen::Unchanged) => None,
            Observed::Present(TagSeen::Changed { artifact, children }) => {
                assert!(children.iter().all(|(_, seen)| word(seen) == "present"), "{children:?}");
                Some((artifact.digest.clone(), artifact.kind, artifact.children.len(), children.len()))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn all_tags_are_read_and_the_content_of_a_chart_too() {
    let registry = Registry::start(Access::Anybody);
    let charts = registry.place("charts/ouroboros");
    let chart = Artifact::chart("0.8.1", "image: {}\n");
    charts.push(&chart, "0.8.1");
    let more = 2 * TAGS_AT_ONCE;
    for number in 0..more {
        charts.put(&chart, &format!("0.7.{number}"));
    }
    let registries = registries();
    let of_charts = repository(&charts);
    let Observed::Present(tags) = registries.tags(&of_charts) else { panic!("{:?}", registries.tags(&of_charts)) };
    assert_eq!((tags.len(), &*tags[0], &*tags[more]), (more + 1, "0.7.0", "0.8.1"));
    assert!(tags.is_sorted());

    let platforms = [];
    let question = TagQuestion { repository: &of_charts, tag: "0.8.1", known: None, platforms: &platforms };
    let answer = registries.tags_seen(&[question]).pop();
    let Some(Observed::Present(TagSeen::Changed { artifact, .. })) = answer else { panic!("{answer:?}") };
    let layer = &artifact.layers[0];
    let whole = registries.blob(&of_charts, layer, 1 << 20);
    let Observed::Present(bytes) = &whole else { panic!("{whole:?}") };
    assert_eq!((Digest::of(bytes), bytes.len() as u64), (layer.digest.clone(), layer.size));
    assert_ne!(word(&registries.blob(&of_charts, layer, layer.size - 1)), "present");
    assert_eq!(word(&registries.tags(&repository(&registry.place("charts/nothing")))), "absent");
}

#[test]
fn a_signature_is_found_by_its_tag_where_a_registry_has_no_list_of_them() {
    let registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let image = Artifact::index(&BOTH, "first");
    shop.push(&image, "1.0.0");
    let found = || {
        let found = registries().referrers(&repository(&shop), &image.digest());
        let Observed::Present(found) = found else { panic!("{found:?}") };
        found.into_iter().map(|descriptor| descriptor.digest).collect::<Vec<_>>()
    };
    assert_eq!(found(), []);
    let signature = Artifact::image("linux/amd64", "a signature is an image to a registry");
    shop.push(&signature, &format!("{}.sig", image.digest().as_str().replace(':', "-")));
    assert_eq!(found(), [signature.digest()]);
}

#[test]
fn a_certificate_must_be_that_of_an_authority_that_was_named() {
    let mut registry = Registry::start(Access::Anybody);
    let shop = registry.place("tenant-acme/shop");
    let image = Artifact::image("linux/amd64", "first");
    shop.push(&image, "1.0.0");
    let pem = registry.restart_with_tls();
    let seen = |authorities: Option<String>| {
        let server = RegistryServer { authorities: authorities.map(String::into_bytes), ..RegistryServer::default() };
        let servers = [(registry.host().to_owned(), server)].into();
        let registries = Registries::new(RegistrySettings { servers, ..settings() }).expect("certificates");
        let (repository, digest) = (repository(&shop), image.digest());
        let question = PinQuestion { repository: &repository, tag: "1.0.0", digest: &digest, platforms: &[] };
        let seen = registries.pins_seen(&[question]).pop().expect("one answer");
        (word(&seen.by_digest).to_owned(), word(&seen.by_tag).to_owned())
    };
    let both = |word: &str| (word.to_owned(), word.to_owned());
    assert_eq!(seen(Some(pem)), both("present"));
    assert_eq!(seen(Some(Authority::new().pem())), both("UntrustedCertificate"));
    // On this machine it is asked without TLS unless an authority is named: what it says to that is not understood.
    assert_eq!(seen(None), both("UnexpectedStatus"));
}

#[test]
fn who_is_not_let_in_knows_nothing_and_says_no_password() {
    let registry = Registry::start(Access::Account);
    let shop = registry.place("tenant-acme/shop");
    let image = Artifact::index(&BOTH, "first");
    shop.push(&image, "1.0.0");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let seen = |password: Option<&str>| {
        let logins = password.map(|password| {
            let login = STANDARD.encode(format!("{}:{password}", ACCOUNT.0));
            json!({"auths": {registry.host(): {"auth": login}}})
        });
        let file = folder.path().join("config.json");
        fs::write(&file, logins.unwrap_or(json!({})).to_string()).expect("a folder of ours");
        let registries = Registries::new(RegistrySettings { docker_config: Some(file), ..settings() });
        let registries = registries.expect("a file that can be read");
        let (repository, digest) = (repository(&shop), image.digest());
        let question = PinQuestion { repository: &repository, tag: "1.0.0", digest: &digest, platforms: &[] };
        let said = format!("{:?}", registries.pins_seen(&[question]));
        assert!(password.is_none_or(|password| !said.contains(password)), "{said}");
        pin(&registries, &shop, "1.0.0", &digest)
    };
    let unknown = "digest Unauthorized, tag Unauthorized";
    assert_eq!(seen(Some(ACCOUNT.1)), "digest present, tag same, linux/amd64 present, linux/arm64 present");
    assert_eq!(seen(Some("another-password")), unknown);
    assert_eq!(seen(None), unknown);
}
