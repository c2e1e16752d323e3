//! From slots to arena entries, and back.

use sameas_graph::{Entity, Revision, UnifiedId};
use uuid::Uuid;

use super::{Member, Snapshot};
use crate::arena::ArenaEntry;
use crate::error::CorruptError;
use crate::format::{ID_LEN, Section};
use crate::machine::prefetch;
use crate::positions::decode;

/// References of a walk whose entries are on their way from memory.
const AHEAD: u32 = 16;

/// A reference met on a walk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'s> {
    pub(crate) slot: u32,
    pub(crate) offset: u64,
    pub(crate) entry: ArenaEntry<'s>,
}

/// What a walk follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkOrder {
    /// Cluster after cluster.
    Slots,
    /// Nodes, which ascend by source and key.
    Nodes,
}

/// All references in some order; ends after the first error.
///
/// Entries lie in the order of hashes, so each is asked for some steps before it is read.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'s> {
    snapshot: &'s Snapshot,
    order: WalkOrder,
    next: u32,
}

impl<'s> Walk<'s> {
    /// Returns how many references are left.
    pub(crate) fn left(&self) -> u32 {
        self.snapshot.meta().reference_count - self.next
    }

    fn slot(&self, number: u32) -> Result<u32, CorruptError> {
        match self.order {
            WalkOrder::Slots => Ok(number),
            WalkOrder::Nodes => self.snapshot.slot_of_node(number),
        }
    }

    fn step(&self) -> Result<Step<'s>, CorruptError> {
        let snapshot: &'s Snapshot = self.snapshot;
        self.ask_ahead();
        let slot = self.slot(self.next)?;
        let (offset, entry) = snapshot.entry(slot)?;
        Ok(Step {
            slot,
            offset,
            entry,
        })
    }

    /// Asks the processor for a position that is needed later, and for an entry that is needed
    /// sooner.
    fn ask_ahead(&self) {
        let later = |steps| self.next.checked_add(steps).map(|number| self.slot(number));
        if let Some(Ok(slot)) = later(2 * AHEAD) {
            prefetch(&self.snapshot.inner.hot.positions, slot as usize);
        }
        if let Some(Ok(slot)) = later(AHEAD) {
            self.snapshot.ask_for_entry(slot);
        }
    }
}

impl<'s> Iterator for Walk<'s> {
    type Item = Result<Step<'s>, CorruptError>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.snapshot.meta().reference_count;
        if self.next >= count {
            return None;
        }
        let step = self.step();
        self.next = if step.is_ok() { self.next + 1 } else { count };
        Some(step)
    }
}

impl Snapshot {
    /// Returns all references in some order.
    pub(crate) fn walk(&self, order: WalkOrder) -> Walk<'_> {
        Walk {
            snapshot: self,
            order,
            next: 0,
        }
    }

    /// Returns where a slot's arena entry starts, and the entry.
    pub(crate) fn entry(&self, slot: u32) -> Result<(u64, ArenaEntry<'_>), CorruptError> {
        let offset = self.position(slot).ok_or_else(|| {
            CorruptError::at(Section::Positions, u64::from(slot), "has no position")
        })?;
        Ok((offset, self.entry_at(offset)?))
    }

    /// Asks the processor to fetch a slot's arena entry.
    #[inline]
    pub(super) fn ask_for_entry(&self, slot: u32) {
        if let Some(offset) = self.position(slot) {
            self.arena().prefetch_entry(offset);
        }
    }

    #[inline]
    fn position(&self, slot: u32) -> Option<u64> {
        let position = self.inner.hot.positions.get(slot as usize)?;
        Some(decode(*position))
    }

    /// Returns the arena entry at an offset.
    pub(crate) fn entry_at(&self, offset: u64) -> Result<ArenaEntry<'_>, CorruptError> {
        self.arena()
            .entry(offset)
            .ok_or_else(|| CorruptError::at(Section::Arena, offset, "no entry starts here"))
    }

    /// Returns the member of a slot.
    pub(crate) fn member_at(&self, slot: u32) -> Result<Member, CorruptError> {
        Ok(Member(self.entry(slot)?.0))
    }

    /// Returns the slot of a member, by a binary search in its cluster.
    pub(crate) fn slot_of(&self, member: Member) -> Result<u32, CorruptError> {
        let unknown = || CorruptError::at(Section::Positions, member.offset(), "is of no slot");
        let entry = self.entry_at(member.offset())?;
        let first = self.first_slot(&entry.id)?.ok_or_else(unknown)?;
        let (mut low, mut high) = self.cluster_slots(first)?;
        while low < high {
            let middle = low + (high - low) / 2;
            let (offset, other) = self.entry(middle)?;
            if offset == member.offset() {
                return Ok(middle);
            }
            // Slots of one cluster ascend by source and key.
            if (other.source, other.key) < (entry.source, entry.key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Err(unknown())
    }

    /// Returns the entity that an entry belongs to.
    #[inline]
    pub(super) fn entity_in(&self, entry: &ArenaEntry<'_>) -> Result<Entity, CorruptError> {
        Ok(Entity {
            id: unified_id(entry.id),
            born: self.revision_of(entry.born)?,
        })
    }

    /// Returns the revision of an index.
    #[inline]
    pub(super) fn revision_of(&self, index: u32) -> Result<Revision, CorruptError> {
        self.numbered_revision(index)
            .ok_or_else(|| CorruptError::at(Section::Revisions, u64::from(index), "does not exist"))
    }

    /// Returns the number of a slot's cluster.
    #[inline]
    pub(crate) fn cluster_of(&self, slot: u32) -> Result<u32, CorruptError> {
        let rank = self.marks().rank(slot).and_then(|rank| rank.checked_sub(1));
        rank.ok_or_else(|| CorruptError::at(Section::Marks, u64::from(slot), "is in no cluster"))
    }
}

#[inline]
pub(super) fn unified_id(bytes: [u8; ID_LEN]) -> UnifiedId {
    UnifiedId::new(Uuid::from_bytes(bytes))
}
