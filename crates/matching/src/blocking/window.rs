//! Sorted neighbourhood: records that stand near each other in the order of their values
//! (Hernandez and Stolfo 1995).
//!
//! Nodes are sorted by their values in byte order; equal ones are in node order, which is that of
//! their references, so no arrival decides. Two nodes are neighbours if fewer than the window's
//! length lie from one to the other. The order is cut into stretches as long as the window; a block is a
//! stretch and the next one, and a pair belongs to the stretch in which it begins.
//!
//! Cost: four bytes a node, and each pair of a block is looked at: twice as many as are neighbours.

use rayon::prelude::*;

use super::keys::mix;
use crate::plan::KeyPart;
use crate::prepared::Prepared;

/// Marks a node that misses a value.
const NOWHERE: u32 = u32::MAX;

/// Where nodes stand in the order of their values.
#[derive(Debug)]
pub(super) struct Window {
    len: u32,
    places: Vec<u32>,
    placed: u32,
}

impl Window {
    /// Sorts the nodes that have all parts; of several values the first counts.
    pub(super) fn new(prepared: &Prepared<'_>, parts: &[KeyPart], len: u32) -> Self {
        let records = prepared.records;
        let ordered: Vec<Vec<u32>> = parts
            .iter()
            .map(|part| {
                let (column, derived) = (
                    records.column(part.field),
                    prepared.derived(part.field, part.form),
                );
                let kind = records.schema().field(part.field).kind;
                let places = derived.places(column, kind, part.form);
                let nodes = 0..records.len();
                let place = |node| places[derived.single(column.first(node)) as usize];
                nodes.map(place).collect()
            })
            .collect();
        let is_placed = |node: &u32| ordered.iter().all(|part| part[*node as usize] != 0);
        let mut nodes: Vec<u32> = (0..records.len() as u32).filter(is_placed).collect();
        let key = |node: u32| ordered.iter().map(move |part| part[node as usize]);
        nodes.par_sort_unstable_by(|&a, &b| key(a).cmp(key(b)).then(a.cmp(&b)));
        let mut places = vec![NOWHERE; records.len()];
        for (place, &node) in (0..).zip(&nodes) {
            places[node as usize] = place;
        }
        Self {
            len,
            places,
            placed: nodes.len() as u32,
        }
    }

    /// Returns the keys of the blocks that a node is in.
    pub(super) fn keys_of(&self, node: u32) -> impl Iterator<Item = u64> + use<> {
        let place = self.places[node as usize];
        let stretch = (place != NOWHERE).then_some(place / self.len);
        let before = stretch.and_then(|stretch| stretch.checked_sub(1));
        stretch.into_iter().chain(before).map(key_of)
    }

    /// Returns the key of the block that makes a pair, if the two are neighbours.
    #[inline]
    pub(super) fn key(&self, a: u32, b: u32) -> Option<u64> {
        let (a, b) = (self.places[a as usize], self.places[b as usize]);
        let is_near = a != NOWHERE && b != NOWHERE && a.abs_diff(b) < self.len;
        is_near.then(|| key_of(a.min(b) / self.len))
    }

    /// Returns how many pairs belong to a block.
    pub(super) fn pairs_of(&self, nodes: impl Iterator<Item = u32>) -> u64 {
        let first = nodes.map(|node| self.places[node as usize]).min();
        let start = first.map_or(0, |place| place / self.len * self.len);
        let places = start..self.placed.min(start + self.len);
        let following = places.map(|place| (self.len - 1).min(self.placed - 1 - place));
        following.map(u64::from).sum()
    }
}

/// The nodes that a rule puts in order, without where each stands.
#[derive(Debug)]
pub(super) struct Order {
    len: u32,
    nodes: Vec<u32>,
}

impl Window {
    /// Keeps the order alone.
    pub(super) fn into_order(self) -> Order {
        let mut nodes = vec![0; self.placed as usize];
        let places = (0..).zip(&self.places);
        for (node, &place) in places.filter(|(_, place)| **place != NOWHERE) {
            nodes[place as usize] = node;
        }
        Order {
            len: self.len,
            nodes,
        }
    }
}

impl Order {
    /// Returns the neighbours of one more record, given which nodes stand before it.
    pub(super) fn around(&self, is_before: impl Fn(u32) -> bool) -> &[u32] {
        let place = self.nodes.partition_point(|&node| is_before(node));
        let reach = self.len as usize - 1;
        &self.nodes[place.saturating_sub(reach)..self.nodes.len().min(place + reach)]
    }

    /// Returns how many bytes of memory it takes.
    pub(super) fn bytes(&self) -> usize {
        self.nodes.len() * size_of::<u32>()
    }
}

/// Spreads the numbers of stretches, for words are sorted by the first bits of keys.
fn key_of(stretch: u32) -> u64 {
    mix(0, u64::from(stretch) + 1)
}

#[cfg(test)]
mod tests;
