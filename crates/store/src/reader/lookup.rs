//! From a source and a key to the entity.
//!
//! Cost of one look-up at ten million references: one wait for memory, that of a group of the
//! arena, some cache lines that come together; the directory that leads there is in a cache.
//! Single look-ups overlap where the caller does not wait for one before it asks for the next;
//! a batch does each step for many keys before the next step, so that all their reads overlap.

use sameas_graph::{Entity, Revision};

use super::Snapshot;
use super::slots::unified_id;
use crate::arena::{ArenaEntry, Group, Unsure, fingerprint};
use crate::error::CorruptError;
use crate::format::Section;
use crate::key_hash::KeyHash;

/// Keys of a batch that are in flight together.
const BATCH_LEN: usize = 32;

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
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
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
        match self.lookup_usual(source, key.as_bytes()) {
            Ok(answer) => Ok(answer),
            Err(Unsure) => self.lookup_thoroughly(source, key.as_bytes()),
        }
    }

    /// Looks a reference up that is like most: without a call, for which registers would have to
    /// be saved.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    fn lookup_usual(&self, source: SourceHandle, key: &[u8]) -> Result<Option<Located>, Unsure> {
        let hash = KeyHash::of_short(source.seed, key).ok_or(Unsure)?;
        let group = self.directory().start(hash).ok_or(Unsure)?;
        self.arena().prefetch_group(group);
        self.locate_first(group, hash, source, key)
    }

    /// Looks a reference up that has a long key, is not the first of its fingerprint or not in
    /// the first group of its cell, or is in a corrupt file.
    #[inline(never)]
    fn lookup_thoroughly(
        &self,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<Located>, CorruptError> {
        let hash = KeyHash::new(source.seed, key);
        let range = self.directory().range(hash, self.arena().len());
        self.arena().prefetch_group(range.start);
        let mut offset = range.start;
        while offset < range.end {
            let group = self.group_at(offset)?;
            for at in group.matches(fingerprint(hash)) {
                let (offset, entry) = self.entry_of(group, at)?;
                if entry.source == source.index && entry.key == key {
                    return Ok(Some(Located {
                        member: Member(offset),
                        entity: self.entity_in(&entry)?,
                        since: self.revision_of(entry.since)?,
                    }));
                }
            }
            offset = self.group_end(group)?;
        }
        Ok(None)
    }

    /// Returns the group at an offset of the arena.
    pub(crate) fn group_at(&self, offset: u64) -> Result<Group<'_>, CorruptError> {
        let group = self.arena().group(offset);
        group.ok_or_else(|| CorruptError::at(Section::Arena, offset, "no group starts here"))
    }

    /// Returns where the n-th entry of a group starts, and the entry.
    fn entry_of(&self, group: Group<'_>, at: usize) -> Result<(u64, ArenaEntry<'_>), CorruptError> {
        let ends_early = || CorruptError::at(Section::Arena, group.entries_start(), "ends early");
        let offset = group.start(at).ok_or_else(ends_early)?;
        Ok((offset, self.entry_at(offset)?))
    }

    /// Returns where a group ends, which is behind its start.
    fn group_end(&self, group: Group<'_>) -> Result<u64, CorruptError> {
        let (offset, last) = self.entry_of(group, group.count - 1)?;
        let end = offset + self.arena().entry_len(last.key);
        Ok(end.max(group.entries_start()))
    }

    /// Returns what is known of a reference if the first group of its cell tells and nothing is
    /// wrong.
    ///
    /// Free of error values, which would cost instructions that wait for memory.
    #[expect(
        clippy::inline_always,
        reason = "calls cost so many instructions that the next look-up starts later: measured, a tenth"
    )]
    #[inline(always)]
    fn locate_first(
        &self,
        group: u64,
        hash: KeyHash,
        source: SourceHandle,
        key: &[u8],
    ) -> Result<Option<Located>, Unsure> {
        let found = self.arena().first_match(group, hash, source.index, key)?;
        let Some(found) = found else {
            return Ok(None);
        };
        let revision = |index| self.numbered_revision(index).ok_or(Unsure);
        Ok(Some(Located {
            member: Member(found.offset),
            entity: Entity {
                id: unified_id(found.id),
                born: revision(found.born)?,
            },
            since: revision(found.since)?,
        }))
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

    /// All hashes, then all reads of the directory, then all groups; each step first asks for
    /// the memory that the next one needs.
    fn lookup_batch(
        &self,
        queries: &[Option<(SourceHandle, &str)>],
        answers: &mut Vec<Option<Located>>,
    ) -> Result<(), CorruptError> {
        let mut hashes = [None; BATCH_LEN];
        for (hash, query) in hashes.iter_mut().zip(queries) {
            *hash = query.map(|(source, key)| KeyHash::new(source.seed, key.as_bytes()));
            hash.inspect(|&hash| self.directory().prefetch(hash));
        }
        let mut groups = [None; BATCH_LEN];
        for (group, hash) in groups.iter_mut().zip(hashes) {
            *group = hash.and_then(|hash| Some((self.directory().start(hash)?, hash)));
            group.inspect(|&(group, _)| self.arena().prefetch_group(group));
        }
        for (&group, query) in groups.iter().zip(queries) {
            let Some((source, key)) = *query else {
                answers.push(None);
                continue;
            };
            let key = key.as_bytes();
            let first = group.ok_or(Unsure);
            let first = first.and_then(|(group, hash)| self.locate_first(group, hash, source, key));
            answers.push(match first {
                Ok(answer) => answer,
                Err(Unsure) => self.lookup_thoroughly(source, key)?,
            });
        }
        Ok(())
    }
}
