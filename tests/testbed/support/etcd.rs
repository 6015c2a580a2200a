//! The store behind the API servers.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::LazyLock,
    time::Duration,
};

use crate::support::{
    component,
    process::{Process, folder, free_port},
};

/// A running etcd with one member.
#[derive(Debug)]
pub(crate) struct Etcd {
    port: u16,
    _process: Process,
}

impl Etcd {
    /// The one that all API servers share, each below a prefix of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Etcd> = LazyLock::new(Etcd::start);
        &SHARED
    }

    /// One more.
    pub(crate) fn start() -> Self {
        let program = component("etcd");
        for _ in 0..5 {
            let (port, peers, folder) = (free_port(), free_port(), folder());
            let arguments = [
                format!("--data-dir={}", folder.join("data").display()),
                format!("--listen-client-urls=http://127.0.0.1:{port}"),
                format!("--advertise-client-urls=http://127.0.0.1:{port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peers}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peers}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peers}"),
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ];
            let mut process = Process::start(&program, &arguments, &folder);
            if process.becomes_ready(Duration::from_secs(30), || is_ready(port)) {
                return Self { port, _process: process };
            }
            assert!(process.printed().contains("address already in use"), "etcd ended:\n{}", process.printed());
            fs::remove_dir_all(&folder).expect("a folder of ours");
        }
        panic!("etcd found every port taken, five times")
    }

    /// Where API servers reach it.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.lines().next().is_some_and(|line| line.contains(" 200 "))
}
