//! From a unified id to the members of its entity.

use sameas_graph::{Entity, Revision, UnifiedId};

use super::{Member, Snapshot};
use crate::arena::ArenaEntry;
use crate::error::CorruptError;
use crate::format::Section;

/// Members whose entries are on their way from memory.
const AHEAD: u32 = 8;

/// An active entity and its members.
#[derive(Clone, Copy, Debug)]
pub struct EntityView<'s> {
    snapshot: &'s Snapshot,
    entity: Entity,
    first: u32,
    len: u32,
}

/// One member of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberView<'s> {
    /// The reference, for further questions to the same snapshot.
    pub member: Member,
    /// The name of its source.
    pub source: &'s str,
    /// Its key.
    pub key: &'s str,
    /// Since when it belongs to the entity.
    pub since: Revision,
}

impl Snapshot {
    /// Returns the active entity of this id.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn entity(&self, id: UnifiedId) -> Result<Option<EntityView<'_>>, CorruptError> {
        match self.first_slot(id.uuid().as_bytes())? {
            Some(first) => self.view(first).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the entity that a member belongs to.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn entity_of(&self, member: Member) -> Result<EntityView<'_>, CorruptError> {
        self.view(self.slot_of(member)?)
    }

    /// Returns the source, the key and the membership of a member.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn member(&self, member: Member) -> Result<MemberView<'_>, CorruptError> {
        let offset = member.offset();
        self.member_view(offset, self.entry_at(offset)?)
    }

    pub(super) fn first_of(&self, slot: u32) -> Result<u32, CorruptError> {
        let first = self.marks().last_through(slot);
        first.ok_or_else(|| CorruptError::at(Section::Marks, u64::from(slot), "is in no cluster"))
    }

    /// Returns the slots of the cluster that a slot belongs to.
    pub(super) fn cluster_slots(&self, slot: u32) -> Result<(u32, u32), CorruptError> {
        let first = self.first_of(slot)?;
        Ok((
            first,
            self.marks().next_after(first, self.meta().reference_count),
        ))
    }

    /// Returns the first slot of the cluster that bears an id.
    pub(crate) fn first_slot(&self, id: &[u8]) -> Result<Option<u32>, CorruptError> {
        for slot in self.id_table().candidates(&self.meta().namespace, id) {
            if slot >= self.meta().reference_count || !self.marks().contains(slot) {
                let at = u64::from(slot);
                return Err(CorruptError::at(Section::IdTable, at, "starts no cluster"));
            }
            if self.entry(slot)?.1.id == id {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Returns the entity of a slot.
    fn view(&self, slot: u32) -> Result<EntityView<'_>, CorruptError> {
        let (first, end) = self.cluster_slots(slot)?;
        let entity = self.entity_in(&self.entry(first)?.1)?;
        Ok(EntityView {
            snapshot: self,
            entity,
            first,
            len: end - first,
        })
    }

    pub(super) fn member_view<'s>(
        &'s self,
        offset: u64,
        entry: ArenaEntry<'s>,
    ) -> Result<MemberView<'s>, CorruptError> {
        let key = std::str::from_utf8(entry.key)
            .map_err(|_| CorruptError::at(Section::Arena, offset, "the key is not UTF-8"))?;
        Ok(MemberView {
            member: Member(offset),
            source: self.source_name(entry.source)?,
            key,
            since: self.revision_of(entry.since)?,
        })
    }
}

impl<'s> EntityView<'s> {
    /// Returns id and birth.
    pub fn entity(&self) -> Entity {
        self.entity
    }

    /// Returns how many members there are; at least one.
    pub fn member_count(&self) -> u32 {
        self.len
    }

    /// Returns the members by source and key.
    pub fn members(&self) -> Members<'s> {
        self.members_from(0)
    }

    /// Returns the members by source and key from the n-th on, for paging.
    pub fn members_from(&self, position: u32) -> Members<'s> {
        let members = Members {
            snapshot: self.snapshot,
            next: self.first + position.min(self.len),
            end: self.first + self.len,
        };
        for slot in members.next..members.end.min(members.next.saturating_add(AHEAD)) {
            self.snapshot.ask_for_entry(slot);
        }
        members
    }
}

/// The members of an entity, one after the other.
#[derive(Clone, Debug)]
pub struct Members<'s> {
    snapshot: &'s Snapshot,
    next: u32,
    end: u32,
}

impl<'s> Members<'s> {
    fn read(&mut self) -> Result<MemberView<'s>, CorruptError> {
        let snapshot: &'s Snapshot = self.snapshot;
        if let Some(later) = self.next.checked_add(AHEAD).filter(|&slot| slot < self.end) {
            snapshot.ask_for_entry(later);
        }
        let (offset, entry) = snapshot.entry(self.next)?;
        snapshot.member_view(offset, entry)
    }
}

impl<'s> Iterator for Members<'s> {
    type Item = Result<MemberView<'s>, CorruptError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let member = self.read();
        self.next += 1;
        Some(member)
    }
}
