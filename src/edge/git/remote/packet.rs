//! The frames of Git's protocol (gitprotocol-common, "pkt-line"): four hex digits with the length, then the bytes.

use std::fmt::Write;

/// The most bytes of a frame, its length included.
const LARGEST: usize = 65_520;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Bytes; of lines the line feed is left out by [`Packet::line`].
    Data(&'a [u8]),
    /// `0000`: the end of a message.
    Flush,
    /// `0001`: the end of a part of one.
    Delimiter,
    /// `0002`: the end of an answer.
    ResponseEnd,
}

impl<'a> Packet<'a> {
    /// The frame as a line of text, when it is one.
    pub(super) fn line(&self) -> Option<&'a str> {
        let Self::Data(bytes) = self else { return None };
        let text = str::from_utf8(bytes).ok()?;
        Some(text.strip_suffix('\n').unwrap_or(text))
    }
}

/// What is not the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Malformed {
    #[error("a frame has no length")]
    Length,
    #[error("an answer ended in the middle")]
    CutShort,
    #[error("an answer has {0}, which is out of place there")]
    OutOfPlace(String),
}

impl Malformed {
    /// Something that is not expected, shortened.
    pub(super) fn out_of_place(packet: Packet<'_>) -> Self {
        Self::OutOfPlace(match packet {
            Packet::Data(bytes) => {
                let text: String = String::from_utf8_lossy(bytes).trim_end().chars().take(60).collect();
                format!("`{}`", text.escape_debug())
            }
            Packet::Flush => "an end".to_owned(),
            Packet::Delimiter | Packet::ResponseEnd => "a delimiter".to_owned(),
        })
    }
}

/// Cuts what arrives into frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What has arrived of a frame that is not whole yet.
    begun: Vec<u8>,
}

impl Frames {
    /// Takes what arrived, and hands over every frame that is whole. An error of whoever takes them ends it.
    pub(super) fn feed<E: From<Malformed>>(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Packet<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.begun.is_empty() {
            // Only what the begun frame lacks is copied.
            while self.begun.len() < 4 && !bytes.is_empty() {
                self.begun.push(bytes[0]);
                bytes = &bytes[1..];
            }
            let Some(length) = length(&self.begun)? else { return Ok(()) };
            let missing = length.max(4).saturating_sub(self.begun.len()).min(bytes.len());
            self.begun.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.begun.len() < length.max(4) {
                return Ok(());
            }
            let begun = std::mem::take(&mut self.begun);
            take(packet(length, &begun))?;
        }
        while let Some(length) = length(bytes)? {
            let whole = length.max(4);
            if bytes.len() < whole {
                break;
            }
            take(packet(length, &bytes[..whole]))?;
            bytes = &bytes[whole..];
        }
        self.begun.extend_from_slice(bytes);
        Ok(())
    }

    /// Fails when a frame has begun and not ended.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        if self.begun.is_empty() { Ok(()) } else { Err(Malformed::CutShort) }
    }
}

/// The length that a frame says it has, once all four digits are there.
fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(digits) = bytes.get(..4) else { return Ok(None) };
    let text = str::from_utf8(digits).map_err(|_| Malformed::Length)?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Malformed::Length);
    }
    let length = usize::from_str_radix(text, 16).map_err(|_| Malformed::Length)?;
    if length == 3 || length > LARGEST { Err(Malformed::Length) } else { Ok(Some(length)) }
}

fn packet(length: usize, whole: &[u8]) -> Packet<'_> {
    match length {
        0 => Packet::Flush,
        1 => Packet::Delimiter,
        2 => Packet::ResponseEnd,
        _ => Packet::Data(&whole[4..]),
    }
}

/// A message in the making.
#[derive(Debug, Default)]
pub(super) struct Message(String);

impl Message {
    /// Adds a line.
    pub(super) fn line(mut self, text: &str) -> Self {
        writeln!(self.0, "{:04x}{text}", text.len() + 5).expect("writing to memory does not fail");
        self
    }

    /// Adds lines.
    pub(super) fn lines(self, lines: impl IntoIterator<Item = String>) -> Self {
        lines.into_iter().fold(self, |message, line| message.line(&line))
    }

    /// Adds a frame without a line feed.
    pub(super) fn data(mut self, text: &str) -> Self {
        write!(self.0, "{:04x}{text}", text.len() + 4).expect("writing to memory does not fail");
        self
    }

    pub(super) fn delimiter(mut self) -> Self {
        self.0.push_str("0001");
        self
    }

    pub(super) fn flush(mut self) -> Self {
        self.0.push_str("0000");
        self
    }

    /// The bytes to send.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(pieces: &[&[u8]]) -> Result<Vec<String>, Malformed> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for piece in pieces {
            frames.feed(piece, |packet| {
                found.push(format!("{packet:?}"));
                Ok::<_, Malformed>(())
            })?;
        }
        frames.finish()?;
        Ok(found)
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = Message::default().line("want 1").data("x\0y").delimiter().line("done").flush().bytes();
        assert_eq!(bytes, b"000bwant 1\n0007x\0y00010009done\n0000");
        let found = frames(&[&bytes]).unwrap();
        let expected = [
            Packet::Data(b"want 1\n"),
            Packet::Data(b"x\0y"),
            Packet::Delimiter,
            Packet::Data(b"done\n"),
            Packet::Flush,
        ];
        assert_eq!(found, expected.map(|packet| format!("{packet:?}")));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for (bytes, error) in [
            (&b"zzzz"[..], Malformed::Length),
            (b"+123", Malformed::Length),
            (b"0003", Malformed::Length),
            (b"fff5x", Malformed::Length),
            (b"00", Malformed::CutShort),
            (b"0008abc", Malformed::CutShort),
            (b"<!DOCTYPE html>", Malformed::Length),
        ] {
            assert_eq!(frames(&[bytes]), Err(error), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_in_which_pieces_frames_arrive(
            lines in proptest::collection::vec("[a-z]{0,40}", 0..12),
            cuts in proptest::collection::vec(0_usize..600, 0..12),
        ) {
            let bytes = Message::default().lines(lines).flush().delimiter().bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            prop_assert_eq!(frames(&pieces), frames(&[&bytes]));
        }
    }
}
