//! Newline-delimited JSON: bytes in, batches of typed columns out.
//!
//! Cost: a line is copied only when it spans chunks; keys that no column wants are parsed and dropped.

mod column;

use std::fmt;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};

use self::column::{Column, Fill, Find};
use super::shape::{Keys, Shape, Widen};
use super::{BATCH_BYTES_MAX, CELL_KEPT_MAX, RECORD_LEN_MAX};
use crate::flaw::{Flaw, Problem};

/// Whole lines of a stream of chunks.
struct Lines {
    partial: Vec<u8>,
    /// The line that is being read.
    line: u64,
}

/// A decoder of one file into columns of known shapes; it holds values and does not print itself.
pub(crate) struct NdjsonDecoder {
    lines: Lines,
    schema: SchemaRef,
    row: Row,
    row_limit: usize,
    /// The bytes decoded.
    position: u64,
    line_start: u64,
    /// Where each record since the last batch begins, if that is wanted.
    starts: Option<Vec<u64>>,
}

/// A reader of one file that learns the shapes of its keys; it holds a line and does not print
/// itself.
pub(crate) struct ShapeFinder {
    lines: Lines,
    shape: Shape,
    row_count: u64,
}

/// The columns that records are appended to.
struct Row {
    /// In ascending order.
    names: Vec<String>,
    columns: Vec<Column>,
    count: usize,
    byte_count: usize,
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
            shape: Shape::Object(Keys::new()),
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
    pub(crate) fn into_keys(self) -> (Keys, u64) {
        match self.shape {
            Shape::Object(keys) => (keys, self.row_count),
            _ => (Keys::new(), self.row_count),
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
    pub(crate) fn new(keys: &Keys, schema: SchemaRef, row_limit: usize) -> Self {
        let names = keys.keys().cloned().collect();
        let columns = keys.values().map(Column::new).collect();
        let row = Row {
            names,
            columns,
            count: 0,
            byte_count: 0,
        };
        Self {
            lines: Lines::new(),
            schema,
            row,
            row_limit,
            position: 0,
            line_start: 0,
            starts: None,
        }
    }

    /// Keeps where records begin, for [`take_starts`](Self::take_starts).
    pub(crate) fn keep_starts(&mut self) {
        self.starts = Some(Vec::new());
    }

    /// Returns where each record since the last call begins, in bytes from the first one decoded.
    pub(crate) fn take_starts(&mut self) -> Vec<u64> {
        self.starts.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns the line being read.
    pub(crate) fn line(&self) -> u64 {
        self.lines.line
    }

    /// Returns the rows since the last batch was taken.
    pub(crate) fn row_count(&self) -> usize {
        self.row.count
    }

    /// Tells whether a batch must be taken before more is decoded.
    pub(crate) fn is_full(&self) -> bool {
        self.row.count >= self.row_limit || self.row.byte_count >= BATCH_BYTES_MAX
    }

    /// Decodes until the input ends or a batch is full, and returns the bytes used.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let mut at = 0;
        while at < input.len() && !self.is_full() {
            if self.lines.partial.is_empty() {
                self.line_start = self.position;
            }
            let before = self.row.count;
            let row = &mut self.row;
            let used = self.lines.next(&input[at..], |text, _| row.append(text))?;
            self.position += used as u64;
            at += used;
            self.keep_start(before);
        }
        Ok(at)
    }

    /// Ends the file: decodes its last line if no line break ends it.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        let before = self.row.count;
        let row = &mut self.row;
        self.lines.last(|text, _| row.append(text))?;
        self.keep_start(before);
        Ok(())
    }

    fn keep_start(&mut self, count_before: usize) {
        if self.row.count > count_before
            && let Some(starts) = &mut self.starts
        {
            starts.push(self.line_start);
        }
    }

    /// Returns the rows decoded since the last call.
    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.row.count);
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
        self.count += 1;
        self.byte_count += text.len();
        for column in &mut self.columns {
            if column.len() < self.count {
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
                    count,
                    ..
                },
            refusal,
        } = self;
        while let Some(found) = entries.next_key_seed(Find(|key: &str| position(names, key)))? {
            let Some(index) = found else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if columns[index].len() > *count {
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
    names.binary_search_by(|name| name.as_str().cmp(key)).ok()
}

#[cfg(test)]
mod tests;
