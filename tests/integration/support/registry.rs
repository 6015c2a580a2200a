//! A registry that answers by a script: what is right, what is wrong, or nothing at all; and hosts that must not be asked.

use std::sync::{Arc, Mutex};

use bobbypin::model::digest::Digest;
use serde_json::{Value, json};

use crate::support::scripted::{Reply, Request, Server};

/// The password of these tests, which nothing may ever print and no other host may ever see.
pub(crate) const PASSWORD: &str = "canary-password-7be1d50f2c";

/// The token that a registry hands out, of which the same holds.
pub(crate) const TOKEN: &str = "canary-token-0c4f6b81aa";

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The server. It ends when it is dropped.
pub(crate) struct Registry {
    server: Server,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method and path, with the query.
    pub(crate) place: String,
    /// The header `authorization`, or nothing.
    pub(crate) authorization: String,
    /// All headers as they came.
    pub(crate) head: String,
    /// Which request it is, from 0, of those for the same place.
    pub(crate) times: usize,
}

/// A manifest as a registry serves it, with its digest.
pub(crate) fn manifest(content_type: &str, bytes: &[u8]) -> Reply {
    typed(content_type, bytes).with(&format!("docker-content-digest: {}", Digest::of(bytes)))
}

/// The same without a digest.
pub(crate) fn typed(content_type: &str, bytes: &[u8]) -> Reply {
    Reply::Answer(200, format!("content-type: {content_type}\r\n"), bytes.to_vec())
}

pub(crate) fn json_reply(status: u16, body: &Value) -> Reply {
    Reply::json(status, body.to_string())
}

/// A refusal in the words of the specification.
pub(crate) fn refusal(status: u16, code: &str) -> Reply {
    json_reply(status, &json!({"errors": [{"code": code, "message": "no"}]}))
}

/// The manifest of an image for one platform; every `seed` makes another one.
pub(crate) fn image(seed: &str) -> Vec<u8> {
    image_of(seed, "application/vnd.oci.image.config.v1+json")
}

/// The manifest of a chart.
pub(crate) fn chart(seed: &str) -> Vec<u8> {
    image_of(seed, "application/vnd.cncf.helm.config.v1+json")
}

/// A manifest whose config is this.
pub(crate) fn image_of(seed: &str, config: &str) -> Vec<u8> {
    let descriptor = |kind: &str, of: &str| json!({"mediaType": kind, "digest": Digest::of(of.as_bytes()), "size": 7});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, &format!("config {seed}")),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &format!("layer {seed}"))],
    });
    manifest.to_string().into_bytes()
}

/// An index of these manifests: bytes and `os/architecture`.
pub(crate) fn index(children: &[(&[u8], &str)]) -> Vec<u8> {
    let child = |(bytes, platform): &(&[u8], &str)| {
        let (os, architecture) = platform.split_once('/').expect("a literal with a slash");
        json!({
            "mediaType": OCI_MANIFEST, "digest": Digest::of(bytes), "size": bytes.len(),
            "platform": {"os": os, "architecture": architecture},
        })
    };
    let manifests: Vec<_> = children.iter().map(child).collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string().into_bytes()
}

/// This, and then more than anybody takes.
pub(crate) fn flood(first: impl Into<Vec<u8>>) -> Reply {
    Reply::Flood(first.into(), vec![b' '; 1 << 20])
}

impl Registry {
    /// Answers as the function says.
    pub(crate) fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::default());
        let all = asked.clone();
        let server = Server::start(move |request, stream| script(&remember(request, &all)).send(request, stream));
        Self { server, asked }
    }

    /// A host that nobody should ask anything, and that answers all the same.
    pub(crate) fn witness() -> Self {
        Self::start(|_| json_reply(200, &json!({"token": TOKEN})))
    }

    /// `127.0.0.1:port`.
    pub(crate) fn name(&self) -> String {
        self.server.address().to_string()
    }

    /// Everything that was asked for.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no thread panics with it").clone()
    }

    /// How often a place that begins so was asked for.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.asked().iter().filter(|asked| asked.place.starts_with(beginning)).count()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }
}

fn remember(request: &Request, all: &Mutex<Vec<Asked>>) -> Asked {
    let (place, head) = (request.place().to_owned(), request.head.clone());
    let authorization = request.header("authorization").unwrap_or_default().to_owned();
    let mut all = all.lock().expect("no thread panics with it");
    let times = all.iter().filter(|before| before.place == place).count();
    let asked = Asked { place, authorization, head, times };
    all.push(asked.clone());
    asked
}
