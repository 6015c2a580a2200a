//! The mark by which Flux knows the pull request that a release came with.

use serde_json::{Value, json};

use crate::model::tree::CommitId;

/// The pull request that brought the newest changes of a cluster.
///
/// It stands at the end of the cluster's list of layers, as a patch that gives every HelmRelease two annotations. Flux
/// repeats them in its events, and its Provider `giteapullrequestcomment` comments on the pull request of that number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The number of the pull request.
    pub change_request: u64,
    /// The commit with the changes, the first one of the pull request.
    pub commit: CommitId,
}

const START: &str = "patches:\n- target: {group: helm.toolkit.fluxcd.io, kind: HelmRelease}\n  patch: |\n";
const NUMBER: &str = "event.toolkit.fluxcd.io/change_request: ";
const COMMIT: &str = "event.toolkit.fluxcd.io/commit: ";

impl Stamp {
    /// Reads the stamp of a list of layers. Anything but the very text that [`Stamp::put_into`] writes is none.
    pub fn read(list: &str) -> Option<Self> {
        let (_, block) = list.split_at(list.rfind(START).filter(|at| *at == 0 || list[..*at].ends_with('\n'))?);
        let quoted = |key: &str| block.split_once(key)?.1.strip_prefix('"')?.split_once('"').map(|(text, _)| text);
        let stamp = Self { change_request: quoted(NUMBER)?.parse().ok()?, commit: CommitId::parse(quoted(COMMIT)?)? };
        (stamp.block() == block).then_some(stamp)
    }

    /// A list of layers with this stamp in the place of the one that it has, if any.
    #[must_use]
    pub fn put_into(&self, list: &str) -> String {
        let before = Self::read(list).and_then(|stamp| list.strip_suffix(&*stamp.block())).unwrap_or(list);
        let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        format!("{before}{end}{}", self.block())
    }

    /// What stands below `patches` in a list with this stamp.
    pub fn patches(&self) -> Value {
        let target = json!({"group": "helm.toolkit.fluxcd.io", "kind": "HelmRelease"});
        json!([{"target": target, "patch": self.patch()}])
    }

    fn block(&self) -> String {
        let lines: String = self.patch().lines().map(|line| format!("    {line}\n")).collect();
        format!("{START}{lines}")
    }

    /// The name is not looked at: the target says which objects are meant. The values are quoted, because a commit may
    /// have nothing but decimal digits.
    fn patch(&self) -> String {
        let Self { change_request, commit } = self;
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: any\n  annotations:\n    \
             {NUMBER}\"{change_request}\"\n    {COMMIT}\"{commit}\"\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "kind: Kustomization\nresources:\n- host\n";

    fn stamp(change_request: u64, digit: &str) -> Stamp {
        Stamp { change_request, commit: CommitId::parse(&digit.repeat(40)).expect("40 hex digits") }
    }

    #[test]
    fn a_stamp_stands_at_the_end_is_read_again_and_makes_room_for_the_next_one() {
        let stamped = stamp(12, "1").put_into(LIST);
        insta::assert_snapshot!(stamped, @r#"
        kind: Kustomization
        resources:
        - host
        patches:
        - target: {group: helm.toolkit.fluxcd.io, kind: HelmRelease}
          patch: |
            apiVersion: helm.toolkit.fluxcd.io/v2
            kind: HelmRelease
            metadata:
              name: any
              annotations:
                event.toolkit.fluxcd.io/change_request: "12"
                event.toolkit.fluxcd.io/commit: "1111111111111111111111111111111111111111"
        "#);
        assert_eq!(Stamp::read(&stamped), Some(stamp(12, "1")));
        assert_eq!(stamp(13, "a").put_into(&stamped), stamp(13, "a").put_into(LIST));
        assert_eq!(stamp(12, "1").put_into(LIST.trim_end()), stamped);
    }

    #[test]
    fn what_was_not_written_exactly_so_is_no_stamp() {
        let stamped = stamp(12, "1").put_into(LIST);
        assert_eq!(Stamp::read(LIST), None);
        for other in [
            format!("{stamped}\n"),
            format!("{stamped}- path: more.yaml\n"),
            stamped.replace("\"12\"", "\"012\""),
            stamped.replace("\"12\"", "\"+12\""),
            stamped.replace("\"12\"", "12"),
            stamped.replace("1111\"", "\""),
            stamped.replace("name: any", "name: shop"),
            stamped.replace("patches:", "  patches:"),
            stamped.replace('\n', "\r\n"),
        ] {
            assert_eq!(Stamp::read(&other), None, "{other}");
        }
    }
}
