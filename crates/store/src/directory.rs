//! From a hash to where its entries start in the arena: small enough to stay in caches.
//!
//! Cost of a look-up: one line of 32 bytes; all lines together are 2.3 bits an entry, 2.9 MB at
//! ten million references.

use std::ops::Range;

use crate::key_hash::KeyHash;
use crate::machine::prefetch;

/// Entries of a cell on average: few enough that a cell is a group of some cache lines, and as
/// many as keep the directory in caches.
const CELL_LOAD: u64 = 8;
/// Cells of a line.
const CELL_COUNT: usize = 14;
/// Numbers of 16 bits before the distances: the line's base.
const BASE_LANES: usize = 2;
/// Bytes that a base counts in.
const BASE_UNIT: u64 = 256;
/// The first distance that a line cannot tell; it tells this one instead.
const FAR: u16 = u16::MAX;

/// The longest arena: what a base and a position can tell.
pub(crate) const ARENA_LEN_MAX: u64 = (BASE_UNIT << u32::BITS) - 1;

/// Neighbouring cells: a base of 32 bits, the lower 16 first, and how far behind it each of the
/// cells starts; numbers are little endian as they lie in the file.
pub(crate) type Line = [u16; BASE_LANES + CELL_COUNT];

/// Returns how many lines lead to this many entries.
pub(crate) fn line_count(entry_count: u64) -> u64 {
    entry_count.div_ceil(CELL_LOAD * CELL_COUNT as u64).max(1)
}

/// Returns how many cells lead to this many entries.
pub(crate) fn cell_count(entry_count: u64) -> u64 {
    line_count(entry_count) * CELL_COUNT as u64
}

/// A part of all hashes: those of one cell follow those of the cell before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    line: usize,
    /// Its number in the line.
    at: usize,
}

impl Cell {
    /// Returns the cell of a hash where there are so many lines.
    #[inline]
    pub(crate) fn of(hash: KeyHash, line_count: usize) -> Self {
        // The upper half of the product is the line, the lower half how far into it.
        let product = u128::from(hash.get()) * line_count as u128;
        let within = u128::from(product as u64) * CELL_COUNT as u128;
        Self {
            line: (product >> 64) as usize,
            at: (within >> 64) as usize,
        }
    }

    fn after(self) -> Self {
        let Self { line, at } = self;
        if at + 1 == CELL_COUNT {
            Self {
                line: line + 1,
                at: 0,
            }
        } else {
            Self { line, at: at + 1 }
        }
    }
}

/// A directory that is being made from entries in order.
#[derive(Debug)]
pub(crate) struct DirectoryBuilder {
    lines: Vec<Line>,
    /// The first cell of which the start is not known.
    next: Cell,
}

impl DirectoryBuilder {
    /// Starts a directory of this many entries.
    pub(crate) fn new(entry_count: u64) -> Self {
        Self {
            lines: vec![Line::default(); line_count(entry_count) as usize],
            next: Cell { line: 0, at: 0 },
        }
    }

    /// Returns how many lines there will be.
    pub(crate) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Says where the first entry of a cell starts; cells come in order, empty ones not at all.
    pub(crate) fn start(&mut self, cell: Cell, offset: u64) {
        while self.next <= cell && self.put(offset) {}
    }

    /// Returns the lines, now that the arena ends.
    pub(crate) fn finish(mut self, arena_len: u64) -> Vec<Line> {
        while self.put(arena_len) {}
        self.lines
    }

    /// Says where the next cell starts, and returns whether there was one.
    fn put(&mut self, offset: u64) -> bool {
        let Cell { line, at } = self.next;
        let Some(line) = self.lines.get_mut(line) else {
            return false;
        };
        let [low, high, distances @ ..] = line;
        if at == 0 {
            let base = offset / BASE_UNIT;
            (*low, *high) = ((base as u16).to_le(), ((base >> 16) as u16).to_le());
        }
        let base = base_of(*low, *high);
        if let Some(distance) = distances.get_mut(at) {
            *distance = (offset.saturating_sub(base).min(u64::from(FAR)) as u16).to_le();
        }
        self.next = self.next.after();
        true
    }
}

/// A view of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directory<'a> {
    lines: &'a [Line],
}

impl<'a> Directory<'a> {
    /// Looks at these lines.
    #[inline]
    pub(crate) fn new(lines: &'a [Line]) -> Self {
        Self { lines }
    }

    /// Returns the lines as they lie in the file.
    pub(crate) fn lines(self) -> &'a [Line] {
        self.lines
    }

    /// Asks the processor to fetch what tells where a hash's entries start.
    #[inline]
    pub(crate) fn prefetch(self, hash: KeyHash) {
        prefetch(self.lines, Cell::of(hash, self.lines.len()).line);
    }

    /// Returns where the entries of a hash's cell start in the arena, if the directory can tell.
    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    pub(crate) fn start(self, hash: KeyHash) -> Option<u64> {
        self.start_of(Cell::of(hash, self.lines.len()))
    }

    /// Returns a part of an arena of this length in which a hash's entries lie: their cell, or
    /// some cells more where entries are so long that the directory cannot tell.
    pub(crate) fn range(self, hash: KeyHash, arena_len: u64) -> Range<u64> {
        let Cell { line, at } = Cell::of(hash, self.lines.len());
        let mut before = (0..=at).rev();
        let start = before.find_map(|at| self.start_of(Cell { line, at }));
        let end = self.start_of(Cell { line, at }.after());
        let next_line = || self.start_of(Cell { line, at: 0 }.next_line());
        let end = end.or_else(next_line).unwrap_or(arena_len);
        start.unwrap_or(0)..end.min(arena_len)
    }

    #[expect(
        clippy::inline_always,
        reason = "a call costs a look-up some nanoseconds"
    )]
    #[inline(always)]
    fn start_of(self, cell: Cell) -> Option<u64> {
        let [low, high, distances @ ..] = self.lines.get(cell.line)?;
        let distance = u16::from_le(*distances.get(cell.at)?);
        (distance != FAR).then_some(base_of(*low, *high) + u64::from(distance))
    }
}

impl Cell {
    fn next_line(self) -> Self {
        Self {
            line: self.line + 1,
            at: 0,
        }
    }
}

#[inline]
fn base_of(low: u16, high: u16) -> u64 {
    (u64::from(u16::from_le(low)) | u64::from(u16::from_le(high)) << 16) * BASE_UNIT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hashes of 300 entries by cell, spread over all cells but some.
    fn hashes() -> impl Strategy<Value = Vec<KeyHash>> {
        let hash = prop_oneof![any::<u64>(), 0..1_u64 << 60, Just(u64::MAX), Just(0)];
        prop::collection::vec(hash.prop_map(KeyHash::from_number), 300).prop_map(|mut hashes| {
            hashes.sort_unstable();
            hashes
        })
    }

    proptest! {
        /// Entries of up to 2,000 bytes: lines end within 65,535 bytes, or do not.
        #[test]
        fn each_entry_lies_in_the_range_of_its_hash(
            hashes in hashes(),
            len in prop_oneof![1_u64..40, 1_u64..2_000],
            first in prop_oneof![Just(0), 0..ARENA_LEN_MAX - 600_000],
        ) {
            let mut builder = DirectoryBuilder::new(300);
            let starts: Vec<u64> = (0..300).map(|number| first + number * len).collect();
            let mut last = None;
            for (&hash, &start) in hashes.iter().zip(&starts) {
                let cell = Cell::of(hash, 3);
                if last.replace(cell) != Some(cell) {
                    builder.start(cell, start);
                }
            }
            let arena_len = first + 300 * len;
            let lines = builder.finish(arena_len);
            prop_assert_eq!(lines.len(), 3);
            let directory = Directory::new(&lines);
            for (&hash, &start) in hashes.iter().zip(&starts) {
                let range = directory.range(hash, arena_len);
                prop_assert!(range.contains(&start), "{:?} {}", range, start);
                let cell = |hash| Cell::of(hash, 3);
                let of_cell = || hashes.iter().zip(&starts).filter(|(other, _)| cell(**other) == cell(hash));
                let from = *of_cell().map(|(_, start)| start).min().expect("the entry is one");
                // Behind entries of 40 bytes all of a cell's are near.
                prop_assert!(directory.start(hash).is_none_or(|start| start == from));
                prop_assert!(len >= 40 || directory.start(hash) == Some(from));
                if len < 40 {
                    prop_assert_eq!(range, from..from + of_cell().count() as u64 * len);
                }
            }
        }
    }

    #[test]
    fn a_cell_without_entries_is_an_empty_range() {
        let mut builder = DirectoryBuilder::new(1);
        let only = KeyHash::from_number(u64::MAX / 2);
        builder.start(Cell::of(only, 1), 0);
        let lines = builder.finish(30);
        let directory = Directory::new(&lines);
        assert_eq!(directory.range(only, 30), 0..30);
        assert_eq!(directory.range(KeyHash::from_number(0), 30), 0..0);
        assert_eq!(directory.range(KeyHash::from_number(u64::MAX), 30), 30..30);
    }

    #[test]
    fn a_start_at_the_first_distance_that_does_not_fit_is_far() {
        let hash = |at: u64| KeyHash::from_number(u64::MAX / 28 * (2 * at + 1));
        for (distance, expected) in [(65_534, Some(65_534)), (65_535, None), (70_000, None)] {
            let mut builder = DirectoryBuilder::new(2);
            builder.start(Cell::of(hash(0), 1), 0);
            builder.start(Cell::of(hash(3), 1), distance);
            let lines = builder.finish(90_000);
            let directory = Directory::new(&lines);
            assert_eq!(directory.start(hash(3)), expected);
            let from = expected.unwrap_or(0);
            assert_eq!(directory.range(hash(3), 90_000), from..90_000);
        }
    }
}
