//! The Levenshtein distance of values of at most sixteen ASCII bytes, computed from both ends.
//!
//! The longer value is cut in the middle. The table of its first half from the start and that of its
//! last half from the end are filled in turns, side by side in one word; the distance is the least
//! sum over all places where the other value may be cut. Half of the rounds, each waiting for the
//! one before, are thus left. Cost: about fifteen operations per two bytes, and twenty-five to meet.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use super::positions::{HIGH_BITS, Word};
use super::vectors::Vectors;

/// The longest value in bytes.
const LEN_MAX: usize = 16;
/// The longest value of the kernel for short values.
const SHORT_LEN_MAX: usize = 8;

/// Two values of at most eight bytes, neither empty.
#[derive(Clone, Copy)]
pub(super) struct EndPair {
    longer: u64,
    shorter: u64,
    /// The positions of the shorter value.
    valid: u64,
}

/// Two values of at most sixteen bytes, neither empty.
#[derive(Clone, Copy)]
pub(super) struct LongEndPair {
    longer: [u64; 2],
    shorter: [u64; 2],
    more: usize,
}

impl EndPair {
    /// Packs two values if both are short ASCII.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        if !fit(a, b, SHORT_LEN_MAX) {
            return None;
        }
        let words = (Word::at_end(a).0, Word::at_end(b).0);
        let (longer, shorter) = in_order(a, b, words);
        let valid = VALID[a.len()][b.len()];
        ((longer | shorter) & HIGH_BITS == 0).then_some(Self {
            longer,
            shorter,
            valid,
        })
    }

    /// Returns the Levenshtein distance.
    #[inline(always)]
    pub(super) fn levenshtein(self, machine: Vectors) -> u32 {
        let rows = machine.cross_ends(self.longer, self.shorter);
        let valid = self.valid;
        let (no_rises, falls) = from_both_ends::<4>(valid, |round| match round {
            0 => rows << 8,
            _ => rows >> (8 * (round - 1)),
        });
        machine.meet(no_rises, falls)
    }
}

impl LongEndPair {
    /// Packs two values if both are ASCII and not too long.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        if !fit(a, b, LEN_MAX) {
            return None;
        }
        let (longer, shorter) = in_order(a, b, (at_end(a), at_end(b)));
        let more = a.len().abs_diff(b.len());
        let all = longer[0] | longer[1] | shorter[0] | shorter[1];
        (all & HIGH_BITS == 0).then_some(Self {
            longer,
            shorter,
            more,
        })
    }

    /// Returns the Levenshtein distance.
    #[inline(always)]
    pub(super) fn levenshtein(self, machine: Vectors) -> u32 {
        let ends = machine.long_ends(self.longer, self.shorter);
        let (start, end) = (0xffff << self.more & 0xffff, 0xffff >> self.more);
        let valid = start << 8 | end << 48;
        let (no_rises, falls) = from_both_ends::<8>(valid, |round| {
            let row = ends.cross(round);
            row << 8 | row << 32
        });
        machine.meet_long(no_rises, falls)
    }
}

#[inline(always)]
fn fit(a: &[u8], b: &[u8], len_max: usize) -> bool {
    a.len().wrapping_sub(1) < len_max && b.len().wrapping_sub(1) < len_max
}

/// Puts what stands for the longer value first.
#[inline(always)]
fn in_order<T>(a: &[u8], b: &[u8], (of_a, of_b): (T, T)) -> (T, T) {
    if a.len() > b.len() {
        (of_a, of_b)
    } else {
        (of_b, of_a)
    }
}

/// Returns two words with the value at their end, after zeros.
#[inline(always)]
fn at_end(value: &[u8]) -> [u64; 2] {
    match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) if value.len() > SHORT_LEN_MAX => {
            let first = u64::from_le_bytes(*first) << (8 * (LEN_MAX - value.len()));
            [first, u64::from_le_bytes(*last)]
        }
        _ => [0, Word::at_end(value).0],
    }
}

/// For each two lengths, the positions of the shorter value: from the start in the second byte,
/// from the end in the sixth.
const VALID: [[u64; SHORT_LEN_MAX + 1]; SHORT_LEN_MAX + 1] = {
    let mut valid = [[0; SHORT_LEN_MAX + 1]; SHORT_LEN_MAX + 1];
    let mut a_len = 0;
    while a_len <= SHORT_LEN_MAX {
        let mut b_len = 0;
        while b_len <= SHORT_LEN_MAX {
            let more = a_len.abs_diff(b_len);
            valid[a_len][b_len] = (0xff << more & 0xff) << 8 | 0xff >> more << 40;
            b_len += 1;
        }
        a_len += 1;
    }
    valid
};

/// Fills both tables; returns where the last columns do not rise, and where they fall.
///
/// Positions outside stand for rows that nothing equals and that begin as flat: those below the
/// first valid one stay flat and pass on that a column rises by one a round, which is the table's
/// upper rim; a round spoils one from below, and there are eight or more. Those beyond the last
/// valid one hold no less than it, so no sum with them is the least.
#[inline(always)]
fn from_both_ends<const ROUNDS: usize>(valid: u64, row: impl Fn(usize) -> u64) -> (u64, u64) {
    let (mut no_rises, mut falls) = (!valid, 0_u64);
    for round in 0..ROUNDS {
        let equal = row(round) & valid;
        let stepped = no_rises.wrapping_sub(equal & !no_rises) ^ no_rises;
        let diagonal = stepped | (equal | falls);
        let across_rises = (falls << 1).wrapping_add((no_rises & !diagonal) << 1);
        let across_falls = (diagonal & !no_rises) << 1;
        no_rises = (diagonal | across_rises) & !across_falls;
        falls = across_rises & diagonal;
    }
    (no_rises, falls)
}
