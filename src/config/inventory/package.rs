//! What is kept of a `Package`. Its values may hold credentials, for example those of registries.

use serde_json::{Map, Value};

/// The `Package` that holds the platform's own values.
const PLATFORM: &str = "cozystack.cozystack-platform";

/// The `Package` that brings the fix.
const FIX: &str = "cozystack.ouroboros";

/// The parts of the platform's values that anything here asks for. Of the others only the names are kept, because a name
/// that the platform does not know is worth telling.
const SECTIONS: [&str; 5] = ["authentication", "bundles", "gateway", "networking", "publishing"];

/// Empties what nobody asks for of a `Package`'s `spec`. What is not of the form that the API demands stays, to be told of.
pub(super) fn kept(name: &str, mut spec: Map<String, Value>) -> Map<String, Value> {
    let components = spec.get_mut("components").and_then(Value::as_object_mut);
    for (component, content) in components.into_iter().flatten() {
        let Some(content) = content.as_object_mut().filter(|_| name != FIX) else { continue };
        if name != PLATFORM || component != "platform" {
            content.remove("values");
            continue;
        }
        let values = content.get_mut("values").and_then(Value::as_object_mut);
        for (section, value) in values.into_iter().flatten() {
            if !SECTIONS.contains(&section.as_str()) {
                *value = Value::Object(Map::new());
            }
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_in_values_are_not_kept() {
        let spec = |values: Value| json!({"variant": "isp-full", "components": {"platform": {"enabled": true, "values": values}}});
        let kept = |name: &str, spec: &Value| Value::Object(kept(name, spec.as_object().expect("a map").clone()));
        let platform = spec(json!({
            "publishing": {"host": "example.org"},
            "registries": {"config": {"registry.example.org": {"auth": {"password": "hunter2"}}}},
        }));
        assert_eq!(kept(PLATFORM, &platform), spec(json!({"publishing": {"host": "example.org"}, "registries": {}})));
        assert_eq!(kept(FIX, &platform), platform);
        let bare = json!({"variant": "isp-full", "components": {"platform": {"enabled": true}}});
        assert_eq!(kept("cozystack.backup", &platform), bare);
        let others = json!({"components": {"platform-engine": {"values": {"a": "hunter2"}}, "b": 5}});
        assert_eq!(kept(PLATFORM, &others), json!({"components": {"platform-engine": {}, "b": 5}}));
        for odd in [json!({}), json!({"components": []}), spec(json!("text"))] {
            assert_eq!(kept(PLATFORM, &odd), odd);
        }
    }
}
