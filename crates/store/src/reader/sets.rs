//! Sets of members: those that changed, those of a source, and both.

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::{Member, Snapshot, SourceHandle};
use crate::error::CorruptError;
use crate::format::{Section, u64_at};

impl Snapshot {
    /// Returns the members whose entity is another than in the revision before, new
    /// references included.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn changed(&self) -> Result<impl Iterator<Item = Member> + use<>, CorruptError> {
        Ok(self.changed_set()?.into_iter().map(Member))
    }

    /// Returns the members of one source whose entity changed.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn changed_in(
        &self,
        source: SourceHandle,
    ) -> Result<impl Iterator<Item = Member> + use<>, CorruptError> {
        let both = self.changed_set()? & self.source_set(source.index)?;
        Ok(both.into_iter().map(Member))
    }

    /// Returns how many members changed their entity, for each source in order.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn changed_counts(&self) -> Result<Vec<u64>, CorruptError> {
        let changed = self.changed_set()?;
        (0..self.sources().len())
            .map(|source| Ok(changed.intersection_len(&self.source_set(source as u16)?)))
            .collect()
    }

    /// Returns how many entities have members in both sources.
    ///
    /// Costs a pass over the members of the smaller source.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn shared_entity_count(
        &self,
        one: SourceHandle,
        other: SourceHandle,
    ) -> Result<u64, CorruptError> {
        let (one, other) = (self.source_set(one.index)?, self.source_set(other.index)?);
        let (few, many) = if one.len() <= other.len() {
            (one, other)
        } else {
            (other, one)
        };
        let (mut shared, mut end) = (0, 0);
        for slot in few {
            if slot < end {
                continue;
            }
            let (first, next) = self.cluster_slots(slot)?;
            end = next;
            shared += u64::from(many.range_cardinality(first..next) > 0);
        }
        Ok(shared)
    }

    pub(crate) fn changed_set(&self) -> Result<RoaringBitmap, CorruptError> {
        self.bitmap(Section::Changed, 0, self.bytes(Section::Changed))
    }

    pub(crate) fn source_set(&self, source: u16) -> Result<RoaringBitmap, CorruptError> {
        let bytes = self.bytes(Section::SourceSets);
        let index = usize::from(source);
        let decode = || {
            let from = u64_at(bytes, index * 8)?;
            let to = u64_at(bytes, (index + 1) * 8)?;
            let sets = bytes.get((self.sources().len() + 1) * 8..)?;
            sets.get(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
        };
        let set = decode().ok_or_else(|| {
            CorruptError::at(
                Section::SourceSets,
                u64::from(source),
                "a set does not exist",
            )
        })?;
        self.bitmap(Section::SourceSets, u64::from(source), set)
    }

    /// Reads a set of slots from part of a section.
    fn bitmap(
        &self,
        section: Section,
        index: u64,
        bytes: &[u8],
    ) -> Result<RoaringBitmap, CorruptError> {
        let bitmap = RoaringBitmap::deserialize_from(bytes)
            .map_err(|_| CorruptError::at(section, index, "is not a roaring bitmap"))?;
        let beyond = bitmap
            .max()
            .filter(|&slot| slot >= self.meta().reference_count);
        if beyond.is_some() || bitmap.serialized_size() != bytes.len() {
            return Err(CorruptError::at(section, index, "is not a set of slots"));
        }
        Ok(bitmap)
    }
}

/// Returns whether a section's bytes are those that were written.
pub(crate) fn is_intact(snapshot: &Snapshot, section: Section) -> bool {
    xxh3_64(snapshot.bytes(section)) == snapshot.prefix().entry(section).checksum
}
