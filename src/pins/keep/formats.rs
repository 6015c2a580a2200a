//! Lists of what must be kept, for programs that copy: sorted, and with digests wherever there are any.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    manifest::yaml::scalar,
    model::oci::Reference,
    pins::{
        keep::{Because, Keep, Rank},
        mirror::{at_mirror, at_upstream},
    },
};

/// What is to be copied where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// From, and to. No two lead to the same name.
    pub pairs: BTreeSet<(Reference, Reference)>,
    /// What has no mirror.
    pub unmirrored: BTreeSet<Reference>,
    /// What cannot have its tag at the mirror, and what has it. With a digest it is copied all the same, by that alone.
    pub displaced: BTreeSet<(Reference, Reference)>,
}

/// Where everything is to be copied, by the mirrors of each cluster. A reference that leads to a mirror already is copied
/// from what that is a mirror of. What an index brings along is left out.
///
/// A tag leads to one digest. Where several references would get the same tag of a mirror, the pin has it, then what is named
/// now; with the same right one with a digest.
pub fn copies(keep: &Keep, mirrors: &[&BTreeMap<String, String>]) -> Copies {
    let mut copies = Copies::default();
    let mut sources: BTreeMap<String, BTreeMap<(Reference, Reference), Rank>> = BTreeMap::new();
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
        let rank = reasons.iter().map(Because::rank).min().unwrap_or(Rank::Other);
        for pair in pairs {
            let known = sources.entry(name_at(&pair.1)).or_default().entry(pair).or_insert(rank);
            *known = rank.min(*known);
        }
    }
    for pairs in sources.into_values() {
        let mut pairs: Vec<_> = pairs.into_iter().map(|(pair, rank)| (rank, pair)).collect();
        pairs.sort_by_key(|(rank, (from, _))| (*rank, from.digest.is_none()));
        let mut pairs = pairs.into_iter().map(|(_, pair)| pair);
        let Some(first) = pairs.next() else { continue };
        for (from, to) in pairs.filter(|(from, _)| *from != first.0) {
            if from.digest.is_some() {
                copies.pairs.insert((from.clone(), Reference { tag: None, ..to }));
            }
            copies.displaced.insert((from, first.0.clone()));
        }
        copies.pairs.insert(first);
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

/// The list that `skopeo sync --src yaml` reads: by registry and repository, every tag and every digest. What leads to a
/// mirror is copied from what that is a mirror of.
pub fn skopeo(keep: &Keep, mirrors: &[&BTreeMap<String, String>]) -> String {
    let upstream = |reference: &Reference| {
        let upstream: Vec<_> = mirrors.iter().filter_map(|table| at_upstream(reference, table)).collect();
        if upstream.is_empty() { vec![reference.clone()] } else { upstream }
    };
    let references: BTreeSet<_> = keep.entries.keys().flat_map(upstream).collect();
    let mut registries: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for reference in &references {
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

/// One command on each line. What is copied by its digest comes last: a registry may drop what a tag led to before.
pub fn crane(copies: &Copies) -> String {
    let source = |from: &Reference| match &from.digest {
        Some(digest) => format!("{}@{digest}", from.repository),
        None => name_at(from),
    };
    let mut pairs: Vec<_> = copies.pairs.iter().collect();
    pairs.sort_by_key(|(_, to)| to.tag.is_none());
    pairs.iter().map(|(from, to)| format!("crane copy {} {}\n", source(from), name_at(to))).collect()
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
    use crate::{
        model::{digest::Digest, tree::CommitId},
        pins::references::{File, scan},
    };

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
        assert_snapshot!(skopeo(&keep, &[&mirrors]), @r#"
        docker.io:
          images:
            library/alpine:
            - "3"
        ghcr.io:
          images:
            acme/api:
            - "2"
            acme/tool:
            - "sha256:2222222222222222222222222222222222222222222222222222222222222222"
        quay.io:
          images:
            acme/shop:
            - "1.10"
            - "sha256:1111111111111111111111111111111111111111111111111111111111111111"
            - "sha256:3333333333333333333333333333333333333333333333333333333333333333"
        "#);
        assert_snapshot!(crane(&copies), @"
        crane copy ghcr.io/acme/api:2 registry.example.org/ghcr/acme/api:2
        crane copy quay.io/acme/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111 registry.example.org/quay/acme/shop:1.10
        crane copy ghcr.io/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222 registry.example.org/ghcr/acme/tool@sha256:2222222222222222222222222222222222222222222222222222222222222222
        ");
    }

    #[test]
    fn a_tag_of_a_mirror_has_one_source_and_that_is_the_pin() {
        let digest = |number: &str| format!("sha256:{}", number.repeat(64));
        let pins = format!(
            "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {{name: edge}}\nspec:\n  pins:\n  - {{name: a, reference: \
             quay.io/acme/shop, tag: '1', digest: '{}', candidate: {{tag: '1', digest: '{}'}}}}\n",
            digest("1"),
            digest("9")
        );
        let pod = |image: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
            )
        };
        let scanned = |path: &str, text: &str| scan(&[File { path, text }]).expect("YAML");
        let mut keep = Keep::of(&scanned("clusters/edge/pins.yaml", &pins));
        let commit = CommitId::parse(&"0".repeat(40)).expect("an id");
        keep.add_earlier(&commit, &scanned("a.yaml", &pod(&format!("quay.io/acme/shop:1@{}", digest("5")))));
        keep.add_earlier(&commit, &scanned("a.yaml", &pod("quay.io/acme/shop:1")));
        // The same as the pin, as it is written into manifests.
        keep.add_earlier(&commit, &scanned("a.yaml", &pod(&format!("r.example.org/shop:1@{}", digest("1")))));
        let mirrors = BTreeMap::from([("quay.io/acme".to_owned(), "r.example.org".to_owned())]);
        let copies = copies(&keep, &[&mirrors]);
        assert_snapshot!(crane(&copies), @"
        crane copy quay.io/acme/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111 r.example.org/shop:1
        crane copy quay.io/acme/shop@sha256:5555555555555555555555555555555555555555555555555555555555555555 r.example.org/shop@sha256:5555555555555555555555555555555555555555555555555555555555555555
        crane copy quay.io/acme/shop@sha256:9999999999999999999999999999999999999999999999999999999999999999 r.example.org/shop@sha256:9999999999999999999999999999999999999999999999999999999999999999
        ");
        let targets: Vec<_> =
            regsync(&copies).lines().filter(|line| line.contains("target:")).map(str::to_owned).collect();
        assert_eq!(targets.len(), 3, "{targets:?}");
        assert_eq!(targets.iter().filter(|line| line.ends_with("shop:1\"")).count(), 1, "{targets:?}");
        let pin = format!("quay.io/acme/shop:1@{}", digest("1"));
        let displaced = copies.displaced.iter().map(|(one, by)| (one.to_string(), by.to_string()));
        assert_eq!(
            displaced.collect::<Vec<_>>(),
            [
                ("quay.io/acme/shop:1".to_owned(), pin.clone()),
                (format!("quay.io/acme/shop:1@{}", digest("5")), pin.clone()),
                (format!("quay.io/acme/shop:1@{}", digest("9")), pin),
            ]
        );
    }

    #[test]
    fn a_list_of_nothing_can_be_read_too() {
        let nothing = Keep::default();
        let copies = copies(&nothing, &[]);
        assert_eq!(
            [oci_list(&nothing), regsync(&copies), skopeo(&nothing, &[]), crane(&copies)],
            ["", "version: 1\nsync: []\n", "{}\n", ""]
        );
    }
}
