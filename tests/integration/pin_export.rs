//! `pin export`: lists of what must be kept, for cleaners and for programs that copy.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests run programs on files")]

use std::{fs, process::Command};

use bobbypin::model::digest::Digest;
use serde_json::json;

use crate::{
    docs::{fences, project},
    support::{
        cli::{PROGRAM, Sandbox, finish},
        registry::{OCI_INDEX, OCI_MANIFEST, Registry, Reply, image, index, json_reply, manifest, refusal},
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
    assert!(ran.stderr.contains(&format!("gone: {name}/acme/cms:gone is not in its registry")), "{}", ran.told());
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
