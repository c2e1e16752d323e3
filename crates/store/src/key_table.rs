//! The hash table from references to arena entries.
//!
//! Cost of a look-up: one 64-byte bucket (a second one for about one key in twelve) and
//! the arena entry it points to; both are random reads of memory at ten million keys.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Words of a bucket: one cache line.
pub(crate) const BUCKET_LEN: usize = 8;
/// Entries a bucket is meant for; the rest is slack, so the load is at most 0.75.
const BUCKET_LOAD: u64 = 6;
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
    pub(crate) fn new(seed: u64, key: &[u8]) -> Self {
        Self(xxh3_64_with_seed(key, seed))
    }

    fn bucket(self, bucket_count: usize) -> usize {
        ((u128::from(self.0) * bucket_count as u128) >> 64) as usize
    }

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
    buckets: Vec<[u64; BUCKET_LEN]>,
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
    buckets: &'a [[u64; BUCKET_LEN]],
    probe_max: u32,
}

impl<'a> KeyTable<'a> {
    /// Looks at these words.
    pub(crate) fn new(words: &'a [u64], probe_max: u32) -> Self {
        Self {
            buckets: words.as_chunks().0,
            probe_max,
        }
    }

    /// Returns how many words are in use.
    pub(crate) fn used(self) -> u64 {
        self.buckets
            .iter()
            .flatten()
            .filter(|&&word| word != EMPTY)
            .count() as u64
    }

    /// Returns the matches in the key's own bucket and whether others may follow in the next.
    #[inline]
    pub(crate) fn home(self, hash: KeyHash) -> Matches {
        let bucket = self.buckets.get(hash.bucket(self.buckets.len()));
        Matches::of(bucket, hash.fingerprint())
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
        let home = hash.bucket(self.buckets.len());
        let mut index = home;
        for _ in 0..=self.probe_max {
            let Some(bucket) = self.buckets.get(index) else {
                return Ok(None);
            };
            let mut matches = Matches::of(Some(bucket), hash.fingerprint());
            while let Some(offset) = matches.next() {
                if let Some(answer) = decide(offset)? {
                    return Ok(Some(answer));
                }
            }
            if !matches.is_full {
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

/// The words of one bucket that carry a fingerprint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matches {
    bucket: [u64; BUCKET_LEN],
    mask: u32,
    is_full: bool,
}

impl Matches {
    #[inline]
    fn of(bucket: Option<&[u64; BUCKET_LEN]>, fingerprint: u64) -> Self {
        let bucket = *bucket.unwrap_or(&[EMPTY; BUCKET_LEN]);
        let mut mask = 0;
        for (place, word) in bucket.iter().enumerate() {
            mask |= u32::from(u64::from_le(*word) >> OFFSET_BITS == fingerprint) << place;
        }
        // Buckets fill from the front, so the last word tells.
        Self {
            bucket,
            mask,
            is_full: bucket.last() != Some(&EMPTY),
        }
    }

    /// Returns the arena offset of the next match.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<u64> {
        let word = *self.bucket.get(self.mask.trailing_zeros() as usize)?;
        self.mask &= self.mask - 1;
        Some(u64::from_le(word) & (ARENA_LEN_MAX - 1))
    }
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
        let mut seen = Vec::new();
        let view = KeyTable::new(&words, table.probe_max());
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
        let view = KeyTable::new(&words, table.probe_max());
        assert_eq!((table.probe_max(), view.used()), (7, 60));
        for offset in 0..60 {
            let found: Result<_, ()> = view.find(hash(offset), |found| Ok(Some(found)));
            assert_eq!(found, Ok(Some(offset)));
        }
        let absent: Result<Option<u64>, ()> = view.find(hash(60), |found| Ok(Some(found)));
        assert_eq!(absent, Ok(None));
    }
}
