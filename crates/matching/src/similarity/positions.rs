//! Where each character occurs in a short value, as a bit mask.
#![expect(
    clippy::inline_always,
    reason = "only what is inlined into a function with a processor's features is compiled for them"
)]

use super::KERNEL_LEN_MAX;

/// Tells the positions at which a byte occurs: bit `i` is set for position `i`.
pub(super) trait Positions<T = u8> {
    /// Returns the positions of one character; bits past the end of the value are unspecified.
    fn of(&self, character: T) -> u64;
}

const LOW_BITS: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
pub(super) const SEVEN_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
/// Multiplying by this gathers the lowest bit of each byte in the topmost byte, in order.
pub(super) const GATHER: u64 = 0x0102_0408_1020_4080;

/// Eight bytes side by side in a word; shorter values are padded with zeros.
#[derive(Clone, Copy)]
pub(super) struct Word(pub(super) u64);

impl Word {
    /// Packs a value of at most eight bytes at the end of the word, after zeros.
    #[inline(always)]
    pub(super) fn at_end(value: &[u8]) -> Self {
        // A shift takes its bits modulo 64.
        let beyond = (8 * value.len() as u32).wrapping_neg();
        if let (Some(head), Some(tail)) = (value.first_chunk::<4>(), value.last_chunk::<4>()) {
            let head = u64::from(u32::from_le_bytes(*head)).wrapping_shl(beyond);
            return Self(head | u64::from(u32::from_le_bytes(*tail)) << 32);
        }
        Self(few(value).wrapping_shl(beyond))
    }

    /// Packs a value of at most eight bytes.
    #[inline(always)]
    pub(super) fn new(value: &[u8]) -> Self {
        debug_assert!(value.len() <= 8);
        if let (Some(head), Some(tail)) = (value.first_chunk::<4>(), value.last_chunk::<4>()) {
            // Two reads that overlap; where they do, both hold the same bytes.
            let tail_shift = 8 * (value.len() as u32 - 4);
            let head = u64::from(u32::from_le_bytes(*head));
            return Self(head | u64::from(u32::from_le_bytes(*tail)) << tail_shift);
        }
        Self(few(value))
    }
}

/// Packs at most three bytes, without a jump that depends on how many; two may be the same.
#[inline(always)]
fn few(value: &[u8]) -> u64 {
    let [Some(first), Some(last)] = [value.first(), value.last()] else {
        return 0;
    };
    let middle = value.len() / 2;
    u64::from(*first)
        | u64::from(value[middle]) << (8 * middle)
        | u64::from(*last) << (8 * (value.len() - 1))
}

impl Positions for Word {
    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        // All bytes are below 0x80, so adding 0x7f carries into the high bit unless a byte is zero.
        let difference = self.0 ^ (LOW_BITS * u64::from(byte));
        let equal = !(difference + SEVEN_BITS) & HIGH_BITS;
        (equal >> 7).wrapping_mul(GATHER) >> 56
    }
}

/// Up to sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct WordPair(Word, Word);

impl WordPair {
    /// Packs a value of nine to sixteen bytes.
    #[inline(always)]
    pub(super) fn new(value: &[u8]) -> Self {
        let (head, tail) = value.split_at(8);
        Self(Word::new(head), Word::new(tail))
    }
}

impl Positions for WordPair {
    #[inline(always)]
    fn of(&self, byte: u8) -> u64 {
        self.0.of(byte) | self.1.of(byte) << 8
    }
}

/// Up to sixty-four bytes: one mask for each ASCII byte.
pub(super) struct Table([u64; 128]);

impl Table {
    /// Notes every position of a value.
    #[inline]
    pub(super) fn new(value: &[u8]) -> Self {
        debug_assert!(value.len() <= KERNEL_LEN_MAX);
        let mut masks = [0; 128];
        for (position, byte) in value.iter().enumerate() {
            masks[usize::from(byte & 0x7f)] |= 1 << position;
        }
        Self(masks)
    }
}

impl Positions for Table {
    #[inline]
    fn of(&self, byte: u8) -> u64 {
        self.0[usize::from(byte & 0x7f)]
    }
}

/// Up to sixty-four characters of any script, compared eight at a time.
pub(super) struct Letters<'v>(pub(super) &'v [[u32; LANES]]);

/// Characters that are compared at a time.
pub(super) const LANES: usize = 8;

impl Positions<u32> for Letters<'_> {
    #[inline(always)]
    fn of(&self, character: u32) -> u64 {
        self.0.iter().rev().fold(0, |mask, lanes| {
            let equal = lanes.iter().enumerate();
            let equal = equal.fold(0_u32, |equal, (lane, &other)| {
                equal | u32::from(other == character) << lane
            });
            mask << LANES | u64::from(equal)
        })
    }
}

/// The characters of a value, in stack memory for so many times eight.
pub(super) struct Decoded<const TIMES: usize> {
    lanes: [[u32; LANES]; TIMES],
    len: usize,
}

/// Bytes, and so characters, of values for which little memory is enough.
pub(super) const FEW: usize = 2 * LANES;

impl<const TIMES: usize> Decoded<TIMES> {
    /// Reads the characters, if they are few enough.
    #[inline(always)]
    pub(super) fn new(value: &str) -> Option<Self> {
        let mut decoded = Self {
            lanes: [[0; LANES]; TIMES],
            len: 0,
        };
        if value.len() > 4 * LANES * TIMES {
            return None;
        }
        for character in value.chars() {
            *decoded.lanes.as_flattened_mut().get_mut(decoded.len)? = character as u32;
            decoded.len += 1;
        }
        Some(decoded)
    }

    /// Returns the characters.
    #[inline(always)]
    pub(super) fn characters(&self) -> &[u32] {
        &self.lanes.as_flattened()[..self.len]
    }

    /// Returns where each occurs.
    #[inline(always)]
    pub(super) fn positions(&self) -> Letters<'_> {
        Letters(&self.lanes[..self.len.div_ceil(LANES)])
    }
}

/// Returns the mask of the positions below `len`, at most 64.
#[inline(always)]
pub(super) fn below(len: usize) -> u64 {
    if len >= KERNEL_LEN_MAX {
        u64::MAX
    } else {
        (1 << len) - 1
    }
}
