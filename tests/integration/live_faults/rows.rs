//! The ways in which an answer goes wrong, and what is to be seen of a list then.

use std::{
    io::{self, Write},
    net::TcpStream,
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::Duration,
};

use crate::support::{
    api_server::{Fault, INCONSISTENT_TOKEN, INGRESSES, Page, status},
    scripted::{After, respond},
};

/// What is observed of the Ingresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// All of them.
    Whole,
    /// Nothing, for this reason, and with this in the message.
    Unknown(&'static str, &'static str),
}

use Seen::{Unknown, Whole};

/// One way to go wrong.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) fault: Fault,
    /// What is seen when it happens once.
    pub(super) once: Seen,
    /// What is seen when it happens whenever it can.
    pub(super) always: Seen,
    /// At which pages it can happen.
    pub(super) place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Any,
    /// Not at the last page.
    BeforeOthers,
    /// Not at the first page.
    AfterOthers,
}

const fn wire(
    name: &'static str,
    play: fn(&mut TcpStream, &[u8]) -> io::Result<After>,
    once: Seen,
    always: Seen,
) -> Row {
    Row { name, fault: Fault::Wire(play), once, always, place: Place::Any }
}

pub(super) const fn lie(name: &'static str, lie: fn(&mut Page), once: Seen, always: Seen) -> Row {
    Row { name, fault: Fault::Lie(lie), once, always, place: Place::Any }
}

pub(super) const fn at(place: Place, row: Row) -> Row {
    Row { place, ..row }
}

/// Writes the head of an answer and nothing of its body.
fn head(stream: &mut TcpStream, headers: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 200 OK\r\n{headers}\r\n")
}

pub(super) fn refuse(stream: &mut TcpStream, line: &str, headers: &str, body: &str) -> io::Result<After> {
    respond(stream, line, headers, body.as_bytes())
}

fn say(stream: &mut TcpStream, body: &str) -> io::Result<After> {
    respond(stream, "200 OK", "content-type: application/json\r\n", body.as_bytes())
}

/// Where redirections lead.
pub(super) static CANARY: AtomicU16 = AtomicU16::new(0);

fn elsewhere(stream: &mut TcpStream, line: &str) -> io::Result<After> {
    let port = CANARY.load(Ordering::SeqCst);
    respond(stream, line, &format!("location: http://127.0.0.1:{port}/c/canary{INGRESSES}\r\n"), b"")
}

/// Sends something again and again, until nobody wants more.
fn flood(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<After> {
    loop {
        stream.write_all(bytes)?;
    }
}

/// Writes an answer with a part of its headers many times; who closes before the end is not sent the rest.
fn long(stream: &mut TcpStream, around: [&str; 2], part: &[u8], times: usize, body: &[u8]) -> io::Result<After> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{}", body.len(), around[0])?;
    for _ in 0..times {
        stream.write_all(part)?;
    }
    write!(stream, "{}\r\n", around[1])?;
    stream.write_all(body)?;
    Ok(After::Stays)
}

const HOSTILE: &str = "no\\u001b[31m\\u001b]0;x\\u0007\\r\\n::error::it\\u202egnorw\\u2066\\u200b\\u0000";

const UNREACHABLE: Seen = Unknown("Unreachable", "no connection, or a broken one");
pub(super) const MALFORMED: Seen = Unknown("Malformed", "the answer");
const SERVER: Seen = Unknown("ServerError", "the server answers 5");
pub(super) const INCONSISTENT: Seen = Unknown("Inconsistent", "");
const REDIRECTED: Seen = Unknown("Redirected", "the server answers 30");
const TIMEOUT: Seen = Unknown("Timeout", "no whole answer within");

/// Answers that are none, which take no time.
pub(super) const ANSWERS: &[Row] = &[
    wire(
        "401",
        |s, _| refuse(s, "401 Unauthorized", "", &status(401, "Unauthorized", "Unauthorized")),
        Unknown("Unauthorized", "renew the credentials"),
        Unknown("Unauthorized", "renew the credentials"),
    ),
    wire(
        "403",
        |s, _| refuse(s, "403 Forbidden", "", &status(403, "Forbidden", "cannot list")),
        Unknown("Forbidden", "resources: [ingresses], verbs: [list]"),
        Unknown("Forbidden", "apiGroups: [\"networking.k8s.io\"]"),
    ),
    wire(
        "403, hostile words",
        |s, _| refuse(s, "403 Forbidden", "", &status(403, "Forbidden", HOSTILE)),
        Unknown("Forbidden", "no[31m]0;x ::error::itgnorw"),
        Unknown("Forbidden", "no[31m]0;x ::error::itgnorw"),
    ),
    wire(
        "403, hostile bytes",
        |s, _| respond(s, "403 Forbidden", "", b"\xff\xfe\x1b[2J\xe2\x80\xaea\r\nb"),
        Unknown("Forbidden", "[2Ja b"),
        Unknown("Forbidden", "[2Ja b"),
    ),
    wire(
        "404, a Status",
        |s, _| refuse(s, "404 Not Found", "", &status(404, "NotFound", "not there")),
        Unknown("NotFound", "not there"),
        Unknown("NotFound", "not there"),
    ),
    wire(
        "404, text",
        |s, _| refuse(s, "404 Not Found", "content-type: text/plain\r\n", "404 page not found"),
        Unknown("NotFound", "404 page not found"),
        Unknown("NotFound", "404 page not found"),
    ),
    wire(
        "404, HTML",
        |s, _| refuse(s, "404 Not Found", "content-type: text/html\r\n", "<html>nothing</html>"),
        Unknown("NotFound", "nothing"),
        Unknown("NotFound", "nothing"),
    ),
    wire(
        "410",
        |s, _| refuse(s, "410 Gone", "", &status(410, "Expired", "too old")),
        Whole,
        Unknown("Expired", "too old; the list was begun 3 times"),
    ),
    wire(
        "410, with a token of another snapshot",
        |s, _| {
            let body = status(410, "Expired", "too old");
            let metadata = format!(r#""metadata":{{"continue":"{INCONSISTENT_TOKEN}"}}"#);
            refuse(s, "410 Gone", "", &body.replace(r#""metadata":{}"#, &metadata))
        },
        Whole,
        Unknown("Expired", "too old; the list was begun 3 times"),
    ),
    wire(
        "429, without a time",
        |s, _| refuse(s, "429 Too Many Requests", "", "slowly"),
        Whole,
        Unknown("TooManyRequests", "slowly; tried 3 times"),
    ),
    wire(
        "429, at once",
        |s, _| refuse(s, "429 Too Many Requests", "retry-after: 0\r\n", ""),
        Whole,
        Unknown("TooManyRequests", "tried 3 times"),
    ),
    wire(
        "429, in an hour",
        |s, _| refuse(s, "429 Too Many Requests", "retry-after: 3600\r\n", ""),
        Unknown("TooManyRequests", "it asks to wait 3600 s"),
        Unknown("TooManyRequests", "it asks to wait 3600 s"),
    ),
    wire(
        "429, at the end of time",
        |s, _| refuse(s, "429 Too Many Requests", "retry-after: 18446744073709551615\r\n", ""),
        Unknown("TooManyRequests", "it asks to wait"),
        Unknown("TooManyRequests", "it asks to wait"),
    ),
    wire(
        "429, at a date",
        |s, _| refuse(s, "429 Too Many Requests", "retry-after: Fri, 31 Dec 2999 23:59:59 GMT\r\n", ""),
        Whole,
        Unknown("TooManyRequests", "tried 3 times"),
    ),
    wire(
        "429, with nonsense",
        |s, _| refuse(s, "429 Too Many Requests", "retry-after: -5s\r\n", ""),
        Whole,
        Unknown("TooManyRequests", "tried 3 times"),
    ),
    wire(
        "500",
        |s, _| refuse(s, "500 Internal Server Error", "", &status(500, "InternalError", "etcd")),
        Whole,
        Unknown("ServerError", "the server answers 500 Internal Server Error: etcd; tried 3 times"),
    ),
    wire("502, HTML", |s, _| refuse(s, "502 Bad Gateway", "", "<html>\n<b>bad\tgateway</b>"), Whole, SERVER),
    wire("503", |s, _| refuse(s, "503 Service Unavailable", "", ""), Whole, SERVER),
    wire(
        "503, at the end of time",
        |s, _| refuse(s, "503 Service Unavailable", "retry-after: 9223372036854775807\r\n", ""),
        Unknown("ServerError", "it asks to wait"),
        Unknown("ServerError", "it asks to wait"),
    ),
    wire("504", |s, _| refuse(s, "504 Gateway Timeout", "", &status(504, "Timeout", "later")), Whole, SERVER),
    wire("599", |s, _| refuse(s, "599 Other", "", ""), Whole, SERVER),
    wire("301", |s, _| elsewhere(s, "301 Moved Permanently"), REDIRECTED, REDIRECTED),
    wire("302", |s, _| elsewhere(s, "302 Found"), REDIRECTED, REDIRECTED),
    wire("307", |s, _| elsewhere(s, "307 Temporary Redirect"), REDIRECTED, REDIRECTED),
    wire("308", |s, _| elsewhere(s, "308 Permanent Redirect"), REDIRECTED, REDIRECTED),
    wire(
        "400",
        |s, _| refuse(s, "400 Bad Request", "", &status(400, "BadRequest", "continue key is not valid")),
        Unknown("UnexpectedStatus", "continue key is not valid"),
        Unknown("UnexpectedStatus", "400"),
    ),
    wire(
        "204",
        |s, _| {
            s.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            Ok(After::Stays)
        },
        Unknown("UnexpectedStatus", "204"),
        Unknown("UnexpectedStatus", "204"),
    ),
    wire(
        "206",
        |s, body| respond(s, "206 Partial Content", "", body),
        Unknown("UnexpectedStatus", "206"),
        Unknown("UnexpectedStatus", "206"),
    ),
    wire("reset before the answer", |_, _| Ok(After::Closes), Whole, UNREACHABLE),
    Row { name: "reset before reading", fault: Fault::Reset(0), once: Whole, always: UNREACHABLE, place: Place::Any },
    Row { name: "reset in the body", fault: Fault::Reset(100), once: Whole, always: UNREACHABLE, place: Place::Any },
    wire(
        "closed in the head",
        |s, _| {
            s.write_all(b"HTTP/1.1 200 OK\r\ncontent-le")?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "closed in the body",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len()))?;
            s.write_all(&body[..body.len() / 2])?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "closed before the last byte",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len()))?;
            s.write_all(&body[..body.len() - 1])?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "length too short",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len() - 7))?;
            s.write_all(body)?;
            Ok(After::Closes)
        },
        Whole,
        MALFORMED,
    ),
    wire(
        "length too long",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len() + 7))?;
            s.write_all(body)?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "no length, closed early",
        |s, body| {
            s.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            s.write_all(&body[..body.len() - 2])?;
            Ok(After::Closes)
        },
        Whole,
        Unknown("Malformed", "the answer ends early"),
    ),
    wire(
        "no length, closed in time",
        |s, body| {
            s.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            s.write_all(body)?;
            Ok(After::Closes)
        },
        Whole,
        Whole,
    ),
    wire(
        "chunks without an end",
        |s, body| {
            head(s, "transfer-encoding: chunked\r\n")?;
            write!(s, "{:x}\r\n", body.len())?;
            s.write_all(body)?;
            s.write_all(b"\r\n")?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "chunks with a wrong size",
        |s, body| {
            head(s, "transfer-encoding: chunked\r\n")?;
            s.write_all(b"zz\r\n")?;
            s.write_all(body)?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "two lengths",
        |s, body| {
            head(s, &format!("content-length: {}\r\ncontent-length: 5\r\n", body.len()))?;
            s.write_all(body)?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "the answer twice",
        |s, body| {
            respond(s, "200 OK", "", body)?;
            respond(s, "200 OK", "", body)
        },
        Whole,
        Whole,
    ),
    wire(
        "half a page",
        |s, body| respond(s, "200 OK", "", &body[..body.len() / 2]),
        Whole,
        Unknown("Malformed", "the answer ends early"),
    ),
    wire("a page and more", |s, body| respond(s, "200 OK", "", &[body, b"{}"].concat()), Whole, MALFORMED),
    wire(
        "200, a Status",
        |s, _| say(s, &status(500, "InternalError", "it lies")),
        Whole,
        Unknown("Malformed", "`Status` of `v1`"),
    ),
    wire(
        "200, a PodList",
        |s, _| say(s, r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#),
        Whole,
        Unknown("Malformed", "`PodList` of `v1`"),
    ),
    wire(
        "200, a list of another group",
        |s, _| say(s, r#"{"kind":"IngressList","apiVersion":"example.org/v1","metadata":{},"items":[]}"#),
        Whole,
        Unknown("Malformed", "`IngressList` of `example.org/v1`"),
    ),
    wire(
        "200, HTML",
        |s, _| say(s, "<!doctype html><title>log in</title>"),
        Whole,
        Unknown("Malformed", "not JSON at byte 1"),
    ),
    wire("200, []", |s, _| say(s, "[]"), Whole, MALFORMED),
    wire("200, {}", |s, _| say(s, "{}"), Whole, MALFORMED),
    wire("200, null", |s, _| say(s, "null"), Whole, MALFORMED),
    wire("200, a number", |s, _| say(s, "1e999"), Whole, MALFORMED),
    wire("200, nothing", |s, _| say(s, ""), Whole, Unknown("Malformed", "ends early, after 0 bytes")),
    wire("200, spaces", |s, _| say(s, "   \n"), Whole, MALFORMED),
    wire(
        "gzip",
        |s, _| {
            respond(
                s,
                "200 OK",
                "content-encoding: gzip\r\n",
                b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0",
            )
        },
        Whole,
        Unknown("Malformed", "gzip"),
    ),
    wire(
        "no UTF-8",
        |s, body| {
            let mut body = body.to_vec();
            let place = body.windows(4).position(|four| four == b"shop").expect("every page has a shop");
            body[place] = 0xff;
            respond(s, "200 OK", "", &body)
        },
        Whole,
        MALFORMED,
    ),
    wire("a deep array", |s, _| respond(s, "200 OK", "", "[".repeat(200_000).as_bytes()), Whole, MALFORMED),
    wire(
        "a deep object",
        |s, _| {
            let deep = format!(r#"{{"kind":"IngressList","metadata":{}"#, r#"{"continue":"#.repeat(50_000));
            respond(s, "200 OK", "", deep.as_bytes())
        },
        Whole,
        MALFORMED,
    ),
    wire(
        "a deep item",
        |s, _| {
            let deep =
                format!(r#"{{"kind":"IngressList","items":[{}"#, r#"{"spec":{"rules":[{"host":[["#.repeat(20_000));
            respond(s, "200 OK", "", deep.as_bytes())
        },
        Whole,
        MALFORMED,
    ),
    wire(
        "10 GiB announced",
        |s, _| {
            head(s, "content-length: 10737418240\r\n")?;
            flood(s, &[b' '; 1 << 14])
        },
        Unknown("TooLarge", "longer than 1 MiB"),
        Unknown("TooLarge", "longer than 1 MiB"),
    ),
    wire(
        "endless chunks",
        |s, _| {
            head(s, "transfer-encoding: chunked\r\n")?;
            flood(s, &[b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat())
        },
        Unknown("TooLarge", "longer than 1 MiB"),
        Unknown("TooLarge", "longer than 1 MiB"),
    ),
    wire(
        "a refusal without an end",
        |s, _| {
            s.write_all(b"HTTP/1.1 403 Forbidden\r\ntransfer-encoding: chunked\r\n\r\n")?;
            flood(s, &[b"10000\r\n".as_slice(), &[b'x'; 1 << 16], b"\r\n"].concat())
        },
        Unknown("Forbidden", "verbs: [list]"),
        Unknown("Forbidden", "verbs: [list]"),
    ),
    wire("100 000 headers", |s, body| long(s, ["", ""], &b"x: y\r\n".repeat(1000), 100, body), Whole, UNREACHABLE),
    wire("a header of 10 MB", |s, body| long(s, ["x: ", "\r\n"], &[b'y'; 10_000], 1000, body), Whole, UNREACHABLE),
    wire(
        "TLS on a plain port",
        |s, _| {
            s.write_all(b"\x15\x03\x01\0\x02\x02\x46")?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "another protocol",
        |s, _| {
            s.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")?;
            Ok(After::Closes)
        },
        Whole,
        UNREACHABLE,
    ),
    wire(
        "an answer that switches",
        |s, _| {
            s.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")?;
            Ok(After::Closes)
        },
        Unknown("UnexpectedStatus", "101"),
        Unknown("UnexpectedStatus", "101"),
    ),
];

/// Faults that take all the time that there is for a request.
pub(super) const SLOW: &[Row] = &[
    wire("silence", |_, _| Ok(After::Hangs), Whole, TIMEOUT),
    wire(
        "silence in the head",
        |s, _| {
            s.write_all(b"HTTP/1.1 200 OK\r\n")?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "silence after the head",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len()))?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "silence in the body",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len()))?;
            s.write_all(&body[..body.len() / 2])?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "silence before the last chunk",
        |s, body| {
            head(s, "transfer-encoding: chunked\r\n")?;
            write!(s, "{:x}\r\n", body.len())?;
            s.write_all(body)?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "length too long, and open",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len() + 7))?;
            s.write_all(body)?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "a byte now and then",
        |s, body| {
            head(s, &format!("content-length: {}\r\n", body.len()))?;
            for byte in body {
                s.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(After::Closes)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "no length, and open",
        |s, body| {
            head(s, "")?;
            s.write_all(body)?;
            Ok(After::Hangs)
        },
        Whole,
        TIMEOUT,
    ),
    wire(
        "100 Continue without end",
        |s, _| loop {
            s.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            thread::sleep(Duration::from_millis(5));
        },
        Whole,
        TIMEOUT,
    ),
];
