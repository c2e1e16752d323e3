//! Rows of a prepared statement, taken into columns.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int64Builder,
    StringBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use mysql_async::{Row, Value};

use super::coding::Coding;
use crate::database::DatabaseFault;
use crate::files::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, CELL_KEPT_MAX};

const DAY_MICROS: i64 = 86_400 * 1_000_000;
/// The years that dates are taken of; the year 0 stands for no date.
const YEARS: RangeInclusive<u16> = 1..=9_999;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

const NO_TEXT: DatabaseFault = DatabaseFault::Unreadable {
    what: "text that is not UTF-8",
};
const OTHER_TYPE: DatabaseFault = DatabaseFault::Unreadable {
    what: "a value of another type than its column",
};

/// Columns that rows are added to.
pub(crate) struct Columns {
    schema: SchemaRef,
    builders: Vec<ColumnBuilder>,
    row_count: usize,
    byte_count: usize,
}

impl Columns {
    /// Makes empty columns of these codings.
    pub(crate) fn new(schema: SchemaRef, codings: &[Coding]) -> Self {
        let builders = codings.iter().map(|&coding| ColumnBuilder::new(coding));
        Self {
            schema,
            builders: builders.collect(),
            row_count: 0,
            byte_count: 0,
        }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &Row) -> Result<(), DatabaseFault> {
        for (at, builder) in self.builders.iter_mut().enumerate() {
            let value = row.as_ref(at).ok_or(OTHER_TYPE)?;
            if let Value::Bytes(bytes) = value {
                self.byte_count += bytes.len();
            }
            builder.push(value)?;
        }
        self.row_count += 1;
        Ok(())
    }

    /// Returns whether a batch is due.
    pub(crate) fn is_full(&self) -> bool {
        self.row_count >= BATCH_ROWS_MAX || self.byte_count >= BATCH_BYTES_MAX
    }

    /// Returns the rows added so far; nothing if there are none.
    pub(crate) fn take_batch(&mut self) -> Result<Option<RecordBatch>, DatabaseFault> {
        if self.row_count == 0 {
            return Ok(None);
        }
        let columns: Vec<ArrayRef> = self
            .builders
            .iter_mut()
            .map(ColumnBuilder::finish)
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.row_count));
        (self.row_count, self.byte_count) = (0, 0);
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, columns, &options);
        batch.map(Some).map_err(|_| OTHER_TYPE)
    }
}

enum ColumnBuilder {
    Bool(BooleanBuilder),
    Bits(UInt64Builder),
    Int(Int64Builder),
    Year(Int64Builder),
    BigUnsigned(UInt64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Text(StringBuilder),
    Bytes(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl ColumnBuilder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Bool => Self::Bool(BooleanBuilder::new()),
            Coding::Bits => Self::Bits(UInt64Builder::new()),
            Coding::Int => Self::Int(Int64Builder::new()),
            Coding::Year => Self::Year(Int64Builder::new()),
            Coding::BigUnsigned => Self::BigUnsigned(UInt64Builder::new()),
            Coding::Float32 => Self::Float32(Float32Builder::new()),
            Coding::Float64 => Self::Float64(Float64Builder::new()),
            Coding::Decimal { scale, .. } => Self::Decimal(
                Decimal128Builder::new().with_data_type(coding.data_type()),
                scale,
            ),
            Coding::Text => Self::Text(StringBuilder::new()),
            Coding::Bytes => Self::Bytes(StringBuilder::new()),
            Coding::Date => Self::Date(Date32Builder::new()),
            Coding::Timestamp | Coding::Moment => Self::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(coding.data_type()),
            ),
        }
    }

    fn push(&mut self, value: &Value) -> Result<(), DatabaseFault> {
        match (self, value) {
            (Self::Bool(out), Value::Bytes(bits)) => out.append_value(number_of(bits)? != 0),
            (Self::Bits(out), Value::Bytes(bits)) => out.append_value(number_of(bits)?),
            (Self::Int(out), Value::Int(number)) => out.append_value(*number),
            (Self::Year(out), Value::Int(year)) => {
                out.append_option(Some(*year).filter(|year| *year != 0));
            }
            (Self::BigUnsigned(out), Value::Int(number)) => {
                out.append_value(u64::try_from(*number).map_err(|_| OTHER_TYPE)?);
            }
            (Self::BigUnsigned(out), Value::UInt(number)) => out.append_value(*number),
            (Self::Float32(out), Value::Float(number)) => out.append_value(*number),
            (Self::Float64(out), Value::Double(number)) => out.append_value(*number),
            (Self::Decimal(out, scale), Value::Bytes(digits)) => {
                out.append_value(decimal(digits, *scale).ok_or(OTHER_TYPE)?);
            }
            (Self::Text(out), Value::Bytes(bytes)) => out.append_value(text(bytes)?),
            (Self::Bytes(out), Value::Bytes(bytes)) => out.append_value(shown(bytes)),
            (Self::Date(out), Value::Date(year, month, day, ..)) => {
                out.append_option(days(*year, *month, *day));
            }
            (Self::Timestamp(out), value @ Value::Date(..)) => out.append_option(micros(value)),
            (out, Value::NULL) => out.push_null(),
            _ => return Err(OTHER_TYPE),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(out) => out.append_null(),
            Self::Bits(out) | Self::BigUnsigned(out) => out.append_null(),
            Self::Int(out) | Self::Year(out) => out.append_null(),
            Self::Float32(out) => out.append_null(),
            Self::Float64(out) => out.append_null(),
            Self::Decimal(out, _) => out.append_null(),
            Self::Text(out) | Self::Bytes(out) => out.append_null(),
            Self::Date(out) => out.append_null(),
            Self::Timestamp(out) => out.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(out) => Arc::new(out.finish()),
            Self::Bits(out) | Self::BigUnsigned(out) => Arc::new(out.finish()),
            Self::Int(out) | Self::Year(out) => Arc::new(out.finish()),
            Self::Float32(out) => Arc::new(out.finish()),
            Self::Float64(out) => Arc::new(out.finish()),
            Self::Decimal(out, _) => Arc::new(out.finish()),
            Self::Text(out) | Self::Bytes(out) => Arc::new(out.finish()),
            Self::Date(out) => Arc::new(out.finish()),
            Self::Timestamp(out) => Arc::new(out.finish()),
        }
    }
}

/// Returns bits as a number; the most significant come first.
fn number_of(bits: &[u8]) -> Result<u64, DatabaseFault> {
    if bits.len() > 8 {
        return Err(OTHER_TYPE);
    }
    Ok(bits
        .iter()
        .fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Returns a bounded number times ten to its scale.
fn decimal(digits: &[u8], scale: u8) -> Option<i128> {
    let text = std::str::from_utf8(digits).ok()?;
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let missing = usize::from(scale).checked_sub(part.len())?;
    let all = whole
        .bytes()
        .chain(part.bytes())
        .chain(std::iter::repeat_n(b'0', missing));
    let number = all.into_iter().try_fold(0_i128, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| i128::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if is_negative { -number } else { number })
}

/// Returns a text, cut where cells are cut that nobody reads to their end.
fn text(bytes: &[u8]) -> Result<&str, DatabaseFault> {
    let text = std::str::from_utf8(bytes).map_err(|_| NO_TEXT)?;
    Ok(&text[..text.floor_char_boundary(CELL_KEPT_MAX)])
}

/// Returns bytes as text.
fn shown(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(CELL_KEPT_MAX / 2 - 1)];
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("\\x");
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
    text
}

/// Returns the days since 1970 of a date; nothing if there is no such date, as in 0000-00-00.
///
/// The count is that of Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: u16, month: u8, day: u8) -> Option<i32> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !YEARS.contains(&year) || !(1..=12).contains(&month) || !(1..=last).contains(&day) {
        return None;
    }
    let (month, day) = (i32::from(month), i32::from(day));
    // Years begin in March, so that the day that some lack is the last.
    let year = i32::from(year) - i32::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

fn micros(value: &Value) -> Option<i64> {
    let &Value::Date(year, month, day, hour, minute, second, micros) = value else {
        return None;
    };
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let days = i64::from(days(year, month, day)?);
    Some(days * DAY_MICROS + seconds * 1_000_000 + i64::from(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_are_none_count_as_missing() {
        for (date, expected) in [
            ((1970, 1, 1), Some(0)),
            ((2000, 2, 29), Some(11_016)),
            ((1, 1, 1), Some(-719_162)),
            ((9_999, 12, 31), Some(2_932_896)),
            ((0, 0, 0), None),
            ((2020, 0, 0), None),
            ((2021, 2, 29), None),
            ((1900, 2, 29), None),
        ] {
            let (year, month, day) = date;
            assert_eq!(days(year, month, day), expected, "{date:?}");
        }
    }

    #[test]
    fn numbers_are_taken_digit_by_digit() {
        assert_eq!(decimal(b"-12.50", 2), Some(-1_250));
        assert_eq!(decimal(b"7", 3), Some(7_000));
        assert_eq!(decimal(b"1.23", 1), None);
        assert_eq!(decimal(b"1e3", 0), None);
        assert_eq!(number_of(&[1, 0]).ok(), Some(256));
        assert_eq!(shown(b"\x00\xff"), "\\x00ff");
    }
}
