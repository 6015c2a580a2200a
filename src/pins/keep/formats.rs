//! Lists of what must be kept, for programs that copy: sorted, and with digests wherever there are any.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    manifest::yaml::scalar,
    model::oci::Reference,
    pins::{
        keep::{Because, Keep},
        mirror::{at_mirror, at_upstream},
    },
};

/// What is to be copied where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// From, and to.
    pub pairs: BTreeSet<(Reference, Reference)>,
    /// What has no mirror.
    pub unmirrored: BTreeSet<Reference>,
}

/// Where everything is to be copied, by the mirrors of each cluster. A reference that leads to a mirror already is copied
/// from what that is a mirror of. What an index brings along is left out.
pub fn copies(keep: &Keep, mirrors: &[&BTreeMap<String, String>]) -> Copies {
    let mut copies = Copies::default();
    for (reference, reasons) in &keep.entries {
        if reasons.iter().all(|because| matches!(because, Because::Child { .. })) {
            continue;
        }
        let to_mirrors = mirrors.iter().filter_map(|table| Some((reference.clone(), at_mirror(reference, table)?)));
        let from_upstream =
            mirrors.iter().filter_map(|table| Some((at_upstream(reference, table)?, reference.clone())));
        let pairs: Vec<_> = to_mirrors.chain(from_upstream).collect();
        if pairs.is_empty() {
            copies.unmirrored.insert(reference.clone());
        }
        copies.pairs.extend(pairs);
    }
    copies
}

/// One reference on each line, with tag and digest.
pub fn oci_list(keep: &Keep) -> String {
    keep.entries.keys().map(|reference| format!("{reference}\n")).collect()
}

/// Configuration of `regsync`: every copy by itself, so that no tag is copied that nobody asked for.
pub fn regsync(copies: &Copies) -> String {
    let mut text = "version: 1\nsync:".to_owned();
    if copies.pairs.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for (from, to) in &copies.pairs {
        let (source, target) = (scalar(&from.to_string()), scalar(&name_at(to)));
        // Without these two, signatures stay behind.
        text +=
            &format!("- source: {source}\n  target: {target}\n  type: image\n  digestTags: true\n  referrers: true\n");
    }
    text
}

/// The list that `skopeo sync --src yaml` reads: by registry and repository, every tag and every digest.
pub fn skopeo(keep: &Keep) -> String {
    let mut registries: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for reference in keep.entries.keys() {
        let repositories = registries.entry(reference.repository.registry()).or_default();
        let versions = repositories.entry(reference.repository.path()).or_default();
        versions.extend(reference.tag.as_deref());
        versions.extend(reference.digest.as_deref());
    }
    let mut text = String::new();
    for (registry, repositories) in registries {
        text += &format!("{}:\n  images:\n", scalar(registry));
        for (path, versions) in repositories {
            text += &format!("    {}:\n", scalar(path));
            versions.iter().for_each(|version| text += &format!("    - {}\n", scalar(version)));
        }
    }
    if text.is_empty() { "{}\n".to_owned() } else { text }
}

/// One command on each line.
pub fn crane(copies: &Copies) -> String {
    let source = |from: &Reference| match &from.digest {
        Some(digest) => format!("{}@{digest}", from.repository),
        None => name_at(from),
    };
    copies.pairs.iter().map(|(from, to)| format!("crane copy {} {}\n", source(from), name_at(to))).collect()
}

/// The name under which a registry is to have it: its tag, or its digest when there is no tag.
fn name_at(reference: &Reference) -> String {
    match (&reference.tag, &reference.digest) {
        (Some(tag), _) => format!("{}:{tag}", reference.repository),
        (None, Some(digest)) => format!("{}@{digest}", reference.repository),
        (None, None) => reference.repository.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::model::digest::Digest;

    fn keep() -> Keep {
        let one = |text: &str| Reference::parse(text).expect("a literal that parses");
        let of = Digest::parse(&format!("sha256:{}", "1".repeat(64))).expect("a digest");
        let mut keep = Keep::default();
        let refers = Because::Refers { to: of.clone() };
        keep.add(one(&format!("quay.io/acme/shop:1.10@{of}")), refers.clone());
        keep.add(one("alpine:3"), refers.clone());
        keep.add(one("registry.example.org/ghcr/acme/api:2"), refers.clone());
        keep.add(one(&format!("ghcr.io/acme/tool@sha256:{}", "2".repeat(64))), refers);
        keep.add(one(&format!("quay.io/acme/shop@sha256:{}", "3".repeat(64))), Because::Child { of, platform: None });
        keep
    }

    fn mirrors() -> BTreeMap<String, String> {
        [("quay.io", "registry.example.org/quay"), ("ghcr.io", "registry.example.org/ghcr")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into()
    }

    #[test]
    fn every_list_is_sorted_and_has_the_digests() {
        let (keep, mirrors) = (keep(), mirrors());
        let copies = copies(&keep, &[&mirrors, &mirrors]);
        assert_eq!(
            copies.unmirrored.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["docker.io/library/alpine:3"]
        );
        assert_snapshot!(oci_list(&keep), @"
        docker.io/library/alpine:3
        ghcr.io/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222
        quay.io/acme/shop@sha256:3333333333333333333333333333333333333333333333333333333333333333
        quay.io/acme/shop:1.10@sha256:1111111111111111111111111111111111111111111111111111111111111111
        registry.example.org/ghcr/acme/api:2
        ");
        assert_snapshot!(regsync(&copies), @r#"
        version: 1
        sync:
        - source: "ghcr.io/acme/api:2"
          target: "registry.example.org/ghcr/acme/api:2"
          type: image
          digestTags: true
          referrers: true
        - source: "ghcr.io/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222"
          target: "registry.example.org/ghcr/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222"
          type: image
          digestTags: true
          referrers: true
        - source: "quay.io/acme/shop:1.10@sha256:1111111111111111111111111111111111111111111111111111111111111111"
          target: "registry.example.org/quay/acme/shop:1.10"
          type: image
          digestTags: true
          referrers: true
        "#);
        assert_snapshot!(skopeo(&keep), @r#"
        docker.io:
          images:
            library/alpine:
            - "3"
        ghcr.io:
          images:
            acme/tool:
            - "sha256:2222222222222222222222222222222222222222222222222222222222222222"
        quay.io:
          images:
            acme/shop:
            - "1.10"
            - "sha256:1111111111111111111111111111111111111111111111111111111111111111"
            - "sha256:3333333333333333333333333333333333333333333333333333333333333333"
        registry.example.org:
          images:
            ghcr/acme/api:
            - "2"
        "#);
        assert_snapshot!(crane(&copies), @"
        crane copy ghcr.io/acme/api:2 registry.example.org/ghcr/acme/api:2
        crane copy ghcr.io/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222 registry.example.org/ghcr/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222
        crane copy quay.io/acme/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111 registry.example.org/quay/acme/shop:1.10
        ");
    }

    #[test]
    fn a_list_of_nothing_can_be_read_too() {
        let nothing = Keep::default();
        let copies = copies(&nothing, &[]);
        assert_eq!(
            [oci_list(&nothing), regsync(&copies), skopeo(&nothing), crane(&copies)],
            ["", "version: 1\nsync: []\n", "{}\n", ""]
        );
    }
}
