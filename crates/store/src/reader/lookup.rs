//! From a source and a key to the entity.
//!
//! Cost of one look-up at ten million references: two dependent reads of memory (table,
//! arena) and one of the id; marks and births lie in the second or third cache. A batch
//! does each step for many keys before the next, so that their reads overlap.

use sameas_graph::{Entity, Revision, UnifiedId};
use uuid::Uuid;

use super::Snapshot;
use crate::arena::ArenaEntry;
use crate::error::CorruptError;
use crate::format::Section;
use crate::key_table::KeyHash;
use crate::map::prefetch;

/// Keys of a batch that are in flight together.
const BATCH_LEN: usize = 32;

/// A reference inside one snapshot; it means nothing to another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub(super) u32);

impl Member {
    pub(crate) fn slot(self) -> u32 {
        self.0
    }
}

/// A source inside one snapshot, so that its name is looked up once; it means nothing to
/// another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceHandle {
    pub(super) index: u16,
    pub(super) seed: u64,
}

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// The reference, for further questions to the same snapshot.
    pub member: Member,
    /// The entity the reference belongs to.
    pub entity: Entity,
    /// The revision since which it does.
    pub since: Revision,
}

impl Snapshot {
    /// Returns the handle of a source, if the snapshot has one of this name.
    pub fn source_handle(&self, name: &str) -> Option<SourceHandle> {
        let sources = self.sources();
        let index = sources
            .binary_search_by(|source| source.name.as_str().cmp(name))
            .ok()?;
        Some(SourceHandle {
            index: index as u16,
            seed: *self.seeds().get(index)?,
        })
    }

    /// Returns the entity that a reference belongs to, or nothing if it is unknown.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn lookup(&self, source: &str, key: &str) -> Result<Option<Located>, CorruptError> {
        match self.source_handle(source) {
            Some(source) => self.lookup_in(source, key),
            None => Ok(None),
        }
    }

    /// Returns the entity that a reference of a known source belongs to.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn lookup_in(
        &self,
        source: SourceHandle,
        key: &str,
    ) -> Result<Option<Located>, CorruptError> {
        match self.find(source, key.as_bytes())? {
            Some(slot) => self.locate(slot).map(Some),
            None => Ok(None),
        }
    }

    /// Looks many references up, (source, key) each, and answers in their order.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn lookup_many(
        &self,
        references: &[(&str, &str)],
    ) -> Result<Vec<Option<Located>>, CorruptError> {
        let mut answers = Vec::with_capacity(references.len());
        let mut last: Option<(&str, Option<SourceHandle>)> = None;
        let mut queries = [const { None }; BATCH_LEN];
        for chunk in references.chunks(BATCH_LEN) {
            for (query, &(name, key)) in queries.iter_mut().zip(chunk) {
                let source = match last {
                    Some((known, source)) if known == name => source,
                    _ => self.source_handle(name),
                };
                last = Some((name, source));
                *query = source.map(|source| (source, key));
            }
            self.lookup_batch(queries.get(..chunk.len()).unwrap_or_default(), &mut answers)?;
        }
        Ok(answers)
    }

    /// Looks many references of one source up, and answers in their order.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    pub fn lookup_many_in(
        &self,
        source: SourceHandle,
        keys: &[&str],
    ) -> Result<Vec<Option<Located>>, CorruptError> {
        let mut answers = Vec::with_capacity(keys.len());
        let mut queries = [const { None }; BATCH_LEN];
        for chunk in keys.chunks(BATCH_LEN) {
            for (query, &key) in queries.iter_mut().zip(chunk) {
                *query = Some((source, key));
            }
            self.lookup_batch(queries.get(..chunk.len()).unwrap_or_default(), &mut answers)?;
        }
        Ok(answers)
    }

    /// All table probes, then all arena reads, then all ids; each step first asks for the
    /// memory that the next one needs.
    fn lookup_batch(
        &self,
        queries: &[Option<(SourceHandle, &str)>],
        answers: &mut Vec<Option<Located>>,
    ) -> Result<(), CorruptError> {
        let mut hashes = [None; BATCH_LEN];
        for (hash, query) in hashes.iter_mut().zip(queries) {
            *hash = query.map(|(source, key)| KeyHash::new(source.seed, key.as_bytes()));
            hash.inspect(|&hash| self.key_table().prefetch(hash));
        }
        let mut probes = [None; BATCH_LEN];
        for (probe, hash) in probes.iter_mut().zip(hashes) {
            *probe = hash.and_then(|hash| self.key_table().home(hash));
            probe.inspect(|&offset| prefetch_entry(self.arena(), offset));
        }
        let mut slots = [None; BATCH_LEN];
        for ((slot, &probe), query) in slots.iter_mut().zip(&probes).zip(queries) {
            let Some((source, key)) = *query else {
                continue;
            };
            let first = probe.and_then(|offset| ArenaEntry::decode(self.arena(), offset));
            *slot = match first {
                Some(entry) if is_entry_of(&entry, source, key.as_bytes()) => Some(entry.slot),
                // Rare: another key with this fingerprint, or the bucket overflowed.
                _ => self.find(source, key.as_bytes())?,
            };
            if let Some(slot) = *slot {
                self.prefetch_entity(self.cluster_of(slot)?);
            }
        }
        for &slot in slots.iter().take(queries.len()) {
            answers.push(slot.map(|slot| self.locate(slot)).transpose()?);
        }
        Ok(())
    }

    /// Asks the processor to fetch what is known of a cluster's entity.
    #[inline]
    fn prefetch_entity(&self, cluster: u32) {
        let hot = &self.inner.hot;
        prefetch(&hot.entity_ids, cluster as usize);
        prefetch(&hot.births, cluster as usize * self.inner.index_width);
    }

    /// Returns the slot of a reference.
    #[inline]
    pub(crate) fn find(
        &self,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<u32>, CorruptError> {
        let arena = self.arena();
        self.key_table()
            .find(KeyHash::new(source.seed, key), |offset| {
                let entry = ArenaEntry::decode(arena, offset).ok_or_else(|| {
                    CorruptError::at(Section::KeyTable, offset, "a word points behind the keys")
                })?;
                Ok(is_entry_of(&entry, source, key).then_some(entry.slot))
            })
    }

    /// Returns what is known of a slot.
    #[inline]
    pub(super) fn locate(&self, slot: u32) -> Result<Located, CorruptError> {
        let cluster = self.cluster_of(slot)?;
        let entity = self.entity_of_cluster(cluster)?;
        Ok(Located {
            member: Member(slot),
            entity,
            since: self.since_of(slot, entity.born)?,
        })
    }

    #[inline]
    pub(super) fn entity_of_cluster(&self, cluster: u32) -> Result<Entity, CorruptError> {
        let id = UnifiedId::new(Uuid::from_bytes(self.id_bytes(cluster)?));
        Ok(Entity {
            id,
            born: self.birth(cluster)?,
        })
    }

    #[inline]
    pub(super) fn since_of(&self, slot: u32, born: Revision) -> Result<Revision, CorruptError> {
        match self.since_marks().position(slot) {
            Some(position) => self.late_since(position),
            None => Ok(born),
        }
    }
}

/// Asks the processor to fetch an arena entry; one of common length lies in two cache lines.
#[inline]
fn prefetch_entry(arena: &[u8], offset: u64) {
    prefetch(arena, offset as usize);
    prefetch(arena, offset as usize + 31);
}

#[inline]
fn is_entry_of(entry: &ArenaEntry<'_>, source: SourceHandle, key: &[u8]) -> bool {
    entry.source == source.index && entry.key == key
}
