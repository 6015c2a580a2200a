//! `dns`: the DNS part alone.

mod hosts;
mod lint;
mod render;
mod report;

use clap::{Args, Subcommand};

use crate::{
    cli::{Run, error::Failure, exit::Exit},
    model::{
        layer::{Layer, TenantId},
        name::Name,
    },
};

#[derive(Debug, Args)]
pub(super) struct DnsArgs {
    #[command(subcommand)]
    command: DnsCommand,
}

#[derive(Debug, Subcommand)]
enum DnsCommand {
    /// Print which host gets a record in which layer, and why another one does not
    Hosts(hosts::HostsArgs),
    /// Print the records of a layer, in any form
    Render(render::RenderArgs),
    /// Look for what will not work in a Corefile
    Lint(lint::LintArgs),
}

impl DnsArgs {
    pub(super) fn wants_json(&self) -> bool {
        match &self.command {
            DnsCommand::Hosts(args) => args.wants_json(),
            DnsCommand::Lint(args) => args.wants_json(),
            DnsCommand::Render(_) => false,
        }
    }
}

pub(super) fn run(run: &Run<'_>, args: &DnsArgs) -> Result<Exit, Failure> {
    match &args.command {
        DnsCommand::Hosts(args) => hosts::run(run, args),
        DnsCommand::Render(args) => render::run(run, args),
        DnsCommand::Lint(args) => lint::run(run, args),
    }
}

/// `host`, or the namespace and the name of a tenant.
fn layer(text: &str) -> Result<Layer, String> {
    if text == "host" {
        return Ok(Layer::Host);
    }
    let wrong = || format!("`{}` is neither `host` nor `NAMESPACE/NAME` of a tenant", text.escape_debug());
    let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
    let part = |text: &str| Name::parse(text).map_err(|_| wrong());
    Ok(Layer::Tenant(TenantId { namespace: part(namespace)?, name: part(name)? }))
}
