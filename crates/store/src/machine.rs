//! What the processor does faster than the language can say.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "instructions of one processor are unsafe to call; this file says why ours may be"
    )
)]

/// Asks the processor to fetch an item that is needed soon; without effect beyond the slice.
#[inline]
pub(crate) fn prefetch<T>(items: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = items.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing as far as the program can tell and cannot fault;
        // the instruction is part of every x86-64 processor.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (items, index);
}

/// Returns a bit for each 16-bit lane of four words that equals a number, that of the first
/// lane lowest; words are little endian as they lie in a file.
#[inline]
pub(crate) fn equal_lanes(words: [u64; 4], number: u16) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{
            _mm_cmpeq_epi16, _mm_movemask_epi8, _mm_packs_epi16, _mm_set_epi64x, _mm_set1_epi16,
        };
        let [a, b, c, d] = words;
        let pair = |low: u64, high: u64| (high.cast_signed(), low.cast_signed());
        let ((b, a), (d, c)) = (pair(a, b), pair(c, d));
        // SAFETY: these instructions (SSE2) are part of every x86-64 processor, and they take
        // and return values only.
        unsafe {
            let wanted = _mm_set1_epi16(number.cast_signed());
            let low = _mm_cmpeq_epi16(_mm_set_epi64x(b, a), wanted);
            let high = _mm_cmpeq_epi16(_mm_set_epi64x(d, c), wanted);
            // Lanes are all ones or all zeros, so a lane of half the width says the same.
            _mm_movemask_epi8(_mm_packs_epi16(low, high)).cast_unsigned()
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    plain_equal_lanes(words, number)
}

/// Says what [`equal_lanes`] says, on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_equal_lanes(words: [u64; 4], number: u16) -> u32 {
    let lanes = words.iter().flat_map(|word| {
        let word = u64::from_le(*word);
        (0..4).map(move |lane| (word >> (16 * lane)) as u16)
    });
    let equal = lanes.map(|lane| u32::from(lane == number));
    equal.enumerate().map(|(at, bit)| bit << at).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn this_processor_and_any_other_find_the_same_lanes(
            lanes in prop::array::uniform16(prop_oneof![Just(0_u16), Just(u16::MAX), Just(7), any::<u16>()]),
            number in prop_oneof![Just(0_u16), Just(u16::MAX), Just(7), any::<u16>()],
        ) {
            let word = |lanes: &[u16]| {
                lanes.iter().rev().fold(0_u64, |word, &lane| word << 16 | u64::from(lane)).to_le()
            };
            let mut words = lanes.chunks(4).map(word);
            let words = [(); 4].map(|()| words.next().expect("four times four lanes"));
            let equal = lanes.iter().map(|&lane| u32::from(lane == number));
            let expected: u32 = equal.enumerate().map(|(at, bit)| bit << at).sum();
            prop_assert_eq!(plain_equal_lanes(words, number), expected);
            prop_assert_eq!(equal_lanes(words, number), expected);
        }
    }
}
