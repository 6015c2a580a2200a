//! `pin mirror`: where everything is pulled from.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, pin::registries},
    diff::print::escape::line as line_safe,
    edge::git::Wanted,
    ops::{
        pin::mirror::{Pulled, check, pulled},
        selection::Selection,
    },
    pins::mirror::MirrorState,
};

#[derive(Debug, Args)]
pub(super) struct MirrorArgs {
    /// Ask every mirror whether it has the same bytes
    #[arg(long)]
    check: bool,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl MirrorArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &MirrorArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout_of(&Wanted::default())?;
    let pulled = pulled(&checkout.tree, &Selection::of(run.global.clusters.clone()), run.now)?;
    let states = match args.check {
        true => check(&pulled, &registries(run, &checkout, 0)?),
        false => vec![None; pulled.len()],
    };
    let rows: Vec<_> =
        pulled.iter().zip(&states).map(|(pulled, state)| Row { pulled, state: state.as_ref() }).collect();
    let is_wrong = |row: &Row<'_>| row.is_unpinned(args.check) || row.state.is_some_and(MirrorState::is_wrong);
    let is_unknown = |row: &Row<'_>| matches!(row.state, Some(MirrorState::Unknown(_)));
    let exit = if rows.iter().any(is_wrong) {
        Exit::Findings
    } else if rows.iter().any(is_unknown) {
        Exit::Registry
    } else {
        Exit::Done
    };
    run.printer.result(&match args.output {
        Output::Human => rows.iter().map(|row| human(run, row, args.check)).collect(),
        Output::Json => {
            let rows: Vec<_> = rows.iter().map(|row| row.json(args.check)).collect();
            let report = json!({
                "apiVersion": "bobbypin.dev/v1alpha1", "kind": "Report", "exitReason": exit.reason(), "pulled": rows,
            });
            format!("{report:#}\n")
        }
    });
    if rows.iter().all(|row| row.pulled.mirror.is_none()) {
        run.printer.remark("no mirror is used: spec.pins.mirrors of cluster.yaml says where they are");
    }
    Ok(exit)
}

struct Row<'a> {
    pulled: &'a Pulled,
    state: Option<&'a MirrorState>,
}

impl Row<'_> {
    /// Whether it comes from a mirror that nobody can be held to, because it has no digest.
    fn is_unpinned(&self, was_checked: bool) -> bool {
        was_checked && self.pulled.mirror.is_some() && self.state.is_none()
    }

    fn state(&self, was_checked: bool) -> Option<(&'static str, String)> {
        match (self.state, &self.pulled.mirror) {
            (Some(state), _) => Some((state.as_str(), state.to_string())),
            (None, Some(_)) if was_checked => {
                Some(("unpinned", "it has no digest, so the mirror may give anything".to_owned()))
            }
            (None, Some(_)) => None,
            (None, None) => Some(("direct", "it has no mirror".to_owned())),
        }
    }

    fn json(&self, was_checked: bool) -> Value {
        let Pulled { cluster, users, upstream, mirror, .. } = self.pulled;
        let state = self.state(was_checked);
        json!({
            "cluster": cluster, "users": users, "upstream": upstream.to_string(),
            "mirror": mirror.as_ref().map(ToString::to_string),
            "state": state.as_ref().map(|(name, _)| name), "message": state.map(|(_, message)| message),
        })
    }
}

fn human(run: &Run<'_>, row: &Row<'_>, was_checked: bool) -> String {
    let Pulled { cluster, users, upstream, mirror, .. } = row.pulled;
    let (sign, color) = match row.state {
        Some(MirrorState::Same) => ("✔", AnsiColor::Green),
        Some(MirrorState::Unknown(_)) => ("?", AnsiColor::Yellow),
        Some(_) => ("✗", AnsiColor::Red),
        None if row.is_unpinned(was_checked) => ("✗", AnsiColor::Red),
        None => ("·", AnsiColor::White),
    };
    let from = mirror.as_ref().unwrap_or(upstream);
    let mut text = format!("{} {cluster}: {from}\n", run.printer.paint(color, sign));
    let mut line = |name: &str, value: &str| {
        writeln!(text, "    {name}: {}", line_safe(value)).expect("writing to memory does not fail");
    };
    if mirror.is_some() {
        line("mirror of", &upstream.repository.to_string());
    }
    line("for", &users.join(", "));
    if let Some((name, message)) = row.state(was_checked) {
        line(name, &message);
    }
    if row.state.is_some_and(MirrorState::is_wrong) || row.is_unpinned(was_checked) {
        line(
            "help",
            "the pin may not be used through this mirror: copy it anew with its digest (bobbypin pin export --format crane)",
        );
    }
    text
}
