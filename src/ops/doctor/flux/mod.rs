//! What Flux reads of the repository: whether what is committed arrives in the cluster, and nothing else.

mod address;
mod reach;

pub(in crate::ops) use self::reach::listed;

use crate::{
    model::{
        inventory::{GitRepositoryObject, KustomizationObject},
        observed::Observed,
        tree::{RepoPath, Tree},
    },
    ops::doctor::{
        Answer, Checks, Patient,
        flux::{
            address::{Kinship, kinship},
            reach::{Reach, is_within, normal, reach},
        },
        kind,
        releases::of_progress,
        some,
    },
};

/// A `Kustomization` that may apply our files to this cluster.
struct Reader<'a> {
    kustomization: &'a KustomizationObject,
    /// `None`: its source is not there.
    source: Option<&'a GitRepositoryObject>,
    kinship: Kinship,
    /// `spec.path` as a path in the repository; empty for all of it.
    path: String,
}

pub(super) fn check(patient: &Patient<'_>, checks: &mut Checks) {
    let inventory = &patient.cluster.inventory;
    let subject = patient.cluster.folder.as_str();
    let (kustomizations, sources) = match (&inventory.kustomizations, &inventory.git_repositories) {
        (Observed::Unknown(unknown), _) | (_, Observed::Unknown(unknown)) => {
            return checks.add(kind::FLUX_READER, None, subject, Answer::unknown(unknown));
        }
        (Observed::Absent, _) | (_, Observed::Absent) => {
            let evidence = "the cluster does not have the kinds of Flux: nothing applies what is committed";
            let answer = Answer::fail(evidence, "install Flux in it, or let a Flux elsewhere read the folder");
            return checks.add(kind::FLUX_READER, None, subject, answer);
        }
        (Observed::Present(kustomizations), Observed::Present(sources)) => (kustomizations, sources),
    };
    let (folder, remote) = (&patient.cluster.folder, patient.publishing.remote);
    let readers: Vec<_> = kustomizations.iter().filter_map(|one| reader(folder, remote, one, sources)).collect();
    let mut reading = Vec::new();
    for reader in &readers {
        match reach(patient.tree, &reader.path, &patient.cluster.folder) {
            Reach::Manifests => {
                reading.push(reader);
                let answer = Answer::ok("it comes to the manifests, and to none of the settings beside them");
                checks.add(kind::FLUX_APPLIES_SETTINGS, None, name(reader.kustomization), answer);
            }
            // What is built from a list without us has nothing to do with us.
            Reach::NotListed => {}
            Reach::Settings { how } => {
                reading.push(reader);
                let fix = format!(
                    "write {subject}/kustomization.yaml with `resources: [manifests]`, and let nothing else name the files \
                     beside it"
                );
                let evidence = format!("{how}, of a kind that no cluster knows: all that it applies fails");
                checks.add(kind::FLUX_APPLIES_SETTINGS, None, name(reader.kustomization), Answer::fail(evidence, fix));
            }
        }
    }
    checks.add(kind::FLUX_READER, None, subject, readers_answer(patient, &reading));
    for reader in reading {
        of_reader(patient, checks, reader);
    }
}

/// Whether a `Kustomization` may read the folder, as far as source and path say.
fn reader<'a>(
    folder: &RepoPath,
    remote: Option<&str>,
    kustomization: &'a KustomizationObject,
    sources: &'a [GitRepositoryObject],
) -> Option<Reader<'a>> {
    if kustomization.is_remote || kustomization.source_kind != "GitRepository" {
        return None;
    }
    let path = normal(&kustomization.path)?;
    if !is_within(folder.join("manifests").as_str(), &path) {
        return None;
    }
    let source = sources.iter().find(|source| {
        *source.meta.namespace == *kustomization.source_namespace && *source.meta.name == *kustomization.source_name
    });
    let kinship = match (source, remote) {
        (Some(source), Some(remote)) => kinship(&source.url, remote),
        (None, _) | (_, None) => Kinship::Untold,
    };
    // Half the repositories of the world are read at their root: that alone says nothing.
    let may_be = kinship == Kinship::Same || (kinship == Kinship::Untold && !path.is_empty());
    may_be.then_some(Reader { kustomization, source, kinship, path })
}

/// The `Kustomization`s that apply the manifests of a folder to its cluster, each with the source that it reads. Of one
/// whose source is not there nobody knows.
pub(in crate::ops) fn appliers<'a>(
    tree: &Tree,
    folder: &RepoPath,
    remote: Option<&str>,
    kustomizations: &'a [KustomizationObject],
    sources: &'a [GitRepositoryObject],
) -> Vec<(&'a KustomizationObject, &'a GitRepositoryObject)> {
    let readers = kustomizations.iter().filter_map(|one| reader(folder, remote, one, sources));
    let reaching = readers.filter(|reader| reach(tree, &reader.path, folder) != Reach::NotListed);
    reaching.filter_map(|reader| Some((reader.kustomization, reader.source?))).collect()
}

fn readers_answer(patient: &Patient<'_>, readers: &[&Reader<'_>]) -> Answer {
    let folder = &patient.cluster.folder;
    let told = |reader: &&Reader<'_>| {
        let path = if reader.path.is_empty() { "the whole repository" } else { &reader.path };
        format!("{} reads {path}", name(reader.kustomization))
    };
    match readers {
        [] => {
            let remote = patient.publishing.remote.unwrap_or("this repository");
            let source = &patient.cluster.config.flux_source;
            Answer::warn(
                format!("no Kustomization of the cluster reads it from {}", address::shown(remote)),
                format!(
                    "flux create kustomization bobbypin-{} --source=GitRepository/{}.{} --path=./{folder} --prune=true \
                     --interval=10m",
                    patient.cluster.config.name, source.name, source.namespace
                ),
            )
        }
        [reader] if !others(patient, reader).is_empty() => Answer::fail(
            format!(
                "{}, and with it the manifests of other clusters: {}",
                told(reader),
                some(&others(patient, reader))
            ),
            format!("set spec.path: ./{folder}"),
        ),
        [reader] => {
            let doubt = match (reader.kinship, reader.source, patient.publishing.remote) {
                (Kinship::Untold, Some(source), Some(remote)) => {
                    format!("; whether {} is {} is not known", address::shown(&source.url), address::shown(remote))
                }
                _ => String::new(),
            };
            Answer::ok(format!("{}{doubt}", told(reader)))
        }
        several => {
            let told: Vec<_> = several.iter().map(told).collect();
            Answer::warn(
                format!("more than one applies it, and they take objects from each other: {}", some(&told)),
                "let one of them read it",
            )
        }
    }
}

/// The folders of other clusters whose manifests a `Kustomization` applies to this one.
fn others(patient: &Patient<'_>, reader: &Reader<'_>) -> Vec<String> {
    let folders = patient.tree.below("clusters").filter_map(|(path, _)| path.as_str().strip_suffix("/cluster.yaml"));
    let folders =
        folders.filter(|folder| *folder != patient.cluster.folder.as_str() && is_within(folder, &reader.path));
    let folders = folders.filter_map(|folder| RepoPath::parse(folder).ok());
    let applied = folders.filter(|folder| reach(patient.tree, &reader.path, folder) == Reach::Manifests);
    applied.map(|folder| folder.to_string()).collect()
}

fn of_reader(patient: &Patient<'_>, checks: &mut Checks, reader: &Reader<'_>) {
    let KustomizationObject { meta, prune, applied_revision, progress, source_namespace, source_name, .. } =
        reader.kustomization;
    let source_subject = format!("GitRepository/{source_namespace}/{source_name}");
    match reader.source {
        None => {
            let answer = Answer::fail(
                format!("{} reads from it, and it is not there", name(reader.kustomization)),
                "make the source, or correct spec.sourceRef",
            );
            checks.add(kind::FLUX_SOURCE_READY, None, source_subject, answer);
        }
        Some(source) => {
            let resume = format!("flux resume source git {source_name} -n {source_namespace}");
            checks.add(kind::FLUX_SOURCE_READY, None, &source_subject, of_progress(&source.progress, &resume));
            checks.add(kind::FLUX_SOURCE_BRANCH, None, source_subject, branch(patient, &source.branch));
        }
    }
    let resume = format!("flux resume kustomization {} -n {}", meta.name, meta.namespace);
    let mut answer = of_progress(progress, &resume);
    if !applied_revision.is_empty() {
        answer.evidence.push_str(&format!("; applied {applied_revision}"));
    }
    checks.add(kind::FLUX_READER_READY, None, name(reader.kustomization), answer);
    let answer = if *prune {
        Answer::ok("what goes from Git goes from the cluster")
    } else {
        Answer::warn("spec.prune is false: what goes from Git stays in the cluster", "set spec.prune: true")
    };
    checks.add(kind::FLUX_READER_PRUNES, None, name(reader.kustomization), answer);
}

fn branch(patient: &Patient<'_>, found: &str) -> Answer {
    let wanted = patient.publishing.branch;
    if found == wanted {
        Answer::ok(format!("it reads the branch {found}, to which commits go"))
    } else if found.is_empty() {
        Answer::warn(
            format!("it names no branch, and commits go to {wanted}"),
            format!("set spec.ref.branch: {wanted}"),
        )
    } else {
        Answer::fail(
            format!("it reads the branch {found}, and commits go to {wanted}"),
            format!("set spec.ref.branch: {wanted}, or spec.publish.branch: {found} in bobbypin.yaml"),
        )
    }
}

fn name(kustomization: &KustomizationObject) -> String {
    format!("Kustomization/{}/{}", kustomization.meta.namespace, kustomization.meta.name)
}
