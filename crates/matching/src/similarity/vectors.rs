//! The kernels on processors that compare many bytes at a time.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]
#![expect(
    unsafe_code,
    reason = "instructions that not every processor has are unsafe to call; this file says why ours may be"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_cmpeq_epi8, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_movemask_epi8,
    _mm_set_epi64x, _mm_set1_epi8, _mm_setzero_si128, _mm_shuffle_epi8, _mm256_cmpeq_epi8,
    _mm256_movemask_epi8, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi64x,
    _mm256_setr_epi64x, _mm256_shuffle_epi8,
};
use std::sync::atomic::{AtomicU8, Ordering};

use super::ends::{EndPair, LongEndPair};
use super::machine::Machine;
use super::positions::Positions;
use super::short::ShortPair;
#[cfg(test)]
use super::sketch::{SKETCH_LEN, sketch_answers};
use super::{edit, jaro};
#[cfg(test)]
use crate::lanes::LANES;

/// An x86-64 processor with AVX2, BMI1, BMI2 and POPCNT: a value of this type is the proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vectors(());

const UNASKED: u8 = 0;
const ABSENT: u8 = 1;
const PRESENT: u8 = 2;

impl Vectors {
    /// Returns the proof if the processor at hand is one.
    #[inline]
    pub(crate) fn at_hand() -> Option<Self> {
        static ANSWER: AtomicU8 = AtomicU8::new(UNASKED);
        // Whoever asks finds the same answer, so it does not matter who asks first.
        match ANSWER.load(Ordering::Relaxed) {
            PRESENT => Some(Self(())),
            UNASKED => ask(&ANSWER),
            _ => None,
        }
    }

    /// Returns the Jaro similarity.
    #[inline]
    pub(super) fn jaro(self, a: &str, b: &str) -> f64 {
        // SAFETY: the processor has the features, of which a value of this type is the proof.
        unsafe { jaro_by_vectors(self, a, b) }
    }

    /// Returns the Jaro-Winkler similarity.
    #[inline]
    pub(super) fn jaro_winkler(self, a: &str, b: &str) -> f64 {
        // SAFETY: as above.
        unsafe { jaro_winkler_by_vectors(self, a, b) }
    }

    /// Returns the Levenshtein distance.
    #[inline]
    pub(super) fn levenshtein(self, a: &str, b: &str) -> u32 {
        // SAFETY: as above.
        unsafe { levenshtein_by_vectors(self, a, b) }
    }

    /// Returns the Damerau distance.
    #[inline]
    pub(super) fn damerau(self, a: &str, b: &str) -> u32 {
        // SAFETY: as above.
        unsafe { damerau_by_vectors(self, a, b) }
    }
}

#[cfg(test)]
impl Vectors {
    /// Returns what one sketch and eight others say.
    pub(super) fn answers_of_sketches(
        self,
        one: [u32; SKETCH_LEN],
        others: [[u32; SKETCH_LEN]; LANES],
        threshold: f32,
    ) -> [u8; 4] {
        // SAFETY: as above.
        unsafe { sketch_answers(self, one, others, threshold) }
    }
}

#[cold]
fn ask(answer: &AtomicU8) -> Option<Vectors> {
    let is_present = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt");
    answer.store(if is_present { PRESENT } else { ABSENT }, Ordering::Relaxed);
    is_present.then_some(Vectors(()))
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn jaro_by_vectors(machine: Vectors, a: &str, b: &str) -> f64 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.jaro(machine),
        None => jaro_of_longer(machine, a, b),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn jaro_winkler_by_vectors(machine: Vectors, a: &str, b: &str) -> f64 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.jaro_winkler(machine),
        None => jaro_winkler_of_longer(machine, a, b),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn levenshtein_by_vectors(machine: Vectors, a: &str, b: &str) -> u32 {
    match EndPair::new(a, b) {
        Some(pair) => pair.levenshtein(),
        None => levenshtein_of_long_ends(machine, a, b),
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn damerau_by_vectors(machine: Vectors, a: &str, b: &str) -> u32 {
    match ShortPair::new(a, b) {
        Some(pair) => pair.distance::<true>(machine),
        None => damerau_of_longer(machine, a, b),
    }
}

// What longer values need lies apart from the kernels for shorter ones, which then need no stack.

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn jaro_of_longer(machine: Vectors, a: &str, b: &str) -> f64 {
    match jaro::of_longer(machine, a, b) {
        Some(similarity) => similarity,
        None => jaro::of_any(a, b),
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn jaro_winkler_of_longer(machine: Vectors, a: &str, b: &str) -> f64 {
    match jaro::winkler_of_longer(machine, a, b) {
        Some(similarity) => similarity,
        None => jaro::winkler_of_any(a, b),
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn levenshtein_of_long_ends(machine: Vectors, a: &str, b: &str) -> u32 {
    match LongEndPair::new(a, b) {
        Some(pair) => pair.levenshtein(),
        None => levenshtein_of_longer(machine, a, b),
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn levenshtein_of_longer(machine: Vectors, a: &str, b: &str) -> u32 {
    match edit::of_longer::<false>(machine, a, b) {
        Some(distance) => distance,
        None => edit::of_any::<false>(a, b),
    }
}

#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn damerau_of_longer(machine: Vectors, a: &str, b: &str) -> u32 {
    match edit::of_longer::<true>(machine, a, b) {
        Some(distance) => distance,
        None => edit::of_any::<true>(a, b),
    }
}

impl Machine for Vectors {
    type Middle = Lanes16;
    type Long = Lanes32;
    type Longest = Lanes64;

    #[inline(always)]
    fn cross(self, rows: u64, columns: u64) -> u64 {
        // SAFETY: the processor has AVX2, of which a value of this type is the proof.
        unsafe { cross(rows, columns) }
    }

    #[inline(always)]
    fn occupied(self, word: u64) -> u8 {
        // SAFETY: as above.
        unsafe { occupied(word) }
    }

    #[inline(always)]
    fn squeeze(self, word: u64, keep: u8) -> u64 {
        // SAFETY: as above.
        unsafe { squeeze(word, keep) }
    }

    #[inline(always)]
    fn middle(self, value: &[u8]) -> Lanes16 {
        // SAFETY: as above.
        unsafe { Lanes16::new(value) }
    }

    #[inline(always)]
    fn long(self, value: &[u8]) -> Lanes32 {
        // SAFETY: as above.
        unsafe { Lanes32::new(value) }
    }

    #[inline(always)]
    fn longest(self, value: &[u8]) -> Lanes64 {
        // SAFETY: as above.
        unsafe { Lanes64::new(value) }
    }
}

/// The lowest bit of each byte.
const EACH: i64 = 0x0101_0101_0101_0101;

#[inline]
#[target_feature(enable = "avx2")]
fn word(word: u64) -> __m128i {
    _mm_cvtsi64_si128(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn four(word: u64) -> __m256i {
    _mm256_set1_epi64x(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2")]
fn equal_bytes(a: __m256i, b: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)).cast_unsigned())
}

#[inline]
#[target_feature(enable = "avx2")]
fn cross(rows: u64, columns: u64) -> u64 {
    let (rows, columns) = (four(rows), four(columns));
    let low = _mm256_setr_epi64x(0, EACH, 2 * EACH, 3 * EACH);
    let high = _mm256_setr_epi64x(4 * EACH, 5 * EACH, 6 * EACH, 7 * EACH);
    equal_bytes(_mm256_shuffle_epi8(rows, low), columns)
        | equal_bytes(_mm256_shuffle_epi8(rows, high), columns) << 32
}

#[inline]
#[target_feature(enable = "avx2")]
fn occupied(bytes: u64) -> u8 {
    !_mm_movemask_epi8(_mm_cmpeq_epi8(word(bytes), _mm_setzero_si128())) as u8
}

/// For each set of bytes to keep, where each byte of the result comes from; a high bit is a zero.
const ORDERS: [u64; 256] = {
    let mut orders = [u64::MAX; 256];
    let mut keep = 0;
    while keep < orders.len() {
        let mut byte = 8;
        while byte > 0 {
            byte -= 1;
            if keep >> byte & 1 == 1 {
                orders[keep] = orders[keep] << 8 | byte;
            }
        }
        keep += 1;
    }
    orders
};

#[inline]
#[target_feature(enable = "avx2")]
fn squeeze(bytes: u64, keep: u8) -> u64 {
    let squeezed = _mm_shuffle_epi8(word(bytes), word(ORDERS[usize::from(keep)]));
    _mm_cvtsi128_si64(squeezed).cast_unsigned()
}

/// Nine to sixteen bytes side by side, before zeros; made by `Vectors` alone.
#[derive(Clone, Copy)]
pub(super) struct Lanes16(__m128i);

/// Seventeen to thirty-two bytes: the first and the last sixteen, the latter moved by so many.
#[derive(Clone, Copy)]
pub(super) struct Lanes32(__m256i, u32);

/// Thirty-three to sixty-four bytes: the first and the last thirty-two, the latter moved by so many.
#[derive(Clone, Copy)]
pub(super) struct Lanes64(__m256i, __m256i, u32);

impl Positions for Lanes16 {
    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        // SAFETY: lanes are made by `Vectors` alone, the proof that the processor has AVX2.
        unsafe { self.positions(byte) }
    }
}

impl Positions for Lanes32 {
    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        // SAFETY: as above.
        unsafe { self.positions(byte) }
    }
}

impl Positions for Lanes64 {
    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        // SAFETY: as above.
        unsafe { self.positions(byte) }
    }
}

impl Lanes16 {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(value: &[u8]) -> Self {
        let (first, last) = ends(value);
        let (first, last) = (u64::from_le_bytes(first), u64::from_le_bytes(last));
        let beyond = 8 * (16 - value.len() as u32);
        let last = last >> beyond;
        Self(_mm_set_epi64x(last.cast_signed(), first.cast_signed()))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn positions(self, byte: u8) -> u64 {
        let equal = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(byte.cast_signed()));
        u64::from(_mm_movemask_epi8(equal).cast_unsigned())
    }
}

impl Lanes32 {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(value: &[u8]) -> Self {
        let (first, last) = ends(value);
        Self(
            _mm256_set_m128i(lanes(last), lanes(first)),
            value.len() as u32 - 16,
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn positions(self, byte: u8) -> u64 {
        // Where the two overlap, both hold the same bytes.
        let equal = equal_bytes(self.0, _mm256_set1_epi8(byte.cast_signed()));
        equal & 0xffff | equal >> 16 << self.1
    }
}

impl Lanes64 {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(value: &[u8]) -> Self {
        let (first, last) = ends(value);
        Self(
            lanes_twice(first),
            lanes_twice(last),
            value.len() as u32 - 32,
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn positions(self, byte: u8) -> u64 {
        let byte = _mm256_set1_epi8(byte.cast_signed());
        equal_bytes(self.0, byte) | equal_bytes(self.1, byte) << self.2
    }
}

/// Returns the first and the last bytes of a value that has as many.
#[inline(always)]
fn ends<const LEN: usize>(value: &[u8]) -> ([u8; LEN], [u8; LEN]) {
    let ends = value.first_chunk().zip(value.last_chunk());
    let (first, last) = ends.expect("the kernel for a length is asked of values of that length");
    (*first, *last)
}

// Arrays are not mapped: what the library's functions call is not inlined with these features.

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(bytes: [u8; 16]) -> __m128i {
    let (low, high) = ends(&bytes);
    _mm_set_epi64x(i64::from_le_bytes(high), i64::from_le_bytes(low))
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes_twice(bytes: [u8; 32]) -> __m256i {
    let (low, high) = ends(&bytes);
    _mm256_set_m128i(lanes(high), lanes(low))
}
