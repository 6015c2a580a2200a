//! CoreDNS on loopback, and a client that asks it.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::support::{
    component,
    process::{Process, folder},
};

/// A type of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    A = 1,
    Aaaa = 28,
}

/// The way that a question takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Udp,
    Tcp,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 0 is success, 2 a failure of the server, 3 no such name, 5 a refusal.
    pub(crate) code: u8,
    /// The name that the question of the answer has.
    pub(crate) question: String,
    /// The addresses of the answer, each with the name it is given.
    pub(crate) addresses: BTreeSet<(String, IpAddr)>,
}

/// Asks one question. The name is the labels between its dots, whatever stands in them.
///
/// # Errors
///
/// When there is no answer within two seconds, or none that can be read. A label that no question can hold is one, too.
pub(crate) fn ask(server: SocketAddr, name: &str, kind: Kind, way: Way) -> io::Result<Answer> {
    let question = question(name, kind)?;
    let limit = Some(Duration::from_secs(2));
    let mut packet = vec![0; 65_535];
    match way {
        Way::Udp => {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(limit)?;
            socket.connect(server)?;
            socket.send(&question)?;
            let length = socket.recv(&mut packet)?;
            packet.truncate(length);
        }
        Way::Tcp => {
            let mut stream = TcpStream::connect(server)?;
            stream.set_read_timeout(limit)?;
            let length = u16::try_from(question.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes()[..], &question].concat())?;
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            packet.truncate(u16::from_be_bytes(length).into());
            stream.read_exact(&mut packet)?;
        }
    }
    read(&packet).ok_or_else(|| io::Error::other(format!("an answer that cannot be read: {packet:02x?}")))
}

fn question(name: &str, kind: Kind) -> io::Result<Vec<u8>> {
    // Some number, a question that may be resolved, and one question.
    let mut packet = vec![0x62, 0x70, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let name = name.trim_end_matches('.');
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        packet
            .push(length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no question can hold this name"))?);
        packet.extend(label.as_bytes());
    }
    if packet.len() > 12 + 254 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no question can hold this name"));
    }
    packet.extend([0, 0, kind as u8, 0, 1]);
    Ok(packet)
}

fn read(packet: &[u8]) -> Option<Answer> {
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let mut at = 12;
    let mut question = String::new();
    for _ in 0..number(4)? {
        question = name(packet, &mut at)?;
        at += 4;
    }
    let mut addresses = BTreeSet::new();
    for _ in 0..number(6)? {
        let owner = name(packet, &mut at)?;
        let (kind, length) = (number(at)?, usize::from(number(at + 8)?));
        let data = packet.get(at + 10..at + 10 + length)?;
        at += 10 + length;
        match kind {
            1 => drop(addresses.insert((owner, Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()))),
            28 => drop(addresses.insert((owner, Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()))),
            _ => {}
        }
    }
    Some(Answer { code: packet.get(3)? & 15, question, addresses })
}

/// Reads a name, which may go on somewhere before.
fn name(packet: &[u8], at: &mut usize) -> Option<String> {
    let (mut here, mut is_moved, mut text) = (*at, false, String::new());
    for _ in 0..128 {
        let length = usize::from(*packet.get(here)?);
        if length >= 0xc0 {
            if !is_moved {
                *at = here + 2;
            }
            is_moved = true;
            here = (length & 0x3f) << 8 | usize::from(*packet.get(here + 1)?);
            continue;
        }
        here += 1;
        if length == 0 {
            if !is_moved {
                *at = here;
            }
            return Some(if text.is_empty() { ".".to_owned() } else { text });
        }
        text.push_str(&String::from_utf8_lossy(packet.get(here..here + length)?));
        text.push('.');
        here += length;
    }
    None
}

/// A CoreDNS that has loaded its Corefile.
#[derive(Debug)]
pub(crate) struct CoreDns {
    process: Process,
    folder: PathBuf,
}

impl CoreDns {
    /// Starts a program with a Corefile. An error is what it printed when it refused.
    ///
    /// In the text `FOLDER` stands for the folder of the server, in which `files` are put first.
    pub(crate) fn start(program: &str, corefile: &str, files: &[(&str, &str)]) -> Result<Self, String> {
        let folder = folder();
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a folder of ours");
        }
        let path = folder.to_str().expect("a temporary folder has a plain name");
        fs::write(folder.join("Corefile"), corefile.replace("FOLDER", path)).expect("a folder of ours");
        Self::open(program, folder)
    }

    fn open(program: &str, folder: PathBuf) -> Result<Self, String> {
        let arguments = ["-conf".to_owned(), folder.join("Corefile").display().to_string()];
        let mut process = Process::start(&component(program), &arguments, &folder);
        let log = folder.join("log");
        let is_ready = || fs::read_to_string(&log).is_ok_and(|log| log.contains("\nCoreDNS-"));
        if process.becomes_ready(Duration::from_secs(30), is_ready) {
            Ok(Self { process, folder })
        } else {
            Err(process.printed())
        }
    }

    /// The folder of its files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("a log")
    }

    /// Kills it and starts it again, with the files as they are now. An error is what it printed when it refused.
    pub(crate) fn restart(self, program: &str) -> Result<Self, String> {
        let Self { process, folder } = self;
        process.kill();
        fs::write(folder.join("log"), "").expect("a folder of ours");
        Self::open(program, folder)
    }
}
