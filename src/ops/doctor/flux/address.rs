//! Whether two addresses are of one repository.

/// How the address of a Flux source stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinship {
    /// One repository.
    Same,
    /// Two repositories.
    Other,
    /// A folder of this machine and a server: the one may be a copy of the other.
    Untold,
}

/// The address of a repository on a server, without what does not tell repositories apart.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    scheme: String,
    host: String,
    /// `None`: the usual one of the scheme.
    port: Option<String>,
    path: String,
}

/// Compares two addresses. One repository has an address for every scheme, each with a port of its own, so ports are
/// compared only within a scheme. Forges do not tell capitals apart.
pub(super) fn kinship(a: &str, b: &str) -> Kinship {
    match (address(a), address(b)) {
        (Some(a), Some(b)) => {
            let same_port = a.scheme != b.scheme || a.port == b.port;
            if a.host == b.host && a.path == b.path && same_port { Kinship::Same } else { Kinship::Other }
        }
        (None, None) if a.trim_end_matches('/') == b.trim_end_matches('/') => Kinship::Same,
        _ => Kinship::Untold,
    }
}

/// The address without a user or a password.
pub(super) fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{path}")
}

/// `scheme://user@host:port/path` or `user@host:path`; `None` for a folder.
fn address(text: &str) -> Option<Address> {
    let shown = shown(text.trim());
    let (scheme, host, port, path) = match shown.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => return None,
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/')?;
            let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
            (scheme.to_ascii_lowercase(), host, port, path)
        }
        None => {
            let (host, path) = shown.split_once(':')?;
            if host.is_empty() || host.contains('/') {
                return None;
            }
            ("ssh".to_owned(), host, None, path)
        }
    };
    let usual = match scheme.as_str() {
        "https" => "443",
        "http" => "80",
        "ssh" => "22",
        "git" => "9418",
        _ => "",
    };
    let path = path.trim_matches('/').to_lowercase();
    Some(Address {
        host: host.to_lowercase(),
        port: port.filter(|port| *port != usual && !port.is_empty()).map(str::to_owned),
        path: path.strip_suffix(".git").unwrap_or(&path).trim_end_matches('/').to_owned(),
        scheme,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_any_of_its_addresses() {
        let ours = "https://git.example.org/platform/fleet";
        for same in [
            "https://git.example.org/platform/fleet",
            "https://git.example.org/platform/fleet.git",
            "https://git.example.org/platform/fleet/",
            "https://git.example.org:443/platform/fleet.git/",
            "https://bot:word@git.example.org/platform/fleet",
            "HTTPS://Git.Example.org/Platform/Fleet.git",
            "http://git.example.org:3000/platform/fleet",
            "ssh://git@git.example.org:2222/platform/fleet.git",
            "git@git.example.org:platform/fleet.git",
            "git.example.org:/platform/fleet",
        ] {
            assert_eq!(kinship(same, ours), Kinship::Same, "{same}");
            assert_eq!(kinship(ours, same), Kinship::Same, "{same}");
        }
    }

    #[test]
    fn another_host_path_or_port_is_another_repository_and_a_folder_may_be_any() {
        let ours = "https://git.example.org:3000/platform/fleet";
        for (text, wanted) in [
            ("https://git.example.org/platform/fleet", Kinship::Other),
            ("https://git.example.com:3000/platform/fleet", Kinship::Other),
            ("https://git.example.org:3000/platform/fleet2", Kinship::Other),
            ("git@git.example.org:other/fleet.git", Kinship::Other),
            ("/srv/git/fleet.git", Kinship::Untold),
            ("../fleet.git", Kinship::Untold),
            ("file:///srv/git/fleet.git", Kinship::Untold),
            ("", Kinship::Untold),
        ] {
            assert_eq!(kinship(text, ours), wanted, "{text}");
        }
        assert_eq!(kinship("/srv/git/fleet.git/", "/srv/git/fleet.git"), Kinship::Same);
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, wanted) in [
            ("https://bot:word@git.example.org/a/b", "https://git.example.org/a/b"),
            ("git@git.example.org:a/b", "git.example.org:a/b"),
            ("/srv/a@b", "/srv/a@b"),
        ] {
            assert_eq!(shown(text), wanted);
        }
    }
}
