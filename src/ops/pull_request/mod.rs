//! Publishing by a pull request: one branch and one pull request for each set of clusters, kept as they are wanted.
//!
//! [`decide()`] says what is to be done about what [`publish`] has read. What somebody else has put on the branch is never
//! touched, what somebody has closed is not proposed again, and when nothing has changed nothing is written: no push, no
//! change of a text, no comment. A run that ends in the middle leaves something that the next one completes: the branch is
//! pushed first, and tells by itself whether it is ours; everything else is compared and put right.

use std::fmt;

use jiff::Timestamp;
use tracing::info;

use crate::{
    diff::{self, print::escape},
    edge::{
        git::{NewCommit, Prepared, PublishError, Ready, Signer, Snapshot},
        gitea::{AutoMerge, Edit, Gitea, NewPullRequest, PullRequest, PullRequestState, Status, StatusState, Written},
        signals::Interruptions,
    },
    model::{
        digest::Digest,
        repository::{Author, PullRequestSettings},
        stamp::Stamp,
        tree::CommitId,
    },
    ops::{decide::Decided, reconcile::Drift},
    plan::{Decision, HoldCause},
};

mod branch;
mod decide;
mod error;
mod forge;
mod marker;
mod stamp;
mod text;

pub use self::{
    branch::{Share, head_branch, stamped, stands},
    decide::{Action, Branch, Latest, Proposal, Push, Situation, Stamped, decide},
    error::PullRequestError,
    forge::Forge,
    marker::{Marker, MarkerState},
};

/// The hidden first line of the one comment that this program makes on a pull request.
const NOTE: &str = "<!-- bobbypin:note -->";

/// What is to be published, and how.
pub struct PullRequestRun<'a> {
    /// The server.
    pub forge: &'a Forge<'a>,
    /// What the pull request is to have.
    pub settings: &'a PullRequestSettings,
    /// Who commits.
    pub author: &'a Author,
    /// The branch that the pull request is for.
    pub base: &'a str,
    /// The clusters that were decided.
    pub share: &'a Share,
    /// The last commit of that branch.
    pub tip: &'a Snapshot<'a>,
    /// What was decided on it.
    pub decided: &'a Decided,
    /// What was edited by hand since.
    pub drift: &'a [Drift],
    /// The message of the commit, which ends in trailers.
    pub message: &'a str,
    /// The time of the run.
    pub at: Timestamp,
    /// Who signs the commit; `None`: nobody.
    pub signer: Option<&'a Signer>,
    /// Whether nothing is to be written anywhere.
    pub is_dry_run: bool,
    /// What a push is kept from.
    pub interruptions: &'a Interruptions,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestEnd {
    /// What was done; of a dry run: what would have been.
    pub done: Done,
    /// The branch of the pull request.
    pub branch: String,
    /// The pull request.
    pub number: Option<u64>,
    /// Its page.
    pub url: Option<String>,
    /// The commit that it brings, or would.
    pub commit: Option<CommitId>,
    /// Whether nothing was written.
    pub is_dry_run: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing is wanted, and there was nothing to take away.
    Nothing,
    /// A new pull request.
    Opened,
    /// It brings something else now, or stands on another commit.
    Rebuilt,
    /// What was missing or changed beside its commit was put right.
    Repaired,
    /// It was as it is wanted.
    Unchanged,
    /// The server has merged it.
    Merged,
    /// It had nothing more to bring.
    Closed,
    /// Somebody closed it: the changes wait until they are others.
    Held,
    /// It stays as it is, because not everything could be read.
    Waiting,
    /// Only a branch was left, which is gone now.
    BranchRemoved,
}

impl Done {
    /// The word for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "Nothing",
            Self::Opened => "Opened",
            Self::Rebuilt => "Rebuilt",
            Self::Repaired => "Repaired",
            Self::Unchanged => "Unchanged",
            Self::Merged => "Merged",
            Self::Closed => "Closed",
            Self::Held => "Held",
            Self::Waiting => "Waiting",
            Self::BranchRemoved => "BranchRemoved",
        }
    }
}

/// For people.
impl fmt::Display for PullRequestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, branch, number, url, is_dry_run, .. } = self;
        let it = match (number, url) {
            (Some(number), Some(url)) => format!("pull request {number} ({})", escape::line(url)),
            _ => "the pull request".to_owned(),
        };
        let (sign, said) = match done {
            Done::Nothing => ("✔", "nothing to do".to_owned()),
            Done::Opened => ("✔", format!("opened {it} for the branch {branch}")),
            Done::Rebuilt => ("✔", format!("brought {it} up to date")),
            Done::Repaired => ("✔", format!("put {it} right")),
            Done::Unchanged => ("✔", format!("nothing to do: {it} is as it is wanted")),
            Done::Merged => ("✔", format!("{it} is merged")),
            Done::Closed => ("✔", format!("closed {it}, which had nothing more to bring")),
            Done::Held => ("►", format!("somebody closed {it}: its changes are held until they are others")),
            Done::Waiting => ("►", format!("{it} stays as it is, because not everything could be read")),
            Done::BranchRemoved => ("✔", format!("removed the branch {branch}, which had nothing more to bring")),
        };
        let writes = match done {
            Done::Opened | Done::Rebuilt | Done::Repaired | Done::Closed | Done::BranchRemoved => true,
            Done::Nothing | Done::Unchanged | Done::Merged | Done::Held | Done::Waiting => false,
        };
        if *is_dry_run && writes {
            return write!(f, "► dry run: nothing was written; a run would have {said}");
        }
        write!(f, "{sign} {said}")
    }
}

/// Makes the branch and the pull request as they are wanted.
///
/// # Errors
///
/// [`PullRequestError`]; [`PullRequestError::Push`] with [`PublishError::Moved`] asks for a new computation, because another
/// run was faster.
pub fn publish(run: &PullRequestRun<'_>) -> Result<PullRequestEnd, PullRequestError> {
    let branch = head_branch(&run.settings.branch, run.share);
    let gitea = run.forge.gitea();
    let mut found = gitea.pull_requests(run.base, &branch)?;
    let message;
    let prepared = match run.decided.changes.is_empty() {
        true => None,
        false => {
            message = certified(run, &branch)?;
            Some(prepare(run, &branch, &message, run.signer)?)
        }
    };
    let proposal = match (&prepared, &run.decided.changes.base) {
        (Some(prepared), Some(base)) => {
            let changes = diff::fingerprint(&run.decided.changes);
            Some(Proposal { changes, base: base.clone(), tree: prepared.tree })
        }
        (Some(_), None) => return Err(PullRequestError::NoBase { branch: run.base.to_owned() }),
        (None, _) => None,
    };
    // A template that leaves no room for a stamp is told before anything is written, whatever the number will be.
    if let (true, Some(proposal)) = (run.settings.stamp, &proposal) {
        stamp::files(run, &Stamp { change_request: 1, commit: proposal.base.clone() })?;
    }
    let mut situation = Situation {
        wanted: proposal,
        is_complete: !run.is_missing_something(),
        branch: look(run, &branch, newest(&found))?,
        latest: standing(newest(&found)),
    };
    let mut action = decide(&situation);
    // The run that pushed was killed, or it has not come to the pull request yet.
    if matches!(action, Action::Open { push: Push::Stays { .. } })
        && let Some(made) = gitea.await_pull_request(run.base, &branch)?
    {
        found.insert(0, made);
        situation.latest = standing(newest(&found));
        action = decide(&situation);
    }
    info!(?action, branch, "decided about the pull request");
    let publishing = Publishing { run, gitea, branch: &branch, latest: newest(&found), prepared };
    let open = found.iter().filter(|one| one.state == PullRequestState::Open);
    publishing.close_surplus(&open.collect::<Vec<_>>())?;
    publishing.act(&action, situation.wanted.as_ref())
}

/// The message with a last trailer: the id of what the commit holds.
fn certified(run: &PullRequestRun<'_>, branch: &str) -> Result<String, PullRequestError> {
    let tree = prepare(run, branch, run.message, None)?.tree;
    Ok(format!("{}\n{}: {tree}\n", run.message.trim_end(), branch::TREE))
}

fn prepare<'r>(
    run: &PullRequestRun<'r>,
    branch: &'r str,
    message: &'r str,
    signer: Option<&'r Signer>,
) -> Result<Prepared<'r>, PullRequestError> {
    let changes = &run.decided.changes;
    let commit = NewCommit {
        branch,
        base: changes.base.as_ref(),
        files: &changes.files,
        message,
        author: run.author,
        at: run.at,
        signer,
    };
    let failed = |source| PullRequestError::Push { branch: branch.to_owned(), source };
    match run.tip.prepare(commit).map_err(failed)? {
        Ready::Made(prepared) => Ok(prepared),
        Ready::Asked(_) => unreachable!("a forge is a server that Git reaches"),
    }
}

/// What stands on the branch of the pull request.
fn look(run: &PullRequestRun<'_>, branch: &str, latest: Option<&PullRequest>) -> Result<Branch, PullRequestError> {
    let failed = |source| PullRequestError::Read { branch: branch.to_owned(), source };
    let reference = |name: &str| run.forge.server.reference(name).map_err(failed);
    let Some(tip) = reference(&format!("refs/heads/{branch}"))? else { return Ok(Branch::Missing) };
    if let Some(PullRequest { number, state: PullRequestState::Merged, .. }) = latest {
        // The API gives what the branch is at now. What was merged, only this reference tells.
        if reference(&format!("refs/pull/{number}/head"))?.as_ref() == Some(&tip) {
            return Ok(Branch::Merged { tip });
        }
    }
    let header = run.forge.server.header(&tip).map_err(failed)?;
    let below = stamped(&header).map(|first| run.forge.server.header(first).map_err(failed)).transpose()?;
    Ok(stands(tip, &header, below.as_ref(), run.author))
}

/// The pull request that counts: the first of the open ones, else the newest that was not one too many.
fn newest(found: &[PullRequest]) -> Option<&PullRequest> {
    let open = found.iter().filter(|one| one.state == PullRequestState::Open).min_by_key(|one| one.number);
    let is_surplus =
        |one: &&PullRequest| Marker::read(&one.body).is_some_and(|marker| marker.state == MarkerState::Surplus);
    open.or_else(|| found.iter().find(|one| !is_surplus(one)))
}

fn standing(latest: Option<&PullRequest>) -> Latest {
    let Some(PullRequest { number, state, body, .. }) = latest else { return Latest::None };
    match (state, Marker::read(body)) {
        (PullRequestState::Open, _) => Latest::Open { number: *number },
        (PullRequestState::Merged, _) => Latest::Merged,
        (PullRequestState::Closed, Some(marker)) if marker.state == MarkerState::Closed => Latest::ClosedByUs,
        (PullRequestState::Closed, marker) => {
            Latest::ClosedByPerson { number: *number, changes: marker.map(|marker| marker.changes) }
        }
    }
}

impl PullRequestRun<'_> {
    /// Whether something is missing among what is wanted only because it could not be read.
    fn is_missing_something(&self) -> bool {
        let mut layers = self.decided.plans.iter().flat_map(|plan| &plan.layers);
        let is_held =
            layers.any(|layer| matches!(layer.decision, Decision::Hold { cause: HoldCause::NotObserved, .. }));
        is_held || !self.decided.unread.is_empty()
    }
}

/// A run that has decided.
struct Publishing<'r> {
    run: &'r PullRequestRun<'r>,
    gitea: Gitea<'r>,
    branch: &'r str,
    latest: Option<&'r PullRequest>,
    prepared: Option<Prepared<'r>>,
}

impl Publishing<'_> {
    fn act(&self, action: &Action, wanted: Option<&Proposal>) -> Result<PullRequestEnd, PullRequestError> {
        match (action, wanted) {
            (Action::Nothing, _) => Ok(self.end(Done::Nothing, None)),
            (Action::RemoveBranch { tip }, _) => {
                self.remove_branch(tip)?;
                Ok(self.end(Done::BranchRemoved, None))
            }
            (Action::Close { tip, .. }, _) => {
                self.close(tip.as_ref())?;
                Ok(self.end(Done::Closed, None))
            }
            (Action::Wait { .. }, _) => Ok(self.end(Done::Waiting, None)),
            (Action::Held { .. }, _) => Ok(self.end(Done::Held, None)),
            (Action::LeaveAlone { number, tip, why }, _) => Err(self.leave_alone(*number, tip, why)?),
            (Action::Open { push }, Some(wanted)) => self.open(push, wanted),
            (Action::Update { number, push }, Some(wanted)) => self.update(*number, push, wanted),
            (Action::Open { .. } | Action::Update { .. }, None) => {
                unreachable!("only what is wanted is proposed")
            }
        }
    }

    fn end(&self, done: Done, commit: Option<CommitId>) -> PullRequestEnd {
        let is_about_one = !matches!(done, Done::Nothing | Done::BranchRemoved | Done::Opened);
        let latest = self.latest.filter(|_| is_about_one);
        PullRequestEnd {
            done,
            branch: self.branch.to_owned(),
            number: latest.map(|latest| latest.number),
            url: latest.map(|latest| latest.url.clone()),
            commit,
            is_dry_run: self.run.is_dry_run,
        }
    }

    fn remove_branch(&self, tip: &CommitId) -> Result<(), PullRequestError> {
        if self.run.is_dry_run {
            return Ok(());
        }
        let removed = self.run.interruptions.hold_back(|| self.run.forge.server.remove(self.branch, tip));
        removed.map_err(|source| self.push_failed(source))
    }

    /// Says first that it is this program that closes: who closes by hand means something else.
    fn close(&self, tip: Option<&CommitId>) -> Result<(), PullRequestError> {
        let Some(latest) = self.latest.filter(|_| !self.run.is_dry_run) else { return Ok(()) };
        let marker = Marker::read(&latest.body);
        let marker = marker.unwrap_or_else(|| Marker {
            changes: diff::fingerprint(&self.run.decided.changes),
            head: latest.head.clone(),
            state: MarkerState::Closed,
            merge: None,
        });
        let body = Marker { state: MarkerState::Closed, ..marker }.put_into(&latest.body);
        self.gitea.edit_pull_request(latest.number, &Edit { body: Some(&body), ..Edit::default() })?;
        self.gitea.comment(latest.number, NOTE, &text::note_closed(self.run.base))?;
        self.gitea.close(latest.number)?;
        tip.map_or(Ok(()), |tip| self.remove_branch(tip))
    }

    /// Leaves one open pull request: the first.
    fn close_surplus(&self, open: &[&PullRequest]) -> Result<(), PullRequestError> {
        let Some(kept) = open.iter().map(|one| one.number).min().filter(|_| !self.run.is_dry_run) else {
            return Ok(());
        };
        for surplus in open.iter().filter(|one| one.number != kept) {
            let (changes, head) = (diff::fingerprint(&self.run.decided.changes), surplus.head.clone());
            let marker = Marker { changes, head, state: MarkerState::Surplus, merge: None };
            let body = format!("{}\n{}", marker.line(), text::note_surplus(kept));
            self.gitea.edit_pull_request(surplus.number, &Edit { body: Some(&body), ..Edit::default() })?;
            self.gitea.close(surplus.number)?;
        }
        Ok(())
    }

    /// The error that says so, once the pull request says so too.
    fn leave_alone(
        &self,
        number: Option<u64>,
        tip: &CommitId,
        why: &str,
    ) -> Result<PullRequestError, PullRequestError> {
        if let Some(number) = number.filter(|_| !self.run.is_dry_run) {
            self.gitea.comment(number, NOTE, &text::note_left_alone(self.branch, tip, why))?;
        }
        let url = number.and(self.latest).map(|latest| latest.url.clone());
        Ok(PullRequestError::LeftAlone {
            branch: self.branch.to_owned(),
            tip: tip.clone(),
            why: escape::line(why),
            url,
        })
    }

    /// Brings the branch to what is wanted, and gives the commit that it is at then.
    fn push(&self, push: &Push) -> Result<CommitId, PullRequestError> {
        let prepared = self.prepared.as_ref().expect("what is wanted was prepared");
        let expected = match push {
            Push::Stays { tip, .. } => return Ok(tip.clone()),
            Push::Create => None,
            Push::Replace { tip } => Some(tip),
        };
        if self.run.is_dry_run {
            return Ok(prepared.commit.clone());
        }
        let replace = || self.run.forge.server.replace(self.branch, expected, prepared);
        let published = self.run.interruptions.hold_back(replace);
        published.map(|published| published.commit).map_err(|source| self.push_failed(source))
    }

    fn push_failed(&self, source: PublishError) -> PullRequestError {
        PullRequestError::Push { branch: self.branch.to_owned(), source }
    }

    fn open(&self, push: &Push, wanted: &Proposal) -> Result<PullRequestEnd, PullRequestError> {
        let head = self.push(push)?;
        if self.run.is_dry_run {
            return Ok(self.end(Done::Opened, Some(head)));
        }
        let mut marker = Marker { changes: wanted.changes.clone(), head, state: MarkerState::Open, merge: None };
        let (title, body) = self.texts(&marker);
        let new = NewPullRequest {
            base: self.run.base,
            head: self.branch,
            title: &title,
            body: &body,
            assignees: &self.run.settings.assignees,
        };
        let created = self.gitea.create_pull_request(&new)?;
        // Whoever comes last sees all that were made, and everybody keeps the same.
        let found = self.gitea.pull_requests(self.run.base, self.branch)?;
        let open: Vec<_> = found.iter().filter(|one| one.state == PullRequestState::Open).collect();
        let made = newest(&found).unwrap_or(&created);
        self.close_surplus(&open)?;
        (marker.head, _) = self.stamp(made.number, push, marker.head)?;
        let (_, is_merged) = self.complete(made.number, &mut marker, true)?;
        Ok(PullRequestEnd {
            number: Some(made.number),
            url: Some(made.url.clone()),
            ..self.end(if is_merged { Done::Merged } else { Done::Opened }, Some(marker.head))
        })
    }

    fn update(&self, number: u64, push: &Push, wanted: &Proposal) -> Result<PullRequestEnd, PullRequestError> {
        let head = self.push(push)?;
        let is_pushed = !matches!(push, Push::Stays { .. });
        let is_rebuilt = |other| if is_pushed { Done::Rebuilt } else { other };
        if self.run.is_dry_run {
            return Ok(self.end(is_rebuilt(Done::Unchanged), Some(head)));
        }
        let (head, is_stamped) = self.stamp(number, push, head)?;
        let before = self.latest.and_then(|latest| Marker::read(&latest.body));
        let merge = before.and_then(|marker| marker.merge);
        let mut marker = Marker { changes: wanted.changes.clone(), head, state: MarkerState::Open, merge };
        let (is_written, is_merged) = self.complete(number, &mut marker, is_pushed || is_stamped)?;
        let done = match (is_merged, is_written || is_stamped) {
            (true, _) => Done::Merged,
            (false, true) => is_rebuilt(Done::Repaired),
            (false, false) => is_rebuilt(Done::Unchanged),
        };
        Ok(self.end(done, Some(marker.head)))
    }

    fn texts(&self, marker: &Marker) -> (String, String) {
        let plan = self.plan();
        let page = self.page(&plan);
        (text::title(page.changes), text::body(&page, marker))
    }

    fn plan(&self) -> Digest {
        self.run.decided.document().digest
    }

    fn page<'p>(&'p self, plan: &'p Digest) -> text::Page<'p> {
        let Decided { changes, plans, unread, .. } = self.run.decided;
        text::Page { changes, plans, unread, drift: self.run.drift, plan }
    }

    /// Puts right everything of a pull request but its branch. Says whether anything was written, and whether the server
    /// has merged it.
    fn complete(&self, number: u64, marker: &mut Marker, is_new: bool) -> Result<(bool, bool), PullRequestError> {
        let PullRequestSettings { labels, assignees, reviewers, auto_merge, .. } = self.run.settings;
        let mut written = Vec::new();
        // The server remembers what it was told about the pull request; who took that back meant it.
        let wants_merge = auto_merge.filter(|style| is_new || marker.merge != Some(*style));
        if auto_merge.is_none() {
            marker.merge = None;
        }
        let (title, body) = self.texts(marker);
        let edit = Edit { title: Some(&title), body: Some(&body), assignees: Some(assignees) };
        written.push(self.gitea.edit_pull_request(number, &edit)?);
        written.push(self.gitea.ensure_labels(number, labels)?);
        written.push(self.gitea.request_reviewers(number, reviewers)?);
        let plan = self.plan();
        let page = self.page(&plan);
        for (context, (state, line)) in
            [("bobbypin/plan", text::plan_status(&page)), ("bobbypin/audit", text::audit_status(&page))]
        {
            written.push(self.set_status(&marker.head, context, state, &line)?);
        }
        let mut is_merged = false;
        if let Some(style) = wants_merge {
            match self.gitea.auto_merge(number, style, &marker.head)? {
                AutoMerge::Merged => is_merged = true,
                AutoMerge::Scheduled | AutoMerge::AlreadyScheduled => {
                    marker.merge = Some(style);
                    let (_, body) = self.texts(marker);
                    let edit = Edit { body: Some(&body), ..Edit::default() };
                    written.push(self.gitea.edit_pull_request(number, &edit)?);
                }
            }
        }
        Ok((written.iter().any(|written| *written != Written::Unchanged), is_merged))
    }

    fn set_status(
        &self,
        commit: &CommitId,
        context: &str,
        state: StatusState,
        description: &str,
    ) -> Result<Written, PullRequestError> {
        Ok(self.gitea.set_status(commit, &Status { context, state, description, target_url: None })?)
    }
}
