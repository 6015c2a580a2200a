//! What a server says first: its references and what it can do.

use std::collections::BTreeMap;

use crate::edge::git::remote::packet::{Malformed, Packet};

/// What a server says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Advertisement {
    /// Whether the server speaks the second version of the protocol.
    pub(super) is_v2: bool,
    /// What it can do, with values.
    capabilities: BTreeMap<String, String>,
    /// Its references, when it names them at once.
    pub(super) references: References,
    state: State,
}

/// References by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// What each stands for, as 40 hex digits.
    pub(super) ids: BTreeMap<String, String>,
    /// Those that stand for another one.
    pub(super) symbolic: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing, or the line that names the service.
    #[default]
    Begin,
    /// After the first line.
    Rest,
    /// All was said.
    End,
}

impl Advertisement {
    /// Takes one frame. `true`: that was the last.
    pub(super) fn take(&mut self, packet: Packet<'_>) -> Result<bool, Malformed> {
        match (self.state, packet) {
            (State::Begin, Packet::Data(bytes)) => {
                let line = packet.line();
                if line.is_some_and(|line| line.starts_with("# service=")) || line == Some("version 1") {
                    return Ok(false);
                }
                self.state = State::Rest;
                if line == Some("version 2") {
                    self.is_v2 = true;
                    return Ok(false);
                }
                // The capabilities of the older protocol stand behind the first reference.
                let at = bytes.iter().position(|byte| *byte == 0).ok_or_else(|| Malformed::out_of_place(packet))?;
                let text = str::from_utf8(&bytes[at + 1..]).map_err(|_| Malformed::out_of_place(packet))?;
                for word in text.split_whitespace() {
                    match word.split_once('=') {
                        Some(("symref", pair)) => {
                            let (from, to) = pair.split_once(':').unwrap_or((pair, ""));
                            self.references.symbolic.insert(from.to_owned(), to.to_owned());
                        }
                        _ => self.can(word),
                    }
                }
                self.reference(Packet::Data(&bytes[..at]))?;
                Ok(false)
            }
            // The line that names the service ends with a flush of its own.
            (State::Begin, Packet::Flush) => Ok(false),
            (State::Rest, Packet::Data(_)) => {
                if self.is_v2 {
                    let line = packet.line().ok_or_else(|| Malformed::out_of_place(packet))?;
                    self.can(line);
                } else {
                    self.reference(packet)?;
                }
                Ok(false)
            }
            (State::Rest, Packet::Flush) => {
                self.state = State::End;
                Ok(true)
            }
            _ => Err(Malformed::out_of_place(packet)),
        }
    }

    /// Whether all was said.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::End
    }

    /// Whether the server can do something.
    pub(super) fn has(&self, capability: &str) -> bool {
        self.capabilities.contains_key(capability)
    }

    /// Whether a word stands in the value of something the server can do, as `filter` in `fetch=shallow filter`.
    pub(super) fn has_feature(&self, capability: &str, word: &str) -> bool {
        self.capabilities.get(capability).is_some_and(|words| words.split(' ').any(|found| found == word))
    }

    /// The kind of its objects' ids.
    pub(super) fn object_format(&self) -> &str {
        self.capabilities.get("object-format").map_or("sha1", String::as_str)
    }

    fn can(&mut self, word: &str) {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        self.capabilities.insert(name.to_owned(), value.to_owned());
    }

    fn reference(&mut self, packet: Packet<'_>) -> Result<(), Malformed> {
        let wrong = || Malformed::out_of_place(packet);
        let line = packet.line().ok_or_else(wrong)?;
        let (id, name) = line.split_once(' ').ok_or_else(wrong)?;
        match (id, name) {
            // What a repository without references says, to have a line for its capabilities.
            (_, "capabilities^{}") | ("shallow", _) => Ok(()),
            (id, name) if is_id(id) && !name.ends_with("^{}") => {
                self.references.ids.insert(name.to_owned(), id.to_owned());
                Ok(())
            }
            (id, _) if is_id(id) => Ok(()),
            _ => Err(wrong()),
        }
    }
}

impl References {
    /// Takes one frame of the answer to `ls-refs`: `<id> <name> [symref-target:<name>]`. `true`: that was the last.
    pub(super) fn take(&mut self, packet: Packet<'_>) -> Result<bool, Malformed> {
        if packet == Packet::Flush {
            return Ok(true);
        }
        let wrong = || Malformed::out_of_place(packet);
        let line = packet.line().ok_or_else(wrong)?;
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else { return Err(wrong()) };
        for word in words {
            if let Some(target) = word.strip_prefix("symref-target:") {
                self.symbolic.insert(name.to_owned(), target.to_owned());
            }
        }
        // A branch without a commit is named in this way.
        if id == "unborn" {
            return Ok(false);
        }
        if !is_id(id) {
            return Err(wrong());
        }
        self.ids.insert(name.to_owned(), id.to_owned());
        Ok(false)
    }

    /// The names of branches, in order.
    pub(super) fn branches(&self) -> impl Iterator<Item = &str> {
        self.ids.keys().filter_map(|name| name.strip_prefix("refs/heads/"))
    }
}

/// Whether a text is the id of an object.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::git::remote::packet::{Frames, Message};

    fn read(bytes: &[u8]) -> Result<Advertisement, Malformed> {
        let mut advertisement = Advertisement::default();
        Frames::default().feed(bytes, |packet| advertisement.take(packet).map(drop))?;
        Ok(advertisement)
    }

    #[test]
    fn the_older_protocol_names_its_references_at_once() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let bytes = Message::default()
            .line("# service=git-receive-pack")
            .flush()
            .line(&format!("{one} HEAD\0report-status symref=HEAD:refs/heads/main agent=git/2"))
            .line(&format!("{one} refs/heads/main"))
            .line(&format!("{two} refs/tags/v1"))
            .line(&format!("{one} refs/tags/v1^{{}}"))
            .flush()
            .bytes();
        let found = read(&bytes).unwrap();
        assert!(found.is_whole() && !found.is_v2 && found.has("report-status"));
        assert_eq!(found.references.symbolic["HEAD"], "refs/heads/main");
        let ids: Vec<_> = found.references.ids.iter().map(|(name, id)| (name.as_str(), &id[..1])).collect();
        assert_eq!(ids, [("HEAD", "1"), ("refs/heads/main", "1"), ("refs/tags/v1", "2")]);
    }

    #[test]
    fn an_empty_repository_has_capabilities_all_the_same() {
        let line = format!("{} capabilities^{{}}\0report-status object-format=sha1", "0".repeat(40));
        let found = read(&Message::default().line(&line).flush().bytes()).unwrap();
        assert!(found.references.ids.is_empty() && found.has("report-status"));
    }

    #[test]
    fn the_newer_protocol_says_what_it_can() {
        let message = Message::default().line("# service=git-upload-pack").flush().line("version 2");
        let bytes = message.line("ls-refs=unborn").line("fetch=shallow filter").line("object-format=sha256").flush();
        let found = read(&bytes.bytes()).unwrap();
        assert!(found.is_v2 && found.has_feature("fetch", "filter") && !found.has_feature("fetch", "sideband-all"));
        assert_eq!(found.object_format(), "sha256");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for line in ["hello", "ERR no such repository", "0123 refs/heads/main\0x"] {
            assert!(read(&Message::default().line(line).bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn a_list_of_references_says_which_stand_for_others() {
        let one = "1".repeat(40);
        let mut found = References::default();
        let message = Message::default()
            .line(&format!("{one} HEAD symref-target:refs/heads/main"))
            .line(&format!("{one} refs/heads/main"))
            .line("unborn refs/heads/next symref-target:refs/heads/x")
            .flush();
        let mut is_done = false;
        let all = Frames::default().feed(&message.bytes(), |packet| found.take(packet).map(|done| is_done = done));
        assert_eq!((all, is_done), (Ok(()), true));
        assert_eq!(found.branches().collect::<Vec<_>>(), ["main"]);
        assert_eq!(found.symbolic["HEAD"], "refs/heads/main");
    }
}
