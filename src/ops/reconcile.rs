//! Read, decide, write: the branch is to hold what was decided.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::Value;
use tracing::{info, warn};

use crate::{
    diff::{self, ChangeSet},
    edge::{
        git::{
            GitError, Held, LOOP_WINDOW, NewCommit, PastCommit, PublishError, Published, SignError, Signer, Snapshot,
            Target, flips,
        },
        signals::Interruptions,
    },
    manifest::MARK,
    model::{
        repository::{Author, PublishMode, PullRequestSettings, RepositoryConfig, TrustedSigners},
        tree::{CommitId, RepoPath},
    },
    ops::{
        decide::{DecideError, Decided, Request, decide},
        load::{self, LoadError},
        pull_request::{self, Forge, PullRequestEnd, PullRequestError, PullRequestRun, Share},
    },
};

/// How often everything is computed anew because somebody else was faster.
const TRIES: usize = 5;

/// How far back the author of a generated file is looked for, in commits.
const DRIFT_WINDOW: usize = 50;

/// What to do with what was decided.
#[derive(Debug)]
pub enum Mode {
    /// Stop before writing. Nothing is written anywhere.
    DryRun,
    /// Commit.
    Commit,
    /// Commit, if it is exactly what was approved.
    Approved(Approved),
}

/// How changes are to reach the branch, whatever the settings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// By commits on it.
    Commit,
    /// By a pull request.
    PullRequest,
}

/// A plan that was approved: a document of [`crate::plan::document`], read back.
#[derive(Debug)]
pub struct Approved {
    /// The whole document.
    pub document: Value,
}

/// What the machine brings that a run is on.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Where relative paths of the settings start.
    pub here: PathBuf,
    /// Whose signature the commit that is built upon must have, whatever the settings on the branch say: whoever can
    /// write to the branch can change those.
    pub trusted_base: Option<TrustedSigners>,
    /// How changes are to reach the branch, whatever the settings say.
    pub publish: Option<Publish>,
}

/// What is to be done, and where.
#[derive(Clone, Copy, Debug)]
pub struct Order<'t> {
    /// Where to publish to.
    pub target: &'t Target,
    /// The branch that Flux reads.
    pub branch: &'t str,
    /// What is asked.
    pub request: &'t Request,
    /// What to do with what was decided.
    pub mode: &'t Mode,
    /// What this machine brings.
    pub local: &'t Local,
    /// How signals are held back.
    pub interruptions: &'t Interruptions,
}

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What was decided in the last try.
    pub decided: Decided,
    /// Files that somebody edited by hand since this program wrote them.
    pub drift: Vec<Drift>,
    /// What happened to the branch.
    pub end: End,
}

/// What happened to the branch.
#[derive(Debug)]
pub enum End {
    /// It holds what is wanted.
    UpToDate,
    /// It would change; nothing was written. The id is that of the commit, when it is known before a server makes it.
    WouldCommit(Option<CommitId>),
    /// It changed.
    Committed(Published),
    /// It is left to people, who merge a pull request.
    PullRequest(PullRequestEnd),
}

/// A generated file whose last change is not by this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The file.
    pub path: RepoPath,
    /// The commit that changed it.
    pub commit: CommitId,
    /// Who made that commit.
    pub author: Author,
}

/// Why a run failed. The branch is as it was, but for [`PublishError::UnknownOutcome`].
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The repository could not be read.
    #[error("cannot read the branch `{branch}`")]
    Read {
        /// The branch.
        branch: String,
        /// Why.
        source: GitError,
    },
    /// Nothing could be decided.
    #[error("cannot decide what to commit")]
    Decide(#[from] DecideError),
    /// Nobody who is trusted signed the commit that would be built upon.
    #[error("the branch `{branch}` is not built upon")]
    UntrustedBase {
        /// The branch.
        branch: String,
        /// Why.
        source: GitError,
    },
    /// There is nothing to sign with.
    #[error("cannot sign commits")]
    Sign(#[from] SignError),
    /// The commit was not made.
    #[error("cannot commit to the branch `{branch}`")]
    Publish {
        /// The branch.
        branch: String,
        /// Why.
        source: PublishError,
    },
    /// The pull request is not as it is wanted.
    #[error("cannot publish by a pull request")]
    PullRequest(#[from] PullRequestError),
    /// The branch moved in every try.
    #[error("the branch `{branch}` moved {TRIES} times while this run was computing")]
    MovedTooOften {
        /// The branch.
        branch: String,
    },
    /// A file goes back and forth.
    #[error("a file goes in a circle: {}", .flips.join("; "))]
    Loop {
        /// For each file which commits brought it where.
        flips: Vec<String>,
    },
    /// What would be done is not what was approved.
    #[error("this is not the plan that was approved: {}", .differences.join("; "))]
    NotApproved {
        /// What differs.
        differences: Vec<String>,
    },
}

/// Brings the branch to what is decided on its tip.
///
/// Begins on `tip`, if whoever calls has read it already: the branch is compared with it before it is replaced. When
/// somebody else commits meanwhile, everything is read and decided again on the new tip. `shown` is told about a decision
/// before anything is written.
///
/// When a server's API let somebody's commit in between all the same, that the branch holds what is decided on its tip is
/// seen before the run ends.
///
/// A signal that comes while the branch is replaced, or later, is held back: the outcome is there to be told. A caller
/// that goes on after that calls [`Interruptions::give_way`].
pub fn reconcile<'t>(
    order: &Order<'t>,
    tip: Option<Snapshot<'t>>,
    shown: &mut dyn FnMut(&Decided, &[Drift]),
) -> Result<Outcome, ReconcileError> {
    let mut held = None;
    let outcome = attempts(order, tip, shown, &mut held);
    if let Some(held) = held {
        held.release();
    }
    outcome
}

fn attempts<'t>(
    &Order { target, branch, request, mode, local, interruptions }: &Order<'t>,
    mut read_before: Option<Snapshot<'t>>,
    shown: &mut dyn FnMut(&Decided, &[Drift]),
    held: &mut Option<Held<'t>>,
) -> Result<Outcome, ReconcileError> {
    let read = |source| ReconcileError::Read { branch: branch.to_owned(), source };
    let mut is_polite = false;
    // A commit that stands on another one than what it was computed from.
    let mut earlier = None;
    let mut attempt = 0;
    while attempt < TRIES {
        // Read
        let tip = match read_before.take() {
            Some(tip) => tip,
            None => load::read(|wanted| target.read(branch, wanted), |tip| &tip.tree).map_err(read)?,
        };
        let settings = load::repository(&tip.tree).map_err(DecideError::Load)?;
        let pull_request = pull_request_settings(&settings, local.publish);
        // What is missing is told before clusters are read.
        let forge = pull_request.as_ref().map(|_| Forge::of(target, &settings)).transpose()?;
        local.expect_trusted(branch, &tip, &settings)?;
        if let (Some(lock), false, false) = (&settings.lock, is_polite, matches!(mode, Mode::DryRun)) {
            is_polite = true;
            let publish = |source| ReconcileError::Publish { branch: branch.to_owned(), source };
            *held = target.lock(lock, &settings.author, request.now).map_err(publish)?;
            // Whoever was at work has changed the branch.
            continue;
        }
        attempt += 1;
        // Decide
        let decided = decide(&tip.tree, request)?;
        if let Mode::Approved(approved) = mode {
            approved.check(&decided)?;
        }
        if decided.changes.is_empty()
            && let Some(outcome) = earlier.take()
        {
            return Ok(outcome);
        }
        let drift = drift(&tip, &decided.changes).map_err(read)?;
        shown(&decided, &drift);
        // A part of the clusters may be none, and has no pull request then.
        if decided.changes.is_empty() && (pull_request.is_none() || decided.plans.is_empty()) {
            return Ok(Outcome { decided, drift, end: End::UpToDate });
        }
        refuse_loops(&tip, &decided.changes).map_err(|error| match error {
            LoopCheck::Read(source) => read(source),
            LoopCheck::Found(flips) => ReconcileError::Loop { flips },
        })?;
        // Write
        let signer = settings.signing.as_ref().map(|signing| Signer::load(signing, &local.here)).transpose()?;
        let message = message(&decided, &drift);
        if let (Some(settings_of_it), Some(forge)) = (&pull_request, &forge) {
            let served: Vec<_> = decided.plans.iter().map(|plan| plan.name.clone()).collect();
            let published = pull_request::publish(&PullRequestRun {
                forge,
                settings: settings_of_it,
                author: &settings.author,
                base: branch,
                share: &Share::of(&request.clusters, served, &load::names(&tip.tree)),
                tip: &tip,
                decided: &decided,
                drift: &drift,
                message: &message,
                at: request.now,
                signer: signer.as_ref(),
                is_dry_run: matches!(mode, Mode::DryRun),
                interruptions,
            });
            match published {
                Ok(end) => return Ok(Outcome { end: End::PullRequest(end), decided, drift }),
                Err(PullRequestError::Push { source: PublishError::Moved { .. }, branch }) => {
                    info!(attempt, branch, "another run was faster; computing again");
                    target.pause(attempt);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let commit = NewCommit {
            branch,
            base: decided.changes.base.as_ref(),
            files: &decided.changes.files,
            message: &message,
            author: &settings.author,
            at: request.now,
            signer: signer.as_ref(),
        };
        match write(target, &tip, commit, mode, interruptions) {
            Ok(end @ End::Committed(Published { is_on_base: false, .. })) if !matches!(mode, Mode::Approved(_)) => {
                // What came in between may ask for something else, which only another round shows.
                earlier = Some(Outcome { decided, drift, end });
            }
            Ok(end) => return Ok(Outcome { decided, drift, end }),
            Err(PublishError::Moved { found, .. }) => {
                // Nothing of this run is on the branch.
                interruptions.give_way();
                info!(attempt, found = found.as_ref().map(CommitId::as_str), "the branch moved; computing again");
                target.pause(attempt);
            }
            Err(source) => return Err(ReconcileError::Publish { branch: branch.to_owned(), source }),
        }
    }
    Err(ReconcileError::MovedTooOften { branch: branch.to_owned() })
}

/// What the pull request is to have; `None`: changes are committed.
fn pull_request_settings(settings: &RepositoryConfig, publish: Option<Publish>) -> Option<PullRequestSettings> {
    match (publish, &settings.mode) {
        (Some(Publish::Commit), _) | (None, PublishMode::Commit) => None,
        (Some(Publish::PullRequest) | None, PublishMode::PullRequest(settings)) => Some(settings.clone()),
        (Some(Publish::PullRequest), PublishMode::Commit) => Some(PullRequestSettings::default()),
    }
}

impl Local {
    /// Fails unless somebody who is trusted signed the commit, when anybody asks for that.
    fn expect_trusted(
        &self,
        branch: &str,
        tip: &Snapshot<'_>,
        settings: &RepositoryConfig,
    ) -> Result<(), ReconcileError> {
        let trusted = self.trusted_base.as_ref().or(settings.trusted_base.as_ref());
        let (Some(trusted), Some(base)) = (trusted, &tip.tree.base) else { return Ok(()) };
        let failed = |source| ReconcileError::UntrustedBase { branch: branch.to_owned(), source };
        let signed = tip.base_signature(base, trusted).map_err(failed)?;
        info!(commit = %base, by = signed.by, "the base is signed");
        Ok(())
    }
}

fn write(
    target: &Target,
    tip: &Snapshot<'_>,
    commit: NewCommit<'_>,
    mode: &Mode,
    interruptions: &Interruptions,
) -> Result<End, PublishError> {
    let prepared = tip.prepare(commit)?;
    if let Mode::DryRun = mode {
        return Ok(End::WouldCommit(prepared.commit().cloned()));
    }
    let published = interruptions.hold_back(|| target.publish(&prepared))?;
    if !published.stale.is_empty() {
        let paths: Vec<_> = published.stale.iter().map(RepoPath::as_str).collect();
        warn!(?paths, "the work tree was not brought up to date; `git status` shows these files");
    }
    Ok(End::Committed(published))
}

/// Subject, summary and trailers. The trailers say by which plan, on which base, from which inventory.
fn message(decided: &Decided, drift: &[Drift]) -> String {
    let mut text = format!("{}\n\n{}\n", diff::commit_subject(&decided.changes), diff::commit_body(&decided.changes));
    if !drift.is_empty() {
        text.push_str("\nOverwrites edits by hand:\n");
        for Drift { path, commit, .. } in drift {
            text.push_str(&format!("- {path} (edited in {})\n", commit.short()));
        }
    }
    text.push_str(&format!("\nBobbypin-Plan: {}\n", decided.document().digest));
    if let Some(base) = &decided.changes.base {
        text.push_str(&format!("Bobbypin-Base: {base}\n"));
    }
    text.push_str(&format!("Bobbypin-Inventory: {}\n", decided.inventory()));
    text
}

/// The generated files that differ because somebody edited them. A file of somebody else that holds a block of ours is none.
pub fn drift(tip: &Snapshot<'_>, changes: &ChangeSet) -> Result<Vec<Drift>, GitError> {
    let is_generated = |old: &Arc<[u8]>| old.starts_with(MARK.as_bytes());
    let generated = changes.files.iter().filter(|file| file.old.as_ref().is_some_and(is_generated));
    let paths: Vec<_> = generated.map(|file| file.path.clone()).collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let history = tip.history(&paths, DRIFT_WINDOW)?;
    let mut last: BTreeMap<&RepoPath, &PastCommit> = BTreeMap::new();
    for commit in &history {
        for path in commit.changes.keys() {
            last.entry(path).or_insert(commit);
        }
    }
    // Who adds a file, as `init` does, edits nothing.
    let is_edit = |path: &RepoPath, commit: &PastCommit| commit.changes[path].before.is_some();
    let by_hand = last.into_iter().filter(|(path, commit)| !commit.by_bobbypin && is_edit(path, commit));
    Ok(by_hand
        .map(|(path, commit)| Drift { path: path.clone(), commit: commit.id.clone(), author: commit.author.clone() })
        .collect())
}

enum LoopCheck {
    Read(GitError),
    Found(Vec<String>),
}

/// Refuses to take part in a fight about a file.
fn refuse_loops(tip: &Snapshot<'_>, changes: &ChangeSet) -> Result<(), LoopCheck> {
    let paths: Vec<_> = changes.files.iter().map(|file| file.path.clone()).collect();
    let history = tip.history(&paths, LOOP_WINDOW).map_err(LoopCheck::Read)?;
    let found: Vec<_> = flips(&history, &changes.files)
        .into_iter()
        .map(|flip| {
            format!(
                "{}: {} by {} brought what is wanted, {} by {} took it back",
                flip.path,
                flip.there.id.short(),
                flip.there.author.name.escape_debug(),
                flip.back.id.short(),
                flip.back.author.name.escape_debug()
            )
        })
        .collect();
    if found.is_empty() { Ok(()) } else { Err(LoopCheck::Found(found)) }
}

impl Approved {
    /// Refuses a decision that is not the approved one, and says where they differ.
    fn check(&self, decided: &Decided) -> Result<(), ReconcileError> {
        let current = serde_json::to_value(decided.document()).expect("a document is plain JSON");
        if current["base"] == self.document["base"] && current["digest"] == self.document["digest"] {
            return Ok(());
        }
        let mut differences = Vec::new();
        differ("", &self.document, &current, &mut differences);
        Err(ReconcileError::NotApproved { differences })
    }
}

/// The first places where two documents differ.
fn differ(at: &str, approved: &Value, current: &Value, found: &mut Vec<String>) {
    const MOST: usize = 10;
    match (approved, current) {
        _ if approved == current || found.len() >= MOST => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                differ(&format!("{at}/{key}"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{at}/{index}"), a, b, found);
            }
        }
        _ => found.push(format!("{at} was {approved} and is {current}")),
    }
}

impl From<LoadError> for ReconcileError {
    fn from(error: LoadError) -> Self {
        Self::Decide(DecideError::Load(error))
    }
}
