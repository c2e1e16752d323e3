//! What the processor does faster than the language can say.
#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "instructions of one processor are unsafe to call; this file says why ours may be"
    )
)]

/// Bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const LINE_LEN: usize = 64;

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

/// Asks the processor to fetch some cache lines, to be kept in all its caches.
#[inline]
pub(crate) fn prefetch_near<const LINES: usize>(bytes: &[u8], from: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in lines::<LINES>(bytes, from) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: as for `prefetch`, wherever the address leads.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, from);
}

/// Asks the processor to fetch some cache lines that are read once: they take the place of
/// nothing in its larger caches.
#[inline]
pub(crate) fn prefetch_far<const LINES: usize>(bytes: &[u8], from: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in lines::<LINES>(bytes, from) {
        use std::arch::x86_64::{_MM_HINT_NTA, _mm_prefetch};
        // SAFETY: as for `prefetch`, wherever the address leads.
        unsafe { _mm_prefetch::<_MM_HINT_NTA>(line) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, from);
}

/// Returns an address in each of some cache lines; those behind the bytes are not checked for.
#[cfg(target_arch = "x86_64")]
#[inline]
fn lines<const LINES: usize>(bytes: &[u8], from: usize) -> [*const i8; LINES] {
    let first = bytes.as_ptr().wrapping_add(from);
    std::array::from_fn(|line| first.wrapping_add(line * LINE_LEN).cast())
}

/// Returns a bit for each of sixteen bytes that equals a byte, that of the first one lowest.
#[inline]
pub(crate) fn equal_bytes(bytes: &[u8; 16], byte: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
        let number = u128::from_le_bytes(*bytes);
        let (low, high) = (number as i64, (number >> 64) as i64);
        // SAFETY: these instructions (SSE2) are part of every x86-64 processor, and they take
        // and return values only.
        unsafe {
            let equal = _mm_cmpeq_epi8(_mm_set_epi64x(high, low), _mm_set1_epi8(byte as i8));
            _mm_movemask_epi8(equal).cast_unsigned()
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    plain_equal_bytes(bytes, byte)
}

/// Says what [`equal_bytes`] says, on any processor.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain_equal_bytes(bytes: &[u8; 16], byte: u8) -> u32 {
    let equal = bytes.iter().map(|&other| u32::from(other == byte));
    equal.enumerate().map(|(at, bit)| bit << at).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn this_processor_and_any_other_find_the_same_bytes(
            bytes in prop::array::uniform16(prop_oneof![Just(0_u8), Just(u8::MAX), Just(7), any::<u8>()]),
            byte in prop_oneof![Just(0_u8), Just(u8::MAX), Just(7), any::<u8>()],
        ) {
            let mut expected = 0_u32;
            for (at, _) in bytes.iter().enumerate().filter(|(_, other)| **other == byte) {
                expected |= 1 << at;
            }
            prop_assert_eq!(plain_equal_bytes(&bytes, byte), expected);
            prop_assert_eq!(equal_bytes(&bytes, byte), expected);
        }
    }
}
