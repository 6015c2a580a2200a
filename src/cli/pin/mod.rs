//! `pin`: which bytes references mean, and that they stay where they are. One file for every subcommand.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    cli::{Run, error::Failure, exit::Exit, printer::Printer, tree::Checkout},
    diff::print::escape::line as line_safe,
    edge::registry::Registries,
    model::finding::Finding,
    pins::references::Open,
};

mod export;
mod list;
mod mirror;
mod reap_check;
mod update;
mod verify;

#[derive(Debug, Args)]
pub(super) struct PinArgs {
    #[command(subcommand)]
    command: PinCommand,
}

#[derive(Debug, Subcommand)]
enum PinCommand {
    /// Ask the registries for digests, and write them into pins.yaml
    Update(update::UpdateArgs),
    /// Look whether the registries still have what is pinned
    Verify(verify::VerifyArgs),
    /// Print what is pinned, for what, since when and until when
    List(list::ListArgs),
    /// Print or write a list of everything that must stay in the registries
    Export(export::ExportArgs),
    /// Print where everything is pulled from, or check that the mirrors have the same bytes
    Mirror(mirror::MirrorArgs),
    /// Print what a cleaner would delete that sees only what runs, and what that breaks
    ReapCheck(reap_check::ReapCheckArgs),
}

impl PinArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            PinCommand::Update(args) => args.wants_json(),
            PinCommand::Verify(args) => args.wants_json(),
            PinCommand::List(args) => args.wants_json(),
            PinCommand::Export(args) => args.wants_json(),
            PinCommand::Mirror(args) => args.wants_json(),
            PinCommand::ReapCheck(args) => args.wants_json(),
        }
    }
}

pub(super) fn run(run: &Run<'_>, args: &PinArgs) -> Result<Exit, Failure> {
    match &args.command {
        PinCommand::Update(args) => update::run(run, args),
        PinCommand::Verify(args) => verify::run(run, args),
        PinCommand::List(args) => list::run(run, args),
        PinCommand::Export(args) => export::run(run, args),
        PinCommand::Mirror(args) => mirror::run(run, args),
        PinCommand::ReapCheck(args) => reap_check::run(run, args),
    }
}

/// The way to the registries. `cache_seconds`: for how long what they said of tags is not asked for again; 0: not at all.
fn registries(run: &Run<'_>, checkout: &Checkout, cache_seconds: u32) -> Result<Registries, Failure> {
    Registries::new(run.registries(checkout, cache_seconds)?).map_err(Failure::registries)
}

/// How a run ends that asked registries. What is proved goes before what is not known.
fn exit(is_wrong: bool, is_unknown: bool) -> Exit {
    match (is_wrong, is_unknown) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Registry,
        (false, false) => Exit::Done,
    }
}

/// A finding, with what to do about it.
fn finding(printer: &Printer, finding: &Finding) -> String {
    let (color, word) = printer.severity(finding.severity);
    let mut text = format!(
        "{} {}: {}: {}\n",
        printer.paint(color, word),
        finding.rule,
        line_safe(&finding.subject),
        line_safe(&finding.message)
    );
    if let Some(fix) = &finding.fix {
        text.push_str(&format!("    help: {}\n", line_safe(fix)));
    }
    text
}

/// Tells what could not be told, after a word on what that means here.
fn remark_open(run: &Run<'_>, word: &str, open: &[Open]) {
    for Open { user, place, why } in open {
        run.printer.remark(&line_safe(&format!("{word}: {place}: {} of {user} {why}", key(&place.key))));
    }
}

fn key(key: &str) -> String {
    if key.is_empty() { "something".to_owned() } else { format!("`{key}`") }
}

fn open_json(open: &[Open]) -> Vec<Value> {
    let one = |Open { user, place, why }: &Open| json!({"user": user.to_string(), "place": place, "reason": why.as_str(), "message": why.to_string()});
    open.iter().map(one).collect()
}
