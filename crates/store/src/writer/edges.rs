//! Evidence as edges in slot order.

use std::io::{self, Seek, Write};

use hashbrown::HashTable;
use sameas_graph::Evidence;
use xxhash_rust::xxh3::xxh3_64;

use super::SnapshotWriter;
use super::output::Output;
use crate::edge::{EdgeKind, pack_edge};
use crate::format::Section;
use crate::rank_bits::RankBits;

/// Kinds whose number fits the lower half.
const LOW_KIND_COUNT: usize = 1 << 16;

/// Writes all sections that hold evidence.
pub(super) fn write_edges<W: Write + Seek>(
    writer: &SnapshotWriter,
    output: &mut Output<W>,
) -> io::Result<()> {
    let evidence = &writer.graph.evidence;
    let kinds = KindTable::of(evidence);
    let edges = SlotOrder::of(writer);
    output.section(Section::EdgeStarts, |out| {
        edges.starts.iter().try_for_each(|&s| out.u32(s))
    })?;
    output.section(Section::Edges, |out| {
        edges
            .order
            .iter()
            .map(|&index| &evidence[index as usize])
            .try_for_each(|edge| {
                let (_, higher) = slots(writer, edge);
                out.u64(pack_edge(higher, edge.weight, kinds.number(edge) as u16))
            })
    })?;
    output.section(Section::EdgeKindsHigh, |out| {
        if kinds.kinds.len() <= LOW_KIND_COUNT {
            return Ok(());
        }
        edges
            .order
            .iter()
            .map(|&index| &evidence[index as usize])
            .try_for_each(|edge| out.bytes(&((kinds.number(edge) >> 16) as u16).to_le_bytes()))
    })?;
    output.section(Section::Kinds, |out| {
        kinds
            .kinds
            .iter()
            .try_for_each(|kind| out.bytes(&kind.encode()))
    })?;
    let incoming = edges.incoming(writer);
    output.section(Section::Incoming, |out| {
        incoming.iter().try_for_each(|&i| out.u32(i))
    })
}

fn slots(writer: &SnapshotWriter, edge: &Evidence) -> (u32, u32) {
    let left = writer.slot_of[edge.left.index()];
    let right = writer.slot_of[edge.right.index()];
    (left.min(right), left.max(right))
}

/// The order in which edges are written: by lower slot, then by higher.
struct SlotOrder {
    starts: Vec<u32>,
    order: Vec<u32>,
}

impl SlotOrder {
    fn of(writer: &SnapshotWriter) -> Self {
        let evidence = &writer.graph.evidence;
        let mut starts = vec![0_u32; writer.slot_of.len() + 1];
        for edge in evidence {
            starts[slots(writer, edge).0 as usize + 1] += 1;
        }
        for slot in 1..starts.len() {
            starts[slot] += starts[slot - 1];
        }
        let mut next = starts.clone();
        let mut order = vec![0_u32; evidence.len()];
        for (index, edge) in evidence.iter().enumerate() {
            let place = &mut next[slots(writer, edge).0 as usize];
            order[*place as usize] = index as u32;
            *place += 1;
        }
        for bounds in starts.windows(2) {
            let list = &mut order[bounds[0] as usize..bounds[1] as usize];
            if list.len() > 1 {
                list.sort_unstable_by_key(|&index| slots(writer, &evidence[index as usize]).1);
            }
        }
        Self { starts, order }
    }

    /// Returns the numbers of edges between clusters, by higher slot.
    fn incoming(&self, writer: &SnapshotWriter) -> Vec<u32> {
        let marks = RankBits::new(&writer.marks);
        let mut incoming = Vec::new();
        for (number, &index) in self.order.iter().enumerate() {
            let (lower, higher) = slots(writer, &writer.graph.evidence[index as usize]);
            if marks.rank(lower) != marks.rank(higher) {
                incoming.push((u64::from(higher) << 32) | number as u64);
            }
        }
        incoming.sort_unstable();
        incoming.into_iter().map(|pair| pair as u32).collect()
    }
}

/// Distinct kinds of edges, numbered by first use.
struct KindTable {
    kinds: Vec<EdgeKind>,
    numbers: HashTable<u32>,
}

impl KindTable {
    fn of(evidence: &[Evidence]) -> Self {
        let mut table = Self {
            kinds: Vec::new(),
            numbers: HashTable::new(),
        };
        for edge in evidence {
            table.intern(EdgeKind::of(edge));
        }
        table
    }

    fn intern(&mut self, kind: EdgeKind) {
        let Self { kinds, numbers } = self;
        let hash = hash(kind);
        if numbers
            .find(hash, |&number| kinds[number as usize] == kind)
            .is_none()
        {
            kinds.push(kind);
            let number = kinds.len() as u32 - 1;
            numbers.insert_unique(hash, number, |&other| self::hash(kinds[other as usize]));
        }
    }

    fn number(&self, edge: &Evidence) -> u32 {
        let kind = EdgeKind::of(edge);
        let found = self
            .numbers
            .find(hash(kind), |&number| self.kinds[number as usize] == kind);
        *found.expect("every edge's kind was interned before")
    }
}

fn hash(kind: EdgeKind) -> u64 {
    xxh3_64(&kind.encode())
}
