//! `bobbypin.yaml`: how to publish, and which registries differ from the rule.

use std::collections::BTreeMap;

use crate::{
    config::{
        fault::{Fault, Faults},
        raw::repository as raw,
        values,
    },
    model::repository::{
        Author, GiteaServer, LockReference, MergeStyle, PublishMode, PullRequestSettings, Receiver, ReceiverForm,
        ReceiverPath, RegistryConfig, RepositoryConfig, Signing, Transport, TrustedSigners,
    },
};

/// Checks what the file means.
pub(super) fn repository(raw: &raw::Repository) -> Result<RepositoryConfig, Vec<Fault>> {
    let mut faults = Faults::default();
    if let Some(metadata) = &raw.metadata {
        faults.take("/metadata/name", values::name(&metadata.name));
    }
    let publish = raw.spec.as_ref().and_then(|spec| spec.publish.as_ref());
    let config = publish.map_or_else(|| Some(RepositoryConfig::default()), |publish| convert(&mut faults, publish));
    let registries = raw.spec.as_ref().and_then(|spec| spec.registries.as_deref()).unwrap_or_default();
    let registries = self::registries(&mut faults, registries);
    faults.finish(config.zip(registries).map(|(config, registries)| RepositoryConfig { registries, ..config }))
}

fn registries(faults: &mut Faults, raw: &[raw::Registry]) -> Option<BTreeMap<String, RegistryConfig>> {
    let mut found = BTreeMap::new();
    for (index, raw) in raw.iter().enumerate() {
        let at = format!("/spec/registries/{index}");
        let host = faults.take(&format!("{at}/host"), registry_host(&raw.host));
        let ca_file = faults.take_optional(&format!("{at}/caFile"), raw.ca_file.as_deref(), word);
        let token_hosts = raw.token_hosts.as_deref().unwrap_or_default();
        let token_hosts = faults.take_list(&format!("{at}/tokenHosts"), token_hosts, registry_host);
        if let (Some(host), Some(ca_file), Some(token_hosts)) = (host, ca_file, token_hosts) {
            let registry = RegistryConfig {
                plain_http: raw.plain_http.unwrap_or_default(),
                private: raw.private.unwrap_or_default(),
                ca_file,
                token_hosts,
                follow_redirects: raw.follow_redirects.unwrap_or_default(),
                credential_helpers: raw.credential_helpers.unwrap_or_default(),
            };
            if found.insert(host, registry).is_some() {
                faults.add(format!("{at}/host"), format!("`{}` is listed a second time", raw.host.escape_debug()));
            }
        }
    }
    Some(found)
}

/// A registry without a path.
fn registry_host(text: &str) -> Result<String, PublishError> {
    match values::registry(text) {
        Ok(host) if !host.contains('/') => Ok(host),
        Ok(_) | Err(_) => Err(PublishError::RegistryHost),
    }
}

fn convert(faults: &mut Faults, raw: &raw::Publish) -> Option<RepositoryConfig> {
    let default = RepositoryConfig::default();
    let remote = faults.take_optional("/spec/publish/remote", raw.remote.as_deref(), remote);
    let branch = faults.take_optional("/spec/publish/branch", raw.branch.as_deref(), branch);
    let author = raw.author.as_ref();
    let name = author.and_then(|author| author.name.as_deref());
    let name = faults.take_optional("/spec/publish/author/name", name, author_name);
    let email = author.and_then(|author| author.email.as_deref());
    let email = faults.take_optional("/spec/publish/author/email", email, author_email);
    let branch = branch.map(|branch| branch.unwrap_or(default.branch));
    let mode = mode(faults, raw, branch.as_deref());
    let signing = optional(faults, raw.signing.as_ref(), signing);
    let trusted_base = optional(faults, raw.trusted_base.as_ref(), trusted_base);
    let gitea = match &raw.gitea {
        Some(raw) => gitea(faults, raw),
        None => Some(GiteaServer::default()),
    };
    let notify = optional(faults, raw.notify.as_ref(), receiver);
    let lock = optional(faults, raw.lock.as_ref(), lock);
    expect_git(faults, raw);
    Some(RepositoryConfig {
        remote: remote?,
        branch: branch?,
        mode: mode?,
        author: Author { name: name?.unwrap_or(default.author.name), email: email?.unwrap_or(default.author.email) },
        signing: signing?,
        trusted_base: trusted_base?,
        gitea: gitea?,
        notify: notify?,
        lock: lock?,
        registries: BTreeMap::new(),
    })
}

/// Converts a part that may be left out.
fn optional<R, T>(
    faults: &mut Faults,
    raw: Option<&R>,
    convert: impl FnOnce(&mut Faults, &R) -> Option<T>,
) -> Option<Option<T>> {
    raw.map_or(Some(None), |raw| convert(faults, raw).map(Some))
}

fn mode(faults: &mut Faults, raw: &raw::Publish, base: Option<&str>) -> Option<PublishMode> {
    const AT: &str = "/spec/publish/pullRequest";
    let default = PullRequestSettings::default();
    let settings = match &raw.pull_request {
        None => Some(default),
        Some(given) => {
            let own = |text: &str| match branch(text)? {
                branch if Some(branch.as_str()) == base => Err(PublishError::SameBranch(branch)),
                branch => Ok(branch),
            };
            let branch = faults.take_optional(&format!("{AT}/branch"), given.branch.as_deref(), own);
            let mut list = |key: &str, texts: &Option<Vec<String>>| {
                faults.take_list(&format!("{AT}/{key}"), texts.as_deref().unwrap_or_default(), word)
            };
            let [labels, assignees, reviewers] = [
                list("labels", &given.labels),
                list("assignees", &given.assignees),
                list("reviewers", &given.reviewers),
            ];
            let auto_merge = given.auto_merge.map(|style| match style {
                raw::MergeStyle::Merge => MergeStyle::Merge,
                raw::MergeStyle::Rebase => MergeStyle::Rebase,
                raw::MergeStyle::Squash => MergeStyle::Squash,
                raw::MergeStyle::FastForwardOnly => MergeStyle::FastForwardOnly,
            });
            let stamp = given.stamp.unwrap_or(default.stamp);
            match (branch, labels, assignees, reviewers) {
                (Some(branch), Some(labels), Some(assignees), Some(reviewers)) => Some(PullRequestSettings {
                    branch: branch.unwrap_or(default.branch),
                    labels,
                    assignees,
                    reviewers,
                    auto_merge,
                    stamp,
                }),
                _ => None,
            }
        }
    };
    match raw.mode {
        Some(raw::Mode::PullRequest) => settings.map(PublishMode::PullRequest),
        Some(raw::Mode::Commit) | None if raw.pull_request.is_some() => {
            faults.add_with_hint(AT, "there is no pull request with `mode: commit`", "mode: pull-request");
            None
        }
        Some(raw::Mode::Commit) | None => Some(PublishMode::Commit),
    }
}

fn signing(faults: &mut Faults, raw: &raw::Signing) -> Option<Signing> {
    const AT: &str = "/spec/publish/signing";
    match (&raw.ssh, &raw.gpg) {
        (Some(ssh), None) => match (&ssh.key_file, &ssh.agent) {
            (Some(file), None) => faults.take(&format!("{AT}/ssh/keyFile"), word(file)).map(Signing::SshKeyFile),
            (None, Some(key)) => faults.take(&format!("{AT}/ssh/agent"), ssh_key(key)).map(Signing::SshAgent),
            _ => {
                faults.add(format!("{AT}/ssh"), "give exactly one of `keyFile` and `agent`");
                None
            }
        },
        (None, Some(gpg)) => faults.take(&format!("{AT}/gpg/key"), word(&gpg.key)).map(Signing::Gpg),
        _ => {
            faults.add(AT, "give exactly one of `ssh` and `gpg`");
            None
        }
    }
}

fn trusted_base(faults: &mut Faults, raw: &raw::TrustedBase) -> Option<TrustedSigners> {
    const AT: &str = "/spec/publish/trustedBase";
    let ssh = faults.take_list(&format!("{AT}/ssh"), raw.ssh.as_deref().unwrap_or_default(), ssh_key);
    let gpg = faults.take_list(&format!("{AT}/gpg"), raw.gpg.as_deref().unwrap_or_default(), fingerprint);
    let (ssh, gpg) = (ssh?, gpg?);
    if ssh.is_empty() && gpg.is_empty() {
        faults.add(AT, "nobody is trusted: name a key in `ssh` or `gpg`");
        return None;
    }
    Some(TrustedSigners { ssh, gpg })
}

/// Reads a list of signers, one on each line: SSH public keys and OpenPGP fingerprints. Empty lines and what begins with
/// `#` say nothing.
pub(super) fn signers(text: &str) -> Result<TrustedSigners, String> {
    let mut signers = TrustedSigners { ssh: Vec::new(), gpg: Vec::new() };
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (index, line) in lines {
        let number = index + 1;
        match ssh_key(line) {
            Ok(key) => signers.ssh.push(key),
            Err(error) if line.starts_with("ssh-") => return Err(format!("line {number}: {error}")),
            Err(_) => signers.gpg.push(fingerprint(line).map_err(|error| format!("line {number}: {error}"))?),
        }
    }
    if signers.ssh.is_empty() && signers.gpg.is_empty() { Err("it names nobody".to_owned()) } else { Ok(signers) }
}

fn gitea(faults: &mut Faults, raw: &raw::Gitea) -> Option<GiteaServer> {
    let url = faults.take_optional("/spec/publish/gitea/url", raw.url.as_deref(), server_url);
    let ca_file = faults.take_optional("/spec/publish/gitea/caFile", raw.ca_file.as_deref(), word);
    let transport = match raw.transport {
        Some(raw::Transport::Api) => Transport::Api,
        Some(raw::Transport::Git) | None => Transport::Git,
    };
    Some(GiteaServer { url: url?, ca_file: ca_file?, transport })
}

/// What only Git can do does not go with the API.
fn expect_git(faults: &mut Faults, raw: &raw::Publish) {
    let transport = raw.gitea.as_ref().and_then(|gitea| gitea.transport);
    if !matches!(transport, Some(raw::Transport::Api)) {
        return;
    }
    let is_pull_request = matches!(raw.mode, Some(raw::Mode::PullRequest));
    for (key, is_given, why) in [
        ("mode", is_pull_request, "pull requests need a branch, which only Git makes"),
        ("signing", raw.signing.is_some(), "through the API the server makes the commits, and they cannot be signed"),
        ("lock", raw.lock.is_some(), "a lock is a reference, which only Git makes"),
    ] {
        if is_given {
            faults.add_with_hint(format!("/spec/publish/{key}"), why, "gitea.transport: git");
        }
    }
}

fn receiver(faults: &mut Faults, raw: &raw::Notify) -> Option<Receiver> {
    const AT: &str = "/spec/publish/notify/receiver";
    let raw = &raw.receiver;
    let form = match raw.form {
        Some(raw::ReceiverForm::Github) => ReceiverForm::Github,
        Some(raw::ReceiverForm::GenericHmac) | None => ReceiverForm::GenericHmac,
    };
    let url = faults.take(&format!("{AT}/url"), server_url(&raw.url));
    let name = faults.take_optional(&format!("{AT}/name"), raw.name.as_deref(), values::name);
    let namespace = raw.namespace.as_deref().unwrap_or("flux-system");
    let namespace = faults.take(&format!("{AT}/namespace"), values::namespace(namespace));
    let path = match name? {
        Some(name) => ReceiverPath::Computed { namespace: namespace?, name },
        None => ReceiverPath::Given,
    };
    Some(Receiver { form, url: url?, path })
}

fn lock(faults: &mut Faults, raw: &raw::Lock) -> Option<LockReference> {
    const AT: &str = "/spec/publish/lock";
    let reference = raw.reference.as_deref().unwrap_or("refs/bobbypin/lock");
    let reference = faults.take(&format!("{AT}/reference"), lock_reference(reference));
    let expires = raw.expires.as_deref().unwrap_or("10m");
    let expires = faults.take(&format!("{AT}/expires"), values::duration(expires));
    let seconds = u32::try_from(expires?.as_secs()).unwrap_or(u32::MAX);
    Some(LockReference { reference: reference?, expires: seconds })
}

/// Why a publish setting is refused. A remote is never repeated, since a URL may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PublishError {
    #[error(
        "this is neither the name of a remote, nor a path, nor an address (`https://…`, `ssh://…`, `git@host:path`)"
    )]
    Remote,
    #[error("remotes over {0} are not supported: use HTTPS or SSH")]
    Scheme(String),
    #[error("`{}` is not the name of a branch", .0.escape_debug())]
    Branch(String),
    #[error("`{0}` is a reference; the branch is `{1}`")]
    Reference(String, String),
    #[error("`{0}` is the branch that Flux reads; the changes need one of their own")]
    SameBranch(String),
    #[error("`{}` is not a name for an author: no `<`, `>` and line breaks, and more than white space and marks", .0.escape_debug())]
    AuthorName(String),
    #[error("`{}` is not an address for an author: no `<`, `>` or white space", .0.escape_debug())]
    AuthorEmail(String),
    #[error("this is empty, or has white space at an end or control characters")]
    Word,
    #[error("this is not the address of a server such as `https://git.example.org`: no user, no `?` and no `#`")]
    ServerUrl,
    #[error("this is not an SSH public key of kind `ssh-ed25519`, as it stands in a `.pub` file")]
    SshKey,
    #[error("`{}` is not the fingerprint of an OpenPGP key: 40 or 64 hex digits", .0.escape_debug())]
    Fingerprint(String),
    #[error("`{}` is not a reference such as `refs/bobbypin/lock`; branches and tags are not for this", .0.escape_debug())]
    LockReference(String),
    #[error("this is not the host of a registry such as `registry.example.org:5000`: no scheme, path or user")]
    RegistryHost,
}

fn remote(text: &str) -> Result<String, PublishError> {
    if text.trim() != text || text.is_empty() || text.chars().any(char::is_control) {
        return Err(PublishError::Remote);
    }
    if let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains('/')) {
        let has_path = rest.split_once('/').is_some_and(|(host, path)| !host.is_empty() && !path.is_empty());
        return match scheme.to_ascii_lowercase().as_str() {
            "file" if rest.starts_with('/') => Ok(text.to_owned()),
            "https" | "http" | "ssh" if has_path => Ok(text.to_owned()),
            "file" | "https" | "http" | "ssh" => Err(PublishError::Remote),
            other => Err(PublishError::Scheme(other.escape_debug().to_string())),
        };
    }
    // `user@host:path` is what Git takes for SSH: a colon before the first slash.
    let before_slash = text.split('/').next().unwrap_or_default();
    match before_slash.split_once(':') {
        Some((host, _)) if host.is_empty() || text.contains("::") || text.starts_with("file:") => {
            Err(PublishError::Remote)
        }
        Some(_) if text.ends_with(':') => Err(PublishError::Remote),
        Some(_) | None => Ok(text.to_owned()),
    }
}

/// The address of a server, without a slash at the end. Only whole addresses: what is after `?` may be a secret.
fn server_url(text: &str) -> Result<String, PublishError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(PublishError::ServerUrl)?;
    let host = rest.split('/').next().unwrap_or_default();
    let is_plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || "?#@\\".contains(c));
    if host.is_empty() || !is_plain { Err(PublishError::ServerUrl) } else { Ok(text.trim_end_matches('/').to_owned()) }
}

/// A text of one line with something in it.
fn word(text: &str) -> Result<String, PublishError> {
    let is_whole = !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control);
    if is_whole { Ok(text.to_owned()) } else { Err(PublishError::Word) }
}

/// The kind and the key; the comment, which says nothing, is left out.
fn ssh_key(text: &str) -> Result<String, PublishError> {
    let mut words = text.split_ascii_whitespace();
    let (Some("ssh-ed25519"), Some(key)) = (words.next(), words.next()) else { return Err(PublishError::SshKey) };
    // 4 + 11 bytes for the kind and 4 + 32 for the key.
    let is_base64 = key.len() == 68 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    if is_base64 { Ok(format!("ssh-ed25519 {key}")) } else { Err(PublishError::SshKey) }
}

fn fingerprint(text: &str) -> Result<String, PublishError> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    let is_whole = matches!(digits.len(), 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_whole { Ok(digits.to_ascii_uppercase()) } else { Err(PublishError::Fingerprint(text.to_owned())) }
}

fn lock_reference(text: &str) -> Result<String, PublishError> {
    let is_ours = text.strip_prefix("refs/").is_some_and(|rest| rest.contains('/') && is_branch(rest));
    let is_taken =
        ["heads", "tags", "remotes", "pull", "for"].iter().any(|taken| text.starts_with(&format!("refs/{taken}/")));
    if is_ours && !is_taken { Ok(text.to_owned()) } else { Err(PublishError::LockReference(text.to_owned())) }
}

/// The rules of `git check-ref-format --branch`, and one more: what begins with `refs/` is a reference by mistake.
fn branch(text: &str) -> Result<String, PublishError> {
    if let Some(short) = text.strip_prefix("refs/heads/").filter(|short| is_branch(short)) {
        return Err(PublishError::Reference(text.to_owned(), short.to_owned()));
    }
    if is_branch(text) && !text.starts_with("refs/") {
        Ok(text.to_owned())
    } else {
        Err(PublishError::Branch(text.to_owned()))
    }
}

fn is_branch(text: &str) -> bool {
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    text.split('/').all(component)
        && text.len() <= 244
        && !text.starts_with('-')
        && !text.ends_with('.')
        && !matches!(text, "@" | "HEAD")
        && !["..", "@{"].iter().any(|pair| text.contains(pair))
        && !text.chars().any(|c| c.is_ascii_control() || " ~^:?*[\\".contains(c))
}

/// Git drops some marks at both ends of a name; something must be left.
fn author_name(text: &str) -> Result<String, PublishError> {
    let crud = |c: char| c.is_whitespace() || ".,:;<>\"\\'".contains(c);
    let whole = !text.chars().any(|c| c.is_control() || c == '<' || c == '>');
    if whole && !text.chars().all(crud) { Ok(text.to_owned()) } else { Err(PublishError::AuthorName(text.to_owned())) }
}

fn author_email(text: &str) -> Result<String, PublishError> {
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>';
    if text.is_empty() || text.contains(forbidden) {
        Err(PublishError::AuthorEmail(text.to_owned()))
    } else {
        Ok(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_what_git_takes_for_one() {
        for good in ["main", "flux/edge", "a.b", "a@b", "ü", "release-1.2", "heads/x"] {
            assert_eq!(branch(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "@",
            "HEAD",
            "-a",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a..b",
            "a b",
            "a~b",
            "a^b",
            "a:b",
            "a?b",
            "a*b",
            "a[b",
            "a\\b",
            "a@{b",
            "a\nb",
            "a\u{7f}",
            "refs/tags/v1",
        ] {
            assert_eq!(branch(bad), Err(PublishError::Branch(bad.to_owned())));
        }
        let reference = "refs/heads/main";
        assert_eq!(branch(reference), Err(PublishError::Reference(reference.to_owned(), "main".to_owned())));
    }

    #[test]
    fn a_remote_is_a_name_a_path_or_an_address() {
        for good in [
            "origin",
            "/srv/git/edge.git",
            "../edge.git",
            "file:///srv/git/edge.git",
            "a/b:c",
            "https://git.example.org/a/edge.git",
            "ssh://git@git.example.org:22/a/edge.git",
            "git@git.example.org:a/edge.git",
        ] {
            assert_eq!(remote(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            " origin",
            "a\nb",
            "file:edge.git",
            "file://host/edge.git",
            "https://git.example.org",
            "https:///edge.git",
            "ext::sh -c true",
            ":a",
            "git@git.example.org:",
        ] {
            assert_eq!(remote(bad), Err(PublishError::Remote), "{bad:?}");
        }
        assert_eq!(remote("git://git.example.org/a"), Err(PublishError::Scheme("git".to_owned())));
    }

    #[test]
    fn a_server_is_a_plain_address() {
        let good = "https://git.example.org:8443/forge";
        assert_eq!(server_url(&format!("{good}/")), Ok(good.to_owned()));
        for bad in [
            "",
            "git.example.org",
            "ftp://h",
            "https://",
            "https://u@h",
            "https://h/?t=x",
            "https://h/#x",
            "http://a b",
        ] {
            assert_eq!(server_url(bad), Err(PublishError::ServerUrl), "{bad:?}");
        }
    }

    #[test]
    fn keys_and_references_are_whole() {
        let key = format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{}", "A".repeat(44));
        assert_eq!(ssh_key(&format!("{key} bot@example.org")), Ok(key.clone()));
        for bad in ["", "ssh-ed25519", "ssh-rsa AAAA", "ssh-ed25519 AAAA"] {
            assert_eq!(ssh_key(bad), Err(PublishError::SshKey), "{bad:?}");
        }
        assert_eq!(fingerprint(&"ab12 ".repeat(10)), Ok("AB12".repeat(10)));
        assert!(fingerprint("AB12").is_err());
        assert_eq!(lock_reference("refs/bobbypin/lock"), Ok("refs/bobbypin/lock".to_owned()));
        for bad in ["refs/heads/main", "refs/lock", "bobbypin/lock", "refs/pull/1/head", "refs/a b/c"] {
            assert!(lock_reference(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_author_can_be_written_into_a_commit() {
        for good in ["bobbypin", "Ada L. (bot)", "O'Hara"] {
            assert_eq!(author_name(good), Ok(good.to_owned()));
        }
        for bad in ["", " ", "...", "a<b", "a>", "a\nb", "a\0"] {
            assert!(author_name(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a b@c", "<a@b>", "a@b\n", "a\u{a0}@b"] {
            assert!(author_email(bad).is_err(), "{bad:?}");
        }
        assert_eq!(author_email("bot@example.org"), Ok("bot@example.org".to_owned()));
    }
}
