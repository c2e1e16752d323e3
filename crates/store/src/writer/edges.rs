//! Evidence as edges in slot order.

use std::io::{self, Seek, Write};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use sameas_graph::{Evidence, MatchWeight};
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
    let mut kinds = KindTable::default();
    let (starts, edges) = edges_by_slot(writer, &mut kinds);
    output.section(Section::EdgeStarts, |out| {
        starts.iter().try_for_each(|&s| out.u32(s))
    })?;
    output.section(Section::Edges, |out| {
        edges
            .iter()
            .try_for_each(|edge| out.u64(pack_edge(edge.higher, edge.weight, edge.kind as u16)))
    })?;
    output.section(Section::EdgeKindsHigh, |out| {
        if kinds.kinds.len() <= LOW_KIND_COUNT {
            return Ok(());
        }
        edges
            .iter()
            .try_for_each(|edge| out.bytes(&((edge.kind >> 16) as u16).to_le_bytes()))
    })?;
    output.section(Section::Kinds, |out| {
        kinds
            .kinds
            .iter()
            .try_for_each(|kind| out.bytes(&kind.encode()))
    })?;
    let incoming = incoming(writer, &starts, &edges);
    output.section(Section::Incoming, |out| {
        incoming.iter().try_for_each(|&i| out.u32(i))
    })
}

/// An edge as it will lie with its lower slot.
#[derive(Clone, Copy, Debug, Default)]
struct SlotEdge {
    higher: u32,
    kind: u32,
    weight: MatchWeight,
}

/// Returns the edges by lower slot, then by higher, and where those of each slot start.
fn edges_by_slot(writer: &SnapshotWriter, kinds: &mut KindTable) -> (Vec<u32>, Vec<SlotEdge>) {
    let evidence = &writer.graph.evidence;
    let mut starts = vec![0_u32; writer.slot_of.len() + 1];
    for edge in evidence {
        starts[slots(writer, edge).0 as usize + 1] += 1;
    }
    for slot in 1..starts.len() {
        starts[slot] += starts[slot - 1];
    }
    let mut next = starts.clone();
    let mut edges = vec![SlotEdge::default(); evidence.len()];
    for edge in evidence {
        let (lower, higher) = slots(writer, edge);
        let place = &mut next[lower as usize];
        edges[*place as usize] = SlotEdge {
            higher,
            kind: kinds.intern(EdgeKind::of(edge)),
            weight: edge.weight,
        };
        *place += 1;
    }
    for bounds in starts.windows(2) {
        let list = &mut edges[bounds[0] as usize..bounds[1] as usize];
        if list.len() > 1 {
            list.sort_unstable_by_key(|edge| edge.higher);
        }
    }
    (starts, edges)
}

fn slots(writer: &SnapshotWriter, edge: &Evidence) -> (u32, u32) {
    let left = writer.slot_of[edge.left.index()];
    let right = writer.slot_of[edge.right.index()];
    (left.min(right), left.max(right))
}

/// Returns the numbers of edges between clusters, by higher slot.
fn incoming(writer: &SnapshotWriter, starts: &[u32], edges: &[SlotEdge]) -> Vec<u32> {
    let marks = RankBits::new(&writer.marks);
    let mut incoming = Vec::new();
    for (slot, bounds) in starts.windows(2).enumerate() {
        let cluster = marks.rank(slot as u32);
        for number in bounds[0]..bounds[1] {
            let higher = edges[number as usize].higher;
            if marks.rank(higher) != cluster {
                incoming.push((u64::from(higher) << 32) | u64::from(number));
            }
        }
    }
    incoming.sort_unstable();
    incoming.into_iter().map(|pair| pair as u32).collect()
}

/// Distinct kinds of edges, numbered by first use.
#[derive(Default)]
struct KindTable {
    kinds: Vec<EdgeKind>,
    numbers: HashTable<u32>,
}

impl KindTable {
    /// Returns the kind's number, the next one where it is new.
    fn intern(&mut self, kind: EdgeKind) -> u32 {
        let Self { kinds, numbers } = self;
        let found = numbers.entry(
            hash(kind),
            |&number| kinds[number as usize] == kind,
            |&number| hash(kinds[number as usize]),
        );
        match found {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(place) => {
                let number = kinds.len() as u32;
                place.insert(number);
                kinds.push(kind);
                number
            }
        }
    }
}

fn hash(kind: EdgeKind) -> u64 {
    xxh3_64(&kind.encode())
}
