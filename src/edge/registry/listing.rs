//! What else a registry knows: all tags, what refers to a manifest, and blobs.

use std::{collections::BTreeSet, time::Duration};

use http::{Method, header};
use reqwest::Url;
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    edge::{
        http::{Deadline, HttpAnswer},
        registry::{
            Core,
            exchange::Question,
            failure::{Asked, Failure},
            manifests::judge,
            server::Server,
        },
    },
    model::{
        digest::Digest,
        oci::{Repository, is_tag},
    },
    pins::artifact::{Descriptor, read_referrers},
};

/// How many tags are asked for at a time: the most that the distribution project's own registry gives.
const PAGE: usize = 1000;

/// The most tags on one page, of a registry that does not care how many are asked for.
const MAX_ON_PAGE: usize = 10_000;

/// The most tags of a repository.
const MAX_TAGS: usize = 200_000;

/// The most bytes of a page.
const MAX_PAGE_BYTES: u64 = 4 << 20;

/// The most pages.
const MAX_PAGES: usize = 2000;

/// How many times the time of one exchange all pages together may take.
const PAGES_TIME: u32 = 10;

/// How often an answer may send elsewhere for a blob.
const MAX_REDIRECTS: usize = 3;

/// What cosign adds to the tag of what it signed.
const COSIGN: [&str; 3] = ["sig", "att", "sbom"];

impl Core {
    /// All tags, sorted.
    pub(super) async fn all_tags(&self, repository: &Repository, time: Duration) -> Asked<Vec<String>> {
        let server = self.server(repository)?;
        let path = repository.path();
        let first = |count: Option<usize>| {
            let mut url = server.url(&format!("{path}/tags/list"));
            url.set_query(count.map(|count| format!("n={count}")).as_deref());
            url
        };
        let all = Deadline::after(time * PAGES_TIME);
        let mut url = first(Some(PAGE));
        let mut seen = BTreeSet::new();
        let mut tags = BTreeSet::new();
        loop {
            let deadline = Deadline::after(time.min(all.left()));
            let answer = match self.ask_page(&server, path, &url, deadline).await {
                // Some take no number at all, or only a smaller one.
                Err(Failure::Status { status: 400 }) if seen.is_empty() => {
                    url = first(None);
                    self.ask_page(&server, path, &url, deadline).await
                }
                other => other,
            };
            let Some(answer) = answer? else { return Ok(None) };
            let page = read_tags(&answer)?;
            let is_empty = page.is_empty();
            tags.extend(page);
            if tags.len() > MAX_TAGS {
                return Err(Failure::TooLarge { most: MAX_TAGS as u64, unit: "tags" });
            }
            let next = next_page(&server, &url, &answer)?;
            let Some(next) = next else { return Ok(Some(tags.into_iter().collect())) };
            seen.insert(url.to_string());
            if is_empty || seen.len() >= MAX_PAGES || seen.contains(next.as_str()) {
                return Err(Failure::Malformed("the pages of the list of tags do not end".to_owned()));
            }
            url = next;
        }
    }

    /// What refers to a manifest: by the API for that, by the tag that stands for it where there is none, and by the tags
    /// of cosign, which is older than both. Sorted, each once.
    pub(super) async fn referrers(
        &self,
        repository: &Repository,
        digest: &Digest,
        deadline: Deadline,
    ) -> Asked<Vec<Descriptor>> {
        let server = self.server(repository)?;
        let path = repository.path();
        let mut found = BTreeSet::new();
        let mut url = server.url(&format!("{path}/referrers/{digest}"));
        let mut pages = 0;
        let has_api = loop {
            // A registry without it says so in many ways.
            let answer = match self.ask_page(&server, path, &url, deadline).await {
                Err(
                    Failure::Malformed(_)
                    | Failure::NotOfRegistry
                    | Failure::Status { status: 400 | 405 | 406 | 415 | 501 },
                )
                | Ok(None)
                    if pages == 0 =>
                {
                    break false;
                }
                other => other?,
            };
            let Some(answer) = answer else { break true };
            found.extend(read_referrers(&answer.body)?);
            pages += 1;
            match next_page(&server, &url, &answer)? {
                None => break true,
                Some(_) if pages >= MAX_PAGES => {
                    return Err(Failure::Malformed("the pages of the list of referrers do not end".to_owned()));
                }
                Some(next) => url = next,
            }
        };
        let tag = digest.as_str().replace(':', "-");
        if !has_api && let Some(index) = self.manifest(repository, &tag, deadline).await? {
            found.extend(read_referrers(&index.bytes)?);
        }
        for kind in COSIGN {
            if let Some(signature) = self.manifest(repository, &format!("{tag}.{kind}"), deadline).await? {
                found.insert(Descriptor {
                    media_type: signature.content_type,
                    digest: signature.digest,
                    size: signature.bytes.len() as u64,
                });
            }
        }
        Ok(Some(found.into_iter().collect()))
    }

    /// The content of a descriptor, hashed. Registries send elsewhere for it, to where nobody gets any credentials.
    pub(super) async fn blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        most: u64,
        deadline: Deadline,
    ) -> Asked<Vec<u8>> {
        if descriptor.size > most {
            return Err(Failure::TooLarge { most, unit: "bytes" });
        }
        if let Some(kept) = self.contents.as_ref().and_then(|kept| kept.get(repository, &descriptor.digest)) {
            return Ok(Some(kept));
        }
        let server = self.server(repository)?;
        let url = server.url(&format!("{}/blobs/{}", repository.path(), descriptor.digest));
        let question =
            Question { method: Method::GET, url, accept: "*/*".to_owned(), authorization: None, most: descriptor.size };
        let path = repository.path();
        let answer = self.access.ask(&self.clients, &server, path, question.clone(), deadline).await?;
        let answer = self.follow(&server, question, answer, deadline).await?;
        let Some(answer) = judge(&server, answer)? else { return Ok(None) };
        let found = Digest::of(&answer.body);
        if found != descriptor.digest {
            return Err(Failure::Mismatch(format!(
                "the registry was asked for this digest and answers with the bytes of another one: {found}"
            )));
        }
        if let Some(kept) = &self.contents {
            kept.put(repository, &descriptor.digest, &answer.body);
        }
        Ok(Some(answer.body))
    }

    /// Goes where an answer sends to, without any credentials, as often as makes sense.
    pub(super) async fn follow(
        &self,
        server: &Server,
        mut question: Question,
        mut answer: HttpAnswer,
        deadline: Deadline,
    ) -> Result<HttpAnswer, Failure> {
        question.authorization = None;
        for _ in 0..MAX_REDIRECTS {
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let to = answer.header(header::LOCATION).and_then(|to| question.url.join(to).ok());
            let Some(to) = to.filter(|to| server.may_send_to(to)) else { break };
            question.url = to;
            answer = self.clients.ask(server, &question, deadline).await?;
        }
        Ok(answer)
    }

    async fn ask_page(&self, server: &Server, path: &str, url: &Url, deadline: Deadline) -> Asked<HttpAnswer> {
        let question = Question {
            method: Method::GET,
            url: url.clone(),
            accept: "application/vnd.oci.image.index.v1+json, application/json".to_owned(),
            authorization: None,
            most: MAX_PAGE_BYTES,
        };
        let asked = timeout(deadline.left(), self.access.ask(&self.clients, server, path, question, deadline)).await;
        let answer = asked.unwrap_or(Err(Failure::Timeout { after: deadline.given() }))?;
        judge(server, answer)
    }
}

#[derive(Deserialize)]
struct RawTags {
    tags: Option<Vec<String>>,
}

fn read_tags(answer: &HttpAnswer) -> Result<Vec<String>, Failure> {
    let wrong = || Failure::Malformed("the answer is no list of tags".to_owned());
    let raw: RawTags = serde_json::from_slice(&answer.body).map_err(|_| wrong())?;
    let tags = raw.tags.unwrap_or_default();
    if tags.len() > MAX_ON_PAGE {
        return Err(Failure::TooLarge { most: MAX_ON_PAGE as u64, unit: "tags on one page" });
    }
    if tags.iter().all(|tag| is_tag(tag)) { Ok(tags) } else { Err(wrong()) }
}

/// The page after this one, as the header `Link` has it.
fn next_page(server: &Server, from: &Url, answer: &HttpAnswer) -> Result<Option<Url>, Failure> {
    let Some(link) = answer.header(header::LINK) else { return Ok(None) };
    let wrong = || Failure::Malformed("the registry names a next page that is not its own".to_owned());
    let is_next = |part: &&str| part.replace(['"', ' '], "").contains(";rel=next");
    let Some(part) = link.split(',').find(is_next) else { return Ok(None) };
    let target = part.trim().strip_prefix('<').and_then(|part| Some(part.split_once('>')?.0)).ok_or_else(wrong)?;
    server.next(from, target).map(Some).ok_or_else(wrong)
}
