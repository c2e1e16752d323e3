//! Jaro and Jaro-Winkler similarity.
//!
//! Cost: a table look-up or two multiplications per byte, then one step per matched byte. The
//! floating-point operations keep the order of `strsim`, so that results are equal bit for bit.
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

/// A Jaro similarity up to this value gets no bonus for a common prefix (Winkler's boost threshold).
pub(super) const BOOST_THRESHOLD: f64 = 0.7;
/// The most characters of a common prefix that count.
pub(super) const PREFIX_LEN_MAX: usize = 4;
/// Times eight characters in a word of positions.
const MANY: usize = KERNEL_LEN_MAX / LANES;
/// The bonus of one character of common prefix.
pub(super) const PREFIX_SCALE: f64 = 0.1;

/// Returns the Jaro similarity, from 0 to 1.
#[inline]
pub fn jaro(a: &str, b: &str) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::at_hand() {
        return vectors.jaro(a, b);
    }
    jaro_plainly(a, b)
}

/// Returns the Jaro-Winkler similarity, from 0 to 1.
#[inline]
pub fn jaro_winkler(a: &str, b: &str) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(vectors) = Vectors::at_hand() {
        return vectors.jaro_winkler(a, b);
    }
    jaro_winkler_plainly(a, b)
}

/// Returns the Jaro similarity on any processor.
pub(super) fn jaro_plainly(a: &str, b: &str) -> f64 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.jaro(Plain),
        None => of_longer(Plain, a, b).unwrap_or_else(|| of_any(a, b)),
    }
}

/// Returns the Jaro-Winkler similarity on any processor.
pub(super) fn jaro_winkler_plainly(a: &str, b: &str) -> f64 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.jaro_winkler(Plain),
        None => winkler_of_longer(Plain, a, b).unwrap_or_else(|| winkler_of_any(a, b)),
    }
}

/// Returns the Jaro similarity of ASCII values that fit a word of positions, or of few other
/// characters.
#[inline(always)]
pub(super) fn of_longer(machine: impl Machine, a: &str, b: &str) -> Option<f64> {
    let Some((a, b)) = as_kernel_input(a, b) else {
        return Some(ShortPair::folded(machine, a, b)?.jaro(machine));
    };
    Some(jaro_bytes(machine, a, b))
}

/// Returns the Jaro-Winkler similarity of ASCII values that fit a word of positions, or of few
/// other characters.
#[inline(always)]
pub(super) fn winkler_of_longer(machine: impl Machine, a: &str, b: &str) -> Option<f64> {
    let Some((a, b)) = as_kernel_input(a, b) else {
        return Some(ShortPair::folded(machine, a, b)?.jaro_winkler(machine));
    };
    Some(boost(jaro_bytes(machine, a, b), common_prefix_len(a, b)))
}

/// Returns the Jaro similarity of values in any script.
#[inline(never)]
pub(super) fn of_any(a: &str, b: &str) -> f64 {
    match jaro_characters(a, b) {
        Some((similarity, _)) => similarity,
        None => strsim::jaro(clip(a), clip(b)),
    }
}

/// Returns the Jaro-Winkler similarity of values in any script.
#[inline(never)]
pub(super) fn winkler_of_any(a: &str, b: &str) -> f64 {
    match jaro_characters(a, b) {
        Some((similarity, prefix_len)) => boost(similarity, prefix_len),
        None => strsim::jaro_winkler(clip(a), clip(b)),
    }
}

/// Returns the Jaro similarity and the length of the common prefix of texts in any script, if
/// kernels take as many characters.
#[inline]
fn jaro_characters(a: &str, b: &str) -> Option<(f64, usize)> {
    if a.len().max(b.len()) <= FEW {
        jaro_letters::<{ FEW / LANES }>(a, b)
    } else {
        jaro_letters::<MANY>(a, b)
    }
}

/// Tells whether the Jaro-Winkler similarity is at least the threshold.
#[inline]
pub fn jaro_winkler_reaches(a: &str, b: &str, threshold: f64) -> bool {
    if a == b {
        return threshold <= 1.0;
    }
    jaro_winkler(a, b) >= threshold
}

/// Adds the bonus for a common prefix.
#[inline(always)]
pub(super) fn boost(similarity: f64, prefix_len: usize) -> f64 {
    // Half of the names get a bonus and half do not, so no processor guesses a jump; a bonus of
    // nothing leaves the similarity as it is, to the bit.
    let counted = prefix_len as u32 & u32::from(similarity > BOOST_THRESHOLD).wrapping_neg();
    similarity + PREFIX_SCALE * f64::from(counted) * (1.0 - similarity)
}

/// Returns the Jaro similarity of so many matched characters, half of `displaced` transposed.
#[inline(always)]
fn ratio(matched: u32, displaced: u32, a_len: usize, b_len: usize) -> f64 {
    let (matched, transposed) = (f64::from(matched), f64::from(displaced / 2));
    (matched / a_len as f64 + matched / b_len as f64 + (matched - transposed) / matched) / 3.0
}

#[inline(always)]
fn common_prefix_len<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    a.iter()
        .zip(b)
        .take(PREFIX_LEN_MAX)
        .take_while(|(a, b)| a == b)
        .count()
}

#[inline(always)]
fn jaro_bytes(machine: impl Machine, a: &[u8], b: &[u8]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return if a.len() == b.len() { 1.0 } else { 0.0 };
    }
    match b.len() {
        ..=8 => jaro_over(&Word::new(b), a, b),
        9..=16 => jaro_over(&machine.middle(b), a, b),
        17..=32 => jaro_over(&machine.long(b), a, b),
        _ => jaro_over(&machine.longest(b), a, b),
    }
}

/// Returns the Jaro similarity and the length of the common prefix of values that fit.
fn jaro_letters<const TIMES: usize>(a: &str, b: &str) -> Option<(f64, usize)> {
    let (a, b) = (Decoded::<TIMES>::new(a)?, Decoded::<TIMES>::new(b)?);
    let (of_a, of_b) = (a.characters(), b.characters());
    if of_a.is_empty() || of_b.is_empty() {
        return Some((f64::from(u8::from(of_a.len() == of_b.len())), 0));
    }
    let similarity = jaro_over(&b.positions(), of_a, of_b);
    Some((similarity, common_prefix_len(of_a, of_b)))
}

/// Matches each character of `a` with the first free equal one of `b` near enough, then counts the displaced.
#[inline(always)]
fn jaro_over<T: Copy + PartialEq>(b_positions: &impl Positions<T>, a: &[T], b: &[T]) -> f64 {
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut window = below(reach + 1);
    let mut free = below(b.len());
    let mut a_matched = 0_u64;
    for (position, byte) in a.iter().enumerate() {
        let candidates = b_positions.of(*byte) & window & free;
        free &= !(candidates & candidates.wrapping_neg());
        a_matched |= u64::from(candidates != 0) << position;
        window = window << 1 | u64::from(position < reach);
    }
    if a_matched == 0 {
        return 0.0;
    }
    let displaced = count_displaced(a, a_matched, b, below(b.len()) & !free);
    ratio(a_matched.count_ones(), displaced, a.len(), b.len())
}

/// Counts the matched characters that differ when both sides are read in order.
#[inline(always)]
fn count_displaced<T: PartialEq>(a: &[T], mut a_matched: u64, b: &[T], mut b_matched: u64) -> u32 {
    let mut displaced = 0;
    while a_matched != 0 && b_matched != 0 {
        let (i, j) = (
            a_matched.trailing_zeros() as usize,
            b_matched.trailing_zeros() as usize,
        );
        displaced += u32::from(a[i] != b[j]);
        a_matched &= a_matched - 1;
        b_matched &= b_matched - 1;
    }
    displaced
}
