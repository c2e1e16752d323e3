//! The hash table from references to arena entries.
//!
//! Cost of a look-up: one bucket of two cache lines, which come from memory together. It
//! tells at once where the arena entry lies, beside which lies the entity.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::machine::{equal_lanes, prefetch};

/// Keys of a bucket: a pair of cache lines, which processors fetch together.
pub(crate) const BUCKET_LEN: usize = 16;
/// Keys a bucket is meant for; the rest is slack, so that one key in two hundred overflows.
const BUCKET_LOAD: u64 = 10;
const FINGERPRINT_MAX: u16 = u16::MAX - 1;
/// The fingerprint of a place that holds no key; no key's fingerprint has all its bits set.
const EMPTY: u16 = u16::MAX;
/// Fingerprints in a word.
const LANES: usize = 4;

/// The first offset that a bucket cannot hold: all ones means that there is none.
pub(crate) const OFFSET_MAX: u64 = (1 << 48) - 1;

// The largest arena ends before that: as many clusters as references, all keys of full length.
const _: () = assert!(
    (sameas_graph::KEY_LEN_MAX + crate::arena::LEN_BESIDE_KEY_MAX) as u64 * (1 << 32) < OFFSET_MAX
);

/// Keys that are compared together: 16 fingerprints, then the offsets of their 16 arena
/// entries, first the upper 16 bits of each, then, in a cache line of their own, the lower 32.
pub(crate) type Bucket = [u64; 16];

const HIGH_HALVES: usize = BUCKET_LEN / LANES;
const LOW_HALVES: usize = 2 * HIGH_HALVES;
const EMPTY_BUCKET: Bucket = [u64::MAX; 16];

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
        // What is inlined has no path for keys of unusual length.
        Self(if key.len() <= 32 {
            xxh3_64_with_seed(key, seed)
        } else {
            hash_long(key, seed)
        })
    }

    /// Returns the hash as a number.
    #[inline]
    pub(crate) fn get(self) -> u64 {
        self.0
    }

    #[inline]
    fn bucket(self, bucket_count: usize) -> usize {
        ((u128::from(self.0) * bucket_count as u128) >> 64) as usize
    }

    #[inline]
    fn fingerprint(self) -> u16 {
        (self.0 as u16).min(FINGERPRINT_MAX)
    }
}

#[inline(never)]
fn hash_long(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed)
}

/// Returns how many buckets hold this many keys.
pub(crate) fn bucket_count(key_count: u64) -> u64 {
    key_count.div_ceil(BUCKET_LOAD).max(1)
}

/// A table that is being filled.
#[derive(Debug)]
pub(crate) struct KeyTableBuilder {
    /// Words are little endian, as in the file.
    buckets: Vec<Bucket>,
    probe_max: u32,
}

impl KeyTableBuilder {
    /// Makes an empty table for this many keys.
    pub(crate) fn new(key_count: u64) -> Self {
        let buckets = vec![EMPTY_BUCKET; bucket_count(key_count) as usize];
        Self {
            buckets,
            probe_max: 0,
        }
    }

    /// Asks the processor to fetch the bucket that a key belongs into.
    #[inline]
    pub(crate) fn prefetch(&self, hash: KeyHash) {
        prefetch(&self.buckets, hash.bucket(self.buckets.len()));
    }

    /// Says at what offset of the arena a key is.
    pub(crate) fn insert(&mut self, hash: KeyHash, offset: u64) {
        let home = hash.bucket(self.buckets.len());
        let (wrapped, following) = self.buckets.split_at_mut(home);
        for (probe, bucket) in following.iter_mut().chain(wrapped).enumerate() {
            let free = (0..BUCKET_LEN).find(|&at| fingerprint_of(bucket, at) == EMPTY);
            if let Some(at) = free {
                put(bucket, at, hash.fingerprint(), offset);
                self.probe_max = self.probe_max.max(probe as u32);
                return;
            }
        }
        unreachable!("ten keys at most for each bucket of sixteen, so one of them has room");
    }

    /// Returns how far a key lies from its bucket at most.
    pub(crate) fn probe_max(&self) -> u32 {
        self.probe_max
    }

    /// Returns the words as they lie in the file.
    pub(crate) fn words(&self) -> &[u64] {
        self.buckets.as_flattened()
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

    /// Returns how many keys there are, or nothing if a bucket is not filled from the front.
    pub(crate) fn key_count(self) -> Option<u64> {
        let len = |bucket: &Bucket| {
            let is_empty = |at: &usize| fingerprint_of(bucket, *at) == EMPTY;
            let len = (0..BUCKET_LEN).find(is_empty).unwrap_or(BUCKET_LEN);
            let mut rest = len..BUCKET_LEN;
            rest.all(|at| is_empty(&at) && offset_of(bucket, at) == OFFSET_MAX)
                .then_some(len as u64)
        };
        self.buckets.iter().map(len).sum()
    }

    /// Asks the processor to fetch the bucket that a key belongs into.
    #[inline]
    pub(crate) fn prefetch(self, hash: KeyHash) {
        if let Some(bucket) = self.buckets.get(hash.bucket(self.buckets.len())) {
            prefetch(bucket, 0);
            prefetch(bucket, LOW_HALVES);
        }
    }

    /// Returns the offset of the first match in a key's own bucket, where almost every key is.
    ///
    /// There is no branch on which of the sixteen it is, for a branch that waits for memory
    /// and is mispredicted keeps the processor from starting on the next look-up; and there
    /// are few instructions, for those that wait for memory fill its queue.
    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    pub(crate) fn first_match(self, hash: KeyHash) -> Option<u64> {
        let bucket = self.buckets.get(hash.bucket(self.buckets.len()))?;
        // What the fingerprints lead to comes with them, not after them.
        prefetch(bucket, LOW_HALVES);
        let found = matches(bucket, hash.fingerprint());
        (found != 0).then(|| offset_of(bucket, found.trailing_zeros() as usize))
    }

    /// Calls `decide` with each offset where this key may be, until it answers.
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
            let mut found = matches(bucket, hash.fingerprint());
            while found != 0 {
                let at = found.trailing_zeros() as usize;
                if let Some(answer) = decide(offset_of(bucket, at))? {
                    return Ok(Some(answer));
                }
                found &= found - 1;
            }
            // Buckets fill from the front, so the last place tells whether keys overflowed.
            if fingerprint_of(bucket, BUCKET_LEN - 1) == EMPTY {
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

/// Returns a bit for each key of a bucket with this fingerprint, that of the first key lowest.
#[inline]
fn matches(bucket: &Bucket, fingerprint: u16) -> u32 {
    let [a, b, c, d, ..] = *bucket;
    equal_lanes([a, b, c, d], fingerprint)
}

#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "the number of a key is below 16, so the mask changes nothing but shows it"
)]
fn fingerprint_of(bucket: &Bucket, at: usize) -> u16 {
    let lanes: &[u16; 64] = bytemuck::cast_ref(bucket);
    u16::from_le(lanes[at % BUCKET_LEN])
}

/// Returns the offset of a bucket's n-th key.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "the number of a key is below 16, so the masks change nothing but show it"
)]
fn offset_of(bucket: &Bucket, at: usize) -> u64 {
    let lanes: &[u16; 64] = bytemuck::cast_ref(bucket);
    let words: &[u32; 32] = bytemuck::cast_ref(bucket);
    let high = u16::from_le(lanes[LANES * HIGH_HALVES + at % BUCKET_LEN]);
    let low = u32::from_le(words[2 * LOW_HALVES + at % BUCKET_LEN]);
    u64::from(low) | u64::from(high) << 32
}

/// Writes a bucket's n-th key, whose place is blank.
#[expect(
    clippy::indexing_slicing,
    reason = "the table that calls this made the place, so it is within the bucket"
)]
fn put(bucket: &mut Bucket, at: usize, fingerprint: u16, offset: u64) {
    let mut xor = |word: usize, shift: usize, blank: u64, value: u64| {
        bucket[word] ^= ((blank ^ value) << shift).to_le();
    };
    let (word, shift) = (at / LANES, 16 * (at % LANES));
    let half = u64::from(u16::MAX);
    xor(word, shift, u64::from(EMPTY), u64::from(fingerprint));
    xor(HIGH_HALVES + word, shift, half, offset >> 32);
    let (low, blank) = (offset & u64::from(u32::MAX), u64::from(u32::MAX));
    xor(LOW_HALVES + at / 2, 32 * (at % 2), blank, low);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64) -> u64 {
        number << 40 | number << 28 | number
    }

    #[test]
    fn a_key_whose_fingerprint_is_all_ones_does_not_match_empty_words() {
        let hash = KeyHash(u64::MAX);
        let mut table = KeyTableBuilder::new(10);
        table.insert(hash, at(7));
        let view = KeyTable::new(table.words().as_chunks().0, table.probe_max());
        let mut seen = Vec::new();
        let answer: Result<Option<()>, ()> = view.find(hash, |offset| {
            seen.push(offset);
            Ok(None)
        });
        assert_eq!((answer, seen), (Ok(None), vec![at(7)]));
    }

    #[test]
    fn keys_that_share_one_bucket_overflow_and_are_found() {
        let mut table = KeyTableBuilder::new(60);
        let hash = |fingerprint: u64| KeyHash((u64::MAX << 32) | fingerprint);
        for number in 0..60_u64 {
            table.insert(hash(number), at(number));
        }
        let view = KeyTable::new(table.words().as_chunks().0, table.probe_max());
        assert_eq!((table.probe_max(), view.key_count()), (3, Some(60)));
        for number in 0..60_u64 {
            let found: Result<_, ()> = view.find(hash(number), |found| Ok(Some(found)));
            assert_eq!(found, Ok(Some(at(number))));
        }
        let absent: Result<Option<u64>, ()> = view.find(hash(60), |found| Ok(Some(found)));
        assert_eq!(absent, Ok(None));
    }

    #[test]
    fn a_key_in_its_bucket_is_matched_at_once() {
        let mut table = KeyTableBuilder::new(60);
        let hash = |fingerprint: u64| KeyHash(fingerprint);
        for number in 0..30_u64 {
            table.insert(hash(number), at(number));
        }
        let view = KeyTable::new(table.words().as_chunks().0, table.probe_max());
        for number in 0..30 {
            let near = Some(at(number)).filter(|_| number < 16);
            assert_eq!(view.first_match(hash(number)), near);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_fingerprint_matches_where_it_is(words: Bucket, wanted in 0_usize..20, other: u16) {
            let lanes: [u16; 64] = bytemuck::cast(words);
            let inside = lanes.iter().take(BUCKET_LEN).nth(wanted);
            let fingerprint = inside.map_or(other, |&lane| u16::from_le(lane));
            let equal = (0..BUCKET_LEN).map(|at| u32::from(fingerprint_of(&words, at) == fingerprint));
            let expected: u32 = equal.enumerate().map(|(at, bit)| bit << at).sum();
            proptest::prop_assert_eq!(matches(&words, fingerprint), expected);
        }
    }

    #[test]
    fn the_largest_offset_is_kept() {
        let largest = OFFSET_MAX - 1;
        let mut table = KeyTableBuilder::new(12);
        table.insert(KeyHash(0), largest);
        let words = table.words();
        let view = KeyTable::new(words.as_chunks().0, 0);
        assert_eq!(
            (view.first_match(KeyHash(0)), view.key_count()),
            (Some(largest), Some(1))
        );
    }
}
