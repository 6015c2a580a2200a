//! One object, one file.

use std::collections::BTreeMap;

use crate::manifest::validate::{Document, ManifestProblem, listing};

/// Reports objects that are declared twice for the same cluster. A patch declares nothing.
pub(super) fn check(documents: &[Document<'_>], problems: &mut Vec<ManifestProblem>) {
    let patches = listing::patches(documents);
    let mut first = BTreeMap::new();
    for document in documents.iter().filter(|document| !patches.contains(document.path.as_str())) {
        let Some(id) = &document.id else { continue };
        let Some(earlier) = first.insert((&document.target, id), document) else { continue };
        let message = format!("{id} is also declared in `{}`, document {}", earlier.path, earlier.number);
        let hint = "let one file declare it: two would overwrite each other, or fail the whole build";
        problems.push(document.problem("Duplicate", "", message, hint));
    }
}
