//! `pin reap-check`: what a cleaner would break.

use std::{fmt::Write as _, path::PathBuf};

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        Output, Run,
        error::Failure,
        exit::Exit,
        pin::{open_json, remark_open},
    },
    config::problem::Source,
    diff::print::escape::line as line_safe,
    edge::{files, git::Wanted},
    model::tree::RepoPath,
    ops::{
        pin::reap_check::{Answer, Request, reap_check},
        selection::Selection,
    },
    pins::reap::{Break, Reaped},
};

#[derive(Debug, Args)]
pub(super) struct ReapCheckArgs {
    /// Only what lies in this registry, `host` or `host:port` [default: all]
    #[arg(long, value_name = "HOST")]
    registry: Option<String>,
    /// What the cleaner sees running, as `kubectl get pods,deployments,… -A -o yaml` prints it; `-` reads standard input; may
    /// be repeated [default: the images of what the repository does not suspend or scale to zero]
    #[arg(long, value_name = "FILE")]
    live: Vec<PathBuf>,
    /// The cleaner's list of what to keep, with lines as `container/name==version`
    #[arg(long, value_name = "FILE")]
    pins_file: Option<PathBuf>,
    /// The owner of the packages that the list is about [default: any]
    #[arg(long, value_name = "NAME", requires = "pins_file")]
    owner: Option<String>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl ReapCheckArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &ReapCheckArgs) -> Result<Exit, Failure> {
    let mut checkout = run.checkout_of(&Wanted::manifests())?;
    // What was put down of a cluster is not what somebody wants, even when it lies beside that.
    let root = checkout.repository.root();
    let is_live = |path: &RepoPath| args.live.iter().any(|live| run.here.join(live) == root.join(path.as_str()));
    checkout.tree.entries.retain(|path, _| !is_live(path));
    let read = |path: &PathBuf| -> Result<Source, Failure> {
        let path = if path.as_os_str() == "-" { path.clone() } else { run.here.join(path) };
        Ok(files::read(&path, run.now)?.0)
    };
    let request = Request {
        clusters: Selection::of(run.global.clusters.clone()),
        registry: args.registry.clone(),
        live: args.live.iter().map(read).collect::<Result<_, _>>()?,
        pins_file: args.pins_file.as_ref().map(read).transpose()?,
        owner: args.owner.clone(),
    };
    let answer = reap_check(&checkout.tree, &request)?;
    let broken = answer.reaped.iter().filter(|reaped| !reaped.breaks.is_empty()).count();
    let exit = if broken > 0 { Exit::Findings } else { Exit::Done };
    run.printer.result(&match args.output {
        Output::Human => human(run, &answer, broken),
        Output::Json => {
            let report = json!({
                "apiVersion": "bobbypin.dev/v1alpha1", "kind": "Report", "exitReason": exit.reason(),
                "known": answer.known, "reaped": answer.reaped.iter().map(reaped_json).collect::<Vec<_>>(),
                "open": open_json(&answer.open),
            });
            format!("{report:#}\n")
        }
    });
    remark_open(run, "not looked at", &answer.open);
    Ok(exit)
}

fn reaped_json(reaped: &Reaped) -> Value {
    let breaks = reaped.breaks.iter().map(|Break { user, usage, place }| {
        json!({"user": user.to_string(), "usage": usage.as_str(), "message": format!("{user} {usage}"), "place": place})
    });
    json!({
        "reference": reaped.reference.to_string(), "kind": reaped.kind.as_str(), "breaks": breaks.collect::<Vec<_>>(),
    })
}

fn human(run: &Run<'_>, answer: &Answer, broken: usize) -> String {
    let mut text = String::new();
    let mut add = |line: std::fmt::Arguments<'_>| {
        text.write_fmt(line).expect("writing to memory does not fail");
    };
    for Reaped { reference, kind, breaks } in &answer.reaped {
        let (sign, color) = if breaks.is_empty() { ("·", AnsiColor::White) } else { ("✗", AnsiColor::Red) };
        add(format_args!("{} {}: {reference}\n", run.printer.paint(color, sign), kind.as_str()));
        for Break { user, usage, place } in breaks {
            add(format_args!("    breaks {}\n", line_safe(&format!("{user}, which {usage} ({place})"))));
        }
        if breaks.is_empty() {
            add(format_args!("    nothing here needs it\n"));
        }
    }
    let (deleted, known) = (answer.reaped.len(), answer.known);
    add(format_args!("{deleted} of {known} references would be deleted; {broken} of them would break something\n"));
    let first =
        answer.reaped.iter().find(|reaped| !reaped.breaks.is_empty()).map(|reaped| &reaped.reference.repository);
    if let Some(repository) = first {
        let (registry, owner) = (repository.registry(), repository.path().split('/').next().unwrap_or_default());
        add(format_args!(
            "help: bobbypin pin export --format gitea-pins --registry {registry} --owner {owner} --out FILE\n"
        ));
    }
    text
}
