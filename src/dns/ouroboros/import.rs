//! What mode `coredns-import` writes (`internal/coredns/import_reconciler.go`).

use std::collections::BTreeMap;

use crate::dns::ouroboros::{
    corefile::{TargetError, check_target},
    sources::normalised_all,
};

/// The key that the controller owns, unless it was told another one.
pub const KEY: &str = "ouroboros.override";

/// The text of the key: one line for every host, without markers. Without hosts it is empty.
pub fn snippet<'a>(hosts: impl IntoIterator<Item = &'a str>, target: &str) -> Result<String, TargetError> {
    check_target(target)?;
    Ok(normalised_all(hosts).iter().map(|host| format!("rewrite name {host} {target}\n")).collect())
}

/// The data of the ConfigMap after one run, when it differs. The other keys stay as they are.
///
/// A ConfigMap that does not exist is never made: the run fails.
pub fn updated(data: &BTreeMap<String, String>, key: &str, snippet: &str) -> Option<BTreeMap<String, String>> {
    let current = data.get(key).map(String::as_str);
    // A key that is there and empty goes; one that is not there is as good as empty.
    if current == Some(snippet) && !snippet.is_empty() || current.is_none() && snippet.is_empty() {
        return None;
    }
    let mut data = data.clone();
    if snippet.is_empty() {
        data.remove(key);
    } else {
        data.insert(key.to_owned(), snippet.to_owned());
    }
    Some(data)
}
