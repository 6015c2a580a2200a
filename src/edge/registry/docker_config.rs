//! Names and passwords for registries, as `docker login` and `podman login` leave them.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde::Deserialize;

use crate::edge::{http::Credentials, program};

/// How long a helper may take.
const HELPER: Duration = Duration::from_secs(20);

/// Why a login is of no use.
const UNSUPPORTED: &str = "the docker configuration has an identity token for it, which is not supported: log in with a user name and a password";

/// The registry that has another name in these files.
const DEFAULT_REGISTRY: &str = "docker.io";

/// That name.
const DEFAULT_REGISTRY_KEY: &str = "https://index.docker.io/v1/";

/// The name under which a helper has a token that only becomes a login by a flow of its own.
const IDENTITY_TOKEN: &str = "<token>";

/// What one of these files says.
#[derive(Clone, Debug, Default)]
pub(super) struct DockerConfig {
    /// By registry, or by registry and the beginning of a path.
    logins: BTreeMap<String, Login>,
    /// Programs that have the login, by registry.
    helpers: BTreeMap<String, String>,
    /// The program that has all others.
    store: Option<String>,
}

#[derive(Clone, Debug)]
enum Login {
    Password(Credentials),
    /// A token that only becomes a login by a flow of its own.
    IdentityToken,
}

/// What is known of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    Login(T),
    /// There is none. The text, when there is one, says why there could be one.
    None(Option<String>),
    /// A program has it: see [`ask_helper`].
    Helper(String),
}

impl DockerConfig {
    /// Reads the file's text. An error says where it is wrong and nothing of what stands there.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let raw: RawConfig = serde_json::from_slice(text).map_err(|error| {
            format!(
                "it is not of the form of a docker configuration, at line {} column {}",
                error.line(),
                error.column()
            )
        })?;
        let mut logins = BTreeMap::new();
        for (key, login) in raw.auths.unwrap_or_default() {
            let login = login.read().map_err(|problem| format!("the login for `{}` {problem}", key.escape_debug()))?;
            if let Some(login) = login {
                logins.insert(plain_key(&key), login);
            }
        }
        let helpers = raw.cred_helpers.unwrap_or_default();
        let helpers = helpers.into_iter().map(|(key, name)| (plain_key(&key), name)).collect();
        Ok(Self { logins, helpers, store: raw.creds_store.filter(|name| !name.is_empty()) })
    }

    /// The login for a repository. The longest key that is the beginning of its name counts.
    pub(super) fn find(&self, registry: &str, path: &str) -> Found<Credentials> {
        if let Some(helper) = self.helpers.get(registry) {
            return Found::Helper(helper.clone());
        }
        let name = format!("{registry}/{path}");
        let mut key = name.as_str();
        loop {
            match self.logins.get(key) {
                Some(Login::Password(credentials)) => return Found::Login(credentials.clone()),
                Some(Login::IdentityToken) => return Found::None(Some(UNSUPPORTED.to_owned())),
                None => (),
            }
            match key.rfind('/') {
                Some(at) => key = &key[..at],
                None => break,
            }
        }
        self.store.clone().map_or(Found::None(None), Found::Helper)
    }
}

/// Asks the program that has the login of a registry. Blocks while it runs. A text says why there is none.
pub(super) fn ask_helper(name: &str, registry: &str) -> Result<Credentials, String> {
    let program = format!("docker-credential-{name}");
    let shown = program.escape_debug();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.chars().all(is_plain) {
        return Err(format!("`{shown}`, which the docker configuration names for it, is no name of a program"));
    }
    let key = if registry == DEFAULT_REGISTRY { DEFAULT_REGISTRY_KEY } else { registry };
    let output =
        program::run(&program, &["get".as_ref()], key.as_bytes(), HELPER).map_err(|error| error.to_string())?;
    if !output.status.success() {
        // That is how it says that it has none. What else it says may be anything.
        return Err(format!("the program `{shown}` has no login for it"));
    }
    login_of(&output.stdout).map_err(|problem| format!("the program `{shown}` {problem}"))
}

/// What a helper says.
fn login_of(stdout: &[u8]) -> Result<Credentials, &'static str> {
    match serde_json::from_slice::<RawHelper>(stdout) {
        Ok(raw) if raw.username == IDENTITY_TOKEN => Err("has an identity token for it, which is not supported"),
        Ok(RawHelper { username, secret }) => Ok(Credentials::Basic { username, password: secret.into() }),
        Err(_) => Err("says something that is no login"),
    }
}

/// A key as it is looked for: without scheme, version of the API and final `/`, and with one name for the default
/// registry.
fn plain_key(key: &str) -> String {
    let (has_scheme, rest) = match key.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, key),
    };
    let rest = rest.trim_end_matches('/');
    let rest = ["/v1", "/v2"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = match host.to_ascii_lowercase().as_str() {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY.to_owned(),
        _ => host.to_ascii_lowercase(),
    };
    if has_scheme || path.is_empty() { host } else { format!("{host}/{path}") }
}

#[derive(Deserialize)]
struct RawConfig {
    auths: Option<BTreeMap<String, RawLogin>>,
    #[serde(rename = "credHelpers")]
    cred_helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore")]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct RawLogin {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
struct RawHelper {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

impl RawLogin {
    fn read(self) -> Result<Option<Login>, &'static str> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let basic = |username: String, password: String| {
            Some(Login::Password(Credentials::Basic { username, password: SecretString::from(password) }))
        };
        if filled(self.identitytoken).is_some() {
            return Ok(Some(Login::IdentityToken));
        }
        if let Some(auth) = filled(self.auth) {
            let wrong = "has an `auth` that is not the base64 of a name, a colon and a password";
            let bytes = STANDARD.decode(auth.trim()).map_err(|_| wrong)?;
            // Old ones end with zeros.
            let text = String::from_utf8(bytes).map_err(|_| wrong)?;
            let (username, password) = text.trim_end_matches('\0').split_once(':').ok_or(wrong)?;
            return Ok(basic(username.to_owned(), password.to_owned()));
        }
        match (filled(self.username), filled(self.password)) {
            (Some(username), Some(password)) => Ok(basic(username, password)),
            // An entry without anything says that a program has it.
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
