//! The request that the server makes after a push.

use std::collections::BTreeMap;

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::edge::gitea::{Gitea, GiteaError, Written};

/// Whom the server tells about pushes.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub url: String,
    /// By which the receiver knows that it is the server.
    pub secret: SecretString,
    /// Which branches: a pattern as `main` or `*`.
    pub branch_filter: String,
}

#[derive(Deserialize)]
struct Hook {
    id: u64,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(default)]
    branch_filter: String,
    #[serde(default)]
    active: bool,
}

impl Gitea<'_> {
    /// Makes the server tell about pushes. A webhook is known by its address.
    ///
    /// Servers neither show the secret of a webhook nor change it through the API. So that of one that exists stays as it is:
    /// to change it, delete the webhook.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may not be there afterwards.
    pub fn ensure_webhook(&self, webhook: &Webhook) -> Result<Written, GiteaError> {
        let call = self.call("set up the webhook").hiding(&webhook.secret);
        let hooks = call.path("/hooks");
        let text = |hook: &Hook, key: &str| hook.config.get(key).cloned().unwrap_or_default();
        let mut found: Option<Hook> = None;
        call.list::<Hook>(
            &hooks,
            |hook| hook.id,
            |hook| {
                if hook.kind == "gitea" && text(&hook, "url") == webhook.url && found.is_none() {
                    found = Some(hook);
                }
            },
        )?;
        let mut config = json!({"url": webhook.url, "content_type": "json"});
        match found {
            None => {
                config["secret"] = webhook.secret.expose_secret().into();
                let body = json!({
                    "type": "gitea", "active": true, "events": ["push"], "branch_filter": webhook.branch_filter,
                    "config": config,
                });
                call.send(Method::POST, &hooks, Some(&body)).map(|_| Written::Created)
            }
            Some(hook) => {
                // No filter is the filter for all.
                let filter = |text: &str| if text.is_empty() { "*".to_owned() } else { text.to_owned() };
                let is_same = hook.active
                    && text(&hook, "content_type") == "json"
                    && hook.events.unwrap_or_default() == ["push"]
                    && filter(&hook.branch_filter) == filter(&webhook.branch_filter);
                if is_same {
                    return Ok(Written::Unchanged);
                }
                let body = json!({
                    "active": true, "events": ["push"], "branch_filter": webhook.branch_filter, "config": config,
                });
                call.send(Method::PATCH, &format!("{hooks}/{}", hook.id), Some(&body)).map(|_| Written::Updated)
            }
        }
    }
}
