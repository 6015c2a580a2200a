//! Which clusters of a repository a run is about.

use std::fmt;

use crate::model::{digest::Digest, name::Name};

/// Which clusters of a repository a run is about. By default all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// These; empty: all.
    pub names: Vec<Name>,
    /// Of those, the part that this run serves; `None`: all.
    pub shard: Option<Shard>,
}

/// One of several runs that share the clusters among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Run `index` of `count`, counted from 0 as the index of a Kubernetes Job is. `None` when there is no such run.
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Whether a cluster belongs to this run. It depends on nothing but the name, so a cluster stays where it is when
    /// others come and go.
    pub fn takes(self, name: &Name) -> bool {
        let digest = Digest::of(name.as_str().as_bytes());
        let start = &digest.as_str()["sha256:".len()..][..8];
        let number = u32::from_str_radix(start, 16).expect("a digest is written in hex digits");
        number % self.count == self.index
    }
}

/// `0-of-3`.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-of-{}", self.index, self.count)
    }
}

impl Selection {
    /// These clusters; none: all.
    pub fn of(names: Vec<Name>) -> Self {
        Self { names, shard: None }
    }

    /// Whether a run is about a cluster.
    pub fn takes(&self, name: &Name) -> bool {
        (self.names.is_empty() || self.names.contains(name)) && self.shard.is_none_or(|shard| shard.takes(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cluster_belongs_to_exactly_one_of_the_runs() {
        let names: Vec<_> = (0..200).map(|number| Name::parse(&format!("edge-{number}")).unwrap()).collect();
        for count in [1, 2, 3, 7] {
            let shards: Vec<_> = (0..count).map(|index| Shard::new(index, count).unwrap()).collect();
            for name in &names {
                assert_eq!(shards.iter().filter(|shard| shard.takes(name)).count(), 1, "{name} of {count}");
            }
            for shard in shards {
                let share = names.iter().filter(|name| shard.takes(name)).count();
                assert!(share > 100 / usize::try_from(count).unwrap(), "{shard:?} has {share}");
            }
        }
        assert_eq!((Shard::new(0, 0), Shard::new(2, 2)), (None, None));
    }

    #[test]
    fn a_selection_is_by_name_and_by_run() {
        let (a, b) = (Name::parse("a").unwrap(), Name::parse("b").unwrap());
        assert!(Selection::default().takes(&a));
        assert!(Selection::of(vec![a.clone()]).takes(&a) && !Selection::of(vec![a.clone()]).takes(&b));
        let index = (0..2).find(|index| Shard::new(*index, 2).unwrap().takes(&a)).unwrap();
        let shard = |index| Selection { names: vec![a.clone()], shard: Shard::new(index, 2) };
        assert!(shard(index).takes(&a) && !shard(1 - index).takes(&a) && !shard(index).takes(&b));
    }
}
