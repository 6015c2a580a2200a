//! Speaks to OCI registries.
//!
//! What comes out as [`Observed::Present`] was read and hashed here, or is the registry's word about a digest that is known
//! already. [`Observed::Absent`] is a registry's own word for that there is no such thing; everything else, from a refusal
//! to a page of some proxy, is [`Observed::Unknown`] with a reason.
//!
//! Credentials go to the registry that they are for and to where it may hand out its tokens, and nowhere else: no redirect
//! gets any. Addresses are looked at after names were resolved; where a proxy of the environment resolves them, only those
//! that are written as addresses.

mod access;
mod address;
mod challenge;
mod content_kept;
mod docker_config;
mod exchange;
mod failure;
mod listing;
mod manifests;
mod memo;
mod server;
mod tag_cache;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::stream::{self, StreamExt as _};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

pub use self::tag_cache::TagCache;
use self::{
    access::Access,
    content_kept::ContentKept,
    docker_config::DockerConfig,
    exchange::Clients,
    failure::{Asked, Failure, observed},
    memo::Memo,
    server::Server,
    tag_cache::TagsKept,
};
use crate::{
    edge::http::{Credentials, Deadline},
    model::{
        digest::Digest,
        observed::{Observed, Unknown},
        oci::Repository,
    },
    pins::{
        artifact::{Artifact, Descriptor},
        seen::{PinSeen, TagSeen, is_other_kind},
    },
};

/// How many questions are under way where nothing is said.
const JOBS: usize = 8;

/// How long a question may take where nothing is said, in seconds.
const SECONDS: u64 = 30;

/// Who is let in, and by which way.
#[derive(Clone, Debug, Default)]
pub struct RegistrySettings {
    /// The most questions under way at a time; 0 is 8.
    pub jobs: usize,
    /// How long one question may take, in seconds, with everything that it needs; 0 is 30. A list of tags may take ten times
    /// as long, because it has pages.
    pub seconds: u32,
    /// What differs from the rule, by registry (`host` or `host:port`).
    pub servers: BTreeMap<String, RegistryServer>,
    /// Authorities (PEM) to trust besides the system's, for every registry that has none of its own.
    pub authorities: Option<Vec<u8>>,
    /// Logins by registry. They go before those of the docker configuration.
    pub credentials: BTreeMap<String, Credentials>,
    /// The docker configuration, or the file that `podman login` writes. It need not be there.
    pub docker_config: Option<PathBuf>,
    /// Where answers about tags are kept from run to run, if anywhere.
    pub cache: Option<TagCache>,
}

/// How one registry differs from others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryServer {
    /// Without TLS. Loopback addresses need no leave for that.
    pub plain_http: bool,
    /// Whether its addresses may be such of private and cluster networks (RFC 1918, RFC 4193, RFC 6598).
    pub private: bool,
    /// Authorities (PEM) to trust besides the system's.
    pub authorities: Option<Vec<u8>>,
    /// Other hosts (`host` or `host:port`) that may hand out its tokens.
    pub token_hosts: Vec<String>,
    /// Whether other hosts may answer for its manifests, to which it sends. They get no credentials, and what they say is
    /// hashed as everything is. `registry.k8s.io` needs no leave for that.
    pub follow_redirects: bool,
    /// Whether a program that the docker configuration names may be run for a login there.
    pub credential_helpers: bool,
}

/// What is asked about a tag.
#[derive(Clone, Copy, Debug)]
pub struct TagQuestion<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// Which.
    pub tag: &'a str,
    /// What was read before, of which nothing more is asked.
    pub known: Option<&'a Digest>,
    /// The platforms that an index must have.
    pub platforms: &'a [String],
}

/// What is asked about a pin.
#[derive(Clone, Copy, Debug)]
pub struct PinQuestion<'a> {
    /// Where.
    pub repository: &'a Repository,
    /// The tag.
    pub tag: &'a str,
    /// The digest.
    pub digest: &'a Digest,
    /// The platforms that an index must have.
    pub platforms: &'a [String],
}

/// All registries that are spoken to in one run: connections, tokens and answers are shared. What was asked once is not
/// asked again, failures included; so it is made anew for every run. Not to be used from within something asynchronous.
pub struct Registries {
    core: Core,
    jobs: usize,
    time: Duration,
    runtime: Runtime,
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

/// What the questions share.
#[derive(Debug)]
struct Core {
    servers: BTreeMap<String, RegistryServer>,
    authorities: Option<Arc<[u8]>>,
    clients: Clients,
    access: Access,
    tags: Memo<(Repository, String), Asked<Option<Digest>>>,
    digests: Memo<(Repository, Digest), Asked<()>>,
    artifacts: Memo<(Repository, Digest), Asked<Artifact>>,
    kept: Option<TagsKept>,
    contents: Option<ContentKept>,
}

impl Registries {
    /// Prepares everything, and connects to nothing.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] when the authorities or the docker configuration cannot be read.
    pub fn new(settings: RegistrySettings) -> Result<Self, RegistryError> {
        let lower = |(name, value): (String, _)| (name.to_ascii_lowercase(), value);
        let servers: BTreeMap<_, _> = settings.servers.into_iter().map(lower).collect();
        let own = servers.iter().filter_map(|(name, server)| Some((name.as_str(), server.authorities.as_deref()?)));
        for (name, pem) in settings.authorities.as_deref().map(|pem| ("all registries", pem)).into_iter().chain(own) {
            let found = exchange::certificates(pem).map(|found| found.len());
            if !matches!(found, Ok(1..)) {
                return Err(RegistryError::Authorities { registry: name.to_owned() });
            }
        }
        let config = match &settings.docker_config {
            Some(path) => read_docker_config(path)?,
            None => DockerConfig::default(),
        };
        let logins = settings.credentials.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let access = Access::new(logins.collect(), config);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(RegistryError::Runtime)?;
        Ok(Self {
            core: Core {
                servers,
                authorities: settings.authorities.map(Into::into),
                clients: Clients::default(),
                access,
                tags: Memo::default(),
                digests: Memo::default(),
                artifacts: Memo::default(),
                contents: settings.cache.as_ref().map(ContentKept::new),
                kept: settings.cache.map(TagsKept::new),
            },
            jobs: if settings.jobs == 0 { JOBS } else { settings.jobs },
            time: Duration::from_secs(if settings.seconds == 0 { SECONDS } else { settings.seconds.into() }),
            runtime,
        })
    }

    /// What each tag leads to, in the order of the questions.
    pub fn tags_seen(&self, questions: &[TagQuestion<'_>]) -> Vec<Observed<TagSeen>> {
        let seen = self.all(questions, async |question| {
            let what = format!("{}:{}", question.repository, question.tag.escape_debug());
            self.core.observed(&what, self.in_time(|deadline| self.core.tag_seen(question, deadline)).await)
        });
        if let Some(kept) = &self.core.kept {
            kept.write();
        }
        seen
    }

    /// The digest that each tag leads to, whatever kind of manifest that is. In the order of the questions.
    pub fn tag_digests(&self, questions: &[(&Repository, &str)]) -> Vec<Observed<Digest>> {
        self.all(questions, async |(repository, tag)| {
            let asked = self.in_time(|deadline| self.core.tag_digest(repository, tag, deadline)).await;
            self.core.observed(&format!("{repository}:{}", tag.escape_debug()), asked)
        })
    }

    /// What is there of each pin, in the order of the questions.
    pub fn pins_seen(&self, questions: &[PinQuestion<'_>]) -> Vec<PinSeen> {
        self.all(questions, async |question| self.pin_seen(question).await)
    }

    /// Whether each repository has a manifest of this digest, without reading it: the digest a HEAD by this digest
    /// answers with. In the order of the questions.
    pub fn digests_seen(&self, questions: &[(&Repository, &Digest)]) -> Vec<Observed<()>> {
        self.all(questions, async |(repository, digest)| {
            let asked = self.in_time(|deadline| self.core.head_digest(repository, digest, deadline)).await;
            self.core.observed(&format!("{repository}@{digest}"), asked)
        })
    }

    /// All tags of a repository, sorted.
    pub fn tags(&self, repository: &Repository) -> Observed<Vec<String>> {
        let asked = self.runtime.block_on(self.core.all_tags(repository, self.time));
        self.core.observed(&repository.to_string(), asked)
    }

    /// The digests of what refers to a manifest (signatures, attestations), by the referrers API and, where a registry
    /// has none, by the tag that stands for it; and by cosign's tags. Sorted, each once.
    pub fn referrers(&self, repository: &Repository, digest: &Digest) -> Observed<Vec<Descriptor>> {
        let asked = self.runtime.block_on(self.in_time(|deadline| self.core.referrers(repository, digest, deadline)));
        self.core.observed(&format!("{repository}@{digest}"), asked)
    }

    /// The same for several manifests, in the order of the questions.
    pub fn all_referrers(&self, questions: &[(&Repository, &Digest)]) -> Vec<Observed<Vec<Descriptor>>> {
        self.all(questions, async |(repository, digest)| {
            let asked = self.in_time(|deadline| self.core.referrers(repository, digest, deadline)).await;
            self.core.observed(&format!("{repository}@{digest}"), asked)
        })
    }

    /// The content of a descriptor, whole and hashed. At most `most` bytes.
    pub fn blob(&self, repository: &Repository, descriptor: &Descriptor, most: u64) -> Observed<Vec<u8>> {
        let asked =
            self.runtime.block_on(self.in_time(|deadline| self.core.blob(repository, descriptor, most, deadline)));
        self.core.observed(&format!("{repository}@{}", descriptor.digest), asked)
    }

    /// What a digest leads to.
    pub fn artifact(&self, repository: &Repository, digest: &Digest) -> Observed<Artifact> {
        let asked = self.runtime.block_on(self.in_time(|deadline| self.core.by_digest(repository, digest, deadline)));
        self.core.observed(&format!("{repository}@{digest}"), asked)
    }

    /// The bytes of a manifest of any kind, whole and hashed.
    pub fn manifest(&self, repository: &Repository, digest: &Digest) -> Observed<Vec<u8>> {
        let asked = self.runtime.block_on(self.in_time(|deadline| self.core.bytes(repository, digest, deadline)));
        self.core.observed(&format!("{repository}@{digest}"), asked)
    }

    /// Asks as many things at a time as may be under way.
    fn all<Q: Copy, T>(&self, questions: &[Q], ask: impl AsyncFn(Q) -> T) -> Vec<T> {
        let ask = &ask;
        let one = |(at, question): (usize, &Q)| {
            let question = *question;
            async move { (at, ask(question).await) }
        };
        let under_way = stream::iter(questions.iter().enumerate().map(one)).buffer_unordered(self.jobs);
        let mut answers: Vec<_> = self.runtime.block_on(under_way.collect());
        answers.sort_by_key(|(at, _)| *at);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn in_time<T, F: Future<Output = Asked<T>>>(&self, ask: impl FnOnce(Deadline) -> F) -> Asked<T> {
        let asked = timeout(self.time, ask(Deadline::after(self.time))).await;
        asked.unwrap_or(Err(Failure::Timeout { after: self.time }))
    }

    async fn pin_seen(&self, question: PinQuestion<'_>) -> PinSeen {
        let PinQuestion { repository, tag, digest, platforms } = question;
        let by_digest = self.in_time(|deadline| self.core.by_digest(repository, digest, deadline)).await;
        let by_tag = self.in_time(|deadline| self.core.tag_digest(repository, tag, deadline)).await;
        let children = match &by_digest {
            Ok(Some(artifact)) => self.core.children(repository, artifact, platforms, Deadline::after(self.time)).await,
            _ => Vec::new(),
        };
        PinSeen {
            by_digest: self.core.observed(&format!("{repository}@{digest}"), by_digest),
            by_tag: self.core.observed(&format!("{repository}:{}", tag.escape_debug()), by_tag),
            children,
        }
    }
}

impl Core {
    /// What others are told of an answer.
    fn observed<T>(&self, what: &str, asked: Asked<T>) -> Observed<T> {
        observed(what, asked, |text| self.access.hide(text))
    }

    /// The registry of a repository.
    fn server(&self, repository: &Repository) -> Result<Server, Failure> {
        let name = repository.registry().to_ascii_lowercase();
        let settings = self.servers.get(&name).cloned().unwrap_or_default();
        Server::new(&name, settings, self.authorities.clone())
    }
}

fn read_docker_config(path: &Path) -> Result<DockerConfig, RegistryError> {
    let failed = |why: String| RegistryError::DockerConfig(format!("`{}`: {why}", path.display()));
    match fs::read(path) {
        Ok(text) => DockerConfig::parse(&text).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(DockerConfig::default()),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Whether something is there that is neither a chart nor an image, such as the files that Flux fetches: no other manifests
/// belong to it.
pub fn names_nothing(unknown: &Unknown) -> bool {
    is_other_kind(unknown)
}

/// Why nothing can be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The docker configuration cannot be read.
    #[error("cannot read the docker configuration: {0}")]
    DockerConfig(String),
    /// Certificates that were given are of no use.
    #[error("the certificates of authorities for {registry} cannot be used: they are not PEM, or there are none")]
    Authorities {
        /// Which registry.
        registry: String,
    },
    /// Nothing asynchronous can be run on this machine.
    #[error("no connection can be made on this machine")]
    Runtime(#[source] io::Error),
}
