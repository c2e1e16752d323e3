//! The kernels for two values of at most eight ASCII bytes, as most names are.
//!
//! Cost: eight rounds of about twenty operations whatever the lengths, and no jump: on values of
//! changing lengths a processor guesses half of the loops' ends wrong, which costs more than the
//! rounds that are saved.

use super::positions::{HIGH_BITS, Positions, Word, below};

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
    #[inline]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a_len, b_len) = (a.len(), b.len());
        if a_len.wrapping_sub(1) >= LEN_MAX || b_len.wrapping_sub(1) >= LEN_MAX {
            return None;
        }
        let (a, b) = (Word::new(a.as_bytes()), Word::new(b.as_bytes()));
        ((a.0 | b.0) & HIGH_BITS == 0).then_some(Self { a, b, a_len, b_len })
    }

    /// Returns how many first bytes are equal, at most four.
    #[inline]
    pub(super) fn common_prefix_len(self) -> usize {
        let equal = ((self.a.0 ^ self.b.0 | 1 << 32).trailing_zeros() / 8) as usize;
        equal.min(self.a_len).min(self.b_len)
    }

    /// Returns the Jaro similarity.
    #[inline]
    pub(super) fn jaro(self) -> f64 {
        let reach = (self.a_len.max(self.b_len) / 2).saturating_sub(1);
        let all_b = below(self.b_len);
        let (mut window, mut free) = (below(reach + 1), all_b);
        let mut a_matched = 0_u64;
        let mut equal = [0_u64; LEN_MAX];
        for (position, equal) in equal.iter_mut().enumerate() {
            *equal = self.b.of((self.a.0 >> (8 * position)) as u8);
            let valid = u64::from(position < self.a_len).wrapping_neg();
            let candidates = *equal & window & free & valid;
            free ^= candidates & candidates.wrapping_neg();
            a_matched |= u64::from(candidates != 0) << position;
            window = window << 1 | u64::from(position < reach);
        }
        let mut rest = all_b ^ free;
        let mut displaced = 0;
        let mut matched = 0;
        for (position, equal) in equal.iter().enumerate() {
            let is_matched = a_matched >> position & 1;
            let first = rest & rest.wrapping_neg() & is_matched.wrapping_neg();
            rest ^= first;
            displaced += is_matched & u64::from(equal & first == 0);
            matched += is_matched;
        }
        if matched == 0 {
            return 0.0;
        }
        let matched = matched as usize;
        let shares = &SHARES[matched];
        let in_order = matched - displaced as usize / 2;
        (shares[self.a_len] + shares[self.b_len] + SHARES[in_order][matched]) / 3.0
    }

    /// Returns the edit distance, with or without swaps of neighbours.
    ///
    /// The second value stands at the end of its word: the rounds before its first byte find
    /// nothing equal and leave the table's first column as it is.
    #[inline]
    pub(super) fn distance<const SWAPS: bool>(self) -> u32 {
        let before = LEN_MAX - self.b_len;
        let b = self.b.0 << (8 * before);
        let valid = below(self.a_len);
        let (mut rises, mut falls) = (u64::MAX, 0_u64); // down the column: +1, -1
        let (mut diagonal, mut previous) = (0_u64, 0_u64);
        for position in 0..LEN_MAX {
            let begun = u64::from(position >= before);
            let equal = self.a.of((b >> (8 * position)) as u8) & valid & begun.wrapping_neg();
            let swapped = if SWAPS {
                ((!diagonal & equal) << 1) & previous
            } else {
                0
            };
            diagonal = ((equal & rises).wrapping_add(rises) ^ rises) | equal | falls | swapped;
            let across_rises = (falls | !(diagonal | rises)) << 1 | begun;
            let across_falls = (diagonal & rises) << 1;
            rises = across_falls | !(diagonal | across_rises);
            falls = across_rises & diagonal;
            previous = equal;
        }
        let (up, down) = ((rises & valid).count_ones(), (falls & valid).count_ones());
        self.b_len as u32 + up - down
    }
}
