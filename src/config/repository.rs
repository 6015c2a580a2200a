//! `bobbypin.yaml`: how to publish.

use crate::{
    config::{
        fault::{Fault, Faults},
        raw::repository as raw,
        values,
    },
    model::repository::{Author, RepositoryConfig},
};

/// Checks what the file means. What this version cannot do is a fault, never left out in silence.
pub(super) fn repository(raw: &raw::Repository) -> Result<RepositoryConfig, Vec<Fault>> {
    let mut faults = Faults::default();
    if let Some(metadata) = &raw.metadata {
        faults.take("/metadata/name", values::name(&metadata.name));
    }
    let publish = raw.spec.as_ref().and_then(|spec| spec.publish.as_ref());
    let config = publish.map_or_else(|| Some(RepositoryConfig::default()), |publish| convert(&mut faults, publish));
    faults.finish(config)
}

fn convert(faults: &mut Faults, raw: &raw::Publish) -> Option<RepositoryConfig> {
    let default = RepositoryConfig::default();
    refuse_unavailable(faults, raw);
    let remote = faults.take_optional("/spec/publish/remote", raw.remote.as_deref(), remote);
    let branch = faults.take_optional("/spec/publish/branch", raw.branch.as_deref(), branch);
    let author = raw.author.as_ref();
    let name = author.and_then(|author| author.name.as_deref());
    let name = faults.take_optional("/spec/publish/author/name", name, author_name);
    let email = author.and_then(|author| author.email.as_deref());
    let email = faults.take_optional("/spec/publish/author/email", email, author_email);
    Some(RepositoryConfig {
        remote: remote?,
        branch: branch?.unwrap_or(default.branch),
        author: Author { name: name?.unwrap_or(default.author.name), email: email?.unwrap_or(default.author.email) },
    })
}

fn refuse_unavailable(faults: &mut Faults, raw: &raw::Publish) {
    if raw.mode == Some(raw::Mode::PullRequest) {
        let message = "`pull-request` is not available in this version";
        faults.add_with_hint("/spec/publish/mode", message, "mode: commit");
    }
    for (key, given) in [
        ("signing", raw.signing.is_some()),
        ("pullRequest", raw.pull_request.is_some()),
        ("notify", raw.notify.is_some()),
        ("gitea", raw.gitea.is_some()),
    ] {
        if given {
            faults.add(format!("/spec/publish/{key}"), format!("`{key}` is not available in this version"));
        }
    }
}

/// Why a publish setting is refused. A remote is never repeated, since a URL may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum PublishError {
    #[error("this is neither the name of a remote, nor a path, nor a `file://` URL")]
    Remote,
    #[error("remotes over HTTPS and SSH are not available in this version: give a path or a `file://` URL")]
    RemoteTransport,
    #[error("`{}` is not the name of a branch", .0.escape_debug())]
    Branch(String),
    #[error("`{0}` is a reference; the branch is `{1}`")]
    Reference(String, String),
    #[error("`{}` is not a name for an author: no `<`, `>` and line breaks, and more than white space and marks", .0.escape_debug())]
    AuthorName(String),
    #[error("`{}` is not an address for an author: no `<`, `>` or white space", .0.escape_debug())]
    AuthorEmail(String),
}

fn remote(text: &str) -> Result<String, PublishError> {
    if text.trim() != text || text.is_empty() || text.chars().any(char::is_control) {
        return Err(PublishError::Remote);
    }
    // `user@host:path` is what Git takes for SSH: a colon before the first slash.
    let before_slash = text.split('/').next().unwrap_or_default();
    if text.starts_with("file:///") || !before_slash.contains(':') {
        Ok(text.to_owned())
    } else if text.starts_with("file:") {
        Err(PublishError::Remote)
    } else {
        Err(PublishError::RemoteTransport)
    }
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
    fn a_remote_is_a_name_a_path_or_a_file_url() {
        for good in ["origin", "/srv/git/edge.git", "../edge.git", "file:///srv/git/edge.git", "a/b:c"] {
            assert_eq!(remote(good), Ok(good.to_owned()));
        }
        for (bad, error) in [
            ("", PublishError::Remote),
            (" origin", PublishError::Remote),
            ("a\nb", PublishError::Remote),
            ("file:edge.git", PublishError::Remote),
            ("file://host/edge.git", PublishError::Remote),
            ("https://user:hunter2@git.example.org/edge.git", PublishError::RemoteTransport),
            ("ssh://git.example.org/edge.git", PublishError::RemoteTransport),
            ("git@git.example.org:edge.git", PublishError::RemoteTransport),
        ] {
            assert_eq!(remote(bad), Err(error), "{bad:?}");
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
