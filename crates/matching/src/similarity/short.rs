//! The kernels for two values of at most eight ASCII bytes, as most names are.
//!
//! Cost: one comparison of all bytes with all, then a dozen operations a byte for distances, and
//! about fifty in all for Jaro, whatever the lengths. There is hardly a jump: on values of
//! changing lengths a processor guesses half of the loops' ends wrong, which costs more than the
//! rounds that are saved.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use super::jaro::boost;
use super::machine::Machine;
use super::positions::{HIGH_BITS, SEVEN_BITS, Word, below};

/// The longest value in bytes.
const LEN_MAX: usize = 8;

/// `part / whole`, as the division gives it.
const SHARES: [[f64; LEN_MAX + 1]; LEN_MAX + 1] = {
    let mut shares = [[0.0; LEN_MAX + 1]; LEN_MAX + 1];
    let mut part = 0;
    while part <= LEN_MAX {
        let mut whole = 1;
        while whole <= LEN_MAX {
            shares[part][whole] = part as f64 / whole as f64;
            whole += 1;
        }
        part += 1;
    }
    shares
};

/// For each two lengths, which bytes of the first are near enough to which of the second: a row
/// of eight bits for each byte of the first.
const NEAR: [[u64; LEN_MAX + 1]; LEN_MAX + 1] = {
    let mut near = [[0; LEN_MAX + 1]; LEN_MAX + 1];
    let mut cell = 0;
    while cell < (LEN_MAX + 1) * (LEN_MAX + 1) * 64 {
        let (lens, i, j) = (cell / 64, cell % 64 / 8, cell % 8);
        let (a_len, b_len) = (lens / (LEN_MAX + 1), lens % (LEN_MAX + 1));
        let longer = if a_len > b_len { a_len } else { b_len };
        let reach = (longer / 2).saturating_sub(1);
        if i < a_len && j < b_len && i <= j + reach && j <= i + reach {
            near[a_len][b_len] |= 1 << (8 * i + j);
        }
        cell += 1;
    }
    near
};

/// Two short values, neither empty.
#[derive(Clone, Copy)]
pub(super) struct ShortPair {
    a: Word,
    b: Word,
    a_len: usize,
    b_len: usize,
}

impl ShortPair {
    /// Packs two values if both are short ASCII.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a_len, b_len) = (a.len(), b.len());
        if a_len.wrapping_sub(1) >= LEN_MAX || b_len.wrapping_sub(1) >= LEN_MAX {
            return None;
        }
        let (a, b) = (Word::new(a.as_bytes()), Word::new(b.as_bytes()));
        ((a.0 | b.0) & HIGH_BITS == 0).then_some(Self { a, b, a_len, b_len })
    }

    /// Returns how many first bytes are equal, at most four.
    #[inline(always)]
    fn common_prefix_len(self) -> usize {
        let equal = ((self.a.0 ^ self.b.0 | 1 << 32).trailing_zeros() / 8) as usize;
        equal.min(self.a_len).min(self.b_len)
    }

    /// Returns the Jaro-Winkler similarity.
    #[inline(always)]
    pub(super) fn jaro_winkler(self, machine: impl Machine) -> f64 {
        boost(self.jaro(machine), self.common_prefix_len())
    }

    /// Returns the Jaro similarity.
    #[inline(always)]
    pub(super) fn jaro(self, machine: impl Machine) -> f64 {
        let near = NEAR[self.a_len][self.b_len];
        let (claims, taken) = settle(machine.cross(self.a.0, self.b.0) & near);
        let matched_a = machine.squeeze(self.a.0, machine.occupied(claims));
        let matched_b = machine.squeeze(self.b.0, taken);
        // ASCII bytes differ in their seven low bits if at all.
        let displaced = (((matched_a ^ matched_b) + SEVEN_BITS) & HIGH_BITS).count_ones();
        let matched = claims.count_ones() as usize;
        let in_order = matched - displaced as usize / 2;
        let shares = &SHARES[matched];
        (shares[self.a_len] + shares[self.b_len] + SHARES[in_order][matched]) / 3.0
    }

    /// Returns the edit distance, with or without swaps of neighbours.
    ///
    /// Both values are moved to the end of their words, which gives them a common beginning
    /// that no distance depends on.
    #[inline(always)]
    pub(super) fn distance<const SWAPS: bool>(self, machine: impl Machine) -> u32 {
        let (longer, shorter, longer_len, shorter_len) = if self.a_len > self.b_len {
            (self.a.0, self.b.0, self.a_len, self.b_len)
        } else {
            (self.b.0, self.a.0, self.b_len, self.a_len)
        };
        let before = LEN_MAX - longer_len;
        let rows = machine.cross(longer << (8 * before), shorter << (8 * before));
        // Down the column of the table: no +1, and -1.
        let (mut no_rises, mut falls) = (0_u64, 0_u64);
        let (mut diagonal, mut previous) = (0_u64, 0_u64);
        for row in 0..LEN_MAX {
            // What other rows leave above reaches no lower bit.
            let equal = rows >> (8 * row);
            let swapped = if SWAPS {
                ((!diagonal & equal) << 1) & previous
            } else {
                0
            };
            let stepped = no_rises.wrapping_sub(equal & !no_rises) ^ no_rises;
            diagonal = stepped | (equal | falls | swapped);
            let across_rises =
                (falls << 1 | 1).wrapping_add((no_rises & !diagonal).wrapping_shl(1));
            let across_falls = (diagonal & !no_rises) << 1;
            no_rises = (diagonal | across_rises) & !across_falls;
            falls = across_rises & diagonal;
            previous = equal;
        }
        let valid = below(before + shorter_len);
        LEN_MAX as u32 + (!no_rises & valid).count_ones() - (falls & valid).count_ones()
    }
}

/// Lets each row take the lowest of its columns that no earlier row takes.
///
/// Returns what each row took, and all columns taken.
#[inline(always)]
fn settle(mut open: u64) -> (u64, u8) {
    loop {
        // The lowest bit of each byte.
        let claims = open & ((HIGH_BITS - (open & SEVEN_BITS)) ^ (!open & HIGH_BITS));
        let mut taken = claims | claims << 8;
        taken |= taken << 16;
        taken |= taken << 32;
        // A column that a row claims goes to it or an earlier row, so never to a later one.
        let earlier = taken << 8;
        if claims & earlier == 0 {
            return (claims, (taken >> 56) as u8);
        }
        open &= !earlier;
    }
}
