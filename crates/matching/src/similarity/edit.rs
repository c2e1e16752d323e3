//! Edit distances: Levenshtein, and Damerau in its optimal string alignment form.
//!
//! Cost: about fifteen word operations per byte of the second value (Myers 1999; Hyyrö 2003 for
//! transpositions): column `j` of the distance table is held as two bit vectors of differences.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use super::machine::{Machine, Plain};
use super::positions::{Decoded, FEW, LANES, Positions, Word, below};
use super::short::ShortPair;
#[cfg(target_arch = "x86_64")]
use super::vectors::Vectors;
use super::{KERNEL_LEN_MAX, as_kernel_input, clip};

/// Returns the fewest insertions, deletions and substitutions that make one value the other.
#[inline]
pub fn levenshtein(a: &str, b: &str) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::at_hand() {
        return vectors.levenshtein(a, b);
    }
    distance_plainly::<false>(a, b)
}

/// Returns the fewest insertions, deletions, substitutions and swaps of neighbours, none edited twice.
#[inline]
pub fn damerau(a: &str, b: &str) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::at_hand() {
        return vectors.damerau(a, b);
    }
    distance_plainly::<true>(a, b)
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

/// Returns the distance on any processor.
pub(super) fn distance_plainly<const SWAPS: bool>(a: &str, b: &str) -> u32 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.distance::<SWAPS>(Plain),
        None => of_longer::<SWAPS>(Plain, a, b).unwrap_or_else(|| of_any::<SWAPS>(a, b)),
    }
}

/// Returns the distance of ASCII values that fit a word of positions, or of few other characters.
#[inline(always)]
pub(super) fn of_longer<const SWAPS: bool>(machine: impl Machine, a: &str, b: &str) -> Option<u32> {
    let Some((a, b)) = as_kernel_input(a, b) else {
        let pair = ShortPair::folded(machine, a, b)?;
        return Some(pair.distance::<SWAPS>(machine));
    };
    let (longer, shorter) = if a.len() > b.len() { (a, b) } else { (b, a) };
    Some(distance::<SWAPS>(machine, longer, shorter))
}

/// Returns the distance of values in any script.
#[inline(never)]
pub(super) fn of_any<const SWAPS: bool>(a: &str, b: &str) -> u32 {
    let within_kernels = if a.len().max(b.len()) <= FEW {
        distance_of_letters::<SWAPS, { FEW / LANES }>(a, b)
    } else {
        distance_of_letters::<SWAPS, { KERNEL_LEN_MAX / LANES }>(a, b)
    };
    within_kernels.unwrap_or_else(|| {
        let (a, b) = (clip(a), clip(b));
        let distance = if SWAPS {
            strsim::osa_distance(a, b)
        } else {
            strsim::levenshtein(a, b)
        };
        distance as u32
    })
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

#[inline(always)]
fn distance<const SWAPS: bool>(machine: impl Machine, a: &[u8], b: &[u8]) -> u32 {
    if a.is_empty() || b.is_empty() {
        return a.len().max(b.len()) as u32;
    }
    match a.len() {
        ..=8 => distance_over::<SWAPS, u8>(&Word::new(a), a.len(), b),
        9..=16 => distance_over::<SWAPS, u8>(&machine.middle(a), a.len(), b),
        17..=32 => distance_over::<SWAPS, u8>(&machine.long(a), a.len(), b),
        _ => distance_over::<SWAPS, u8>(&machine.longest(a), a.len(), b),
    }
}

#[inline(always)]
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
