//! The arena: cluster after cluster, each its entity and then its references in slot order.
//!
//! An entity lies beside its references so that a look-up that has read a key has the answer,
//! too: what says which record it is and whose it is comes with one wait for memory.

use crate::format::{ID_LEN, u16_at, u32_at, u64_at};

/// Bytes of an entry before its revision index and its key.
pub(crate) const ENTRY_HEADER_LEN: usize = 5;
/// Bits of an entry's header that tell how far before it its cluster starts.
const BACK_BITS: u32 = 16;
/// The first distance that an entry cannot tell; it tells this one instead.
pub(crate) const BACK_MAX: u64 = (1 << BACK_BITS) - 1;
/// Bits of an entry's header that number its source.
const SOURCE_BITS: u32 = 13;
/// Bits of an entry's header that say which kind of key follows.
const KIND_BITS: u32 = 8 * ENTRY_HEADER_LEN as u32 - BACK_BITS;
const KIND_MAX: u64 = (1 << KIND_BITS) - 1;

/// The most bytes that a reference adds beside its key: its header, a cluster's id, and twice
/// a revision index.
pub(crate) const LEN_BESIDE_KEY_MAX: usize = ENTRY_HEADER_LEN + ID_LEN + 2 * size_of::<u32>();

// Source and key length fit beside the distance.
const _: () = assert!(sameas_graph::SOURCE_COUNT_MAX <= 1 << SOURCE_BITS);
const _: () = assert!(sameas_graph::KEY_LEN_MAX < 1 << (KIND_BITS - SOURCE_BITS));

/// What an entry says of its key beside the bytes: source and length.
fn kind(source: u16, key_len: usize) -> u64 {
    u64::from(source) | (key_len as u64) << SOURCE_BITS
}

/// Returns the header of an entry that lies `back` bytes behind the start of its cluster.
pub(crate) fn entry_header(source: u16, key_len: usize, back: u64) -> [u8; ENTRY_HEADER_LEN] {
    let number = back.min(BACK_MAX) | kind(source, key_len) << BACK_BITS;
    let mut header = [0; ENTRY_HEADER_LEN];
    for (byte, bits) in header.iter_mut().zip(number.to_le_bytes()) {
        *byte = bits;
    }
    header
}

/// One reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaEntry<'a> {
    pub(crate) source: u16,
    pub(crate) key: &'a [u8],
    /// How many bytes before the entry its cluster starts, if it is near enough to tell.
    pub(crate) back: Option<u64>,
    /// The revision index of the time it joined.
    pub(crate) since: u32,
    /// How many bytes the entry takes.
    pub(crate) len: u64,
}

/// The start of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClusterHead {
    pub(crate) id: [u8; ID_LEN],
    /// The revision index of the entity's birth.
    pub(crate) born: u32,
}

/// A view of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arena<'a> {
    bytes: &'a [u8],
    index_width: usize,
}

impl<'a> Arena<'a> {
    /// Looks at these bytes, in which a revision index takes so many.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], index_width: usize) -> Self {
        Self { bytes, index_width }
    }

    /// Returns how many bytes there are.
    pub(crate) fn len(self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns how many bytes a cluster takes beside its entries.
    #[inline]
    pub(crate) fn head_len(self) -> u64 {
        (ID_LEN + self.index_width) as u64
    }

    /// Reads the entry at an offset, or nothing if the arena ends before it does.
    #[inline]
    pub(crate) fn entry(self, offset: u64) -> Option<ArenaEntry<'a>> {
        let bytes = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let word = header_word(bytes)?;
        let key_len = (word >> (BACK_BITS + SOURCE_BITS)) as usize;
        let start = ENTRY_HEADER_LEN + self.index_width;
        let back = word & BACK_MAX;
        Some(ArenaEntry {
            source: (word >> BACK_BITS) as u16 & ((1 << SOURCE_BITS) - 1),
            key: bytes.get(start..start + key_len)?,
            back: (back < BACK_MAX).then_some(back),
            since: self.index(bytes, ENTRY_HEADER_LEN)?,
            len: (start + key_len) as u64,
        })
    }

    /// Returns how many bytes the entry at an offset takes, or nothing if none starts there.
    #[inline]
    pub(crate) fn entry_len(self, offset: u64) -> Option<u64> {
        let bytes = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let key_len = header_word(bytes)? >> (BACK_BITS + SOURCE_BITS);
        Some((ENTRY_HEADER_LEN + self.index_width) as u64 + key_len)
    }

    /// Reads the start of a cluster at an offset, or nothing if the arena ends before it does.
    #[inline]
    pub(crate) fn head(self, offset: u64) -> Option<ClusterHead> {
        let bytes = self.bytes.get(usize::try_from(offset).ok()?..)?;
        Some(ClusterHead {
            id: *bytes.first_chunk::<ID_LEN>()?,
            born: self.index(bytes, ID_LEN)?,
        })
    }

    /// Returns the start of the cluster and the time of joining of the entry at an offset, if
    /// it is this reference's, not far from the start, and revision indices are short.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    pub(crate) fn head_if_equal(
        self,
        offset: u64,
        source: u16,
        key: &[u8],
    ) -> Option<(ClusterHead, u32)> {
        let index_mask = match self.index_width {
            1 => u64::from(u8::MAX),
            2 => u64::from(u16::MAX),
            _ => return None,
        };
        let offset = usize::try_from(offset).ok()?;
        let word = u64_at(self.bytes, offset)?;
        let back = word & BACK_MAX;
        if (word >> BACK_BITS) & KIND_MAX != kind(source, key.len()) || back == BACK_MAX {
            return None;
        }
        let end = offset + ENTRY_HEADER_LEN + self.index_width + key.len();
        let cluster = self.bytes.get(offset.checked_sub(back as usize)?..end)?;
        let found = cluster.get(cluster.len().checked_sub(key.len())?..)?;
        if !is_equal(found, key) {
            return None;
        }
        // Behind the id come its birth, a byte or two, and an entry of at least six.
        let head: &[u8; ID_LEN + 8] = cluster.first_chunk()?;
        let head = ClusterHead {
            id: *head.first_chunk()?,
            born: (u64_at(head, ID_LEN)? & index_mask) as u32,
        };
        let since = word >> (8 * ENTRY_HEADER_LEN) & index_mask;
        Some((head, since as u32))
    }

    /// Returns the bytes, to ask the processor for some.
    #[inline]
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    fn index(self, bytes: &[u8], at: usize) -> Option<u32> {
        match self.index_width {
            1 => bytes.get(at).copied().map(u32::from),
            2 => u16_at(bytes, at).map(u32::from),
            _ => u32_at(bytes, at),
        }
    }
}

#[inline]
fn header_word(bytes: &[u8]) -> Option<u64> {
    let &[low @ .., high] = bytes.first_chunk::<ENTRY_HEADER_LEN>()?;
    Some(u64::from(u32::from_le_bytes(low)) | u64::from(high) << 32)
}

/// Compares two keys of one length, those of usual length without a call.
#[expect(
    clippy::inline_always,
    reason = "a call costs a look-up some nanoseconds"
)]
#[inline(always)]
pub(crate) fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let half_words = |key: &[u8]| {
        let (first, last) = (key.first_chunk::<4>()?, key.last_chunk::<4>()?);
        Some((u32::from_ne_bytes(*first), u32::from_ne_bytes(*last)))
    };
    let words = |key: &[u8]| {
        let (first, last) = (key.first_chunk::<8>()?, key.last_chunk::<8>()?);
        Some((u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)))
    };
    let double_words = |key: &[u8]| {
        let (first, last) = (key.first_chunk::<16>()?, key.last_chunk::<16>()?);
        Some((u128::from_ne_bytes(*first), u128::from_ne_bytes(*last)))
    };
    match a.len() {
        4..8 => half_words(a) == half_words(b),
        8..=16 => words(a) == words(b),
        17..=32 => double_words(a) == double_words(b),
        _ => a == b,
    }
}
