//! `pin mirror`: where everything is pulled from, and whether the mirrors have the same bytes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    edge::registry::{PinQuestion, Registries},
    model::{digest::Digest, name::Name, oci::Reference, tree::Tree},
    ops::{
        load::{self, LoadError, Seen},
        pin::{files, whole_file},
        selection::Selection,
    },
    pins::{
        mirror::{MirrorState, at_mirror, at_upstream, not_comparable},
        references::{digest_of, scan},
    },
};

/// One reference that a cluster pulls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The cluster.
    pub cluster: Name,
    /// What needs it: the names of pins and objects, in order.
    pub users: Vec<String>,
    /// Where it comes from in the first place.
    pub upstream: Reference,
    /// Where it is pulled from; `None`: from there, because it has no mirror.
    pub mirror: Option<Reference>,
    /// The platforms that an index must have.
    pub platforms: Vec<String>,
}

/// Everything that the selected clusters pull, by their pins and by their committed manifests.
///
/// # Errors
///
/// [`LoadError`] when files of a cluster are wrong.
pub fn pulled(tree: &Tree, selection: &Selection, now: Timestamp) -> Result<Vec<Pulled>, LoadError> {
    let mut all = Vec::new();
    for cluster in load::clusters(tree, selection, Seen::Files(&[]), now)? {
        let mirrors = &cluster.config.pins.mirrors;
        let mut found: BTreeMap<(Reference, Option<Reference>), (Vec<String>, Vec<String>)> = BTreeMap::new();
        for (name, pin) in &cluster.pins.0 {
            let text = format!("{}:{}@{}", pin.repository, pin.tag, pin.digest);
            let upstream = Reference::parse(&text).map_err(|error| {
                let path = cluster.folder.join("pins.yaml");
                let problem = whole_file(path.as_str(), &format!("spec.pins.{name}"), &error.to_string());
                LoadError::Problems(vec![problem])
            })?;
            let mirror = at_mirror(&upstream, mirrors);
            let entry = found.entry((upstream, mirror)).or_default();
            entry.0.push(name.clone());
            entry.1.extend(pin.platforms.iter().cloned());
        }
        let manifests = format!("{}/manifests/", cluster.folder);
        let mut files = files(tree, selection).map_err(LoadError::Problems)?;
        files.retain(|file| file.path.starts_with(&manifests));
        for named in scan(&files).map_err(LoadError::Problems)?.found {
            let key = match at_upstream(&named.reference, mirrors) {
                Some(upstream) => (upstream, Some(named.reference)),
                None => (named.reference, None),
            };
            found.entry(key).or_default().0.push(named.user.to_string());
        }
        for ((upstream, mirror), (mut users, mut platforms)) in found {
            users.sort();
            users.dedup();
            platforms.sort();
            platforms.dedup();
            all.push(Pulled { cluster: cluster.config.name.clone(), users, upstream, mirror, platforms });
        }
    }
    Ok(all)
}

/// Asks the mirrors. The answers are in the order of what is pulled; `None` for what has no mirror, or no digest.
pub fn check(pulled: &[Pulled], registries: &Registries) -> Vec<Option<MirrorState>> {
    let at_mirrors: Vec<Option<(&Reference, Digest, &[String])>> = pulled
        .iter()
        .map(|one| {
            let mirror = one.mirror.as_ref()?;
            Some((mirror, digest_of(mirror)?, one.platforms.as_slice()))
        })
        .collect();
    let questions: Vec<_> = at_mirrors
        .iter()
        .flatten()
        .map(|(mirror, digest, platforms)| PinQuestion {
            repository: &mirror.repository,
            tag: mirror.tag.as_deref().unwrap_or(digest.as_str()),
            digest,
            platforms,
        })
        .collect();
    let mut answers = registries.pins_seen(&questions).into_iter();
    let states = pulled.iter().zip(&at_mirrors).map(|(one, asked)| match asked {
        Some((_, digest, _)) => {
            Some(MirrorState::of(digest, &answers.next().expect("there is an answer for every question")))
        }
        None => one.mirror.as_ref()?.digest.as_deref().map(not_comparable),
    });
    states.collect()
}
