//! From a source's name to the source, in so few instructions that a processor which waits for
//! the memory of one look-up already starts on the next.

use super::SourceHandle;

/// Slots for each name, so that most names are found in the first that is looked at.
const SLOTS_EACH: usize = 4;
/// The longest name that its ends tell.
const SHORT_LEN_MAX: usize = 16;
/// An odd number whose product spreads over all bits (the golden ratio's part of 2 to the 64th).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// All sources by name: a table of slots, in which a name has the first slot from that of its
/// hash on that was free.
#[derive(Clone, Debug)]
pub(super) struct SourceNames {
    /// A power of two, of which most are free.
    slots: Box<[Slot]>,
    /// The name in each slot.
    names: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    ends: Ends,
    handle: SourceHandle,
}

impl Slot {
    const FREE: Self = Self {
        ends: Ends {
            first: 0,
            last: 0,
            len: usize::MAX,
        },
        handle: SourceHandle { index: 0, seed: 0 },
    };

    fn is_free(self) -> bool {
        self.ends == Self::FREE.ends
    }
}

impl SourceNames {
    /// Starts a table of this many names at most.
    pub(super) fn with_room_for(count: usize) -> Self {
        let slot_count = (SLOTS_EACH * count.max(1)).next_power_of_two();
        Self {
            slots: vec![Slot::FREE; slot_count].into_boxed_slice(),
            names: vec![Box::default(); slot_count].into_boxed_slice(),
        }
    }

    /// Adds a source whose name is none of those added before.
    pub(super) fn add(&mut self, name: &str, handle: SourceHandle) {
        let ends = Ends::of(name.as_bytes());
        let mut at = ends.hash();
        let is_free = |at| {
            self.slots
                .get(self.index(at))
                .is_none_or(|slot| slot.is_free())
        };
        while !is_free(at) {
            at = at.wrapping_add(1);
        }
        let at = self.index(at);
        if let (Some(slot), Some(own_name)) = (self.slots.get_mut(at), self.names.get_mut(at)) {
            *slot = Slot { ends, handle };
            *own_name = name.into();
        }
    }

    /// Returns the source of this name.
    #[expect(
        clippy::inline_always,
        reason = "a call costs so many instructions that the next look-up starts later: measured"
    )]
    #[inline(always)]
    pub(super) fn find(&self, name: &str) -> Option<SourceHandle> {
        let ends = Ends::of(name.as_bytes());
        let first = self.slots.get(self.index(ends.hash()))?;
        if first.ends == ends && name.len() <= SHORT_LEN_MAX {
            return Some(first.handle);
        }
        let at = self.find_thoroughly(name)?;
        Some(self.slots.get(at)?.handle)
    }

    /// Finds the slot of a name that is long, not in the first slot of its hash, or unknown.
    #[inline(never)]
    fn find_thoroughly(&self, name: &str) -> Option<usize> {
        let ends = Ends::of(name.as_bytes());
        let mut hash = ends.hash();
        loop {
            let at = self.index(hash);
            let slot = self.slots.get(at)?;
            if slot.is_free() {
                return None;
            }
            if slot.ends == ends && **self.names.get(at)? == *name {
                return Some(at);
            }
            hash = hash.wrapping_add(1);
        }
    }

    #[inline]
    fn index(&self, at: u64) -> usize {
        at as usize & (self.slots.len() - 1)
    }
}

/// The first and last bytes of a name and its length, which are all of a short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

impl Ends {
    #[expect(
        clippy::inline_always,
        reason = "a call costs so many instructions that the next look-up starts later: measured"
    )]
    #[inline(always)]
    fn of(name: &[u8]) -> Self {
        let words = || Some((name.first_chunk::<8>()?, name.last_chunk::<8>()?));
        let half_words = || Some((name.first_chunk::<4>()?, name.last_chunk::<4>()?));
        let (first, last) = if let Some((first, last)) = words() {
            (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last))
        } else if let Some((first, last)) = half_words() {
            let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
            (first.into(), last.into())
        } else {
            let byte = |at: usize| name.get(at).copied().unwrap_or_default();
            let inner = u64::from(byte(0)) | u64::from(byte(1)) << 8;
            (inner, byte(2).into())
        };
        let len = name.len();
        Self { first, last, len }
    }

    /// Returns a product, the bits into which all others go first (Fibonacci hashing, Knuth 1973).
    #[expect(
        clippy::inline_always,
        reason = "a call costs so many instructions that the next look-up starts later: measured"
    )]
    #[inline(always)]
    fn hash(self) -> u64 {
        let ends = self.first.wrapping_add(self.last.rotate_left(29)) ^ self.len as u64;
        ends.wrapping_mul(SPREAD).swap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Names of one letter or few, so that many share their ends and their lengths.
    fn names() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[ab]{0,5}|a{0,9}[ab]{3}a{0,9}|[a-zäöü_0-9]{1,40}", 0..60)
    }

    proptest! {
        #[test]
        fn finds_each_name_that_was_added_and_no_other(added in names(), asked in names()) {
            let handle = |index: usize| SourceHandle { index: index as u16, seed: index as u64 };
            let mut known = BTreeMap::new();
            for name in added {
                let next = handle(known.len());
                known.entry(name).or_insert(next);
            }
            let mut table = SourceNames::with_room_for(known.len());
            for (name, &handle) in &known {
                table.add(name, handle);
            }
            for name in known.keys().chain(&asked) {
                prop_assert_eq!(table.find(name), known.get(name).copied());
            }
        }
    }

    #[test]
    fn names_in_a_row_lie_apart() {
        let names: Vec<String> = (0..4_096)
            .map(|number| format!("region_{number:04}_shop"))
            .collect();
        let mut table = SourceNames::with_room_for(names.len());
        for name in &names {
            table.add(name, SourceHandle { index: 0, seed: 0 });
        }
        let used = table
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| !slot.is_free());
        let distance =
            |(at, slot): (usize, &Slot)| table.index((at as u64).wrapping_sub(slot.ends.hash()));
        let farthest = used.map(distance).max();
        assert!(farthest < Some(64), "{farthest:?}");
    }
}
