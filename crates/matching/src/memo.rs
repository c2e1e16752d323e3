//! The levels of value pairs that were asked before.
//!
//! Cost: one read of a table that stays in the second cache; 128 KiB a comparison. It is kept for
//! comparisons whose levels cost hundreds of nanoseconds, where blocks ask of the same values again
//! and again.

use std::sync::atomic::{AtomicU64, Ordering};

use sameas_record::ValueId;

/// The binary logarithm of how many pairs are remembered.
const SLOT_BITS: u32 = 14;
/// Bits of a value number that fit beside another and a level.
const VALUE_BITS: u32 = 30;
/// Bits of a level.
const LEVEL_BITS: u32 = 4;

/// A table of pairs in which a new one takes the place of an old one.
///
/// A slot is one word, value numbers and level together, so threads can share it without a lock:
/// what is read is what some thread computed, and all threads compute the same.
#[derive(Debug)]
pub(crate) struct LevelMemo(Vec<AtomicU64>);

impl LevelMemo {
    pub(crate) fn new() -> Self {
        Self((0..1 << SLOT_BITS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Returns the level of two present values, from memory or else computed.
    pub(crate) fn level(&self, a: ValueId, b: ValueId, compute: impl FnOnce() -> u8) -> u8 {
        if a.get().max(b.get()) >> VALUE_BITS != 0 {
            return compute();
        }
        let pair = u64::from(a.get()) << VALUE_BITS | u64::from(b.get());
        let spread = pair.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOT_BITS);
        let slot = &self.0[spread as usize];
        let known = slot.load(Ordering::Relaxed);
        // No pair is 0, for present values are numbered from 1.
        if known >> LEVEL_BITS == pair {
            return (known & ((1 << LEVEL_BITS) - 1)) as u8;
        }
        let level = compute();
        debug_assert!(level < 1 << LEVEL_BITS);
        slot.store(pair << LEVEL_BITS | u64::from(level), Ordering::Relaxed);
        level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_the_level_it_was_computed_with() {
        let memo = LevelMemo::new();
        let large = [(1 << 30) - 1, 1 << 30, u32::MAX];
        let level = |a: u32, b: u32| ((a ^ b.rotate_left(7)) % 14 + 1) as u8;
        // More pairs than there is room for, so that some of the same first value meet in a slot.
        for round in 0..2 {
            for a in 1..20 {
                for b in (1..2_000).chain(large) {
                    let pair = (ValueId::new(a), ValueId::new(b));
                    let found = memo.level(pair.0, pair.1, || level(a, b));
                    assert_eq!(found, level(a, b), "{a} {b} in round {round}");
                }
            }
        }
        let pair = (ValueId::new(1), ValueId::new(2));
        let first = memo.level(pair.0, pair.1, || 5);
        assert_eq!(memo.level(pair.0, pair.1, || 6), first, "it is remembered");
    }
}
