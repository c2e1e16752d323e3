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
use crate::format::{ENTRY_HEADER_LEN, SAMPLE_STEP, Section};
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
        let key = key.as_bytes();
        let place = self.key_table().first_match(KeyHash::new(source.seed, key));
        match place.and_then(|place| self.locate_at(place, source, key)) {
            Some(located) => Ok(Some(located)),
            None => self.lookup_thoroughly(source, key),
        }
    }

    /// Looks a reference up that is unknown, far from its bucket, or in a corrupt file.
    #[inline(never)]
    fn lookup_thoroughly(
        &self,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<Located>, CorruptError> {
        self.find(source, key)?
            .map(|slot| self.locate(slot))
            .transpose()
    }

    /// Returns what is known of a place if it is this reference's and nothing is wrong.
    ///
    /// Free of error values and of branches that depend on what is far in memory: at ten
    /// million references that halves the time of a look-up.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    fn locate_at(&self, place: Place, source: SourceHandle, key: &[u8]) -> Option<Located> {
        let hot = &self.inner.hot;
        let from = usize::try_from(self.offset_of(place)?).ok()?;
        let header = u32::from(source.index) | u32::from(u16::try_from(key.len()).ok()?) << 16;
        let stored = hot.arena.get(from..)?.get(..ENTRY_HEADER_LEN + key.len())?;
        let (stored_header, stored_key) = stored.split_first_chunk::<ENTRY_HEADER_LEN>()?;
        if u32::from_le_bytes(*stored_header) != header || !is_equal(stored_key, key) {
            return None;
        }
        let cluster = self.marks().rank(place.slot)?.checked_sub(1)?;
        let id = UnifiedId::new(Uuid::from_bytes(*hot.entity_ids.get(cluster as usize)?));
        let born = self.indexed_revision(&hot.births, cluster)?;
        let (is_late, position) = self.since_marks().test(place.slot);
        let late = match self.indexed_revision(&hot.since, position) {
            Some(late) => late,
            None if is_late => return None,
            None => born,
        };
        let mask = u64::from(is_late).wrapping_neg();
        let since = Revision::new(late.get() & mask | born.get() & !mask);
        Some(Located {
            member: Member(place.slot),
            entity: Entity { id, born },
            since,
        })
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
            *place = hash.and_then(|hash| self.key_table().first_match(hash));
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
            let key = key.as_bytes();
            let near = place.and_then(|place| self.locate_at(place, source, key));
            answers.push(match near {
                Some(located) => Some(located),
                None => self.lookup_thoroughly(source, key)?,
            });
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

/// Compares two keys of one length, those of usual length without a call.
#[inline]
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    let words = |key: &[u8]| {
        let (first, last) = (key.first_chunk::<8>()?, key.last_chunk::<8>()?);
        Some((u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)))
    };
    let double_words = |key: &[u8]| {
        let (first, last) = (key.first_chunk::<16>()?, key.last_chunk::<16>()?);
        Some((u128::from_ne_bytes(*first), u128::from_ne_bytes(*last)))
    };
    match a.len() {
        8..=16 => words(a) == words(b),
        17..=32 => double_words(a) == double_words(b),
        _ => a == b,
    }
}

/// Hashes a source's name.
pub(super) fn source_hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}
