//! Read, decide, write: the branch is to hold what was decided.

use std::collections::BTreeMap;

use serde_json::Value;
use tracing::{info, warn};

use crate::{
    diff::{self, ChangeSet},
    edge::{
        git::{GitError, LOOP_WINDOW, NewCommit, PastCommit, PublishError, Published, Repository, Wanted, flips},
        signals::Interruptions,
    },
    model::{
        repository::Author,
        tree::{CommitId, RepoPath},
    },
    ops::{
        decide::{DecideError, Decided, Request, decide},
        load::{self, LoadError},
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

/// A plan that was approved: a document of [`crate::plan::document`], read back.
#[derive(Debug)]
pub struct Approved {
    /// The whole document.
    pub document: Value,
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
    /// It would change; nothing was written.
    WouldCommit(CommitId),
    /// It changed.
    Committed(Published),
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
    /// The commit was not made.
    #[error("cannot commit to the branch `{branch}`")]
    Publish {
        /// The branch.
        branch: String,
        /// Why.
        source: PublishError,
    },
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
/// When somebody else commits meanwhile, everything is read and decided again on the new tip. `held` is told about a
/// decision before anything is written.
pub fn reconcile(
    target: &Repository,
    branch: &str,
    request: &Request,
    mode: &Mode,
    interruptions: &Interruptions,
    shown: &mut dyn FnMut(&Decided, &[Drift]),
) -> Result<Outcome, ReconcileError> {
    let read = |source| ReconcileError::Read { branch: branch.to_owned(), source };
    for attempt in 1..=TRIES {
        // Read
        let tree = target.read_tip(branch, &Wanted::default()).map_err(read)?;
        let settings = load::repository(&tree).map_err(DecideError::Load)?;
        // Decide
        let decided = decide(&tree, request)?;
        if let Mode::Approved(approved) = mode {
            approved.check(&decided)?;
        }
        let drift = drift(target, &decided.changes).map_err(read)?;
        shown(&decided, &drift);
        if decided.changes.is_empty() {
            return Ok(Outcome { decided, drift, end: End::UpToDate });
        }
        refuse_loops(target, &decided.changes).map_err(|error| match error {
            LoopCheck::Read(source) => read(source),
            LoopCheck::Found(flips) => ReconcileError::Loop { flips },
        })?;
        // Write
        let message = message(&decided, &drift);
        let commit = NewCommit {
            branch,
            base: decided.changes.base.as_ref(),
            files: &decided.changes.files,
            message: &message,
            author: &settings.author,
            at: request.now,
        };
        match write(target, commit, mode, interruptions) {
            Ok(end) => return Ok(Outcome { decided, drift, end }),
            Err(PublishError::Moved { found, .. }) => {
                info!(attempt, found = found.as_ref().map(CommitId::as_str), "the branch moved; computing again");
            }
            Err(source) => return Err(ReconcileError::Publish { branch: branch.to_owned(), source }),
        }
    }
    Err(ReconcileError::MovedTooOften { branch: branch.to_owned() })
}

fn write(
    target: &Repository,
    commit: NewCommit<'_>,
    mode: &Mode,
    interruptions: &Interruptions,
) -> Result<End, PublishError> {
    let prepared = target.prepare(commit)?;
    if let Mode::DryRun = mode {
        return Ok(End::WouldCommit(prepared.commit));
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

/// The generated files that differ because somebody edited them.
pub fn drift(target: &Repository, changes: &ChangeSet) -> Result<Vec<Drift>, GitError> {
    let Some(base) = &changes.base else { return Ok(Vec::new()) };
    let paths: Vec<_> = changes.files.iter().filter(|file| file.old.is_some()).map(|file| file.path.clone()).collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let history = target.history(base, &paths, DRIFT_WINDOW)?;
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
fn refuse_loops(target: &Repository, changes: &ChangeSet) -> Result<(), LoopCheck> {
    let Some(base) = &changes.base else { return Ok(()) };
    let paths: Vec<_> = changes.files.iter().map(|file| file.path.clone()).collect();
    let history = target.history(base, &paths, LOOP_WINDOW).map_err(LoopCheck::Read)?;
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
