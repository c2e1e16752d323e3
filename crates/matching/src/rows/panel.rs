//! The rows of a few nodes, eight by eight, so that one node is compared with eight at a time.
//!
//! Cost: a copy of each row.

use super::Rows;
use crate::lanes::LANES;

/// The rows of some nodes: of each eight nodes all first words side by side, then all second words.
#[derive(Debug, Default)]
pub(crate) struct Panel {
    words: Vec<[u32; LANES]>,
    /// Words of a row, and one that says with whom its node may pair.
    width: usize,
}

impl Panel {
    /// Copies the rows of nodes, and behind each what says with whom it may pair.
    ///
    /// Behind the last node stands what nobody may look at.
    pub(crate) fn fill(&mut self, rows: &Rows, nodes: &[u32], group: impl Fn(u32) -> u32) {
        self.width = rows.width + 1;
        let eights = nodes.chunks(LANES);
        self.words
            .resize(eights.len() * self.width, Default::default());
        let places = self.words.chunks_exact_mut(self.width);
        for (places, nodes) in places.zip(eights) {
            for (lane, &node) in nodes.iter().enumerate() {
                let words = rows.words(node).iter().copied();
                for (place, word) in places.iter_mut().zip(words.chain([group(node)])) {
                    place[lane] = word;
                }
            }
        }
    }

    /// Returns the words of eight nodes; the last says with whom they may pair.
    #[inline]
    pub(crate) fn eight(&self, number: usize) -> &[[u32; LANES]] {
        &self.words[number * self.width..][..self.width]
    }
}
