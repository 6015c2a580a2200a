//! What lets a run into a Git server is seen by nobody else: not in what is said at `-vv`, nor in files, in the arguments
//! of programs, in commits or by hooks, however the exchange ends.
#![expect(clippy::disallowed_methods, reason = "these tests write secrets and take the time")]

use std::{fs, time::Instant};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::support::{
    cli::{EDGE, PROGRAM, Ran, Sandbox, finish},
    fault_proxy::{Direction, Fault, FaultProxy, Then},
    git_server::{GitServer, Login, Options, Scheme, Script},
    thorough::{is_thorough, share, size, tell},
};

/// It has characters that are written in another way in addresses.
const CANARY: &str = "canary+71d0c9aa/e5f2";

/// The same in an address.
const QUOTED: &str = "canary%2B71d0c9aa%2Fe5f2";

const LOGIN: Login = Login { user: "bobbypin", password: CANARY };

/// How a run gets its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Token,
    TokenFile,
    Password,
    PasswordFile,
    /// In the address of the checkout's remote.
    Address,
}

const WAYS: [Way; 5] = [Way::Token, Way::TokenFile, Way::Password, Way::PasswordFile, Way::Address];

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Nothing,
    /// The server answers requests with this in their path by this; `CANARY` stands for what it was told.
    Answer {
        path: &'static str,
        status: &'static str,
        header: (&'static str, &'static str),
        body: &'static str,
    },
    /// A hook prints it, and ends in this way.
    Hook(&'static str),
    /// The network does this.
    Network(Fault),
    /// Nobody trusts the server.
    Tls,
    /// Nobody listens.
    Nobody,
    /// The server knows another secret.
    WrongSecret,
}

const READING: &str = "info/refs?service=git-upload-pack";
const PUSHING: &str = "info/refs?service=git-receive-pack";
const NO_HEADER: (&str, &str) = ("x-nothing", "");

/// Each with its exit code.
fn troubles() -> Vec<(i32, Trouble)> {
    let answer = |path, status, header, body| (6, Trouble::Answer { path, status, header, body });
    let html = ("content-type", "text/html");
    let git = ("content-type", "application/x-git-upload-pack-advertisement");
    let cut = |direction, after, then| Trouble::Network(Fault::Cut { direction, after, then });
    vec![
        (0, Trouble::Nothing),
        answer(READING, "401 Unauthorized", NO_HEADER, "unknown: CANARY"),
        answer(READING, "403 Forbidden", NO_HEADER, r#"{"message": "not with CANARY"}"#),
        answer(READING, "404 Not Found", html, "<title>nothing for CANARY</title>"),
        answer(READING, "302 Found", ("location", "http://127.0.0.1:1/CANARY/login?token=CANARY"), ""),
        answer(READING, "200 OK", ("content-type", "text/CANARY"), "hello CANARY"),
        answer(READING, "200 OK", html, "<title>CANARY</title>"),
        answer(READING, "200 OK", git, "PACKET ERR CANARY is not welcome"),
        answer(READING, "200 OK", git, "PACKET hello CANARY"),
        answer("git-upload-pack", "500 Internal Server Error", NO_HEADER, "CANARY"),
        answer(PUSHING, "401 Unauthorized", NO_HEADER, "CANARY has expired"),
        answer("/git-receive-pack", "413 Request Entity Too Large", html, "<title>CANARY</title>"),
        (6, Trouble::Hook("exit 1")),
        (0, Trouble::Hook("exit 0")),
        (6, cut(Direction::ToClient, 500, Then::StaysDown)),
        (0, cut(Direction::ToServer, 500, Then::Heals)),
        (6, Trouble::Network(Fault::BlackHole { direction: Direction::ToClient, after: 300 })),
        (6, Trouble::Tls),
        (6, Trouble::Nobody),
        (6, Trouble::WrongSecret),
    ]
}

/// All forms in which it may be seen: as it is, in an address, in a header, and within any text that is in base64.
fn forms() -> Vec<String> {
    let mut forms = vec![CANARY.to_owned(), QUOTED.to_owned()];
    for before in ["", "-", "--", "bobbypin:"] {
        let packed = BASE64_STANDARD.encode(format!("{before}{CANARY}"));
        // The ends depend on what stands around.
        let inner = &packed[before.len().div_ceil(3) * 4..packed.len() - 4];
        forms.push(inner.to_owned());
    }
    forms
}

/// What a server says that repeats what it was told in every form.
fn repeated(text: &str) -> Vec<u8> {
    let header = BASE64_STANDARD.encode(format!("{}:{CANARY}", LOGIN.user));
    let text = text.replace("CANARY", &format!("{CANARY} {QUOTED} {header}"));
    match text.strip_prefix("PACKET ") {
        Some(line) => format!("{:04x}{line}", line.len() + 4).into_bytes(),
        None => text.into_bytes(),
    }
}

fn start(sandbox: &Sandbox, trouble: Trouble) -> GitServer {
    let scheme = if let Trouble::Tls = trouble { Scheme::Https } else { Scheme::Http };
    let login = if let Trouble::WrongSecret = trouble { Login { password: "other", ..LOGIN } } else { LOGIN };
    let server = GitServer::start(&sandbox.remote(), Options { scheme, login: Some(login), ..Options::default() });
    let mut words = String::new();
    let mut end = "exit 0";
    match trouble {
        Trouble::Answer { path, status, header: (name, value), body } => {
            let value = String::from_utf8(repeated(value)).expect("text");
            let headers = vec![(name, value.replace(' ', if name == "location" { "/" } else { "" }))];
            server.script(Script { path, times: usize::MAX, status, headers, body: repeated(body) });
        }
        Trouble::Hook(how) => {
            words = format!("echo '{}' >&2; ", String::from_utf8(repeated("CANARY")).expect("text"));
            end = how;
        }
        _ => (),
    }
    // What the hook sees is written down too.
    server.hook("pre-receive", &format!("{{ env; cat; cat /proc/$PPID/cmdline; }} >view; {words}{end}"));
    server
}

fn run(sandbox: &Sandbox, way: Way, url: &str, time: &str) -> Ran {
    let mut command = sandbox.scrubbed("strace", &sandbox.work());
    command.args(["-f", "--seccomp-bpf", "-qq", "-s", "4096", "-e", "trace=execve", "-o", "../argv", PROGRAM]);
    command.args(["reconcile", "-vv", "--timeout", time, "--inventory", EDGE]);
    let secret = sandbox.root().join("secret");
    if way != Way::Address {
        command.args(["--remote", url]);
    }
    match way {
        Way::Token => command.env("BOBBYPIN_GITEA_TOKEN", CANARY),
        Way::TokenFile => command.env("BOBBYPIN_GITEA_TOKEN_FILE", &secret),
        Way::Password => command.env("BOBBYPIN_GIT_USERNAME", LOGIN.user).env("BOBBYPIN_GIT_PASSWORD", CANARY),
        Way::PasswordFile => {
            command.env("BOBBYPIN_GIT_USERNAME", LOGIN.user).env("BOBBYPIN_GIT_PASSWORD_FILE", &secret)
        }
        Way::Address => {
            let url = url.replace("://", &format!("://{}:{QUOTED}@", LOGIN.user));
            sandbox.git(&["remote", "set-url", "origin", &url]);
            &mut command
        }
    };
    if matches!(way, Way::TokenFile | Way::PasswordFile) {
        fs::write(secret, format!("{CANARY}\n")).expect("a folder of ours");
    }
    finish(&mut command)
}

/// Fails the test if it is seen anywhere but where somebody put it.
fn expect_unseen(sandbox: &Sandbox, ran: &Ran, case: &str) {
    let forms = forms();
    let look = |place: &str, bytes: &[u8]| {
        for form in &forms {
            let is_seen = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!is_seen, "{case}: {form} is seen in {place}:\n{}", String::from_utf8_lossy(bytes));
        }
    };
    look("what is said", ran.told().as_bytes());
    let allowed = ["secret", "work/.git/config", "remote.git/hooks/pre-receive"].map(|path| sandbox.root().join(path));
    for (path, (_, bytes)) in sandbox.listing() {
        look("a name", path.as_os_str().as_encoded_bytes());
        if !allowed.contains(&path) {
            look(&path.display().to_string(), &bytes);
        }
    }
    let objects =
        sandbox.scrubbed("git", &sandbox.remote()).args(["cat-file", "--batch-all-objects", "--batch"]).output();
    look("an object", &objects.expect("git runs").stdout);
}

#[test]
fn the_forms_of_the_secret_are_found_where_they_are() {
    let header = BASE64_STANDARD.encode(format!("bobbypin:{CANARY}"));
    let inside = BASE64_STANDARD.encode(format!("password={CANARY}&more"));
    for text in [CANARY, QUOTED, &header, &inside] {
        assert!(forms().iter().any(|form| text.contains(form.as_str())), "{text}");
    }
}

#[test]
fn the_secret_is_seen_by_the_server_alone_however_the_exchange_ends() {
    let start = Instant::now();
    let mut rows = Vec::new();
    for (place, (code, trouble)) in troubles().into_iter().enumerate() {
        let ways = WAYS.into_iter().enumerate().filter(|(number, _)| is_thorough() || *number == place % WAYS.len());
        rows.extend(ways.map(|(_, way)| (code, trouble, way)));
    }
    share(&rows, size(3, 6), || (), |(), (code, trouble, way)| exchange(*code, *trouble, *way));
    tell(format!("a secret in {} exchanges, never seen", rows.len()), start.elapsed());
}

fn exchange(code: i32, trouble: Trouble, way: Way) {
    let case = format!("{way:?} {trouble:?}");
    let sandbox = Sandbox::edge();
    let server = start(&sandbox, trouble);
    let proxy = FaultProxy::start(server.port());
    if let Trouble::Network(fault) = trouble {
        proxy.begin(fault);
    }
    let port = match trouble {
        Trouble::Network(_) => proxy.port(),
        Trouble::Nobody => 1,
        _ => server.port(),
    };
    // Only where nothing comes is the time to be over soon.
    let time = if let Trouble::Network(Fault::BlackHole { .. }) = trouble { "1s" } else { "20s" };
    let ran = run(&sandbox, way, &server.url_at(port), time);
    server.settled();
    assert_eq!(ran.code, Some(code), "{case}: {}", ran.told());
    assert_eq!(sandbox.commits() == 2, code == 0, "{case}: {}", ran.told());
    expect_unseen(&sandbox, &ran, &case);
}
