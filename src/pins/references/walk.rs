//! References that stand in a document as such: images of containers, and what charts and other controllers take.

use crate::{
    model::oci::Reference,
    pins::{
        marked::{self, Kind, Node, Position, Style},
        references::{
            Found, Open, Read, ReferenceKind, Scan, Usage, Why, compose, has_variables,
            objects::{Index, Object},
            parse,
        },
    },
};

/// Kinds whose references are not found by looking at every key. Those with something of an image in them are read in
/// `flux`; a definition of resources and the content of a ConfigMap or Secret only talk about images.
const NOT_WALKED: [&str; 11] = [
    "ConfigMap",
    "CustomResourceDefinition",
    "GitRepository",
    "Bucket",
    "HelmChart",
    "HelmRepository",
    "ImagePolicy",
    "ImageRepository",
    "ImageUpdateAutomation",
    "OCIRepository",
    "Secret",
];

/// The lists whose items are containers.
const CONTAINERS: [&str; 5] = ["initContainers", "containers", "ephemeralContainers", "steps", "sidecars"];

/// Keys below which nothing is pulled: what an object is called, what became of it, and what others may write.
const NOTHING_BELOW: [&str; 3] = ["metadata", "status", "openAPIV3Schema"];

/// Files that are pictures for people and not images of containers.
const PICTURES: [&str; 7] = [".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp", ".ico"];

/// Finds the references of one object.
pub(super) fn walk(object: &Object<'_>, scan: &mut Scan) {
    if let Some(id) = object.id()
        && (NOT_WALKED.contains(&id.kind.as_str()) || id.group() == "bobbypin.dev")
    {
        return;
    }
    let mut walk = Walk { object, scan, way: Vec::new() };
    if object.is("pkg.crossplane.io", "Provider")
        || object.is("pkg.crossplane.io", "Configuration")
        || object.is("pkg.crossplane.io", "Function")
    {
        if let Some(package) = object.node.follow(&["spec", "package"]) {
            walk.way = vec!["spec".to_owned(), "package".to_owned()];
            walk.certain(package);
        }
        return;
    }
    for entry in object.node.entries() {
        if object.id().is_none() || !NOTHING_BELOW.contains(&entry.key.as_str()) {
            walk.value(&entry.key, &entry.value, false);
        }
    }
}

/// Finds the references of the values that a release takes from a ConfigMap. Those of a Secret nobody sees in Git.
pub(super) fn walk_values_from(index: &Index<'_, '_>, release: &Object<'_>, scan: &mut Scan) {
    for from in release.node.follow(&["spec", "valuesFrom"]).map_or(&[][..], Node::items) {
        if from.text_at(&["kind"]) != Some("ConfigMap") || from.get("targetPath").is_some() {
            continue;
        }
        let Some(map) = index.find(release, "", "ConfigMap", from) else { continue };
        let key = from.text_at(&["valuesKey"]).unwrap_or("values.yaml");
        let Some((node, text)) = map.node.follow(&["data", key]).and_then(|node| Some((node, node.text()?))) else {
            continue;
        };
        let way = vec!["data".to_owned(), format!("[\"{key}\"]")];
        match marked::documents(map.file.path, text) {
            Ok(documents) => {
                for mut values in documents {
                    values.shift(node.at);
                    let (user, usage) = (release.user.clone(), release.usage.clone());
                    let object = Object { file: map.file, user, usage, node: values };
                    let mut walk = Walk { object: &object, scan, way: way.clone() };
                    object.node.entries().iter().for_each(|entry| walk.value(&entry.key, &entry.value, false));
                }
            }
            Err(_) => {
                let place = map.place(node.at, &format!("data[\"{key}\"]"));
                scan.open.push(Open { user: release.user.clone(), place, why: Why::NoReference });
            }
        }
    }
}

struct Walk<'w> {
    object: &'w Object<'w>,
    scan: &'w mut Scan,
    /// The keys on the way to where we are.
    way: Vec<String>,
}

impl Walk<'_> {
    /// Looks at the value of a key. `is_container`: whether the mapping around it is a container.
    fn value(&mut self, key: &str, node: &Node, is_container: bool) {
        if key == "openAPIV3Schema" {
            return;
        }
        self.way.push(key.to_owned());
        match &node.kind {
            Kind::Scalar { .. } if is_container && key == "image" => self.certain(node),
            Kind::Scalar { .. } => self.scalar(key, node),
            Kind::List(items) => {
                let are_containers = CONTAINERS.contains(&key);
                for (index, item) in items.iter().enumerate() {
                    self.way.push(format!("[{index}]"));
                    match &item.kind {
                        Kind::Map(_) => self.map(key, item, are_containers && item.get("name").is_some()),
                        Kind::Scalar { .. } => self.scalar(key, item),
                        Kind::List(_) => self.value(key, item, false),
                    }
                    self.way.pop();
                }
            }
            Kind::Map(_) => self.map(key, node, false),
        }
        self.way.pop();
    }

    /// Looks at a text. With a repository and a digest it is a reference wherever it stands.
    fn scalar(&mut self, key: &str, node: &Node) {
        let pinned = node.text().and_then(|text| text.split_once("@sha256:"));
        if is_image_key(key) || pinned.is_some_and(|(name, _)| name.contains('/')) {
            self.likely(node);
        }
    }

    /// Looks at a mapping; `key` is the one above it.
    fn map(&mut self, key: &str, node: &Node, is_container: bool) {
        let mut done: &[&str] = &[];
        if key == "images" && node.get("name").is_some() && self.kustomize(node) {
            return;
        }
        if node.get("repository").is_some_and(|repository| repository.text().is_some()) {
            self.repository(key, node);
        } else if let Some((image, tag)) = image_and_tag(node).filter(|_| !is_container) {
            // An image without a tag, beside a tag.
            self.way.push("image".to_owned());
            self.composed(image.at, compose(image.text().unwrap_or_default(), tag, node.text_at(&["digest"])));
            self.way.pop();
            done = &["image"];
        } else if is_image_key(key) && node.get("tag").is_some() {
            self.partial(node);
        } else if key == "image"
            && let Some(reference) = node.get("reference")
        {
            self.way.push("reference".to_owned());
            self.certain(reference);
            self.way.pop();
        }
        for entry in node.entries().iter().filter(|entry| !done.contains(&entry.key.as_str())) {
            self.value(&entry.key, &entry.value, is_container);
        }
    }

    /// `{name, newName, newTag, digest}`, with which Kustomize replaces images. Says whether it is one.
    fn kustomize(&mut self, node: &Node) -> bool {
        let [new_name, new_tag, digest] = ["newName", "newTag", "digest"].map(|key| node.text_at(&[key]));
        if new_name.is_none() && new_tag.is_none() && digest.is_none() {
            return false;
        }
        let name = new_name.or(node.text_at(&["name"])).unwrap_or_default();
        let read = if new_tag.is_none() && digest.is_none() {
            // The tag stays that of the image which is replaced.
            Read::Open(Why::NoTag)
        } else {
            compose(name, new_tag, digest)
        };
        self.composed(node.at, read);
        true
    }

    /// `{registry, repository, tag, digest}`, as charts have it.
    fn repository(&mut self, key: &str, node: &Node) {
        let Some(name) = node.text_at(&["repository"]) else { return };
        let name = name.strip_prefix("oci://").unwrap_or(name);
        let (tag, digest) = (node.get("tag"), node.get("digest"));
        let is_known = is_image_key(key) || node.get("pullPolicy").is_some() || node.get("registry").is_some();
        if (tag.is_none() && digest.is_none() && !is_image_key(key))
            || !(is_known || name.contains('/'))
            || is_address(name)
        {
            return;
        }
        let full = match node.text_at(&["registry"]) {
            Some(registry) => format!("{registry}/{name}"),
            None => name.to_owned(),
        };
        let (tag, digest) = (tag.and_then(Node::text), digest.and_then(Node::text).filter(|text| !text.is_empty()));
        let tag = tag.filter(|tag| !tag.is_empty());
        for tag in as_read_by_helm(node, tag) {
            let read = match compose(&full, tag.as_deref(), digest) {
                Read::Reference(reference) if reference.tag.is_none() && reference.digest.is_none() => {
                    Read::Open(Why::NoTag)
                }
                read => read,
            };
            let at = node.get("tag").or(node.get("digest")).map_or(node.at, |node| node.at);
            self.composed(at, read);
        }
    }

    /// A tag without a repository.
    fn partial(&mut self, node: &Node) {
        if node.text_at(&["tag"]).is_some_and(|tag| !tag.is_empty()) {
            self.composed(node.at, Read::Open(Why::NoRepository));
        }
    }

    /// A place where nothing but a reference can stand.
    fn certain(&mut self, node: &Node) {
        if let Some(text) = node.text().filter(|text| !text.is_empty()) {
            let read = match parse(text) {
                Read::Reference(reference) => Read::Reference(with_a_tag(reference)),
                read => read,
            };
            self.composed(node.at, read);
        }
    }

    /// A place where a reference may stand.
    fn likely(&mut self, node: &Node) {
        let Some(text) = node.text() else { return };
        let is_short = !text.contains(['/', ':']);
        if is_short || is_address(text) || text.contains(char::is_whitespace) || is_picture(text) {
            return;
        }
        let read = match parse(text) {
            Read::Open(Why::NoReference) => Read::Other,
            Read::Reference(reference) if reference.tag.is_none() && reference.digest.is_none() => {
                let host = text.split('/').next().unwrap_or_default();
                if host.contains(['.', ':']) { Read::Open(Why::NoTag) } else { Read::Other }
            }
            read => read,
        };
        self.composed(node.at, read);
    }

    fn composed(&mut self, at: Position, read: Read) {
        let object = self.object;
        let key = self.way.iter().fold(String::new(), |way, step| match step.starts_with('[') || way.is_empty() {
            true => way + step,
            false => way + "." + step,
        });
        let place = object.place(at, &key);
        match read {
            Read::Reference(reference) => {
                let is_hook = self.way.iter().any(|key| is_hook_key(key));
                let usage = if is_hook && object.usage.is_live() { Usage::Hook } else { object.usage.clone() };
                let user = object.user.clone();
                self.scan.found.push(Found { reference, kind: ReferenceKind::Image, user, usage, place });
            }
            Read::Open(why) => self.scan.open.push(Open { user: object.user.clone(), place, why }),
            Read::Other => (),
        }
    }
}

/// A container runtime takes `latest` where nothing is said.
pub(super) fn with_a_tag(mut reference: Reference) -> Reference {
    if reference.tag.is_none() && reference.digest.is_none() {
        reference.tag = Some("latest".to_owned());
    }
    reference
}

/// Whether charts and controllers call an image so.
pub(crate) fn is_image_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("image") || key == "images" || key == "imagename"
}

/// Whether charts call something so that runs only when a release is installed, upgraded or removed. A webhook runs always.
fn is_hook_key(key: &str) -> bool {
    let letters: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    letters.to_ascii_lowercase().replace("webhook", "").contains("hook")
}

/// `{image, tag}`, where the image has no tag of its own.
fn image_and_tag(node: &Node) -> Option<(&Node, Option<&str>)> {
    let image = node.get("image")?;
    let text = image.text()?;
    let tag = node.text_at(&["tag"]).or(node.text_at(&["imageTag"])).filter(|tag| !tag.is_empty())?;
    let last = text.rsplit('/').next().unwrap_or(text);
    let is_bare = !last.contains([':', '@']) && !is_address(text) && !has_variables(text) && !text.is_empty();
    is_bare.then_some((image, Some(tag)))
}

/// The tags that a plain scalar may mean: `1.10` is for Helm the number 1.1, whatever its writer meant.
fn as_read_by_helm(node: &Node, tag: Option<&str>) -> Vec<Option<String>> {
    let written = tag.map(str::to_owned);
    let is_plain = node.get("tag").is_some_and(|node| matches!(node.kind, Kind::Scalar { style: Style::Plain, .. }));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number =
        tag.and_then(|tag| tag.split_once('.')).filter(|(whole, part)| is_plain && digits(whole) && digits(part));
    let read = number.map(|(whole, part)| match part.trim_end_matches('0') {
        "" => whole.to_owned(),
        part => format!("{whole}.{part}"),
    });
    match read {
        Some(read) if Some(&read) != written.as_ref() => vec![written, Some(read)],
        _ => vec![written],
    }
}

/// Whether a text is an address of something else than an image.
fn is_address(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@") || text.ends_with(".git")
}

fn is_picture(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    PICTURES.iter().any(|end| text.ends_with(end))
}
