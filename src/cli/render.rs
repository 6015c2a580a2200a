//! `render`: the manifests themselves.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::{Run, error::Failure, exit::Exit, plan, sources::Seen},
    edge::files,
    ops::decide::{Decided, decide},
};

#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    #[command(flatten)]
    seen: Seen,
    /// Write the files below this folder instead of printing them
    #[arg(long, value_name = "DIR", conflicts_with = "write")]
    out: Option<PathBuf>,
    /// Write the files into the work tree, and delete those of ours that are not wanted any more
    #[arg(long)]
    write: bool,
}

pub(super) fn run(run: &Run<'_>, args: &RenderArgs) -> Result<Exit, Failure> {
    let request = args.seen.request(run)?;
    let checkout = run.checkout()?;
    let decided = decide(&checkout.tree, &checkout.asked(request)?)?;
    run.printer.unread(&decided.unread);
    if args.write {
        let root = checkout.repository.root();
        for change in &decided.changes.files {
            let path = root.join(change.path.as_str());
            match &change.new {
                Some(bytes) => files::write(&path, bytes)?,
                None => files::remove(&path, root)?,
            }
        }
        run.printer.remark(&format!(
            "{} files written to {}",
            decided.changes.files.len(),
            root.components().as_path().display()
        ));
    } else if let Some(out) = &args.out {
        for (path, text) in texts(&decided) {
            files::write(&run.here.join(out).join(path), text.as_bytes())?;
        }
    } else {
        let stream: String = texts(&decided).map(|(path, text)| format!("---\n# {path}\n{text}")).collect();
        run.printer.result(&stream);
    }
    Ok(plan::exit(&decided, Exit::Done))
}

/// Every wanted file.
fn texts(decided: &Decided) -> impl Iterator<Item = (&str, &str)> {
    let files = decided.manifests.clusters().iter().flat_map(|cluster| &cluster.files);
    files.map(|(path, file)| (path.as_str(), file.text.as_str()))
}
