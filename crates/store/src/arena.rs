//! Keys in slot order, each with its source before it.

use crate::format::{ENTRY_HEADER_LEN, u16_at};

/// One entry of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaEntry<'a> {
    pub(crate) source: u16,
    pub(crate) key: &'a [u8],
}

impl<'a> ArenaEntry<'a> {
    /// Returns the bytes before the key.
    pub(crate) fn header(self) -> [u8; ENTRY_HEADER_LEN] {
        let ([a, b], [c, d]) = (
            self.source.to_le_bytes(),
            (self.key.len() as u16).to_le_bytes(),
        );
        [a, b, c, d]
    }

    /// Reads the entry at an offset, or nothing if the arena ends before it does.
    #[inline]
    pub(crate) fn decode(arena: &'a [u8], offset: u64) -> Option<Self> {
        let bytes = arena.get(usize::try_from(offset).ok()?..)?;
        let (header, rest) = bytes.split_first_chunk::<ENTRY_HEADER_LEN>()?;
        let len = usize::from(u16_at(header, 2)?);
        Some(Self {
            source: u16_at(header, 0)?,
            key: rest.get(..len)?,
        })
    }

    /// Returns how many bytes the entry takes.
    pub(crate) fn len(&self) -> u64 {
        (ENTRY_HEADER_LEN + self.key.len()) as u64
    }
}
