//! Rows of `COPY … (FORMAT binary)`, decoded into columns.
//!
//! The form is described in `PostgreSQL`'s manual, under COPY, "Binary Format": a header of 11 bytes
//! of signature, flags and an extension with its length; then rows of a field count (i16) and, a
//! field, its length (i32, -1 for null) and bytes; then a field count of -1. Numbers are big endian.

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int16Builder,
    Int32Builder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::coding::Coding;
use crate::files::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, CELL_KEPT_MAX};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Days from 1970-01-01 to 2000-01-01, from which the server counts.
const EPOCH_DAYS: i32 = 10_957;
const DAY_MICROS: i64 = 86_400 * 1_000_000;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * DAY_MICROS;
/// The days of the years 1 to 9999, since 1970. Others, and the ends of time, which stand for
/// "always", are no dates of anybody and count as missing.
const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;
/// Texts of a list that are kept.
const LIST_LEN_MAX: usize = 4_096;

/// What the server sent that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

const NO_COPY: Malformed = Malformed("no rows in binary form");
const NO_TEXT: Malformed = Malformed("text that is not UTF-8");
const CUT: Malformed = Malformed("rows that end early");

/// A decoder of one stream.
pub(crate) struct CopyDecoder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    /// Bytes of a row whose end has not come yet.
    pending: Vec<u8>,
    row_count: usize,
    byte_count: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Rows,
    Ended,
}

impl CopyDecoder {
    /// Makes a decoder of these columns.
    pub(crate) fn new(schema: SchemaRef, codings: &[Coding]) -> Self {
        Self {
            schema,
            columns: codings
                .iter()
                .map(|&coding| ColumnBuilder::new(coding))
                .collect(),
            pending: Vec::new(),
            row_count: 0,
            byte_count: 0,
            state: State::Header,
        }
    }

    /// Takes what the server sent next.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if self.pending.is_empty() {
            let taken = self.take_whole(bytes)?;
            self.pending
                .extend_from_slice(bytes.get(taken..).unwrap_or_default());
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.pending);
        joined.extend_from_slice(bytes);
        let taken = self.take_whole(&joined)?;
        joined.drain(..taken);
        self.pending = joined;
        Ok(())
    }

    /// Takes a row that came by another way, field by field.
    pub(crate) fn push_fields<'f>(
        &mut self,
        fields: impl IntoIterator<Item = Option<&'f [u8]>>,
    ) -> Result<(), Malformed> {
        for (column, field) in self.columns.iter_mut().zip(fields) {
            self.byte_count += field.map_or(0, <[u8]>::len);
            column.push(field)?;
        }
        self.row_count += 1;
        Ok(())
    }

    /// Returns whether a batch is due.
    pub(crate) fn is_full(&self) -> bool {
        self.row_count >= BATCH_ROWS_MAX || self.byte_count >= BATCH_BYTES_MAX
    }

    /// Returns the rows taken so far.
    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, Malformed> {
        let columns: Vec<ArrayRef> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.row_count));
        (self.row_count, self.byte_count) = (0, 0);
        let schema = Arc::clone(&self.schema);
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(|_| NO_COPY)
    }

    /// Checks that the rows came to their end, and returns the last of them.
    pub(crate) fn finish(&mut self) -> Result<Option<RecordBatch>, Malformed> {
        if self.state != State::Ended || !self.pending.is_empty() {
            return Err(CUT);
        }
        (self.row_count > 0).then(|| self.take_batch()).transpose()
    }

    /// Takes all whole rows, and returns how many bytes they are.
    fn take_whole(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut rest = bytes;
        if self.state == State::Header {
            match header_len(rest)? {
                Some(len) => rest = rest.get(len..).ok_or(NO_COPY)?,
                None => return Ok(0),
            }
            self.state = State::Rows;
        }
        while let Some((count, fields)) = read_i16(rest) {
            if self.state == State::Ended {
                return Err(NO_COPY);
            }
            if count == -1 {
                self.state = State::Ended;
                rest = fields;
                continue;
            }
            if usize::try_from(count) != Ok(self.columns.len()) {
                return Err(NO_COPY);
            }
            let Some(len) = fields_len(fields, self.columns.len())? else {
                break;
            };
            let (row, after) = fields.split_at_checked(len).ok_or(NO_COPY)?;
            self.take_row(row)?;
            rest = after;
        }
        Ok(bytes.len() - rest.len())
    }

    fn take_row(&mut self, row: &[u8]) -> Result<(), Malformed> {
        let mut rest = row;
        for column in &mut self.columns {
            let (field, after) = read_field(rest)?.ok_or(NO_COPY)?;
            column.push(field)?;
            rest = after;
        }
        self.row_count += 1;
        self.byte_count += row.len();
        Ok(())
    }
}

/// Returns the length of the header, if it is there.
fn header_len(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let fixed = SIGNATURE.len() + 8;
    let Some(header) = bytes.get(..fixed) else {
        return Ok(None);
    };
    let Some((flags, extension)) = header
        .strip_prefix(SIGNATURE)
        .and_then(read_i32)
        .and_then(|(flags, rest)| Some((flags, read_i32(rest)?.0)))
    else {
        return Err(NO_COPY);
    };
    let extension = usize::try_from(extension).map_err(|_| NO_COPY)?;
    // Flags of the upper half change the form, and none that does is known.
    if flags >> 16 != 0 {
        return Err(NO_COPY);
    }
    Ok((bytes.len() >= fixed + extension).then_some(fixed + extension))
}

/// Returns how many bytes so many fields are, if all of them are there.
fn fields_len(fields: &[u8], count: usize) -> Result<Option<usize>, Malformed> {
    let mut rest = fields;
    for _ in 0..count {
        match read_field(rest)? {
            Some((_, after)) => rest = after,
            None => return Ok(None),
        }
    }
    Ok(Some(fields.len() - rest.len()))
}

/// A field, or null, and what comes after it.
type Read<'b> = (Option<&'b [u8]>, &'b [u8]);

fn read_field(bytes: &[u8]) -> Result<Option<Read<'_>>, Malformed> {
    let Some((len, rest)) = read_i32(bytes) else {
        return Ok(None);
    };
    match usize::try_from(len) {
        Ok(len) => {
            let split = rest.split_at_checked(len);
            Ok(split.map(|(field, after)| (Some(field), after)))
        }
        Err(_) if len == -1 => Ok(Some((None, rest))),
        Err(_) => Err(NO_COPY),
    }
}

fn read_i16(bytes: &[u8]) -> Option<(i16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((i16::from_be_bytes(*number), rest))
}

fn read_i32(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((i32::from_be_bytes(*number), rest))
}

enum ColumnBuilder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
}

impl ColumnBuilder {
    fn new(coding: Coding) -> Self {
        match coding {
            Coding::Bool => Self::Bool(BooleanBuilder::new()),
            Coding::Int16 => Self::Int16(Int16Builder::new()),
            Coding::Int32 => Self::Int32(Int32Builder::new()),
            Coding::Int64 => Self::Int64(Int64Builder::new()),
            Coding::Float32 => Self::Float32(Float32Builder::new()),
            Coding::Float64 => Self::Float64(Float64Builder::new()),
            Coding::Decimal { scale, .. } => Self::Decimal(
                Decimal128Builder::new().with_data_type(coding.data_type()),
                scale,
            ),
            Coding::Text => Self::Text(StringBuilder::new()),
            Coding::Date => Self::Date(Date32Builder::new()),
            Coding::Timestamp | Coding::Moment => Self::Timestamp(
                TimestampMicrosecondBuilder::new().with_data_type(coding.data_type()),
            ),
            Coding::Texts => Self::Texts(ListBuilder::new(StringBuilder::new())),
        }
    }

    fn push(&mut self, field: Option<&[u8]>) -> Result<(), Malformed> {
        match self {
            Self::Bool(out) => {
                out.append_option(number(field)?.map(|[byte]: [u8; 1]| byte != 0));
            }
            Self::Int16(out) => out.append_option(number(field)?.map(i16::from_be_bytes)),
            Self::Int32(out) => out.append_option(number(field)?.map(i32::from_be_bytes)),
            Self::Int64(out) => out.append_option(number(field)?.map(i64::from_be_bytes)),
            Self::Float32(out) => out.append_option(number(field)?.map(f32::from_be_bytes)),
            Self::Float64(out) => out.append_option(number(field)?.map(f64::from_be_bytes)),
            Self::Decimal(out, scale) => {
                let number = field.map(|field| decimal(field, *scale)).transpose()?;
                out.append_option(number.flatten());
            }
            Self::Text(out) => out.append_option(field.map(text).transpose()?),
            Self::Date(out) => {
                let days = number(field)?.map(i32::from_be_bytes);
                let moved = days.and_then(|days| days.checked_add(EPOCH_DAYS));
                out.append_option(moved.filter(|days| DAYS.contains(days)));
            }
            Self::Timestamp(out) => {
                let micros = number(field)?.map(i64::from_be_bytes);
                let moved = micros.and_then(|micros| micros.checked_add(EPOCH_MICROS));
                let is_told =
                    |micros: &i64| DAYS.contains(&((micros.div_euclid(DAY_MICROS)) as i32));
                out.append_option(moved.filter(is_told));
            }
            Self::Texts(out) => {
                if let Some(field) = field {
                    push_texts(out.values(), field)?;
                }
                out.append(field.is_some());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(out) => Arc::new(out.finish()),
            Self::Int16(out) => Arc::new(out.finish()),
            Self::Int32(out) => Arc::new(out.finish()),
            Self::Int64(out) => Arc::new(out.finish()),
            Self::Float32(out) => Arc::new(out.finish()),
            Self::Float64(out) => Arc::new(out.finish()),
            Self::Decimal(out, _) => Arc::new(out.finish()),
            Self::Text(out) => Arc::new(out.finish()),
            Self::Date(out) => Arc::new(out.finish()),
            Self::Timestamp(out) => Arc::new(out.finish()),
            Self::Texts(out) => Arc::new(out.finish()),
        }
    }
}

fn number<const LEN: usize>(field: Option<&[u8]>) -> Result<Option<[u8; LEN]>, Malformed> {
    field
        .map(|bytes| bytes.try_into().map_err(|_| NO_COPY))
        .transpose()
}

/// Returns a bounded number times ten to its scale; nothing if it is none (NaN).
///
/// It comes as the count of its digits to the base of 10,000, the power of the first, a sign, how
/// many decimals are shown, and the digits (`numeric_send` in PostgreSQL's `numeric.c`).
fn decimal(bytes: &[u8], scale: u8) -> Result<Option<i128>, Malformed> {
    const NEGATIVE: i16 = 0x4000;
    let (count, rest) = read_i16(bytes).ok_or(NO_COPY)?;
    let (weight, rest) = read_i16(rest).ok_or(NO_COPY)?;
    let (sign, rest) = read_i16(rest).ok_or(NO_COPY)?;
    let (_, mut rest) = read_i16(rest).ok_or(NO_COPY)?;
    if !matches!(sign, 0 | NEGATIVE) {
        return Ok(None);
    }
    let mut number = 0_i128;
    for place in 0..count {
        let (digit, after) = read_i16(rest).ok_or(NO_COPY)?;
        rest = after;
        let power = 4 * (i32::from(weight) - i32::from(place)) + i32::from(scale);
        let ten = 10_i128.checked_pow(power.unsigned_abs()).ok_or(NO_COPY)?;
        let part = if power < 0 {
            Some(i128::from(digit) / ten)
        } else {
            i128::from(digit).checked_mul(ten)
        };
        let sum = part.and_then(|part| number.checked_add(part));
        number = sum.ok_or(NO_COPY)?;
    }
    Ok(Some(if sign == NEGATIVE { -number } else { number }))
}

/// Returns a text, cut where cells are cut that nobody reads to their end.
fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| NO_TEXT)?;
    Ok(&text[..text.floor_char_boundary(CELL_KEPT_MAX)])
}

/// Adds the texts of an array, of however many dimensions: their number, whether there are nulls,
/// the type, then a length and a lower bound a dimension, then the items.
fn push_texts(out: &mut StringBuilder, array: &[u8]) -> Result<(), Malformed> {
    let (dimensions, rest) = read_i32(array).ok_or(NO_COPY)?;
    let dimensions = usize::try_from(dimensions).map_err(|_| NO_COPY)?;
    let mut rest = rest.get(8 + 8 * dimensions..).ok_or(NO_COPY)?;
    let mut count = 0;
    while !rest.is_empty() {
        let (item, after) = read_field(rest)?.ok_or(NO_COPY)?;
        if count < LIST_LEN_MAX {
            out.append_option(item.map(text).transpose()?);
        }
        count += 1;
        rest = after;
    }
    Ok(())
}
