//! `dns render`: the records of a layer.

use clap::{Args, ValueEnum};

use crate::{
    cli::{Run, dns, error::Failure, exit::Exit, sources::Sources},
    model::layer::Layer,
    ops::{
        decide::{planned, unread},
        dns::records::{Form, of_layer},
    },
};

#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    #[command(flatten)]
    sources: Sources,
    /// Only this layer: `host`, or `NAMESPACE/NAME` of a tenant; may be repeated [default: all]
    #[arg(long = "layer", value_name = "LAYER", value_parser = dns::layer)]
    layers: Vec<Layer>,
    /// In which form [default: as planned]
    #[arg(long, value_enum, value_name = "FORM")]
    form: Option<FormArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormArg {
    /// Lines for a key of `coredns-custom`
    RewriteSnippet,
    /// Lines for the plugin `hosts`
    HostsFile,
    /// The lines of a block in the Corefile
    CorefileBlock,
    /// The block that ouroboros writes, with its markers
    Ouroboros,
}

pub(super) fn run(run: &Run<'_>, args: &RenderArgs) -> Result<Exit, Failure> {
    let form = match args.form {
        None => Form::Planned,
        // The lines of a block are those of a snippet; the editor of Corefiles brings the markers.
        Some(FormArg::RewriteSnippet | FormArg::CorefileBlock) => Form::RewriteSnippet,
        Some(FormArg::HostsFile) => Form::HostsFile,
        Some(FormArg::Ouroboros) => Form::Ouroboros,
    };
    let request = args.sources.request(run)?;
    let checkout = run.checkout()?;
    let planned = planned(&checkout.tree, &checkout.asked(request)?)?;
    let mut exit = Exit::Done;
    let mut text = String::new();
    for (cluster, plan) in &planned {
        let unread = unread(&cluster.inventory);
        run.printer.unread(&unread);
        if !unread.is_empty() {
            exit = Exit::NotObserved;
        }
        for layer in plan.layers.iter().filter(|layer| args.layers.is_empty() || args.layers.contains(&layer.layer)) {
            let records = of_layer(cluster, layer, form).map_err(|error| {
                Failure::Usage(format!("cannot write the records of {}, {}: {error}", plan.name, layer.layer))
            })?;
            let reason = layer.decision.reason();
            let state = format!("{} ({})", layer.decision.word(), reason.code);
            text.push_str(&format!("# {}, {}: {state}\n{records}", plan.name, layer.layer));
        }
    }
    run.printer.result(&text);
    Ok(exit)
}
