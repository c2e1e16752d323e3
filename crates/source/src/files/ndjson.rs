//! Newline-delimited JSON: bytes in, batches of typed columns out.
//!
//! Cost: a line is copied only when it spans chunks; keys that no column wants are parsed and dropped.

use std::fmt;
use std::sync::Arc;

use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, ListArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use arrow_schema::{ArrowError, DataType, Field, Fields, SchemaRef};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::shape::{Shape, Widen};
use super::{BATCH_BYTES_MAX, CELL_KEPT_MAX, RECORD_LEN_MAX};
use crate::flaw::{Flaw, Problem};

/// Whole lines of a stream of chunks.
#[derive(Debug)]
struct Lines {
    partial: Vec<u8>,
    /// The line that is being read.
    line: u64,
}

/// A decoder of one file into columns of known shapes.
#[derive(Debug)]
pub(crate) struct NdjsonDecoder {
    lines: Lines,
    schema: SchemaRef,
    row: Row,
    row_limit: usize,
}

/// A reader of one file that learns the shapes of its keys.
#[derive(Debug)]
pub(crate) struct ShapeFinder {
    lines: Lines,
    shape: Shape,
    row_count: u64,
}

/// The columns that records are appended to.
#[derive(Debug)]
struct Row {
    names: Vec<String>,
    columns: Vec<Column>,
    row_count: usize,
    byte_count: usize,
}

#[derive(Debug)]
enum Column {
    /// Nothing but nulls and empty objects.
    Nothing(usize),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Text(StringBuilder),
    List {
        ends: Vec<i32>,
        is_valid: Vec<bool>,
        item: Box<Column>,
    },
    Object {
        keys: Vec<(String, Column)>,
        is_valid: Vec<bool>,
    },
}

impl Lines {
    fn new() -> Self {
        Self {
            partial: Vec::new(),
            line: 1,
        }
    }

    /// Hands on the next whole line; returns the bytes used and whether a line ended.
    fn next<T>(
        &mut self,
        input: &[u8],
        on_line: impl FnOnce(&str, u64) -> Result<T, Problem>,
    ) -> Result<usize, Flaw> {
        let Some(stop) = input.iter().position(|&byte| byte == b'\n') else {
            self.keep(input)?;
            return Ok(input.len());
        };
        if self.partial.is_empty() {
            self.hand_on(&input[..stop], on_line)?;
        } else {
            self.keep(&input[..stop])?;
            let whole = std::mem::take(&mut self.partial);
            self.hand_on(&whole, on_line)?;
            // A long line's buffer is given back, an ordinary one is used again.
            if whole.capacity() <= CELL_KEPT_MAX {
                self.partial = whole;
                self.partial.clear();
            }
        }
        self.line += 1;
        Ok(stop + 1)
    }

    fn last<T>(
        &mut self,
        on_line: impl FnOnce(&str, u64) -> Result<T, Problem>,
    ) -> Result<(), Flaw> {
        let whole = std::mem::take(&mut self.partial);
        self.hand_on(&whole, on_line)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Flaw> {
        if self.partial.len() + bytes.len() > RECORD_LEN_MAX {
            return Err(Flaw::new(
                self.line,
                Problem::RecordTooLong {
                    len_max: RECORD_LEN_MAX,
                },
            ));
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn hand_on<T>(
        &self,
        bytes: &[u8],
        on_line: impl FnOnce(&str, u64) -> Result<T, Problem>,
    ) -> Result<(), Flaw> {
        let flaw = |problem| Flaw::new(self.line, problem);
        let text = std::str::from_utf8(bytes).map_err(|_| flaw(Problem::InvalidUtf8))?;
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        on_line(text, self.line).map(drop).map_err(flaw)
    }
}

impl ShapeFinder {
    pub(crate) fn new() -> Self {
        Self {
            lines: Lines::new(),
            shape: Shape::Object(Vec::new()),
            row_count: 0,
        }
    }

    /// Learns from all whole lines of a chunk.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<(), Flaw> {
        let Self {
            lines,
            shape,
            row_count,
        } = self;
        let mut at = 0;
        while at < input.len() {
            at += lines.next(&input[at..], |text, line| {
                learn(shape, row_count, text, line)
            })?;
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        let Self {
            lines,
            shape,
            row_count,
        } = self;
        lines.last(|text, line| learn(shape, row_count, text, line))
    }

    /// Returns the keys with their shapes, and the number of records.
    pub(crate) fn into_keys(self) -> (Vec<(String, Shape)>, u64) {
        match self.shape {
            Shape::Object(keys) => (keys, self.row_count),
            _ => (Vec::new(), self.row_count),
        }
    }
}

fn learn(shape: &mut Shape, row_count: &mut u64, text: &str, line: u64) -> Result<(), Problem> {
    require_object(text)?;
    parse(text, Widen { shape, line })?;
    *row_count += 1;
    Ok(())
}

impl NdjsonDecoder {
    /// Makes a decoder of the named keys, in batches of at most `row_limit` rows.
    pub(crate) fn new(keys: &[(String, Shape)], schema: SchemaRef, row_limit: usize) -> Self {
        let names = keys.iter().map(|(name, _)| name.clone()).collect();
        let columns = keys.iter().map(|(_, shape)| Column::new(shape)).collect();
        let row = Row {
            names,
            columns,
            row_count: 0,
            byte_count: 0,
        };
        Self {
            lines: Lines::new(),
            schema,
            row,
            row_limit,
        }
    }

    /// Returns the line being read.
    pub(crate) fn line(&self) -> u64 {
        self.lines.line
    }

    /// Returns the rows since the last batch was taken.
    pub(crate) fn row_count(&self) -> usize {
        self.row.row_count
    }

    /// Tells whether a batch must be taken before more is decoded.
    pub(crate) fn is_full(&self) -> bool {
        self.row.row_count >= self.row_limit || self.row.byte_count >= BATCH_BYTES_MAX
    }

    /// Decodes until the input ends or a batch is full, and returns the bytes used.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let mut at = 0;
        while at < input.len() && !self.is_full() {
            let row = &mut self.row;
            at += self.lines.next(&input[at..], |text, _| row.append(text))?;
        }
        Ok(at)
    }

    /// Ends the file: decodes its last line if no line break ends it.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        let row = &mut self.row;
        self.lines.last(|text, _| row.append(text))
    }

    /// Returns the rows decoded since the last call.
    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.row.row_count);
        self.row.byte_count = 0;
        let columns = self.row.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

impl Row {
    fn append(&mut self, text: &str) -> Result<(), Problem> {
        require_object(text)?;
        let mut refusal = None;
        let parsed = parse(
            text,
            RowSeed {
                row: self,
                refusal: &mut refusal,
            },
        );
        if let Some(problem) = refusal {
            return Err(problem);
        }
        parsed?;
        self.row_count += 1;
        self.byte_count += text.len();
        for column in &mut self.columns {
            if column.len() < self.row_count {
                column.push_null();
            }
        }
        Ok(())
    }
}

fn require_object(text: &str) -> Result<(), Problem> {
    if text.trim_ascii_start().starts_with('{') {
        Ok(())
    } else {
        Err(Problem::NotAnObject)
    }
}

/// Parses one line; the parser's own words are dropped because they may quote the line.
fn parse<'de, S: DeserializeSeed<'de>>(text: &'de str, seed: S) -> Result<S::Value, Problem> {
    let not_json = |error: serde_json::Error| Problem::NotJson {
        column: error.column(),
    };
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut parser).map_err(not_json)?;
    parser.end().map_err(not_json)?;
    Ok(value)
}

struct RowSeed<'a> {
    row: &'a mut Row,
    refusal: &'a mut Option<Problem>,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self {
            row:
                Row {
                    names,
                    columns,
                    row_count,
                    ..
                },
            refusal,
        } = self;
        while let Some(found) = entries.next_key_seed(Find(|key: &str| position(names, key)))? {
            let Some(index) = found else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if columns[index].len() > *row_count {
                *refusal = Some(Problem::RepeatedKey {
                    key: names[index].clone(),
                });
                return Err(A::Error::custom(""));
            }
            let into = Fill {
                column: &mut columns[index],
                name: &names[index],
                refusal: &mut *refusal,
            };
            entries.next_value_seed(into)?;
        }
        Ok(())
    }
}

fn position(names: &[String], key: &str) -> Option<usize> {
    names.iter().position(|name| name == key)
}

/// Looks a key up without keeping it.
struct Find<F>(F);

impl<'de, F: FnOnce(&str) -> Option<usize>> DeserializeSeed<'de> for Find<F> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<Self::Value, D::Error> {
        parser.deserialize_str(self)
    }
}

impl<F: FnOnce(&str) -> Option<usize>> Visitor<'_> for Find<F> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0(key))
    }
}

impl Column {
    fn new(shape: &Shape) -> Self {
        match shape {
            Shape::Bool => Self::Bool(BooleanBuilder::new()),
            Shape::Int => Self::Int(Int64Builder::new()),
            Shape::Float => Self::Float(Float64Builder::new()),
            Shape::Text => Self::Text(StringBuilder::new()),
            Shape::List(item) => Self::List {
                ends: vec![0],
                is_valid: Vec::new(),
                item: Box::new(Self::new(item)),
            },
            Shape::Object(keys) if !keys.is_empty() => {
                let key = |(name, shape): &(String, Shape)| (name.clone(), Self::new(shape));
                Self::Object {
                    keys: keys.iter().map(key).collect(),
                    is_valid: Vec::new(),
                }
            }
            Shape::Null | Shape::Object(_) | Shape::Mixed(_) => Self::Nothing(0),
        }
    }

    fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder;
        match self {
            Self::Nothing(len) => *len,
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::List { is_valid, .. } | Self::Object { is_valid, .. } => is_valid.len(),
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Nothing(len) => *len += 1,
            Self::Bool(values) => values.append_null(),
            Self::Int(values) => values.append_null(),
            Self::Float(values) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::List {
                ends,
                is_valid,
                item,
            } => {
                ends.push(item.len() as i32);
                is_valid.push(false);
            }
            Self::Object { keys, is_valid } => {
                keys.iter_mut().for_each(|(_, column)| column.push_null());
                is_valid.push(false);
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Nothing(len) => new_null_array(&DataType::Utf8, std::mem::take(len)),
            Self::Bool(values) => Arc::new(values.finish()),
            Self::Int(values) => Arc::new(values.finish()),
            Self::Float(values) => Arc::new(values.finish()),
            Self::Text(values) => Arc::new(values.finish()),
            Self::List {
                ends,
                is_valid,
                item,
            } => {
                let items = item.finish();
                let ends = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let nulls = NullBuffer::from(std::mem::take(is_valid));
                let field = Arc::new(Field::new_list_field(items.data_type().clone(), true));
                Arc::new(ListArray::new(field, ends, items, Some(nulls)))
            }
            Self::Object { keys, is_valid } => {
                let (fields, columns): (Vec<_>, Vec<_>) = keys
                    .iter_mut()
                    .map(|(name, column)| {
                        let column = column.finish();
                        (
                            Field::new(name.as_str(), column.data_type().clone(), true),
                            column,
                        )
                    })
                    .unzip();
                let nulls = NullBuffer::from(std::mem::take(is_valid));
                Arc::new(StructArray::new(Fields::from(fields), columns, Some(nulls)))
            }
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Nothing(_) => Shape::Null.name(),
            Self::Bool(_) => Shape::Bool.name(),
            Self::Int(_) => Shape::Int.name(),
            Self::Float(_) => Shape::Float.name(),
            Self::Text(_) => Shape::Text.name(),
            Self::List { .. } => "a list",
            Self::Object { .. } => "an object",
        }
    }
}

/// Appends one value to a column while it is parsed.
struct Fill<'a> {
    column: &'a mut Column,
    name: &'a str,
    refusal: &'a mut Option<Problem>,
}

impl Fill<'_> {
    fn refuse<E: serde::de::Error>(self, found: &'static str) -> Result<(), E> {
        let (key, expected) = (self.name.to_owned(), self.column.kind());
        *self.refusal = Some(Problem::Kind {
            key,
            expected,
            found,
        });
        Err(E::custom(""))
    }
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.column.push_null();
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        match self.column {
            Column::Bool(values) => values.append_value(value),
            _ => return self.refuse(Shape::Bool.name()),
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        match self.column {
            Column::Int(values) => values.append_value(value),
            Column::Float(values) => values.append_value(value as f64),
            _ => return self.refuse(Shape::Int.name()),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        match (i64::try_from(value), &mut *self.column) {
            (Ok(value), _) => self.visit_i64(value),
            (Err(_), Column::Float(values)) => {
                values.append_value(value as f64);
                Ok(())
            }
            (Err(_), _) => self.refuse("a whole number beyond 64 bits"),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        match self.column {
            Column::Float(values) => values.append_value(value),
            _ => return self.refuse(Shape::Float.name()),
        }
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        match self.column {
            Column::Text(values) => {
                values.append_value(&value[..value.floor_char_boundary(CELL_KEPT_MAX)]);
            }
            _ => return self.refuse(Shape::Text.name()),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self {
            column,
            name,
            refusal,
        } = self;
        let Column::List {
            ends,
            is_valid,
            item,
        } = column
        else {
            return Fill {
                column,
                name,
                refusal,
            }
            .refuse("a list");
        };
        loop {
            let into = Fill {
                column: &mut *item,
                name,
                refusal: &mut *refusal,
            };
            if items.next_element_seed(into)?.is_none() {
                break;
            }
        }
        ends.push(item.len() as i32);
        is_valid.push(true);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self {
            column,
            name,
            refusal,
        } = self;
        let (keys, is_valid) = match column {
            Column::Object { keys, is_valid } => (keys, is_valid),
            Column::Nothing(len) => {
                *len += 1;
                return skip_empty(entries, name, refusal);
            }
            _ => {
                return Fill {
                    column,
                    name,
                    refusal,
                }
                .refuse("an object");
            }
        };
        while let Some(found) = entries.next_key_seed(Find(|key: &str| {
            keys.iter().position(|(known, _)| known == key)
        }))? {
            let Some((_, column)) = found.and_then(|index| keys.get_mut(index)) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if column.len() > is_valid.len() {
                *refusal = Some(Problem::RepeatedKey {
                    key: name.to_owned(),
                });
                return Err(A::Error::custom(""));
            }
            entries.next_value_seed(Fill {
                column,
                name,
                refusal: &mut *refusal,
            })?;
        }
        is_valid.push(true);
        for (_, column) in keys {
            if column.len() < is_valid.len() {
                column.push_null();
            }
        }
        Ok(())
    }
}

fn skip_empty<'de, A: MapAccess<'de>>(
    mut entries: A,
    name: &str,
    refusal: &mut Option<Problem>,
) -> Result<(), A::Error> {
    if entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_none() {
        return Ok(());
    }
    let (expected, found) = ("an object without keys", "an object");
    *refusal = Some(Problem::Kind {
        key: name.to_owned(),
        expected,
        found,
    });
    Err(A::Error::custom(""))
}

#[cfg(test)]
mod tests;
