//! `pins.yaml` written, and read again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{PINS, name, source};
use crate::{
    config::{parse_pins, write_pins},
    model::{
        digest::Digest,
        pins::{Candidate, MediaType, Pin, PinHold, PinName, Pins},
    },
};

fn parse(text: &str) -> Pins {
    parse_pins(&source("pins.yaml", text), &name("edge")).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

/// Writes pins over a former text.
fn over(former: &str, pins: &Pins) -> String {
    write_pins(Some(&source("pins.yaml", former)), pins, &name("edge"))
}

fn chart() -> Pin {
    Pin {
        repository: "ghcr.io/lexfrei/charts/ouroboros".to_owned(),
        tag: "0.8.1".to_owned(),
        digest: Digest::of(b"chart"),
        media_type: MediaType::Chart,
        platforms: Vec::new(),
        first_seen: None,
        signature: None,
        hold: None,
        candidate: None,
    }
}

#[test]
fn a_new_file_is_sorted_and_quotes_what_could_be_something_else() {
    let first_seen: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    let candidate = Candidate {
        tag: "1.36".to_owned(),
        digest: Digest::of(b"candidate"),
        media_type: MediaType::DockerList,
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64/v8".to_owned()],
        first_seen,
    };
    let hook = Pin {
        repository: "mirror.gcr.io/alpine/kubectl".to_owned(),
        digest: Digest::of(b"hook"),
        media_type: MediaType::OciIndex,
        platforms: vec!["linux/amd64".to_owned()],
        first_seen: Some(first_seen),
        signature: Some("ümlaut \"x\"".to_owned()),
        hold: Some(PinHold { reason: "a: #b\n\u{202e}".to_owned(), until: Some(first_seen) }),
        candidate: Some(candidate),
        ..chart()
    };
    let pins = Pins(BTreeMap::from([("ouroboros-chart".to_owned(), chart()), ("cleanup-hook-image".to_owned(), hook)]));
    let text = write_pins(None, &pins, &name("edge"));
    insta::assert_snapshot!(text, @r#"
    # Which bytes every OCI reference means. Written by `bobbypin pin update`; you may read, hold and revert it.
    apiVersion: bobbypin.dev/v1alpha1
    kind: Pins
    metadata:
      name: "edge"
    spec:
      pins:
      - name: cleanup-hook-image
        reference: mirror.gcr.io/alpine/kubectl
        tag: "0.8.1"
        digest: sha256:0648298b48be031996277ae472115a46e7964d2ac3882e61b84351f3c3f8a547
        mediaType: application/vnd.oci.image.index.v1+json
        platforms: [linux/amd64]
        firstSeen: "2026-01-31T12:00:00Z"
        verified:
          signature: "ümlaut \"x\""
        hold:
          reason: "a: #b\u000a\u202e"
          until: "2026-01-31T12:00:00Z"
        candidate:
          tag: "1.36"
          digest: sha256:dda18a0e21ae47c53b4309434cbc02ae8bf764fa83a6defbb719431242722aa7
          mediaType: application/vnd.docker.distribution.manifest.list.v2+json
          platforms: [linux/amd64, linux/arm64/v8]
          firstSeen: "2026-01-31T12:00:00Z"
      - name: ouroboros-chart
        reference: ghcr.io/lexfrei/charts/ouroboros
        tag: "0.8.1"
        digest: sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb
        mediaType: application/vnd.cncf.helm.config.v1+json
    "#);
    assert_eq!(parse(&text), pins);
    assert_eq!(over(&text, &pins), text);
    insta::assert_snapshot!(write_pins(None, &Pins::default(), &name("1e3")), @r#"
    # Which bytes every OCI reference means. Written by `bobbypin pin update`; you may read, hold and revert it.
    apiVersion: bobbypin.dev/v1alpha1
    kind: Pins
    metadata:
      name: "1e3"
    spec:
      pins: []
    "#);
}

/// A file as people leave it.
const COMMENTED: &str = "\
# Ours.

apiVersion: bobbypin.dev/v1alpha1
kind: Pins
metadata: {name: edge}   # the folder
spec:
  pins:
  # not signed upstream
  # (see the wiki)
  - name: ouroboros-chart
    reference: ghcr.io/lexfrei/charts/ouroboros   # not a mirror
    tag: 0.8.1
    digest: sha256:1111111111111111111111111111111111111111111111111111111111111111
    mediaType: application/vnd.cncf.helm.config.v1+json # of its config

  # the other one
  -   name: ouroboros-image
      reference: ghcr.io/lexfrei/ouroboros
      tag: '0.8.1'
      digest: sha256:2222222222222222222222222222222222222222222222222222222222222222
      mediaType: application/vnd.oci.image.index.v1+json
      hold:
        reason: |
          # it does not start
          anywhere
      platforms: [
        linux/amd64,
        linux/arm64
      ]
  # the end
# of the file
";

#[test]
fn only_entries_that_mean_something_else_change() {
    let mut pins = parse(COMMENTED);
    assert_eq!(over(COMMENTED, &pins), COMMENTED);

    pins.0.get_mut("ouroboros-image").unwrap().tag = "0.9.0".to_owned();
    let written = over(COMMENTED, &pins);
    let (before, rest) = COMMENTED.split_once("  -   name").unwrap();
    let (_, after) = rest.split_once("      ]\n").unwrap();
    assert!(written.starts_with(before) && written.ends_with(after), "{written}");
    assert_eq!(parse(&written), pins);

    let mut pins = parse(COMMENTED);
    pins.0.get_mut("ouroboros-chart").unwrap().tag = "0.9.0".to_owned();
    pins.0.insert("cleanup-hook-image".to_owned(), Pin { media_type: MediaType::OciIndex, ..chart() });
    let written = over(COMMENTED, &pins);
    insta::assert_snapshot!(written, @r#"
    # Ours.

    apiVersion: bobbypin.dev/v1alpha1
    kind: Pins
    metadata: {name: edge}   # the folder
    spec:
      pins:
      - name: cleanup-hook-image
        reference: ghcr.io/lexfrei/charts/ouroboros
        tag: "0.8.1"
        digest: sha256:cc57fc1903e444cf6a726490b43b27ee9f87facc037f86872201847c565b45fb
        mediaType: application/vnd.oci.image.index.v1+json
      # not signed upstream
      # (see the wiki)
      - name: ouroboros-chart
        reference: ghcr.io/lexfrei/charts/ouroboros # not a mirror
        tag: "0.9.0"
        digest: sha256:1111111111111111111111111111111111111111111111111111111111111111
        mediaType: application/vnd.cncf.helm.config.v1+json # of its config

      # the other one
      -   name: ouroboros-image
          reference: ghcr.io/lexfrei/ouroboros
          tag: '0.8.1'
          digest: sha256:2222222222222222222222222222222222222222222222222222222222222222
          mediaType: application/vnd.oci.image.index.v1+json
          hold:
            reason: |
              # it does not start
              anywhere
          platforms: [
            linux/amd64,
            linux/arm64
          ]
      # the end
    # of the file
    "#);
    assert_eq!(parse(&written), pins);
    let dos = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(over(&dos(COMMENTED), &parse(COMMENTED)), dos(COMMENTED));
    // The reason of the hold has line ends of its own in a file with others.
    assert_eq!(over(&dos(COMMENTED), &pins), dos(&written));
}

/// Entries with lines of their own, and comments wherever one can stand.
const MIXED: &str = "\
apiVersion: bobbypin.dev/v1alpha1
kind: Pins
metadata: {name: edge}
spec:
  pins:
  # the first
  - {name: ouroboros-chart, reference: ghcr.io/lexfrei/charts/ouroboros, tag: 0.8.1, # inside
     digest: 'sha256:1111111111111111111111111111111111111111111111111111111111111111',
     mediaType: application/vnd.cncf.helm.config.v1+json} # behind
  # the second
  - # on the dash
    # below it
    name: ouroboros-image
    reference: ghcr.io/lexfrei/ouroboros
    tag: '0.8.1' # it's \"the\" tag
    digest: sha256:2222222222222222222222222222222222222222222222222222222222222222
    mediaType: application/vnd.oci.image.index.v1+json
    platforms: # all of them
    - linux/amd64 # the old ones
    hold: # soon over
      reason: | # why
        # no comment
        anywhere # neither
      # until we know
  # the end
";

#[test]
fn the_comments_of_a_changed_entry_stay_with_it() {
    let mut pins = parse(MIXED);
    assert_eq!(over(MIXED, &pins), MIXED);
    pins.0.values_mut().for_each(|pin| pin.tag = "0.9.0".to_owned());
    let written = over(MIXED, &pins);
    insta::assert_snapshot!(written, @r##"
    apiVersion: bobbypin.dev/v1alpha1
    kind: Pins
    metadata: {name: edge}
    spec:
      pins:
      # the first
      # inside
      - name: ouroboros-chart
        reference: ghcr.io/lexfrei/charts/ouroboros
        tag: "0.9.0"
        digest: sha256:1111111111111111111111111111111111111111111111111111111111111111
        mediaType: application/vnd.cncf.helm.config.v1+json # behind
      # the second
      # on the dash
      # below it
      # the old ones
      # why
      - name: ouroboros-image
        reference: ghcr.io/lexfrei/ouroboros
        tag: "0.9.0" # it's "the" tag
        digest: sha256:2222222222222222222222222222222222222222222222222222222222222222
        mediaType: application/vnd.oci.image.index.v1+json
        platforms: [linux/amd64] # all of them
        hold: # soon over
          reason: "# no comment\u000aanywhere # neither\u000a"
          # until we know
      # the end
    "##);
    assert_eq!(parse(&written), pins);
    pins.0.values_mut().for_each(|pin| pin.tag = "0.9.1".to_owned());
    assert_eq!(over(&written, &pins), written.replace("0.9.0", "0.9.1"), "they stay where they are from then on");
}

#[test]
fn what_has_no_lines_of_its_own_is_written_anew_with_every_comment_at_the_head() {
    let former = "# Ours.\n\napiVersion: bobbypin.dev/v1alpha1\nkind: Pins # a ledger\nmetadata: {name: edge}\nspec:\n  # one\n  \
                  pins: [{name: ouroboros-chart, reference: ghcr.io/x/y, tag: 0.8.1, # two\n    digest: \
                  'sha256:1111111111111111111111111111111111111111111111111111111111111111', mediaType: \
                  application/vnd.cncf.helm.config.v1+json}]\n# three\n";
    let pins = Pins(BTreeMap::from([("ouroboros-chart".to_owned(), chart())]));
    let written = over(former, &pins);
    let head = "# Ours.\n\n# a ledger\n# one\n# two\n# three\napiVersion: bobbypin.dev/v1alpha1\nkind: Pins\n";
    assert!(written.starts_with(head), "{written}");
    assert_eq!(written.matches('#').count(), 5);
    assert_eq!(parse(&written), pins);
}

#[test]
fn a_file_in_another_style_keeps_the_comment_at_its_head() {
    let flow = "# Ours.\n\n# And yours.\n{\"apiVersion\": \"bobbypin.dev/v1alpha1\", \"kind\": \"Pins\", \"metadata\": {\"name\": \"edge\"}, \"spec\": {\"pins\": []}}\n";
    let pins = Pins(BTreeMap::from([("ouroboros-chart".to_owned(), chart())]));
    let written = over(flow, &pins);
    assert!(written.starts_with("# Ours.\n\n# And yours.\napiVersion: "), "{written}");
    assert_eq!(parse(&written), pins);
    let empty = "apiVersion: bobbypin.dev/v1alpha1\nkind: Pins\nmetadata:\n  name: \"edge\"\nspec:\n  pins: []\n";
    assert_eq!(parse(&over(empty, &pins)), pins);
    assert_eq!(over(&written, &Pins::default()), format!("# Ours.\n\n# And yours.\n{empty}"));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "\\PC{1,6}", any::<String>()]
        .prop_filter("words", |text| !text.trim().is_empty() && !crate::config::secret::find_in(text))
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_i64).prop_map(|second| Timestamp::from_second(second).expect("within a century"))
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|seed| Digest::of(&seed.to_le_bytes()))
}

fn platforms() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("(linux|windows)/(amd64|arm64|arm)(/v[678])?", 0..3)
}

fn entry() -> impl Strategy<Value = (String, Pin)> {
    let name = prop_oneof![Just(PinName::Chart), Just(PinName::Image), Just(PinName::CleanupHook)]
        .prop_map(|name| name.as_str().to_owned());
    let name = prop_oneof![name, "[a-z0-9]{1,4}", Just("on".to_owned()), Just("1e3".to_owned())];
    let repository = "[a-z]{1,3}\\.[a-z]{1,3}(:[1-9][0-9]{0,3})?/[a-z0-9]{1,4}(-[a-z0-9]{1,3})?";
    let tag = || prop_oneof!["[A-Za-z0-9_][A-Za-z0-9._-]{0,8}", "[0-9]\\.[0-9]", Just("null".to_owned())];
    let what = (name, repository, tag(), digest(), any::<bool>(), platforms());
    let hold = prop::option::of((text(), prop::option::of(time())));
    let candidate = prop::option::of((tag(), digest(), platforms(), time()));
    (what, prop::option::of(time()), prop::option::of(text()), hold, candidate).prop_map(
        |((name, repository, tag, digest, docker, platforms), first_seen, signature, hold, candidate)| {
            let index = if docker { MediaType::DockerList } else { MediaType::OciIndex };
            let media_type = if name == PinName::Chart.as_str() { MediaType::Chart } else { index };
            let hold = hold.map(|(reason, until)| PinHold { reason, until });
            let candidate = candidate.map(|(tag, digest, platforms, first_seen)| Candidate {
                tag,
                digest,
                media_type,
                platforms,
                first_seen,
            });
            (name, Pin { repository, tag, digest, media_type, platforms, first_seen, signature, hold, candidate })
        },
    )
}

fn pins() -> impl Strategy<Value = Pins> {
    prop::collection::vec(entry(), 0..5).prop_map(|entries| Pins(entries.into_iter().collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn what_is_written_is_what_is_read_again(first in pins(), then in pins()) {
        let text = write_pins(None, &first, &name("edge"));
        prop_assert_eq!(&parse(&text), &first);
        for former in [&text, &text.replace('\n', "\r\n"), COMMENTED, MIXED, PINS] {
            let written = over(former, &then);
            prop_assert_eq!(&parse(&written), &then);
            prop_assert_eq!(&over(&written, &then), &written);
        }
    }
}
