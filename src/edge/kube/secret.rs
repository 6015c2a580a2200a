//! Secrets of a cluster, in memory only.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde::Deserialize;

use crate::edge::kube::failure::shorten;

/// Reads one key of a Secret. The error says nothing of what is in it.
pub(super) fn text(object: &[u8], key: &str) -> Result<SecretString, String> {
    #[derive(Deserialize)]
    struct Secret {
        kind: String,
        #[serde(default)]
        data: Option<BTreeMap<String, ByteString>>,
    }
    // What the parser says may repeat what it read.
    let secret: Secret =
        serde_json::from_slice(object).map_err(|_| "the answer is no Secret with base64 texts as data".to_owned())?;
    if secret.kind != "Secret" {
        return Err("the answer is no Secret".to_owned());
    }
    let mut data = secret.data.unwrap_or_default();
    let Some(ByteString(bytes)) = data.remove(key) else {
        let keys: Vec<_> = data.keys().take(10).map(String::as_str).collect();
        return Err(format!("there is no key `{key}`; there are: {}", shorten(&keys.join(", "))));
    };
    let text = String::from_utf8(bytes).map_err(|_| format!("the key `{key}` is not a text"))?;
    Ok(SecretString::from(text))
}
