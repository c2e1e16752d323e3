//! Bits with their rank beside them: 32 bits and the count before them in one word.

/// Slots in one word.
const STEP: u32 = 32;

/// Returns the words for `len` slots of which these ascending ones are set.
pub(crate) fn encode(len: u32, set: impl IntoIterator<Item = u32>) -> Vec<u64> {
    let mut words = vec![0_u64; word_count(len)];
    for slot in set {
        if let Some(word) = words.get_mut((slot / STEP) as usize) {
            *word |= 1 << (slot % STEP);
        }
    }
    let mut before = 0_u64;
    for word in &mut words {
        let count = u64::from(word.count_ones());
        *word |= before << 32;
        before += count;
    }
    words
}

/// Returns how many words `len` slots take.
pub(crate) fn word_count(len: u32) -> usize {
    len.div_ceil(STEP) as usize
}

/// A view of rank bits; words are little endian as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RankBits<'a> {
    words: &'a [u64],
}

impl<'a> RankBits<'a> {
    /// Looks at these words.
    #[inline]
    pub(crate) fn new(words: &'a [u64]) -> Self {
        Self { words }
    }

    #[inline]
    fn word(self, slot: u32) -> Option<u64> {
        self.words
            .get((slot / STEP) as usize)
            .copied()
            .map(u64::from_le)
    }

    /// Returns how many bits are set up to and including this slot.
    #[inline]
    pub(crate) fn rank(self, slot: u32) -> Option<u32> {
        let word = self.word(slot)?;
        let through = u32::MAX >> (STEP - 1 - slot % STEP);
        ((word >> 32) as u32).checked_add((word as u32 & through).count_ones())
    }

    /// Returns whether this slot is set.
    pub(crate) fn contains(self, slot: u32) -> bool {
        self.word(slot)
            .is_some_and(|word| (word >> (slot % STEP)) & 1 == 1)
    }

    /// Returns the last set slot that is not after this one.
    pub(crate) fn last_through(self, slot: u32) -> Option<u32> {
        let mut index = slot / STEP;
        let mut bits = self.word(slot)? as u32 & (u32::MAX >> (STEP - 1 - slot % STEP));
        while bits == 0 {
            index = index.checked_sub(1)?;
            bits = self.word(index * STEP)? as u32;
        }
        Some(index * STEP + (STEP - 1 - bits.leading_zeros()))
    }

    /// Returns the first set slot after this one, or `len` if there is none before it.
    pub(crate) fn next_after(self, slot: u32, len: u32) -> u32 {
        let Some(from) = slot.checked_add(1).filter(|&from| from < len) else {
            return len;
        };
        let mut index = from / STEP;
        let mut bits = self.word(from).unwrap_or_default() as u32 & (u32::MAX << (from % STEP));
        while bits == 0 {
            index += 1;
            match self.words.get(index as usize) {
                Some(&word) => bits = u64::from_le(word) as u32,
                None => return len,
            }
        }
        (index * STEP + bits.trailing_zeros()).min(len)
    }

    /// Returns whether each word's rank is the number of bits before it, there are `total`
    /// bits, and none at or after `len`.
    pub(crate) fn is_consistent(self, len: u32, total: u32) -> bool {
        let mut before = 0_u64;
        for &word in self.words {
            let word = u64::from_le(word);
            if word >> 32 != before {
                return false;
            }
            before += u64::from((word as u32).count_ones());
        }
        let tail = len % STEP;
        let spare = if tail == 0 { 0 } else { u32::MAX << tail };
        let last = self
            .words
            .last()
            .map_or(0, |&word| u64::from_le(word) as u32);
        self.words.len() == word_count(len) && before == u64::from(total) && last & spare == 0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_equal_those_of_a_plain_list(
            len in 1_u32..300,
            seed in prop::collection::btree_set(0_u32..300, 0..200),
        ) {
            let set: Vec<u32> = seed.into_iter().filter(|&slot| slot < len).collect();
            let words: Vec<u64> = encode(len, set.iter().copied()).into_iter().map(u64::to_le).collect();
            let bits = RankBits::new(&words);
            prop_assert!(bits.is_consistent(len, set.len() as u32));
            for slot in 0..len {
                let through = set.iter().filter(|&&other| other <= slot).count() as u32;
                prop_assert_eq!(bits.rank(slot), Some(through));
                prop_assert_eq!(bits.contains(slot), set.contains(&slot));
                let last = set.iter().copied().rfind(|&other| other <= slot);
                prop_assert_eq!(bits.last_through(slot), last);
                let next = set.iter().copied().find(|&other| other > slot).unwrap_or(len);
                prop_assert_eq!(bits.next_after(slot, len), next);
            }
        }
    }

    #[test]
    fn a_wrong_rank_is_noticed() {
        let mut words = encode(100, [0, 40, 70]);
        *words.get_mut(1).unwrap() += 1 << 32;
        assert!(!RankBits::new(&words).is_consistent(100, 3));
    }
}
