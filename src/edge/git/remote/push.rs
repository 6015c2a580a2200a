//! Asking a server to replace a reference, and reading what became of it.

use crate::edge::git::remote::{
    advertisement::Advertisement,
    fetch::AGENT,
    packet::{Frames, Malformed, Message, Packet},
};

/// No object: in the place of the old one it says that the reference must not exist.
pub(super) const ZERO: &str = "0000000000000000000000000000000000000000";

/// A reference that is to be replaced if it still stands for `old`.
#[derive(Clone, Debug)]
pub(super) struct Update<'a> {
    /// The full name.
    pub(super) reference: &'a str,
    pub(super) old: &'a str,
    /// [`ZERO`]: the reference is to go.
    pub(super) new: &'a str,
}

impl Update<'_> {
    /// The request: the command, and the objects that the server may lack.
    pub(super) fn request(&self, server: &Advertisement, pack: &[u8]) -> Vec<u8> {
        let mut words: Vec<_> =
            ["report-status", "side-band-64k", "quiet"].into_iter().filter(|word| server.has(word)).collect();
        words.push(AGENT);
        let Self { reference, old, new } = self;
        let command = format!("{old} {new} {reference}\0 {}", words.join(" "));
        let mut bytes = Message::default().data(&command).flush().bytes();
        if *new != ZERO {
            bytes.extend_from_slice(pack);
        }
        bytes
    }
}

/// What a server says of an update, as it comes.
#[derive(Debug, Default)]
pub(super) struct Report {
    has_bands: bool,
    inner: Frames,
    unpacked: Option<String>,
    reference: Option<Verdict>,
    /// What the server and its hooks print for people.
    pub(super) words: String,
    fatal: Option<String>,
    is_whole: bool,
}

/// What became of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server says that it was replaced.
    Accepted,
    /// It says that it was not, and why.
    Refused(String),
}

/// The most bytes of words that are kept.
const WORDS: usize = 8 << 10;

impl Report {
    pub(super) fn new(server: &Advertisement) -> Self {
        Self { has_bands: server.has("side-band-64k"), ..Self::default() }
    }

    /// Takes one frame. `true`: that was the last.
    pub(super) fn take(&mut self, packet: Packet<'_>, reference: &str) -> Result<bool, Malformed> {
        if !self.has_bands {
            self.status(packet, reference)?;
            return Ok(self.is_whole);
        }
        match packet {
            Packet::Flush => {
                self.inner.finish()?;
                self.is_whole = true;
            }
            Packet::Data([1, bytes @ ..]) => {
                let mut inner = std::mem::take(&mut self.inner);
                inner.feed(bytes, |packet| self.status(packet, reference))?;
                self.inner = inner;
                self.is_whole = false;
            }
            Packet::Data([2, bytes @ ..]) => self.say(bytes),
            Packet::Data([3, bytes @ ..]) => self.fatal = Some(String::from_utf8_lossy(bytes).trim().to_owned()),
            _ => return Err(Malformed::out_of_place(packet)),
        }
        Ok(self.is_whole)
    }

    fn say(&mut self, bytes: &[u8]) {
        let room = WORDS.saturating_sub(self.words.len());
        self.words.extend(String::from_utf8_lossy(bytes).chars().take(room));
    }

    fn status(&mut self, packet: Packet<'_>, reference: &str) -> Result<(), Malformed> {
        match packet.line() {
            None if packet == Packet::Flush => self.is_whole = true,
            Some(line) => {
                if let Some(result) = line.strip_prefix("unpack ") {
                    self.unpacked = Some(result.to_owned());
                } else if let Some(name) = line.strip_prefix("ok ") {
                    if name == reference {
                        self.reference = Some(Verdict::Accepted);
                    }
                } else if let Some(rest) = line.strip_prefix("ng ") {
                    let (name, why) = rest.split_once(' ').unwrap_or((rest, "no reason given"));
                    if name == reference {
                        self.reference = Some(Verdict::Refused(why.to_owned()));
                    }
                } else if !line.starts_with("option ") {
                    return Err(Malformed::out_of_place(packet));
                }
            }
            None => return Err(Malformed::out_of_place(packet)),
        }
        Ok(())
    }

    /// What became of the reference, when the server said so: `None` when it ended without a word about it.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if let Some(fatal) = &self.fatal {
            return Some(Verdict::Refused(fatal.clone()));
        }
        match (self.unpacked.as_deref(), &self.reference) {
            (_, Some(Verdict::Refused(why))) => Some(Verdict::Refused(why.clone())),
            (Some("ok"), Some(Verdict::Accepted)) => Some(Verdict::Accepted),
            (Some(why), _) if why != "ok" => Some(Verdict::Refused(format!("it cannot unpack the objects: {why}"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn read(has_bands: bool, bytes: &[u8]) -> Result<(Option<Verdict>, String), Malformed> {
        let mut report = Report { has_bands, ..Report::default() };
        Frames::default().feed(bytes, |packet| report.take(packet, MAIN).map(drop))?;
        Ok((report.verdict(), report.words))
    }

    fn band(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut framed = format!("{:04x}", bytes.len() + 5).into_bytes();
        framed.push(number);
        framed.extend_from_slice(bytes);
        framed
    }

    #[test]
    fn only_a_reference_that_is_named_as_replaced_was_replaced() {
        let refused = |why: &str| Some(Verdict::Refused(why.to_owned()));
        for (lines, verdict) in [
            (&["unpack ok", "ok refs/heads/main"][..], Some(Verdict::Accepted)),
            (&["unpack ok", "ng refs/heads/main pre-receive hook declined"], refused("pre-receive hook declined")),
            (&["unpack ok", "ng refs/heads/main"], refused("no reason given")),
            (&["unpack index-pack abnormal exit", "ng refs/heads/main unpacker error"], refused("unpacker error")),
            (&["unpack disk full"], refused("it cannot unpack the objects: disk full")),
            (&["unpack ok", "ok refs/heads/other"], None),
            (&["unpack ok"], None),
            (&["ok refs/heads/main"], None),
            (&[], None),
        ] {
            let inner = lines.iter().fold(Message::default(), |message, line| message.line(line)).flush().bytes();
            assert_eq!(read(false, &inner).unwrap().0, verdict, "{lines:?}");
            // The frames of the report may be cut anywhere by those of the bands.
            let (one, two) = inner.split_at(inner.len() / 2);
            let bytes = [band(2, b"remote words\n"), band(1, one), band(1, two), b"0000".to_vec()].concat();
            assert_eq!(read(true, &bytes).unwrap(), (verdict, "remote words\n".to_owned()), "{lines:?}");
        }
        let fatal = [band(3, b"out of memory\n"), b"0000".to_vec()].concat();
        assert_eq!(read(true, &fatal).unwrap().0, refused("out of memory"));
        assert!(read(true, b"0009hello").is_err());
    }

    #[test]
    fn the_request_names_both_commits_and_carries_the_objects() {
        let (old, new) = ("1".repeat(40), "2".repeat(40));
        let update = Update { reference: MAIN, old: &old, new: &new };
        let text = String::from_utf8(update.request(&Advertisement::default(), b"PACK")).unwrap();
        assert_eq!(text, format!("{:04x}{old} {new} {MAIN}\0 {AGENT}0000PACK", 4 + 82 + MAIN.len() + 2 + AGENT.len()));
        let gone = Update { reference: MAIN, old: &old, new: ZERO };
        assert!(gone.request(&Advertisement::default(), b"PACK").ends_with(b"0000"));
    }
}
