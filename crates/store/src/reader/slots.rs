//! From slots to arena entries, and back.

use sameas_graph::{Entity, Revision, UnifiedId};
use uuid::Uuid;

use super::{Member, Snapshot};
use crate::arena::{ArenaEntry, ClusterHead};
use crate::error::CorruptError;
use crate::format::{SAMPLE_STEP, Section};

/// A reference met on a walk through the arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'s> {
    pub(crate) slot: u32,
    pub(crate) offset: u64,
    pub(crate) entry: ArenaEntry<'s>,
    /// Where its cluster starts.
    pub(crate) start: u64,
    pub(crate) head: ClusterHead,
}

/// All references in slot order; ends after the first error.
#[derive(Clone, Debug)]
pub(crate) struct Walk<'s> {
    snapshot: &'s Snapshot,
    slot: u32,
    offset: u64,
    cluster: Option<(u64, ClusterHead)>,
}

impl<'s> Walk<'s> {
    fn step(&mut self) -> Result<Step<'s>, CorruptError> {
        let snapshot: &'s Snapshot = self.snapshot;
        let arena = snapshot.arena();
        let corrupt = |what| CorruptError::at(Section::Arena, u64::from(self.slot), what);
        if snapshot.marks().contains(self.slot) {
            let head = arena
                .head(self.offset)
                .ok_or_else(|| corrupt("ends early"))?;
            self.cluster = Some((self.offset, head));
            self.offset += arena.head_len();
        }
        let (start, head) = self.cluster.ok_or_else(|| corrupt("is in no cluster"))?;
        let entry = arena
            .entry(self.offset)
            .ok_or_else(|| corrupt("ends early"))?;
        Ok(Step {
            slot: self.slot,
            offset: self.offset,
            entry,
            start,
            head,
        })
    }
}

impl<'s> Iterator for Walk<'s> {
    type Item = Result<Step<'s>, CorruptError>;

    fn next(&mut self) -> Option<Self::Item> {
        let count = self.snapshot.meta().reference_count;
        if self.slot >= count {
            return None;
        }
        let step = self.step();
        match &step {
            Ok(step) => {
                self.slot += 1;
                self.offset += step.entry.len;
            }
            Err(_) => self.slot = count,
        }
        Some(step)
    }
}

impl Snapshot {
    /// Returns all references in slot order.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk {
            snapshot: self,
            slot: 0,
            offset: 0,
            cluster: None,
        }
    }

    /// Returns where a slot's arena entry starts, and the entry.
    pub(crate) fn entry(&self, slot: u32) -> Result<(u64, ArenaEntry<'_>), CorruptError> {
        let corrupt = |what| CorruptError::at(Section::Arena, u64::from(slot), what);
        let sample = self
            .inner
            .hot
            .arena_samples
            .get((slot / SAMPLE_STEP) as usize);
        let mut offset = u64::from_le(*sample.ok_or_else(|| corrupt("has no sample"))?);
        for before in slot - slot % SAMPLE_STEP..slot {
            offset = self.next_offset(before, offset)?;
        }
        Ok((offset, self.entry_at(offset)?))
    }

    /// Returns the arena entry at an offset.
    pub(crate) fn entry_at(&self, offset: u64) -> Result<ArenaEntry<'_>, CorruptError> {
        self.arena().entry(offset).ok_or_else(|| ends_early(offset))
    }

    /// Returns where the entry after a slot's entry starts.
    #[inline]
    fn next_offset(&self, slot: u32, offset: u64) -> Result<u64, CorruptError> {
        let len = self.arena().entry_len(offset);
        let after = offset + len.ok_or_else(|| ends_early(offset))?;
        // Without a branch, which would be mispredicted every other time.
        let is_start = self.marks().contains(slot.saturating_add(1));
        Ok(after + u64::from(is_start) * self.arena().head_len())
    }

    /// Returns the member of a slot.
    pub(crate) fn member_at(&self, slot: u32) -> Result<Member, CorruptError> {
        Ok(Member(self.entry(slot)?.0))
    }

    /// Returns the slot of a member.
    pub(crate) fn slot_of(&self, member: Member) -> Result<u32, CorruptError> {
        let target = member.offset();
        let unknown = || CorruptError::at(Section::ArenaSamples, target, "leads to no reference");
        let samples = &self.inner.hot.arena_samples;
        let after = samples.partition_point(|&sample| u64::from_le(sample) <= target);
        let sample = after.checked_sub(1).ok_or_else(unknown)?;
        let mut offset = samples.get(sample).copied().map_or(0, u64::from_le);
        let first = u32::try_from(sample as u64 * u64::from(SAMPLE_STEP)).map_err(|_| unknown())?;
        let end = self
            .meta()
            .reference_count
            .min(first.saturating_add(SAMPLE_STEP));
        for slot in first..end {
            if offset == target {
                return Ok(slot);
            }
            offset = self.next_offset(slot, offset)?;
        }
        Err(unknown())
    }

    /// Returns the entity that the arena entry at an offset belongs to.
    pub(super) fn entity_at(
        &self,
        offset: u64,
        entry: &ArenaEntry<'_>,
    ) -> Result<Entity, CorruptError> {
        let start = if let Some(back) = entry.back {
            offset.checked_sub(back)
        } else {
            let first = self.first_of(self.slot_of(Member(offset))?)?;
            self.entry(first)?.0.checked_sub(self.arena().head_len())
        };
        let head = start.and_then(|start| self.arena().head(start));
        self.headed_entity(&head.ok_or_else(|| {
            CorruptError::at(Section::Arena, offset, "its cluster starts nowhere")
        })?)
    }

    /// Returns the entity at the start of a cluster.
    #[inline]
    pub(super) fn headed_entity(&self, head: &ClusterHead) -> Result<Entity, CorruptError> {
        Ok(Entity {
            id: UnifiedId::new(Uuid::from_bytes(head.id)),
            born: self.revision_of(head.born)?,
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

#[cold]
fn ends_early(offset: u64) -> CorruptError {
    CorruptError::at(Section::Arena, offset, "ends behind the keys")
}
