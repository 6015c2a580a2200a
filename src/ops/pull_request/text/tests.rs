use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    diff::FileChange,
    model::{
        finding::Finding, layer::Layer, name::Name, observed::Unknown, repository::Author, state::State, tree::RepoPath,
    },
    ops::pull_request::marker::MarkerState,
    plan::{LayerPlan, Reason},
};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a literal that parses")
}

fn commit(digit: &str) -> CommitId {
    CommitId::parse(&digit.repeat(40)).expect("40 hex digits")
}

fn changes(cluster: &str, files: usize) -> ChangeSet {
    let file = |number| {
        let path = RepoPath::parse(&format!("clusters/{cluster}/manifests/{number}.yaml")).expect("a lawful path");
        FileChange::plain(path, name(cluster), None, Some(Arc::from(&b"a: 1\n"[..])))
    };
    ChangeSet { base: Some(commit("b")), files: (0..files).map(file).collect(), ..ChangeSet::default() }
}

/// A run that everything is wrong with, all of it said with one foreign text.
struct Bad {
    changes: ChangeSet,
    plans: Vec<ClusterPlan>,
    unread: Vec<Unread>,
    drift: Vec<Drift>,
    plan: Digest,
}

fn bad(text: &str, times: usize) -> Bad {
    let held = || LayerPlan {
        layer: Layer::Host,
        decision: Decision::Hold { cause: HoldCause::Settings, reason: Reason::new("Unpinned", text) },
        is_committed: false,
        hosts: Default::default(),
        edits: Default::default(),
    };
    let finding = |severity| Finding {
        severity,
        rule: "TagMoved",
        subject: text.to_owned(),
        message: text.to_owned(),
        fix: None,
        host: None,
    };
    let plans = vec![ClusterPlan {
        name: name("edge"),
        folder: RepoPath::parse("clusters/edge").expect("a lawful path"),
        layers: (0..times).map(|_| held()).collect(),
        state: State::default(),
        findings: vec![finding(Severity::Info), finding(Severity::Warning), finding(Severity::Error)],
        refusal: None,
        stamp: None,
    }];
    let unknown = Unknown { reason: "Timeout".to_owned(), message: text.to_owned() };
    let unread = vec![Unread { cluster: Some(name("edge")), sources: vec![text.to_owned()], unknown }];
    let path = RepoPath::parse("clusters/edge/manifests/host/values.yaml").expect("a lawful path");
    let author = Author { name: text.to_owned(), email: text.to_owned() };
    let drift = vec![Drift { path, commit: commit("d"), author }];
    Bad { changes: changes("edge", 1), plans, unread, drift, plan: Digest::of(b"plan") }
}

impl Bad {
    fn page(&self) -> Page<'_> {
        let Self { changes, plans, unread, drift, plan } = self;
        Page { changes, plans, unread, drift, plan }
    }
}

fn marker() -> Marker {
    Marker { changes: Digest::of(b"changes"), head: commit("a"), state: MarkerState::Open, merge: None }
}

#[test]
fn a_text_says_what_changes_what_to_look_at_and_what_it_stands_on() {
    insta::assert_snapshot!(body(&bad("it is <b>so</b>", 1).page(), &marker()), @r#"
        <!-- bobbypin:pull-request {"state":"open","changes":"sha256:d0b4ba2311b3e84977dc4bb320fe72cd85426f5cf14b487a4c5352ae3ad8cb37","head":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} -->
        ### edge: 1 file changed

        **+0 · 0 changed · −0** in 1 file

        **Cautions**

        - **error** TagMoved: `edge: it is <b>so</b>`: `it is <b>so</b>`
        - **held**: `edge host`: `it is <b>so</b>` (Unpinned)
        - **edited by hand**: `clusters/edge/manifests/host/values.yaml` in <code>ddddddd</code> by `it is <b>so</b>`; merging overwrites it
        - **warning** TagMoved: `edge: it is <b>so</b>`: `it is <b>so</b>`
        - **not read** of `edge`: `it is <b>so</b>`: `it is <b>so</b>`

        <details><summary>edge · whole cluster (0 created, 0 configured, 0 deleted)</summary>

        ```diff
        + ► file clusters/edge/manifests/0.yaml created
        ! no object comes or goes with it
        ```

        </details>

        <sub>Base <code>bbbbbbb</code> · plan <code>sha256:64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525</code> · close this pull request to hold these changes until they are others · see for yourself: <code>bobbypin diff --against remote</code></sub>
        "#);
}

#[test]
fn a_text_without_cautions_has_no_heading_for_them() {
    let bad = bad("x", 1);
    let page = Page { plans: &[], unread: &[], drift: &[], ..bad.page() };
    insta::assert_snapshot!(body(&page, &marker()), @r#"
        <!-- bobbypin:pull-request {"state":"open","changes":"sha256:d0b4ba2311b3e84977dc4bb320fe72cd85426f5cf14b487a4c5352ae3ad8cb37","head":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} -->
        ### edge: 1 file changed

        **+0 · 0 changed · −0** in 1 file

        <details><summary>edge · whole cluster (0 created, 0 configured, 0 deleted)</summary>

        ```diff
        + ► file clusters/edge/manifests/0.yaml created
        ! no object comes or goes with it
        ```

        </details>

        <sub>Base <code>bbbbbbb</code> · plan <code>sha256:64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525</code> · close this pull request to hold these changes until they are others · see for yourself: <code>bobbypin diff --against remote</code></sub>
        "#);
}

#[test]
fn notes_say_what_was_done_and_what_to_do() {
    insta::assert_snapshot!(note_left_alone("bobbypin/changes", &commit("e"), "it was made by `Ada`, not by bobbypin"), @r#"
        The branch `bobbypin/changes` is at <code>eeeeeee</code>, which is left alone: ``it was made by `Ada`, not by bobbypin``. Nothing is pushed as long as it is there.

        Merge this pull request, or take what was added off the branch again.
        "#);
    insta::assert_snapshot!(note_closed("main"), @"Closed, because `main` holds all that is wanted.");
}

#[test]
fn a_status_fails_by_what_is_held_and_an_audit_by_what_was_found() {
    let bad = bad("x", 2);
    let page = bad.page();
    assert_eq!(plan_status(&page), (StatusState::Failure, "held: edge host (Unpinned) and 1 more".to_owned()));
    assert_eq!(audit_status(&page), (StatusState::Failure, "1 error, 1 warning".to_owned()));
    let page = Page { plans: &[], ..page };
    let said = (StatusState::Failure, "something could not be read; see the cautions".to_owned());
    assert_eq!(plan_status(&page), said);
    let page = Page { unread: &[], ..page };
    assert_eq!(plan_status(&page), (StatusState::Success, "edge: 1 file changed".to_owned()));
    assert_eq!(audit_status(&page), (StatusState::Success, "nothing was found".to_owned()));
    let mut warned = bad.plans.clone();
    warned[0].findings.retain(|finding| finding.severity != Severity::Error);
    assert_eq!(audit_status(&Page { plans: &warned, ..page }), (StatusState::Warning, "1 warning".to_owned()));
}

#[test]
fn no_cluster_can_make_its_pull_requests_drafts() {
    assert_eq!(title(&changes("wip", 1)), "cluster wip: 1 file changed");
    assert_eq!(title(&changes("edge", 2)), "edge: 2 files changed");
}

#[test]
fn a_text_has_an_end_and_says_how_much_is_missing() {
    let text = body(&bad(&"x".repeat(10_000), 1_000).page(), &marker());
    assert!(text.len() <= BUDGET, "{}", text.len());
    let missing = text.lines().find(|line| line.starts_with("Not shown for lack of room: "));
    assert_eq!(missing, Some("Not shown for lack of room: 969 cautions."));
    assert!(text.ends_with("</sub>\n"));
}

/// A line without its inline code, as CommonMark reads it: a run of backticks ends at the next run of the same length.
fn without_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let run = rest[start..].chars().take_while(|c| *c == '`').count();
        let inside = &rest[start + run..];
        let mut at = 0;
        let end = loop {
            let Some(next) = inside[at..].find('`').map(|next| at + next) else { break None };
            let length = inside[next..].chars().take_while(|c| *c == '`').count();
            if length == run {
                break Some(next);
            }
            at = next + length;
        };
        match end {
            Some(end) => {
                out.push('¤');
                rest = &inside[end + run..];
            }
            None => {
                out.push_str(&"`".repeat(run));
                rest = inside;
            }
        }
    }
    out + rest
}

proptest! {
    #[test]
    fn no_foreign_text_gets_out_of_its_inline_code(
        text in prop_oneof![
            any::<String>(),
            "[`\\\\ \n\r|<>!@#a-]{0,30}",
            Just("closes #1 @ada </details> <!-- bobbypin:pull-request {} --> ```".to_owned()),
        ],
    ) {
        let plain: Vec<_> = body(&bad("x", 1).page(), &marker()).lines().map(without_code).collect();
        let foreign: Vec<_> = body(&bad(&text, 1).page(), &marker()).lines().map(without_code).collect();
        prop_assert_eq!(foreign, plain);
        let notes = |text: &str| -> Vec<_> {
            note_left_alone("b", &commit("e"), text).lines().map(without_code).collect()
        };
        prop_assert_eq!(notes(&text), notes("x"));
        let status = plan_status(&bad(&text, 1).page()).1;
        prop_assert!(status.chars().count() <= STATUS_CHARACTERS && !status.contains('\n'));
    }
}
