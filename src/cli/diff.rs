//! `diff`: what a commit would change.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    cli::{Run, environment::PullRequest, error::Failure, exit::Exit, plan, sources::Seen},
    diff::print::{self, Style},
    edge::{files, git::Wanted},
    ops::{comment::comment, decide::decide},
};

/// The most bytes of a summary in Markdown: what Gitea takes as the text of a pull request.
const MARKDOWN_BUDGET: usize = 60_000;

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    seen: Seen,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
    /// Which generated files to compare with; the settings are always those of the work tree
    #[arg(long, value_enum, default_value_t = Against::Worktree, value_name = "TREE")]
    against: Against,
    /// Also write the plan, for `reconcile --plan`
    #[arg(long, value_name = "FILE")]
    plan_out: Option<PathBuf>,
    /// Also put the difference on the pull request that the workflow runs for, as one comment that is kept up to date
    ///
    /// For the steps of a workflow of Gitea or Forgejo, with a token in BOBBYPIN_GITEA_TOKEN.
    #[arg(long)]
    comment: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Human,
    /// What `git apply` takes
    Patch,
    /// For programs
    Json,
    /// For the text of a pull request
    Markdown,
    /// For a block of kind `diff` on Gitea
    Gitea,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Against {
    /// The files on disk
    Worktree,
    /// The commit that is checked out
    Head,
    /// The tip of the branch that is published to
    Remote,
}

impl DiffArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &DiffArgs) -> Result<Exit, Failure> {
    // What is missing for it is told before clusters are read.
    let pull_request = if args.comment { Some(run.pull_request()?) } else { None };
    let request = args.seen.request(run)?;
    let checkout = run.checkout()?;
    let request = checkout.asked(request)?;
    let tree = match args.against {
        Against::Worktree => checkout.tree,
        Against::Head => {
            let head = match &checkout.tree.base {
                Some(base) => checkout.repository.read_commit(base, &Wanted::default())?,
                None => Default::default(),
            };
            checkout.inputs_over(head)
        }
        Against::Remote => {
            let tip = checkout.target(run)?.read(&checkout.settings.branch, &Wanted::default())?.tree;
            checkout.inputs_over(tip)
        }
    };
    let decided = decide(&tree, &request)?;
    run.printer.unread(&decided.unread);
    if let Some(path) = &args.plan_out {
        files::write(&run.here.join(path), plan::json(&decided).as_bytes())?;
    }
    let changes = &decided.changes;
    run.printer.result(&match args.output {
        Output::Human => print::human(changes, if run.printer.color() { Style::Colour } else { Style::Plain }),
        Output::Patch => print::patch(changes),
        Output::Json => print::json(changes),
        Output::Markdown => print::markdown(changes, MARKDOWN_BUDGET),
        Output::Gitea => print::gitea(changes),
    });
    let exit = plan::exit(&decided, if changes.is_empty() { Exit::Done } else { Exit::Differences });
    if let Some(PullRequest { address, number, access }) = pull_request
        && let Err(error) = comment(&access, &address, number, &run.global.clusters, &decided)
    {
        // The result is printed already, and stays the only one.
        let failure = Failure::from(error);
        run.printer.error(&failure.human());
        return Ok(exit.max(failure.exit()));
    }
    Ok(exit)
}
