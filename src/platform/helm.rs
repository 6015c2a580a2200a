//! Helm's notions of true, text and merging, as far as the platform's charts use them.

use serde_json::Value;

/// Whether a template's `if` takes a value for true: anything but null, `false`, zero and what is empty.
///
/// So the text `"false"` is true. Source: <https://pkg.go.dev/text/template#hdr-Actions>. Numbers count as the floating
/// point numbers that helm-controller hands to Helm.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// The text that `toString` makes of a value; `None` for null, lists and maps, and for numbers so large or small that Go
/// writes them with an exponent. No caller can use those.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => {
            let number = number.as_f64()?;
            (number == 0.0 || (1e-4..1e6).contains(&number.abs())).then(|| number.to_string())
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Merges as `mergeOverwrite` does: maps are merged key by key, and whatever else stands in `from` replaces what is there,
/// `false`, `0`, `""` and lists too.
///
/// A null replaces as well. Older versions of the library behind Helm skipped it, so what a null does in a cluster is not
/// certain; nothing here writes one.
pub fn merge_overwrite(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge_overwrite(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// The value at a path of keys; `None` when a key is missing or something on the way is no map.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.as_object()?.get(*key))
}

/// What kind of YAML value it is, for messages.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_empty_is_false() {
        for (value, truth) in [
            (json!(null), false),
            (json!(false), false),
            (json!(true), true),
            (json!(0), false),
            (json!(0.0), false),
            (json!(-1), true),
            (json!(""), false),
            (json!("false"), true),
            (json!("0"), true),
            (json!([]), false),
            (json!([null]), true),
            (json!({}), false),
            (json!({"a": null}), true),
        ] {
            assert_eq!(is_true(&value), truth, "{value}");
        }
    }

    #[test]
    fn text_is_written_as_go_writes_it() {
        for (value, written) in [
            (json!(true), Some("true")),
            (json!("True"), Some("True")),
            (json!(1), Some("1")),
            (json!(1.0), Some("1")),
            (json!(0), Some("0")),
            (json!(0.5), Some("0.5")),
            (json!(999_999), Some("999999")),
            (json!(1_000_000), None),
            (json!(0.00001), None),
            (json!(null), None),
            (json!([1]), None),
            (json!({}), None),
        ] {
            assert_eq!(text(&value).as_deref(), written, "{value}");
        }
    }

    #[test]
    fn maps_merge_and_everything_else_replaces() {
        let mut into = json!({"a": {"b": 1, "c": true}, "d": [1, 2], "e": "x", "f": {"g": 1}, "h": 1});
        merge_overwrite(
            &mut into,
            &json!({"a": {"c": false, "z": {}}, "d": [3], "e": "", "f": 0, "h": {"i": 1}, "n": null}),
        );
        assert_eq!(
            into,
            json!({"a": {"b": 1, "c": false, "z": {}}, "d": [3], "e": "", "f": 0, "h": {"i": 1}, "n": null})
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), "[ab]{0,1}".prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[ab]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn merging_the_same_values_twice_changes_nothing(into in values(), from in values()) {
            let mut once = into;
            merge_overwrite(&mut once, &from);
            let mut twice = once.clone();
            merge_overwrite(&mut twice, &from);
            prop_assert_eq!(once, twice);
        }
    }
}
