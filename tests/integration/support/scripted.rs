//! The frame of the HTTP servers that answer by a script: it reads what is asked, and sends what the script says.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::loopback::Port;

/// The server. It ends when it is dropped.
pub(crate) struct Server {
    port: Port,
    connections: Arc<AtomicUsize>,
}

/// What is asked.
pub(crate) struct Request {
    /// Method, path with query, version, and all headers as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Stays,
    Closes,
    /// Nothing more is said until the client goes away.
    Hangs,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Status, lines of headers, body; the length is told.
    Answer(u16, String, Vec<u8>),
    /// As it is, and then the connection is closed.
    Raw(Vec<u8>),
    /// This, and then a byte at a time for ever.
    Drip(Vec<u8>),
    /// The first, and then the second more often than anybody takes it.
    Flood(Vec<u8>, Vec<u8>),
    /// The connection is closed without a word.
    Nothing,
    /// Another answer after a while.
    Later(Duration, Box<Self>),
}

impl Server {
    /// Calls the function for every request; it writes the answer. Connections do not wait for each other.
    pub(crate) fn start(
        answer: impl Fn(&Request, &mut TcpStream) -> io::Result<After> + Send + Sync + 'static,
    ) -> Self {
        let (answer, connections) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let count = connections.clone();
        let port = Port::open(move |stream| {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            // A client that goes away is no matter.
            thread::spawn(move || drop(serve(stream, &*answer)));
        });
        Self { port, connections }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers what comes over a connection until one of both has enough.
fn serve(stream: TcpStream, answer: &impl Fn(&Request, &mut TcpStream) -> io::Result<After>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = Request::read(&mut stream)? {
        match answer(&request, stream.get_mut())? {
            After::Stays => (),
            After::Closes => return Ok(()),
            After::Hangs => return io::copy(&mut stream, &mut io::sink()).map(drop),
        }
    }
    Ok(())
}

impl Request {
    /// The next one; none when the client goes away.
    fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head)? == 0 {
                return Ok(None);
            }
        }
        let mut request = Self { head: String::from_utf8_lossy(&head).into_owned(), body: String::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        request.body = String::from_utf8_lossy(&body).into_owned();
        Ok(Some(request))
    }

    /// Method and path, with the query.
    pub(crate) fn place(&self) -> &str {
        self.head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1")
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), Vec::new())
    }

    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, "content-type: application/json\r\n".to_owned(), body.into().into_bytes())
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push_str(&format!("{header}\r\n"));
        }
        self
    }

    /// Sends it as the answer to a request.
    pub(crate) fn send(self, request: &Request, stream: &mut TcpStream) -> io::Result<After> {
        match self {
            Self::Answer(status, headers, body) => {
                let mut bytes = answer(&format!("{status} X"), &headers, &body);
                if request.head.starts_with("HEAD ") {
                    bytes.truncate(bytes.len() - body.len());
                }
                stream.write_all(&bytes)?;
                return Ok(After::Stays);
            }
            Self::Raw(bytes) => stream.write_all(&bytes)?,
            Self::Drip(bytes) => {
                stream.write_all(&bytes)?;
                stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                // The client says nothing more; it only goes away at some time.
                while stream.read(&mut [0]).is_err() {
                    stream.write_all(b" ")?;
                }
            }
            Self::Flood(first, more) => {
                stream.write_all(&first)?;
                // What is unread when it closes is a broken connection.
                for _ in 0..(100 << 20) / more.len() {
                    stream.write_all(&more)?;
                }
            }
            Self::Nothing => (),
            Self::Later(time, then) => {
                thread::sleep(time);
                return then.send(request, stream);
            }
        }
        Ok(After::Closes)
    }
}

/// Writes an answer in good order; `headers` are whole lines.
pub(crate) fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<After> {
    stream.write_all(&answer(status, headers, body))?;
    Ok(After::Stays)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}
