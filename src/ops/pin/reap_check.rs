//! `pin reap-check`: what a cleaner would delete, and what that breaks.

use crate::{
    config::problem::{Problem, Source},
    model::tree::Tree,
    ops::{
        load::LoadError,
        pin::{not_text, references},
        selection::Selection,
    },
    pins::{
        keep::gitea,
        reap::{Cleaner, Reaped, reaped},
        references::{File, Found, Open, scan},
    },
};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The clusters whose files count; files of no cluster always do.
    pub clusters: Selection,
    /// The only registry that is cleaned; `None`: all.
    pub registry: Option<String>,
    /// What runs, as `kubectl get … -o yaml` prints it; empty: the images of what the files do not suspend or scale
    /// to zero.
    pub live: Vec<Source>,
    /// The cleaner's own list.
    pub pins_file: Option<Source>,
    /// The owner whose packages the list is about; `None`: any.
    pub owner: Option<String>,
}

/// What a cleaner would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it would delete, in order.
    pub reaped: Vec<Reaped>,
    /// What is named so that it cannot be told whether it would be deleted.
    pub open: Vec<Open>,
    /// How many references the files name.
    pub known: usize,
}

/// Compares what the files name with what a cleaner sees.
///
/// # Errors
///
/// [`LoadError::Problems`] for every file that cannot be read, and [`LoadError::UnknownCluster`].
pub fn reap_check(tree: &Tree, request: &Request) -> Result<Answer, LoadError> {
    let scanned = references(tree, &request.clusters)?;
    let live = request.live.iter().map(live).collect::<Result<Vec<_>, _>>().map_err(LoadError::Problems)?.concat();
    let kept = match &request.pins_file {
        Some(source) => {
            let lines = text(source).and_then(|text| gitea::parse(&source.path, text));
            lines.map_err(LoadError::Problems)?
        }
        None => Vec::new(),
    };
    let cleaner = Cleaner {
        registry: request.registry.as_deref(),
        live: (!request.live.is_empty()).then_some(live.as_slice()),
        kept: &kept,
        owner: request.owner.as_deref(),
    };
    let mut known: Vec<_> = scanned.found.iter().map(|found| &found.reference).collect();
    known.sort();
    known.dedup();
    Ok(Answer { reaped: reaped(&scanned.found, &cleaner), known: known.len(), open: scanned.open })
}

fn live(source: &Source) -> Result<Vec<Found>, Vec<Problem>> {
    Ok(scan(&[File { path: &source.path, text: text(source)? }])?.found)
}

fn text(source: &Source) -> Result<&str, Vec<Problem>> {
    str::from_utf8(&source.bytes).map_err(|_| vec![not_text(&source.path)])
}
