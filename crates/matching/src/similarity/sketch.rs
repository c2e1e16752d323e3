//! Three words about a value that lie in the rows of nodes, so that most pairs are told apart
//! without reading anything else.
//!
//! Cost: 12 bytes and about twenty operations a pair. As with [`Signature`](super::Signature), a
//! sketch may fail to tell two values apart but never rules out what the kernels would accept.

#[cfg(target_arch = "x86_64")]
mod lanes;

#[cfg(target_arch = "x86_64")]
pub(crate) use self::lanes::SketchLanes;
#[cfg(all(test, target_arch = "x86_64"))]
pub(super) use self::lanes::answers as sketch_answers;
use super::jaro::boost;

/// Words of a sketch.
pub(crate) const SKETCH_LEN: usize = 3;
/// Values of this many characters or more are not told apart.
const LEN_UNKNOWN: u32 = 255;
/// Longer values pass the Jaro-Winkler bound.
const BOUNDED_LEN_MAX: usize = 31;
/// First characters that a sketch holds, eight bits each.
const HEAD_LEN: usize = 3;
const DIGITS: usize = 10;
/// How many times a digit is told apart.
const DIGITS_COUNTED: u32 = 3;
/// Covers what the kernels and the bound round differently.
const ROUNDING: f64 = 1e-9;

/// Which bits of a mask stand for characters; sketches are compared within one alphabet alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// A letter has a bit; digits and other characters share some.
    Letters,
    /// The first, second and third of each digit have bits of their own: strangers' numbers have
    /// most digits in common, but not as often.
    Digits,
}

impl Alphabet {
    /// Returns the alphabet of values that are to be compared with each other.
    pub(crate) fn of<'v>(mut values: impl Iterator<Item = &'v str>) -> Self {
        if values.any(|value| value.chars().any(char::is_alphabetic)) {
            Self::Letters
        } else {
            Self::Digits
        }
    }

    /// Returns the set of characters of a value, or of first, second and third digits. A bit that another
    /// value lacks is a character that has no partner there.
    fn mask(self, value: &str) -> u32 {
        let characters = value.chars().take(LEN_UNKNOWN as usize);
        if self == Self::Letters {
            return characters.fold(0, |mask, character| mask | 1 << bit_of(character));
        }
        let mut seen = [0; DIGITS];
        characters.fold(0, |mask, character| match character.to_digit(10) {
            Some(digit) => {
                let seen = &mut seen[digit as usize];
                let place = *seen * DIGITS as u32 + digit;
                *seen = (*seen + 1).min(DIGITS_COUNTED - 1);
                mask | 1 << place
            }
            None => mask | 1 << (DIGITS as u32 * DIGITS_COUNTED + (fold(character as u32) & 1)),
        })
    }
}

/// Summarises a value: its set of characters, its length and first characters, its two ends.
pub(crate) fn sketch(value: &str, alphabet: Alphabet) -> [u32; SKETCH_LEN] {
    let mut characters = [0; LEN_UNKNOWN as usize];
    let mut len = 0;
    for (place, character) in characters.iter_mut().zip(value.chars()) {
        *place = character as u32;
        len += 1;
    }
    let mask = alphabet.mask(value);
    let characters = &characters[..len];
    let head = characters.iter().take(HEAD_LEN).rev();
    let head = head.fold(0, |head, &character| head << 8 | (fold(character) & 0xff));
    let end_len = end_len(len as u32) as usize;
    let hash = |end: &[u32]| {
        let hash = end.iter().fold(1_u32, |hash, &character| {
            (hash ^ character).wrapping_mul(0x9e37_79b1).rotate_left(15)
        });
        (hash ^ hash >> 16) & 0xffff
    };
    let ends = hash(&characters[..end_len]) | hash(&characters[len - end_len..]) << 16;
    [mask, len as u32 | head << 8, ends]
}

fn bit_of(character: char) -> u32 {
    match character {
        'a'..='z' => character as u32 - 'a' as u32,
        '0'..='9' => 26 + (character as u32 - '0' as u32) % 6,
        _ => fold(character as u32) & 31,
    }
}

/// Spreads characters outside ASCII over the low bits.
fn fold(character: u32) -> u32 {
    if character < 0x80 {
        character
    } else {
        character.wrapping_mul(0x9e37_79b1) >> 24
    }
}

/// Returns how many characters an end has; two ends never touch, and one character lies between.
fn end_len(len: u32) -> u32 {
    match len {
        ..5 => 0,
        5..9 => 2,
        _ => 4,
    }
}

fn len_of(sketch: &[u32]) -> u32 {
    sketch[1] & 0xff
}

/// Returns how many characters of each side have no partner, at least.
#[inline]
fn surplus(a: &[u32], b: &[u32]) -> (u32, u32) {
    // Both counts in one word (the usual sums of neighbouring bits, then of bytes).
    let mut bits = u64::from(a[0] & !b[0]) | u64::from(b[0] & !a[0]) << 32;
    bits -= bits >> 1 & 0x5555_5555_5555_5555;
    bits = (bits & 0x3333_3333_3333_3333) + (bits >> 2 & 0x3333_3333_3333_3333);
    bits = (bits + (bits >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    bits += bits >> 8;
    bits += bits >> 16;
    (bits as u32 & 0x3f, (bits >> 32) as u32 & 0x3f)
}

/// Tells whether one of two values may be the initial of the other.
#[inline]
pub(crate) fn may_be_initial(a: &[u32], b: &[u32]) -> bool {
    (len_of(a) == 1 || len_of(b) == 1) && (a[1] ^ b[1]) & 0xff00 == 0
}

/// Tells whether two values may be so few edits apart, exchanges of neighbours included.
#[inline]
pub(crate) fn may_be_within(a: &[u32], b: &[u32], limit: u32) -> bool {
    let (len_a, len_b) = (len_of(a), len_of(b));
    if len_a == LEN_UNKNOWN || len_b == LEN_UNKNOWN {
        return true;
    }
    if len_a.abs_diff(len_b) > limit {
        return false;
    }
    let ends = a[2] ^ b[2];
    // One edit touches at most two neighbours, so it leaves one end alone.
    if limit <= 1
        && end_len(len_a) == end_len(len_b)
        && ends & 0xffff != 0
        && ends & 0xffff_0000 != 0
    {
        return false;
    }
    let (of_a, of_b) = surplus(a, b);
    of_a.max(of_b) <= limit
}

/// How many characters must match, at least, for a Jaro-Winkler similarity to reach a threshold.
#[derive(Debug)]
pub(crate) struct Reach {
    #[cfg(target_arch = "x86_64")]
    threshold: f64,
    /// By both lengths and the length of the common prefix; more than can match where none suffices.
    least: Vec<u8>,
}

impl Reach {
    /// Tabulates a threshold.
    pub(crate) fn of(threshold: f64) -> Self {
        let lens = 0..=BOUNDED_LEN_MAX;
        let pairs = lens.clone().flat_map(|a| lens.clone().map(move |b| (a, b)));
        let least = pairs.flat_map(|(a, b)| {
            (0..=HEAD_LEN).map(move |prefix| least_matched(threshold, (a, b), prefix))
        });
        Self {
            #[cfg(target_arch = "x86_64")]
            threshold,
            least: least.collect(),
        }
    }

    /// Returns the threshold.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn threshold(&self) -> f32 {
        self.threshold as f32
    }

    /// Tells whether two values may reach the threshold.
    #[inline]
    pub(crate) fn may_reach(&self, a: &[u32], b: &[u32]) -> bool {
        let (len_a, len_b) = (len_of(a), len_of(b));
        if len_a.max(len_b) > BOUNDED_LEN_MAX as u32 {
            return true;
        }
        let common = (a[1] ^ b[1]) >> 8;
        let prefix = (common | 1 << 24).trailing_zeros() / 8;
        let lens = len_a as usize * (BOUNDED_LEN_MAX + 1) + len_b as usize;
        let least = self.least[lens * (HEAD_LEN + 1) + prefix as usize];
        let (of_a, of_b) = surplus(a, b);
        (len_a - of_a).min(len_b - of_b) >= u32::from(least)
    }
}

/// Returns the fewest matched characters that reach a threshold; 255 if no number does.
fn least_matched(threshold: f64, (a, b): (usize, usize), prefix: usize) -> u8 {
    // The fourth character is not in the sketch, so it counts as common if the others are.
    let prefix = if prefix == HEAD_LEN {
        prefix + 1
    } else {
        prefix
    };
    if threshold <= ROUNDING || a == 0 && b == 0 {
        return 0;
    }
    let reaches = |matched: &usize| {
        let matched = *matched as f64;
        let jaro = (matched / a as f64 + matched / b as f64 + 1.0) / 3.0 + ROUNDING;
        boost(jaro, prefix) + ROUNDING >= threshold
    };
    (1..=a.min(b))
        .find(reaches)
        .map_or(u8::MAX, |matched| matched as u8)
}
