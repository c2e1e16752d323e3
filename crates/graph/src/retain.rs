//! Which evidence a revision keeps: enough to explain every cluster and every refusal.
//!
//! Cost: one pass that counts, one that keeps. Only edges of crowded nodes are ranked, and
//! only clusters that would lose a link get a spanning forest.

use petgraph::unionfind::UnionFind;
use rayon::prelude::*;

use crate::component::{self, Candidate};
use crate::{Decision, Evidence, Partition};

/// How many edges of each kind a node keeps at least, its strongest.
///
/// An edge stays if either of its ends keeps it, so a node may have more; all nodes together
/// keep at most their number times the bound, and links at most one more for each node.
/// A bound of 255 keeps all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Links a node keeps, beside those that hold its cluster together.
    pub link_count: u8,
    /// Quarantined links a node keeps.
    pub quarantined_count: u8,
    /// Edges waiting for a person that a node keeps.
    pub review_count: u8,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            link_count: 4,
            quarantined_count: 8,
            review_count: 4,
        }
    }
}

/// Returns the evidence that a revision keeps, in the order given.
///
/// The evidence is sorted by left and then right node, each pair at most once, and every link
/// lies within one cluster, as [`cluster`](crate::cluster) leaves it. What stays: of every
/// cluster a spanning forest of its strongest links, on which the strongest path between
/// any two members is as strong as on all links; and of every node its strongest edges of each
/// kind. Ties go to the smaller pair.
pub fn retain(
    evidence: Vec<Evidence>,
    partition: &Partition,
    retention: Retention,
) -> Vec<Evidence> {
    debug_assert!(evidence.is_sorted_by_key(|edge| (edge.left, edge.right)));
    let crowds = Crowds::count(&evidence, partition.node_count());
    let bounds = [
        retention.link_count,
        retention.review_count,
        retention.quarantined_count,
    ];
    let mut kept: Vec<bool> = evidence
        .par_iter()
        .map(|edge| {
            crowds
                .ends(edge)
                .into_iter()
                .any(|count| count <= bounds[kind(edge)])
        })
        .collect();
    if kept.iter().all(|&kept| kept) {
        return evidence;
    }
    keep_strongest(&evidence, &crowds, bounds, &mut kept);
    keep_forests(&evidence, partition, &mut kept);
    evidence
        .into_iter()
        .zip(kept)
        .filter_map(|(edge, kept)| kept.then_some(edge))
        .collect()
}

/// How many kinds of edges are kept apart from each other.
const KIND_COUNT: usize = 3;

fn kind(edge: &Evidence) -> usize {
    match edge.decision {
        Decision::Link => 0,
        Decision::Review => 1,
        Decision::Quarantined(_) => 2,
    }
}

/// How many edges of each kind every node has; the count stops at 255.
struct Crowds(Vec<[u8; KIND_COUNT]>);

impl Crowds {
    fn count(evidence: &[Evidence], node_count: usize) -> Self {
        let mut counts = vec![[0_u8; KIND_COUNT]; node_count];
        for edge in evidence {
            for node in [edge.left, edge.right] {
                let count = &mut counts[node.index()][kind(edge)];
                *count = count.saturating_add(1);
            }
        }
        Self(counts)
    }

    /// Returns how many edges of this edge's kind its ends have.
    fn ends(&self, edge: &Evidence) -> [u8; 2] {
        [edge.left, edge.right].map(|node| self.0[node.index()][kind(edge)])
    }
}

/// Marks the strongest edges of the nodes that have more than they keep.
fn keep_strongest(
    evidence: &[Evidence],
    crowds: &Crowds,
    bounds: [u8; KIND_COUNT],
    kept: &mut [bool],
) {
    let mut ranked: Vec<_> = evidence
        .par_iter()
        .enumerate()
        .flat_map_iter(|(index, edge)| {
            let ends = [edge.left, edge.right].into_iter().zip(crowds.ends(edge));
            let crowded = ends.filter(move |(_, count)| *count > bounds[kind(edge)]);
            crowded.map(move |(node, _)| (node, kind(edge), std::cmp::Reverse(edge.weight), index))
        })
        .collect();
    ranked.par_sort_unstable();
    for run in ranked.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let bound = usize::from(bounds[run[0].1]);
        for &(_, _, _, index) in run.iter().take(bound) {
            kept[index] = true;
        }
    }
}

/// Marks a spanning forest of strongest links in every cluster that would lose a link.
fn keep_forests(evidence: &[Evidence], partition: &Partition, kept: &mut [bool]) {
    let mut losing = vec![false; partition.cluster_count()];
    for (edge, kept) in evidence.iter().zip(&*kept) {
        if !kept && edge.decision == Decision::Link {
            losing[partition.cluster_of(edge.left).index()] = true;
        }
    }
    let candidates = component::gather(evidence, partition, &losing);
    let forests: Vec<usize> = component::by_cluster(&candidates)
        .into_par_iter()
        .flat_map_iter(|links| spanning_forest(evidence, partition, links))
        .collect();
    for edge in forests {
        kept[edge] = true;
    }
}

/// Returns the links of one cluster that Kruskal's algorithm takes, strongest first.
fn spanning_forest(
    evidence: &[Evidence],
    partition: &Partition,
    links: &[Candidate],
) -> Vec<usize> {
    let members = partition.members(links[0].cluster);
    let mut sets = UnionFind::<u32>::new(members.len());
    let joins = |link: &&Candidate| {
        let edge = &evidence[link.edge];
        sets.union(
            component::local(members, edge.left),
            component::local(members, edge.right),
        )
    };
    links.iter().filter(joins).map(|link| link.edge).collect()
}
