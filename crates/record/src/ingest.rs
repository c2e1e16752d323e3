//! Arrow batches of one partition in, keys and distinct raw values out.

use std::fmt;
use std::sync::Arc;

use arrow::compute::{CastOptions, can_cast_types, cast, cast_with_options};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StringArray};
use arrow_schema::DataType;
use sameas_graph::KEY_LEN_MAX;
use thiserror::Error;

use crate::schema::DuplicateKeys;
use crate::{Dictionary, FieldId, Locale, Part};

/// The longest cell that is read, in bytes; a longer one counts as missing and is counted.
pub const CELL_LEN_MAX: usize = 64 * 1024;

/// How many keys an error names.
pub(crate) const EXAMPLE_COUNT_MAX: usize = 5;

/// How one field is fed from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPlan {
    /// The canonical field.
    pub field: FieldId,
    /// The batch columns it takes; several make a multi-valued field.
    pub columns: Vec<usize>,
    /// The part of each value that it takes.
    pub part: Option<Part>,
}

/// How the batches of one source are read: column 0 is the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePlan {
    /// The source's name.
    pub name: String,
    /// What normalisation must know about it.
    pub locale: Locale,
    /// What happens to records that share a key.
    pub duplicate_keys: DuplicateKeys,
    /// What the settings call the batch columns, the key first.
    pub columns: Vec<String>,
    /// The fields it feeds, at most one plan for each.
    pub fields: Vec<FieldPlan>,
}

impl SourcePlan {
    /// Returns the distinct lists of columns that fields take, and for every field which it takes:
    /// parts of one value share what was read.
    pub(crate) fn raw_columns(&self) -> (Vec<&[usize]>, Vec<usize>) {
        let mut lists: Vec<&[usize]> = Vec::new();
        let of_field = self.fields.iter().map(|field| {
            lists
                .iter()
                .position(|list| *list == field.columns)
                .unwrap_or_else(|| {
                    lists.push(&field.columns);
                    lists.len() - 1
                })
        });
        let of_field = of_field.collect();
        (lists, of_field)
    }
}

/// Why records could not be taken in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IngestError {
    /// Records have no key.
    #[error(
        "source `{source_name}`: {count} records have no key (null or empty); name a column that is always filled, or exclude them with `where`"
    )]
    MissingKeys {
        /// The source.
        source_name: String,
        /// How many records.
        count: u64,
    },
    /// A key is longer than the graph accepts.
    #[error(
        "source `{source_name}`: {count} keys are longer than {KEY_LEN_MAX} bytes, the longest has {len}; name a shorter key column"
    )]
    KeyTooLong {
        /// The source.
        source_name: String,
        /// How many keys.
        count: u64,
        /// Length of the longest in bytes.
        len: usize,
    },
    /// Several records of a source share a key.
    #[error(
        "source `{source_name}`: {count} keys occur more than once{}; make the key unique, or set `duplicate_keys = \"merge\"` if such records are equal",
        examples_text(.examples)
    )]
    DuplicateKeys {
        /// The source.
        source_name: String,
        /// How many keys.
        count: u64,
        /// Some of them, none if the key is a field as well.
        examples: Vec<String>,
    },
    /// Records that share a key differ, so they cannot be merged.
    #[error(
        "source `{source_name}`: {count} keys occur more than once with different values{}; make the key unique",
        examples_text(.examples)
    )]
    ConflictingKeys {
        /// The source.
        source_name: String,
        /// How many keys.
        count: u64,
        /// Some of them.
        examples: Vec<String>,
    },
    /// A column's type cannot be read as text or a list of texts.
    #[error(
        "source `{source_name}`, column `{column}`: values of type {data_type} cannot be a field; map an expression that gives text, a number, a date or a list of texts"
    )]
    Unsupported {
        /// The source.
        source_name: String,
        /// What the settings call it.
        column: String,
        /// The Arrow type.
        data_type: DataType,
    },
    /// Cells of a column have no text, though those of its type can have one.
    #[error(
        "source `{source_name}`, column `{column}`: {count} or more cells of type {data_type} {}; map an expression that gives text or null for them, or mend the source",
        why_unreadable(.data_type)
    )]
    Unreadable {
        /// The source.
        source_name: String,
        /// What the settings call it.
        column: String,
        /// The Arrow type.
        data_type: DataType,
        /// How many cells of the first batch that has any.
        count: u64,
    },
    /// There are more records than node numbers.
    #[error("{count} records are more than one graph can hold ({})", u32::MAX - 1)]
    TooManyRecords {
        /// How many records.
        count: u64,
    },
}

fn examples_text(examples: &[String]) -> String {
    if examples.is_empty() {
        " (not named here, for the key is a field too)".to_owned()
    } else {
        format!(", for example {}", examples.join(", "))
    }
}

/// The records of one partition of one source, as they came: keys and distinct raw values.
pub struct RawPart {
    pub(crate) keys: Keys,
    /// One raw column for every distinct list of batch columns that fields take.
    pub(crate) columns: Vec<Arc<RawColumn>>,
    pub(crate) missing_keys: u64,
    pub(crate) long_keys: u64,
    pub(crate) longest_key: usize,
}

impl fmt::Debug for RawPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawPart({} rows, {} fields)",
            self.keys.len(),
            self.columns.len()
        )
    }
}

impl RawPart {
    /// Returns how many records the partition holds.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns whether the partition holds no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many records have no usable key; [`assemble`](crate::assemble) refuses them.
    pub fn refused(&self) -> u64 {
        self.missing_keys + self.long_keys
    }
}

#[derive(Default)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u64>,
}

impl Keys {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, row: usize) -> &str {
        let from = if row == 0 { 0 } else { self.ends[row - 1] };
        std::str::from_utf8(&self.bytes[from as usize..self.ends[row] as usize])
            .expect("keys are pushed as str, so bytes are UTF-8")
    }

    fn push(&mut self, key: &str) {
        self.bytes.extend_from_slice(key.as_bytes());
        self.ends.push(self.bytes.len() as u64);
    }
}

/// One field of a partition: the first raw value of each row, further ones beside.
#[derive(Debug, Default)]
pub(crate) struct RawColumn {
    pub(crate) dictionary: Dictionary,
    pub(crate) first: Vec<u32>,
    /// Rows and their further values; by row once the partition has ended.
    pub(crate) more: Vec<(u32, u32)>,
    /// Cells longer than [`CELL_LEN_MAX`], which count as missing.
    pub(crate) long_cells: u64,
}

impl RawColumn {
    /// Takes in values, each with its row.
    fn push_all(&mut self, rows: &[u32], texts: &[&str]) {
        let mut ids = Vec::with_capacity(texts.len());
        self.dictionary.intern_all(texts, &mut ids);
        for (&row, id) in rows.iter().zip(ids) {
            match &mut self.first[row as usize] {
                first @ 0 => *first = id,
                _ => self.more.push((row, id)),
            }
        }
    }
}

/// Takes in the batches of one partition of a source.
#[derive(Debug)]
pub struct PartitionIngest<'a> {
    plan: &'a SourcePlan,
    lists: Vec<&'a [usize]>,
    columns: Vec<RawColumn>,
    part: RawPart,
}

impl<'a> PartitionIngest<'a> {
    /// Starts an empty partition.
    pub fn new(plan: &'a SourcePlan) -> Self {
        let (lists, _) = plan.raw_columns();
        let columns = lists.iter().map(|_| RawColumn::default()).collect();
        let part = RawPart {
            keys: Keys::default(),
            columns: Vec::new(),
            missing_keys: 0,
            long_keys: 0,
            longest_key: 0,
        };
        Self {
            plan,
            lists,
            columns,
            part,
        }
    }

    /// Takes in one batch; rows without a usable key are counted and refused at the end.
    ///
    /// # Errors
    /// Refuses a column whose type cannot be a field.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), IngestError> {
        let rows = self.push_keys(batch)?;
        for field in 0..self.lists.len() {
            let len = self.part.keys.len();
            self.columns[field].first.resize(len, 0);
            for &column in self.lists[field] {
                let array = self.readable(batch.column(column), column)?;
                self.push_values(field, &array, &rows);
            }
        }
        Ok(())
    }

    /// Ends the partition.
    pub fn finish(mut self) -> RawPart {
        for column in &mut self.columns {
            column.dictionary.seal();
            // A batch fills this column by column; what a row has is looked up by row. The sort is
            // stable, so the values of a row stay in the order of their columns.
            column.more.sort_by_key(|&(row, _)| row);
        }
        self.part.columns = self.columns.into_iter().map(Arc::new).collect();
        self.part
    }

    /// Appends the keys of a batch and returns the row number of each, `u32::MAX` for refused rows.
    fn push_keys(&mut self, batch: &RecordBatch) -> Result<Vec<u32>, IngestError> {
        let keys = self.readable(batch.column(0), 0)?;
        let mut rows = Vec::with_capacity(batch.num_rows());
        let part = &mut self.part;
        for_each_text(&keys, &mut |_, key| {
            rows.push(match key.map_or(0, str::len) {
                0 => {
                    part.missing_keys += 1;
                    u32::MAX
                }
                len if len > KEY_LEN_MAX => {
                    part.long_keys += 1;
                    part.longest_key = part.longest_key.max(len);
                    u32::MAX
                }
                _ => {
                    part.keys.push(key.unwrap_or_default());
                    part.keys.len() as u32 - 1
                }
            });
        });
        Ok(rows)
    }

    fn push_values(&mut self, field: usize, array: &ArrayRef, rows: &[u32]) {
        let (mut rows_of_texts, mut texts) = (Vec::new(), Vec::new());
        let long_cells = &mut self.columns[field].long_cells;
        for_each_text(array, &mut |index, text| match text {
            Some(text) if rows[index] == u32::MAX || text.is_empty() => {}
            Some(text) if text.len() > CELL_LEN_MAX => *long_cells += 1,
            Some(text) => {
                rows_of_texts.push(rows[index]);
                texts.push(text);
            }
            None => {}
        });
        self.columns[field].push_all(&rows_of_texts, &texts);
    }

    /// Returns the array as text, or as a list of texts.
    fn readable(&self, array: &ArrayRef, column: usize) -> Result<ArrayRef, IngestError> {
        let data_type = array.data_type();
        let unsupported = || IngestError::Unsupported {
            source_name: self.plan.name.clone(),
            column: self.column_name(column),
            data_type: data_type.clone(),
        };
        let text_type = match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => return Ok(array.clone()),
            DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
                let text = item.as_ref().clone().with_data_type(DataType::Utf8);
                DataType::List(text.into())
            }
            DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => {
                return Err(unsupported());
            }
            _ => DataType::Utf8,
        };
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let Ok(texts) = cast_with_options(array, &text_type, &strict) else {
            if !can_cast_types(data_type, &text_type) {
                return Err(unsupported());
            }
            // A cast that is not strict gives null for bytes that are no text, which can be counted.
            // On a time out of range it fails all the same, so those cells are tried one by one.
            let is_bad = |&row: &usize| {
                array.is_valid(row)
                    && cast_with_options(&array.slice(row, 1), &text_type, &strict).is_err()
            };
            let count = match cast(array, &text_type) {
                Ok(texts) => null_count(&texts).saturating_sub(null_count(array)),
                Err(_) => (0..array.len()).filter(is_bad).count(),
            };
            return Err(IngestError::Unreadable {
                source_name: self.plan.name.clone(),
                column: self.column_name(column),
                data_type: data_type.clone(),
                count: count.max(1) as u64,
            });
        };
        Ok(if holds_floats(data_type) {
            without_exponents(&texts)
        } else {
            texts
        })
    }

    fn column_name(&self, column: usize) -> String {
        self.plan.columns.get(column).cloned().unwrap_or_default()
    }
}

/// Returns how many cells are missing, items of lists counted one by one.
fn null_count(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::List(_) => null_count(array.as_list::<i32>().values()),
        DataType::LargeList(_) => null_count(array.as_list::<i64>().values()),
        DataType::ListView(_) => null_count(array.as_list_view::<i32>().values()),
        _ => array.logical_null_count(),
    }
}

/// Returns what cells without a text are: of the types that can have one, only bytes and times may.
fn why_unreadable(data_type: &DataType) -> &'static str {
    if holds_bytes(data_type) {
        "are no valid UTF-8 text"
    } else {
        "cannot be written as text, being out of range or in an unknown time zone"
    }
}

fn holds_bytes(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            holds_bytes(item.data_type())
        }
        DataType::Dictionary(_, value) => holds_bytes(value),
        other => other.is_binary() || matches!(other, DataType::FixedSizeBinary(_)),
    }
}

fn holds_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) => {
            holds_floats(item.data_type())
        }
        DataType::Dictionary(_, value) => holds_floats(value),
        other => other.is_floating(),
    }
}

/// Writes floating-point numbers as people do: whole ones without a fraction, none with an exponent.
fn without_exponents(texts: &ArrayRef) -> ArrayRef {
    if let Some(lists) = texts.as_list_opt::<i32>() {
        let (item, offsets, values, nulls) = lists.clone().into_parts();
        let values = without_exponents(&values);
        return Arc::new(ListArray::new(item, offsets, values, nulls));
    }
    // The shortest text of a narrower number is also that of the wide number it reads as.
    let plain = |text: &str| {
        text.parse::<f64>()
            .map_or_else(|_| text.to_owned(), |number| number.to_string())
    };
    let texts = texts.as_string::<i32>().iter().map(|text| text.map(plain));
    Arc::new(texts.collect::<StringArray>())
}

/// Calls with the row of the batch and its text; lists call once for each of their items.
fn for_each_text<'t>(array: &'t ArrayRef, call: &mut dyn FnMut(usize, Option<&'t str>)) {
    match array.data_type() {
        DataType::Utf8 => {
            array
                .as_string::<i32>()
                .iter()
                .enumerate()
                .for_each(|(i, text)| call(i, text));
        }
        DataType::LargeUtf8 => {
            array
                .as_string::<i64>()
                .iter()
                .enumerate()
                .for_each(|(i, text)| call(i, text));
        }
        DataType::Utf8View => {
            array
                .as_string_view()
                .iter()
                .enumerate()
                .for_each(|(i, text)| call(i, text));
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let texts = lists.values().as_string::<i32>();
            for row in (0..lists.len()).filter(|&row| lists.is_valid(row)) {
                let offsets = &lists.value_offsets()[row..=row + 1];
                for item in offsets[0] as usize..offsets[1] as usize {
                    call(row, texts.is_valid(item).then(|| texts.value(item)));
                }
            }
        }
        other => unreachable!("`readable` gives text or lists of text, not {other}"),
    }
}

#[cfg(test)]
mod tests;
