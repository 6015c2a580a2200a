//! Addresses without the users and passwords in them.

/// The address of a Git repository without its user and password.
///
/// In `git@host:path` the user stays, because it is part of the form and no secret. What stands after a `?` goes too:
/// tokens are given there as well.
pub(super) fn without_user(url: &str) -> String {
    let without_query = |text: &str| text.split('?').next().unwrap_or_default().to_owned();
    let is_scheme = |scheme: &str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        return format!("{scheme}://{}", without_query(&rest[user_end(rest)..]));
    }
    let end = url.find('/').unwrap_or(url.len());
    match url[..end].rsplit_once('@') {
        Some((user, _)) if user.contains(':') => without_query(&url[user.len() + 1..]),
        _ => without_query(url),
    }
}

/// A text without the users and passwords of all addresses in it.
pub(super) fn without_users(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        kept.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(after.len());
        rest = &after[user_end(&after[..end])..];
    }
    kept.push_str(rest);
    kept
}

/// Where the host begins in what follows `://`.
fn user_end(rest: &str) -> usize {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let after = |at: usize| at + '@'.len_utf8();
    let end = authority.rfind('@').map_or(0, after);
    let host = &authority[end..];
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if host.starts_with('[') || host.rsplit_once(':').is_none_or(|(_, port)| is_port(port)) {
        end
    } else {
        // What follows the colon is no port, so it may be a password with a slash that nobody encoded.
        rest.rfind('@').map_or(end, after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_repository_survives() {
        for (url, kept) in [
            ("https://git.example.org/a.git", "https://git.example.org/a.git"),
            ("https://me:pw@git.example.org:8443/a@b", "https://git.example.org:8443/a@b"),
            ("https://token@git.example.org/a", "https://git.example.org/a"),
            ("https://me:p@w@git.example.org/a", "https://git.example.org/a"),
            ("https://me:p/w@git.example.org/a", "https://git.example.org/a"),
            ("https://me:p?w#@git.example.org/a", "https://git.example.org/a"),
            ("https://git.example.org/a?token=x", "https://git.example.org/a"),
            ("https://[::1]:80/a@b", "https://[::1]:80/a@b"),
            ("ssh://git@git.example.org:22/a", "ssh://git.example.org:22/a"),
            ("git@git.example.org:a/b@c.git", "git@git.example.org:a/b@c.git"),
            ("git:pw@git.example.org:a", "git.example.org:a"),
            ("git:pw@git.example.org:a/b://c", "git.example.org:a/b://c"),
            ("ssh://a@b:c/d@e", "ssh://e"),
            ("", ""),
        ] {
            assert_eq!(without_user(url), kept, "{url}");
        }
    }

    #[test]
    fn no_password_in_a_message_survives() {
        for (text, kept) in [
            ("cannot fetch 'https://me:pw@h/a': see http://x/y@z", "cannot fetch 'https://h/a': see http://x/y@z"),
            ("ssh://a@b ssh://c:d@e.org://f:g@h", "ssh://b ssh://e.org://h"),
            ("mail me@example.org", "mail me@example.org"),
        ] {
            assert_eq!(without_users(text), kept, "{text}");
        }
    }
}
