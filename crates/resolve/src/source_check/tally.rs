//! Keys counted by their hashes, and the newest of times.
//!
//! Cost: eight bytes a record.

use std::fmt;

use arrow::array::AsArray;
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use xxhash_rust::xxh3::xxh3_64;

use crate::profile::{Cells, Moment};

/// What was counted.
#[derive(Default)]
pub(super) struct Tally {
    /// Records without a key.
    pub(super) keyless: u64,
    /// Texts that do not read as a time.
    pub(super) unread: u64,
    hashes: Vec<u64>,
    newest: Option<Newest>,
}

/// The newest time of a change, or the largest number that stands for one.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(super) enum Newest {
    Number(f64),
    Time(Moment),
}

impl fmt::Display for Newest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Time(time) => time.fmt(out),
        }
    }
}

impl Tally {
    /// Counts the records of a batch: the key, then what says when they were changed.
    pub(super) fn take(&mut self, batch: &RecordBatch) {
        let keys = cast(batch.column(0), &DataType::Utf8).ok();
        let keys = keys.as_ref().and_then(|keys| keys.as_string_opt::<i32>());
        for key in keys.into_iter().flat_map(|keys| keys.iter()) {
            match key {
                Some(key) if !key.is_empty() => self.hashes.push(xxh3_64(key.as_bytes())),
                _ => self.keyless += 1,
            }
        }
        if let Some(updated) = batch.columns().get(1) {
            self.take_times(updated);
        }
    }

    fn take_times(&mut self, updated: &ArrayRef) {
        if updated.data_type().is_numeric() {
            let numbers = cast(updated, &DataType::Float64).ok();
            let most = numbers.and_then(|numbers| max(numbers.as_primitive::<Float64Type>()));
            self.see(most.map(Newest::Number));
            return;
        }
        let cells = Cells::of(updated);
        for row in (0..updated.len()).filter(|&row| updated.is_valid(row)) {
            let moment = cells.moment(row);
            self.unread += u64::from(moment.is_none());
            self.see(moment.map(Newest::Time));
        }
    }

    fn see(&mut self, seen: Option<Newest>) {
        if seen > self.newest {
            self.newest = seen;
        }
    }

    /// Adds what another part of a scan counted.
    pub(super) fn join(&mut self, other: Self) {
        self.keyless += other.keyless;
        self.unread += other.unread;
        self.hashes.extend(other.hashes);
        self.see(other.newest);
    }

    /// Has to be called before repeated keys are counted.
    pub(super) fn finish(&mut self) {
        self.hashes.sort_unstable();
    }

    /// Returns the records.
    pub(super) fn count(&self) -> u64 {
        self.hashes.len() as u64 + self.keyless
    }

    /// Returns the records that have the key of another one.
    pub(super) fn repeated(&self) -> u64 {
        let is_same = |pair: &&[u64]| pair[0] == pair[1];
        self.hashes.windows(2).filter(is_same).count() as u64
    }

    /// Returns the newest time of a change.
    pub(super) fn newest(&self) -> Option<Newest> {
        self.newest
    }
}
