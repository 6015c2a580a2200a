//! The files of a new cluster, with comments that say what to fill in.

use std::{collections::BTreeMap, path::PathBuf};

use secrecy::SecretString;
use serde_json::Value;

use crate::{
    config,
    edge::{
        files::{self, FileError},
        gitea::{Address, Gitea, GiteaError, Webhook, Written},
        http::{Credentials, Deadline, HttpClient},
        receiver::hook_path,
    },
    model::{
        name::Name,
        tree::{RepoPath, Tree},
    },
    render::{Templates, engine::TemplateError},
};

/// The kind of platform to write settings for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformKind {
    /// cozystack.
    Cozystack,
    /// Any cluster with Flux and an ingress controller.
    Generic,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Some of the files are there already.
    #[error("these files exist already: {}", .0.join(", "))]
    Exists(Vec<String>),
    /// The first list of manifests could not be rendered.
    #[error("cannot render the first manifests")]
    Template(#[from] TemplateError),
    /// The address is not that of a repository on a server.
    #[error("the address of the repository does not say where Gitea is")]
    NotGitea,
    /// The files were written, and Gitea does not tell Flux.
    #[error("the files are written, but Gitea has no webhook for Flux")]
    Webhook(#[source] GiteaError),
    /// A file could not be written. Those before it were.
    #[error("cannot write the files")]
    File(#[from] FileError),
}

impl InitError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exists(_) => Some("choose another name, or move them away".to_owned()),
            Self::NotGitea => Some("give it with --flux-url https://git.example.org/OWNER/NAME.git".to_owned()),
            Self::Webhook(error) => error.hint(),
            Self::Template(_) | Self::File(_) => None,
        }
    }
}

/// How Flux is to follow the cluster's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FluxLoop {
    /// The namespace of Flux's objects.
    pub namespace: Name,
    /// The name of each of them; those of the Secrets begin with it.
    pub name: Name,
    /// From where Flux fetches.
    pub source: String,
}

impl FluxLoop {
    /// The file below the cluster's folder. Flux must never read it: it is for `kubectl apply`.
    pub const FILE: &str = "flux.yaml";

    fn text(&self, folder: &RepoPath, branch: &str) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let page = self.source.trim_end_matches('/').trim_end_matches(".git");
        // The texts of people come last: nothing is looked for in them.
        include_str!("init/flux.yaml")
            .replace("OBJECT", self.name.as_str())
            .replace("NAMESPACE", self.namespace.as_str())
            .replace("./FOLDER", &quoted(&format!("./{folder}")))
            .replace("FOLDER", folder.as_str())
            .replace("branch: BRANCH", &format!("branch: {}", quoted(branch)))
            .replace("url: SOURCE", &format!("url: {}", quoted(&self.source)))
            .replace("address: PAGE", &format!("address: {}", quoted(page)))
    }
}

/// The address from which Flux can fetch what is published to a remote: `None` when that is no server.
///
/// What is reached by SSH is fetched over HTTPS: an access token is easier to make, and to take back, than a key.
pub fn source_of(remote: &str) -> Option<String> {
    let address = Address::of_remote(remote, None)?;
    Some(format!("{address}.git"))
}

/// What makes Gitea tell Flux of pushes.
pub struct WebhookRequest<'a> {
    /// The repository's address.
    pub source: &'a str,
    /// The address of Gitea's start page, when the repository's address does not tell.
    pub server: Option<&'a str>,
    /// Where Gitea reaches Flux's notification-controller.
    pub receiver: &'a str,
    /// The Receiver.
    pub flux: &'a FluxLoop,
    /// What the Receiver and Gitea have in common.
    pub token: &'a SecretString,
    /// The branch that Flux follows.
    pub branch: &'a str,
}

/// Makes Gitea tell Flux of pushes.
///
/// # Errors
///
/// [`InitError::NotGitea`] and [`InitError::Webhook`].
pub fn webhook(
    request: &WebhookRequest<'_>,
    client: &HttpClient,
    credentials: &Credentials,
    deadline: Deadline,
) -> Result<Written, InitError> {
    let WebhookRequest { source, server, receiver, flux, token, branch } = request;
    let address = Address::of_remote(source, *server).ok_or(InitError::NotGitea)?;
    let path = hook_path(token, flux.name.as_str(), flux.namespace.as_str());
    let webhook = Webhook {
        url: format!("{}{path}", receiver.trim_end_matches('/')),
        secret: (*token).clone(),
        branch_filter: (*branch).to_owned(),
    };
    let gitea = Gitea::new(client, &address, credentials, deadline.left());
    gitea.ensure_webhook(&webhook).map_err(InitError::Webhook)
}

/// The files of a new cluster, by path.
///
/// The folder is `clusters/<name>`, or `clusters/<name>/bobbypin` when something else lives in the first one already.
/// `branch` is the branch that is checked out; `bobbypin.yaml` is written only where there is none.
pub fn files(
    tree: &Tree,
    name: &Name,
    kind: PlatformKind,
    branch: &str,
    flux: Option<&FluxLoop>,
) -> Result<BTreeMap<RepoPath, String>, InitError> {
    let folder = RepoPath::parse(&format!("clusters/{name}")).expect("a name is a lawful part of a path");
    let is_there = tree.entries.contains_key(folder.join("cluster.yaml").as_str());
    let is_shared = !is_there && tree.below(folder.as_str()).next().is_some();
    let folder = if is_shared { folder.join("bobbypin") } else { folder };
    let fill = |template: &str| template.replace("NAME", name.as_str()).replace("BRANCH", branch);
    let mut files = BTreeMap::new();
    let settings = match kind {
        PlatformKind::Cozystack => include_str!("init/cozystack.yaml"),
        PlatformKind::Generic => include_str!("init/generic.yaml"),
    };
    let mut settings = fill(settings);
    if let Some(flux) = flux {
        let FluxLoop { namespace, name, .. } = flux;
        settings.push_str(&format!("  flux:\n    source: {{namespace: {namespace}, name: {name}}}   # of flux.yaml\n"));
        files.insert(folder.join(FluxLoop::FILE), flux.text(&folder, branch));
    }
    files.insert(folder.join("cluster.yaml"), settings);
    files.insert(folder.join("cluster.schema.json"), config::schema("cluster").expect("a kind that has a schema"));
    if kind == PlatformKind::Cozystack {
        files.insert(folder.join("platform.yaml"), fill(include_str!("init/platform.yaml")));
    }
    files.insert(folder.join("pins.yaml"), fill(include_str!("init/pins.yaml")));
    files.insert(folder.join("kustomization.yaml"), include_str!("init/kustomization.yaml").to_owned());
    files.insert(folder.join("manifests/kustomization.yaml"), Templates::new(&BTreeMap::new())?.empty_list()?);
    let repository = RepoPath::parse("bobbypin.yaml").expect("a literal that parses");
    if tree.file(repository.as_str()).is_none() {
        files.insert(repository, fill(include_str!("init/bobbypin.yaml")));
    }
    let taken: Vec<_> = files.keys().filter(|path| tree.entries.contains_key(*path)).map(ToString::to_string).collect();
    if taken.is_empty() { Ok(files) } else { Err(InitError::Exists(taken)) }
}

/// Writes the files; none of them may be there.
pub fn write(root: &std::path::Path, files: &BTreeMap<RepoPath, String>) -> Result<(), InitError> {
    let path = |path: &RepoPath| -> PathBuf { root.join(path.as_str()) };
    for (file, text) in files {
        files::create(&path(file), text.as_bytes())?;
    }
    Ok(())
}
