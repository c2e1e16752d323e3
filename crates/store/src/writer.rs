//! Writes one revision as a snapshot file.
//!
//! Cost: one pass over the graph per section. Beside the graph itself the writer holds 4
//! bytes a reference, 6 bytes a cluster until ids are written, and whatever one part needs:
//! 17 bytes a reference (its hash, its node and its position), or 8 bytes a reference and 12 an edge
//! (the edges in order).
#![expect(
    clippy::indexing_slicing,
    reason = "reads the graph in memory only, after `check` has compared all lengths and numbers"
)]

mod check;
mod edges;
mod output;
mod references;

use std::collections::BTreeSet;
use std::io::{Seek, Write};

use roaring::RoaringBitmap;
use sameas_graph::{ClusterId, GraphRevision, LineageKind, NodeId, PastMembership, Revision};

use self::output::Output;
use self::references::write_references;
use crate::codec::{SourceSummary, encode_legend, encode_names, encode_sources};
use crate::error::WriteError;
use crate::format::{ID_LEN, Meta, Section};
use crate::id_table::IdTableBuilder;
use crate::rank_bits::{self, RankBits};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenSnapshot {
    /// Length of the file in bytes.
    pub len: u64,
    /// Checksum over header and section table, and by them over the whole file.
    pub checksum: u64,
}

/// Writes a revision to an empty file; equal revisions give equal bytes.
///
/// The header comes last, so a file that was not finished is no snapshot.
///
/// # Errors
/// Refuses a graph that contradicts itself or does not fit the format, and passes on
/// what the system says about `out`.
pub fn write_snapshot(
    graph: &GraphRevision,
    out: &mut (impl Write + Seek),
) -> Result<WrittenSnapshot, WriteError> {
    let writer = SnapshotWriter::new(graph)?;
    let mut output = Output::start(out).map_err(|cause| writer.io(cause))?;
    writer.write_sections(&mut output)?;
    output.finish().map_err(|cause| writer.io(cause))
}

/// A checked graph and the maps between its numbers and those of the file.
struct SnapshotWriter<'g> {
    graph: &'g GraphRevision,
    namespace: [u8; ID_LEN],
    slot_of: Vec<u32>,
    marks: Vec<u64>,
    revisions: Vec<u64>,
}

impl<'g> SnapshotWriter<'g> {
    fn new(graph: &'g GraphRevision) -> Result<Self, WriteError> {
        check::check(graph)?;
        let mut slot_of = vec![0; graph.references.len()];
        for (slot, node) in nodes_by_slot(graph).enumerate() {
            slot_of[node.index()] = slot as u32;
        }
        let firsts = clusters(graph).scan(0, |next, cluster| {
            let first = *next;
            *next += graph.partition.members(cluster).len() as u32;
            Some(first)
        });
        let marks = rank_bits::encode(slot_of.len() as u32, firsts);
        let revisions = distinct_revisions(graph);
        let namespace = *graph.namespace.uuid().as_bytes();
        Ok(Self {
            graph,
            namespace,
            slot_of,
            marks: to_le(marks),
            revisions,
        })
    }

    fn io(&self, cause: std::io::Error) -> WriteError {
        WriteError::Io {
            revision: self.graph.revision,
            cause,
        }
    }

    fn write_sections<W: Write + Seek>(&self, output: &mut Output<W>) -> Result<(), WriteError> {
        // Two clusters with one id are found here, before anything is written.
        let ids = self.build_id_table()?;
        let id_max = ids.probe_max();
        let write = || {
            output.section(Section::Meta, |out| out.bytes(&self.meta().encode()))?;
            self.write_names(output)?;
            write_references(self, output)?;
            output.section(Section::Order, |out| {
                self.slot_of.iter().try_for_each(|&s| out.u32(s))
            })?;
            output.section(Section::Marks, |out| out.words(&self.marks))?;
            output.section(Section::IdTable, |out| {
                ids.words().iter().try_for_each(|&s| out.u32(s))
            })?;
            drop(ids);
            edges::write_edges(self, output)?;
            self.write_lineage(output)?;
            self.write_past(output)?;
            self.write_changed(output)?;
            self.write_source_sets(output)?;
            output.section(Section::Probes, |out| out.u32(id_max))
        };
        write().map_err(|cause| self.io(cause))
    }

    fn meta(&self) -> Meta {
        Meta {
            revision: self.graph.revision.get(),
            namespace: self.namespace,
            reference_count: self.slot_of.len() as u32,
            cluster_count: self.graph.partition.cluster_count() as u32,
            edge_count: self.graph.evidence.len() as u32,
            key_bytes: self.graph.references.key_bytes(),
        }
    }

    fn build_id_table(&self) -> Result<IdTableBuilder<'_>, WriteError> {
        let graph = self.graph;
        let mut table = IdTableBuilder::new(&self.namespace, graph.entities.len() as u64);
        let marks = RankBits::new(&self.marks);
        let mut first = 0;
        for (cluster, entity) in clusters(graph).zip(&graph.entities) {
            let is_same = |slot| {
                let other = marks.rank(slot).map_or(0, |rank| rank as usize - 1);
                graph.entities[other].id == entity.id
            };
            table
                .insert(entity.id.uuid().as_bytes(), first, is_same)
                .map_err(|_| {
                    let what = "two clusters bear the same unified id";
                    let index = u64::from(cluster.get());
                    WriteError::Inconsistent {
                        revision: graph.revision,
                        what,
                        index,
                    }
                })?;
            first += graph.partition.members(cluster).len() as u32;
        }
        Ok(table)
    }

    fn write_names<W: Write + Seek>(&self, output: &mut Output<W>) -> std::io::Result<()> {
        let references = &self.graph.references;
        let sources: Vec<SourceSummary> = references
            .sources()
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let nodes = references.nodes_of(sameas_graph::SourceId::new(index as u16));
                SourceSummary {
                    name: name.clone(),
                    reference_count: nodes.len() as u64,
                }
            })
            .collect();
        output.section(Section::Sources, |out| out.bytes(&encode_sources(&sources)))?;
        output.section(Section::Legend, |out| {
            out.bytes(&encode_legend(&self.graph.legend))
        })?;
        output.section(Section::Revisions, |out| {
            self.revisions.iter().try_for_each(|&r| out.u64(r))
        })
    }

    fn write_lineage<W: Write + Seek>(&self, output: &mut Output<W>) -> std::io::Result<()> {
        let lineage = &self.graph.lineage;
        let mut targets_end = 0;
        output.section(Section::Lineage, |out| {
            for event in lineage {
                let (kind, targets) = lineage_code(&event.kind);
                targets_end += targets.len() as u32;
                out.bytes(event.entity.uuid().as_bytes())?;
                out.u64(event.revision.get())?;
                out.u32(kind)?;
                out.u32(targets_end)?;
            }
            Ok(())
        })?;
        output.section(Section::LineageTargets, |out| {
            lineage
                .iter()
                .flat_map(|event| lineage_code(&event.kind).1)
                .try_for_each(|target| out.bytes(target.uuid().as_bytes()))
        })
    }

    fn write_past<W: Write + Seek>(&self, output: &mut Output<W>) -> std::io::Result<()> {
        let past = &self.graph.past;
        let mut names: Vec<&str> = past.iter().map(|past| past.source.as_str()).collect();
        names.dedup();
        output.section(Section::PastSources, |out| out.bytes(&encode_names(&names)))?;
        let mut indexer = self.indexer();
        let mut keys = PastKeys::default();
        output.section(Section::Past, |out| {
            for membership in past {
                let (offset, _) = keys.place(membership);
                let source = names.partition_point(|&name| name < membership.source.as_str());
                let word = offset | (source as u64) << 40 | (membership.key.len() as u64) << 53;
                out.u64(word)?;
                out.u32(indexer.index(membership.ended))?;
                out.u32(indexer.index(membership.began))?;
                out.bytes(membership.entity.uuid().as_bytes())?;
            }
            Ok(())
        })?;
        let mut keys = PastKeys::default();
        output.section(Section::PastKeys, |out| {
            past.iter()
                .try_for_each(|membership| match keys.place(membership) {
                    (_, true) => out.bytes(membership.key.as_bytes()),
                    (_, false) => Ok(()),
                })
        })
    }

    fn write_changed<W: Write + Seek>(&self, output: &mut Output<W>) -> std::io::Result<()> {
        let mut slots: Vec<u32> = self
            .graph
            .changed
            .iter()
            .map(|node| self.slot_of[node as usize])
            .collect();
        slots.sort_unstable();
        let bytes = bitmap_bytes(slots)?;
        output.section(Section::Changed, |out| out.bytes(&bytes))
    }

    fn write_source_sets<W: Write + Seek>(&self, output: &mut Output<W>) -> std::io::Result<()> {
        let references = &self.graph.references;
        let mut ends = vec![0_u64];
        let mut bytes = Vec::new();
        for source in 0..references.sources().len() {
            let nodes = references.nodes_of(sameas_graph::SourceId::new(source as u16));
            let mut slots: Vec<u32> = nodes.map(|node| self.slot_of[node as usize]).collect();
            slots.sort_unstable();
            bytes.append(&mut bitmap_bytes(slots)?);
            ends.push(bytes.len() as u64);
        }
        output.section(Section::SourceSets, |out| {
            ends.iter().try_for_each(|&end| out.u64(end))?;
            out.bytes(&bytes)
        })
    }

    fn indexer(&self) -> RevisionIndexer<'_> {
        RevisionIndexer {
            revisions: &self.revisions,
            last: 0,
        }
    }
}

/// Gives keys of ended memberships their place: neighbours with one key share it.
#[derive(Default)]
struct PastKeys<'g> {
    last: &'g str,
    start: u64,
    end: u64,
}

impl<'g> PastKeys<'g> {
    /// Returns where the key lies and whether it is new.
    fn place(&mut self, membership: &'g PastMembership) -> (u64, bool) {
        let is_new = membership.key != self.last;
        if is_new {
            self.start = self.end;
            self.end += membership.key.len() as u64;
            self.last = &membership.key;
        }
        (self.start, is_new)
    }
}

/// Turns revisions into positions among the distinct ones.
struct RevisionIndexer<'a> {
    revisions: &'a [u64],
    last: usize,
}

impl RevisionIndexer<'_> {
    fn index(&mut self, revision: Revision) -> u32 {
        if self.revisions.get(self.last) != Some(&revision.get()) {
            self.last = self
                .revisions
                .partition_point(|&other| other < revision.get());
        }
        self.last as u32
    }
}

fn clusters(graph: &GraphRevision) -> impl Iterator<Item = ClusterId> + use<> {
    (0..graph.partition.cluster_count() as u32).map(ClusterId::new)
}

fn nodes_by_slot(graph: &GraphRevision) -> impl Iterator<Item = NodeId> {
    clusters(graph)
        .flat_map(|cluster| graph.partition.members(cluster))
        .map(|&node| NodeId::new(node))
}

fn late_nodes(graph: &GraphRevision) -> impl Iterator<Item = (NodeId, Revision)> {
    clusters(graph).flat_map(move |cluster| {
        let born = graph.entities[cluster.index()].born;
        graph
            .partition
            .members(cluster)
            .iter()
            .map(|&node| (NodeId::new(node), graph.since[node as usize]))
            .filter(move |&(_, since)| since != born)
    })
}

fn distinct_revisions(graph: &GraphRevision) -> Vec<u64> {
    let born = graph.entities.iter().map(|entity| entity.born);
    let past = graph.past.iter().flat_map(|past| [past.ended, past.began]);
    let since = late_nodes(graph).map(|(_, since)| since);
    let mut distinct = BTreeSet::new();
    let mut last = None;
    for revision in born.chain(past).chain(since) {
        if last.replace(revision) != Some(revision) {
            distinct.insert(revision.get());
        }
    }
    distinct.into_iter().collect()
}

fn lineage_code(kind: &LineageKind) -> (u32, &[sameas_graph::UnifiedId]) {
    match kind {
        LineageKind::Born => (0, &[]),
        LineageKind::Merged { into } => (1, std::slice::from_ref(into)),
        LineageKind::Split { into } => (2, into),
        LineageKind::Retired => (3, &[]),
        LineageKind::Revived => (4, &[]),
    }
}

/// Returns the canonical bytes of a set: equal sets give equal bytes however they were made.
fn bitmap_bytes(ascending: Vec<u32>) -> std::io::Result<Vec<u8>> {
    let mut bitmap =
        RoaringBitmap::from_sorted_iter(ascending).expect("the slots were sorted and are distinct");
    bitmap.optimize();
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes)?;
    Ok(bytes)
}

fn to_le(words: Vec<u64>) -> Vec<u64> {
    words.into_iter().map(u64::to_le).collect()
}
