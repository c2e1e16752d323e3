//! Quotes of CSV, checked as bytes pass: the reader of CSV forgives what loses rows.

use std::io::{self, Read};

/// Hands bytes on until a quote is wrong (RFC 4180, section 2): one that is never closed swallows all
/// rows after it.
pub(super) struct Quotes<R> {
    inner: R,
    place: Place,
    line: u64,
}

/// Where the next byte stands.
#[derive(Clone, Copy)]
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

impl<R> Quotes<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            place: Place::Start,
            line: 1,
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
        Ok(())
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

impl<R: Read> Read for Quotes<R> {
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
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mut read = String::new();
        let ended = Quotes::new(text.as_bytes()).read_to_string(&mut read);
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
    }
}
