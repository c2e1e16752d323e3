//! Every byte and every rule of a snapshot, checked.

use roaring::RoaringBitmap;
use sameas_graph::KEY_LEN_MAX;

use crate::arena::{ArenaEntry, BACK_MAX};
use crate::edge::EdgeKind;
use crate::error::{CorruptError, VerifyError};
use crate::format::{Entry, ID_LEN, KIND_LEN, LINEAGE_LEN, SAMPLE_STEP, Section, u32_at};
use crate::key_table::KeyHash;
use crate::reader::{Snapshot, Step, is_intact};

/// References that are looked for together, so that their buckets come from memory together.
const SOUGHT_LEN: usize = 32;

/// A reference that must find itself.
struct Sought {
    slot: u32,
    offset: u64,
    hash: KeyHash,
}

impl Snapshot {
    /// Checks all checksums and that everything in the file fits together: every key and
    /// every id finds itself, ranks are right, offsets lead somewhere, order is canonical.
    ///
    /// # Errors
    /// Says which section's bytes changed, or what contradicts itself.
    pub fn verify(&self) -> Result<(), VerifyError> {
        self.verify_checksums()?;
        self.verify_revisions()?;
        self.verify_marks()?;
        let offsets = self.verify_references()?;
        self.verify_order(&offsets)?;
        self.verify_entities(&offsets)?;
        let between = self.verify_edges()?;
        self.verify_incoming(&between)?;
        self.verify_lineage()?;
        self.verify_past()?;
        Ok(self.verify_sets(&offsets)?)
    }

    /// Checks that no byte has changed since the file was written.
    ///
    /// # Errors
    /// Says which section's bytes changed.
    pub fn verify_checksums(&self) -> Result<(), VerifyError> {
        for section in Section::ALL {
            if !is_intact(self, section) {
                let expected = self.prefix().entry(section).checksum;
                let found = xxhash_rust::xxh3::xxh3_64(self.bytes(section));
                return Err(VerifyError::Checksum {
                    section,
                    expected,
                    found,
                });
            }
            let entry = self.prefix().entry(section);
            if !self.padding(entry).iter().all(|&byte| byte == 0) {
                return Err(CorruptError::at(section, 0, "is followed by bytes").into());
            }
        }
        Ok(())
    }

    fn padding(&self, entry: Entry) -> &[u8] {
        let end = entry.padded_end().unwrap_or_default();
        self.file()
            .get((entry.offset + entry.len) as usize..end as usize)
            .unwrap_or_default()
    }

    fn verify_revisions(&self) -> Result<(), CorruptError> {
        let revisions: &[u64] = self.words(Section::Revisions);
        let sorted = revisions.is_sorted_by(|&a, &b| u64::from_le(a) < u64::from_le(b));
        holds(Section::Revisions, 0, sorted, "are not sorted")
    }

    fn verify_marks(&self) -> Result<(), CorruptError> {
        let meta = self.meta();
        let consistent = self
            .marks()
            .is_consistent(meta.reference_count, meta.cluster_count);
        holds(
            Section::Marks,
            0,
            consistent,
            "ranks do not count the marks",
        )?;
        let starts = meta.reference_count == 0 || self.marks().contains(0);
        holds(
            Section::Marks,
            0,
            starts,
            "the first reference starts no cluster",
        )
    }

    /// Walks the arena: each entry is well-formed, lies where samples say, and is found.
    ///
    /// Returns where the entry of each slot starts, so that no later check has to walk to it.
    fn verify_references(&self) -> Result<Vec<u64>, CorruptError> {
        let samples: &[u64] = self.words(Section::ArenaSamples);
        let mut offsets = Vec::with_capacity(self.meta().reference_count as usize);
        let mut sought = Vec::with_capacity(SOUGHT_LEN);
        let mut end = 0;
        for step in self.walk() {
            let step = step?;
            offsets.push(step.offset);
            let holds = |holds, what| self::holds(Section::Arena, step.slot.into(), holds, what);
            if step.slot.is_multiple_of(SAMPLE_STEP) {
                let sample = samples.get((step.slot / SAMPLE_STEP) as usize);
                holds(
                    sample.map(|&s| u64::from_le(s)) == Some(step.offset),
                    "its sample leads astray",
                )?;
            }
            let key = step.entry.key;
            let is_key = (1..=KEY_LEN_MAX).contains(&key.len());
            holds(
                is_key && std::str::from_utf8(key).is_ok(),
                "its key is none",
            )?;
            holds(leads_back(&step), "its cluster starts elsewhere")?;
            let exists = self.numbered_revision(step.entry.since).is_some()
                && self.numbered_revision(step.head.born).is_some();
            holds(exists, "points to no revision")?;
            sought.push(self.seek(&step)?);
            if sought.len() == SOUGHT_LEN {
                self.verify_lookups(&mut sought)?;
            }
            end = step.offset + step.entry.len;
        }
        self.verify_lookups(&mut sought)?;
        let ends = end == self.arena().len();
        holds(Section::Arena, end, ends, "bytes follow the last key")?;
        let used = self.key_table().key_count() == Some(self.reference_count());
        holds(
            Section::KeyTable,
            0,
            used,
            "does not hold each reference once",
        )?;
        Ok(offsets)
    }

    /// Returns the entry of a slot, of which the offset is known.
    fn entry_of(&self, offsets: &[u64], slot: u32) -> Result<ArenaEntry<'_>, CorruptError> {
        match offsets.get(slot as usize) {
            Some(&offset) => self.entry_at(offset),
            None => Ok(self.entry(slot)?.1),
        }
    }

    /// Asks the processor to fetch what a reference is found by.
    fn seek(&self, step: &Step<'_>) -> Result<Sought, CorruptError> {
        let &Step {
            slot,
            offset,
            entry,
            ..
        } = step;
        let &seed = self.seeds().get(usize::from(entry.source)).ok_or_else(|| {
            CorruptError::at(
                Section::Arena,
                slot.into(),
                "a reference's source is unknown",
            )
        })?;
        let hash = KeyHash::new(seed, entry.key);
        self.key_table().prefetch(hash);
        Ok(Sought { slot, offset, hash })
    }

    fn verify_lookups(&self, sought: &mut Vec<Sought>) -> Result<(), CorruptError> {
        for Sought { slot, offset, hash } in sought.drain(..) {
            // The offset decides, so that no other entry is read.
            let found = self.key_table().find(hash, |found| {
                Ok::<_, CorruptError>((found == offset).then_some(()))
            })?;
            holds(
                Section::KeyTable,
                slot.into(),
                found.is_some(),
                "a reference does not find itself",
            )?;
        }
        Ok(())
    }

    /// Checks that nodes ascend by source and key, and clusters by node.
    fn verify_order(&self, offsets: &[u64]) -> Result<(), CorruptError> {
        let node_of = self.nodes_by_slot()?;
        let mut previous: Option<(u16, &[u8])> = None;
        let mut counts = vec![0_u64; self.sources().len()];
        for node in 0..self.meta().reference_count {
            let entry = self.entry_of(offsets, self.slot_of_node(node)?)?;
            let this = Some((entry.source, entry.key));
            holds(
                Section::Order,
                u64::from(node),
                previous < this,
                "references are not sorted",
            )?;
            previous = this;
            if let Some(count) = counts.get_mut(usize::from(entry.source)) {
                *count += 1;
            }
        }
        let counted = counts
            .into_iter()
            .eq(self.sources().iter().map(|s| s.reference_count));
        holds(
            Section::Sources,
            0,
            counted,
            "counts are not those of the references",
        )?;
        let marks = self.marks();
        let mut last_first = None;
        let mut last = None;
        for (slot, &node) in node_of.iter().enumerate() {
            let first = marks.contains(slot as u32);
            let before = if first { last_first } else { last };
            let ascends = before < Some(node);
            holds(
                Section::Marks,
                slot as u64,
                ascends,
                "clusters are not sorted by nodes",
            )?;
            last = Some(node);
            if first {
                last_first = last;
            }
        }
        Ok(())
    }

    fn verify_entities(&self, offsets: &[u64]) -> Result<(), CorruptError> {
        for step in self.walk() {
            let Step { slot, head, .. } = step?;
            if self.marks().contains(slot) {
                let found = self.finds_itself(offsets, &head.id, slot);
                let what = "an id does not find its cluster";
                holds(Section::IdTable, slot.into(), found, what)?;
            }
        }
        let used = self.id_table().used() == self.entity_count();
        holds(Section::IdTable, 0, used, "does not hold each id once")
    }

    /// Returns whether an id leads to this slot, and to no other that bears it, too.
    fn finds_itself(&self, offsets: &[u64], id: &[u8], slot: u32) -> bool {
        let arena = self.arena();
        let bears_it = |&first: &u32| {
            let start = offsets.get(first as usize)?.checked_sub(arena.head_len())?;
            Some(arena.head(start)?.id == id)
        };
        self.id_table()
            .candidates(&self.meta().namespace, id)
            .take_while(|first| *first == slot || bears_it(first) != Some(true))
            .any(|first| first == slot)
    }

    /// Checks all edges and returns the numbers of those between clusters.
    fn verify_edges(&self) -> Result<RoaringBitmap, CorruptError> {
        let kinds = self.bytes(Section::Kinds);
        for (index, kind) in kinds.as_chunks::<KIND_LEN>().0.iter().enumerate() {
            let reads_back = EdgeKind::decode(kind, 0).is_some_and(|read| read.encode() == *kind);
            holds(
                Section::Kinds,
                index as u64,
                reads_back,
                "is no kind of edge",
            )?;
        }
        let mut between = RoaringBitmap::new();
        let mut next = 0;
        for slot in 0..self.meta().reference_count {
            let numbers = self.edges_of(slot)?;
            let holds = |holds, what| self::holds(Section::EdgeStarts, slot.into(), holds, what);
            holds(numbers.start == next, "edges belong to no reference")?;
            next = numbers.end;
            let cluster = self.cluster_of(slot)?;
            let mut last = None;
            for number in numbers {
                let higher = self.edge(slot, number)?.higher;
                holds(last < Some(higher), "edges are not sorted")?;
                last = Some(higher);
                if self.cluster_of(higher)? != cluster {
                    between.insert(number);
                }
            }
        }
        let complete = next == self.meta().edge_count;
        holds(Section::EdgeStarts, 0, complete, "edges are left over")?;
        Ok(between)
    }

    fn verify_incoming(&self, between: &RoaringBitmap) -> Result<(), CorruptError> {
        let mut position = 0;
        let mut last = None;
        while let Some((number, target)) = self.incoming_target(position)? {
            let holds = |holds, what| self::holds(Section::Incoming, position as u64, holds, what);
            holds(last < Some((target, number)), "is not sorted")?;
            holds(between.contains(number), "does not join two clusters")?;
            last = Some((target, number));
            position += 1;
        }
        let complete = position as u64 == between.len();
        holds(
            Section::Incoming,
            0,
            complete,
            "misses an edge between clusters",
        )
    }

    fn verify_lineage(&self) -> Result<(), CorruptError> {
        let mut last = None;
        for index in 0..self.lineage_count() {
            let event = self.lineage_event(index)?;
            let this = Some((event.entity, event.revision));
            holds(
                Section::Lineage,
                index as u64,
                last <= this,
                "is not sorted",
            )?;
            last = this;
        }
        let entries = self.bytes(Section::Lineage).as_chunks::<LINEAGE_LEN>().0;
        let end = entries
            .last()
            .map_or(Some(0), |entry| u32_at(entry, 28))
            .unwrap_or_default();
        let all = end as usize == self.bytes(Section::LineageTargets).len() / ID_LEN;
        holds(
            Section::LineageTargets,
            u64::from(end),
            all,
            "ids belong to no event",
        )
    }

    fn verify_past(&self) -> Result<(), CorruptError> {
        let mut last = None;
        for index in 0..self.past_count() {
            let this = Some(self.past_membership(index)?);
            holds(Section::Past, index as u64, last <= this, "is not sorted")?;
            last = this;
        }
        Ok(())
    }

    fn verify_sets(&self, offsets: &[u64]) -> Result<(), CorruptError> {
        self.changed_set()?;
        for (index, source) in self.sources().iter().enumerate() {
            let set = self.source_set(index as u16)?;
            let complete = set.len() == source.reference_count;
            let what = "a set does not hold each reference of its source";
            holds(Section::SourceSets, index as u64, complete, what)?;
            for slot in set {
                let same = usize::from(self.entry_of(offsets, slot)?.source) == index;
                holds(
                    Section::SourceSets,
                    u64::from(slot),
                    same,
                    "a set has a foreign member",
                )?;
            }
        }
        Ok(())
    }
}

/// Returns whether an entry says how far before it its cluster starts, as far as it can.
fn leads_back(step: &Step<'_>) -> bool {
    let back = step.offset - step.start;
    step.entry.back == Some(back).filter(|&back| back < BACK_MAX)
}

fn holds(
    section: Section,
    index: u64,
    holds: bool,
    what: &'static str,
) -> Result<(), CorruptError> {
    if holds {
        Ok(())
    } else {
        Err(CorruptError::at(section, index, what))
    }
}
