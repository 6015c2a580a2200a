//! How a registry is let in by: nothing, a token, or name and password. A login is looked for only once it is asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Method};
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{
    sync::Mutex as AsyncMutex,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use crate::edge::{
    http::{Credentials, Deadline, HttpAnswer},
    registry::{
        challenge::Challenge,
        docker_config::{DockerConfig, Found, ask_helper},
        exchange::{Clients, Question},
        failure::Failure,
        memo::Memo,
        server::Server,
    },
};

/// The most bytes of a token with what is around it.
const MAX_TOKEN: u64 = 64 << 10;

/// How long a token lives of which nothing is said, as the distribution project has it.
const TOKEN_LIVES: u64 = 60;

/// The longest that is believed.
const TOKEN_LIVES_MOST: u64 = 3600;

/// Who asks, and what is known about being let in.
#[derive(Debug)]
pub(super) struct Access {
    /// Logins that were given, by registry.
    credentials: BTreeMap<String, Credentials>,
    config: DockerConfig,
    /// What programs said, by registry.
    helped: Memo<String, Result<Credentials, String>>,
    ways: Memo<String, Result<Way, Failure>>,
    tokens: Mutex<BTreeMap<(String, String), Arc<TokenCell>>>,
    /// What was sent to anybody, so that it can be hidden in what they say.
    told: Mutex<Vec<Credentials>>,
}

/// The last token of a repository, or why there is none. Who wants one waits for who is fetching it.
type TokenCell = AsyncMutex<Option<Result<Token, Failure>>>;

/// What a registry wants.
#[derive(Clone, Debug)]
enum Way {
    Open,
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

#[derive(Clone, Debug)]
struct Token {
    secret: SecretString,
    header: HeaderValue,
    until: Instant,
    /// Whether the registry ever let somebody in by it.
    is_good: Arc<AtomicBool>,
}

/// What is sent along with a question.
enum Grant {
    Nothing,
    Basic(HeaderValue),
    Token(Token),
}

impl Grant {
    fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Nothing => None,
            Self::Basic(header) => Some(header.clone()),
            Self::Token(token) => Some(token.header.clone()),
        }
    }
}

impl Access {
    pub(super) fn new(credentials: BTreeMap<String, Credentials>, config: DockerConfig) -> Self {
        let (helped, ways, tokens, told) = Default::default();
        Self { credentials, config, helped, ways, tokens, told }
    }

    /// What a server says, without what any server was told.
    pub(super) fn hide(&self, text: &str) -> String {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().fold(text.to_owned(), |text, told| told.hide(&text))
    }

    fn will_tell(&self, credentials: Credentials) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).push(credentials);
    }

    /// Asks something of a repository, with what it takes to be let in.
    pub(super) async fn ask(
        &self,
        clients: &Clients,
        server: &Server,
        path: &str,
        mut question: Question,
        deadline: Deadline,
    ) -> Result<HttpAnswer, Failure> {
        let find = in_most_of(deadline, find_way(clients, server, deadline));
        let way = self.ways.get(server.name.clone(), find).await?;
        let grant = self.grant(clients, server, path, &way, None, deadline).await?;
        question.authorization = grant.header();
        let answer = clients.ask(server, &question, deadline).await?;
        let is_let_in = answer.status != 401;
        let again = match grant {
            Grant::Token(token) if is_let_in => {
                token.is_good.store(true, Ordering::Relaxed);
                return Ok(answer);
            }
            _ if is_let_in => return Ok(answer),
            // It was good, and has ended.
            Grant::Token(token) if token.is_good.load(Ordering::Relaxed) => {
                self.grant(clients, server, path, &way, Some(&token), deadline).await?
            }
            // Everybody may look at the registry, and not at this.
            Grant::Nothing => match way_of(server, &answer)? {
                Way::Open => return Err(self.unauthorized(server, path).await),
                way => self.grant(clients, server, path, &way, None, deadline).await?,
            },
            Grant::Basic(_) | Grant::Token(_) => return Err(self.unauthorized(server, path).await),
        };
        if let Grant::Nothing = again {
            return Err(self.unauthorized(server, path).await);
        }
        question.authorization = again.header();
        let answer = clients.ask(server, &question, deadline).await?;
        match answer.status {
            401 => Err(self.unauthorized(server, path).await),
            _ => Ok(answer),
        }
    }

    async fn grant(
        &self,
        clients: &Clients,
        server: &Server,
        path: &str,
        way: &Way,
        ended: Option<&Token>,
        deadline: Deadline,
    ) -> Result<Grant, Failure> {
        let (realm, service) = match way {
            Way::Open => return Ok(Grant::Nothing),
            Way::Basic => {
                return match self.login(server, path).await {
                    Ok(login) => {
                        let header = basic(&login)?;
                        self.will_tell(login);
                        Ok(Grant::Basic(header))
                    }
                    // It may be open to everybody all the same.
                    Err(_) => Ok(Grant::Nothing),
                };
            }
            Way::Bearer { realm, service } => (realm, service.as_deref()),
        };
        let cell = {
            let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.entry((server.name.clone(), path.to_owned())).or_default().clone()
        };
        let mut cell = cell.lock().await;
        match cell.as_ref() {
            Some(Err(failure)) => return Err(failure.clone()),
            Some(Ok(token)) => {
                let has_ended = ended.is_some_and(|ended| ended.header == token.header);
                if !has_ended && Instant::now() < token.until {
                    return Ok(Grant::Token(token.clone()));
                }
            }
            None => (),
        }
        let login = self.login(server, path).await;
        if let Ok(login) = &login {
            self.will_tell(login.clone());
        }
        let fetch = fetch_token(clients, server, path, realm, service, login, deadline);
        let fetched = in_most_of(deadline, fetch).await;
        if let Ok(token) = &fetched {
            self.will_tell(Credentials::Token(token.secret.clone()));
        }
        *cell = Some(fetched.clone());
        fetched.map(Grant::Token)
    }

    /// The login for a repository, or a word about why there could be one.
    async fn login(&self, server: &Server, path: &str) -> Result<Credentials, Option<String>> {
        if let Some(login) = self.credentials.get(&server.name) {
            return Ok(login.clone());
        }
        let helper = match self.config.find(&server.name, path) {
            Found::Login(login) => return Ok(login),
            Found::None(note) => return Err(note),
            Found::Helper(helper) => helper,
        };
        if !server.may_run_helpers() {
            return Err(Some(format!(
                "the docker configuration leaves its login to the program `docker-credential-{}`, which is only run when that is allowed for the registry (credentialHelpers)",
                helper.escape_debug()
            )));
        }
        let registry = server.name.clone();
        let ask = async {
            let asked = spawn_blocking(move || ask_helper(&helper, &registry)).await;
            asked.unwrap_or_else(|_| Err("looking for a login failed".to_owned()))
        };
        self.helped.get(server.name.clone(), ask).await.map_err(Some)
    }

    async fn unauthorized(&self, server: &Server, path: &str) -> Failure {
        match self.login(server, path).await {
            Ok(_) => unauthorized(server, Some("the login that is there for it is not enough, or wrong".to_owned())),
            Err(note) => unauthorized(server, note),
        }
    }
}

fn unauthorized(server: &Server, note: Option<String>) -> Failure {
    let note = note.map_or_else(String::new, |note| format!(" ({note})"));
    Failure::Unauthorized { registry: server.name.clone(), note }
}

fn basic(login: &Credentials) -> Result<HeaderValue, Failure> {
    let wrong = || Failure::Credentials("the user name or the password has characters that cannot be sent".to_owned());
    login.header().ok_or_else(wrong)
}

/// Asks the registry itself how it lets in, so that every further question is asked once.
async fn find_way(clients: &Clients, server: &Server, deadline: Deadline) -> Result<Way, Failure> {
    let question = Question {
        method: Method::GET,
        url: server.url(""),
        accept: "application/json".to_owned(),
        authorization: None,
        most: MAX_TOKEN,
    };
    match clients.ask(server, &question, deadline).await {
        Ok(answer) if answer.status == 401 => way_of(server, &answer),
        // What it says here is of no importance: the questions themselves will show.
        Ok(_) | Err(Failure::ServerError { .. } | Failure::TooLarge { .. }) => Ok(Way::Open),
        Err(failure) => Err(failure),
    }
}

fn way_of(server: &Server, answer: &HttpAnswer) -> Result<Way, Failure> {
    match Challenge::of(&answer.headers) {
        Some(Challenge::Basic) => Ok(Way::Basic),
        Some(Challenge::Bearer { realm, service }) => Ok(Way::Bearer { realm: server.token_url(&realm)?, service }),
        None => Ok(Way::Open),
    }
}

/// What many wait for ends before the first of them goes away, so that the others learn how it ended.
async fn in_most_of<T>(deadline: Deadline, ask: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let asked = timeout(deadline.left().mul_f64(0.9), ask).await;
    asked.unwrap_or(Err(Failure::Timeout { after: deadline.given() }))
}

async fn fetch_token(
    clients: &Clients,
    server: &Server,
    path: &str,
    realm: &Url,
    service: Option<&str>,
    login: Result<Credentials, Option<String>>,
    deadline: Deadline,
) -> Result<Token, Failure> {
    let mut url = realm.clone();
    if let Some(service) = service {
        url.query_pairs_mut().append_pair("service", service);
    }
    // Our own scope: some registries ask for more than is needed.
    url.query_pairs_mut().append_pair("scope", &format!("repository:{path}:pull"));
    let authorization = match &login {
        Ok(login) => Some(basic(login)?),
        Err(_) => None,
    };
    let accept = "application/json".to_owned();
    let question = Question { method: Method::GET, url, accept, authorization, most: MAX_TOKEN };
    let answer = clients.ask(server, &question, deadline).await?;
    match (answer.status, login) {
        (200, _) => read_token(&answer.body),
        (300..=399, _) => Err(Failure::redirected(&answer)),
        (401 | 403, Ok(_)) => {
            Err(unauthorized(server, Some("the login that is there for it is not enough, or wrong".to_owned())))
        }
        (400..=499, Err(note)) => Err(unauthorized(server, note)),
        (status, _) => Err(Failure::Status { status }),
    }
}

#[derive(Deserialize)]
struct RawToken {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<f64>,
}

fn read_token(body: &[u8]) -> Result<Token, Failure> {
    let wrong = |what: &str| Failure::Malformed(format!("what the registry hands out as a token {what}"));
    let raw: RawToken = serde_json::from_slice(body).map_err(|_| wrong("is none"))?;
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let token = filled(raw.token).or_else(|| filled(raw.access_token)).ok_or_else(|| wrong("has none in it"))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("has characters that no token has"));
    }
    let mut header =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong("has characters that no token has"))?;
    header.set_sensitive(true);
    let lives = match raw.expires_in {
        // The cast ends at the largest and at zero.
        Some(seconds) if seconds >= 1.0 => (seconds as u64).min(TOKEN_LIVES_MOST),
        _ => TOKEN_LIVES,
    };
    // Before the last tenth is over, so that it does not end on its way.
    let until = Instant::now() + Duration::from_secs(lives).mul_f64(0.9);
    Ok(Token { secret: token.into(), header, until, is_good: Arc::default() })
}
