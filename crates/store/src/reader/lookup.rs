//! From a source and a key to the entity.
//!
//! Cost of one look-up at ten million references: a read of memory (table), then two side by
//! side (arena, id); marks, samples and births lie in the second or third cache. A batch does
//! each step for many keys before the next, so that their reads overlap.

use sameas_graph::{Entity, Revision, UnifiedId};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::Snapshot;
use crate::arena::ArenaEntry;
use crate::error::CorruptError;
use crate::format::{SAMPLE_STEP, Section};
use crate::key_table::{KeyHash, Place};
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
    #[inline]
    pub fn source_handle(&self, name: &str) -> Option<SourceHandle> {
        let sources = self.sources();
        let is_named = |&index: &u16| {
            sources
                .get(usize::from(index))
                .is_some_and(|source| source.name == name)
        };
        let index = *self
            .inner
            .source_numbers
            .find(source_hash(name), is_named)?;
        Some(SourceHandle {
            index,
            seed: *self.seeds().get(usize::from(index))?,
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

    /// All table probes, then all keys and ids; each step first asks for the memory that the
    /// next one needs.
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
        let mut places = [None; BATCH_LEN];
        for (place, hash) in places.iter_mut().zip(hashes) {
            *place = hash.and_then(|hash| self.key_table().home(hash));
            place.inspect(|&place| self.prefetch_place(place));
        }
        for place in places.iter().flatten() {
            self.prefetch_contents(*place)?;
        }
        for (&place, query) in places.iter().zip(queries) {
            let Some((source, key)) = *query else {
                answers.push(None);
                continue;
            };
            let first =
                place.filter(|&place| self.is_at(place, source, key.as_bytes()) == Ok(true));
            let slot = match first {
                Some(place) => Some(place.slot),
                // Rare: another key with this fingerprint, or the bucket overflowed.
                None => self.find(source, key.as_bytes())?,
            };
            answers.push(slot.map(|slot| self.locate(slot)).transpose()?);
        }
        Ok(())
    }

    /// Asks the processor to fetch what says where the key and the entity of a place are.
    #[inline]
    fn prefetch_place(&self, place: Place) {
        let hot = &self.inner.hot;
        prefetch(&hot.arena_samples, (place.slot / SAMPLE_STEP) as usize);
        self.marks().prefetch(place.slot);
        self.since_marks().prefetch(place.slot);
    }

    /// Asks the processor to fetch the key and the entity of a place.
    #[inline]
    fn prefetch_contents(&self, place: Place) -> Result<(), CorruptError> {
        let hot = &self.inner.hot;
        if let Some(offset) = self.offset_of(place) {
            // An entry of common length lies in two cache lines at most.
            prefetch(&hot.arena, offset as usize);
            prefetch(&hot.arena, (offset as usize).saturating_add(31));
        }
        let cluster = self.cluster_of(place.slot)? as usize;
        prefetch(&hot.entity_ids, cluster);
        prefetch(&hot.births, cluster * self.inner.index_width);
        Ok(())
    }

    /// Returns the slot of a reference.
    #[inline]
    pub(crate) fn find(
        &self,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<u32>, CorruptError> {
        self.key_table()
            .find(KeyHash::new(source.seed, key), |place| {
                Ok(self.is_at(place, source, key)?.then_some(place.slot))
            })
    }

    /// Returns whether a reference is at a place.
    #[inline]
    fn is_at(&self, place: Place, source: SourceHandle, key: &[u8]) -> Result<bool, CorruptError> {
        let offset = self.offset_of(place);
        let entry = offset.and_then(|offset| ArenaEntry::decode(self.arena(), offset));
        let entry = entry.ok_or_else(|| {
            let what = "a word points behind the keys";
            CorruptError::at(Section::KeyTable, u64::from(place.slot), what)
        })?;
        Ok(entry.source == source.index && entry.key == key)
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

/// Hashes a source's name.
pub(super) fn source_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}
