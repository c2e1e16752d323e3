//! The hash of a source and a key, which says where in the arena their entry lies.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The longest key that is hashed without a call.
const SHORT_LEN_MAX: usize = 32;

/// The hash of a source and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Returns what the hashes of one source's keys are seeded with.
    pub(crate) fn seed(namespace: &[u8], source: u16) -> u64 {
        xxh3_64_with_seed(namespace, u64::from(source))
    }

    /// Hashes a key.
    #[inline]
    pub(crate) fn new(seed: u64, key: &[u8]) -> Self {
        Self::of_short(seed, key).unwrap_or_else(|| Self(hash_long(key, seed)))
    }

    /// Hashes a key unless it is long.
    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    pub(crate) fn of_short(seed: u64, key: &[u8]) -> Option<Self> {
        // What is inlined has no path for keys of unusual length.
        (key.len() <= SHORT_LEN_MAX).then(|| Self(xxh3_64_with_seed(key, seed)))
    }

    /// Takes a number for a hash.
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Returns the hash as a number.
    #[inline]
    pub(crate) fn get(self) -> u64 {
        self.0
    }
}

#[inline(never)]
fn hash_long(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed)
}
