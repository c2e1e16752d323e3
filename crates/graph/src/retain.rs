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

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, edge, link, on_threads};
    use crate::{NodeId, QuarantineReason, connect, strongest_path};

    const NODE_COUNT: u32 = 10;

    /// Every edge that some node ranks high enough, and Kruskal's forest over all links.
    fn naive(evidence: &[Evidence], retention: Retention) -> Vec<Evidence> {
        let mut order = evidence.to_vec();
        order.sort_by_key(|edge| (Reverse(edge.weight), edge.left, edge.right));
        let mut kept = BTreeSet::new();
        for node in (0..NODE_COUNT).map(NodeId::new) {
            let bounds = [
                retention.link_count,
                retention.review_count,
                retention.quarantined_count,
            ];
            for (wanted, bound) in bounds.into_iter().enumerate() {
                let of_node = order.iter().filter(|edge| {
                    (edge.left == node || edge.right == node) && kind(edge) == wanted
                });
                kept.extend(
                    of_node
                        .take(bound.into())
                        .map(|edge| (edge.left, edge.right)),
                );
            }
        }
        let mut taken: Vec<Evidence> = Vec::new();
        for edge in order.iter().filter(|edge| edge.decision == Decision::Link) {
            let labels = connect(NODE_COUNT as usize, &taken);
            if labels[edge.left.index()] != labels[edge.right.index()] {
                taken.push(*edge);
            }
        }
        kept.extend(taken.iter().map(|edge| (edge.left, edge.right)));
        evidence
            .iter()
            .filter(|edge| kept.contains(&(edge.left, edge.right)))
            .copied()
            .collect()
    }

    /// Makes some reviews quarantined links, which is all that differs for keeping them.
    fn with_quarantine(evidence: Vec<Evidence>) -> Vec<Evidence> {
        let quarantined = Decision::Quarantined(QuarantineReason::ClusterSize);
        let change = |(index, edge): (usize, Evidence)| match edge.decision {
            Decision::Review if index % 2 == 0 => Evidence {
                decision: quarantined,
                ..edge
            },
            _ => edge,
        };
        evidence.into_iter().enumerate().map(change).collect()
    }

    fn partition(evidence: &[Evidence]) -> Partition {
        Partition::from_labels(&connect(NODE_COUNT as usize, evidence))
    }

    fn tight() -> Retention {
        Retention {
            link_count: 1,
            quarantined_count: 2,
            review_count: 1,
        }
    }

    #[test]
    fn small_clusters_keep_all() {
        let evidence = vec![link(0, 1, 5), link(0, 2, 3), link(1, 2, 4), link(3, 4, 1)];
        let kept = retain(
            evidence.clone(),
            &partition(&evidence),
            Retention::default(),
        );
        assert_eq!(kept, evidence);
    }

    #[test]
    fn a_weak_bridge_between_dense_parts_stays() {
        // Two cliques of strong links, joined by one link that is nobody's strongest.
        let clique = |nodes: std::ops::Range<u32>| {
            let pairs = nodes
                .clone()
                .flat_map(move |a| (a + 1..nodes.end).map(move |b| (a, b)));
            pairs.map(|(a, b)| link(a, b, 900)).collect::<Vec<_>>()
        };
        let mut evidence = [clique(0..5), clique(5..10), vec![link(2, 7, 1)]].concat();
        evidence.sort_by_key(|edge| (edge.left, edge.right));
        let kept = retain(evidence.clone(), &partition(&evidence), tight());
        assert!(kept.contains(&link(2, 7, 1)));
        assert!(kept.len() < evidence.len());
    }

    #[test]
    fn a_node_keeps_its_strongest_reviews_and_those_of_others() {
        let reviews: Vec<Evidence> = (1..NODE_COUNT)
            .map(|node| edge(0, node, node as i16, Decision::Review))
            .collect();
        let kept = retain(reviews.clone(), &partition(&reviews), tight());
        assert_eq!(kept, reviews, "each is the strongest of its other end");
    }

    proptest! {
        #[test]
        fn what_stays_is_what_the_naive_way_keeps_on_any_number_of_threads(
            evidence in fixture::evidence(NODE_COUNT, 60),
            threads in 1..=4_usize,
        ) {
            let evidence = with_quarantine(evidence);
            let expected = naive(&evidence, tight());
            let partition = partition(&evidence);
            let kept = on_threads(threads, || retain(evidence, &partition, tight()));
            prop_assert_eq!(kept, expected);
        }

        #[test]
        fn strongest_paths_stay_as_strong(
            evidence in fixture::evidence(NODE_COUNT, 60),
            from in 0..NODE_COUNT,
            to in 0..NODE_COUNT,
        ) {
            let kept = retain(evidence.clone(), &partition(&evidence), tight());
            let weakest = |edges: &[Evidence]| {
                let path = strongest_path(edges, NodeId::new(from), NodeId::new(to));
                path.map(|path| path.iter().map(|edge| edge.weight).min())
            };
            prop_assert_eq!(weakest(&kept), weakest(&evidence));
        }
    }
}
