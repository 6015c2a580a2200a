//! Manifests: whether they are there, and what they are. What comes out was hashed here.

use http::{HeaderName, Method, header};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    edge::{
        http::{Deadline, HttpAnswer},
        registry::{
            Core, TagQuestion,
            exchange::Question,
            failure::{Asked, Failure, said},
            server::Server,
        },
    },
    model::{
        digest::Digest,
        observed::Observed,
        oci::{Repository, is_tag},
        pins::ArtifactKind,
    },
    pins::{
        artifact::{Artifact, Child, MANIFEST_TYPES},
        seen::TagSeen,
    },
};

/// The most bytes of a manifest, as registries themselves have it.
const MAX_MANIFEST: u64 = 4 << 20;

/// What a registry says that the digest of its answer is.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// The codes that say that there is no such thing. `NOT_FOUND` is Harbor's.
const ABSENT_CODES: [&str; 5] =
    ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "NOT_FOUND"];

/// The bytes of a manifest, and what the registry calls them.
#[derive(Clone, Debug)]
pub(super) struct Bytes {
    pub(super) digest: Digest,
    pub(super) content_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Core {
    /// What a tag leads to.
    pub(super) async fn tag_seen(&self, question: TagQuestion<'_>, deadline: Deadline) -> Asked<TagSeen> {
        let TagQuestion { repository, tag, known, platforms } = question;
        if let Some(kept) = self.kept.as_ref().and_then(|kept| kept.get(repository, tag)) {
            let seen = self.seen_by_digest(question, &kept, deadline).await?;
            // What was kept may be gone meanwhile.
            if seen.is_some() {
                return Ok(seen);
            }
        }
        let Some(named) = self.head_tag(repository, tag, deadline).await? else { return Ok(None) };
        let (digest, seen) = match named {
            Some(named) => match self.seen_by_digest(question, &named, deadline).await? {
                Some(seen) => (named, seen),
                None => {
                    return Err(Failure::Mismatch(format!(
                        "the registry says that the tag leads to {named}, and that there is no such manifest; the tag may just have been moved"
                    )));
                }
            },
            None => match self.by_tag(repository, tag, deadline).await? {
                None => return Ok(None),
                Some(artifact) if Some(&artifact.digest) == known => (artifact.digest, TagSeen::Unchanged),
                Some(artifact) => {
                    let children = self.children(repository, &artifact, platforms, deadline).await;
                    (artifact.digest.clone(), TagSeen::Changed { artifact, children })
                }
            },
        };
        if let Some(kept) = &self.kept {
            kept.put(repository, tag, &digest);
        }
        Ok(Some(seen))
    }

    /// What the digest that a tag leads to is.
    async fn seen_by_digest(&self, question: TagQuestion<'_>, named: &Digest, deadline: Deadline) -> Asked<TagSeen> {
        let TagQuestion { repository, tag: _, known, platforms } = question;
        if known == Some(named) {
            return Ok(Some(TagSeen::Unchanged));
        }
        let Some(artifact) = self.by_digest(repository, named, deadline).await? else { return Ok(None) };
        let children = self.children(repository, &artifact, platforms, deadline).await;
        Ok(Some(TagSeen::Changed { artifact, children }))
    }

    /// The digest that a tag leads to now.
    pub(super) async fn tag_digest(&self, repository: &Repository, tag: &str, deadline: Deadline) -> Asked<Digest> {
        match self.head_tag(repository, tag, deadline).await? {
            Some(Some(named)) => Ok(Some(named)),
            Some(None) => Ok(self.manifest(repository, tag, deadline).await?.map(|found| found.digest)),
            None => Ok(None),
        }
    }

    /// The digest that a tag leads to, by the registry's own word; `Some(None)`: it is there, and no digest was named.
    pub(super) async fn head_tag(
        &self,
        repository: &Repository,
        tag: &str,
        deadline: Deadline,
    ) -> Asked<Option<Digest>> {
        if !is_tag(tag) {
            return Err(Failure::Malformed(format!("`{}` is no tag", tag.escape_debug())));
        }
        let key = (repository.clone(), tag.to_owned());
        self.tags.get(key, self.head(repository, tag, deadline)).await
    }

    /// Whether there is a manifest of this digest, by the registry's own word.
    pub(super) async fn head_digest(&self, repository: &Repository, digest: &Digest, deadline: Deadline) -> Asked<()> {
        let ask = async {
            match self.head(repository, digest.as_str(), deadline).await? {
                Some(Some(named)) if named != *digest => Err(Failure::Mismatch(format!(
                    "the registry was asked for this digest and names another one: {named}"
                ))),
                Some(_) => Ok(Some(())),
                None => Ok(None),
            }
        };
        self.digests.get((repository.clone(), digest.clone()), ask).await
    }

    /// What a digest leads to.
    pub(super) async fn by_digest(
        &self,
        repository: &Repository,
        digest: &Digest,
        deadline: Deadline,
    ) -> Asked<Artifact> {
        let ask = async {
            let kept = self.contents.as_ref().and_then(|kept| kept.get(repository, digest));
            if let Some(artifact) = kept.and_then(|bytes| Artifact::read(&bytes, "").ok()) {
                return Ok(Some(artifact));
            }
            let Some(found) = self.exactly(repository, digest, deadline).await? else { return Ok(None) };
            let artifact = Artifact::read(&found.bytes, &found.content_type)?;
            if let Some(kept) = self.contents.as_ref().filter(|_| artifact.kind == ArtifactKind::Chart) {
                kept.put(repository, digest, &found.bytes);
            }
            Ok(Some(artifact))
        };
        self.artifacts.get((repository.clone(), digest.clone()), ask).await
    }

    /// The bytes that a digest is the digest of, of whatever kind.
    pub(super) async fn bytes(&self, repository: &Repository, digest: &Digest, deadline: Deadline) -> Asked<Vec<u8>> {
        Ok(self.exactly(repository, digest, deadline).await?.map(|found| found.bytes))
    }

    async fn exactly(&self, repository: &Repository, digest: &Digest, deadline: Deadline) -> Asked<Bytes> {
        let Some(found) = self.manifest(repository, digest.as_str(), deadline).await? else { return Ok(None) };
        if found.digest != *digest {
            return Err(Failure::Mismatch(format!(
                "the registry was asked for this digest and answers with the bytes of another one: {}",
                found.digest
            )));
        }
        Ok(Some(found))
    }

    /// What a tag leads to, of a registry that names no digests.
    pub(super) async fn by_tag(&self, repository: &Repository, tag: &str, deadline: Deadline) -> Asked<Artifact> {
        let Some(found) = self.manifest(repository, tag, deadline).await? else { return Ok(None) };
        Ok(Some(Artifact::read(&found.bytes, &found.content_type)?))
    }

    /// Of the children that are for one of these platforms, whether each is there.
    pub(super) async fn children(
        &self,
        repository: &Repository,
        artifact: &Artifact,
        platforms: &[String],
        deadline: Deadline,
    ) -> Vec<(Child, Observed<()>)> {
        let mut found = Vec::new();
        for child in &artifact.children {
            if platforms.iter().any(|platform| child.is_for(platform)) {
                let asked = timeout(deadline.left(), self.head_digest(repository, &child.digest, deadline)).await;
                let asked = asked.unwrap_or(Err(Failure::Timeout { after: deadline.given() }));
                let what = format!("{repository}@{}", child.digest);
                found.push((child.clone(), self.observed(&what, asked)));
            }
        }
        found
    }

    /// The bytes of a manifest by a tag or a digest, hashed. What the registry says of their digest must be true.
    pub(super) async fn manifest(&self, repository: &Repository, reference: &str, deadline: Deadline) -> Asked<Bytes> {
        let Some(answer) = self.ask_manifest(Method::GET, repository, reference, deadline).await? else {
            return Ok(None);
        };
        let digest = Digest::of(&answer.body);
        match content_digest(&answer)? {
            Some(named) if named != digest => Err(Failure::Mismatch(format!(
                "the registry names the digest {named} and answers with the bytes of {digest}"
            ))),
            _ => Ok(Some(Bytes { digest, content_type: answer.kind().to_owned(), bytes: answer.body })),
        }
    }

    async fn head(&self, repository: &Repository, reference: &str, deadline: Deadline) -> Asked<Option<Digest>> {
        let answer = match self.ask_manifest(Method::HEAD, repository, reference, deadline).await {
            // Without a body nobody can tell whose 404 it is, whatever its headers say.
            Err(Failure::NotOfRegistry) => self.ask_manifest(Method::GET, repository, reference, deadline).await,
            other => other,
        };
        answer?.map(|answer| content_digest(&answer)).transpose()
    }

    async fn ask_manifest(
        &self,
        method: Method,
        repository: &Repository,
        reference: &str,
        deadline: Deadline,
    ) -> Asked<HttpAnswer> {
        let server = self.server(repository)?;
        let question = Question {
            method,
            url: server.url(&format!("{}/manifests/{reference}", repository.path())),
            accept: MANIFEST_TYPES.join(", "),
            authorization: None,
            most: MAX_MANIFEST,
        };
        let path = repository.path();
        let mut answer = self.access.ask(&self.clients, &server, path, question.clone(), deadline).await?;
        if server.follows_for_manifests() {
            answer = self.follow(&server, question, answer, deadline).await?;
        }
        let Some(answer) = judge(&server, answer)? else { return Ok(None) };
        let kind = answer.kind();
        if !kind.is_empty() && !kind.starts_with("application/") {
            return Err(Failure::Malformed(format!(
                "the registry answers with a page of the kind `{}` and not with a manifest; something else may answer in its place",
                said(kind).escape_debug()
            )));
        }
        Ok(Some(answer))
    }
}

/// Sorts an answer by its status. `None`: the registry says, in its own words, that there is nothing.
pub(super) fn judge(server: &Server, answer: HttpAnswer) -> Asked<HttpAnswer> {
    match answer.status {
        200 => {
            let encoding = answer.header(header::CONTENT_ENCODING).unwrap_or("identity");
            match encoding.eq_ignore_ascii_case("identity") {
                true => Ok(Some(answer)),
                false => Err(Failure::Malformed("the answer is compressed, which was not asked for".to_owned())),
            }
        }
        300..=399 => Err(Failure::redirected(&answer)),
        401 => Err(Failure::Unauthorized { registry: server.name.clone(), note: String::new() }),
        403 => Err(Failure::Forbidden),
        404 if says_absent(&answer) => Ok(None),
        404 => Err(Failure::NotOfRegistry),
        status @ 500..=599 => Err(Failure::ServerError { status }),
        status => Err(Failure::Status { status }),
    }
}

/// Whether it is the registry that says so, and not some proxy before it.
fn says_absent(answer: &HttpAnswer) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Code>,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let refusal = serde_json::from_slice::<Refusal>(&answer.body).map(|refusal| refusal.errors).unwrap_or_default();
    !refusal.is_empty() && refusal.iter().all(|error| ABSENT_CODES.contains(&error.code.as_str()))
}

fn content_digest(answer: &HttpAnswer) -> Result<Option<Digest>, Failure> {
    let mut values = answer.headers.get_all(CONTENT_DIGEST).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digest = value.to_str().ok().and_then(|text| Digest::parse(text).ok());
    match (digest, values.next()) {
        (Some(digest), None) => Ok(Some(digest)),
        _ => Err(Failure::Malformed("what the registry calls a digest is none that this program knows: it takes `sha256:` and 64 lower-case hex digits".to_owned())),
    }
}
