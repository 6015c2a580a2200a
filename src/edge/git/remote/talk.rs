//! One talk with one of the two services of a server, over HTTP or through `ssh`.

use http::{HeaderName, HeaderValue, Method, header};

use crate::edge::{
    git::remote::{
        Access,
        address::{Address, Way},
        advertisement::Advertisement,
        error::{RemoteError, readable},
        packet::{Frames, Malformed, Packet},
        ssh::Ssh,
    },
    http::{Credentials, Deadline, HttpAnswer, HttpClient, HttpRequest, server},
};

/// The most bytes of an answer. A repository of configuration has a hundredth of it.
const MOST: usize = 1 << 30;

/// How long a server's own words may be in a message.
const WORDS: usize = 400;

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// It gives objects.
    UploadPack,
    /// It takes objects.
    ReceivePack,
}

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    fn advertisement(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-advertisement",
            Self::ReceivePack => "application/x-git-receive-pack-advertisement",
        }
    }

    fn request(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-request",
            Self::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    fn result(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-result",
            Self::ReceivePack => "application/x-git-receive-pack-result",
        }
    }
}

/// One talk with a service.
pub(super) struct Talk<'a> {
    service: Service,
    connection: Connection<'a>,
    deadline: Deadline,
    /// What the server said first.
    pub(super) advertisement: Advertisement,
}

enum Connection<'a> {
    Http(Http<'a>),
    Ssh(Ssh),
}

struct Http<'a> {
    client: &'a HttpClient,
    url: &'a str,
    credentials: Option<Credentials>,
}

/// Takes a frame; `true`: that was the last.
pub(super) type Take<'a> = dyn FnMut(Packet<'_>) -> Result<bool, RemoteError> + 'a;

impl<'a> Talk<'a> {
    /// Begins a talk.
    pub(super) fn open(
        address: &'a Address,
        client: Option<&'a HttpClient>,
        access: &'a Access,
        service: Service,
        deadline: Deadline,
    ) -> Result<Self, RemoteError> {
        let mut advertisement = Advertisement::default();
        let credentials = credentials(address, access);
        let mut take = |packet: Packet<'_>| {
            said(packet)?;
            advertisement.take(packet).map_err(|problem| RemoteError::malformed(&problem, false))
        };
        let connection = match (&address.way, client) {
            (Way::Ssh { host, port, path }, _) => {
                let mut ssh = Ssh::start(host, *port, path, service, access, deadline)?;
                ssh.read(&mut take, false).map_err(|error| plain(error, None))?;
                Connection::Ssh(ssh)
            }
            (Way::Http { url }, Some(client)) => {
                let http = Http { client, url, credentials: credentials.clone() };
                let suffix = format!("info/refs?service={}", service.name());
                let exchanged = http.exchange(service, &suffix, None, service.advertisement(), deadline, &mut take);
                exchanged.map_err(|error| plain(error, credentials.as_ref()))?;
                Connection::Http(http)
            }
            (Way::Http { .. }, None) => unreachable!("whoever has an address for it has a client"),
        };
        if !advertisement.is_whole() {
            return Err(RemoteError::malformed(&Malformed::CutShort, false));
        }
        match advertisement.object_format() {
            "sha1" => Ok(Self { service, connection, deadline, advertisement }),
            format => Err(RemoteError::ObjectFormat { format: format.to_owned() }),
        }
    }

    /// Goes on where a server needs not be asked again what it can do.
    pub(super) fn resume(
        address: &'a Address,
        client: &'a HttpClient,
        access: &'a Access,
        advertisement: Advertisement,
        deadline: Deadline,
    ) -> Option<Self> {
        let Way::Http { url } = &address.way else { return None };
        let connection = Connection::Http(Http { client, url, credentials: credentials(address, access) });
        Some(Self { service: Service::UploadPack, connection, deadline, advertisement })
    }

    /// What a server says, without the secret that it was told.
    pub(super) fn without_secret(&self, words: &str) -> String {
        match &self.connection {
            Connection::Http(http) => without_secret(http.credentials.as_ref(), words),
            Connection::Ssh(_) => words.to_owned(),
        }
    }

    /// Asks, and hands over the frames of the answer up to the last.
    pub(super) fn ask(&mut self, request: Vec<u8>, take: &mut Take<'_>) -> Result<(), RemoteError> {
        let acts = self.service == Service::ReceivePack;
        let mut is_done = false;
        let mut take = |packet: Packet<'_>| {
            said(packet)?;
            is_done = take(packet)?;
            Ok(is_done)
        };
        match &mut self.connection {
            Connection::Http(http) => {
                let (service, result) = (self.service, self.service.result());
                let exchanged = http.exchange(service, service.name(), Some(request), result, self.deadline, &mut take);
                exchanged.map_err(|error| plain(error, http.credentials.as_ref()))?;
            }
            Connection::Ssh(ssh) => ssh.ask(&request, &mut take, acts).map_err(|error| plain(error, None))?,
        }
        if is_done { Ok(()) } else { Err(RemoteError::malformed(&Malformed::CutShort, acts)) }
    }
}

/// Who asks: what was given for this run, or what stands in the address.
fn credentials(address: &Address, access: &Access) -> Option<Credentials> {
    let (user, password) = address.login.clone().unzip();
    let own = user.zip(password).map(|(username, password)| Credentials::Basic { username, password });
    access.git_credentials().or(own)
}

/// A server gives up at any point with a line of its own words.
fn said(packet: Packet<'_>) -> Result<(), RemoteError> {
    match packet.line().and_then(|line| line.strip_prefix("ERR ")) {
        Some(words) => Err(RemoteError::Said { words: words.to_owned() }),
        None => Ok(()),
    }
}

/// Makes a server's own words fit for a message: first without the secret, then not too long.
fn plain(error: RemoteError, credentials: Option<&Credentials>) -> RemoteError {
    match error {
        RemoteError::Said { words } => {
            RemoteError::Said { words: readable(&without_secret(credentials, &words), WORDS) }
        }
        RemoteError::Malformed { problem, may_have_acted } => {
            RemoteError::Malformed { problem: without_secret(credentials, &problem), may_have_acted }
        }
        other => other,
    }
}

fn without_secret(credentials: Option<&Credentials>, words: &str) -> String {
    credentials.map_or_else(|| words.to_owned(), |credentials| credentials.hide(words))
}

impl Http<'_> {
    fn exchange(
        &self,
        service: Service,
        suffix: &str,
        body: Option<Vec<u8>>,
        kind: &'static str,
        deadline: Deadline,
        take: &mut Take<'_>,
    ) -> Result<(), RemoteError> {
        let mut headers = Vec::new();
        if service == Service::UploadPack {
            headers.push((HeaderName::from_static("git-protocol"), HeaderValue::from_static("version=2")));
        }
        headers.push((header::ACCEPT, HeaderValue::from_static(kind)));
        if body.is_some() {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static(service.request())));
        }
        let request = HttpRequest {
            method: if body.is_some() { Method::POST } else { Method::GET },
            url: format!("{}/{suffix}", self.url),
            headers,
            credentials: self.credentials.as_ref(),
            body: body.map(Into::into),
            most: MOST,
            expects: Some(kind),
        };
        let acts = service == Service::ReceivePack && request.body.is_some();
        let mut frames = Frames::default();
        let mut failure = None;
        let answer = self.client.stream(&request, deadline, &mut |bytes| {
            let fed = frames.feed(bytes, |packet| take(packet).map(drop).map_err(Fed::Taken));
            fed.map_err(|fed| {
                failure = Some(match fed {
                    Fed::Taken(error) => error,
                    Fed::Malformed(problem) => RemoteError::malformed(&problem, acts),
                });
                "it was refused".into()
            })
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let answer = answer?;
        if answer.status != 200 || answer.kind() != kind {
            return Err(self.refusal(&answer));
        }
        frames.finish().map_err(|problem| RemoteError::malformed(&problem, acts))
    }

    fn refusal(&self, answer: &HttpAnswer) -> RemoteError {
        let server = server(self.url);
        let safe = |text: &str| without_secret(self.credentials.as_ref(), text);
        let page = page(answer, safe);
        if answer.status == 200 {
            let kind = || format!("`{}`", readable(&safe(answer.kind()), 60));
            return RemoteError::NotGit { server, what: page.unwrap_or_else(kind) };
        }
        let text = String::from_utf8_lossy(&answer.body);
        let words = match page {
            Some(page) => page,
            None => serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|json| json["message"].as_str().map(str::to_owned))
                .unwrap_or_else(|| text.into_owned()),
        };
        let has_credentials = self.credentials.is_some();
        let retry_after = answer.retry_after();
        RemoteError::Status {
            server,
            status: answer.status,
            words: readable(&safe(&words), WORDS),
            has_credentials,
            retry_after,
        }
    }
}

/// Why feeding frames ended.
enum Fed {
    Malformed(Malformed),
    Taken(RemoteError),
}

impl From<Malformed> for Fed {
    fn from(problem: Malformed) -> Self {
        Self::Malformed(problem)
    }
}

/// A page for people, by its title.
fn page(answer: &HttpAnswer, safe: impl Fn(&str) -> String) -> Option<String> {
    if answer.kind() != "text/html" {
        return None;
    }
    let text = String::from_utf8_lossy(&answer.body);
    let title =
        text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.trim());
    Some(match title {
        Some(title) if !title.is_empty() => format!("a web page (`{}`)", readable(&safe(title), 80)),
        _ => "a web page".to_owned(),
    })
}

/// Answers that never came whole are errors of the way there.
impl From<Malformed> for RemoteError {
    fn from(problem: Malformed) -> Self {
        Self::malformed(&problem, true)
    }
}
