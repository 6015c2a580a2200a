//! `doctor`: whether everything around the clusters is as the fix needs it.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, printer::Printer, sources::Sources},
    diff::print::escape::line as line_safe,
    edge::git::target_address,
    model::{layer::Layer, name::Name},
    ops::{
        decide::{self, Inventories},
        doctor::{Check, Publishing, Verdict, examine},
    },
};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    sources: Sources,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl DoctorArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &DoctorArgs) -> Result<Exit, Failure> {
    let request = args.sources.request(run)?;
    let recorded = matches!(request.inventories, Inventories::Files(_)).then_some(run.now);
    let checkout = run.checkout()?;
    let clusters = decide::clusters(&checkout.tree, &checkout.asked(request)?)?;
    let remote = target_address(&checkout.repository, &checkout.settings)?;
    let publishing = Publishing { remote: remote.as_deref(), branch: &checkout.settings.branch };
    let looked: Vec<_> = clusters
        .iter()
        .map(|cluster| (&cluster.config.name, examine(cluster, &checkout.tree, &publishing, recorded)))
        .collect();
    let exit = exit(&looked);
    match args.output {
        Output::Human => run.printer.result(&human(&looked, run.printer)),
        Output::Json => run.printer.result(&format!("{:#}\n", document(&looked, exit))),
    }
    Ok(exit)
}

/// Something wrong comes before something that could not be looked at; a warning is neither.
fn exit(looked: &[(&Name, Vec<Check>)]) -> Exit {
    let mut checks = looked.iter().flat_map(|(_, checks)| checks);
    if checks.clone().any(|check| check.verdict == Verdict::Fail && !check.is_unread()) {
        Exit::Findings
    } else if checks.any(Check::is_unread) {
        Exit::NotObserved
    } else {
        Exit::Done
    }
}

fn human(looked: &[(&Name, Vec<Check>)], printer: &Printer) -> String {
    let mut text = String::new();
    for (name, checks) in looked {
        line(&mut text, format_args!("{name}"));
        let mut layer = None;
        for check in checks {
            if layer != Some(&check.layer) {
                layer = Some(&check.layer);
                let heading = check.layer.as_ref().map_or_else(|| "cluster".to_owned(), Layer::to_string);
                line(&mut text, format_args!("  {heading}"));
            }
            let (color, sign) = match check.verdict {
                Verdict::Ok => (AnsiColor::Green, "✔"),
                Verdict::Warn => (AnsiColor::Yellow, "!"),
                Verdict::Fail => (AnsiColor::Red, "✗"),
                Verdict::Unknown => (AnsiColor::Cyan, "?"),
            };
            let (sign, id) = (printer.paint(color, sign), check.id);
            let hazard = check.hazard.map_or_else(String::new, |hazard| format!(" ({hazard})"));
            let (subject, evidence) = (line_safe(&check.subject), line_safe(&check.evidence));
            line(&mut text, format_args!("    {sign} {id}{hazard}: {subject}: {evidence}"));
            if let (Some(fix), true) = (&check.fix, check.verdict != Verdict::Ok) {
                line(&mut text, format_args!("        help: {}", line_safe(fix)));
            }
        }
    }
    let number =
        |verdict| looked.iter().flat_map(|(_, checks)| checks).filter(|check| check.verdict == verdict).count();
    line(
        &mut text,
        format_args!(
            "{} ok, {} to look at, {} wrong, {} unknown",
            number(Verdict::Ok),
            number(Verdict::Warn),
            number(Verdict::Fail),
            number(Verdict::Unknown)
        ),
    );
    text
}

fn document(looked: &[(&Name, Vec<Check>)], exit: Exit) -> Value {
    let clusters = looked.iter().map(|(name, checks)| {
        let checks: Vec<_> = checks.iter().map(check).collect();
        json!({"name": name.as_str(), "checks": checks})
    });
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Doctor",
        "clusters": clusters.collect::<Vec<_>>(),
        "exitReason": exit.reason(),
    })
}

fn check(check: &Check) -> Value {
    let (layer, tenant) = match &check.layer {
        None => ("cluster", None),
        Some(Layer::Host) => ("host", None),
        Some(Layer::Tenant(tenant)) => ("tenant", Some(tenant)),
    };
    json!({
        "id": check.id,
        "hazard": check.hazard,
        "layer": layer,
        "namespace": tenant.map(|tenant| tenant.namespace.as_str()),
        "name": tenant.map(|tenant| tenant.name.as_str()),
        "subject": check.subject,
        "verdict": check.verdict.as_str(),
        "evidence": check.evidence,
        "fix": check.fix,
    })
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String does not fail");
}
