//! Where inventories come from: flags that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::{
    cli::{Run, digest, error::Failure},
    edge::{
        files,
        kube::{Limits, kubeconfig::Allowed},
    },
    model::{cluster::AccessWay, digest::Digest},
    ops::{
        collect::{How, Live},
        decide::{Inventories, Request},
        load::InventoryFile,
        selection::Selection,
    },
};

/// What was seen.
#[derive(Debug, Args)]
pub(super) struct Sources {
    /// What the clusters hold: an Inventory snapshot, or what `kubectl get … -A -o yaml` printed; `-` is standard input;
    /// may be repeated
    ///
    /// Without it the clusters are read that say how they are reached (spec.access of cluster.yaml).
    #[arg(long = "inventory", value_name = "FILE")]
    pub(super) inventories: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) reading: Reading,
}

/// What was seen, and what a person accepted.
#[derive(Debug, Args)]
pub(super) struct Seen {
    #[command(flatten)]
    pub(super) sources: Sources,
    /// Accept the removals that a refusal printed this hash for
    #[arg(long, value_name = "HASH", value_parser = digest)]
    pub(super) accept_removals: Option<Digest>,
}

/// How clusters are read.
#[derive(Debug, Args)]
pub(super) struct Reading {
    /// Read the one cluster through this context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; without --context its current context is used for the one cluster [default: $KUBECONFIG, else
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// What else than plain data your kubeconfig may hold; may be repeated. Never holds for those of tenants
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    allow_kubeconfig: Vec<AllowKubeconfig>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AllowKubeconfig {
    /// Programs that give credentials (`exec`, `auth-provider`)
    Exec,
    /// Paths of other files
    Files,
    /// Servers whose certificate is not checked
    InsecureTls,
    /// Connections through a proxy (`proxy-url`)
    Proxy,
}

impl Reading {
    /// The way to a cluster that the user gives, if any, and how to read.
    pub(super) fn live(&self, run: &Run<'_>) -> Live {
        let kubeconfigs = match &self.kubeconfig {
            Some(path) => vec![run.here.join(path)],
            None => run.kubeconfigs.iter().map(|path| run.here.join(path)).collect(),
        };
        let way = match (&self.context, &self.kubeconfig) {
            (Some(context), _) => Some(AccessWay::Context(context.clone())),
            (None, Some(path)) => Some(AccessWay::Kubeconfig(run.here.join(path).display().to_string())),
            (None, None) => None,
        };
        let allows = |what| self.allow_kubeconfig.contains(&what);
        Live::new(How {
            way,
            kubeconfigs,
            allowed: Allowed {
                exec: allows(AllowKubeconfig::Exec),
                files: allows(AllowKubeconfig::Files),
                insecure_tls: allows(AllowKubeconfig::InsecureTls),
                proxy: allows(AllowKubeconfig::Proxy),
            },
            limits: Limits::of_seconds(run.global.timeout),
            // To wait costs nothing: without a number all but the largest fleets are read at once.
            jobs: run.global.jobs.map_or(64, usize::from),
            progress: run.printer.progress(),
        })
    }
}

impl Sources {
    fn inventories(&self, run: &Run<'_>) -> Result<Inventories, Failure> {
        let read = |path: &PathBuf| {
            let (source, read_at) = files::read(path, run.now)?;
            Ok(InventoryFile { source, read_at })
        };
        if !self.inventories.is_empty() && (self.reading.context.is_some() || self.reading.kubeconfig.is_some()) {
            let message = "--inventory contacts no cluster: leave out --context and --kubeconfig";
            return Err(Failure::Usage(message.to_owned()));
        }
        Ok(if self.inventories.is_empty() {
            Inventories::Live(Box::new(self.reading.live(run)))
        } else {
            Inventories::Files(self.inventories.iter().map(read).collect::<Result<_, Failure>>()?)
        })
    }
}

impl Sources {
    /// What is asked, when no removal is accepted.
    pub(super) fn request(&self, run: &Run<'_>) -> Result<Request, Failure> {
        let clusters = Selection::of(run.global.clusters.clone());
        Ok(Request {
            clusters,
            inventories: self.inventories(run)?,
            accept_removals: None,
            git_server: None,
            now: run.now,
        })
    }
}

impl Seen {
    /// What is asked.
    pub(super) fn request(&self, run: &Run<'_>) -> Result<Request, Failure> {
        Ok(Request { accept_removals: self.accept_removals.clone(), ..self.sources.request(run)? })
    }
}

/// A positive duration, in seconds: `90s`, `5m`.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{}` is not a duration such as `60s` or `5m`", text.escape_debug());
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| *seconds > 0).ok_or_else(wrong)
}
