//! The platform's values, as its users write them.
//!
//! Two forms are read: the object `Package cozystack.cozystack-platform`, as it is applied to the cluster, and the plain
//! values that stand in it. Nothing is filled in: what a value means when it is absent depends on the platform's version.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::{
    kubernetes::{
        Problems,
        leaf::{At, Fault, Key, Leaf, Read, Shape, Shaped},
        read_documents_with_places, text_of,
    },
    problem::{Problem, Source},
};

/// The name of the Package that holds the platform's values.
const NAME: &str = "cozystack.cozystack-platform";
/// The API group of Packages.
const GROUP: &str = "cozystack.io";
/// The one component of that Package.
const COMPONENT: &str = "platform";

/// What a platform is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformFile {
    /// `spec.variant`; `None` when it is absent, and always for plain values.
    pub variant: Option<String>,
    /// The values as written; an empty object when there are none.
    pub values: Value,
}

/// Reads a file with the platform's Package or with plain values.
///
/// Other objects beside the Package are passed over.
///
/// # Errors
///
/// All problems of the file that can be found, in its order.
pub fn parse_platform(source: &Source) -> Result<PlatformFile, Vec<Problem>> {
    let text = text_of(source)?;
    platform(text).map_err(|faults| Problems::of(&source.path, text).all(faults))
}

/// Reads the `spec` of a live platform Package.
///
/// # Errors
///
/// One line that says everything that is wrong with it.
pub fn platform_of_package(spec: &Value) -> Result<PlatformFile, String> {
    let mut faults = Vec::new();
    let platform = serde_json::from_value::<Leaf<PackageSpec>>(spec.clone())
        .map_err(|error| error.to_string())?
        .take("spec", &mut faults)
        .unwrap_or_default()
        .platform(&mut faults);
    if faults.is_empty() {
        Ok(platform)
    } else {
        Err(faults.into_iter().map(|fault| fault.message).collect::<Vec<_>>().join("; "))
    }
}

fn platform(text: &str) -> Result<PlatformFile, Vec<Fault>> {
    let read_error = |error| vec![Fault::from(error)];
    let documents: Vec<Leaf<Document>> = read_documents_with_places(text).map_err(read_error)?;
    let mut faults = Vec::new();
    let mut packages = Vec::new();
    let mut others = Vec::new();
    let count = documents.len();
    for (index, leaf) in documents.into_iter().enumerate() {
        let at = leaf.at;
        let document = match leaf.read {
            Read::Value(document) => document,
            Read::Nothing => continue,
            Read::Wrong(found) => {
                let message = format!("the platform's values are a mapping, not {found}");
                faults.push(Fault { at, key: String::new(), message });
                continue;
            }
        };
        if document.api_version.is_nothing() && document.kind.is_nothing() {
            if count > 1 {
                let message = "a document without `apiVersion` and `kind`; plain values stand alone in their file";
                faults.push(Fault { at, key: String::new(), message: message.to_owned() });
                continue;
            }
            let plain: Vec<Value> = read_documents_with_places(text).map_err(read_error)?;
            let values = plain.into_iter().nth(index).unwrap_or_default();
            return Ok(PlatformFile { variant: None, values });
        }
        match document.role() {
            Role::Platform => packages.push((at, document)),
            Role::Other(why) => {
                others.extend(why.map(|(place, key, message)| Fault { at: place.or(at), key: key.to_owned(), message }))
            }
        }
    }
    if let [_, (second, _), ..] = packages.as_slice() {
        let message = format!("a second Package `{NAME}`");
        faults.push(Fault { at: *second, key: "metadata.name".to_owned(), message });
    }
    let mut found = None;
    for (at, document) in packages {
        found = Some(document.platform(at, &mut faults));
    }
    match found {
        Some(platform) if faults.is_empty() => Ok(platform),
        None if faults.is_empty() => {
            if others.is_empty() {
                let message = format!("the file holds neither a Package `{NAME}` nor plain values");
                others.push(Fault { at: At::default(), key: String::new(), message });
            }
            Err(others)
        }
        _ => Err(faults),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    api_version: Leaf<String>,
    kind: Leaf<String>,
    metadata: Leaf<Metadata>,
    spec: Leaf<PackageSpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Leaf<String>,
    namespace: Leaf<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PackageSpec {
    variant: Leaf<String>,
    components: Leaf<BTreeMap<Key, Leaf<Component>>>,
    values: Leaf<Value>,
}

/// `enabled` and `values`; all keys are kept, because others are mistakes that would go unseen.
type Component = BTreeMap<Key, Leaf<Value>>;

impl Shaped for Document {
    const SHAPE: Shape = Shape::Mapping;
}

impl Shaped for Metadata {
    const SHAPE: Shape = Shape::Mapping;
}

impl Shaped for PackageSpec {
    const SHAPE: Shape = Shape::Mapping;
}

enum Role {
    Platform,
    /// Not the platform's Package; when it may have been meant to be it, why it is not: the place, the key and the reason.
    Other(Option<(At, &'static str, String)>),
}

impl Document {
    fn role(&self) -> Role {
        let text = |leaf: &Leaf<String>| match &leaf.read {
            Read::Value(text) => text.clone(),
            Read::Nothing | Read::Wrong(_) => String::new(),
        };
        let (api_version, kind) = (text(&self.api_version), text(&self.kind));
        let (name, name_at) = match &self.metadata.read {
            Read::Value(metadata) => (text(&metadata.name), metadata.name.at),
            Read::Nothing | Read::Wrong(_) => (String::new(), At::default()),
        };
        let group = api_version.split_once('/').map(|(group, _)| group);
        match (kind.as_str(), group, name.as_str()) {
            ("Package", Some(GROUP), NAME) => Role::Platform,
            ("Package", Some(GROUP), other) => {
                let message = format!("the platform's Package is named `{NAME}`, not `{}`", other.escape_debug());
                Role::Other(Some((name_at, "metadata.name", message)))
            }
            ("Package", _, _) => {
                let other = api_version.escape_debug();
                let message = format!("`apiVersion` of a Package is `{GROUP}/v1alpha1`, not `{other}`");
                Role::Other(Some((self.api_version.at, "apiVersion", message)))
            }
            (other, _, NAME) => {
                let message = format!("`{NAME}` is a Package, not a `{}`", other.escape_debug());
                Role::Other(Some((self.kind.at, "kind", message)))
            }
            _ => Role::Other(None),
        }
    }

    fn platform(self, at: At, faults: &mut Vec<Fault>) -> PlatformFile {
        let metadata = self.metadata.take("metadata", faults).unwrap_or_default();
        let namespace_at = metadata.namespace.at.or(at);
        if metadata.namespace.take("metadata.namespace", faults).is_some() {
            let message = "`metadata.namespace` is set, but a Package belongs to no namespace".to_owned();
            faults.push(Fault { at: namespace_at, key: "metadata.namespace".to_owned(), message });
        }
        self.spec.take("spec", faults).unwrap_or_default().platform(faults)
    }
}

impl PackageSpec {
    fn platform(self, faults: &mut Vec<Fault>) -> PlatformFile {
        let variant = self.variant.take("spec.variant", faults).filter(|variant| !variant.is_empty());
        if !self.values.is_nothing() {
            let message = format!("`spec.values` has no effect; values stand in `spec.components.{COMPONENT}.values`");
            faults.push(Fault { at: self.values.at, key: "spec.values".to_owned(), message });
        }
        let mut values = Map::new();
        for (key, leaf) in self.components.take("spec.components", faults).unwrap_or_default() {
            let path = format!("spec.components.{}", key.text);
            if key.text != COMPONENT {
                let message = format!("`{path}` has no effect; the platform's only component is `{COMPONENT}`");
                faults.push(Fault { at: key.at, key: path, message });
                continue;
            }
            let mut component = leaf.take(&path, faults).unwrap_or_default();
            let values_key = component.keys().find(|key| key.text == "values").cloned();
            if let Some(leaf) = values_key.and_then(|key| component.remove(&key)) {
                values = leaf.into_mapping().take(format_args!("{path}.values"), faults).unwrap_or_default();
            } else if let Some(key) = component.keys().find(|key| key.text != "enabled") {
                let path = format!("{path}.{}", key.text);
                let message = format!("`{path}` has no effect; values stand in `spec.components.{COMPONENT}.values`");
                faults.push(Fault { at: key.at, key: path, message });
            }
        }
        PlatformFile { variant, values: Value::Object(values) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<PlatformFile, Vec<String>> {
        let source = Source { path: "platform.yaml".to_owned(), bytes: text.as_bytes().into() };
        let line =
            |problem: Problem| format!("{}:{} {}: {}", problem.line, problem.column, problem.key, problem.message);
        parse_platform(&source).map_err(|problems| problems.into_iter().map(line).collect())
    }

    const PACKAGE: &str = "apiVersion: cozystack.io/v1alpha1
kind: Package
metadata:
  name: cozystack.cozystack-platform
spec:
  variant: isp-full
  components:
    platform:
      values:
        publishing: {host: example.org, proxyProtocol: true}
";

    #[test]
    fn both_forms_give_the_values_as_written() {
        let values = json!({"publishing": {"host": "example.org", "proxyProtocol": true}});
        let package = PlatformFile { variant: Some("isp-full".to_owned()), values: values.clone() };
        assert_eq!(parse(PACKAGE), Ok(package.clone()));
        let beside = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: cozy-system}}\n---\n{PACKAGE}---\n");
        assert_eq!(parse(&beside), Ok(package));
        let plain = PlatformFile { variant: None, values };
        assert_eq!(parse("publishing: {host: example.org, proxyProtocol: yes}\n"), Ok(plain.clone()));
        assert_eq!(parse("{\"publishing\": {\"host\": \"example.org\", \"proxyProtocol\": true}}"), Ok(plain));
        assert_eq!(parse("{}"), Ok(PlatformFile { variant: None, values: json!({}) }));
    }

    #[test]
    fn a_package_without_values_has_none() {
        let empty = |variant: Option<&str>| PlatformFile { variant: variant.map(str::to_owned), values: json!({}) };
        for (spec, expected) in [
            (json!({}), empty(None)),
            (json!(null), empty(None)),
            (json!({"variant": "default", "components": null, "ignoreDependencies": []}), empty(Some("default"))),
            (json!({"components": {"platform": {"enabled": true}}}), empty(None)),
            (json!({"components": {"platform": {"values": null}}}), empty(None)),
        ] {
            assert_eq!(platform_of_package(&spec), Ok(expected.clone()), "{spec}");
            let package = json!({
                "apiVersion": "cozystack.io/v1alpha1", "kind": "Package", "metadata": {"name": NAME}, "spec": spec,
            });
            assert_eq!(parse(&package.to_string()), Ok(expected));
        }
    }

    #[test]
    fn a_live_package_that_cannot_be_read_says_why_in_one_line() {
        let spec = json!({"variant": 1, "components": {"platform": {"values": []}}});
        let message =
            "`spec.variant` is a number, not a text; `spec.components.platform.values` is a list, not a mapping";
        assert_eq!(platform_of_package(&spec), Err(message.to_owned()));
        assert_eq!(platform_of_package(&json!([])), Err("`spec` is a list, not a mapping".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let cases: Vec<(String, &[&str])> = vec![
            (
                String::new(),
                &["0:0 : the file holds neither a Package `cozystack.cozystack-platform` nor plain values"],
            ),
            (
                "apiVersion: v1\nkind: Namespace\n".to_owned(),
                &["0:0 : the file holds neither a Package `cozystack.cozystack-platform` nor plain values"],
            ),
            ("- a\n".to_owned(), &["1:1 : the platform's values are a mapping, not a list"]),
            ("a: 1\na: 2\n".to_owned(), &["2:1 : duplicate mapping key: a not allowed here"]),
            (
                format!("{PACKAGE}---\n{PACKAGE}"),
                &["12:1 metadata.name: a second Package `cozystack.cozystack-platform`"],
            ),
            (
                format!("{PACKAGE}---\npublishing: {{}}\n"),
                &["12:1 : a document without `apiVersion` and `kind`; plain values stand alone in their file"],
            ),
            (
                PACKAGE.replace("cozystack.cozystack-platform", "cozystack-platform"),
                &[
                    "4:9 metadata.name: the platform's Package is named `cozystack.cozystack-platform`, not `cozystack-platform`",
                ],
            ),
            (
                PACKAGE.replace("cozystack.io/", "cozystack.org/"),
                &[
                    "1:13 apiVersion: `apiVersion` of a Package is `cozystack.io/v1alpha1`, not `cozystack.org/v1alpha1`",
                ],
            ),
            (
                PACKAGE.replace("kind: Package", "kind: PackageSource"),
                &["2:7 kind: `cozystack.cozystack-platform` is a Package, not a `PackageSource`"],
            ),
            (
                PACKAGE.replace("metadata:\n", "metadata:\n  namespace: cozy-system\n"),
                &["4:14 metadata.namespace: `metadata.namespace` is set, but a Package belongs to no namespace"],
            ),
            (
                PACKAGE.replace("    platform:", "    cozystack-platform:").replace("isp-full", "5"),
                &[
                    "6:12 spec.variant: `spec.variant` is a number, not a text",
                    "8:5 spec.components.cozystack-platform: `spec.components.cozystack-platform` has no effect; the platform's only component is `platform`",
                ],
            ),
            (
                PACKAGE.replace("      values:\n        pub", "      pub"),
                &[
                    "9:7 spec.components.platform.publishing: `spec.components.platform.publishing` has no effect; values stand in `spec.components.platform.values`",
                ],
            ),
            (
                PACKAGE.replace("  components:\n    platform:\n      values:\n    ", "  values:\n"),
                &["8:5 spec.values: `spec.values` has no effect; values stand in `spec.components.platform.values`"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text).expect_err(&text), expected, "{text}");
        }
    }
}
