//! `pins.yaml`: which bytes the references mean.

use std::collections::BTreeMap;

use crate::{
    config::{
        fault::{Fault, Faults},
        raw::pins as raw,
        values,
    },
    model::{
        digest::Digest,
        name::Name,
        pins::{ArtifactKind, Pin, PinHold, PinName, Pins},
    },
};

/// Media types and what they are the types of. A chart and an image for one platform are manifests of the same type; a
/// chart is told by the type of its config.
const MEDIA_TYPES: [(&str, ArtifactKind); 5] = [
    ("application/vnd.oci.image.index.v1+json", ArtifactKind::ImageIndex),
    ("application/vnd.docker.distribution.manifest.list.v2+json", ArtifactKind::ImageIndex),
    ("application/vnd.cncf.helm.config.v1+json", ArtifactKind::Chart),
    ("application/vnd.oci.image.manifest.v1+json", ArtifactKind::ImageManifest),
    ("application/vnd.docker.distribution.manifest.v2+json", ArtifactKind::ImageManifest),
];

/// Checks what the file means.
pub(super) fn pins(raw: &raw::Pins, cluster: &Name) -> Result<Pins, Vec<Fault>> {
    let mut faults = Faults::default();
    faults.check_name(&raw.metadata, cluster);
    let mut names = BTreeMap::new();
    let mut pins = BTreeMap::new();
    for (index, entry) in raw.spec.pins.iter().enumerate() {
        let at = format!("/spec/pins/{index}");
        if let Some(first) = names.insert(entry.name.as_str(), index) {
            let message = format!("`{}` is pinned already, by entry {}", entry.name.escape_debug(), first + 1);
            faults.add(format!("{at}/name"), message);
        }
        if let Some((name, pin)) = pin(&mut faults, &at, entry) {
            pins.insert(name, pin);
        }
    }
    faults.finish(Some(Pins(pins)))
}

fn pin(faults: &mut Faults, at: &str, raw: &raw::Pin) -> Option<(String, Pin)> {
    let name = faults.take(&format!("{at}/name"), values::name(&raw.name));
    let repository = faults.take(&format!("{at}/reference"), values::repository(&raw.reference));
    let tag = faults.take(&format!("{at}/tag"), values::tag(&raw.tag));
    let digest = faults.take(&format!("{at}/digest"), Digest::parse(&raw.digest));
    let kind = kind(faults, &format!("{at}/mediaType"), raw);
    let platforms = raw.platforms.as_deref().unwrap_or_default();
    let platforms = faults.take_list(&format!("{at}/platforms"), platforms, values::image_platform);
    let first_seen = faults.take_optional(&format!("{at}/firstSeen"), raw.first_seen.as_deref(), values::timestamp);
    let hold = match &raw.hold {
        Some(raw) => hold(faults, &format!("{at}/hold"), raw).map(Some),
        None => Some(None),
    };
    let pin = Pin {
        repository: repository?,
        tag: tag?,
        digest: digest?,
        kind: kind?,
        platforms: platforms?,
        first_seen: first_seen?,
        hold: hold?,
    };
    Some((name?.to_string(), pin))
}

fn kind(faults: &mut Faults, at: &str, raw: &raw::Pin) -> Option<ArtifactKind> {
    let known = MEDIA_TYPES.iter().find(|(media_type, _)| *media_type == raw.media_type);
    let Some(&(_, kind)) = known else {
        let list = MEDIA_TYPES.map(|(media_type, _)| format!("`{media_type}`")).join(", ");
        faults.add(at, format!("`{}` is not a media type of a chart or image: {list}", raw.media_type.escape_debug()));
        return None;
    };
    let needed = PinName::ALL.into_iter().find(|name| name.as_str() == raw.name).map(needed_kind);
    if let Some(needed) = needed.filter(|&needed| needed != kind) {
        let (needed, given) = (describe(needed), describe(kind));
        faults.add(at, format!("`{}` needs the digest of {needed}; this is the digest of {given}", raw.name));
        return None;
    }
    Some(kind)
}

fn needed_kind(name: PinName) -> ArtifactKind {
    match name {
        PinName::Chart => ArtifactKind::Chart,
        PinName::Image | PinName::CleanupHook => ArtifactKind::ImageIndex,
    }
}

fn describe(kind: ArtifactKind) -> &'static str {
    match kind {
        ArtifactKind::Chart => "a chart",
        ArtifactKind::ImageIndex => "an image index",
        ArtifactKind::ImageManifest => "an image for one platform",
    }
}

fn hold(faults: &mut Faults, at: &str, raw: &raw::Hold) -> Option<PinHold> {
    let reason = faults.take(&format!("{at}/reason"), values::words(&raw.reason));
    let until = faults.take_optional(&format!("{at}/until"), raw.until.as_deref(), values::timestamp);
    Some(PinHold { reason: reason?, until: until? })
}
