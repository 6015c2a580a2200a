//! `pin export`: everything that must stay in the registries.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::problem::Problem,
    edge::{
        git::{GitError, Repository, Wanted},
        registry::{PinQuestion, Registries, TagQuestion, names_nothing},
    },
    model::{
        digest::Digest,
        observed::Observed,
        oci::{Reference, Repository as OciRepository},
        tree::Tree,
    },
    ops::{
        load::LoadError,
        pin::{files, references},
        selection::Selection,
    },
    pins::{
        artifact::Child,
        keep::{Because, Keep},
        references::{Open, digest_of, scan},
        seen::TagSeen,
    },
};

/// The most manifests of one index that are kept, each of which takes questions of its own.
const MOST_CHILDREN: usize = 256;

/// The most manifests that refer to one digest and are kept.
const MOST_REFERRERS: usize = 1024;

/// What is to be kept, and what nobody knows about that.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What is to be kept.
    pub keep: Keep,
    /// What is named so that it cannot be told what is meant.
    pub open: Vec<Open>,
    /// How many earlier commits were read.
    pub commits: usize,
    /// What could not be read in earlier commits.
    pub unread: Vec<Problem>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The files of the tree are not as they must be.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Finds what the files of a tree name, and what those of up to `revisions` earlier commits of its base did.
///
/// # Errors
///
/// [`ExportError::Load`] for the files of the tree itself; one of an earlier commit is passed over and told.
/// [`ExportError::Git`] when an earlier commit cannot be read.
pub fn keep(
    repository: &Repository,
    tree: &Tree,
    selection: &Selection,
    revisions: usize,
) -> Result<Kept, ExportError> {
    let now = references(tree, selection)?;
    let mut kept = Kept { keep: Keep::of(&now), open: now.open, commits: 0, unread: Vec::new() };
    let Some(base) = tree.base.as_ref().filter(|_| revisions > 0) else { return Ok(kept) };
    // The tip counts too: the tree may be a work tree in which somebody took something out.
    let past = repository.history(base, &[], revisions + 1)?;
    kept.commits = past.len().saturating_sub(1);
    for commit in past {
        let mut earlier = repository.read_commit(&commit.id, &Wanted::manifests())?;
        // Clusters that there are now need not have been there. What cannot be read is left out, until the rest can be.
        while let Err(problems) = files(&earlier, selection).and_then(|files| scan(&files)).map(|scan| {
            kept.keep.add_earlier(&commit.id, &scan);
        }) {
            for problem in problems {
                earlier.entries.remove(problem.path.as_str());
                let path = format!("{}:{}", commit.id.short(), problem.path);
                kept.unread.push(Problem { path, ..problem });
            }
        }
    }
    Ok(kept)
}

/// What the registries said beside what they were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What is named and not there.
    pub missing: BTreeSet<Reference>,
    /// What was not answered, each with the cause: a list without it would be too short.
    pub unanswered: BTreeSet<String>,
}

/// Adds what the indexes name, and signatures and whatever else refers to what is kept, by asking the registries.
pub fn ask(keep: &mut Keep, registries: &Registries) -> Asked {
    let mut asked = Asked::default();
    let references: Vec<_> = keep.entries.keys().cloned().collect();
    let mut digests: BTreeMap<OciRepository, BTreeSet<Digest>> = BTreeMap::new();
    for (reference, digest, children) in artifacts(&references, registries, &mut asked) {
        let known = digests.entry(reference.repository.clone()).or_default();
        known.insert(digest.clone());
        if children.len() > MOST_CHILDREN {
            asked
                .unanswered
                .insert(format!("{reference}: the index names more than {MOST_CHILDREN} manifests (TooLarge)"));
            continue;
        }
        for child in children {
            known.insert(child.digest.clone());
            let because = Because::Child { of: digest.clone(), platform: child.platform };
            keep.add(by_digest(&reference.repository, &child.digest), because);
        }
    }
    let all: Vec<_> = digests
        .iter()
        .flat_map(|(repository, digests)| digests.iter().map(move |digest| (repository, digest)))
        .collect();
    for ((repository, digest), seen) in all.iter().zip(registries.all_referrers(&all)) {
        match seen {
            Observed::Present(found) if found.len() > MOST_REFERRERS => {
                let message = format!("more than {MOST_REFERRERS} manifests refer to it (TooLarge)");
                asked.unanswered.insert(format!("{repository}@{digest}: {message}"));
            }
            Observed::Present(found) => {
                for descriptor in found {
                    keep.add(by_digest(repository, &descriptor.digest), Because::Refers { to: (*digest).clone() });
                }
            }
            Observed::Absent => (),
            Observed::Unknown(unknown) => {
                asked.unanswered.insert(format!("{repository}@{digest}: {} ({})", unknown.message, unknown.reason));
            }
        }
    }
    for (repository, digests) in &digests {
        match registries.tags(repository) {
            Observed::Present(tags) => {
                for (tag, to) in tags.into_iter().filter_map(|tag| refers_to(&tag, digests).map(|to| (tag, to))) {
                    let reference = Reference { repository: repository.clone(), tag: Some(tag), digest: None };
                    keep.add(reference, Because::Refers { to });
                }
            }
            Observed::Absent => (),
            Observed::Unknown(unknown) => {
                asked.unanswered.insert(format!("{repository}: {} ({})", unknown.message, unknown.reason));
            }
        }
    }
    asked
}

/// What the references lead to, by their digests and by their tags, which may be two things: the digest, and what an index
/// names.
fn artifacts<'r>(
    references: &'r [Reference],
    registries: &Registries,
    asked: &mut Asked,
) -> Vec<(&'r Reference, Digest, Vec<Child>)> {
    let with_digest: Vec<_> =
        references.iter().filter_map(|reference| Some((reference, digest_of(reference)?))).collect();
    let by_digest: Vec<_> = with_digest
        .iter()
        .map(|(reference, digest)| PinQuestion {
            repository: &reference.repository,
            tag: reference.tag.as_deref().unwrap_or(digest.as_str()),
            digest,
            platforms: &[],
        })
        .collect();
    let with_tag: Vec<_> = references
        .iter()
        .filter_map(|reference| Some((reference, reference.tag.as_deref()?, digest_of(reference))))
        .collect();
    let by_tag: Vec<_> = with_tag
        .iter()
        .map(|(reference, tag, known)| TagQuestion {
            repository: &reference.repository,
            tag,
            known: known.as_ref(),
            platforms: &[],
        })
        .collect();
    let of_digests = registries.pins_seen(&by_digest).into_iter().map(|seen| match seen.by_digest {
        Observed::Present(artifact) => Observed::Present(Some(artifact)),
        Observed::Absent => Observed::Absent,
        Observed::Unknown(unknown) => Observed::Unknown(unknown),
    });
    let of_tags = registries.tags_seen(&by_tag).into_iter().map(|seen| match seen {
        Observed::Present(TagSeen::Changed { artifact, .. }) => Observed::Present(Some(artifact)),
        // The digest was asked for as well.
        Observed::Present(TagSeen::Unchanged) => Observed::Present(None),
        Observed::Absent => Observed::Absent,
        Observed::Unknown(unknown) => Observed::Unknown(unknown),
    });
    let references = with_digest.iter().map(|(reference, _)| *reference).chain(with_tag.iter().map(|(one, ..)| *one));
    let (mut found, mut unsorted) = (Vec::new(), Vec::new());
    for (at, (reference, observed)) in references.zip(of_digests.chain(of_tags)).enumerate() {
        let is_by_digest = at < with_digest.len();
        match observed {
            Observed::Present(artifact) => {
                found.extend(artifact.map(|artifact| (reference, artifact.digest, artifact.children)));
            }
            Observed::Absent => drop(asked.missing.insert(reference.clone())),
            // What is neither a chart nor an image, as the files that Flux fetches, names nothing else, and may be signed.
            Observed::Unknown(unknown) if names_nothing(&unknown) => match digest_of(reference) {
                Some(digest) if is_by_digest => found.push((reference, digest, Vec::new())),
                _ => unsorted.push(reference),
            },
            Observed::Unknown(unknown) => {
                asked.unanswered.insert(format!("{reference}: {} ({})", unknown.message, unknown.reason));
            }
        }
    }
    let tags: Vec<_> =
        unsorted.iter().filter_map(|reference| Some((&reference.repository, reference.tag.as_deref()?))).collect();
    for (reference, observed) in unsorted.iter().zip(registries.tag_digests(&tags)) {
        match observed {
            Observed::Present(digest) => found.push((reference, digest, Vec::new())),
            Observed::Absent => drop(asked.missing.insert((*reference).clone())),
            Observed::Unknown(unknown) => {
                asked.unanswered.insert(format!("{reference}: {} ({})", unknown.message, unknown.reason));
            }
        }
    }
    found
}

fn by_digest(repository: &OciRepository, digest: &Digest) -> Reference {
    Reference { repository: repository.clone(), tag: None, digest: Some(digest.to_string()) }
}

/// The digest that a tag of cosign is about: `sha256-<hex>`, with or without `.sig`, `.att` or `.sbom`.
fn refers_to(tag: &str, digests: &BTreeSet<Digest>) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = hex.split('.').next().unwrap_or(hex);
    Digest::parse(&format!("sha256:{hex}")).ok().filter(|digest| digests.contains(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_cosign_is_told_by_the_digest_in_it() {
        let digest = Digest::of(b"index");
        let hex = &digest.as_str()["sha256:".len()..];
        let digests = BTreeSet::from([digest.clone()]);
        for (tag, is_one) in [
            (format!("sha256-{hex}"), true),
            (format!("sha256-{hex}.sig"), true),
            (format!("sha256-{hex}.att"), true),
            (format!("sha256-{}.sig", "0".repeat(64)), false),
            ("sha256-".to_owned(), false),
            ("1.0".to_owned(), false),
        ] {
            assert_eq!(refers_to(&tag, &digests), is_one.then(|| digest.clone()), "{tag}");
        }
    }
}
