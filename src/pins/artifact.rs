//! What a manifest is the manifest of.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::model::{digest::Digest, pins::ArtifactKind};

/// The media types of manifests, as a registry is asked for them.
pub const MANIFEST_TYPES: [&str; 4] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST];

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What the config of a Helm chart is.
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

/// What the config of an image is.
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// What registries of the first generation call a manifest.
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// The longest text of somebody else that an error repeats, in bytes.
const MAX_SAID: usize = 100;

/// What stands at the place of a platform where there is none.
const NO_PLATFORM: &str = "unknown";

/// A manifest whose bytes were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of its bytes, computed here.
    pub digest: Digest,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its media type; for a chart that of its config, which is what tells it from an image.
    pub media_type: String,
    /// The manifests of an index, in its order. Empty for anything else.
    pub children: Vec<Child>,
    /// The layers of a manifest, in its order. Empty for an index.
    pub layers: Vec<Descriptor>,
}

/// One manifest of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    /// Its digest.
    pub digest: Digest,
    /// `os/architecture`, with `/variant` where there is one; `None` for what runs nowhere, as an attestation.
    pub platform: Option<String>,
}

/// A piece of content that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

/// Why bytes are no manifest that can be pinned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// It is not JSON, or not of the form of a manifest.
    #[error("it is no manifest: {0}")]
    Malformed(String),
    /// It is a manifest of something else.
    #[error("it is a manifest of the kind `{}`, which is neither a chart nor an image", .0.escape_debug())]
    Kind(String),
}

impl Artifact {
    /// Reads a manifest. `content_type` is what the registry calls it, or empty where it says nothing; what the manifest
    /// says of itself goes before it.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] when it is neither a chart nor an image, or when the two contradict each other.
    pub fn read(bytes: &[u8], content_type: &str) -> Result<Self, ArtifactError> {
        let called = content_type.split(';').next().unwrap_or_default().trim();
        if called.starts_with(SCHEMA_1) {
            return Err(malformed("its form is schema 1, which no digest protects; push the image again"));
        }
        let Keys(keys) = from_json(bytes)?;
        check_keys(&keys)?;
        let raw: RawManifest = from_json(bytes)?;
        match raw.schema_version {
            Some(2) => (),
            Some(1) => return Err(malformed("its form is schema 1, which no digest protects; push the image again")),
            _ => return Err(malformed("its `schemaVersion` is not 2")),
        }
        let own = raw.media_type.as_deref().unwrap_or_default();
        if !own.is_empty() && !called.is_empty() && own != called {
            let (own, called) = (quoted(own), quoted(called));
            return Err(malformed(format!("it calls itself {own}, and the registry calls it {called}")));
        }
        let media_type = if own.is_empty() { called } else { own };
        let digest = Digest::of(bytes);
        match media_type {
            OCI_INDEX | DOCKER_LIST => {
                if raw.config.is_some() || raw.layers.is_some() {
                    return Err(malformed("it is an index and has a `config` or `layers` all the same"));
                }
                let raw = raw.manifests.ok_or_else(|| malformed("it is an index without `manifests`"))?;
                let children = raw.into_iter().map(Child::of).collect::<Result<_, _>>()?;
                let media_type = media_type.to_owned();
                Ok(Self { digest, kind: ArtifactKind::ImageIndex, media_type, children, layers: Vec::new() })
            }
            OCI_MANIFEST | DOCKER_MANIFEST => {
                if raw.manifests.is_some() {
                    return Err(malformed("it is no index and has `manifests` all the same"));
                }
                let config = raw.config.ok_or_else(|| malformed("it has no `config`"))?;
                let config = Descriptor::of(config)?;
                let raw = raw.layers.ok_or_else(|| malformed("it has no `layers`"))?;
                let layers = raw.into_iter().map(Descriptor::of).collect::<Result<_, _>>()?;
                let (kind, media_type) = match config.media_type.as_str() {
                    CHART_CONFIG => (ArtifactKind::Chart, config.media_type),
                    kind if IMAGE_CONFIGS.contains(&kind) => (ArtifactKind::ImageManifest, media_type.to_owned()),
                    other => return Err(ArtifactError::Kind(shortened(other))),
                };
                Ok(Self { digest, kind, media_type, children: Vec::new(), layers })
            }
            "" => Err(malformed("neither it nor the registry says of which media type it is")),
            other => Err(malformed(format!("its media type is {}", quoted(other)))),
        }
    }
}

/// Reads the index that answers what refers to a manifest: descriptors of any kind.
///
/// # Errors
///
/// [`ArtifactError::Malformed`] when it is none.
pub fn read_referrers(bytes: &[u8]) -> Result<Vec<Descriptor>, ArtifactError> {
    let Keys(keys) = from_json(bytes)?;
    check_keys(&keys)?;
    let raw: RawManifest = from_json(bytes)?;
    let manifests = raw.manifests.ok_or_else(|| malformed("it is an index without `manifests`"))?;
    manifests.into_iter().map(|raw| Descriptor::of(raw.into())).collect()
}

impl Child {
    /// Whether it is meant for a machine of this platform. Names that mean the same are the same, as for containerd:
    /// `linux/arm64` and `linux/arm64/v8`, `linux/arm` and `linux/arm/v7`.
    pub fn is_for(&self, platform: &str) -> bool {
        self.platform.as_deref().is_some_and(|own| normal_platform(own) == normal_platform(platform))
    }

    fn of(raw: RawChild) -> Result<Self, ArtifactError> {
        let platform = match &raw.platform {
            Some(platform) if platform.os != NO_PLATFORM && platform.architecture != NO_PLATFORM => {
                Some(platform.to_string())
            }
            _ => None,
        };
        let Descriptor { media_type, digest, size: _ } = Descriptor::of(raw.into())?;
        if [OCI_INDEX, DOCKER_LIST].contains(&media_type.as_str()) {
            return Err(malformed("it is an index of indexes"));
        }
        Ok(Self { digest, platform })
    }
}

impl Descriptor {
    fn of(raw: RawDescriptor) -> Result<Self, ArtifactError> {
        let digest = Digest::parse(&raw.digest)
            .map_err(|_| malformed(format!("it names a digest that is no sha256: {}", quoted(&raw.digest))))?;
        Ok(Self { media_type: raw.media_type, digest, size: raw.size })
    }
}

/// A platform with one name for what has several, after `Normalize` of containerd.
fn normal_platform(text: &str) -> (String, String, Option<String>) {
    let mut parts = text.splitn(3, '/').map(str::to_ascii_lowercase);
    let os = parts.next().unwrap_or_default();
    let architecture = parts.next().unwrap_or_default();
    let variant = parts.next().filter(|variant| !variant.is_empty());
    let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
        ("x86_64" | "x86-64" | "amd64", None | Some("v1")) => ("amd64", None),
        ("x86_64" | "x86-64" | "amd64", Some(other)) => ("amd64", Some(other)),
        ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
        ("aarch64" | "arm64", Some(other)) => ("arm64", Some(other)),
        ("armhf", _) | ("arm", None | Some("7" | "v7")) => ("arm", Some("v7")),
        ("armel", _) | ("arm", Some("6" | "v6")) => ("arm", Some("v6")),
        ("arm", Some("5")) => ("arm", Some("v5")),
        ("arm", Some("8")) => ("arm", Some("v8")),
        ("i386", _) => ("386", None),
        (other, variant) => (other, variant),
    };
    (os, architecture.to_owned(), variant.map(str::to_owned))
}

/// The keys whose meaning decides what a manifest is.
const KEYS: [&str; 5] = ["schemaVersion", "mediaType", "manifests", "config", "layers"];

/// Many readers take `Layers` for `layers` and the last of two; what they would read is not to differ from what is read
/// here.
fn check_keys(keys: &[String]) -> Result<(), ArtifactError> {
    for key in KEYS {
        let mut found = keys.iter().filter(|found| found.eq_ignore_ascii_case(key));
        if found.next().is_some_and(|found| found != key) || found.next().is_some() {
            return Err(malformed(format!("the key `{key}` is written otherwise, or twice")));
        }
    }
    Ok(())
}

fn from_json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, ArtifactError> {
    serde_json::from_slice(bytes).map_err(|error| malformed(shortened(&error.to_string())))
}

fn malformed(problem: impl Into<String>) -> ArtifactError {
    ArtifactError::Malformed(problem.into())
}

fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text).escape_debug())
}

fn shortened(text: &str) -> String {
    // Not a part of it: what is to be hidden in it must be whole to be found.
    if text.len() > MAX_SAID { "too long to be repeated".to_owned() } else { text.to_owned() }
}

/// All keys of an object, in its order.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Every kind of manifest as it is written. Others may add keys.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<Vec<RawChild>>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawChild {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDescriptor {
    media_type: String,
    digest: String,
    size: u64,
}

impl From<RawChild> for RawDescriptor {
    fn from(RawChild { media_type, digest, size, platform: _ }: RawChild) -> Self {
        Self { media_type, digest, size }
    }
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl fmt::Display for RawPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}
