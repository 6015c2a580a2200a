//! `pin mirror`: a pin may be used through a mirror only when that has the same bytes.

use bobbypin::model::digest::Digest;
use serde_json::{Value, json};

use crate::support::{
    cli::{Ran, Sandbox},
    registry::{Asked, OCI_INDEX, OCI_MANIFEST, Registry, chart, image, index, json_reply, manifest, refusal},
    scripted::Reply,
};

/// What a mirror has; each knob is one thing that may be wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Mirror {
    chart_is_missing: bool,
    image_is_other: bool,
    hook_tag_is_missing: bool,
    arm64_is_missing: bool,
    is_down: bool,
}

fn images(of: &str) -> [Vec<u8>; 3] {
    let (amd64, arm64) = (image(&format!("{of} amd64")), image(&format!("{of} arm64")));
    [index(&[(&amd64, "linux/amd64"), (&arm64, "linux/arm64")]), amd64, arm64]
}

fn answer(mirror: Mirror, asked: &Asked) -> Reply {
    if mirror.is_down {
        return Reply::status(503);
    }
    let (_, path) = asked.place.split_once(' ').expect("a method and a path");
    let Some((name, version)) = path.trim_start_matches("/v2/").split_once("/manifests/") else {
        return json_reply(200, &json!({}));
    };
    let missing = || refusal(404, "MANIFEST_UNKNOWN");
    let serve = |all: &[Vec<u8>], tag: &str, kinds: &[&str]| {
        let by_digest = |bytes: &&(&Vec<u8>, &&str)| version == Digest::of(bytes.0).as_str();
        let all: Vec<_> = all.iter().zip(kinds).collect();
        match all.iter().find(by_digest) {
            Some((bytes, kind)) => manifest(kind, bytes),
            None if version == tag => manifest(kinds[0], all[0].0),
            None => missing(),
        }
    };
    let kinds = [OCI_INDEX, OCI_MANIFEST, OCI_MANIFEST];
    match name {
        "ghcr/lexfrei/charts/ouroboros" if !mirror.chart_is_missing => serve(&[chart("1")], "0.8.1", &[OCI_MANIFEST]),
        "ghcr/lexfrei/ouroboros" if mirror.image_is_other => serve(&images("other"), "0.8.1", &kinds),
        "ghcr/lexfrei/ouroboros" => {
            let mut all = images("proxy");
            if mirror.arm64_is_missing {
                all[2] = image("something else");
            }
            serve(&all, "0.8.1", &kinds)
        }
        "hooks/kubectl" => serve(&images("hook"), if mirror.hook_tag_is_missing { "none" } else { "1.36.1" }, &kinds),
        _ => missing(),
    }
}

/// The worked example with mirrors at a registry of this machine, and what `pin mirror` says.
fn check(mirror: Mirror) -> (Ran, Vec<Value>) {
    let registry = Registry::start(move |asked| answer(mirror, asked));
    let name = registry.name();
    let sandbox = Sandbox::edge();
    let pins = format!(
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {{name: edge}}\nspec:\n  pins:\n  - {{name: cleanup-hook-image, reference: \
         mirror.gcr.io/alpine/kubectl, tag: 1.36.1, digest: \"{}\", mediaType: {OCI_INDEX}, platforms: [linux/amd64, linux/arm64]}}\n  - \
         {{name: ouroboros-chart, reference: ghcr.io/lexfrei/charts/ouroboros, tag: 0.8.1, digest: \"{}\", mediaType: \
         application/vnd.cncf.helm.config.v1+json}}\n  - {{name: ouroboros-image, reference: ghcr.io/lexfrei/ouroboros, tag: 0.8.1, digest: \
         \"{}\", mediaType: {OCI_INDEX}, platforms: [linux/amd64, linux/arm64]}}\n",
        Digest::of(&images("hook")[0]),
        Digest::of(&chart("1")),
        Digest::of(&images("proxy")[0]),
    );
    sandbox.write("clusters/edge/pins.yaml", pins);
    let spec =
        format!("spec:\n  pins: {{mirrors: {{ghcr.io: \"{name}/ghcr\", mirror.gcr.io/alpine: \"{name}/hooks\"}}}}\n");
    sandbox.replace("clusters/edge/cluster.yaml", "spec:\n", &spec);
    sandbox.push("mirrors");
    sandbox.reconcile().expect(0);
    sandbox.pull();
    let ran = sandbox.run(&["--timeout", "20s", "pin", "mirror", "--check", "-o", "json"]);
    let report = ran.json();
    let rows = report["pulled"].as_array().expect("a list").iter();
    let rows = rows.map(|row| {
        json!([
            row["users"],
            row["mirror"].as_str().map(|text| text.replace(&name, "MIRROR").split('@').next().map(str::to_owned)),
            row["state"]
        ])
    });
    (ran.clone(), rows.collect())
}

#[test]
fn chart_image_and_hook_must_be_at_the_mirror_with_the_same_bytes() {
    let users = |pin: &str| {
        json!([
            "HelmRelease/tenant-acme/kubernetes-shop-ouroboros",
            "Kubernetes/tenant-globex/erp",
            "Package/cozystack.ouroboros",
            pin
        ])
    };
    let rows = |states: [&str; 3]| {
        vec![
            json!([["ouroboros-chart"], "MIRROR/ghcr/lexfrei/charts/ouroboros:0.8.1", states[0]]),
            json!([users("ouroboros-image"), "MIRROR/ghcr/lexfrei/ouroboros:0.8.1", states[1]]),
            json!([users("cleanup-hook-image"), "MIRROR/hooks/kubectl:1.36.1", states[2]]),
        ]
    };
    let good = Mirror::default();
    for (mirror, code, states) in [
        (good, 0, ["same"; 3]),
        (Mirror { chart_is_missing: true, ..good }, 1, ["missing", "same", "same"]),
        (Mirror { image_is_other: true, ..good }, 1, ["same", "other", "same"]),
        (Mirror { hook_tag_is_missing: true, ..good }, 1, ["same", "same", "tag-missing"]),
        (Mirror { arm64_is_missing: true, ..good }, 1, ["same", "platform-missing", "same"]),
        (Mirror { is_down: true, ..good }, 5, ["unknown"; 3]),
    ] {
        let (ran, found) = check(mirror);
        assert_eq!((ran.code, found), (Some(code), rows(states)), "{mirror:?}");
    }
}

#[test]
fn a_digest_that_cannot_be_compared_is_not_called_none() {
    let sandbox = Sandbox::edge();
    let spec = "spec:\n  pins: {mirrors: {quay.io: registry.example.org/quay}}\n";
    sandbox.replace("clusters/edge/cluster.yaml", "spec:\n", spec);
    let image = format!("registry.example.org/quay/acme/web:1@sha512:{}", "0".repeat(128));
    sandbox.write(
        "clusters/edge/manifests/web.yaml",
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec: {{containers: [{{name: web, image: '{image}'}}]}}\n"),
    );
    let report = sandbox.run(&["pin", "mirror", "--check", "-o", "json"]).expect(5).json();
    let rows = report["pulled"].as_array().expect("a list").iter();
    let row = rows.filter(|row| row["mirror"] == image.as_str()).collect::<Vec<_>>();
    assert_eq!(
        row.iter().map(|row| (&row["state"], &row["message"])).collect::<Vec<_>>(),
        [(
            &json!("unknown"),
            &json!("it has a digest of sha512, and only those of sha256 can be compared (UnsupportedDigest)")
        )]
    );
}

#[test]
fn without_a_mirror_everything_comes_from_where_it_is_made() {
    let sandbox = Sandbox::edge();
    let ran = sandbox.run(&["pin", "mirror"]).expect(0);
    insta::assert_snapshot!(ran.stdout.replace("sha256:", "sha256:…").lines().map(|line| line.split('…').next().unwrap_or(line)).collect::<Vec<_>>().join("\n"), @"
    · edge: ghcr.io/lexfrei/charts/ouroboros:0.8.1@sha256:
        for: ouroboros-chart
        direct: it has no mirror
    · edge: ghcr.io/lexfrei/ouroboros:0.8.1@sha256:
        for: ouroboros-image
        direct: it has no mirror
    · edge: mirror.gcr.io/alpine/kubectl:1.36.1@sha256:
        for: cleanup-hook-image
        direct: it has no mirror
    ");
    assert!(ran.stderr.contains("no mirror is used"), "{}", ran.told());
}
