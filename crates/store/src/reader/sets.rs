//! Sets of members: those that changed, those of a source.

use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::Snapshot;
use crate::error::CorruptError;
use crate::format::{Section, u64_at};

impl Snapshot {
    /// Returns the slots whose entity is another than in the revision before, new references
    /// included.
    pub(crate) fn changed_set(&self) -> Result<RoaringBitmap, CorruptError> {
        self.bitmap(Section::Changed, 0, self.bytes(Section::Changed))
    }

    /// Returns the slots of one source.
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
