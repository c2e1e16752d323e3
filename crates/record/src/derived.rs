//! Derived forms of a column's values, computed once per distinct value.

use hashbrown::HashTable;
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::derive::{derive, derive_first};
use crate::{Column, FieldKind, Form, ValueId};

/// The values of one chunk derive in parallel with those of others.
const CHUNK_LEN: usize = 16_384;

/// For every distinct value of a column, the numbers of the derived values it has under one form.
#[derive(Debug)]
pub struct Derived {
    starts: Option<Vec<u32>>,
    ids: Vec<u32>,
    hashes: Vec<u64>,
}

impl Derived {
    /// Derives a form of every distinct value.
    ///
    /// # Panics
    /// Panics at 2^32 derived values.
    pub fn of(column: &Column, kind: FieldKind, form: Form) -> Self {
        if form == Form::Whole {
            let dictionary = column.dictionary();
            let ids = (0..dictionary.len() as u32).collect();
            let hashes = (0..dictionary.len() as u32).map(|id| dictionary.hash(ValueId::new(id)));
            return Self {
                starts: None,
                ids,
                hashes: hashes.collect(),
            };
        }
        let raw = derive_hashes(column, kind, form);
        let mut interner = HashInterner::default();
        if !form.is_multi() {
            let ids = raw.into_iter().map(|hash| interner.intern(hash)).collect();
            return Self {
                starts: None,
                ids,
                hashes: interner.hashes,
            };
        }
        let mut starts = Vec::with_capacity(column.dictionary().len() + 1);
        let mut ids = Vec::with_capacity(raw.len());
        starts.push(0);
        let mut from = 0;
        for hash in raw {
            // A zero ends the derived values of one value; hashes are never zero.
            if hash != 0 {
                ids.push(interner.intern(hash));
                continue;
            }
            ids[from..].sort_unstable();
            let mut kept = from;
            for i in from..ids.len() {
                if i == from || ids[i] != ids[kept - 1] {
                    ids[kept] = ids[i];
                    kept += 1;
                }
            }
            ids.truncate(kept);
            from = ids.len();
            starts.push(u32::try_from(from).expect("fewer than 2^32 derived values"));
        }
        Self {
            starts: Some(starts),
            ids,
            hashes: interner.hashes,
        }
    }

    /// Returns the derived values of a value as sorted numbers; empty where there are none.
    pub fn ids(&self, value: ValueId) -> &[u32] {
        match &self.starts {
            Some(starts) => {
                &self.ids[starts[value.index()] as usize..starts[value.index() + 1] as usize]
            }
            None => match &self.ids[value.index()..=value.index()] {
                [0] => &[],
                one => one,
            },
        }
    }

    /// Returns the only derived value, 0 where there is none; for forms that have at most one.
    pub fn single(&self, value: ValueId) -> u32 {
        self.ids[value.index()]
    }

    /// Returns whether a value may have several derived values.
    pub fn is_multi(&self) -> bool {
        self.starts.is_some()
    }

    /// Returns how many numbers there are, 0 included.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Returns whether nothing was derived.
    pub fn is_empty(&self) -> bool {
        self.len() == 1
    }

    /// Returns where each derived value stands among all in byte order, by number, from 1; 0 where
    /// there is none. For forms that have at most one, of the column that this was derived of.
    pub fn places(&self, column: &Column, kind: FieldKind, form: Form) -> Vec<u32> {
        let dictionary = column.dictionary();
        let values = (1..dictionary.len() as u32).into_par_iter();
        let texts = values.filter_map(|value| {
            let value = ValueId::new(value);
            let text = derive_first(form, kind, dictionary.text(value))?;
            Some((text, self.single(value)))
        });
        let mut texts: Vec<(String, u32)> = texts.collect();
        texts.par_sort_unstable();
        texts.dedup_by_key(|(_, id)| *id);
        let mut places = vec![0; self.len()];
        for (place, (_, id)) in (1..).zip(texts) {
            places[id as usize] = place;
        }
        places
    }

    /// Returns the content hash of a derived value.
    pub fn hash(&self, id: u32) -> u64 {
        self.hashes[id as usize]
    }
}

struct HashInterner {
    index: HashTable<u32>,
    hashes: Vec<u64>,
}

impl Default for HashInterner {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            hashes: vec![0],
        }
    }
}

impl HashInterner {
    fn intern(&mut self, hash: u64) -> u32 {
        if hash == 0 {
            return 0;
        }
        let hashes = &mut self.hashes;
        if let Some(&id) = self.index.find(hash, |&id| hashes[id as usize] == hash) {
            return id;
        }
        let id = hashes.len() as u32;
        hashes.push(hash);
        self.index
            .insert_unique(hash, id, |&id| hashes[id as usize]);
        id
    }
}

/// Content hashes of the derived values: one a value (0 for none), or a zero-ended list for multi forms.
fn derive_hashes(column: &Column, kind: FieldKind, form: Form) -> Vec<u64> {
    let dictionary = column.dictionary();
    let len = dictionary.len();
    let chunks: Vec<Vec<u64>> = (0..len.div_ceil(CHUNK_LEN))
        .into_par_iter()
        .map(|chunk| {
            let mut hashes = Vec::with_capacity(CHUNK_LEN);
            for id in chunk * CHUNK_LEN..len.min((chunk + 1) * CHUNK_LEN) {
                push_hashes(
                    &mut hashes,
                    dictionary.text(ValueId::new(id as u32)),
                    kind,
                    form,
                );
            }
            hashes
        })
        .collect();
    chunks.concat()
}

fn push_hashes(hashes: &mut Vec<u64>, text: &str, kind: FieldKind, form: Form) {
    let from = hashes.len();
    if !text.is_empty() {
        derive(form, kind, text, &mut |derived| {
            hashes.push(xxh3_64(derived.as_bytes()).max(1));
        });
    }
    if form.is_multi() {
        hashes.push(0);
    } else {
        let first = hashes.get(from).copied().unwrap_or(0);
        hashes.truncate(from);
        hashes.push(first);
    }
}
