//! Oversized blocks, cut into groups of records that share something else too.
//!
//! A block over the bound is grouped by each part of the rules of which a record has one value at
//! most. What another rule makes by a key of its own is left to that rule. Of the other groups the
//! smallest are taken first, because two records are the likelier one entity the fewer share both
//! values, until they make as many pairs as the budget gives the block's records; larger groups
//! are refused. Which groups are taken depends on sizes alone, never on the order of records.
//!
//! Cost: two passes over the rows of a block for each part, and four bytes a distinct value; four bytes a
//! record and sixteen a group of those that are taken.

use std::ops::Range;

use rayon::prelude::*;

use super::HotKey;
use super::keys::{mix, node_of, pack};
use super::rule::{PreparedPart, PreparedRule};
use crate::BudgetSettings;

/// Marks the count of a value whose group is taken.
const TAKEN: u32 = 1 << 31;

/// The groups that a rule's oversized blocks are cut into, in key order.
#[derive(Debug, Default)]
pub(super) struct RefinedBlocks {
    keys: Vec<u64>,
    /// Where the nodes of each group start.
    starts: Vec<usize>,
    nodes: Vec<u32>,
    /// Where the keys begin that start with some bits, so that a look-up reads two places.
    buckets: Vec<u32>,
    bucket_bits: u32,
    /// Which parts make groups at all.
    used: Vec<bool>,
}

/// Nodes of groups, one after the other, and the key, start and end of each.
#[derive(Debug, Default)]
struct Groups {
    nodes: Vec<u32>,
    bounds: Vec<(u64, usize, usize)>,
}

impl RefinedBlocks {
    /// Puts the groups that each part makes in key order.
    fn of(parts: &[Groups]) -> Self {
        let mut order: Vec<(u64, usize, usize, usize)> = Vec::new();
        for (part, groups) in parts.iter().enumerate() {
            let bounds = groups.bounds.iter();
            order.extend(bounds.map(|&(key, from, to)| (key, part, from, to)));
        }
        order.par_sort_unstable();
        let mut blocks = Self {
            used: parts.iter().map(|p| !p.bounds.is_empty()).collect(),
            bucket_bits: usize::BITS - order.len().leading_zeros(),
            ..Self::default()
        };
        blocks.buckets = vec![0; (1 << blocks.bucket_bits) + 1];
        blocks.starts.push(0);
        for (key, part, from, to) in order {
            blocks.keys.push(key);
            blocks.nodes.extend_from_slice(&parts[part].nodes[from..to]);
            blocks.starts.push(blocks.nodes.len());
            let bucket = blocks.bucket(key);
            blocks.buckets[bucket + 1] += 1;
        }
        for bucket in 1..blocks.buckets.len() {
            blocks.buckets[bucket] += blocks.buckets[bucket - 1];
        }
        blocks
    }

    fn bucket(&self, key: u64) -> usize {
        key.checked_shr(u64::BITS - self.bucket_bits).unwrap_or(0) as usize
    }

    /// Returns how many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the key and the nodes of a group.
    pub(super) fn get(&self, index: usize) -> (u64, &[u32]) {
        let nodes = &self.nodes[self.starts[index]..self.starts[index + 1]];
        (self.keys[index], nodes)
    }

    /// Tells whether a part makes groups of any block.
    pub(super) fn uses(&self, part: usize) -> bool {
        self.used.get(part).is_some_and(|used| *used)
    }

    /// Tells whether a group of this key was taken.
    pub(super) fn contains(&self, key: u64) -> bool {
        self.keys[self.range(key)].contains(&key)
    }

    /// Returns the nodes of the group of a key; none if it was not taken.
    pub(super) fn nodes_of(&self, key: u64) -> &[u32] {
        let mut range = self.range(key);
        let index = range.find(|&index| self.keys[index] == key);
        index.map_or(&[], |index| self.get(index).1)
    }

    /// Returns how many bytes of memory the groups take.
    pub(super) fn bytes(&self) -> usize {
        let words = self.keys.len() + self.starts.len();
        words * size_of::<u64>() + (self.nodes.len() + self.buckets.len()) * size_of::<u32>()
    }

    /// Returns where the keys stand that begin like this one.
    fn range(&self, key: u64) -> Range<usize> {
        if self.buckets.is_empty() {
            return 0..0;
        }
        let bucket = self.bucket(key);
        self.buckets[bucket] as usize..self.buckets[bucket + 1] as usize
    }
}

/// Returns the key of the group that a part's value makes of a block.
pub(super) fn refined_key(key: u64, part: usize, hash: u64) -> u64 {
    mix(mix(key, part as u64 + 1), hash)
}

/// Cuts blocks over the bound.
#[derive(Debug)]
pub(super) struct Refiner<'r, 'p> {
    pub(super) rules: &'r [PreparedRule<'p>],
    /// All parts by which blocks can be grouped.
    pub(super) parts: &'r [PreparedPart<'p>],
    pub(super) budget: &'r BudgetSettings,
    pub(super) node_bits: u32,
}

/// How a part groups the blocks of a rule.
struct Grouping<'g, 'p> {
    index: usize,
    part: &'g PreparedPart<'p>,
    /// Rules that make the pairs of a group by a key of their own, unless that is hot too.
    covering: Vec<&'g PreparedRule<'p>>,
}

impl<'r, 'p> Refiner<'r, 'p> {
    /// Cuts the oversized blocks of a rule; returns the groups, how many pairs they make, and
    /// what each block lost.
    pub(super) fn refine(&self, rule: usize, hot: &[&[u64]]) -> (RefinedBlocks, u64, Vec<HotKey>) {
        let groupings: Vec<_> = (0..self.parts.len())
            .map(|index| self.grouping(rule, index))
            .collect();
        let tallies: Vec<Vec<Vec<u64>>> = groupings
            .par_iter()
            .map(|grouping| {
                grouping.as_ref().map_or_else(Vec::new, |grouping| {
                    let mut counts = vec![0; grouping.part.derived.len()];
                    hot.iter()
                        .map(|run| self.tally(grouping, run, &mut counts))
                        .collect()
                })
            })
            .collect();
        let (mut pairs, mut keys, mut bounds) = (0, Vec::new(), Vec::new());
        for (block, run) in hot.iter().enumerate() {
            let sizes: Vec<&[u64]> = tallies
                .iter()
                .filter_map(|blocks| blocks.get(block).map(Vec::as_slice))
                .collect();
            let group_len_max = largest_within(&sizes, self.pairs_max(run.len()));
            let made = sizes.iter().map(|sizes| pairs_up_to(sizes, group_len_max));
            let len = run.len() as u64;
            let refused_pairs = len * (len - 1) / 2 - made.clone().max().unwrap_or(0);
            pairs += made.sum::<u64>();
            keys.push(HotKey { len, refused_pairs });
            bounds.push(group_len_max);
        }
        let groups: Vec<Groups> = groupings
            .par_iter()
            .map(|grouping| {
                grouping.as_ref().map_or_else(Groups::default, |grouping| {
                    self.collect(grouping, hot, &bounds)
                })
            })
            .collect();
        (RefinedBlocks::of(&groups), pairs, keys)
    }

    /// Lists, in words of (key, node), the nodes of oversized blocks that share a part's value with no
    /// other of their block: groups of one, which one more record would make groups of two.
    pub(super) fn alone(&self, rule: usize, hot: &[&[u64]]) -> Vec<u64> {
        let parts = 0..self.parts.len();
        let groupings = parts.filter_map(|index| self.grouping(rule, index));
        let groupings: Vec<_> = groupings.collect();
        let alone = groupings.par_iter().flat_map_iter(|grouping| {
            let mut counts = vec![0; grouping.part.derived.len()];
            let mut alone = Vec::new();
            for run in hot {
                let key = run[0] >> self.node_bits;
                self.count(grouping, run, &mut counts);
                for node in self.nodes(run) {
                    let id = grouping.part.id(node as usize);
                    if counts[id as usize] == 1 && !self.is_covered(grouping, node) {
                        let key = refined_key(key, grouping.index, grouping.part.derived.hash(id));
                        alone.push(pack(key, node as usize, self.node_bits));
                    }
                }
                for node in self.nodes(run) {
                    counts[grouping.part.id(node as usize) as usize] = 0;
                }
            }
            alone
        });
        let mut alone: Vec<u64> = alone.collect();
        alone.par_sort_unstable();
        alone
    }

    /// Returns how many pairs the groups of a block of this length may make.
    fn pairs_max(&self, len: usize) -> u64 {
        (self.budget.refined_pairs_per_record_max * len as f64) as u64
    }

    /// Returns how a part groups the blocks of a rule; none if it can make no pair that another
    /// rule does not make by a key of its own.
    fn grouping(&self, rule: usize, index: usize) -> Option<Grouping<'r, 'p>> {
        let part = &self.parts[index];
        let own = &self.rules[rule].parts;
        if own.iter().any(|other| other.part == part.part) {
            return None;
        }
        let shared = |other: &PreparedPart<'_>| {
            let is_own = |own: &PreparedPart<'_>| own.single() && own.part == other.part;
            other.part == part.part || own.iter().any(is_own)
        };
        let others = self.rules.iter().enumerate();
        let others = others.filter(|&(other, _)| other != rule).map(|(_, o)| o);
        let covering: Vec<_> = others
            .filter(|other| !other.multi && other.parts.iter().all(shared))
            .collect();
        let is_covered = covering.iter().any(|other| other.hot.is_empty());
        (!is_covered).then_some(Grouping {
            index,
            part,
            covering,
        })
    }

    /// Counts the groups of a block by their length, up to the longest that can be taken.
    fn tally(&self, grouping: &Grouping<'_, '_>, run: &[u64], counts: &mut [u32]) -> Vec<u64> {
        let pairs_max = self.pairs_max(run.len());
        let mut sizes = Vec::new();
        self.count(grouping, run, counts);
        for node in self.nodes(run) {
            let count = std::mem::take(&mut counts[grouping.part.id(node as usize) as usize]);
            let is_short =
                count <= self.budget.block_len_max && pairs_of(count.into()) <= pairs_max;
            if count > 1 && is_short && !self.is_covered(grouping, node) {
                let size = count as usize;
                sizes.resize(sizes.len().max(size + 1), 0);
                sizes[size] += 1;
            }
        }
        sizes
    }

    /// Lists the groups of blocks that are no longer than the bound of each.
    fn collect(&self, grouping: &Grouping<'_, '_>, hot: &[&[u64]], bounds: &[u32]) -> Groups {
        let mut counts = vec![0; grouping.part.derived.len()];
        let mut groups = Groups::default();
        for (run, &group_len_max) in hot.iter().zip(bounds) {
            let key = run[0] >> self.node_bits;
            let mut taken: Vec<u64> = Vec::new();
            self.count(grouping, run, &mut counts);
            for node in self.nodes(run) {
                let id = grouping.part.id(node as usize);
                let count = &mut counts[id as usize];
                if *count & TAKEN == 0 {
                    let is_taken =
                        (2..=group_len_max).contains(count) && !self.is_covered(grouping, node);
                    *count = if is_taken { TAKEN } else { 0 };
                }
                if *count == TAKEN {
                    taken.push(u64::from(id) << 32 | u64::from(node));
                }
            }
            for word in &taken {
                counts[(word >> 32) as usize] = 0;
            }
            taken.par_sort_unstable();
            for group in taken.chunk_by(|a, b| a >> 32 == b >> 32) {
                let hash = grouping.part.derived.hash((group[0] >> 32) as u32);
                let from = groups.nodes.len();
                groups.nodes.extend(group.iter().map(|&word| word as u32));
                let key = refined_key(key, grouping.index, hash);
                groups.bounds.push((key, from, groups.nodes.len()));
            }
        }
        groups
    }

    /// Counts the nodes of a block by value; those that have none are not counted.
    fn count(&self, grouping: &Grouping<'_, '_>, run: &[u64], counts: &mut [u32]) {
        for node in self.nodes(run) {
            counts[grouping.part.id(node as usize) as usize] += 1;
        }
        counts[0] = 0;
    }

    fn nodes<'n>(&self, run: &'n [u64]) -> impl Iterator<Item = u32> + use<'n> {
        let node_bits = self.node_bits;
        run.iter().map(move |&word| node_of(word, node_bits))
    }

    /// Tells whether another rule makes the pairs of the group that a node is in.
    fn is_covered(&self, grouping: &Grouping<'_, '_>, node: u32) -> bool {
        let covers = |rule: &&PreparedRule<'_>| !rule.is_hot_for(node, self.node_bits);
        grouping.covering.iter().any(covers)
    }
}

fn pairs_of(len: u64) -> u64 {
    len * len.saturating_sub(1) / 2
}

/// Returns the pairs of groups up to a length, given how many there are of each length.
fn pairs_up_to(sizes: &[u64], len_max: u32) -> u64 {
    let sizes = (0..=u64::from(len_max)).zip(sizes);
    sizes.map(|(len, &count)| count * pairs_of(len)).sum()
}

/// Returns the greatest length up to which all groups together make no more pairs than allowed.
fn largest_within(sizes: &[&[u64]], pairs_max: u64) -> u32 {
    let longest = sizes.iter().map(|sizes| sizes.len()).max().unwrap_or(0);
    let mut pairs = 0;
    for len in 2..longest {
        let groups: u64 = sizes.iter().filter_map(|sizes| sizes.get(len)).sum();
        pairs += groups * pairs_of(len as u64);
        if pairs > pairs_max {
            return len as u32 - 1;
        }
    }
    longest.saturating_sub(1) as u32
}

#[cfg(test)]
mod tests;
