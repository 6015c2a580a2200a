//! Looks whether the registries still have what is pinned.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    edge::registry::{PinQuestion, Registries},
    model::{
        digest::Digest,
        finding::Finding,
        name::Name,
        pins::{ArtifactKind, Pin, PinName},
        tree::Tree,
    },
    ops::{
        pin::{PinError, clusters, repositories},
        selection::Selection,
    },
    pins::{
        judge::{Asked, Judgement, PinState, judge, unpinned},
        mirror::mirrored,
        seen::{PinSeen, not_a_repository},
    },
    plan::pin_findings,
};

/// Where a pin was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Where the manifests say that it is pulled from.
    Pulled,
    /// Where the mirror has it from.
    Origin,
}

/// How one pin stands in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The cluster.
    pub cluster: Name,
    /// The name of the pin.
    pub name: String,
    /// Repository and tag; nothing for what is not pinned.
    pub reference: Option<String>,
    /// The pinned digest.
    pub digest: Option<Digest>,
    /// Where it was looked for.
    pub place: Place,
    /// How it stands.
    pub judgement: Judgement,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// By cluster, pin and place.
    pub rows: Vec<Row>,
    /// What `pins.yaml` itself shows, by cluster.
    pub findings: Vec<(Name, Finding)>,
}

impl Verified {
    /// Whether something is proved to be wrong.
    pub fn is_wrong(&self) -> bool {
        self.rows.iter().any(|row| !matches!(row.judgement.state, PinState::Ok | PinState::Unknown))
    }

    /// Whether something could not be told. What is pulled from a mirror that is known to have it needs nothing of its
    /// origin, which may be out of reach for ever.
    pub fn is_unknown(&self) -> bool {
        let counts = |row: &&Row| row.place == Place::Pulled;
        self.rows.iter().filter(counts).any(|row| row.judgement.state == PinState::Unknown)
    }
}

/// Looks for every pin of the selected clusters where it is pulled from, and where a mirror has it from. Nothing is written.
///
/// # Errors
///
/// [`PinError::Load`]. What a registry does not say is no error: see [`PinState::Unknown`].
pub fn verify(
    tree: &Tree,
    registries: &Registries,
    selected: &Selection,
    now: Timestamp,
) -> Result<Verified, PinError> {
    let clusters = clusters(tree, selected, now)?;
    let mut wanted = Vec::new();
    let mut findings = Vec::new();
    for cluster in &clusters {
        let policy = &cluster.config.pins;
        let found = pin_findings(&cluster.pins, policy, now);
        findings.extend(found.into_iter().map(|finding| (cluster.config.name.clone(), finding)));
        for (name, pin) in &cluster.pins.0 {
            let pulled = mirrored(&pin.repository, &policy.mirrors);
            let origin = (pulled != pin.repository).then(|| (Place::Origin, pin.repository.clone()));
            for (place, repository) in std::iter::once((Place::Pulled, pulled)).chain(origin) {
                wanted.push(Wanted {
                    cluster: &cluster.config.name,
                    name,
                    pin,
                    place,
                    repository,
                    platforms: &policy.platforms,
                });
            }
        }
    }
    let seen = ask(registries, &wanted);
    let mut rows: Vec<_> = wanted.iter().map(|wanted| wanted.row(&seen)).collect();
    for cluster in &clusters {
        let missing = PinName::ALL.into_iter().filter(|name| cluster.pins.get(*name).is_none());
        rows.extend(missing.map(|name| Row {
            cluster: cluster.config.name.clone(),
            name: name.as_str().to_owned(),
            reference: None,
            digest: None,
            place: Place::Pulled,
            judgement: unpinned(name.as_str()),
        }));
    }
    rows.sort_by(|a, b| (&a.cluster, &a.name, a.place).cmp(&(&b.cluster, &b.name, b.place)));
    Ok(Verified { rows, findings })
}

/// One pin in one place.
struct Wanted<'a> {
    cluster: &'a Name,
    name: &'a str,
    pin: &'a Pin,
    place: Place,
    repository: String,
    platforms: &'a [String],
}

/// What makes two questions one: repository, tag and digest.
type Key<'a> = (&'a str, &'a str, &'a Digest);

impl Wanted<'_> {
    fn key(&self) -> Key<'_> {
        (&self.repository, &self.pin.tag, &self.pin.digest)
    }

    /// A name that the program does not use may be of any kind.
    fn kind(&self) -> ArtifactKind {
        PinName::of(self.name).map_or_else(|| self.pin.kind(), PinName::kind)
    }

    fn row(&self, seen: &BTreeMap<Key<'_>, PinSeen>) -> Row {
        let asked = Asked {
            name: self.name,
            repository: &self.repository,
            tag: &self.pin.tag,
            digest: &self.pin.digest,
            kind: self.kind(),
            platforms: self.platforms,
        };
        Row {
            cluster: self.cluster.clone(),
            name: self.name.to_owned(),
            reference: Some(format!("{}:{}", self.repository, self.pin.tag)),
            digest: Some(self.pin.digest.clone()),
            place: self.place,
            judgement: judge(&asked, seen.get(&self.key()).expect("everything was asked for")),
        }
    }
}

fn ask<'a>(registries: &Registries, wanted: &'a [Wanted<'_>]) -> BTreeMap<Key<'a>, PinSeen> {
    let mut merged: BTreeMap<Key<'a>, BTreeSet<&String>> = BTreeMap::new();
    for wanted in wanted {
        let is_index = wanted.kind() == ArtifactKind::ImageIndex;
        let platforms = wanted.platforms.iter().filter(|_| is_index);
        merged.entry(wanted.key()).or_default().extend(platforms);
    }
    let repositories = repositories(merged.keys().map(|(repository, ..)| *repository));
    let asked: Vec<(Key<'a>, Vec<String>)> =
        merged.into_iter().map(|(key, platforms)| (key, platforms.into_iter().cloned().collect())).collect();
    let (mut keys, mut questions) = (Vec::new(), Vec::new());
    let mut seen = BTreeMap::new();
    for (key, platforms) in &asked {
        let (written, tag, digest) = *key;
        match repositories.get(written) {
            Some(repository) => {
                keys.push(*key);
                questions.push(PinQuestion { repository, tag, digest, platforms });
            }
            None => {
                let (by_digest, by_tag) = (not_a_repository(written), not_a_repository(written));
                seen.insert(*key, PinSeen { by_digest, by_tag, children: Vec::new() });
            }
        }
    }
    seen.extend(keys.into_iter().zip(registries.pins_seen(&questions)));
    seen
}
