//! Every OCI reference that a set of YAML files names, with who needs it and when.
//!
//! [`scan`] reads the files and brings the parts together: `objects` tells what each document is and when its pods run,
//! `walk` finds the references that stand in a document as such, and `flux` those that take several objects to say:
//! a chart of a repository, the tag that a policy selects.
//!
//! What could not be told is in [`Scan::open`]: a list of what must be kept is only as good as what it leaves out.

use std::fmt;

use serde::Serialize;

use crate::{
    config::problem::Problem,
    model::{digest::Digest, object::ObjectId, oci::Reference},
    pins::{
        marked,
        references::objects::{Index, Object},
    },
};

mod flux;
mod objects;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use self::walk::is_image_key;

/// A file to look at.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its path in the repository, or as the user gave it.
    pub path: &'a str,
    /// Its content.
    pub text: &'a str,
}

/// All that a set of files says about references.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The references, sorted.
    pub found: Vec<Found>,
    /// What names something that cannot be told from these files, sorted.
    pub open: Vec<Open>,
}

/// One reference at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What is named.
    pub reference: Reference,
    /// What it is the reference of.
    pub kind: ReferenceKind,
    /// Who needs it.
    pub user: User,
    /// When it is needed.
    pub usage: Usage,
    /// Where that stands.
    pub place: Place,
}

/// What a reference is the reference of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// The image of a container, or what is made like one.
    Image,
    /// A Helm chart.
    Chart,
    /// Files that Flux fetches.
    Artifact,
}

impl ReferenceKind {
    /// The name for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Chart => "chart",
            Self::Artifact => "artifact",
        }
    }
}

/// Who needs a reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// An object.
    Object(ObjectId),
    /// Whoever reads this file of values.
    Values(String),
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::Values(path) => f.write_str(path),
        }
    }
}

/// When a reference is needed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Usage {
    /// Now: a cleaner that looks at what runs can see it.
    Live,
    /// When somebody ends the suspension.
    Suspended {
        /// The `Kustomization` that brings the object; `None`: the object itself is.
        by: Option<ObjectId>,
    },
    /// When the workload is scaled up again.
    ScaledToZero,
    /// At certain times.
    Scheduled {
        /// Whether the `CronJob` is suspended.
        suspended: bool,
    },
    /// When the release is installed, upgraded or removed.
    Hook,
    /// It ran to its end.
    Ended,
    /// When an automation writes what its policy selects.
    Selected,
    /// It is in `pins.yaml`.
    Pinned,
    /// It is in `pins.yaml`, to be used later.
    Candidate,
    /// Nothing in these files says who reads the file of values, or who makes pods of the template.
    Unattached,
}

impl Usage {
    /// Whether a cleaner that looks at what runs can see it.
    pub fn is_live(&self) -> bool {
        *self == Self::Live
    }

    /// Whether it stands for a workload or release that needs it, now or later.
    pub fn is_need(&self) -> bool {
        !matches!(self, Self::Selected | Self::Pinned | Self::Candidate | Self::Ended)
    }

    /// The name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Suspended { .. } => "Suspended",
            Self::ScaledToZero => "ScaledToZero",
            Self::Scheduled { suspended: false } => "Scheduled",
            Self::Scheduled { suspended: true } => "ScheduleSuspended",
            Self::Hook => "Hook",
            Self::Ended => "Ended",
            Self::Selected => "Selected",
            Self::Pinned => "Pinned",
            Self::Candidate => "Candidate",
            Self::Unattached => "Unattached",
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live => f.write_str("needs it now"),
            Self::Suspended { by: None } => f.write_str("is suspended"),
            Self::Suspended { by: Some(by) } => write!(f, "is suspended by {by}"),
            Self::ScaledToZero => f.write_str("is scaled to zero"),
            Self::Scheduled { suspended: false } => f.write_str("runs on a schedule"),
            Self::Scheduled { suspended: true } => f.write_str("is a schedule that is suspended"),
            Self::Hook => f.write_str("needs it for a hook"),
            Self::Ended => f.write_str("ran to its end"),
            Self::Selected => f.write_str("selects it"),
            Self::Pinned => f.write_str("pins it"),
            Self::Candidate => f.write_str("has it as a candidate"),
            Self::Unattached => f.write_str("may need it"),
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The way to the value, as `spec.values.image.tag`.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// What names something that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// Who needs it.
    pub user: User,
    /// Where that stands.
    pub place: Place,
    /// Why it cannot be told.
    pub why: Why,
}

/// Why a reference cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It has variables in it.
    Variables,
    /// There is a repository without a tag, so the chart chooses one, or whatever it is put in the place of.
    NoTag,
    /// There is a tag without a repository, so the chart's own one is meant.
    NoRepository,
    /// It is a range of versions.
    Range,
    /// It says neither in a filter nor in a status which tag it selects.
    Policy,
    /// The source that it names is not in these files.
    NoSource,
    /// It is where references must be, and is none.
    NoReference,
}

impl Why {
    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Variables => "Variables",
            Self::NoTag => "NoTag",
            Self::NoRepository => "NoRepository",
            Self::Range => "Range",
            Self::Policy => "Policy",
            Self::NoSource => "NoSource",
            Self::NoReference => "NoReference",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Variables => "has variables in it",
            Self::NoTag => "has no tag, so something else chooses one",
            Self::NoRepository => "has no repository, so the chart's own one is meant",
            Self::Range => "is a range of versions",
            Self::Policy => "selects a tag that neither its filter nor its status tells",
            Self::NoSource => "names a source that is not in these files",
            Self::NoReference => "is no reference",
        })
    }
}

/// Finds every reference of some files.
///
/// Documents that are no objects are looked at in files whose name has `values` in it, and nowhere else. A file that is no
/// YAML before Helm has filled it in is told in [`Scan::open`].
///
/// # Errors
///
/// Every file that cannot be read.
pub fn scan(files: &[File<'_>]) -> Result<Scan, Vec<Problem>> {
    let (mut objects, mut templates, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for file in files {
        match marked::documents(file.path, file.text) {
            Ok(documents) => {
                documents.into_iter().for_each(|document| objects::collect(document, *file, &mut objects));
            }
            // A template of a chart; what becomes of it only Helm knows.
            Err(problem) if file.text.contains("{{") => templates.push(Open {
                user: User::Values(file.path.to_owned()),
                place: Place { path: problem.path, line: problem.line, column: problem.column, key: String::new() },
                why: Why::Variables,
            }),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(of_objects(objects, templates)) } else { Err(problems) }
}

fn of_objects(mut objects: Vec<Object<'_>>, open: Vec<Open>) -> Scan {
    objects::decide_usages(&mut objects);
    let mut scan = Scan { found: Vec::new(), open };
    let index = Index::of(&objects);
    for object in &objects {
        walk::walk(object, &mut scan);
        if object.is("helm.toolkit.fluxcd.io", "HelmRelease") {
            walk::walk_values_from(&index, object, &mut scan);
        }
    }
    flux::resolve(&objects, &index, &mut scan);
    scan.found.sort();
    scan.found.dedup();
    scan.open.sort();
    scan.open.dedup();
    scan
}

/// What stands where a reference, or a part of one, is expected.
enum Read {
    Reference(Reference),
    Open(Why),
    /// It is something else.
    Other,
}

/// Puts a reference together. `tag` may have a digest behind an `@`, as charts want it that know no digests.
fn compose(repository: &str, tag: Option<&str>, digest: Option<&str>) -> Read {
    let (tag, digest_in_tag) = match tag.and_then(|tag| tag.split_once('@')) {
        Some((tag, digest)) => (Some(tag), Some(digest)),
        None => (tag, None),
    };
    let tag = tag.filter(|tag| !tag.is_empty()).map_or(String::new(), |tag| format!(":{tag}"));
    let digest = digest.filter(|digest| !digest.is_empty()).or(digest_in_tag);
    let digest = digest.map_or(String::new(), |digest| format!("@{digest}"));
    parse(&format!("{repository}{tag}{digest}"))
}

/// Reads a reference in the place of one.
fn parse(text: &str) -> Read {
    match Reference::parse(text) {
        _ if has_variables(text) => Read::Open(Why::Variables),
        Ok(reference) => Read::Reference(reference),
        Err(_) => Read::Open(Why::NoReference),
    }
}

/// Whether a text is filled in by Helm or Flux before anybody reads it.
fn has_variables(text: &str) -> bool {
    text.contains("{{") || text.contains("${")
}

/// The digest of a reference, when it is one that can be asked for.
pub(crate) fn digest_of(reference: &Reference) -> Option<Digest> {
    reference.digest.as_deref().and_then(|digest| Digest::parse(digest).ok())
}
