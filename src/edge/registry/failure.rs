//! Why a registry's word is not known.

use std::time::Duration;

use http::header;

use crate::{
    edge::{
        http::{
            HttpAnswer,
            error::{chain, deepest},
            server,
        },
        registry::address::AddressRefused,
    },
    model::observed::{Observed, Unknown},
    pins::{artifact::ArtifactError, seen::OTHER_KIND},
};

/// The longest text of somebody else that is repeated, in bytes.
const MAX_SAID: usize = 100;

/// What came instead of an answer that can be believed. Holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be read without a login, or does not exist{note}; log in with `docker login {registry}`")]
    Unauthorized { registry: String, note: String },
    #[error("the registry forbids to read it (403); let the user that is logged in read this repository")]
    Forbidden,
    #[error("the registry asks for fewer questions (429){}; run again later, log in, or lower --jobs", wait_text(*.wait))]
    RateLimited { wait: Option<Duration> },
    #[error("the registry has a failure of its own ({status}); run again later")]
    ServerError { status: u16 },
    #[error("the registry answers with status {status}, which says nothing about it; see whether the address is right")]
    Status { status: u16 },
    #[error("there was no whole answer within {after:?}; run again, or give more time with --timeout")]
    Timeout { after: Duration },
    #[error("the registry cannot be reached: {0}; check its name and its record in DNS")]
    Unreachable(String),
    #[error("the registry's certificate is not trusted: {0}; give the certificate of its authority")]
    UntrustedCertificate(String),
    #[error("the connection broke: {0}; run again")]
    Broken(String),
    #[error("{0}")]
    RefusedAddress(String),
    #[error("the registry sends to `{}` for a login, which is not its own host; name that host as one of its token hosts if it is", .0.escape_debug())]
    RefusedRealm(String),
    #[error("the registry sends to `{}`, and that is not followed; name that host in the reference, or let redirects of this registry be followed, if that is right", .0.escape_debug())]
    Redirected(String),
    #[error("the answer has more than {most} {unit}; nothing of it is used")]
    TooLarge { most: u64, unit: &'static str },
    #[error("{0}; do not use it before it is known why")]
    Mismatch(String),
    #[error("the answer is a 404 that is not of a registry; something else may answer in its place")]
    NotOfRegistry,
    #[error("{0}")]
    Malformed(String),
    #[error("{0}; only charts and images can be pinned")]
    UnsupportedKind(ArtifactError),
    #[error("{0}")]
    Credentials(String),
}

/// For how long somebody is to be left alone.
fn wait_text(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!(", for {} seconds", wait.as_secs()))
}

/// What is there; `None`: the registry says that there is nothing.
pub(super) type Asked<T> = Result<Option<T>, Failure>;

impl Failure {
    /// Sorts what reqwest says.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let refused = chain(&error).find_map(|cause| cause.downcast_ref::<AddressRefused>());
        if let Some(refused) = refused {
            return Self::RefusedAddress(refused.to_string());
        }
        let tls = chain(&error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
        let why = deepest(&error).escape_debug().to_string();
        if let Some(rustls::Error::InvalidCertificate(_)) = tls {
            Self::UntrustedCertificate(why)
        } else if tls.is_some() {
            Self::Unreachable(format!("{why} (a registry without TLS has to be set as one with plain http)"))
        } else if error.is_builder() {
            Self::Malformed(format!("no request can be made for it: {why}"))
        } else if error.is_connect() {
            Self::Unreachable(why)
        } else {
            Self::Broken(why)
        }
    }

    /// What an answer that sends elsewhere is, when nobody goes there. Of the place only the host is repeated.
    pub(super) fn redirected(answer: &HttpAnswer) -> Self {
        let to = answer.header(header::LOCATION).unwrap_or_default();
        let host = server(to);
        Self::Redirected(if host.is_empty() { "another place of its own".to_owned() } else { said(&host) })
    }

    /// Whether another try may help.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Broken(_))
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Unauthorized { .. } => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::RateLimited { .. } => "RateLimited",
            Self::ServerError { .. } => "ServerError",
            Self::Status { .. } => "UnexpectedStatus",
            Self::Timeout { .. } => "Timeout",
            Self::Unreachable(_) => "Unreachable",
            Self::UntrustedCertificate(_) => "UntrustedCertificate",
            Self::Broken(_) => "ConnectionBroken",
            Self::RefusedAddress(_) => "RefusedAddress",
            Self::RefusedRealm(_) => "RefusedRealm",
            Self::Redirected(_) => "Redirected",
            Self::TooLarge { .. } => "TooLarge",
            Self::Mismatch(_) => "Mismatch",
            Self::Malformed(_) | Self::NotOfRegistry => "Malformed",
            Self::UnsupportedKind(_) => OTHER_KIND,
            Self::Credentials(_) => "Credentials",
        }
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        match error {
            ArtifactError::Kind(_) => Self::UnsupportedKind(error),
            ArtifactError::Malformed(_) => Self::Malformed(error.to_string()),
        }
    }
}

/// What others are told. `what` is the reference in question; `hide` takes out what is secret.
pub(super) fn observed<T>(what: &str, asked: Asked<T>, hide: impl Fn(&str) -> String) -> Observed<T> {
    match asked {
        Ok(Some(value)) => Observed::Present(value),
        Ok(None) => Observed::Absent,
        Err(failure) => {
            let message = format!("{what}: {}", hide(&failure.to_string()));
            Observed::Unknown(Unknown { reason: failure.reason().to_owned(), message })
        }
    }
}

/// A text of somebody else as far as it is repeated: whole or not at all, so that what is secret in it is found.
pub(super) fn said(text: &str) -> String {
    if text.len() > MAX_SAID { "(too long to be repeated)".to_owned() } else { text.to_owned() }
}
