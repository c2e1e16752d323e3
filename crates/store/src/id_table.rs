//! The hash table from unified ids to clusters.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A word that points nowhere.
pub(crate) const EMPTY: u32 = u32::MAX;

/// Returns how many words hold this many ids at a load of at most 0.75.
pub(crate) fn word_count(id_count: u64) -> u64 {
    (id_count * 4).div_ceil(3) + 1
}

fn home(namespace: &[u8], id: &[u8], word_count: usize) -> usize {
    // The seed keeps chosen ids from landing in one run, as with keys.
    let seed = xxh3_64_with_seed(namespace, u64::MAX);
    ((u128::from(xxh3_64_with_seed(id, seed)) * word_count as u128) >> 64) as usize
}

/// An id is in the table already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twice;

/// A table that is being filled.
#[derive(Debug)]
pub(crate) struct IdTableBuilder<'a> {
    namespace: &'a [u8],
    words: Vec<u32>,
    probe_max: u32,
}

impl<'a> IdTableBuilder<'a> {
    /// Makes an empty table for this many ids.
    pub(crate) fn new(namespace: &'a [u8], id_count: u64) -> Self {
        let words = vec![EMPTY; word_count(id_count) as usize];
        Self {
            namespace,
            words,
            probe_max: 0,
        }
    }

    /// Points an id to the first slot of its cluster, unless `is_same` says that the
    /// cluster of another slot bears the same id.
    pub(crate) fn insert(
        &mut self,
        id: &[u8],
        slot: u32,
        mut is_same: impl FnMut(u32) -> bool,
    ) -> Result<(), Twice> {
        let home = home(self.namespace, id, self.words.len());
        let (wrapped, following) = self.words.split_at_mut(home);
        for (probe, word) in following.iter_mut().chain(wrapped).enumerate() {
            if *word == EMPTY {
                *word = slot;
                self.probe_max = self.probe_max.max(probe as u32);
                return Ok(());
            }
            if is_same(*word) {
                return Err(Twice);
            }
        }
        unreachable!("there are more words than ids, so one of them is empty");
    }

    /// Returns how far an id lies from its place at most.
    pub(crate) fn probe_max(&self) -> u32 {
        self.probe_max
    }

    /// Returns the words in file order.
    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }
}

/// A view of a table; words are little endian as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdTable<'a> {
    words: &'a [u32],
    probe_max: u32,
}

impl<'a> IdTable<'a> {
    /// Looks at these words.
    pub(crate) fn new(words: &'a [u32], probe_max: u32) -> Self {
        Self { words, probe_max }
    }

    /// Returns how many words are in use.
    pub(crate) fn used(self) -> u64 {
        self.words.iter().filter(|&&word| word != EMPTY).count() as u64
    }

    /// Returns the slots that may be the first of this id's cluster.
    pub(crate) fn candidates(
        self,
        namespace: &[u8],
        id: &[u8],
    ) -> impl Iterator<Item = u32> + use<'a> {
        let home = home(namespace, id, self.words.len()).min(self.words.len());
        let (wrapped, following) = self.words.split_at(home);
        following
            .iter()
            .chain(wrapped)
            .take(self.probe_max as usize + 1)
            .map(|&word| u32::from_le(word))
            .take_while(|&word| word != EMPTY)
    }
}
