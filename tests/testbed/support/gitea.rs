//! A Git server with users, an API, protected branches, workflows and webhooks.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{
    certificates::Authority,
    checkout::Checkout,
    component, http,
    process::{Process, folder, free_port},
};

/// What is special about a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// What stands before every path, such as `/git`; nothing for a server at the root.
    pub(crate) path: String,
    /// Whether it speaks TLS, by a certificate that only [`Gitea::authority`] vouches for.
    pub(crate) tls: bool,
    /// Further lines of `app.ini`, which win: `[repository]\nDISABLE_HTTP_GIT = true\n`.
    pub(crate) settings: String,
}

/// A running Gitea.
pub(crate) struct Gitea {
    url: String,
    authority: Option<PathBuf>,
    client: Client,
    /// The token of the administrator, who may do everything.
    admin: String,
    process: Process,
}

/// Somebody who has an account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// A repository on a server.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) owner: String,
    pub(crate) name: String,
    /// Where Git finds it: without credentials.
    pub(crate) url: String,
}

impl Gitea {
    /// The one that tests share. Keep to users and repositories of your own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Gitea> = LazyLock::new(|| Gitea::start(&Options::default()));
        &SHARED
    }

    /// One more.
    ///
    /// # Panics
    ///
    /// When it does not serve: with the end of what it printed.
    pub(crate) fn start(options: &Options) -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start(options) {
                return started;
            }
        }
        panic!("Gitea found every port taken, five times")
    }

    fn try_start(options: &Options) -> Option<Self> {
        let (port, folder) = (free_port(), folder());
        let scheme = if options.tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}{}", options.path);
        let authority = options.tls.then(|| certify(&folder));
        let settings = settings(scheme, port, &url, &folder, &options.settings);
        fs::write(folder.join("app.ini"), settings).expect("a folder of ours");

        let client = http::client(authority.as_ref().map(Authority::pem).as_deref());
        let (arguments, environment) = (arguments(&folder, &["web"]), environment(&folder));
        let mut process = Process::start_with(&component("gitea"), &arguments, &environment, &folder);
        let health = format!("{url}/api/healthz");
        let is_ready = process.becomes_ready(Duration::from_secs(60), || {
            http::send(&client, "GET", &health, &[], String::new()).is_ok_and(|(status, _)| status == 200)
        });
        if !is_ready {
            assert!(process.printed().contains("address already in use"), "Gitea ended:\n{}", process.printed());
            fs::remove_dir_all(&folder).expect("a folder of ours");
            return None;
        }
        let admin = create_administrator(&folder);
        let authority = authority.map(|_| folder.join("ca.crt"));
        let mut started = Self { url, authority, client, admin: String::new(), process };
        started.admin = started.token(&admin, &["all"]);
        Some(started)
    }

    /// Where it is, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The file with the certificate (PEM) of the authority behind its own, if it speaks TLS.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// The end of what it printed.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    /// A token that may do everything.
    pub(crate) fn admin_token(&self) -> &str {
        &self.admin
    }

    /// Creates a user, who may do nothing beyond what is its own. No other may have the name.
    pub(crate) fn user(&self, name: &str) -> User {
        let user = User::new(name);
        let (name, password, email) = (&user.name, &user.password, user.email());
        let account = json!({"username": name, "password": password, "email": email, "must_change_password": false});
        self.made("/admin/users", account);
        user
    }

    /// Creates a token of a user with these scopes, such as `write:repository`.
    pub(crate) fn token(&self, user: &User, scopes: &[&str]) -> String {
        let path = format!("/users/{}/tokens", user.name);
        let credentials = STANDARD.encode(format!("{}:{}", user.name, user.password));
        // Of the tokens of one user, no two may have the same name.
        static TOKENS: AtomicUsize = AtomicUsize::new(0);
        let name = format!("token-{}", TOKENS.fetch_add(1, Ordering::Relaxed));
        let body = json!({"name": name, "scopes": scopes});
        let (status, answer) = self.send("POST", &path, Some(&format!("Basic {credentials}")), Some(body));
        assert_eq!(status, 201, "{answer}");
        answer["sha1"].as_str().expect("a token").to_owned()
    }

    /// What the API answers at a path below `/api/v1` to whom a token belongs, or to anybody: the status, and JSON, or a
    /// text that is none.
    pub(crate) fn api(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
        self.send(method, path, token.map(|token| format!("token {token}")).as_deref(), body)
    }

    fn send(&self, method: &str, path: &str, authorization: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.map(|authorization| ("authorization", authorization)));
        let body = body.map_or_else(String::new, |body| body.to_string());
        let answer = http::send(&self.client, method, &format!("{}/api/v1{path}", self.url), &headers, body);
        let (status, text) = answer.unwrap_or_else(|error| panic!("{error:?}; it printed:\n{}", self.printed()));
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// What the administrator reads.
    fn read(&self, path: &str) -> Value {
        let (status, answer) = self.api("GET", path, Some(&self.admin), None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// What the administrator makes.
    fn made(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.api("POST", path, Some(&self.admin), Some(body));
        assert!(matches!(status, 200 | 201), "{path}: {status} {answer}");
        answer
    }

    /// Creates a repository that anybody may read, with a README on its branch `main`.
    pub(crate) fn repository(&self, owner: &User, name: &str) -> Repo {
        let body = json!({"name": name, "auto_init": true, "default_branch": "main"});
        self.made(&format!("/admin/users/{}/repos", owner.name), body);
        let url = format!("{}/{}/{name}.git", self.url, owner.name);
        Repo { owner: owner.name.clone(), name: name.to_owned(), url }
    }

    /// Protects branches by a rule as the API takes it: `{"rule_name": "main", "enable_push": false}`.
    pub(crate) fn protect(&self, repo: &Repo, rule: Value) {
        self.made(&format!("{}/branch_protections", repo.path()), rule);
    }

    /// Creates a webhook that tells an address of every push, signed with the secret.
    pub(crate) fn webhook(&self, repo: &Repo, address: &str, secret: &str) {
        let config = json!({"url": address, "content_type": "json", "secret": secret});
        let hook = json!({"type": "gitea", "active": true, "events": ["push"], "config": config});
        self.made(&format!("{}/hooks", repo.path()), hook);
    }

    /// The commit at the tip of a branch.
    pub(crate) fn branch_head(&self, repo: &Repo, branch: &str) -> String {
        let answer = self.read(&format!("{}/branches/{branch}", repo.path()));
        answer["commit"]["id"].as_str().expect("a commit").to_owned()
    }

    /// A file as it is at a branch, tag or commit, if it is there.
    pub(crate) fn file(&self, repo: &Repo, path: &str, at: &str) -> Option<String> {
        // The other way to a file, `/raw`, takes the default branch for whatever it does not know.
        let path = format!("{}/contents/{path}?ref={at}", repo.path());
        let (status, answer) = self.api("GET", &path, Some(&self.admin), None);
        assert!(matches!(status, 200 | 404), "{path}: {status} {answer}");
        let content = STANDARD.decode(answer["content"].as_str()?).expect("base64");
        Some(String::from_utf8(content).expect("a text"))
    }

    /// What was last said about a commit: `pending`, `success`, `failure` or `error`, by who said it.
    pub(crate) fn statuses(&self, repo: &Repo, commit: &str) -> BTreeMap<String, String> {
        let answer = self.read(&format!("{}/commits/{commit}/status", repo.path()));
        // It is null when nobody said anything.
        let statuses = answer["statuses"].as_array().cloned().unwrap_or_default();
        let text = |status: &Value, name: &str| status[name].as_str().expect("a text").to_owned();
        statuses.iter().map(|status| (text(status, "context"), text(status, "status"))).collect()
    }

    /// Clones a repository as a user.
    ///
    /// # Panics
    ///
    /// When the server refuses: see [`Checkout::clone`] for what may be refused.
    pub(crate) fn git(&self, repo: &Repo, user: &User) -> Checkout {
        let (scheme, rest) = repo.url.split_once("://").expect("a URL");
        let url = format!("{scheme}://{}:{}@{rest}", user.name, user.password);
        Checkout::clone(&url, self.authority()).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// What a runner of a repository registers with.
    pub(crate) fn runner_token(&self, repo: &Repo) -> String {
        let answer = self.made(&format!("{}/actions/runners/registration-token", repo.path()), Value::Null);
        answer["token"].as_str().expect("a token").to_owned()
    }
}

impl Repo {
    /// Where the API has it.
    pub(crate) fn path(&self) -> String {
        format!("/repos/{}/{}", self.owner, self.name)
    }
}

impl User {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), password: format!("password-of-{name}") }
    }

    fn email(&self) -> String {
        format!("{}@example.org", self.name)
    }
}

/// Puts the certificate of a server there, beside that of the authority behind it.
fn certify(folder: &Path) -> Authority {
    let authority = Authority::new();
    let signed = authority.server();
    for (name, text) in [("ca.crt", authority.pem()), ("server.crt", signed.certificate), ("server.key", signed.key)] {
        fs::write(folder.join(name), text).expect("a folder of ours");
    }
    authority
}

/// The first account, which can make all others through the API.
fn create_administrator(folder: &Path) -> User {
    let admin = User::new("administrator");
    let created = Command::new(component("gitea"))
        .args(arguments(folder, &["admin", "user", "create", "--admin", "--must-change-password=false"]))
        .args(["--username", &admin.name, "--password", &admin.password, "--email", &admin.email()])
        .env_clear()
        .envs(environment(folder))
        .output()
        .expect("a program of ours");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    admin
}

fn arguments(folder: &Path, command: &[&str]) -> Vec<String> {
    let mut arguments =
        vec![format!("--work-path={}", folder.display()), format!("--config={}", folder.join("app.ini").display())];
    arguments.extend(command.iter().map(ToString::to_string));
    arguments
}

/// Nothing of the machine's own Git settings, and no proxy.
fn environment(folder: &Path) -> [(&'static str, String); 3] {
    [
        ("PATH", env::var("PATH").expect("a PATH, which Git is on")),
        ("HOME", folder.display().to_string()),
        // Else it refuses to run as root, which tests in a container do. Others it does not mind.
        ("GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT", "true".to_owned()),
    ]
}

/// What is here beside places and the secrets that it would make up saves time at the start, or keeps it from looking
/// outside.
fn settings(scheme: &str, port: u16, url: &str, folder: &Path, further: &str) -> String {
    format!(
        "RUN_MODE = prod
[server]
PROTOCOL = {scheme}
CERT_FILE = {folder}/server.crt
KEY_FILE = {folder}/server.key
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = {url}/
LOCAL_ROOT_URL = {url}/
USE_SUB_URL_PATH = true
STATIC_ROOT_PATH = {static_files}
DISABLE_SSH = true
LFS_START_SERVER = false
OFFLINE_MODE = true
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[security]
INSTALL_LOCK = true
INTERNAL_TOKEN = internal
SECRET_KEY = secret
PASSWORD_HASH_ALGO = pbkdf2$1$50
[oauth2]
JWT_SECRET = {jwt}
[service]
DISABLE_REGISTRATION = true
[actions]
ENABLED = true
DEFAULT_ACTIONS_URL = self
[webhook]
ALLOWED_HOST_LIST = loopback
[cron]
ENABLED = false
[queue]
TYPE = channel
[indexer]
ISSUE_INDEXER_TYPE = db
[log]
LEVEL = warn
{further}",
        folder = folder.display(),
        static_files = component("gitea-static").display(),
        jwt = "A".repeat(43),
    )
}
