//! One exchange, or a list of pages, as often as it takes, until it is answered or time is up.

use std::{collections::BTreeSet, fmt, marker::PhantomData, sync::Arc, thread, time::Duration};

use http::{Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, SeqAccess, Visitor},
};
use serde_json::Value;

use crate::edge::{
    gitea::{Gitea, GiteaError, GiteaProblem, Written},
    http::{Deadline, HttpAnswer, HttpError, HttpProblem, HttpRequest},
    kube::failure::shorten,
};

/// How often something is tried.
const TRIES: usize = 5;

/// How long the first pause is; every next one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// How often a change is tried again that somebody interfered with.
const CHANGES: usize = 3;

/// How many items are asked for at once. Servers give fewer when they are set up so.
const PAGE: usize = 50;

/// How many pages a list may have.
const MOST_PAGES: usize = 1_000;

/// How many items a page may have, whatever was asked for, and how many a list.
const MOST_ON_A_PAGE: usize = 10_000;
const MOST_ITEMS: usize = 100_000;

/// Something that is being done: one or several requests with one deadline and one name for messages.
pub(super) struct Call<'g> {
    gitea: &'g Gitea<'g>,
    attempt: String,
    deadline: Deadline,
    /// What besides the credentials must not be in any text.
    secret: Option<&'g SecretString>,
}

impl<'a> Gitea<'a> {
    /// Begins something: ``read the branch `main` ``.
    pub(super) fn call(&self, attempt: impl Into<String>) -> Call<'_> {
        Call { gitea: self, attempt: attempt.into(), deadline: Deadline::after(self.time), secret: None }
    }
}

impl<'g> Call<'g> {
    /// The same, that keeps one secret more out of every text.
    pub(super) fn hiding(self, secret: &'g SecretString) -> Self {
        Self { secret: Some(secret), ..self }
    }

    /// The same, with a part of the time that is left.
    pub(super) fn with_time(&self, time: Duration) -> Self {
        let deadline = Deadline::after(time);
        Self { gitea: self.gitea, attempt: self.attempt.clone(), deadline, secret: self.secret }
    }

    /// What is left of its time.
    pub(super) fn left(&self) -> Duration {
        self.deadline.left()
    }

    /// The path of something of the repository.
    pub(super) fn path(&self, rest: &str) -> String {
        let address = self.gitea.address;
        format!("/repos/{}/{}{rest}", address.owner(), address.name())
    }

    /// The error for a problem.
    pub(super) fn failed(&self, problem: GiteaProblem) -> GiteaError {
        GiteaError { attempt: self.attempt.clone(), repository: self.gitea.address.to_string(), problem }
    }

    /// The error for an answer that makes no sense.
    pub(super) fn unreadable(&self, why: &str) -> GiteaError {
        self.failed(GiteaProblem::Unreadable { why: self.clean(why) })
    }

    /// Waits, unless the time is up before.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let is_in_time = time < self.deadline.left();
        if is_in_time {
            thread::sleep(time);
        }
        is_in_time
    }

    /// Reads something.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GiteaError> {
        self.read(&self.send(Method::GET, path, None)?)
    }

    /// Sends something and reads what comes of it.
    pub(super) fn put<T: DeserializeOwned>(&self, method: Method, path: &str, body: &Value) -> Result<T, GiteaError> {
        self.read(&self.send(method, path, Some(body))?)
    }

    /// Reads the body of an answer.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &HttpAnswer) -> Result<T, GiteaError> {
        serde_json::from_slice(&answer.body).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// Sends a request to a path of the API, which is encoded already, until there is an answer that is no refusal.
    pub(super) fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<HttpAnswer, GiteaError> {
        let url = format!("{}/api/v1{path}", self.gitea.address.server());
        let mut request = HttpRequest::get(url, Some(self.gitea.credentials)).with(header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.with(header::CONTENT_TYPE, "application/json");
            request.body = Some(Arc::from(body.to_string().into_bytes()));
        }
        request.method = method;
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let problem = match self.gitea.http.send(&request, self.deadline) {
                Ok(answer) => match self.problem(&answer) {
                    None => return Ok(answer),
                    Some(problem) => problem,
                },
                Err(error) => self.unanswered(error),
            };
            let wanted = match &problem {
                GiteaProblem::Refused { wait: Some(wait), .. } => pause.max(*wait),
                _ => pause,
            };
            if tries == TRIES || !is_worth_another_try(&request.method, &problem) || !self.pause(wanted) {
                return Err(self.failed(problem));
            }
            pause *= 2;
            tries += 1;
        }
    }

    /// Makes something how it is wanted: `change` reads how it is now, and writes what is different. It is done anew when
    /// somebody else wrote between the two, which servers answer with 409, or with 500 where they did not think of it (Gitea
    /// 1.26, when a pull request is closed twice at the same moment).
    pub(super) fn until_it_holds(
        &self,
        change: impl Fn() -> Result<Written, GiteaError>,
    ) -> Result<Written, GiteaError> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..CHANGES {
            match change() {
                Err(error) if matches!(error.status(), Some(409 | 500)) && self.pause(pause) => pause *= 2,
                other => return other,
            }
        }
        change()
    }

    /// Reads a list of any number of pages, and hands over every item once. `id` tells items apart.
    pub(super) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        id: impl Fn(&T) -> u64,
        mut take: impl FnMut(T),
    ) -> Result<(), GiteaError> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut seen = BTreeSet::new();
        let mut longest = 0;
        for page in 1..=MOST_PAGES {
            let answer = self.send(Method::GET, &format!("{path}{separator}page={page}&limit={PAGE}"), None)?;
            // An empty list of a program in Go is `null`.
            let items: Option<AtMost<T>> = self.read(&answer)?;
            let items = items.map_or_else(Vec::new, |items| items.0);
            let (length, before) = (items.len(), seen.len());
            for item in items {
                if seen.insert(id(&item)) {
                    take(item);
                }
            }
            // Some lists come whole, whatever page is asked for.
            let is_new = seen.len() > before;
            if !is_new || !goes_on(&answer, seen.len(), length, longest) {
                return Ok(());
            }
            if seen.len() > MOST_ITEMS {
                return Err(self.failed(GiteaProblem::Endless { pages: page }));
            }
            longest = longest.max(length);
        }
        Err(self.failed(GiteaProblem::Endless { pages: MOST_PAGES }))
    }

    /// A foreign text, without secrets, short and safe to print.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = self.gitea.credentials.hide(text);
        if let Some(secret) = self.secret.map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "***");
        }
        shorten(&text)
    }

    /// What is wrong with an answer, going by its status and the kind of its body.
    fn problem(&self, answer: &HttpAnswer) -> Option<GiteaProblem> {
        let status = answer.status;
        let title = page_title(answer).map(|title| self.clean(&title));
        match (status, title) {
            (200..=299, None) => None,
            (200..=299, Some(title)) => Some(GiteaProblem::Page { status, title }),
            (_, Some(title)) => Some(GiteaProblem::Refused { status, message: title, wait: answer.retry_after() }),
            (_, None) => {
                let words = words(&answer.body);
                let scopes = if status == 403 { missing_scopes(&words) } else { Vec::new() };
                let scopes: Vec<_> = scopes.iter().map(|scope| self.clean(scope)).collect();
                let message = self.clean(&words);
                Some(match scopes.is_empty() {
                    false => GiteaProblem::MissingScope { scopes, message },
                    true => GiteaProblem::Refused { status, message, wait: answer.retry_after() },
                })
            }
        }
    }

    /// The problem of an exchange without an answer. A redirect is one, because nothing follows it.
    fn unanswered(&self, error: HttpError) -> GiteaProblem {
        let HttpProblem::Redirected { status, to } = &error.problem else { return GiteaProblem::Unanswered(error) };
        let status = *status;
        let moved = to.split_once("/api/v1/repos/").and_then(|(server, rest)| {
            let mut parts = rest.split('/');
            let (owner, name) = (parts.next()?, parts.next()?);
            // A path alone has the path that the server is installed below.
            let own = self.gitea.address.server();
            let origin =
                own.find("://").map_or(own, |at| own[at + 3..].find('/').map_or(own, |slash| &own[..at + 3 + slash]));
            let server = if server.contains("://") { server.to_owned() } else { format!("{origin}{server}") };
            Some(self.clean(&format!("{server}/{owner}/{name}")))
        });
        match moved {
            Some(to) => GiteaProblem::Moved { status, to },
            None => GiteaProblem::Redirected { status, to: self.clean(to) },
        }
    }
}

/// Whether the same request may be sent again, and that may help.
fn is_worth_another_try(method: &Method, problem: &GiteaProblem) -> bool {
    // Every change to something that exists says how it is to be in the end.
    let is_repeatable = *method != Method::POST;
    match problem {
        GiteaProblem::Unanswered(error) => {
            error.problem.is_passing() && (is_repeatable || !error.problem.may_have_acted())
        }
        // A server that counts requests did nothing else with this one.
        GiteaProblem::Refused { status: 429, .. } => true,
        GiteaProblem::Refused { status: 502..=504, .. } => is_repeatable,
        _ => false,
    }
}

/// Whether a list has more than what was read of it.
fn goes_on(answer: &HttpAnswer, seen: usize, length: usize, longest: usize) -> bool {
    if let Some(link) = answer.header(header::LINK) {
        return link.contains("rel=\"next\"");
    }
    let total = answer.header(header::HeaderName::from_static("x-total-count"));
    match total.and_then(|total| total.trim().parse::<usize>().ok()) {
        Some(total) => seen < total,
        // Without any sign the end is a page that is shorter than another one.
        None => length >= longest,
    }
}

/// The title of an answer that is a page for people. Empty when it has none.
fn page_title(answer: &HttpAnswer) -> Option<String> {
    let kind = answer.header(header::CONTENT_TYPE).unwrap_or_default();
    let start = &answer.body[..answer.body.len().min(64 << 10)];
    let is_page =
        kind.trim_start().to_ascii_lowercase().starts_with("text/html") || start.trim_ascii_start().starts_with(b"<");
    is_page.then(|| {
        let text = String::from_utf8_lossy(start);
        // Of the same length as the text, so that places are the same.
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title").and_then(|at| {
            let from = at + lower[at..].find('>')? + 1;
            let to = from + lower[from..].find('<')?;
            Some(text[from..to].trim().to_owned())
        });
        title.unwrap_or_default()
    })
}

/// What a refusal says.
fn words(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(1_000)]).into_owned(),
    }
}

/// The scopes that a server names as `required=[write:issue]`.
fn missing_scopes(message: &str) -> Vec<String> {
    let list = message.split_once("required=[").and_then(|(_, rest)| rest.split_once(']'));
    let scopes = list.map_or("", |(list, _)| list).split([' ', ',']).filter(|scope| !scope.is_empty());
    scopes.take(10).map(str::to_owned).collect()
}

/// A part of a path, or a value of a query.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The name of a branch in a path, where its slashes stay.
pub(super) fn encode_branch(name: &str) -> String {
    name.split('/').map(encode).collect::<Vec<_>>().join("/")
}

/// A list of a length that somebody can mean. Longer ones do not get into memory.
#[derive(Debug)]
pub(super) struct AtMost<T>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AtMost<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Items<T> {
            type Value = AtMost<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MOST_ON_A_PAGE}")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    if items.len() == MOST_ON_A_PAGE {
                        return Err(serde::de::Error::invalid_length(items.len() + 1, &self));
                    }
                    items.push(item);
                }
                Ok(AtMost(items))
            }
        }
        deserializer.deserialize_seq(Items(PhantomData))
    }
}
