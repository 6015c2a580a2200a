//! What can be wrong with a kubeconfig, and what to do about it. No value of one that could be secret is in here.

use std::{error::Error, fmt, io, path::PathBuf, process::ExitStatus};

use crate::edge::kube::kubeconfig::{read::MAX_BYTES, server::AddressKind};

/// Why a kubeconfig cannot be used. Nothing was run, and nothing but the kubeconfig itself was read, unless it says so.
///
/// Only [`KubeconfigError::File`] knows which kubeconfig it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// None of the files exists.
    #[error("there is no kubeconfig at {}", listed(paths.iter().map(|path| path.display().to_string()), "any place"))]
    Missing {
        /// Where was looked.
        paths: Vec<PathBuf>,
    },
    /// Something is wrong with one file.
    #[error("cannot use the kubeconfig `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What.
        source: Box<Self>,
    },
    /// The system does not let the file be read.
    #[error("it cannot be read")]
    Read {
        /// Why.
        source: io::Error,
    },
    /// More than any kubeconfig has.
    #[error("the kubeconfig is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not text.
    #[error("the kubeconfig is not UTF-8 text")]
    NotUtf8,
    /// No document in it.
    #[error("the kubeconfig is empty")]
    Empty,
    /// Not YAML, a value of a wrong type, or more nesting and aliases than a kubeconfig can need. What is there is not
    /// said, because it may be secret.
    #[error("what stands at line {line}, column {column} is not what a kubeconfig has there")]
    Yaml {
        /// From 1; 0 when it is the whole.
        line: u64,
        /// From 1; 0 when it is the whole.
        column: u64,
    },
    /// More than one document, of which programs choose different ones.
    #[error("the kubeconfig has more than one document")]
    SeveralDocuments,
    /// Some other object.
    #[error("it is not a kubeconfig: `kind` must be `Config` and `apiVersion` must be `v1`")]
    NotAKubeconfig,
    /// Nobody says which context.
    #[error("no context is chosen, and the kubeconfig has no `current-context`; it has {}", names(contexts))]
    NoContext {
        /// Those that exist, sorted.
        contexts: Vec<String>,
    },
    /// There is no such context.
    #[error("the kubeconfig has no context `{}`; it has {}", shown(context), names(contexts))]
    UnknownContext {
        /// The wanted one.
        context: String,
        /// Those that exist, sorted.
        contexts: Vec<String>,
    },
    /// Two entries of one name, of which programs choose different ones.
    #[error("the kubeconfig has more than one {what} `{}`", shown(name))]
    Duplicate {
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The context does not say which cluster or user.
    #[error("the context `{}` names no {what}", shown(context))]
    Unnamed {
        /// The context.
        context: String,
        /// `cluster` or `user`.
        what: &'static str,
    },
    /// The context names an entry that is not there.
    #[error("the context `{}` names the {what} `{}`, which the kubeconfig does not have", shown(context), shown(name))]
    Dangling {
        /// The context.
        context: String,
        /// `cluster` or `user`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The address of the API server is of no use.
    #[error("the `server` of the cluster `{}` {problem}", shown(cluster))]
    Server {
        /// The cluster entry.
        cluster: String,
        /// What is wrong, as the end of the sentence.
        problem: &'static str,
    },
    /// A value that cannot be used.
    #[error("`{key}` of the {what} `{}` {problem}", shown(name))]
    Value {
        /// `cluster` or `user`.
        what: &'static str,
        /// The entry.
        name: String,
        /// The key.
        key: &'static str,
        /// What is wrong, as the end of the sentence.
        problem: &'static str,
    },
    /// A file that the kubeconfig refers to cannot be read.
    #[error("cannot read the file that `{key}` of the {what} `{}` names", shown(name))]
    Reference {
        /// `cluster` or `user`.
        what: &'static str,
        /// The entry.
        name: String,
        /// The key.
        key: &'static str,
        /// Why.
        source: io::Error,
    },
    /// What is not allowed, all of it.
    #[error("the kubeconfig is refused: {}", Joined(.0))]
    Refused(Vec<Refusal>),
    /// The program that makes the credentials cannot be started.
    #[error("cannot start the program that makes the credentials of the user `{}`", shown(user))]
    ProgramStart {
        /// The user entry.
        user: String,
        /// Why.
        source: io::Error,
    },
    /// It ended with an error. What it wrote may be secret and is not said.
    #[error("the program that makes the credentials of the user `{}` failed: {status}", shown(user))]
    ProgramFailed {
        /// The user entry.
        user: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It gave something else, or the kind of `auth-provider` is not known.
    #[error("the program or service of the user `{}` gives no credentials that can be used", shown(user))]
    NoCredentials {
        /// The user entry.
        user: String,
    },
    /// Neither the kubeconfig nor this machine says which authorities to trust.
    #[error("nothing says which certificate `{server}` must have, and this machine has no list of authorities")]
    NoAuthorities {
        /// The API server.
        server: String,
    },
    /// The environment names a proxy that is of no use.
    #[error("the proxy that the kubeconfig or the environment names cannot be used")]
    Proxy,
    /// The program does not run in a pod, or the pod has no service account.
    #[error("there is no service account of a pod here")]
    InCluster {
        /// What is missing.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Whatever else stops a client from being made. The cause is not said, because it may have secrets.
    #[error("no client can be made for `{server}`")]
    Client {
        /// The API server.
        server: String,
    },
}

impl KubeconfigError {
    /// What the user can do about it, as a sentence or a flag to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File { source, .. } => return source.hint(),
            Self::Missing { .. } => "set KUBECONFIG to a file that exists".into(),
            Self::Read { .. } | Self::TooLarge | Self::Client { .. } => return None,
            Self::NotUtf8 => "save it as UTF-8".into(),
            Self::Empty | Self::NotAKubeconfig => {
                "a kubeconfig is what `kubectl config view --raw --minify --flatten` prints".into()
            }
            Self::Yaml { .. } => "compare it with what `kubectl config view` makes of it".into(),
            Self::SeveralDocuments => "keep one document, or give them as files of their own".into(),
            Self::NoContext { .. } => "choose one with `kubectl config use-context NAME`".into(),
            Self::UnknownContext { .. } => "`kubectl config get-contexts` lists them".into(),
            Self::Duplicate { what, .. } => format!("give each {what} a name of its own"),
            Self::Unnamed { what, .. } | Self::Dangling { what, .. } => {
                format!("`kubectl config set-context NAME --{what}=…` names one that exists")
            }
            Self::Server { .. } => "write it as `https://host:port`".into(),
            Self::Value { .. } => "`kubectl config view --raw` shows what is there".into(),
            Self::Reference { .. } => "`kubectl config view --raw --flatten` puts the files into the kubeconfig".into(),
            Self::Refused(refusals) => remedies(refusals),
            Self::ProgramStart { .. } | Self::ProgramFailed { .. } | Self::NoCredentials { .. } => {
                "`kubectl auth whoami` runs it too and shows what it says".into()
            }
            Self::NoAuthorities { .. } => {
                "install the package `ca-certificates`, or put `certificate-authority-data` into the kubeconfig".into()
            }
            Self::Proxy => "set HTTPS_PROXY to `http://host:port`, and NO_PROXY to hosts and networks".into(),
            Self::InCluster { .. } => "outside of a cluster, name a context or a kubeconfig".into(),
        })
    }
}

/// One thing in a kubeconfig that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The context that is used.
    pub context: String,
    /// The name of its cluster entry, or of its user entry, whichever has it.
    pub entry: String,
    /// What is there.
    pub reason: Reason,
    /// What helps.
    pub remedy: Remedy,
}

/// What is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `exec`.
    Exec {
        /// The program, without its folder and its arguments.
        program: String,
    },
    /// `auth-provider`.
    AuthProvider {
        /// Its name.
        name: String,
    },
    /// A reference to a file, in the user.
    UserFile {
        /// The key.
        key: &'static str,
    },
    /// A reference to a file, in the cluster.
    ClusterFile {
        /// The key.
        key: &'static str,
    },
    /// `insecure-skip-tls-verify`.
    InsecureTls,
    /// `proxy-url`.
    Proxy,
    /// To act as somebody else.
    Impersonation {
        /// The keys.
        keys: Vec<&'static str>,
    },
    /// Credentials over `http://`.
    PlainHttp {
        /// The server.
        server: String,
    },
    /// A user or a password in the server's URL.
    UserInfo,
    /// A server that a tenant must not name.
    Address {
        /// The server.
        server: String,
        /// What it is.
        kind: AddressKind,
    },
}

/// What helps against a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// To allow it, with this value of `--allow-kubeconfig`.
    Allow(&'static str),
    /// To write the server's URL without it.
    PlainServer,
    /// Another kubeconfig for the tenant.
    PlainData,
    /// Another server in the tenant's kubeconfig.
    OtherServer,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.reason {
            Reason::Exec { .. } | Reason::AuthProvider { .. } => "user",
            Reason::UserFile { .. } | Reason::Impersonation { .. } => "user",
            Reason::ClusterFile { .. } | Reason::InsecureTls | Reason::Proxy => "cluster",
            Reason::PlainHttp { .. } | Reason::UserInfo | Reason::Address { .. } => "cluster",
        };
        write!(f, "the {what} `{}` of context `{}` ", shown(&self.entry), shown(&self.context))?;
        match &self.reason {
            Reason::Exec { program } if program.is_empty() => f.write_str("runs a program (`exec`)"),
            Reason::Exec { program } => write!(f, "runs a program (`exec: {}`)", shown(program)),
            Reason::AuthProvider { name } => {
                write!(f, "gets its credentials from elsewhere (`auth-provider: {}`)", shown(name))
            }
            Reason::UserFile { key } | Reason::ClusterFile { key } => write!(f, "reads a file (`{key}`)"),
            Reason::InsecureTls => f.write_str("does not check certificates (`insecure-skip-tls-verify`)"),
            Reason::Proxy => f.write_str("goes through a proxy (`proxy-url`)"),
            Reason::Impersonation { keys } => write!(f, "acts as somebody else (`{}`)", keys.join("`, `")),
            Reason::PlainHttp { server } => write!(f, "sends credentials without encryption (`server: {server}`)"),
            Reason::UserInfo => f.write_str("has a user or a password in its URL (`server`)"),
            Reason::Address { server, kind } => write!(f, "has {kind} (`server: {server}`)"),
        }
    }
}

/// One sentence for everything that helps.
fn remedies(refusals: &[Refusal]) -> String {
    let mut flags: Vec<String> = Vec::new();
    let mut sentences: Vec<&str> = Vec::new();
    for refusal in refusals {
        let sentence = match refusal.remedy {
            Remedy::Allow(value) => {
                let flag = format!("--allow-kubeconfig {value}");
                if !flags.contains(&flag) {
                    flags.push(flag);
                }
                continue;
            }
            Remedy::PlainServer => "write the `server` without user and password",
            Remedy::PlainData => {
                "give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate"
            }
            Remedy::OtherServer => "give the tenant's kubeconfig a `server` that other machines reach too",
        };
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    let allow = (!flags.is_empty()).then(|| format!("if you trust it: {}", flags.join(" ")));
    sentences.into_iter().map(str::to_owned).chain(allow).collect::<Vec<_>>().join("; ")
}

struct Joined<'a>(&'a [Refusal]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            write!(f, "{}{refusal}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// A name as it may stand in a message: no control characters, and not a page long.
fn shown(name: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = name.chars().take(LONGEST).collect::<String>().escape_debug().to_string();
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

fn names(contexts: &[String]) -> String {
    listed(contexts.iter().map(|name| shown(name)), "none")
}

/// At most twenty, in backticks.
fn listed(items: impl ExactSizeIterator<Item = String>, none: &str) -> String {
    const MOST: usize = 20;
    let count = items.len();
    let mut text = items.take(MOST).map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ");
    if count == 0 {
        none.clone_into(&mut text);
    } else if count > MOST {
        text.push_str(&format!(" and {} more", count - MOST));
    }
    text
}
