//! What `init` sees of a source: a bounded sample of its rows, and sketches over all of them.
//!
//! Every row is read once. Kept are the rows of smallest hash (so the sample is spread, and the
//! same whatever the order), the smallest hashes of the distinct values of each column (so that
//! overlap of columns can be estimated, Bar-Yossef et al. 2002), and for columns without a
//! repeated value so far, all hashes: 16 bytes a row. Values live in memory only.

use std::collections::{BTreeMap, BTreeSet};

use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use futures::StreamExt;
use hashbrown::HashTable;
use sameas_record::{FieldKind, Locale, Normalizer};
use sameas_source::{ScanError, ScanRequest, Source};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::InitError;

/// The most rows of one source that are kept.
const ROWS_MAX: usize = 10_000;

/// The most hashes of distinct values that are kept of a column.
const SKETCH_LEN: usize = 1_024;

/// A column as `init` sees it.
pub(super) struct ColumnSample {
    pub(super) name: String,
    /// Rows that have a value, of all.
    pub(super) filled: u64,
    /// Whether no value of all rows occurs twice.
    pub(super) is_unique: bool,
    /// The smallest hashes of its distinct values as [`Folds`] has them, ascending.
    sketch: BTreeSet<u64>,
    seen: HashTable<u64>,
    /// Whether the type is one that a field can take.
    pub(super) is_readable: bool,
}

/// A source as `init` sees it.
pub(super) struct SourceSample {
    pub(super) columns: Vec<ColumnSample>,
    /// All rows.
    pub(super) row_count: u64,
    rows: BTreeMap<u64, Vec<Option<Box<str>>>>,
}

impl SourceSample {
    /// Reads all rows of an opened source.
    pub(super) async fn read(source: &Source) -> Result<Self, InitError> {
        let readable = |kind: &str| !matches!(kind, "mixed" | "a structure" | "a map" | "bytes");
        let mut columns: Vec<ColumnSample> = Vec::new();
        for info in source.columns() {
            let is_readable =
                readable(&info.data_type) && !info.data_type.starts_with("a list of structures");
            columns.push(ColumnSample::new(&info.name, is_readable));
        }
        let names: Vec<String> = columns
            .iter()
            .filter(|column| column.is_readable)
            .map(|column| column.name.clone())
            .collect();
        let mut sample = Self {
            columns,
            row_count: 0,
            rows: BTreeMap::new(),
        };
        let Some(first) = names.first().cloned() else {
            return Ok(sample);
        };
        let request = ScanRequest {
            key: first,
            columns: names,
            filter: None,
        };
        for mut stream in source.scan(&request, 1).await? {
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| ScanError::from_stream(source.name(), &e))?;
                sample.push(&batch);
            }
        }
        sample.settle();
        Ok(sample)
    }

    /// Makes a sample of columns and their values; tests use it.
    #[cfg(test)]
    pub(super) fn of<'a>(columns: impl Iterator<Item = (&'a str, &'a [&'a str])>) -> Self {
        let (names, values): (Vec<&str>, Vec<&[&str]>) = columns.unzip();
        let mut sample = Self {
            columns: names
                .iter()
                .map(|name| ColumnSample::new(name, true))
                .collect(),
            row_count: 0,
            rows: BTreeMap::new(),
        };
        let arrays = values
            .iter()
            .map(|values| -> ArrayRef { std::sync::Arc::new(StringArray::from(values.to_vec())) });
        // The key, which is read again as a column, comes first.
        let arrays: Vec<ArrayRef> = arrays.collect();
        let names = std::iter::once("").chain(names);
        let arrays = arrays.first().cloned().into_iter().chain(arrays);
        let batch = RecordBatch::try_from_iter(names.zip(arrays));
        sample.push(&batch.expect("columns are of one length"));
        sample.settle();
        sample
    }

    /// Tells whether any value has what a letter in UTF-8 becomes when it is read as Windows-1252: "Ã©" was
    /// an "é", so the text is UTF-8 that is damaged elsewhere.
    pub(super) fn has_torn_letters(&self) -> bool {
        let is_torn = |value: &str| {
            let second = value.chars().skip(1);
            let mut pairs = value.chars().zip(second);
            pairs.any(|pair| matches!(pair, ('Â' | 'Ã', '\u{A0}'..='\u{BF}')))
        };
        (0..self.columns.len()).any(|column| self.values(column).flatten().any(is_torn))
    }

    /// Decides which columns are unique, once all rows were seen.
    fn settle(&mut self) {
        for column in &mut self.columns {
            column.is_unique &= column.is_readable && column.filled == self.row_count;
            column.seen = HashTable::new();
        }
    }

    fn push(&mut self, batch: &RecordBatch) {
        // Column 0 is the key, which the scan needs and is read again as a column.
        let arrays: Vec<ArrayRef> = batch.columns()[1..].iter().map(text_of).collect();
        let texts: Vec<&StringArray> = arrays.iter().map(AsArray::as_string).collect();
        let readable: Vec<usize> = (0..self.columns.len())
            .filter(|&index| self.columns[index].is_readable)
            .collect();
        let mut folds = Folds::new();
        for row in 0..batch.num_rows() {
            self.row_count += 1;
            let mut row_hash = 0;
            for (&index, array) in readable.iter().zip(&texts) {
                let value = value_of(array, row);
                let hash = value.map_or(0, |value| xxh3_64(value.as_bytes()));
                row_hash = xxh3_64_with_seed(&hash.to_le_bytes(), row_hash);
                if let Some(value) = value {
                    self.columns[index].push(hash, folds.hash_of(value));
                }
            }
            let is_small = self.rows.len() < ROWS_MAX
                || self
                    .rows
                    .last_key_value()
                    .is_some_and(|(&h, _)| row_hash < h);
            if is_small {
                let mut values = vec![None; self.columns.len()];
                for (&index, array) in readable.iter().zip(&texts) {
                    values[index] = value_of(array, row).map(Box::from);
                }
                self.rows.insert(row_hash, values);
                if self.rows.len() > ROWS_MAX {
                    self.rows.pop_last();
                }
            }
        }
    }

    /// Returns the kept values of a column, missing ones too, in the order of the kept rows.
    pub(super) fn values(&self, column: usize) -> impl Iterator<Item = Option<&str>> {
        self.rows.values().map(move |row| row[column].as_deref())
    }

    /// Returns the share of kept rows for which a condition on two columns' presence holds.
    pub(super) fn share_of(&self, holds: impl Fn(&[Option<Box<str>>]) -> bool) -> f64 {
        let count = self.rows.values().filter(|row| holds(row)).count();
        count as f64 / (self.rows.len() as f64).max(1.0)
    }
}

impl ColumnSample {
    fn new(name: &str, is_readable: bool) -> Self {
        Self {
            name: name.to_owned(),
            filled: 0,
            is_unique: true,
            sketch: BTreeSet::new(),
            seen: HashTable::new(),
            is_readable,
        }
    }

    /// Takes the hash of a value as it is, and that of the value folded.
    fn push(&mut self, hash: u64, folded: u64) {
        self.filled += 1;
        if self.sketch.len() < SKETCH_LEN || self.sketch.last().is_some_and(|&last| folded < last) {
            self.sketch.insert(folded);
            if self.sketch.len() > SKETCH_LEN {
                self.sketch.pop_last();
            }
        }
        if self.is_unique {
            if self.seen.find(hash, |&known| known == hash).is_some() {
                self.is_unique = false;
                self.seen = HashTable::new();
            } else {
                self.seen.insert_unique(hash, hash, |&known| known);
            }
        }
    }

    /// Returns the share of the smaller column's distinct values that the other holds too, estimated.
    pub(super) fn overlap(&self, other: &Self) -> f64 {
        let last = |set: &BTreeSet<u64>| match set.last() {
            Some(&last) if set.len() == SKETCH_LEN => last,
            _ => u64::MAX,
        };
        // Below this hash both sketches are complete.
        let bound = last(&self.sketch).min(last(&other.sketch));
        let below = |set: &BTreeSet<u64>| set.range(..=bound).count();
        let smaller = below(&self.sketch).min(below(&other.sketch));
        let shared = self.sketch.intersection(&other.sketch);
        let shared = shared.take_while(|&&hash| hash <= bound).count();
        shared as f64 / (smaller as f64).max(1.0)
    }

    /// Returns how many distinct values there are, estimated.
    pub(super) fn distinct(&self) -> f64 {
        match self.sketch.last() {
            Some(&last) if self.sketch.len() == SKETCH_LEN => {
                (SKETCH_LEN - 1) as f64 / (last as f64 / u64::MAX as f64)
            }
            _ => self.sketch.len() as f64,
        }
    }
}

/// Values without what systems write differently: case, accents and the signs between letters and digits.
struct Folds {
    normalizer: Normalizer,
    text: String,
}

impl Folds {
    fn new() -> Self {
        Self {
            normalizer: Normalizer::new(FieldKind::Text, None, &Locale::default()),
            text: String::new(),
        }
    }

    fn hash_of(&mut self, value: &str) -> u64 {
        self.text.clear();
        if value.is_ascii() {
            self.text.push_str(value);
            self.text.make_ascii_lowercase();
        } else {
            self.normalizer.normalize(value, &mut self.text);
        }
        self.text.retain(char::is_alphanumeric);
        // Signs alone are still a value.
        let is_blank = self.text.is_empty();
        xxh3_64(if is_blank { value } else { &self.text }.as_bytes())
    }
}

fn value_of(array: &StringArray, row: usize) -> Option<&str> {
    let value = array.is_valid(row).then(|| array.value(row).trim())?;
    (!value.is_empty()).then_some(value)
}

/// Returns values as text; of a list, its first value.
fn text_of(array: &ArrayRef) -> ArrayRef {
    let none = || -> ArrayRef { std::sync::Arc::new(StringArray::new_null(array.len())) };
    let array = match array.data_type() {
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let first = list
                .value_offsets()
                .windows(2)
                .map(|range| (range[0] < range[1]).then_some(range[0] as u32));
            let first: arrow_array::UInt32Array = first.collect();
            match arrow::compute::take(list.values(), &first, None) {
                Ok(values) => values,
                Err(_) => return none(),
            }
        }
        _ => ArrayRef::clone(array),
    };
    cast(&array, &DataType::Utf8).unwrap_or_else(|_| none())
}

#[cfg(test)]
impl SourceSample {
    /// Makes the sample of rows of text; an empty text is missing.
    pub(super) fn of_rows(names: &[&str], rows: &[Vec<String>]) -> Self {
        let column = |name: &&str| ColumnSample {
            name: (*name).to_owned(),
            filled: 0,
            is_unique: true,
            sketch: BTreeSet::new(),
            seen: HashTable::new(),
            is_readable: true,
        };
        let mut sample = Self {
            columns: names.iter().map(column).collect(),
            row_count: 0,
            rows: BTreeMap::new(),
        };
        let array = |column: usize| -> ArrayRef {
            let values = rows.iter().map(|row| row[column].as_str());
            std::sync::Arc::new(StringArray::from_iter_values(values))
        };
        let keyed = std::iter::once(0).chain(0..names.len());
        let arrays = keyed
            .enumerate()
            .map(|(at, column)| (at.to_string(), array(column)));
        let batch = RecordBatch::try_from_iter(arrays).expect("columns are of one length");
        sample.push(&batch);
        for column in &mut sample.columns {
            column.is_unique &= column.filled == sample.row_count;
        }
        sample
    }
}
