//! What nobody may read in a diff.
//!
//! Masked are the values below `data` and `stringData` of a `Secret`, wherever it is nested, and every value whose key
//! looks like one of a secret. The two sides get different masks, so that one sees *that* it differs.

use serde_json::{Map, Value};

use crate::diff::Side;

/// Endings of keys, in lower case and without `-`, `_` and `.`, below which a secret stands. References such as
/// `secretName` or `tokenRef` end otherwise.
const ENDINGS: [&str; 16] = [
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
    // kubectl keeps a copy of the whole object in an annotation of this name.
    "lastappliedconfiguration",
];

/// Whether the value of a key is not to be shown.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key: String = key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// Whether everything below a key of a map is hidden.
pub(crate) fn hides(map: &Map<String, Value>, key: &str, value: &Value) -> bool {
    let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
    // Below a key such as `secret` an object names one more often than it holds one: its own keys tell.
    (is_secret && matches!(key, "data" | "stringData")) || (is_secret_key(key) && !value.is_object())
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
                let hidden = hidden || hides(map, key, value);
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

/// Whether a text is a secret whatever its key: it holds a private key or a whole `Secret`.
pub(crate) fn is_secret_text(text: &str) -> bool {
    let has_data = || text.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "data" | "stringData"));
    text.contains("PRIVATE KEY-----") || (may_hold_secret(text) && has_data())
}

/// A line in which what follows a key that looks secret is masked: `password: x`, `--token=x`, `{"token": "x"}`, and the
/// password of a URL.
pub(crate) fn masked_line(line: &str, side: Side) -> String {
    let key_character = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut out = String::new();
    let mut copied = 0;
    for (at, _) in line.match_indices([':', '=']) {
        let before = line[..at].trim_end_matches([' ', '\t', '"', '\'']);
        let key = &before[before.trim_end_matches(key_character).len()..];
        let value = &line[at + 1..];
        // A reference such as `token:` with an object below it has no value on its line.
        if is_secret_key(key) && !value.trim_start().is_empty() {
            out.extend([&line[copied..=at], " ", mask(side)]);
            return out;
        }
        if let Some(authority) = value.strip_prefix("//") {
            let authority = authority.split(['/', ' ', '"', '\'']).next().unwrap_or_default();
            let Some((userinfo, _)) = authority.rsplit_once('@') else { continue };
            let Some((user, _)) = userinfo.split_once(':') else { continue };
            let start = at + "://".len();
            out.extend([&line[copied..start + user.len()], ":", mask(side)]);
            copied = start + userinfo.len();
        }
    }
    out.push_str(line.get(copied..).unwrap_or_default());
    out
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
        for key in
            ["password", "adminPassword", "API_KEY", "client-secret", "token", "tls.private.key", "Authorization"]
        {
            assert!(is_secret_key(key), "{key}");
        }
        for key in ["secretName", "secretRef", "tokenRef", "key", "passwordSecretName", "kubeConfig", "digest", "name"]
        {
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
            "arguments": ["--token=abc", "--name=a", "{\"apiKey\": \"x\"}", "https://bot:p:w@@git.example.org/x token=y"],
            "nested": [{"kind": "Secret", "metadata": {"name": "n"}, "data": {"k": "v"}}],
            "manifest": "kind: Secret\ndata:\n  k: v\n",
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
                "https://bot:*** (before)@git.example.org/x token= *** (before)",
            ],
            "nested": [{"kind": "Secret", "metadata": {"name": "n"}, "data": {"k": "*** (before)"}}],
            "manifest": "*** (before)",
            "tls.key": "*** (before)",
        });
        assert_eq!(masked(&value, false, Side::Old), shown);
        assert_eq!(
            masked(&json!({"a": [1, true, null]}), true, Side::New),
            json!({"a": ["*** (after)", "*** (after)", null]})
        );
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
