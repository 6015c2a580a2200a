use serde_json::{Value, json};

use super::*;

const OCI_IMAGE: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.container.image.v1+json";

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

fn descriptor(media_type: &str, of: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(of), "size": 7})
}

fn manifest(media_type: &str, config: &str) -> Value {
    json!({
        "schemaVersion": 2, "mediaType": media_type, "config": descriptor(config, "config"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer")], "annotations": {"a": "b"},
    })
}

fn index(media_type: &str, platforms: &[Value]) -> Value {
    let child = |platform: &Value| {
        let mut child = descriptor(OCI_MANIFEST, &platform.to_string());
        child["platform"] = platform.clone();
        child
    };
    let manifests: Vec<_> = platforms.iter().map(child).collect();
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests})
}

fn read(value: &Value, content_type: &str) -> Result<Artifact, ArtifactError> {
    Artifact::read(value.to_string().as_bytes(), content_type)
}

#[test]
fn what_a_manifest_is_of_is_told_by_its_media_type_and_that_of_its_config() {
    for (media_type, config, kind, shown) in [
        (OCI_MANIFEST, CHART_CONFIG, ArtifactKind::Chart, CHART_CONFIG),
        (OCI_MANIFEST, OCI_IMAGE, ArtifactKind::ImageManifest, OCI_MANIFEST),
        (DOCKER_MANIFEST, DOCKER_IMAGE, ArtifactKind::ImageManifest, DOCKER_MANIFEST),
    ] {
        let value = manifest(media_type, config);
        let found = Artifact {
            digest: Digest::of(value.to_string().as_bytes()),
            kind,
            media_type: shown.to_owned(),
            children: Vec::new(),
            layers: vec![Descriptor {
                media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
                digest: digest("layer"),
                size: 7,
            }],
        };
        assert_eq!(read(&value, media_type), Ok(found), "{media_type} {config}");
    }
}

#[test]
fn an_index_has_its_children_in_order_and_an_attestation_runs_nowhere() {
    let platforms = [
        json!({"os": "linux", "architecture": "amd64"}),
        json!({"os": "linux", "architecture": "arm", "variant": "v7"}),
        json!({"os": "linux", "architecture": "arm64", "variant": ""}),
        json!({"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}),
        json!({"os": "unknown", "architecture": "unknown"}),
        Value::Null,
    ];
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let value = index(media_type, &platforms);
        let found = read(&value, media_type).unwrap();
        assert_eq!((found.kind, found.media_type.as_str()), (ArtifactKind::ImageIndex, media_type));
        assert_eq!(found.layers, Vec::new());
        let shown = found.children.iter().map(|child| child.platform.as_deref());
        assert_eq!(
            shown.collect::<Vec<_>>(),
            vec![Some("linux/amd64"), Some("linux/arm/v7"), Some("linux/arm64"), Some("windows/amd64"), None, None]
        );
        let digests = found.children.iter().map(|child| child.digest.clone());
        assert_eq!(digests.collect::<Vec<_>>(), platforms.each_ref().map(|platform| digest(&platform.to_string())));
    }
}

#[test]
fn where_one_of_the_two_says_nothing_the_other_counts() {
    let mut silent = manifest(OCI_MANIFEST, OCI_IMAGE);
    silent.as_object_mut().unwrap().remove("mediaType");
    for (value, content_type) in [
        (&manifest(OCI_MANIFEST, OCI_IMAGE), ""),
        (&silent, OCI_MANIFEST),
        (&silent, "application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
    ] {
        assert_eq!(read(value, content_type).map(|found| found.kind), Ok(ArtifactKind::ImageManifest));
    }
    let problem = "neither it nor the registry says of which media type it is";
    assert_eq!(read(&silent, ""), Err(malformed(problem)));
}

#[test]
fn what_is_wrong_is_said() {
    let image = manifest(OCI_MANIFEST, OCI_IMAGE);
    let with = |key: &str, value: Value| {
        let mut changed = image.clone();
        changed[key] = value;
        changed.to_string()
    };
    let long = "x".repeat(500);
    let nested = json!({"schemaVersion": 2, "manifests": [descriptor(OCI_INDEX, "a")]}).to_string();
    for (text, content_type, problem) in [
        (
            with("schemaVersion", json!(1)),
            OCI_MANIFEST,
            "its form is schema 1, which no digest protects; push the image again",
        ),
        (with("schemaVersion", Value::Null), OCI_MANIFEST, "its `schemaVersion` is not 2"),
        (
            image.to_string(),
            OCI_INDEX,
            "it calls itself `application/vnd.oci.image.manifest.v1+json`, and the registry calls it `application/vnd.oci.image.index.v1+json`",
        ),
        (with("mediaType", json!("a\nb")), "", "its media type is `a\\nb`"),
        (with("mediaType", json!(long)), "", "its media type is `too long to be repeated`"),
        (with("config", Value::Null), OCI_MANIFEST, "it has no `config`"),
        (with("layers", Value::Null), OCI_MANIFEST, "it has no `layers`"),
        (with("manifests", json!([])), OCI_MANIFEST, "it is no index and has `manifests` all the same"),
        (with("mediaType", json!(OCI_INDEX)), OCI_INDEX, "it is an index and has a `config` or `layers` all the same"),
        (json!({"schemaVersion": 2}).to_string(), OCI_INDEX, "it is an index without `manifests`"),
        (nested, OCI_INDEX, "it is an index of indexes"),
        (with("Config", json!({})), OCI_MANIFEST, "the key `config` is written otherwise, or twice"),
        ("{\"layers\":[],\"layers\":[]}".to_owned(), "", "the key `layers` is written otherwise, or twice"),
        ("[]".to_owned(), "", "invalid type: sequence, expected an object at line 1 column 0"),
        ("{} x".to_owned(), "", "trailing characters at line 1 column 4"),
    ] {
        assert_eq!(Artifact::read(text.as_bytes(), content_type), Err(malformed(problem)), "{text}");
    }
    let other = manifest(OCI_MANIFEST, "application/vnd.example\n");
    let error = read(&other, "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is a manifest of the kind `application/vnd.example\\n`, which is neither a chart nor an image"
    );
}

#[test]
fn platforms_with_several_names_are_the_same() {
    let is_for =
        |own: &str, platform: &str| Child { digest: digest(""), platform: Some(own.to_owned()) }.is_for(platform);
    for (own, platform, is_it) in [
        ("linux/amd64", "linux/amd64", true),
        ("linux/x86_64", "linux/amd64", true),
        ("linux/amd64", "linux/arm64", false),
        ("windows/amd64", "linux/amd64", false),
        ("linux/amd64/v2", "linux/amd64", false),
        ("linux/amd64/v1", "linux/amd64", true),
        ("linux/arm64/v8", "linux/arm64", true),
        ("linux/arm64", "linux/arm64/v8", true),
        ("linux/aarch64", "linux/arm64", true),
        ("linux/arm64/v9", "linux/arm64", false),
        ("linux/arm", "linux/arm/v7", true),
        ("linux/armhf", "linux/arm", true),
        ("linux/arm/v6", "linux/arm", false),
        ("linux/i386", "linux/386", true),
        ("Linux/AMD64", "linux/amd64", true),
        ("linux", "linux/amd64", false),
    ] {
        assert_eq!(is_for(own, platform), is_it, "{own} for {platform}");
    }
    assert!(!Child { digest: digest(""), platform: None }.is_for("unknown/unknown"));
}

#[test]
fn what_refers_to_a_manifest_may_be_of_any_kind() {
    let signature = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let value = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(signature, "a")]});
    let found = Descriptor { media_type: signature.to_owned(), digest: digest("a"), size: 7 };
    assert_eq!(read_referrers(value.to_string().as_bytes()), Ok(vec![found]));
    assert_eq!(read_referrers(b"{}"), Err(malformed("it is an index without `manifests`")));
}
