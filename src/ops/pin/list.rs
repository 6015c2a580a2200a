//! Shows what is pinned.

use jiff::Timestamp;

use crate::{
    model::{
        cluster::PinPolicy,
        finding::Finding,
        name::Name,
        pins::{Pin, PinName},
        tree::Tree,
    },
    ops::{
        pin::{PinError, clusters},
        selection::Selection,
    },
    pins::mirror::mirrored,
    plan::pin_findings,
};

/// The pins of one cluster.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The cluster.
    pub cluster: Name,
    /// In order of their names.
    pub pins: Vec<ListedPin>,
    /// What is to be known about them.
    pub findings: Vec<Finding>,
}

/// One pin.
#[derive(Clone, Debug)]
pub struct ListedPin {
    /// Its name.
    pub name: String,
    /// What it is for; `None`: this program does not use it.
    pub purpose: Option<PinName>,
    /// The pin; `None`: it is needed, and there is none.
    pub pin: Option<Pin>,
    /// Where it is pulled from, when that is a mirror.
    pub mirror: Option<String>,
    /// From when on it is used, when that is not yet.
    pub usable: Option<Timestamp>,
}

/// Lists the pins of the selected clusters. Nobody is asked.
///
/// # Errors
///
/// [`PinError::Load`].
pub fn list(tree: &Tree, selected: &Selection, now: Timestamp) -> Result<Vec<Listed>, PinError> {
    let clusters = clusters(tree, selected, now)?;
    let listed = clusters.into_iter().map(|cluster| {
        let policy = &cluster.config.pins;
        let findings = pin_findings(&cluster.pins, policy, now);
        let missing = PinName::ALL.into_iter().filter(|name| cluster.pins.get(*name).is_none());
        let missing = missing.map(|purpose| ListedPin {
            name: purpose.as_str().to_owned(),
            purpose: Some(purpose),
            pin: None,
            mirror: None,
            usable: None,
        });
        let there = cluster.pins.0.iter().map(|(name, pin)| listed_pin(name, pin, policy, now));
        let mut pins: Vec<_> = missing.chain(there).collect();
        pins.sort_by(|a, b| a.name.cmp(&b.name));
        Listed { cluster: cluster.config.name.clone(), pins, findings }
    });
    Ok(listed.collect())
}

fn listed_pin(name: &str, pin: &Pin, policy: &PinPolicy, now: Timestamp) -> ListedPin {
    let mirror = mirrored(&pin.repository, &policy.mirrors);
    let usable = pin.first_seen.and_then(|seen| seen.checked_add(policy.min_age).ok());
    ListedPin {
        name: name.to_owned(),
        purpose: PinName::of(name),
        mirror: (mirror != pin.repository).then_some(mirror),
        usable: usable.filter(|usable| *usable > now),
        pin: Some(pin.clone()),
    }
}
