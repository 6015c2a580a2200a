//! `init`: the files of a new cluster.

use clap::{Args, ValueEnum};

use crate::{
    cli::{Run, error::Failure, exit::Exit, name},
    edge::git::{Repository, Wanted},
    model::name::Name,
    ops::init::{self, PlatformKind},
};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The cluster's name
    #[arg(value_parser = name)]
    cluster_name: Name,
    /// The platform that it runs
    #[arg(long, value_enum, default_value_t = Kind::Cozystack)]
    platform: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Cozystack,
    Generic,
}

pub(super) fn run(run: &Run<'_>, args: &InitArgs) -> Result<Exit, Failure> {
    let repository = Repository::discover(&run.folder())?;
    let tree = repository.read_work_tree(&Wanted::default())?;
    let kind = match args.platform {
        Kind::Cozystack => PlatformKind::Cozystack,
        Kind::Generic => PlatformKind::Generic,
    };
    let branch = repository.checked_out_branch()?.unwrap_or_else(|| "main".to_owned());
    let files = init::files(&tree, &args.cluster_name, kind, &branch)?;
    init::write(repository.root(), &files)?;
    for path in files.keys() {
        run.printer.result(&format!("✔ {path}"));
    }
    run.printer.remark(&format!("next: fill in the files, then: bobbypin plan --cluster {}", args.cluster_name));
    Ok(Exit::Done)
}
