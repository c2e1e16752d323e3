//! Distinct values of a field, each stored once, in memory only.

use std::fmt;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The number of a distinct value of one field; 0 stands for a missing value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(u32);

impl ValueId {
    /// No value.
    pub const MISSING: Self = Self(0);

    /// Wraps a value number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number as stored.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the number for indexing.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns whether there is no value.
    pub const fn is_missing(self) -> bool {
        self.0 == 0
    }
}

/// Distinct texts, numbered from 1 in order of arrival; number 0 is the missing value.
///
/// Numbers depend on the order of arrival, so they serve for equality and indexing
/// only; whatever must be canonical uses the content hash.
pub struct Dictionary {
    /// All texts, one after the other: slicing it checks a boundary, not every byte.
    texts: String,
    ends: Vec<u64>,
    hashes: Vec<u64>,
    index: HashTable<u32>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            texts: String::new(),
            ends: vec![0],
            hashes: vec![0],
            index: HashTable::new(),
        }
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Dictionary({} values, {} bytes)",
            self.len() - 1,
            self.texts.len()
        )
    }
}

impl Dictionary {
    /// Returns how many numbers there are, the missing value included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there is no value but the missing one.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// Returns the number of a text, which gets a new one if it is new.
    ///
    /// # Panics
    /// Panics at 2^32 distinct values.
    pub fn intern(&mut self, text: &str) -> ValueId {
        let hash = xxh3_64(text.as_bytes());
        let (texts, ends, hashes) = (&self.texts, &self.ends, &self.hashes);
        let same =
            |&id: &u32| hashes[id as usize] == hash && slice(texts, ends, id as usize) == text;
        if let Some(&id) = self.index.find(hash, same) {
            return ValueId(id);
        }
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 distinct values");
        self.texts.push_str(text);
        self.ends.push(self.texts.len() as u64);
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.index
            .insert_unique(hash, id, |&id| hashes[id as usize]);
        ValueId(id)
    }

    /// Returns the number of a text that was interned before.
    pub fn find(&self, text: &str) -> Option<ValueId> {
        let hash = xxh3_64(text.as_bytes());
        let same = |&id: &u32| self.hashes[id as usize] == hash && self.text(ValueId(id)) == text;
        self.index.find(hash, same).map(|&id| ValueId(id))
    }

    /// Returns the text of a value; empty for the missing value.
    ///
    /// # Panics
    /// Panics if no value has this number.
    pub fn text(&self, id: ValueId) -> &str {
        slice(&self.texts, &self.ends, id.index())
    }

    /// Returns the content hash of a value; 0 for the missing value.
    pub fn hash(&self, id: ValueId) -> u64 {
        self.hashes[id.index()]
    }

    /// Returns all values, the missing one excluded, in order of their numbers.
    pub fn values(&self) -> impl Iterator<Item = (ValueId, &str)> {
        (1..self.len() as u32).map(|id| (ValueId(id), self.text(ValueId(id))))
    }

    /// Drops the index that `intern` and `find` need, when only reading is left.
    pub fn seal(&mut self) {
        self.index = HashTable::new();
        self.texts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }
}

fn slice<'a>(texts: &'a str, ends: &[u64], id: usize) -> &'a str {
    let from = if id == 0 { 0 } else { ends[id - 1] };
    &texts[from as usize..ends[id] as usize]
}
