//! Records by key: the keys are bound as parameters, never part of the query's text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::compute::{cast, filter_record_batch};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::Adbc;
use super::scan::Scan;
use super::system::System;
use crate::database::DatabaseFault;
use crate::error::ScanError;
use crate::fetch::FETCHED_ROWS_MAX;
use crate::keys::typed;

/// The keys of one query, each of which may be bound in two spellings: SQLite took no more than 999
/// parameters before 3.32.
const BOUND_KEYS_MAX: usize = 400;

/// Whether a driver was found to take no parameters.
#[derive(Default)]
pub(crate) struct Binding {
    is_refused: AtomicBool,
}

/// Leaves out records of other keys.
fn only(batch: &RecordBatch, key: Option<usize>, keys: &[&str]) -> RecordBatch {
    let keys: BTreeSet<&str> = keys.iter().copied().collect();
    let texts = key.and_then(|key| cast(batch.column(key), &DataType::Utf8).ok());
    let texts = texts
        .as_ref()
        .and_then(|texts| texts.as_string_opt::<i32>());
    let Some(texts) = texts else {
        return batch.clone();
    };
    let is_asked = |text: Option<&str>| text.is_some_and(|text| keys.contains(text));
    let mask: BooleanArray = texts.iter().map(is_asked).collect();
    filter_record_batch(batch, &mask).unwrap_or_else(|_| batch.clone())
}

impl Adbc {
    /// Returns the given columns of the records with these keys, if the driver takes parameters and
    /// the key is a column whose values are told by their texts.
    ///
    /// Records of other keys may be among them: a column may call different texts equal.
    pub(crate) async fn fetch(
        &self,
        used: &[usize],
        key: &str,
        keys: &[&str],
    ) -> Result<Option<Vec<RecordBatch>>, ScanError> {
        if self.binding.is_refused.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut batches = Vec::new();
        for some in keys.chunks(BOUND_KEYS_MAX) {
            let Some((at, bound)) = self.bindable(key, some) else {
                return Ok(None);
            };
            if bound.is_empty() {
                continue;
            }
            match self.fetch_some(used, at, &bound).await {
                // Two queries must not both tell a record that a column takes for equal to keys of each.
                Ok(found) if keys.len() > some.len() => {
                    let at = used.iter().position(|&used| used == at);
                    batches.extend(found.iter().map(|batch| only(batch, at, some)));
                }
                Ok(found) => batches.extend(found),
                Err(DatabaseFault::NoParameters) => {
                    self.binding.is_refused.store(true, Ordering::Relaxed);
                    return Ok(None);
                }
                // It may be about how a column compares with a parameter; the search tells if not.
                Err(DatabaseFault::Driver { .. } | DatabaseFault::Refused { .. }) => {
                    return Ok(None);
                }
                Err(cause) => return Err(self.failed(cause)),
            }
        }
        Ok(Some(batches))
    }

    /// Returns whether keys of this column can be bound.
    pub(crate) fn can_bind(&self, key: &str) -> bool {
        let is_refused = self.binding.is_refused.load(Ordering::Relaxed);
        !is_refused && self.bindable(key, &[]).is_some()
    }

    /// Returns which column the key is, and as its values those keys that it can have.
    fn bindable(&self, key: &str, keys: &[&str]) -> Option<(usize, ArrayRef)> {
        let (at, field) = self.schema.column_with_name(key)?;
        let keys = typed(keys, field.data_type())?;
        if !field.data_type().is_string() {
            return Some((at, keys));
        }
        // Systems compare texts of fixed length without the blanks that they show at their ends.
        let keys = cast(&keys, &DataType::Utf8).ok()?;
        let keys = keys.as_string_opt::<i32>()?.iter().flatten();
        let keys = keys.flat_map(|key| {
            let short = key.trim_end_matches(' ');
            [Some(key), (short != key).then_some(short)]
        });
        let keys: StringArray = keys.flatten().map(Some).collect();
        Some((at, Arc::new(keys)))
    }

    async fn fetch_some(
        &self,
        used: &[usize],
        key: usize,
        keys: &ArrayRef,
    ) -> Result<Vec<RecordBatch>, DatabaseFault> {
        let term = self.selected.get(key).map_or("", String::as_str);
        let condition = format!(" WHERE {term} IN ({})", places(self.system, keys.len()));
        let no_columns = |_| DatabaseFault::NoParameters;
        let row = row_of(keys).map_err(no_columns)?;
        let partition = self.partition(used, &condition, Some(row));
        let mut scan = Scan::of(partition.map_err(no_columns)?);
        let (mut batches, mut count) = (Vec::new(), 0);
        while let Some(batch) = scan.next().await? {
            count += batch.num_rows();
            if count > FETCHED_ROWS_MAX {
                let what = "more than 100,000 records of the keys asked for";
                return Err(DatabaseFault::Unreadable { what });
            }
            batches.push(batch);
        }
        Ok(batches)
    }

    pub(super) fn failed(&self, cause: DatabaseFault) -> ScanError {
        ScanError::Database {
            source_name: self.source_name.to_string(),
            place: self.place.to_string(),
            cause,
        }
    }
}

/// Returns the signs that stand for so many parameters.
fn places(system: System, count: usize) -> String {
    let mut places = String::new();
    for number in 1..=count {
        let joint = if number == 1 { "" } else { ", " };
        let _ = match system {
            System::Postgres => write!(places, "{joint}${number}"),
            _ => write!(places, "{joint}?"),
        };
    }
    places
}

/// Returns one row that has each key in a column of its own.
fn row_of(keys: &ArrayRef) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let field = |at: usize| Field::new(at.to_string(), keys.data_type().clone(), true);
    let fields: Vec<_> = (0..keys.len()).map(field).collect();
    let columns = (0..keys.len()).map(|at| keys.slice(at, 1)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_query_has_a_sign_for_each_key_and_no_key() {
        assert_eq!(places(System::Sqlite, 3), "?, ?, ?");
        assert_eq!(places(System::Postgres, 2), "$1, $2");
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a'", "b"]));
        let row = row_of(&keys).unwrap();
        assert_eq!((row.num_rows(), row.num_columns()), (1, 2));
    }
}
