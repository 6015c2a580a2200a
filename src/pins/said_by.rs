//! Which chart says what an image is to be.

use crate::model::{
    digest::Digest,
    pins::{Pin, PinName, Pins},
};

/// Who says which image a pin leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidBy<'a> {
    /// Its entry of `pins.yaml`.
    Entry(&'a Pin),
    /// The chart of this digest.
    Chart {
        /// Where that is.
        repository: &'a str,
        /// Its digest.
        digest: &'a Digest,
    },
    /// A chart that is not known.
    Nobody,
}

/// The chart that is wanted, and what was found of it.
#[derive(Clone, Copy, Debug)]
pub struct WantedChart<'a> {
    /// The repository, after `cluster.yaml`.
    pub repository: &'a str,
    /// The version, after `cluster.yaml`.
    pub tag: &'a str,
    /// What that leads to, when it was read in this run and is a chart.
    pub seen: Option<&'a Digest>,
    /// Whether a person wants a moved tag to be followed.
    pub is_accepted: bool,
}

/// Who says what an image is to be. A chart that is not followed says nothing: what is missing beside a pinned chart
/// belongs to that one, whatever its tag leads to meanwhile.
pub fn said_by<'a>(pins: &'a Pins, name: PinName, wanted: WantedChart<'a>) -> SaidBy<'a> {
    let WantedChart { repository, tag: _, seen, is_accepted } = wanted;
    match (pins.get(PinName::Chart), seen, pins.get(name)) {
        (None, Some(digest), _) => SaidBy::Chart { repository, digest },
        (Some(chart), Some(digest), Some(_)) if chart.digest != *digest && (is_accepted || !is_of(chart, wanted)) => {
            SaidBy::Chart { repository, digest }
        }
        (_, _, Some(pin)) => SaidBy::Entry(pin),
        (Some(chart), _, None) => SaidBy::Chart { repository: &chart.repository, digest: &chart.digest },
        (None, None, None) => SaidBy::Nobody,
    }
}

/// Whether a pin has the repository and the tag that are wanted.
fn is_of(chart: &Pin, wanted: WantedChart<'_>) -> bool {
    (chart.repository.as_str(), chart.tag.as_str()) == (wanted.repository, wanted.tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pins::MediaType;

    #[test]
    fn a_missing_image_is_that_of_the_pinned_chart_and_only_what_is_there_follows_another() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let pin = Pin {
            repository: "r.example.org/a".to_owned(),
            tag: "1".to_owned(),
            digest: one.clone(),
            media_type: MediaType::Chart,
            platforms: Vec::new(),
            first_seen: None,
            signature: None,
            hold: None,
            candidate: None,
        };
        let pins = |names: &[PinName]| Pins(names.iter().map(|name| (name.as_str().to_owned(), pin.clone())).collect());
        let (chart, image) = (PinName::Chart, PinName::Image);
        // What is pinned; the tag that is wanted, the chart that it leads to, and whether a moved tag is accepted.
        for (names, tag, seen, is_accepted, expected) in [
            (&[][..], "1", None, false, "nobody"),
            (&[], "1", Some(&two), false, "the seen one"),
            (&[image], "1", None, false, "itself"),
            (&[image], "1", Some(&two), false, "the seen one"),
            (&[chart], "1", None, false, "the pinned one"),
            (&[chart], "1", Some(&two), true, "the pinned one"),
            (&[chart], "2", Some(&two), false, "the pinned one"),
            (&[chart, image], "1", Some(&two), false, "itself"),
            (&[chart, image], "1", Some(&two), true, "the seen one"),
            (&[chart, image], "2", Some(&two), false, "the seen one"),
            (&[chart, image], "2", Some(&one), false, "itself"),
        ] {
            let wanted = WantedChart { repository: "r.example.org/a", tag, seen, is_accepted };
            let found = match said_by(&pins(names), image, wanted) {
                SaidBy::Entry(_) => "itself",
                SaidBy::Chart { digest, .. } if *digest == one => "the pinned one",
                SaidBy::Chart { .. } => "the seen one",
                SaidBy::Nobody => "nobody",
            };
            assert_eq!(found, expected, "{names:?}, {tag}, {seen:?}, {is_accepted}");
        }
    }
}
