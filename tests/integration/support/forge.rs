//! A server that answers by a script as Gitea does, or worse.

use std::{
    error::Error,
    fmt::Write as _,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use bobbypin::edge::{
    gitea::{Address, Gitea},
    http::{Credentials, HttpClient},
};

/// The token of these tests, which nothing may ever print.
pub(crate) const TOKEN: &str = "canary-token-51c7e0aa93";

/// What the server is installed below, and the repository that is asked for.
const BELOW: &str = "/git/api/v1";
const REPOSITORY: &str = "/repos/tenant-acme/shop";

/// The server. It ends when it is dropped.
pub(crate) struct Forge {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Vec<Line>,
    asked: Mutex<Vec<Asked>>,
    is_over: AtomicBool,
}

/// What is answered to what. `request` is `GET /pulls/7`: the path is below the repository, or else it begins with `//`.
/// It may have a query; without one every query is meant. Of several lines for the same request the first is for the first
/// time, and so on; the last one is for all times after.
pub(crate) struct Line {
    pub(crate) request: String,
    pub(crate) reply: Reply,
}

/// What is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Status, lines of headers, body.
    Answer(u16, String, Vec<u8>),
    /// The connection is closed without a word.
    Nothing,
    /// A byte at a time, for ever.
    Drip,
    /// An array of this text and as many more as anybody takes.
    Flood(&'static str),
}

struct Asked {
    /// Method and path, without the query.
    place: String,
    query: String,
    body: String,
}

/// A line of a script with an answer in JSON.
pub(crate) fn line(request: &str, status: u16, body: impl Into<String>) -> Line {
    let reply = Reply::Answer(status, "content-type: application/json\r\n".to_owned(), body.into().into_bytes());
    Line { request: request.to_owned(), reply }
}

impl Line {
    /// The same with one more header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        if let Reply::Answer(_, headers, _) = &mut self.reply {
            headers.push_str(&format!("{header}\r\n"));
        }
        self
    }
}

impl Forge {
    /// With these lines.
    pub(crate) fn start(script: Vec<Line>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared { script, asked: Mutex::default(), is_over: AtomicBool::new(false) });
        let forge = Self { address, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = shared.clone();
                // A client that goes away is no matter.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        forge
    }

    /// The start page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/git", self.address)
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
        let asked = self.shared.asked.lock().expect("no thread panics with it");
        asked
            .iter()
            .map(|asked| {
                let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
                format!("{}{query} {}", asked.place, asked.body).trim_end().to_owned()
            })
            .collect()
    }

    /// Everything that was to change something.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.asked().into_iter().filter(|asked| !asked.starts_with("GET")).collect()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // The listener looks at the sign when somebody comes.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::new();
        loop {
            let Some(asked) = read_request(&mut stream, &mut buffer)? else { return Ok(()) };
            match self.reply(asked) {
                Reply::Answer(status, headers, body) => {
                    let length = body.len();
                    let mut head =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n").into_bytes();
                    head.extend_from_slice(&body);
                    stream.write_all(&head)?;
                }
                Reply::Nothing => return Ok(()),
                Reply::Drip => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
                    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                    // The client says nothing more; it only goes away at some time.
                    while stream.read(&mut [0]).is_err() {
                        stream.write_all(b" ")?;
                    }
                    return Ok(());
                }
                Reply::Flood(text) => {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[")?;
                    stream.write_all(text.as_bytes())?;
                    let more = format!(",{text}").repeat(1000);
                    // What is unread when it closes is a broken connection.
                    for _ in 0..(100 << 20) / more.len() {
                        stream.write_all(more.as_bytes())?;
                    }
                    stream.write_all(b"]")?;
                    return Ok(());
                }
            }
        }
    }

    fn reply(&self, asked: Asked) -> Reply {
        let with_query = format!("{}?{}", asked.place, asked.query);
        let is_meant = |line: &&Line| line.request == asked.place || line.request == with_query;
        let mut lines: Vec<_> = self.script.iter().filter(is_meant).collect();
        // A line with a query is for that query only.
        if lines.iter().any(|line| line.request.contains('?')) {
            lines.retain(|line| line.request.contains('?'));
        }
        let mut all = self.asked.lock().expect("no thread panics with it");
        let times = all
            .iter()
            .filter(|before| {
                lines.iter().any(|line| {
                    line.request == before.place || line.request == format!("{}?{}", before.place, before.query)
                })
            })
            .count();
        all.push(asked);
        match lines.get(times).or(lines.last()) {
            Some(line) => line.reply.clone(),
            None => line("", 404, r#"{"message":"this is not in the script"}"#).reply,
        }
    }
}

fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Asked>> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if read_more(stream, buffer)? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let first = String::from_utf8_lossy(&buffer[..end]).lines().next().unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    while buffer.len() < end + length {
        if read_more(stream, buffer)? == 0 {
            return Ok(None);
        }
    }
    let body = String::from_utf8_lossy(&buffer[end..end + length]).into_owned();
    buffer.drain(..end + length);
    let mut words = first.split(' ');
    let method = words.next().unwrap_or_default();
    let uri = words.next().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let path = path.strip_prefix(BELOW).unwrap_or(path);
    let path = path.strip_prefix(REPOSITORY).map_or_else(|| format!("/{path}"), str::to_owned);
    let mut place = format!("{method} {path}");
    if !head.contains("\r\nauthorization: ") {
        place.insert_str(0, "without credentials: ");
    }
    Ok(Some(Asked { place, query: query.to_owned(), body }))
}

fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut bytes = [0; 16 << 10];
    let count = stream.read(&mut bytes)?;
    buffer.extend_from_slice(&bytes[..count]);
    Ok(count)
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
