//! Distinct values of a field, each stored once, in memory only.

use std::fmt;
use std::hint::black_box;

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
    index: Index,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self {
            texts: String::new(),
            ends: vec![0],
            hashes: vec![0],
            index: Index::default(),
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
        self.index.reserve(1, &self.hashes);
        ValueId(self.intern_hashed(text, xxh3_64(text.as_bytes())))
    }

    /// Appends the numbers of texts; new ones get new numbers in turn.
    ///
    /// # Panics
    /// Panics at 2^32 distinct values.
    pub fn intern_all(&mut self, texts: &[&str], ids: &mut Vec<u32>) {
        let mut hashes = [0; TOGETHER];
        for texts in texts.chunks(TOGETHER) {
            self.index.reserve(texts.len(), &self.hashes);
            // These reads do not wait for one another; one after the other each would.
            let mut read = 0;
            for (hash, text) in hashes.iter_mut().zip(texts) {
                *hash = xxh3_64(text.as_bytes());
                read ^= self.index.slots[self.index.home(*hash)].id;
            }
            black_box(read);
            let interned = texts.iter().zip(hashes);
            ids.extend(interned.map(|(text, hash)| self.intern_hashed(text, hash)));
        }
    }

    /// Returns the number of a text; there is room for a new one.
    fn intern_hashed(&mut self, text: &str, hash: u64) -> u32 {
        let (texts, ends) = (&self.texts, &self.ends);
        let place = match self.index.find(hash, |id| slice(texts, ends, id) == text) {
            Ok(id) => return id,
            Err(place) => place,
        };
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 distinct values");
        self.texts.push_str(text);
        self.ends.push(self.texts.len() as u64);
        self.hashes.push(hash);
        self.index.slots[place] = Slot::new(hash, id);
        self.index.len += 1;
        id
    }

    /// Returns the number of a text that was interned before.
    pub fn find(&self, text: &str) -> Option<ValueId> {
        let hash = xxh3_64(text.as_bytes());
        let same = |id| slice(&self.texts, &self.ends, id) == text;
        self.index.find(hash, same).ok().map(ValueId)
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

    /// Returns how many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let words = self.ends.len() + self.hashes.len() + self.index.slots.len();
        (self.texts.len() + words * size_of::<u64>()) as u64
    }

    /// Drops the index that `intern` and `find` need, when only reading is left.
    pub fn seal(&mut self) {
        self.index = Index::default();
        self.texts.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.hashes.shrink_to_fit();
    }
}

/// How many texts are looked up side by side.
const TOGETHER: usize = 32;

/// Where the numbers of texts are by their hashes: open addressing with linear probing, at most
/// two thirds full.
///
/// Own code, because a look-up of many texts must be able to read all their slots before it
/// needs one: at millions of distinct values each read is a wait for memory.
struct Index {
    /// A power of two of them.
    slots: Vec<Slot>,
    len: usize,
}

/// A number and part of its text's hash; number 0 is an empty slot.
#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    id: u32,
}

impl Slot {
    fn new(hash: u64, id: u32) -> Self {
        Self {
            tag: hash as u32,
            id,
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); 2],
            len: 0,
        }
    }
}

impl Index {
    /// Returns the first slot in which a hash may be: its upper bits, for the lower are the tag.
    fn home(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.slots.len() - 1)
    }

    /// Returns the number whose text is the one, or the slot in which it belongs.
    fn find(&self, hash: u64, is_same: impl Fn(usize) -> bool) -> Result<u32, usize> {
        let mut place = self.home(hash);
        loop {
            let slot = self.slots[place];
            if slot.id == 0 {
                return Err(place);
            }
            if slot.tag == hash as u32 && is_same(slot.id as usize) {
                return Ok(slot.id);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }

    /// Makes room for so many more numbers; `hashes` are those of all numbers so far.
    fn reserve(&mut self, more: usize, hashes: &[u64]) {
        let needed = (self.len + more) * 3 / 2 + 1;
        if needed <= self.slots.len() {
            return;
        }
        self.slots.clear();
        self.slots
            .resize(needed.next_power_of_two(), Slot::default());
        for (id, &hash) in hashes.iter().enumerate().skip(1) {
            if let Err(place) = self.find(hash, |_| false) {
                self.slots[place] = Slot::new(hash, id as u32);
            }
        }
    }
}

fn slice<'a>(texts: &'a str, ends: &[u64], id: usize) -> &'a str {
    let from = if id == 0 { 0 } else { ends[id - 1] };
    &texts[from as usize..ends[id] as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Dictionary;

    #[test]
    fn equal_texts_have_one_number_however_they_come_in() {
        let text = |n: u32| format!("value {}", n.wrapping_mul(2_654_435_761) % 7_000);
        let texts: Vec<String> = (0..20_000).map(text).collect();
        let mut expected = BTreeMap::new();
        let mut dictionary = Dictionary::default();
        for texts in texts.chunks(777) {
            let mut ids = vec![dictionary.intern(&texts[0]).get()];
            let many: Vec<&str> = texts[1..].iter().map(String::as_str).collect();
            dictionary.intern_all(&many, &mut ids);
            for (text, id) in texts.iter().zip(ids) {
                let next = expected.len() as u32 + 1;
                assert_eq!(id, *expected.entry(text).or_insert(next), "{text}");
            }
        }
        assert_eq!(dictionary.len(), expected.len() + 1);
        for (text, id) in expected {
            assert_eq!(dictionary.find(text).map(super::ValueId::get), Some(id));
        }
        assert_eq!(dictionary.find("no value"), None);
    }
}
