//! What a cluster must never be.

use roaring::RoaringBitmap;

use crate::{NodeId, Partition, QuarantineReason, ReferenceTable, SourceId};

/// The constraints that no cluster of a revision may break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// The sources of which a cluster holds at most one record.
    pub one_per_source: Vec<SourceId>,
    /// The pairs that a decision holds apart.
    pub cannot_link: Vec<(NodeId, NodeId)>,
    /// The most references a cluster may hold.
    pub cluster_size_max: u32,
}

impl Default for Constraints {
    /// Returns constraints that every cluster meets.
    fn default() -> Self {
        Self {
            one_per_source: Vec::new(),
            cannot_link: Vec::new(),
            cluster_size_max: u32::MAX,
        }
    }
}

/// The constraints of one revision, indexed for asking.
pub(crate) struct Rulebook<'a> {
    references: &'a ReferenceTable,
    /// By source: whether a cluster holds at most one record of it.
    single: Vec<bool>,
    /// Both directions of every pair held apart, sorted.
    apart: Vec<(u32, u32)>,
    size_max: u32,
}

impl<'a> Rulebook<'a> {
    pub(crate) fn new(references: &'a ReferenceTable, constraints: &Constraints) -> Self {
        let mut single = vec![false; references.sources().len()];
        for source in &constraints.one_per_source {
            single[source.index()] = true;
        }
        let pairs = constraints
            .cannot_link
            .iter()
            .map(|(a, b)| (a.get(), b.get()));
        // A reference cannot be held apart from itself.
        let mut apart: Vec<_> = pairs
            .filter(|(a, b)| a != b)
            .flat_map(|(a, b)| [(a, b), (b, a)])
            .collect();
        apart.sort_unstable();
        apart.dedup();
        Self {
            references,
            single,
            apart,
            size_max: constraints.cluster_size_max,
        }
    }

    /// Returns whether no cluster of any partition could break a constraint.
    pub(crate) fn is_empty(&self) -> bool {
        self.size_max == u32::MAX && self.apart.is_empty() && !self.single.contains(&true)
    }

    /// Marks the clusters that break a constraint.
    pub(crate) fn broken(&self, partition: &Partition) -> Vec<bool> {
        let mut broken: Vec<bool> =
            partition.par_map(|members| self.breaks_size_or_source(members));
        for &(a, b) in &self.apart {
            let cluster = partition.cluster_of(NodeId::new(a));
            if cluster == partition.cluster_of(NodeId::new(b)) {
                broken[cluster.index()] = true;
            }
        }
        broken
    }

    fn breaks_size_or_source(&self, members: &[u32]) -> bool {
        if members.len() < 2 {
            return false;
        }
        // Node order is source order, so two records of one source stand side by side.
        members.len() > self.size_max as usize
            || members.windows(2).any(|pair| {
                let source = self.references.source_of(NodeId::new(pair[0]));
                self.single[source.index()]
                    && source == self.references.source_of(NodeId::new(pair[1]))
            })
    }

    /// Returns what the cluster of one node alone holds.
    pub(crate) fn holding(&self, node: u32) -> Holding {
        let source = self.references.source_of(NodeId::new(node));
        let singles = self.single[source.index()].then_some(source.index() as u32);
        let from = self.apart.partition_point(|pair| *pair < (node, 0));
        let foes = self.apart[from..]
            .iter()
            .take_while(|pair| pair.0 == node)
            .map(|pair| pair.1);
        let foes: RoaringBitmap = foes.collect();
        let feuding = if foes.is_empty() {
            RoaringBitmap::new()
        } else {
            [node].into()
        };
        Holding {
            size: 1,
            singles: singles.into_iter().collect(),
            feuding,
            foes,
        }
    }

    /// Returns which constraint the union of two clusters would break, a person's decision first.
    pub(crate) fn objection(&self, a: &Holding, b: &Holding) -> Option<QuarantineReason> {
        if !a.feuding.is_disjoint(&b.foes) {
            return Some(QuarantineReason::CannotLink);
        }
        if !a.singles.is_disjoint(&b.singles) {
            return Some(QuarantineReason::OnePerSource);
        }
        // Sizes are node counts, of which there are fewer than 2^32.
        (a.size + b.size > self.size_max).then_some(QuarantineReason::ClusterSize)
    }
}

/// What a growing cluster holds, as far as constraints ask.
///
/// Everything in it only grows, so a union once refused stays refused.
#[derive(Default)]
pub(crate) struct Holding {
    size: u32,
    /// The one-per-source systems it has a record of.
    singles: RoaringBitmap,
    /// Its nodes that are held apart from some other node.
    feuding: RoaringBitmap,
    /// The nodes its nodes are held apart from.
    foes: RoaringBitmap,
}

impl Holding {
    pub(crate) fn absorb(&mut self, other: Self) {
        self.size += other.size;
        self.singles |= other.singles;
        self.feuding |= other.feuding;
        self.foes |= other.foes;
    }
}
