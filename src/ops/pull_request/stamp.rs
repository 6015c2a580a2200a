//! The second commit of a pull request: it says in Git which pull request the first one came with. That is known only
//! when there is one, so it is a commit of its own.

use crate::{
    diff::{self, FileChange},
    edge::git::{NewCommit, Prepared},
    model::{stamp::Stamp, tree::CommitId},
    ops::pull_request::{Publishing, PullRequestError, PullRequestRun, Push, branch},
    render,
};

impl Publishing<'_> {
    /// Puts the commit with the number of the pull request on the branch, which [`Publishing::push`] has brought to `head`.
    /// Gives the commit that the branch is at then, and whether it was moved.
    pub(super) fn stamp(&self, number: u64, push: &Push, head: CommitId) -> Result<(CommitId, bool), PullRequestError> {
        let stamped = match push {
            Push::Stays { stamped, .. } => stamped.as_ref(),
            Push::Create | Push::Replace { .. } => None,
        };
        if !self.run.settings.stamp {
            return Ok((head, false));
        }
        let first = stamped.map_or(&head, |stamped| &stamped.first);
        let stamp = Stamp { change_request: number, commit: first.clone() };
        let Some(files) = files(self.run, &stamp)? else { return Ok((head, false)) };
        let mut message = message(self.run, &stamp);
        let tree = prepare(self.run, self.branch, &files, &message, first, false)?.tree;
        if stamped.is_some_and(|stamped| stamped.tree == tree) {
            return Ok((head, false));
        }
        message.push_str(&format!("{}: {tree}\n", branch::TREE));
        let prepared = prepare(self.run, self.branch, &files, &message, first, true)?;
        let replace = || self.run.forge.server.replace(self.branch, Some(&head), &prepared);
        let published = self.run.interruptions.hold_back(replace);
        Ok((published.map_err(|source| self.push_failed(source))?.commit, true))
    }
}

/// The changes of a run with the stamp in the list of layers of every cluster whose manifests change. `None`: there is no
/// such cluster.
///
/// # Errors
///
/// [`PullRequestError::NoPlace`]: a cluster's own template leaves no room for it.
pub(super) fn files(run: &PullRequestRun<'_>, stamp: &Stamp) -> Result<Option<Vec<FileChange>>, PullRequestError> {
    let mut files = run.decided.changes.files.clone();
    let mut is_stamped = false;
    for cluster in run.decided.manifests.clusters() {
        let manifests = cluster.folder.join("manifests");
        if !run.decided.changes.files.iter().any(|file| file.path.below(manifests.as_str()).is_some()) {
            continue;
        }
        let path = manifests.join("kustomization.yaml");
        let Some(list) = cluster.files.get(&path) else { continue };
        let stamped = render::stamped(list, stamp);
        if let Some(problem) = stamped.problems(&path).into_iter().next() {
            return Err(PullRequestError::NoPlace { problem: problem.to_string() });
        }
        let new = Some(stamped.text.into_bytes().into());
        match files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.new = new,
            None => {
                let old = run.tip.tree.file(path.as_str()).cloned();
                files.push(FileChange::plain(path, cluster.name.clone(), old, new));
            }
        }
        is_stamped = true;
    }
    Ok(is_stamped.then_some(files))
}

/// The message of the commit up to its last trailer, which says what the commit holds.
fn message(run: &PullRequestRun<'_>, stamp: &Stamp) -> String {
    let subject = diff::commit_subject(&run.decided.changes);
    let scope = subject.split_once(": ").map_or("clusters", |(scope, _)| scope);
    let Stamp { change_request, commit } = stamp;
    let (plan, base, key) = (run.decided.document().digest, branch::BASE, branch::STAMP);
    format!(
        "{scope}: stamp for pull request #{change_request}\n\nBobbypin-Plan: {plan}\n{base}: {commit}\n{key}: \
         {change_request}\n"
    )
}

/// Makes the commit in memory, on the one that the stamp names.
fn prepare<'r>(
    run: &PullRequestRun<'r>,
    branch: &'r str,
    files: &'r [FileChange],
    message: &'r str,
    first: &CommitId,
    is_signed: bool,
) -> Result<Prepared<'r>, PullRequestError> {
    let commit = NewCommit {
        branch,
        base: run.decided.changes.base.as_ref(),
        files,
        message,
        author: run.author,
        at: run.at,
        signer: run.signer.filter(|_| is_signed),
    };
    run.tip.prepare_onto(commit, first).map_err(|source| PullRequestError::Push { branch: branch.to_owned(), source })
}
