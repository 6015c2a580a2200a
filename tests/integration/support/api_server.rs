//! An API server that answers by a script: what is right, what is wrong, or nothing at all.
#![expect(clippy::disallowed_methods, reason = "it serves clients and takes the time")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

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
    address: SocketAddr,
    shared: Arc<Shared>,
    authority: String,
}

struct Shared {
    clusters: Mutex<BTreeMap<String, Arc<Cluster>>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

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

/// The objects of a list.
pub(crate) struct List {
    /// For example `Ingress`.
    pub(crate) kind: &'static str,
    pub(crate) api_version: &'static str,
    pub(crate) items: Items,
}

#[derive(Clone)]
pub(crate) enum Items {
    Held(Arc<[String]>),
    /// Made when they are asked for.
    Made(usize, fn(usize) -> String),
}

impl Items {
    fn len(&self) -> usize {
        match self {
            Self::Held(items) => items.len(),
            Self::Made(count, _) => *count,
        }
    }

    /// Those of a page; further ones are left out.
    pub(crate) fn range(&self, from: usize, most: usize) -> Vec<String> {
        let range = from.min(self.len())..(from + most).min(self.len());
        match self {
            Self::Held(items) => items[range].to_vec(),
            Self::Made(_, make) => range.map(make).collect(),
        }
    }
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

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Stays,
    Closes,
    /// Nothing more is said until the client goes away.
    Hangs,
}

/// A page of a list before it is written.
pub(crate) struct Page {
    pub(crate) kind: String,
    pub(crate) api_version: String,
    pub(crate) version: Option<String>,
    pub(crate) items: Vec<String>,
    /// What stands at the place of `items`, when it is no list.
    pub(crate) instead_of_items: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) remaining: Option<usize>,
    /// The place of the first item in the list, and how many are on a page.
    pub(crate) offset: usize,
    pub(crate) limit: usize,
    pub(crate) all: Items,
    /// A number that no other page got.
    pub(crate) serial: usize,
    /// What stands behind the page's end.
    pub(crate) tail: &'static str,
}

impl Page {
    fn of(list: &List, offset: usize, limit: usize, serial: usize) -> Self {
        let items = list.items.range(offset, limit);
        let end = offset + items.len();
        let remaining = list.items.len().saturating_sub(end);
        Self {
            kind: format!("{}List", list.kind),
            api_version: list.api_version.to_owned(),
            version: Some("4711".to_owned()),
            items,
            instead_of_items: None,
            token: (remaining > 0).then(|| format!("{end}.{serial}")),
            remaining: (remaining > 0).then_some(remaining),
            offset,
            limit,
            all: list.items.clone(),
            serial,
            tail: "",
        }
    }

    /// The text of the page.
    pub(crate) fn json(&self) -> String {
        let mut metadata: Vec<String> = Vec::new();
        metadata.extend(self.version.iter().map(|version| format!(r#""resourceVersion":"{version}""#)));
        metadata.extend(self.token.iter().map(|token| format!(r#""continue":"{token}""#)));
        metadata.extend(self.remaining.iter().map(|count| format!(r#""remainingItemCount":{count}"#)));
        let items = self.instead_of_items.clone().unwrap_or_else(|| format!("[{}]", self.items.join(",")));
        let (kind, api_version, metadata) = (&self.kind, &self.api_version, metadata.join(","));
        let tail = self.tail;
        format!(r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{{{metadata}}},"items":{items}}}{tail}"#)
    }
}

impl ApiServer {
    /// Without any cluster.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            clusters: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let made = rcgen::generate_simple_self_signed(["example.org".to_owned()]).expect("a certificate can be made");
        let server = Self { address, shared: shared.clone(), authority: base64(made.cert.pem().as_bytes()) };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = shared.clone();
                // A client that goes away is no matter.
                thread::spawn(move || drop(serve(stream, &shared)));
            }
        });
        server
    }

    /// Serves a cluster below `/c/<name>`, and gives its address.
    pub(crate) fn add(&self, name: &str, cluster: Cluster) -> (String, Arc<Cluster>) {
        let cluster = Arc::new(cluster);
        self.shared.clusters.lock().expect("no thread panics with it").insert(name.to_owned(), cluster.clone());
        (format!("http://{}/c/{name}", self.address), cluster)
    }

    /// Some authority for kubeconfigs, as they write it.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// How many clusters there are.
    pub(crate) fn count(&self) -> usize {
        self.shared.clusters.lock().expect("no thread panics with it").len()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // The listener looks at the sign when somebody comes.
        drop(TcpStream::connect(self.address));
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
        let data = entries.iter().map(|(key, text)| format!(r#""{key}":"{}""#, base64(text.as_bytes())));
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

/// Writes an answer in good order; `headers` are whole lines.
pub(crate) fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<After> {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    head.extend_from_slice(body);
    stream.write_all(&head)?;
    Ok(After::Stays)
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

/// Answers what comes over a connection until one of both has enough.
fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let Some(head) = peek(&stream)? else { return Ok(()) };
        let text = String::from_utf8_lossy(&head).into_owned();
        let uri = text.split(' ').nth(1).unwrap_or_default();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let named = path.strip_prefix("/c/").and_then(|rest| rest.split_once('/'));
        let Some((name, path)) = named.map(|(name, path)| (name, format!("/{path}"))) else { return Ok(()) };
        let cluster = shared.clusters.lock().expect("no thread panics with it").get(name).cloned();
        let Some(cluster) = cluster else { return Ok(()) };
        cluster.begun.lock().expect("no thread panics with it").get_or_insert_with(Instant::now);
        if cluster.wants_token && !text.contains(&format!("authorization: Bearer {TOKEN}\r\n")) {
            cluster.sin(format!("it shows no token for {path}"));
        }
        if path == SECRETS {
            let accept = text.lines().find_map(|line| line.strip_prefix("accept: ")).unwrap_or_default();
            let asked = (query.to_owned(), accept.to_owned());
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
        if let Some(Script { fault: Fault::Reset(most), .. }) = fault {
            // Who closes with something unread resets the connection.
            let part = honest.as_bytes();
            let part = &part[..part.len().min(*most)];
            if *most > 0 {
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", honest.len())?;
                stream.write_all(part)?;
            }
            return Ok(());
        }
        stream.read_exact(&mut vec![0; head.len()])?;
        let after = match fault.map(|script| script.fault) {
            Some(Fault::Lie(lie)) => {
                let mut page = page.expect("only lists are lied about");
                lie(&mut page);
                respond(&mut stream, "200 OK", "", page.json().as_bytes())?
            }
            Some(Fault::Wire(play)) => play(&mut stream, honest.as_bytes())?,
            Some(Fault::Reset(_)) | None => {
                let code = if code == 200 { "200 OK" } else { "404 Not Found" };
                respond(&mut stream, code, "content-type: application/json\r\n", honest.as_bytes())?
            }
        };
        match after {
            After::Stays => (),
            After::Closes => return Ok(()),
            After::Hangs => {
                let mut rest = [0; 1024];
                while stream.read(&mut rest)? > 0 {}
                return Ok(());
            }
        }
    }
}

/// The head of the next request, which stays unread; none when the client goes away.
fn peek(stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = vec![0; 16 << 10];
    loop {
        let size = match stream.peek(&mut head) {
            Ok(0) => return Ok(None),
            Ok(size) => size,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(end) = head[..size].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            head.truncate(end + 4);
            return Ok(Some(head));
        }
        thread::yield_now();
    }
}

/// The Ingress at a place, in order of namespace and name.
pub(crate) fn ingress(place: usize) -> String {
    let (namespace, name) = (format!("tenant-{:03}", place / 100), format!("shop-{place:06}"));
    format!(
        concat!(
            r#"{{"metadata":{{"name":"{name}","namespace":"{namespace}","uid":"u-{place}","resourceVersion":"{place}","#,
            r#""annotations":{{"note":"an Ingress"}},"managedFields":[{{"manager":"helm","operation":"Update","#,
            r#""fieldsV1":{{"f:spec":{{"f:rules":{{}}}}}}}}]}},"spec":{{"ingressClassName":"nginx","#,
            r#""tls":[{{"hosts":["{name}.example.org"],"secretName":"{name}-tls"}}],"rules":[{{"host":"{name}.example.org","#,
            r#""http":{{"paths":[{{"path":"/","pathType":"Prefix","backend":{{"service":{{"name":"web","port":{{"number":80}}}}}}}}]}}}}]}},"#,
            r#""status":{{"loadBalancer":{{"ingress":[{{"ip":"203.0.113.7"}}]}}}}}}"#
        ),
        name = name,
        namespace = namespace,
        place = place,
    )
}

/// The host of the Ingress at a place.
pub(crate) fn host_of(place: usize) -> String {
    format!("shop-{place:06}.example.org")
}

/// That many Ingresses.
pub(crate) fn ingresses(count: usize) -> Items {
    Items::Held((0..count).map(ingress).collect())
}

/// The way that the API writes bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * place) & 63]);
            text.push(if place > three.len() { '=' } else { digit });
        }
    }
    text
}
