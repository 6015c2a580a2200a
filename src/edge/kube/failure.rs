//! Why an API server did not give what it was asked for.

use std::{error::Error, fmt, time::Duration};

use http::StatusCode;
use serde::Deserialize;

use crate::{
    edge::kube::kubeconfig::AddressRefused,
    model::observed::{Observed, Unknown},
};

/// The kind of failure. Its name is the reason of [`Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// There is no lawful way to the cluster: see the message.
    NoAccess,
    /// The server does not know who asks (401).
    Unauthorized,
    /// The asker has no right to it (403).
    Forbidden,
    /// Something that must be there is not (404), or is there and answers 404.
    NotFound,
    /// The server wants to be left alone (429), longer than there is time.
    TooManyRequests,
    /// The server is at fault (5xx).
    ServerError,
    /// An answer that sends elsewhere (3xx). Nothing is followed, because credentials would go along.
    Redirected,
    /// Any other answer.
    UnexpectedStatus,
    /// No whole answer in time.
    Timeout,
    /// No trust in the server, or the server's in us.
    Tls,
    /// No connection, or one that broke.
    Unreachable,
    /// An answer that is not what was asked for.
    Malformed,
    /// More than anybody can mean.
    TooLarge,
    /// The server forgot the snapshot that a list was read from (410), again and again.
    Expired,
    /// Pages of a list that cannot be of one snapshot.
    Inconsistent,
    /// The API is there, in versions that are not known here.
    UnsupportedVersion,
}

impl Cause {
    /// PascalCase.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAccess => "NoAccess",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::TooManyRequests => "TooManyRequests",
            Self::ServerError => "ServerError",
            Self::Redirected => "Redirected",
            Self::UnexpectedStatus => "UnexpectedStatus",
            Self::Timeout => "Timeout",
            Self::Tls => "Tls",
            Self::Unreachable => "Unreachable",
            Self::Malformed => "Malformed",
            Self::TooLarge => "TooLarge",
            Self::Expired => "Expired",
            Self::Inconsistent => "Inconsistent",
            Self::UnsupportedVersion => "UnsupportedVersion",
        }
    }

    /// Whether the same request may well succeed a moment later.
    pub(super) fn is_passing(self) -> bool {
        matches!(self, Self::TooManyRequests | Self::ServerError | Self::Timeout | Self::Unreachable)
    }

    /// Whether a list is to be read again from its first page.
    pub(super) fn spoils_the_list(self) -> bool {
        matches!(self, Self::Malformed | Self::Expired | Self::Inconsistent)
    }

    /// Whether nothing else needs to be asked of the same server.
    pub(super) fn concerns_the_whole_cluster(self) -> bool {
        matches!(
            self,
            Self::NoAccess | Self::Unauthorized | Self::Redirected | Self::Timeout | Self::Tls | Self::Unreachable
        )
    }
}

/// One request, or one list, that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kind.
    pub cause: Cause,
    /// One line, with the server's own words in it.
    pub message: String,
    /// How long the server asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Whether an API server itself says that there is no such object, not somebody in between.
    pub(super) is_absence: bool,
}

impl Failure {
    /// What is not safe to print is left out of the message.
    pub(super) fn new(cause: Cause, message: impl Into<String>) -> Self {
        let mut message = message.into();
        message.retain(is_safe);
        Self { cause, message, retry_after: None, is_absence: false }
    }

    /// What an answer with this status means.
    pub(super) fn of_status(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let cause = match status.as_u16() {
            401 => Cause::Unauthorized,
            403 => Cause::Forbidden,
            404 => Cause::NotFound,
            410 => Cause::Expired,
            429 => Cause::TooManyRequests,
            300..=399 => Cause::Redirected,
            500..=599 => Cause::ServerError,
            _ => Cause::UnexpectedStatus,
        };
        let (words, is_absence) = words(body);
        let message = if words.is_empty() {
            format!("the server answers {status}")
        } else {
            format!("the server answers {status}: {words}")
        };
        Self { cause, message, retry_after, is_absence: is_absence && cause == Cause::NotFound }
    }

    /// What a transport's error means.
    pub(super) fn of_transport(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Cause::Unreachable;
        // Below these stands what a program printed that gives credentials.
        if chain(error).any(|error| error.is::<kube::client::AuthError>()) {
            return Self::new(Cause::Unauthorized, "the kubeconfig gives no credentials that can be used");
        }
        let mut texts: Vec<String> = Vec::new();
        for error in chain(error) {
            if error.is::<rustls::Error>() {
                cause = Cause::Tls;
            }
            if error.is::<AddressRefused>() {
                cause = Cause::NoAccess;
            }
            let text = error.to_string();
            // Wrappers repeat what they wrap.
            if !texts.iter().any(|earlier| earlier.contains(&text)) {
                texts.push(text);
            }
        }
        let words = shorten(&texts.join(": "));
        let message = match cause {
            Cause::Tls => format!("no secure connection: {words}"),
            Cause::NoAccess => format!("not connected: {words}"),
            _ => format!("no connection, or a broken one: {words}"),
        };
        Self::new(cause, message)
    }

    /// The same, said about something: `ingresses, page 3`.
    pub(super) fn about(self, what: &dyn fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The same, with something a person can do.
    pub(super) fn fix(self, fix: &dyn fmt::Display) -> Self {
        Self { message: format!("{}; {fix}", self.message), ..self }
    }

    /// What is told of it.
    pub fn unknown(&self) -> Unknown {
        Unknown { reason: self.cause.as_str().to_owned(), message: self.message.clone() }
    }

    /// What is observed when this happened.
    pub(super) fn observed<T>(&self) -> Observed<T> {
        Observed::Unknown(self.unknown())
    }
}

/// An error and everything below it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<std::io::Error>() {
        // It hides the one that it wraps from `source`.
        Some(wrapper) => wrapper.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}

/// What a server says in the body of a refusal: the message of a `Status`, or the beginning of a text. And whether it is
/// the `Status` of an API server for an object that does not exist.
fn words(body: &[u8]) -> (String, bool) {
    #[derive(Deserialize)]
    struct Status {
        #[serde(default)]
        kind: String,
        message: String,
        #[serde(default)]
        reason: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => (shorten(&status.message), status.kind == "Status" && status.reason == "NotFound"),
        Err(_) => (shorten(&String::from_utf8_lossy(&body[..body.len().min(1000)])), false),
    }
}

/// One line of a foreign text, safe to print.
pub(in crate::edge) fn shorten(text: &str) -> String {
    const MOST: usize = 300;
    let mut line = String::new();
    for word in text.split_whitespace() {
        if line.len() + word.len() > MOST {
            line.push_str(if line.is_empty() { "…" } else { " …" });
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|c| is_safe(*c)));
    }
    line
}

/// Whether a character shows as itself: no control, nothing without a width, nothing that turns the direction of the text
/// around.
fn is_safe(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_cause_and_the_servers_words() {
        let status = br#"{"kind":"Status","message":"ingresses is forbidden:\n User \"bot\" cannot list"}"#;
        let cases = [
            (401, Cause::Unauthorized),
            (403, Cause::Forbidden),
            (404, Cause::NotFound),
            (410, Cause::Expired),
            (429, Cause::TooManyRequests),
            (301, Cause::Redirected),
            (307, Cause::Redirected),
            (500, Cause::ServerError),
            (502, Cause::ServerError),
            (503, Cause::ServerError),
            (400, Cause::UnexpectedStatus),
            (418, Cause::UnexpectedStatus),
        ];
        for (code, cause) in cases {
            let code = StatusCode::from_u16(code).unwrap();
            let failure = Failure::of_status(code, None, status);
            assert_eq!(failure.cause, cause, "{code}");
            let message = format!("the server answers {code}: ingresses is forbidden: User \"bot\" cannot list");
            assert_eq!(failure.message, message);
        }
        assert_eq!(
            Failure::of_status(StatusCode::BAD_GATEWAY, None, b"").message,
            "the server answers 502 Bad Gateway"
        );
    }

    #[test]
    fn foreign_words_are_one_short_line_without_controls() {
        assert_eq!(shorten("a\u{1b}[31m\r\n\tb \u{202e}c"), "a[31m b c");
        let long = "word ".repeat(1000);
        assert!(shorten(&long).len() < 310 && shorten(&long).ends_with(" …"));
        assert_eq!(shorten(&"x".repeat(1000)), "…");
        assert_eq!(words(&[0xff, b'a']), ("\u{fffd}a".to_owned(), false));
    }

    #[test]
    fn only_the_api_server_itself_can_say_that_an_object_does_not_exist() {
        let absence = |code: u16, body: &str| {
            Failure::of_status(StatusCode::from_u16(code).unwrap(), None, body.as_bytes()).is_absence
        };
        let status = r#"{"kind":"Status","reason":"NotFound","message":"configmaps \"coredns\" not found"}"#;
        assert!(absence(404, status));
        assert!(!absence(403, status));
        assert!(!absence(404, r#"{"kind":"Status","reason":"Forbidden","message":"no"}"#));
        assert!(!absence(404, "404 page not found"));
        assert!(!absence(404, "<html>not found</html>"));
        assert!(!absence(404, ""));
    }
}
