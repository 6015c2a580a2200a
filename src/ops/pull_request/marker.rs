//! The first line of a pull request's text: it is not shown, and says what this program has to know again.

use serde::Deserialize;
use serde_json::json;

use crate::model::{digest::Digest, repository::MergeStyle, tree::CommitId};

/// What a pull request says to this program. It is trusted as far as who can edit the pull request is: it says which
/// changes were closed, never what may be overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The changes that it brings.
    pub changes: Digest,
    /// The commit that it brings.
    pub head: CommitId,
    /// What this program has made of it, or was about to.
    pub state: MarkerState,
    /// How the server was told to merge it; `None`: it was not.
    pub merge: Option<MergeStyle>,
}

/// What this program has made of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerState {
    /// It is to be merged by people.
    Open,
    /// It had nothing more to bring.
    Closed,
    /// It was one too many: servers make several for one branch when they are asked at the same time.
    Surplus,
}

impl MarkerState {
    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Surplus => "surplus",
        }
    }
}

const START: &str = "<!-- bobbypin:pull-request ";
const END: &str = " -->";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    state: String,
    changes: String,
    head: String,
    #[serde(default)]
    merge: Option<String>,
}

impl Marker {
    /// The line, without its end. Nothing in it comes from elsewhere.
    pub fn line(&self) -> String {
        let mut text = json!({"state": self.state.word(), "changes": self.changes, "head": self.head});
        if let Some(merge) = self.merge {
            text["merge"] = merge.to_string().into();
        }
        format!("{START}{text}{END}")
    }

    /// Reads the first line of a text; `None` when it is no such line, or not as this program writes it.
    pub fn read(body: &str) -> Option<Self> {
        let line = body.lines().next()?.trim_end();
        let text: Text = serde_json::from_str(line.strip_prefix(START)?.strip_suffix(END)?).ok()?;
        Some(Self {
            changes: Digest::parse(&text.changes).ok()?,
            head: CommitId::parse(&text.head)?,
            state: STATES.into_iter().find(|state| state.word() == text.state)?,
            merge: match &text.merge {
                None => None,
                Some(word) => Some(STYLES.into_iter().find(|style| style.to_string() == *word)?),
            },
        })
    }

    /// A text with this marker in the place of its own.
    pub fn put_into(&self, body: &str) -> String {
        let rest = match Self::read(body) {
            Some(_) => body.split_once('\n').map_or("", |(_, rest)| rest),
            None => body,
        };
        format!("{}\n{rest}", self.line())
    }
}

const STATES: [MarkerState; 3] = [MarkerState::Open, MarkerState::Closed, MarkerState::Surplus];

const STYLES: [MergeStyle; 4] =
    [MergeStyle::Merge, MergeStyle::Rebase, MergeStyle::Squash, MergeStyle::FastForwardOnly];

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(state: MarkerState, merge: Option<MergeStyle>) -> Marker {
        let head = CommitId::parse(&"a".repeat(40)).expect("40 hex digits");
        Marker { changes: Digest::of(b""), head, state, merge }
    }

    #[test]
    fn what_was_written_is_read_again() {
        for state in STATES {
            for merge in STYLES.into_iter().map(Some).chain([None]) {
                let marker = marker(state, merge);
                assert_eq!(Marker::read(&marker.line()), Some(marker.clone()));
                // Browsers send other line ends.
                assert_eq!(Marker::read(&format!("{}\r\nmore", marker.line())), Some(marker));
            }
        }
        insta::assert_snapshot!(marker(MarkerState::Closed, Some(MergeStyle::Squash)).line(), @r#"<!-- bobbypin:pull-request {"state":"closed","changes":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","head":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","merge":"squash"} -->"#);
    }

    #[test]
    fn only_the_first_line_and_only_as_a_whole_is_a_marker() {
        let line = marker(MarkerState::Open, None).line();
        for text in [
            "",
            "fix",
            &format!("\n{line}"),
            &format!(" {line}"),
            &format!("{line} more"),
            &line.replace("open", "ajar"),
            &line.replace("aaaa", "zzzz"),
            &line.replace("sha256", "sha1"),
            &line.replace("\"state\"", "\"more\":1,\"state\""),
            &line.replace("}", ",\"merge\":\"octopus\"}"),
        ] {
            assert_eq!(Marker::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_marker_takes_the_place_of_the_one_before_it_and_of_nothing_else() {
        let (open, closed) = (marker(MarkerState::Open, None), marker(MarkerState::Closed, None));
        let text = format!("{}\n### one\ntwo\n", open.line());
        assert_eq!(closed.put_into(&text), format!("{}\n### one\ntwo\n", closed.line()));
        assert_eq!(closed.put_into("by hand\nmore"), format!("{}\nby hand\nmore", closed.line()));
        assert_eq!(closed.put_into(&open.line()), format!("{}\n", closed.line()));
    }
}
