//! From a source and a key to the entity.
//!
//! Cost of one look-up at ten million references: two reads of memory, the bucket of the table
//! and the entry of the arena, before which the entity lies. Single look-ups overlap where
//! the caller does not wait for one before it asks for the next; a batch does each step for
//! many keys before the next step, so that all their reads overlap.

use hashbrown::HashTable;
use sameas_graph::{Entity, Revision, UnifiedId};
use uuid::Uuid;

use super::Snapshot;
use crate::arena::is_equal;
use crate::error::CorruptError;
use crate::key_table::KeyHash;
use crate::machine::prefetch;

/// Keys of a batch that are in flight together.
const BATCH_LEN: usize = 32;
/// How far before an entry its cluster usually starts, in bytes, and how far behind it ends.
const PREFETCH_BEFORE: usize = 20;
const PREFETCH_BEHIND: usize = 31;

/// A reference inside one snapshot; it means nothing to another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member(pub(super) u64);

impl Member {
    /// Returns where its arena entry starts.
    pub(crate) fn offset(self) -> u64 {
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
        self.inner.source_names.find(name)
    }

    /// Returns the entity that a reference belongs to, or nothing if it is unknown.
    ///
    /// # Errors
    /// Says what contradicts itself if the file is corrupt.
    #[inline]
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
    #[inline]
    pub fn lookup_in(
        &self,
        source: SourceHandle,
        key: &str,
    ) -> Result<Option<Located>, CorruptError> {
        let key = key.as_bytes();
        let offset = self.key_table().first_match(KeyHash::new(source.seed, key));
        // The start of a short cluster comes with the entry, not after it.
        offset.inspect(|&offset| prefetch_before(self.arena().bytes(), offset));
        match offset.and_then(|offset| self.locate_if_equal(offset, source, key)) {
            Some(located) => Ok(Some(located)),
            None => self.lookup_thoroughly(source, key),
        }
    }

    /// Looks a reference up that is unknown, far from its bucket or from the start of its
    /// cluster, or in a corrupt file.
    #[inline(never)]
    fn lookup_thoroughly(
        &self,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<Located>, CorruptError> {
        let hash = KeyHash::new(source.seed, key);
        self.key_table().find(hash, |offset| {
            let entry = self.entry_at(offset)?;
            if entry.source != source.index || entry.key != key {
                return Ok(None);
            }
            Ok(Some(Located {
                member: Member(offset),
                entity: self.entity_at(offset, &entry)?,
                since: self.revision_of(entry.since)?,
            }))
        })
    }

    /// Returns what is known of the entry at an offset if it is this reference's and nothing
    /// is wrong.
    ///
    /// Free of error values, which would cost instructions that wait for memory.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    fn locate_if_equal(&self, offset: u64, source: SourceHandle, key: &[u8]) -> Option<Located> {
        let (head, since) = self.arena().head_if_equal(offset, source.index, key)?;
        Some(Located {
            member: Member(offset),
            entity: Entity {
                id: UnifiedId::new(Uuid::from_bytes(head.id)),
                born: self.numbered_revision(head.born)?,
            },
            since: self.numbered_revision(since)?,
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

    /// All table probes, then all entries; each step first asks for the memory that the next one
    /// needs.
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
        let mut offsets = [None; BATCH_LEN];
        for (offset, hash) in offsets.iter_mut().zip(hashes) {
            *offset = hash.and_then(|hash| self.key_table().first_match(hash));
            offset.inspect(|&offset| self.prefetch_entry(offset));
        }
        for (&offset, query) in offsets.iter().zip(queries) {
            let Some((source, key)) = *query else {
                answers.push(None);
                continue;
            };
            let key = key.as_bytes();
            let near = offset.and_then(|offset| self.locate_if_equal(offset, source, key));
            answers.push(match near {
                Some(located) => Some(located),
                None => self.lookup_thoroughly(source, key)?,
            });
        }
        Ok(())
    }

    /// Asks the processor to fetch an entry and the start of its cluster.
    #[inline]
    fn prefetch_entry(&self, offset: u64) {
        let arena = self.arena().bytes();
        // Most lie in two cache lines: a short cluster's start before the entry, or its key's
        // end behind it.
        prefetch_before(arena, offset);
        prefetch(arena, (offset as usize).saturating_add(PREFETCH_BEHIND));
    }
}

/// Asks the processor to fetch what usually lies before an entry: the start of its cluster.
#[inline]
fn prefetch_before(arena: &[u8], offset: u64) {
    prefetch(arena, (offset as usize).wrapping_sub(PREFETCH_BEFORE));
}

/// A source's name and where the source is, kept so that few instructions find it.
#[derive(Clone, Debug)]
pub(super) struct NamedSource {
    hash: u64,
    name: Box<str>,
    handle: SourceHandle,
}

/// All sources by name.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceNames {
    table: HashTable<NamedSource>,
}

impl SourceNames {
    /// Adds a source whose name is none of those added before.
    pub(super) fn add(&mut self, name: &str, handle: SourceHandle) {
        let hash = name_hash(name);
        let source = NamedSource {
            hash,
            name: name.into(),
            handle,
        };
        self.table.insert_unique(hash, source, |source| source.hash);
    }

    #[inline]
    fn find(&self, name: &str) -> Option<SourceHandle> {
        let is_named = |source: &NamedSource| {
            source.name.len() == name.len() && is_equal(source.name.as_bytes(), name.as_bytes())
        };
        Some(self.table.find(name_hash(name), is_named)?.handle)
    }
}

#[inline]
fn name_hash(name: &str) -> u64 {
    KeyHash::new(0, name.as_bytes()).get()
}
