//! A checked way to one API server, and the client that goes it.

#![expect(clippy::disallowed_types, reason = "this is the one place that makes clients of clusters")]

#[cfg(test)]
mod tests;

use std::{fmt, io, pin::Pin, time::Duration};

use http::{HeaderValue, Uri, header::USER_AGENT};
use hyper_util::{
    client::{
        legacy::{
            Client as HttpClient,
            connect::{
                HttpConnector,
                dns::{GaiResolver, Name},
            },
        },
        proxy::matcher::Matcher,
    },
    rt::TokioExecutor,
};
use kube::{
    Config,
    client::{AuthError, Body, ClientBuilder, ConfigExt, RustlsTlsError},
    config::{AuthInfo, KubeConfigOptions, KubeconfigError as Fault, LoadDataError},
};
use secrecy::SecretString;
use tokio::time::timeout;
use tower::{BoxError, Service as _, ServiceBuilder, ServiceExt as _, service_fn};

use crate::{
    edge::kube::kubeconfig::{
        Origin,
        check::Chosen,
        error::KubeconfigError,
        server::{Server, ServerPolicy},
    },
    model::hostname::Hostname,
};

/// A checked way to one API server.
pub struct Connection {
    config: Config,
    server: Server,
    login: Login,
    /// Enforced on every address that is connected to; `None`: every address is fine.
    policy: Option<ServerPolicy>,
    cluster_name: String,
    user_name: String,
}

/// How the user proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Token,
    ClientCertificate,
    Password,
    Program,
    None,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("server", &self.server()).field("login", &self.login).finish_non_exhaustive()
    }
}

/// Makes `ring` the cryptography of this process, unless there is one already. To be called before the first client.
pub fn install_tls_provider() {
    // The error is that there is one.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// The service account of the pod that this program runs in.
///
/// # Errors
///
/// [`KubeconfigError::InCluster`] outside of a pod, or in one without a service account.
pub fn in_cluster() -> Result<Connection, KubeconfigError> {
    let failed = |source: BoxError| KubeconfigError::InCluster { source };
    let config = Config::incluster().map_err(|error| failed(error.into()))?;
    let server = Server::of(&config.cluster_url).map_err(|problem| failed(problem.into()))?;
    let name = "the pod's service account".to_owned();
    let (cluster_name, user_name) = (name.clone(), name);
    Ok(Connection { config, server, login: Login::Token, policy: None, cluster_name, user_name })
}

impl Connection {
    /// Makes kube's configuration of what was checked. Reads the files that were allowed; runs nothing.
    pub(super) async fn of(chosen: Chosen, server: Server, origin: Origin) -> Result<Self, KubeconfigError> {
        let login = login(&chosen.user);
        let has_own_proxy = chosen.cluster.proxy_url.is_some();
        let (cluster_name, user_name) = (chosen.cluster_name.clone(), chosen.user_name.clone());
        let names = Names { cluster: &cluster_name, user: &user_name };
        let made = Config::from_custom_kubeconfig(chosen.into_kubeconfig(), &KubeConfigOptions::default()).await;
        let mut config = made.map_err(|fault| names.data(fault))?;
        let policy = match origin {
            Origin::Own(_) => None,
            Origin::Tenant(policy) => Some(policy),
        };
        // kube takes a proxy of the environment for every server, also for those that NO_PROXY names: it compares that
        // with the proxy's own address.
        let may_use_environment = policy.is_none() && is_for_proxy(&server, &config.cluster_url, &Matcher::from_env());
        if !has_own_proxy && !may_use_environment {
            config.proxy_url = None;
        }
        config.default_retry = false;
        if config.root_cert.as_ref().is_some_and(Vec::is_empty) {
            return Err(names.authority("has no certificate in it"));
        }
        if !matches!(login, Login::Program) {
            check_certificates(&config).map_err(|error| names.client(&server, &config, error))?;
        }
        Ok(Self { config, server, login, policy, cluster_name, user_name })
    }

    /// The server as `scheme://host:port`, without anything else that may be in its URL.
    pub fn server(&self) -> String {
        self.server.to_string()
    }

    /// The name that the server is reached by; `None` when that is an address.
    pub fn server_name(&self) -> Option<Hostname> {
        Hostname::parse(self.server.host()).ok()
    }

    /// The token that stands in the kubeconfig, so that it can be kept out of what is printed.
    pub(in crate::edge::kube) fn token(&self) -> Option<SecretString> {
        self.config.auth_info.token.clone()
    }

    /// Makes a client: without retries and redirects, and with a limit for the time that a connection may take.
    ///
    /// This runs the program of the user's own kubeconfig, if there is one and it was allowed, and waits for it.
    /// For a tenant no proxy is used, and every address that its server's name has is looked at before it is connected to:
    /// the error of a request has an [`AddressRefused`](super::AddressRefused) in its chain of causes when none is left.
    ///
    /// # Errors
    ///
    /// [`KubeconfigError::NoAuthorities`] on a machine without certificates of authorities, and what is wrong with
    /// credentials that come from files and programs.
    pub(in crate::edge::kube) fn client(mut self, connect_timeout: Duration) -> Result<kube::Client, KubeconfigError> {
        install_tls_provider();
        let agent = HeaderValue::from_static(concat!("bobbypin/", env!("CARGO_PKG_VERSION")));
        self.config.headers.push((USER_AGENT, agent));
        self.config.connect_timeout = Some(connect_timeout);
        if self.config.root_cert.is_none() && (self.server.is_plain_http() || self.config.accept_invalid_certs) {
            // No certificate is checked, so a machine without a list of authorities is good enough.
            self.config.root_cert = Some(Vec::new());
        }
        let made = match self.policy {
            None => ClientBuilder::try_from(self.config.clone()).map(ClientBuilder::build),
            Some(policy) => client_with_policy(&self.config, policy, connect_timeout),
        };
        let names = Names { cluster: &self.cluster_name, user: &self.user_name };
        made.map_err(|error| names.client(&self.server, &self.config, error))
    }
}

/// The same stack as kube's own, with a resolver that looks at the addresses, and without any proxy.
fn client_with_policy(
    config: &Config,
    policy: ServerPolicy,
    connect_timeout: Duration,
) -> Result<kube::Client, kube::Error> {
    let resolver = service_fn(move |name: Name| async move {
        let found = GaiResolver::new().call(name.clone()).await?;
        let good = policy.filter(name.as_str(), found, |address| address.ip())?;
        Ok::<_, BoxError>(good.into_iter())
    });
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.enforce_http(false);
    let https = config.rustls_https_connector_with_connector(connector)?;
    // From the name to the end of the handshake, as kube counts.
    let connector = service_fn(move |url: Uri| {
        // Without its name the type is one that the compiler can follow.
        let connecting: Pin<Box<dyn Future<Output = Result<_, BoxError>> + Send>> =
            Box::pin(https.clone().oneshot(url));
        Box::pin(async move {
            match timeout(connect_timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(BoxError::from(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))),
            }
        })
    });
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(HttpClient::builder(TokioExecutor::new()).build::<_, Body>(connector));
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

/// Whether a request to the server goes through the proxy of the environment. As for kubectl, one to this machine never
/// does.
fn is_for_proxy(server: &Server, url: &Uri, environment: &Matcher) -> bool {
    !server.is_loopback() && environment.intercept(url).is_some()
}

/// Tries the certificates and the key without those of the system, so that what is wrong with them is known early.
fn check_certificates(config: &Config) -> Result<(), kube::Error> {
    install_tls_provider();
    let mut config = config.clone();
    config.root_cert.get_or_insert_default();
    config.rustls_https_connector_with_connector(()).map(drop)
}

fn login(user: &AuthInfo) -> Login {
    match user {
        AuthInfo { exec: Some(_), .. } | AuthInfo { auth_provider: Some(_), .. } => Login::Program,
        AuthInfo { token: Some(_), .. } | AuthInfo { token_file: Some(_), .. } => Login::Token,
        AuthInfo { username: Some(_), password: Some(_), .. } => Login::Password,
        AuthInfo { client_key_data: Some(_), .. } | AuthInfo { client_key: Some(_), .. } => Login::ClientCertificate,
        _ => Login::None,
    }
}

/// The entries that an error of kube is about. kube's own texts are not passed on: they may hold values, and what a
/// program printed.
struct Names<'a> {
    cluster: &'a str,
    user: &'a str,
}

impl Names<'_> {
    fn authority(&self, problem: &'static str) -> KubeconfigError {
        let key = "certificate-authority-data";
        KubeconfigError::Value { what: "cluster", name: self.cluster.to_owned(), key, problem }
    }

    fn identity(&self, key: &'static str, problem: &'static str) -> KubeconfigError {
        KubeconfigError::Value { what: "user", name: self.user.to_owned(), key, problem }
    }

    fn data(&self, fault: Fault) -> KubeconfigError {
        let load = |what, name: &str, data, file, error| match error {
            LoadDataError::DecodeBase64(_) => {
                KubeconfigError::Value { what, name: name.to_owned(), key: data, problem: "is not Base64" }
            }
            LoadDataError::ReadFile(source, _) => {
                KubeconfigError::Reference { what, name: name.to_owned(), key: file, source }
            }
            LoadDataError::NoBase64DataOrFile => {
                KubeconfigError::Value { what, name: name.to_owned(), key: data, problem: "is missing" }
            }
        };
        match fault {
            Fault::LoadCertificateAuthority(error) => {
                load("cluster", self.cluster, "certificate-authority-data", "certificate-authority", error)
            }
            Fault::LoadClientCertificate(error) => {
                load("user", self.user, "client-certificate-data", "client-certificate", error)
            }
            Fault::LoadClientKey(error) => load("user", self.user, "client-key-data", "client-key", error),
            Fault::ParseCertificates(_) => self.authority("is not PEM"),
            Fault::ParseProxyUrl(_) | Fault::ParseNoProxy(_) => KubeconfigError::Proxy,
            _ => KubeconfigError::Server { cluster: self.cluster.to_owned(), problem: "is not a URL" },
        }
    }

    fn client(&self, server: &Server, config: &Config, error: kube::Error) -> KubeconfigError {
        let user = self.user.to_owned();
        match error {
            kube::Error::InferKubeconfig(fault) => self.data(fault),
            kube::Error::Auth(AuthError::AuthExecStart(source)) => KubeconfigError::ProgramStart { user, source },
            kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
                KubeconfigError::ProgramFailed { user, status: out.status }
            }
            kube::Error::Auth(AuthError::ReadTokenFile(source, _)) => {
                KubeconfigError::Reference { what: "user", name: user, key: "tokenFile", source }
            }
            kube::Error::Auth(_) => KubeconfigError::NoCredentials { user },
            kube::Error::RustlsTls(RustlsTlsError::AddRootCertificate(_)) if config.root_cert.is_none() => {
                KubeconfigError::NoAuthorities { server: server.to_string() }
            }
            kube::Error::RustlsTls(RustlsTlsError::AddRootCertificate(_)) => {
                self.authority("has a certificate that cannot be read")
            }
            kube::Error::RustlsTls(RustlsTlsError::MissingCertificate) => {
                self.identity("client-certificate-data", "has no certificate in it")
            }
            kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(_)) => KubeconfigError::Value {
                what: "cluster",
                name: self.cluster.to_owned(),
                key: "tls-server-name",
                problem: "is not a host name",
            },
            kube::Error::RustlsTls(RustlsTlsError::InvalidIdentityPem(_)) => {
                self.identity("client-key-data", "or `client-certificate-data` is not PEM")
            }
            kube::Error::RustlsTls(_) => {
                self.identity("client-key-data", "is not a key that fits `client-certificate-data`")
            }
            kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
                KubeconfigError::Proxy
            }
            kube::Error::HttpError(_) => self.identity("as", "and the keys beside it cannot be sent"),
            _ => KubeconfigError::Client { server: server.to_string() },
        }
    }
}
