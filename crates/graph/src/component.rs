//! The evidence of chosen clusters, gathered cluster by cluster.

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::{ClusterId, Decision, Evidence, MatchWeight, Partition};

/// A link of a chosen cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    pub(crate) cluster: ClusterId,
    weight: Reverse<MatchWeight>,
    /// Its position in the evidence; evidence is sorted by pair, so it breaks ties by pair.
    pub(crate) edge: usize,
}

/// Returns the links of the chosen clusters, by cluster and strongest first.
///
/// Every link lies within one cluster of the partition.
pub(crate) fn gather(
    evidence: &[Evidence],
    partition: &Partition,
    chosen: &[bool],
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = evidence
        .par_iter()
        .enumerate()
        .filter(|(_, edge)| edge.decision == Decision::Link)
        .map(|(index, edge)| Candidate {
            cluster: partition.cluster_of(edge.left),
            weight: Reverse(edge.weight),
            edge: index,
        })
        .filter(|candidate| chosen[candidate.cluster.index()])
        .collect();
    candidates.par_sort_unstable();
    candidates
}

/// Returns the links of each cluster as one slice.
pub(crate) fn by_cluster(candidates: &[Candidate]) -> Vec<&[Candidate]> {
    candidates.chunk_by(|a, b| a.cluster == b.cluster).collect()
}

/// Returns the position of a node among the sorted members of its cluster.
pub(crate) fn local(members: &[u32], node: crate::NodeId) -> u32 {
    members
        .binary_search(&node.get())
        .expect("a link's ends are members of its cluster") as u32
}
