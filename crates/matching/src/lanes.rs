//! Eight numbers, or sixteen bytes, at a time, on processors with AVX2.
//!
//! A condition is a lane of ones or of zeros. Everything here is compiled for the processor's
//! features, and inlined only into functions that are, too.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_GE_OQ, _CMP_GT_OQ, _mm_and_si128, _mm_cvtsi128_si32,
    _mm_or_si128, _mm_shuffle_epi8, _mm_srli_si128, _mm256_add_epi8, _mm256_add_epi32,
    _mm256_add_ps, _mm256_and_ps, _mm256_and_si256, _mm256_andnot_si256, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpeq_epi32,
    _mm256_cvtepi32_ps, _mm256_div_ps, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_epu32,
    _mm256_min_epu32, _mm256_movemask_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_srli_epi32, _mm256_sub_epi32, _mm256_sub_ps, _mm256_xor_si256,
};

/// How many numbers there are.
pub(crate) const LANES: usize = 8;

/// Eight whole numbers, or conditions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lanes(__m256i);

/// Eight numbers with fractions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floats(__m256);

/// Sixteen bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes(__m128i);

/// How many bytes there are.
pub(crate) const BYTES: usize = 16;

impl Bytes {
    /// A place from which [`Bytes::picked`] picks nothing.
    pub(crate) const NOWHERE: u8 = 0x80;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn of(bytes: &[u8; BYTES]) -> Self {
        Self(bytemuck::cast(*bytes))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(_mm_and_si128(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(_mm_or_si128(self.0, other.0))
    }

    /// Picks the bytes at sixteen places.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn picked(self, places: Self) -> Self {
        Self(_mm_shuffle_epi8(self.0, places.0))
    }

    /// Returns the bits that any byte has.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn any(self) -> u8 {
        let halves = self.or(Self(_mm_srli_si128::<8>(self.0)));
        let quarters = halves.or(Self(_mm_srli_si128::<4>(halves.0)));
        let pairs = quarters.or(Self(_mm_srli_si128::<2>(quarters.0)));
        let bytes = pairs.or(Self(_mm_srli_si128::<1>(pairs.0)));
        _mm_cvtsi128_si32(bytes.0) as u8
    }
}

impl Lanes {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn of(words: &[u32; LANES]) -> Self {
        Self(bytemuck::cast(*words))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn all(word: u32) -> Self {
        Self(_mm256_set1_epi32(word.cast_signed()))
    }

    /// Returns conditions from bits, that of the first lane lowest.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn of_bits(bits: u8) -> Self {
        let each = Self::of(&std::array::from_fn(|lane| 1 << lane));
        Self::all(bits.into()).and(each).equals(each)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn zeros() -> Self {
        Self(_mm256_setzero_si256())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn ones() -> Self {
        Self::all(u32::MAX)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(_mm256_and_si256(self.0, other.0))
    }

    /// Keeps what the other does not hold.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn without(self, other: Self) -> Self {
        Self(_mm256_andnot_si256(other.0, self.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(_mm256_or_si256(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn xor(self, other: Self) -> Self {
        Self(_mm256_xor_si256(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(_mm256_add_epi32(self.0, other.0))
    }

    /// Subtracts; like [`u32::wrapping_sub`].
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(_mm256_sub_epi32(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn shifted_right<const BITS: i32>(self) -> Self {
        Self(_mm256_srli_epi32::<BITS>(self.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn smaller(self, other: Self) -> Self {
        Self(_mm256_min_epu32(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn greater(self, other: Self) -> Self {
        Self(_mm256_max_epu32(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn equals(self, other: Self) -> Self {
        Self(_mm256_cmpeq_epi32(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_zero(self) -> Self {
        self.equals(Self::zeros())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_at_most(self, other: Self) -> Self {
        self.smaller(other).equals(self)
    }

    /// Counts the bits of each lane: those of half a byte are looked up.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn count_ones(self) -> Self {
        let counts = _mm256_setr_epi8(
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
            0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
        );
        let half = _mm256_set1_epi8(0xf);
        let low = _mm256_and_si256(self.0, half);
        let high = _mm256_and_si256(_mm256_srli_epi32::<4>(self.0), half);
        let of_bytes = _mm256_add_epi8(
            _mm256_shuffle_epi8(counts, low),
            _mm256_shuffle_epi8(counts, high),
        );
        let of_words = _mm256_maddubs_epi16(of_bytes, _mm256_set1_epi8(1));
        Self(_mm256_madd_epi16(of_words, _mm256_set1_epi16(1)))
    }

    /// Returns conditions as bits, that of the first lane lowest.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn bits(self) -> u8 {
        _mm256_movemask_ps(_mm256_castsi256_ps(self.0)) as u8
    }

    /// Returns numbers below 2^31 as such with fractions.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn as_floats(self) -> Floats {
        Floats(_mm256_cvtepi32_ps(self.0))
    }
}

impl Floats {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn all(number: f32) -> Self {
        Self(_mm256_set1_ps(number))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(_mm256_add_ps(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn minus(self, other: Self) -> Self {
        Self(_mm256_sub_ps(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn times(self, other: Self) -> Self {
        Self(_mm256_mul_ps(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn over(self, other: Self) -> Self {
        Self(_mm256_div_ps(self.0, other.0))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_at_least(self, other: Self) -> Lanes {
        Lanes(_mm256_castps_si256(_mm256_cmp_ps::<_CMP_GE_OQ>(
            self.0, other.0,
        )))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn is_over(self, other: Self) -> Lanes {
        Lanes(_mm256_castps_si256(_mm256_cmp_ps::<_CMP_GT_OQ>(
            self.0, other.0,
        )))
    }

    /// Keeps the number where a condition holds, and has 0 elsewhere.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn only_where(self, condition: Lanes) -> Self {
        Self(_mm256_and_ps(self.0, _mm256_castsi256_ps(condition.0)))
    }

    /// Takes another number where a condition holds.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn replaced_where(self, condition: Lanes, other: Self) -> Self {
        let condition = _mm256_castsi256_ps(condition.0);
        Self(_mm256_blendv_ps(self.0, other.0, condition))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn to_array(self) -> [f32; LANES] {
        bytemuck::cast(self.0)
    }
}
