//! Two values, place by place.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use similar::DiffTag;

use crate::diff::{Change, FieldChange, Side, lines, secrets};

/// What differs between two documents, in the order of the wanted one; what is gone comes last at each level.
///
/// Entries of a list are the same entry when both sides name each of theirs by another `name`; else lists are compared
/// as sequences. Secret values are masked.
pub(crate) fn field_changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut comparison = Comparison { found: Vec::new() };
    comparison.values(&Place { path: String::new(), hidden: false }, old, new);
    comparison.found
}

struct Comparison {
    found: Vec<FieldChange>,
}

/// A place in a document, and whether what stands there is secret.
#[derive(Clone)]
struct Place {
    path: String,
    hidden: bool,
}

impl Place {
    fn entry(&self, map: &Map<String, Value>, key: &str, value: &Value) -> Self {
        let hidden = self.hidden || secrets::hides(map, key, value);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
        let path = match key {
            key if key.is_empty() || !key.chars().all(is_plain) => format!("{}[{}]", self.path, Value::from(key)),
            key if self.path.is_empty() => key.to_owned(),
            key => format!("{}.{key}", self.path),
        };
        Self { path, hidden }
    }

    fn item(&self, index: &str) -> Self {
        Self { path: format!("{}[{index}]", self.path), hidden: self.hidden }
    }
}

impl Comparison {
    fn values(&mut self, place: &Place, old: &Value, new: &Value) {
        match (old, new) {
            _ if old == new => {}
            (Value::Object(old), Value::Object(new)) => self.maps(place, old, new),
            (Value::Array(old), Value::Array(new)) => self.lists(place, old, new),
            (Value::String(old), Value::String(new)) if is_text(old) && is_text(new) && !place.hidden => {
                let hunks = lines::hunks(old, new, secrets::masked_line);
                self.push(place, Change::Lines(hunks));
            }
            _ => {
                let old = secrets::masked(old, place.hidden, Side::Old);
                let new = secrets::masked(new, place.hidden, Side::New);
                self.push(place, Change::Changed { old, new });
            }
        }
    }

    fn maps(&mut self, place: &Place, old: &Map<String, Value>, new: &Map<String, Value>) {
        for (key, value) in new {
            let at = || place.entry(new, key, value);
            match old.get(key) {
                Some(before) if before == value => {}
                Some(before) => {
                    let hidden = place.hidden || secrets::hides(old, key, before);
                    let at = at();
                    self.values(&Place { hidden: hidden || at.hidden, ..at }, before, value);
                }
                None => self.added(&at(), value),
            }
        }
        for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
            self.removed(&place.entry(old, key, value), value);
        }
    }

    fn lists(&mut self, place: &Place, old: &[Value], new: &[Value]) {
        match (by_name(old), by_name(new)) {
            (Some(old_names), Some(new_names)) => self.named_lists(place, &old_names, &new_names, old, new),
            _ => self.sequences(place, old, new),
        }
    }

    fn named_lists(
        &mut self,
        place: &Place,
        old_names: &BTreeMap<&str, &Value>,
        new_names: &BTreeMap<&str, &Value>,
        old: &[Value],
        new: &[Value],
    ) {
        let at = |name: &str| place.item(&format!("name={name}"));
        let kept = |values: &[Value], others: &BTreeMap<&str, &Value>| -> Vec<Value> {
            values
                .iter()
                .filter_map(|value| value.get("name"))
                .filter(|name| others.contains_key(text(name)))
                .cloned()
                .collect()
        };
        let (old_order, new_order) = (kept(old, new_names), kept(new, old_names));
        if old_order != new_order {
            let (old, new) = (Value::Array(old_order), Value::Array(new_order));
            self.push(place, Change::Reordered { old, new });
        }
        for value in new {
            let name = value.get("name").map_or("", text);
            match old_names.get(name) {
                Some(old) => self.values(&at(name), old, value),
                None => self.added(&at(name), value),
            }
        }
        for value in old {
            let name = value.get("name").map_or("", text);
            if !new_names.contains_key(name) {
                self.removed(&at(name), value);
            }
        }
    }

    fn sequences(&mut self, place: &Place, old: &[Value], new: &[Value]) {
        let keys = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>();
        let (old_keys, new_keys) = (keys(old), keys(new));
        if sorted(&old_keys) == sorted(&new_keys) {
            let old = secrets::masked(&Value::from(old.to_vec()), place.hidden, Side::Both);
            let new = secrets::masked(&Value::from(new.to_vec()), place.hidden, Side::Both);
            return self.push(place, Change::Reordered { old, new });
        }
        let operations = lines::operations(&old_keys, &new_keys);
        let operations = operations.iter().filter(|operation| operation.tag() != DiffTag::Equal);
        // Texts and numbers are their own identity: which of them come and go says all.
        if !old.iter().chain(new).any(is_nested) {
            let (mut removed, mut added) = (Vec::new(), Vec::new());
            for operation in operations {
                removed.extend(
                    old[operation.old_range()].iter().map(|value| secrets::masked(value, place.hidden, Side::Old)),
                );
                added.extend(
                    new[operation.new_range()].iter().map(|value| secrets::masked(value, place.hidden, Side::New)),
                );
            }
            return self.push(place, Change::Entries { removed, added });
        }
        for operation in operations {
            let (old_range, new_range) = (operation.old_range(), operation.new_range());
            let pairs = old_range.len().min(new_range.len());
            for (from, to) in old_range.clone().zip(new_range.clone()) {
                self.values(&place.item(&to.to_string()), &old[from], &new[to]);
            }
            for from in old_range.skip(pairs) {
                self.removed(&place.item(&from.to_string()), &old[from]);
            }
            for to in new_range.skip(pairs) {
                self.added(&place.item(&to.to_string()), &new[to]);
            }
        }
    }

    fn added(&mut self, place: &Place, value: &Value) {
        self.push(place, Change::Added(secrets::masked(value, place.hidden, Side::New)));
    }

    fn removed(&mut self, place: &Place, value: &Value) {
        self.push(place, Change::Removed(secrets::masked(value, place.hidden, Side::Old)));
    }

    fn push(&mut self, place: &Place, change: Change) {
        self.found.push(FieldChange { path: place.path.clone(), change });
    }
}

fn is_text(text: &str) -> bool {
    text.contains('\n') && !secrets::is_secret_text(text)
}

fn is_nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The entries by name, if each has one and no two have the same.
fn by_name(values: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let named: Option<BTreeMap<_, _>> =
        values.iter().map(|value| Some((value.get("name")?.as_str()?, value))).collect();
    named.filter(|named| named.len() == values.len())
}

fn sorted(keys: &[String]) -> Vec<&String> {
    let mut keys: Vec<_> = keys.iter().collect();
    keys.sort_unstable();
    keys
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(old: Value, new: Value) -> String {
        field_changes(&old, &new).iter().map(|field| format!("{}: {:?}\n", field.path, field.change)).collect()
    }

    #[test]
    fn every_difference_has_a_readable_path() {
        let old = json!({
            "metadata": {"annotations": {"example.org/a": "1", "b": "1"}},
            "spec": {"tag": "1", "gone": true, "n": 1, "same": {"x": [1]}, "": 1},
        });
        let new = json!({
            "metadata": {"annotations": {"example.org/a": "2", "a.b": "1"}},
            "spec": {"tag": "2", "n": "1", "same": {"x": [1]}, "more": {"k": 1}},
        });
        insta::assert_snapshot!(shown(old, new), @r#"
        metadata.annotations["example.org/a"]: Changed { old: String("1"), new: String("2") }
        metadata.annotations["a.b"]: Added(String("1"))
        metadata.annotations.b: Removed(String("1"))
        spec.tag: Changed { old: String("1"), new: String("2") }
        spec.n: Changed { old: Number(1), new: String("1") }
        spec.more: Added(Object {"k": Number(1)})
        spec.gone: Removed(Bool(true))
        spec[""]: Removed(Number(1))
        "#);
    }

    #[test]
    fn lists_are_compared_by_name_or_as_sequences() {
        let old = json!({
            "dependsOn": [{"name": "a", "namespace": "x"}, {"name": "b"}, {"name": "c"}],
            "resources": ["a.yaml", "b.yaml", "c.yaml"],
            "patches": [{"path": "a", "target": {"kind": "A"}}, {"path": "b"}],
            "order": ["1", "2"],
            "twice": [{"name": "a", "n": 1}, {"name": "a", "n": 2}],
        });
        let new = json!({
            "dependsOn": [{"name": "b"}, {"name": "a", "namespace": "y"}, {"name": "d"}],
            "resources": ["a.yaml", "aa.yaml", "c.yaml"],
            "patches": [{"path": "a", "target": {"kind": "B"}}, {"path": "b"}, {"path": "c"}],
            "order": ["2", "1"],
            "twice": [{"name": "a", "n": 1}, {"name": "a", "n": 3}],
        });
        insta::assert_snapshot!(shown(old, new), @r#"
        dependsOn: Reordered { old: Array [String("a"), String("b")], new: Array [String("b"), String("a")] }
        dependsOn[name=a].namespace: Changed { old: String("x"), new: String("y") }
        dependsOn[name=d]: Added(Object {"name": String("d")})
        dependsOn[name=c]: Removed(Object {"name": String("c")})
        resources: Entries { removed: [String("b.yaml")], added: [String("aa.yaml")] }
        patches[0].target.kind: Changed { old: String("A"), new: String("B") }
        patches[2]: Added(Object {"path": String("c")})
        order: Reordered { old: Array [String("1"), String("2")], new: Array [String("2"), String("1")] }
        twice[1].n: Changed { old: Number(2), new: Number(3) }
        "#);
    }

    #[test]
    fn texts_are_compared_line_by_line() {
        let old = json!({"data": {"x.override": "rewrite name a p.\nrewrite name b p.\n", "one": "a", "same": "x\ny"}});
        let new =
            json!({"data": {"x.override": "rewrite name a p.\nrewrite name c p.\n", "one": "a\nb", "same": "x\ny"}});
        insta::assert_snapshot!(shown(old, new), @r#"
        data["x.override"]: Lines([Hunk { old_start: 1, new_start: 1, lines: [HunkLine { side: Both, text: "rewrite name a p.", no_newline: false }, HunkLine { side: Old, text: "rewrite name b p.", no_newline: false }, HunkLine { side: New, text: "rewrite name c p.", no_newline: false }] }])
        data.one: Changed { old: String("a"), new: String("a\nb") }
        "#);
    }

    #[test]
    fn what_is_secret_is_masked_wherever_it_stands() {
        let old = json!({
            "kind": "Secret",
            "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "b2xk"}},
            "data": {"a": "b2xk", "b": "b2xk"},
            "stringData": {"text": "one\nold\n"},
        });
        let new = json!({
            "kind": "Secret",
            "metadata": {"name": "s"},
            "data": {"a": "bmV3", "c": "bmV3"},
            "stringData": {"text": "one\nnew\n"},
        });
        insta::assert_snapshot!(shown(old, new), @r#"
        metadata.annotations: Removed(Object {"kubectl.kubernetes.io/last-applied-configuration": String("*** (before)")})
        data.a: Changed { old: String("*** (before)"), new: String("*** (after)") }
        data.c: Added(String("*** (after)"))
        data.b: Removed(String("*** (before)"))
        stringData.text: Changed { old: String("*** (before)"), new: String("*** (after)") }
        "#);
        let old = json!({"spec": {"adminPassword": "old", "env": [{"name": "A", "token": "old"}], "text": "x: 1\ntoken: old\n"}});
        let new = json!({"spec": {"adminPassword": "new", "env": [{"name": "A", "token": "new"}], "text": "x: 1\ntoken: new\n"}});
        insta::assert_snapshot!(shown(old, new), @r#"
        spec.adminPassword: Changed { old: String("*** (before)"), new: String("*** (after)") }
        spec.env[name=A].token: Changed { old: String("*** (before)"), new: String("*** (after)") }
        spec.text: Lines([Hunk { old_start: 1, new_start: 1, lines: [HunkLine { side: Both, text: "x: 1", no_newline: false }, HunkLine { side: Old, text: "token: *** (before)", no_newline: false }, HunkLine { side: New, text: "token: *** (after)", no_newline: false }] }])
        "#);
    }

    proptest::proptest! {
        #[test]
        fn equal_values_have_no_changes_and_others_have_some(a in value(), b in value()) {
            assert!(field_changes(&a, &a).is_empty());
            assert_eq!(field_changes(&a, &b).is_empty(), a == b);
        }
    }

    fn value() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..3).prop_map(Value::from),
            "[ab\n]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("name|kind|data|token|[ab.]", inner, 0..4)
                    .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }
}
