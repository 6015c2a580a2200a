//! A registry that answers by a script: what is right, what is wrong, or nothing at all; and hosts that must not be asked.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use bobbypin::model::digest::Digest;
use serde_json::{Value, json};

/// The password of these tests, which nothing may ever print and no other host may ever see.
pub(crate) const PASSWORD: &str = "canary-password-7be1d50f2c";

/// The token that a registry hands out, of which the same holds.
pub(crate) const TOKEN: &str = "canary-token-0c4f6b81aa";

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The server. It ends when it is dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What is answered to what.
type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path, with the query.
    pub(crate) place: String,
    /// The header `authorization`, or nothing.
    pub(crate) authorization: String,
    /// All headers as they came.
    pub(crate) head: String,
    /// Which request it is, from 0, of those for the same place.
    pub(crate) times: usize,
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
    /// This, and then more than anybody takes.
    Flood(Vec<u8>),
    /// The connection is closed without a word.
    Nothing,
    /// Another answer after a while.
    Later(Duration, Box<Self>),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), Vec::new())
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push_str(&format!("{header}\r\n"));
        }
        self
    }
}

/// A manifest as a registry serves it, with its digest.
pub(crate) fn manifest(content_type: &str, bytes: &[u8]) -> Reply {
    typed(content_type, bytes).with(&format!("docker-content-digest: {}", Digest::of(bytes)))
}

/// The same without a digest.
pub(crate) fn typed(content_type: &str, bytes: &[u8]) -> Reply {
    Reply::Answer(200, format!("content-type: {content_type}\r\n"), bytes.to_vec())
}

pub(crate) fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::Answer(status, "content-type: application/json\r\n".to_owned(), body.to_string().into_bytes())
}

/// A refusal in the words of the specification.
pub(crate) fn refusal(status: u16, code: &str) -> Reply {
    json_reply(status, &json!({"errors": [{"code": code, "message": "no"}]}))
}

/// The manifest of an image for one platform; every `seed` makes another one.
pub(crate) fn image(seed: &str) -> Vec<u8> {
    image_of(seed, "application/vnd.oci.image.config.v1+json")
}

/// The manifest of a chart.
pub(crate) fn chart(seed: &str) -> Vec<u8> {
    image_of(seed, "application/vnd.cncf.helm.config.v1+json")
}

/// A manifest whose config is this.
pub(crate) fn image_of(seed: &str, config: &str) -> Vec<u8> {
    let descriptor = |kind: &str, of: &str| json!({"mediaType": kind, "digest": Digest::of(of.as_bytes()), "size": 7});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, &format!("config {seed}")),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &format!("layer {seed}"))],
    });
    manifest.to_string().into_bytes()
}

/// An index of these manifests: bytes and `os/architecture`.
pub(crate) fn index(children: &[(&[u8], &str)]) -> Vec<u8> {
    let child = |(bytes, platform): &(&[u8], &str)| {
        let (os, architecture) = platform.split_once('/').expect("a literal with a slash");
        json!({
            "mediaType": OCI_MANIFEST, "digest": Digest::of(bytes), "size": bytes.len(),
            "platform": {"os": os, "architecture": architecture},
        })
    };
    let manifests: Vec<_> = children.iter().map(child).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string().into_bytes()
}

impl Registry {
    /// Answers as the function says.
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let registry = Self { address, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let shared = shared.clone();
                // A client that goes away is no matter.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        registry
    }

    /// A host that nobody should ask anything, and that answers all the same.
    pub(crate) fn witness() -> Self {
        Self::start(|_| json_reply(200, &json!({"token": TOKEN})))
    }

    /// `127.0.0.1:port`.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Everything that was asked for.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no thread panics with it").clone()
    }

    /// How often a place that begins so was asked for.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.asked().iter().filter(|asked| asked.place.starts_with(beginning)).count()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Registry {
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
            let Some(asked) = self.read_request(&mut stream, &mut buffer)? else { return Ok(()) };
            let is_head = asked.place.starts_with("HEAD ");
            let mut reply = (self.script)(&asked);
            while let Reply::Later(time, then) = reply {
                thread::sleep(time);
                reply = *then;
            }
            match reply {
                Reply::Answer(status, headers, body) => {
                    let length = body.len();
                    let mut bytes =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n").into_bytes();
                    if !is_head {
                        bytes.extend_from_slice(&body);
                    }
                    stream.write_all(&bytes)?;
                }
                Reply::Raw(bytes) => return stream.write_all(&bytes),
                Reply::Drip(bytes) => {
                    stream.write_all(&bytes)?;
                    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
                    // The client says nothing more; it only goes away at some time.
                    while stream.read(&mut [0]).is_err() {
                        stream.write_all(b" ")?;
                    }
                    return Ok(());
                }
                Reply::Flood(bytes) => {
                    stream.write_all(&bytes)?;
                    let more = vec![b' '; 1 << 20];
                    // What is unread when it closes is a broken connection.
                    for _ in 0..100 {
                        stream.write_all(&more)?;
                    }
                    return Ok(());
                }
                Reply::Nothing | Reply::Later(..) => return Ok(()),
            }
        }
    }

    fn read_request(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Asked>> {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let mut bytes = [0; 16 << 10];
            let count = stream.read(&mut bytes)?;
            if count == 0 {
                return Ok(None);
            }
            buffer.extend_from_slice(&bytes[..count]);
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end);
        let place = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let authorization = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("authorization").then(|| value.trim().to_owned())
        });
        let authorization = authorization.unwrap_or_default();
        let mut all = self.asked.lock().expect("no thread panics with it");
        let times = all.iter().filter(|before| before.place == place).count();
        let asked = Asked { place, authorization, head, times };
        all.push(asked.clone());
        Ok(Some(asked))
    }
}
