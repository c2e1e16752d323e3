//! Where cells may end: the delimiters, line breaks and quotes of a text, 64 bytes at a time.
//!
//! Cost: between one and two instructions a byte, and some five for each mark.

use super::QUOTE;

/// The bytes that are classed together.
const BLOCK_LEN: usize = u64::BITS as usize;

/// Moves the lowest bit of each byte of a word into the highest byte, in order.
///
/// Bit 8i of the word reaches bit 56 + i by the summand 2^(56 - 7i); no two products meet elsewhere,
/// so nothing is carried.
const GATHER: u64 = 0x0102_0408_1020_4080;

/// The places of the marks in a text, ascending.
pub(super) struct Marks<'t> {
    /// What comes after the block.
    rest: &'t [u8],
    delimiter: u8,
    /// Where the block begins.
    base: usize,
    block_len: usize,
    /// The marks of the block that were not given yet, one bit a byte.
    set: u64,
}

impl<'t> Marks<'t> {
    pub(super) fn new(text: &'t str, delimiter: u8) -> Self {
        Self {
            rest: text.as_bytes(),
            delimiter,
            base: 0,
            block_len: 0,
            set: 0,
        }
    }

    /// Takes up the next block; tells whether there was one.
    fn advance(&mut self) -> bool {
        self.base += self.block_len;
        if let Some((block, rest)) = self.rest.split_first_chunk() {
            self.set = classify(block, self.delimiter);
            self.block_len = BLOCK_LEN;
            self.rest = rest;
            return true;
        }
        self.block_len = self.rest.len();
        let mut block = [0; BLOCK_LEN];
        block[..self.block_len].copy_from_slice(self.rest);
        self.set = classify(&block, self.delimiter) & !(u64::MAX << self.block_len);
        self.rest = &[];
        self.block_len > 0
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.set == 0 {
            if !self.advance() {
                return None;
            }
        }
        let place = self.base + self.set.trailing_zeros() as usize;
        self.set &= self.set - 1;
        Some(place)
    }
}

/// Returns which bytes of a block are marks.
fn classify(block: &[u8; BLOCK_LEN], delimiter: u8) -> u64 {
    let mut is_mark = [0; BLOCK_LEN];
    for (is_mark, &byte) in is_mark.iter_mut().zip(block) {
        *is_mark = u8::from(byte == delimiter)
            | u8::from(byte == QUOTE)
            | u8::from(byte == b'\n')
            | u8::from(byte == b'\r');
    }
    let (words, _) = is_mark.as_chunks();
    words.iter().rev().fold(0, |set, word| {
        set << 8 | u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found_wherever_it_stands() {
        for len in 0..200 {
            for step in 1..70 {
                let is_marked = |at: usize| at % step == step - 1;
                let marks = [',', '"', '\n', '\r'];
                let text: String = (0..len)
                    .map(|at| {
                        if is_marked(at) {
                            marks[at / step % 4]
                        } else {
                            'x'
                        }
                    })
                    .collect();
                let expected: Vec<_> = (0..len).filter(|&at| is_marked(at)).collect();
                assert_eq!(Marks::new(&text, b',').collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn bytes_near_a_mark_and_the_filling_are_none() {
        let text: String = (0..128_u8).map(char::from).chain("é¬¢".chars()).collect();
        assert_eq!(Marks::new(&text, 0).collect::<Vec<_>>(), [0, 10, 13, 34]);
        assert_eq!(Marks::new("ab", 0).count(), 0);
    }
}
