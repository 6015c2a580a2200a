//! How a cluster is reached, checked before there is any client.
//!
//! A kubeconfig is a program as much as it is data: it may run commands, send files of this machine to a server, switch
//! the check of certificates off and lead everything through a proxy. kube does all of that without asking, so the
//! decision is taken on the parsed text, and kube gets a kubeconfig that is built anew from what was looked at.
//!
//! | what | the user's own | of a Secret |
//! |---|---|---|
//! | `exec`, `auth-provider` | when allowed | never |
//! | `tokenFile`, `client-certificate`, `client-key`, `certificate-authority` | when allowed | never |
//! | `insecure-skip-tls-verify`, `proxy-url` | when allowed | never |
//! | `as`, `as-uid`, `as-groups`, `as-user-extra` | yes | never |
//! | credentials over `http://` | yes | never |
//! | a server on this machine or next to it | yes | when the policy says so, looked at again at every connection |
//! | a proxy of the environment | yes | never used |
//!
//! Only the context that is used counts, with its cluster and its user. Where two entries have its name kube takes the
//! first and kubectl refuses the file; it is refused here too.

mod check;
mod connection;
mod error;
mod read;
pub(in crate::edge) mod server;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use self::check::Chosen;
pub use self::{
    connection::{Connection, in_cluster, install_tls_provider},
    error::{KubeconfigError, Reason, Refusal, Remedy},
    server::{AddressKind, AddressRefused, ServerPolicy},
};

/// What may stand in the user's own kubeconfig beside plain data. Nothing, unless the user says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Programs that make credentials: `exec` and `auth-provider`.
    pub exec: bool,
    /// References to files.
    pub files: bool,
    /// `insecure-skip-tls-verify`.
    pub insecure_tls: bool,
    /// `proxy-url`.
    pub proxy: bool,
}

/// Whose kubeconfig it is decides what is lawful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user's own.
    Own(Allowed),
    /// Of a Secret in a cluster: nothing but plain data, and only servers that the policy lets through.
    Tenant(ServerPolicy),
}

/// The contexts that a kubeconfig has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contexts {
    /// Their names, sorted, each once.
    pub names: Vec<String>,
    /// The one that is used when none is named. Need not be among the names.
    pub current: Option<String>,
}

/// Reads the user's kubeconfig, which may be spread over several files, and checks one context of it.
///
/// As for kubectl, the first file that has an entry wins, relative paths start at the folder of their file, and files
/// that do not exist are passed over as long as there is one. Without `context` it is the current one.
///
/// # Errors
///
/// [`KubeconfigError::Refused`] with everything that is not allowed at once; [`KubeconfigError::File`] around what is
/// wrong with one file.
pub async fn from_files(
    paths: &[PathBuf],
    context: Option<&str>,
    allowed: Allowed,
) -> Result<Connection, KubeconfigError> {
    connect(read::files(paths)?, context, Origin::Own(allowed)).await
}

/// Checks one context of a kubeconfig that is at hand. Without `context` it is the current one.
///
/// # Errors
///
/// [`KubeconfigError::Refused`] with everything that is not lawful for this origin at once. Whose kubeconfig it was, the
/// caller has to add.
pub async fn from_text(
    text: &SecretString,
    context: Option<&str>,
    origin: Origin,
) -> Result<Connection, KubeconfigError> {
    connect(read::text(text.expose_secret())?, context, origin).await
}

/// Lists the contexts of the user's kubeconfig.
///
/// # Errors
///
/// Those of reading it; nothing is checked.
pub fn contexts(paths: &[PathBuf]) -> Result<Contexts, KubeconfigError> {
    let kubeconfig = read::files(paths)?;
    let names = check::context_names(&kubeconfig);
    Ok(Contexts { names, current: kubeconfig.current_context.filter(|name| !name.is_empty()) })
}

async fn connect(kubeconfig: Kubeconfig, context: Option<&str>, origin: Origin) -> Result<Connection, KubeconfigError> {
    let chosen = Chosen::of(kubeconfig, context)?;
    let server = chosen.check(origin)?;
    Connection::of(chosen, server, origin).await
}
