//! Why there is no answer.

use std::{error::Error, time::Duration};

/// Why a server gave no whole answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {server}")]
pub struct HttpError {
    /// `https://git.example.org`.
    pub server: String,
    /// What happened.
    #[source]
    pub problem: HttpProblem,
}

/// What happened instead of an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpProblem {
    /// No connection. Nothing of the request arrived.
    #[error("it cannot be reached: {}", deepest(.0.as_ref()))]
    Unreachable(Box<dyn Error + Send + Sync>),
    /// No trust in the server, or the server's in us. Nothing of the request arrived.
    #[error("its certificate is not trusted: {}", deepest(.0.as_ref()))]
    Tls(Box<dyn Error + Send + Sync>),
    /// The connection broke.
    #[error("the connection broke: {}", deepest(.source.as_ref()))]
    Broken {
        /// Whether all of the request may have arrived.
        is_sent: bool,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No whole answer in time.
    #[error("there was no whole answer within {after:?}")]
    Timeout {
        /// The time that it had.
        after: Duration,
        /// Whether all of the request may have arrived.
        is_sent: bool,
    },
    /// The answer sends elsewhere.
    #[error("it sends elsewhere ({status}, to `{}`), and nothing is followed because credentials would go along", to.escape_debug())]
    Redirected {
        /// The status.
        status: u16,
        /// Where to, without what may be a secret.
        to: String,
    },
    /// More than anybody can mean.
    #[error("its answer is longer than {} MiB", most >> 20)]
    TooLarge {
        /// The most bytes.
        most: usize,
    },
    /// Whoever reads the answer does not want it.
    #[error("its answer is of no use: {}", deepest(.0.as_ref()))]
    Refused(Box<dyn Error + Send + Sync>),
    /// A user name or password that no header can carry.
    #[error("the user name or the token has characters that cannot be sent")]
    Credentials,
    /// The address is none.
    #[error("the address is not acceptable: {}", deepest(.0.as_ref()))]
    Address(Box<dyn Error + Send + Sync>),
    /// The certificates of authorities that were given are of no use.
    #[error("the certificates of authorities cannot be used: {}", deepest(.0.as_ref()))]
    Authorities(Box<dyn Error + Send + Sync>),
    /// There is no client, for example on a machine without certificates.
    #[error("no connection can be made on this machine: {}", deepest(.0.as_ref()))]
    Client(Box<dyn Error + Send + Sync>),
}

impl HttpProblem {
    /// Sorts what reqwest says.
    pub(super) fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let is_tls = chain(&error).any(|cause| cause.downcast_ref::<rustls::Error>().is_some());
        if error.is_builder() {
            Self::Address(error.into())
        } else if is_tls {
            Self::Tls(error.into())
        } else if error.is_connect() {
            Self::Unreachable(error.into())
        } else {
            Self::Broken { is_sent: true, source: error.into() }
        }
    }

    /// The same when it is certain that not all of the request was sent.
    pub(super) fn cut_short(self) -> Self {
        match self {
            Self::Broken { source, .. } => Self::Broken { is_sent: false, source },
            Self::Timeout { after, .. } => Self::Timeout { after, is_sent: false },
            other => other,
        }
    }

    /// Whether the server may have acted on the request all the same.
    pub fn may_have_acted(&self) -> bool {
        match self {
            Self::Broken { is_sent, .. } | Self::Timeout { is_sent, .. } => *is_sent,
            Self::TooLarge { .. } | Self::Refused(_) => true,
            Self::Unreachable(_)
            | Self::Tls(_)
            | Self::Redirected { .. }
            | Self::Credentials
            | Self::Address(_)
            | Self::Authorities(_)
            | Self::Client(_) => false,
        }
    }

    /// Whether another try may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Broken { .. })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(_) => Some("check the address, the name's record in DNS, and HTTPS_PROXY and NO_PROXY"),
            Self::Tls(_) => Some(
                "for a server with an authority of its own: set spec.publish.gitea.caFile, or BOBBYPIN_CA_FILE, to a file with that certificate",
            ),
            Self::Redirected { .. } => Some("set the remote to the address that it names"),
            Self::Timeout { .. } => Some("run again; for more time: --timeout"),
            Self::Client(_) => Some("install the package ca-certificates, or set BOBBYPIN_CA_FILE"),
            _ => None,
        }
    }
}

/// An error and everything that it comes from, outermost first.
pub(in crate::edge) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let current = next?;
        // `io::Error` gives the source of what it wraps, not the thing itself.
        let inside = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inside.map(|inside| inside as _).or_else(|| current.source());
        Some(current)
    })
}

/// The last cause, which says what happened; those before it say who was told.
pub(in crate::edge) fn deepest(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
