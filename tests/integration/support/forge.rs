//! A server that answers by a script as Gitea does, or worse.

use std::{
    error::Error,
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use bobbypin::edge::{
    gitea::{Address, Gitea},
    http::{Credentials, HttpClient},
};

use crate::support::scripted::{Reply, Request, Server};

/// The token of these tests, which nothing may ever print.
pub(crate) const TOKEN: &str = "canary-token-51c7e0aa93";

/// What the server is installed below, and the repository that is asked for.
const BELOW: &str = "/git/api/v1";
const REPOSITORY: &str = "/repos/tenant-acme/shop";

/// The server. It ends when it is dropped.
pub(crate) struct Forge {
    server: Server,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is answered to what. `request` is `GET /pulls/7`: the path is below the repository, or else it begins with `//`.
/// It may have a query; without one every query is meant. Of several lines for the same request the first is for the first
/// time, and so on; the last one is for all times after.
pub(crate) struct Line {
    pub(crate) request: String,
    pub(crate) reply: Reply,
}

/// A line of a script with an answer in JSON.
pub(crate) fn line(request: &str, status: u16, body: impl Into<String>) -> Line {
    Line { request: request.to_owned(), reply: Reply::json(status, body) }
}

impl Line {
    /// The same with one more header.
    pub(crate) fn with(self, header: &str) -> Self {
        Self { reply: self.reply.with(header), ..self }
    }
}

impl Forge {
    /// With these lines.
    pub(crate) fn start(script: Vec<Line>) -> Self {
        let (script, asked) = (Mutex::new(script), Arc::new(Mutex::new(Vec::new())));
        let all = asked.clone();
        let server = Server::start(move |request, stream| {
            let place = place(request);
            let asked = format!("{place} {}", request.body).trim_end().to_owned();
            all.lock().expect("no thread panics with it").push(asked);
            reply(&script, &place).send(request, stream)
        });
        Self { server, asked }
    }

    /// The start page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/git", self.server.address())
    }

    /// Calls the client that is tested, with so much time for every call.
    pub(crate) fn client<T>(&self, time: Duration, run: impl FnOnce(&Gitea<'_>) -> T) -> T {
        self.client_of(&Credentials::Token(TOKEN.into()), time, run)
    }

    /// The same for somebody else.
    pub(crate) fn client_of<T>(
        &self,
        credentials: &Credentials,
        time: Duration,
        run: impl FnOnce(&Gitea<'_>) -> T,
    ) -> T {
        let http = HttpClient::new(None).expect("this machine has authorities");
        let remote = format!("{}/tenant-acme/shop.git", self.url());
        let address = Address::of_remote(&remote, None).expect("an address of a repository");
        run(&Gitea::new(&http, &address, credentials, time))
    }

    /// Everything that was asked for: method, path, query and body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics with it").clone()
    }

    /// Everything that was to change something.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.asked().into_iter().filter(|asked| !asked.starts_with("GET")).collect()
    }
}

/// Method and path below the repository, with the query.
fn place(request: &Request) -> String {
    let (method, path) = request.place().split_once(' ').unwrap_or_default();
    let path = path.strip_prefix(BELOW).unwrap_or(path);
    let path = path.strip_prefix(REPOSITORY).map_or_else(|| format!("/{path}"), str::to_owned);
    let whose = if request.header("authorization").is_some() { "" } else { "without credentials: " };
    format!("{whose}{method} {path}")
}

fn reply(script: &Mutex<Vec<Line>>, place: &str) -> Reply {
    let mut script = script.lock().expect("no thread panics with it");
    let meant = |request| (0..script.len()).filter(|line| script[*line].request == request).collect::<Vec<_>>();
    let mut lines = meant(place);
    // A line with a query is for that query only.
    if lines.is_empty() {
        lines = meant(place.split('?').next().unwrap_or_default());
    }
    match lines[..] {
        [] => Reply::json(404, r#"{"message":"this is not in the script"}"#),
        [last] => script[last].reply.clone(),
        [first, ..] => script.remove(first).reply,
    }
}

/// An error with all its causes, which must not have the token in it; nor must its `Debug`.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        write!(text, ": {cause}").expect("a text grows");
        next = cause.source();
    }
    let debug = format!("{error:?}");
    assert!(!text.contains(TOKEN) && !debug.contains(TOKEN), "the token got out: {text} {debug}");
    text
}
