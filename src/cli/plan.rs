//! `plan`: what is decided, and why.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, printer::Printer, sources::Seen},
    diff::print::escape::line as line_safe,
    model::finding::Severity,
    ops::decide::{Decided, decide},
    plan::{ClusterPlan, Decision, HoldCause},
};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    seen: Seen,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl PlanArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &PlanArgs) -> Result<Exit, Failure> {
    let request = args.seen.request(run)?;
    let checkout = run.checkout()?;
    let decided = decide(&checkout.tree, &checkout.asked(request)?)?;
    run.printer.unread(&decided.unread);
    match args.output {
        Output::Human => run.printer.result(&human(&decided.plans, run.printer)),
        Output::Json => run.printer.result(&json(&decided)),
    }
    Ok(exit(&decided, Exit::Done))
}

/// The plan as a document.
pub(super) fn json(decided: &Decided) -> String {
    serde_json::to_string_pretty(&decided.document()).expect("a document is plain JSON") + "\n"
}

/// How a run ends when it went well apart from what could not be decided.
pub(super) fn exit(decided: &Decided, otherwise: Exit) -> Exit {
    match decided.obstacle() {
        Some(HoldCause::Guard) => Exit::Guard,
        Some(HoldCause::NotObserved) => Exit::NotObserved,
        Some(HoldCause::Settings) | None => otherwise,
    }
}

/// One line for every layer, its reason, its hosts, then the findings.
pub(super) fn human(plans: &[ClusterPlan], printer: &Printer) -> String {
    let mut text = String::new();
    for plan in plans {
        line(&mut text, format_args!("{}", plan.name));
        for layer in &plan.layers {
            let reason = layer.decision.reason();
            let (color, way) = match &layer.decision {
                Decision::Deliver { release, .. } => {
                    (AnsiColor::Green, format!(" by {}", release.delivery(&layer.layer)))
                }
                Decision::Remove { .. } => (AnsiColor::Yellow, String::new()),
                Decision::Hold { .. } => (AnsiColor::Red, String::new()),
            };
            let word = printer.paint(color, layer.decision.word());
            line(&mut text, format_args!("► {}: {word}{way} ({})", layer.layer, reason.code));
            line(&mut text, format_args!("    {}", line_safe(&reason.message)));
            if let Some(fix) = &reason.fix {
                line(&mut text, format_args!("    help: {fix}"));
            }
            for host in layer.hosts.keys() {
                line(&mut text, format_args!("    {}", line_safe(host)));
            }
        }
        for finding in &plan.findings {
            let (color, word) = match finding.severity {
                Severity::Error => (AnsiColor::Red, "error"),
                Severity::Warning => (AnsiColor::Yellow, "warning"),
                Severity::Info => (AnsiColor::Cyan, "info"),
            };
            let word = printer.paint(color, word);
            let subject = line_safe(&finding.subject);
            line(&mut text, format_args!("{word} {}: {subject}: {}", finding.rule, line_safe(&finding.message)));
            if let Some(fix) = &finding.fix {
                line(&mut text, format_args!("    help: {}", line_safe(fix)));
            }
        }
        if let Some(refusal) = &plan.refusal {
            line(&mut text, format_args!("{}", refusal.message()));
            for missing in &refusal.missing {
                line(&mut text, format_args!("  - {}", line_safe(missing)));
            }
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String does not fail");
}
