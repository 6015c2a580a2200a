//! Tells Flux of a new commit: one request to a `Receiver` of its notification-controller.
//!
//! The path of a Receiver is a secret: for some of its types nothing else keeps strangers out. It is in no message and in
//! no log. Whoever tells Flux has committed already, and Flux looks by itself after a while: a failure is worth a warning.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tracing::info;

use crate::{
    edge::http::{Deadline, HttpAnswer, HttpClient, HttpError, HttpProblem, HttpRequest, server},
    model::repository::{Receiver, ReceiverForm, ReceiverPath},
};

/// What signs the bodies of `generic-hmac`.
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// What signs the bodies of `github`.
const HUB_SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// What happened, for `github`.
const HUB_EVENT: HeaderName = HeaderName::from_static("x-github-event");

/// An answer has no body, or says in a line what is wrong.
const MOST: usize = 64 << 10;

/// Why Flux was not told. It finds the commit by itself, when its interval is over.
#[derive(Debug, thiserror::Error)]
#[error("Flux was not told of the commit by its receiver at {server}")]
pub struct NotifyError {
    /// `https://flux.example.org`.
    pub server: String,
    /// What happened.
    #[source]
    pub problem: NotifyProblem,
}

/// What happened instead of an answer that all is well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyProblem {
    /// There is no such Receiver.
    #[error("it knows no such receiver (404)")]
    Unknown,
    /// The Receiver takes nothing at the moment.
    #[error("the receiver is suspended or not ready (503)")]
    NotReady,
    /// The Receiver does not trust the request.
    #[error("the receiver refuses the signature or the event (400)")]
    Signature,
    /// Somebody in between wants smaller requests.
    #[error("it refuses the request as too large (413)")]
    TooLarge,
    /// The Receiver could not reach what it is for.
    #[error("it could not ask for the new commit to be fetched (500)")]
    NotPassedOn,
    /// A page for people: somebody else answers there.
    #[error("a web page answers there ({status}), not Flux")]
    Page {
        /// The status.
        status: u16,
    },
    /// The answer sends elsewhere.
    #[error(
        "it sends elsewhere ({status}, to {to}), and nothing is followed because the path of a receiver is a secret"
    )]
    Redirected {
        /// The status.
        status: u16,
        /// The server; the same one when the answer names none.
        to: String,
    },
    /// Any other status.
    #[error("it answers {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// There was no whole answer.
    #[error("there is no answer")]
    Unanswered(#[source] HttpProblem),
}

impl NotifyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match &self.problem {
            NotifyProblem::Unknown => "compare the token, and the name and the namespace in spec.publish.notify.receiver, with the Receiver: \
                 its status.webhookPath is made of these three"
                .to_owned(),
            NotifyProblem::NotReady => "flux get receivers -A".to_owned(),
            NotifyProblem::Signature => "spec.publish.notify.receiver.type must be the Receiver's spec.type (for github with `push` among its \
                 events), and BOBBYPIN_WEBHOOK_TOKEN what the Secret in its spec.secretRef has as `token`"
                .to_owned(),
            NotifyProblem::TooLarge => {
                "let the proxy in front of Flux take requests of a few hundred bytes".to_owned()
            }
            NotifyProblem::NotPassedOn => {
                "compare the Receiver's spec.resources with what there is, and look into the log of notification-controller"
                    .to_owned()
            }
            NotifyProblem::Page { .. } => {
                "spec.publish.notify.receiver.url must lead to the Service webhook-receiver of Flux".to_owned()
            }
            NotifyProblem::Redirected { to, .. } => {
                format!("set spec.publish.notify.receiver.url to what it sends to, at {to}")
            }
            NotifyProblem::Status { .. } => "look into the log of notification-controller".to_owned(),
            NotifyProblem::Unanswered(HttpProblem::Unreachable(_)) => {
                "check spec.publish.notify.receiver.url, the name's record in DNS, and HTTPS_PROXY and NO_PROXY".to_owned()
            }
            NotifyProblem::Unanswered(problem) => return problem.hint().map(str::to_owned),
        })
    }
}

/// The path at which Flux listens for a Receiver (its `status.webhookPath`). Whoever knows it can reach the Receiver:
/// handle it as a secret.
pub fn hook_path(token: &SecretString, name: &str, namespace: &str) -> String {
    let mut hash = Sha256::new();
    for part in [token.expose_secret(), name, namespace] {
        hash.update(part);
    }
    format!("/hook/{}", hex(&hash.finalize()))
}

/// The request that tells a Receiver, with this body.
fn request(receiver: &Receiver, token: &SecretString, body: &[u8]) -> HttpRequest<'static> {
    let url = match &receiver.path {
        ReceiverPath::Given => receiver.url.clone(),
        ReceiverPath::Computed { namespace, name } => {
            format!("{}{}", receiver.url, hook_path(token, name.as_str(), namespace.as_str()))
        }
    };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    let signature = format!("sha256={}", hex(&mac.finalize().into_bytes()));
    let mut signature = HeaderValue::from_str(&signature).expect("hex digits can be sent");
    signature.set_sensitive(true);
    let mut headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    match receiver.form {
        ReceiverForm::GenericHmac => headers.push((SIGNATURE, signature)),
        ReceiverForm::Github => {
            headers.push((HUB_EVENT, HeaderValue::from_static("push")));
            headers.push((HUB_SIGNATURE, signature));
        }
    }
    HttpRequest {
        method: Method::POST,
        url,
        headers,
        credentials: None,
        body: Some(body.into()),
        most: MOST,
        expects: None,
    }
}

/// Tells Flux that there is a new revision, in the form of Flux: `main@sha1:<commit>`. It is told once: a second try
/// helps nobody who looks by himself soon after.
///
/// # Errors
///
/// [`NotifyError`] when Flux does not say that it heard it.
pub fn notify(
    client: &HttpClient,
    receiver: &Receiver,
    token: &SecretString,
    revision: &str,
    deadline: Deadline,
) -> Result<(), NotifyError> {
    let server = server(&receiver.url);
    let body = serde_json::json!({ "revision": revision }).to_string();
    let request = request(receiver, token, body.as_bytes());
    let problem = match client.send(&request, deadline) {
        Ok(answer) => match problem_of(&answer) {
            None => {
                info!(%server, revision, "Flux was told");
                return Ok(());
            }
            Some(problem) => problem,
        },
        Err(error) => unanswered(error, &server),
    };
    Err(NotifyError { server, problem })
}

fn problem_of(answer: &HttpAnswer) -> Option<NotifyProblem> {
    // Flux answers without a body, or with plain text.
    if answer.kind() == "text/html" {
        return Some(NotifyProblem::Page { status: answer.status });
    }
    Some(match answer.status {
        200..=299 => return None,
        400 => NotifyProblem::Signature,
        404 => NotifyProblem::Unknown,
        413 => NotifyProblem::TooLarge,
        500 => NotifyProblem::NotPassedOn,
        503 => NotifyProblem::NotReady,
        status => NotifyProblem::Status { status },
    })
}

fn unanswered(error: HttpError, asked: &str) -> NotifyProblem {
    match error.problem {
        // Where it sends to has most likely the same path.
        HttpProblem::Redirected { status, to } => {
            let to = if to.contains("://") { server(&to) } else { asked.to_owned() };
            NotifyProblem::Redirected { status, to }
        }
        problem => NotifyProblem::Unanswered(problem),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use http::HeaderMap;

    use super::*;
    use crate::model::name::Name;

    const TOKEN: &str = "canary-token";

    fn receiver(form: ReceiverForm, path: ReceiverPath) -> Receiver {
        Receiver { form, url: "https://flux.example.org".to_owned(), path }
    }

    fn computed() -> ReceiverPath {
        let name = |text| Name::parse(text).expect("a literal that parses");
        ReceiverPath::Computed { namespace: name("flux-system"), name: name("bobbypin") }
    }

    fn headers<'a>(request: &'a HttpRequest<'_>) -> Vec<(&'a str, &'a str)> {
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect()
    }

    #[test]
    fn the_path_of_a_receiver_is_made_of_the_token_its_name_and_its_namespace() {
        // printf %s canary-tokenbobbypinflux-system | sha256sum
        let wanted = "/hook/3fe79107e45e7cedca2ede965a021576814306d53145082b2f32cdbbbbc515b8";
        assert_eq!(hook_path(&TOKEN.into(), "bobbypin", "flux-system"), wanted);
        let request = request(&receiver(ReceiverForm::GenericHmac, computed()), &TOKEN.into(), b"{}");
        assert_eq!(request.url, format!("https://flux.example.org{wanted}"));
        let given = Receiver {
            url: "https://flux.example.org/hook/x".to_owned(),
            ..receiver(ReceiverForm::Github, ReceiverPath::Given)
        };
        assert_eq!(super::request(&given, &TOKEN.into(), b"{}").url, given.url);
    }

    #[test]
    fn each_type_of_receiver_gets_the_signature_where_it_looks_for_it() {
        // RFC 4231, case 2.
        let known = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        let of = |form| request(&receiver(form, computed()), &"Jefe".into(), body);
        let json = ("content-type", "application/json");
        assert_eq!(headers(&of(ReceiverForm::GenericHmac)), [json, ("x-signature", known)]);
        assert_eq!(
            headers(&of(ReceiverForm::Github)),
            [json, ("x-github-event", "push"), ("x-hub-signature-256", known)]
        );
        let request = of(ReceiverForm::Github);
        assert_eq!((request.method.as_str(), request.body.as_deref()), ("POST", Some(&body[..])));
    }

    fn answer(status: u16, kind: &str) -> HttpAnswer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, kind.parse().expect("a literal that parses"));
        HttpAnswer { status, headers, body: b"/hook/canary".to_vec() }
    }

    fn told(problem: NotifyProblem) -> String {
        let error = NotifyError { server: "https://flux.example.org".to_owned(), problem };
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        let text = format!("{}\nhelp: {}", causes.join(": "), error.hint().unwrap_or_default());
        let all = format!("{error} {error:?} {text}");
        assert!(!all.contains("hook/") && !all.contains("canary"), "{all}");
        text
    }

    #[test]
    fn every_answer_that_is_no_yes_has_its_words_and_what_to_do() {
        assert!(problem_of(&answer(200, "text/plain")).is_none());
        assert!(problem_of(&answer(202, "application/json")).is_none());
        let rows = [400, 404, 413, 500, 503, 502].map(|status| (status, "text/plain"));
        let rows = rows.into_iter().chain([(200, "text/html; charset=utf-8"), (404, "text/html")]);
        let texts: Vec<_> =
            rows.map(|(status, kind)| told(problem_of(&answer(status, kind)).expect("no yes"))).collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        the receiver refuses the signature or the event (400)
        help: spec.publish.notify.receiver.type must be the Receiver's spec.type (for github with `push` among its events), and BOBBYPIN_WEBHOOK_TOKEN what the Secret in its spec.secretRef has as `token`
        it knows no such receiver (404)
        help: compare the token, and the name and the namespace in spec.publish.notify.receiver, with the Receiver: its status.webhookPath is made of these three
        it refuses the request as too large (413)
        help: let the proxy in front of Flux take requests of a few hundred bytes
        it could not ask for the new commit to be fetched (500)
        help: compare the Receiver's spec.resources with what there is, and look into the log of notification-controller
        the receiver is suspended or not ready (503)
        help: flux get receivers -A
        it answers 502
        help: look into the log of notification-controller
        a web page answers there (200), not Flux
        help: spec.publish.notify.receiver.url must lead to the Service webhook-receiver of Flux
        a web page answers there (404), not Flux
        help: spec.publish.notify.receiver.url must lead to the Service webhook-receiver of Flux
        ");
    }

    #[test]
    fn no_answer_has_its_words_and_the_path_stays_secret() {
        let of = |problem| {
            let server = "https://flux.example.org".to_owned();
            told(unanswered(HttpError { server: server.clone(), problem }, &server))
        };
        let redirected = |to: &str| HttpProblem::Redirected { status: 308, to: to.to_owned() };
        let texts = [
            of(redirected("https://other.example.org/hook/canary")),
            of(redirected("/hook/canary")),
            of(HttpProblem::Tls("unknown issuer".into())),
            of(HttpProblem::Unreachable("connection refused".into())),
        ];
        insta::assert_snapshot!(texts.join("\n"), @r"
        it sends elsewhere (308, to https://other.example.org), and nothing is followed because the path of a receiver is a secret
        help: set spec.publish.notify.receiver.url to what it sends to, at https://other.example.org
        it sends elsewhere (308, to https://flux.example.org), and nothing is followed because the path of a receiver is a secret
        help: set spec.publish.notify.receiver.url to what it sends to, at https://flux.example.org
        there is no answer: its certificate is not trusted: unknown issuer
        help: for a server with an authority of its own: set spec.publish.gitea.caFile, or BOBBYPIN_CA_FILE, to a file with that certificate
        there is no answer: it cannot be reached: connection refused
        help: check spec.publish.notify.receiver.url, the name's record in DNS, and HTTPS_PROXY and NO_PROXY
        ");
    }
}
