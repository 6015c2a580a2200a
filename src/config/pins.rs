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
        pins::{Candidate, MediaType, Pin, PinHold, PinName, Pins},
    },
};

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
    let media_type = media_type(faults, &format!("{at}/mediaType"), &raw.name, &raw.media_type);
    let platforms = raw.platforms.as_deref().unwrap_or_default();
    let platforms = faults.take_list(&format!("{at}/platforms"), platforms, values::image_platform);
    let first_seen = faults.take_optional(&format!("{at}/firstSeen"), raw.first_seen.as_deref(), values::timestamp);
    let signature = raw.verified.as_ref().and_then(|verified| verified.signature.as_deref());
    let signature = faults.take_optional(&format!("{at}/verified/signature"), signature, values::words);
    let hold = match &raw.hold {
        Some(raw) => hold(faults, &format!("{at}/hold"), raw).map(Some),
        None => Some(None),
    };
    let candidate = match &raw.candidate {
        Some(candidate) => self::candidate(faults, &format!("{at}/candidate"), &raw.name, candidate).map(Some),
        None => Some(None),
    };
    let pin = Pin {
        repository: repository?,
        tag: tag?,
        digest: digest?,
        media_type: media_type?,
        platforms: platforms?,
        first_seen: first_seen?,
        signature: signature?,
        hold: hold?,
        candidate: candidate?,
    };
    Some((name?.to_string(), pin))
}

fn candidate(faults: &mut Faults, at: &str, name: &str, raw: &raw::Candidate) -> Option<Candidate> {
    let tag = faults.take(&format!("{at}/tag"), values::tag(&raw.tag));
    let digest = faults.take(&format!("{at}/digest"), Digest::parse(&raw.digest));
    let media_type = media_type(faults, &format!("{at}/mediaType"), name, &raw.media_type);
    let platforms = raw.platforms.as_deref().unwrap_or_default();
    let platforms = faults.take_list(&format!("{at}/platforms"), platforms, values::image_platform);
    let first_seen = faults.take(&format!("{at}/firstSeen"), values::timestamp(&raw.first_seen));
    Some(Candidate {
        tag: tag?,
        digest: digest?,
        media_type: media_type?,
        platforms: platforms?,
        first_seen: first_seen?,
    })
}

fn media_type(faults: &mut Faults, at: &str, name: &str, text: &str) -> Option<MediaType> {
    let Some(media_type) = MediaType::of(text) else {
        let list = MediaType::ALL.map(|media_type| format!("`{}`", media_type.as_str())).join(", ");
        faults.add(at, format!("`{}` is not a media type of a chart or image: {list}", text.escape_debug()));
        return None;
    };
    let given = media_type.kind();
    if let Some(needed) = PinName::of(name).map(PinName::kind).filter(|&needed| needed != given) {
        let (needed, given) = (needed.with_article(), given.with_article());
        faults.add(at, format!("`{name}` needs the digest of {needed}; this is the digest of {given}"));
        return None;
    }
    Some(media_type)
}

fn hold(faults: &mut Faults, at: &str, raw: &raw::Hold) -> Option<PinHold> {
    let reason = faults.take(&format!("{at}/reason"), values::words(&raw.reason));
    let until = faults.take_optional(&format!("{at}/until"), raw.until.as_deref(), values::timestamp);
    Some(PinHold { reason: reason?, until: until? })
}
