//! Registries that answer wrongly, slowly, too much or to the advantage of somebody else. Every case asks for the tag `1`
//! with a login at hand, beside a host that must see nothing of it.
#![expect(clippy::disallowed_methods, reason = "it takes the time")]

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bobbypin::{
    edge::{
        http::Credentials,
        registry::{Registries, RegistrySettings, TagQuestion},
    },
    model::{digest::Digest, observed::Observed, oci::Repository},
    pins::seen::TagSeen,
};
use serde_json::{Value, json};

use crate::support::{
    registry::{
        Asked, OCI_INDEX, OCI_MANIFEST, PASSWORD, Registry, TOKEN, flood, image, image_of, index, json_reply, manifest,
        refusal, typed,
    },
    scripted::Reply,
};

/// How long a question may take that is never answered, in seconds.
const SHORT: u32 = 2;

/// How long any other may take, also on a machine with much to do.
const LONG: u32 = 30;

/// How much longer the machine may take.
const SLACK: Duration = Duration::from_secs(3);

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// What is true.
struct World {
    amd64: Vec<u8>,
    arm64: Vec<u8>,
    index: Vec<u8>,
    /// `127.0.0.1:port` of the host that must see nothing.
    witness: String,
}

/// What a case answers instead of what is true. `None`: that.
type Lie = fn(&Asked, &World) -> Option<Reply>;

/// What comes of it: `Present` with a word for each child, or the reason of what is unknown.
type Outcome = &'static str;

/// What a lie is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Ping,
    Token,
    /// The manifest by a tag, and by any digest.
    Head,
    Get,
    Other,
}

fn about(asked: &Asked) -> About {
    let is_manifest = asked.place.contains("/manifests/");
    match asked.place.as_str() {
        "GET /v2/" => About::Ping,
        place if place.starts_with("GET /v2/token") || place.starts_with("GET /token") => About::Token,
        place if place.starts_with("HEAD ") && is_manifest => About::Head,
        place if place.starts_with("GET ") && is_manifest => About::Get,
        _ => About::Other,
    }
}

fn host(asked: &Asked) -> &str {
    asked.head.lines().find_map(|line| line.strip_prefix("host: ")).expect("every request has it")
}

fn challenge(realm: &str) -> Reply {
    refusal(401, "UNAUTHORIZED").with(&format!("www-authenticate: Bearer realm=\"{realm}\",service=\"s\",scope=\"*\""))
}

impl World {
    fn new(witness: String) -> Self {
        let (amd64, arm64) = (image("amd64"), image("arm64"));
        let index = index(&[(&amd64, "linux/amd64"), (&arm64, "linux/arm64")]);
        Self { amd64, arm64, index, witness }
    }

    fn truth(&self, asked: &Asked) -> Reply {
        let is = |bytes: &[u8]| asked.place.ends_with(&format!("/manifests/{}", Digest::of(bytes)));
        if about(asked) == About::Token {
            return json_reply(200, &json!({"token": TOKEN}));
        }
        if asked.authorization != format!("Bearer {TOKEN}") {
            return challenge(&format!("http://{}/token", host(asked)));
        }
        match asked.place.as_str() {
            place if place.ends_with("/manifests/1") || is(&self.index) => manifest(OCI_INDEX, &self.index),
            _ if is(&self.amd64) => manifest(OCI_MANIFEST, &self.amd64),
            _ if is(&self.arm64) => manifest(OCI_MANIFEST, &self.arm64),
            _ => refusal(404, "MANIFEST_UNKNOWN"),
        }
    }
}

/// A lie about the manifest, to HEAD and GET alike.
fn manifests(asked: &Asked, reply: Reply) -> Option<Reply> {
    matches!(about(asked), About::Head | About::Get).then_some(reply)
}

fn when(asked: &Asked, what: About, reply: Reply) -> Option<Reply> {
    (about(asked) == what).then_some(reply)
}

/// Answers as if this were the manifest.
fn body(asked: &Asked, kind: &str, bytes: &[u8]) -> Option<Reply> {
    let is_child = asked.place.contains("/manifests/sha256:") && !asked.place.contains(Digest::of(bytes).as_str());
    if is_child { None } else { manifests(asked, manifest(kind, bytes)) }
}

fn lie_of_digest(world: &World, kind: &str, header: &str) -> Reply {
    typed(kind, &world.index).with(&format!("docker-content-digest: {header}"))
}

/// The true index with a change.
fn changed(world: &World, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(&world.index).expect("our own");
    change(&mut value);
    value.to_string().into_bytes()
}

fn token(asked: &Asked, reply: Reply) -> Option<Reply> {
    when(asked, About::Token, reply)
}

fn realm(asked: &Asked, realm: &str) -> Option<Reply> {
    // Nobody gets past the first question.
    when(asked, About::Ping, challenge(realm))
}

fn too_often(asked: &Asked, header: &str) -> Option<Reply> {
    when(asked, About::Head, refusal(429, "TOOMANYREQUESTS").with(header))
}

const OTHER: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

const CASES: &[(&str, Outcome, Lie)] = &[
    ("nothing is wrong", "Present: Present Present", |_, _| None),
    // What is said about the digest.
    ("HEAD names a digest that is not there", "Mismatch", |a, w| {
        when(a, About::Head, lie_of_digest(w, OCI_INDEX, OTHER))
    }),
    ("HEAD names a digest that leads to other bytes", "Mismatch", |a, w| match about(a) {
        About::Head => Some(lie_of_digest(w, OCI_INDEX, OTHER)),
        About::Get => Some(manifest(OCI_INDEX, &w.index)),
        _ => None,
    }),
    ("HEAD and GET name the same wrong digest", "Mismatch", |a, w| manifests(a, lie_of_digest(w, OCI_INDEX, OTHER))),
    ("GET by digest answers with other bytes and no digest", "Mismatch", |a, w| {
        when(a, About::Get, typed(OCI_INDEX, &w.amd64))
    }),
    ("GET by digest answers with another manifest in good order", "Mismatch", |a, w| {
        when(a, About::Get, manifest(OCI_MANIFEST, &w.amd64))
    }),
    ("GET by the tag names a wrong digest", "Mismatch", |a, w| match about(a) {
        About::Head => Some(typed(OCI_INDEX, &w.index)),
        About::Get => Some(lie_of_digest(w, OCI_INDEX, OTHER)),
        _ => None,
    }),
    ("the digest is none", "Malformed", |a, w| manifests(a, lie_of_digest(w, OCI_INDEX, "sha256:abc"))),
    ("the digest is empty", "Malformed", |a, w| manifests(a, lie_of_digest(w, OCI_INDEX, ""))),
    ("the digest has capitals", "Malformed", |a, w| {
        manifests(a, lie_of_digest(w, OCI_INDEX, &OTHER.replace("11", "AA")))
    }),
    ("the digest is of another algorithm", "Malformed", |a, w| {
        manifests(a, lie_of_digest(w, OCI_INDEX, "md5:d41d8cd98f00b204e9800998ecf8427e"))
    }),
    ("the digest is a path", "Malformed", |a, w| manifests(a, lie_of_digest(w, OCI_INDEX, "../../token"))),
    ("there are two digests", "Malformed", |a, w| {
        manifests(a, manifest(OCI_INDEX, &w.index).with(&format!("docker-content-digest: {OTHER}")))
    }),
    // What is no manifest.
    ("a page with status 200", "Malformed", |a, _| manifests(a, typed("text/html; charset=utf-8", b"<html>Welcome"))),
    ("a page with status 200 to GET alone", "Malformed", |a, _| when(a, About::Get, typed("text/html", b"<html>"))),
    ("a page that is called a manifest", "Malformed", |a, _| body(a, OCI_MANIFEST, b"<html>Welcome")),
    ("no body", "Malformed", |a, _| body(a, OCI_MANIFEST, b"")),
    ("no text", "Malformed", |a, _| body(a, OCI_MANIFEST, b"\xff\xfe\0")),
    ("a list", "Malformed", |a, _| body(a, OCI_MANIFEST, b"[]")),
    ("brackets without end", "Malformed", |a, _| body(a, OCI_INDEX, "[".repeat(100_000).as_bytes())),
    ("depth in what is passed over", "Malformed", |a, _| {
        body(a, OCI_INDEX, format!("{{\"x\":{}", "{\"x\":".repeat(100_000)).as_bytes())
    }),
    ("an image of the first form", "Malformed", |a, _| {
        body(a, SCHEMA_1, br#"{"schemaVersion":1,"name":"shop","fsLayers":[],"signatures":[]}"#)
    }),
    ("an image of the first form by another name", "Malformed", |a, _| {
        body(a, OCI_MANIFEST, br#"{"schemaVersion":1,"name":"shop","fsLayers":[]}"#)
    }),
    ("a schema of the future", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["schemaVersion"] = json!(3)))
    }),
    ("an index that is called a manifest", "Malformed", |a, w| manifests(a, manifest(OCI_MANIFEST, &w.index))),
    ("an index that is called a list", "Malformed", |a, w| manifests(a, manifest(DOCKER_LIST, &w.index))),
    ("any bytes by name", "Malformed", |a, w| {
        let bytes = changed(w, |value| drop(value.as_object_mut().map(|object| object.remove("mediaType"))));
        body(a, "application/octet-stream", &bytes)
    }),
    ("a compressed body", "Malformed", |a, w| {
        manifests(a, manifest(OCI_INDEX, &w.index).with("content-encoding: gzip"))
    }),
    ("a program", "UnsupportedKind", |a, _| {
        body(a, OCI_MANIFEST, &image_of("x", "application/vnd.example.module.v1+json"))
    }),
    ("an index of indexes", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["manifests"][0]["mediaType"] = json!(OCI_INDEX)))
    }),
    ("an index that is a manifest too", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["layers"] = json!([])))
    }),
    ("a manifest that is an index too", "Malformed", |a, _| {
        let mut value: Value = serde_json::from_slice(&image("x")).expect("our own");
        value["manifests"] = json!([]);
        body(a, OCI_MANIFEST, value.to_string().as_bytes())
    }),
    ("a negative size", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["manifests"][0]["size"] = json!(-1)))
    }),
    ("a size in words", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["manifests"][0]["size"] = json!("7")))
    }),
    ("a child with a digest of another algorithm", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["manifests"][0]["digest"] = json!("sha512:00")))
    }),
    ("a child with a path for a digest", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["manifests"][0]["digest"] = json!("../../../token")))
    }),
    ("a key twice", "Malformed", |a, w| {
        let text = String::from_utf8_lossy(&w.index).replacen('{', "{\"manifests\":[],", 1);
        body(a, OCI_INDEX, text.as_bytes())
    }),
    ("a key in capitals besides", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["Manifests"] = json!([])))
    }),
    ("the token in what is repeated", "Malformed", |a, w| {
        body(a, OCI_INDEX, &changed(w, |value| value["mediaType"] = json!(a.authorization)))
    }),
    // What is true, and not enough.
    ("a child that is gone", "Present: Absent Present", |a, w| {
        let is_it = a.place.ends_with(Digest::of(&w.amd64).as_str());
        is_it.then(|| refusal(404, "MANIFEST_UNKNOWN"))
    }),
    ("a child of which other things are said", "Present: Mismatch Present", |a, w| {
        let is_it = a.place.ends_with(Digest::of(&w.amd64).as_str());
        is_it.then(|| manifest(OCI_MANIFEST, &w.arm64))
    }),
    ("a child that nobody may read", "Present: Forbidden Present", |a, w| {
        let is_it = a.place.ends_with(Digest::of(&w.amd64).as_str());
        is_it.then(|| refusal(403, "DENIED"))
    }),
    ("a platform twice", "Present: Present Present", |a, w| {
        let twice = index(&[(&w.amd64, "linux/amd64"), (&w.arm64, "linux/amd64")]);
        body(a, OCI_INDEX, &twice)
    }),
    ("no platform that is needed", "Present:", |a, w| {
        body(a, OCI_INDEX, &index(&[(&w.amd64, "linux/s390x"), (&w.arm64, "unknown/unknown")]))
    }),
    // Too much, too slow, too little.
    ("a body without end", "TooLarge", |a, _| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\n\r\n{{");
        when(a, About::Get, flood(head))
    }),
    ("a body of ten gigabytes, in words", "TooLarge", |a, _| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\ncontent-length: 10737418240\r\n\r\n{{");
        when(a, About::Get, Reply::Drip(head.into_bytes()))
    }),
    ("a byte at a time", "Timeout", |a, _| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\ncontent-length: 100000\r\n\r\n{{");
        when(a, About::Get, Reply::Drip(head.into_bytes()))
    }),
    ("a header a byte at a time", "Timeout", |a, _| {
        when(a, About::Head, Reply::Drip(b"HTTP/1.1 200 OK\r\nx: ".to_vec()))
    }),
    ("a status line a byte at a time", "Timeout", |a, _| when(a, About::Ping, Reply::Drip(b"HTTP/1.1 200 ".to_vec()))),
    ("an answer that is late", "Timeout", |a, w| {
        when(a, About::Head, Reply::Later(Duration::from_secs(4), Box::new(w.truth(a))))
    }),
    ("a header of a megabyte", "ConnectionBroken", |a, w| {
        manifests(a, manifest(OCI_INDEX, &w.index).with(&format!("x: {}", "y".repeat(1 << 20))))
    }),
    ("ten thousand headers", "ConnectionBroken", |a, w| {
        manifests(a, manifest(OCI_INDEX, &w.index).with(&"x: y\r\n".repeat(10_000)))
    }),
    ("a body that ends early", "ConnectionBroken", |a, _| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\ncontent-length: 500\r\n\r\n{{");
        when(a, About::Get, Reply::Raw(head.into_bytes()))
    }),
    ("pieces that are none", "ConnectionBroken", |a, _| {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{{");
        when(a, About::Get, Reply::Raw(head.into_bytes()))
    }),
    ("pieces that end early", "ConnectionBroken", |a, _| {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: {OCI_INDEX}\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{{");
        when(a, About::Get, Reply::Raw(head.into_bytes()))
    }),
    ("no word", "ConnectionBroken", |a, _| manifests(a, Reply::Nothing)),
    ("another protocol", "ConnectionBroken", |a, _| manifests(a, Reply::Raw(b"SSH-2.0-OpenSSH_10.0\r\n".to_vec()))),
    // Refusals.
    ("too often, for ever", "RateLimited", |a, _| too_often(a, "x: y")),
    ("too often, for an hour", "RateLimited", |a, _| too_often(a, "retry-after: 3600")),
    ("too often, until a date", "RateLimited", |a, _| {
        too_often(a, "date: Sat, 21 Nov 2026 10:00:00 GMT\r\nretry-after: Sat, 21 Nov 2026 11:00:00 GMT")
    }),
    ("too often, in words", "RateLimited", |a, _| too_often(a, "retry-after: soon")),
    ("too often, beyond all numbers", "RateLimited", |a, _| too_often(a, "retry-after: 99999999999999999999999")),
    ("too often, three times", "Present: Present Present", |a, _| {
        (about(a) == About::Head && a.times < 3).then(|| refusal(429, "TOOMANYREQUESTS").with("retry-after: 0"))
    }),
    ("too often for a token", "RateLimited", |a, _| token(a, refusal(429, "TOOMANYREQUESTS"))),
    ("a failure that passes", "Present: Present Present", |a, _| {
        (matches!(about(a), About::Head | About::Get) && a.times == 0).then(|| Reply::status(503))
    }),
    ("a failure", "ServerError", |a, _| manifests(a, Reply::status(500))),
    ("a failure that is not tried again", "ServerError", |a, _| manifests(a, Reply::status(501))),
    ("a connection that breaks once", "Present: Present Present", |a, _| {
        (about(a) == About::Get && a.times == 0).then_some(Reply::Nothing)
    }),
    ("a status that says nothing", "UnexpectedStatus", |a, _| manifests(a, Reply::status(418))),
    ("a part", "UnexpectedStatus", |a, _| manifests(a, Reply::status(206))),
    ("nothing, with success", "UnexpectedStatus", |a, _| manifests(a, Reply::status(204))),
    ("forbidden", "Forbidden", |a, _| manifests(a, refusal(403, "DENIED"))),
    ("401 for ever", "Unauthorized", |a, _| manifests(a, challenge(&format!("http://{}/token", host(a))))),
    ("401 without a way in", "Unauthorized", |a, _| manifests(a, Reply::status(401))),
    ("401 with a way in that nobody knows", "Unauthorized", |a, _| {
        manifests(a, Reply::status(401).with("www-authenticate: Negotiate"))
    }),
    ("Basic for ever", "Unauthorized", |a, _| {
        (about(a) != About::Token).then(|| Reply::status(401).with("www-authenticate: Basic realm=\"x\""))
    }),
    ("a 404 of a web server", "Malformed", |a, _| {
        manifests(a, Reply::Answer(404, "content-type: text/html\r\n".to_owned(), b"<html>".to_vec()))
    }),
    ("a 404 of some other API", "Malformed", |a, _| {
        let reply = Reply::Answer(404, "content-type: text/plain\r\n".to_owned(), b"{\"errors\":[]}".to_vec());
        manifests(a, reply)
    }),
    ("a 404 of nobody", "Malformed", |a, _| manifests(a, Reply::status(404))),
    ("a 404 of a gateway that has no such route", "Malformed", |a, _| {
        manifests(a, json_reply(404, &json!({"message": "no Route matched with those values"})))
    }),
    ("a HEAD without a route, and the truth", "Present: Present Present", |a, _| match about(a) {
        About::Head => Some(Reply::status(404).with("content-type: application/problem+json")),
        _ => None,
    }),
    ("a 404 that means a refusal", "Malformed", |a, _| match about(a) {
        About::Head => Some(Reply::status(404).with("content-type: text/plain")),
        About::Get => Some(refusal(404, "DENIED")),
        _ => None,
    }),
    ("nothing there", "Absent", |a, _| manifests(a, refusal(404, "MANIFEST_UNKNOWN"))),
    ("nothing there, in plain text to HEAD", "Absent", |a, _| match about(a) {
        About::Head => Some(Reply::status(404).with("content-type: text/plain")),
        About::Get => Some(refusal(404, "NAME_UNKNOWN")),
        _ => None,
    }),
    // Elsewhere.
    ("sent to another host", "Redirected", |a, w| {
        manifests(a, Reply::status(302).with(&format!("location: http://{}/v2/shop/manifests/1", w.witness)))
    }),
    ("sent to where clouds keep secrets", "Redirected", |a, _| {
        manifests(a, Reply::status(307).with("location: http://169.254.169.254/latest/meta-data/"))
    }),
    ("sent to itself", "Redirected", |a, _| manifests(a, Reply::status(301).with("location: /v2/shop/manifests/1"))),
    ("sent with the token in the name of the host", "Redirected", |a, w| {
        let secret = a.authorization.trim_start_matches("Bearer ");
        manifests(a, Reply::status(302).with(&format!("location: http://{secret}.{}/", w.witness)))
    }),
    ("sent elsewhere at once", "Present: Present Present", |a, w| {
        // What is said to the first question of all is of no importance.
        let reply = Reply::status(302).with(&format!("location: http://{}/v2/", w.witness));
        when(a, About::Ping, reply)
    }),
    ("a login at another port of this machine", "RefusedRealm", |a, w| {
        realm(a, &format!("http://{}/token", w.witness))
    }),
    ("a login at another host", "RefusedRealm", |a, _| realm(a, "https://registry.example.org/token")),
    ("a login where clouds keep secrets", "RefusedRealm", |a, _| realm(a, "http://169.254.169.254/latest/api/token")),
    ("a login in a file", "RefusedRealm", |a, _| realm(a, "file:///etc/passwd")),
    ("a login by another protocol", "RefusedRealm", |a, _| realm(a, "gopher://127.0.0.1/token")),
    ("a login nowhere", "RefusedRealm", |a, _| realm(a, "/token")),
    ("a login with another name in it", "RefusedRealm", |a, w| {
        realm(a, &format!("http://{}@{}/token", host(a), w.witness))
    }),
    ("a login with a password in it", "RefusedRealm", |a, _| realm(a, &format!("http://a:b@{}/token", host(a)))),
    ("a login at another port, only later", "RefusedRealm", |a, w| match about(a) {
        About::Ping => Some(json_reply(200, &json!({}))),
        About::Head => Some(challenge(&format!("http://{}/token", w.witness))),
        _ => None,
    }),
    ("a login at the public name of the same Gitea", "Present: Present Present", |a, w| {
        realm(a, &format!("http://{}/v2/token", w.witness))
    }),
    ("a login that sends elsewhere", "Redirected", |a, w| {
        token(a, Reply::status(302).with(&format!("location: http://{}/token", w.witness)))
    }),
    ("no token", "Malformed", |a, _| token(a, json_reply(200, &json!({"expires_in": 300})))),
    ("an empty token", "Malformed", |a, _| token(a, json_reply(200, &json!({"token": "", "access_token": ""})))),
    ("a token with a line break", "Malformed", |a, _| token(a, json_reply(200, &json!({"token": "a\r\nx: y"})))),
    ("a page for a token", "Malformed", |a, _| token(a, typed("text/html", b"<html>"))),
    ("a huge token", "TooLarge", |a, _| token(a, json_reply(200, &json!({"token": "x".repeat(100_000)})))),
    ("a token without end", "TooLarge", |a, _| token(a, flood(b"HTTP/1.1 200 OK\r\n\r\n{"))),
    ("a token a byte at a time", "Timeout", |a, _| {
        token(a, Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{".to_vec()))
    }),
    ("no login for this name", "Unauthorized", |a, _| token(a, refusal(401, "UNAUTHORIZED"))),
    ("a login that fails", "ServerError", |a, _| token(a, Reply::status(500))),
    ("a login that is no more", "UnexpectedStatus", |a, _| token(a, Reply::status(410))),
    ("a token that is good for no time", "Present: Present Present", |a, _| {
        token(a, json_reply(200, &json!({"token": TOKEN, "expires_in": -5})))
    }),
    ("a token by its other name", "Present: Present Present", |a, _| {
        token(a, json_reply(200, &json!({"access_token": TOKEN, "expires_in": 1e300})))
    }),
];

/// Asks, and says in short what came of it.
fn outcome(expected: Outcome, lie: Lie) -> Result<String, String> {
    let seconds = if expected == "Timeout" { SHORT } else { LONG };
    let witness = Registry::witness();
    let world = World::new(witness.name());
    let registry = Registry::start(move |asked| lie(asked, &world).unwrap_or_else(|| world.truth(asked)));
    let login = Credentials::Basic { username: "ada".to_owned(), password: PASSWORD.into() };
    let credentials = BTreeMap::from([(registry.name(), login)]);
    let settings = RegistrySettings { jobs: 4, seconds, credentials, ..RegistrySettings::default() };
    let registries = Registries::new(settings).expect("the settings are good");
    let repository = Repository::parse(&format!("{}/shop", registry.name())).expect("a name that parses");
    let platforms = ["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    let question = TagQuestion { repository: &repository, tag: "1", known: None, platforms: &platforms };
    let start = Instant::now();
    let seen = registries.tags_seen(&[question]).remove(0);
    let elapsed = start.elapsed();
    let text = format!("{seen:?} {registries:?}");
    let in_time = elapsed < Duration::from_secs(seconds.into()) + SLACK;
    let tells = |what: bool, problem: String| if what { Ok(()) } else { Err(problem) };
    tells(in_time, format!("it took {elapsed:?}"))?;
    tells(!text.contains(PASSWORD) && !text.contains(TOKEN), format!("a secret got out: {text}"))?;
    tells(witness.connections() == 0, format!("the other host was asked: {:?}", witness.asked()))?;
    tells(!text.contains('\n') && text.len() < 4000, format!("it is no message: {text}"))?;
    let heads = registry.asked().iter().filter(|asked| asked.place == "HEAD /v2/shop/manifests/1").count();
    tells(heads <= 4, format!("the registry was asked {heads} times"))?;
    let word = |seen: &Observed<()>| match seen {
        Observed::Present(()) => "Present".to_owned(),
        Observed::Absent => "Absent".to_owned(),
        Observed::Unknown(unknown) => unknown.reason.clone(),
    };
    Ok(match seen {
        Observed::Absent => "Absent".to_owned(),
        Observed::Unknown(unknown) => {
            let names_it = unknown.message.starts_with(&format!("{repository}:1: "));
            tells(names_it, format!("the message does not name what it is about: {}", unknown.message))?;
            unknown.reason
        }
        Observed::Present(TagSeen::Unchanged) => "Unchanged".to_owned(),
        Observed::Present(TagSeen::Changed { artifact: _, children }) => {
            let words: String = children.iter().map(|(_, seen)| format!(" {}", word(seen))).collect();
            format!("Present:{words}")
        }
    })
}

#[test]
fn whatever_a_registry_answers_nothing_unproven_comes_out_and_no_secret_goes_elsewhere() {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, expected, lie)) = CASES.get(next.fetch_add(1, Ordering::SeqCst)) {
            let found = outcome(expected, *lie);
            if found.as_deref() != Ok(*expected) {
                wrong.lock().unwrap().push(format!("{name}: expected {expected}, and it is {found:?}"));
            }
        }
    };
    // Most of the time of the slow ones is waiting.
    thread::scope(|scope| (0..16).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
