//! Connected components of link evidence, found by all threads at once.
//!
//! Cost: four bytes a node; per link about two cache misses when nodes are scattered,
//! none when links are sorted and clusters are near each other.

use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use crate::{Decision, Evidence};

/// Edges that one thread takes at a time.
const BATCH_LEN: usize = 16 * 1024;

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
