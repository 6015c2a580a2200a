//! What a layer's records are written as in this run, whoever is to write them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    dns::policy::Owner,
    model::{
        cluster::{CorefilePath, Engine, OuroborosMode, Records as RecordsForm},
        finding::Finding,
        hostname::Hostname,
        layer::Layer,
        observed::Observed,
    },
    plan::{
        Context,
        decision::Decision,
        records::{
            self, Recorded, drift,
            form::{self, Committed, Form, RecordSite},
            former::{self, CommittedEngine, Progress, SETTLED, UNSEEN},
        },
        release::{Answer, Carrier, Records},
        removal::Loss,
    },
};

/// The records of a layer, and what follows from them for the rest of its release.
pub(in crate::plan) struct Written {
    /// What is declared; nothing when there are no records in Git, or none yet.
    pub(in crate::plan) records: Option<(Vec<Hostname>, Vec<Answer>)>,
    /// The engine as the plan names it.
    pub(in crate::plan) engine: Engine,
    /// The engine that the values of the chart are for.
    pub(in crate::plan) chart_engine: Engine,
    /// What the next run must remember while one way takes the place of another.
    pub(in crate::plan) replaced: Option<Timestamp>,
    /// What a person should know.
    pub(in crate::plan) findings: Vec<Finding>,
    /// The file with a block of ours, and its whole new text.
    pub(in crate::plan) edit: Option<(CorefilePath, String)>,
    /// Where the controller is to write: hosts that it will not answer for and that keep their record for now, with the
    /// time since when they were not seen.
    pub(in crate::plan) tombstones: BTreeMap<Hostname, Timestamp>,
    /// Where the controller is to write: the hosts that nobody would answer for.
    pub(in crate::plan) loss: Loss,
}

impl Written {
    /// Nothing yet, and nothing to wait for.
    fn new(engine: Engine, chart_engine: Engine) -> Self {
        Self {
            records: None,
            engine,
            chart_engine,
            replaced: None,
            findings: Vec::new(),
            edit: None,
            tombstones: BTreeMap::new(),
            loss: Loss::default(),
        }
    }

    /// What is declared, with the way into the cluster.
    pub(in crate::plan) fn release(&self, carrier: Option<Carrier>) -> Option<Records> {
        let (hosts, answers) = self.records.clone()?;
        Some(Records { hosts, answers, carrier })
    }
}

/// Records that this program is to write.
pub(in crate::plan) fn by_static(
    context: &Context<'_>,
    layer: &Layer,
    site: &RecordSite<'_>,
    wanted: &RecordsForm,
    committed: &Committed,
    recorded: &Recorded,
) -> Result<Written, Decision> {
    let mut findings = Vec::new();
    let form = form::choose(site, wanted, committed, &mut findings)?;
    let engine = Engine::Static(wanted.clone());
    let before = former::committed_engine(context, layer);
    let answer = match form {
        Form::Answer(answer) => answer,
        Form::AfterProxy => {
            let chart_engine = former::chart_engine(&engine, before, false);
            return Ok(Written { findings, ..Written::new(engine, chart_engine) });
        }
    };
    let hosts: Vec<_> = recorded.hosts.keys().cloned().collect();
    let formers: Vec<_> = committed.answers.iter().filter(|former| former.key() != answer.key()).cloned().collect();
    let formers: Vec<_> = formers.into_iter().map(|former| former.aimed_at(&site.target)).collect();
    let is_replacing = !formers.is_empty() || matches!(before, Some(CommittedEngine::Ouroboros(_)));
    let is_in_place = match former::answered(site.cluster, &formers, before).filter(|_| is_replacing) {
        // What the former way answers for, the new one must answer for, too. A host that came since has no answer to lose.
        // Nothing of what is committed is asked: that must not change what an inventory shows.
        Some(answered) => {
            let needed: Vec<_> = hosts.iter().filter(|host| answered.contains(*host)).cloned().collect();
            let is_proof = !needed.is_empty() || answered.is_empty();
            is_proof && !recorded.is_waiting && form::is_in_place(site.cluster, &answer, &needed)
        }
        None => !recorded.is_waiting && form::is_in_place(site.cluster, &answer, &hosts),
    };
    let progress = if is_replacing {
        former::progress(context, layer, is_in_place, SETTLED)
    } else {
        Progress { since: None, is_settled: true }
    };
    if !progress.is_settled {
        let what = if formers.is_empty() {
            "the controller of ouroboros goes on beside the committed records"
        } else {
            "the records of the former form stay beside the new ones"
        };
        findings.push(former::waiting(layer, progress, what));
    }
    findings.extend(former::left_behind(site.cluster, is_in_place && progress.is_settled));
    findings.extend(form::shadows(site, &hosts, &answer));
    let chart_engine = former::chart_engine(&engine, before, progress.is_settled);
    let engine = former::named(&engine, &answer);
    let answers: Vec<_> = [answer].into_iter().chain(formers.into_iter().filter(|_| !progress.is_settled)).collect();
    if let Some(obstacle) = form::size_obstacle(site, &hosts, &answers) {
        return Err(obstacle);
    }
    let replaced = progress.since.filter(|_| !progress.is_settled);
    let edit = edit(context, &hosts, &answers)?;
    if let (Some(Answer::Block { file, .. }), false) = (answers.first(), hosts.is_empty()) {
        findings.extend(drift::of_file(context, layer, site, file, committed)?);
    }
    let written = Written::new(engine, chart_engine);
    Ok(Written { records: Some((hosts, answers)), replaced, findings, edit, ..written })
}

/// The file with the block, when one of the forms is a block.
fn edit(
    context: &Context<'_>,
    hosts: &[Hostname],
    answers: &[Answer],
) -> Result<Option<(CorefilePath, String)>, Decision> {
    let block = answers.iter().find_map(|answer| match answer {
        Answer::Block { file, target } => Some((file, target)),
        Answer::Snippet { .. } | Answer::HostsFile { .. } => None,
    });
    let Some((file, target)) = block else { return Ok(None) };
    let text = form::with_block(context, file, hosts, target)?;
    Ok(Some((file.clone(), text)))
}

/// Records that the controller of ouroboros is to write: those that are committed stay until it answers for them. Those
/// that it will not answer for leave as they would if nobody changed the engine.
pub(in crate::plan) fn by_controller(
    context: &Context<'_>,
    layer: &Layer,
    site: &RecordSite<'_>,
    mode: OuroborosMode,
    predicted: &BTreeMap<String, Option<Owner>>,
) -> Result<Written, Decision> {
    let engine = Engine::Ouroboros(mode);
    let mut written = Written::new(engine.clone(), engine);
    let committed = form::committed(context, layer, None);
    if committed.answers.is_empty() {
        return Ok(written);
    }
    let (needed, missing): (BTreeSet<_>, BTreeSet<_>) =
        committed.hosts.iter().cloned().partition(|host| predicted.contains_key(host.as_str()));
    let mut hosts = committed.hosts;
    let is_known = match &site.cluster.ingresses {
        Observed::Present(ingresses) => {
            let missing: Vec<_> = missing.iter().collect();
            written.tombstones = records::tombstones(context, layer, &missing);
            written.findings.extend(records::not_proven(context, layer, &written.tombstones));
            written.loss = Loss {
                committed: hosts.len(),
                missing: missing.iter().map(ToString::to_string).collect(),
                is_total: ingresses.is_empty() && !missing.is_empty() && !context.removals_accepted,
            };
            hosts.retain(|host| needed.contains(host) || written.tombstones.contains_key(host));
            true
        }
        Observed::Absent | Observed::Unknown(_) => {
            written.tombstones = context.memory(layer).map(|memory| memory.tombstones.clone()).unwrap_or_default();
            false
        }
    };
    let (answers, settled) = match mode {
        // What becomes of records for external-dns is not seen here: they get much time instead.
        OuroborosMode::ExternalDns => (true, UNSEEN),
        OuroborosMode::Coredns | OuroborosMode::CorednsImport => {
            (former::controller_answers(site.cluster, mode, &needed), SETTLED)
        }
    };
    let is_in_place = is_known && written.tombstones.is_empty() && (needed.is_empty() || answers);
    let progress = former::progress(context, layer, is_in_place, settled);
    if !progress.is_settled {
        let what = "the committed records stay beside those of the controller of ouroboros";
        written.findings.push(former::waiting(layer, progress, what));
        let hosts: Vec<_> = hosts.into_iter().collect();
        let answers: Vec<_> = committed.answers.into_iter().map(|answer| answer.aimed_at(&site.target)).collect();
        written.edit = edit(context, &hosts, &answers)?;
        written.records = Some((hosts, answers));
        written.replaced = progress.since;
    }
    Ok(written)
}
