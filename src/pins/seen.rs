//! What was found of a pin in its registry.

use crate::{
    model::{
        digest::Digest,
        observed::{Observed, Unknown},
    },
    pins::artifact::{Artifact, Child},
};

/// The answers about one pin: its tag, its digest and what its index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinSeen {
    /// What the digest leads to. Read, hashed and compared.
    pub by_digest: Observed<Artifact>,
    /// What the tag means now.
    pub by_tag: Observed<Digest>,
    /// Of the children of the index that are for one of the needed platforms: whether the registry has each.
    pub children: Vec<(Child, Observed<()>)>,
}

/// What a tag leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagSeen {
    /// The digest that was known already, by the registry's own word.
    Unchanged,
    /// Another one (or none was known): read, hashed and compared; with the answers about the children of an index that
    /// are for one of the needed platforms.
    Changed {
        /// What it is.
        artifact: Artifact,
        /// Whether the registry has each child.
        children: Vec<(Child, Observed<()>)>,
    },
}

/// The reason of what was read and hashed, and is the manifest of neither a chart nor an image.
pub const OTHER_KIND: &str = "UnsupportedKind";

/// Whether it is proved that something is neither a chart nor an image. Asking again does not help.
pub fn is_other_kind(why: &Unknown) -> bool {
    why.reason == OTHER_KIND
}

/// What is said about a repository that nobody can be asked for.
pub fn not_a_repository<T>(text: &str) -> Observed<T> {
    let message = format!("`{}` is not a repository that a registry can have", text.escape_debug());
    Observed::Unknown(Unknown { reason: "Malformed".to_owned(), message })
}
