//! Every OCI reference has a digest, and a tag: on Gitea a digest lives only as long as a tag points at it.

use serde_json::{Map, Value};

use crate::{
    manifest::{
        validate::{Document, ManifestProblem},
        yaml::pointer_step,
    },
    model::digest::Digest,
};

const HINT: &str = "pin it: `bobbypin pin update` records the digest, and the tag is written `<tag>@sha256:<digest>`";

pub(super) fn check(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    if document.is("source.toolkit.fluxcd.io", "OCIRepository") {
        check_repository(document, problems);
    }
    if !document.is("", "ConfigMap") && !document.is("", "Secret") {
        walk(document, &document.value, "", &mut String::new(), problems);
    }
}

fn check_repository(document: &Document<'_>, problems: &mut Vec<ManifestProblem>) {
    let mut report = |pointer, message: &str| problems.push(document.problem("Pin", pointer, message, HINT));
    let name = document.text("/spec/url").and_then(|url| url.strip_prefix("oci://"));
    if !name
        .is_some_and(|name| !name.is_empty() && name.rsplit('/').next().is_some_and(|last| !last.contains([':', '@'])))
    {
        report("/spec/url", "it is not `oci://` and a repository without a tag");
    }
    if !document.text("/spec/ref/tag").is_some_and(is_tag) {
        report("/spec/ref/tag", "there is no tag");
    }
    if document.text("/spec/ref/digest").is_none_or(|digest| Digest::parse(digest).is_err()) {
        report("/spec/ref/digest", "there is no digest");
    }
}

/// Looks for images among the values of charts and in pods: `image: <reference>`, and maps with `repository` and `tag`
/// as charts have them. In a partial map that is all about an image, a tag alone counts too.
fn walk(document: &Document<'_>, value: &Value, key: &str, pointer: &mut String, problems: &mut Vec<ManifestProblem>) {
    let length = pointer.len();
    match value {
        Value::Object(map) => {
            check_image_map(document, map, key, pointer, problems);
            for (key, value) in map {
                pointer.push_str(&pointer_step(key));
                walk(document, value, key, pointer, problems);
                pointer.truncate(length);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                pointer.push_str(&format!("/{at}"));
                walk(document, value, key, pointer, problems);
                pointer.truncate(length);
            }
        }
        Value::String(reference) if is_image_key(key) => {
            let tag = reference.rsplit_once('/').map_or(reference.as_str(), |(_, last)| last).split_once(':');
            if !tag.is_some_and(|(_, tag)| is_pinned_tag(tag)) {
                let message = format!("`{}` is not pinned by tag and digest", reference.escape_debug());
                problems.push(document.problem("Pin", pointer.as_str(), message, HINT));
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_image_map(
    document: &Document<'_>,
    map: &Map<String, Value>,
    key: &str,
    pointer: &str,
    problems: &mut Vec<ManifestProblem>,
) {
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    let has_repository = text("repository").is_some();
    let is_partial = is_image_key(key) && map.contains_key("tag");
    if !has_repository && !is_partial {
        return;
    }
    let message = match (text("tag"), text("digest")) {
        (Some(tag), _) if is_pinned_tag(tag) => return,
        (Some(tag), Some(digest)) if is_tag(tag) && Digest::parse(digest).is_ok() => return,
        (Some(tag), _) => format!("`{}` is a tag without a digest", tag.escape_debug()),
        (None, _) => "an image has no tag, so its chart would choose one".to_owned(),
    };
    problems.push(document.problem("Pin", format!("{pointer}/tag"), message, HINT));
}

fn is_image_key(key: &str) -> bool {
    key == "image" || key.ends_with("Image")
}

/// `<tag>@sha256:<64 hex digits>`
fn is_pinned_tag(text: &str) -> bool {
    text.split_once('@').is_some_and(|(tag, digest)| is_tag(tag) && Digest::parse(digest).is_ok())
}

/// The grammar of a tag: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}
