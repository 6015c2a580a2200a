//! `pin export`: lists of what must be kept.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    cli::{
        Output, Run,
        error::Failure,
        exit::Exit,
        pin::{open_json, registries, remark_open},
    },
    config::problem::Source,
    diff::print::escape::line as line_safe,
    edge::{
        files::{self, FileError},
        git::Wanted,
    },
    ops::{
        load,
        pin::export::{self, ExportError, Kept},
        selection::Selection,
    },
    pins::keep::{
        Keep,
        formats::{self, Copies},
        gitea,
    },
};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The form of the list
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Format,
    /// Only what lies in this registry, `host` or `host:port`
    #[arg(long, value_name = "HOST", required_if_eq("format", "gitea-pins"))]
    registry: Option<String>,
    /// The owner of the packages that a list for Gitea is about
    #[arg(long, value_name = "NAME", required_if_eq("format", "gitea-pins"))]
    owner: Option<String>,
    /// Write to this file. A list for Gitea gets the lines that it does not have; anything else is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How many earlier commits count too
    #[arg(long, value_name = "N", default_value_t = 5)]
    revisions: u16,
    /// Ask the registries what indexes name and what is signed, and keep that too
    #[arg(long)]
    online: bool,
    /// The form of the result
    #[arg(short, long, value_enum, default_value_t = Output::Human, value_name = "FORMAT")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `container/name==version`, as cleaners of Gitea read it
    GiteaPins,
    /// One reference on each line
    OciList,
    /// Configuration of regsync
    Regsync,
    /// What `skopeo sync --src yaml` reads
    Skopeo,
    /// Commands of crane
    Crane,
}

impl ExportArgs {
    pub(super) fn wants_json(&self) -> bool {
        self.output == Output::Json
    }

    fn selected(&self, keep: Keep) -> Keep {
        match &self.registry {
            Some(registry) => keep.of_registry(registry),
            None => keep,
        }
    }
}

pub(super) fn run(run: &Run<'_>, args: &ExportArgs) -> Result<Exit, Failure> {
    let checkout = run.checkout_of(&Wanted::manifests())?;
    let selection = Selection::of(run.global.clusters.clone());
    let revisions = usize::from(args.revisions);
    let kept =
        export::keep(&checkout.repository, &checkout.tree, &selection, revisions).map_err(|error| match error {
            ExportError::Load(error) => Failure::from(error),
            ExportError::Git(error) => error.into(),
        })?;
    let Kept { keep, open, commits, unread } = kept;
    let mut keep = args.selected(keep);
    let mut missing = BTreeSet::new();
    if args.online {
        let asked = export::ask(&mut keep, &registries(run, &checkout, 0)?);
        if !asked.unanswered.is_empty() {
            return Err(Failure::Unanswered(asked.unanswered.into_iter().collect()));
        }
        missing = asked.missing;
    }
    let tables: Vec<_> = load::mirrors(&checkout.tree, &selection)?.into_values().collect();
    let copies = match args.format {
        Format::Regsync | Format::Crane => formats::copies(&keep, &tables.iter().collect::<Vec<_>>()),
        Format::GiteaPins | Format::OciList | Format::Skopeo => Copies::default(),
    };
    let old = match &args.out {
        Some(out) => present(run, out)?,
        None => None,
    };
    let text = match args.format {
        Format::GiteaPins => merged(args, &keep, old.as_ref())?,
        Format::OciList => formats::oci_list(&keep),
        Format::Regsync => formats::regsync(&copies),
        Format::Skopeo => formats::skopeo(&keep, &tables.iter().collect::<Vec<_>>()),
        Format::Crane => formats::crane(&copies),
    };
    if !args.online {
        run.printer.remark("not in it: what indexes name, and signatures; say --online to ask the registries");
    }
    for reference in missing {
        run.printer.remark(&format!("missing: {reference} is not in its registry"));
    }
    for reference in &copies.unmirrored {
        run.printer.remark(&format!("not in it: {reference} has no mirror in spec.pins.mirrors"));
    }
    for (reference, by) in &copies.displaced {
        let how = if reference.digest.is_some() { "by its digest alone" } else { "not in it" };
        run.printer.remark(&format!("{how}: {reference}, since its tag of the mirror is for {by}"));
    }
    remark_open(run, "not in it", &open);
    for problem in unread {
        run.printer.remark(&line_safe(&format!("not read: {problem}")));
    }
    if commits < revisions {
        run.printer.remark(&format!("{commits} of {revisions} earlier commits are in this repository"));
    }
    let is_changed = old.is_none_or(|old| *old.bytes != *text.as_bytes());
    if let Some(out) = args.out.as_ref().filter(|_| is_changed) {
        files::write_through(&run.here.join(out), text.as_bytes())?;
    }
    match (args.output, &args.out) {
        (Output::Json, _) => {
            let written = args.out.as_ref().filter(|_| is_changed).map(|out| out.display().to_string());
            let list = entries(&keep);
            let report = json!({
                "apiVersion": "bobbypin.dev/v1alpha1", "kind": "Report", "exitReason": Exit::Done.reason(),
                "text": text, "written": written, "entries": list, "open": open_json(&open),
            });
            run.printer.result(&format!("{report:#}\n"));
        }
        (Output::Human, None) => run.printer.result(&text),
        (Output::Human, Some(out)) if is_changed => {
            run.printer.remark(&format!("written: {}, {} references", out.display(), keep.entries.len()));
        }
        (Output::Human, Some(out)) => run.printer.remark(&format!("unchanged: {}", out.display())),
    }
    Ok(Exit::Done)
}

/// What stands in the file already, if it is there.
fn present(run: &Run<'_>, path: &Path) -> Result<Option<Source>, Failure> {
    match files::read(&run.here.join(path), run.now) {
        // Messages name it as the user does.
        Ok((source, _)) => Ok(Some(Source { path: path.display().to_string(), ..source })),
        Err(FileError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn merged(args: &ExportArgs, keep: &Keep, old: Option<&Source>) -> Result<String, Failure> {
    let (registry, owner) =
        args.registry.as_deref().zip(args.owner.as_deref()).expect("clap wants both for this format");
    let lines = gitea::lines(keep, registry, owner);
    let (path, text) = match old {
        Some(source) => match str::from_utf8(&source.bytes) {
            Ok(text) => (source.path.as_str(), text),
            Err(_) => return Err(Failure::Usage(format!("`{}` is not UTF-8 text; nothing was written", source.path))),
        },
        None => ("", ""),
    };
    Ok(gitea::merge(path, text, &lines)?)
}

fn entries(keep: &Keep) -> Vec<Value> {
    let entries = keep.entries.iter().map(|(reference, reasons)| {
        let because = reasons.iter().map(|one| json!({"reason": one.as_str(), "message": one.to_string()}));
        json!({"reference": reference.to_string(), "because": because.collect::<Vec<_>>()})
    });
    entries.collect()
}
