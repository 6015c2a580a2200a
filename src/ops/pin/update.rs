//! Asks the registries for the digests of what is wanted, and writes them down.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    config::{parse_pins, problem::Source, write_pins},
    edge::{
        files,
        git::{BlobId, GitError, PastCommit, Repository as GitRepository},
        registry::{Registries, TagQuestion},
    },
    model::{
        digest::Digest,
        finding::Finding,
        name::Name,
        observed::{Observed, Unknown},
        oci::Repository,
        pins::{ArtifactKind, Pin, PinName, Pins},
        tree::{CommitId, RepoPath, Tree},
    },
    ops::{
        load::Cluster,
        pin::{PinError, clusters, repositories, signature::signed},
        selection::Selection,
    },
    pins::{
        artifact::Artifact,
        chart::{self, ChartImages, ImageReference, MOST_BYTES},
        ledger::{self, Outcome, PastPin, Rules, Wish},
        seen::{TagSeen, not_a_repository},
        signature::Signed,
    },
    plan::pin_findings,
};

/// How many commits are looked at for a pin that a person took back.
const HISTORY: usize = 50;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Of which clusters.
    pub clusters: Selection,
    /// The pins whose moved tags are to be followed.
    pub accept_moved: BTreeSet<PinName>,
    /// Whether signatures are checked that were checked before.
    pub verify_all_signatures: bool,
    /// The time of the run.
    pub now: Timestamp,
}

/// What became of the pins of one cluster.
#[derive(Clone, Debug)]
pub struct Update {
    /// The cluster.
    pub cluster: Name,
    /// Its `pins.yaml`.
    pub path: RepoPath,
    /// The pins as they were.
    pub before: Pins,
    /// The pins as they are to be.
    pub after: Pins,
    /// Those of them that are old enough to be used.
    pub usable: Pins,
    /// What became of each that the program uses.
    pub outcomes: BTreeMap<PinName, Outcome>,
    /// The file as it is to be; `None`: as it is.
    pub text: Option<String>,
    /// What is to be known about the pins as they are to be.
    pub findings: Vec<Finding>,
}

/// Decides what becomes of the pins of every selected cluster. Every reference is asked for once. Nothing is written.
///
/// # Errors
///
/// [`PinError::Load`] and [`PinError::History`]. What a registry does not say is no error: see [`Outcome::Unknown`].
pub fn update(
    tree: &Tree,
    repository: &GitRepository,
    registries: &Registries,
    request: &Request,
) -> Result<Vec<Update>, PinError> {
    let clusters = clusters(tree, &request.clusters, request.now)?;
    let past = past(tree, repository, &clusters)?;
    let charts = ask(registries, clusters.iter().map(|cluster| chart_want(cluster, request)));
    let contents = contents(registries, &clusters, &charts, request);
    let targets: Vec<_> = clusters.iter().map(|cluster| targets(cluster, &charts, &contents, request)).collect();
    let images = clusters.iter().zip(&targets).flat_map(|(cluster, targets)| image_wants(cluster, targets));
    let images = ask(registries, images);
    let none = Vec::new();
    let updates = clusters.iter().zip(&targets).map(|(cluster, targets)| {
        let chart = chart_key(cluster);
        let mut wishes = BTreeMap::from([(PinName::Chart, tag_wish(&charts, &chart))]);
        for (name, target) in targets {
            let wish = match target {
                Target::Tag(key) => tag_wish(&images, key),
                Target::Unknown(why) => Wish::Unknown(why),
                Target::Unsaid(why) => Wish::Unsaid(why),
            };
            wishes.insert(*name, wish);
        }
        let signatures = signatures(registries, cluster, &wishes, request);
        let rules = Rules {
            now: Timestamp::from_second(request.now.as_second()).unwrap_or(request.now),
            min_age: cluster.config.pins.min_age,
            platforms: &cluster.config.pins.platforms,
            accept_moved: &request.accept_moved,
            signatures: &signatures,
        };
        let past = past.get(&cluster.config.name).unwrap_or(&none);
        let past_of = |name: PinName| {
            let of =
                |(commit, pins): &(_, Pins)| PastPin { commit: Option::clone(commit), pin: pins.get(name).cloned() };
            (name, past.iter().map(of).collect::<Vec<_>>())
        };
        let past = PinName::ALL.into_iter().map(past_of).collect();
        let (after, outcomes) = ledger::update(&cluster.pins, &wishes, &past, &rules);
        let path = cluster.folder.join("pins.yaml");
        let former = tree.file(path.as_str()).map(|bytes| Source { path: path.to_string(), bytes: bytes.clone() });
        let is_same = after == cluster.pins && (former.is_some() || after.0.is_empty());
        let text = (!is_same).then(|| write_pins(former.as_ref(), &after, &cluster.config.name));
        let findings = pin_findings(&after, &cluster.config.pins, request.now);
        let (cluster, before) = (cluster.config.name.clone(), cluster.pins.clone());
        let is_usable = |pin: &Pin| pin.first_seen.is_none_or(|seen| ledger::usable(seen, &rules) <= rules.now);
        let usable = after.0.iter().filter(|(_, pin)| is_usable(pin));
        let usable = Pins(usable.map(|(name, pin)| (name.clone(), pin.clone())).collect());
        Update { cluster, path, before, after, usable, outcomes, text, findings }
    });
    Ok(updates.collect())
}

/// Writes what changed into the work tree: of each cluster all or nothing.
///
/// # Errors
///
/// [`PinError::Bare`] and [`PinError::File`].
pub fn write(repository: &GitRepository, updates: &[Update]) -> Result<(), PinError> {
    let changed: Vec<_> = updates.iter().filter_map(|update| Some((&update.path, update.text.as_ref()?))).collect();
    if !changed.is_empty() && !repository.has_work_tree() {
        return Err(PinError::Bare);
    }
    for (path, text) in changed {
        files::write(&repository.root().join(path.as_str()), text.as_bytes())?;
    }
    Ok(())
}

/// A repository as people wrote it, and a tag.
type Key = (String, String);

/// What is asked about a tag, for one cluster.
struct Want {
    key: Key,
    known: Option<Digest>,
    platforms: Vec<String>,
}

/// What a registry said, and what it was told of.
struct Answer {
    known: Option<Digest>,
    seen: Observed<TagSeen>,
}

/// Asks for every tag once. What one cluster knows and another one does not is asked for as if nobody knew it.
fn ask(registries: &Registries, wants: impl Iterator<Item = Want>) -> BTreeMap<Key, Answer> {
    let mut merged: BTreeMap<Key, (Option<Digest>, BTreeSet<String>)> = BTreeMap::new();
    for Want { key, known, platforms } in wants {
        match merged.get_mut(&key) {
            None => {
                merged.insert(key, (known, platforms.into_iter().collect()));
            }
            Some((agreed, all)) => {
                if *agreed != known {
                    *agreed = None;
                }
                all.extend(platforms);
            }
        }
    }
    let repositories = repositories(merged.keys().map(|(repository, _)| repository.as_str()));
    let platforms: Vec<Vec<String>> = merged.values().map(|(_, all)| all.iter().cloned().collect()).collect();
    let (mut places, mut questions) = (Vec::new(), Vec::new());
    for (((written, tag), (known, _)), platforms) in merged.iter().zip(&platforms) {
        if let Some(repository) = repositories.get(written) {
            places.push((written.clone(), tag.clone()));
            questions.push(TagQuestion { repository, tag, known: known.as_ref(), platforms });
        }
    }
    let mut seen: BTreeMap<Key, Observed<TagSeen>> = places.into_iter().zip(registries.tags_seen(&questions)).collect();
    let answer = |(key, (known, _)): (Key, (Option<Digest>, _))| {
        let seen = seen.remove(&key).unwrap_or_else(|| not_a_repository(&key.0));
        (key, Answer { known, seen })
    };
    merged.into_iter().map(answer).collect()
}

fn tag_wish<'a>(answers: &'a BTreeMap<Key, Answer>, key: &'a Key) -> Wish<'a> {
    let answer = answers.get(key).expect("every key was asked for");
    Wish::Tag { repository: &key.0, tag: &key.1, known: answer.known.as_ref(), seen: &answer.seen }
}

fn chart_key(cluster: &Cluster) -> Key {
    (cluster.config.pins.chart_repository.clone(), cluster.config.pins.version.clone())
}

/// What is asked about the chart. It is read as a whole wherever images may have to be taken from it.
fn chart_want(cluster: &Cluster, request: &Request) -> Want {
    let key = chart_key(cluster);
    let pin = cluster.pins.get(PinName::Chart).filter(|pin| (&pin.repository, &pin.tag) == (&key.0, &key.1));
    let is_complete = PinName::ALL.into_iter().all(|name| cluster.pins.get(name).is_some());
    let is_enough = is_complete && !request.accept_moved.contains(&PinName::Chart);
    let known = pin.filter(|_| is_enough).map(|pin| pin.digest.clone());
    Want { key, known, platforms: Vec::new() }
}

/// What an image is to be.
enum Target {
    Tag(Key),
    Unknown(Unknown),
    Unsaid(String),
}

/// Whether the images are to be those of the chart that was seen, and not those of `pins.yaml`.
fn follows(cluster: &Cluster, artifact: &Artifact, request: &Request) -> bool {
    let key = chart_key(cluster);
    cluster.pins.get(PinName::Chart).is_none_or(|pin| {
        let is_another = (&pin.repository, &pin.tag) != (&key.0, &key.1);
        pin.digest != artifact.digest && (is_another || request.accept_moved.contains(&PinName::Chart))
    })
}

/// The chart that a tag leads to, when it was read and is one.
fn read_chart(answer: &Answer) -> Option<&Artifact> {
    match &answer.seen {
        Observed::Present(TagSeen::Changed { artifact, .. }) if artifact.kind == ArtifactKind::Chart => Some(artifact),
        Observed::Present(_) | Observed::Absent | Observed::Unknown(_) => None,
    }
}

/// What charts say of their images, by digest. Each is read once, and only where somebody needs it.
type Contents = BTreeMap<Digest, Result<ChartImages, Trouble>>;

/// Why a chart does not say what its images are.
#[derive(Clone)]
enum Trouble {
    Unknown(Unknown),
    Unsaid(String),
}

fn contents(
    registries: &Registries,
    clusters: &[Cluster],
    charts: &BTreeMap<Key, Answer>,
    request: &Request,
) -> Contents {
    let mut contents = Contents::new();
    for cluster in clusters {
        let key = chart_key(cluster);
        let Some(artifact) = charts.get(&key).and_then(read_chart) else { continue };
        let lacks_one = PinName::ALL.into_iter().any(|name| cluster.pins.get(name).is_none());
        if (lacks_one || follows(cluster, artifact, request)) && !contents.contains_key(&artifact.digest) {
            let repositories = repositories([key.0.as_str()].into_iter());
            let content = repositories.get(&key.0).map(|repository| content(registries, repository, artifact));
            contents.extend(content.map(|content| (artifact.digest.clone(), content)));
        }
    }
    contents
}

fn content(registries: &Registries, repository: &Repository, artifact: &Artifact) -> Result<ChartImages, Trouble> {
    let unsaid = |error: chart::ChartError| Trouble::Unsaid(format!("the chart does not say it: {error}"));
    let archive = chart::archive(artifact).map_err(unsaid)?;
    match registries.blob(repository, archive, MOST_BYTES) {
        Observed::Present(bytes) => chart::images(&bytes).map_err(unsaid),
        Observed::Absent => {
            Err(Trouble::Unsaid(format!("the registry has the manifest of the chart, and not {}", archive.digest)))
        }
        Observed::Unknown(why) => Err(Trouble::Unknown(why)),
    }
}

/// What the two images are to be.
fn targets(
    cluster: &Cluster,
    charts: &BTreeMap<Key, Answer>,
    contents: &Contents,
    request: &Request,
) -> BTreeMap<PinName, Target> {
    let chart = charts.get(&chart_key(cluster)).expect("every chart was asked for");
    let artifact = read_chart(chart);
    let follows = artifact.is_some_and(|artifact| follows(cluster, artifact, request));
    let content = artifact.and_then(|artifact| contents.get(&artifact.digest));
    let target = |name: PinName| {
        let pin = cluster.pins.get(name);
        if let Some(pin) = pin.filter(|_| !follows) {
            return Target::Tag((pin.repository.clone(), pin.tag.clone()));
        }
        match content {
            Some(Ok(images)) => {
                let image = if name == PinName::Image { &images.image } else { &images.cleanup_hook };
                Target::Tag(of_chart(pin, image))
            }
            Some(Err(Trouble::Unknown(why))) => Target::Unknown(why.clone()),
            Some(Err(Trouble::Unsaid(why))) => Target::Unsaid(why.clone()),
            None => match &chart.seen {
                Observed::Unknown(why) => Target::Unknown(why.clone()),
                Observed::Present(_) | Observed::Absent => {
                    Target::Unsaid("the chart that says which image it is could not be found".to_owned())
                }
            },
        }
    };
    [PinName::Image, PinName::CleanupHook].into_iter().map(|name| (name, target(name))).collect()
}

/// Where a person took the image from another place than the chart says, it stays there.
fn of_chart(pin: Option<&Pin>, image: &ImageReference) -> Key {
    let repository = pin.map_or(&image.repository, |pin| &pin.repository);
    (repository.clone(), image.tag.clone())
}

fn image_wants(cluster: &Cluster, targets: &BTreeMap<PinName, Target>) -> Vec<Want> {
    let want = |(name, target): (&PinName, &Target)| match target {
        Target::Tag(key) => {
            let known = cluster.pins.get(*name).and_then(|pin| known(pin, key));
            Some(Want { key: key.clone(), known, platforms: cluster.config.pins.platforms.clone() })
        }
        Target::Unknown(_) | Target::Unsaid(_) => None,
    };
    targets.iter().filter_map(want).collect()
}

/// What of a tag is known already: what it led to when it was last looked at.
fn known(pin: &Pin, (repository, tag): &Key) -> Option<Digest> {
    let candidate = pin.candidate.as_ref().filter(|candidate| candidate.tag == *tag);
    let pinned = || (pin.repository == *repository && pin.tag == *tag).then(|| pin.digest.clone());
    candidate.map(|candidate| candidate.digest.clone()).or_else(pinned)
}

/// The signatures of everything that a cluster's pins lead to and that somebody must have signed. What is pinned with a
/// signature was checked before.
fn signatures(
    registries: &Registries,
    cluster: &Cluster,
    wishes: &BTreeMap<PinName, Wish<'_>>,
    request: &Request,
) -> BTreeMap<(PinName, Digest), Signed> {
    let mut found = BTreeMap::new();
    for (name, signer) in &cluster.config.pins.signers {
        let Some(Wish::Tag { repository, known, seen: Observed::Present(seen), .. }) = wishes.get(name) else {
            continue;
        };
        let digest = match seen {
            TagSeen::Unchanged => *known,
            TagSeen::Changed { artifact, .. } => Some(&artifact.digest),
        };
        let Some(digest) = digest else { continue };
        let pin = cluster.pins.get(*name).filter(|pin| pin.digest == *digest);
        if pin.is_some_and(|pin| pin.signature.is_some()) && !request.verify_all_signatures {
            continue;
        }
        if let Some(place) = repositories([*repository].into_iter()).get(*repository) {
            found.insert((*name, digest.clone()), signed(registries, place, digest, signer));
        }
    }
    found
}

/// The pins of each cluster as they stood in Git, the newest first, with the commit that made them so.
type Past = BTreeMap<Name, Vec<(Option<CommitId>, Pins)>>;

fn past(tree: &Tree, repository: &GitRepository, clusters: &[Cluster]) -> Result<Past, PinError> {
    let paths: Vec<_> = clusters.iter().map(|cluster| cluster.folder.join("pins.yaml")).collect();
    let (Some(tip), Some(first)) = (&tree.base, paths.first()) else { return Ok(Past::new()) };
    let failed = |path: &RepoPath| {
        let path = path.clone();
        move |source: GitError| PinError::History { path, source }
    };
    let history = repository.history(tip, &paths, HISTORY).map_err(failed(first))?;
    let mut past = Past::new();
    for (cluster, path) in clusters.iter().zip(&paths) {
        let name = &cluster.config.name;
        let versions = versions(repository, &history, path, name).map_err(failed(path))?;
        past.insert(name.clone(), versions);
    }
    Ok(past)
}

fn versions(
    repository: &GitRepository,
    history: &[PastCommit],
    path: &RepoPath,
    cluster: &Name,
) -> Result<Vec<(Option<CommitId>, Pins)>, GitError> {
    let pins = |id: Option<BlobId>| -> Result<Option<Pins>, GitError> {
        let Some(id) = id else { return Ok(Some(Pins::default())) };
        let source = Source { path: path.to_string(), bytes: repository.blob(id)?.into() };
        // What no version could read told nobody anything.
        Ok(parse_pins(&source, cluster).ok())
    };
    let mut versions = Vec::new();
    let mut changes = history.iter().filter_map(|commit| Some((commit, commit.changes.get(path)?))).peekable();
    while let Some((commit, change)) = changes.next() {
        versions.extend(pins(change.after)?.map(|pins| (Some(commit.id.clone()), pins)));
        if changes.peek().is_none() {
            versions.extend(pins(change.before)?.map(|pins| (None, pins)));
        }
    }
    Ok(versions)
}
