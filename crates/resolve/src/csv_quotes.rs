//! Quotes of CSV, checked as bytes pass: the reader of CSV forgives what loses rows.

use std::io::{self, Read};

/// The bytes of a quoted cell; a longer one is more likely a quote that nobody closed.
const QUOTED_LEN_MAX: u64 = 1 << 20;

/// Hands the bytes of a CSV file on until a quote is wrong (RFC 4180, section 2): one that is never
/// closed would swallow all rows after it. Cells are separated by commas.
///
/// Errors of kind `InvalidData` name the line and quote nothing.
#[derive(Debug)]
pub struct CsvQuotes<R> {
    inner: R,
    place: Place,
    line: u64,
    /// The bytes since the quote was opened.
    quoted_len: u64,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At the start of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between quotes, opened on this line.
    Quoted(u64),
    /// After a quote that closes the cell, unless another follows.
    Closed(u64),
}

impl<R> CsvQuotes<R> {
    /// Begins at the start of a file.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            place: Place::Start,
            line: 1,
            quoted_len: 0,
        }
    }

    /// Looks at a byte; says what is wrong.
    fn pass(&mut self, byte: u8) -> Result<(), String> {
        self.place = match (self.place, byte) {
            (Place::Start, b'"') => Place::Quoted(self.line),
            (Place::Quoted(opened), b'"') => Place::Closed(opened),
            (Place::Closed(opened), b'"') | (Place::Quoted(opened), _) => Place::Quoted(opened),
            (_, b',' | b'\n' | b'\r') => Place::Start,
            (Place::Closed(_), _) => {
                return Err(format!(
                    "line {}: text follows a closing quote; double quotes inside a quoted cell",
                    self.line
                ));
            }
            (Place::Start | Place::Plain, _) => Place::Plain,
        };
        self.line += u64::from(byte == b'\n');
        self.quoted_len = match self.place {
            Place::Quoted(_) | Place::Closed(_) => self.quoted_len + 1,
            Place::Start | Place::Plain => 0,
        };
        match self.place {
            Place::Quoted(opened) if self.quoted_len > QUOTED_LEN_MAX => Err(format!(
                "line {opened}: a quoted cell has more than {QUOTED_LEN_MAX} bytes; close its quote, or double it"
            )),
            _ => Ok(()),
        }
    }

    fn end(&self) -> Result<(), String> {
        match self.place {
            Place::Quoted(opened) => Err(format!(
                "line {opened}: a quote is opened and never closed; close or double it"
            )),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for CsvQuotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        let checked = match len {
            0 => self.end(),
            _ => buffer
                .iter()
                .take(len)
                .try_for_each(|&byte| self.pass(byte)),
        };
        checked.map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))?;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mut read = String::new();
        let ended = CsvQuotes::new(text.as_bytes()).read_to_string(&mut read);
        ended.map(|_| read).map_err(|error| error.to_string())
    }

    #[test]
    fn quotes_that_are_right_pass() {
        for text in [
            "",
            "a,b\n",
            "\"a,\n\",b\r\n",
            "\"a \"\"b\"\"\"\n",
            "o\"clock,5\"\n",
            "\"\"",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn a_quote_that_is_wrong_is_told_with_its_line() {
        let open = read("a,b\nc,\"d\ne,f\n").unwrap_err();
        assert!(open.starts_with("line 2: a quote is opened"), "{open}");
        let more = read("a,b\n\"c\nd\" x,e\n").unwrap_err();
        assert!(more.starts_with("line 3: text follows"), "{more}");
        let long = read(&format!("a\n\"{}\"\n", "x".repeat(2 << 20))).unwrap_err();
        assert!(long.starts_with("line 2: a quoted cell"), "{long}");
        let many = "\"x\"\n".repeat(1 << 20);
        assert!(read(&many).is_ok(), "each is short");
    }
}
