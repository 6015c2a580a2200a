//! Asking for objects, and reading what comes.

use crate::edge::git::remote::{
    advertisement::Advertisement,
    packet::{Malformed, Message, Packet},
};

/// How this program calls itself.
pub(super) const AGENT: &str = concat!("agent=bobbypin/", env!("CARGO_PKG_VERSION"));

/// What is wanted of a server.
#[derive(Clone, Debug)]
pub(super) struct Wants<'a> {
    /// The ids of objects.
    pub(super) ids: &'a [String],
    /// How many commits of the history; 0: what is wanted are not commits.
    pub(super) depth: usize,
    /// Which of the objects that belong to them are left out.
    pub(super) filter: Option<&'static str>,
    /// A commit that is there already, without its parents.
    pub(super) have: Option<&'a str>,
}

impl Wants<'_> {
    /// The request, in the version that the server speaks.
    pub(super) fn request(&self, server: &Advertisement) -> Vec<u8> {
        let filter = self.filter.map(|filter| format!("filter {filter}"));
        let shallow = self.have.map(|have| format!("shallow {have}"));
        let deepen = (self.depth > 0).then(|| format!("deepen {}", self.depth));
        let have = self.have.map(|have| format!("have {have}"));
        if server.is_v2 {
            return Message::default()
                .line("command=fetch")
                .line(AGENT)
                .line("object-format=sha1")
                .delimiter()
                .line("ofs-delta")
                .line("no-progress")
                .lines(shallow)
                .lines(deepen)
                .lines(filter)
                .lines(self.ids.iter().map(|id| format!("want {id}")))
                .lines(have)
                .line("done")
                .flush()
                .bytes();
        }
        let offered = ["side-band-64k", "ofs-delta", "no-progress", "shallow", "filter"];
        let mut words: Vec<_> = offered.into_iter().filter(|word| server.has(word)).collect();
        words.push(AGENT);
        let mut ids = self.ids.iter();
        let first = ids.next().map(|id| format!("want {id} {}", words.join(" ")));
        Message::default()
            .lines(first)
            .lines(ids.map(|id| format!("want {id}")))
            .lines(shallow)
            .lines(deepen)
            .lines(filter)
            .flush()
            .lines(have)
            .line("done")
            .bytes()
    }
}

/// The answer to [`Wants`], as it comes.
#[derive(Debug)]
pub(super) struct Arriving {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The newer protocol: the name of a section comes.
    Section,
    /// In a section that is of no interest.
    Other,
    /// The older protocol: lines about where the history ends.
    Shallow,
    /// The older protocol: lines about what is known.
    Acknowledgments,
    /// The pack.
    Pack,
    /// All came.
    End,
}

/// What a frame brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived<'a> {
    /// Nothing of interest.
    Nothing,
    /// A piece of the pack.
    Pack(&'a [u8]),
    /// The server gives up, with these words.
    Fatal(String),
    /// That was the last.
    End,
}

impl Arriving {
    pub(super) fn new(is_v2: bool, depth: usize) -> Self {
        let state = match (is_v2, depth) {
            (true, _) => State::Section,
            (false, 0) => State::Acknowledgments,
            (false, _) => State::Shallow,
        };
        Self { state }
    }

    pub(super) fn take<'a>(&mut self, packet: Packet<'a>) -> Result<Arrived<'a>, Malformed> {
        let line = packet.line();
        self.state = match (self.state, packet) {
            (State::Section, Packet::Data(_)) if line == Some("packfile") => State::Pack,
            (State::Section, Packet::Data(_)) => State::Other,
            (State::Section, Packet::Flush) => State::End,
            (State::Other, Packet::Data(_)) => State::Other,
            (State::Other, Packet::Delimiter) => State::Section,
            (State::Shallow, Packet::Data(_))
                if line.is_some_and(|line| line.starts_with("shallow ") || line.starts_with("unshallow ")) =>
            {
                State::Shallow
            }
            (State::Shallow, Packet::Flush) => State::Acknowledgments,
            (State::Acknowledgments, Packet::Data(_)) if line == Some("NAK") => State::Pack,
            (State::Acknowledgments, Packet::Data(_)) if line.is_some_and(|line| line.starts_with("ACK ")) => {
                State::Pack
            }
            (State::Pack, Packet::Data(bytes)) => {
                return match bytes.split_first() {
                    Some((1, bytes)) => Ok(Arrived::Pack(bytes)),
                    Some((2, _)) => Ok(Arrived::Nothing),
                    Some((3, text)) => Ok(Arrived::Fatal(String::from_utf8_lossy(text).trim().to_owned())),
                    // A second line about what is known.
                    _ if bytes.starts_with(b"ACK ") => Ok(Arrived::Nothing),
                    _ => Err(Malformed::out_of_place(packet)),
                };
            }
            (State::Pack, Packet::Flush) => State::End,
            _ => return Err(Malformed::out_of_place(packet)),
        };
        Ok(if self.state == State::End { Arrived::End } else { Arrived::Nothing })
    }

    /// Whether all came.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::End
    }
}

/// The question for references whose names begin like these.
pub(super) fn list_references(server: &Advertisement, prefixes: &[String]) -> Vec<u8> {
    // A branch without a commit is named only by servers that can.
    let unborn = server.has_feature("ls-refs", "unborn").then(|| "unborn".to_owned());
    Message::default()
        .line("command=ls-refs")
        .line(AGENT)
        .line("object-format=sha1")
        .delimiter()
        .line("symrefs")
        .lines(unborn)
        .lines(prefixes.iter().map(|prefix| format!("ref-prefix {prefix}")))
        .flush()
        .bytes()
}
