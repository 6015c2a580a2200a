//! `pin update`: digests from registries into `pins.yaml`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anstyle::AnsiColor;
use clap::{Args, builder::PossibleValuesParser};
use serde_json::{Value, json};

use crate::{
    cli::{
        Output, Run,
        error::Failure,
        exit::Exit,
        pin::{exit, finding, registries},
        printer::Printer,
        sources::seconds,
    },
    diff::print::escape::line as line_safe,
    edge::files,
    model::pins::{Pin, PinName},
    ops::{
        pin::{
            update::{LeftOut, Request, Update, update, write},
            write_values::write_values,
        },
        selection::Selection,
    },
    pins::{
        ledger::Outcome,
        values::{EditError, Edited, ValueChange},
    },
};

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// Follow the tag of this pin although it leads to another digest than before; may be repeated
    ///
    /// The new digest must be as old as spec.pins.minAge wants all the same.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(PinName::ALL.map(PinName::as_str)))]
    accept_moved: Vec<String>,
    /// For how long what a registry said of a tag is not asked for again
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = lifetime)]
    cache_time: u32,
    /// Check the signatures of all pins that must have one (spec.pins.signers), also of those that were checked before
    #[arg(long)]
    verify_signature: bool,
    /// Put the pins into this file of values or releases too, where their repositories stand; may be repeated
    ///
    /// Everything else in it stays, to the byte: comments, quotes, markers of Flux. Only pins that are old enough to be used.
    #[arg(long, value_name = "FILE")]
    write_values: Vec<PathBuf>,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl UpdateArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &UpdateArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout()?;
    let registries = registries(run, &checkout, args.cache_time)?;
    let request = Request {
        clusters: Selection::of(run.global.clusters.clone()),
        accept_moved: args.accept_moved.iter().filter_map(|name| PinName::of(name)).collect::<BTreeSet<_>>(),
        verify_all_signatures: args.verify_signature,
        now: run.now,
    };
    let updates = update(&checkout.tree, &checkout.repository, &registries, &request)?;
    let values = values(run, args, &updates)?;
    if !args.dry_run {
        write(&checkout.repository, &updates)?;
        for (path, edited) in values.iter().filter(|(_, edited)| !edited.changes.is_empty()) {
            files::write_through(&run.here.join(path), edited.text.as_bytes())?;
        }
    }
    remark(run, args, &updates);
    let outcomes = || updates.iter().flat_map(|update| update.outcomes.values());
    let is_wrong = outcomes().any(Outcome::is_problem);
    let is_unknown = outcomes().any(|outcome| matches!(outcome, Outcome::Unknown(_)));
    let exit = exit(is_wrong, is_unknown);
    match args.output {
        Output::Human => {
            let lines = values.iter().flat_map(|(path, edited)| edited.changes.iter().map(|change| line(path, change)));
            run.printer.result(&(human(&updates, args.dry_run, run.printer) + &lines.collect::<String>()));
            let is_changed = |(_, edited): &(&PathBuf, Edited)| !edited.changes.is_empty();
            if !args.dry_run && (updates.iter().any(|update| update.text.is_some()) || values.iter().any(is_changed)) {
                run.printer.remark("next: look at it and commit it");
            }
        }
        Output::Json => {
            run.printer.result(&format!("{:#}\n", json(&updates, &values, args.dry_run, exit)));
        }
    }
    Ok(exit)
}

/// What was not looked at, or not written.
fn remark(run: &Run<'_>, args: &UpdateArgs, updates: &[Update]) {
    let has_moved = |update: &Update| update.outcomes.values().any(|one| matches!(one, Outcome::Moved { .. }));
    for update in updates.iter().filter(|update| update.is_past_cut && has_moved(update)) {
        run.printer.remark(&format!(
            "{}: the history of this clone is not long enough to tell whether somebody took back what moved; fetch all of it",
            update.path
        ));
    }
    for update in updates.iter().filter(|_| !args.write_values.is_empty()) {
        for (name, why) in &update.left_out {
            let outcome = PinName::of(name).and_then(|name| update.outcomes.get(&name));
            let why = match why {
                LeftOut::Unconfirmed => {
                    let outcome = outcome.map_or("not asked", word);
                    format!("its tag did not lead to its digest in this run ({outcome})")
                }
                LeftOut::Ambiguous => "another entry of pins.yaml has its repository".to_owned(),
            };
            run.printer.remark(&format!("not in the files: {}: {why}", line_safe(name)));
        }
    }
}

/// The files of values as they are to be. All of them are looked at before anything is written.
fn values<'a>(run: &Run<'_>, args: &'a UpdateArgs, updates: &[Update]) -> Result<Vec<(&'a PathBuf, Edited)>, Failure> {
    let pins = match (args.write_values.as_slice(), updates) {
        ([], _) => return Ok(Vec::new()),
        (_, [update]) => &update.confirmed,
        (_, updates) => {
            let names: Vec<_> = updates.iter().map(|update| update.cluster.as_str()).collect();
            let message =
                format!("--write-values takes the pins of one cluster: say --cluster NAME ({})", names.join(", "));
            return Err(Failure::Usage(message));
        }
    };
    let mut edited = Vec::new();
    let mut problems = Vec::new();
    for path in &args.write_values {
        let (source, _) = files::read(&run.here.join(path), run.now)?;
        let Ok(text) = str::from_utf8(&source.bytes) else {
            return Err(Failure::Usage(format!("`{}` is not UTF-8 text; nothing was written", path.display())));
        };
        match write_values(path, text, pins) {
            Ok(found) => edited.push((path, found)),
            Err(EditError::Problems(found)) => problems.extend(found),
            Err(error @ EditError::NotTheSame { .. }) => return Err(Failure::Usage(error.to_string())),
        }
    }
    if problems.is_empty() { Ok(edited) } else { Err(problems.into()) }
}

/// `values.yaml:3:8: 0.8.0 → 0.8.1@sha256:…`
fn line(path: &Path, change: &ValueChange) -> String {
    let ValueChange { line, column, old, new } = change;
    format!("{}:{line}:{column}: {} → {}\n", line_safe(&path.display().to_string()), line_safe(old), line_safe(new))
}

/// A duration that may be nothing.
fn lifetime(text: &str) -> Result<u32, String> {
    if matches!(text, "0" | "0s") { Ok(0) } else { seconds(text) }
}

fn human(updates: &[Update], dry_run: bool, printer: &Printer) -> String {
    let mut text = String::new();
    for update in updates {
        text.push_str(&format!("{}\n", update.cluster));
        for (name, outcome) in &update.outcomes {
            let [before, after] = [&update.before, &update.after].map(|pins| pins.get(*name));
            let told = told(*name, outcome, after);
            let word = printer.paint(told.color, told.word);
            text.push_str(&format!("► {}: {word}: {}\n", name.as_str(), line_safe(&told.message)));
            if let Some(fix) = &told.fix {
                text.push_str(&format!("    help: {fix}\n"));
            }
            text.push_str(&change(before, after, printer));
        }
        let other = update.after.0.keys().filter(|name| PinName::of(name).is_none());
        for name in other {
            text.push_str(&format!("► {name}: left alone: this program does not use it\n"));
        }
        for found in &update.findings {
            text.push_str(&finding(printer, found));
        }
        text.push_str(&match (&update.text, dry_run) {
            (Some(_), false) => format!("✔ {} is written\n", update.path),
            (Some(_), true) => format!("{} would be written\n", update.path),
            (None, _) => format!("{} stays as it is\n", update.path),
        });
    }
    text
}

/// What a pin was and what it is, where that differs.
fn change(before: Option<&Pin>, after: Option<&Pin>, printer: &Printer) -> String {
    let reference = |pin: &Pin| format!("{}:{}@{}", pin.repository, pin.tag, pin.digest);
    let [old, new] = [before, after].map(|pin| pin.map(reference));
    let mut text = String::new();
    if old != new {
        for (color, sign, side) in [(AnsiColor::Red, '-', &old), (AnsiColor::Green, '+', &new)] {
            if let Some(side) = side {
                text.push_str(&format!("    {}\n", printer.paint(color, &format!("{sign} {side}"))));
            }
        }
    }
    let signature = |pin: Option<&Pin>| pin.and_then(|pin| pin.signature.clone());
    if old != new || signature(before) != signature(after) {
        let signature = signature(after).unwrap_or_else(|| "not checked".to_owned());
        text.push_str(&format!("    signature: {}\n", line_safe(&signature)));
    }
    text
}

/// An outcome for a person.
struct Told {
    color: AnsiColor,
    word: &'static str,
    message: String,
    fix: Option<String>,
}

fn told(name: PinName, outcome: &Outcome, pin: Option<&Pin>) -> Told {
    let is_now = pin.map_or(String::new(), |pin| format!("{}:{}", pin.repository, pin.tag));
    let (color, message, fix) = match outcome {
        Outcome::Unchanged => (AnsiColor::Green, is_now, None),
        Outcome::New { until } => {
            (AnsiColor::Green, format!("{is_now} was not known before; it is used from {until} on (pins.minAge)"), None)
        }
        Outcome::Moved { tag, .. } => (AnsiColor::Green, format!("{is_now} in place of {tag}"), None),
        Outcome::Waits { until } => (
            AnsiColor::Yellow,
            format!("{} may be used from {until} on (pins.minAge)", candidate(pin)),
            Some("run it again then".to_owned()),
        ),
        Outcome::WaitsFor(other) => {
            let other = other.as_str();
            (AnsiColor::Yellow, format!("chart and images of one version go together: it waits for {other}"), None)
        }
        Outcome::TagMoved { to, until } => (
            AnsiColor::Red,
            format!("{is_now} leads to {to} now; the pin stays as it is"),
            Some(format!(
                "find out why; to follow it from {until} on: bobbypin pin update --accept-moved {}",
                name.as_str()
            )),
        ),
        Outcome::Held { reason, until } => (
            AnsiColor::Yellow,
            match until {
                Some(until) => format!("until {until} ({reason}); there is something else"),
                None => format!("{reason}; there is something else"),
            },
            Some("to let it move: take the hold out of pins.yaml".to_owned()),
        ),
        Outcome::Reverted { commit } => (
            AnsiColor::Yellow,
            match commit {
                Some(commit) => format!("{commit} took back what would be written again: it is held now"),
                None => "somebody took back what would be written again: it is held now".to_owned(),
            },
            Some("commit the hold to keep it; to let the pin move, commit it and take it out again".to_owned()),
        ),
        Outcome::WrongKind(found) => (
            AnsiColor::Red,
            format!("the tag leads to {}, and must lead to {}", found.with_article(), name.kind().with_article()),
            Some("correct spec.pins in cluster.yaml, or the reference in pins.yaml".to_owned()),
        ),
        Outcome::OtherKind(why) => (
            AnsiColor::Red,
            why.clone(),
            Some("correct spec.pins in cluster.yaml, or the reference in pins.yaml".to_owned()),
        ),
        Outcome::PlatformMissing(missing) => (
            AnsiColor::Red,
            format!("what the tag leads to is not there for {}", missing.join(", ")),
            Some("choose another version, or correct spec.pins.platforms in cluster.yaml".to_owned()),
        ),
        Outcome::NotFound => (
            AnsiColor::Red,
            "the registry has no such tag".to_owned(),
            Some("correct spec.pins in cluster.yaml, or the reference and tag in pins.yaml".to_owned()),
        ),
        Outcome::Unsaid(why) => (
            AnsiColor::Red,
            why.clone(),
            Some("add the entry to pins.yaml by hand, with repository, tag and digest".to_owned()),
        ),
        Outcome::Unsigned(why) => (
            AnsiColor::Red,
            format!("what the tag leads to is not signed as spec.pins.signers wants: {why}"),
            Some("nothing of it changed; find out who published it, or correct the signer in cluster.yaml".to_owned()),
        ),
        Outcome::Unknown(why) => (
            AnsiColor::Red,
            format!("{} ({})", why.message, why.reason),
            Some("nothing of it changed; ask again when the registry answers".to_owned()),
        ),
    };
    Told { color, word: word(outcome), message, fix }
}

fn candidate(pin: Option<&Pin>) -> String {
    let candidate = pin.and_then(|pin| pin.candidate.as_ref());
    candidate.map_or(String::new(), |candidate| format!("{}@{}", candidate.tag, candidate.digest))
}

/// The name of an outcome, which scripts may compare.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "unchanged",
        Outcome::New { .. } => "new",
        Outcome::Moved { .. } => "moved",
        Outcome::Waits { .. } => "waits",
        Outcome::WaitsFor(_) => "waits-for",
        Outcome::TagMoved { .. } => "tag-moved",
        Outcome::Held { .. } => "held",
        Outcome::Reverted { .. } => "reverted",
        Outcome::WrongKind(_) | Outcome::OtherKind(_) => "wrong-kind",
        Outcome::PlatformMissing(_) => "platform-missing",
        Outcome::NotFound => "not-found",
        Outcome::Unsaid(_) => "unsaid",
        Outcome::Unsigned(_) => "unsigned",
        Outcome::Unknown(_) => "unknown",
    }
}

fn json(updates: &[Update], values: &[(&PathBuf, Edited)], dry_run: bool, exit: Exit) -> Value {
    let pin_json = |pin: Option<&Pin>| {
        pin.map(|pin| json!({"reference": pin.repository, "tag": pin.tag, "digest": pin.digest, "signature": pin.signature}))
    };
    let clusters = updates.iter().map(|update| {
        let pins = update.outcomes.iter().map(|(name, outcome)| {
            let [before, after] = [&update.before, &update.after].map(|pins| pins.get(*name));
            let told = told(*name, outcome, after);
            let until = match outcome {
                Outcome::New { until } | Outcome::Waits { until } | Outcome::TagMoved { until, .. } => Some(*until),
                Outcome::Held { until, .. } => *until,
                _ => None,
            };
            let candidate = after.and_then(|pin| pin.candidate.as_ref());
            let candidate = candidate
                .map(|one| json!({"tag": one.tag, "digest": one.digest, "firstSeen": one.first_seen.to_string()}));
            json!({
                "name": name.as_str(),
                "outcome": told.word,
                "message": told.message,
                "fix": told.fix,
                "until": until.map(|until| until.to_string()),
                "before": pin_json(before),
                "after": pin_json(after),
                "candidate": candidate,
            })
        });
        json!({
            "name": update.cluster,
            "path": update.path.as_str(),
            "changed": update.text.is_some(),
            "written": update.text.is_some() && !dry_run,
            "pins": pins.collect::<Vec<_>>(),
            "historyIsCut": update.is_past_cut,
            "findings": update.findings,
        })
    });
    let changes = values.iter().flat_map(|(path, edited)| edited.changes.iter().map(move |change| (path, change)));
    let changes = changes.map(|(path, change)| {
        let ValueChange { line, column, old, new } = change;
        json!({"path": path, "line": line, "column": column, "old": old, "new": new, "written": !dry_run})
    });
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Report",
        "report": "pin-update",
        "exitReason": exit.reason(),
        "clusters": clusters.collect::<Vec<_>>(),
        "values": changes.collect::<Vec<_>>(),
    })
}
