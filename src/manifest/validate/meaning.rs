//! Whether a file says what the plan meant.

use serde_json::Value;

use crate::{
    manifest::{
        Meaning,
        validate::{Document, ManifestProblem},
    },
    model::{object::ObjectId, tree::RepoPath},
};

/// The group of kustomize's own files, which declare no object.
pub(super) const KUSTOMIZE: &str = "kustomize.config.k8s.io";

/// The object that a document declares, or `None` when it declares none.
pub(super) fn identity(value: &Value) -> Option<ObjectId> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let id = ObjectId {
        api_version: text("/apiVersion")?,
        kind: text("/kind")?,
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name").unwrap_or_default(),
    };
    (id.group() != KUSTOMIZE).then_some(id)
}

pub(super) fn check(
    path: &RepoPath,
    meanings: &[Meaning],
    documents: &[Document<'_>],
    problems: &mut Vec<ManifestProblem>,
) {
    const HINT: &str = "the template must shape what it is given and change nothing; compare it with the embedded one";
    if meanings.len() != documents.len() {
        problems.push(ManifestProblem {
            path: path.clone(),
            document: 0,
            pointer: String::new(),
            rule: "Meaning",
            message: format!("the file has {} documents; {} were meant", documents.len(), meanings.len()),
            hint: HINT.to_owned(),
        });
        return;
    }
    for (document, meaning) in documents.iter().zip(meanings) {
        check_identity(document, &meaning.object, HINT, problems);
        for (pointer, meant) in &meaning.values {
            let found = document.value.pointer(pointer);
            if found != Some(meant) {
                let found = found.map_or("nothing".to_owned(), |found| format!("`{}`", excerpt(found)));
                let message = format!("there is {found}; `{}` was meant", excerpt(meant));
                problems.push(document.problem("Meaning", pointer, message, HINT));
            }
        }
    }
}

/// Compares what names an object. A file of kustomize has no name, so only its kind counts; the same holds for files of
/// our own, which are meant with an empty name.
fn check_identity(document: &Document<'_>, meant: &ObjectId, hint: &str, problems: &mut Vec<ManifestProblem>) {
    let mut fields = vec![("/apiVersion", Some(meant.api_version.as_str())), ("/kind", Some(&meant.kind))];
    if meant.group() != KUSTOMIZE && !meant.name.is_empty() {
        fields.push(("/metadata/namespace", meant.namespace.as_deref()));
        fields.push(("/metadata/name", Some(&meant.name)));
    }
    for (pointer, meant) in fields {
        let found = document.value.pointer(pointer);
        if found.map(Value::as_str) != meant.map(Some) {
            let found = found.map_or("nothing".to_owned(), |found| format!("`{}`", excerpt(found)));
            let meant = meant.map_or("nothing".to_owned(), |meant| format!("`{}`", meant.escape_debug()));
            problems.push(document.problem("Identity", pointer, format!("there is {found}; {meant} was meant"), hint));
        }
    }
}

/// A value for a message: JSON, cut when it is long.
fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
