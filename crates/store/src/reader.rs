//! An open snapshot: what readers ask of one revision.

mod entity;
mod evidence;
mod history;
mod load;
mod lookup;
mod open;
mod rows;
mod sets;
mod slots;
mod source_names;

use std::sync::Arc;

use bytemuck::Pod;
use sameas_graph::{Legend, Namespace, Revision};
use uuid::Uuid;

pub use self::entity::{EntityView, MemberView, Members};
pub use self::evidence::MemberEvidence;
pub use self::lookup::{Located, Member, SourceHandle};
pub use self::rows::{Row, Rows};
pub(crate) use self::sets::is_intact;
pub(crate) use self::slots::{Step, WalkOrder};
use self::source_names::SourceNames;
use crate::arena::Arena;
use crate::codec::SourceSummary;
use crate::directory::{Directory, Line};
use crate::error::CorruptError;
use crate::format::{Meta, Prefix, Section, index_width};
use crate::id_table::IdTable;
use crate::map::{Map, MapSlice};
use crate::positions::Position;
use crate::rank_bits::RankBits;

/// One published revision, open for reading.
///
/// Clones share one memory-mapped file and may be used from many threads. A snapshot stays
/// readable while it is replaced, and even after its file is removed. Opening checks the
/// header, the section table and all bounds; nothing read afterwards can panic, and what
/// contradicts itself comes back as [`CorruptError`]. [`verify`](Self::verify) checks
/// every byte.
#[derive(Clone, Debug)]
pub struct Snapshot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    map: Map,
    prefix: Prefix,
    meta: Meta,
    id_probe_max: u32,
    sources: Vec<SourceSummary>,
    seeds: Vec<u64>,
    source_names: SourceNames,
    legend: Legend,
    past_sources: Vec<String>,
    index_width: usize,
    hot: HotSections,
}

/// The sections that look-ups and walks read, found and checked when the snapshot was opened.
#[derive(Debug)]
struct HotSections {
    arena: MapSlice<u8>,
    positions: MapSlice<Position>,
    directory: MapSlice<Line>,
    marks: MapSlice<u64>,
    revisions: MapSlice<u64>,
}

impl Snapshot {
    /// Returns the revision the snapshot holds.
    pub fn revision(&self) -> Revision {
        Revision::new(self.inner.meta.revision)
    }

    /// Returns the identity of the graph.
    pub fn namespace(&self) -> Namespace {
        Namespace::new(Uuid::from_bytes(self.inner.meta.namespace))
    }

    /// Returns all sources by name, with how many references each has.
    pub fn sources(&self) -> &[SourceSummary] {
        &self.inner.sources
    }

    /// Returns how many references there are.
    pub fn reference_count(&self) -> u64 {
        u64::from(self.inner.meta.reference_count)
    }

    /// Returns how many active entities there are.
    pub fn entity_count(&self) -> u64 {
        u64::from(self.inner.meta.cluster_count)
    }

    /// Returns how many edges of evidence there are.
    pub fn edge_count(&self) -> u64 {
        u64::from(self.inner.meta.edge_count)
    }

    /// Returns what levels and rules of the evidence mean.
    pub fn legend(&self) -> &Legend {
        &self.inner.legend
    }

    /// Returns the checksum over header and section table, which covers the whole file.
    pub fn checksum(&self) -> u64 {
        Prefix::checksum(self.inner.map.bytes())
    }

    /// Returns the length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.inner.prefix.file_len()
    }

    pub(crate) fn file(&self) -> &[u8] {
        self.inner.map.bytes()
    }

    pub(crate) fn prefix(&self) -> &Prefix {
        &self.inner.prefix
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.inner.meta
    }

    pub(crate) fn past_sources(&self) -> &[String] {
        &self.inner.past_sources
    }

    pub(crate) fn seeds(&self) -> &[u64] {
        &self.inner.seeds
    }

    /// Returns a section's bytes; opening has checked that they lie in the file.
    #[inline]
    pub(crate) fn bytes(&self, section: Section) -> &[u8] {
        let entry = self.inner.prefix.entry(section);
        let (from, to) = (entry.offset as usize, (entry.offset + entry.len) as usize);
        self.file().get(from..to).unwrap_or_default()
    }

    /// Returns a section as little-endian numbers; opening has checked length and alignment.
    #[inline]
    pub(crate) fn words<T: Pod>(&self, section: Section) -> &[T] {
        bytemuck::try_cast_slice(self.bytes(section)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn arena(&self) -> Arena<'_> {
        Arena::new(&self.inner.hot.arena, self.inner.index_width)
    }

    #[inline]
    pub(crate) fn marks(&self) -> RankBits<'_> {
        RankBits::new(&self.inner.hot.marks)
    }

    #[inline]
    pub(crate) fn directory(&self) -> Directory<'_> {
        Directory::new(&self.inner.hot.directory)
    }

    pub(crate) fn id_table(&self) -> IdTable<'_> {
        IdTable::new(self.words(Section::IdTable), self.inner.id_probe_max)
    }

    /// Returns the revision of an index.
    #[inline]
    pub(crate) fn numbered_revision(&self, index: u32) -> Option<Revision> {
        let number = self.inner.hot.revisions.get(index as usize)?;
        Some(Revision::new(u64::from_le(*number)))
    }

    pub(crate) fn source_name(&self, source: u16) -> Result<&str, CorruptError> {
        let summary = self.inner.sources.get(usize::from(source));
        summary.map(|summary| summary.name.as_str()).ok_or_else(|| {
            CorruptError::at(
                Section::Sources,
                u64::from(source),
                "a reference's source is unknown",
            )
        })
    }
}

pub(crate) fn revision_index_width(revisions_len: u64) -> usize {
    index_width(usize::try_from(revisions_len / 8).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
