//! What a pull request says to people; pure. Whatever comes from elsewhere stands in inline code, which nothing in it can
//! end, so that it is no tag, no mention, no reference to an issue and no order to close one.

use crate::{
    diff::{
        self, ChangeSet,
        print::{self, escape},
    },
    edge::gitea::StatusState,
    model::{digest::Digest, finding::Severity, tree::CommitId},
    ops::{decide::Unread, pull_request::marker::Marker, reconcile::Drift},
    plan::{ClusterPlan, Decision, HoldCause},
};

/// The most bytes that a text has. Servers take more; people do not.
const BUDGET: usize = 60_000;

/// The most bytes that the cautions have.
const CAUTIONS: usize = 16_000;

/// The most characters that a foreign text has.
const CHARACTERS: usize = 400;

/// The most characters that the line of a status has.
const STATUS_CHARACTERS: usize = 140;

/// What is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    /// What changes.
    pub(super) changes: &'a ChangeSet,
    /// What was decided.
    pub(super) plans: &'a [ClusterPlan],
    /// What could not be read.
    pub(super) unread: &'a [Unread],
    /// What was edited by hand.
    pub(super) drift: &'a [Drift],
    /// Identifies the decisions.
    pub(super) plan: &'a Digest,
}

/// The title: the subject of the commit.
pub(super) fn title(changes: &ChangeSet) -> String {
    let subject = diff::commit_subject(changes);
    // To the server, what begins so is a draft.
    let is_draft = subject.to_ascii_lowercase().starts_with("wip:");
    if is_draft { format!("cluster {subject}") } else { subject }
}

/// The text, with the marker in its first line.
pub(super) fn body(page: &Page<'_>, marker: &Marker) -> String {
    let changes = page.changes;
    let mut text = format!("{}\n### {}\n\n", marker.line(), escape::html(&title(changes)));
    let diff::Summary { objects, files, .. } = diff::summary(changes);
    text.push_str(&format!(
        "**+{} · {} changed · −{}** in {}\n",
        objects.created,
        objects.configured,
        objects.deleted,
        counted(files.total(), "file")
    ));
    text.push_str(&within(&cautions(page), CAUTIONS));
    let footer = footer(page);
    let room = BUDGET.saturating_sub(text.len() + footer.len());
    text.push_str(&print::markdown_sections(changes, room));
    text.push_str(&footer);
    text
}

fn footer(page: &Page<'_>) -> String {
    let base =
        page.changes.base.as_ref().map_or(String::new(), |base| format!("Base <code>{}</code> · ", base.short()));
    format!(
        "\n<sub>{base}plan <code>{}</code> · close this pull request to hold these changes until they are others · \
         see for yourself: <code>bobbypin diff --against remote</code></sub>\n",
        page.plan
    )
}

/// A list of what a person should look at before merging, the worst first.
fn cautions(page: &Page<'_>) -> Vec<String> {
    let mut cautions = [held(page.plans), findings(page.plans)].concat();
    for Drift { path, commit, author } in page.drift {
        let (path, name) = (code(path.as_str()), code(&author.name));
        cautions.push((
            2,
            format!("**edited by hand**: {path} in <code>{}</code> by {name}; merging overwrites it", commit.short()),
        ));
    }
    for unread in page.unread {
        let cluster =
            unread.cluster.as_ref().map_or(String::new(), |cluster| format!(" of {}", code(cluster.as_str())));
        let (sources, why) = (code(&unread.sources.join(", ")), code(&unread.unknown.message));
        cautions.push((3, format!("**not read**{cluster}: {sources}: {why}")));
    }
    cautions.sort();
    cautions.into_iter().map(|(_, line)| format!("- {line}\n")).collect()
}

fn held(plans: &[ClusterPlan]) -> Vec<(u8, String)> {
    let layers = plans.iter().flat_map(|plan| plan.layers.iter().map(move |layer| (plan, layer)));
    let held = layers.filter_map(|(plan, layer)| match &layer.decision {
        Decision::Hold { cause, reason } => {
            let rank = if *cause == HoldCause::Guard { 0 } else { 1 };
            let place = code(&format!("{} {}", plan.name, layer.layer));
            Some((rank, format!("**held**: {place}: {} ({})", code(&reason.message), reason.code)))
        }
        Decision::Deliver { .. } | Decision::Remove { .. } => None,
    });
    held.collect()
}

fn findings(plans: &[ClusterPlan]) -> Vec<(u8, String)> {
    let findings = plans.iter().flat_map(|plan| plan.findings.iter().map(move |finding| (plan, finding)));
    let serious = findings.filter_map(|(plan, finding)| {
        let (rank, word) = match finding.severity {
            Severity::Error => (0, "error"),
            Severity::Warning => (2, "warning"),
            Severity::Info => return None,
        };
        let (place, message) = (code(&format!("{}: {}", plan.name, finding.subject)), code(&finding.message));
        Some((rank, format!("**{word}** {}: {place}: {message}", finding.rule)))
    });
    serious.collect()
}

/// The lines that fit, below their heading, and how many do not.
fn within(lines: &[String], budget: usize) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = "\n**Cautions**\n\n".to_owned();
    for (index, line) in lines.iter().enumerate() {
        if text.len() + line.len() > budget {
            text.push_str(&format!("\nNot shown for lack of room: {}.\n", counted(lines.len() - index, "caution")));
            break;
        }
        text.push_str(line);
    }
    text
}

/// The note on a branch that somebody else has changed.
pub(super) fn note_left_alone(branch: &str, tip: &CommitId, why: &str) -> String {
    format!(
        "The branch {} is at <code>{}</code>, which is left alone: {}. Nothing is pushed as long as it is there.\n\n\
         Merge this pull request, or take what was added off the branch again.\n",
        code(branch),
        tip.short(),
        code(why)
    )
}

/// The note on a pull request that is closed because it has nothing more to bring.
pub(super) fn note_closed(base: &str) -> String {
    format!("Closed, because {} holds all that is wanted.\n", code(base))
}

/// The text of a pull request that was one too many.
pub(super) fn note_surplus(kept: u64) -> String {
    format!("Closed, because pull request {kept} is for the same branch.\n")
}

/// What is said of the commit about the plan.
pub(super) fn plan_status(page: &Page<'_>) -> (StatusState, String) {
    match held(page.plans).len() {
        0 if page.unread.is_empty() => (StatusState::Success, status_line(&title(page.changes))),
        0 => (StatusState::Failure, "something could not be read; see the cautions".to_owned()),
        count => {
            let first = page.plans.iter().flat_map(|plan| plan.layers.iter().map(move |layer| (plan, layer)));
            let first = first.filter(|(_, layer)| matches!(layer.decision, Decision::Hold { .. }));
            let first =
                first.map(|(plan, layer)| format!("{} {} ({})", plan.name, layer.layer, layer.decision.reason().code));
            let more = if count == 1 { String::new() } else { format!(" and {} more", count - 1) };
            let line = format!("held: {}{more}", first.take(1).collect::<String>());
            (StatusState::Failure, status_line(&line))
        }
    }
}

/// What is said of the commit about what was found.
pub(super) fn audit_status(page: &Page<'_>) -> (StatusState, String) {
    let count =
        |severity| page.plans.iter().flat_map(|plan| &plan.findings).filter(|found| found.severity == severity).count();
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => (StatusState::Success, "nothing was found".to_owned()),
        (0, warnings) => (StatusState::Warning, counted(warnings, "warning")),
        (errors, 0) => (StatusState::Failure, counted(errors, "error")),
        (errors, warnings) => {
            (StatusState::Failure, format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")))
        }
    }
}

fn status_line(text: &str) -> String {
    shortened(&escape::line(text), STATUS_CHARACTERS)
}

/// Foreign text as inline code.
fn code(text: &str) -> String {
    escape::code(&shortened(text, CHARACTERS))
}

fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
