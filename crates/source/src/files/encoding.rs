//! Text in an encoding of Western Europe, read as UTF-8.

use std::io::{self, Read};

/// How much is read and written anew at a time, in bytes.
const PIECE_LEN: usize = 16 * 1024;

/// What the bytes from 0x80 to 0x9F stand for in Windows-1252, which has Latin-1 within it; five stand for nothing.
const FROM_80: [char; 32] = [
    '€', '\u{FFFD}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{FFFD}', 'Ž',
    '\u{FFFD}', '\u{FFFD}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{FFFD}',
    'ž', 'Ÿ',
];

/// Reads Windows-1252 as UTF-8.
pub(crate) struct FromWindows1252<R> {
    raw: R,
    text: io::Cursor<String>,
}

impl<R: Read> FromWindows1252<R> {
    pub(crate) fn new(raw: R) -> Self {
        Self {
            raw,
            text: io::Cursor::default(),
        }
    }
}

impl<R: Read> Read for FromWindows1252<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let mut piece = Vec::with_capacity(PIECE_LEN);
            self.raw
                .by_ref()
                .take(PIECE_LEN as u64)
                .read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(0);
            }
            self.text = io::Cursor::new(piece.into_iter().map(char_of).collect());
        }
    }
}

fn char_of(byte: u8) -> char {
    let odd = byte.checked_sub(0x80).map(usize::from);
    odd.and_then(|at| FROM_80.get(at).copied())
        .unwrap_or(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_as_what_it_stands_for() {
        let mut text = String::new();
        let raw: &[u8] = b"caf\xE9;\x80 5;\x93Au\xDFen\x94;\x81";
        FromWindows1252::new(raw)
            .read_to_string(&mut text)
            .expect("memory can be read");
        assert_eq!(text, "café;€ 5;“Außen”;\u{FFFD}");
        let long = vec![0xFC; 3 * PIECE_LEN + 5];
        let mut text = String::new();
        FromWindows1252::new(long.as_slice())
            .read_to_string(&mut text)
            .expect("memory can be read");
        assert_eq!(text.chars().count(), long.len());
        assert!(text.chars().all(|c| c == 'ü'));
    }
}
