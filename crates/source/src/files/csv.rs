//! Comma-separated values: bytes in, batches of text columns out.
//!
//! Cost: each byte is looked at once for its class and once for UTF-8; a cell that no column wants is
//! not copied. Cells beyond [`CELL_KEPT_MAX`] are cut while they stream by, so memory does not follow
//! the length of a cell or of a quote that is never closed.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use super::{BATCH_BYTES_MAX, CELL_KEPT_MAX, COLUMN_COUNT_MAX};
use crate::flaw::{Flaw, Problem};

const QUOTE: u8 = b'"';

/// A decoder of one file; it holds cells and does not print itself.
pub(crate) struct CsvDecoder {
    delimiter: u8,
    state: State,
    cell: Cell,
    line: u64,
    record_line: u64,
    index: usize,
    after_return: bool,
    header: Header,
    wanted: Wanted,
    row_limit: usize,
    row_count: usize,
    byte_count: usize,
    /// The bytes that came before the step that is done.
    position: u64,
    record_start: u64,
    /// Where each record since the last batch begins, if that is wanted.
    starts: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// In a quoted cell whose quote opened on this line.
    Quoted(u64),
    /// After a quote in a quoted cell: its end, or half of a doubled one.
    Closing(u64),
}

/// The content of a cell that spans chunks or holds quotes.
#[derive(Default)]
struct Cell {
    bytes: Vec<u8>,
    cut: bool,
}

#[derive(Default)]
struct Header {
    names: Vec<String>,
    is_read: bool,
}

struct Wanted {
    schema: SchemaRef,
    builders: Vec<StringBuilder>,
    /// For each cell of a record, the column that takes it.
    places: Vec<Option<usize>>,
    /// The columns that this file has.
    is_present: Vec<bool>,
}

impl CsvDecoder {
    /// Makes a decoder that keeps the columns of `schema`, all of them text, in batches of at most
    /// `row_limit` rows.
    pub(crate) fn new(delimiter: u8, schema: SchemaRef, row_limit: usize) -> Self {
        let column_count = schema.fields().len();
        let wanted = Wanted {
            builders: (0..column_count).map(|_| StringBuilder::new()).collect(),
            places: Vec::new(),
            is_present: vec![false; column_count],
            schema,
        };
        Self {
            delimiter,
            state: State::Start,
            cell: Cell::default(),
            line: 1,
            record_line: 1,
            index: 0,
            after_return: false,
            header: Header::default(),
            wanted,
            row_limit,
            row_count: 0,
            byte_count: 0,
            position: 0,
            record_start: 0,
            starts: None,
        }
    }

    /// Makes a decoder of one record that begins anywhere in a file with this header.
    pub(crate) fn within(delimiter: u8, schema: SchemaRef, header: &[String]) -> Self {
        let mut decoder = Self::new(delimiter, schema, 1);
        decoder.header.names = header.to_vec();
        decoder.end_header();
        decoder
    }

    /// Keeps where records begin, for [`take_starts`](Self::take_starts).
    pub(crate) fn keep_starts(&mut self) {
        self.starts = Some(Vec::new());
    }

    /// Returns where each record since the last call begins, in bytes from the first one decoded.
    pub(crate) fn take_starts(&mut self) -> Vec<u64> {
        self.starts.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns the names in the header, once it is read.
    pub(crate) fn header(&self) -> Option<&[String]> {
        self.header.is_read.then_some(self.header.names.as_slice())
    }

    /// Returns the line being read.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Returns the rows since the last batch was taken.
    pub(crate) fn row_count(&self) -> usize {
        self.row_count
    }

    /// Tells whether a batch must be taken before more is decoded.
    ///
    /// In the middle of a record some columns hold one cell more than others, so a batch is full
    /// only where a record ends.
    pub(crate) fn is_full(&self) -> bool {
        self.is_between_records()
            && (self.row_count >= self.row_limit || self.byte_count >= BATCH_BYTES_MAX)
    }

    fn is_between_records(&self) -> bool {
        self.index == 0 && self.state == State::Start
    }

    /// Decodes until the input ends or a batch is full, and returns the bytes used.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let mut at = 0;
        while at < input.len() && !self.is_full() {
            let used = self.step(&input[at..])?;
            self.position += used as u64;
            at += used;
        }
        Ok(at)
    }

    /// Ends the file: closes its last record if no line break does.
    pub(crate) fn finish(&mut self) -> Result<(), Flaw> {
        match self.state {
            State::Quoted(line) => Err(Flaw::new(line, Problem::OpenQuote)),
            State::Start if self.index == 0 => Ok(()),
            _ => {
                self.end_kept_cell()?;
                self.end_record()
            }
        }
    }

    /// Returns the rows decoded since the last call.
    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.row_count);
        self.byte_count = 0;
        let Wanted {
            schema,
            builders,
            is_present,
            ..
        } = &mut self.wanted;
        let columns = builders
            .iter_mut()
            .zip(is_present)
            .map(|(builder, present)| match present {
                true => Arc::new(builder.finish()) as ArrayRef,
                false => new_null_array(&DataType::Utf8, rows),
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }

    fn step(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        match self.state {
            State::Start => self.start_cell(input),
            State::Plain => self.plain(input),
            State::Quoted(line) => Ok(self.quoted(input, line)),
            State::Closing(line) => self.closing(input[0], line),
        }
    }

    fn start_cell(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let first = input[0];
        if std::mem::take(&mut self.after_return) && first == b'\n' {
            return Ok(1);
        }
        if self.index == 0 {
            self.record_line = self.line;
            self.record_start = self.position;
        }
        if first == QUOTE {
            self.state = State::Quoted(self.line);
            return Ok(1);
        }
        if self.index == 0 && is_line_break(first) {
            self.break_line(first);
            return Ok(1);
        }
        self.plain(input)
    }

    fn plain(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        let delimiter = self.delimiter;
        let stop = input
            .iter()
            .position(|&byte| byte == delimiter || is_line_break(byte));
        let Some(stop) = stop else {
            self.cell.extend(input);
            self.state = State::Plain;
            return Ok(input.len());
        };
        if self.state == State::Plain {
            self.cell.extend(&input[..stop]);
            self.end_kept_cell()?;
        } else {
            self.end_cell(&input[..stop], false)?;
        }
        self.separate(input[stop])?;
        Ok(stop + 1)
    }

    fn quoted(&mut self, input: &[u8], line: u64) -> usize {
        let stop = input.iter().position(|&byte| byte == QUOTE);
        let content = &input[..stop.unwrap_or(input.len())];
        self.line += content.split(|&byte| byte == b'\n').count() as u64 - 1;
        self.cell.extend(content);
        if stop.is_some() {
            self.state = State::Closing(line);
        }
        content.len() + usize::from(stop.is_some())
    }

    fn closing(&mut self, next: u8, line: u64) -> Result<usize, Flaw> {
        if next == QUOTE {
            self.cell.extend(&[QUOTE]);
            self.state = State::Quoted(line);
        } else if next == self.delimiter || is_line_break(next) {
            self.end_kept_cell()?;
            self.separate(next)?;
        } else {
            return Err(Flaw::new(self.line, Problem::StrayQuote));
        }
        Ok(1)
    }

    fn separate(&mut self, byte: u8) -> Result<(), Flaw> {
        self.state = State::Start;
        if byte == self.delimiter {
            return Ok(());
        }
        self.end_record()?;
        self.break_line(byte);
        Ok(())
    }

    fn break_line(&mut self, byte: u8) {
        self.line += 1;
        self.after_return = byte == b'\r';
    }

    fn end_kept_cell(&mut self) -> Result<(), Flaw> {
        let mut cell = std::mem::take(&mut self.cell);
        let ended = self.end_cell(&cell.bytes, cell.cut);
        cell.clear();
        self.cell = cell;
        ended
    }

    fn end_cell(&mut self, bytes: &[u8], is_cut: bool) -> Result<(), Flaw> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) if is_cut && error.error_len().is_none() => {
                std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(_) => return Err(Flaw::new(self.record_line, Problem::InvalidUtf8)),
        };
        if !self.header.is_read {
            return self.name_column(text);
        }
        let Some(place) = self.wanted.places.get(self.index) else {
            return Err(self.ragged(self.index + 1));
        };
        self.index += 1;
        if let Some(column) = *place {
            self.byte_count += text.len();
            append(&mut self.wanted.builders[column], text);
        }
        Ok(())
    }

    fn name_column(&mut self, text: &str) -> Result<(), Flaw> {
        if self.index >= COLUMN_COUNT_MAX {
            let problem = Problem::TooManyColumns {
                count_max: COLUMN_COUNT_MAX,
            };
            return Err(Flaw::new(self.record_line, problem));
        }
        self.index += 1;
        self.header.names.push(text.to_owned());
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), Flaw> {
        let found = std::mem::take(&mut self.index);
        self.state = State::Start;
        if !self.header.is_read {
            self.end_header();
        } else if found == self.header.names.len() {
            self.row_count += 1;
            if let Some(starts) = &mut self.starts {
                starts.push(self.record_start);
            }
        } else {
            return Err(self.ragged(found));
        }
        Ok(())
    }

    fn end_header(&mut self) {
        self.header.is_read = true;
        let Wanted {
            schema,
            places,
            is_present,
            ..
        } = &mut self.wanted;
        *places = vec![None; self.header.names.len()];
        for (column, field) in schema.fields().iter().enumerate() {
            if let Some(place) = self
                .header
                .names
                .iter()
                .position(|name| name == field.name())
            {
                places[place] = Some(column);
                is_present[column] = true;
            }
        }
    }

    fn ragged(&self, found: usize) -> Flaw {
        let expected = self.header.names.len();
        Flaw::new(self.record_line, Problem::Ragged { expected, found })
    }
}

impl Cell {
    fn extend(&mut self, bytes: &[u8]) {
        let room = CELL_KEPT_MAX.saturating_sub(self.bytes.len());
        self.cut |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.cut = false;
    }
}

fn append(builder: &mut StringBuilder, text: &str) {
    if text.is_empty() {
        builder.append_null();
    } else {
        builder.append_value(&text[..text.floor_char_boundary(CELL_KEPT_MAX)]);
    }
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use arrow_array::cast::AsArray;
    use arrow_schema::{Field, Schema};

    use super::*;

    type Rows = Vec<Vec<Option<String>>>;

    fn decode(text: &[u8], columns: &[&str], chunk_len: usize) -> Result<Rows, Flaw> {
        let fields: Vec<_> = columns
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect();
        let mut decoder = CsvDecoder::new(b',', Arc::new(Schema::new(fields)), usize::MAX);
        for chunk in text.chunks(chunk_len) {
            assert_eq!(decoder.decode(chunk)?, chunk.len());
        }
        decoder.finish()?;
        let batch = decoder.take_batch().unwrap();
        Ok((0..batch.num_rows())
            .map(|row| {
                batch
                    .columns()
                    .iter()
                    .map(|column| cell(column, row))
                    .collect()
            })
            .collect())
    }

    fn cell(column: &ArrayRef, row: usize) -> Option<String> {
        column
            .is_valid(row)
            .then(|| column.as_string::<i32>().value(row).to_owned())
    }

    fn rows(text: &str, columns: &[&str]) -> Rows {
        let whole = decode(text.as_bytes(), columns, usize::MAX).unwrap();
        for chunk_len in 1..7 {
            let chunked = decode(text.as_bytes(), columns, chunk_len).unwrap();
            assert_eq!(whole, chunked, "chunks of {chunk_len}");
        }
        whole
    }

    fn some(texts: &[&str]) -> Vec<Option<String>> {
        texts
            .iter()
            .map(|text| (!text.is_empty()).then(|| (*text).to_owned()))
            .collect()
    }

    #[test]
    fn cells_are_split_however_the_bytes_arrive() {
        let text = "a,b,c\n1,\"x, \"\"y\"\"\nz\",3\r\n,é\"é,\n\n\r\n7,,9";
        let expected = [
            some(&["1", "x, \"y\"\nz", "3"]),
            some(&["", "é\"é", ""]),
            some(&["7", "", "9"]),
        ];
        assert_eq!(rows(text, &["a", "b", "c"]), expected);
    }

    #[test]
    fn only_wanted_columns_are_kept_in_the_order_asked() {
        assert_eq!(
            rows("a,b,c\n1,2,3\n", &["c", "none", "a"]),
            [some(&["3", "", "1"])]
        );
        assert_eq!(rows("a,b\n1,2\n3,4\n", &[]).len(), 2);
    }

    #[test]
    fn a_delimiter_at_the_end_of_a_file_leaves_an_empty_cell() {
        assert_eq!(rows("a,b\n1,", &["a", "b"]), [some(&["1", ""])]);
    }

    #[test]
    fn lone_returns_end_records() {
        assert_eq!(
            rows("a,b\r1,2\r3,4", &["a", "b"]),
            [some(&["1", "2"]), some(&["3", "4"])]
        );
    }

    #[test]
    fn flaws_name_the_line_of_the_record() {
        let cases: &[(&[u8], u64, Problem)] = &[
            (
                b"a,b\n1,2\n3\n",
                3,
                Problem::Ragged {
                    expected: 2,
                    found: 1,
                },
            ),
            (
                b"a,b\n1,2,3\n",
                2,
                Problem::Ragged {
                    expected: 2,
                    found: 3,
                },
            ),
            (
                b"a,b\n\"1\n\n\",2\n1\n",
                5,
                Problem::Ragged {
                    expected: 2,
                    found: 1,
                },
            ),
            (b"a,b\r\n1,2\r\n\xff,2\r\n", 3, Problem::InvalidUtf8),
            (b"a,b\n1,2\n1,\"2\n3,4\n", 3, Problem::OpenQuote),
            (b"a,b\n\"1\"x,2\n", 2, Problem::StrayQuote),
        ];
        for (text, line, problem) in cases {
            for chunk_len in [1, 2, 3, usize::MAX] {
                let flaw = decode(text, &["a", "b"], chunk_len).unwrap_err();
                assert_eq!(flaw, Flaw::new(*line, problem.clone()));
            }
        }
    }

    #[test]
    fn a_cell_of_any_length_is_cut_between_characters() {
        let long = "é".repeat(CELL_KEPT_MAX);
        let text = format!("a,b\n\"{long}\",1\n{long},2\n");
        let found = decode(text.as_bytes(), &["a", "b"], 4093).unwrap();
        for row in &found {
            let len = row[0].as_ref().unwrap().len();
            assert!((CELL_KEPT_MAX - 1..=CELL_KEPT_MAX).contains(&len));
        }
        assert_eq!(found[1][1].as_deref(), Some("2"));
    }
}
