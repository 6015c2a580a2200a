//! `inventory`: what the clusters hold.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    cli::{Run, error::Failure, exit::Exit, sources::Sources},
    config::inventory::{changes, inventory_json, inventory_text, parse_inventory},
    diff::print::escape::line as line_safe,
    edge::files,
    model::{inventory::Inventory, name::Name},
    ops::{decide, load::LoadError},
};

#[derive(Debug, Args)]
pub(super) struct InventoryArgs {
    #[command(flatten)]
    sources: Sources,
    /// Write to this file, as JSON when it ends so
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show what changed since this snapshot
    #[arg(long, value_name = "OLD", conflicts_with = "out")]
    diff: Option<PathBuf>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Yaml, value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// As a person reads it
    Yaml,
    /// One object a line; quicker to read back
    Json,
}

impl InventoryArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &InventoryArgs) -> Result<Exit, Failure> {
    let request = args.sources.request(run)?;
    let clusters = decide::clusters(&run.checkout()?.tree, &request)?;
    let mut inventories: Vec<Arc<Inventory>> = Vec::with_capacity(clusters.len());
    let mut missing = Vec::new();
    for cluster in clusters {
        if cluster.is_seen {
            // Only a plain list, which nobody shares, does not know its cluster.
            inventories.push(match cluster.inventory.cluster {
                Some(_) => cluster.inventory,
                None => {
                    let name = Some(cluster.config.name);
                    Arc::new(Inventory { cluster: name, ..Arc::unwrap_or_clone(cluster.inventory) })
                }
            });
        } else {
            missing.push(cluster.config.name.to_string());
        }
    }
    if !missing.is_empty() {
        return Err(Failure::Usage(format!(
            "nothing says how to reach {}\n  help: set spec.access in cluster.yaml, or give --context with --cluster",
            missing.join(", ")
        )));
    }
    let unread: Vec<_> = inventories.iter().flat_map(|inventory| decide::unread(inventory)).collect();
    run.printer.unread(&unread);
    let exit = if unread.is_empty() { Exit::Done } else { Exit::NotObserved };
    if let Some(old) = &args.diff {
        let (source, read_at) = files::read(&run.here.join(old), run.now)?;
        let before =
            parse_inventory(&source, read_at).map_err(|problems| Failure::from(LoadError::Problems(problems)))?;
        run.printer.result(&differences(&before, &inventories, args.output)?);
        return Ok(exit);
    }
    let is_json = match &args.out {
        Some(path) => path.extension().is_some_and(|extension| extension == "json"),
        None => args.output == Output::Json,
    };
    if is_json && inventories.len() != 1 {
        let names: Vec<_> =
            inventories.iter().filter_map(|inventory| inventory.cluster.as_ref()).map(Name::as_str).collect();
        return Err(Failure::Usage(format!(
            "a JSON file holds the inventory of one cluster, and these are {}\n  help: say which with --cluster, or write YAML",
            names.join(", ")
        )));
    }
    let write = if is_json { inventory_json } else { inventory_text };
    let mut texts = inventories.iter().map(|inventory| write(inventory));
    // The text of one large cluster is not copied.
    let mut text = texts.next().unwrap_or_default();
    for more in texts {
        text.push_str("---\n");
        text.push_str(&more);
    }
    match &args.out {
        Some(path) => files::write(&run.here.join(path), text.as_bytes())?,
        None => run.printer.result(&text),
    }
    Ok(exit)
}

/// What changed in every cluster since a snapshot.
fn differences(before: &[Inventory], after: &[Arc<Inventory>], output: Output) -> Result<String, Failure> {
    let mut found = Vec::new();
    for after in after {
        let before = before.iter().find(|before| before.cluster.is_none() || before.cluster == after.cluster);
        let before = before.ok_or_else(|| {
            let name = after.cluster.as_ref().map_or("", Name::as_str);
            Failure::Usage(format!("the older file has no inventory of the cluster {name}"))
        })?;
        found.push((after, changes(before, after)));
    }
    Ok(match output {
        Output::Json => {
            let clusters = found.iter().map(|(after, changes)| json!({"name": after.cluster, "changes": changes}));
            let document = json!({
                "apiVersion": "bobbypin.dev/v1alpha1",
                "kind": "InventoryDiff",
                "clusters": clusters.collect::<Vec<_>>(),
            });
            format!("{document:#}\n")
        }
        Output::Yaml => {
            let mut text = String::new();
            for (after, changes) in &found {
                let name = after.cluster.as_ref().map_or("", Name::as_str);
                text.push_str(&format!("{name}: {}\n", if changes.is_empty() { "nothing changed" } else { "changed" }));
                for change in changes {
                    text.push_str(&format!("  {}\n", line_safe(&change.to_string())));
                }
            }
            text
        }
    })
}
