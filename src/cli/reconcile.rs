//! `reconcile`: the branch is to hold what is decided.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    cli::{
        Output, Run,
        error::Failure,
        exit::Exit,
        plan,
        rollout::{Followed, no_cluster},
        sources::{Seen, seconds},
        tree::{Checkout, differing_inputs},
    },
    diff::{
        print::{self, Style, escape::line as line_safe},
        summary,
    },
    edge::{
        files,
        git::{Access, Location, Snapshot, Target},
    },
    model::{
        repository::{RepositoryConfig, Transport},
        tree::CommitId,
    },
    ops::{
        decide::{Decided, Inventories, Request},
        load,
        pull_request::Done,
        reconcile::{Approved, Drift, End, Local, Mode, Order, Outcome, Publish, reconcile},
        selection::Shard,
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
    /// Publish by a commit on the branch, or by a pull request [default: as bobbypin.yaml says]
    #[arg(long, value_enum, value_name = "MODE")]
    publish: Option<By>,
    /// Publish to this repository; no checkout is needed
    #[arg(long, value_name = "URL")]
    remote: Option<String>,
    /// Reach it through Git, or through the API of Gitea or Forgejo where Git is not let in [default: git; with
    /// spec.publish.gitea.transport, that for writing]
    #[arg(long, value_enum, value_name = "TRANSPORT", requires = "remote")]
    transport: Option<Through>,
    /// Serve only the clusters of run I of N, counted from 0, as the index of a Kubernetes Job is
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Follow the commit through Flux until it has arrived in every cluster that can be read [default: 10m]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = seconds, conflicts_with = "dry_run")]
    wait: Option<u32>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

/// How changes reach the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Commit,
    PullRequest,
}

/// What a repository is reached through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Through {
    Git,
    Api,
}

impl ReconcileArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let mut request = args.seen.request(run)?;
    request.clusters.shard = args.shard;
    let mode = match &args.plan {
        Some(path) => Mode::Approved(approved(run, path)?),
        None if args.dry_run => Mode::DryRun,
        None => Mode::Commit,
    };
    if args.wait.is_some() && matches!(request.inventories, Inventories::Files(_)) {
        return Err(no_cluster());
    }
    let Place { target, checkout, location, access } = place(run, args)?;
    let request = match &checkout {
        Some(checkout) => checkout.asked(request)?,
        None => Request { git_server: location.as_ref().and_then(Location::server_name), ..request },
    };
    let (settings, tip) = match &checkout {
        None => tip_of(&target)?,
        Some(checkout) => tip_for(run, checkout, &target)?,
    };
    let by_api;
    let (target, tip) = match (&location, args.transport, settings.gitea.transport) {
        (Some(location), None, Transport::Api) => {
            by_api = Target::open_api(location, &access, settings.gitea.url.as_deref())?;
            (&by_api, None)
        }
        _ => (&target, tip),
    };
    let announcer = if args.dry_run { None } else { run.announcer(&settings, &access)? };
    let is_human = args.output == Output::Human;
    let publish = args.publish.map(|by| match by {
        By::Commit => Publish::Commit,
        By::PullRequest => Publish::PullRequest,
    });
    let order = Order {
        target,
        branch: &settings.branch,
        request: &request,
        mode: &mode,
        local: &Local { publish, ..run.local()? },
        interruptions: &run.interruptions()?,
    };
    let outcome = reconcile(&order, tip, &mut |decided, drift| {
        if is_human {
            show(run, decided, drift);
        }
    })?;
    let exit = plan::exit(&outcome.decided, Exit::Done);
    if is_human {
        run.printer.result(&end(&outcome, &order));
    }
    let told = match (&announcer, &outcome.end) {
        (Some(announcer), End::Committed(published)) => Some(run.announce(announcer, order.branch, &published.commit)),
        _ => None,
    };
    let commit = match &outcome.end {
        End::Committed(published) => Some(&published.commit),
        End::UpToDate => outcome.decided.changes.base.as_ref(),
        // What people merge arrives when they have merged it.
        End::WouldCommit(_) | End::PullRequest(_) => None,
    };
    let followed = match (args.wait, commit) {
        (Some(time), Some(commit)) => Some(run.follow(target, order.branch, &request, commit, time)),
        _ => None,
    };
    let has_arrived = followed.as_ref().is_none_or(Followed::has_arrived);
    let exit = if has_arrived { exit } else { exit.max(Exit::NotObserved) };
    if is_human {
        run.printer.result(&followed.zip(commit).and_then(|(one, commit)| one.line(commit)).unwrap_or_default());
    } else {
        let mut report = report(&outcome, order.branch, exit);
        report["told"] = json!(told);
        report["rollout"] = followed.as_ref().map_or(Value::Null, Followed::json);
        run.printer.result(&format!("{report:#}"));
    }
    Ok(exit)
}

/// Where to publish to.
struct Place {
    target: Target,
    /// The files of this machine, unless the place was named on the command line.
    checkout: Option<Checkout>,
    /// The place that was named there.
    location: Option<Location>,
    access: Access,
}

fn place(run: &Run<'_>, args: &ReconcileArgs) -> Result<Place, Failure> {
    if let Some(remote) = &args.remote {
        let (location, access) = (Location::parse(remote, &run.here)?, run.access(None)?);
        let target = match args.transport {
            Some(Through::Git) | None => Target::open(location.clone(), &access)?,
            Some(Through::Api) => Target::open_api(&location, &access, None)?,
        };
        return Ok(Place { target, checkout: None, location: Some(location), access });
    }
    let checkout = run.checkout()?;
    let target = checkout.target(run)?;
    let access = run.access(Some((&checkout.settings, checkout.repository.root())))?;
    Ok(Place { target, checkout: Some(checkout), location: None, access })
}

/// The settings that count, with the branch to publish to, and that branch's last commit, where it was read to find them.
type Tip<'t> = (RepositoryConfig, Option<Snapshot<'t>>);

/// What the target's HEAD stands for has the settings; they may name another branch.
fn tip_of(target: &Target) -> Result<Tip<'_>, Failure> {
    let tip = load::read(|wanted| target.read_default(wanted), |tip| &tip.tree)?;
    let has_settings = tip.tree.entries.contains_key("bobbypin.yaml");
    let mut settings = load::repository(&tip.tree)?;
    if !has_settings {
        settings.branch.clone_from(&tip.branch);
    }
    let is_it = settings.branch == tip.branch;
    Ok((settings, is_it.then_some(tip)))
}

/// The checkout says which branch; its own edits are not used, only noticed.
fn tip_for<'t>(run: &Run<'_>, checkout: &Checkout, target: &'t Target) -> Result<Tip<'t>, Failure> {
    let tip = load::read(|wanted| target.read(&checkout.settings.branch, wanted), |tip| &tip.tree)?;
    let differing = differing_inputs(&checkout.tree, &tip.tree);
    if !differing.is_empty() {
        let paths: Vec<_> = differing.iter().map(|path| path.as_str()).collect();
        run.printer.remark(&format!(
            "note: the files here differ from the tip of {} and are not used: {}\n  help: commit and push them first",
            tip.branch,
            paths.join(", ")
        ));
    }
    // The settings on the branch count, not the edited ones.
    let settings = load::repository(&tip.tree)?;
    let is_it = settings.branch == tip.branch;
    Ok((settings, is_it.then_some(tip)))
}

fn shard(text: &str) -> Result<Shard, String> {
    let pair = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    let shard = pair.and_then(|(index, count)| Shard::new(index, count));
    shard
        .ok_or_else(|| format!("`{}` is not a run and how many there are, such as `0/4` to `3/4`", text.escape_debug()))
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

fn end(outcome: &Outcome, order: &Order<'_>) -> String {
    let place = format!("{} of {}", order.branch, order.target.place());
    match &outcome.end {
        End::UpToDate if outcome.decided.holds() => {
            format!("► nothing to commit to {place}: what is held stays as it is")
        }
        End::UpToDate => format!("✔ nothing to do: {place} holds what is wanted"),
        End::WouldCommit(_) => format!("► dry run: nothing was written to {place}"),
        End::Committed(published) => format!("✔ committed {} to {place}", published.commit.short()),
        End::PullRequest(end) if end.done == Done::Nothing => {
            format!("✔ nothing to do: {place} holds what is wanted")
        }
        End::PullRequest(end) => end.to_string(),
    }
}

fn report(outcome: &Outcome, branch: &str, exit: Exit) -> Value {
    let (word, commit) = match &outcome.end {
        End::UpToDate => ("UpToDate", None),
        End::WouldCommit(_) => ("DryRun", None),
        End::Committed(published) => ("Committed", Some(&published.commit)),
        End::PullRequest(end) if end.is_dry_run => ("DryRun", None),
        End::PullRequest(end) if end.done == Done::Nothing => ("UpToDate", None),
        End::PullRequest(end) => ("PullRequest", end.commit.as_ref()),
    };
    let pull_request = match &outcome.end {
        End::PullRequest(end) => Some(json!({
            "action": end.done.word(), "branch": end.branch, "number": end.number, "url": end.url,
        })),
        End::UpToDate | End::WouldCommit(_) | End::Committed(_) => None,
    };
    let document = outcome.decided.document();
    let mut report = json!({
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
    });
    if let Some(pull_request) = pull_request {
        report["pullRequest"] = pull_request;
    }
    report
}
