//! The kernels for two values of at most eight characters, as most names are: bytes of ASCII, or
//! pairs of bytes.
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
use super::positions::{GATHER, HIGH_BITS, SEVEN_BITS, Word, below};

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

/// Two short values, neither empty, by planes of seven bits of each character.
#[derive(Clone, Copy)]
pub(super) struct ShortPair<const PLANES: usize> {
    a: [u64; PLANES],
    b: [u64; PLANES],
    a_len: usize,
    b_len: usize,
}

impl ShortPair<1> {
    /// Packs two values if both are short ASCII.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a_len, b_len) = (a.len(), b.len());
        if a_len.wrapping_sub(1) >= LEN_MAX || b_len.wrapping_sub(1) >= LEN_MAX {
            return None;
        }
        let (a, b) = (Word::new(a.as_bytes()).0, Word::new(b.as_bytes()).0);
        ((a | b) & HIGH_BITS == 0).then_some(Self {
            a: [a],
            b: [b],
            a_len,
            b_len,
        })
    }
}

impl ShortPair<2> {
    /// Packs two values of at most eight characters if none of them takes more than two bytes, as
    /// in European and Near Eastern scripts.
    #[inline(always)]
    pub(super) fn folded(machine: impl Machine, a: &str, b: &str) -> Option<Self> {
        let (a, a_len) = fold(machine, a.as_bytes())?;
        let (b, b_len) = fold(machine, b.as_bytes())?;
        Some(Self { a, b, a_len, b_len })
    }
}

/// Returns the last bytes of characters, and the bytes before them where there are two; and how
/// many characters there are.
///
/// Seven bits of each byte tell characters apart: what begins one of two bytes is never zero in
/// them.
#[inline(always)]
fn fold(machine: impl Machine, value: &[u8]) -> Option<([u64; 2], usize)> {
    if value.is_empty() || value.len() > 2 * LEN_MAX {
        return None;
    }
    let words = match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) => {
            let beyond = 8 * (2 * LEN_MAX - value.len()) as u32;
            let last = u64::from_le_bytes(*last).unbounded_shr(beyond);
            (u64::from_le_bytes(*first), last)
        }
        _ => (Word::new(value).0, 0),
    };
    let (head, head_leads) = fold_word(machine, words.0, 0)?;
    let (tail, tail_leads) = fold_word(machine, words.1, words.0 >> 56)?;
    let len = value.len() - head_leads - tail_leads;
    let join = |plane: usize| head[plane] | tail[plane].unbounded_shl(64 - 8 * head_leads as u32);
    (len <= LEN_MAX).then(|| ([join(0), join(1)], len))
}

/// Folds eight bytes after another one; returns how many begin a character of two bytes.
#[inline(always)]
fn fold_word(machine: impl Machine, word: u64, before: u64) -> Option<([u64; 2], usize)> {
    let leads = word & word << 1 & HIGH_BITS;
    if leads & word << 2 != 0 {
        return None;
    }
    let follows = ((word & HIGH_BITS & !leads) >> 7) * 0x7f;
    let keep = !((leads >> 7).wrapping_mul(GATHER) >> 56) as u8;
    let last = machine.squeeze(word & SEVEN_BITS, keep);
    let first = machine.squeeze((word << 8 | before) & follows, keep);
    Some(([last, first], leads.count_ones() as usize))
}

impl<const PLANES: usize> ShortPair<PLANES> {
    /// Compares each character of one value with each of another.
    #[inline(always)]
    fn cross(machine: impl Machine, rows: [u64; PLANES], columns: [u64; PLANES]) -> u64 {
        let mut equal = u64::MAX;
        for plane in 0..PLANES {
            equal &= machine.cross(rows[plane], columns[plane]);
        }
        equal
    }

    /// Returns how many first bytes are equal, at most four.
    #[inline(always)]
    fn common_prefix_len(self) -> usize {
        let mut differing = 0;
        for plane in 0..PLANES {
            differing |= self.a[plane] ^ self.b[plane];
        }
        let equal = ((differing | 1 << 32).trailing_zeros() / 8) as usize;
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
        let (claims, taken) = settle(Self::cross(machine, self.a, self.b) & near);
        let occupied = machine.occupied(claims);
        let mut differing = 0;
        for plane in 0..PLANES {
            let matched_a = machine.squeeze(self.a[plane], occupied);
            differing |= matched_a ^ machine.squeeze(self.b[plane], taken);
        }
        // Bytes differ in their seven low bits if at all.
        let displaced = ((differing + SEVEN_BITS) & HIGH_BITS).count_ones();
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
        let (mut longer, mut shorter, longer_len, shorter_len) = if self.a_len > self.b_len {
            (self.a, self.b, self.a_len, self.b_len)
        } else {
            (self.b, self.a, self.b_len, self.a_len)
        };
        let before = LEN_MAX - longer_len;
        for plane in 0..PLANES {
            longer[plane] <<= 8 * before;
            shorter[plane] <<= 8 * before;
        }
        let rows = Self::cross(machine, longer, shorter);
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
