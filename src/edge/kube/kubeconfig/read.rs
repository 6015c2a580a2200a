//! From text to a kubeconfig, with limits and without a word of the text in any error.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use crate::edge::kube::kubeconfig::error::KubeconfigError;

/// A kubeconfig with hundreds of clusters has a few hundred kilobytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// Reads and merges files: of two entries with one name in two files the first counts.
pub(super) fn files(paths: &[PathBuf]) -> Result<Kubeconfig, KubeconfigError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in paths {
        let failed = |source| KubeconfigError::File { path: path.clone(), source: Box::new(source) };
        let Some(content) = content(path).map_err(failed)? else { continue };
        let mut next = text(content.expose_secret()).map_err(failed)?;
        resolve_paths(&mut next, path.parent().unwrap_or(Path::new("")));
        merged = Some(match merged {
            None => next,
            Some(before) => before.merge(next).map_err(|_| failed(KubeconfigError::NotAKubeconfig))?,
        });
    }
    merged.ok_or_else(|| KubeconfigError::Missing { paths: paths.to_vec() })
}

/// Reads one text.
pub(super) fn text(text: &str) -> Result<Kubeconfig, KubeconfigError> {
    if text.len() > MAX_BYTES {
        return Err(KubeconfigError::TooLarge);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents: Vec<Kubeconfig> = serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| {
        // What the parser says about a value may contain the value.
        let (line, column) = error.without_snippet().location().map_or((0, 0), |at| (at.line(), at.column()));
        KubeconfigError::Yaml { line, column }
    })?;
    let mut documents = documents.into_iter();
    match (documents.next(), documents.next()) {
        (None, _) => Err(KubeconfigError::Empty),
        // kubectl reads the first document and kube merges them all.
        (Some(_), Some(_)) => Err(KubeconfigError::SeveralDocuments),
        (Some(kubeconfig), None) => {
            let is = |field: &Option<String>, wanted: &str| field.as_deref().is_none_or(|kind| kind == wanted);
            if is(&kubeconfig.kind, "Config") && is(&kubeconfig.api_version, "v1") {
                Ok(kubeconfig)
            } else {
                Err(KubeconfigError::NotAKubeconfig)
            }
        }
    }
}

/// The content of a file; `None` when there is no such file.
fn content(path: &Path) -> Result<Option<SecretString>, KubeconfigError> {
    let failed = |source| KubeconfigError::Read { source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MAX_BYTES {
        return Err(KubeconfigError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| KubeconfigError::NotUtf8)?;
    Ok(Some(text.into()))
}

/// Makes paths start at the folder of the file, as kubectl does; a command only when it is a path.
fn resolve_paths(kubeconfig: &mut Kubeconfig, folder: &Path) {
    let resolve = |field: &mut Option<String>| {
        if let Some(path) = field.as_mut().filter(|path| !path.is_empty() && Path::new(path.as_str()).is_relative())
            && let Some(full) = folder.join(path.as_str()).to_str()
        {
            full.clone_into(path);
        }
    };
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|entry| entry.cluster.as_mut()) {
        resolve(&mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|entry| entry.auth_info.as_mut()) {
        resolve(&mut user.client_certificate);
        resolve(&mut user.client_key);
        resolve(&mut user.token_file);
        if let Some(exec) = &mut user.exec
            && exec.command.as_ref().is_some_and(|command| command.contains('/'))
        {
            resolve(&mut exec.command);
        }
    }
}

/// What no kubeconfig needs is stopped early: depth, and texts that grow by aliases.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: false,
        legacy_octal_numbers: true,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 8,
            max_nodes: 200_000,
            max_events: 400_000,
            max_total_scalar_bytes: 4 * 1024 * 1024,
            max_depth: 32,
            flow_nesting_limit: 32,
            max_anchors: 100,
            max_aliases: 100,
            max_recorded_anchor_events: 10_000,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 4,
        },
    }
}
