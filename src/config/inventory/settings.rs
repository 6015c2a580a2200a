//! What the platform says about itself, in a Secret of which most is nobody's business.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::ByteString;
use secrecy::{ExposeSecret, SecretSlice};
use serde::{
    Deserialize,
    de::{Deserializer, IgnoredAny, MapAccess, Visitor},
};

use crate::{
    config::{
        inventory::page::{PageError, is_kind, json_error},
        kubernetes::{
            leaf::{Leaf, Read},
            read_documents,
        },
    },
    model::inventory::PLATFORM_SETTINGS,
};

/// Reads `cozy-system/cozystack-values`, the answer to a GET: those of [`PLATFORM_SETTINGS`] that it has.
///
/// Of everything else in the Secret nothing is kept, and no error repeats any of it.
///
/// # Errors
///
/// It is no Secret, its `values.yaml` is no YAML with a mapping `_cluster`, or a setting in that is no text.
pub fn platform_settings(secret: &[u8]) -> Result<BTreeMap<String, String>, PageError> {
    let secret: Secret = serde_json::from_slice(secret).map_err(|error| match json_error(secret, &error) {
        // What the parser says of wrong types may repeat them.
        PageError::Shape(_) => PageError::Secret("`data` is no mapping of base64 texts"),
        other => other,
    })?;
    is_kind("v1", "Secret", &secret.api_version, &secret.kind)?;
    let values = secret.data.values.ok_or(PageError::Secret("`data` has no `values.yaml`"))?;
    let values = SecretSlice::from(values.0);
    let text =
        std::str::from_utf8(values.expose_secret()).map_err(|_| PageError::Secret("`values.yaml` is no UTF-8 text"))?;
    let documents: Vec<Values> =
        read_documents(text).map_err(|_| PageError::Secret("`values.yaml` is no YAML with a mapping `_cluster`"))?;
    let cluster = documents.into_iter().next().and_then(|values| values.cluster);
    let Settings { kept, has_other } = cluster.ok_or(PageError::Secret("`values.yaml` has no mapping `_cluster`"))?;
    if has_other {
        return Err(PageError::Secret("a setting below `_cluster` in `values.yaml` is no text"));
    }
    Ok(kept)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    #[serde(default)]
    api_version: Leaf<String>,
    #[serde(default)]
    kind: Leaf<String>,
    #[serde(default)]
    data: Data,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(rename = "values.yaml")]
    values: Option<ByteString>,
}

#[derive(Deserialize)]
struct Values {
    #[serde(rename = "_cluster")]
    cluster: Option<Settings>,
}

/// The settings that are asked for, and whether one of them is no text.
struct Settings {
    kept: BTreeMap<String, String>,
    has_other: bool,
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SettingsVisitor;
        impl<'de> Visitor<'de> for SettingsVisitor {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Settings, A::Error> {
                let mut settings = Settings { kept: BTreeMap::new(), has_other: false };
                while let Some(key) = entries.next_key::<String>()? {
                    if !PLATFORM_SETTINGS.contains(&key.as_str()) {
                        entries.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    match entries.next_value::<Leaf<String>>()?.read {
                        Read::Value(text) => {
                            settings.kept.insert(key, text);
                        }
                        Read::Nothing => {}
                        Read::Wrong(_) => settings.has_other = true,
                    }
                }
                Ok(settings)
            }
        }
        deserializer.deserialize_map(SettingsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: serde_json::Value) -> Result<BTreeMap<String, String>, String> {
        let secret = json!({
            "kind": "Secret", "apiVersion": "v1", "metadata": {"name": "cozystack-values", "managedFields": [{}]},
            "data": data, "type": "Opaque",
        });
        platform_settings(secret.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    fn values(yaml: &str) -> serde_json::Value {
        json!({"values.yaml": ByteString(yaml.into()), "other": "c2VjcmV0"})
    }

    #[test]
    fn only_settings_that_are_asked_for_leave_the_secret() {
        let yaml = "_namespace: {host: x}\n_cluster:\n  root-host: \"example.org\"\n  branding: {a: secret}\n  \
                    proxy-protocol: \"true\"\n  expose-mode:\n";
        let expected = [("root-host", "example.org"), ("proxy-protocol", "true")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        assert_eq!(read(values(yaml)), Ok(expected));
    }

    #[test]
    fn no_error_repeats_anything_of_the_secret() {
        for (data, message) in [
            (json!({}), "the Secret is wrong: `data` has no `values.yaml`"),
            (json!(null), "the Secret is wrong: `data` is no mapping of base64 texts"),
            (json!({"values.yaml": "secret!"}), "the Secret is wrong: `data` is no mapping of base64 texts"),
            (json!({"values.yaml": 5}), "the Secret is wrong: `data` is no mapping of base64 texts"),
            (json!({"values.yaml": "/w=="}), "the Secret is wrong: `values.yaml` is no UTF-8 text"),
            (
                values("secret: 1\nsecret: 2\n"),
                "the Secret is wrong: `values.yaml` is no YAML with a mapping `_cluster`",
            ),
            (values("_cluster: secret\n"), "the Secret is wrong: `values.yaml` is no YAML with a mapping `_cluster`"),
            (values(""), "the Secret is wrong: `values.yaml` has no mapping `_cluster`"),
            (values("a: secret\n"), "the Secret is wrong: `values.yaml` has no mapping `_cluster`"),
            (
                values("_cluster: {root-host: [secret]}\n"),
                "the Secret is wrong: a setting below `_cluster` in `values.yaml` is no text",
            ),
        ] {
            assert_eq!(read(data.clone()), Err(message.to_owned()), "{data}");
        }
        let other = platform_settings(br#"{"kind":"Status","apiVersion":"v1"}"#).unwrap_err();
        assert_eq!(other.to_string(), "the answer is `Status` of `v1`, not `Secret` of `v1`");
    }
}
