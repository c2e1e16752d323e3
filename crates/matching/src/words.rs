//! The words of a field's values, numbered, and how rare each word is.
//!
//! Cost: a pass over all distinct values, four bytes a word of each, and once a distinct word its
//! text and 24 bytes. Numbers follow the byte order of words, so that sums over words are the same
//! whatever order values came in.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sameas_record::{Column, Dictionary, ValueId, words};

use crate::model::{FREQUENT_COUNT_MAX, FREQUENT_LEAST, FrequencyKey, FrequencyTable};
use crate::similarity::Signature;

/// The distinct words of every value of a field.
#[derive(Debug)]
pub(crate) struct Words {
    starts: Vec<usize>,
    ids: Vec<u32>,
    /// All words in byte order.
    texts: Vec<Box<str>>,
    signatures: Vec<Signature>,
}

impl Words {
    /// Takes all distinct values of a column apart.
    pub(crate) fn of(column: &Column) -> Self {
        let dictionary = column.dictionary();
        let mut distinct = Dictionary::default();
        let (mut starts, mut ids) = (vec![0, 0], Vec::new());
        for (_, value) in dictionary.values() {
            ids.extend(words(value).map(|word| distinct.intern(word).get()));
            starts.push(ids.len());
        }
        let mut order: Vec<u32> = (1..distinct.len() as u32).collect();
        let text = |&id: &u32| distinct.text(ValueId::new(id));
        order.par_sort_unstable_by_key(|id| text(id));
        let mut ranks = vec![0; distinct.len()];
        for (rank, &id) in (0..).zip(&order) {
            ranks[id as usize] = rank;
        }
        let mut words = Self {
            starts,
            ids: ids.into_iter().map(|id| ranks[id as usize]).collect(),
            signatures: order.iter().map(|id| Signature::of(text(id))).collect(),
            texts: order.iter().map(|id| text(id).into()).collect(),
        };
        words.make_sets();
        words
    }

    /// Sorts the words of each value and drops repeats.
    fn make_sets(&mut self) {
        let mut kept = 0;
        for value in 1..self.starts.len() {
            let (from, to) = (self.starts[value - 1], self.starts[value]);
            self.starts[value - 1] = kept;
            self.ids[from..to].sort_unstable();
            let mut last = None;
            for index in from..to {
                let id = self.ids[index];
                if last != Some(id) {
                    self.ids[kept] = id;
                    kept += 1;
                    last = Some(id);
                }
            }
        }
        if let Some(end) = self.starts.last_mut() {
            *end = kept;
        }
        self.ids.truncate(kept);
    }

    /// Returns the words of a value in byte order, as numbers without repeats.
    pub(crate) fn of_value(&self, value: ValueId) -> &[u32] {
        &self.ids[self.starts[value.index()]..self.starts[value.index() + 1]]
    }

    /// Returns how many values there are, the missing one included.
    fn value_count(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn text(&self, word: u32) -> &str {
        &self.texts[word as usize]
    }

    pub(crate) fn signature(&self, word: u32) -> &Signature {
        &self.signatures[word as usize]
    }

    /// Returns the words that occur often enough to be listed with their shares of all values, the
    /// most frequent first, and the mean share of the others.
    fn shares(&self, column: &Column) -> (Vec<(u32, f64)>, f64) {
        let mut counts = vec![0_u64; self.texts.len()];
        let mut total = 0;
        for (value, &count) in column.counts().iter().enumerate().skip(1) {
            total += u64::from(count);
            for &word in self.of_value(ValueId::new(value as u32)) {
                counts[word as usize] += u64::from(count);
            }
        }
        let total = total.max(1) as f64;
        let least = u64::from(FREQUENT_LEAST);
        let mut listed: Vec<u32> = (0..counts.len() as u32).collect();
        listed.retain(|&word| counts[word as usize] >= least);
        listed.par_sort_unstable_by_key(|&word| (std::cmp::Reverse(counts[word as usize]), word));
        listed.truncate(FREQUENT_COUNT_MAX);
        let listed_count: u64 = listed.iter().map(|&word| counts[word as usize]).sum();
        let unlisted_count = counts.iter().sum::<u64>() - listed_count;
        let unlisted = counts.iter().filter(|&&count| count > 0).count() - listed.len();
        let rest = unlisted_count.max(1) as f64 / unlisted.max(1) as f64 / total;
        let share = |word: u32| (word, counts[word as usize] as f64 / total);
        (listed.into_iter().map(share).collect(), rest.min(1.0))
    }

    /// Lists for a model how frequent words are, under tokens of a key.
    pub(crate) fn table(&self, column: &Column, field: &str, key: &FrequencyKey) -> FrequencyTable {
        let (listed, rest) = self.shares(column);
        let token = |(word, share)| (key.word_token(field, self.text(word)), share);
        FrequencyTable {
            rest,
            frequent: listed.into_iter().map(token).collect(),
        }
    }
}

/// How much each word of a field weighs, by its rarity.
///
/// A word weighs `ln(1 + 1 / share)`, where the share is that of the values that have it: the
/// inverse document frequency of Spärck Jones (1972), with 1 added so that a word in all values
/// weighs something. A word counts once a value, however often it stands there.
#[derive(Debug)]
pub(crate) struct WordWeights {
    pub(crate) of_word: Vec<f64>,
    /// One over the length of each value's vector of weights.
    pub(crate) scales: Vec<f64>,
}

impl WordWeights {
    /// Counts the words of the records at hand, to train on.
    pub(crate) fn counted(words: &Words, column: &Column) -> Self {
        let (listed, rest) = words.shares(column);
        let listed: BTreeMap<u32, f64> = listed.into_iter().collect();
        Self::new(words, |word| listed.get(&word).copied().unwrap_or(rest))
    }

    /// Takes the shares from a model, so that they depend on no other records.
    pub(crate) fn listed(
        words: &Words,
        table: &FrequencyTable,
        field: &str,
        key: &FrequencyKey,
    ) -> Self {
        Self::new(words, |word| {
            let token = key.word_token(field, words.text(word));
            table.frequent.get(&token).copied().unwrap_or(table.rest)
        })
    }

    fn new(words: &Words, share: impl Fn(u32) -> f64 + Sync) -> Self {
        let all = (0..words.texts.len() as u32).into_par_iter();
        let of_word: Vec<f64> = all.map(|word| (1.0 / share(word)).ln_1p()).collect();
        let scale = |value: u32| {
            let weights = words.of_value(ValueId::new(value)).iter();
            let squares = weights.map(|&word| of_word[word as usize].powi(2));
            squares.sum::<f64>().sqrt().recip()
        };
        let values = (0..words.value_count() as u32).into_par_iter();
        Self {
            scales: values.map(scale).collect(),
            of_word,
        }
    }
}
