//! The rows of a few nodes, word by word, so that one node is compared with eight at a time.
//!
//! Cost: a copy of each row.

use super::Rows;
use crate::lanes::LANES;

/// The words of some nodes, all first words side by side, then all second words.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    words: Vec<u32>,
    /// From a word to the next one of the same node.
    stride: usize,
    /// Where a row's first hint stands.
    hints: usize,
}

impl Panel {
    /// Copies the rows of nodes, and beside each what says with whom it may pair.
    pub(crate) fn fill(&mut self, rows: &Rows, nodes: &[u32], group: impl Fn(u32) -> u32) {
        // Eight words can be read from any place on.
        self.stride = nodes.len().next_multiple_of(LANES) + LANES;
        self.hints = rows.slot_count() + 1;
        self.words.resize(self.stride * (rows.width + 1), 0);
        for (place, &node) in nodes.iter().enumerate() {
            let words = rows.words(node).iter().copied();
            let places = self.words[place..].iter_mut().step_by(self.stride);
            for (copy, word) in places.zip(words.chain([group(node)])) {
                *copy = word;
            }
        }
    }

    /// Returns a word of the node at a place.
    #[inline]
    pub(crate) fn word(&self, word: usize, place: usize) -> u32 {
        self.words[word * self.stride + place]
    }

    /// Returns a word of eight nodes; behind the last node stands what nobody may look at.
    #[inline]
    pub(crate) fn eight(&self, word: usize, from: usize) -> &[u32; LANES] {
        let words = self.words[word * self.stride + from..].first_chunk();
        words.expect("a panel is longer than its nodes by eight")
    }

    /// Returns which word is the first of a hint.
    #[inline]
    pub(crate) fn hint(&self, at: usize) -> usize {
        self.hints + at
    }

    /// Returns which word says with whom a node may pair.
    #[inline]
    pub(crate) fn group(&self) -> usize {
        self.words.len() / self.stride - 1
    }
}
