//! `trust`: which cluster is meant, written down.

use clap::Args;
use serde_json::json;

use crate::{
    cli::{Output, Run, error::Failure, exit::Exit, sources::Reading},
    edge::files,
    model::{layer::TenantId, name::Name},
    ops::{
        decide::{Inventories, Request},
        selection::Selection,
        trust::{self, Trusted},
    },
};

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    #[command(flatten)]
    reading: Reading,
    /// This tenant, not the host; state.yaml remembers it
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = tenant, conflicts_with = "replace")]
    tenant: Option<TenantId>,
    /// Trust this cluster although cluster.yaml trusts another one
    #[arg(long)]
    replace: bool,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

impl TrustArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }
}

pub(super) fn run(run: &Run<'_>, args: &TrustArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout()?;
    let live = args.reading.live(run);
    let trusted = match &args.tenant {
        None => trust::host(&checkout.tree, &Selection::of(run.global.clusters.clone()), &live, args.replace)?,
        Some(tenant) => {
            let inventories = Inventories::Live(Box::new(live));
            let clusters = Selection::of(run.global.clusters.clone());
            let request = Request { clusters, inventories, accept_removals: None, git_server: None, now: run.now };
            trust::tenant(&checkout.tree, &request, tenant)?
        }
    };
    if let Some(change) = &trusted.change {
        if !checkout.repository.has_work_tree() {
            return Err(Failure::Usage("a bare repository has no files to change".to_owned()));
        }
        files::write(&checkout.repository.root().join(change.path.as_str()), &change.bytes)?;
    }
    let Trusted { subject, uid, change } = &trusted;
    run.printer.result(&match (args.output, change) {
        (Output::Human, Some(change)) => {
            format!("✔ {subject} has the UID {uid}: written to {}\nnext: look at it and commit it\n", change.path)
        }
        (Output::Human, None) => format!("✔ {subject} has the UID {uid}, as it is trusted already\n"),
        (Output::Json, change) => {
            let path = change.as_ref().map(|change| change.path.as_str());
            format!(
                "{:#}\n",
                json!({
                    "apiVersion": "bobbypin.dev/v1alpha1", "kind": "Trust",
                    "subject": subject, "uid": uid, "written": path,
                })
            )
        }
    });
    Ok(Exit::Done)
}

fn tenant(text: &str) -> Result<TenantId, String> {
    let (namespace, name) = text.split_once('/').ok_or_else(|| "a tenant is NAMESPACE/NAME".to_owned())?;
    let part = |text: &str| Name::parse(text).map_err(|error| error.to_string());
    Ok(TenantId { namespace: part(namespace)?, name: part(name)? })
}
