//! A registry with the chart and the images of ouroboros, whose content changes while a test runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bobbypin::model::digest::Digest;
use serde_json::json;

use crate::support::{
    registry::{Asked, OCI_INDEX, OCI_MANIFEST, Registry, image, image_of, index, manifest, refusal},
    scripted::Reply,
};

/// The registry.
pub(crate) struct Store {
    pub(crate) registry: Registry,
    content: Arc<Mutex<Content>>,
}

/// By repository, then by tag or digest.
#[derive(Default)]
struct Content {
    manifests: BTreeMap<(String, String), (&'static str, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// Repositories that nobody may read.
    refused: Vec<String>,
    /// What happens while the next question is answered.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
}

impl Store {
    pub(crate) fn empty() -> Self {
        let content = Arc::new(Mutex::<Content>::default());
        let served = content.clone();
        let registry = Registry::start(move |asked| served.lock().expect("no thread panics with it").answer(asked));
        Self { registry, content }
    }

    /// With version 0.8.1 of ouroboros.
    pub(crate) fn with_ouroboros() -> Self {
        let store = Self::empty();
        store.push_version("0.8.1");
        store
    }

    /// Pushes a chart and its image, and the image of the hook with the tag 1.36.1.
    pub(crate) fn push_version(&self, version: &str) {
        self.push_chart(version, "1.36.1");
        self.push_image("ouroboros", version, &format!("ouroboros {version}"));
        self.push_image("alpine/kubectl", "1.36.1", "kubectl 1.36.1");
    }

    /// Pushes a chart that runs the image of its own version, and a hook of another.
    pub(crate) fn push_chart(&self, version: &str, hook: &str) {
        let registry = self.registry.name();
        let values = format!(
            "# Defaults.\nimage:\n  repository: {registry}/ouroboros\n  tag: \"\"\ncontroller:\n  cleanupHookImage:\n    \
             repository: {registry}/alpine/kubectl\n    tag: \"{hook}\"\n"
        );
        let about = format!("apiVersion: v2\nname: ouroboros\nversion: {version}\nappVersion: \"{version}\"\n");
        let archive = archive(&[("ouroboros/Chart.yaml", &about), ("ouroboros/values.yaml", &values)]);
        let descriptor = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": descriptor("application/vnd.cncf.helm.config.v1+json", about.as_bytes()),
            "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &archive)],
        });
        self.change(|content| {
            content.blobs.insert(Digest::of(&archive).to_string(), archive);
            content.push("charts/ouroboros", version, OCI_MANIFEST, manifest.to_string().into_bytes());
        });
    }

    /// Pushes an image for two platforms; every seed makes another one.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, seed: &str) -> Digest {
        let children = ["amd64", "arm64"].map(|name| (image(&format!("{seed} {name}")), format!("linux/{name}")));
        let children: Vec<_> = children.iter().map(|(bytes, platform)| (bytes.as_slice(), platform.as_str())).collect();
        let index = index(&children);
        let digest = Digest::of(&index);
        self.change(|content| {
            for (bytes, _) in &children {
                let key = (repository.to_owned(), Digest::of(bytes).to_string());
                content.manifests.insert(key, (OCI_MANIFEST, bytes.to_vec()));
            }
            content.push(repository, tag, OCI_INDEX, index.clone());
        });
        digest
    }

    /// Pushes a signature as cosign 2 keeps it: a payload, and what signs it in an annotation.
    #[cfg(feature = "signatures")]
    pub(crate) fn push_signature(&self, repository: &str, digest: &str, payload: &[u8], signature: &str) {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2},
            "layers": [{
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": Digest::of(payload),
                "size": payload.len(), "annotations": {"dev.cosignproject.cosign/signature": signature},
            }],
        });
        self.change(|content| {
            content.blobs.insert(Digest::of(payload).to_string(), payload.to_vec());
            let tag = format!("{}.sig", digest.replace(':', "-"));
            content.push(repository, &tag, OCI_MANIFEST, manifest.to_string().into_bytes());
        });
    }

    /// Sets a tag on what another one leads to, in a repository.
    pub(crate) fn retag(&self, repository: &str, from: &str, to: &str) {
        self.change(|content| {
            let manifest = content.manifests[&(repository.to_owned(), from.to_owned())].clone();
            content.manifests.insert((repository.to_owned(), to.to_owned()), manifest);
        });
    }

    /// Deletes a tag, or a digest.
    pub(crate) fn delete(&self, repository: &str, reference: &str) {
        self.change(|content| drop(content.manifests.remove(&(repository.to_owned(), reference.to_owned()))));
    }

    /// What a tag leads to.
    pub(crate) fn digest(&self, repository: &str, tag: &str) -> Digest {
        let content = self.content.lock().expect("no thread panics with it");
        Digest::of(&content.manifests[&(repository.to_owned(), tag.to_owned())].1)
    }

    /// Lets nobody read a repository, or everybody again.
    pub(crate) fn refuse(&self, repository: &str, is_refused: bool) {
        self.change(|content| {
            content.refused.retain(|refused| refused != repository);
            content.refused.extend(is_refused.then(|| repository.to_owned()));
        });
    }

    /// Pushes what is neither a chart nor an image.
    pub(crate) fn push_files(&self, repository: &str, tag: &str) -> Digest {
        let files = image_of(tag, "application/vnd.cncf.flux.config.v1+json");
        self.change(|content| content.push(repository, tag, OCI_MANIFEST, files.clone()));
        Digest::of(&files)
    }

    /// Does something while the next question is answered.
    pub(crate) fn meanwhile(&self, what: impl FnOnce() + Send + 'static) {
        self.change(|content| content.meanwhile = Some(Box::new(what)));
    }

    fn change(&self, change: impl FnOnce(&mut Content)) {
        change(&mut self.content.lock().expect("no thread panics with it"));
    }
}

impl Content {
    fn push(&mut self, repository: &str, tag: &str, media_type: &'static str, bytes: Vec<u8>) {
        let digest = Digest::of(&bytes).to_string();
        for reference in [tag.to_owned(), digest] {
            self.manifests.insert((repository.to_owned(), reference), (media_type, bytes.clone()));
        }
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        let path = asked.place.split(' ').nth(1).unwrap_or_default().trim_start_matches("/v2/");
        if let Some((repository, reference)) = path.split_once("/manifests/") {
            if self.refused.iter().any(|refused| refused == repository) {
                return refusal(403, "DENIED");
            }
            let key = (repository.to_owned(), reference.to_owned());
            return match self.manifests.get(&key) {
                Some((media_type, bytes)) => manifest(media_type, bytes),
                None => refusal(404, "MANIFEST_UNKNOWN"),
            };
        }
        match path.split_once("/blobs/").and_then(|(_, digest)| self.blobs.get(digest)) {
            Some(bytes) => Reply::Answer(200, "content-type: application/octet-stream\r\n".to_owned(), bytes.clone()),
            None => refusal(404, "BLOB_UNKNOWN"),
        }
    }
}

/// A compressed archive of files.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, text.as_bytes()).expect("an archive in memory");
    }
    builder.into_inner().and_then(|encoder| encoder.finish()).expect("an archive in memory")
}
