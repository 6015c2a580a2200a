//! One API server, asked within a deadline.

use std::{borrow::Cow, time::Duration};

use http::{
    HeaderMap, Request, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, RETRY_AFTER},
};
use http_body_util::BodyExt;
use kube::client::Body;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout_at},
};
use tracing::debug;

use crate::{
    edge::kube::{
        api::Form,
        failure::{Cause, Failure, shorten},
    },
    model::hostname::Hostname,
};

/// How much of an API server's time and answers is enough.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first request to a cluster to the last answer.
    pub cluster: Duration,
    /// For one answer, from the request to its last byte.
    pub request: Duration,
    /// How often one request is made before its failure counts.
    pub tries: u32,
    /// The wait before the second try; it doubles with every further one.
    pub backoff: Duration,
    /// How often a list is begun before its failure counts.
    pub starts: u32,
    /// Objects that are asked for at once.
    pub page_size: u32,
    /// The most bytes of one answer.
    pub answer_bytes: usize,
    /// The most bytes of all pages of a list.
    pub list_bytes: u64,
    /// The most pages of a list.
    pub pages: u32,
}

impl Limits {
    /// When the time of a cluster is over that begins now.
    pub(super) fn deadline(&self) -> Instant {
        let now = Instant::now();
        // More time than a clock can show is a day here, which is more than a list lives.
        now.checked_add(self.cluster).unwrap_or(now + Duration::from_secs(86_400))
    }

    /// The usual ones, but for the time of a cluster.
    pub fn of_seconds(seconds: u32) -> Self {
        Self { cluster: Duration::from_secs(seconds.into()), ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cluster: Duration::from_secs(60),
            request: Duration::from_secs(20),
            tries: 4,
            backoff: Duration::from_millis(200),
            starts: 3,
            page_size: 500,
            // An object is 1.5 MiB at most; a page of five hundred ordinary ones is as much together.
            answer_bytes: 32 << 20,
            list_bytes: 4 << 30,
            pages: 20_000,
        }
    }
}

/// A server's refusal is short; more of it is nobody's words.
const REFUSAL_BYTES: usize = 64 << 10;

/// What is longer waits until no other answer of the same server is as long. Most pages are shorter.
const LARGE_BYTES: usize = 2 << 20;

/// One API server.
pub(super) struct Session {
    client: kube::Client,
    /// The name that the server is reached by, when it has one.
    pub(super) server: Option<Hostname>,
    pub(super) limits: Limits,
    deadline: Instant,
    /// What the server lets us in by. It must not come back in anything that is printed.
    token: Option<SecretString>,
    /// Whoever reads a long answer has this: a server cannot fill the memory with many at once.
    large: Mutex<()>,
}

impl Session {
    /// A server that is asked until the deadline.
    pub(super) fn new(
        client: kube::Client,
        server: Option<Hostname>,
        token: Option<SecretString>,
        limits: Limits,
        deadline: Instant,
    ) -> Self {
        Self { client, server, limits, deadline, token, large: Mutex::new(()) }
    }

    /// The same server, until another deadline.
    pub(super) fn until(&self, deadline: Instant) -> Self {
        Self::new(self.client.clone(), self.server.clone(), self.token.clone(), self.limits, deadline)
    }

    /// Asks for something as it is: see [`Self::get_as`].
    pub(super) async fn get(&self, path: &str, body: &mut Vec<u8>) -> Result<(), Failure> {
        self.get_as(Form::Whole, path, body).await
    }

    /// Asks for something, as often as that may help, and puts the answer into `body`.
    pub(super) async fn get_as(&self, form: Form, path: &str, body: &mut Vec<u8>) -> Result<(), Failure> {
        let mut wait = self.limits.backoff;
        let mut tries = 1;
        loop {
            let failure = match self.once(form, path, body).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            debug!(path, tries, message = failure.message, "a request failed");
            let pause = failure.retry_after.unwrap_or(wait).max(wait);
            // A server may ask for more time than a clock can show.
            let left = self.deadline.saturating_duration_since(Instant::now());
            let is_over = tries >= self.limits.tries || pause >= left;
            if !failure.cause.is_passing() || is_over {
                return Err(match (failure.retry_after, tries) {
                    (Some(after), _) if pause >= self.limits.cluster => {
                        failure.fix(&format_args!("it asks to wait {} s", after.as_secs()))
                    }
                    (_, 1) => failure,
                    (_, tries) => failure.fix(&format_args!("tried {tries} times")),
                });
            }
            sleep(pause).await;
            wait *= 2;
            tries += 1;
        }
    }

    async fn once(&self, form: Form, path: &str, body: &mut Vec<u8>) -> Result<(), Failure> {
        // The room of a long answer is not kept for a short one.
        if body.capacity() > LARGE_BYTES {
            *body = Vec::new();
        }
        body.clear();
        let request = Request::get(path).header("accept", form.accept()).body(Body::empty());
        let request = request.map_err(|error| Failure::new(Cause::NoAccess, error.to_string()))?;
        let start = Instant::now();
        let own = start.checked_add(self.limits.request).unwrap_or(self.deadline);
        let end = own.min(self.deadline);
        match timeout_at(end, self.exchange(request, body)).await {
            Ok(result) => result,
            Err(_) if end < own => {
                let message =
                    format!("no whole answer within the {:?} for this cluster (--timeout)", self.limits.cluster);
                Err(Failure::new(Cause::Timeout, message))
            }
            Err(_) => Err(Failure::new(Cause::Timeout, format!("no whole answer within {:?}", self.limits.request))),
        }
    }

    async fn exchange(&self, request: Request<Body>, body: &mut Vec<u8>) -> Result<(), Failure> {
        let sent = self.client.send(request).await;
        let response = sent.map_err(|error| Failure::of_transport(&error))?;
        let status = response.status();
        let retry_after = number(response.headers(), RETRY_AFTER).map(Duration::from_secs);
        let announced = number(response.headers(), CONTENT_LENGTH);
        let most = if status == StatusCode::OK { self.limits.answer_bytes } else { REFUSAL_BYTES };
        if status == StatusCode::OK {
            if announced.is_some_and(|length| length > most as u64) {
                return Err(too_large(most));
            }
            if let Some(coding) = response.headers().get(CONTENT_ENCODING).filter(|coding| *coding != "identity") {
                let coding = String::from_utf8_lossy(coding.as_bytes());
                let message = format!("the answer is compressed by `{}`, which nobody asked for", shorten(&coding));
                return Err(Failure::new(Cause::Malformed, message));
            }
        }
        let mut turn = None;
        let mut frames = response.into_body();
        while let Some(frame) = frames.frame().await {
            let frame = frame.map_err(|error| Failure::of_transport(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            let length = body.len() + data.len();
            if length > most {
                if status != StatusCode::OK {
                    break;
                }
                *body = Vec::new();
                return Err(too_large(most));
            }
            if length > LARGE_BYTES && turn.is_none() {
                turn = Some(self.large.lock().await);
                // All at once: to grow in steps takes half as much again. What is not written to takes no memory.
                let whole = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(most);
                body.reserve_exact(whole.saturating_sub(body.len()));
            }
            body.extend_from_slice(data);
        }
        if status == StatusCode::OK {
            return Ok(());
        }
        Err(Failure::of_status(status, retry_after, self.without_token(body).as_bytes()))
    }
}

impl Session {
    /// What a server says, which may repeat what it was asked with.
    fn without_token<'a>(&self, body: &'a [u8]) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(body);
        match &self.token {
            Some(token) if text.contains(token.expose_secret()) => text.replace(token.expose_secret(), "***").into(),
            Some(_) | None => text,
        }
    }
}

/// A header that is a number; a date is none.
fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn too_large(most: usize) -> Failure {
    Failure::new(Cause::TooLarge, format!("the answer is longer than {} MiB", most >> 20))
}
