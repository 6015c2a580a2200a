//! An API server that answers by a script: what is right, what is wrong, or nothing at all.
#![expect(clippy::disallowed_methods, reason = "it serves clients and takes the time")]

mod lists;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::support::{
    loopback::reset_on_close,
    scripted::{After, Request, Server, respond},
};

pub(crate) use lists::{Items, List, Page, host_of, ingress, ingresses};

/// The token that every kubeconfig of these tests holds, and nothing may ever print.
pub(crate) const TOKEN: &str = "canary-token-9d1f0b7c5e";

/// A token that an API server offers when it forgot a snapshot. The rest of the list would be of another one.
pub(crate) const INCONSISTENT_TOKEN: &str = "inconsistent-continue";

/// The path of all Ingresses.
pub(crate) const INGRESSES: &str = "/apis/networking.k8s.io/v1/ingresses";

/// The path of all Secrets.
pub(crate) const SECRETS: &str = "/api/v1/secrets";

/// The UID of the namespace `kube-system` of every cluster here.
pub(crate) const UID: &str = "5b0ff1f7-3f4a-4a8e-9a44-93d5f1f6a001";

/// The server. It holds any number of clusters, each below a path of its own, and ends when it is dropped.
pub(crate) struct ApiServer {
    server: Server,
    clusters: Arc<Clusters>,
    authority: String,
}

/// By name.
type Clusters = Mutex<BTreeMap<String, Arc<Cluster>>>;

/// What one cluster serves, and what it was asked for.
#[derive(Default)]
pub(crate) struct Cluster {
    /// Group, version, resources.
    pub(crate) groups: Vec<(&'static str, &'static str, Vec<String>)>,
    /// By path.
    pub(crate) lists: BTreeMap<String, List>,
    /// Single objects by path.
    pub(crate) objects: BTreeMap<String, String>,
    /// What goes wrong.
    pub(crate) scripts: Vec<Script>,
    /// Whether whoever asks must show [`TOKEN`].
    pub(crate) wants_token: bool,
    /// When it was asked first.
    pub(crate) begun: Mutex<Option<Instant>>,
    /// What no client may do.
    pub(crate) sins: Mutex<Vec<String>>,
    pub(crate) asked: Mutex<BTreeMap<(String, usize), usize>>,
    /// How lists of [`SECRETS`] were asked for: the query and the header `accept`.
    pub(crate) secrets_asked: Mutex<Vec<(String, String)>>,
    pub(crate) serial: AtomicUsize,
}

/// What happens to requests.
pub(crate) struct Script {
    /// To which path.
    pub(crate) path: String,
    /// To which page of it, from 1; single objects have one.
    pub(crate) page: usize,
    /// How often, before all is well again.
    pub(crate) times: usize,
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// A page in good order that is not true.
    Lie(fn(&mut Page)),
    /// Something else than an answer in good order. It gets the honest body.
    Wire(fn(&mut TcpStream, &[u8]) -> io::Result<After>),
    /// The connection is reset, with a part of this many bytes of the answer sent.
    Reset(usize),
}

impl ApiServer {
    /// Without any cluster.
    pub(crate) fn start() -> Self {
        let clusters = Arc::new(Clusters::default());
        let served = clusters.clone();
        let server = Server::start(move |request, stream| answer(&served, request, stream));
        let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).expect("a certificate can be made");
        Self { server, clusters, authority: BASE64_STANDARD.encode(made.cert.pem()) }
    }

    /// Serves a cluster below `/c/<name>`, and gives its address.
    pub(crate) fn add(&self, name: &str, cluster: Cluster) -> (String, Arc<Cluster>) {
        let cluster = Arc::new(cluster);
        self.clusters.lock().expect("no thread panics with it").insert(name.to_owned(), cluster.clone());
        (format!("http://{}/c/{name}", self.server.address()), cluster)
    }

    /// Some authority for kubeconfigs, as they write it.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// How many clusters there are.
    pub(crate) fn count(&self) -> usize {
        self.clusters.lock().expect("no thread panics with it").len()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.server.address().port()
    }
}

impl Cluster {
    /// One that serves Ingresses and nothing else.
    pub(crate) fn of_ingresses(items: Items) -> Self {
        let list = List { kind: "Ingress", api_version: "networking.k8s.io/v1", items };
        let namespace = format!(
            r#"{{"kind":"Namespace","apiVersion":"v1","metadata":{{"name":"kube-system","uid":"{UID}","resourceVersion":"4"}}}}"#
        );
        Self {
            groups: vec![("networking.k8s.io", "v1", vec!["ingresses".to_owned()])],
            lists: BTreeMap::from([(INGRESSES.to_owned(), list)]),
            objects: BTreeMap::from([("/api/v1/namespaces/kube-system".to_owned(), namespace)]),
            ..Self::default()
        }
    }

    /// The same with something that goes wrong.
    pub(crate) fn with(mut self, script: Script) -> Self {
        self.scripts.push(script);
        self
    }

    /// The same with another kind.
    pub(crate) fn with_list(mut self, path: &str, kind: &'static str, api_version: &'static str, items: Items) -> Self {
        let (group, version) = api_version.split_once('/').expect("kinds of the core are not listed");
        let resource = path.rsplit('/').next().expect("a path has an end").to_owned();
        self.groups.push((group, version, vec![resource]));
        self.lists.insert(path.to_owned(), List { kind, api_version, items });
        self
    }

    /// The same with a Secret of these keys and texts.
    pub(crate) fn with_secret(mut self, namespace: &str, name: &str, entries: &[(&str, &str)]) -> Self {
        let data = entries.iter().map(|(key, text)| format!(r#""{key}":"{}""#, BASE64_STANDARD.encode(text)));
        let data = data.collect::<Vec<_>>().join(",");
        self.objects.insert(
            format!("/api/v1/namespaces/{namespace}/secrets/{name}"),
            format!(r#"{{"kind":"Secret","apiVersion":"v1","metadata":{{"namespace":"{namespace}","name":"{name}"}},"data":{{{data}}}}}"#),
        );
        self
    }

    fn sin(&self, what: String) {
        self.sins.lock().expect("no thread panics with it").push(what);
    }

    /// The honest answer to a request: its status and its body; and the page, when it is one.
    fn answer(&self, path: &str, query: &str) -> (u16, String, Option<Page>) {
        let serial = self.serial.fetch_add(1, Ordering::SeqCst);
        if let Some(list) = self.lists.get(path) {
            let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
            let limit = value("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX >> 1);
            let token = value("continue");
            if token.is_some_and(|token| token.contains(INCONSISTENT_TOKEN)) {
                self.sin("it used the token of another snapshot".to_owned());
            }
            let offset = match token.map(|token| token.split('.').next().unwrap_or(token).parse()) {
                None => 0,
                Some(Ok(offset)) => offset,
                Some(Err(_)) => {
                    self.sin(format!("it made a token up: {query}"));
                    0
                }
            };
            let page = Page::of(list, offset, limit, serial);
            return (200, page.json(), Some(page));
        }
        if let Some(object) = self.objects.get(path) {
            return (200, object.clone(), None);
        }
        if path == "/apis" {
            let ids: BTreeSet<_> = self.groups.iter().map(|(group, version, _)| (group, version)).collect();
            let groups = ids.into_iter().map(|(group, version)| {
                let version = format!(r#"{{"groupVersion":"{group}/{version}","version":"{version}"}}"#);
                format!(r#"{{"name":"{group}","versions":[{version}],"preferredVersion":{version}}}"#)
            });
            let groups = groups.collect::<Vec<_>>().join(",");
            return (200, format!(r#"{{"kind":"APIGroupList","apiVersion":"v1","groups":[{groups}]}}"#), None);
        }
        for (group, version, _) in &self.groups {
            if path == format!("/apis/{group}/{version}") {
                let same = self.groups.iter().filter(|(one, another, _)| one == group && another == version);
                let resources = same
                    .flat_map(|(.., resources)| resources)
                    .map(|name| format!(r#"{{"name":"{name}","verbs":["get","list"]}}"#));
                let resources = resources.collect::<Vec<_>>().join(",");
                return (
                    200,
                    format!(
                        r#"{{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"{group}/{version}","resources":[{resources}]}}"#
                    ),
                    None,
                );
            }
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        (404, status(404, "NotFound", &format!("\\\"{name}\\\" not found")), None)
    }
}

/// The body of a refusal.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
    )
}

/// A kubeconfig with one context.
///
/// The authority is not used; but without one a client reads all those of the system first.
pub(crate) fn kubeconfig(server: &str, token: Option<&str>, authority: &str) -> String {
    let user = token.map_or("{}".to_owned(), |token| format!("{{token: {token}}}"));
    let mut text = "apiVersion: v1\nkind: Config\ncurrent-context: it\n".to_owned();
    let cluster = format!("{{server: \"{server}\", certificate-authority-data: {authority}}}");
    writeln!(text, "clusters: [{{name: it, cluster: {cluster}}}]").expect("a text grows");
    writeln!(text, "users: [{{name: me, user: {user}}}]").expect("a text grows");
    text.push_str("contexts: [{name: it, context: {cluster: it, user: me}}]\n");
    text
}

/// Answers after the scripts of the cluster that is asked.
fn answer(clusters: &Clusters, request: &Request, stream: &mut TcpStream) -> io::Result<After> {
    // As a proxy it leads to itself, whatever the name is.
    if request.head.starts_with("CONNECT ") {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        return Ok(After::Stays);
    }
    let uri = request.place().split(' ').nth(1).unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let named = path.strip_prefix("/c/").and_then(|rest| rest.split_once('/'));
    let Some((name, path)) = named.map(|(name, path)| (name, format!("/{path}"))) else { return Ok(After::Closes) };
    let cluster = clusters.lock().expect("no thread panics with it").get(name).cloned();
    let Some(cluster) = cluster else { return Ok(After::Closes) };
    cluster.begun.lock().expect("no thread panics with it").get_or_insert_with(Instant::now);
    if cluster.wants_token && request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        cluster.sin(format!("it shows no token for {path}"));
    }
    if path == SECRETS {
        let asked = (query.to_owned(), request.header("accept").unwrap_or_default().to_owned());
        cluster.secrets_asked.lock().expect("no thread panics with it").push(asked);
    }
    let (code, honest, page) = cluster.answer(&path, query);
    let number = page.as_ref().map_or(1, |page| page.offset / page.limit + 1);
    let fault = cluster.scripts.iter().find(|script| script.path == path && script.page == number);
    let fault = fault.filter(|script| {
        let mut asked = cluster.asked.lock().expect("no thread panics with it");
        let asked = asked.entry((path.clone(), number)).or_default();
        *asked += 1;
        *asked <= script.times
    });
    match fault.map(|script| script.fault) {
        Some(Fault::Lie(lie)) => {
            let mut page = page.expect("only lists are lied about");
            lie(&mut page);
            respond(stream, "200 OK", "", page.json().as_bytes())
        }
        Some(Fault::Wire(play)) => play(stream, honest.as_bytes()),
        Some(Fault::Reset(most)) => {
            if most > 0 {
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", honest.len())?;
                stream.write_all(&honest.as_bytes()[..honest.len().min(most)])?;
            }
            reset_on_close(stream)?;
            Ok(After::Closes)
        }
        None => {
            let code = if code == 200 { "200 OK" } else { "404 Not Found" };
            respond(stream, code, "content-type: application/json\r\n", honest.as_bytes())
        }
    }
}
