//! Kubeconfigs of friends and of foes.

mod accepted;
mod files;
mod hostile;
pub(super) mod material;
mod never_panics;
mod secrets;

use std::error::Error;

use crate::edge::kube::kubeconfig::{Allowed, Connection, KubeconfigError, Origin, ServerPolicy, from_text};

/// All that the user can allow.
pub(super) const EVERYTHING: Allowed = Allowed { exec: true, files: true, insecure_tls: true, proxy: true };

/// A tenant's kubeconfig where nothing is configured.
pub(super) const TENANT: Origin = Origin::Tenant(ServerPolicy { allow_loopback: false, allow_link_local: false });

/// A kubeconfig with one context `edge`, its cluster `one` and its user `admin`.
pub(super) fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: edge\n\
         contexts: [{{name: edge, context: {{cluster: one, user: admin}}}}]\n\
         clusters: [{{name: one, cluster: {{{cluster}}}}}]\n\
         users: [{{name: admin, user: {{{user}}}}}]\n"
    )
}

/// Runs something asynchronous to its end.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

pub(super) fn read(text: &str, origin: Origin) -> Result<Connection, KubeconfigError> {
    run(from_text(&text.to_owned().into(), None, origin))
}

/// An error as a person sees it: with all causes, and what to do about it.
pub(super) fn report(error: &KubeconfigError) -> String {
    let causes = std::iter::successors(Some(error as &dyn Error), |error: &&dyn Error| (*error).source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match error.hint() {
        Some(hint) => format!("{text}\n  hint: {hint}"),
        None => text,
    }
}

/// What came of it, in a few words.
fn outcome(result: Result<Connection, KubeconfigError>) -> String {
    match result {
        Ok(connection) => format!("{connection:?}"),
        Err(error) => report(&error),
    }
}
