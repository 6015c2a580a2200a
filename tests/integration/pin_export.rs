//! `pin export`: lists of what must be kept, for cleaners and for programs that copy.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs on files")]

use std::{fs, process::Command};

use bobbypin::model::digest::Digest;
use serde_json::json;

use crate::{
    docs::{fences, project},
    support::{
        cli::{PROGRAM, Sandbox, finish},
        registry::{OCI_INDEX, OCI_MANIFEST, Registry, image, image_of, index, json_reply, manifest, refusal},
        scripted::Reply,
    },
};

const LIST: &str = "# Kept for the CMS team.\r\ncontainer/CMS==production # ask first\r\n\r\ngeneric/tool==1";

/// A release that is suspended, with the image of an owner `acme`.
fn release(registry: &str, tag: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: cms, namespace: tenant-acme}}\nspec:\n  suspend: \
         true\n  values:\n    image: {{repository: {registry}/acme/cms, tag: \"{tag}\"}}\n"
    )
}

#[test]
fn the_page_shows_what_the_program_prints() {
    let page = fs::read_to_string(project().join("docs/keep-lists.md")).expect("the page");
    let sandbox = Sandbox::empty();
    let bin = sandbox.root().join("bin");
    fs::create_dir(&bin).expect("a new folder");
    std::os::unix::fs::symlink(PROGRAM, bin.join("bobbypin")).expect("a new link");
    sandbox.write("registry-pins.txt", "# Kept for the CMS team.\ncontainer/cms==production\n");
    let mut is_committed = false;
    let mut shown = 0;
    for fence in fences(&page) {
        let text = fence.lines.join("\n") + "\n";
        match fence.language {
            "yaml" => sandbox.write(fence.lines[0].trim_start_matches("# "), text),
            "console" => {
                if !is_committed {
                    sandbox.push("the example");
                    is_committed = true;
                }
                let mut printed = String::new();
                for command in fence.lines.iter().filter_map(|line| line.strip_prefix("$ ")) {
                    let mut shell: Command = sandbox.scrubbed("sh", &sandbox.work());
                    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("there is a PATH"));
                    let ran = finish(shell.args(["-c", &format!("exec 2>&1; {command}")]).env("PATH", path));
                    printed +=
                        &format!("$ {command}\n{}", ran.stdout.replace(&format!("{}/", sandbox.work().display()), ""));
                    shown += 1;
                }
                assert_eq!(text, printed);
            }
            _ => (),
        }
    }
    assert_eq!(shown, 9);
}

#[test]
fn a_list_gets_what_it_lacks_earlier_commits_included_and_is_left_alone_after_that() {
    let sandbox = Sandbox::empty();
    for tag in ["oldest", "older", "staging"] {
        sandbox.write("apps/cms.yaml", release("git.example.org", tag));
        sandbox.push(tag);
    }
    sandbox.write("pins.txt", LIST);
    let export = |revisions: &str| {
        let to_list =
            ["--registry", "git.example.org", "--owner", "ACME", "--out", "pins.txt", "--revisions", revisions];
        let ran = sandbox.run(&[&["pin", "export", "--format", "gitea-pins"], &to_list[..]].concat()).expect(0);
        (sandbox.read("pins.txt"), ran)
    };
    let (now, _) = export("0");
    assert_eq!(now, format!("{LIST}\r\ncontainer/cms==staging\r\n"));
    let (with_last, _) = export("1");
    assert_eq!(with_last, format!("{now}container/cms==older\r\n"));
    let before = sandbox.listing();
    let (same, ran) = export("1");
    assert_eq!((same, sandbox.listing()), (with_last.clone(), before), "a second run writes nothing");
    assert!(ran.stderr.contains("unchanged: "), "{}", ran.told());
    let (all, ran) = export("9");
    assert_eq!(all, format!("{with_last}container/cms==oldest\r\n"));
    assert!(ran.stderr.contains("2 of 9 earlier commits are in this repository"), "{}", ran.told());
    let report = sandbox.run(&["pin", "export", "--format", "oci-list", "-o", "json"]).expect(0).json();
    assert_eq!(
        report["text"],
        "git.example.org/acme/cms:older\ngit.example.org/acme/cms:oldest\ngit.example.org/acme/cms:staging\n"
    );
    let reasons = |at: usize| report["entries"][at]["because"][0]["reason"].clone();
    assert_eq!([reasons(0), reasons(2)], ["Earlier", "Suspended"]);
}

#[test]
fn a_list_or_a_manifest_that_cannot_be_read_stops_everything() {
    let sandbox = Sandbox::empty();
    sandbox.write("apps/cms.yaml", release("git.example.org", "staging"));
    let export = [
        "pin",
        "export",
        "--format",
        "gitea-pins",
        "--registry",
        "git.example.org",
        "--owner",
        "acme",
        "--out",
        "pins.txt",
    ];
    sandbox.write("pins.txt", "# ours\n  cms==production\n");
    let ran = sandbox.run(&export).expect(2);
    insta::assert_snapshot!(ran.stderr, @"
    error: there is no `/` after a package type
     --> pins.txt:2:3
      |
    2 |   cms==production
      |   ^
      = help: write `container/name==version`, or put a `#` before it

    1 problem in 1 file
    ");
    assert_eq!(sandbox.read("pins.txt"), "# ours\n  cms==production\n");
    sandbox.write("pins.txt", "");
    sandbox.write("apps/broken.yaml", "password: hunter2\na: [\n");
    let ran = sandbox.run(&export).expect(2);
    assert!(ran.stderr.contains("apps/broken.yaml:2:") && !ran.told().contains("hunter2"), "{}", ran.told());
    assert_eq!(sandbox.read("pins.txt"), "");
    // What is broken in an earlier commit only is told.
    sandbox.push("broken");
    sandbox.write("apps/broken.yaml", "a: []\n");
    let ran = sandbox.run(&export).expect(0);
    assert!(ran.stderr.contains("not read: ") && ran.stderr.contains(":apps/broken.yaml:2:"), "{}", ran.told());
    assert_eq!(sandbox.read("pins.txt"), "container/cms==staging\n");
}

const CLUSTER: &str = "apiVersion: bobbypin.dev/v1alpha1
kind: Cluster
metadata: {name: edge}
spec:
  platform: {kind: cozystack, version: v1.6.2, live: true}
  pins: {mirrors: {quay.io: git.example.org/mirror}}
";

/// A pin whose candidate waits; no manifest names either yet.
fn pins(candidate: &str) -> String {
    let entry = |tag: &str, bytes: &str| {
        format!("tag: \"{tag}\", digest: \"{}\", mediaType: {OCI_INDEX}", Digest::of(bytes.as_bytes()))
    };
    format!(
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {{name: edge}}\nspec:\n  pins:\n  - {{name: ouroboros-image, reference: \
         quay.io/acme/proxy, {}, platforms: [linux/amd64],\n     candidate: {{{}, platforms: [linux/amd64], firstSeen: \
         \"2026-01-31T12:00:00Z\"}}}}\n",
        entry("0.8.1", "pinned"),
        entry(candidate, "candidate")
    )
}

#[test]
fn what_is_pinned_is_kept_at_its_mirror_before_any_manifest_names_it_there() {
    let sandbox = Sandbox::empty();
    sandbox.write("clusters/edge/cluster.yaml", CLUSTER);
    sandbox.write("clusters/edge/pins.yaml", pins("0.9.0"));
    let (pinned, candidate) = (Digest::of(b"pinned"), Digest::of(b"candidate"));
    let registry = ["--registry", "git.example.org"];
    let export = ["pin", "export", "--format", "gitea-pins", "--owner", "mirror", "--quiet"];
    let mut wanted = ["0.8.1", "0.9.0", pinned.as_str(), candidate.as_str()]
        .map(|version| format!("container/acme/proxy=={version}\n"));
    wanted.sort();
    let list = sandbox.run(&[&export[..], &registry].concat()).expect(0).stdout;
    assert_eq!(list, wanted.concat());
    let would_go = |more: &[&str]| {
        let report =
            sandbox.run(&[&["pin", "reap-check", "-o", "json"], &registry[..], more].concat()).expect(0).json();
        report["reaped"].as_array().expect("a list").len()
    };
    assert_eq!(would_go(&[]), 2);
    sandbox.write("kept.txt", list);
    assert_eq!(would_go(&["--pins-file", "kept.txt"]), 0);
    // Without its settings nobody knows where a cluster pulls from, and the list would be too short.
    sandbox.write("clusters/edge/cluster.yaml", "kind: Cluster\n");
    sandbox.run(&[&export[..], &registry].concat()).expect(2);
}

#[test]
fn a_candidate_of_the_same_tag_is_copied_beside_the_pin_and_never_over_it() {
    let sandbox = Sandbox::empty();
    sandbox.write("clusters/edge/cluster.yaml", CLUSTER);
    sandbox.write("clusters/edge/pins.yaml", pins("0.8.1"));
    let (pinned, candidate) = (Digest::of(b"pinned"), Digest::of(b"candidate"));
    let ran = sandbox.run(&["pin", "export", "--format", "crane"]).expect(0);
    assert_eq!(
        ran.stdout,
        format!(
            "crane copy quay.io/acme/proxy@{pinned} git.example.org/mirror/acme/proxy:0.8.1\ncrane copy quay.io/acme/proxy@{candidate} \
             git.example.org/mirror/acme/proxy@{candidate}\n"
        )
    );
    let remark = format!(
        "by its digest alone: quay.io/acme/proxy:0.8.1@{candidate}, since its tag of the mirror is for quay.io/acme/proxy:0.8.1@{pinned}"
    );
    assert!(ran.stderr.contains(&remark), "{}", ran.told());
}

#[test]
fn signatures_of_files_that_flux_fetches_are_kept_too() {
    let files = |of: &str| image_of(of, "application/vnd.cncf.flux.config.v1+json");
    let (by_tag, by_digest) = (files("by tag"), files("by digest"));
    let signature = |bytes: &[u8]| format!("{}.sig", Digest::of(bytes).as_str().replace(':', "-"));
    let of_tag = by_tag.clone();
    let of_digest = by_digest.clone();
    let tags = json!({"name": "acme/files", "tags": ["latest", signature(&by_tag), signature(&by_digest)]});
    let registry = Registry::start(move |asked| {
        let (_, path) = asked.place.split_once(' ').expect("a method and a path");
        let path = path.strip_prefix("/v2/acme/files/").unwrap_or(path);
        if path == "/v2/" {
            return json_reply(200, &json!({}));
        } else if path.starts_with("tags/list") {
            return json_reply(200, &tags);
        }
        let version = path.strip_prefix("manifests/").unwrap_or_default();
        match version {
            "latest" => manifest(OCI_MANIFEST, &of_tag),
            _ if version == Digest::of(&of_tag).as_str() => manifest(OCI_MANIFEST, &of_tag),
            _ if version == Digest::of(&of_digest).as_str() => manifest(OCI_MANIFEST, &of_digest),
            _ => refusal(404, "MANIFEST_UNKNOWN"),
        }
    });
    let source = |name: &str, reference: &str| {
        format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {{name: {name}, namespace: flux}}\nspec: {{url: \
             'oci://{}/acme/files', ref: {{{reference}}}, verify: {{provider: cosign}}}}\n---\n",
            registry.name()
        )
    };
    let sandbox = Sandbox::empty();
    let pinned = source("pinned", &format!("digest: '{}'", Digest::of(&by_digest)));
    sandbox.write("files.yaml", source("floating", "tag: latest") + &pinned);
    let name = registry.name();
    let export = ["--timeout", "20s", "pin", "export", "--format", "gitea-pins", "--online", "--registry"];
    let ran = sandbox.run(&[&export[..], &[&name, "--owner", "acme"]].concat()).expect(0);
    let mut wanted =
        ["latest".to_owned(), Digest::of(&by_digest).to_string(), signature(&by_tag), signature(&by_digest)]
            .map(|version| format!("container/files=={version}\n"));
    wanted.sort();
    assert_eq!(ran.stdout, wanted.concat(), "{}", ran.told());
}

#[test]
fn an_index_without_end_is_no_answer_and_nobody_asks_for_its_parts() {
    let parts: Vec<_> = (0..257).map(|number| image(&number.to_string())).collect();
    let all: Vec<_> = parts.iter().map(|part| (part.as_slice(), "linux/amd64")).collect();
    let large = index(&all);
    let registry = Registry::start(move |asked| match asked.place.split_once("/acme/cms/manifests/") {
        Some((_, version)) if version == "staging" || version == Digest::of(&large).as_str() => {
            manifest(OCI_INDEX, &large)
        }
        Some(_) => refusal(404, "MANIFEST_UNKNOWN"),
        None if asked.place.contains("/tags/list") => {
            json_reply(200, &json!({"name": "acme/cms", "tags": ["staging"]}))
        }
        None if asked.place.ends_with("/v2/") => json_reply(200, &json!({})),
        None => refusal(404, "NAME_UNKNOWN"),
    });
    let sandbox = Sandbox::empty();
    sandbox.write("apps/cms.yaml", release(&registry.name(), "staging"));
    let ran = sandbox.run(&["--timeout", "20s", "pin", "export", "--format", "oci-list", "--online"]).expect(5);
    assert!(ran.stderr.contains("the index names more than 256 manifests"), "{}", ran.told());
    assert!(registry.count("") < 20, "{}", registry.count(""));
}

#[test]
fn registries_are_asked_for_what_indexes_name_and_for_signatures_and_without_an_answer_nothing_is_written() {
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let both = index(&[(&amd64, "linux/amd64"), (&arm64, "linux/arm64")]);
    let hex = Digest::of(&both).as_str()["sha256:".len()..].to_owned();
    let tags = json!({"name": "acme/cms", "tags": ["staging", format!("sha256-{hex}.sig"), format!("sha256-{}.sig", "0".repeat(64))]});
    let served = both.clone();
    let registry = Registry::start(move |asked| {
        let (_, path) = asked.place.split_once(' ').expect("a method and a path");
        match path.strip_prefix("/v2/acme/").unwrap_or(path) {
            "/v2/" => json_reply(200, &json!({})),
            "cms/manifests/staging" => manifest(OCI_INDEX, &served),
            path if path == format!("cms/manifests/{}", Digest::of(&served)) => manifest(OCI_INDEX, &served),
            path if path == format!("cms/manifests/sha256-{hex}.sig") => manifest(OCI_MANIFEST, &image("a signature")),
            path if path.starts_with("cms/tags/list") => json_reply(200, &tags),
            path if path.starts_with("silent/") => Reply::status(503),
            _ => refusal(404, "MANIFEST_UNKNOWN"),
        }
    });
    let sandbox = Sandbox::empty();
    sandbox.write("apps/cms.yaml", release(&registry.name(), "staging"));
    sandbox.write("apps/gone.yaml", release(&registry.name(), "gone").replace("name: cms", "name: gone"));
    let name = registry.name();
    let export = [
        "--timeout",
        "20s",
        "pin",
        "export",
        "--format",
        "gitea-pins",
        "--registry",
        &name,
        "--owner",
        "acme",
        "--out",
        "pins.txt",
        "--online",
    ];
    let ran = sandbox.run(&export).expect(0);
    assert!(ran.stderr.contains(&format!("missing: {name}/acme/cms:gone is not in its registry")), "{}", ran.told());
    let digest = Digest::of(&both);
    let hex = &digest.as_str()["sha256:".len()..];
    let mut wanted = vec![
        "container/cms==gone".to_owned(),
        "container/cms==staging".to_owned(),
        format!("container/cms==sha256-{hex}.sig"),
    ];
    wanted.extend([&amd64, &arm64, &image("a signature")].map(|bytes| format!("container/cms=={}", Digest::of(bytes))));
    wanted.sort();
    assert_eq!(sandbox.read("pins.txt"), wanted.join("\n") + "\n");

    sandbox.write("apps/silent.yaml", release(&name, "1").replace("/acme/cms", "/acme/silent"));
    let before = sandbox.read("pins.txt");
    let ran = sandbox.run(&export).expect(5);
    assert!(ran.stderr.contains("nothing was written") && ran.stderr.contains("/acme/silent:1"), "{}", ran.told());
    assert_eq!(sandbox.read("pins.txt"), before);
}
