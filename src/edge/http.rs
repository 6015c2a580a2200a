//! One client for every server that is spoken to over HTTP, but for clusters.
//!
//! Every exchange has a deadline that holds whatever the server does, even if it sends one byte a second. Redirects are
//! never followed, because credentials would go along. Answers have a size that is enough.

pub(in crate::edge) mod error;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, timeout_at},
};

pub use self::error::{HttpError, HttpProblem};
use crate::edge::kube::kubeconfig::install_tls_provider;

/// How long a connection may take, whatever is left of the deadline.
const CONNECT: Duration = Duration::from_secs(15);

/// Bodies are handed over in such pieces, so that it is known of a large one that broke off that it broke off.
const PIECE: usize = 32 << 10;

/// Speaks HTTP, and blocks until there is an answer. Not to be used from within something asynchronous.
pub struct HttpClient {
    client: reqwest::Client,
    runtime: Runtime,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// A point in time at which whatever is under way ends.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    /// For messages.
    given: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        // More time than a clock can show is a day here.
        Self { at: now.checked_add(time).unwrap_or(now + Duration::from_secs(86_400)), given: time }
    }

    /// So many seconds from now.
    pub fn of_seconds(seconds: u32) -> Self {
        Self::after(Duration::from_secs(seconds.into()))
    }

    /// What is left of it.
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long it was in the beginning.
    pub fn given(&self) -> Duration {
        self.given
    }
}

/// What a server lets somebody in by.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A name and a password, or an access token in the password's place.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A Gitea access token.
    Token(SecretString),
}

impl Credentials {
    /// What a server says, without what it was told here: neither the secret nor the header that carries it.
    pub fn hide(&self, text: &str) -> String {
        let secret = match self {
            // A token may stand in the place of the name.
            Self::Basic { username, password } if password.expose_secret().is_empty() => username,
            Self::Basic { password, .. } => password.expose_secret(),
            Self::Token(token) => token.expose_secret(),
        };
        let header = self.header();
        let packed = header.as_ref().and_then(|header| header.to_str().ok()?.split(' ').nth(1));
        let quoted = percent_encoded(secret);
        let mut text = text.to_owned();
        for hidden in [Some(secret), packed, Some(&quoted)].into_iter().flatten().filter(|hidden| !hidden.is_empty()) {
            text = text.replace(hidden, "***");
        }
        text
    }

    /// What is sent; `None` when no header can carry it.
    pub(in crate::edge) fn header(&self) -> Option<HeaderValue> {
        let text = SecretString::from(match self {
            Self::Basic { username, password } => {
                format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose_secret())))
            }
            Self::Token(token) => format!("token {}", token.expose_secret()),
        });
        let mut value = HeaderValue::from_str(text.expose_secret()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// What is asked of a server.
#[derive(Clone, Debug)]
pub struct HttpRequest<'a> {
    /// The verb.
    pub method: Method,
    /// The whole address, without user and password.
    pub url: String,
    /// Headers besides those that every request has.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Who asks.
    pub credentials: Option<&'a Credentials>,
    /// What is sent. Shared, so that to send it again costs nothing.
    pub body: Option<Arc<[u8]>>,
    /// The most bytes of an answer.
    pub most: usize,
    /// The only kind of content that is handed over piece by piece; an answer of another kind is kept, as far as it makes
    /// sense for a message. `None`: any kind.
    pub expects: Option<&'static str>,
}

impl<'a> HttpRequest<'a> {
    /// Asks for something.
    pub fn get(url: String, credentials: Option<&'a Credentials>) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), credentials, body: None, most: 32 << 20, expects: None }
    }

    /// The same with a header more.
    pub fn with(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }
}

/// What a server answered, whatever its status.
#[derive(Clone, Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty when it was given away piece by piece.
    pub body: Vec<u8>,
}

impl HttpAnswer {
    /// A header as text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The kind of the content, without its parameters.
    pub fn kind(&self) -> &str {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or_default();
        kind.split(';').next().unwrap_or_default().trim()
    }

    /// For how long the server wants to be left alone (`Retry-After`), in seconds or as a date after `Date`.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(header::RETRY_AFTER)?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let read = |text: &str| jiff::fmt::rfc2822::parse(text).ok();
        let then = read(text)?;
        // The server's own clock is compared with itself.
        let now = read(self.header(header::DATE)?)?;
        Duration::try_from(then.timestamp().duration_since(now.timestamp())).ok()
    }
}

impl HttpClient {
    /// Makes a client that trusts the system's authorities, and these certificates (PEM) besides.
    ///
    /// # Errors
    ///
    /// [`HttpProblem::Authorities`] when the certificates cannot be read, and [`HttpProblem::Client`] when the system has
    /// none and none are given.
    pub fn new(authorities: Option<&[u8]>) -> Result<Self, HttpError> {
        install_tls_provider();
        let failed = |problem| HttpError { server: String::new(), problem };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .user_agent(concat!("bobbypin/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| failed(HttpProblem::Authorities(error.into())))?;
            if certificates.is_empty() {
                return Err(failed(HttpProblem::Authorities("there is no certificate in it".into())));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| failed(HttpProblem::Client(error.into())))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(HttpProblem::Client(error.into())))?;
        Ok(Self { client, runtime })
    }

    /// Asks, and waits for the whole answer, whatever its status; but a redirect is an error.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when there is no whole answer.
    pub fn send(&self, request: &HttpRequest<'_>, deadline: Deadline) -> Result<HttpAnswer, HttpError> {
        let mut body = Vec::new();
        let mut answer = self.stream(request, deadline, &mut |bytes| {
            body.extend_from_slice(bytes);
            Ok(())
        })?;
        answer.body.append(&mut body);
        Ok(answer)
    }

    /// As [`HttpClient::send`], but the body of an answer with status 200 is handed over piece by piece. A piece that is
    /// refused ends the exchange.
    ///
    /// # Errors
    ///
    /// As [`HttpClient::send`], and [`HttpProblem::Refused`].
    pub fn stream(
        &self,
        request: &HttpRequest<'_>,
        deadline: Deadline,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<HttpAnswer, HttpError> {
        let server = server(&request.url);
        let sent = Arc::new(AtomicUsize::new(0));
        let exchange = self.exchange(request, &sent, take);
        let result = self.runtime.block_on(async { timeout_at(deadline.at, exchange).await });
        let is_whole = sent.load(Ordering::SeqCst) >= request.body.as_ref().map_or(0, |body| body.len());
        let problem = match result {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(problem)) => problem,
            Err(_) => HttpProblem::Timeout { after: deadline.given, is_sent: is_whole },
        };
        Err(HttpError { server, problem: if is_whole { problem } else { problem.cut_short() } })
    }

    async fn exchange(
        &self,
        request: &HttpRequest<'_>,
        sent: &Arc<AtomicUsize>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<HttpAnswer, HttpProblem> {
        let mut building = self.client.request(request.method.clone(), &request.url);
        for (name, value) in &request.headers {
            building = building.header(name, value);
        }
        if let Some(credentials) = request.credentials {
            building = building.header(header::AUTHORIZATION, credentials.header().ok_or(HttpProblem::Credentials)?);
        }
        if let Some(body) = &request.body {
            building = building.header(header::CONTENT_LENGTH, body.len()).body(in_pieces(body.clone(), sent.clone()));
        }
        let mut response = building.send().await.map_err(HttpProblem::of)?;
        let status = response.status();
        if status.is_redirection() && status.as_u16() != 304 {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
            let to = request.credentials.map_or_else(|| to.to_owned(), |credentials| credentials.hide(to));
            return Err(HttpProblem::Redirected { status: status.as_u16(), to: server_and_path(&to) });
        }
        let headers = response.headers().clone();
        let mut answer = HttpAnswer { status: status.as_u16(), headers, body: Vec::new() };
        let is_expected = request.expects.is_none_or(|kind| answer.kind() == kind);
        let is_handed_over = answer.status == 200 && is_expected;
        let most = if status.is_success() && is_expected { request.most } else { request.most.min(1 << 20) };
        let mut length = 0;
        while let Some(bytes) = response.chunk().await.map_err(HttpProblem::of)? {
            length += bytes.len();
            if length > most {
                return Err(HttpProblem::TooLarge { most });
            }
            if is_handed_over {
                take(&bytes).map_err(HttpProblem::Refused)?;
            } else {
                answer.body.extend_from_slice(&bytes);
            }
        }
        Ok(answer)
    }
}

/// A body that counts what was taken of it, which is what may have been sent.
fn in_pieces(body: Arc<[u8]>, sent: Arc<AtomicUsize>) -> reqwest::Body {
    let mut at = 0;
    let pieces = std::iter::from_fn(move || {
        let end = body.len().min(at + PIECE);
        let piece = (at < end).then(|| body[at..end].to_vec());
        at = end;
        sent.store(end, Ordering::SeqCst);
        piece.map(Ok::<_, std::convert::Infallible>)
    });
    reqwest::Body::wrap_stream(futures::stream::iter(pieces))
}

/// A text as it stands in an address.
fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// `https://host:port` of an address, for messages.
pub(in crate::edge) fn server(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") }
}

/// The same with the path; what may be a secret is left out.
fn server_and_path(url: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if url.contains("://") {
        format!("{}{path}", server(url))
    } else {
        url.split(['?', '#']).next().unwrap_or_default().to_owned()
    }
}
