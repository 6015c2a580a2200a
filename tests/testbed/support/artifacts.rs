//! Charts and images made by tests, and how they get into a registry and out of it again.

use std::{fs, process::Command};

use bobbypin::model::digest::Digest;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::support::{http, wait_for};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Something that can be pushed, whole.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    kind: &'static str,
    manifest: String,
    blobs: Vec<Vec<u8>>,
    children: Vec<Self>,
}

impl Artifact {
    /// The chart `ouroboros` in a version. It installs one ConfigMap, and its values are these (YAML).
    pub(crate) fn chart(version: &str, values: &str) -> Self {
        let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: installed}, data: {by: chart}}\n";
        Self::chart_of(version, values, object)
    }

    /// The chart `ouroboros` in a version. It installs the Service of the proxy, and no proxy.
    pub(crate) fn proxy_chart(version: &str) -> Self {
        let object =
            "{apiVersion: v1, kind: Service, metadata: {name: ouroboros-proxy}, spec: {ports: [{port: 443}]}}\n";
        Self::chart_of(version, "", object)
    }

    fn chart_of(version: &str, values: &str, object: &str) -> Self {
        let about = format!("apiVersion: v2\nname: ouroboros\nversion: {version}\nappVersion: {version}\n");
        let content = packed(&[
            ("ouroboros/Chart.yaml", &about),
            ("ouroboros/values.yaml", values),
            ("ouroboros/templates/one.yaml", object),
        ]);
        let config = json!({"apiVersion": "v2", "name": "ouroboros", "version": version, "appVersion": version});
        Self::manifest(
            ("application/vnd.cncf.helm.config.v1+json", config.to_string().into_bytes()),
            ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", content),
        )
    }

    /// An image for one platform, such as `linux/amd64`. Another text makes another image.
    pub(crate) fn image(platform: &str, text: &str) -> Self {
        let (os, architecture) = platform.split_once('/').expect("an operating system and an architecture");
        let config = json!({
            "os": os, "architecture": architecture, "config": {"Labels": {"text": text}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(text.as_bytes())]},
        });
        Self::manifest(
            ("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes()),
            ("application/vnd.oci.image.layer.v1.tar+gzip", packed(&[("text", text)])),
        )
    }

    /// An image for some platforms, one manifest for each.
    pub(crate) fn index(platforms: &[&str], text: &str) -> Self {
        let children: Vec<_> =
            platforms.iter().map(|platform| Self::image(platform, &format!("{text} on {platform}"))).collect();
        let described = children.iter().zip(platforms).map(|(child, platform)| {
            let (os, architecture) = platform.split_once('/').expect("it was split before");
            let mut one = descriptor(child.kind, child.manifest.as_bytes());
            one["platform"] = json!({"os": os, "architecture": architecture});
            one
        });
        let manifests: Vec<_> = described.collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string();
        Self { kind: INDEX, manifest, blobs: Vec::new(), children }
    }

    fn manifest(config: (&str, Vec<u8>), layer: (&str, Vec<u8>)) -> Self {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(config.0, &config.1), "layers": [descriptor(layer.0, &layer.1)],
        });
        let blobs = vec![config.1, layer.1];
        Self { kind: MANIFEST, manifest: manifest.to_string(), blobs, children: Vec::new() }
    }

    /// The digest of its manifest or index.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.manifest.as_bytes())
    }

    /// The manifests of an index, in the order of its platforms.
    pub(crate) fn children(&self) -> &[Self] {
        &self.children
    }
}

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len()})
}

/// A compressed archive of these files; the same bytes for the same texts.
fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of ours");
        fs::write(path, text).expect("a folder of ours");
    }
    let words = ["--sort=name", "--owner=0", "--group=0", "--mtime=@0", "--mode=644", "--create", "--gzip"];
    let mut tar = Command::new("tar");
    tar.args(words).args(files.iter().map(|(path, _)| path)).current_dir(folder.path());
    let done = tar.output().expect("tar is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// A repository of a registry on loopback without TLS, and who pushes to it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    client: Client,
    host: String,
    path: String,
    login: Option<(String, String)>,
}

impl Place {
    /// Nothing is asked yet, and no repository is made before something is pushed.
    pub(crate) fn new(host: &str, path: &str, login: Option<(&str, &str)>) -> Self {
        let login = login.map(|(name, password)| (name.to_owned(), password.to_owned()));
        Self { client: http::client(None), host: host.to_owned(), path: path.to_owned(), login }
    }

    /// The reference of a tag in it: `127.0.0.1:5000/tenant-acme/shop:1.0.0`.
    pub(crate) fn tagged(&self, tag: &str) -> String {
        format!("{self}:{tag}")
    }

    /// Pushes everything that an artifact consists of, and lets a tag lead to it.
    ///
    /// # Panics
    ///
    /// When the registry refuses anything.
    pub(crate) fn push(&self, artifact: &Artifact, tag: &str) {
        self.push_contents(artifact);
        self.put(artifact, tag);
    }

    /// Pushes without a tag.
    ///
    /// # Panics
    ///
    /// When the registry refuses anything.
    pub(crate) fn push_untagged(&self, artifact: &Artifact) {
        self.push_contents(artifact);
        self.put(artifact, artifact.digest().as_str());
    }

    fn push_contents(&self, artifact: &Artifact) {
        artifact.children.iter().for_each(|child| self.push_untagged(child));
        for blob in &artifact.blobs {
            let digest = Digest::of(blob);
            let one_step = format!("{}/blobs/uploads/?digest={digest}", self.root());
            let answer = self.ask(Method::POST, &one_step, "application/octet-stream", blob.clone());
            // The registry of the distribution project takes nothing in one step: it says where to go on.
            if answer.status() == 202 {
                let next = answer.headers()["location"].to_str().expect("a URL");
                let next = if next.starts_with('/') { format!("http://{}{next}", self.host) } else { next.to_owned() };
                let and = if next.contains('?') { '&' } else { '?' };
                let next = format!("{next}{and}digest={digest}");
                let answer = self.ask(Method::PUT, &next, "application/octet-stream", blob.clone());
                assert_eq!(answer.status(), 201, "{answer:?}");
            } else {
                assert_eq!(answer.status(), 201, "{answer:?}");
            }
        }
    }

    /// Puts the manifest of something whose contents are there: this is how a tag is moved.
    ///
    /// # Panics
    ///
    /// When the registry refuses it.
    pub(crate) fn put(&self, artifact: &Artifact, tag_or_digest: &str) {
        let answer = self.ask(Method::PUT, &self.manifest(tag_or_digest), artifact.kind, artifact.manifest.clone());
        assert_eq!(answer.status(), 201, "{answer:?}");
    }

    /// Deletes a tag, or a manifest by its digest.
    ///
    /// # Panics
    ///
    /// When the registry refuses it.
    pub(crate) fn delete(&self, tag_or_digest: &str) {
        let answer = self.ask(Method::DELETE, &self.manifest(tag_or_digest), MANIFEST, "");
        assert!(matches!(answer.status().as_u16(), 202 | 204), "{answer:?}");
    }

    /// How whoever says nothing of themselves is told to do so.
    pub(crate) fn challenge(&self) -> String {
        let request = self.client.get(format!("http://{}/v2/", self.host));
        let answer = wait_for(async { request.send().await }).expect("an answer of the registry");
        let challenges = answer.headers().get_all("www-authenticate").iter();
        challenges.map(|value| value.to_str().expect("ASCII")).collect::<Vec<_>>().join(", ")
    }

    /// The status with which the manifest of a tag or a digest is answered.
    pub(crate) fn status(&self, tag_or_digest: &str) -> u16 {
        self.ask(Method::GET, &self.manifest(tag_or_digest), MANIFEST, "").status().as_u16()
    }

    /// What a tag or a digest leads to now, by the digest of what is sent; `None` where the registry knows of nothing.
    pub(crate) fn found(&self, tag_or_digest: &str) -> Option<Digest> {
        let answer = self.ask(Method::GET, &self.manifest(tag_or_digest), MANIFEST, "");
        match answer.status().as_u16() {
            200 => Some(Digest::of(&wait_for(answer.bytes()).expect("a manifest"))),
            404 => None,
            other => panic!("{tag_or_digest}: {other}"),
        }
    }

    fn root(&self) -> String {
        format!("http://{}/v2/{}", self.host, self.path)
    }

    fn manifest(&self, tag_or_digest: &str) -> String {
        format!("{}/manifests/{tag_or_digest}", self.root())
    }

    fn ask(&self, method: Method, url: &str, kind: &str, body: impl Into<reqwest::Body>) -> Response {
        let mut request = self.client.request(method, url).header("content-type", kind).body(body);
        request = request.header("accept", format!("{MANIFEST}, {INDEX}"));
        if let Some((name, password)) = &self.login {
            request = request.basic_auth(name, Some(password));
        }
        wait_for(async { request.send().await }).expect("an answer of the registry")
    }
}

/// As a reference has it, without tag and digest.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}
