//! Repositories on servers: the last commit of a branch is read into a temporary folder, and a new one is pushed from memory.
//!
//! libgit2 is not asked to do this. Its own transports bring a second TLS library, hold no deadline against a server that
//! sends one byte a second, and report a push that the server refused as a success. What a program needs that reads one
//! commit and writes one is a small part of the protocol: gitprotocol-v2 (and the older form, for servers that do not know
//! it), gitprotocol-pack, gitprotocol-http.

mod address;
mod advertisement;
mod error;
mod fetch;
mod packet;
mod push;
mod ssh;
mod talk;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::OnceLock, thread, time::Duration};

pub use self::{address::Address, error::RemoteError};
use self::{
    address::Way,
    advertisement::{Advertisement, References},
    error::readable,
    fetch::{Arrived, Arriving, Wants, list_references},
    packet::Malformed,
    push::{Report, Update, Verdict, ZERO},
    talk::{Service, Talk},
};
use crate::edge::http::{Credentials, Deadline, HttpClient, HttpError};

/// How often something is tried before its failure counts.
const TRIES: u32 = 4;

/// The wait before the second try; it doubles with every further one.
const WAIT: Duration = Duration::from_millis(100);

/// By what servers are reached.
#[derive(Clone, Debug)]
pub struct Access {
    /// Who asks over HTTP; goes before what stands in a remote's address.
    pub credentials: Option<Credentials>,
    /// Certificates (PEM) of authorities that are trusted besides those of the system.
    pub authorities: Option<Vec<u8>>,
    /// The private key that `ssh` is to use; `None`: what it finds itself.
    pub ssh_key: Option<PathBuf>,
    /// The only keys of servers that `ssh` is to trust; `None`: those of the user.
    pub ssh_known_hosts: Option<PathBuf>,
    /// How many seconds one thing may take: to read a branch, to look at its history, to push.
    pub seconds: u32,
}

impl Access {
    /// When the time of one thing is over that begins now.
    pub(in crate::edge::git) fn deadline(&self) -> Deadline {
        Deadline::of_seconds(self.seconds)
    }

    /// How long one thing may take.
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// Git takes an access token in the place of a password, whatever the name.
    fn git_credentials(&self) -> Option<Credentials> {
        Some(match self.credentials.clone()? {
            Credentials::Token(token) => Credentials::Basic { username: "bobbypin".to_owned(), password: token },
            basic @ Credentials::Basic { .. } => basic,
        })
    }
}

/// A repository on a server.
pub struct Server {
    /// Where it is.
    pub address: Address,
    access: Access,
    client: Option<HttpClient>,
    /// What it can do for readers, once it has said so. Only the newer protocol over HTTP needs no more to begin with.
    known: OnceLock<Advertisement>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.address.to_string()).finish()
    }
}

/// What is known of a branch on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Its commit.
    At(String),
    /// It stands for another branch.
    Symbolic(String),
    /// It does not exist; these do.
    Missing(Vec<String>),
}

/// Where objects are written to that a server sends.
pub(super) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// How a push ended.
#[derive(Debug)]
pub(super) enum Pushed {
    /// The server says that the reference was replaced.
    Accepted,
    /// It says that it was not.
    Refused {
        /// Git's own reason.
        why: String,
        /// What the server and its hooks print for people.
        words: String,
    },
}

/// A push that got no whole answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: RemoteError,
    /// Whether the server may have acted on it all the same.
    pub(super) may_have_acted: bool,
}

impl Server {
    pub(super) fn new(address: Address, access: Access) -> Result<Self, HttpError> {
        let client = match address.way {
            Way::Http { .. } => Some(HttpClient::new(access.authorities.as_deref())?),
            Way::Ssh { .. } => None,
        };
        Ok(Self { address, access, client, known: OnceLock::new() })
    }

    /// By what it is reached.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Who asks over HTTP: as whom the access says, else what stands in the remote's address.
    pub fn credentials(&self) -> Option<Credentials> {
        let in_address = || {
            let (username, password) = self.address.login.clone()?;
            Some(Credentials::Basic { username, password })
        };
        self.access.credentials.clone().or_else(in_address)
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.access.deadline()
    }

    /// Begins to read.
    pub(super) fn reading(&self, deadline: Deadline) -> Result<Reading<'_>, RemoteError> {
        let talk = self.talk(Service::UploadPack, deadline)?;
        Ok(Reading { server: self, talk, deadline })
    }

    fn talk(&self, service: Service, deadline: Deadline) -> Result<Talk<'_>, RemoteError> {
        if service == Service::UploadPack
            && let (Some(known), Some(client)) = (self.known.get(), &self.client)
            && let Some(talk) = Talk::resume(&self.address, client, &self.access, known.clone(), deadline)
        {
            return Ok(talk);
        }
        let talk = Talk::open(&self.address, self.client.as_ref(), &self.access, service, deadline)?;
        if service == Service::UploadPack && talk.advertisement.is_v2 {
            // Whoever was first said the same.
            drop(self.known.set(talk.advertisement.clone()));
        }
        Ok(talk)
    }

    /// Asks the server to replace a reference if it still stands for `old` (`None`: if it does not exist). `new` as `None`
    /// lets it go.
    ///
    /// It is asked once.
    pub(super) fn push(
        &self,
        reference: &str,
        old: Option<&str>,
        new: Option<&str>,
        pack: &[u8],
        deadline: Deadline,
    ) -> Result<Pushed, Unanswered> {
        let talk = self.talk(Service::ReceivePack, deadline);
        let mut talk = talk.map_err(|error| Unanswered { error, may_have_acted: false })?;
        let update = Update { reference, old: old.unwrap_or(ZERO), new: new.unwrap_or(ZERO) };
        // The server compares this again, under its lock; here it saves sending the objects.
        if talk.advertisement.references.ids.get(reference).map(String::as_str) != old {
            return Ok(Pushed::Refused { why: "the reference moved".to_owned(), words: String::new() });
        }
        let mut report = Report::new(&talk.advertisement);
        let request = update.request(&talk.advertisement, pack);
        let asked = talk.ask(request, &mut |packet| report.take(packet, reference).map_err(RemoteError::from));
        let unanswered = |error: RemoteError| Unanswered { may_have_acted: error.may_have_acted(), error };
        asked.map_err(unanswered)?;
        match report.verdict() {
            Some(Verdict::Accepted) => Ok(Pushed::Accepted),
            Some(Verdict::Refused(why)) => {
                let safe = |text: &str, most| readable(&talk.without_secret(text), most);
                Ok(Pushed::Refused { why: safe(&why, 200), words: safe(&plain(&report.words), 1000) })
            }
            None => {
                let problem = Malformed::OutOfPlace("no word about the reference".to_owned());
                Err(unanswered(RemoteError::malformed(&problem, true)))
            }
        }
    }
}

/// One connection's worth of reading.
pub(super) struct Reading<'a> {
    server: &'a Server,
    talk: Talk<'a>,
    deadline: Deadline,
}

impl Reading<'_> {
    /// Where a branch is.
    pub(super) fn head(&mut self, branch: &str) -> Result<Head, RemoteError> {
        let name = format!("refs/heads/{branch}");
        let found = self.references(std::slice::from_ref(&name))?;
        if let Some(target) = found.symbolic.get(&name) {
            return Ok(Head::Symbolic(target.clone()));
        }
        match found.ids.get(&name) {
            Some(id) => Ok(Head::At(id.clone())),
            None => {
                Ok(Head::Missing(self.references(&["refs/heads/".to_owned()])?.branches().map(str::to_owned).collect()))
            }
        }
    }

    /// What a reference stands for.
    pub(super) fn reference(&mut self, name: &str) -> Result<Option<String>, RemoteError> {
        Ok(self.references(&[name.to_owned()])?.ids.remove(name))
    }

    /// The branch that the server's `HEAD` stands for, and where it is. `None`: it stands for none, or the server does
    /// not say.
    pub(super) fn default_head(&mut self) -> Result<Option<(String, Head)>, RemoteError> {
        let found = self.references(&["HEAD".to_owned()])?;
        let target = found.symbolic.get("HEAD").and_then(|target| target.strip_prefix("refs/heads/"));
        let Some(branch) = target.map(str::to_owned) else { return Ok(None) };
        let head = match found.ids.get("HEAD") {
            Some(id) => Head::At(id.clone()),
            None => self.head(&branch)?,
        };
        Ok(Some((branch, head)))
    }

    fn references(&mut self, prefixes: &[String]) -> Result<References, RemoteError> {
        if !self.talk.advertisement.is_v2 {
            return Ok(self.talk.advertisement.references.clone());
        }
        let mut references = References::default();
        let question = list_references(&self.talk.advertisement, prefixes);
        self.talk.ask(question, &mut |packet| references.take(packet).map_err(RemoteError::from))?;
        Ok(references)
    }

    /// Whether the server can leave out objects that are not asked for by their ids.
    pub(super) fn can_filter(&self) -> bool {
        self.talk.advertisement.has_feature("fetch", "filter")
    }

    /// Fetches a commit with so much of its history, without the contents of files where the server can leave them out.
    pub(super) fn commits(&mut self, id: &str, depth: usize, sink: &mut Sink<'_>) -> Result<(), RemoteError> {
        let filter = self.can_filter().then_some("blob:none");
        let have = None;
        self.fetch(&Wants { ids: &[id.to_owned()], depth, filter, have }, sink)
    }

    /// Fetches what comes before a commit that is there already.
    pub(super) fn history(&mut self, id: &str, depth: usize, sink: &mut Sink<'_>) -> Result<(), RemoteError> {
        let filter = self.can_filter().then_some("blob:none");
        self.fetch(&Wants { ids: &[id.to_owned()], depth, filter, have: Some(id) }, sink)
    }

    /// Fetches the contents of files.
    pub(super) fn files(&mut self, ids: &[String], sink: &mut Sink<'_>) -> Result<(), RemoteError> {
        self.fetch(&Wants { ids, depth: 0, filter: None, have: None }, sink)
    }

    fn fetch(&mut self, wants: &Wants<'_>, sink: &mut Sink<'_>) -> Result<(), RemoteError> {
        // The older protocol has one question for each connection.
        if !self.talk.advertisement.is_v2 {
            self.talk = self.server.talk(Service::UploadPack, self.deadline)?;
        }
        let request = wants.request(&self.talk.advertisement);
        let mut arriving = Arriving::new(self.talk.advertisement.is_v2, wants.depth);
        self.talk.ask(request, &mut |packet| {
            match arriving.take(packet)? {
                Arrived::Nothing => (),
                Arrived::Pack(bytes) => sink(bytes).map_err(|source| RemoteError::Pack { source })?,
                Arrived::Fatal(words) => return Err(RemoteError::Said { words }),
                Arrived::End => (),
            }
            Ok(arriving.is_whole())
        })
    }
}

/// What a server and its hooks print, without what marks each line as an error.
fn plain(words: &str) -> String {
    let line = |line: &str| {
        let mut line = line.trim();
        while let Some(rest) = line.strip_prefix("error:").or_else(|| line.strip_prefix("remote:")) {
            line = rest.trim_start();
        }
        line.to_owned()
    };
    words.lines().map(line).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Tries again what may pass, with doubling waits, within the deadline.
pub(super) fn patiently<T>(
    deadline: Deadline,
    mut work: impl FnMut() -> Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    let mut wait = WAIT;
    for _ in 1..TRIES {
        match work() {
            Err(error) if error.is_passing() => {
                let pause = error.retry_after().unwrap_or(wait).max(wait);
                if pause >= deadline.left() {
                    return Err(error);
                }
                tracing::debug!(%error, "another try");
                thread::sleep(pause);
                wait *= 2;
            }
            other => return other,
        }
    }
    work()
}

/// The waits of a publishing that goes on after a failure.
pub(super) fn waits() -> impl Iterator<Item = Duration> {
    (0..TRIES - 1).map(|times| WAIT * 2_u32.pow(times))
}

/// Ids by what they are for, so that none is asked for twice.
pub(super) fn distinct(ids: impl IntoIterator<Item = String>) -> Vec<String> {
    ids.into_iter().map(|id| (id, ())).collect::<BTreeMap<_, _>>().into_keys().collect()
}
