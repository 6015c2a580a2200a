//! References that take several objects to say: charts of repositories, artifacts, the tags that policies select, and pins.

use crate::{
    model::oci::Reference,
    pins::{
        marked::Node,
        references::{
            Found, Open, Read, ReferenceKind, Scan, Usage, User, Why, compose, has_variables,
            objects::{Index, Object},
            walk::with_a_tag,
        },
    },
};

const SOURCE: &str = "source.toolkit.fluxcd.io";
const HELM: &str = "helm.toolkit.fluxcd.io";
const IMAGE: &str = "image.toolkit.fluxcd.io";

/// Adds what the objects of Flux say together.
pub(super) fn resolve(objects: &[Object<'_>], index: &Index<'_, '_>, scan: &mut Scan) {
    for object in objects {
        if object.is(SOURCE, "OCIRepository") {
            artifact(index, object, scan);
        } else if object.is(HELM, "HelmRelease") {
            for template in [&["spec", "chart", "spec"][..], &["spec", "chart"]] {
                if let Some(spec) = object.node.follow(template).filter(|spec| spec.get("chart").is_some()) {
                    chart(index, object, spec, scan);
                }
            }
        } else if object.is(SOURCE, "HelmChart")
            && let Some(spec) = object.node.get("spec")
        {
            chart(index, object, spec, scan);
        } else if object.is(IMAGE, "ImagePolicy") {
            policy(index, object, scan);
        } else if object.is("bobbypin.dev", "Pins") {
            pins(object, scan);
        }
    }
}

/// An `OCIRepository`, and the releases whose chart it is.
fn artifact(index: &Index<'_, '_>, object: &Object<'_>, scan: &mut Scan) {
    let Some((spec, id)) = object.node.get("spec").zip(object.id()) else { return };
    let Some(url) = spec.get("url") else { return };
    let place = object.place(url.at, "spec.url");
    let repository = url.text().unwrap_or_default();
    let repository = repository.strip_prefix("oci://").unwrap_or(repository).trim_end_matches('/');
    let part = |key: &str| spec.text_at(&["ref", key]).filter(|text| !text.is_empty());
    let revision = object.node.text_at(&["status", "artifact", "revision"]);
    let (tag, digest) = match (part("tag"), part("digest"), part("semver")) {
        // The digest goes before all else, and a range before a tag.
        (tag, Some(digest), _) => (tag.map(str::to_owned), Some(digest)),
        (_, None, Some(range)) if is_exact(range) => (Some(range.to_owned()), None),
        (_, None, Some(_)) => match revision.and_then(|revision| revision.split_once('@')) {
            Some((tag, digest)) => (Some(tag.to_owned()), Some(digest)),
            None => return scan.open.push(Open { user: object.user.clone(), place, why: Why::Range }),
        },
        (tag, None, None) => (tag.map(str::to_owned), None),
    };
    let users = index.chart_users(id);
    let media_type = spec.text_at(&["layerSelector", "mediaType"]).unwrap_or_default();
    let kind = match users.is_empty() && !media_type.contains("helm.chart") {
        true => ReferenceKind::Artifact,
        false => ReferenceKind::Chart,
    };
    let read = compose(repository, tag.as_deref(), digest);
    for user in std::iter::once(object).chain(users.iter().copied()) {
        add(scan, kind, user, place.clone(), &read);
    }
}

/// The chart of a release that names a repository and a version.
fn chart(index: &Index<'_, '_>, object: &Object<'_>, spec: &Node, scan: &mut Scan) {
    let (Some(name), Some(source)) = (spec.get("chart"), spec.get("sourceRef")) else { return };
    if source.text_at(&["kind"]) != Some("HelmRepository") {
        return;
    }
    let place = object.place(name.at, "spec.chart");
    let mut open = |why| scan.open.push(Open { user: object.user.clone(), place: place.clone(), why });
    let Some(repository) = index.find(object, SOURCE, "HelmRepository", source) else { return open(Why::NoSource) };
    let url = repository.node.text_at(&["spec", "url"]).unwrap_or_default();
    let Some(url) = url.strip_prefix("oci://") else {
        // A chart that is no artifact of a registry.
        if has_variables(url) {
            open(Why::Variables);
        }
        return;
    };
    let version = spec.text_at(&["version"]).unwrap_or("*");
    if has_variables(version) {
        return open(Why::Variables);
    }
    if !is_exact(version) {
        return open(Why::Range);
    }
    // A tag cannot have a `+`; Helm writes `_` in its place.
    let tag = version.replace('+', "_");
    let read = compose(&format!("{}/{}", url.trim_end_matches('/'), name.text().unwrap_or_default()), Some(&tag), None);
    add(scan, ReferenceKind::Chart, object, place, &read);
}

/// The tag that a policy selects, for itself and for whatever has its marker.
fn policy(index: &Index<'_, '_>, object: &Object<'_>, scan: &mut Scan) {
    let Some((spec, id)) = object.node.get("spec").zip(object.id()) else { return };
    let place = object.place(spec.at, "spec");
    let marked = index.marked(id);
    let repository = spec.get("imageRepositoryRef").and_then(|to| index.find(object, IMAGE, "ImageRepository", to));
    let image = repository.and_then(|repository| repository.node.text_at(&["spec", "image"]));
    let status = |key: &str| object.node.text_at(&["status", "latestRef", key]);
    let read = match (status("name"), object.node.text_at(&["status", "latestImage"]), image, selected(spec)) {
        (Some(name), ..) => compose(name, status("tag"), status("digest")),
        (None, Some(latest), ..) => compose(latest, None, None),
        (None, None, Some(image), Some(tag)) => compose(image, Some(&tag), None),
        (None, None, None, Some(_)) => Read::Open(Why::NoSource),
        // What it selected last stands at its markers, and is found there.
        (None, None, _, None) if !marked.is_empty() => return,
        (None, None, _, None) => Read::Open(Why::Policy),
    };
    let usage = Usage::Selected;
    push(scan, ReferenceKind::Image, object.user.clone(), usage, place.clone(), &read);
    if let Read::Reference(_) = read {
        for other in marked {
            push(scan, ReferenceKind::Image, other.user.clone(), other.usage.clone(), place.clone(), &read);
        }
    }
}

/// The only tag that a policy can select, when its filter leaves one.
fn selected(spec: &Node) -> Option<String> {
    if let Some(pattern) = spec.text_at(&["filterTags", "pattern"])
        && let Some(inner) = pattern.strip_prefix('^').and_then(|pattern| pattern.strip_suffix('$'))
    {
        let literal = inner.replace("\\.", "\u{0}").replace("\\-", "-");
        let is_literal = literal.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '\u{0}'));
        return (is_literal && !literal.is_empty()).then(|| literal.replace('\u{0}', "."));
    }
    spec.text_at(&["policy", "semver", "range"]).filter(|range| is_exact(range)).map(str::to_owned)
}

/// The pins of a `pins.yaml`.
fn pins(object: &Object<'_>, scan: &mut Scan) {
    for pin in object.node.follow(&["spec", "pins"]).map_or(&[][..], Node::items) {
        let Some(repository) = pin.text_at(&["reference"]) else { continue };
        let kind = match pin.text_at(&["mediaType"]).is_some_and(|media_type| media_type.contains("helm.config")) {
            true => ReferenceKind::Chart,
            false => ReferenceKind::Image,
        };
        let key = format!("spec.pins.{}", pin.text_at(&["name"]).unwrap_or_default());
        for (node, usage) in [(Some(pin), Usage::Pinned), (pin.get("candidate"), Usage::Candidate)] {
            let Some(node) = node.filter(|node| node.get("tag").is_some() || node.get("digest").is_some()) else {
                continue;
            };
            let read = compose(repository, node.text_at(&["tag"]), node.text_at(&["digest"]));
            push(scan, kind, object.user.clone(), usage, object.place(node.at, &key), &read);
        }
    }
}

fn add(scan: &mut Scan, kind: ReferenceKind, object: &Object<'_>, place: super::Place, read: &Read) {
    push(scan, kind, object.user.clone(), object.usage.clone(), place, read);
}

fn push(scan: &mut Scan, kind: ReferenceKind, user: User, usage: Usage, place: super::Place, read: &Read) {
    match read {
        Read::Reference(reference) => {
            let reference: Reference = with_a_tag(reference.clone());
            scan.found.push(Found { reference, kind, user, usage, place });
        }
        Read::Open(why) => scan.open.push(Open { user, place, why: *why }),
        Read::Other => (),
    }
}

/// Whether a version is one and not a range: three numbers, and what may follow them.
fn is_exact(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let core = core.strip_prefix('v').unwrap_or(core);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    core.split('.').count() == 3
        && core.split('.').all(is_number)
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}
