//! `dns hosts`: which host gets a record, and why another one does not.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Output, Run, dns, error::Failure, exit::Exit, printer::Printer, sources::Sources},
    diff::print::escape::line as line_safe,
    model::layer::Layer,
    ops::{
        decide::{planned, unread},
        dns::hosts::{Answer, HostDecision, Hosts, is_seen},
        load::Cluster,
    },
    plan::{ClusterPlan, LayerPlan},
};

#[derive(Debug, Args)]
pub(super) struct HostsArgs {
    #[command(flatten)]
    sources: Sources,
    /// Only this layer: `host`, or `NAMESPACE/NAME` of a tenant; may be repeated [default: all]
    #[arg(long = "layer", value_name = "LAYER", value_parser = dns::layer)]
    layers: Vec<Layer>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl HostsArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &HostsArgs) -> Result<Exit, Failure> {
    let request = args.sources.request(run)?;
    let checkout = run.checkout()?;
    let planned = planned(&checkout.tree, &checkout.asked(request)?)?;
    let mut exit = Exit::Done;
    for (cluster, _) in &planned {
        let unread = unread(&cluster.inventory);
        run.printer.unread(&unread);
        if !unread.is_empty() {
            exit = Exit::NotObserved;
        }
    }
    let is_wanted = |layer: &&LayerPlan| args.layers.is_empty() || args.layers.contains(&layer.layer);
    let decisions: Vec<_> = planned
        .iter()
        .map(|(cluster, plan)| {
            let hosts = Hosts::new(&checkout.tree, cluster, plan);
            let layers = plan.layers.iter().filter(is_wanted);
            let layers =
                layers.map(|layer| Decided { layer, is_seen: is_seen(cluster, layer), hosts: hosts.of_layer(layer) });
            (plan, layers.collect::<Vec<_>>())
        })
        .collect();
    match args.output {
        Output::Human => run.printer.result(&human(&decisions, run.printer)),
        Output::Json => run.printer.result(&format!("{:#}\n", document(&decisions, exit))),
    }
    Ok(exit)
}

/// What was decided about the hosts of one layer.
struct Decided<'a> {
    layer: &'a LayerPlan,
    is_seen: bool,
    hosts: Vec<HostDecision>,
}

type Decisions<'a> = [(&'a ClusterPlan, Vec<Decided<'a>>)];

fn human(decisions: &Decisions<'_>, printer: &Printer) -> String {
    let mut text = String::new();
    for (plan, layers) in decisions {
        line(&mut text, format_args!("{}", plan.name));
        for Decided { layer, is_seen, hosts } in layers {
            let reason = layer.decision.reason();
            line(&mut text, format_args!("► {}: {} ({})", layer.layer, layer.decision.word(), reason.code));
            if !is_seen {
                line(&mut text, format_args!("    ? its Ingresses were not read"));
            }
            for host in hosts {
                let (color, sign) = match &host.answer {
                    Answer::Record => (AnsiColor::Green, "✔"),
                    Answer::RecordOfAnother | Answer::Leaving => (AnsiColor::Yellow, "!"),
                    Answer::None { .. } => (AnsiColor::Red, "✗"),
                };
                let sign = printer.paint(color, sign);
                line(&mut text, format_args!("    {sign} {}: {}", line_safe(&host.host), line_safe(&told(host))));
            }
        }
    }
    text
}

fn told(host: &HostDecision) -> String {
    let owner =
        host.owner.as_ref().map_or("nobody".to_owned(), |(kind, namespace, name)| format!("{kind}/{namespace}/{name}"));
    let suffix = host.delegated_by.as_ref().map_or(String::new(), |suffix| format!(", delegated by {suffix}"));
    match &host.answer {
        Answer::Record => format!("record for {owner}{suffix}"),
        Answer::RecordOfAnother => format!("record for another object than {owner}{suffix}"),
        Answer::Leaving => "record that nobody asks for; it goes when that is confirmed".to_owned(),
        Answer::None { rule, reason } => format!("no record for {owner}{suffix} ({rule}): {reason}"),
    }
}

fn document(decisions: &Decisions<'_>, exit: Exit) -> Value {
    let clusters = decisions.iter().map(|(plan, layers)| {
        let layers = layers.iter().map(|Decided { layer, is_seen, hosts }| {
            let (word, tenant) = match &layer.layer {
                Layer::Host => ("host", None),
                Layer::Tenant(tenant) => ("tenant", Some(tenant)),
            };
            json!({
                "layer": word,
                "namespace": tenant.map(|tenant| tenant.namespace.as_str()),
                "name": tenant.map(|tenant| tenant.name.as_str()),
                "decision": layer.decision.word(),
                "reason": layer.decision.reason().code,
                "seen": is_seen,
                "hosts": hosts.iter().map(one).collect::<Vec<_>>(),
            })
        });
        json!({"name": plan.name.as_str(), "layers": layers.collect::<Vec<_>>()})
    });
    json!({
        "apiVersion": "bobbypin.dev/v1alpha1",
        "kind": "Hostnames",
        "clusters": clusters.collect::<Vec<_>>(),
        "exitReason": exit.reason(),
    })
}

fn one(host: &HostDecision) -> Value {
    let (answer, rule, reason) = match &host.answer {
        Answer::Record => ("Record", None, None),
        Answer::RecordOfAnother => ("RecordOfAnother", None, None),
        Answer::Leaving => ("Leaving", None, None),
        Answer::None { rule, reason } => ("None", Some(rule), Some(reason)),
    };
    json!({
        "host": host.host,
        "owner": host.owner.as_ref().map(|(kind, namespace, name)| json!({"kind": kind, "namespace": namespace, "name": name})),
        "delegatedBy": host.delegated_by,
        "answer": answer,
        "rule": rule,
        "reason": reason,
    })
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a String does not fail");
}

/// The names of the records of one layer of the planned clusters.
pub(super) fn records(planned: &[(Cluster, ClusterPlan)], wanted: &Layer) -> Vec<String> {
    let layers = planned.iter().flat_map(|(_, plan)| &plan.layers).filter(|layer| layer.layer == *wanted);
    layers.flat_map(|layer| layer.hosts.keys().cloned()).collect()
}
