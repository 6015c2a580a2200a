//! What follows when the live Corefile is not the one in Git that a block of ours stands in, or is to stand in.

use std::collections::BTreeSet;

use crate::{
    dns::block::{
        self,
        drift::{Difference, LiveBlock},
    },
    model::{
        cluster::CorefilePath,
        finding::{Finding, Severity},
        inventory::KustomizationObject,
        layer::Layer,
    },
    plan::{
        Context,
        decision::{Decision, Reason},
        records::form::{self, Committed, RecordSite},
        release::Answer,
    },
};

const DIFFERS: &str = "CorefileDiffersFromGit";

/// How a person gets the live Corefile.
const SEE: &str = "The live one: kubectl -n kube-system get configmap coredns -o jsonpath='{.data.Corefile}'";

/// Compares the Corefile of a file, as far as that can be read, with the live one.
///
/// A block that is committed goes on in any case: Flux applies its file as it is. The first block is another thing. Where
/// the live Corefile says something else, Flux would take that away with the commit, so the layer waits for a person.
pub(super) fn of_file(
    context: &Context<'_>,
    layer: &Layer,
    site: &RecordSite<'_>,
    file: &CorefilePath,
    committed: &Committed,
) -> Result<Option<Finding>, Decision> {
    let (Ok(Some(live)), Some(text)) = (form::corefile(site, true), context.text(file.path())) else { return Ok(None) };
    // What is wrong with the file was told where it is edited.
    let Ok(drift) = block::drift::drift(text, live) else { return Ok(None) };
    let is_first = !committed.answers.iter().any(|answer| matches!(answer, Answer::Block { .. }));
    let applied = Applied::of(context, layer);
    match drift.difference {
        Some(difference) if is_first => Err(first_block(file, &difference)),
        Some(difference) => Ok(Some(differs(layer, file, &difference, drift.block, &applied))),
        None => Ok(lag(drift.block).map(|lag| not_applied(layer, file, lag, &applied))),
    }
}

fn first_block(file: &CorefilePath, difference: &Difference) -> Decision {
    let message = format!(
        "{}; with the first records in {file} Flux would apply all of it, and take away what the live one says",
        told(file, difference)
    );
    let fix =
        format!("write what the live one says into {file}, or let Flux apply {file} first; a later run goes on. {SEE}");
    Decision::hold(Reason::new(DIFFERS, message).fix(fix))
}

fn differs(
    layer: &Layer,
    file: &CorefilePath,
    difference: &Difference,
    block: LiveBlock,
    applied: &Applied,
) -> Finding {
    let more = lag(block).map_or_else(String::new, |lag| format!("; the live one {lag} Git"));
    let message = format!(
        "{}{more}: {}. When it applies {file}, what the live one says is lost",
        told(file, difference),
        applied.why()
    );
    let fix = format!(
        "write into {file} what must stay, then look why Flux does not apply it: flux get kustomizations -A{}. {SEE}",
        applied.resume
    );
    finding(layer, Severity::Warning, DIFFERS, message, fix)
}

fn not_applied(layer: &Layer, file: &CorefilePath, lag: &str, applied: &Applied) -> Finding {
    let severity = if applied.is_all { Severity::Warning } else { Severity::Info };
    let message = format!("the live Corefile {lag} {file}: {}", applied.why());
    let fix = format!(
        "when it stays so, look which Kustomization applies {file}, and whether it is suspended or fails: flux get \
         kustomizations -A{}",
        applied.resume
    );
    finding(layer, severity, "BlockNotApplied", message, fix)
}

fn finding(layer: &Layer, severity: Severity, rule: &'static str, message: String, fix: String) -> Finding {
    let object = "ConfigMap/kube-system/coredns";
    let subject = match layer {
        Layer::Host => object.to_owned(),
        Layer::Tenant(tenant) => format!("{tenant}: {object}"),
    };
    Finding { severity, rule, subject, message, fix: Some(fix), host: None }
}

/// How the live Corefile lacks the committed block; the beginning of `… FILE`.
fn lag(block: LiveBlock) -> Option<&'static str> {
    match block {
        LiveBlock::Same => None,
        LiveBlock::Missing => Some("does not have the block of records of"),
        LiveBlock::Other => Some("has another block of records than"),
    }
}

fn told(file: &CorefilePath, difference: &Difference) -> String {
    match difference {
        Difference::Between { git, live } => format!(
            "{file}:{} says `{}`, and line {} of the live Corefile says `{}`",
            git.number, git.text, live.number, live.text
        ),
        Difference::OnlyInGit(git) => {
            format!("{file}:{} says `{}`, and the live Corefile ends before that", git.number, git.text)
        }
        Difference::OnlyLive(live) => {
            format!(
                "line {} of the live Corefile says `{}`, and that of {file} ends before that",
                live.number, live.text
            )
        }
    }
}

/// What Flux says of the commit that was read.
struct Applied {
    /// Whether everything that it applies from the same source is at that commit, but for what is suspended.
    is_all: bool,
    /// The commands for what is suspended, to stand behind a command.
    resume: String,
}

impl Applied {
    fn of(context: &Context<'_>, layer: &Layer) -> Self {
        let is_of_tenant = matches!(layer, Layer::Tenant(_));
        let all = context.inputs.inventory.kustomizations.present().map_or(&[][..], Vec::as_slice);
        let all: Vec<_> = all.iter().filter(|one| one.is_remote == is_of_tenant).collect();
        let base = context.inputs.tree.base.as_ref();
        let is_at_base =
            |one: &KustomizationObject| base.is_some_and(|base| one.applied_revision.ends_with(base.as_str()));
        let source = |one: &KustomizationObject| {
            (one.source_kind.clone(), one.source_namespace.clone(), one.source_name.clone())
        };
        let sources: BTreeSet<_> = all.iter().filter(|one| is_at_base(one)).map(|one| source(one)).collect();
        let mut active = all.iter().filter(|one| !one.progress.suspended && sources.contains(&source(one)));
        let suspended = all.iter().filter(|one| one.progress.suspended);
        let commands =
            suspended.map(|one| format!(", flux resume kustomization {} -n {}", one.meta.name, one.meta.namespace));
        Self { is_all: !sources.is_empty() && active.all(|one| is_at_base(one)), resume: commands.collect() }
    }

    /// Why the live Corefile is not that of Git.
    fn why(&self) -> &'static str {
        if self.is_all {
            "Flux has applied this commit, so it leaves the file out, or somebody changed the live one"
        } else {
            "Flux has not applied the file yet"
        }
    }
}
