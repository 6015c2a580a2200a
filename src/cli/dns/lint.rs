//! `dns lint`: what will not work in a Corefile.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{
    cli::{
        Run,
        dns::{hosts, report},
        error::Failure,
        exit::Exit,
        sources::Sources,
    },
    dns::corefile::lint::Delivery,
    edge::files,
    model::{finding::Severity, hostname::Hostname, layer::Layer, observed::Observed},
    ops::{
        decide::planned,
        dns::{
            lint::{Known, lint},
            records::inventory_of,
        },
        load::LoadError,
    },
};

#[derive(Debug, Args)]
pub(super) struct LintArgs {
    /// A Corefile, or a YAML file with the ConfigMap that holds it, and with `coredns-custom` and `node-local-dns` beside
    /// it where they are; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    sources: Sources,
    /// Whose names to look for when there is an inventory: `host`, or `NAMESPACE/NAME` of a tenant
    #[arg(long, value_name = "LAYER", default_value = "host", value_parser = super::layer)]
    layer: Layer,
    /// How records are meant to come into this Corefile; what they need is looked for then
    #[arg(long, value_enum, value_name = "WAY")]
    records: Option<Way>,
    /// End with 1 at findings from here on
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Format::Human, value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// As a block in the Corefile itself: mode `coredns` of ouroboros
    Block,
    /// In files that it imports: mode `coredns-import` of ouroboros, and `rewrite-snippet`
    Import,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Info,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
    /// SARIF 2.1.0, which code hosts and editors show beside the lines
    Sarif,
    /// Commands of a workflow of GitHub or Gitea
    Github,
}

impl LintArgs {
    pub(super) fn wants_json(&self) -> bool {
        matches!(self.output, Format::Json)
    }
}

pub(super) fn run(run: &Run<'_>, args: &LintArgs) -> Result<Exit, Failure> {
    let path = if args.file.as_os_str() == "-" { args.file.clone() } else { run.here.join(&args.file) };
    let (mut source, _) = files::read(&path, run.now)?;
    source.path = if args.file.as_os_str() == "-" { "stdin".to_owned() } else { args.file.display().to_string() };
    let planned = if args.sources.inventories.is_empty() {
        Vec::new()
    } else {
        let checkout = run.checkout()?;
        planned(&checkout.tree, &checkout.asked(args.sources.request(run)?)?)?
    };
    let names = hosts::records(&planned, &args.layer);
    let hosts: BTreeSet<Hostname> = names.iter().filter_map(|name| Hostname::parse(name).ok()).collect();
    let mut inventories = planned.iter().filter_map(|(cluster, _)| inventory_of(cluster, &args.layer));
    let config_maps = inventories.find_map(|inventory| match &inventory.dns_config_maps {
        Observed::Present(config_maps) => Some(config_maps),
        Observed::Absent | Observed::Unknown(_) => None,
    });
    let delivery = args.records.map(|way| match way {
        Way::Block => Delivery::Block,
        Way::Import => Delivery::Import,
    });
    let known = Known { delivery, hosts: &hosts, config_maps };
    let placed = lint(&source, known).map_err(|problem| LoadError::Problems(vec![problem]))?;
    let least = match args.fail_on {
        FailOn::Error => Severity::Error,
        FailOn::Warning => Severity::Warning,
        FailOn::Info => Severity::Info,
    };
    let fails = placed.iter().any(|placed| placed.finding.severity >= least);
    let exit = if fails { Exit::Findings } else { Exit::Done };
    let text = match args.output {
        Format::Human => report::human(&source.path, &placed, run.printer),
        Format::Json => report::json(&source.path, &placed, exit),
        Format::Sarif => report::sarif(&source.path, &placed),
        Format::Github => report::github(&source.path, &placed),
    };
    run.printer.result(&text);
    Ok(exit)
}
