//! Comma-separated values: bytes in, batches of text columns out.
//!
//! Two ways lead through a file. Windows of whole lines are checked for UTF-8 at once and cut at their
//! [`Marks`]; what does not lie whole in a window, or is wrong, goes byte by byte through a [`State`],
//! which alone finds flaws.
//!
//! Cost: each byte is looked at once for its class and once for UTF-8, and again where it goes through
//! the states or a batch is full in the middle of a window; a cell that no column wants is
//! not copied. Cells beyond [`CELL_KEPT_MAX`] are cut while they stream by, so memory does not follow
//! the length of a cell or of a quote that is never closed.

mod marks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{ArrowError, DataType, SchemaRef};

use self::marks::Marks;
use super::{BATCH_BYTES_MAX, CELL_KEPT_MAX, COLUMN_COUNT_MAX};
use crate::flaw::{Flaw, Problem};

const QUOTE: u8 = b'"';

/// The bytes that are checked at once; what is left of them when a batch is full is checked again.
const WINDOW_LEN: usize = 16 << 10;

/// A decoder of one file; it holds cells and does not print itself.
pub(crate) struct CsvDecoder {
    delimiter: u8,
    state: State,
    cell: Cell,
    /// A quoted cell of a window, without its quotes.
    unquoted: String,
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
            unquoted: String::new(),
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
            let used = match self.whole_cells(&input[at..])? {
                0 => self.step(&input[at..])?,
                used => used,
            };
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

    /// Decodes the cells that lie whole in the next window, and returns the bytes used.
    ///
    /// It begins where a record does, and ends before a cell that it leaves to [`step`](Self::step).
    fn whole_cells(&mut self, input: &[u8]) -> Result<usize, Flaw> {
        if !self.header.is_read || !self.is_between_records() {
            return Ok(0);
        }
        let text = window(input);
        let bytes = text.as_bytes();
        let mut marks = Marks::new(text, self.delimiter);
        let mut at = 0;
        while at < bytes.len() && !self.is_full() {
            if std::mem::take(&mut self.after_return) && bytes[at] == b'\n' {
                marks.next();
                at += 1;
                continue;
            }
            if self.index == 0 {
                self.record_line = self.line;
                self.record_start = self.position + at as u64;
                if is_line_break(bytes[at]) {
                    self.break_line(bytes[at]);
                    marks.next();
                    at += 1;
                    continue;
                }
            }
            let end = if bytes[at] == QUOTE {
                self.whole_quoted_cell(text, at, &mut marks)?
            } else {
                self.whole_plain_cell(text, at, &mut marks)?
            };
            let Some(end) = end else { break };
            self.separate(bytes[end])?;
            at = end + 1;
        }
        Ok(at)
    }

    /// Keeps the cell without quotes that begins at `start`, and returns where it ends, if it does.
    fn whole_plain_cell(
        &mut self,
        text: &str,
        start: usize,
        marks: &mut Marks<'_>,
    ) -> Result<Option<usize>, Flaw> {
        let Some(end) = marks.find(|&mark| text.as_bytes()[mark] != QUOTE) else {
            return Ok(None);
        };
        self.keep(&text[start..end])?;
        Ok(Some(end))
    }

    /// Keeps the quoted cell that begins at `start`, and returns where it ends, if it does so well.
    fn whole_quoted_cell(
        &mut self,
        text: &str,
        start: usize,
        marks: &mut Marks<'_>,
    ) -> Result<Option<usize>, Flaw> {
        let bytes = text.as_bytes();
        self.unquoted.clear();
        let (mut piece_start, mut line_count) = (start + 1, 0);
        marks.next();
        while let Some(mark) = marks.next() {
            line_count += u64::from(bytes[mark] == b'\n');
            if bytes[mark] != QUOTE {
                continue;
            }
            let piece = &text[piece_start..mark];
            let after = mark + 1;
            let Some(&next) = bytes.get(after) else { break };
            if next == QUOTE {
                self.unquoted.push_str(&text[piece_start..after]);
                piece_start = after + 1;
                marks.next();
            } else if next == self.delimiter || is_line_break(next) {
                marks.next();
                self.line += line_count;
                self.keep_pieces(piece)?;
                return Ok(Some(after));
            } else {
                break;
            }
        }
        Ok(None)
    }

    /// Keeps the last piece of a quoted cell with those before it.
    fn keep_pieces(&mut self, last: &str) -> Result<(), Flaw> {
        if self.unquoted.is_empty() {
            return self.keep(last);
        }
        let mut whole = std::mem::take(&mut self.unquoted);
        whole.push_str(last);
        let kept = self.keep(&whole);
        self.unquoted = whole;
        kept
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
        self.keep(text)
    }

    /// Gives a cell to the column that wants it, if one does.
    fn keep(&mut self, text: &str) -> Result<(), Flaw> {
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

/// Returns the text that a window holds: whole lines if one ends in it, and only what is UTF-8.
fn window(input: &[u8]) -> &str {
    let bytes = &input[..input.len().min(WINDOW_LEN)];
    let end = bytes.iter().rposition(|&byte| byte == b'\n');
    let bytes = &bytes[..end.map_or(bytes.len(), |end| end + 1)];
    std::str::from_utf8(bytes).unwrap_or_else(|error| {
        std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
    })
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
