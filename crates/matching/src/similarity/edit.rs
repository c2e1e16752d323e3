//! Edit distances: Levenshtein, and Damerau in its optimal string alignment form.
//!
//! Cost: about fifteen word operations per byte of the second value (Myers 1999; Hyyrö 2003 for
//! transpositions): column `j` of the distance table is held as two bit vectors of differences.

use super::positions::{Positions, Table, Word, WordPair, below};
use super::{as_kernel_input, clip};

/// Returns the fewest insertions, deletions and substitutions that make one value the other.
#[inline]
pub fn levenshtein(a: &str, b: &str) -> u32 {
    match as_kernel_input(a, b) {
        Some((a, b)) => distance::<false>(a, b),
        None => strsim::levenshtein(clip(a), clip(b)) as u32,
    }
}

/// Returns the fewest insertions, deletions, substitutions and swaps of neighbours, none edited twice.
#[inline]
pub fn damerau(a: &str, b: &str) -> u32 {
    match as_kernel_input(a, b) {
        Some((a, b)) => distance::<true>(a, b),
        None => strsim::osa_distance(clip(a), clip(b)) as u32,
    }
}

/// Tells whether the Levenshtein distance is at most the limit.
#[inline]
pub fn levenshtein_within(a: &str, b: &str, limit: u32) -> bool {
    a == b || (limit > 0 && levenshtein(a, b) <= limit)
}

/// Tells whether the Damerau distance is at most the limit.
#[inline]
pub fn damerau_within(a: &str, b: &str, limit: u32) -> bool {
    a == b || (limit > 0 && damerau(a, b) <= limit)
}

#[inline]
fn distance<const SWAPS: bool>(a: &[u8], b: &[u8]) -> u32 {
    if a.is_empty() || b.is_empty() {
        return a.len().max(b.len()) as u32;
    }
    match a.len() {
        ..=8 => distance_over::<SWAPS>(&Word::new(a), a.len(), b),
        9..=16 => distance_over::<SWAPS>(&WordPair::new(a), a.len(), b),
        _ => distance_over::<SWAPS>(&Table::new(a), a.len(), b),
    }
}

#[inline]
fn distance_over<const SWAPS: bool>(a_positions: &impl Positions, a_len: usize, b: &[u8]) -> u32 {
    let last = 1_u64 << (a_len - 1);
    let valid = below(a_len);
    let (mut rises, mut falls) = (u64::MAX, 0_u64); // down the column: +1, -1
    let (mut diagonal, mut previous) = (0_u64, 0_u64);
    let mut distance = a_len as u32;
    for byte in b {
        let equal = a_positions.of(*byte) & valid;
        let swapped = if SWAPS {
            ((!diagonal & equal) << 1) & previous
        } else {
            0
        };
        diagonal = ((equal & rises).wrapping_add(rises) ^ rises) | equal | falls | swapped;
        let across_rises = falls | !(diagonal | rises);
        let across_falls = diagonal & rises;
        distance += u32::from(across_rises & last != 0);
        distance -= u32::from(across_falls & last != 0);
        let across_rises = across_rises << 1 | 1;
        rises = across_falls << 1 | !(diagonal | across_rises);
        falls = across_rises & diagonal;
        previous = equal;
    }
    distance
}
