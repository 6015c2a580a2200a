//! `pin list`: what is pinned.

use anstyle::AnsiColor;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, pin::finding, printer::Printer},
    diff::print::escape::line as line_safe,
    model::pins::{Pin, PinName},
    ops::{
        pin::list::{Listed, ListedPin, list},
        selection::Selection,
    },
};

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl ListArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &ListArgs) -> Result<Exit, Failure> {
    let listed = list(&run.checkout()?.tree, &Selection::of(run.global.clusters.clone()), run.now)?;
    match args.output {
        Output::Human => run.printer.result(&human(&listed, run.now, run.printer)),
        Output::Json => run.printer.result(&format!("{:#}\n", json(&listed))),
    }
    Ok(Exit::Done)
}

fn human(listed: &[Listed], now: Timestamp, printer: &Printer) -> String {
    let mut text = String::new();
    for Listed { cluster, pins, findings } in listed {
        text.push_str(&format!("{cluster}\n"));
        for listed in pins {
            text.push_str(&format!("► {}: {}\n", listed.name, purpose(listed.purpose)));
            match &listed.pin {
                Some(pin) => details(&mut text, listed, pin, now),
                None => {
                    let word = printer.paint(AnsiColor::Red, "not pinned");
                    text.push_str(&format!("    {word}: bobbypin pin update\n"));
                }
            }
        }
        findings.iter().for_each(|found| text.push_str(&finding(printer, found)));
    }
    text
}

fn details(text: &mut String, listed: &ListedPin, pin: &Pin, now: Timestamp) {
    let mut line = |label: &str, value: String| text.push_str(&format!("    {label}{}\n", line_safe(&value)));
    line("", format!("{}:{}", pin.repository, pin.tag));
    line("", pin.digest.to_string());
    if let Some(mirror) = &listed.mirror {
        line("pulled from: ", mirror.clone());
    }
    if !pin.platforms.is_empty() {
        line("platforms: ", pin.platforms.join(", "));
    }
    if let Some(seen) = pin.first_seen {
        line("first seen: ", format!("{seen}, {} ago", age(seen, now)));
    }
    if let Some(usable) = listed.usable {
        line("used from: ", usable.to_string());
    }
    line("signature: ", pin.signature.clone().unwrap_or_else(|| "not checked".to_owned()));
    if let Some(hold) = &pin.hold {
        let until = hold.until.map_or(String::new(), |until| format!(", until {until}"));
        line("hold: ", format!("{}{until}", hold.reason));
    }
    if let Some(candidate) = &pin.candidate {
        line("candidate: ", format!("{}@{}", candidate.tag, candidate.digest));
        line("  first seen: ", format!("{}, {} ago", candidate.first_seen, age(candidate.first_seen, now)));
    }
}

fn purpose(purpose: Option<PinName>) -> &'static str {
    match purpose {
        Some(PinName::Chart) => "the chart of ouroboros",
        Some(PinName::Image) => "the image of the proxy and of its controller",
        Some(PinName::CleanupHook) => "the image of the chart's uninstall hook",
        None => "not used by this program",
    }
}

/// In the largest unit that fits.
fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn json(listed: &[Listed]) -> Value {
    let pin = |listed: &ListedPin| {
        let pin = listed.pin.as_ref();
        let hold = pin.and_then(|pin| pin.hold.as_ref());
        let candidate = pin.and_then(|pin| pin.candidate.as_ref());
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        json!({
            "name": listed.name,
            "use": purpose(listed.purpose),
            "reference": pin.map(|pin| &pin.repository),
            "pulledFrom": listed.mirror.as_ref().or(pin.map(|pin| &pin.repository)),
            "tag": pin.map(|pin| &pin.tag),
            "digest": pin.map(|pin| &pin.digest),
            "mediaType": pin.map(|pin| pin.media_type.as_str()),
            "platforms": pin.map(|pin| &pin.platforms),
            "firstSeen": time(pin.and_then(|pin| pin.first_seen)),
            "usedFrom": time(listed.usable),
            "signature": pin.and_then(|pin| pin.signature.as_ref()),
            "hold": hold.map(|hold| json!({"reason": hold.reason, "until": time(hold.until)})),
            "candidate": candidate.map(|candidate| json!({
                "tag": candidate.tag,
                "digest": candidate.digest,
                "mediaType": candidate.media_type.as_str(),
                "platforms": candidate.platforms,
                "firstSeen": candidate.first_seen.to_string(),
            })),
        })
    };
    let clusters = listed.iter().map(|one| {
        json!({
            "name": one.cluster,
            "pins": one.pins.iter().map(pin).collect::<Vec<_>>(),
            "findings": one.findings,
        })
    });
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Report",
        "report": "pin-list",
        "clusters": clusters.collect::<Vec<_>>(),
    })
}
