//! The branch of a pull request: its name, and whether what stands there is this program's own.

use crate::{
    edge::git::CommitHeader,
    model::{digest::Digest, name::Name, repository::Author, tree::CommitId},
    ops::{
        pull_request::decide::{Branch, Stamped},
        selection::{Selection, Shard},
    },
};

/// The most characters that the names of clusters have in the name of a branch.
const MOST: usize = 100;

/// The trailer with the commit that the changes were computed from.
pub(crate) const BASE: &str = "Bobbypin-Base";

/// The trailer with the id of everything that the commit holds.
pub(crate) const TREE: &str = "Bobbypin-Tree";

/// The trailer with the number of the pull request, of a commit that only writes it down.
pub(crate) const STAMP: &str = "Bobbypin-Stamp";

/// The clusters that a run is about, among all of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Share {
    /// All of them.
    All,
    /// These.
    Named(Vec<Name>),
    /// Those of one of several runs, whichever they are by now.
    Run(Shard),
}

impl Share {
    /// What a selection stands for where it has led to the `served` clusters out of `all`, both in order.
    pub fn of(selection: &Selection, served: Vec<Name>, all: &[Name]) -> Self {
        match selection.shard {
            Some(shard) if selection.names.is_empty() && Shard::new(0, 1) != Some(shard) => Self::Run(shard),
            _ if served == all => Self::All,
            _ => Self::Named(served),
        }
    }
}

/// The branch for changes of these clusters.
///
/// Every share has a branch of its own, so that runs over different ones do not meet. Git has no branch below another one,
/// so names stand behind a dash: `bobbypin/changes-edge+north`, for the first of three runs `bobbypin/changes-+0-of-3`.
/// Very many names make a digest.
pub fn head_branch(branch: &str, share: &Share) -> String {
    let names = match share {
        Share::All => return branch.to_owned(),
        // No name of a cluster begins so.
        Share::Run(shard) => return format!("{branch}-+{shard}"),
        Share::Named(names) => names,
    };
    let mut names: Vec<_> = names.iter().map(Name::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join("+");
    // Git takes no name with `.lock` at its end.
    if names.len() > MOST || names.ends_with(".lock") {
        let digest = Digest::of(names.as_bytes());
        let (_, hex) = digest.as_str().split_at("sha256:".len());
        return format!("{branch}-+{}", &hex[..12]);
    }
    format!("{branch}-{names}")
}

/// Judges the commit that a branch is at.
///
/// A commit of ours certifies itself: its message names the one commit that it stands on, and the id of everything that it
/// holds. Whoever changes something of it, puts something below or merges something in makes a commit for which that is
/// not true; whoever makes it anew (`git rebase`, `git commit --amend`, the server's "update branch") is its committer, at
/// another time than that of its author. So the content of what is taken for ours was made by this program, to the last
/// byte, and can be made again.
///
/// That is not looked up in the text of the pull request: the text is written after the push, by whichever of two runs
/// comes last, and a run that was killed between the two would lock out all later ones.
///
/// A commit that [is a stamp](stamped) certifies itself in the same way, and so does the one `below` it.
pub fn stands(tip: CommitId, header: &CommitHeader, below: Option<&CommitHeader>, us: &Author) -> Branch {
    let why = foreign(header, us).or_else(|| match below {
        // There is never more than one stamp.
        Some(below) if stamped(below).is_some() => Some("it stands on a commit of its own kind".to_owned()),
        Some(below) => foreign(below, us).map(|why| format!("{why}, as seen in the commit below")),
        None => None,
    });
    match (why, below) {
        (Some(why), _) => Branch::Foreign { tip, why },
        (None, None) => Branch::Ours { tip, base: header.parents[0].clone(), tree: header.tree, stamped: None },
        (None, Some(below)) => {
            let stamped = Some(Stamped { first: header.parents[0].clone(), tree: header.tree });
            Branch::Ours { tip, base: below.parents[0].clone(), tree: below.tree, stamped }
        }
    }
}

/// The commit with the changes, below one that only writes down the number of the pull request; `None`: it is no such one.
pub fn stamped(header: &CommitHeader) -> Option<&CommitId> {
    header.trailers.get(STAMP).and(header.parents.first())
}

/// Why a commit is not as this program makes them; `None`: it is.
fn foreign(header: &CommitHeader, us: &Author) -> Option<String> {
    let trailer = |key: &str| header.trailers.get(key).map(String::as_str);
    let [parent] = header.parents.as_slice() else {
        return Some(match header.parents.len() {
            0 => "it stands on nothing".to_owned(),
            _ => "it is a merge".to_owned(),
        });
    };
    if trailer("Bobbypin-Plan").is_none() {
        return Some("it was not made by this program".to_owned());
    }
    if header.committer != *us {
        return Some(format!("it was made by {}, not by {}", header.committer.name, us.name));
    }
    if !header.is_of_one_moment || header.author != *us {
        return Some("it was made anew after this program had made it".to_owned());
    }
    if trailer(BASE) != Some(parent.as_str()) {
        return Some("it stands on a commit that this program did not put it on".to_owned());
    }
    if trailer(TREE) != Some(&*header.tree.to_string()) {
        return Some("what it holds was changed after this program had made it".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::edge::git::TreeId;

    fn names(texts: &[&str]) -> Vec<Name> {
        texts.iter().map(|text| Name::parse(text).expect("a literal that parses")).collect()
    }

    #[test]
    fn a_set_of_clusters_has_one_branch_beside_that_of_all() {
        let branch = |texts: &[&str]| head_branch("bobbypin/changes", &Share::Named(names(texts)));
        assert_eq!(head_branch("bobbypin/changes", &Share::All), "bobbypin/changes");
        let shard = Share::Run(Shard::new(0, 3).expect("the first of three"));
        assert_eq!(head_branch("bobbypin/changes", &shard), "bobbypin/changes-+0-of-3");
        assert_eq!(branch(&["edge"]), "bobbypin/changes-edge");
        assert_eq!(branch(&["north", "edge", "north"]), "bobbypin/changes-edge+north");
        assert_eq!(branch(&["edge.lock"]), "bobbypin/changes-+7c3920c12100");
        assert_eq!(branch(&[&"a".repeat(101)]).len(), "bobbypin/changes-+".len() + 12);
    }

    #[test]
    fn the_branch_of_one_of_several_runs_stays_when_clusters_come_and_go() {
        let all = names(&["edge", "north"]);
        let shard = |index, count| Selection { names: Vec::new(), shard: Shard::new(index, count) };
        let first = Share::Run(Shard::new(0, 3).expect("the first of three"));
        assert_eq!(Share::of(&shard(0, 3), all.clone(), &all), first);
        assert_eq!(Share::of(&shard(0, 3), names(&["edge"]), &all), first);
        assert_eq!(Share::of(&shard(0, 1), all.clone(), &all), Share::All);
        assert_eq!(Share::of(&Selection::default(), all.clone(), &all), Share::All);
        assert_eq!(Share::of(&Selection::of(all.clone()), all.clone(), &all), Share::All);
        let edge = Selection::of(names(&["edge"]));
        assert_eq!(Share::of(&edge, names(&["edge"]), &all), Share::Named(names(&["edge"])));
        let both = Selection { shard: Shard::new(0, 3), ..edge };
        assert_eq!(Share::of(&both, names(&["edge"]), &all), Share::Named(names(&["edge"])));
    }

    proptest! {
        #[test]
        fn different_sets_have_different_branches_that_git_takes(
            one in prop::collection::btree_set("[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", 1..5),
            other in prop::collection::btree_set("[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", 1..5),
        ) {
            let names = |set: &std::collections::BTreeSet<String>| -> Vec<Name> {
                set.iter().filter_map(|text| Name::parse(text).ok()).collect()
            };
            let (one, other) = (names(&one), names(&other));
            let branch = |names: &[Name]| head_branch("bobbypin/changes", &Share::Named(names.to_vec()));
            prop_assert_eq!(branch(&one) == branch(&other), one == other);
            if !one.is_empty() {
                prop_assert!(git2::Branch::name_is_valid(&branch(&one)).unwrap(), "{}", branch(&one));
                let nested = format!("{}/", branch(&one));
                prop_assert!(!branch(&other).starts_with(&nested) && !branch(&one).starts_with("bobbypin/changes/"));
            }
        }
    }

    #[test]
    fn only_a_commit_exactly_as_it_was_made_is_ours() {
        let us = || Author { name: "bobbypin".to_owned(), email: "bot@example.org".to_owned() };
        let person = || Author { name: "Ada".to_owned(), email: "ada@example.org".to_owned() };
        let id = |digit: &str| CommitId::parse(&digit.repeat(40)).expect("40 hex digits");
        let tree = |digit: &str| TreeId::parse(&digit.repeat(40)).expect("40 hex digits");
        let trailers = [("Bobbypin-Plan", "sha256:1".to_owned()), (BASE, "b".repeat(40)), (TREE, "c".repeat(40))];
        let made = CommitHeader {
            author: us(),
            committer: us(),
            is_of_one_moment: true,
            parents: vec![id("b")],
            tree: tree("c"),
            trailers: trailers.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        let ours = Branch::Ours { tip: id("a"), base: id("b"), tree: tree("c"), stamped: None };
        assert_eq!(stands(id("a"), &made, None, &us()), ours);
        assert_eq!(stamped(&made), None);
        let mut stamp = made.clone();
        stamp.parents = vec![id("a")];
        stamp.tree = tree("e");
        for (key, value) in [(BASE, "a".repeat(40)), (TREE, "e".repeat(40)), (STAMP, "12".to_owned())] {
            stamp.trailers.insert(key.to_owned(), value);
        }
        assert_eq!(stamped(&stamp), Some(&id("a")));
        let first = Some(Stamped { first: id("a"), tree: tree("e") });
        let ours = Branch::Ours { tip: id("f"), base: id("b"), tree: tree("c"), stamped: first };
        assert_eq!(stands(id("f"), &stamp, Some(&made), &us()), ours);
        assert_eq!(
            stands(id("f"), &stamp, Some(&stamp), &us()),
            Branch::Foreign { tip: id("f"), why: "it stands on a commit of its own kind".to_owned() }
        );
        type Change = fn(&mut CommitHeader, Author, CommitId, TreeId);
        let changes: [(Change, &str); 9] = [
            (|made, _, _, _| made.trailers = BTreeMap::new(), "it was not made by this program"),
            (|made, person, _, _| made.committer = person, "it was made by Ada, not by bobbypin"),
            (|made, person, _, _| made.author = person, "it was made anew after this program had made it"),
            (|made, _, _, _| made.is_of_one_moment = false, "it was made anew after this program had made it"),
            (|made, _, id, _| made.parents = vec![id], "it stands on a commit that this program did not put it on"),
            (|made, _, id, _| made.parents.push(id), "it is a merge"),
            (|made, _, _, _| made.parents.clear(), "it stands on nothing"),
            (|made, _, _, tree| made.tree = tree, "what it holds was changed after this program had made it"),
            (
                |made, _, _, _| drop(made.trailers.remove(TREE)),
                "what it holds was changed after this program had made it",
            ),
        ];
        for (change, why) in changes {
            let mut header = made.clone();
            change(&mut header, person(), id("d"), tree("d"));
            assert_eq!(stands(id("a"), &header, None, &us()), Branch::Foreign { tip: id("a"), why: why.to_owned() });
            let why = format!("{why}, as seen in the commit below");
            assert_eq!(stands(id("f"), &stamp, Some(&header), &us()), Branch::Foreign { tip: id("f"), why });
        }
    }
}
