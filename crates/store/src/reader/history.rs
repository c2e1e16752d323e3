//! What became of ids, and where references were before.

use std::cmp::Ordering;

use sameas_graph::{
    EntityState, LineageEvent, LineageKind, PastMembership, Revision, UnifiedId, current_ids,
    entity_as_of,
};
use uuid::Uuid;

use super::Snapshot;
use crate::error::CorruptError;
use crate::format::{ID_LEN, LINEAGE_LEN, PAST_KEYS_LEN_MAX, PAST_LEN, Section, u32_at, u64_at};

/// One entry of `past`, its texts in place.
struct PastEntry<'s> {
    source: &'s str,
    key: &'s str,
    bytes: &'s [u8; PAST_LEN],
}

impl Snapshot {
    /// Returns all that happened to an id, oldest first, its birth included; nothing if the
    /// graph never issued it.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn history(&self, id: UnifiedId) -> Result<Option<Vec<LineageEvent>>, CorruptError> {
        let mut events = self.recorded_history(id)?;
        let is_born = events.iter().any(|event| event.kind == LineageKind::Born);
        if !is_born && let Some(view) = self.entity(id)? {
            let born = view.entity().born;
            events.insert(
                0,
                LineageEvent {
                    entity: id,
                    revision: born,
                    kind: LineageKind::Born,
                },
            );
        }
        Ok(Some(events).filter(|events| !events.is_empty()))
    }

    /// Returns what has become of an id.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn state_of(&self, id: UnifiedId) -> Result<EntityState, CorruptError> {
        if self.first_slot(id.uuid().as_bytes())?.is_some() {
            return Ok(EntityState::Active);
        }
        let events = self.recorded_history(id)?;
        Ok(EntityState::after(&events).unwrap_or(EntityState::Unknown))
    }

    /// Returns the active entities that an id leads to, ascending: itself if it is active,
    /// else wherever its references went.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn current_ids(&self, id: UnifiedId) -> Result<Vec<UnifiedId>, CorruptError> {
        let mut failure = None;
        let ids = current_ids(id, |id| {
            self.state_of(id).unwrap_or_else(|error| {
                failure = Some(error);
                EntityState::Unknown
            })
        });
        failure.map_or(Ok(ids), Err)
    }

    /// Returns the memberships of a reference that have ended, oldest first.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn past_memberships(
        &self,
        source: &str,
        key: &str,
    ) -> Result<Vec<PastMembership>, CorruptError> {
        let (mut low, mut high) = (0, self.past_count());
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.past_entry(middle)?;
            if (entry.source, entry.key).cmp(&(source, key)) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        for index in low..self.past_count() {
            let entry = self.past_entry(index)?;
            if (entry.source, entry.key) != (source, key) {
                break;
            }
            found.push(self.membership(index, &entry)?);
        }
        Ok(found)
    }

    /// Returns the entity that a reference belonged to in a revision; later revisions than
    /// this snapshot's are answered as this one's.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn entity_as_of(
        &self,
        source: &str,
        key: &str,
        revision: Revision,
    ) -> Result<Option<UnifiedId>, CorruptError> {
        let located = self.lookup(source, key)?;
        let current = located.map(|located| (located.entity.id, located.since));
        let past = self.past_memberships(source, key)?;
        Ok(entity_as_of(&past, current, revision))
    }

    pub(crate) fn past_count(&self) -> usize {
        self.bytes(Section::Past).len() / PAST_LEN
    }

    pub(crate) fn past_membership(&self, index: usize) -> Result<PastMembership, CorruptError> {
        self.membership(index, &self.past_entry(index)?)
    }

    fn past_entry(&self, index: usize) -> Result<PastEntry<'_>, CorruptError> {
        let decode = || {
            let entries = self.bytes(Section::Past).as_chunks::<PAST_LEN>().0;
            let bytes = entries.get(index)?;
            let word = u64_at(bytes, 0)?;
            let from = (word & (PAST_KEYS_LEN_MAX - 1)) as usize;
            let len = (word >> 53) as usize;
            let key = self
                .bytes(Section::PastKeys)
                .get(from..from.checked_add(len)?)?;
            let source = self.past_sources().get((word >> 40) as usize & 0x1fff)?;
            Some(PastEntry {
                source,
                key: std::str::from_utf8(key).ok()?,
                bytes,
            })
        };
        decode().ok_or_else(|| {
            CorruptError::at(
                Section::Past,
                index as u64,
                "its source or key does not exist",
            )
        })
    }

    fn membership(
        &self,
        index: usize,
        entry: &PastEntry<'_>,
    ) -> Result<PastMembership, CorruptError> {
        let revision = |at| u32_at(entry.bytes, at).and_then(|i| self.numbered_revision(i));
        let decode = || {
            Some(PastMembership {
                source: entry.source.to_owned(),
                key: entry.key.to_owned(),
                ended: revision(8)?,
                began: revision(12)?,
                entity: id_at(entry.bytes, 16)?,
            })
        };
        decode().ok_or_else(|| {
            CorruptError::at(Section::Past, index as u64, "its revisions do not exist")
        })
    }

    pub(crate) fn lineage_count(&self) -> usize {
        self.bytes(Section::Lineage).len() / LINEAGE_LEN
    }

    fn recorded_history(&self, id: UnifiedId) -> Result<Vec<LineageEvent>, CorruptError> {
        let entries = self.bytes(Section::Lineage).as_chunks::<LINEAGE_LEN>().0;
        let entity = |entry: &[u8; LINEAGE_LEN]| id_at(entry, 0);
        let from = entries.partition_point(|entry| entity(entry) < Some(id));
        let is_wanted = |entry: &&[u8; LINEAGE_LEN]| entity(entry) == Some(id);
        let count = entries.iter().skip(from).take_while(is_wanted).count();
        (from..from + count)
            .map(|index| self.lineage_event(index))
            .collect()
    }

    pub(crate) fn lineage_event(&self, index: usize) -> Result<LineageEvent, CorruptError> {
        self.decode_event(index).ok_or_else(|| {
            CorruptError::at(Section::Lineage, index as u64, "an event cannot be decoded")
        })
    }

    fn decode_event(&self, index: usize) -> Option<LineageEvent> {
        let entries = self.bytes(Section::Lineage).as_chunks::<LINEAGE_LEN>().0;
        let entry = entries.get(index)?;
        let from = match index.checked_sub(1) {
            Some(before) => u32_at(entries.get(before)?, 28)?,
            None => 0,
        };
        let targets = self.bytes(Section::LineageTargets).as_chunks::<ID_LEN>().0;
        let targets = targets.get(from as usize..u32_at(entry, 28)? as usize)?;
        let mut into = targets
            .iter()
            .map(|&id| UnifiedId::new(Uuid::from_bytes(id)));
        let kind = match (u32_at(entry, 24)?, targets.len()) {
            (0, 0) => LineageKind::Born,
            (1, 1) => LineageKind::Merged { into: into.next()? },
            (2, _) => LineageKind::Split {
                into: into.collect(),
            },
            (3, 0) => LineageKind::Retired,
            (4, 0) => LineageKind::Revived,
            _ => return None,
        };
        let revision = Revision::new(u64_at(entry, 16)?);
        Some(LineageEvent {
            entity: id_at(entry, 0)?,
            revision,
            kind,
        })
    }
}

fn id_at(bytes: &[u8], at: usize) -> Option<UnifiedId> {
    let id = *bytes.get(at..)?.first_chunk::<ID_LEN>()?;
    Some(UnifiedId::new(Uuid::from_bytes(id)))
}
