//! Connected components of link evidence, found by all threads at once.
//!
//! Cost: four bytes a node; per link about two cache misses when nodes are scattered,
//! none when links are sorted and clusters are near each other.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use crate::{Decision, Evidence};

/// Edges that one thread takes at a time; few in tests, so that small graphs make several batches.
const BATCH_LEN: usize = if cfg!(test) { 3 } else { 16 * 1024 };

/// Labels every node with the smallest node that links connect it to.
///
/// Only evidence whose decision is [`Decision::Link`] connects. The result depends on the
/// set of links alone, not on their order or the number of threads.
///
/// # Panics
/// Panics if a link names a node that does not exist.
pub fn connect(node_count: usize, edges: &[Evidence]) -> Vec<u32> {
    let forest = Forest::new(node_count);
    edges.par_chunks(BATCH_LEN).for_each(|batch| {
        for edge in batch.iter().filter(|edge| edge.decision == Decision::Link) {
            forest.union(edge.left.get(), edge.right.get());
        }
    });
    forest.into_roots()
}

/// A forest in which every parent is smaller than its child, so that a root is the smallest
/// node of its tree.
///
/// Threads share it without locks. Every access may be relaxed: a parent once read stays an
/// ancestor for ever, because parents are only ever replaced by their own ancestors, and a root
/// gets a parent only by a compare-and-swap that fails unless it still is a root.
struct Forest {
    parents: Vec<AtomicU32>,
}

impl Forest {
    fn new(node_count: usize) -> Self {
        let node_count = u32::try_from(node_count).expect("fewer than 2^32 references");
        Self {
            parents: (0..node_count)
                .into_par_iter()
                .map(AtomicU32::new)
                .collect(),
        }
    }

    fn parent(&self, node: u32) -> u32 {
        self.parents[node as usize].load(Ordering::Relaxed)
    }

    /// Returns the root of a node's tree and halves the path to it.
    fn root(&self, mut node: u32) -> u32 {
        loop {
            let parent = self.parent(node);
            if parent == node {
                return node;
            }
            let grandparent = self.parent(parent);
            if grandparent == parent {
                return parent;
            }
            // Losing the race is harmless: whoever won wrote a nearer ancestor.
            let _ = self.parents[node as usize].compare_exchange_weak(
                parent,
                grandparent,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            node = grandparent;
        }
    }

    /// Joins the trees of two nodes under the smaller of their roots.
    fn union(&self, left: u32, right: u32) {
        let (mut left, mut right) = (left, right);
        loop {
            left = self.root(left);
            right = self.root(right);
            if left == right {
                return;
            }
            let (low, high) = (left.min(right), left.max(right));
            let slot = &self.parents[high as usize];
            if slot
                .compare_exchange(high, low, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
            {
                return;
            }
        }
    }

    fn into_roots(self) -> Vec<u32> {
        (0..self.parents.len() as u32)
            .into_par_iter()
            .for_each(|node| {
                self.parents[node as usize].store(self.root(node), Ordering::Relaxed);
            });
        self.parents
            .into_iter()
            .map(AtomicU32::into_inner)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{edge, evidence, link, on_threads};

    const NODE_COUNT: u32 = 24;

    /// Labels by breadth-first search from each node in turn.
    fn search(node_count: u32, edges: &[Evidence]) -> Vec<u32> {
        let mut labels = vec![u32::MAX; node_count as usize];
        for start in 0..node_count {
            let mut queue = VecDeque::from([start]);
            while let Some(node) = queue.pop_front() {
                if labels[node as usize] != u32::MAX {
                    continue;
                }
                labels[node as usize] = start;
                for edge in edges.iter().filter(|edge| edge.decision == Decision::Link) {
                    let ends = [edge.left.get(), edge.right.get()];
                    if ends.contains(&node) {
                        queue.extend(ends);
                    }
                }
            }
        }
        labels
    }

    #[test]
    fn only_links_connect() {
        let edges = [
            link(0, 3, 1),
            edge(1, 2, 900, Decision::Review),
            edge(
                1,
                4,
                900,
                Decision::Quarantined(crate::QuarantineReason::ClusterSize),
            ),
        ];
        assert_eq!(connect(5, &edges), [0, 1, 2, 0, 4]);
    }

    #[test]
    fn a_graph_may_have_no_node() {
        assert!(connect(0, &[]).is_empty());
    }

    #[test]
    fn threads_that_race_for_one_large_component_agree() {
        const LARGE: u32 = 50_000;
        // A permutation walk: node i is tied to a pseudorandom earlier and a pseudorandom any node.
        let any = |seed: u32| seed.wrapping_mul(2_654_435_761) >> 7;
        let mut edges: Vec<Evidence> = (1..LARGE).map(|n| link(any(n) % n, n, 0)).collect();
        edges.extend((1..LARGE).map(|n| link(any(n + LARGE) % LARGE, LARGE - n, 0)));
        for threads in 1..=4 {
            assert!(
                on_threads(threads, || connect(LARGE as usize, &edges))
                    .iter()
                    .all(|&l| l == 0)
            );
        }
    }

    proptest! {
        #[test]
        fn labels_are_those_of_a_search_in_any_order_and_on_any_number_of_threads(
            edges in evidence(NODE_COUNT, 40).prop_shuffle(),
            threads in 1..=4_usize,
        ) {
            let labels = on_threads(threads, || connect(NODE_COUNT as usize, &edges));
            prop_assert_eq!(labels, search(NODE_COUNT, &edges));
        }

        #[test]
        fn raising_the_threshold_only_splits(
            edges in evidence(NODE_COUNT, 40),
            threshold in 0..4_i16,
        ) {
            let strong: Vec<Evidence> =
                edges.iter().filter(|edge| edge.weight.hundredths() >= threshold).copied().collect();
            let coarse = connect(NODE_COUNT as usize, &edges);
            let fine = connect(NODE_COUNT as usize, &strong);
            let pairs: BTreeSet<(u32, u32)> = fine.into_iter().zip(coarse).collect();
            let distinct: BTreeSet<u32> = pairs.iter().map(|pair| pair.0).collect();
            prop_assert_eq!(pairs.len(), distinct.len());
        }
    }
}
