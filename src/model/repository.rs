//! How to publish: the settings of the whole repository.

use std::{collections::BTreeMap, fmt};

use crate::model::name::Name;

/// `bobbypin.yaml`, kind `Repository`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryConfig {
    /// Where to publish: the name of a remote, a path or a URL. `None`: the remote `origin` when there is one, else the
    /// repository itself.
    pub remote: Option<String>,
    /// The branch that Flux reads.
    pub branch: String,
    /// How changes reach the branch.
    pub mode: PublishMode,
    /// Who signs the commits as author and committer.
    pub author: Author,
    /// How commits are signed; `None`: not at all.
    pub signing: Option<Signing>,
    /// Whose signature the commit that is built upon must have; `None`: nobody's.
    pub trusted_base: Option<TrustedSigners>,
    /// The Gitea or Forgejo server of the repository, when it is not to be found out from the remote's address.
    pub gitea: GiteaServer,
    /// Whom to tell about a new commit.
    pub notify: Option<Receiver>,
    /// The reference by which runs keep out of each other's way; `None`: they race, and lose nothing by it.
    pub lock: Option<LockReference>,
    /// The registries that differ from the rule, by host and port.
    pub registries: BTreeMap<String, RegistryConfig>,
}

/// How one OCI registry differs from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Whether it speaks HTTP without TLS.
    pub plain_http: bool,
    /// Whether it may have addresses of private and cluster networks.
    pub private: bool,
    /// A file of certificates (PEM) of authorities that are trusted besides those of the system. Relative paths start at
    /// the root of the checkout.
    pub ca_file: Option<String>,
    /// Other hosts that may hand out its tokens.
    pub token_hosts: Vec<String>,
    /// Whether other hosts may answer for its manifests, to which it sends.
    pub follow_redirects: bool,
    /// Whether the programs that the docker configuration names may be asked for its credentials.
    pub credential_helpers: bool,
}

/// A person or program, as Git names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Without `<`, `>` and line breaks.
    pub name: String,
    /// Without `<`, `>` and white space.
    pub email: String,
}

/// How changes reach the branch that Flux reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishMode {
    /// By commits on it.
    Commit,
    /// By a pull request, which people merge.
    PullRequest(PullRequestSettings),
}

/// What a pull request has besides its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequestSettings {
    /// The branch that the changes stand on. Runs over some of the clusters only add their names to it.
    pub branch: String,
    /// Labels, made when they do not exist.
    pub labels: Vec<String>,
    /// Who is to look after it.
    pub assignees: Vec<String>,
    /// Who is to review it.
    pub reviewers: Vec<String>,
    /// How the server merges it by itself once all checks have succeeded; `None`: it does not.
    pub auto_merge: Option<MergeStyle>,
    /// Whether HelmReleases are to carry the number of the pull request, so that Flux comments on it.
    pub stamp: bool,
}

impl Default for PullRequestSettings {
    fn default() -> Self {
        Self {
            branch: "bobbypin/changes".to_owned(),
            labels: Vec::new(),
            assignees: Vec::new(),
            reviewers: Vec::new(),
            auto_merge: None,
            stamp: false,
        }
    }
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeStyle {
    /// A merge commit.
    Merge,
    /// The commits anew on the branch.
    Rebase,
    /// All changes in one commit.
    Squash,
    /// The branch moves to the commits as they are.
    FastForwardOnly,
}

impl fmt::Display for MergeStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "merge",
            Self::Rebase => "rebase",
            Self::Squash => "squash",
            Self::FastForwardOnly => "fast-forward-only",
        })
    }
}

/// By what commits are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// An OpenSSH private key in a file, without a passphrase. Relative paths start where the program runs.
    SshKeyFile(String),
    /// The key of a running SSH agent that belongs to this public key (`ssh-ed25519 AAAA…`).
    SshAgent(String),
    /// A secret key of the user's GnuPG, by its id or fingerprint.
    Gpg(String),
}

/// Whose signatures are trusted. At least one of the lists has an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedSigners {
    /// SSH public keys (`ssh-ed25519 AAAA…`).
    pub ssh: Vec<String>,
    /// Fingerprints of OpenPGP primary keys, 40 or 64 hex digits in upper case. The keys themselves are looked up in the
    /// user's GnuPG.
    pub gpg: Vec<String>,
}

/// Where the API of a Gitea or Forgejo server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GiteaServer {
    /// The address of its start page, with the path that it is installed below. `None`: the remote's address without
    /// owner and name.
    pub url: Option<String>,
    /// A file of certificates (PEM) of authorities that are trusted besides those of the system. Relative paths start at the root of
    /// the checkout, or where the program runs when there is none.
    pub ca_file: Option<String>,
    /// What to publish through.
    pub transport: Transport,
}

/// What commits are published through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Git, which compares the whole branch.
    #[default]
    Git,
    /// The API's commit of several files, for servers that do not let Git in. It compares only the files that change.
    Api,
}

/// A Flux `Receiver`, which makes Flux look at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// The form of the request, which is the `type` of the Receiver.
    pub form: ReceiverForm,
    /// Where Flux's notification-controller listens: `https://flux.example.org`.
    pub url: String,
    /// What of the Receiver makes its path.
    pub path: ReceiverPath,
}

/// The `type` of a Receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverForm {
    /// `generic-hmac`.
    GenericHmac,
    /// `github`.
    Github,
}

/// What the path of a Receiver is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverPath {
    /// It stands in the address already.
    Given,
    /// It is computed from the token and the Receiver's name, as Flux does.
    Computed {
        /// The namespace of the Receiver.
        namespace: Name,
        /// Its name.
        name: Name,
    },
}

/// A reference that says who is at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockReference {
    /// Its full name: `refs/bobbypin/lock`.
    pub reference: String,
    /// After how many seconds it counts for nothing.
    pub expires: u32,
}

impl Default for RepositoryConfig {
    fn default() -> Self {
        Self {
            remote: None,
            branch: "main".to_owned(),
            mode: PublishMode::Commit,
            author: Author { name: "bobbypin".to_owned(), email: "bobbypin@localhost.invalid".to_owned() },
            signing: None,
            trusted_base: None,
            gitea: GiteaServer::default(),
            notify: None,
            lock: None,
            registries: BTreeMap::new(),
        }
    }
}
