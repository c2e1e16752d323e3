//! Keys in slot order, each with its slot and source before it.

use crate::format::{ENTRY_HEADER_LEN, u16_at, u32_at};

/// One entry of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaEntry<'a> {
    pub(crate) slot: u32,
    pub(crate) source: u16,
    pub(crate) key: &'a [u8],
}

impl<'a> ArenaEntry<'a> {
    /// Appends an entry to bytes.
    pub(crate) fn encode(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.slot.to_le_bytes());
        bytes.extend_from_slice(&self.source.to_le_bytes());
        bytes.extend_from_slice(&(self.key.len() as u16).to_le_bytes());
        bytes.extend_from_slice(self.key);
    }

    /// Reads the entry at an offset, or nothing if the arena ends before it does.
    #[inline]
    pub(crate) fn decode(arena: &'a [u8], offset: u64) -> Option<Self> {
        let bytes = arena.get(usize::try_from(offset).ok()?..)?;
        let (header, rest) = bytes.split_first_chunk::<ENTRY_HEADER_LEN>()?;
        let len = usize::from(u16_at(header, 6)?);
        Some(Self {
            slot: u32_at(header, 0)?,
            source: u16_at(header, 4)?,
            key: rest.get(..len)?,
        })
    }

    /// Returns how many bytes the entry takes.
    pub(crate) fn len(&self) -> u64 {
        (ENTRY_HEADER_LEN + self.key.len()) as u64
    }
}
