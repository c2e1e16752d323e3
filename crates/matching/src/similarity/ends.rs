//! The Levenshtein distance of values of at most sixteen ASCII bytes, computed from both ends.
//!
//! A way through the table of distances that only inserts and deletes takes as many steps as both
//! values have bytes; a substitution spares one of them, an equal pair two. What a way spares at
//! most is filled in by diagonals (rising, so that no cell waits for another of its own), those from
//! the start and those from the end side by side, until they meet in the middle. Cost: for each of
//! seven diagonals (fifteen for longer values) eight operations, of which the next one waits for two.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cvtepu8_epi16, _mm_cvtsi128_si32,
    _mm_max_epu8, _mm_min_epu8, _mm_minpos_epu16, _mm_set_epi64x, _mm_set1_epi8, _mm_setzero_si128,
    _mm_shuffle_epi8, _mm_sign_epi8, _mm_slli_epi64, _mm_srli_epi16, _mm_srli_epi64, _mm_sub_epi8,
    _mm256_add_epi8, _mm256_bslli_epi128, _mm256_bsrli_epi128, _mm256_castsi256_si128,
    _mm256_cmpeq_epi8, _mm256_extracti128_si256, _mm256_max_epu8, _mm256_set_m128i,
    _mm256_set1_epi8, _mm256_setzero_si256, _mm256_sign_epi8, _mm256_sub_epi8,
};

use super::positions::{HIGH_BITS, Word};

/// The longest value in bytes.
const LEN_MAX: usize = 16;
/// The longest value of the kernel for short values.
const SHORT_LEN_MAX: usize = 8;
/// The lowest bit of each byte.
const EACH: u64 = 0x0101_0101_0101_0101;
/// The bytes of a word from first to last.
const FORWARDS: u64 = 0x0706_0504_0302_0100;
/// The bytes of a word from last to first.
const BACKWARDS: u64 = FORWARDS.swap_bytes();

/// Two values of at most eight bytes, neither empty, each at the end of its word.
#[derive(Clone, Copy)]
pub(super) struct EndPair {
    longer: u64,
    shorter: u64,
    more: usize,
}

/// Two values of at most sixteen bytes, neither empty, each at the end of two words.
#[derive(Clone, Copy)]
pub(super) struct LongEndPair {
    longer: [u64; 2],
    shorter: [u64; 2],
    more: usize,
}

impl EndPair {
    /// Packs two values if both are short ASCII.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        if !fit(a, b, SHORT_LEN_MAX) {
            return None;
        }
        let (longer, shorter) = in_order(a, b, (Word::at_end(a).0, Word::at_end(b).0));
        let more = a.len().abs_diff(b.len());
        ((longer | shorter) & HIGH_BITS == 0).then_some(Self {
            longer,
            shorter,
            more,
        })
    }

    /// Returns the Levenshtein distance.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn levenshtein(self) -> u32 {
        // Marked bytes are there; those before both values are a common beginning.
        let longer = self.longer | HIGH_BITS;
        let shorter = self.shorter | HIGH_BITS.wrapping_shl(8 * self.more as u32);
        let rows = _mm_shuffle_epi8(words(longer, 0), words(FORWARDS, BACKWARDS));
        let columns = _mm_shuffle_epi8(words(shorter, 0), words(BACKWARDS, FORWARDS));
        let seventh = Diagonals::new(rows, columns)
            .next::<56>()
            .next::<48>()
            .next::<40>()
            .next::<32>()
            .next::<24>()
            .next::<16>();
        let eighth = seventh.next::<8>();
        // Two cells are one if their rows add up to eight. A way goes through a cell of both eighth
        // diagonals, or jumps over them between the seventh ones.
        let across = words(0x8008_090a_0b0c_0d0e, u64::MAX);
        let met = _mm_add_epi8(eighth.last, _mm_shuffle_epi8(eighth.last, across));
        let jumped = _mm_add_epi8(eighth.over::<0>(), _mm_shuffle_epi8(seventh.last, across));
        let steps = _mm_set1_epi8(2 * SHORT_LEN_MAX as i8);
        let left = _mm_sub_epi8(steps, _mm_max_epu8(met, jumped));
        least(_mm_cvtepu8_epi16(left)) - self.more as u32
    }
}

impl LongEndPair {
    /// Packs two values if both are ASCII and not too long.
    #[inline(always)]
    pub(super) fn new(a: &str, b: &str) -> Option<Self> {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        if !fit(a, b, LEN_MAX) {
            return None;
        }
        let (longer, shorter) = in_order(a, b, (at_end(a), at_end(b)));
        let more = a.len().abs_diff(b.len());
        let all = longer[0] | longer[1] | shorter[0] | shorter[1];
        (all & HIGH_BITS == 0).then_some(Self {
            longer,
            shorter,
            more,
        })
    }

    /// Returns the Levenshtein distance.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn levenshtein(self) -> u32 {
        let marks = MARKS[self.more % LEN_MAX];
        let longer = words(self.longer[0] | HIGH_BITS, self.longer[1] | HIGH_BITS);
        let shorter = words(self.shorter[0] | marks[0], self.shorter[1] | marks[1]);
        let backwards = words(BACKWARDS + 8 * EACH, BACKWARDS);
        let rows = _mm256_set_m128i(_mm_shuffle_epi8(longer, backwards), longer);
        let columns = _mm256_set_m128i(shorter, _mm_shuffle_epi8(shorter, backwards));
        let fifteenth = LongDiagonals::new(rows, columns)
            .next::<15>()
            .next::<14>()
            .next::<13>()
            .next::<12>()
            .next::<11>()
            .next::<10>()
            .next::<9>()
            .next::<8>()
            .next::<7>()
            .next::<6>()
            .next::<5>()
            .next::<4>()
            .next::<3>()
            .next::<2>();
        let sixteenth = fifteenth.next::<1>();
        let across = words(0x0708_090a_0b0c_0d0e, 0x8000_0102_0304_0506);
        let start = |both| _mm256_castsi256_si128(both);
        let end = |both| _mm_shuffle_epi8(_mm256_extracti128_si256::<1>(both), across);
        let met = _mm_add_epi8(start(sixteenth.last), end(sixteenth.last));
        let jumped = _mm_add_epi8(start(sixteenth.over::<0>()), end(fifteenth.last));
        let steps = _mm_set1_epi8(2 * LEN_MAX as i8);
        let left = _mm_sub_epi8(steps, _mm_max_epu8(met, jumped));
        least(_mm_min_epu8(left, _mm_srli_epi16::<8>(left))) - self.more as u32
    }
}

/// What is spared at most on a way to each cell of a diagonal: from the start in the low word, from
/// the end in the high one.
///
/// A byte stands for a row of the table; the row before the first spares nothing, which is what
/// shifts move in. Columns that are not marked lie before the table: nothing is spared on the way
/// there, so that it costs no more to come to the first column from there than to begin in it.
#[derive(Clone, Copy)]
struct Diagonals {
    rows: __m128i,
    columns: __m128i,
    last: __m128i,
    /// The diagonal before the last, moved on by a row.
    before: __m128i,
}

impl Diagonals {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(rows: __m128i, columns: __m128i) -> Self {
        let (last, before) = (_mm_setzero_si128(), _mm_setzero_si128());
        Self {
            rows,
            columns,
            last,
            before,
        }
    }

    /// Returns what ways spare that come by a substitution or an equal pair.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn over<const AHEAD: i32>(self) -> __m128i {
        let columns = _mm_srli_epi64::<AHEAD>(self.columns);
        let equal = _mm_cmpeq_epi8(self.rows, columns);
        let marked = _mm_sign_epi8(_mm_set1_epi8(-1), columns);
        _mm_add_epi8(self.before, _mm_sub_epi8(marked, equal))
    }

    /// Returns the next diagonal, on which the columns that lie so many bits ahead begin.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn next<const AHEAD: i32>(self) -> Self {
        let before = _mm_slli_epi64::<8>(self.last);
        let last = _mm_max_epu8(_mm_max_epu8(self.last, self.over::<AHEAD>()), before);
        Self {
            last,
            before,
            ..self
        }
    }
}

/// The same for longer values, half of a register for each end.
#[derive(Clone, Copy)]
struct LongDiagonals {
    rows: __m256i,
    columns: __m256i,
    last: __m256i,
    before: __m256i,
}

impl LongDiagonals {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(rows: __m256i, columns: __m256i) -> Self {
        let (last, before) = (_mm256_setzero_si256(), _mm256_setzero_si256());
        Self {
            rows,
            columns,
            last,
            before,
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn over<const AHEAD: i32>(self) -> __m256i {
        let columns = _mm256_bsrli_epi128::<AHEAD>(self.columns);
        let equal = _mm256_cmpeq_epi8(self.rows, columns);
        let marked = _mm256_sign_epi8(_mm256_set1_epi8(-1), columns);
        _mm256_add_epi8(self.before, _mm256_sub_epi8(marked, equal))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn next<const AHEAD: i32>(self) -> Self {
        let before = _mm256_bslli_epi128::<1>(self.last);
        let last = _mm256_max_epu8(_mm256_max_epu8(self.last, self.over::<AHEAD>()), before);
        Self {
            last,
            before,
            ..self
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn words(low: u64, high: u64) -> __m128i {
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}

/// Returns the least of eight numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn least(numbers: __m128i) -> u32 {
    u32::from(_mm_cvtsi128_si32(_mm_minpos_epu16(numbers)) as u16)
}

#[inline(always)]
fn fit(a: &[u8], b: &[u8], len_max: usize) -> bool {
    a.len().wrapping_sub(1) < len_max && b.len().wrapping_sub(1) < len_max
}

/// Puts what stands for the longer value first.
#[inline(always)]
fn in_order<T>(a: &[u8], b: &[u8], (of_a, of_b): (T, T)) -> (T, T) {
    if a.len() > b.len() {
        (of_a, of_b)
    } else {
        (of_b, of_a)
    }
}

/// Returns two words with the value at their end, after zeros.
#[inline(always)]
fn at_end(value: &[u8]) -> [u64; 2] {
    match (value.first_chunk(), value.last_chunk()) {
        (Some(first), Some(last)) if value.len() > SHORT_LEN_MAX => {
            let first = u64::from_le_bytes(*first) << (8 * (LEN_MAX - value.len()));
            [first, u64::from_le_bytes(*last)]
        }
        _ => [0, Word::at_end(value).0],
    }
}

/// For each number of bytes that one value has more, marks on all but so many first bytes.
const MARKS: [[u64; 2]; LEN_MAX] = {
    let mut marks = [[0, HIGH_BITS]; LEN_MAX];
    let mut more = 0;
    while more < SHORT_LEN_MAX {
        marks[more][0] = HIGH_BITS << (8 * more);
        marks[more + SHORT_LEN_MAX][1] = HIGH_BITS << (8 * more);
        more += 1;
    }
    marks
};
