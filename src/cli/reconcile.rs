//! `reconcile`: the branch is to hold what is decided.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, plan, sources::Seen, tree::differing_inputs},
    diff::{
        print::{self, Style, escape::line as line_safe},
        summary,
    },
    edge::{
        files,
        git::{Location, Repository, Wanted},
    },
    model::{repository::RepositoryConfig, tree::CommitId},
    ops::{
        decide::Decided,
        load,
        reconcile::{Approved, Drift, End, Mode, Outcome, reconcile},
    },
    plan::Decision,
};

#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    seen: Seen,
    /// Show what would be committed, and write nothing anywhere
    #[arg(long)]
    dry_run: bool,
    /// Commit exactly this plan (of `diff --plan-out`), or nothing
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    plan: Option<PathBuf>,
    /// Publish to this repository; no checkout is needed
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl ReconcileArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let request = args.seen.request(run)?;
    let mode = match &args.plan {
        Some(path) => Mode::Approved(approved(run, path)?),
        None if args.dry_run => Mode::DryRun,
        None => Mode::Commit,
    };
    let (target, branch) = target(run, args)?;
    let is_human = args.output == Output::Human;
    let interruptions = run.interruptions()?;
    let outcome = reconcile(&target, &branch, &request, &mode, &interruptions, &mut |decided, drift| {
        if is_human {
            show(run, decided, drift);
        }
    })?;
    let exit = plan::exit(&outcome.decided, Exit::Done);
    if is_human {
        run.printer.result(&end(&outcome, &branch, &target));
    } else {
        run.printer.result(&format!("{:#}", report(&outcome, &branch, exit)));
    }
    Ok(exit)
}

/// Where to publish to. Without `--remote` the checkout says; its own edits are not used, only noticed.
fn target(run: &Run<'_>, args: &ReconcileArgs) -> Result<(Repository, String), Failure> {
    if let Some(remote) = &args.remote {
        let target = Repository::open(&Location::parse(remote, &run.here)?)?;
        // What its HEAD stands for has the settings; they may name another branch.
        let head = target.checked_out_branch()?.unwrap_or_else(|| RepositoryConfig::default().branch);
        let tip = target.read_tip(&head, &Wanted::default())?;
        let branch = if tip.entries.contains_key("bobbypin.yaml") { load::repository(&tip)?.branch } else { head };
        return Ok((target, branch));
    }
    let checkout = run.checkout()?;
    let target = checkout.target()?;
    let branch = checkout.settings.branch.clone();
    let tip = target.read_tip(&branch, &Wanted::default())?;
    let differing = differing_inputs(&checkout.tree, &tip);
    if !differing.is_empty() {
        let paths: Vec<_> = differing.iter().map(|path| path.as_str()).collect();
        run.printer.remark(&format!(
            "note: the files here differ from the tip of {branch} and are not used: {}\n  help: commit and push them first",
            paths.join(", ")
        ));
    }
    // The settings on the branch count, not the edited ones.
    let branch = load::repository(&tip)?.branch;
    Ok((target, branch))
}

fn approved(run: &Run<'_>, path: &std::path::Path) -> Result<Approved, Failure> {
    let (source, _) = files::read(&run.here.join(path), run.now)?;
    let document: Value = serde_json::from_slice(&source.bytes)
        .map_err(|error| Failure::Usage(format!("`{}` is not a plan: {error}", source.path)))?;
    if document["kind"] != "Plan" {
        return Err(Failure::Usage(format!("`{}` is not a plan: its kind is {}", source.path, document["kind"])));
    }
    Ok(Approved { document })
}

/// What is decided, before it is written.
fn show(run: &Run<'_>, decided: &Decided, drift: &[Drift]) {
    let style = if run.printer.color() { Style::Colour } else { Style::Plain };
    run.printer.result(&print::human(&decided.changes, style));
    for Drift { path, commit, author } in drift {
        run.printer.error(&format!(
            "warning: {path} was edited by hand in {} by {}; the edit is overwritten",
            commit.short(),
            line_safe(&author.name)
        ));
    }
    run.printer.unread(&decided.unread);
    for (plan, layer) in decided.plans.iter().flat_map(|plan| plan.layers.iter().map(move |layer| (plan, layer))) {
        if let Decision::Hold { reason, .. } = &layer.decision {
            let fix = reason.fix.as_ref().map(|fix| format!("\n  help: {fix}")).unwrap_or_default();
            run.printer.error(&format!(
                "held: {} {}: {} ({}){fix}",
                plan.name,
                layer.layer,
                line_safe(&reason.message),
                reason.code
            ));
        }
    }
}

fn end(outcome: &Outcome, branch: &str, target: &Repository) -> String {
    // The components leave out the slash that libgit2 puts at the end.
    let place = format!("{branch} of {}", target.root().components().as_path().display());
    match &outcome.end {
        End::UpToDate if outcome.decided.holds() => {
            format!("► nothing to commit to {place}: what is held stays as it is")
        }
        End::UpToDate => format!("✔ nothing to do: {place} holds what is wanted"),
        End::WouldCommit(_) => format!("► dry run: nothing was written to {place}"),
        End::Committed(published) => format!("✔ committed {} to {place}", published.commit.short()),
    }
}

fn report(outcome: &Outcome, branch: &str, exit: Exit) -> Value {
    let (word, commit) = match &outcome.end {
        End::UpToDate => ("UpToDate", None),
        End::WouldCommit(_) => ("DryRun", None),
        End::Committed(published) => ("Committed", Some(&published.commit)),
    };
    let document = outcome.decided.document();
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Report",
        "exitReason": exit.reason(),
        "outcome": word,
        "branch": branch,
        "commit": commit.map(CommitId::as_str),
        "unread": outcome.decided.unread,
        "summary": summary(&outcome.decided.changes),
        "drift": outcome.drift.iter().map(|drift| json!({
            "path": drift.path, "commit": drift.commit, "author": drift.author.name,
        })).collect::<Vec<_>>(),
        "plan": document,
    })
}
