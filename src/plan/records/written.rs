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
            Recorded,
            form::{self, Committed, Form, RecordSite},
            former::{self, CommittedEngine, Progress, SETTLED, UNSEEN},
        },
        release::{Answer, Carrier, Records},
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
}

impl Written {
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
            return Ok(Written { records: None, engine, chart_engine, replaced: None, findings, edit: None });
        }
    };
    let hosts: Vec<_> = recorded.hosts.keys().cloned().collect();
    // All of them, also those that this run adds: what is committed must not change what an inventory shows.
    let is_in_place = form::is_in_place(site.cluster, &answer, &hosts);
    let formers: Vec<_> = committed.answers.iter().filter(|former| former.key() != answer.key()).cloned().collect();
    let formers: Vec<_> = formers.into_iter().map(|former| former.aimed_at(&site.target)).collect();
    let is_replacing = !formers.is_empty() || matches!(before, Some(CommittedEngine::Ouroboros(_)));
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
    Ok(Written { records: Some((hosts, answers)), engine, chart_engine, replaced, findings, edit })
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

/// Records that the controller of ouroboros is to write: those that are committed stay until it answers for them.
pub(in crate::plan) fn by_controller(
    context: &Context<'_>,
    layer: &Layer,
    site: &RecordSite<'_>,
    mode: OuroborosMode,
    predicted: &BTreeMap<String, Option<Owner>>,
) -> Result<Written, Decision> {
    let engine = Engine::Ouroboros(mode);
    let mut written = Written {
        records: None,
        chart_engine: engine.clone(),
        engine,
        replaced: None,
        findings: Vec::new(),
        edit: None,
    };
    let committed = form::committed(context, layer, None);
    if committed.answers.is_empty() {
        return Ok(written);
    }
    let is_claimed = |host: &&Hostname| predicted.contains_key(host.as_str());
    let needed: BTreeSet<_> = committed.hosts.iter().filter(is_claimed).cloned().collect();
    let is_known = matches!(site.cluster.ingresses, Observed::Present(_));
    let (answers, settled) = match mode {
        // What becomes of records for external-dns is not seen here: they get much time instead.
        OuroborosMode::ExternalDns => (true, UNSEEN),
        OuroborosMode::Coredns | OuroborosMode::CorednsImport => {
            (former::controller_answers(site.cluster, mode, &needed), SETTLED)
        }
    };
    let progress = former::progress(context, layer, is_known && (needed.is_empty() || answers), settled);
    if !progress.is_settled {
        let what = "the committed records stay beside those of the controller of ouroboros";
        written.findings.push(former::waiting(layer, progress, what));
        let hosts: Vec<_> = committed.hosts.into_iter().collect();
        let answers: Vec<_> = committed.answers.into_iter().map(|answer| answer.aimed_at(&site.target)).collect();
        written.edit = edit(context, &hosts, &answers)?;
        written.records = Some((hosts, answers));
        written.replaced = progress.since;
    }
    Ok(written)
}
