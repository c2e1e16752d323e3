//! Entities and keys in slot order, and what leads to them.

use std::io::{self, Seek, Write};

use sameas_graph::{ClusterId, GraphRevision, NodeId};

use super::output::Output;
use super::{RevisionIndexer, SnapshotWriter, clusters};
use crate::arena::{ENTRY_HEADER_LEN, entry_header};
use crate::format::{ID_LEN, SAMPLE_STEP, Section, index_width};
use crate::key_table::{KeyHash, KeyTableBuilder};

/// Keys whose buckets are fetched from memory together.
const PENDING_LEN: usize = 32;

/// Writes entities, keys, samples and hash table, and returns how far searches in it go.
pub(super) fn write_keys<W: Write + Seek>(
    writer: &SnapshotWriter<'_>,
    output: &mut Output<W>,
) -> io::Result<u32> {
    let mut keys = KeyWriter::new(writer);
    output.section(Section::Arena, |out| {
        clusters(writer.graph).try_for_each(|cluster| keys.write_cluster(cluster, out))
    })?;
    keys.insert_pending();
    let KeyWriter { samples, table, .. } = keys;
    output.section(Section::ArenaSamples, |out| {
        samples.iter().try_for_each(|&s| out.u64(s))
    })?;
    output.section(Section::KeyTable, |out| out.words(table.words()))?;
    Ok(table.probe_max())
}

/// Writes the arena, and remembers what leads into it.
struct KeyWriter<'w> {
    graph: &'w GraphRevision,
    seeds: Vec<u64>,
    indexer: RevisionIndexer<'w>,
    index_width: usize,
    offset: u64,
    slot: u32,
    samples: Vec<u64>,
    table: KeyTableBuilder,
    /// Keys whose buckets are on their way from memory.
    pending: Vec<(KeyHash, u64)>,
}

impl<'w> KeyWriter<'w> {
    fn new(writer: &'w SnapshotWriter<'_>) -> Self {
        let source_count = writer.graph.references.sources().len() as u16;
        let count = writer.slot_of.len();
        Self {
            graph: writer.graph,
            seeds: (0..source_count)
                .map(|source| KeyHash::seed(&writer.namespace, source))
                .collect(),
            indexer: writer.indexer(),
            index_width: index_width(writer.revisions.len()),
            offset: 0,
            slot: 0,
            samples: Vec::with_capacity(count / SAMPLE_STEP as usize + 1),
            table: KeyTableBuilder::new(count as u64),
            pending: Vec::with_capacity(PENDING_LEN),
        }
    }

    fn write_cluster<W: Write + Seek>(
        &mut self,
        cluster: ClusterId,
        out: &mut Output<W>,
    ) -> io::Result<()> {
        let start = self.offset;
        let entity = &self.graph.entities[cluster.index()];
        out.bytes(entity.id.uuid().as_bytes())?;
        self.indexer.put(out, entity.born)?;
        self.offset += (ID_LEN + self.index_width) as u64;
        for &node in self.graph.partition.members(cluster) {
            self.write_entry(NodeId::new(node), start, out)?;
        }
        Ok(())
    }

    fn insert_pending(&mut self) {
        for (hash, offset) in self.pending.drain(..) {
            self.table.insert(hash, offset);
        }
    }

    fn write_entry<W: Write + Seek>(
        &mut self,
        node: NodeId,
        start: u64,
        out: &mut Output<W>,
    ) -> io::Result<()> {
        let references = &self.graph.references;
        let source = references.source_of(node).index() as u16;
        let key = references.key_bytes_of(node);
        if self.slot.is_multiple_of(SAMPLE_STEP) {
            self.samples.push(self.offset);
        }
        let hash = KeyHash::new(self.seeds[usize::from(source)], key);
        self.table.prefetch(hash);
        self.pending.push((hash, self.offset));
        if self.pending.len() == PENDING_LEN {
            self.insert_pending();
        }
        out.bytes(&entry_header(source, key.len(), self.offset - start))?;
        self.indexer.put(out, self.graph.since[node.index()])?;
        out.bytes(key)?;
        self.slot += 1;
        self.offset += (ENTRY_HEADER_LEN + self.index_width + key.len()) as u64;
        Ok(())
    }
}
