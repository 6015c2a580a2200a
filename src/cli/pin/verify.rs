//! `pin verify`: whether the registries still have what is pinned.

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        Output, Run,
        error::Failure,
        exit::Exit,
        pin::{exit, finding, registries},
        printer::Printer,
    },
    diff::print::escape::line as line_safe,
    model::name::Name,
    ops::{
        pin::verify::{Place, Row, Verified, verify},
        selection::Selection,
    },
    pins::judge::PinState,
};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl VerifyArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &VerifyArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout()?;
    let registries = registries(run, &checkout, 0)?;
    let clusters = Selection::of(run.global.clusters.clone());
    let verified = verify(&checkout.tree, &registries, &clusters, run.now)?;
    let exit = exit(verified.is_wrong(), verified.is_unknown());
    match args.output {
        Output::Human => run.printer.result(&human(&verified, run.printer)),
        Output::Json => run.printer.result(&format!("{:#}\n", json(&verified, exit))),
    }
    Ok(exit)
}

fn human(verified: &Verified, printer: &Printer) -> String {
    let mut text = String::new();
    let mut cluster: Option<&Name> = None;
    for row in &verified.rows {
        if cluster != Some(&row.cluster) {
            text.push_str(&format!("{}\n", row.cluster));
            cluster = Some(&row.cluster);
        }
        let color = match row.judgement.state {
            PinState::Ok => AnsiColor::Green,
            PinState::Unknown => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        let state = printer.paint(color, row.judgement.state.as_str());
        let place = if row.place == Place::Origin { " (origin of the mirror)" } else { "" };
        text.push_str(&format!("► {}{place}: {state}\n", row.name));
        text.push_str(&format!("    {}\n", line_safe(&row.judgement.message)));
        if let Some(fix) = &row.judgement.fix {
            text.push_str(&format!("    help: {fix}\n"));
        }
    }
    for (cluster, found) in &verified.findings {
        text.push_str(&format!("{cluster}: {}", finding(printer, found)));
    }
    let count = |is: fn(PinState) -> bool| verified.rows.iter().filter(|row| is(row.judgement.state)).count();
    let (ok, unknown) = (count(|state| state == PinState::Ok), count(|state| state == PinState::Unknown));
    let wrong = verified.rows.len() - ok - unknown;
    text + &format!("{ok} ok, {wrong} wrong, {unknown} unknown\n")
}

fn json(verified: &Verified, exit: Exit) -> Value {
    let row = |row: &Row| {
        json!({
            "cluster": row.cluster,
            "name": row.name,
            "reference": row.reference,
            "digest": row.digest,
            "place": match row.place { Place::Pulled => "pulled", Place::Origin => "origin" },
            "state": row.judgement.state.as_str(),
            "message": row.judgement.message,
            "fix": row.judgement.fix,
        })
    };
    let findings = verified.findings.iter().map(|(cluster, finding)| json!({"cluster": cluster, "finding": finding}));
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Report",
        "report": "pin-verify",
        "exitReason": exit.reason(),
        "pins": verified.rows.iter().map(row).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}
