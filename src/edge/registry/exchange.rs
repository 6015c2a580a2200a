//! One question to a server and its answer, with patience that ends.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderValue, Method, header};
use reqwest::{Client, Url};
use tokio::time::sleep;

use crate::edge::{
    http::{Deadline, HttpAnswer},
    kube::kubeconfig::install_tls_provider,
    registry::{
        address::{Guard, Reach},
        failure::Failure,
        server::Server,
    },
};

/// How long a connection may take, whatever is left of the deadline.
const CONNECT: Duration = Duration::from_secs(15);

/// How much of an answer that is a refusal is read, in bytes.
const MAX_REFUSAL: u64 = 64 << 10;

/// How often something is asked that the server had no time for.
const TRIES: u32 = 4;

/// How often something is asked that broke.
const TRIES_BROKEN: u32 = 3;

/// The first pause before another try, where the server names none; every further one is four times as long.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) url: Url,
    /// For the header `Accept`.
    pub(super) accept: String,
    pub(super) authorization: Option<HeaderValue>,
    /// The most bytes of an answer.
    pub(super) most: u64,
}

/// The clients of all servers: one for every way of trusting and reaching.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<BTreeMap<(Option<Vec<u8>>, Reach, bool), Client>>);

impl Clients {
    /// Asks on behalf of a registry until there is an answer that is neither 429 nor one of a failing server.
    pub(super) async fn ask(
        &self,
        server: &Server,
        question: &Question,
        deadline: Deadline,
    ) -> Result<HttpAnswer, Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = self.ask_once(server, question).await;
            let (most, named) = match &asked {
                Ok(answer) => match answer.status {
                    429 => (TRIES, answer.retry_after()),
                    500 | 502 | 503 | 504 => (TRIES_BROKEN, answer.retry_after()),
                    _ => return asked,
                },
                Err(failure) if failure.is_passing() => (TRIES_BROKEN, None),
                Err(_) => return asked,
            };
            let wait = named.unwrap_or(PAUSE * 4_u32.pow(tries - 1));
            if tries >= most || wait >= deadline.left() {
                return match asked {
                    Ok(HttpAnswer { status: 429, .. }) => Err(Failure::RateLimited { wait: named }),
                    Ok(HttpAnswer { status, .. }) => Err(Failure::ServerError { status }),
                    Err(failure) => Err(failure),
                };
            }
            sleep(wait).await;
        }
    }

    async fn ask_once(&self, server: &Server, question: &Question) -> Result<HttpAnswer, Failure> {
        let reach = server.reach(&question.url);
        reach.check(&question.url).map_err(|refused| Failure::RefusedAddress(refused.to_string()))?;
        let client = self.client(server, reach)?;
        let mut building = client
            .request(question.method.clone(), question.url.clone())
            .header(header::ACCEPT, &question.accept)
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = &question.authorization {
            building = building.header(header::AUTHORIZATION, authorization);
        }
        let mut response = building.send().await.map_err(Failure::of)?;
        let is_success = response.status().is_success();
        let headers = response.headers().clone();
        let mut answer = HttpAnswer { status: response.status().as_u16(), headers, body: Vec::new() };
        if question.method == Method::HEAD {
            return Ok(answer);
        }
        let most = if is_success { question.most } else { MAX_REFUSAL };
        let too_large = Failure::TooLarge { most, unit: "bytes" };
        if is_success && response.content_length().is_some_and(|length| length > most) {
            return Err(too_large);
        }
        while let Some(bytes) = response.chunk().await.map_err(Failure::of)? {
            if answer.body.len() as u64 + bytes.len() as u64 > most {
                // A refusal is one, however long it is.
                return if is_success { Err(too_large) } else { Ok(answer) };
            }
            answer.body.extend_from_slice(&bytes);
        }
        Ok(answer)
    }

    fn client(&self, server: &Server, reach: Reach) -> Result<Client, Failure> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (server.authorities().map(<[u8]>::to_vec), reach, server.is_loopback());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(server, reach).map_err(Failure::of)?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}

/// Reads certificates of authorities (PEM).
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, reqwest::Error> {
    reqwest::Certificate::from_pem_bundle(pem)
}

fn build(server: &Server, reach: Reach) -> Result<Client, reqwest::Error> {
    install_tls_provider();
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .dns_resolver(std::sync::Arc::new(Guard::new(reach)))
        .user_agent(concat!("bobbypin/", env!("CARGO_PKG_VERSION")));
    if server.is_loopback() {
        builder = builder.no_proxy();
    }
    if let Some(pem) = server.authorities() {
        builder = builder.tls_certs_merge(certificates(pem)?);
    }
    builder.build()
}
