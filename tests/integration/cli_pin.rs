//! `pin update`, `pin verify` and `pin list`, with the real program and a registry on the loopback.
#![expect(clippy::disallowed_methods, reason = "these tests read the project")]

use std::fs;

use bobbypin::model::pins::PinName;
use serde_json::{Value, json};

use crate::{
    docs::{fences, project},
    pins_store::Store,
    support::cli::{Ran, Sandbox},
};

const PINS: &str = "clusters/edge/pins.yaml";
const CLUSTER: &str = "clusters/edge/cluster.yaml";

/// The worked example with its chart in a registry of the test, and nothing pinned yet.
fn sandbox(store: &Store, min_age: &str) -> Sandbox {
    let sandbox = Sandbox::edge();
    let mut settings = sandbox.read(CLUSTER);
    let chart = format!("oci://{}/charts/ouroboros", store.registry.name());
    settings.push_str(&format!("  pins:\n    chart: {chart}\n    version: 0.8.1\n    minAge: {min_age}\n"));
    sandbox.write(CLUSTER, settings);
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    sandbox.push("another registry");
    sandbox
}

/// Asks the registry, whatever it said a moment ago.
fn update(sandbox: &Sandbox) -> Ran {
    sandbox.run(&["pin", "update", "--cache-time", "0s"])
}

/// The outcomes of an update, by pin.
fn outcomes(sandbox: &Sandbox, more: &[&str], code: i32) -> Vec<String> {
    let words = [&["pin", "update", "--cache-time", "0s", "-o", "json"], more].concat();
    let report = sandbox.run(&words).expect(code).json();
    let pins = report["clusters"][0]["pins"].as_array().expect("a list");
    pins.iter().map(|pin| pin["outcome"].as_str().expect("a word").to_owned()).collect()
}

/// The states of the pins, by name and place.
fn states(sandbox: &Sandbox, code: i32) -> Vec<(String, String)> {
    let report = sandbox.run(&["pin", "verify", "-o", "json"]).expect(code).json();
    let pins = report["pins"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a word").to_owned();
    pins.iter().map(|pin| (text(&pin["name"]), text(&pin["state"]))).collect()
}

fn state_of_image(sandbox: &Sandbox, code: i32) -> String {
    let states = states(sandbox, code);
    let image = states.into_iter().find(|(name, _)| name == PinName::Image.as_str());
    image.expect("it is there").1
}

/// A time long ago in the place of the first one in the file, for all digests.
fn age(sandbox: &Sandbox) {
    let aged = sandbox.read(PINS).lines().fold(String::new(), |text, line| match line.split_once("firstSeen: ") {
        Some((before, _)) => text + before + "firstSeen: \"2026-01-01T00:00:00Z\"\n",
        None => text + line + "\n",
    });
    sandbox.write(PINS, aged);
}

#[test]
fn the_first_update_of_a_new_repository_pins_the_chart_and_what_it_runs() {
    let store = Store::with_ouroboros();
    let sandbox = Sandbox::empty();
    sandbox.run(&["init", "edge"]).expect(0);
    let chart = format!("oci://{}/charts/ouroboros", store.registry.name());
    sandbox.replace(CLUSTER, "oci://ghcr.io/lexfrei/charts/ouroboros", &chart);
    fs::remove_file(sandbox.path(PINS)).expect("init wrote it");
    let ran = update(&sandbox).expect(0);
    assert_eq!(ran.stderr, "next: look at it and commit it\n");
    let pins = sandbox.run(&["pin", "list", "-o", "json"]).expect(0).json();
    let pins = pins["clusters"][0]["pins"].as_array().expect("a list").clone();
    let found: Vec<_> =
        pins.iter().map(|pin| json!([pin["name"], pin["reference"], pin["tag"], pin["digest"]])).collect();
    let name = store.registry.name();
    let expected = [
        ("cleanup-hook-image", "alpine/kubectl", "1.36.1"),
        ("ouroboros-chart", "charts/ouroboros", "0.8.1"),
        ("ouroboros-image", "ouroboros", "0.8.1"),
    ]
    .map(|(pin, path, tag)| json!([pin, format!("{name}/{path}"), tag, store.digest(path, tag)]));
    assert_eq!(found, expected);
    assert_eq!(pins[2]["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert!(pins.iter().all(|pin| pin["usedFrom"].is_string()), "minAge is 72h: {pins:#?}");
}

#[test]
fn a_second_update_changes_no_byte_asks_for_nothing_and_makes_no_commit() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    sandbox.run(&["pin", "update"]).expect(0);
    sandbox.push("pinned");
    sandbox.reconcile().expect(0);
    sandbox.pull();
    let (tip, commits, asked) = (sandbox.tip(), sandbox.commits(), store.registry.asked().len());
    let heads = store.registry.count("HEAD ");
    let before = sandbox.read(PINS);

    let ran = sandbox.run(&["pin", "update"]).expect(0);
    assert!(ran.stdout.ends_with("clusters/edge/pins.yaml stays as it is\n") && ran.stderr.is_empty(), "{ran:#?}");
    assert_eq!(store.registry.asked().len(), asked, "what was said a moment ago is not asked for again");
    update(&sandbox).expect(0);
    assert_eq!(store.registry.count("HEAD "), heads + 3, "one for each reference");
    assert_eq!(store.registry.count("GET /v2/charts"), 2, "the chart was read once: its manifest and its archive");
    assert_eq!(sandbox.read(PINS), before);
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
    sandbox.reconcile().expect(0);
    assert_eq!((sandbox.tip(), sandbox.commits()), (tip, commits));
}

#[test]
fn while_a_version_waits_a_second_run_asks_for_nothing() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "72h");
    sandbox.run(&["pin", "update"]).expect(0);
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    // The first one knows no candidates yet; with its answers the next one is complete.
    sandbox.run(&["pin", "update"]).expect(0);
    let (asked, waiting) = (store.registry.asked().len(), sandbox.read(PINS));
    let ran = sandbox.run(&["pin", "update"]).expect(0);
    assert!(ran.stdout.contains("► ouroboros-chart: waits: "), "{}", ran.told());
    assert_eq!(store.registry.asked()[asked..].iter().map(|asked| &asked.place).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(sandbox.read(PINS), waiting);
}

#[test]
fn a_young_digest_is_written_down_and_the_layers_wait() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "72h");
    assert_eq!(outcomes(&sandbox, &[], 0), ["new"; 3]);
    let plan = sandbox.run(&["plan", "-o", "json", "--inventory", crate::support::cli::EDGE]).json();
    let reasons: Vec<_> =
        plan["clusters"][0]["layers"].as_array().expect("a list").iter().map(|layer| layer["reason"].clone()).collect();
    assert_eq!(reasons, ["PinTooYoung"; 3]);
    age(&sandbox);
    let plan = sandbox.run(&["plan", "-o", "json", "--inventory", crate::support::cli::EDGE]).expect(0).json();
    assert_eq!(plan["clusters"][0]["layers"][0]["decision"], "Deliver");

    // The next version is a candidate first, and moves as a whole.
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits", "waits", "unchanged"]);
    let plan = sandbox.run(&["plan", "-o", "json", "--inventory", crate::support::cli::EDGE]).json();
    let layer = &plan["clusters"][0]["layers"][0];
    assert_eq!(layer["reason"], "PinTooYoung");
    assert!(
        layer["message"].as_str().expect("a sentence").starts_with("the digests of version 0.9.0 may be used from")
    );
    let waiting = sandbox.read(PINS);
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits", "waits", "unchanged"]);
    assert_eq!(sandbox.read(PINS), waiting);
    age(&sandbox);
    assert_eq!(outcomes(&sandbox, &["--dry-run"], 0), ["moved", "moved", "unchanged"]);
    assert!(sandbox.read(PINS).contains("candidate:"), "a dry run writes nothing");
    assert_eq!(outcomes(&sandbox, &[], 0), ["moved", "moved", "unchanged"]);
    assert!(!sandbox.read(PINS).contains("candidate:"));
    assert_eq!(outcomes(&sandbox, &[], 0), ["unchanged"; 3]);
}

#[test]
fn a_moved_tag_is_told_and_followed_only_on_demand() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    let pinned = store.digest("ouroboros", "0.8.1");
    let moved = store.push_image("ouroboros", "0.8.1", "something else");
    assert_eq!(outcomes(&sandbox, &[], 0), ["unchanged", "tag-moved", "unchanged"]);
    let text = sandbox.read(PINS);
    assert!(
        text.contains(&format!("\n    digest: {pinned}\n")) && text.contains(&format!("\n      digest: {moved}\n"))
    );
    assert_eq!(state_of_image(&sandbox, 1), "tag-moved");
    let plan = sandbox.run(&["plan", "--inventory", crate::support::cli::EDGE]).expect(0);
    assert!(plan.stdout.contains("warning TagMoved: pins.yaml ouroboros-image: "), "{}", plan.told());
    let accept = ["--accept-moved", "ouroboros-image"];
    assert_eq!(outcomes(&sandbox, &accept, 0), ["unchanged", "moved", "unchanged"]);
    assert!(sandbox.read(PINS).contains(&format!("\n    digest: {moved}\n")));
    assert_eq!(state_of_image(&sandbox, 0), "ok");
}

/// Takes an entry out of the file.
fn take_out(sandbox: &Sandbox, name: &str) {
    let text = sandbox.read(PINS);
    let (before, rest) = text.split_once(&format!("  - name: {name}\n")).expect("it is there");
    let after = rest.find("  - name: ").map_or("", |at| &rest[at..]);
    sandbox.write(PINS, format!("{before}{after}"));
}

/// The tags of chart, image and hook, as they are pinned.
fn tags(sandbox: &Sandbox) -> [String; 3] {
    let report = sandbox.run(&["pin", "list", "-o", "json"]).expect(0).json();
    let pins = report["clusters"][0]["pins"].as_array().expect("a list").clone();
    PinName::ALL.map(|name| {
        let pin = pins.iter().find(|pin| pin["name"] == name.as_str()).expect("all are listed");
        pin["tag"].as_str().unwrap_or("none").to_owned()
    })
}

#[test]
fn a_missing_image_is_that_of_the_pinned_chart_whatever_its_tag_leads_to_now() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    let pinned = store.digest("charts/ouroboros", "0.8.1").to_string();
    store.push_chart("0.8.1", "6.6.6");
    store.push_image("alpine/kubectl", "6.6.6", "of somebody else");
    take_out(&sandbox, "cleanup-hook-image");
    assert_eq!(outcomes(&sandbox, &[], 0), ["tag-moved", "unchanged", "new"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "0.8.1", "1.36.1"]);

    // The same while the new chart is accepted: first the set is whole, then it moves as a whole.
    take_out(&sandbox, "cleanup-hook-image");
    let accept = ["--accept-moved", "ouroboros-chart"];
    assert_eq!(outcomes(&sandbox, &accept, 0), ["waits-for", "unchanged", "new"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "0.8.1", "1.36.1"]);
    assert_eq!(outcomes(&sandbox, &accept, 0), ["moved", "unchanged", "moved"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "0.8.1", "6.6.6"]);

    // A chart that nobody has any more says nothing.
    let text = sandbox.read(PINS).replace(store.digest("charts/ouroboros", "0.8.1").as_str(), &pinned);
    sandbox.write(PINS, text);
    store.delete("charts/ouroboros", &pinned);
    take_out(&sandbox, "ouroboros-image");
    assert_eq!(outcomes(&sandbox, &[], 1), ["tag-moved", "unsaid", "unchanged"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "none", "6.6.6"]);
}

#[test]
fn a_missing_entry_beside_another_version_leaves_no_chart_with_the_images_of_another() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "72h");
    update(&sandbox).expect(0);
    age(&sandbox);
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    take_out(&sandbox, "ouroboros-image");
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits", "new", "unchanged"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "0.8.1", "1.36.1"]);
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits", "waits", "unchanged"]);
    age(&sandbox);

    // The chart's entry is gone, and its images are of the former version.
    let waiting = sandbox.read(PINS);
    take_out(&sandbox, "ouroboros-chart");
    assert_eq!(outcomes(&sandbox, &[], 0), ["new", "moved", "unchanged"]);
    assert_eq!(tags(&sandbox), ["0.9.0", "0.9.0", "1.36.1"]);
    let image = waiting.replace("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
    sandbox.write(PINS, image);
    take_out(&sandbox, "ouroboros-chart");
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits-for", "waits", "unchanged"]);
    assert_eq!(tags(&sandbox), ["none", "0.8.1", "1.36.1"]);
}

#[test]
fn no_image_is_pinned_of_a_chart_that_is_not() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    want_signature(&sandbox, "ouroboros-chart", KEY);
    assert_eq!(outcomes(&sandbox, &[], 1), ["unsigned", "waits-for", "waits-for"]);
    assert!(!sandbox.path(PINS).exists());
}

#[test]
fn an_image_that_its_chart_names_by_another_digest_is_not_pinned() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    let right = store.digest("alpine/kubectl", "1.36.1");
    store.push_chart("0.8.1", &format!("1.36.1@sha256:{}", "7".repeat(64)));
    assert_eq!(outcomes(&sandbox, &[], 1), ["new", "new", "unsaid"]);
    store.push_chart("0.8.1", &format!("1.36.1@{right}"));
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    assert_eq!(outcomes(&sandbox, &[], 0), ["new"; 3]);
}

#[test]
fn a_candidate_is_read_again_before_it_is_used() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "72h");
    update(&sandbox).expect(0);
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    assert_eq!(outcomes(&sandbox, &[], 0), ["waits", "waits", "unchanged"]);
    age(&sandbox);
    sandbox.replace(CLUSTER, "    minAge: 72h\n", "    minAge: 72h\n    platforms: [linux/amd64, linux/riscv64]\n");
    assert_eq!(outcomes(&sandbox, &[], 1), ["waits-for", "platform-missing", "unchanged"]);
    assert_eq!(tags(&sandbox), ["0.8.1", "0.8.1", "1.36.1"]);
}

#[test]
fn what_somebody_writes_while_registries_are_asked_is_not_lost() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    let (path, text) = (sandbox.path(PINS), sandbox.read(PINS) + "# held by Ann\n");
    let typed = text.clone();
    store.meanwhile(move || fs::write(path, typed).expect("a file of the test"));
    let ran = update(&sandbox).expect(2);
    assert!(ran.stderr.contains(&format!("{PINS} was changed while the registries were asked")), "{}", ran.told());
    assert_eq!(sandbox.read(PINS), text);
    // Also a file that was not there.
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    let (path, typed) = (sandbox.path(PINS), text.clone());
    store.meanwhile(move || fs::write(path, typed).expect("a file of the test"));
    update(&sandbox).expect(2);
    assert_eq!(sandbox.read(PINS), text);
    assert_eq!(outcomes(&sandbox, &[], 0), ["moved", "moved", "unchanged"]);
    assert!(sandbox.read(PINS).ends_with("# held by Ann\n"));
}

#[test]
fn what_is_neither_a_chart_nor_an_image_is_of_the_wrong_kind_for_good() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    let image = store.digest("ouroboros", "0.8.1").to_string();
    let files = store.push_files("ouroboros", "0.8.1").to_string();
    assert_eq!(outcomes(&sandbox, &[], 1), ["unchanged", "wrong-kind", "unchanged"]);
    assert_eq!(state_of_image(&sandbox, 1), "tag-moved");
    sandbox.write(PINS, sandbox.read(PINS).replace(&image, &files));
    assert_eq!(state_of_image(&sandbox, 1), "wrong-kind");
}

#[test]
fn the_diff_of_an_update_says_who_signed() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    let digest = format!("\n    digest: {}\n", store.digest("ouroboros", "0.8.1"));
    let signed = format!("{digest}    verified: {{signature: \"Ann, by hand\"}}\n");
    sandbox.write(PINS, sandbox.read(PINS).replace(&digest, &signed));
    store.push_chart("0.8.2", "1.36.1");
    store.retag("ouroboros", "0.8.1", "0.8.2");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.8.2");
    let ran = update(&sandbox).expect(0);
    let lines: Vec<_> = ran.stdout.lines().filter(|line| line.contains("signature: ")).collect();
    assert_eq!(lines, ["    signature: not checked", "    signature: Ann, by hand"], "{}", ran.stdout);
}

#[test]
fn what_a_person_took_back_is_found_behind_any_number_of_commits() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    sandbox.push("0.8.1");
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    update(&sandbox).expect(0);
    sandbox.push("0.9.0");
    sandbox.write(PINS, sandbox.git(&["show", &format!("HEAD~1:{PINS}")]));
    sandbox.push("back");
    (0..60).for_each(|_| drop(sandbox.git(&["commit", "-q", "--allow-empty", "-m", "of somebody else"])));
    assert_eq!(outcomes(&sandbox, &["--dry-run"], 0), ["reverted", "reverted", "unchanged"]);

    // A clone that does not know it says so.
    sandbox.write(".git/shallow", sandbox.tip() + "\n");
    let ran = sandbox.run(&["pin", "update", "--cache-time", "0s", "--dry-run"]).expect(0);
    assert_eq!(
        ran.stderr,
        format!(
            "{PINS}: the history of this clone is not long enough to tell whether somebody took back what moved; fetch all \
             of it\n"
        )
    );
}

#[test]
fn what_a_person_holds_or_takes_back_does_not_move() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    update(&sandbox).expect(0);
    sandbox.push("0.8.1");
    store.push_version("0.9.0");
    sandbox.replace(CLUSTER, "version: 0.8.1", "version: 0.9.0");
    assert_eq!(outcomes(&sandbox, &[], 0), ["moved", "moved", "unchanged"]);
    sandbox.push("0.9.0");

    // Somebody takes back the pins, and not the wish.
    let former = sandbox.git(&["show", &format!("HEAD~1:{PINS}")]);
    sandbox.write(PINS, &former);
    sandbox.push("back");
    let back = sandbox.tip()[..7].to_owned();
    assert_eq!(outcomes(&sandbox, &[], 0), ["reverted", "reverted", "unchanged"]);
    let held = sandbox.read(PINS);
    assert_eq!(held.matches(&format!("reason: \"taken back by hand in {back}\"")).count(), 2, "{held}");
    assert_eq!(outcomes(&sandbox, &[], 0), ["held", "held", "unchanged"]);
    assert_eq!(sandbox.read(PINS), held);
    sandbox.push("held");

    // Taken out again: it is meant to move.
    sandbox.write(PINS, &former);
    sandbox.push("go on");
    assert_eq!(outcomes(&sandbox, &[], 0), ["moved", "moved", "unchanged"]);

    // An ended hold does not hold, and is told.
    sandbox.write(PINS, &held);
    let image = format!("reason: \"taken back by hand in {back}\"");
    let ended = held.replace(&image, "reason: it does not start\n      until: 2026-01-01T00:00:00Z");
    sandbox.write(PINS, &ended);
    let ran = update(&sandbox).expect(0);
    assert!(ran.stdout.contains("► ouroboros-image: moved: "), "{}", ran.told());
    assert!(!sandbox.read(PINS).contains("hold:"), "it was about the former digest");
    sandbox.write(PINS, &ended);
    let listed = sandbox.run(&["pin", "list"]).expect(0);
    assert!(
        listed.stdout.contains("warning HoldExpired: pins.yaml ouroboros-image: its hold ended at"),
        "{}",
        listed.told()
    );
}

#[test]
fn every_state_of_a_pin_is_told_with_its_exit_code() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    let unpinned: Vec<_> = states(&sandbox, 1).into_iter().map(|(_, state)| state).collect();
    assert_eq!(unpinned, ["unpinned"; 3]);
    update(&sandbox).expect(0);
    assert!(states(&sandbox, 0).iter().all(|(_, state)| state == "ok"));

    store.refuse("ouroboros", true);
    assert_eq!(state_of_image(&sandbox, 5), "unknown");
    assert_eq!(outcomes(&sandbox, &[], 5), ["unchanged", "unknown", "unchanged"]);
    store.refuse("ouroboros", false);

    let digest = store.digest("ouroboros", "0.8.1").to_string();
    store.retag("ouroboros", "0.8.1", "kept");
    store.delete("ouroboros", "0.8.1");
    assert_eq!(state_of_image(&sandbox, 1), "tag-reaped");
    assert_eq!(outcomes(&sandbox, &[], 1), ["unchanged", "not-found", "unchanged"]);
    store.delete("ouroboros", &digest);
    assert_eq!(state_of_image(&sandbox, 1), "reaped");
    store.push_image("ouroboros", "0.8.1", "another");
    assert_eq!(state_of_image(&sandbox, 1), "digest-lost");
    // What is proved goes before what is not known.
    store.refuse("alpine/kubectl", true);
    assert_eq!(state_of_image(&sandbox, 1), "digest-lost");
    store.refuse("alpine/kubectl", false);

    store.push_image("ouroboros", "0.8.1", "ouroboros 0.8.1");
    assert_eq!(state_of_image(&sandbox, 0), "ok");
    let chart = store.digest("charts/ouroboros", "0.8.1");
    let name = store.registry.name();
    let pins = sandbox.read(PINS);
    // The digest of the chart where that of the image belongs.
    let there = format!("reference: \"{name}/ouroboros\"");
    assert!(pins.contains(&there), "{pins}");
    let wrong = pins.replace(&there, &format!("reference: \"{name}/charts/ouroboros\""));
    sandbox.write(PINS, wrong.replace(&digest, chart.as_str()));
    assert_eq!(state_of_image(&sandbox, 1), "wrong-kind");
    sandbox.write(PINS, &pins);
    sandbox.replace(CLUSTER, "    minAge: 0s\n", "    minAge: 0s\n    platforms: [linux/amd64, linux/riscv64]\n");
    assert_eq!(state_of_image(&sandbox, 1), "platform-missing");
    assert_eq!(outcomes(&sandbox, &[], 0), ["unchanged"; 3]);
}

#[test]
fn a_mirror_must_have_the_same_digest_and_its_origin_may_be_out_of_reach() {
    let (origin, mirror) = (Store::with_ouroboros(), Store::empty());
    let sandbox = sandbox(&origin, "0s");
    update(&sandbox).expect(0);
    let mirrors = format!("    mirrors: {{\"{}\": {}/mirrored}}\n", origin.registry.name(), mirror.registry.name());
    sandbox.replace(CLUSTER, "    minAge: 0s\n", &format!("    minAge: 0s\n{mirrors}"));
    let of_image = |code| {
        let states = states(&sandbox, code).into_iter().filter(|(name, _)| name == "ouroboros-image");
        states.map(|(_, state)| state).collect::<Vec<_>>()
    };
    assert_eq!(of_image(1), ["reaped", "ok"]);
    mirror.push_image("mirrored/ouroboros", "0.8.1", "another");
    assert_eq!(of_image(1), ["digest-lost", "ok"]);
    mirror.push_image("mirrored/ouroboros", "0.8.1", "ouroboros 0.8.1");
    assert_eq!(of_image(1), ["ok", "ok"]);
    mirror.push_image("mirrored/alpine/kubectl", "1.36.1", "kubectl 1.36.1");
    for repository in ["ouroboros", "alpine/kubectl", "charts/ouroboros"] {
        origin.refuse(repository, true);
    }
    assert_eq!(of_image(1), ["ok", "unknown"]);
}

#[test]
fn comments_of_people_and_pins_of_other_names_stay() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    let other = format!("sha256:{}", "7".repeat(64));
    let pins = format!(
        "# Ours.\napiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {{name: edge}}\nspec:\n  pins:\n  # for the \
         other thing\n  - name: other   # not ours\n    reference: ghcr.io/lexfrei/other\n    tag: \"1\"\n    digest: \
         {other}\n    mediaType: application/vnd.oci.image.index.v1+json\n"
    );
    sandbox.write(PINS, &pins);
    update(&sandbox).expect(0);
    let written = sandbox.read(PINS);
    let (head, tail) = pins.split_once("  # for the").expect("it is there");
    assert!(written.starts_with(head), "{written}");
    assert!(written.contains(&format!("  # for the{tail}")), "{written}");
    assert_eq!(written.matches("- name:").count(), 4);
}

/// What differs from run to run in a text, named as the page names it.
fn plain(text: &str, store: &Store) -> String {
    let mut words = Vec::new();
    for line in text.replace(&store.registry.name(), "registry.example.org").lines() {
        let line = line.split(' ').map(|word| {
            if let Some((before, _)) = word.split_once("sha256:") {
                format!("{before}sha256:…")
            } else if word.len() > 18 && word.starts_with("20") && word.contains('T') && word.contains('Z') {
                format!("2026-11-21T12:00:00Z{}", word.rsplit('Z').next().unwrap_or_default())
            } else {
                word.to_owned()
            }
        });
        let line = line.collect::<Vec<_>>().join(" ");
        // A slow machine needs more than a second.
        words.push(match line.split_once("Z, ") {
            Some((before, age)) if age.ends_with(" ago") => format!("{before}Z, 0 seconds ago"),
            Some(_) | None => line,
        });
    }
    words.join("\n")
}

#[test]
fn the_page_on_pins_shows_what_the_program_prints() {
    let page = fs::read_to_string(project().join("docs/pins.md")).expect("the page");
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "72h");
    let mut shown = 0;
    for fence in fences(&page).iter().filter(|fence| fence.language == "console") {
        let (mut command, mut output): (Option<&str>, Vec<&str>) = (None, Vec::new());
        let mut check = |command: Option<&str>, output: &mut Vec<&str>| {
            let Some(command) = command else { return };
            if command == "bobbypin pin verify" {
                // What the page tells of.
                store.push_image("alpine/kubectl", "1.36.1", "something else");
            }
            let words: Vec<_> =
                command.split(' ').skip(1).chain(command.contains("update").then_some("--cache-time=0s")).collect();
            let ran = sandbox.run(&words);
            let told = plain(&(ran.stdout + &ran.stderr), &store);
            assert_eq!(told, output.join("\n"), "{command}");
            output.clear();
            shown += 1;
        };
        for line in &fence.lines {
            match line.strip_prefix("$ ") {
                Some(next) => {
                    check(command.take(), &mut output);
                    command = Some(next);
                }
                None => output.push(line),
            }
        }
        check(command, &mut output);
    }
    assert_eq!(shown, 3, "update, list, verify");
}

#[test]
fn a_registry_that_says_nothing_leaves_no_file_behind() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    for path in ["charts/ouroboros", "ouroboros", "alpine/kubectl"] {
        store.refuse(path, true);
    }
    let ran = update(&sandbox).expect(5);
    assert!(!sandbox.path(PINS).exists() && ran.stderr.is_empty(), "{ran:#?}");
}

/// Wants a pin to be signed by a key, without a log.
fn want_signature(sandbox: &Sandbox, name: &str, pem: &str) {
    let key: String = pem.lines().map(|line| format!("          {line}\n")).collect();
    let signers = format!("    signers:\n      - pin: {name}\n        transparencyLog: false\n        key: |\n{key}");
    sandbox.write(CLUSTER, sandbox.read(CLUSTER) + &signers);
}

/// A key that signed nothing.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMrwAJMR67OcSczB24SnescQjO6/K
UelnS64/lDOyteHROCTLiDTMqCoRQhWUh2m5GsSXmDmWIElR0L5OO+xgKw==
-----END PUBLIC KEY-----
";

#[test]
fn an_image_that_must_be_signed_and_is_not_gets_no_pin() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    want_signature(&sandbox, PinName::Image.as_str(), KEY);
    assert_eq!(outcomes(&sandbox, &[], 1), ["new", "unsigned", "new"]);
    assert!(!sandbox.read(PINS).contains("ouroboros-image"), "{}", sandbox.read(PINS));
    let ran = update(&sandbox).expect(1);
    let line = ran.stdout.lines().find(|line| line.contains("is not signed")).expect("it is told");
    assert!(line.contains("what the tag leads to is not signed as spec.pins.signers wants: "), "{line}");
}

#[cfg(feature = "signatures")]
#[test]
fn an_image_is_pinned_with_the_signature_that_lies_beside_it() {
    use sigstore_verify::crypto::KeyPair;

    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    let key = KeyPair::generate_ecdsa_p256().expect("a key");
    want_signature(&sandbox, PinName::Image.as_str(), &key.public_key_der().expect("a public key").to_pem());
    let sign = |digest: &str, key: &KeyPair| {
        let payload = json!({"critical": {
            "identity": {"docker-reference": "r.example.org/ouroboros"},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }});
        let payload = payload.to_string();
        let signature = key.sign(payload.as_bytes()).expect("a signature").to_base64();
        store.push_signature("ouroboros", digest, payload.as_bytes(), &signature);
    };
    let digest = store.digest("ouroboros", "0.8.1").to_string();

    // By somebody else, then as it must be.
    sign(&digest, &KeyPair::generate_ecdsa_p256().expect("a key"));
    assert_eq!(outcomes(&sandbox, &[], 1), ["new", "unsigned", "new"]);
    assert_eq!(outcomes(&sandbox, &[], 1), ["unchanged", "unsigned", "unchanged"]);
    sign(&digest, &key);
    assert_eq!(outcomes(&sandbox, &[], 0), ["unchanged", "new", "unchanged"]);
    assert!(sandbox.read(PINS).contains("key sha256:"), "{}", sandbox.read(PINS));

    // What was checked is not checked again, unless that is wanted.
    let before = sandbox.read(PINS);
    store.delete("ouroboros", &format!("{}.sig", digest.replace(':', "-")));
    assert_eq!(outcomes(&sandbox, &[], 0), ["unchanged"; 3]);
    assert_eq!(outcomes(&sandbox, &["--verify-signature"], 1), ["unchanged", "unsigned", "unchanged"]);
    assert_eq!(sandbox.read(PINS), before);
}

#[test]
fn pins_are_written_into_a_file_of_a_person_where_their_repository_stands_and_nowhere_else() {
    let store = Store::with_ouroboros();
    let sandbox = sandbox(&store, "0s");
    let name = store.registry.name();
    let values = format!(
        "# ours\nouroboros:\n  image: {{repository: {name}/ouroboros, tag: '0.8.0'}} # {{\"$imagepolicy\": \"a:b:tag\"}}\n  \
         other: {{repository: {name}/other, tag: '1'}}\r\n"
    );
    sandbox.write("values.yaml", &values);
    let digest = store.digest("ouroboros", "0.8.1");
    let words = ["pin", "update", "--cache-time", "0s", "--write-values", "values.yaml"];
    let ran = sandbox.run(&words).expect(0);
    let column = values.lines().nth(2).and_then(|line| line.find("'0.8.0'")).expect("it is there") + 1;
    let told = format!("values.yaml:3:{column}: 0.8.0 → 0.8.1@{digest}\n");
    assert!(ran.stdout.ends_with(&told), "{}", ran.stdout);
    let expected = values.replace("'0.8.0'", &format!("'0.8.1@{digest}'"));
    assert_eq!(sandbox.read("values.yaml"), expected);
    let again = sandbox.run(&words).expect(0);
    assert!(again.stdout.ends_with("stays as it is\n"), "{}", again.stdout);
    assert_eq!(sandbox.read("values.yaml"), expected);

    // What cannot be read is not written, and pins.yaml neither.
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    sandbox.write("values.yaml", "a: [");
    sandbox.run(&words).expect(2);
    assert!(!sandbox.path(PINS).exists());
    // Nor is what is too young.
    sandbox.write("values.yaml", &values);
    sandbox.replace(CLUSTER, "minAge: 0s", "minAge: 72h");
    sandbox.run(&words).expect(0);
    assert_eq!(sandbox.read("values.yaml"), values);
    // Nor what somebody wrote down whose tag leads elsewhere; the report names what it would write.
    sandbox.replace(CLUSTER, "minAge: 72h", "minAge: 0s");
    let words = [&words[..], &["-o", "json"]].concat();
    sandbox.write(PINS, sandbox.read(PINS).replace(digest.as_str(), &format!("sha256:{}", "7".repeat(64))));
    let ran = sandbox.run(&words).expect(0);
    assert_eq!(ran.json()["values"], json!([]));
    assert_eq!(
        ran.stderr,
        "not in the files: ouroboros-image: its tag did not lead to its digest in this run (tag-moved)\n"
    );
    assert_eq!(sandbox.read("values.yaml"), values);
    // Two entries of one repository, of which one is right.
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    sandbox.run(&words[..words.len() - 4]).expect(0);
    let pins = sandbox.read(PINS);
    let at = pins.find("  - name: ouroboros-image\n").expect("it is there");
    sandbox.write(PINS, pins.clone() + &pins[at..].replace("ouroboros-image", "other").replace("0.8.1", "0.7.0"));
    let ran = sandbox.run(&words).expect(0);
    assert!(ran.stderr.contains("not in the files: ouroboros-image: another entry of pins.yaml has its"), "{ran:#?}");
    assert_eq!(sandbox.read("values.yaml"), values);
    fs::remove_file(sandbox.path(PINS)).expect("it is there");
    let ran = sandbox.run(&words).expect(0);
    let new = format!("0.8.1@{digest}");
    let expected =
        json!({"path": "values.yaml", "line": 3, "column": column, "old": "0.8.0", "new": new, "written": true});
    assert_eq!(ran.json()["values"], json!([expected]));
}
