//! A real Git server over HTTP: `git http-backend` behind a small server that can also answer by a script.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "it serves repositories on disk and waits")]

mod wire;

use std::{
    env, fs,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use wire::{Head, Stream, respond};

use crate::support::loopback::Port;

/// How the server behaves for all clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// A path before the repository's name, such as `/git`, as behind a proxy of a company.
    pub(crate) sub_path: &'static str,
    /// Only these may read and write; without, everybody may.
    pub(crate) login: Option<Login>,
    /// Whether `https`.
    pub(crate) scheme: Scheme,
    /// What clients may ask for.
    pub(crate) protocol: Protocol,
}

/// A name and a password, or a token in its place.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scheme {
    #[default]
    Http,
    /// With a certificate for `localhost` and `127.0.0.1` that only [`GitServer::authority`] vouches for.
    Https,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The version that the client asks for.
    #[default]
    AsAsked,
    /// The first one, whatever is asked for, as with servers that drop the header `git-protocol`.
    Zero,
}

/// An answer that comes in place of Git's, before anybody is asked for a password.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// A part of the path with its query.
    pub(crate) path: &'static str,
    /// How many requests get it, before all is well again.
    pub(crate) times: usize,
    /// For example `503 Service Unavailable`.
    pub(crate) status: &'static str,
    /// Names and values; the length is added.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in small letters. The value of `authorization` is left out.
    pub(crate) headers: Vec<(String, String)>,
    /// The status of the answer; 0 while there is none.
    pub(crate) status: u16,
    /// Bytes of the body that came.
    pub(crate) received: u64,
    /// Bytes of the answer's body that went.
    pub(crate) sent: u64,
}

/// The server of one bare repository. It ends when it is dropped.
pub(crate) struct GitServer {
    port: Port,
    shared: Arc<Shared>,
    /// The certificate to trust, as PEM.
    authority: Option<String>,
}

struct Shared {
    repository: PathBuf,
    options: Options,
    tls: Option<Arc<ServerConfig>>,
    scripts: Mutex<Vec<Script>>,
    requests: Mutex<Vec<Request>>,
    /// The folder of Git's own programs.
    programs: PathBuf,
    /// How many connections are open.
    open: AtomicUsize,
}

impl GitServer {
    /// Before a bare repository.
    pub(crate) fn start(repository: &Path, options: Options) -> Self {
        let (authority, tls) = match options.scheme {
            Scheme::Http => (None, None),
            Scheme::Https => {
                let (pem, config) = certificate();
                (Some(pem), Some(Arc::new(config)))
            }
        };
        let shared = Arc::new(Shared {
            repository: repository.to_owned(),
            options,
            tls,
            scripts: Mutex::default(),
            requests: Mutex::default(),
            programs: programs(),
            open: AtomicUsize::new(0),
        });
        let served = shared.clone();
        let port = Port::open(move |stream| {
            served.open.fetch_add(1, Ordering::SeqCst);
            let shared = served.clone();
            thread::spawn(move || {
                // A client that goes away is no matter.
                drop(shared.accept(stream));
                shared.open.fetch_sub(1, Ordering::SeqCst);
            });
        });
        Self { port, shared, authority }
    }

    /// Where it listens on the loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address of the repository.
    pub(crate) fn url(&self) -> String {
        self.url_at(self.port())
    }

    /// The same through another port, such as that of a proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        let scheme = match self.shared.options.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://127.0.0.1:{port}{}", self.shared.base())
    }

    /// The certificate that clients must trust, as PEM, when the scheme is `https`.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Sets one of Git's settings in the repository, such as `uploadpack.allowFilter`.
    pub(crate) fn configure(&self, key: &str, value: &str) {
        let ran = git(&self.shared.repository).args(["config", key, value]).status();
        assert!(ran.is_ok_and(|status| status.success()), "git config {key} {value}");
    }

    /// Installs a hook, such as `pre-receive`: a script of `sh` without its first line.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let hooks = self.shared.repository.join("hooks");
        fs::create_dir_all(&hooks).expect("a folder can be made");
        // Put in place in one go: a run may start it at any time.
        let (made, wanted) = (hooks.join(format!("{name}.new")), hooks.join(name));
        fs::write(&made, format!("#!/bin/sh\n{script}\n")).expect("a writable file");
        fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).expect("a file of ours");
        fs::rename(made, wanted).expect("a file of ours");
    }

    /// Answers by a script from now on. Of several that fit, the first that is not used up counts.
    pub(crate) fn script(&self, script: Script) {
        self.shared.scripts.lock().expect("no thread panics with it").push(script);
    }

    /// All requests until now, in the order in which they came. Counts and statuses are there after [`Self::settled`].
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// Forgets the requests until now, after [`Self::settled`].
    pub(crate) fn forget(&self) {
        self.settled();
        self.shared.requests().clear();
    }

    /// Waits until Git has done what clients asked for that have ended since: from then on the branch stays as it is.
    /// Fails after ten seconds.
    pub(crate) fn settled(&self) {
        // Connections are taken in turn: when this one was, so were all before it.
        let mut last = TcpStream::connect(self.port.address()).expect("the server listens");
        last.shutdown(Shutdown::Write).expect("the server listens");
        // It is reset or closed, which is the same here.
        drop(last.read_to_end(&mut Vec::new()));
        let start = Instant::now();
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            assert!(start.elapsed() < Duration::from_secs(10), "a client is still here: {:#?}", self.requests());
            thread::yield_now();
        }
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().expect("no thread panics with it")
    }

    /// The path of the repository for clients.
    fn base(&self) -> String {
        format!("{}/{}", self.options.sub_path, name(&self.repository))
    }

    fn accept(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.serve(stream),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                self.serve(StreamOwned::new(session, stream))
            }
        }
    }

    /// Answers what comes over a connection until one of both has enough.
    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = Stream::of(stream);
        while let Some(head) = Head::read(&mut stream)? {
            let place = {
                let mut requests = self.requests();
                requests.push(Request {
                    method: head.method.clone(),
                    path: head.target.clone(),
                    headers: head.headers_without_secrets(),
                    ..Request::default()
                });
                requests.len() - 1
            };
            let mut done = Request::default();
            let served = self.answer(&mut stream, &head, &mut done);
            let request = &mut self.requests()[place];
            (request.status, request.received, request.sent) = (done.status, done.received, done.sent);
            served?;
            if head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn answer(&self, stream: &mut Stream<impl Read + Write>, head: &Head, done: &mut Request) -> io::Result<()> {
        let refusal = self.scripted(&head.target).or_else(|| self.unauthorized(head)).or_else(|| self.missing(head));
        let Some((status, headers, text)) = refusal else { return self.run(stream, head, done) };
        done.status = wire::code(status);
        // Who waits to be asked for the body gets the answer in its place.
        if !head.waits_for_permission() {
            let mut body = head.body();
            while let Some(piece) = body.next(stream)? {
                done.received += piece.len() as u64;
            }
        }
        done.sent = text.len() as u64;
        respond(stream, status, &headers, &text)?;
        if head.waits_for_permission() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    fn scripted(&self, target: &str) -> Option<wire::Answer> {
        let mut scripts = self.scripts.lock().expect("no thread panics with it");
        let script = scripts.iter_mut().find(|script| script.times > 0 && target.contains(script.path))?;
        script.times -= 1;
        Some((script.status, script.headers.clone(), script.body.clone()))
    }

    fn unauthorized(&self, head: &Head) -> Option<wire::Answer> {
        let login = self.options.login.as_ref()?;
        let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password)));
        let headers = vec![("www-authenticate", "Basic realm=\"git\"".to_owned())];
        (head.header("authorization") != Some(&wanted)).then(|| ("401 Unauthorized", headers, b"no\n".to_vec()))
    }

    /// Only the one repository is served, though others may lie beside it.
    fn missing(&self, head: &Head) -> Option<wire::Answer> {
        let is_ours = head.target.strip_prefix(&self.base()).is_some_and(|rest| rest.starts_with('/'));
        (!is_ours).then(|| ("404 Not Found", Vec::new(), b"there is no such repository\n".to_vec()))
    }

    /// Lets Git answer. Its work is brought to an end even when the client goes away before it has the answer.
    fn run(&self, stream: &mut Stream<impl Read + Write>, head: &Head, done: &mut Request) -> io::Result<()> {
        let mut child = self.backend(head).spawn()?;
        let pieces = read_in_pieces(&mut child);
        let mut input = child.stdin.take();
        let fed = feed(stream, head, &mut input, done);
        if fed.is_err() {
            // It must not take what came for the whole.
            drop(child.kill());
        }
        drop(input);
        let mut answer = wire::Relay::default();
        let mut sent = fed;
        // To the end of what Git prints: then all of its processes have ended.
        for piece in pieces {
            if sent.is_ok() {
                sent = answer.pass_on(stream, &piece, done);
            }
        }
        drop(child.wait());
        sent.and_then(|()| answer.end(stream))
    }

    fn backend(&self, head: &Head) -> Command {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let parent = self.repository.parent().expect("a repository lies in a folder");
        // Not through `git`, which would be a process between.
        let mut command = scrubbed(&self.programs.join("git-http-backend"), parent);
        command
            .envs([("GIT_HTTP_EXPORT_ALL", "1"), ("GATEWAY_INTERFACE", "CGI/1.1"), ("SERVER_PROTOCOL", "HTTP/1.1")])
            .env("GIT_PROJECT_ROOT", parent)
            .env("REMOTE_ADDR", "127.0.0.1")
            // Git lets nobody write who has no name.
            .env("REMOTE_USER", self.options.login.as_ref().map_or("anonymous", |login| login.user))
            .env("REQUEST_METHOD", &head.method)
            .env("PATH_INFO", path.strip_prefix(self.options.sub_path).unwrap_or(path))
            .env("QUERY_STRING", query)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut passed = vec![
            ("content-type", "CONTENT_TYPE"),
            ("content-length", "CONTENT_LENGTH"),
            ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ];
        match self.options.protocol {
            Protocol::AsAsked => passed.push(("git-protocol", "GIT_PROTOCOL")),
            Protocol::Zero => (),
        }
        command.envs(passed.into_iter().filter_map(|(header, name)| Some((name, head.header(header)?))));
        command
    }
}

/// Gives the body to Git. That Git does not want it to its end is no matter; that the client breaks off is.
fn feed(
    stream: &mut Stream<impl Read + Write>,
    head: &Head,
    input: &mut Option<ChildStdin>,
    done: &mut Request,
) -> io::Result<()> {
    if head.waits_for_permission() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        stream.flush()?;
    }
    let mut body = head.body();
    while let Some(piece) = body.next(stream)? {
        done.received += piece.len() as u64;
        *input = input.take().filter(|mut input| input.write_all(&piece).is_ok());
    }
    Ok(())
}

/// Reads all that Git prints, so that it never waits for the client.
fn read_in_pieces(child: &mut Child) -> mpsc::Receiver<Vec<u8>> {
    let mut output = child.stdout.take().expect("it has a pipe");
    let (sender, pieces) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = vec![0; 16 << 10];
        while let Ok(size @ 1..) = output.read(&mut piece) {
            if sender.send(piece[..size].to_vec()).is_err() {
                return;
            }
        }
    });
    pieces
}

/// The name of a repository's folder.
fn name(repository: &Path) -> String {
    repository.file_name().expect("it has a name").to_string_lossy().into_owned()
}

/// Git with nothing of this machine in its environment but where programs are.
fn git(folder: &Path) -> Command {
    scrubbed(Path::new("git"), folder)
}

fn scrubbed(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
    command
}

/// Where Git keeps the programs that are not for people.
fn programs() -> PathBuf {
    let output = git(Path::new("/")).arg("--exec-path").output().expect("git is installed");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// A certificate that vouches for itself, and a server that shows it.
fn certificate() -> (String, ServerConfig) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions of the provider")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a key of its own");
    (made.cert.pem(), config)
}
