//! Which images a chart of ouroboros runs, read from the chart itself.

use std::{collections::BTreeMap, io::Read};

use serde_json::Value;

use crate::{
    config::kubernetes::read_values,
    model::{digest::Digest, oci::Reference},
    pins::artifact::{Artifact, Descriptor},
};

/// The media type of the archive of a chart.
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// The most bytes of an archive. The largest charts that people publish have a tenth of that.
pub const MOST_BYTES: u64 = 16 << 20;

/// The most bytes that an archive may unpack to: gzip makes a thousand of one.
const MOST_UNPACKED: u64 = 64 << 20;

/// The most entries of an archive.
const MOST_ENTRIES: usize = 10_000;

/// The most bytes of one file that is read.
const MOST_OF_A_FILE: u64 = 4 << 20;

/// The files that say it.
const CHART: &str = "Chart.yaml";
const VALUES: &str = "values.yaml";

/// The images that a chart runs when nobody sets others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartImages {
    /// The image of the proxy and of its controller.
    pub image: ImageReference,
    /// The image of the uninstall hook.
    pub cleanup_hook: ImageReference,
}

/// A repository, a tag, and a digest perhaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// The repository in full, without scheme.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// The digest, where the chart itself names one.
    pub digest: Option<Digest>,
}

/// Why a chart does not say which images it runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// Its manifest has no archive, or several.
    #[error("its manifest does not have exactly one layer of the type {CONTENT}")]
    NoArchive,
    /// The archive is not one.
    #[error("it cannot be unpacked: {0}")]
    Archive(String),
    /// The archive is larger than any chart.
    #[error("it is larger than a chart can be: {0}")]
    TooLarge(&'static str),
    /// A file is missing, there several times, or a link.
    #[error("it does not have exactly one `{0}`")]
    File(&'static str),
    /// A file cannot be read.
    #[error("its `{file}` cannot be read: {problem}")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// Why.
        problem: String,
    },
    /// It is the chart of something else, or a version that keeps its images elsewhere.
    #[error("its values have no image at `{0}`")]
    NoImage(&'static str),
    /// It names a digest that cannot be compared.
    #[error("its values have a digest at `{0}` that is no sha256")]
    Digest(&'static str),
}

/// The archive of a chart.
///
/// # Errors
///
/// [`ChartError::NoArchive`], and [`ChartError::TooLarge`] by the size that the manifest gives.
pub fn archive(artifact: &Artifact) -> Result<&Descriptor, ChartError> {
    let mut archives = artifact.layers.iter().filter(|layer| layer.media_type == CONTENT);
    match (archives.next(), archives.next()) {
        (Some(archive), None) if archive.size <= MOST_BYTES => Ok(archive),
        (Some(_), None) => Err(ChartError::TooLarge("the archive")),
        _ => Err(ChartError::NoArchive),
    }
}

/// Reads the images from the archive of a chart. Nothing is written anywhere.
///
/// # Errors
///
/// [`ChartError`] when the archive is not that of such a chart.
pub fn images(archive: &[u8]) -> Result<ChartImages, ChartError> {
    // Of what unpacks to more nothing is taken.
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(MOST_UNPACKED));
    let files = files(&mut tar);
    if tar.into_inner().limit() == 0 {
        return Err(ChartError::TooLarge("what it unpacks to"));
    }
    let mut files = files?;
    let chart = document(CHART, files.remove(CHART))?;
    let values = document(VALUES, files.remove(VALUES))?;
    let version = text_of(&chart["appVersion"]);
    Ok(ChartImages {
        image: image(&values, "image", version.as_deref())?,
        cleanup_hook: image(&values, "controller.cleanupHookImage", None)?,
    })
}

fn files(tar: &mut tar::Archive<impl Read>) -> Result<BTreeMap<&'static str, String>, ChartError> {
    let failed = |error: std::io::Error| ChartError::Archive(error.to_string());
    let mut files = BTreeMap::new();
    for (index, entry) in tar.entries().map_err(failed)?.enumerate() {
        if index == MOST_ENTRIES {
            return Err(ChartError::TooLarge("the number of its files"));
        }
        let mut entry = entry.map_err(failed)?;
        let file = match inner_path(&entry.path_bytes()) {
            Some(CHART) => CHART,
            Some(VALUES) => VALUES,
            _ => continue,
        };
        if !entry.header().entry_type().is_file() {
            return Err(ChartError::File(file));
        }
        if entry.size() > MOST_OF_A_FILE {
            return Err(ChartError::TooLarge(file));
        }
        let mut text = String::new();
        let read = entry.read_to_string(&mut text);
        read.map_err(|error| ChartError::Unreadable { file, problem: error.to_string() })?;
        if files.insert(file, text).is_some() {
            return Err(ChartError::File(file));
        }
    }
    Ok(files)
}

/// The path below the chart's own folder, which may have any name.
fn inner_path(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok()?;
    let path = path.strip_prefix("./").unwrap_or(path);
    let (folder, rest) = path.split_once('/')?;
    (!matches!(folder, "" | "." | "..")).then_some(rest)
}

fn document(file: &'static str, text: Option<String>) -> Result<Value, ChartError> {
    let text = text.ok_or(ChartError::File(file))?;
    let unreadable = |problem: String| ChartError::Unreadable { file, problem };
    let mut documents = read_values(&text).map_err(|error| unreadable(error.to_string()))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document @ Value::Object(_)), true) => Ok(document),
        _ => Err(unreadable("it is not one mapping".to_owned())),
    }
}

fn image(values: &Value, at: &'static str, version: Option<&str>) -> Result<ImageReference, ChartError> {
    let missing = || ChartError::NoImage(at);
    let image = at.split('.').fold(values, |value, key| &value[key]);
    let repository = text_of(&image["repository"]).ok_or_else(missing)?;
    let tag = text_of(&image["tag"]).or_else(|| version.map(str::to_owned)).ok_or_else(missing)?;
    let reference = Reference::parse(&format!("{repository}:{tag}")).map_err(|_| missing())?;
    let digest = reference.digest.as_deref().map(Digest::parse).transpose().map_err(|_| ChartError::Digest(at))?;
    Ok(ImageReference { repository: reference.repository.to_string(), tag: reference.tag.ok_or_else(missing)?, digest })
}

/// A text that says something. People forget the quotes around `1.36`.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const VALUES_OF_OUROBOROS: &str = "image: {repository: ghcr.io/x/ouroboros, tag: \"\"}\ncontroller:\n  # the hook\n  \
                                       cleanupHookImage: {repository: alpine/kubectl, tag: 1.36}\n";

    /// An archive of entries: path, type and text.
    fn archive(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, kind, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            // Such that no writer lets through have to be written by hand.
            header.as_gnu_mut().expect("a header of this form").name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            builder.append(&header, text.as_bytes()).expect("an archive in memory");
        }
        builder.into_inner().and_then(|encoder| encoder.finish()).expect("an archive in memory")
    }

    fn chart(chart: &str, values: &str) -> Vec<u8> {
        let file = tar::EntryType::Regular;
        archive(&[
            ("ouroboros/templates/a.yaml", file, "{{ x }}"),
            ("ouroboros/values.yaml", file, values),
            ("ouroboros/charts/x/values.yaml", file, "image: 1"),
            ("ouroboros/Chart.yaml", file, chart),
        ])
    }

    #[test]
    fn the_images_are_those_of_the_values_in_full() {
        let image = |repository: &str, tag: &str| {
            let (repository, tag) = (repository.to_owned(), tag.to_owned());
            ImageReference { repository, tag, digest: None }
        };
        let hook = image("docker.io/alpine/kubectl", "1.36");
        let read = |head: &str, values: &str| images(&chart(head, values));
        let own = image("ghcr.io/x/ouroboros", "0.8.1");
        let expected = ChartImages { image: own.clone(), cleanup_hook: hook.clone() };
        assert_eq!(read("name: ouroboros\nversion: 0.8.1\nappVersion: 0.8.1\n", VALUES_OF_OUROBOROS), Ok(expected));
        let digest = Digest::of(b"what the chart names");
        let other = VALUES_OF_OUROBOROS.replace("tag: \"\"", &format!("tag: \"0.9.0@{digest}\""));
        let named = ImageReference { tag: "0.9.0".to_owned(), digest: Some(digest), ..own };
        let expected = ChartImages { image: named, cleanup_hook: hook };
        assert_eq!(read("appVersion: 0.8.1\n", &other), Ok(expected));
    }

    #[test]
    fn what_is_no_chart_of_ouroboros_is_told() {
        let file = tar::EntryType::Regular;
        let head = ("o/Chart.yaml", file, "appVersion: 1\n");
        let values = ("o/values.yaml", file, VALUES_OF_OUROBOROS);
        let told = |archive: &[u8]| images(archive).expect_err("it is refused").to_string();
        let of = |entries: &[(&str, tar::EntryType, &str)]| told(&archive(entries));
        assert_eq!(of(&[head]), "it does not have exactly one `values.yaml`");
        assert_eq!(of(&[values]), "it does not have exactly one `Chart.yaml`");
        assert_eq!(of(&[head, values, values]), "it does not have exactly one `values.yaml`");
        assert_eq!(
            of(&[head, ("../values.yaml", file, VALUES_OF_OUROBOROS)]),
            "it does not have exactly one `values.yaml`"
        );
        assert_eq!(
            of(&[head, ("/values.yaml", file, VALUES_OF_OUROBOROS)]),
            "it does not have exactly one `values.yaml`"
        );
        assert_eq!(
            of(&[head, ("o/values.yaml", tar::EntryType::Symlink, "")]),
            "it does not have exactly one `values.yaml`"
        );
        for (values, wrong) in [
            ("a: 1\n", "its values have no image at `image`"),
            ("image: {repository: A, tag: x}\n", "its values have no image at `image`"),
            ("image: {repository: a, tag: x}\n", "its values have no image at `controller.cleanupHookImage`"),
            (
                &VALUES_OF_OUROBOROS.replace("tag: \"\"", &format!("tag: \"1@sha512:{}\"", "a".repeat(128))),
                "its values have a digest at `image` that is no sha256",
            ),
            ("[1]\n", "its `values.yaml` cannot be read: it is not one mapping"),
        ] {
            assert_eq!(of(&[head, ("o/values.yaml", file, values)]), wrong);
        }
        assert!(of(&[head, ("o/values.yaml", file, "a: [")]).starts_with("its `values.yaml` cannot be read: "));
        assert!(told(b"no gzip").starts_with("it cannot be unpacked: "));
        let whole = chart("appVersion: 1\n", VALUES_OF_OUROBOROS);
        assert!(images(&whole[..whole.len() / 2]).is_err());
    }

    #[test]
    fn what_unpacks_to_more_than_a_chart_is_refused() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut header = tar::Header::new_gnu();
        header.set_path("o/templates/zeros").expect("a path");
        header.set_size(MOST_UNPACKED);
        header.set_mode(0o644);
        header.set_cksum();
        encoder.write_all(header.as_bytes()).expect("a write into memory");
        let zeros = vec![0; 1 << 20];
        (0..MOST_UNPACKED >> 20).for_each(|_| encoder.write_all(&zeros).expect("a write into memory"));
        let bomb = encoder.finish().expect("an archive in memory");
        assert!(bomb.len() < 1 << 20, "it is small: {}", bomb.len());
        assert_eq!(images(&bomb), Err(ChartError::TooLarge("what it unpacks to")));
        let large = " ".repeat(usize::try_from(MOST_OF_A_FILE).unwrap() + 1);
        assert_eq!(images(&chart("appVersion: 1\n", &large)), Err(ChartError::TooLarge("values.yaml")));
        let many: Vec<_> = (0..=MOST_ENTRIES).map(|_| ("o/x", tar::EntryType::Regular, "")).collect();
        assert_eq!(images(&archive(&many)), Err(ChartError::TooLarge("the number of its files")));
    }

    #[test]
    fn the_archive_is_the_one_layer_of_its_type() {
        let layer = |media_type: &str, size| Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(media_type.as_bytes()),
            size,
        };
        let artifact = |layers: &[Descriptor]| Artifact {
            digest: Digest::of(b""),
            kind: crate::model::pins::ArtifactKind::Chart,
            media_type: "application/vnd.cncf.helm.config.v1+json".to_owned(),
            children: Vec::new(),
            layers: layers.to_vec(),
        };
        let (content, provenance) = (layer(CONTENT, 1), layer("application/vnd.cncf.helm.chart.provenance.v1.prov", 1));
        assert_eq!(super::archive(&artifact(&[content.clone(), provenance.clone()])), Ok(&content));
        assert_eq!(super::archive(&artifact(&[provenance])), Err(ChartError::NoArchive));
        assert_eq!(super::archive(&artifact(&[content.clone(), content])), Err(ChartError::NoArchive));
        let large = layer(CONTENT, MOST_BYTES + 1);
        assert_eq!(super::archive(&artifact(&[large])), Err(ChartError::TooLarge("the archive")));
    }
}
