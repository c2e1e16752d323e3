//! References by hash, and what leads to them.

use std::io::{self, Seek, Write};

use sameas_graph::{GraphRevision, NodeId, SourceId};

use super::output::Output;
use super::{RevisionIndexer, SnapshotWriter};
use crate::arena::{ArenaEntry, GROUP_LEN, GroupBuilder};
use crate::directory::{Cell, DirectoryBuilder};
use crate::format::{Section, index_width};
use crate::key_hash::KeyHash;
use crate::machine::prefetch;
use crate::positions::{Position, encode};

/// References whose parts are fetched from memory together.
const FETCHED_LEN: usize = 64;

/// Writes arena, positions and directory.
pub(super) fn write_references<W: Write + Seek>(
    writer: &SnapshotWriter<'_>,
    output: &mut Output<W>,
) -> io::Result<()> {
    let mut arena = ArenaWriter::new(writer);
    output.section(Section::Arena, |out| {
        arena.write_all(&hashed_nodes(writer), out)
    })?;
    let ArenaWriter {
        positions,
        directory,
        offset,
        ..
    } = arena;
    output.section(Section::Positions, |out| {
        out.bytes(positions.as_flattened())
    })?;
    let lines = directory.finish(offset);
    output.section(Section::Directory, |out| {
        out.bytes(bytemuck::cast_slice(&lines))
    })
}

/// A node and the hash of its reference, in two halves to take no more than 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hashed {
    high: u32,
    low: u32,
    node: u32,
}

impl Hashed {
    fn new(hash: KeyHash, node: u32) -> Self {
        let number = hash.get();
        Self {
            high: (number >> 32) as u32,
            low: number as u32,
            node,
        }
    }

    fn hash(self) -> KeyHash {
        KeyHash::from_number(u64::from(self.high) << 32 | u64::from(self.low))
    }

    fn node(self) -> NodeId {
        NodeId::new(self.node)
    }
}

/// Returns all nodes by hash, then by source and key, as nodes are numbered.
fn hashed_nodes(writer: &SnapshotWriter<'_>) -> Vec<Hashed> {
    let references = &writer.graph.references;
    let mut hashed = Vec::with_capacity(references.len());
    for source in 0..references.sources().len() as u16 {
        let seed = KeyHash::seed(&writer.namespace, source);
        let nodes = references.nodes_of(SourceId::new(source));
        hashed.extend(nodes.map(|node| {
            let key = references.key_bytes_of(NodeId::new(node));
            Hashed::new(KeyHash::new(seed, key), node)
        }));
    }
    hashed.sort_unstable();
    hashed
}

/// Writes the arena, and remembers what leads into it.
struct ArenaWriter<'w> {
    graph: &'w GraphRevision,
    slot_of: &'w [u32],
    indexer: RevisionIndexer<'w>,
    index_width: usize,
    offset: u64,
    group: GroupBuilder,
    positions: Vec<Position>,
    directory: DirectoryBuilder,
}

impl<'w> ArenaWriter<'w> {
    fn new(writer: &'w SnapshotWriter<'_>) -> Self {
        let count = writer.slot_of.len();
        Self {
            graph: writer.graph,
            slot_of: &writer.slot_of,
            indexer: writer.indexer(),
            index_width: index_width(writer.revisions.len()),
            offset: 0,
            group: GroupBuilder::default(),
            positions: vec![Position::default(); count],
            directory: DirectoryBuilder::new(count as u64),
        }
    }

    fn write_all<W: Write + Seek>(
        &mut self,
        hashed: &[Hashed],
        out: &mut Output<W>,
    ) -> io::Result<()> {
        let line_count = self.directory.line_count();
        let cell = |hashed: &Hashed| Cell::of(hashed.hash(), line_count);
        let mut to_fetch = hashed.chunks(FETCHED_LEN);
        let mut ready = 0;
        for of_cell in hashed.chunk_by(|a, b| cell(a) == cell(b)) {
            if let Some(first) = of_cell.first() {
                self.directory.start(cell(first), self.offset);
            }
            for group in of_cell.chunks(GROUP_LEN) {
                while ready < group.len()
                    && let Some(next) = to_fetch.next()
                {
                    for hashed in next {
                        self.fetch(hashed.node());
                    }
                    ready += next.len();
                }
                ready -= group.len();
                self.write_group(group, out)?;
            }
        }
        Ok(())
    }

    /// Asks the processor to fetch what an entry is made of.
    ///
    /// Where the key and the entity lie is read here, for many references at once.
    fn fetch(&self, node: NodeId) {
        let graph = self.graph;
        prefetch(graph.references.key_bytes_of(node), 0);
        prefetch(&graph.entities, graph.partition.cluster_of(node).index());
        prefetch(&graph.since, node.index());
        prefetch(&self.positions, self.slot_of[node.index()] as usize);
    }

    fn write_group<W: Write + Seek>(
        &mut self,
        group: &[Hashed],
        out: &mut Output<W>,
    ) -> io::Result<()> {
        let graph = self.graph;
        self.group.clear();
        for hashed in group {
            let node = hashed.node();
            let entity = &graph.entities[graph.partition.cluster_of(node).index()];
            let entry = ArenaEntry {
                source: graph.references.source_of(node).index() as u16,
                key: graph.references.key_bytes_of(node),
                since: self.indexer.index(graph.since[node.index()]),
                born: self.indexer.index(entity.born),
                id: *entity.id.uuid().as_bytes(),
            };
            self.group.push(hashed.hash(), &entry, self.index_width);
        }
        for (hashed, start) in group.iter().zip(self.group.starts()) {
            let slot = self.slot_of[hashed.node().index()];
            self.positions[slot as usize] = encode(self.offset + start);
        }
        for part in self.group.parts() {
            out.bytes(part)?;
            self.offset += part.len() as u64;
        }
        Ok(())
    }
}
