//! The little of HTTP/1.1 that Git's clients speak, read and written over any stream.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};

use super::Request;

/// A whole answer: its status, its headers and its body.
pub(super) type Answer = (&'static str, Vec<(&'static str, String)>, Vec<u8>);

/// A connection that is read in large pieces.
pub(super) struct Stream<S>(BufReader<S>);

impl<S: Read> Stream<S> {
    pub(super) fn of(stream: S) -> Self {
        Self(BufReader::new(stream))
    }
}

impl<S: Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

/// The first part of a request.
pub(super) struct Head {
    pub(super) method: String,
    /// The path with its query.
    pub(super) target: String,
    /// Names in small letters.
    headers: Vec<(String, String)>,
}

impl Head {
    /// The next one; none when the client goes away.
    pub(super) fn read(stream: &mut Stream<impl Read>) -> io::Result<Option<Self>> {
        if stream.0.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let first = line(stream)?;
        let mut words = first.split(' ');
        let (method, target) = words.next().zip(words.next()).ok_or(ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = line(stream)?;
            if line.is_empty() {
                return Ok(Some(Self { method: method.to_owned(), target: target.to_owned(), headers }));
            }
            let (name, value) = line.split_once(':').ok_or(ErrorKind::InvalidData)?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn headers_without_secrets(&self) -> Vec<(String, String)> {
        let shown = |(name, value): &(String, String)| {
            let value = if name == "authorization" { "" } else { value };
            (name.clone(), value.to_owned())
        };
        self.headers.iter().map(shown).collect()
    }

    /// Whether the client sends its body only when it is told to.
    pub(super) fn waits_for_permission(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// What follows.
    pub(super) fn body(&self) -> Body {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Body::Chunked { left: 0 };
        }
        Body::Sized { left: self.header("content-length").and_then(|size| size.parse().ok()).unwrap_or(0) }
    }
}

/// What is still to come of a body.
pub(super) enum Body {
    Sized {
        left: u64,
    },
    /// The rest of this chunk.
    Chunked {
        left: u64,
    },
    Over,
}

impl Body {
    /// The next piece; none at the end.
    pub(super) fn next(&mut self, stream: &mut Stream<impl Read>) -> io::Result<Option<Vec<u8>>> {
        let left = match self {
            Self::Sized { left: 0 } | Self::Over => return Ok(None),
            Self::Sized { left } => left,
            Self::Chunked { left } => {
                if *left == 0 {
                    let size = line(stream)?;
                    let size = size.split(';').next().unwrap_or_default();
                    *left = u64::from_str_radix(size, 16).map_err(|_| ErrorKind::UnexpectedEof)?;
                    if *left == 0 {
                        line(stream)?;
                        *self = Self::Over;
                        return Ok(None);
                    }
                }
                left
            }
        };
        let mut piece = vec![0; usize::try_from((*left).min(16 << 10)).expect("a small number")];
        let size = stream.0.read(&mut piece)?;
        if size == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(size);
        *left -= size as u64;
        if let Self::Chunked { left: 0 } = self {
            line(stream)?;
        }
        Ok(Some(piece))
    }
}

/// Turns what a program prints after the rules of CGI into an answer, while it comes.
#[derive(Default)]
pub(super) struct Relay {
    /// The head, as long as it is not whole.
    head: Vec<u8>,
    is_begun: bool,
}

impl Relay {
    /// Sends what can be sent with this piece.
    pub(super) fn pass_on(&mut self, stream: &mut impl Write, piece: &[u8], done: &mut Request) -> io::Result<()> {
        if self.is_begun {
            return chunk(stream, piece, done);
        }
        self.head.extend_from_slice(piece);
        let Some(end) = self.head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(()) };
        self.is_begun = true;
        let text = String::from_utf8_lossy(&self.head[..end]);
        let mut status = "200 OK";
        let mut headers = String::new();
        for line in text.split("\r\n") {
            match line.strip_prefix("Status: ") {
                Some(other) => status = other,
                None => headers = headers + line + "\r\n",
            }
        }
        done.status = code(status);
        write!(stream, "HTTP/1.1 {status}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n")?;
        chunk(stream, &self.head[end + 4..], done)
    }

    /// Sends the end.
    pub(super) fn end(&self, stream: &mut impl Write) -> io::Result<()> {
        if self.is_begun {
            stream.write_all(b"0\r\n\r\n")?;
            return stream.flush();
        }
        respond(stream, "500 Internal Server Error", &[], b"git said nothing\n")
    }
}

/// Sends a part of a body, if it is any.
fn chunk(stream: &mut impl Write, bytes: &[u8], done: &mut Request) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    done.sent += bytes.len() as u64;
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    stream.write_all(&framed)?;
    stream.flush()
}

/// Sends a whole answer.
pub(super) fn respond(
    stream: &mut impl Write,
    status: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())?;
    stream.flush()
}

/// The number of a status.
pub(super) fn code(status: &str) -> u16 {
    status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// A line without its end.
fn line(stream: &mut Stream<impl Read>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.0.read_until(b'\n', &mut line)?;
    // Half a line may mean something else than the whole.
    let whole = line.strip_suffix(b"\n").ok_or(ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8_lossy(whole.strip_suffix(b"\r").unwrap_or(whole)).into_owned())
}
