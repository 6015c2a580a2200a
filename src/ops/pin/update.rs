//! Asks the registries for the digests of what is wanted, and writes them down.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::Path,
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    config::{parse_pins, problem::Source, write_pins},
    edge::{
        files::{self, FileError},
        git::{BlobId, GitError, PastCommit, Repository as GitRepository},
        registry::{Registries, TagQuestion},
    },
    model::{
        digest::Digest,
        finding::Finding,
        name::Name,
        observed::{Observed, Unknown},
        pins::{ArtifactKind, Pin, PinName, Pins},
        tree::{CommitId, RepoPath, Tree},
    },
    ops::{
        load::Cluster,
        pin::{PinError, clusters, repositories, signature::signed},
        selection::Selection,
    },
    pins::{
        chart::{self, ChartImages, ImageReference, MOST_BYTES},
        ledger::{self, Named, Outcome, PastPin, Rules, Wish},
        said_by::{SaidBy, WantedChart, said_by},
        seen::{TagSeen, is_other_kind, not_a_repository},
        signature::Signed,
    },
    plan::pin_findings,
};

/// How many changes of `pins.yaml` are looked at for a pin that a person took back.
const CHANGES: usize = 50;

/// How many commits are looked through for these changes.
const COMMITS: usize = 10_000;

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

/// Why a pin is not to be written into files of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Nothing in this run says that it is right: its tag did not lead to its digest, or was not asked for.
    Unconfirmed,
    /// Another pin, of which nothing says that, has the same repository: nobody knows which of the two is meant.
    Ambiguous,
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
    /// Those of them that are old enough to be used, and whose tag led to their digest in this run.
    pub confirmed: Pins,
    /// The others that are old enough.
    pub left_out: BTreeMap<String, LeftOut>,
    /// Whether the history that is here ends before it was looked through for pins that a person took back.
    pub is_past_cut: bool,
    /// The file as it was read.
    former: Option<Arc<[u8]>>,
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
    let (past, is_past_cut) = past(tree, repository, &clusters)?;
    let charts = ask(registries, clusters.iter().map(chart_want));
    let contents = contents(registries, &clusters, &charts, request);
    let targets: Vec<_> = clusters.iter().map(|cluster| targets(cluster, &charts, &contents, request)).collect();
    let images = clusters.iter().zip(&targets).flat_map(|(cluster, targets)| image_wants(cluster, targets, request));
    let images = ask(registries, images);
    let none = Vec::new();
    let updates = clusters.iter().zip(&targets).map(|(cluster, targets)| {
        let chart = chart_key(cluster);
        let mut wishes = BTreeMap::from([(PinName::Chart, tag_wish(&charts, &chart, None))]);
        for (name, target) in targets {
            let wish = match target {
                Target::Tag(key) => tag_wish(&images, key, None),
                Target::OfChart { key, chart, digest } => {
                    tag_wish(&images, key, Some(Named { chart, digest: digest.as_ref() }))
                }
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
        let former = tree.file(path.as_str()).cloned();
        let source = former.clone().map(|bytes| Source { path: path.to_string(), bytes });
        let is_same = after == cluster.pins && (former.is_some() || after.0.is_empty());
        let text = (!is_same).then(|| write_pins(source.as_ref(), &after, &cluster.config.name));
        let findings = pin_findings(&after, &cluster.config.pins, request.now);
        let (cluster, before) = (cluster.config.name.clone(), cluster.pins.clone());
        let is_usable = |pin: &Pin| pin.first_seen.is_none_or(|seen| ledger::usable(seen, &rules) <= rules.now);
        let is_confirmed = |name: &str| {
            let outcome = PinName::of(name).and_then(|name| outcomes.get(&name));
            matches!(outcome, Some(Outcome::Unchanged | Outcome::New { .. } | Outcome::Moved { .. }))
        };
        let usable = after.0.iter().filter(|(_, pin)| is_usable(pin));
        let (confirmed, others): (Vec<_>, Vec<_>) = usable.partition(|(name, _)| is_confirmed(name));
        let is_alone = |pin: &Pin| others.iter().all(|(_, other)| other.repository != pin.repository);
        let (confirmed, ambiguous): (Vec<_>, Vec<_>) = confirmed.into_iter().partition(|(_, pin)| is_alone(pin));
        let confirmed = Pins(confirmed.into_iter().map(|(name, pin)| (name.clone(), pin.clone())).collect());
        let others = others.iter().map(|(name, _)| (name, LeftOut::Unconfirmed));
        let left_out = others.chain(ambiguous.iter().map(|(name, _)| (name, LeftOut::Ambiguous)));
        let left_out = left_out.map(|(name, why)| ((*name).clone(), why)).collect();
        Update { cluster, path, before, after, confirmed, left_out, is_past_cut, former, outcomes, text, findings }
    });
    Ok(updates.collect())
}

/// Writes what changed into the work tree: of each cluster all or nothing, and nothing at all when somebody else wrote
/// to one of the files meanwhile.
///
/// # Errors
///
/// [`PinError::Bare`], [`PinError::Overtaken`] and [`PinError::File`].
pub fn write(repository: &GitRepository, updates: &[Update]) -> Result<(), PinError> {
    let changed: Vec<_> = updates.iter().filter_map(|update| Some((update, update.text.as_ref()?))).collect();
    if !changed.is_empty() && !repository.has_work_tree() {
        return Err(PinError::Bare);
    }
    let place = |update: &Update| repository.root().join(update.path.as_str());
    for (update, _) in &changed {
        if present(&place(update))? != update.former {
            return Err(PinError::Overtaken(update.path.clone()));
        }
    }
    for (update, text) in changed {
        files::write(&place(update), text.as_bytes())?;
    }
    Ok(())
}

/// What a file holds now; `None`: there is none.
fn present(path: &Path) -> Result<Option<Arc<[u8]>>, FileError> {
    match files::read(path, Timestamp::UNIX_EPOCH) {
        Ok((source, _)) => Ok(Some(source.bytes)),
        Err(FileError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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

fn tag_wish<'a>(answers: &'a BTreeMap<Key, Answer>, key: &'a Key, named: Option<Named<'a>>) -> Wish<'a> {
    let answer = answers.get(key).expect("every key was asked for");
    Wish::Tag { repository: &key.0, tag: &key.1, known: answer.known.as_ref(), seen: &answer.seen, named }
}

fn chart_key(cluster: &Cluster) -> Key {
    (cluster.config.pins.chart_repository.clone(), cluster.config.pins.version.clone())
}

/// What is asked about the chart. What its tag leads to is read wherever that is not the pinned digest.
fn chart_want(cluster: &Cluster) -> Want {
    let key = chart_key(cluster);
    let pin = cluster.pins.get(PinName::Chart).filter(|pin| (&pin.repository, &pin.tag) == (&key.0, &key.1));
    let known = pin.map(|pin| pin.digest.clone());
    Want { key, known, platforms: Vec::new() }
}

/// What an image is to be.
enum Target {
    /// What its tag leads to.
    Tag(Key),
    /// What a chart says.
    OfChart {
        key: Key,
        chart: Digest,
        digest: Option<Digest>,
    },
    Unknown(Unknown),
    Unsaid(String),
}

/// The chart that a tag leads to, when it was read and is one.
fn read_chart(answer: &Answer) -> Option<&Digest> {
    match &answer.seen {
        Observed::Present(TagSeen::Changed { artifact, .. }) if artifact.kind == ArtifactKind::Chart => {
            Some(&artifact.digest)
        }
        Observed::Present(_) | Observed::Absent | Observed::Unknown(_) => None,
    }
}

/// Who says what an image is to be.
fn said_for<'a>(
    cluster: &'a Cluster,
    name: PinName,
    charts: &'a BTreeMap<Key, Answer>,
    request: &Request,
) -> SaidBy<'a> {
    let policy = &cluster.config.pins;
    let answer = charts.get(&chart_key(cluster)).expect("every chart was asked for");
    let wanted = WantedChart {
        repository: &policy.chart_repository,
        tag: &policy.version,
        seen: read_chart(answer),
        is_accepted: request.accept_moved.contains(&PinName::Chart),
    };
    said_by(&cluster.pins, name, wanted)
}

const IMAGES: [PinName; 2] = [PinName::Image, PinName::CleanupHook];

/// What charts say of their images, by repository and digest. Each is read once, and only where somebody needs it.
type Contents = BTreeMap<(String, Digest), Result<ChartImages, Trouble>>;

/// Why a chart does not say what its images are.
#[derive(Clone)]
enum Trouble {
    Unknown(Unknown),
    Unsaid(String),
}

impl Trouble {
    fn of(why: Unknown) -> Self {
        if is_other_kind(&why) { Self::Unsaid(why.message) } else { Self::Unknown(why) }
    }
}

fn contents(
    registries: &Registries,
    clusters: &[Cluster],
    charts: &BTreeMap<Key, Answer>,
    request: &Request,
) -> Contents {
    let mut contents = Contents::new();
    for (cluster, name) in clusters.iter().flat_map(|cluster| IMAGES.map(|name| (cluster, name))) {
        if let SaidBy::Chart { repository, digest } = said_for(cluster, name, charts, request) {
            let key = (repository.to_owned(), digest.clone());
            contents.entry(key).or_insert_with(|| content(registries, repository, digest));
        }
    }
    contents
}

fn content(registries: &Registries, written: &str, digest: &Digest) -> Result<ChartImages, Trouble> {
    let repositories = repositories([written].into_iter());
    let Some(repository) = repositories.get(written) else {
        return Err(Trouble::Unsaid(format!("`{written}`, where its chart is pinned, is no repository")));
    };
    let artifact = match registries.artifact(repository, digest) {
        Observed::Present(artifact) if artifact.kind == ArtifactKind::Chart => artifact,
        Observed::Present(artifact) => {
            let found = artifact.kind.with_article();
            return Err(Trouble::Unsaid(format!("{written}@{digest}, which is pinned as its chart, is {found}")));
        }
        Observed::Absent => {
            return Err(Trouble::Unsaid(format!(
                "the registry does not have the chart that says it: {written}@{digest}"
            )));
        }
        Observed::Unknown(why) => return Err(Trouble::of(why)),
    };
    let unsaid = |error: chart::ChartError| Trouble::Unsaid(format!("the chart does not say it: {error}"));
    let archive = chart::archive(&artifact).map_err(unsaid)?;
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
    let target = |name: PinName| {
        let pin = cluster.pins.get(name);
        let trouble = match said_for(cluster, name, charts, request) {
            SaidBy::Entry(pin) => return Target::Tag((pin.repository.clone(), pin.tag.clone())),
            SaidBy::Chart { repository, digest: chart } => {
                match contents.get(&(repository.to_owned(), chart.clone())).expect("every chart was read") {
                    Ok(images) => {
                        let image = if name == PinName::Image { &images.image } else { &images.cleanup_hook };
                        let (key, digest) = (of_chart(pin, image), image.digest.clone());
                        return Target::OfChart { key, chart: chart.clone(), digest };
                    }
                    Err(trouble) => trouble.clone(),
                }
            }
            SaidBy::Nobody => match &charts.get(&chart_key(cluster)).expect("every chart was asked for").seen {
                Observed::Unknown(why) if !is_other_kind(why) => Trouble::Unknown(why.clone()),
                Observed::Present(_) | Observed::Absent | Observed::Unknown(_) => {
                    Trouble::Unsaid("the chart that says which image it is could not be found".to_owned())
                }
            },
        };
        match trouble {
            Trouble::Unknown(why) => Target::Unknown(why),
            Trouble::Unsaid(why) => Target::Unsaid(why),
        }
    };
    IMAGES.map(|name| (name, target(name))).into()
}

/// Where a person took the image from another place than the chart says, it stays there.
fn of_chart(pin: Option<&Pin>, image: &ImageReference) -> Key {
    let repository = pin.map_or(&image.repository, |pin| &pin.repository);
    (repository.clone(), image.tag.clone())
}

fn image_wants(cluster: &Cluster, targets: &BTreeMap<PinName, Target>, request: &Request) -> Vec<Want> {
    let want = |(name, target): (&PinName, &Target)| match target {
        Target::Tag(key) | Target::OfChart { key, .. } => {
            let known = cluster.pins.get(*name).and_then(|pin| {
                let is_accepted = request.accept_moved.contains(name);
                known(pin, key, is_accepted, cluster.config.pins.min_age, request.now)
            });
            Some(Want { key: key.clone(), known, platforms: cluster.config.pins.platforms.clone() })
        }
        Target::Unknown(_) | Target::Unsaid(_) => None,
    };
    targets.iter().filter_map(want).collect()
}

/// What of a tag is known already: what it led to when it was last looked at. What is going to be used from now on is
/// read again, because other platforms may be needed by now, and other manifests be gone.
fn known(
    pin: &Pin,
    (repository, tag): &Key,
    is_accepted: bool,
    min_age: SignedDuration,
    now: Timestamp,
) -> Option<Digest> {
    let is_pinned = pin.repository == *repository && pin.tag == *tag;
    let Some(candidate) = pin.candidate.as_ref().filter(|candidate| candidate.tag == *tag) else {
        return is_pinned.then(|| pin.digest.clone());
    };
    let is_held = pin.hold.as_ref().is_some_and(|hold| hold.holds(now));
    let is_old = candidate.first_seen.checked_add(min_age).is_ok_and(|usable| usable <= now);
    let moves = is_old && !is_held && (is_accepted || !is_pinned);
    (!moves).then(|| candidate.digest.clone())
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

/// What is known of the past, and whether the history ended before it was enough.
fn past(tree: &Tree, repository: &GitRepository, clusters: &[Cluster]) -> Result<(Past, bool), PinError> {
    let paths: Vec<_> = clusters.iter().map(|cluster| cluster.folder.join("pins.yaml")).collect();
    let (Some(tip), Some(first)) = (&tree.base, paths.first()) else { return Ok((Past::new(), false)) };
    let failed = |path: &RepoPath| {
        let path = path.clone();
        move |source: GitError| PinError::History { path, source }
    };
    let history = repository.changes(tip, &paths, CHANGES, COMMITS).map_err(failed(first))?;
    let mut past = Past::new();
    for (cluster, path) in clusters.iter().zip(&paths) {
        let name = &cluster.config.name;
        let versions = versions(repository, &history.commits, path, name).map_err(failed(path))?;
        past.insert(name.clone(), versions);
    }
    Ok((past, history.is_cut))
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
