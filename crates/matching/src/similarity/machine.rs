//! The steps of the kernels that some processors do many bytes at a time.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use super::positions::{GATHER, HIGH_BITS, Positions, SEVEN_BITS, Table, Word, WordPair};

/// What a kernel asks of the processor.
pub(super) trait Machine: Copy {
    /// Where bytes occur in a value of nine to sixteen bytes.
    type Middle: Positions;
    /// Where bytes occur in a value of seventeen to thirty-two bytes.
    type Long: Positions;
    /// Where bytes occur in a value of thirty-three to sixty-four bytes.
    type Longest: Positions;

    /// Compares each byte of one word with each of another: bit `8 * i + j` tells whether byte `i`
    /// of the first equals byte `j` of the second.
    fn cross(self, rows: u64, columns: u64) -> u64;

    /// Returns a bit for each byte of a word that is not zero.
    fn occupied(self, word: u64) -> u8;

    /// Moves the bytes of a word that are kept together, to its low end, before zeros.
    fn squeeze(self, word: u64, keep: u8) -> u64;

    /// Notes every position of a value of nine to sixteen bytes.
    fn middle(self, value: &[u8]) -> Self::Middle;

    /// Notes every position of a value of seventeen to thirty-two bytes.
    fn long(self, value: &[u8]) -> Self::Long;

    /// Notes every position of a value of thirty-three to sixty-four bytes.
    fn longest(self, value: &[u8]) -> Self::Longest;
}

/// Any processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

impl Machine for Plain {
    type Middle = WordPair;
    type Long = Table;
    type Longest = Table;

    #[inline(always)]
    fn cross(self, rows: u64, columns: u64) -> u64 {
        let of_row = |row: u32| Word(columns).of((rows >> (8 * row)) as u8) << (8 * row);
        (0..8).fold(0, |equal, row| equal | of_row(row))
    }

    #[inline(always)]
    fn occupied(self, word: u64) -> u8 {
        let occupied = (((word & SEVEN_BITS) + SEVEN_BITS) | word) & HIGH_BITS;
        ((occupied >> 7).wrapping_mul(GATHER) >> 56) as u8
    }

    #[inline(always)]
    fn squeeze(self, word: u64, keep: u8) -> u64 {
        (0..8).rev().fold(0, |squeezed, byte| {
            let longer = squeezed << 8 | word >> (8 * byte) & 0xff;
            let is_kept = u64::from(keep >> byte & 1).wrapping_neg();
            squeezed ^ (squeezed ^ longer) & is_kept
        })
    }

    #[inline(always)]
    fn middle(self, value: &[u8]) -> WordPair {
        WordPair::new(value)
    }

    #[inline(always)]
    fn long(self, value: &[u8]) -> Table {
        Table::new(value)
    }

    #[inline(always)]
    fn longest(self, value: &[u8]) -> Table {
        Table::new(value)
    }
}
