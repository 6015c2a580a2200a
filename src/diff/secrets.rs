//! What nobody may read in a diff.
//!
//! Masked are the values below `data` and `stringData` of a `Secret`, its annotations (kubectl keeps a copy of the object
//! there), and every value whose key looks like one of a secret. The two sides get different masks, so that one sees
//! *that* it differs.

use serde_json::Value;

use crate::diff::Side;

/// Endings of keys, in lower case and without `-`, `_` and `.`, below which a secret stands. References such as
/// `secretName` or `tokenRef` end otherwise.
const ENDINGS: [&str; 15] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "token",
    "tokens",
    "secret",
    "secrets",
    "apikey",
    "apikeys",
    "accesskey",
    "privatekey",
    "secretkey",
    "credentials",
    "authorization",
];

/// Whether the value of a key is not to be shown.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// Whether everything at a path of a `Secret` is hidden. The path is that of a top-level key and the key below it.
pub(crate) fn is_secret_field(kind: &str, first: &str, second: Option<&str>) -> bool {
    kind == "Secret"
        && (matches!(first, "data" | "stringData") || (first, second) == ("metadata", Some("annotations")))
}

/// The mask of one side.
pub(crate) fn mask(side: Side) -> &'static str {
    match side {
        Side::Both => "***",
        Side::Old => "*** (before)",
        Side::New => "*** (after)",
    }
}

/// A copy of a value in which what is secret is masked. `hidden` masks everything but the keys.
pub(crate) fn masked(value: &Value, hidden: bool, side: Side) -> Value {
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| {
                // Below a key such as `secret` an object names one more often than it holds one: its own keys tell.
                let hidden = hidden || (is_secret_key(key) && !value.is_object());
                (key.clone(), masked(value, hidden, side))
            });
            Value::Object(entries.collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(|value| masked(value, hidden, side)).collect()),
        Value::Null => Value::Null,
        Value::Bool(_) | Value::Number(_) | Value::String(_) if hidden => Value::from(mask(side)),
        Value::String(text) if is_secret_text(text) => Value::from(mask(side)),
        Value::String(text) => {
            Value::from(text.split('\n').map(|line| masked_line(line, side)).collect::<Vec<_>>().join("\n"))
        }
        Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether a text is a secret whatever its key: a private key.
pub(crate) fn is_secret_text(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
}

/// A line in which what follows a key that looks secret is masked: `password: x`, `--token=x`, `{"token": "x"}`, and the
/// password of a URL.
pub(crate) fn masked_line(line: &str, side: Side) -> String {
    let key_character = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    for (at, _) in line.match_indices([':', '=']) {
        let before = line[..at].trim_end_matches([' ', '\t', '"', '\'']);
        let key = &before[before.trim_end_matches(key_character).len()..];
        let value = &line[at + 1..];
        // A reference such as `token:` with an object below it has no value on its line.
        if is_secret_key(key) && !value.trim().is_empty() {
            return format!("{}{} {}", &line[..at], &line[at..=at], mask(side));
        }
        if let Some(authority) = value.strip_prefix("//") {
            let authority = &authority[..authority.find(['/', ' ', '"', '\'']).unwrap_or(authority.len())];
            if let Some((user, _)) = authority.rsplit_once('@').and_then(|(userinfo, _)| userinfo.split_once(':')) {
                let host = line[at..].find('@').map_or("", |sign| &line[at + sign..]);
                return format!("{}://{user}:{}{host}", &line[..at], mask(side));
            }
        }
    }
    line.to_owned()
}

/// Whether a text that does not parse may hold a `Secret`.
pub(crate) fn may_hold_secret(text: &str) -> bool {
    text.match_indices("Secret").any(|(at, word)| {
        let before = text[..at].trim_end_matches([' ', '\t', '"', '\'']);
        let after = text[at + word.len()..].chars().next();
        before.ends_with(':') && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_secrets_are_told_from_names_of_secrets() {
        for key in ["password", "adminPassword", "API_KEY", "client-secret", "token", "tls.private.key", "Authorization"] {
            assert!(is_secret_key(key), "{key}");
        }
        for key in ["secretName", "secretRef", "tokenRef", "key", "passwordSecretName", "kubeConfig", "digest", "name"] {
            assert!(!is_secret_key(key), "{key}");
        }
    }

    #[test]
    fn a_value_is_masked_where_its_key_looks_secret() {
        let value = json!({
            "user": "u",
            "password": 1234,
            "tokens": ["a", {"value": "b"}],
            "secret": {"name": "n", "password": "p"},
            "config": "user: u\npassword: p\ntoken:\n",
            "arguments": ["--token=abc", "--name=a", "{\"apiKey\": \"x\"}", "https://bot:pw@git.example.org/x"],
            "tls.key": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n",
        });
        let shown = json!({
            "user": "u",
            "password": "*** (before)",
            "tokens": ["*** (before)", {"value": "*** (before)"}],
            "secret": {"name": "n", "password": "*** (before)"},
            "config": "user: u\npassword: *** (before)\ntoken:\n",
            "arguments": [
                "--token= *** (before)",
                "--name=a",
                "{\"apiKey\": *** (before)",
                "https://bot:*** (before)@git.example.org/x",
            ],
            "tls.key": "*** (before)",
        });
        assert_eq!(masked(&value, false, Side::Old), shown);
        assert_eq!(masked(&json!({"a": [1, true, null]}), true, Side::New), json!({"a": ["*** (after)", "*** (after)", null]}));
    }

    #[test]
    fn a_text_that_does_not_parse_is_suspected_by_its_kind() {
        for text in ["kind: Secret\n", "{\"kind\": \"Secret\"}", "kind:   'Secret'"] {
            assert!(may_hold_secret(text), "{text}");
        }
        for text in ["kind: SecretStore", "# Secret", "secretName: x"] {
            assert!(!may_hold_secret(text), "{text}");
        }
    }
}
