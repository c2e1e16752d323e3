//! The arena: all references by hash, in groups of up to sixteen.
//!
//! An entry holds all that a look-up answers, and a group tells which of its entries to read, so
//! that what says which record it is and whose it is comes with one wait for memory.

use crate::directory::cell_count;
use crate::format::{ID_LEN, u16_at, u32_at, u64_at};
use crate::key_hash::KeyHash;
use crate::machine::{equal_bytes, prefetch_far, prefetch_near};

/// Entries of a group at most.
pub(crate) const GROUP_LEN: usize = 16;
/// The fingerprint of a place of a group that holds no entry.
const EMPTY: u8 = 0;
/// Bytes of a group that tell where one of its entries starts.
const START_LEN: usize = size_of::<u16>();
/// Bytes of the longest header: fingerprints, then starts.
const HEADER_LEN_MAX: usize = GROUP_LEN * (1 + START_LEN);
/// Bytes of an entry that tell its source and how long its key is.
const KIND_LEN: usize = 3;
/// Bits of these that number the source.
const SOURCE_BITS: u32 = 13;
const KIND_MAX: u64 = (1 << (8 * KIND_LEN)) - 1;

/// Cache lines that hold a usual group, or all of it but an end.
const GROUP_LINES: usize = 5;
/// The longest arena of which caches may hold a part worth keeping there, in bytes.
const CACHED_LEN_MAX: usize = 64 << 20;

// Source and key length fit; the last entry of a group starts less than 65,536 bytes into it.
const _: () = assert!(sameas_graph::SOURCE_COUNT_MAX <= 1 << SOURCE_BITS);
const _: () = assert!(sameas_graph::KEY_LEN_MAX < 1 << (8 * KIND_LEN as u32 - SOURCE_BITS));
const _: () =
    assert!(HEADER_LEN_MAX + GROUP_LEN * entry_len(4, sameas_graph::KEY_LEN_MAX) <= 1 << 16);

/// Returns how many bytes an entry takes.
const fn entry_len(index_width: usize, key_len: usize) -> usize {
    KIND_LEN + 2 * index_width + ID_LEN + key_len
}

/// Returns the lengths that the arena of so many references can have, shortest and longest: the
/// number of groups depends on the hashes.
pub(crate) fn len_bounds(
    reference_count: u64,
    key_bytes: u64,
    index_width: usize,
) -> Option<(u64, u64)> {
    let group_len = GROUP_LEN as u64;
    let each = (START_LEN + entry_len(index_width, 0)) as u64;
    let entries = each.checked_mul(reference_count)?.checked_add(key_bytes)?;
    // Each cell may end with a group that is not full.
    let fewest = reference_count.div_ceil(group_len);
    let most = reference_count / group_len + cell_count(reference_count).min(reference_count);
    let with_groups = |count: u64| entries.checked_add(count * group_len);
    Some((with_groups(fewest)?, with_groups(most)?))
}

/// What an entry says of its key beside the bytes: source and length.
fn kind(source: u16, key_len: usize) -> u64 {
    u64::from(source) | (key_len as u64) << SOURCE_BITS
}

/// One reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArenaEntry<'a> {
    pub(crate) source: u16,
    pub(crate) key: &'a [u8],
    /// The revision index of the time it joined.
    pub(crate) since: u32,
    /// The revision index of its entity's birth.
    pub(crate) born: u32,
    /// The id of its entity.
    pub(crate) id: [u8; ID_LEN],
}

impl ArenaEntry<'_> {
    /// Appends the entry's bytes.
    fn put(&self, index_width: usize, bytes: &mut Vec<u8>) {
        let index = |index: u32| index.to_le_bytes().into_iter().take(index_width);
        bytes.extend(
            kind(self.source, self.key.len())
                .to_le_bytes()
                .iter()
                .take(KIND_LEN),
        );
        bytes.extend(index(self.since).chain(index(self.born)));
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(self.key);
    }
}

/// Entries that lie together, as they are written.
#[derive(Debug, Default)]
pub(crate) struct GroupBuilder {
    fingerprints: [u8; GROUP_LEN],
    starts: Vec<u16>,
    header: Vec<u8>,
    entries: Vec<u8>,
}

impl GroupBuilder {
    /// Adds an entry; there are at most [`GROUP_LEN`], in order.
    pub(crate) fn push(&mut self, hash: KeyHash, entry: &ArenaEntry<'_>, index_width: usize) {
        if let Some(place) = self.fingerprints.get_mut(self.starts.len()) {
            *place = fingerprint(hash);
        }
        self.starts.push(self.entries.len() as u16);
        entry.put(index_width, &mut self.entries);
    }

    /// Returns how far into the group each entry starts.
    pub(crate) fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        let header_len = header_len(self.starts.len());
        self.starts
            .iter()
            .map(move |&start| u64::from(start) + header_len)
    }

    /// Returns the group's bytes in two parts.
    pub(crate) fn parts(&mut self) -> [&[u8]; 2] {
        let header_len = header_len(self.starts.len()) as u16;
        let starts = self.starts.iter().map(|&start| start + header_len);
        self.header.extend_from_slice(&self.fingerprints);
        self.header.extend(starts.flat_map(u16::to_le_bytes));
        [&self.header, &self.entries]
    }

    /// Empties the group.
    pub(crate) fn clear(&mut self) {
        self.fingerprints = [EMPTY; GROUP_LEN];
        self.starts.clear();
        self.header.clear();
        self.entries.clear();
    }
}

/// Returns how many bytes a group takes beside its entries.
fn header_len(count: usize) -> u64 {
    (GROUP_LEN + count * START_LEN) as u64
}

/// Returns what tells most entries of one group apart, all of whose hashes begin alike.
#[inline]
pub(crate) fn fingerprint(hash: KeyHash) -> u8 {
    (hash.get() as u8).max(EMPTY + 1)
}

/// A group as it lies in the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    offset: u64,
    /// The bytes of the arena from the group on.
    bytes: &'a [u8],
    /// How many entries it has.
    pub(crate) count: usize,
}

impl Group<'_> {
    /// Returns where its first entry starts.
    pub(crate) fn entries_start(self) -> u64 {
        self.offset + header_len(self.count)
    }

    /// Returns the numbers of its entries with this fingerprint.
    pub(crate) fn matches(self, fingerprint: u8) -> impl Iterator<Item = usize> {
        let fingerprints = self.bytes.first_chunk().unwrap_or(&[EMPTY; GROUP_LEN]);
        let mut left = equal_bytes(fingerprints, fingerprint);
        std::iter::from_fn(move || {
            let at = left.trailing_zeros();
            left = left.checked_sub(1)? & left;
            Some(at as usize)
        })
    }

    /// Returns where its n-th entry starts.
    pub(crate) fn start(self, at: usize) -> Option<u64> {
        let start = u16_at(self.bytes, GROUP_LEN + START_LEN * at)?;
        Some(self.offset + u64::from(start))
    }
}

/// A view of the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arena<'a> {
    bytes: &'a [u8],
    index_width: usize,
}

/// One group does not tell, or not by its first match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsure;

/// An entry that a look-up found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) offset: u64,
    pub(crate) since: u32,
    pub(crate) born: u32,
    pub(crate) id: [u8; ID_LEN],
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

    /// Returns how many bytes an entry with this key takes.
    pub(crate) fn entry_len(self, key: &[u8]) -> u64 {
        entry_len(self.index_width, key.len()) as u64
    }

    /// Reads the entry at an offset, or nothing if the arena ends before it does.
    #[inline]
    pub(crate) fn entry(self, offset: u64) -> Option<ArenaEntry<'a>> {
        let bytes = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let kind = u64::from(u32_at(bytes, 0)?) & KIND_MAX;
        let key_len = (kind >> SOURCE_BITS) as usize;
        let id_at = KIND_LEN + 2 * self.index_width;
        Some(ArenaEntry {
            source: kind as u16 & ((1 << SOURCE_BITS) - 1),
            key: bytes.get(id_at + ID_LEN..)?.get(..key_len)?,
            since: self.index(bytes, KIND_LEN)?,
            born: self.index(bytes, KIND_LEN + self.index_width)?,
            id: *bytes.get(id_at..)?.first_chunk()?,
        })
    }

    /// Reads the group at an offset, or nothing if it has no entry or a gap between them.
    pub(crate) fn group(self, offset: u64) -> Option<Group<'a>> {
        let bytes = self.bytes.get(usize::try_from(offset).ok()?..)?;
        let fingerprints: &[u8; GROUP_LEN] = bytes.first_chunk()?;
        let used = equal_bytes(fingerprints, EMPTY) ^ u32::from(u16::MAX);
        let is_filled_from_front = used & (used + 1) == 0;
        (used != 0 && is_filled_from_front).then_some(Group {
            offset,
            bytes,
            count: used.count_ones() as usize,
        })
    }

    /// Returns the entry of a reference, or that there is none, from the first group of its
    /// cell, at an offset: if the entry is the first with its fingerprint, or none has that.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    pub(crate) fn first_match(
        self,
        group: u64,
        hash: KeyHash,
        source: u16,
        key: &[u8],
    ) -> Result<Option<Found>, Unsure> {
        match self.index_width {
            1 => self.first_match_of::<1>(group, hash, source, key),
            2 => self.first_match_of::<2>(group, hash, source, key),
            _ => Err(Unsure),
        }
    }

    /// Does so where a revision index takes so many bytes.
    ///
    /// There is no branch on which of the entries it is, for a branch that waits for memory
    /// and is mispredicted keeps the processor from starting on the next look-up; and there
    /// are few instructions, for those that wait for memory fill its queue.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    fn first_match_of<const INDEX_WIDTH: usize>(
        self,
        group: u64,
        hash: KeyHash,
        source: u16,
        key: &[u8],
    ) -> Result<Option<Found>, Unsure> {
        let bytes = self.bytes.get(group as usize..).ok_or(Unsure)?;
        // Only the last group of the arena may be shorter than that.
        let header: &[u8; HEADER_LEN_MAX] = bytes.first_chunk().ok_or(Unsure)?;
        let fingerprints = header.first_chunk().ok_or(Unsure)?;
        let matches = equal_bytes(fingerprints, fingerprint(hash));
        if matches == 0 {
            // A cell has a second group only if its first one is full.
            let is_full = fingerprints.last() != Some(&EMPTY);
            return if is_full { Err(Unsure) } else { Ok(None) };
        }
        let at = matches.trailing_zeros() as usize % GROUP_LEN;
        let start = u16_at(header, GROUP_LEN + START_LEN * at).ok_or(Unsure)?;
        let start = usize::from(start);
        let entry = entry_if_equal::<INDEX_WIDTH>(bytes, start, source, key);
        let (since, born, id) = entry.ok_or(Unsure)?;
        Ok(Some(Found {
            offset: group + start as u64,
            since,
            born,
            id,
        }))
    }

    /// Asks the processor to fetch all that a usual group takes.
    ///
    /// What is read from a large arena is not read again soon: it is kept from pushing the
    /// directory out of the caches, which saves a tenth to a fifth of a look-up.
    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    pub(crate) fn prefetch_group(self, group: u64) {
        if self.bytes.len() > CACHED_LEN_MAX {
            prefetch_far::<GROUP_LINES>(self.bytes, group as usize);
        } else {
            prefetch_near::<GROUP_LINES>(self.bytes, group as usize);
        }
    }

    /// Asks the processor to fetch an entry with a key of usual length.
    #[inline]
    pub(crate) fn prefetch_entry(self, offset: u64) {
        prefetch_near::<2>(self.bytes, offset as usize);
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

/// Returns what is at the start of an entry, if it is this reference's.
#[expect(
    clippy::inline_always,
    reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
)]
#[inline(always)]
fn entry_if_equal<const INDEX_WIDTH: usize>(
    group: &[u8],
    start: usize,
    source: u16,
    key: &[u8],
) -> Option<(u32, u32, [u8; ID_LEN])> {
    let fixed_len = entry_len(INDEX_WIDTH, 0);
    let entry = group.get(start..start + fixed_len + key.len())?;
    let (fixed, found) = entry.split_at_checked(fixed_len)?;
    let word = u64_at(fixed, 0)?;
    if word & KIND_MAX != kind(source, key.len()) || !is_equal(found, key) {
        return None;
    }
    let index_bits = 8 * INDEX_WIDTH;
    let index = |shift: usize| (word >> shift & ((1 << index_bits) - 1)) as u32;
    let (since, born) = (index(8 * KIND_LEN), index(8 * KIND_LEN + index_bits));
    Some((since, born, *fixed.last_chunk()?))
}

/// Compares two keys of one length, those of usual length without a call.
#[expect(
    clippy::inline_always,
    reason = "a call costs a look-up some nanoseconds"
)]
#[inline(always)]
fn is_equal(a: &[u8], b: &[u8]) -> bool {
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
    let bytes = |key: &[u8]| Some((*key.first()?, *key.get(key.len() / 2)?, *key.last()?));
    // The usual lengths first: each that is passed over costs instructions.
    let len = a.len();
    if (17..=32).contains(&len) {
        double_words(a) == double_words(b)
    } else if (8..=16).contains(&len) {
        words(a) == words(b)
    } else if (4..8).contains(&len) {
        half_words(a) == half_words(b)
    } else if (1..4).contains(&len) {
        bytes(a) == bytes(b)
    } else {
        a == b
    }
}
