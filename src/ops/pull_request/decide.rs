//! What is to be done about the branch and the pull request of some clusters; pure.

use crate::{
    edge::git::TreeId,
    model::{digest::Digest, tree::CommitId},
};

/// Everything that the decision depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// What is to be proposed; `None`: nothing differs from what is wanted.
    pub wanted: Option<Proposal>,
    /// Whether everything could be read. What could not be read is missing among what is wanted, and that says nothing.
    pub is_complete: bool,
    /// What stands on the branch of the pull request.
    pub branch: Branch,
    /// The newest pull request of the branch.
    pub latest: Latest,
}

/// What is to be proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Identifies the changes, whatever they stand on.
    pub changes: Digest,
    /// The commit that they stand on.
    pub base: CommitId,
    /// What there is with them.
    pub tree: TreeId,
}

/// What stands on the branch of the pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branch {
    /// There is no such branch.
    Missing,
    /// A commit as this program made it, perhaps with its stamp on top, and nothing else.
    Ours {
        /// The last commit.
        tip: CommitId,
        /// What the one with the changes stands on.
        base: CommitId,
        /// What that one holds.
        tree: TreeId,
        /// The stamp; `None`: the last commit is the one with the changes.
        stamped: Option<Stamped>,
    },
    /// Whatever it is, a pull request has brought it to where it was to go.
    Merged {
        /// The commit.
        tip: CommitId,
    },
    /// Something of somebody else.
    Foreign {
        /// The commit.
        tip: CommitId,
        /// How that is seen.
        why: String,
    },
}

/// A branch whose last commit only writes down the number of the pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The commit with the changes, below it.
    pub first: CommitId,
    /// What the last commit holds.
    pub tree: TreeId,
}

/// The newest pull request of a branch; an open one goes before all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latest {
    /// There was never one.
    None,
    /// It waits.
    Open {
        /// By which it is known.
        number: u64,
    },
    /// Somebody closed it and did not merge it.
    ClosedByPerson {
        /// By which it is known.
        number: u64,
        /// What it brought, as far as its text still says so.
        changes: Option<Digest>,
    },
    /// This program closed it.
    ClosedByUs,
    /// It was merged.
    Merged,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// The branch is of no more use.
    RemoveBranch {
        /// What it is at.
        tip: CommitId,
    },
    /// The pull request has nothing more to bring.
    Close {
        /// By which it is known.
        number: u64,
        /// What its branch is at, which goes too; `None`: there is none.
        tip: Option<CommitId>,
    },
    /// Nothing is wanted, but not everything could be read: the pull request stays as it is.
    Wait {
        /// By which it is known.
        number: u64,
    },
    /// Somebody else works on the branch.
    LeaveAlone {
        /// The pull request, if one is open.
        number: Option<u64>,
        /// What the branch is at.
        tip: CommitId,
        /// How it is seen that this is not ours.
        why: String,
    },
    /// Somebody closed a pull request with exactly these changes.
    Held {
        /// By which it is known.
        number: u64,
    },
    /// A new pull request.
    Open {
        /// What its branch needs first.
        push: Push,
    },
    /// The open pull request is brought up to date.
    Update {
        /// By which it is known.
        number: u64,
        /// What its branch needs first.
        push: Push,
    },
}

/// What a branch needs to bring what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// Nothing: it is at a commit that does.
    Stays {
        /// The last commit.
        tip: CommitId,
        /// The stamp that it is; `None`: it is the one with the changes.
        stamped: Option<Stamped>,
    },
    /// It is made.
    Create,
    /// What it is at goes.
    Replace {
        /// The commit.
        tip: CommitId,
    },
}

/// Decides.
///
/// What somebody else has put on the branch is never touched, and what somebody has closed is not proposed again until it
/// is something else. There is never more than one open pull request.
pub fn decide(situation: &Situation) -> Action {
    let Situation { wanted, is_complete, branch, latest } = situation;
    match (wanted, latest) {
        (_, Latest::Open { number }) => match (wanted, branch) {
            (_, Branch::Foreign { tip, why }) => {
                Action::LeaveAlone { number: Some(*number), tip: tip.clone(), why: why.clone() }
            }
            (Some(wanted), branch) => Action::Update { number: *number, push: push(wanted, branch) },
            (None, _) if !is_complete => Action::Wait { number: *number },
            (None, Branch::Missing) => Action::Close { number: *number, tip: None },
            (None, Branch::Ours { tip, .. } | Branch::Merged { tip }) => {
                Action::Close { number: *number, tip: Some(tip.clone()) }
            }
        },
        (None, Latest::None | Latest::ClosedByUs | Latest::Merged) if *is_complete => match branch {
            Branch::Ours { tip, .. } | Branch::Merged { tip } => Action::RemoveBranch { tip: tip.clone() },
            Branch::Missing | Branch::Foreign { .. } => Action::Nothing,
        },
        // The branch of what somebody closed stays, so that it can be opened again.
        (None, _) => Action::Nothing,
        (Some(wanted), Latest::ClosedByPerson { number, changes: Some(changes) }) if *changes == wanted.changes => {
            Action::Held { number: *number }
        }
        (Some(wanted), _) => match branch {
            Branch::Foreign { tip, why } => Action::LeaveAlone { number: None, tip: tip.clone(), why: why.clone() },
            branch => Action::Open { push: push(wanted, branch) },
        },
    }
}

/// What a branch that is not somebody else's needs.
fn push(wanted: &Proposal, branch: &Branch) -> Push {
    match branch {
        Branch::Ours { tip, base, tree, stamped } if *base == wanted.base && *tree == wanted.tree => {
            Push::Stays { tip: tip.clone(), stamped: stamped.clone() }
        }
        Branch::Missing => Push::Create,
        Branch::Ours { tip, .. } | Branch::Merged { tip } | Branch::Foreign { tip, .. } => {
            Push::Replace { tip: tip.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).expect("40 hex digits")
    }

    fn tree(digit: char) -> TreeId {
        TreeId::parse(&digit.to_string().repeat(40)).expect("40 hex digits")
    }

    /// Every situation there is, in words, with what is done.
    fn table() -> String {
        let proposal = Proposal { changes: Digest::of(b"now"), base: commit('b'), tree: tree('c') };
        let ours = |base, held| Branch::Ours { tip: commit('a'), base: commit(base), tree: tree(held), stamped: None };
        let closed = |changes| Latest::ClosedByPerson { number: 7, changes };
        let branches = [
            ("no branch", Branch::Missing),
            ("ours, same", ours('b', 'c')),
            ("ours, base moved", ours('d', 'c')),
            ("ours, other content", ours('b', 'd')),
            ("merged", Branch::Merged { tip: commit('a') }),
            ("foreign", Branch::Foreign { tip: commit('a'), why: "somebody".to_owned() }),
        ];
        let latest = [
            ("none", Latest::None),
            ("open", Latest::Open { number: 7 }),
            ("closed by a person", closed(Some(Digest::of(b"now")))),
            ("closed by a person, other changes", closed(Some(Digest::of(b"before")))),
            ("closed by a person, unreadable", closed(None)),
            ("closed by us", Latest::ClosedByUs),
            ("merged", Latest::Merged),
        ];
        let mut text = String::new();
        for (pull_request, latest) in &latest {
            for (stands, branch) in &branches {
                let action = |wanted: Option<&Proposal>, is_complete| {
                    let (branch, latest) = (branch.clone(), latest.clone());
                    short(&decide(&Situation { wanted: wanted.cloned(), is_complete, branch, latest }))
                };
                let wanted = action(Some(&proposal), true);
                assert_eq!(
                    action(Some(&proposal), false),
                    wanted,
                    "what is wanted is proposed whatever else is unknown"
                );
                let cells = [wanted, action(None, true), action(None, false)];
                text.push_str(&format!("{pull_request} | {stands}: {}\n", cells.join(" | ")));
            }
        }
        text
    }

    fn short(action: &Action) -> String {
        let push = |push: &Push| match push {
            Push::Stays { .. } => "as it is",
            Push::Create => "branch made",
            Push::Replace { .. } => "branch replaced",
        };
        match action {
            Action::Nothing => "-".to_owned(),
            Action::RemoveBranch { .. } => "remove branch".to_owned(),
            Action::Close { tip, .. } => format!("close{}", if tip.is_some() { ", remove branch" } else { "" }),
            Action::Wait { .. } => "wait".to_owned(),
            Action::LeaveAlone { number, .. } => {
                format!("leave alone{}", if number.is_some() { ", say so" } else { "" })
            }
            Action::Held { .. } => "held".to_owned(),
            Action::Open { push: needed } => format!("open, {}", push(needed)),
            Action::Update { push: needed, .. } => format!("update, {}", push(needed)),
        }
    }

    #[test]
    fn every_situation_has_its_action_when_changes_are_wanted_and_when_none_are_and_when_that_is_not_sure() {
        insta::assert_snapshot!(table(), @r#"
            none | no branch: open, branch made | - | -
            none | ours, same: open, as it is | remove branch | -
            none | ours, base moved: open, branch replaced | remove branch | -
            none | ours, other content: open, branch replaced | remove branch | -
            none | merged: open, branch replaced | remove branch | -
            none | foreign: leave alone | - | -
            open | no branch: update, branch made | close | wait
            open | ours, same: update, as it is | close, remove branch | wait
            open | ours, base moved: update, branch replaced | close, remove branch | wait
            open | ours, other content: update, branch replaced | close, remove branch | wait
            open | merged: update, branch replaced | close, remove branch | wait
            open | foreign: leave alone, say so | leave alone, say so | leave alone, say so
            closed by a person | no branch: held | - | -
            closed by a person | ours, same: held | - | -
            closed by a person | ours, base moved: held | - | -
            closed by a person | ours, other content: held | - | -
            closed by a person | merged: held | - | -
            closed by a person | foreign: held | - | -
            closed by a person, other changes | no branch: open, branch made | - | -
            closed by a person, other changes | ours, same: open, as it is | - | -
            closed by a person, other changes | ours, base moved: open, branch replaced | - | -
            closed by a person, other changes | ours, other content: open, branch replaced | - | -
            closed by a person, other changes | merged: open, branch replaced | - | -
            closed by a person, other changes | foreign: leave alone | - | -
            closed by a person, unreadable | no branch: open, branch made | - | -
            closed by a person, unreadable | ours, same: open, as it is | - | -
            closed by a person, unreadable | ours, base moved: open, branch replaced | - | -
            closed by a person, unreadable | ours, other content: open, branch replaced | - | -
            closed by a person, unreadable | merged: open, branch replaced | - | -
            closed by a person, unreadable | foreign: leave alone | - | -
            closed by us | no branch: open, branch made | - | -
            closed by us | ours, same: open, as it is | remove branch | -
            closed by us | ours, base moved: open, branch replaced | remove branch | -
            closed by us | ours, other content: open, branch replaced | remove branch | -
            closed by us | merged: open, branch replaced | remove branch | -
            closed by us | foreign: leave alone | - | -
            merged | no branch: open, branch made | - | -
            merged | ours, same: open, as it is | remove branch | -
            merged | ours, base moved: open, branch replaced | remove branch | -
            merged | ours, other content: open, branch replaced | remove branch | -
            merged | merged: open, branch replaced | remove branch | -
            merged | foreign: leave alone | - | -
            "#);
    }

    #[test]
    fn an_action_names_what_it_is_about_as_it_was_found() {
        let wanted = Proposal { changes: Digest::of(b"now"), base: commit('b'), tree: tree('c') };
        let found =
            |branch, latest| decide(&Situation { wanted: Some(wanted.clone()), is_complete: true, branch, latest });
        let open = || Latest::Open { number: 7 };
        let stamped = Some(Stamped { first: commit('f'), tree: tree('e') });
        let ours = |base| Branch::Ours { tip: commit('a'), base, tree: tree('c'), stamped: stamped.clone() };
        assert_eq!(
            found(ours(commit('b')), open()),
            Action::Update { number: 7, push: Push::Stays { tip: commit('a'), stamped: stamped.clone() } }
        );
        assert_eq!(
            found(ours(commit('d')), open()),
            Action::Update { number: 7, push: Push::Replace { tip: commit('a') } }
        );
        let foreign = Branch::Foreign { tip: commit('e'), why: "somebody".to_owned() };
        assert_eq!(
            found(foreign, open()),
            Action::LeaveAlone { number: Some(7), tip: commit('e'), why: "somebody".to_owned() }
        );
    }
}
