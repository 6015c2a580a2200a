//! Which texts are secrets. A file that goes to Git must not hold any, and a message must not repeat one.

/// What to do instead.
pub(crate) const HINT: &str = "take it out, change it where it was valid, and name the Secret or file that holds it";

/// Whether a key of this name holds a secret itself when its value is text. `secretRef`, `secretName` and `tokenFile`
/// only say where one is.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let name: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let endings = ["token", "password", "passwd", "passphrase", "apikey", "privatekey", "secretkey", "secretaccesskey"];
    let names = ["secret", "clientsecret", "sharedsecret", "webhooksecret", "hmacsecret", "pwd"];
    endings.iter().any(|ending| name.ends_with(ending)) || names.contains(&name.as_str())
}

/// Whether a text holds a secret, whatever its key: a URL with a password, or a private key.
pub(crate) fn find_in(text: &str) -> bool {
    let is_private_key = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    is_private_key
        || text.match_indices("://").any(|(index, separator)| {
            let rest = &text[index + separator.len()..];
            let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c)).unwrap_or(rest.len());
            let password = rest[..end].rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
            password.is_some_and(|(_, password)| !password.is_empty())
        })
}

/// Whether a line of text seems to hold a secret. It is for text that could not be read as YAML.
pub(crate) fn is_in_line(line: &str) -> bool {
    let is_assignment = |(index, _): (usize, char)| {
        let name = line[..index].trim_end().trim_end_matches(['"', '\'']);
        let name = name.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).next();
        name.is_some_and(is_secret_name)
    };
    find_in(line) || line.char_indices().filter(|&(_, c)| c == ':').any(is_assignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_hold_a_secret_are_told_from_names_that_point_to_one() {
        for name in ["token", "giteaToken", "PASSWORD", "api_key", "api-key", "secret", "clientSecret", "privateKey"] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["secretRef", "secretName", "tokenFile", "kubeconfig", "kubeconfigSecret", "name", "key", "ssh"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_found_and_a_user_alone_is_none() {
        for text in ["https://me:pw@git.example.org/x", "see ssh://a:b:c@h", "-----BEGIN EC PRIVATE KEY-----\nx"] {
            assert!(find_in(text), "{text}");
        }
        for text in
            ["ssh://git@git.example.org/x", "https://h:8080/a@b", "https://me:@h", "a:b@c", "oci://h/x:1@sha256"]
        {
            assert!(!find_in(text), "{text}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_searched_by_its_names() {
        for line in ["  token: x", "{\"password\": [", "a: {apiKey : x", "url: https://me:pw@h"] {
            assert!(is_in_line(line), "{line}");
        }
        for line in ["secretRef: {name: x", "a: token", "tokens", ""] {
            assert!(!is_in_line(line), "{line}");
        }
    }
}
