//! Edit distances: Levenshtein, and Damerau in its optimal string alignment form.
//!
//! Cost: about fifteen word operations per byte of the second value (Myers 1999; Hyyrö 2003 for
//! transpositions): column `j` of the distance table is held as two bit vectors of differences.

use super::positions::{Decoded, FEW, LANES, Positions, Table, Word, WordPair, below};
use super::short::ShortPair;
use super::{KERNEL_LEN_MAX, as_kernel_input, clip};

/// Returns the fewest insertions, deletions and substitutions that make one value the other.
#[inline]
pub fn levenshtein(a: &str, b: &str) -> u32 {
    distance_within_kernels::<false>(a, b)
        .unwrap_or_else(|| strsim::levenshtein(clip(a), clip(b)) as u32)
}

/// Returns the fewest insertions, deletions, substitutions and swaps of neighbours, none edited twice.
#[inline]
pub fn damerau(a: &str, b: &str) -> u32 {
    distance_within_kernels::<true>(a, b)
        .unwrap_or_else(|| strsim::osa_distance(clip(a), clip(b)) as u32)
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

/// Returns the distance of values that fit a word of positions.
#[inline]
fn distance_within_kernels<const SWAPS: bool>(a: &str, b: &str) -> Option<u32> {
    if let Some(pair) = ShortPair::new(a, b) {
        return Some(pair.distance::<SWAPS>());
    }
    if let Some((a, b)) = as_kernel_input(a, b) {
        return Some(distance::<SWAPS>(a, b));
    }
    if a.len().max(b.len()) <= FEW {
        distance_of_letters::<SWAPS, { FEW / LANES }>(a, b)
    } else {
        distance_of_letters::<SWAPS, { KERNEL_LEN_MAX / LANES }>(a, b)
    }
}

fn distance_of_letters<const SWAPS: bool, const TIMES: usize>(a: &str, b: &str) -> Option<u32> {
    let (a, b) = (Decoded::<TIMES>::new(a)?, Decoded::<TIMES>::new(b)?);
    let (a_len, b_len) = (a.characters().len(), b.characters().len());
    if a_len == 0 || b_len == 0 {
        return Some(a_len.max(b_len) as u32);
    }
    let positions = a.positions();
    Some(distance_over::<SWAPS, u32>(
        &positions,
        a_len,
        b.characters(),
    ))
}

#[inline]
fn distance<const SWAPS: bool>(a: &[u8], b: &[u8]) -> u32 {
    if a.is_empty() || b.is_empty() {
        return a.len().max(b.len()) as u32;
    }
    match a.len() {
        ..=8 => distance_over::<SWAPS, u8>(&Word::new(a), a.len(), b),
        9..=16 => distance_over::<SWAPS, u8>(&WordPair::new(a), a.len(), b),
        _ => distance_over::<SWAPS, u8>(&Table::new(a), a.len(), b),
    }
}

#[inline]
fn distance_over<const SWAPS: bool, T: Copy>(
    a_positions: &impl Positions<T>,
    a_len: usize,
    b: &[T],
) -> u32 {
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
