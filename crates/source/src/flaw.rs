//! What is wrong in a text file, and on which line; never with what stands there.

use std::fmt;

/// The first thing wrong in a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    line: u64,
    problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A record with another number of cells than the header.
    Ragged {
        /// The cells of the header.
        expected: usize,
        /// The cells of the record, or more than expected.
        found: usize,
    },
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// A file in UTF-16.
    Utf16,
    /// A quote that is never closed.
    OpenQuote,
    /// Text between a closing quote and the next separator.
    StrayQuote,
    /// A header that does not end.
    HeaderTooLong,
    /// A record that does not end.
    RecordTooLong {
        /// The bytes allowed.
        len_max: usize,
    },
    /// A line that is not JSON.
    NotJson {
        /// Where in the line it stops being JSON.
        column: usize,
    },
    /// A line that is JSON but no object.
    NotAnObject,
    /// A key that stands twice in one object.
    RepeatedKey {
        /// The key, when it is a mapped column.
        key: String,
    },
    /// A value of another type than the column has in the rest of the file.
    Kind {
        /// The mapped column.
        key: String,
        /// The type of the column.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// More columns than can be handled.
    TooManyColumns {
        /// The columns allowed.
        count_max: usize,
    },
    /// A compressed file that cannot be decompressed.
    Compressed,
}

impl Flaw {
    /// Tells whether the text would be sound in another encoding.
    pub fn is_of_encoding(&self) -> bool {
        self.problem == Problem::InvalidUtf8
    }

    /// Names a problem and the line, counted from one, of the record that has it.
    pub(crate) fn new(line: u64, problem: Problem) -> Self {
        Self { line, problem }
    }

    /// Returns the line, counted from one.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns what is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ragged { expected, found } if found > expected => write!(
                out,
                "the record has more than {expected} cells, the header has {expected}; \
                 quote cells that hold the delimiter"
            ),
            Self::Ragged { expected, found } => write!(
                out,
                "the record has {found} cells, the header has {expected}; \
                 complete the record or check `delimiter`"
            ),
            Self::InvalidUtf8 => {
                out.write_str("the text is not UTF-8; convert the file to UTF-8, or set `encoding`")
            }
            Self::Utf16 => out.write_str("the text is UTF-16; convert the file to UTF-8"),
            Self::OpenQuote => {
                out.write_str("a quote is opened and never closed; close or double it")
            }
            Self::StrayQuote => {
                out.write_str("text follows a closing quote; double the quotes inside quoted cells")
            }
            Self::HeaderTooLong => {
                out.write_str("the header does not end; check its quotes and the format")
            }
            Self::RecordTooLong { len_max } => {
                write!(
                    out,
                    "the record is longer than {len_max} bytes; shorten it or drop it"
                )
            }
            Self::NotJson { column } => write!(
                out,
                "the line stops being JSON at column {column}; write one whole object a line"
            ),
            Self::NotAnObject => out.write_str(
                "the line is no JSON object; write one object a line, without an array around them",
            ),
            Self::RepeatedKey { key } => write!(out, "key {key:?} stands twice in one object"),
            Self::Kind {
                key,
                expected,
                found,
            } => write!(
                out,
                "key {key:?} is {found} here and {expected} elsewhere; write all its values as one type"
            ),
            Self::TooManyColumns { count_max } => {
                write!(
                    out,
                    "there are more than {count_max} columns; check the format"
                )
            }
            Self::Compressed => {
                out.write_str("the file cannot be decompressed; it is damaged or truncated")
            }
        }
    }
}
