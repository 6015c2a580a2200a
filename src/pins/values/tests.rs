use proptest::prelude::*;

use super::*;
use crate::{
    config::{parse_pins, problem::Source},
    model::{digest::Digest, name::Name},
};

fn digest() -> Digest {
    Digest::of(b"an index")
}

fn pins() -> Pins {
    let pins = [
        ("proxy", "ghcr.io/acme/proxy", "0.8.1"),
        ("number", "ghcr.io/acme/number", "1.10"),
        ("official", "docker.io/library/alpine", "3.22"),
        ("with-port", "registry.example.org:5000/acme/port", "2024-01-01"),
        ("one", "ghcr.io/acme/twice", "1"),
        ("other", "ghcr.io/acme/twice", "2"),
    ];
    let entry = |(name, repository, tag)| {
        let media_type = "application/vnd.oci.image.index.v1+json";
        format!(
            "  - {{name: {name}, reference: \"{repository}\", tag: \"{tag}\", digest: \"{}\", mediaType: {media_type}}}\n",
            digest()
        )
    };
    let head = "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata: {name: edge}\nspec:\n  pins:\n";
    let text = format!("{head}{}", pins.map(entry).concat());
    let source = Source { path: "pins.yaml".to_owned(), bytes: text.into_bytes().into() };
    parse_pins(&source, &Name::parse("edge").expect("a name")).expect("lawful pins")
}

fn edited(text: &str) -> Result<String, Vec<(usize, usize, String)>> {
    match with_pins("values.yaml", text, &pins()) {
        Ok(edited) => Ok(edited.text),
        Err(EditError::Problems(problems)) => {
            Err(problems.into_iter().map(|problem| (problem.line, problem.column, problem.message)).collect())
        }
        Err(error @ EditError::NotTheSame { .. }) => panic!("{error}"),
    }
}

#[test]
fn a_pin_gets_its_place_and_everything_else_stays() {
    let digest = digest();
    let table = [
        ("image: ghcr.io/acme/proxy:0.8.0 # why", format!("image: ghcr.io/acme/proxy:0.8.1@{digest} # why")),
        ("image: 'ghcr.io/acme/proxy:0.8.0@sha256:{old}'", format!("image: 'ghcr.io/acme/proxy:0.8.1@{digest}'")),
        ("image: \"ghcr.io/acme/proxy@sha256:{old}\"", format!("image: \"ghcr.io/acme/proxy:0.8.1@{digest}\"")),
        ("image: alpine:3", format!("image: alpine:3.22@{digest}")),
        ("image: docker.io/alpine:3", format!("image: docker.io/alpine:3.22@{digest}")),
        (
            "image: registry.example.org:5000/acme/port:1",
            format!("image: registry.example.org:5000/acme/port:2024-01-01@{digest}"),
        ),
        (
            "spec: {image: {repository: ghcr.io/acme/proxy, tag: 0.8.0}}",
            format!("spec: {{image: {{repository: ghcr.io/acme/proxy, tag: \"0.8.1@{digest}\"}}}}"),
        ),
        (
            "a:\n  repository: ghcr.io/acme/proxy\n  tag: 0.8.0 # {\"$imagepolicy\": \"web:proxy:tag\"}\n  b: 1\n",
            format!(
                "a:\n  repository: ghcr.io/acme/proxy\n  tag: 0.8.1@{digest} # {{\"$imagepolicy\": \"web:proxy:tag\"}}\n  b: 1\n"
            ),
        ),
        (
            "a:\n  digest: \"\" # {\"$imagepolicy\": \"web:proxy:digest\"}\n  tag: x\n  repository: acme/number\n  registry: ghcr.io\n",
            format!(
                "a:\n  digest: \"{digest}\" # {{\"$imagepolicy\": \"web:proxy:digest\"}}\n  tag: \"1.10\"\n  repository: acme/number\n  registry: ghcr.io\n"
            ),
        ),
        (
            "a: {repository: registry.example.org:5000/acme/port, tag: '', digest: ''}",
            format!("a: {{repository: registry.example.org:5000/acme/port, tag: '2024-01-01', digest: '{digest}'}}"),
        ),
        // A number that was meant to be a text is made one.
        (
            "a:\n  repository: ghcr.io/acme/number\n  tag: 1.10\n  digest: ~\n",
            format!("a:\n  repository: ghcr.io/acme/number\n  tag: \"1.10\"\n  digest: {digest}\n"),
        ),
        (
            "a:\n  image: ghcr.io/acme/proxy\n  tag: \"1\"\n",
            format!("a:\n  image: ghcr.io/acme/proxy\n  tag: \"0.8.1@{digest}\"\n"),
        ),
        (
            "---\nüber: 1\nimage: ghcr.io/acme/proxy:1\n---\n# two\nx: [{image: ghcr.io/acme/proxy:2}]\n",
            format!(
                "---\nüber: 1\nimage: ghcr.io/acme/proxy:0.8.1@{digest}\n---\n# two\nx: [{{image: \"ghcr.io/acme/proxy:0.8.1@{digest}\"}}]\n"
            ),
        ),
    ];
    let old = "0".repeat(64);
    for (before, after) in table {
        let before = before.replace("{old}", &old);
        assert_eq!(edited(&before).as_deref(), Ok(after.as_str()), "{before}");
        assert_eq!(edited(&after).as_deref(), Ok(after.as_str()), "a second edit changes nothing");
        let dos = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(edited(&dos(&before)), Ok(dos(&after)), "{before}");
    }
}

#[test]
fn what_has_another_repository_or_no_place_for_a_tag_is_left_alone() {
    for text in [
        "image: ghcr.io/acme/other:1",
        "image: quay.io/acme/proxy:1",
        "image: ghcr.io/acme/proxy",
        "image: {repository: ghcr.io/acme/proxy}",
        "image: {registry: quay.io, repository: ghcr.io/acme/proxy, tag: '1'}",
        "text: ghcr.io/acme/proxy:1",
        "image: \"ghcr.io/acme/proxy:{{ .Values.tag }}\"",
        "anchors: [&a x, *a]\nimage: ghcr.io/acme/other:1",
        "",
        "# nothing\n",
    ] {
        let edited = with_pins("values.yaml", text, &pins()).unwrap();
        assert_eq!((edited.text.as_str(), edited.changes), (text, Vec::new()));
    }
}

#[test]
fn what_cannot_be_changed_safely_is_refused_with_its_place() {
    let shared = "a pin belongs here, and other places have this value by an anchor";
    let table = [
        ("a: &i ghcr.io/acme/proxy:1\nimage: *i\n", 2, 8, shared),
        ("a: &i {repository: ghcr.io/acme/proxy, tag: '1'}\n", 1, 45, shared),
        ("a: &i {repository: ghcr.io/acme/proxy, tag: '1'}\nb: {<<: *i, x: y}\n", 1, 45, shared),
        ("image: |-\n  ghcr.io/acme/proxy:1", 2, 3, "a pin belongs here, in the place of a text of several lines"),
        ("a:\n  repository: ghcr.io/acme/proxy\n  tag:\n", 3, 6, "a pin belongs here, where nothing stands"),
        (
            "a: {repository: ghcr.io/acme/proxy, tag: [x]}",
            1,
            42,
            "a list or a mapping stands where a tag or digest belongs",
        ),
        ("image: ghcr.io/acme/twice:1\n", 1, 8, "pins.yaml has 2 different pins of ghcr.io/acme/twice"),
    ];
    for (text, line, column, message) in table {
        assert_eq!(edited(text), Err(vec![(line, column, message.to_owned())]), "{text}");
    }
    assert_eq!(edited("a: [").unwrap_err().len(), 1);
}

#[test]
fn every_change_is_told_with_its_place() {
    let changes = with_pins("v.yaml", "a:\n  image: ghcr.io/acme/proxy:1\n", &pins()).unwrap().changes;
    let new = format!("ghcr.io/acme/proxy:0.8.1@{}", digest());
    assert_eq!(changes, [ValueChange { line: 2, column: 10, old: "ghcr.io/acme/proxy:1".to_owned(), new }]);
}

/// Files with places for pins among other things, in every style.
fn file() -> impl Strategy<Value = String> {
    let tag =
        prop_oneof!["[a-z][a-z0-9]{0,4}", "[0-9]\\.[0-9]{1,2}", "0\\.8\\.1", Just(format!("1@{}", Digest::of(b"old")))];
    let quote = prop_oneof![Just(""), Just("'"), Just("\"")];
    let name = prop_oneof![Just("ghcr.io/acme/proxy"), Just("ghcr.io/acme/number"), Just("ghcr.io/acme/other")];
    let place =
        (name, tag, quote, 0_u8..5, "[ ]{1,2}# [a-zü:\"{} -]{0,8}").prop_map(|(name, tag, quote, form, comment)| {
            let q = |text: &str| format!("{quote}{text}{quote}");
            match form {
                0 => format!("image: {}{comment}", q(&format!("{name}:{tag}"))),
                1 => format!("repository: {name}\n  tag: {}{comment}", q(&tag)),
                2 => format!(
                    "tag: {}{comment}\n  repository: {}\n  digest: {}",
                    q(&tag),
                    q(name),
                    if quote.is_empty() { "~".to_owned() } else { q("") }
                ),
                3 => format!(
                    "flow: {{repository: {name}, tag: {}, x: [1, {{}}]}}{comment}",
                    if tag.contains(':') { format!("'{tag}'") } else { q(&tag) }
                ),
                _ => format!("other: {}{comment}", q(name)),
            }
        });
    proptest::collection::vec(place, 0..6)
        .prop_map(|places| places.iter().enumerate().map(|(at, place)| format!("k{at}:\n  {place}\n")).collect())
}

proptest! {
    #[test]
    fn nothing_but_tags_and_digests_of_pins_changes_and_a_second_time_nothing_at_all(text in file(), dos in any::<bool>()) {
        let text = if dos { text.replace('\n', "\r\n") } else { text };
        let once = with_pins("v.yaml", &text, &pins()).unwrap();
        let again = with_pins("v.yaml", &once.text, &pins()).unwrap();
        prop_assert_eq!((&again.text, again.changes), (&once.text, Vec::new()));
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let (before, after) = (lines(&text), lines(&once.text));
        prop_assert_eq!(before.len(), after.len());
        for (number, (old, new)) in (1..).zip(before.iter().zip(&after)) {
            let changes: Vec<_> = once.changes.iter().filter(|change| change.line == number).collect();
            if changes.is_empty() {
                prop_assert_eq!(old, new);
            }
            for change in changes {
                // What follows the value, comments and markers among it, is the same.
                prop_assert_eq!(old.rsplit_once('#').map(|(_, end)| end), new.rsplit_once('#').map(|(_, end)| end));
                prop_assert!(new.contains(&change.new) && old.contains(&change.old), "{} {}", old, new);
            }
        }
        // Another reader takes every tag for the text that was written.
        let values: serde_json::Value = crate::config::kubernetes::read_values(&once.text).unwrap().into_iter().next().unwrap_or_default();
        for place in values.as_object().into_iter().flat_map(serde_json::Map::values) {
            let place = place.get("flow").unwrap_or(place);
            let wanted = match place.get("repository").and_then(serde_json::Value::as_str) {
                Some("ghcr.io/acme/proxy") => "0.8.1",
                Some("ghcr.io/acme/number") => "1.10",
                _ => continue,
            };
            let wanted = match place.get("digest") {
                Some(_) => wanted.to_owned(),
                None => format!("{wanted}@{}", digest()),
            };
            prop_assert_eq!(place.get("tag").and_then(serde_json::Value::as_str), Some(wanted.as_str()));
        }
    }
}
