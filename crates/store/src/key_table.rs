//! The hash table from references to arena entries.
//!
//! Cost of a look-up: one 64-byte bucket (a second one for about one key in twelve) and
//! the arena entry it points to; both are random reads of memory at ten million keys.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::map::prefetch;

/// Words of a bucket: one cache line.
pub(crate) const BUCKET_LEN: usize = 8;
/// Entries a bucket is meant for; the rest is slack, so the load is at most 0.75.
const BUCKET_LOAD: u64 = 6;
/// Words that are read together.
pub(crate) type Bucket = [u64; BUCKET_LEN];
const OFFSET_BITS: u32 = 40;
const FINGERPRINT_MAX: u64 = (1 << (64 - OFFSET_BITS)) - 2;
/// A word that points nowhere; no fingerprint has all its bits set.
pub(crate) const EMPTY: u64 = u64::MAX;
/// The first arena offset that a word cannot hold.
pub(crate) const ARENA_LEN_MAX: u64 = 1 << OFFSET_BITS;

/// The hash of a source and a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Returns what the hashes of one source's keys are seeded with.
    pub(crate) fn seed(namespace: &[u8], source: u16) -> u64 {
        xxh3_64_with_seed(namespace, u64::from(source))
    }

    /// Hashes a key.
    #[inline]
    pub(crate) fn new(seed: u64, key: &[u8]) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }

    #[inline]
    fn bucket(self, bucket_count: usize) -> usize {
        ((u128::from(self.0) * bucket_count as u128) >> 64) as usize
    }

    #[inline]
    fn fingerprint(self) -> u64 {
        (self.0 & (FINGERPRINT_MAX + 1)).min(FINGERPRINT_MAX)
    }
}

/// Returns how many buckets hold this many keys.
pub(crate) fn bucket_count(key_count: u64) -> u64 {
    key_count.div_ceil(BUCKET_LOAD).max(1)
}

/// A table that is being filled.
#[derive(Debug)]
pub(crate) struct KeyTableBuilder {
    buckets: Vec<Bucket>,
    probe_max: u32,
}

impl KeyTableBuilder {
    /// Makes an empty table for this many keys.
    pub(crate) fn new(key_count: u64) -> Self {
        let buckets = vec![[EMPTY; BUCKET_LEN]; bucket_count(key_count) as usize];
        Self {
            buckets,
            probe_max: 0,
        }
    }

    /// Points a key to its arena entry.
    pub(crate) fn insert(&mut self, hash: KeyHash, offset: u64) {
        let home = hash.bucket(self.buckets.len());
        let word = hash.fingerprint() << OFFSET_BITS | offset;
        let (wrapped, following) = self.buckets.split_at_mut(home);
        for (probe, bucket) in following.iter_mut().chain(wrapped).enumerate() {
            if let Some(place) = bucket.iter_mut().find(|place| **place == EMPTY) {
                *place = word;
                self.probe_max = self.probe_max.max(probe as u32);
                return;
            }
        }
        unreachable!("six keys at most for each bucket of eight, so one of them has room");
    }

    /// Returns how far a key lies from its bucket at most.
    pub(crate) fn probe_max(&self) -> u32 {
        self.probe_max
    }

    /// Returns the words in file order.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().flatten().copied()
    }
}

/// A view of a table; words are little endian as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyTable<'a> {
    buckets: &'a [Bucket],
    probe_max: u32,
}

impl<'a> KeyTable<'a> {
    /// Looks at these buckets.
    #[inline]
    pub(crate) fn new(buckets: &'a [Bucket], probe_max: u32) -> Self {
        Self { buckets, probe_max }
    }

    /// Returns how many words are in use.
    pub(crate) fn used(self) -> u64 {
        self.buckets
            .iter()
            .flatten()
            .filter(|&&word| word != EMPTY)
            .count() as u64
    }

    /// Asks the processor to fetch a key's bucket.
    #[inline]
    pub(crate) fn prefetch(self, hash: KeyHash) {
        prefetch(self.buckets, hash.bucket(self.buckets.len()));
    }

    /// Returns the arena offset of the first match in the key's own bucket.
    #[inline]
    pub(crate) fn home(self, hash: KeyHash) -> Option<u64> {
        let bucket = self.buckets.get(hash.bucket(self.buckets.len()))?;
        offset(bucket, matches(bucket, hash.fingerprint()))
    }

    /// Calls `decide` with each arena offset that may be this key's, until it answers.
    ///
    /// # Errors
    /// Passes on the error of `decide`.
    #[inline]
    pub(crate) fn find<T, E>(
        self,
        hash: KeyHash,
        mut decide: impl FnMut(u64) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let mut index = hash.bucket(self.buckets.len());
        for _ in 0..=self.probe_max {
            let Some(bucket) = self.buckets.get(index) else {
                return Ok(None);
            };
            let mut mask = matches(bucket, hash.fingerprint());
            while let Some(offset) = offset(bucket, mask) {
                if let Some(answer) = decide(offset)? {
                    return Ok(Some(answer));
                }
                mask &= mask - 1;
            }
            // Buckets fill from the front, so the last word tells whether keys overflowed.
            if bucket.last() == Some(&EMPTY) {
                return Ok(None);
            }
            index = if index + 1 == self.buckets.len() {
                0
            } else {
                index + 1
            };
        }
        Ok(None)
    }
}

/// Returns a bit for each word that carries the fingerprint: all words are compared, because
/// a loop that ends at the match is mispredicted at every other key.
#[inline]
fn matches(bucket: &Bucket, fingerprint: u64) -> u32 {
    let mut mask = 0;
    for (place, word) in bucket.iter().enumerate() {
        mask |= u32::from(u64::from_le(*word) >> OFFSET_BITS == fingerprint) << place;
    }
    mask
}

/// Returns the arena offset of the lowest bit's word.
#[inline]
fn offset(bucket: &Bucket, mask: u32) -> Option<u64> {
    let word = bucket.get(mask.trailing_zeros() as usize)?;
    Some(u64::from_le(*word) & (ARENA_LEN_MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_whose_fingerprint_is_all_ones_does_not_match_empty_words() {
        let hash = KeyHash(u64::MAX);
        let mut table = KeyTableBuilder::new(10);
        table.insert(hash, 7);
        let words: Vec<u64> = table.words().map(u64::to_le).collect();
        let buckets = words.as_chunks().0;
        let mut seen = Vec::new();
        let view = KeyTable::new(buckets, table.probe_max());
        let answer: Result<Option<()>, ()> = view.find(hash, |offset| {
            seen.push(offset);
            Ok(None)
        });
        assert_eq!((answer, seen), (Ok(None), vec![7]));
    }

    #[test]
    fn keys_that_share_one_bucket_overflow_and_are_found() {
        let mut table = KeyTableBuilder::new(60);
        let hash = |fingerprint: u64| KeyHash((u64::MAX << 32) | fingerprint);
        for offset in 0..60 {
            table.insert(hash(offset), offset);
        }
        let words: Vec<u64> = table.words().map(u64::to_le).collect();
        let buckets = words.as_chunks().0;
        let view = KeyTable::new(buckets, table.probe_max());
        assert_eq!((table.probe_max(), view.used()), (7, 60));
        for offset in 0..60 {
            let found: Result<_, ()> = view.find(hash(offset), |found| Ok(Some(found)));
            assert_eq!(found, Ok(Some(offset)));
        }
        let absent: Result<Option<u64>, ()> = view.find(hash(60), |found| Ok(Some(found)));
        assert_eq!(absent, Ok(None));
    }
}
