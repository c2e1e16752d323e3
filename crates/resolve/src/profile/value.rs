//! Cells of any type, as texts and as moments.

use std::fmt;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, TimeUnit, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, StringArray};
use sameas_record::CELL_LEN_MAX;

/// The decimals by which numbers are told apart.
const NUMBER_SCALE: i8 = 6;

/// A moment, in microseconds since 1970 (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    #[cfg(test)]
    pub(crate) fn of_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub(crate) fn micros(self) -> i64 {
        self.0
    }
}

/// Prints RFC 3339.
impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = arrow::temporal_conversions::timestamp_us_to_datetime(self.0);
        match moment {
            Some(moment) => write!(out, "{}", moment.format("%Y-%m-%dT%H:%M:%S%.fZ")),
            None => write!(out, "{} µs since 1970", self.0),
        }
    }
}

/// The cells of a column.
pub(crate) struct Cells {
    texts: Option<StringArray>,
    lists: Option<ListArray>,
    moments: Option<ArrayRef>,
    numbers: Option<ArrayRef>,
}

impl Cells {
    /// Reads a column; what has no text is missing.
    pub(crate) fn of(column: &ArrayRef) -> Self {
        let is_list = column.data_type().is_nested();
        let list = DataType::new_list(DataType::Utf8, true);
        let as_type = |wanted: &DataType| cast(column, wanted).ok();
        let moments = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        // Of a number nobody knows the unit.
        let tells_time = column.data_type().is_temporal() || column.data_type().is_string();
        let numbers = column.data_type().is_numeric();
        let number = DataType::Decimal128(DECIMAL128_MAX_PRECISION, NUMBER_SCALE);
        let texts = (!is_list).then(|| as_type(&DataType::Utf8)).flatten();
        let lists = is_list.then(|| as_type(&list)).flatten();
        Self {
            texts: texts.and_then(|texts| texts.as_string_opt::<i32>().cloned()),
            lists: lists.and_then(|lists| lists.as_list_opt::<i32>().cloned()),
            moments: tells_time.then(|| as_type(&moments)).flatten(),
            numbers: numbers.then(|| as_type(&number)).flatten(),
        }
    }

    /// Returns the texts of a cell: one, or those of a list; too long ones are left out.
    pub(crate) fn texts(&self, row: usize) -> Vec<String> {
        let kept = |text: Option<&str>| {
            text.filter(|text| !text.is_empty() && text.len() <= CELL_LEN_MAX)
                .map(str::to_owned)
        };
        if let Some(lists) = self.lists.as_ref().filter(|lists| lists.is_valid(row)) {
            let items = lists.value(row);
            let items = items.as_string_opt::<i32>();
            return items.into_iter().flatten().filter_map(kept).collect();
        }
        let text = self.texts.as_ref().filter(|texts| texts.is_valid(row));
        text.and_then(|texts| kept(Some(texts.value(row))))
            .into_iter()
            .collect()
    }

    /// Returns the moment of a cell.
    pub(crate) fn moment(&self, row: usize) -> Option<Moment> {
        let moments = self.moments.as_ref()?;
        let moments = moments.as_primitive_opt::<TimestampMicrosecondType>()?;
        moments.is_valid(row).then(|| Moment(moments.value(row)))
    }

    /// Returns the number of a cell, in millionths.
    pub(crate) fn number(&self, row: usize) -> Option<i128> {
        let numbers = self.numbers.as_ref()?;
        let numbers = numbers.as_primitive_opt::<Decimal128Type>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }
}
