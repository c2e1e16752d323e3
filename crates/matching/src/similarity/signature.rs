//! A fixed-size summary of a value that proves most pairs dissimilar without reading them.
//!
//! Cost: 16 bytes and a dozen operations a pair. A bound may be loose but is never wrong: it
//! never rules out a pair that the kernels would accept.

use super::jaro::{PREFIX_LEN_MAX, boost};

/// Values of this many characters or more are not bounded.
const LEN_SATURATED: u8 = u8::MAX;
/// Covers what the kernels and the bound round differently.
const ROUNDING: f64 = 1e-12;

/// One over each length: a multiplication is cheaper than a division.
const RECIPROCALS: [f64; 256] = {
    let mut reciprocals = [0.0; 256];
    let mut len = 1;
    while len < reciprocals.len() {
        reciprocals[len] = 1.0 / len as f64;
        len += 1;
    }
    reciprocals
};

const LETTER_TWICE: u32 = 26;
const DIGIT: u32 = 52;
const OTHER: u32 = 62;
const OTHER_TWICE: u32 = 63;

/// The length, character set and first characters of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// A bit each for: a letter occurs, it occurs twice, a digit occurs, another character occurs, twice.
    mask: u64,
    /// The first bytes of an ASCII value, zeros after its end.
    prefix: [u8; PREFIX_LEN_MAX],
    len: u8,
    ascii: bool,
}

impl Signature {
    /// Returns whether the value is a single character.
    pub fn is_single(&self) -> bool {
        self.len == 1
    }

    /// Summarises a value.
    pub fn of(value: &str) -> Self {
        let ascii = value.is_ascii();
        let mut prefix = [0; PREFIX_LEN_MAX];
        let mut len = 0_usize;
        let mut mask = 0_u64;
        for character in value.chars().take(usize::from(LEN_SATURATED)) {
            mask |= bits_of(character, mask);
            len += 1;
        }
        for (to, from) in prefix.iter_mut().zip(value.bytes()) {
            *to = from;
        }
        Self {
            mask,
            prefix,
            len: len as u8,
            ascii,
        }
    }

    /// Returns the number of characters, at most 255.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Tells whether the value has no characters.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether the value is all ASCII.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }
}

/// Returns the bits that one more occurrence of a character sets.
#[inline]
fn bits_of(character: char, mask: u64) -> u64 {
    let (once, twice) = match character {
        'a'..='z' => {
            let letter = character as u32 - 'a' as u32;
            (letter, letter + LETTER_TWICE)
        }
        '0'..='9' => {
            let digit = DIGIT + (character as u32 - '0' as u32);
            (digit, digit)
        }
        _ => (OTHER, OTHER_TWICE),
    };
    1 << if mask >> once & 1 == 0 { once } else { twice }
}

/// Tells whether the Jaro-Winkler similarity of two values can reach the threshold.
#[inline]
pub fn jaro_winkler_may_reach(a: &Signature, b: &Signature, threshold: f64) -> bool {
    if a.len == LEN_SATURATED || b.len == LEN_SATURATED {
        return true;
    }
    let matched = matched_max(a, b);
    if matched == 0 {
        return threshold <= 0.0 || (a.len == 0 && b.len == 0);
    }
    most_of(matched, a, b) >= threshold
}

/// Returns the most that the Jaro-Winkler similarity of two words can be.
#[inline]
pub(crate) fn jaro_winkler_at_most(a: &Signature, b: &Signature) -> f64 {
    if a.len == LEN_SATURATED || b.len == LEN_SATURATED {
        return 1.0;
    }
    match matched_max(a, b) {
        0 => 0.0,
        matched => most_of(matched, a, b),
    }
}

/// Returns the most that the Jaro-Winkler similarity of so many matched characters can be.
#[inline]
fn most_of(matched: u32, a: &Signature, b: &Signature) -> f64 {
    let matched = f64::from(matched);
    let shares = matched * RECIPROCALS[a.len()] + matched * RECIPROCALS[b.len()];
    // Nothing displaced: the third share of the Jaro similarity is 1.
    let jaro_max = (shares + 1.0) * (1.0 / 3.0) + ROUNDING;
    boost(jaro_max, prefix_len_max(a, b)) + ROUNDING
}

/// Tells whether the Levenshtein distance of two values can be within the limit; holds for Damerau too.
#[inline]
pub fn levenshtein_may_be_within(a: &Signature, b: &Signature, limit: u32) -> bool {
    if a.len == LEN_SATURATED || b.len == LEN_SATURATED {
        return true;
    }
    // One edit takes away at most one surplus character of each side; a swap takes away none.
    let lengths = u32::from(a.len.abs_diff(b.len));
    lengths.max(surplus(a, b)).max(surplus(b, a)) <= limit
}

/// Returns at least how many characters of `a` have no partner in `b`.
#[inline]
fn surplus(a: &Signature, b: &Signature) -> u32 {
    (a.mask & !b.mask).count_ones()
}

#[inline]
fn matched_max(a: &Signature, b: &Signature) -> u32 {
    (u32::from(a.len) - surplus(a, b)).min(u32::from(b.len) - surplus(b, a))
}

#[inline]
fn prefix_len_max(a: &Signature, b: &Signature) -> usize {
    if !(a.ascii && b.ascii) {
        return PREFIX_LEN_MAX;
    }
    let differences = u32::from_le_bytes(a.prefix) ^ u32::from_le_bytes(b.prefix);
    ((differences.trailing_zeros() / 8) as usize)
        .min(a.len())
        .min(b.len())
}
