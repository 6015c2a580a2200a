//! What happens when the connection is made.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

use insta::assert_snapshot;

use super::*;
use crate::edge::kube::kubeconfig::{
    Allowed, from_text,
    server::AddressRefused,
    tests::{EVERYTHING, TENANT, kubeconfig, material::CERTIFICATE, read, report, run},
};

const LIMIT: Duration = Duration::from_secs(10);
const LOOPBACK: Origin = Origin::Tenant(ServerPolicy { allow_loopback: true, allow_link_local: false });

/// An API server that answers everything with `{}` and tells what it was asked.
fn server() -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (asked, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            let request = lines.collect::<Vec<_>>().join("\n").to_lowercase();
            if asked.send(request).is_err() {
                break;
            }
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.write_all(answer.as_bytes()).expect("somebody listens");
        }
    });
    (port, requests)
}

fn ask(connection: Connection) -> Result<String, kube::Error> {
    run(async {
        let client = connection.client(LIMIT).map_err(|error| panic!("{}", report(&error))).expect("a client");
        client.request_text(http::Request::get("/version").body(Vec::new()).expect("a request")).await
    })
}

fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut causes = std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source());
    causes.find_map(|error| error.downcast_ref())
}

#[test]
fn a_request_says_which_program_asks_and_who() {
    for origin in [Origin::Own(Allowed::default()), LOOPBACK] {
        let (port, requests) = server();
        let own = matches!(origin, Origin::Own(_));
        // A tenant's token is never sent like that.
        let user = if own { "token: abc" } else { "" };
        let connection = read(&kubeconfig(&format!("server: 'http://127.0.0.1:{port}/base'"), user), origin);
        assert_eq!(ask(connection.expect("lawful")).expect("an answer"), "{}");
        let request = requests.recv_timeout(LIMIT).expect("a request");
        assert!(request.starts_with("get /base/version http/1.1"), "{request}");
        assert!(request.contains(concat!("user-agent: bobbypin/", env!("CARGO_PKG_VERSION"))), "{request}");
        assert_eq!(request.contains("authorization: bearer abc"), own, "{request}");
    }
}

#[test]
fn a_server_has_the_name_that_it_is_reached_by_unless_that_is_an_address() {
    for (server, name) in [
        ("https://API.Edge.example.org:6443/base", Some("api.edge.example.org")),
        ("https://api.edge.example.org.", Some("api.edge.example.org")),
        ("https://192.0.2.1:6443", None),
        ("https://[2001:db8::1]:6443", None),
        ("https://kubernetes", None),
    ] {
        let connection = read(&kubeconfig(&format!("server: '{server}'"), ""), LOOPBACK).expect("lawful");
        assert_eq!(connection.server_name().map(|name| name.to_string()).as_deref(), name, "{server}");
    }
}

#[test]
fn a_name_that_leads_to_this_machine_is_refused_for_a_tenant_when_it_is_connected_to() {
    let (port, requests) = server();
    let text = kubeconfig(&format!("server: 'http://localhost:{port}'"), "");
    let allowed = read(&text, LOOPBACK).expect("lawful");
    // As if the name had been another one when the text was read.
    let refused = Connection { policy: Some(ServerPolicy::default()), ..read(&text, LOOPBACK).expect("lawful") };
    let error = ask(refused).expect_err("a refusal");
    let cause: &AddressRefused = cause(&error).expect("the refusal is among the causes");
    let kind = cause.kind;
    assert_eq!((cause.host.as_str(), cause.address.is_loopback()), ("localhost", true));
    assert_eq!(kind.to_string(), "a loopback address");
    assert!(requests.try_recv().is_err(), "nothing was sent");

    assert_eq!(ask(allowed).expect("an answer"), "{}");
}

#[test]
fn a_server_that_is_silent_costs_the_limit_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    for origin in [Origin::Own(Allowed::default()), LOOPBACK] {
        // The handshake never ends.
        let text = kubeconfig(
            &format!("server: 'https://127.0.0.1:{port}', certificate-authority-data: {CERTIFICATE}"),
            "token: abc",
        );
        let connection = read(&text, origin).expect("lawful");
        let error = run(async {
            let client = connection.client(Duration::from_millis(100)).expect("a client");
            client.request_text(http::Request::get("/version").body(Vec::new()).expect("a request")).await
        });
        let error = error.expect_err("a timeout");
        let cause: &io::Error = cause(&error).expect("a cause of the system's kind");
        assert_eq!(cause.kind(), io::ErrorKind::TimedOut, "{error:?}");
    }
}

#[test]
fn a_program_runs_only_when_it_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("it-ran");
    let program = folder.path().join("plugin");
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-the-program"}}"#;
    let script = format!("#!/bin/sh\ntouch '{}'\necho '{credential}'\n", trace.display());
    fs::write(&program, script).expect("a file");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    let (port, requests) = server();
    let text = kubeconfig(
        &format!("server: 'http://127.0.0.1:{port}'"),
        &format!(
            "exec: {{command: '{}', apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}",
            program.display()
        ),
    );
    for origin in
        [TENANT, LOOPBACK, Origin::Own(Allowed::default()), Origin::Own(Allowed { exec: false, ..EVERYTHING })]
    {
        assert!(matches!(read(&text, origin), Err(KubeconfigError::Refused(_))));
    }
    let connection = read(&text, Origin::Own(Allowed { exec: true, ..Allowed::default() })).expect("allowed");
    assert!(!trace.exists(), "it runs when the client is made");
    assert_eq!(
        format!("{connection:?}"),
        format!("Connection {{ server: \"http://127.0.0.1:{port}\", login: Program, .. }}")
    );
    ask(connection).expect("an answer");
    assert!(trace.exists());
    let request = requests.recv_timeout(LIMIT).expect("a request");
    assert!(request.contains("authorization: bearer from-the-program"), "{request}");
}

#[test]
fn what_a_failing_program_prints_is_not_repeated() {
    let fails = |user: &str| {
        let text = kubeconfig("server: 'https://api.example.org'", user);
        let connection = read(&text, Origin::Own(EVERYTHING)).expect("allowed");
        report(&run(async { connection.client(LIMIT) }).map(drop).expect_err("a failure"))
    };
    let program =
        |script: &str| fails(&format!("exec: {{command: sh, args: ['-c', '{script}'], interactiveMode: Never}}"));
    assert_snapshot!(program("echo canary; echo canary >&2; exit 3"), @r#"
    the program that makes the credentials of the user `admin` failed: exit status: 3
      hint: `kubectl auth whoami` runs it too and shows what it says
    "#);
    assert_snapshot!(program("echo canary"), @r#"
    the program or service of the user `admin` gives no credentials that can be used
      hint: `kubectl auth whoami` runs it too and shows what it says
    "#);
    assert_snapshot!(fails("exec: {command: /nonexistent/canary}"), @r#"
    cannot start the program that makes the credentials of the user `admin`: No such file or directory (os error 2)
      hint: `kubectl auth whoami` runs it too and shows what it says
    "#);
    assert_snapshot!(fails("auth-provider: {name: azure}"), @r#"
    the program or service of the user `admin` gives no credentials that can be used
      hint: `kubectl auth whoami` runs it too and shows what it says
    "#);
    assert_snapshot!(fails("tokenFile: /nonexistent/canary"), @r#"
    cannot read the file that `tokenFile` of the user `admin` names: No such file or directory (os error 2)
      hint: `kubectl config view --raw --flatten` puts the files into the kubeconfig
    "#);
}

#[test]
fn a_file_is_opened_only_when_it_is_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    let opened = watch(&pipe);
    let (port, requests) = server();
    let text = kubeconfig(&format!("server: 'http://127.0.0.1:{port}'"), &format!("tokenFile: '{}'", pipe.display()));
    for origin in [TENANT, LOOPBACK, Origin::Own(Allowed { files: false, ..EVERYTHING })] {
        assert!(matches!(read(&text, origin), Err(KubeconfigError::Refused(_))));
    }
    assert!(!opened.load(Ordering::SeqCst));
    // That would have been noticed.
    assert_eq!(fs::read_to_string(&pipe).expect("the token"), "from-the-pipe");
    assert!(opened.load(Ordering::SeqCst));

    fs::remove_file(&pipe).expect("the pipe");
    fs::write(&pipe, "from-the-file").expect("a file");
    ask(read(&text, Origin::Own(EVERYTHING)).expect("allowed")).expect("an answer");
    let request = requests.recv_timeout(LIMIT).expect("a request");
    assert!(request.contains("authorization: bearer from-the-file"), "{request}");
}

/// Waits for a reader of the pipe, and gives it a token.
fn watch(pipe: &Path) -> Arc<AtomicBool> {
    let opened = Arc::new(AtomicBool::new(false));
    let (pipe, flag) = (pipe.to_owned(), opened.clone());
    thread::spawn(move || {
        let mut writer = fs::OpenOptions::new().write(true).open(pipe).expect("a reader");
        flag.store(true, Ordering::SeqCst);
        writer.write_all(b"from-the-pipe").expect("the reader reads");
    });
    opened
}

#[test]
fn the_environments_proxy_is_for_what_it_is_meant_for() {
    let environment =
        Matcher::builder().https("http://proxy.example.org:3128").no("10.0.0.0/8, .internal.example.org").build();
    let used = |url: &str| {
        let url: Uri = url.parse().expect("a URL");
        is_for_proxy(&Server::of(&url).expect("a server"), &url, &environment)
    };
    assert!(used("https://api.example.org:6443"));
    assert!(used("https://192.0.2.1"));
    assert!(!used("https://10.1.2.3:6443"));
    assert!(!used("https://api.internal.example.org"));
    assert!(!used("https://127.0.0.1:6443"));
    assert!(!used("https://localhost"));
    assert!(!used("http://api.example.org"));
}

/// Runs the calling test in a process of its own, with another environment; there it does `work`.
fn in_another_process(test: &str, environment: &[(&str, &str)], work: impl FnOnce()) {
    const INSIDE: &str = "BOBBYPIN_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return work();
    }
    let name = format!("{}::{test}", module_path!().split_once("::").expect("a crate and a path").1);
    let program = std::env::current_exe().expect("a program");
    let mut command = Command::new(program);
    command.args(["--exact", &name]).env(INSIDE, "1").envs(environment.iter().copied());
    let output = command.output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn a_machine_without_authorities_gives_an_error_with_advice() {
    let nowhere = [("SSL_CERT_FILE", "/nonexistent/file"), ("SSL_CERT_DIR", "/nonexistent/folder")];
    in_another_process("a_machine_without_authorities_gives_an_error_with_advice", &nowhere, without_authorities);
}

fn without_authorities() {
    let client = |cluster: &str, origin| {
        let connection = read(&kubeconfig(cluster, "token: abc"), origin).expect("lawful");
        run(async { connection.client(LIMIT) }).map(drop)
    };
    let with_authority = format!("server: 'https://api.example.org', certificate-authority-data: {CERTIFICATE}");
    let [tenant, own] = [TENANT, Origin::Own(EVERYTHING)].map(|origin| {
        client(&with_authority, origin).expect("an authority of its own");
        report(&client("server: 'https://api.example.org'", origin).expect_err("no authorities"))
    });
    assert_eq!(tenant, own);
    assert_snapshot!(own, @r"
    nothing says which certificate `https://api.example.org:443` must have, and this machine has no list of authorities
      hint: install the package `ca-certificates`, or put `certificate-authority-data` into the kubeconfig
    ");
    client("server: 'http://api.example.org'", Origin::Own(EVERYTHING)).expect("no certificates at all");
    client("server: 'https://api.example.org', insecure-skip-tls-verify: true", Origin::Own(EVERYTHING))
        .expect("no certificate is checked");
}

#[test]
fn the_environments_proxy_is_never_used_for_a_tenant() {
    let proxy = [("HTTPS_PROXY", "http://proxy.example.org:3128"), ("NO_PROXY", "10.0.0.0/8")];
    in_another_process("the_environments_proxy_is_never_used_for_a_tenant", &proxy, with_a_proxy);
}

fn with_a_proxy() {
    let proxy = |server: &str, origin| {
        let text = kubeconfig(&format!("server: '{server}'"), "").into();
        let connection = run(from_text(&text, None, origin)).expect("lawful");
        connection.config.proxy_url.map(|url| url.to_string())
    };
    let own = Origin::Own(Allowed::default());
    assert_eq!(proxy("https://api.example.org", own).as_deref(), Some("http://proxy.example.org:3128/"));
    assert_eq!(proxy("https://10.1.2.3", own), None);
    assert_eq!(proxy("https://api.example.org", TENANT), None);
}

#[test]
fn outside_of_a_pod_there_is_no_service_account() {
    let environment = [("KUBERNETES_SERVICE_HOST", "192.0.2.1"), ("KUBERNETES_SERVICE_PORT", "none")];
    in_another_process("outside_of_a_pod_there_is_no_service_account", &environment, outside_of_a_pod);
}

fn outside_of_a_pod() {
    let error = in_cluster().expect_err("not in a pod");
    assert_snapshot!(report(&error), @r#"
    there is no service account of a pod here: failed to parse cluster port: invalid digit found in string: invalid digit found in string
      hint: outside of a cluster, name a context or a kubeconfig
    "#);
}
