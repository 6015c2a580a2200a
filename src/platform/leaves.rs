//! The leaves of a document, and which of them two writers share.
//!
//! Server-side apply merges maps key by key and takes everything else as one value, so two writers are at peace exactly
//! when no leaf of one is a leaf of the other or lies on the way to it.

use std::collections::BTreeSet;

use serde_json::Value;

/// The JSON pointers (RFC 6901) of everything that is not a map with something in it.
pub fn leaves(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut String::new(), &mut found);
    found
}

/// The leaves of `ours` that `theirs` has too, or that stand in the way of one of theirs, or it in theirs.
pub fn shared_leaves(ours: &Value, theirs: &Value) -> BTreeSet<String> {
    let theirs = leaves(theirs);
    let collides = |our: &String| theirs.iter().any(|their| is_within(our, their) || is_within(their, our));
    leaves(ours).into_iter().filter(collides).collect()
}

/// Whether a pointer is another one or lies below it.
fn is_within(pointer: &str, other: &str) -> bool {
    pointer.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn collect(value: &Value, pointer: &mut String, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let length = pointer.len();
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                collect(value, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {
            found.insert(pointer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn set<const N: usize>(pointers: [&str; N]) -> BTreeSet<String> {
        pointers.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_leaf_is_whatever_is_not_a_map_with_something_in_it() {
        let value = json!({"a": {"b": 1, "c/d": {}, "e~f": [{"g": 1}]}, "h": null});
        assert_eq!(leaves(&value), set(["/a/b", "/a/c~1d", "/a/e~0f", "/h"]));
        assert_eq!(leaves(&json!({})), set([""]));
        assert_eq!(leaves(&json!("x")), set([""]));
    }

    #[test]
    fn leaves_are_shared_when_one_is_the_other_or_on_the_way_to_it() {
        for (ours, theirs, shared) in [
            (json!({"a": {"b": 1}}), json!({"a": {"c": 1}}), vec![]),
            (json!({"a": {"b": 1}}), json!({"a": {"b": 1}}), vec!["/a/b"]),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), vec!["/a/b"]),
            (json!({"a": 1, "c": 1}), json!({"a": {"b": 1}}), vec!["/a"]),
            (json!({"ab": 1}), json!({"a": 1}), vec![]),
            (json!({"a": [1]}), json!({"a": [2]}), vec!["/a"]),
            (json!({"a/b": 1}), json!({"a": {"b": 1}}), vec![]),
        ] {
            assert_eq!(shared_leaves(&ours, &theirs).into_iter().collect::<Vec<_>>(), shared, "{ours} {theirs}");
        }
    }

    proptest! {
        #[test]
        fn sharing_is_mutual(
            ours in proptest::collection::btree_map("[ab]", proptest::collection::btree_map("[ab]", 0..2, 0..3), 1..3),
            theirs in proptest::collection::btree_map("[ab]", proptest::collection::btree_map("[ab]", 0..2, 0..3), 1..3),
        ) {
            let (ours, theirs) = (json!(ours), json!(theirs));
            prop_assert_eq!(shared_leaves(&ours, &theirs).is_empty(), shared_leaves(&theirs, &ours).is_empty());
        }
    }
}
